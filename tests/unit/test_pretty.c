/* The formatter: what it makes of texts, and for many texts that nothing is lost and that a second time changes nothing. */
#include "pretty.h"

#include <ftw.h>
#include <string.h>

#include "grammar_text.h"
#include "unit.h"

/* --- formatting ------------------------------------------------------------------------------------------------------- */

static bool format(struct evs_slice text, struct evs_buffer *out, char *message, size_t bytes)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    bool is_right = evs_pretty(evs_sources_add(sources, "text", text), diagnostics, out);
    message[0] = '\0';
    if (evs_diagnostics_count(diagnostics) > 0) {
        snprintf(message, bytes, "%s", evs_diagnostics_at(diagnostics, 0).message);
    }
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
    return is_right;
}

static void check_format(const char *text, const char *wanted)
{
    struct evs_buffer out = {0};
    char message[512];
    ck_assert_msg(format(evs_slice_of(text), &out, message, sizeof message), "`%s`: %s", text, message);
    evs_buffer_put(&out, "", 1);
    ck_assert_msg(strcmp(out.data, wanted) == 0, "`%s`\nbecomes\n%s\nand not\n%s", text, out.data, wanted);
    evs_buffer_fini(&out);
}

/* --- what is kept ------------------------------------------------------------------------------------------------------- */

/* Comments and tokens of a text, one a line, in the formatter's own reading and case; what it may change is left out. */
struct inventory {
    struct evs_buffer tokens, comments;
};

static void take_comments(struct inventory *inventory, const char *begin, const char *end)
{
    for (const char *at = begin; at < end;) {
        bool is_block = at + 1 < end && at[0] == '/' && at[1] == '*';
        bool is_line = *at == '#' || (at + 1 < end && at[0] == '-' && at[1] == '-');
        if (!is_block && !is_line) {
            at++;
            continue;
        }
        const char *stop = at;
        while (stop < end && !(is_block ? stop > at + 3 && stop[-2] == '*' && stop[-1] == '/' : *stop == '\n')) {
            stop++;
        }
        const char *last = stop;
        while (last > at && strchr(" \t\r", last[-1]) != NULL) {
            last--;
        }
        evs_buffer_put(&inventory->comments, at, (size_t)(last - at));
        evs_buffer_puts(&inventory->comments, "\n");
        at = stop;
    }
}

static bool is_settled(const struct evs_token *token)
{
    return token->kind == EVS_TOKEN_SEMICOLON || token->kind == EVS_TOKEN_LEFT_PAREN ||
           token->kind == EVS_TOKEN_RIGHT_PAREN || token->word == EVS_WORD_FILTER;
}

/* Types may get their first name, != its first spelling; parentheses move with `filter`. */
static void take_token(struct inventory *inventory, const struct evs_token *token, struct evs_slice raw)
{
    enum evs_kind kind = token->kind == EVS_TOKEN_WORD ? evs_kind_parse(raw) : EVS_NULL_KIND;
    if (is_settled(token)) {
        return;
    }
    if (token->kind == EVS_TOKEN_SHIFT_RIGHT) { /* of nested types it may be > > */
        evs_buffer_puts(&inventory->tokens, ">\n>\n");
        return;
    }
    if (token->kind == EVS_TOKEN_NOT_EQUAL) {
        raw = EVS_SLICE("!=");
    } else if (kind != EVS_NULL_KIND) {
        raw = evs_slice_of(evs_kind_name(kind));
    }
    for (size_t i = 0; i < raw.count; i++) {
        bool is_upper = token->kind == EVS_TOKEN_WORD && raw.data[i] >= 'A' && raw.data[i] <= 'Z';
        char byte = is_upper ? (char)(raw.data[i] + 32) : raw.data[i];
        evs_buffer_put(&inventory->tokens, &byte, 1);
    }
    evs_buffer_puts(&inventory->tokens, "\n");
}

static void take_inventory(struct evs_slice text, struct inventory *inventory)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *silent = evs_diagnostics_new(NULL);
    struct evs_arena arena = {0};
    struct evs_lexer lexer;
    const struct evs_source_text *source = evs_sources_add(sources, "text", text);
    evs_lexer_init(&lexer, source, &arena, silent);
    uint32_t end = lexer.offset;
    for (;;) {
        struct evs_token token = evs_lexer_next(&lexer);
        bool is_end = token.kind == EVS_TOKEN_END;
        uint32_t begin = is_end ? (uint32_t)source->text.count : token.offset;
        take_comments(inventory, source->text.data + end, source->text.data + begin);
        if (is_end) {
            break;
        }
        take_token(inventory, &token, (struct evs_slice){source->text.data + begin, token.count});
        end = begin + token.count;
    }
    evs_arena_fini(&arena);
    evs_diagnostics_free(silent);
    evs_sources_free(sources);
}

