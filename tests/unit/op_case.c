#include "op_case.h"

#include <inttypes.h>

#include "evstream/keys.h"
#include "state/snapshot.h"

struct evs_op {
    struct op_case *made;
    void *state;
    int64_t watermark_us;
    int64_t counters[EVS_COUNTERS];
    uint32_t emitted; /* in the running call */
};

/* --- lines ---------------------------------------------------------------------------------------------------------------------- */

void op_lines_add(struct op_lines *lines, char *line)
{
    EVS_GROW(lines->lines, lines->count, lines->capacity);
    lines->lines[lines->count++] = line;
}

static void put_value(struct evs_buffer *out, const struct evs_value *value)
{
    char text[EVS_FORMAT_MAX];
    if (value->is_null) {
        evs_buffer_puts(out, "null");
    } else if (evs_kind_is_var(value->kind)) {
        evs_buffer_printf(out, "'%.*s'", (int)value->str.count, evs_str_data(&value->str));
    } else if (value->kind == EVS_FLOAT64) {
        evs_buffer_put(out, text, evs_format_float64(text, value->float64));
    } else if (value->kind == EVS_NUMERIC) {
        evs_buffer_put(out, text, evs_format_numeric(text, value->numeric));
    } else {
        evs_buffer_printf(out, "%" PRId64, value->kind == EVS_BOOL ? (int64_t)value->boolean : value->int64);
    }
}

void op_lines_row(struct op_lines *lines, int64_t time_us, struct evs_cause cause, uint32_t ordinal,
                  const struct evs_value *values, uint32_t count)
{
    struct evs_buffer out = {0};
    evs_buffer_printf(&out, "%" PRId64 " %" PRIu64 ".%" PRIu64 ".%u |", time_us, cause.major, cause.minor, ordinal);
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_puts(&out, " ");
        put_value(&out, &values[i]);
    }
    evs_buffer_put(&out, "", 1);
    op_lines_add(lines, out.data);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void op_lines_sort(struct op_lines *lines)
{
    if (lines->count > 1) {
        qsort(lines->lines, lines->count, sizeof *lines->lines, by_text);
    }
}

void op_lines_clear(struct op_lines *lines)
{
    for (uint32_t i = 0; i < lines->count; i++) {
        evs_free(lines->lines[i]);
    }
    evs_free(lines->lines);
    *lines = (struct op_lines){0};
}

void op_lines_check(const struct op_lines *found, const struct op_lines *expected, const char *what)
{
    uint32_t most = found->count > expected->count ? found->count : expected->count;
    for (uint32_t i = 0; i < most; i++) {
        const char *left = i < found->count ? found->lines[i] : "nothing";
        const char *right = i < expected->count ? expected->lines[i] : "nothing";
        UNIT_CHECK(strcmp(left, right) == 0, "%s, line %u: found %s, expected %s", what, i, left, right);
    }
}

/* --- what operators ask ----------------------------------------------------------------------------------------------------------- */

const void *evs_op_config(const struct evs_op *op)
{
    return op->made->config;
}

const struct evs_schema *evs_op_input_schema(const struct evs_op *op, uint32_t input)
{
    return input == 0 ? &op->made->input : &op->made->second;
}

const struct evs_schema *evs_op_schema(const struct evs_op *op)
{
    return &op->made->output;
}

int64_t evs_op_now(const struct evs_op *op)
{
    return op->made->now_us;
}

struct evs_waker *evs_op_waker(struct evs_op *op)
{
    return (struct evs_waker *)op->made;
}

void evs_waker_wake(struct evs_waker *waker)
{
    evs_os_system()->threads.wake(((struct op_case *)waker)->park);
}

evs_status evs_op_fail(struct evs_op *op, const struct evs_error *error)
{
    op->made->failure = *error;
    return error->code;
}

evs_status evs_op_share(struct evs_op *op, const void *key,
                        evs_status (*open)(const void *key, const struct evs_shared_open *open, void **object,
                                           struct evs_error *error),
                        void (*close)(void *object), void **object, struct evs_error *error)
{
    struct op_case *made = op->made;
    struct evs_shared_open how = {.os = evs_os_system(), .pipeline = "case", .retry_us = made->retry_us};
    evs_status status = made->shared != NULL ? EVS_OK : open(key, &how, &made->shared, error);
    ck_assert(made->shared_key == NULL || made->shared_key == key);
    made->shared_key = key;
    made->close_shared = close;
    *object = made->shared;
    return status;
}

int64_t evs_op_watermark(const struct evs_op *op)
{
    return op->watermark_us;
}

void evs_op_delay_watermark(struct evs_op *op, int64_t delay_us)
{
    op->made->delay_us = delay_us;
}

