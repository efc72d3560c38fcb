#include "nats_settle.h"

#include <inttypes.h>
#include <stdio.h>

#include "nats_json.h"

struct settling {
    struct evs_nats_shared *shared;
    struct evs_nats_asker *asker;
    const struct evs_source_open *open;
    struct evs_nats_stream_info *info;
    struct evs_nats_settled *settled;
    const struct evs_position **newest; /* [partitions] NULL: it has none */
    bool *is_settled;                   /* [partitions] */
    bool is_recognised;                 /* some partition's newest message is there */
    bool was_absent;                    /* in the last check: not one message that was asked for is another one */
    struct lost *lost;                  /* [partitions] of this worker's */
};

/* What a partition had read and the log has lost. */
struct lost {
    uint64_t count, first, last; /* sequences */
};

static bool is_blank(const struct evs_position *position)
{
    return position->time_us == 0 && position->fingerprint == 0;
}

static bool is_ours(const struct settling *settling, uint32_t partition)
{
    return partition % settling->open->worker_count == settling->open->worker;
}

/* --- one partition ---------------------------------------------------------------------------------------------------- */

/* EVS_AGAIN: the stream has no such message. */
static evs_status ask_stored(struct settling *settling, uint64_t sequence, struct evs_nats_mark *stored,
                             struct evs_error *error)
{
    struct evs_nats_shared *shared = settling->shared;
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    char subject[300], body[64];
    snprintf(subject, sizeof subject, "%s.STREAM.MSG.GET.%s", shared->prefix, shared->stream);
    int count = snprintf(body, sizeof body, "{\"seq\":%" PRIu64 "}", sequence);
    evs_status status =
        evs_nats_request(settling->asker, subject, (struct evs_slice){body, (size_t)count}, &answer, error);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        return failure.number == EVS_NATS_E_NO_MESSAGE
                   ? EVS_AGAIN
                   : evs_fail(error, EVS_E_UNREACHABLE,
                              "Source %s: message %" PRIu64 " of stream %s cannot be asked for: %s.", shared->source,
                              sequence, shared->stream, failure.text);
    }
    return evs_nats_api_stored(answer.payload, &shared->scratch, stored)
               ? EVS_OK
               : evs_fail(error, EVS_E_UNREACHABLE,
                          "Source %s: the server's answer about message %" PRIu64 " of stream %s is not understood.",
                          shared->source, sequence, shared->stream);
}

static evs_status run_check(struct settling *settling, const struct evs_nats_history *history,
                            struct evs_nats_check *check, struct evs_error *error)
{
    const struct evs_nats_stream_info *info = settling->info;
    uint64_t sequence;
    evs_status status =
        evs_nats_check_begin(check, history, info->first_sequence, info->first_us, info->last_sequence, &sequence);
    settling->was_absent = status == EVS_MORE;
    while (status == EVS_MORE) {
        struct evs_nats_mark stored;
        evs_status asked = ask_stored(settling, sequence, &stored, error);
        if (asked != EVS_OK && asked != EVS_AGAIN) {
            return asked;
        }
        settling->was_absent = settling->was_absent && asked == EVS_AGAIN;
        status = evs_nats_check_answer(check, asked == EVS_OK ? &stored : NULL, &sequence);
    }
    return EVS_OK;
}

/* A log that seems to be another one is looked at until its first message is the same before and behind the look: its limits may have removed in between
 * what was asked for, and that is a gap. */
static evs_status run_check_twice(struct settling *settling, const struct evs_nats_history *history,
                                  struct evs_nats_check *check, struct evs_error *error)
{
    for (;;) {
        uint64_t first = settling->info->first_sequence;
        evs_status status = run_check(settling, history, check, error);
        if (status != EVS_OK || check->verdict == EVS_NATS_SAME) {
            return status;
        }
        status = evs_nats_find_stream(settling->asker, settling->shared->prefix, settling->shared->stream,
                                      settling->info, error);
        if (status == EVS_AGAIN) {
            return evs_fail(error, EVS_E_REFUSED, "Source %s: stream %s does not exist any more.",
                            settling->shared->source, settling->shared->stream);
        }
        if (status != EVS_OK || settling->info->first_sequence == first) {
            return status;
        }
    }
}

static void count_lost(struct settling *settling, const struct evs_nats_history *history, uint32_t own,
                       uint32_t partition)
{
    struct lost lost = {.last = settling->newest[partition]->sequence};
    for (uint32_t i = history->count - own; i < history->count; i++) {
        const struct evs_nats_mark *mark = evs_nats_history_at(history, i);
        if (mark->sequence > settling->settled->common[partition] && (mark->time_us != 0 || mark->fingerprint != 0)) {
            lost.first = lost.count == 0 ? mark->sequence : lost.first;
            lost.count++;
        }
    }
    if (is_ours(settling, partition)) {
        settling->lost[partition] = lost;
    }
}

