/* Expressions: from syntax to typed trees. What types go together, and which coercions that takes, is expr/'s: a failure there is reported
 * here, at the words that caused it. */
#include "bind.h"
#include "foreign.h"

#include <string.h>

typedef const struct evs_expr *binding(struct evs_binder *binder, struct evs_context *context,
                                       const struct evs_ast_expr *ast);

/* --- building, with errors told --------------------------------------------------------------------------------------------- */

static const struct evs_expr *told(struct evs_binder *binder, evs_status status, const struct evs_expr *expr,
                                   enum evs_code code, struct evs_place place, const struct evs_error *error)
{
    if (status == EVS_OK) {
        return expr;
    }
    evs_report_error(binder, code, place, error);
    return NULL;
}

/* A call of a function or operator that is known to exist. `place`: what an error underlines. */
static const struct evs_expr *call(struct evs_binder *binder, const char *name, bool safe,
                                   const struct evs_expr **arguments, uint32_t count, struct evs_place whole,
                                   struct evs_place place)
{
    struct evs_error error;
    const struct evs_expr *result = NULL;
    evs_status status = evs_expr_call(binder->arena, evs_slice_of(name), safe, arguments, count,
                                      evs_bind_place(binder, whole), &result, &error);
    if (status == EVS_OK) {
        return result;
    }
    evs_report_error(binder, EVS_E0302, place, &error);
    return NULL;
}

static const struct evs_expr *special(struct evs_binder *binder, enum evs_expr_kind kind,
                                      const struct evs_expr **arguments, uint32_t count, struct evs_place place)
{
    struct evs_error error;
    const struct evs_expr *result = NULL;
    evs_status status =
        evs_expr_special(binder->arena, kind, arguments, count, evs_bind_place(binder, place), &result, &error);
    return told(binder, status, result, EVS_E0302, place, &error);
}

static const struct evs_expr *negate(struct evs_binder *binder, bool negated, const struct evs_expr *expr,
                                     struct evs_place place)
{
    return expr != NULL && negated ? special(binder, EVS_EXPR_NOT, &expr, 1, place) : expr;
}

static const struct evs_expr *constant(struct evs_binder *binder, struct evs_value value, struct evs_place place)
{
    return evs_expr_constant(binder->arena, value, evs_bind_place(binder, place));
}

static const struct evs_expr *text_constant(struct evs_binder *binder, const char *text, struct evs_place place)
{
    return constant(binder, (struct evs_value){.kind = EVS_STRING, .str = evs_str_make(text, (uint32_t)strlen(text))},
                    place);
}

/* Binds all arguments, so that every one that is wrong is told; NULL if one was. */
static const struct evs_expr **bind_arguments(struct evs_binder *binder, struct evs_context *context,
                                              const struct evs_ast_expr *ast)
{
    const struct evs_expr **arguments =
        EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, ast->argument_count + 1);
    bool is_broken = false;
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        arguments[i] = ast->arguments[i] != NULL ? evs_bind_expr(binder, context, ast->arguments[i]) : NULL;
        is_broken = is_broken || (ast->arguments[i] != NULL && arguments[i] == NULL);
    }
    return is_broken ? NULL : arguments;
}

/* --- names ---------------------------------------------------------------------------------------------------------------- */

static void offer_columns(const struct evs_scope *scope, struct evs_nearest *nearest)
{
    for (uint32_t i = 0; i < scope->columns.count; i++) {
        if (scope->columns.items[i].name != NULL) {
            evs_nearest_offer(nearest, evs_slice_of(scope->columns.items[i].name));
        }
    }
    for (uint32_t i = 0; i < scope->system.count; i++) {
        evs_nearest_offer(nearest, evs_slice_of(scope->system.items[i].name));
    }
    for (uint32_t i = 0; i < scope->range_count; i++) {
        evs_nearest_offer(nearest, evs_slice_of(scope->ranges[i].name));
    }
}

