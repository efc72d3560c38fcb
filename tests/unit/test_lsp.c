/* Parts of the language server alone: frames, positions, the tables of words. The server as a whole: tests/lsp. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "ast.h"
#include "server.h"
#include "words.h"

/* --- frames ------------------------------------------------------------------------------------------------------------- */

static enum evs_lsp_frame_state parse(const char *text, struct evs_lsp_frame *frame)
{
    *frame = (struct evs_lsp_frame){0};
    return evs_lsp_frame_parse(evs_slice_of(text), frame);
}

START_TEST(frames_are_whole_or_parts)
{
    struct evs_buffer out = {0};
    struct evs_lsp_frame frame;
    evs_lsp_frame_put(&out, EVS_SLICE("{\"a\":1}"));
    evs_lsp_frame_put(&out, EVS_SLICE("{}"));
    for (size_t count = 0; count < out.count - 2; count++) { /* every cut of the first frame is a part of it */
        enum evs_lsp_frame_state state = evs_lsp_frame_parse((struct evs_slice){out.data, count}, &frame);
        bool is_whole = count >= strlen("Content-Length: 7\r\n\r\n") + 7;
        ck_assert_int_eq(state, is_whole ? EVS_LSP_FRAME_WHOLE : EVS_LSP_FRAME_PART);
    }
    ck_assert_int_eq(evs_lsp_frame_parse((struct evs_slice){out.data, out.count}, &frame), EVS_LSP_FRAME_WHOLE);
    ck_assert(evs_slice_equal(frame.body, EVS_SLICE("{\"a\":1}")));
    struct evs_slice rest = {out.data + frame.bytes, out.count - frame.bytes};
    ck_assert_int_eq(evs_lsp_frame_parse(rest, &frame), EVS_LSP_FRAME_WHOLE);
    ck_assert(evs_slice_equal(frame.body, EVS_SLICE("{}")));
    evs_buffer_fini(&out);
}
END_TEST

START_TEST(headers_in_any_order_and_case)
{
    struct evs_lsp_frame frame;
    ck_assert_int_eq(
        parse("Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length:2\r\n\r\n{}", &frame),
        EVS_LSP_FRAME_WHOLE);
    ck_assert_int_eq(frame.body.count, 2);
    ck_assert_int_eq(parse("Content-Length: 0\r\n\r\n", &frame), EVS_LSP_FRAME_WHOLE);
    ck_assert_int_eq(frame.body.count, 0);
}
END_TEST

START_TEST(a_broken_stream_is_brought_back_into_step)
{
    static const char *const broken[] = {
        "Content-Length: x\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 99999999999999999999\r\n\r\n",
        "Content-Type: x\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "Content-Length: 67108865\r\n\r\n",
        "\r\n\r\n",
    };
    for (size_t i = 0; i < EVS_COUNT(broken); i++) {
        char text[256];
        struct evs_lsp_frame frame;
        snprintf(text, sizeof text, "%sContent-Length: 2\r\n\r\n{}", broken[i]);
        const char *at = text;
        uint32_t dropped = 0;
        while (parse(at, &frame) == EVS_LSP_FRAME_BAD) {
            ck_assert_uint_gt(frame.bytes, 0);
            at += frame.bytes;
            ck_assert_uint_lt(++dropped, 10);
        }
        ck_assert_uint_gt(dropped, 0);
        ck_assert_int_eq(parse(at, &frame), EVS_LSP_FRAME_WHOLE);
        ck_assert_msg(evs_slice_equal(frame.body, EVS_SLICE("{}")), "%s", broken[i]);
    }
}
END_TEST

START_TEST(members_are_found_by_path)
{
    struct evs_slice value,
        text = EVS_SLICE("{ \"a\" : {\"b\":[1, {\"c\":2}], \"d\":\"\\u00e9\\\"\"}, \"n\": -2.5e1, \"big\": 1e300 }");
    struct evs_arena arena = {0};
    ck_assert(evs_lsp_get(text, "a.b", &value) && evs_slice_equal(value, EVS_SLICE("[1, {\"c\":2}]")));
    ck_assert(!evs_lsp_get(text, "a.c", &value) && !evs_lsp_get(text, "a.b.c", &value) &&
              !evs_lsp_get(text, "x", &value));
    ck_assert(evs_lsp_string(&arena, text, "a.d", &value) && evs_slice_equal(value, EVS_SLICE("é\"")));
    ck_assert(!evs_lsp_string(&arena, text, "n", &value));
    ck_assert_int_eq(evs_lsp_number(text, "n", 7), -25);
    ck_assert_int_eq(evs_lsp_number(text, "big", 7), INT64_MAX);
    ck_assert_int_eq(evs_lsp_number(text, "a", 7), 7);
    evs_arena_fini(&arena);
}
END_TEST

