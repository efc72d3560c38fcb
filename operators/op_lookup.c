/* join with a looked-up table.
 *
 * Algorithm. The key of each row of a batch is looked for in a cache of this worker. The distinct keys that are not there, or whose time to live is over,
 * go to the table's client as one request (lookup_client.h); the batch waits, and with it all that comes behind it, also a barrier; other operators
 * of the worker go on. When the answers are there they are put into the cache, and the batch leaves: its own columns as they are, shared, and the table's behind
 * them. So a batch costs one round trip at most, and a row none.
 *
 *      batch ─► keys ─► cache ─┬─ all there ───────────────────────────────────────► columns ─► out
 *                              └─ some missing ─► request ··· EVS_AGAIN ··· answers ──┘
 *
 * The value is the one that the table has now: a replay may find another one (explain says so, and sinks behind it are exact by default).
 * State: none that is stored. The cache is first in, first out, which is by age, since all answers live equally long: expired ones go first, then, above
 * the limit, the oldest. Missing keys are answers, too. A key with a NULL is in no table, and asks nothing.
 * Memory: a row and its key, and about 100 bytes, for each cached key of each worker.
 * Failure: by the table's policy the run ends, the row counts as without a match, or it goes to the dead letter; a failed answer is not kept.
 * Rejected: one cache for all workers (locks on the way of every row), LRU (with a time to live, a hot key is fetched again anyway). */
#include "op_lookup.h"

#include "evstream/keys.h"
#include "key_table.h"
#include "lookup_client.h"

enum { NO_ENTRY = UINT32_MAX };

struct cached {          /* the values of a key in the table */
    struct evs_row *row; /* NULL: not found, or bad */
    int64_t until_us;    /* when the answer is too old; EVS_TIME_MIN: it is being fetched, or failed */
    uint32_t next;       /* the next younger one + 1 */
    uint32_t asked;      /* number of the batch that asked for it last */
    bool is_bad;
};

struct lookup {
    const struct evs_lookup_config *config;
    struct evs_lookup_client *client;
    struct evs_row_layout layout;
    struct evs_table_layout table_layout;
    struct evs_table table; /* the cache: key text or encoding → struct cached */
    struct evs_row_pool pool;
    uint32_t oldest, youngest; /* entries + 1; 0: none */
    int64_t told_bytes;

    uint32_t batch_number;
    bool is_waiting; /* for the request's answers */
    struct evs_lookup_request request;
    uint32_t wanted[EVS_BATCH_ROWS];  /* the entries of the request's keys */
    uint32_t entries[EVS_BATCH_ROWS]; /* of each selected row; NO_ENTRY: its key has a NULL */
};

static struct cached *cached_at(const struct lookup *lookup, uint32_t index)
{
    return (struct cached *)evs_entry_values(&lookup->table_layout, evs_table_at(&lookup->table, index));
}

/* --- open and close --------------------------------------------------------------------------------------------------------------- */

static evs_status lookup_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct lookup *lookup = state;
    static const enum evs_kind kind[1] = {EVS_BYTES};
    lookup->config = evs_op_config(op);
    evs_row_layout_init(&lookup->layout, &lookup->config->table->schema, NULL, 0);
    evs_table_layout_init(&lookup->table_layout, kind, 1, sizeof(struct cached));
    evs_table_init(&lookup->table, &lookup->table_layout);
    lookup->request.keys = evs_alloc(EVS_BATCH_ROWS * sizeof *lookup->request.keys);
    lookup->request.answers = evs_alloc(EVS_BATCH_ROWS * sizeof *lookup->request.answers);
    lookup->request.waker = evs_op_waker(op);
    void *client = NULL;
    evs_status status =
        evs_op_share(op, lookup->config->table, evs_lookup_client_open, evs_lookup_client_close, &client, error);
    lookup->client = client;
    return status;
}

