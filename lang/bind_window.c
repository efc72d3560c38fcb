/* Windows of an aggregate, when its results come, and how long its groups live. */
#include "bind_aggregate.h"

#define DAY_US INT64_C(86400000000)

/* --- windows ------------------------------------------------------------------------------------------------------------------ */

/* The first argument, where there are two, is the event-time column unchanged (language, "Event time, exactly", 9). */
static bool check_time(struct evs_aggregation *aggregation, const struct evs_ast_expr *ast)
{
    struct evs_binder *binder = aggregation->binder;
    struct evs_context context = {.scope = aggregation->scope};
    const struct evs_expr *expr = evs_bind_expr(binder, &context, ast);
    if (expr == NULL) {
        return false;
    }
    if (evs_scope_is_event_time(aggregation->scope, expr)) {
        return true;
    }
    const struct evs_rel *base = aggregation->scope->base;
    struct evs_diag *diag = evs_report(binder, EVS_E0403, ast->place, "`%s` is not the event time of these rows",
                                       evs_ast_expr_text(binder->arena, ast));
    if (base->event_time_column != EVS_NO_COLUMN) {
        evs_diag_hint(diag, "the event time is `%s`; it may also be left out",
                      base->columns[base->event_time_column].name);
    } else {
        evs_diag_hint(diag, "leave it out: rows carry their event time");
    }
    return false;
}

static int64_t floor_mod(int64_t value, int64_t divisor)
{
    int64_t rest = value % divisor;
    return rest < 0 ? rest + divisor : rest;
}

static bool bind_window_option(struct evs_aggregation *aggregation, const struct evs_ident *name,
                               const struct evs_ast_expr *value)
{
    struct evs_binder *binder = aggregation->binder;
    if (evs_slice_equal_nocase(name->text, "offset")) {
        return evs_bind_duration(binder, value, "the offset of a window", &aggregation->offset_us);
    }
    if (evs_slice_equal_nocase(name->text, "time_zone")) {
        struct evs_value zone;
        if (!evs_bind_constant(binder, value, "a time zone", &zone)) {
            return false;
        }
        bool is_utc =
            zone.kind == EVS_STRING && !zone.is_null && evs_slice_equal_nocase(evs_str_slice(&zone.str), "UTC");
        return is_utc || evs_bind_unsupported(binder, value->place, "windows in a time zone other than 'UTC' are");
    }
    struct evs_diag *diag =
        evs_report(binder, EVS_E0311, name->place, "`tumble` has no argument of the name `%s`", name->text.data);
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    evs_nearest_offer(&nearest, EVS_SLICE("offset"));
    evs_nearest_offer(&nearest, EVS_SLICE("time_zone"));
    evs_diag_did_you_mean(diag, &nearest);
    return false;
}

static bool bind_window_size(struct evs_aggregation *aggregation, const struct evs_ast_expr *size)
{
    struct evs_binder *binder = aggregation->binder;
    struct evs_value value;
    if (!evs_bind_constant(binder, size, "the size of a window", &value)) {
        return false;
    }
    if (value.kind == EVS_INTERVAL && value.interval.months != 0) {
        return evs_bind_unsupported(binder, size->place, "windows of months, quarters and years are");
    }
    if (!evs_bind_duration(binder, size, "the size of a window", &aggregation->size_us)) {
        return false;
    }
    if (aggregation->size_us <= 0) {
        evs_report(binder, EVS_E0405, size->place, "the size of a window is above zero");
        return false;
    }
    /* Weeks begin on Monday; 1970-01-05 was one. */
    if (size->kind == EVS_AST_INTERVAL && size->part == EVS_PART_WEEK) {
        aggregation->offset_us += 4 * DAY_US;
    }
    return true;
}

/* Who names the time, tumble(_ingested_at, …), knows it. */
static void warn_of_reading(struct evs_aggregation *aggregation, const struct evs_ast_expr *ast)
{
    if (aggregation->scope->base->is_timed_by_reading) {
        struct evs_diag *diag = evs_report(aggregation->binder, EVS_W0007, ast->place,
                                           "these windows go by the time at which the file is read");
        evs_diag_hint(diag, "add `watermark for COLUMN as COLUMN` to the source");
    }
}

static bool bind_tumble(struct evs_aggregation *aggregation, const struct evs_ast_expr *ast)
{
    const struct evs_ast_expr *positional[2];
    uint32_t count = 0;
    bool is_right = true;
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        bool is_named = ast->argument_names != NULL && evs_ident_given(&ast->argument_names[i]);
        if (is_named) {
            is_right = bind_window_option(aggregation, &ast->argument_names[i], ast->arguments[i]) && is_right;
        } else if (count < 2) {
            positional[count++] = ast->arguments[i];
        } else {
            count = 3;
        }
    }
    if (count == 0 || count > 2) {
        struct evs_diag *diag = evs_report(aggregation->binder, EVS_E0311, ast->place,
                                           "`tumble` takes a size, or the event time and a size");
        evs_diag_hint(diag, "write tumble(interval 1 minute)");
        return false;
    }
    if (count == 1) {
        warn_of_reading(aggregation, ast);
    }
    is_right = (count == 1 || check_time(aggregation, positional[0])) && is_right;
    is_right = bind_window_size(aggregation, positional[count - 1]) && is_right;
    if (is_right) {
        aggregation->offset_us = floor_mod(aggregation->offset_us, aggregation->size_us);
    }
    return is_right;
}

