/* Warnings of what is legal and surely not meant. A rule stands here only if it is right nearly always: a pipeline of good sense has no warning.
 *
 *   W0001  comparison with NULL                      W0010  like without % and _
 *   W0002  never true: x = 'a' and x = 'b'           W0011  said twice
 *   W0008  always true: x != 'a' or x != 'b'         W0012  lower(x) = 'ABC'
 *   W0009  a branch that is never reached            W0013  compared with itself
 *
 * They look at one expression when it is bound, with its syntax beside it: the places are those of the text. What depends on a parameter is
 * nobody's mistake (`where @on`), so it is no constant here. Pairs are looked for in short lists only, so that long ones cost no square.
 *
 * Left out, since they have a good use: windows smaller than the delay of the watermark, `x = true`, `is not null` of a column that is never
 * NULL, count(x) of such a column, throttle and deduplicate on revisions. A division that truncates has no warning because there is none by accident: `/` of
 * two int64 is a float64, and who writes div asks for it. */
#include "bind.h"

#include <ctype.h>
#include <string.h>

#define PAIRS_MAX 64

/* --- constants ------------------------------------------------------------------------------------------------------------------ */

static bool has_parameter(const struct evs_ast_expr *ast)
{
    bool found = ast->kind == EVS_AST_PARAMETER;
    for (uint32_t i = 0; i < ast->argument_count && !found; i++) {
        found = ast->arguments[i] != NULL && has_parameter(ast->arguments[i]);
    }
    return found;
}

/* A name may stand for a constant that an operator before has computed; whoever wrote it meant a column. */
static bool has_name(const struct evs_ast_expr *ast)
{
    bool found = ast->kind == EVS_AST_PATH;
    for (uint32_t i = 0; i < ast->argument_count && !found; i++) {
        found = ast->arguments[i] != NULL && has_name(ast->arguments[i]);
    }
    return found;
}

/* A value that the text says, whatever row and parameters. */
static bool is_fixed(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr,
                     struct evs_value *value)
{
    struct evs_error error;
    return ast->kind != EVS_AST_SUBQUERY && evs_expr_is_constant(expr) && !has_parameter(ast) && !has_name(ast) &&
           evs_expr_fold(binder->arena, expr, value, &error) == EVS_OK;
}

static bool is_null_literal(const struct evs_ast_expr *ast)
{
    return ast->kind == EVS_AST_LITERAL && ast->value.kind == EVS_NULL_KIND;
}

static bool is_comparison(const struct evs_ast_expr *ast)
{
    return ast->kind == EVS_AST_BINARY && ast->op >= EVS_AST_OP_EQUAL && ast->op <= EVS_AST_OP_GREATER_EQUAL;
}

/* --- two conditions of one value ---------------------------------------------------------------------------------------------------- */

/* subject OP constant, whichever way it is written. */
struct limit {
    enum evs_ast_op op;
    const struct evs_expr *subject, *constant;
};

static enum evs_ast_op mirrored(enum evs_ast_op op)
{
    switch (op) {
    case EVS_AST_OP_LESS:
        return EVS_AST_OP_GREATER;
    case EVS_AST_OP_LESS_EQUAL:
        return EVS_AST_OP_GREATER_EQUAL;
    case EVS_AST_OP_GREATER:
        return EVS_AST_OP_LESS;
    case EVS_AST_OP_GREATER_EQUAL:
        return EVS_AST_OP_LESS_EQUAL;
    default:
        return op;
    }
}

static bool limit_of(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr,
                     struct limit *limit)
{
    if (!is_comparison(ast) || expr->kind != EVS_EXPR_CALL || expr->argument_count != 2) {
        return false;
    }
    struct evs_value value;
    for (uint32_t i = 0; i < 2; i++) {
        bool is_other_fixed = is_fixed(binder, ast->arguments[1 - i], expr->arguments[1 - i], &value);
        if (is_fixed(binder, ast->arguments[i], expr->arguments[i], &value) && !value.is_null && !is_other_fixed) {
            *limit = (struct limit){i == 1 ? ast->op : mirrored(ast->op), expr->arguments[1 - i], expr->arguments[i]};
            return true;
        }
    }
    return false;
}

