/* aggregate … group by: windowed (tumble) and unwindowed groups. The essay is in op_aggregate.c. */
#ifndef EVS_OP_AGGREGATE_H
#define EVS_OP_AGGREGATE_H

#include "aggregate_function.h"
#include "evstream/operator.h"

enum evs_window_kind { EVS_WINDOW_NONE, EVS_WINDOW_TUMBLE };
enum evs_emit_kind { EVS_EMIT_ON_CLOSE, EVS_EMIT_ON_CHANGE };

/* What an output column shows. */
struct evs_aggregate_item {
    enum {
        EVS_ITEM_KEY,
        EVS_ITEM_WINDOW_START,
        EVS_ITEM_WINDOW_END,
        EVS_ITEM_CALL,
        EVS_ITEM_REVISION,
        EVS_ITEM_FINAL
    } what;
    uint32_t index; /* of the key or call */
};

struct evs_aggregate_config {
    const uint32_t *keys; /* input columns; none: one group of all rows */
    uint32_t key_count;
    const struct evs_aggregate_call *calls;
    uint32_t call_count;
    const struct evs_aggregate_item *items; /* one a column of the output schema */
    uint32_t item_count;
    const struct evs_aggregate_item
        *group_items; /* one a column of group_schema: keys and window, for the dead letter of a group that fails */
    struct evs_schema group_schema;
    enum evs_window_kind window;
    int64_t size_us, offset_us; /* tumble: window_start = t - floormod(t - offset, size) */
    enum evs_emit_kind emit;
    int64_t
        retain_us; /* unwindowed: a group goes when W >= its latest row's time + retain; -1: never (bounded input) */
    /* Late rows: output 1 when true. Its schema: the first late_columns input columns, then window_start, window_end, _watermark,
     * _lateness (int64 µs). */
    bool late_output;
    uint32_t late_columns;
    const char *file; /* place in the pipeline, for dead letters */
    uint32_t line;
};
extern const struct evs_operator evs_op_aggregate;

#endif
