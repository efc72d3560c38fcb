#include "delivery.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "nats_api.h"
#include "nats_json.h"
#include "nats_protocol.h"
#include "nats_window.h"
#include "wake.h"

#define DELIVERY_ANSWER_SID 2
#define DELIVERY_TICK_US 20000
#define DELIVERY_BACKOFF_US 100000
#define DELIVERY_BACKOFF_MAX_US 2000000
#define DELIVERY_DRAIN_MAX 256 /* messages of the spool in flight */
#define DELIVERY_RECONNECT_US 1000000

enum delivery_mode { DELIVERY_DIRECT, DELIVERY_SPOOLING };

/* What a slot of the window holds: a parcel, or a record of the spool. */
struct cargo {
    struct evs_parcel *parcel;
    uint64_t spool_number;
};

/* Parcels in a row. */
struct parcel_queue {
    struct evs_parcel *first, *last;
};

/* A parcel that waits for the spool's sync. */
struct unsynced {
    struct evs_parcel *parcel;
    uint64_t number;
};

/* Makes the first connection on a thread of its own; afterwards the wire keeps it by itself. */
struct opener {
    struct evs_thread *thread;
    struct evs_park *park;
    struct evs_nats_wire *wire;
    char inbox[EVS_UPSTREAM_INBOX_BYTES];
    struct evs_wake done;
    struct evs_error told; /* an outage may last for hours: what has not changed since the last try is not told again */
    _Atomic bool stop;
};

struct evs_delivery {
    struct evs_delivery_options options;
    enum delivery_mode mode;
    struct evs_nats_wire *wire; /* NULL: never connected yet */
    struct evs_nats_wire_state state;
    char inbox[EVS_UPSTREAM_INBOX_BYTES];
    uint64_t connection; /* of which our subscription is */
    struct opener opener;

    struct event *socket_event, *tick_event;
    uint64_t watched_connection;
    int watched_fd; /* -1: none */
    short watched_what;

    struct parcel_queue queue; /* closed, not in the window yet; only in DIRECT */
    struct evs_nats_window window;
    struct cargo *cargo; /* by slot */
    uint64_t serial;
    int64_t now_us, reconnected_us;

    struct evs_spool *spool; /* NULL: off */
    struct evs_wake spool_wake;
    struct unsynced *unsynced; /* in the order of their numbers */
    uint32_t unsynced_count, unsynced_capacity;
    struct evs_spool_record pending; /* read from the spool, no room in the window yet */
    bool has_pending;
    uint64_t drained; /* the last record that went into the window */
    uint64_t told;    /* `drained`, when the spool was last told to be empty */

    uint32_t held; /* parcels that are not settled */
    int64_t settled_us;
    struct evs_delivery_counters counters;
};

/* --- parcels ------------------------------------------------------------------------------------------------------------ */

static void queue_put(struct parcel_queue *queue, struct evs_parcel *parcel)
{
    parcel->next = NULL;
    if (queue->last == NULL) {
        queue->first = parcel;
    } else {
        queue->last->next = parcel;
    }
    queue->last = parcel;
}

static struct evs_parcel *queue_take(struct parcel_queue *queue)
{
    struct evs_parcel *parcel = queue->first;
    queue->first = parcel->next;
    queue->last = queue->first == NULL ? NULL : queue->last;
    parcel->next = NULL;
    return parcel;
}

static void delivery_settle(struct evs_delivery *delivery, struct evs_parcel *parcel, bool stored)
{
    EVS_ASSERT(delivery->held > 0);
    delivery->held--;
    delivery->counters.parcels_failed += !stored;
    evs_parcel_settle(parcel, stored);
}

/* --- the spool ---------------------------------------------------------------------------------------------------------- */

