/* The election over a bucket in memory, on clocks of our own: who may take a lease, when, and who finds that it has lost it. */
#include "run/lease.h"

#include <sys/wait.h>
#include <unistd.h>

#include "run/lines.h"
#include "unit.h"

#define LEASE_US INT64_C(10000000)

/* One key, as a broker keeps it, with the faults of a broker. */
static struct {
    char value[1024];
    size_t bytes;
    uint64_t revision;
    bool is_away;       /* nothing is answered, nothing is done */
    bool loses_answers; /* writes are done and not answered */
    int64_t takes_us;   /* the time that a read takes */
    uint32_t writes;
} broker;
static int64_t now_us;
static const char *dead; /* the process that is known to have ended */

static evs_status fake_read(void *instance, const char *key, struct evs_buffer *value, uint64_t *revision,
                            struct evs_error *error)
{
    (void)instance;
    ck_assert_str_eq(key, "lease.cart=20=C3=A9.0");
    now_us += broker.takes_us;
    if (broker.is_away) {
        return evs_fail(error, EVS_E_UNREACHABLE, "away");
    }
    value->count = 0;
    evs_buffer_put(value, broker.value, broker.bytes);
    *revision = broker.revision;
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
    ck_assert(value.count < sizeof broker.value);
    memcpy(broker.value, value.data, value.count);
    broker.bytes = value.count;
    broker.writes++;
    broker.revision++;
    if (broker.loses_answers) {
        return evs_fail(error, EVS_E_UNREACHABLE, "cut");
    }
    *revision = broker.revision;
    return EVS_OK;
}

static const struct evs_bucket fake_bucket = {.read = fake_read, .write = fake_write};

static int64_t fake_boot_us(void *self)
{
    (void)self;
    return now_us;
}

static void fake_name(void *self, char out[EVS_PROCESS_NAME_MAX])
{
    snprintf(out, EVS_PROCESS_NAME_MAX, "%s", (const char *)self);
}

static bool fake_has_ended(void *self, const char *name)
{
    (void)self;
    return dead != NULL && strcmp(name, dead) == 0;
}

/* An engine of its own process, with the same clock. */
struct engine {
    struct evs_os os;
    struct evs_lease *lease;
    struct evs_error error;
};

static struct engine *engine_new(const char *process, int64_t lease_us)
{
    struct engine *engine = evs_alloc_zero(sizeof *engine);
    engine->os = *evs_os_system();
    engine->os.clock.boot_us = fake_boot_us;
    engine->os.processes =
        (struct evs_processes){.name = fake_name, .has_ended = fake_has_ended, .self = (void *)process};
    engine->lease = evs_lease_new(&(struct evs_lease_open){
        .os = &engine->os, .bucket = &fake_bucket, .pipeline = "cart \xC3\xA9", .group = "0", .lease_us = lease_us});
    return engine;
}

static void engine_free(struct engine *engine)
{
    evs_lease_free(engine->lease);
    evs_free(engine);
}

static evs_status try(struct engine *engine)
{
    return evs_lease_try(engine->lease, &engine->error);
}
static evs_status renew(struct engine *engine)
{
    return evs_lease_renew(engine->lease, &engine->error);
}

static void setup(void)
{
    memset(&broker, 0, sizeof broker);
    now_us = 1000000;
    dead = NULL;
}

/* Looks each second until it has won; how many seconds that took. */
static uint32_t seconds_until_won(struct engine *engine, struct engine *renewing)
{
    uint32_t seconds = 0;
    while (try(engine) == EVS_AGAIN) {
        now_us += 1000000;
        if (renewing != NULL) {
            ck_assert_int_eq(renew(renewing), EVS_OK);
        }
        if (++seconds == 100) {
            return seconds;
        }
    }
    return seconds;
}

