/* Many HTTP requests at once, over libcurl's multi interface: HTTP/1.1 with keep-alive, HTTP/2 where it is offered, TLS.
 *
 * One thread owns a client: all calls but evs_http_wake are its. Connections are kept and shared by all requests. Nothing is retried and no redirect is
 * followed unless it is asked for. libcurl owns its sockets, as cnats does where TLS is asked for: they do not go through the seams of evstream/os.h. */
#ifndef EVS_HTTP_CLIENT_H
#define EVS_HTTP_CLIENT_H

#include "evstream/memory.h"
#include "evstream/text.h"

#define EVS_HTTP_ANSWER_MAX (1u << 20) /* bytes of a body; what is longer is cut off there */
#define EVS_HTTP_START_MAX 512u        /* that are kept of one that nobody reads */

struct evs_http_how {
    uint32_t concurrency; /* requests under way; connections, too */
    int64_t timeout_us;   /* of a request, from its beginning to its last byte */
    uint32_t redirects;   /* that are followed */
    bool allow_private;   /* addresses of this machine and of private networks (http_guard.h) */
    bool http2;
    const char *proxy;                /* NULL: none, whatever the environment says */
    const char *ca_file;              /* PEM; NULL: the system's */
    const char *cert_file, *key_file; /* of the client; NULL: none */
    const char *user_agent;
    bool reads_answers; /* whole, up to EVS_HTTP_ANSWER_MAX; else only their start is kept */
};

struct evs_http_request {
    const char *method, *url;
    struct evs_slice headers; /* "Name: value\r\n" … */
    struct evs_slice body;    /* all three are borrowed until the answer */
    void *tag;
};

enum evs_http_failure {
    EVS_HTTP_ANSWERED,
    EVS_HTTP_UNREACHABLE, /* no name, no connection, no TLS, no or half an answer, no time left */
    EVS_HTTP_FORBIDDEN,   /* every address of the host is private */
};
struct evs_http_answer {
    void *tag;
    enum evs_http_failure failure;
    uint32_t status;        /* 0: none came */
    int64_t retry_after_us; /* what the answer asked for, in seconds or as a date; 0: nothing */
    const char *text;       /* of a failure: why */
    struct evs_slice body;  /* the start of it, or all of it */
    bool is_cut;            /* there was more */
};

struct evs_http;
EVS_MUST_CHECK evs_status evs_http_new(const struct evs_http_how *how, struct evs_http **http, struct evs_error *error);
void evs_http_free(struct evs_http *http); /* requests under way are given up */
/* There must be room: at most `concurrency` are under way. */
void evs_http_start(struct evs_http *http, const struct evs_http_request *request);
uint32_t evs_http_under_way(const struct evs_http *http);
/* Waits until something happens, evs_http_wake is called or the time is over; tells the answers that have come. `take` may start requests. */
void evs_http_wait(struct evs_http *http, int64_t timeout_us,
                   void (*take)(void *argument, const struct evs_http_answer *answer), void *argument);
void evs_http_wake(struct evs_http *http);                  /* any thread; never blocks */
uint64_t evs_http_connections(const struct evs_http *http); /* that were opened since the beginning */

#endif