static void delivery_spool_parcel(struct evs_delivery *delivery, struct evs_parcel *parcel)
{
    struct evs_error error;
    struct evs_spool_record record = {
        .id = parcel->id, .subject = evs_parcel_subject(parcel), .payload = {parcel->lines.data, parcel->lines.count}};
    evs_status status = evs_spool_append(delivery->spool, &record, &error);
    if (status != EVS_OK) {
        evs_log(delivery->options.log, EVS_LOG_ERROR, status == EVS_E_LIMIT ? "spool_full" : "spool_write",
                "%s Clients are told to come again.", error.text);
        delivery_settle(delivery, parcel, false);
        return;
    }
    delivery->counters.messages_spooled++;
    EVS_GROW(delivery->unsynced, delivery->unsynced_count, delivery->unsynced_capacity);
    delivery->unsynced[delivery->unsynced_count++] = (struct unsynced){parcel, record.number};
    evs_spool_sync(delivery->spool);
}

/* Settles the parcels with numbers up to `last`, in order; those from `failed_from` on as not stored. */
static void delivery_settle_synced(struct evs_delivery *delivery, uint64_t last, uint64_t failed_from)
{
    uint32_t count = 0;
    while (count < delivery->unsynced_count && delivery->unsynced[count].number <= last) {
        count++;
    }
    /* The list is cut first: settling answers requests, whose next ones may come in at once. */
    for (uint32_t i = 0; i < count; i++) {
        struct unsynced first = delivery->unsynced[0];
        memmove(delivery->unsynced, delivery->unsynced + 1, --delivery->unsynced_count * sizeof *delivery->unsynced);
        delivery_settle(delivery, first.parcel, first.number < failed_from);
    }
}

static void delivery_on_spool(void *context)
{
    struct evs_delivery *delivery = context;
    struct evs_spool_state state;
    uint64_t first, last;
    evs_spool_sync(delivery->spool);
    while (evs_spool_failed(delivery->spool, &first, &last)) {
        delivery_settle_synced(delivery, last, first);
    }
    evs_spool_state(delivery->spool, &state);
    delivery_settle_synced(delivery, state.synced, UINT64_MAX);
}

/* All that is not acknowledged goes into the spool, the oldest first. */
static void delivery_leave_direct(struct evs_delivery *delivery, const char *why)
{
    EVS_ASSERT(delivery->spool != NULL && delivery->mode == DELIVERY_DIRECT);
    evs_log(delivery->options.log, EVS_LOG_WARN, "nats_away", "Events go to the spool: %s.", why);
    delivery->mode = DELIVERY_SPOOLING;
    struct parcel_queue unsent = {0};
    while (delivery->window.first != EVS_NATS_NO_SLOT) {
        struct cargo *cargo = &delivery->cargo[delivery->window.first];
        queue_put(&unsent, cargo->parcel);
        *cargo = (struct cargo){0};
        evs_nats_window_done(&delivery->window, &delivery->window.slots[delivery->window.first]);
    }
    while (unsent.first != NULL) {
        delivery_spool_parcel(delivery, queue_take(&unsent));
    }
    while (delivery->queue.first != NULL) {
        delivery_spool_parcel(delivery, queue_take(&delivery->queue));
    }
}

static void delivery_return_to_direct(struct evs_delivery *delivery)
{
    bool done = delivery->mode == DELIVERY_SPOOLING && delivery->state.connected && !delivery->has_pending &&
                delivery->window.used == 0 && delivery->unsynced_count == 0 && evs_spool_is_empty(delivery->spool);
    if (done) {
        delivery->mode = DELIVERY_DIRECT;
        enum evs_log_level level = delivery->drained > delivery->told ? EVS_LOG_INFO : EVS_LOG_DEBUG;
        delivery->told = delivery->drained;
        evs_log(delivery->options.log, level, "spool_drained", "The spool is empty: all of it is in JetStream.");
    }
}

/* --- sending ------------------------------------------------------------------------------------------------------------ */