static void report_unknown(struct evs_binder *binder, const struct evs_context *context, const struct evs_ident *name)
{
    if (context->scope == NULL) {
        struct evs_diag *diag = evs_report(binder, EVS_E0203, name->place, "%s cannot use columns", context->place);
        evs_diag_hint(diag, "write a value: a number, or a text in quotes, '%s'", name->text.data);
        return;
    }
    const struct evs_scope *scope = context->scope;
    struct evs_diag *diag =
        scope->range_count == 1
            ? evs_report(binder, EVS_E0203, name->place, "no column `%s` in %s", name->text.data, scope->ranges[0].name)
            : evs_report(binder, EVS_E0203, name->place, "no column `%s` here", name->text.data);
    struct evs_entity *entity = evs_entity_find(binder, false, name->text);
    if (entity != NULL && (entity->kind == EVS_ENTITY_SOURCE || entity->kind == EVS_ENTITY_STREAM)) {
        evs_diag_hint(diag, "`%s` is no name of these rows any more; `|> as %s` names them", entity->name,
                      entity->name);
        return;
    }
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    offer_columns(scope, &nearest);
    evs_diag_did_you_mean(diag, &nearest);
}

static const struct evs_expr *use_column(struct evs_context *context, const struct evs_scope_column *column)
{
    bool is_plain = column->expr->kind == EVS_EXPR_COLUMN || column->expr->kind == EVS_EXPR_CONSTANT;
    context->used_computed = context->used_computed || !is_plain;
    return column->expr;
}

static struct evs_range *find_range(struct evs_scope *scope, struct evs_slice name)
{
    for (uint32_t i = 0; i < scope->range_count; i++) {
        if (evs_slice_equal_nocase(name, scope->ranges[i].name)) {
            return &scope->ranges[i];
        }
    }
    return NULL;
}

/* `range.column` */
static const struct evs_expr *range_column(struct evs_binder *binder, struct evs_context *context,
                                           const struct evs_range *range, const struct evs_ident *name)
{
    const struct evs_scope_column *found = NULL;
    uint32_t count = evs_columns_find(&range->columns, name->text, &found);
    if (count == 0) { /* clicks._subject */
        count = evs_columns_find(&context->scope->system, name->text, &found);
    }
    if (count == 1) {
        evs_observe_column(binder, name->place, found->name, found->expr);
        return use_column(context, found);
    }
    if (count > 1) {
        evs_report(binder, EVS_E0204, name->place, "`%s` has %u columns `%s`", range->name, count, name->text.data);
        return NULL;
    }
    struct evs_diag *diag =
        evs_report(binder, EVS_E0203, name->place, "no column `%s` in %s", name->text.data, range->name);
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    for (uint32_t i = 0; i < range->columns.count; i++) {
        if (range->columns.items[i].name != NULL) {
            evs_nearest_offer(&nearest, evs_slice_of(range->columns.items[i].name));
        }
    }
    evs_diag_did_you_mean(diag, &nearest);
    return NULL;
}

static bool has_fields(const struct evs_type *type)
{
    return type->kind == EVS_JSON || type->kind == EVS_STRUCT;
}

/* The column that the first name, or the first two, mean; *used names were read. A column comes before a range variable of the same name,
 * but where a field follows that the column cannot have. */
static const struct evs_expr *resolve(struct evs_binder *binder, struct evs_context *context,
                                      const struct evs_ident *names, uint32_t count, uint32_t *used)
{
    struct evs_scope *scope = context->scope;
    if (scope == NULL) {
        report_unknown(binder, context, &names[0]);
        return NULL;
    }
    const struct evs_scope_column *found = NULL;
    uint32_t hits = evs_columns_find(&scope->columns, names[0].text, &found);
    if (hits == 0) {
        hits = evs_columns_find(&scope->system, names[0].text, &found);
    }
    const struct evs_range *range = find_range(scope, names[0].text);
    if (range != NULL && count > 1 && (hits != 1 || !has_fields(found->expr->type))) {
        *used = 2;
        evs_observe_row(binder, names[0].place, range->name, (struct evs_place){0});
        return range_column(binder, context, range, &names[1]);
    }
    *used = 1;
    if (hits == 1) {
        evs_observe_column(binder, names[0].place, found->name, found->expr);
        return use_column(context, found);
    }
    if (hits > 1) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0204, names[0].place, "%u columns have the name `%s`", hits, names[0].text.data);
        evs_diag_hint(diag, "rename one of them");
    } else if (range != NULL) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0305, names[0].place, "`%s` is a whole row, not a column", range->name);
        evs_diag_hint(diag, "write %s.COLUMN", range->name);
    } else {
        report_unknown(binder, context, &names[0]);
    }
    return NULL;
}

