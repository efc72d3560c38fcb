/* Patterns of match_recognize as programs.
 *
 * A pattern is a regular expression over rows: its letters are symbols, and a row is every symbol whose condition holds for it (a bit each in the
 * row's mask). It is compiled to the program of a machine that follows all ways at once (Thompson 1968), in order of preference (Pike's
 * variant): where two ways are possible, the left branch of a choice and one more round of a greedy quantifier come first.
 *
 *     A (B | C)*?       0 row A      1 split 5 2      2 split 3 4      3 row B, 1      4 row C, 1      5 match
 *
 * Counted repetitions are written out: A{2,4} is A A (A (A)?)?. A loop whose body may take no row, x*, is compiled as (x+)?, so that its
 * preferences are those of x+ and no round goes nowhere for ever. */
#ifndef EVS_PATTERN_PROGRAM_H
#define EVS_PATTERN_PROGRAM_H

#include "evstream/memory.h"

#define EVS_PATTERN_SYMBOLS_MAX 64u
#define EVS_PATTERN_STATES_MAX 4096u
#define EVS_PATTERN_UNBOUNDED UINT32_MAX

/* The tree that the planner gives. A node stands for `min` to `max` repetitions of itself. */
struct evs_pattern {
    enum {
        EVS_PATTERN_OF_SYMBOL, /* a row that is `symbol` */
        EVS_PATTERN_OF_FIRST,  /* ^: in front of the partition's first row */
        EVS_PATTERN_OF_LAST,   /* $: behind the partition's last row */
        EVS_PATTERN_OF_ALL,    /* the parts one after another; none: takes no row */
        EVS_PATTERN_OF_ONE,    /* one of the parts, earlier ones preferred */
    } kind;
    uint32_t symbol;
    const struct evs_pattern *const *parts;
    uint32_t part_count;
    uint32_t min, max;
    bool is_reluctant; /* prefers fewer rounds */
};

enum evs_pattern_code { EVS_PATTERN_ROW, EVS_PATTERN_SPLIT, EVS_PATTERN_FIRST, EVS_PATTERN_LAST, EVS_PATTERN_MATCH };

struct evs_pattern_state {
    uint8_t code;
    uint8_t symbol;        /* row */
    uint16_t next, second; /* second: the less preferred way of a split */
};

struct evs_pattern_program {
    const struct evs_pattern_state *states;
    uint32_t state_count;
    uint32_t start;
    bool is_longest; /* of the ways through, the one with the most rows counts; preference decides between equal ones */
    bool has_first, has_last; /* uses ^, $ */
    uint32_t rows_max;        /* the most rows that a match can take; EVS_PATTERN_UNBOUNDED */
};

/* False: the pattern needs more than EVS_PATTERN_STATES_MAX states. The program lives in `arena`. */
bool evs_pattern_compile(struct evs_arena *arena, const struct evs_pattern *pattern, bool is_longest,
                         struct evs_pattern_program *program);

#endif
