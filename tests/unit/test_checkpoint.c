/* What a checkpoint costs: walks over a range of a table look at its entries, each once; and of every operator with state only what has changed
 * is written, however large the state is. That states written in steps are right is shown where engines are killed (test_run_kills.c) and by every golden. */
#include "evstream/keys.h"
#include "evstream/table.h"
#include "run_fakes.h"
#include "state/snapshot.h"
#include "state/transpose.h"
#include "unit.h"

/* --- walks ------------------------------------------------------------------------------------------------------------------------- */

#define KEYS 5000u

struct walk_world {
    struct evs_table_layout layout;
    struct evs_table table;
    uint64_t seed;
    uint32_t seen[4 * KEYS]; /* times, by index */
    uint32_t shown;
};

static void world_begin(struct walk_world *world)
{
    const enum evs_kind kind = EVS_INT64;
    *world = (struct walk_world){.seed = 5};
    evs_table_layout_init(&world->layout, &kind, 1, 8);
    evs_table_init(&world->table, &world->layout);
}

/* A third of the hashes crowd into a few places, so that entries stand far behind their homes. */
static void world_add(struct walk_world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = unit_random(&world->seed), key = hash;
        bool is_new;
        if (i % 3 == 0) {
            hash = (hash & UINT64_C(0xFC00000000000003)) | UINT64_C(0x03FFFFFFFFFFFFF0);
        }
        evs_table_put_stored(&world->table, hash, 0, (const uint8_t *)&key, &is_new);
    }
}

static void see(void *argument, uint32_t index, struct evs_entry *entry)
{
    struct walk_world *world = argument;
    ck_assert_ptr_eq(entry, evs_table_at(&world->table, index));
    ck_assert(evs_table_is_live(&world->table, index));
    world->seen[index]++;
    world->shown++;
}

static struct evs_snapshot_writer copy_of(uint32_t first, uint32_t count)
{
    return (struct evs_snapshot_writer){.full = true,
                                        .leaves_out = evs_ranges_others((struct evs_ranges){first, count})};
}

static void check_seen(const struct walk_world *world, const struct evs_snapshot_writer *writer, uint32_t until)
{
    for (uint32_t i = 0; i < until; i++) {
        bool is_in =
            evs_table_is_live(&world->table, i) && evs_snapshot_takes(writer, evs_table_at(&world->table, i)->hash);
        UNIT_CHECK(world->seen[i] == is_in, "entry %u was shown %u times", i, world->seen[i]);
    }
}

/* All at once: exactly the entries of the ranges, at the table's end and around it, after removals. */
START_TEST(test_walk)
{
    static const struct evs_ranges cases[] = {{0, 256}, {0, 1},   {255, 1}, {250, 20}, {7, 0},
                                              {3, 4},   {64, 90}, {1, 255}, {200, 256}};
    struct walk_world *world = evs_alloc(sizeof *world);
    world_begin(world);
    for (uint32_t round = 0; round < 4; round++) {
        world_add(world, round == 0 ? 20 : KEYS / 3);
        for (uint32_t i = 0; i < world->table.used; i += 7) {
            if (evs_table_is_live(&world->table, i)) {
                evs_table_remove(&world->table, i);
            }
        }
        for (uint32_t c = 0; c < EVS_COUNT(cases); c++) {
            struct evs_snapshot_writer writer = copy_of(cases[c].first, cases[c].count);
            memset(world->seen, 0, sizeof world->seen);
            evs_snapshot_walk(&writer, &world->table, see, world);
            check_seen(world, &writer, world->table.used);
        }
    }
    evs_table_fini(&world->table);
    evs_free(world);
}
END_TEST

/* In steps, of a table that grows meanwhile: what was there at the beginning is shown once, and no step shows much more than it was asked for. */
START_TEST(test_walk_in_steps)
{
    struct walk_world *world = evs_alloc(sizeof *world);
    world_begin(world);
    world_add(world, KEYS);
    uint32_t at_beginning = world->table.used, steps = 0;
    struct evs_snapshot_writer writer = copy_of(30, 200);
    struct evs_snapshot_at at = {0};
    bool is_more = true;
    for (; is_more; steps++) {
        uint32_t entries = 1 + steps % 20;
        is_more = evs_snapshot_walk_some(&writer, &world->table, &at, &entries, see, world);
        ck_assert(!is_more || entries == 0);
        if (world->table.used < 3 * KEYS) { /* the directory doubles twice */
            world_add(world, 40);
        }
    }
    check_seen(world, &writer, at_beginning);
    ck_assert_uint_gt(steps, 100);
    ck_assert_uint_gt(world->table.used, 2 * KEYS);
    evs_table_fini(&world->table);
    evs_free(world);
}
END_TEST

/* --- bytes turned ------------------------------------------------------------------------------------------------------------------ */

START_TEST(test_transpose)
{
    static const uint32_t sides[] = {0, 1, 3, 4, 5, 8, 9, 15, 16, 17, 31, 32, 33, 48, 77, 130};
    enum { BYTES = 130 * 130 };
    char *from = evs_alloc(BYTES), *to = evs_alloc(BYTES + 1);
    uint64_t seed = 9;
    for (uint32_t i = 0; i < BYTES; i++) {
        from[i] = (char)unit_random(&seed);
    }
    for (uint32_t r = 0; r < EVS_COUNT(sides); r++) {
        for (uint32_t c = 0; c < EVS_COUNT(sides); c++) {
            uint32_t rows = sides[r], columns = sides[c];
            to[rows * columns] = 'e';
            evs_transpose(to, from, rows, columns);
            for (uint32_t i = 0; i < rows * columns; i++) {
                UNIT_CHECK(to[i % columns * rows + i / columns] == from[i], "byte %u of %u by %u", i, rows, columns);
            }
            ck_assert_int_eq(to[rows * columns], 'e'); /* and nothing behind */
        }
    }
    evs_free(from);
    evs_free(to);
}
END_TEST

