/* lang/grammar.ebnf is held to the lexer and the parser: it is read here as a grammar, its words and signs are
 * compared with the lexer's, and what it generates at random must parse. So the page that people read cannot drift
 * from the code. */
#include <check.h>
#include <stdlib.h>

#include "lexer.h"
#include "parser.h"

/* --- the grammar as a tree ---------------------------------------------------------------------------------------- */

enum node_kind { NODE_WORD, NODE_RULE, NODE_TOKEN, NODE_SAID, NODE_ALL, NODE_ONE, NODE_MAYBE, NODE_MANY };

struct node {
    enum node_kind kind;
    struct evs_slice text; /* terminal, name, or what is said in words */
    struct node **parts;   /* all of them, one of them, the inside */
    uint32_t count, capacity;
    uint32_t rule;   /* index, NODE_RULE */
    uint32_t height; /* of the lowest tree that it can generate */
};
struct rule {
    struct evs_slice name;
    struct node *body;
    bool is_reached;
};
struct grammar {
    struct evs_arena arena;
    struct evs_slice text;
    size_t at;
    struct rule rules[200];
    uint32_t count;
};

static struct grammar grammar;

static void skip_blank(void)
{
    for (;;) {
        while (grammar.at < grammar.text.count && strchr(" \n", grammar.text.data[grammar.at]) != NULL) {
            grammar.at++;
        }
        if (grammar.text.count - grammar.at < 2 || memcmp(grammar.text.data + grammar.at, "(*", 2) != 0) {
            return;
        }
        const char *end = strstr(grammar.text.data + grammar.at, "*)");
        ck_assert_ptr_nonnull(end);
        grammar.at = (size_t)(end - grammar.text.data) + 2;
    }
}

static char next_byte(void)
{
    skip_blank();
    return grammar.at < grammar.text.count ? grammar.text.data[grammar.at] : '\0';
}

static bool take(char c)
{
    bool is_next = next_byte() == c;
    grammar.at += is_next;
    return is_next;
}

/* The text between here and the closing mark, which is taken. */
static struct evs_slice take_until(char mark)
{
    const char *start = grammar.text.data + grammar.at;
    const char *end = strchr(start, mark);
    ck_assert_ptr_nonnull(end);
    grammar.at += (size_t)(end - start) + 1;
    return (struct evs_slice){start, (size_t)(end - start)};
}

