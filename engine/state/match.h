/* Which stored state belongs to which part of a pipeline that may have changed (exactness, 16).
 *
 *   record of the last commit              plan of today
 *   operator totals  ───── by its name ─────► operator totals        kept, or migrated: columns came or went
 *   operator agg_331 ── by keys, window, ───► operator visits        kept under its new name
 *                       rows that come
 *   operator agg_8c2                         (none)                  dropped: only with permission
 *   (none)                                   operator pages          new: begins empty
 *
 * An explicit name is a promise of the user that the state goes on though other rows come (a filter changed). Without one, an operator is the stored one
 * only if kind, keys, window and the rows that come are the same; where that holds for several, nobody guesses: names are asked for. Keys or a window
 * that changed are never the same state.
 *
 * Rejected: matching by the order in the file (moving a query would mix up two states), and by "the most similar" (a wrong number in silence). */
#ifndef EVS_STATE_MATCH_H
#define EVS_STATE_MATCH_H

#include "evstream/plan.h"
#include "record.h"

enum evs_match_fate {
    EVS_MATCH_KEPT,
    EVS_MATCH_MIGRATED,
    EVS_MATCH_NEW,
    EVS_MATCH_DROPPED,
    EVS_MATCH_RESTARTED, /* an operator of this name has stored state, which does not fit: dropped, and begun anew */
};

struct evs_match_operator {
    enum evs_match_fate fate;
    const struct evs_plan_node *node;      /* NULL: dropped */
    const struct evs_record_node *stored;  /* NULL: new */
    const char *why;                       /* dropped, restarted: a clause for people; NULL: nothing to say */
    struct evs_state_migration *migration; /* migrated */
};

/* A source or a sink. */
struct evs_match_end {
    enum evs_match_fate fate; /* kept, new or dropped */
    const char *name;
    uint64_t undelivered; /* dropped sinks: messages that it has not delivered yet */
};

struct evs_match {
    struct evs_match_operator *operators;
    struct evs_match_end *sources, *sinks;
    uint32_t operator_count, source_count, sink_count;
    bool drops;      /* something stored would be lost */
    bool is_changed; /* the log holds records that only this match can read: the first commit must replace them all */
};

/* Everything lives in `arena`. EVS_E_STATE: it is not clear what belongs together; the text asks for names. */
EVS_MUST_CHECK evs_status evs_match_make(const struct evs_plan *plan, const struct evs_record *record,
                                         struct evs_arena *arena, struct evs_match *match, struct evs_error *error);
/* The operator that goes on with this stored state; NULL: it is dropped or unknown. */
const struct evs_match_operator *evs_match_of_stored(const struct evs_match *match, struct evs_slice name);
const struct evs_match_operator *evs_match_of_node(const struct evs_match *match, const struct evs_plan_node *node);
/* Some lines for people: what becomes of each operator, source and sink. */
void evs_match_describe(const struct evs_match *match, struct evs_buffer *text);
/* The names of what would be lost, with the reason, in one line. */
void evs_match_losses(const struct evs_match *match, struct evs_buffer *text);

#endif
