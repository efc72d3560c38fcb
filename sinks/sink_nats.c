/* A message is published with its deterministic id as Nats-Msg-Id and with a reply subject of its own; JetStream answers there when it
 * has stored the message. Until then the message stays in a bounded window (nats_window.h), and is sent again under the same id
 *   - when its answer is overdue,
 *   - when the connection was made again (all of them, in order: answers on the way are lost with it),
 *   - after a while when the stream refuses it for now (full with `discard: new`, no leader, nobody there).
 * Within the stream's duplicate window a second copy is dropped by the server and answered with "duplicate", so a row is stored once. That
 * window must be longer than a connection may be away; streams that we create have ten minutes.
 *
 * Behind a restart, what the stream holds already is not sent at all (nats_replay.h): a stop may be longer than any window.
 *
 * A full window is EVS_AGAIN, which holds the pipeline back: a sink that cannot deliver loses nothing and only grows old.
 *
 * "duplicate" to a first attempt is legal after a restart, which sends again what it cannot know to be stored. At any other time it means
 * that two rows have one id, and one of them is gone: it is counted apart and logged. */
#include "sink_nats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "nats_api.h"
#include "nats_intact.h"
#include "nats_json.h"
#include "nats_protocol.h"
#include "nats_replay.h"
#include "nats_sink_config.h"
#include "nats_window.h"
#include "nats_wire.h"

#define SINK_ANSWER_SID 2
#define SINK_ASK_US 5000000
#define SINK_SCAN_US 50000  /* between two looks for overdue answers */
#define SINK_TOP_US 2000000 /* how old may be what a sink with nothing to send knows of its stream's end */
#define SINK_BACKOFF_US 100000
#define SINK_BACKOFF_MAX_US 2000000
#define SINK_DUPLICATES_US 2000000 /* one line tells of those that come within this */
#define SINK_REPLAY_US 60000000    /* what is sent so soon after the opening may have been sent by the engine before */
#define SINK_NOBODY_US 30000000    /* a recovering server has no streams for a while */

/* A number that poll has not told yet. */
struct sink_acknowledgement {
    uint64_t number, floor, sequence;
};

struct sink_instance {
    const struct evs_nats_sink_config *config;
    const struct evs_os *os;
    struct evs_log *log;
    const char *name, *group;
    struct evs_nats_wire *wire;
    char inbox[120];
    uint64_t connection; /* of which our subscription is */
    struct evs_nats_wire_state state;
    int64_t now_us, scan_us, retry_us;
    struct evs_nats_window window;
    struct sink_acknowledgement *acknowledged; /* at most EVS_NATS_WINDOW_MESSAGES */
    uint32_t acknowledged_count;
    uint64_t *told; /* sequences of those that the last poll has told */
    struct evs_nats_replay replay;
    int64_t top_due_us;
    struct evs_nats_intact check;
    evs_status failed;
    struct evs_error failure;
    struct evs_sink_nats_counters counters;
    int64_t opened_us, duplicates_due_us;
    uint64_t duplicates_told;
    char duplicate_id[80]; /* the first that was not told yet */
};

/* --- open: the stream behind the subject ------------------------------------------------------------------------------ */

/* The template as a pattern: a token with a hole becomes '*'. *root is its first token, when that has none. */
static void sink_pattern(const char *text, char *pattern, char *root)
{
    size_t count = 0, token = 0;
    bool has_hole = false, in_hole = false;
    uint32_t tokens = 0;
    root[0] = '\0';
    for (const char *at = text;; at++) {
        in_hole = *at == '{' || (in_hole && *at != '}' && *at != '\0');
        has_hole = has_hole || in_hole;
        if ((*at == '.' && !in_hole) || *at == '\0') {
            if (has_hole) {
                count = token;
                pattern[count++] = '*';
            }
            if (tokens++ == 0 && !has_hole) {
                memcpy(root, pattern, count);
                root[count] = '\0';
            }
            pattern[count++] = *at;
            if (*at == '\0') {
                return;
            }
            token = count;
            has_hole = false;
        } else {
            pattern[count++] = *at;
        }
    }
}

