/* deduplicate, throttle, sample, hold: operators that decide row by row and pass the rows on as they are.
 *
 *   scope ──► project, with the keys as columns ──► the operator ──► the same columns
 *                                                        └──► dropped into, rest into: the columns that the scope had */
#include "bind_keyed.h"

#include <string.h>

#include "evstream/table.h"
#include "op_deduplicate.h"
#include "op_hold.h"
#include "op_sample.h"
#include "op_throttle.h"

/* --- what they share -------------------------------------------------------------------------------------------------------- */

static const struct evs_expr *bind_key(struct evs_binder *binder, struct evs_scope *scope,
                                       const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = scope};
    const struct evs_expr *key = evs_bind_expr(binder, &context, ast);
    if (key == NULL) {
        return NULL;
    }
    if (evs_expr_is_constant(key)) {
        struct evs_diag *diag = evs_report(binder, EVS_E0312, ast->place, "a constant is no key");
        evs_diag_hint(diag, "a key is a column, or made of columns, such as user_id");
        return NULL;
    }
    if (key->type->kind == EVS_JSON) {
        struct evs_diag *diag = evs_report(binder, EVS_E0312, ast->place, "json has no equality and cannot be a key");
        evs_diag_hint(diag, "take a value out of it: json_value(…)");
        return NULL;
    }
    return evs_bind_typed(binder, key);
}

bool evs_bind_key_exprs(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_exprs *asts,
                        const struct evs_expr **exprs)
{
    if (asts->count > EVS_KEYS_MAX) {
        evs_report(binder, EVS_E0312, asts->items[EVS_KEYS_MAX]->place, "a key has at most %u columns", EVS_KEYS_MAX);
        return false;
    }
    bool is_right = true;
    for (uint32_t i = 0; i < asts->count; i++) {
        exprs[i] = bind_key(binder, scope, asts->items[i]);
        is_right = exprs[i] != NULL && is_right;
    }
    return is_right;
}

struct evs_rel_operator *evs_bind_keyed_operator(struct evs_binder *binder, const struct evs_scope *scope,
                                                 const struct evs_operator *operator_, const uint32_t *keys,
                                                 uint32_t key_count)
{
    struct evs_rel_operator *op = EVS_ARENA_NEW(binder->arena, struct evs_rel_operator);
    struct evs_rel_reading *reading = EVS_ARENA_NEW(binder->arena, struct evs_rel_reading);
    uint32_t *own_keys = EVS_ARENA_ARRAY(binder->arena, uint32_t, key_count + 1);
    if (key_count > 0) {
        memcpy(own_keys, keys, key_count * sizeof *keys);
    }
    reading->keys = own_keys;
    reading->key_count = key_count;
    op->operator_ = operator_;
    op->spread = EVS_SPREAD_KEYS;
    op->readings = reading;
    op->origins = evs_rel_passed(&binder->rels, scope->base);
    return op;
}

bool evs_bind_side(struct evs_binder *binder, const struct evs_scope *scope, struct evs_rel_operator *op,
                   const char *name)
{
    struct evs_rel_side *side = EVS_ARENA_NEW(binder->arena, struct evs_rel_side);
    uint32_t count = scope->columns.count;
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_column, count + 1);
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_origin, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_scope_column *column = &scope->columns.items[i];
        EVS_ASSERT(column->expr->kind == EVS_EXPR_COLUMN);
        columns[i] = scope->base->columns[column->expr->column];
        columns[i].name = column->name != NULL ? column->name : "";
        origins[i] = (struct evs_rel_origin){0, column->expr->column};
    }
    *side = (struct evs_rel_side){.name = name, .columns = columns, .origins = origins, .column_count = count};
    op->sides = side;
    op->side_count = 1;
    return count > 0;
}

void evs_bind_side_sink(struct evs_binder *binder, struct evs_rel *rel, const struct evs_ident *sink)
{
    struct evs_entity *entity = evs_bind_sink_name(binder, sink);
    if (entity != NULL) {
        evs_bind_insert(binder, entity, (struct evs_rel_input){rel, 1}, sink->place);
    }
}

bool evs_bind_row_count(struct evs_binder *binder, const struct evs_ast_expr *ast, const char *what, int64_t least,
                        int64_t most, int64_t *count)
{
    struct evs_value value;
    if (!evs_bind_coerced(binder, ast, evs_type_of(EVS_INT64), what, &value)) {
        return false;
    }
    if (value.is_null || value.int64 < least || value.int64 > most) {
        evs_report(binder, EVS_E0418, ast->place, "%s is a whole number from %lld to %lld", what, (long long)least,
                   (long long)most);
        return false;
    }
    *count = value.int64;
    return true;
}

