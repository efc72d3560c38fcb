/* join of two streams.
 *
 * Algorithm. Both inputs come exchanged by the keys that they are joined on. A row that arrives is kept among the rows of its key, in the order of the
 * key, and looks at the rows of the other side that its interval covers, found by bisection:
 *
 *      left  ──────────●─────────────────────────►            right row matches: left time + lower <= right time <= left time + upper
 *                      ┆╲ lower      ╲ upper                   (window join: all rows of the key, which holds the window)
 *      right ──────────┆─●═══●════════●──────────►
 *
 * So each pair is found once, by whichever of its rows arrives later. Pairs are gathered into a batch, judged by the residual condition there, and emitted.
 *
 * How long a row is kept. A right row for left time t comes at t + upper at the latest, and is not late while the watermark is not above that. So the left row
 * ends when W > t + upper (right: W > t - lower; window: W >= its end), later by the lateness that is allowed. All rows of a side live equally long, so the
 * rows of a key end in their order, and one timer a key and side is enough. A row that nothing later can match is not kept at all.
 *
 * Unmatched rows (outer, anti) come when they end, with the later of their own time and the end of their interval; one whose key has a NULL, or whose
 * interval is empty, at once and with its own time. A left row of a semi join comes when its earliest match is certain: at once if that is not after the row,
 * else when the watermark has come to the match. Its event time so does not depend on which match happened to arrive first.
 *
 * Late rows (below the watermark of their partition, or the operator's, by more than the lateness) are not joined. With lateness, results may be as far
 * behind: the watermark that is passed on is behind by as much, and nothing downstream is late for it. A side whose rows wait for the end of the input
 * (bounded inputs without bounds) holds the watermark back until then.
 *
 * Order: pairs in the order of their rows' arrival, of one row by event time; what a watermark releases by event time, then by the order of the key.
 * Determinism: whether rows meet, and all that a result shows, follows from the rows (op_join_emit.c).
 * Memory: a key 96 bytes and its columns; a row 92 bytes and its columns; blocks from a pool.
 * Recovery: op_join_state.c. Failure: a pair whose residual condition fails is dead, and no match.
 * Rejected: one list a key for both sides (a row would step over its own side's), a tree by time (rows nearly come in order: a sorted array is
 * appended to), removing rows of a semi or anti join at their match (it needs tombstones; they end with their interval). */
#include "op_join.h"

#include "evstream/keys.h"
#include "op_join_state.h"
#include "row_judge.h"

/* --- opening --------------------------------------------------------------------------------------------------------------------- */

static bool is_endless(const struct evs_join_config *config)
{
    return !config->is_window && !config->is_empty &&
           ((config->sides[LEFT].pads && config->upper_us == EVS_JOIN_UNBOUNDED_UPPER) ||
            (config->sides[RIGHT].pads && config->lower_us == EVS_JOIN_UNBOUNDED_LOWER));
}

static evs_status join_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct join *join = state;
    (void)error;
    const struct evs_join_config *config = evs_op_config(op);
    EVS_ASSERT(config->result != EVS_JOIN_GIVES_FIRST || !config->sides[LEFT].pads);
    evs_join_begin(join, op, config);
    if (join->config->residual != NULL) {
        join->eval = evs_eval_new(join->config->residual);
    }
    join->is_endless = is_endless(join->config);
    evs_op_delay_watermark(op, join->is_endless ? EVS_TIME_MAX : join->config->lateness_us);
    return EVS_OK;
}

static void join_close(struct evs_op *op, void *state)
{
    struct join *join = state;
    (void)op;
    if (join->eval != NULL) {
        evs_eval_free(join->eval);
    }
    evs_join_state_fini(join);
}

/* --- a batch is begun -------------------------------------------------------------------------------------------------------------- */

static bool is_late(const struct join *join, uint32_t side, const struct evs_batch *batch, uint32_t row,
                    int64_t watermark_us)
{
    const struct evs_join_config *config = join->config;
    int64_t last_us = batch->event_time_us[row]; /* the last watermark at which it is in time */
    if (config->is_window) {
        uint32_t column = config->sides[side].columns[config->sides[side].window_end];
        if (!evs_column_is_valid(&batch->columns[column], row)) {
            return false;
        }
        last_us = *EVS_COLUMN_AT(&batch->columns[column], int64_t, row) - 1;
    }
    return watermark_us > evs_time_plus(last_us, config->lateness_us);
}