/* The name of a stream that --create makes: the option, or the subject's first token in capitals. */
static bool sink_stream_name(const struct evs_nats_sink_config *config, const char *root, char *name, size_t bytes)
{
    snprintf(name, bytes, "%s", config->stream[0] != '\0' ? config->stream : root);
    for (char *c = name; config->stream[0] == '\0' && *c != '\0'; c++) {
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    }
    return evs_nats_stream_name_is_valid(evs_slice_of(name));
}

/* Looks for the stream among those that store the pattern; *name gets it. EVS_AGAIN: there is none. */
static evs_status sink_find_stream(struct evs_nats_asker *asker, const char *prefix, const char *pattern,
                                   const char *wanted, char *name, size_t bytes, struct evs_error *error)
{
    char subject[120];
    struct evs_buffer body = {0};
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    snprintf(subject, sizeof subject, "%s.STREAM.NAMES", prefix);
    evs_buffer_puts(&body, "{\"subject\":");
    evs_nats_json_quote(&body, evs_slice_of(pattern));
    evs_buffer_puts(&body, "}");
    evs_status status = evs_nats_request(asker, subject, (struct evs_slice){body.data, body.count}, &answer, error);
    evs_buffer_fini(&body);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure)) {
        return evs_fail(error, EVS_E_REFUSED, "Asking NATS which stream stores '%s' failed: %s.", pattern,
                        failure.text);
    }
    struct evs_slice streams, element;
    bool listed = evs_nats_json_find(answer.payload, "streams", &streams);
    for (uint32_t i = 0; listed && evs_nats_json_element(streams, i, &element); i++) {
        if (evs_nats_json_text(element, name, bytes) && (wanted[0] == '\0' || strcmp(name, wanted) == 0)) {
            return EVS_OK;
        }
    }
    return EVS_AGAIN;
}

static evs_status sink_create_stream(struct sink_instance *sink, struct evs_nats_asker *asker, const char *prefix,
                                     const char *root, const char *name, struct evs_error *error)
{
    const struct evs_nats_sink_config *config = sink->config;
    char below[EVS_NATS_SINK_SUBJECT_MAX + 8];
    snprintf(below, sizeof below, "%s.>", root);
    struct evs_nats_stream_config stream = {
        .name = name,
        .subjects = {below, strcmp(root, config->subject) == 0 ? root : NULL},
        .max_age_us = config->max_age_us,
        .max_bytes = config->max_bytes,
        .duplicate_window_us = config->duplicate_window_us,
    };
    evs_status status = evs_nats_create_stream(asker, prefix, &stream, error);
    if (status == EVS_OK) {
        evs_log(sink->log, EVS_LOG_INFO, "nats_stream_created", "Sink %s: created stream %s for subjects %s.",
                sink->name, name, below);
    }
    return status;
}

static evs_status sink_no_stream(struct sink_instance *sink, const char *root, const char *name,
                                 struct evs_error *error)
{
    const char *wanted = sink->config->stream;
    return evs_fail(
        error, EVS_E_REFUSED,
        "Sink %s: no stream%s%s stores the subject '%s'. Create one with `evstream run --create …`, or with "
        "`nats stream add %s --subjects '%s.>' --storage file --retention limits --dupe-window 10m --defaults`.",
        sink->name, wanted[0] != '\0' ? " named " : "", wanted, sink->config->subject, name[0] != '\0' ? name : "NAME",
        root[0] != '\0' ? root : "SUBJECT");
}

/* What a restart sends again is found in the stream. Within a run the server's memory must outlast a connection that is away with acknowledgements. */
static void sink_tell_window(struct sink_instance *sink, const char *pipeline, const char *name,
                             const struct evs_nats_stream_info *info)
{
    int64_t needed_us = sink->retry_us + sink->config->ack_timeout_us;
    char text[400];
    snprintf(text, sizeof text, "duplicate window of %.200s: %s of %s", name, sink->name,
             pipeline != NULL ? pipeline : "");
    if (info->duplicate_window_us < needed_us && evs_log_first(sink->log, text)) {
        evs_log(sink->log, EVS_LOG_WARN, "nats_duplicate_window",
                "Sink %s: stream %s forgets ids after %.3g s, and a connection may be away for %" PRId64
                " s (--retry): a row whose acknowledgement is lost for longer would be stored twice. Give the stream a "
                "longer window "
                "(nats stream edit %s --dupe-window 10m).",
                sink->name, name, (double)info->duplicate_window_us / 1e6, needed_us / 1000000, name);
    }
}

