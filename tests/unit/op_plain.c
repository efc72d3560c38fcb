/* What every lone operator asks and is told no: nothing is traced, no snapshot is cut while it works, no older layout has to be read. The unit tests
 * (op_case.c) and the micro benchmarks (bench/micro) both stand in for the runtime; what only they know is theirs, and this is what they have in common. */
#include "evstream/operator.h"
#include "evstream/trace.h"

bool evs_op_is_cut(const struct evs_op *op)
{
    (void)op;
    return false;
}

const struct evs_state_migration *evs_op_migration(const struct evs_op *op)
{
    (void)op;
    return NULL;
}

bool evs_op_traces(const struct evs_op *op)
{
    (void)op;
    return false;
}

void evs_op_trace_keys(struct evs_op *op, const struct evs_batch *batch, const uint32_t *keys, uint32_t key_count)
{
    (void)op, (void)batch, (void)keys, (void)key_count;
}

void evs_op_trace_rows(struct evs_op *op, struct evs_batch *batch, uint32_t row, const struct evs_row *const *rows,
                       uint32_t count)
{
    (void)op, (void)batch, (void)row, (void)rows, (void)count;
}

void evs_op_trace_kept(struct evs_op *op, struct evs_batch *batch)
{
    (void)op, (void)batch;
}