static bool delivery_publish(struct evs_delivery *delivery, struct evs_nats_slot *slot)
{
    char reply[200];
    int count = snprintf(reply, sizeof reply, "%s.%u.%" PRIu64, delivery->inbox,
                         evs_nats_window_index(&delivery->window, slot), slot->number);
    if (delivery->connection == 0 || delivery->state.connection != delivery->connection ||
        delivery->wire->type->publish(delivery->wire, evs_nats_slot_subject(slot),
                                      (struct evs_slice){reply, (size_t)count}, evs_nats_slot_headers(slot),
                                      evs_nats_slot_payload(slot)) != EVS_OK) {
        return false;
    }
    delivery->counters.messages_resent += slot->attempts > 0;
    evs_nats_window_sent(&delivery->window, slot, delivery->now_us + delivery->options.ack_timeout_us / 2);
    return true;
}

/* Sends what waits, oldest first, up to the first that must wait longer: the order is kept. */
static void delivery_send(struct evs_delivery *delivery)
{
    struct evs_nats_window *window = &delivery->window;
    for (uint32_t at = window->first; at != EVS_NATS_NO_SLOT && window->waiting > 0; at = window->slots[at].next) {
        struct evs_nats_slot *slot = &window->slots[at];
        if (slot->state == EVS_NATS_SLOT_WAITING &&
            (slot->due_us > delivery->now_us || !delivery_publish(delivery, slot))) {
            return;
        }
    }
}

static bool delivery_load(struct evs_delivery *delivery, struct evs_slice subject, struct evs_hash128 id,
                          struct evs_slice payload, struct cargo cargo)
{
    char id_line[64];
    int count = snprintf(id_line, sizeof id_line, "Nats-Msg-Id: %016" PRIx64 "%016" PRIx64 "\r\n", id.high, id.low);
    struct evs_sink_message message = {.number = delivery->serial + 1, .address = subject, .payload = payload};
    struct evs_nats_slot *slot =
        evs_nats_window_add(&delivery->window, &message, (struct evs_slice){id_line, (size_t)count});
    if (slot == NULL) {
        return false;
    }
    delivery->serial++;
    delivery->cargo[evs_nats_window_index(&delivery->window, slot)] = cargo;
    return true;
}

static void delivery_load_queue(struct evs_delivery *delivery)
{
    while (delivery->queue.first != NULL) {
        struct evs_parcel *parcel = delivery->queue.first;
        if (!delivery_load(delivery, evs_parcel_subject(parcel), parcel->id,
                           (struct evs_slice){parcel->lines.data, parcel->lines.count},
                           (struct cargo){.parcel = parcel})) {
            return;
        }
        (void)queue_take(&delivery->queue);
    }
}

static void delivery_load_spool(struct evs_delivery *delivery)
{
    while (delivery->window.used < DELIVERY_DRAIN_MAX) {
        struct evs_spool_record *record = &delivery->pending;
        if (!delivery->has_pending && evs_spool_next(delivery->spool, record) != EVS_OK) {
            return;
        }
        delivery->has_pending = !delivery_load(delivery, record->subject, record->id, record->payload,
                                               (struct cargo){.spool_number = record->number});
        if (delivery->has_pending) {
            return;
        }
        delivery->drained = record->number;
    }
}

/* Everything before the oldest record in the window is delivered. */
static void delivery_tell_spool(struct evs_delivery *delivery)
{
    uint64_t done = delivery->drained;
    if (delivery->window.first != EVS_NATS_NO_SLOT) {
        done = delivery->cargo[delivery->window.first].spool_number - 1;
    }
    evs_spool_delivered(delivery->spool, done);
}

static void delivery_pump(struct evs_delivery *delivery)
{
    if (delivery->mode == DELIVERY_DIRECT) {
        delivery_load_queue(delivery);
    } else if (delivery->state.connected) {
        delivery_load_spool(delivery);
    }
    delivery_send(delivery);
    if (delivery->wire != NULL) {
        delivery->wire->type->drive(delivery->wire);
    }
}

/* --- answers ------------------------------------------------------------------------------------------------------------ */

