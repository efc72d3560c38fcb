/* What `status` and `top` see of a running program: its /api/v1/pipelines, read over HTTP. */
#ifndef EVS_LIVE_SEEN_H
#define EVS_LIVE_SEEN_H

#include "evstream/memory.h"

/* A node of a plan; figures as in evstream/view.h, 0 where it has none. Times in µs. */
struct evs_seen_node {
    const char *name, *kind, *label;
    int64_t workers, rows_in, rows_out, late, dead, null_key, limited, state_keys, state_bytes, busy_us, blocked_us;
    int64_t batches_in, queued;
    int64_t messages, lag_messages;
    int64_t waiting, retries; /* of sinks: messages without an acknowledgement, and those that were sent again */
    int64_t watermark_us;     /* INT64_MIN: none */
};

struct evs_seen_edge {
    uint32_t from, to; /* numbers of nodes */
    int64_t output;
};

struct evs_seen_pipeline {
    const char *name, *state;
    int64_t starts, uptime_us;
    int64_t workers;
    int64_t checkpoint_age_us; /* -1: none */
    int64_t restored_percent;  /* of a pipeline that is restoring, roughly; else -1 */
    const struct evs_seen_node *nodes;
    uint32_t node_count;
    const struct evs_seen_edge *edges;
    uint32_t edge_count;
};

struct evs_seen {
    struct evs_arena arena; /* everything below lives here, and the answer's text */
    const char *json;       /* the answer, as it came */
    int64_t time_us;        /* the program's clock, since 1970 */
    const struct evs_seen_pipeline *pipelines;
    uint32_t pipeline_count;
};

/* Asks the program at HOST:PORT. EVS_E_UNREACHABLE when nobody answers; EVS_E_IO when the answer is none of evstream's. `seen` is zero or was used before: the
 * arena is reset. */
evs_status evs_seen_fetch(const char *address, struct evs_seen *seen, struct evs_error *error);
/* The same of several at once; each is waited for at most so many seconds. */
void evs_seen_fetch_together(const char *const *addresses, uint32_t count, int seconds, struct evs_seen *seen,
                             evs_status *statuses);
void evs_seen_fini(struct evs_seen *seen);

/* "running"; "restoring 40 %". Valid until the next call with the same `out`. */
#define EVS_SEEN_STATE 40
const char *evs_seen_state(char out[EVS_SEEN_STATE], const struct evs_seen_pipeline *pipeline);

/* Over the nodes of one pipeline. */
struct evs_seen_totals {
    int64_t events, rows_out, late, dead, state_keys, state_bytes, lag_messages;
    int64_t watermark_us; /* the least of its sources; INT64_MIN: none */
};
struct evs_seen_totals evs_seen_totals(const struct evs_seen_pipeline *pipeline);

/* Numbers for people, into `out`: 1,234,567; 12.3 MB; 1.5 s, 2 min, 3 h. */
#define EVS_SEEN_TEXT 32
const char *evs_seen_count(char out[EVS_SEEN_TEXT], int64_t count);
const char *evs_seen_bytes(char out[EVS_SEEN_TEXT], int64_t bytes);
const char *evs_seen_duration(char out[EVS_SEEN_TEXT], int64_t us);

#endif
