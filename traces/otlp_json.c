/* ExportTraceServiceRequest as JSON. Names of attributes are those of the semantic conventions for messaging (OpenTelemetry 1.27); ids are hex, as OTLP wants them in JSON,
 * and 64-bit numbers are texts. */
#include <stdio.h>
#include <string.h>

#include "evstream/json_value.h"
#include "otlp.h"

#define SCHEMA_URL "https://opentelemetry.io/schemas/1.27.0"

static void put_id(struct evs_buffer *out, const char *name, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * 16];
    EVS_ASSERT(count <= 16);
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    evs_buffer_puts(out, name); /* with its quotes and colon */
    evs_buffer_put(out, text, 2 * count);
    evs_buffer_puts(out, "\"");
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

static void put_attributes(struct evs_buffer *out, const struct evs_trace_span *span)
{
    evs_buffer_puts(out, ",\"attributes\":[");
    put_text(out, "evstream.pipeline", span->pipeline);
    put_text(out, span->system == NULL ? "evstream.operator" : "evstream.connector", span->node);
    put_text(out, "evstream.operator.kind", span->operator_kind);
    if (span->system != NULL) {
        put_text(out, "messaging.system", span->system);
        put_text(out, "messaging.operation.name", span->operation);
        put_text(out, "messaging.operation.type", strcmp(span->operation, "publish") == 0 ? "send" : "receive");
        put_text(out, "messaging.destination.name", span->destination);
        put_text(out, "messaging.message.id", span->message_id);
    }
    if (span->has_record) {
        put_number(out, "messaging.destination.partition.id", span->partition);
        put_number(out, "evstream.sequence", span->sequence);
        put_number(out, "evstream.record", span->record);
    }
    evs_buffer_puts(out, "]");
}

static void put_links(struct evs_buffer *out, const struct evs_trace_span *span)
{
    evs_buffer_puts(out, ",\"links\":[");
    for (uint32_t i = 0; i < span->link_count; i++) {
        evs_buffer_puts(out, i == 0 ? "{" : ",{");
        put_id(out, "\"traceId\":\"", span->links[i].trace_id, 16);
        evs_buffer_puts(out, ",");
        put_id(out, "\"spanId\":\"", span->links[i].span_id, 8);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "]");
}

static void put_span(struct evs_buffer *out, const struct evs_trace_span *span)
{
    char name[2 * EVS_SPAN_TEXT];
    int count = snprintf(name, sizeof name, "%s %s", span->operation, span->node);
    evs_buffer_puts(out, "{");
    put_id(out, "\"traceId\":\"", span->own.trace_id, 16);
    put_id(out, ",\"spanId\":\"", span->own.span_id, 8);
    put_id(out, ",\"parentSpanId\":\"", span->parent, 8);
    evs_buffer_puts(out, ",\"name\":");
    evs_json_put_text(out, (struct evs_slice){name, (size_t)count < sizeof name ? (size_t)count : sizeof name - 1});
    evs_buffer_puts(out, ",\"kind\":");
    put_decimal(out, (uint64_t)span->kind);
    evs_buffer_puts(out, ",\"flags\":257,\"startTimeUnixNano\":\"");
    put_decimal(out, (uint64_t)span->start_us * 1000);
    evs_buffer_puts(out, "\",\"endTimeUnixNano\":\"");
    put_decimal(out, (uint64_t)(span->end_us < span->start_us ? span->start_us : span->end_us) * 1000);
    evs_buffer_puts(out, "\"");
    put_attributes(out, span);
    if (span->link_count > 0) {
        put_links(out, span);
    }
    evs_buffer_puts(out, "}");
}

void evs_otlp_put(struct evs_buffer *out, const char *service_name, const struct evs_trace_span *spans, uint32_t count)
{
    evs_buffer_puts(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    put_text(out, "service.name", service_name);
    evs_buffer_puts(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"evstream\"},\"spans\":[");
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_puts(out, i == 0 ? "" : ",");
        put_span(out, &spans[i]);
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
