/* distinct, select distinct: an aggregate whose keys are all columns, and which computes nothing.
 *
 * What has been seen must be forgotten some day. Rows that have both ends of their window are compared within it, and come when it closes, as a windowed
 * aggregate's results do. Over an input that ends, a row goes on at once if none like it came before; a group has one result, so that is no
 * update stream. Anything else would remember every row for ever, and is refused. */
#include "bind_aggregate.h"
#include "evstream/table.h"

static bool add_keys(struct evs_aggregation *aggregation, struct evs_place place)
{
    const struct evs_columns *columns = &aggregation->scope->columns;
    struct evs_binder *binder = aggregation->binder;
    aggregation->groups = EVS_ARENA_ARRAY(binder->arena, struct group_column, columns->count + 1);
    bool is_right = true;
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct evs_expr *key = evs_bind_typed(binder, columns->items[i].expr);
        is_right = evs_check_key(binder, key, place) && is_right;
        aggregation->groups[aggregation->group_count++] =
            (struct group_column){.name = columns->items[i].name, .key = key};
    }
    if (is_right && aggregation->group_count > EVS_KEYS_MAX) {
        evs_report(binder, EVS_E0312, place, "distinct compares at most %u columns, and these are %u", EVS_KEYS_MAX,
                   aggregation->group_count);
        return false;
    }
    return is_right;
}

static bool check_bound(struct evs_aggregation *aggregation, struct evs_place place)
{
    if (aggregation->window.window.kind != EVS_WINDOW_NONE || aggregation->scope->base->is_bounded) {
        return true;
    }
    struct evs_diag *diag = evs_report(aggregation->binder, EVS_E0401, place,
                                       "nothing bounds what `distinct` remembers: it would keep every row for ever");
    evs_diag_hint(diag, "keep window_start and window_end of a window before it, or write deduplicate by … within "
                        "interval 1 hour");
    return false;
}

bool evs_bind_distinct(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place)
{
    static const struct evs_ast_aggregate nothing = {0};
    struct evs_aggregation aggregation = {.binder = binder, .scope = scope, .ast = &nothing, .is_distinct = true};
    struct evs_columns items = {0};
    if (scope->base->is_update) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0402, place, "these rows are revisions of results, and distinct would mix them");
        evs_diag_hint(diag, "give the aggregate before a window");
        return false;
    }
    evs_scope_settle(binder, scope, evs_bind_place(binder, place)); /* the ends of a window are columns */
    if (!add_keys(&aggregation, place) || !evs_bind_window_columns(&aggregation) || !evs_bind_emit(&aggregation) ||
        !check_bound(&aggregation, place) || !evs_bind_bound(&aggregation, place)) {
        return false;
    }
    evs_aggregation_end(&aggregation, scope, &items, place, NULL);
    return true;
}
