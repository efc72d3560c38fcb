/* What row-wise operators share: rows whose expression failed leave by the dead letter and the rest goes on. */
#ifndef EVS_OP_ROWS_H
#define EVS_OP_ROWS_H

#include "evstream/operator.h"
#include "expr.h"

/* Sends the rows that failed in the last run of `eval` to the dead letter. Returns how many. */
uint32_t evs_rows_dead_letters(struct evs_op *op, const struct evs_batch *batch, const struct evs_eval *eval);
/* The batch's selection without the rows that failed, written to `selection` (room for row_count). Returns how many remain. */
uint32_t evs_rows_without_failed(const struct evs_batch *batch, const struct evs_eval *eval, uint16_t *selection);

#endif
