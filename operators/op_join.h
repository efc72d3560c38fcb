/* join of two streams: by time (interval join) or by window (window join), inner, left, right, full, semi and anti. The essay is in op_join.c. */
#ifndef EVS_OP_JOIN_H
#define EVS_OP_JOIN_H

#include "evstream/operator.h"
#include "expr.h"

#define EVS_JOIN_UNBOUNDED_LOWER INT64_MIN
#define EVS_JOIN_UNBOUNDED_UPPER INT64_MAX
#define EVS_JOIN_NO_COLUMN UINT32_MAX

enum evs_join_result {
    EVS_JOIN_GIVES_PAIRS,   /* inner, left, right, full */
    EVS_JOIN_GIVES_FIRST,   /* semi: a left row, once, when it is known to match */
    EVS_JOIN_GIVES_NONE,    /* anti: a left row, once, when it is known to match nothing */
    EVS_JOIN_GIVES_VERSION, /* op_version_join.c: a left row, once, with one right row */
};

struct evs_join_side {
    const uint32_t *columns; /* of the input's batches, those that are kept: the key columns, then what pairs show */
    uint32_t column_count;
    uint32_t key_count;
    bool pads;           /* unmatched rows of this side come, too (anti: of the left one) */
    uint32_t window_end; /* window join: which of the key columns is the end of the window */
    /* Late rows: the input's column that late column i shows; EVS_JOIN_NO_COLUMN: NULL. NULL: late rows of this side are counted only. */
    const uint32_t *late;
};

struct evs_join_config {
    enum evs_join_result result;
    struct evs_join_side sides[2];
    bool is_window;                /* rows of one window meet: the bounds below are not used */
    bool is_empty;                 /* lower > upper: nothing ever matches */
    int64_t lower_us, upper_us;    /* time of the right row - time of the left row, both included */
    int64_t lateness_us;           /* rows may come so much behind the watermark, which is passed on so much later */
    uint32_t matches_max;          /* pairs that one arriving row may give */
    struct evs_schema pair_schema; /* the kept columns of the left side, then of the right one */
    const struct evs_program *residual; /* over pair_schema: what else must hold of a pair; NULL: nothing */
    const uint32_t *items;              /* column i of the output is pair column items[i] */
    bool late_output; /* late rows go to output 1: late_count columns of these kinds, then _watermark and _lateness */
    const enum evs_kind *late_kinds;
    uint32_t late_count;
};
extern const struct evs_operator evs_op_join;

#endif
