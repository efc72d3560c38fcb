/* call tumble(…), hop(…), cumulate(…): the rows with window_start and window_end behind their columns. */
#include "bind_window.h"

#include <string.h>

#include "op_window.h"

enum { OWN_START, OWN_END };

static const void *configure(const struct evs_rel_layout *layout)
{
    struct evs_window_config *config = EVS_ARENA_NEW(layout->arena, struct evs_window_config);
    uint32_t count = layout->rel->inputs[0].rel->column_count;
    config->window = *(const struct evs_window *)layout->rel->op->bound;
    config->start_column = layout->map[count + OWN_START];
    config->end_column = layout->map[count + OWN_END];
    _Static_assert(EVS_WINDOW_UNSEEN == EVS_NO_COLUMN, "an end that nobody asks for");
    return config;
}

static struct evs_rel *make_rel(struct evs_binder *binder, struct evs_rel *base, const struct evs_bound_window *bound,
                                struct evs_place place)
{
    static const struct evs_rel_reading reading;
    uint32_t count = base->column_count;
    struct evs_rel_operator *op = EVS_ARENA_NEW(binder->arena, struct evs_rel_operator);
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_origin, count + 2);
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_column, count + 2);
    for (uint32_t i = 0; i < count; i++) {
        origins[i].column = i;
        columns[i] = base->columns[i];
        columns[i].edge = EVS_EDGE_NONE; /* the windows before are values now */
    }
    for (uint32_t i = 0; i < 2; i++) {
        origins[count + i] = (struct evs_rel_origin){EVS_COMPUTED, i};
        columns[count + i] = (struct evs_rel_column){.name = i == OWN_START ? "window_start" : "window_end",
                                                     .type = evs_type_of(EVS_TIMESTAMP),
                                                     .edge = i == OWN_START ? EVS_EDGE_START : EVS_EDGE_END,
                                                     .window = bound->identity};
    }
    op->operator_ = &evs_op_window;
    op->readings = &reading;
    op->origins = origins;
    op->configure = configure;
    op->bound = &bound->window;
    op->identity = bound->identity;
    op->label = evs_arena_printf(binder->arena, "windows of %s", bound->text);
    op->moves_time = true; /* so that ends of windows before do not pass for these rows' */
    return evs_rel_operator(&binder->rels, &base, 1, op, columns, count + 2, EVS_NO_COLUMN, place, NULL);
}

/* The function behind `call`; false: it is none that gives windows (reported). */
static bool check_function(struct evs_binder *binder, const struct evs_ast_expr *ast)
{
    enum evs_window_kind kind = evs_window_named(ast->call->name);
    if (kind == EVS_WINDOW_SESSION) {
        struct evs_diag *diag = evs_report(binder, EVS_E0311, ast->place, "`call` cannot give sessions");
        evs_diag_hint(diag, "where a session ends is known only with its last row: write session(…) in group by");
        return false;
    }
    if (kind != EVS_WINDOW_NONE) {
        return true;
    }
    struct evs_diag *diag =
        evs_report(binder, EVS_E0208, ast->place, "`call` knows no function `%s`", ast->call->name.data);
    struct evs_nearest nearest = evs_nearest_begin(ast->call->name);
    evs_nearest_offer(&nearest, EVS_SLICE("tumble"));
    evs_nearest_offer(&nearest, EVS_SLICE("hop"));
    evs_nearest_offer(&nearest, EVS_SLICE("cumulate"));
    evs_diag_did_you_mean(diag, &nearest);
    return false;
}

bool evs_bind_call_operator(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_expr *ast = pipe->call.expr;
    struct evs_bound_window *bound = EVS_ARENA_NEW(binder->arena, struct evs_bound_window);
    if (ast->kind != EVS_AST_CALL || !check_function(binder, ast) || !evs_bind_window_call(binder, scope, ast, bound)) {
        return false;
    }
    struct evs_place place = evs_bind_place(binder, pipe->place);
    evs_scope_settle(binder, scope, place);
    uint32_t count = scope->base->column_count;
    scope->base = make_rel(binder, scope->base, bound, place);
    for (uint32_t i = count; i < count + 2; i++) {
        struct evs_field field = evs_rel_field(scope->base, i);
        evs_columns_add(binder, &scope->columns, field.name, evs_expr_column(binder->arena, i, &field, place));
    }
    if (evs_ident_given(&pipe->call.alias)) {
        evs_scope_range(binder, scope, evs_bind_text(binder, pipe->call.alias.text));
    }
    return true;
}
