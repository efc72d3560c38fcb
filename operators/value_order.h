/* The order of values: of order by, of top N, and of ties ("then by the remaining columns").
 *
 * As GoogleSQL orders them: NULL before everything, NaN before every other number, false before true, texts by their bytes. Intervals count a
 * month as 30 days and a day as 24 hours, and are told apart by their parts when that is equal, so that the order is total. Values without an
 * order in the language (json, array, struct) are ordered by their bytes: order by refuses them, but ties must be decided, too. */
#ifndef EVS_VALUE_ORDER_H
#define EVS_VALUE_ORDER_H

#include "evstream/rows.h"

/* -1, 0, 1. Both values have one kind. */
int evs_value_compare(const struct evs_value *a, const struct evs_value *b);

/* One term of an order by, over the kept columns of a row. */
struct evs_order_term {
    uint32_t column;
    bool descending;
    bool nulls_last; /* where NULLs stand in the result, whatever the direction */
};
int evs_order_compare(const struct evs_row_layout *layout, const struct evs_order_term *terms, uint32_t count,
                      const struct evs_row *a, const struct evs_row *b);
/* Who comes first of two rows that a rule does not tell apart: the order of the key, then the columns in their order. 0: they are equal. */
int evs_tie_compare(const struct evs_row_layout *layout, const struct evs_row *a, const struct evs_row *b);

#endif
