/* What leaves a join: pairs, rows that matched nothing, rows of a semi join, late rows.
 *
 * Pairs are gathered up to a batch and then judged together: the residual condition runs over columns. All that a result has beside its columns
 * follows from its rows alone, never from when they met:
 *
 *   event time   of a pair the later one; of a window's result the end of the window - 1 µs
 *   watermark    its event time: it is not behind, whatever the operator's watermark has become
 *   cause        the left row's; of an unmatched right row its own
 *   ordinal, key of a pair a hash of what tells both rows apart from all others, so that trigger ids differ; else the row's own */
#include "evstream/keys.h"
#include "op_join_state.h"
#include "op_rows.h"
#include "row_judge.h"

#include <stdlib.h>

/* --- identities ------------------------------------------------------------------------------------------------------------------ */

struct identity { /* hashed: no padding */
    struct evs_cause cause;
    uint64_t lineage, ordinal_and_kind;
    struct evs_hash128 key;
};

static struct evs_hash128 kept_identity(const struct join *join, uint32_t side, const struct evs_row *row)
{
    struct evs_hash128 key;
    memcpy(&key, (const uint8_t *)row + join->own[side][OWN_IDENTITY], sizeof key);
    return key; /* zeros where it was NULL */
}

static struct identity identity_of(const struct join *join, uint32_t side, const struct evs_row *row)
{
    if (row == NULL) {
        return (struct identity){0};
    }
    return (struct identity){row->cause, row->lineage, (uint64_t)row->ordinal << 1 | evs_row_cause_kind(row),
                             kept_identity(join, side, row)};
}

static struct evs_hash128 pair_identity(const struct join *join, const struct evs_row *left,
                                        const struct evs_row *right)
{
    struct identity both[2] = {identity_of(join, LEFT, left), identity_of(join, RIGHT, right)};
    return evs_hash128(both, sizeof both);
}

/* --- batches -------------------------------------------------------------------------------------------------------------------------- */

static struct evs_batch *new_batch(struct evs_op *op, const struct join *join, uint32_t rows)
{
    const struct evs_schema *schema = &join->config->pair_schema;
    struct evs_batch *root = evs_op_new_batch(op);
    struct evs_batch *batch = evs_batch_derive(root, schema->count);
    evs_batch_unref(root);
    evs_batch_init_rows(batch, rows);
    batch->row_count = batch->selected_count = rows;
    batch->watermark_us = batch->event_time_us;
    batch->ordinal = evs_arena_alloc(batch->arena, rows * sizeof *batch->ordinal, 64);
    if (join->wants_key) {
        batch->key = evs_arena_alloc(batch->arena, rows * sizeof *batch->key, 64);
    }
    for (uint32_t i = 0; i < schema->count; i++) {
        batch->columns[i] = (struct evs_column){.kind = schema->fields[i].type->kind};
        if (join->used[i]) {
            evs_column_init(&batch->columns[i], batch, schema->fields[i].type->kind, rows, true);
        }
    }
    return batch;
}

static void decode_side(const struct join *join, uint32_t side, const struct evs_row *const *rows,
                        struct evs_batch *batch)
{
    uint32_t first = side == LEFT ? 0 : join->config->sides[LEFT].column_count;
    for (uint32_t i = 0; i < join->config->sides[side].column_count; i++) {
        if (join->used[first + i]) {
            evs_row_decode_column(&join->layouts[side], i, rows, batch->row_count, batch->arena,
                                  &batch->columns[first + i], 0);
        }
    }
}

static void set_time(struct evs_batch *batch, uint32_t at, int64_t time_us)
{
    batch->event_time_us[at] = time_us;
    batch->min_time_us = time_us < batch->min_time_us ? time_us : batch->min_time_us;
    batch->max_time_us = time_us > batch->max_time_us ? time_us : batch->max_time_us;
}

/* The output's columns are some of a pair's. Takes the batch. */
static void emit(struct evs_op *op, struct join *join, struct evs_batch *batch)
{
    uint32_t count = evs_op_schema(op)->count;
    struct evs_batch *shown = evs_batch_derive(batch, count);
    for (uint32_t i = 0; i < count; i++) {
        shown->columns[i] = batch->columns[join->config->items[i]];
    }
    evs_batch_unref(batch);
    evs_emit(op, 0, shown);
    join->emitted++;
}

/* --- pairs ------------------------------------------------------------------------------------------------------------------------------- */

static int64_t pair_time(const struct join *join, const struct evs_row *left, const struct evs_row *right)
{
    if (join->config->is_window) {
        return evs_join_last_match(join, LEFT, left);
    }
    return left->event_time_us > right->event_time_us ? left->event_time_us : right->event_time_us;
}

static struct evs_batch *pair_batch(struct evs_op *op, const struct join *join)
{
    struct evs_batch *batch = new_batch(op, join, join->pair_count);
    decode_side(join, LEFT, join->pairs[LEFT], batch);
    decode_side(join, RIGHT, join->pairs[RIGHT], batch);
    batch->cause_kind = evs_row_cause_kind(join->pairs[LEFT][0]);
    for (uint32_t i = 0; i < join->pair_count; i++) {
        const struct evs_row *left = join->pairs[LEFT][i], *right = join->pairs[RIGHT][i];
        struct evs_hash128 identity = pair_identity(join, left, right);
        set_time(batch, i, pair_time(join, left, right));
        batch->cause[i] = left->cause;
        batch->ordinal[i] = (uint32_t)identity.low;
        if (batch->key != NULL) {
            batch->key[i] = identity;
        }
    }
    return batch;
}