START_TEST(test_first_start)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert(evs_lease_is_held(a->lease));
    ck_assert_int_eq(evs_lease_renewed_us(a->lease), now_us);
    ck_assert(evs_lease_is_free(b->lease)); /* nobody has looked */
    ck_assert_int_eq(try(b), EVS_AGAIN);
    ck_assert_str_eq(evs_lease_holder(b->lease), "a (process 1)");
    ck_assert(!evs_lease_is_free(b->lease));
    /* As long as it is renewed it is waited for. */
    ck_assert_uint_eq(seconds_until_won(b, a), 100);
    engine_free(a);
    engine_free(b);
}
END_TEST

/* The bucket is lost under a living engine, which gets a lease's time to write again. Who has never seen a lease does not wait: it may be the first. */
START_TEST(test_missing_lease)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    broker.revision = 0;
    broker.bytes = 0;
    ck_assert_int_eq(try(b), EVS_AGAIN);
    now_us += LEASE_US / 2;
    ck_assert_int_eq(renew(a), EVS_OK);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    now_us += LEASE_US / 2;
    ck_assert_int_eq(try(b), EVS_AGAIN);
    engine_free(a);
    broker.revision = 0;
    ck_assert_uint_eq(seconds_until_won(b, NULL), 10);
    engine_free(b);
}
END_TEST

START_TEST(test_killed_elsewhere)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert_uint_eq(seconds_until_won(b, NULL), 10);
    ck_assert_int_eq(renew(a), EVS_E_FENCED);
    ck_assert_ptr_nonnull(strstr(a->error.text, "b (process 2)"));
    ck_assert(!evs_lease_is_held(a->lease));
    engine_free(a);
    engine_free(b);
}
END_TEST

/* The longer one of two engines' leases counts: the holder believes in its own. */
START_TEST(test_lengths_differ)
{
    struct engine *a = engine_new("a/1/", 3 * LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert_uint_eq(seconds_until_won(b, NULL), 30);
    engine_free(a);
    engine_free(b);
}
END_TEST

START_TEST(test_known_death)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    dead = "a/1/";
    ck_assert_int_eq(try(b), EVS_OK);
    engine_free(a);
    engine_free(b);
}
END_TEST

START_TEST(test_release)
{
    struct evs_error error;
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    evs_lease_release(a->lease);
    ck_assert(!evs_lease_is_held(a->lease));
    ck_assert_int_eq(evs_lease_watch(b->lease, &error), EVS_AGAIN);
    ck_assert(evs_lease_is_free(b->lease));
    ck_assert_int_eq(try(b), EVS_OK);
    /* An older one's release does not touch the newer one's lease. */
    evs_lease_release(a->lease);
    ck_assert_int_eq(renew(b), EVS_OK);
    engine_free(a);
    engine_free(b);
}
END_TEST

/* While the broker is away the holder cannot renew either: who waits counts from its return. */
START_TEST(test_outage)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    broker.is_away = true;
    now_us += 2 * LEASE_US;
    ck_assert_int_eq(try(b), EVS_E_UNREACHABLE);
    ck_assert_int_eq(renew(a), EVS_E_UNREACHABLE);
    ck_assert(evs_lease_is_held(a->lease));
    broker.is_away = false;
    ck_assert_int_eq(try(b), EVS_AGAIN);
    ck_assert_int_eq(renew(a), EVS_OK);
    ck_assert_uint_eq(seconds_until_won(b, NULL), 10);
    engine_free(a);
    engine_free(b);
}
END_TEST

/* A look that hangs and is answered at last is an outage, too. */
START_TEST(test_slow_look)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    broker.takes_us = 2 * LEASE_US;
    ck_assert_int_eq(try(b), EVS_AGAIN);
    broker.takes_us = 0;
    ck_assert_uint_eq(seconds_until_won(b, NULL), 10);
    engine_free(a);
    engine_free(b);
}
END_TEST

/* The waiting one slept (a suspended machine): what it saw before says nothing about the holder's renewals meanwhile. */
START_TEST(test_sleeper)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    now_us += 3 * LEASE_US;
    ck_assert_int_eq(renew(a), EVS_OK);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    engine_free(a);
    engine_free(b);
}
END_TEST

