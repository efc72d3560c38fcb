/* The thread that delivers a sink's messages: one for all lanes, since what limits it (rate, concurrency, a receiver that is down) is the receiver's, and
 * connections are worth sharing. Workers hand messages over through an inbox without locks and get them back the same way; neither side ever waits
 * for the other. (The other shape, libcurl in each worker's own poll, would divide connections and limits by the number of workers, and put TLS into
 * the path of the rows.)
 *
 *   inbox ──► lines (one an order, the first of each is free to go) ──► heap by due time ──► requests ──► answers
 *                     ▲                                                       ▲                               │
 *                     └── the next of the line ── settled: to its lane ◄──────┼── failed: due again later ◄───┘
 *
 * Order: of messages with one order (a person, say) only the first is in the heap. While it waits for its next try, the ones behind it wait, too: "you left
 * something in your cart" must not come behind "thank you for your order". Other people's go on. */
#include "webhook.h"

#include <stdio.h>

#define LINE_BUCKETS 4096u
#define IDLE_US INT64_C(1000000)
#define LIST_US INT64_C(20000)    /* a row that may go with others waits so long for them */
#define BODY_BYTES_MAX (1u << 20) /* of a list */
#define MISMATCHES_MAX 64u        /* messages looked at that do not fit into a list */

struct line {
    uint64_t order;
    struct evs_webhook_message *first, *last;
    struct line *next;
};

struct evs_webhook_delivery {
    const struct evs_webhook *webhook;
    const struct evs_os *os;
    struct evs_log *log;
    char *name;
    uint32_t lanes;
    struct evs_thread *thread;
    struct evs_http *http;
    struct evs_webhook_secrets secrets;
    struct evs_webhook_endpoint endpoint;
    struct evs_webhook_figures figures;
    _Atomic(struct evs_webhook_message *) inbox; /* newest first */
    _Atomic bool stop, rests, tries_first;

    /* the thread's own */
    int64_t now_us;
    uint64_t sequence;
    struct evs_webhook_message **heap;
    uint32_t heap_count, heap_capacity;
    struct line *lines[LINE_BUCKETS], *free_lines;
    struct evs_webhook_request *requests, *free_requests;
    void **shared; /* where the lanes find it */
};

/* --- the heap ---------------------------------------------------------------------------------------------------------- */

static bool comes_before(const struct evs_webhook_message *a, const struct evs_webhook_message *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->sequence < b->sequence;
}

