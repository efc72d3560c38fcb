#include "redis_sim.h"

#include <inttypes.h>
#include <stdio.h>

struct session {
    struct evs_sim_redis *redis;
    struct evs_sim_connection *connection;
    struct evs_buffer input;
};

/* --- requests ----------------------------------------------------------------------------------------------------------- */

/* "<mark><number>\r\n" at *at; false while the line is not whole. */
static bool take_number(const struct evs_buffer *input, size_t *at, char mark, uint64_t *number)
{
    const char *line = input->data + *at;
    const char *end = memchr(line, '\n', input->count - *at);
    if (end == NULL) {
        return false;
    }
    EVS_ASSERT(end - line >= 3 && line[0] == mark && end[-1] == '\r');
    bool is_number = evs_redis_number_parse((struct evs_slice){line + 1, (size_t)(end - line) - 2}, number);
    EVS_ASSERT(is_number);
    *at = (size_t)(end - input->data) + 1;
    return true;
}

/* The next command at *at; words are slices of the input. */
static bool take_command(const struct evs_buffer *input, size_t *at, struct evs_sim_command *command)
{
    uint64_t count, bytes;
    size_t next = *at;
    if (next >= input->count || !take_number(input, &next, '*', &count)) {
        return false;
    }
    EVS_ASSERT(count > 0 && count <= EVS_SIM_WORDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (next >= input->count || !take_number(input, &next, '$', &bytes) || input->count - next < bytes + 2) {
            return false;
        }
        command->words[i] = (struct evs_slice){input->data + next, bytes};
        next += bytes + 2;
    }
    command->count = (uint32_t)count;
    *at = next;
    return true;
}

/* --- answers -------------------------------------------------------------------------------------------------------------- */

static void answer_info(const struct evs_sim_redis *redis, struct evs_buffer *out)
{
    char text[256];
    int count =
        snprintf(text, sizeof text,
                 "# Server\r\nredis_version:7.0.15\r\nrun_id:%040u\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n"
                 "# Persistence\r\naof_enabled:1\r\n# Replication\r\nrole:master\r\nmaster_replid2:%040u\r\n",
                 redis->lives + 1, 0u);
    evs_sim_put_bulk(out, (struct evs_slice){text, (size_t)count});
}

static void answer_config(const struct evs_sim_redis *redis, struct evs_buffer *out)
{
    evs_sim_put_array(out, 4);
    evs_sim_put_bulk(out, EVS_SLICE("appendfsync"));
    evs_sim_put_bulk(out, evs_slice_of(redis->syncs_always ? "always" : "everysec"));
    evs_sim_put_bulk(out, EVS_SLICE("min-replicas-to-write"));
    evs_sim_put_bulk(out, EVS_SLICE("0"));
}

static bool is_write(const struct evs_sim_command *command)
{
    return evs_sim_word_is(command, 0, "XADD") || evs_sim_word_is(command, 0, "XTRIM") ||
           evs_sim_word_is(command, 0, "XSETID") ||
           (evs_sim_word_is(command, 0, "FCALL") && !evs_sim_word_is(command, 1, "evs1_newest"));
}

/* An error instead of an answer: the server loads, or refuses for a while, or refuses a few blocks only. */
static const char *refusal_of(struct evs_sim_redis *redis, const struct evs_sim_command *command)
{
    int64_t now_us = redis->server.world->now_us;
    bool is_greeting = evs_sim_word_is(command, 0, "AUTH") || evs_sim_word_is(command, 0, "CLIENT");
    if (now_us < redis->loading_until_us && !is_greeting) {
        return "LOADING Redis is loading the dataset in memory";
    }
    if (redis->refusal == NULL || !is_write(command)) {
        return NULL;
    }
    if (redis->refusal_count > 0 && evs_sim_word_is(command, 0, "XADD")) {
        redis->refusal_count--;
        return redis->refusal;
    }
    return now_us < redis->refusal_until_us ? redis->refusal : NULL;
}

static void run_other(struct evs_sim_redis *redis, const struct evs_sim_command *command, struct evs_buffer *out)
{
    if (evs_sim_word_is(command, 0, "PING")) {
        evs_sim_put_status(out, "PONG");
    } else if (evs_sim_word_is(command, 0, "CLIENT") || evs_sim_word_is(command, 0, "SELECT")) {
        evs_sim_put_status(out, "OK");
    } else if (evs_sim_word_is(command, 0, "INFO")) {
        answer_info(redis, out);
    } else if (evs_sim_word_is(command, 0, "CONFIG")) {
        answer_config(redis, out);
    } else if (evs_sim_word_is(command, 0, "FUNCTION") && evs_sim_word_is(command, 1, "LOAD")) {
        redis->data.has_library = true;
        redis->data.writes++;
        evs_sim_put_bulk(out, EVS_SLICE("evs1"));
    } else if (evs_sim_word_is(command, 0, "WAIT")) {
        evs_sim_put_integer(out, 0);
    } else {
        evs_sim_violate(redis->server.world, "the simulated Redis does not know the command %.*s",
                        (int)command->words[0].count, command->words[0].data);
        evs_sim_put_error(out, "ERR unknown command");
    }
}

