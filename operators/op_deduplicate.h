/* deduplicate by … within … [keep first | last]. The essay is in op_deduplicate.c. */
#ifndef EVS_OP_DEDUPLICATE_H
#define EVS_OP_DEDUPLICATE_H

#include "evstream/operator.h"

struct evs_deduplicate_config {
    const uint32_t *keys; /* input columns */
    uint32_t key_count;
    int64_t within_us; /* above 0 */
    bool keep_last;
};
extern const struct evs_operator evs_op_deduplicate;

#endif
