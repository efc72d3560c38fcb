/* How an accumulator lies in stored groups, as a few bytes that are stored beside them: enough to read past one that a changed pipeline no longer has, and
 * to show a plain result of one without the pipeline.
 *
 *   function, 1 byte (enum evs_aggregate_kind) | flags: 1 distinct, 2 ignore nulls | kind of the result | number of arguments | their kinds, 1 byte each */
#ifndef EVS_AGGREGATE_FORM_H
#define EVS_AGGREGATE_FORM_H

#include "aggregate_function.h"

#define EVS_AGG_FORM_ARGUMENTS_MAX 64u

struct evs_agg_form {
    struct evs_aggregate_call call; /* points into this struct: do not copy */
    const struct evs_type *types[EVS_AGG_FORM_ARGUMENTS_MAX];
    uint32_t arguments[EVS_AGG_FORM_ARGUMENTS_MAX];
};

void evs_agg_form_write(const struct evs_aggregate_call *call, struct evs_buffer *out); /* appends */
/* False: the bytes are no form. */
bool evs_agg_form_read(struct evs_slice bytes, struct evs_agg_form *form);

#endif
