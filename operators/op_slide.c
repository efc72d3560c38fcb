/* aggregate … group by …, hop(…) or cumulate(…), one final row a window.
 *
 * Algorithm. Time is cut into panes, pieces so small that what falls into one lies in the same windows (window_assign.h). A row is added to one pane of
 * its key, whatever the number of windows. When the watermark reaches a window's end, each key's panes in it are merged into its result.
 *
 * An hour that slides by a second has 3600 panes, and merging them all each second would cost 3600 times what a tumbling window does. So time is
 * also cut into blocks as long as a window. A window lies in two blocks, or is one:
 *
 *      block ─────────────────┬───────────────── block          suffix: of each pane to the end of its block, computed backwards once, when
 *      p0  p1  p2  p3  p4  p5 │ p6  p7  p8  …                            the windows have left the block's beginning
 *              └── suffix(p2) ┼── prefix ──┘                     prefix: of the block's beginning to the last window's end, a pane added
 *              └──────── a window ─────────┘                             at a time
 *
 * result = suffix of the first pane merged with the prefix: two merges a key and window, and each pane is merged twice in all. (This is the
 * algorithm of van Herk, and of Gil and Werman, for running minima.) Blocks lie at fixed places, so float sums do not depend on when a suffix was made. A cumulate
 * begins at its block and needs the prefix alone. Suffixes and prefixes are derived, never stored. They are not used, and all panes are merged,
 * for functions that keep many values (a suffix would repeat them for each pane) and for calendars (windows of unequal length, of few panes).
 *
 * Only panes with rows exist. A key whose last pane no window needs any more goes.
 *
 * Lateness. A row is late when the youngest of its windows is closed. Else it counts in the windows that are open as its watermark sees them: a row behind it is
 * held until all windows before are out (aggregate_hold.h), if it is behind by more than its pane. Panes that change under a suffix or prefix make it
 * invalid.
 *
 * Memory of a key: entry, 16 B + 8 or 16 B a key column + 40 B + accumulators, and 8 to 16 B of directory; of a pane 32 B + twice its accumulators.
 * Order: results of one window are in the order of the table; windows by their end, then start. Recovery: panes (aggregate_slices.h) and held rows; panes that no
 * open window needs are left out. Rejected: one table a pane (3600 directories), two stacks for each key (their turning point depends on when it was
 * restored), a tree of panes (its inner nodes cost more memory than suffixes). */
#include "op_aggregate.h"

#include "aggregate_hold.h"
#include "aggregate_slices.h"
#include "evstream/keys.h"
#include "evstream/trace.h"
#include "row_judge.h"

#define EMIT_BATCHES 4u

struct slide_key {
    struct agg_key list;
    int64_t suffix_end_us;          /* of the block whose panes have valid suffixes; EVS_TIME_MIN: none */
    int64_t prefix_start_us;        /* of the block that the prefix sums; EVS_TIME_MIN: none */
    int64_t prefix_end_us;          /* what it has come to */
    uint32_t prefix_last, reserved; /* number + 1 of the last pane in it */
    /* then the prefix's accumulators */
};

struct slide {
    struct agg_base base;
    struct agg_slices panes;
    struct agg_hold hold;
    bool has_sums;                              /* suffixes and prefixes are kept */
    struct evs_table scratch;                   /* its arena: of results made of several panes */
    uint8_t *merged;                            /* accumulators of a result */
    int64_t clock_us;                           /* windows that end up to here are out */
    int64_t earliest_us;                        /* no pane begins before; EVS_TIME_MAX: there is none */
    struct evs_span closed;                     /* the last window that is out; valid when has_closed */
    bool has_closed, is_closing, is_clock_over; /* windows that end at the clock are out too, all of them */
    struct evs_span closing;                    /* the window being emitted, from the key `at` on */
    uint32_t at;
    int64_t least_us; /* start of the first pane of the keys visited */
    int64_t told_bytes;

    uint64_t hashes[EVS_BATCH_ROWS], row_hashes[EVS_BATCH_ROWS];
    uint16_t rows[EVS_BATCH_ROWS];
    int64_t starts_us[EVS_BATCH_ROWS]; /* of the row's pane */
    struct evs_table *tables[EVS_BATCH_ROWS];
    uint8_t *values[EVS_BATCH_ROWS];
    struct agg_some some;
    struct agg_late late[EVS_BATCH_ROWS];
};

