/* Regular expressions: what GoogleSQL's functions give, mistakes at plan time and of rows, the cache of computed patterns, and that time is
 * linear in the text. */
#include <stdio.h>

#include "expr_case.h"
#include "regexp_cache.h"

static const struct example contains[] = {
    {"regexp_contains('', '')", "true"},
    {"regexp_contains('', 'x')", "false"},
    {"regexp_contains('x', '')", "true"},
    {"regexp_contains('shoes/42', 's/[0-9]')", "true"},
    {"regexp_contains('shoes/42', '^s/')", "false"},
    {"regexp_contains('shoes/42', '^(?:shoes|boots)/[0-9]+$')", "true"},
    {"regexp_contains('SHOES', '(?i)shoes')", "true"},
    {"regexp_contains('a\\nb', 'a.b')", "false"},
    {"regexp_contains('a\\nb', '(?s)a.b')", "true"},
    {"regexp_contains('a\\nb', '^b')", "false"},
    {"regexp_contains('a\\nb', '(?m)^b')", "true"},
    {"regexp_contains('gr\xc3\xbcn', '^....$')", "true"},
    {"regexp_contains(b'gr\\xc3\\xbcn', b'^.....$')", "true"},
    {"regexp_contains('\xc3\x84rger', '^\\\\pL+$')", "true"},
    {"regexp_contains(b'\\xff\\x00', b'\\xff')", "true"},
    {"regexp_contains(null, 'x')", "NULL"},
    {"regexp_contains('x', null)", "NULL"},
    {"regexp_contains('abc', concat('b', 'c'))", "true"},
    {"regexp_contains('abc', concat('b', '('))", "error: R0109"},
    {"safe.regexp_contains('abc', concat('b', '('))", "NULL"},
    {"regexp_contains('a', b'a')", "plan: `regexp_contains` does not take (string, bytes); it takes "
                                   "regexp_contains(string, pattern string) → bool; the same for bytes"},
};
EXAMPLES(contains)

#define NO_REGEXP(pattern, why)                                                                                        \
    {                                                                                                                  \
        "regexp_contains('x', '" pattern "')", "plan: the pattern '" pattern "' is no regular expression: " why        \
    }
static const struct example mistakes[] = {
    NO_REGEXP("a(b", "a ( has no ) behind it"),
    NO_REGEXP("ab)", "a ) has no ( before it"),
    NO_REGEXP("[0-9", "a [ has no ] behind it"),
    NO_REGEXP("x[z-a]", "this range of characters runs backwards: `z-a`, at character 3"),
    NO_REGEXP("\xc3\xa9*+?**", "a repetition stands behind a repetition: `*+?`, at character 2"),
    NO_REGEXP("*a", "nothing stands before this repetition: `*`, at character 1"),
    NO_REGEXP("a{2000}",
              "a repetition may go up to 1000, together with those around it, and its numbers must rise: `{2000}`, at "
              "character 2"),
    NO_REGEXP("ab(?=c)",
              "this is not supported, because matching always takes linear time: no looking ahead or behind, "
              "no references back: `(?=`, at character 3"),
    NO_REGEXP("[[:word", "a [ has no ] behind it"),
    {"regexp_contains('x', '((((((((((x{100}){100}){100})))))))')",
     "plan: the pattern '((((((((((x{100}){100}){100})))))))' is no regular expression: a repetition may go up to "
     "1000, together with those around it, and its numbers must rise: `{100}`, at character 12"},
    {"regexp_extract('ab', '(a)(b)')",
     "plan: the pattern '(a)(b)' has 2 groups, and only one can be extracted: write (?:…) for the others"},
    {"regexp_extract('ab', concat('(a)', '(b)'))", "error: R0109"},
    {"regexp_replace('ab', '(a)', '\\\\2')",
     "plan: the replacement '\\\\2' can name the whole match, \\0, and the pattern's groups, of which there are 1; a "
     "backslash is \\\\"},
    {"regexp_replace('ab', '(a)', concat('\\\\', '2'))", "error: R0109"},
    {"regexp_match('a', 'a')",
     "plan: there is no function regexp_match: it is deprecated: write regexp_contains with ^(?:…)$"},
};
EXAMPLES(mistakes)

