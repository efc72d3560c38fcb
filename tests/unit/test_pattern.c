/* The matcher of match_recognize: against a table of situations (pattern_cases.txt), and against a plain backtracking search that knows all rows.
 * Both with the state rebuilt from the rows between any two of them, as a restore does. */
#include "match_pattern.h"
#include "parse_case.h"
#include "pattern_match.h"
#include "unit.h"

#define ROWS_MAX 64
#define MATCHES_MAX 256

struct match {
    uint32_t known; /* rows that had come; ROWS_MAX + 1: at the end */
    uint32_t begin, count;
    uint8_t symbols[ROWS_MAX];
};
struct matches {
    struct match items[MATCHES_MAX];
    uint32_t count;
};
struct mode {
    bool is_next, is_longest;
};

static struct evs_arena arena;
static char case_text[1024];

/* The pattern in the language's own syntax. NULL: the parser refuses it. */
static const struct evs_pattern *pattern_of(const char *text)
{
    parse_case_again();
    char *query =
        evs_arena_printf(&arena, "from s |> match_recognize (order by t pattern (%s) define a as true);", text);
    parse_case_text(evs_slice_of(query));
    if (evs_diagnostics_count(parse_case.diagnostics) > 0) {
        return NULL;
    }
    const struct evs_ast_pipe *pipe = &parse_case.script.statements[0]->query->pipeline.pipes[0];
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    struct evs_ast_item definitions[EVS_COUNT(names)] = {0};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        definitions[i].alias.text = evs_slice_of(names[i]);
    }
    const struct evs_ident *unknown;
    return evs_match_pattern(&arena, pipe->match_recognize->pattern, definitions, EVS_COUNT(names), &unknown);
}

/* --- our matcher over rows ----------------------------------------------------------------------------------------------------------- */

struct run {
    struct evs_pattern_program program;
    struct evs_match_scratch *scratch;
    struct evs_row_pool pool;
    struct evs_matching matching;
    struct mode mode;
    uint32_t begin; /* of row 0 of the matching */
    struct matches *found;
};

static void run_begin(struct run *run, const struct evs_pattern *pattern, struct mode mode, struct matches *found)
{
    *run = (struct run){.mode = mode, .found = found};
    ck_assert(evs_pattern_compile(&arena, pattern, mode.is_longest, &run->program));
    run->scratch = evs_match_scratch_new(&run->program);
    run->matching.is_first = true;
    found->count = 0;
}

static void run_end(struct run *run)
{
    evs_match_free(&run->matching, run->scratch, &run->pool);
    UNIT_CHECK(run->pool.block_count == 0, "%s: a block is lost", case_text);
    evs_match_scratch_free(run->scratch);
    evs_row_pool_fini(&run->pool);
}

static uint32_t keep_match(struct run *run, uint32_t known, uint32_t count)
{
    UNIT_CHECK(run->found->count < MATCHES_MAX && count <= ROWS_MAX, "%s: too many matches", case_text);
    struct match *match = &run->found->items[run->found->count++];
    *match = (struct match){.known = known, .begin = run->begin, .count = count};
    memcpy(match->symbols, evs_match_symbols(&run->matching, run->scratch), count);
    return run->mode.is_next || count == 0 ? 1 : count;
}

static void run_look(struct run *run, uint32_t known, bool is_end)
{
    while (run->matching.count > 0) {
        uint32_t count, rows = 1;
        enum evs_match_outcome outcome =
            evs_match_look(&run->matching, run->scratch, &run->pool, run->matching.count, false, is_end, &count);
        if (outcome == EVS_MATCH_OPEN) {
            return;
        }
        if (outcome == EVS_MATCH_FOUND) {
            rows = keep_match(run, known, count);
        }
        run->begin += rows;
        evs_match_skip(&run->matching, run->scratch, &run->pool, rows);
    }
}

/* As a restore does: nothing but the masks comes back. */
static void run_restore(struct run *run)
{
    uint64_t masks[ROWS_MAX];
    uint32_t count = run->matching.count;
    bool is_first = run->matching.is_first;
    memcpy(masks, run->matching.masks + run->matching.first, count * sizeof masks[0]);
    evs_match_free(&run->matching, run->scratch, &run->pool);
    run->matching.is_first = is_first;
    for (uint32_t i = 0; i < count; i++) {
        evs_match_add(&run->matching, run->scratch, &run->pool, masks[i]);
    }
}

static void run_rows(const struct evs_pattern *pattern, struct mode mode, const uint64_t *masks, uint32_t count,
                     bool restores, struct matches *found)
{
    struct run run;
    run_begin(&run, pattern, mode, found);
    for (uint32_t i = 0; i < count; i++) {
        evs_match_add(&run.matching, run.scratch, &run.pool, masks[i]);
        run_look(&run, i + 1, false);
        if (restores && run.matching.count > 0) {
            run_restore(&run);
        }
    }
    run_look(&run, ROWS_MAX + 1, true);
    run_end(&run);
}

