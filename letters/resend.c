/* Sending a letter back to its source, once (letters.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nats_json.h"
#include "parts.h"

#define MARK_SUBJECT "evstream.resent"
#define MARKS_AGE_US (INT64_C(90) * 86400 * 1000000)
#define MARKS_BYTES (INT64_C(256) << 20)
#define SUBJECT_BYTES 400

/* What is written of a letter: {"state":"begun"|"done","attempt":1}. */
struct mark {
    uint64_t revision; /* 0: there is none */
    bool is_done;
    uint32_t attempt;
    int64_t time_us; /* by the server's clock */
};

/* Ids are made of digits and letters by us; what another program has put there is not let into a subject. */
static bool is_plain(const char *text)
{
    size_t count = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
    return count > 0 && count <= 128 && text[count] == '\0';
}

static bool mark_subject(const struct evs_letters *letters, const struct evs_letter *letter, char *out, size_t bytes)
{
    const char *pipeline = letters->with.plan->pipeline;
    char name[200];
    if (is_plain(pipeline)) {
        snprintf(name, sizeof name, "%s", pipeline);
    } else {
        snprintf(name, sizeof name, "x%016" PRIx64, evs_hash64(pipeline, strlen(pipeline)));
    }
    int count = snprintf(out, bytes, MARK_SUBJECT ".%s.%s", name, letter->id);
    return is_plain(letter->id) && count > 0 && (size_t)count < bytes;
}

static evs_status refused(const char *doing, const struct evs_nats_api_error *failure, struct evs_error *error)
{
    return evs_fail(error, failure->code == 503 ? EVS_E_UNREACHABLE : EVS_E_REFUSED, "%s failed: %s (error %u).", doing,
                    failure->text, failure->number);
}

/* --- marks -------------------------------------------------------------------------------------------------------------------- */

/* EVS_AGAIN: the stream of marks is not there. */
static evs_status find_marks(struct evs_letters *letters, struct evs_error *error)
{
    struct evs_nats_stream_info info;
    if (letters->has_marks) {
        return EVS_OK;
    }
    evs_status status =
        evs_nats_find_stream(&letters->link.asker, letters->link.prefix, EVS_LETTERS_STREAM, &info, error);
    letters->has_marks = status == EVS_OK;
    return status;
}

/* EVS_AGAIN: the stream of marks is not there. */
static evs_status read_mark(struct evs_letters *letters, const char *subject, struct mark *mark,
                            struct evs_error *error)
{
    struct evs_letters_link *link = &letters->link;
    char api[200], body[SUBJECT_BYTES + 40], state[16];
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    struct evs_slice value;
    struct evs_buffer text = {0};
    *mark = (struct mark){0};
    snprintf(api, sizeof api, "%s.STREAM.MSG.GET." EVS_LETTERS_STREAM, link->prefix);
    int count = snprintf(body, sizeof body, "{\"last_by_subj\":\"%s\"}", subject);
    evs_status status = find_marks(letters, error);
    if (status == EVS_OK) {
        status = evs_nats_request(&link->asker, api, (struct evs_slice){body, (size_t)count}, &answer, error);
    }
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        letters->has_marks = letters->has_marks && failure.number != EVS_NATS_E_STREAM_NOT_FOUND;
        return failure.number == EVS_NATS_E_NO_MESSAGE         ? EVS_OK
               : failure.number == EVS_NATS_E_STREAM_NOT_FOUND ? EVS_AGAIN
                                                               : refused("Reading what was re-sent", &failure, error);
    }
    mark->revision = evs_nats_json_uint(answer.payload, "message.seq", 0);
    mark->time_us = evs_nats_json_time_us(answer.payload, "message.time");
    if (evs_nats_json_find(answer.payload, "message.data", &value) && evs_nats_json_base64(value, &text)) {
        struct evs_slice object = {text.data, text.count};
        mark->is_done = evs_nats_json_string(object, "state", state, sizeof state) && strcmp(state, "done") == 0;
        mark->attempt = (uint32_t)evs_nats_json_uint(object, "attempt", 1);
    }
    evs_buffer_fini(&text);
    return EVS_OK;
}

