/* An operator alone under a micro benchmark: the smallest runtime. It defines what operators may ask (evs_op_…) and drops what they emit. */
#ifndef EVS_MICRO_OP_H
#define EVS_MICRO_OP_H

#include "evstream/operator.h"

struct evs_op {
    const void *config;
    struct evs_schema input, output;
    struct evs_batch_pool *pool;
    int64_t watermark_us, counters[EVS_COUNTERS];
    uint64_t emitted; /* rows of output 0 */
    bool wants_key, is_durable;
};

#endif
