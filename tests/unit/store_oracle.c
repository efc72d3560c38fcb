#include "store_oracle.h"

#include <check.h>
#include <stdio.h>

#include "store_redis.h"

/* --- contents ----------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* The bytes of a block follow from where it belongs. */
static struct evs_slice make_block(const struct oracle_commit *shape, enum evs_block_kind kind, uint32_t index)
{
    uint64_t x = mix(shape->seed * 1000003 + index * 2 + kind);
    size_t count = index % 7 == 3 ? 0 : x % (shape->block_bytes + 1);
    char *bytes = evs_alloc(count + 8);
    for (size_t i = 0; i < count; i += 8) {
        x = mix(x);
        memcpy(bytes + i, &x, 8);
    }
    return (struct evs_slice){bytes, count};
}

static struct evs_slice *make_blocks(const struct oracle_commit *shape, enum evs_block_kind kind, uint32_t count)
{
    struct evs_slice *blocks = evs_alloc((count + 1) * sizeof *blocks);
    for (uint32_t i = 0; i < count; i++) {
        blocks[i] = make_block(shape, kind, i);
    }
    return blocks;
}

static void free_blocks(struct evs_slice *blocks, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_free((char *)blocks[i].data);
    }
    evs_free(blocks);
}

static struct evs_slice make_record(const struct oracle_commit *shape, uint64_t checkpoint, char text[96])
{
    int count =
        snprintf(text, 96, "record %llu of %llu", (unsigned long long)checkpoint, (unsigned long long)shape->seed);
    return (struct evs_slice){text, (size_t)count};
}

/* --- committing --------------------------------------------------------------------------------------------------- */

evs_status oracle_commit(struct oracle *oracle, void *store, struct oracle_commit shape, struct evs_error *error)
{
    uint64_t checkpoint = oracle->last + 1;
    ck_assert_uint_lt(checkpoint, ORACLE_COMMITS_MAX);
    char record[96];
    uint64_t before = oracle->last == 0 ? 0 : oracle->commits[oracle->last].state_from;
    bool rolls = shape.state_keeps > 0 && checkpoint > before + shape.state_keeps;
    shape.state_from = shape.snapshot_starts ? checkpoint : rolls ? checkpoint - shape.state_keeps : before;
    struct evs_slice *blocks = make_blocks(&shape, EVS_BLOCK_STATE, shape.blocks);
    struct evs_slice *outbox = make_blocks(&shape, EVS_BLOCK_OUTBOX, shape.outbox);
    struct evs_store_commit commit = {.checkpoint = checkpoint,
                                      .state_from = shape.state_from,
                                      .outbox_restart = shape.outbox_restart,
                                      .blocks = blocks,
                                      .block_count = shape.blocks,
                                      .outbox = outbox,
                                      .outbox_count = shape.outbox,
                                      .record = make_record(&shape, checkpoint, record)};
    evs_status status = evs_store_redis.commit(store, &commit, error);
    free_blocks(blocks, shape.blocks);
    free_blocks(outbox, shape.outbox);
    if (status == EVS_OK) {
        oracle->commits[checkpoint] = shape;
        oracle->last = checkpoint;
    }
    return status;
}

void oracle_accept(struct oracle *oracle, const struct evs_store_terms *terms)
{
    ck_assert_uint_eq(terms->has_commit, terms->checkpoint > 0);
    ck_assert_uint_le(terms->checkpoint, oracle->last);
    oracle->last = terms->checkpoint;
    if (terms->has_commit) {
        char record[96];
        struct evs_slice expected = make_record(&oracle->commits[oracle->last], oracle->last, record);
        ck_assert(evs_slice_equal(terms->record, expected));
    }
}

/* --- restoring ---------------------------------------------------------------------------------------------------- */

struct expectation {
    struct oracle *oracle;
    uint64_t checkpoint[2]; /* per kind: of the next block … */
    uint32_t index[2];      /* … and its place there */
    bool outbox_began;
};

static uint32_t count_of(const struct oracle_commit *shape, int kind)
{
    return kind == EVS_BLOCK_STATE ? shape->blocks : shape->outbox;
}

/* The commit that a kind's blocks begin with. */
static uint64_t first_checkpoint(const struct oracle *oracle, int kind)
{
    uint64_t first = 1;
    if (kind == EVS_BLOCK_STATE && oracle->last > 0) {
        uint64_t from = oracle->commits[oracle->last].state_from;
        return from > 1 ? from : 1;
    }
    for (uint64_t c = 1; c <= oracle->last; c++) {
        first = oracle->commits[c].outbox_restart ? c : first;
    }
    return first;
}

static void skip_empty(struct expectation *expect, int kind)
{
    while (expect->checkpoint[kind] <= expect->oracle->last &&
           expect->index[kind] == count_of(&expect->oracle->commits[expect->checkpoint[kind]], kind)) {
        expect->checkpoint[kind]++;
        expect->index[kind] = 0;
    }
}

static evs_status take(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                       struct evs_error *error)
{
    (void)error;
    struct expectation *expect = argument;
    expect->outbox_began = expect->outbox_began || kind == EVS_BLOCK_OUTBOX;
    ck_assert_msg(kind == EVS_BLOCK_OUTBOX || !expect->outbox_began, "state comes before the outbox");
    ck_assert_uint_eq(checkpoint, expect->checkpoint[kind]);
    ck_assert_uint_le(checkpoint, expect->oracle->last);
    struct evs_slice expected = make_block(&expect->oracle->commits[checkpoint], kind, expect->index[kind]);
    ck_assert(evs_slice_equal(block, expected));
    evs_free((char *)expected.data);
    expect->index[kind]++;
    skip_empty(expect, kind);
    return EVS_OK;
}

evs_status oracle_restore(struct oracle *oracle, void *store, struct evs_error *error)
{
    struct expectation expect = {.oracle = oracle};
    for (int kind = 0; kind < 2; kind++) {
        expect.checkpoint[kind] = first_checkpoint(oracle, kind);
        skip_empty(&expect, kind);
    }
    evs_status status = evs_store_redis.restore(store, take, &expect, error);
    if (status == EVS_OK) {
        for (int kind = 0; kind < 2; kind++) {
            ck_assert_msg(expect.checkpoint[kind] == oracle->last + 1,
                          "blocks of kind %d of checkpoint %llu are missing", kind,
                          (unsigned long long)expect.checkpoint[kind]);
        }
    }
    return status;
}
