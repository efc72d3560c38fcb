/* Making a consumer: the stream's state, the check of what was read, the consumer itself. Running it is nats_pull.c. */
#include "nats_lane.h"

#include <inttypes.h>
#include <stdio.h>

#include "evstream/type.h"
#include "nats_json.h"

#define LANE_ANSWER_US 3000000
#define LANE_RETRY_US 200000
#define LANE_SILENCES_MAX 3      /* then the connection itself is not trusted any more */
#define LANE_MISSING_US 10000000 /* a recovering server does not know its streams yet */

void evs_nats_fail(struct evs_nats_shared *shared, evs_status status, const char *format, ...)
{
    EVS_ASSERT(status != EVS_OK);
    if (shared->failed != EVS_OK) {
        return; /* the first one is the reason */
    }
    shared->failed = status;
    shared->failure.code = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(shared->failure.text, sizeof shared->failure.text, format, arguments);
    va_end(arguments);
}

void evs_nats_lane_fini(struct evs_nats_lane *lane)
{
    evs_nats_history_fini(&lane->history);
    evs_nats_history_fini(&lane->below);
}

void evs_nats_lane_join_marks(struct evs_nats_lane *lane)
{
    if (lane->below.count > 0) {
        evs_nats_history_merge(&lane->history, &lane->below);
    }
}

void evs_nats_lane_leave(struct evs_nats_lane *lane)
{
    struct evs_nats_shared *shared = lane->shared;
    const struct evs_nats_wire_type *type = shared->wire->type;
    if (lane->sid == 0) {
        return;
    }
    type->unsubscribe(shared->wire, lane->sid);
    lane->sid = 0;
    char subject[400];
    int count =
        snprintf(subject, sizeof subject, "%s.CONSUMER.DELETE.%s.%s", shared->prefix, shared->stream, lane->consumer);
    /* Best effort: the server forgets it after its inactive threshold anyway. */
    (void)type->publish(shared->wire, (struct evs_slice){subject, (size_t)count}, EVS_SLICE(""), EVS_SLICE(""),
                        EVS_SLICE(""));
}

void evs_nats_lane_drop(struct evs_nats_lane *lane, int64_t delay_us, const char *why)
{
    struct evs_nats_shared *shared = lane->shared;
    evs_log(shared->log, lane->phase == EVS_NATS_RUNNING ? EVS_LOG_INFO : EVS_LOG_WARN, "nats_consumer_again",
            "Source %s: %s; the consumer is made again at sequence %" PRIu64 ".", shared->source, why, lane->next);
    snprintf(shared->doubt, sizeof shared->doubt, "%s", why);
    evs_nats_lane_leave(lane);
    lane->phase = EVS_NATS_DOWN;
    lane->deadline_us = shared->now_us + delay_us;
    lane->heartbeat_seen = false;
    lane->serial++; /* answers that are still on the way are not waited for */
}

/* --- requests -------------------------------------------------------------------------------------------------------- */

/* The answer comes to "<inbox>.a.<lane>.<serial>". */
static void lane_ask(struct evs_nats_lane *lane, enum evs_nats_phase phase, const char *subject, struct evs_slice body)
{
    struct evs_nats_shared *shared = lane->shared;
    char reply[200];
    int count = snprintf(reply, sizeof reply, "%s.a.%u.%" PRIu64, shared->inbox, lane->index, ++lane->serial);
    lane->phase = phase;
    lane->deadline_us = shared->now_us + LANE_ANSWER_US;
    if (shared->wire->type->publish(shared->wire, evs_slice_of(subject), (struct evs_slice){reply, (size_t)count},
                                    EVS_SLICE(""), body) != EVS_OK) {
        lane->phase = EVS_NATS_DOWN;
        lane->deadline_us = shared->now_us + LANE_RETRY_US;
    }
}

static void lane_ask_info(struct evs_nats_lane *lane)
{
    char subject[300];
    snprintf(subject, sizeof subject, "%s.STREAM.INFO.%s", lane->shared->prefix, lane->shared->stream);
    lane_ask(lane, EVS_NATS_INFO_ASKED, subject, EVS_SLICE(""));
}

static void lane_ask_stored(struct evs_nats_lane *lane, uint64_t sequence)
{
    char subject[300], body[64];
    snprintf(subject, sizeof subject, "%s.STREAM.MSG.GET.%s", lane->shared->prefix, lane->shared->stream);
    int count = snprintf(body, sizeof body, "{\"seq\":%" PRIu64 "}", sequence);
    lane_ask(lane, EVS_NATS_CHECKED, subject, (struct evs_slice){body, (size_t)count});
}

