/* A NATS sink behind a restart: what its stream holds is not sent again, whatever the duplicate window; receipts never let a row out. */
#include "nats_replay.h"

#include "option_values.h"
#include "server_nats.h"
#include "sink_nats.h"
#include "unit.h"

#define DEADLINE_US 60000000
#define WINDOW_NS INT64_C(100000000) /* a tenth of a second: the server forgets ids at once */

static struct server_nats server;
static struct evs_arena arena;
static const char *const transports[] = {"transport=socket", "transport=library"};

static void start_server(void)
{
    server_nats_start(&server, NULL, NULL);
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = "TRIGGERS";
    config.Subjects = (const char *[]){"triggers.>"};
    config.SubjectsLen = 1;
    config.Duplicates = WINDOW_NS;
    server_nats_create_with(&server, &config);
}

static void end_server(void)
{
    server_nats_end(&server);
    evs_arena_fini(&arena);
}

/* --- a sink of one run --- */

struct lane {
    void *instance;
    struct evs_sink_open open;
    uint64_t number, acknowledged;
};

static struct lane lane_open(const char *transport, enum evs_sink_replay replay,
                             const struct evs_sink_receipt *receipts, uint32_t count, void **shared)
{
    struct evs_option_value values[OPTION_VALUES_MAX];
    struct evs_error error = {0};
    struct lane lane = {0};
    option_values(evs_sink_nats.options, (const char *const[]){"subject=triggers.cart.{u}", transport, NULL}, values);
    lane.open = (struct evs_sink_open){.os = evs_os_system(),
                                       .log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false),
                                       .pipeline = "cart",
                                       .name = "triggers",
                                       .nats_url = server.url,
                                       .replay = replay,
                                       .receipts = receipts,
                                       .receipt_count = count,
                                       .shared = shared};
    ck_assert_msg(evs_sink_nats.configure(values, &arena, &lane.open.config, &error) == EVS_OK, "%s", error.text);
    ck_assert_msg(evs_sink_nats.open(&lane.open, &lane.instance, &error) == EVS_OK, "%s", error.text);
    return lane;
}

static void lane_close(struct lane *lane)
{
    evs_sink_nats.close(lane->instance);
    evs_log_free(lane->open.log);
}

static void lane_poll(struct lane *lane)
{
    uint64_t numbers[256];
    uint32_t count = 0;
    struct evs_error error = {0};
    evs_status status = evs_sink_nats.poll(lane->instance, numbers, 256, &count, &error);
    ck_assert_msg(status == EVS_OK || status == EVS_AGAIN, "%s", error.text);
    lane->acknowledged += count;
    if (status == EVS_AGAIN) {
        struct evs_wait_fd fd;
        uint32_t fds = evs_sink_nats.wait_fds(lane->instance, &fd, 1);
        (void)lane->open.os->sockets.wait(lane->open.os->sockets.self, NULL, &fd, fds, 10000);
    }
}

/* Rows whose ids are first, …, first + count - 1; without waiting for their acknowledgements. */
static void lane_send(struct lane *lane, uint64_t first, uint64_t count)
{
    int64_t deadline_us = evs_monotonic_us(lane->open.os) + DEADLINE_US;
    for (uint64_t i = 0; i < count;) {
        struct evs_error error = {0};
        struct evs_sink_message message = {.number = lane->number + 1,
                                           .id = {.low = first + i, .high = 0xabc},
                                           .address = EVS_SLICE("triggers.cart.ann"),
                                           .headers = EVS_SLICE("ce-id: 1\r\n"),
                                           .payload = EVS_SLICE("{}")};
        evs_status status = evs_sink_nats.send(lane->instance, &message, &error);
        ck_assert_msg(status == EVS_OK || status == EVS_AGAIN, "%s", error.text);
        ck_assert_int_lt(evs_monotonic_us(lane->open.os), deadline_us);
        if (status == EVS_OK) {
            lane->number++;
            i++;
        } else {
            lane_poll(lane);
        }
    }
}

