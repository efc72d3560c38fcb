/* A consumer that runs: pull requests, messages, heartbeats.
 *
 * Requests. At least two are out, so that the server always has one to serve while the next is on its way. Their size in
 * messages follows the average message; max_bytes bounds it for certain. The server serves several requests in turn, so
 * not requests but messages that were asked for are counted: a message, or the rest that a status names, lowers the count, and
 * when half is left more is asked for. A count that went wrong shows as a missed heartbeat, and the consumer is made again.
 *
 * Loss is seen by the consumer's own sequence, which has no gaps; stream sequences legally have them (other subjects, deleted
 * messages). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "nats_lane.h"

#define PULL_MESSAGES_MAX 5000
#define PULL_EXPIRES_US INT64_C(30000000)
#define PULL_OVERHEAD_BYTES 1024 /* subject and reply count for the server's max_bytes */
#define PULL_REQUEST_BYTES_MAX (64u << 20)
#define PULL_LIMITS_IN_ROW 4
#define PULL_STUCK_US INT64_C(5000000) /* messages wait, but only heartbeats come */
#define PULL_SILENT_US 60000000        /* even if we never catch up with what arrives */

static void pull_size_request(struct evs_nats_lane *lane)
{
    uint64_t bytes = lane->request_bytes / 2 / (lane->message_bytes + 1) + 1;
    lane->request_messages = bytes < PULL_MESSAGES_MAX ? bytes : PULL_MESSAGES_MAX;
}

/* Everything up to the end was seen. What the server counts as pending decides only without a filter: after a kill, nats-server 2.9 miscounts
 * it for a consumer with one. */
static bool pull_is_at_end(const struct evs_nats_lane *lane)
{
    bool by_count = lane->filter[0] == '\0' || lane->next == 0; /* 0: it begins at a time, and nothing came yet */
    bool nothing_left = by_count && lane->pending == 0;
    return lane->shared->until_end && (nothing_left || lane->next > lane->end_sequence);
}

void evs_nats_pull_begin(struct evs_nats_lane *lane)
{
    struct evs_nats_shared *shared = lane->shared;
    uint64_t share = shared->in_flight_bytes / 2 / shared->lane_count;
    uint64_t least = shared->max_payload + PULL_OVERHEAD_BYTES;
    lane->request_bytes = share > least ? share : least;
    lane->message_bytes = lane->message_bytes != 0 ? lane->message_bytes : 16384;
    lane->consumer_sequence = lane->asked_messages = 0;
    lane->limits_in_row = 0;
    lane->request_serial = 0;
    lane->heartbeat_seen = false;
    lane->ended = pull_is_at_end(lane);
    pull_size_request(lane);
}

static bool pull_request(struct evs_nats_lane *lane)
{
    struct evs_nats_shared *shared = lane->shared;
    char subject[400], reply[200], body[200];
    int subject_count =
        snprintf(subject, sizeof subject, "%s.CONSUMER.MSG.NEXT.%s.%s", shared->prefix, shared->stream, lane->consumer);
    int reply_count =
        snprintf(reply, sizeof reply, "%s.%" PRIu64 ".%" PRIu64, shared->inbox, lane->sid, ++lane->request_serial);
    int body_count = snprintf(
        body, sizeof body,
        "{\"batch\":%" PRIu64 ",\"max_bytes\":%" PRIu64 ",\"expires\":%" PRId64 ",\"idle_heartbeat\":%" PRId64 "}",
        lane->request_messages, lane->request_bytes, PULL_EXPIRES_US * 1000, shared->heartbeat_us * 1000);
    if (shared->wire->type->publish(shared->wire, (struct evs_slice){subject, (size_t)subject_count},
                                    (struct evs_slice){reply, (size_t)reply_count}, EVS_SLICE(""),
                                    (struct evs_slice){body, (size_t)body_count}) != EVS_OK) {
        return false;
    }
    lane->asked_messages += lane->request_messages;
    return true;
}

