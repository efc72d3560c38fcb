#include "micro_op.h"

const void *evs_op_config(const struct evs_op *op)
{
    return op->config;
}
const struct evs_schema *evs_op_input_schema(const struct evs_op *op, uint32_t input)
{
    (void)input;
    return &op->input;
}
const struct evs_schema *evs_op_schema(const struct evs_op *op)
{
    return &op->output;
}
int64_t evs_op_watermark(const struct evs_op *op)
{
    return op->watermark_us;
}
void evs_op_delay_watermark(struct evs_op *op, int64_t delay_us)
{
    (void)op, (void)delay_us;
}
struct evs_batch *evs_op_new_batch(struct evs_op *op)
{
    return evs_batch_new(op->pool, op->output.count);
}
bool evs_op_wants_key(const struct evs_op *op)
{
    return op->wants_key;
}
bool evs_op_owns(const struct evs_op *op, uint64_t hash)
{
    (void)op, (void)hash;
    return true;
}

bool evs_op_is_durable(const struct evs_op *op)
{
    return op->is_durable;
}
void evs_op_count(struct evs_op *op, enum evs_counter counter, int64_t delta)
{
    op->counters[counter] += delta;
}
void evs_op_dead_letter(struct evs_op *op, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                        const struct evs_row_error *error)
{
    (void)op, (void)schema, (void)batch, (void)row, (void)error;
}
void evs_emit(struct evs_op *op, uint32_t output, struct evs_batch *batch)
{
    op->emitted += output == 0 ? batch->selected_count : 0;
    evs_batch_unref(batch);
}
