/* Queries over the elements of an array: what the evaluation and the walks over trees need of them. */
#ifndef EVS_EXPR_UNNEST_QUERY_H
#define EVS_EXPR_UNNEST_QUERY_H

#include "internal.h"

extern const struct evs_overload evs_unnest_overload;

void evs_inner_free(struct evs_inner *inner); /* NULL is allowed */
bool evs_body_equal(const struct evs_expr_body *a, const struct evs_expr_body *b);
bool evs_body_reads_time(const struct evs_expr_body *body); /* false for NULL */

#endif
