/* Compiling: from trees to a program.
 *
 * Equal subexpressions become one step (each new step is looked up by its contents), so whatever several outputs or
 * branches have in common is computed once. `between`, `nullif` and lists of `in` that are not constant are taken
 * apart here. */

#include "internal.h"
#include "unnest_query.h"

struct compiler {
    struct evs_arena *arena;  /* of the program */
    struct evs_arena scratch; /* of the compilation */
    struct evs_seen seen;     /* expression → step + 1 */
    struct evs_step *steps;   /* heap, copied to the arena at the end */
    uint32_t count, capacity;
    uint32_t *table; /* heap: hash → step + 1 */
    uint32_t table_size;
};

static uint32_t compile_expr(struct compiler *compiler, const struct evs_expr *expr);

/* --- distinct steps ----------------------------------------------------------------------------------------------- */

static bool same_constant(const struct evs_step *a, const struct evs_step *b)
{
    return evs_expr_equal(a->expr, b->expr);
}

static bool same_step(const struct evs_step *a, const struct evs_step *b)
{
    if (a->kind != b->kind || a->type != b->type || a->safe != b->safe || a->column != b->column ||
        a->overload != b->overload || a->argument_count != b->argument_count) {
        return false;
    }
    if (a->argument_count > 0 && memcmp(a->arguments, b->arguments, sizeof *a->arguments * a->argument_count) != 0) {
        return false;
    }
    if (a->overload == &evs_unnest_overload && !evs_body_equal(a->expr->body, b->expr->body)) {
        return false;
    }
    if (evs_kind_is_nested(a->type) && !evs_type_equal(a->expr->type, b->expr->type)) {
        return false; /* the same bytes, but fields of other names */
    }
    if (a->kind == EVS_EXPR_IN) {
        return same_constant(a, b); /* the list is not among the arguments */
    }
    return a->kind != EVS_EXPR_CONSTANT || same_constant(a, b);
}

/* Of equal values the same: a list of ten thousand constants is no chain of collisions. */
static uint64_t hash_value(const struct evs_value *value)
{
    if (value->is_null) {
        return 0;
    }
    if (evs_kind_is_var(value->kind)) {
        const struct evs_slice text = evs_str_slice(&value->str);
        return evs_hash64(text.data, text.count);
    }
    if (value->kind == EVS_BOOL) {
        return value->boolean;
    }
    const int64_t words[] = {value->int64, value->kind == EVS_INTERVAL ? value->interval.us : 0};
    return evs_hash64(words, sizeof words); /* of a numeric the lower half */
}

static uint64_t hash_step(const struct evs_step *step)
{
    const uint64_t parts[] = {(uint64_t)step->kind, (uint64_t)step->type,      step->safe,
                              step->column,         (uintptr_t)step->overload, step->argument_count};
    uint64_t hash = evs_hash64(parts, sizeof parts);
    if (step->argument_count > 0) {
        hash ^= evs_hash64(step->arguments, sizeof *step->arguments * step->argument_count);
    }
    return step->kind == EVS_EXPR_CONSTANT ? hash ^ hash_value(&step->expr->value) : hash;
}

static void grow_table(struct compiler *compiler)
{
    evs_free(compiler->table);
    compiler->table_size = compiler->table_size ? compiler->table_size * 2 : 64;
    compiler->table = evs_alloc_zero(sizeof *compiler->table * compiler->table_size);
    for (uint32_t s = 0; s < compiler->count; s++) {
        uint32_t i = (uint32_t)hash_step(&compiler->steps[s]) & (compiler->table_size - 1);
        while (compiler->table[i] != 0) {
            i = (i + 1) & (compiler->table_size - 1);
        }
        compiler->table[i] = s + 1;
    }
}

/* The number of a step with these contents, old or new. */
static uint32_t intern(struct compiler *compiler, const struct evs_step *step)
{
    if (compiler->count * 2 >= compiler->table_size) {
        grow_table(compiler);
    }
    uint32_t i = (uint32_t)hash_step(step) & (compiler->table_size - 1);
    for (; compiler->table[i] != 0; i = (i + 1) & (compiler->table_size - 1)) {
        if (same_step(&compiler->steps[compiler->table[i] - 1], step)) {
            return compiler->table[i] - 1;
        }
    }
    EVS_GROW(compiler->steps, compiler->count, compiler->capacity);
    compiler->steps[compiler->count] = *step;
    compiler->table[i] = ++compiler->count;
    return compiler->count - 1;
}

