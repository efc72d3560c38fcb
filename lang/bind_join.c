/* join of two streams: by time, or by window. (A join with a table is bind_table_join.c's.)
 *
 *   1. both sides are settled, so that every name is a column of its relation; the condition is taken apart over both (bind_join_on.c)
 *   2. keys that are more than columns become columns: both sides are settled again, and the rest of the condition is bound anew
 *   3. the relation has all columns of the left side, then all of the right one; pruning decides which rows keep */
#include "bind_join.h"
#include "op_join.h"
#include "plan_build.h"

#include <string.h>

/* What the binder found out, for `configure`. */
struct stream_join {
    enum evs_join_result result;
    bool pads[2];
    const uint32_t *keys[2]; /* columns of the sides' relations */
    uint32_t key_count;
    bool is_window;
    uint32_t window_key; /* which key is the window's end */
    int64_t lower_us, upper_us, lateness_us;
    uint32_t matches_max;
    const struct evs_expr *residual; /* over both; NULL: none */
    uint32_t left_count;             /* columns of the left relation */
    bool late_output;
    uint32_t late_count;
    const uint32_t *late
        [2]; /* columns of the sides' relations; EVS_NO_COLUMN: NULL. NULL: this side's late rows are counted only */
    const enum evs_kind *late_kinds;
};

/* --- the plan ---------------------------------------------------------------------------------------------------------------------- */

/* The columns that a side keeps, and where those of both sides stand in a pair. */
struct kept {
    const struct evs_rel_layout *layout;
    uint32_t *pair_of; /* column of both → of a pair */
    uint32_t *columns[2], counts[2];
};

static void keep(struct kept *kept, uint32_t side, uint32_t column, uint32_t left_count)
{
    uint32_t both = side == 0 ? column : left_count + column;
    if (kept->pair_of[both] == EVS_NO_COLUMN) {
        kept->pair_of[both] = kept->counts[side];
        kept->columns[side][kept->counts[side]++] = kept->layout->input_map[side][column];
    }
}

static void keep_columns(struct kept *kept, const struct stream_join *join)
{
    const struct evs_rel *rel = kept->layout->rel;
    uint32_t total = join->left_count + rel->inputs[1].rel->column_count;
    uint64_t *read = EVS_ARENA_ARRAY(kept->layout->arena, uint64_t, EVS_VALID_WORDS(total) + 1);
    if (join->residual != NULL) {
        evs_expr_columns(join->residual, read);
    }
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_rel_needs(rel, i)) {
            read[i / 64] |= UINT64_C(1) << (i % 64);
        }
    }
    for (uint32_t i = 0; i < total; i++) {
        if ((read[i / 64] >> (i % 64)) & 1) {
            keep(kept, i < join->left_count ? 0 : 1, i < join->left_count ? i : i - join->left_count, join->left_count);
        }
    }
}

/* Keys come first, each in a place of its own: a column may stand in two equalities. */
static void keep_keys(struct kept *kept, const struct stream_join *join)
{
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < join->key_count; i++) {
            uint32_t column = join->keys[side][i];
            kept->pair_of[side == 0 ? column : join->left_count + column] = i;
            kept->columns[side][kept->counts[side]++] = kept->layout->input_map[side][column];
        }
    }
}

static void set_pair_schema(const struct kept *kept, struct evs_join_config *config)
{
    const struct evs_rel_layout *layout = kept->layout;
    uint32_t count = kept->counts[0] + kept->counts[1];
    struct evs_field *fields = EVS_ARENA_ARRAY(layout->arena, struct evs_field, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t side = i < kept->counts[0] ? 0 : 1;
        fields[i] = layout->input_schema[side].fields[kept->columns[side][side == 0 ? i : i - kept->counts[0]]];
        fields[i].nullable = true;
    }
    config->pair_schema = (struct evs_schema){count, fields};
}

static const uint32_t *late_columns(const struct evs_rel_layout *layout, const struct stream_join *join, uint32_t side)
{
    if (!join->late_output || join->late[side] == NULL) {
        return NULL;
    }
    uint32_t *columns = EVS_ARENA_ARRAY(layout->arena, uint32_t, join->late_count + 1);
    for (uint32_t i = 0; i < join->late_count; i++) {
        uint32_t column = join->late[side][i];
        columns[i] = column == EVS_NO_COLUMN ? EVS_JOIN_NO_COLUMN : layout->input_map[side][column];
    }
    return columns;
}