static void lane_finish(struct lane *lane)
{
    int64_t deadline_us = evs_monotonic_us(lane->open.os) + DEADLINE_US;
    while (lane->acknowledged < lane->number) {
        lane_poll(lane);
        ck_assert_int_lt(evs_monotonic_us(lane->open.os), deadline_us);
    }
}

static struct evs_sink_receipt receipt_of(const struct lane *lane)
{
    struct evs_sink_receipt receipt = {0};
    evs_sink_nats.receipt(lane->instance, &receipt);
    ck_assert(receipt.is_known && receipt.floor <= receipt.sequence);
    return receipt;
}

static uint64_t found_of(const struct lane *lane)
{
    struct evs_sink_nats_counters counters;
    evs_sink_nats_counters(lane->instance, &counters);
    return counters.found;
}

/* The server has forgotten all ids. */
static void pass_window(void)
{
    const struct evs_os *os = evs_os_system();
    os->clock.sleep_us(os->clock.self, 3 * WINDOW_NS / 1000); /* the fault is a stop that is longer than the window */
}

/* --- tests --- */

/* A commit in the middle, rows behind it, a kill; the next run derives those rows again, and goes on. */
START_TEST(test_restart)
{
    void *shared = NULL;
    struct lane lane = lane_open(transports[_i], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&lane, 1, 300);
    lane_finish(&lane);
    struct evs_sink_receipt receipt = receipt_of(&lane);
    ck_assert_uint_eq(receipt.floor, 300);
    lane_send(&lane, 301, 5000);
    lane_finish(&lane);
    lane_close(&lane);
    pass_window();
    shared = NULL;
    lane = lane_open(transports[_i], EVS_REPLAY_SINCE_RECEIPTS, &receipt, 1, &shared);
    ck_assert_uint_eq(receipt_of(&lane).floor, 300); /* until all were met: the next crash needs them again */
    lane_send(&lane, 301, 4999);
    lane_finish(&lane);
    ck_assert_uint_eq(found_of(&lane), 4999);
    ck_assert_uint_eq(receipt_of(&lane).floor, 300);
    lane_send(&lane, 5300, 101); /* the last one of before, and a hundred new ones */
    lane_finish(&lane);
    ck_assert_uint_eq(found_of(&lane), 5000);
    ck_assert_uint_eq(receipt_of(&lane).floor, 5400);
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 5400);
    lane_close(&lane);
}
END_TEST

/* Without being asked, or when it is not wanted, everything is sent. */
START_TEST(test_republish)
{
    void *shared = NULL;
    struct lane lane = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    struct evs_sink_receipt receipt = receipt_of(&lane);
    lane_send(&lane, 1, 10);
    lane_finish(&lane);
    lane_close(&lane);
    pass_window();
    shared = NULL;
    lane = lane_open(transports[0], EVS_REPLAY_NOTHING, &receipt, 1, &shared);
    lane_send(&lane, 1, 10);
    lane_finish(&lane);
    ck_assert_uint_eq(found_of(&lane), 0);
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 20);
    lane_close(&lane);
}
END_TEST

/* The state is lost altogether: the whole stream is read. */
START_TEST(test_all)
{
    void *shared = NULL;
    struct lane lane = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    server_nats_publish(&server, "triggers.cart.ann", "of somebody else", 16, "an-id-of-its-own");
    server_nats_publish(&server, "triggers.other.ann", "of another pipeline", 19, "000000000000000000000000000000ff");
    lane_send(&lane, 1, 20);
    lane_finish(&lane);
    lane_close(&lane);
    pass_window();
    shared = NULL;
    lane = lane_open(transports[0], EVS_REPLAY_ALL, NULL, 0, &shared);
    lane_send(&lane, 1, 30);
    lane_finish(&lane);
    ck_assert_uint_eq(found_of(&lane), 20);
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 32);
    lane_close(&lane);
}
END_TEST