struct evs_batch *evs_op_new_batch(struct evs_op *op)
{
    return evs_batch_new(op->made->pool, op->made->output.count);
}

bool evs_op_owns(const struct evs_op *op, uint64_t hash)
{
    return &op->made->workers[evs_shard_of(hash) % op->made->worker_count] == op;
}

bool evs_op_wants_key(const struct evs_op *op)
{
    return op->made->wants_key;
}

bool evs_op_is_durable(const struct evs_op *op)
{
    (void)op;
    return true;
}

void evs_op_count(struct evs_op *op, enum evs_counter counter, int64_t delta)
{
    op->counters[counter] += delta;
}

void evs_op_dead_letter(struct evs_op *op, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                        const struct evs_row_error *error)
{
    (void)schema, (void)batch, (void)row;
    ck_assert(error->reason != NULL && error->code != NULL);
    op->made->dead++;
}

/* What the watermark slot emits is in event-time order and not behind the watermark that was passed on before. */
static void check_time(struct op_case *made, const struct evs_op *op, int64_t time_us)
{
    if (made->in_watermark) {
        bool may_be_late = (made->operator_->flags & EVS_OP_PASSES_LATE) != 0;
        bool is_behind = op->watermark_us == EVS_TIME_MIN || op->made->delay_us == EVS_TIME_MAX;
        ck_assert(may_be_late || is_behind || time_us >= op->watermark_us - op->made->delay_us);
        ck_assert_int_ge(time_us, made->last_us);
        made->last_us = time_us;
    }
}

void evs_emit(struct evs_op *op, uint32_t output, struct evs_batch *batch)
{
    struct op_case *made = op->made;
    ck_assert_uint_lt(output, OP_CASE_OUTPUTS_MAX);
    ck_assert_uint_lt(op->emitted++, made->operator_->emit_max);
    EVS_FOR_ROWS(batch, position, row) {
        struct evs_value values[OP_CASE_COLUMNS_MAX];
        ck_assert(batch->event_time_us[row] >= batch->min_time_us && batch->event_time_us[row] <= batch->max_time_us);
        if (output == 0) {
            check_time(made, op, batch->event_time_us[row]);
        }
        for (uint32_t i = 0; i < batch->column_count; i++) {
            values[i] = evs_column_value(&batch->columns[i], row);
        }
        if (made->has_identity && output == 0 && batch->cause_kind == EVS_CAUSE_RECORD) {
            ck_assert_uint_eq(batch->key[row].low, batch->cause[row].minor * 7 + 1);
        }
        op_lines_row(&made->outputs[output], batch->event_time_us[row], batch->cause[row],
                     batch->ordinal == NULL ? 0 : batch->ordinal[row], values, batch->column_count);
    }
    evs_batch_unref(batch);
}

/* --- workers ------------------------------------------------------------------------------------------------------------------------ */

static void open_workers(struct op_case *made, uint32_t worker_count)
{
    made->worker_count = worker_count;
    made->workers = evs_alloc_zero(worker_count * sizeof *made->workers);
    for (uint32_t i = 0; i < worker_count; i++) {
        struct evs_op *op = &made->workers[i];
        size_t bytes = (made->operator_->state_bytes + 127u) & ~(size_t)63;
        *op = (struct evs_op){.made = made, .watermark_us = made->watermark_us};
        op->state = evs_alloc_aligned(64, bytes);
        memset(op->state, 0, bytes);
        if (made->operator_->open != NULL) {
            ck_assert_int_eq(made->operator_->open(op, op->state, NULL), EVS_OK);
        }
    }
}

static void close_workers(struct op_case *made)
{
    for (uint32_t i = 0; i < made->worker_count; i++) {
        struct evs_op *op = &made->workers[i];
        if (made->operator_->close != NULL) {
            made->operator_->close(op, op->state);
        }
        for (uint32_t k = 0; k < EVS_COUNTERS; k++) {
            bool is_gauge = k == EVS_COUNT_STATE_KEYS || k == EVS_COUNT_STATE_BYTES;
            made->counters[k] += is_gauge ? 0 : op->counters[k];
        }
        evs_free(op->state);
    }
    evs_free(made->workers);
    made->worker_count = 0;
}

void op_case_begin(struct op_case *made, uint32_t worker_count)
{
    made->pool = evs_batch_pool_new();
    made->park = evs_os_system()->threads.park_new(evs_os_system()->threads.self);
    made->watermark_us = EVS_TIME_MIN;
    open_workers(made, worker_count);
}

static void forget_blocks(struct op_case *made)
{
    for (uint32_t i = 0; i < made->block_count; i++) {
        evs_free((void *)made->blocks[i].data);
    }
    made->block_count = 0;
}

