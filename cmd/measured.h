/* A plan with what was measured of it while it ran, for `evstream explain --live`: shares, times a row, and what they suggest. */
#ifndef EVS_MEASURED_H
#define EVS_MEASURED_H

#include "evstream/status.h"
#include "seen.h"

#define EVS_HINTS_MAX 12u
#define EVS_HINT_BYTES 400

/* A negative figure: there is none. */
struct evs_measured_node {
    const struct evs_seen_node *seen; /* figures of the measured span; gauges as of its end */
    double time_share;                /* of the time that all nodes together were busy */
    double selectivity;               /* rows out for each row in */
    double ns_a_row, rows_a_batch;
    double held_share; /* of the span, in which it had work and no room for its results */
};

struct evs_hint {
    double weight; /* about the share of the run that it is about; hints are sorted by it */
    const char *node;
    const char
        *kind; /* stable: "time", "full", "held_up", "late_filter", "small_batches", "slow_sink", "lag", "lost_rows" */
    char text[EVS_HINT_BYTES];
};

struct evs_measured {
    const char *pipeline, *state;
    int64_t span_us, workers;
    double busy_share; /* of the workers' time */
    double events_a_second;
    struct evs_measured_node *nodes;
    uint32_t node_count;
    struct evs_hint hints[EVS_HINTS_MAX];
    uint32_t hint_count;
};

/* What was measured between two looks at one pipeline; `before` NULL: since it started. Allocates in `arena`. */
void evs_measured_make(const struct evs_seen_pipeline *before, const struct evs_seen_pipeline *now, struct evs_arena *arena,
                 struct evs_measured *measured);
void evs_measured_text(const struct evs_measured *measured, struct evs_buffer *out);
void evs_measured_json(const struct evs_measured *measured, struct evs_buffer *out);

#endif
