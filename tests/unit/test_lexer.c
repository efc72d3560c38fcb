/* The lexer, by a table: a text and the tokens that it gives, written as `kind:text`. */
#include <check.h>
#include <stdlib.h>

#include "lexer.h"

/* A token as the tables below write it. */
static void show_token(struct evs_buffer *out, const struct evs_token *token)
{
    static const char *const names[] = {
        [EVS_TOKEN_WORD] = "word",   [EVS_TOKEN_QUOTED] = "name", [EVS_TOKEN_STRING] = "string",
        [EVS_TOKEN_BYTES] = "bytes", [EVS_TOKEN_JSON] = "json",   [EVS_TOKEN_ERROR] = "error"};
    if (token->kind == EVS_TOKEN_INT) {
        evs_buffer_printf(out, "int:%llu", (unsigned long long)token->magnitude);
    } else if (token->kind == EVS_TOKEN_FLOAT) {
        evs_buffer_printf(out, "float:%g", token->float64);
    } else if (token->kind == EVS_TOKEN_ERROR) {
        evs_buffer_puts(out, "error");
    } else if (evs_token_sign(token->kind) != NULL) {
        evs_buffer_puts(out, evs_token_sign(token->kind));
    } else {
        bool is_reserved = token->kind == EVS_TOKEN_WORD && evs_word_is_reserved(token->word);
        evs_buffer_printf(out, "%s:%.*s", is_reserved ? "reserved" : names[token->kind], (int)token->text.count,
                          token->text.data);
    }
}

/* The tokens of a text and the codes of what was reported, each with the text that it points at: "error / E0106 \q". */
static void show_all(struct evs_buffer *out, struct evs_slice text)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    struct evs_arena arena = {0};
    struct evs_lexer lexer;
    evs_lexer_init(&lexer, evs_sources_add(sources, "text", text), &arena, diagnostics);
    for (struct evs_token token; (token = evs_lexer_next(&lexer)).kind != EVS_TOKEN_END;) {
        evs_buffer_puts(out, out->count > 0 ? " " : "");
        show_token(out, &token);
    }
    for (uint32_t i = 0; i < evs_diagnostics_count(diagnostics); i++) {
        struct evs_diag_view view = evs_diagnostics_at(diagnostics, i);
        evs_buffer_printf(out, "%s/ %s %.*s", out->count > 0 ? " " : "", evs_code_info(view.code)->name,
                          (int)view.place.count, text.data + view.place.offset);
    }
    evs_buffer_put(out, "", 1);
    evs_arena_fini(&arena);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
}

struct row {
    const char *text, *tokens;
};

static void check_rows(const struct row *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct evs_buffer shown = {0};
        show_all(&shown, evs_slice_of(rows[i].text));
        ck_assert_msg(strcmp(shown.data, rows[i].tokens) == 0, "`%s` gives\n  %s\nnot\n  %s", rows[i].text, shown.data,
                      rows[i].tokens);
        evs_buffer_fini(&shown);
    }
}

START_TEST(blanks_and_comments)
{
    static const struct row rows[] = {
        {"", ""},
        {" \t\r\n\v\f", ""},
        {"a -- b\nc # d\ne", "word:a word:c word:e"},
        {"a /* b */ c /**/ d /***/ e", "word:a word:c word:d word:e"},
        {"a /* b /* c */ d", "word:a word:d"}, /* comments do not nest */
        {"-- to the end", ""},
        {"a--b", "word:a"},
        {"a\xC2\xA0"
         "b\xE3\x80\x80"
         "c",
         "word:a word:b word:c"}, /* no-break space, ideographic space */
        {"\xEF\xBB\xBF"
         "from",
         "reserved:from"}, /* byte order mark */
        {"a /* b", "word:a / E0104 /*"},
        {"a /", "word:a /"},
        {"/*/", "/ E0104 /*"},
    };
    check_rows(rows, EVS_COUNT(rows));
}
END_TEST

