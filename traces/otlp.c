#include "otlp.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "otlp_http.h"

#define QUEUE_SPANS 4096u
#define EVENTS_A_SECOND 1000u /* of a source and worker */
#define REQUEST_SPANS 512u
#define EVERY_US 1000000
#define TRIES_US (INT64_C(30) * 1000000)
#define PAUSE_US INT64_C(200000)
#define PAUSE_MAX_US INT64_C(5000000)
#define END_US INT64_C(2000000)
#define END_LOOK_US 2000

struct place {
    _Atomic uint64_t turn;
    struct evs_trace_span span;
};

struct evs_otlp {
    struct evs_otlp_options options;
    struct evs_tracer tracer;
    struct evs_otlp_http *http;
    struct evs_park *park;
    struct evs_thread *thread;
    struct place *queue;  /* QUEUE_SPANS */
    _Atomic uint64_t put; /* spans so far */
    uint64_t given;       /* of them; of the thread */
    _Atomic bool ends;    /* what waits is sent, and then it is over … */
    _Atomic bool is_over; /* … at once: the request under way, too */
    _Atomic bool has_ended;
    int64_t end_us; /* monotonic; written before `ends` */
    _Atomic uint64_t exported, dropped, failed;
    bool is_failing; /* of the thread: told once until it works again */
};

/* --- taking ------------------------------------------------------------------------------------------------------------------ */

/* Many workers put, one thread takes. A place says by its turn whose it is: of the span number n, when the turn is n, it is free for it; n + 1: it holds it. A worker that is interrupted
 * while it copies keeps the thread from going further, and no other worker. (A lock that workers only try lost spans whenever its holder was interrupted.) */
static bool take(void *self, const struct evs_trace_span *span)
{
    struct evs_otlp *otlp = self;
    uint64_t number = atomic_load_explicit(&otlp->put, memory_order_relaxed);
    struct place *place;
    for (bool is_mine = false; !is_mine;) {
        place = &otlp->queue[number % QUEUE_SPANS];
        uint64_t turn = atomic_load_explicit(&place->turn, memory_order_acquire);
        if (turn < number) { /* the span before it in this place was not taken yet */
            atomic_fetch_add_explicit(&otlp->dropped, 1, memory_order_relaxed);
            return false;
        }
        if (turn > number) { /* another worker was faster */
            number = atomic_load_explicit(&otlp->put, memory_order_relaxed);
        } else {
            is_mine = atomic_compare_exchange_weak_explicit(&otlp->put, &number, number + 1, memory_order_relaxed,
                                                            memory_order_relaxed);
        }
    }
    place->span = *span;
    atomic_store_explicit(&place->turn, number + 1, memory_order_release);
    if ((number + 1) % REQUEST_SPANS == 0) {
        otlp->options.os->threads.wake(otlp->park);
    }
    return true;
}

static uint32_t give(struct evs_otlp *otlp, struct evs_trace_span *spans)
{
    uint32_t count = 0;
    for (; count < REQUEST_SPANS; count++) {
        struct place *place = &otlp->queue[otlp->given % QUEUE_SPANS];
        if (atomic_load_explicit(&place->turn, memory_order_acquire) != otlp->given + 1) {
            break;
        }
        spans[count] = place->span;
        atomic_store_explicit(&place->turn, otlp->given + QUEUE_SPANS, memory_order_release);
        otlp->given++;
    }
    return count;
}

/* --- sending ------------------------------------------------------------------------------------------------------------------- */

static int64_t now_us(const struct evs_otlp *otlp)
{
    return evs_monotonic_us(otlp->options.os);
}

/* Until somebody wakes us, or so long. */
static void pause_for(struct evs_otlp *otlp, int64_t us)
{
    const struct evs_os *os = otlp->options.os;
    os->sockets.wait(os->sockets.self, otlp->park, NULL, 0, us);
}

