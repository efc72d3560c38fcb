/* Rows to CloudEvents 1.0 (https://github.com/cloudevents/spec, NATS protocol binding and JSON event format).
 *
 * Binary mode, the default: the payload is the row as `format json` writes it, the attributes are headers:
 *
 *   ce-specversion: 1.0
 *   ce-id: 0f1e…                 the trigger's id in 32 hexadecimal digits, the same after any restart
 *   ce-source: /evstream/carts/reminders
 *   ce-type: shop.cart.abandoned
 *   ce-time: 2026-01-05T10:30:00Z
 *   ce-datacontenttype: application/json
 *   content-type: application/json
 *
 * Structured mode: the payload is an object of the attributes, the row is its `data`; one header says what it is. A connector
 * without headers (a file, a Redis stream) is given structured mode; the compiler refuses the other, of which only the data would be left.
 *
 * `time` is the row's event time. A column `traceparent` of type string goes on as the attribute of that name (the distributed tracing
 * extension), so that the trigger belongs to the trace of the click. Header values are percent-encoded where the protocol binding
 * says so: all but printable ASCII, and space, `"` and `%`.
 *
 * A row that has no trigger id, because its sink delivers bytes and not messages, gets one made of the same parts. */
#include "format_cloudevents.h"

#include "evstream/memory.h"
#include "format_json.h"
#include "json_template.h"
#include "value_text.h"

enum mode { MODE_BINARY, MODE_STRUCTURED };

#define ID_DIGITS 32u
#define NO_COLUMN UINT32_MAX

struct cloudevents_config {
    enum mode mode;
    struct evs_slice type, source;      /* source empty: made of pipeline and sink */
    const struct evs_template *subject; /* NULL: none */
    uint32_t traceparent_column;
    bool causation;
    const struct evs_json_row *row;
};

/* --- options -------------------------------------------------------------------------------------------------------------------- */

static const struct evs_option cloudevents_options[] = {
    {
        .name = "type",
        .kind = EVS_OPTION_STRING,
        .required = true,
        .help = "The attribute `type`: what happened, usually with a reversed DNS name in front, as in "
                "shop.cart.abandoned.",
    },
    {
        .name = "source",
        .kind = EVS_OPTION_STRING,
        .help = "The attribute `source`, a URI reference: where it happened; without it /evstream/PIPELINE/SINK.",
    },
    {
        .name = "subject",
        .kind = EVS_OPTION_TEMPLATE,
        .help = "The attribute `subject`: what it happened to, as in {user_id}; left out where a column in it is NULL.",
    },
    {
        .name = "mode",
        .kind = EVS_OPTION_ENUM,
        .fallback = "binary",
        .choices = "binary|structured",
        .help = "binary: attributes are headers, the payload is the row. structured: the payload is an object of both.",
    },
    {
        .name = "causation",
        .kind = EVS_OPTION_BOOL,
        .fallback = "false",
        .help = "Adds the attributes `causationid` (partition/sequence/record of the event behind the row, or "
                "start/end/firing of its window) and, of results by key, `correlationid`: the same for all of one key.",
    },
    {.name = NULL},
};

static uint32_t find_traceparent(const struct evs_schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        if (strcmp(schema->fields[i].name, "traceparent") == 0 && schema->fields[i].type->kind == EVS_STRING) {
            return i;
        }
    }
    return NO_COLUMN;
}

static struct evs_slice keep(struct evs_arena *arena, const struct evs_option_value *value)
{
    return value->is_set
               ? (struct evs_slice){evs_arena_copy(arena, value->text.data, value->text.count), value->text.count}
               : (struct evs_slice){0};
}

static evs_status cloudevents_configure(const struct evs_option_value *values, const struct evs_schema *schema,
                                        struct evs_arena *arena, const void **config, struct evs_error *error)
{
    struct cloudevents_config *made = EVS_ARENA_NEW(arena, struct cloudevents_config);
    const struct evs_option_value *subject = evs_option_find(values, "subject");
    made->mode = (enum mode)evs_option_find(values, "mode")->integer;
    made->causation = evs_option_find(values, "causation")->integer != 0;
    made->type = keep(arena, evs_option_find(values, "type"));
    made->source = keep(arena, evs_option_find(values, "source"));
    made->traceparent_column = find_traceparent(schema);
    if (made->type.count == 0) {
        return evs_fail(error, EVS_E_PIPELINE, "The option `type` of the format cloudevents must not be empty.");
    }
    evs_status status = evs_json_row_bind(schema, arena, &made->row, error);
    if (status == EVS_OK && subject->is_set && subject->text.count > 0) {
        status = evs_template_bind(subject->text, schema, arena, &made->subject, error);
    }
    *config = made;
    return status;
}