static bool holds(struct evs_binder *binder, const char *sign, const struct evs_expr *a, const struct evs_expr *b)
{
    const struct evs_expr *sides[] = {a, b}, *expr = NULL;
    struct evs_value value;
    struct evs_error error;
    return evs_expr_call(binder->arena, evs_slice_of(sign), false, sides, 2, a->place, &expr, &error) == EVS_OK &&
           evs_expr_fold(binder->arena, expr, &value, &error) == EVS_OK && !value.is_null && value.boolean;
}

/* Does a value at `order` (-1, 0, 1) of the constant fit? */
static bool fits(enum evs_ast_op op, int order)
{
    switch (op) {
    case EVS_AST_OP_EQUAL:
        return order == 0;
    case EVS_AST_OP_NOT_EQUAL:
        return order != 0;
    case EVS_AST_OP_LESS:
        return order < 0;
    case EVS_AST_OP_LESS_EQUAL:
        return order <= 0;
    case EVS_AST_OP_GREATER:
        return order > 0;
    default:
        EVS_ASSERT(op == EVS_AST_OP_GREATER_EQUAL);
        return order >= 0;
    }
}

/* Whether no value fits both (and), or every value fits one of them (or). Tries a value everywhere: below both constants, at each, between, above.
 * Constants without an order (NaN) tell nothing. */
static bool is_decided(struct evs_binder *binder, bool is_and, const struct limit *a, const struct limit *b)
{
    bool is_less = holds(binder, "<", a->constant, b->constant);
    bool is_equal = holds(binder, "=", a->constant, b->constant);
    if (!is_less && !is_equal && !holds(binder, ">", a->constant, b->constant)) {
        return false;
    }
    /* The orders of these values to the smaller constant and to the larger one. */
    static const int apart[][2] = {{-1, -1}, {0, -1}, {1, -1}, {1, 0}, {1, 1}}, same[][2] = {{-1, -1}, {0, 0}, {1, 1}};
    const int(*places)[2] = is_equal ? same : apart;
    const struct limit *smaller = is_less || is_equal ? a : b, *larger = smaller == a ? b : a;
    for (size_t i = 0; i < (is_equal ? EVS_COUNT(same) : EVS_COUNT(apart)); i++) {
        bool fits_smaller = fits(smaller->op, places[i][0]), fits_larger = fits(larger->op, places[i][1]);
        if (is_and ? fits_smaller && fits_larger : !fits_smaller && !fits_larger) {
            return false;
        }
    }
    return true;
}

static void warn_pair(struct evs_binder *binder, bool is_and, const struct evs_ast_expr *first,
                      const struct evs_ast_expr *second)
{
    struct evs_arena *arena = binder->arena;
    enum evs_ast_op telling = is_and ? EVS_AST_OP_EQUAL : EVS_AST_OP_NOT_EQUAL;
    bool is_mix_up = first->op == telling && second->op == telling;
    struct evs_diag *diag;
    if (is_and) {
        diag = evs_report(binder, EVS_W0002, second->place, "`%s` and `%s` are never true together",
                          evs_ast_expr_text(arena, first), evs_ast_expr_text(arena, second));
        evs_diag_hint(diag, is_mix_up ? "one value is not two: is `or` meant, or in (…)?" : "no value passes both");
    } else {
        diag = evs_report(binder, EVS_W0008, second->place, "`%s` or `%s` is true for every value",
                          evs_ast_expr_text(arena, first), evs_ast_expr_text(arena, second));
        evs_diag_hint(diag, is_mix_up ? "is `and` meant, or not in (…)?" : "each value passes one of them");
    }
}