static void delivery_acknowledge(struct evs_delivery *delivery, struct evs_nats_slot *slot, struct evs_slice answer)
{
    struct cargo *place = &delivery->cargo[evs_nats_window_index(&delivery->window, slot)], cargo = *place;
    *place = (struct cargo){0};
    delivery->counters.messages_acknowledged++;
    delivery->counters.messages_duplicate += evs_nats_json_true(answer, "duplicate");
    evs_nats_window_done(&delivery->window, slot);
    if (cargo.parcel != NULL) {
        delivery_settle(delivery, cargo.parcel, true);
    } else {
        delivery->counters.messages_drained++;
        delivery_tell_spool(delivery);
    }
}

/* A stream that is full, has no leader or is not there: an operator can mend all of it, so nothing is given up here. */
static void delivery_refused(struct evs_delivery *delivery, struct evs_nats_slot *slot, const char *why)
{
    struct evs_slice subject = evs_nats_slot_subject(slot);
    uint32_t doublings = slot->attempts < 8 ? slot->attempts : 8;
    int64_t wait_us = (int64_t)DELIVERY_BACKOFF_US << doublings;
    delivery->counters.messages_refused++;
    evs_log(delivery->options.log, EVS_LOG_WARN, "nats_refused", "JetStream takes no message for %.*s now: %s.",
            (int)subject.count, subject.data, why);
    evs_nats_window_again(&delivery->window, slot,
                          delivery->now_us + (wait_us < DELIVERY_BACKOFF_MAX_US ? wait_us : DELIVERY_BACKOFF_MAX_US));
}

/* "<inbox>.<slot>.<number>": the number tells whether the slot still holds that message. */
static struct evs_nats_slot *delivery_find_slot(struct evs_delivery *delivery, struct evs_slice subject)
{
    uint64_t index, number;
    if (!evs_nats_answer_parse(subject, strlen(delivery->inbox) + 1, &index, &number) ||
        index >= EVS_NATS_WINDOW_MESSAGES) {
        return NULL;
    }
    struct evs_nats_slot *slot = &delivery->window.slots[index];
    return slot->state == EVS_NATS_SLOT_SENT && slot->number == number ? slot : NULL;
}

/* The library tells that nobody answered, but not whom: answers come in order, so it was the oldest. */
static struct evs_nats_slot *delivery_oldest_sent(struct evs_delivery *delivery)
{
    uint32_t at = delivery->window.first;
    while (at != EVS_NATS_NO_SLOT && delivery->window.slots[at].state != EVS_NATS_SLOT_SENT) {
        at = delivery->window.slots[at].next;
    }
    return at == EVS_NATS_NO_SLOT ? NULL : &delivery->window.slots[at];
}

static void delivery_take_answer(struct evs_delivery *delivery, const struct evs_nats_message *answer)
{
    struct evs_nats_api_error failure;
    struct evs_nats_slot *slot =
        answer->subject.count > 0 ? delivery_find_slot(delivery, answer->subject) : delivery_oldest_sent(delivery);
    if (slot == NULL) {
        return; /* of an attempt that another one has overtaken, or of a parcel that is in the spool now */
    }
    if (answer->status == 503) {
        delivery_refused(delivery, slot, "no stream stores it (`evstream collect --create` makes it)");
    } else if (evs_nats_api_failed(answer, &failure)) {
        delivery_refused(delivery, slot, failure.text);
    } else {
        delivery_acknowledge(delivery, slot, answer->payload);
    }
}

static void delivery_receive(struct evs_delivery *delivery)
{
    const struct evs_nats_wire_type *type = delivery->wire->type;
    struct evs_nats_message answer;
    for (evs_status status; (status = type->next(delivery->wire, &answer)) != EVS_AGAIN;) {
        if (status == EVS_MORE) {
            type->release(delivery->wire);
        } else if (answer.sid == DELIVERY_ANSWER_SID) {
            delivery_take_answer(delivery, &answer);
        }
    }
    type->release(delivery->wire);
}