bool evs_bind_window(struct evs_aggregation *aggregation, const struct evs_ast_group *group)
{
    struct evs_binder *binder = aggregation->binder;
    if (aggregation->window != EVS_WINDOW_NONE) {
        evs_report(binder, EVS_E0311, group->expr->place, "a group by has one window");
        return false;
    }
    if (group->window != EVS_AST_WINDOW_TUMBLE) {
        return evs_bind_unsupported(binder, group->expr->place,
                                    evs_arena_printf(binder->arena, "`%s` is", group->expr->call->name.data));
    }
    if (evs_ident_given(&group->alias)) {
        struct evs_diag *diag = evs_report(binder, EVS_E0311, group->alias.place,
                                           "a window has no name: it gives window_start and window_end");
        evs_diag_hint(diag, "rename these behind the aggregate");
        return false;
    }
    aggregation->window = EVS_WINDOW_TUMBLE;
    aggregation->window_text = evs_ast_expr_text(binder->arena, group->expr);
    aggregation->groups[aggregation->group_count++] =
        (struct group_column){.name = "window_start", .what = GROUP_WINDOW_START};
    aggregation->groups[aggregation->group_count++] =
        (struct group_column){.name = "window_end", .what = GROUP_WINDOW_END};
    return bind_tumble(aggregation, group->expr);
}

/* --- when results come, and how long groups live ------------------------------------------------------------------------------- */

static bool refuse_clause(struct evs_binder *binder, struct evs_place place, const char *message, const char *hint)
{
    struct evs_diag *diag = evs_report(binder, EVS_E0406, place, "%s", message);
    evs_diag_hint(diag, "%s", hint);
    return false;
}

bool evs_bind_emit(struct evs_aggregation *aggregation)
{
    struct evs_binder *binder = aggregation->binder;
    const struct evs_ast_aggregate *ast = aggregation->ast;
    bool is_windowed = aggregation->window != EVS_WINDOW_NONE;
    aggregation->emit = is_windowed ? EVS_EMIT_ON_CLOSE : EVS_EMIT_ON_CHANGE;
    if (ast->emit == EVS_AST_EMIT_EVERY) {
        return evs_bind_unsupported(binder, ast->emit_place, "emit every is");
    }
    if (ast->emit == EVS_AST_EMIT_ON_CHANGE && is_windowed) {
        return evs_bind_unsupported(binder, ast->emit_place, "emit on change with a window is");
    }
    if (ast->emit == EVS_AST_EMIT_ON_CLOSE && !is_windowed) {
        return refuse_clause(binder, ast->emit_place, "without a window nothing closes",
                             "add a window to group by, or emit on change");
    }
    if (ast->lateness != NULL) {
        return evs_bind_unsupported(binder, ast->lateness->place, "allow lateness is");
    }
    if (evs_ident_given(&ast->late_into) && !is_windowed) {
        return refuse_clause(binder, ast->late_into.place, "without a window no row is late", "leave `late into` out");
    }
    return true;
}

static bool remembers_values(const struct evs_aggregation *aggregation)
{
    for (uint32_t i = 0; i < aggregation->call_count; i++) {
        if (evs_aggregate_grows(aggregation->calls[i].kind, aggregation->calls[i].is_distinct)) {
            return true;
        }
    }
    return false;
}

/* State that nothing bounds is an error, but for inputs that end. */
bool evs_bind_bound(struct evs_aggregation *aggregation, struct evs_place place)
{
    struct evs_binder *binder = aggregation->binder;
    const struct evs_ast_expr *retain = aggregation->ast->retain;
    aggregation->retain_us = -1;
    if (aggregation->window != EVS_WINDOW_NONE) {
        aggregation->state_bound = "a window goes when the watermark passes its end";
        return retain == NULL || refuse_clause(binder, retain->place, "`retain` belongs to groups without a window",
                                               "leave it out: the window bounds the state");
    }
    if (retain != NULL) {
        if (!evs_bind_duration(binder, retain, "retain", &aggregation->retain_us)) {
            return false;
        }
        if (aggregation->retain_us <= 0) {
            return refuse_clause(binder, retain->place, "`retain` is above zero",
                                 "write retain interval 1 day, for example");
        }
        aggregation->state_bound = evs_arena_printf(binder->arena, "a group goes %s after its latest row",
                                                    evs_ast_expr_text(binder->arena, retain));
        return true;
    }
    if (aggregation->group_count == 0 && !remembers_values(aggregation)) {
        aggregation->state_bound = "one group";
        return true;
    }
    if (aggregation->scope->base->is_bounded) {
        aggregation->state_bound = "the input ends";
        return true;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0401, place,
                                       "nothing bounds the state of this aggregate: it keeps every group for ever");
    evs_diag_hint(diag, "add a window, group by …, tumble(interval 1 hour), or retain interval 1 day");
    return false;
}
