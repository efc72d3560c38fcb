/* Undelivered messages of a sink against a naive model: what is counted, the cursor, and what a restart finds, whatever is acknowledged in whatever order. */
#include "run/sink_pending.h"
#include "unit.h"

#define MESSAGES 6000u

struct model {
    struct evs_run *run;
    struct evs_plan_node node;
    struct evs_plan plan;
    uint32_t source_nodes[1];
    bool done[MESSAGES + 1];
    uint64_t last;
};

static struct model *model_new(void)
{
    struct model *model = evs_alloc_zero(sizeof *model);
    model->run = evs_alloc_aligned(64, sizeof *model->run);
    memset(model->run, 0, sizeof *model->run);
    model->node.name = "clicks";
    model->plan.nodes = &model->node;
    model->plan.node_count = 1;
    model->run->plan = &model->plan;
    model->run->source_nodes = model->source_nodes;
    model->run->source_count = 1;
    return model;
}

static void model_free(struct model *model)
{
    evs_free(model->run);
    evs_free(model);
}

static void add(struct model *model, struct evs_pendings *pendings)
{
    char text[32];
    int count = snprintf(text, sizeof text, "message %llu", (unsigned long long)++model->last);
    struct evs_pending_texts texts = {
        .address = EVS_SLICE("to"), .payload = {text, (size_t)count}, .row = EVS_SLICE("{}")};
    struct evs_pending *pending = evs_pendings_add(pendings, &texts);
    pending->id = evs_hash128(text, (size_t)count);
    ck_assert_uint_eq(pending->number, model->last);
}

static void finish(struct model *model, struct evs_pendings *pendings, uint64_t number)
{
    struct evs_pending *pending = evs_pendings_find(pendings, number);
    if (model->done[number]) {
        ck_assert(pending == NULL || pending->is_done);
        return;
    }
    ck_assert(pending != NULL && !pending->is_done && pending->number == number);
    evs_pendings_finish(pendings, pending);
    model->done[number] = true;
}

static uint64_t model_cursor(const struct model *model)
{
    uint64_t cursor = 0;
    while (cursor < model->last && model->done[cursor + 1]) {
        cursor++;
    }
    return cursor;
}

static uint32_t model_count(const struct model *model)
{
    uint32_t count = 0;
    for (uint64_t i = 1; i <= model->last; i++) {
        count += !model->done[i];
    }
    return count;
}

struct seen {
    const struct model *model;
    uint64_t last;
    uint32_t count;
    struct evs_snapshot_writer *writer;
    bool rewrite;
};

static void see(void *argument, struct evs_pending *pending)
{
    struct seen *seen = argument;
    ck_assert(pending->number > seen->last && !seen->model->done[pending->number]);
    seen->last = pending->number;
    seen->count++;
    if (seen->writer != NULL && (seen->rewrite || !pending->in_outbox)) {
        evs_pending_store(seen->model->run, seen->writer, 3, pending);
    }
}

static void check(const struct model *model, struct evs_pendings *pendings)
{
    struct seen seen = {.model = model};
    evs_pendings_each(pendings, see, &seen);
    ck_assert_uint_eq(seen.count, model_count(model));
    ck_assert_uint_eq(evs_pendings_count(pendings), seen.count);
    ck_assert_uint_eq(evs_pendings_cursor(pendings), model_cursor(model));
    ck_assert_uint_eq(atomic_load(&model->run->outbox_bytes), pendings->waiting_bytes);
    ck_assert((seen.count == 0) == (pendings->waiting_bytes == 0));
}

/* One message in a hundred waits and waits; the others are done in about their order. */
static uint64_t pick(const struct model *model, uint64_t *seed)
{
    uint64_t back = unit_random(seed) % 64, at = model->last > back ? model->last - back : 1;
    if (unit_random(seed) % 100 == 0) {
        at = 1 + unit_random(seed) % model->last;
    }
    return at % 100 == 7 && unit_random(seed) % 50 != 0 ? at + 1 <= model->last ? at + 1 : at : at;
}

