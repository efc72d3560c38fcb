#include "window_model.h"

#include "row_judge.h"

#define ROWS_MAX 256
#define MODEL_FOREVER INT64_MAX

/* A group of rows: of a key in a window, or a session, or of a key alone. */
struct group {
    const struct op_row *of; /* some row: its key */
    struct evs_span span;
    const struct op_row *rows[ROWS_MAX];
    uint32_t count;
    int64_t revision;
    bool is_changed, is_closed, is_gone;
    struct evs_value shown[MODEL_RESULTS];
    int64_t replaces[ROWS_MAX];
    uint32_t replaces_count;
};

struct run {
    struct window_model *model;
    struct group *groups;
    uint32_t count, capacity;
    int64_t clock_us;
};

static const struct evs_aggregate_config *config_of(const struct run *run)
{
    return run->model->config;
}

static int64_t due_of(const struct op_row *row)
{
    return row->time_us > row->watermark_us ? row->time_us : row->watermark_us;
}

static bool same_key(const struct op_row *a, const struct op_row *b)
{
    const struct evs_value *x = &a->values[MODEL_KEY], *y = &b->values[MODEL_KEY];
    return x->is_null == y->is_null && (x->is_null || x->int64 == y->int64);
}

static bool is_update(const struct run *run)
{
    return evs_aggregate_is_update(config_of(run));
}

/* --- results -------------------------------------------------------------------------------------------------------------------- */

static bool comes_before(const struct op_row *a, const struct op_row *b)
{
    if (a->time_us != b->time_us) {
        return a->time_us < b->time_us;
    }
    return a->cause.major != b->cause.major ? a->cause.major < b->cause.major : a->cause.minor < b->cause.minor;
}

static void results_of(const struct run *run, const struct group *group, struct evs_value *values)
{
    int64_t sum = 0, most = INT64_MIN, distinct = 0, valued = 0;
    const struct op_row *last = NULL;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct op_row *row = group->rows[i];
        const struct evs_value *value = &row->values[MODEL_VALUE];
        last = last == NULL || comes_before(last, row) ? row : last;
        bool is_first = !value->is_null;
        for (uint32_t k = 0; k < i && is_first; k++) {
            const struct evs_value *other = &group->rows[k]->values[MODEL_VALUE];
            is_first = other->is_null || other->int64 != value->int64;
        }
        distinct += is_first;
        valued += !value->is_null;
        sum += value->is_null ? 0 : value->int64;
        most = !value->is_null && value->int64 > most ? value->int64 : most;
    }
    values[0] = group->of->values[MODEL_KEY];
    values[1] = (struct evs_value){.kind = EVS_TIMESTAMP, .int64 = group->span.start_us};
    values[2] = (struct evs_value){.kind = EVS_TIMESTAMP, .int64 = group->span.end_us};
    values[3] = (struct evs_value){.kind = EVS_INT64, .int64 = group->count};
    values[4] = (struct evs_value){.kind = EVS_INT64, .is_null = valued == 0, .int64 = sum};
    values[5] = (struct evs_value){.kind = EVS_INT64, .is_null = valued == 0, .int64 = most};
    values[6] = last->values[MODEL_VALUE];
    bool is_distinct = config_of(run)->calls[4].is_distinct;
    values[7] = (struct evs_value){.kind = EVS_INT64, .int64 = is_distinct ? distinct : group->count};
}

static bool same_results(const struct evs_value *a, const struct evs_value *b)
{
    for (uint32_t i = 1; i < MODEL_RESULTS; i++) {
        if (a[i].is_null != b[i].is_null || (!a[i].is_null && a[i].int64 != b[i].int64)) {
            return false;
        }
    }
    return true;
}

static bool is_windowed(const struct run *run)
{
    return config_of(run)->window.kind != EVS_WINDOW_NONE;
}

static void emit(struct run *run, struct group *group, int64_t time_us, bool is_final, const struct op_row *causing)
{
    struct evs_value values[MODEL_RESULTS + 3];
    struct evs_cause cause = {(uint64_t)group->span.start_us, (uint64_t)group->span.end_us};
    uint32_t count = MODEL_RESULTS;
    results_of(run, group, values);
    memcpy(group->shown, values, sizeof group->shown);
    if (!is_windowed(run)) {
        cause = causing != NULL ? causing->cause : (struct evs_cause){0, (uint64_t)time_us + 1};
    }
    if (is_update(run)) {
        values[count++] = (struct evs_value){.kind = EVS_INT64, .int64 = group->revision};
        values[count++] = (struct evs_value){.kind = EVS_BOOL, .boolean = is_final};
        if (config_of(run)->window.kind == EVS_WINDOW_SESSION) {
            values[count++] = (struct evs_value){.kind = EVS_INT64, .int64 = group->replaces_count};
        }
    }
    op_lines_row(&run->model->results, time_us, cause, (uint32_t)group->revision, values, count);
    group->revision += is_update(run);
    group->replaces_count = 0;
    group->is_changed = false;
}

