/* Long frames in O(1): two stacks of accumulators for each bounded frame of a partition.
 *
 *      history   ┆ r₀ │ r₁ │ r₂ │ r₃ │ r₄ │ r₅ ┆ r₆ │ r₇ │ r₈
 *                       └───── suffixes ──────┘ └── back ──┘
 *                      s₁ = r₁…r₅, s₂ = r₂…r₅ …  turn        b = r₆…r₈           frame r₂…r₈ = s₂ + b
 *
 * Frames only ever move on. Each new row is added to `back`; a result is one suffix merged with it. When the frame has left all suffixes behind (it begins at or
 * behind the turn), its rows become suffixes, made backwards, and `back` begins anew: each row is in `back` once and in a suffix once, whatever the frame's length.
 *
 * Nothing is subtracted, but rows are added up in groups that depend on where the turn was, and that on when the partition's sums were made (a restore makes them
 * anew). So it is done only where groups make no difference at all: counts, sums of integers and numerics, least and greatest, first and last, bits. Sums of float64
 * and what keeps many values are computed from the rows of the frame, and so are text (it would leave garbage in an arena at each merge) and short frames.
 *
 * Memory: the accumulator's bytes for each row between two turns, at most twice the frame's rows. Nothing is stored. */
#include "over_state.h"

#define SHORT_ROWS 8u

struct over_sums {
    uint64_t first, turn,
        end; /* rows of the partition, counted from its beginning: suffixes are of [first, turn), back of [turn, end) */
    uint8_t *suffixes; /* accumulators; suffix of row n at n - first */
    uint8_t *back;
    uint32_t capacity; /* suffixes that there is room for */
};

static bool is_exact(const struct evs_aggregate_call *call)
{
    switch (call->kind) {
    case EVS_AGG_COUNT_ROWS:
    case EVS_AGG_COUNT:
    case EVS_AGG_COUNTIF:
    case EVS_AGG_MIN:
    case EVS_AGG_MAX:
    case EVS_AGG_ANY_VALUE:
    case EVS_AGG_FIRST:
    case EVS_AGG_LAST:
    case EVS_AGG_MIN_BY:
    case EVS_AGG_MAX_BY:
    case EVS_AGG_BIT_AND:
    case EVS_AGG_BIT_OR:
    case EVS_AGG_BIT_XOR:
    case EVS_AGG_LOGICAL_AND:
    case EVS_AGG_LOGICAL_OR:
        return true;
    case EVS_AGG_SUM:
    case EVS_AGG_AVG:
        return call->types[0]->kind != EVS_FLOAT64;
    default:
        return false;
    }
}

bool evs_over_can_sum(const struct over *over, uint32_t number)
{
    const struct evs_aggregate_call *call = &over->config->calls[number].aggregate;
    bool is_fixed = !call->is_distinct && !over->calls[number].has_parts && is_exact(call);
    for (uint32_t i = 0; i < call->argument_count; i++) {
        /* a count only looks whether there is something */
        is_fixed = is_fixed && (call->kind == EVS_AGG_COUNT || !evs_kind_is_var(call->types[i]->kind));
    }
    return is_fixed;
}

static struct over_sums *sums_of(struct over *over, struct over_key *key, uint32_t number)
{
    if (key->sums == NULL) {
        key->sums = evs_alloc_zero(over->config->call_count * sizeof *key->sums);
        over->sums_bytes += over->config->call_count * sizeof *key->sums;
    }
    struct over_sums *sums = &key->sums[number];
    if (sums->back == NULL) {
        sums->back = evs_alloc_zero(over->calls[number].bytes);
        over->sums_bytes += over->calls[number].bytes;
    }
    return sums;
}

void evs_over_sums_free(struct over *over, struct over_key *key)
{
    for (uint32_t i = 0; key->sums != NULL && i < over->config->call_count; i++) {
        struct over_sums *sums = &key->sums[i];
        over->sums_bytes -=
            (size_t)sums->capacity * over->calls[i].bytes + (sums->back != NULL ? over->calls[i].bytes : 0);
        evs_free(sums->suffixes);
        evs_free(sums->back);
    }
    over->sums_bytes -= key->sums != NULL ? over->config->call_count * sizeof *key->sums : 0;
    evs_free(key->sums);
    key->sums = NULL;
}

/* Adds the rows from `first` on, `stride` bytes of accumulators behind each other: 0 adds all to one. */
static void add_rows(struct over *over, const struct over_key *key, uint32_t number, uint64_t first, uint64_t end,
                     uint8_t *values, size_t stride)
{
    const struct evs_row *rows[EVS_BATCH_ROWS];
    while (first < end) {
        uint32_t count = 0;
        for (; first + count < end && count < EVS_BATCH_ROWS; count++) {
            rows[count] = evs_row_list_at(&key->history, (uint32_t)(first + count - key->dropped));
        }
        evs_over_feed(over, number, values, stride, &over->frame_table, rows, count);
        first += count;
        values += count * stride;
    }
}

/* Room for the suffixes of a frame; given back when it is far too much. */
static void make_room(struct over *over, struct over_sums *sums, uint32_t count, uint32_t bytes)
{
    if (count <= sums->capacity && count > sums->capacity / 8) {
        return;
    }
    over->sums_bytes -= (size_t)sums->capacity * bytes;
    evs_free(sums->suffixes);
    sums->capacity = count + count / 2;
    sums->suffixes = evs_alloc((size_t)sums->capacity * bytes);
    over->sums_bytes += (size_t)sums->capacity * bytes;
}

/* The frame's rows become suffixes. */
static void turn(struct over *over, const struct over_key *key, uint32_t number, struct over_sums *sums, uint64_t first,
                 uint64_t end)
{
    const struct agg_call *call = &over->calls[number];
    uint32_t count = (uint32_t)(end - first), bytes = call->bytes;
    make_room(over, sums, count, bytes);
    memset(sums->suffixes, 0, (size_t)count * bytes);
    add_rows(over, key, number, first, end, sums->suffixes, bytes);
    for (uint32_t i = count - 1; i-- > 0;) {
        uint8_t *suffix = sums->suffixes + (size_t)i * bytes;
        evs_agg_merge(call, &over->frame_table, suffix, suffix + bytes);
    }
    memset(sums->back, 0, bytes);
    sums->first = first;
    sums->turn = sums->end = end;
}

const uint8_t *evs_over_sum(struct over *over, struct over_key *key, uint32_t number, uint32_t first_position,
                            uint32_t end_position)
{
    EVS_ASSERT(first_position < end_position && end_position <= key->history.count);
    const struct agg_call *call = &over->calls[number];
    uint64_t first = key->dropped + first_position, end = key->dropped + end_position;
    if (end - first < SHORT_ROWS) {
        return NULL;
    }
    struct over_sums *sums = sums_of(over, key, number);
    EVS_ASSERT(sums->turn == 0 || (first >= sums->first && end >= sums->end));
    if (first >= sums->turn) {
        turn(over, key, number, sums, first, end);
    } else {
        add_rows(over, key, number, sums->end, end, sums->back, 0);
        sums->end = end;
    }
    memcpy(over->frame_values, sums->suffixes + (first - sums->first) * call->bytes, call->bytes);
    if (sums->end > sums->turn) {
        evs_agg_merge(call, &over->frame_table, over->frame_values, sums->back);
    }
    return over->frame_values;
}
