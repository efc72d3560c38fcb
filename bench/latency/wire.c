#include "wire.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)

static void die(const char *what)
{
    perror(what);
    exit(1);
}

int64_t wire_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void wire_send(struct wire *wire, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = write(wire->fd, bytes, count);
        if (sent <= 0) {
            die("write");
        }
        bytes += sent;
        count -= (size_t)sent;
    }
}

void wire_printf(struct wire *wire, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (count < 0 || (size_t)count >= sizeof text) {
        die("a line that is too long");
    }
    wire_send(wire, text, (size_t)count);
}

void wire_open(struct wire *wire, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address;
    if (getaddrinfo(host, port, &hints, &address) != 0) {
        die("getaddrinfo");
    }
    *wire = (struct wire){.fd = socket(address->ai_family, SOCK_STREAM, 0), .capacity = BUFFER_BYTES};
    if (wire->fd < 0 || connect(wire->fd, address->ai_addr, address->ai_addrlen) != 0) {
        die("connect");
    }
    int one = 1;
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    freeaddrinfo(address);
    wire->data = malloc(wire->capacity);
    wire_printf(wire, "CONNECT {\"verbose\":false,\"headers\":true}\r\n");
}

void wire_close(struct wire *wire)
{
    close(wire->fd);
    free(wire->data);
}

static bool receive(struct wire *wire, int wait_ms)
{
    struct pollfd ready = {.fd = wire->fd, .events = POLLIN};
    if (poll(&ready, 1, wait_ms) == 0) {
        return false;
    }
    if (wire->begin > 0) {
        memmove(wire->data, wire->data + wire->begin, wire->filled - wire->begin);
        wire->filled -= wire->begin;
        wire->begin = 0;
    }
    if (wire->filled == wire->capacity) {
        wire->capacity *= 2;
        wire->data = realloc(wire->data, wire->capacity);
    }
    ssize_t got = recv(wire->fd, wire->data + wire->filled, wire->capacity - wire->filled, 0);
    if (got <= 0) {
        die("recv");
    }
    wire->filled += (size_t)got;
    return true;
}

/* Words of "MSG subject sid [reply] bytes" and "HMSG subject sid [reply] header-bytes bytes". */
static uint32_t split(char *line, size_t bytes, char **words)
{
    uint32_t count = 0;
    char *end = line + bytes;
    for (char *at = line; at < end && count < 6; at++) {
        words[count++] = at;
        at = memchr(at, ' ', (size_t)(end - at));
        if (at == NULL) {
            break;
        }
    }
    return count;
}

static void describe(struct wire_message *message, char **words, uint32_t count, bool has_headers, char *payload,
                     size_t bytes)
{
    uint32_t fixed = has_headers ? 5 : 4;
    size_t header_bytes = has_headers ? strtoul(words[count - 2], NULL, 10) : 0;
    bool has_reply = count > fixed;
    *message = (struct wire_message){
        .subject = words[1],
        .subject_bytes = (size_t)(words[2] - words[1] - 1),
        .reply = has_reply ? words[3] : NULL,
        .reply_bytes = has_reply ? (size_t)(words[4] - words[3] - 1) : 0,
        .payload = payload + header_bytes,
        .payload_bytes = bytes - header_bytes,
    };
}

/* Takes one protocol line, and what belongs to it, off the buffer. False: it is not all there. */
static bool parse(struct wire *wire, struct wire_message *message, bool *is_message)
{
    char *line = wire->data + wire->begin;
    size_t left = wire->filled - wire->begin;
    char *newline = memchr(line, '\n', left);
    *is_message = false;
    if (newline == NULL) {
        return false;
    }
    size_t line_bytes = (size_t)(newline - line) + 1;
    bool has_headers = memcmp(line, "HMSG ", 5) == 0;
    if (!has_headers && memcmp(line, "MSG ", 4) != 0) {
        if (memcmp(line, "PING", 4) == 0) {
            wire_printf(wire, "PONG\r\n");
        }
        wire->begin += line_bytes;
        return true;
    }
    char *words[6];
    uint32_t count = split(line, line_bytes - 2, words);
    size_t bytes = strtoul(words[count - 1], NULL, 10);
    if (left < line_bytes + bytes + 2) {
        return false;
    }
    describe(message, words, count, has_headers, newline + 1, bytes);
    *is_message = true;
    wire->begin += line_bytes + bytes + 2;
    return true;
}

bool wire_has_more(const struct wire *wire)
{
    return wire->begin < wire->filled;
}

bool wire_next(struct wire *wire, struct wire_message *message, int wait_ms)
{
    for (;;) {
        bool is_message;
        if (wire->begin < wire->filled && parse(wire, message, &is_message)) {
            if (is_message) {
                return true;
            }
        } else if (!receive(wire, wait_ms)) {
            return false;
        }
    }
}

void wire_api(struct wire *wire, const char *subject, const char *body)
{
    struct wire_message answer;
    wire_printf(wire, "SUB _INBOX.bench.api 9\r\nUNSUB 9 1\r\nPUB %s _INBOX.bench.api %zu\r\n%s\r\n", subject,
                strlen(body), body);
    if (!wire_next(wire, &answer, 5000) || memmem(answer.payload, answer.payload_bytes, "\"error\"", 7) != NULL) {
        fprintf(stderr, "%s: no answer, or an error\n", subject);
        exit(1);
    }
}