START_TEST(any_order_of_acknowledgements)
{
    struct model *model = model_new();
    struct evs_pendings pendings = {.run = model->run};
    uint64_t seed = (uint64_t)_i + 1;
    uint32_t ring_max = 0;
    while (model->last < MESSAGES) {
        add(model, &pendings);
        for (int i = 0; i < 3; i++) {
            finish(model, &pendings, pick(model, &seed));
        }
        ring_max = pendings.count > ring_max ? pendings.count : ring_max;
        if (model->last % 97 == 0) {
            check(model, &pendings);
        }
    }
    ck_assert_uint_lt(ring_max, 3000); /* what waits does not hold the ring */
    for (uint64_t i = model->last; i > 0; i--) {
        finish(model, &pendings, i);
    }
    check(model, &pendings);
    evs_pendings_fini(&pendings);
    model_free(model);
}
END_TEST

/* --- through an outbox --------------------------------------------------------------------------------------------------- */

struct restoring {
    struct evs_pendings pendings;
    uint64_t cursor;
};

static evs_status take(void *argument, const struct evs_section_header *header,
                       const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct restoring *restoring = argument;
    (void)header;
    ck_assert_uint_eq(evs_pending_stored_lane(record), 3);
    return evs_pendings_restore(&restoring->pendings, record, restoring->cursor, error);
}

struct found {
    const struct model *model;
    uint64_t at;
    uint32_t count;
};

static void find(void *argument, struct evs_pending *pending)
{
    struct found *found = argument;
    char text[32];
    do {
        found->at++;
    } while (found->model->done[found->at]);
    int count = snprintf(text, sizeof text, "message %llu", (unsigned long long)found->at);
    struct evs_sink_message message = evs_pending_message(pending);
    ck_assert(evs_slice_equal(message.payload, (struct evs_slice){text, (size_t)count}));
    ck_assert(evs_slice_equal(message.address, EVS_SLICE("to")) && pending->row_bytes == 2);
    ck_assert(message.id.low == evs_hash128(text, (size_t)count).low);
    found->count++;
}

/* After every barrier a restart finds exactly what is not done, in order, with its ids. */
START_TEST(a_restart_finds_what_is_left)
{
    struct model *model = model_new();
    struct evs_pendings pendings = {.run = model->run};
    struct evs_block_list outbox = {0};
    uint64_t seed = 77 + (uint64_t)_i;
    for (uint32_t barrier = 1; barrier <= 30; barrier++) {
        for (uint32_t i = 0; i < MESSAGES / 30; i++) {
            add(model, &pendings);
            finish(model, &pendings, pick(model, &seed));
        }
        struct evs_snapshot_writer writer = {0};
        bool rewrite = barrier % 10 == 0;
        struct seen seen = {.model = model, .writer = &writer, .rewrite = rewrite};
        if (rewrite) {
            evs_blocks_fini(&outbox);
            outbox = (struct evs_block_list){0};
        }
        evs_pendings_each(&pendings, see, &seen);
        evs_pendings_store_done(&pendings, &writer, 3, rewrite);
        evs_blocks_add(&outbox, "hook", 1, &writer);
        evs_blocks_finish(&outbox);
        evs_snapshot_writer_fini(&writer);
        struct restoring restoring = {.pendings = {.run = model->run}, .cursor = evs_pendings_cursor(&pendings)};
        for (uint32_t i = 0; i < outbox.block_count; i++) {
            ck_assert_int_eq(evs_block_decode(outbox.blocks[i], take, &restoring, NULL), EVS_OK);
        }
        evs_pendings_restored(&restoring.pendings, 0);
        struct found found = {.model = model};
        evs_pendings_each(&restoring.pendings, find, &found);
        ck_assert_uint_eq(found.count, model_count(model));
        atomic_fetch_sub(&model->run->outbox_bytes, restoring.pendings.waiting_bytes);
        evs_pendings_fini(&restoring.pendings);
    }
    evs_blocks_fini(&outbox);
    evs_pendings_fini(&pendings);
    model_free(model);
}
END_TEST

/* --- kept messages --------------------------------------------------------------------------------------------------------- */

#define KEEP_US 1000

static void deliver(struct evs_pendings *pendings, uint64_t number, uint64_t place, int64_t now_us)
{
    struct evs_pending *pending = evs_pendings_find(pendings, number);
    ck_assert(pending != NULL && !pending->is_done);
    evs_pendings_deliver(pendings, pending, place, now_us);
}

struct places {
    uint64_t numbers[64], places[64];
    uint32_t count;
};

