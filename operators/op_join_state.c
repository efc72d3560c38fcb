/* What a join keeps, and how it is stored.
 *
 * One section a side; a record is a kept row as it lies in memory. A row is written again when its mark has changed. Rows that have come to their
 * end need no record: a restore leaves out those that the commit's watermark had ended. Timers are armed again from the rows. */
#include "op_join_state.h"

#include "key_table.h"
#include "row_judge.h"

/* --- layout ------------------------------------------------------------------------------------------------------------------ */

static const enum evs_kind own_kinds[OWN_COLUMNS] = {
    [OWN_IDENTITY] = EVS_NUMERIC, /* any 16 bytes */
    [OWN_HASH] = EVS_INT64,       [OWN_NUMBER] = EVS_INT64, [OWN_MARK] = EVS_INT64, [OWN_CHANGED] = EVS_INT64,
};

/* Which columns are kept is the planner's choice: stored rows tell the kinds of theirs. */
static uint64_t shape_of(const struct evs_row_layout *layout)
{
    uint64_t shape = 0;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        uint64_t pair[2] = {shape, layout->columns[i].kind};
        shape = evs_hash64(pair, sizeof pair);
    }
    return shape;
}

static void layout_side(struct join *join, struct evs_op *op, uint32_t side)
{
    const struct evs_join_side *about = &join->config->sides[side];
    const struct evs_schema *input = evs_op_input_schema(op, side);
    uint32_t count = input->count + OWN_COLUMNS;
    struct evs_field *fields = evs_alloc_zero(count * sizeof *fields);
    uint32_t *columns = evs_alloc_zero((about->column_count + OWN_COLUMNS) * sizeof *columns);
    memcpy(fields, input->fields, input->count * sizeof *fields);
    memcpy(columns, about->columns, about->column_count * sizeof *columns);
    for (uint32_t i = 0; i < OWN_COLUMNS; i++) {
        fields[input->count + i].type = evs_type_of(own_kinds[i]);
        columns[about->column_count + i] = input->count + i;
    }
    struct evs_schema schema = {count, fields};
    evs_row_layout_init(&join->layouts[side], &schema, columns, about->column_count + OWN_COLUMNS);
    for (uint32_t i = 0; i < OWN_COLUMNS; i++) {
        join->own[side][i] = join->layouts[side].columns[about->column_count + i].offset;
    }
    join->shapes[side] = shape_of(&join->layouts[side]);
    evs_free(fields);
    evs_free(columns);
}

static void set_layouts(struct join *join, struct evs_op *op)
{
    const struct evs_join_side *left = &join->config->sides[LEFT], *right = &join->config->sides[RIGHT];
    enum evs_kind kinds[EVS_KEYS_MAX];
    EVS_ASSERT(left->key_count == right->key_count && left->key_count <= EVS_KEYS_MAX);
    layout_side(join, op, LEFT);
    layout_side(join, op, RIGHT);
    for (uint32_t i = 0; i < left->key_count; i++) {
        kinds[i] = join->layouts[LEFT].columns[i].kind;
        EVS_ASSERT(kinds[i] == join->layouts[RIGHT].columns[i].kind);
    }
    evs_table_layout_init(&join->table_layout, kinds, left->key_count, sizeof(struct join_entry));
    evs_table_init(&join->table, &join->table_layout);
}

/* The columns that somebody looks at: those that are shown, and all where a residual condition may fail and the pair be shown as dead. */
static void set_used(struct join *join, struct evs_op *op)
{
    const struct evs_join_config *config = join->config;
    join->used = evs_alloc_zero(config->pair_schema.count + 1);
    for (uint32_t i = 0; i < config->pair_schema.count; i++) {
        join->used[i] = config->residual != NULL;
    }
    for (uint32_t i = 0; i < evs_op_schema(op)->count; i++) {
        EVS_ASSERT(config->items[i] < config->pair_schema.count);
        join->used[config->items[i]] = true;
    }
}

void evs_join_begin(struct join *join, struct evs_op *op, const struct evs_join_config *config)
{
    join->config = config;
    join->durable = evs_op_is_durable(op);
    join->wants_key = evs_op_wants_key(op);
    join->next_number = 1;
    EVS_ASSERT(config->pair_schema.count == config->sides[LEFT].column_count + config->sides[RIGHT].column_count);
    set_layouts(join, op);
    set_used(join, op);
}

