/* The collector's spool: what it promised is there after any cut, damage or failing disk, in order, and nothing else is. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool.h"
#include "spool_record.h"
#include "unit.h"

static char folder[] = "/tmp/evs_spool_XXXXXX";
static char spool_folder[sizeof folder + 8];
static struct evs_log *quiet;

/* The real system, whose files fail when a test says so. */
static struct evs_os os;
static _Atomic bool sync_fails, write_fails;

static evs_status failing_sync(struct evs_file *file, struct evs_error *error)
{
    return sync_fails ? evs_fail(error, EVS_E_IO, "The test's disk is broken.")
                      : evs_os_system()->files.sync(file, error);
}

/* Half of it is written, as on a disk that becomes full. */
static evs_status failing_write(struct evs_file *file, const void *data, size_t bytes, struct evs_error *error)
{
    if (!write_fails) {
        return evs_os_system()->files.write(file, data, bytes, error);
    }
    (void)evs_os_system()->files.write(file, data, bytes / 2, error);
    return evs_fail(error, EVS_E_IO, "The test's disk is full.");
}

static void no_console(void *self, const char *line, size_t bytes)
{
    (void)self;
    (void)line;
    (void)bytes;
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(spool_folder, sizeof spool_folder, "%s/spool", folder);
    os = *evs_os_system();
    os.files.sync = failing_sync;
    os.files.write = failing_write;
    sync_fails = write_fails = false;
    os.console.write = no_console;
    quiet = evs_log_new(&os, EVS_LOG_ERROR, false);
}

static void teardown(void)
{
    evs_log_free(quiet);
    unit_remove_folder(folder);
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
}

static void no_wake(void *context)
{
    (void)context;
}

static struct evs_spool *open_spool(uint64_t bytes_max, uint64_t segment_bytes)
{
    struct evs_spool_options options = {.os = &os,
                                        .log = quiet,
                                        .folder = spool_folder,
                                        .bytes_max = bytes_max,
                                        .segment_bytes = segment_bytes,
                                        .wake = no_wake};
    struct evs_spool *spool = NULL;
    struct evs_error error = {0};
    ck_assert_msg(evs_spool_open(&options, &spool, &error) == EVS_OK, "%s", error.text);
    return spool;
}

/* The payload of record n: its length and bytes follow from n. */
static size_t payload_of(uint64_t n, char *out)
{
    size_t count = 1 + n * 37 % 300;
    for (size_t i = 0; i < count; i++) {
        out[i] = (char)('a' + (n + i) % 26);
    }
    return count;
}

static evs_status append(struct evs_spool *spool, uint64_t n, uint64_t *number)
{
    char payload[512], subject[32];
    struct evs_spool_record record = {.id = {n, ~n}, .payload = {payload, payload_of(n, payload)}};
    record.subject =
        (struct evs_slice){subject, (size_t)snprintf(subject, sizeof subject, "clicks.%u.shop", (unsigned)n % 16)};
    evs_status status = evs_spool_append(spool, &record, NULL);
    if (number != NULL) {
        *number = record.number;
    }
    return status;
}

static void check_record(const struct evs_spool_record *record, uint64_t n)
{
    char payload[512];
    size_t count = payload_of(n, payload);
    UNIT_CHECK(record->id.low == n && record->id.high == ~n, "id %lu instead of %lu", (unsigned long)record->id.low,
               (unsigned long)n);
    UNIT_CHECK(evs_slice_equal(record->payload, (struct evs_slice){payload, count}), "payload of %lu",
               (unsigned long)n);
}

static void wait_synced(struct evs_spool *spool)
{
    struct evs_spool_state state;
    for (int i = 0; i < 100000; i++) {
        evs_spool_sync(spool);
        evs_spool_state(spool, &state);
        if (state.synced + 1 == state.next) {
            return;
        }
        usleep(100);
    }
    ck_abort_msg("the spool does not sync");
}

/* Records `first` to `last` come next, and no other. */
static void check_next(struct evs_spool *spool, uint64_t first, uint64_t last)
{
    struct evs_spool_record record;
    for (uint64_t n = first; n <= last; n++) {
        UNIT_CHECK(evs_spool_next(spool, &record) == EVS_OK, "record %lu is missing", (unsigned long)n);
        check_record(&record, n);
    }
    ck_assert_int_eq(evs_spool_next(spool, &record), EVS_END);
}

static char *only_segment(void)
{
    static char path[sizeof spool_folder + 32];
    snprintf(path, sizeof path, "%s/0000000000000001.spool", spool_folder);
    return path;
}

static off_t size_of(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? about.st_size : -1;
}

/* --- in good times -------------------------------------------------------------------------------------------------------- */

