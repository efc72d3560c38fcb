/* Event time at a source: the watermark of each partition, rows that are behind it, future times, and what happens when nothing comes.
 *
 * A partition's watermark is the largest value of the watermark expression over all rows seen, before any filter. A row is judged against
 * the watermark before it, so the result does not depend on how rows were cut into batches. Most messages need one look: when the smallest
 * time of a message's rows is not below the watermark as it stands after them, no row of it was behind. */
#include "expr.h"
#include "source_node.h"

#define FRONTIER_STEP_US 100000

/* A delay may be negative, where the expression adds to the event time. */
static int64_t watermark_of(int64_t time_us, int64_t delay_us)
{
    int64_t watermark;
    if (__builtin_sub_overflow(time_us, delay_us, &watermark)) {
        return delay_us > 0 ? EVS_TIME_MIN + 1 : EVS_TIME_CUT - 1;
    }
    return watermark == EVS_TIME_MIN ? EVS_TIME_MIN + 1 : watermark >= EVS_TIME_CUT ? EVS_TIME_CUT - 1 : watermark;
}

/* A partition of which no row has been seen stays behind by as much as another one did at most: its first rows may be as late as theirs. */
static void raise_lag(struct source_node *node, const struct partition *partition)
{
    bool is_known = partition->max_time_us > EVS_TIME_MIN && partition->watermark_us > EVS_TIME_MIN + 1;
    int64_t lag, known = atomic_load_explicit(node->lag_us, memory_order_relaxed);
    while (is_known && !__builtin_sub_overflow(partition->max_time_us, partition->watermark_us, &lag) && lag > known &&
           !atomic_compare_exchange_weak(node->lag_us, &known, lag)) {
    }
}

void evs_source_time_start(struct source_node *node, const struct evs_record_source *restored)
{
    node->frontiers.proven_us = EVS_TIME_MIN;
    for (uint32_t i = 0; i < node->partition_count; i++) {
        struct partition *partition = &node->partitions[i];
        partition->watermark_us = EVS_TIME_MIN;
        partition->max_time_us = EVS_TIME_MIN;
        partition->position.partition = i;
        partition->active_us = node->op->worker->now_us;
    }
    for (uint32_t i = 0; restored != NULL && i < restored->partition_count; i++) {
        const struct evs_record_partition *record = &restored->partitions[i];
        uint32_t number = record->position.partition;
        if (number < node->partition_count) {
            struct partition *partition = &node->partitions[number];
            partition->position = record->position;
            partition->watermark_us = record->watermark_us;
            partition->max_time_us = record->max_time_us;
            partition->seen = record->max_time_us != EVS_TIME_MIN;
            raise_lag(node, partition);
        }
    }
    if (restored != NULL) {
        int64_t frontier = atomic_load(&node->shared->frontier_us);
        atomic_store(&node->shared->frontier_us, restored->frontier_us > frontier ? restored->frontier_us : frontier);
    }
}

int64_t evs_source_watermark(const struct source_node *node)
{
    bool is_cut = node->op->worker->run->options.at_end_cut && !node->plan->connector->bounded;
    return !node->finished ? evs_source_reached(node) : is_cut ? EVS_TIME_CUT : EVS_TIME_MAX;
}

int64_t evs_source_reached(const struct source_node *node)
{
    bool is_cut = node->finished && node->op->worker->run->options.at_end_cut && !node->plan->connector->bounded;
    int64_t least = EVS_TIME_MAX;
    for (uint32_t i = 0; i < node->partition_count; i++) {
        const struct partition *partition = &node->partitions[i];
        bool says_nothing = partition->ended || (is_cut && partition->watermark_us == EVS_TIME_MIN);
        bool counts = partition->owned && !says_nothing;
        least = counts && partition->watermark_us < least ? partition->watermark_us : least;
    }
    return least;
}

void evs_source_end_partition(struct source_node *node, uint32_t number)
{
    struct partition *partition = &node->partitions[number];
    EVS_ASSERT(number < node->partition_count && partition->owned);
    partition->ended = !node->op->worker->run->options.at_end_stop;
}

