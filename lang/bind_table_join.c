/* join with a table: the row of its primary key, looked up as of now, or kept from a stream and taken as of the left row's event time.
 *
 * The equalities of the condition cover exactly the primary key; anything else belongs behind the join. */
#include "bind_join.h"
#include "op_lookup.h"
#include "op_version_join.h"
#include "plan_build.h"

#include <string.h>

struct table_join {
    const struct evs_bound_table *table;
    bool keeps_unmatched;
    uint32_t left_count;
    const uint32_t *keys; /* columns of the left relation, in the order of the primary key … */
    uint32_t text;        /* … or, looked up by text, the one that has it */
};

/* --- the condition ------------------------------------------------------------------------------------------------------------------- */

/* A relation that is only looked at: the table's columns. */
static void table_scope(struct evs_joining *joining, const struct evs_bound_table *table)
{
    struct evs_binder *binder = joining->binder;
    const struct evs_ident *alias = &joining->ast->right.alias;
    struct evs_rel *rel = EVS_ARENA_NEW(binder->arena, struct evs_rel);
    rel->column_count = table->column_count;
    rel->columns = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_column, table->column_count + 1);
    rel->event_time_column = EVS_NO_COLUMN;
    joining->right = (struct evs_scope){.base = rel};
    for (uint32_t i = 0; i < table->column_count; i++) {
        rel->columns[i] = (struct evs_rel_column){
            .name = table->fields[i].name,
            .type = table->fields[i].type,
            .nullable = table->fields[i].nullable,
            .lineage = evs_lineage_text(evs_lineage_text(7, table->name), table->fields[i].name),
        };
        evs_columns_add(binder, &joining->right.columns, table->fields[i].name,
                        evs_expr_column(binder->arena, i, &table->fields[i], joining->place));
    }
    evs_scope_range(binder, &joining->right, evs_ident_given(alias) ? evs_bind_text(binder, alias->text) : table->name);
}

static const char *key_names(struct evs_binder *binder, const struct evs_bound_table *table)
{
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i < table->key_count; i++) {
        evs_buffer_printf(&text, "%s%s", i > 0 ? ", " : "", table->fields[table->keys[i]].name);
    }
    const char *names = evs_bind_text(binder, (struct evs_slice){text.data, text.count});
    evs_buffer_fini(&text);
    return names;
}

static bool report_condition(struct evs_joining *joining, const struct evs_bound_table *table, struct evs_place place)
{
    struct evs_diag *diag = evs_report(
        joining->binder, EVS_E0433, place,
        "a join with the table `%s` takes an equality for each column of its primary key (%s), and nothing else",
        table->name, key_names(joining->binder, table));
    evs_diag_hint(diag, "put other conditions into |> where behind the join");
    return false;
}

/* The table's column had to be converted: a key is asked for by its own type. */
static bool report_type(struct evs_joining *joining, const struct evs_bound_table *table,
                        const struct evs_join_key *key)
{
    struct evs_diag *diag =
        evs_report(joining->binder, EVS_E0433, key->place,
                   "the key of the table `%s` is compared with a value of another type", table->name);
    evs_diag_hint(diag, "cast the value to the type of the key's column");
    return false;
}

/* The left side's expression for each column of the primary key. */
static bool order_keys(struct evs_joining *joining, const struct evs_bound_table *table, const struct evs_expr **exprs)
{
    struct evs_place whole = joining->ast->on != NULL ? joining->ast->on->place : joining->ast->right.place;
    memset(exprs, 0, table->key_count * sizeof *exprs);
    for (uint32_t i = 0; i < joining->key_count; i++) {
        const struct evs_join_key *key = &joining->keys[i];
        uint32_t at = 0;
        while (at < table->key_count &&
               (key->sides[1]->kind != EVS_EXPR_COLUMN || key->sides[1]->column != table->keys[at])) {
            at++;
        }
        if (key->sides[1]->kind != EVS_EXPR_COLUMN) {
            return report_type(joining, table, key);
        }
        if (at == table->key_count || exprs[at] != NULL) {
            return report_condition(joining, table, key->place);
        }
        exprs[at] = key->sides[0];
    }
    for (uint32_t i = 0; i < table->key_count; i++) {
        if (exprs[i] == NULL) {
            return report_condition(joining, table, whole);
        }
    }
    return joining->rest_count == 0 && joining->bound_count == 0 ? true : report_condition(joining, table, whole);
}

