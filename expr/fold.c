/* Walks over trees: equality, columns, remapping, and folding of constants.
 *
 * A tree may share parts (the binder substitutes columns by expressions), so every walk remembers what it has seen;
 * otherwise n levels of `x + x` would cost 2^n steps.
 *
 * Folding evaluates what has no columns and cannot fail for the values at hand, drops branches that no row can
 * reach, and makes strict calls of NULL to NULL. A constant expression that fails (1 / 0) stays as it is: it is an
 * error of those rows that need it. */
#include "internal.h"
#include "unnest_query.h"

/* --- addresses seen ----------------------------------------------------------------------------------------------- */

struct evs_seen_entry {
    const void *key;
    uintptr_t value;
};

static struct evs_seen_entry *seen_slot(struct evs_seen_entry *entries, uint32_t capacity, const void *key)
{
    uint32_t i = (uint32_t)(((uintptr_t)key >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (capacity - 1);
    while (entries[i].key != NULL && entries[i].key != key) {
        i = (i + 1) & (capacity - 1);
    }
    return &entries[i];
}

static void seen_grow(struct evs_seen *seen)
{
    const uint32_t capacity = seen->capacity ? seen->capacity * 2 : 64;
    struct evs_seen_entry *entries = EVS_ARENA_ARRAY(seen->arena, struct evs_seen_entry, capacity);
    for (uint32_t i = 0; i < seen->capacity; i++) {
        if (seen->entries[i].key != NULL) {
            *seen_slot(entries, capacity, seen->entries[i].key) = seen->entries[i];
        }
    }
    seen->entries = entries;
    seen->capacity = capacity;
}

uintptr_t *evs_seen_at(struct evs_seen *seen, const void *key)
{
    EVS_ASSERT(key != NULL);
    if (seen->count * 2 >= seen->capacity) {
        seen_grow(seen);
    }
    struct evs_seen_entry *entry = seen_slot(seen->entries, seen->capacity, key);
    if (entry->key == NULL) {
        entry->key = key;
        seen->count++;
    }
    return &entry->value;
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

static void columns_walk(struct evs_seen *seen, const struct evs_expr *expr, uint64_t *bitmap)
{
    uintptr_t *visited = evs_seen_at(seen, expr);
    if (*visited) {
        return;
    }
    *visited = 1;
    if (expr->kind == EVS_EXPR_COLUMN) {
        bitmap[expr->column / 64] |= UINT64_C(1) << (expr->column % 64);
    }
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        columns_walk(seen, expr->arguments[i], bitmap);
    }
}

void evs_expr_columns(const struct evs_expr *expr, uint64_t *bitmap)
{
    struct evs_arena scratch = {0};
    struct evs_seen seen = {.arena = &scratch};
    columns_walk(&seen, expr, bitmap);
    evs_arena_fini(&scratch);
}

static bool constant_walk(struct evs_seen *seen, const struct evs_expr *expr)
{
    if (expr->kind == EVS_EXPR_COLUMN || expr->kind == EVS_EXPR_EVENT_TIME || evs_body_reads_time(expr->body)) {
        return false;
    }
    uintptr_t *visited = evs_seen_at(seen, expr);
    if (*visited) {
        return true; /* otherwise the walk would have ended there */
    }
    *visited = 1;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!constant_walk(seen, expr->arguments[i])) {
            return false;
        }
    }
    return true;
}

bool evs_expr_is_constant(const struct evs_expr *expr)
{
    struct evs_arena scratch = {0};
    struct evs_seen seen = {.arena = &scratch};
    const bool constant = constant_walk(&seen, expr);
    evs_arena_fini(&scratch);
    return constant;
}

