/* What checkpoints cost the rows that come meanwhile: a pipeline over a source and a sink of its own, in one process.
 *
 *   evs_bench_checkpoint [--store redis://… | --store discard] [--keys N] [--hot N] [--interval MS] [--seconds N] [--rate ROWS] [--pin]
 *
 *   source ──► count and sum of every key, in a window that stays open          (the state: --keys keys, of which rows change --hot)
 *        └──► one row of a hundred passes through ──► sink: how long since it was due
 *
 * First every key comes once, and checkpoints go on until all of it has been copied; none of this is measured. Then rows of hot keys come for --seconds:
 * as fast as they are taken, or --rate a second, each due at its own moment whether or not the engine is ready for it. Without --store
 * there are no checkpoints; `discard` encodes them and throws them away.
 *
 * Printed on one line, for programs: rows a second; processor seconds of the worker and of the whole process a million rows; microseconds
 * from due to sink of passing rows, p50 p99 p99.9 max; the same p99 and max of those that were due while a checkpoint was under way (from 100 ms
 * before its blocks were complete to its commit); and the pause: the longest processor time of the worker between two polls of its source in each second,
 * the median of the seconds, for other programs on the machine can lengthen it little. --pin gives the worker a processor of its own, and everything else the others. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "compile.h"
#include "decode_json.h"
#include "evstream/run.h"
#include "format_json.h"
#include "seeded.h"
#include "store_redis.h"

#define MESSAGE_ROWS 100u
#define ROW_BYTES_MAX 128u
#define RING_MESSAGES 4000u
#define POLL_MESSAGES 10u
#define STAMP_BASE INT64_C(1000000000000000) /* so that a stamp always has 16 digits */
#define STAMP_DIGITS 16u
#define TICK_US 500
#define SECONDS_MAX 600
#define SAMPLES_MAX (4u << 20) /* all in memory before anything is measured */
#define UNDER_WAY_US 100000
#define SETTLED_COMMITS 4u /* behind the last key: the changes, a copy of everything, and what is owed */

static const char pipeline[] =
    "pipeline bench_checkpoint;\n"
    "create source events (us timestamp unit us not null, k string not null, v int64, p bool, t int64,\n"
    "  watermark for us as us - interval 1 day) from bench ();\n"
    "create sink seen to bench ();\n"
    "create sink results to bench ();\n"
    "from events |> aggregate count(*) as n, sum(v) as total group by k, tumble(interval 30 day)\n"
    "|> insert into results;\n"
    "from events |> where p |> select t |> insert into seen;\n";

struct sample {
    int64_t due_us, took_us;
};

struct span {
    int64_t from_us, to_us;
};

enum phase { LOADING, SETTLING, MEASURING, OVER };

static struct {
    const char *store;
    uint64_t keys, hot, rate;
    int64_t interval_us, seconds;
    bool pin;

    enum phase phase; /* the worker's */
    uint64_t loaded, message;
    char *ring, *load; /* messages of ROW_BYTES_MAX * MESSAGE_ROWS */
    uint32_t *ring_bytes;
    int timer;
    int64_t begun_us, ended_us, measured_messages;
    int64_t worker_cpu_ns, process_cpu_ns, last_poll_ns;
    int64_t pauses_ns[SECONDS_MAX]; /* the longest of each second */
    struct sample *samples;
    uint32_t sample_count;
    struct span *commits; /* the checkpointer's */
    uint32_t commit_count, commit_capacity;
    _Atomic uint32_t commits_done, loaded_at;
    _Atomic bool measuring;
    void *redis;
    struct evs_run *run;
} bench = {.keys = 1000000, .hot = 100000, .interval_us = 1000000, .seconds = 8};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_us(void)
{
    return clock_ns(CLOCK_MONOTONIC) / 1000;
}

/* The first row of a message passes through, and its stamp stands at the message's end of the line. */
static uint32_t write_message(char *to, uint64_t (*key_of)(uint64_t), uint64_t first)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < MESSAGE_ROWS; i++) {
        uint64_t key = key_of(first + i);
        bytes += (uint32_t)sprintf(to + bytes, "{\"us\":%llu,\"t\":%lld,\"p\":%s,\"k\":\"user-%llu\",\"v\":%llu}\n",
                                   1700000000000000 + (unsigned long long)(first + i), (long long)STAMP_BASE,
                                   i == 0 ? "true" : "false", (unsigned long long)key, (unsigned long long)key % 1000);
    }
    return bytes;
}