static void judge_lateness(struct evs_op *op, struct join *join, struct evs_batch *batch, uint32_t side)
{
    uint16_t late[EVS_BATCH_ROWS];
    uint32_t count = 0;
    memset(join->is_late, 0, batch->selected_count * sizeof *join->is_late);
    if (batch->watermark_us == NULL && batch->min_time_us >= evs_op_watermark(op)) {
        return;
    }
    EVS_FOR_ROWS(batch, position, row) {
        join->is_late[position] = is_late(join, side, batch, row, evs_row_watermark(op, batch, row));
        if (join->is_late[position]) {
            late[count++] = (uint16_t)row;
        }
    }
    evs_join_emit_late(op, join, batch, side, late, count);
}

static void begin_batch(struct evs_op *op, struct join *join, struct evs_batch *batch, uint32_t side)
{
    uint32_t keys[EVS_KEYS_MAX];
    const struct evs_join_side *about = &join->config->sides[side];
    memcpy(keys, about->columns, about->key_count * sizeof *keys);
    evs_key_hash_rows(batch, keys, about->key_count, join->hashes);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        evs_table_prefetch_slot(&join->table, join->hashes[i]);
    }
    judge_lateness(op, join, batch, side);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        evs_table_prefetch_entry(&join->table, join->hashes[i]);
    }
    join->position = 0;
    join->row = NULL;
    join->limited = NULL;
}

/* --- a row ---------------------------------------------------------------------------------------------------------------------------- */

/* A row that matches nothing whatever comes. */
static void begin_lonely(struct join *join, uint32_t side, const struct evs_batch *extended, uint32_t row)
{
    if (join->config->sides[side].pads) {
        struct evs_row *kept = evs_join_keep(join, side, extended, row, join->hashes[join->position]);
        int64_t time_us = join->config->is_window ? evs_join_alone_time(join, side, kept) : kept->event_time_us;
        evs_join_add_ready(join, (struct ready_row){time_us, kept, side, true, NULL});
    }
}

/* A semi or anti row's fate may be sealed: then it meets no more rows. */
static bool is_settled(const struct join *join, const struct evs_row *left)
{
    return join->config->result != EVS_JOIN_GIVES_PAIRS && evs_join_own(join, LEFT, left, OWN_MARK) == MARK_MATCHED;
}

static void begin_row(struct evs_op *op, struct join *join, uint32_t side, const struct evs_batch *extended,
                      uint32_t row)
{
    uint64_t hash = join->hashes[join->position];
    const struct evs_join_side *about = &join->config->sides[side];
    uint32_t index;
    bool is_new;
    struct evs_entry *stored =
        evs_table_find_or_add(&join->table, hash, extended, row, about->columns, &index, &is_new);
    struct join_entry *entry = is_new ? evs_join_begin_entry(op, join, stored, index) : evs_join_entry(join, stored);
    join->row = evs_join_keep(join, side, extended, row, hash);
    join->others = &entry->rows[1 - side];
    int64_t first_us, last_us;
    evs_join_range(join, side, join->row, &first_us, &last_us);
    join->candidate = evs_row_list_lower(join->others, first_us);
    join->last_us = last_us;
    if (evs_join_due(join, side, join->row) > evs_timers_passed(evs_op_watermark(op))) {
        evs_join_insert(join, side, entry, join->row);
        evs_join_changed(join, side, join->row);
    } else {
        join->loose[join->loose_count++] = join->row;
        evs_join_drop_if_empty(op, join, entry);
    }
}

static void add_pair(struct join *join, const struct evs_row *left, const struct evs_row *right)
{
    join->pairs[LEFT][join->pair_count] = left;
    join->pairs[RIGHT][join->pair_count++] = right;
}

/* The pairs of a batch share what a batch has once. */
static bool is_full(const struct join *join, const struct evs_row *left)
{
    return join->pair_count == EVS_BATCH_ROWS ||
           (join->pair_count > 0 && evs_row_cause_kind(left) != evs_row_cause_kind(join->pairs[LEFT][0]));
}

/* Adds the pairs of the arriving row. False: there is no room for one more batch of pairs in this call. */
static bool find_pairs(struct evs_op *op, struct join *join, uint32_t side)
{
    /* of a semi or anti row the earliest match says all, if nothing else must hold */
    bool is_one_enough = join->config->result != EVS_JOIN_GIVES_PAIRS && join->eval == NULL && side == LEFT;
    for (; join->candidate < join->others->count; join->candidate++) {
        struct evs_row *other = evs_row_list_at(join->others, join->candidate);
        if (other->event_time_us > join->last_us) {
            break;
        }
        const struct evs_row *left = side == LEFT ? join->row : other, *right = side == LEFT ? other : join->row;
        if (is_settled(join, left)) {
            continue;
        }
        if (is_full(join, left)) {
            if (join->emitted == EVS_JOIN_EMIT_BATCHES) {
                return false;
            }
            evs_join_flush(op, join, side);
        }
        add_pair(join, left, right);
        if (is_one_enough) {
            break;
        }
    }
    join->row = NULL;
    return true;
}

