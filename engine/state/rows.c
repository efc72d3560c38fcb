/* Kept rows: the block and its columns; the drawing is in evstream/rows.h. Elements are read and written by memcpy, for a block is aligned to
 * 8 bytes only where it lies in a pool. */
#include "evstream/rows.h"

#include "evstream/keys.h"

/* --- order ----------------------------------------------------------------------------------------------------------------- */

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

int evs_row_order_compare(const struct evs_row_order *a, const struct evs_row_order *b)
{
    int order = COMPARE(a->event_time_us, b->event_time_us);
    order = order != 0 ? order : COMPARE(a->cause.major, b->cause.major);
    order = order != 0 ? order : COMPARE(a->cause.minor, b->cause.minor);
    order = order != 0 ? order : COMPARE(a->ordinal, b->ordinal);
    return order != 0 ? order : COMPARE(a->lineage, b->lineage);
}

int evs_row_compare(const struct evs_row *a, const struct evs_row *b)
{
    struct evs_row_order left = evs_row_order(a), right = evs_row_order(b);
    return evs_row_order_compare(&left, &right);
}

struct evs_row_order evs_row_order_of(const struct evs_batch *batch, uint32_t row)
{
    EVS_ASSERT(row < batch->row_count);
    return (struct evs_row_order){
        .event_time_us = batch->event_time_us[row],
        .cause = batch->cause[row],
        .lineage = batch->lineage,
        .ordinal = batch->ordinal == NULL ? 0 : batch->ordinal[row],
    };
}

/* --- layout ------------------------------------------------------------------------------------------------------------------- */

static uint32_t place_columns(struct evs_row_layout *layout, uint32_t width, uint32_t offset)
{
    for (uint32_t i = 0; i < layout->column_count; i++) {
        struct evs_row_column *column = &layout->columns[i];
        if (column->width == width) {
            column->offset = offset;
            offset += width == 0 ? (uint32_t)sizeof(uint32_t) : width;
        }
    }
    return offset;
}

void evs_row_layout_init(struct evs_row_layout *layout, const struct evs_schema *schema, const uint32_t *columns,
                         uint32_t column_count)
{
    uint32_t count = columns == NULL ? schema->count : column_count;
    *layout = (struct evs_row_layout){.column_count = count};
    layout->columns = evs_alloc_zero((count + 1) * sizeof *layout->columns);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t source = columns == NULL ? i : columns[i];
        EVS_ASSERT(source < schema->count);
        enum evs_kind kind = schema->fields[source].type->kind;
        uint32_t width = evs_kind_is_var(kind) ? 0 : evs_kind_width(kind);
        layout->columns[i] = (struct evs_row_column){.source = source, .width = width, .kind = kind};
        layout->text_count += width == 0;
    }
    uint32_t offset = place_columns(layout, 16, sizeof(struct evs_row));
    layout->ends_offset = place_columns(layout, 8, offset);
    offset = place_columns(layout, 0, layout->ends_offset);
    layout->nulls_offset = place_columns(layout, 1, offset);
    layout->text_offset = layout->nulls_offset + (count + 7) / 8;
}

void evs_row_layout_fini(struct evs_row_layout *layout)
{
    evs_free(layout->columns);
    *layout = (struct evs_row_layout){0};
}

/* --- reading -------------------------------------------------------------------------------------------------------------------- */

static const uint8_t *bytes_of(const struct evs_row *row)
{
    return (const uint8_t *)row;
}

bool evs_row_is_null(const struct evs_row_layout *layout, const struct evs_row *row, uint32_t column)
{
    EVS_ASSERT(column < layout->column_count);
    return (bytes_of(row)[layout->nulls_offset + column / 8] >> (column % 8)) & 1;
}

static uint32_t end_at(const struct evs_row *row, uint32_t offset)
{
    uint32_t end;
    memcpy(&end, bytes_of(row) + offset, sizeof end);
    return end;
}

/* A text begins where the one before it ends. */
static struct evs_str text_of(const struct evs_row_layout *layout, const struct evs_row *row, uint32_t offset)
{
    uint32_t start = offset == layout->ends_offset ? 0 : end_at(row, offset - (uint32_t)sizeof(uint32_t));
    uint32_t end = end_at(row, offset);
    return evs_str_make((const char *)bytes_of(row) + layout->text_offset + start, end - start);
}