static bool values_equal(const struct evs_value *a, const struct evs_value *b)
{
    if (a->kind != b->kind || a->is_null != b->is_null) {
        return false;
    }
    if (a->is_null) {
        return true;
    }
    if (evs_kind_is_var(a->kind)) {
        return evs_str_equal(&a->str, &b->str);
    }
    if (a->kind == EVS_BOOL) {
        return a->boolean == b->boolean;
    }
    if (a->kind == EVS_INTERVAL) {
        return a->interval.months == b->interval.months && a->interval.days == b->interval.days &&
               a->interval.us == b->interval.us;
    }
    if (a->kind == EVS_NUMERIC) {
        return a->numeric == b->numeric;
    }
    return a->int64 == b->int64; /* float64 by its bits: 0.0 and -0.0 differ, NaN equals itself */
}

bool evs_expr_equal(const struct evs_expr *a, const struct evs_expr *b)
{
    if (a == b) {
        return true;
    }
    if (a->kind != b->kind || !evs_type_equal(a->type, b->type) || a->overload != b->overload || a->safe != b->safe ||
        a->argument_count != b->argument_count || !evs_body_equal(a->body, b->body)) {
        return false;
    }
    if (a->kind == EVS_EXPR_COLUMN && a->column != b->column) {
        return false;
    }
    if (a->kind == EVS_EXPR_CONSTANT && !values_equal(&a->value, &b->value)) {
        return false;
    }
    for (uint32_t i = 0; i < a->argument_count; i++) {
        if (!evs_expr_equal(a->arguments[i], b->arguments[i])) {
            return false;
        }
    }
    return true;
}

/* --- rebuilding --------------------------------------------------------------------------------------------------- */

/* A copy of `expr` with other arguments; the same node when none has changed. */
static const struct evs_expr *with_arguments(struct evs_arena *arena, const struct evs_expr *expr,
                                             const struct evs_expr **arguments)
{
    bool changed = false;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        changed = changed || arguments[i] != expr->arguments[i];
    }
    if (!changed) {
        return expr;
    }
    struct evs_expr *copy = EVS_ARENA_NEW(arena, struct evs_expr);
    *copy = *expr;
    copy->arguments = arguments;
    return copy;
}

static const struct evs_expr *remap_walk(struct evs_seen *seen, struct evs_arena *arena, const struct evs_expr *expr,
                                         const uint32_t *map)
{
    const uintptr_t known = *evs_seen_at(seen, expr);
    if (known != 0) {
        return (const struct evs_expr *)known;
    }
    const struct evs_expr *result = expr;
    if (expr->kind == EVS_EXPR_COLUMN) {
        struct evs_expr *copy = EVS_ARENA_NEW(arena, struct evs_expr);
        *copy = *expr;
        copy->column = map[expr->column];
        result = copy;
    } else if (expr->argument_count > 0) {
        const struct evs_expr **arguments = EVS_ARENA_ARRAY(arena, const struct evs_expr *, expr->argument_count);
        for (uint32_t i = 0; i < expr->argument_count; i++) {
            arguments[i] = remap_walk(seen, arena, expr->arguments[i], map);
        }
        result = with_arguments(arena, expr, arguments);
    }
    *evs_seen_at(seen, expr) = (uintptr_t)result;
    return result;
}

const struct evs_expr *evs_expr_remap(struct evs_arena *arena, const struct evs_expr *expr, const uint32_t *map)
{
    struct evs_arena scratch = {0};
    struct evs_seen seen = {.arena = &scratch};
    const struct evs_expr *result = remap_walk(&seen, arena, expr, map);
    evs_arena_fini(&scratch);
    return result;
}

/* --- evaluation at plan time -------------------------------------------------------------------------------------- */

/* A batch of one row without columns. `arena` owns what the run allocates. */
static struct evs_batch one_row(struct evs_arena *arena, int64_t *time)
{
    return (struct evs_batch){
        .row_count = 1, .selected_count = 1, .event_time_us = time, .arena = arena, .references = 1};
}

