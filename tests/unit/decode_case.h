/* Decoding cases in words: columns from a declaration, results as text. Shared by the unit tests and the fuzz target of the decoder. */
#ifndef EVS_DECODE_CASE_H
#define EVS_DECODE_CASE_H

#include "evstream/decode.h"

#define DECODE_CASE_COLUMNS_MAX 32u
#define DECODE_CASE_PATH_MAX 8u

/* A decoder with its columns. */
struct decode_case {
    struct evs_decode_column columns[DECODE_CASE_COLUMNS_MAX];
    const char *paths[DECODE_CASE_COLUMNS_MAX][DECODE_CASE_PATH_MAX];
    uint32_t column_count;
    struct evs_arena arena;
    struct evs_batch_pool *pool;
    void *decoder;
};

/* `declaration`: columns with `;` between them, as in "a int64 not null; p.q string; t timestamp unit ms; d string default x; $ json".
 * A dot separates the keys of a path; a default is an integer or a bare word. `int64[]` is an array, `nested` the type
 * array<struct<n int64, s string, x array<float64>>>; what they give is shown as JSON. `row_bytes_max` 0: 1 MiB. */
void decode_case_init(struct decode_case *made, const char *declaration, uint32_t row_bytes_max);
void decode_case_fini(struct decode_case *made);

/* How a payload is put before the decoder. */
struct decode_case_run {
    bool is_file;
    uint32_t row_max; /* of a batch */
    uint32_t bad_max;
};

/* Decodes all of `input` (copied into memory of exactly its size and the padding) and appends what came out, in the order of the
 * records, a line each:
 *
 *   #0 1 "text" NULL        a row: index and columns
 *   #1 !type                a bad record: index and reason
 *
 * With `details` a bad record's detail follows its reason, and with `raw` the bytes of each record follow in brackets. Checks what
 * must hold whatever the input: indexes rise, raw bytes lie in the input, reasons are known ones, strings are UTF-8. */
void decode_case_run(struct decode_case *made, struct evs_slice input, struct decode_case_run run, bool details,
                     bool raw, struct evs_buffer *out);

#endif