const char *evs_bind_key_text(struct evs_binder *binder, const struct evs_ast_exprs *keys)
{
    const char *text = "";
    for (uint32_t i = 0; i < keys->count; i++) {
        text = evs_arena_printf(binder->arena, "%s%s%s", text, i > 0 ? ", " : "",
                                evs_ast_expr_text(binder->arena, keys->items[i]));
    }
    return text;
}

const char *evs_bind_duration_text(struct evs_binder *binder, int64_t us)
{
    struct evs_buffer text = {0};
    evs_put_duration(&text, us);
    const char *kept = evs_arena_strndup(binder->arena, text.data, text.count);
    evs_buffer_fini(&text);
    return kept;
}

const char *evs_bind_operator_name(struct evs_binder *binder, const struct evs_ast_pipe *pipe)
{
    return evs_ident_given(&pipe->name) ? evs_bind_text(binder, pipe->name.text) : NULL;
}

uint32_t *evs_bind_map_columns(const struct evs_rel_layout *layout, const uint32_t *columns, uint32_t count)
{
    uint32_t *mapped = EVS_ARENA_ARRAY(layout->arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        mapped[i] = layout->input_map[0][columns[i]];
        EVS_ASSERT(mapped[i] < layout->input_schema[0].count);
    }
    return mapped;
}

bool evs_bind_refuse_update(struct evs_binder *binder, const struct evs_scope *scope, struct evs_place place,
                            const char *what)
{
    if (!scope->base->is_update) {
        return false;
    }
    struct evs_diag *diag = evs_report(
        binder, EVS_E0402, place,
        "the rows here are revisions of results, and nothing is ever taken back: %s would count a result several times",
        what);
    evs_diag_hint(diag, "let the aggregate give final results: a window, and emit on window close");
    return true;
}

bool evs_bind_length(struct evs_binder *binder, const struct evs_ast_expr *ast, const char *what, int64_t *us)
{
    if (!evs_bind_duration(binder, ast, what, us)) {
        return false;
    }
    if (*us <= 0) {
        evs_report(binder, EVS_E0418, ast->place, "%s is an interval above zero", what);
        return false;
    }
    return true;
}

/* The scope's rows go through the operator from here on. */
static struct evs_rel *pass_through(struct evs_binder *binder, struct evs_scope *scope, struct evs_rel_operator *op,
                                    const struct evs_ast_pipe *pipe)
{
    struct evs_rel *rel = evs_rel_extended(&binder->rels, scope->base, op, evs_bind_place(binder, pipe->place),
                                           evs_bind_operator_name(binder, pipe));
    scope->base = rel;
    return rel;
}

static uint64_t mix_values(const int64_t *values, uint32_t count)
{
    uint64_t identity = count;
    for (uint32_t i = 0; i < count; i++) {
        identity = evs_lineage_mix(identity, (uint64_t)values[i]);
    }
    return identity;
}

/* --- deduplicate -------------------------------------------------------------------------------------------------------------- */

static const void *configure_deduplicate(const struct evs_rel_layout *layout)
{
    const struct evs_rel_reading *reading = &layout->rel->op->readings[0];
    struct evs_deduplicate_config *config = EVS_ARENA_NEW(layout->arena, struct evs_deduplicate_config);
    *config = *(const struct evs_deduplicate_config *)layout->rel->op->bound;
    config->keys = evs_bind_map_columns(layout, reading->keys, reading->key_count);
    config->key_count = reading->key_count;
    return config;
}

bool evs_bind_deduplicate(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_deduplicate *ast = pipe->deduplicate;
    const struct evs_expr *keys[EVS_KEYS_MAX];
    uint32_t numbers[EVS_KEYS_MAX];
    struct evs_deduplicate_config *config = EVS_ARENA_NEW(binder->arena, struct evs_deduplicate_config);
    config->keep_last = ast->keep_last;
    bool is_right = evs_bind_key_exprs(binder, scope, &ast->keys, keys);
    is_right = evs_bind_length(binder, ast->within, "`within`", &config->within_us) && is_right;
    if (!is_right) {
        return false;
    }
    evs_scope_settle_with(binder, scope, keys, ast->keys.count, numbers, evs_bind_place(binder, pipe->place));
    struct evs_rel_operator *op = evs_bind_keyed_operator(binder, scope, &evs_op_deduplicate, numbers, ast->keys.count);
    const char *within = evs_bind_duration_text(binder, config->within_us);
    op->configure = configure_deduplicate;
    op->bound = config;
    op->needs_row_watermark = true;
    op->moves_time = ast->keep_last;
    op->identity = mix_values((int64_t[]){config->within_us, config->keep_last}, 2);
    op->keeps_rows = config->keep_last;
    op->label = evs_arena_printf(binder->arena, "deduplicate by %s within %s%s", evs_bind_key_text(binder, &ast->keys),
                                 within, ast->keep_last ? " keep last" : "");
    op->state_bound = evs_arena_printf(binder->arena, "a key goes %s after its row", within);
    struct evs_rel *rel = pass_through(binder, scope, op, pipe);
    if (ast->keep_last) { /* rows have the moment of their release as event time: no column shows it */
        rel->event_time_column = EVS_NO_COLUMN;
    }
    return true;
}