static const struct evs_window *window_of(const struct slide *slide)
{
    return &slide->base.config->window;
}

static struct slide_key *key_at(const struct slide *slide, uint32_t index)
{
    return (struct slide_key *)evs_agg_key(&slide->panes, index);
}

static uint8_t *prefix_of(struct slide_key *key)
{
    return (uint8_t *)(key + 1);
}

static uint8_t *suffix_of(const struct slide *slide, uint32_t number)
{
    return evs_agg_slice_tail(&slide->panes, evs_agg_slice(&slide->panes, number));
}

/* --- opening --------------------------------------------------------------------------------------------------------------- */

static evs_status slide_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct slide *slide = state;
    (void)error;
    evs_agg_base_init(&slide->base, op, 0);
    slide->has_sums = !slide->base.has_parts && !window_of(slide)->is_calendar;
    uint32_t sums = slide->has_sums ? slide->base.values_bytes : 0;
    uint32_t key_bytes = (uint32_t)(sizeof(struct slide_key) - sizeof(struct agg_key)) + sums;
    evs_agg_slices_init(&slide->panes, op, &slide->base, key_bytes, 0, sums);
    evs_agg_hold_init(&slide->hold, op, false);
    slide->merged = evs_alloc_zero(slide->base.values_bytes + 8u);
    slide->clock_us = EVS_TIME_MIN;
    slide->earliest_us = EVS_TIME_MAX;
    return EVS_OK;
}

static void slide_close(struct evs_op *op, void *state)
{
    struct slide *slide = state;
    (void)op;
    evs_agg_slices_fini(&slide->panes);
    evs_agg_hold_fini(&slide->hold);
    evs_arena_fini(&slide->scratch.arena);
    evs_free(slide->merged);
    evs_agg_base_fini(&slide->base);
}

/* --- sums of panes ------------------------------------------------------------------------------------------------------------ */

static void merge(struct slide *slide, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    for (uint32_t i = 0; i < slide->base.config->call_count; i++) {
        evs_agg_merge(&slide->base.calls[i], table, into, from);
    }
}

static void clear(struct slide *slide, uint8_t *values)
{
    for (uint32_t i = 0; i < slide->base.config->call_count; i++) {
        slide->panes.table.garbage_bytes += evs_agg_held(&slide->base.calls[i], values);
    }
    memset(values, 0, slide->base.values_bytes);
}

static void drop_prefix(struct slide *slide, struct slide_key *key)
{
    if (key->prefix_start_us != EVS_TIME_MIN) {
        clear(slide, prefix_of(key));
        key->prefix_start_us = key->prefix_end_us = EVS_TIME_MIN;
        key->prefix_last = 0;
    }
}

/* A pane changes: what sums it is wrong. */
static void invalidate(struct slide *slide, struct slide_key *key, int64_t pane_us)
{
    if (pane_us < key->suffix_end_us) {
        key->suffix_end_us = EVS_TIME_MIN;
    }
    if (pane_us >= key->prefix_start_us && pane_us < key->prefix_end_us) {
        drop_prefix(slide, key);
    }
}

/* The prefix comes to `end_us`. */
static void extend_prefix(struct slide *slide, struct slide_key *key, int64_t start_us, int64_t end_us)
{
    if (key->prefix_start_us != start_us) {
        drop_prefix(slide, key);
        key->prefix_start_us = start_us;
    }
    if (key->prefix_last == 0 && evs_agg_slice(&slide->panes, key->list.last - 1)->start_us < start_us) {
        return; /* no row yet since the block began */
    }
    uint32_t at = key->prefix_last != 0 ? evs_agg_slice(&slide->panes, key->prefix_last - 1)->next : key->list.first;
    for (; at != 0; at = evs_agg_slice(&slide->panes, at - 1)->next) {
        struct agg_slice *pane = evs_agg_slice(&slide->panes, at - 1);
        if (pane->start_us >= end_us) {
            break;
        }
        if (pane->start_us >= start_us) {
            merge(slide, &slide->panes.table, prefix_of(key), evs_agg_slice_values(pane));
            key->prefix_last = at;
        }
    }
    key->prefix_end_us = end_us;
}

