/* Keys of rows: hashing for exchanges and shards, and a canonical encoding.
 *
 * Two rows have the same key when every key column is equal, where NULL equals NULL, NaN equals NaN and -0.0 equals 0.0 (group by,
 * GoogleSQL). Hash and encoding are part of the state format and of trigger ids: they never change within a format version. */
#ifndef EVS_KEYS_H
#define EVS_KEYS_H

#include "evstream/batch.h"

/* hashes[i] is for the i-th selected row (position, not physical row). Zero columns: all rows share one constant hash. */
void evs_key_hash_rows(const struct evs_batch *batch, const uint32_t *columns, uint32_t column_count, uint64_t *hashes);

/* The same hash for a key of one text column, of a text that stands in no batch. */
uint64_t evs_key_hash_text(const struct evs_str *text);

/* The bits of a fixed-width value as they count for equality: float64 normalised (one NaN, no negative zero). */
static inline uint64_t evs_key_bits_float64(double value)
{
    uint64_t bits;
    if (value != value) {
        return UINT64_C(0x7ff8000000000000);
    }
    value += 0.0; /* -0.0 becomes 0.0 */
    memcpy(&bits, &value, 8);
    return bits;
}

/* Appends the canonical encoding of one row's key: for each column a kind byte (0 for NULL), then 1, 8 or 16 bytes, or for text a
 * 4-byte count and the bytes. */
void evs_key_encode(const struct evs_batch *batch, uint32_t row, const uint32_t *columns, uint32_t column_count,
                    struct evs_buffer *out);

#endif