const struct evs_expr *evs_bind_path(struct evs_binder *binder, struct evs_context *context,
                                     const struct evs_ast_expr *ast)
{
    EVS_ASSERT(ast->kind == EVS_AST_PATH && ast->name_count > 0);
    uint32_t used = 0;
    const struct evs_expr *expr = resolve(binder, context, ast->names, ast->name_count, &used);
    for (uint32_t i = used; expr != NULL && i < ast->name_count; i++) {
        expr = evs_bind_member(binder, expr, &ast->names[i], ast->place);
    }
    return expr;
}

static const struct evs_expr *bind_path(struct evs_binder *binder, struct evs_context *context,
                                        const struct evs_ast_expr *ast)
{
    evs_observe_path(binder, context, ast);
    if (context->match != NULL) {
        return evs_bind_match_path(binder, context, ast);
    }
    if (context->aggregation != NULL && !context->in_aggregate) {
        return evs_bind_aggregate_path(binder, context, ast);
    }
    return evs_bind_path(binder, context, ast);
}

static const struct evs_expr *bind_parameter(struct evs_binder *binder, struct evs_context *context,
                                             const struct evs_ast_expr *ast)
{
    (void)context;
    struct evs_entity *entity = evs_entity_find(binder, true, ast->names[0].text);
    if (entity == NULL) {
        struct evs_diag *diag = evs_report(binder, EVS_E0207, ast->place, "no parameter `%s`", ast->names[0].text.data);
        struct evs_nearest nearest = evs_nearest_begin(ast->names[0].text);
        evs_entity_offer(binder, 1u << EVS_ENTITY_PARAM, &nearest);
        if (nearest.best.count > 0) {
            evs_diag_did_you_mean(diag, &nearest);
        } else {
            evs_diag_hint(diag, "declare it: param %s TYPE;", ast->names[0].text.data);
        }
        return NULL;
    }
    entity->is_used = true;
    evs_observe_entity(binder, ast->names[0].place, entity);
    return entity->state == EVS_ENTITY_BOUND
               ? evs_expr_constant_of(binder->arena, entity->type, entity->value, evs_bind_place(binder, ast->place))
               : NULL;
}

static const struct evs_expr *bind_field(struct evs_binder *binder, struct evs_context *context,
                                         const struct evs_ast_expr *ast)
{
    const struct evs_expr *expr = evs_bind_expr(binder, context, ast->arguments[0]);
    return expr != NULL ? evs_bind_member(binder, expr, &ast->names[0], ast->place) : NULL;
}

/* --- operators ------------------------------------------------------------------------------------------------------------ */

static const char *op_sign(enum evs_ast_op op)
{
    static const char *const signs[] = {
        [EVS_AST_OP_MINUS] = "-",       [EVS_AST_OP_BIT_NOT] = "~",     [EVS_AST_OP_MULTIPLY] = "*",
        [EVS_AST_OP_DIVIDE] = "/",      [EVS_AST_OP_CONCAT] = "||",     [EVS_AST_OP_ADD] = "+",
        [EVS_AST_OP_SUBTRACT] = "-",    [EVS_AST_OP_SHIFT_LEFT] = "<<", [EVS_AST_OP_SHIFT_RIGHT] = ">>",
        [EVS_AST_OP_BIT_AND] = "&",     [EVS_AST_OP_BIT_XOR] = "^",     [EVS_AST_OP_BIT_OR] = "|",
        [EVS_AST_OP_EQUAL] = "=",       [EVS_AST_OP_NOT_EQUAL] = "!=",  [EVS_AST_OP_LESS] = "<",
        [EVS_AST_OP_LESS_EQUAL] = "<=", [EVS_AST_OP_GREATER] = ">",     [EVS_AST_OP_GREATER_EQUAL] = ">=",
    };
    EVS_ASSERT(op < EVS_COUNT(signs) && signs[op] != NULL);
    return signs[op];
}

