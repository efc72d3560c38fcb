/* aggregate … group by …, session(gap [, max_duration]).
 *
 * Algorithm. Rows of a key belong together when their [time, time + gap) overlap; exactly one gap apart is two sessions. Each key has a list of sessions,
 * slices with accumulators (aggregate_slices.h). A row joins the session that it falls into, moves a later one's start, makes two into one, or
 * begins one:
 *
 *      A ├───────┤        ├────────┤ B          x between A and B, nearer than a gap to both: A, x, B are one session, A's number lives on
 *                     x
 *
 * Merging does not depend on the order in which rows come, so rows are counted as they come. What does depend on it waits for the watermark
 * (aggregate_hold.h) and is counted in the order of event time: rows behind their watermark, which may or may not find a session still open, and all rows
 * that are ahead of it where a session has a longest duration (which row begins a new session is known only when all before are there), or where
 * results show what has been counted so far: at ticks, and after late rows.
 *
 * A session ends at min(latest row + gap, first row + max_duration). A timer for each session fires then and, when rows have come meanwhile, is armed again;
 * so a row that extends a session touches no timer.
 *
 * Lateness. A row is late when the session that it would make or join, all merged, has an end + lateness that its watermark has reached; so a row between an old
 * session and an open one is not. Joining a session that was shown gives a revision at once, and what it takes the place of, other starts that were shown,
 * is listed in _replaces.
 *
 * Memory of a key with one session: entry, 16 B + 8 or 16 B a key column + 8 B, 8 to 16 B of directory; slice, 32 B + accumulators (update streams: + 16 B);
 * timer, 16 B.
 * Order: by end. Recovery: sessions and held rows; timers are built anew. A session that lost its start to an earlier row, or was merged into another, is
 * deleted by a record; one that is over is left out by its end. Rejected: re-arming the timer with each row (a heap operation a row), sorting all rows first
 * (memory for each row of the watermark's delay). */
#include "op_aggregate.h"

#include "aggregate_hold.h"
#include "aggregate_slices.h"
#include "evstream/keys.h"
#include "evstream/timer.h"
#include "evstream/trace.h"
#include "row_judge.h"

#define EMIT_BATCHES 4u

enum { SESSION_CLOSED = 1, SESSION_CHANGED = 2 };

struct session {       /* of update streams: how a slice's values begin */
    uint64_t shown;    /* emit every: a hash of the last result that was emitted */
    uint32_t revision; /* of the next result; 0: none was shown */
    uint32_t flags;
};

struct sessions {
    struct agg_base base;
    struct agg_slices slices;
    struct agg_hold hold;
    struct evs_timers timers;
    int64_t gap_us, max_us, lateness_us;
    bool is_update, is_restored;
    bool waits_always; /* rows ahead of the watermark wait too */
    int64_t clock_us;  /* what is due up to here is out */
    uint64_t *changed; /* emit every: sessions with SESSION_CHANGED, as timers name them */
    uint32_t changed_count, changed_capacity, changed_at;
    int64_t tick_us; /* being worked off; valid when in_tick */
    bool in_tick;
    struct evs_batch *released; /* held rows that are due, from `position` on */
    uint32_t position;
    int64_t told_bytes;

    uint64_t hashes[EVS_BATCH_ROWS];
    uint16_t rows[EVS_BATCH_ROWS]; /* counted in sessions, and not yet in their accumulators */
    struct evs_table *tables[EVS_BATCH_ROWS];
    uint8_t *values[EVS_BATCH_ROWS];
    uint32_t row_count;
    struct agg_some some;
    struct agg_late late[EVS_BATCH_ROWS];
    uint32_t late_count, late_emitted;
};

/* A row and what it is judged by. */
struct session_row {
    struct evs_batch *batch;
    uint32_t row;
    uint64_t hash;
    int64_t time_us, watermark_us;
};

static struct session *session_of(const struct sessions *all, struct agg_slice *slice)
{
    EVS_ASSERT(all->is_update);
    return (struct session *)evs_agg_slice_values(slice);
}

static int64_t end_of(const struct sessions *all, int64_t first_us, int64_t last_us)
{
    int64_t end_us = evs_time_plus(last_us, all->gap_us);
    int64_t limit_us = all->max_us > 0 ? evs_time_plus(first_us, all->max_us) : EVS_TIME_MAX;
    return end_us < limit_us ? end_us : limit_us;
}

