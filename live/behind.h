/* The events behind a trigger, read again from the broker that keeps them: through the source's own connector and decoder, so that what counts as a
 * record, a key or an event time is what the pipeline itself saw. Nothing of it costs the running pipeline more than a reader of the stream. */
#ifndef EVS_LIVE_BEHIND_H
#define EVS_LIVE_BEHIND_H

#include "board.h"

#define EVS_BEHIND_KEPT 50u
#define EVS_BEHIND_KEYS_MAX 8u
#define EVS_BEHIND_MESSAGES_MAX 20000u       /* that are looked through */
#define EVS_BEHIND_US (INT64_C(4) * 1000000) /* and for how long */

/* What is looked for. */
struct evs_behind_ask {
    const struct evs_os *os;
    struct evs_log *log;
    const char *nats_url, *nats_credentials;
    const struct evs_plan_node *source;
    /* Where the reading begins: at a sequence of one partition, up to another; or at what was stored at a time, of all partitions. */
    enum evs_start start;
    int64_t start_value;
    uint64_t end_sequence;
    uint32_t partition;
    /* Which events: with these values, and an event time in [from_us, until_us]. */
    struct evs_behind_key {
        uint32_t column; /* of the source's schema */
        const char *name;
        struct evs_slice json;
    } keys[EVS_BEHIND_KEYS_MAX];
    uint32_t key_count;
    int64_t from_us, until_us;
    /* The record that is the cause itself; it is shown whatever it holds. sequence 0: a window. */
    uint64_t sequence;
    uint32_t index;
};

struct evs_behind_event {
    uint32_t partition, index;
    uint64_t sequence;
    int64_t stored_us, event_time_us;
    bool is_cause;
    struct evs_buffer text;
};

struct evs_behind {
    struct evs_behind_event events[EVS_BEHIND_KEPT]; /* a ring of the last ones */
    uint64_t found;
    uint64_t looked_at; /* records */
    bool is_complete;   /* all of the range was looked through */
};

/* Blocks, at most about EVS_BEHIND_US. */
EVS_MUST_CHECK evs_status evs_behind_read(const struct evs_behind_ask *ask, struct evs_behind *behind,
                                          struct evs_error *error);
void evs_behind_fini(struct evs_behind *behind);

#endif
