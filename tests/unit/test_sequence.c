/* Sequences against a plain reading of the language: random small streams and random pipelines, run with other cuts into batches, other numbers of
 * workers and through deaths, and compared with a model that knows all rows and looks at one attempt after another. */
#include "run_fakes.h"
#include "unit.h"

#define KEYS 3
#define ROWS_MAX 60
#define STEPS_MAX 4
#define RESULTS_MAX 4000
#define NEVER (-1)
#define START_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */

struct event {
    int64_t s; /* seconds since the start */
    int key;   /* -1: NULL */
    char type; /* a … d */
    int value;
    uint32_t position;
    bool is_late;
};

/* A step as it is written. */
struct step {
    char type;
    bool is_absence, is_next, compares; /* compares: value >= the first step's last value */
    int min, max;                       /* max 0: unbounded */
    int within;
};

struct pipeline {
    struct step steps[STEPS_MAX];
    int count, within;
    bool to_next, has_timeouts;
};

static struct event events[ROWS_MAX];
static uint32_t event_count;
static struct pipeline pipeline;
static char text[4096];
static char *expected[RESULTS_MAX];
static uint32_t expected_count;

/* --- random cases ----------------------------------------------------------------------------------------------------------------- */

static int below(uint64_t *seed, int limit)
{
    return (int)(unit_random(seed) % (uint64_t)limit);
}

static struct step random_step(uint64_t *seed, int index, bool is_last)
{
    struct step step = {.type = (char)('a' + below(seed, 4)), .min = 1, .max = 1, .within = NEVER};
    if (index > 0 && below(seed, 3) == 0) {
        step.is_absence = true;
        step.within = is_last || below(seed, 2) == 0 ? 1 + below(seed, 8) : NEVER;
        return step;
    }
    int quantifier = below(seed, 6);
    step.min = quantifier == 1 ? 0 : quantifier == 3 ? 2 : 1;
    step.max = quantifier == 0 ? 0 : quantifier >= 3 && quantifier <= 4 ? 2 + below(seed, 2) : 1;
    step.is_next = index > 0 && below(seed, 4) == 0;
    step.compares = index > 0 && below(seed, 3) == 0;
    step.within = below(seed, 2) == 0 || is_last ? 1 + below(seed, 10) : NEVER;
    return step;
}

static void random_pipeline(uint64_t *seed)
{
    pipeline = (struct pipeline){.count = 1 + below(seed, STEPS_MAX), .within = 5 + below(seed, 20)};
    pipeline.to_next = below(seed, 3) == 0;
    pipeline.has_timeouts = below(seed, 2) == 0;
    for (int i = 0; i < pipeline.count; i++) {
        pipeline.steps[i] = random_step(seed, i, i == pipeline.count - 1);
    }
    for (int i = pipeline.count - 1; i >= 0 && pipeline.steps[i].is_absence; i--) {
        pipeline.steps[i].within = pipeline.steps[i].within == NEVER ? 4 : pipeline.steps[i].within;
    }
    bool is_bounded = true; /* without `within` in front, where the steps' own suffice */
    for (int i = 0; i < pipeline.count; i++) {
        is_bounded = is_bounded && pipeline.steps[i].within != NEVER && pipeline.steps[i].min > 0;
    }
    if (is_bounded && below(seed, 2) == 0) {
        pipeline.within = NEVER;
    }
    bool is_chained = pipeline.count > 1 && pipeline.steps[1].is_next;
    if (pipeline.within == NEVER && !is_chained && below(seed, 2) == 0) { /* the case of attempts that cannot win */
        pipeline.steps[0].min = 1;
        pipeline.steps[0].max = 0;
        pipeline.steps[0].within = pipeline.count == 1 ? 3 : NEVER;
    }
}

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    size_t count = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + count, sizeof text - count, format, arguments);
    va_end(arguments);
}