START_TEST(words_and_names)
{
    static const struct row rows[] = {
        {"From FROM from", "reserved:From reserved:FROM reserved:from"},
        {"emit deduplicate _a a1 A_b", "word:emit word:deduplicate word:_a word:a1 word:A_b"},
        {"hash end to order", "reserved:hash reserved:end reserved:to reserved:order"},
        {"`a b` `from` `x\\`y` `\\u00e9`", "name:a b name:from name:x`y name:\xC3\xA9"},
        {"`a\nb", "error word:b / E0105 `a"},
        {"``", "error / E0105 ``"},
        {"r b rb x", "word:r word:b word:rb word:x"},
        {"rx bx", "word:rx word:bx"},
        {"a_word_that_is_longer_than_every_word_of_the_language",
         "word:a_word_that_is_longer_than_every_word_of_the_language"},
    };
    check_rows(rows, EVS_COUNT(rows));
}
END_TEST

START_TEST(numbers)
{
    static const struct row rows[] = {
        {"0 7 12 007", "int:0 int:7 int:12 int:7"},
        {"0x1F 0Xff", "int:31 int:255"},
        {"9223372036854775807 9223372036854775808", "int:9223372036854775807 int:9223372036854775808"},
        {"0x8000000000000000", "int:9223372036854775808"},
        {"9223372036854775809", "error / E0107 9223372036854775809"},
        {"0x8000000000000001", "error / E0107 0x8000000000000001"},
        {"99999999999999999999999999", "error / E0107 99999999999999999999999999"},
        {"1.5 .5 1. 1e3 1E+3 2.5e-1 .5e1", "float:1.5 float:0.5 float:1 float:1000 float:1000 float:0.25 float:5"},
        {"1e400 1e-400", "error float:0 / E0107 1e400"},
        {"1.2.3", "float:1.2 float:0.3"},
        {"a.1", "word:a float:0.1"},
        {"a.b", "word:a . word:b"},
        {"1 .b", "int:1 . word:b"},
        {"12abc 1e 0x 0xg 5min",
         "error error error error error / E0107 12abc / E0107 1e / E0107 0x / E0107 0xg / E0107 5min"},
        {"1e+", "error + / E0107 1e"},
        {"-5", "- int:5"},
    };
    check_rows(rows, EVS_COUNT(rows));
}
END_TEST

START_TEST(strings)
{
    static const struct row rows[] = {
        {"'a' \"b\" ''", "string:a string:b string:"},
        {"'it\"s' \"it's\"", "string:it\"s string:it's"},
        {"'''a'b''c''' \"\"\"d\"\"\"", "string:a'b''c string:d"},
        {"'''a\nb\r\nc\rd'''", "string:a\nb\nc\nd"},
        {"''''''", "string:"},
        {"'a\\nb\\t\\\\ \\' \\\" \\` \\?'", "string:a\nb\t\\ ' \" ` ?"},
        {"'\\a\\b\\f\\r\\v'", "string:\a\b\f\r\v"},
        {"'\\x41\\X42\\103'", "string:ABC"},
        {"'\\xe9' '\\351'", "string:\xC3\xA9 string:\xC3\xA9"}, /* a character, not a byte */
        {"'\\u20ac\\U0001F600'", "string:\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"r'a\\nb' R\"\\d+\"", "string:a\\nb string:\\d+"},
        {"r'a\\'b'", "string:a\\'b"}, /* the backslash stays, and the quote does not end it */
        {"r'''a\\'''b'''", "string:a\\'''b"},
        {"b'a\\xff' B\"b\" rb'\\x' bR'\\y'", "bytes:a\xff bytes:b bytes:\\x bytes:\\y"},
        {"'\xC3\xA9'", "string:\xC3\xA9"},
        {"'a\nb'", "error error / E0103 'a / E0103 b'"},
        {"'a\nc d", "error word:c word:d / E0103 'a"},
        {"'a\\\nb", "error word:b / E0103 'a\\"},
        {"'''a", "error / E0103 '''"},
        {"r'a\\", "error / E0103 r'a\\"},
        {"'a\\qb\\zc' d", "error word:d / E0106 \\q"}, /* one report a text */
        {"'\\x4g'", "error / E0106 \\x"},
        {"'\\8'", "error / E0106 \\8"},
        {"'\\78'", "error / E0106 \\"},
        {"'\\ud800' '\\U00110000'", "error error / E0106 \\ud800 / E0106 \\U00110000"},
        {"'\\400' b'\\400'", "error error / E0106 \\400 / E0106 \\400"},
        {"b'\\u0041'", "error / E0106 \\u"},
        {"'\xff'", "error / E0102 \xff"},
        {"'\xC3", "error / E0103 '\xC3 / E0102 \xC3"},
    };
    check_rows(rows, EVS_COUNT(rows));
}
END_TEST