void evs_nats_pull_tick(struct evs_nats_lane *lane, bool drained)
{
    struct evs_nats_shared *shared = lane->shared;
    if (lane->ended) {
        evs_nats_lane_leave(lane);
        return;
    }
    if (lane->request_serial == 0) {
        lane->heard_us = lane->data_us =
            shared->now_us; /* nobody talks before he is asked, and a restore may lie between */
    }
    int64_t silent_us = shared->now_us - lane->heard_us;
    if ((drained && silent_us > shared->heartbeat_us * 5 / 2) || silent_us > PULL_SILENT_US) {
        evs_nats_lane_drop(lane, 0, "its heartbeats are missing");
        return;
    }
    int64_t stuck_us =
        PULL_STUCK_US << (lane->stuck_count < 4 ? lane->stuck_count : 4); /* the count itself may be wrong */
    if (drained && lane->pending > 0 && shared->now_us - lane->data_us > stuck_us) {
        lane->stuck_count++;
        evs_nats_lane_drop(lane, 0, "messages wait, but none come");
        return;
    }
    pull_size_request(lane);
    while (lane->asked_messages <= lane->request_messages && pull_request(lane)) {
    }
}

/* --- statuses -------------------------------------------------------------------------------------------------------- */

static uint64_t pull_header_number(struct evs_slice headers, const char *name, uint64_t fallback)
{
    struct evs_slice value;
    char number[24];
    if (!evs_nats_header(headers, name, &value) || value.count == 0 || value.count >= sizeof number) {
        return fallback;
    }
    memcpy(number, value.data, value.count);
    number[value.count] = '\0';
    char *end;
    uint64_t result = strtoull(number, &end, 10);
    return *end == '\0' ? result : fallback;
}

static void pull_request_over(struct evs_nats_lane *lane, struct evs_slice headers)
{
    uint64_t rest = pull_header_number(headers, "Nats-Pending-Messages", lane->request_messages);
    lane->asked_messages -= rest < lane->asked_messages ? rest : lane->asked_messages;
}

/* A request met max_bytes. When that happens to all that are out, and again, one message is larger than a whole request. */
static void pull_limit_met(struct evs_nats_lane *lane, struct evs_slice headers)
{
    pull_request_over(lane, headers);
    if (++lane->limits_in_row >= PULL_LIMITS_IN_ROW && lane->request_bytes < PULL_REQUEST_BYTES_MAX) {
        lane->request_bytes *= 2;
        lane->limits_in_row = 0;
    }
}

static void pull_heartbeat(struct evs_nats_lane *lane, struct evs_slice headers)
{
    lane->heartbeat_seen = true;
    uint64_t delivered = pull_header_number(headers, "Nats-Last-Consumer", lane->consumer_sequence);
    if (delivered > lane->consumer_sequence) {
        evs_nats_lane_drop(lane, 0, "messages were lost on the way");
    }
}

static void pull_take_status(struct evs_nats_lane *lane, const struct evs_nats_message *from)
{
    struct evs_slice text;
    char why[128];
    (void)evs_nats_header_status(from->headers, &text);
    switch (from->status) {
    case 100:
        pull_heartbeat(lane, from->headers);
        break;
    case 404:
    case 408:
        pull_request_over(lane, from->headers);
        break;
    case 409:
        if (memmem(text.data, text.count, "MaxBytes", 8) != NULL) {
            pull_limit_met(lane, from->headers);
            break;
        }
        /* fall through */
    default: /* consumer deleted, leader changed, server shuts down, nobody answers */
        snprintf(why, sizeof why, "the server says %u %.*s", from->status, (int)(text.count < 80 ? text.count : 80),
                 text.data);
        evs_nats_lane_drop(lane, from->status == 503 ? 100000 : 0, why);
    }
}

/* --- messages -------------------------------------------------------------------------------------------------------- */

/* The number that is token `partition_token` of the subject; a subject without one counts as partition 0, and is told. */
static uint32_t pull_partition(struct evs_nats_lane *lane, struct evs_slice subject)
{
    struct evs_nats_shared *shared = lane->shared;
    if (lane->partition != EVS_NATS_ALL_PARTITIONS) {
        return (uint32_t)lane->partition;
    }
    if (shared->partitions == 1) {
        return 0;
    }
    const char *at = subject.data, *end = subject.data + subject.count;
    for (uint32_t token = 1; token < shared->partition_token && at != NULL; token++) {
        at = memchr(at, '.', (size_t)(end - at));
        at = at == NULL ? NULL : at + 1;
    }
    uint32_t number = 0;
    bool is_number = at != NULL && at < end && *at != '.';
    for (; is_number && at < end && *at != '.'; at++) {
        number = number * 10 + (uint32_t)(*at - '0');
        is_number = *at >= '0' && *at <= '9' && number < shared->partitions;
    }
    if (is_number) {
        return number;
    }
    shared->odd_subjects++;
    evs_log(shared->log, EVS_LOG_WARN, "nats_subject",
            "Source %s: subject %.*s has no partition 0 to %u as token %u; it is read as partition 0, and not at all "
            "by more workers.",
            shared->source, (int)subject.count, subject.data, shared->partitions - 1, shared->partition_token);
    return 0;
}