static void dead_letters(struct evs_op *op, const struct join *join, const struct evs_batch *batch)
{
    const struct evs_expr_failure *failures;
    uint32_t count = evs_eval_failures(join->eval, &failures);
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_expr *expr = failures[i].expr;
        struct evs_row_error error = {
            .reason = failures[i].reason,
            .code = failures[i].code,
            .message = failures[i].message,
            .expression = expr == NULL ? NULL : expr->text,
            .file = expr == NULL ? NULL : expr->place.file,
            .line = expr == NULL ? 0 : expr->place.line,
        };
        evs_op_dead_letter(op, &join->config->pair_schema, batch, failures[i].row, &error);
    }
}

/* The pairs for which the residual condition is true. A pair for which it fails is dead, and no match. */
static uint32_t judge(struct evs_op *op, struct join *join, struct evs_batch *batch, uint16_t *passed)
{
    if (join->eval == NULL) {
        for (uint32_t i = 0; i < batch->row_count; i++) {
            passed[i] = (uint16_t)i;
        }
        return batch->row_count;
    }
    uint32_t count = evs_program_filter(join->eval, batch, passed);
    dead_letters(op, join, batch);
    return count;
}

/* A left row of a semi join has met a match at `time_us`. Nothing can match it earlier than at its own time; else the earliest match is certain when
 * the watermark has come to it. */
static void mark_first(struct join *join, const struct evs_row *left, int64_t time_us)
{
    int64_t mark = evs_join_own(join, LEFT, left, OWN_MARK);
    if (mark == MARK_MATCHED) {
        return;
    }
    if (join->config->is_window || time_us <= left->event_time_us) {
        evs_join_mark(join, LEFT, left, MARK_MATCHED);
        evs_join_add_ready(join, (struct ready_row){time_us, (struct evs_row *)left, LEFT, false, NULL});
    } else if (time_us < mark) {
        evs_join_mark(join, LEFT, left, time_us);
        evs_join_arm_decided(join, left, time_us);
    }
}

static void mark_pairs(struct join *join, const struct evs_batch *batch, const uint16_t *passed, uint32_t count)
{
    const struct evs_join_config *config = join->config;
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_row *left = join->pairs[LEFT][passed[i]], *right = join->pairs[RIGHT][passed[i]];
        if (config->result == EVS_JOIN_GIVES_FIRST) {
            mark_first(join, left, batch->event_time_us[passed[i]]);
            continue;
        }
        if (config->sides[LEFT].pads) {
            evs_join_mark(join, LEFT, left, MARK_MATCHED);
        }
        if (config->sides[RIGHT].pads) {
            evs_join_mark(join, RIGHT, right, MARK_MATCHED);
        }
    }
}

/* No arriving row gives more pairs than the limit: a hot key would flood what comes behind. */
static uint32_t limit(struct evs_op *op, struct join *join, uint32_t arriving, uint16_t *passed, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_row *row = join->pairs[arriving][passed[i]];
        join->limited_count = row == join->limited ? join->limited_count + 1 : 1;
        join->limited = row;
        if (join->limited_count <= join->config->matches_max) {
            passed[kept++] = passed[i];
        }
    }
    evs_op_count(op, EVS_COUNT_LIMITED, (int64_t)count - kept);
    return kept;
}

void evs_join_flush(struct evs_op *op, struct join *join, uint32_t arriving)
{
    EVS_ASSERT(join->pair_count > 0 && join->pair_count <= EVS_BATCH_ROWS);
    struct evs_batch *batch = pair_batch(op, join);
    uint16_t *passed = evs_arena_alloc(batch->arena, batch->row_count * sizeof *passed + 64, 64);
    uint32_t count = judge(op, join, batch, passed);
    mark_pairs(join, batch, passed, count);
    join->pair_count = 0;
    if (join->config->result != EVS_JOIN_GIVES_PAIRS) {
        evs_batch_unref(batch);
        return;
    }
    count = limit(op, join, arriving, passed, count);
    if (count < batch->row_count) {
        batch->selection = passed;
        batch->selected_count = count;
    }
    emit(op, join, batch);
}

/* --- rows that leave alone -------------------------------------------------------------------------------------------------------------- */

void evs_join_add_ready(struct join *join, struct ready_row ready)
{
    EVS_GROW(join->ready, join->ready_count, join->ready_capacity);
    join->ready[join->ready_count++] = ready;
}

static int compare_ready(const void *a, const void *b)
{
    const struct ready_row *left = a, *right = b;
    if (left->time_us != right->time_us) {
        return left->time_us < right->time_us ? -1 : 1;
    }
    int order = evs_row_compare(left->row, right->row);
    return order != 0 ? order : (int)left->side - (int)right->side;
}