/* Suffixes of the panes from number `first - 1` to the end of the block, backwards: the way there is remembered in the panes' own links, which are
 * turned round and back again. */
static void make_suffixes(struct slide *slide, struct slide_key *key, uint32_t first, int64_t end_us)
{
    uint32_t before = 0, at = first;
    while (at != 0 && evs_agg_slice(&slide->panes, at - 1)->start_us < end_us) {
        struct agg_slice *pane = evs_agg_slice(&slide->panes, at - 1);
        uint32_t next = pane->next;
        pane->next = before;
        before = at;
        at = next;
    }
    uint32_t behind = at;
    uint8_t *sum = NULL;
    while (before != 0) {
        struct agg_slice *pane = evs_agg_slice(&slide->panes, before - 1);
        uint8_t *suffix = suffix_of(slide, before - 1);
        clear(slide, suffix);
        merge(slide, &slide->panes.table, suffix, evs_agg_slice_values(pane));
        if (sum != NULL) {
            merge(slide, &slide->panes.table, suffix, sum);
        }
        sum = suffix;
        uint32_t next = pane->next;
        pane->next = behind;
        behind = before;
        before = next;
    }
    key->suffix_end_us = end_us;
}

/* Where the window's second block begins; a cumulate has no first one. */
static int64_t block_of(const struct slide *slide, const struct evs_span *span)
{
    const struct evs_window *window = window_of(slide);
    return window->kind == EVS_WINDOW_CUMULATE
               ? span->start_us
               : evs_floor_to(span->start_us, window->offset_us, window->size_us) + window->size_us;
}

/* The accumulators of the window's result, borrowed until the next call; NULL: no pane lies in it. */
static const uint8_t *sum_of_blocks(struct slide *slide, struct slide_key *key, const struct evs_span *span)
{
    int64_t block_us = block_of(slide, span);
    uint32_t first = key->list.first;
    EVS_ASSERT(first != 0 && evs_agg_slice(&slide->panes, first - 1)->start_us >= span->start_us);
    const uint8_t *left = NULL, *right = NULL;
    if (evs_agg_slice(&slide->panes, first - 1)->start_us < block_us) {
        if (key->suffix_end_us != block_us) {
            make_suffixes(slide, key, first, block_us);
        }
        left = suffix_of(slide, first - 1);
    }
    if (span->end_us > block_us) {
        extend_prefix(slide, key, block_us, span->end_us);
        right = key->prefix_last != 0 ? prefix_of(key) : NULL;
    }
    if (left == NULL || right == NULL) {
        return left != NULL ? left : right;
    }
    memset(slide->merged, 0, slide->base.values_bytes);
    merge(slide, &slide->scratch, slide->merged, left);
    merge(slide, &slide->scratch, slide->merged, right);
    return slide->merged;
}

static const uint8_t *sum_of_panes(struct slide *slide, struct slide_key *key, const struct evs_span *span)
{
    const uint8_t *sum = NULL;
    for (uint32_t at = key->list.first; at != 0; at = evs_agg_slice(&slide->panes, at - 1)->next) {
        struct agg_slice *pane = evs_agg_slice(&slide->panes, at - 1);
        if (pane->start_us >= span->end_us) {
            break;
        }
        EVS_ASSERT(pane->start_us >= span->start_us);
        if (sum == NULL) {
            sum = evs_agg_slice_values(pane);
            continue;
        }
        if (sum != slide->merged) {
            memset(slide->merged, 0, slide->base.values_bytes);
            merge(slide, &slide->scratch, slide->merged, sum);
            sum = slide->merged;
        }
        merge(slide, &slide->scratch, slide->merged, evs_agg_slice_values(pane));
    }
    return sum;
}

/* --- closing ------------------------------------------------------------------------------------------------------------------- */

