/* Matching the rows of one partition against a pattern.
 *
 *      buffered rows   ┌───┬───┬───┬───┐
 *      (masks)         │ 0 │ 1 │ 2 │ 3 │ ◄── evs_match_add
 *                      └───┴───┴───┴───┘
 *                        ▲           ▲
 *            where a match may begin  └ `fed`: rows that the ways from there have taken
 *
 * One beginning is looked at at a time, since matches are told in the order of their beginnings. What is known of it is the list of the states in which
 * a way waits for the next row, in order of preference, and the longest match found so far that the ways before it in the list would still
 * displace. When no way is left, the match is decided: not one row later. Then the rows in front of the next beginning are dropped,
 * and those that stay are fed again.
 *
 * Feeding again would cost the square of a partition's rows (`A* B` on rows that are all A). So what a failed look has learnt is kept: if a way that
 * waited in state q for row i came to nothing, then every later way in q at i does, too. With that the cost is rows × states plus
 * the rows of all matches. A look that ended because its time was over (`within`) teaches nothing, for a later beginning has more time.
 *
 * The matcher keeps masks and not rows; it is rebuilt from them, so a snapshot needs nothing else. */
#ifndef EVS_PATTERN_MATCH_H
#define EVS_PATTERN_MATCH_H

#include "evstream/rows.h"
#include "pattern_program.h"

/* Of one partition. Zero-initialised is a partition of which no row has been seen (set `is_first`). Memory is the pool's: 8 bytes a row and 16 a
 * row and 64 states, 2 a state while a match is open. */
struct evs_matching {
    uint64_t
        *masks; /* capacity of them, and behind them twice as many sets of states: what was tried, what is hopeless */
    uint32_t first, count, capacity;
    uint32_t fed;
    uint32_t way_count;
    uint16_t *ways; /* room for state_count; NULL: nothing was fed */
    uint32_t best;  /* rows of the match found so far, + 1; 0: none */
    bool is_first;  /* row 0 is the partition's first */
    bool is_open;   /* the ways begin at row 0 */
    bool is_closed; /* the look ended because its time was over */
    bool is_at_end; /* the look took the last row for the partition's last */
};

/* Shared by all partitions of an operator. */
struct evs_match_scratch;
struct evs_match_scratch *evs_match_scratch_new(const struct evs_pattern_program *program);
void evs_match_scratch_free(struct evs_match_scratch *scratch);

enum evs_match_outcome {
    EVS_MATCH_OPEN, /* it takes more rows, or the end, to know */
    EVS_MATCH_FOUND,
    EVS_MATCH_NONE,
};

void evs_match_add(struct evs_matching *matching, struct evs_match_scratch *scratch, struct evs_row_pool *pool,
                   uint64_t mask);
/* Looks for a match that begins at row 0 and takes none but the first `row_limit` rows. `is_closed`: no further row can belong to it. `is_end`: the
 * buffered rows are the partition's last ones, so `$` holds behind them; row_limit is then the count. *row_count: rows of the match, perhaps 0. */
enum evs_match_outcome evs_match_look(struct evs_matching *matching, struct evs_match_scratch *scratch,
                                      struct evs_row_pool *pool, uint32_t row_limit, bool is_closed, bool is_end,
                                      uint32_t *row_count);
/* The symbol that each of the match's rows stands for, right after EVS_MATCH_FOUND. Valid until the scratch is used again. */
const uint8_t *evs_match_symbols(const struct evs_matching *matching, struct evs_match_scratch *scratch);
/* Drops the first `rows` rows (at least one): the next match begins behind them. After a look that was decided. */
void evs_match_skip(struct evs_matching *matching, struct evs_match_scratch *scratch, struct evs_row_pool *pool,
                    uint32_t rows);
void evs_match_free(struct evs_matching *matching, struct evs_match_scratch *scratch, struct evs_row_pool *pool);

#endif