/* --- attributes ------------------------------------------------------------------------------------------------------------------ */

/* What is written for one row. Both modes write the same attributes, each in its own form. */
struct event {
    const struct cloudevents_config *config;
    const struct evs_batch *batch;
    uint32_t row;
    const struct evs_format_place *place;
    struct evs_buffer *out;
    void (*put)(struct evs_buffer *out, const char *name, struct evs_slice value);
};

static struct evs_hash128 id_of(const struct event *event)
{
    const struct evs_batch *batch = event->batch;
    if (event->place->has_id) {
        return event->place->id;
    }
    struct evs_hash128 pipeline = evs_hash128(event->place->pipeline, strlen(event->place->pipeline));
    struct evs_hash128 sink = evs_hash128(event->place->sink, strlen(event->place->sink));
    uint64_t parts[] = {
        pipeline.low,
        sink.low,
        batch->cause[event->row].major,
        batch->cause[event->row].minor,
        (uint64_t)batch->cause_kind,
        batch->ordinal == NULL ? 0 : batch->ordinal[event->row],
        batch->key == NULL ? 0 : batch->key[event->row].low,
        batch->key == NULL ? 0 : batch->key[event->row].high,
    };
    return evs_hash128(parts, sizeof parts);
}

static void put_id(const struct event *event)
{
    static const char hex[] = "0123456789abcdef";
    struct evs_hash128 id = id_of(event);
    char text[ID_DIGITS];
    for (uint32_t i = 0; i < ID_DIGITS; i++) {
        uint64_t half = i < ID_DIGITS / 2 ? id.high : id.low;
        text[i] = hex[half >> (60 - 4 * (i % (ID_DIGITS / 2))) & 15];
    }
    event->put(event->out, "id", (struct evs_slice){text, ID_DIGITS});
}

static void put_source(const struct event *event)
{
    if (event->config->source.count > 0) {
        event->put(event->out, "source", event->config->source);
        return;
    }
    struct evs_buffer text = {0};
    evs_buffer_printf(&text, "/evstream/%s/%s", event->place->pipeline, event->place->sink);
    event->put(event->out, "source", (struct evs_slice){text.data, text.count});
    evs_buffer_fini(&text);
}

static void put_subject(const struct event *event)
{
    struct evs_buffer text = {0};
    if (event->config->subject != NULL && evs_template_fill(event->config->subject, event->batch, event->row, &text) &&
        text.count > 0) {
        event->put(event->out, "subject", (struct evs_slice){text.data, text.count});
    }
    evs_buffer_fini(&text);
}

static void put_time(const struct event *event)
{
    const int64_t first = INT64_C(-62135596800000000),
                  end = INT64_C(253402300800000000); /* years 0001 to 9999, as RFC 3339 has them */
    int64_t us = event->batch->event_time_us[event->row];
    char text[EVS_FORMAT_MAX];
    if (us >= first && us < end) {
        event->put(event->out, "time", (struct evs_slice){text, evs_text_of_timestamp(text, us)});
    }
}

static void put_traceparent(const struct event *event)
{
    if (event->config->traceparent_column == NO_COLUMN) {
        return;
    }
    const struct evs_column *column = &event->batch->columns[event->config->traceparent_column];
    if (evs_column_is_valid(column, event->row)) {
        event->put(event->out, "traceparent", evs_str_slice(EVS_COLUMN_AT(column, struct evs_str, event->row)));
    }
}