static struct evs_slice take_name(void)
{
    skip_blank();
    const char *start = grammar.text.data + grammar.at;
    size_t count = strspn(start, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    ck_assert_msg(count > 0, "no name at `%.20s`", start);
    grammar.at += count;
    return (struct evs_slice){start, count};
}

static struct node *new_node(enum node_kind kind)
{
    struct node *node = EVS_ARENA_NEW(&grammar.arena, struct node);
    node->kind = kind;
    return node;
}

static void add_part(struct node *node, struct node *part)
{
    if (node->count == node->capacity) {
        struct node **grown = EVS_ARENA_ARRAY(&grammar.arena, struct node *, node->capacity = node->capacity * 2 + 1);
        if (node->count > 0) {
            memcpy(grown, node->parts, sizeof(*grown) * node->count);
        }
        node->parts = grown;
    }
    node->parts[node->count++] = part;
}

static struct node *read_choice(void);

static struct node *read_brackets(char close, enum node_kind kind)
{
    struct node *node = new_node(kind);
    add_part(node, read_choice());
    ck_assert_msg(take(close), "no %c at `%.20s`", close, grammar.text.data + grammar.at);
    return node;
}

static struct node *read_part(void)
{
    if (take('(')) {
        return read_brackets(')', NODE_ALL);
    }
    if (take('[')) {
        return read_brackets(']', NODE_MAYBE);
    }
    if (take('{')) {
        return read_brackets('}', NODE_MANY);
    }
    struct node *node = new_node(NODE_WORD);
    if (take('"') || take('?')) {
        node->kind = grammar.text.data[grammar.at - 1] == '"' ? NODE_WORD : NODE_SAID;
        node->text = take_until(node->kind == NODE_WORD ? '"' : '?');
        return node;
    }
    node->text = take_name();
    node->kind = node->text.data[0] >= 'A' && node->text.data[0] <= 'Z' ? NODE_TOKEN : NODE_RULE;
    return node;
}

static struct node *read_sequence(void)
{
    struct node *node = new_node(NODE_ALL);
    while (strchr("|;)]}", next_byte()) == NULL) {
        add_part(node, read_part());
    }
    return node;
}

static struct node *read_choice(void)
{
    struct node *node = new_node(NODE_ONE);
    do {
        add_part(node, read_sequence());
    } while (take('|'));
    return node;
}

static struct rule *find_rule(struct evs_slice name)
{
    for (uint32_t i = 0; i < grammar.count; i++) {
        if (evs_slice_equal(grammar.rules[i].name, name)) {
            return &grammar.rules[i];
        }
    }
    return NULL;
}

static void read_rules(void)
{
    while (next_byte() != '\0') {
        struct rule *rule = &grammar.rules[grammar.count];
        ck_assert_uint_lt(grammar.count, EVS_COUNT(grammar.rules));
        rule->name = take_name();
        ck_assert_msg(find_rule(rule->name) == NULL, "`%.*s` is defined twice", (int)rule->name.count, rule->name.data);
        ck_assert_msg(take('='), "no = after `%.*s`", (int)rule->name.count, rule->name.data);
        rule->body = read_choice();
        ck_assert_msg(take(';'), "no ; after `%.*s`", (int)rule->name.count, rule->name.data);
        grammar.count++;
    }
}

static void each_node(struct node *node, void (*visit)(struct node *))
{
    visit(node);
    for (uint32_t i = 0; i < node->count; i++) {
        each_node(node->parts[i], visit);
    }
}

static void each_rule(void (*visit)(struct node *))
{
    for (uint32_t i = 0; i < grammar.count; i++) {
        each_node(grammar.rules[i].body, visit);
    }
}

static void resolve(struct node *node)
{
    if (node->kind == NODE_RULE) {
        struct rule *rule = find_rule(node->text);
        ck_assert_msg(rule != NULL, "`%.*s` has no rule", (int)node->text.count, node->text.data);
        node->rule = (uint32_t)(rule - grammar.rules);
    }
}

static void read_grammar(void)
{
    const struct evs_source_text *text = NULL;
    struct evs_error error;
    static struct evs_sources *sources;
    sources = evs_sources_new();
    ck_assert_msg(evs_sources_load(sources, "lang/grammar.ebnf", &text, &error) == EVS_OK, "%s", error.text);
    grammar.text =
        (struct evs_slice){evs_arena_strndup(&grammar.arena, text->text.data, text->text.count), text->text.count};
    evs_sources_free(sources);
    read_rules();
    each_rule(resolve);
}

static void free_grammar(void)
{
    evs_arena_fini(&grammar.arena);
    grammar = (struct grammar){0};
}

/* --- rules, words, signs ------------------------------------------------------------------------------------------ */

static void reach(struct rule *rule);

static void reach_node(struct node *node)
{
    if (node->kind == NODE_RULE) {
        reach(&grammar.rules[node->rule]);
    }
}

static void reach(struct rule *rule)
{
    if (!rule->is_reached) {
        rule->is_reached = true;
        each_node(rule->body, reach_node);
    }
}

START_TEST(every_rule_is_reached)
{
    reach(find_rule(EVS_SLICE("file")));
    for (uint32_t i = 0; i < grammar.count; i++) {
        struct evs_slice name = grammar.rules[i].name;
        ck_assert_msg(grammar.rules[i].is_reached, "nothing uses the rule `%.*s`", (int)name.count, name.data);
    }
}
END_TEST

static bool word_is_used[EVS_WORD_COUNT], sign_is_used[EVS_TOKEN_KIND_COUNT];

static void use_terminal(struct node *node)
{
    if (node->kind != NODE_WORD) {
        return;
    }
    enum evs_word word = evs_word_find(node->text);
    bool is_sign = false;
    for (uint32_t kind = 0; kind < EVS_TOKEN_KIND_COUNT; kind++) {
        const char *sign = evs_token_sign(kind);
        if (sign != NULL && evs_slice_equal(node->text, evs_slice_of(sign))) {
            sign_is_used[kind] = is_sign = true;
        }
    }
    ck_assert_msg(is_sign || word != EVS_WORD_NONE, "the lexer does not know `%.*s`", (int)node->text.count,
                  node->text.data);
    word_is_used[word] = true;
}

START_TEST(words_and_signs_are_those_of_the_lexer)
{
    each_rule(use_terminal);
    for (uint32_t word = EVS_WORD_NONE + 1; word < EVS_WORD_COUNT; word++) {
        ck_assert_msg(word_is_used[word], "the lexer's word `%s` is not in the grammar", evs_word_text(word));
    }
    for (uint32_t kind = 0; kind < EVS_TOKEN_KIND_COUNT; kind++) {
        bool is_foreign = kind == EVS_TOKEN_ARROW; /* known for the sake of its message */
        ck_assert_msg(evs_token_sign(kind) == NULL || is_foreign || sign_is_used[kind],
                      "the lexer's sign %s is not in the grammar", evs_token_sign(kind));
    }
}
END_TEST

static void mark_reserved(struct node *node)
{
    if (node->kind == NODE_WORD) {
        word_is_used[evs_word_find(node->text)] = true;
    }
}

START_TEST(reserved_words_are_those_of_the_lexer)
{
    memset(word_is_used, 0, sizeof word_is_used);
    each_node(find_rule(EVS_SLICE("reserved"))->body, mark_reserved);
    for (uint32_t word = EVS_WORD_NONE + 1; word < EVS_WORD_COUNT; word++) {
        ck_assert_msg(word_is_used[word] == evs_word_is_reserved(word), "`%s` is reserved in one of grammar and lexer",
                      evs_word_text(word));
    }
}
END_TEST

/* " a, b, c " of first to last */
static void check_said(const char *rule, enum evs_ast_part first, enum evs_ast_part last)
{
    struct evs_buffer expected = {0};
    for (enum evs_ast_part part = first; part <= last; part++) {
        evs_buffer_printf(&expected, "%s %s", part == first ? "" : ",", evs_ast_part_name(part));
    }
    evs_buffer_puts(&expected, " ");
    struct node *said = find_rule(evs_slice_of(rule))->body->parts[0]->parts[0];
    ck_assert_int_eq(said->kind, NODE_SAID);
    ck_assert_msg(evs_slice_equal(said->text, (struct evs_slice){expected.data, expected.count}),
                  "%s: `%.*s` is not `%.*s`", rule, (int)said->text.count, said->text.data, (int)expected.count,
                  expected.data);
    evs_buffer_fini(&expected);
}

START_TEST(units_are_those_of_the_parser)
{
    check_said("part", EVS_PART_MICROSECOND, EVS_PART_YEAR);
    check_said("date_part", EVS_PART_NANOSECOND, EVS_PART_DATETIME);
}
END_TEST

/* --- sentences ---------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t random_below(uint32_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % bound);
}

/* Heights of the lowest trees, by repeated improvement; UINT32_MAX / 2 stands for "not known yet". */
#define HEIGHT_UNKNOWN (UINT32_MAX / 2)

static bool height_changed;

static uint32_t height_of(const struct node *node)
{
    uint32_t height = node->kind == NODE_ONE ? HEIGHT_UNKNOWN : 0;
    for (uint32_t i = 0; i < node->count; i++) {
        uint32_t part = node->parts[i]->height;
        height = node->kind == NODE_ONE ? (part < height ? part : height) : (part > height ? part : height);
    }
    if (node->kind == NODE_RULE) {
        height = grammar.rules[node->rule].body->height + 1;
    }
    return node->kind == NODE_MAYBE || node->kind == NODE_MANY ? 0 : height;
}

static void improve(struct node *node)
{
    uint32_t height = height_of(node);
    height_changed |= height < node->height;
    node->height = height < node->height ? height : node->height;
}

static void set_unknown(struct node *node)
{
    node->height = HEIGHT_UNKNOWN;
}

static void measure(void)
{
    each_rule(set_unknown);
    do {
        height_changed = false;
        each_rule(improve);
    } while (height_changed);
}

static void emit_token(struct evs_buffer *out, struct evs_slice name)
{
    /* Words that are only sometimes words are names too. */
    static const char *const names[] = {"a",    "b1",   "Clicks", "user_id", "every", "key",   "source",
                                        "sink", "late", "date",   "first",   "top",   "error", "pattern",
                                        "next", "time", "_x",     "nothing", "json"};
    static const struct {
        const char *token, *texts[4];
    } tokens[] = {
        {"QUOTED", {"`a b`", "`select`", "`x\\`y`", "`é`"}},
        {"INT", {"1", "0x1F", "42", "9223372036854775807"}},
        {"FLOAT", {"1.5", ".5", "2e3", "1.5E-3"}},
        {"STRING", {"'text'", "\"it's\"", "r'a\\d'", "'''two\nlines'''"}},
        {"BYTES", {"b'x'", "B\"\\xff\"", "rb'\\'", "b'''a'b'''"}},
        {"JSON", {"{\"a\":1}", "{}", "{\"a\":[1,2,{\"b\":null}],\"c\":\"\\u00e9\"}", "{ \"x\" : -1.5e3 }"}},
    };
    for (uint32_t i = 0; i < EVS_COUNT(tokens); i++) {
        if (evs_slice_equal(name, evs_slice_of(tokens[i].token))) {
            const char *text = tokens[i].texts[random_below(4)];
            evs_buffer_puts(out, strcmp(text, "rb'\\'") == 0 ? "rb'\\d'" : text);
            return;
        }
    }
    ck_assert(evs_slice_equal(name, EVS_SLICE("WORD")));
    evs_buffer_puts(out, names[random_below(EVS_COUNT(names))]);
}

/* One of "a, b, c". */
static void emit_said(struct evs_buffer *out, struct evs_slice said)
{
    uint32_t commas = 0;
    for (size_t i = 0; i < said.count; i++) {
        commas += said.data[i] == ',';
    }
    size_t at = 0;
    for (uint32_t skip = random_below(commas + 1); skip > 0; at++) {
        skip -= said.data[at] == ',';
    }
    const char *start = said.data + at + strspn(said.data + at, " ");
    evs_buffer_put(out, start, strcspn(start, ", "));
}

static void emit(struct evs_buffer *out, const struct node *node, uint32_t room);

static void emit_one(struct evs_buffer *out, const struct node *node, uint32_t room)
{
    uint32_t fitting = 0;
    const struct node *chosen = NULL, *lowest = node->parts[0];
    for (uint32_t i = 0; i < node->count; i++) {
        const struct node *part = node->parts[i];
        lowest = part->height < lowest->height ? part : lowest;
        if (part->height <= room && random_below(++fitting) == 0) { /* each of those that fit is as likely */
            chosen = part;
        }
    }
    emit(out, chosen != NULL ? chosen : lowest, room);
}

static void emit(struct evs_buffer *out, const struct node *node, uint32_t room)
{
    switch (node->kind) {
    case NODE_WORD:
        evs_buffer_put(out, node->text.data, node->text.count);
        evs_buffer_puts(out, " ");
        break;
    case NODE_TOKEN:
    case NODE_SAID:
        (node->kind == NODE_SAID ? emit_said : emit_token)(out, node->text);
        evs_buffer_puts(out, " ");
        break;
    case NODE_RULE:
        emit(out, grammar.rules[node->rule].body, room > 0 ? room - 1 : 0);
        break;
    case NODE_ONE:
        emit_one(out, node, room);
        break;
    case NODE_ALL:
        for (uint32_t i = 0; i < node->count; i++) {
            emit(out, node->parts[i], room);
        }
        break;
    case NODE_MAYBE:
    case NODE_MANY:
        for (uint32_t left = node->kind == NODE_MAYBE ? 1 : 2;
             left > 0 && node->parts[0]->height <= room && random_below(4) == 0; left--) {
            emit(out, node->parts[0], room);
        }
        break;
    }
}

/* Codes that say more than "this is not the grammar": units, repetitions, values. */
static bool is_beyond_grammar(enum evs_code code)
{
    return code == EVS_E0115 || code == EVS_E0116 || code == EVS_E0118 || code == EVS_E0120 || code == EVS_E0123;
}

static void check_sentence(struct evs_slice sentence)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    struct evs_script script;
    evs_script_init(&script);
    script.accept_all = true;
    evs_parse(&script, evs_sources_add(sources, "sentence", sentence), diagnostics);
    for (uint32_t i = 0; i < evs_diagnostics_count(diagnostics); i++) {
        struct evs_diag_view view = evs_diagnostics_at(diagnostics, i);
        uint32_t from = view.place.offset > 300 ? view.place.offset - 300 : 0, to = view.place.offset;
        ck_assert_msg(is_beyond_grammar(view.code), "%s, behind `…%.*s`, before `%.60s`", view.message,
                      (int)(to - from), sentence.data + from, sentence.data + to);
    }
    evs_script_fini(&script);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
}

