/* What explain --live makes of figures: shares, times a row, and the hints that they give, the heaviest first. */
#include "measured.h"

#include <string.h>

#include "unit.h"

enum { SOURCE, JOIN, FILTER, SINK, NODES };

/* One worker, ten seconds, of which it was busy for eight; 1,000,000 events in messages of one. */
static void init(struct evs_seen_node *nodes, struct evs_seen_edge *edges, struct evs_seen_pipeline *pipeline)
{
    nodes[SOURCE] = (struct evs_seen_node){.name = "clicks",
                                           .kind = "source",
                                           .label = "source clicks",
                                           .workers = 1,
                                           .rows_in = 1000000,
                                           .rows_out = 1000000,
                                           .batches_in = 1000,
                                           .messages = 10000,
                                           .busy_us = 2000000};
    nodes[JOIN] = (struct evs_seen_node){.name = "join_1",
                                         .kind = "join",
                                         .label = "join",
                                         .workers = 1,
                                         .rows_in = 1000000,
                                         .rows_out = 1000000,
                                         .batches_in = 1000,
                                         .busy_us = 5000000,
                                         .state_keys = 1234,
                                         .state_bytes = 1048576};
    nodes[FILTER] = (struct evs_seen_node){.name = "filter_1",
                                           .kind = "where",
                                           .label = "where",
                                           .workers = 1,
                                           .rows_in = 1000000,
                                           .rows_out = 50000,
                                           .batches_in = 1000,
                                           .busy_us = 900000};
    nodes[SINK] = (struct evs_seen_node){.name = "out",
                                         .kind = "sink",
                                         .label = "sink out",
                                         .workers = 1,
                                         .rows_in = 50000,
                                         .rows_out = 50000,
                                         .batches_in = 1000,
                                         .busy_us = 100000};
    for (uint32_t i = 0; i + 1 < NODES; i++) {
        edges[i] = (struct evs_seen_edge){.from = i, .to = i + 1};
    }
    *pipeline = (struct evs_seen_pipeline){.name = "p",
                                           .state = "running",
                                           .starts = 1,
                                           .uptime_us = 10000000,
                                           .workers = 1,
                                           .nodes = nodes,
                                           .node_count = NODES,
                                           .edges = edges,
                                           .edge_count = NODES - 1};
}

static const struct evs_hint *hint_of(const struct evs_measured *measured, const char *kind)
{
    for (uint32_t i = 0; i < measured->hint_count; i++) {
        if (strcmp(measured->hints[i].kind, kind) == 0) {
            return &measured->hints[i];
        }
    }
    return NULL;
}

static void near(double found, double expected)
{
    ck_assert_msg(found > expected - 1e-9 && found < expected + 1e-9, "%f instead of %f", found, expected);
}