static evs_status sink_check_stream(struct sink_instance *sink, const struct evs_sink_open *open,
                                    struct evs_error *error)
{
    const struct evs_nats_sink_config *config = sink->config;
    char prefix[80], pattern[EVS_NATS_SINK_SUBJECT_MAX + 1], root[EVS_NATS_SINK_SUBJECT_MAX + 1],
        created[EVS_NATS_SINK_SUBJECT_MAX + 1], name[EVS_NATS_SINK_SUBJECT_MAX + 1];
    struct evs_nats_asker asker = {sink->wire, sink->os, open->park, sink->inbox, 0, SINK_ASK_US, 0};
    struct evs_nats_stream_info info;
    evs_nats_api_prefix(config->domain, prefix, sizeof prefix);
    sink_pattern(config->subject, pattern, root);
    bool can_create = sink_stream_name(config, root, created, sizeof created) && root[0] != '\0';
    evs_status status = sink_find_stream(&asker, prefix, pattern, config->stream, name, sizeof name, error);
    if (status == EVS_AGAIN && (!open->create || !can_create)) {
        return sink_no_stream(sink, root, created, error);
    }
    if (status == EVS_AGAIN) {
        snprintf(name, sizeof name, "%s", created);
        status = sink_create_stream(sink, &asker, prefix, root, name, error);
    }
    if (status == EVS_OK) {
        status = evs_nats_find_stream(&asker, prefix, name, &info, error);
    }
    if (status == EVS_AGAIN) {
        return evs_fail(error, EVS_E_REFUSED, "Sink %s: stream %s vanished while it was looked at.", sink->name, name);
    }
    if (status == EVS_OK) {
        sink_tell_window(sink, open->pipeline, name, &info);
        evs_nats_intact_init(&sink->check, prefix, name);
        struct evs_nats_replay_log log = {&asker, prefix, name, pattern, &info};
        status = evs_nats_replay_open(&sink->replay, open, &log, error);
    }
    return status;
}

