/* ExportTraceServiceRequest as JSON. Names of attributes are those of the semantic conventions for messaging (OpenTelemetry 1.27); ids are hex, as OTLP wants them in JSON,
 * and 64-bit numbers are texts.
 *
 * Spans come in runs of the same place of a plan, and most of what they say is that place. Its text is made once a request, and copied for the others: members of an object have
 * no order, so what differs stands before it and behind it. */
#include <stdio.h>
#include <string.h>

#include "evstream/json_value.h"
#include "otlp.h"

#define SCHEMA_URL "https://opentelemetry.io/schemas/1.27.0"

#define PLACES 8u

#define PUT(out, literal) evs_buffer_put(out, "" literal, sizeof(literal) - 1)

/* What all spans of one place say, as it stands in the request. */
struct place {
    const struct evs_trace_span *of; /* the first of them; NULL: free */
    size_t at, bytes;
};
struct request {
    struct evs_buffer *out;
    struct place places[PLACES];
    uint32_t next; /* the one that is given up for another */
};

/* `name` comes with its quotes and colon. */
#define PUT_ID(out, name, bytes, count) (PUT(out, name), put_hex(out, bytes, count), PUT(out, "\""))

static void put_hex(struct evs_buffer *out, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * 16];
    EVS_ASSERT(count <= 16);
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    evs_buffer_put(out, text, 2 * count);
}

static void put_decimal(struct evs_buffer *out, uint64_t value)
{
    char text[EVS_FORMAT_MAX];
    evs_buffer_put(out, text, evs_format_int64(text, (int64_t)value));
}

static void begin_attribute(struct evs_buffer *out, const char *name)
{
    evs_buffer_puts(out, out->data[out->count - 1] == '[' ? "{\"key\":\"" : ",{\"key\":\"");
    evs_buffer_puts(out, name);
    evs_buffer_puts(out, "\",\"value\":");
}

static void put_text(struct evs_buffer *out, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0') {
        return;
    }
    begin_attribute(out, name);
    evs_buffer_puts(out, "{\"stringValue\":");
    size_t count = strlen(value);
    bool is_text = evs_utf8_valid(value, count); /* a cut may have gone through a character */
    while (!is_text && count > 0) {
        is_text = evs_utf8_valid(value, --count);
    }
    evs_json_put_text(out, (struct evs_slice){value, count});
    evs_buffer_puts(out, "}}");
}

static void put_number(struct evs_buffer *out, const char *name, uint64_t value)
{
    begin_attribute(out, name);
    evs_buffer_puts(out, "{\"intValue\":\"");
    put_decimal(out, value);
    evs_buffer_puts(out, "\"}}");
}

static void put_place(struct evs_buffer *out, const struct evs_trace_span *span)
{
    char name[2 * EVS_SPAN_TEXT];
    int count = snprintf(name, sizeof name, "%s %s", span->operation, span->node);
    PUT(out, "\"name\":");
    evs_json_put_text(out, (struct evs_slice){name, (size_t)count < sizeof name ? (size_t)count : sizeof name - 1});
    PUT(out, ",\"kind\":");
    put_decimal(out, (uint64_t)span->kind);
    PUT(out, ",\"flags\":257,\"attributes\":[");
    put_text(out, "evstream.pipeline", span->pipeline);
    put_text(out, span->system == NULL ? "evstream.operator" : "evstream.connector", span->node);
    put_text(out, "evstream.operator.kind", span->operator_kind);
    if (span->system != NULL) {
        put_text(out, "messaging.system", span->system);
        put_text(out, "messaging.operation.name", span->operation);
        put_text(out, "messaging.operation.type", strcmp(span->operation, "publish") == 0 ? "send" : "receive");
    }
}

/* Texts are borrowed from the plan, so the same ones are the same place. */
static bool is_same_place(const struct evs_trace_span *a, const struct evs_trace_span *b)
{
    return a->node == b->node && a->operation == b->operation && a->pipeline == b->pipeline && a->kind == b->kind &&
           a->system == b->system && a->operator_kind == b->operator_kind;
}

static void put_place_again(struct request *request, const struct evs_trace_span *span)
{
    struct evs_buffer *out = request->out;
    for (uint32_t i = 0; i < PLACES && request->places[i].of != NULL; i++) {
        const struct place *known = &request->places[i];
        if (is_same_place(known->of, span)) {
            evs_buffer_reserve(out, known->bytes); /* the text is in the same buffer, which then stays where it is */
            evs_buffer_put(out, out->data + known->at, known->bytes);
            return;
        }
    }
    struct place *place = &request->places[request->next++ % PLACES];
    place->of = span;
    place->at = out->count;
    put_place(out, span);
    place->bytes = out->count - place->at;
}

static void put_attributes(struct evs_buffer *out, const struct evs_trace_span *span)
{
    put_text(out, "messaging.destination.name", span->destination);
    put_text(out, "messaging.message.id", span->message_id);
    if (span->has_record) {
        put_number(out, "messaging.destination.partition.id", span->partition);
        put_number(out, "evstream.sequence", span->sequence);
        put_number(out, "evstream.record", span->record);
    }
}

static void put_links(struct evs_buffer *out, const struct evs_trace_span *span)
{
    PUT(out, ",\"links\":[");
    for (uint32_t i = 0; i < span->link_count; i++) {
        if (i > 0) {
            PUT(out, ",");
        }
        PUT_ID(out, "{\"traceId\":\"", span->links[i].trace_id, 16);
        PUT_ID(out, ",\"spanId\":\"", span->links[i].span_id, 8);
        PUT(out, "}");
    }
    PUT(out, "]");
}

static void put_span(struct request *request, const struct evs_trace_span *span)
{
    struct evs_buffer *out = request->out;
    PUT_ID(out, "{\"traceId\":\"", span->own.trace_id, 16);
    PUT_ID(out, ",\"spanId\":\"", span->own.span_id, 8);
    PUT_ID(out, ",\"parentSpanId\":\"", span->parent, 8);
    PUT(out, ",\"startTimeUnixNano\":\"");
    put_decimal(out, (uint64_t)span->start_us * 1000);
    PUT(out, "\",\"endTimeUnixNano\":\"");
    put_decimal(out, (uint64_t)(span->end_us < span->start_us ? span->start_us : span->end_us) * 1000);
    PUT(out, "\",");
    put_place_again(request, span);
    put_attributes(out, span);
    PUT(out, "]");
    if (span->link_count > 0) {
        put_links(out, span);
    }
    PUT(out, "}");
}

void evs_otlp_put(struct evs_buffer *out, const char *service_name, const struct evs_trace_span *spans, uint32_t count)
{
    evs_buffer_puts(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    put_text(out, "service.name", service_name);
    evs_buffer_puts(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"evstream\"},\"spans\":[");
    struct request request = {.out = out};
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_puts(out, i == 0 ? "" : ",");
        put_span(&request, &spans[i]);
    }
    evs_buffer_puts(out, "],\"schemaUrl\":\"" SCHEMA_URL "\"}]}]}");
}

bool evs_otlp_share(const char *text, double *share)
{
    size_t count = strlen(text);
    bool is_percent = count > 0 && text[count - 1] == '%';
    struct evs_slice number = {text, count - is_percent};
    return evs_parse_float64(number, share) && (*share = is_percent ? *share / 100 : *share) > 0 && *share <= 1;
}
