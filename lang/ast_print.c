/* The canonical text of expressions, types and names. Reading it again gives the same tree. */
#include "ast.h"
#include "words.h"

/* How tightly an expression holds together; the order is that of parse_expr.c. */
enum level {
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARISON,
    LEVEL_BIT_OR,
    LEVEL_BIT_XOR,
    LEVEL_BIT_AND,
    LEVEL_SHIFT,
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_UNARY,
    LEVEL_PRIMARY,
};

static const struct {
    const char *sign;
    enum level level;
} ops[] = {
    [EVS_AST_OP_NONE] = {"", LEVEL_PRIMARY},
    [EVS_AST_OP_MINUS] = {"-", LEVEL_UNARY},
    [EVS_AST_OP_PLUS] = {"+", LEVEL_UNARY},
    [EVS_AST_OP_BIT_NOT] = {"~", LEVEL_UNARY},
    [EVS_AST_OP_NOT] = {"not ", LEVEL_NOT},
    [EVS_AST_OP_MULTIPLY] = {"*", LEVEL_PRODUCT},
    [EVS_AST_OP_DIVIDE] = {"/", LEVEL_PRODUCT},
    [EVS_AST_OP_CONCAT] = {"||", LEVEL_PRODUCT},
    [EVS_AST_OP_ADD] = {"+", LEVEL_SUM},
    [EVS_AST_OP_SUBTRACT] = {"-", LEVEL_SUM},
    [EVS_AST_OP_SHIFT_LEFT] = {"<<", LEVEL_SHIFT},
    [EVS_AST_OP_SHIFT_RIGHT] = {">>", LEVEL_SHIFT},
    [EVS_AST_OP_BIT_AND] = {"&", LEVEL_BIT_AND},
    [EVS_AST_OP_BIT_XOR] = {"^", LEVEL_BIT_XOR},
    [EVS_AST_OP_BIT_OR] = {"|", LEVEL_BIT_OR},
    [EVS_AST_OP_EQUAL] = {"=", LEVEL_COMPARISON},
    [EVS_AST_OP_NOT_EQUAL] = {"!=", LEVEL_COMPARISON},
    [EVS_AST_OP_LESS] = {"<", LEVEL_COMPARISON},
    [EVS_AST_OP_LESS_EQUAL] = {"<=", LEVEL_COMPARISON},
    [EVS_AST_OP_GREATER] = {">", LEVEL_COMPARISON},
    [EVS_AST_OP_GREATER_EQUAL] = {">=", LEVEL_COMPARISON},
    [EVS_AST_OP_AND] = {" and ", LEVEL_AND},
    [EVS_AST_OP_OR] = {" or ", LEVEL_OR},
    [EVS_AST_OP_IS_NULL] = {"null", LEVEL_COMPARISON},
    [EVS_AST_OP_IS_TRUE] = {"true", LEVEL_COMPARISON},
    [EVS_AST_OP_IS_FALSE] = {"false", LEVEL_COMPARISON},
    [EVS_AST_OP_IS_UNKNOWN] = {"unknown", LEVEL_COMPARISON},
    [EVS_AST_OP_IS_DISTINCT] = {"distinct from ", LEVEL_COMPARISON},
    [EVS_AST_OP_IN_UNNEST] = {"unnest", LEVEL_COMPARISON},
    [EVS_AST_OP_LIKE_ANY] = {"any ", LEVEL_COMPARISON},
    [EVS_AST_OP_LIKE_ALL] = {"all ", LEVEL_COMPARISON},
    [EVS_AST_OP_EXISTS] = {"exists", LEVEL_PRIMARY},
    [EVS_AST_OP_ARRAY] = {"array", LEVEL_PRIMARY},
};

static bool is_negative(const struct evs_ast_expr *expr)
{
    return expr->kind == EVS_AST_LITERAL &&
           ((expr->value.kind == EVS_INT64 && expr->value.int64 < 0) ||
            (expr->value.kind == EVS_FLOAT64 && __builtin_signbit(expr->value.float64)));
}

