#include "row_rank.h"

#include <stdlib.h>

int evs_ranking_compare(const struct evs_ranking *ranking, const struct evs_row *a, const struct evs_row *b)
{
    int order = evs_order_compare(ranking->layout, ranking->terms, ranking->term_count, a, b);
    return order != 0 ? order : evs_tie_compare(ranking->layout, a, b);
}

static bool is_worse(const struct evs_ranking *ranking, const struct evs_ranked *ranked, uint32_t a, uint32_t b)
{
    return evs_ranking_compare(ranking, ranked->rows[a].row, ranked->rows[b].row) > 0;
}

static void swap(struct evs_ranked *ranked, uint32_t a, uint32_t b)
{
    struct evs_ranked_row kept = ranked->rows[a];
    ranked->rows[a] = ranked->rows[b];
    ranked->rows[b] = kept;
}

static void sift_up(struct evs_ranked *ranked, const struct evs_ranking *ranking)
{
    for (uint32_t at = ranked->count - 1; at > 0 && is_worse(ranking, ranked, at, (at - 1) / 2); at = (at - 1) / 2) {
        swap(ranked, at, (at - 1) / 2);
    }
}

static void sift_down(struct evs_ranked *ranked, const struct evs_ranking *ranking)
{
    for (uint32_t at = 0;;) {
        uint32_t worst = at, left = at * 2 + 1, right = at * 2 + 2;
        worst = left < ranked->count && is_worse(ranking, ranked, left, worst) ? left : worst;
        worst = right < ranked->count && is_worse(ranking, ranked, right, worst) ? right : worst;
        if (worst == at) {
            return;
        }
        swap(ranked, at, worst);
        at = worst;
    }
}

static void grow(struct evs_ranked *ranked, struct evs_row_pool *pool)
{
    uint32_t capacity = ranked->capacity == 0 ? 4 : ranked->capacity * 2;
    EVS_ASSERT(capacity > ranked->capacity);
    struct evs_ranked_row *rows = evs_row_pool_take(pool, capacity * sizeof *rows);
    if (ranked->capacity > 0) {
        memcpy(rows, ranked->rows, ranked->count * sizeof *rows);
        evs_row_pool_give(pool, ranked->rows, ranked->capacity * sizeof *rows);
    }
    ranked->rows = rows;
    ranked->capacity = capacity;
}

struct evs_row *evs_ranked_offer(struct evs_ranked *ranked, struct evs_row_pool *pool,
                                 const struct evs_ranking *ranking, uint64_t limit, struct evs_ranked_row offered)
{
    if (ranked->count < limit) {
        if (ranked->count == ranked->capacity) {
            grow(ranked, pool);
        }
        ranked->rows[ranked->count++] = offered;
        if (limit != EVS_RANKED_ALL) { /* else nothing is ever pushed out */
            sift_up(ranked, ranking);
        }
        return NULL;
    }
    if (limit == 0 || evs_ranking_compare(ranking, offered.row, ranked->rows[0].row) >= 0) {
        return offered.row;
    }
    struct evs_row *worst = ranked->rows[0].row;
    ranked->rows[0] = offered;
    sift_down(ranked, ranking);
    return worst;
}

/* --- by rank ------------------------------------------------------------------------------------------------------------------------ */

static int compare_to_worst(const struct evs_ranking *ranking, const struct evs_ranked *ranked,
                            const struct evs_row *row)
{
    return evs_order_compare(ranking->layout, ranking->terms, ranking->term_count, row, ranked->rows[0].row);
}

/* A row between two that tie is one of them, so those that tie with the root are reached through their like. */
static uint32_t count_tied(const struct evs_ranking *ranking, const struct evs_ranked *ranked, uint32_t at)
{
    if (at >= ranked->count || compare_to_worst(ranking, ranked, ranked->rows[at].row) != 0) {
        return 0;
    }
    return 1 + count_tied(ranking, ranked, at * 2 + 1) + count_tied(ranking, ranked, at * 2 + 2);
}

static void push(struct evs_ranked *ranked, struct evs_row_pool *pool, const struct evs_ranking *ranking,
                 struct evs_ranked_row row)
{
    if (ranked->count == ranked->capacity) {
        grow(ranked, pool);
    }
    ranked->rows[ranked->count++] = row;
    sift_up(ranked, ranking);
}

static void drop_worst(struct evs_ranked *ranked, struct evs_row_pool *pool, const struct evs_ranking *ranking)
{
    EVS_ASSERT(ranked->count > 0);
    evs_row_free(pool, ranked->rows[0].row);
    ranked->rows[0] = ranked->rows[--ranked->count];
    sift_down(ranked, ranking);
}

void evs_ranked_offer_tied(struct evs_ranked *ranked, struct evs_row_pool *pool, const struct evs_ranking *ranking,
                           uint64_t limit, struct evs_ranked_row offered)
{
    int order = ranked->count == 0 ? 1 : compare_to_worst(ranking, ranked, offered.row);
    if (order > 0 && ranked->count >= limit) {
        evs_row_free(pool, offered.row);
        return;
    }
    push(ranked, pool, ranking, offered);
    ranked->tied = order > 0 ? 1 : ranked->tied + (order == 0);
    EVS_ASSERT(ranked->tied >= 1 && ranked->tied <= ranked->count);
    if (ranked->count - ranked->tied < limit) {
        return;
    }
    while (ranked->tied-- > 0) {
        drop_worst(ranked, pool, ranking);
    }
    ranked->tied = count_tied(ranking, ranked, 0);
    EVS_ASSERT(ranked->count == limit);
}

/* --- all of them ------------------------------------------------------------------------------------------------------------------ */

static int best_first(const void *a, const void *b, void *ranking)
{
    const struct evs_ranked_row *left = a, *right = b;
    return evs_ranking_compare(ranking, left->row, right->row);
}

void evs_ranked_sort(struct evs_ranked *ranked, const struct evs_ranking *ranking)
{
    if (ranked->count > 1) {
        qsort_r(ranked->rows, ranked->count, sizeof *ranked->rows, best_first, (void *)ranking);
    }
}

void evs_ranked_fini(struct evs_ranked *ranked, struct evs_row_pool *pool)
{
    if (ranked->capacity > 0) {
        evs_row_pool_give(pool, ranked->rows, ranked->capacity * sizeof *ranked->rows);
    }
    *ranked = (struct evs_ranked){0};
}