static evs_status make_stream(struct evs_letters *letters, struct evs_error *error)
{
    struct evs_nats_stream_config config = {
        .name = EVS_LETTERS_STREAM,
        .subjects = {MARK_SUBJECT ".>", NULL},
        .max_age_us = MARKS_AGE_US,
        .max_bytes = MARKS_BYTES,
        .duplicate_window_us = INT64_C(120000000),
    };
    return evs_nats_create_stream(&letters->link.asker, letters->link.prefix, &config, error);
}

/* Writes over the revision that was seen. EVS_AGAIN: somebody else has written since. */
static evs_status write_mark(struct evs_letters *letters, const char *subject, const char *state, uint32_t attempt,
                             uint64_t *revision, struct evs_error *error)
{
    char header[80], body[80];
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    int header_count =
        snprintf(header, sizeof header, "Nats-Expected-Last-Subject-Sequence: %" PRIu64 "\r\n", *revision);
    int body_count = snprintf(body, sizeof body, "{\"state\":\"%s\",\"attempt\":%u}", state, attempt);
    evs_status status =
        evs_nats_request_with(&letters->link.asker, subject, (struct evs_slice){header, (size_t)header_count},
                              (struct evs_slice){body, (size_t)body_count}, &answer, error);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        return failure.number == EVS_NATS_E_WRONG_SEQUENCE ? EVS_AGAIN
                                                           : refused("Writing down what is re-sent", &failure, error);
    }
    *revision = evs_nats_json_uint(answer.payload, "seq", 0);
    return EVS_OK;
}

evs_status evs_letters_look_up(struct evs_letters *letters, struct evs_letter *letter, struct evs_error *error)
{
    const struct evs_nats_reader_config *broker = evs_letters_broker(letters, letter->source);
    char subject[SUBJECT_BYTES];
    struct mark mark;
    if (broker == NULL || !mark_subject(letters, letter, subject, sizeof subject)) {
        return EVS_OK;
    }
    evs_status status = evs_letters_connect(letters, broker, &letters->link, error);
    if (status == EVS_OK) {
        status = read_mark(letters, subject, &mark, error);
    }
    if (status == EVS_OK && mark.revision != 0) {
        letter->resent = mark.is_done ? mark.attempt : mark.attempt - 1;
        letter->resent_us = mark.time_us;
        letter->is_unsure = !mark.is_done;
    }
    return status == EVS_AGAIN ? EVS_OK : status;
}

/* --- sending ------------------------------------------------------------------------------------------------------------------- */

static evs_status publish(struct evs_letters *letters, const struct evs_letter *letter, struct evs_slice text,
                          bool is_edited, struct evs_letters_resent *resent, struct evs_error *error)
{
    struct evs_buffer headers = {0};
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    evs_buffer_printf(&headers,
                      "Nats-Msg-Id: resend-%s-%u\r\nEvs-Resend: %u\r\nEvs-Resend-Of: %s\r\nEvs-Resend-Reason: %s\r\n%s",
                      letter->id, resent->attempt, resent->attempt, letter->id,
                      is_plain(letter->reason) ? letter->reason : "-", is_edited ? "Evs-Resend-Edited: true\r\n" : "");
    evs_status status = evs_nats_request_with(&letters->link.asker, letter->subject,
                                              (struct evs_slice){headers.data, headers.count}, text, &answer, error);
    evs_buffer_fini(&headers);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        return refused("Sending it back", &failure, error);
    }
    resent->sequence = evs_nats_json_uint(answer.payload, "seq", 0);
    resent->was_there = evs_nats_json_true(answer.payload, "duplicate");
    return resent->sequence > 0 ? EVS_OK
                                : evs_fail(error, EVS_E_REFUSED,
                                           "No stream stores subject %s, where the letter came from.", letter->subject);
}

