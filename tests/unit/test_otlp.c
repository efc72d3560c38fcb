/* Spans on their way out. The queue: workers put into it at once, and none loses a span by meeting another one. A request's body: what spans of one place have in
 * common is copied from the first of them, and must be what each would have said alone. */
#include <pthread.h>

#include "otlp.h"
#include "unit.h"

#define SPANS 60u
#define NODES 13u /* more than the places that are remembered */

static char names[NODES][2 * EVS_SPAN_TEXT + 8];

static struct evs_trace_span span_number(uint32_t i)
{
    uint32_t node = i * 7 % NODES;
    bool is_source = node % 3 == 0, is_sink = node % 3 == 1;
    struct evs_trace_span span = {
        .kind = is_source ? EVS_SPAN_CONSUMER
                : is_sink ? EVS_SPAN_PRODUCER
                          : EVS_SPAN_INTERNAL,
        .start_us = 1000000 + i,
        .end_us = i % 5 == 0 ? 1 : 2000000 + i, /* a clock that was set back */
        .pipeline = "carts",
        .node = names[node],
        .operation = is_source ? "receive"
                     : is_sink ? "publish"
                               : "process",
        .system = is_source || is_sink ? "nats" : NULL,
        .operator_kind = is_source || is_sink ? NULL : "aggregate",
        .link_count = is_source || is_sink ? 0 : i % (EVS_TRACE_LINKS_MAX + 1),
        .has_record = is_source,
        .partition = i,
        .sequence = 100 + i,
        .record = i % 4,
    };
    span.own.trace_id[0] = span.own.span_id[7] = span.parent[3] = (uint8_t)(i + 1);
    for (uint32_t j = 0; j < span.link_count; j++) {
        span.links[j].trace_id[15] = span.links[j].span_id[0] = (uint8_t)(16 * j + i);
    }
    if (span.system != NULL) {
        snprintf(span.destination, sizeof span.destination, "clicks.\"%u\"", i);
    }
    if (is_sink) {
        snprintf(span.message_id, sizeof span.message_id, "%032x", i);
    }
    return span;
}

static void name_nodes(void)
{
    for (uint32_t i = 0; i < NODES; i++) {
        snprintf(names[i], sizeof names[i], "node \"%u\"", i);
    }
    memset(names[5], 'x', sizeof names[5] - 1); /* longer than a span's name may be */
}

/* The span's object, cut out of a request of it alone. */
static struct evs_slice alone(struct evs_buffer *body, const struct evs_trace_span *span)
{
    static const char head[] = "\"spans\":[", tail[] = "],\"schemaUrl\"";
    body->count = 0;
    evs_otlp_put(body, "shop", span, 1);
    const char *from = memmem(body->data, body->count, head, sizeof head - 1);
    const char *to = memmem(body->data, body->count, tail, sizeof tail - 1);
    ck_assert(from != NULL && to != NULL && from < to);
    from += sizeof head - 1;
    return (struct evs_slice){from, (size_t)(to - from)};
}

START_TEST(test_together_as_alone)
{
    struct evs_trace_span spans[SPANS];
    struct evs_buffer together = {0}, body = {0};
    name_nodes();
    for (uint32_t i = 0; i < SPANS; i++) {
        spans[i] = span_number(i);
    }
    evs_otlp_put(&together, "shop", spans, SPANS);
    const char *at = memmem(together.data, together.count, "\"spans\":[", 9);
    ck_assert_ptr_nonnull(at);
    at += 9;
    for (uint32_t i = 0; i < SPANS; i++) {
        struct evs_slice one = alone(&body, &spans[i]);
        ck_assert_msg((size_t)(together.data + together.count - at) > one.count && memcmp(at, one.data, one.count) == 0,
                      "span %u is %.*s, not %.*s", i, (int)one.count, at, (int)one.count, one.data);
        at += one.count;
        ck_assert_int_eq(*at++, i + 1 < SPANS ? ',' : ']');
    }
    evs_buffer_fini(&together);
    evs_buffer_fini(&body);
}
END_TEST

