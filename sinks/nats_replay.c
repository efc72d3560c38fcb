#include "nats_replay.h"

#include <inttypes.h>

#define RESCAN (UINT64_C(1) << 20) /* messages that are read back when nobody knows where the stream was cut */

static void tell_loss(const struct evs_nats_replay *replay, const struct evs_nats_replay_log *log,
                      enum evs_nats_receipt verdict, const struct evs_sink_receipt *receipt)
{
    if (verdict == EVS_NATS_RECEIPT_OTHER_STREAM) {
        evs_log(replay->log, EVS_LOG_WARN, "nats_sink_lost",
                "Sink %s: stream %s was deleted and made again; what it held is gone.", replay->sink, log->name);
    } else {
        evs_log(replay->log, EVS_LOG_WARN, "nats_sink_lost",
                "Sink %s: stream %s has lost its newest messages: it had acknowledged sequence %" PRIu64
                ", and ends at %" PRIu64 " now or uses numbers again.",
                replay->sink, log->name, receipt->sequence, log->info->last_sequence);
    }
}

/* The kept messages of one lane end before this one. */
static uint32_t end_of_lane(const struct evs_sink_open *open, uint32_t first)
{
    uint32_t end = first;
    while (end < open->kept_count && open->kept[end].lane == open->kept[first].lane) {
        end++;
    }
    return end;
}

static evs_status check_kept(const struct evs_nats_replay_log *log, const struct evs_sink_kept *kept,
                             enum evs_nats_receipt *verdict, struct evs_error *error)
{
    return evs_nats_kept_check(log->asker, log->prefix, log->name, log->info, kept, verdict, error);
}

/* The lane's first message that does not lie where it was acknowledged; `end`: all of them do. */
static evs_status find_lost(const struct evs_sink_open *open, const struct evs_nats_replay_log *log, uint32_t first,
                            uint32_t end, uint32_t *lost, struct evs_error *error)
{
    uint32_t low = first, high = end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        enum evs_nats_receipt verdict;
        evs_status status = check_kept(log, &open->kept[middle], &verdict, error);
        if (status != EVS_OK) {
            return status;
        }
        if (verdict == EVS_NATS_RECEIPT_FITS) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *lost = low;
    return EVS_OK;
}

/* The stream is cut below the lowest message of any lane that is not where it was acknowledged. Each lane is asked alone: it notices a cut by itself, and those that had noticed
 * it before the engine ended have places above it that are right, among the places of others that are wrong. What is there and above is found when the stream is read. */
static evs_status find_cut(const struct evs_sink_open *open, const struct evs_nats_replay_log *log, uint64_t *holds,
                           struct evs_error *error)
{
    uint64_t cut = UINT64_MAX;
    for (uint32_t first = 0, end; first < open->kept_count; first = end) {
        uint32_t lost;
        end = end_of_lane(open, first);
        evs_status status = find_lost(open, log, first, end, &lost, error);
        if (status != EVS_OK) {
            return status;
        }
        cut = lost < end && open->kept[lost].place < cut ? open->kept[lost].place : cut;
    }
    *holds = 0;
    for (uint32_t i = 0; i < open->kept_count; i++) {
        uint64_t place = open->kept[i].place;
        *holds = place < cut && place > *holds ? place : *holds;
    }
    return EVS_OK;
}

static bool is_of_other_stream(const struct evs_sink_open *open, const struct evs_nats_replay_log *log)
{
    for (uint32_t i = 0; i < open->receipt_count; i++) {
        if (open->receipts[i].is_known && open->receipts[i].log_created_us != log->info->created_us) {
            return true;
        }
    }
    return false;
}

/* Every lane's receipt, and the newest of what each one keeps: of a receipt the id is not always known. */
static evs_status judge(const struct evs_sink_open *open, const struct evs_nats_replay_log *log,
                        enum evs_nats_receipt *verdict, struct evs_error *error)
{
    evs_status status = EVS_OK;
    *verdict = is_of_other_stream(open, log) ? EVS_NATS_RECEIPT_OTHER_STREAM : EVS_NATS_RECEIPT_FITS;
    for (uint32_t i = 0; i < open->receipt_count && status == EVS_OK && *verdict == EVS_NATS_RECEIPT_FITS; i++) {
        if (open->receipts[i].is_known) {
            status = evs_nats_receipt_check(log->asker, log->prefix, log->name, log->info, &open->receipts[i], verdict,
                                            error);
        }
    }
    for (uint32_t first = 0, end; first < open->kept_count && status == EVS_OK && *verdict == EVS_NATS_RECEIPT_FITS;
         first = end) {
        end = end_of_lane(open, first);
        status = check_kept(log, &open->kept[end - 1], verdict, error);
    }
    return status;
}