static void emit_late(struct run *run, const struct op_row *row, struct evs_span span)
{
    struct evs_value values[OP_CASE_COLUMNS_MAX];
    uint32_t count = config_of(run)->late_columns;
    memcpy(values, row->values, count * sizeof *values);
    if (config_of(run)->window.kind != EVS_WINDOW_COLUMNS) {
        values[count++] = (struct evs_value){.kind = EVS_TIMESTAMP, .int64 = span.start_us};
        values[count++] = (struct evs_value){.kind = EVS_TIMESTAMP, .int64 = span.end_us};
    }
    values[count++] = (struct evs_value){.kind = EVS_TIMESTAMP, .int64 = row->watermark_us};
    values[count++] = (struct evs_value){.kind = EVS_INT64, .int64 = row->watermark_us - row->time_us};
    op_lines_row(&run->model->late, row->time_us, row->cause, 0, values, count);
}

/* --- groups ----------------------------------------------------------------------------------------------------------------------- */

static struct group *add_group(struct run *run, const struct op_row *row, struct evs_span span)
{
    EVS_GROW(run->groups, run->count, run->capacity);
    struct group *group = &run->groups[run->count++];
    memset(group, 0, sizeof *group);
    group->of = row;
    group->span = span;
    return group;
}

static struct group *group_of(struct run *run, const struct op_row *row, struct evs_span span)
{
    for (uint32_t i = 0; i < run->count; i++) {
        struct group *group = &run->groups[i];
        if (!group->is_gone && same_key(group->of, row) && group->span.start_us == span.start_us &&
            group->span.end_us == span.end_us) {
            return group;
        }
    }
    return add_group(run, row, span);
}

static int64_t gone_us(const struct run *run, const struct group *group)
{
    return evs_time_plus(group->span.end_us, config_of(run)->lateness_us);
}

static int64_t latest_us(const struct group *group)
{
    int64_t latest = INT64_MIN;
    for (uint32_t i = 0; i < group->count; i++) {
        latest = group->rows[i]->time_us > latest ? group->rows[i]->time_us : latest;
    }
    return latest;
}

/* --- moments ------------------------------------------------------------------------------------------------------------------------ */

static int64_t tick_after(const struct run *run, int64_t time_us)
{
    return evs_floor_to(time_us, 0, config_of(run)->every_us) + config_of(run)->every_us;
}

/* The group's next moment after the clock. */
static int64_t next_moment(const struct run *run, const struct group *group)
{
    const struct evs_aggregate_config *config = config_of(run);
    int64_t next = is_windowed(run) ? gone_us(run, group) : MODEL_FOREVER;
    bool closes = is_windowed(run) && config->lateness_us > 0 && config->emit != EVS_EMIT_ON_CHANGE;
    if (closes && !group->is_closed && group->span.end_us < next) {
        next = group->span.end_us;
    }
    if (config->emit == EVS_EMIT_EVERY && group->is_changed) {
        int64_t tick = tick_after(run, run->clock_us);
        next = tick < next ? tick : next;
    }
    return next;
}

static void moment(struct run *run, struct group *group, int64_t at_us)
{
    const struct evs_aggregate_config *config = config_of(run);
    struct evs_value values[MODEL_RESULTS];
    if (is_windowed(run) && at_us == gone_us(run, group)) {
        emit(run, group, at_us - 1, true, NULL);
        group->is_gone = true;
        return;
    }
    results_of(run, group, values);
    bool is_same = group->revision > 0 && same_results(values, group->shown);
    if (config->emit == EVS_EMIT_EVERY ? group->is_changed && !is_same : true) {
        emit(run, group, at_us - 1, false, NULL);
    }
    group->is_changed = false;
    group->is_closed = group->is_closed || (is_windowed(run) && at_us >= group->span.end_us);
}

/* Groups whose time is over go; with ticks at ticks. */
static void expire(struct run *run, int64_t until_us)
{
    const struct evs_aggregate_config *config = config_of(run);
    int64_t limit = config->emit == EVS_EMIT_EVERY && until_us != MODEL_FOREVER
                        ? evs_floor_to(until_us, 0, config->every_us)
                        : until_us;
    for (uint32_t i = 0; i < run->count && config->retain_us >= 0; i++) {
        struct group *group = &run->groups[i];
        bool is_told = config->emit != EVS_EMIT_EVERY || !group->is_changed;
        group->is_gone = group->is_gone || (is_told && evs_time_plus(latest_us(group), config->retain_us) <= limit);
    }
}

