#include "nats_sim.h"

#include <inttypes.h>
#include <stdio.h>

#include "redis_address.h" /* evs_redis_number_parse */

#define SUBSCRIPTION_BYTES 200
#define WORDS_MAX 6

struct subscription {
    struct subscription *next;
    char subject[SUBSCRIPTION_BYTES];
    uint64_t sid;
};

struct evs_sim_session {
    struct evs_sim_session *next;
    struct evs_sim_nats *nats;
    struct evs_sim_connection *connection;
    struct evs_buffer input;
    struct subscription *subscriptions;
};

/* --- subjects --------------------------------------------------------------------------------------------------------- */

static struct evs_slice take_token(struct evs_slice *rest)
{
    const char *dot = rest->count == 0 ? NULL : memchr(rest->data, '.', rest->count);
    size_t count = dot == NULL ? rest->count : (size_t)(dot - rest->data);
    struct evs_slice token = {rest->data, count};
    *rest = (struct evs_slice){rest->data + count + (dot != NULL), rest->count - count - (dot != NULL)};
    return token;
}

bool evs_sim_subject_matches(struct evs_slice pattern, struct evs_slice subject)
{
    while (pattern.count > 0 && subject.count > 0) {
        struct evs_slice wanted = take_token(&pattern), token = take_token(&subject);
        if (evs_slice_equal(wanted, EVS_SLICE(">"))) {
            return true;
        }
        if (!evs_slice_equal(wanted, EVS_SLICE("*")) && !evs_slice_equal(wanted, token)) {
            return false;
        }
    }
    return pattern.count == subject.count; /* both are used up */
}

/* --- delivering --------------------------------------------------------------------------------------------------------- */

static void put_message(struct evs_buffer *out, uint64_t sid, struct evs_slice subject, struct evs_slice reply,
                        struct evs_slice headers, struct evs_slice payload)
{
    evs_buffer_printf(out, "%s %.*s %" PRIu64 " ", headers.count > 0 ? "HMSG" : "MSG", (int)subject.count, subject.data,
                      sid);
    if (reply.count > 0) {
        evs_buffer_printf(out, "%.*s ", (int)reply.count, reply.data);
    }
    if (headers.count > 0) {
        evs_buffer_printf(out, "%zu ", headers.count);
    }
    evs_buffer_printf(out, "%zu\r\n", headers.count + payload.count);
    evs_buffer_put(out, headers.data, headers.count);
    evs_buffer_put(out, payload.data, payload.count);
    evs_buffer_puts(out, "\r\n");
}

bool evs_sim_nats_deliver(struct evs_sim_nats *nats, struct evs_slice to, struct evs_slice subject,
                          struct evs_slice reply, struct evs_slice headers, struct evs_slice payload)
{
    bool is_heard = false;
    for (struct evs_sim_session *session = nats->sessions; session != NULL; session = session->next) {
        for (const struct subscription *at = session->subscriptions; at != NULL; at = at->next) {
            if (evs_sim_subject_matches(evs_slice_of(at->subject), to)) {
                struct evs_buffer out = {0};
                put_message(&out, at->sid, subject, reply, headers, payload);
                evs_sim_reply(session->connection, out.data, out.count);
                evs_buffer_fini(&out);
                is_heard = true;
            }
        }
    }
    return is_heard;
}

/* --- publishing ---------------------------------------------------------------------------------------------------------- */

static struct evs_slice header_value(struct evs_slice headers, const char *name)
{
    size_t bytes = strlen(name);
    const char *at = headers.count == 0 ? NULL : memmem(headers.data, headers.count, name, bytes);
    if (at == NULL) {
        return (struct evs_slice){"", 0};
    }
    const char *end = headers.data + headers.count;
    at += bytes;
    while (at < end && (*at == ':' || *at == ' ')) {
        at++;
    }
    const char *line_end = memchr(at, '\r', (size_t)(end - at));
    return (struct evs_slice){at, line_end == NULL ? 0 : (size_t)(line_end - at)};
}

static struct evs_sim_log *log_of_subject(struct evs_sim_nats *nats, struct evs_slice subject)
{
    for (uint32_t i = 0; i < nats->log_count; i++) {
        for (int s = 0; s < 2; s++) {
            const char *pattern = nats->logs[i]->subjects[s];
            if (pattern != NULL && evs_sim_subject_matches(evs_slice_of(pattern), subject)) {
                return nats->logs[i];
            }
        }
    }
    return NULL;
}

static void answer(struct evs_sim_nats *nats, struct evs_slice reply, const char *format, ...) EVS_PRINTF(3, 4);
static void answer(struct evs_sim_nats *nats, struct evs_slice reply, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)evs_sim_nats_deliver(nats, reply, reply, EVS_SLICE(""), EVS_SLICE(""), evs_slice_of(text));
}

static uint64_t last_of_subject(const struct evs_sim_log *log, struct evs_slice subject)
{
    for (uint32_t i = log->count; i-- > log->first;) {
        if (!log->messages[i]->is_deleted && evs_slice_equal(log->messages[i]->subject, subject)) {
            return log->messages[i]->sequence;
        }
    }
    return 0;
}

