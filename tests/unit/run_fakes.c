#include "run_fakes.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "decode_json.h"
#include "format_json.h"

struct fake_world *fake_world;
static pthread_mutex_t world_lock = PTHREAD_MUTEX_INITIALIZER;

struct fake_commit {
    uint64_t checkpoint;
    uint64_t state_from;
    bool outbox_restart;
    struct evs_slice *blocks, *outbox;
    uint32_t block_count, outbox_count;
    struct evs_slice record;
};

struct fake_world *fake_world_new(uint32_t partition_count)
{
    fake_world = evs_alloc_zero(sizeof *fake_world);
    fake_world->topics[0].partition_count = partition_count;
    fake_world->topics[1].partition_count = 1;
    return fake_world;
}

static struct evs_slice *copies_of(const struct evs_slice *slices, uint32_t count)
{
    struct evs_slice *copies = evs_alloc_zero((count + 1u) * sizeof *copies);
    for (uint32_t i = 0; i < count; i++) {
        char *bytes = evs_alloc(slices[i].count + 1);
        memcpy(bytes, slices[i].data, slices[i].count);
        copies[i] = (struct evs_slice){bytes, slices[i].count};
    }
    return copies;
}

static void free_copies(struct evs_slice *copies, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_free((char *)copies[i].data);
    }
    evs_free(copies);
}

static void topic_fini(struct fake_topic *topic)
{
    for (uint32_t i = 0; i < topic->partition_count; i++) {
        for (uint32_t j = 0; j < topic->partitions[i].count; j++) {
            evs_free(topic->partitions[i].messages[j]);
        }
        evs_free(topic->partitions[i].messages);
    }
}

void fake_lose_commits(struct fake_world *world)
{
    for (uint32_t i = 0; i < world->commit_count; i++) {
        struct fake_commit *commit = &world->commits[i];
        free_copies(commit->blocks, commit->block_count);
        free_copies(commit->outbox, commit->outbox_count);
        evs_free((char *)commit->record.data);
    }
    world->commit_count = 0;
}

void fake_spoil_state(struct fake_world *world)
{
    uint32_t i = world->commit_count;
    while (i > 0 && world->commits[i - 1].block_count == 0) {
        i--;
    }
    ck_assert_uint_gt(i, 0);
    struct evs_slice *block = &world->commits[i - 1].blocks[0];
    memset((char *)block->data, 0xff, block->count);
}

void fake_world_free(struct fake_world *world)
{
    topic_fini(&world->topics[0]);
    topic_fini(&world->topics[1]);
    for (uint32_t i = 0; i < world->row_count; i++) {
        evs_free(world->rows[i].address);
        evs_free(world->rows[i].payload);
    }
    evs_free(world->rows);
    fake_lose_commits(world);
    evs_free(world->commits);
    evs_free(world);
    fake_world = NULL;
}

static void publish(struct fake_topic *topic, uint32_t partition, const char *payload)
{
    struct fake_log *log = &topic->partitions[partition];
    size_t count = strlen(payload);
    char *padded = evs_alloc_zero(count + 1 + EVS_PADDING);
    memcpy(padded, payload, count);
    pthread_mutex_lock(&world_lock);
    EVS_GROW(log->messages, log->count, log->capacity);
    log->messages[log->count++] = padded;
    pthread_mutex_unlock(&world_lock);
}

void fake_publish(struct fake_world *world, uint32_t partition, const char *payload)
{
    publish(&world->topics[0], partition, payload);
}

void fake_replace_last(struct fake_world *world, uint32_t partition, const char *payload)
{
    struct fake_log *log = &world->topics[0].partitions[partition];
    ck_assert_uint_gt(log->count, 0);
    evs_free(log->messages[--log->count]);
    publish(&world->topics[0], partition, payload);
}

void fake_senders(struct fake_world *world, int64_t complete_us)
{
    pthread_mutex_lock(&world_lock);
    world->topics[0].complete_us = complete_us;
    pthread_mutex_unlock(&world_lock);
}

