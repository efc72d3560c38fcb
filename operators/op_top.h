/* top N by … inside a window; row_number, rank and dense_rank over the rows of a window. The essay is in op_top.c. */
#ifndef EVS_OP_TOP_H
#define EVS_OP_TOP_H

#include "evstream/operator.h"
#include "value_order.h"

enum evs_top_number { EVS_TOP_ROW_NUMBER, EVS_TOP_RANK, EVS_TOP_DENSE_RANK };

struct evs_top_config {
    const uint32_t *keys; /* input columns: window_start, window_end, then the partition */
    uint32_t key_count;   /* 2 or more */
    const struct evs_order_term *terms;
    uint32_t term_count;
    uint64_t limit;  /* rows of a partition of a window; UINT64_MAX: all */
    bool keeps_ties; /* the limit is of rank(): rows that tie with the last one stay, too */
    /* Columns of the output behind those of the input, in this order: which number of the row they show. */
    const enum evs_top_number *numbers;
    uint32_t number_count;
};
extern const struct evs_operator evs_op_top;

#endif