static const char *sink_optional(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* The first one's id is remembered for the line that tells of all of them. */
static void sink_note_duplicate(struct sink_instance *sink, const struct evs_nats_slot *slot)
{
    struct evs_slice headers = evs_nats_slot_headers(slot), id = {"", 0};
    if (sink->counters.duplicates++ == sink->duplicates_told) {
        (void)evs_nats_header(headers, "Nats-Msg-Id", &id);
        snprintf(sink->duplicate_id, sizeof sink->duplicate_id, "%.*s", (int)id.count, id.data);
        sink->duplicates_due_us = sink->now_us + SINK_DUPLICATES_US;
    }
}

/* Rows that a replay sends again come by the thousand: one line for all of a while. Long after the opening there is nothing to replay. */
static void sink_tell_duplicates(struct sink_instance *sink)
{
    uint64_t count = sink->counters.duplicates - sink->duplicates_told;
    if (count == 0) {
        return;
    }
    bool replays = sink->duplicates_due_us - sink->opened_us < SINK_REPLAY_US;
    evs_log(sink->log, replays ? EVS_LOG_INFO : EVS_LOG_WARN, "nats_duplicate",
            "Sink %s: the server had %" PRIu64 " of the rows already and keeps each once (the first has id %s)%s",
            sink->name, count, sink->duplicate_id,
            replays ? ": after a restart, rows since the last checkpoint are sent again under the same ids."
                    : ". There was no restart before, so two different rows have one id, and one of them is lost: "
                      "please report it.");
    sink->duplicates_told = sink->counters.duplicates;
}

static void sink_nats_close(void *instance)
{
    struct sink_instance *sink = instance;
    sink_tell_duplicates(sink);
    if (sink->wire != NULL) {
        sink->wire->type->close(sink->wire);
    }
    evs_nats_window_fini(&sink->window);
    evs_nats_replay_close(&sink->replay);
    evs_free(sink->acknowledged);
    evs_free(sink->told);
    evs_free(sink);
}

static evs_status sink_nats_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    const struct evs_nats_sink_config *config = open->config;
    struct sink_instance *sink = evs_alloc_zero(sizeof *sink);
    sink->config = config;
    sink->os = open->os;
    sink->opened_us = evs_monotonic_us(open->os);
    sink->log = open->log;
    sink->name = open->name;
    sink->group = open->group;
    sink->retry_us = open->retry_us;
    sink->acknowledged = evs_alloc(EVS_NATS_WINDOW_MESSAGES * sizeof *sink->acknowledged);
    sink->told = evs_alloc(EVS_NATS_WINDOW_MESSAGES * sizeof *sink->told);
    evs_nats_window_init(&sink->window);
    char name[160];
    snprintf(name, sizeof name, "evstream %s sink %s lane %u", open->pipeline != NULL ? open->pipeline : "", open->name,
             open->lane);
    snprintf(sink->inbox, sizeof sink->inbox, "%s.evs%016" PRIx64, config->inbox_prefix,
             open->os->random.next(open->os->random.self));
    struct evs_nats_options options = {
        .os = open->os,
        .log = open->log,
        .park = open->park,
        .urls = open->nats_url,
        .credentials = open->nats_credentials,
        .tls_ca = sink_optional(config->tls_ca),
        .tls_cert = sink_optional(config->tls_cert),
        .tls_key = sink_optional(config->tls_key),
        .name = name,
        .transport = config->transport,
        .retry_us = open->retry_us,
    };
    evs_status status = evs_nats_wire_open(&options, &sink->wire, error);
    if (status == EVS_OK) {
        status = sink_check_stream(sink, open, error);
    }
    if (status != EVS_OK) {
        sink_nats_close(sink);
        return status;
    }
    *instance = sink;
    return EVS_OK;
}

/* --- answers --------------------------------------------------------------------------------------------------------- */

static void sink_fail(struct sink_instance *sink, evs_status status, const char *format, ...) EVS_PRINTF(3, 4);
static void sink_fail(struct sink_instance *sink, evs_status status, const char *format, ...)
{
    if (sink->failed != EVS_OK) {
        return;
    }
    sink->failed = sink->failure.code = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sink->failure.text, sizeof sink->failure.text, format, arguments);
    va_end(arguments);
}

static void sink_acknowledge(struct sink_instance *sink, struct evs_nats_slot *slot, struct evs_slice answer)
{
    EVS_ASSERT(sink->acknowledged_count < EVS_NATS_WINDOW_MESSAGES);
    uint64_t sequence = evs_nats_json_uint(answer, "seq", 0);
    bool is_duplicate = evs_nats_json_true(answer, "duplicate");
    if (slot->attempts == 1 && is_duplicate) {
        sink_note_duplicate(sink, slot);
    }
    if (!is_duplicate && sequence <= slot->floor) {
        evs_nats_intact_begin(&sink->check); /* a number is used again */
    }
    evs_nats_replay_stored(&sink->replay, sequence, evs_nats_slot_headers(slot));
    sink->counters.acknowledged++;
    /* While it is asked whether the stream was cut, a number may be of before or of behind: as a place it would mislead. */
    uint64_t place = evs_nats_intact_holds(&sink->check) ? 0 : sequence;
    sink->acknowledged[sink->acknowledged_count++] = (struct sink_acknowledgement){slot->number, slot->floor, place};
    evs_nats_window_done(&sink->window, slot);
}

static void sink_send_later(struct sink_instance *sink, struct evs_nats_slot *slot)
{
    uint32_t doublings = slot->attempts < 8 ? slot->attempts : 8;
    int64_t wait_us = (int64_t)SINK_BACKOFF_US << doublings;
    evs_nats_window_again(&sink->window, slot,
                          sink->now_us + (wait_us < SINK_BACKOFF_MAX_US ? wait_us : SINK_BACKOFF_MAX_US));
}