START_TEST(records_come_back_in_order_over_segments)
{
    struct evs_spool *spool = open_spool(1 << 20, 2000);
    struct evs_spool_record record;
    for (uint64_t n = 1; n <= 200; n++) {
        uint64_t number;
        ck_assert_int_eq(append(spool, n, &number), EVS_OK);
        ck_assert_uint_eq(number, n);
        ck_assert_int_eq(evs_spool_next(spool, &record) == EVS_OK && record.number > n, false);
    }
    wait_synced(spool);
    evs_spool_rewind(spool);
    check_next(spool, 1, 200);
    evs_spool_rewind(spool); /* nothing is delivered yet */
    check_next(spool, 1, 200);
    evs_spool_delivered(spool, 120);
    evs_spool_rewind(spool);
    check_next(spool, 121, 200);
    ck_assert(!evs_spool_is_empty(spool));
    evs_spool_delivered(spool, 200);
    ck_assert(evs_spool_is_empty(spool));
    struct evs_spool_state state;
    evs_spool_state(spool, &state);
    ck_assert_uint_eq(state.bytes, 0);
    ck_assert_int_eq(append(spool, 201, NULL), EVS_OK);
    wait_synced(spool);
    check_next(spool, 201, 201);
    evs_spool_close(spool);
}
END_TEST

START_TEST(nothing_is_read_before_its_sync)
{
    struct evs_spool *spool = open_spool(1 << 20, 1 << 20);
    struct evs_spool_record record;
    ck_assert_int_eq(append(spool, 1, NULL), EVS_OK);
    ck_assert_int_eq(evs_spool_next(spool, &record), EVS_END); /* no sync was asked for */
    wait_synced(spool);
    ck_assert_int_eq(append(spool, 2, NULL), EVS_OK);
    check_next(spool, 1, 1);
    wait_synced(spool);
    check_next(spool, 2, 2);
    evs_spool_close(spool);
}
END_TEST

START_TEST(a_restart_goes_on_where_it_was)
{
    struct evs_spool *spool = open_spool(1 << 20, 3000);
    for (uint64_t n = 1; n <= 50; n++) {
        ck_assert_int_eq(append(spool, n, NULL), EVS_OK);
    }
    wait_synced(spool);
    evs_spool_delivered(spool, 20);
    evs_spool_close(spool);
    spool = open_spool(1 << 20, 3000);
    struct evs_spool_state state;
    evs_spool_state(spool, &state);
    ck_assert_uint_eq(state.recovered, 30);
    ck_assert_uint_eq(state.damaged_bytes, 0);
    uint64_t number;
    ck_assert_int_eq(append(spool, 51, &number), EVS_OK);
    ck_assert_uint_eq(number, 51);
    wait_synced(spool);
    check_next(spool, 21, 51);
    evs_spool_delivered(spool, 51);
    evs_spool_close(spool);
    /* Numbers are never used again, also when no segment is left that tells them. */
    spool = open_spool(1 << 20, 3000);
    ck_assert_int_eq(append(spool, 52, &number), EVS_OK);
    ck_assert_uint_eq(number, 52);
    evs_spool_close(spool);
}
END_TEST

START_TEST(a_lost_position_sends_again)
{
    char path[sizeof spool_folder + 16];
    struct evs_spool *spool = open_spool(1 << 20, 1 << 20);
    for (uint64_t n = 1; n <= 10; n++) {
        ck_assert_int_eq(append(spool, n, NULL), EVS_OK);
    }
    wait_synced(spool);
    evs_spool_delivered(spool, 4);
    evs_spool_close(spool);
    snprintf(path, sizeof path, "%s/position", spool_folder);
    ck_assert_int_eq(truncate(path, 10), 0);
    spool = open_spool(1 << 20, 1 << 20);
    check_next(spool, 1, 10);
    evs_spool_close(spool);
}
END_TEST

START_TEST(a_second_process_is_kept_out)
{
    struct evs_spool *spool = open_spool(1 << 20, 1 << 20), *second = NULL;
    struct evs_spool_options options = {.os = &os,
                                        .log = quiet,
                                        .folder = spool_folder,
                                        .bytes_max = 1 << 20,
                                        .segment_bytes = 1 << 20,
                                        .wake = no_wake};
    ck_assert_int_eq(evs_spool_open(&options, &second, NULL), EVS_E_USAGE);
    evs_spool_close(spool);
}
END_TEST

