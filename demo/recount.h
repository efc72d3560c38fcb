/* A recount of the demo's events, by the rules of the pipeline language and nothing of the engine: arrays, sorting, one pass.
 *
 *   record of what was published ──► recount_rules.c ──► the texts that must be there ──┐
 *                                                                                         ├─► recount_compare.c ──► the same, line by line?
 *   streams as they stand (dumps) ────────────────────────────────────────────────────────┘
 *
 * Both sides are texts: the recount writes each trigger as the JSON line that the engine must have written, so that a wrong value, a wrong
 * window and a wrong layout all show as one line missing and one too many. */
#ifndef EVS_RECOUNT_H
#define EVS_RECOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind { KIND_PAGE, KIND_PRODUCT_VIEW, KIND_ADD_TO_CART, KIND_PURCHASE };
enum flaw { FLAW_WHOLE, FLAW_CUT, FLAW_NO_TYPE, FLAW_NO_TIME, FLAW_BAD_TIME, FLAW_BAD_PRICE, FLAW_FUTURE };

/* One line of the record. Texts point into the file; NULL where it says "-". */
struct event {
    uint32_t partition;
    uint64_t sequence, index;
    int64_t sent_us, occurred_us;
    enum kind kind;
    enum flaw flaw;
    const char *id, *user, *anonymous, *sku, *campaign;
    int64_t quantity, cents;
};

/* What the pipelines were told with --param, and their constants. */
struct rules {
    int64_t window_us, delay_us, future_us, remember_us;
    int64_t min_cents, gold_cents, min_visitors;
};

struct lines {
    char **items;
    size_t count, capacity;
};

/* What one pipeline must have put out. */
struct expected {
    struct lines triggers, late, dead;
};

enum pipeline { CART_VALUE, HOT_PRODUCTS, SALES_BY_CAMPAIGN, GOLD_CUSTOMERS, PIPELINE_COUNT };
extern const char *const evs_pipeline_names[PIPELINE_COUNT];

#define PARTITIONS_MAX 256u

/* The events in the order of their partitions: by partition, sequence, index. */
void evs_recount(enum pipeline pipeline, const struct rules *rules, const struct event *events, size_t count,
                 struct expected *expected);

/* How a stream agrees with what it should hold. */
struct agreement {
    size_t expected, found, missing, extra;
    size_t twice;               /* messages whose id another one has, or which have none */
    char *a_missing, *an_extra; /* the first of each, to look at; NULL: none */
};
/* `path` holds a line for each message: "id<TAB>payload", or the payload alone without ids. Sorts both. False: it cannot be read. */
bool evs_recount_compare(const char *path, bool has_ids, bool is_dead, struct lines *expected,
                         struct agreement *agreement);

void *evs_recount_grow(void *items, size_t *capacity, size_t count, size_t item_bytes);
void evs_lines_add(struct lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
void evs_lines_free(struct lines *lines);
char *evs_read_whole(const char *path); /* NULL: it cannot be read; ends with a NUL */

#endif
