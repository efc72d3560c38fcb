/* engine/state: the keyed table against a list, blocks and commit records there and back, and refused when a single byte is another. */
#include "evstream/keys.h"
#include "evstream/table.h"
#include "state/record.h"
#include "state/snapshot.h"
#include "unit.h"

/* --- the table: random additions and removals, against a plain array ------------------------------------------------------------ */

#define TEXTS 600

struct world {
    struct evs_batch_pool *pool;
    struct evs_batch *batch; /* row i is key i: (text or NULL, int64) */
    struct evs_table_layout layout;
    struct evs_table table;
    uint64_t hashes[EVS_BATCH_ROWS];
};

static const uint32_t key_columns[2] = {0, 1};

/* Every second text is longer than what a string view holds; row 0 is NULL; the hashes collide in their low and in all bits. */
static void world_init(struct world *world)
{
    static const enum evs_kind kinds[2] = {EVS_STRING, EVS_INT64};
    world->pool = evs_batch_pool_new();
    world->batch = evs_batch_new(world->pool, 2);
    evs_batch_init_rows(world->batch, TEXTS);
    world->batch->row_count = world->batch->selected_count = TEXTS;
    evs_column_init(&world->batch->columns[0], world->batch, EVS_STRING, TEXTS, true);
    evs_column_init(&world->batch->columns[1], world->batch, EVS_INT64, TEXTS, false);
    for (uint32_t i = 0; i < TEXTS; i++) {
        char *text = evs_arena_printf(world->batch->arena,
                                      i % 2 == 0 ? "k%u" : "a key that is longer than a view, number %u", i / 3);
        ((struct evs_str *)world->batch->columns[0].data)[i] = evs_str_make(text, (uint32_t)strlen(text));
        ((int64_t *)world->batch->columns[1].data)[i] = i % 3;
    }
    ((struct evs_str *)world->batch->columns[0].data)[0] = (struct evs_str){0};
    evs_column_set_null(&world->batch->columns[0], 0);
    evs_key_hash_rows(world->batch, key_columns, 2, world->hashes);
    for (uint32_t i = 0; i < TEXTS; i++) {
        world->hashes[i] = i % 5 == 0 ? UINT64_C(0x123456789abcdef0) : world->hashes[i] & UINT64_C(0xffffffff0000003f);
    }
    evs_table_layout_init(&world->layout, kinds, 2, 8);
    evs_table_init(&world->table, &world->layout);
}

static void world_fini(struct world *world)
{
    evs_table_fini(&world->table);
    evs_batch_unref(world->batch);
    evs_batch_pool_free(world->pool);
}

static int64_t *value_of(struct world *world, struct evs_entry *entry)
{
    return (int64_t *)evs_entry_values(&world->layout, entry);
}

START_TEST(test_table)
{
    struct world world;
    world_init(&world);
    static int64_t wanted[TEXTS];
    static uint32_t place[TEXTS];
    static bool there[TEXTS];
    uint64_t seed = 11;
    memset(there, 0, sizeof there);
    uint32_t count = 0;
    for (uint32_t step = 0; step < 60000; step++) {
        uint32_t row = (uint32_t)(unit_random(&seed) % TEXTS);
        if (there[row] && unit_random(&seed) % 3 == 0) {
            evs_table_remove(&world.table, place[row]);
            there[row] = false;
            count--;
        } else {
            bool is_new;
            uint32_t index;
            struct evs_entry *entry =
                evs_table_find_or_add(&world.table, world.hashes[row], world.batch, row, key_columns, &index, &is_new);
            UNIT_CHECK(is_new == !there[row], "step %u: row %u is new: %d", step, row, is_new);
            UNIT_CHECK(is_new || index == place[row], "step %u: row %u has moved", step, row);
            UNIT_CHECK(*value_of(&world, entry) == (is_new ? 0 : wanted[row]), "step %u: the value of row %u", step,
                       row);
            wanted[row] = *value_of(&world, entry) = (int64_t)unit_random(&seed);
            place[row] = index;
            count += is_new;
            there[row] = true;
        }
        UNIT_CHECK(world.table.count == count, "step %u: %u entries, not %u", step, world.table.count, count);
    }
    for (uint32_t row = 0; row < TEXTS; row++) {
        ck_assert(!there[row] || evs_table_is_live(&world.table, place[row]));
    }
    ck_assert_uint_le(world.table.used, TEXTS);
    evs_table_clear(&world.table);
    ck_assert_uint_eq(world.table.count, 0);
    world_fini(&world);
}
END_TEST

