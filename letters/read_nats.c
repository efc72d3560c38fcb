/* The newest rows of a dead letter sink that writes to NATS.
 *
 * A stream may hold much else beside the letters, and JetStream gives the messages of a subject in their order only. So the stream is asked for messages of the
 * subject from a place before its end; when too few come the place is moved twice as far back, until there are enough or the stream begins:
 *
 *   first …            ◄──── 4n ────► ◄─ 2n ─► ◄ n ►  last
 *
 * One question brings one message (STREAM.MSG.GET with next_by_subj), which takes about a tenth of a millisecond; no consumer is made, so that nothing stays behind. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nats_json.h"
#include "parts.h"
#include "sink_nats.h"

#define SUBJECT_BYTES 600

/* A subject of a template with `*` for each token that has a hole: "dead.{_source}" gives "dead.*". */
static bool pattern_of(const char *subject, char *out, size_t bytes)
{
    size_t at = 0;
    for (const char *token = subject; *token != '\0';) {
        size_t count = 0;
        bool in_hole = false, has_hole = false;
        while (token[count] != '\0' && (in_hole || token[count] != '.')) {
            has_hole = has_hole || token[count] == '{';
            in_hole = token[count] == '{' || (in_hole && token[count] != '}');
            count++;
        }
        int put = snprintf(out + at, bytes - at, "%s%.*s", at == 0 ? "" : ".", has_hole ? 1 : (int)count,
                           has_hole ? "*" : token);
        if (put < 0 || (size_t)put >= bytes - at) {
            return false;
        }
        at += (size_t)put;
        token += count + (token[count] == '.');
    }
    return at > 0;
}

struct reading {
    struct evs_letters_link *link;
    char stream[256], pattern[SUBJECT_BYTES];
    struct evs_buffer body, payload, headers;
};

static evs_status find_stream(struct reading *reading, const char *wanted, struct evs_error *error)
{
    char subject[120];
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    struct evs_slice streams, element;
    snprintf(reading->stream, sizeof reading->stream, "%s", wanted);
    if (wanted[0] != '\0') {
        return EVS_OK;
    }
    snprintf(subject, sizeof subject, "%s.STREAM.NAMES", reading->link->prefix);
    reading->body.count = 0;
    evs_buffer_puts(&reading->body, "{\"subject\":");
    evs_nats_json_quote(&reading->body, evs_slice_of(reading->pattern));
    evs_buffer_puts(&reading->body, "}");
    evs_status status = evs_nats_request(&reading->link->asker, subject,
                                         (struct evs_slice){reading->body.data, reading->body.count}, &answer, error);
    if (status != EVS_OK) {
        return status;
    }
    bool is_there = !evs_nats_api_failed(&answer, &failure) &&
                    evs_nats_json_find(answer.payload, "streams", &streams) &&
                    evs_nats_json_element(streams, 0, &element) &&
                    evs_nats_json_text(element, reading->stream, sizeof reading->stream);
    return is_there ? EVS_OK : EVS_AGAIN;
}

/* The next message of the pattern from *sequence on: kept, and *sequence is its number. EVS_END: there is none. */
static evs_status next_message(struct reading *reading, uint64_t *sequence, struct evs_letters_rows *rows,
                               struct evs_error *error)
{
    char subject[400];
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    struct evs_slice value, id = {0};
    snprintf(subject, sizeof subject, "%s.STREAM.MSG.GET.%s", reading->link->prefix, reading->stream);
    reading->body.count = reading->payload.count = reading->headers.count = 0;
    evs_buffer_printf(&reading->body, "{\"seq\":%" PRIu64 ",\"next_by_subj\":", *sequence);
    evs_nats_json_quote(&reading->body, evs_slice_of(reading->pattern));
    evs_buffer_puts(&reading->body, "}");
    evs_status status = evs_nats_request(&reading->link->asker, subject,
                                         (struct evs_slice){reading->body.data, reading->body.count}, &answer, error);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        return failure.number == EVS_NATS_E_NO_MESSAGE
                   ? EVS_END
                   : evs_fail(error, EVS_E_REFUSED, "Stream %s cannot be read: %s (error %u).", reading->stream,
                              failure.text, failure.number);
    }
    *sequence = evs_nats_json_uint(answer.payload, "message.seq", 0);
    if (evs_nats_json_find(answer.payload, "message.data", &value)) {
        (void)evs_nats_json_base64(value, &reading->payload);
    }
    if (evs_nats_json_find(answer.payload, "message.hdrs", &value) && evs_nats_json_base64(value, &reading->headers)) {
        (void)evs_nats_header((struct evs_slice){reading->headers.data, reading->headers.count}, "Nats-Msg-Id", &id);
    }
    int64_t time_us = evs_nats_json_time_us(answer.payload, "message.time");
    (void)evs_letters_keep(rows, (struct evs_slice){reading->payload.data, reading->payload.count}, id,
                           time_us == 0 ? EVS_TIME_MIN : time_us);
    return *sequence == 0 ? EVS_END : EVS_OK;
}