static void set_sides(const struct kept *kept, const struct stream_join *join, struct evs_join_config *config)
{
    for (uint32_t side = 0; side < 2; side++) {
        config->sides[side] = (struct evs_join_side){
            .columns = kept->columns[side],
            .column_count = kept->counts[side],
            .key_count = join->key_count,
            .pads = join->pads[side],
            .window_end = join->window_key,
            .late = late_columns(kept->layout, join, side),
        };
    }
}

static void set_items(const struct kept *kept, struct evs_join_config *config)
{
    const struct evs_rel_layout *layout = kept->layout;
    uint32_t *items = EVS_ARENA_ARRAY(layout->arena, uint32_t, layout->schema.count + 1);
    for (uint32_t i = 0; i < layout->rel->column_count; i++) {
        if (layout->map[i] != EVS_NO_COLUMN) {
            items[layout->map[i]] = kept->pair_of[i];
        }
    }
    config->items = items;
}

static const void *configure(const struct evs_rel_layout *layout)
{
    const struct stream_join *join = layout->rel->op->bound;
    struct evs_join_config *config = EVS_ARENA_NEW(layout->arena, struct evs_join_config);
    uint32_t right_count = layout->rel->inputs[1].rel->column_count;
    struct kept kept = {.layout = layout, .pair_of = evs_build_map(layout->builder, join->left_count + right_count)};
    kept.columns[0] = EVS_ARENA_ARRAY(layout->arena, uint32_t, join->key_count + join->left_count + 1);
    kept.columns[1] = EVS_ARENA_ARRAY(layout->arena, uint32_t, join->key_count + right_count + 1);
    keep_keys(&kept, join);
    keep_columns(&kept, join);
    for (uint32_t i = 0; i < right_count; i++) { /* a pair has the right side's columns behind */
        uint32_t *pair = &kept.pair_of[join->left_count + i];
        *pair = *pair == EVS_NO_COLUMN ? EVS_NO_COLUMN : *pair + kept.counts[0];
    }
    config->result = join->result;
    config->is_window = join->is_window;
    config->is_empty = !join->is_window && join->lower_us > join->upper_us;
    config->lower_us = join->lower_us;
    config->upper_us = join->upper_us;
    config->lateness_us = join->lateness_us;
    config->matches_max = join->matches_max;
    config->late_output = join->late_output;
    config->late_count = join->late_count;
    config->late_kinds = join->late_kinds;
    set_sides(&kept, join, config);
    set_pair_schema(&kept, config);
    set_items(&kept, config);
    if (join->residual != NULL) {
        config->residual = evs_build_program(layout->builder, &join->residual, 1, kept.pair_of);
    }
    return join->residual != NULL && config->residual == NULL ? NULL : config;
}

/* --- keys and the rest of the condition -------------------------------------------------------------------------------------------------- */

/* Every key is a column of its side from now on. */
static void settle_keys(struct evs_joining *joining)
{
    const struct evs_expr *exprs[2][EVS_JOIN_KEYS_MAX];
    uint32_t numbers[2][EVS_JOIN_KEYS_MAX];
    for (uint32_t i = 0; i < joining->key_count; i++) {
        exprs[0][i] = joining->keys[i].sides[0];
        exprs[1][i] = joining->keys[i].sides[1];
    }
    evs_scope_settle_with(joining->binder, joining->left, exprs[0], joining->key_count, numbers[0], joining->place);
    evs_scope_settle_with(joining->binder, &joining->right, exprs[1], joining->key_count, numbers[1], joining->place);
    for (uint32_t i = 0; i < joining->key_count; i++) {
        joining->keys[i].columns[0] = numbers[0][i];
        joining->keys[i].columns[1] = numbers[1][i];
    }
}

