/* sample P percent by EXPR [salt STRING] [rest into SINK]: holdout groups and test groups.
 *
 * Algorithm. A row passes when hash(key) < P / 100 * 2^64. The hash is XXH3 of 64 bits with the seed 0x657673747265616d (the bytes "evstream" as a big-endian
 * number) over the bytes of
 *
 *      salt, one byte 0x00, the key as text (as `cast(EXPR as string)` gives it; a value of type bytes as it is)
 *
 * so that another program can tell who is in which group; in Python:
 *
 *      xxhash.xxh3_64_intdigest(salt + b"\0" + key, seed=0x657673747265616d) < percent * 2**64 // 100
 *
 * The groups are the same in every run, on every machine, and they nest: who is among 10 percent is also among 20 percent of the same salt. Two salts give
 * independent groups; without salts the same people would be held out of every campaign.
 *
 * A row with NULL as its key is in neither group: it is left out of both outputs, and counted.
 * State: none. Order: as it came. Late rows, update streams: no matter. Rejected: random numbers (another group after each restart). */
#include "op_sample.h"

#include "row_judge.h"

struct sample {
    struct evs_buffer scratch; /* what is hashed */
    uint16_t passing[EVS_BATCH_ROWS], rest[EVS_BATCH_ROWS];
};

uint64_t evs_sample_hash(struct evs_slice salt, struct evs_slice key, struct evs_buffer *scratch)
{
    scratch->count = 0;
    evs_buffer_put(scratch, salt.data, salt.count);
    evs_buffer_put(scratch, "", 1);
    evs_buffer_put(scratch, key.data, key.count);
    return evs_hash64(scratch->data, scratch->count);
}

bool evs_sample_threshold(evs_numeric percent, uint64_t *threshold, bool *all)
{
    const evs_numeric hundred = 100 * EVS_NUMERIC_ONE;
    if (percent < 0 || percent > hundred) {
        return false;
    }
    *all = percent == hundred;
    *threshold = *all ? UINT64_MAX : (uint64_t)(((unsigned __int128)percent << 64) / (unsigned __int128)hundred);
    return true;
}

static evs_status sample_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct sample *sample = state;
    const struct evs_sample_config *config = evs_op_config(op);
    const struct evs_column *column = &batch->columns[config->key];
    uint32_t passing = 0, rest = 0;
    EVS_ASSERT(input == 0 && (column->kind == EVS_STRING || column->kind == EVS_BYTES));
    EVS_FOR_ROWS(batch, position, row) {
        if (!evs_column_is_valid(column, row)) {
            continue;
        }
        struct evs_slice key = evs_str_slice(EVS_COLUMN_AT(column, struct evs_str, row));
        if (config->all || evs_sample_hash(config->salt, key, &sample->scratch) < config->threshold) {
            sample->passing[passing++] = (uint16_t)row;
        } else {
            sample->rest[rest++] = (uint16_t)row;
        }
    }
    evs_op_count(op, EVS_COUNT_NULL_KEY, (int64_t)batch->selected_count - passing - rest);
    if (rest > 0 && config->rest_output) {
        evs_emit(op, 1, evs_rows_select(batch, sample->rest, rest));
    }
    if (passing > 0) {
        evs_emit(op, 0, evs_rows_select(batch, sample->passing, passing));
    }
    return EVS_OK;
}

static void sample_close(struct evs_op *op, void *state)
{
    struct sample *sample = state;
    (void)op;
    evs_buffer_fini(&sample->scratch);
}

const struct evs_operator evs_op_sample = {
    .kind = "sample",
    .state_bytes = sizeof(struct sample),
    .inputs_max = 1,
    .emit_max = 2,
    .process = sample_process,
    .close = sample_close,
};