static void put_step(int index)
{
    const struct step *step = &pipeline.steps[index];
    put("%s s%d", index == 0 ? "" : step->is_absence ? "then no" : step->is_next ? "then next" : "then", index);
    if (!step->is_absence && (step->min != 1 || step->max != 1)) {
        put(step->max == 0 ? "{%d,}" : step->min == 0 ? "?" : "{%d,%d}", step->min, step->max);
    }
    put(" as type = '%c'", step->type);
    if (step->compares) {
        put(" and (s0.v is null or v >= s0.v)");
    }
    if (step->within != NEVER) {
        put(" within interval %d second", step->within);
    }
    put("\n");
}

static void write_pipeline(void)
{
    text[0] = '\0';
    put("create source events (ms timestamp unit ms not null, k string, type string, v int64,\n"
        "watermark for ms as ms - interval 3 second) from fake () dead letter into dead;\n"
        "create sink dead to fake (address = 'dead');\ncreate sink out to fake (address = 'out');\n"
        "create sink lost to fake (address = 'lost');\nfrom events |> sequence by k ");
    if (pipeline.within != NEVER) {
        put("within interval %d second ", pipeline.within);
    }
    put("%s\n", pipeline.to_next ? "after match skip to next row" : "");
    for (int i = 0; i < pipeline.count; i++) {
        put_step(i);
    }
    put("%s select k, ", pipeline.has_timeouts ? "on timeout into lost" : "");
    for (int i = 0; i < pipeline.count; i++) {
        if (!pipeline.steps[i].is_absence) {
            put("count(s%d) as n%d, sum(s%d.v) as t%d, s%d.v as l%d, ", i, i, i, i, i, i);
        }
    }
    put("count(*) as n, first(v) as f |> insert into out;\n");
}

static void random_events(uint64_t *seed, bool has_late)
{
    int64_t now = 0, watermark = INT64_MIN;
    event_count = 20 + (uint32_t)below(seed, ROWS_MAX - 20);
    for (uint32_t i = 0; i < event_count; i++) {
        now += below(seed, 4) == 0 ? below(seed, 6) : below(seed, 2);
        int64_t back = has_late && below(seed, 10) == 0 ? below(seed, 12) : below(seed, 3);
        events[i] = (struct event){.s = now - back,
                                   .key = below(seed, 20) == 0 ? -1 : below(seed, KEYS),
                                   .type = (char)('a' + below(seed, 4)),
                                   .value = below(seed, 5),
                                   .position = i};
        events[i].is_late = watermark != INT64_MIN && events[i].s < watermark;
        watermark = events[i].s - 3 > watermark ? events[i].s - 3 : watermark;
    }
}

/* --- the model ------------------------------------------------------------------------------------------------------------------------ */

struct model_attempt {
    int rows[ROWS_MAX], row_steps[ROWS_MAX]; /* numbers in `sorted`, and their steps */
    int count;
    int64_t step_from;
    bool has_gap, is_open;
};

static struct event sorted[ROWS_MAX]; /* of one key, in its order */
static int sorted_count;
static struct model_attempt attempts[ROWS_MAX]; /* number i began with row i */

static int last_step(const struct model_attempt *a)
{
    return a->row_steps[a->count - 1];
}

static int64_t last_time(const struct model_attempt *a)
{
    return sorted[a->rows[a->count - 1]].s;
}

static int count_of(const struct model_attempt *a, int step)
{
    int count = 0;
    for (int i = 0; i < a->count; i++) {
        count += a->row_steps[i] == step;
    }
    return count;
}

