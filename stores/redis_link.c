#include "redis_link.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "redis_route.h"

#define READ_BYTES (64u << 10)
#define GREETING_MAX 6

enum phase { DOWN, CONNECTING, GREETING, UP };

struct evs_redis_link {
    const struct evs_os *os;
    const struct evs_redis_address *address;
    struct evs_redis_route route;
    bool asks;    /* connected to a sentinel, to learn who the master is */
    bool watches; /* each greeting asks who the server is */
    struct evs_redis_identity known, now;
    char *client_name;
    enum phase phase;
    int fd;              /* -1 when down … */
    redisReader *reader; /* … and NULL */
    bool closed;         /* the peer has closed: what it sent before is still to be taken */
    struct evs_buffer out;
    size_t out_sent;                    /* bytes of out that are with the kernel */
    uint32_t awaited;                   /* commands without a reply taken */
    int64_t progress_us;                /* when bytes last moved, or the wait began */
    const char *greeting[GREETING_MAX]; /* the greeting's commands, in order */
    uint32_t greeting_count, greeted;
    char input[READ_BYTES];
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static char *printable_name(const char *name)
{
    char *copy = evs_strdup(name);
    for (char *c = copy; *c != '\0'; c++) {
        *c = *c > ' ' && *c <= '~' ? *c : '_'; /* CLIENT SETNAME refuses anything else */
    }
    return copy;
}

evs_status evs_redis_link_new(const struct evs_os *os, const struct evs_redis_address *address, const char *client_name,
                              struct evs_redis_link **link, struct evs_error *error)
{
    EVS_ASSERT(os != NULL && address != NULL && client_name != NULL);
    EVS_ASSERT(address->endpoint_count > 0 || address->path != NULL);
    if (address->tls) {
        return evs_fail(error, EVS_E_USAGE,
                        "%s asks for TLS, which this program cannot speak to Redis; use redis:// in a trusted network, "
                        "or unix:// or redis:// to a local TLS tunnel.",
                        address->text);
    }
    struct evs_redis_link *made = evs_alloc_zero(sizeof *made);
    made->os = os;
    made->fd = -1;
    made->address = address;
    made->route.address = address;
    made->client_name = printable_name(client_name);
    *link = made;
    return EVS_OK;
}

void evs_redis_link_free(struct evs_redis_link *link)
{
    if (link == NULL) {
        return;
    }
    evs_redis_link_drop(link);
    evs_buffer_fini(&link->out);
    evs_free(link->client_name);
    evs_free(link);
}

bool evs_redis_link_is_down(const struct evs_redis_link *link)
{
    return link->phase == DOWN;
}

bool evs_redis_link_is_up(const struct evs_redis_link *link)
{
    return link->phase == UP;
}

const char *evs_redis_link_server(const struct evs_redis_link *link)
{
    return link->address->text;
}

uint32_t evs_redis_link_awaited(const struct evs_redis_link *link)
{
    return link->awaited;
}

void evs_redis_link_watch(struct evs_redis_link *link)
{
    EVS_ASSERT(link->phase == DOWN);
    link->watches = true;
}

enum evs_redis_change evs_redis_link_change(const struct evs_redis_link *link)
{
    EVS_ASSERT(link->watches && link->phase == UP);
    return evs_redis_identity_compare(&link->known, &link->now);
}

void evs_redis_link_accept(struct evs_redis_link *link)
{
    EVS_ASSERT(link->watches && link->phase == UP);
    link->known = link->now;
}

/* The greeting has the password in it. */
static void wipe_greeting(struct evs_redis_link *link)
{
    if (link->phase == GREETING && link->out.data != NULL) {
        explicit_bzero(link->out.data, link->out.capacity);
    }
}

void evs_redis_link_drop(struct evs_redis_link *link)
{
    EVS_ASSERT(link != NULL);
    EVS_ASSERT((link->phase == DOWN) == (link->fd < 0) && (link->fd < 0) == (link->reader == NULL));
    if (link->fd >= 0) {
        link->os->sockets.close(link->os->sockets.self, link->fd);
        redisReaderFree(link->reader);
    }
    wipe_greeting(link);
    if (link->address->service != NULL && !link->asks) {
        link->route.host[0] = '\0'; /* whoever is the master the next time: the sentinels are asked again */
    }
    link->asks = false;
    link->fd = -1;
    link->reader = NULL;
    link->phase = DOWN;
    link->closed = false;
    link->out.count = link->out_sent = 0;
    link->awaited = link->greeting_count = link->greeted = 0;
}

/* Of several servers the one that was meant is named, too. */
static evs_status unreachable(struct evs_redis_link *link, struct evs_error *error, const char *what, const char *why)
{
    bool several = link->address->service != NULL || link->address->endpoint_count > 1 || link->route.host[0] != '\0';
    const char *meant = several ? link->route.text : "";
    evs_status status = evs_fail(error, EVS_E_UNREACHABLE, "Redis at %s%s%s%s %s: %s.", link->address->text,
                                 several ? " (" : "", meant, several ? ")" : "", what, why);
    if (link->address->path == NULL) {
        evs_redis_route_failed(&link->route);
    }
    return status;
}

static evs_status lost(struct evs_redis_link *link, struct evs_error *error, const char *what, const char *why)
{
    evs_redis_link_drop(link);
    return unreachable(link, error, what, why);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void put_head(struct evs_buffer *out, char mark, uint64_t number)
{
    char text[32];
    char *end = text + sizeof text, *at = end;
    *--at = '\n';
    *--at = '\r';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *--at = mark;
    evs_buffer_put(out, at, (size_t)(end - at));
}

static void put_command(struct evs_redis_link *link, const struct evs_slice *arguments, uint32_t count)
{
    EVS_ASSERT(count > 0);
    if (link->awaited++ == 0) {
        link->progress_us = evs_monotonic_us(link->os);
    }
    put_head(&link->out, '*', count);
    for (uint32_t i = 0; i < count; i++) {
        put_head(&link->out, '$', arguments[i].count);
        if (arguments[i].count > 0) {
            evs_buffer_put(&link->out, arguments[i].data, arguments[i].count);
        }
        evs_buffer_put(&link->out, "\r\n", 2);
    }
}

void evs_redis_link_put(struct evs_redis_link *link, const struct evs_slice *arguments, uint32_t count)
{
    EVS_ASSERT(link->phase == UP);
    put_command(link, arguments, count);
}

static void write_some(struct evs_redis_link *link)
{
    while (link->out_sent < link->out.count && !link->closed) {
        ssize_t sent = link->os->sockets.send(link->os->sockets.self, link->fd, link->out.data + link->out_sent,
                                              link->out.count - link->out_sent);
        if (sent < 0 && errno != EINTR) {
            /* a reply that says why may still be there to read */
            link->closed = errno != EAGAIN && errno != EWOULDBLOCK;
            break;
        }
        if (sent > 0) {
            link->out_sent += (size_t)sent;
            link->progress_us = evs_monotonic_us(link->os);
        }
    }
    if (link->out_sent == link->out.count) {
        link->out.count = link->out_sent = 0;
    }
}

/* --- connecting and greeting -------------------------------------------------------------------------------------- */

/* Both begin to connect: the descriptor, or -1 and *why. */
static int connect_path(struct evs_redis_link *link, const char **why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(link->address->path) >= sizeof address.sun_path) {
        *why = "the socket's path is too long";
        return -1;
    }
    memcpy(address.sun_path, link->address->path, strlen(link->address->path));
    int fd =
        link->os->sockets.connect(link->os->sockets.self, (const struct sockaddr *)&address, (uint32_t)sizeof address);
    *why = fd < 0 ? strerror(errno) : NULL;
    return fd;
}

/* An old address first: a server that listens on 127.0.0.1 alone is what `localhost` mostly means. */
static int connect_host(struct evs_redis_link *link, const char **why)
{
    struct evs_redis_endpoint to = evs_redis_route_next(&link->route, &link->asks);
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)to.port);
    int failure = getaddrinfo(to.host, port, &hints, &found);
    if (failure != 0) {
        hints.ai_family = AF_INET6;
        failure = getaddrinfo(to.host, port, &hints, &found);
    }
    if (failure != 0) {
        *why = gai_strerror(failure);
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = link->os->sockets.connect(link->os->sockets.self, at->ai_addr, at->ai_addrlen);
        *why = fd < 0 ? strerror(errno) : NULL;
    }
    freeaddrinfo(found);
    return fd;
}