static void note_place(void *argument, struct evs_pending *pending)
{
    struct places *places = argument;
    places->numbers[places->count] = pending->number;
    places->places[places->count++] = pending->place;
}

static struct places kept_of(struct evs_pendings *pendings)
{
    struct places places = {0};
    evs_pendings_each_kept(pendings, note_place, &places);
    return places;
}

static struct places waiting_of(struct evs_pendings *pendings)
{
    struct places places = {0};
    evs_pendings_each(pendings, note_place, &places);
    ck_assert_uint_eq(evs_pendings_count(pendings), places.count);
    return places;
}

/* Ten messages at the places 100, 200, …; number 7 waits. */
static struct model *ten(struct evs_pendings *pendings)
{
    struct model *model = model_new();
    *pendings = (struct evs_pendings){.run = model->run, .keep_us = KEEP_US, .keep_bytes_max = 1 << 20};
    for (uint32_t i = 1; i <= 10; i++) {
        add(model, pendings);
    }
    for (uint64_t i = 1; i <= 10; i++) {
        if (i != 7) {
            deliver(pendings, i, 100 * i, (int64_t)i);
        }
    }
    return model;
}

/* What lay above the cut waits again, in order, and only that. */
START_TEST(what_was_lost_waits_again)
{
    struct evs_pendings pendings;
    struct model *model = ten(&pendings);
    ck_assert_uint_eq(evs_pendings_cursor(&pendings), 6);
    ck_assert_uint_eq(kept_of(&pendings).count, 9);
    ck_assert_uint_eq(evs_pendings_revive(&pendings, 450), 5);
    ck_assert_uint_eq(evs_pendings_cursor(&pendings), 4);
    struct places waiting = waiting_of(&pendings);
    ck_assert_uint_eq(waiting.count, 6);
    for (uint32_t i = 0; i < waiting.count; i++) {
        ck_assert_uint_eq(waiting.numbers[i], 5 + i);
    }
    ck_assert_uint_eq(evs_pendings_revive(&pendings, 450), 0);
    for (uint64_t i = 5; i <= 10; i++) {
        deliver(&pendings, i, 450 + i, 20);
    }
    ck_assert_uint_eq(evs_pendings_cursor(&pendings), 10);
    ck_assert_uint_eq(evs_pendings_revive(&pendings, 0), 10);
    ck_assert_uint_eq(evs_pendings_cursor(&pendings), 0);
    ck_assert_uint_eq(pendings.kept_bytes, 0);
    ck_assert_uint_eq(atomic_load(&model->run->outbox_bytes), pendings.waiting_bytes);
    evs_pendings_fini(&pendings);
    model_free(model);
}
END_TEST

/* Kept as long as was asked for, counted from the delivery; longer where an older one waits; never more bytes than are allowed. */
START_TEST(kept_for_a_while)
{
    struct evs_pendings pendings;
    struct model *model = ten(&pendings);
    evs_pendings_tend(&pendings, KEEP_US);
    ck_assert_uint_eq(kept_of(&pendings).count, 9);
    evs_pendings_tend(&pendings, KEEP_US + 3);
    ck_assert_uint_eq(kept_of(&pendings).numbers[0], 4);
    evs_pendings_tend(&pendings, 3 * KEEP_US);
    ck_assert_uint_eq(kept_of(&pendings).count, 3);
    ck_assert_int_eq(pendings.dropped_age_us, 0);
    deliver(&pendings, 7, 1100, 3 * KEEP_US);
    evs_pendings_tend(&pendings, 3 * KEEP_US);
    ck_assert_uint_eq(kept_of(&pendings).count, 4); /* the oldest is the one that was delivered last */
    pendings.keep_bytes_max = pendings.kept_bytes / 2;
    evs_pendings_tend(&pendings, 3 * KEEP_US + 5);
    ck_assert_uint_eq(kept_of(&pendings).count, 0); /* 7 went for the bytes, the others' time was over */
    ck_assert_int_eq(pendings.dropped_age_us, 5);
    ck_assert_uint_eq(evs_pendings_count(&pendings), 0);
    ck_assert_uint_eq(evs_pendings_cursor(&pendings), 10);
    ck_assert(pendings.kept_bytes == 0 && pendings.waiting_bytes == 0 && pendings.count == 0);
    evs_pendings_fini(&pendings);
    model_free(model);
}
END_TEST

