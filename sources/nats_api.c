#include "nats_api.h"

#include <inttypes.h>
#include <stdio.h>

#include "evstream/type.h"
#include "nats_json.h"

#define API_RETRY_US 100000
#define API_MADE_LOOK_US 5000
#define API_MADE_US 1000000
#define API_INACTIVE_NS INT64_C(30000000000) /* the server forgets a consumer that nobody asks for this long */

void evs_nats_api_prefix(const char *domain, char *out, size_t bytes)
{
    bool has_domain = domain != NULL && domain[0] != '\0';
    snprintf(out, bytes, "$JS.%s%sAPI", has_domain ? domain : "", has_domain ? "." : "");
}

bool evs_nats_stream_name_is_valid(struct evs_slice name)
{
    for (size_t i = 0; i < name.count; i++) {
        char c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!plain) {
            return false;
        }
    }
    return name.count > 0 && name.count <= 200;
}

bool evs_nats_subject_covers(const char *pattern, const char *subject)
{
    for (;;) {
        size_t pattern_count = strcspn(pattern, "."), count = strcspn(subject, ".");
        bool rest = pattern_count == 1 && pattern[0] == '>';
        if (rest) {
            return count > 0;
        }
        bool any = pattern_count == 1 && pattern[0] == '*';
        bool is_rest = count == 1 && subject[0] == '>';
        if (is_rest || (!any && (pattern_count != count || memcmp(pattern, subject, count) != 0))) {
            return false;
        }
        pattern += pattern_count;
        subject += count;
        if (*pattern == '\0' || *subject == '\0') {
            return *pattern == *subject;
        }
        pattern++;
        subject++;
    }
}

bool evs_nats_api_failed(const struct evs_nats_message *answer, struct evs_nats_api_error *failure)
{
    *failure = (struct evs_nats_api_error){0};
    if (answer->status != 0) {
        failure->code = answer->status;
        snprintf(failure->text, sizeof failure->text, "JetStream does not answer");
        return true;
    }
    struct evs_slice error;
    if (!evs_nats_json_find(answer->payload, "error", &error)) {
        return false;
    }
    failure->code = (uint32_t)evs_nats_json_uint(error, "code", 500);
    failure->number = (uint32_t)evs_nats_json_uint(error, "err_code", 0);
    if (!evs_nats_json_string(error, "description", failure->text, sizeof failure->text)) {
        snprintf(failure->text, sizeof failure->text, "error %u", failure->number);
    }
    return true;
}

bool evs_nats_api_stream_info(struct evs_slice answer, struct evs_nats_stream_info *info)
{
    *info = (struct evs_nats_stream_info){0};
    struct evs_slice config, subjects, element;
    if (!evs_nats_json_find(answer, "config", &config)) {
        return false;
    }
    info->created_us = evs_nats_json_time_us(answer, "created");
    info->first_us = evs_nats_json_time_us(answer, "state.first_ts");
    info->message_count = evs_nats_json_uint(answer, "state.messages", 0);
    info->first_sequence = evs_nats_json_uint(answer, "state.first_seq", 0);
    info->last_sequence = evs_nats_json_uint(answer, "state.last_seq", 0);
    info->duplicate_window_us = (int64_t)(evs_nats_json_uint(config, "duplicate_window", 0) / 1000);
    info->max_age_us = (int64_t)(evs_nats_json_uint(config, "max_age", 0) / 1000);
    info->replicas = (uint32_t)evs_nats_json_uint(config, "num_replicas", 1);
    char word[16];
    info->is_file = evs_nats_json_string(config, "storage", word, sizeof word) && strcmp(word, "file") == 0;
    info->discards_new = evs_nats_json_string(config, "discard", word, sizeof word) && strcmp(word, "new") == 0;
    if (evs_nats_json_find(config, "subjects", &subjects)) {
        for (; info->subject_count < 2 && evs_nats_json_element(subjects, info->subject_count, &element);
             info->subject_count++) {
            if (info->subject_count == 0) {
                (void)evs_nats_json_text(element, info->subject, sizeof info->subject);
            }
        }
    }
    return true;
}