/* --- steps from expressions --------------------------------------------------------------------------------------- */

static uint32_t *step_arguments(struct compiler *compiler, uint32_t count)
{
    return EVS_ARENA_ARRAY(compiler->arena, uint32_t, count + 1);
}

static enum evs_kind kind_of(const struct evs_expr *expr)
{
    return expr->type->kind == EVS_NULL_KIND ? EVS_INT64 : expr->type->kind; /* as GoogleSQL types a bare NULL */
}

static struct evs_step new_step(enum evs_expr_kind kind, const struct evs_expr *expr)
{
    return (struct evs_step){.kind = kind, .type = kind_of(expr), .expr = expr};
}

static void finish_arguments(struct compiler *compiler, struct evs_step *step, const uint32_t *arguments,
                             uint32_t count)
{
    step->arguments = arguments;
    step->argument_count = count;
    for (uint32_t i = 0; i < count; i++) {
        step->fallible = step->fallible || compiler->steps[arguments[i]].fallible;
    }
}

/* One element, then its validity, in the program's arena. */
static uint32_t compile_constant(struct compiler *compiler, const struct evs_expr *expr)
{
    struct evs_step step = new_step(EVS_EXPR_CONSTANT, expr);
    const uint32_t existing = intern(compiler, &step);
    struct evs_step *added = &compiler->steps[existing];
    if (added->constant.data != NULL) {
        return existing;
    }
    const struct evs_value *value = &expr->value;
    char *data = evs_arena_zero(compiler->arena, 16, 16);
    if (value->is_null) {
        added->constant.valid = EVS_ARENA_ARRAY(compiler->arena, uint64_t, 1);
    } else if (value->kind == EVS_BOOL) {
        data[0] = value->boolean;
    } else if (evs_kind_is_var(value->kind)) {
        const struct evs_slice text = evs_str_slice(&value->str);
        const bool is_long = text.count > EVS_STR_INLINE_MAX;
        const struct evs_str own = evs_str_make(
            is_long ? evs_arena_copy(compiler->arena, text.data, text.count) : text.data, value->str.count);
        memcpy(data, &own, sizeof own);
    } else {
        memcpy(data, (const char *)value + offsetof(struct evs_value, numeric), evs_kind_width(value->kind));
    }
    added->constant.kind = added->type;
    added->constant.flags = EVS_COLUMN_CONSTANT;
    added->constant.data = data;
    return existing;
}

static uint32_t compile_call(struct compiler *compiler, const struct evs_overload *overload, enum evs_expr_kind kind,
                             bool safe, const uint32_t *arguments, uint32_t count, const struct evs_expr *expr)
{
    struct evs_step step = new_step(kind, expr);
    const enum evs_kind result = evs_code_kind(overload->result);
    step.type = result == EVS_NULL_KIND ? kind_of(expr) : result;
    step.overload = overload;
    step.safe = safe;
    if (overload->prepare != NULL && overload->prepare(compiler->arena, expr, &step.prepared, NULL) != EVS_OK) {
        step.prepared = NULL; /* a constant that only folding has made, and a bad one: an error of each row */
    }
    finish_arguments(compiler, &step, arguments, count);
    const bool sure = safe || ((overload->flags & EVS_CALL_PREPARED_SURE) && step.prepared != NULL);
    step.fallible = step.fallible || ((overload->flags & EVS_CALL_FALLIBLE) && !sure);
    return intern(compiler, &step);
}

static uint32_t compile_special(struct compiler *compiler, enum evs_expr_kind kind, const uint32_t *arguments,
                                uint32_t count, const struct evs_expr *expr)
{
    struct evs_step step = new_step(kind, expr);
    finish_arguments(compiler, &step, arguments, count);
    return intern(compiler, &step);
}