START_TEST(test_figures)
{
    struct evs_seen_node nodes[NODES];
    struct evs_seen_edge edges[NODES];
    struct evs_seen_pipeline pipeline;
    struct evs_arena arena = {0};
    struct evs_measured measured;
    init(nodes, edges, &pipeline);
    evs_measured_make(NULL, &pipeline, &arena, &measured);
    near(measured.busy_share, 0.8);
    near(measured.events_a_second, 100000);
    near(measured.nodes[JOIN].time_share, 0.625);
    near(measured.nodes[JOIN].ns_a_row, 5000);
    near(measured.nodes[FILTER].selectivity, 0.05);
    near(measured.nodes[SOURCE].rows_a_batch, 1000);
    ck_assert(measured.nodes[SINK].selectivity < 0); /* a sink keeps no rows from anybody */
    const struct evs_hint *time = hint_of(&measured, "time");
    ck_assert_ptr_nonnull(time);
    ck_assert_str_eq(time->text,
                     "join_1 takes 62 % of the time (5000 ns a row): rows that are left out before it make it less.");
    const struct evs_hint *late = hint_of(&measured, "late_filter");
    ck_assert_ptr_nonnull(late);
    ck_assert_str_eq(late->node, "filter_1");
    ck_assert_uint_eq(measured.hint_count, 2);
    ck_assert(measured.hints[0].weight >= measured.hints[1].weight);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(test_span)
{
    struct evs_seen_node before_nodes[NODES], nodes[NODES];
    struct evs_seen_edge edges[NODES];
    struct evs_seen_pipeline before, now;
    struct evs_arena arena = {0};
    struct evs_measured measured;
    init(before_nodes, edges, &before);
    init(nodes, edges, &now);
    nodes[SOURCE].rows_in += 500;
    nodes[SOURCE].busy_us += 3000000;
    now.uptime_us += 5000000;
    evs_measured_make(&before, &now, &arena, &measured);
    ck_assert_int_eq(measured.span_us, 5000000);
    near(measured.events_a_second, 100);
    near(measured.nodes[SOURCE].time_share, 1);
    ck_assert_int_eq(measured.nodes[JOIN].seen->rows_in, 0);
    ck_assert(measured.nodes[JOIN].ns_a_row < 0);
    ck_assert_int_eq(measured.nodes[JOIN].seen->state_keys, 1234); /* a gauge */
    now.starts = 2; /* it began again in between: what it has counted since */
    evs_measured_make(&before, &now, &arena, &measured);
    ck_assert_int_eq(measured.span_us, 15000000);
    ck_assert_int_eq(measured.nodes[JOIN].seen->rows_in, 1000000);
    evs_arena_fini(&arena);
}
END_TEST

/* Who is held up is told with the one that holds, which is the first behind it that is not held up itself. */
START_TEST(test_held_up)
{
    struct evs_seen_node nodes[NODES];
    struct evs_seen_edge edges[NODES];
    struct evs_seen_pipeline pipeline;
    struct evs_arena arena = {0};
    struct evs_measured measured;
    init(nodes, edges, &pipeline);
    nodes[SOURCE].blocked_us = 6000000;
    nodes[JOIN].blocked_us = 3000000;
    evs_measured_make(NULL, &pipeline, &arena, &measured);
    const struct evs_hint *held = hint_of(&measured, "held_up");
    ck_assert_ptr_nonnull(held);
    ck_assert_str_eq(held->text, "clicks was held up 60 % of the time, because filter_1 could not take more.");
    nodes[FILTER].blocked_us = 2000000;
    nodes[SINK].waiting = 4711;
    evs_measured_make(NULL, &pipeline, &arena, &measured);
    held = hint_of(&measured, "held_up");
    ck_assert_ptr_nonnull(strstr(held->text, "out has 4711 messages without an acknowledgement"));
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(test_other_hints)
{
    struct evs_seen_node nodes[NODES];
    struct evs_seen_edge edges[NODES];
    struct evs_seen_pipeline pipeline;
    struct evs_arena arena = {0};
    struct evs_measured measured;
    init(nodes, edges, &pipeline);
    nodes[SOURCE].busy_us = 4000000;
    nodes[SOURCE].messages = 1000000;
    nodes[SOURCE].batches_in = 500000;
    nodes[SOURCE].lag_messages = 5000000;
    nodes[SOURCE].dead = 20000;
    nodes[JOIN].late = 300000;
    nodes[JOIN].null_key = 20000;
    nodes[JOIN].limited = 20000;
    evs_measured_make(NULL, &pipeline, &arena, &measured);
    for (const char *const *kind = (const char *const[]){"full", "small_batches", "lag", "lost_rows", NULL};
         *kind != NULL; kind++) {
        ck_assert_msg(hint_of(&measured, *kind) != NULL, "no hint `%s`", *kind);
    }
    ck_assert_ptr_nonnull(strstr(hint_of(&measured, "lag")->text, "5000000 messages behind its stream, 50 s"));
    for (uint32_t i = 1; i < measured.hint_count; i++) {
        ck_assert(measured.hints[i - 1].weight >= measured.hints[i].weight);
    }
    evs_arena_fini(&arena);
}
END_TEST

/* A pipeline that has nothing to do gets no advice, and its figures are none, not zeroes divided by zeroes. */
START_TEST(test_idle)
{
    struct evs_seen_node nodes[NODES];
    struct evs_seen_edge edges[NODES];
    struct evs_seen_pipeline pipeline;
    struct evs_arena arena = {0};
    struct evs_measured measured;
    struct evs_buffer text = {0}, json = {0};
    init(nodes, edges, &pipeline);
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i] =
            (struct evs_seen_node){.name = nodes[i].name, .kind = nodes[i].kind, .label = nodes[i].label, .workers = 1};
    }
    evs_measured_make(NULL, &pipeline, &arena, &measured);
    ck_assert_uint_eq(measured.hint_count, 0);
    evs_measured_text(&measured, &text);
    evs_buffer_put(&text, "", 1);
    ck_assert_ptr_nonnull(strstr(text.data, "Nothing stands out."));
    ck_assert_ptr_null(strstr(text.data, "nan"));
    evs_measured_json(&measured, &json);
    evs_buffer_put(&json, "", 1);
    ck_assert_ptr_nonnull(strstr(json.data, "\"ns_a_row\":null"));
    ck_assert_ptr_null(strstr(json.data, "nan"));
    evs_buffer_fini(&text);
    evs_buffer_fini(&json);
    evs_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("measured");
    TCase *tests = tcase_create("measured");
    tcase_add_test(tests, test_figures);
    tcase_add_test(tests, test_span);
    tcase_add_test(tests, test_held_up);
    tcase_add_test(tests, test_other_hints);
    tcase_add_test(tests, test_idle);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