void op_case_end(struct op_case *made)
{
    if (made->shared != NULL) {
        made->close_shared(made->shared);
    }
    close_workers(made);
    evs_os_system()->threads.park_free(made->park);
    forget_blocks(made);
    evs_free(made->blocks);
    for (uint32_t i = 0; i < OP_CASE_OUTPUTS_MAX; i++) {
        op_lines_clear(&made->outputs[i]);
    }
    ck_assert_uint_eq(evs_batch_pool_live(made->pool), 0);
    evs_batch_pool_free(made->pool);
}

int64_t op_case_counter(const struct op_case *made, enum evs_counter counter)
{
    int64_t sum = made->counters[counter];
    for (uint32_t i = 0; i < made->worker_count; i++) {
        sum += made->workers[i].counters[counter];
    }
    return sum;
}

/* --- feeding ---------------------------------------------------------------------------------------------------------------------------- */

static void put_element(struct evs_batch *batch, uint32_t number, uint32_t row, const struct evs_value *value)
{
    struct evs_column *column = &batch->columns[number];
    uint32_t width = evs_kind_width(column->kind);
    uint8_t *to = (uint8_t *)column->data + (size_t)row * width;
    memset(to, 0, width);
    if (value->is_null) {
        evs_column_set_null(column, row);
    } else if (evs_kind_is_var(column->kind)) {
        struct evs_str kept =
            evs_str_make(evs_arena_copy(batch->arena, evs_str_data(&value->str), value->str.count), value->str.count);
        memcpy(to, &kept, sizeof kept);
    } else if (column->kind == EVS_BOOL) {
        *to = value->boolean;
    } else {
        memcpy(to, &value->str, width);
    }
}

/* Now and then each row is followed by one that is not selected. */
static struct evs_batch *make_batch(struct op_case *made, const struct evs_schema *schema, const struct op_row *rows,
                                    uint32_t count)
{
    uint32_t step = made->seed != NULL && count * 2 <= EVS_BATCH_ROWS && unit_random(made->seed) % 3 == 0 ? 2 : 1;
    struct evs_batch *batch = evs_batch_new(made->pool, schema->count);
    uint16_t *selection = evs_arena_alloc(batch->arena, count * sizeof *selection + 64, 64);
    evs_batch_init_rows(batch, count * step);
    batch->row_count = count * step;
    batch->cause_kind = made->cause_kind;
    batch->watermark_us = evs_arena_alloc(batch->arena, batch->row_count * sizeof *batch->watermark_us, 64);
    batch->key = evs_arena_alloc(batch->arena, batch->row_count * sizeof *batch->key, 64);
    for (uint32_t i = 0; i < schema->count; i++) {
        evs_column_init(&batch->columns[i], batch, schema->fields[i].type->kind, batch->row_count, true);
    }
    for (uint32_t i = 0; i < batch->row_count; i++) {
        const struct op_row *row = &rows[i / step];
        batch->event_time_us[i] = row->time_us;
        batch->watermark_us[i] = row->watermark_us;
        batch->cause[i] = row->cause;
        batch->key[i] = row->identity;
        batch->min_time_us = row->time_us < batch->min_time_us ? row->time_us : batch->min_time_us;
        batch->max_time_us = row->time_us > batch->max_time_us ? row->time_us : batch->max_time_us;
        selection[i / step] = (uint16_t)(i / step * step);
        for (uint32_t k = 0; k < schema->count; k++) {
            put_element(batch, k, i, &row->values[k]);
        }
    }
    batch->key = made->has_identity ? batch->key : NULL;
    batch->selection = step == 1 ? NULL : selection;
    batch->selected_count = count;
    return batch;
}

static void process(struct op_case *made, struct evs_op *op, uint32_t input, struct evs_batch *batch)
{
    evs_status status;
    do {
        op->emitted = 0;
        status = made->operator_->process(op, op->state, input, batch);
        if (status == EVS_AGAIN) {
            const struct evs_sockets *sockets = &evs_os_system()->sockets;
            sockets->wait(sockets->self, made->park, NULL, 0, -1);
        }
    } while (status == EVS_MORE || status == EVS_AGAIN);
    ck_assert_int_eq(status, made->failure.code); /* EVS_OK unless the operator said why it fails */
}