/* --- the connection ------------------------------------------------------------------------------------------------------ */

static void delivery_take_connection(struct evs_delivery *delivery)
{
    char inbox[EVS_UPSTREAM_INBOX_BYTES + 8];
    snprintf(inbox, sizeof inbox, "%s.*.*", delivery->inbox);
    if (delivery->wire->type->subscribe(delivery->wire, inbox, DELIVERY_ANSWER_SID) != EVS_OK) {
        return;
    }
    delivery->connection = delivery->state.connection;
    for (uint32_t at = delivery->window.first; at != EVS_NATS_NO_SLOT; at = delivery->window.slots[at].next) {
        struct evs_nats_slot *slot = &delivery->window.slots[at];
        if (slot->state == EVS_NATS_SLOT_SENT) {
            evs_nats_window_again(&delivery->window, slot, delivery->now_us);
        }
    }
}

/* Wherever a connection is seen to have broken, it is counted. */
static void delivery_read_state(struct evs_delivery *delivery)
{
    bool was_connected = delivery->state.connected;
    uint64_t connection = delivery->state.connection;
    delivery->wire->type->state(delivery->wire, &delivery->state);
    bool is_another = delivery->state.connection != connection;
    delivery->counters.disconnects += was_connected && (!delivery->state.connected || is_another);
}

static void delivery_look(struct evs_delivery *delivery)
{
    delivery->wire->type->drive(delivery->wire);
    delivery->now_us = evs_monotonic_us(delivery->options.os);
    delivery_read_state(delivery);
    if (delivery->state.connected && delivery->state.connection != delivery->connection) {
        delivery_take_connection(delivery);
    }
}

static void delivery_on_socket(evutil_socket_t fd, short what, void *argument);

/* The wire may have closed its socket and opened another one under the same number: then the kernel has forgotten what libevent
 * believes to be registered. So the event is made anew with every connection, and all the time while there is none. */
static void delivery_watch(struct evs_delivery *delivery)
{
    struct evs_wait_fd fd = {.fd = -1};
    bool any = delivery->wire->type->wait_fds(delivery->wire, &fd, 1) > 0;
    short what = (short)(EV_PERSIST | (fd.want_read ? EV_READ : 0) | (fd.want_write ? EV_WRITE : 0));
    bool same = any && delivery->state.connected && delivery->watched_fd == fd.fd && delivery->watched_what == what &&
                delivery->watched_connection == delivery->state.connection;
    if (same) {
        return;
    }
    if (delivery->watched_fd >= 0) {
        event_del(delivery->socket_event);
        delivery->watched_fd = -1;
    }
    if (any) {
        event_assign(delivery->socket_event, delivery->options.base, fd.fd, what, delivery_on_socket, delivery);
        EVS_ASSERT(event_add(delivery->socket_event, NULL) == 0);
        delivery->watched_fd = fd.fd;
        delivery->watched_what = what;
        delivery->watched_connection = delivery->state.connection;
    }
}

/* --- rounds of work ------------------------------------------------------------------------------------------------------- */

/* The parcel that has waited longest; NULL: none waits. */
static const struct evs_parcel *delivery_oldest(const struct evs_delivery *delivery)
{
    uint32_t at = delivery->window.first;
    return at != EVS_NATS_NO_SLOT ? delivery->cargo[at].parcel : delivery->queue.first;
}

/* Without a spool: who has waited too long is told so. Acknowledgements that come later find no slot. */
static void delivery_expire(struct evs_delivery *delivery)
{
    const struct evs_parcel *oldest;
    while ((oldest = delivery_oldest(delivery)) != NULL &&
           delivery->now_us - oldest->closed_us > delivery->options.ack_timeout_us) {
        uint32_t at = delivery->window.first;
        struct evs_parcel *parcel;
        if (at != EVS_NATS_NO_SLOT) {
            parcel = delivery->cargo[at].parcel;
            delivery->cargo[at] = (struct cargo){0};
            evs_nats_window_done(&delivery->window, &delivery->window.slots[at]);
        } else {
            parcel = queue_take(&delivery->queue);
        }
        delivery_settle(delivery, parcel, false);
    }
}