START_TEST(test_text)
{
    struct evs_buffer body = {0};
    name_nodes();
    struct evs_trace_span span = span_number(6); /* 6 * 7 % 13 = 3: a source */
    struct evs_slice text = alone(&body, &span);
    static const char expected[] =
        "{\"traceId\":\"07000000000000000000000000000000\",\"spanId\":\"0000000000000007\",\"parentSpanId\":"
        "\"0000000700000000\",\"startTimeUnixNano\":\"1000006000\",\"endTimeUnixNano\":\"2000006000\",\"name\":"
        "\"receive node \\\"3\\\"\",\"kind\":5,\"flags\":257,\"attributes\":["
        "{\"key\":\"evstream.pipeline\",\"value\":{\"stringValue\":\"carts\"}},"
        "{\"key\":\"evstream.connector\",\"value\":{\"stringValue\":\"node \\\"3\\\"\"}},"
        "{\"key\":\"messaging.system\",\"value\":{\"stringValue\":\"nats\"}},"
        "{\"key\":\"messaging.operation.name\",\"value\":{\"stringValue\":\"receive\"}},"
        "{\"key\":\"messaging.operation.type\",\"value\":{\"stringValue\":\"receive\"}},"
        "{\"key\":\"messaging.destination.name\",\"value\":{\"stringValue\":\"clicks.\\\"6\\\"\"}},"
        "{\"key\":\"messaging.destination.partition.id\",\"value\":{\"intValue\":\"6\"}},"
        "{\"key\":\"evstream.sequence\",\"value\":{\"intValue\":\"106\"}},"
        "{\"key\":\"evstream.record\",\"value\":{\"intValue\":\"2\"}}]}";
    ck_assert_msg(evs_slice_equal(text, EVS_SLICE(expected)), "%.*s", (int)text.count, text.data);
    evs_buffer_fini(&body);
}
END_TEST

/* --- the queue ------------------------------------------------------------------------------------------------------------------- */

#define WORKERS 4u
#define EACH 1000u /* together less than there is room for: nobody takes them out for good, for there is no collector */

struct putting {
    const struct evs_tracer *tracer;
    pthread_barrier_t *start;
    uint32_t refused;
};

static void *put_spans(void *argument)
{
    struct putting *putting = argument;
    struct evs_trace_span span = span_number(6);
    pthread_barrier_wait(putting->start);
    for (uint32_t i = 0; i < EACH; i++) {
        putting->refused += putting->tracer->take(putting->tracer->self, &span) ? 0 : 1;
    }
    return NULL;
}

START_TEST(test_workers_meet)
{
    struct evs_log *log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    struct evs_otlp_options options = {.os = evs_os_system(), .log = log, .endpoint = "http://127.0.0.1:1", .share = 1};
    struct evs_otlp *otlp;
    struct evs_error error;
    struct evs_otlp_counts counts;
    pthread_barrier_t start;
    pthread_t threads[WORKERS];
    struct putting puttings[WORKERS];
    name_nodes();
    ck_assert_int_eq(evs_otlp_new(&options, &otlp, &error), EVS_OK);
    pthread_barrier_init(&start, NULL, WORKERS);
    for (uint32_t i = 0; i < WORKERS; i++) {
        puttings[i] = (struct putting){evs_otlp_tracer(otlp), &start, 0};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, put_spans, &puttings[i]), 0);
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(puttings[i].refused, 0);
    }
    evs_otlp_count(otlp, &counts);
    ck_assert_uint_eq(counts.dropped, 0);
    /* Behind that there is room for 96, and for what the thread has in hand; the rest is refused, and counted. */
    uint32_t taken = 0;
    struct evs_trace_span span = span_number(6);
    for (uint32_t i = 0; i < EACH; i++) {
        taken += evs_otlp_tracer(otlp)->take(otlp, &span) ? 1 : 0;
    }
    evs_otlp_count(otlp, &counts);
    ck_assert_uint_ge(taken, 96);
    ck_assert_uint_le(taken, 96 + 512);
    ck_assert_uint_eq(counts.dropped, EACH - taken);
    pthread_barrier_destroy(&start);
    evs_otlp_free(otlp);
    evs_log_free(log);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("otlp");
    TCase *tests = tcase_create("otlp");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_workers_meet);
    tcase_add_test(tests, test_together_as_alone);
    tcase_add_test(tests, test_text);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