/* Is this attempt still remembered by the stream, should it have been published? */
static evs_status remembers(struct evs_letters *letters, const struct evs_nats_reader_config *broker,
                            const struct mark *mark, bool *does, struct evs_error *error)
{
    struct evs_nats_stream_info info;
    const struct evs_os *os = letters->with.os;
    evs_status status = evs_nats_find_stream(&letters->link.asker, letters->link.prefix, broker->stream, &info, error);
    if (status == EVS_AGAIN) {
        return evs_fail(error, EVS_E_REFUSED, "Stream %s, where the letter came from, is not there.", broker->stream);
    }
    int64_t age_us = os->clock.wall_us(os->clock.self) - mark->time_us;
    *does = status == EVS_OK && age_us >= 0 && age_us < info.duplicate_window_us / 2;
    return status;
}

static evs_status attempt_of(struct evs_letters *letters, const struct evs_nats_reader_config *broker,
                             const struct mark *mark, bool again, uint32_t *attempt, struct evs_error *error)
{
    *attempt = mark->attempt + 1;
    if (mark->revision == 0 || (mark->is_done && again)) {
        return EVS_OK;
    }
    if (mark->is_done) {
        return evs_fail(error, EVS_E_USAGE, "It was sent back before (attempt %u); --again sends it once more.",
                        mark->attempt);
    }
    bool does = false;
    evs_status status = remembers(letters, broker, mark, &does, error);
    if (status == EVS_OK && does) {
        *attempt = mark->attempt; /* the same message: sent twice it is stored once */
    } else if (status == EVS_OK && !again) {
        return evs_fail(
            error, EVS_E_USAGE,
            "Somebody began to send it back, and whether it was stored is not known; --again sends it once more.");
    }
    return status;
}

static evs_status begin_mark(struct evs_letters *letters, const struct evs_nats_reader_config *broker,
                             const char *subject, bool again, struct mark *mark, uint32_t *attempt,
                             struct evs_error *error)
{
    evs_status status = read_mark(letters, subject, mark, error);
    if (status == EVS_AGAIN) {
        status = make_stream(letters, error);
        *mark = (struct mark){0};
    }
    if (status == EVS_OK) {
        status = attempt_of(letters, broker, mark, again, attempt, error);
    }
    if (status == EVS_OK) {
        status = write_mark(letters, subject, "begun", *attempt, &mark->revision, error);
    }
    return status == EVS_AGAIN ? evs_fail(error, EVS_E_USAGE, "Somebody else is sending it back at this moment.")
                               : status;
}

evs_status evs_letters_resend(struct evs_letters *letters, const struct evs_letter *letter,
                              const struct evs_letters_resend *how, struct evs_letters_resent *resent,
                              struct evs_error *error)
{
    char subject[SUBJECT_BYTES];
    struct mark mark;
    *resent = (struct evs_letters_resent){0};
    if (letter->kept != NULL) {
        return evs_fail(error, EVS_E_USAGE, "%s", letter->kept);
    }
    if (!mark_subject(letters, letter, subject, sizeof subject)) {
        return evs_fail(error, EVS_E_USAGE, "Its id is none of ours.");
    }
    const struct evs_nats_reader_config *broker = evs_letters_broker(letters, letter->source);
    bool is_edited = how->text.data != NULL;
    evs_status status = evs_letters_connect(letters, broker, &letters->link, error);
    if (status == EVS_OK) {
        status = begin_mark(letters, broker, subject, how->again, &mark, &resent->attempt, error);
    }
    if (status == EVS_OK) {
        status = publish(letters, letter, is_edited ? how->text : letter->raw, is_edited, resent, error);
    }
    if (status == EVS_OK && write_mark(letters, subject, "done", resent->attempt, &mark.revision, error) != EVS_OK) {
        /* It is stored, which is what was asked for; the mark says "begun", so nobody sends it again unasked. */
        evs_log(letters->with.log, EVS_LOG_WARN, "resend_mark",
                "Letter %s was sent back, and that could not be written down.", letter->id);
    }
    return status;
}
