/* The roll over a bucket in memory, on a clock of its own: who is counted, for how long, and what writers that meet leave of each other. */
#include "run/roll.h"

#include "unit.h"

#define LEASE_US INT64_C(10000000)

static struct {
    char value[4096];
    size_t bytes;
    uint64_t revision;
    bool is_away;
    int64_t takes_us;
    struct evs_roll *interferes; /* calls between another one's read and write */
} broker;
static int64_t now_us;
static const char *dead;

static evs_status fake_read(void *instance, const char *key, struct evs_buffer *value, uint64_t *revision,
                            struct evs_error *error)
{
    (void)instance;
    ck_assert_str_eq(key, "roll.cart");
    now_us += broker.takes_us;
    if (broker.is_away) {
        return evs_fail(error, EVS_E_UNREACHABLE, "away");
    }
    value->count = 0;
    evs_buffer_put(value, broker.value, broker.bytes);
    *revision = broker.revision;
    struct evs_roll *other = broker.interferes;
    broker.interferes = NULL;
    if (other != NULL) {
        ck_assert_int_eq(evs_roll_call(other, 3, error), EVS_OK);
    }
    return EVS_OK;
}

static evs_status fake_write(void *instance, const char *key, struct evs_slice value, uint64_t expected,
                             uint64_t *revision, struct evs_error *error)
{
    (void)instance, (void)key;
    if (broker.is_away) {
        return evs_fail(error, EVS_E_UNREACHABLE, "away");
    }
    if (expected != broker.revision) {
        return EVS_AGAIN;
    }
    ck_assert(value.count <= sizeof broker.value);
    memcpy(broker.value, value.data, value.count);
    broker.bytes = value.count;
    *revision = ++broker.revision;
    return EVS_OK;
}

static const struct evs_bucket bucket = {.read = fake_read, .write = fake_write};

static int64_t fake_boot_us(void *self)
{
    (void)self;
    return now_us;
}

static bool fake_has_ended(void *self, const char *name)
{
    (void)self;
    return dead != NULL && strcmp(name, dead) == 0;
}

static const char *next_name;
static void fake_name(void *self, char out[EVS_PROCESS_NAME_MAX])
{
    (void)self;
    snprintf(out, EVS_PROCESS_NAME_MAX, "%s", next_name);
}

static struct evs_os os;

static void begin(void)
{
    memset(&broker, 0, sizeof broker);
    now_us = 1000000;
    dead = NULL;
    os = *evs_os_system();
    os.clock.boot_us = fake_boot_us;
    os.processes.name = fake_name;
    os.processes.has_ended = fake_has_ended;
}

static struct evs_roll *engine(const char *name)
{
    next_name = name;
    return evs_roll_new(
        &(struct evs_roll_open){.os = &os, .bucket = &bucket, .pipeline = "cart", .lease_us = LEASE_US});
}

static void call(struct evs_roll *roll, uint32_t held)
{
    struct evs_error error = {0};
    ck_assert_int_eq(evs_roll_call(roll, held, &error), EVS_OK);
}

START_TEST(test_counts)
{
    begin();
    struct evs_error error = {0};
    struct evs_roll *a = engine("host/1"), *b = engine("host/2");
    call(a, 4);
    ck_assert_uint_eq(evs_roll_engines(a), 1);
    ck_assert_uint_eq(evs_roll_least(a), UINT32_MAX);
    call(b, 0);
    ck_assert_uint_eq(evs_roll_engines(b), 2);
    ck_assert_uint_eq(evs_roll_least(b), 4);
    call(a, 4);
    ck_assert_uint_eq(evs_roll_engines(a), 2);
    ck_assert_uint_eq(evs_roll_least(a), 0);
    ck_assert_int_eq(evs_roll_leave(b, &error), EVS_OK);
    call(a, 4);
    ck_assert_uint_eq(evs_roll_engines(a), 1);
    evs_roll_free(a);
    evs_roll_free(b);
}
END_TEST

/* Silent for a lease, by the clock of who counts; at once where its end is known. */
START_TEST(test_silence)
{
    begin();
    struct evs_roll *a = engine("host/1"), *b = engine("host/2");
    call(b, 2);
    call(a, 2);
    now_us += LEASE_US - 1;
    call(a, 2);
    ck_assert_uint_eq(evs_roll_engines(a), 2);
    now_us += 1;
    call(a, 2);
    ck_assert_uint_eq(evs_roll_engines(a), 1);
    call(b, 2); /* it was only slow */
    call(a, 2);
    ck_assert_uint_eq(evs_roll_engines(a), 2);
    dead = "host/2";
    call(a, 2);
    ck_assert_uint_eq(evs_roll_engines(a), 1);
    evs_roll_free(a);
    evs_roll_free(b);
}
END_TEST

/* While the bucket cannot be reached nobody can write: the others are not taken for gone. */
START_TEST(test_outage)
{
    begin();
    struct evs_error error = {0};
    struct evs_roll *a = engine("host/1"), *b = engine("host/2");
    call(b, 2);
    call(a, 2);
    broker.is_away = true;
    now_us += 3 * LEASE_US;
    ck_assert_int_ne(evs_roll_call(a, 2, &error), EVS_OK);
    broker.is_away = false;
    call(a, 2);
    ck_assert_uint_eq(evs_roll_engines(a), 2);
    broker.takes_us = 2 * LEASE_US; /* so does a look that takes long */
    call(a, 2);
    ck_assert_uint_eq(evs_roll_engines(a), 2);
    broker.takes_us = 0;
    now_us += LEASE_US;
    call(a, 2);
    ck_assert_uint_eq(evs_roll_engines(a), 1);
    evs_roll_free(a);
    evs_roll_free(b);
}
END_TEST

/* Two that write at the same time: neither line is lost. */
START_TEST(test_meeting)
{
    begin();
    struct evs_roll *a = engine("host/1"), *b = engine("host/2"), *c = engine("host/3");
    broker.interferes = b;
    call(a, 1);
    ck_assert_uint_eq(evs_roll_engines(a), 2);
    ck_assert_uint_eq(evs_roll_least(a), 3);
    call(c, 0);
    ck_assert_uint_eq(evs_roll_engines(c), 3);
    evs_roll_free(a);
    evs_roll_free(b);
    evs_roll_free(c);
}
END_TEST

/* What is strange in the value is nobody's, and goes. */
START_TEST(test_strange)
{
    static const char text[] = "version 1\nengine\nengine x 1 host/9\nengine 1 1 \nengine 2 5 host/7\nlater line\n";
    begin();
    memcpy(broker.value, text, sizeof text - 1);
    broker.bytes = sizeof text - 1;
    struct evs_roll *a = engine("host/1");
    call(a, 1);
    ck_assert_uint_eq(evs_roll_engines(a), 2);
    ck_assert_uint_eq(evs_roll_least(a), 2);
    evs_roll_free(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roll");
    TCase *tests = tcase_create("roll");
    tcase_add_test(tests, test_counts);
    tcase_add_test(tests, test_silence);
    tcase_add_test(tests, test_outage);
    tcase_add_test(tests, test_meeting);
    tcase_add_test(tests, test_strange);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