static void sink_take_nobody(struct sink_instance *sink, struct evs_nats_slot *slot)
{
    int64_t limit_us = sink->retry_us > 0 ? sink->retry_us : SINK_NOBODY_US;
    struct evs_slice subject = evs_nats_slot_subject(slot);
    sink->counters.nobody++;
    if (slot->nobody_since_us == 0) {
        slot->nobody_since_us = sink->now_us;
        evs_log(sink->log, EVS_LOG_WARN, "nats_nobody",
                "Sink %s: no stream answers for subject %.*s; it is sent again.", sink->name, (int)subject.count,
                subject.data);
    } else if (sink->now_us - slot->nobody_since_us > limit_us) {
        sink_fail(sink, EVS_E_REFUSED,
                  "Sink %s: no stream stores the subject %.*s. Create one with `evstream run --create …`, or with "
                  "`nats stream add`.",
                  sink->name, (int)subject.count, subject.data);
        return;
    }
    sink_send_later(sink, slot);
}

static bool sink_is_passing(const struct evs_nats_api_error *failure)
{
    return failure->code == 503 || failure->number == EVS_NATS_E_STREAM_FULL;
}

static void sink_take_refusal(struct sink_instance *sink, struct evs_nats_slot *slot,
                              const struct evs_nats_api_error *failure)
{
    struct evs_slice subject = evs_nats_slot_subject(slot);
    if (sink_is_passing(failure)) {
        sink->counters.refused++;
        evs_log(sink->log, EVS_LOG_WARN, "nats_refused",
                "Sink %s: the stream of %.*s takes no message now (%s); it is sent again.", sink->name,
                (int)subject.count, subject.data, failure->text);
        sink_send_later(sink, slot);
        return;
    }
    sink_fail(sink, failure->number == EVS_NATS_E_TOO_LARGE ? EVS_E_LIMIT : EVS_E_REFUSED,
              "Sink %s: the stream of subject %.*s refuses a message of %zu bytes: %s (error %u).", sink->name,
              (int)subject.count, subject.data, evs_nats_slot_payload(slot).count, failure->text, failure->number);
}

/* "<inbox>.<slot>.<number>": the number tells whether the slot still holds that message. */
static struct evs_nats_slot *sink_find_slot(struct sink_instance *sink, struct evs_slice subject)
{
    uint64_t index, number;
    if (!evs_nats_answer_parse(subject, strlen(sink->inbox) + 1, &index, &number) ||
        index >= EVS_NATS_WINDOW_MESSAGES) {
        return NULL;
    }
    struct evs_nats_slot *slot = &sink->window.slots[index];
    return slot->state == EVS_NATS_SLOT_SENT && slot->number == number ? slot : NULL;
}

static struct evs_nats_slot *sink_oldest_sent(struct sink_instance *sink)
{
    uint32_t at = sink->window.first;
    while (at != EVS_NATS_NO_SLOT && sink->window.slots[at].state != EVS_NATS_SLOT_SENT) {
        at = sink->window.slots[at].next;
    }
    return at == EVS_NATS_NO_SLOT ? NULL : &sink->window.slots[at];
}

static bool sink_is_connected(const struct sink_instance *sink)
{
    return sink->connection != 0 && sink->state.connection == sink->connection;
}

static struct evs_nats_intact_world sink_world(struct sink_instance *sink)
{
    return (struct evs_nats_intact_world){sink->wire, sink->inbox, &sink->replay, sink->now_us};
}

static void sink_take_answer(struct sink_instance *sink, const struct evs_nats_message *answer)
{
    struct evs_nats_intact_world world = sink_world(sink);
    if (evs_nats_intact_take(&sink->check, &world, answer)) {
        return;
    }
    /* The library tells that nobody answered, but not whom: answers come in order, so it was the oldest. */
    struct evs_nats_slot *slot =
        answer->subject.count > 0 ? sink_find_slot(sink, answer->subject) : sink_oldest_sent(sink);
    struct evs_nats_api_error failure;
    if (slot == NULL) {
        return; /* of an attempt that another one has overtaken */
    }
    if (answer->status == 503) {
        sink_take_nobody(sink, slot);
    } else if (evs_nats_api_failed(answer, &failure)) {
        sink_take_refusal(sink, slot, &failure);
    } else {
        sink_acknowledge(sink, slot, answer->payload);
    }
}

