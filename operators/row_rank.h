/* The best N rows of a set, by an order: of top, and of order by … limit.
 *
 * A heap whose root is the worst of the kept rows, so that a row that is not among the best costs one comparison, and one that is costs log N. Ties are
 * broken by the order of the key, then by the columns, so that the result does not depend on the order in which rows came.
 *
 * By rank (rank() <= N), ties of the last one stay: a row goes when N rows are better than it, by the order alone. The rows that tie with the root stand
 * together at the heap's top, and go together. */
#ifndef EVS_ROW_RANK_H
#define EVS_ROW_RANK_H

#include "row_keep.h"
#include "value_order.h"

struct evs_ranking { /* how rows are ordered */
    const struct evs_row_layout *layout;
    const struct evs_order_term *terms;
    uint32_t term_count;
};
/* Which of two rows comes first. */
int evs_ranking_compare(const struct evs_ranking *ranking, const struct evs_row *a, const struct evs_row *b);

struct evs_ranked_row {
    struct evs_row *row;
    uint64_t saved; /* the owner's: it stands in a checkpoint */
};
/* Zero-initialised is empty. */
struct evs_ranked {
    struct evs_ranked_row *rows;
    uint32_t count, capacity;
    uint32_t tied; /* by rank: how many are as good as the worst one, itself too */
};

#define EVS_RANKED_ALL UINT64_MAX /* a limit: all are kept, and sorted at the end */
/* Takes the row. Returns the one that is not among the best `limit`: a former one, the row itself, or NULL. */
struct evs_row *evs_ranked_offer(struct evs_ranked *ranked, struct evs_row_pool *pool,
                                 const struct evs_ranking *ranking, uint64_t limit, struct evs_ranked_row offered);
/* The same by rank. What is not among the best is given back to the pool: none, the row itself, or all that tied for the last place. */
void evs_ranked_offer_tied(struct evs_ranked *ranked, struct evs_row_pool *pool, const struct evs_ranking *ranking,
                           uint64_t limit, struct evs_ranked_row offered);
/* Sorts them, best first. Nothing can be offered any more. */
void evs_ranked_sort(struct evs_ranked *ranked, const struct evs_ranking *ranking);
/* Gives the list back; the rows are the caller's. */
void evs_ranked_fini(struct evs_ranked *ranked, struct evs_row_pool *pool);

#endif