/* The panes of a key that begin before a moment go. */
static void drop_panes(struct slide *slide, uint32_t index, int64_t before_us)
{
    struct slide_key *key = key_at(slide, index);
    while (key->list.first != 0) {
        uint32_t number = key->list.first - 1;
        if (evs_agg_slice(&slide->panes, number)->start_us >= before_us) {
            break;
        }
        if (slide->has_sums) {
            clear(slide, suffix_of(slide, number));
        }
        if (key->prefix_last == number + 1) {
            drop_prefix(slide, key);
        }
        evs_agg_slice_remove(&slide->panes, index, 0);
    }
}

static void emit_key(struct slide *slide, struct agg_out *out, uint32_t index)
{
    struct slide_key *key = key_at(slide, index);
    const struct evs_span *span = &slide->closing;
    const uint8_t *sum = slide->has_sums ? sum_of_blocks(slide, key, span) : sum_of_panes(slide, key, span);
    if (sum != NULL) {
        struct agg_result result = {
            .layout = &slide->panes.layout,
            .entry = evs_table_at(&slide->panes.table, index),
            .values = sum,
            .span = *span,
            .event_time_us = span->end_us - 1,
            .cause = {(uint64_t)span->start_us, (uint64_t)span->end_us},
        };
        evs_agg_out_put(out, &result);
    }
    if (slide->scratch.arena.used_bytes > 0) {
        evs_arena_reset(&slide->scratch.arena);
    }
}

/* One key of the closing window. */
static void visit_key(struct evs_op *op, struct slide *slide, struct agg_out *out, int64_t next_start_us)
{
    uint32_t index = slide->at;
    drop_panes(slide, index, slide->closing.start_us);
    if (key_at(slide, index)->list.first != 0) {
        emit_key(slide, out, index);
        drop_panes(slide, index, next_start_us);
    }
    const struct slide_key *key = key_at(slide, index);
    if (key->list.first != 0) {
        int64_t first_us = evs_agg_slice(&slide->panes, key->list.first - 1)->start_us;
        slide->least_us = first_us < slide->least_us ? first_us : slide->least_us;
        return;
    }
    drop_prefix(slide, key_at(slide, index));
    evs_agg_slices_drop_key(&slide->panes, index);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
}

static bool has_credit(const struct agg_out *out)
{
    return out->emitted + 1 < EMIT_BATCHES;
}

/* True when all keys of the window are out. */
static bool close_window(struct evs_op *op, struct slide *slide, struct agg_out *out)
{
    int64_t next_start_us = evs_window_next(window_of(slide), slide->closing).start_us;
    for (; slide->at < slide->panes.table.used; slide->at++) {
        if (!has_credit(out)) {
            return false;
        }
        if (evs_table_is_live(&slide->panes.table, slide->at)) {
            visit_key(op, slide, out, next_start_us);
        }
    }
    slide->earliest_us = slide->least_us;
    slide->closed = slide->closing;
    slide->has_closed = true;
    slide->is_closing = false;
    slide->clock_us = slide->closed.end_us;
    slide->is_clock_over = false;
    return true;
}

static bool ends_before(const struct evs_span *a, const struct evs_span *b)
{
    return a->end_us != b->end_us ? a->end_us < b->end_us : a->start_us < b->start_us;
}

/* The next window that may have rows: the first one that is not out and holds the first pane. */
static bool next_window(const struct slide *slide, struct evs_span *span)
{
    if (slide->earliest_us == EVS_TIME_MAX) {
        return false;
    }
    *span = evs_window_first(window_of(slide), slide->earliest_us);
    if (slide->has_closed && !ends_before(&slide->closed, span)) {
        *span = evs_window_next(window_of(slide), slide->closed);
    }
    while (span->end_us < slide->clock_us || (span->end_us == slide->clock_us && slide->is_clock_over)) {
        *span = evs_window_next(window_of(slide), *span); /* out before the restore, or had no rows then */
    }
    return true;
}

static void set_clock(struct slide *slide, int64_t clock_us)
{
    slide->clock_us = clock_us;
    slide->is_clock_over = true;
}

