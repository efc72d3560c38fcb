#include "expr_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "evstream/nested.h"

struct reader {
    struct evs_arena *arena;
    const char *at;
    const struct evs_schema *schema;
    struct evs_error *error;
    bool failed;
};
typedef const struct evs_expr *node;

static const struct evs_place here = {.file = "test", .line = 1, .column = 1};

static node parse_or(struct reader *reader);
static node parse_additive(struct reader *reader);
static node parse_struct(struct reader *reader, node first);

static node give_up(struct reader *reader, const char *why)
{
    if (!reader->failed) {
        evs_fail(reader->error, EVS_E_PIPELINE, "%s at '%.20s'", why, reader->at);
    }
    reader->failed = true;
    return NULL;
}

/* --- tokens --- */

static void skip_space(struct reader *reader)
{
    while (isspace((unsigned char)*reader->at)) {
        reader->at++;
    }
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool accept(struct reader *reader, const char *sign)
{
    skip_space(reader);
    const size_t count = strlen(sign);
    if (strncasecmp(reader->at, sign, count) != 0 || (is_word(sign[count - 1]) && is_word(reader->at[count]))) {
        return false;
    }
    reader->at += count;
    return true;
}

static bool expect(struct reader *reader, const char *sign)
{
    return accept(reader, sign) || (give_up(reader, sign), false);
}

/* A word, lower case. */
static bool take_word(struct reader *reader, char *word, size_t room)
{
    skip_space(reader);
    size_t count = 0;
    while (is_word(reader->at[count]) && count + 1 < room) {
        word[count] = (char)tolower((unsigned char)reader->at[count]);
        count++;
    }
    word[count] = '\0';
    reader->at += count;
    return count > 0;
}

/* '…' with \n, \\, \' and \xHH. */
static struct evs_slice take_string(struct reader *reader)
{
    char *text = evs_arena_alloc(reader->arena, strlen(reader->at) + 1, 1);
    size_t count = 0;
    for (reader->at++; *reader->at != '\'' && *reader->at != '\0'; reader->at++) {
        char c = *reader->at;
        if (c == '\\') {
            c = *++reader->at;
            if (c == 'x') {
                c = (char)strtol((char[]){reader->at[1], reader->at[2], '\0'}, NULL, 16);
                reader->at += 2;
            }
            c = c == 'n' ? '\n' : c;
        }
        text[count++] = c;
    }
    expect(reader, "'");
    return (struct evs_slice){text, count};
}

/* --- leaves --- */

static node constant(struct reader *reader, struct evs_value value)
{
    return evs_expr_constant(reader->arena, value, here);
}
static node text_constant(struct reader *reader, enum evs_kind kind, struct evs_slice text)
{
    return constant(reader, (struct evs_value){.kind = kind, .str = evs_str_make(text.data, (uint32_t)text.count)});
}

static node call(struct reader *reader, const char *name, bool safe, node *arguments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (arguments[i] == NULL) {
            return NULL;
        }
    }
    node result;
    if (evs_expr_call(reader->arena, evs_slice_of(name), safe, arguments, count, here, &result, reader->error) !=
        EVS_OK) {
        reader->failed = true;
        return NULL;
    }
    return result;
}

static node special(struct reader *reader, enum evs_expr_kind kind, node *arguments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (arguments[i] == NULL) {
            return NULL;
        }
    }
    node result;
    if (evs_expr_special(reader->arena, kind, arguments, count, here, &result, reader->error) != EVS_OK) {
        reader->failed = true;
        return NULL;
    }
    return result;
}

static node negated(struct reader *reader, node expr, bool negate)
{
    return negate && expr ? special(reader, EVS_EXPR_NOT, &expr, 1) : expr;
}

static node cast_to(struct reader *reader, node expr, enum evs_kind kind, bool safe)
{
    node result;
    if (expr == NULL ||
        evs_expr_cast(reader->arena, expr, evs_type_of(kind), safe, here, &result, reader->error) != EVS_OK) {
        reader->failed = true;
        return NULL;
    }
    return result;
}