static void store_it(void *argument, struct evs_pending *pending)
{
    struct seen *seen = argument;
    evs_pending_store(seen->model->run, seen->writer, 3, pending);
}

/* A restart has again what is kept, with its places, whether the outbox grew by commits or began anew. */
START_TEST(kept_over_a_restart)
{
    struct evs_block_list outbox = {0};
    struct evs_snapshot_writer writer = {0};
    struct model *model = model_new();
    struct evs_pendings pendings = {
        .run = model->run, .keep_us = KEEP_US, .keep_bytes_max = 1 << 20, .stores_kept = true};
    struct seen seen = {.model = model, .writer = &writer};
    for (uint32_t i = 1; i <= 10; i++) {
        add(model, &pendings);
    }
    evs_pendings_each(&pendings, store_it, &seen);
    evs_pendings_store_done(&pendings, &writer, 3, false);
    for (uint64_t i = 1; i <= 10; i++) {
        if (i != 4) {
            deliver(&pendings, i, 100 * i, 1);
        }
    }
    if (_i == 1) { /* the outbox begins anew */
        evs_snapshot_writer_clear(&writer);
        evs_pendings_each_kept(&pendings, store_it, &seen);
        evs_pendings_each(&pendings, store_it, &seen);
    }
    evs_pendings_store_done(&pendings, &writer, 3, _i == 1);
    evs_blocks_add(&outbox, "triggers", 1, &writer);
    evs_blocks_finish(&outbox);
    struct restoring restoring = {
        .pendings = {.run = model->run, .keep_us = _i == 2 ? 0 : KEEP_US, .keep_bytes_max = 1 << 20}, .cursor = 3};
    for (uint32_t i = 0; i < outbox.block_count; i++) {
        ck_assert_int_eq(evs_block_decode(outbox.blocks[i], take, &restoring, NULL), EVS_OK);
    }
    evs_pendings_restored(&restoring.pendings, 5);
    struct places kept = kept_of(&restoring.pendings), waiting = waiting_of(&restoring.pendings);
    ck_assert_uint_eq(kept.count, _i == 2 ? 0 : 9);
    ck_assert_uint_eq(waiting.count, 1);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < kept.count; i++) {
        sum += kept.places[i];
    }
    ck_assert_uint_eq(sum, _i == 2 ? 0 : 5100);
    evs_pendings_fini(&restoring.pendings);
    evs_blocks_fini(&outbox);
    evs_snapshot_writer_fini(&writer);
    evs_pendings_fini(&pendings);
    model_free(model);
}
END_TEST

/* A commit in which the receiver's loss is known, and its outbox has not begun anew yet: what waits again is not taken for delivered, and what was delivered a second time is where it
 * lies now. */