void evs_warn_conditions(struct evs_binder *binder, bool is_and, const struct evs_ast_expr *const *asts,
                         const struct evs_expr *const *exprs, uint32_t count)
{
    struct limit limits[PAIRS_MAX] = {0};
    for (uint32_t i = 0; i < count && count <= PAIRS_MAX; i++) {
        bool is_limit = exprs[i] != NULL && limit_of(binder, asts[i], exprs[i], &limits[i]);
        bool is_told = exprs[i] == NULL;
        for (uint32_t k = 0; k < i && !is_told; k++) {
            if (exprs[k] != NULL && evs_expr_equal(exprs[i], exprs[k])) {
                evs_report(binder, EVS_W0011, asts[i]->place, "this condition is there already: `%s`",
                           evs_ast_expr_text(binder->arena, asts[i]));
                is_told = true;
            } else if (is_limit && limits[k].subject != NULL && evs_expr_equal(limits[i].subject, limits[k].subject) &&
                       is_decided(binder, is_and, &limits[k], &limits[i])) {
                warn_pair(binder, is_and, asts[k], asts[i]);
                is_told = true;
            }
        }
    }
}

/* --- one comparison ----------------------------------------------------------------------------------------------------------------- */

/* lower(…), upper(…): the letters that their result never has. NULL: another expression. */
static int (*letters_without(const struct evs_ast_expr *ast))(int)
{
    if (ast->kind != EVS_AST_CALL || ast->argument_count != 1) {
        return NULL;
    }
    return evs_slice_equal_nocase(ast->call->name, "lower")   ? isupper
           : evs_slice_equal_nocase(ast->call->name, "upper") ? islower
                                                              : NULL;
}

/* Letters beyond ASCII are left alone. */
static void warn_letters(struct evs_binder *binder, const struct evs_ast_expr *call, const struct evs_ast_expr *ast,
                         const struct evs_expr *expr)
{
    int (*is_impossible)(int) = letters_without(call);
    struct evs_value value;
    if (is_impossible == NULL || expr->type->kind != EVS_STRING || !is_fixed(binder, ast, expr, &value) ||
        value.is_null) {
        return;
    }
    struct evs_slice text = evs_str_slice(&value.str);
    for (size_t i = 0; i < text.count; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x80 && is_impossible(byte)) {
            struct evs_diag *diag = evs_report(binder, EVS_W0012, ast->place, "`%s` never gives this text",
                                               evs_ast_expr_text(binder->arena, call));
            evs_diag_hint(diag, "write it in %s case", is_impossible == isupper ? "lower" : "upper");
            return;
        }
    }
}

static void warn_comparison(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr)
{
    const struct evs_ast_expr *left = ast->arguments[0], *right = ast->arguments[1];
    struct evs_diag *diag = NULL;
    if (is_null_literal(left) || is_null_literal(right)) {
        diag = evs_report(binder, EVS_W0001, ast->place, "a comparison with NULL is never true");
        evs_diag_hint(diag, "write is %snull", ast->op == EVS_AST_OP_EQUAL ? "" : "not ");
        return;
    }
    if (expr->kind != EVS_EXPR_CALL || expr->argument_count != 2) {
        return;
    }
    if (!evs_expr_is_constant(expr->arguments[0]) && evs_expr_equal(expr->arguments[0], expr->arguments[1])) {
        diag = evs_report(binder, EVS_W0013, ast->place, "both sides of this comparison are the same");
        evs_diag_hint(diag, "`is not null` asks whether there is a value");
    }
    if (ast->op == EVS_AST_OP_EQUAL || ast->op == EVS_AST_OP_NOT_EQUAL) {
        warn_letters(binder, left, right, expr->arguments[1]);
        warn_letters(binder, right, left, expr->arguments[0]);
    }
}