static const struct example extract[] = {
    {"regexp_extract('', '')", ""},
    {"regexp_extract('', '(x)?')", "NULL"},
    {"regexp_extract('', '()')", ""},
    {"regexp_extract('abc', 'x')", "NULL"},
    {"regexp_extract('user=42;', 'user=([0-9]+);')", "42"},
    {"regexp_extract('user=42;', 'user=(?:[0-9]+);')", "user=42;"},
    {"regexp_extract('gr\xc3\xbcn', '.{2}$')", "\xc3\xbcn"},
    {"regexp_extract('one two three', '[a-z]+', 1, 2)", "two"},
    {"regexp_extract('one two three', '[a-z]+', 2, 1)", "ne"},
    {"regexp_extract('one two three', '[a-z]+', 1, 4)", "NULL"},
    {"regexp_extract('one two', '^two', 5)", "two"},
    {"regexp_extract('gr\xc3\xbcn', '.', 4)", "n"},
    {"regexp_extract('gr\xc3\xbcn', '.?', 5)", "NULL"},
    {"regexp_extract('aaa', 'a*', 2, 2)", "NULL"},
    {"regexp_extract('abc', 'b', 9223372036854775807)", "NULL"},
    {"regexp_extract('abc', 'b', 1, 9223372036854775807)", "NULL"},
    {"regexp_extract('abc', 'b', 0)", "error: R0104"},
    {"regexp_extract('abc', 'b', -1)", "error: R0104"},
    {"regexp_extract('abc', 'b', 1, 0)", "error: R0104"},
    {"regexp_extract('abc', 'b', null)", "NULL"},
    {"regexp_extract('abc', 'b', 1, null)", "NULL"},
    {"regexp_substr('xay', 'a')", "a"},
    {"to_hex(regexp_extract(b'\\xd1\\x89', b'.', 2))", "89"},
    {"regexp_extract('more than twelve bytes', '^.* tw')", "more than tw"},
    {"regexp_extract('more than twelve bytes of text', 'than.*')", "than twelve bytes of text"},
    {"regexp_extract_all('aaba', 'a?')", "[a, a, , a]"},
    {"regexp_extract_all('', '(x)?')", "[]"},
    {"array_length(regexp_extract_all('', '(x)?'))", "1"},
    {"array_length(regexp_extract_all('abc', 'x'))", "0"},
    {"regexp_extract_all('#a #b', '#(.)')", "[a, b]"},
    {"regexp_extract_all('\xc3\xa9\xc3\xa8', '')", "[, ]"},
    {"regexp_extract_all(null, 'x')", "NULL"},
};
EXAMPLES(extract)

static const struct example instr[] = {
    {"regexp_instr('abc', 'c')", "3"},
    {"regexp_instr('abc', 'x')", "0"},
    {"regexp_instr('abc', '')", "0"},
    {"regexp_instr('', 'x?')", "0"},
    {"regexp_instr('gr\xc3\xbcn', 'n')", "4"},
    {"regexp_instr(b'gr\\xc3\\xbcn', b'n')", "5"},
    {"regexp_instr('a1b22c333', '[0-9]+', 1, 2)", "4"},
    {"regexp_instr('a1b22c333', '[0-9]+', 1, 2, 1)", "6"},
    {"regexp_instr('a1b22c333', '[0-9]+', 5, 1)", "5"},
    {"regexp_instr('a1b22c333', '[a-z]([0-9]+)', 3, 2)", "7"},
    {"regexp_instr('a1b22c333', '[a-z]([0-9]+)', 3, 2, 1)", "10"},
    {"regexp_instr('ab', '(x)?b')", "0"},
    {"regexp_instr('abc', 'b', 4)", "0"},
    {"regexp_instr('abc', 'b', 0)", "error: R0104"},
    {"regexp_instr('abc', 'b', 1, 0)", "error: R0104"},
    {"regexp_instr('abc', 'b', 1, 1, 2)", "error: R0104"},
    {"regexp_instr('abc', 'b', null)", "NULL"},
};
EXAMPLES(instr)

