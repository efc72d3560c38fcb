/* deduplicate by EXPR, … within INTERVAL [keep first | last].
 *
 * Algorithm. Decided on arrival, in the order in which rows come. A row is a duplicate when its key is remembered and |ts - kept ts| < INTERVAL. A row
 * that is none is kept: its key is remembered with its time until the watermark reaches max(kept ts, W at arrival) + INTERVAL. Duplicates do not extend
 * that. A key can have several kept times at once, INTERVAL or more apart (an event id that is used again after a while, with rows in between that
 * come out of order); each is remembered by itself, and a row is a duplicate if it is near to any of them.
 *
 *      W at arrival ──► the watermark of the row's partition before the row, or the operator's if that is larger: how the rows were cut into batches,
 *                       and when a watermark came along, does not show.
 *
 * keep first  passes the row that is kept, at once.
 * keep last   holds the kept row, replaces it by each duplicate that is later in the order of the key, and emits it at the moment at which the key is
 *             forgotten. That moment is its event time from then on: with its own it would be late for every window behind. The column that was the
 *             event time is still there, as a column.
 *
 * A row with NULL in its key passes: it is nobody's duplicate.
 * State: key_stamps.h; keep last adds the row. Order: as it came; keep last by event time, then by the order of the key.
 * Late rows: there are none. A row that comes after its key was forgotten passes again: that is what the interval says.
 * Update streams: revision by revision, which is what the key decides.
 * Rejected: a hash of 128 bits for the key (key_stamps.h), and a Bloom filter (it would lose events by design). */
#include "op_deduplicate.h"

#include "key_stamps.h"
#include "row_judge.h"

#define EMIT_BATCHES 4
#define SNAPSHOT_VERSION 1

struct deduplicate {
    const struct evs_deduplicate_config *config;
    struct evs_stamps stamps;
    struct evs_keeper keeper; /* keep last */
    struct evs_going going;   /* keep last: released, not yet emitted */
    uint16_t passing[EVS_BATCH_ROWS];
};

static evs_status deduplicate_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct deduplicate *deduplicate = state;
    const struct evs_deduplicate_config *config = deduplicate->config = evs_op_config(op);
    (void)error;
    EVS_ASSERT(config->within_us > 0);
    if (config->keep_last) {
        evs_keeper_init(&deduplicate->keeper, op);
    }
    evs_stamps_init(&deduplicate->stamps, op, config->keys, config->key_count,
                    config->keep_last ? &deduplicate->keeper : NULL);
    return EVS_OK;
}

static void deduplicate_close(struct evs_op *op, void *state)
{
    struct deduplicate *deduplicate = state;
    (void)op;
    evs_stamps_fini(&deduplicate->stamps);
    evs_going_fini(&deduplicate->going);
    evs_keeper_fini(&deduplicate->keeper);
}

static bool goes_before(const struct evs_stamp *a, const struct evs_stamp *b)
{
    return a->forget_us != b->forget_us ? a->forget_us < b->forget_us : a->at_us < b->at_us;
}

/* The stamp that makes the row a duplicate, or NULL; of several the one that is forgotten first. */
static struct evs_stamp *find_kept(struct deduplicate *deduplicate, struct evs_entry *entry, int64_t time_us,
                                   int64_t watermark_us)
{
    uint64_t within_us = (uint64_t)deduplicate->config->within_us;
    struct evs_stamp *stamp = NULL, *found = NULL;
    while ((stamp = evs_stamps_next(&deduplicate->stamps, entry, stamp)) != NULL) {
        bool is_near = stamp->forget_us > watermark_us && evs_time_distance(time_us, stamp->at_us) < within_us;
        found = is_near && (found == NULL || goes_before(stamp, found)) ? stamp : found;
    }
    return found;
}

/* keep last: the later row takes the place. */
static void replace(struct deduplicate *deduplicate, struct evs_stamp *stamp, uint32_t row)
{
    struct evs_keeper *keeper = &deduplicate->keeper;
    struct evs_row_order order = evs_row_order_of(&keeper->view, row), kept = evs_row_order(stamp->row);
    if (evs_row_order_compare(&order, &kept) > 0) {
        evs_row_free(&keeper->pool, stamp->row);
        stamp->row = evs_keeper_keep(keeper, row);
    }
}