/* --- sending --------------------------------------------------------------------------------------------------------- */

static bool sink_publish(struct sink_instance *sink, struct evs_nats_slot *slot)
{
    char reply[200];
    int count = snprintf(reply, sizeof reply, "%s.%u.%" PRIu64, sink->inbox, evs_nats_window_index(&sink->window, slot),
                         slot->number);
    if (sink->connection == 0 || sink->state.connection != sink->connection ||
        sink->wire->type->publish(sink->wire, evs_nats_slot_subject(slot), (struct evs_slice){reply, (size_t)count},
                                  evs_nats_slot_headers(slot), evs_nats_slot_payload(slot)) != EVS_OK) {
        return false;
    }
    sink->counters.resent += slot->attempts > 0;
    slot->refusals_before = sink->state.refusals;
    evs_nats_window_sent(&sink->window, slot, sink->now_us + sink->config->ack_timeout_us);
    return true;
}

/* Sends what waits, oldest first, up to the first that must wait longer: the order is kept. */
static void sink_pump(struct sink_instance *sink)
{
    struct evs_nats_window *window = &sink->window;
    if (evs_nats_intact_holds(&sink->check)) {
        return;
    }
    for (uint32_t at = window->first; at != EVS_NATS_NO_SLOT && window->waiting > 0; at = window->slots[at].next) {
        struct evs_nats_slot *slot = &window->slots[at];
        if (slot->state == EVS_NATS_SLOT_WAITING && (slot->due_us > sink->now_us || !sink_publish(sink, slot))) {
            return;
        }
    }
}

/* The answer to `slot` is overdue. A permission that is missing shows as silence and an error of the connection. */
static void sink_overdue(struct sink_instance *sink, struct evs_nats_slot *slot)
{
    if (sink->state.refusals != slot->refusals_before) {
        struct evs_slice subject = evs_nats_slot_subject(slot);
        sink_fail(sink, EVS_E_REFUSED, "Sink %s: the NATS server refuses to publish to %.*s (%s).", sink->name,
                  (int)subject.count, subject.data, sink->state.last_error);
    }
    evs_log(sink->log, EVS_LOG_WARN, "nats_overdue",
            "Sink %s: JetStream has not acknowledged a message; it is sent again.", sink->name);
    evs_nats_window_again(&sink->window, slot, sink->now_us);
}

static void sink_scan_overdue(struct sink_instance *sink)
{
    if (sink->now_us < sink->scan_us) {
        return;
    }
    sink->scan_us = sink->now_us + SINK_SCAN_US;
    if (sink->now_us >= sink->duplicates_due_us) {
        sink_tell_duplicates(sink);
    }
    for (uint32_t at = sink->window.first; at != EVS_NATS_NO_SLOT; at = sink->window.slots[at].next) {
        struct evs_nats_slot *slot = &sink->window.slots[at];
        if (slot->state == EVS_NATS_SLOT_SENT && slot->due_us <= sink->now_us) {
            sink_overdue(sink, slot);
        }
    }
}

static void sink_take_connection(struct sink_instance *sink)
{
    char inbox[160];
    snprintf(inbox, sizeof inbox, "%s.*.*", sink->inbox);
    if (sink->wire->type->subscribe(sink->wire, inbox, SINK_ANSWER_SID) != EVS_OK) {
        return;
    }
    bool is_again = sink->connection != 0;
    sink->connection = sink->state.connection;
    if (is_again) {
        evs_nats_intact_begin(&sink->check);
    }
    for (uint32_t at = sink->window.first; at != EVS_NATS_NO_SLOT; at = sink->window.slots[at].next) {
        struct evs_nats_slot *slot = &sink->window.slots[at];
        if (slot->state == EVS_NATS_SLOT_SENT) {
            evs_nats_window_again(&sink->window, slot, sink->now_us);
        }
    }
}

static void sink_look(struct sink_instance *sink)
{
    sink->wire->type->drive(sink->wire);
    sink->now_us = evs_monotonic_us(sink->os);
    sink->wire->type->state(sink->wire, &sink->state);
    if (sink->state.connected && sink->state.connection != sink->connection) {
        sink_take_connection(sink);
    }
}

