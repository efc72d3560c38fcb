/* aggregate … group by, as three operators that share their configuration:
 *
 *   evs_op_aggregate   whole windows (tumble, windows of columns; hop and cumulate as update streams) and groups without a window
 *   evs_op_slide       hop and cumulate that emit once, made of panes
 *   evs_op_session     sessions
 *
 * Each file opens with its essay. */
#ifndef EVS_OP_AGGREGATE_H
#define EVS_OP_AGGREGATE_H

#include "aggregate_function.h"
#include "evstream/operator.h"
#include "window_assign.h"

enum evs_emit_kind { EVS_EMIT_ON_CLOSE, EVS_EMIT_ON_CHANGE, EVS_EMIT_EVERY };

/* What an output column shows. */
struct evs_aggregate_item {
    enum {
        EVS_ITEM_KEY,
        EVS_ITEM_WINDOW_START,
        EVS_ITEM_WINDOW_END,
        EVS_ITEM_CALL,
        EVS_ITEM_REVISION,
        EVS_ITEM_FINAL,
        EVS_ITEM_REPLACES
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
    struct evs_window window;
    enum evs_emit_kind emit;
    int64_t every_us;    /* emit every: ticks are its multiples */
    int64_t lateness_us; /* windows are kept for so long after their end */
    int64_t
        retain_us; /* unwindowed: a group goes when W >= its latest row's time + retain; -1: never (bounded input) */
    /* Late rows: output 1 when true. Its schema: the first late_columns input columns, then window_start, window_end (not of
     * EVS_WINDOW_COLUMNS), _watermark, _lateness (int64 µs). */
    bool late_output;
    uint32_t late_columns;
    const char *file; /* place in the pipeline, for dead letters */
    uint32_t line;
};
/* Windows that one row may lie in, where each is counted for itself: hop and cumulate as update streams. */
#define EVS_AGG_SPANS_MAX 1000u

/* Results are revisions, with _revision and _final. */
static inline bool evs_aggregate_is_update(const struct evs_aggregate_config *config)
{
    return config->emit != EVS_EMIT_ON_CLOSE || config->lateness_us > 0;
}

extern const struct evs_operator evs_op_aggregate, evs_op_slide, evs_op_session;
/* The one that this configuration needs. */
const struct evs_operator *evs_aggregate_operator(enum evs_window_kind window, enum evs_emit_kind emit,
                                                  int64_t lateness_us);

#endif