/* Tells where they part. */
static void check_equal(struct evs_buffer *found, struct evs_buffer *wanted, const char *what, const char *text)
{
    evs_buffer_put(found, "", 1);
    evs_buffer_put(wanted, "", 1);
    size_t at = 0;
    while (found->data[at] == wanted->data[at] && found->data[at] != '\0') {
        at++;
    }
    size_t from = at > 80 ? at - 80 : 0;
    ck_assert_msg(found->data[at] == wanted->data[at], "%s: `%.160s` and not `%.160s` in\n%.2000s", what,
                  found->data + from, wanted->data + from, text);
}

/* In the text, once and twice formatted: the same tokens and comments, and twice is as once. */
static void check_kept(const char *text)
{
    struct evs_buffer once = {0}, twice = {0};
    char message[512];
    ck_assert_msg(format(evs_slice_of(text), &once, message, sizeof message), "`%s`: %s", text, message);
    bool is_right = format((struct evs_slice){once.data, once.count}, &twice, message, sizeof message);
    ck_assert_msg(is_right, "%s in `%.*s`\nmade of `%.1500s`", message, once.count > 1500 ? 1500 : (int)once.count,
                  once.data, text);
    struct inventory before = {0}, after = {0};
    take_inventory(evs_slice_of(text), &before);
    take_inventory((struct evs_slice){once.data, once.count}, &after);
    check_equal(&after.tokens, &before.tokens, "tokens", text);
    check_equal(&after.comments, &before.comments, "comments", text);
    check_equal(&twice, &once, "twice formatted: texts", text);
    evs_buffer_fini(&before.tokens), evs_buffer_fini(&before.comments);
    evs_buffer_fini(&after.tokens), evs_buffer_fini(&after.comments);
    evs_buffer_fini(&once), evs_buffer_fini(&twice);
}

/* --- texts and what becomes of them ---------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *wanted;
} cases[] = {
    {"", ""},
    {"-- only a comment", "-- only a comment\n"},
    {"\n\n\n-- a\n\n\n\n-- b\n\n", "-- a\n\n-- b\n"},
    {"FROM a |> WHERE x = 1", "from a |> where x = 1;\n"},
    {"from a|>where x<>1|>insert into B;", "from a |> where x != 1 |> insert into B;\n"},
    {"; from a;;\n;", "from a;\n"}, /* an empty statement is none */
    {"from a; ; -- why\n", "from a;\n;  -- why\n"},
    {";", ""},
    {"from a |> where 1 . x = - -y", "from a |> where 1 .x = - -y;\n"}, /* 1.x and -- are other tokens */
    {"set  parallelism=4 ;", "set parallelism = 4;\n"},
    {"PARAM Day BIGINT DEFAULT -1;", "param Day int64 default -1;\n"},
    {"import 'a.evs';import 'b.evs';", "import 'a.evs';\nimport 'b.evs';\n"},
    {"import 'a.evs';\n\n\n\nimport 'b.evs';", "import 'a.evs';\n\nimport 'b.evs';\n"},
    {"from a |> where not - x + - 1 < ~ 2", "from a |> where not -x + -1 < ~2;\n"},
    {"from a |> select UPPER ( name ) as N , `Odd Name`", "from a |> select upper(name) as N, `Odd Name`;\n"},
    {"from a |> select a . b [ 0 ] , @p , t . *", "from a |> select a.b[0], @p, t.*;\n"},
    {"from a |> select CAST ( x AS VARCHAR ) , INTERVAL 5 MINUTE",
     "from a |> select cast(x as string), interval 5 minute;\n"},
    {"from a |> aggregate sum(x) filter (where x>0) as s group by u, tumble(interval 1 minute)",
     "from a |> aggregate sum(x where x > 0) as s group by u, tumble(interval 1 minute);\n"},
    {"from a |> where x in (1,2) and y not in(3)", "from a |> where x in (1, 2) and y not in (3);\n"},
    {"from a |> select array < int64 > [ 1 , 2 ]", "from a |> select array<int64>[1, 2];\n"},
    {"from a |> aggregate sum(x) filter -- big\n(where x > 0) as s",
     "from a\n|> aggregate sum(x) filter  -- big\n     (\n    where x > 0\n) as s;\n"},
    {"from a |> aggregate count() filter (where x > 0)", "from a |> aggregate count() filter (where x > 0);\n"},
    {"from a |> aggregate\ncount(*) as n group by u", "from a |> aggregate count(*) as n group by u;\n"},
    {"from a |> aggregate count(*) as n\ngroup by u", "from a\n|> aggregate count(*) as n\n   group by u;\n"},
    {"from a |> aggregate\ncount(*) as n, sum(x) as s group by u",
     "from a\n|> aggregate\n     count(*) as n,\n     sum(x) as s\n   group by u;\n"},
    {"from a |> deduplicate\nby\nx within interval 1 hour", "from a |> deduplicate by x within interval 1 hour;\n"},
    {"from a -- the clicks\n|> where x = 1", "from a  -- the clicks\n|> where x = 1;\n"},
    {"from a |> where x = 1 -- why\n;", "from a |> where x = 1;  -- why\n"},
    {"from a |> where /* in */ x = 1", "from a\n|> where  /* in */\n     x = 1;\n"},
    {"from a\n-- above\n|> where x = 1", "from a\n-- above\n|> where x = 1;\n"},
    {"create source s (a int64, bcd string not null) from file (path='x')",
     "create source s (a int64, bcd string not null) from file (path = 'x');\n"},
    {"create source s (\na int64, bcd string not null, watermark for t as t) from file (path='x') dead letter into d",
     "create source s (\n    a   int64,\n    bcd string not null,\n    watermark for t as t\n) from file (path = 'x') "
     "dead letter into d;\n"},
    {"create source some_clicks (a int64, bcd string not null) from nats (stream='CLICKS', subject = 'clicks.>') dead "
     "letter into broken",
     "create source some_clicks (a int64, bcd string not null)\n    from nats (stream = 'CLICKS', subject = "
     "'clicks.>')\n"
     "    dead letter into broken;\n"},
    {"test 'x'{given s {\"a\" : 1}{\"a\":2} advance to '2026-01-05T10:00:00Z' expect o nothing};",
     "test 'x' {\n    given s\n        {\"a\" : 1}\n        {\"a\":2}\n    advance to '2026-01-05T10:00:00Z'\n    "
     "expect o "
     "nothing\n};\n"},
    {"test 'x' {given s {\"a\":1} -- one\n-- two\n expect o in order {\"a\":1}}",
     "test 'x' {\n    given s\n        {\"a\":1}  -- one\n    -- two\n    expect o in order\n        {\"a\":1}\n};\n"},
    {"from a\n|> sequence by u\n  cart+ as type='c' then no buy as type='b' within interval 30 minute\n  select u",
     "from a\n|> sequence by u\n     cart+ as type = 'c'\n     then no buy as type = 'b' within interval 30 minute\n   "
     "select u;\n"},
    {"from a\r\n|> where x = 1\r\n|> insert into b;\r\n", "from a\n|> where x = 1\n|> insert into b;\n"},
    {"\xEF\xBB\xBF"
     "from a;",
     "from a;\n"},
};