/* timestamp '…': the value itself, as a literal is. */
static node typed_literal(struct reader *reader, enum evs_kind kind, struct evs_slice text)
{
    node result;
    if (kind == EVS_NUMERIC) {
        struct evs_value value = {.kind = EVS_NUMERIC};
        return evs_parse_numeric(text, &value.numeric) ? constant(reader, value) : give_up(reader, "no numeric");
    }
    const struct evs_expr *string = text_constant(reader, EVS_STRING, text);
    if (evs_expr_coerce(reader->arena, string, evs_type_of(kind), &result, reader->error) != EVS_OK) {
        reader->failed = true;
        return NULL;
    }
    return result;
}

static node number(struct reader *reader)
{
    const char *end = reader->at;
    bool is_float = false;
    const bool hex = end[0] == '0' && (end[1] | 0x20) == 'x';
    while (isalnum((unsigned char)*end) || *end == '.' ||
           (!hex && (*end == '+' || *end == '-') && (end[-1] | 0x20) == 'e')) {
        is_float = is_float || (!hex && (*end == '.' || (*end | 0x20) == 'e'));
        end++;
    }
    const struct evs_slice text = {reader->at, (size_t)(end - reader->at)};
    struct evs_value value = {.kind = is_float ? EVS_FLOAT64 : EVS_INT64};
    if (is_float ? !evs_parse_float64(text, &value.float64) : !evs_parse_int64(text, &value.int64)) {
        return give_up(reader, "no number");
    }
    reader->at = end;
    return constant(reader, value);
}

static node column(struct reader *reader, const char *name)
{
    for (uint32_t i = 0; reader->schema != NULL && i < reader->schema->count; i++) {
        if (strcmp(reader->schema->fields[i].name, name) == 0) {
            return evs_expr_column(reader->arena, i, &reader->schema->fields[i], here);
        }
    }
    return give_up(reader, "no such column");
}

/* --- words --- */

#define ARGUMENTS_MAX 64

static node parse_case(struct reader *reader)
{
    node arguments[ARGUMENTS_MAX], operand = NULL;
    uint32_t count = 0;
    skip_space(reader);
    if (strncasecmp(reader->at, "when", 4) != 0) {
        operand = parse_or(reader);
    }
    while (count + 3 < ARGUMENTS_MAX && accept(reader, "when")) {
        node when = parse_or(reader);
        if (operand != NULL) {
            when = call(reader, "=", false, (node[]){operand, when}, 2);
        }
        arguments[count++] = when;
        expect(reader, "then");
        arguments[count++] = parse_or(reader);
    }
    arguments[count++] =
        accept(reader, "else") ? parse_or(reader) : constant(reader, (struct evs_value){.is_null = true});
    return expect(reader, "end") ? special(reader, EVS_EXPR_CASE, arguments, count) : NULL;
}

static node cast_with_format(struct reader *reader, node *arguments, uint32_t count, enum evs_kind kind, bool safe)
{
    const struct evs_expr *result;
    if (evs_expr_cast_format(reader->arena, arguments, count, evs_type_of(kind), safe, (struct evs_place){0}, &result,
                             reader->error) != EVS_OK) {
        reader->failed = true;
        return NULL;
    }
    return result;
}

static node parse_cast(struct reader *reader, bool safe)
{
    char word[64];
    expect(reader, "(");
    node expr = parse_or(reader);
    expect(reader, "as");
    take_word(reader, word, sizeof word);
    const enum evs_kind kind = evs_kind_parse(evs_slice_of(word));
    node arguments[3] = {expr};
    uint32_t count = 1;
    if (accept(reader, "format")) {
        arguments[count++] = parse_or(reader);
        if (accept(reader, "at")) {
            expect(reader, "time");
            expect(reader, "zone");
            arguments[count++] = parse_or(reader);
        }
    }
    expect(reader, ")");
    if (reader->failed || kind == EVS_NULL_KIND) {
        return reader->failed ? NULL : give_up(reader, "no such type");
    }
    return count == 1 ? cast_to(reader, expr, kind, safe) : cast_with_format(reader, arguments, count, kind, safe);
}

