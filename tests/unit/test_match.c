/* match_recognize against a plain backtracking search: random patterns over random small streams, in other batches, on other numbers of workers and
 * through deaths. The search knows all rows, follows one way after another in order of preference, and looks nowhere ahead. */
#include "run_fakes.h"
#include "unit.h"

#define KEYS 3
#define ROWS_MAX 50
#define SYMBOLS 3
#define NODES_MAX 40
#define START_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */

struct event {
    int64_t s;
    int key; /* -1: NULL, a partition like any other */
    int value;
    uint32_t position;
    bool is_late;
};

struct node {
    enum { SYMBOL, ALL, ONE } kind;
    int symbol, part_count, min, max; /* max 0: unbounded */
    const struct node *parts[3];
    bool is_reluctant;
};

static struct event events[ROWS_MAX], sorted[ROWS_MAX];
static uint32_t event_count;
static int sorted_count;
static struct node nodes[NODES_MAX];
static int node_count, within;
static const struct node *pattern;
static bool is_next, is_longest;
static char text[4096];
static char *expected[ROWS_MAX * 2];
static uint32_t expected_count;

/* --- random cases ------------------------------------------------------------------------------------------------------------------ */

static int below(uint64_t *seed, int limit)
{
    return (int)(unit_random(seed) % (uint64_t)limit);
}

static bool takes_no_row(const struct node *node)
{
    bool all = node->kind != SYMBOL, one = false;
    for (int i = 0; i < node->part_count; i++) {
        all = all && takes_no_row(node->parts[i]);
        one = one || takes_no_row(node->parts[i]);
    }
    return node->min == 0 || (node->kind == ONE ? one : all);
}

/* Loops over what may take no row have preferences of their own, which the table of test_pattern.c holds. */
static void random_quantifier(struct node *node, uint64_t *seed)
{
    bool is_empty = takes_no_row(node);
    switch (below(seed, 8)) {
    case 0:
        node->min = 0;
        break;
    case 1:
        node->max = is_empty ? 1 : 0;
        break;
    case 2:
        node->min = 0;
        node->max = is_empty ? 1 : 0;
        break;
    case 3:
        node->min = is_empty ? 1 : 2;
        node->max = is_empty ? 1 : 2 + below(seed, 2);
        break;
    default:
        return;
    }
    node->is_reluctant = below(seed, 3) == 0;
}