/* Nothing that was asked for is there. That is no other log, only one of which messages were erased, when it knows another partition's. */
static bool was_erased(const struct settling *settling, uint32_t partition)
{
    return settling->was_absent && settling->is_recognised &&
           settling->newest[partition]->sequence <= settling->info->last_sequence;
}

static evs_status settle_unknown(struct settling *settling, uint32_t partition, struct evs_error *error)
{
    return evs_fail(error, EVS_E_STATE,
                    "Source %s: the position (sequence %" PRIu64
                    ") does not belong to stream %s, which ends at %" PRIu64
                    " and holds none of the messages that were read last. It lost more than is remembered, or was "
                    "replaced by a copy. "
                    "Restore the stream, or give the pipeline another name (`pipeline NAME;`) to begin anew.",
                    settling->shared->source, settling->newest[partition]->sequence, settling->shared->stream,
                    settling->info->last_sequence);
}

/* The newest message alone tells nearly always; what the partition had read before is looked through only if it does not. */
static evs_status settle_partition(struct settling *settling, uint32_t partition, struct evs_error *error)
{
    const struct evs_position *newest = settling->newest[partition];
    struct evs_nats_history history = {0};
    struct evs_nats_check check = {0};
    settling->is_settled[partition] = true;
    if (newest == NULL) {
        return EVS_OK;
    }
    (void)evs_nats_history_of(&history, newest, 1, partition);
    evs_status status = run_check(settling, &history, &check, error);
    bool is_same = status == EVS_OK && check.verdict == EVS_NATS_SAME;
    settling->is_recognised = settling->is_recognised || (is_same && !is_blank(newest));
    evs_nats_history_fini(&history);
    if (status != EVS_OK || is_same) {
        return status;
    }
    uint32_t own = evs_nats_history_of(&history, settling->open->positions, settling->open->position_count, partition);
    status = run_check_twice(settling, &history, &check, error);
    if (status == EVS_OK && check.verdict == EVS_NATS_FORK) {
        settling->settled->common[partition] = check.fork;
        count_lost(settling, &history, own, partition);
    } else if (status == EVS_OK && check.verdict == EVS_NATS_UNKNOWN && !was_erased(settling, partition)) {
        status = settle_unknown(settling, partition, error);
    }
    evs_nats_history_fini(&history);
    return status;
}

/* --- how far all were read together -------------------------------------------------------------------------------------- */

/* The partition that says most beyond `together`; partitions: none. */
static uint32_t find_claim(const struct settling *settling, const bool *is_used)
{
    uint32_t best = settling->shared->partitions;
    uint64_t most = settling->settled->together;
    for (uint32_t p = 0; p < settling->shared->partitions; p++) {
        const struct evs_position *newest = settling->newest[p];
        if (newest != NULL && !is_used[p] && newest->byte_offset > most) {
            most = newest->byte_offset;
            best = p;
        }
    }
    return best;
}

/* Whose message is the newest before the claimed place: it tells whether the log is still the one in which all were read up to there. */
static uint32_t find_speaker(const struct settling *settling, uint32_t claimant)
{
    uint64_t claimed = settling->newest[claimant]->byte_offset;
    uint32_t best = claimant;
    for (uint32_t p = 0; p < settling->shared->partitions; p++) {
        const struct evs_position *newest = settling->newest[p];
        bool is_before = newest != NULL && !is_blank(newest) && newest->sequence <= claimed;
        best = is_before && newest->sequence > settling->newest[best]->sequence ? p : best;
    }
    return best;
}

static void take_claim(struct settling *settling, uint32_t claimant, uint32_t partition)
{
    struct evs_nats_settled *settled = settling->settled;
    uint64_t common = settled->common[partition], together = settling->newest[claimant]->byte_offset;
    together = together < common ? together : common;
    together = together < settled->common[claimant] ? together : settled->common[claimant];
    if (together <= settled->together) {
        return;
    }
    settled->together = together;
    settled->witness = (struct evs_nats_mark){0};
    for (uint32_t i = 0; i < settling->open->position_count; i++) {
        const struct evs_position *at = &settling->open->positions[i];
        if (at->partition == partition && at->sequence <= together && !is_blank(at) && at->sequence > 0) {
            settled->witness = (struct evs_nats_mark){at->sequence, at->time_us, at->fingerprint};
        }
    }
}