static void publish(struct evs_sim_session *session, struct evs_slice subject, struct evs_slice reply,
                    struct evs_slice headers, struct evs_slice payload)
{
    struct evs_sim_nats *nats = session->nats;
    if (evs_sim_nats_api(nats, subject, reply, payload)) {
        return;
    }
    struct evs_sim_log *log = log_of_subject(nats, subject);
    bool is_away = nats->server.world->now_us < nats->recovers_until_us;
    if (log == NULL || is_away) {
        bool is_heard = evs_sim_nats_deliver(nats, subject, subject, reply, headers, payload);
        if (!is_heard && reply.count > 0) {
            (void)evs_sim_nats_deliver(nats, reply, reply, EVS_SLICE(""), EVS_SLICE("NATS/1.0 503\r\n\r\n"),
                                       EVS_SLICE(""));
        }
        return;
    }
    uint64_t expected;
    if (evs_redis_number_parse(header_value(headers, "Nats-Expected-Last-Subject-Sequence"), &expected) &&
        expected != last_of_subject(log, subject)) {
        evs_sim_note(nats->server.world, "nats", "#%" PRIu64 " PUB %.*s: wrong last sequence, not %" PRIu64,
                     session->connection->number, (int)subject.count, subject.data, expected);
        answer(nats, reply,
               "{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong last sequence: %" PRIu64
               "\"},\"stream\":\"%s\",\"seq\":0}",
               last_of_subject(log, subject), log->name);
        return;
    }
    bool is_trigger = evs_slice_equal(subject, EVS_SLICE("triggers.result"));
    if (is_trigger && nats->sabotage > 0 && --nats->sabotage == 0) {
        answer(nats, reply, "{\"stream\":\"%s\",\"seq\":%" PRIu64 "}", log->name, log->last_sequence);
        return;
    }
    bool duplicate = false;
    uint64_t sequence =
        evs_sim_nats_store(nats, log, subject, headers, payload, header_value(headers, "Nats-Msg-Id"), &duplicate);
    evs_sim_note(nats->server.world, "nats", "#%" PRIu64 " PUB %.*s %zu bytes -> %s %" PRIu64 "%s",
                 session->connection->number, (int)subject.count, subject.data, payload.count, log->name, sequence,
                 duplicate ? " duplicate" : "");
    answer(nats, reply, "{\"stream\":\"%s\",\"seq\":%" PRIu64 "%s}", log->name, sequence,
           duplicate ? ",\"duplicate\":true" : "");
    evs_sim_nats_pump(nats);
}

/* --- the protocol --------------------------------------------------------------------------------------------------------- */

static uint32_t split(struct evs_slice line, struct evs_slice *words)
{
    uint32_t count = 0;
    for (size_t at = 0; at < line.count && count < WORDS_MAX;) {
        const char *space = memchr(line.data + at, ' ', line.count - at);
        size_t end = space == NULL ? line.count : (size_t)(space - line.data);
        if (end > at) {
            words[count++] = (struct evs_slice){line.data + at, end - at};
        }
        at = end + 1;
    }
    return count;
}

static uint64_t number_of(struct evs_slice word)
{
    uint64_t number = 0;
    bool is_number = evs_redis_number_parse(word, &number);
    EVS_ASSERT(is_number);
    return number;
}

/* PUB subject [reply] bytes, HPUB subject [reply] header-bytes bytes. Bytes used with the payload; 0: it is not whole. */
static size_t take_publish(struct evs_sim_session *session, struct evs_slice line, struct evs_slice rest)
{
    struct evs_slice words[WORDS_MAX];
    uint32_t count = split(line, words);
    bool has_headers = words[0].data[0] == 'H';
    uint32_t sizes = has_headers ? 2 : 1;
    EVS_ASSERT(count == 2 + sizes || count == 3 + sizes);
    uint64_t bytes = number_of(words[count - 1]), header_bytes = has_headers ? number_of(words[count - 2]) : 0;
    if (rest.count < bytes + 2) {
        return 0;
    }
    struct evs_slice reply = count == 3 + sizes ? words[2] : (struct evs_slice){"", 0};
    publish(session, words[1], reply, (struct evs_slice){rest.data, header_bytes},
            (struct evs_slice){rest.data + header_bytes, bytes - header_bytes});
    return bytes + 2;
}

static void subscribe(struct evs_sim_session *session, const struct evs_slice *words, uint32_t count)
{
    EVS_ASSERT(count == 3 && words[1].count < SUBSCRIPTION_BYTES);
    struct subscription *made = evs_alloc_zero(sizeof *made);
    memcpy(made->subject, words[1].data, words[1].count);
    made->sid = number_of(words[2]);
    made->next = session->subscriptions;
    session->subscriptions = made;
}