static void check_sentences(const char *rule, uint32_t count, uint32_t room)
{
    measure();
    const struct node *body = find_rule(evs_slice_of(rule))->body;
    for (uint32_t i = 0; i < count; i++) {
        struct evs_buffer sentence = {0};
        seed = i;
        emit(&sentence, body, room);
        evs_buffer_put(&sentence, "", 1);
        check_sentence(evs_slice_of(sentence.data));
        evs_buffer_fini(&sentence);
    }
}

START_TEST(generated_statements_parse)
{
    check_sentences("statement", 3000, 28);
}
END_TEST

START_TEST(generated_queries_parse)
{
    check_sentences("from_query", 3000, 30);
}
END_TEST

START_TEST(deep_sentences_parse)
{
    check_sentences("file", 100, 45);
}
END_TEST

/* --- expressions: their text and their places --------------------------------------------------------------------- */

/* Every node lies inside the node above it. */
static void check_places(const struct evs_ast_expr *expr, const char *sentence)
{
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        struct evs_place outer = expr->place;
        if (expr->arguments[i] == NULL) {
            continue;
        }
        struct evs_place inner = expr->arguments[i]->place;
        ck_assert_msg(inner.count > 0 && inner.offset >= outer.offset &&
                          inner.offset + inner.count <= outer.offset + outer.count,
                      "`%.*s` is not inside `%.*s`", (int)inner.count, sentence + inner.offset, (int)outer.count,
                      sentence + outer.offset);
        check_places(expr->arguments[i], sentence);
    }
}