static int64_t slice_end(const struct sessions *all, const struct agg_slice *slice)
{
    return end_of(all, slice->start_us, slice->last_us);
}

static bool is_on_change(const struct sessions *all)
{
    return all->base.config->emit == EVS_EMIT_ON_CHANGE;
}

/* --- opening ------------------------------------------------------------------------------------------------------------------- */

static evs_status session_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct sessions *all = state;
    const struct evs_aggregate_config *config = evs_op_config(op);
    (void)error;
    all->is_update = evs_aggregate_is_update(config);
    all->gap_us = config->window.gap_us;
    all->max_us = config->window.max_us;
    all->lateness_us = config->lateness_us;
    all->waits_always = config->emit == EVS_EMIT_EVERY ||
                        (config->emit == EVS_EMIT_ON_CLOSE && (config->window.max_us > 0 || config->lateness_us > 0));
    all->clock_us = EVS_TIME_MIN;
    EVS_ASSERT(all->gap_us > 0 && (all->max_us == 0 || all->max_us >= all->gap_us));
    uint32_t lead = all->is_update ? (uint32_t)sizeof(struct session) : 0;
    evs_agg_base_init(&all->base, op, lead);
    evs_agg_slices_init(&all->slices, op, &all->base, 0, lead, 0);
    evs_agg_hold_init(&all->hold, op, true);
    return EVS_OK;
}

static void session_close(struct evs_op *op, void *state)
{
    struct sessions *all = state;
    (void)op;
    if (all->released != NULL) {
        evs_batch_unref(all->released);
    }
    evs_agg_slices_fini(&all->slices);
    evs_agg_hold_fini(&all->hold);
    evs_timers_fini(&all->timers);
    evs_free(all->changed);
    evs_agg_base_fini(&all->base);
}

/* --- timers --------------------------------------------------------------------------------------------------------------------- */

static uint64_t name_of(const struct sessions *all, uint32_t number)
{
    return (uint64_t)evs_agg_slice(&all->slices, number)->generation << 32 | number;
}

/* The slice of a name; NULL: that session is gone. */
static struct agg_slice *named(const struct sessions *all, uint64_t name)
{
    struct agg_slice *slice = evs_agg_slice(&all->slices, (uint32_t)name);
    return slice->key != UINT32_MAX && slice->generation == (uint32_t)(name >> 32) ? slice : NULL;
}

/* When something happens to the session next: it closes, or is gone. */
static int64_t due_of(const struct sessions *all, struct agg_slice *slice)
{
    int64_t end_us = slice_end(all, slice);
    bool closes = all->lateness_us > 0 && !is_on_change(all) && (session_of(all, slice)->flags & SESSION_CLOSED) == 0;
    return closes ? end_us : evs_time_plus(end_us, all->lateness_us);
}

static void arm(struct sessions *all, uint32_t number)
{
    evs_timers_arm(&all->timers, due_of(all, evs_agg_slice(&all->slices, number)), name_of(all, number));
}

static void note_change(struct sessions *all, uint32_t number)
{
    struct session *session = session_of(all, evs_agg_slice(&all->slices, number));
    if ((session->flags & SESSION_CHANGED) == 0) {
        session->flags |= SESSION_CHANGED;
        EVS_GROW(all->changed, all->changed_count, all->changed_capacity);
        all->changed[all->changed_count++] = name_of(all, number);
    }
}

static void remove_slice(struct evs_op *op, struct sessions *all, uint32_t number)
{
    uint32_t key = evs_agg_slice(&all->slices, number)->key, before = 0;
    for (uint32_t at = evs_agg_key(&all->slices, key)->first; at != number + 1;
         at = evs_agg_slice(&all->slices, at - 1)->next) {
        EVS_ASSERT(at != 0);
        before = at;
    }
    evs_agg_slice_remove(&all->slices, key, before);
    if (evs_agg_slices_drop_key(&all->slices, key)) {
        evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
    }
}

