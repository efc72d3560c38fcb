/* Windows, when an aggregate's results come, and how long its groups live. */
#include "bind_window.h"

#include "bind_aggregate.h"

#include <string.h>

#define DAY_US INT64_C(86400000000)

/* --- windows: their arguments --------------------------------------------------------------------------------------------------- */

/* What a window takes behind the event time. */
struct window_form {
    const char *name;
    enum evs_window_kind kind;
    uint32_t least, most;     /* intervals */
    const char *takes, *hint; /* for messages */
};
static const struct window_form forms[] = {
    {"tumble", EVS_WINDOW_TUMBLE, 1, 1, "a size", "write tumble(interval 1 minute)"},
    {"hop", EVS_WINDOW_HOP, 2, 2, "a size and a slide", "write hop(interval 1 hour, interval 5 minute)"},
    {"session", EVS_WINDOW_SESSION, 1, 2, "a gap and, if you like, a longest duration",
     "write session(interval 30 minute)"},
    {"cumulate", EVS_WINDOW_CUMULATE, 2, 2, "a step and a size", "write cumulate(interval 1 hour, interval 1 day)"},
};

/* A window while it is bound. */
struct binding {
    struct evs_binder *binder;
    struct evs_scope *scope;
    const struct window_form *form;
    const struct evs_ast_expr *ast, *time, *lengths[2];
    uint32_t length_count;
    const struct evs_ast_expr *offset, *zone;
    int64_t offset_us;
    struct evs_interval values[2]; /* of the lengths */
    const char *zone_name;
    struct evs_bound_window *out;
};

static const struct window_form *form_named(struct evs_slice name)
{
    for (size_t i = 0; i < EVS_COUNT(forms); i++) {
        if (evs_slice_equal_nocase(name, forms[i].name)) {
            return &forms[i];
        }
    }
    return NULL;
}

enum evs_window_kind evs_window_named(struct evs_slice name)
{
    const struct window_form *form = form_named(name);
    return form != NULL ? form->kind : EVS_WINDOW_NONE;
}

/* The first argument, where it is a name, is the event-time column unchanged (language, "Event time, exactly", 9). */
static bool check_time(struct binding *binding)
{
    struct evs_binder *binder = binding->binder;
    const struct evs_ast_expr *ast = binding->time;
    struct evs_context context = {.scope = binding->scope};
    const struct evs_expr *expr = evs_bind_expr(binder, &context, ast);
    if (expr == NULL) {
        return false;
    }
    if (evs_scope_is_event_time(binding->scope, expr)) {
        return true;
    }
    const struct evs_rel *base = binding->scope->base;
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

/* Who names the time, tumble(_ingested_at, …), knows it. */
static void warn_of_reading(const struct binding *binding)
{
    if (binding->scope->base->is_timed_by_reading) {
        struct evs_diag *diag = evs_report(binding->binder, EVS_W0007, binding->ast->place,
                                           "these windows go by the time at which the file is read");
        evs_diag_hint(diag, "add `watermark for COLUMN as COLUMN` to the source");
    }
}

static bool take_option(struct binding *binding, const struct evs_ident *name, const struct evs_ast_expr *value)
{
    bool is_offset = evs_slice_equal_nocase(name->text, "offset");
    if (is_offset || evs_slice_equal_nocase(name->text, "time_zone")) {
        if (binding->form->kind == EVS_WINDOW_SESSION) {
            struct evs_diag *diag = evs_report(binding->binder, EVS_E0311, name->place, "`session` has no `%s`",
                                               is_offset ? "offset" : "time_zone");
            evs_diag_hint(diag, "a session begins with its first row, wherever the clock stands");
            return false;
        }
        *(is_offset ? &binding->offset : &binding->zone) = value;
        return true;
    }
    struct evs_diag *diag = evs_report(binding->binder, EVS_E0311, name->place, "`%s` has no argument of the name `%s`",
                                       binding->form->name, name->text.data);
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    evs_nearest_offer(&nearest, EVS_SLICE("offset"));
    evs_nearest_offer(&nearest, EVS_SLICE("time_zone"));
    evs_diag_did_you_mean(diag, &nearest);
    return false;
}

static bool take_arguments(struct binding *binding)
{
    const struct evs_ast_expr *ast = binding->ast;
    bool is_right = true, is_many = false;
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        const struct evs_ast_expr *argument = ast->arguments[i];
        bool is_named = ast->argument_names != NULL && evs_ident_given(&ast->argument_names[i]);
        if (is_named) {
            is_right = take_option(binding, &ast->argument_names[i], argument) && is_right;
        } else if (i == 0 && argument->kind == EVS_AST_PATH) {
            binding->time = argument;
        } else if (binding->length_count < binding->form->most) {
            binding->lengths[binding->length_count++] = argument;
        } else {
            is_many = true;
        }
    }
    if (is_many || binding->length_count < binding->form->least) {
        struct evs_diag *diag = evs_report(binding->binder, EVS_E0311, ast->place,
                                           "`%s` takes %s, with the event time in front if you like",
                                           binding->form->name, binding->form->takes);
        evs_diag_hint(diag, "%s", binding->form->hint);
        return false;
    }
    return is_right;
}

