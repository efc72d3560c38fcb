/* From click to trigger: publishes clicks to JetStream at a rate, listens to the triggers that somebody makes of them, and tells how long each took.
 *
 *   latency HOST PORT --prepare                                 makes the streams CLICKS and TRIGGERS anew
 *   latency HOST PORT RATE EVENTS-A-MESSAGE SECONDS             prints "triggers N missing N p50 NS p99 NS p999 NS max NS"
 *
 * A click carries the time right before its message was written; one in ten is a purchase, which is what becomes a trigger. The time of a trigger is when
 * this program, a plain subscriber, has read it. Messages are due at fixed times: a late one is written at once, and those behind it are not put off. The
 * first second warms up and does not count. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire.h"

#define MESSAGE_BYTES_MAX (256u << 10)
#define TRIGGER_OF 10u /* events */
#define LAST_WAIT_MS 2000

struct run {
    const char *host, *port;
    uint64_t rate, batch, seconds;
    uint64_t expected;
    int64_t count_from_ns; /* clicks before it warm up */
    atomic_bool is_done;
};

static size_t put_event(char *to, size_t room, uint64_t number, int64_t sent_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    gmtime_r(&now.tv_sec, &parts);
    char time[64];
    strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
    return (size_t)snprintf(
        to, room,
        "{\"event_id\":\"%016llx\",\"type\":\"%s\",\"occurred_at\":\"%s.%03ldZ\",\"user_id\":\"u%llu\","
        "\"sent_ns\":%lld,\"properties\":{\"sku\":\"sku-%llu\",\"price\":%llu.95,\"currency\":\"EUR\"},"
        "\"context\":{\"campaign\":{\"source\":\"newsletter\"},\"locale\":\"de-DE\"}}\n",
        (unsigned long long)number, number % TRIGGER_OF == 0 ? "purchase" : "page_view", time, now.tv_nsec / 1000000,
        (unsigned long long)(number * 7919 % 100000), (long long)sent_ns, (unsigned long long)(number % 5000),
        (unsigned long long)(number % 90 + 9));
}

static void *publish(void *argument)
{
    struct run *run = argument;
    struct wire wire;
    wire_open(&wire, run->host, run->port);
    static char message[MESSAGE_BYTES_MAX], line[MESSAGE_BYTES_MAX + 64];
    const int64_t start = wire_now_ns(), every = (int64_t)(run->batch * 1000000000 / run->rate);
    run->count_from_ns = start + 1000000000;
    uint64_t number = 0;
    for (int64_t due = start; due < start + (int64_t)run->seconds * 1000000000; due += every) {
        struct timespec until = {due / 1000000000, due % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        int64_t sent_ns = wire_now_ns();
        size_t bytes = 0;
        for (uint64_t i = 0; i < run->batch; i++, number++) {
            run->expected += number % TRIGGER_OF == 0 && sent_ns >= run->count_from_ns;
            bytes += put_event(message + bytes, sizeof message - bytes, number, sent_ns);
        }
        size_t head = (size_t)snprintf(line, 64, "PUB clicks.0.bench %zu\r\n", bytes - 1);
        memcpy(line + head, message, bytes - 1); /* no newline behind the last event */
        memcpy(line + head + bytes - 1, "\r\n", 2);
        wire_send(&wire, line, head + bytes + 1);
    }
    wire_close(&wire);
    atomic_store(&run->is_done, true);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void report(const struct run *run, int64_t *taken, uint64_t count)
{
    qsort(taken, count, sizeof *taken, by_size);
    if (count == 0) {
        fprintf(stderr, "no trigger came\n");
        exit(1);
    }
    printf("triggers %llu missing %lld p50 %lld p99 %lld p999 %lld max %lld\n", (unsigned long long)count,
           (long long)(run->expected - count), (long long)taken[count / 2], (long long)taken[count * 99 / 100],
           (long long)taken[count * 999 / 1000], (long long)taken[count - 1]);
}

static void measure(struct run *run)
{
    struct wire wire;
    struct wire_message message;
    uint64_t room = run->rate * run->seconds / TRIGGER_OF + 1024, count = 0;
    int64_t *taken = malloc(room * sizeof *taken);
    wire_open(&wire, run->host, run->port);
    wire_printf(&wire, "SUB triggers.> 1\r\n");
    pthread_t publisher;
    pthread_create(&publisher, NULL, publish, run);
    while (!atomic_load(&run->is_done) || count < run->expected) {
        if (!wire_next(&wire, &message, atomic_load(&run->is_done) ? LAST_WAIT_MS : 100)) {
            if (atomic_load(&run->is_done)) {
                break;
            }
            continue;
        }
        int64_t now = wire_now_ns();
        const char *at = memmem(message.payload, message.payload_bytes, "\"sent_ns\":", 10);
        int64_t sent = at == NULL ? 0 : strtoll(at + 10, NULL, 10);
        if (sent >= run->count_from_ns && count < room) {
            taken[count++] = now - sent;
        }
    }
    pthread_join(publisher, NULL);
    report(run, taken, count);
    free(taken);
    wire_close(&wire);
}

static void prepare(const struct run *run)
{
    struct wire wire;
    wire_open(&wire, run->host, run->port);
    wire_api(&wire, "$JS.API.STREAM.CREATE.CLICKS",
             "{\"name\":\"CLICKS\",\"subjects\":[\"clicks.>\"],\"storage\":\"file\",\"num_replicas\":1}");
    wire_api(&wire, "$JS.API.STREAM.CREATE.TRIGGERS",
             "{\"name\":\"TRIGGERS\",\"subjects\":[\"triggers.>\"],\"storage\":\"file\",\"num_replicas\":1,\"duplicate_"
             "window\":600000000000}");
    wire_close(&wire);
}

int main(int argc, char **argv)
{
    bool is_prepare = argc == 4 && strcmp(argv[3], "--prepare") == 0;
    if (!is_prepare && argc != 6) {
        fprintf(stderr, "usage: latency HOST PORT --prepare | latency HOST PORT RATE EVENTS-A-MESSAGE SECONDS\n");
        return 2;
    }
    struct run run = {.host = argv[1], .port = argv[2]};
    if (is_prepare) {
        prepare(&run);
        return 0;
    }
    run.rate = strtoull(argv[3], NULL, 10);
    run.batch = strtoull(argv[4], NULL, 10);
    run.seconds = strtoull(argv[5], NULL, 10);
    if (run.rate == 0 || run.batch == 0 || run.seconds < 2 || run.batch * 512 > MESSAGE_BYTES_MAX) {
        fprintf(stderr, "latency: a rate, at most %u events a message, at least 2 seconds\n", MESSAGE_BYTES_MAX / 512);
        return 2;
    }
    measure(&run);
    return 0;
}