static bool add_rows(struct evs_op *op, struct join *join, uint32_t side, const struct evs_batch *extended)
{
    for (; join->position < extended->selected_count; join->position++) {
        uint32_t row = extended->selection != NULL ? extended->selection[join->position] : join->position;
        if (join->row == NULL && join->is_late[join->position]) {
            continue;
        }
        if (join->row == NULL && (join->config->is_empty || evs_join_matches_nothing(join, side, extended, row))) {
            begin_lonely(join, side, extended, row);
            continue;
        }
        if (join->row == NULL) {
            begin_row(op, join, side, extended, row);
        }
        if (!find_pairs(op, join, side)) {
            return false;
        }
    }
    return true;
}

/* Arriving rows that were not kept: unmatched ones come now. */
static void settle_loose(struct join *join, uint32_t side)
{
    for (uint32_t i = 0; i < join->loose_count; i++) {
        struct evs_row *row = join->loose[i];
        if (join->config->sides[side].pads && evs_join_own(join, side, row, OWN_MARK) == MARK_UNMATCHED) {
            evs_join_add_ready(join, (struct ready_row){evs_join_alone_time(join, side, row), row, side, true, NULL});
        } else {
            evs_join_free(join, side, row);
        }
    }
    join->loose_count = 0;
}

/* Rows, then what is left of their pairs, then rows alone: EVS_MORE wherever the call's batches are used up. */
static evs_status work_off(struct evs_op *op, struct join *join, uint32_t side, const struct evs_batch *extended)
{
    if (!add_rows(op, join, side, extended)) {
        return EVS_MORE;
    }
    if (join->pair_count > 0) {
        if (join->emitted == EVS_JOIN_EMIT_BATCHES) {
            return EVS_MORE;
        }
        evs_join_flush(op, join, side);
    }
    if (evs_join_emit_ready(op, join) == EVS_MORE) { /* of a semi join, some of them loose */
        return EVS_MORE;
    }
    settle_loose(join, side);
    return evs_join_emit_ready(op, join);
}

static evs_status join_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct join *join = state;
    EVS_ASSERT(input <= RIGHT && batch->selected_count <= EVS_BATCH_ROWS);
    join->emitted = 0;
    if (join->is_restored) {
        evs_join_arm_restored(join);
    }
    if (!join->is_resumed) {
        begin_batch(op, join, batch, input);
    }
    struct evs_batch *extended = evs_join_extend(join, input, batch);
    evs_status status = work_off(op, join, input, extended);
    evs_batch_unref(extended);
    join->is_resumed = status == EVS_MORE;
    evs_join_tell_bytes(op, join);
    return status;
}

/* --- the watermark -------------------------------------------------------------------------------------------------------------------- */

/* Rows of a semi join whose earliest match is certain, all of one moment. False: none. */
static bool gather_decided(struct join *join, int64_t watermark_us)
{
    int64_t lateness_us = join->config->lateness_us, at_us = evs_timers_next(&join->decided);
    uint32_t first = join->ready_count;
    struct evs_timer due;
    if (join->decided.count == 0 || at_us > watermark_us) {
        return false;
    }
    while (evs_timers_pop(&join->decided, at_us, &due)) {
        struct evs_row *row = (struct evs_row *)(uintptr_t)due.payload;
        int64_t mark = evs_join_own(join, LEFT, row, OWN_MARK);
        if (mark != MARK_MATCHED && evs_time_plus(mark, lateness_us) == due.at_us) {
            evs_join_mark(join, LEFT, row, MARK_MATCHED);
            evs_join_add_ready(join, (struct ready_row){mark, row, LEFT, false, NULL});
        }
    }
    evs_join_sort_ready(join, first);
    return true;
}

/* The rows of a key that have ended: to the ready ones if that says something, or gone. */
static void end_rows(struct evs_op *op, struct join *join, uint32_t side, const struct evs_timer *due, bool is_told)
{
    struct join_entry *entry = evs_join_due_entry(join, side, due);
    if (entry == NULL) {
        return;
    }
    struct evs_row_list *list = &entry->rows[side];
    while (list->count > 0 && evs_join_due(join, side, evs_row_list_at(list, 0)) <= due->at_us) {
        struct evs_row *row = evs_row_list_pop(list, &join->pool);
        if (is_told && evs_join_own(join, side, row, OWN_MARK) == MARK_UNMATCHED) {
            evs_join_add_ready(join, (struct ready_row){evs_join_alone_time(join, side, row), row, side, true, NULL});
        } else {
            evs_join_free(join, side, row);
        }
    }
    evs_join_arm(join, side, entry);
    evs_join_drop_if_empty(op, join, entry);
}