static void compare(const struct matches *found, const struct matches *expected, bool compares_when)
{
    UNIT_CHECK(found->count == expected->count, "%s: %u matches, expected %u", case_text, found->count,
               expected->count);
    for (uint32_t i = 0; i < found->count; i++) {
        const struct match *a = &found->items[i], *b = &expected->items[i];
        UNIT_CHECK(a->begin == b->begin && a->count == b->count, "%s: match %u is %u+%u, expected %u+%u", case_text, i,
                   a->begin, a->count, b->begin, b->count);
        UNIT_CHECK(memcmp(a->symbols, b->symbols, a->count) == 0, "%s: match %u: other symbols", case_text, i);
        UNIT_CHECK(!compares_when || a->known <= b->known, "%s: match %u is known after %u rows, expected %u",
                   case_text, i, a->known, b->known);
    }
}

/* --- the table -------------------------------------------------------------------------------------------------------------------------- */

static uint64_t mask_of(const char *word)
{
    uint64_t mask = 0;
    for (; *word >= 'A' && *word <= 'F'; word++) {
        mask |= UINT64_C(1) << (*word - 'A');
    }
    return mask;
}

static uint32_t read_rows(char *line, uint64_t *masks)
{
    uint32_t count = 0;
    for (char *word = strtok(line, " \n"); word != NULL && strcmp(word, "none") != 0; word = strtok(NULL, " \n")) {
        ck_assert_uint_lt(count, ROWS_MAX);
        masks[count++] = mask_of(word);
    }
    return count;
}

static void read_matches(char *text, struct matches *expected)
{
    expected->count = 0;
    for (char *word = strtok(text, " \n"); word != NULL && strcmp(word, "none") != 0; word = strtok(NULL, " \n")) {
        struct match *match = &expected->items[expected->count++];
        char *equals = strchr(word, '=');
        ck_assert_ptr_nonnull(equals);
        *match = (struct match){.known = word[0] == '$' ? ROWS_MAX + 1 : (uint32_t)atoi(word)};
        match->begin = (uint32_t)atoi(strchr(word, ':') + 1);
        for (const char *at = equals + 1; *at >= 'A' && *at <= 'F'; at++) {
            match->symbols[match->count++] = (uint8_t)(*at - 'A');
        }
    }
}

static bool modes_include(const char *modes, struct mode mode)
{
    char name[32];
    snprintf(name, sizeof name, "%s%s", mode.is_next ? "next" : "past", mode.is_longest ? "-longest" : "");
    size_t count = strlen(name);
    for (const char *at = modes; at != NULL; at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        if (at[0] == '*' || (strncmp(at, name, count) == 0 && (at[count] == ',' || at[count] == '\0'))) {
            return true;
        }
    }
    return false;
}

static uint32_t check_line(const struct evs_pattern *pattern, const uint64_t *masks, uint32_t row_count, char *line)
{
    static struct matches found, expected;
    uint32_t cases = 0;
    char *arrow = strstr(line, " => ");
    ck_assert_ptr_nonnull(arrow);
    *arrow = '\0';
    bool is_error = strncmp(arrow + 4, "error", 5) == 0;
    UNIT_CHECK(is_error == (pattern == NULL), "%s: is it a pattern?", case_text);
    if (!is_error) {
        read_matches(arrow + 4, &expected);
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct mode mode = {i % 2 == 1, i / 2 == 1};
        if (!modes_include(line, mode)) {
            continue;
        }
        cases++;
        for (uint32_t restores = 0; !is_error && restores < 2; restores++) {
            run_rows(pattern, mode, masks, row_count, restores != 0, &found);
            compare(&found, &expected, true);
        }
    }
    return cases;
}

START_TEST(test_table)
{
    char path[1024], line[1024];
    snprintf(path, sizeof path, "%s/tests/unit/pattern_cases.txt",
             getenv("EVS_SOURCE_DIR") ? getenv("EVS_SOURCE_DIR") : ".");
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    const struct evs_pattern *pattern = NULL;
    uint64_t masks[ROWS_MAX];
    uint32_t row_count = 0, patterns = 0, cases = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "pattern ", 8) == 0) {
            snprintf(case_text, sizeof case_text, "%s", line + 8);
            pattern = pattern_of(line + 8);
            patterns++;
        } else if (strncmp(line, "rows ", 5) == 0) {
            row_count = read_rows(line + 5, masks);
        } else if (line[0] == ' ') {
            cases += check_line(pattern, masks, row_count, line + 2);
        }
    }
    fclose(file);
    ck_assert_uint_eq(patterns, 154);
    ck_assert_uint_eq(cases, 4 * 154);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pattern");
    TCase *tests = tcase_create("pattern");
    tcase_add_checked_fixture(tests, parse_case_begin, parse_case_end);
    tcase_add_test(tests, test_table);
    suite_add_tcase(suite, tests);
    return parse_case_run(suite);
}