/* The floor goes back to the cut, or, where nothing that is kept tells where that is, far. */
static evs_status go_back(const struct evs_sink_open *open, const struct evs_nats_replay_log *log, bool is_other,
                          uint64_t *floor, struct evs_error *error)
{
    uint64_t last = log->info->last_sequence, back = last < RESCAN ? 0 : last - RESCAN, holds = 0;
    evs_status status = is_other ? EVS_OK : find_cut(open, log, &holds, error);
    back = is_other ? 0 : holds > 0 ? holds : back;
    *floor = back < *floor ? back : *floor;
    if (status == EVS_OK && open->holds != NULL) {
        *open->holds = holds;
    }
    return status;
}

/* Where to read from: above the lowest floor of the receipts, further back when the stream is not the one that they tell of. */
static evs_status floor_of(struct evs_nats_replay *replay, const struct evs_sink_open *open,
                           const struct evs_nats_replay_log *log, uint64_t *floor, struct evs_error *error)
{
    const struct evs_sink_receipt *newest = NULL;
    enum evs_nats_receipt verdict;
    *floor = open->replay == EVS_REPLAY_ALL ? 0 : UINT64_MAX;
    for (uint32_t i = 0; i < open->receipt_count; i++) {
        const struct evs_sink_receipt *receipt = &open->receipts[i];
        if (receipt->is_known) {
            *floor = receipt->floor < *floor ? receipt->floor : *floor;
            newest = newest == NULL || receipt->sequence > newest->sequence ? receipt : newest;
        }
    }
    if (newest == NULL) {
        return EVS_OK;
    }
    evs_status status = judge(open, log, &verdict, error);
    if (status == EVS_OK && verdict != EVS_NATS_RECEIPT_FITS) {
        tell_loss(replay, log, verdict, newest);
        status = go_back(open, log, verdict == EVS_NATS_RECEIPT_OTHER_STREAM, floor, error);
        replay->own = open->holds == NULL || *open->holds == UINT64_MAX ? replay->own : 0;
    }
    return status;
}

static evs_status read_back(struct evs_nats_replay *replay, const struct evs_sink_open *open,
                            const struct evs_nats_replay_log *log, struct evs_error *error)
{
    uint64_t floor = 0;
    evs_status status = floor_of(replay, open, log, &floor, error);
    replay->seen = evs_nats_seen_new(floor, open->holds == NULL ? UINT64_MAX : *open->holds);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_nats_seen_read read = {
        log->asker, log->prefix, log->name, log->pattern, open->group, floor, log->info->last_sequence};
    return evs_nats_seen_read(&read, replay->seen, error);
}

static void tell(const struct evs_nats_replay *replay, const struct evs_nats_replay_log *log, evs_status status,
                 const struct evs_error *error)
{
    uint32_t count = evs_nats_seen_left(replay->seen);
    if (status == EVS_E_LIMIT) {
        evs_log(
            replay->log, EVS_LOG_WARN, "nats_seen",
            "Sink %s: stream %s holds more than %u triggers since the last checkpoint; those behind are left to its "
            "duplicate window.",
            replay->sink, log->name, EVS_NATS_SEEN_MAX);
    } else if (status != EVS_OK) {
        evs_log(replay->log, EVS_LOG_WARN, "nats_seen",
                "Sink %s: stream %s cannot be read back (%s); what is derived again is left to its duplicate window.",
                replay->sink, log->name, error->text);
    } else if (count > 0) {
        evs_log(replay->log, EVS_LOG_INFO, "nats_seen",
                "Sink %s: stream %s holds %u triggers since the last checkpoint; they are not sent again.",
                replay->sink, log->name, count);
    }
}

/* What was read back may be lost as well, before its rows are derived again: on a new connection the newest of it is asked for. */
static void vouch_for_seen(struct evs_nats_replay *replay)
{
    uint32_t fingerprint;
    uint64_t newest = evs_nats_seen_newest(replay->seen, &fingerprint);
    if (newest > replay->own) {
        replay->own = newest;
        replay->own_fingerprint = fingerprint;
    }
}