START_TEST(lost_over_a_restart)
{
    struct evs_block_list outbox = {0};
    struct evs_snapshot_writer writer = {0};
    struct model *model = model_new();
    struct evs_pendings pendings = {
        .run = model->run, .keep_us = KEEP_US, .keep_bytes_max = 1 << 20, .stores_kept = true};
    struct seen seen = {.model = model, .writer = &writer};
    for (uint32_t i = 1; i <= 10; i++) {
        add(model, &pendings);
    }
    evs_pendings_each(&pendings, store_it, &seen);
    for (uint64_t i = 1; i <= 10; i++) {
        deliver(&pendings, i, 100 * i, 1);
    }
    evs_pendings_store_done(&pendings, &writer, 3, false);
    ck_assert_uint_eq(evs_pendings_revive(&pendings, 600), 4);
    deliver(&pendings, 7, 601, 2);
    deliver(&pendings, 8, 602, 2);
    evs_pendings_store_done(&pendings, &writer, 3, false);
    evs_blocks_add(&outbox, "triggers", 1, &writer);
    evs_blocks_finish(&outbox);
    struct restoring restoring = {.pendings = {.run = model->run, .keep_us = KEEP_US, .keep_bytes_max = 1 << 20},
                                  .cursor = evs_pendings_cursor(&pendings)};
    for (uint32_t i = 0; i < outbox.block_count; i++) {
        ck_assert_int_eq(evs_block_decode(outbox.blocks[i], take, &restoring, NULL), EVS_OK);
    }
    evs_pendings_restored(&restoring.pendings, 5);
    struct places kept = kept_of(&restoring.pendings), waiting = waiting_of(&restoring.pendings);
    ck_assert_uint_eq(kept.count, 8);
    ck_assert_uint_eq(kept.places[6], 601);
    ck_assert_uint_eq(kept.places[7], 602);
    ck_assert_uint_eq(waiting.count, 2);
    ck_assert_uint_eq(waiting.numbers[0], 9);
    evs_pendings_fini(&restoring.pendings);
    evs_blocks_fini(&outbox);
    evs_snapshot_writer_fini(&writer);
    evs_pendings_fini(&pendings);
    model_free(model);
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------------------------------ */

/* Messages come and are acknowledged: once there are as many as ever wait at a time, nothing is allocated any more. */
START_TEST(a_message_costs_no_allocation)
{
    struct model *model = model_new();
    struct evs_pendings pendings = {.run = model->run};
    uint64_t before = 0;
    for (uint64_t i = 1; i <= 3000; i++) {
        before = i == 1000 ? evs_alloc_count() : before;
        add(model, &pendings);
        if (i > 500) {
            finish(model, &pendings, i - 500);
        }
    }
    ck_assert_uint_eq(evs_alloc_count() - before, 0);
    evs_pendings_fini(&pendings);
    model_free(model);
}
END_TEST

/* Texts of all sizes, each whole until it is given back, whatever was there before. */
START_TEST(texts_are_used_again)
{
    enum { TEXTS = 64 };
    struct evs_text_pool pool = {0};
    char *texts[TEXTS], expected[TEXTS * 64];
    size_t bytes[TEXTS];
    uint64_t before = 0;
    for (uint32_t round = 0; round < 20; round++) {
        before = round == 10 ? evs_alloc_count() : before;
        for (uint32_t i = 0; i < TEXTS; i++) {
            bytes[i] = i * 64; /* 0 to 4032 */
            texts[i] = evs_text_pool_take(&pool, bytes[i]);
            memset(texts[i], (int)i, bytes[i]);
        }
        for (uint32_t i = 0; i < TEXTS; i++) {
            memset(expected, (int)i, bytes[i]);
            ck_assert_mem_eq(texts[i], expected, bytes[i]);
            evs_text_pool_give(&pool, texts[i], bytes[i]);
        }
    }
    ck_assert_uint_eq(evs_alloc_count() - before, 0);
    evs_text_pool_fini(&pool);
    ck_assert_uint_eq(pool.spare_bytes, 0);
}
END_TEST

START_TEST(what_waits_is_bounded)
{
    enum { TEXTS = 3000, BYTES = 4000 };
    struct evs_text_pool pool = {0};
    char **texts = evs_alloc(TEXTS * sizeof *texts);
    for (uint32_t i = 0; i < TEXTS; i++) {
        texts[i] = evs_text_pool_take(&pool, BYTES);
    }
    for (uint32_t i = 0; i < TEXTS; i++) {
        evs_text_pool_give(&pool, texts[i], BYTES);
    }
    ck_assert_uint_le(pool.spare_bytes, EVS_TEXT_POOL_BYTES_MAX);
    ck_assert_uint_gt(pool.spare_bytes, EVS_TEXT_POOL_BYTES_MAX - 5000);
    size_t before = pool.spare_bytes;
    char *large = evs_text_pool_take(&pool, 5000);
    memset(large, 'x', 5000);
    evs_text_pool_give(&pool, large, 5000);
    evs_text_pool_give(&pool, NULL, 100);
    ck_assert_uint_eq(pool.spare_bytes, before);
    evs_text_pool_fini(&pool);
    evs_free(texts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sink_pending");
    TCase *cases = tcase_create("sink_pending");
    tcase_add_loop_test(cases, any_order_of_acknowledgements, 0, 4);
    tcase_add_loop_test(cases, a_restart_finds_what_is_left, 0, 4);
    tcase_add_test(cases, what_was_lost_waits_again);
    tcase_add_test(cases, kept_for_a_while);
    tcase_add_loop_test(cases, kept_over_a_restart, 0, 3);
    tcase_add_test(cases, lost_over_a_restart);
    tcase_add_test(cases, a_message_costs_no_allocation);
    tcase_add_test(cases, texts_are_used_again);
    tcase_add_test(cases, what_waits_is_bounded);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
