/* Pull consumers of the simulated JetStream: in memory, without acknowledgements, as the engine makes them. */
#include <inttypes.h>
#include <stdio.h>

#include "nats_json.h"
#include "nats_sim.h"

#define NAME_BYTES 64
#define FILTER_BYTES 200
#define MESSAGE_OVERHEAD 100 /* subject and reply count for max_bytes */

struct request {
    struct request *next;
    char reply[200];
    uint64_t batch, max_bytes;
    bool waits; /* false: it ends when nothing is left */
    int64_t expires_us, heartbeat_us, next_heartbeat_us;
};

struct evs_sim_consumer {
    struct evs_sim_consumer *next;
    struct evs_sim_log *log;
    char name[NAME_BYTES], filter[FILTER_BYTES];
    uint64_t next_sequence, delivered;
    bool headers_only;
    struct request *requests; /* the oldest first */
};

/* --- finding --------------------------------------------------------------------------------------------------------------- */

static struct evs_sim_consumer *find(struct evs_sim_nats *nats, struct evs_slice name)
{
    for (struct evs_sim_consumer *at = nats->consumers; at != NULL; at = at->next) {
        if (evs_slice_equal(name, evs_slice_of(at->name))) {
            return at;
        }
    }
    return NULL;
}

/* The next message at or above the consumer's sequence; *pending counts all of them. */
static const struct evs_sim_message *next_message(const struct evs_sim_consumer *consumer, uint64_t *pending)
{
    const struct evs_sim_log *log = consumer->log;
    const struct evs_sim_message *found = NULL;
    *pending = 0;
    for (uint32_t i = log->count; i-- > log->first && log->messages[i]->sequence >= consumer->next_sequence;) {
        bool fits = consumer->filter[0] == '\0' ||
                    evs_sim_subject_matches(evs_slice_of(consumer->filter), log->messages[i]->subject);
        if (fits && !log->messages[i]->is_deleted) {
            found = log->messages[i];
            (*pending)++;
        }
    }
    return found;
}

/* --- statuses ---------------------------------------------------------------------------------------------------------------- */

static bool say(struct evs_sim_nats *nats, const struct request *request, const char *format, ...) EVS_PRINTF(3, 4);
static bool say(struct evs_sim_nats *nats, const struct request *request, const char *format, ...)
{
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct evs_slice reply = evs_slice_of(request->reply);
    return evs_sim_nats_deliver(nats, reply, reply, EVS_SLICE(""), evs_slice_of(text), EVS_SLICE(""));
}

static void drop_first(struct evs_sim_consumer *consumer)
{
    struct request *first = consumer->requests;
    consumer->requests = first->next;
    evs_free(first);
}

static void end_request(struct evs_sim_nats *nats, struct evs_sim_consumer *consumer, const char *status)
{
    const struct request *request = consumer->requests;
    (void)say(nats, request,
              "NATS/1.0 %s\r\nNats-Pending-Messages: %" PRIu64 "\r\nNats-Pending-Bytes: %" PRIu64 "\r\n\r\n", status,
              request->batch, request->max_bytes);
    drop_first(consumer);
}

/* --- delivering -------------------------------------------------------------------------------------------------------------- */