evs_status evs_redis_link_start(struct evs_redis_link *link, struct evs_error *error)
{
    EVS_ASSERT(link->phase == DOWN);
    const char *why = NULL;
    int fd = link->address->path != NULL ? connect_path(link, &why) : connect_host(link, &why);
    if (fd < 0) {
        link->asks = false;
        return unreachable(link, error, "cannot be reached", why);
    }
    link->fd = fd;
    link->reader = redisReaderCreate();
    EVS_ASSERT(link->reader != NULL); /* as any memory that is not to be had */
    link->reader->maxbuf = 0;
    link->phase = CONNECTING;
    link->progress_us = evs_monotonic_us(link->os);
    return EVS_OK;
}

static void greet(struct evs_redis_link *link, const struct evs_slice *arguments, uint32_t count)
{
    EVS_ASSERT(link->greeting_count < GREETING_MAX);
    link->greeting[link->greeting_count++] = arguments[0].data;
    put_command(link, arguments, count);
}

static void queue_greeting(struct evs_redis_link *link)
{
    const struct evs_redis_address *address = link->address;
    if (link->asks) {
        greet(link,
              (struct evs_slice[]){EVS_SLICE("SENTINEL"), EVS_SLICE("GET-MASTER-ADDR-BY-NAME"),
                                   evs_slice_of(address->service)},
              3);
        return;
    }
    if (address->password != NULL && address->user != NULL) {
        greet(link,
              (struct evs_slice[]){EVS_SLICE("AUTH"), evs_slice_of(address->user), evs_slice_of(address->password)}, 3);
    } else if (address->password != NULL) {
        greet(link, (struct evs_slice[]){EVS_SLICE("AUTH"), evs_slice_of(address->password)}, 2);
    }
    if (address->database != 0) {
        char number[16];
        snprintf(number, sizeof number, "%u", address->database);
        greet(link, (struct evs_slice[]){EVS_SLICE("SELECT"), evs_slice_of(number)}, 2);
    }
    greet(link, (struct evs_slice[]){EVS_SLICE("CLIENT"), EVS_SLICE("SETNAME"), evs_slice_of(link->client_name)}, 3);
    if (address->service != NULL) {
        greet(link, (struct evs_slice[]){EVS_SLICE("ROLE")}, 1);
    }
    if (link->watches) {
        greet(link, (struct evs_slice[]){EVS_SLICE("INFO"), EVS_SLICE("server"), EVS_SLICE("replication")}, 3);
    }
    greet(link, (struct evs_slice[]){EVS_SLICE("PING")}, 1);
}