static evs_status settle_together(struct settling *settling, struct evs_error *error)
{
    uint32_t partitions = settling->shared->partitions;
    bool *is_used = evs_alloc_zero(partitions * sizeof *is_used);
    evs_status status = EVS_OK;
    for (uint32_t p; status == EVS_OK && (p = find_claim(settling, is_used)) < partitions;) {
        is_used[p] = true;
        uint32_t speaker = find_speaker(settling, p);
        status = settling->is_settled[p] ? EVS_OK : settle_partition(settling, p, error);
        if (status == EVS_OK && !settling->is_settled[speaker]) {
            status = settle_partition(settling, speaker, error);
        }
        if (status == EVS_OK) {
            take_claim(settling, p, speaker);
        }
    }
    evs_free(is_used);
    return status;
}

/* --- all --------------------------------------------------------------------------------------------------------------- */

static void tell_lost(struct settling *settling, const struct lost *lost, const char *partition)
{
    struct evs_nats_shared *shared = settling->shared;
    shared->lost_messages += lost->count;
    evs_log_about(shared->log, EVS_LOG_ERROR, "nats_log_lost",
                  (struct evs_log_about){.first = lost->first, .last = lost->last},
                  "Source %s: stream %s%s lost its tail (a power cut without sync?): messages %" PRIu64 " to %" PRIu64
                  " (%" PRIu64 " of them), which were read, are not stored any more. Reading goes on at %" PRIu64
                  "; the state keeps them.",
                  shared->source, shared->stream, partition, lost->first, lost->last, lost->count, lost->first);
}

/* Partitions that were read together have lost all that follows the first lost message; others are told of one by one. */
static void tell_all_lost(struct settling *settling)
{
    uint32_t partitions = settling->shared->partitions;
    struct lost all = {0};
    bool were_together = true;
    for (uint32_t p = 0; p < partitions; p++) {
        const struct lost *lost = &settling->lost[p];
        if (lost->count > 0) {
            all.first = all.count == 0 || lost->first < all.first ? lost->first : all.first;
            all.last = lost->last > all.last ? lost->last : all.last;
            all.count += lost->count;
        }
        bool has_read = settling->newest[p] != NULL && !is_blank(settling->newest[p]);
        were_together = were_together && is_ours(settling, p) && (!has_read || settling->newest[p]->byte_offset != 0);
    }
    if (all.count > 0 && (were_together || partitions == 1)) {
        tell_lost(settling, &all, "");
        return;
    }
    for (uint32_t p = 0; p < partitions; p++) {
        char partition[40];
        snprintf(partition, sizeof partition, ", partition %u,", p);
        if (settling->lost[p].count > 0) {
            tell_lost(settling, &settling->lost[p], partition);
        }
    }
}

evs_status evs_nats_settle(struct evs_nats_shared *shared, struct evs_nats_asker *asker,
                           const struct evs_source_open *open, struct evs_nats_stream_info *info,
                           struct evs_nats_settled *settled, struct evs_error *error)
{
    uint32_t partitions = shared->partitions;
    struct settling settling = {
        .shared = shared,
        .asker = asker,
        .open = open,
        .info = info,
        .settled = settled,
        .newest = evs_alloc_zero(partitions * sizeof *settling.newest),
        .is_settled = evs_alloc_zero(partitions * sizeof *settling.is_settled),
        .lost = evs_alloc_zero(partitions * sizeof *settling.lost),
    };
    settled->common = evs_alloc(partitions * sizeof *settled->common);
    for (uint32_t p = 0; p < partitions; p++) {
        settled->common[p] = UINT64_MAX;
    }
    for (uint32_t i = 0; i < open->position_count; i++) {
        const struct evs_position *position = &open->positions[i];
        if (position->partition < partitions && position->sequence > 0) {
            settling.newest[position->partition] = position; /* ascending: the last one stands */
        }
    }
    evs_status status = EVS_OK;
    for (uint32_t p = 0; p < partitions && status == EVS_OK; p++) {
        status = is_ours(&settling, p) ? settle_partition(&settling, p, error) : EVS_OK;
    }
    if (status == EVS_OK) {
        status = settle_together(&settling, error);
    }
    if (status == EVS_OK) {
        tell_all_lost(&settling);
    }
    evs_free(settling.newest);
    evs_free(settling.is_settled);
    evs_free(settling.lost);
    return status;
}

void evs_nats_settled_fini(struct evs_nats_settled *settled)
{
    evs_free(settled->common);
    *settled = (struct evs_nats_settled){0};
}
