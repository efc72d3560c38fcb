#include "nats_senders.h"

#include <inttypes.h>
#include <stdio.h>

#include "nats_json.h"

#define SENDERS_ID_BYTES 64u
#define SENDERS_ANSWER_US 3000000
#define SENDERS_RETRY_US 1000000
#define SENDERS_MISSING_US 10000000 /* a recovering server does not know its streams yet */
#define SENDERS_REFUSED_US 60000000
#define SENDERS_SETTLE_US                                                                                              \
    5000000 /* what was there when we began to read has come by then, whatever the server counts */
#define SENDERS_BATCH 10000
#define SENDERS_EXPIRES_US INT64_C(30000000)

enum phase { PHASE_DOWN, PHASE_ASKED, PHASE_RUNNING };

struct sender {
    char id[SENDERS_ID_BYTES], host[64];
    uint64_t revision;    /* of its last beat */
    int64_t arrived_us;   /* that beat came at this time or later; 0: it was there before we looked */
    int64_t behind_us;    /* as it says */
    int64_t evidence_us;  /* everything up to here is stored */
    int64_t heard_us;     /* the last beat, or since when we look */
    int64_t absence_us;   /* 0: waited for without an end */
    uint64_t spool_bytes; /* for the log */
    uint64_t reading;     /* in which it was seen last */
    bool is_absent;       /* waited for long enough */
    bool is_told;         /* that it is waited for */
};

struct evs_nats_senders {
    struct evs_nats_shared *shared;
    char stream[210], filter[EVS_NATS_SUBJECT_MAX];
    size_t prefix_bytes; /* of the filter before the id */
    bool is_speaker;

    enum phase phase;
    int64_t deadline_us;
    uint64_t serial, refusals;
    int64_t missing_since_us; /* 0: the bucket is there */
    bool is_refused, is_refusal_told;

    /* of the consumer that runs */
    char consumer[64];
    uint64_t sid, request_serial, asked;
    uint64_t reading; /* number of it */
    bool is_settled;  /* what was there at its beginning has been read */
    int64_t begun_us, heard_us;

    int64_t known_us;   /* the list was complete at this time; 0: never yet */
    int64_t drained_us; /* nothing had arrived that was not handled */
    struct sender *items;
    uint32_t count, capacity;
};

/* --- the list ------------------------------------------------------------------------------------------------------------------ */

static struct sender *senders_find(struct evs_nats_senders *senders, struct evs_slice id)
{
    for (uint32_t i = 0; i < senders->count; i++) {
        if (evs_slice_equal(evs_slice_of(senders->items[i].id), id)) {
            return &senders->items[i];
        }
    }
    return NULL;
}

static struct sender *senders_add(struct evs_nats_senders *senders, struct evs_slice id)
{
    EVS_GROW(senders->items, senders->count, senders->capacity);
    struct sender *sender = &senders->items[senders->count++];
    *sender = (struct sender){.heard_us = senders->shared->now_us};
    snprintf(sender->id, sizeof sender->id, "%.*s", (int)id.count, id.data);
    return sender;
}

static void senders_remove(struct evs_nats_senders *senders, struct sender *sender)
{
    if (senders->is_speaker) {
        evs_log(senders->shared->log, EVS_LOG_INFO, "collector_left",
                "Source %s: collector %s (%s) is not waited for any more.", senders->shared->source, sender->id,
                sender->host);
    }
    *sender = senders->items[--senders->count];
}

/* The bucket was read to its end: who was not in it has been removed while we did not look. */
static void senders_settle(struct evs_nats_senders *senders)
{
    senders->is_settled = true;
    for (uint32_t i = senders->count; i-- > 0;) {
        if (senders->items[i].reading != senders->reading) {
            senders_remove(senders, &senders->items[i]);
        }
    }
}

/* --- a beat -------------------------------------------------------------------------------------------------------------------- */