/* Parts of a session's record do not know whether it went on, so those of sessions that are over came back too. */
static void arm_restored(struct evs_op *op, struct sessions *all)
{
    all->is_restored = false;
    for (uint32_t i = 0; i < all->slices.used; i++) {
        struct agg_slice *slice = evs_agg_slice(&all->slices, i);
        if (slice->key == UINT32_MAX) {
            continue;
        }
        if (evs_time_plus(slice_end(all, slice), all->lateness_us) <= evs_op_watermark(op)) {
            remove_slice(op, all, i);
            continue;
        }
        arm(all, i);
        if (all->is_update && (session_of(all, slice)->flags & SESSION_CHANGED) != 0) {
            session_of(all, slice)->flags &= ~(uint32_t)SESSION_CHANGED;
            note_change(all, i);
        }
    }
}

/* --- results -------------------------------------------------------------------------------------------------------------------- */

/* Starts of shown results that a merged session takes the place of: two at most, its own that has moved and one that was absorbed. */
struct replaced {
    int64_t starts_us[2];
    uint32_t count;
};

static void emit(struct sessions *all, struct agg_out *out, uint32_t number, int64_t time_us, bool is_final,
                 const struct replaced *replaced, const struct session_row *row)
{
    struct agg_slice *slice = evs_agg_slice(&all->slices, number);
    evs_agg_slice_write_before(&all->slices, number);
    struct agg_result result = {
        .layout = &all->slices.layout,
        .entry = evs_table_at(&all->slices.table, slice->key),
        .values = evs_agg_slice_values(slice),
        .span = {slice->start_us, slice_end(all, slice)},
        .event_time_us = time_us,
        .is_final = is_final,
    };
    result.cause = (struct evs_cause){(uint64_t)result.span.start_us, (uint64_t)result.span.end_us};
    if (replaced != NULL) {
        result.replaces = replaced->starts_us;
        result.replaces_count = replaced->count;
    }
    if (row != NULL) {
        result.causing = row->batch;
        result.causing_row = row->row;
    }
    if (all->is_update) {
        result.revision = session_of(all, slice)->revision;
        result.ordinal = session_of(all, slice)->revision;
    }
    if (evs_agg_out_put(out, &result) && all->is_update) {
        session_of(all, slice)->revision++;
        evs_agg_slice_mark(&all->slices, number);
    }
}

/* --- counting a row ---------------------------------------------------------------------------------------------------------------- */

/* Brings the accumulators up to date. */
static void flush_rows(struct sessions *all, const struct evs_batch *batch)
{
    struct agg_rows rows = {
        .batch = batch, .rows = all->rows, .values = all->values, .tables = all->tables, .count = all->row_count};
    evs_agg_update_calls(&all->base, &rows, &all->some);
    all->row_count = 0;
}

struct neighbours {  /* numbers + 1; 0: none */
    uint32_t before; /* the last that begins at or before the row: where a new one is put in */
    uint32_t left;   /* the row falls into it */
    uint32_t right;  /* begins less than a gap after the row, and can be one with it */
};

/* As the row's watermark sees them: sessions that it has passed are not there any more. */
static struct neighbours find(const struct sessions *all, const struct agg_key *key, const struct session_row *row)
{
    struct neighbours found = {0};
    int64_t near_us = evs_time_plus(row->time_us, all->gap_us);
    for (uint32_t at = key->first; at != 0; at = evs_agg_slice(&all->slices, at - 1)->next) {
        const struct agg_slice *slice = evs_agg_slice(&all->slices, at - 1);
        bool is_before = slice->start_us <= row->time_us;
        found.before = is_before ? at : found.before;
        int64_t end_us = slice_end(all, slice);
        if (slice->start_us >= near_us || evs_time_plus(end_us, all->lateness_us) <= row->watermark_us) {
            continue;
        }
        if (is_before && row->time_us < end_us) {
            found.left = at;
        } else if (!is_before && found.right == 0) {
            found.right = at;
        }
    }
    if (found.right != 0 && all->max_us > 0) {
        int64_t first_us = found.left != 0 ? evs_agg_slice(&all->slices, found.left - 1)->start_us : row->time_us;
        const struct agg_slice *right = evs_agg_slice(&all->slices, found.right - 1);
        found.right = right->last_us < evs_time_plus(first_us, all->max_us) ? found.right : 0;
    }
    return found;
}