uint32_t evs_source_furthest_behind(const struct source_node *node)
{
    uint32_t furthest = UINT32_MAX;
    for (uint32_t i = 0; i < node->partition_count; i++) {
        const struct partition *partition = &node->partitions[i];
        bool is_further = furthest == UINT32_MAX || partition->watermark_us < node->partitions[furthest].watermark_us;
        furthest = partition->owned && !partition->ended && is_further ? i : furthest;
    }
    return furthest;
}

/* --- judging rows -------------------------------------------------------------------------------------------------------- */

/* The times of a batch: event times and, when the watermark is no plain delay, its expression's values. */
struct judged {
    const struct evs_column *time;
    const struct evs_column *watermark; /* NULL: plain delay */
    struct evs_column computed;
    const struct evs_expr_failure *failures; /* of the expression; rows ascending */
    uint32_t failure_count, next_failure;
};

static void judged_init(struct judged *judged, struct source_node *node, struct evs_batch *batch)
{
    const struct evs_plan_source *plan = node->plan;
    *judged = (struct judged){0};
    judged->time =
        plan->watermark == NULL && plan->watermark_delay_us < 0 ? NULL : &batch->columns[plan->event_time_column];
    if (plan->watermark != NULL && plan->watermark_delay_us < 0) {
        evs_program_run(node->watermark_eval, batch, &judged->computed);
        judged->watermark = &judged->computed;
        judged->failure_count = evs_eval_failures(node->watermark_eval, &judged->failures);
    }
}

static int64_t future_limit(const struct source_node *node, const struct evs_message *message)
{
    if (node->plan->future_skew_us < 0 || message->ingested_at_us == INT64_MIN) {
        return INT64_MAX;
    }
    return message->ingested_at_us + node->plan->future_skew_us;
}

static void raise(struct partition *partition, int64_t time_us, int64_t watermark_us)
{
    partition->max_time_us = time_us > partition->max_time_us ? time_us : partition->max_time_us;
    partition->watermark_us = watermark_us > partition->watermark_us ? watermark_us : partition->watermark_us;
}

static void set_row_watermark(struct evs_batch *batch, uint32_t row, int64_t watermark_us)
{
    if (batch->watermark_us == NULL) {
        batch->watermark_us = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof(int64_t), 64);
        for (uint32_t i = 0; i < EVS_BATCH_ROWS; i++) {
            batch->watermark_us[i] = EVS_TIME_MIN;
        }
    }
    batch->watermark_us[row] = watermark_us;
}

static bool all_valid(const struct evs_column *column, uint32_t first, uint32_t end)
{
    for (uint32_t row = first; column->valid != NULL && row < end;) {
        uint64_t word = column->valid[row / 64] >> (row % 64);
        uint32_t rows = 64 - row % 64 < end - row ? 64 - row % 64 : end - row;
        uint64_t wanted = rows == 64 ? UINT64_MAX : (UINT64_C(1) << rows) - 1;
        if ((word & wanted) != wanted) {
            return false;
        }
        row += rows;
    }
    return true;
}

/* The quick look: true when no row is NULL, too new or behind, and then the partition has moved. */
static bool judge_at_once(struct source_node *node, struct partition *partition, struct evs_batch *batch,
                          const struct judged *judged, int64_t limit_us, uint32_t first, uint32_t end)
{
    bool has_excluded = memchr(node->excluded + first, 1, end - first) != NULL;
    if (has_excluded || judged->watermark != NULL || node->plan->needs_row_watermark ||
        !all_valid(judged->time, first, end)) {
        return false;
    }
    const int64_t *times = batch->event_time_us;
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (uint32_t row = first; row < end; row++) {
        least = times[row] < least ? times[row] : least;
        most = times[row] > most ? times[row] : most;
    }
    int64_t watermark = watermark_of(most, node->plan->watermark_delay_us);
    if (most > limit_us || least < partition->watermark_us || least < watermark) {
        return false;
    }
    raise(partition, most, watermark);
    return true;
}

/* Why the watermark of the row cannot be computed, or NULL; asked row by row, ascending. */
static const struct evs_expr_failure *failure_of(struct judged *judged, uint32_t row)
{
    while (judged->next_failure < judged->failure_count && judged->failures[judged->next_failure].row < row) {
        judged->next_failure++;
    }
    bool is_there = judged->next_failure < judged->failure_count && judged->failures[judged->next_failure].row == row;
    return is_there ? &judged->failures[judged->next_failure] : NULL;
}

