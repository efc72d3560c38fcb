/* throttle N per (INTERVAL | day | week | month [time_zone => ZONE]) by EXPR, … [dropped into SINK]: a frequency cap.
 *
 * Algorithm. Decided on arrival, in the order in which rows come. A row passes if fewer than N rows of its key that have passed lie nearer than INTERVAL
 * to it in event time, on either side; by the calendar: lie in the same local day, week (from Monday) or month. So a cap of 1 per 24 hours never
 * lets two rows of a key through whose times are less than 24 hours apart, whatever the order in which they came.
 *
 * Late rows do not pass: a cap must not leak, and what a late row would be judged by may be forgotten already. A row is late when the watermark (of its
 * partition before the row, or the operator's if that is larger) is beyond its time; by the calendar, when it has reached the end of the row's period, for
 * until then all that has passed in it is known. Late rows are counted; like all others that do not pass they go to `dropped into`.
 *
 * State: key_stamps.h. A pass at time t is forgotten when the watermark reaches t + INTERVAL: no row that is in time can be near enough any more. By the
 * calendar a key has one stamp a period, with a count. Up to N times a key are kept.
 * A row with NULL in its key is left out, and counted: all anonymous visitors are not one giant user.
 * Order: as it came. Update streams: revision by revision. Cost: hash, probe, and one comparison for each pass of the key.
 * Rejected: the time of the wall clock (a replay would pass other rows), and a token bucket (it lets 2N through around a refill). */
#include "op_throttle.h"

#include "key_stamps.h"
#include "row_judge.h"

#define SNAPSHOT_VERSION 1

struct throttle {
    const struct evs_throttle_config *config;
    struct evs_stamps stamps;
    int64_t period_start_us, period_end_us; /* of the last row: most rows fall into it */
    uint16_t passing[EVS_BATCH_ROWS], dropped[EVS_BATCH_ROWS];
};

static evs_status throttle_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct throttle *throttle = state;
    const struct evs_throttle_config *config = throttle->config = evs_op_config(op);
    (void)error;
    EVS_ASSERT(config->limit > 0 && config->limit <= EVS_THROTTLE_LIMIT_MAX && config->interval_us >= 0);
    evs_stamps_init(&throttle->stamps, op, config->keys, config->key_count, NULL);
    return EVS_OK;
}

static void throttle_close(struct evs_op *op, void *state)
{
    struct throttle *throttle = state;
    (void)op;
    evs_stamps_fini(&throttle->stamps);
}

/* --- by interval ---------------------------------------------------------------------------------------------------------------- */

static bool passes_interval(struct throttle *throttle, struct evs_entry *entry, uint32_t index, int64_t time_us)
{
    const struct evs_throttle_config *config = throttle->config;
    struct evs_stamp *stamp = NULL, *same = NULL;
    uint32_t near = 0;
    while (near < config->limit && (stamp = evs_stamps_next(&throttle->stamps, entry, stamp)) != NULL) {
        near += evs_time_distance(time_us, stamp->at_us) < (uint64_t)config->interval_us ? stamp->count : 0;
        same = stamp->at_us == time_us ? stamp : same;
    }
    if (near >= config->limit) {
        return false;
    }
    if (same != NULL) { /* a stamp is known by its time: passes of one moment share it */
        same->count++;
        evs_stamps_mark(&throttle->stamps, entry, index);
        return true;
    }
    struct evs_stamp pass = {.at_us = time_us, .forget_us = evs_time_plus(time_us, config->interval_us), .count = 1};
    evs_stamps_add(&throttle->stamps, entry, index, pass);
    return true;
}

/* --- by the calendar -------------------------------------------------------------------------------------------------------------- */

static void find_period(struct throttle *throttle, int64_t time_us)
{
    if (time_us < throttle->period_start_us || time_us >= throttle->period_end_us) {
        const struct evs_throttle_config *config = throttle->config;
        throttle->period_start_us = evs_zone_floor(config->zone, &config->period, time_us);
        throttle->period_end_us = evs_zone_next(config->zone, &config->period, time_us);
    }
}

