/* From a draft to a canonical event: one line of JSON, its id, its partition; or a bad row with all its reasons.
 *
 * Order: what the sender's wishes and the source's policy say (privacy.h), the id, the time, the type, the schema, the
 * line, its size. Nothing stops at the first mistake, so that a bad row names all of them at once.
 *
 * Ids. An event without an id of its own gets one that follows from its bytes, so that a client's retry is the same event:
 * XXH3-128 over the source, the visitor and the event without what changes from try to try (sentAt, the write key, _metadata).
 * Equal events of one request are counted (…-2, …-3), so that two lines that look alike stay two. Where the event has no
 * time either, every visitor's page view would look alike: then the visitor (address, user agent) and the second of receipt
 * are part of it where only browsers send so, and the exact time of receipt where a server may send many in a second; such
 * a retry counts twice, because nothing tells it from a second event. */
#include <stdarg.h>
#include <stdio.h>

#include "call.h"
#include "event_schema.h"
#include "evstream/json_value.h"
#include "evstream/type.h"
#include "form.h"
#include "privacy.h"
#include "type_name.h"

#define ID_BYTES_MAX 100u      /* of an event's id, as Segment has it; a longer one is hashed */
#define USER_ID_BYTES_MAX 512u /* of user_id, anonymous_id and session_id */
#define RAW_BYTES_MAX (128u << 10)
#define SECOND INT64_C(1000000)
#define FUTURE_US_MAX (5 * SECOND)
#define TIME_MAX INT64_C(253402300799999999) /* the end of 9999 */

/* --- mistakes ------------------------------------------------------------------------------------------------------------- */

void evs_draft_reject(struct evs_call *call, struct evs_draft *draft, const char *format, ...)
{
    if (draft->reason_count == EVS_REASONS_MAX) {
        return;
    }
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    EVS_ASSERT(count >= 0);
    size_t bytes = (size_t)count < sizeof text ? (size_t)count : sizeof text - 1;
    draft->reasons[draft->reason_count++] =
        evs_form_utf8(call->arena, (struct evs_slice){evs_arena_copy(call->arena, text, bytes), bytes});
}

static struct evs_slice raw_of(const struct evs_draft *draft)
{
    return draft->raw.count > 0 || draft->sent == NULL ? draft->raw : draft->sent->text;
}

static void put_time(struct evs_buffer *out, const char *name, int64_t us)
{
    char text[EVS_FORMAT_MAX];
    evs_buffer_printf(out, "\"%s\":\"%.*s\"", name, (int)evs_format_timestamp(text, us), text);
}

static struct evs_slice taken(struct evs_call *call)
{
    const struct evs_buffer *buffer = &call->protocol->buffer;
    return (struct evs_slice){evs_arena_copy(call->arena, buffer->data, buffer->count), buffer->count};
}

static struct evs_slice bad_row_json(struct evs_call *call, const struct evs_draft *draft, uint32_t index)
{
    static const struct evs_strip none = {NULL, 0};
    struct evs_buffer *out = &call->protocol->buffer;
    struct evs_slice raw = raw_of(draft);
    bool keeps_raw = draft->wishes.policy == EVS_WISH_RECORD; /* else ids would come in by the back door */
    size_t kept = !keeps_raw ? 0 : raw.count < RAW_BYTES_MAX ? raw.count : RAW_BYTES_MAX;
    out->count = 0;
    evs_buffer_printf(out, "{\"_reason\":\"event\",\"_reasons\":[");
    for (uint32_t i = 0; i < draft->reason_count; i++) {
        evs_buffer_puts(out, i > 0 ? "," : "");
        evs_tree_write_text(out, draft->reasons[i], &none);
    }
    evs_buffer_printf(out, "],\"_source\":\"%s\",\"_protocol\":\"%s\",\"_index\":%u,", call->source, call->name, index);
    put_time(out, "_ingested_at", call->request->received_us);
    evs_buffer_printf(out, ",\"_raw_bytes\":%zu,\"raw\":", raw.count);
    evs_tree_write_text(out, evs_form_utf8(call->arena, (struct evs_slice){raw.data, kept}), &call->protocol->strip);
    evs_buffer_puts(out, "}");
    return taken(call);
}