static int64_t beat_us(struct evs_slice beat, const char *name, int64_t unit_us)
{
    uint64_t value = evs_nats_json_uint(beat, name, 0);
    return value > (uint64_t)(INT64_MAX / 4 / unit_us) ? INT64_MAX / 4 : (int64_t)value * unit_us;
}

static void senders_take_beat(struct evs_nats_senders *senders, struct evs_slice id, struct evs_slice beat,
                              uint64_t revision)
{
    struct sender *sender = senders_find(senders, id);
    sender = sender != NULL ? sender : senders_add(senders, id);
    bool follows = sender->arrived_us != 0 && evs_nats_json_uint(beat, "previous", 0) == sender->revision;
    if (follows) {
        int64_t proven_us = sender->arrived_us - beat_us(beat, "round_ms", 1000) - sender->behind_us;
        sender->evidence_us = proven_us > sender->evidence_us ? proven_us : sender->evidence_us;
    }
    (void)evs_nats_json_string(beat, "host", sender->host, sizeof sender->host);
    sender->spool_bytes = evs_nats_json_uint(beat, "spool_bytes", 0);
    sender->absence_us = beat_us(beat, "absence_s", 1000000);
    sender->behind_us = beat_us(beat, "behind_ms", 1000);
    sender->revision = revision;
    sender->arrived_us = senders->is_settled ? senders->drained_us : 0;
    sender->reading = senders->reading;
    if (senders->is_settled) {
        sender->heard_us = senders->shared->now_us;
        sender->is_absent = false;
    }
}

/* "$KV.<bucket>.collector.<stream>.<id>" */
static void senders_take_change(struct evs_nats_senders *senders, const struct evs_nats_message *message,
                                uint64_t revision)
{
    struct evs_slice id = message->subject, operation;
    if (id.count <= senders->prefix_bytes || id.count - senders->prefix_bytes >= SENDERS_ID_BYTES) {
        return;
    }
    id = (struct evs_slice){id.data + senders->prefix_bytes, id.count - senders->prefix_bytes};
    if (!evs_nats_header(message->headers, "KV-Operation", &operation)) { /* DEL, PURGE */
        senders_take_beat(senders, id, message->payload, revision);
        return;
    }
    struct sender *gone = senders_find(senders, id);
    if (gone != NULL) {
        senders_remove(senders, gone);
    }
}

/* --- the consumer -------------------------------------------------------------------------------------------------------------- */

static void senders_drop(struct evs_nats_senders *senders, int64_t delay_us)
{
    struct evs_nats_shared *shared = senders->shared;
    if (senders->sid != 0) {
        shared->wire->type->unsubscribe(shared->wire, senders->sid);
    }
    if (senders->sid != 0 && senders->phase == PHASE_RUNNING) {
        char subject[400];
        int count = snprintf(subject, sizeof subject, "%s.CONSUMER.DELETE.%s.%s", shared->prefix, senders->stream,
                             senders->consumer);
        (void)shared->wire->type->publish(shared->wire, (struct evs_slice){subject, (size_t)count}, EVS_SLICE(""),
                                          EVS_SLICE(""), EVS_SLICE(""));
    }
    senders->sid = 0;
    senders->phase = PHASE_DOWN;
    senders->deadline_us = shared->now_us + delay_us;
    senders->is_settled = false;
    senders->serial++; /* answers that are still on the way are not waited for */
    for (uint32_t i = 0; i < senders->count; i++) {
        senders->items[i].arrived_us = 0;
    }
}

static uint64_t senders_refusals(const struct evs_nats_senders *senders)
{
    struct evs_nats_wire_state state;
    senders->shared->wire->type->state(senders->shared->wire, &state);
    return state.refusals;
}