/* Keys of an entry, put into a second table as bytes, are found there by their rows. */
START_TEST(test_table_stored)
{
    struct world world;
    struct evs_table copy;
    world_init(&world);
    evs_table_init(&copy, &world.layout);
    for (uint32_t row = 0; row < TEXTS; row++) {
        bool is_new;
        uint32_t index;
        struct evs_entry *entry =
            evs_table_find_or_add(&world.table, world.hashes[row], world.batch, row, key_columns, NULL, &is_new);
        ck_assert(is_new);
        evs_table_put_stored(&copy, entry->hash, entry->nulls, (const uint8_t *)(entry + 1), &is_new);
        ck_assert(is_new);
        evs_table_put_stored(&copy, entry->hash, entry->nulls, (const uint8_t *)(entry + 1), &is_new);
        ck_assert(!is_new);
        evs_table_find_or_add(&copy, world.hashes[row], world.batch, row, key_columns, &index, &is_new);
        ck_assert(!is_new);
    }
    ck_assert_uint_eq(copy.count, TEXTS);
    evs_table_fini(&copy);
    world_fini(&world);
}
END_TEST

/* --- blocks ------------------------------------------------------------------------------------------------------------------------ */

/* What was written, in order, and what is compared with it while a block is read. */
struct expected {
    uint64_t seed;
    uint32_t count, read;
    size_t variable_max;
};

static struct evs_snapshot_record record_of(uint64_t *seed, size_t variable_max, char *fixed, char *variable)
{
    struct evs_snapshot_record record = {.section = 3, .hash = unit_random(seed)};
    record.kind = unit_random(seed) % 4 == 0 ? EVS_RECORD_DELETE : EVS_RECORD_PUT;
    size_t count = unit_random(seed) % (variable_max + 1);
    for (uint32_t i = 0; i < 20; i++) {
        fixed[i] = (char)unit_random(seed);
    }
    for (size_t i = 0; i < count; i++) {
        variable[i] = (char)unit_random(seed);
    }
    record.fixed = (struct evs_slice){fixed, 20};
    record.variable = (struct evs_slice){variable, count};
    return record;
}

static evs_status compare(void *argument, const struct evs_section_header *header,
                          const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct expected *expected = argument;
    char fixed[20], *variable = evs_alloc(expected->variable_max + 1);
    struct evs_snapshot_record wanted = record_of(&expected->seed, expected->variable_max, fixed, variable);
    bool same = evs_slice_equal(header->operator_name, EVS_SLICE("an operator")) && header->version == 7 &&
                record->section == 3 && record->kind == wanted.kind && record->hash == wanted.hash &&
                evs_slice_equal(record->fixed, wanted.fixed) && evs_slice_equal(record->variable, wanted.variable);
    evs_free(variable);
    expected->read++;
    return same ? EVS_OK : evs_fail(error, EVS_E_INTERNAL, "record %u is another", expected->read - 1);
}

static void write_records(struct evs_block_list *blocks, const struct expected *expected)
{
    struct evs_snapshot_writer writer = {0};
    uint64_t seed = expected->seed;
    char fixed[20], *variable = evs_alloc(expected->variable_max + 1);
    for (uint32_t i = 0; i < expected->count; i++) {
        struct evs_snapshot_record record = record_of(&seed, expected->variable_max, fixed, variable);
        evs_snapshot_put(&writer, 3, record.kind, record.hash, record.fixed, record.variable);
    }
    evs_blocks_add(blocks, "an operator", 7, &writer);
    evs_blocks_finish(blocks);
    evs_snapshot_writer_fini(&writer);
    evs_free(variable);
}

static evs_status read_blocks(const struct evs_block_list *blocks, struct expected *expected, uint32_t left_out)
{
    struct evs_block_reader reader = {0};
    struct evs_error error = {0};
    evs_status status = EVS_OK;
    for (uint32_t i = 0; status == EVS_OK && i < blocks->block_count; i++) {
        status = i == left_out ? EVS_OK : evs_block_read(&reader, blocks->blocks[i], compare, expected, &error);
    }
    evs_status end = evs_block_reader_end(&reader, &error);
    return status == EVS_OK ? end : status;
}

