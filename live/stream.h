/* The live page's one stream: `/api/v1/live?pipeline=NAME`, server-sent events.
 *
 *   hello    once: version, and what this reader may do
 *   state    everything: all pipelines in short, the one that was asked for in full, its history
 *   tick     once a second: what has changed since the state or tick before
 *   trigger  a row that a sink has taken, with its cause; the last ones come right behind the state
 *
 *   timer ─ 1 s ─► one look at all pipelines ─► history
 *                              └─► for each pipeline that somebody watches, one text ─► all its readers
 *
 * A text is made once, however many read it. A reader that is behind gets no tick until it has caught up, and then a state. The look is what a
 * scrape costs, and goes on when nobody reads, since the history is made of it. All of it belongs to the HTTP thread. */
#ifndef EVS_LIVE_STREAM_H
#define EVS_LIVE_STREAM_H

#include "history.h"
#include "server.h"

#define EVS_TRIGGERS_KEPT 200u

struct evs_stream;

struct evs_stream *evs_stream_new(struct evs_live_server *server);
void evs_stream_free(struct evs_stream *stream);
void evs_stream_open(struct evs_stream *stream, struct evhttp_request *request);

/* /api/v1/why */
void evs_stream_explain(struct evs_stream *stream, struct evhttp_request *request);

/* A row that a sink has taken. */
struct evs_kept_trigger {
    uint64_t number; /* from 1 */
    uint32_t node;   /* the sink */
    enum evs_cause_kind cause_kind;
    struct evs_cause cause;
    const char *source;
    struct evs_buffer row;  /* JSON */
    struct evs_buffer text; /* the event, as it was sent */
};

/* --- stream_json.c: what was seen of one pipeline at the last tick, and its texts --- */
struct evs_channel {
    bool is_seen; /* there is a last tick */
    enum pipeline_state state;
    int64_t restored_percent; /* -1: it does not restore */
    uint64_t starts;
    struct evs_live_moment moment;
    struct evs_view_run run; /* when is_live */
    bool is_live;
    int64_t clock_offset_us; /* wall - monotonic */
    struct evs_view_node *nodes;
    uint64_t *edges;
    struct evs_buffer reasons; /* JSON */
    struct evs_buffer groups;  /* JSON */
    struct evs_view_checkpoint checkpoints[EVS_VIEW_CHECKPOINTS];
    uint32_t checkpoint_count;
    uint64_t newest_checkpoints[EVS_GROUPS_MAX]; /* the highest number that was seen of each group */
    struct evs_history *history;
    struct evs_kept_trigger *triggers; /* a ring */
    uint64_t trigger_count;
};
void evs_channel_fini(struct evs_channel *channel);

/* Takes what is to be seen now into `now`, whose arrays it allocates; history and triggers are not touched. */
void evs_channel_look(struct evs_channel *now, const struct gallery *gallery, const struct shot *shot);
/* One pipeline in short, members only; with `then`: those that have changed. How many. */
uint32_t evs_channel_put_short(struct evs_buffer *out, const char *before, const struct evs_channel *now,
                               const struct evs_channel *then);
/* ,"nodes":…,"edges":…,"reasons":…,"groups":…,"checkpoints":…: all, or what has changed. */
void evs_channel_put_figures(struct evs_buffer *out, const struct evs_plan *plan, const struct evs_channel *now,
                             const struct evs_channel *then);

#endif
