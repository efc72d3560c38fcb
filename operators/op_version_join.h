/* join with a table kept from a stream: the version of the left row's event time. The essay is in op_version_join.c. */
#ifndef EVS_OP_VERSION_JOIN_H
#define EVS_OP_VERSION_JOIN_H

#include "op_join.h"

/* Side 0: the rows, side 1: the table's versions. Of `join` the sides (pads: left join), pair_schema and items are used; evs_version_bounds sets the rest. */
struct evs_version_join_config {
    struct evs_join_config join;
    const uint32_t *values; /* input 1: the columns beside the key; a version in which all are NULL deletes */
    uint32_t value_count;
};
/* A version counts for `retain_us`; -1: for ever. */
void evs_version_bounds(struct evs_version_join_config *config, int64_t retain_us);
extern const struct evs_operator evs_op_version_join;

#endif