void fake_publish_other(struct fake_world *world, uint32_t partition, const char *payload)
{
    publish(&world->topics[1], partition, payload);
}

static bool strikes(uint32_t *countdown)
{
    return *countdown > 0 && --*countdown == 0;
}

/* --- source --------------------------------------------------------------------------------------------------------------- */

struct fake_reader {
    struct fake_topic *topic;
    uint32_t worker, worker_count;
    uint64_t next[FAKE_PARTITIONS_MAX];
};

static const struct evs_option no_options[] = {{0}};

static evs_status configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                            struct evs_error *error)
{
    (void)values, (void)arena, (void)error;
    *config = NULL;
    return EVS_OK;
}

static evs_status configure_other(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                                  struct evs_error *error)
{
    (void)values, (void)arena, (void)error;
    *config = "other";
    return EVS_OK;
}

static evs_status source_open(const struct evs_source_open *open, void **instance, struct evs_error *error)
{
    if (strikes(&fake_world->fail_open)) {
        return evs_fail(error, EVS_E_REFUSED, "the fake broker refuses");
    }
    struct fake_reader *reader = evs_alloc_zero(sizeof *reader);
    reader->topic = &fake_world->topics[open->config == NULL ? 0 : 1];
    reader->worker = open->worker;
    reader->worker_count = open->worker_count;
    for (uint32_t i = 0; i < open->position_count; i++) {
        const struct evs_position *position = &open->positions[i];
        if (position->sequence > reader->next[position->partition]) {
            reader->next[position->partition] = position->sequence;
        }
    }
    *instance = reader;
    return EVS_OK;
}

static struct evs_message message_at(const struct fake_topic *topic, uint32_t partition, uint64_t index)
{
    const char *text = topic->partitions[partition].messages[index];
    struct evs_message message = {
        .partition = partition, .sequence = index + 1, .ingested_at_us = INT64_MIN, .last_of_position = true};
    message.payload = evs_slice_of(text);
    message.subject = EVS_SLICE("fake");
    message.fingerprint = evs_fingerprint(message.payload);
    return message;
}

/* Up to two messages of each partition; false when nothing is left behind them. */
static bool read_some(struct fake_reader *reader, struct evs_message *messages, uint32_t max, uint32_t *count)
{
    const struct fake_topic *topic = reader->topic;
    bool more = false;
    for (uint32_t p = reader->worker; p < topic->partition_count; p += reader->worker_count) {
        for (uint32_t i = 0; i < 2 && *count < max && reader->next[p] < topic->partitions[p].count; i++) {
            messages[(*count)++] = message_at(topic, p, reader->next[p]++);
        }
        more |= reader->next[p] < topic->partitions[p].count;
    }
    return more;
}

static evs_status source_poll(void *instance, struct evs_message *messages, uint32_t max, uint32_t *count,
                              struct evs_error *error)
{
    struct fake_reader *reader = instance;
    *count = 0;
    pthread_mutex_lock(&world_lock);
    bool broken = strikes(&fake_world->fail_polls);
    bool more = !broken && read_some(reader, messages, max, count);
    bool live = reader->topic->live;
    pthread_mutex_unlock(&world_lock);
    if (broken) {
        return evs_fail(error, EVS_E_UNREACHABLE, "the fake broker broke");
    }
    return *count > 0 || more ? EVS_OK : live ? EVS_AGAIN : EVS_END;
}

static void source_state(void *instance, struct evs_source_state *state)
{
    const struct fake_reader *reader = instance;
    *state = (struct evs_source_state){.partition_count = reader->topic->partition_count, .caught_up = true};
    pthread_mutex_lock(&world_lock);
    state->complete_us = reader->topic->complete_us;
    state->caught_up = !atomic_load(&reader->topic->is_away);
    for (uint32_t p = reader->worker; p < reader->topic->partition_count; p += reader->worker_count) {
        state->caught_up &= reader->next[p] == reader->topic->partitions[p].count;
    }
    pthread_mutex_unlock(&world_lock);
}