static void note_replaced(const struct sessions *all, uint32_t number, struct replaced *replaced)
{
    struct agg_slice *slice = evs_agg_slice(&all->slices, number);
    if (all->is_update && session_of(all, slice)->revision > 0) {
        replaced->starts_us[replaced->count++] = slice->start_us;
    }
}

/* Two sessions become one, the left one. */
static void merge(struct evs_op *op, struct sessions *all, const struct session_row *row, uint32_t left, uint32_t right,
                  struct replaced *replaced)
{
    flush_rows(all, row->batch);
    evs_agg_slice_write_before(&all->slices, right);
    struct agg_slice *into = evs_agg_slice(&all->slices, left), *from = evs_agg_slice(&all->slices, right);
    for (uint32_t i = 0; i < all->base.config->call_count; i++) {
        evs_agg_merge(&all->base.calls[i], &all->slices.table, evs_agg_slice_values(into), evs_agg_slice_values(from));
    }
    note_replaced(all, right, replaced);
    if (all->is_update) {
        struct session *a = session_of(all, into), *b = session_of(all, from);
        a->revision = b->revision > a->revision ? b->revision : a->revision;
    }
    into->last_us = from->last_us > into->last_us ? from->last_us : into->last_us;
    evs_agg_slices_remember_deleted(&all->slices, right);
    remove_slice(op, all, right);
}

/* A session begins earlier than was known. One with stored parts becomes another, for its parts are stored under its start. */
static uint32_t move_start(struct evs_op *op, struct sessions *all, const struct session_row *row, uint32_t key,
                           uint32_t before, uint32_t number)
{
    evs_agg_slices_remember_deleted(&all->slices, number);
    if (!all->base.has_parts) {
        evs_agg_slice(&all->slices, number)->start_us = row->time_us;
        return number;
    }
    flush_rows(all, row->batch);
    uint32_t moved = evs_agg_slice_add(&all->slices, key, before, row->time_us);
    struct agg_slice *into = evs_agg_slice(&all->slices, moved), *from = evs_agg_slice(&all->slices, number);
    memcpy(evs_agg_slice_values(into), evs_agg_slice_values(from), all->slices.lead_bytes);
    for (uint32_t i = 0; i < all->base.config->call_count; i++) {
        evs_agg_merge(&all->base.calls[i], &all->slices.table, evs_agg_slice_values(into), evs_agg_slice_values(from));
    }
    into->last_us = from->last_us;
    remove_slice(op, all, number);
    arm(all, moved);
    if (all->is_update && (session_of(all, into)->flags & SESSION_CHANGED) != 0) {
        session_of(all, into)->flags &= ~(uint32_t)SESSION_CHANGED;
        note_change(all, moved);
    }
    return moved;
}

/* A row that falls into no session begins one, or moves the start of the right one; with a longest duration that may end it earlier. True: when that
 * end, too, is over for its watermark. */
static bool is_late(struct sessions *all, const struct session_row *row, uint32_t right)
{
    int64_t last_us = right != 0 ? evs_agg_slice(&all->slices, right - 1)->last_us : row->time_us;
    struct evs_span merged = {row->time_us, end_of(all, row->time_us, last_us)};
    if (evs_time_plus(merged.end_us, all->lateness_us) > row->watermark_us) {
        return false;
    }
    all->late[all->late_count++] = (struct agg_late){(uint16_t)row->row, row->watermark_us, merged};
    return true;
}

/* The session of the row, found, made or merged: its number. EVS_AGG_NO_SLICE: the row is late. */
static uint32_t join(struct evs_op *op, struct sessions *all, const struct session_row *row, struct replaced *replaced)
{
    uint32_t key;
    bool is_new;
    evs_table_find_or_add(&all->slices.table, row->hash, row->batch, row->row, all->base.config->keys, &key, &is_new);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    struct neighbours found = find(all, evs_agg_key(&all->slices, key), row);
    if (found.left == 0 && is_late(all, row, found.right)) {
        evs_op_count(op, EVS_COUNT_STATE_KEYS, -(int64_t)evs_agg_slices_drop_key(&all->slices, key));
        return EVS_AGG_NO_SLICE;
    }
    if (found.left == 0 && found.right == 0) {
        uint32_t number = evs_agg_slice_add(&all->slices, key, found.before, row->time_us);
        arm(all, number);
        return number;
    }
    uint32_t number = (found.left != 0 ? found.left : found.right) - 1;
    evs_agg_slice_write_before(&all->slices, number);
    struct agg_slice *slice = evs_agg_slice(&all->slices, number);
    if (found.left == 0) {
        note_replaced(all, number, replaced);
        number = move_start(op, all, row, key, found.before, number);
        slice = evs_agg_slice(&all->slices, number);
        if (all->max_us > 0) { /* it may end earlier now */
            arm(all, number);
        }
    } else if (found.right != 0) {
        merge(op, all, row, number, found.right - 1, replaced);
    }
    slice->last_us = row->time_us > slice->last_us ? row->time_us : slice->last_us;
    return number;
}

