/* The condition of a join, taken apart: which equalities make its key, which comparisons bound the two event times, and what is left.
 *
 * A comparison bounds the times when, written as one side minus the other, it is
 *
 *      right time - left time + constant  (< | <= | = | >= | >)  0          or its mirror image
 *
 * for which each side of it is read as a sum of event times and constant intervals. Times are whole microseconds, so `<` is `<=` of one less. */
#include "bind_join.h"

#define DAY_US INT64_C(86400000000)

/* --- both sides at once ---------------------------------------------------------------------------------------------------------- */

/* Column `i` of the right relation is column `left count + i` of both. */
static const struct evs_expr *shifted(struct evs_joining *joining, const struct evs_expr *expr)
{
    uint32_t count = joining->right.base->column_count, first = joining->left->base->column_count;
    uint32_t *map = EVS_ARENA_ARRAY(joining->binder->arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        map[i] = first + i;
    }
    return evs_expr_remap(joining->binder->arena, expr, map);
}

static void add_shifted(struct evs_joining *joining, struct evs_columns *to, const struct evs_columns *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        evs_columns_add(joining->binder, to, from->items[i].name, shifted(joining, from->items[i].expr));
    }
}

/* A relation that is only looked at: it tells the columns of both. */
static struct evs_rel *base_of_both(struct evs_joining *joining)
{
    const struct evs_rel *left = joining->left->base, *right = joining->right.base;
    struct evs_rel *rel = EVS_ARENA_NEW(joining->binder->arena, struct evs_rel);
    rel->column_count = left->column_count + right->column_count;
    rel->columns = EVS_ARENA_ARRAY(joining->binder->arena, struct evs_rel_column, rel->column_count + 1);
    for (uint32_t i = 0; i < rel->column_count; i++) {
        rel->columns[i] = i < left->column_count ? left->columns[i] : right->columns[i - left->column_count];
    }
    rel->event_time_column = EVS_NO_COLUMN;
    return rel;
}

static bool add_range(struct evs_joining *joining, const struct evs_range *range)
{
    struct evs_scope *both = &joining->both;
    for (uint32_t i = 0; i < both->range_count; i++) {
        if (evs_name_equal(both->ranges[i].name, range->name)) {
            struct evs_diag *diag = evs_report(joining->binder, EVS_E0432, joining->ast->right.place,
                                               "`%s` would name both sides of the join", range->name);
            evs_diag_hint(diag, "name this one: join … as NAME");
            return false;
        }
    }
    if (both->range_count == EVS_RANGES_MAX) {
        evs_report(joining->binder, EVS_E0432, joining->ast->right.place,
                   "a query names at most %d joined relations; `|> select` ends the names before", EVS_RANGES_MAX);
        return false;
    }
    struct evs_range *to = &both->ranges[both->range_count++];
    *to = (struct evs_range){.name = range->name};
    add_shifted(joining, &to->columns, &range->columns);
    return true;
}

bool evs_join_bind_both(struct evs_joining *joining)
{
    joining->both = evs_scope_copy(joining->binder, joining->left);
    joining->both.base = base_of_both(joining);
    add_shifted(joining, &joining->both.columns, &joining->right.columns);
    for (uint32_t i = 0; i < joining->right.range_count; i++) {
        if (!add_range(joining, &joining->right.ranges[i])) {
            return false;
        }
    }
    return true;
}

/* --- which side an expression reads ------------------------------------------------------------------------------------------------ */

enum reading { READS_NOTHING = 0, READS_LEFT = 1, READS_RIGHT = 2, READS_BOTH = 3 };

static unsigned reading_of(const struct evs_joining *joining, const struct evs_expr *expr)
{
    uint32_t first = joining->left->base->column_count, count = joining->both.base->column_count;
    uint64_t *words = EVS_ARENA_ARRAY(joining->binder->arena, uint64_t, EVS_VALID_WORDS(count) + 1);
    evs_expr_columns(expr, words);
    unsigned reading = READS_NOTHING;
    for (uint32_t i = 0; i < count; i++) {
        if ((words[i / 64] >> (i % 64)) & 1) {
            reading |= i < first ? READS_LEFT : READS_RIGHT;
        }
    }
    return reading;
}