static bool deliver_one(struct evs_sim_nats *nats, struct evs_sim_consumer *consumer)
{
    uint64_t pending;
    const struct evs_sim_message *message = next_message(consumer, &pending);
    struct request *request = consumer->requests;
    if (message == NULL || request == NULL) {
        return false;
    }
    uint64_t bytes = message->payload.count + message->headers.count + message->subject.count + MESSAGE_OVERHEAD;
    if (bytes > request->max_bytes) {
        end_request(nats, consumer, "409 Message Size Exceeds MaxBytes");
        return true;
    }
    char reply[300];
    int count = snprintf(reply, sizeof reply, "$JS.ACK.%s.%s.1.%" PRIu64 ".%" PRIu64 ".%" PRId64 ".%" PRIu64,
                         consumer->log->name, consumer->name, message->sequence, consumer->delivered + 1,
                         message->wall_us * 1000, pending - 1);
    struct evs_slice payload = consumer->headers_only ? EVS_SLICE("") : message->payload;
    if (!evs_sim_nats_deliver(nats, evs_slice_of(request->reply), message->subject,
                              (struct evs_slice){reply, (size_t)count}, message->headers, payload)) {
        drop_first(consumer); /* nobody listens any more */
        return true;
    }
    consumer->delivered++;
    consumer->next_sequence = message->sequence + 1;
    request->max_bytes -= bytes;
    request->next_heartbeat_us = nats->server.world->now_us + request->heartbeat_us;
    if (--request->batch == 0) {
        drop_first(consumer);
    }
    return true;
}

void evs_sim_nats_pump(struct evs_sim_nats *nats)
{
    for (struct evs_sim_consumer *at = nats->consumers; at != NULL; at = at->next) {
        while (deliver_one(nats, at)) {
        }
    }
}

/* --- time ------------------------------------------------------------------------------------------------------------------- */

struct ticking {
    struct evs_sim_nats *nats;
    uint64_t life;
    char name[NAME_BYTES];
};

/* Heartbeats of the oldest request, and ends of requests whose time is over; it runs as long as the consumer is there. */
static void tick(void *target, uint64_t number)
{
    struct ticking *ticking = target;
    struct evs_sim_nats *nats = ticking->nats;
    int64_t now_us = nats->server.world->now_us;
    (void)number;
    struct evs_sim_consumer *consumer =
        nats->server.is_up && nats->server.life == ticking->life ? find(nats, evs_slice_of(ticking->name)) : NULL;
    if (consumer == NULL) {
        evs_free(ticking);
        return;
    }
    bool is_stopped = now_us < nats->server.away_until_us;
    while (!is_stopped && consumer->requests != NULL && now_us >= consumer->requests->expires_us) {
        end_request(nats, consumer, "408 Request Timeout");
    }
    struct request *request = consumer->requests;
    if (!is_stopped && request != NULL && now_us >= request->next_heartbeat_us) {
        request->next_heartbeat_us = now_us + request->heartbeat_us;
        (void)say(nats, request,
                  "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: %" PRIu64 "\r\nNats-Last-Stream: %" PRIu64
                  "\r\n\r\n",
                  consumer->delivered, consumer->next_sequence - 1);
    }
    evs_sim_at(nats->server.world, EVS_SIM_SECOND / 4, tick, ticking, 0);
}

/* --- the API -------------------------------------------------------------------------------------------------------------------- */

bool evs_sim_nats_consumer_create(struct evs_sim_nats *nats, struct evs_sim_log *log, struct evs_slice body,
                                  struct evs_buffer *answer)
{
    struct evs_sim_consumer *made = evs_alloc_zero(sizeof *made);
    struct evs_slice config;
    bool understood = evs_nats_json_find(body, "config", &config);
    EVS_ASSERT(understood);
    made->log = log;
    (void)evs_nats_json_string(config, "name", made->name, sizeof made->name);
    (void)evs_nats_json_string(config, "filter_subject", made->filter, sizeof made->filter);
    made->headers_only = evs_nats_json_true(config, "headers_only");
    uint64_t start = evs_nats_json_uint(config, "opt_start_seq", 0), pending;
    EVS_ASSERT(start > 0); /* the simulation asks for no start by time */
    uint64_t least = log->first < log->count ? log->messages[log->first]->sequence : log->last_sequence + 1;
    made->next_sequence = start > least ? start : least;
    made->next = nats->consumers;
    nats->consumers = made;
    (void)next_message(made, &pending);
    evs_buffer_printf(answer,
                      "{\"name\":\"%s\",\"config\":{\"ack_policy\":\"none\",\"deliver_policy\":"
                      "\"by_start_sequence\",\"opt_start_seq\":%" PRIu64,
                      made->name, start);
    if (made->filter[0] != '\0') {
        evs_buffer_printf(answer, ",\"filter_subject\":\"%s\"", made->filter);
    }
    evs_buffer_printf(answer,
                      "},\"delivered\":{\"consumer_seq\":0,\"stream_seq\":%" PRIu64 "},\"num_pending\":%" PRIu64 "}",
                      made->next_sequence - 1, pending);
    struct ticking *ticking = evs_alloc(sizeof *ticking);
    *ticking = (struct ticking){.nats = nats, .life = nats->server.life};
    memcpy(ticking->name, made->name, sizeof ticking->name);
    evs_sim_at(nats->server.world, EVS_SIM_SECOND / 4, tick, ticking, 0);
    return true;
}