static void add_bad_row(struct evs_call *call, const struct evs_draft *draft, uint32_t index)
{
    struct evs_protocol *protocol = call->protocol;
    EVS_ASSERT(draft->reason_count > 0);
    struct evs_slice *reasons = EVS_ARENA_ARRAY(call->arena, struct evs_slice, draft->reason_count);
    memcpy(reasons, draft->reasons, draft->reason_count * sizeof *reasons);
    EVS_GROW(protocol->bad_rows, call->out->bad_row_count, protocol->bad_row_capacity);
    protocol->bad_rows[call->out->bad_row_count++] =
        (struct evs_bad_row){bad_row_json(call, draft, index), call->source, reasons, draft->reason_count, index};
}

void evs_event_refuse(struct evs_call *call, struct evs_slice raw, const char *format, ...)
{
    struct evs_draft draft = {.raw = raw, .wishes = evs_privacy_wishes(call, NULL)};
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    evs_draft_reject(call, &draft, "%s", text);
    add_bad_row(call, &draft, call->event_index++);
}

bool evs_event_fits(struct evs_call *call, struct evs_slice raw)
{
    uint32_t bytes_max = call->protocol->config.event_bytes_max;
    if (raw.count > bytes_max) {
        evs_event_refuse(call, raw, "The event has %zu bytes; at most %u are allowed.", raw.count, bytes_max);
    }
    return raw.count <= bytes_max;
}

/* --- time ------------------------------------------------------------------------------------------------------------------ */

/* ISO 8601, or a count since 1970 whose size says of what: seconds, milliseconds or microseconds. */
static bool read_time(struct evs_slice text, int64_t *us)
{
    double number;
    if (evs_parse_timestamp(text, true, us)) {
        return *us >= 0;
    }
    if (!evs_parse_float64(text, &number) || !(number >= 0 && number < 1e17)) {
        return false;
    }
    *us = (int64_t)(number < 1e11 ? number * 1e6 : number < 1e14 ? number * 1e3 : number);
    return *us <= TIME_MAX;
}

/* The sender's clock, corrected by what it showed at sending against our receipt (Segment's formula): the event is as old
 * as it was when it was sent. Clocks less than a second apart are taken as equal; nothing is more than 5 s ahead. */
static int64_t occurred_at(struct evs_call *call, struct evs_draft *draft)
{
    int64_t received = call->request->received_us, original, sent;
    if (draft->time_text.count == 0) {
        return received;
    }
    if (!read_time(draft->time_text, &original)) {
        evs_draft_reject(call, draft, "The time '%.*s' is none: it should look like 2026-01-05T10:00:00.000Z.",
                         (int)(draft->time_text.count < 64 ? draft->time_text.count : 64), draft->time_text.data);
        return received;
    }
    struct evs_slice sent_text = draft->sent_text.count > 0 ? draft->sent_text : call->sent_text;
    if (!draft->time_is_true && sent_text.count > 0 && read_time(sent_text, &sent)) {
        int64_t skew = received - sent;
        original += skew > -SECOND && skew < SECOND ? 0 : skew;
    }
    original = original < 0 ? 0 : original;
    return original > received + FUTURE_US_MAX ? received + FUTURE_US_MAX : original;
}

/* --- ids ------------------------------------------------------------------------------------------------------------------- */

