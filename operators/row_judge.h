/* What the operators that decide row by row ask of a row: the watermark that it is judged by, and whether its key has a NULL. */
#ifndef EVS_ROW_JUDGE_H
#define EVS_ROW_JUDGE_H

#include "evstream/operator.h"

/* The larger of the watermark of the row's partition before it and the operator's (language, "Event time, exactly", 7). */
static inline int64_t evs_row_watermark(const struct evs_op *op, const struct evs_batch *batch, uint32_t row)
{
    int64_t own_us = evs_op_watermark(op);
    return batch->watermark_us != NULL && batch->watermark_us[row] > own_us ? batch->watermark_us[row] : own_us;
}

static inline bool evs_row_has_null(const struct evs_batch *batch, uint32_t row, const uint32_t *columns,
                                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!evs_column_is_valid(&batch->columns[columns[i]], row)) {
            return true;
        }
    }
    return false;
}

/* time + length, staying at the ends of time: EVS_TIME_MAX is never reached by a watermark of rows. */
static inline int64_t evs_time_plus(int64_t time_us, int64_t length_us)
{
    int64_t sum;
    if (__builtin_add_overflow(time_us, length_us, &sum)) {
        return length_us > 0 ? EVS_TIME_MAX : EVS_TIME_MIN;
    }
    return sum;
}
/* |a - b|, of any two times */
static inline uint64_t evs_time_distance(int64_t a, int64_t b)
{
    return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

/* A batch that shares the columns of another and has the rows of a list: for operators that let some rows through. */
static inline struct evs_batch *evs_rows_select(struct evs_batch *batch, const uint16_t *rows, uint32_t count)
{
    if (count == batch->selected_count) {
        return evs_batch_ref(batch);
    }
    struct evs_batch *some = evs_batch_derive(batch, batch->column_count);
    uint16_t *selection = evs_arena_alloc(batch->arena, count * sizeof *selection + 64, 64);
    memcpy(selection, rows, count * sizeof *selection);
    some->selection = selection;
    some->selected_count = count;
    return some;
}

#endif