/* --- throttle ------------------------------------------------------------------------------------------------------------------- */

static const void *configure_throttle(const struct evs_rel_layout *layout)
{
    const struct evs_rel_reading *reading = &layout->rel->op->readings[0];
    struct evs_throttle_config *config = EVS_ARENA_NEW(layout->arena, struct evs_throttle_config);
    *config = *(const struct evs_throttle_config *)layout->rel->op->bound;
    config->keys = evs_bind_map_columns(layout, reading->keys, reading->key_count);
    config->key_count = reading->key_count;
    return config;
}

static bool bind_zone(struct evs_binder *binder, const struct evs_ast_expr *ast, struct evs_throttle_config *config,
                      struct evs_slice *name)
{
    struct evs_value value;
    *name = EVS_SLICE("UTC");
    if (ast == NULL) {
        return true;
    }
    if (!evs_bind_coerced(binder, ast, evs_type_of(EVS_STRING), "`time_zone`", &value)) {
        return false;
    }
    *name = value.is_null ? EVS_SLICE("") : evs_str_slice(&value.str);
    *name = evs_slice_of(evs_bind_text(binder, *name));
    if (!evs_zone_load(name->data, name->count, &config->zone)) {
        struct evs_diag *diag = evs_report(binder, EVS_E0307, ast->place, "there is no time zone `%s`", name->data);
        evs_diag_hint(diag, "write a name such as 'Europe/Berlin', or an offset such as '+01:00'");
        return false;
    }
    return true;
}

static void set_period(enum evs_ast_part part, struct evs_period *period)
{
    const int64_t day_us = INT64_C(86400000000);
    *period = (struct evs_period){.months = part == EVS_PART_MONTH, .us = part == EVS_PART_MONTH ? 0 : day_us};
    if (part == EVS_PART_WEEK) {
        *period = (struct evs_period){.us = 7 * day_us, .offset_us = -3 * day_us}; /* 1970-01-01 was a Thursday */
    }
}

/* per INTERVAL, or per day | week | month; `what` is how a label says it. */
static bool bind_throttle_span(struct evs_binder *binder, const struct evs_ast_throttle *ast,
                               struct evs_throttle_config *config, const char **what, uint64_t *identity)
{
    if (ast->interval != NULL) {
        if (!evs_bind_length(binder, ast->interval, "the interval behind `per`", &config->interval_us)) {
            return false;
        }
        *what = evs_bind_duration_text(binder, config->interval_us);
        *identity = mix_values(&config->interval_us, 1);
        return true;
    }
    struct evs_slice zone;
    set_period(ast->calendar, &config->period);
    if (!bind_zone(binder, ast->time_zone, config, &zone)) {
        return false;
    }
    const char *part = evs_ast_part_name(ast->calendar);
    *what = ast->time_zone == NULL ? part : evs_arena_printf(binder->arena, "%s in %s", part, zone.data);
    *identity = evs_lineage_text(evs_lineage_text(1, part), zone.data);
    return true;
}