/* An expression over both that reads the right side alone, over the right relation. */
static const struct evs_expr *of_right(struct evs_joining *joining, const struct evs_expr *expr)
{
    uint32_t first = joining->left->base->column_count, count = joining->both.base->column_count;
    uint32_t *map = EVS_ARENA_ARRAY(joining->binder->arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        map[i] = i < first ? 0 : i - first;
    }
    return evs_expr_remap(joining->binder->arena, expr, map);
}

/* --- keys --------------------------------------------------------------------------------------------------------------------------- */

/* Equal values of other kinds may differ in their bytes (one month is thirty days), or have no equality at all. */
static bool can_be_key(const struct evs_expr *a, const struct evs_expr *b)
{
    enum evs_kind kind = a->type->kind;
    return kind == b->type->kind && kind != EVS_NULL_KIND && kind != EVS_JSON && kind != EVS_INTERVAL &&
           kind != EVS_ARRAY && kind != EVS_STRUCT;
}

/* Takes `a = b` of one expression of each side. False: it is no key. */
static bool take_key(struct evs_joining *joining, const struct evs_expr *equality)
{
    if (equality->kind != EVS_EXPR_CALL || equality->argument_count != 2) {
        return false;
    }
    const struct evs_expr *a = equality->arguments[0], *b = equality->arguments[1];
    unsigned reads_a = reading_of(joining, a), reads_b = reading_of(joining, b);
    bool is_tie = (reads_a | reads_b) == READS_BOTH ||
                  (joining->takes_constants && (reads_a | reads_b) == READS_RIGHT && reads_a != reads_b);
    bool is_key = is_tie && reads_a != READS_BOTH && reads_b != READS_BOTH && can_be_key(a, b) &&
                  joining->key_count < EVS_JOIN_KEYS_MAX;
    if (is_key) {
        struct evs_join_key *key = &joining->keys[joining->key_count++];
        key->place = equality->place;
        key->sides[0] = reads_a == READS_RIGHT ? b : a;
        key->sides[1] = of_right(joining, reads_a == READS_RIGHT ? a : b);
    }
    return is_key;
}

/* --- bounds ------------------------------------------------------------------------------------------------------------------------- */

/* left · (left time) + right · (right time) + us */
struct sum {
    int left, right;
    int64_t us;
};

static bool add(struct sum *a, const struct sum *b, int sign)
{
    int64_t us;
    a->left += sign * b->left;
    a->right += sign * b->right;
    bool fits = sign > 0 ? !__builtin_add_overflow(a->us, b->us, &us) : !__builtin_sub_overflow(a->us, b->us, &us);
    a->us = fits ? us : a->us;
    return fits;
}

static bool sum_of(struct evs_joining *joining, const struct evs_ast_expr *ast, struct sum *sum);

static bool sum_of_two(struct evs_joining *joining, const struct evs_ast_expr *ast, int sign, struct sum *sum)
{
    struct sum other;
    return sum_of(joining, ast->arguments[0], sum) && sum_of(joining, ast->arguments[1], &other) &&
           add(sum, &other, sign);
}