#define FAKE_SOURCE(name, configure_name)                                                                              \
    {                                                                                                                  \
        .kind = name, .durable = true, .options = no_options, .configure = configure_name, .open = source_open,        \
        .poll = source_poll, .state = source_state, .close = evs_free, .bucket = &fake_bucket                          \
    }
const struct evs_source fake_source = FAKE_SOURCE("fake", configure);
const struct evs_source fake_other_source = FAKE_SOURCE("fake_other", configure_other);

/* --- sink -------------------------------------------------------------------------------------------------------------------- */

struct fake_sender {
    uint64_t *waiting; /* numbers to acknowledge */
    uint32_t waiting_count, waiting_capacity;
    uint64_t *refused;
    uint32_t refused_count, refused_capacity;
    uint32_t polls;
    uint32_t lane;
};

static const struct evs_option sink_options[] = {
    {.name = "address", .kind = EVS_OPTION_TEMPLATE, .required = true, .help = "where it goes"},
    {0},
};

static evs_status sink_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    if (strikes(&fake_world->fail_open)) {
        return evs_fail(error, EVS_E_REFUSED, "the fake receiver refuses");
    }
    struct fake_sender *sender = evs_alloc_zero(sizeof *sender);
    sender->lane = open->lane;
    *instance = sender;
    return EVS_OK;
}

static void receive(const struct evs_sink_message *message)
{
    struct fake_world *world = fake_world;
    for (uint32_t i = 0; i < world->row_count; i++) {
        struct fake_row *row = &world->rows[i];
        if (row->id.low == message->id.low && row->id.high == message->id.high) {
            row->received++;
            world->mismatches += strlen(row->payload) != message->payload.count ||
                                 memcmp(row->payload, message->payload.data, message->payload.count) != 0;
            return;
        }
    }
    EVS_GROW(world->rows, world->row_count, world->row_capacity);
    world->rows[world->row_count++] =
        (struct fake_row){.id = message->id,
                          .address = evs_strndup(message->address.data, message->address.count),
                          .payload = evs_strndup(message->payload.data, message->payload.count),
                          .received = 1};
}

static bool is_refused(const struct evs_sink_message *message)
{
    size_t count = fake_world->refuse == NULL ? SIZE_MAX : strlen(fake_world->refuse);
    return message->payload.count >= count && memcmp(message->payload.data, fake_world->refuse, count) == 0;
}

static evs_status sink_refused(void *instance, struct evs_sink_refusal *refusal)
{
    struct fake_sender *sender = instance;
    if (sender->refused_count == 0) {
        return EVS_AGAIN;
    }
    *refusal = (struct evs_sink_refusal){.number = sender->refused[--sender->refused_count],
                                         .reason = "refused",
                                         .code = "R0000",
                                         .answer = EVS_SLICE("not wanted")};
    return EVS_OK;
}

static evs_status sink_send(void *instance, const struct evs_sink_message *message, struct evs_error *error)
{
    struct fake_sender *sender = instance;
    (void)error;
    if (sender->waiting_count == 100) {
        return EVS_AGAIN;
    }
    if (is_refused(message)) {
        EVS_GROW(sender->refused, sender->refused_count, sender->refused_capacity);
        sender->refused[sender->refused_count++] = message->number;
        return EVS_OK;
    }
    pthread_mutex_lock(&world_lock);
    receive(message);
    pthread_mutex_unlock(&world_lock);
    EVS_GROW(sender->waiting, sender->waiting_count, sender->waiting_capacity);
    sender->waiting[sender->waiting_count++] = message->number;
    return EVS_OK;
}

