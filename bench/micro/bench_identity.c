/* Nanoseconds a row and bytes an id of resolve identity: `bench_identity [FILTER]` prints a line for each whose name holds FILTER. A million rows in batches of 1024,
 * a millisecond apart, with a watermark five seconds behind; of one worker, and processor time. Anonymous ids have 36 characters, users' 9. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "micro_op.h"
#include "op_identity.h"

#define ROWS 1000000u
#define SECOND_US INT64_C(1000000)

static const char *filter;

enum { KEY, ANONYMOUS, USER, COLUMNS, PERSON = COLUMNS, KNOWN, OUT_COLUMNS };

/* What the rows of a case are like. */
struct traffic {
    const char *name;
    uint32_t devices;
    bool has_device, has_user; /* of the rows that are measured */
    bool begins_tied;          /* each device has a link first, which is not measured */
    bool has_aliases;          /* each row tells another id of a person */
    int64_t within_us;
};

static const struct evs_field *fields_of(void)
{
    static struct evs_field fields[OUT_COLUMNS];
    for (uint32_t i = 0; i < OUT_COLUMNS; i++) {
        fields[i] = (struct evs_field){
            .name = "column", .type = evs_type_of(i == KNOWN ? EVS_BOOL : EVS_STRING), .nullable = true};
    }
    return fields;
}

/* Not inlined: the compiler would warn of the branch for short texts, which these never take. */
static __attribute__((noinline)) struct evs_str keep_text(struct evs_arena *arena, const char *text, uint32_t count)
{
    return evs_str_make(evs_arena_copy(arena, text, count), count);
}

static void put(struct evs_batch *batch, uint32_t column, uint32_t row, const char *format, uint32_t number)
{
    char text[64];
    uint32_t length = (uint32_t)snprintf(text, sizeof text, format, number);
    struct evs_str *texts = batch->columns[column].data;
    texts[row] = length > EVS_STR_INLINE_MAX ? keep_text(batch->arena, text, length) : evs_str_make(text, length);
}

#define DEVICE "0190c5a2-7b1d-7c3e-9f10-%012u"

static struct evs_batch *make_batch(struct evs_op *op, const struct traffic *traffic, uint32_t first, bool has_device,
                                    bool has_user)
{
    struct evs_batch *batch = evs_batch_new(op->pool, COLUMNS);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    batch->row_count = batch->selected_count = EVS_BATCH_ROWS;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        evs_column_init(&batch->columns[i], batch, EVS_STRING, EVS_BATCH_ROWS, true);
    }
    for (uint32_t i = 0; i < EVS_BATCH_ROWS; i++) {
        uint32_t device = (uint32_t)((first + i) * UINT64_C(2654435761) % traffic->devices);
        batch->event_time_us[i] = (int64_t)(first + i) * 1000;
        batch->cause[i] = evs_cause_record(0, first + i + 1, 0);
        put(batch, KEY, i, has_device ? DEVICE : "u%08u", device);
        put(batch, ANONYMOUS, i, DEVICE, device);
        put(batch, USER, i, "u%08u", device);
        if (!has_device) {
            evs_column_set_null(&batch->columns[ANONYMOUS], i);
        }
        if (!has_user) {
            evs_column_set_null(&batch->columns[USER], i);
        }
    }
    batch->min_time_us = batch->event_time_us[0];
    batch->max_time_us = batch->event_time_us[EVS_BATCH_ROWS - 1];
    return batch;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    while (evs_op_identity.watermark(op, state, watermark_us) == EVS_MORE) {
    }
    op->watermark_us = watermark_us;
}

/* Nanoseconds. */
static double feed(struct evs_op *op, void *state, const struct traffic *traffic, uint32_t first, bool has_device,
                   bool has_user)
{
    struct evs_batch *batch = make_batch(op, traffic, first, has_device, has_user);
    double start = now_ns();
    evs_status status = evs_op_identity.process(op, state, 0, batch);
    if (status == EVS_OK && traffic->has_aliases) { /* the anonymous ids as other ids of the users */
        status = evs_op_identity.process(op, state, 1, batch);
    }
    EVS_ASSERT(status == EVS_OK);
    watermark(op, state, batch->max_time_us - 5 * SECOND_US);
    double spent = now_ns() - start;
    evs_batch_unref(batch);
    return spent;
}

static void run(const struct traffic *traffic)
{
    struct evs_identity_config config = {.key = KEY,
                                         .anonymous = ANONYMOUS,
                                         .user = USER,
                                         .has_aliases = traffic->has_aliases,
                                         .previous = ANONYMOUS,
                                         .into = USER,
                                         .within_us = traffic->within_us,
                                         .retain_us = 90 * 86400 * SECOND_US,
                                         .alias_retain_us = 90 * 86400 * SECOND_US,
                                         .users_max = 20,
                                         .aliases_max = 100,
                                         .person = PERSON,
                                         .known = KNOWN};
    struct evs_op op = {
        .config = &config, .is_durable = false, .watermark_us = EVS_TIME_MIN, .pool = evs_batch_pool_new()};
    op.input = (struct evs_schema){COLUMNS, fields_of()};
    op.output = (struct evs_schema){OUT_COLUMNS, fields_of()};
    void *state = evs_alloc_aligned(64, (evs_op_identity.state_bytes + 127u) & ~(size_t)63);
    memset(state, 0, evs_op_identity.state_bytes);
    evs_status status = evs_op_identity.open(&op, state, NULL);
    EVS_ASSERT(status == EVS_OK);
    uint32_t first = 0, links = traffic->begins_tied ? traffic->devices : 0;
    for (; first < links; first += EVS_BATCH_ROWS) {
        feed(&op, state, traffic, first, true, true);
    }
    double spent = 0;
    uint32_t rows = 0;
    for (; rows < ROWS; rows += EVS_BATCH_ROWS, first += EVS_BATCH_ROWS) {
        spent += feed(&op, state, traffic, first, traffic->has_device, traffic->has_user);
    }
    int64_t keys = op.counters[EVS_COUNT_STATE_KEYS], bytes = op.counters[EVS_COUNT_STATE_BYTES];
    printf("%-52s %7.0f ns a row %9.2f M rows/s %9lld keys %7lld bytes a key %9llu rows out\n", traffic->name,
           spent / rows, rows / spent * 1e3, (long long)keys, (long long)(bytes / (keys > 0 ? keys : 1)),
           (unsigned long long)op.emitted);
    evs_op_identity.close(&op, state);
    evs_free(state);
    evs_batch_pool_free(op.pool);
}

int main(int count, char **words)
{
    static const struct traffic cases[] = {
        {"rows of users", .devices = 1000000, .has_user = true},
        {"a million devices, each tied by its row", .devices = 1000000, .has_device = true, .has_user = true},
        {"rows of a million known devices", .devices = 1000000, .has_device = true, .begins_tied = true},
        {"rows of ten thousand known devices", .devices = 10000, .has_device = true, .begins_tied = true},
        {"unknown visitors, waiting", .devices = 1000000, .has_device = true, .within_us = 1800 * SECOND_US},
        {"a million devices, tied and aliased", .devices = 1000000, .has_device = true, .has_user = true,
         .has_aliases = true},
    };
    filter = count > 1 ? words[1] : "";
    for (uint32_t i = 0; i < EVS_COUNT(cases); i++) {
        if (strstr(cases[i].name, filter) != NULL) {
            run(&cases[i]);
        }
    }
    return 0;
}