/* --- the key's text ---------------------------------------------------------------------------------------------------------------------- */

static const struct evs_expr *text_part(struct evs_joining *joining, struct evs_slice text)
{
    struct evs_value value = {.kind = EVS_STRING};
    text.data = evs_bind_text(joining->binder, text);
    value.str = evs_str_make(text.data, (uint32_t)text.count);
    return evs_expr_constant(joining->binder->arena, value, joining->place);
}

/* {column} as text */
static const struct evs_expr *hole_part(struct evs_joining *joining, const struct evs_bound_table *table,
                                        const struct evs_expr *const *exprs, struct evs_slice name, uint64_t *seen)
{
    struct evs_error error;
    const struct evs_expr *text = NULL;
    for (uint32_t i = 0; i < table->key_count; i++) {
        if (!evs_slice_equal_nocase(name, table->fields[table->keys[i]].name)) {
            continue;
        }
        *seen |= UINT64_C(1) << i;
        if (evs_expr_cast(joining->binder->arena, exprs[i], evs_type_of(EVS_STRING), false, joining->place, &text,
                          &error) != EVS_OK) {
            evs_report_error(joining->binder, EVS_E0505, table->key_place, &error);
            return NULL;
        }
        return text;
    }
    evs_report(joining->binder, EVS_E0505, table->key_place, "`%.*s` is no column of the primary key of `%s`",
               (int)name.count, name.data, table->name);
    return NULL;
}

/* 'profile:{user_id}' as an expression over the left side. NULL: reported. */
static const struct evs_expr *key_text(struct evs_joining *joining, const struct evs_bound_table *table,
                                       const struct evs_expr *const *exprs)
{
    const struct evs_expr *parts[2 * EVS_JOIN_KEYS_MAX + 2], *text = NULL;
    const char *at = table->key_text.data, *end = at + table->key_text.count;
    uint32_t count = 0;
    uint64_t seen = 0;
    struct evs_error error;
    while (at < end && count + 2 < EVS_COUNT(parts)) {
        const char *open = memchr(at, '{', (size_t)(end - at));
        const char *close = open != NULL ? memchr(open, '}', (size_t)(end - open)) : NULL;
        if (open == NULL || close == NULL) {
            open = close = end;
        }
        if (open > at) {
            parts[count++] = text_part(joining, (struct evs_slice){at, (size_t)(open - at)});
        }
        if (open < end) {
            parts[count++] =
                hole_part(joining, table, exprs, (struct evs_slice){open + 1, (size_t)(close - open - 1)}, &seen);
            if (parts[count - 1] == NULL) {
                return NULL;
            }
        }
        at = open < end ? close + 1 : end;
    }
    if (seen != (UINT64_C(1) << table->key_count) - 1) {
        struct evs_diag *diag =
            evs_report(joining->binder, EVS_E0505, table->key_place,
                       "the key's text names each column of the primary key: %s", key_names(joining->binder, table));
        evs_diag_hint(diag, "such as '%s:{%s}'", table->name, table->fields[table->keys[0]].name);
        return NULL;
    }
    if (count == 1) {
        return parts[0];
    }
    if (evs_expr_call(joining->binder->arena, EVS_SLICE("concat"), false, parts, count, joining->place, &text,
                      &error) != EVS_OK) {
        evs_report_error(joining->binder, EVS_E0505, table->key_place, &error);
        return NULL;
    }
    return text;
}

/* --- looked up ------------------------------------------------------------------------------------------------------------------------------ */