/* A time of one side, or a constant interval. */
static bool sum_of_one(struct evs_joining *joining, const struct evs_ast_expr *ast, struct sum *sum)
{
    struct evs_context context = {.scope = &joining->both};
    const struct evs_expr *expr = evs_bind_expr(joining->binder, &context, ast);
    const struct evs_rel *left = joining->left->base, *right = joining->right.base;
    *sum = (struct sum){0};
    if (expr == NULL) {
        return false;
    }
    if (expr->kind == EVS_EXPR_COLUMN) {
        sum->left = expr->column == left->event_time_column;
        sum->right =
            right->event_time_column != EVS_NO_COLUMN && expr->column == left->column_count + right->event_time_column;
        return sum->left + sum->right == 1;
    }
    struct evs_value value;
    struct evs_error error;
    if (!evs_expr_is_constant(expr) || expr->type->kind != EVS_INTERVAL ||
        evs_expr_fold(joining->binder->arena, expr, &value, &error) != EVS_OK || value.is_null ||
        value.interval.months != 0) {
        return false;
    }
    int64_t days_us;
    return !__builtin_mul_overflow((int64_t)value.interval.days, DAY_US, &days_us) &&
           !__builtin_add_overflow(days_us, value.interval.us, &sum->us);
}

static bool sum_of(struct evs_joining *joining, const struct evs_ast_expr *ast, struct sum *sum)
{
    bool is_call = ast->kind == EVS_AST_CALL && ast->argument_count == 2 && ast->argument_names == NULL;
    if (ast->kind == EVS_AST_BINARY && (ast->op == EVS_AST_OP_ADD || ast->op == EVS_AST_OP_SUBTRACT)) {
        return sum_of_two(joining, ast, ast->op == EVS_AST_OP_ADD ? 1 : -1, sum);
    }
    if (is_call && evs_slice_equal_nocase(ast->call->name, "timestamp_add")) {
        return sum_of_two(joining, ast, 1, sum);
    }
    if (is_call && evs_slice_equal_nocase(ast->call->name, "timestamp_sub")) {
        return sum_of_two(joining, ast, -1, sum);
    }
    return sum_of_one(joining, ast, sum);
}

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

static int64_t beside(int64_t us, int64_t step)
{
    int64_t sum;
    return __builtin_add_overflow(us, step, &sum) ? us : sum;
}

/* right time - left time (op) us */
static void narrow(struct evs_joining *joining, enum evs_ast_op op, int64_t us)
{
    bool is_upper = op == EVS_AST_OP_LESS || op == EVS_AST_OP_LESS_EQUAL || op == EVS_AST_OP_EQUAL;
    bool is_lower = op == EVS_AST_OP_GREATER || op == EVS_AST_OP_GREATER_EQUAL || op == EVS_AST_OP_EQUAL;
    int64_t highest = op == EVS_AST_OP_LESS ? beside(us, -1) : us,
            lowest = op == EVS_AST_OP_GREATER ? beside(us, 1) : us;
    if (is_upper && highest < joining->upper_us) {
        joining->upper_us = highest;
    }
    if (is_lower && lowest > joining->lower_us) {
        joining->lower_us = lowest;
    }
}

/* a (op) b as a bound of the times. False: it is none. */
static bool take_bound(struct evs_joining *joining, enum evs_ast_op op, const struct evs_ast_expr *a,
                       const struct evs_ast_expr *b)
{
    struct sum sum, other;
    if (op < EVS_AST_OP_EQUAL || op > EVS_AST_OP_GREATER_EQUAL || op == EVS_AST_OP_NOT_EQUAL ||
        !sum_of(joining, a, &sum) || !sum_of(joining, b, &other) || !add(&sum, &other, -1)) {
        return false;
    }
    if (sum.us == INT64_MIN || sum.left + sum.right != 0 || (sum.left != 1 && sum.left != -1)) {
        return false;
    }
    bool is_mirrored = sum.left == 1;
    narrow(joining, is_mirrored ? mirrored(op) : op, is_mirrored ? sum.us : -sum.us);
    return true;
}

static bool take_between(struct evs_joining *joining, const struct evs_ast_expr *ast)
{
    int64_t lower_us = joining->lower_us, upper_us = joining->upper_us;
    if (take_bound(joining, EVS_AST_OP_GREATER_EQUAL, ast->arguments[0], ast->arguments[1]) &&
        take_bound(joining, EVS_AST_OP_LESS_EQUAL, ast->arguments[0], ast->arguments[2])) {
        return true;
    }
    joining->lower_us = lower_us;
    joining->upper_us = upper_us;
    return false;
}