static bool is_volatile(struct evs_slice name)
{
    static const char *const names[] = {"sentAt", "sent_at", "_metadata", "writeKey", "stm", "api_key"};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        if (evs_slice_equal(name, evs_slice_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static void put_sent(struct evs_buffer *out, const struct evs_draft *draft)
{
    static const struct evs_strip none = {NULL, 0};
    if (draft->sent == NULL || draft->sent->kind != EVS_TREE_OBJECT) {
        struct evs_slice raw = raw_of(draft);
        evs_buffer_put(out, raw.data, raw.count);
        return;
    }
    for (const struct evs_tree *member = draft->sent->first; member != NULL; member = member->next) {
        if (!is_volatile(member->key)) {
            evs_tree_write_text(out, member->key, &none);
            evs_tree_write(out, member, &none);
        }
    }
}

/* Where the id's count is, or belongs: an open-addressing table, at most half full. */
static struct evs_id_mark *mark_of(struct evs_protocol *protocol, struct evs_hash128 id)
{
    uint32_t at = (uint32_t)id.low & (protocol->mark_capacity - 1);
    while (protocol->marks[at].count > 0 &&
           (protocol->marks[at].id.low != id.low || protocol->marks[at].id.high != id.high)) {
        at = (at + 1) & (protocol->mark_capacity - 1);
    }
    return &protocol->marks[at];
}

/* Counts move along: an id that came three times before must not be the second one again. */
static void grow_marks(struct evs_protocol *protocol)
{
    struct evs_id_mark *old = protocol->marks;
    uint32_t old_capacity = protocol->mark_capacity;
    protocol->mark_capacity = old_capacity == 0 ? 64 : 2 * old_capacity;
    protocol->marks = evs_alloc_zero(protocol->mark_capacity * sizeof *protocol->marks);
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].count > 0) {
            *mark_of(protocol, old[i].id) = old[i];
        }
    }
    evs_free(old);
}

/* How often this id has come in this request, this one counted. */
static uint32_t occurrence(struct evs_call *call, struct evs_hash128 id)
{
    struct evs_protocol *protocol = call->protocol;
    if (call->mark_count == 0 && protocol->mark_capacity > 0) { /* of the request before */
        memset(protocol->marks, 0, protocol->mark_capacity * sizeof *protocol->marks);
    }
    if (2 * call->mark_count >= protocol->mark_capacity) {
        grow_marks(protocol);
    }
    struct evs_id_mark *mark = mark_of(protocol, id);
    mark->id = id;
    call->mark_count += mark->count == 0;
    return ++mark->count;
}

static struct evs_slice derived_id(struct evs_call *call, const struct evs_draft *draft, const char *source)
{
    struct evs_buffer *out = &call->protocol->buffer;
    struct evs_slice user_agent = evs_call_header(call, "user-agent");
    out->count = 0;
    evs_buffer_printf(out, "%s|%s|", source, call->name);
    evs_buffer_put(out, draft->event_id.data, draft->event_id.count); /* too long to be one */
    put_sent(out, draft);
    if (draft->event_id.count == 0 && draft->time_text.count == 0) {
        int64_t received = call->request->received_us;
        evs_buffer_printf(out, "|%lld|", (long long)(call->is_of_visitor ? received / SECOND : received));
        evs_buffer_put(out, call->request->remote_address.data, call->request->remote_address.count);
        evs_buffer_put(out, user_agent.data, user_agent.count);
    }
    struct evs_hash128 hash = evs_hash128(out->data, out->count);
    uint32_t nth = occurrence(call, hash);
    const char *text =
        evs_arena_printf(call->arena, "%016llx%016llx", (unsigned long long)hash.high, (unsigned long long)hash.low);
    return evs_slice_of(nth == 1 ? text : evs_arena_printf(call->arena, "%s-%u", text, nth));
}

static struct evs_slice id_of(struct evs_call *call, const struct evs_draft *draft, const char *source)
{
    bool is_one = draft->event_id.count > 0 && draft->event_id.count <= ID_BYTES_MAX;
    return is_one ? draft->event_id : derived_id(call, draft, source);
}

static void judge_ids(struct evs_call *call, struct evs_draft *draft)
{
    const struct {
        const char *name;
        struct evs_slice id;
    } ids[] = {{"user_id", draft->user_id}, {"anonymous_id", draft->anonymous_id}, {"session_id", draft->session_id}};
    for (size_t i = 0; i < EVS_COUNT(ids); i++) {
        if (ids[i].id.count > USER_ID_BYTES_MAX) {
            evs_draft_reject(call, draft, "%s has %zu bytes; at most %u are kept.", ids[i].name, ids[i].id.count,
                             USER_ID_BYTES_MAX);
        }
    }
}