void evs_join_state_fini(struct join *join)
{
    if (join->table.layout != NULL) {
        evs_table_fini(&join->table);
    }
    for (uint32_t side = LEFT; side <= RIGHT; side++) {
        evs_row_layout_fini(&join->layouts[side]);
        evs_timers_fini(&join->expiry[side]);
    }
    evs_timers_fini(&join->decided);
    evs_row_pool_fini(&join->pool);
    evs_free(join->changed[LEFT].rows);
    evs_free(join->changed[RIGHT].rows);
    evs_free(join->ready);
    evs_free(join->used);
}

/* --- rows ---------------------------------------------------------------------------------------------------------------------- */

/* The own columns of an arriving row, before evs_join_keep. */
static const uint64_t nothing[2], is_never_valid[1];
static const int64_t unmatched = MARK_UNMATCHED;

struct evs_batch *evs_join_extend(struct join *join, uint32_t side, struct evs_batch *batch)
{
    struct evs_batch *extended = evs_batch_derive(batch, batch->column_count + OWN_COLUMNS);
    struct evs_column *own = &extended->columns[batch->column_count];
    EVS_ASSERT(side <= RIGHT && join->layouts[side].column_count >= OWN_COLUMNS);
    for (uint32_t i = 0; i < OWN_COLUMNS; i++) {
        own[i] = (struct evs_column){.kind = own_kinds[i], .flags = EVS_COLUMN_CONSTANT, .data = (void *)nothing};
    }
    own[OWN_MARK].data = (void *)&unmatched;
    if (batch->key == NULL) {
        own[OWN_IDENTITY].valid = (uint64_t *)is_never_valid;
    } else {
        own[OWN_IDENTITY] = (struct evs_column){.kind = EVS_NUMERIC, .data = batch->key};
    }
    return extended;
}

struct evs_row *evs_join_keep(struct join *join, uint32_t side, const struct evs_batch *extended, uint32_t row,
                              uint64_t hash)
{
    struct evs_row *kept = evs_row_keep(&join->pool, &join->layouts[side], extended, row);
    evs_join_set_own(join, side, kept, OWN_HASH, (int64_t)hash);
    evs_join_set_own(join, side, kept, OWN_NUMBER, join->next_number++);
    return kept;
}

void evs_join_free(struct join *join, uint32_t side, struct evs_row *row)
{
    int64_t place = evs_join_own(join, side, row, OWN_CHANGED);
    if (place != 0) {
        EVS_ASSERT(join->changed[side].rows[place - 1] == row);
        join->changed[side].rows[place - 1] = NULL;
    }
    evs_row_free(&join->pool, row);
}

void evs_join_changed(struct join *join, uint32_t side, const struct evs_row *row)
{
    struct changed_rows *list = &join->changed[side];
    if (!join->durable || evs_join_own(join, side, row, OWN_CHANGED) != 0) {
        return;
    }
    EVS_GROW(list->rows, list->count, list->capacity);
    list->rows[list->count++] = (struct evs_row *)row;
    evs_join_set_own(join, side, row, OWN_CHANGED, list->count);
}

void evs_join_mark(struct join *join, uint32_t side, const struct evs_row *row, int64_t mark)
{
    if (evs_join_own(join, side, row, OWN_MARK) != mark) {
        evs_join_set_own(join, side, row, OWN_MARK, mark);
        evs_join_changed(join, side, row);
    }
}

/* A key that equals nothing, not even itself: one with a NULL or a NaN. */
bool evs_join_matches_nothing(const struct join *join, uint32_t side, const struct evs_batch *batch, uint32_t row)
{
    const struct evs_join_side *about = &join->config->sides[side];
    if (evs_row_has_null(batch, row, about->columns, about->key_count)) {
        return true;
    }
    for (uint32_t i = 0; i < about->key_count; i++) {
        const struct evs_column *column = &batch->columns[about->columns[i]];
        if (column->kind == EVS_FLOAT64) {
            double value = *EVS_COLUMN_AT(column, double, row);
            if (value != value) {
                return true;
            }
        }
    }
    return false;
}

/* --- times ----------------------------------------------------------------------------------------------------------------------- */

int64_t evs_join_last_match(const struct join *join, uint32_t side, const struct evs_row *row)
{
    const struct evs_join_config *config = join->config;
    if (config->is_window) {
        return evs_row_value(&join->layouts[side], row, config->sides[side].window_end).int64 - 1;
    }
    int64_t reach_us = side == LEFT ? config->upper_us : evs_time_negative(config->lower_us);
    return evs_time_plus(row->event_time_us, reach_us);
}

