/* join with a table kept from a stream.
 *
 * Algorithm. The state is a stream join's (op_join_state.h): for each key the rows that wait, and the versions, both in the order of the key. A row waits until the
 * watermark has passed its time: then no version of that time or before can come any more, and it leaves with the latest one at or before it.
 *
 *      versions  ──v1────────────v2──────────v3──►
 *      rows      ───────●────────────●─●─────────►        each looks back to the nearest version
 *                       v1          v2 v2
 *
 * A version with NULL in all columns beside the key says that the key has no row from then on. Versions older than the one that counts at the watermark are
 * dropped when the next one comes; with `retain`, a version counts no longer than that, and goes.
 *
 * Late rows of either side are left out and counted: the rows that a late version would have changed may have left.
 * Order: rows leave by event time, then by the order of the key; each goes on as itself, with its own cause and identity.
 * A row whose key has a NULL meets no version; it leaves at once.
 * Recovery: as a join's; a row that had left at the commit's watermark is not restored, and a version that was dropped and comes back changes nothing. */
#include "op_version_join.h"

#include "evstream/keys.h"
#include "op_join_state.h"
#include "row_judge.h"

void evs_version_bounds(struct evs_version_join_config *config, int64_t retain_us)
{
    EVS_ASSERT(retain_us == -1 || retain_us > 0);
    config->join.result = EVS_JOIN_GIVES_VERSION;
    config->join.upper_us = 0; /* a row waits for versions up to its own time */
    config->join.lower_us = retain_us < 0 ? EVS_JOIN_UNBOUNDED_LOWER : -(retain_us - 1);
}

static evs_status version_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct join *join = state;
    const struct evs_version_join_config *config = evs_op_config(op);
    (void)error;
    evs_join_begin(join, op, &config->join);
    return EVS_OK;
}

static void version_close(struct evs_op *op, void *state)
{
    (void)op;
    evs_join_state_fini(state);
}

/* --- rows and versions ------------------------------------------------------------------------------------------------------------ */

/* The version that counts at a time; NULL: none, or the key is deleted. */
static struct evs_row *version_at(const struct join *join, const struct evs_row_list *versions, int64_t time_us)
{
    uint32_t behind = time_us == EVS_TIME_MAX ? versions->count : evs_row_list_lower(versions, time_us + 1);
    struct evs_row *version = behind == 0 ? NULL : evs_row_list_at(versions, behind - 1);
    bool counts = version != NULL && evs_join_due(join, RIGHT, version) >= time_us &&
                  evs_join_own(join, RIGHT, version, OWN_MARK) == MARK_UNMATCHED;
    return counts ? version : NULL;
}

/* Rows that are still to come are not older than the watermark: of the versions up to it the last one is enough. */
static void drop_older(struct evs_op *op, struct join *join, struct evs_row_list *versions)
{
    int64_t watermark_us = evs_op_watermark(op);
    uint32_t behind = watermark_us == EVS_TIME_MAX ? versions->count : evs_row_list_lower(versions, watermark_us + 1);
    for (; behind > 1; behind--) {
        evs_join_free(join, RIGHT, evs_row_list_pop(versions, &join->pool));
    }
}

static bool deletes(const struct evs_version_join_config *config, const struct evs_batch *batch, uint32_t row)
{
    for (uint32_t i = 0; i < config->value_count; i++) {
        if (evs_column_is_valid(&batch->columns[config->values[i]], row)) {
            return false;
        }
    }
    return config->value_count > 0;
}

static void take_lonely(struct evs_op *op, struct join *join, uint32_t side, const struct evs_batch *extended,
                        uint32_t row, uint64_t hash)
{
    if (side == RIGHT) {
        evs_op_count(op, EVS_COUNT_NULL_KEY, 1);
    } else if (join->config->sides[LEFT].pads) {
        struct evs_row *kept = evs_join_keep(join, LEFT, extended, row, hash);
        evs_join_add_ready(join, (struct ready_row){.time_us = kept->event_time_us, .row = kept, .is_gone = true});
    }
}

static void take_row(struct evs_op *op, struct join *join, uint32_t side, const struct evs_batch *extended,
                     uint32_t row, uint64_t hash)
{
    const struct evs_version_join_config *config = evs_op_config(op);
    uint32_t index;
    bool is_new;
    struct evs_entry *stored =
        evs_table_find_or_add(&join->table, hash, extended, row, join->config->sides[side].columns, &index, &is_new);
    struct join_entry *entry = is_new ? evs_join_begin_entry(op, join, stored, index) : evs_join_entry(join, stored);
    struct evs_row *kept = evs_join_keep(join, side, extended, row, hash);
    if (side == RIGHT && deletes(config, extended, row)) {
        evs_join_set_own(join, RIGHT, kept, OWN_MARK, MARK_MATCHED);
    }
    evs_join_insert(join, side, entry, kept);
    evs_join_changed(join, side, kept);
    if (side == RIGHT) {
        drop_older(op, join, &entry->rows[RIGHT]);
        evs_join_arm(join, RIGHT, entry);
    }
}

