/* Keys of rows. Column by column, so that each loop has one type; a text key of up to 12 bytes is hashed from its inline view. */
#include "evstream/keys.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEY_SEED UINT64_C(0x6576737472656d31)
#define HASH_OF_NULL UINT64_C(0x9ae16a3b2f90404f)
#define HASH_OF_NOTHING UINT64_C(0x5bd1e9955bd1e995)

/* A strong mix of one 64-bit word (the finaliser of MurmurHash3, Appleby): fixed-width keys need no more. */
static inline uint64_t hash_word(uint64_t word)
{
    word ^= KEY_SEED;
    word ^= word >> 33;
    word *= UINT64_C(0xff51afd7ed558ccd);
    word ^= word >> 33;
    word *= UINT64_C(0xc4ceb9fe1a85ec53);
    word ^= word >> 33;
    return word;
}

static inline uint64_t hash_text(const struct evs_str *text)
{
    return XXH3_64bits_withSeed(evs_str_data(text), text->count, KEY_SEED);
}

uint64_t evs_key_hash_text(const struct evs_str *text)
{
    return hash_text(text);
}

static inline uint64_t combine(uint64_t left, uint64_t right)
{
    return hash_word(left * UINT64_C(0x9e3779b97f4a7c15) + right);
}

static uint64_t hash_element(const struct evs_column *column, uint32_t row)
{
    if (!evs_column_is_valid(column, row)) {
        return HASH_OF_NULL;
    }
    switch (evs_kind_width(column->kind)) {
    case 1:
        return hash_word(*EVS_COLUMN_AT(column, uint8_t, row));
    case 8:
        if (column->kind == EVS_FLOAT64) {
            return hash_word(evs_key_bits_float64(*EVS_COLUMN_AT(column, double, row)));
        }
        return hash_word(*EVS_COLUMN_AT(column, uint64_t, row));
    default:
        if (evs_kind_is_var(column->kind)) {
            return hash_text(EVS_COLUMN_AT(column, struct evs_str, row));
        }
        return XXH3_64bits_withSeed(EVS_COLUMN_AT(column, struct evs_str, row), 16, KEY_SEED);
    }
}

/* The common case, a text column without NULLs, apart: this loop is on the path of every keyed row. */
static void hash_column(const struct evs_batch *batch, const struct evs_column *column, uint64_t *hashes, bool first)
{
    bool plain_text = evs_kind_is_var(column->kind) && column->valid == NULL && !(column->flags & EVS_COLUMN_CONSTANT);
    if (plain_text && first) {
        const struct evs_str *text = column->data;
        EVS_FOR_ROWS(batch, position, row) {
            hashes[position] = hash_text(&text[row]);
        }
        return;
    }
    EVS_FOR_ROWS(batch, position, row) {
        uint64_t hash = hash_element(column, row);
        hashes[position] = first ? hash : combine(hashes[position], hash);
    }
}

void evs_key_hash_rows(const struct evs_batch *batch, const uint32_t *columns, uint32_t column_count, uint64_t *hashes)
{
    if (column_count == 0) {
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            hashes[i] = HASH_OF_NOTHING;
        }
        return;
    }
    for (uint32_t i = 0; i < column_count; i++) {
        EVS_ASSERT(columns[i] < batch->column_count);
        hash_column(batch, &batch->columns[columns[i]], hashes, i == 0);
    }
}

static void encode_element(const struct evs_column *column, uint32_t row, struct evs_buffer *out)
{
    uint8_t kind = evs_column_is_valid(column, row) ? (uint8_t)column->kind : 0;
    evs_buffer_put(out, &kind, 1);
    if (kind == 0) {
        return;
    }
    if (evs_kind_is_var(column->kind)) {
        const struct evs_str *text = EVS_COLUMN_AT(column, struct evs_str, row);
        evs_buffer_put(out, &text->count, 4);
        evs_buffer_put(out, evs_str_data(text), text->count);
        return;
    }
    uint32_t width = evs_kind_width(column->kind);
    size_t index = (column->flags & EVS_COLUMN_CONSTANT) ? 0 : row;
    if (column->kind == EVS_FLOAT64) {
        uint64_t bits = evs_key_bits_float64(((const double *)column->data)[index]);
        evs_buffer_put(out, &bits, 8);
        return;
    }
    evs_buffer_put(out, (const uint8_t *)column->data + index * width, width);
}

void evs_key_encode(const struct evs_batch *batch, uint32_t row, const uint32_t *columns, uint32_t column_count,
                    struct evs_buffer *out)
{
    for (uint32_t i = 0; i < column_count; i++) {
        encode_element(&batch->columns[columns[i]], row, out);
    }
}