bool evs_expr_evaluate(struct evs_arena *arena, const struct evs_expr *expr, struct evs_value *value,
                       struct evs_expr_failure *failure)
{
    struct evs_arena scratch = {0};
    int64_t time = 0;
    struct evs_batch batch = one_row(&scratch, &time);
    const struct evs_program *program = evs_program_build(&scratch, &expr, 1);
    struct evs_eval *eval = evs_eval_new(program);
    struct evs_column column;
    evs_program_run(eval, &batch, &column);
    const struct evs_expr_failure *failures;
    const bool ok = evs_eval_failures(eval, &failures) == 0;
    if (ok) {
        *value = evs_column_value(&column, 0);
        if (!value->is_null && evs_kind_is_var(value->kind) && value->str.count > EVS_STR_INLINE_MAX) {
            value->str = evs_str_make(evs_arena_copy(arena, value->str.pointer, value->str.count), value->str.count);
        }
    } else {
        *failure = failures[0];
    }
    evs_eval_free(eval);
    evs_arena_fini(&scratch);
    return ok;
}

evs_status evs_expr_fold(struct evs_arena *arena, const struct evs_expr *expr, struct evs_value *value,
                         struct evs_error *error)
{
    if (!evs_expr_is_constant(expr)) {
        return evs_fail(error, EVS_E_PIPELINE, "`%s` is no constant: it depends on the row", expr->text);
    }
    if (expr->type->kind == EVS_NULL_KIND) {
        *value = (struct evs_value){.kind = EVS_NULL_KIND, .is_null = true};
        return EVS_OK;
    }
    struct evs_expr_failure failure;
    if (!evs_expr_evaluate(arena, expr, value, &failure)) {
        return evs_fail(error, EVS_E_PIPELINE, "`%s` cannot be computed: %s", failure.expr->text, failure.message);
    }
    return EVS_OK;
}

/* --- simplification ----------------------------------------------------------------------------------------------- */

struct simplify {
    struct evs_arena *arena;
    struct evs_seen seen;
};

static const struct evs_expr *constant_like(struct evs_arena *arena, const struct evs_expr *expr,
                                            struct evs_value value)
{
    struct evs_expr *constant = (struct evs_expr *)evs_expr_constant_of(arena, expr->type, value, expr->place);
    constant->text = expr->text; /* messages show what was written */
    return constant;
}

static const struct evs_expr *null_like(struct evs_arena *arena, const struct evs_expr *expr)
{
    return constant_like(arena, expr, (struct evs_value){.kind = expr->type->kind, .is_null = true});
}

static bool is_bool_constant(const struct evs_expr *expr, bool wanted)
{
    return expr->kind == EVS_EXPR_CONSTANT && !expr->value.is_null && expr->value.boolean == wanted;
}

static const struct evs_expr *with_some(struct evs_arena *arena, const struct evs_expr *expr,
                                        const struct evs_expr **arguments, uint32_t count)
{
    struct evs_expr *copy = EVS_ARENA_NEW(arena, struct evs_expr);
    *copy = *expr;
    copy->arguments = arguments;
    copy->argument_count = count;
    return copy;
}

/* Neutral arguments go; nothing behind a decisive one is ever reached. */
static const struct evs_expr *simplify_logic(struct evs_arena *arena, const struct evs_expr *expr,
                                             const struct evs_expr **arguments)
{
    const bool neutral = expr->kind == EVS_EXPR_AND;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (is_bool_constant(arguments[i], neutral)) {
            continue;
        }
        arguments[kept++] = arguments[i];
        if (is_bool_constant(arguments[i], !neutral)) {
            break;
        }
    }
    if (kept == 0) {
        return constant_like(arena, expr, (struct evs_value){.kind = EVS_BOOL, .boolean = neutral});
    }
    return kept == 1 ? arguments[0] : with_some(arena, expr, arguments, kept);
}