static enum level level_of(const struct evs_ast_expr *expr)
{
    switch (expr->kind) {
    case EVS_AST_UNARY:
    case EVS_AST_BINARY:
    case EVS_AST_LOGIC:
        return ops[expr->op].level;
    case EVS_AST_IS:
    case EVS_AST_BETWEEN:
    case EVS_AST_IN:
    case EVS_AST_LIKE:
        return LEVEL_COMPARISON;
    default:
        return is_negative(expr) ? LEVEL_UNARY : LEVEL_PRIMARY;
    }
}

/* --- names, texts, numbers ---------------------------------------------------------------------------------------- */

static bool is_word_byte(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static bool is_plain_name(struct evs_slice name)
{
    for (size_t i = 0; i < name.count; i++) {
        if (!is_word_byte(name.data[i], i == 0)) {
            return false;
        }
    }
    return name.count > 0 && !evs_word_is_reserved(evs_word_find(name));
}

/* Between marks, with the escapes that it needs. */
static void print_quoted(struct evs_buffer *out, struct evs_slice text, char mark, bool is_bytes)
{
    evs_buffer_put(out, &mark, 1);
    for (size_t i = 0; i < text.count; i++) {
        char c = text.data[i];
        const char *named = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
        if (named != NULL) {
            evs_buffer_puts(out, named);
        } else if ((uint8_t)c < 0x20 || c == 0x7F || (is_bytes && (uint8_t)c >= 0x80)) {
            evs_buffer_printf(out, "\\x%02x", (uint8_t)c);
        } else {
            evs_buffer_puts(out, c == mark || c == '\\' ? "\\" : "");
            evs_buffer_put(out, &c, 1);
        }
    }
    evs_buffer_put(out, &mark, 1);
}

void evs_ast_print_ident(struct evs_buffer *out, struct evs_slice name)
{
    if (is_plain_name(name)) {
        evs_buffer_put(out, name.data, name.count);
    } else {
        print_quoted(out, name, '`', false);
    }
}

static void print_names(struct evs_buffer *out, const struct evs_ident *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_puts(out, i > 0 ? "." : "");
        evs_ast_print_ident(out, names[i].text);
    }
}

/* A float keeps a point or an exponent, or it would be read as an int64. */
static void print_float(struct evs_buffer *out, double value)
{
    char text[EVS_FORMAT_MAX];
    uint32_t count = evs_format_float64(text, value);
    evs_buffer_put(out, text, count);
    for (uint32_t i = 0; i < count; i++) {
        if (text[i] == '.' || text[i] == 'e' || text[i] == 'E') {
            return;
        }
    }
    evs_buffer_puts(out, ".0");
}

static void print_literal(struct evs_buffer *out, const struct evs_value *value)
{
    char text[EVS_FORMAT_MAX];
    switch (value->kind) {
    case EVS_BOOL:
        evs_buffer_puts(out, value->boolean ? "true" : "false");
        break;
    case EVS_INT64:
        evs_buffer_put(out, text, evs_format_int64(text, value->int64));
        break;
    case EVS_FLOAT64:
        print_float(out, value->float64);
        break;
    case EVS_BYTES:
        evs_buffer_puts(out, "b");
        print_quoted(out, evs_str_slice(&value->str), '\'', true);
        break;
    case EVS_STRING:
        print_quoted(out, evs_str_slice(&value->str), '\'', false);
        break;
    default:
        EVS_ASSERT(value->is_null);
        evs_buffer_puts(out, "null");
        break;
    }
}

/* --- types -------------------------------------------------------------------------------------------------------- */

static void print_lower(struct evs_buffer *out, struct evs_slice text)
{
    for (size_t i = 0; i < text.count; i++) {
        char c = text.data[i];
        c = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        evs_buffer_put(out, &c, 1);
    }
}

static void print_list(struct evs_buffer *out, const struct evs_ast_expr *const *items, uint32_t count);

