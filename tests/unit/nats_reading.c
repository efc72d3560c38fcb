#include "nats_reading.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "nats_reader.h"

#define POLL_MAX 512

struct server_nats server;
const char *const transports[2] = {"transport=socket", "transport=library"};

void start_server(void)
{
    server_nats_start(&server, NULL, NULL);
}

void end_server(void)
{
    server_nats_end(&server);
}

void reading_init(struct reading *reading, const char *const *said)
{
    *reading = (struct reading){.poll_max = POLL_MAX, .seen = evs_alloc_zero(EVENTS_MAX)};
    struct evs_option_value values[OPTION_VALUES_MAX];
    option_values(evs_source_nats.options, said, values);
    reading->open = (struct evs_source_open){
        .os = evs_os_system(),
        .log = evs_log_new(evs_os_system(), getenv("EVS_TEST_LOG") != NULL ? EVS_LOG_DEBUG : EVS_LOG_ERROR, false),
        .name = "clicks",
        .worker_count = 1,
        .nats_url = server.url,
        .until_end = true,
    };
    evs_status status = evs_source_nats.configure(values, &reading->arena, &reading->open.config, &reading->error);
    ck_assert_msg(status == EVS_OK, "%s", reading->error.text);
}

evs_status reading_try_open(struct reading *reading)
{
    return evs_source_nats.open(&reading->open, &reading->instance, &reading->error);
}

void reading_open(struct reading *reading)
{
    evs_status status = reading_try_open(reading);
    ck_assert_msg(status == EVS_OK, "%s", reading->error.text);
}

void reading_fini(struct reading *reading)
{
    if (reading->instance != NULL) {
        evs_source_nats.close(reading->instance);
    }
    evs_log_free((struct evs_log *)reading->open.log);
    evs_arena_fini(&reading->arena);
    evs_free(reading->seen);
}

void reading_commit_and_close(struct reading *reading)
{
    struct evs_source_state state;
    evs_source_nats.state(reading->instance, &state);
    evs_source_nats.close(reading->instance);
    reading->instance = NULL;
    for (uint32_t i = 0; i < reading->position_count; i++) {
        reading->positions[i].log_created_us = state.log_created_us;
    }
    reading->open.positions = reading->positions;
    reading->open.position_count = reading->position_count;
}

static void count_events(struct reading *reading, struct evs_slice payload)
{
    const char *at = payload.data, *end = payload.data + payload.count;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        unsigned long number = strtoul(at + 5, NULL, 10);
        if (newline == NULL || memcmp(at, "{\"n\":", 5) != 0 || number >= EVENTS_MAX) {
            ck_abort_msg("no event: %.60s", at);
        }
        reading->seen[number]++;
        reading->event_count++;
        at = newline + 1;
    }
}

static void take_message(struct reading *reading, const struct evs_message *message)
{
    uint8_t padding[EVS_PADDING];
    memcpy(padding, message->payload.data + message->payload.count, EVS_PADDING); /* readable: the sanitizer watches */
    bool whole = message->last_of_position && message->first_index == 0;
    if (message->partition >= 64 || message->sequence <= reading->last[message->partition] || !whole ||
        message->fingerprint != evs_fingerprint(message->payload) ||
        message->ingested_at_us < INT64_C(1600000000000000)) {
        ck_abort_msg("message %llu of partition %u is not as it should be", (unsigned long long)message->sequence,
                     message->partition);
    }
    reading->last[message->partition] = message->sequence;
    reading->message_count++;
    if (reading->position_count < POSITIONS_MAX) {
        reading->positions[reading->position_count++] = (struct evs_position){
            .partition = message->partition,
            .sequence = message->sequence,
            .byte_offset = message->byte_offset,
            .time_us = message->ingested_at_us,
            .fingerprint = message->fingerprint,
        };
    }
    count_events(reading, message->payload);
}

evs_status reading_poll(struct reading *reading)
{
    static struct evs_message messages[POLL_MAX];
    uint32_t count = 0;
    evs_status status = evs_source_nats.poll(reading->instance, messages, reading->poll_max, &count, &reading->error);
    for (uint32_t i = 0; status == EVS_OK && i < count; i++) {
        take_message(reading, &messages[i]);
    }
    if (status == EVS_AGAIN) {
        struct evs_wait_fd fd;
        uint32_t fds = evs_source_nats.wait_fds(reading->instance, &fd, 1);
        (void)reading->open.os->sockets.wait(reading->open.os->sockets.self, NULL, &fd, fds, 20000);
    }
    return status;
}

evs_status read_until(struct reading *reading, uint32_t messages)
{
    int64_t deadline_us = evs_monotonic_us(reading->open.os) + READING_DEADLINE_US;
    evs_status status = EVS_AGAIN;
    while (reading->message_count < messages && (status == EVS_OK || status == EVS_AGAIN)) {
        ck_assert_msg(evs_monotonic_us(reading->open.os) < deadline_us, "%u of %u messages came",
                      reading->message_count, messages);
        status = reading_poll(reading);
    }
    return status;
}

void read_to_end(struct reading *reading)
{
    evs_status status = read_until(reading, UINT32_MAX);
    ck_assert_msg(status == EVS_END, "%s: %s", evs_status_name(status), reading->error.text);
}

void poll_until(struct reading *reading, state_check check)
{
    int64_t deadline_us = evs_monotonic_us(reading->open.os) + READING_DEADLINE_US;
    struct evs_source_state state;
    do {
        evs_status status = reading_poll(reading);
        ck_assert_msg(status == EVS_OK || status == EVS_AGAIN, "%s", reading->error.text);
        ck_assert_int_lt(evs_monotonic_us(reading->open.os), deadline_us);
        evs_source_nats.state(reading->instance, &state);
    } while (!check(&state));
}

struct evs_source_state state_of(struct reading *reading)
{
    struct evs_source_state state;
    evs_source_nats.state(reading->instance, &state);
    return state;
}

/* Assertions of libcheck write to a file each: here only the first mismatch is one. */
void expect_exactly(const struct reading *reading, uint32_t first, uint32_t end)
{
    uint32_t i = 0;
    while (i < EVENTS_MAX && reading->seen[i] == (i >= first && i < end)) {
        i++;
    }
    ck_assert_msg(i == EVENTS_MAX, "event %u came %u times", i, reading->seen[i % EVENTS_MAX]);
}