static const struct evs_expr *bind_unary(struct evs_binder *binder, struct evs_context *context,
                                         const struct evs_ast_expr *ast)
{
    const struct evs_expr *expr = evs_bind_expr(binder, context, ast->arguments[0]);
    if (expr == NULL || ast->op == EVS_AST_OP_NOT) {
        return negate(binder, true, expr, ast->place);
    }
    if (ast->op == EVS_AST_OP_PLUS) { /* changes nothing, but takes numbers only */
        return call(binder, "-", false, &expr, 1, ast->place, ast->place) != NULL ? expr : NULL;
    }
    return call(binder, op_sign(ast->op), false, &expr, 1, ast->place, ast->place);
}

static const struct evs_expr *bind_binary(struct evs_binder *binder, struct evs_context *context,
                                          const struct evs_ast_expr *ast)
{
    const struct evs_expr **arguments = bind_arguments(binder, context, ast);
    if (arguments == NULL) {
        return NULL;
    }
    return call(binder, op_sign(ast->op), false, arguments, 2, ast->place, ast->place);
}

static const struct evs_expr *bind_logic(struct evs_binder *binder, struct evs_context *context,
                                         const struct evs_ast_expr *ast)
{
    const struct evs_expr **arguments = bind_arguments(binder, context, ast);
    enum evs_expr_kind kind = ast->op == EVS_AST_OP_AND ? EVS_EXPR_AND : EVS_EXPR_OR;
    return arguments != NULL ? special(binder, kind, arguments, ast->argument_count, ast->place) : NULL;
}

/* `a is distinct from b`: whether group by would keep them apart. */
static const struct evs_expr *bind_distinct(struct evs_binder *binder, const struct evs_expr **sides,
                                            const struct evs_ast_expr *ast)
{
    const struct evs_expr *same = call(binder, "is not distinct from", false, sides, 2, ast->place, ast->place);
    return negate(binder, !ast->negated, same, ast->place);
}

static const struct evs_expr *bind_is(struct evs_binder *binder, struct evs_context *context,
                                      const struct evs_ast_expr *ast)
{
    const struct evs_expr **arguments = bind_arguments(binder, context, ast);
    if (arguments == NULL) {
        return NULL;
    }
    switch (ast->op) {
    case EVS_AST_OP_IS_DISTINCT:
        return bind_distinct(binder, arguments, ast);
    case EVS_AST_OP_IS_TRUE:
        return negate(binder, ast->negated, special(binder, EVS_EXPR_IS_TRUE, arguments, 1, ast->place), ast->place);
    case EVS_AST_OP_IS_FALSE:
        return negate(binder, ast->negated, special(binder, EVS_EXPR_IS_FALSE, arguments, 1, ast->place), ast->place);
    default: /* is null; is unknown is the same for a bool */
        return negate(binder, ast->negated, special(binder, EVS_EXPR_IS_NULL, arguments, 1, ast->place), ast->place);
    }
}

/* `a between b and c` is `a >= b and a <= c`; `a` is computed once, for equal subexpressions are shared. */
static const struct evs_expr *bind_between(struct evs_binder *binder, struct evs_context *context,
                                           const struct evs_ast_expr *ast)
{
    const struct evs_expr **arguments = bind_arguments(binder, context, ast);
    if (arguments == NULL) {
        return NULL;
    }
    const struct evs_expr *low[] = {arguments[0], arguments[1]};
    const struct evs_expr *high[] = {arguments[0], arguments[2]};
    const struct evs_expr *both[] = {call(binder, ">=", false, low, 2, ast->place, ast->place),
                                     call(binder, "<=", false, high, 2, ast->place, ast->place)};
    if (both[0] == NULL || both[1] == NULL) {
        return NULL;
    }
    return negate(binder, ast->negated, special(binder, EVS_EXPR_AND, both, 2, ast->place), ast->place);
}

/* x in (select y from unnest(a)): among the values of the query. */
static const struct evs_expr *bind_in_query(struct evs_binder *binder, struct evs_context *context,
                                            const struct evs_ast_expr *ast)
{
    struct evs_ast_expr query = *ast->arguments[1];
    query.op = EVS_AST_OP_ARRAY;
    const struct evs_expr *sides[] = {evs_bind_expr(binder, context, ast->arguments[0]),
                                      evs_bind_subquery(binder, context, &query)};
    return sides[0] != NULL && sides[1] != NULL ? call(binder, "in unnest", false, sides, 2, ast->place, ast->place)
                                                : NULL;
}

