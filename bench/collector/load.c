/* A load of HTTP requests on many connections, each with one request under way: how many a second, and how long they take.
 *
 *   evs_bench_load busy HOST PORT PATH CONNECTIONS SECONDS EVENTS    requests of a Segment batch with so many events
 *   evs_bench_load idle HOST PORT CONNECTIONS                        one request each, then silence until standard input ends
 *
 * Every event has an id of its own, so that nothing is dropped as repeated. Prints one line:
 *   requests R seconds S a_second A p50_us M p99_us P failed F */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "evstream/memory.h"
#include "evstream/text.h"

#define LATENCIES_MAX (8u << 20)
#define CONNECT_AT_ONCE 64 /* the listener's queue is not what is measured */

struct load {
    struct event_base *base;
    struct sockaddr_in address;
    const char *path;
    uint32_t connections, events, opened, answered_once;
    bool idle, over;
    double seconds;
    int64_t begun_us;
    uint64_t serial, failed, latency_count;
    uint32_t *latencies_us;
    struct evs_buffer body, request;
};

struct client {
    struct load *load;
    int64_t sent_us;
    bool has_answered;
};

static int64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* --- a request -------------------------------------------------------------------------------------------------------------- */

static void make_body(struct load *load)
{
    load->body.count = 0;
    evs_buffer_puts(&load->body, "{\"writeKey\":\"bench\",\"sentAt\":\"2026-01-05T10:00:00.000Z\",\"batch\":[");
    for (uint32_t i = 0; i < load->events; i++) {
        uint64_t n = load->serial++;
        evs_buffer_printf(
            &load->body,
            "%s{\"type\":\"track\",\"event\":\"Product Viewed\",\"userId\":\"user-%04" PRIu64
            "\",\"messageId\":\"%08x-%016" PRIx64 "\",\"timestamp\":\"2026-01-05T10:00:00.000Z\",\"properties\":{"
                                                  "\"sku\":\"lamp-42\",\"price\":59.9,\"category\":"
            "\"lighting\",\"position\":%u},\"context\":{\"page\":{\"url\":\"https://shop.example/p/"
            "lamp-42?utm_source=mail\","
            "\"path\":\"/p/lamp-42\",\"title\":\"A "
            "lamp\",\"referrer\":\"https://search.example/\"},\"locale\":\"en-GB\","
            "\"userAgent\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 "
            "Safari/537.36\",\"library\":{\"name\":\"bench\",\"version\":\"1\"}}}",
            i > 0 ? "," : "", n * 7919 % 10000, (uint32_t)load->begun_us, n, i);
    }
    evs_buffer_puts(&load->body, "]}");
}

static void send_request(struct bufferevent *bufferevent, struct client *client)
{
    struct load *load = client->load;
    load->request.count = 0;
    if (load->idle) {
        evs_buffer_puts(&load->request, "GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n");
    } else {
        make_body(load);
        evs_buffer_printf(
            &load->request,
            "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
            load->path, load->body.count);
        evs_buffer_put(&load->request, load->body.data, load->body.count);
    }
    client->sent_us = now_us();
    bufferevent_write(bufferevent, load->request.data, load->request.count);
}

/* --- an answer ---------------------------------------------------------------------------------------------------------------- */

/* The status of the whole answer at the start of the buffer, which is taken out; 0: not all of it is here. */
static int take_answer(struct evbuffer *in)
{
    size_t count = evbuffer_get_length(in);
    const char *data = (const char *)evbuffer_pullup(in, -1);
    const char *end = count > 0 ? memmem(data, count, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end - data) + 4, body = 0;
    const char *length = memmem(data, head, "Content-Length: ", 16);
    if (length != NULL) {
        body = strtoul(length + 16, NULL, 10);
    }
    int status = atoi(data + 9);
    if (count < head + body) {
        return 0;
    }
    evbuffer_drain(in, head + body);
    return status;
}