evs_status evs_nats_replay_open(struct evs_nats_replay *replay, const struct evs_sink_open *open,
                                const struct evs_nats_replay_log *log, struct evs_error *error)
{
    *replay = (struct evs_nats_replay){
        .log = open->log, .sink = open->name, .top = log->info->last_sequence, .created_us = log->info->created_us};
    replay->has_orphans = open->replay != EVS_REPLAY_CUT;
    for (uint32_t i = 0; i < open->kept_count; i++) {
        const struct evs_sink_kept *kept = &open->kept[i];
        if (kept->place > replay->own) {
            replay->own = kept->place;
            replay->own_fingerprint = evs_nats_id_fingerprint(kept->id);
        }
    }
    if (open->shared == NULL || open->replay == EVS_REPLAY_NOTHING) {
        return EVS_OK;
    }
    if (*open->shared != NULL) {
        replay->seen = evs_nats_seen_ref(*open->shared);
        bool was_cut = evs_nats_seen_holds(replay->seen) != UINT64_MAX;
        replay->own = was_cut ? 0 : replay->own;
        if (open->holds != NULL) {
            *open->holds = evs_nats_seen_holds(replay->seen);
        }
        vouch_for_seen(replay);
        return EVS_OK;
    }
    evs_status status = read_back(replay, open, log, error);
    *open->shared = replay->seen;
    vouch_for_seen(replay);
    tell(replay, log, status, error);
    return status == EVS_E_UNREACHABLE && open->kept_count > 0 ? status : EVS_OK;
}

bool evs_nats_replay_has(struct evs_nats_replay *replay, struct evs_hash128 id, int64_t now_us, uint64_t *floor,
                         uint64_t *sequence)
{
    if (replay->seen == NULL || !evs_nats_seen_take(replay->seen, id, now_us, sequence)) {
        return false;
    }
    *floor = evs_nats_seen_floor(replay->seen);
    replay->found++;
    return true;
}

void evs_nats_replay_stored(struct evs_nats_replay *replay, uint64_t sequence, struct evs_slice headers)
{
    struct evs_hash128 id;
    if (sequence > replay->top) {
        replay->top = sequence;
        replay->top_fingerprint = evs_nats_seen_id(headers, &id) ? evs_nats_id_fingerprint(id) : 0;
        replay->own = sequence;
        replay->own_fingerprint = replay->top_fingerprint;
    }
}

void evs_nats_replay_ends(struct evs_nats_replay *replay, const struct evs_nats_stream_info *info)
{
    if (info->created_us == replay->created_us && info->last_sequence > replay->top) {
        replay->top = info->last_sequence;
        replay->top_fingerprint = 0;
    }
}

void evs_nats_replay_tend(struct evs_nats_replay *replay, int64_t now_us)
{
    uint32_t orphans = replay->seen == NULL ? 0 : evs_nats_seen_give_up(replay->seen, now_us);
    if (orphans > 0 && replay->has_orphans) {
        replay->orphans += orphans;
        evs_log(replay->log, EVS_LOG_WARN, "triggers_orphaned",
                "Sink %s: %u triggers of an earlier run are in the stream, and were not derived again.", replay->sink,
                orphans);
    }
}

void evs_nats_replay_receipt(const struct evs_nats_replay *replay, uint64_t lowest, struct evs_sink_receipt *receipt)
{
    uint64_t floor = lowest < replay->top ? lowest : replay->top;
    if (replay->seen != NULL && evs_nats_seen_left(replay->seen) > 0 && evs_nats_seen_floor(replay->seen) < floor) {
        floor = evs_nats_seen_floor(replay->seen);
    }
    *receipt = (struct evs_sink_receipt){true, floor, replay->top, replay->top_fingerprint, replay->created_us};
}

void evs_nats_replay_close(struct evs_nats_replay *replay)
{
    uint32_t left;
    if (evs_nats_seen_unref(replay->seen, &left) && left > 0 && replay->has_orphans) {
        evs_log(replay->log, EVS_LOG_INFO, "nats_seen",
                "Sink %s: %u triggers of an earlier run were not derived again in this one.", replay->sink, left);
    }
}
