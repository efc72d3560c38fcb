/* Streams of the simulated JetStream: storing, forgetting, and the API about them. */
#include <inttypes.h>
#include <stdio.h>

#include "evstream/type.h"
#include "nats_json.h"
#include "nats_sim.h"

/* --- storing ------------------------------------------------------------------------------------------------------------ */

struct evs_sim_log *evs_sim_nats_create(struct evs_sim_nats *nats, const char *name, const char *subject,
                                        int64_t window_us)
{
    struct evs_sim_log *log = evs_alloc_zero(sizeof *log);
    log->name = evs_strdup(name);
    log->subjects[0] = evs_arena_strndup(&nats->arena, subject, strlen(subject));
    log->created_us = evs_sim_wall_us(nats->server.world);
    log->window_us = window_us;
    EVS_GROW(nats->logs, nats->log_count, nats->log_capacity);
    nats->logs[nats->log_count++] = log;
    return log;
}

struct evs_sim_log *evs_sim_nats_log(struct evs_sim_nats *nats, struct evs_slice name)
{
    for (uint32_t i = 0; i < nats->log_count; i++) {
        if (evs_slice_equal(name, evs_slice_of(nats->logs[i]->name))) {
            return nats->logs[i];
        }
    }
    return NULL;
}

static const struct evs_sim_message *find_id(const struct evs_sim_log *log, struct evs_slice id, int64_t since_us)
{
    for (uint32_t i = log->count; id.count > 0 && i-- > 0;) {
        if (log->messages[i]->wall_us < since_us) {
            break;
        }
        if (evs_slice_equal(log->messages[i]->id, id)) {
            return log->messages[i];
        }
    }
    return NULL;
}

static struct evs_slice keep(struct evs_sim_nats *nats, struct evs_slice text)
{
    return (struct evs_slice){evs_arena_strndup(&nats->arena, text.count > 0 ? text.data : "", text.count), text.count};
}

/* A bucket of keys holds the newest message of each subject. */
static void forget_older(struct evs_sim_log *log, struct evs_slice subject)
{
    for (uint32_t i = log->first; i < log->count; i++) {
        if (evs_slice_equal(log->messages[i]->subject, subject)) {
            log->messages[i]->is_deleted = true;
        }
    }
}

uint64_t evs_sim_nats_store(struct evs_sim_nats *nats, struct evs_sim_log *log, struct evs_slice subject,
                            struct evs_slice headers, struct evs_slice payload, struct evs_slice id, bool *duplicate)
{
    int64_t now_us = evs_sim_wall_us(nats->server.world);
    const struct evs_sim_message *known = find_id(log, id, now_us - log->window_us);
    *duplicate = known != NULL;
    if (known != NULL) {
        nats->duplicates++;
        return known->sequence;
    }
    if (log->keeps_last_only) {
        forget_older(log, subject);
    }
    struct evs_sim_message *message = EVS_ARENA_NEW(&nats->arena, struct evs_sim_message);
    *message = (struct evs_sim_message){
        .sequence = ++log->last_sequence,
        .wall_us = now_us,
        .subject = keep(nats, subject),
        .headers = keep(nats, headers),
        .payload = keep(nats, payload),
        .id = keep(nats, id),
    };
    EVS_GROW(log->messages, log->count, log->capacity);
    log->messages[log->count++] = message;
    if (nats->stored != NULL) {
        nats->stored(nats->owner, log, message);
    }
    return message->sequence;
}

void evs_sim_nats_lose_tail(struct evs_sim_nats *nats, struct evs_sim_log *log, uint32_t count)
{
    EVS_ASSERT(!nats->server.is_up);
    uint32_t have = log->count - log->first;
    count = count < have ? count : have;
    if (count == 0) {
        return;
    }
    evs_sim_note(nats->server.world, "nats", "%s lost messages %" PRIu64 " to %" PRIu64, log->name,
                 log->messages[log->count - count]->sequence, log->last_sequence);
    log->last_sequence = log->messages[log->count - count]->sequence - 1;
    log->count -= count;
    nats->lost_messages += count;
}

void evs_sim_nats_expire(struct evs_sim_nats *nats, struct evs_sim_log *log, uint64_t sequence)
{
    evs_sim_note(nats->server.world, "nats", "%s forgets everything below %" PRIu64, log->name, sequence);
    while (log->first < log->count && log->messages[log->first]->sequence < sequence) {
        log->first++;
    }
}

/* --- the API --------------------------------------------------------------------------------------------------------------- */

