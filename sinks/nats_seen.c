#include "nats_seen.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "evstream/memory.h"
#include "json_template.h"
#include "nats_json.h"
#include "nats_protocol.h"

#define SEEN_SID 3
#define SEEN_BATCH 4096u
#define SUBJECT_MAX 4096u
#define SEEN_SILENCE_US 5000000

/* --- the set: linear probing, at most half full ---------------------------------------------------------------------------------------- */

struct evs_nats_seen {
    _Atomic uint32_t users, left;
    _Atomic int64_t met_us; /* when one was last met; 0: none was asked for yet */
    uint64_t floor, holds;
    uint64_t newest; /* sequence of the newest message that was read, and of its id */
    uint32_t newest_fingerprint;
    uint32_t count, capacity; /* a power of two */
    struct evs_hash128 *ids;  /* all zero: free. No id is: it is a hash of 88 bytes. */
    uint64_t *sequences;
    _Atomic bool *taken;
};

struct evs_nats_seen *evs_nats_seen_new(uint64_t floor, uint64_t holds)
{
    struct evs_nats_seen *seen = evs_alloc_zero(sizeof *seen);
    seen->floor = floor;
    seen->holds = holds;
    atomic_store(&seen->users, 1);
    return seen;
}

struct evs_nats_seen *evs_nats_seen_ref(struct evs_nats_seen *seen)
{
    atomic_fetch_add(&seen->users, 1);
    return seen;
}

bool evs_nats_seen_unref(struct evs_nats_seen *seen, uint32_t *orphans)
{
    *orphans = 0;
    if (seen == NULL || atomic_fetch_sub(&seen->users, 1) != 1) {
        return false;
    }
    *orphans = atomic_load(&seen->left);
    evs_free(seen->ids);
    evs_free(seen->sequences);
    evs_free(seen->taken);
    evs_free(seen);
    return true;
}

/* The place of an id, or the free one where it would be. */
static uint32_t place_of(const struct evs_nats_seen *seen, struct evs_hash128 id)
{
    uint64_t mixed =
        (id.low ^ id.high) * UINT64_C(0x9E3779B97F4A7C15); /* others may have ids of 32 digits that are no hash */
    uint32_t at = (uint32_t)(mixed >> 32) & (seen->capacity - 1);
    for (;;) {
        struct evs_hash128 there = seen->ids[at];
        bool is_free = there.low == 0 && there.high == 0;
        if (is_free || (there.low == id.low && there.high == id.high)) {
            return at;
        }
        at = (at + 1) & (seen->capacity - 1);
    }
}

static void grow(struct evs_nats_seen *seen)
{
    struct evs_hash128 *before = seen->ids;
    uint64_t *sequences = seen->sequences;
    uint32_t count = seen->capacity;
    seen->capacity = count == 0 ? 256 : count * 2;
    seen->ids = evs_alloc_zero(seen->capacity * sizeof *seen->ids);
    seen->sequences = evs_alloc(seen->capacity * sizeof *seen->sequences);
    evs_free(seen->taken);
    seen->taken = evs_alloc_zero(seen->capacity * sizeof *seen->taken);
    for (uint32_t i = 0; i < count; i++) {
        if (before[i].low != 0 || before[i].high != 0) {
            uint32_t at = place_of(seen, before[i]);
            seen->ids[at] = before[i];
            seen->sequences[at] = sequences[i];
        }
    }
    evs_free(before);
    evs_free(sequences);
}

bool evs_nats_seen_add(struct evs_nats_seen *seen, struct evs_hash128 id, uint64_t sequence)
{
    EVS_ASSERT(atomic_load(&seen->left) == seen->count); /* nothing was taken yet: growing forgets the marks */
    if (id.low == 0 && id.high == 0) {
        return true;
    }
    if (sequence > seen->newest) {
        seen->newest = sequence;
        seen->newest_fingerprint = evs_nats_id_fingerprint(id);
    }
    if (2 * (seen->count + 1) > seen->capacity) {
        grow(seen);
    }
    uint32_t at = place_of(seen, id);
    if (seen->ids[at].low == id.low && seen->ids[at].high == id.high) {
        return true; /* stored twice, behind the duplicate window */
    }
    if (seen->count == EVS_NATS_SEEN_MAX) {
        return false;
    }
    seen->ids[at] = id;
    seen->sequences[at] = sequence;
    seen->count++;
    atomic_fetch_add(&seen->left, 1);
    return true;
}