static const void *configure_lookup(const struct evs_rel_layout *layout)
{
    const struct table_join *join = layout->rel->op->bound;
    const struct evs_bound_table *table = join->table;
    struct evs_lookup_config *config = EVS_ARENA_NEW(layout->arena, struct evs_lookup_config);
    struct evs_lookup_item *items = EVS_ARENA_ARRAY(layout->arena, struct evs_lookup_item, table->column_count + 1);
    uint32_t *keys = EVS_ARENA_ARRAY(layout->arena, uint32_t, table->key_count + 1);
    uint32_t key_of[EVS_JOIN_KEYS_MAX] = {0};
    for (uint32_t i = 0; i < table->key_count; i++) {
        keys[i] = layout->input_map[0][join->keys[i]];
        key_of[i] = table->keys[i];
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (layout->map[join->left_count + i] == EVS_NO_COLUMN) {
            continue;
        }
        struct evs_lookup_item item = {.column = table->values[i]};
        for (uint32_t k = 0; k < table->key_count; k++) {
            if (key_of[k] == i) {
                item = (struct evs_lookup_item){.is_key = true, .column = keys[k]};
            }
        }
        EVS_ASSERT(layout->map[join->left_count + i] == layout->input_schema[0].count + config->item_count);
        items[config->item_count++] = item;
    }
    config->table = table->lookup;
    config->keys = keys;
    config->key_count = table->key_count;
    config->text = join->text == EVS_NO_COLUMN ? 0 : layout->input_map[0][join->text];
    config->keeps_unmatched = join->keeps_unmatched;
    config->items = items;
    return config;
}

/* The left side with what the table is asked for as columns. */
static bool settle_left(struct evs_joining *joining, struct table_join *join, const struct evs_expr **exprs)
{
    const struct evs_bound_table *table = join->table;
    uint32_t *numbers = EVS_ARENA_ARRAY(joining->binder->arena, uint32_t, table->key_count + 2),
             count = table->key_count;
    join->text = EVS_NO_COLUMN;
    if (table->lookup != NULL && table->lookup->connector->key_option != NULL) {
        exprs[count] = key_text(joining, table, exprs);
        if (exprs[count++] == NULL) {
            return false;
        }
    }
    evs_scope_settle_with(joining->binder, joining->left, exprs, count, numbers, joining->place);
    join->keys = numbers;
    join->text = count > table->key_count ? numbers[table->key_count] : EVS_NO_COLUMN;
    join->left_count = joining->left->base->column_count;
    return true;
}

static struct evs_rel_column *result_columns(struct evs_joining *joining, const struct table_join *join,
                                             struct evs_rel_origin *origins)
{
    const struct evs_rel *left = joining->left->base;
    uint32_t count = join->left_count + join->table->column_count;
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(joining->binder->arena, struct evs_rel_column, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        bool is_left = i < join->left_count;
        columns[i] = is_left ? left->columns[i] : joining->right.base->columns[i - join->left_count];
        columns[i].nullable = columns[i].nullable || (!is_left && join->keeps_unmatched);
        origins[i] =
            is_left ? (struct evs_rel_origin){0, i} : (struct evs_rel_origin){EVS_COMPUTED, i - join->left_count};
    }
    return columns;
}

static const struct evs_rel_reading *lookup_reading(struct evs_joining *joining, const struct table_join *join)
{
    struct evs_rel_reading *reading = EVS_ARENA_NEW(joining->binder->arena, struct evs_rel_reading);
    uint32_t *reads = EVS_ARENA_ARRAY(joining->binder->arena, uint32_t, join->table->key_count + 2);
    memcpy(reads, join->keys, join->table->key_count * sizeof *reads);
    reading->reads = reads;
    reading->read_count = join->table->key_count;
    if (join->text != EVS_NO_COLUMN) {
        reads[reading->read_count++] = join->text;
    }
    return reading;
}

/* The value is the one of now, also in a replay: what comes of it is not stable, whatever the order of the rows. */
static struct evs_rel *make_lookup(struct evs_joining *joining, const struct table_join *join)
{
    struct evs_arena *arena = joining->binder->arena;
    struct evs_rel_operator *op = EVS_ARENA_NEW(arena, struct evs_rel_operator);
    uint32_t count = join->left_count + join->table->column_count;
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(arena, struct evs_rel_origin, count + 1);
    struct evs_rel_column *columns = result_columns(joining, join, origins);
    op->operator_ = &evs_op_lookup;
    op->spread = EVS_SPREAD_NONE;
    op->readings = lookup_reading(joining, join);
    op->origins = origins;
    op->configure = configure_lookup;
    op->bound = join;
    op->label = evs_arena_printf(arena, "%s: the value as of now, from %s",
                                 evs_join_label(joining->binder, joining->ast, join->table->name), join->table->label);
    struct evs_rel *rel = evs_rel_operator(&joining->binder->rels, &joining->left->base, 1, op, columns, count,
                                           EVS_NO_COLUMN, joining->place, NULL);
    rel->unstable = rel->unstable != NULL ? rel->unstable : rel;
    return rel;
}