static void pull_account(struct evs_nats_lane *lane, const struct evs_nats_delivery *delivery, size_t bytes)
{
    struct evs_nats_shared *shared = lane->shared;
    lane->consumer_sequence = delivery->consumer_sequence;
    lane->pending = delivery->pending;
    /* A stream that is never silent for a heartbeat's time sends none: the last one of what waited tells as much. */
    lane->heartbeat_seen = lane->heartbeat_seen || delivery->pending == 0;
    lane->data_us = shared->now_us;
    lane->limits_in_row = lane->stuck_count = 0;
    lane->asked_messages -= lane->asked_messages > 0;
    lane->message_bytes = (lane->message_bytes * 15 + bytes) / 16;
    lane->read = delivery->stream_sequence;
    lane->next = delivery->stream_sequence + 1;
    lane->ended = pull_is_at_end(lane);
}

/* After a restart the slower partitions are read below the marks that the commit brought. */
static void pull_remember(struct evs_nats_lane *lane, struct evs_nats_mark mark)
{
    const struct evs_nats_history *history = &lane->history;
    bool is_below = history->count > 0 && evs_nats_history_at(history, history->count - 1)->sequence >= mark.sequence;
    if (!is_below) {
        evs_nats_lane_join_marks(lane);
    }
    evs_nats_history_push(is_below ? &lane->below : &lane->history, mark);
}

bool evs_nats_lane_take(struct evs_nats_lane *lane, const struct evs_nats_message *from, struct evs_message *message)
{
    struct evs_nats_shared *shared = lane->shared;
    struct evs_nats_delivery delivery;
    if (lane->phase != EVS_NATS_RUNNING || lane->ended) {
        return false;
    }
    lane->heard_us = shared->now_us;
    if (from->status != 0) {
        pull_take_status(lane, from);
        return false;
    }
    if (!evs_nats_delivery_parse(from->reply, &delivery)) {
        return false; /* somebody else's message to our inbox */
    }
    if (delivery.consumer_sequence != lane->consumer_sequence + 1 || delivery.stream_sequence < lane->next) {
        evs_nats_lane_drop(lane, 0, "messages were lost on the way");
        return false;
    }
    if (lane->reads_all && delivery.stream_sequence > lane->next) {
        evs_nats_lane_gap(lane, delivery.stream_sequence); /* limits or a purge have overtaken a consumer that runs */
    }
    pull_account(lane, &delivery, from->payload.count + from->headers.count + from->subject.count);
    uint32_t partition = pull_partition(lane, from->subject);
    bool behind_end = shared->until_end && delivery.stream_sequence > shared->end_sequence;
    bool too_young = shared->until_end && shared->end_before_us > 0 && delivery.time_us >= shared->end_before_us;
    lane->ended = lane->ended || too_young; /* messages are stored one after the other: what comes is younger still */
    if (behind_end || too_young || delivery.stream_sequence <= shared->positions[partition]) {
        return false; /* of a commit already; the lane began at its slowest partition */
    }
    uint32_t fingerprint = evs_fingerprint(from->payload);
    pull_remember(lane, (struct evs_nats_mark){delivery.stream_sequence, delivery.time_us, fingerprint});
    shared->positions[partition] = delivery.stream_sequence;
    *message = (struct evs_message){
        .partition = partition,
        .sequence = delivery.stream_sequence,
        .ingested_at_us = delivery.time_us,
        .payload = from->payload,
        .subject = from->subject,
        .headers = from->headers,
        .fingerprint = fingerprint,
        .last_of_position = true,
        /* A lane of all partitions reads in the stream's order, so whatever stands before this message was handed on. */
        .byte_offset = lane->partition == EVS_NATS_ALL_PARTITIONS ? delivery.stream_sequence : 0,
    };
    return true;
}
