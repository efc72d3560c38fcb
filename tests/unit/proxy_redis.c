#include "proxy_redis.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool proxy_request_is(const redisReply *request, const char *name)
{
    bool is_call = request->elements > 1 && strcmp(request->element[0]->str, "FCALL") == 0;
    return strcmp(request->element[is_call ? 1 : 0]->str, name) == 0;
}

static int open_socket(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool send_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

static bool send_request(int fd, const redisReply *request)
{
    const char *arguments[64];
    size_t counts[64];
    if (request->elements > 64) {
        return false;
    }
    for (size_t i = 0; i < request->elements; i++) {
        arguments[i] = request->element[i]->str;
        counts[i] = (size_t)request->element[i]->len;
    }
    char *bytes = NULL;
    int count = redisFormatCommandArgv(&bytes, (int)request->elements, arguments, counts);
    bool good = count > 0 && send_all(fd, bytes, (size_t)count);
    free(bytes);
    return good;
}

/* Reads one whole message; its raw bytes are passed on to `copy_to` unless that is negative. NULL at the end of the
 * connection. */
static redisReply *read_message(redisReader *reader, int fd, int copy_to)
{
    void *message = NULL;
    char bytes[16384];
    while (redisReaderGetReply(reader, &message) == REDIS_OK && message == NULL) {
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        if (got <= 0 || (copy_to >= 0 && !send_all(copy_to, bytes, (size_t)got))) {
            return NULL;
        }
        redisReaderFeed(reader, bytes, (size_t)got);
    }
    return message;
}

static bool serve_request(struct proxy_redis *proxy, const redisReply *request, redisReader *replies, int client,
                          int server)
{
    enum proxy_verdict verdict =
        proxy->hook == NULL ? PROXY_PASS : proxy->hook(proxy->argument, proxy->requests, request);
    proxy->requests++;
    if (verdict == PROXY_CUT || !send_request(server, request)) {
        return false;
    }
    redisReply *reply = read_message(replies, server, verdict == PROXY_PASS ? client : -1);
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return reply != NULL && verdict == PROXY_PASS;
}

static void serve_client(struct proxy_redis *proxy, int client, int server)
{
    redisReader *requests = redisReaderCreate(), *replies = redisReaderCreate();
    redisReply *request;
    bool goes_on = true;
    while (goes_on && (request = read_message(requests, client, -1)) != NULL) {
        goes_on = serve_request(proxy, request, replies, client, server);
        freeReplyObject(request);
    }
    redisReaderFree(requests);
    redisReaderFree(replies);
}

static void *serve(void *argument)
{
    struct proxy_redis *proxy = argument;
    while (!proxy->stopping) {
        int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) {
            continue;
        }
        struct sockaddr_un address;
        int server = open_socket(proxy->upstream, &address);
        proxy->client = client;
        if (!proxy->stopping && connect(server, (struct sockaddr *)&address, sizeof address) == 0) {
            serve_client(proxy, client, server);
        }
        proxy->client = -1;
        close(server);
        close(client);
    }
    return NULL;
}

void proxy_redis_start(struct proxy_redis *proxy, const char *upstream_socket,
                       enum proxy_verdict (*hook)(void *argument, unsigned number, const redisReply *request),
                       void *argument)
{
    memset(proxy, 0, sizeof *proxy);
    proxy->hook = hook;
    proxy->argument = argument;
    proxy->client = -1;
    snprintf(proxy->upstream, sizeof proxy->upstream, "%s", upstream_socket);
    snprintf(proxy->socket, sizeof proxy->socket, "%.90s-proxy", upstream_socket);
    snprintf(proxy->url, sizeof proxy->url, "unix://%s", proxy->socket);
    struct sockaddr_un address;
    proxy->listener = open_socket(proxy->socket, &address);
    ck_assert_int_eq(bind(proxy->listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(proxy->listener, 8), 0);
    ck_assert_int_eq(pthread_create(&proxy->thread, NULL, serve, proxy), 0);
}

void proxy_redis_stop(struct proxy_redis *proxy)
{
    proxy->stopping = true;
    shutdown(proxy->listener, SHUT_RDWR);
    int client = proxy->client;
    if (client >= 0) {
        shutdown(client, SHUT_RDWR);
    }
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    unlink(proxy->socket);
}