int64_t evs_join_due(const struct join *join, uint32_t side, const struct evs_row *row)
{
    return evs_time_plus(evs_join_last_match(join, side, row), join->config->lateness_us);
}

int64_t evs_join_alone_time(const struct join *join, uint32_t side, const struct evs_row *row)
{
    int64_t last_us = evs_join_last_match(join, side, row);
    bool is_own = !join->config->is_window && (last_us == EVS_TIME_MAX || last_us < row->event_time_us);
    return is_own ? row->event_time_us : last_us;
}

void evs_join_range(const struct join *join, uint32_t side, const struct evs_row *row, int64_t *first_us,
                    int64_t *last_us)
{
    const struct evs_join_config *config = join->config;
    bool is_left = side == LEFT;
    if (config->is_window) {
        *first_us = EVS_TIME_MIN;
        *last_us = EVS_TIME_MAX;
        return;
    }
    int64_t first = is_left ? config->lower_us : evs_time_negative(config->upper_us);
    int64_t last = is_left ? config->upper_us : evs_time_negative(config->lower_us);
    *first_us = evs_time_plus(row->event_time_us, first);
    *last_us = evs_time_plus(row->event_time_us, last);
}

/* --- lists and timers -------------------------------------------------------------------------------------------------------------- */

/* The list's first row is the first to end, for all rows of a side live equally long. */
void evs_join_arm(struct join *join, uint32_t side, struct join_entry *entry)
{
    const struct evs_row_list *list = &entry->rows[side];
    int64_t due_us = list->count == 0 ? EVS_TIME_MIN : evs_join_due(join, side, evs_row_list_at(list, 0));
    if (due_us != entry->armed_us[side]) {
        entry->armed_us[side] = due_us;
        if (list->count > 0) {
            evs_timers_arm(&join->expiry[side], due_us, entry->index);
        }
    }
}

void evs_join_insert(struct join *join, uint32_t side, struct join_entry *entry, struct evs_row *row)
{
    if (evs_row_list_insert(&entry->rows[side], &join->pool, row) == 0) {
        evs_join_arm(join, side, entry);
    }
}

struct join_entry *evs_join_due_entry(const struct join *join, uint32_t side, const struct evs_timer *due)
{
    uint32_t index = (uint32_t)due->payload;
    if (index >= join->table.used || !evs_table_is_live(&join->table, index)) {
        return NULL;
    }
    struct join_entry *entry = evs_join_entry_at(join, index);
    return entry->armed_us[side] == due->at_us ? entry : NULL;
}

void evs_join_arm_decided(struct join *join, const struct evs_row *row, int64_t time_us)
{
    evs_timers_arm(&join->decided, evs_time_plus(time_us, join->config->lateness_us), (uint64_t)(uintptr_t)row);
}

void evs_join_arm_restored(struct join *join)
{
    join->is_restored = false;
    for (uint32_t i = 0; join->config->result == EVS_JOIN_GIVES_FIRST && i < join->table.used; i++) {
        if (!evs_table_is_live(&join->table, i)) {
            continue;
        }
        const struct evs_row_list *list = &evs_join_entry_at(join, i)->rows[LEFT];
        for (uint32_t k = 0; k < list->count; k++) {
            const struct evs_row *row = evs_row_list_at(list, k);
            int64_t mark = evs_join_own(join, LEFT, row, OWN_MARK);
            if (mark != MARK_UNMATCHED && mark != MARK_MATCHED) {
                evs_join_arm_decided(join, row, mark);
            }
        }
    }
}

struct join_entry *evs_join_begin_entry(struct evs_op *op, const struct join *join, struct evs_entry *entry,
                                        uint32_t index)
{
    struct join_entry *values = evs_join_entry(join, entry);
    *values = (struct join_entry){.armed_us = {EVS_TIME_MIN, EVS_TIME_MIN}, .index = index};
    evs_op_count(op, EVS_COUNT_STATE_KEYS, 1);
    return values;
}

void evs_join_drop_if_empty(struct evs_op *op, struct join *join, struct join_entry *entry)
{
    if (entry->rows[LEFT].count > 0 || entry->rows[RIGHT].count > 0) {
        return;
    }
    evs_table_remove(&join->table, entry->index);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
    evs_key_table_compact(&join->table);
}

void evs_join_tell_bytes(struct evs_op *op, struct join *join)
{
    int64_t bytes = (int64_t)(evs_table_bytes(&join->table) + join->pool.used_bytes);
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - join->told_bytes);
    join->told_bytes = bytes;
}

/* --- stored rows ------------------------------------------------------------------------------------------------------------------ */

