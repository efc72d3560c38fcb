/* order by, limit, offset over an input that ends. The essay is in op_sort.c. */
#ifndef EVS_OP_SORT_H
#define EVS_OP_SORT_H

#include "evstream/operator.h"
#include "value_order.h"

struct evs_sort_config {
    const struct evs_order_term *terms; /* none: by the order of the key */
    uint32_t term_count;
    uint64_t limit, offset; /* limit UINT64_MAX: all */
    bool as_they_come;      /* the rows have been sorted already: a limit takes the first ones */
};
extern const struct evs_operator evs_op_sort;

#endif
