#include "row_repeat.h"

#define ORDINALS_A_ROW 65536u

static struct evs_hash128 copy_key(const struct evs_batch *batch, uint32_t row, uint32_t copy)
{
    struct {
        struct evs_hash128 key;
        uint64_t copy;
    } parts = {.copy = (uint64_t)copy + 1};
    if (batch->key != NULL) {
        parts.key = batch->key[row];
    }
    return evs_hash128(&parts, sizeof parts);
}

static void fill_rows(const struct evs_row_run *runs, uint32_t run_count, const struct evs_batch *batch,
                      struct evs_batch *out)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < run_count; i++) {
        uint32_t row = runs[i].row, ordinal = batch->ordinal != NULL ? batch->ordinal[row] : 0;
        for (uint32_t k = 0; k < runs[i].count; k++, at++) {
            uint32_t copy = runs[i].first + k;
            out->event_time_us[at] = batch->event_time_us[row];
            out->cause[at] = batch->cause[row];
            out->ordinal[at] = ordinal * ORDINALS_A_ROW + copy;
            if (out->watermark_us != NULL) {
                out->watermark_us[at] = batch->watermark_us[row];
            }
            if (out->key != NULL) {
                out->key[at] = copy_key(batch, row, copy);
            }
        }
    }
}

struct evs_batch *evs_repeat_rows(struct evs_op *op, const struct evs_batch *batch, const struct evs_row_run *runs,
                                  uint32_t run_count, uint32_t rows)
{
    struct evs_batch *out = evs_op_new_batch(op);
    EVS_ASSERT(rows > 0 && rows <= EVS_BATCH_ROWS);
    evs_batch_init_rows(out, rows);
    out->row_count = out->selected_count = rows;
    out->cause_kind = batch->cause_kind;
    out->lineage = batch->lineage;
    out->source_index = batch->source_index;
    out->min_time_us = batch->min_time_us;
    out->max_time_us = batch->max_time_us;
    out->ordinal = evs_arena_alloc(out->arena, rows * sizeof *out->ordinal, 64);
    if (batch->watermark_us != NULL) {
        out->watermark_us = evs_arena_alloc(out->arena, rows * sizeof *out->watermark_us, 64);
    }
    if (evs_op_wants_key(op) || batch->key != NULL) {
        out->key = evs_arena_alloc(out->arena, rows * sizeof *out->key, 64);
    }
    fill_rows(runs, run_count, batch, out);
    return out;
}

void evs_repeat_column(const struct evs_row_run *runs, uint32_t run_count, const struct evs_column *from,
                       struct evs_batch *out, uint32_t number, uint32_t rows)
{
    struct evs_column *column = &out->columns[number];
    evs_column_init(column, out, from->kind, rows, true);
    uint32_t at = 0, width = evs_kind_width(column->kind);
    for (uint32_t i = 0; i < run_count; i++) {
        struct evs_value value = evs_column_value(from, runs[i].row);
        evs_column_put(column, out, at, &value);
        uint8_t *first = (uint8_t *)column->data + (size_t)at * width;
        for (uint32_t k = 1; k < runs[i].count; k++) {
            memcpy(first + (size_t)k * width, first, width); /* with its text */
            if (value.is_null) {
                evs_column_set_null(column, at + k);
            }
        }
        at += runs[i].count;
    }
}