START_TEST(a_full_spool_refuses_and_takes_again)
{
    struct evs_spool *spool = open_spool(5000, 1000);
    uint64_t n = 1, last;
    while (append(spool, n, &last) == EVS_OK) {
        n++;
    }
    ck_assert_uint_gt(n, 10);
    ck_assert_int_eq(append(spool, n, NULL), EVS_E_LIMIT);
    wait_synced(spool);
    check_next(spool, 1, n - 1);
    evs_spool_delivered(spool, n / 2);
    ck_assert_int_eq(append(spool, n, NULL), EVS_OK);
    wait_synced(spool);
    check_next(spool, n, n);
    evs_spool_close(spool);
}
END_TEST

/* --- cut and damaged -------------------------------------------------------------------------------------------------------- */

#define CASE_RECORDS 4

/* Bytes of a segment with CASE_RECORDS records, and where each of them ends. */
static size_t make_case(char **bytes, size_t ends[CASE_RECORDS + 1])
{
    struct evs_spool *spool = open_spool(1 << 20, 1 << 20);
    ends[0] = 0;
    for (uint64_t n = 1; n <= CASE_RECORDS; n++) {
        ck_assert_int_eq(append(spool, n, NULL), EVS_OK);
        ends[n] = (size_t)size_of(only_segment());
    }
    wait_synced(spool);
    evs_spool_close(spool);
    *bytes = evs_alloc(ends[CASE_RECORDS]);
    FILE *file = fopen(only_segment(), "rb");
    ck_assert_uint_eq(fread(*bytes, 1, ends[CASE_RECORDS], file), ends[CASE_RECORDS]);
    fclose(file);
    return ends[CASE_RECORDS];
}