static void print_fields(struct evs_buffer *out, const struct evs_ast_type *type)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        evs_buffer_puts(out, i > 0 ? ", " : "");
        if (evs_ident_given(&type->fields[i].name)) {
            evs_ast_print_ident(out, type->fields[i].name.text);
            evs_buffer_puts(out, " ");
        }
        evs_ast_print_type(out, type->fields[i].type);
    }
}

/* A name in which case means nothing. */
static void print_caseless(struct evs_buffer *out, struct evs_slice name)
{
    if (is_plain_name(name)) {
        print_lower(out, name);
    } else {
        print_quoted(out, name, '`', false);
    }
}

static void print_type_name(struct evs_buffer *out, struct evs_slice name)
{
    enum evs_word word = evs_word_find(name);
    bool is_built_in = word == EVS_WORD_ARRAY || word == EVS_WORD_STRUCT || word == EVS_WORD_INTERVAL;
    (is_built_in ? print_lower : print_caseless)(out, name);
}

void evs_ast_print_type(struct evs_buffer *out, const struct evs_ast_type *type)
{
    print_type_name(out, type->name.text);
    if (type->element != NULL || type->field_count > 0) {
        evs_buffer_puts(out, "<");
        if (type->element != NULL) {
            evs_ast_print_type(out, type->element);
        }
        print_fields(out, type);
        evs_buffer_puts(out, ">");
    }
    if (type->parameter_count > 0) {
        evs_buffer_puts(out, "(");
        print_list(out, type->parameters, type->parameter_count);
        evs_buffer_puts(out, ")");
    }
}

/* --- expressions -------------------------------------------------------------------------------------------------- */

/* In parentheses when it holds together less than `least`. */
static void print_at(struct evs_buffer *out, const struct evs_ast_expr *expr, enum level least)
{
    bool needs = level_of(expr) < least;
    evs_buffer_puts(out, needs ? "(" : "");
    evs_ast_print_expr(out, expr);
    evs_buffer_puts(out, needs ? ")" : "");
}

static void print_list(struct evs_buffer *out, const struct evs_ast_expr *const *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_puts(out, i > 0 ? ", " : "");
        evs_ast_print_expr(out, items[i]);
    }
}

static void print_orders(struct evs_buffer *out, const struct evs_ast_orders *orders)
{
    for (uint32_t i = 0; i < orders->count; i++) {
        const struct evs_ast_order *order = &orders->items[i];
        evs_buffer_puts(out, i > 0 ? ", " : " order by ");
        evs_ast_print_expr(out, order->expr);
        evs_buffer_puts(out, order->descending ? " desc" : "");
        evs_buffer_puts(out, order->nulls == EVS_NULLS_FIRST  ? " nulls first"
                             : order->nulls == EVS_NULLS_LAST ? " nulls last"
                                                              : "");
    }
}

static void print_bound(struct evs_buffer *out, const struct evs_ast_frame_bound *bound)
{
    static const char *const texts[] = {
        [EVS_BOUND_UNBOUNDED_PRECEDING] = "unbounded preceding",
        [EVS_BOUND_PRECEDING] = " preceding",
        [EVS_BOUND_CURRENT] = "current row",
        [EVS_BOUND_FOLLOWING] = " following",
        [EVS_BOUND_UNBOUNDED_FOLLOWING] = "unbounded following",
    };
    if (bound->amount != NULL) {
        print_at(out, bound->amount, LEVEL_BIT_OR);
    }
    evs_buffer_puts(out, texts[bound->kind]);
}

static void print_over(struct evs_buffer *out, const struct evs_ast_over *over)
{
    struct evs_buffer inside = {0};
    if (over->partition.count > 0) {
        evs_buffer_puts(&inside, " partition by ");
        print_list(&inside, over->partition.items, over->partition.count);
    }
    print_orders(&inside, &over->order);
    if (over->frame != EVS_FRAME_NONE) {
        evs_buffer_puts(&inside, over->frame == EVS_FRAME_ROWS ? " rows between " : " range between ");
        print_bound(&inside, &over->start);
        evs_buffer_puts(&inside, " and ");
        print_bound(&inside, &over->end);
    }
    if (over->retain != NULL) {
        evs_buffer_puts(&inside, " retain ");
        evs_ast_print_expr(&inside, over->retain);
    }
    evs_buffer_puts(out, " over (");
    evs_buffer_put(out, inside.data + (inside.count > 0), inside.count - (inside.count > 0));
    evs_buffer_puts(out, ")");
    evs_buffer_fini(&inside);
}