/* A hash of the session's results and its ends. */
static uint64_t hash_of(const struct sessions *all, struct agg_slice *slice)
{
    struct evs_arena scratch = {0};
    uint64_t parts[3] = {evs_agg_hash_results(&all->base, evs_agg_slice_values(slice), &scratch),
                         (uint64_t)slice->start_us, (uint64_t)slice->last_us};
    evs_arena_fini(&scratch);
    return evs_hash64(parts, sizeof parts);
}

/* The row's session was shown, or gives a result with each row: the row is counted at once, and told if it changes something. */
static void count_shown(struct sessions *all, const struct session_row *row, uint32_t number,
                        const struct replaced *replaced, struct agg_out *out)
{
    struct agg_slice *slice = evs_agg_slice(&all->slices, number);
    uint16_t rows[1] = {(uint16_t)row->row};
    uint8_t *values[1] = {evs_agg_slice_values(slice)};
    struct evs_table *tables[1] = {&all->slices.table};
    struct agg_rows one = {.batch = row->batch, .rows = rows, .values = values, .tables = tables, .count = 1};
    flush_rows(all, row->batch);
    evs_agg_update_calls(&all->base, &one, &all->some);
    int64_t due_us = row->time_us > row->watermark_us ? row->time_us : row->watermark_us;
    emit(all, out, number, is_on_change(all) ? row->time_us : due_us, false, replaced, row);
    if (all->base.config->emit == EVS_EMIT_EVERY) { /* the next tick need not tell it again */
        struct session *session = session_of(all, slice);
        session->shown = hash_of(all, slice);
        session->flags &= ~(uint32_t)SESSION_CHANGED;
    }
}

/* A session that was closed and has grown beyond the clock is open again. True: it is, or has been, shown by now. */
static bool set_closed(struct sessions *all, uint32_t number)
{
    struct agg_slice *slice = evs_agg_slice(&all->slices, number);
    struct session *session = session_of(all, slice);
    bool was_closed = (session->flags & SESSION_CLOSED) != 0;
    bool is_closed = slice_end(all, slice) <= all->clock_us;
    session->flags = is_closed ? session->flags | SESSION_CLOSED : session->flags & ~(uint32_t)SESSION_CLOSED;
    if (was_closed && !is_closed) {
        arm(all, number);
    }
    return is_closed;
}

static void count_row(struct evs_op *op, struct sessions *all, const struct session_row *row, struct agg_out *out)
{
    struct replaced replaced = {.count = 0};
    uint32_t number = join(op, all, row, &replaced);
    if (number == EVS_AGG_NO_SLICE) {
        return;
    }
    evs_agg_slice_mark(&all->slices, number);
    bool is_shown = is_on_change(all) || replaced.count > 0;
    if (all->lateness_us > 0 && !is_on_change(all)) {
        bool is_closed = set_closed(all, number);
        is_shown = is_shown || (is_closed && all->base.config->emit == EVS_EMIT_ON_CLOSE);
    }
    if (is_shown) {
        count_shown(all, row, number, &replaced, out);
        return;
    }
    if (all->base.config->emit == EVS_EMIT_EVERY) {
        note_change(all, number);
    }
    uint32_t at = all->row_count++;
    all->rows[at] = (uint16_t)row->row;
    all->values[at] = evs_agg_slice_values(evs_agg_slice(&all->slices, number));
    all->tables[at] = &all->slices.table;
}

static void finish_batch(struct evs_op *op, struct sessions *all, struct evs_batch *batch)
{
    flush_rows(all, batch);
    if (all->late_count > 0) {
        evs_agg_emit_late(op, batch, all->late, all->late_count);
        all->late_count = 0;
        all->late_emitted++;
    }
}