static void write_case(const char *bytes, size_t count)
{
    FILE *file = fopen(only_segment(), "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

START_TEST(a_segment_cut_at_each_byte_keeps_its_whole_records)
{
    char *bytes;
    size_t ends[CASE_RECORDS + 1], count = make_case(&bytes, ends);
    for (size_t cut = 0; cut <= count; cut++) {
        write_case(bytes, cut);
        uint64_t whole = 0;
        while (whole < CASE_RECORDS && ends[whole + 1] <= cut) {
            whole++;
        }
        struct evs_spool *spool = open_spool(1 << 20, 1 << 20);
        struct evs_spool_state state;
        evs_spool_state(spool, &state);
        UNIT_CHECK(state.recovered == whole && state.damaged_bytes == 0, "cut at %zu: %lu records, %lu damaged", cut,
                   (unsigned long)state.recovered, (unsigned long)state.damaged_bytes);
        UNIT_CHECK((size_t)size_of(only_segment()) == ends[whole] || whole == 0, "cut at %zu: the tail stays", cut);
        check_next(spool, 1, whole);
        evs_spool_close(spool);
    }
    evs_free(bytes);
}
END_TEST

START_TEST(damage_at_each_byte_costs_its_record_alone)
{
    char *bytes;
    size_t ends[CASE_RECORDS + 1], count = make_case(&bytes, ends);
    for (size_t at = 0; at < ends[CASE_RECORDS - 1]; at++) { /* of the last record it looks like a cut */
        bytes[at] ^= 0x40;
        write_case(bytes, count);
        bytes[at] ^= 0x40;
        uint64_t hit = 1;
        while (ends[hit] <= at) {
            hit++;
        }
        struct evs_spool *spool = open_spool(1 << 20, 1 << 20);
        struct evs_spool_state state;
        struct evs_spool_record record;
        evs_spool_state(spool, &state);
        UNIT_CHECK(state.damaged_bytes == ends[hit] - ends[hit - 1], "byte %zu: %lu damaged", at,
                   (unsigned long)state.damaged_bytes);
        for (uint64_t n = 1; n <= CASE_RECORDS; n++) {
            if (n != hit) {
                UNIT_CHECK(evs_spool_next(spool, &record) == EVS_OK, "byte %zu: %lu is lost", at, (unsigned long)n);
                check_record(&record, n);
            }
        }
        UNIT_CHECK(evs_spool_next(spool, &record) == EVS_END, "byte %zu", at);
        evs_spool_delivered(spool, CASE_RECORDS);
        UNIT_CHECK(evs_spool_is_empty(spool), "byte %zu", at);
        evs_spool_close(spool);
        unit_remove_folder(spool_folder); /* the position, too */
        ck_assert_int_eq(mkdir(spool_folder, 0700), 0);
    }
    evs_free(bytes);
}
END_TEST

START_TEST(garbage_is_no_record)
{
    uint64_t random = 7;
    ck_assert_int_eq(mkdir(spool_folder, 0700), 0);
    for (uint32_t turn = 0; turn < unit_cases(400); turn++) {
        char bytes[3000];
        size_t count = unit_random(&random) % sizeof bytes;
        for (size_t i = 0; i < count; i++) {
            bytes[i] = (char)unit_random(&random);
            if (unit_random(&random) % 40 == 0 && i >= 4) {
                memcpy(bytes + i - 4, "EVSP", 4);
            }
        }
        write_case(bytes, count);
        struct evs_spool *spool = open_spool(1 << 20, 1 << 20);
        check_next(spool, 1, 0);
        ck_assert(evs_spool_is_empty(spool));
        ck_assert_int_eq(append(spool, 5, NULL), EVS_OK);
        wait_synced(spool);
        check_next(spool, 5, 5);
        evs_spool_close(spool);
        unit_remove_folder(spool_folder);
        ck_assert_int_eq(mkdir(spool_folder, 0700), 0);
    }
}
END_TEST

/* --- a failing disk ----------------------------------------------------------------------------------------------------------- */

START_TEST(a_failed_write_leaves_nothing)
{
    struct evs_spool *spool = open_spool(1 << 20, 1 << 20);
    ck_assert_int_eq(append(spool, 1, NULL), EVS_OK);
    write_fails = true;
    ck_assert_int_eq(append(spool, 99, NULL), EVS_E_IO);
    write_fails = false;
    ck_assert_int_eq(append(spool, 2, NULL), EVS_OK);
    wait_synced(spool);
    check_next(spool, 1, 2);
    evs_spool_close(spool);
    spool = open_spool(1 << 20, 1 << 20);
    check_next(spool, 1, 2);
    evs_spool_close(spool);
}
END_TEST

/* What a failed sync should have kept is given up, and told; what was kept before and comes after is there. */
START_TEST(a_failed_sync_is_told_and_not_tried_again)
{
    struct evs_spool *spool = open_spool(1 << 20, 1 << 20);
    uint64_t first, last;
    ck_assert_int_eq(append(spool, 1, NULL), EVS_OK);
    wait_synced(spool);
    ck_assert(!evs_spool_failed(spool, &first, &last));
    sync_fails = true;
    ck_assert_int_eq(append(spool, 2, NULL), EVS_OK);
    ck_assert_int_eq(append(spool, 3, NULL), EVS_OK);
    wait_synced(spool);
    sync_fails = false;
    uint64_t refused = 0;
    while (evs_spool_failed(spool, &first, &last)) {
        refused += last - first + 1;
        ck_assert_uint_eq(last, 3);
    }
    ck_assert_uint_eq(refused, 2);
    ck_assert_int_eq(append(spool, 4, NULL), EVS_OK);
    wait_synced(spool);
    struct evs_spool_record record;
    ck_assert_int_eq(evs_spool_next(spool, &record), EVS_OK);
    check_record(&record, 1);
    check_next(spool, 4, 4);
    evs_spool_close(spool);
    spool = open_spool(1 << 20, 1 << 20);
    ck_assert_int_eq(evs_spool_next(spool, &record), EVS_OK);
    check_record(&record, 1);
    check_next(spool, 4, 4);
    evs_spool_close(spool);
}
END_TEST

START_TEST(many_syncs_race_with_appends)
{
    struct evs_spool *spool = open_spool(64 << 20, 20000);
    uint64_t read = 0, written = 0, random = 3;
    struct evs_spool_record record;
    while (read < unit_cases(5000)) {
        for (uint64_t i = unit_random(&random) % 8; i > 0 && written < read + 2000; i--) {
            ck_assert_int_eq(append(spool, ++written, NULL), EVS_OK);
        }
        evs_spool_sync(spool);
        while (evs_spool_next(spool, &record) == EVS_OK) {
            check_record(&record, ++read);
        }
        evs_spool_delivered(spool, read > 5 ? read - 5 : 0);
    }
    wait_synced(spool);
    check_next(spool, read + 1, written);
    evs_spool_close(spool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("collector_spool");
    TCase *cases = tcase_create("spool");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, records_come_back_in_order_over_segments);
    tcase_add_test(cases, nothing_is_read_before_its_sync);
    tcase_add_test(cases, a_restart_goes_on_where_it_was);
    tcase_add_test(cases, a_lost_position_sends_again);
    tcase_add_test(cases, a_second_process_is_kept_out);
    tcase_add_test(cases, a_full_spool_refuses_and_takes_again);
    tcase_add_test(cases, a_segment_cut_at_each_byte_keeps_its_whole_records);
    tcase_add_test(cases, damage_at_each_byte_costs_its_record_alone);
    tcase_add_test(cases, garbage_is_no_record);
    tcase_add_test(cases, a_failed_write_leaves_nothing);
    tcase_add_test(cases, a_failed_sync_is_told_and_not_tried_again);
    tcase_add_test(cases, many_syncs_race_with_appends);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