/* While a run is ending, the first lane is through long before the second one; but what it sends again, behind a cut, is through long behind it. */
static bool is_held_back(const struct fake_sender *sender)
{
    if (!atomic_load(&fake_world->is_ending)) {
        return sender->lane == 1 && atomic_load(&fake_world->holds_second);
    }
    uint32_t polls = atomic_fetch_add(&fake_world->polls_of_first, sender->lane == 0);
    return (sender->lane == 1 && polls < FAKE_POLLS_AT_END) ||
           (sender->lane == 0 && atomic_load(&fake_world->has_lost) && polls < 2 * FAKE_POLLS_AT_END);
}

/* Acknowledges newest first: a cursor must not trust the order. */
static evs_status sink_poll(void *instance, uint64_t *acknowledged, uint32_t max, uint32_t *count,
                            struct evs_error *error)
{
    struct fake_sender *sender = instance;
    (void)error;
    *count = 0;
    sender->polls++;
    if (fake_world->acknowledge_every > 1 && sender->polls % fake_world->acknowledge_every != 0) {
        return EVS_OK;
    }
    if (fake_world->deaf_polls > 0 && sender->polls > fake_world->deaf_polls) {
        return EVS_OK;
    }
    if (is_held_back(sender)) {
        return EVS_OK;
    }
    while (*count < max && sender->waiting_count > 0) {
        acknowledged[(*count)++] = sender->waiting[--sender->waiting_count];
    }
    return EVS_OK;
}

static void sink_close(void *instance)
{
    struct fake_sender *sender = instance;
    evs_free(sender->waiting);
    evs_free(sender->refused);
    evs_free(sender);
}

#define FAKE_SINK(name, exact)                                                                                         \
    {                                                                                                                  \
        .kind = name, .shape = EVS_SINK_MESSAGES, .single = exact, .always_exact = exact, .options = sink_options,     \
        .address_option = "address", .configure = configure, .open = sink_open, .send = sink_send, .poll = sink_poll,  \
        .refused = sink_refused, .close = sink_close                                                                   \
    }
const struct evs_sink fake_sink = FAKE_SINK("fake", false);
const struct evs_sink fake_exact_sink = FAKE_SINK("fake_exact", true);

/* A receiver with a log that may be cut: it tells where each row lies, and is told what was kept. */
static evs_status log_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    fake_world->kept_told = open->kept_count > fake_world->kept_told ? open->kept_count : fake_world->kept_told;
    if (open->replay == EVS_REPLAY_CUT || (open->replay != EVS_REPLAY_NOTHING && fake_world->is_cut)) {
        *open->holds = 0;
    }
    return sink_open(open, instance, error);
}

static void log_keeps(const void *config, int64_t *keep_us, uint64_t *bytes_max)
{
    (void)config;
    *keep_us = INT64_C(3600000000);
    *bytes_max = 1 << 20;
}

static uint64_t log_placed(const void *instance, uint32_t i)
{
    (void)instance, (void)i;
    pthread_mutex_lock(&world_lock);
    uint64_t place = ++fake_world->log_end;
    pthread_mutex_unlock(&world_lock);
    return place;
}

static void log_receipt(void *instance, struct evs_sink_receipt *receipt)
{
    (void)instance;
    pthread_mutex_lock(&world_lock);
    *receipt = (struct evs_sink_receipt){.is_known = true, .sequence = fake_world->log_end};
    pthread_mutex_unlock(&world_lock);
}

static bool log_has_lost(const void *instance)
{
    const struct fake_sender *sender = instance;
    bool is_due = sender->lane == 0 && atomic_load(&fake_world->polls_of_first) >= fake_world->lose_after;
    return is_due && atomic_load(&fake_world->is_ending) && !atomic_exchange(&fake_world->has_lost, true);
}

