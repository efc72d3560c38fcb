/* What windows are to give, by a slow and obvious reading of the rules: every row is kept, and every result is made of all rows that it counts.
 * It knows no batch, no worker, no pane and no accumulator. */
#ifndef WINDOW_MODEL_H
#define WINDOW_MODEL_H

#include "op_aggregate.h"
#include "op_case.h"

/* Columns of the input: key (int64, may be NULL), value (int64, may be NULL), window_start, window_end (of EVS_WINDOW_COLUMNS). */
enum { MODEL_KEY, MODEL_VALUE, MODEL_START, MODEL_END, MODEL_COLUMNS };
/* Results: key, start, end, count(*), sum, max, last, count(distinct) or count(*); of update streams revision, final; of sessions replaces, as its length. */
enum { MODEL_RESULTS = 8 };

struct window_model {
    const struct evs_aggregate_config *config;
    const struct op_row *rows;
    uint32_t row_count;
    struct op_lines results, late;
    int64_t late_windows;
};
/* All rows, in the order in which they come, then the end of the input. */
void window_model_run(struct window_model *model);
void window_model_fini(struct window_model *model);

#endif