static void take_rows(struct evs_op *op, struct join *join, uint32_t side, struct evs_batch *batch)
{
    const struct evs_join_side *about = &join->config->sides[side];
    bool judges = batch->watermark_us != NULL || batch->min_time_us < evs_op_watermark(op);
    struct evs_batch *extended = evs_join_extend(join, side, batch);
    evs_key_hash_rows(batch, about->columns, about->key_count, join->hashes);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        evs_table_prefetch_slot(&join->table, join->hashes[i]);
    }
    EVS_FOR_ROWS(batch, position, row) {
        if (judges && batch->event_time_us[row] < evs_row_watermark(op, batch, row)) {
            evs_op_count(op, EVS_COUNT_LATE, 1);
        } else if (evs_join_matches_nothing(join, side, batch, row)) {
            take_lonely(op, join, side, extended, row, join->hashes[position]);
        } else {
            take_row(op, join, side, extended, row, join->hashes[position]);
        }
    }
    evs_batch_unref(extended);
}

static evs_status version_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct join *join = state;
    EVS_ASSERT(input <= RIGHT && batch->selected_count <= EVS_BATCH_ROWS);
    join->emitted = 0;
    if (!join->is_resumed) {
        take_rows(op, join, input, batch);
    }
    evs_status status = evs_join_emit_ready(op, join);
    join->is_resumed = status == EVS_MORE;
    evs_join_tell_bytes(op, join);
    return status;
}

/* --- the watermark ------------------------------------------------------------------------------------------------------------------- */

/* The rows of a key that have waited long enough. */
static void release(struct evs_op *op, struct join *join, const struct evs_timer *due)
{
    struct join_entry *entry = evs_join_due_entry(join, LEFT, due);
    if (entry == NULL) {
        return;
    }
    struct evs_row_list *list = &entry->rows[LEFT];
    while (list->count > 0 && evs_row_list_at(list, 0)->event_time_us <= due->at_us) {
        struct evs_row *row = evs_row_list_pop(list, &join->pool);
        struct evs_row *version = version_at(join, &entry->rows[RIGHT], row->event_time_us);
        if (version != NULL || join->config->sides[LEFT].pads) {
            evs_join_add_ready(join, (struct ready_row){row->event_time_us, row, LEFT, true, version});
        } else {
            evs_join_free(join, LEFT, row);
        }
    }
    evs_join_arm(join, LEFT, entry);
    evs_join_drop_if_empty(op, join, entry);
}

/* The rows of the next moment. False: no row's time has been passed. */
static bool gather(struct evs_op *op, struct join *join, int64_t passed_us)
{
    uint32_t first = join->ready_count;
    int64_t at_us = evs_timers_next(&join->expiry[LEFT]);
    struct evs_timer due;
    if (join->expiry[LEFT].count == 0 || at_us > passed_us) {
        return false;
    }
    while (evs_timers_pop(&join->expiry[LEFT], at_us, &due)) {
        release(op, join, &due);
    }
    evs_join_sort_ready(join, first);
    return true;
}

static void expire(struct evs_op *op, struct join *join, int64_t passed_us)
{
    struct evs_timer due;
    while (evs_timers_pop(&join->expiry[RIGHT], passed_us, &due)) {
        struct join_entry *entry = evs_join_due_entry(join, RIGHT, &due);
        struct evs_row_list *list = entry != NULL ? &entry->rows[RIGHT] : NULL;
        while (list != NULL && list->count > 0 && evs_join_due(join, RIGHT, evs_row_list_at(list, 0)) <= due.at_us) {
            evs_join_free(join, RIGHT, evs_row_list_pop(list, &join->pool));
        }
        if (entry != NULL) {
            evs_join_arm(join, RIGHT, entry);
            evs_join_drop_if_empty(op, join, entry);
        }
    }
}

static evs_status version_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct join *join = state;
    int64_t passed_us = evs_timers_passed(watermark_us);
    join->emitted = 0;
    for (bool is_more = true; is_more;) {
        if (evs_join_emit_ready(op, join) == EVS_MORE) {
            return EVS_MORE;
        }
        is_more = false;
        while (join->ready_count < EVS_JOIN_EMIT_BATCHES * EVS_BATCH_ROWS && gather(op, join, passed_us)) {
            is_more = true;
        }
    }
    expire(op, join, passed_us);
    evs_join_tell_bytes(op, join);
    return EVS_OK;
}

const struct evs_operator evs_op_version_join = {
    .kind = "version_join",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_SKIPS_NULL_KEYS | EVS_OP_HOLDS_WATERMARK,
    .snapshot_version = EVS_JOIN_SNAPSHOT_VERSION,
    .stored_rows = 1 << LEFT | 1 << RIGHT,
    .state_bytes = sizeof(struct join),
    .inputs_max = 2,
    .emit_max = EVS_JOIN_EMIT_BATCHES,
    .open = version_open,
    .process = version_process,
    .watermark = version_watermark,
    .snapshot = evs_join_snapshot,
    .restore = evs_join_restore,
    .close = version_close,
};