/* A row without a time, too new, or without a watermark is dead, and moves nothing. */
static bool is_dead(struct source_node *node, const struct evs_batch *batch, struct judged *judged, bool future,
                    uint32_t row)
{
    struct evs_row_error error = {0};
    const struct evs_expr_failure *failure = failure_of(judged, row);
    if (!evs_column_is_valid(judged->time, row)) {
        error = (struct evs_row_error){.reason = "null_event_time", .code = "R0007"};
    } else if (future && !node->plan->future_keep) {
        error = (struct evs_row_error){.reason = "future", .code = "R0008"};
    } else if (failure != NULL) {
        error = (struct evs_row_error){.reason = failure->reason, .code = failure->code, .message = failure->message};
        error.expression = failure->expr == NULL ? NULL : failure->expr->text;
        error.file = failure->expr == NULL ? NULL : failure->expr->place.file;
        error.line = failure->expr == NULL ? 0 : failure->expr->place.line;
    } else {
        return false;
    }
    node->excluded[row] = 1;
    evs_source_dead_row(node, batch, row, &error);
    return true;
}

static void judge_row(struct source_node *node, struct partition *partition, struct evs_batch *batch,
                      struct judged *judged, int64_t limit_us, uint32_t row)
{
    int64_t time_us = batch->event_time_us[row];
    bool future = time_us > limit_us;
    if (node->excluded[row] || is_dead(node, batch, judged, future, row)) {
        return;
    }
    if (node->plan->needs_row_watermark || time_us < partition->watermark_us) {
        set_row_watermark(batch, row, partition->watermark_us);
    }
    if (future) {
        return;
    }
    int64_t watermark = EVS_TIME_MIN;
    if (judged->watermark == NULL) {
        watermark = watermark_of(time_us, node->plan->watermark_delay_us);
    } else if (evs_column_is_valid(judged->watermark, row)) {
        watermark = *EVS_COLUMN_AT(judged->watermark, int64_t, row);
    }
    raise(partition, time_us, watermark);
}

void evs_source_mark_active(struct source_node *node, struct partition *partition)
{
    partition->active_us = node->op->worker->now_us;
    partition->seen = true;
    partition->idle = false;
    if (!node->counted_active) {
        node->counted_active = true;
        if (atomic_fetch_add(&node->shared->active_workers, 1) == 0) {
            int64_t since = atomic_load(&node->shared->all_idle_us);
            int64_t frontier = atomic_load(&node->shared->frontier_us);
            if (since != 0 && frontier != EVS_TIME_MIN) {
                atomic_store(&node->shared->frontier_us, frontier + (partition->active_us - since));
            }
            atomic_store(&node->shared->all_idle_us, 0);
        }
    }
}

static void raise_frontier(struct source_node *node, int64_t time_us)
{
    int64_t frontier = atomic_load_explicit(&node->shared->frontier_us, memory_order_relaxed);
    while (time_us > frontier && !atomic_compare_exchange_weak(&node->shared->frontier_us, &frontier, time_us)) {
    }
}

void evs_source_judge(struct source_node *node, struct evs_batch *batch, const struct evs_message *message,
                      uint32_t first, uint32_t end)
{
    struct partition *partition = &node->partitions[message->partition];
    struct judged judged;
    judged_init(&judged, node, batch);
    if (judged.time ==
        NULL) { /* no watermark: event time is when it came in; only a broker's clock that was set back is behind */
        for (uint32_t row = first; row < end; row++) {
            if (node->plan->needs_row_watermark || batch->event_time_us[row] < partition->watermark_us) {
                set_row_watermark(batch, row, partition->watermark_us);
            }
            raise(partition, batch->event_time_us[row], batch->event_time_us[row]);
        }
    } else {
        int64_t limit = future_limit(node, message);
        if (!judge_at_once(node, partition, batch, &judged, limit, first, end)) {
            for (uint32_t row = first; row < end; row++) {
                judge_row(node, partition, batch, &judged, limit, row);
            }
        }
    }
    if (judged.watermark != NULL) {
        raise_lag(node, partition);
    }
    evs_source_mark_active(node, partition);
    raise_frontier(node, partition->max_time_us);
}

/* --- nothing comes (exactness, 3) ------------------------------------------------------------------------------------------ */