/* The stream holds it since before this run: it counts as acknowledged. */
static bool sink_has(struct sink_instance *sink, const struct evs_sink_message *message)
{
    bool room = sink->acknowledged_count + sink->window.used < EVS_NATS_WINDOW_MESSAGES;
    uint64_t floor, sequence;
    if (!room || !evs_nats_replay_has(&sink->replay, message->id, sink->now_us, &floor, &sequence)) {
        return false;
    }
    sink->acknowledged[sink->acknowledged_count++] = (struct sink_acknowledgement){message->number, floor, sequence};
    return true;
}

static evs_status sink_nats_send(void *instance, const struct evs_sink_message *message, struct evs_error *error)
{
    struct sink_instance *sink = instance;
    char id_line[EVS_NATS_ID_LINES_MAX];
    size_t count = evs_nats_put_id(id_line, message->id, sink->group);
    EVS_ASSERT(message->address.count > 0);
    if (sink->connection == 0) {
        sink_look(sink); /* the first message: no poll has been yet */
    }
    if (sink_has(sink, message)) {
        return EVS_OK;
    }
    size_t bytes = message->headers.count + count + 32 + message->payload.count;
    if (sink->state.max_payload > 0 && bytes > sink->state.max_payload) {
        return evs_fail(error, EVS_E_LIMIT,
                        "Sink %s: a row of %zu bytes is larger than the NATS server takes (max_payload %" PRIu64 ").",
                        sink->name, message->payload.count, sink->state.max_payload);
    }
    bool room =
        sink->acknowledged_count + sink->window.used < EVS_NATS_WINDOW_MESSAGES; /* acknowledgements wait to be told */
    struct evs_nats_slot *slot =
        room ? evs_nats_window_add(&sink->window, message, (struct evs_slice){id_line, count}) : NULL;
    if (slot == NULL) {
        return EVS_AGAIN;
    }
    slot->floor = sink->replay.top;
    if (sink->window.waiting == 1 && !evs_nats_intact_holds(&sink->check)) {
        (void)sink_publish(sink, slot); /* else it waits its turn */
    }
    return EVS_OK;
}

/* Others may fill the stream while this sink has nothing to send: a restart should not read all that. An answer that is lost is asked for again. */
static void sink_ask_top(struct sink_instance *sink)
{
    struct evs_nats_intact_world world = sink_world(sink);
    if (sink->window.used == 0 && sink->now_us >= sink->top_due_us && sink_is_connected(sink) &&
        !evs_nats_intact_holds(&sink->check)) {
        sink->top_due_us = sink->now_us + SINK_TOP_US;
        evs_nats_intact_ask_end(&sink->check, &world);
    }
}

static void sink_tend_check(struct sink_instance *sink)
{
    struct evs_nats_intact_world world = sink_world(sink);
    if (sink_is_connected(sink)) {
        evs_nats_intact_tend(&sink->check, &world);
    }
}

static evs_status sink_check(struct sink_instance *sink, struct evs_error *error)
{
    if (sink->failed != EVS_OK) {
        return evs_fail(error, sink->failed, "%s", sink->failure.text);
    }
    if (sink->state.gives_up) {
        return evs_fail(error, EVS_E_REFUSED, "Sink %s: the NATS server refuses the login now (%s).", sink->name,
                        sink->state.last_error);
    }
    int64_t away_us = sink->now_us - sink->state.disconnected_us;
    if (!sink->state.connected && sink->retry_us > 0 && away_us > sink->retry_us) {
        return evs_fail(error, EVS_E_UNREACHABLE, "Sink %s: the NATS server has been away for %d s (%s).", sink->name,
                        (int)(away_us / 1000000), sink->state.last_error);
    }
    return EVS_AGAIN;
}

static void sink_receive(struct sink_instance *sink)
{
    const struct evs_nats_wire_type *type = sink->wire->type;
    struct evs_nats_message answer;
    for (;;) {
        evs_status status = type->next(sink->wire, &answer);
        if (status == EVS_AGAIN) {
            break;
        }
        if (status == EVS_MORE) {
            type->release(sink->wire);
        } else if (answer.sid == SINK_ANSWER_SID) {
            sink_take_answer(sink, &answer);
        }
    }
    type->release(sink->wire);
}

