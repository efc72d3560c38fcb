/* match_recognize: patterns over the rows of a partition. The essay is in op_match.c. */
#ifndef EVS_OP_MATCH_H
#define EVS_OP_MATCH_H

#include "keyed_rows.h"
#include "match_measure.h"
#include "pattern_program.h"

#define EVS_MATCH_NEVER INT64_MIN

struct evs_match_config {
    struct evs_keyed_rows_config rows; /* condition i is that of symbol i */
    struct evs_pattern_program pattern;
    int64_t within_us; /* from a match's first row to its last; EVS_MATCH_NEVER: none */
    bool skips_to_next;
    bool remembers;                     /* partitions are never forgotten: match_number(), or ^ */
    uint32_t rows_max;                  /* of a partition while a match is open */
    const struct evs_measure *measures; /* one a column of the output */
    uint32_t measure_count;
    const char *file;
    uint32_t line;
};
extern const struct evs_operator evs_op_match;

#endif
