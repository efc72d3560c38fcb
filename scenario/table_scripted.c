/* Scripted tables: what a test gives to a looked-up table, from that step on (scenario.h).
 *
 * There is one for each connector of a table, with its name and options, so that the pipeline compiles as it is; what the options say is left out. Rows
 * are held by key, as a table in a file holds its lines. The worker puts rows between two polls and the table's thread looks them up, so a lock stands
 * between them. The table counts as local, so nothing is cached.
 *
 * Rest. A step must not begin before the lookups of the one before are answered, and a worker goes on while they are not. What can be seen from here: a
 * table's thread calls `tend` when it has found its queue empty. So a source that is polled begins a round: each table is to tend once more. A round in which
 * no table fetched anything was quiet. One is not enough: the queue may have been looked at just before the round began, and an answer that came just
 * before may set rows free that ask again in the meantime. Each of the two is seen one round later, so three quiet rounds in a row mean that nothing is
 * under way. */
#include "scenario.h"

#include <pthread.h>

#include "decode_json.h"
#include "evstream/keys.h"
#include "value_map.h"

#define ROW_BYTES_MAX (16u << 20)
#define QUIET_ROUNDS 3

struct evs_scripted_table {
    const char *name;
    struct evs_scenario *scenario;
    struct evs_park *park;
    const struct evs_lookup_columns *columns;
    _Atomic uint64_t fetches, tended; /* how often; the last round in which it had nothing to do */
    pthread_mutex_t lock;
    struct evs_value_map map; /* under the lock */
};

static evs_status scripted_configure(const struct evs_option_value *values, const struct evs_lookup_columns *columns,
                                     struct evs_arena *arena, const void **config, struct evs_error *error)
{
    struct evs_lookup_columns *kept = EVS_ARENA_NEW(arena, struct evs_lookup_columns);
    (void)values, (void)error;
    *kept = *columns;
    *config = kept;
    return EVS_OK;
}

static evs_status scripted_open(const struct evs_lookup_open *open, void **instance, struct evs_error *error)
{
    struct evs_scenario *scenario = evs_scenario_of(open->os);
    if (scenario->table_count == EVS_SCENARIO_TABLES_MAX) {
        return evs_fail(error, EVS_E_LIMIT, "A test runs pipelines with at most %u tables.", EVS_SCENARIO_TABLES_MAX);
    }
    struct evs_scripted_table *table = evs_alloc_zero(sizeof *table);
    table->name = open->name;
    table->scenario = scenario;
    table->park = open->park;
    table->columns = open->config;
    pthread_mutex_init(&table->lock, NULL);
    scenario->tables[scenario->table_count++] = table;
    *instance = table;
    return EVS_OK;
}

static evs_status scripted_fetch(void *instance, struct evs_lookup_fetch *fetch, struct evs_error *error)
{
    struct evs_scripted_table *table = instance;
    (void)error;
    atomic_fetch_add(&table->fetches, 1);
    pthread_mutex_lock(&table->lock);
    evs_value_map_answer(&table->map, fetch);
    pthread_mutex_unlock(&table->lock);
    return EVS_OK;
}

static void scripted_tend(void *instance)
{
    struct evs_scripted_table *table = instance;
    uint64_t round = atomic_load(&table->scenario->round);
    if (atomic_load(&table->tended) < round) {
        atomic_store(&table->tended, round);
        evs_scenario_wake_sources(table->scenario);
    }
}

static void scripted_close(void *instance)
{
    struct evs_scripted_table *table = instance;
    evs_value_map_fini(&table->map);
    pthread_mutex_destroy(&table->lock);
    evs_free(table);
}

const struct evs_lookup *evs_table_scripted(struct evs_arena *arena, const struct evs_lookup *stands_for)
{
    struct evs_lookup *table = EVS_ARENA_NEW(arena, struct evs_lookup);
    *table = (struct evs_lookup){.kind = stands_for->kind,
                                 .options = stands_for->options,
                                 .is_local = true,
                                 .configure = scripted_configure,
                                 .open = scripted_open,
                                 .fetch = scripted_fetch,
                                 .tend = scripted_tend,
                                 .close = scripted_close};
    return table;
}

/* --- rest -------------------------------------------------------------------------------------------------------------------- */

static void begin_round(struct evs_scenario *scenario)
{
    atomic_fetch_add(&scenario->round, 1);
    for (uint32_t i = 0; i < scenario->table_count; i++) {
        scenario->os.threads.wake(scenario->tables[i]->park);
    }
}

static bool is_round_over(const struct evs_scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->table_count; i++) {
        if (atomic_load(&scenario->tables[i]->tended) < atomic_load(&scenario->round)) {
            return false;
        }
    }
    return true;
}