void evs_nats_api_stream_config(const struct evs_nats_stream_config *config, struct evs_buffer *out)
{
    EVS_ASSERT(config->name != NULL && config->subjects[0] != NULL);
    evs_buffer_puts(out, "{\"name\":");
    evs_nats_json_quote(out, evs_slice_of(config->name));
    evs_buffer_puts(out, ",\"subjects\":[");
    evs_nats_json_quote(out, evs_slice_of(config->subjects[0]));
    if (config->subjects[1] != NULL) {
        evs_buffer_puts(out, ",");
        evs_nats_json_quote(out, evs_slice_of(config->subjects[1]));
    }
    evs_buffer_printf(
        out,
        "],\"retention\":\"limits\",\"discard\":\"old\",\"storage\":\"file\",\"num_replicas\":1,\"max_consumers\":-1,"
        "\"max_msgs\":-1,\"max_msg_size\":-1,\"max_bytes\":%" PRId64 ",\"max_age\":%" PRId64
        ",\"duplicate_window\":%" PRId64 "}",
        config->max_bytes, config->max_age_us * 1000, config->duplicate_window_us * 1000);
}

static void api_put_time(struct evs_buffer *out, int64_t us)
{
    char text[EVS_FORMAT_MAX];
    uint32_t count = evs_format_timestamp(text, us);
    evs_buffer_printf(out, "\"%.*s\"", (int)count, text);
}

void evs_nats_api_consumer_config(const struct evs_nats_consumer *consumer, struct evs_buffer *out)
{
    evs_buffer_puts(out, "{\"stream_name\":");
    evs_nats_json_quote(out, evs_slice_of(consumer->stream));
    evs_buffer_printf(out, ",\"config\":{\"name\":\"%s\",\"ack_policy\":\"none\",\"replay_policy\":\"instant\",",
                      consumer->name);
    if (consumer->start_sequence > 0) {
        evs_buffer_printf(out, "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":%" PRIu64,
                          consumer->start_sequence);
    } else {
        evs_buffer_puts(out, "\"deliver_policy\":\"by_start_time\",\"opt_start_time\":");
        api_put_time(out, consumer->start_us);
    }
    if (consumer->filter[0] != '\0') {
        evs_buffer_puts(out, ",\"filter_subject\":");
        evs_nats_json_quote(out, evs_slice_of(consumer->filter));
    }
    if (consumer->headers_only) {
        evs_buffer_puts(out, ",\"headers_only\":true");
    }
    evs_buffer_printf(out, ",\"inactive_threshold\":%" PRId64 ",\"mem_storage\":true,\"num_replicas\":1}}",
                      API_INACTIVE_NS);
}

static bool api_text_is(struct evs_slice object, const char *path, const char *expected)
{
    char text[300];
    (void)evs_nats_json_string(object, path, text, sizeof text);
    return strcmp(text, expected) == 0;
}

bool evs_nats_api_consumer_is(struct evs_slice answer, const struct evs_nats_consumer *consumer,
                              const char **difference)
{
    struct evs_slice config;
    bool by_sequence = consumer->start_sequence > 0;
    if (!evs_nats_json_find(answer, "config", &config)) {
        *difference = "config";
    } else if (!api_text_is(config, "ack_policy", "none")) {
        *difference = "ack_policy";
    } else if (!api_text_is(config, "filter_subject", consumer->filter)) {
        *difference = "filter_subject";
    } else if (!api_text_is(config, "deliver_policy", by_sequence ? "by_start_sequence" : "by_start_time")) {
        *difference = "deliver_policy";
    } else if (by_sequence && evs_nats_json_uint(config, "opt_start_seq", 0) != consumer->start_sequence) {
        *difference = "opt_start_seq";
    } else {
        *difference = NULL;
    }
    return *difference == NULL;
}

bool evs_nats_api_stored(struct evs_slice answer, struct evs_buffer *scratch, struct evs_nats_mark *mark)
{
    struct evs_slice message, data;
    if (!evs_nats_json_find(answer, "message", &message)) {
        return false;
    }
    scratch->count = 0;
    if (evs_nats_json_find(message, "data", &data) && !evs_nats_json_base64(data, scratch)) {
        return false;
    }
    *mark = (struct evs_nats_mark){
        .sequence = evs_nats_json_uint(message, "seq", 0),
        .time_us = evs_nats_json_time_us(message, "time"),
        .fingerprint = evs_fingerprint((struct evs_slice){scratch->data, scratch->count}),
    };
    return mark->sequence > 0;
}