/* Rows move between lanes when the number of workers changes: the set is one of all of them. */
START_TEST(test_lanes)
{
    void *shared = NULL;
    struct lane a = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    struct evs_sink_receipt receipts[2] = {receipt_of(&a)};
    lane_send(&a, 1, 50);
    lane_finish(&a);
    receipts[1] = receipt_of(&a); /* the other lane was further */
    lane_send(&a, 51, 50);
    lane_finish(&a);
    lane_close(&a);
    pass_window();
    shared = NULL;
    a = lane_open(transports[0], EVS_REPLAY_SINCE_RECEIPTS, receipts, 2, &shared);
    struct lane b = lane_open(transports[0], EVS_REPLAY_SINCE_RECEIPTS, receipts, 2, &shared);
    lane_send(&a, 1, 30);
    lane_send(&b, 31, 70);
    lane_finish(&a);
    ck_assert_uint_eq(found_of(&a) + found_of(&b), 100);
    lane_finish(&b);
    ck_assert_uint_eq(receipt_of(&a).floor, 100);
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 100);
    lane_close(&a);
    lane_close(&b);
}
END_TEST

/* One message gets no answer while later ones do: it may be stored anywhere behind what was the end when it was sent first. */
START_TEST(test_floor_below_the_oldest)
{
    void *shared = NULL;
    struct evs_error error = {0};
    struct lane lane = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&lane, 1, 10);
    lane_finish(&lane);
    struct evs_sink_message unanswered = {.number = ++lane.number,
                                          .id = {.low = 11, .high = 0xabc},
                                          .address = EVS_SLICE("nobody.stores.this"),
                                          .headers = EVS_SLICE("ce-id: 1\r\n"),
                                          .payload = EVS_SLICE("{}")};
    ck_assert_int_eq(evs_sink_nats.send(lane.instance, &unanswered, &error), EVS_OK);
    lane_send(&lane, 12, 20);
    int64_t deadline_us = evs_monotonic_us(lane.open.os) + DEADLINE_US;
    while (lane.acknowledged < 30) {
        lane_poll(&lane);
        ck_assert_int_lt(evs_monotonic_us(lane.open.os), deadline_us);
    }
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 30);
    ck_assert_uint_eq(receipt_of(&lane).floor, 10);
    lane_close(&lane);
}
END_TEST

/* What was sent and is not told as acknowledged lies above the floor, at every moment. */
START_TEST(test_floor_of_outstanding)
{
    void *shared = NULL;
    struct lane lane = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&lane, 1, 10);
    lane_finish(&lane);
    lane_send(&lane, 11, 500);
    uint64_t told = lane.acknowledged;
    while (lane.acknowledged < lane.number) {
        struct evs_sink_receipt receipt = receipt_of(&lane);
        /* One lane alone: the n-th number is the n-th message of the stream. */
        ck_assert_uint_le(receipt.floor, lane.acknowledged);
        ck_assert_uint_ge(receipt.floor, 10);
        lane_poll(&lane);
        told = lane.acknowledged;
    }
    ck_assert_uint_eq(told, 510);
    ck_assert_uint_eq(receipt_of(&lane).floor, 510);
    lane_close(&lane);
}
END_TEST

/* Others fill the stream while this sink has nothing to send: its floor goes along, and what it sends then lies above. */
START_TEST(test_idle_sink)
{
    void *shared = NULL;
    struct lane lane = lane_open(transports[_i], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&lane, 1, 1);
    lane_finish(&lane);
    for (uint32_t i = 0; i < 50; i++) {
        server_nats_publish(&server, "triggers.other.ann", "x", 1, NULL);
    }
    int64_t deadline_us = evs_monotonic_us(lane.open.os) + DEADLINE_US;
    while (receipt_of(&lane).floor < 51) {
        lane_poll(&lane);
        ck_assert_int_lt(evs_monotonic_us(lane.open.os), deadline_us);
    }
    struct evs_sink_receipt receipt = receipt_of(&lane);
    ck_assert_uint_eq(receipt.floor, 51);
    lane_send(&lane, 2, 10);
    lane_finish(&lane);
    lane_close(&lane);
    pass_window();
    shared = NULL;
    lane = lane_open(transports[_i], EVS_REPLAY_SINCE_RECEIPTS, &receipt, 1, &shared);
    lane_send(&lane, 2, 10);
    lane_finish(&lane);
    ck_assert_uint_eq(found_of(&lane), 10);
    lane_close(&lane);
}
END_TEST