const struct evs_sink fake_log_sink = {
    .kind = "fake_log",
    .shape = EVS_SINK_MESSAGES,
    .always_exact = true,
    .options = sink_options,
    .address_option = "address",
    .configure = configure,
    .open = log_open,
    .send = sink_send,
    .poll = sink_poll,
    .close = sink_close,
    .keeps = log_keeps,
    .placed = log_placed,
    .receipt = log_receipt,
    .has_lost = log_has_lost,
};

/* --- store ----------------------------------------------------------------------------------------------------------------------- */

static evs_status store_open(const struct evs_store_open *open, void **instance, struct evs_error *error)
{
    (void)open, (void)error;
    *instance = fake_world;
    return EVS_OK;
}

struct evs_slice fake_last_record(void)
{
    ck_assert_uint_gt(fake_world->commit_count, 0);
    return fake_world->commits[fake_world->commit_count - 1].record;
}

static evs_status store_peek(void *instance, struct evs_store_terms *terms, struct evs_error *error)
{
    struct fake_world *world = instance;
    (void)error;
    *terms = (struct evs_store_terms){0};
    if (world->commit_count > 0) {
        const struct fake_commit *last = &world->commits[world->commit_count - 1];
        terms->has_commit = true;
        terms->checkpoint = last->checkpoint;
        terms->record = last->record;
    }
    return EVS_OK;
}

static evs_status store_acquire(void *instance, struct evs_store_terms *terms, struct evs_error *error)
{
    struct fake_world *world = instance;
    evs_status status = store_peek(instance, terms, error);
    terms->epoch = terms->nonce = ++world->epoch;
    terms->durability = "fake";
    terms->confirm_delay_us = world->confirm_delay_us;
    return status;
}

typedef evs_status take_block(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                              struct evs_error *error);

static evs_status tell_block(struct fake_world *world, take_block *take, void *argument, enum evs_block_kind kind,
                             uint64_t checkpoint, struct evs_slice block, struct evs_error *error)
{
    evs_status status = take(argument, kind, checkpoint, block, error);
    if (world->at_block != NULL) {
        world->at_block(world, block.count);
    }
    return status;
}

static evs_status store_restore(void *instance,
                                evs_status (*take)(void *argument, enum evs_block_kind kind, uint64_t checkpoint,
                                                   struct evs_slice block, struct evs_error *error),
                                void *argument, struct evs_error *error)
{
    struct fake_world *world = instance;
    uint32_t state_from = 0, outbox_from = 0;
    for (uint32_t i = 0; i < world->commit_count; i++) {
        bool is_last = i + 1 == world->commit_count;
        while (is_last && world->commits[state_from].checkpoint < world->commits[i].state_from) {
            state_from++;
        }
        outbox_from = world->commits[i].outbox_restart ? i : outbox_from;
    }
    evs_status status = EVS_OK;
    for (uint32_t i = state_from; i < world->commit_count; i++) {
        for (uint32_t j = 0; status == EVS_OK && j < world->commits[i].block_count; j++) {
            status = tell_block(world, take, argument, EVS_BLOCK_STATE, world->commits[i].checkpoint,
                                world->commits[i].blocks[j], error);
        }
    }
    for (uint32_t i = outbox_from; i < world->commit_count; i++) {
        for (uint32_t j = 0; status == EVS_OK && j < world->commits[i].outbox_count; j++) {
            status = tell_block(world, take, argument, EVS_BLOCK_OUTBOX, world->commits[i].checkpoint,
                                world->commits[i].outbox[j], error);
        }
    }
    return status;
}

