/* Our source alone: polls `from nats` to the stream's end and counts lines, as bare_reader does.
 *
 *   source_reader URL STREAM [auto|socket|library]
 *
 * Everything that the source does in production is done: fingerprints, positions, sequence checks, heartbeats. Only decoding is left
 * out. Prints the same columns as bare_reader. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "source_nats.h"

#define OPTIONS_MAX 32
#define POLL_MESSAGES 1024

static double reader_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int64_t reader_choice(const char *choices, const char *text)
{
    int64_t index = 0;
    size_t count = strlen(text);
    for (const char *at = choices; *at != '\0'; index++) {
        size_t bytes = strcspn(at, "|");
        if (bytes == count && memcmp(at, text, count) == 0) {
            return index;
        }
        at += bytes + (at[bytes] == '|');
    }
    fprintf(stderr, "source_reader: '%s' is none of %s\n", text, choices);
    exit(2);
}

/* The table's fallbacks, with `stream` and `transport` as said. */
static void reader_options(struct evs_option_value *values, const char *stream, const char *transport)
{
    for (const struct evs_option *option = evs_source_nats.options; option->name != NULL; option++, values++) {
        const char *text = strcmp(option->name, "stream") == 0      ? stream
                           : strcmp(option->name, "transport") == 0 ? transport
                                                                    : option->fallback;
        *values = (struct evs_option_value){.option = option, .is_set = true, .text = evs_slice_of(text)};
        bool understood = true;
        if (option->kind == EVS_OPTION_DURATION) {
            understood = evs_parse_duration(values->text, &values->integer);
        } else if (option->kind == EVS_OPTION_BYTES) {
            understood = evs_parse_bytes(values->text, &values->integer);
        } else if (option->kind == EVS_OPTION_INT) {
            understood = evs_parse_int64(values->text, &values->integer);
        } else if (option->kind == EVS_OPTION_ENUM) {
            values->integer = reader_choice(option->choices, text);
        }
        EVS_ASSERT(understood);
    }
}

struct reader_totals {
    uint64_t events, messages, bytes;
};

static void reader_count(struct reader_totals *totals, const struct evs_message *message)
{
    const char *end = message->payload.data + message->payload.count;
    for (const char *at = message->payload.data; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        totals->events++;
    }
    totals->messages++;
    totals->bytes += message->payload.count;
}

static evs_status reader_drain(const struct evs_os *os, void *instance, struct reader_totals *totals,
                               struct evs_error *error)
{
    static struct evs_message messages[POLL_MESSAGES];
    for (;;) {
        uint32_t count;
        evs_status status = evs_source_nats.poll(instance, messages, POLL_MESSAGES, &count, error);
        if (status == EVS_AGAIN) {
            struct evs_wait_fd fd;
            uint32_t fds = evs_source_nats.wait_fds(instance, &fd, 1);
            (void)os->sockets.wait(os->sockets.self, NULL, &fd, fds, 100000);
            continue;
        }
        if (status != EVS_OK) {
            return status == EVS_END ? EVS_OK : status;
        }
        for (uint32_t i = 0; i < count; i++) {
            reader_count(totals, &messages[i]);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: source_reader URL STREAM [auto|socket|library]\n");
        return 2;
    }
    const struct evs_os *os = evs_os_system();
    const char *transport = argc > 3 ? argv[3] : "auto";
    struct evs_option_value values[OPTIONS_MAX];
    struct evs_arena arena = {0};
    struct evs_error error = {0};
    struct evs_source_open open = {
        .os = os, .name = "bench", .worker_count = 1, .nats_url = argv[1], .until_end = true};
    open.log = evs_log_new(os, EVS_LOG_WARN, false);
    reader_options(values, argv[2], transport);
    struct reader_totals totals = {0};
    void *instance = NULL;
    evs_status status = evs_source_nats.configure(values, &arena, &open.config, &error);
    if (status == EVS_OK) {
        status = evs_source_nats.open(&open, &instance, &error);
    }
    double start = reader_seconds(CLOCK_MONOTONIC), cpu = reader_seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (status == EVS_OK) {
        status = reader_drain(os, instance, &totals, &error);
        double seconds = reader_seconds(CLOCK_MONOTONIC) - start;
        cpu = reader_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        printf("%-7s %9llu events %8llu messages %11llu bytes %7.3f s %7.3f cpu-s %9.0f events/s\n", transport,
               (unsigned long long)totals.events, (unsigned long long)totals.messages, (unsigned long long)totals.bytes,
               seconds, cpu, (double)totals.events / seconds);
        evs_source_nats.close(instance);
    }
    if (status != EVS_OK) {
        fprintf(stderr, "source_reader: %s\n", error.text);
    }
    evs_log_free(open.log);
    evs_arena_fini(&arena);
    return status == EVS_OK ? 0 : 1;
}