/* --- windows: their lengths ------------------------------------------------------------------------------------------------------- */

static bool report_length(const struct binding *binding, const struct evs_ast_expr *at, const char *message,
                          const char *hint)
{
    struct evs_diag *diag = evs_report(binding->binder, EVS_E0405, at->place, "%s", message);
    if (hint != NULL) {
        evs_diag_hint(diag, "%s", hint);
    }
    return false;
}

static bool bind_length(struct binding *binding, uint32_t index)
{
    const struct evs_ast_expr *ast = binding->lengths[index];
    struct evs_value value;
    int64_t us;
    if (!evs_bind_constant(binding->binder, ast, "the size of a window", &value)) {
        return false;
    }
    bool has_months = value.kind == EVS_INTERVAL && !value.is_null && value.interval.months != 0;
    if (has_months && binding->form->kind == EVS_WINDOW_SESSION) {
        return report_length(binding, ast, "a session takes days and smaller units", "months have no fixed length");
    }
    if (has_months && (value.interval.days != 0 || value.interval.us != 0)) {
        return report_length(binding, ast, "a window is of months or of shorter units, not of both", NULL);
    }
    if (!has_months) {
        if (!evs_bind_duration(binding->binder, ast, "the size of a window", &us)) {
            return false;
        }
        value.interval = (struct evs_interval){.us = us};
    }
    if (value.interval.months < 0 || value.interval.us < 0 || (value.interval.months == 0 && value.interval.us == 0)) {
        return report_length(binding, ast, "the size of a window is above zero", NULL);
    }
    binding->values[index] = value.interval;
    return true;
}

static bool bind_zone(struct binding *binding)
{
    struct evs_value value;
    struct evs_window *window = &binding->out->window;
    binding->zone_name = "UTC";
    if (binding->zone == NULL) {
        return true;
    }
    if (!evs_bind_constant(binding->binder, binding->zone, "a time zone", &value)) {
        return false;
    }
    if (value.kind != EVS_STRING || value.is_null) {
        evs_report(binding->binder, EVS_E0307, binding->zone->place, "a time zone is a text such as 'Europe/Berlin'");
        return false;
    }
    binding->zone_name = evs_bind_text(binding->binder, evs_str_slice(&value.str));
    if (!evs_zone_load(binding->zone_name, strlen(binding->zone_name), &window->zone)) {
        struct evs_diag *diag = evs_report(binding->binder, EVS_E0307, binding->zone->place,
                                           "there is no time zone `%s`", binding->zone_name);
        evs_diag_hint(diag, "write a name such as 'Europe/Berlin', or an offset such as '+01:00'");
        return false;
    }
    return true;
}

/* At least, and at most, so many µs. */
static int64_t least_us(const struct evs_interval *length)
{
    return length->months != 0 ? length->months * 28 * DAY_US : length->us;
}
static int64_t most_us(const struct evs_interval *length)
{
    return length->months != 0 ? length->months * 31 * DAY_US : length->us;
}

static bool divides(const struct evs_interval *step, const struct evs_interval *size)
{
    if (step->months != 0) {
        return size->months != 0 && size->months % step->months == 0;
    }
    return size->months != 0 ? DAY_US % step->us == 0 : size->us % step->us == 0;
}

static bool check_lengths(const struct binding *binding)
{
    const struct evs_interval *first = &binding->values[0], *second = &binding->values[1];
    switch (binding->form->kind) {
    case EVS_WINDOW_HOP: {
        if (first->months != 0 && second->months == 0 && second->us % DAY_US != 0) {
            return report_length(binding, binding->lengths[1], "windows of months slide by whole days", NULL);
        }
        bool is_exact = first->months != 0 && second->months != 0;
        bool fits = is_exact ? second->months <= first->months : most_us(second) <= least_us(first);
        return fits || report_length(binding, binding->lengths[1], "the slide of a hop is at most its size",
                                     "the size comes first; rows between two windows would be lost");
    }
    case EVS_WINDOW_CUMULATE:
        return divides(first, second) ||
               report_length(binding, binding->lengths[0], "the step of a cumulate divides its size",
                             "the step comes first; a month takes steps that divide a day");
    case EVS_WINDOW_SESSION:
        return binding->length_count < 2 || second->us >= first->us ||
               report_length(binding, binding->lengths[1], "the longest duration of a session is at least its gap",
                             "the gap comes first");
    default:
        return true;
    }
}