static const struct node *random_node(uint64_t *seed, int depth)
{
    struct node *node = &nodes[node_count++];
    ck_assert_int_le(node_count, NODES_MAX);
    *node = (struct node){.min = 1, .max = 1, .symbol = below(seed, SYMBOLS)};
    int kind = depth == 0 ? SYMBOL : below(seed, 3);
    node->kind = kind == 0 ? SYMBOL : kind == 1 ? ALL : ONE;
    node->part_count = node->kind == SYMBOL ? 0 : 2 + below(seed, 2) - (node_count > NODES_MAX - 12);
    for (int i = 0; i < node->part_count; i++) {
        node->parts[i] = random_node(seed, depth - 1);
    }
    random_quantifier(node, seed);
    return node;
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

static void put_pattern(const struct node *node)
{
    if (node->kind == SYMBOL) {
        put("%c", 'a' + node->symbol);
    } else {
        put("(");
        for (int i = 0; i < node->part_count; i++) {
            put("%s", i == 0 ? "" : node->kind == ONE ? " | " : " ");
            put_pattern(node->parts[i]);
        }
        put(")");
    }
    if (node->max == 0) {
        put("{%d,}", node->min);
    } else if (node->min != 1 || node->max != 1) {
        put("{%d,%d}", node->min, node->max);
    }
    put("%s", node->is_reluctant ? "?" : "");
}

static void random_case(uint64_t *seed)
{
    node_count = 0;
    pattern = random_node(seed, 2);
    within = 2 + below(seed, 8);
    is_next = below(seed, 2) == 0;
    is_longest = below(seed, 3) == 0;
    text[0] = '\0';
    put("create source events (ms timestamp unit ms not null, k string, v int64, watermark for ms as ms - interval 3 "
        "second)\n"
        "from fake () dead letter into dead;\ncreate sink dead to fake (address = 'dead');\n"
        "create sink out to fake (address = 'out');\nfrom events |> match_recognize (partition by k order by ms\n"
        "measures count(*) as n, count(a) as a, count(b) as b, sum(c.v) as c, first(v) as f, string_agg(cast(v as "
        "string)) as all_v\n"
        "%s pattern (",
        is_next ? "after match skip to next row" : "");
    put_pattern(pattern);
    put(" a{0,0} b{0,0} c{0,0}"); /* each symbol must stand in the pattern, and the measures name all of them */
    put(") within interval %d second\ndefine a as v < 4, b as mod(v, 2) = 0, c as v > 2 options (use_longest_match = "
        "%s))\n"
        "|> insert into out;\n",
        within, is_longest ? "true" : "false");
}

static void random_events(uint64_t *seed, bool has_late)
{
    int64_t now = 0, watermark = INT64_MIN;
    event_count = 15 + (uint32_t)below(seed, ROWS_MAX - 15);
    for (uint32_t i = 0; i < event_count; i++) {
        now += below(seed, 3) == 0 ? below(seed, 5) : below(seed, 2);
        int64_t back = has_late && below(seed, 10) == 0 ? below(seed, 12) : below(seed, 3);
        events[i] = (struct event){now - back, below(seed, KEYS) - 1, below(seed, 7), i, false};
        events[i].is_late = watermark != INT64_MIN && events[i].s < watermark;
        watermark = events[i].s - 3 > watermark ? events[i].s - 3 : watermark;
    }
}

/* --- the search -------------------------------------------------------------------------------------------------------------------- */

/* What comes behind: more rounds of a node, or the parts behind one. */
struct rest {
    const struct node *node; /* NULL: nothing, it is a match */
    bool is_rounds;
    int number, begin; /* rounds done, where the last one began; or the next part */
    const struct rest *behind;
};

static int limit, found_end; /* rows before `limit` may be taken */
static int symbols[ROWS_MAX], found_symbols[ROWS_MAX];

static bool rounds(const struct node *node, int done, int at, const struct rest *rest);

static bool parts(const struct node *node, int part, int at, const struct rest *rest);

static bool go_on(const struct rest *rest, int at)
{
    if (rest->node == NULL) {
        if (at > found_end) {
            found_end = at;
            memcpy(found_symbols, symbols, sizeof symbols);
        }
        return !is_longest; /* else every way is looked at */
    }
    if (!rest->is_rounds) {
        return parts(rest->node, rest->number, at, rest->behind);
    }
    return rounds(rest->node, rest->number, at, rest->behind);
}

static bool parts(const struct node *node, int part, int at, const struct rest *rest)
{
    if (part == node->part_count) {
        return go_on(rest, at);
    }
    struct rest behind = {node, false, part + 1, at, rest};
    return rounds(node->parts[part], 0, at, &behind);
}

static bool is_symbol(int row, int symbol)
{
    int value = sorted[row].value;
    return symbol == 0 ? value < 4 : symbol == 1 ? value % 2 == 0 : value > 2;
}

static bool once(const struct node *node, int at, const struct rest *rest)
{
    if (node->kind == SYMBOL) {
        if (at >= limit || !is_symbol(at, node->symbol)) {
            return false;
        }
        symbols[at] = node->symbol;
        return go_on(rest, at + 1);
    }
    if (node->kind == ALL) {
        return parts(node, 0, at, rest);
    }
    for (int i = 0; i < node->part_count; i++) {
        if (rounds(node->parts[i], 0, at, rest)) {
            return true;
        }
    }
    return false;
}

static bool rounds(const struct node *node, int done, int at, const struct rest *rest)
{
    struct rest again = {node, true, done + 1, at, rest};
    bool may_go_on = node->max == 0 || done < node->max, may_stop = done >= node->min;
    if (node->is_reluctant && may_stop && go_on(rest, at)) {
        return true;
    }
    if (may_go_on && once(node, at, &again)) {
        return true;
    }
    return !node->is_reluctant && may_stop && go_on(rest, at);
}

static void expect(int begin, int end)
{
    char line[1024], key[16] = "null", all[256] = "", sum[16] = "null", first[16] = "null";
    int counts[SYMBOLS] = {0}, c = 0;
    for (int i = begin; i < end; i++) {
        counts[found_symbols[i]]++;
        c += found_symbols[i] == 2 ? sorted[i].value : 0;
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%d", i > begin ? "," : "", sorted[i].value);
    }
    if (sorted[begin].key >= 0) {
        snprintf(key, sizeof key, "\"%d\"", sorted[begin].key);
    }
    if (counts[2] > 0) {
        snprintf(sum, sizeof sum, "%d", c);
    }
    if (end > begin) {
        snprintf(first, sizeof first, "%d", sorted[begin].value);
    }
    snprintf(line, sizeof line, "out {\"k\":%s,\"n\":%d,\"a\":%d,\"b\":%d,\"c\":%s,\"f\":%s,\"all_v\":%s%s%s}", key,
             end - begin, counts[0], counts[1], sum, first, end > begin ? "\"" : "", end > begin ? all : "null",
             end > begin ? "\"" : "");
    ck_assert_uint_lt(expected_count, EVS_COUNT(expected));
    expected[expected_count++] = strdup(line);
}

static int by_order(const void *a, const void *b)
{
    const struct event *left = a, *right = b;
    if (left->s != right->s) {
        return left->s < right->s ? -1 : 1;
    }
    return left->position < right->position ? -1 : 1;
}

static void search_key(int key)
{
    const struct rest nothing = {0};
    sorted_count = 0;
    for (uint32_t i = 0; i < event_count; i++) {
        if (events[i].key == key && !events[i].is_late) {
            sorted[sorted_count++] = events[i];
        }
    }
    qsort(sorted, (size_t)sorted_count, sizeof sorted[0], by_order);
    for (int begin = 0; begin < sorted_count;) {
        limit = begin;
        while (limit < sorted_count && sorted[limit].s <= sorted[begin].s + within) {
            limit++;
        }
        found_end = -1;
        rounds(pattern, 0, begin, &nothing);
        if (found_end >= begin) {
            expect(begin, found_end);
        }
        begin = found_end > begin && !is_next ? found_end : begin + 1;
    }
}

/* --- comparing --------------------------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void compare(const char *how)
{
    static char *got[1000];
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake_world->row_count && count < EVS_COUNT(got); i++) {
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
            fprintf(stderr, "%2u %3lld s key %d %d%s\n", i, (long long)events[i].s, events[i].key, events[i].value,
                    events[i].is_late ? " late" : "");
        }
        for (uint32_t i = 0; i < count || i < expected_count; i++) {
            fprintf(stderr, "got %s\n    expected %s\n", i < count ? got[i] : "-",
                    i < expected_count ? expected[i] : "-");
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        free(got[i]);
    }
    UNIT_CHECK(is_same, "%s: other matches", how);
    UNIT_CHECK(fake_world->mismatches == 0, "%s: one id, two results", how);
}

static void run_case(const char *how_text, struct fake_how how, bool dies)
{
    struct evs_run_summary summary;
    fake_world_new(1);
    for (uint32_t i = 0; i < event_count; i++) {
        char line[160], key[16] = "null";
        if (events[i].key >= 0) {
            snprintf(key, sizeof key, "\"%d\"", events[i].key);
        }
        snprintf(line, sizeof line, "{\"ms\":%lld,\"k\":%s,\"v\":%d}\n", (long long)(START_MS + events[i].s * 1000),
                 key, events[i].value);
        fake_publish(fake_world, 0, line);
    }
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

#define CASES unit_cases(120)

START_TEST(test_against_backtracking)
{
    uint64_t seed = (uint64_t)_i * 7919 + 3, results = 0;
    for (uint32_t i = 0; i < CASES; i++) {
        random_case(&seed);
        random_events(&seed, i % 3 == 0);
        expected_count = 0;
        for (int key = -1; key < KEYS - 1; key++) {
            search_key(key);
        }
        qsort(expected, expected_count, sizeof expected[0], by_text);
        results += expected_count;
        run_case("in batches of 1", (struct fake_how)FAKE_HOW(1, 1, 1000), false);
        run_case("in batches of 7, 2 workers", (struct fake_how)FAKE_HOW(2, 7, 1000), false);
        if (i % 4 == 0) {
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
    Suite *suite = suite_create("match");
    TCase *tests = tcase_create("match");
    tcase_add_loop_test(tests, test_against_backtracking, 0, 5);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
