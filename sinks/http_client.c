/* The only file that includes libcurl (http_client.h has the contract).
 *
 *   evs_http_start ──► a free slot: an easy handle with its buffers ──► multi ──► epoll
 *                                                                         ▲          │ sockets that are ready, one timer, the eventfd of wake
 *                                                                         └──────────┘
 *
 * The socket interface (curl_multi_socket_action) and an epoll of our own instead of curl_multi_perform: that one looks at every transfer at
 * each call, and with hundreds under way most of them only wait. Callbacks of libcurl note what they are told, and nothing else.
 *
 * Easy handles are kept with their options; a request sets URL, method, headers and body. The check of addresses stands where a socket is
 * about to be opened (CURLOPT_OPENSOCKETFUNCTION): behind the resolver, at every connection, for redirects, too. A proxy of the
 * environment is not used: it would resolve names where nobody checks. */
#include "http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http_guard.h"

#define EVENTS_MAX 64
#define CONNECT_MS 10000L

struct slot {
    struct evs_http *http;
    CURL *easy;
    struct curl_slist *headers;
    void *tag;
    struct slot *next_free;
    size_t got;
    bool saw_private;
    struct evs_buffer body;
    char error[CURL_ERROR_SIZE];
};

struct evs_http {
    struct evs_http_how how;
    CURLM *multi;
    struct slot *slots, *free;
    uint32_t under_way;
    uint64_t connections;
    int epoll, wake;
    _Atomic bool is_woken;
    long timer_ms; /* what libcurl asked for last; -1: nothing */
    struct timespec timer_set;
};

/* --- what libcurl calls ------------------------------------------------------------------------------------------------ */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *argument, void *known)
{
    (void)easy;
    struct evs_http *http = argument;
    struct epoll_event event = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(http->epoll, EPOLL_CTL_DEL, fd, NULL); /* it may be closed already */
        return 0;
    }
    event.events =
        ((what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) | ((what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(http->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0 && errno == EEXIST) {
        (void)epoll_ctl(http->epoll, EPOLL_CTL_MOD, fd, &event);
    }
    if (known == NULL) {
        curl_multi_assign(http->multi, fd, http);
    }
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *argument)
{
    (void)multi;
    struct evs_http *http = argument;
    http->timer_ms = ms;
    clock_gettime(CLOCK_MONOTONIC, &http->timer_set);
    return 0;
}

/* The address is the resolved one: what the name meant a moment ago does not count. */
static curl_socket_t on_open(void *argument, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct slot *slot = argument;
    if (!slot->http->how.allow_private && slot->http->how.proxy == NULL && evs_address_is_private(&address->addr)) {
        slot->saw_private = true;
        return CURL_SOCKET_BAD;
    }
    slot->http->connections++;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_body(char *data, size_t size, size_t count, void *argument)
{
    struct slot *slot = argument;
    size_t most = slot->http->how.reads_answers ? EVS_HTTP_ANSWER_MAX : EVS_HTTP_START_MAX;
    size_t bytes = size * count, room = most - slot->body.count;
    evs_buffer_put(&slot->body, data, bytes < room ? bytes : room);
    slot->got += bytes;
    return slot->got > EVS_HTTP_ANSWER_MAX ? 0 : bytes;
}

/* --- open and close ---------------------------------------------------------------------------------------------------- */

static void set_security(CURL *easy, const struct evs_http_how *how)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, how->redirects > 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)how->redirects);
    curl_easy_setopt(easy, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    curl_easy_setopt(easy, CURLOPT_PROXY, how->proxy != NULL ? how->proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, ""); /* nor exceptions of the environment */
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (how->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, how->ca_file);
    }
    if (how->cert_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, how->cert_file);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, how->key_file);
    }
}

static bool slot_init(struct slot *slot, struct evs_http *http)
{
    const struct evs_http_how *how = &http->how;
    slot->http = http;
    slot->easy = curl_easy_init();
    if (slot->easy == NULL) {
        return false;
    }
    CURL *easy = slot->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, slot);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(how->timeout_us / 1000));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, how->user_agent);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)(how->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    set_security(easy, how);
    slot->next_free = http->free;
    http->free = slot;
    return true;
}