static void warn_in(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr)
{
    const struct evs_expr *list = expr->kind == EVS_EXPR_NOT ? expr->arguments[0] : expr;
    if (list->kind != EVS_EXPR_IN || list->argument_count != ast->argument_count) {
        return;
    }
    for (uint32_t i = 1; i < ast->argument_count; i++) {
        if (is_null_literal(ast->arguments[i])) {
            struct evs_diag *diag = evs_report(binder, EVS_W0001, ast->arguments[i]->place,
                                               ast->negated ? "with a NULL in the list `not in` is never true"
                                                            : "a NULL in the list equals nothing");
            evs_diag_hint(diag, "write `… is %snull` beside the list", ast->negated ? "not " : "");
            continue;
        }
        warn_letters(binder, ast->arguments[0], ast->arguments[i], list->arguments[i]);
        for (uint32_t k = 1; k < i && ast->argument_count <= PAIRS_MAX; k++) {
            if (evs_expr_equal(list->arguments[i], list->arguments[k])) {
                evs_report(binder, EVS_W0011, ast->arguments[i]->place, "this value is in the list already: %s",
                           evs_ast_expr_text(binder->arena, ast->arguments[i]));
                break;
            }
        }
    }
}

static void warn_between(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr)
{
    const struct evs_expr *both = expr->kind == EVS_EXPR_NOT ? expr->arguments[0] : expr;
    struct evs_value value;
    if (both->kind != EVS_EXPR_AND || both->argument_count != 2 || both->arguments[0]->kind != EVS_EXPR_CALL ||
        both->arguments[1]->kind != EVS_EXPR_CALL) {
        return;
    }
    const struct evs_expr *low = both->arguments[0]->arguments[1], *high = both->arguments[1]->arguments[1];
    if (is_fixed(binder, ast->arguments[1], low, &value) && is_fixed(binder, ast->arguments[2], high, &value) &&
        holds(binder, ">", low, high)) {
        struct evs_diag *diag = evs_report(
            binder, ast->negated ? EVS_W0008 : EVS_W0002, ast->place, "nothing lies between %s and %s",
            evs_ast_expr_text(binder->arena, ast->arguments[1]), evs_ast_expr_text(binder->arena, ast->arguments[2]));
        evs_diag_hint(diag, "the smaller one comes first");
    }
}

static bool has_wildcard(struct evs_slice pattern)
{
    for (size_t i = 0; i < pattern.count; i++) {
        if (pattern.data[i] == '%' || pattern.data[i] == '_' || pattern.data[i] == '\\') {
            return true;
        }
    }
    return false;
}

static void warn_like(struct evs_binder *binder, const struct evs_ast_expr *ast)
{
    bool is_single = ast->argument_count == 2 && ast->op != EVS_AST_OP_LIKE_ALL && ast->op != EVS_AST_OP_LIKE_ANY;
    const struct evs_ast_expr *pattern = ast->arguments[1];
    if (!is_single || pattern->kind != EVS_AST_LITERAL || pattern->value.kind != EVS_STRING) {
        return;
    }
    struct evs_slice text = evs_str_slice(&pattern->value.str);
    if (!has_wildcard(text)) {
        struct evs_diag *diag = evs_report(binder, EVS_W0010, pattern->place,
                                           "a pattern without %% and _ is the text itself, from its start to its end");
        evs_diag_hint(diag, "write %s, or '%%%.*s%%' for a part of the text", ast->negated ? "!=" : "=",
                      (int)text.count, text.data);
    }
}

/* --- branches ----------------------------------------------------------------------------------------------------------------------- */

/* Is the condition of a branch one of those before it? */
static bool is_repeated(const struct evs_expr *expr, uint32_t at)
{
    for (uint32_t k = 0; k < at && at <= 2 * PAIRS_MAX; k += 2) {
        if (evs_expr_equal(expr->arguments[k], expr->arguments[at])) {
            return true;
        }
    }
    return false;
}