/* FNV-1a of whom the event is about, so that a user's events stay in order; of the session, and at last of the event
 * itself, when it is about nobody. */
static uint32_t partition_of(const struct evs_protocol *protocol, const struct evs_draft *draft, struct evs_slice id)
{
    const struct evs_slice keys[] = {draft->user_id, draft->anonymous_id, draft->session_id, id};
    size_t i = 0;
    while (keys[i].count == 0) {
        i++;
        EVS_ASSERT(i < EVS_COUNT(keys)); /* an event has an id */
    }
    return evs_fnv1a32(keys[i].data, keys[i].count) % protocol->config.partitions;
}

/* --- the line -------------------------------------------------------------------------------------------------------------- */

struct evs_slice evs_event_type(const struct evs_call *call, struct evs_slice name)
{
    struct evs_slice type = evs_snake_name(call->arena, name);
    return call->protocol->config.ecommerce_names ? evs_shop_name(type) : type;
}

static struct evs_slice type_of(struct evs_call *call, struct evs_draft *draft)
{
    if (draft->type.count > 0) {
        return draft->type;
    }
    struct evs_slice type = evs_event_type(call, draft->name);
    if (type.count == 0) {
        evs_draft_reject(call, draft, "The event has no name.");
    } else if (type.count > EVS_TYPE_BYTES_MAX) {
        evs_draft_reject(call, draft, "The event's name has %zu bytes; at most %u are kept.", type.count,
                         EVS_TYPE_BYTES_MAX);
    }
    return type;
}

static void put_member(struct evs_buffer *out, const char *name, struct evs_slice text, const struct evs_strip *strip)
{
    if (text.count > 0) {
        evs_buffer_printf(out, ",\"%s\":", name);
        evs_tree_write_text(out, text, strip);
    }
}

