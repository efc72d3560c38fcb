/* Sets of rows: from a bool column to row numbers, and back into columns. */
#include "kernel.h"

/* The lowest bits of eight bytes become eight bits: the multiplication moves that of byte i to bit 56 + i. The other
 * bits are masked first, because the byte of a NULL row may be anything. */
static inline uint64_t pack8(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return ((word & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080)) >> 56;
}

/* One bit a row of the 64 rows from `first`. A column has 64 readable bytes behind it. */
static uint64_t pack64(const uint8_t *bytes, uint32_t first, uint32_t row_count)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < 8; i++) {
        mask |= pack8(bytes + first + i * 8) << (i * 8);
    }
    const uint32_t left = row_count - first;
    return left >= 64 ? mask : mask & ((UINT64_C(1) << left) - 1);
}

static uint32_t dense_true(const struct evs_column *column, uint32_t row_count, uint16_t *out)
{
    const uint8_t *bytes = column->data;
    uint32_t count = 0;
    for (uint32_t first = 0; first < row_count; first += 64) {
        uint64_t mask = pack64(bytes, first, row_count);
        if (column->valid != NULL) {
            mask &= column->valid[first / 64];
        }
        while (mask != 0) {
            out[count++] = (uint16_t)(first + (uint32_t)__builtin_ctzll(mask));
            mask &= mask - 1;
        }
    }
    return count;
}

static uint32_t copy_rows(const struct evs_rows *rows, uint16_t *out)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        out[i] = (uint16_t)evs_rows_at(rows, i);
    }
    return rows->count;
}

uint32_t evs_rows_true(const struct evs_column *column, const struct evs_rows *rows, uint16_t *out)
{
    EVS_ASSERT(column->kind == EVS_BOOL);
    const uint8_t *bytes = column->data;
    if (column->flags & EVS_COLUMN_CONSTANT) {
        return evs_column_is_valid(column, 0) && bytes[0] ? copy_rows(rows, out) : 0;
    }
    if (rows->index == NULL) {
        return dense_true(column, rows->count, out);
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        const uint32_t row = rows->index[i];
        out[count] = (uint16_t)row;
        count += bytes[row] & 1u & (uint32_t)evs_column_is_valid(column, row);
    }
    return count;
}

void evs_rows_split(const struct evs_eval *eval, const struct evs_column *column, const struct evs_rows *rows,
                    struct evs_split *split)
{
    EVS_ASSERT(column->kind == EVS_BOOL);
    const uint8_t *bytes = column->data;
    const size_t stride = (column->flags & EVS_COLUMN_CONSTANT) ? 0 : 1;
    uint16_t unwanted[EVS_BATCH_ROWS + 1];
    uint16_t *yes = split->yes ? split->yes : unwanted;
    uint16_t *no = split->no ? split->no : unwanted;
    uint16_t *null = split->null ? split->null : unwanted;
    uint32_t yes_count = 0, no_count = 0, null_count = 0;
    EVS_EACH_ROW(rows, row)
    {
        if (EVS_UNLIKELY(eval->failure_count > 0) && evs_eval_failed(eval, row)) {
            continue;
        }
        const uint32_t valid = evs_column_is_valid(column, row);
        const uint32_t value = bytes[row * stride] & 1;
        yes[yes_count] = no[no_count] = null[null_count] = (uint16_t)row;
        yes_count += valid & value;
        no_count += valid & ~value;
        null_count += !valid;
    }
    split->yes_count = yes_count;
    split->no_count = no_count;
    split->null_count = null_count;
}

#define SCATTER(T)                                                                                                     \
    do {                                                                                                               \
        T *out = to->data;                                                                                             \
        const T *in = from->data;                                                                                      \
        EVS_EACH_ROW(rows, row)                                                                                        \
        {                                                                                                              \
            out[row] = in[row * stride];                                                                               \
        }                                                                                                              \
    } while (0)

void evs_rows_scatter(struct evs_column *to, const struct evs_column *from, const struct evs_rows *rows)
{
    EVS_ASSERT(to->kind == from->kind);
    EVS_ASSERT((to->flags & EVS_COLUMN_CONSTANT) == 0);
    EVS_ASSERT(from->valid == NULL || to->valid != NULL);
    const size_t stride = (from->flags & EVS_COLUMN_CONSTANT) ? 0 : 1;
    switch (evs_kind_width(to->kind)) {
    case 1:
        SCATTER(uint8_t);
        break;
    case 8:
        SCATTER(uint64_t);
        break;
    default:
        SCATTER(struct evs_str); /* any 16 bytes */
        break;
    }
    if (to->valid == NULL) {
        return;
    }
    EVS_EACH_ROW(rows, row)
    {
        const uint64_t bit = UINT64_C(1) << (row % 64);
        const bool valid = evs_column_is_valid(from, row);
        to->valid[row / 64] = valid ? to->valid[row / 64] | bit : to->valid[row / 64] & ~bit;
    }
}

uint32_t evs_rows_merge(const uint16_t *a, uint32_t a_count, const uint16_t *b, uint32_t b_count, uint16_t *out)
{
    uint32_t i = 0, j = 0, count = 0;
    while (i < a_count || j < b_count) {
        const uint32_t x = i < a_count ? a[i] : UINT32_MAX, y = j < b_count ? b[j] : UINT32_MAX;
        out[count++] = (uint16_t)(x < y ? x : y);
        i += x <= y;
        j += y <= x;
    }
    return count;
}
