/* Reading the grammar, and making sentences of it (grammar_text.h). */
#include "grammar_text.h"

/* --- the grammar as a tree ---------------------------------------------------------------------------------------- */

struct grammar grammar;

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

struct rule *grammar_find(struct evs_slice name)
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
        ck_assert_msg(grammar_find(rule->name) == NULL, "`%.*s` is defined twice", (int)rule->name.count,
                      rule->name.data);
        ck_assert_msg(take('='), "no = after `%.*s`", (int)rule->name.count, rule->name.data);
        rule->body = read_choice();
        ck_assert_msg(take(';'), "no ; after `%.*s`", (int)rule->name.count, rule->name.data);
        grammar.count++;
    }
}

void grammar_each_node(struct node *node, void (*visit)(struct node *))
{
    visit(node);
    for (uint32_t i = 0; i < node->count; i++) {
        grammar_each_node(node->parts[i], visit);
    }
}

void grammar_each_rule(void (*visit)(struct node *))
{
    for (uint32_t i = 0; i < grammar.count; i++) {
        grammar_each_node(grammar.rules[i].body, visit);
    }
}

static void resolve(struct node *node)
{
    if (node->kind == NODE_RULE) {
        struct rule *rule = grammar_find(node->text);
        ck_assert_msg(rule != NULL, "`%.*s` has no rule", (int)node->text.count, node->text.data);
        node->rule = (uint32_t)(rule - grammar.rules);
    }
}

static void measure(void);

void grammar_read(void)
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
    grammar_each_rule(resolve);
    measure();
}

void grammar_free(void)
{
    evs_arena_fini(&grammar.arena);
    grammar = (struct grammar){0};
}

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
    grammar_each_rule(set_unknown);
    do {
        height_changed = false;
        grammar_each_rule(improve);
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

void grammar_sentence(const char *rule, uint64_t from_seed, uint32_t room, struct evs_buffer *out)
{
    seed = from_seed;
    emit(out, grammar_find(evs_slice_of(rule))->body, room);
    evs_buffer_put(out, "", 1);
}