static struct evs_nats_consumer lane_consumer(const struct evs_nats_lane *lane)
{
    return (struct evs_nats_consumer){
        .stream = lane->shared->stream,
        .name = lane->consumer,
        .filter = lane->filter,
        .start_sequence = lane->next,
        .start_us = lane->start_us,
    };
}

static void lane_ask_consumer(struct evs_nats_lane *lane)
{
    struct evs_nats_shared *shared = lane->shared;
    char subject[300 + EVS_NATS_SUBJECT_MAX], inbox[200];
    lane->sid = ++shared->sid_last;
    snprintf(lane->consumer, sizeof lane->consumer, "evs_%016" PRIx64 "_%" PRIu64, shared->nonce, lane->sid);
    snprintf(inbox, sizeof inbox, "%s.%" PRIu64 ".*", shared->inbox, lane->sid);
    if (shared->wire->type->subscribe(shared->wire, inbox, lane->sid) != EVS_OK) {
        evs_nats_lane_drop(lane, LANE_RETRY_US, "the connection is busy");
        return;
    }
    bool filtered = lane->filter[0] != '\0';
    snprintf(subject, sizeof subject, "%s.CONSUMER.CREATE.%s.%s%s%s", shared->prefix, shared->stream, lane->consumer,
             filtered ? "." : "", lane->filter);
    struct evs_nats_consumer consumer = lane_consumer(lane);
    shared->request.count = 0;
    evs_nats_api_consumer_config(&consumer, &shared->request);
    lane_ask(lane, EVS_NATS_CREATED, subject, (struct evs_slice){shared->request.data, shared->request.count});
}

/* --- answers --------------------------------------------------------------------------------------------------------- */

static void lane_stream_missing(struct evs_nats_lane *lane)
{
    struct evs_nats_shared *shared = lane->shared;
    if (lane->missing_since_us == 0) {
        lane->missing_since_us = shared->now_us;
    }
    if (shared->now_us - lane->missing_since_us > LANE_MISSING_US) {
        evs_nats_fail(
            shared, EVS_E_REFUSED,
            "Source %s: stream %s does not exist any more. If it was deleted on purpose, create the stream again and "
            "give the pipeline another name (`pipeline NAME;`), so that it starts with empty state.",
            shared->source, shared->stream);
        return;
    }
    evs_nats_lane_drop(lane, LANE_RETRY_US, "the stream cannot be found");
}

/* True when the answer is an error, which has been dealt with. */
static bool lane_refused(struct evs_nats_lane *lane, const struct evs_nats_message *answer)
{
    struct evs_nats_api_error failure;
    if (!evs_nats_api_failed(answer, &failure)) {
        lane->missing_since_us = 0;
        return false;
    }
    if (failure.number == EVS_NATS_E_STREAM_NOT_FOUND) {
        lane_stream_missing(lane);
        return true;
    }
    char why[256];
    snprintf(why, sizeof why, "the NATS server answers: %s", failure.text);
    evs_nats_lane_drop(lane, LANE_RETRY_US, why);
    return true;
}

static void lane_stream_replaced(struct evs_nats_lane *lane, int64_t created_us)
{
    struct evs_nats_shared *shared = lane->shared;
    char was[EVS_FORMAT_MAX], is[EVS_FORMAT_MAX];
    uint32_t was_count = evs_format_timestamp(was, shared->created_us), is_count = evs_format_timestamp(is, created_us);
    evs_nats_fail(
        shared, EVS_E_STATE,
        "Source %s: stream %s was deleted and created again (it is of %.*s, what was read is of %.*s), so "
        "positions and state do not belong to it. Give the pipeline another name (`pipeline NAME;`) to begin anew.",
        shared->source, shared->stream, (int)is_count, is, (int)was_count, was);
}

/* The stream, and whose messages of it are meant: "CLICKS", or "CLICKS, partition 2,". */
static const char *lane_stream_text(const struct evs_nats_lane *lane, char *text, size_t bytes)
{
    if (lane->partition == EVS_NATS_ALL_PARTITIONS) {
        return lane->shared->stream;
    }
    snprintf(text, bytes, "%s, partition %d,", lane->shared->stream, lane->partition);
    return text;
}