/* --- moments ---------------------------------------------------------------------------------------------------------------------- */

/* A changed session at a tick or at its end: nothing if it is what was shown last. */
static void emit_changed(struct sessions *all, struct agg_out *out, uint32_t number, int64_t at_us)
{
    struct agg_slice *slice = evs_agg_slice(&all->slices, number);
    struct session *session = session_of(all, slice);
    if ((session->flags & SESSION_CHANGED) == 0) {
        return;
    }
    evs_agg_slice_write_before(&all->slices, number);
    uint64_t shown = hash_of(all, slice);
    if (session->revision == 0 || shown != session->shown) {
        emit(all, out, number, at_us - 1, false, NULL, NULL);
    }
    session->shown = shown;
    session->flags &= ~(uint32_t)SESSION_CHANGED;
    evs_agg_slice_mark(&all->slices, number);
}

/* The first timer: a session closes, or is gone, or has had rows meanwhile. */
static void fire(struct evs_op *op, struct sessions *all, struct agg_out *out)
{
    struct evs_timer timer;
    bool is_due = evs_timers_pop(&all->timers, EVS_TIME_MAX, &timer);
    EVS_ASSERT(is_due);
    struct agg_slice *slice = named(all, timer.payload);
    if (slice == NULL) {
        return;
    }
    uint32_t number = (uint32_t)timer.payload;
    evs_agg_slice_write_before(&all->slices, number);
    int64_t due_us = due_of(all, slice);
    if (due_us > timer.at_us) {
        arm(all, number);
        return;
    }
    if (due_us == evs_time_plus(slice_end(all, slice), all->lateness_us)) {
        emit(all, out, number, due_us - 1, true, NULL, NULL);
        remove_slice(op, all, number);
        return;
    }
    if (all->base.config->emit == EVS_EMIT_EVERY) {
        emit_changed(all, out, number, due_us);
    } else {
        emit(all, out, number, due_us - 1, false, NULL, NULL);
    }
    session_of(all, slice)->flags |= SESSION_CLOSED;
    evs_agg_slice_mark(&all->slices, number);
    arm(all, number);
}

/* The next changed session of the tick; false: the tick is over. */
static bool tick(struct sessions *all, struct agg_out *out)
{
    if (all->changed_at < all->changed_count) {
        uint64_t name = all->changed[all->changed_at++];
        if (named(all, name) != NULL) {
            emit_changed(all, out, (uint32_t)name, all->tick_us);
        }
        return true;
    }
    all->changed_count = all->changed_at = 0;
    all->in_tick = false;
    return false;
}

static int64_t next_tick(const struct sessions *all)
{
    int64_t every_us = all->base.config->every_us;
    if (all->changed_count == 0 || all->clock_us == EVS_TIME_MAX) {
        return EVS_TIME_MAX;
    }
    return evs_time_plus(evs_floor_to(all->clock_us, 0, every_us), every_us);
}

static void set_clock(struct sessions *all, int64_t time_us)
{
    all->clock_us = time_us > all->clock_us ? time_us : all->clock_us;
}

/* --- the operator ------------------------------------------------------------------------------------------------------------------ */

static struct session_row row_at(const struct evs_op *op, const struct sessions *all, struct evs_batch *batch,
                                 uint32_t position)
{
    uint32_t row = batch->selection != NULL ? batch->selection[position] : position;
    return (struct session_row){.batch = batch,
                                .row = row,
                                .hash = all->hashes[position],
                                .time_us = batch->event_time_us[row],
                                .watermark_us = evs_row_watermark(op, batch, row)};
}

static bool must_wait(const struct sessions *all, const struct session_row *row)
{
    int64_t due_us = row->time_us > row->watermark_us ? row->time_us : row->watermark_us;
    bool is_behind = row->watermark_us > row->time_us;
    return !is_on_change(all) && (all->waits_always || is_behind) && due_us >= all->clock_us;
}

static void hash_rows(struct evs_op *op, struct sessions *all, const struct evs_batch *batch)
{
    evs_key_hash_rows(batch, all->base.config->keys, all->base.config->key_count, all->hashes);
    if (EVS_UNLIKELY(batch->traces != NULL)) {
        evs_op_trace_keys(op, batch, all->base.config->keys, all->base.config->key_count);
    }
}