static const struct evs_expr *bind_in(struct evs_binder *binder, struct evs_context *context,
                                      const struct evs_ast_expr *ast)
{
    if (ast->argument_count == 2 && ast->arguments[1]->kind == EVS_AST_SUBQUERY) {
        return negate(binder, ast->negated, bind_in_query(binder, context, ast), ast->place);
    }
    if (ast->op == EVS_AST_OP_IN_UNNEST) {
        return negate(binder, ast->negated, evs_bind_in_unnest(binder, context, ast), ast->place);
    }
    const struct evs_expr **arguments = bind_arguments(binder, context, ast);
    if (arguments == NULL) {
        return NULL;
    }
    return negate(binder, ast->negated, special(binder, EVS_EXPR_IN, arguments, ast->argument_count, ast->place),
                  ast->place);
}

/* `a like any (p, q)` is `a like p or a like q`. */
static const struct evs_expr *bind_like(struct evs_binder *binder, struct evs_context *context,
                                        const struct evs_ast_expr *ast)
{
    const struct evs_expr **arguments = bind_arguments(binder, context, ast);
    if (arguments == NULL) {
        return NULL;
    }
    uint32_t count = ast->argument_count - 1;
    const struct evs_expr **likes = EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_expr *pair[] = {arguments[0], arguments[i + 1]};
        likes[i] = call(binder, "like", false, pair, 2, ast->place, ast->place);
        if (likes[i] == NULL) {
            return NULL;
        }
    }
    const struct evs_expr *result = likes[0];
    if (count > 1) {
        result = special(binder, ast->op == EVS_AST_OP_LIKE_ALL ? EVS_EXPR_AND : EVS_EXPR_OR, likes, count, ast->place);
    }
    return negate(binder, ast->negated, result, ast->place);
}

static const struct evs_expr *bind_case(struct evs_binder *binder, struct evs_context *context,
                                        const struct evs_ast_expr *ast)
{
    const struct evs_expr **arguments = bind_arguments(binder, context, ast);
    if (arguments == NULL) {
        return NULL;
    }
    uint32_t first = ast->has_operand ? 1 : 0;
    uint32_t count = ast->argument_count - first;
    const struct evs_expr **branches = EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        branches[i] = arguments[first + i];
        bool is_condition = i % 2 == 0 && !(ast->has_else && i + 1 == count);
        if (ast->has_operand && is_condition) {
            const struct evs_expr *pair[] = {arguments[0], branches[i]};
            branches[i] =
                call(binder, "=", false, pair, 2, ast->arguments[first + i]->place, ast->arguments[first + i]->place);
            if (branches[i] == NULL) {
                return NULL;
            }
        }
    }
    if (!ast->has_else) {
        branches[count++] = constant(binder, (struct evs_value){.kind = EVS_NULL_KIND, .is_null = true}, ast->place);
    }
    return special(binder, EVS_EXPR_CASE, branches, count, ast->place);
}

static const struct evs_expr *bind_cast(struct evs_binder *binder, struct evs_context *context,
                                        const struct evs_ast_expr *ast)
{
    const struct evs_type *type = evs_bind_type(binder, ast->type);
    const struct evs_expr **arguments = bind_arguments(binder, context, ast);
    if (arguments == NULL || type == NULL) {
        return NULL;
    }
    struct evs_error error;
    const struct evs_expr *result = NULL;
    struct evs_place place = evs_bind_place(binder, ast->place);
    evs_status status = ast->argument_count > 1
                            ? evs_expr_cast_format(binder->arena, arguments, ast->argument_count, type, ast->safe,
                                                   place, &result, &error)
                            : evs_expr_cast(binder->arena, arguments[0], type, ast->safe, place, &result, &error);
    return told(binder, status, result, EVS_E0303, ast->place, &error);
}

/* --- calls ---------------------------------------------------------------------------------------------------------------- */