/* Counts and tells what was read here and is not stored any more: the lane's own marks above the fork. */
static void lane_tell_lost(struct evs_nats_lane *lane, uint64_t fork)
{
    struct evs_nats_shared *shared = lane->shared;
    uint64_t lost = 0, newest = fork;
    for (uint32_t i = lane->history.count; i-- > 0;) {
        const struct evs_nats_mark *mark = evs_nats_history_at(&lane->history, i);
        if (mark->sequence <= fork || mark->sequence < lane->own_from) {
            break;
        }
        bool is_blank = mark->time_us == 0 && mark->fingerprint == 0; /* where reading began */
        bool was_read = !is_blank && mark->sequence != lane->witness;
        newest = was_read && lost == 0 ? mark->sequence : newest;
        lost += was_read;
    }
    shared->lost_messages += lost;
    if (lost == 0) {
        return; /* another partition's lane tells */
    }
    char stream[300];
    evs_log_about(
        shared->log, EVS_LOG_ERROR, "nats_log_lost", (struct evs_log_about){.first = fork + 1, .last = newest},
        "Source %s: stream %s lost its tail (a power cut without sync?): messages %" PRIu64 " to %" PRIu64 " (%" PRIu64
        " of them), which were read, are not stored any more. Reading goes on at %" PRIu64 "; the state keeps them.",
        shared->source, lane_stream_text(lane, stream, sizeof stream), fork + 1, newest, lost, fork + 1);
}

/* The log is another one behind `fork`: go on there, keep the state, and say what the broker lost. */
static void lane_fork(struct evs_nats_lane *lane, uint64_t fork)
{
    struct evs_nats_shared *shared = lane->shared;
    EVS_ASSERT(fork < evs_nats_history_at(&lane->history, lane->history.count - 1)->sequence);
    lane_tell_lost(lane, fork);
    evs_nats_history_rewind(&lane->history, fork);
    for (uint32_t p = 0; p < shared->partitions; p++) {
        bool ours = lane->partition == EVS_NATS_ALL_PARTITIONS || (uint32_t)lane->partition == p;
        if (ours && shared->positions[p] > fork) {
            shared->positions[p] = fork;
        }
    }
    lane->next = lane->next > fork + 1 ? fork + 1 : lane->next;
    lane->read = lane->read > fork ? fork : lane->read;
}

static void lane_judge(struct evs_nats_lane *lane)
{
    struct evs_nats_shared *shared = lane->shared;
    switch (lane->check.verdict) {
    case EVS_NATS_SAME:
        break;
    case EVS_NATS_FORK:
        lane_fork(lane, lane->check.fork);
        break;
    case EVS_NATS_UNKNOWN:
        evs_nats_fail(shared, EVS_E_STATE,
                      "Source %s: the position (sequence %" PRIu64
                      ") does not belong to stream %s, which ends at %" PRIu64
                      " and holds none of the messages that were read last. It lost more than is remembered, or was "
                      "replaced by a copy. "
                      "Restore the stream, or give the pipeline another name (`pipeline NAME;`) to begin anew.",
                      shared->source, evs_nats_history_at(&lane->history, lane->history.count - 1)->sequence,
                      shared->stream, lane->check.last_sequence);
        return;
    }
    lane_ask_consumer(lane);
}

static void lane_take_info(struct evs_nats_lane *lane, const struct evs_nats_message *answer)
{
    struct evs_nats_shared *shared = lane->shared;
    struct evs_nats_stream_info info;
    if (!evs_nats_api_stream_info(answer->payload, &info)) {
        evs_nats_lane_drop(lane, LANE_RETRY_US, "the server's answer about the stream is not understood");
        return;
    }
    if (info.created_us <= 0) {
        evs_nats_lane_drop(lane, LANE_RETRY_US, "the stream is still being made");
        return;
    }
    if (shared->created_us != 0 && info.created_us != shared->created_us) {
        lane_stream_replaced(lane, info.created_us);
        return;
    }
    shared->created_us = info.created_us;
    lane->reads_all =
        lane->filter[0] == '\0' || (info.subject_count == 1 && evs_nats_subject_covers(lane->filter, info.subject));
    uint64_t sequence;
    evs_nats_lane_join_marks(lane);
    if (evs_nats_check_begin(&lane->check, &lane->history, info.first_sequence, info.first_us, info.last_sequence,
                             &sequence) == EVS_MORE) {
        lane_ask_stored(lane, sequence);
    } else {
        lane_judge(lane);
    }
}

/* A log that seems to be another one is looked at once more, until its first message is the same before and behind the look: the stream's limits may have removed the
 * messages that were asked for in between, and that is a gap. */
static bool lane_doubts(struct evs_nats_lane *lane)
{
    uint64_t first = lane->check.first_sequence + 1;
    bool is_same = lane->check.verdict == EVS_NATS_SAME;
    bool doubts = !is_same && lane->doubted_first != first;
    lane->doubted_first = doubts ? first : 0;
    return doubts;
}