static evs_status finish_connecting(struct evs_redis_link *link, struct evs_error *error)
{
    struct evs_wait_fd fd = {.fd = link->fd, .want_write = true};
    link->os->sockets.wait(link->os->sockets.self, NULL, &fd, 1, 0);
    if (!fd.can_write) {
        return EVS_OK;
    }
    int code = link->os->sockets.failure(link->os->sockets.self, link->fd);
    if (code != 0) {
        return lost(link, error, "cannot be reached", strerror(code));
    }
    link->phase = GREETING;
    queue_greeting(link);
    return EVS_OK;
}

static evs_status take_reply(struct evs_redis_link *link, redisReply **reply, struct evs_error *error)
{
    void *object = NULL;
    EVS_ASSERT(link->reader != NULL);
    if (redisReaderGetReply(link->reader, &object) != REDIS_OK) {
        return lost(link, error, "sent something that is not its protocol", "the connection was closed");
    }
    if (object == NULL) {
        return link->closed ? lost(link, error, "broke the connection", "it was closed by the server") : EVS_AGAIN;
    }
    EVS_ASSERT(link->awaited > 0);
    link->awaited--;
    *reply = object;
    return EVS_OK;
}

/* The sentinel has done its part: on to the master that it names. */
static evs_status follow_sentinel(struct evs_redis_link *link, const redisReply *reply, struct evs_error *error)
{
    bool fits = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2;
    if (!fits || !evs_redis_route_learn(&link->route, evs_redis_reply_slice(reply->element[0]),
                                        evs_redis_reply_slice(reply->element[1]))) {
        return lost(link, error, "names no master", "the sentinel does not know it under the name in the URL");
    }
    evs_redis_link_drop(link);
    return evs_redis_link_start(link, error);
}

/* Sentinels may be behind the truth for a moment. */
static bool is_master(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
           evs_slice_equal(evs_redis_reply_slice(reply->element[0]), EVS_SLICE("master"));
}

static void take_identity(struct evs_redis_link *link, const redisReply *reply)
{
    link->now = (struct evs_redis_identity){0};
    if (evs_redis_reply_is_text(reply)) {
        evs_redis_identity_read(evs_redis_reply_slice(reply), &link->now);
    }
    if (link->known.run_id[0] == '\0') {
        link->known = link->now;
    }
}

/* A client's name is a courtesy, and who may not ask for INFO does without; each other command of the greeting must succeed. */
static evs_status judge_greeting(struct evs_redis_link *link, const char *command, const redisReply *reply,
                                 struct evs_error *error)
{
    if (strcmp(command, "INFO") == 0) {
        take_identity(link, reply);
        return EVS_OK;
    }
    if (reply->type == REDIS_REPLY_ERROR && strcmp(command, "CLIENT") != 0) {
        evs_status status = evs_redis_link_refused(link, "let this client in", reply->str, error);
        evs_redis_link_drop(link);
        return status;
    }
    if (strcmp(command, "SENTINEL") == 0) {
        return follow_sentinel(link, reply, error);
    }
    if (strcmp(command, "ROLE") == 0 && !is_master(reply)) {
        return lost(link, error, "is no master", "it is a replica, though a sentinel names it");
    }
    return EVS_OK;
}