START_TEST(signs)
{
    static const struct row rows[] = {
        {"|> || | < <= << <> > >= >> = => != - -> + * / ~ ^ &", "|> || | < <= << != > >= >> = => != - -> + * / ~ ^ &"},
        {"()[]}, ; . @ ? $", "( ) [ ] } , ; . @ ? $"},
        {"a|>b", "word:a |> word:b"},
        {"a||>b", "word:a || > word:b"},
        {"a<>b", "word:a != word:b"},
        {"array<array<int64>>", "reserved:array < reserved:array < word:int64 >>"},
        {"==", "error / E0101 =="},
        {"a && b", "word:a error word:b / E0101 &&"},
        {"! a", "error word:a / E0101 !"},
        {"a % b", "word:a error word:b / E0101 %"},
        {"a:b ::", "word:a error word:b error / E0101 : / E0101 ::"},
        {"\\", "error / E0101 \\"},
        {"\x01", "error / E0101 \x01"},
        {"\xC2\xA4", "error / E0101 \xC2\xA4"},
        {"\xff\xfe\x80 a", "error word:a / E0102 \xff\xfe\x80"}, /* one report for a run of rubbish */
        {"\xC0\x80", "error / E0102 \xC0\x80"},
    };
    check_rows(rows, EVS_COUNT(rows));
}
END_TEST

START_TEST(json_objects)
{
    static const struct row rows[] = {
        {"{}", "json:{}"},
        {"{ }", "json:{ }"},
        {"{\"a\":1} x", "json:{\"a\":1} word:x"},
        {"{\"a\":[1,-2.5e3,true,false,null,\"b\",{\"c\":[]}]}",
         "json:{\"a\":[1,-2.5e3,true,false,null,\"b\",{\"c\":[]}]}"},
        {"{\n \"a\" : \"}\" }", "json:{\n \"a\" : \"}\" }"},
        {"{\"a\":\"\\\"\\u00e9\\/\"}", "json:{\"a\":\"\\\"\\u00e9\\/\"}"},
        {"{2,3}", "{ int:2 , int:3 }"}, /* a quantifier */
        {"{ given", "{ word:given"},
        {"{\"a\"}", "error / E0108 }"},
        {"{\"a\":}", "error / E0108 }"},
        {"{\"a\":1,}", "error / E0108 }"},
        {"{\"a\":[1,]}", "error / E0108 ]"},
        {"{\"a\":01}\nx", "error word:x / E0108 }"},
        {"{\"a\":1.}", "error / E0108 }"},
        {"{\"a\":.5}", "error / E0108 ."},
        {"{\"a\":tru}", "error / E0108 t"},
        {"{\"a\":\"b\\x\"}", "error / E0108 x"},
        {"{\"a\":\"b\nc\"}", "error word:c error / E0108 \n / E0103 \"}"},
        {"{\"a\":\"\\u12g4\"}", "error / E0108 g"},
        {"{\"a\":1", "error / E0108 "},
        {"{\"a\":\"\xff\"}", "error / E0108 \xff"},
        {"{\"a\":1}}", "json:{\"a\":1} }"},
    };
    check_rows(rows, EVS_COUNT(rows));
}
END_TEST