/* All moments up to `until_us`, in order of time. */
static void advance(struct run *run, int64_t until_us)
{
    for (;;) {
        struct group *next = NULL;
        int64_t at_us = MODEL_FOREVER;
        for (uint32_t i = 0; i < run->count; i++) {
            struct group *group = &run->groups[i];
            int64_t own = group->is_gone ? MODEL_FOREVER : next_moment(run, group);
            if (own < at_us) {
                at_us = own;
                next = group;
            }
        }
        if (next == NULL || at_us > until_us) {
            break;
        }
        run->clock_us = at_us - 1; /* other groups may have the same moment */
        moment(run, next, at_us);
    }
    expire(run, until_us);
    run->clock_us = until_us;
}

/* --- rows of windows ------------------------------------------------------------------------------------------------------------------ */

/* The windows that hold a row, by looking at all that begin around it; the youngest first. */
static uint32_t windows_of(const struct run *run, const struct op_row *row, struct evs_span *spans)
{
    const struct evs_window *window = &config_of(run)->window;
    uint32_t count = 0;
    int64_t slide = window->kind == EVS_WINDOW_HOP ? window->slide_us : window->size_us;
    if (window->kind == EVS_WINDOW_NONE || window->kind == EVS_WINDOW_COLUMNS) {
        bool is_none = window->kind == EVS_WINDOW_NONE;
        spans[0] = (struct evs_span){is_none ? EVS_TIME_MIN : row->values[MODEL_START].int64,
                                     is_none ? EVS_TIME_MAX : row->values[MODEL_END].int64};
        return 1;
    }
    for (int64_t start = row->time_us; start > row->time_us - window->size_us; start--) {
        if ((start - window->offset_us) % slide != 0) {
            continue;
        }
        int64_t least = window->kind == EVS_WINDOW_CUMULATE ? window->pane_us : window->size_us;
        for (int64_t size = window->size_us; size >= least; size -= least) {
            if (start + size > row->time_us) {
                spans[count++] = (struct evs_span){start, start + size};
            }
        }
    }
    return count;
}

static void count_in(struct run *run, const struct op_row *row, struct evs_span span)
{
    const struct evs_aggregate_config *config = config_of(run);
    struct group *group = group_of(run, row, span);
    bool was_new = group->count == 0;
    if (!was_new && config->retain_us >= 0 && config->emit == EVS_EMIT_ON_CHANGE &&
        latest_us(group) + config->retain_us <= row->watermark_us) {
        group->is_gone = true;
        group = add_group(run, row, span);
        was_new = true;
    }
    struct evs_value before[MODEL_RESULTS], after[MODEL_RESULTS];
    if (!was_new) {
        results_of(run, group, before);
    }
    group->rows[group->count++] = row;
    results_of(run, group, after);
    bool is_changed = was_new || !same_results(before, after);
    group->is_changed = true;
    bool is_shown = config->emit == EVS_EMIT_ON_CLOSE && is_windowed(run) && span.end_us <= run->clock_us;
    if (config->emit == EVS_EMIT_ON_CHANGE && is_changed) {
        emit(run, group, row->time_us, false, row);
    } else if (is_shown && is_changed) {
        emit(run, group, row->watermark_us, false, row);
    }
    group->is_closed = group->is_closed || is_shown;
    if (config->emit == EVS_EMIT_EVERY && is_windowed(run)) {
        group->is_closed = group->is_closed || span.end_us <= run->clock_us;
    }
}

static void count_row(struct run *run, const struct op_row *row)
{
    struct evs_span spans[ROWS_MAX];
    uint32_t count = windows_of(run, row, spans), late = 0;
    for (uint32_t i = 0; i < count; i++) {
        late += is_windowed(run) && row->watermark_us >= evs_time_plus(spans[i].end_us, config_of(run)->lateness_us);
    }
    if (late == count) {
        emit_late(run, row, spans[0]);
        return;
    }
    run->model->late_windows += late;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_windowed(run) || row->watermark_us < evs_time_plus(spans[i].end_us, config_of(run)->lateness_us)) {
            count_in(run, row, spans[i]);
        }
    }
}

/* --- rows of sessions -------------------------------------------------------------------------------------------------------------------- */

static int64_t session_end(const struct run *run, int64_t first_us, int64_t last_us)
{
    const struct evs_window *window = &config_of(run)->window;
    int64_t end = last_us + window->gap_us;
    return window->max_us > 0 && first_us + window->max_us < end ? first_us + window->max_us : end;
}

/* Is the session there, as the row's watermark sees it? */
static bool is_alive(const struct run *run, const struct group *group, const struct op_row *row)
{
    return !group->is_gone && same_key(group->of, row) && gone_us(run, group) > row->watermark_us;
}