static void write_row(const struct join *join, uint32_t side, struct evs_row *row, struct evs_snapshot_writer *writer)
{
    struct evs_slice shape = {(const char *)&join->shapes[side], sizeof join->shapes[side]};
    evs_join_set_own(join, side, row, OWN_CHANGED, 0);
    evs_snapshot_put(writer, side, EVS_RECORD_PUT, (uint64_t)evs_join_own(join, side, row, OWN_HASH), shape,
                     evs_row_slice(row));
}

struct writing {
    const struct join *join;
    struct evs_snapshot_writer *writer;
};

static void write_entry(void *argument, uint32_t index, struct evs_entry *entry)
{
    const struct writing *to = argument;
    (void)index;
    for (uint32_t side = LEFT; side <= RIGHT; side++) {
        const struct evs_row_list *list = &evs_join_entry(to->join, entry)->rows[side];
        for (uint32_t k = 0; k < list->count; k++) {
            write_row(to->join, side, evs_row_list_at(list, k), to->writer);
        }
    }
}

evs_status evs_join_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct join *join = state;
    (void)op;
    EVS_ASSERT(!join->is_resumed && join->loose_count == 0 && join->ready_count == 0);
    for (uint32_t side = LEFT; side <= RIGHT; side++) {
        struct changed_rows *list = &join->changed[side];
        for (uint32_t i = 0; !full && i < list->count; i++) {
            if (list->rows[i] != NULL) {
                write_row(join, side, list->rows[i], writer);
            }
        }
        list->count = 0;
    }
    if (full) {
        evs_snapshot_walk(writer, &join->table, write_entry, &(struct writing){join, writer});
    }
    return EVS_OK;
}

/* A row that was written again takes the place of its older self. */
static void remove_older(struct join *join, uint32_t side, struct join_entry *entry, const struct evs_row *row)
{
    struct evs_row_list *list = &entry->rows[side];
    int64_t number = evs_join_own(join, side, row, OWN_NUMBER);
    for (uint32_t i = evs_row_list_lower(list, row->event_time_us); i < list->count; i++) {
        struct evs_row *other = evs_row_list_at(list, i);
        if (other->event_time_us != row->event_time_us) {
            return;
        }
        if (evs_join_own(join, side, other, OWN_NUMBER) == number) {
            evs_join_free(join, side, evs_row_list_remove(list, &join->pool, i));
            return;
        }
    }
}

static void restore_row(struct evs_op *op, struct join *join, uint32_t side, uint64_t hash, struct evs_row *row)
{
    uint32_t keys[EVS_KEYS_MAX];
    bool is_new;
    for (uint32_t i = 0; i < join->config->sides[side].key_count; i++) {
        keys[i] = i;
    }
    struct evs_entry *stored = evs_row_find_entry(&join->layouts[side], row, keys, &join->table, hash, &is_new);
    struct join_entry *entry = is_new ? evs_join_begin_entry(op, join, stored, evs_table_index_of(&join->table, stored))
                                      : evs_join_entry(join, stored);
    int64_t number = evs_join_own(join, side, row, OWN_NUMBER);
    join->next_number = number >= join->next_number ? number + 1 : join->next_number;
    remove_older(join, side, entry, row);
    evs_join_insert(join, side, entry, row);
    join->is_restored = true;
}

evs_status evs_join_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                            struct evs_error *error)
{
    struct join *join = state;
    uint64_t shape;
    if (version != EVS_JOIN_SNAPSHOT_VERSION || record->section > RIGHT || record->fixed.count != sizeof shape) {
        return evs_fail(error, EVS_E_STATE, "the stored state of a join has an unknown layout (version %u)", version);
    }
    uint32_t side = record->section;
    memcpy(&shape, record->fixed.data, sizeof shape);
    if (shape != join->shapes[side]) {
        return evs_fail(error, EVS_E_STATE, "the stored rows of a join have other columns than this pipeline keeps");
    }
    struct evs_row *row = evs_row_restore(&join->pool, &join->layouts[side], record->variable);
    if (row == NULL) {
        return evs_fail(error, EVS_E_CORRUPT, "a stored row of a join does not decode");
    }
    evs_join_set_own(join, side, row, OWN_CHANGED, 0);
    if (evs_join_due(join, side, row) <= evs_timers_passed(evs_op_watermark(op))) {
        evs_row_free(&join->pool, row);
        return EVS_OK;
    }
    restore_row(op, join, side, record->hash, row);
    return EVS_OK;
}