static const struct evs_expr *bind_rest(struct evs_joining *joining, const struct stream_join *join)
{
    struct evs_binder *binder = joining->binder;
    const struct evs_expr *all[2 * EVS_JOIN_CONDITIONS_MAX], *result = NULL;
    struct evs_context context = {.scope = &joining->both};
    uint32_t count = 0;
    for (uint32_t i = 0; i < joining->rest_count; i++) {
        all[count++] = evs_bind_expr(binder, &context, joining->rest[i]);
    }
    for (uint32_t i = 0; join->is_window && i < joining->bound_count; i++) { /* then they bound nothing */
        all[count++] = evs_bind_expr(binder, &context, joining->bounds[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        all[i] = evs_bind_bool(binder, all[i], joining->ast->on->place); /* each was bound before */
    }
    struct evs_error error;
    if (count <= 1) {
        return count == 0 ? NULL : all[0];
    }
    evs_status status = evs_expr_special(binder->arena, EVS_EXPR_AND, all, count, all[0]->place, &result, &error);
    EVS_ASSERT(status == EVS_OK); /* each is a bool */
    return result;
}

/* Rows of windows meet when one of the keys is the end of the window on both sides. */
static void find_window(struct evs_joining *joining, struct stream_join *join)
{
    for (uint32_t i = 0; i < joining->key_count && !join->is_window; i++) {
        const struct evs_join_key *key = &joining->keys[i];
        join->is_window = joining->left->base->columns[key->columns[0]].edge == EVS_EDGE_END &&
                          joining->right.base->columns[key->columns[1]].edge == EVS_EDGE_END;
        join->window_key = i;
    }
}

/* --- bounds ------------------------------------------------------------------------------------------------------------------------------- */

static const char *name_of(const struct evs_scope *scope, const char *fallback)
{
    return scope->range_count > 0 ? scope->ranges[scope->range_count - 1].name : fallback;
}

static void report_timeless(struct evs_joining *joining, const struct evs_scope *scope, const char *name)
{
    struct evs_diag *diag =
        evs_report(joining->binder, EVS_E0431, joining->ast->right.place,
                   "the rows of %s have no column for their event time, so that nothing can bound it", name);
    const char *hint = evs_rel_edge(scope->base, EVS_EDGE_END) != EVS_NO_COLUMN
                           ? "join windows: … and a.window_start = b.window_start and a.window_end = b.window_end"
                           : "keep the column of `watermark for`, unchanged";
    evs_diag_hint(diag, "%s", hint);
}

static const char *time_name(const struct evs_joining *joining, const struct evs_scope *scope, const char *range)
{
    const struct evs_rel *base = scope->base;
    return evs_arena_printf(joining->binder->arena, "%s.%s", range, base->columns[base->event_time_column].name);
}

/* A side whose rows may always find one more match is kept for ever, unless it ends. */
static bool check_bounds(struct evs_joining *joining, const struct stream_join *join)
{
    bool is_left_kept = join->upper_us == EVS_JOIN_UNBOUNDED_UPPER && !joining->left->base->is_bounded;
    bool is_right_kept = join->lower_us == EVS_JOIN_UNBOUNDED_LOWER && !joining->right.base->is_bounded;
    const char *left = name_of(joining->left, "the left side"), *right = name_of(&joining->right, "the right side");
    if (join->is_window || (!is_left_kept && !is_right_kept)) {
        return true;
    }
    if (joining->left->base->event_time_column == EVS_NO_COLUMN) {
        report_timeless(joining, joining->left, left);
        return false;
    }
    if (joining->right.base->event_time_column == EVS_NO_COLUMN) {
        report_timeless(joining, &joining->right, right);
        return false;
    }
    const char *left_time = time_name(joining, joining->left, left);
    const char *right_time = time_name(joining, &joining->right, right);
    const struct evs_ast_join *ast = joining->ast;
    struct evs_diag *diag =
        evs_report(joining->binder, EVS_E0431, ast->on != NULL ? ast->on->place : ast->right.place,
                   "nothing bounds how long a row of %s waits for its match", is_left_kept ? left : right);
    if (is_left_kept && is_right_kept) {
        evs_diag_hint(diag, "add `and %s between %s and %s + interval 30 minute`%s", right_time, left_time, left_time,
                      ast->on == NULL ? ", with `on` in place of `using`" : "");
    } else if (is_left_kept) {
        evs_diag_hint(diag, "add `and %s <= %s + interval 30 minute`", right_time, left_time);
    } else {
        evs_diag_hint(diag, "add `and %s >= %s - interval 30 minute`", right_time, left_time);
    }
    return false;
}

static bool bind_lateness(struct evs_joining *joining, struct stream_join *join)
{
    const struct evs_ast_expr *lateness = joining->ast->lateness;
    if (lateness == NULL) {
        return true;
    }
    if (!evs_bind_duration(joining->binder, lateness, "allow lateness", &join->lateness_us)) {
        return false;
    }
    if (join->lateness_us < 0) {
        evs_report(joining->binder, EVS_E0406, lateness->place, "`allow lateness` is not negative");
        return false;
    }
    return true;
}

/* --- late rows ---------------------------------------------------------------------------------------------------------------------------- */

/* A name that both sides have is the left one's; the right side's column then has the side's name in front. */
static const char *late_name(struct evs_joining *joining, const struct evs_columns *columns, uint32_t number)
{
    const char *name = columns->items[number].name;
    for (uint32_t i = 0; name != NULL && i < number; i++) {
        const char *other = columns->items[i].name;
        if (other != NULL && evs_name_equal(other, name)) {
            return evs_arena_printf(joining->binder->arena, "%s_%s", name_of(&joining->right, "right"), name);
        }
    }
    return name;
}

/* A late row has the columns of the result, those of the other side NULL, then _watermark and _lateness. */
static struct evs_rel_side *make_late_side(struct evs_joining *joining, struct stream_join *join,
                                           const struct evs_columns *columns)
{
    struct evs_arena *arena = joining->binder->arena;
    uint32_t count = columns->count;
    struct evs_rel_side *side = EVS_ARENA_NEW(arena, struct evs_rel_side);
    struct evs_rel_column *shown = EVS_ARENA_ARRAY(arena, struct evs_rel_column, count + 2);
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(arena, struct evs_rel_origin, count + 2);
    enum evs_kind *kinds = EVS_ARENA_ARRAY(arena, enum evs_kind, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = late_name(joining, columns, i);
        shown[i] = (struct evs_rel_column){
            .name = name != NULL ? name : "", .type = columns->items[i].expr->type, .nullable = true};
        kinds[i] = shown[i].type->kind;
        origins[i] = (struct evs_rel_origin){EVS_COMPUTED, i};
    }
    shown[count] = (struct evs_rel_column){.name = "_watermark", .type = evs_type_of(EVS_TIMESTAMP)};
    shown[count + 1] = (struct evs_rel_column){.name = "_lateness", .type = evs_type_of(EVS_INT64)};
    origins[count] = (struct evs_rel_origin){EVS_COMPUTED, count};
    origins[count + 1] = (struct evs_rel_origin){EVS_COMPUTED, count + 1};
    join->late_output = true;
    join->late_count = count;
    join->late_kinds = kinds;
    *side = (struct evs_rel_side){
        .name = "late rows", .columns = shown, .origins = origins, .column_count = count + 2, .is_built = true};
    return side;
}

/* --- the result ---------------------------------------------------------------------------------------------------------------------------- */

static const struct evs_expr *column_of(struct evs_joining *joining, const struct evs_rel *rel, uint32_t column)
{
    struct evs_field field = evs_rel_field(rel, column);
    return evs_expr_column(joining->binder->arena, column, &field, joining->place);
}

static bool has_right(const struct stream_join *join)
{
    return join->result == EVS_JOIN_GIVES_PAIRS;
}

/* The number that a column of the right side, settled, has in the result. */
static uint32_t right_number(const struct evs_joining *joining, const struct evs_expr *expr)
{
    EVS_ASSERT(expr->kind == EVS_EXPR_COLUMN);
    return joining->left->base->column_count + expr->column;
}

static bool is_used(const struct evs_ast_join *ast, const char *name)
{
    for (uint32_t i = 0; name != NULL && i < ast->using_columns.count; i++) {
        if (evs_slice_equal_nocase(ast->using_columns.items[i].text, name)) {
            return true;
        }
    }
    return false;
}

/* The value of a column of `using`: the side's that is always there; of a full join the one that is there. */
static const struct evs_expr *used_value(struct evs_joining *joining, const struct evs_rel *rel, uint32_t left,
                                         uint32_t right)
{
    const struct evs_expr *values[2] = {column_of(joining, rel, left), NULL}, *either = NULL;
    if (joining->ast->kind != EVS_JOIN_RIGHT && joining->ast->kind != EVS_JOIN_FULL) {
        return values[0];
    }
    values[1] = column_of(joining, rel, right);
    if (joining->ast->kind == EVS_JOIN_RIGHT) {
        return values[1];
    }
    struct evs_error error;
    if (evs_expr_special(joining->binder->arena, EVS_EXPR_COALESCE, values, 2, joining->place, &either, &error) !=
        EVS_OK) {
        evs_report_error(joining->binder, EVS_E0308, joining->ast->right.place, &error);
        return values[0];
    }
    return either;
}

static void list_column(struct evs_joining *joining, struct evs_join_listing *listing, const char *name,
                        const struct evs_expr *expr, uint32_t left, uint32_t right)
{
    listing->late[0][listing->columns.count] = left;
    listing->late[1][listing->columns.count] = right;
    evs_columns_add(joining->binder, &listing->columns, name, expr);
}

static void list_used(struct evs_joining *joining, bool has_right, const struct evs_rel *rel,
                      struct evs_join_listing *listing)
{
    const struct evs_ast_join *ast = joining->ast;
    for (uint32_t i = 0; i < ast->using_columns.count; i++) {
        const struct evs_scope_column *left = NULL, *right = NULL;
        evs_columns_find(&joining->left->columns, ast->using_columns.items[i].text, &left);
        evs_columns_find(&joining->right.columns, ast->using_columns.items[i].text, &right);
        const struct evs_expr *value =
            has_right ? used_value(joining, rel, left->expr->column, right_number(joining, right->expr))
                      : column_of(joining, rel, left->expr->column);
        list_column(joining, listing, left->name, value, left->expr->column, right->expr->column);
    }
}

/* The columns of using once and first, then those of the left side, then those of the right one, as GoogleSQL has it. */
struct evs_join_listing evs_join_list(struct evs_joining *joining, const struct evs_rel *rel, bool has_right)
{
    struct evs_arena *arena = joining->binder->arena;
    const struct evs_columns *left = &joining->left->columns, *right = &joining->right.columns;
    struct evs_join_listing listing = {0};
    listing.late[0] = EVS_ARENA_ARRAY(arena, uint32_t, left->count + right->count + 1);
    listing.late[1] = EVS_ARENA_ARRAY(arena, uint32_t, left->count + right->count + 1);
    list_used(joining, has_right, rel, &listing);
    for (uint32_t i = 0; i < left->count; i++) {
        uint32_t column = left->items[i].expr->column;
        if (!is_used(joining->ast, left->items[i].name)) {
            list_column(joining, &listing, left->items[i].name, column_of(joining, rel, column), column, EVS_NO_COLUMN);
        }
    }
    for (uint32_t i = 0; has_right && i < right->count; i++) {
        const struct evs_expr *expr = right->items[i].expr;
        if (!is_used(joining->ast, right->items[i].name)) {
            list_column(joining, &listing, right->items[i].name, column_of(joining, rel, right_number(joining, expr)),
                        EVS_NO_COLUMN, expr->column);
        }
    }
    return listing;
}

/* --- the relation -------------------------------------------------------------------------------------------------------------------------- */

static struct evs_rel_column *result_columns(struct evs_joining *joining, const struct stream_join *join,
                                             uint32_t count, struct evs_rel_origin *origins)
{
    const struct evs_rel *left = joining->left->base, *right = joining->right.base;
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(joining->binder->arena, struct evs_rel_column, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t side = i < left->column_count ? 0 : 1, column = side == 0 ? i : i - left->column_count;
        columns[i] = side == 0 ? left->columns[column] : right->columns[column];
        columns[i].nullable = columns[i].nullable || (has_right(join) && join->pads[1 - side]);
        /* a window's result lies in its window; what padding leaves NULL is no end of it */
        bool keeps_edge = join->is_window && !(has_right(join) && join->pads[1 - side]);
        columns[i].edge = keeps_edge ? columns[i].edge : EVS_EDGE_NONE;
        columns[i].window = keeps_edge ? columns[i].window : 0;
        origins[i] = (struct evs_rel_origin){side, column};
    }
    return columns;
}

/* The column that is the result's event time: of a side whose rows are never the earlier ones of a result. */
static uint32_t result_time(const struct evs_joining *joining, const struct stream_join *join)
{
    bool is_left = join->upper_us <= 0 && !join->pads[1], is_right = join->lower_us >= 0 && !join->pads[0];
    if (join->is_window || join->lower_us > join->upper_us) {
        return EVS_NO_COLUMN;
    }
    if (is_left && joining->left->base->event_time_column != EVS_NO_COLUMN) {
        return joining->left->base->event_time_column;
    }
    if (is_right && has_right(join) && joining->right.base->event_time_column != EVS_NO_COLUMN) {
        return joining->left->base->column_count + joining->right.base->event_time_column;
    }
    return EVS_NO_COLUMN;
}

static uint32_t residual_reads(const struct evs_joining *joining, const struct stream_join *join, uint32_t side,
                               uint32_t *reads)
{
    uint32_t left_count = join->left_count, total = joining->both.base->column_count, count = 0;
    uint64_t *words = EVS_ARENA_ARRAY(joining->binder->arena, uint64_t, EVS_VALID_WORDS(total) + 1);
    if (join->residual != NULL) {
        evs_expr_columns(join->residual, words);
    }
    for (uint32_t i = side == 0 ? 0 : left_count; i < (side == 0 ? left_count : total); i++) {
        if ((words[i / 64] >> (i % 64)) & 1) {
            reads[count++] = side == 0 ? i : i - left_count;
        }
    }
    return count;
}

static uint32_t late_reads(const struct stream_join *join, uint32_t side, uint32_t *reads)
{
    uint32_t count = 0;
    for (uint32_t i = 0; join->late_output && join->late[side] != NULL && i < join->late_count; i++) {
        if (join->late[side][i] != EVS_NO_COLUMN) {
            reads[count++] = join->late[side][i];
        }
    }
    return count;
}

static const struct evs_rel_reading *make_readings(const struct evs_joining *joining, const struct stream_join *join)
{
    struct evs_arena *arena = joining->binder->arena;
    struct evs_rel_reading *readings = EVS_ARENA_ARRAY(arena, struct evs_rel_reading, 2);
    uint32_t most = joining->both.base->column_count + join->late_count;
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t *reads = EVS_ARENA_ARRAY(arena, uint32_t, most + 1);
        uint32_t count = residual_reads(joining, join, side, reads);
        count += late_reads(join, side, reads + count);
        readings[side] = (struct evs_rel_reading){
            .keys = join->keys[side], .key_count = join->key_count, .reads = reads, .read_count = count};
    }
    return readings;
}

static uint64_t identity_of(const struct evs_joining *joining, const struct stream_join *join)
{
    const int64_t parts[] = {join->result,   join->pads[0],  join->pads[1],    join->is_window,
                             join->lower_us, join->upper_us, join->lateness_us};
    uint64_t hash = 0;
    for (size_t i = 0; i < EVS_COUNT(parts); i++) {
        hash = evs_lineage_mix(hash, (uint64_t)parts[i]);
    }
    return join->residual == NULL ? hash : evs_lineage_mix(hash, evs_lineage_expr(joining->both.base, join->residual));
}

static const char *kind_word(const struct evs_ast_join *ast)
{
    static const char *const words[] = {
        [EVS_JOIN_INNER] = "join",     [EVS_JOIN_LEFT] = "left join",   [EVS_JOIN_RIGHT] = "right join",
        [EVS_JOIN_FULL] = "full join", [EVS_JOIN_CROSS] = "cross join", [EVS_JOIN_SEMI] = "semi join",
        [EVS_JOIN_ANTI] = "anti join",
    };
    return words[ast->kind];
}

const char *evs_join_label(struct evs_binder *binder, const struct evs_ast_join *ast, const char *right)
{
    struct evs_buffer text = {0};
    evs_buffer_printf(&text, "%s %s ", kind_word(ast), right);
    if (ast->on != NULL) {
        evs_buffer_puts(&text, "on ");
        evs_ast_print_expr(&text, ast->on);
    }
    for (uint32_t i = 0; i < ast->using_columns.count; i++) {
        evs_buffer_puts(&text, i == 0 ? "using (" : ", ");
        evs_ast_print_ident(&text, ast->using_columns.items[i].text);
    }
    evs_buffer_puts(&text, ast->using_columns.count > 0 ? ")" : "");
    const char *label = evs_bind_text(binder, (struct evs_slice){text.data, text.count});
    evs_buffer_fini(&text);
    return label;
}

static const char *bound_of(struct evs_joining *joining, const struct stream_join *join)
{
    struct evs_buffer text = {0};
    if (join->is_window) {
        return "a row goes when the watermark reaches the end of its window";
    }
    if (join->upper_us == EVS_JOIN_UNBOUNDED_UPPER || join->lower_us == EVS_JOIN_UNBOUNDED_LOWER) {
        return "the input ends";
    }
    evs_buffer_puts(&text, "a row goes when the watermark has passed its last match: a left one's time + ");
    evs_put_duration(&text, join->upper_us);
    evs_buffer_puts(&text, ", a right one's + ");
    evs_put_duration(&text, -join->lower_us);
    const char *bound = evs_bind_text(joining->binder, (struct evs_slice){text.data, text.count});
    evs_buffer_fini(&text);
    return bound;
}

static struct evs_rel *make_rel(struct evs_joining *joining, const struct stream_join *join,
                                struct evs_rel_operator *op, const char *name)
{
    struct evs_arena *arena = joining->binder->arena;
    uint32_t count = has_right(join) ? joining->both.base->column_count : join->left_count;
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(arena, struct evs_rel_origin, count + 1);
    struct evs_rel_column *columns = result_columns(joining, join, count, origins);
    struct evs_rel *inputs[2] = {joining->left->base, joining->right.base};
    *op = (struct evs_rel_operator){
        .operator_ = &evs_op_join,
        .spread = EVS_SPREAD_KEYS,
        .origins = origins,
        .is_built = true,
        .configure = configure,
        .bound = join,
        .identity = identity_of(joining, join),
        .keeps_rows = true,
        .label = evs_join_label(joining->binder, joining->ast, name_of(&joining->right, "…")),
        .state_bound = bound_of(joining, join),
    };
    op->readings = make_readings(joining, join);
    return evs_rel_operator(&joining->binder->rels, inputs, 2, op, columns, count, result_time(joining, join),
                            joining->place, name);
}

/* Names after the join: the columns of both sides, and the range variables of both. System columns are the left row's. */
void evs_join_set_scope(struct evs_joining *joining, struct evs_rel *rel, const struct evs_columns *columns,
                        bool has_right)
{
    struct evs_binder *binder = joining->binder;
    struct evs_scope scope = {.base = rel, .columns = *columns};
    for (uint32_t i = 0; i < joining->both.system.count; i++) {
        const struct evs_scope_column *item = &joining->both.system.items[i];
        evs_columns_add(binder, &scope.system, item->name, column_of(joining, rel, item->expr->column));
    }
    for (uint32_t i = 0; i < joining->both.range_count; i++) {
        const struct evs_range *from = &joining->both.ranges[i];
        if (i >= joining->left->range_count && !has_right) {
            break;
        }
        struct evs_range *to = &scope.ranges[scope.range_count++];
        to->name = from->name;
        for (uint32_t k = 0; k < from->columns.count; k++) {
            evs_columns_add(binder, &to->columns, from->columns.items[k].name,
                            column_of(joining, rel, from->columns.items[k].expr->column));
        }
    }
    *joining->left = scope;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------------------------- */

static void set_kind(struct stream_join *join, const struct evs_ast_join *ast)
{
    join->result = ast->kind == EVS_JOIN_SEMI   ? EVS_JOIN_GIVES_FIRST
                   : ast->kind == EVS_JOIN_ANTI ? EVS_JOIN_GIVES_NONE
                                                : EVS_JOIN_GIVES_PAIRS;
    join->pads[0] = ast->kind == EVS_JOIN_LEFT || ast->kind == EVS_JOIN_FULL || ast->kind == EVS_JOIN_ANTI;
    join->pads[1] = ast->kind == EVS_JOIN_RIGHT || ast->kind == EVS_JOIN_FULL;
}

static bool check_final(struct evs_joining *joining)
{
    const struct evs_rel *sides[2] = {joining->left->base, joining->right.base};
    for (uint32_t i = 0; i < 2; i++) {
        if (sides[i]->is_update) {
            struct evs_diag *diag = evs_report(
                joining->binder, EVS_E0402, i == 0 ? joining->ast->right.place : joining->ast->right.place,
                "the %s side of this join is an update stream: its rows are revised, and a join takes nothing back",
                i == 0 ? "left" : "right");
            evs_diag_hint(diag, "join final rows: aggregate with a window and `emit on window close`");
            return false;
        }
    }
    return true;
}

/* Everything that the relation must know. */
static bool fill(struct evs_joining *joining, struct stream_join *join)
{
    struct evs_arena *arena = joining->binder->arena;
    settle_keys(joining);
    if (!evs_join_bind_both(joining)) {
        return false;
    }
    join->left_count = joining->left->base->column_count;
    join->key_count = joining->key_count;
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t *keys = EVS_ARENA_ARRAY(arena, uint32_t, join->key_count + 1);
        for (uint32_t i = 0; i < join->key_count; i++) {
            keys[i] = joining->keys[i].columns[side];
        }
        join->keys[side] = keys;
    }
    join->lower_us = joining->lower_us;
    join->upper_us = joining->upper_us;
    join->matches_max = (uint32_t)evs_setting(joining->binder, "max_matches")->integer;
    find_window(joining, join);
    join->residual = bind_rest(joining, join);
    return check_bounds(joining, join) && bind_lateness(joining, join);
}

static bool bind_streams(struct evs_joining *joining, const char *name)
{
    struct evs_binder *binder = joining->binder;
    struct stream_join *join = EVS_ARENA_NEW(binder->arena, struct stream_join);
    evs_scope_settle(binder, joining->left, joining->place);
    evs_scope_settle(binder, &joining->right, joining->place);
    set_kind(join, joining->ast);
    if (!check_final(joining) || !evs_join_bind_on(joining) || !fill(joining, join)) {
        return false;
    }
    struct evs_rel_operator *op = EVS_ARENA_NEW(binder->arena, struct evs_rel_operator);
    struct evs_rel *rel = make_rel(joining, join, op, name);
    struct evs_join_listing listing = evs_join_list(joining, rel, has_right(join));
    if (evs_ident_given(&joining->ast->late_into)) {
        struct evs_entity *sink = evs_bind_sink_name(binder, &joining->ast->late_into);
        join->late[0] = listing.late[0];
        join->late[1] = has_right(join) ? listing.late[1] : NULL;
        op->sides = make_late_side(joining, join, &listing.columns);
        op->side_count = 1;
        op->readings = make_readings(joining, join);
        if (sink == NULL) {
            return false;
        }
        evs_bind_insert(binder, sink, (struct evs_rel_input){rel, 1}, joining->ast->late_into.place);
    }
    evs_join_set_scope(joining, rel, &listing.columns, has_right(join));
    return true;
}

bool evs_bind_join(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_join *ast = pipe->join;
    if (ast->kind == EVS_JOIN_CROSS) {
        struct evs_diag *diag = evs_report(binder, EVS_E0430, pipe->word, "a cross join of streams has no bound");
        evs_diag_hint(diag, "join on keys and times; `cross join unnest(…)` takes the elements of an array");
        return false;
    }
    struct evs_joining joining = {
        .binder = binder,
        .ast = ast,
        .left = scope,
        .place = evs_bind_place(binder, pipe->place),
        .lower_us = EVS_JOIN_UNBOUNDED_LOWER,
        .upper_us = EVS_JOIN_UNBOUNDED_UPPER,
    };
    const char *name = evs_ident_given(&pipe->name) ? evs_bind_text(binder, pipe->name.text) : NULL;
    struct evs_entity *entity =
        ast->right.kind == EVS_RELATION_NAME ? evs_entity_find(binder, false, ast->right.name.text) : NULL;
    if (entity != NULL && entity->kind == EVS_ENTITY_TABLE) {
        return evs_join_bind_table(&joining, entity, name);
    }
    return evs_bind_from(binder, &ast->right, &joining.right) && bind_streams(&joining, name);
}