/* Functions whose argument number `argument` is a bare word: a date part, such as day or week(monday), or a normal form. */
static bool takes_part(const char *name, uint32_t argument)
{
    size_t length = strlen(name);
    bool is_of_time = strchr(name, '.') == NULL; /* net.ip_trunc is not */
    bool is_trunc = is_of_time && length > 6 && strcmp(name + length - 6, "_trunc") == 0;
    bool is_diff = length > 5 && strcmp(name + length - 5, "_diff") == 0;
    return (is_trunc && argument == 1) || (is_diff && argument == 2) ||
           (strcmp(name, "last_day") == 0 && argument == 1) || (strncmp(name, "normalize", 9) == 0 && argument == 1);
}

static const struct evs_expr *bind_part(struct evs_binder *binder, const struct evs_ast_expr *ast)
{
    return text_constant(binder, evs_ast_expr_text(binder->arena, ast), ast->place);
}

static const struct evs_expr *report_unknown_function(struct evs_binder *binder, const struct evs_ast_call *ast_call)
{
    struct evs_diag *diag =
        evs_report(binder, EVS_E0208, ast_call->name_place, "no function `%s`", ast_call->name.data);
    const char *refused = evs_function_refused(ast_call->name);
    refused = refused != NULL ? refused : evs_foreign_function(ast_call->name);
    if (refused != NULL) {
        evs_diag_hint(diag, "%s", refused);
        return NULL;
    }
    const char *nearest_scalar = evs_function_nearest(ast_call->name);
    struct evs_nearest nearest = evs_nearest_begin(ast_call->name);
    if (nearest_scalar != NULL) {
        evs_nearest_offer(&nearest, evs_slice_of(nearest_scalar));
    }
    evs_aggregate_offer(&nearest);
    static const char *const windows[] = {"tumble", "hop", "session", "cumulate"};
    for (size_t i = 0; i < EVS_COUNT(windows); i++) {
        evs_nearest_offer(&nearest, evs_slice_of(windows[i]));
    }
    evs_diag_did_you_mean(diag, &nearest);
    return NULL;
}

/* What only aggregate and window functions may have. */
static bool refuse_clauses(struct evs_binder *binder, const struct evs_ast_expr *ast)
{
    const struct evs_ast_call *ast_call = ast->call;
    bool has_clause = ast_call->distinct || ast_call->nulls != EVS_NULLS_AS_IS || ast_call->where != NULL ||
                      ast_call->order.count > 0 || ast_call->limit != NULL || ast_call->having != NULL;
    if (has_clause) {
        evs_report(binder, EVS_E0302, ast->place,
                   "`%s` works on one row: distinct, where, order by, limit and nulls belong to aggregate functions",
                   ast_call->name.data);
        return true;
    }
    if (ast->argument_names != NULL) {
        for (uint32_t i = 0; i < ast->argument_count; i++) {
            if (evs_ident_given(&ast->argument_names[i])) {
                evs_report(binder, EVS_E0302, ast->argument_names[i].place, "`%s` has no argument of the name `%s`",
                           ast_call->name.data, ast->argument_names[i].text.data);
                return true;
            }
        }
    }
    return false;
}

/* current_timestamp() is the row's _ingested_at, else (a file, a column that has gone) its event time, which expr/ gives. */
static const struct evs_expr *bind_current_timestamp(struct evs_binder *binder, struct evs_context *context,
                                                     const struct evs_ast_expr *ast)
{
    const struct evs_scope_column *found = NULL;
    const struct evs_expr *event_time = call(binder, "current_timestamp", false, NULL, 0, ast->place, ast->place);
    if (context->scope == NULL || evs_columns_find(&context->scope->system, EVS_SLICE("_ingested_at"), &found) != 1) {
        return event_time;
    }
    const struct evs_expr *either[2] = {use_column(context, found), event_time};
    return either[0]->nullable ? call(binder, "coalesce", false, either, 2, ast->place, ast->place) : either[0];
}

/* current_date(zone) is date(current_timestamp(), zone), and so on. */
static const struct evs_expr *bind_current(struct evs_binder *binder, struct evs_context *context,
                                           const struct evs_ast_expr *ast)
{
    const struct evs_expr *arguments[2] = {bind_current_timestamp(binder, context, ast)};
    const char *type = ast->call->name.data + strlen("current_");
    if (strcmp(type, "timestamp") == 0) {
        return arguments[0];
    }
    uint32_t count = 1;
    if (ast->argument_count > 0) {
        arguments[count++] = evs_bind_expr(binder, context, ast->arguments[0]);
    }
    return arguments[count - 1] == NULL ? NULL
                                        : call(binder, type, ast->safe, arguments, count, ast->place, ast->place);
}