/* All messages with from <= sequence < before, ascending, behind what `rows` has. */
static evs_status read_span(struct reading *reading, uint64_t from, uint64_t before, struct evs_letters_rows *rows,
                            struct evs_error *error)
{
    evs_status status = EVS_OK;
    while (status == EVS_OK && from < before) {
        uint64_t sequence = from;
        uint32_t count = rows->count;
        status = next_message(reading, &sequence, rows, error);
        if (status == EVS_OK && sequence >= before) {
            rows->count = count; /* it belongs to what was read before */
        }
        from = sequence + 1;
    }
    return status == EVS_END ? EVS_OK : status;
}

static void reverse(struct evs_letters_row *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count / 2; i++) {
        struct evs_letters_row row = rows[i];
        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = row;
    }
}

/* Spans that grow, from the end of the stream on; each is turned round, so that the newest stand first. */
static evs_status read_newest(struct reading *reading, const struct evs_nats_stream_info *info,
                              struct evs_letters_rows *rows, struct evs_error *error)
{
    uint32_t wanted = rows->max;
    uint64_t before = info->last_sequence + 1, width = wanted > 64 ? wanted : 64;
    evs_status status = EVS_OK;
    while (status == EVS_OK && before > info->first_sequence && rows->count < wanted && rows->is_complete) {
        uint64_t from = before - info->first_sequence > width ? before - width : info->first_sequence;
        uint32_t have = rows->count;
        rows->max = UINT32_MAX; /* of a span the newest are the last */
        status = read_span(reading, from, before, rows, error);
        rows->max = wanted;
        reverse(rows->rows + have, rows->count - have);
        before = from;
        width *= 2;
    }
    rows->is_complete = rows->is_complete && before <= info->first_sequence && rows->count <= wanted;
    rows->count = rows->count < wanted ? rows->count : wanted;
    return status;
}

static evs_status read_stream(struct reading *reading, const char *wanted, const char *name,
                              struct evs_letters_rows *rows, struct evs_error *error)
{
    struct evs_nats_stream_info info;
    evs_status status = find_stream(reading, wanted, error);
    if (status == EVS_OK) {
        status = evs_nats_find_stream(&reading->link->asker, reading->link->prefix, reading->stream, &info, error);
    }
    if (status == EVS_AGAIN) {
        return evs_fail(error, EVS_E_REFUSED, "No stream stores the letters of sink %s (subject %s).", name,
                        reading->pattern);
    }
    return status == EVS_OK && info.message_count > 0 ? read_newest(reading, &info, rows, error) : status;
}

evs_status evs_letters_read_nats(struct evs_letters *letters, const struct evs_plan_node *sink,
                                 struct evs_letters_rows *rows, struct evs_error *error)
{
    struct evs_sink_nats_place place;
    struct evs_letters_link link = {0};
    struct reading reading = {.link = &link};
    evs_sink_nats_place(sink->sink->config, &place);
    struct evs_nats_reader_config config = {
        .domain = place.domain,
        .inbox_prefix = place.inbox_prefix,
        .transport = place.transport,
        .tls_ca = place.tls_ca,
        .tls_cert = place.tls_cert,
        .tls_key = place.tls_key,
    };
    if (!pattern_of(place.subject, reading.pattern, sizeof reading.pattern)) {
        return evs_fail(error, EVS_E_USAGE, "The subject of sink %s is too long to look for.", sink->name);
    }
    evs_status status = evs_letters_connect(letters, &config, &link, error);
    if (status == EVS_OK) {
        status = read_stream(&reading, place.stream, sink->name, rows, error);
    }
    evs_letters_disconnect(&link);
    evs_buffer_fini(&reading.body);
    evs_buffer_fini(&reading.payload);
    evs_buffer_fini(&reading.headers);
    return status;
}