static void lookup_close(struct evs_op *op, void *state)
{
    struct lookup *lookup = state;
    (void)op;
    evs_row_layout_fini(&lookup->layout);
    if (lookup->table.layout != NULL) {
        evs_table_fini(&lookup->table);
    }
    evs_row_pool_fini(&lookup->pool);
    evs_row_pool_fini(&lookup->request.pool);
    evs_free(lookup->request.keys);
    evs_free(lookup->request.answers);
}

/* --- the cache ---------------------------------------------------------------------------------------------------------------------- */

static void drop_oldest(struct lookup *lookup)
{
    uint32_t index = lookup->oldest - 1;
    struct cached *cached = cached_at(lookup, index);
    lookup->oldest = cached->next;
    lookup->youngest = lookup->oldest == 0 ? 0 : lookup->youngest;
    if (cached->row != NULL) {
        evs_row_free(&lookup->pool, cached->row);
    }
    evs_table_remove(&lookup->table, index);
}

/* What is too old, and what is too much. Between two batches: a batch's own entries stay. */
static void tidy(struct lookup *lookup, int64_t now_us)
{
    while (lookup->oldest != 0 && (cached_at(lookup, lookup->oldest - 1)->until_us <= now_us ||
                                   lookup->table.count > lookup->config->table->cache_rows)) {
        drop_oldest(lookup);
    }
    evs_key_table_compact(&lookup->table);
}

static void append(struct lookup *lookup, uint32_t index)
{
    if (lookup->youngest != 0) {
        cached_at(lookup, lookup->youngest - 1)->next = index + 1;
    } else {
        lookup->oldest = index + 1;
    }
    lookup->youngest = index + 1;
}

/* --- keys ------------------------------------------------------------------------------------------------------------------------------ */

/* One column with the keys of the batch's rows as bytes, and in it NULL where a key has one. */
static struct evs_batch *key_batch(struct lookup *lookup, struct evs_batch *batch)
{
    const struct evs_lookup_config *config = lookup->config;
    struct evs_batch *keys = evs_batch_derive(batch, 1);
    if (config->table->connector->key_option != NULL) {
        keys->columns[0] = batch->columns[config->text];
        keys->columns[0].kind = EVS_BYTES;
        return keys;
    }
    struct evs_buffer text = {0};
    keys->columns[0] = (struct evs_column){0};
    evs_column_init(&keys->columns[0], keys, EVS_BYTES, batch->row_count, true);
    EVS_FOR_ROWS(batch, position, row) {
        bool is_null = false;
        for (uint32_t i = 0; i < config->key_count; i++) {
            is_null = is_null || !evs_column_is_valid(&batch->columns[config->keys[i]], row);
        }
        struct evs_str *cell = &((struct evs_str *)keys->columns[0].data)[row];
        text.count = 0;
        evs_key_encode(batch, row, config->keys, config->key_count, &text);
        *cell = evs_str_make(evs_arena_copy(keys->arena, text.data, text.count), (uint32_t)text.count);
        if (is_null) {
            evs_column_set_null(&keys->columns[0], row);
        }
    }
    evs_buffer_fini(&text);
    return keys;
}

/* Asks for a key, unless this batch has asked already. */
static void want(struct lookup *lookup, uint32_t index)
{
    struct cached *cached = cached_at(lookup, index);
    if (cached->asked == lookup->batch_number) {
        return;
    }
    if (cached->row != NULL) {
        evs_row_free(&lookup->pool, cached->row);
    }
    cached->row = NULL;
    cached->asked = lookup->batch_number;
    struct evs_lookup_request *request = &lookup->request;
    const struct evs_str *key = evs_entry_key(&lookup->table_layout, evs_table_at(&lookup->table, index), 0);
    lookup->wanted[request->count] = index;
    request->keys[request->count++] = evs_str_slice(key);
}