static const struct evs_expr *simplify_case(struct evs_arena *arena, const struct evs_expr *expr,
                                            const struct evs_expr **arguments)
{
    const uint32_t last = expr->argument_count - 1;
    const struct evs_expr *otherwise = arguments[last];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < last; i += 2) {
        if (is_bool_constant(arguments[i], true)) {
            otherwise = arguments[i + 1];
            break;
        }
        if (arguments[i]->kind != EVS_EXPR_CONSTANT) { /* a constant is false or NULL here */
            arguments[kept++] = arguments[i];
            arguments[kept++] = arguments[i + 1];
        }
    }
    if (kept == 0) {
        return otherwise;
    }
    arguments[kept++] = otherwise;
    return with_some(arena, expr, arguments, kept);
}

static const struct evs_expr *simplify_coalesce(struct evs_arena *arena, const struct evs_expr *expr,
                                                const struct evs_expr **arguments)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (evs_expr_is_null(arguments[i])) {
            continue;
        }
        arguments[kept++] = arguments[i];
        if (!arguments[i]->nullable) {
            break;
        }
    }
    if (kept == 0) {
        return null_like(arena, expr);
    }
    return kept == 1 ? arguments[0] : with_some(arena, expr, arguments, kept);
}

/* A strict call of NULL is NULL, unless another argument is more than a leaf: that one might fail, and folding must
 * not change which rows do. */
static const struct evs_expr *simplify_call(struct evs_arena *arena, const struct evs_expr *expr,
                                            const struct evs_expr **arguments)
{
    bool is_null = false, only_leaves = true;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        is_null = is_null || evs_expr_is_null(arguments[i]);
        only_leaves = only_leaves && arguments[i]->argument_count == 0;
    }
    const bool strict = expr->overload != &evs_between_overload && expr->overload != &evs_nullif_overload &&
                        !(expr->overload->flags & EVS_CALL_SEES_NULL);
    return strict && is_null && only_leaves ? null_like(arena, expr) : with_arguments(arena, expr, arguments);
}

static const struct evs_expr *simplify_shape(struct evs_arena *arena, const struct evs_expr *expr,
                                             const struct evs_expr **arguments)
{
    switch (expr->kind) {
    case EVS_EXPR_AND:
    case EVS_EXPR_OR:
        return simplify_logic(arena, expr, arguments);
    case EVS_EXPR_CASE:
        return simplify_case(arena, expr, arguments);
    case EVS_EXPR_COALESCE:
        return simplify_coalesce(arena, expr, arguments);
    case EVS_EXPR_CALL:
    case EVS_EXPR_CAST:
        return simplify_call(arena, expr, arguments);
    default:
        return with_arguments(arena, expr, arguments);
    }
}

static bool all_constants(const struct evs_expr *expr)
{
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (expr->arguments[i]->kind != EVS_EXPR_CONSTANT) {
            return false;
        }
    }
    return true;
}

static const struct evs_expr *simplify_walk(struct simplify *simplify, const struct evs_expr *expr)
{
    if (expr->argument_count == 0) {
        return expr;
    }
    const uintptr_t known = *evs_seen_at(&simplify->seen, expr);
    if (known != 0) {
        return (const struct evs_expr *)known;
    }
    const struct evs_expr **arguments = EVS_ARENA_ARRAY(simplify->arena, const struct evs_expr *, expr->argument_count);
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        arguments[i] = simplify_walk(simplify, expr->arguments[i]);
    }
    const struct evs_expr *result = simplify_shape(simplify->arena, expr, arguments);
    struct evs_value value;
    struct evs_expr_failure failure;
    if (result->argument_count > 0 && all_constants(result) && !evs_body_reads_time(result->body) &&
        result->type->kind != EVS_NULL_KIND && evs_expr_evaluate(simplify->arena, result, &value, &failure)) {
        result = constant_like(simplify->arena, result, value);
    }
    *evs_seen_at(&simplify->seen, expr) = (uintptr_t)result;
    return result;
}

const struct evs_expr *evs_expr_simplify(struct evs_arena *arena, const struct evs_expr *expr)
{
    struct evs_arena scratch = {0};
    struct simplify simplify = {.arena = arena, .seen = {.arena = &scratch}};
    const struct evs_expr *result = simplify_walk(&simplify, expr);
    evs_arena_fini(&scratch);
    return result;
}