static uint32_t compile_compare(struct compiler *compiler, const char *name, uint32_t a, uint32_t b,
                                const struct evs_expr *expr)
{
    const enum evs_kind kinds[] = {compiler->steps[a].type, compiler->steps[b].type};
    const bool structs = kinds[0] == EVS_STRUCT && strcmp(name, "=") == 0;
    const struct evs_overload *overload = structs ? &evs_struct_equal_overload : evs_overload_exact(name, kinds, 2);
    EVS_ASSERT(overload != NULL);
    uint32_t *arguments = step_arguments(compiler, 2);
    arguments[0] = a;
    arguments[1] = b;
    return compile_call(compiler, overload, EVS_EXPR_CALL, false, arguments, 2, expr);
}

/* x between a and b: x >= a and x <= b. */
static uint32_t compile_between(struct compiler *compiler, const struct evs_expr *expr)
{
    const uint32_t x = compile_expr(compiler, expr->arguments[0]);
    uint32_t *arguments = step_arguments(compiler, 2);
    arguments[0] = compile_compare(compiler, ">=", x, compile_expr(compiler, expr->arguments[1]), expr);
    arguments[1] = compile_compare(compiler, "<=", x, compile_expr(compiler, expr->arguments[2]), expr);
    return compile_special(compiler, EVS_EXPR_AND, arguments, 2, expr);
}

/* nullif(a, b): case when a = b then null else a end. */
static uint32_t compile_nullif(struct compiler *compiler, const struct evs_expr *expr)
{
    struct evs_expr *null = evs_expr_new(compiler->arena, EVS_EXPR_CONSTANT, kind_of(expr), expr->place);
    null->type = expr->type;
    null->value = (struct evs_value){.kind = kind_of(expr), .is_null = true};
    null->text = "null";
    const uint32_t a = compile_expr(compiler, expr->arguments[0]);
    uint32_t *arguments = step_arguments(compiler, 3);
    arguments[0] = compile_compare(compiler, "=", a, compile_expr(compiler, expr->arguments[1]), expr);
    arguments[1] = compile_constant(compiler, null);
    arguments[2] = a;
    return compile_special(compiler, EVS_EXPR_CASE, arguments, 3, expr);
}

static bool list_is_constant(const struct evs_expr *expr)
{
    for (uint32_t i = 1; i < expr->argument_count; i++) {
        if (expr->arguments[i]->kind != EVS_EXPR_CONSTANT) {
            return false;
        }
    }
    return true;
}

/* x in (a, b): x = a or x = b, where the list is not constant. */
static uint32_t compile_in_apart(struct compiler *compiler, const struct evs_expr *expr)
{
    const uint32_t x = compile_expr(compiler, expr->arguments[0]);
    uint32_t *arguments = step_arguments(compiler, expr->argument_count);
    for (uint32_t i = 1; i < expr->argument_count; i++) {
        arguments[i - 1] = compile_compare(compiler, "=", x, compile_expr(compiler, expr->arguments[i]), expr);
    }
    return compile_special(compiler, EVS_EXPR_OR, arguments, expr->argument_count - 1, expr);
}

static uint32_t compile_in(struct compiler *compiler, const struct evs_expr *expr)
{
    const enum evs_kind kind = kind_of(expr->arguments[0]);
    if (!list_is_constant(expr) || kind == EVS_INTERVAL || evs_kind_is_nested(kind)) {
        return compile_in_apart(compiler, expr);
    }
    const uint32_t count = expr->argument_count - 1;
    struct evs_value *values = EVS_ARENA_ARRAY(&compiler->scratch, struct evs_value, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = expr->arguments[i + 1]->value;
    }
    uint32_t *arguments = step_arguments(compiler, 1);
    arguments[0] = compile_expr(compiler, expr->arguments[0]);
    const uint32_t index = compile_special(compiler, EVS_EXPR_IN, arguments, 1, expr);
    if (compiler->steps[index].prepared == NULL) {
        compiler->steps[index].prepared = evs_in_set_new(compiler->arena, kind, values, count);
    }
    return index;
}

static uint32_t compile_generic(struct compiler *compiler, const struct evs_expr *expr)
{
    uint32_t *arguments = step_arguments(compiler, expr->argument_count);
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        arguments[i] = compile_expr(compiler, expr->arguments[i]);
    }
    if (expr->kind == EVS_EXPR_CALL || expr->kind == EVS_EXPR_CAST) {
        EVS_ASSERT(expr->overload != NULL && expr->overload->kernel != NULL);
        return compile_call(compiler, expr->overload, expr->kind, expr->safe, arguments, expr->argument_count, expr);
    }
    return compile_special(compiler, expr->kind, arguments, expr->argument_count, expr);
}