static const struct expected block_cases[] = {{1, 0, 0, 10},     {2, 1, 0, 0},      {3, 1, 0, 10},
                                              {4, 5000, 0, 100}, {5, 9, 0, 200000}, {6, 2, 0, 2000000}};

START_TEST(test_blocks)
{
    struct expected expected = block_cases[_i];
    struct evs_block_list blocks = {0};
    write_records(&blocks, &expected);
    for (uint32_t i = 0; i < blocks.block_count; i++) {
        ck_assert_uint_le(blocks.blocks[i].count, EVS_BLOCK_BYTES);
    }
    ck_assert_int_eq(read_blocks(&blocks, &expected, UINT32_MAX), EVS_OK);
    ck_assert_uint_eq(expected.read, expected.count);
    evs_blocks_fini(&blocks);
}
END_TEST

/* A large record makes several pieces, and none of them may be missing. */
START_TEST(test_piece_missing)
{
    struct expected expected = {.seed = 9, .count = 1, .variable_max = 0};
    struct evs_block_list blocks = {0};
    struct evs_snapshot_writer writer = {0};
    char *variable = evs_alloc_zero(900000);
    for (uint32_t i = 0; i < 900000; i++) {
        variable[i] = (char)unit_random(&expected.seed);
    }
    evs_snapshot_put(&writer, 3, EVS_RECORD_PUT, 1, (struct evs_slice){"12345678901234567890", 20},
                     (struct evs_slice){variable, 900000});
    evs_blocks_add(&blocks, "an operator", 7, &writer);
    evs_blocks_finish(&blocks);
    ck_assert_uint_eq(blocks.block_count, 4);
    for (uint32_t i = 0; i < blocks.block_count; i++) {
        ck_assert_int_eq(read_blocks(&blocks, &expected, i), EVS_E_CORRUPT);
    }
    ck_assert_uint_eq(expected.read, 0);
    evs_free(variable);
    evs_snapshot_writer_fini(&writer);
    evs_blocks_fini(&blocks);
}
END_TEST

static evs_status take_any(void *argument, const struct evs_section_header *header,
                           const struct evs_snapshot_record *record, struct evs_error *error)
{
    (void)argument, (void)header, (void)record, (void)error;
    return EVS_OK;
}

/* Another value of any one byte, or an end anywhere, is noticed. (The number of a piece means nothing in a whole block.) */
START_TEST(test_block_damage)
{
    struct expected expected = {.seed = 4, .count = 12, .variable_max = 30};
    struct evs_block_list blocks = {0};
    struct evs_error error;
    write_records(&blocks, &expected);
    ck_assert_uint_eq(blocks.block_count, 1);
    struct evs_slice block = blocks.blocks[0];
    for (size_t at = 0; at < block.count; at++) {
        char *copy = evs_alloc(block.count); /* of its exact size, so that the sanitizer sees a byte too far */
        memcpy(copy, block.data, block.count);
        copy[at] ^= (char)(1 + at % 255);
        evs_status status = evs_block_decode((struct evs_slice){copy, block.count}, take_any, NULL, &error);
        UNIT_CHECK(status != EVS_OK || at == 6 || at == 7, "byte %zu is another, and nobody notices", at);
        evs_free(copy);
        copy = evs_alloc(at + 1);
        memcpy(copy, block.data, at);
        UNIT_CHECK(evs_block_decode((struct evs_slice){copy, at}, take_any, NULL, &error) != EVS_OK,
                   "%zu bytes are enough", at);
        evs_free(copy);
    }
    evs_blocks_fini(&blocks);
}
END_TEST

/* --- the commit record ------------------------------------------------------------------------------------------------------------------ */

static struct evs_record_partition partitions[2] = {
    {{.partition = 0,
      .sequence = 5,
      .byte_offset = 6,
      .next_index = 7,
      .time_us = -8,
      .fingerprint = 9,
      .log_created_us = 10},
     -11,
     12},
    {{.partition = 1, .sequence = UINT64_MAX >> 16, .time_us = INT64_MAX}, EVS_TIME_MIN, EVS_TIME_MAX}};
