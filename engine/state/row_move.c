/* Kept rows of another version of the pipeline: read with the columns that they were written with, laid out again with today's. A column that they did not
 * have is NULL. */
#include "evstream/rows.h"
#include "evstream/shape.h"

bool evs_row_layout_of_parts(struct evs_row_layout *layout, const struct evs_state_parts *rows, uint32_t input)
{
    struct evs_type *types = evs_alloc_zero((rows->count + 1u) * sizeof *types);
    struct evs_field *fields = evs_alloc_zero((rows->count + 1u) * sizeof *fields);
    uint32_t count = 0;
    bool is_good = true;
    for (uint32_t i = 0; i < rows->count && is_good; i++) {
        struct evs_slice form = rows->items[i].form;
        uint8_t kind = form.count == 2 ? (uint8_t)form.data[1] : (uint8_t)EVS_NULL_KIND;
        is_good = kind > EVS_NULL_KIND && kind < EVS_KIND_COUNT;
        if (is_good && (uint8_t)form.data[0] == input) {
            types[count].kind = (enum evs_kind)kind;
            fields[count].type = &types[count];
            count++;
        }
    }
    struct evs_schema schema = {is_good ? count : 0, fields};
    evs_row_layout_init(layout, &schema, NULL, 0);
    evs_free(fields);
    evs_free(types);
    return is_good;
}

static uint32_t stored_column(const uint32_t *today, uint32_t stored_count, uint32_t column)
{
    for (uint32_t i = 0; i < stored_count; i++) {
        if (today[i] == column) {
            return i;
        }
    }
    return EVS_NO_PART;
}

static bool has_value(const struct evs_row_layout *stored, const struct evs_row *row, uint32_t column)
{
    return column != EVS_NO_PART && !evs_row_is_null(stored, row, column);
}

static size_t moved_bytes(const struct evs_row_layout *layout, const struct evs_row_layout *stored,
                          const uint32_t *today, const struct evs_row *row)
{
    size_t bytes = layout->text_offset;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        uint32_t from = stored_column(today, stored->column_count, i);
        if (layout->columns[i].width == 0 && has_value(stored, row, from)) {
            bytes += evs_row_value(stored, row, from).str.count;
        }
    }
    return (bytes + 7u) & ~(size_t)7;
}

/* `to` is zeroed: a NULL has zero bytes, a NULL text ends where it begins. */
static void move_columns(const struct evs_row_layout *layout, const struct evs_row_layout *stored,
                         const uint32_t *today, const struct evs_row *row, uint8_t *to)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        const struct evs_row_column *about = &layout->columns[i];
        uint32_t from = stored_column(today, stored->column_count, i);
        if (!has_value(stored, row, from)) {
            to[layout->nulls_offset + i / 8] |= (uint8_t)(1u << (i % 8));
        } else if (about->width > 0) {
            EVS_ASSERT(stored->columns[from].kind == about->kind);
            memcpy(to + about->offset, (const uint8_t *)row + stored->columns[from].offset, about->width);
        } else {
            struct evs_value value = evs_row_value(stored, row, from);
            memcpy(to + layout->text_offset + end, evs_str_data(&value.str), value.str.count);
            end += value.str.count;
        }
        if (about->width == 0) {
            memcpy(to + about->offset, &end, sizeof end);
        }
    }
}

struct evs_row *evs_row_restore_moved(struct evs_row_pool *pool, const struct evs_row_layout *layout,
                                      const struct evs_row_layout *stored, const uint32_t *today,
                                      struct evs_slice bytes)
{
    struct evs_row *row = evs_row_restore(pool, stored, bytes);
    if (row == NULL) {
        return NULL;
    }
    size_t count = moved_bytes(layout, stored, today, row);
    EVS_ASSERT(count <= EVS_ROW_BYTES_MAX);
    struct evs_row *moved = evs_row_pool_take(pool, count);
    memset(moved, 0, count);
    *moved = *row;
    moved->bytes_and_kind = (uint32_t)count | (row->bytes_and_kind & 7u);
    move_columns(layout, stored, today, row, (uint8_t *)moved);
    evs_row_free(pool, row);
    return moved;
}