/* --- only what changes travels --------------------------------------------------------------------------------------------------- */

#define START_MS INT64_C(1767607200000)
#define FEW 300
#define MANY 3000
#define TOUCHED 10

#define SOURCE_OF(name, kind)                                                                                          \
    "create source " name " (ms timestamp unit ms not null, k string, v int64, until timestamp unit ms,\n"             \
    "watermark for ms as ms - interval 2 second) from " kind " () dead letter into dead;\n"
#define SETTING                                                                                                        \
    SOURCE_OF("events", "fake")                                                                                        \
    "create sink dead to fake (address = 'dead');\ncreate sink out to fake (address = 'out');\n"

static const struct {
    const char *name, *text;
} operators[] = {
    {"aggregate",
     SETTING "from events |> aggregate count(*) as n group by k, tumble(interval 10 day) |> insert into out;\n"},
    {"bags",
     SETTING "from events |> aggregate count(distinct v) as n, array_agg(v) as l group by k, tumble(interval 10 day) "
             "|> insert into out;\n"},
    {"update stream", SETTING "from events |> aggregate count(*) as n group by k retain interval 30 day\n"
                              "|> where n > 1000 |> insert into out;\n"},
    {"session",
     SETTING "from events |> aggregate count(*) as n group by k, session(interval 1 day) |> insert into out;\n"},
    {"hop", SETTING "from events |> aggregate count(*) as n group by k, hop(interval 10 day, interval 1 day)\n"
                    "|> insert into out;\n"},
    {"sequence", SETTING "from events |> sequence by k within interval 1 day a as v >= 0 then b as v < 0 select k\n"
                         "|> insert into out;\n"},
    {"match_recognize",
     SETTING "from events |> match_recognize (partition by k order by ms measures count(*) as n\n"
             "pattern (a+ b) within interval 1 day define a as v >= 0, b as v < 0) |> insert into out;\n"},
    {"join", SETTING SOURCE_OF("others",
                               "fake_other") "from events as e |> join others as o on e.k = o.k and o.ms between "
                                             "e.ms and e.ms + interval 1 day |> select e.k as k |> insert into out;\n"},
    {"over", SETTING "from events |> extend lag(v) over (partition by k order by ms retain interval 30 day) as before\n"
                     "|> where before < -5 |> insert into out;\n"},
    {"top",
     SETTING "from events |> call tumble(interval 10 day) |> top 2 by v desc partition by k |> insert into out;\n"},
    {"deduplicate",
     SETTING "from events |> deduplicate by k within interval 1 day |> where v < 0 |> insert into out;\n"},
    {"throttle", SETTING "from events |> throttle 1 per interval 1 day by k |> where v < 0 |> insert into out;\n"},
    {"resolve identity",
     SETTING "from events |> resolve identity k to k retain interval 1 day |> where v < 0 |> insert into out;\n"},
    {"hold", SETTING "from events |> hold until until |> insert into out;\n"},
};

/* Rows of keys [0, count) at times that go on from run to run; one more row drives the watermark behind the others. In messages of many rows, for
 * each poll is a checkpoint. */
static void publish_keys(uint32_t count, int64_t ms)
{
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i <= count; i++) {
        int64_t at = START_MS + ms + (i < count ? i : 60000);
        evs_buffer_printf(&text, "{\"ms\":%lld,\"k\":\"the key of number %u\",\"v\":%u,\"until\":%lld}\n",
                          (long long)at, i < count ? i : 0, i % 30, (long long)at + 1000000);
        if (i == count || i % 500 == 499) {
            evs_buffer_put(&text, "", 1);
            fake_publish(fake_world, 0, text.data);
            text.count = 0;
        }
    }
    evs_buffer_fini(&text);
}

/* Bytes of a run's checkpoints that touched TOUCHED keys of a state with `keys` keys. No copies are due. */
static uint64_t bytes_of_changes(const char *pipeline, uint32_t keys)
{
    struct fake_how how = {.workers = 2,
                           .batch_rows = 1024,
                           .checkpoint_batches = 1,
                           .at_end_stop = true,
                           .full_bytes_min = UINT64_MAX / 2};
    struct evs_run_summary filled, touched;
    fake_world_new(1);
    const struct evs_plan *plan = fake_compile(pipeline);
    publish_keys(keys, 0);
    ck_assert_int_eq(fake_run(plan, how, &filled), EVS_OK);
    publish_keys(TOUCHED, 200000);
    ck_assert_int_eq(fake_run(plan, how, &touched), EVS_OK);
    evs_plan_free(plan);
    fake_world_free(fake_world);
    ck_assert_uint_gt(filled.checkpoint_bytes, 8 * (uint64_t)keys); /* the state does hold the keys */
    return touched.checkpoint_bytes;
}

START_TEST(test_only_changes)
{
    const char *text = operators[_i].text;
    uint64_t few = bytes_of_changes(text, FEW), many = bytes_of_changes(text, MANY);
    UNIT_CHECK(many < few + few / 4, "%s: %u keys of %u make %llu bytes, of %u %llu", operators[_i].name, TOUCHED, FEW,
               (unsigned long long)few, MANY, (unsigned long long)many);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *tests = tcase_create("checkpoint");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_walk);
    tcase_add_test(tests, test_walk_in_steps);
    tcase_add_test(tests, test_transpose);
    tcase_add_loop_test(tests, test_only_changes, 0, (int)EVS_COUNT(operators));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
