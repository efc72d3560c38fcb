/* throttle N per (INTERVAL | day | week | month) by …: a frequency cap. The essay is in op_throttle.c. */
#ifndef EVS_OP_THROTTLE_H
#define EVS_OP_THROTTLE_H

#include "evstream/operator.h"
#include "zone.h"

#define EVS_THROTTLE_LIMIT_MAX 10000

struct evs_throttle_config {
    const uint32_t *keys; /* input columns */
    uint32_t key_count;
    uint32_t limit;      /* 1 … EVS_THROTTLE_LIMIT_MAX */
    int64_t interval_us; /* above 0; 0: by the calendar, `period` in `zone` */
    struct evs_period period;
    struct evs_zone zone;
    bool dropped_output; /* rows that do not pass leave by output 1, as they came */
};
extern const struct evs_operator evs_op_throttle;

#endif
