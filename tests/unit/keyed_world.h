/* Rows for operators that decide row by row: few keys, few moments, several partitions that are behind each other, so that every rule meets its
 * boundary often. A test runs an operator over them with random cuts into batches, watermarks that come early or late, snapshots and other numbers of
 * workers, and holds the result against a model that reads the rows once, in order. */
#ifndef KEYED_WORLD_H
#define KEYED_WORLD_H

#include "op_case.h"

#define WORLD_ROWS_MAX 64
#define WORLD_PARTITIONS_MAX 3
enum { WORLD_KEY, WORLD_NUMBER, WORLD_UNTIL, WORLD_START, WORLD_END, WORLD_COLUMNS };
#define WORLD_WINDOW 10 /* of the columns start and end */

struct world {
    uint64_t seed;
    struct op_row rows[WORLD_ROWS_MAX];
    uint32_t row_count, partition_count;
    int64_t partition_watermark_us[WORLD_ROWS_MAX][WORLD_PARTITIONS_MAX]; /* behind row i */
    struct evs_field fields[OP_CASE_COLUMNS_MAX];
    struct op_case made;
    int64_t last_watermark_us; /* that the operator had before the end of the input */
};

/* Random rows; the schema of a case is theirs. */
void world_make(struct world *world, uint64_t seed);
/* One more column of the output, an int64. */
void world_add_output(struct world *world);
/* Runs the operator of `world->made` over the rows, to the end of the input. */
void world_run(struct world *world);
/* The expected lines of an output against the found ones, both sorted unless `in_order`. Clears `expected`. */
void world_check(struct world *world, uint32_t output, struct op_lines *expected, bool in_order);
/* The key of a row as a number; -1: NULL. */
int world_key(const struct op_row *row);
/* The order of the key: event time, cause. */
int world_compare(const struct op_row *a, const struct op_row *b);

#endif