static bool is_due(const struct join *join, uint32_t side, int64_t passed_us)
{
    return join->expiry[side].count > 0 && evs_timers_next(&join->expiry[side]) <= passed_us;
}

/* The event time that unmatched rows of the side would have whose end comes next. */
static int64_t next_time(const struct join *join, uint32_t side)
{
    const struct evs_join_config *config = join->config;
    int64_t due_us = evs_timers_next(&join->expiry[side]);
    int64_t reach_us = side == LEFT ? config->upper_us : evs_time_negative(config->lower_us);
    if (due_us == EVS_TIME_MAX) {
        return EVS_TIME_MAX;
    }
    int64_t last_us = due_us - config->lateness_us;
    return config->is_window || reach_us >= 0 ? last_us : last_us - reach_us;
}

/* At the end of the input rows end that waited for it, of any times: all of them are sorted at once. */
static bool gather_all(struct evs_op *op, struct join *join)
{
    uint32_t first = join->ready_count;
    struct evs_timer due;
    for (uint32_t side = LEFT; side <= RIGHT; side++) {
        while (join->config->sides[side].pads && evs_timers_pop(&join->expiry[side], EVS_TIME_MAX, &due)) {
            end_rows(op, join, side, &due, true);
        }
    }
    evs_join_sort_ready(join, first);
    return join->ready_count > first;
}

/* Unmatched rows of the next moment, of both sides. False: no row has ended. */
static bool gather_unmatched(struct evs_op *op, struct join *join, int64_t passed_us)
{
    int64_t time_us = EVS_TIME_MAX;
    bool is_any = false;
    uint32_t first = join->ready_count;
    struct evs_timer due;
    if (join->is_endless && passed_us == EVS_TIME_MAX) {
        return gather_all(op, join);
    }
    for (uint32_t side = LEFT; side <= RIGHT; side++) {
        if (join->config->sides[side].pads && is_due(join, side, passed_us)) {
            int64_t next_us = next_time(join, side);
            time_us = !is_any || next_us < time_us ? next_us : time_us;
            is_any = true;
        }
    }
    for (uint32_t side = LEFT; side <= RIGHT; side++) {
        while (join->config->sides[side].pads && is_due(join, side, passed_us) && next_time(join, side) == time_us &&
               evs_timers_pop(&join->expiry[side], passed_us, &due)) {
            end_rows(op, join, side, &due, true);
        }
    }
    evs_join_sort_ready(join, first);
    return is_any;
}

/* Rows that end and leave nothing: at a cut, all that are left. */
static void drop_ended(struct evs_op *op, struct join *join, int64_t passed_us)
{
    bool is_cut = evs_op_is_cut(op);
    struct evs_timer due;
    for (uint32_t side = LEFT; side <= RIGHT; side++) {
        while ((is_cut || !join->config->sides[side].pads) &&
               evs_timers_pop(&join->expiry[side], is_cut ? EVS_TIME_MAX : passed_us, &due)) {
            end_rows(op, join, side, &due, false);
        }
    }
}

static evs_status join_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct join *join = state;
    int64_t true_us = evs_op_is_cut(op) ? evs_op_watermark(op) : watermark_us; /* a cut leaves nobody unmatched */
    int64_t passed_us = evs_timers_passed(true_us);
    EVS_ASSERT(!join->is_resumed && join->pair_count == 0);
    join->emitted = 0;
    if (join->is_restored) {
        evs_join_arm_restored(join);
    }
    for (bool is_more = true; is_more;) {
        if (evs_join_emit_ready(op, join) == EVS_MORE) {
            return EVS_MORE;
        }
        is_more = false;
        while (join->ready_count < EVS_JOIN_EMIT_BATCHES * EVS_BATCH_ROWS &&
               (gather_decided(join, watermark_us) || gather_unmatched(op, join, passed_us))) {
            is_more = true;
        }
    }
    drop_ended(op, join, passed_us);
    evs_join_tell_bytes(op, join);
    return EVS_OK;
}

const struct evs_operator evs_op_join = {
    .kind = "join",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_SKIPS_NULL_KEYS | EVS_OP_HOLDS_WATERMARK,
    .snapshot_version = EVS_JOIN_SNAPSHOT_VERSION,
    .stored_rows = 1 << LEFT | 1 << RIGHT,
    .state_bytes = sizeof(struct join),
    .inputs_max = 2,
    .emit_max = EVS_JOIN_EMIT_BATCHES + 1, /* and late rows */
    .open = join_open,
    .process = join_process,
    .watermark = join_watermark,
    .snapshot = evs_join_snapshot,
    .restore = evs_join_restore,
    .close = join_close,
};