static void print_arguments(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        evs_buffer_puts(out, i > 0 ? ", " : "");
        if (expr->argument_names != NULL && evs_ident_given(&expr->argument_names[i])) {
            evs_ast_print_ident(out, expr->argument_names[i].text);
            evs_buffer_puts(out, " => ");
        }
        evs_ast_print_expr(out, expr->arguments[i]);
    }
}

/* Words joined by dots, of which the first may be a reserved one such as `if`. */
static bool is_plain_function(struct evs_slice name)
{
    const char *dot = memchr(name.data, '.', name.count);
    struct evs_slice first = {name.data, dot != NULL ? (size_t)(dot - name.data) : name.count};
    for (size_t i = first.count; i < name.count; i++) {
        bool starts_word = i > first.count && name.data[i - 1] == '.';
        if (!is_word_byte(name.data[i], starts_word) && (name.data[i] != '.' || starts_word || i + 1 == name.count)) {
            return false;
        }
    }
    return is_plain_name(first) || evs_word_is_function(evs_word_find(first));
}

static void print_function_name(struct evs_buffer *out, struct evs_slice name)
{
    if (is_plain_function(name)) {
        evs_buffer_put(out, name.data, name.count);
    } else {
        print_quoted(out, name, '`', false);
    }
}

static void print_call(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    const struct evs_ast_call *call = expr->call;
    evs_buffer_puts(out, expr->safe ? "safe." : "");
    print_function_name(out, call->name);
    evs_buffer_puts(out, call->distinct ? "(distinct " : "(");
    print_arguments(out, expr);
    evs_buffer_puts(out, call->nulls == EVS_NULLS_IGNORE    ? " ignore nulls"
                         : call->nulls == EVS_NULLS_RESPECT ? " respect nulls"
                                                            : "");
    if (call->where != NULL) { /* without an argument there is no place for it inside */
        evs_buffer_puts(out, expr->argument_count > 0 ? " where " : ") filter (where ");
        evs_ast_print_expr(out, call->where);
    }
    if (call->having != NULL) {
        evs_buffer_puts(out, call->having_max ? " having max " : " having min ");
        evs_ast_print_expr(out, call->having);
    }
    print_orders(out, &call->order);
    if (call->limit != NULL) {
        evs_buffer_puts(out, " limit ");
        evs_ast_print_expr(out, call->limit);
    }
    evs_buffer_puts(out, ")");
    if (call->over != NULL) {
        print_over(out, call->over);
    }
}

static void print_operation(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    enum level level = ops[expr->op].level;
    EVS_ASSERT(expr->argument_count == 1 || expr->argument_count == 2 || expr->kind == EVS_AST_LOGIC);
    if (expr->kind == EVS_AST_UNARY) { /* `- -1` must not become a comment */
        evs_buffer_puts(out, ops[expr->op].sign);
        print_at(out, expr->arguments[0], expr->op == EVS_AST_OP_NOT ? LEVEL_NOT : LEVEL_PRIMARY);
        return;
    }
    bool is_logic = expr->kind == EVS_AST_LOGIC, chains = level != LEVEL_COMPARISON && !is_logic;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (i > 0) {
            evs_buffer_printf(out, is_logic ? "%s" : " %s ", ops[expr->op].sign);
        }
        print_at(out, expr->arguments[i], i == 0 && chains ? level : level + 1);
    }
}