static void begin_window(struct slide *slide, const struct evs_span *span)
{
    slide->closing = *span;
    slide->is_closing = true;
    slide->at = 0;
    slide->least_us = EVS_TIME_MAX;
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------ */

/* A row that is behind its watermark. False: it is late, or held. */
static bool admit_behind(struct evs_op *op, struct slide *slide, const struct evs_batch *batch, uint32_t row,
                         uint64_t hash, int64_t watermark_us, bool is_released, uint32_t *late_count)
{
    int64_t time_us = batch->event_time_us[row];
    struct evs_span youngest;
    bool is_in = evs_window_last(window_of(slide), time_us, &youngest);
    EVS_ASSERT(is_in);
    if (watermark_us >= youngest.end_us) {
        slide->late[(*late_count)++] = (struct agg_late){(uint16_t)row, watermark_us, youngest};
        return false;
    }
    if (!is_released && watermark_us > slide->clock_us &&
        evs_window_pane(window_of(slide), watermark_us) != evs_window_pane(window_of(slide), time_us)) {
        evs_agg_hold_row(&slide->hold, batch, row, hash, watermark_us, watermark_us);
        return false;
    }
    evs_op_count(op, EVS_COUNT_LATE_WINDOWS, evs_window_missed(window_of(slide), time_us, watermark_us));
    return true;
}

/* Fills rows, hashes and panes with the rows that count now; returns how many. */
static uint32_t admit(struct evs_op *op, struct slide *slide, struct evs_batch *batch, bool is_released)
{
    bool judge = batch->watermark_us != NULL || batch->min_time_us < evs_op_watermark(op);
    uint32_t count = 0, late = 0;
    int64_t pane_us = 0, pane_end_us = EVS_TIME_MIN; /* the last row's: most rows fall into it */
    EVS_FOR_ROWS(batch, position, row) {
        int64_t time_us = batch->event_time_us[row];
        if (judge) {
            int64_t watermark_us = evs_row_watermark(op, batch, row);
            if (watermark_us > time_us &&
                !admit_behind(op, slide, batch, row, slide->hashes[position], watermark_us, is_released, &late)) {
                continue;
            }
        }
        if (time_us < pane_us || time_us >= pane_end_us) {
            pane_us = evs_window_pane(window_of(slide), time_us);
            pane_end_us = evs_window_pane_after(window_of(slide), time_us);
        }
        slide->starts_us[count] = pane_us;
        slide->row_hashes[count] = slide->hashes[position];
        slide->rows[count++] = (uint16_t)row;
    }
    if (late > 0) {
        evs_agg_emit_late(op, batch, slide->late, late);
    }
    return count;
}

/* The pane of a key; made when there is none. */
static uint32_t pane_of(struct slide *slide, uint32_t index, int64_t start_us)
{
    struct slide_key *key = key_at(slide, index);
    uint32_t before = evs_agg_slice_before(&slide->panes, &key->list, start_us);
    if (start_us < key->suffix_end_us || start_us < key->prefix_end_us) {
        invalidate(slide, key, start_us);
    }
    if (before != 0 && evs_agg_slice(&slide->panes, before - 1)->start_us == start_us) {
        return before - 1;
    }
    slide->earliest_us = start_us < slide->earliest_us ? start_us : slide->earliest_us;
    return evs_agg_slice_add(&slide->panes, index, before, start_us);
}

static void find_panes(struct evs_op *op, struct slide *slide, const struct evs_batch *batch, uint32_t count)
{
    struct evs_table *table = &slide->panes.table;
    uint32_t added = 0;
    for (uint32_t i = 0; i < count; i++) {
        evs_table_prefetch_slot(table, slide->row_hashes[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        evs_table_prefetch_entry(table, slide->row_hashes[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index;
        bool is_new;
        evs_table_find_or_add(table, slide->row_hashes[i], batch, slide->rows[i], slide->base.config->keys, &index,
                              &is_new);
        if (is_new) {
            struct slide_key *key = key_at(slide, index);
            key->suffix_end_us = key->prefix_start_us = key->prefix_end_us = EVS_TIME_MIN;
            added++;
        }
        uint32_t number = pane_of(slide, index, slide->starts_us[i]);
        evs_agg_slice_mark(&slide->panes, number);
        slide->values[i] = evs_agg_slice_values(evs_agg_slice(&slide->panes, number));
        slide->tables[i] = table;
    }
    evs_op_count(op, EVS_COUNT_STATE_KEYS, added);
}

static void count_rows(struct evs_op *op, struct slide *slide, struct evs_batch *batch, bool is_released)
{
    evs_key_hash_rows(batch, slide->base.config->keys, slide->base.config->key_count, slide->hashes);
    if (EVS_UNLIKELY(batch->traces != NULL)) {
        evs_op_trace_keys(op, batch, slide->base.config->keys, slide->base.config->key_count);
    }
    uint32_t count = admit(op, slide, batch, is_released);
    find_panes(op, slide, batch, count);
    struct agg_rows rows = {
        .batch = batch, .rows = slide->rows, .values = slide->values, .tables = slide->tables, .count = count};
    evs_agg_update_calls(&slide->base, &rows, &slide->some);
}

/* --- the operator ----------------------------------------------------------------------------------------------------------------- */

static void compact(struct slide *slide)
{
    if (!evs_agg_slices_is_full(&slide->panes)) {
        return;
    }
    for (uint32_t i = 0; i < slide->panes.table.used; i++) {
        if (evs_table_is_live(&slide->panes.table, i)) {
            drop_prefix(slide, key_at(slide, i));
            key_at(slide, i)->suffix_end_us = EVS_TIME_MIN;
        }
    }
    for (uint32_t i = 0; slide->has_sums && i < slide->panes.used; i++) {
        memset(suffix_of(slide, i), 0, slide->base.values_bytes);
    }
    evs_agg_slices_compact(&slide->panes);
}

static void settle(struct evs_op *op, struct slide *slide)
{
    compact(slide);
    int64_t bytes = (int64_t)(evs_agg_slices_bytes(&slide->panes) + slide->hold.pool.used_bytes);
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - slide->told_bytes);
    slide->told_bytes = bytes;
}

static evs_status slide_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct slide *slide = state;
    EVS_ASSERT(input == 0 && batch->selected_count <= EVS_BATCH_ROWS && !slide->is_closing);
    set_clock(slide, evs_op_watermark(op));
    count_rows(op, slide, batch, false);
    settle(op, slide);
    return EVS_OK;
}

/* Rows that waited for this moment. */
static bool count_held(struct evs_op *op, struct slide *slide, int64_t until_us, int64_t below_us)
{
    int64_t due_us = evs_agg_hold_next(&slide->hold);
    struct evs_batch *batch = evs_agg_hold_release(op, &slide->hold, until_us, below_us);
    if (batch == NULL) {
        return false;
    }
    set_clock(slide, due_us > slide->clock_us ? due_us : slide->clock_us);
    count_rows(op, slide, batch, true);
    evs_batch_unref(batch);
    return true;
}

/* A held row may open a window that closes before the next held one is due; so of the held rows only those up to the next end are counted at once. */
static int64_t held_limit(const struct slide *slide)
{
    int64_t due_us = evs_agg_hold_next(&slide->hold);
    return due_us == EVS_TIME_MAX ? due_us : evs_window_pane_after(window_of(slide), due_us);
}

static evs_status slide_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct slide *slide = state;
    struct agg_out out = evs_agg_out_begin(op, &slide->base);
    bool is_over = false;
    if (slide->clock_us < evs_op_watermark(op)) {
        set_clock(slide, evs_op_watermark(op));
    }
    while (!is_over && has_credit(&out)) {
        if (!slide->is_closing) {
            struct evs_span span;
            bool is_due = next_window(slide, &span) && span.end_us <= watermark_us;
            int64_t limit_us = held_limit(slide);
            if (count_held(op, slide, watermark_us, is_due && span.end_us < limit_us ? span.end_us : limit_us)) {
                continue;
            }
            if (!is_due) {
                is_over = true;
                break;
            }
            begin_window(slide, &span);
        }
        close_window(op, slide, &out);
    }
    evs_agg_out_end(&out);
    if (!is_over) {
        return EVS_MORE;
    }
    set_clock(slide, watermark_us);
    settle(op, slide);
    return EVS_OK;
}

/* In steps, as aggregate_freeze.c tells; held rows at once. */
static evs_status slide_freeze(struct evs_op *op, void *state, struct evs_snapshot_writer *changes,
                               struct evs_snapshot_writer *copy)
{
    struct slide *slide = state;
    (void)op;
    EVS_ASSERT(!slide->is_closing);
    evs_agg_slices_freeze(&slide->panes, &slide->base, changes, copy);
    if (changes != NULL) {
        evs_agg_hold_snapshot(&slide->hold, changes, EVS_AGG_SECTION_HELD, false);
    }
    if (copy != NULL) {
        evs_agg_hold_snapshot(&slide->hold, copy, EVS_AGG_SECTION_HELD, true);
    }
    return EVS_MORE;
}

static evs_status slide_write(struct evs_op *op, void *state, uint32_t records)
{
    struct slide *slide = state;
    (void)op;
    return evs_agg_slices_write(&slide->panes, records) ? EVS_MORE : EVS_OK;
}

static evs_status slide_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    (void)slide_freeze(op, state, full ? NULL : writer, full ? writer : NULL);
    while (slide_write(op, state, UINT32_MAX) == EVS_MORE) {
    }
    return EVS_OK;
}

/* Is some window that holds the pane still open? */
static bool is_needed(const struct slide *slide, int64_t pane_us, int64_t watermark_us)
{
    struct evs_span youngest;
    bool is_in = evs_window_last(window_of(slide), pane_us, &youngest);
    return is_in && youngest.end_us > watermark_us;
}

static bool restore_pane(struct evs_op *op, struct slide *slide, const struct evs_snapshot_record *record)
{
    struct agg_reading reading;
    uint32_t number, keys = slide->panes.table.count;
    bool good = evs_agg_reading_begin(&reading, &slide->panes.layout, record);
    if (good && is_needed(slide, reading.head.start_us, evs_op_watermark(op))) {
        good = evs_agg_slices_restore(&slide->panes, &reading, record, &number);
        slide->earliest_us = reading.head.start_us < slide->earliest_us ? reading.head.start_us : slide->earliest_us;
    }
    if (slide->panes.table.count > keys) {
        struct slide_key *key = key_at(slide, evs_agg_slice(&slide->panes, number)->key);
        key->suffix_end_us = key->prefix_start_us = key->prefix_end_us = EVS_TIME_MIN;
        evs_op_count(op, EVS_COUNT_STATE_KEYS, 1);
    }
    evs_agg_reading_fini(&reading);
    return good;
}

#define SLIDE_SNAPSHOT_VERSION 1

static evs_status slide_restore(struct evs_op *op, void *state, uint32_t version,
                                const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct slide *slide = state;
    const struct evs_table_layout *layout = &slide->panes.layout;
    if (!evs_agg_base_see(&slide->base, evs_op_migration(op))) {
        return evs_fail(error, EVS_E_CORRUPT, "the stored columns of an aggregate do not decode");
    }
    bool is_held = record->section == EVS_AGG_SECTION_HELD;
    uint32_t expected = record->section == EVS_AGG_SECTION_SLICES
                            ? evs_agg_group_bytes(layout, evs_agg_stored_bytes(&slide->base))
                            : evs_agg_part_bytes(layout);
    if (version != SLIDE_SNAPSHOT_VERSION || record->section > EVS_AGG_SECTION_HELD ||
        (!is_held && record->fixed.count != expected)) {
        return evs_fail(error, EVS_E_STATE, "the stored state of an aggregate has an unknown layout (version %u)",
                        version);
    }
    bool good = is_held ? evs_agg_hold_restore(op, &slide->hold, record) : restore_pane(op, slide, record);
    return good ? EVS_OK : evs_fail(error, EVS_E_CORRUPT, "a stored pane of an aggregate does not decode");
}

const struct evs_operator evs_op_slide = {
    .kind = "aggregate",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK,
    .snapshot_version = SLIDE_SNAPSHOT_VERSION,
    .stored_rows = 1 << EVS_AGG_SECTION_HELD,
    .state_bytes = sizeof(struct slide),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .stored_key = EVS_AGG_STORED_KEY,
    .open = slide_open,
    .process = slide_process,
    .watermark = slide_watermark,
    .snapshot = slide_snapshot,
    .freeze = slide_freeze,
    .write = slide_write,
    .restore = slide_restore,
    .close = slide_close,
};
