/* Rows by hand: a batch of a few rows of any types, for tests of formats and templates. */
#ifndef EVS_ROW_CASE_H
#define EVS_ROW_CASE_H

#include "evstream/batch.h"
#include "unit.h"

#define ROW_CASE_COLUMNS_MAX 16u

struct row_case {
    struct evs_field fields[ROW_CASE_COLUMNS_MAX];
    struct evs_schema schema;
    struct evs_batch_pool *pool;
    struct evs_batch *batch;
};

static inline void row_case_init(struct row_case *made, uint32_t rows)
{
    *made = (struct row_case){.pool = evs_batch_pool_new()};
    made->schema.fields = made->fields;
    made->batch = evs_batch_new(made->pool, ROW_CASE_COLUMNS_MAX);
    made->batch->column_count = 0;
    made->batch->row_count = made->batch->selected_count = rows;
    evs_batch_init_rows(made->batch, rows);
    for (uint32_t row = 0; row < rows; row++) {
        made->batch->event_time_us[row] = 0;
        made->batch->cause[row] = (struct evs_cause){0, row};
    }
}

static inline void row_case_fini(struct row_case *made)
{
    evs_batch_unref(made->batch);
    evs_batch_pool_free(made->pool);
}

/* A column more; its data are to be filled. */
static inline struct evs_column *row_case_column(struct row_case *made, const char *name, enum evs_kind kind)
{
    uint32_t number = made->schema.count++;
    made->fields[number] = (struct evs_field){.name = name, .type = evs_kind_is_nested(kind) ? NULL : evs_type_of(kind), .nullable = true};
    made->batch->column_count = made->schema.count;
    struct evs_column *column = &made->batch->columns[number];
    evs_column_init(column, made->batch, kind, made->batch->row_count, true);
    return column;
}

static inline void row_case_text(struct row_case *made, const char *name, enum evs_kind kind, struct evs_slice text)
{
    struct evs_str *data = row_case_column(made, name, kind)->data;
    data[0] = evs_str_make(text.data, (uint32_t)text.count);
}

static inline void row_case_int(struct row_case *made, const char *name, enum evs_kind kind, int64_t value)
{
    int64_t *data = row_case_column(made, name, kind)->data;
    data[0] = value;
}

#endif