/* --- asking and waiting ---------------------------------------------------------------------------------------------- */

static evs_status ask_silence(struct evs_nats_asker *asker, const char *subject, bool nobody, struct evs_error *error)
{
    struct evs_nats_wire_state state;
    asker->wire->type->state(asker->wire, &state);
    if (state.refusals != asker->refusals) {
        return evs_fail(error, EVS_E_REFUSED,
                        "The NATS server refused a request (%s). Give this user the permissions that "
                        "docs/internals/jetstream.md lists.",
                        state.last_error);
    }
    if (nobody) {
        return evs_fail(
            error, EVS_E_REFUSED,
            "JetStream does not answer: the NATS server runs without it (start nats-server with -js), or is still "
            "recovering its streams.");
    }
    return evs_fail(error, EVS_E_UNREACHABLE, "The NATS server did not answer %s within %d ms.", subject,
                    (int)(asker->timeout_us / 1000));
}

/* The answer must have come to this request's inbox: one to an earlier request, whose time was over, may still be on its way. (The library does not
 * say to whom "nobody answers" is addressed.) */
static bool is_answer(const struct evs_nats_message *message, const char *inbox)
{
    return message->sid == EVS_NATS_ASKER_SID &&
           (message->subject.count == 0 || evs_slice_equal(message->subject, evs_slice_of(inbox)));
}

/* Waits for an answer on the asker's subscription until the deadline. */
static evs_status ask_wait(struct evs_nats_asker *asker, const char *inbox, int64_t deadline_us,
                           struct evs_nats_message *answer)
{
    const struct evs_nats_wire_type *type = asker->wire->type;
    for (;;) {
        type->drive(asker->wire);
        evs_status status = type->next(asker->wire, answer);
        if (status == EVS_OK && is_answer(answer, inbox)) {
            return EVS_OK;
        }
        if (status == EVS_MORE) {
            type->release(asker->wire);
        }
        struct evs_nats_wire_state state;
        type->state(asker->wire, &state);
        int64_t left_us = deadline_us - evs_monotonic_us(asker->os);
        if (left_us <= 0 || state.refusals != asker->refusals) {
            return EVS_AGAIN;
        }
        if (status == EVS_AGAIN) {
            struct evs_wait_fd fd;
            uint32_t count = type->wait_fds(asker->wire, &fd, 1);
            (void)asker->os->sockets.wait(asker->os->sockets.self, asker->park, &fd, count,
                                          left_us < 20000 ? left_us : 20000);
        }
    }
}

struct request {
    const char *subject;
    struct evs_slice headers, body;
};

static evs_status ask_once(struct evs_nats_asker *asker, const struct request *request, int64_t deadline_us,
                           struct evs_nats_message *answer)
{
    const struct evs_nats_wire_type *type = asker->wire->type;
    char inbox[160];
    snprintf(inbox, sizeof inbox, "%s.ask%" PRIu64, asker->inbox, ++asker->serial);
    type->release(asker->wire);
    type->drive(asker->wire);
    if (type->subscribe(asker->wire, inbox, EVS_NATS_ASKER_SID) != EVS_OK) {
        return EVS_AGAIN;
    }
    evs_status status = type->publish(asker->wire, evs_slice_of(request->subject), evs_slice_of(inbox),
                                      request->headers, request->body);
    if (status == EVS_OK) {
        int64_t attempt_us = evs_monotonic_us(asker->os) + asker->timeout_us / 2;
        status = ask_wait(asker, inbox, attempt_us < deadline_us ? attempt_us : deadline_us, answer);
    }
    type->unsubscribe(asker->wire, EVS_NATS_ASKER_SID);
    type->drive(asker->wire);
    return status;
}

evs_status evs_nats_request_with(struct evs_nats_asker *asker, const char *subject, struct evs_slice headers,
                                 struct evs_slice body, struct evs_nats_message *answer, struct evs_error *error)
{
    struct request request = {subject, headers, body};
    struct evs_nats_wire_state state;
    asker->wire->type->state(asker->wire, &state);
    asker->refusals = state.refusals;
    int64_t deadline_us = evs_monotonic_us(asker->os) + asker->timeout_us;
    bool nobody = false;
    do {
        evs_status status = ask_once(asker, &request, deadline_us, answer);
        nobody = status == EVS_OK && answer->status == 503;
        if (status == EVS_OK && !nobody) {
            return EVS_OK;
        }
        asker->wire->type->state(asker->wire, &state);
        if (state.refusals != asker->refusals) {
            break;
        }
        asker->os->clock.sleep_us(asker->os->clock.self, API_RETRY_US);
    } while (evs_monotonic_us(asker->os) < deadline_us);
    return ask_silence(asker, subject, nobody, error);
}