struct evs_value evs_row_value(const struct evs_row_layout *layout, const struct evs_row *row, uint32_t column)
{
    const struct evs_row_column *about = &layout->columns[column];
    _Alignas(16) uint8_t element[16] = {0};
    if (evs_row_is_null(layout, row, column)) {
        return (struct evs_value){.kind = about->kind, .is_null = true};
    }
    if (about->width == 0) {
        struct evs_str text = text_of(layout, row, about->offset);
        memcpy(element, &text, sizeof text);
    } else {
        memcpy(element, bytes_of(row) + about->offset, about->width);
    }
    struct evs_column one = {.kind = about->kind, .data = element};
    return evs_column_value(&one, 0);
}

static void decode_element(const struct evs_row_layout *layout, const struct evs_row_column *about,
                           const struct evs_row *row, struct evs_arena *arena, uint8_t *to)
{
    if (about->width > 0) {
        memcpy(to, bytes_of(row) + about->offset, about->width);
        return;
    }
    struct evs_str text = text_of(layout, row, about->offset);
    text = arena == NULL ? text : evs_str_keep(arena, &text);
    memcpy(to, &text, sizeof text);
}

void evs_row_decode_column(const struct evs_row_layout *layout, uint32_t column, const struct evs_row *const *rows,
                           uint32_t count, struct evs_arena *arena, struct evs_column *out, uint32_t first)
{
    const struct evs_row_column *about = &layout->columns[column];
    EVS_ASSERT(out->kind == about->kind && out->valid != NULL);
    uint32_t width = evs_kind_width(about->kind);
    uint8_t *to = (uint8_t *)out->data + (size_t)first * width;
    for (uint32_t i = 0; i < count; i++, to += width) {
        if (rows[i] == NULL || evs_row_is_null(layout, rows[i], column)) {
            memset(to, 0, width);
            evs_column_set_null(out, first + i);
        } else {
            decode_element(layout, about, rows[i], arena, to);
        }
    }
}

void evs_row_decode(const struct evs_row_layout *layout, const struct evs_row *const *rows, uint32_t count,
                    struct evs_arena *arena, struct evs_column *out, uint32_t first)
{
    for (uint32_t i = 0; i < layout->column_count; i++) {
        evs_row_decode_column(layout, i, rows, count, arena, &out[i], first);
    }
}

/* --- writing -------------------------------------------------------------------------------------------------------------------- */

static size_t text_bytes(const struct evs_row_layout *layout, const struct evs_batch *batch, uint32_t row)
{
    size_t bytes = 0;
    for (uint32_t i = 0; layout->text_count > 0 && i < layout->column_count; i++) {
        const struct evs_column *column = &batch->columns[layout->columns[i].source];
        if (layout->columns[i].width == 0 && evs_column_is_valid(column, row)) {
            bytes += EVS_COLUMN_AT(column, struct evs_str, row)->count;
        }
    }
    return bytes;
}

/* The block is zeroed: a NULL has zero bytes, a NULL text ends where it begins. */
static void write_columns(const struct evs_row_layout *layout, const struct evs_batch *batch, uint32_t row, uint8_t *to)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        const struct evs_row_column *about = &layout->columns[i];
        const struct evs_column *column = &batch->columns[about->source];
        EVS_ASSERT(column->kind == about->kind);
        bool is_valid = evs_column_is_valid(column, row);
        if (!is_valid) {
            to[layout->nulls_offset + i / 8] |= (uint8_t)(1u << (i % 8));
        } else if (about->width > 0) {
            size_t at = (column->flags & EVS_COLUMN_CONSTANT) ? 0 : row;
            memcpy(to + about->offset, (const uint8_t *)column->data + at * about->width, about->width);
        } else {
            const struct evs_str *text = EVS_COLUMN_AT(column, struct evs_str, row);
            memcpy(to + layout->text_offset + end, evs_str_data(text), text->count);
            end += text->count;
        }
        if (about->width == 0) {
            memcpy(to + about->offset, &end, sizeof end);
        }
    }
}

uint32_t evs_row_size(const struct evs_row_layout *layout, const struct evs_batch *batch, uint32_t row)
{
    EVS_ASSERT(row < batch->row_count);
    size_t bytes = (layout->text_offset + text_bytes(layout, batch, row) + 7u) & ~(size_t)7;
    EVS_ASSERT(bytes <= EVS_ROW_BYTES_MAX);
    return (uint32_t)bytes;
}