/* Weeks begin on Monday; 1970-01-05 was one. */
static bool is_weeks(const struct evs_ast_expr *length)
{
    return length->kind == EVS_AST_INTERVAL && length->part == EVS_PART_WEEK;
}

static struct evs_period period_of(const struct evs_interval *length, int64_t offset_us)
{
    return (struct evs_period){.months = length->months, .us = length->us, .offset_us = offset_us};
}

static int64_t floor_mod(int64_t value, int64_t divisor)
{
    int64_t rest = value % divisor;
    return rest < 0 ? rest + divisor : rest;
}

/* Which of the lengths say how long a window is, how far starts are apart, and where panes end. */
static void set_grids(struct binding *binding)
{
    struct evs_window *window = &binding->out->window;
    uint32_t size_at = window->kind == EVS_WINDOW_CUMULATE ? 1 : 0;
    uint32_t slide_at = window->kind == EVS_WINDOW_TUMBLE ? 0 : 1;
    const struct evs_interval *size = &binding->values[size_at], *slide = &binding->values[slide_at];
    int64_t offset_us = binding->offset_us + (is_weeks(binding->lengths[slide_at]) ? 4 * DAY_US : 0);
    window->is_calendar = !evs_zone_is_utc(window->zone) || size->months != 0 || slide->months != 0;
    window->size = *size;
    window->size_us = size->us;
    if (window->is_calendar) {
        window->slide = period_of(slide, slide->months != 0 ? offset_us : floor_mod(offset_us, slide->us));
    } else {
        window->slide_us = slide->us;
        window->offset_us = floor_mod(offset_us, slide->us);
    }
    if (window->kind != EVS_WINDOW_CUMULATE) {
        evs_window_set_panes(window);
    } else if (window->is_calendar) {
        window->pane = period_of(&binding->values[0], window->slide.offset_us);
    } else {
        window->pane_us = binding->values[0].us;
    }
    const struct evs_interval *fine = window->kind == EVS_WINDOW_CUMULATE ? &binding->values[0] : slide;
    binding->out->spans = (uint64_t)(most_us(size) / least_us(fine)) + 1;
}

static void set_session(struct binding *binding)
{
    struct evs_window *window = &binding->out->window;
    window->gap_us = binding->values[0].us;
    window->max_us = binding->length_count > 1 ? binding->values[1].us : 0;
    binding->out->spans = 1;
}

/* --- windows: the whole ----------------------------------------------------------------------------------------------------------- */

static void put_length(const struct evs_interval *length, struct evs_buffer *out)
{
    if (length->months != 0) {
        evs_buffer_printf(out, "%d month", length->months);
    } else {
        evs_put_duration(out, length->us);
    }
}

/* As it is written, but parameters by their value. */
static const char *text_of(const struct binding *binding)
{
    struct evs_arena *arena = binding->binder->arena;
    const char *written = evs_ast_expr_text(arena, binding->ast);
    if (strchr(written, '@') == NULL) {
        return written;
    }
    struct evs_buffer text = {0};
    evs_buffer_printf(&text, "%s(", binding->form->name);
    for (uint32_t i = 0; i < binding->length_count; i++) {
        evs_buffer_puts(&text, i > 0 ? ", " : "");
        put_length(&binding->values[i], &text);
    }
    if (binding->offset != NULL) {
        evs_buffer_puts(&text, ", offset => ");
        evs_put_duration(&text, binding->offset_us);
    }
    if (binding->zone != NULL) {
        evs_buffer_printf(&text, ", time_zone => '%s'", binding->zone_name);
    }
    evs_buffer_puts(&text, ")");
    const char *kept = evs_arena_strndup(arena, text.data, text.count);
    evs_buffer_fini(&text);
    return kept;
}

static uint64_t identity_of(const struct binding *binding)
{
    uint64_t hash = evs_lineage_text(binding->form->kind, binding->zone_name != NULL ? binding->zone_name : "");
    for (uint32_t i = 0; i < binding->length_count; i++) {
        hash = evs_lineage_mix(hash, (uint64_t)binding->values[i].months);
        hash = evs_lineage_mix(hash, (uint64_t)binding->values[i].us);
        hash = evs_lineage_mix(hash, is_weeks(binding->lengths[i]));
    }
    return evs_lineage_mix(hash, (uint64_t)binding->offset_us);
}