static uint32_t compile_leaf(struct compiler *compiler, const struct evs_expr *expr)
{
    struct evs_step step = new_step(expr->kind, expr);
    step.column = expr->kind == EVS_EXPR_COLUMN ? expr->column : 0;
    return intern(compiler, &step);
}

static uint32_t compile_expr(struct compiler *compiler, const struct evs_expr *expr)
{
    const uintptr_t known = *evs_seen_at(&compiler->seen, expr);
    if (known != 0) {
        return (uint32_t)known - 1;
    }
    uint32_t index;
    if (expr->kind == EVS_EXPR_CONSTANT) {
        index = compile_constant(compiler, expr);
    } else if (expr->kind == EVS_EXPR_COLUMN || expr->kind == EVS_EXPR_EVENT_TIME) {
        index = compile_leaf(compiler, expr);
    } else if (expr->overload == &evs_between_overload) {
        index = compile_between(compiler, expr);
    } else if (expr->overload == &evs_nullif_overload) {
        index = compile_nullif(compiler, expr);
    } else if (expr->kind == EVS_EXPR_IN) {
        index = compile_in(compiler, expr);
    } else {
        index = compile_generic(compiler, expr);
    }
    *evs_seen_at(&compiler->seen, expr) = (uintptr_t)index + 1;
    return index;
}

/* --- the program -------------------------------------------------------------------------------------------------- */

/* A step that several others use, or whose only user does the same, may be asked for more than once a run. */
static void mark_again(struct compiler *compiler, const uint32_t *outputs, uint32_t output_count)
{
    uint32_t *uses = evs_alloc_zero(sizeof *uses * (compiler->count + 1));
    for (uint32_t i = 0; i < output_count; i++) {
        uses[outputs[i]]++;
        compiler->steps[outputs[i]].output = true;
    }
    for (uint32_t s = compiler->count; s-- > 0;) { /* users stand behind what they use */
        struct evs_step *step = &compiler->steps[s];
        step->again = uses[s] > 1;
        for (uint32_t i = 0; i < step->argument_count; i++) {
            uses[step->arguments[i]] += step->again ? 2 : 1;
        }
    }
    evs_free(uses);
}

static const struct evs_program *finish(struct compiler *compiler, const uint32_t *outputs, uint32_t output_count)
{
    struct evs_program *program = EVS_ARENA_NEW(compiler->arena, struct evs_program);
    struct evs_step *steps = EVS_ARENA_ARRAY(compiler->arena, struct evs_step, compiler->count + 1);
    if (compiler->count > 0) {
        memcpy(steps, compiler->steps, sizeof *steps * compiler->count);
    }
    program->steps = steps;
    program->step_count = compiler->count;
    program->outputs = outputs;
    program->output_count = output_count;
    return program;
}

const struct evs_program *evs_program_build(struct evs_arena *arena, const struct evs_expr **exprs, uint32_t count)
{
    struct compiler compiler = {.arena = arena};
    compiler.seen.arena = &compiler.scratch;
    uint32_t *outputs = EVS_ARENA_ARRAY(arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        outputs[i] = compile_expr(&compiler, exprs[i]);
    }
    mark_again(&compiler, outputs, count);
    const struct evs_program *program = finish(&compiler, outputs, count);
    evs_free(compiler.steps);
    evs_free(compiler.table);
    evs_arena_fini(&compiler.scratch);
    return program;
}

evs_status evs_program_compile(struct evs_arena *arena, const struct evs_expr **exprs, uint32_t count,
                               const struct evs_program **program, struct evs_error *error)
{
    const struct evs_expr **simple = EVS_ARENA_ARRAY(arena, const struct evs_expr *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        simple[i] = evs_expr_simplify(arena, exprs[i]);
    }
    *program = evs_program_build(arena, simple, count);
    (void)error; /* whatever can be wrong was found when the expressions were built */
    return EVS_OK;
}
