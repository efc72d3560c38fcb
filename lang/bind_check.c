/* Operators that look at rows and pass them on: assert, log, describe. */
#include "plan_build.h"

#include "op_assert.h"
#include "op_log.h"

/* --- assert ---------------------------------------------------------------------------------------------------------------- */

struct assertion {
    const struct evs_expr *condition, *message; /* message may be NULL */
};

static const struct evs_expr *bind_here(struct evs_binder *binder, struct evs_scope *scope,
                                        const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = scope};
    return evs_bind_expr(binder, &context, ast);
}

/* A value as a text for people: as cast does, else as JSON; NULL reads "NULL". */
static const struct evs_expr *as_text(struct evs_binder *binder, const struct evs_expr *expr)
{
    struct evs_arena *arena = binder->arena;
    const struct evs_expr *text = NULL, *parts[2];
    struct evs_error error;
    if (evs_expr_cast(arena, expr, evs_type_of(EVS_STRING), true, expr->place, &text, &error) != EVS_OK &&
        evs_expr_call(arena, evs_slice_of("to_json_string"), false, &expr, 1, expr->place, &text, &error) != EVS_OK) {
        evs_report_error(binder, EVS_E0305, expr->place, &error);
        return NULL;
    }
    struct evs_value null_text = {.kind = EVS_STRING, .str = evs_str_make("NULL", 4)};
    parts[0] = text;
    parts[1] = evs_expr_constant(arena, null_text, expr->place);
    evs_status status = evs_expr_special(arena, EVS_EXPR_COALESCE, parts, 2, expr->place, &text, &error);
    EVS_ASSERT(status == EVS_OK); /* two strings */
    return text;
}

/* The texts of all that stands behind the condition, one after the other. */
static bool bind_message(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_exprs *exprs,
                         const struct evs_expr **message)
{
    *message = NULL;
    for (uint32_t i = 1; i < exprs->count; i++) {
        const struct evs_expr *part = bind_here(binder, scope, exprs->items[i]);
        part = part != NULL ? as_text(binder, part) : NULL;
        if (part == NULL) {
            return false;
        }
        if (*message == NULL) {
            *message = part;
            continue;
        }
        const struct evs_expr *both[2] = {*message, part};
        struct evs_error error;
        evs_status status =
            evs_expr_call(binder->arena, evs_slice_of("||"), false, both, 2, part->place, message, &error);
        EVS_ASSERT(status == EVS_OK); /* two strings */
    }
    return true;
}

static const void *configure_assert(const struct evs_rel_layout *layout)
{
    const struct assertion *assertion = layout->rel->op->bound;
    struct evs_assert_config *config = EVS_ARENA_NEW(layout->arena, struct evs_assert_config);
    const uint32_t *map = layout->input_map[0];
    config->condition = evs_build_program(layout->builder, &assertion->condition, 1, map);
    if (assertion->message != NULL) {
        config->message = evs_build_program(layout->builder, &assertion->message, 1, map);
    }
    config->text = assertion->condition->text;
    config->file = layout->place.file;
    config->line = layout->place.line;
    return config;
}

/* The columns that expressions read, as a list. */
static struct evs_rel_reading reading_of(struct evs_binder *binder, const struct evs_rel *base,
                                         const struct evs_expr *const *exprs, uint32_t count)
{
    uint64_t *bitmap = EVS_ARENA_ARRAY(binder->arena, uint64_t, EVS_VALID_WORDS(base->column_count) + 1);
    uint32_t *reads = EVS_ARENA_ARRAY(binder->arena, uint32_t, base->column_count + 1);
    struct evs_rel_reading reading = {.reads = reads};
    for (uint32_t i = 0; i < count; i++) {
        evs_expr_columns(exprs[i], bitmap);
    }
    for (uint32_t i = 0; i < base->column_count; i++) {
        if ((bitmap[i / 64] >> (i % 64)) & 1) {
            reads[reading.read_count++] = i;
        }
    }
    return reading;
}