static uint64_t key_itself(uint64_t number)
{
    return number;
}

static uint64_t hot_key(uint64_t number)
{
    (void)number;
    return evs_bench_random() % bench.hot * (bench.keys / bench.hot);
}

static void make_ring(void)
{
    size_t message = (size_t)ROW_BYTES_MAX * MESSAGE_ROWS;
    bench.ring = malloc(RING_MESSAGES * message + EVS_PADDING);
    bench.load = malloc(POLL_MESSAGES * message + EVS_PADDING);
    bench.samples = malloc(SAMPLES_MAX * sizeof *bench.samples);
    memset(bench.samples, 1, SAMPLES_MAX * sizeof *bench.samples);
    bench.ring_bytes = malloc(RING_MESSAGES * sizeof *bench.ring_bytes);
    for (uint32_t i = 0; i < RING_MESSAGES; i++) {
        bench.ring_bytes[i] = write_message(bench.ring + i * message, hot_key, (uint64_t)i * MESSAGE_ROWS);
    }
}

/* --- source ----------------------------------------------------------------------------------------------------------------------- */

static const struct evs_option no_options[] = {{0}};

static evs_status configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                            struct evs_error *error)
{
    (void)values, (void)arena, (void)error;
    *config = NULL;
    return EVS_OK;
}

static void pin(bool is_worker)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = is_worker ? 0 : 1; i < (is_worker ? 1 : count); i++) {
        CPU_SET((size_t)i, &set);
    }
    if (bench.pin && count > 1 && sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("sched_setaffinity");
    }
}

static evs_status source_open(const struct evs_source_open *open, void **instance, struct evs_error *error)
{
    (void)open, (void)error;
    struct itimerspec every = {{0, TICK_US * 1000}, {0, TICK_US * 1000}};
    bench.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    timerfd_settime(bench.timer, 0, &every, NULL);
    *instance = &bench;
    return EVS_OK;
}

static struct evs_message message_of(const char *bytes, uint32_t count)
{
    struct evs_message message = {.sequence = ++bench.message,
                                  .ingested_at_us = INT64_MIN,
                                  .payload = {bytes, count},
                                  .subject = EVS_SLICE("bench"),
                                  .last_of_position = true};
    message.fingerprint = evs_fingerprint(message.payload);
    return message;
}

static evs_status load_some(struct evs_message *messages, uint32_t *count)
{
    for (uint32_t i = 0; i < POLL_MESSAGES && bench.loaded < bench.keys; i++) {
        char *to = bench.load + (size_t)i * ROW_BYTES_MAX * MESSAGE_ROWS;
        messages[(*count)++] = message_of(to, write_message(to, key_itself, bench.loaded));
        bench.loaded += MESSAGE_ROWS;
    }
    if (*count == 0) {
        atomic_store(&bench.loaded_at, atomic_load(&bench.commits_done));
        bench.phase = SETTLING;
        return EVS_AGAIN;
    }
    return EVS_OK;
}

static evs_status settle(void)
{
    bool settled =
        bench.store == NULL || atomic_load(&bench.commits_done) >= atomic_load(&bench.loaded_at) + SETTLED_COMMITS;
    if (settled) {
        bench.phase = MEASURING;
        bench.begun_us = now_us();
        bench.worker_cpu_ns = bench.last_poll_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        bench.process_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        atomic_store(&bench.measuring, true);
    }
    return EVS_AGAIN;
}

static evs_status finish(void)
{
    bench.ended_us = now_us();
    bench.worker_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - bench.worker_cpu_ns;
    bench.process_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - bench.process_cpu_ns;
    atomic_store(&bench.measuring, false);
    bench.phase = OVER;
    evs_run_stop(bench.run);
    return EVS_AGAIN;
}

