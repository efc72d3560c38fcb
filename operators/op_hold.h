/* hold until TIMESTAMP [at most INTERVAL [expired into SINK]]. The essay is in op_hold.c. */
#ifndef EVS_OP_HOLD_H
#define EVS_OP_HOLD_H

#include "evstream/operator.h"

struct evs_hold_config {
    uint32_t until;       /* input column, a timestamp */
    int64_t at_most_us;   /* from the row's event time; -1: no such limit */
    bool expired_output;  /* output 1: rows whose moment lies behind the limit; else they are released at the limit */
    const uint32_t *keys; /* input columns that rows are spread over workers by */
    uint32_t key_count;
};
extern const struct evs_operator evs_op_hold;

#endif
