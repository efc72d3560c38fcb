/* Undelivered messages of a sink's lane (sink_pending.h). */
#include "sink_pending.h"

#include <stdlib.h>

#define ASIDE_MIN 1024u /* a ring that is shorter may hold what it holds */

enum { SECTION_MESSAGES, SECTION_DONE };

/* --- the ring ---------------------------------------------------------------------------------------------------------- */

static struct evs_pending *ring_at(const struct evs_pendings *pendings, uint32_t index)
{
    return &pendings->ring[(pendings->first + index) & (pendings->capacity - 1)];
}

static size_t text_bytes(const struct evs_pending *pending)
{
    return (size_t)pending->address_bytes + pending->header_bytes + pending->payload_bytes + pending->row_bytes;
}

static void ring_grow(struct evs_pendings *pendings)
{
    uint32_t capacity = pendings->capacity == 0 ? 64 : pendings->capacity * 2;
    struct evs_pending *grown = evs_alloc(capacity * sizeof *grown);
    for (uint32_t i = 0; i < pendings->count; i++) {
        grown[i] = *ring_at(pendings, i);
    }
    evs_free(pendings->ring);
    pendings->ring = grown;
    pendings->capacity = capacity;
    pendings->first = 0;
}

static char *append(char *to, struct evs_slice from)
{
    if (from.count > 0) {
        memcpy(to, from.data, from.count);
    }
    return to + from.count;
}

struct evs_pending *evs_pendings_add(struct evs_pendings *pendings, const struct evs_pending_texts *texts)
{
    if (pendings->count == pendings->capacity) {
        ring_grow(pendings);
    }
    struct evs_pending *pending = ring_at(pendings, pendings->count++);
    *pending = (struct evs_pending){
        .number = ++pendings->last,
        .address_bytes = (uint32_t)texts->address.count,
        .header_bytes = (uint32_t)texts->headers.count,
        .payload_bytes = (uint32_t)texts->payload.count,
        .row_bytes = (uint32_t)texts->row.count,
    };
    pending->text = evs_text_pool_take(&pendings->texts, text_bytes(pending));
    char *end = append(append(pending->text, texts->address), texts->headers);
    append(append(end, texts->payload), texts->row);
    size_t bytes = text_bytes(pending) + sizeof *pending;
    atomic_fetch_add(&pendings->run->outbox_bytes, bytes);
    pendings->waiting_bytes += bytes;
    return pending;
}

/* Done, and not kept any more. */
static bool is_gone(const struct evs_pending *pending)
{
    return pending->is_done && pending->text == NULL;
}

static void ring_pop(struct evs_pendings *pendings)
{
    const struct evs_pending *front = ring_at(pendings, 0);
    EVS_ASSERT(front->number == pendings->base + 1);
    pendings->gone_in_ring -= is_gone(front);
    pendings->base = front->number;
    pendings->first = (pendings->first + 1) & (pendings->capacity - 1);
    pendings->count--;
}

/* Messages that are gone leave the front; while most of a long ring is gone, so do the others. */
static void ring_trim(struct evs_pendings *pendings)
{
    while (pendings->count > 0) {
        const struct evs_pending *front = ring_at(pendings, 0);
        if (!is_gone(front)) {
            bool is_long = pendings->count >= ASIDE_MIN && pendings->gone_in_ring > pendings->count / 2;
            if (!is_long || front->is_done) {
                return;
            }
            EVS_GROW(pendings->aside, pendings->aside_count, pendings->aside_capacity);
            pendings->aside[pendings->aside_count++] = *front;
        }
        ring_pop(pendings);
    }
}

/* --- aside ------------------------------------------------------------------------------------------------------------- */

static void aside_trim(struct evs_pendings *pendings)
{
    while (pendings->aside_first < pendings->aside_count && pendings->aside[pendings->aside_first].is_done) {
        pendings->aside_first++;
        pendings->done_aside--;
    }
    uint32_t count = pendings->aside_count - pendings->aside_first;
    if (pendings->done_aside <= count / 2 && pendings->aside_first <= count) {
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = pendings->aside_first; i < pendings->aside_count; i++) {
        if (!pendings->aside[i].is_done) {
            pendings->aside[kept++] = pendings->aside[i];
        }
    }
    pendings->aside_first = pendings->done_aside = 0;
    pendings->aside_count = kept;
}