/* --- kept from a stream ----------------------------------------------------------------------------------------------------------------------- */

/* The columns that a side keeps: its keys, then those that are shown. */
static uint32_t keep_side(const struct evs_rel_layout *layout, const uint32_t *keys, uint32_t key_count, uint32_t side,
                          uint32_t first, uint32_t count, uint32_t *columns, uint32_t *pair_of)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < key_count; i++) {
        pair_of[keys[i]] = kept;
        columns[kept++] = layout->input_map[side][keys[i]];
    }
    for (uint32_t i = 0; i < count; i++) {
        if (layout->map[first + i] != EVS_NO_COLUMN && pair_of[i] == EVS_NO_COLUMN) {
            pair_of[i] = kept;
            columns[kept++] = layout->input_map[side][i];
        }
    }
    return kept;
}

static void set_pairs(const struct evs_rel_layout *layout, struct evs_join_config *config, uint32_t *const pair_of[2],
                      uint32_t left_count)
{
    uint32_t left = config->sides[0].column_count, total = left + config->sides[1].column_count;
    struct evs_field *fields = EVS_ARENA_ARRAY(layout->arena, struct evs_field, total + 1);
    uint32_t *items = EVS_ARENA_ARRAY(layout->arena, uint32_t, layout->schema.count + 1);
    for (uint32_t i = 0; i < total; i++) {
        uint32_t side = i < left ? 0 : 1;
        fields[i] = layout->input_schema[side].fields[config->sides[side].columns[side == 0 ? i : i - left]];
        fields[i].nullable = true;
    }
    for (uint32_t i = 0; i < layout->rel->column_count; i++) {
        if (layout->map[i] != EVS_NO_COLUMN) {
            items[layout->map[i]] = i < left_count ? pair_of[0][i] : left + pair_of[1][i - left_count];
        }
    }
    config->pair_schema = (struct evs_schema){total, fields};
    config->items = items;
}

static const void *configure_version(const struct evs_rel_layout *layout)
{
    const struct table_join *join = layout->rel->op->bound;
    const struct evs_bound_table *table = join->table;
    struct evs_version_join_config *config = EVS_ARENA_NEW(layout->arena, struct evs_version_join_config);
    const uint32_t *keys[2] = {join->keys, table->keys};
    const uint32_t counts[2] = {join->left_count, table->column_count};
    uint32_t *pair_of[2], *values = EVS_ARENA_ARRAY(layout->arena, uint32_t, table->column_count + 1);
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t *columns = EVS_ARENA_ARRAY(layout->arena, uint32_t, counts[side] + table->key_count + 1);
        pair_of[side] = evs_build_map(layout->builder, counts[side]);
        uint32_t kept = keep_side(layout, keys[side], table->key_count, side, side == 0 ? 0 : join->left_count,
                                  counts[side], columns, pair_of[side]);
        config->join.sides[side] = (struct evs_join_side){.columns = columns,
                                                          .column_count = kept,
                                                          .key_count = table->key_count,
                                                          .pads = side == 0 && join->keeps_unmatched};
    }
    set_pairs(layout, &config->join, pair_of, join->left_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        bool is_key = false;
        for (uint32_t k = 0; k < table->key_count; k++) {
            is_key = is_key || table->keys[k] == i;
        }
        if (!is_key) {
            values[config->value_count++] = layout->input_map[1][i];
        }
    }
    config->values = values;
    evs_version_bounds(config, table->retain_us);
    return config;
}

static const struct evs_rel_reading *version_readings(struct evs_joining *joining, const struct table_join *join)
{
    const struct evs_bound_table *table = join->table;
    struct evs_rel_reading *readings = EVS_ARENA_ARRAY(joining->binder->arena, struct evs_rel_reading, 2);
    uint32_t *reads = EVS_ARENA_ARRAY(joining->binder->arena, uint32_t, table->column_count + 1);
    for (uint32_t i = 0; i < table->column_count; i++) { /* whether a version deletes, all columns tell */
        reads[i] = i;
    }
    readings[0] = (struct evs_rel_reading){.keys = join->keys, .key_count = table->key_count};
    readings[1] = (struct evs_rel_reading){
        .keys = table->keys, .key_count = table->key_count, .reads = reads, .read_count = table->column_count};
    return readings;
}

