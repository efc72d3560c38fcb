/* where: keeps the rows for which the predicate is true. */
#ifndef EVS_OP_FILTER_H
#define EVS_OP_FILTER_H

#include "evstream/operator.h"
#include "expr.h"

struct evs_filter_config {
    const struct evs_program *predicate; /* output 0: bool */
};
extern const struct evs_operator evs_op_filter;

#endif