static void put_time(struct evs_buffer *out, int64_t us)
{
    char text[EVS_FORMAT_MAX];
    uint32_t count = evs_format_timestamp(text, us);
    evs_buffer_printf(out, "\"%.*s\"", (int)count, text);
}

static void put_error(struct evs_buffer *out, uint32_t code, uint32_t number, const char *text)
{
    evs_buffer_printf(out, "{\"error\":{\"code\":%u,\"err_code\":%u,\"description\":\"%s\"}}", code, number, text);
}

static void put_stream(const struct evs_sim_log *log, struct evs_buffer *out)
{
    bool is_empty = log->first == log->count;
    uint64_t first = is_empty ? log->last_sequence + 1 : log->messages[log->first]->sequence;
    evs_buffer_printf(out,
                      "{\"config\":{\"name\":\"%s\",\"subjects\":[\"%s\"],\"storage\":\"file\",\"discard\":\"old\"",
                      log->name, log->subjects[0]);
    evs_buffer_printf(
        out, ",\"duplicate_window\":%" PRId64 ",\"max_age\":0,\"num_replicas\":1},\"created\":", log->window_us * 1000);
    put_time(out, log->created_us);
    evs_buffer_printf(out,
                      ",\"state\":{\"messages\":%u,\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64 ",\"first_ts\":",
                      log->count - log->first, first, log->last_sequence);
    put_time(out, is_empty ? 0 : log->messages[log->first]->wall_us);
    evs_buffer_puts(out, "}}");
}

static void put_base64(struct evs_buffer *out, struct evs_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.count; i += 3) {
        uint32_t word = (uint32_t)(uint8_t)bytes.data[i] << 16;
        word |= i + 1 < bytes.count ? (uint32_t)(uint8_t)bytes.data[i + 1] << 8 : 0;
        word |= i + 2 < bytes.count ? (uint8_t)bytes.data[i + 2] : 0;
        char four[4] = {digits[word >> 18], digits[word >> 12 & 63], digits[word >> 6 & 63], digits[word & 63]};
        four[2] = i + 1 < bytes.count ? four[2] : '=';
        four[3] = i + 2 < bytes.count ? four[3] : '=';
        evs_buffer_put(out, four, 4);
    }
}

static const struct evs_sim_message *asked_message(const struct evs_sim_log *log, struct evs_slice body)
{
    char subject[200];
    bool by_subject = evs_nats_json_string(body, "last_by_subj", subject, sizeof subject);
    uint64_t sequence = evs_nats_json_uint(body, "seq", 0);
    for (uint32_t i = log->count; i-- > log->first;) {
        const struct evs_sim_message *message = log->messages[i];
        bool is_it =
            by_subject ? evs_slice_equal(message->subject, evs_slice_of(subject)) : message->sequence == sequence;
        if (is_it && !message->is_deleted) {
            return message;
        }
    }
    return NULL;
}

static void answer_message(const struct evs_sim_log *log, struct evs_slice body, struct evs_buffer *out)
{
    const struct evs_sim_message *message = asked_message(log, body);
    if (message == NULL) {
        put_error(out, 404, 10037, "no message found");
        return;
    }
    evs_buffer_printf(out, "{\"message\":{\"subject\":\"%.*s\",\"seq\":%" PRIu64 ",\"data\":\"",
                      (int)message->subject.count, message->subject.data, message->sequence);
    put_base64(out, message->payload);
    if (message->headers.count > 0) {
        evs_buffer_puts(out, "\",\"hdrs\":\"");
        put_base64(out, message->headers);
    }
    evs_buffer_puts(out, "\",\"time\":");
    put_time(out, message->wall_us);
    evs_buffer_puts(out, "}}");
}

static void answer_names(struct evs_sim_nats *nats, struct evs_slice body, struct evs_buffer *out)
{
    char subject[200];
    const char *before = "";
    (void)evs_nats_json_string(body, "subject", subject, sizeof subject);
    evs_buffer_puts(out, "{\"streams\":[");
    for (uint32_t i = 0; i < nats->log_count; i++) {
        if (evs_sim_subject_matches(evs_slice_of(nats->logs[i]->subjects[0]), evs_slice_of(subject))) {
            evs_buffer_printf(out, "%s\"%s\"", before, nats->logs[i]->name);
            before = ",";
        }
    }
    evs_buffer_puts(out, "]}");
}