static struct evs_record_source sources[2] = {{"clicks", partitions, 2, 77, false}, {"", NULL, 0, EVS_TIME_MIN, true}};
static struct evs_state_part state_keys[1] = {{"k", 7, {"\5", 1}}};
static struct evs_state_part state_columns[2] = {{"count(*)", 8, {"", 0}}, {"sum(v)", UINT64_MAX, {"\3\0\2\1\2", 5}}};
static const struct evs_state_shape shape = {.kind = "aggregate",
                                             .label = "aggregate by k",
                                             .is_elastic = true,
                                             .window = 11,
                                             .lineage = 12,
                                             .keys = {state_keys, 1},
                                             .columns = {state_columns, 2}};
static struct evs_record_node nodes[1] = {{"aggregate by k", UINT64_MAX, 3, -1, &shape}};
static struct evs_record_lane lanes[2] = {{0, 10, 8, 0, {0}}, {3, UINT64_MAX, 1, 4096, {true, 90, UINT64_MAX, 77, -5}}};
static struct evs_record_sink sinks[1] = {{"out", lanes, 2}};

static struct evs_record_erasure erasures[1] = {{"ann@example.org", "", 17}};
static struct evs_record_erased erased[2] = {{15, 3, 4}, {UINT64_MAX, 40, 0}};

static struct evs_record sample(void)
{
    return (struct evs_record){.checkpoint = 42,
                               .plan_hash = 43,
                               .incarnation = {44, 45},
                               .finished = true,
                               .split_version = 1,
                               .key_version = 2,
                               .events = 100,
                               .rows_out = 50,
                               .late = 2,
                               .dead = 3,
                               .sources = sources,
                               .source_count = 2,
                               .nodes = nodes,
                               .node_count = 1,
                               .sinks = sinks,
                               .sink_count = 1,
                               .erasures = erasures,
                               .erasure_count = 1,
                               .erased = erased,
                               .erased_count = 2};
}