static bool is_hex(struct evs_slice text, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

/* https://www.w3.org/TR/trace-context/: version 00. */
static bool is_traceparent(struct evs_slice text)
{
    return text.count == 55 && text.data[2] == '-' && text.data[35] == '-' && text.data[52] == '-' &&
           is_hex(text, 0, 2) && is_hex(text, 3, 32) && is_hex(text, 36, 16) && is_hex(text, 53, 2);
}

static struct evs_slice traceparent_of(const struct evs_call *call, const struct evs_draft *draft)
{
    struct evs_slice text = draft->traceparent.count > 0 ? draft->traceparent : evs_call_header(call, "traceparent");
    return is_traceparent(text) ? text : (struct evs_slice){NULL, 0};
}

static struct evs_tree *origin_of(struct evs_call *call, const struct evs_draft *draft)
{
    struct evs_tree *origin = evs_tree_object(call->arena);
    evs_tree_put_text(call->arena, origin, "protocol", evs_slice_of(call->name));
    evs_tree_put_text(call->arena, origin, "call", draft->call);
    evs_tree_put_text(call->arena, origin, "name", draft->name);
    evs_tree_put_text(call->arena, origin, "timestamp", draft->time_text);
    evs_tree_put_text(call->arena, origin, "sent_at", draft->sent_text.count > 0 ? draft->sent_text : call->sent_text);
    const struct evs_tree *more = draft->origin == NULL ? NULL : draft->origin->first;
    for (; more != NULL; more = more->next) {
        evs_tree_put(call->arena, origin, more->key, more);
    }
    return origin;
}

struct line {
    struct evs_slice id, type, schema;
    int64_t occurred_us;
    const char *source;
    struct evs_tree *context;
};

static struct evs_slice write_line(struct evs_call *call, const struct evs_draft *draft, const struct line *line)
{
    static const struct evs_strip none = {NULL, 0};
    const struct evs_strip *strip = &call->protocol->strip;
    struct evs_buffer *out = &call->protocol->buffer;
    out->count = 0;
    evs_buffer_puts(out, "{\"event_id\":");
    evs_tree_write_text(out, line->id, &none);
    put_member(out, "type", line->type, &none);
    evs_buffer_puts(out, ",");
    put_time(out, "occurred_at", line->occurred_us);
    evs_buffer_puts(out, ",");
    put_time(out, "received_at", call->request->received_us);
    put_member(out, "user_id", draft->user_id, &none);
    put_member(out, "anonymous_id", draft->anonymous_id, &none);
    put_member(out, "session_id", draft->session_id, &none);
    evs_buffer_puts(out, ",\"properties\":");
    if (draft->properties == NULL) {
        evs_buffer_puts(out, "{}");
    } else {
        evs_tree_write(out, draft->properties, strip);
    }
    evs_buffer_puts(out, ",\"context\":");
    evs_tree_write(out, line->context, strip);
    put_member(out, "source", evs_slice_of(line->source), &none);
    put_member(out, "schema", line->schema, &none);
    put_member(out, "traceparent", traceparent_of(call, draft), &none);
    evs_buffer_puts(out, "}");
    return taken(call);
}

static void judge_form(struct evs_call *call, struct evs_draft *draft)
{
    uint32_t depth_max = call->protocol->config.event_depth_max;
    uint32_t depth = draft->sent == NULL ? 0 : draft->sent->depth;
    if (depth > depth_max) {
        evs_draft_reject(call, draft, "It has %u objects and arrays within each other; at most %u are allowed.", depth,
                         depth_max);
    }
    if (draft->properties != NULL && draft->properties->kind != EVS_TREE_OBJECT) {
        evs_draft_reject(call, draft, "Its properties are no JSON object.");
    }
    if (draft->context != NULL && draft->context->kind != EVS_TREE_OBJECT) {
        evs_draft_reject(call, draft, "Its context is no JSON object.");
    }
}

static bool judge_size(struct evs_call *call, struct evs_draft *draft, size_t bytes)
{
    uint32_t bytes_max = call->protocol->config.event_bytes_max;
    if (bytes > bytes_max) {
        evs_draft_reject(call, draft, "The event has %zu bytes; at most %u are allowed.", bytes, bytes_max);
    }
    return bytes <= bytes_max;
}

/* The request's text may go; what is handed out stays. */
static struct evs_slice kept_text(const struct evs_call *call, struct evs_slice text)
{
    return (struct evs_slice){evs_arena_copy(call->arena, text.data, text.count), text.count};
}

static void finish(struct evs_call *call, struct evs_draft *draft, uint32_t index)
{
    struct evs_protocol *protocol = call->protocol;
    struct line line = {.source = draft->source != NULL ? draft->source : call->source};
    EVS_ASSERT(raw_of(draft).count <= protocol->config.event_bytes_max); /* evs_event_fits */
    judge_form(call, draft);
    judge_ids(call, draft);
    line.occurred_us = occurred_at(call, draft);
    line.type = type_of(call, draft);
    if (draft->reason_count == 0) {
        line.schema = evs_schema_judge(call->protocol->schemas, call, draft, line.type);
    }
    if (draft->reason_count == 0) {
        line.id = id_of(call, draft, line.source);
        line.context = evs_privacy_context(call, draft, origin_of(call, draft));
        struct evs_slice json = write_line(call, draft, &line);
        if (judge_size(call, draft, json.count)) {
            EVS_GROW(protocol->events, call->out->event_count, protocol->event_capacity);
            protocol->events[call->out->event_count++] =
                (struct evs_event){json, kept_text(call, line.id), line.source, partition_of(protocol, draft, line.id)};
            return;
        }
    }
    add_bad_row(call, draft, index);
}

void evs_event_take(struct evs_call *call, struct evs_draft *draft)
{
    uint32_t index = call->event_index++;
    if (evs_privacy_apply(call, draft)) {
        finish(call, draft, index);
    }
}