/* The part of a batch that belongs to one worker; without hashes all of it. */
static void feed_worker(struct op_case *made, uint32_t worker, uint32_t input, struct evs_batch *batch,
                        const uint64_t *hashes)
{
    struct evs_batch *some = evs_batch_derive(batch, batch->column_count);
    uint16_t *selection = evs_arena_alloc(batch->arena, batch->row_count * sizeof *selection + 64, 64);
    some->selected_count = 0;
    EVS_FOR_ROWS(batch, position, row) {
        uint32_t owner = hashes == NULL         ? worker
                         : made->key_count == 0 ? 0
                                                : evs_shard_of(hashes[position]) % made->worker_count;
        selection[some->selected_count] = (uint16_t)row;
        some->selected_count += owner == worker;
    }
    some->selection = selection;
    if (some->selected_count > 0) {
        process(made, &made->workers[worker], input, some);
    }
    evs_batch_unref(some);
}

void op_case_feed(struct op_case *made, const struct op_row *rows, uint32_t count)
{
    op_case_feed_input(made, 0, rows, count);
}

void op_case_feed_input(struct op_case *made, uint32_t input, const struct op_row *rows, uint32_t count)
{
    uint64_t hashes[EVS_BATCH_ROWS];
    if (count == 0) {
        return;
    }
    struct evs_batch *batch = make_batch(made, input == 0 ? &made->input : &made->second, rows, count);
    bool to_all = input == 1 && made->second_keys == NULL;
    if (!to_all) {
        evs_key_hash_rows(batch, input == 0 ? made->keys : made->second_keys, made->key_count, hashes);
    }
    for (uint32_t i = 0; i < made->worker_count; i++) {
        feed_worker(made, i, input, batch, to_all ? NULL : hashes);
    }
    evs_batch_unref(batch);
}

void op_case_watermark(struct op_case *made, int64_t watermark_us)
{
    if (watermark_us <= made->watermark_us) {
        return;
    }
    made->watermark_us = watermark_us;
    made->in_watermark = true;
    for (uint32_t i = 0; i < made->worker_count; i++) {
        struct evs_op *op = &made->workers[i];
        evs_status status = EVS_OK;
        made->last_us = INT64_MIN;
        do {
            op->emitted = 0;
            status =
                made->operator_->watermark == NULL ? EVS_OK : made->operator_->watermark(op, op->state, watermark_us);
        } while (status == EVS_MORE);
        ck_assert_int_eq(status, EVS_OK);
        op->watermark_us = watermark_us;
    }
    made->in_watermark = false;
}

/* --- cutting ----------------------------------------------------------------------------------------------------------------------------- */

static void store(struct op_case *made, bool full)
{
    if (full) {
        forget_blocks(made);
    }
    for (uint32_t i = 0; i < made->worker_count; i++) {
        struct evs_op *op = &made->workers[i];
        struct evs_snapshot_writer writer = {.full = full};
        struct evs_block_list list = {0};
        ck_assert_int_eq(made->operator_->snapshot(op, op->state, &writer, full), EVS_OK);
        evs_blocks_add(&list, "case", made->operator_->snapshot_version, &writer);
        evs_blocks_finish(&list);
        for (uint32_t k = 0; k < list.block_count; k++) {
            EVS_GROW(made->blocks, made->block_count, made->block_capacity);
            char *copy = evs_alloc(list.blocks[k].count + 1);
            memcpy(copy, list.blocks[k].data, list.blocks[k].count);
            made->blocks[made->block_count++] = (struct evs_slice){copy, list.blocks[k].count};
        }
        evs_blocks_fini(&list);
        evs_snapshot_writer_fini(&writer);
    }
}

static evs_status take_record(void *argument, const struct evs_section_header *header,
                              const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct op_case *made = argument;
    uint32_t owner = made->key_count == 0 ? 0 : evs_shard_of(record->hash) % made->worker_count;
    bool is_everywhere = (made->operator_->everywhere >> record->section) & 1;
    evs_status status = EVS_OK;
    for (uint32_t i = 0; status == EVS_OK && i < made->worker_count; i++) {
        struct evs_op *op = &made->workers[i];
        if (i == owner || is_everywhere) {
            status = made->operator_->restore(op, op->state, header->version, record, error);
        }
    }
    return status;
}

void op_case_cut(struct op_case *made, uint32_t worker_count, bool full)
{
    struct evs_block_reader reader = {0};
    struct evs_error error = {0};
    EVS_ASSERT(worker_count <= OP_CASE_WORKERS_MAX);
    store(made, full);
    close_workers(made);
    open_workers(made, worker_count);
    for (uint32_t i = 0; i < made->block_count; i++) {
        ck_assert_msg(evs_block_read(&reader, made->blocks[i], take_record, made, &error) == EVS_OK, "%s", error.text);
    }
    ck_assert_int_eq(evs_block_reader_end(&reader, &error), EVS_OK);
}

evs_status op_case_restore(struct op_case *made, const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct evs_op *op = &made->workers[0];
    return made->operator_->restore(op, op->state, made->operator_->snapshot_version, record, error);
}