static bool passes_calendar(struct throttle *throttle, struct evs_entry *entry, uint32_t index)
{
    struct evs_stamp *stamp = NULL;
    while ((stamp = evs_stamps_next(&throttle->stamps, entry, stamp)) != NULL) {
        if (stamp->at_us != throttle->period_start_us) {
            continue;
        }
        if (stamp->count >= throttle->config->limit) {
            return false;
        }
        stamp->count++;
        evs_stamps_mark(&throttle->stamps, entry, index);
        return true;
    }
    struct evs_stamp first = {.at_us = throttle->period_start_us, .forget_us = throttle->period_end_us, .count = 1};
    evs_stamps_add(&throttle->stamps, entry, index, first);
    return true;
}

/* --- rows --------------------------------------------------------------------------------------------------------------------------- */

static bool is_late(struct evs_op *op, struct throttle *throttle, const struct evs_batch *batch, uint32_t row)
{
    int64_t time_us = batch->event_time_us[row], watermark_us = evs_row_watermark(op, batch, row);
    if (throttle->config->interval_us > 0) {
        return time_us < watermark_us;
    }
    find_period(throttle, time_us);
    return throttle->period_end_us <= watermark_us;
}

static bool passes(struct evs_op *op, struct throttle *throttle, const struct evs_batch *batch, uint32_t row,
                   uint64_t hash)
{
    const struct evs_throttle_config *config = throttle->config;
    if (is_late(op, throttle, batch, row)) {
        evs_op_count(op, EVS_COUNT_LATE, 1);
        return false;
    }
    uint32_t index;
    struct evs_entry *entry = evs_stamps_of(&throttle->stamps, op, batch, row, hash, config->keys, &index);
    return config->interval_us > 0 ? passes_interval(throttle, entry, index, batch->event_time_us[row])
                                   : passes_calendar(throttle, entry, index);
}

static evs_status throttle_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct throttle *throttle = state;
    const struct evs_throttle_config *config = throttle->config;
    uint32_t passing = 0, dropped = 0;
    EVS_ASSERT(input == 0);
    evs_stamps_begin(&throttle->stamps, batch, config->keys, config->key_count);
    EVS_FOR_ROWS(batch, position, row) {
        if (evs_row_has_null(batch, row, config->keys, config->key_count)) {
            evs_op_count(op, EVS_COUNT_NULL_KEY, 1);
        } else if (passes(op, throttle, batch, row, throttle->stamps.hashes[position])) {
            throttle->passing[passing++] = (uint16_t)row;
        } else {
            throttle->dropped[dropped++] = (uint16_t)row;
        }
    }
    if (dropped > 0 && config->dropped_output) {
        evs_emit(op, 1, evs_rows_select(batch, throttle->dropped, dropped));
    }
    if (passing > 0) {
        evs_emit(op, 0, evs_rows_select(batch, throttle->passing, passing));
    }
    evs_stamps_tell_bytes(&throttle->stamps, op);
    return EVS_OK;
}

static evs_status throttle_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct throttle *throttle = state;
    evs_stamps_forget(&throttle->stamps, op, watermark_us, NULL);
    evs_stamps_tell_bytes(&throttle->stamps, op);
    return EVS_OK;
}

static evs_status throttle_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct throttle *throttle = state;
    (void)op;
    evs_stamps_snapshot(&throttle->stamps, writer, full);
    return EVS_OK;
}

static evs_status throttle_restore(struct evs_op *op, void *state, uint32_t version,
                                   const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct throttle *throttle = state;
    if (version != SNAPSHOT_VERSION) {
        return evs_fail(error, EVS_E_STATE, "The stored state of `throttle` has an unknown version (%u).", version);
    }
    return evs_stamps_restore(&throttle->stamps, op, record, error);
}

const struct evs_operator evs_op_throttle = {
    .kind = "throttle",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_SKIPS_NULL_KEYS | EVS_OP_ORDER_SENSITIVE,
    .snapshot_version = SNAPSHOT_VERSION,
    .state_bytes = sizeof(struct throttle),
    .inputs_max = 1,
    .emit_max = 2,
    .stored_key = EVS_STAMPS_STORED_KEY,
    .open = throttle_open,
    .process = throttle_process,
    .watermark = throttle_watermark,
    .snapshot = throttle_snapshot,
    .restore = throttle_restore,
    .close = throttle_close,
};