static struct evs_pending *aside_find(const struct evs_pendings *pendings, uint64_t number)
{
    uint32_t low = pendings->aside_first, high = pendings->aside_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pendings->aside[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < pendings->aside_count && pendings->aside[low].number == number ? &pendings->aside[low] : NULL;
}

/* --- all of them ------------------------------------------------------------------------------------------------------- */

struct evs_pending *evs_pendings_find(struct evs_pendings *pendings, uint64_t number)
{
    if (number <= pendings->base) {
        return aside_find(pendings, number);
    }
    EVS_ASSERT(number <= pendings->last);
    return ring_at(pendings, (uint32_t)(number - pendings->base - 1));
}

struct evs_sink_message evs_pending_message(const struct evs_pending *pending)
{
    const char *headers = pending->text + pending->address_bytes;
    return (struct evs_sink_message){
        .number = pending->number,
        .id = pending->id,
        .address = {pending->text, pending->address_bytes},
        .headers = {headers, pending->header_bytes},
        .payload = {headers + pending->header_bytes, pending->payload_bytes},
        .order = pending->order,
        .created_us = pending->created_us,
        .epoch = pending->epoch,
        .checkpoint = pending->checkpoint,
        .index = pending->index,
    };
}

static size_t bytes_of(const struct evs_pending *pending)
{
    return text_bytes(pending) + sizeof *pending;
}

static void move_done_up(struct evs_pendings *pendings)
{
    if (pendings->done_up_to < pendings->base) {
        pendings->done_up_to = pendings->base;
    }
    while (pendings->done_up_to < pendings->last &&
           ring_at(pendings, (uint32_t)(pendings->done_up_to - pendings->base))->is_done) {
        pendings->done_up_to++;
    }
}

static void note_done(struct evs_pendings *pendings, const struct evs_pending *pending, uint64_t place)
{
    EVS_GROW(pendings->done, pendings->done_count, pendings->done_capacity);
    pendings->done[pendings->done_count++] = (struct evs_pending_place){pending->number, place};
}

static void take_done(struct evs_pendings *pendings, struct evs_pending *pending)
{
    EVS_ASSERT(!pending->is_done);
    atomic_fetch_sub(&pendings->run->outbox_bytes, bytes_of(pending));
    pendings->waiting_bytes -= bytes_of(pending);
    evs_free(pending->span);
    pending->span = NULL;
    pending->is_done = true;
    if (pending->in_outbox) {
        note_done(pendings, pending, pending->place);
    }
    move_done_up(pendings);
}

/* Its text goes, and it with it as soon as it is the oldest. */
static void let_go(struct evs_pendings *pendings, struct evs_pending *pending)
{
    EVS_ASSERT(pending->is_done && pending->text != NULL);
    evs_text_pool_give(&pendings->texts, pending->text, text_bytes(pending));
    pending->text = NULL;
    if (pending->number <= pendings->base) {
        pendings->done_aside++;
        aside_trim(pendings);
    } else {
        pendings->gone_in_ring++;
        ring_trim(pendings);
    }
    move_done_up(pendings);
}

void evs_pendings_finish(struct evs_pendings *pendings, struct evs_pending *pending)
{
    take_done(pendings, pending);
    let_go(pendings, pending);
}

uint64_t evs_pendings_cursor(const struct evs_pendings *pendings)
{
    bool any_aside = pendings->aside_first < pendings->aside_count;
    return any_aside ? pendings->aside[pendings->aside_first].number - 1 : pendings->done_up_to;
}

uint32_t evs_pendings_count(const struct evs_pendings *pendings)
{
    return pendings->count - pendings->gone_in_ring - pendings->kept_count + pendings->aside_count -
           pendings->aside_first - pendings->done_aside;
}

/* --- kept messages ------------------------------------------------------------------------------------------------------- */

static void count_kept(struct evs_pendings *pendings, const struct evs_pending *pending, bool is_kept)
{
    size_t bytes = bytes_of(pending);
    pendings->kept_count += is_kept ? 1 : UINT32_MAX;
    pendings->kept_bytes += is_kept ? bytes : (size_t)0 - bytes;
    if (pendings->stores_kept) {
        atomic_fetch_add(&pendings->run->kept_bytes, is_kept ? bytes : (uint64_t)0 - bytes);
    }
}

void evs_pendings_deliver(struct evs_pendings *pendings, struct evs_pending *pending, uint64_t place, int64_t now_us)
{
    if (pendings->keep_us == 0 || place == 0 || pending->number <= pendings->base) {
        evs_pendings_finish(pendings, pending);
        return;
    }
    pending->place = place;
    pending->done_us = now_us;
    take_done(pendings, pending);
    count_kept(pendings, pending, true);
}

static bool is_kept(const struct evs_pending *pending)
{
    return pending->is_done && pending->text != NULL;
}

/* Only the front goes: behind a message that waits there are at most as many as a connector sends ahead. */
void evs_pendings_tend(struct evs_pendings *pendings, int64_t now_us)
{
    while (pendings->count > 0 && is_kept(ring_at(pendings, 0))) {
        struct evs_pending *front = ring_at(pendings, 0);
        int64_t age_us = now_us - front->done_us;
        if (age_us < pendings->keep_us && pendings->kept_bytes <= pendings->keep_bytes_max) {
            return;
        }
        if (age_us < pendings->keep_us) {
            pendings->dropped_age_us = age_us > 0 ? age_us : 1;
        }
        count_kept(pendings, front, false);
        let_go(pendings, front);
    }
}

static void revive(struct evs_pendings *pendings, struct evs_pending *pending)
{
    count_kept(pendings, pending, false);
    if (pendings->stores_kept && pending->in_outbox) { /* which says that it is delivered */
        note_done(pendings, pending, EVS_PLACE_LOST);
    }
    pending->is_done = false;
    pending->place = 0;
    atomic_fetch_add(&pendings->run->outbox_bytes, bytes_of(pending));
    pendings->waiting_bytes += bytes_of(pending);
    if (pending->number <= pendings->done_up_to) {
        pendings->done_up_to = pending->number - 1;
    }
}

uint32_t evs_pendings_revive(struct evs_pendings *pendings, uint64_t holds)
{
    uint32_t revived = 0;
    for (uint32_t i = 0; i < pendings->count; i++) {
        struct evs_pending *pending = ring_at(pendings, i);
        if (is_kept(pending) && pending->place > holds) {
            revive(pendings, pending);
            revived++;
        }
    }
    return revived;
}

void evs_pendings_each_kept(struct evs_pendings *pendings, void (*see)(void *argument, struct evs_pending *pending),
                            void *argument)
{
    for (uint32_t i = 0; i < pendings->count; i++) {
        if (is_kept(ring_at(pendings, i))) {
            see(argument, ring_at(pendings, i));
        }
    }
}

void evs_pendings_each(struct evs_pendings *pendings, void (*see)(void *argument, struct evs_pending *pending),
                       void *argument)
{
    for (uint32_t i = pendings->aside_first; i < pendings->aside_count; i++) {
        if (!pendings->aside[i].is_done) {
            see(argument, &pendings->aside[i]);
        }
    }
    for (uint32_t i = 0; i < pendings->count; i++) {
        if (!ring_at(pendings, i)->is_done) {
            see(argument, ring_at(pendings, i));
        }
    }
}

static void free_text(void *argument, struct evs_pending *pending)
{
    struct evs_pendings *pendings = argument;
    evs_text_pool_give(&pendings->texts, pending->text, text_bytes(pending));
    evs_free(pending->span);
}

void evs_pendings_fini(struct evs_pendings *pendings)
{
    evs_pendings_each(pendings, free_text, pendings);
    evs_pendings_each_kept(pendings, free_text, pendings);
    evs_text_pool_fini(&pendings->texts);
    evs_free(pendings->ring);
    evs_free(pendings->aside);
    evs_free(pendings->done);
    evs_free(pendings->restored);
    *pendings = (struct evs_pendings){0};
}

/* --- the outbox -------------------------------------------------------------------------------------------------------- */

/* The stored form of a message; part of the state format. What is behind `origin` was added later: a message without it has no source. */
struct stored_message {
    uint64_t number;
    struct evs_hash128 id;
    uint64_t epoch, checkpoint;
    uint32_t index, lane, address_bytes, header_bytes;
    struct origin {
        uint64_t source; /* hash of its name */
        struct evs_cause cause;
        int64_t event_time_us;
        int64_t created_us;
        uint64_t order;
        uint32_t cause_kind, row_bytes;
    } origin;
};
#define STORED_BYTES_MIN offsetof(struct stored_message, origin)

/* A list of numbers; with places, where messages are kept, a list of pairs. */
struct stored_done {
    uint64_t lane;
};
struct stored_places {
    uint64_t lane, has_places;
};

static uint64_t source_hash(const struct evs_run *run, uint32_t source_index)
{
    const char *name = run->plan->nodes[run->source_nodes[source_index]].name;
    return evs_hash64(name, strlen(name));
}

/* The source of this name; the first one when the pipeline has it no more. */
static uint32_t source_of(const struct evs_run *run, uint64_t hash)
{
    for (uint32_t i = 0; i < run->source_count; i++) {
        if (source_hash(run, i) == hash) {
            return i;
        }
    }
    return 0;
}

void evs_pending_store(struct evs_run *run, struct evs_snapshot_writer *writer, uint32_t lane,
                       struct evs_pending *pending)
{
    struct stored_message stored = {
        .number = pending->number,
        .id = pending->id,
        .epoch = pending->epoch,
        .checkpoint = pending->checkpoint,
        .index = pending->index,
        .lane = lane,
        .address_bytes = pending->address_bytes,
        .header_bytes = pending->header_bytes,
        .origin = {.source = source_hash(run, pending->source_index),
                   .cause = pending->cause,
                   .event_time_us = pending->event_time_us,
                   .created_us = pending->created_us,
                   .order = pending->order,
                   .cause_kind = pending->cause_kind,
                   .row_bytes = pending->row_bytes},
    };
    evs_snapshot_put(writer, SECTION_MESSAGES, EVS_RECORD_PUT, 0,
                     (struct evs_slice){(const char *)&stored, sizeof stored},
                     (struct evs_slice){pending->text, text_bytes(pending)});
    pending->in_outbox = true;
    atomic_fetch_add(&run->stored_bytes, bytes_of(pending));
}

static void store_numbers(struct evs_pendings *pendings, struct evs_snapshot_writer *writer, uint32_t lane)
{
    struct stored_done stored = {lane};
    uint64_t *numbers = evs_alloc((pendings->done_count + 1) * sizeof *numbers);
    uint64_t cursor = evs_pendings_cursor(pendings);
    uint32_t count = 0;
    for (uint32_t i = 0; i < pendings->done_count; i++) {
        if (pendings->done[i].number > cursor) {
            numbers[count++] = pendings->done[i].number;
        }
    }
    if (count > 0) {
        evs_snapshot_put(writer, SECTION_DONE, EVS_RECORD_DELETE, 0,
                         (struct evs_slice){(const char *)&stored, sizeof stored},
                         (struct evs_slice){(const char *)numbers, count * sizeof *numbers});
    }
    evs_free(numbers);
}

static void store_places(struct evs_pendings *pendings, struct evs_snapshot_writer *writer, uint32_t lane)
{
    struct stored_places stored = {lane, 1};
    if (pendings->done_count > 0) {
        evs_snapshot_put(
            writer, SECTION_DONE, EVS_RECORD_DELETE, 0, (struct evs_slice){(const char *)&stored, sizeof stored},
            (struct evs_slice){(const char *)pendings->done, pendings->done_count * sizeof *pendings->done});
    }
}

static void list_kept(void *argument, struct evs_pending *pending)
{
    note_done(argument, pending, pending->place);
}

void evs_pendings_store_done(struct evs_pendings *pendings, struct evs_snapshot_writer *writer, uint32_t lane,
                             bool drop)
{
    pendings->done_count = drop ? 0 : pendings->done_count;
    if (drop && pendings->stores_kept) {
        evs_pendings_each_kept(pendings, list_kept, pendings);
    }
    if (pendings->stores_kept) {
        store_places(pendings, writer, lane);
    } else {
        store_numbers(pendings, writer, lane);
    }
    pendings->done_count = 0;
}

static bool read_stored(const struct evs_snapshot_record *record, struct stored_message *stored)
{
    *stored = (struct stored_message){0};
    if (record->fixed.count != sizeof *stored && record->fixed.count != STORED_BYTES_MIN) {
        return false;
    }
    memcpy(stored, record->fixed.data, record->fixed.count);
    return true;
}

uint32_t evs_pending_stored_lane(const struct evs_snapshot_record *record)
{
    struct stored_message stored;
    struct stored_done done = {0};
    if (record->kind == EVS_RECORD_DELETE) {
        memcpy(&done, record->fixed.data, record->fixed.count < sizeof done ? record->fixed.count : sizeof done);
        return (uint32_t)done.lane;
    }
    read_stored(record, &stored);
    return stored.lane;
}

static evs_status restore_done(struct evs_pendings *pendings, const struct evs_snapshot_record *record,
                               struct evs_error *error)
{
    bool has_places = record->fixed.count == sizeof(struct stored_places);
    size_t step = has_places ? sizeof(struct evs_pending_place) : sizeof(uint64_t);
    if ((record->fixed.count != sizeof(struct stored_done) && !has_places) || record->variable.count % step != 0) {
        return evs_fail(error, EVS_E_CORRUPT, "a list of delivered messages has an unknown layout");
    }
    for (size_t at = 0; at < record->variable.count; at += step) {
        struct evs_pending_done done = {.lane = evs_pending_stored_lane(record), .order = pendings->restored_count};
        memcpy(&done.number, record->variable.data + at, step); /* and its place, where there is one */
        EVS_GROW(pendings->restored, pendings->restored_count, pendings->restored_capacity);
        pendings->restored[pendings->restored_count++] = done;
    }
    return EVS_OK;
}

static void restore_message(struct evs_pendings *pendings, const struct stored_message *stored, struct evs_slice text)
{
    size_t head = (size_t)stored->address_bytes + stored->header_bytes, tail = stored->origin.row_bytes;
    size_t payload_bytes = text.count - head - tail;
    struct evs_pending_texts texts = {.address = {text.data, stored->address_bytes},
                                      .headers = {text.data + stored->address_bytes, stored->header_bytes},
                                      .payload = {text.data + head, payload_bytes},
                                      .row = {text.data + head + payload_bytes, tail}};
    struct evs_pending *pending = evs_pendings_add(pendings, &texts);
    pending->id = stored->id;
    pending->epoch = stored->epoch;
    pending->checkpoint = stored->checkpoint;
    pending->index = stored->index;
    pending->source_index = source_of(pendings->run, stored->origin.source);
    pending->cause = stored->origin.cause;
    pending->cause_kind = stored->origin.cause_kind;
    pending->event_time_us = stored->origin.event_time_us;
    pending->order = stored->origin.order;
    pending->created_us = stored->origin.created_us;
    pending->stored_lane = stored->lane;
    pending->stored_number = stored->number;
}

evs_status evs_pendings_restore(struct evs_pendings *pendings, const struct evs_snapshot_record *record,
                                uint64_t delivered, struct evs_error *error)
{
    struct stored_message stored;
    if (record->kind == EVS_RECORD_DELETE) {
        return restore_done(pendings, record, error);
    }
    if (!read_stored(record, &stored)) {
        return evs_fail(error, EVS_E_CORRUPT, "an outbox message has an unknown layout");
    }
    size_t parts = (size_t)stored.address_bytes + stored.header_bytes + stored.origin.row_bytes;
    if (parts > record->variable.count) {
        return evs_fail(error, EVS_E_CORRUPT, "an outbox message is shorter than its parts");
    }
    bool was_delivered = stored.number <= delivered;
    if (!was_delivered || pendings->keep_us > 0) {
        restore_message(pendings, &stored, record->variable);
        ring_at(pendings, pendings->count - 1)->was_delivered = was_delivered;
    }
    return EVS_OK;
}

static int compare_done(const void *left, const void *right)
{
    const struct evs_pending_done *a = left, *b = right;
    if (a->lane != b->lane) {
        return a->lane < b->lane ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

static int compare_order(const void *left, const void *right)
{
    const struct evs_pending_done *a = left, *b = right;
    int order = compare_done(a, b);
    return order != 0 ? order : a->order < b->order ? -1 : a->order > b->order;
}

/* In order, and of each message the last record alone; none, where it says that the message waits again. */
static void settle_restored(struct evs_pendings *pendings)
{
    struct evs_pending_done *items = pendings->restored;
    uint32_t kept = 0;
    if (pendings->restored_count > 0) {
        qsort(items, pendings->restored_count, sizeof *items, compare_order);
    }
    for (uint32_t i = 0; i < pendings->restored_count; i++) {
        bool is_last = i + 1 == pendings->restored_count || compare_done(&items[i], &items[i + 1]) != 0;
        if (is_last && items[i].place != EVS_PLACE_LOST) {
            items[kept++] = items[i];
        }
    }
    pendings->restored_count = kept;
}

void evs_pendings_restored(struct evs_pendings *pendings, int64_t now_us)
{
    settle_restored(pendings);
    uint64_t last = pendings->last;
    for (uint64_t number = pendings->base + 1; number <= last; number++) {
        struct evs_pending *pending = evs_pendings_find(pendings, number);
        EVS_ASSERT(pending != NULL);
        struct evs_pending_done wanted = {.lane = pending->stored_lane, .number = pending->stored_number};
        const struct evs_pending_done *done =
            pendings->restored_count == 0
                ? NULL
                : bsearch(&wanted, pendings->restored, pendings->restored_count, sizeof wanted, compare_done);
        if (done != NULL || pending->was_delivered) {
            evs_pendings_deliver(pendings, pending, done == NULL ? 0 : done->place, now_us);
        }
    }
    evs_pendings_tend(pendings, now_us);
    evs_free(pendings->restored);
    pendings->restored = NULL;
    pendings->restored_count = pendings->restored_capacity = 0;
}
