/* cross join unnest(array): a row for each element. */
#ifndef EVS_OP_UNNEST_H
#define EVS_OP_UNNEST_H

#include "evstream/operator.h"

/* What an output column shows: a column of the input, or one of these. */
#define EVS_UNNEST_ELEMENT UINT32_MAX
#define EVS_UNNEST_OFFSET (UINT32_MAX - 1)

struct evs_unnest_config {
    uint32_t array;          /* input column */
    bool keeps_empty;        /* left join: a row without elements goes on with NULLs */
    const uint32_t *columns; /* one an output column */
};
extern const struct evs_operator evs_op_unnest;

#endif