static void delivery_check_direct(struct evs_delivery *delivery)
{
    const struct evs_parcel *oldest = delivery_oldest(delivery);
    bool overdue = oldest != NULL && delivery->now_us - oldest->closed_us > delivery->options.ack_timeout_us;
    if (delivery->spool == NULL) {
        delivery_expire(delivery);
    } else if (!delivery->state.connected) {
        delivery_leave_direct(delivery, "NATS is away");
    } else if (overdue) {
        const char *refusal = delivery->state.last_error;
        delivery_leave_direct(delivery, refusal[0] != '\0' ? refusal : "JetStream does not acknowledge");
    }
    /* A connection that stays silent may be dead without knowing it. */
    if (overdue && delivery->state.connected &&
        delivery->now_us - delivery->reconnected_us > delivery->options.ack_timeout_us + DELIVERY_RECONNECT_US) {
        delivery->reconnected_us = delivery->now_us;
        delivery->wire->type->reconnect(delivery->wire);
    }
}

static void delivery_resend_overdue(struct evs_delivery *delivery)
{
    for (uint32_t at = delivery->window.first; at != EVS_NATS_NO_SLOT; at = delivery->window.slots[at].next) {
        struct evs_nats_slot *slot = &delivery->window.slots[at];
        if (slot->state == EVS_NATS_SLOT_SENT && slot->due_us <= delivery->now_us) {
            evs_nats_window_again(&delivery->window, slot, delivery->now_us);
        }
    }
}

static void delivery_round(struct evs_delivery *delivery)
{
    delivery->now_us = evs_monotonic_us(delivery->options.os);
    if (delivery->wire != NULL) {
        delivery_look(delivery);
        delivery_receive(delivery);
    }
    if (delivery->mode == DELIVERY_DIRECT) {
        delivery_check_direct(delivery);
    } else {
        delivery_return_to_direct(delivery);
    }
    delivery_pump(delivery);
    if (delivery->wire != NULL) {
        delivery_read_state(delivery);
        delivery_watch(delivery);
    }
}

static void delivery_on_socket(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    delivery_round(argument);
}

static void delivery_on_tick(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct evs_delivery *delivery = argument;
    delivery->now_us = evs_monotonic_us(delivery->options.os);
    delivery_resend_overdue(delivery);
    delivery_round(delivery);
}

/* --- connecting for the first time ---------------------------------------------------------------------------------------- */

static void opener_main(void *argument)
{
    struct evs_delivery *delivery = argument;
    struct opener *opener = &delivery->opener;
    const struct evs_os *os = delivery->options.os;
    while (!atomic_load(&opener->stop)) {
        struct evs_error error = {0};
        evs_status status =
            evs_upstream_open(&delivery->options.upstream, opener->park, 0, opener->inbox, &opener->wire, &error);
        if (status == EVS_OK) {
            evs_wake_post(&opener->done);
            return;
        }
        bool is_new = strcmp(error.text, opener->told.text) != 0;
        evs_log(delivery->options.log, is_new ? EVS_LOG_WARN : EVS_LOG_DEBUG, "nats_away", "%s", error.text);
        opener->told = error;
        (void)os->sockets.wait(os->sockets.self, opener->park, NULL, 0, DELIVERY_RECONNECT_US);
    }
}

static void opener_end(struct evs_delivery *delivery)
{
    struct opener *opener = &delivery->opener;
    const struct evs_os *os = delivery->options.os;
    if (opener->thread != NULL) {
        atomic_store(&opener->stop, true);
        os->threads.wake(opener->park);
        os->threads.join(opener->thread);
        opener->thread = NULL;
        evs_wake_fini(&opener->done);
    }
}