START_TEST(texts)
{
    for (uint32_t i = 0; i < EVS_COUNT(cases); i++) {
        check_format(cases[i].text, cases[i].wanted);
        check_format(cases[i].wanted, cases[i].wanted);
    }
}
END_TEST

START_TEST(a_text_that_does_not_parse_gives_nothing)
{
    static const char *const wrong[] = {"from",
                                        "from a |>",
                                        "select 1 2",
                                        "create source",
                                        "from a where 'x",
                                        "/* open",
                                        "test 'x' { given",
                                        "from a |> where x = {1}"};
    for (uint32_t i = 0; i < EVS_COUNT(wrong); i++) {
        struct evs_buffer out = {0};
        char message[512];
        ck_assert_msg(!format(evs_slice_of(wrong[i]), &out, message, sizeof message), "`%s` was formatted", wrong[i]);
        ck_assert_uint_eq(out.count, 0);
        ck_assert_str_ne(message, "");
    }
}
END_TEST

START_TEST(lines_are_broken_where_they_are_too_long)
{
    char name[60], text[1024];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "from a |> select f(%s, %s) as x, %s as y |> where %s = 1 and %s = 2", name, name, name,
             name, name);
    struct evs_buffer out = {0};
    char message[512];
    ck_assert(format(evs_slice_of(text), &out, message, sizeof message));
    const char *at = out.data, *end = out.data + out.count;
    for (const char *stop; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        ck_assert_msg(stop - at <= EVS_PRETTY_COLUMNS, "%ld columns: %.*s", (long)(stop - at), (int)(stop - at), at);
    }
    evs_buffer_fini(&out);
    check_kept(text);
}
END_TEST

/* --- many texts ------------------------------------------------------------------------------------------------------------- */

static uint32_t visited;