static char *print_again(struct evs_script *script, struct evs_sources *sources, struct evs_diagnostics *diagnostics,
                         const char *sentence)
{
    const struct evs_ast_expr *expr =
        evs_parse_expr(script, evs_sources_add(sources, "sentence", evs_slice_of(sentence)), diagnostics);
    check_places(expr, sentence);
    return evs_ast_expr_text(&script->arena, expr);
}

/* What is printed is read as the same, and what is read is printed as the same. */
static void check_expression(const char *sentence)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    struct evs_script script;
    evs_script_init(&script);
    script.accept_all = true;
    char *printed = print_again(&script, sources, diagnostics, sentence);
    bool is_complete =
        strstr(printed, "\u2026") == NULL && evs_diagnostics_count(diagnostics) == 0; /* queries are not printed */
    if (is_complete) {
        char *again = print_again(&script, sources, diagnostics, printed);
        ck_assert_msg(strcmp(printed, again) == 0 && evs_diagnostics_count(diagnostics) == 0,
                      "`%.500s` becomes `%.500s`", printed, again);
    }
    evs_script_fini(&script);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
}

START_TEST(generated_expressions_are_printed_and_read_again)
{
    measure();
    for (uint32_t i = 0; i < 6000; i++) {
        struct evs_buffer sentence = {0};
        seed = i;
        emit(&sentence, find_rule(EVS_SLICE("expression"))->body, 18 + i % 12);
        evs_buffer_put(&sentence, "", 1);
        check_expression(sentence.data);
        evs_buffer_fini(&sentence);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grammar");
    TCase *tests = tcase_create("grammar");
    tcase_add_checked_fixture(tests, read_grammar, free_grammar);
    tcase_add_test(tests, every_rule_is_reached);
    tcase_add_test(tests, words_and_signs_are_those_of_the_lexer);
    tcase_add_test(tests, reserved_words_are_those_of_the_lexer);
    tcase_add_test(tests, units_are_those_of_the_parser);
    tcase_add_test(tests, generated_statements_parse);
    tcase_add_test(tests, generated_queries_parse);
    tcase_add_test(tests, deep_sentences_parse);
    tcase_add_test(tests, generated_expressions_are_printed_and_read_again);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