void evs_join_sort_ready(struct join *join, uint32_t first)
{
    if (join->ready_count > first + 1) {
        qsort(join->ready + first, join->ready_count - first, sizeof *join->ready, compare_ready);
    }
}

static void set_alone(const struct join *join, struct evs_batch *batch, uint32_t at, const struct ready_row *ready)
{
    set_time(batch, at, ready->time_us);
    batch->cause[at] = ready->row->cause;
    batch->ordinal[at] = ready->row->ordinal;
    if (batch->key == NULL) {
        return;
    }
    bool is_itself = join->config->result != EVS_JOIN_GIVES_PAIRS; /* the left row goes on as it came */
    const struct evs_row *left = ready->side == LEFT ? ready->row : NULL,
                         *right = ready->side == LEFT ? NULL : ready->row;
    batch->key[at] = is_itself ? kept_identity(join, LEFT, ready->row) : pair_identity(join, left, right);
}

/* How many of the next ready rows may share a batch. */
static uint32_t alike(const struct join *join)
{
    const struct ready_row *ready = join->ready + join->ready_at;
    uint32_t left = join->ready_count - join->ready_at, count = 1;
    uint32_t most = left < EVS_BATCH_ROWS ? left : EVS_BATCH_ROWS;
    bool is_itself = join->config->result != EVS_JOIN_GIVES_PAIRS;
    while (count < most && evs_row_cause_kind(ready[count].row) == evs_row_cause_kind(ready[0].row) &&
           (!is_itself || ready[count].row->lineage == ready[0].row->lineage)) {
        count++;
    }
    return count;
}

static void emit_alone(struct evs_op *op, struct join *join, uint32_t count)
{
    const struct ready_row *ready = join->ready + join->ready_at;
    const struct evs_row *rows[2][EVS_BATCH_ROWS];
    struct evs_batch *batch = new_batch(op, join, count);
    batch->cause_kind = evs_row_cause_kind(ready[0].row);
    batch->lineage = join->config->result != EVS_JOIN_GIVES_PAIRS ? ready[0].row->lineage : 0;
    for (uint32_t i = 0; i < count; i++) {
        rows[ready[i].side][i] = ready[i].row;
        rows[1 - ready[i].side][i] = ready[i].other;
        set_alone(join, batch, i, &ready[i]);
    }
    decode_side(join, LEFT, rows[LEFT], batch);
    decode_side(join, RIGHT, rows[RIGHT], batch);
    for (uint32_t i = 0; i < count; i++) {
        if (ready[i].is_gone) {
            evs_join_free(join, ready[i].side, ready[i].row);
        }
    }
    emit(op, join, batch);
    join->ready_at += count;
}

evs_status evs_join_emit_ready(struct evs_op *op, struct join *join)
{
    while (join->ready_at < join->ready_count) {
        if (join->emitted == EVS_JOIN_EMIT_BATCHES) {
            return EVS_MORE;
        }
        emit_alone(op, join, alike(join));
    }
    join->ready_at = join->ready_count = 0;
    return EVS_OK;
}

/* --- late rows --------------------------------------------------------------------------------------------------------------------------- */

static void null_column(struct evs_batch *batch, struct evs_column *column, enum evs_kind kind)
{
    *column = (struct evs_column){0};
    evs_column_init(column, batch, kind, 1, true);
    memset(column->data, 0, evs_kind_width(kind));
    column->flags = EVS_COLUMN_CONSTANT;
    evs_column_set_null(column, 0);
}

void evs_join_emit_late(struct evs_op *op, struct join *join, struct evs_batch *batch, uint32_t side,
                        const uint16_t *rows, uint32_t count)
{
    const struct evs_join_config *config = join->config;
    const uint32_t *from = config->sides[side].late;
    evs_op_count(op, EVS_COUNT_LATE, count);
    if (!config->late_output || from == NULL || count == 0) {
        return;
    }
    struct evs_batch *late = evs_batch_derive(batch, config->late_count + 2);
    for (uint32_t i = 0; i < config->late_count; i++) {
        if (from[i] == EVS_JOIN_NO_COLUMN) {
            null_column(late, &late->columns[i], config->late_kinds[i]);
        } else {
            late->columns[i] = batch->columns[from[i]];
        }
    }
    struct evs_column *watermark = &late->columns[config->late_count], *lateness = watermark + 1;
    *watermark = *lateness = (struct evs_column){0};
    evs_column_init(watermark, late, EVS_TIMESTAMP, batch->row_count, false);
    evs_column_init(lateness, late, EVS_INT64, batch->row_count, false);
    uint16_t *selection = evs_arena_alloc(late->arena, count * sizeof *selection + 64, 64);
    for (uint32_t i = 0; i < count; i++) {
        int64_t watermark_us = evs_row_watermark(op, batch, rows[i]);
        selection[i] = rows[i];
        ((int64_t *)watermark->data)[rows[i]] = watermark_us;
        ((int64_t *)lateness->data)[rows[i]] = watermark_us - batch->event_time_us[rows[i]];
    }
    late->selection = selection;
    late->selected_count = count;
    evs_emit(op, 1, late);
}