static void senders_ask(struct evs_nats_senders *senders)
{
    struct evs_nats_shared *shared = senders->shared;
    char inbox[200], reply[200], subject[400 + EVS_NATS_SUBJECT_MAX];
    struct evs_buffer body = {0};
    senders->sid = ++shared->sid_last;
    snprintf(senders->consumer, sizeof senders->consumer, "evs_%016" PRIx64 "_%" PRIu64, shared->nonce, senders->sid);
    snprintf(inbox, sizeof inbox, "%s.%" PRIu64 ".*", shared->inbox, senders->sid);
    int subject_count = snprintf(subject, sizeof subject, "%s.CONSUMER.CREATE.%s.%s.%s", shared->prefix,
                                 senders->stream, senders->consumer, senders->filter);
    int reply_count =
        snprintf(reply, sizeof reply, "%s.a.%u.%" PRIu64, shared->inbox, EVS_NATS_SENDERS_INDEX, ++senders->serial);
    const struct evs_nats_consumer consumer = {
        .stream = senders->stream, .name = senders->consumer, .filter = senders->filter, .start_sequence = 1};
    evs_nats_api_consumer_config(&consumer, &body);
    senders->refusals = senders_refusals(senders);
    senders->phase = PHASE_ASKED;
    senders->deadline_us = shared->now_us + SENDERS_ANSWER_US;
    if (shared->wire->type->subscribe(shared->wire, inbox, senders->sid) != EVS_OK ||
        shared->wire->type->publish(shared->wire, (struct evs_slice){subject, (size_t)subject_count},
                                    (struct evs_slice){reply, (size_t)reply_count}, EVS_SLICE(""),
                                    (struct evs_slice){body.data, body.count}) != EVS_OK) {
        senders_drop(senders, SENDERS_RETRY_US);
    }
    evs_buffer_fini(&body);
}

static void senders_request(struct evs_nats_senders *senders)
{
    struct evs_nats_shared *shared = senders->shared;
    char subject[400], reply[200], body[160];
    int subject_count = snprintf(subject, sizeof subject, "%s.CONSUMER.MSG.NEXT.%s.%s", shared->prefix, senders->stream,
                                 senders->consumer);
    int reply_count = snprintf(reply, sizeof reply, "%s.%" PRIu64 ".%" PRIu64, shared->inbox, senders->sid,
                               ++senders->request_serial);
    int body_count =
        snprintf(body, sizeof body, "{\"batch\":%d,\"expires\":%" PRId64 ",\"idle_heartbeat\":%" PRId64 "}",
                 SENDERS_BATCH, SENDERS_EXPIRES_US * 1000, shared->heartbeat_us * 1000);
    if (shared->wire->type->publish(shared->wire, (struct evs_slice){subject, (size_t)subject_count},
                                    (struct evs_slice){reply, (size_t)reply_count}, EVS_SLICE(""),
                                    (struct evs_slice){body, (size_t)body_count}) == EVS_OK) {
        senders->asked = SENDERS_BATCH;
    }
}

/* There is no bucket: nobody has registered. Whoever knew of collectors waits until a server that recovers must know its streams. */
static void senders_missing(struct evs_nats_senders *senders)
{
    int64_t now_us = senders->shared->now_us;
    senders->missing_since_us = senders->missing_since_us != 0 ? senders->missing_since_us : now_us;
    if (senders->count == 0 || now_us - senders->missing_since_us > SENDERS_MISSING_US) {
        while (senders->count > 0) {
            senders_remove(senders, &senders->items[senders->count - 1]);
        }
        senders->known_us = now_us;
    }
}

void evs_nats_senders_answer(struct evs_nats_senders *senders, uint64_t serial, const struct evs_nats_message *answer)
{
    struct evs_nats_shared *shared = senders->shared;
    struct evs_nats_api_error failure;
    if (senders->phase != PHASE_ASKED || serial != senders->serial) {
        return;
    }
    senders->is_refused = false;
    if (evs_nats_api_failed(answer, &failure)) {
        if (failure.number == EVS_NATS_E_STREAM_NOT_FOUND) {
            senders_missing(senders);
        }
        senders_drop(senders, shared->heartbeat_us);
        return;
    }
    senders->missing_since_us = 0;
    senders->phase = PHASE_RUNNING;
    senders->reading++;
    senders->begun_us = senders->heard_us = shared->now_us;
    senders->request_serial = senders->asked = 0;
    if (evs_nats_json_uint(answer->payload, "num_pending", 1) == 0) {
        senders_settle(senders);
    }
}

