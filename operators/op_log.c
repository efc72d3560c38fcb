/* log.
 *
 * Algorithm: every row is handed to the program's log (standard error), which shows the first lines of a burst and counts the rest: rows
 * of a stream without an end must not fill a disk.
 * State: none. Order: as rows come, per worker. Recovery: a replay shows rows again; the log promises nothing else. Rejected: a sink, which
 * would have to be exact. */
#include "op_log.h"

static evs_status log_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    const struct evs_log_config *config = evs_op_config(op);
    (void)state;
    EVS_ASSERT(input == 0);
    EVS_FOR_ROWS(batch, position, row) {
        evs_op_show_row(op, config->place, batch, row);
    }
    return EVS_OK;
}

const struct evs_operator evs_op_log = {
    .kind = "log",
    .state_bytes = 8,
    .inputs_max = 1,
    .emit_max = 0,
    .process = log_process,
};