static void replace(struct group *by, const struct group *group)
{
    if (group->revision > 0) {
        by->replaces[by->replaces_count++] = group->span.start_us;
    }
}

static void join_sessions(struct run *run, const struct op_row *row)
{
    const struct evs_aggregate_config *config = config_of(run);
    int64_t max_us = config->window.max_us, gap_us = config->window.gap_us;
    struct evs_span own = {row->time_us, session_end(run, row->time_us, row->time_us)};
    uint32_t left = UINT32_MAX, right = UINT32_MAX;
    for (uint32_t i = 0; i < run->count; i++) {
        struct group *group = &run->groups[i];
        if (!is_alive(run, group, row)) {
            continue;
        }
        if (group->span.start_us <= row->time_us && row->time_us < group->span.end_us) {
            bool is_nearer = left == UINT32_MAX || group->span.start_us > run->groups[left].span.start_us;
            left = is_nearer ? i : left;
        } else if (group->span.start_us > row->time_us && group->span.start_us < row->time_us + gap_us) {
            bool is_nearer = right == UINT32_MAX || group->span.start_us < run->groups[right].span.start_us;
            right = is_nearer ? i : right;
        }
    }
    int64_t first = left != UINT32_MAX ? run->groups[left].span.start_us : row->time_us;
    if (right != UINT32_MAX && max_us > 0 && latest_us(&run->groups[right]) >= first + max_us) {
        right = UINT32_MAX;
    }
    if (left == UINT32_MAX && right != UINT32_MAX) {
        own.end_us = session_end(run, row->time_us, latest_us(&run->groups[right]));
    }
    if (left == UINT32_MAX && own.end_us + config->lateness_us <= row->watermark_us) {
        emit_late(run, row, own);
        return;
    }
    struct group *group;
    if (left == UINT32_MAX && right == UINT32_MAX) {
        group = add_group(run, row, own);
    } else {
        group = &run->groups[left != UINT32_MAX ? left : right];
        if (left == UINT32_MAX) {
            replace(group, group);
        } else if (right != UINT32_MAX) {
            struct group *other = &run->groups[right];
            replace(group, other);
            memcpy(group->rows + group->count, other->rows, other->count * sizeof(void *));
            group->count += other->count;
            group->revision = other->revision > group->revision ? other->revision : group->revision;
            other->is_gone = true;
        }
    }
    group->rows[group->count++] = row;
    group->span.start_us = row->time_us < group->span.start_us ? row->time_us : group->span.start_us;
    group->span.end_us = session_end(run, group->span.start_us, latest_us(group));
    group->is_changed = true;
    bool is_late_update =
        config->lateness_us > 0 && config->emit == EVS_EMIT_ON_CLOSE && group->span.end_us <= run->clock_us;
    group->is_closed = group->span.end_us <= run->clock_us;
    if (config->emit == EVS_EMIT_ON_CHANGE) {
        emit(run, group, row->time_us, false, row);
    } else if (is_late_update || group->replaces_count > 0) {
        emit(run, group, due_of(row), false, row);
    }
}

/* --- the whole --------------------------------------------------------------------------------------------------------------------------- */

static int by_due(const void *a, const void *b)
{
    const struct op_row *x = *(const struct op_row *const *)a, *y = *(const struct op_row *const *)b;
    int64_t left = due_of(x), right = due_of(y);
    if (left != right) {
        return left < right ? -1 : 1;
    }
    if (x->cause.major != y->cause.major) {
        return x->cause.major < y->cause.major ? -1 : 1;
    }
    return x->cause.minor < y->cause.minor ? -1 : 1;
}

void window_model_run(struct window_model *model)
{
    struct run run = {.model = model, .clock_us = -1000000};
    const struct op_row *order[ROWS_MAX];
    bool is_on_change = model->config->emit == EVS_EMIT_ON_CHANGE;
    ck_assert_uint_le(model->row_count, ROWS_MAX);
    for (uint32_t i = 0; i < model->row_count; i++) {
        order[i] = &model->rows[i];
    }
    if (!is_on_change) {
        qsort(order, model->row_count, sizeof *order, by_due);
    }
    for (uint32_t i = 0; i < model->row_count; i++) {
        if (!is_on_change) {
            advance(&run, due_of(order[i]));
        }
        if (model->config->window.kind == EVS_WINDOW_SESSION) {
            join_sessions(&run, order[i]);
        } else {
            count_row(&run, order[i]);
        }
    }
    advance(&run, MODEL_FOREVER - 1);
    evs_free(run.groups);
}

void window_model_fini(struct window_model *model)
{
    op_lines_clear(&model->results);
    op_lines_clear(&model->late);
}
