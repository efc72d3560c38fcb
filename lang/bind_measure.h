/* What sequence and match_recognize share in the binder: names that mean rows of a part (a step, a symbol), and calls over them.
 *
 * While expressions are bound, columns have numbers of several kinds, N being the number of columns of the rows:
 *
 *   0 … N-1                   of the row that is judged; in a select: not allowed but for the keys
 *   (p+1)·N … (p+1)·N + N-1   of the last row of part p
 *   from evs_match_first on   measures: whatever is more than that
 *
 * In the end everything becomes a list of measures (operators/match_measure.h). */
#ifndef EVS_BIND_MEASURE_H
#define EVS_BIND_MEASURE_H

#include "bind_aggregate.h"
#include "match_measure.h"
#include "plan_build.h"

struct evs_match_part {
    struct evs_ident name;
    bool has_rows; /* false: of an absence, which never has any */
};

/* A measure before it is known where columns stand. */
struct evs_pending_measure {
    enum evs_measure_kind kind;
    uint32_t part;
    const struct evs_expr *column; /* key, current, first, last: over the rows */
    struct pending_call call;
    const struct evs_type *type;
    bool nullable;
    const char *text;
};

#define EVS_NO_PART UINT32_MAX

struct evs_match_scope {
    struct evs_binder *binder;
    struct evs_scope *scope; /* of the rows; settled */
    uint32_t row_columns;    /* N */
    const struct evs_match_part *parts;
    uint32_t part_count;
    const struct evs_ident *absent; /* names of what must not come, for messages */
    uint32_t absent_count;
    uint32_t part_limit;   /* parts from here on come later, and cannot be named */
    uint32_t own_part;     /* whose condition is being bound: its columns are the row's; EVS_NO_PART in a select */
    const char *what;      /* "a sequence", "match_recognize" */
    const char *part_word; /* "step", "symbol" */
    const struct evs_expr *const *keys; /* over the rows; a select may name them */
    uint32_t key_count;
    bool aggregates_alone; /* parts stand inside aggregate functions only */
    struct evs_pending_measure *measures;
    uint32_t measure_count, measure_capacity;
};

static inline uint32_t evs_match_first(const struct evs_match_scope *match)
{
    return (match->part_count + 1) * match->row_columns;
}
/* The number of an equal measure, or of a new one. */
uint32_t evs_match_measure(struct evs_match_scope *match, const struct evs_pending_measure *measure);
/* Whether an expression looks at the row that is judged alone; and the same expression over the rows' own columns, whatever part they belong to. */
bool evs_match_is_of_row(const struct evs_match_scope *match, const struct evs_expr *expr);
const struct evs_expr *evs_match_over_rows(struct evs_match_scope *match, const struct evs_expr *expr);
/* Adds the columns of an expression that have not been seen yet. */
void evs_match_columns_of(const struct evs_expr *expr, const struct evs_expr **columns, uint32_t *count, bool *seen);
/* A select's expression in terms of measures alone: column i is measure i. */
const struct evs_expr *evs_match_select(struct evs_match_scope *match, const struct evs_expr *expr);

/* Where columns of the rows stand in what is kept. */
struct evs_match_kept {
    struct evs_arena *arena;
    uint32_t *columns; /* of the relation; the keys first */
    uint32_t count;
    const struct evs_expr **exprs; /* what each is, over the rows */
};
/* Everything that the measures read, as columns of the operator's input: settles the scope once more. A column of the rows that is in `reads` has the
 * number read_numbers[i] afterwards. */
void evs_match_keep(struct evs_match_scope *match, struct evs_match_kept *kept, const struct evs_expr *const *reads,
                    uint32_t read_count, uint32_t *read_numbers, struct evs_place place);
/* The measure as the operator takes it. */
struct evs_measure evs_match_final(const struct evs_match_scope *match, const struct evs_match_kept *kept,
                                   const struct evs_pending_measure *measure);
uint64_t evs_match_identity(const struct evs_match_scope *match, const struct evs_rel *base);

/* The items of a select, or measures: each is named. NULL: reported. */
bool evs_match_items(struct evs_match_scope *match, const struct evs_ast_items *items, struct evs_columns *columns);

/* Rows that came too late, into a sink: output 1 with the scope's columns, then _watermark and _lateness. */
void evs_match_late_side(struct evs_binder *binder, const struct evs_scope *scope, struct evs_rel_operator *op);
const uint32_t *evs_match_late_map(const struct evs_rel_layout *layout, uint32_t *count);

#endif