static evs_status sink_nats_poll(void *instance, uint64_t *acknowledged, uint32_t max, uint32_t *count,
                                 struct evs_error *error)
{
    struct sink_instance *sink = instance;
    sink_look(sink);
    sink_receive(sink);
    sink_scan_overdue(sink);
    sink_tend_check(sink);
    sink_pump(sink);
    sink_ask_top(sink);
    sink->wire->type->drive(sink->wire);
    evs_nats_replay_tend(&sink->replay, sink->now_us);
    *count = sink->acknowledged_count < max ? sink->acknowledged_count : max;
    for (uint32_t i = 0; i < *count; i++) {
        acknowledged[i] = sink->acknowledged[i].number;
        sink->told[i] = sink->acknowledged[i].sequence;
    }
    sink->acknowledged_count -= *count;
    memmove(sink->acknowledged, sink->acknowledged + *count, sink->acknowledged_count * sizeof *sink->acknowledged);
    return *count > 0 ? EVS_OK : sink_check(sink, error);
}

static uint64_t sink_nats_placed(const void *instance, uint32_t i)
{
    const struct sink_instance *sink = instance;
    EVS_ASSERT(i < EVS_NATS_WINDOW_MESSAGES);
    return sink->told[i];
}

static bool sink_nats_has_lost(const void *instance)
{
    const struct sink_instance *sink = instance;
    return sink->check.state == EVS_NATS_INTACT_LOST;
}

/* Everything that is not told yet was stored above its own floor. */
static void sink_nats_receipt(void *instance, struct evs_sink_receipt *receipt)
{
    const struct sink_instance *sink = instance;
    const struct evs_nats_window *window = &sink->window;
    uint64_t lowest = UINT64_MAX;
    for (uint32_t at = window->first; at != EVS_NATS_NO_SLOT; at = window->slots[at].next) {
        lowest = window->slots[at].floor < lowest ? window->slots[at].floor : lowest;
    }
    for (uint32_t i = 0; i < sink->acknowledged_count; i++) {
        lowest = sink->acknowledged[i].floor < lowest ? sink->acknowledged[i].floor : lowest;
    }
    evs_nats_replay_receipt(&sink->replay, lowest, receipt);
}

static uint32_t sink_nats_wait_fds(void *instance, struct evs_wait_fd *fds, uint32_t max)
{
    struct sink_instance *sink = instance;
    return sink->wire->type->wait_fds(sink->wire, fds, max);
}

void evs_sink_nats_counters(void *instance, struct evs_sink_nats_counters *counters)
{
    const struct sink_instance *sink = instance;
    *counters = sink->counters;
    counters->found = sink->replay.found;
    counters->orphans = sink->replay.orphans;
    counters->outstanding = sink->window.used;
    counters->outstanding_bytes = sink->window.bytes;
}

void evs_sink_nats_reconnect(void *instance)
{
    struct sink_instance *sink = instance;
    sink->wire->type->reconnect(sink->wire);
}

static void sink_nats_state(void *instance, struct evs_sink_state *state)
{
    const struct sink_instance *sink = instance;
    *state = (struct evs_sink_state){
        .reconnects = sink->connection > 0 ? sink->connection - 1 : 0,
        .retries = sink->counters.resent,
        .duplicates = sink->counters.duplicates + sink->replay.found,
        .orphans = sink->replay.orphans,
    };
}

const struct evs_sink evs_sink_nats = {
    .kind = "nats",
    .shape = EVS_SINK_MESSAGES,
    .options = evs_nats_sink_options,
    .address_option = "subject",
    .configure = evs_nats_sink_configure,
    .open = sink_nats_open,
    .send = sink_nats_send,
    .poll = sink_nats_poll,
    .wait_fds = sink_nats_wait_fds,
    .receipt = sink_nats_receipt,
    .keeps = evs_nats_sink_keeps,
    .placed = sink_nats_placed,
    .has_lost = sink_nats_has_lost,
    .close = sink_nats_close,
    .state = sink_nats_state,
};
