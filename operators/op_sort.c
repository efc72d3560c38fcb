/* order by EXPR [desc] [nulls first | last], … and limit N [offset M], over an input that ends.
 *
 * Algorithm. All rows come to one worker (a gather). Without a limit they are kept and sorted at the end; with one, only the best N + M are kept
 * (row_rank.h). A limit without an order takes the first rows by the order of the key, so that it gives the same rows in every run. The end of the input is
 * the watermark EVS_TIME_MAX.
 *
 * A limit behind rows that an order by has sorted already takes them as they come: they come from one worker, in their order, at the end.
 * Event time of every row: the moment that decides it is the end of the input, that is the last watermark before the end, or the latest time of the rows
 * that are kept if that is later. So nothing is late behind, and the rows stay in their order.
 * State: the rows. Ties: the order of the key, then the columns. NULLs come first ascending and last descending, as in GoogleSQL.
 * Recovery: one record a row that has been kept; those that others have pushed out since are offered again and pushed out again.
 * A stream that does not end is refused at compile time. Rejected: sorting what a watermark releases (it would be an order by of pieces). */
#include "op_sort.h"

#include "row_judge.h"
#include "row_rank.h"

#define EMIT_BATCHES 4
#define SNAPSHOT_VERSION 1
enum { SECTION_ROWS = 0 };

struct sort {
    const struct evs_sort_config *config;
    struct evs_keeper keeper;
    struct evs_ranked kept;
    struct evs_going going;
    uint64_t hash; /* of every row: they lie on one worker */
    bool is_sorted;
    int64_t told_bytes;
};

static evs_status sort_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct sort *sort = state;
    (void)error;
    sort->config = evs_op_config(op);
    evs_keeper_init(&sort->keeper, op);
    return EVS_OK;
}

static void sort_close(struct evs_op *op, void *state)
{
    struct sort *sort = state;
    (void)op;
    evs_going_fini(&sort->going);
    evs_keeper_fini(&sort->keeper);
}

static struct evs_ranking ranking_of(const struct sort *sort)
{
    return (struct evs_ranking){&sort->keeper.layout, sort->config->terms, sort->config->term_count};
}

static void tell_bytes(struct evs_op *op, struct sort *sort)
{
    int64_t bytes = (int64_t)sort->keeper.pool.used_bytes;
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - sort->told_bytes);
    sort->told_bytes = bytes;
}

static void offer(struct sort *sort, struct evs_row *row, bool saved)
{
    const struct evs_sort_config *config = sort->config;
    bool is_all = config->limit > UINT64_MAX - config->offset;
    if (config->as_they_come) {
        is_all = is_all || sort->kept.count < config->limit + config->offset;
        if (!is_all) {
            evs_row_free(&sort->keeper.pool, row);
            return;
        }
    }
    uint64_t limit = is_all ? EVS_RANKED_ALL : config->limit + config->offset;
    struct evs_ranking ranking = ranking_of(sort);
    struct evs_row *out = evs_ranked_offer(&sort->kept, &sort->keeper.pool, &ranking, limit,
                                           (struct evs_ranked_row){.row = row, .saved = saved});
    if (out != NULL) {
        evs_row_free(&sort->keeper.pool, out);
    }
}

static evs_status sort_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct sort *sort = state;
    EVS_ASSERT(input == 0 && !sort->is_sorted);
    evs_keeper_see(&sort->keeper, batch);
    EVS_FOR_ROWS(batch, position, row) {
        offer(sort, evs_keeper_keep(&sort->keeper, row), false);
    }
    tell_bytes(op, sort);
    return EVS_OK;
}

/* The rows in their order, as a queue; what the offset skips is freed. */
static void line_up(struct evs_op *op, struct sort *sort)
{
    struct evs_ranking ranking = ranking_of(sort);
    int64_t end_us = evs_op_watermark(op);
    if (!sort->config->as_they_come) {
        evs_ranked_sort(&sort->kept, &ranking);
    }
    for (uint32_t i = 0; i < sort->kept.count; i++) {
        int64_t time_us = sort->kept.rows[i].row->event_time_us;
        end_us = time_us > end_us ? time_us : end_us;
    }
    for (uint32_t i = 0; i < sort->kept.count; i++) {
        struct evs_row *row = sort->kept.rows[i].row;
        if (i < sort->config->offset) {
            evs_row_free(&sort->keeper.pool, row);
        } else {
            evs_going_add(&sort->going, end_us, row);
        }
    }
    evs_ranked_fini(&sort->kept, &sort->keeper.pool);
    sort->is_sorted = true;
}

static evs_status sort_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct sort *sort = state;
    if (watermark_us != EVS_TIME_MAX) {
        return EVS_OK;
    }
    if (!sort->is_sorted) {
        line_up(op, sort);
    }
    evs_status status = evs_going_emit(op, &sort->keeper, &sort->going, EMIT_BATCHES);
    tell_bytes(op, sort);
    return status;
}

static evs_status sort_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct sort *sort = state;
    (void)op;
    for (uint32_t i = 0; i < sort->kept.count; i++) {
        struct evs_ranked_row *kept = &sort->kept.rows[i];
        if (full || !kept->saved) {
            evs_snapshot_put(writer, SECTION_ROWS, EVS_RECORD_PUT, sort->hash,
                             (struct evs_slice){(const char *)&sort->keeper.shape, sizeof sort->keeper.shape},
                             evs_row_slice(kept->row));
            kept->saved = true;
        }
    }
    return EVS_OK;
}

static evs_status sort_restore(struct evs_op *op, void *state, uint32_t version,
                               const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct sort *sort = state;
    uint64_t shape;
    if (version != SNAPSHOT_VERSION || record->section != SECTION_ROWS || record->fixed.count != sizeof shape) {
        return evs_fail(error, EVS_E_STATE, "The stored state of `order by` has an unknown version (%u).", version);
    }
    if (evs_op_watermark(op) == EVS_TIME_MAX) { /* the result is out */
        return EVS_OK;
    }
    memcpy(&shape, record->fixed.data, sizeof shape);
    struct evs_row *row;
    evs_status status = evs_keeper_restore(&sort->keeper, shape, record->variable, "order by", &row, error);
    if (status == EVS_OK) {
        offer(sort, row, true);
    }
    return status;
}

const struct evs_operator evs_op_sort = {
    .kind = "order",
    .flags = EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK | EVS_OP_ELASTIC,
    .snapshot_version = SNAPSHOT_VERSION,
    .state_bytes = sizeof(struct sort),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .open = sort_open,
    .process = sort_process,
    .watermark = sort_watermark,
    .snapshot = sort_snapshot,
    .restore = sort_restore,
    .close = sort_close,
};
