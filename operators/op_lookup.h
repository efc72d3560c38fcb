/* join with a looked-up table, inner or left. The essay is in op_lookup.c. */
#ifndef EVS_OP_LOOKUP_H
#define EVS_OP_LOOKUP_H

#include "evstream/lookup.h"
#include "evstream/operator.h"

/* A column that the join adds behind those of its input. */
struct evs_lookup_item {
    bool is_key;     /* a column of the primary key: its value is the input's … */
    uint32_t column; /* … this column of it; else a column of the table's schema */
};

struct evs_lookup_config {
    const struct evs_lookup_table *table;
    uint32_t text;        /* the input's column with the key's text, if the connector wants it so; else … */
    const uint32_t *keys; /* … the columns of the key, in the order of the primary key */
    uint32_t key_count;
    bool keeps_unmatched; /* left join */
    const struct evs_lookup_item *items;
    uint32_t item_count;
};
extern const struct evs_operator evs_op_lookup;

#endif