static void delivery_take_wire(struct evs_delivery *delivery, struct evs_nats_wire *wire, const char *inbox)
{
    delivery->wire = wire;
    snprintf(delivery->inbox, sizeof delivery->inbox, "%s", inbox);
    delivery_round(delivery);
}

static void delivery_on_opened(void *context)
{
    struct evs_delivery *delivery = context;
    opener_end(delivery);
    delivery_take_wire(delivery, delivery->opener.wire, delivery->opener.inbox);
}

static evs_status delivery_connect(struct evs_delivery *delivery, struct evs_error *error)
{
    const struct evs_threads *threads = &delivery->options.os->threads;
    struct opener *opener = &delivery->opener;
    opener->park = threads->park_new(threads->self);
    /* With a spool nobody needs to wait: events can be taken at once. */
    int64_t retry_us = delivery->spool != NULL ? 0 : delivery->options.retry_us;
    evs_status status =
        evs_upstream_open(&delivery->options.upstream, opener->park, retry_us, opener->inbox, &opener->wire, error);
    if (status == EVS_OK) {
        delivery_take_wire(delivery, opener->wire, opener->inbox);
        return EVS_OK;
    }
    if (status != EVS_E_UNREACHABLE || delivery->spool == NULL) {
        return status;
    }
    evs_log(delivery->options.log, EVS_LOG_WARN, "nats_away", "%s Until then events go to the spool.", error->text);
    opener->told = *error;
    evs_wake_init(&opener->done, delivery->options.base, delivery_on_opened, delivery);
    return threads->spawn(threads->self, "evs-connect", opener_main, delivery, &opener->thread);
}

/* --- open and close --------------------------------------------------------------------------------------------------------- */

static evs_status delivery_open_spool(struct evs_delivery *delivery, struct evs_error *error)
{
    const struct evs_delivery_options *options = &delivery->options;
    evs_wake_init(&delivery->spool_wake, options->base, delivery_on_spool, delivery);
    struct evs_spool_options spool = {.os = options->os,
                                      .log = options->log,
                                      .folder = options->spool_folder,
                                      .bytes_max = options->spool_bytes_max,
                                      .segment_bytes = EVS_SPOOL_SEGMENT_BYTES,
                                      .wake = evs_wake_post,
                                      .wake_context = &delivery->spool_wake};
    evs_status status = evs_spool_open(&spool, &delivery->spool, error);
    struct evs_spool_state state = {0};
    if (status == EVS_OK) {
        evs_spool_state(delivery->spool, &state);
        delivery->mode = DELIVERY_SPOOLING;
        delivery->drained = delivery->told = state.delivered;
    }
    if (state.recovered > 0) {
        evs_log(options->log, EVS_LOG_INFO, "spool_recovered",
                "The spool holds %" PRIu64 " messages (%" PRIu64 " bytes) of an earlier run; they are sent now.",
                state.recovered, state.bytes);
    }
    return status;
}

evs_status evs_delivery_open(const struct evs_delivery_options *options, struct evs_delivery **result,
                             struct evs_error *error)
{
    struct evs_delivery *delivery = evs_alloc_zero(sizeof *delivery);
    delivery->options = *options;
    delivery->watched_fd = -1;
    delivery->socket_event = event_new(options->base, -1, 0, delivery_on_socket, delivery);
    delivery->tick_event = event_new(options->base, -1, EV_PERSIST, delivery_on_tick, delivery);
    delivery->cargo = evs_alloc_zero(EVS_NATS_WINDOW_MESSAGES * sizeof *delivery->cargo);
    evs_nats_window_init(&delivery->window);
    evs_status status = EVS_OK;
    if (options->spool_folder != NULL) {
        status = delivery_open_spool(delivery, error);
    }
    if (status == EVS_OK) {
        status = delivery_connect(delivery, error);
    }
    if (status != EVS_OK) {
        (void)evs_delivery_close(delivery);
        return status;
    }
    const struct timeval tick = {.tv_usec = DELIVERY_TICK_US};
    EVS_ASSERT(event_add(delivery->tick_event, &tick) == 0);
    *result = delivery;
    return EVS_OK;
}