static void senders_take_status(struct evs_nats_senders *senders, const struct evs_nats_message *message)
{
    switch (message->status) {
    case 100: /* nothing has waited for a while */
        if (!senders->is_settled) {
            senders_settle(senders);
        }
        break;
    case 404:
    case 408:
        senders->asked = 0;
        break;
    default:
        senders_drop(senders, SENDERS_RETRY_US / 5);
    }
}

bool evs_nats_senders_take(struct evs_nats_senders *senders, const struct evs_nats_message *message)
{
    struct evs_nats_delivery delivery;
    if (senders->sid == 0 || message->sid != senders->sid) {
        return false;
    }
    if (senders->phase != PHASE_RUNNING) {
        return true;
    }
    senders->heard_us = senders->shared->now_us;
    if (message->status != 0) {
        senders_take_status(senders, message);
    } else if (evs_nats_delivery_parse(message->reply, &delivery)) {
        senders->asked -= senders->asked > 0;
        senders_take_change(senders, message, delivery.stream_sequence);
        bool read_all = delivery.pending == 0 || senders->heard_us - senders->begun_us > SENDERS_SETTLE_US;
        if (!senders->is_settled && read_all) {
            senders_settle(senders);
        }
    }
    if (senders->is_settled) {
        senders->known_us = senders->heard_us;
    }
    return true;
}

/* --- time ------------------------------------------------------------------------------------------------------------------------ */

/* No answer: the server is busy, or says at another place that we may not ask. */
static void senders_unanswered(struct evs_nats_senders *senders)
{
    struct evs_nats_shared *shared = senders->shared;
    senders->is_refused = senders_refusals(senders) != senders->refusals;
    if (senders->is_refused && !senders->is_refusal_told && senders->is_speaker) {
        senders->is_refusal_told = true;
        evs_log(
            shared->log, EVS_LOG_WARN, "collectors_unseen",
            "Source %s: this NATS user may not read stream %s, in which collectors register. While one of them cannot "
            "reach NATS, a partition may be taken for idle although its events are only waiting; docs/internals/"
            "jetstream.md lists the permissions.",
            shared->source, senders->stream);
    }
    senders_drop(senders, senders->is_refused ? SENDERS_REFUSED_US : SENDERS_RETRY_US);
}

static bool sender_is_behind(const struct evs_nats_senders *senders, const struct sender *sender)
{
    return !sender->is_absent && senders->shared->now_us - sender->evidence_us > EVS_NATS_SENDERS_BEHIND_US &&
           senders->shared->now_us - senders->begun_us > EVS_NATS_SENDERS_BEHIND_US;
}

/* Says whom silent partitions wait for, once; and that it is over. */
static void sender_tell(const struct evs_nats_senders *senders, struct sender *sender, bool is_behind)
{
    const struct evs_nats_shared *shared = senders->shared;
    sender->is_told = is_behind;
    if (!senders->is_speaker) {
        return;
    }
    if (!is_behind) {
        evs_log(shared->log, EVS_LOG_INFO, "collector_back", "Source %s: collector %s (%s) has stored what it held.",
                shared->source, sender->id, sender->host);
        return;
    }
    bool is_silent = shared->now_us - sender->heard_us > EVS_NATS_SENDERS_BEHIND_US;
    evs_log(
        shared->log, EVS_LOG_WARN, "collector_behind",
        "Source %s: collector %s (%s) %s, so partitions without events are waited for. If it is gone for good, delete "
        "its key: nats kv del %s collector.%s.%s.",
        shared->source, sender->id, sender->host,
        is_silent ? "is not heard of, and may hold events" : "holds events that are not in JetStream yet",
        senders->stream + strlen("KV_"), shared->stream, sender->id);
}