void evs_row_write(const struct evs_row_layout *layout, const struct evs_batch *batch, uint32_t row, uint32_t bytes,
                   struct evs_row *to)
{
    memset(to, 0, bytes);
    *to = (struct evs_row){
        .event_time_us = batch->event_time_us[row],
        .cause = batch->cause[row],
        .lineage = batch->lineage,
        .ordinal = batch->ordinal == NULL ? 0 : batch->ordinal[row],
        .bytes_and_kind = bytes | (batch->cause_kind == EVS_CAUSE_WINDOW),
    };
    write_columns(layout, batch, row, (uint8_t *)to);
}

struct evs_row *evs_row_keep(struct evs_row_pool *pool, const struct evs_row_layout *layout,
                             const struct evs_batch *batch, uint32_t row)
{
    uint32_t bytes = evs_row_size(layout, batch, row);
    struct evs_row *kept = evs_row_pool_take(pool, bytes);
    evs_row_write(layout, batch, row, bytes, kept);
    return kept;
}

void evs_row_free(struct evs_row_pool *pool, struct evs_row *row)
{
    evs_row_pool_give(pool, row, evs_row_bytes(row));
}

/* --- restoring ------------------------------------------------------------------------------------------------------------------- */

static bool texts_are_valid(const struct evs_row_layout *layout, const struct evs_row *row)
{
    uint32_t room = evs_row_bytes(row) - layout->text_offset, last = 0;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        const struct evs_row_column *about = &layout->columns[i];
        if (about->width > 0) {
            continue;
        }
        uint32_t end = end_at(row, about->offset);
        if (end < last || end > room || (evs_row_is_null(layout, row, i) && end != last)) {
            return false;
        }
        const char *text = (const char *)bytes_of(row) + layout->text_offset + last;
        bool is_utf8 = about->kind == EVS_STRING || about->kind == EVS_JSON;
        if (is_utf8 && !evs_utf8_valid(text, end - last)) {
            return false;
        }
        last = end;
    }
    return room - last < 8;
}

static bool fixed_are_valid(const struct evs_row_layout *layout, const struct evs_row *row)
{
    for (uint32_t i = 0; i < layout->column_count; i++) {
        const struct evs_row_column *about = &layout->columns[i];
        if (about->kind == EVS_BOOL && bytes_of(row)[about->offset] > 1) {
            return false;
        }
    }
    return true;
}

bool evs_row_is_valid(const struct evs_row_layout *layout, const struct evs_row *row, size_t bytes)
{
    if (bytes < layout->text_offset || bytes < sizeof *row || bytes > EVS_ROW_BYTES_MAX) {
        return false;
    }
    bool is_sized = evs_row_bytes(row) == bytes && (row->bytes_and_kind & 6u) == 0;
    return is_sized && texts_are_valid(layout, row) && fixed_are_valid(layout, row);
}

struct evs_row *evs_row_restore(struct evs_row_pool *pool, const struct evs_row_layout *layout, struct evs_slice bytes)
{
    struct evs_row *row = evs_row_pool_take(pool, bytes.count);
    memcpy(row, bytes.data, bytes.count);
    if (!evs_row_is_valid(layout, row, bytes.count)) {
        evs_row_pool_give(pool, row, bytes.count);
        return NULL;
    }
    return row;
}

/* Lays the key's columns out as an entry of the table holds them. */
struct evs_entry *evs_row_find_entry(const struct evs_row_layout *layout, const struct evs_row *row,
                                     const uint32_t *key_columns, struct evs_table *table, uint64_t hash, bool *is_new)
{
    uint64_t words[EVS_KEYS_MAX * 2] = {0};
    uint32_t nulls = 0;
    for (uint32_t i = 0; i < table->layout->key_count; i++) {
        uint8_t *to = (uint8_t *)words + (table->layout->key_offset[i] - sizeof(struct evs_entry));
        const struct evs_row_column *about = &layout->columns[key_columns[i]];
        EVS_ASSERT(about->kind == table->layout->key_kind[i]);
        if (evs_row_is_null(layout, row, key_columns[i])) {
            nulls |= 1u << i;
            continue;
        }
        decode_element(layout, about, row, NULL, to);
        if (about->kind == EVS_FLOAT64) {
            double value;
            memcpy(&value, to, sizeof value);
            uint64_t bits = evs_key_bits_float64(value);
            memcpy(to, &bits, sizeof bits);
        }
    }
    return evs_table_put_stored(table, hash, nulls, (const uint8_t *)words, is_new);
}