/* A date part: a word, or week(monday), as a constant string. */
static node parse_part(struct reader *reader)
{
    const char *from;
    skip_space(reader);
    from = reader->at;
    while (is_word(*reader->at)) {
        reader->at++;
    }
    if (*reader->at == '(') {
        while (*reader->at != ')' && *reader->at != '\0') {
            reader->at++;
        }
        reader->at++;
    }
    return text_constant(reader, EVS_STRING, (struct evs_slice){from, (size_t)(reader->at - from)});
}

static node parse_extract(struct reader *reader)
{
    node arguments[3];
    uint32_t count = 2;
    expect(reader, "(");
    arguments[0] = parse_part(reader);
    expect(reader, "from");
    arguments[1] = parse_or(reader);
    if (accept(reader, "at")) {
        expect(reader, "time");
        expect(reader, "zone");
        arguments[count++] = parse_or(reader);
    }
    expect(reader, ")");
    return reader->failed ? NULL : call(reader, "extract", false, arguments, count);
}

static bool takes_part(const char *name, uint32_t argument)
{
    const size_t length = strlen(name);
    const bool third = length > 5 && strcmp(name + length - 5, "_diff") == 0;
    const bool second = (length > 6 && strncmp(name, "net.", 4) != 0 && strcmp(name + length - 6, "_trunc") == 0) ||
                        strcmp(name, "last_day") == 0;
    const bool form = strncmp(name, "normalize", 9) == 0; /* a word, too */
    return (third && argument == 2) || ((second || form) && argument == 1);
}

static node parse_call(struct reader *reader, const char *name, bool safe)
{
    node arguments[ARGUMENTS_MAX];
    uint32_t count = 0;
    if (!accept(reader, ")")) {
        do {
            arguments[count] = takes_part(name, count) ? parse_part(reader) : parse_or(reader);
            count++;
        } while (count < ARGUMENTS_MAX && !reader->failed && accept(reader, ","));
        expect(reader, ")");
    }
    return reader->failed ? NULL : call(reader, name, safe, arguments, count);
}

static node parse_interval(struct reader *reader)
{
    node arguments[3];
    uint32_t count = 2;
    arguments[0] = parse_additive(reader);
    arguments[1] = parse_part(reader);
    if (accept(reader, "to")) {
        arguments[count++] = parse_part(reader);
    }
    return reader->failed ? NULL : call(reader, "interval", false, arguments, count);
}

static node parse_word(struct reader *reader)
{
    char word[64];
    take_word(reader, word, sizeof word);
    if (strcmp(word, "null") == 0) {
        return constant(reader, (struct evs_value){.is_null = true});
    }
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) {
        return constant(reader, (struct evs_value){.kind = EVS_BOOL, .boolean = word[0] == 't'});
    }
    if (strcmp(word, "case") == 0) {
        return parse_case(reader);
    }
    if (strcmp(word, "cast") == 0 || strcmp(word, "safe_cast") == 0) {
        return parse_cast(reader, word[0] == 's');
    }
    if (strcmp(word, "extract") == 0) {
        return parse_extract(reader);
    }
    if (strcmp(word, "interval") == 0) {
        return parse_interval(reader);
    }
    if (strcmp(word, "struct") == 0 && accept(reader, "(")) {
        return parse_struct(reader, NULL);
    }
    const bool safe = strcmp(word, "safe") == 0 && *reader->at == '.';
    if (safe) {
        reader->at++;
        take_word(reader, word, sizeof word);
    }
    if (strcmp(word, "net") == 0 && *reader->at == '.') {
        reader->at++;
        word[3] = '.';
        take_word(reader, word + 4, sizeof word - 4);
    }
    skip_space(reader);
    if (*reader->at == '\'') {
        const struct evs_slice text = take_string(reader);
        return strcmp(word, "b") == 0 ? text_constant(reader, EVS_BYTES, text)
                                      : typed_literal(reader, evs_kind_parse(evs_slice_of(word)), text);
    }
    return accept(reader, "(") ? parse_call(reader, word, safe) : column(reader, word);
}

/* --- arrays and structs --- */

static node made(struct reader *reader, evs_status status, const node *result)
{
    reader->failed = reader->failed || status != EVS_OK;
    return status == EVS_OK ? *result : NULL;
}