/* Finds the rows' entries; those that are new or too old are wanted. */
static void find_entries(struct lookup *lookup, struct evs_batch *batch, int64_t now_us)
{
    static const uint32_t column[1] = {0};
    uint64_t hashes[EVS_BATCH_ROWS];
    struct evs_batch *keys = key_batch(lookup, batch);
    evs_key_hash_rows(keys, column, 1, hashes);
    lookup->request.count = 0;
    lookup->batch_number++;
    EVS_FOR_ROWS(keys, position, row) {
        bool is_new;
        lookup->entries[position] = NO_ENTRY;
        if (!evs_column_is_valid(&keys->columns[0], row)) {
            continue;
        }
        uint32_t index;
        evs_table_find_or_add(&lookup->table, hashes[position], keys, row, column, &index, &is_new);
        lookup->entries[position] = index;
        if (is_new) {
            *cached_at(lookup, index) = (struct cached){.until_us = EVS_TIME_MIN};
            append(lookup, index);
        }
        if (cached_at(lookup, index)->until_us <= now_us) {
            want(lookup, index);
        }
    }
    evs_batch_unref(keys);
}

/* --- answers ----------------------------------------------------------------------------------------------------------------------------- */

static struct evs_row *copy_row(struct evs_row_pool *pool, const struct evs_row *row)
{
    struct evs_row *copy = evs_row_pool_take(pool, evs_row_bytes(row));
    memcpy(copy, row, evs_row_bytes(row));
    return copy;
}

static void take_answers(struct evs_op *op, struct lookup *lookup)
{
    const struct evs_lookup_table *table = lookup->config->table;
    bool has_failed = lookup->request.status != EVS_OK;
    for (uint32_t i = 0; i < lookup->request.count; i++) {
        const struct evs_lookup_answer *answer = &lookup->request.answers[i];
        struct cached *cached = cached_at(lookup, lookup->wanted[i]);
        cached->is_bad = has_failed || answer->found == EVS_LOOKUP_BAD;
        if (cached->is_bad) {
            cached->until_us = EVS_TIME_MIN; /* the next batch asks again */
            continue;
        }
        if (answer->found == EVS_LOOKUP_FOUND) {
            cached->row = copy_row(&lookup->pool, answer->row);
        }
        cached->until_us =
            table->connector->is_local || table->cache_us == 0 ? EVS_TIME_MIN : evs_op_now(op) + table->cache_us;
    }
}

/* The whole request failed, or a value is bad, and the table says that the run shall end then. */
static evs_status check_failure(struct evs_op *op, struct lookup *lookup)
{
    const struct evs_lookup_table *table = lookup->config->table;
    bool is_bad = false;
    for (uint32_t i = 0; i < lookup->request.count; i++) {
        is_bad = is_bad || cached_at(lookup, lookup->wanted[i])->is_bad;
    }
    if (!is_bad || table->policy != EVS_LOOKUP_FAILS) {
        return EVS_OK;
    }
    return evs_op_fail(op, &lookup->request.error);
}

/* --- rows that leave ------------------------------------------------------------------------------------------------------------------------ */

static void dead_letter(struct evs_op *op, const struct lookup *lookup, const struct evs_batch *batch, uint32_t row)
{
    const struct evs_lookup_table *table = lookup->config->table;
    struct evs_row_error error = {
        .reason = "lookup",
        .code = "R0401",
        .message = lookup->request.error.text,
        .expression = table->name,
        .file = table->file,
        .line = table->line,
    };
    evs_op_dead_letter(op, evs_op_input_schema(op, 0), batch, row, &error);
}

/* The rows that go on, and for each (by its physical number) what was found. */
static uint32_t select_rows(struct evs_op *op, const struct lookup *lookup, const struct evs_batch *batch,
                            uint16_t *selection, const struct evs_row **found)
{
    bool to_dead_letter = lookup->config->table->policy == EVS_LOOKUP_DEAD_LETTER;
    uint32_t count = 0;
    memset(found, 0, batch->row_count * sizeof *found);
    EVS_FOR_ROWS(batch, position, row) {
        uint32_t index = lookup->entries[position];
        const struct cached *cached = index == NO_ENTRY ? NULL : cached_at(lookup, index);
        if (cached != NULL && cached->is_bad && to_dead_letter) {
            dead_letter(op, lookup, batch, row);
            continue;
        }
        found[row] = cached == NULL ? NULL : cached->row;
        if (found[row] != NULL || lookup->config->keeps_unmatched) {
            selection[count++] = (uint16_t)row;
        }
    }
    return count;
}