/* The stream was deleted and made again, or has lost its tail and uses numbers again: what is there is read from further back. */
START_TEST(test_lost_streams)
{
    void *shared = NULL;
    struct lane lane = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&lane, 1, 20);
    lane_finish(&lane);
    server_nats_stop(&server);
    server_nats_save(&server);
    server_nats_restart(&server);
    lane_send(&lane, 21, 20);
    lane_finish(&lane);
    struct evs_sink_receipt receipt = receipt_of(&lane);
    ck_assert_uint_eq(receipt.floor, 40);
    lane_close(&lane);
    server_nats_stop(&server);
    server_nats_load(&server); /* 21 to 40 are gone */
    server_nats_restart(&server);
    shared = NULL;
    lane = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&lane, 41, 40); /* under the numbers 21 to 60 */
    lane_finish(&lane);
    lane_close(&lane);
    pass_window();
    shared = NULL;
    lane = lane_open(transports[0], EVS_REPLAY_SINCE_RECEIPTS, &receipt, 1, &shared);
    lane_send(&lane, 41, 40);
    lane_finish(&lane);
    ck_assert_uint_eq(found_of(&lane), 40);
    receipt = receipt_of(&lane);
    lane_close(&lane);
    server_nats_delete(&server, "TRIGGERS");
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    shared = NULL;
    lane = lane_open(transports[0], EVS_REPLAY_SINCE_RECEIPTS, &receipt, 1, &shared);
    ck_assert_uint_eq(receipt_of(&lane).floor, 0);
    lane_send(&lane, 81, 5);
    lane_finish(&lane);
    ck_assert_uint_eq(receipt_of(&lane).floor, 5);
    lane_close(&lane);
}
END_TEST

/* --- the stream loses what it had acknowledged ------------------------------------------------------------------------------ */

static void fill_kept(struct evs_sink_kept *kept, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) { /* one lane alone: row n lies at n */
        kept[i] = (struct evs_sink_kept){.place = i + 1, .id = {.low = i + 1, .high = 0xabc}};
    }
}

/* 40 rows, of which a power cut takes the last 20 while the lane goes on. With `is_filled` somebody else has used their numbers before it is back. */
static struct lane lane_with_cut_stream(const char *transport, bool is_filled)
{
    void *shared = NULL;
    struct lane lane = lane_open(transport, EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&lane, 1, 20);
    lane_finish(&lane);
    server_nats_stop(&server);
    server_nats_save(&server);
    server_nats_restart(&server);
    lane_send(&lane, 21, 20);
    lane_finish(&lane);
    ck_assert(!evs_sink_nats.has_lost(lane.instance));
    server_nats_stop(&server);
    server_nats_load(&server);
    server_nats_restart(&server);
    for (uint32_t i = 0; i < 30 && is_filled; i++) {
        server_nats_publish(&server, "triggers.other.ann", "x", 1, NULL);
    }
    return lane;
}

static void lane_await_loss(struct lane *lane)
{
    int64_t deadline_us = evs_monotonic_us(lane->open.os) + DEADLINE_US;
    while (!evs_sink_nats.has_lost(lane->instance)) {
        lane_poll(lane);
        ck_assert_int_lt(evs_monotonic_us(lane->open.os), deadline_us);
    }
}