static void see_pause(int64_t moment_us)
{
    int64_t now_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t took_ns = now_ns - bench.last_poll_ns;
    int64_t *longest = &bench.pauses_ns[(moment_us - bench.begun_us) / 1000000 % SECONDS_MAX];
    *longest = took_ns > *longest ? took_ns : *longest;
    bench.last_poll_ns = now_ns;
}

static void give(struct evs_message *message, int64_t due_us)
{
    uint32_t at = (uint32_t)(bench.measured_messages++ % RING_MESSAGES);
    char *bytes = bench.ring + (size_t)at * ROW_BYTES_MAX * MESSAGE_ROWS;
    char stamp[STAMP_DIGITS + 1];
    snprintf(stamp, sizeof stamp, "%lld", (long long)(STAMP_BASE + due_us - bench.begun_us));
    memcpy(strstr(bytes, "\"t\":") + 4, stamp, STAMP_DIGITS);
    *message = message_of(bytes, bench.ring_bytes[at]);
}

static evs_status measure_some(struct evs_message *messages, uint32_t *count)
{
    int64_t now = now_us();
    see_pause(now);
    if (now - bench.begun_us >= bench.seconds * 1000000) {
        return finish();
    }
    while (*count < POLL_MESSAGES) {
        int64_t due_us =
            bench.rate == 0
                ? now
                : bench.begun_us + (int64_t)((uint64_t)bench.measured_messages * MESSAGE_ROWS * 1000000 / bench.rate);
        if (due_us > now) {
            break;
        }
        give(&messages[(*count)++], due_us);
    }
    return *count > 0 ? EVS_OK : EVS_AGAIN;
}

static evs_status source_poll(void *instance, struct evs_message *messages, uint32_t max, uint32_t *count,
                              struct evs_error *error)
{
    static bool is_pinned;
    uint64_t ticks;
    (void)instance, (void)error;
    EVS_ASSERT(max >= POLL_MESSAGES);
    if (!is_pinned) {
        pin(true);
        is_pinned = true;
    }
    (void)!read(bench.timer, &ticks, sizeof ticks);
    *count = 0;
    switch (bench.phase) {
    case LOADING:
        return load_some(messages, count);
    case SETTLING:
        return settle();
    case MEASURING:
        return measure_some(messages, count);
    case OVER:
        break;
    }
    return EVS_AGAIN;
}

static void source_state(void *instance, struct evs_source_state *state)
{
    (void)instance;
    *state = (struct evs_source_state){.partition_count = 1};
}

static uint32_t source_wait_fds(void *instance, struct evs_wait_fd *fds, uint32_t max)
{
    (void)instance, (void)max;
    fds[0] = (struct evs_wait_fd){.fd = bench.timer, .want_read = true};
    return 1;
}

static void source_close(void *instance)
{
    (void)instance;
    close(bench.timer);
}

static const struct evs_source source = {.kind = "bench",
                                         .durable = true,
                                         .options = no_options,
                                         .configure = configure,
                                         .open = source_open,
                                         .poll = source_poll,
                                         .state = source_state,
                                         .wait_fds = source_wait_fds,
                                         .close = source_close};

/* --- sink ------------------------------------------------------------------------------------------------------------------------- */

struct sender {
    uint64_t sent, told;
};

static evs_status sink_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    (void)open, (void)error;
    *instance = evs_alloc_zero(sizeof(struct sender));
    return EVS_OK;
}

static evs_status sink_send(void *instance, const struct evs_sink_message *message, struct evs_error *error)
{
    struct sender *sender = instance;
    (void)error;
    sender->sent = message->number;
    if (message->payload.count > 5 && memcmp(message->payload.data, "{\"t\":", 5) == 0 && bench.phase == MEASURING) {
        int64_t due_us = strtoll(message->payload.data + 5, NULL, 10) - STAMP_BASE + bench.begun_us;
        if (bench.sample_count < SAMPLES_MAX) {
            bench.samples[bench.sample_count++] = (struct sample){due_us, now_us() - due_us};
        }
    }
    return EVS_OK;
}

static evs_status sink_poll(void *instance, uint64_t *acknowledged, uint32_t max, uint32_t *count,
                            struct evs_error *error)
{
    struct sender *sender = instance;
    (void)error;
    for (*count = 0; *count < max && sender->told < sender->sent;) {
        acknowledged[(*count)++] = ++sender->told;
    }
    return EVS_OK;
}

