/* What is drawn over time: a few figures of each pipeline, kept so that a page that opens has its plots at once.
 *
 * Two rings: the last minutes by the second and the last hour by a quarter of a minute. Counters are kept as they stand, not as rates, so
 * that whoever draws chooses over how long. About 50 KB a pipeline. */
#ifndef EVS_LIVE_HISTORY_H
#define EVS_LIVE_HISTORY_H

#include "board.h"

/* The first are counters, the others gauges. Unknown: -1. */
#define EVS_SERIES(S)                                                                                                  \
    S(events)   /* of all sources */                                                                                   \
    S(triggers) /* rows that sinks have delivered, dead letters and late rows not among them */                        \
    S(late)                                                                                                            \
    S(dead)                                                                                                            \
    S(checkpoints)                                                                                                     \
    S(lag_messages)                                                                                                    \
    S(lag_us)        /* age of the newest message that was read, while others wait */                                  \
    S(delay_us)      /* how far the watermark is behind the clock */                                                   \
    S(checkpoint_us) /* how long the last one took */                                                                  \
    S(state_keys)                                                                                                      \
    S(state_bytes)

enum evs_series {
#define EVS_SERIES_ID(name) EVS_SERIES_##name,
    EVS_SERIES(EVS_SERIES_ID)
#undef EVS_SERIES_ID
        EVS_SERIES_COUNT
};
const char *evs_series_name(enum evs_series series);

/* One pipeline at one moment. */
struct evs_live_moment {
    int64_t time_us; /* since 1970 */
    int64_t values[EVS_SERIES_COUNT];
};
void evs_live_moment_of(const struct gallery *gallery, const struct shot *shot, struct evs_live_moment *moment);

#define EVS_HISTORY_FINE 300u
#define EVS_HISTORY_COARSE 240u
#define EVS_HISTORY_STEP 15u /* fine moments to a coarse one */

struct evs_history {
    uint64_t count; /* moments that were put */
    struct evs_live_moment fine[EVS_HISTORY_FINE], coarse[EVS_HISTORY_COARSE];
};
void evs_history_put(struct evs_history *history, const struct evs_live_moment *moment);
/* {"fine":{"time_us":[…],"events":[…],…},"coarse":{…}} */
void evs_history_write(const struct evs_history *history, struct evs_buffer *out);

#endif