static void answer_create(struct evs_sim_nats *nats, struct evs_slice name, struct evs_slice body,
                          struct evs_buffer *out)
{
    struct evs_slice subjects, first;
    char subject[200], stream[100];
    if (evs_sim_nats_log(nats, name) != NULL) {
        put_error(out, 400, 10058, "stream name already in use");
        return;
    }
    bool understood = evs_nats_json_find(body, "subjects", &subjects) && evs_nats_json_element(subjects, 0, &first) &&
                      evs_nats_json_text(first, subject, sizeof subject);
    EVS_ASSERT(understood);
    snprintf(stream, sizeof stream, "%.*s", (int)name.count, name.data);
    struct evs_sim_log *log =
        evs_sim_nats_create(nats, stream, subject, (int64_t)evs_nats_json_uint(body, "duplicate_window", 0) / 1000);
    log->keeps_last_only = evs_nats_json_uint(body, "max_msgs_per_subject", 0) == 1;
    put_stream(log, out);
}

static bool has_prefix(struct evs_slice text, const char *prefix, struct evs_slice *rest)
{
    size_t bytes = strlen(prefix);
    if (text.count < bytes || memcmp(text.data, prefix, bytes) != 0) {
        return false;
    }
    *rest = (struct evs_slice){text.data + bytes, text.count - bytes};
    return true;
}

/* "stream.consumer…": the stream's log, or NULL; *rest is what follows the dot. */
static struct evs_sim_log *take_log(struct evs_sim_nats *nats, struct evs_slice *rest)
{
    const char *dot = memchr(rest->data, '.', rest->count);
    size_t count = dot == NULL ? rest->count : (size_t)(dot - rest->data);
    struct evs_sim_log *log = evs_sim_nats_log(nats, (struct evs_slice){rest->data, count});
    size_t used = count + (dot != NULL);
    *rest = (struct evs_slice){rest->data + used, rest->count - used};
    return log;
}

/* False: nothing is answered at once. */
static bool answer_api(struct evs_sim_nats *nats, struct evs_slice verb, struct evs_slice reply, struct evs_slice body,
                       struct evs_buffer *out)
{
    struct evs_slice rest = verb;
    if (has_prefix(verb, "STREAM.NAMES", &rest)) {
        answer_names(nats, body, out);
        return true;
    }
    if (has_prefix(verb, "STREAM.CREATE.", &rest)) {
        answer_create(nats, rest, body, out);
        return true;
    }
    bool is_info = has_prefix(verb, "STREAM.INFO.", &rest), is_get = has_prefix(verb, "STREAM.MSG.GET.", &rest),
         is_create = has_prefix(verb, "CONSUMER.CREATE.", &rest), is_drop = has_prefix(verb, "CONSUMER.DELETE.", &rest),
         is_next = has_prefix(verb, "CONSUMER.MSG.NEXT.", &rest);
    if (!is_info && !is_get && !is_create && !is_drop && !is_next) {
        evs_sim_violate(nats->server.world, "the simulated JetStream does not know %.*s", (int)verb.count, verb.data);
        return false;
    }
    struct evs_sim_log *log = take_log(nats, &rest);
    if (log == NULL) {
        put_error(out, 404, 10059, "stream not found");
    } else if (is_info) {
        put_stream(log, out);
    } else if (is_get) {
        answer_message(log, body, out);
    } else if (is_create) {
        return evs_sim_nats_consumer_create(nats, log, body, out);
    } else if (is_next) {
        evs_sim_nats_consumer_ask(nats, rest, reply, body);
        return false;
    } else if (evs_sim_nats_consumer_drop(nats, rest, NULL)) {
        evs_buffer_puts(out, "{\"success\":true}");
    } else {
        put_error(out, 404, 10014, "consumer not found");
    }
    return true;
}

bool evs_sim_nats_api(struct evs_sim_nats *nats, struct evs_slice subject, struct evs_slice reply,
                      struct evs_slice body)
{
    struct evs_slice verb = subject;
    if (!has_prefix(subject, "$JS.API.", &verb)) {
        return false;
    }
    if (nats->server.world->now_us < nats->recovers_until_us) {
        (void)evs_sim_nats_deliver(nats, reply, reply, EVS_SLICE(""), EVS_SLICE("NATS/1.0 503\r\n\r\n"), EVS_SLICE(""));
        return true;
    }
    struct evs_buffer out = {0};
    if (answer_api(nats, verb, reply, body, &out)) {
        evs_sim_note(nats->server.world, "nats", "API %.*s -> %.*s", (int)(verb.count < 90 ? verb.count : 90),
                     verb.data, (int)(out.count < 70 ? out.count : 70), out.data);
        (void)evs_sim_nats_deliver(nats, reply, reply, EVS_SLICE(""), EVS_SLICE(""),
                                   (struct evs_slice){out.data, out.count});
    }
    evs_buffer_fini(&out);
    return true;
}