evs_status evs_nats_request(struct evs_nats_asker *asker, const char *subject, struct evs_slice body,
                            struct evs_nats_message *answer, struct evs_error *error)
{
    return evs_nats_request_with(asker, subject, EVS_SLICE(""), body, answer, error);
}

static evs_status api_refused(const struct evs_nats_api_error *failure, const char *what, const char *stream,
                              struct evs_error *error)
{
    if (failure->number == EVS_NATS_E_NOT_ENABLED || failure->number == EVS_NATS_E_NOT_ENABLED_FOR_ACCOUNT) {
        return evs_fail(error, EVS_E_REFUSED,
                        "JetStream is off (%s): start nats-server with -js, or enable it for this account.",
                        failure->text);
    }
    return evs_fail(error, EVS_E_REFUSED, "%s stream %s failed: %s (error %u).", what, stream, failure->text,
                    failure->number);
}

static evs_status api_look_up(struct evs_nats_asker *asker, const char *prefix, const char *stream,
                              struct evs_nats_stream_info *info, struct evs_error *error)
{
    char subject[300];
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    snprintf(subject, sizeof subject, "%s.STREAM.INFO.%s", prefix, stream);
    evs_status status = evs_nats_request(asker, subject, EVS_SLICE(""), &answer, error);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        return failure.number == EVS_NATS_E_STREAM_NOT_FOUND ? EVS_AGAIN
                                                             : api_refused(&failure, "Looking up", stream, error);
    }
    if (!evs_nats_api_stream_info(answer.payload, info)) {
        return evs_fail(error, EVS_E_CORRUPT, "The NATS server's answer about stream %s is not understood.", stream);
    }
    return EVS_OK;
}

/* A stream that another client is having made is told of before it has a store, and a message of it that is asked for in that moment ends the whole server
 * (jsMsgGetRequest of nats-server 2.9.10). Its date of creation is set under the lock under which the store is made: until then it is in the year 1. */
evs_status evs_nats_find_stream(struct evs_nats_asker *asker, const char *prefix, const char *stream,
                                struct evs_nats_stream_info *info, struct evs_error *error)
{
    int64_t deadline_us = evs_monotonic_us(asker->os) + API_MADE_US;
    evs_status status = api_look_up(asker, prefix, stream, info, error);
    while (status == EVS_OK && info->created_us <= 0 && evs_monotonic_us(asker->os) < deadline_us) {
        asker->os->clock.sleep_us(asker->os->clock.self, API_MADE_LOOK_US);
        status = api_look_up(asker, prefix, stream, info, error);
    }
    return status;
}

evs_status evs_nats_create_stream(struct evs_nats_asker *asker, const char *prefix,
                                  const struct evs_nats_stream_config *config, struct evs_error *error)
{
    char subject[300];
    struct evs_buffer body = {0};
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    struct evs_nats_stream_info info;
    snprintf(subject, sizeof subject, "%s.STREAM.CREATE.%s", prefix, config->name);
    evs_nats_api_stream_config(config, &body);
    evs_status status = evs_nats_request(asker, subject, (struct evs_slice){body.data, body.count}, &answer, error);
    evs_buffer_fini(&body);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        return failure.number == EVS_NATS_E_STREAM_EXISTS ? EVS_OK
                                                          : api_refused(&failure, "Creating", config->name, error);
    }
    if (!evs_nats_api_stream_info(answer.payload, &info) || strcmp(info.subject, config->subjects[0]) != 0 ||
        !info.is_file || info.duplicate_window_us != config->duplicate_window_us ||
        info.max_age_us != config->max_age_us) {
        return evs_fail(error, EVS_E_REFUSED, "The NATS server made stream %s with other settings than asked for.",
                        config->name);
    }
    return EVS_OK;
}
