/* One thread of ours; the client library reconnects by itself. Answers come to an inbox whose last token is the message's number. */
#include "shop_publish.h"

#include <inttypes.h>
#include <nats/nats.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shop_text.h"

#define WINDOW 512u
#define OVERDUE_US INT64_C(1000000)
#define RECONNECT_MS 50
#define SECOND_NS INT64_C(1000000000)
#define DUPLICATE_WINDOW_NS (INT64_C(120) * SECOND_NS)
#define MAX_AGE_NS (INT64_C(7 * 86400) * SECOND_NS)

struct waiting {
    uint64_t number; /* from 1; 0: the slot is free */
    int64_t sent_us;
    struct evs_shop_message message;
};

struct evs_shop_publisher {
    natsConnection *connection;
    natsSubscription *answers;
    FILE *record;
    uint64_t run;          /* keeps the ids of this run apart from another's */
    uint64_t next, oldest; /* numbers: of the next message, of the oldest one that is not stored */
    char inbox[64];
    struct evs_buffer text;
    struct evs_shop_published counters;
    atomic_uint reconnects; /* counted by a thread of the library */
    unsigned seen_reconnects;
    struct waiting window[WINDOW];
};

static int64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000) + time.tv_nsec / 1000;
}

static void check(natsStatus status, const char *what)
{
    if (status != NATS_OK) {
        fprintf(stderr, "evs_shop: %s: %s\n", what, natsStatus_GetText(status));
        exit(3);
    }
}

static void on_reconnect(natsConnection *connection, void *closure)
{
    struct evs_shop_publisher *publisher = closure;
    (void)connection;
    atomic_fetch_add(&publisher->reconnects, 1);
}

static void connect_to(struct evs_shop_publisher *publisher, const char *url)
{
    natsOptions *options = NULL;
    check(natsOptions_Create(&options), "no options");
    check(natsOptions_SetURL(options, url), "the address of NATS is wrong");
    check(natsOptions_SetMaxReconnect(options, -1), "no reconnecting");
    check(natsOptions_SetReconnectWait(options, RECONNECT_MS), "no reconnecting");
    check(natsOptions_SetReconnectedCB(options, on_reconnect, publisher), "no reconnecting");
    check(natsOptions_SetSendAsap(options, true), "no sending at once");
    /* The ping timer of cnats 3.4 may close a socket that another thread reads; a dead server shows by its silence here. */
    check(natsOptions_SetPingInterval(options, 0), "no pings");
    check(natsConnection_Connect(&publisher->connection, options), "cannot connect to NATS");
    natsOptions_Destroy(options);
}

static void make_stream(struct evs_shop_publisher *publisher, const char *stream)
{
    jsCtx *js = NULL;
    jsStreamInfo *info = NULL;
    jsErrCode code = 0;
    jsStreamConfig config;
    const char *subjects[] = {"clicks.>"};
    check(natsConnection_JetStream(&js, publisher->connection, NULL), "no JetStream");
    natsStatus status = js_GetStreamInfo(&info, js, stream, NULL, &code);
    if (status == NATS_NOT_FOUND) {
        jsStreamConfig_Init(&config);
        config.Name = stream;
        config.Subjects = subjects;
        config.SubjectsLen = 1;
        config.Storage = js_FileStorage;
        config.MaxAge = MAX_AGE_NS;
        config.Duplicates = DUPLICATE_WINDOW_NS;
        status = js_AddStream(&info, js, &config, NULL, &code);
    }
    check(status, "cannot make the stream");
    jsStreamInfo_Destroy(info);
    jsCtx_Destroy(js);
}