/* What tells whoever takes triggers which of them belong together, and where to look for what caused one. */
static void put_causation(const struct event *event)
{
    const struct evs_batch *batch = event->batch;
    struct evs_cause cause = batch->cause[event->row];
    char text[EVS_FORMAT_MAX * 3];
    uint32_t count;
    if (!event->config->causation) {
        return;
    }
    if (batch->cause_kind == EVS_CAUSE_WINDOW) {
        uint32_t firing = batch->ordinal == NULL ? 0 : batch->ordinal[event->row];
        count = evs_text_of_timestamp(text, (int64_t)cause.major);
        text[count++] = '/';
        count += evs_text_of_timestamp(text + count, (int64_t)cause.minor);
        text[count++] = '/';
        count += evs_format_int64(text + count, firing);
    } else {
        count = evs_format_int64(text, evs_cause_partition(cause));
        text[count++] = '/';
        count += evs_format_int64(text + count, (int64_t)evs_cause_sequence(cause));
        text[count++] = '/';
        count += evs_format_int64(text + count, (uint32_t)cause.minor);
    }
    event->put(event->out, "causationid", (struct evs_slice){text, count});
    if (batch->key != NULL) {
        evs_id_text(text, batch->key[event->row]);
        event->put(event->out, "correlationid", (struct evs_slice){text, EVS_ID_DIGITS});
    }
}

static void put_attributes(const struct event *event)
{
    event->put(event->out, "specversion", EVS_SLICE("1.0"));
    put_id(event);
    put_source(event);
    event->put(event->out, "type", event->config->type);
    put_subject(event);
    put_time(event);
    put_traceparent(event);
    put_causation(event);
}

/* --- headers --------------------------------------------------------------------------------------------------------------------- */

static void put_header_value(struct evs_buffer *out, struct evs_slice value)
{
    static const char hex[] = "0123456789ABCDEF";
    evs_buffer_reserve(out, 3 * value.count);
    char *next = out->data + out->count;
    for (size_t i = 0; i < value.count; i++) {
        uint8_t c = (uint8_t)value.data[i];
        if (c > ' ' && c < 0x7F && c != '"' && c != '%') {
            *next++ = (char)c;
        } else {
            *next++ = '%';
            *next++ = hex[c >> 4];
            *next++ = hex[c & 15];
        }
    }
    out->count = (size_t)(next - out->data);
}

static void put_header(struct evs_buffer *out, const char *name, struct evs_slice value)
{
    evs_buffer_puts(out, "ce-");
    evs_buffer_puts(out, name);
    evs_buffer_puts(out, ": ");
    put_header_value(out, value);
    evs_buffer_puts(out, "\r\n");
}

static void cloudevents_headers(const void *config, const struct evs_schema *schema, const struct evs_batch *batch,
                                uint32_t row, const struct evs_format_place *place, struct evs_buffer *headers)
{
    (void)schema;
    struct event event = {config, batch, row, place, headers, put_header};
    if (event.config->mode == MODE_STRUCTURED) {
        evs_buffer_puts(headers, "content-type: application/cloudevents+json\r\n");
        return;
    }
    put_attributes(&event);
    /* NATS maps the attribute like all others; HTTP has it as Content-Type alone, and the webhook leaves the first out. */
    evs_buffer_puts(headers, "ce-datacontenttype: application/json\r\ncontent-type: application/json\r\n");
}

/* --- payload --------------------------------------------------------------------------------------------------------------------- */

static void put_member(struct evs_buffer *out, const char *name, struct evs_slice value)
{
    EVS_ASSERT(out->count > 0);
    evs_buffer_puts(out, out->data[out->count - 1] == '{' ? "\"" : ",\"");
    evs_buffer_puts(out, name);
    evs_buffer_puts(out, "\":");
    evs_json_put_string(out, value);
}

static void cloudevents_encode(const void *config, const struct evs_schema *schema, const struct evs_batch *batch,
                               uint32_t row, const struct evs_format_place *place, struct evs_buffer *payload)
{
    (void)schema;
    struct event event = {config, batch, row, place, payload, put_member};
    if (event.config->mode == MODE_BINARY) {
        evs_json_row_put(event.config->row, batch, row, payload);
        return;
    }
    evs_buffer_puts(payload, "{");
    put_attributes(&event);
    put_member(payload, "datacontenttype", EVS_SLICE("application/json"));
    evs_buffer_puts(payload, ",\"data\":");
    evs_json_row_put(event.config->row, batch, row, payload);
    evs_buffer_puts(payload, "}");
}

static const char *cloudevents_needs_headers(const void *config)
{
    const struct cloudevents_config *cloudevents = config;
    return cloudevents->mode == MODE_BINARY ? "mode = 'structured' writes the attributes into the payload" : NULL;
}

const struct evs_format evs_format_cloudevents = {
    .kind = "cloudevents",
    .options = cloudevents_options,
    .configure = cloudevents_configure,
    .encode = cloudevents_encode,
    .headers = cloudevents_headers,
    .needs_headers = cloudevents_needs_headers,
};