static void lane_take_stored(struct evs_nats_lane *lane, const struct evs_nats_message *answer)
{
    struct evs_nats_mark stored;
    struct evs_nats_api_error failure;
    bool absent = evs_nats_api_failed(answer, &failure) && failure.number == EVS_NATS_E_NO_MESSAGE;
    if (!absent &&
        (lane_refused(lane, answer) || !evs_nats_api_stored(answer->payload, &lane->shared->scratch, &stored))) {
        if (lane->phase == EVS_NATS_CHECKED) {
            evs_nats_lane_drop(lane, LANE_RETRY_US, "the server's answer about a message is not understood");
        }
        return;
    }
    uint64_t sequence;
    if (evs_nats_check_answer(&lane->check, absent ? NULL : &stored, &sequence) == EVS_MORE) {
        lane_ask_stored(lane, sequence);
    } else if (lane_doubts(lane)) {
        lane_ask_info(lane);
    } else {
        lane_judge(lane);
    }
}

/* What is missing here was removed from the stream. Where others' messages lie between ours, nobody can say how many of them were ours. */
void evs_nats_lane_gap(struct evs_nats_lane *lane, uint64_t begins)
{
    struct evs_nats_shared *shared = lane->shared;
    EVS_ASSERT(begins > lane->next);
    uint64_t count = begins - lane->next;
    char stream[300];
    shared->gap_messages += count;
    evs_log_about(
        shared->log, EVS_LOG_ERROR, "nats_gap", (struct evs_log_about){.first = lane->next, .last = begins - 1},
        "Source %s: messages %" PRIu64 " to %" PRIu64 " of stream %s were removed before they were read (%s%" PRIu64
        "%s). Raise max_age or max_bytes of the stream, or keep the pipeline running.",
        shared->source, lane->next, begins - 1, lane_stream_text(lane, stream, sizeof stream),
        lane->reads_all ? "" : "up to ", count, lane->reads_all ? "" : ", of all subjects");
}

static void lane_take_consumer(struct evs_nats_lane *lane, const struct evs_nats_message *answer)
{
    struct evs_nats_shared *shared = lane->shared;
    struct evs_nats_consumer consumer = lane_consumer(lane);
    const char *difference;
    if (!evs_nats_api_consumer_is(answer->payload, &consumer, &difference)) {
        evs_nats_fail(shared, EVS_E_REFUSED,
                      "Source %s: the NATS server made a consumer of stream %s with another %s than asked for; "
                      "nats-server 2.9 or later is "
                      "needed.",
                      shared->source, shared->stream, difference);
        return;
    }
    uint64_t begins = evs_nats_json_uint(answer->payload, "delivered.stream_seq", 0) + 1;
    if (lane->next != 0 && begins > lane->next && !lane->from_earliest) {
        evs_nats_lane_gap(lane, begins);
    }
    if (begins > lane->next) {
        lane->next = begins;
    }
    if (lane->history.count == 0 && lane->next > 1) {
        evs_nats_history_push(&lane->history, (struct evs_nats_mark){.sequence = lane->next - 1});
    }
    lane->from_earliest = false;
    lane->pending = evs_nats_json_uint(answer->payload, "num_pending", 0);
    lane->phase = EVS_NATS_RUNNING;
    evs_nats_pull_begin(lane);
}

void evs_nats_lane_answer(struct evs_nats_lane *lane, const struct evs_nats_message *answer)
{
    lane->silences = 0;
    switch (lane->phase) {
    case EVS_NATS_INFO_ASKED:
        if (!lane_refused(lane, answer)) {
            lane_take_info(lane, answer);
        }
        break;
    case EVS_NATS_CHECKED:
        lane_take_stored(lane, answer);
        break;
    case EVS_NATS_CREATED:
        if (!lane_refused(lane, answer)) {
            lane_take_consumer(lane, answer);
        }
        break;
    case EVS_NATS_DOWN:
    case EVS_NATS_RUNNING:
        break; /* too late */
    }
}

static void lane_overdue(struct evs_nats_lane *lane)
{
    struct evs_nats_shared *shared = lane->shared;
    struct evs_nats_wire_state state;
    shared->wire->type->state(shared->wire, &state);
    char why[256];
    snprintf(why, sizeof why, "JetStream does not answer%s%s", state.last_error[0] != '\0' ? "; the server said: " : "",
             state.last_error);
    evs_nats_lane_drop(lane, LANE_RETRY_US, why);
    if (++lane->silences >= LANE_SILENCES_MAX) {
        lane->silences = 0;
        shared->wire->type->reconnect(shared->wire);
    }
}

void evs_nats_lane_tick(struct evs_nats_lane *lane, bool drained)
{
    struct evs_nats_shared *shared = lane->shared;
    if (lane->phase == EVS_NATS_RUNNING) {
        evs_nats_pull_tick(lane, drained);
    } else if (shared->now_us >= lane->deadline_us) {
        if (lane->phase == EVS_NATS_DOWN) {
            lane_ask_info(lane);
        } else {
            lane_overdue(lane);
        }
    }
}