static struct evs_rel *make_version_join(struct evs_joining *joining, const struct table_join *join, const char *name)
{
    struct evs_arena *arena = joining->binder->arena;
    const struct evs_rel *left = joining->left->base;
    if (left->is_update) {
        struct evs_diag *diag = evs_report(joining->binder, EVS_E0402, joining->ast->right.place,
                                           "rows that are revised cannot be joined with a table kept from a stream");
        evs_diag_hint(diag, "aggregate with a window and `emit on window close`");
        return NULL;
    }
    struct evs_rel_operator *op = EVS_ARENA_NEW(arena, struct evs_rel_operator);
    uint32_t count = join->left_count + join->table->column_count;
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(arena, struct evs_rel_origin, count + 1);
    struct evs_rel_column *columns = result_columns(joining, join, origins);
    for (uint32_t i = join->left_count; i < count; i++) {
        origins[i] = (struct evs_rel_origin){1, i - join->left_count};
    }
    op->operator_ = &evs_op_version_join;
    op->spread = EVS_SPREAD_KEYS;
    op->readings = version_readings(joining, join);
    op->origins = origins;
    op->is_built = true;
    op->configure = configure_version;
    op->bound = join;
    op->identity = evs_lineage_mix(join->keeps_unmatched, (uint64_t)join->table->retain_us);
    op->keeps_rows = true;
    op->label = evs_arena_printf(arena, "%s: the version of the row's event time",
                                 evs_join_label(joining->binder, joining->ast, join->table->name));
    op->state_bound =
        join->table->retain_us < 0
            ? "the table's input ends"
            : "a version goes when the next one counts, or after `retain`; a row when its time has passed";
    struct evs_rel *inputs[2] = {joining->left->base, join->table->rows};
    return evs_rel_operator(&joining->binder->rels, inputs, 2, op, columns, count, left->event_time_column,
                            joining->place, name);
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------------------ */

static bool check_kind(struct evs_joining *joining, const struct evs_bound_table *table)
{
    const struct evs_ast_join *ast = joining->ast;
    if (ast->kind != EVS_JOIN_INNER && ast->kind != EVS_JOIN_LEFT) {
        struct evs_diag *diag =
            evs_report(joining->binder, EVS_E0433, ast->right.place,
                       "a table is joined by `join` or `left join`: `%s` gives no rows of its own", table->name);
        evs_diag_hint(diag, ast->kind == EVS_JOIN_ANTI || ast->kind == EVS_JOIN_SEMI
                                ? "write left join, then |> where COLUMN is null, or is not null"
                                : "write join, or left join");
        return false;
    }
    if (ast->lateness != NULL || evs_ident_given(&ast->late_into)) {
        evs_report(joining->binder, EVS_E0406, ast->right.place,
                   "a row is not late for a table: `allow lateness` and `late into` belong to joins of streams");
        return false;
    }
    return true;
}

bool evs_join_bind_table(struct evs_joining *joining, struct evs_entity *entity, const char *name)
{
    entity->is_used = true;
    evs_observe_entity(joining->binder, joining->ast->right.name.place, entity);
    const struct evs_bound_table *table = evs_bind_table(joining->binder, entity);
    if (table == NULL || !check_kind(joining, table)) {
        return false;
    }
    struct table_join *join = EVS_ARENA_NEW(joining->binder->arena, struct table_join);
    const struct evs_expr *exprs[EVS_JOIN_KEYS_MAX + 1];
    join->table = table;
    join->keeps_unmatched = joining->ast->kind == EVS_JOIN_LEFT;
    joining->takes_constants = true;
    evs_scope_settle(joining->binder, joining->left, joining->place);
    table_scope(joining, table);
    if (!evs_join_bind_on(joining) || !order_keys(joining, table, exprs) || !settle_left(joining, join, exprs) ||
        !evs_join_bind_both(joining)) {
        return false;
    }
    struct evs_rel *rel = table->lookup != NULL ? make_lookup(joining, join) : make_version_join(joining, join, name);
    if (rel == NULL) {
        return false;
    }
    struct evs_join_listing listing = evs_join_list(joining, rel, true);
    evs_join_set_scope(joining, rel, &listing.columns, true);
    return true;
}