START_TEST(test_lost_answers)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    broker.loses_answers = true;
    ck_assert_int_eq(try(a), EVS_E_UNREACHABLE);
    broker.loses_answers = false;
    ck_assert_int_eq(try(b), EVS_AGAIN);
    ck_assert_int_eq(try(a), EVS_OK); /* its own nonce is there */
    broker.loses_answers = true;
    int64_t renewed_us = evs_lease_renewed_us(a->lease);
    now_us += 1000;
    ck_assert_int_eq(renew(a), EVS_E_UNREACHABLE);
    ck_assert_int_eq(evs_lease_renewed_us(a->lease), renewed_us); /* what is not known has not happened */
    broker.loses_answers = false;
    ck_assert_int_eq(renew(a), EVS_OK);
    ck_assert_int_eq(evs_lease_renewed_us(a->lease), now_us);
    engine_free(a);
    engine_free(b);
}
END_TEST

/* A broker that has lost its tail has old revisions, which rise over the same numbers again under another engine. */
START_TEST(test_lost_tail)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_int_eq(renew(a), EVS_OK);
    }
    broker.revision = 2; /* its value is of another beat; ours all the same */
    ck_assert_int_eq(renew(a), EVS_OK);
    ck_assert_uint_eq(broker.revision, 3);
    broker.revision = 1;
    ck_assert_uint_eq(seconds_until_won(b, NULL), 10);
    ck_assert_int_eq(renew(a), EVS_E_FENCED);
    engine_free(a);
    engine_free(b);
}
END_TEST

/* A run that begins again in its process (Redis went back) need not wait for the lease of the run before, which NATS could not be told to release. */
START_TEST(test_same_process)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *again = engine_new("a/1/", LEASE_US);
    struct engine *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    ck_assert_int_eq(try(again), EVS_OK);
    ck_assert_int_eq(renew(again), EVS_OK);
    engine_free(a);
    engine_free(again);
    engine_free(b);
}
END_TEST

/* The broker goes back to when another engine, dead since, had the lease: who came after it still has it. */
START_TEST(test_lost_take_over)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    ck_assert_int_eq(try(a), EVS_OK);
    typeof(broker) before = broker;
    dead = "a/1/";
    ck_assert_int_eq(try(b), EVS_OK);
    ck_assert_int_eq(renew(b), EVS_OK);
    dead = NULL; /* it need not be known */
    broker = before;
    ck_assert_int_eq(renew(b), EVS_OK);
    ck_assert(evs_lease_is_held(b->lease));
    ck_assert_int_eq(renew(a), EVS_E_FENCED);
    engine_free(a);
    engine_free(b);
}
END_TEST

START_TEST(test_race)
{
    struct engine *a = engine_new("a/1/", LEASE_US), *b = engine_new("b/2/", LEASE_US);
    broker.revision = 1;
    broker.bytes = (size_t)snprintf(broker.value, sizeof broker.value, "state held\nholder z/9/x\n");
    ck_assert_int_eq(try(a), EVS_AGAIN);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    now_us += LEASE_US;
    ck_assert_int_eq(try(a), EVS_OK);
    ck_assert_int_eq(try(b), EVS_AGAIN);
    ck_assert_uint_eq(broker.writes, 1);
    engine_free(a);
    engine_free(b);
}
END_TEST

/* What a later version or a person has written: unknown lines are left alone, nonsense is waited for, an empty value is nobody's. */
START_TEST(test_foreign_values)
{
    struct engine *a = engine_new("a/1/", LEASE_US);
    broker.revision = 7;
    broker.bytes = (size_t)snprintf(broker.value, sizeof broker.value, "nonsense");
    ck_assert_int_eq(try(a), EVS_AGAIN);
    ck_assert_str_eq(evs_lease_holder(a->lease), "nobody that is known");
    broker.revision++;
    broker.bytes = (size_t)snprintf(broker.value, sizeof broker.value,
                                    "version 2\ncolour red\nholder z/9/x\nnonce 00000000000000ff\nlease_us 20000000\n");
    ck_assert_int_eq(try(a), EVS_AGAIN);
    ck_assert_str_eq(evs_lease_holder(a->lease), "z (process 9)");
    now_us += LEASE_US;
    ck_assert_int_eq(try(a), EVS_AGAIN);
    broker.bytes = 0;
    ck_assert_int_eq(try(a), EVS_OK);
    engine_free(a);
}
END_TEST

