#include "nats_erase.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nats_api.h"
#include "nats_json.h"
#include "nats_reader.h"

#define ASK_US 5000000
#define RETRY_US INT64_C(5000000)
#define VALUE_BYTES_MAX 1024u

const char *evs_nats_erase_stream(const void *source_config)
{
    const struct evs_nats_reader_config *config = source_config;
    return config->stream;
}

bool evs_nats_erase_subject(const void *source_config, uint32_t partition, char *subject, size_t bytes)
{
    const struct evs_nats_reader_config *config = source_config;
    char filter[300];
    bool is_known =
        config->subject[0] != '\0' &&
        (config->partitions <= 1
             ? snprintf(filter, sizeof filter, "%s", config->subject) < (int)sizeof filter
             : evs_nats_partition_filter(config->subject, config->partition_token, partition, filter, sizeof filter));
    size_t at = 0;
    for (const char *c = filter; is_known && *c != '\0'; c++) {
        bool is_wild = (*c == '*' || *c == '>') && (c == filter || c[-1] == '.');
        int count = snprintf(subject + at, bytes - at, "%s%.*s", is_wild ? "erase" : "", is_wild ? 0 : 1, c);
        is_known = count > 0 && (size_t)count < bytes - at;
        at += is_known ? (size_t)count : 0;
    }
    return is_known;
}

static bool may_stand_in_header(const char *text)
{
    size_t count = strlen(text);
    for (size_t i = 0; i < count; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return count > 0 && count <= VALUE_BYTES_MAX && text[0] != ' ' && text[count - 1] != ' ';
}

static evs_status publish(struct evs_nats_asker *asker, const struct evs_nats_erasure *erasure, const char *subject,
                          uint64_t *sequence, struct evs_error *error)
{
    struct evs_buffer headers = {0};
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    evs_buffer_printf(&headers, "Evs-Erase: %s\r\nEvs-Erase-Id: %016" PRIx64 "\r\n", erasure->value, erasure->id);
    if (erasure->column != NULL) {
        evs_buffer_printf(&headers, "Evs-Erase-Column: %s\r\n", erasure->column);
    }
    evs_status status = evs_nats_request_with(asker, subject, (struct evs_slice){headers.data, headers.count},
                                              (struct evs_slice){"", 0}, &answer, error);
    evs_buffer_fini(&headers);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        return evs_fail(error, EVS_E_REFUSED, "Stream %s does not take the request under subject %s: %s (error %u).",
                        evs_nats_erase_stream(erasure->source_config), subject, failure.text, failure.number);
    }
    *sequence = evs_nats_json_uint(answer.payload, "seq", 0);
    return *sequence > 0 ? EVS_OK
                         : evs_fail(error, EVS_E_REFUSED, "Nobody stores subject %s: is stream %s there?", subject,
                                    evs_nats_erase_stream(erasure->source_config));
}

static evs_status connect(const struct evs_nats_erasure *erasure, struct evs_park *park, struct evs_nats_wire **wire,
                          struct evs_error *error)
{
    const struct evs_nats_reader_config *source = erasure->source_config;
    const struct evs_nats_options options = {
        .os = erasure->os,
        .log = erasure->log,
        .park = park,
        .urls = erasure->urls,
        .credentials = erasure->credentials,
        .tls_ca = source->tls_ca[0] != '\0' ? source->tls_ca : NULL,
        .tls_cert = source->tls_cert[0] != '\0' ? source->tls_cert : NULL,
        .tls_key = source->tls_key[0] != '\0' ? source->tls_key : NULL,
        .name = "evstream erase",
        .transport = source->transport,
        .retry_us = RETRY_US,
    };
    return evs_nats_wire_open(&options, wire, error);
}

evs_status evs_nats_erase_ask(const struct evs_nats_erasure *erasure, uint64_t *sequence, struct evs_error *error)
{
    const struct evs_nats_reader_config *source = erasure->source_config;
    const struct evs_threads *threads = &erasure->os->threads;
    char subject[320], inbox[120];
    if (!may_stand_in_header(erasure->value) || (erasure->column != NULL && !may_stand_in_header(erasure->column))) {
        return evs_fail(error, EVS_E_USAGE,
                        "The value to be erased has at most %u bytes, no control characters, and no space at its ends.",
                        VALUE_BYTES_MAX);
    }
    if (!evs_nats_erase_subject(source, erasure->partition, subject, sizeof subject)) {
        return evs_fail(
            error, EVS_E_USAGE,
            "The source reads all of stream %s: name the subject that it reads (option `subject`), so that the "
            "request has one.",
            source->stream);
    }
    struct evs_park *park = threads->park_new(threads->self);
    struct evs_nats_wire *wire = NULL;
    snprintf(inbox, sizeof inbox, "%s.evs%016" PRIx64, source->inbox_prefix,
             erasure->os->random.next(erasure->os->random.self));
    evs_status status = connect(erasure, park, &wire, error);
    if (status == EVS_OK) {
        struct evs_nats_asker asker = {wire, erasure->os, park, inbox, 0, ASK_US, 0};
        status = publish(&asker, erasure, subject, sequence, error);
        wire->type->close(wire);
    }
    threads->park_free(park);
    return status;
}