/* Found out while the engine runs, before anything is sent: a new instance tells from where on rows are lost, and takes those that are there for sent. */
START_TEST(test_cut_live)
{
    bool is_filled = _i / 2 == 1;
    struct evs_sink_kept kept[40];
    uint64_t holds = UINT64_MAX, others = is_filled ? 30 : 0;
    struct lane lane = lane_with_cut_stream(transports[_i % 2], is_filled);
    lane_send(&lane, 41, 5); /* held back until it is known what the stream has */
    lane_await_loss(&lane);
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 20 + others);
    struct evs_sink_receipt receipt = receipt_of(&lane);
    evs_sink_nats.close(lane.instance);
    fill_kept(kept, 40);
    void *shared = NULL;
    lane.open.replay = EVS_REPLAY_CUT;
    lane.open.receipts = &receipt;
    lane.open.receipt_count = 1;
    lane.open.kept = kept;
    lane.open.kept_count = 40;
    lane.open.holds = &holds;
    lane.open.shared = &shared;
    lane.number = lane.acknowledged = 0;
    ck_assert_int_eq(evs_sink_nats.open(&lane.open, &lane.instance, NULL), EVS_OK);
    ck_assert_uint_eq(holds, 20);
    pass_window();
    lane_send(&lane, 21, 25);
    lane_finish(&lane);
    ck_assert(!evs_sink_nats.has_lost(lane.instance));
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 45 + others);
    lane_close(&lane);
}
END_TEST

/* The engine was away meanwhile. A lane that opens behind the first one is told the same; and of a stream that has everything nothing is said. */
START_TEST(test_cut_restart)
{
    bool is_filled = _i == 1;
    struct evs_sink_kept kept[40];
    uint64_t holds[3] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
    struct lane lane = lane_with_cut_stream(transports[0], is_filled);
    struct evs_sink_receipt receipt = receipt_of(&lane);
    fill_kept(kept, 40);
    struct evs_sink_open open = lane.open;
    evs_sink_nats.close(lane.instance);
    void *shared = NULL, *instances[3];
    open.replay = EVS_REPLAY_SINCE_RECEIPTS;
    open.receipts = &receipt;
    open.receipt_count = 1;
    open.kept = kept;
    open.kept_count = 40;
    open.shared = &shared;
    for (int i = 0; i < 2; i++) {
        open.holds = &holds[i];
        ck_assert_int_eq(evs_sink_nats.open(&open, &instances[i], NULL), EVS_OK);
        ck_assert_uint_eq(holds[i], 20);
    }
    open.holds = &holds[2];
    open.kept_count = 20;
    receipt.sequence = receipt.floor = 20;
    receipt.fingerprint = evs_nats_id_fingerprint(kept[19].id);
    shared = NULL;
    ck_assert_int_eq(evs_sink_nats.open(&open, &instances[2], NULL), EVS_OK);
    ck_assert_uint_eq(holds[2], UINT64_MAX);
    for (int i = 0; i < 3; i++) {
        evs_sink_nats.close(instances[i]);
    }
    evs_log_free(open.log);
}
END_TEST

/* One lane had noticed the cut and gone on, from where the numbers begin again, when the engine was killed; the other one had not. What the first one has there, fewer rows
 * than were lost or more, says nothing of the second one's. */