static void keep_commit(struct fake_world *world, const struct evs_store_commit *commit)
{
    EVS_ASSERT(world->commit_count == 0 ||
               commit->checkpoint == world->commits[world->commit_count - 1].checkpoint + 1);
    for (uint32_t i = 0; i < commit->block_count + commit->outbox_count; i++) {
        const struct evs_slice *block =
            i < commit->block_count ? &commit->blocks[i] : &commit->outbox[i - commit->block_count];
        EVS_ASSERT(block->count <= EVS_BLOCK_BYTES);
    }
    EVS_ASSERT(commit->state_from <= commit->checkpoint);
    if (world->commit_count > 0) {
        uint64_t before = world->commits[world->commit_count - 1].state_from;
        EVS_ASSERT(commit->state_from >= before);
        world->state_moves += commit->state_from > before;
    }
    EVS_GROW(world->commits, world->commit_count, world->commit_capacity);
    world->commits[world->commit_count++] = (struct fake_commit){
        .checkpoint = commit->checkpoint,
        .state_from = commit->state_from,
        .outbox_restart = commit->outbox_restart,
        .blocks = copies_of(commit->blocks, commit->block_count),
        .block_count = commit->block_count,
        .outbox = copies_of(commit->outbox, commit->outbox_count),
        .outbox_count = commit->outbox_count,
        .record = {memcpy(evs_alloc(commit->record.count + 1), commit->record.data, commit->record.count),
                   commit->record.count},
    };
}

/* What should wait for the answer of the store, and does not, goes out meanwhile. */
static void linger(const struct fake_world *world)
{
    const struct evs_clock *clock = &evs_os_system()->clock;
    if (world->linger_us > 0) {
        clock->sleep_us(clock->self, world->linger_us);
    }
}

static evs_status store_commit(void *instance, const struct evs_store_commit *commit, struct evs_error *error)
{
    struct fake_world *world = instance;
    if (strikes(&world->fail_commit_before)) {
        linger(world);
        return evs_fail(error, EVS_E_UNREACHABLE, "the fake store broke before the commit");
    }
    pthread_mutex_lock(&world_lock);
    keep_commit(world, commit);
    if (strikes(&world->fence_commit)) {
        world->fenced = true;
        atomic_store(&world->asleep_us, INT64_C(3600) * 1000 * 1000);
    }
    pthread_mutex_unlock(&world_lock);
    if (strikes(&world->fail_commit_after)) {
        return evs_fail(error, EVS_E_UNREACHABLE, "the fake store broke after the commit");
    }
    return EVS_OK;
}

static evs_status store_confirm(void *instance, struct evs_error *error)
{
    struct fake_world *world = instance;
    pthread_mutex_lock(&world_lock);
    bool fenced = world->fenced;
    pthread_mutex_unlock(&world_lock);
    if (fenced) {
        linger(world);
    }
    return fenced ? evs_fail(error, EVS_E_FENCED, "another engine owns the fake group") : EVS_OK;
}

static void store_close(void *instance)
{
    (void)instance;
}

const struct evs_store fake_store = {
    .kind = "fake",
    .open = store_open,
    .peek = store_peek,
    .acquire = store_acquire,
    .restore = store_restore,
    .commit = store_commit,
    .confirm = store_confirm,
    .close = store_close,
};

static const struct evs_source *const sources[] = {&fake_source, &fake_other_source, NULL};
static const struct evs_sink *const sinks[] = {&fake_sink, &fake_exact_sink, &fake_log_sink, NULL};
static const struct evs_decode_format *const decode_formats[] = {&evs_decode_json, NULL};
static const struct evs_format *const formats[] = {&evs_format_json, NULL};
const struct evs_registry fake_registry = {.sources = sources,
                                           .sinks = sinks,
                                           .decode_formats = decode_formats,
                                           .formats = formats,
                                           .print_connector = "fake",
                                           .print_argument = ""};

/* --- runs ------------------------------------------------------------------------------------------------------------------------ */

const struct evs_plan *fake_compile(const char *text)
{
    char path[] = "/tmp/evs-test-run-XXXXXX.evs";
    int fd = mkstemps(path, 4);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    struct evs_sources *texts = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    struct evs_compile_options options = {.file = path, .texts = texts, .registry = &fake_registry};
    const struct evs_plan *plan = NULL;
    struct evs_error error = {0};
    evs_status status = evs_compile(&options, diagnostics, &plan, &error);
    if (status != EVS_OK) {
        evs_diagnostics_print(diagnostics, stderr);
    }
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    remove(path);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return plan;
}

