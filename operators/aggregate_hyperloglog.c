/* approx_count_distinct: HyperLogLog (Flajolet et al. 2007) with Ertl's estimator (2017), and an exact set in front of it.
 *
 *   detail 0   a set of the values' 64-bit hashes, up to 512: the count is exact (but for two values with one hash: 2^-64 a pair)
 *   detail 1   2^14 registers of a byte, in 256 pages of 64, so that a snapshot writes the pages that have changed alone
 *
 * A register holds the greatest rank (place of the first one bit) of the hashes that begin with its number. The standard error is 1.04 / sqrt(2^14) =
 * 0.81 %. Ertl's estimator needs no table of corrections, and no switch between formulas that would show as a step.
 *
 * Which form there is, and everything in it, depends on the set of values alone: not on their order, on repetitions, or on merges. */
#include <math.h>

#include "aggregate_kind.h"

#define SET_MAX 512u
#define REGISTER_BITS 14
#define REGISTERS (1u << REGISTER_BITS)
#define RANK_MAX (64 - REGISTER_BITS + 1)
#define PAGE_BYTES 64u
#define PAGES (REGISTERS / PAGE_BYTES)
enum { FORM_SET = 0, FORM_REGISTERS = 1 };

static const struct agg_shape set_shape = {0, sizeof(uint64_t), true};
static const struct agg_shape page_shape = {PAGE_BYTES, sizeof(uint32_t), true};

static const struct agg_shape *hyperloglog_shape(const struct agg_call *call, uint32_t detail)
{
    (void)call;
    return detail == FORM_SET ? &set_shape : &page_shape;
}

static struct evs_slice bytes_of(const void *key, size_t count)
{
    return (struct evs_slice){key, count};
}

/* --- registers ---------------------------------------------------------------------------------------------------------------------------- */

static void raise_register(struct evs_table *table, struct acc_bag *acc, uint32_t number, uint8_t rank)
{
    uint32_t page = number / PAGE_BYTES;
    bool is_new;
    struct agg_entry *entry = evs_bag_add(&acc->bag, table, &page_shape, bytes_of(&page, sizeof page), &is_new);
    uint8_t *at = &entry->payload[number % PAGE_BYTES];
    if (rank > *at) {
        *at = rank;
        if (!is_new) {
            evs_bag_changed(acc->bag, entry);
        }
    }
}

static void add_to_registers(struct evs_table *table, struct acc_bag *acc, uint64_t hash)
{
    uint64_t rest = hash << REGISTER_BITS;
    uint8_t rank = (uint8_t)(rest == 0 ? RANK_MAX : __builtin_clzll(rest) + 1);
    raise_register(table, acc, (uint32_t)(hash >> (64 - REGISTER_BITS)), rank);
}

/* From the set to registers. All pages are made, so that the log has its last size. */
static void promote(struct evs_table *table, struct acc_bag *acc)
{
    struct agg_bag *set = acc->bag;
    EVS_ASSERT(acc->detail == FORM_SET);
    evs_agg_renew_bag(table, acc, FORM_REGISTERS);
    evs_bag_reserve(&acc->bag, table, PAGES * evs_bag_entry_bytes(&page_shape, page_shape.key_bytes));
    for (uint32_t page = 0; page < PAGES; page++) {
        evs_bag_add(&acc->bag, table, &page_shape, bytes_of(&page, sizeof page), NULL);
    }
    EVS_BAG_FOR(set, &set_shape, entry)
    {
        uint64_t hash;
        memcpy(&hash, evs_bag_key(&set_shape, entry).data, sizeof hash);
        add_to_registers(table, acc, hash);
    }
}

static void add_hash(struct evs_table *table, struct acc_bag *acc, uint64_t hash)
{
    if (acc->detail == FORM_REGISTERS) {
        add_to_registers(table, acc, hash);
        return;
    }
    evs_bag_add(&acc->bag, table, &set_shape, bytes_of(&hash, sizeof hash), NULL);
    if (acc->bag->count > SET_MAX) {
        promote(table, acc);
    }
}

/* --- the estimate --------------------------------------------------------------------------------------------------------------------------- */

/* Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6: sigma and tau. */
static double sigma(double x)
{
    double y = 1, z = x, before;
    if (x >= 1) {
        return (double)INFINITY;
    }
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z > before);
    return z;
}

static double tau(double x)
{
    double y = 1, z = 1 - x, before;
    if (x <= 0 || x >= 1) {
        return 0;
    }
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z < before);
    return z / 3;
}

static double estimate(const struct agg_bag *bag)
{
    uint32_t counts[RANK_MAX + 1] = {0};
    uint32_t seen = 0;
    EVS_BAG_FOR(bag, &page_shape, entry)
    {
        for (uint32_t i = 0; i < PAGE_BYTES; i++) {
            counts[entry->payload[i] <= RANK_MAX ? entry->payload[i] : RANK_MAX]++;
            seen++;
        }
    }
    EVS_ASSERT(seen <= REGISTERS);
    counts[0] += REGISTERS - seen; /* a page that never was made */
    double sum = REGISTERS * tau(1 - (double)counts[RANK_MAX] / REGISTERS);
    for (int rank = RANK_MAX - 1; rank >= 1; rank--) {
        sum = 0.5 * (sum + counts[rank]);
    }
    sum += REGISTERS * sigma((double)counts[0] / REGISTERS);
    return (double)REGISTERS * REGISTERS / (2 * M_LN2 * sum);
}

/* --- the kind ------------------------------------------------------------------------------------------------------------------------------- */

static bool is_valid_entry(const struct agg_call *call, const struct agg_entry *entry)
{
    uint32_t page;
    (void)call;
    if (entry->head >> 1 == set_shape.key_bytes) {
        return true;
    }
    memcpy(&page, evs_bag_key(&page_shape, entry).data, sizeof page);
    return page < PAGES;
}

static void update_hyperloglog(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(struct acc_bag)
    {
        uint8_t bits[16];
        struct evs_slice bytes = evs_agg_element_bytes(column->kind, element_at(column, rows->rows[i]), bits);
        add_hash(rows->tables[i], acc, evs_hash64(bytes.data, bytes.count));
    }
}

static void merge_registers(struct evs_table *table, struct acc_bag *acc, const struct agg_bag *from)
{
    EVS_BAG_FOR(from, &page_shape, entry)
    {
        uint32_t page;
        memcpy(&page, evs_bag_key(&page_shape, entry).data, sizeof page);
        for (uint32_t i = 0; i < PAGE_BYTES; i++) {
            if (entry->payload[i] > 0) {
                raise_register(table, acc, page * PAGE_BYTES + i, entry->payload[i]);
            }
        }
    }
}

static void merge_hyperloglog(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_bag *acc = (struct acc_bag *)into;
    const struct acc_bag *other = (const struct acc_bag *)from;
    (void)call;
    if (other->detail == FORM_REGISTERS) {
        if (acc->detail == FORM_SET) {
            promote(table, acc);
        }
        merge_registers(table, acc, other->bag);
        return;
    }
    EVS_BAG_FOR(other->bag, &set_shape, entry)
    {
        uint64_t hash;
        memcpy(&hash, evs_bag_key(&set_shape, entry).data, sizeof hash);
        add_hash(table, acc, hash);
    }
}

static enum evs_agg_outcome result_hyperloglog(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                               struct evs_value *result)
{
    const struct acc_bag *acc = (const struct acc_bag *)at;
    (void)call;
    (void)arena;
    if (acc->detail == FORM_SET) {
        result->int64 = acc->bag == NULL ? 0 : acc->bag->count;
    } else {
        result->int64 = (int64_t)(estimate(acc->bag) + 0.5);
    }
    return EVS_AGG_FITS;
}

const struct agg_kind *evs_agg_hyperloglog_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind kind = {.bytes = sizeof(struct acc_bag),
                                         .update = update_hyperloglog,
                                         .merge = merge_hyperloglog,
                                         .result = result_hyperloglog,
                                         .shape = hyperloglog_shape,
                                         .detail_max = FORM_REGISTERS,
                                         .is_valid = is_valid_entry};
    EVS_ASSERT(config->argument_count == 1);
    return &kind;
}