START_TEST(test_cut_noticed_by_one_lane)
{
    const uint32_t more = (const uint32_t[]){10, 30, 60}[_i]; /* the last ones are the greater part */
    struct evs_sink_kept kept[100];
    uint64_t holds = UINT64_MAX;
    struct lane lane = lane_with_cut_stream(transports[0], false);
    struct evs_sink_receipt receipts[2] = {receipt_of(&lane)};
    void *shared = NULL, *instance;
    struct lane other = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&other, 101, more);
    lane_finish(&other);
    receipts[1] = receipt_of(&other);
    fill_kept(kept, 40);
    for (uint32_t i = 0; i < more; i++) {
        kept[40 + i] = (struct evs_sink_kept){.place = 21 + i, .id = {.low = 101 + i, .high = 0xabc}, .lane = 1};
    }
    struct evs_sink_open open = lane.open;
    open.replay = EVS_REPLAY_SINCE_RECEIPTS;
    open.receipts = receipts;
    open.receipt_count = 2;
    open.kept = kept;
    open.kept_count = 40 + more;
    open.holds = &holds;
    shared = NULL;
    open.shared = &shared;
    ck_assert_int_eq(evs_sink_nats.open(&open, &instance, NULL), EVS_OK);
    ck_assert_uint_eq(holds, 20);
    evs_sink_nats.close(instance);
    lane_close(&other);
    lane_close(&lane);
}
END_TEST