static bool is_current(const struct evs_ast_expr *ast)
{
    static const char *const names[] = {"current_timestamp", "current_date", "current_datetime", "current_time"};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        if (strcmp(ast->call->name.data, names[i]) == 0) {
            return ast->argument_count <= (i == 0 ? 0 : 1);
        }
    }
    return false;
}

/* make_interval(day => 2, hour => 6): by number first, then by name; what is not given is 0. */
static const struct evs_expr *bind_make_interval(struct evs_binder *binder, struct evs_context *context,
                                                 const struct evs_ast_expr *ast)
{
    static const char *const names[] = {"year", "month", "day", "hour", "minute", "second"};
    const struct evs_expr *arguments[EVS_COUNT(names)] = {NULL};
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        const struct evs_ident *name = &ast->argument_names[i];
        size_t at = i;
        if (evs_ident_given(name)) {
            for (at = 0; at < EVS_COUNT(names) && !evs_slice_equal_nocase(name->text, names[at]); at++) {
            }
        }
        if (at >= EVS_COUNT(names) || arguments[at] != NULL) {
            evs_report(binder, EVS_E0302, evs_ident_given(name) ? name->place : ast->arguments[i]->place,
                       "`make_interval` takes year, month, day, hour, minute and second, each once");
            return NULL;
        }
        arguments[at] = evs_bind_expr(binder, context, ast->arguments[i]);
        if (arguments[at] == NULL) {
            return NULL;
        }
    }
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        if (arguments[i] == NULL) {
            arguments[i] = constant(binder, (struct evs_value){.kind = EVS_INT64}, ast->place);
        }
    }
    return call(binder, "make_interval", ast->safe, arguments, EVS_COUNT(names), ast->place, ast->place);
}

static const struct evs_expr *bind_scalar_call(struct evs_binder *binder, struct evs_context *context,
                                               const struct evs_ast_expr *ast)
{
    const char *name = ast->call->name.data;
    const struct evs_expr **arguments =
        EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, ast->argument_count + 1);
    bool is_broken = false;
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        const struct evs_ast_expr *argument = ast->arguments[i];
        bool is_part = takes_part(name, i) && (argument->kind == EVS_AST_PATH || argument->kind == EVS_AST_CALL);
        arguments[i] = is_part ? bind_part(binder, argument) : evs_bind_expr(binder, context, argument);
        is_broken = is_broken || arguments[i] == NULL;
    }
    return is_broken ? NULL : call(binder, name, ast->safe, arguments, ast->argument_count, ast->place, ast->place);
}

static const struct evs_expr *bind_call(struct evs_binder *binder, struct evs_context *context,
                                        const struct evs_ast_expr *ast)
{
    struct evs_slice name = ast->call->name;
    if (ast->call->over != NULL) {
        return evs_bind_over_call(binder, context, ast);
    }
    if (evs_aggregate_known(name)) {
        if (context->match != NULL && !context->in_aggregate) {
            return evs_bind_match_call(binder, context, ast);
        }
        if (context->aggregation != NULL && !context->in_aggregate) {
            return evs_bind_aggregate_call(binder, context, ast);
        }
        struct evs_diag *diag =
            evs_report(binder, EVS_E0309, ast->place, "`%s` is an aggregate function, and this is %s", name.data,
                       context->in_aggregate ? "inside another one" : "not an aggregate");
        evs_diag_hint(diag, "%s",
                      context->in_aggregate ? "aggregate functions do not nest"
                                            : "it stands in |> aggregate … group by …");
        return NULL;
    }
    if (context->match != NULL && evs_match_is_number(name)) {
        return evs_bind_match_call(binder, context, ast);
    }
    if (!evs_function_known(name)) {
        return report_unknown_function(binder, ast->call);
    }
    if (ast->argument_names != NULL && strcmp(name.data, "make_interval") == 0) {
        return bind_make_interval(binder, context, ast);
    }
    if (refuse_clauses(binder, ast)) {
        return NULL;
    }
    if (is_current(ast)) {
        return bind_current(binder, context, ast);
    }
    return bind_scalar_call(binder, context, ast);
}