START_TEST(test_record)
{
    struct evs_buffer out = {0}, again = {0};
    struct evs_arena arena = {0};
    struct evs_record record = sample(), read;
    struct evs_error error;
    evs_sweep_committed(&record.sweep, 40, (struct evs_ranges){0, EVS_RANGES}, 9000, 100, 1);
    evs_sweep_committed(&record.sweep, 41, (struct evs_ranges){0, 7}, 700, 50, 1);
    evs_record_encode(&record, &out);
    ck_assert_int_eq(evs_record_decode((struct evs_slice){out.data, out.count}, &arena, &read, &error), EVS_OK);
    ck_assert_int_eq(memcmp(&record.sweep, &read.sweep, sizeof record.sweep), 0);
    ck_assert_uint_eq(read.checkpoint, 42);
    ck_assert(read.finished && read.sources[1].finished && !read.sources[0].finished);
    ck_assert_str_eq(read.sources[0].name, "clicks");
    ck_assert_int_eq(read.sources[0].partitions[0].position.time_us, -8);
    ck_assert_int_eq(read.sources[0].partitions[1].watermark_us, EVS_TIME_MIN);
    ck_assert_int_eq(read.sources[0].frontier_us, 77);
    ck_assert_uint_eq(read.nodes[0].identity, UINT64_MAX);
    ck_assert_uint_eq(read.sinks[0].lanes[1].offset, 4096);
    const struct evs_sink_receipt *receipt = &read.sinks[0].lanes[1].receipt;
    ck_assert(receipt->is_known && receipt->floor == 90 && receipt->sequence == UINT64_MAX);
    ck_assert(receipt->fingerprint == 77 && receipt->log_created_us == -5);
    ck_assert(!read.sinks[0].lanes[0].receipt.is_known);
    ck_assert_str_eq(read.erasures[0].value, "ann@example.org");
    ck_assert(read.erasures[0].id == 17 && read.erased_count == 2 && read.erased[1].id == UINT64_MAX);
    const struct evs_state_shape *found = read.nodes[0].shape;
    ck_assert(found->is_elastic && !found->is_named && found->window == 11 && found->lineage == 12);
    ck_assert_str_eq(found->columns.items[1].text, "sum(v)");
    ck_assert_uint_eq(found->columns.items[1].identity, UINT64_MAX);
    ck_assert_uint_eq(found->columns.items[1].form.count, 5);
    ck_assert_uint_eq(found->rows.count, 0);
    evs_record_encode(&read, &again);
    ck_assert(evs_slice_equal((struct evs_slice){out.data, out.count}, (struct evs_slice){again.data, again.count}));
    evs_buffer_fini(&out);
    evs_buffer_fini(&again);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(test_record_damage)
{
    struct evs_buffer out = {0};
    struct evs_arena arena = {0};
    struct evs_record record = sample(), read;
    struct evs_error error;
    evs_record_encode(&record, &out);
    for (size_t at = 0; at < out.count; at++) {
        out.data[at] ^= (char)(1 + at % 255);
        UNIT_CHECK(evs_record_decode((struct evs_slice){out.data, out.count}, &arena, &read, &error) != EVS_OK,
                   "byte %zu is another", at);
        out.data[at] ^= (char)(1 + at % 255);
        UNIT_CHECK(evs_record_decode((struct evs_slice){out.data, at}, &arena, &read, &error) != EVS_OK,
                   "%zu bytes are enough", at);
        evs_arena_reset(&arena);
    }
    evs_buffer_fini(&out);
    evs_arena_fini(&arena);
}
END_TEST

#define LANE_BYTES (4 + 8 + 8 + 8)
#define RECEIPT_BYTES (1 + 8 + 8 + 4 + 8)

/* A record of the format before copies: the same bytes without the sweep, without operators, and without the receipts of the two lanes at its end. It
 * begins with the log's first commit. */
START_TEST(test_record_of_format_1)
{
    struct evs_buffer out = {0};
    struct evs_arena arena = {0};
    struct evs_record record = sample(), read;
    struct evs_error error;
    uint32_t format = 1;
    record.node_count = 0; /* nor had operators a shape */
    record.erasure_count = record.erased_count = 0;
    out.count = 0;
    evs_record_encode(&record, &out);
    out.count -= 4 + 2 * 4 + 8 + 4 + (4 + 8 + 8); /* CRC; two empty lists; credit, next, one run of all ranges */
    out.count -= RECEIPT_BYTES;
    char *last = out.data + out.count - LANE_BYTES;
    memmove(last - RECEIPT_BYTES, last, LANE_BYTES);
    out.count -= RECEIPT_BYTES;
    memcpy(out.data + 4, &format, 4);
    uint32_t crc = evs_crc32c(0, out.data, out.count);
    evs_buffer_put(&out, &crc, 4);
    ck_assert_int_eq(evs_record_decode((struct evs_slice){out.data, out.count}, &arena, &read, &error), EVS_OK);
    ck_assert_uint_eq(read.sinks[0].lanes[1].offset, 4096);
    ck_assert(!read.sinks[0].lanes[1].receipt.is_known);
    ck_assert_uint_eq(evs_sweep_begins(&read.sweep), 0);
    ck_assert(evs_sweep_needs(&read.sweep, 1, false, 12345));
    evs_buffer_fini(&out);
    evs_arena_fini(&arena);
}
END_TEST

/* --- copies of ranges ------------------------------------------------------------------------------------------------------------------- */

/* A state of `live` bytes, of which each checkpoint changes `changed`: what stands in the log from the beginning on. */
struct log {
    uint64_t changed[5000], copied[5000];
};

static uint64_t log_bytes(const struct log *log, uint64_t from, uint64_t last)
{
    uint64_t bytes = 0;
    for (uint64_t i = from; i <= last; i++) {
        bytes += log->changed[i] + log->copied[i];
    }
    return bytes;
}

static const struct {
    uint64_t live, changed, bytes_min;
} pace_cases[] = {{100000, 100, 1}, {100000, 30000, 1}, {100000, 300000, 1}, {1000, 100, 50000}, {0, 70, 20000}};

/* About twice the state, but for the checkpoints in which the log begins and ends; a first copy of everything at once stays until all of it has been
 * copied again, in parts. The copies take as many bytes as the changes. */
START_TEST(test_pace)
{
    static struct log log;
    struct evs_sweep sweep = {0};
    uint64_t live = pace_cases[_i].live, changed = pace_cases[_i].changed, least = pace_cases[_i].bytes_min;
    uint64_t size = live > least ? live : least, begins = 0, copies = 0;
    evs_sweep_committed(&sweep, 1, (struct evs_ranges){0, EVS_RANGES}, live, changed, least);
    log.copied[1] = live;
    log.changed[1] = changed;
    for (uint64_t i = 2; i < EVS_COUNT(log.changed); i++) {
        struct evs_ranges ranges = evs_sweep_next(&sweep, least);
        log.changed[i] = changed;
        log.copied[i] = live * ranges.count / EVS_RANGES;
        copies += ranges.count;
        evs_sweep_committed(&sweep, i, ranges, log.copied[i], changed, least);
        ck_assert_uint_ge(evs_sweep_begins(&sweep), begins);
        begins = evs_sweep_begins(&sweep);
        ck_assert_uint_le(begins, i);
        uint64_t bound = (begins == 1 ? 3 : 2) * size + 4 * changed + live / 64 + EVS_RANGES;
        ck_assert_msg(log_bytes(&log, begins, i) <= bound, "checkpoint %llu: the log has %llu bytes",
                      (unsigned long long)i, (unsigned long long)log_bytes(&log, begins, i));
    }
    ck_assert_uint_gt(begins, 1);
    uint64_t paid = changed * 5000 * EVS_RANGES / size + EVS_RANGES;
    ck_assert_uint_le(copies, paid);
}
END_TEST

/* A record is needed as long as its range has not been copied since, and the copy itself is needed. */
START_TEST(test_sweep_needs)
{
    struct evs_sweep sweep = {0};
    uint64_t hash_5 = UINT64_C(5) << 50 | UINT64_C(9) << 58 | 77, hash_9 = UINT64_C(9) << 50;
    evs_sweep_committed(&sweep, 1, (struct evs_ranges){0, EVS_RANGES}, 0, 1000, 1);
    evs_sweep_committed(&sweep, 2, (struct evs_ranges){0, 6}, 600, 1000, 1);
    ck_assert_uint_eq(sweep.next, 6);
    ck_assert_uint_eq(evs_sweep_begins(&sweep), 1);
    ck_assert(!evs_sweep_needs(&sweep, 1, false, hash_5) && !evs_sweep_needs(&sweep, 1, true, hash_5));
    ck_assert(!evs_sweep_needs(&sweep, 2, false, hash_5) && evs_sweep_needs(&sweep, 2, true, hash_5));
    ck_assert(evs_sweep_needs(&sweep, 3, false, hash_5));
    ck_assert(evs_sweep_needs(&sweep, 2, false, hash_9) && evs_sweep_needs(&sweep, 1, true, hash_9));
    evs_sweep_committed(&sweep, 3, (struct evs_ranges){6, 250}, 600, 1000, 1);
    ck_assert_uint_eq(evs_sweep_begins(&sweep), 2);
}
END_TEST

/* Each record comes by exactly one of two writers that share the ranges. */
START_TEST(test_writer_leaves_out)
{
    struct evs_ranges ranges = {200, 100}; /* round the end */
    struct evs_snapshot_writer changes = {.leaves_out = ranges},
                               copy = {.full = true, .leaves_out = evs_ranges_others(ranges)};
    uint64_t seed = 3;
    for (uint32_t i = 0; i < 2000; i++) {
        uint64_t hash = unit_random(&seed) << 32 ^ unit_random(&seed);
        uint32_t range = evs_range_of(hash);
        bool is_copied = range >= 200 || range < 44;
        ck_assert(evs_snapshot_takes(&copy, hash) == is_copied && evs_snapshot_takes(&changes, hash) != is_copied);
        evs_snapshot_put(&changes, 0, EVS_RECORD_PUT, hash, EVS_SLICE("x"), (struct evs_slice){0});
        evs_snapshot_put(&copy, 0, EVS_RECORD_PUT, hash, EVS_SLICE("x"), (struct evs_slice){0});
        ck_assert_uint_eq(changes.sections[0].count + copy.sections[0].count, i + 1);
    }
    ck_assert_uint_gt(copy.sections[0].count, 500);
    evs_snapshot_writer_fini(&changes);
    evs_snapshot_writer_fini(&copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state");
    TCase *tests = tcase_create("state");
    tcase_add_test(tests, test_table);
    tcase_add_test(tests, test_table_stored);
    tcase_add_loop_test(tests, test_blocks, 0, (int)EVS_COUNT(block_cases));
    tcase_add_test(tests, test_piece_missing);
    tcase_add_test(tests, test_block_damage);
    tcase_add_test(tests, test_record);
    tcase_add_test(tests, test_record_damage);
    tcase_add_test(tests, test_record_of_format_1);
    tcase_add_loop_test(tests, test_pace, 0, (int)EVS_COUNT(pace_cases));
    tcase_add_test(tests, test_sweep_needs);
    tcase_add_test(tests, test_writer_leaves_out);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