/* The rows that a restart has found in the stream are lost before they are derived again, and others have used their numbers: what was read back counts no more. */
START_TEST(test_cut_behind_reading)
{
    void *shared = NULL;
    struct lane before = lane_open(transports[_i], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    server_nats_stop(&server);
    server_nats_save(&server);
    server_nats_restart(&server);
    lane_send(&before, 1, 20);
    lane_finish(&before);
    lane_close(&before);
    struct lane lane = lane_open(transports[_i], EVS_REPLAY_ALL, NULL, 0, &shared);
    server_nats_stop(&server);
    server_nats_load(&server);
    server_nats_restart(&server);
    for (uint32_t i = 0; i < 30; i++) {
        server_nats_publish(&server, "triggers.other.ann", "x", 1, NULL);
    }
    lane_await_loss(&lane);
    lane_close(&lane);
}
END_TEST

/* Deleted and made again while the engine runs: nothing of it is there. */
START_TEST(test_other_stream_live)
{
    struct evs_sink_kept kept[20];
    uint64_t holds = UINT64_MAX;
    void *shared = NULL;
    struct lane lane = lane_open(transports[_i], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&lane, 1, 20);
    lane_finish(&lane);
    server_nats_delete(&server, "TRIGGERS");
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    lane_await_loss(&lane); /* by an idle sink, which looks from time to time */
    struct evs_sink_receipt receipt = receipt_of(&lane);
    evs_sink_nats.close(lane.instance);
    fill_kept(kept, 20);
    shared = NULL;
    lane.open.replay = EVS_REPLAY_CUT;
    lane.open.receipts = &receipt;
    lane.open.receipt_count = 1;
    lane.open.kept = kept;
    lane.open.kept_count = 20;
    lane.open.holds = &holds;
    lane.open.shared = &shared;
    ck_assert_int_eq(evs_sink_nats.open(&lane.open, &lane.instance, NULL), EVS_OK);
    ck_assert_uint_eq(holds, 0);
    lane_close(&lane);
}
END_TEST

/* Somebody has deleted the newest message, or all of them: a stream keeps its numbers, and nothing counts as lost. */
START_TEST(test_removed_is_not_lost)
{
    struct evs_sink_kept kept[20];
    uint64_t holds = UINT64_MAX;
    void *shared = NULL;
    struct lane lane = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    lane_send(&lane, 1, 20);
    lane_finish(&lane);
    struct evs_sink_receipt receipt = receipt_of(&lane);
    server_nats_purge(&server, "TRIGGERS", 0);
    evs_sink_nats_reconnect(lane.instance);
    lane_send(&lane, 21, 1);
    lane_finish(&lane);
    ck_assert(!evs_sink_nats.has_lost(lane.instance));
    lane_close(&lane);
    fill_kept(kept, 20);
    shared = NULL;
    lane = lane_open(transports[0], EVS_REPLAY_NOTHING, NULL, 0, &shared);
    evs_sink_nats.close(lane.instance);
    lane.open.replay = EVS_REPLAY_SINCE_RECEIPTS;
    lane.open.receipts = &receipt;
    lane.open.receipt_count = 1;
    lane.open.kept = kept;
    lane.open.kept_count = 20;
    lane.open.holds = &holds;
    ck_assert_int_eq(evs_sink_nats.open(&lane.open, &lane.instance, NULL), EVS_OK);
    ck_assert_uint_eq(holds, UINT64_MAX);
    lane_close(&lane);
}
END_TEST

/* The set alone: each id is met once, and what nothing derives again is given up ten minutes after the last one was met. */
START_TEST(test_set)
{
    struct evs_nats_seen *seen = evs_nats_seen_new(7, UINT64_MAX);
    uint32_t count = 100000, left;
    uint64_t sequence;
    for (uint64_t i = 1; i <= count; i++) {
        UNIT_CHECK(evs_nats_seen_add(seen, (struct evs_hash128){.low = i % 977, .high = i}, i), "there is room");
        UNIT_CHECK(i % 3 != 0 || evs_nats_seen_add(seen, (struct evs_hash128){.low = i % 977, .high = i}, 0),
                   "it is there");
    }
    ck_assert_uint_eq(evs_nats_seen_left(seen), count);
    ck_assert_uint_eq(evs_nats_seen_give_up(seen, 5), 0); /* begins to count */
    for (uint64_t i = 1; i <= count - 10; i++) {
        UNIT_CHECK(evs_nats_seen_take(seen, (struct evs_hash128){.low = i % 977, .high = i}, (int64_t)i, &sequence),
                   "%d", (int)i);
        UNIT_CHECK(sequence == i, "%d was seen at %d", (int)i, (int)sequence);
        UNIT_CHECK(!evs_nats_seen_take(seen, (struct evs_hash128){.low = i % 977, .high = i}, (int64_t)i, &sequence),
                   "%d", (int)i);
    }
    ck_assert(!evs_nats_seen_take(seen, (struct evs_hash128){.low = 1, .high = count + 5}, 1, &sequence));
    ck_assert_uint_eq(evs_nats_seen_left(seen), 10);
    ck_assert_uint_eq(evs_nats_seen_give_up(seen, EVS_NATS_SEEN_FOR_US), 0);
    ck_assert_uint_eq(evs_nats_seen_give_up(seen, count + EVS_NATS_SEEN_FOR_US), 10);
    ck_assert_uint_eq(evs_nats_seen_give_up(seen, 3 * EVS_NATS_SEEN_FOR_US), 0);
    ck_assert(!evs_nats_seen_take(seen, (struct evs_hash128){.low = count % 977, .high = count}, 1, &sequence));
    ck_assert(evs_nats_seen_unref(seen, &left) && left == 0);
}
END_TEST

int main(void)
{
    if (!server_nats_is_installed()) {
        printf("skipped: nats-server is not installed\n");
        return 77;
    }
    Suite *suite = suite_create("nats_replay");
    TCase *tests = tcase_create("replay"), *alone = tcase_create("set");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, start_server, end_server);
    tcase_add_loop_test(tests, test_restart, 0, 2);
    tcase_add_test(tests, test_republish);
    tcase_add_test(tests, test_all);
    tcase_add_test(tests, test_lanes);
    tcase_add_test(tests, test_floor_below_the_oldest);
    tcase_add_test(tests, test_floor_of_outstanding);
    tcase_add_loop_test(tests, test_idle_sink, 0, 2);
    tcase_add_test(tests, test_lost_streams);
    tcase_add_loop_test(tests, test_cut_live, 0, 4);
    tcase_add_loop_test(tests, test_cut_restart, 0, 2);
    tcase_add_loop_test(tests, test_cut_noticed_by_one_lane, 0, 3);
    tcase_add_loop_test(tests, test_cut_behind_reading, 0, 2);
    tcase_add_loop_test(tests, test_other_stream_live, 0, 2);
    tcase_add_test(tests, test_removed_is_not_lost);
    tcase_add_test(alone, test_set);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, alone);
    return unit_run(suite);
}