static const struct evs_sink sink = {.kind = "bench",
                                     .shape = EVS_SINK_MESSAGES,
                                     .options = no_options,
                                     .configure = configure,
                                     .open = sink_open,
                                     .send = sink_send,
                                     .poll = sink_poll,
                                     .close = evs_free};

/* --- store: Redis, watched; or one that forgets -------------------------------------------------------------------------------------- */

static evs_status watched_commit(void *instance, const struct evs_store_commit *commit, struct evs_error *error)
{
    int64_t from_us = now_us();
    evs_status status = bench.store[0] == 'd' ? EVS_OK : evs_store_redis.commit(instance, commit, error);
    if (atomic_load(&bench.measuring)) {
        EVS_GROW(bench.commits, bench.commit_count, bench.commit_capacity);
        bench.commits[bench.commit_count++] = (struct span){from_us, now_us()};
    }
    atomic_fetch_add(&bench.commits_done, 1);
    return status;
}

static evs_status discard_open(const struct evs_store_open *open, void **instance, struct evs_error *error)
{
    (void)open, (void)error;
    *instance = &bench;
    return EVS_OK;
}

static evs_status discard_acquire(void *instance, struct evs_store_terms *terms, struct evs_error *error)
{
    (void)instance, (void)error;
    *terms = (struct evs_store_terms){.epoch = 1, .nonce = 1, .durability = "none"};
    return EVS_OK;
}

static evs_status discard_confirm(void *instance, struct evs_error *error)
{
    (void)instance, (void)error;
    return EVS_OK;
}

static void discard_close(void *instance)
{
    (void)instance;
}

static const struct evs_store *the_store(void)
{
    static struct evs_store store;
    if (bench.store == NULL) {
        return NULL;
    }
    store = bench.store[0] == 'd' ? (struct evs_store){.kind = "discard",
                                                       .open = discard_open,
                                                       .peek = discard_acquire,
                                                       .acquire = discard_acquire,
                                                       .confirm = discard_confirm,
                                                       .close = discard_close}
                                  : evs_store_redis;
    store.commit = watched_commit;
    return &store;
}

/* --- a run ------------------------------------------------------------------------------------------------------------------------ */

static const struct evs_source *const sources[] = {&source, NULL};
static const struct evs_sink *const sinks[] = {&sink, NULL};
static const struct evs_decode_format *const decode_formats[] = {&evs_decode_json, NULL};
static const struct evs_format *const formats[] = {&evs_format_json, NULL};
static const struct evs_registry registry = {.sources = sources,
                                             .sinks = sinks,
                                             .decode_formats = decode_formats,
                                             .formats = formats,
                                             .print_connector = "bench",
                                             .print_argument = ""};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "evs_bench_checkpoint: %s: %s\n", what, why);
    exit(1);
}

static const struct evs_plan *compile(void)
{
    char path[] = "/tmp/evs-bench-XXXXXX.evs";
    int fd = mkstemps(path, 4);
    if (fd < 0 || write(fd, pipeline, sizeof pipeline - 1) != (ssize_t)sizeof pipeline - 1 || close(fd) != 0) {
        die(path, "cannot be written");
    }
    struct evs_sources *texts = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    struct evs_compile_options options = {.file = path, .texts = texts, .registry = &registry};
    const struct evs_plan *plan = NULL;
    struct evs_error error = {0};
    if (evs_compile(&options, diagnostics, &plan, &error) != EVS_OK) {
        evs_diagnostics_print(diagnostics, stderr);
        die("the pipeline", error.text);
    }
    remove(path);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return plan;
}

static int by_took(const void *a, const void *b)
{
    int64_t left = ((const struct sample *)a)->took_us, right = ((const struct sample *)b)->took_us;
    return (left > right) - (left < right);
}

static int64_t at_part(const struct sample *samples, uint32_t count, double part)
{
    return count == 0 ? 0 : samples[(uint32_t)((double)(count - 1) * part)].took_us;
}