static void unsubscribe(struct evs_sim_session *session, uint64_t sid)
{
    for (struct subscription **at = &session->subscriptions; *at != NULL;) {
        struct subscription *found = *at;
        if (found->sid == sid) {
            *at = found->next;
            evs_free(found);
        } else {
            at = &found->next;
        }
    }
}

static void take_line(struct evs_sim_session *session, struct evs_slice line)
{
    struct evs_slice words[WORDS_MAX];
    uint32_t count = split(line, words);
    if (count > 0 && evs_slice_equal(words[0], EVS_SLICE("PING"))) {
        evs_sim_reply(session->connection, "PONG\r\n", 6);
    } else if (count > 0 && evs_slice_equal(words[0], EVS_SLICE("SUB"))) {
        subscribe(session, words, count);
    } else if (count == 2 && evs_slice_equal(words[0], EVS_SLICE("UNSUB"))) {
        unsubscribe(session, number_of(words[1]));
    } else if (count > 0 && !evs_slice_equal(words[0], EVS_SLICE("CONNECT")) &&
               !evs_slice_equal(words[0], EVS_SLICE("PONG"))) {
        evs_sim_violate(session->nats->server.world, "the simulated NATS does not know the verb %.*s",
                        (int)words[0].count, words[0].data);
    }
}

/* One line, with the payload if it has one; bytes used, 0: not whole yet. */
static size_t take_some(struct evs_sim_session *session, struct evs_slice input)
{
    const char *end = memchr(input.data, '\n', input.count);
    if (end == NULL) {
        return 0;
    }
    size_t bytes = (size_t)(end - input.data) + 1;
    EVS_ASSERT(bytes >= 2);
    struct evs_slice line = {input.data, bytes - 2};
    bool has_payload = line.count > 4 && (memcmp(line.data, "PUB ", 4) == 0 || memcmp(line.data, "HPUB", 4) == 0);
    if (!has_payload) {
        take_line(session, line);
        return bytes;
    }
    size_t payload = take_publish(session, line, (struct evs_slice){input.data + bytes, input.count - bytes});
    return payload == 0 ? 0 : bytes + payload;
}

static void take_bytes(void *argument, const char *bytes, size_t count)
{
    struct evs_sim_session *session = argument;
    size_t at = 0, used = 1;
    evs_buffer_put(&session->input, bytes, count);
    while (at < session->input.count && used > 0) {
        used = take_some(session, (struct evs_slice){session->input.data + at, session->input.count - at});
        at += used;
    }
    session->input.count -= at;
    if (at > 0) {
        memmove(session->input.data, session->input.data + at, session->input.count);
    }
}

static void *accept_session(struct evs_sim_server *server, struct evs_sim_connection *connection)
{
    static const char info[] =
        "INFO {\"server_id\":\"SIM\",\"version\":\"2.9.10\",\"headers\":true,\"max_payload\":1048576,"
        "\"jetstream\":true}\r\n";
    struct evs_sim_nats *nats = (struct evs_sim_nats *)server;
    struct evs_sim_session *session = evs_alloc_zero(sizeof *session);
    session->nats = nats;
    session->connection = connection;
    session->next = nats->sessions;
    nats->sessions = session;
    evs_sim_reply(connection, info, sizeof info - 1);
    return session;
}

static void close_session(void *argument)
{
    struct evs_sim_session *session = argument, **at = &session->nats->sessions;
    while (*at != session) {
        at = &(*at)->next;
    }
    *at = session->next;
    while (session->subscriptions != NULL) {
        struct subscription *next = session->subscriptions->next;
        evs_free(session->subscriptions);
        session->subscriptions = next;
    }
    evs_buffer_fini(&session->input);
    evs_free(session);
}

/* --- life ------------------------------------------------------------------------------------------------------------------ */

void evs_sim_nats_init(struct evs_sim_nats *nats, struct evs_sim_world *world)
{
    *nats = (struct evs_sim_nats){.server = {.world = world,
                                             .name = "nats",
                                             .port = EVS_SIM_NATS_PORT,
                                             .is_up = true,
                                             .accept = accept_session,
                                             .take = take_bytes,
                                             .closed = close_session}};
}

void evs_sim_nats_fini(struct evs_sim_nats *nats)
{
    for (uint32_t i = 0; i < nats->log_count; i++) {
        evs_free(nats->logs[i]->name);
        evs_free(nats->logs[i]->messages);
        evs_free(nats->logs[i]);
    }
    evs_free(nats->logs);
    evs_sim_nats_consumers_fini(nats);
    evs_arena_fini(&nats->arena);
}

void evs_sim_nats_kill(struct evs_sim_nats *nats)
{
    evs_sim_note(nats->server.world, "nats", "is killed");
    evs_sim_server_down(&nats->server);
    evs_sim_nats_consumers_fini(nats); /* they were in memory */
}

void evs_sim_nats_start(struct evs_sim_nats *nats, int64_t recovering_us)
{
    evs_sim_note(nats->server.world, "nats", "starts");
    evs_sim_server_up(&nats->server);
    nats->recovers_until_us = nats->server.world->now_us + recovering_us;
}