static bool multi_init(struct evs_http *http)
{
    http->multi = curl_multi_init();
    if (http->multi == NULL) {
        return false;
    }
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->how.concurrency);
    return true;
}

static bool epoll_init(struct evs_http *http)
{
    http->epoll = epoll_create1(EPOLL_CLOEXEC);
    http->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = http->wake};
    return http->epoll >= 0 && http->wake >= 0 && epoll_ctl(http->epoll, EPOLL_CTL_ADD, http->wake, &event) == 0;
}

evs_status evs_http_new(const struct evs_http_how *how, struct evs_http **http, struct evs_error *error)
{
    EVS_ASSERT(how->concurrency > 0 && how->timeout_us > 0);
    struct evs_http *made = evs_alloc_zero(sizeof *made);
    made->how = *how;
    made->timer_ms = -1;
    made->epoll = made->wake = -1;
    made->slots = evs_alloc_zero(how->concurrency * sizeof *made->slots);
    bool is_made = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && epoll_init(made) && multi_init(made);
    for (uint32_t i = 0; is_made && i < how->concurrency; i++) {
        is_made = slot_init(&made->slots[i], made);
    }
    if (!is_made) {
        evs_http_free(made);
        return evs_fail(error, EVS_E_LIMIT, "The HTTP client cannot be started: %s.", strerror(errno));
    }
    *http = made;
    return EVS_OK;
}

static void slot_fini(struct slot *slot)
{
    if (slot->easy != NULL) {
        curl_multi_remove_handle(slot->http->multi, slot->easy);
        curl_easy_cleanup(slot->easy);
        curl_slist_free_all(slot->headers);
    }
    evs_buffer_fini(&slot->body);
}

void evs_http_free(struct evs_http *http)
{
    if (http == NULL) {
        return;
    }
    for (uint32_t i = 0; i < http->how.concurrency; i++) {
        slot_fini(&http->slots[i]);
    }
    if (http->multi != NULL) {
        curl_multi_cleanup(http->multi);
    }
    if (http->epoll >= 0) {
        close(http->epoll);
    }
    if (http->wake >= 0) {
        close(http->wake);
    }
    curl_global_cleanup();
    evs_free(http->slots);
    evs_free(http);
}

/* --- requests ---------------------------------------------------------------------------------------------------------- */

/* libcurl copies each line. "Expect: 100-continue" would cost a round trip; a header that ends in a semicolon is one without a value. */
static void set_headers(struct slot *slot, struct evs_slice lines)
{
    curl_slist_free_all(slot->headers);
    slot->headers = curl_slist_append(NULL, "Expect:");
    struct evs_buffer line = {0};
    for (const char *at = lines.data, *end = lines.data + lines.count; at < end;) {
        const char *stop = memchr(at, '\r', (size_t)(end - at));
        EVS_ASSERT(stop != NULL);
        bool is_empty = stop - at >= 2 && stop[-1] == ' ' && stop[-2] == ':';
        line.count = 0;
        evs_buffer_put(&line, at, (size_t)(stop - at) - (is_empty ? 2 : 0));
        evs_buffer_put(&line, ";", is_empty ? 2 : 0);
        evs_buffer_put(&line, "", is_empty ? 0 : 1);
        slot->headers = curl_slist_append(slot->headers, line.data);
        at = stop + 2;
    }
    evs_buffer_fini(&line);
}

void evs_http_start(struct evs_http *http, const struct evs_http_request *request)
{
    struct slot *slot = http->free;
    EVS_ASSERT(slot != NULL);
    http->free = slot->next_free;
    http->under_way++;
    slot->tag = request->tag;
    slot->got = 0;
    slot->body.count = 0;
    slot->saw_private = false;
    slot->error[0] = '\0';
    set_headers(slot, request->headers);
    CURL *easy = slot->easy;
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.count);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.count > 0 ? request->body.data : "");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, slot->headers);
    CURLMcode code = curl_multi_add_handle(http->multi, easy);
    EVS_ASSERT(code == CURLM_OK);
}