static const struct evs_expr *bind_extract(struct evs_binder *binder, struct evs_context *context,
                                           const struct evs_ast_expr *ast)
{
    const struct evs_expr **arguments = bind_arguments(binder, context, ast);
    if (arguments == NULL) {
        return NULL;
    }
    const char *part = evs_ast_part_name(ast->part);
    if (evs_ident_given(&ast->week_start)) {
        part = evs_arena_printf(binder->arena, "%s(%s)", part, ast->week_start.text.data);
    }
    const struct evs_expr *all[3] = {text_constant(binder, part, ast->place), arguments[0], arguments[1]};
    uint32_t count = ast->argument_count > 1 && arguments[1] != NULL ? 3 : 2;
    return call(binder, "extract", ast->safe, all, count, ast->place, ast->place);
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

static const struct evs_expr *bind_literal(struct evs_binder *binder, struct evs_context *context,
                                           const struct evs_ast_expr *ast)
{
    return ast->kind == EVS_AST_INTERVAL ? evs_bind_interval(binder, context, ast) : evs_bind_literal(binder, ast);
}

static const struct evs_expr *bind_unsupported(struct evs_binder *binder, struct evs_context *context,
                                               const struct evs_ast_expr *ast)
{
    (void)context;
    switch (ast->kind) {
    case EVS_AST_ERROR:
        return NULL;
    case EVS_AST_STAR:
        evs_report(binder, EVS_E0302, ast->place, "`*` stands in count(*) only");
        return NULL;
    default:
        EVS_ASSERT(!"a kind of expression that has a binding");
        return NULL;
    }
}

const struct evs_expr *evs_bind_expr(struct evs_binder *binder, struct evs_context *context,
                                     const struct evs_ast_expr *ast)
{
    static binding *const bindings[] = {
        [EVS_AST_ERROR] = bind_unsupported,
        [EVS_AST_LITERAL] = bind_literal,
        [EVS_AST_TYPED_LITERAL] = bind_literal,
        [EVS_AST_PATH] = bind_path,
        [EVS_AST_PARAMETER] = bind_parameter,
        [EVS_AST_FIELD] = bind_field,
        [EVS_AST_INDEX] = evs_bind_index,
        [EVS_AST_CALL] = bind_call,
        [EVS_AST_UNARY] = bind_unary,
        [EVS_AST_BINARY] = bind_binary,
        [EVS_AST_LOGIC] = bind_logic,
        [EVS_AST_IS] = bind_is,
        [EVS_AST_BETWEEN] = bind_between,
        [EVS_AST_IN] = bind_in,
        [EVS_AST_LIKE] = bind_like,
        [EVS_AST_CASE] = bind_case,
        [EVS_AST_CAST] = bind_cast,
        [EVS_AST_EXTRACT] = bind_extract,
        [EVS_AST_INTERVAL] = bind_literal,
        [EVS_AST_ARRAY] = evs_bind_array,
        [EVS_AST_STRUCT] = evs_bind_struct,
        [EVS_AST_STAR] = bind_unsupported,
        [EVS_AST_SUBQUERY] = evs_bind_subquery,
    };
    EVS_ASSERT(ast->kind < EVS_COUNT(bindings));
    const struct evs_expr *expr = bindings[ast->kind](binder, context, ast);
    if (expr != NULL) {
        evs_warn_expr(binder, ast, expr);
    }
    return expr;
}

const char *evs_bind_item_name(struct evs_binder *binder, const struct evs_ident *alias,
                               const struct evs_ast_expr *expr)
{
    struct evs_ident ident = *alias;
    if (!evs_ident_given(alias)) {
        switch (expr->kind) {
        case EVS_AST_PATH:
            ident = expr->names[expr->name_count - 1];
            break;
        case EVS_AST_FIELD:
            ident = expr->names[0];
            break;
        case EVS_AST_CALL:
            ident = (struct evs_ident){expr->call->name, expr->call->name_place};
            break;
        default:
            return NULL;
        }
    }
    const char *name = evs_bind_text(binder, ident.text);
    if (evs_ident_given(alias)) {
        evs_observe_declaration(binder, name, ident.place, NULL, true);
    } else {
        evs_observe_name(binder, name, ident.place); /* the text there is the name of something else */
    }
    return name;
}