static const struct example replace[] = {
    {"regexp_replace('', '', '')", ""},
    {"regexp_replace('', '', 'x')", "x"},
    {"regexp_replace('abc', '', '-')", "-a-b-c-"},
    {"regexp_replace('a\xe2\x82\xac', '', '-')", "-a-\xe2\x82\xac-"},
    {"regexp_replace('abc', 'b*', 'x')", "xaxcx"},
    {"regexp_replace('bc', 'b*', 'x')", "xcx"},
    {"regexp_replace('b', 'b*', 'x')", "x"},
    {"regexp_replace('bb', '^b', 'x')", "xb"},
    {"regexp_replace('ab cd', '\\\\b', '|')", "|ab| |cd|"},
    {"regexp_replace('2026-01-05', '([0-9]+)-([0-9]+)-([0-9]+)', '\\\\3.\\\\2.\\\\1')", "05.01.2026"},
    {"regexp_replace('abc', 'b', '<\\\\0>')", "a<b>c"},
    {"regexp_replace('abc', 'b', '\\\\\\\\')", "a\\c"},
    {"regexp_replace('ab', '(x)?b', '[\\\\1]')", "a[]"},
    {"regexp_replace('banana', 'ana', '')", "bna"},
    {"regexp_replace('call 0170 1234567 or 0171 7654321', '[0-9]{4} [0-9]+', '(number)')", "call (number) or (number)"},
    {"regexp_replace(null, 'a', 'b')", "NULL"},
    {"regexp_replace('a', 'a', null)", "NULL"},
    {"length(regexp_replace(repeat('a', 1000), 'a', repeat('b', 1000)))", "1000000"},
    {"regexp_replace(repeat('a', 1100), 'a', repeat('b', 1000))", "error: R0107"},
};
EXAMPLES(replace)

/* --- linear time ------------------------------------------------------------------------------------------------- */

/* With an engine that goes back, each of these would not end before the sun does: 100 kB, and a pattern with exponentially (the first) or
 * polynomially many ways. The tests' own limit of time is what fails them. */
static const struct example hostile[] = {
    {"regexp_contains(repeat('a', 100000), '^(a+)+$')", "true"},
    {"regexp_contains(repeat('a', 100000) || 'b', '^(a+)+$')", "false"},
    {"regexp_contains(repeat('a', 100000) || 'b', '^(a|aa)+$')", "false"},
    {"regexp_contains(repeat('a', 100000), '(x+x+)+y')", "false"},
    {"length(regexp_extract(repeat('a', 100000), '(?:a?){30}a{30}'))", "60"},
    {"regexp_extract(repeat('ab', 50000) || 'c', '(?:.*a.*b.*)*d')", "NULL"},
    {"length(regexp_replace(repeat('a', 100000), '(a*)*b', ''))", "100000"},
};
EXAMPLES(hostile)

/* --- the cache --------------------------------------------------------------------------------------------------- */

static const struct evs_regexp *get(struct evs_regexp_cache *cache, const char *pattern)
{
    return evs_regexp_cache_get(cache, evs_slice_of(pattern), false);
}

START_TEST(a_pattern_is_compiled_once_and_the_oldest_gives_way)
{
    struct evs_regexp_cache *cache = evs_regexp_cache_new();
    const struct evs_regexp *first = get(cache, "first");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(get(cache, "faulty("));
    char pattern[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(pattern, sizeof pattern, "a longer pattern %d", i);
        const struct evs_regexp *regexp = get(cache, pattern);
        ck_assert(evs_regexp_match(regexp, (struct evs_regexp_text){pattern, strlen(pattern)}, 0, NULL, 0));
        ck_assert_ptr_eq(get(cache, "first"), first); /* asked for again and again: it stays */
    }
    ck_assert_ptr_null(get(cache, "faulty("));
    evs_regexp_cache_free(cache);
}
END_TEST

START_TEST(text_and_bytes_are_different_patterns)
{
    struct evs_regexp_cache *cache = evs_regexp_cache_new();
    const char text[] = "\xc3\xa9";
    const struct evs_regexp_text both = {text, 2};
    const struct evs_regexp *of_text = evs_regexp_cache_get(cache, EVS_SLICE("^.$"), false);
    const struct evs_regexp *of_bytes = evs_regexp_cache_get(cache, EVS_SLICE("^.$"), true);
    ck_assert(evs_regexp_match(of_text, both, 0, NULL, 0));
    ck_assert(!evs_regexp_match(of_bytes, both, 0, NULL, 0));
    evs_regexp_cache_free(cache);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("regexp");
    add_examples(tcase, contains);
    add_examples(tcase, mistakes);
    add_examples(tcase, extract);
    add_examples(tcase, instr);
    add_examples(tcase, replace);
    add_examples(tcase, hostile);
    tcase_add_test(tcase, a_pattern_is_compiled_once_and_the_oldest_gives_way);
    tcase_add_test(tcase, text_and_bytes_are_different_patterns);
    return run_examples("expr_regexp", tcase);
}