static void settle(struct evs_op *op, struct sessions *all)
{
    if (evs_agg_slices_is_full(&all->slices)) {
        evs_agg_slices_compact(&all->slices);
    }
    int64_t bytes = (int64_t)(evs_agg_slices_bytes(&all->slices) + all->hold.pool.used_bytes +
                              all->timers.capacity * sizeof *all->timers.heap);
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - all->told_bytes);
    all->told_bytes = bytes;
}

/* Each row gives one result at most: no more than two batches, and one of late rows. */
static evs_status session_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct sessions *all = state;
    struct agg_out out = evs_agg_out_begin(op, &all->base);
    EVS_ASSERT(input == 0 && batch->selected_count <= EVS_BATCH_ROWS && all->released == NULL);
    if (all->is_restored) {
        arm_restored(op, all);
    }
    all->clock_us = evs_op_watermark(op);
    hash_rows(op, all, batch);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        evs_table_prefetch_slot(&all->slices.table, all->hashes[i]);
    }
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        evs_table_prefetch_entry(&all->slices.table, all->hashes[i]);
    }
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        struct session_row row = row_at(op, all, batch, i);
        if (must_wait(all, &row)) {
            int64_t due_us = row.time_us > row.watermark_us ? row.time_us : row.watermark_us;
            evs_agg_hold_row(&all->hold, batch, row.row, row.hash, due_us, row.watermark_us);
        } else {
            count_row(op, all, &row, &out);
        }
    }
    finish_batch(op, all, batch);
    evs_agg_out_end(&out);
    settle(op, all);
    return EVS_OK;
}

static int64_t released_due(const struct sessions *all)
{
    if (all->released == NULL) {
        return EVS_TIME_MAX;
    }
    int64_t time_us = all->released->event_time_us[all->position];
    int64_t watermark_us = all->released->watermark_us[all->position];
    return time_us > watermark_us ? time_us : watermark_us;
}

static void count_released(struct evs_op *op, struct sessions *all, struct agg_out *out)
{
    struct session_row row = row_at(op, all, all->released, all->position);
    set_clock(all, released_due(all));
    count_row(op, all, &row, out);
    if (++all->position == all->released->selected_count) {
        finish_batch(op, all, all->released);
        evs_batch_unref(all->released);
        all->released = NULL;
    }
}

/* The next thing up to a moment: a session's end, a tick, a held row; in order of time, and results before rows. False: there is none. */
static bool step(struct evs_op *op, struct sessions *all, struct agg_out *out, int64_t until_us)
{
    if (all->in_tick) {
        tick(all, out);
        return true;
    }
    if (all->released == NULL) {
        all->released = evs_agg_hold_release(op, &all->hold, until_us, EVS_TIME_MAX);
        all->position = 0;
        if (all->released != NULL) {
            hash_rows(op, all, all->released);
        }
    }
    int64_t row_us = released_due(all), timer_us = evs_timers_next(&all->timers), tick_us = next_tick(all);
    bool has_timer = timer_us <= until_us && timer_us <= row_us && timer_us <= tick_us;
    bool has_tick = !has_timer && tick_us != EVS_TIME_MAX && tick_us <= until_us && tick_us <= row_us;
    if ((has_timer || has_tick) && all->released != NULL) {
        flush_rows(all, all->released);
    }
    if (has_timer && all->timers.count > 0) {
        set_clock(all, timer_us - 1); /* a tick of the same moment is still to come */
        fire(op, all, out);
    } else if (has_tick) {
        set_clock(all, tick_us);
        all->tick_us = tick_us;
        all->in_tick = true;
    } else if (all->released != NULL) {
        count_released(op, all, out);
    } else {
        return false;
    }
    return true;
}

static evs_status session_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct sessions *all = state;
    struct agg_out out = evs_agg_out_begin(op, &all->base);
    set_clock(all, evs_op_watermark(op));
    if (all->is_restored) {
        arm_restored(op, all);
    }
    all->late_emitted = 0;
    bool is_over = false;
    while (!is_over && out.emitted + all->late_emitted + 2 < EMIT_BATCHES) {
        is_over = !step(op, all, &out, watermark_us);
    }
    if (all->released != NULL) {
        finish_batch(op, all, all->released);
    }
    evs_agg_out_end(&out);
    if (!is_over) {
        return EVS_MORE;
    }
    all->clock_us = watermark_us;
    settle(op, all);
    return EVS_OK;
}

