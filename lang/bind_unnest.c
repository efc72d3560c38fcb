/* join unnest(array): a row for each element of an array of the row. */
#include "plan_build.h"

#include "op_unnest.h"

#include <string.h>

enum own_column { OWN_ELEMENT, OWN_OFFSET };

static bool check_form(struct evs_binder *binder, const struct evs_ast_join *join)
{
    const struct evs_ast_relation *right = &join->right;
    if (join->kind != EVS_JOIN_CROSS && join->kind != EVS_JOIN_INNER && join->kind != EVS_JOIN_LEFT) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0416, right->place, "unnest stands in a cross join or a left join");
        evs_diag_hint(diag, "write `cross join unnest(…)`, or `left join unnest(…)` to keep rows without elements");
        return false;
    }
    if (join->on != NULL || join->using_columns.count > 0 || join->lateness != NULL ||
        evs_ident_given(&join->late_into)) {
        struct evs_diag *diag = evs_report(binder, EVS_E0416, right->place,
                                           "join unnest takes no condition: each row is joined with its own elements");
        evs_diag_hint(diag, "leave it out, and filter by |> where behind");
        return false;
    }
    return true;
}

static const struct evs_expr *bind_array(struct evs_binder *binder, struct evs_scope *scope,
                                         const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = scope};
    const struct evs_expr *array = evs_bind_expr(binder, &context, ast);
    if (array != NULL && array->type->kind != EVS_ARRAY) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0416, ast->place, "unnest takes an array, and this is of type %s",
                       evs_type_name_in(binder->arena, array->type));
        if (array->type->kind == EVS_JSON) {
            evs_diag_hint(diag, "json_query_array(…) makes an array of a json array");
        }
        return NULL;
    }
    return array;
}

struct unnesting {
    uint32_t array; /* column of the base */
    bool keeps_empty;
};

static const void *configure(const struct evs_rel_layout *layout)
{
    const struct unnesting *unnesting = layout->rel->op->bound;
    struct evs_unnest_config *config = EVS_ARENA_NEW(layout->arena, struct evs_unnest_config);
    uint32_t *columns = EVS_ARENA_ARRAY(layout->arena, uint32_t, layout->schema.count + 1);
    for (uint32_t i = 0; i < layout->rel->column_count; i++) {
        struct evs_rel_origin origin = layout->rel->op->origins[i];
        if (layout->map[i] == EVS_NO_COLUMN) {
            continue;
        }
        if (origin.input == EVS_COMPUTED) {
            columns[layout->map[i]] = origin.column == OWN_ELEMENT ? EVS_UNNEST_ELEMENT : EVS_UNNEST_OFFSET;
        } else {
            columns[layout->map[i]] = layout->input_map[0][origin.column];
        }
    }
    config->array = layout->input_map[0][unnesting->array];
    config->keeps_empty = unnesting->keeps_empty;
    config->columns = columns;
    return config;
}

static struct evs_rel_operator *make_operator(struct evs_binder *binder, const struct evs_rel *base,
                                              const struct unnesting *unnesting)
{
    uint32_t count = base->column_count;
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_origin, count + 2);
    for (uint32_t i = 0; i < count; i++) {
        origins[i].column = i;
    }
    origins[count] = (struct evs_rel_origin){EVS_COMPUTED, OWN_ELEMENT};
    origins[count + 1] = (struct evs_rel_origin){EVS_COMPUTED, OWN_OFFSET};
    struct evs_rel_reading *reading = EVS_ARENA_NEW(binder->arena, struct evs_rel_reading);
    *reading = (struct evs_rel_reading){.reads = &unnesting->array, .read_count = 1};
    struct evs_rel_operator *op = EVS_ARENA_NEW(binder->arena, struct evs_rel_operator);
    op->operator_ = &evs_op_unnest;
    op->readings = reading;
    op->origins = origins;
    op->is_built = true;
    op->configure = configure;
    op->bound = unnesting;
    op->identity = evs_lineage_mix(base->columns[unnesting->array].lineage, unnesting->keeps_empty);
    return op;
}

/* The relation has the columns of its input under their numbers, so that the scope stays as it is; element and offset come behind. */
static struct evs_rel *make_rel(struct evs_binder *binder, struct evs_rel *base, const struct evs_type *array,
                                const struct unnesting *unnesting, const char *label, struct evs_place place)
{
    struct evs_rel_operator *op = make_operator(binder, base, unnesting);
    op->label = label;
    uint32_t count = base->column_count;
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_column, count + 2);
    if (count > 0) {
        memcpy(columns, base->columns, sizeof *columns * count);
    }
    columns[count] = (struct evs_rel_column){.name = "element", .type = array->element, .nullable = true};
    columns[count + 1] =
        (struct evs_rel_column){.name = "offset", .type = evs_type_of(EVS_INT64), .nullable = unnesting->keeps_empty};
    return evs_rel_operator(&binder->rels, &base, 1, op, columns, count + 2, base->event_time_column, place, NULL);
}

static void add_column(struct evs_binder *binder, struct evs_scope *scope, uint32_t column, const char *name,
                       struct evs_place place)
{
    struct evs_field field = evs_rel_field(scope->base, column);
    evs_columns_add(binder, &scope->columns, name, evs_expr_column(binder->arena, column, &field, place));
}

bool evs_bind_unnest(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_join *join = pipe->join;
    const struct evs_ast_relation *right = &join->right;
    const struct evs_expr *array = check_form(binder, join) ? bind_array(binder, scope, right->unnest) : NULL;
    if (array == NULL) {
        return false;
    }
    struct evs_place place = evs_bind_place(binder, pipe->place);
    struct unnesting *unnesting = EVS_ARENA_NEW(binder->arena, struct unnesting);
    unnesting->keeps_empty = join->kind == EVS_JOIN_LEFT;
    evs_scope_settle_with(binder, scope, &array, 1, &unnesting->array, place);
    const char *label =
        evs_arena_printf(binder->arena, "%s join unnest(%s)", unnesting->keeps_empty ? "left" : "cross", array->text);
    uint32_t count = scope->base->column_count;
    scope->base = make_rel(binder, scope->base, array->type, unnesting, label, place);
    bool has_alias = evs_ident_given(&right->alias);
    add_column(binder, scope, count, has_alias ? evs_bind_text(binder, right->alias.text) : NULL, place);
    if (right->with_offset) {
        const struct evs_ident *name = &right->offset_alias;
        add_column(binder, scope, count + 1, evs_ident_given(name) ? evs_bind_text(binder, name->text) : "offset",
                   place);
    }
    return true;
}