static void print_comparison(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    EVS_ASSERT(expr->argument_count >= (expr->kind == EVS_AST_BETWEEN ? 3u : 1u));
    const char *no = expr->negated ? "not " : "";
    print_at(out, expr->arguments[0], LEVEL_BIT_OR);
    if (expr->kind == EVS_AST_IS) {
        evs_buffer_printf(out, " is %s%s", no, ops[expr->op].sign);
        if (expr->op == EVS_AST_OP_IS_DISTINCT) {
            print_at(out, expr->arguments[1], LEVEL_BIT_OR);
        }
    } else if (expr->kind == EVS_AST_BETWEEN) {
        evs_buffer_printf(out, " %sbetween ", no);
        print_at(out, expr->arguments[1], LEVEL_BIT_OR);
        evs_buffer_puts(out, " and ");
        print_at(out, expr->arguments[2], LEVEL_BIT_OR);
    } else if (expr->kind == EVS_AST_LIKE && expr->op == EVS_AST_OP_NONE) {
        evs_buffer_printf(out, " %slike ", no);
        print_at(out, expr->arguments[1], LEVEL_BIT_OR);
    } else if (expr->argument_count == 2 && expr->arguments[1]->kind == EVS_AST_SUBQUERY) {
        evs_buffer_printf(out, " %sin ", no);
        evs_ast_print_expr(out, expr->arguments[1]);
    } else {
        evs_buffer_printf(out, " %s%s %s(", no, expr->kind == EVS_AST_IN ? "in" : "like", ops[expr->op].sign);
        print_list(out, expr->arguments + 1, expr->argument_count - 1);
        evs_buffer_puts(out, ")");
    }
}

static void print_case(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    EVS_ASSERT(expr->argument_count >= 2u + expr->has_operand + expr->has_else);
    uint32_t at = 0, end = expr->argument_count - expr->has_else;
    evs_buffer_puts(out, "case");
    if (expr->has_operand) {
        evs_buffer_puts(out, " ");
        evs_ast_print_expr(out, expr->arguments[at++]);
    }
    for (; at + 1 < end; at += 2) {
        evs_buffer_puts(out, " when ");
        evs_ast_print_expr(out, expr->arguments[at]);
        evs_buffer_puts(out, " then ");
        evs_ast_print_expr(out, expr->arguments[at + 1]);
    }
    if (expr->has_else) {
        evs_buffer_puts(out, " else ");
        evs_ast_print_expr(out, expr->arguments[end]);
    }
    evs_buffer_puts(out, " end");
}

static void print_time_zone(struct evs_buffer *out, const struct evs_ast_expr *expr, uint32_t index)
{
    if (expr->argument_count > index) {
        evs_buffer_puts(out, " at time zone ");
        print_at(out, expr->arguments[index], LEVEL_BIT_OR);
    }
}

static void print_cast(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    evs_buffer_puts(out, expr->safe ? "safe_cast(" : "cast(");
    evs_ast_print_expr(out, expr->arguments[0]);
    evs_buffer_puts(out, " as ");
    evs_ast_print_type(out, expr->type);
    if (expr->argument_count > 1) {
        evs_buffer_puts(out, " format ");
        print_at(out, expr->arguments[1], LEVEL_BIT_OR);
    }
    print_time_zone(out, expr, 2);
    evs_buffer_puts(out, ")");
}

static void print_extract(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    evs_buffer_printf(out, "extract(%s", evs_ast_part_name(expr->part));
    if (evs_ident_given(&expr->week_start)) {
        evs_buffer_puts(out, "(");
        print_caseless(out, expr->week_start.text);
        evs_buffer_puts(out, ")");
    }
    evs_buffer_puts(out, " from ");
    evs_ast_print_expr(out, expr->arguments[0]);
    print_time_zone(out, expr, 1);
    evs_buffer_puts(out, ")");
}

static void print_interval(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    EVS_ASSERT(expr->argument_count == 1 && expr->part != EVS_PART_NONE);
    evs_buffer_puts(out, "interval ");
    print_at(out, expr->arguments[0], LEVEL_UNARY);
    evs_buffer_printf(out, " %s", evs_ast_part_name(expr->part));
    if (expr->part_to != EVS_PART_NONE) {
        evs_buffer_printf(out, " to %s", evs_ast_part_name(expr->part_to));
    }
}