bool evs_bind_window_call(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_expr *ast,
                          struct evs_bound_window *bound)
{
    struct binding binding = {
        .binder = binder, .scope = scope, .form = form_named(ast->call->name), .ast = ast, .out = bound};
    *bound = (struct evs_bound_window){.window.kind = binding.form->kind};
    EVS_ASSERT(binding.form != NULL);
    if (!take_arguments(&binding)) {
        return false;
    }
    if (binding.time == NULL) {
        warn_of_reading(&binding);
    }
    bool is_right = binding.time == NULL || check_time(&binding);
    for (uint32_t i = 0; i < binding.length_count; i++) {
        is_right = bind_length(&binding, i) && is_right;
    }
    is_right = (binding.offset == NULL ||
                evs_bind_duration(binder, binding.offset, "the offset of a window", &binding.offset_us)) &&
               is_right;
    is_right = bind_zone(&binding) && is_right;
    if (!is_right || !check_lengths(&binding)) {
        return false;
    }
    if (bound->window.kind == EVS_WINDOW_SESSION) {
        set_session(&binding);
    } else {
        set_grids(&binding);
    }
    bound->text = text_of(&binding);
    bound->identity = identity_of(&binding);
    return true;
}

/* --- windows of an aggregate --------------------------------------------------------------------------------------------------------- */

bool evs_bind_window(struct evs_aggregation *aggregation, const struct evs_ast_group *group)
{
    struct evs_binder *binder = aggregation->binder;
    if (aggregation->window.window.kind != EVS_WINDOW_NONE) {
        evs_report(binder, EVS_E0311, group->expr->place, "a group by has one window");
        return false;
    }
    if (evs_ident_given(&group->alias)) {
        struct evs_diag *diag = evs_report(binder, EVS_E0311, group->alias.place,
                                           "a window has no name: it gives window_start and window_end");
        evs_diag_hint(diag, "rename these behind the aggregate");
        return false;
    }
    aggregation->window.window.kind = evs_window_named(group->expr->call->name);
    aggregation->groups[aggregation->group_count++] =
        (struct group_column){.name = "window_start", .what = GROUP_WINDOW_START};
    aggregation->groups[aggregation->group_count++] =
        (struct group_column){.name = "window_end", .what = GROUP_WINDOW_END};
    return evs_bind_window_call(binder, aggregation->scope, group->expr, &aggregation->window);
}

static enum evs_window_edge edge_of(const struct evs_aggregation *aggregation, const struct group_column *group)
{
    const struct evs_rel *base = aggregation->scope->base;
    bool is_column = group->key != NULL && group->key->kind == EVS_EXPR_COLUMN;
    return is_column ? base->columns[group->key->column].edge : EVS_EDGE_NONE;
}

/* The rows have windows already, and both ends of them are keys: the groups are complete when the watermark reaches window_end. */
bool evs_bind_window_columns(struct evs_aggregation *aggregation)
{
    struct group_column *edges[3] = {NULL};
    for (uint32_t i = 0; i < aggregation->group_count; i++) {
        enum evs_window_edge edge = edge_of(aggregation, &aggregation->groups[i]);
        edges[edge] = edges[edge] == NULL ? &aggregation->groups[i] : edges[edge];
    }
    if (edges[EVS_EDGE_START] == NULL || edges[EVS_EDGE_END] == NULL) {
        return true;
    }
    if (aggregation->window.window.kind != EVS_WINDOW_NONE) {
        return true; /* windows of windows: these ends are keys like others */
    }
    edges[EVS_EDGE_START]->what = GROUP_WINDOW_START;
    edges[EVS_EDGE_END]->what = GROUP_WINDOW_END;
    aggregation->window.window.kind = EVS_WINDOW_COLUMNS;
    aggregation->window.text = NULL;
    const struct evs_rel_column *column = &aggregation->scope->base->columns[edges[EVS_EDGE_END]->key->column];
    aggregation->window.identity = column->window;
    aggregation->window.spans = 1;
    return true;
}

/* --- when results come, and how long groups live ------------------------------------------------------------------------------- */

static bool refuse_clause(struct evs_binder *binder, struct evs_place place, const char *message, const char *hint)
{
    struct evs_diag *diag = evs_report(binder, EVS_E0406, place, "%s", message);
    evs_diag_hint(diag, "%s", hint);
    return false;
}

static bool bind_every(struct evs_aggregation *aggregation)
{
    const struct evs_ast_expr *every = aggregation->ast->every;
    if (!evs_bind_duration(aggregation->binder, every, "the interval of emit every", &aggregation->every_us)) {
        return false;
    }
    return aggregation->every_us > 0 ||
           refuse_clause(aggregation->binder, every->place, "the interval of `emit every` is above zero",
                         "write emit every interval 1 minute, for example");
}