static node parse_array(struct reader *reader)
{
    node arguments[ARGUMENTS_MAX], result = NULL;
    uint32_t count = 0;
    while (!reader->failed && count < ARGUMENTS_MAX && !accept(reader, "]")) {
        arguments[count++] = parse_or(reader);
        if (!accept(reader, ",")) {
            expect(reader, "]");
            break;
        }
    }
    return reader->failed
               ? NULL
               : made(reader, evs_expr_array(reader->arena, NULL, arguments, count, here, &result, reader->error),
                      &result);
}

/* Behind the opening parenthesis of struct(1 as a, 2) or (1, 2); `first` is read already, or NULL. */
static node parse_struct(struct reader *reader, node first)
{
    node arguments[ARGUMENTS_MAX], result = NULL;
    struct evs_slice names[ARGUMENTS_MAX] = {{"", 0}};
    uint32_t count = 0;
    if (first != NULL) {
        arguments[count++] = first;
    }
    while (!reader->failed && count < ARGUMENTS_MAX && !accept(reader, ")")) {
        arguments[count] = parse_or(reader);
        names[count] = EVS_SLICE("");
        if (accept(reader, "as")) {
            char name[64];
            take_word(reader, name, sizeof name);
            names[count] = evs_slice_of(evs_arena_strndup(reader->arena, name, strlen(name)));
        }
        count++;
        if (!accept(reader, ",")) {
            expect(reader, ")");
            break;
        }
    }
    return reader->failed
               ? NULL
               : made(reader,
                      evs_expr_struct(reader->arena, NULL, names, arguments, count, here, &result, reader->error),
                      &result);
}

static node parse_subscript(struct reader *reader, node array)
{
    static const char *const hows[] = {"safe_offset", "safe_ordinal", "offset", "ordinal"};
    const char *how = "offset";
    for (size_t i = 0; i < EVS_COUNT(hows); i++) {
        if (accept(reader, hows[i])) {
            how = hows[i];
            break;
        }
    }
    node arguments[] = {array, parse_or(reader)};
    expect(reader, "]");
    const char *name = evs_arena_printf(reader->arena, "array[%s]", how);
    return reader->failed ? NULL : call(reader, name, false, arguments, 2);
}

static node parse_leaf(struct reader *reader);

static node parse_primary(struct reader *reader)
{
    node expr = parse_leaf(reader);
    while (!reader->failed) {
        if (accept(reader, "[")) {
            expr = parse_subscript(reader, expr);
        } else if (*reader->at == '.' && expr->type->kind == EVS_STRUCT) {
            char name[64];
            reader->at++;
            take_word(reader, name, sizeof name);
            expr = made(reader, evs_expr_field(reader->arena, expr, evs_slice_of(name), here, &expr, reader->error),
                        &expr);
        } else {
            break;
        }
    }
    return expr;
}

static node parse_leaf(struct reader *reader)
{
    skip_space(reader);
    const char c = *reader->at;
    if (accept(reader, "[")) {
        return parse_array(reader);
    }
    if (accept(reader, "(")) {
        node inner = parse_or(reader);
        return accept(reader, ",") && !reader->failed ? parse_struct(reader, inner)
               : expect(reader, ")")                  ? inner
                                                      : NULL;
    }
    if (c == '\'') {
        return text_constant(reader, EVS_STRING, take_string(reader));
    }
    if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)reader->at[1]))) {
        return number(reader);
    }
    return is_word(c) ? parse_word(reader) : give_up(reader, "no expression");
}

/* --- operators, from the tightest --- */

static node parse_unary(struct reader *reader)
{
    const char *signs[] = {"-", "~"};
    for (size_t i = 0; i < EVS_COUNT(signs); i++) {
        if (accept(reader, signs[i])) {
            if (signs[i][0] == '-' && strncmp(reader->at, "9223372036854775808", 19) == 0 && reader->at[19] != '.') {
                reader->at += 19;
                return constant(reader, (struct evs_value){.kind = EVS_INT64, .int64 = INT64_MIN});
            }
            node operand = parse_unary(reader);
            return call(reader, signs[i], false, &operand, 1);
        }
    }
    return parse_primary(reader);
}

