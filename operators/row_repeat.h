/* Rows that come several times: for each element of an array, for each window that they lie in. */
#ifndef EVS_ROW_REPEAT_H
#define EVS_ROW_REPEAT_H

#include "evstream/operator.h"

/* A row and a range of its copies. */
struct evs_row_run {
    uint32_t row, first, count;
};

/* A batch of the operator's schema with the copies of all runs, `rows` in all: event time, cause and watermark are the row's; the ordinal tells the
 * copies of a row apart and follows from the row's own, and so does the key, for trigger ids: a hash of the row's key and the copy's number, which
 * never repeats. The columns are for the caller. */
struct evs_batch *evs_repeat_rows(struct evs_op *op, const struct evs_batch *batch, const struct evs_row_run *runs,
                                  uint32_t run_count, uint32_t rows);
/* Column `number` of the new batch is `from` of the old one; text is copied once a run. */
void evs_repeat_column(const struct evs_row_run *runs, uint32_t run_count, const struct evs_column *from,
                       struct evs_batch *out, uint32_t number, uint32_t rows);

#endif