static void free_consumer(struct evs_sim_consumer *consumer)
{
    while (consumer->requests != NULL) {
        drop_first(consumer);
    }
    evs_free(consumer);
}

bool evs_sim_nats_consumer_drop(struct evs_sim_nats *nats, struct evs_slice name, const char *why)
{
    for (struct evs_sim_consumer **at = &nats->consumers; *at != NULL; at = &(*at)->next) {
        struct evs_sim_consumer *found = *at;
        if (evs_slice_equal(name, evs_slice_of(found->name))) {
            while (why != NULL && found->requests != NULL) {
                end_request(nats, found, why);
            }
            *at = found->next;
            free_consumer(found);
            return true;
        }
    }
    return false;
}

void evs_sim_nats_consumer_ask(struct evs_sim_nats *nats, struct evs_slice name, struct evs_slice reply,
                               struct evs_slice body)
{
    struct evs_sim_consumer *consumer = find(nats, name);
    int64_t now_us = nats->server.world->now_us;
    if (consumer == NULL) {
        (void)evs_sim_nats_deliver(nats, reply, reply, EVS_SLICE(""), EVS_SLICE("NATS/1.0 503\r\n\r\n"), EVS_SLICE(""));
        return;
    }
    struct request *made = evs_alloc_zero(sizeof *made);
    EVS_ASSERT(reply.count < sizeof made->reply);
    memcpy(made->reply, reply.data, reply.count);
    made->batch = evs_nats_json_uint(body, "batch", 1);
    made->waits = !evs_nats_json_true(body, "no_wait");
    made->max_bytes = evs_nats_json_uint(body, "max_bytes", UINT32_MAX);
    made->expires_us = now_us + (int64_t)evs_nats_json_uint(body, "expires", 0) / 1000;
    made->heartbeat_us = (int64_t)evs_nats_json_uint(body, "idle_heartbeat", 0) / 1000;
    made->next_heartbeat_us = now_us + made->heartbeat_us;
    struct request **at = &consumer->requests;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = made;
    uint64_t pending;
    bool is_empty = next_message(consumer, &pending) == NULL;
    while (deliver_one(nats, consumer)) {
    }
    if (consumer->requests == made &&
        !made->waits) { /* as nats-server does: 404 when there was nothing, else 408 behind the last */
        end_request(nats, consumer, is_empty ? "404 No Messages" : "408 Request Timeout");
    }
}

bool evs_sim_nats_delete_consumer(struct evs_sim_nats *nats)
{
    if (nats->consumers == NULL) {
        return false;
    }
    char name[NAME_BYTES];
    memcpy(name, nats->consumers->name, sizeof name);
    return evs_sim_nats_consumer_drop(nats, evs_slice_of(name), "409 Consumer Deleted");
}

void evs_sim_nats_consumers_fini(struct evs_sim_nats *nats)
{
    while (nats->consumers != NULL) {
        struct evs_sim_consumer *next = nats->consumers->next;
        free_consumer(nats->consumers);
        nats->consumers = next;
    }
}