static void sift_down(struct evs_webhook_delivery *delivery, uint32_t at)
{
    struct evs_webhook_message **heap = delivery->heap, *moved = heap[at];
    for (uint32_t child; (child = 2 * at + 1) < delivery->heap_count; at = child) {
        child += child + 1 < delivery->heap_count && comes_before(heap[child + 1], heap[child]);
        if (!comes_before(heap[child], moved)) {
            break;
        }
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void heap_push(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message)
{
    EVS_GROW(delivery->heap, delivery->heap_count, delivery->heap_capacity);
    uint32_t at = delivery->heap_count++;
    for (; at > 0 && comes_before(message, delivery->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        delivery->heap[at] = delivery->heap[(at - 1) / 2];
    }
    delivery->heap[at] = message;
}

static struct evs_webhook_message *heap_pop(struct evs_webhook_delivery *delivery)
{
    struct evs_webhook_message *top = delivery->heap[0];
    delivery->heap[0] = delivery->heap[--delivery->heap_count];
    if (delivery->heap_count > 0) {
        sift_down(delivery, 0);
    }
    return top;
}

/* The receiver works again: who waits because it did not is due now. */
static void hurry(struct evs_webhook_delivery *delivery)
{
    for (uint32_t i = 0; i < delivery->heap_count; i++) {
        struct evs_webhook_message *message = delivery->heap[i];
        if (message->is_held_up && message->due_us > delivery->now_us) {
            message->due_us = delivery->now_us;
        }
    }
    for (uint32_t i = delivery->heap_count / 2; i-- > 0;) {
        sift_down(delivery, i);
    }
}

/* --- lines ------------------------------------------------------------------------------------------------------------- */

static struct line **find_line(struct evs_webhook_delivery *delivery, uint64_t order)
{
    struct line **at = &delivery->lines[order % LINE_BUCKETS];
    while (*at != NULL && (*at)->order != order) {
        at = &(*at)->next;
    }
    return at;
}

static struct line *take_line(struct evs_webhook_delivery *delivery)
{
    struct line *line = delivery->free_lines;
    if (line == NULL) {
        return evs_alloc_zero(sizeof *line);
    }
    delivery->free_lines = line->next;
    return line;
}

static void queue_message(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message)
{
    message->sequence = ++delivery->sequence;
    message->due_us = delivery->now_us + (delivery->webhook->items_max > 1 ? LIST_US : 0);
    message->next = message->next_line = NULL;
    if (message->order == 0) {
        heap_push(delivery, message);
        return;
    }
    struct line **place = find_line(delivery, message->order), *line = *place;
    if (line != NULL) {
        line->last->next_line = message;
        line->last = message;
        return;
    }
    line = take_line(delivery);
    *line = (struct line){.order = message->order, .first = message, .last = message};
    *place = line;
    heap_push(delivery, message);
}

static void leave_line(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message)
{
    if (message->order == 0) {
        return;
    }
    struct line **place = find_line(delivery, message->order), *line = *place;
    EVS_ASSERT(line != NULL && line->first == message);
    line->first = message->next_line;
    if (line->first != NULL) {
        line->first->due_us = delivery->now_us;
        heap_push(delivery, line->first);
        return;
    }
    *place = line->next;
    line->next = delivery->free_lines;
    delivery->free_lines = line;
}

/* --- settling ---------------------------------------------------------------------------------------------------------- */

static void give_back(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message)
{
    struct evs_webhook_lane *lane = message->lane;
    message->next = atomic_load(&lane->done);
    while (!atomic_compare_exchange_weak(&lane->done, &message->next, message)) {
    }
    delivery->os->threads.wake(lane->park);
}

/* What a receiver says may hold what the row held, and content of rows is not logged: its words are in the dead letter alone. */
static size_t told_bytes(const struct evs_buffer *answer)
{
    const char *words =
        answer->count < 7 || memcmp(answer->data, "status ", 7) != 0 ? NULL : memchr(answer->data, ':', answer->count);
    return words == NULL ? answer->count : (size_t)(words - answer->data);
}

static void settle(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message, const char *reason,
                   const char *code)
{
    leave_line(delivery, message);
    message->reason = reason;
    message->code = code;
    if (reason != NULL) {
        evs_log(delivery->log, EVS_LOG_WARN, "sink_webhook_refused", "%s: a row becomes a dead letter (%s): %.*s",
                delivery->name, reason, (int)told_bytes(&message->answer), message->answer.data);
    }
    give_back(delivery, message);
}

/* Text of somebody else's, for a string column and a log line: valid, without control characters. */
static void put_foreign(struct evs_buffer *out, struct evs_slice text)
{
    size_t from = out->count;
    evs_buffer_put(out, text.data, text.count);
    while (out->count > from && !evs_utf8_valid(out->data + from, out->count - from) &&
           text.count - (out->count - from) < 4) {
        out->count--; /* cut within a character */
    }
    bool is_valid = evs_utf8_valid(out->data + from, out->count - from);
    out->count = is_valid ? out->count : from + text.count;
    for (size_t i = from; i < out->count; i++) {
        unsigned char c = (unsigned char)out->data[i];
        out->data[i] = c < 0x20 || c == 0x7F ? ' ' : c >= 0x80 && !is_valid ? '?' : (char)c;
    }
}

static void remember_answer(struct evs_webhook_message *message, const struct evs_http_answer *answer,
                            struct evs_slice words)
{
    struct evs_buffer *out = &message->answer;
    words.count = words.count < EVS_HTTP_START_MAX ? words.count : EVS_HTTP_START_MAX;
    const char *times = message->attempts == 1 ? "try" : "tries";
    out->count = 0;
    if (answer->failure == EVS_HTTP_ANSWERED) {
        evs_buffer_printf(out, "status %u after %u %s%s", answer->status, message->attempts, times,
                          words.count > 0 ? ": " : "");
        put_foreign(out, words);
    } else {
        evs_buffer_printf(
            out, "%s after %u %s: ", answer->failure == EVS_HTTP_FORBIDDEN ? "private address refused" : "no answer",
            message->attempts, times);
        put_foreign(out, evs_slice_of(answer->text));
    }
}

static int64_t wall_us(const struct evs_webhook_delivery *delivery)
{
    return delivery->os->clock.wall_us(delivery->os->clock.self);
}

static int64_t age_of(const struct evs_webhook_delivery *delivery, const struct evs_webhook_message *message)
{
    int64_t age_us = wall_us(delivery) - message->created_us;
    return age_us > 0 ? age_us : 0;
}

static bool is_too_old(const struct evs_webhook_delivery *delivery, const struct evs_webhook_message *message)
{
    return age_of(delivery, message) >= delivery->webhook->give_up_us;
}

static void give_up(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message)
{
    if (message->answer.count == 0) {
        evs_buffer_printf(&message->answer, "not tried since the start, and older than give_up_after");
    }
    settle(delivery, message, "gave_up", "R0503");
}

/* The last try is at the end of the time, not before it. */
static void try_later(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message,
                      enum evs_webhook_verdict verdict)
{
    int64_t age_us = age_of(delivery, message), left_us = delivery->webhook->give_up_us - age_us;
    if (left_us <= 0) {
        give_up(delivery, message);
        return;
    }
    int64_t pause_us = evs_webhook_retry_us(delivery->webhook, delivery->os, message->attempts, age_us);
    if (verdict == EVS_VERDICT_THROTTLED) { /* the pause is the receiver's */
        pause_us = delivery->endpoint.open_until_us - delivery->now_us;
        pause_us = pause_us > 0 ? pause_us : 0;
    }
    message->is_held_up = verdict != EVS_VERDICT_FAILED || delivery->endpoint.is_open;
    message->due_us = delivery->now_us + (pause_us < left_us ? pause_us : left_us);
    heap_push(delivery, message);
}

/* --- answers ----------------------------------------------------------------------------------------------------------- */

static void take_message(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message, bool was_list,
                         enum evs_webhook_verdict verdict, const struct evs_http_answer *answer)
{
    if (verdict == EVS_VERDICT_TAKEN) {
        settle(delivery, message, NULL, NULL);
        return;
    }
    remember_answer(message, answer, answer->body);
    if (verdict == EVS_VERDICT_REFUSED && was_list) { /* one of them is the reason: each goes alone */
        message->is_alone = true;
        message->due_us = delivery->now_us;
        heap_push(delivery, message);
    } else if (verdict == EVS_VERDICT_REFUSED) {
        settle(delivery, message, "refused", "R0501");
    } else if (verdict == EVS_VERDICT_GONE) {
        settle(delivery, message, "gone", "R0504");
    } else {
        try_later(delivery, message, verdict);
    }
}

/* Of a request that was taken: each row of it, by what the answer says of it (webhook_items.c). */
static void take_items(struct evs_webhook_delivery *delivery, const struct evs_webhook_request *request,
                       const struct evs_http_answer *answer)
{
    struct evs_slice *refused = evs_alloc_zero(request->count * sizeof *refused);
    bool is_known = evs_webhook_read_items(delivery->webhook, answer, request->count, refused) == EVS_OK;
    uint32_t place = 0;
    for (struct evs_webhook_message *at = request->messages, *next; at != NULL; at = next, place++) {
        struct evs_webhook_lane *lane = at->lane;
        next = at->next;
        if (is_known && refused[place].count == 0) {
            settle(delivery, at, NULL, NULL);
        } else {
            remember_answer(at, answer, is_known ? refused[place] : answer->body);
            settle(delivery, at, "refused", "R0501");
        }
        atomic_fetch_sub(&lane->under_way, 1); /* behind what was given back */
    }
    evs_free(refused);
}

static bool tells_of_items(const struct evs_webhook_delivery *delivery, enum evs_webhook_verdict verdict,
                           const struct evs_http_answer *answer)
{
    return verdict == EVS_VERDICT_TAKEN && (delivery->webhook->refused_items != NULL || answer->status == 207);
}

static void take_messages(struct evs_webhook_delivery *delivery, const struct evs_webhook_request *request,
                          enum evs_webhook_verdict verdict, const struct evs_http_answer *answer)
{
    for (struct evs_webhook_message *at = request->messages, *next; at != NULL; at = next) {
        struct evs_webhook_lane *lane = at->lane;
        next = at->next;
        take_message(delivery, at, request->count > 1, verdict, answer);
        atomic_fetch_sub(&lane->under_way, 1); /* behind what was given back */
    }
}

static void take_answer(void *argument, const struct evs_http_answer *answer)
{
    struct evs_webhook_delivery *delivery = argument;
    struct evs_webhook_request *request = answer->tag;
    enum evs_webhook_verdict verdict = evs_webhook_judge(delivery->webhook, answer);
    bool works_again = evs_webhook_answered(&delivery->endpoint, verdict, answer, request->is_probe);
    delivery->now_us = evs_monotonic_us(delivery->os);
    if (tells_of_items(delivery, verdict, answer)) {
        take_items(delivery, request, answer);
    } else {
        take_messages(delivery, request, verdict, answer);
    }
    request->messages = NULL;
    request->next_free = delivery->free_requests;
    delivery->free_requests = request;
    atomic_fetch_sub(&delivery->figures.under_way, 1);
    if (works_again) {
        hurry(delivery);
    }
}

/* --- sending ----------------------------------------------------------------------------------------------------------- */

/* Announces that the message is under way, unless the run is resting by now: whoever rests looks at the announcements behind that. */
static bool may_begin(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message)
{
    atomic_fetch_add(&message->lane->under_way, 1);
    bool may = !atomic_load(&delivery->rests) || (atomic_load(&delivery->tries_first) && message->attempts == 0);
    if (!may) {
        atomic_fetch_sub(&message->lane->under_way, 1);
        delivery->os->threads.wake(message->lane->park);
    }
    return may;
}

static bool fit_together(const struct evs_webhook_message *a, const struct evs_webhook_message *b)
{
    return !b->is_alone && evs_slice_equal(evs_webhook_address(a), evs_webhook_address(b)) &&
           evs_slice_equal(evs_webhook_headers(a), evs_webhook_headers(b));
}

/* More messages that are due, for the same place, as long as they fit into a list. */
static void fill_list(struct evs_webhook_delivery *delivery, struct evs_webhook_request *request)
{
    struct evs_webhook_message *aside[MISMATCHES_MAX], *last = request->messages;
    uint32_t aside_count = 0;
    size_t bytes = last->payload_bytes;
    while (!last->is_alone && request->count < delivery->webhook->items_max && aside_count < MISMATCHES_MAX &&
           delivery->heap_count > 0 && delivery->heap[0]->due_us <= delivery->now_us) {
        struct evs_webhook_message *next = heap_pop(delivery);
        if (!fit_together(last, next) || bytes + next->payload_bytes > BODY_BYTES_MAX || !may_begin(delivery, next)) {
            aside[aside_count++] = next;
            continue;
        }
        bytes += next->payload_bytes;
        last->next = next;
        last = next;
        request->count++;
    }
    while (aside_count > 0) {
        heap_push(delivery, aside[--aside_count]);
    }
}

static void begin_request(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message)
{
    struct evs_webhook_request *request = delivery->free_requests;
    EVS_ASSERT(request != NULL);
    delivery->free_requests = request->next_free;
    message->next = NULL;
    request->messages = message;
    request->count = 1;
    if (delivery->webhook->items_max > 1) {
        fill_list(delivery, request);
    }
    for (struct evs_webhook_message *at = message; at != NULL; at = at->next) {
        if (at->attempts++ == 0) {
            atomic_fetch_sub(&at->lane->untried, 1);
        } else {
            atomic_fetch_add(&delivery->figures.retries, 1);
        }
        at->is_held_up = false;
    }
    evs_webhook_write(delivery->webhook, &delivery->secrets, wall_us(delivery), request);
    evs_webhook_sent(&delivery->endpoint, delivery->now_us, request);
    atomic_fetch_add(&delivery->figures.under_way, 1);
    struct evs_http_request http = {.method = delivery->webhook->method,
                                    .url = request->url.data,
                                    .headers = {request->headers.data, request->headers.count},
                                    .body = {request->body.data, request->body.count},
                                    .tag = request};
    evs_http_start(delivery->http, &http);
}

static void drop_untried(struct evs_webhook_message *message)
{
    if (message->attempts == 0) {
        atomic_fetch_sub(&message->lane->untried, 1);
    }
}

/* A message that is due, but not to be sent any more. */
static bool is_over(struct evs_webhook_delivery *delivery, struct evs_webhook_message *message)
{
    const struct evs_webhook_endpoint *endpoint = &delivery->endpoint;
    if (endpoint->is_gone && delivery->now_us < endpoint->open_until_us) {
        drop_untried(message);
        message->answer.count = 0;
        evs_buffer_printf(&message->answer, "not sent: the receiver has answered 410 to another row");
        settle(delivery, message, "gone", "R0504");
        return true;
    }
    if (is_too_old(delivery, message)) {
        drop_untried(message);
        give_up(delivery, message);
        return true;
    }
    return false;
}

static bool is_resting(const struct evs_webhook_delivery *delivery)
{
    return atomic_load(&delivery->rests) && !atomic_load(&delivery->tries_first);
}

/* Sends what may be sent now; how long until there may be more to do. */
static int64_t send_due(struct evs_webhook_delivery *delivery)
{
    while (delivery->heap_count > 0 && !is_resting(delivery)) {
        struct evs_webhook_message *message = delivery->heap[0];
        if (message->due_us > delivery->now_us) {
            return message->due_us - delivery->now_us;
        }
        heap_pop(delivery);
        if (is_over(delivery, message)) {
            continue;
        }
        int64_t at_us = evs_webhook_may_send(&delivery->endpoint, delivery->now_us);
        bool has_room = delivery->free_requests != NULL;
        if (!has_room || at_us > delivery->now_us || !may_begin(delivery, message)) {
            heap_push(delivery, message);
            return !has_room || at_us <= delivery->now_us || at_us == INT64_MAX ? IDLE_US : at_us - delivery->now_us;
        }
        begin_request(delivery, message);
    }
    return IDLE_US;
}

/* --- the thread -------------------------------------------------------------------------------------------------------- */

static void take_inbox(struct evs_webhook_delivery *delivery)
{
    struct evs_webhook_message *newest = atomic_exchange(&delivery->inbox, NULL), *oldest = NULL;
    while (newest != NULL) {
        struct evs_webhook_message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct evs_webhook_message *next = oldest->next;
        queue_message(delivery, oldest);
        oldest = next;
    }
}

static void look_at_secrets(struct evs_webhook_delivery *delivery)
{
    struct evs_secret *secrets[] = {&delivery->secrets.auth, &delivery->secrets.signing, &delivery->secrets.url};
    for (size_t i = 0; i < EVS_COUNT(secrets); i++) {
        struct evs_error error;
        evs_status status = evs_secret_look(secrets[i], delivery->os, &error);
        if (status == EVS_OK && secrets[i] == &delivery->secrets.signing) {
            status = evs_webhook_check_signing(secrets[i], &error);
        }
        if (status == EVS_OK) {
            evs_log(delivery->log, EVS_LOG_INFO, "sink_webhook_secret", "%s: the secret of `%s_file` has changed.",
                    delivery->name, secrets[i]->option);
            delivery->endpoint.open_until_us = 0; /* what was refused for its sake is tried at once */
        } else if (status != EVS_AGAIN) {
            evs_log(delivery->log, EVS_LOG_WARN, "sink_webhook_secret", "%s: %s", delivery->name, error.text);
        }
    }
}

static void delivery_main(void *argument)
{
    struct evs_webhook_delivery *delivery = argument;
    while (!atomic_load(&delivery->stop)) {
        delivery->now_us = evs_monotonic_us(delivery->os);
        look_at_secrets(delivery);
        take_inbox(delivery);
        int64_t wait_us = send_due(delivery);
        evs_http_wait(delivery->http, wait_us < IDLE_US ? wait_us : IDLE_US, take_answer, delivery);
        atomic_store(&delivery->figures.connections, evs_http_connections(delivery->http));
    }
}

void evs_webhook_deliver(struct evs_webhook_message *message)
{
    struct evs_webhook_delivery *delivery = message->lane->delivery;
    atomic_fetch_add(&message->lane->untried, 1);
    message->next = atomic_load(&delivery->inbox);
    while (!atomic_compare_exchange_weak(&delivery->inbox, &message->next, message)) {
    }
    evs_http_wake(delivery->http);
}

void evs_webhook_delivery_rest(struct evs_webhook_delivery *delivery, bool tries_first)
{
    atomic_store(&delivery->tries_first, tries_first);
    atomic_store(&delivery->rests, true);
}

const struct evs_webhook_figures *evs_webhook_figures_of(const struct evs_webhook_delivery *delivery)
{
    return &delivery->figures;
}

/* --- open and close ---------------------------------------------------------------------------------------------------- */

static void free_messages(struct evs_webhook_message *first)
{
    while (first != NULL) {
        struct evs_webhook_message *next = first->next;
        evs_webhook_message_free(first);
        first = next;
    }
}

static void free_lines(struct evs_webhook_delivery *delivery)
{
    for (uint32_t i = 0; i < LINE_BUCKETS; i++) {
        for (struct line *at = delivery->lines[i], *next; at != NULL; at = next) {
            for (struct evs_webhook_message *message = at->first->next_line, *behind; message != NULL;
                 message = behind) {
                behind = message->next_line; /* the first is in the heap or in a request */
                evs_webhook_message_free(message);
            }
            next = at->next;
            evs_free(at);
        }
    }
    for (struct line *at = delivery->free_lines, *next; at != NULL; at = next) {
        next = at->next;
        evs_free(at);
    }
}

static void stop_thread(struct evs_webhook_delivery *delivery)
{
    if (delivery->thread != NULL) {
        atomic_store(&delivery->stop, true);
        evs_http_wake(delivery->http);
        delivery->os->threads.join(delivery->thread);
        delivery->thread = NULL;
    }
}

static void delivery_free(struct evs_webhook_delivery *delivery)
{
    stop_thread(delivery);
    evs_http_free(delivery->http);
    free_messages(atomic_exchange(&delivery->inbox, NULL));
    free_lines(delivery);
    for (uint32_t i = 0; i < delivery->heap_count; i++) {
        evs_webhook_message_free(delivery->heap[i]);
    }
    for (uint32_t i = 0; delivery->requests != NULL && i < delivery->webhook->how.concurrency; i++) {
        struct evs_webhook_request *request = &delivery->requests[i];
        free_messages(request->messages);
        evs_buffer_fini(&request->url);
        evs_buffer_fini(&request->headers);
        evs_buffer_fini(&request->body);
    }
    evs_webhook_endpoint_fini(&delivery->endpoint);
    evs_secret_fini(&delivery->secrets.auth);
    evs_secret_fini(&delivery->secrets.signing);
    evs_secret_fini(&delivery->secrets.url);
    evs_free(delivery->requests);
    evs_free(delivery->heap);
    evs_free(delivery->name);
    evs_free(delivery);
}

static evs_status check_secret_url(const struct evs_webhook_delivery *delivery, struct evs_error *error)
{
    const struct evs_buffer *value = &delivery->secrets.url.value;
    char *url = evs_strndup(value->data == NULL ? "" : value->data, value->count);
    struct evs_error why;
    evs_status status = evs_webhook_check_url(delivery->webhook, url, &why);
    evs_free(url);
    return status == EVS_OK ? EVS_OK : evs_fail(error, EVS_E_USAGE, "The sink %s: %s", delivery->name, why.text);
}

static evs_status open_secrets(struct evs_webhook_delivery *delivery, struct evs_error *error)
{
    struct evs_webhook_secrets *secrets = &delivery->secrets;
    *secrets = (struct evs_webhook_secrets){delivery->webhook->auth, delivery->webhook->signing,
                                            delivery->webhook->url_secret};
    evs_status status = evs_secret_open(&secrets->auth, delivery->os, error);
    status = status == EVS_OK ? evs_secret_open(&secrets->signing, delivery->os, error) : status;
    status = status == EVS_OK ? evs_secret_open(&secrets->url, delivery->os, error) : status;
    if (status == EVS_OK && evs_secret_is_named(&secrets->url)) {
        status = check_secret_url(delivery, error);
    }
    return status == EVS_OK ? evs_webhook_check_signing(&secrets->signing, error) : status;
}

static void make_requests(struct evs_webhook_delivery *delivery)
{
    uint32_t count = delivery->webhook->how.concurrency;
    delivery->requests = evs_alloc_zero(count * sizeof *delivery->requests);
    for (uint32_t i = 0; i < count; i++) {
        delivery->requests[i].next_free = delivery->free_requests;
        delivery->free_requests = &delivery->requests[i];
    }
}

static evs_status delivery_open(const struct evs_sink_open *open, struct evs_webhook_delivery **made,
                                struct evs_error *error)
{
    struct evs_webhook_delivery *delivery = evs_alloc_zero(sizeof *delivery);
    delivery->webhook = open->config;
    delivery->os = open->os;
    delivery->log = open->log;
    delivery->name = evs_strdup(open->name);
    delivery->endpoint = (struct evs_webhook_endpoint){.webhook = open->config,
                                                       .os = open->os,
                                                       .log = open->log,
                                                       .name = delivery->name,
                                                       .figures = &delivery->figures};
    evs_webhook_endpoint_init(&delivery->endpoint);
    make_requests(delivery);
    evs_status status = open_secrets(delivery, error);
    status = status == EVS_OK ? evs_http_new(&delivery->webhook->how, &delivery->http, error) : status;
    if (status == EVS_OK && open->shared != NULL) { /* else it is only tried whether it could be opened */
        const struct evs_threads *threads = &open->os->threads;
        status = threads->spawn(threads->self, "evs-webhook", delivery_main, delivery, &delivery->thread);
        status = status == EVS_OK ? EVS_OK
                                  : evs_fail(error, status, "The thread of the sink %s cannot be started.", open->name);
    }
    if (status != EVS_OK) {
        delivery_free(delivery);
        return status;
    }
    *made = delivery;
    return EVS_OK;
}

evs_status evs_webhook_delivery_join(const struct evs_sink_open *open, struct evs_webhook_lane *lane,
                                     struct evs_error *error)
{
    struct evs_webhook_delivery *delivery = open->shared == NULL ? NULL : *open->shared;
    if (delivery == NULL) {
        evs_status status = delivery_open(open, &delivery, error);
        if (status != EVS_OK) {
            return status;
        }
        delivery->shared = open->shared;
    }
    delivery->lanes++;
    lane->delivery = delivery;
    if (open->shared != NULL) {
        *open->shared = delivery;
    }
    return EVS_OK;
}

void evs_webhook_delivery_leave(struct evs_webhook_lane *lane)
{
    struct evs_webhook_delivery *delivery = lane->delivery;
    if (delivery == NULL) {
        return;
    }
    stop_thread(delivery); /* nothing is given back to a lane that is gone */
    if (--delivery->lanes == 0) {
        if (delivery->shared != NULL) {
            *delivery->shared = NULL;
        }
        delivery_free(delivery);
    }
}