static struct evs_log *run_log; /* of the run that is under way: one at a time */

evs_status fake_try_start(const struct evs_plan *plan, struct fake_how how, struct evs_run **run,
                          struct evs_error *error)
{
    run_log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    struct evs_run_options options = {
        .os = fake_os(fake_world),
        .log = run_log,
        .worker_count = how.workers,
        .batch_rows = how.batch_rows,
        .checkpoint_interval_us = how.interval_us == 0 ? 50000 : how.interval_us,
        .store = how.in_memory ? NULL : &fake_store,
        .until_end = !how.follow,
        .at_end_stop = how.at_end_stop,
        .at_end_cut = how.at_end_cut,
        .allow_drop = how.allow_drop,
        .retry_us = 1000000,
        .row_format = fake_registry.formats[0],
        .outbox_bytes_max = 1 << 20,
        .checkpoint_batches = how.checkpoint_batches,
        .full_bytes_min = how.full_bytes_min,
        .notes = how.notes,
        .restore_progress = how.restore_progress,
        .lease_us = how.lease_us,
        .bucket = "fake",
    };
    evs_status status = evs_run_start(plan, &options, run, error);
    if (status != EVS_OK) {
        evs_log_free(run_log);
    }
    return status;
}

struct evs_run *fake_start(const struct evs_plan *plan, struct fake_how how)
{
    struct evs_run *run = NULL;
    struct evs_error error = {0};
    evs_status status = fake_try_start(plan, how, &run, &error);
    ck_assert_msg(status == EVS_OK, "%s: %s", evs_status_name(status), error.text);
    return run;
}

evs_status fake_end(struct evs_run *run, struct evs_run_summary *summary)
{
    struct evs_error error = {0};
    evs_status status = evs_run_wait(run, summary, &error);
    evs_run_free(run);
    evs_log_free(run_log);
    ck_assert_msg(status == EVS_OK || status == EVS_E_UNREACHABLE || status == EVS_E_FENCED, "%s: %s",
                  evs_status_name(status), error.text);
    return status;
}

evs_status fake_run(const struct evs_plan *plan, struct fake_how how, struct evs_run_summary *summary)
{
    struct evs_run *run = NULL;
    struct evs_error error = {0};
    evs_status status = fake_try_start(plan, how, &run, &error);
    if (status == EVS_E_FINISHED) {
        return status;
    }
    ck_assert_msg(status == EVS_OK, "%s: %s", evs_status_name(status), error.text);
    return fake_end(run, summary);
}

/* --- what came -------------------------------------------------------------------------------------------------------------------- */

uint32_t fake_rows_at(const char *address)
{
    uint32_t count = 0;
    pthread_mutex_lock(&world_lock);
    for (uint32_t i = 0; i < fake_world->row_count; i++) {
        count += strncmp(fake_world->rows[i].address, address, strlen(address)) == 0;
    }
    pthread_mutex_unlock(&world_lock);
    return count;
}

uint32_t fake_rows_like(const char *payload)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake_world->row_count; i++) {
        count += strcmp(fake_world->rows[i].payload, payload) == 0;
    }
    return count;
}

#define TICK_US 1000
#define TICKS_MAX 30000

bool fake_wait_rows(const char *address, uint32_t count)
{
    for (uint32_t i = 0; i < TICKS_MAX && fake_rows_at(address) < count; i++) {
        usleep(TICK_US);
    }
    return fake_rows_at(address) >= count;
}

bool fake_wait_commits(uint32_t count)
{
    for (uint32_t i = 0; i < TICKS_MAX; i++) {
        pthread_mutex_lock(&world_lock);
        bool there = fake_world->commit_count >= count;
        pthread_mutex_unlock(&world_lock);
        if (there) {
            return true;
        }
        usleep(TICK_US);
    }
    return false;
}