/* The key of a row that was found; NULL for one that was not. */
static struct evs_column key_column(struct evs_batch *out, const struct evs_column *from,
                                    const struct evs_row *const *found)
{
    struct evs_column column = *from;
    column.valid = evs_arena_alloc(out->arena, EVS_VALID_WORDS(out->row_count) * sizeof *column.valid, 64);
    if (column.flags & EVS_COLUMN_CONSTANT) { /* one element for all rows has one validity */
        evs_column_init(&column, out, from->kind, out->row_count, true);
        column.flags = 0;
        uint32_t width = evs_kind_width(from->kind);
        for (uint32_t row = 0; row < out->row_count; row++) {
            memcpy((uint8_t *)column.data + (size_t)row * width, from->data, width);
        }
    }
    memset(column.valid, 0, EVS_VALID_WORDS(out->row_count) * sizeof *column.valid);
    for (uint32_t row = 0; row < out->row_count; row++) {
        column.valid[row / 64] |= (uint64_t)(found[row] != NULL) << (row % 64);
    }
    return column;
}

static void emit(struct evs_op *op, struct lookup *lookup, struct evs_batch *batch)
{
    const struct evs_lookup_config *config = lookup->config;
    const struct evs_row *found[EVS_BATCH_ROWS];
    uint32_t own = batch->column_count;
    struct evs_batch *out = evs_batch_derive(batch, own + config->item_count);
    uint16_t *selection = evs_arena_alloc(out->arena, batch->row_count * sizeof *selection + 64, 64);
    out->selected_count = select_rows(op, lookup, batch, selection, found);
    out->selection = selection;
    for (uint32_t i = 0; i < config->item_count; i++) {
        const struct evs_lookup_item *item = &config->items[i];
        if (item->is_key) {
            out->columns[own + i] = key_column(out, &batch->columns[item->column], found);
            continue;
        }
        out->columns[own + i] = (struct evs_column){0};
        evs_column_init(&out->columns[own + i], out, lookup->layout.columns[item->column].kind, batch->row_count, true);
        evs_row_decode_column(&lookup->layout, item->column, found, batch->row_count, out->arena,
                              &out->columns[own + i], 0);
    }
    evs_emit(op, 0, out);
}

static void tell(struct evs_op *op, struct lookup *lookup)
{
    int64_t bytes = (int64_t)(evs_table_bytes(&lookup->table) + lookup->pool.used_bytes);
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - lookup->told_bytes);
    lookup->told_bytes = bytes;
}

static evs_status lookup_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct lookup *lookup = state;
    EVS_ASSERT(input == 0 && batch->selected_count <= EVS_BATCH_ROWS);
    if (!lookup->is_waiting) {
        tidy(lookup, evs_op_now(op));
        find_entries(lookup, batch, evs_op_now(op));
        if (lookup->request.count > 0) {
            lookup->is_waiting = true;
            evs_lookup_submit(lookup->client, &lookup->request);
        }
    }
    if (lookup->is_waiting && !atomic_load(&lookup->request.is_done)) {
        return EVS_AGAIN;
    }
    evs_status status = EVS_OK;
    if (lookup->is_waiting) {
        lookup->is_waiting = false;
        take_answers(op, lookup);
        status = check_failure(op, lookup);
    }
    if (status == EVS_OK) {
        emit(op, lookup, batch);
        tell(op, lookup);
    }
    return status;
}

const struct evs_operator evs_op_lookup = {
    .kind = "lookup",
    .flags = EVS_OP_ORDER_SENSITIVE, /* a replay may find another value, whatever the order */
    .state_bytes = sizeof(struct lookup),
    .inputs_max = 1,
    .emit_max = 1,
    .open = lookup_open,
    .process = lookup_process,
    .close = lookup_close,
};