/* True when the row passes at once. */
static bool decide(struct evs_op *op, struct deduplicate *deduplicate, const struct evs_batch *batch, uint32_t row,
                   uint64_t hash)
{
    const struct evs_deduplicate_config *config = deduplicate->config;
    struct evs_stamps *stamps = &deduplicate->stamps;
    int64_t time_us = batch->event_time_us[row], watermark_us = evs_row_watermark(op, batch, row);
    uint32_t index;
    struct evs_entry *entry = evs_stamps_of(stamps, op, batch, row, hash, config->keys, &index);
    struct evs_stamp *kept = find_kept(deduplicate, entry, time_us, watermark_us);
    if (kept == NULL) {
        int64_t from_us = time_us > watermark_us ? time_us : watermark_us;
        struct evs_stamp stamp = {.at_us = time_us, .forget_us = evs_time_plus(from_us, config->within_us), .count = 1};
        stamp.row = config->keep_last ? evs_keeper_keep(&deduplicate->keeper, row) : NULL;
        evs_stamps_add(stamps, entry, index, stamp);
        return !config->keep_last;
    }
    if (config->keep_last) {
        replace(deduplicate, kept, row);
        evs_stamps_mark(stamps, entry, index);
    }
    return false;
}

static evs_status deduplicate_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct deduplicate *deduplicate = state;
    const struct evs_deduplicate_config *config = deduplicate->config;
    uint32_t count = 0;
    EVS_ASSERT(input == 0 && deduplicate->going.count == 0);
    evs_stamps_begin(&deduplicate->stamps, batch, config->keys, config->key_count);
    if (config->keep_last) {
        evs_keeper_see(&deduplicate->keeper, batch);
    }
    EVS_FOR_ROWS(batch, position, row) {
        if (evs_row_has_null(batch, row, config->keys, config->key_count) ||
            decide(op, deduplicate, batch, row, deduplicate->stamps.hashes[position])) {
            deduplicate->passing[count++] = (uint16_t)row;
        }
    }
    if (count > 0) {
        evs_emit(op, 0, evs_rows_select(batch, deduplicate->passing, count));
    }
    evs_stamps_tell_bytes(&deduplicate->stamps, op);
    return EVS_OK;
}

static evs_status deduplicate_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct deduplicate *deduplicate = state;
    if (deduplicate->going.count == 0) { /* else the credit was used up before all were out */
        bool keep_last = deduplicate->config->keep_last;
        evs_stamps_forget(&deduplicate->stamps, op, watermark_us, keep_last ? &deduplicate->going : NULL);
        evs_going_sort(&deduplicate->going, &deduplicate->keeper);
    }
    evs_status status = evs_going_emit(op, &deduplicate->keeper, &deduplicate->going, EMIT_BATCHES);
    evs_stamps_tell_bytes(&deduplicate->stamps, op);
    return status;
}

static evs_status deduplicate_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct deduplicate *deduplicate = state;
    (void)op;
    EVS_ASSERT(deduplicate->going.count == 0);
    evs_stamps_snapshot(&deduplicate->stamps, writer, full);
    return EVS_OK;
}

static evs_status deduplicate_restore(struct evs_op *op, void *state, uint32_t version,
                                      const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct deduplicate *deduplicate = state;
    if (version != SNAPSHOT_VERSION) {
        return evs_fail(error, EVS_E_STATE, "The stored state of `deduplicate` has an unknown version (%u).", version);
    }
    return evs_stamps_restore(&deduplicate->stamps, op, record, error);
}

const struct evs_operator evs_op_deduplicate = {
    .kind = "deduplicate",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK | EVS_OP_ORDER_SENSITIVE | EVS_OP_ELASTIC,
    .snapshot_version = SNAPSHOT_VERSION,
    .state_bytes = sizeof(struct deduplicate),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .stored_key = EVS_STAMPS_STORED_KEY,
    .open = deduplicate_open,
    .process = deduplicate_process,
    .watermark = deduplicate_watermark,
    .snapshot = deduplicate_snapshot,
    .restore = deduplicate_restore,
    .close = deduplicate_close,
};