/* --- conditions ------------------------------------------------------------------------------------------------------------------------ */

static bool has_room(struct evs_joining *joining, uint32_t count, struct evs_place place)
{
    if (count == EVS_JOIN_CONDITIONS_MAX) {
        evs_report(joining->binder, EVS_E0430, place, "a join has at most %d conditions", EVS_JOIN_CONDITIONS_MAX);
    }
    return count < EVS_JOIN_CONDITIONS_MAX;
}

static bool take_condition(struct evs_joining *joining, const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = &joining->both};
    const struct evs_expr *expr = evs_bind_expr(joining->binder, &context, ast);
    expr = expr != NULL ? evs_bind_bool(joining->binder, expr, ast->place) : NULL;
    if (expr == NULL) {
        return false;
    }
    bool is_bound =
        (ast->kind == EVS_AST_BINARY && take_bound(joining, ast->op, ast->arguments[0], ast->arguments[1])) ||
        (ast->kind == EVS_AST_BETWEEN && !ast->negated && take_between(joining, ast));
    bool is_key = ast->kind == EVS_AST_BINARY && ast->op == EVS_AST_OP_EQUAL && take_key(joining, expr);
    if (is_bound && has_room(joining, joining->bound_count, ast->place)) {
        joining->bounds[joining->bound_count++] = ast;
    } else if (!is_bound && !is_key && has_room(joining, joining->rest_count, ast->place)) {
        joining->rest[joining->rest_count++] = ast;
    }
    return true;
}

static bool take_conditions(struct evs_joining *joining, const struct evs_ast_expr *ast)
{
    if (ast->kind != EVS_AST_LOGIC || ast->op != EVS_AST_OP_AND) {
        return take_condition(joining, ast);
    }
    bool is_right = true;
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        is_right = take_conditions(joining, ast->arguments[i]) && is_right;
    }
    return is_right;
}

/* using (name): left.name = right.name */
static bool take_using(struct evs_joining *joining, const struct evs_ident *name)
{
    struct evs_binder *binder = joining->binder;
    const struct evs_scope_column *left = evs_bind_expect_column(binder, &joining->left->columns, name);
    const struct evs_scope_column *right = evs_bind_expect_column(binder, &joining->right.columns, name);
    if (left == NULL || right == NULL) {
        return false;
    }
    const struct evs_expr *sides[2] = {left->expr, shifted(joining, right->expr)}, *equality = NULL;
    struct evs_error error;
    if (evs_expr_call(binder->arena, EVS_SLICE("="), false, sides, 2, evs_bind_place(binder, name->place), &equality,
                      &error) != EVS_OK) {
        evs_report_error(binder, EVS_E0302, name->place, &error);
        return false;
    }
    if (!take_key(joining, equality)) {
        evs_report(binder, EVS_E0312, name->place, "values of type %s cannot be the key of a join",
                   evs_kind_name(left->expr->type->kind));
        return false;
    }
    return true;
}

static void require_key(struct evs_joining *joining)
{
    const struct evs_ast_join *ast = joining->ast;
    struct evs_place place = ast->on != NULL ? ast->on->place : ast->right.place;
    struct evs_diag *diag =
        evs_report(joining->binder, EVS_E0430, place, "no equality ties a row of one side to rows of the other");
    evs_diag_hint(diag, "add one, such as a.user_id = b.user_id");
}

bool evs_join_bind_on(struct evs_joining *joining)
{
    const struct evs_ast_join *ast = joining->ast;
    bool is_right = evs_join_bind_both(joining);
    for (uint32_t i = 0; is_right && i < ast->using_columns.count; i++) {
        is_right = take_using(joining, &ast->using_columns.items[i]);
    }
    is_right = is_right && (ast->on == NULL || take_conditions(joining, ast->on));
    if (is_right && joining->key_count == 0) {
        require_key(joining);
        is_right = false;
    }
    return is_right;
}