/* Moves the samples that were due while a checkpoint was under way to the front; how many they are. */
static uint32_t split(void)
{
    uint32_t during = 0;
    for (uint32_t i = 0; i < bench.sample_count; i++) {
        bool is_in = false;
        for (uint32_t c = 0; c < bench.commit_count && !is_in; c++) {
            const struct span *commit = &bench.commits[c];
            is_in =
                bench.samples[i].due_us >= commit->from_us - UNDER_WAY_US && bench.samples[i].due_us <= commit->to_us;
        }
        if (is_in) {
            struct sample kept = bench.samples[during];
            bench.samples[during++] = bench.samples[i];
            bench.samples[i] = kept;
        }
    }
    return during;
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int64_t median_pause_us(void)
{
    qsort(bench.pauses_ns, (size_t)bench.seconds, sizeof *bench.pauses_ns, by_value);
    return bench.pauses_ns[bench.seconds / 2] / 1000;
}

static void print_figures(void)
{
    double rows = (double)bench.measured_messages * MESSAGE_ROWS;
    uint32_t during = split(), count = bench.sample_count;
    qsort(bench.samples, during, sizeof *bench.samples, by_took);
    long long during_p99 = at_part(bench.samples, during, 0.99), during_max = at_part(bench.samples, during, 1);
    qsort(bench.samples, count, sizeof *bench.samples, by_took);
    printf(
        "rows_s %.0f worker_cpu %.4f process_cpu %.4f p50 %lld p99 %lld p999 %lld max %lld during_p99 %lld during_max "
        "%lld pause %lld checkpoints %u\n",
        rows / (double)(bench.ended_us - bench.begun_us) * 1e6, (double)bench.worker_cpu_ns / rows / 1e3,
        (double)bench.process_cpu_ns / rows / 1e3, (long long)at_part(bench.samples, count, 0.5),
        (long long)at_part(bench.samples, count, 0.99), (long long)at_part(bench.samples, count, 0.999),
        (long long)at_part(bench.samples, count, 1), during_p99, during_max, (long long)median_pause_us(),
        bench.commit_count);
}

static void run(void)
{
    const struct evs_plan *plan = compile();
    struct evs_log *log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    struct evs_run_options options = {
        .os = evs_os_system(),
        .log = log,
        .worker_count = 1,
        .batch_rows = EVS_BATCH_ROWS,
        .checkpoint_interval_us = bench.interval_us,
        .store = the_store(),
        .redis_url = bench.store,
        .retry_us = 1000000,
        .row_format = formats[0],
        .outbox_bytes_max = 1 << 20,
    };
    struct evs_run_summary summary;
    struct evs_error error = {0};
    if (evs_run_start(plan, &options, &bench.run, &error) != EVS_OK ||
        evs_run_wait(bench.run, &summary, &error) != EVS_OK) {
        die("the run", error.text);
    }
    evs_run_free(bench.run);
    evs_log_free(log);
    evs_plan_free(plan);
}

int main(int count, char **arguments)
{
    evs_bench_seed(42);
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i];
        if (strcmp(name, "--pin") == 0) {
            bench.pin = true;
            continue;
        }
        if (++i == count) {
            die(name, "needs a value");
        }
        long long number = atoll(arguments[i]);
        if (strcmp(name, "--store") == 0) {
            bench.store = arguments[i];
        } else if (strcmp(name, "--keys") == 0) {
            bench.keys = (uint64_t)number;
        } else if (strcmp(name, "--hot") == 0) {
            bench.hot = (uint64_t)number;
        } else if (strcmp(name, "--interval") == 0) {
            bench.interval_us = number * 1000;
        } else if (strcmp(name, "--seconds") == 0) {
            bench.seconds = number;
        } else if (strcmp(name, "--rate") == 0) {
            bench.rate = (uint64_t)number;
        } else {
            die(name, "there is no such option");
        }
    }
    if (bench.seconds < 1 || bench.seconds > SECONDS_MAX || bench.keys == 0 || bench.hot == 0 ||
        bench.hot > bench.keys) {
        die("the options", "1 to 600 seconds, and keys of which some are hot");
    }
    pin(false);
    make_ring();
    run();
    print_figures();
    free(bench.ring);
    free(bench.load);
    free(bench.ring_bytes);
    free(bench.samples);
    evs_free(bench.commits);
    return 0;
}