bool evs_bind_throttle(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_throttle *ast = pipe->throttle;
    const struct evs_expr *keys[EVS_KEYS_MAX];
    uint32_t numbers[EVS_KEYS_MAX];
    int64_t limit = 0;
    const char *what = "";
    uint64_t identity = 0;
    struct evs_throttle_config *config = EVS_ARENA_NEW(binder->arena, struct evs_throttle_config);
    bool is_right = evs_bind_row_count(binder, ast->limit, "the number of rows", 1, EVS_THROTTLE_LIMIT_MAX, &limit);
    is_right = bind_throttle_span(binder, ast, config, &what, &identity) && is_right;
    is_right = evs_bind_key_exprs(binder, scope, &ast->keys, keys) && is_right;
    if (!is_right) {
        return false;
    }
    evs_scope_settle_with(binder, scope, keys, ast->keys.count, numbers, evs_bind_place(binder, pipe->place));
    struct evs_rel_operator *op = evs_bind_keyed_operator(binder, scope, &evs_op_throttle, numbers, ast->keys.count);
    config->limit = (uint32_t)limit;
    config->dropped_output = evs_ident_given(&ast->dropped_into);
    op->configure = configure_throttle;
    op->bound = config;
    op->identity = identity; /* without the limit: a campaign may raise it and go on */
    op->label = evs_arena_printf(binder->arena, "throttle %lld per %s by %s", (long long)limit, what,
                                 evs_bind_key_text(binder, &ast->keys));
    op->state_bound =
        evs_arena_printf(binder->arena, "a row that passed goes after %s%s", ast->interval == NULL ? "its " : "", what);
    if (config->dropped_output && !evs_bind_side(binder, scope, op, "dropped rows")) {
        return false;
    }
    struct evs_rel *rel = pass_through(binder, scope, op, pipe);
    if (config->dropped_output) {
        evs_bind_side_sink(binder, rel, &ast->dropped_into);
    }
    return true;
}

/* --- sample ---------------------------------------------------------------------------------------------------------------------- */

struct sampling {
    struct evs_sample_config config;
    uint32_t key; /* column of the input relation */
};

static const void *configure_sample(const struct evs_rel_layout *layout)
{
    const struct sampling *sampling = layout->rel->op->bound;
    struct evs_sample_config *config = EVS_ARENA_NEW(layout->arena, struct evs_sample_config);
    *config = sampling->config;
    config->key = layout->input_map[0][sampling->key];
    return config;
}

/* A number from 0 to 100, of any type that numbers have. */
static bool bind_percent(struct evs_binder *binder, const struct evs_ast_expr *ast, struct evs_sample_config *config)
{
    struct evs_value value;
    evs_numeric percent = -1;
    if (!evs_bind_constant(binder, ast, "the percentage", &value)) {
        return false;
    }
    bool is_number = !value.is_null;
    if (value.kind == EVS_INT64) {
        percent = (evs_numeric)value.int64 * EVS_NUMERIC_ONE;
    } else if (value.kind == EVS_NUMERIC) {
        percent = value.numeric;
    } else {
        is_number = is_number && value.kind == EVS_FLOAT64 && evs_numeric_from_float64(value.float64, &percent);
    }
    if (!is_number || !evs_sample_threshold(percent, &config->threshold, &config->all)) {
        evs_report(binder, EVS_E0418, ast->place, "the percentage is a number from 0 to 100");
        return false;
    }
    return true;
}

/* The key as the text that is hashed. */
static const struct evs_expr *bind_sample_key(struct evs_binder *binder, struct evs_scope *scope,
                                              const struct evs_ast_expr *ast)
{
    const struct evs_expr *key = bind_key(binder, scope, ast);
    if (key == NULL || key->type->kind == EVS_STRING || key->type->kind == EVS_BYTES) {
        return key;
    }
    struct evs_error error;
    const struct evs_expr *text = NULL;
    if (evs_expr_cast(binder->arena, key, evs_type_of(EVS_STRING), false, key->place, &text, &error) != EVS_OK) {
        evs_report(binder, EVS_E0312, ast->place, "a sample goes by a value that has a text, and this is of type %s",
                   evs_type_name_in(binder->arena, key->type));
        return NULL;
    }
    return text;
}

bool evs_bind_sample(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_sample *ast = pipe->sample;
    struct sampling *sampling = EVS_ARENA_NEW(binder->arena, struct sampling);
    struct evs_value salt = {.kind = EVS_STRING};
    bool is_right = bind_percent(binder, ast->percent, &sampling->config);
    if (ast->salt != NULL) {
        is_right = evs_bind_coerced(binder, ast->salt, evs_type_of(EVS_STRING), "the salt", &salt) && is_right;
    }
    const struct evs_expr *key = bind_sample_key(binder, scope, ast->key);
    if (!is_right || key == NULL) {
        return false;
    }
    salt = evs_bind_own(binder, salt);
    struct evs_str *kept_salt = EVS_ARENA_NEW(binder->arena, struct evs_str); /* a short one lies inside */
    *kept_salt = salt.str;
    sampling->config.salt = salt.is_null ? EVS_SLICE("") : evs_str_slice(kept_salt);
    sampling->config.rest_output = evs_ident_given(&ast->rest_into);
    evs_scope_settle_with(binder, scope, &key, 1, &sampling->key, evs_bind_place(binder, pipe->place));
    struct evs_rel_operator *op = evs_bind_keyed_operator(binder, scope, &evs_op_sample, &sampling->key, 1);
    op->spread = EVS_SPREAD_NONE;
    op->configure = configure_sample;
    op->bound = sampling;
    op->identity = evs_lineage_mix(evs_hash64(sampling->config.salt.data, sampling->config.salt.count),
                                   sampling->config.threshold);
    op->label =
        evs_arena_printf(binder->arena, "sample %s percent by %s", evs_ast_expr_text(binder->arena, ast->percent),
                         evs_ast_expr_text(binder->arena, ast->key));
    if (sampling->config.rest_output && !evs_bind_side(binder, scope, op, "the rest")) {
        return false;
    }
    struct evs_rel *rel = pass_through(binder, scope, op, pipe);
    if (sampling->config.rest_output) {
        evs_bind_side_sink(binder, rel, &ast->rest_into);
    }
    return true;
}