static int visit(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    const char *suffix = strrchr(path, '.');
    (void)status, (void)place;
    if (kind != FTW_F || suffix == NULL || strcmp(suffix, ".evs") != 0) {
        return 0;
    }
    struct evs_sources *sources = evs_sources_new();
    const struct evs_source_text *text = NULL;
    struct evs_error error;
    ck_assert_msg(evs_sources_load(sources, path, &text, &error) == EVS_OK, "%s", error.text);
    struct evs_buffer out = {0};
    char message[512];
    if (memchr(text->text.data, '\0', text->text.count) == NULL &&
        format(text->text, &out, message, sizeof message)) { /* goldens of mistakes do not parse */
        check_kept(text->text.data);
        visited++;
    }
    evs_buffer_fini(&out);
    evs_sources_free(sources);
    return 0;
}

START_TEST(files_of_the_project)
{
    static const char *const folders[] = {"pipelines", "tests", "demo", "bench"};
    visited = 0;
    for (uint32_t i = 0; i < EVS_COUNT(folders); i++) {
        ck_assert_int_eq(nftw(folders[i], visit, 8, FTW_PHYS), 0);
    }
    ck_assert_uint_gt(visited, 100);
}
END_TEST

static bool parses(const char *text)
{
    struct evs_buffer out = {0};
    char message[512];
    bool is_right = format(evs_slice_of(text), &out, message, sizeof message);
    evs_buffer_fini(&out);
    return is_right;
}

/* Sentences that break a rule beyond the grammar (a unit that is none there, a value) are not formatted. */
static void check_sentences(const char *rule, uint32_t count, uint32_t room)
{
    uint32_t formatted = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct evs_buffer sentence = {0};
        grammar_sentence(rule, i, room, &sentence);
        if (parses(sentence.data)) {
            check_kept(sentence.data);
            formatted++;
        }
        evs_buffer_fini(&sentence);
    }
    ck_assert_uint_gt(formatted, count / 3);
}

START_TEST(generated_statements)
{
    check_sentences("statement", unit_cases(1500), 28);
}
END_TEST

START_TEST(generated_queries)
{
    check_sentences("from_query", unit_cases(1500), 30);
}
END_TEST

START_TEST(generated_files)
{
    check_sentences("file", 60, 40);
}
END_TEST

/* --- comments at every place ------------------------------------------------------------------------------------------------ */

/* The sentence with a comment, or a line end, between some of its tokens. */
static void strew(struct evs_slice sentence, uint64_t seed, struct evs_buffer *out)
{
    static const char *const fillers[] = {
        " ", " ", " ", "\n", "\n\n\n", " -- c\n", "\n# h\n", " /* b */ ", "\n\n-- own\n\n", "\r\n"};
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *silent = evs_diagnostics_new(NULL);
    struct evs_arena arena = {0};
    struct evs_lexer lexer;
    const struct evs_source_text *source = evs_sources_add(sources, "text", sentence);
    evs_lexer_init(&lexer, source, &arena, silent);
    for (struct evs_token token = evs_lexer_next(&lexer); token.kind != EVS_TOKEN_END; token = evs_lexer_next(&lexer)) {
        evs_buffer_puts(out, fillers[unit_random(&seed) % EVS_COUNT(fillers)]);
        evs_buffer_put(out, source->text.data + token.offset, token.count);
    }
    evs_buffer_puts(out, fillers[unit_random(&seed) % EVS_COUNT(fillers)]);
    evs_buffer_put(out, "", 1);
    evs_arena_fini(&arena);
    evs_diagnostics_free(silent);
    evs_sources_free(sources);
}

START_TEST(comments_survive_everywhere)
{
    uint32_t formatted = 0;
    for (uint32_t i = 0; i < unit_cases(1500); i++) {
        struct evs_buffer sentence = {0}, strewn = {0};
        grammar_sentence(i % 2 == 0 ? "statement" : "from_query", i, 24, &sentence);
        strew(evs_slice_of(sentence.data), i, &strewn);
        if (parses(strewn.data)) {
            check_kept(strewn.data);
            formatted++;
        }
        evs_buffer_fini(&sentence);
        evs_buffer_fini(&strewn);
    }
    ck_assert_uint_gt(formatted, unit_cases(500));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pretty");
    TCase *tests = tcase_create("pretty");
    tcase_add_test(tests, texts);
    tcase_add_test(tests, a_text_that_does_not_parse_gives_nothing);
    tcase_add_test(tests, lines_are_broken_where_they_are_too_long);
    tcase_add_test(tests, files_of_the_project);
    suite_add_tcase(suite, tests);
    TCase *generated = tcase_create("generated");
    tcase_add_checked_fixture(generated, grammar_read, grammar_free);
    tcase_add_test(generated, generated_statements);
    tcase_add_test(generated, generated_queries);
    tcase_add_test(generated, generated_files);
    tcase_add_test(generated, comments_survive_everywhere);
    suite_add_tcase(suite, generated);
    return unit_run(suite);
}