START_TEST(json_depth_is_bounded)
{
    struct evs_buffer text = {0}, shown = {0};
    evs_buffer_puts(&text, "{\"a\":");
    for (uint32_t i = 0; i < 5000; i++) {
        evs_buffer_puts(&text, "[");
    }
    show_all(&shown, (struct evs_slice){text.data, text.count});
    ck_assert_str_eq(shown.data, "error / E0108 [");
    evs_buffer_fini(&text);
    evs_buffer_fini(&shown);
}
END_TEST

START_TEST(a_nul_is_a_character)
{
    struct evs_buffer shown = {0};
    show_all(&shown, (struct evs_slice){"a\0b 'c\0d'", 9});
    ck_assert_msg(memcmp(shown.data, "word:a error word:b string:c", 28) == 0, "%s", shown.data);
    evs_buffer_fini(&shown);
}
END_TEST

/* Lines and columns count characters; a tab is one. */
START_TEST(places)
{
    struct evs_slice text = EVS_SLICE("a '\xC3\xA9' b\n\n '''\n''' \n/* */c\n\td");
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    struct evs_arena arena = {0};
    struct evs_lexer lexer;
    evs_lexer_init(&lexer, evs_sources_add(sources, "text", text), &arena, diagnostics);
    struct evs_buffer shown = {0};
    for (struct evs_token token; (token = evs_lexer_next(&lexer)).kind != EVS_TOKEN_END;) {
        evs_buffer_printf(&shown, "%u:%u@%u+%u%s ", token.line, token.column, token.offset, token.count,
                          token.first_on_line ? "!" : "");
    }
    evs_buffer_put(&shown, "", 1);
    ck_assert_str_eq(shown.data, "1:1@0+1! 1:3@2+4 1:7@7+1 3:2@11+7! 5:6@25+1! 6:2@28+1! ");
    evs_buffer_fini(&shown);
    evs_arena_fini(&arena);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
}
END_TEST

/* The table is searched by halves, so its order matters. */
START_TEST(every_word_is_found)
{
    for (uint32_t word = EVS_WORD_NONE + 1; word < EVS_WORD_COUNT; word++) {
        ck_assert_int_eq(evs_word_find(evs_slice_of(evs_word_text(word))), word);
    }
    ck_assert_int_eq(evs_word_find(EVS_SLICE("SELECT")), EVS_WORD_SELECT);
    ck_assert_int_eq(evs_word_find(EVS_SLICE("selec")), EVS_WORD_NONE);
    ck_assert_int_eq(evs_word_find(EVS_SLICE("")), EVS_WORD_NONE);
}
END_TEST

START_TEST(utf8_both_ways)
{
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point += code_point < 0x3000 ? 1 : 37) {
        char bytes[4];
        uint32_t count = evs_utf8_encode(code_point, bytes), decoded = 0;
        bool is_surrogate = code_point >= 0xD800 && code_point < 0xE000;
        uint32_t read = evs_utf8_decode((struct evs_slice){bytes, count}, &decoded);
        ck_assert_uint_eq(read, is_surrogate ? 0 : count);
        ck_assert(is_surrogate || decoded == code_point);
        ck_assert_uint_eq(evs_utf8_decode((struct evs_slice){bytes, count - 1}, &decoded), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lexer");
    TCase *tests = tcase_create("lexer");
    tcase_add_test(tests, blanks_and_comments);
    tcase_add_test(tests, words_and_names);
    tcase_add_test(tests, numbers);
    tcase_add_test(tests, strings);
    tcase_add_test(tests, signs);
    tcase_add_test(tests, json_objects);
    tcase_add_test(tests, json_depth_is_bounded);
    tcase_add_test(tests, a_nul_is_a_character);
    tcase_add_test(tests, places);
    tcase_add_test(tests, every_word_is_found);
    tcase_add_test(tests, utf8_both_ways);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