static bool fits(const struct model_attempt *a, int step, const struct event *e)
{
    const struct step *s = &pipeline.steps[step];
    int last = -1;
    for (int i = 0; a != NULL && i < a->count; i++) {
        last = a->row_steps[i] == 0 ? sorted[a->rows[i]].value : last;
    }
    return e->type == s->type && (!s->compares || last < 0 || e->value >= last);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t total(const struct model_attempt *a)
{
    return pipeline.within == NEVER ? INT64_MAX : sorted[a->rows[0]].s + pipeline.within;
}

/* Until when the step at `step` could take one more row of its own. INT64_MIN: never. */
static int64_t own_limit(const struct model_attempt *a)
{
    const struct step *s = &pipeline.steps[last_step(a)];
    if ((s->max != 0 && count_of(a, last_step(a)) >= s->max) || (s->is_next && a->has_gap)) {
        return INT64_MIN;
    }
    return least(total(a), s->within == NEVER ? INT64_MAX : a->step_from + s->within);
}

struct way {
    int step;
    int64_t after, until; /* takes rows with after < time <= until */
    int64_t from;         /* from when its `within` counts */
};

/* The steps behind the last one that could come next. *hold: the end of the absences on the way to the end. *needs_more: a required step is among them, or the
 * last one has too few rows. */
static int ways_on(const struct model_attempt *a, struct way *ways, int64_t *hold, bool *needs_more)
{
    int count = 0;
    *hold = INT64_MIN;
    *needs_more = count_of(a, last_step(a)) < pipeline.steps[last_step(a)].min;
    for (int i = last_step(a) + 1; i < pipeline.count && !*needs_more; i++) {
        const struct step *s = &pipeline.steps[i];
        if (s->is_absence) {
            *hold = s->within != NEVER && last_time(a) + s->within > *hold ? last_time(a) + s->within : *hold;
            continue;
        }
        int64_t from = *hold > last_time(a) ? *hold : last_time(a);
        ways[count] = (struct way){i, *hold, least(total(a), s->within == NEVER ? INT64_MAX : from + s->within), from};
        ways[count].until = s->is_next && a->has_gap ? INT64_MIN : ways[count].until;
        count++;
        *needs_more = s->min > 0;
    }
    return count;
}

/* The moment from which nothing can come; INT64_MIN: now. */
static int64_t deadline(const struct model_attempt *a, bool *is_complete)
{
    struct way ways[STEPS_MAX];
    int64_t hold, until = INT64_MIN;
    bool needs_more;
    int count = ways_on(a, ways, &hold, &needs_more);
    for (int i = 0; i < count; i++) {
        until = ways[i].until > until ? ways[i].until : until;
    }
    if ((count == 0 && hold == INT64_MIN) || (count > 0 && until == INT64_MIN)) {
        until = own_limit(a);
    }
    *is_complete = !needs_more;
    return !needs_more && hold > until ? hold : until;
}

static bool is_broken_by(const struct model_attempt *a, const struct event *e)
{
    if (count_of(a, last_step(a)) < pipeline.steps[last_step(a)].min) {
        return false;
    }
    for (int i = last_step(a) + 1; i < pipeline.count; i++) {
        const struct step *s = &pipeline.steps[i];
        if (!s->is_absence && s->min > 0) {
            return false;
        }
        if (s->is_absence && (s->within == NEVER || e->s <= last_time(a) + s->within) && fits(a, i, e)) {
            return true;
        }
    }
    return false;
}

/* The step that takes the row; -1: none. */
static int taker(const struct model_attempt *a, const struct event *e, int64_t *from)
{
    struct way ways[STEPS_MAX];
    int64_t hold, behind = INT64_MIN;
    bool needs_more;
    int count = ways_on(a, ways, &hold, &needs_more);
    for (int i = last_step(a) + 1; i < pipeline.count && pipeline.steps[i].is_absence; i++) {
        int64_t end = pipeline.steps[i].within == NEVER ? INT64_MIN : last_time(a) + pipeline.steps[i].within;
        behind = end > behind ? end : behind;
    }
    bool may_leave = count_of(a, last_step(a)) >= pipeline.steps[last_step(a)].min;
    bool is_held = may_leave && behind != INT64_MIN && e->s > behind;
    *from = a->step_from;
    if (!is_held && e->s <= own_limit(a) && fits(a, last_step(a), e)) {
        return last_step(a);
    }
    for (int i = 0; i < count; i++) {
        if (e->s > ways[i].after && e->s <= ways[i].until && fits(a, ways[i].step, e)) {
            *from = ways[i].from;
            return ways[i].step;
        }
    }
    return -1;
}

static void expect(const char *address, const struct model_attempt *a)
{
    char line[1024];
    int at = snprintf(line, sizeof line, "%s {\"k\":\"%d\"", address, sorted[0].key), all = 0;
    for (int step = 0; step < pipeline.count; step++) {
        int n = 0, sum = 0, last = 0;
        for (int i = 0; i < a->count; i++) {
            if (a->row_steps[i] == step) {
                last = sorted[a->rows[i]].value;
                sum += last;
                n++;
            }
        }
        all += n;
        if (pipeline.steps[step].is_absence) {
            continue;
        }
        at += snprintf(line + at, sizeof line - (size_t)at, ",\"n%d\":%d", step, n);
        at += n > 0 ? snprintf(line + at, sizeof line - (size_t)at, ",\"t%d\":%d,\"l%d\":%d", step, sum, step, last)
                    : snprintf(line + at, sizeof line - (size_t)at, ",\"t%d\":null,\"l%d\":null", step, step);
    }
    snprintf(line + at, sizeof line - (size_t)at, ",\"n\":%d,\"f\":%d}", all, sorted[a->rows[0]].value);
    ck_assert_uint_lt(expected_count, RESULTS_MAX);
    expected[expected_count++] = strdup(line);
}

static void match(struct model_attempt *a)
{
    int last = a->rows[a->count - 1];
    expect("out", a);
    a->is_open = false;
    for (int i = 0; !pipeline.to_next && i <= last; i++) {
        attempts[i].is_open = false;
    }
}

/* Attempts whose time is over before `now`, in the order of their deadlines, older ones first. */
static void run_out(int64_t now)
{
    for (;;) {
        struct model_attempt *first = NULL;
        int64_t at = INT64_MAX;
        bool is_complete = false, complete;
        for (int i = 0; i < sorted_count; i++) {
            int64_t end = attempts[i].is_open ? deadline(&attempts[i], &complete) : INT64_MAX;
            if (end < now && end < at) {
                first = &attempts[i];
                at = end;
                is_complete = complete;
            }
        }
        if (first == NULL) {
            return;
        }
        if (is_complete) {
            match(first);
        } else {
            if (pipeline.has_timeouts) {
                expect("lost", first);
            }
            first->is_open = false;
        }
    }
}

/* After a change. True: it is a match. */
static bool settle(struct model_attempt *a, int64_t now)
{
    bool is_complete;
    if (deadline(a, &is_complete) >= now) {
        return false;
    }
    if (is_complete) {
        match(a);
        return true;
    }
    a->is_open = false;
    return false;
}

static bool offer(struct model_attempt *a, int row)
{
    int64_t from;
    if (is_broken_by(a, &sorted[row])) {
        a->is_open = false;
        return false;
    }
    int step = taker(a, &sorted[row], &from);
    if (step < 0) {
        a->has_gap = true;
        settle(a, sorted[row].s);
        return false;
    }
    a->step_from = step == last_step(a) ? a->step_from : from;
    a->rows[a->count] = row;
    a->row_steps[a->count++] = step;
    a->has_gap = false;
    return settle(a, sorted[row].s);
}

static void open(int row)
{
    for (int step = 0; step < pipeline.count; step++) {
        if (pipeline.steps[step].is_absence) {
            continue;
        }
        if (fits(NULL, step, &sorted[row])) {
            struct model_attempt *a = &attempts[row];
            *a = (struct model_attempt){.count = 1, .is_open = true, .step_from = sorted[row].s};
            a->rows[0] = row;
            a->row_steps[0] = step;
            settle(a, sorted[row].s);
            return;
        }
        if (pipeline.steps[step].min > 0) {
            return;
        }
    }
}

static int by_order(const void *a, const void *b)
{
    const struct event *left = a, *right = b;
    if (left->s != right->s) {
        return left->s < right->s ? -1 : 1;
    }
    return left->position < right->position ? -1 : 1;
}

static void model_key(int key)
{
    sorted_count = 0;
    memset(attempts, 0, sizeof attempts);
    for (uint32_t i = 0; i < event_count; i++) {
        if (events[i].key == key && !events[i].is_late) {
            sorted[sorted_count++] = events[i];
        }
    }
    qsort(sorted, (size_t)sorted_count, sizeof sorted[0], by_order);
    for (int row = 0; row < sorted_count; row++) {
        bool is_used_up = false;
        run_out(sorted[row].s);
        for (int i = 0; i < row; i++) {
            bool is_match = attempts[i].is_open && offer(&attempts[i], row);
            is_used_up = is_used_up || (is_match && !pipeline.to_next);
        }
        if (!is_used_up) {
            open(row);
        }
    }
    run_out(INT64_MAX);
}

/* --- comparing ---------------------------------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void tell(const char *what, char **rows, uint32_t count)
{
    fprintf(stderr, "%s:\n", what);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(stderr, "  %s\n", rows[i]);
    }
}

static void compare(const char *how)
{
    static char *got[RESULTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake_world->row_count && count < RESULTS_MAX; i++) {
        char line[1024];
        snprintf(line, sizeof line, "%s %s", fake_world->rows[i].address, fake_world->rows[i].payload);
        line[strcspn(line, "\n")] = '\0';
        got[count++] = strdup(line);
    }
    qsort(got, count, sizeof got[0], by_text);
    bool is_same = count == expected_count;
    for (uint32_t i = 0; is_same && i < count; i++) {
        is_same = strcmp(got[i], expected[i]) == 0;
    }
    if (!is_same) {
        fprintf(stderr, "%s\n%s", how, text);
        for (uint32_t i = 0; i < event_count; i++) {
            fprintf(stderr, "%2u %3lld s key %d %c %d%s\n", i, (long long)events[i].s, events[i].key, events[i].type,
                    events[i].value, events[i].is_late ? " late" : "");
        }
        tell("got", got, count);
        tell("expected", expected, expected_count);
    }
    for (uint32_t i = 0; i < count; i++) {
        free(got[i]);
    }
    UNIT_CHECK(is_same, "%s: other results", how);
    UNIT_CHECK(fake_world->mismatches == 0, "%s: one id, two results", how);
}

static void publish_events(void)
{
    for (uint32_t i = 0; i < event_count; i++) {
        char line[160], key[16] = "null";
        if (events[i].key >= 0) {
            snprintf(key, sizeof key, "\"%d\"", events[i].key);
        }
        snprintf(line, sizeof line, "{\"ms\":%lld,\"k\":%s,\"type\":\"%c\",\"v\":%d}\n",
                 (long long)(START_MS + events[i].s * 1000), key, events[i].type, events[i].value);
        fake_publish(fake_world, 0, line);
    }
}

/* In one go, or through deaths; the model's results do not know how. */
static void run_case(const char *how_text, struct fake_how how, bool dies)
{
    struct evs_run_summary summary;
    fake_world_new(1);
    publish_events();
    const struct evs_plan *plan = fake_compile(text);
    evs_status status = EVS_E_UNREACHABLE;
    for (uint32_t deaths = 0; status == EVS_E_UNREACHABLE; deaths++) {
        ck_assert_uint_lt(deaths, 1000);
        fake_world->fail_polls = dies && deaths < 4 ? 2 + deaths : 0;
        fake_world->fail_commit_after = dies && deaths >= 4 && deaths < 6 ? 2 : 0;
        how.workers = dies ? 1 + deaths % 3 : how.workers;
        status = fake_run(plan, how, &summary);
    }
    compare(how_text);
    evs_plan_free(plan);
    fake_world_free(fake_world);
}

#define CASES unit_cases(150)

START_TEST(test_against_the_model)
{
    uint64_t seed = (uint64_t)_i * 1000003 + 17, results = 0;
    for (uint32_t i = 0; i < CASES; i++) {
        random_pipeline(&seed);
        random_events(&seed, i % 3 == 0);
        write_pipeline();
        expected_count = 0;
        for (int key = 0; key < KEYS; key++) {
            model_key(key);
        }
        qsort(expected, expected_count, sizeof expected[0], by_text);
        results += expected_count;
        run_case("in batches of 1", (struct fake_how)FAKE_HOW(1, 1, 1000), false);
        run_case("in batches of 7, 2 workers", (struct fake_how)FAKE_HOW(2, 7, 1000), false);
        if (i % 5 == 0) {
            run_case("through deaths", (struct fake_how)FAKE_HOW(1, 3, 2), true);
        }
        for (uint32_t k = 0; k < expected_count; k++) {
            free(expected[k]);
        }
    }
    ck_assert_uint_gt(results, 2 * CASES); /* the cases say something */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sequence");
    TCase *tests = tcase_create("sequence");
    tcase_add_loop_test(tests, test_against_the_model, 0, 6);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