static node parse_level(struct reader *reader, const char *const *signs, node (*next)(struct reader *reader))
{
    node left = next(reader);
    for (uint32_t i = 0; signs[i] != NULL && !reader->failed;) {
        if (!accept(reader, signs[i])) {
            i++;
            continue;
        }
        node arguments[] = {left, next(reader)};
        left = reader->failed ? NULL : call(reader, signs[i], false, arguments, 2);
        i = 0;
    }
    return left;
}

static node parse_product(struct reader *reader)
{
    return parse_level(reader, (const char *const[]){"||", "*", "/", NULL}, parse_unary);
}
static node parse_additive(struct reader *reader)
{
    return parse_level(reader, (const char *const[]){"+", "-", NULL}, parse_product);
}
static node parse_shift(struct reader *reader)
{
    return parse_level(reader, (const char *const[]){"<<", ">>", NULL}, parse_additive);
}
static node parse_bit_and(struct reader *reader)
{
    return parse_level(reader, (const char *const[]){"&", NULL}, parse_shift);
}
static node parse_bit_xor(struct reader *reader)
{
    return parse_level(reader, (const char *const[]){"^", NULL}, parse_bit_and);
}
static node parse_bit_or(struct reader *reader)
{
    return parse_level(reader, (const char *const[]){"|", NULL}, parse_bit_xor);
}

static node parse_in(struct reader *reader, node left)
{
    node arguments[ARGUMENTS_MAX] = {left};
    uint32_t count = 1;
    if (accept(reader, "unnest")) {
        arguments[1] = parse_leaf(reader);
        return call(reader, "in unnest", false, arguments, 2);
    }
    expect(reader, "(");
    do {
        arguments[count++] = parse_or(reader);
    } while (count < ARGUMENTS_MAX && !reader->failed && accept(reader, ","));
    return expect(reader, ")") ? special(reader, EVS_EXPR_IN, arguments, count) : NULL;
}

static node parse_is(struct reader *reader, node left)
{
    const bool negate = accept(reader, "not");
    if (accept(reader, "distinct")) {
        expect(reader, "from");
        node same = call(reader, "is not distinct from", false, (node[]){left, parse_bit_or(reader)}, 2);
        return negated(reader, same, !negate);
    }
    const enum evs_expr_kind kind = accept(reader, "null")   ? EVS_EXPR_IS_NULL
                                    : accept(reader, "true") ? EVS_EXPR_IS_TRUE
                                                             : EVS_EXPR_IS_FALSE;
    if (kind == EVS_EXPR_IS_FALSE) {
        expect(reader, "false");
    }
    return negated(reader, special(reader, kind, &left, 1), negate);
}

static node parse_comparison(struct reader *reader)
{
    static const char *const signs[] = {"<=", ">=", "!=", "<>", "=", "<", ">"};
    node left = parse_bit_or(reader);
    for (size_t i = 0; i < EVS_COUNT(signs) && !reader->failed; i++) {
        if (accept(reader, signs[i])) {
            return call(reader, signs[i], false, (node[]){left, parse_bit_or(reader)}, 2);
        }
    }
    if (reader->failed) {
        return NULL;
    }
    if (accept(reader, "is")) {
        return parse_is(reader, left);
    }
    const bool negate = accept(reader, "not");
    if (accept(reader, "in")) {
        return negated(reader, parse_in(reader, left), negate);
    }
    if (accept(reader, "like")) {
        return negated(reader, call(reader, "like", false, (node[]){left, parse_bit_or(reader)}, 2), negate);
    }
    if (accept(reader, "between")) {
        node arguments[] = {left, parse_bit_or(reader), NULL};
        expect(reader, "and");
        arguments[2] = parse_bit_or(reader);
        return negated(reader, call(reader, "between", false, arguments, 3), negate);
    }
    return negate ? give_up(reader, "not what") : left;
}

static node parse_not(struct reader *reader)
{
    if (accept(reader, "not")) {
        return negated(reader, parse_not(reader), true);
    }
    return parse_comparison(reader);
}