START_TEST(test_lines)
{
    struct evs_slice text = EVS_SLICE("a 1\nlone\n\nb x y"), name, value;
    ck_assert(evs_lines_next(&text, &name, &value));
    ck_assert(evs_slice_equal(name, EVS_SLICE("a")) && evs_slice_equal(value, EVS_SLICE("1")));
    ck_assert(evs_lines_next(&text, &name, &value));
    ck_assert(evs_slice_equal(name, EVS_SLICE("lone")) && value.count == 0);
    ck_assert(evs_lines_next(&text, &name, &value));
    ck_assert_uint_eq(name.count, 0);
    ck_assert(evs_lines_next(&text, &name, &value));
    ck_assert(evs_slice_equal(name, EVS_SLICE("b")) && evs_slice_equal(value, EVS_SLICE("x y")));
    ck_assert(!evs_lines_next(&text, &name, &value));
    uint64_t number;
    ck_assert(evs_lines_hex64(EVS_SLICE("00ff00000000000a"), &number) && number == UINT64_C(0xff00000000000a));
    ck_assert(!evs_lines_hex64(EVS_SLICE("ff"), &number));
    ck_assert(!evs_lines_hex64(EVS_SLICE("00ff00000000000G"), &number));
    ck_assert(!evs_lines_hex64(EVS_SLICE("00ff00000000000aa"), &number));
}
END_TEST

/* The real system: this process lives, one that has been collected has ended, a name of elsewhere is not judged. */
START_TEST(test_processes)
{
    const struct evs_processes *processes = &evs_os_system()->processes;
    char own[EVS_PROCESS_NAME_MAX], child_name[EVS_PROCESS_NAME_MAX] = {0};
    processes->name(processes->self, own);
    ck_assert(!processes->has_ended(processes->self, own));
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        processes->name(processes->self, child_name);
        ssize_t put = write(ends[1], child_name, sizeof child_name);
        _exit(put != (ssize_t)sizeof child_name);
    }
    ck_assert_int_eq(read(ends[0], child_name, sizeof child_name), (ssize_t)sizeof child_name);
    ck_assert_str_ne(own, child_name);
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    ck_assert(processes->has_ended(processes->self, child_name)); /* a zombie runs no more */
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert(processes->has_ended(processes->self, child_name));
    /* Another start of the same number is another process; another boot cannot be looked at. */
    char other[EVS_PROCESS_NAME_MAX + 8];
    char *start = strchr(strchr(own, '/') + 1, '/') + 1;
    snprintf(other, sizeof other, "%.*s1%s", (int)(start - own), own, start);
    ck_assert(processes->has_ended(processes->self, other));
    snprintf(other, sizeof other, "%sx", child_name);
    ck_assert(!processes->has_ended(processes->self, other));
    ck_assert(!processes->has_ended(processes->self, ""));
    ck_assert(!processes->has_ended(processes->self, "host/0/1/"));
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lease");
    TCase *election = tcase_create("election"), *system = tcase_create("system");
    tcase_add_checked_fixture(election, setup, NULL);
    tcase_add_test(election, test_first_start);
    tcase_add_test(election, test_missing_lease);
    tcase_add_test(election, test_killed_elsewhere);
    tcase_add_test(election, test_lengths_differ);
    tcase_add_test(election, test_known_death);
    tcase_add_test(election, test_release);
    tcase_add_test(election, test_outage);
    tcase_add_test(election, test_slow_look);
    tcase_add_test(election, test_sleeper);
    tcase_add_test(election, test_lost_answers);
    tcase_add_test(election, test_lost_tail);
    tcase_add_test(election, test_same_process);
    tcase_add_test(election, test_lost_take_over);
    tcase_add_test(election, test_race);
    tcase_add_test(election, test_foreign_values);
    tcase_add_test(system, test_lines);
    tcase_add_test(system, test_processes);
    suite_add_tcase(suite, election);
    suite_add_tcase(suite, system);
    return unit_run(suite);
}