static void sender_tick(const struct evs_nats_senders *senders, struct sender *sender)
{
    const struct evs_nats_shared *shared = senders->shared;
    bool is_over = sender->absence_us > 0 && shared->now_us - sender->heard_us > sender->absence_us;
    if (is_over && !sender->is_absent) {
        sender->is_absent = true;
        sender->is_told = false;
        if (senders->is_speaker) {
            evs_log(shared->log, EVS_LOG_WARN, "collector_absent",
                    "Source %s: collector %s (%s) has not been heard of for %" PRId64
                    " s and is not waited for any more. What its spool holds may come late.",
                    shared->source, sender->id, sender->host, sender->absence_us / 1000000);
        }
    }
    bool is_behind = sender_is_behind(senders, sender);
    if (is_behind != sender->is_told) {
        sender_tell(senders, sender, is_behind);
    }
}

void evs_nats_senders_tick(struct evs_nats_senders *senders, bool drained)
{
    const struct evs_nats_shared *shared = senders->shared;
    if (senders->phase == PHASE_DOWN && shared->now_us >= senders->deadline_us) {
        senders_ask(senders);
    } else if (senders->phase == PHASE_ASKED && shared->now_us >= senders->deadline_us) {
        senders_unanswered(senders);
    } else if (senders->phase == PHASE_RUNNING && drained &&
               shared->now_us - senders->heard_us > shared->heartbeat_us * 5 / 2) {
        senders_drop(senders, 0);
    } else if (senders->phase == PHASE_RUNNING && senders->asked == 0) {
        senders_request(senders);
    }
    for (uint32_t i = 0; i < senders->count; i++) {
        sender_tick(senders, &senders->items[i]);
    }
    if (drained) {
        senders->drained_us = shared->now_us;
    }
}

void evs_nats_senders_reset(struct evs_nats_senders *senders)
{
    senders->sid = 0; /* it went with the connection */
    senders_drop(senders, 0);
}

void evs_nats_senders_state(const struct evs_nats_senders *senders, struct evs_nats_senders_state *state)
{
    const struct evs_nats_shared *shared = senders->shared;
    int64_t oldest_us = INT64_MAX;
    *state = (struct evs_nats_senders_state){.count = senders->count};
    for (uint32_t i = 0; i < senders->count; i++) {
        const struct sender *sender = &senders->items[i];
        if (!sender->is_absent) {
            oldest_us = sender->evidence_us < oldest_us ? sender->evidence_us : oldest_us;
            state->behind += sender_is_behind(senders, sender);
        }
    }
    bool is_complete = senders->known_us != 0 && shared->now_us - senders->known_us <= shared->heartbeat_us * 5 / 2;
    state->is_known = is_complete || senders->is_refused;
    state->complete_us = oldest_us == INT64_MAX ? 0 : oldest_us > 1 ? oldest_us : 1;
}

/* --- new and free ------------------------------------------------------------------------------------------------------------------ */

struct evs_nats_senders *evs_nats_senders_new(struct evs_nats_shared *shared, const char *bucket, bool is_speaker)
{
    struct evs_nats_senders *senders = evs_alloc_zero(sizeof *senders);
    senders->shared = shared;
    senders->is_speaker = is_speaker;
    snprintf(senders->stream, sizeof senders->stream, "KV_%s", bucket);
    int count = snprintf(senders->filter, sizeof senders->filter, "$KV.%s.collector.%s.*", bucket, shared->stream);
    EVS_ASSERT(count > 0 && (size_t)count < sizeof senders->filter);
    senders->prefix_bytes = (size_t)count - 1;
    return senders;
}

void evs_nats_senders_free(struct evs_nats_senders *senders)
{
    if (senders != NULL) {
        senders_drop(senders, 0);
        evs_free(senders->items);
        evs_free(senders);
    }
}