/* What a command says in the history: its words, long ones by their length. */
static void note_command(struct evs_sim_redis *redis, const struct session *session,
                         const struct evs_sim_command *command, const struct evs_buffer *out, size_t answer)
{
    char text[400];
    size_t used = 0;
    for (uint32_t i = 0; i < command->count && used + 60 < sizeof text; i++) {
        struct evs_slice word = command->words[i];
        bool is_short = word.count <= 40;
        used += (size_t)(is_short ? snprintf(text + used, sizeof text - used, " %.*s", (int)word.count, word.data)
                                  : snprintf(text + used, sizeof text - used, " <%zu bytes>", word.count));
    }
    struct evs_slice reply = {out->data + answer, out->count - answer};
    const char *end = memchr(reply.data, '\r', reply.count);
    int shown = end == NULL ? 0 : (int)(end - reply.data);
    evs_sim_note(redis->server.world, "redis", "#%" PRIu64 "%s -> %.*s", session->connection->number, text,
                 shown < 90 ? shown : 90, reply.data);
}

static void run_command(struct session *session, const struct evs_sim_command *command, struct evs_buffer *out)
{
    struct evs_sim_redis *redis = session->redis;
    struct evs_sim_world *world = redis->server.world;
    uint32_t keep = evs_sim_chance(world, 300) ? (uint32_t)evs_sim_below(world, 8) : 0;
    size_t answer = out->count;
    const char *refusal = refusal_of(redis, command);
    if (refusal != NULL) {
        evs_sim_put_error(out, refusal);
    } else if (evs_sim_word_is(command, 0, "FCALL") || evs_sim_word_is(command, 0, "FCALL_RO")) {
        evs_sim_redis_call(&redis->data, command, evs_sim_wall_us(world) + redis->wall_error_us, keep, out);
        redis->commits += evs_sim_word_is(command, 1, "evs1_commit") && out->data[answer] == '$';
        redis->fenced += out->count - answer > 10 && memcmp(out->data + answer, "-EVSFENCED", 10) == 0;
    } else if (!evs_sim_redis_stream_command(&redis->data, command, keep, out)) {
        run_other(redis, command, out);
    }
    note_command(redis, session, command, out, answer);
    if (redis->syncs_always && redis->data.writes != redis->synced.writes) {
        evs_sim_redis_data_copy(&redis->synced, &redis->data);
    }
}

/* --- sessions ------------------------------------------------------------------------------------------------------------- */

static void *accept_session(struct evs_sim_server *server, struct evs_sim_connection *connection)
{
    struct session *session = evs_alloc_zero(sizeof *session);
    session->redis = (struct evs_sim_redis *)server;
    session->connection = connection;
    return session;
}

static void take_bytes(void *argument, const char *bytes, size_t count)
{
    struct session *session = argument;
    struct evs_buffer out = {0};
    struct evs_sim_command command;
    size_t at = 0;
    evs_buffer_put(&session->input, bytes, count);
    while (take_command(&session->input, &at, &command)) {
        run_command(session, &command, &out);
    }
    session->input.count -= at;
    if (at > 0) {
        memmove(session->input.data, session->input.data + at, session->input.count);
    }
    evs_sim_reply(session->connection, out.data, out.count);
    evs_buffer_fini(&out);
}

static void close_session(void *argument)
{
    struct session *session = argument;
    evs_buffer_fini(&session->input);
    evs_free(session);
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

/* everysec: what was written a moment ago is on the disk now. */
static void sync_each_second(void *target, uint64_t number)
{
    struct evs_sim_redis *redis = target;
    (void)number;
    if (redis->server.is_up && redis->data.writes != redis->synced.writes) {
        evs_sim_redis_data_copy(&redis->synced, &redis->data);
    }
    evs_sim_at(redis->server.world, EVS_SIM_SECOND, sync_each_second, redis, 0);
}

void evs_sim_redis_init(struct evs_sim_redis *redis, struct evs_sim_world *world, bool syncs_always)
{
    *redis = (struct evs_sim_redis){
        .server = {.world = world,
                   .name = "redis",
                   .port = EVS_SIM_REDIS_PORT,
                   .is_up = true,
                   .accept = accept_session,
                   .take = take_bytes,
                   .closed = close_session},
        .syncs_always = syncs_always,
    };
    evs_sim_at(world, evs_sim_between(world, 0, EVS_SIM_SECOND), sync_each_second, redis, 0);
}

void evs_sim_redis_fini(struct evs_sim_redis *redis)
{
    evs_sim_redis_data_fini(&redis->data);
    evs_sim_redis_data_fini(&redis->synced);
}

void evs_sim_redis_kill(struct evs_sim_redis *redis)
{
    evs_sim_note(redis->server.world, "redis", "is killed");
    evs_sim_server_down(&redis->server);
}

void evs_sim_redis_power_cut(struct evs_sim_redis *redis)
{
    uint64_t lost = redis->data.writes - redis->synced.writes;
    evs_sim_note(redis->server.world, "redis", "loses its power, and %" PRIu64 " writes", lost);
    redis->lost_writes += lost;
    evs_sim_redis_data_copy(&redis->data, &redis->synced);
    evs_sim_server_down(&redis->server);
}

void evs_sim_redis_start(struct evs_sim_redis *redis, int64_t loading_us)
{
    evs_sim_note(redis->server.world, "redis", "starts");
    evs_sim_server_up(&redis->server);
    redis->loading_until_us = redis->server.world->now_us + loading_us;
    redis->refusal = NULL;
    redis->lives++;
}