/* --- positions ----------------------------------------------------------------------------------------------------------- */

START_TEST(positions_count_units)
{
    struct evs_lsp_lines lines = {0};
    evs_lsp_lines_make(&lines, EVS_SLICE("a😀é\r\nb\rc\n"));
    ck_assert_uint_eq(lines.count, 4);
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, 0, 1), 1);
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, 0, 2), 1); /* inside the pair: before it */
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, 0, 3), 5);
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, 0, 4), 7);
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, 0, 99), 7); /* before the line's end */
    ck_assert_uint_eq(evs_lsp_offset(&lines, true, 0, 5), 5);
    ck_assert_uint_eq(evs_lsp_offset(&lines, true, 0, 7), 7);
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, 1, 0), 9);
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, 2, 1), 12);
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, 3, 0), 13);
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, 99, 0), 13);
    ck_assert_uint_eq(evs_lsp_offset(&lines, false, -1, 5), 0);
    struct evs_buffer out = {0};
    evs_lsp_put_range(&out, &lines, false, 5, 12);
    evs_buffer_put(&out, "", 1);
    ck_assert_str_eq(out.data, "{\"start\":{\"line\":0,\"character\":3},\"end\":{\"line\":2,\"character\":1}}");
    evs_buffer_fini(&out);
    evs_lsp_lines_fini(&lines);
}
END_TEST

/* --- the tables of words -------------------------------------------------------------------------------------------------- */

START_TEST(help_speaks_of_words_of_the_language)
{
    for (uint32_t i = 0; i < evs_lsp_word_count(); i++) {
        const struct evs_lsp_word *word = evs_lsp_word_at(i);
        for (const char *at = word->text; *at != '\0';) {
            size_t count = strcspn(at, " ");
            ck_assert_msg(evs_word_find((struct evs_slice){at, count}) != EVS_WORD_NONE, "`%s`", word->text);
            at += count + (at[count] == ' ');
        }
        ck_assert_msg(strlen(word->meaning) > 8 && word->meaning[strlen(word->meaning) - 1] == '.', "`%s`", word->text);
    }
}
END_TEST

static bool has_operator(const char *name)
{
    size_t count = strlen(name);
    for (uint32_t i = 0; i < evs_lsp_word_count(); i++) {
        const struct evs_lsp_word *word = evs_lsp_word_at(i);
        bool is_operator = word->kind == EVS_LSP_WORD_OPERATOR || strcmp(word->text, "set") == 0;
        if (is_operator && strncmp(word->text, name, count) == 0 &&
            (word->text[count] == '\0' || word->text[count] == ' ')) {
            return true;
        }
    }
    return false;
}

START_TEST(help_has_every_pipe_operator)
{
    for (int kind = EVS_PIPE_UNKNOWN + 1; kind < EVS_PIPE_KIND_COUNT; kind++) {
        const char *name = evs_pipe_kind_name((enum evs_pipe_kind)kind);
        char first[64];
        snprintf(first, sizeof first, "%.*s", (int)strcspn(name, " "), name);
        ck_assert_msg(has_operator(first), "`%s`", name);
    }
}
END_TEST

/* The anchors that a page's headings get: lower case, blanks as hyphens, signs left out. */
static struct evs_buffer read_anchors(void)
{
    struct evs_buffer anchors = {0};
    char line[4096];
    FILE *page = fopen("docs/language.md", "r");
    ck_assert_ptr_nonnull(page);
    while (fgets(line, sizeof line, page) != NULL) {
        const char *at = line + strspn(line, "#");
        if (at == line || *at != ' ') {
            continue;
        }
        evs_buffer_puts(&anchors, "\n");
        for (at++; *at != '\n' && *at != '\0'; at++) {
            char c = *at == ' ' ? '-' : (char)tolower((unsigned char)*at);
            if (isalnum((unsigned char)c) || c == '-' || c == '_') {
                evs_buffer_put(&anchors, &c, 1);
            }
        }
    }
    fclose(page);
    evs_buffer_puts(&anchors, "\n");
    evs_buffer_put(&anchors, "", 1);
    return anchors;
}

static void check_section(const struct evs_buffer *anchors, const char *section, const char *who)
{
    char line[128];
    snprintf(line, sizeof line, "\n%s\n", section);
    ck_assert_msg(strstr(anchors->data, line) != NULL, "`%s` links to #%s, which docs/language.md does not have", who,
                  section);
}

START_TEST(links_lead_to_sections_of_the_reference)
{
    struct evs_buffer anchors = read_anchors();
    static const char *const others[] = {"diagnostics", "options-of-connectors-and-formats", "table-of-settings",
                                         "types"};
    for (uint32_t i = 0; i < evs_lsp_word_count(); i++) {
        check_section(&anchors, evs_lsp_word_at(i)->section, evs_lsp_word_at(i)->text);
    }
    for (uint32_t i = 0; i < evs_lsp_callable_count(); i++) {
        check_section(&anchors, evs_lsp_callable_at(i).section, evs_lsp_callable_at(i).signature);
    }
    for (size_t i = 0; i < EVS_COUNT(others); i++) {
        check_section(&anchors, others[i], "the server");
    }
    evs_buffer_fini(&anchors);
}
END_TEST