static void print_constructor(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    bool is_array = expr->kind == EVS_AST_ARRAY;
    if (expr->type != NULL) {
        evs_ast_print_type(out, expr->type);
    } else {
        evs_buffer_puts(out, is_array ? "" : "struct");
    }
    evs_buffer_puts(out, is_array ? "[" : "(");
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        evs_buffer_puts(out, i > 0 ? ", " : "");
        evs_ast_print_expr(out, expr->arguments[i]);
        if (expr->argument_names != NULL && evs_ident_given(&expr->argument_names[i])) {
            evs_buffer_puts(out, " as ");
            evs_ast_print_ident(out, expr->argument_names[i].text);
        }
    }
    evs_buffer_puts(out, is_array ? "]" : ")");
}

static void print_typed_literal(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    evs_buffer_printf(out, "%s ", evs_kind_name(expr->value_kind));
    print_quoted(out, evs_str_slice(&expr->value.str), '\'', false);
}

/* (a).b is a field of the column a, a.b may be a column of a; and 1.b is no number. */
static void print_access(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    const struct evs_ast_expr *operand = expr->arguments[0];
    bool needs = expr->kind == EVS_AST_FIELD && (operand->kind == EVS_AST_PATH || operand->kind == EVS_AST_LITERAL);
    evs_buffer_puts(out, needs ? "(" : "");
    print_at(out, operand, needs ? LEVEL_OR : LEVEL_PRIMARY);
    evs_buffer_puts(out, needs ? ")" : "");
    if (expr->kind == EVS_AST_FIELD) {
        evs_buffer_puts(out, ".");
        evs_ast_print_ident(out, expr->names[0].text);
    } else {
        evs_buffer_puts(out, "[");
        evs_ast_print_expr(out, expr->arguments[1]);
        evs_buffer_puts(out, "]");
    }
}

void evs_ast_print_expr(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    switch (expr->kind) {
    case EVS_AST_ERROR:
        evs_buffer_puts(out, "<error>");
        break;
    case EVS_AST_LITERAL:
        print_literal(out, &expr->value);
        break;
    case EVS_AST_TYPED_LITERAL:
        print_typed_literal(out, expr);
        break;
    case EVS_AST_PATH:
        print_names(out, expr->names, expr->name_count);
        break;
    case EVS_AST_PARAMETER:
        evs_buffer_puts(out, "@");
        print_names(out, expr->names, 1);
        break;
    case EVS_AST_FIELD:
    case EVS_AST_INDEX:
        print_access(out, expr);
        break;
    case EVS_AST_CALL:
        print_call(out, expr);
        break;
    case EVS_AST_UNARY:
    case EVS_AST_BINARY:
    case EVS_AST_LOGIC:
        print_operation(out, expr);
        break;
    case EVS_AST_IS:
    case EVS_AST_BETWEEN:
    case EVS_AST_IN:
    case EVS_AST_LIKE:
        print_comparison(out, expr);
        break;
    case EVS_AST_CASE:
        print_case(out, expr);
        break;
    case EVS_AST_CAST:
        print_cast(out, expr);
        break;
    case EVS_AST_EXTRACT:
        print_extract(out, expr);
        break;
    case EVS_AST_INTERVAL:
        print_interval(out, expr);
        break;
    case EVS_AST_ARRAY:
    case EVS_AST_STRUCT:
        print_constructor(out, expr);
        break;
    case EVS_AST_STAR:
        evs_buffer_puts(out, "*");
        break;
    case EVS_AST_SUBQUERY:
        evs_buffer_printf(out, "%s(from …)", ops[expr->op].sign);
        break;
    }
}

char *evs_ast_expr_text(struct evs_arena *arena, const struct evs_ast_expr *expr)
{
    struct evs_buffer text = {0};
    evs_ast_print_expr(&text, expr);
    char *copy = evs_arena_strndup(arena, text.data != NULL ? text.data : "", text.count);
    evs_buffer_fini(&text);
    return copy;
}