uint32_t evs_http_under_way(const struct evs_http *http)
{
    return http->under_way;
}

uint64_t evs_http_connections(const struct evs_http *http)
{
    return http->connections;
}

void evs_http_wake(struct evs_http *http)
{
    if (!atomic_exchange(&http->is_woken, true)) {
        uint64_t one = 1;
        ssize_t written = write(http->wake, &one, sizeof one);
        (void)written; /* full: it is awake */
    }
}

/* --- answers ----------------------------------------------------------------------------------------------------------- */

static struct evs_http_answer answer_of(struct slot *slot, CURLcode result)
{
    long status = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(slot->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    bool is_long = result == CURLE_WRITE_ERROR && slot->got > EVS_HTTP_ANSWER_MAX;
    bool is_private = result == CURLE_COULDNT_CONNECT && slot->saw_private;
    struct evs_http_answer answer = {
        .tag = slot->tag,
        .failure = result == CURLE_OK || is_long ? EVS_HTTP_ANSWERED
                   : is_private                  ? EVS_HTTP_FORBIDDEN
                                                 : EVS_HTTP_UNREACHABLE,
        .status = (uint32_t)status,
        .text = slot->error[0] != '\0' ? slot->error : curl_easy_strerror(result),
        .body = {slot->body.data, slot->body.count},
        .is_cut = slot->got > slot->body.count,
    };
    const curl_off_t most_s = INT64_C(366) * 86400;
    answer.retry_after_us = (int64_t)(retry_after_s < 0        ? 0
                                      : retry_after_s < most_s ? retry_after_s
                                                               : most_s) *
                            1000000;
    return answer;
}

static void take_answers(struct evs_http *http, void (*take)(void *argument, const struct evs_http_answer *answer),
                         void *argument)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
        struct slot *slot = NULL;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        struct evs_http_answer answer = answer_of(slot, result);
        curl_multi_remove_handle(http->multi, slot->easy);
        http->under_way--;
        take(argument, &answer); /* the slot is not free yet: the answer's texts are in it */
        slot->next_free = http->free;
        http->free = slot;
    }
}

/* Rounded up: a timer that is asked for too early is asked for again and again. */
static int timer_left_ms(const struct evs_http *http, int most_ms)
{
    if (http->timer_ms < 0) {
        return most_ms;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long gone = (now.tv_sec - http->timer_set.tv_sec) * 1000 + (now.tv_nsec - http->timer_set.tv_nsec) / 1000000;
    long left = http->timer_ms > gone ? http->timer_ms - gone : 0;
    return left < most_ms ? (int)left : most_ms;
}

static int flags_of(uint32_t events)
{
    return ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) | ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
           ((events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
}

static void take_wake(struct evs_http *http)
{
    uint64_t count;
    ssize_t got = read(http->wake, &count, sizeof count);
    (void)got;
    atomic_store(&http->is_woken, false);
}

void evs_http_wait(struct evs_http *http, int64_t timeout_us,
                   void (*take)(void *argument, const struct evs_http_answer *answer), void *argument)
{
    struct epoll_event events[EVENTS_MAX];
    int running, most_ms = timeout_us > 3600000000 ? 3600000 : (int)((timeout_us + 999) / 1000);
    int count = epoll_wait(http->epoll, events, EVENTS_MAX, timer_left_ms(http, most_ms < 0 ? 0 : most_ms));
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == http->wake) {
            take_wake(http);
        } else {
            curl_multi_socket_action(http->multi, events[i].data.fd, flags_of(events[i].events), &running);
        }
    }
    if (http->timer_ms >= 0 && timer_left_ms(http, 1) == 0) {
        http->timer_ms = -1;
        curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    take_answers(http, take, argument);
}