/* In steps, as aggregate_freeze.c tells; held rows at once. */
static evs_status session_freeze(struct evs_op *op, void *state, struct evs_snapshot_writer *changes,
                                 struct evs_snapshot_writer *copy)
{
    struct sessions *all = state;
    (void)op;
    EVS_ASSERT(all->released == NULL && !all->in_tick && all->row_count == 0);
    evs_agg_slices_freeze(&all->slices, &all->base, changes, copy);
    if (changes != NULL) {
        evs_agg_hold_snapshot(&all->hold, changes, EVS_AGG_SECTION_HELD, false);
    }
    if (copy != NULL) {
        evs_agg_hold_snapshot(&all->hold, copy, EVS_AGG_SECTION_HELD, true);
    }
    return EVS_MORE;
}

static evs_status session_write(struct evs_op *op, void *state, uint32_t records)
{
    struct sessions *all = state;
    (void)op;
    return evs_agg_slices_write(&all->slices, records) ? EVS_MORE : EVS_OK;
}

static evs_status session_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    (void)session_freeze(op, state, full ? NULL : writer, full ? writer : NULL);
    while (session_write(op, state, UINT32_MAX) == EVS_MORE) {
    }
    return EVS_OK;
}

static bool restore_session(struct evs_op *op, struct sessions *all, const struct evs_snapshot_record *record)
{
    struct agg_reading reading;
    uint32_t number, keys = all->slices.table.count;
    bool good = evs_agg_reading_begin(&reading, &all->slices.layout, record);
    int64_t end_us = evs_time_plus(end_of(all, reading.head.start_us, reading.head.end_us), all->lateness_us);
    bool is_over =
        record->section == EVS_AGG_SECTION_SLICES && record->kind == EVS_RECORD_PUT && end_us <= evs_op_watermark(op);
    if (good && !is_over) {
        good = evs_agg_slices_restore(&all->slices, &reading, record, &number);
    }
    evs_op_count(op, EVS_COUNT_STATE_KEYS, (int64_t)all->slices.table.count - (int64_t)keys);
    evs_agg_reading_fini(&reading);
    return good;
}

#define SESSION_SNAPSHOT_VERSION 1

static evs_status session_restore(struct evs_op *op, void *state, uint32_t version,
                                  const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct sessions *all = state;
    const struct evs_table_layout *layout = &all->slices.layout;
    if (!evs_agg_base_see(&all->base, evs_op_migration(op))) {
        return evs_fail(error, EVS_E_CORRUPT, "the stored columns of an aggregate do not decode");
    }
    bool is_held = record->section == EVS_AGG_SECTION_HELD;
    uint32_t expected = record->section == EVS_AGG_SECTION_SLICES
                            ? evs_agg_group_bytes(layout, all->slices.lead_bytes + evs_agg_stored_bytes(&all->base))
                            : evs_agg_part_bytes(layout);
    if (version != SESSION_SNAPSHOT_VERSION || record->section > EVS_AGG_SECTION_HELD ||
        (!is_held && record->fixed.count != expected)) {
        return evs_fail(error, EVS_E_STATE, "the stored state of an aggregate has an unknown layout (version %u)",
                        version);
    }
    all->is_restored = true;
    bool good = is_held ? evs_agg_hold_restore(op, &all->hold, record) : restore_session(op, all, record);
    return good ? EVS_OK : evs_fail(error, EVS_E_CORRUPT, "a stored session of an aggregate does not decode");
}

const struct evs_operator evs_op_session = {
    .kind = "aggregate",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK,
    .snapshot_version = SESSION_SNAPSHOT_VERSION,
    .stored_rows = 1 << EVS_AGG_SECTION_HELD,
    .state_bytes = sizeof(struct sessions),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .stored_key = EVS_AGG_STORED_KEY,
    .open = session_open,
    .process = session_process,
    .watermark = session_watermark,
    .snapshot = session_snapshot,
    .freeze = session_freeze,
    .write = session_write,
    .restore = session_restore,
    .close = session_close,
};