/* --- places ---------------------------------------------------------------------------------------------------------------- */

START_TEST(tokens_are_found_at_their_edges)
{
    struct evs_lsp_syntax *syntax = evs_lsp_syntax_new(EVS_SLICE("from a |> where b=1 and c"));
    ck_assert_uint_eq(evs_lsp_token_at(syntax, 0), 0);
    ck_assert_uint_eq(evs_lsp_token_at(syntax, 4), 0);  /* the end of `from` */
    ck_assert_uint_eq(evs_lsp_token_at(syntax, 17), 4); /* between `b` and `=`: the word */
    ck_assert_uint_eq(evs_lsp_token_at(syntax, 8), 2);
    ck_assert_uint_eq(evs_lsp_token_at(syntax, 25), 8); /* the end of the text */
    ck_assert_uint_eq(evs_lsp_token_at(syntax, 9), syntax->token_count);
    evs_lsp_syntax_free(syntax);
}
END_TEST

START_TEST(places_are_known_from_tokens_alone)
{
    static const struct {
        const char *text;
        enum evs_lsp_place_kind kind;
    } cases[] = {
        {"", EVS_LSP_PLACE_STATEMENT},
        {"param x int64;\n", EVS_LSP_PLACE_STATEMENT},
        {"create ", EVS_LSP_PLACE_CREATE},
        {"from ", EVS_LSP_PLACE_ROWS},
        {"create source a (x int64) from ", EVS_LSP_PLACE_CONNECTOR},
        {"create stream a as from ", EVS_LSP_PLACE_ROWS},
        {"create stream a as ", EVS_LSP_PLACE_STATEMENT},
        {"create table t (a string, primary key (a)) as from ", EVS_LSP_PLACE_ROWS},
        {"from a |> union all (from ", EVS_LSP_PLACE_ROWS},
        {"from a |> join b on x = ", EVS_LSP_PLACE_EXPRESSION},
        {"from a |> tee (|> ", EVS_LSP_PLACE_OPERATOR},
        {"from a |> where b.", EVS_LSP_PLACE_MEMBER},
        {"from a |> where x > interval 5 ", EVS_LSP_PLACE_UNIT},
        {"from a |> where x > interval @n ", EVS_LSP_PLACE_UNIT},
        {"from a |> where cast(x as ", EVS_LSP_PLACE_TYPE},
        {"from a |> extend 1 as ", EVS_LSP_PLACE_NOWHERE},
        {"create source a (x int64 default ", EVS_LSP_PLACE_NOWHERE},
        {"create source a (x int64, watermark for x as ", EVS_LSP_PLACE_EXPRESSION},
        {"create sink a to file (path = 'x'", EVS_LSP_PLACE_NOWHERE},
        {"create sink a to file (path = 'x', ", EVS_LSP_PLACE_OPTION},
        {"create sink a to nats (a = 'b') format x (", EVS_LSP_PLACE_OPTION},
        {"set a", EVS_LSP_PLACE_SETTING},
        {"set a = ", EVS_LSP_PLACE_OPTION_VALUE},
        {"from a\ncreate source b (c ", EVS_LSP_PLACE_TYPE}, /* a forgotten semicolon */
        {"from a |> where x = 'unfinished", EVS_LSP_PLACE_NOWHERE},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        struct evs_lsp_syntax *syntax = evs_lsp_syntax_new(evs_slice_of(cases[i].text));
        struct evs_lsp_context context = evs_lsp_context_at(syntax, (uint32_t)strlen(cases[i].text));
        ck_assert_msg(context.kind == cases[i].kind, "`%s` is place %d", cases[i].text, (int)context.kind);
        evs_lsp_syntax_free(syntax);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lsp");
    TCase *tests = tcase_create("lsp");
    tcase_add_test(tests, frames_are_whole_or_parts);
    tcase_add_test(tests, headers_in_any_order_and_case);
    tcase_add_test(tests, a_broken_stream_is_brought_back_into_step);
    tcase_add_test(tests, members_are_found_by_path);
    tcase_add_test(tests, positions_count_units);
    tcase_add_test(tests, help_speaks_of_words_of_the_language);
    tcase_add_test(tests, help_has_every_pipe_operator);
    tcase_add_test(tests, links_lead_to_sections_of_the_reference);
    tcase_add_test(tests, tokens_are_found_at_their_edges);
    tcase_add_test(tests, places_are_known_from_tokens_alone);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
