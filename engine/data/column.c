/* Columns of a batch, and single values taken from them. */
#include "evstream/batch.h"

void evs_column_init(struct evs_column *column, struct evs_batch *batch, enum evs_kind kind, uint32_t rows,
                     bool nullable)
{
    EVS_ASSERT(rows <= EVS_BATCH_ROWS);
    *column = (struct evs_column){
        .kind = kind,
        .data = EVS_ARENA_COLUMN(batch->arena, (size_t)rows * evs_kind_width(kind)),
    };
    if (nullable) {
        size_t bytes = EVS_VALID_WORDS(rows) * sizeof *column->valid;
        column->valid = EVS_ARENA_COLUMN(batch->arena, bytes);
        memset(column->valid, 0xFF, bytes);
    }
}

static struct evs_value read_element(const struct evs_column *column, uint32_t row)
{
    struct evs_value value = {.kind = column->kind};
    switch (column->kind) {
    case EVS_NULL_KIND:
    case EVS_KIND_COUNT:
        value.is_null = true;
        break;
    case EVS_BOOL:
        value.boolean = *EVS_COLUMN_AT(column, uint8_t, row) != 0;
        break;
    case EVS_INT64:
    case EVS_TIMESTAMP:
    case EVS_DATE:
    case EVS_DATETIME:
    case EVS_TIME:
        value.int64 = *EVS_COLUMN_AT(column, int64_t, row);
        break;
    case EVS_FLOAT64:
        value.float64 = *EVS_COLUMN_AT(column, double, row);
        break;
    case EVS_NUMERIC:
        value.numeric = *EVS_COLUMN_AT(column, evs_numeric, row);
        break;
    case EVS_STRING:
    case EVS_BYTES:
    case EVS_JSON:
    case EVS_ARRAY:
    case EVS_STRUCT:
        value.str = *EVS_COLUMN_AT(column, struct evs_str, row);
        break;
    case EVS_INTERVAL:
        value.interval = *EVS_COLUMN_AT(column, struct evs_interval, row);
        break;
    }
    return value;
}

struct evs_value evs_column_value(const struct evs_column *column, uint32_t row)
{
    EVS_ASSERT((unsigned)column->kind < EVS_KIND_COUNT);
    if (!evs_column_is_valid(column, row)) {
        return (struct evs_value){.kind = column->kind, .is_null = true};
    }
    return read_element(column, row);
}