static void open_more(struct load *load);

static void on_read(struct bufferevent *bufferevent, void *argument)
{
    struct client *client = argument;
    struct load *load = client->load;
    int status = take_answer(bufferevent_get_input(bufferevent));
    if (status == 0) {
        return;
    }
    load->failed += status != 200 && status != 204;
    if (load->latency_count < LATENCIES_MAX) {
        load->latencies_us[load->latency_count++] = (uint32_t)(now_us() - client->sent_us);
    }
    if (!client->has_answered) {
        client->has_answered = true;
        load->answered_once++;
        open_more(load);
        if (load->idle && load->answered_once == load->connections) {
            printf("%u connections are open\n", load->connections);
            fflush(stdout);
        }
    }
    if (!load->idle && !load->over) {
        send_request(bufferevent, client);
    }
}

static void on_event(struct bufferevent *bufferevent, short what, void *argument)
{
    struct client *client = argument;
    if (what & BEV_EVENT_CONNECTED) {
        send_request(bufferevent, client);
    } else {
        client->load->failed++;
        bufferevent_free(bufferevent);
    }
}

static void open_more(struct load *load)
{
    while (load->opened < load->connections && load->opened < load->answered_once + CONNECT_AT_ONCE) {
        struct client *client = evs_alloc_zero(sizeof *client);
        client->load = load;
        load->opened++;
        struct bufferevent *bufferevent = bufferevent_socket_new(load->base, -1, BEV_OPT_CLOSE_ON_FREE);
        bufferevent_setcb(bufferevent, on_read, NULL, on_event, client);
        bufferevent_enable(bufferevent, EV_READ | EV_WRITE);
        if (bufferevent_socket_connect(bufferevent, (struct sockaddr *)&load->address, sizeof load->address) != 0) {
            load->failed++;
        }
    }
}

/* --- the end -------------------------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile(const struct load *load, double share)
{
    return load->latency_count == 0 ? 0 : load->latencies_us[(uint64_t)((double)(load->latency_count - 1) * share)];
}

static void on_over(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct load *load = argument;
    load->over = true;
    double seconds = (double)(now_us() - load->begun_us) / 1e6;
    qsort(load->latencies_us, load->latency_count, sizeof *load->latencies_us, compare);
    printf("requests %" PRIu64 " seconds %.2f a_second %.0f p50_us %u p99_us %u failed %" PRIu64 "\n",
           load->latency_count, seconds, (double)load->latency_count / seconds, percentile(load, 0.5),
           percentile(load, 0.99), load->failed);
    event_base_loopbreak(load->base);
}

static void on_stdin(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(((struct load *)argument)->base);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: evs_bench_load busy HOST PORT PATH CONNECTIONS SECONDS EVENTS | idle HOST PORT CONNECTIONS\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct load load = {.begun_us = now_us(), .latencies_us = evs_alloc(LATENCIES_MAX * sizeof(uint32_t))};
    load.idle = argc == 5 && strcmp(argv[1], "idle") == 0;
    if (!load.idle && !(argc == 8 && strcmp(argv[1], "busy") == 0)) {
        return usage();
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    load.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
    inet_pton(AF_INET, argv[2], &load.address.sin_addr);
    load.base = event_base_new();
    load.path = load.idle ? "" : argv[4];
    load.connections = (uint32_t)atoi(argv[load.idle ? 4 : 5]);
    load.events = load.idle ? 0 : (uint32_t)atoi(argv[7]);
    struct event *end =
        load.idle ? event_new(load.base, 0, EV_READ, on_stdin, &load) : event_new(load.base, -1, 0, on_over, &load);
    struct timeval seconds = {.tv_sec = load.idle ? 0 : atoi(argv[6])};
    event_add(end, load.idle ? NULL : &seconds);
    open_more(&load);
    event_base_dispatch(load.base);
    return load.failed > 0;
}