int64_t evs_source_frontier(const struct source_node *node)
{
    int64_t frontier = atomic_load(&node->shared->frontier_us);
    int64_t since = atomic_load(&node->shared->all_idle_us);
    if (frontier == EVS_TIME_MIN || since == 0 || atomic_load(&node->shared->active_workers) != 0) {
        return frontier;
    }
    return frontier + (node->op->worker->now_us - since);
}

/* Silence counts as far as every registered sender's word goes: what one of them holds back has happened, and will come. */
static bool partition_is_idle(const struct source_node *node, const struct partition *partition)
{
    int64_t since = node->quiet_since_us > partition->active_us ? node->quiet_since_us : partition->active_us;
    return node->complete_us - since >= node->plan->idle_timeout_us;
}

/* Remembers the frontier of now, and finds the one of the moment up to which all senders' words hold. Their words come a second or two late: taken with
 * the frontier of now they would let a partition pass what a collector has begun to hold back in between. */
static void past_look(struct frontier_past *past, int64_t now_us, int64_t frontier_us, int64_t complete_us)
{
    uint32_t proven = 0;
    if (past->count == FRONTIERS_MAX) {
        past->count--; /* the senders are silent for long: of the time since then the newest moment is enough */
    }
    if (past->count == 0 || now_us - past->items[past->count - 1].at_us >= FRONTIER_STEP_US || now_us <= complete_us) {
        past->items[past->count].at_us = now_us;
        past->items[past->count++].frontier_us = frontier_us;
    }
    while (proven < past->count && past->items[proven].at_us <= complete_us) {
        past->proven_us = past->items[proven++].frontier_us;
    }
    past->count -= proven;
    memmove(past->items, past->items + proven, past->count * sizeof past->items[0]);
}

void evs_source_mark_inactive(struct source_node *node)
{
    if (node->counted_active) {
        node->counted_active = false;
        if (atomic_fetch_sub(&node->shared->active_workers, 1) == 1) {
            atomic_store(&node->shared->all_idle_us, node->op->worker->now_us);
        }
    }
}

bool evs_source_check_idle(struct source_node *node)
{
    const struct evs_run_options *options = &node->op->worker->run->options;
    if (node->plan->idle_timeout_us < 0 || options->until_end || node->plan->connector->bounded) {
        return false;
    }
    struct evs_source_state state = {0};
    node->plan->connector->state(node->connector, &state);
    if (!state.caught_up) {
        node->quiet_since_us = 0;
        return false;
    }
    int64_t now_us = node->op->worker->now_us;
    if (node->quiet_since_us == 0) {
        node->quiet_since_us = now_us;
    }
    node->complete_us = state.complete_us == 0 || state.complete_us > now_us ? now_us : state.complete_us;
    past_look(&node->frontiers, now_us, evs_source_frontier(node), node->complete_us);
    bool any = false, all = true;
    for (uint32_t i = 0; i < node->partition_count; i++) {
        struct partition *partition = &node->partitions[i];
        if (partition->owned) {
            partition->idle = partition_is_idle(node, partition);
            any |= partition->idle;
            all &= partition->idle;
        }
    }
    if (all) {
        evs_source_mark_inactive(node);
    }
    return any;
}

/* How far the partition's watermark stays behind event times: the plain delay, or what it was at the partition's newest row, or at any other's. */
static int64_t lag_of(const struct source_node *node, const struct partition *partition)
{
    if (node->plan->watermark_delay_us >= 0) {
        return node->plan->watermark_delay_us;
    }
    return partition->seen ? partition->max_time_us - partition->watermark_us : atomic_load(node->lag_us);
}

bool evs_source_apply_idle(struct source_node *node)
{
    int64_t frontier = node->frontiers.proven_us;
    bool moved = false;
    if (frontier == EVS_TIME_MIN) {
        return false;
    }
    for (uint32_t i = 0; i < node->partition_count; i++) {
        struct partition *partition = &node->partitions[i];
        if (partition->owned && partition->idle) {
            int64_t watermark = watermark_of(frontier, lag_of(node, partition));
            if (watermark > partition->watermark_us) {
                partition->watermark_us = watermark;
                partition->max_time_us = frontier; /* moved together, they keep their distance */
                moved = true;
            }
        }
    }
    return moved;
}