static void warn_case(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr)
{
    if (expr->kind != EVS_EXPR_CASE) {
        return;
    }
    uint32_t first = ast->has_operand ? 1 : 0;
    for (uint32_t i = 0; i + 1 < ast->argument_count - first; i += 2) {
        const struct evs_ast_expr *when = ast->arguments[first + i];
        struct evs_value value;
        bool is_constant = !ast->has_operand && is_fixed(binder, when, expr->arguments[i], &value);
        bool is_true = is_constant && !value.is_null && value.boolean;
        if (is_repeated(expr, i)) {
            evs_report(binder, EVS_W0009, when->place, "this branch is never reached: an earlier one has the same %s",
                       ast->has_operand ? "value" : "condition");
        } else if (ast->has_operand && is_null_literal(when)) {
            struct evs_diag *diag =
                evs_report(binder, EVS_W0001, when->place, "a NULL equals nothing, so this branch is never reached");
            evs_diag_hint(diag, "write case when … is null then …");
        } else if (is_constant && !is_true) {
            evs_report(binder, EVS_W0009, when->place, "this branch is never reached: its condition is never true");
        } else if (is_true && first + i + 2 < ast->argument_count) {
            struct evs_diag *diag =
                evs_report(binder, EVS_W0009, ast->arguments[first + i + 2]->place,
                           "nothing behind this condition is reached: the branch before is always taken");
            evs_report_note(binder, diag, when->place, "always true");
        }
    }
}

/* coalesce(a, b), ifnull(a, b): where `a` is never NULL, `b` is never taken. */
static void warn_coalesce(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr)
{
    bool is_named =
        evs_slice_equal_nocase(ast->call->name, "coalesce") || evs_slice_equal_nocase(ast->call->name, "ifnull");
    if (!is_named || expr->kind != EVS_EXPR_COALESCE || expr->argument_count != ast->argument_count) {
        return;
    }
    for (uint32_t i = 0; i + 1 < ast->argument_count; i++) {
        if (!expr->arguments[i]->nullable && !has_parameter(ast->arguments[i])) {
            struct evs_diag *diag = evs_report(binder, EVS_W0009, ast->arguments[i + 1]->place,
                                               "this value is never taken: `%s` is never NULL",
                                               evs_ast_expr_text(binder->arena, ast->arguments[i]));
            evs_diag_hint(diag, "leave it out");
            return;
        }
    }
}

/* --- all of them -------------------------------------------------------------------------------------------------------------------- */

void evs_warn_expr(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr)
{
    switch (ast->kind) {
    case EVS_AST_BINARY:
        if (is_comparison(ast)) {
            warn_comparison(binder, ast, expr);
        }
        break;
    case EVS_AST_LOGIC:
        if (expr->argument_count == ast->argument_count) {
            evs_warn_conditions(binder, ast->op == EVS_AST_OP_AND, ast->arguments, expr->arguments,
                                ast->argument_count);
        }
        break;
    case EVS_AST_IN:
        warn_in(binder, ast, expr);
        break;
    case EVS_AST_BETWEEN:
        warn_between(binder, ast, expr);
        break;
    case EVS_AST_LIKE:
        warn_like(binder, ast);
        break;
    case EVS_AST_CASE:
        warn_case(binder, ast, expr);
        break;
    case EVS_AST_CALL:
        warn_coalesce(binder, ast, expr);
        break;
    default:
        break;
    }
}

/* A condition that rows pass, as where and assert have it. */
void evs_warn_filter(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr)
{
    struct evs_value value;
    bool is_told = evs_diagnostics_errors(binder->diagnostics) > 0; /* it may be NULL because it is wrong */
    if (is_told) {
        return;
    }
    bool is_null_test = ast->kind == EVS_AST_IS && ast->op == EVS_AST_OP_IS_NULL && !ast->negated;
    if (is_null_test && expr->kind == EVS_EXPR_IS_NULL && !expr->arguments[0]->nullable) {
        evs_report(binder, EVS_W0002, ast->place, "this condition is never true: `%s` is never NULL here",
                   evs_ast_expr_text(binder->arena, ast->arguments[0]));
    } else if (is_fixed(binder, ast, expr, &value)) {
        bool is_true = !value.is_null && value.boolean;
        bool is_bare = ast->kind == EVS_AST_LITERAL; /* where true: a place to write conditions behind */
        if (!is_true) {
            evs_report(binder, EVS_W0002, ast->place, "this condition is never true: no row passes");
        } else if (!is_bare) {
            evs_report(binder, EVS_W0008, ast->place, "this condition is always true: every row passes");
        }
    }
}