/* The last rounds: the loop does not turn any more, so the spool's thread is waited for here. */
static void delivery_flush(struct evs_delivery *delivery)
{
    if (delivery->spool != NULL && delivery->mode == DELIVERY_DIRECT && delivery->held > 0) {
        delivery_leave_direct(delivery, "the collector stops before JetStream has acknowledged them");
    }
    while (delivery->unsynced_count > 0) {
        delivery_on_spool(delivery);
        delivery->options.os->clock.sleep_us(delivery->options.os->clock.self, 1000);
    }
    while (delivery->window.used > 0) {
        struct cargo *cargo = &delivery->cargo[delivery->window.first];
        if (cargo->parcel != NULL) {
            delivery_settle(delivery, cargo->parcel, false);
        }
        evs_nats_window_done(&delivery->window, &delivery->window.slots[delivery->window.first]);
    }
    while (delivery->queue.first != NULL) {
        delivery_settle(delivery, queue_take(&delivery->queue), false);
    }
}

bool evs_delivery_close(struct evs_delivery *delivery)
{
    opener_end(delivery);
    delivery_flush(delivery);
    bool is_empty = delivery->spool == NULL || evs_spool_is_empty(delivery->spool);
    EVS_ASSERT(delivery->held == 0);
    event_free(delivery->socket_event);
    event_free(delivery->tick_event);
    if (delivery->wire == NULL) {
        delivery->wire = delivery->opener.wire; /* made in the last moment */
    }
    if (delivery->wire != NULL) {
        delivery->wire->type->close(delivery->wire);
    }
    if (delivery->spool != NULL) {
        evs_spool_close(delivery->spool);
    }
    evs_wake_fini(&delivery->spool_wake);
    delivery->options.os->threads.park_free(delivery->opener.park);
    evs_nats_window_fini(&delivery->window);
    evs_free(delivery->cargo);
    evs_free(delivery->unsynced);
    evs_free(delivery);
    return is_empty;
}

void evs_delivery_take(struct evs_delivery *delivery, struct evs_parcel *parcel)
{
    delivery->held++;
    delivery->now_us = evs_monotonic_us(delivery->options.os);
    parcel->closed_us = delivery->now_us;
    if (delivery->mode == DELIVERY_SPOOLING) {
        delivery_spool_parcel(delivery, parcel);
        return;
    }
    queue_put(&delivery->queue, parcel);
    delivery_load_queue(delivery);
    delivery_send(delivery);
    event_active(delivery->socket_event, EV_WRITE, 0); /* the round that writes comes when all parcels are in */
}

bool evs_delivery_is_connected(const struct evs_delivery *delivery)
{
    return delivery->state.connected;
}

bool evs_delivery_is_ready(const struct evs_delivery *delivery)
{
    struct evs_spool_state state;
    if (!evs_delivery_spool(delivery, &state)) {
        return delivery->state.connected;
    }
    return delivery->state.connected || state.bytes < delivery->options.spool_bytes_max;
}

int64_t evs_delivery_settled_us(struct evs_delivery *delivery)
{
    if (delivery->mode == DELIVERY_DIRECT) {
        const struct evs_parcel *oldest = delivery_oldest(delivery);
        delivery->settled_us = oldest != NULL ? oldest->opened_us : evs_monotonic_us(delivery->options.os);
    }
    return delivery->settled_us;
}

bool evs_delivery_is_idle(const struct evs_delivery *delivery)
{
    return delivery->held == 0;
}

void evs_delivery_counters(const struct evs_delivery *delivery, struct evs_delivery_counters *counters)
{
    *counters = delivery->counters;
}

bool evs_delivery_spool(const struct evs_delivery *delivery, struct evs_spool_state *state)
{
    if (delivery->spool != NULL) {
        evs_spool_state(delivery->spool, state);
    }
    return delivery->spool != NULL;
}