bool evs_bind_assert(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct assertion *assertion = EVS_ARENA_NEW(binder->arena, struct assertion);
    struct evs_place place = evs_bind_place(binder, pipe->place);
    evs_scope_settle(binder, scope, place);
    const struct evs_ast_expr *ast = pipe->exprs.items[0];
    const struct evs_expr *condition = bind_here(binder, scope, ast);
    assertion->condition = condition != NULL ? evs_bind_bool(binder, condition, ast->place) : NULL;
    if (assertion->condition == NULL || !bind_message(binder, scope, &pipe->exprs, &assertion->message)) {
        return false;
    }
    const struct evs_expr *exprs[2] = {assertion->condition, assertion->message};
    struct evs_rel_reading *reading = EVS_ARENA_NEW(binder->arena, struct evs_rel_reading);
    *reading = reading_of(binder, scope->base, exprs, assertion->message != NULL ? 2 : 1);
    struct evs_rel_operator *op = EVS_ARENA_NEW(binder->arena, struct evs_rel_operator);
    op->operator_ = &evs_op_assert;
    op->readings = reading;
    op->origins = evs_rel_passed(&binder->rels, scope->base);
    op->configure = configure_assert;
    op->bound = assertion;
    op->identity = evs_lineage_expr(scope->base, assertion->condition);
    op->label = evs_arena_printf(binder->arena, "assert %s", assertion->condition->text);
    scope->base = evs_rel_extended(&binder->rels, scope->base, op, place, NULL);
    return true;
}

/* --- describe -------------------------------------------------------------------------------------------------------------- */

void evs_bind_describe(struct evs_binder *binder, const struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i < scope->columns.count; i++) {
        const struct evs_scope_column *column = &scope->columns.items[i];
        evs_buffer_printf(&text, "%s%s %s%s%s", i > 0 ? ", " : "", column->name != NULL ? column->name : "(no name)",
                          evs_type_name_in(binder->arena, column->expr->type),
                          column->expr->nullable ? "" : " not null",
                          evs_scope_is_event_time(scope, column->expr) ? " (the event time)" : "");
    }
    evs_report(binder, EVS_I0001, pipe->word, "rows have %u column%s here: %.*s", scope->columns.count,
               scope->columns.count == 1 ? "" : "s", (int)text.count, text.count > 0 ? text.data : "");
    evs_buffer_fini(&text);
}

/* --- log ------------------------------------------------------------------------------------------------------------------- */

static const void *configure_log(const struct evs_rel_layout *layout)
{
    return layout->rel->op->bound;
}

/* Nobody asks for the rows of a log, and they are shown all the same: it is alive by itself. */
void evs_bind_log(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place)
{
    place = evs_bind_place(binder, place);
    struct evs_rel *rows = evs_scope_project(binder, scope, &scope->columns, place);
    uint32_t *reads = EVS_ARENA_ARRAY(binder->arena, uint32_t, rows->column_count + 1);
    for (uint32_t i = 0; i < rows->column_count; i++) {
        reads[i] = i;
    }
    struct evs_rel_reading *reading = EVS_ARENA_NEW(binder->arena, struct evs_rel_reading);
    *reading = (struct evs_rel_reading){.reads = reads, .read_count = rows->column_count, .is_exact = true};
    struct evs_log_config *config = EVS_ARENA_NEW(binder->arena, struct evs_log_config);
    config->place = evs_arena_printf(binder->arena, "%s:%u", place.file, place.line);
    struct evs_rel_operator *op = EVS_ARENA_NEW(binder->arena, struct evs_rel_operator);
    op->operator_ = &evs_op_log;
    op->readings = reading;
    op->origins = evs_rel_passed(&binder->rels, rows);
    op->configure = configure_log;
    op->bound = config;
    op->label = "log";
    evs_rel_extended(&binder->rels, rows, op, place, NULL)->is_live = true;
}
