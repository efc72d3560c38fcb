/* A sink's op, for the two files that it is made of: sink_node.c, rows and barriers; sink_lost.c, the connector, and what its receiver may lose. */
#ifndef EVS_RUN_SINK_NODE_H
#define EVS_RUN_SINK_NODE_H

#include "sink_pending.h"

struct told { /* a barrier whose commit may not be told yet */
    uint64_t checkpoint;
    uint64_t last; /* message of it; bytes sinks: their offset */
};

struct sink_node {
    const struct evs_plan_sink *plan;
    struct evs_op *op;
    void *connector;
    struct evs_buffer encoded, headers, address, row;
    struct evs_buffer header; /* of a file */
    int64_t appended_us;      /* bytes sinks: when something was appended that is not flushed; 0: nothing */
    uint64_t offset;

    struct evs_pendings pendings;
    uint64_t sent, sendable;
    uint64_t acknowledged; /* how many, of this run */
    uint64_t refused;      /* for good, of this run */
    bool rests;            /* the run ends, and nothing is under way: what is left is the next start's */
    struct told *told;
    uint32_t told_count, told_capacity;
    uint64_t stream_sequence; /* of the last message that a checkpoint has numbered: checkpoint · 2^20 + index */
    struct evs_record_lane at_barrier;
    struct evs_sink_receipt last_receipt; /* of the instance that was closed, while there is none */
    int64_t cut_us,
        reopen_us;       /* its receiver's log is cut: since when, and when opening it is tried again; 0: it is not */
    uint64_t sent_again; /* messages that the receiver had lost */
    int64_t told_age_us; /* of kept messages that had to go before their time */
    struct evs_sink_state before; /* figures of instances that were closed */
    uint64_t id_salt[4];          /* incarnation, sink and operator path */
};

static inline bool evs_sink_keeps(const struct sink_node *node)
{
    return node->pendings.keep_us > 0;
}

/* How its connector is opened, but for what only a start knows. */
struct evs_sink_open evs_sink_how_to_open(const struct sink_node *node);
/* open->kept: what this lane keeps; before any worker runs, what all lanes keep. To be freed. */
struct evs_sink_kept *evs_sink_tell_kept(const struct sink_node *node, struct evs_sink_open *open);
/* Of its receiver's log everything up to `holds` is there: what lay above waits again. */
void evs_sink_send_lost_again(struct sink_node *node, uint64_t holds);
/* The figures of its connector, over all instances of this run. */
struct evs_sink_state evs_sink_figures(const struct sink_node *node);
/* Those whose time is over go; a receiver's log that is cut is noticed. */
void evs_sink_tend_kept(struct sink_node *node);
/* Behind a cut, a connector must be opened again. True: there is one. */
bool evs_sink_has_connector(struct sink_node *node);

#endif