static node parse_logic(struct reader *reader, const char *word, enum evs_expr_kind kind,
                        node (*next)(struct reader *reader))
{
    node arguments[ARGUMENTS_MAX];
    uint32_t count = 0;
    do {
        arguments[count++] = next(reader);
    } while (count < ARGUMENTS_MAX && !reader->failed && accept(reader, word));
    return count == 1 || reader->failed ? arguments[0] : special(reader, kind, arguments, count);
}
static node parse_and(struct reader *reader)
{
    return parse_logic(reader, "and", EVS_EXPR_AND, parse_not);
}
static node parse_or(struct reader *reader)
{
    return parse_logic(reader, "or", EVS_EXPR_OR, parse_and);
}

const struct evs_expr *expr_from_text(struct evs_arena *arena, const char *text, const struct evs_schema *schema,
                                      struct evs_error *error)
{
    struct reader reader = {.arena = arena, .at = text, .schema = schema, .error = error};
    const struct evs_expr *expr = parse_or(&reader);
    skip_space(&reader);
    if (!reader.failed && *reader.at != '\0') {
        give_up(&reader, "more than one expression");
    }
    return reader.failed ? NULL : expr;
}

/* --- results --- */

/* [1, 2] of an array, (1, a) of a struct. */
static const char *nested_as_text(struct evs_arena *arena, const struct evs_value *value)
{
    const struct evs_nested nested = evs_nested_open(&value->str);
    const char *text = nested.form == EVS_ARRAY ? "[" : "(";
    for (uint32_t i = 0; i < nested.count; i++) {
        const struct evs_value element = evs_nested_at(&nested, i);
        text = evs_arena_printf(arena, "%s%s%s", text, i > 0 ? ", " : "", value_as_text(arena, &element));
    }
    return evs_arena_printf(arena, "%s%s", text, nested.form == EVS_ARRAY ? "]" : ")");
}

const char *value_as_text(struct evs_arena *arena, const struct evs_value *value)
{
    if (value->is_null) {
        return "NULL";
    }
    if (evs_kind_is_nested(value->kind)) {
        return nested_as_text(arena, value);
    }
    if (evs_kind_is_text(value->kind)) {
        return evs_arena_strndup(arena, evs_str_data(&value->str), value->str.count);
    }
    const struct evs_expr *literal = evs_expr_constant(arena, *value, here), *text;
    struct evs_value string;
    if (evs_expr_cast(arena, literal, evs_type_of(EVS_STRING), false, here, &text, NULL) != EVS_OK ||
        evs_expr_fold(arena, text, &string, NULL) != EVS_OK) {
        return "no text";
    }
    return evs_arena_strndup(arena, evs_str_data(&string.str), string.str.count);
}

/* Runs the program over one row without columns. */
static const char *run_one(struct evs_arena *arena, const struct evs_program *program)
{
    struct evs_batch_pool *pool = evs_batch_pool_new();
    struct evs_batch *batch = evs_batch_new(pool, 0);
    batch->row_count = batch->selected_count = 1;
    evs_batch_init_rows(batch, 1);
    batch->event_time_us[0] = 0;
    struct evs_eval *eval = evs_eval_new(program);
    struct evs_column column;
    const struct evs_expr_failure *failures;
    const char *result;
    evs_program_run(eval, batch, &column);
    if (evs_eval_failures(eval, &failures) > 0) {
        result = evs_arena_printf(arena, "error: %s", failures[0].code);
    } else {
        const struct evs_value value = evs_column_value(&column, 0);
        result = value_as_text(arena, &value);
    }
    evs_eval_free(eval);
    evs_batch_unref(batch);
    evs_batch_pool_free(pool);
    return result;
}

const char *result_of(struct evs_arena *arena, const char *text)
{
    struct evs_error error = {0};
    const struct evs_expr *expr = expr_from_text(arena, text, NULL, &error);
    const struct evs_program *program;
    if (expr == NULL || evs_program_compile(arena, &expr, 1, &program, &error) != EVS_OK) {
        return evs_arena_printf(arena, "plan: %s", error.text);
    }
    return run_one(arena, program);
}