bool evs_nats_seen_take(struct evs_nats_seen *seen, struct evs_hash128 id, int64_t now_us, uint64_t *sequence)
{
    if (atomic_load(&seen->left) == 0) {
        return false;
    }
    uint32_t at = place_of(seen, id);
    bool is_there = seen->ids[at].low == id.low && seen->ids[at].high == id.high;
    if (!is_there || atomic_exchange(&seen->taken[at], true)) {
        return false;
    }
    *sequence = seen->sequences[at];
    atomic_store(&seen->met_us, now_us);
    uint32_t left = atomic_load(&seen->left); /* another lane may have given all up meanwhile */
    while (left > 0 && !atomic_compare_exchange_weak(&seen->left, &left, left - 1)) {
    }
    return true;
}

uint32_t evs_nats_seen_give_up(struct evs_nats_seen *seen, int64_t now_us)
{
    int64_t never = 0;
    if (atomic_load(&seen->left) == 0 || atomic_compare_exchange_strong(&seen->met_us, &never, now_us) ||
        now_us - never < EVS_NATS_SEEN_FOR_US) {
        return 0;
    }
    return atomic_exchange(&seen->left, 0);
}

uint32_t evs_nats_seen_left(const struct evs_nats_seen *seen)
{
    return atomic_load(&seen->left);
}

uint64_t evs_nats_seen_floor(const struct evs_nats_seen *seen)
{
    return seen->floor;
}

uint64_t evs_nats_seen_newest(const struct evs_nats_seen *seen, uint32_t *fingerprint)
{
    *fingerprint = seen->newest_fingerprint;
    return seen->newest;
}

uint64_t evs_nats_seen_holds(const struct evs_nats_seen *seen)
{
    return seen->holds;
}

/* --- ids ---------------------------------------------------------------------------------------------------------------------------------- */