/* --- hold -------------------------------------------------------------------------------------------------------------------------- */

struct holding {
    int64_t at_most_us;
    bool expires;
    uint32_t until; /* column of the input relation */
};

static const void *configure_hold(const struct evs_rel_layout *layout)
{
    const struct evs_rel_reading *reading = &layout->rel->op->readings[0];
    const struct holding *holding = layout->rel->op->bound;
    struct evs_hold_config *config = EVS_ARENA_NEW(layout->arena, struct evs_hold_config);
    config->until = layout->input_map[0][holding->until];
    config->at_most_us = holding->at_most_us;
    config->expired_output = holding->expires;
    config->keys = evs_bind_map_columns(layout, reading->keys, reading->key_count);
    config->key_count = reading->key_count;
    return config;
}

static const struct evs_expr *bind_until(struct evs_binder *binder, struct evs_scope *scope,
                                         const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = scope};
    const struct evs_expr *until = evs_bind_expr(binder, &context, ast);
    struct evs_error error;
    if (until == NULL) {
        return NULL;
    }
    if (evs_expr_coerce(binder->arena, until, evs_type_of(EVS_TIMESTAMP), &until, &error) != EVS_OK) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0305, ast->place, "`hold until` takes a timestamp, not a value of type %s",
                       evs_type_name_in(binder->arena, until->type));
        evs_diag_hint(diag, "write hold until occurred_at + interval 10 minute, for example");
        return NULL;
    }
    return until;
}

bool evs_bind_hold(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_hold *ast = pipe->hold;
    struct holding *holding = EVS_ARENA_NEW(binder->arena, struct holding);
    holding->at_most_us = -1;
    const struct evs_expr *until = bind_until(binder, scope, ast->until);
    if (until == NULL ||
        (ast->at_most != NULL && !evs_bind_length(binder, ast->at_most, "`at most`", &holding->at_most_us))) {
        return false;
    }
    evs_scope_settle_with(binder, scope, &until, 1, &holding->until, evs_bind_place(binder, pipe->place));
    /* rows have no key: their moment, and their event time where a column shows it, spread them over the workers */
    uint32_t keys[2] = {holding->until, scope->base->event_time_column};
    uint32_t key_count = keys[1] == EVS_NO_COLUMN || keys[1] == keys[0] ? 1 : 2;
    struct evs_rel_operator *op = evs_bind_keyed_operator(binder, scope, &evs_op_hold, keys, key_count);
    op->configure = configure_hold;
    op->bound = holding;
    op->moves_time = true;
    op->identity = mix_values(&holding->at_most_us, 1);
    holding->expires = evs_ident_given(&ast->expired_into);
    op->keeps_rows = true;
    const char *at_most = holding->at_most_us < 0 ? "" : evs_bind_duration_text(binder, holding->at_most_us);
    op->label = evs_arena_printf(binder->arena, "hold until %s%s%s", evs_ast_expr_text(binder->arena, ast->until),
                                 ast->at_most == NULL ? "" : " at most ", at_most);
    op->state_bound = ast->at_most == NULL
                          ? "a row goes when the watermark reaches its moment"
                          : evs_arena_printf(binder->arena, "a row goes at its moment, at most %s later", at_most);
    if (holding->expires && !evs_bind_side(binder, scope, op, "expired rows")) {
        return false;
    }
    struct evs_rel *rel = pass_through(binder, scope, op, pipe);
    rel->event_time_column = EVS_NO_COLUMN; /* of a held row it is the moment of its release */
    if (holding->expires) {
        evs_bind_side_sink(binder, rel, &ast->expired_into);
    }
    return true;
}
