/* The fastest thing that can read a JetStream stream with one thread: a blocking socket, the protocol parsed in place, lines counted,
 * nothing else. No reconnect, no check, no safety: it is the floor that our source is compared with.
 *
 *   bare_reader HOST PORT STREAM [MESSAGES A REQUEST]
 *
 * Prints events, messages, bytes, seconds and CPU seconds of this process, read from the first request to the stream's end. */
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)

struct bare {
    int fd;
    const char *stream;
    long batch;
    char *data;
    size_t begin, filled, capacity;
    uint64_t events, messages, bytes, asked;
    int ended;
};

static double bare_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void bare_die(const char *what)
{
    perror(what);
    exit(1);
}

static void bare_send(struct bare *bare, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t sent = write(bare->fd, text, left);
        if (sent <= 0) {
            bare_die("write");
        }
        text += sent;
        left -= (size_t)sent;
    }
}

static void bare_receive(struct bare *bare)
{
    if (bare->begin > 0) {
        memmove(bare->data, bare->data + bare->begin, bare->filled - bare->begin);
        bare->filled -= bare->begin;
        bare->begin = 0;
    }
    if (bare->filled == bare->capacity) {
        bare->capacity *= 2;
        bare->data = realloc(bare->data, bare->capacity);
    }
    ssize_t got = recv(bare->fd, bare->data + bare->filled, bare->capacity - bare->filled, 0);
    if (got <= 0) {
        bare_die("recv");
    }
    bare->filled += (size_t)got;
}

static void bare_request(struct bare *bare)
{
    char body[64], text[256];
    int count = snprintf(body, sizeof body, "{\"batch\":%ld,\"expires\":30000000000}", bare->batch);
    snprintf(text, sizeof text, "PUB $JS.API.CONSUMER.MSG.NEXT.%s.bare _INBOX.bare.d %d\r\n%s\r\n", bare->stream, count,
             body);
    bare_send(bare, text);
    bare->asked += (uint64_t)bare->batch;
}

static void bare_count(struct bare *bare, const char *payload, size_t count)
{
    const char *end = payload + count;
    for (const char *at = payload; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        bare->events++;
    }
    bare->messages++;
    bare->bytes += count;
}

/* A message of the consumer ends the run when its reply subject says that none is pending. */
static void bare_take(struct bare *bare, const char *reply_end, const char *payload, size_t count)
{
    bare_count(bare, payload, count);
    bare->ended = reply_end[-1] == '0' && reply_end[-2] == '.';
    if (--bare->asked == (uint64_t)bare->batch) {
        bare_request(bare);
    }
}

/* Parses what is there; answers of the API (subject _INBOX.bare.a) are skipped. */
static void bare_parse(struct bare *bare)
{
    while (!bare->ended) {
        char *line = bare->data + bare->begin;
        size_t left = bare->filled - bare->begin;
        char *newline = memchr(line, '\n', left);
        if (newline == NULL) {
            return;
        }
        size_t line_bytes = (size_t)(newline - line) + 1;
        bool has_headers = memcmp(line, "HMSG ", 5) == 0;
        if (!has_headers && memcmp(line, "MSG ", 4) != 0) {
            if (memcmp(line, "PING", 4) == 0) {
                bare_send(bare, "PONG\r\n");
            }
            bare->begin += line_bytes;
            continue;
        }
        char *size = memrchr(line, ' ', line_bytes);
        size_t count = strtoul(size + 1, NULL, 10);
        if (left < line_bytes + count + 2) {
            return;
        }
        if (memcmp(line + 4, "_INBOX.bare.a", 13) != 0) {
            char *words_end = has_headers ? memrchr(line, ' ', (size_t)(size - line)) : size;
            size_t header_bytes = has_headers ? strtoul(words_end + 1, NULL, 10) : 0;
            bare_take(bare, words_end, newline + 1 + header_bytes, count - header_bytes);
        }
        bare->begin += line_bytes + count + 2;
    }
}

static void bare_connect(struct bare *bare, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address;
    if (getaddrinfo(host, port, &hints, &address) != 0) {
        bare_die("getaddrinfo");
    }
    bare->fd = socket(address->ai_family, SOCK_STREAM, 0);
    if (bare->fd < 0 || connect(bare->fd, address->ai_addr, address->ai_addrlen) != 0) {
        bare_die("connect");
    }
    freeaddrinfo(address);
}

static void bare_consume(struct bare *bare)
{
    char body[512], text[1024];
    int count = snprintf(
        body, sizeof body,
        "{\"stream_name\":\"%s\",\"config\":{\"name\":\"bare\",\"deliver_policy\":\"all\",\"ack_policy\":\"none\","
        "\"mem_storage\":true,\"inactive_threshold\":5000000000}}",
        bare->stream);
    snprintf(text, sizeof text,
             "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB _INBOX.bare.d 1\r\nSUB _INBOX.bare.a 2\r\n"
             "PUB $JS.API.CONSUMER.CREATE.%s.bare _INBOX.bare.a %d\r\n%s\r\n",
             bare->stream, count, body);
    bare_send(bare, text);
    bare_request(bare);
    bare_request(bare);
    while (!bare->ended) {
        bare_receive(bare);
        bare_parse(bare);
    }
    snprintf(text, sizeof text, "PUB $JS.API.CONSUMER.DELETE.%s.bare 0\r\n\r\nPING\r\n", bare->stream);
    bare_send(bare, text);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bare_reader HOST PORT STREAM [MESSAGES A REQUEST]\n");
        return 2;
    }
    struct bare bare = {
        .stream = argv[3], .batch = argc > 4 ? strtol(argv[4], NULL, 10) : 100, .capacity = BUFFER_BYTES};
    bare.data = malloc(bare.capacity);
    bare_connect(&bare, argv[1], argv[2]);
    double start = bare_seconds(CLOCK_MONOTONIC), cpu = bare_seconds(CLOCK_PROCESS_CPUTIME_ID);
    bare_consume(&bare);
    double seconds = bare_seconds(CLOCK_MONOTONIC) - start;
    cpu = bare_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("bare    %9llu events %8llu messages %11llu bytes %7.3f s %7.3f cpu-s %9.0f events/s\n",
           (unsigned long long)bare.events, (unsigned long long)bare.messages, (unsigned long long)bare.bytes, seconds,
           cpu, (double)bare.events / seconds);
    free(bare.data);
    close(bare.fd);
    return 0;
}