static bool hex64(const char *text, uint64_t *number)
{
    *number = 0;
    for (uint32_t i = 0; i < 16; i++) {
        char c = text[i];
        bool is_digit = c >= '0' && c <= '9', is_letter = c >= 'a' && c <= 'f';
        if (!is_digit && !is_letter) {
            return false;
        }
        *number = *number << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static size_t put_text(char lines[EVS_NATS_ID_LINES_MAX], size_t at, struct evs_slice text)
{
    EVS_ASSERT(at + text.count < EVS_NATS_ID_LINES_MAX);
    memcpy(lines + at, text.data, text.count);
    return at + text.count;
}

size_t evs_nats_put_id(char lines[EVS_NATS_ID_LINES_MAX], struct evs_hash128 id, const char *group)
{
    size_t count = put_text(lines, 0, EVS_SLICE("Nats-Msg-Id: "));
    evs_id_text(lines + count, id);
    count = put_text(lines, count + EVS_ID_DIGITS, EVS_SLICE("\r\n"));
    if (group != NULL) {
        count = put_text(lines, count, EVS_SLICE(EVS_NATS_GROUP_HEADER ": "));
        count = put_text(lines, count, evs_slice_of(group));
        count = put_text(lines, count, EVS_SLICE("\r\n"));
    }
    return count;
}

bool evs_nats_seen_id(struct evs_slice headers, struct evs_hash128 *id)
{
    struct evs_slice value;
    return evs_nats_header(headers, "Nats-Msg-Id", &value) && value.count == 32 && hex64(value.data, &id->high) &&
           hex64(value.data + 16, &id->low);
}

uint32_t evs_nats_id_fingerprint(struct evs_hash128 id)
{
    uint32_t folded = (uint32_t)(id.low ^ id.low >> 32 ^ id.high ^ id.high >> 32);
    return folded == 0 ? 1 : folded;
}

/* --- reading --------------------------------------------------------------------------------------------------------------------------------- */

/* The whole stream above the floor, and subjects are looked at here: after a kill, nats-server 2.9 miscounts what a consumer with a filter has before it,
 * and would say too early that nothing is left. */
struct reading {
    const struct evs_nats_seen_read *read;
    struct evs_nats_seen *seen;
    char consumer[64], inbox[200];
    uint32_t asked; /* messages of the request under way that are still to come */
    bool is_over;
};

static evs_status create_consumer(struct reading *reading, struct evs_error *error)
{
    const struct evs_nats_seen_read *read = reading->read;
    struct evs_nats_asker *asker = read->asker;
    char subject[400];
    struct evs_buffer body = {0};
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    struct evs_nats_consumer consumer = {
        .stream = read->stream,
        .name = reading->consumer,
        .filter = "",
        .start_sequence = read->floor + 1,
        .headers_only = true,
    };
    snprintf(subject, sizeof subject, "%s.CONSUMER.CREATE.%s.%s", read->prefix, read->stream, reading->consumer);
    evs_nats_api_consumer_config(&consumer, &body);
    evs_status status = evs_nats_request(asker, subject, (struct evs_slice){body.data, body.count}, &answer, error);
    evs_buffer_fini(&body);
    if (status == EVS_OK && evs_nats_api_failed(&answer, &failure)) {
        return evs_fail(error, EVS_E_REFUSED, "%s (error %u)", failure.text, failure.number);
    }
    return status;
}

static evs_status ask_for_more(struct reading *reading, struct evs_error *error)
{
    const struct evs_nats_seen_read *read = reading->read;
    struct evs_nats_wire *wire = read->asker->wire;
    char subject[400], body[80];
    int count =
        snprintf(subject, sizeof subject, "%s.CONSUMER.MSG.NEXT.%s.%s", read->prefix, read->stream, reading->consumer);
    int bytes = snprintf(body, sizeof body, "{\"batch\":%u,\"no_wait\":true}", SEEN_BATCH);
    evs_status status =
        wire->type->publish(wire, (struct evs_slice){subject, (size_t)count}, evs_slice_of(reading->inbox),
                            EVS_SLICE(""), (struct evs_slice){body, (size_t)bytes});
    reading->asked = SEEN_BATCH;
    return status == EVS_OK ? EVS_OK : evs_fail(error, EVS_E_UNREACHABLE, "the connection is lost");
}

static bool has_subject(const struct reading *reading, struct evs_slice subject)
{
    char text[SUBJECT_MAX];
    int count = snprintf(text, sizeof text, "%.*s", (int)subject.count, subject.data);
    return count > 0 && (size_t)count < sizeof text && evs_nats_subject_covers(reading->read->pattern, text);
}

/* A message without the header is of a time when there was one group. */
static bool is_of_group(const struct evs_nats_seen_read *read, struct evs_slice headers)
{
    struct evs_slice group;
    return !evs_nats_header(headers, EVS_NATS_GROUP_HEADER, &group) ||
           (read->group != NULL && evs_slice_equal(group, evs_slice_of(read->group)));
}

/* A message, or a status that ends the request: 404, nothing is left; 408 and 409, ask again. */
static evs_status take_message(struct reading *reading, const struct evs_nats_message *message, struct evs_error *error)
{
    struct evs_nats_delivery delivery;
    struct evs_hash128 id;
    if (message->status != 0) {
        reading->is_over = message->status == 404;
        reading->asked = 0;
        return message->status == 503 ? evs_fail(error, EVS_E_UNREACHABLE, "the consumer is gone") : EVS_OK;
    }
    if (!evs_nats_delivery_parse(message->reply, &delivery)) {
        return EVS_OK;
    }
    reading->asked -= reading->asked > 0;
    reading->is_over = delivery.stream_sequence >= reading->read->last;
    bool is_ours = delivery.stream_sequence <= reading->read->last && has_subject(reading, message->subject) &&
                   is_of_group(reading->read, message->headers) && evs_nats_seen_id(message->headers, &id);
    return !is_ours || evs_nats_seen_add(reading->seen, id, delivery.stream_sequence) ? EVS_OK : EVS_E_LIMIT;
}

static void wait_for_bytes(struct evs_nats_asker *asker, int64_t us)
{
    struct evs_wait_fd fd;
    uint32_t count = asker->wire->type->wait_fds(asker->wire, &fd, 1);
    (void)asker->os->sockets.wait(asker->os->sockets.self, asker->park, &fd, count, us < 20000 ? us : 20000);
}

static evs_status read_all(struct reading *reading, struct evs_error *error)
{
    struct evs_nats_asker *asker = reading->read->asker;
    const struct evs_nats_wire_type *type = asker->wire->type;
    int64_t deadline_us = evs_monotonic_us(asker->os) + SEEN_SILENCE_US;
    evs_status status = EVS_OK;
    while (status == EVS_OK && !reading->is_over) {
        if (reading->asked == 0) {
            status = ask_for_more(reading, error);
        }
        type->drive(asker->wire);
        struct evs_nats_message message = {0};
        evs_status next = status == EVS_OK ? type->next(asker->wire, &message) : EVS_OK;
        int64_t now_us = evs_monotonic_us(asker->os);
        if (next == EVS_MORE) {
            type->release(asker->wire);
        } else if (next == EVS_OK && status == EVS_OK && message.sid == SEEN_SID) {
            status = take_message(reading, &message, error);
            deadline_us = now_us + SEEN_SILENCE_US;
        } else if (next == EVS_AGAIN && now_us >= deadline_us) {
            status = evs_fail(error, EVS_E_UNREACHABLE, "nothing came for %d s", SEEN_SILENCE_US / 1000000);
        } else if (next == EVS_AGAIN) {
            wait_for_bytes(asker, deadline_us - now_us);
        }
    }
    type->release(asker->wire);
    return status;
}

static void delete_consumer(struct reading *reading)
{
    const struct evs_nats_seen_read *read = reading->read;
    const struct evs_nats_wire_type *type = read->asker->wire->type;
    char subject[400];
    int count =
        snprintf(subject, sizeof subject, "%s.CONSUMER.DELETE.%s.%s", read->prefix, read->stream, reading->consumer);
    type->unsubscribe(read->asker->wire, SEEN_SID);
    /* Best effort: the server forgets it after its inactive threshold anyway. */
    (void)type->publish(read->asker->wire, (struct evs_slice){subject, (size_t)count}, EVS_SLICE(""), EVS_SLICE(""),
                        EVS_SLICE(""));
    type->drive(read->asker->wire);
}

evs_status evs_nats_seen_read(const struct evs_nats_seen_read *read, struct evs_nats_seen *seen,
                              struct evs_error *error)
{
    struct evs_nats_asker *asker = read->asker;
    if (read->last <= read->floor) {
        return EVS_OK;
    }
    struct reading reading = {.read = read, .seen = seen};
    snprintf(reading.consumer, sizeof reading.consumer, "evs_seen_%016" PRIx64,
             asker->os->random.next(asker->os->random.self));
    snprintf(reading.inbox, sizeof reading.inbox, "%s.seen.1", asker->inbox);
    if (asker->wire->type->subscribe(asker->wire, reading.inbox, SEEN_SID) != EVS_OK) {
        return evs_fail(error, EVS_E_UNREACHABLE, "the connection is lost");
    }
    evs_status status = create_consumer(&reading, error);
    if (status == EVS_OK) {
        status = read_all(&reading, error);
    }
    delete_consumer(&reading);
    return status;
}

/* --- receipts ---------------------------------------------------------------------------------------------------------------------------------- */

bool evs_nats_stored_is(struct evs_slice answer, uint32_t fingerprint)
{
    struct evs_slice headers;
    struct evs_buffer decoded = {0};
    struct evs_hash128 id = {0};
    if (evs_nats_json_find(answer, "message.hdrs", &headers) && evs_nats_json_base64(headers, &decoded)) {
        (void)evs_nats_seen_id((struct evs_slice){decoded.data, decoded.count}, &id);
    }
    evs_buffer_fini(&decoded);
    return evs_nats_id_fingerprint(id) == fingerprint;
}

/* Of a stored message. EVS_AGAIN: there is no such message any more. */
static evs_status is_stored(struct evs_nats_asker *asker, const char *prefix, const char *stream, uint64_t sequence,
                            uint32_t fingerprint, bool *is_it, struct evs_error *error)
{
    char subject[320], body[64];
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    snprintf(subject, sizeof subject, "%s.STREAM.MSG.GET.%s", prefix, stream);
    int count = snprintf(body, sizeof body, "{\"seq\":%" PRIu64 "}", sequence);
    evs_status status = evs_nats_request(asker, subject, (struct evs_slice){body, (size_t)count}, &answer, error);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        return failure.number == EVS_NATS_E_NO_MESSAGE ? EVS_AGAIN : evs_fail(error, EVS_E_REFUSED, "%s", failure.text);
    }
    *is_it = evs_nats_stored_is(answer.payload, fingerprint);
    return EVS_OK;
}

static evs_status check_place(struct evs_nats_asker *asker, const char *prefix, const char *stream, uint64_t sequence,
                              uint32_t fingerprint, enum evs_nats_receipt *verdict, struct evs_error *error)
{
    bool is_it = true;
    evs_status status = is_stored(asker, prefix, stream, sequence, fingerprint, &is_it, error);
    *verdict = is_it ? EVS_NATS_RECEIPT_FITS : EVS_NATS_RECEIPT_LOST_TAIL;
    return status == EVS_AGAIN ? EVS_OK : status;
}

evs_status evs_nats_kept_check(struct evs_nats_asker *asker, const char *prefix, const char *stream,
                               const struct evs_nats_stream_info *info, const struct evs_sink_kept *kept,
                               enum evs_nats_receipt *verdict, struct evs_error *error)
{
    if (kept->place > info->last_sequence) {
        *verdict = EVS_NATS_RECEIPT_LOST_TAIL;
        return EVS_OK;
    }
    return check_place(asker, prefix, stream, kept->place, evs_nats_id_fingerprint(kept->id), verdict, error);
}

evs_status evs_nats_receipt_check(struct evs_nats_asker *asker, const char *prefix, const char *stream,
                                  const struct evs_nats_stream_info *info, const struct evs_sink_receipt *receipt,
                                  enum evs_nats_receipt *verdict, struct evs_error *error)
{
    *verdict = EVS_NATS_RECEIPT_FITS;
    if (receipt->log_created_us != info->created_us) {
        *verdict = EVS_NATS_RECEIPT_OTHER_STREAM;
        return EVS_OK;
    }
    if (info->last_sequence < receipt->sequence) {
        *verdict = EVS_NATS_RECEIPT_LOST_TAIL;
        return EVS_OK;
    }
    return receipt->fingerprint == 0
               ? EVS_OK
               : check_place(asker, prefix, stream, receipt->sequence, receipt->fingerprint, verdict, error);
}