static evs_status finish_greeting(struct evs_redis_link *link, struct evs_error *error)
{
    while (link->phase == GREETING && link->greeted < link->greeting_count) {
        redisReply *reply;
        evs_status status = take_reply(link, &reply, error);
        if (status != EVS_OK) {
            return status == EVS_AGAIN ? EVS_OK : status;
        }
        status = judge_greeting(link, link->greeting[link->greeted++], reply, error);
        freeReplyObject(reply);
        if (status != EVS_OK) {
            return status;
        }
    }
    if (link->phase == GREETING) {
        wipe_greeting(link);
        link->phase = UP;
    }
    return EVS_OK;
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

/* One read: the parser would move all that is left over at each kilobyte that it is done with. */
static void read_some(struct evs_redis_link *link)
{
    ssize_t got = link->os->sockets.receive(link->os->sockets.self, link->fd, link->input, sizeof link->input);
    if (got > 0) {
        link->progress_us = evs_monotonic_us(link->os);
        /* a failure is kept in the reader and told by its next reply */
        (void)redisReaderFeed(link->reader, link->input, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        link->closed = true;
    }
}

static int64_t patience_us(const struct evs_redis_link *link)
{
    if (link->phase == UP && link->awaited == 0) {
        return INT64_MAX;
    }
    return link->progress_us + EVS_REDIS_TIMEOUT_US - evs_monotonic_us(link->os);
}

evs_status evs_redis_link_pump(struct evs_redis_link *link, struct evs_error *error)
{
    EVS_ASSERT(link->phase != DOWN);
    evs_status status = EVS_OK;
    if (link->phase == CONNECTING) {
        status = finish_connecting(link, error);
    }
    if (status == EVS_OK && link->phase != CONNECTING) {
        write_some(link);
        read_some(link);
    }
    if (status == EVS_OK && link->phase == GREETING) {
        status = finish_greeting(link, error);
    }
    if (status == EVS_OK && link->closed && link->awaited == 0) {
        status = lost(link, error, "broke the connection", "it was closed by the server");
    }
    if (status == EVS_OK && patience_us(link) <= 0) {
        status = lost(link, error, "does not answer", "nothing came for 10 seconds");
    }
    EVS_ASSERT(status == EVS_OK || link->phase == DOWN);
    return status;
}

evs_status evs_redis_link_take(struct evs_redis_link *link, redisReply **reply, struct evs_error *error)
{
    EVS_ASSERT(link->phase == UP);
    return take_reply(link, reply, error);
}

struct evs_wait_fd evs_redis_link_wait_fd(const struct evs_redis_link *link)
{
    EVS_ASSERT(link->phase != DOWN);
    bool connecting = link->phase == CONNECTING;
    return (struct evs_wait_fd){
        .fd = link->fd, .want_read = !connecting, .want_write = connecting || link->out_sent < link->out.count};
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static evs_status wait_and_pump(struct evs_redis_link *link, struct evs_error *error)
{
    struct evs_wait_fd fd = evs_redis_link_wait_fd(link);
    int64_t timeout_us = patience_us(link);
    EVS_ASSERT(timeout_us != INT64_MAX);
    link->os->sockets.wait(link->os->sockets.self, NULL, &fd, 1, timeout_us > 0 ? timeout_us : 0);
    return evs_redis_link_pump(link, error);
}

evs_status evs_redis_link_connect(struct evs_redis_link *link, struct evs_error *error)
{
    evs_status status = link->phase == DOWN ? evs_redis_link_start(link, error) : EVS_OK;
    while (status == EVS_OK && link->phase != UP) {
        status = wait_and_pump(link, error);
    }
    return status;
}

evs_status evs_redis_link_receive(struct evs_redis_link *link, redisReply **reply, struct evs_error *error)
{
    EVS_ASSERT(link->phase == UP && link->awaited > 0);
    write_some(link);
    for (;;) {
        evs_status status = take_reply(link, reply, error);
        if (status != EVS_AGAIN) {
            return status;
        }
        status = wait_and_pump(link, error);
        if (status != EVS_OK) {
            return status;
        }
    }
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

evs_status evs_redis_link_refused(struct evs_redis_link *link, const char *doing, const char *reply,
                                  struct evs_error *error)
{
    evs_status status = evs_redis_refused(link->address->text, doing, reply, error);
    bool moved =
        link->address->service == NULL && link->address->path == NULL && evs_redis_route_moved(&link->route, reply);
    if (moved && error != NULL) {
        error->code = EVS_E_UNREACHABLE;
    }
    return moved ? EVS_E_UNREACHABLE : status;
}

evs_status evs_redis_link_call(struct evs_redis_link *link, const struct evs_slice *arguments, uint32_t count,
                               redisReply **reply, struct evs_error *error)
{
    EVS_ASSERT(link->awaited == 0);
    evs_redis_link_put(link, arguments, count);
    return evs_redis_link_receive(link, reply, error);
}