bool evs_scenario_is_at_rest(struct evs_scenario *scenario)
{
    uint64_t fetches = 0;
    if (scenario->table_count == 0 || scenario->quiet_round_count >= QUIET_ROUNDS) {
        return true;
    }
    if (!is_round_over(scenario)) {
        return false;
    }
    for (uint32_t i = 0; i < scenario->table_count; i++) {
        fetches += atomic_load(&scenario->tables[i]->fetches);
    }
    scenario->quiet_round_count = fetches == scenario->fetches ? scenario->quiet_round_count + 1 : 0;
    scenario->fetches = fetches;
    if (scenario->quiet_round_count < QUIET_ROUNDS) {
        begin_round(scenario);
    }
    return scenario->quiet_round_count >= QUIET_ROUNDS;
}

void evs_scenario_disturb(struct evs_scenario *scenario)
{
    scenario->quiet_round_count = 0;
    scenario->fetches = UINT64_MAX; /* the round that is over, or under way, began before and counts for nothing */
}

/* --- rows of the test ------------------------------------------------------------------------------------------------------- */

static struct evs_scripted_table *find_table(const struct evs_scenario *scenario, const char *name)
{
    for (uint32_t i = 0; i < scenario->table_count; i++) {
        if (strcmp(scenario->tables[i]->name, name) == 0) {
            return scenario->tables[i];
        }
    }
    return NULL;
}

static struct evs_batch *row_batch(struct evs_batch_pool *pool, const struct evs_lookup_columns *columns)
{
    struct evs_batch *batch = evs_batch_new(pool, columns->column_count);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    for (uint32_t i = 0; i < columns->column_count; i++) {
        evs_column_init(&batch->columns[i], batch, columns->columns[i].kind, EVS_BATCH_ROWS, true);
    }
    return batch;
}

static const char *null_key(const struct evs_lookup_columns *columns, const struct evs_batch *batch)
{
    for (uint32_t i = 0; i < columns->key_count; i++) {
        if (!evs_column_is_valid(&batch->columns[columns->keys[i]], 0)) {
            return columns->columns[columns->keys[i]].name;
        }
    }
    return NULL;
}

/* What is wrong with the row is written to `complaint`. */
static void put_row(struct evs_scripted_table *table, struct evs_batch_pool *pool, struct evs_slice row,
                    struct evs_buffer *complaint)
{
    const struct evs_lookup_columns *columns = table->columns;
    struct evs_batch *batch = row_batch(pool, columns);
    uint32_t record_index[1] = {0}, next_index = 0;
    struct evs_slice raw[1];
    struct evs_decode_bad bad[1];
    struct evs_decode_out out = {
        .batch = batch, .row_max = 1, .record_index = record_index, .raw = raw, .bad = bad, .bad_max = 1};
    size_t consumed = 0;
    void *decoder = evs_decode_json.open(columns->columns, columns->column_count, ROW_BYTES_MAX);
    evs_decode_json.decode(decoder, row, &consumed, &next_index, false, &out);
    bool is_row = batch->row_count == 1 && out.bad_count == 0;
    const char *missing = is_row ? null_key(columns, batch) : NULL;
    if (!is_row) {
        evs_buffer_printf(complaint, "%s", out.bad_count > 0 ? bad[0].detail : "it holds no row");
    } else if (missing != NULL) {
        evs_buffer_printf(complaint, "its key `%s` is missing", missing);
    } else {
        struct evs_buffer key = {0};
        evs_key_encode(batch, 0, columns->keys, columns->key_count, &key);
        pthread_mutex_lock(&table->lock);
        evs_value_map_put(&table->map, (struct evs_slice){key.data, key.count}, row);
        pthread_mutex_unlock(&table->lock);
        evs_buffer_fini(&key);
    }
    evs_decode_json.close(decoder);
    evs_batch_unref(batch);
}

void evs_scenario_put_rows(struct evs_scenario *scenario, const struct evs_test_step *step)
{
    EVS_ASSERT(step->kind == EVS_TEST_ROWS && step->is_table);
    struct evs_scripted_table *table = find_table(scenario, step->name);
    if (table == NULL) {
        return; /* no query looks it up */
    }
    struct evs_batch_pool *pool = evs_batch_pool_new();
    for (uint32_t i = 0; i < step->row_count; i++) {
        struct evs_buffer complaint = {0};
        put_row(table, pool, step->rows[i], &complaint);
        if (complaint.count > 0) {
            evs_buffer_printf(&scenario->complaints, "  %s:%u: the row does not fit the table `%s`: %.*s\n",
                              step->row_places[i].file, step->row_places[i].line, step->name, (int)complaint.count,
                              complaint.data);
        }
        evs_buffer_fini(&complaint);
    }
    evs_batch_pool_free(pool);
}