static bool bind_lateness(struct evs_aggregation *aggregation)
{
    struct evs_binder *binder = aggregation->binder;
    const struct evs_ast_expr *lateness = aggregation->ast->lateness;
    if (lateness == NULL) {
        return true;
    }
    if (aggregation->window.window.kind == EVS_WINDOW_NONE) {
        return refuse_clause(binder, lateness->place, "without a window no row is late", "leave `allow lateness` out");
    }
    if (!evs_bind_duration(binder, lateness, "allow lateness", &aggregation->lateness_us)) {
        return false;
    }
    return aggregation->lateness_us >= 0 || refuse_clause(binder, lateness->place, "`allow lateness` is not negative",
                                                          "write allow lateness interval 1 hour, for example");
}

/* As an update stream each window of a row has a group of its own. */
static bool check_spans(struct evs_aggregation *aggregation, struct evs_place place)
{
    bool is_update = aggregation->emit != EVS_EMIT_ON_CLOSE || aggregation->lateness_us > 0;
    if (!is_update || aggregation->window.spans <= EVS_AGG_SPANS_MAX) {
        return true;
    }
    struct evs_diag *diag =
        evs_report(aggregation->binder, EVS_E0405, place,
                   "each row would be counted in more than %u windows, with a revision of each", EVS_AGG_SPANS_MAX);
    evs_diag_hint(diag, "let the windows slide further, or emit on window close without `allow lateness`");
    return false;
}

bool evs_bind_emit(struct evs_aggregation *aggregation)
{
    struct evs_binder *binder = aggregation->binder;
    const struct evs_ast_aggregate *ast = aggregation->ast;
    bool is_windowed = aggregation->window.window.kind != EVS_WINDOW_NONE;
    bool is_right = true;
    aggregation->emit = is_windowed ? EVS_EMIT_ON_CLOSE : EVS_EMIT_ON_CHANGE;
    if (ast->emit == EVS_AST_EMIT_EVERY) {
        aggregation->emit = EVS_EMIT_EVERY;
        is_right = bind_every(aggregation);
    } else if (ast->emit == EVS_AST_EMIT_ON_CHANGE) {
        aggregation->emit = EVS_EMIT_ON_CHANGE;
    } else if (ast->emit == EVS_AST_EMIT_ON_CLOSE && !is_windowed) {
        return refuse_clause(binder, ast->emit_place, "without a window nothing closes",
                             "add a window to group by, or emit on change");
    }
    is_right = bind_lateness(aggregation) && is_right;
    if (evs_ident_given(&ast->late_into) && !is_windowed) {
        return refuse_clause(binder, ast->late_into.place, "without a window no row is late", "leave `late into` out");
    }
    struct evs_place place = ast->emit != EVS_AST_EMIT_DEFAULT ? ast->emit_place
                             : ast->lateness != NULL           ? ast->lateness->place
                                                               : (struct evs_place){0};
    return is_right && check_spans(aggregation, place);
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

static const char *window_bound(const struct evs_aggregation *aggregation)
{
    const char *what = aggregation->window.window.kind == EVS_WINDOW_SESSION ? "session" : "window";
    if (aggregation->lateness_us == 0) {
        return evs_arena_printf(aggregation->binder->arena, "a %s goes when the watermark passes its end", what);
    }
    struct evs_buffer lateness = {0};
    evs_put_duration(&lateness, aggregation->lateness_us);
    const char *text = evs_arena_printf(aggregation->binder->arena, "a %s goes when the watermark is %.*s past its end",
                                        what, (int)lateness.count, lateness.data);
    evs_buffer_fini(&lateness);
    return text;
}

/* State that nothing bounds is an error, but for inputs that end. */
bool evs_bind_bound(struct evs_aggregation *aggregation, struct evs_place place)
{
    struct evs_binder *binder = aggregation->binder;
    const struct evs_ast_expr *retain = aggregation->ast->retain;
    aggregation->retain_us = -1;
    if (aggregation->window.window.kind != EVS_WINDOW_NONE) {
        aggregation->state_bound = window_bound(aggregation);
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
    struct evs_diag *diag =
        evs_report(binder, EVS_E0401, place, "nothing bounds the state of this aggregate: it keeps every %s for ever",
                   aggregation->group_count > 0 ? "group" : "value");
    evs_diag_hint(diag, "add a window, group by …, tumble(interval 1 hour), or retain interval 1 day");
    return false;
}