struct evs_shop_publisher *evs_shop_publisher_new(const char *url, const char *stream, FILE *record)
{
    struct evs_shop_publisher *publisher = evs_alloc_zero(sizeof *publisher);
    char answers[80];
    publisher->record = record;
    publisher->next = publisher->oldest = 1;
    publisher->run = (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid();
    connect_to(publisher, url);
    make_stream(publisher, stream);
    snprintf(publisher->inbox, sizeof publisher->inbox, "_INBOX.shop%" PRIx64, publisher->run);
    snprintf(answers, sizeof answers, "%s.*", publisher->inbox);
    check(natsConnection_SubscribeSync(&publisher->answers, publisher->connection, answers), "cannot subscribe");
    return publisher;
}

void evs_shop_publisher_free(struct evs_shop_publisher *publisher)
{
    natsSubscription_Destroy(publisher->answers);
    natsConnection_Destroy(publisher->connection);
    for (uint32_t i = 0; i < WINDOW; i++) {
        evs_buffer_fini(&publisher->window[i].message.payload);
    }
    evs_buffer_fini(&publisher->text);
    evs_free(publisher);
    nats_Close();
}

bool evs_shop_has_room(const struct evs_shop_publisher *publisher)
{
    EVS_ASSERT(publisher->oldest <= publisher->next);
    return publisher->next - publisher->oldest < WINDOW;
}

bool evs_shop_all_stored(const struct evs_shop_publisher *publisher)
{
    return publisher->oldest == publisher->next;
}

const struct evs_shop_published *evs_shop_published(const struct evs_shop_publisher *publisher)
{
    return &publisher->counters;
}

/* --- sending ------------------------------------------------------------------------------------------------------------- */

/* False when it did not go out, which is the connection's failure: the message is overdue some time and is tried again. */
static bool send_once(struct evs_shop_publisher *publisher, struct waiting *waiting)
{
    char subject[32], reply[96], id[64];
    natsMsg *message = NULL;
    bool sent = false;
    waiting->sent_us = now_us();
    if (natsConnection_Status(publisher->connection) != NATS_CONN_STATUS_CONNECTED) {
        return false;
    }
    snprintf(subject, sizeof subject, "clicks.%" PRIu32 ".web", waiting->message.partition);
    snprintf(reply, sizeof reply, "%s.%" PRIu64, publisher->inbox, waiting->number);
    snprintf(id, sizeof id, "%" PRIx64 "-%" PRIu64, publisher->run, waiting->number);
    const struct evs_buffer *payload = &waiting->message.payload;
    if (natsMsg_Create(&message, subject, reply, payload->data, (int)payload->count) == NATS_OK &&
        natsMsgHeader_Set(message, "Nats-Msg-Id", id) == NATS_OK) {
        sent = natsConnection_PublishMsg(publisher->connection, message) == NATS_OK;
    }
    natsMsg_Destroy(message);
    return sent;
}

/* Sends again what has no answer: after a reconnection everything, in order and before anything new, so that an outage does not make
 * events late; otherwise what is overdue. */
static void send_again(struct evs_shop_publisher *publisher)
{
    int64_t now = now_us();
    unsigned reconnects = atomic_load(&publisher->reconnects);
    bool all = reconnects != publisher->seen_reconnects;
    publisher->seen_reconnects = reconnects;
    for (uint64_t number = publisher->oldest; number < publisher->next; number++) {
        struct waiting *waiting = &publisher->window[number % WINDOW];
        if (waiting->number == number && (all || now - waiting->sent_us >= OVERDUE_US)) {
            publisher->counters.resent += send_once(publisher, waiting);
        }
    }
}

void evs_shop_publish(struct evs_shop_publisher *publisher, struct evs_shop_message *message)
{
    EVS_ASSERT(evs_shop_has_room(publisher) && message->event_count > 0);
    struct waiting *waiting = &publisher->window[publisher->next % WINDOW];
    struct evs_buffer spare = waiting->message.payload;
    EVS_ASSERT(waiting->number == 0);
    send_again(publisher);
    waiting->number = publisher->next++;
    waiting->message = *message;
    spare.count = 0;
    message->payload = spare;
    message->event_count = 0;
    (void)send_once(publisher, waiting);
    if (waiting->message.repeat && send_once(publisher, waiting)) {
        publisher->counters.repeated++;
    }
}

/* --- answers --------------------------------------------------------------------------------------------------------------- */

static void write_record(struct evs_shop_publisher *publisher, const struct evs_shop_message *message,
                         uint64_t sequence)
{
    if (publisher->record == NULL) {
        return;
    }
    publisher->text.count = 0;
    for (uint32_t i = 0; i < message->event_count; i++) {
        evs_shop_put_record(&publisher->text, &message->events[i], message->partition, sequence, i);
    }
    fwrite(publisher->text.data, 1, publisher->text.count, publisher->record);
}

static void stored(struct evs_shop_publisher *publisher, uint64_t number, uint64_t sequence)
{
    struct waiting *waiting = &publisher->window[number % WINDOW];
    if (waiting->number != number) {
        return; /* the answer to another copy has come before */
    }
    write_record(publisher, &waiting->message, sequence);
    publisher->counters.messages++;
    publisher->counters.events += waiting->message.event_count;
    waiting->number = 0;
    while (publisher->oldest < publisher->next &&
           publisher->window[publisher->oldest % WINDOW].number != publisher->oldest) {
        publisher->oldest++;
    }
}

/* {"stream":"CLICKS", "seq":12} or {"stream":"CLICKS", "seq":12,"duplicate": true}; a refusal has an "error". */
static void take_answer(struct evs_shop_publisher *publisher, natsMsg *answer)
{
    const char *subject = natsMsg_GetSubject(answer), *dot = strrchr(subject, '.');
    char text[256];
    snprintf(text, sizeof text, "%.*s", natsMsg_GetDataLength(answer), natsMsg_GetData(answer));
    const char *sequence = strstr(text, "\"seq\":");
    if (dot == NULL || sequence == NULL || strstr(text, "\"error\"") != NULL) {
        return;
    }
    publisher->counters.dropped += strstr(text, "\"duplicate\"") != NULL;
    stored(publisher, strtoull(dot + 1, NULL, 10), strtoull(sequence + strlen("\"seq\":"), NULL, 10));
}

void evs_shop_pump(struct evs_shop_publisher *publisher, int wait_ms)
{
    natsMsg *answer = NULL;
    while (natsSubscription_NextMsg(&answer, publisher->answers, wait_ms) == NATS_OK) {
        take_answer(publisher, answer);
        natsMsg_Destroy(answer);
        answer = NULL;
        wait_ms = 0;
    }
    send_again(publisher);
}
