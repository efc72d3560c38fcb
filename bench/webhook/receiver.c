/* A receiver that answers each POST with 200 after so many milliseconds: one thread, epoll, HTTP/1.1 with keep-alive. What it costs is little beside the client.
 *
 *     evs_bench_receiver PORT DELAY_MS     until SIGTERM, and prints what it has seen:
 *
 *     requests N seconds S rate R connections C most_under_way M
 *
 * Requests are told apart by their Content-Length; bodies are read and dropped. The delay is the same for all, so answers are due in the order of their
 * requests: a ring. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 8192
#define HEAD_MAX 8192
#define RING 65536u

struct connection {
    char head[HEAD_MAX];
    size_t head_bytes;
    size_t body_left;
    bool in_body;
};

struct due {
    int64_t at_us;
    int fd;
};

static struct connection *connections[FDS_MAX];
static struct due ring[RING];
static uint64_t ring_put, ring_taken, most_under_way, connection_count;
static int64_t first_us, last_us;
static volatile sig_atomic_t is_over;

static void end(int number)
{
    (void)number;
    is_over = 1;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void answer_later(int fd, int64_t delay_us)
{
    int64_t now = now_us();
    first_us = first_us == 0 ? now : first_us;
    ring[ring_put++ % RING] = (struct due){now + delay_us, fd};
    uint64_t under_way = ring_put - ring_taken;
    most_under_way = under_way > most_under_way ? under_way : most_under_way;
    if (under_way == RING) {
        fprintf(stderr, "too many requests at once\n");
        exit(1);
    }
}

static size_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\ncontent-length:");
    return at == NULL ? 0 : (size_t)strtoul(at + strlen("\ncontent-length:"), NULL, 10);
}

/* A head that is whole is taken off; what is left of the input is the body's. */
static size_t read_head(struct connection *connection, const char *data, size_t bytes)
{
    size_t before = connection->head_bytes, room = HEAD_MAX - 1 - before, taken = bytes < room ? bytes : room;
    memcpy(connection->head + before, data, taken);
    connection->head_bytes += taken;
    connection->head[connection->head_bytes] = '\0';
    char *end = strstr(connection->head, "\r\n\r\n");
    if (end == NULL) {
        return taken;
    }
    size_t head_bytes = (size_t)(end - connection->head) + 4;
    connection->body_left = content_length(connection->head);
    connection->in_body = true;
    connection->head_bytes = 0;
    return head_bytes - before;
}

static bool read_some(int fd, int64_t delay_us)
{
    char data[65536];
    ssize_t got = recv(fd, data, sizeof data, MSG_DONTWAIT);
    if (got <= 0) {
        return got < 0 && errno == EAGAIN;
    }
    struct connection *connection = connections[fd];
    for (size_t at = 0; at < (size_t)got || (connection->in_body && connection->body_left == 0);) {
        size_t left = (size_t)got - at;
        if (!connection->in_body) {
            at += read_head(connection, data + at, left);
            continue;
        }
        size_t taken = left < connection->body_left ? left : connection->body_left;
        connection->body_left -= taken;
        at += taken;
        if (connection->body_left == 0) {
            connection->in_body = false;
            answer_later(fd, delay_us);
        }
    }
    return true;
}

static void take_connection(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
    if (fd < 0) {
        return;
    }
    if (fd >= FDS_MAX) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connections[fd] = connections[fd] != NULL ? connections[fd] : malloc(sizeof *connections[fd]);
    memset(connections[fd], 0, sizeof *connections[fd]);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    connection_count++;
}

static void answer_due(void)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}";
    int64_t now = now_us();
    while (ring_taken < ring_put && ring[ring_taken % RING].at_us <= now) {
        if (send(ring[ring_taken % RING].fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) {
            perror("send");
        }
        ring_taken++;
        last_us = now;
    }
}

static int listen_at(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: evs_bench_receiver PORT DELAY_MS\n");
        return 2;
    }
    int64_t delay_us = strtoll(argv[2], NULL, 10) * 1000;
    signal(SIGTERM, end);
    int listener = listen_at((uint16_t)strtoul(argv[1], NULL, 10)), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    while (!is_over) {
        int64_t wait_us = ring_taken < ring_put ? ring[ring_taken % RING].at_us - now_us() : 1000000;
        int count = epoll_wait(epoll, events, 256, wait_us <= 0 ? 0 : (int)(wait_us / 1000) + 1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) {
                take_connection(epoll, listener);
            } else if (!read_some(events[i].data.fd, delay_us)) {
                close(events[i].data.fd);
            }
        }
        answer_due();
    }
    double seconds = (double)(last_us - first_us) / 1e6;
    printf("requests %llu seconds %.2f rate %.0f connections %llu most_under_way %llu\n",
           (unsigned long long)ring_taken, seconds, (double)ring_taken / seconds, (unsigned long long)connection_count,
           (unsigned long long)most_under_way);
    return 0;
}