static bool may_pass(long status)
{
    return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

/* "partialSuccess":{"rejectedSpans":"3"}: a number, or a text of one. */
static uint64_t rejected(const struct evs_otlp_answer *answer)
{
    static const char name[] = "\"rejectedSpans\"";
    const char *at =
        answer->body.count == 0 ? NULL : memmem(answer->body.data, answer->body.count, name, sizeof name - 1);
    const char *end = answer->body.data + answer->body.count;
    uint64_t count = 0;
    at = at == NULL ? NULL : at + sizeof name - 1;
    while (at != NULL && at < end && strchr(" :\"", *at) != NULL) {
        at++;
    }
    while (at != NULL && at < end && *at >= '0' && *at <= '9' && count < UINT32_MAX) {
        count = count * 10 + (uint64_t)(*at++ - '0');
    }
    return count;
}

static void tell_failure(struct evs_otlp *otlp, const struct evs_otlp_answer *answer)
{
    if (otlp->is_failing) {
        return;
    }
    otlp->is_failing = true;
    if (answer->status == 0) {
        evs_log(otlp->options.log, EVS_LOG_WARN, "traces",
                "The trace collector at %s cannot be reached: %s. Events are not held up; spans may be lost.",
                otlp->options.endpoint, answer->error);
    } else {
        evs_log(otlp->options.log, EVS_LOG_WARN, "traces",
                "The trace collector at %s answers with status %ld. Events are not held up; spans may be lost.",
                otlp->options.endpoint, answer->status);
    }
}

static int64_t pause_of(const struct evs_otlp_answer *answer, uint32_t tries)
{
    int64_t pause_us = PAUSE_US << (tries < 5 ? tries : 5);
    pause_us = pause_us < PAUSE_MAX_US ? pause_us : PAUSE_MAX_US;
    return answer->retry_us > 0 && answer->retry_us < TRIES_US ? answer->retry_us : pause_us;
}

/* One request, until it is taken, refused, or too old. The answer's status. */
static long deliver(struct evs_otlp *otlp, struct evs_slice body, struct evs_otlp_answer *answer)
{
    int64_t until_us = now_us(otlp) + TRIES_US;
    for (uint32_t tries = 0;; tries++) {
        evs_otlp_http_post(otlp->http, body, &otlp->is_over, answer);
        if (!may_pass(answer->status)) {
            return answer->status;
        }
        atomic_fetch_add_explicit(&otlp->failed, 1, memory_order_relaxed);
        tell_failure(otlp, answer);
        int64_t again_us = now_us(otlp) + pause_of(answer, tries);
        while (now_us(otlp) < again_us && !atomic_load(&otlp->ends)) {
            pause_for(otlp, again_us - now_us(otlp));
        }
        int64_t end_us = atomic_load(&otlp->ends) ? otlp->end_us : until_us;
        if (now_us(otlp) >= end_us || atomic_load(&otlp->is_over)) {
            return answer->status;
        }
        if (atomic_load(&otlp->ends)) {
            otlp->options.os->clock.sleep_us(otlp->options.os->clock.self, PAUSE_US);
        }
    }
}

static void send_spans(struct evs_otlp *otlp, const struct evs_trace_span *spans, uint32_t count,
                       struct evs_buffer *body, struct evs_otlp_answer *answer)
{
    const char *service = otlp->options.service_name;
    body->count = 0;
    evs_otlp_put(body, service == NULL ? "evstream" : service, spans, count);
    long status = deliver(otlp, (struct evs_slice){body->data, body->count}, answer);
    bool is_taken = status >= 200 && status < 300;
    uint64_t lost = is_taken ? rejected(answer) : count;
    lost = lost < count ? lost : count;
    atomic_fetch_add_explicit(&otlp->exported, count - lost, memory_order_relaxed);
    atomic_fetch_add_explicit(&otlp->dropped, lost, memory_order_relaxed);
    if (is_taken && otlp->is_failing) {
        otlp->is_failing = false;
        evs_log(otlp->options.log, EVS_LOG_INFO, "traces", "The trace collector at %s takes spans again.",
                otlp->options.endpoint);
    } else if (!is_taken && !may_pass(status)) {
        atomic_fetch_add_explicit(&otlp->failed, 1, memory_order_relaxed);
        tell_failure(otlp, answer);
    }
}

static void run(void *argument)
{
    struct evs_otlp *otlp = argument;
    struct evs_trace_span *spans = evs_alloc(REQUEST_SPANS * sizeof *spans);
    struct evs_buffer body = {0};
    struct evs_otlp_answer answer = {0};
    for (;;) {
        bool ends = atomic_load(&otlp->ends); /* before the look: nothing comes behind it */
        uint32_t count = give(otlp, spans);
        bool is_late = ends && now_us(otlp) >= otlp->end_us;
        if (count > 0 && is_late) {
            atomic_fetch_add_explicit(&otlp->dropped, count, memory_order_relaxed);
        } else if (count > 0) {
            send_spans(otlp, spans, count, &body, &answer);
        } else if (ends) {
            break;
        }
        if (count < REQUEST_SPANS && !ends) {
            pause_for(otlp, EVERY_US);
        }
    }
    evs_buffer_fini(&answer.body);
    evs_buffer_fini(&body);
    evs_free(spans);
    atomic_store(&otlp->has_ended, true);
}

/* --- the whole --------------------------------------------------------------------------------------------------------------------- */

/* A path is kept; a bare address gets the one of the standard. */
static void put_url(struct evs_buffer *url, const char *endpoint)
{
    const char *host = strstr(endpoint, "://");
    const char *path = host == NULL ? NULL : strchr(host + 3, '/');
    bool is_bare = path == NULL || path[1] == '\0';
    evs_buffer_printf(url, "%.*s%s", (int)(is_bare && path != NULL ? (size_t)(path - endpoint) : strlen(endpoint)),
                      endpoint, is_bare ? "/v1/traces" : "");
}

evs_status evs_otlp_new(const struct evs_otlp_options *options, struct evs_otlp **result, struct evs_error *error)
{
    struct evs_buffer url = {0};
    put_url(&url, options->endpoint);
    struct evs_otlp_http *http = evs_otlp_http_new(url.data, options->headers, error);
    evs_buffer_fini(&url);
    if (http == NULL) {
        return EVS_E_USAGE;
    }
    struct evs_otlp *otlp = evs_alloc_zero(sizeof *otlp);
    double every = 1 / options->share;
    otlp->options = *options;
    otlp->options.endpoint = evs_strdup(options->endpoint);
    otlp->http = http;
    otlp->tracer =
        (struct evs_tracer){otlp, every < UINT32_MAX ? (uint32_t)(every + 0.5) : UINT32_MAX, EVENTS_A_SECOND, take};
    otlp->queue = evs_alloc(QUEUE_SPANS * sizeof *otlp->queue);
    for (uint32_t i = 0; i < QUEUE_SPANS; i++) {
        atomic_init(&otlp->queue[i].turn, i);
    }
    otlp->park = options->os->threads.park_new(options->os->threads.self);
    if (options->os->threads.spawn(options->os->threads.self, "evs-traces", run, otlp, &otlp->thread) != EVS_OK) {
        evs_otlp_free(otlp);
        return evs_fail(error, EVS_E_IO, "The thread that sends traces cannot be started.");
    }
    *result = otlp;
    return EVS_OK;
}

const struct evs_tracer *evs_otlp_tracer(struct evs_otlp *otlp)
{
    return &otlp->tracer;
}

void evs_otlp_count(struct evs_otlp *otlp, struct evs_otlp_counts *counts)
{
    *counts = (struct evs_otlp_counts){atomic_load_explicit(&otlp->exported, memory_order_relaxed),
                                       atomic_load_explicit(&otlp->dropped, memory_order_relaxed),
                                       atomic_load_explicit(&otlp->failed, memory_order_relaxed)};
}

void evs_otlp_free(struct evs_otlp *otlp)
{
    if (otlp == NULL) {
        return;
    }
    const struct evs_threads *threads = &otlp->options.os->threads;
    const struct evs_clock *clock = &otlp->options.os->clock;
    if (otlp->thread != NULL) {
        otlp->end_us = now_us(otlp) + END_US;
        atomic_store(&otlp->ends, true);
        threads->wake(otlp->park);
        while (!atomic_load(&otlp->has_ended) && now_us(otlp) < otlp->end_us) {
            clock->sleep_us(clock->self, END_LOOK_US);
        }
        atomic_store(&otlp->is_over, true);
        threads->join(otlp->thread);
    }
    threads->park_free(otlp->park);
    evs_otlp_http_free(otlp->http);
    evs_free((char *)otlp->options.endpoint);
    evs_free(otlp->queue);
    evs_free(otlp);
}
