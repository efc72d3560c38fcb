/* The file sink: what is appended stands in the file, and a restore cuts exactly, packed or not. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "sink_file.h"
#include "unit.h"

static struct evs_arena arena; /* of the sinks' configurations */
static char folder[] = "/tmp/evs_sink_file_XXXXXX";

static void make_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    evs_arena_fini(&arena);
    unit_remove_folder(folder);
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct evs_buffer file_bytes(const char *path)
{
    struct evs_buffer bytes = {0};
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    char piece[4096];
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;) {
        evs_buffer_put(&bytes, piece, got);
    }
    fclose(file);
    return bytes;
}

/* By the libraries themselves, not by our source: whole members and frames only, or it fails. */
static struct evs_buffer unpacked(const char *path)
{
    struct evs_buffer packed = file_bytes(path), out = {0};
    const size_t room = 64 << 20;
    evs_buffer_reserve(&out, room);
    if (strstr(path, ".gz") != NULL) {
        z_stream gzip = {.next_in = (Bytef *)packed.data,
                         .avail_in = (uInt)packed.count,
                         .next_out = (Bytef *)out.data,
                         .avail_out = (uInt)room};
        ck_assert_int_eq(inflateInit2(&gzip, 15 + 16), Z_OK);
        while (gzip.avail_in > 0) {
            ck_assert_int_eq(inflate(&gzip, Z_FINISH), Z_STREAM_END);
            ck_assert_int_eq(inflateReset(&gzip), Z_OK);
        }
        inflateEnd(&gzip);
        out.count = room - gzip.avail_out;
    } else if (strstr(path, ".zst") != NULL) {
        out.count = packed.count == 0 ? 0 : ZSTD_decompress(out.data, room, packed.data, packed.count);
        ck_assert(!ZSTD_isError(out.count));
    } else {
        evs_buffer_put(&out, packed.data, packed.count);
    }
    evs_buffer_fini(&packed);
    return out;
}

static evs_status open_sink(const char *path, bool resume, uint64_t offset, void **sink, struct evs_error *error)
{
    struct evs_option_value values[8] = {{.is_set = true, .text = evs_slice_of(path)}};
    for (size_t i = 0; evs_sink_file.options[i].name != NULL; i++) {
        values[i].option = &evs_sink_file.options[i];
    }
    const void *config;
    ck_assert_int_eq(evs_sink_file.configure(values, &arena, &config, NULL), EVS_OK);
    const struct evs_sink_open open = {.os = evs_os_system(),
                                       .pipeline = "p",
                                       .name = "out",
                                       .config = config,
                                       .resume = resume,
                                       .resume_offset = offset};
    return evs_sink_file.open(&open, sink, error);
}

static void *must_open(const char *path, bool resume, uint64_t offset)
{
    void *sink;
    struct evs_error error = {0};
    ck_assert_msg(open_sink(path, resume, offset, &sink, &error) == EVS_OK, "%s", error.text);
    return sink;
}

static void append(void *sink, struct evs_slice bytes)
{
    struct evs_error error = {0};
    ck_assert_msg(evs_sink_file.append(sink, bytes, &error) == EVS_OK, "%s", error.text);
}

static uint64_t flush(void *sink, bool sync)
{
    uint64_t offset = 0;
    struct evs_error error = {0};
    ck_assert_msg(evs_sink_file.flush(sink, sync, &offset, &error) == EVS_OK, "%s", error.text);
    return offset;
}

static void append_lines(void *sink, struct evs_buffer *expected, uint64_t *random)
{
    struct evs_buffer rows = {0};
    for (uint64_t count = 1 + unit_random(random) % 300; count > 0; count--) {
        evs_buffer_printf(&rows, "{\"n\":%u,\"x\":\"%0*d\"}\n", (unsigned)unit_random(random) % 1000,
                          (int)(1 + unit_random(random) % 300), 7);
    }
    append(sink, (struct evs_slice){rows.data, rows.count});
    evs_buffer_put(expected, rows.data, rows.count);
    evs_buffer_fini(&rows);
}

static void check_content(const char *path, const struct evs_buffer *expected, size_t count)
{
    struct evs_buffer got = unpacked(path);
    ck_assert_uint_eq(got.count, count);
    ck_assert(count == 0 || memcmp(got.data, expected->data, count) == 0);
    evs_buffer_fini(&got);
}

/* Runs that write, commit now and then, and die in the middle; the next one goes on from the last commit. Whatever was written behind it
 * is gone, whatever stood before it is there, and the file is whole by itself at every commit. */
static void check_restores(const char *name)
{
    const char *path = path_of(name);
    struct evs_buffer expected = {0};
    uint64_t random = 5, offset = 0;
    size_t committed = 0;
    for (int run = 0; run < 12; run++) {
        void *sink = must_open(path, run > 0, offset);
        expected.count = committed;
        for (uint64_t commits = unit_random(&random) % 4; commits > 0; commits--) {
            for (uint64_t appends = unit_random(&random) % 8; appends > 0; appends--) {
                append_lines(sink, &expected, &random);
            }
            offset = flush(sink, commits == 1);
            committed = expected.count;
            struct stat about;
            ck_assert_int_eq(stat(path, &about), 0);
            ck_assert_uint_eq(offset, (uint64_t)about.st_size);
            check_content(path, &expected, committed);
        }
        append_lines(sink, &expected, &random); /* never committed */
        if (run % 2 == 0) {
            flush(sink, false); /* written, but the commit that would cover it did not come */
        }
        evs_sink_file.close(sink);
    }
    void *sink = must_open(path, true, offset);
    evs_sink_file.close(sink);
    check_content(path, &expected, committed);
    evs_buffer_fini(&expected);
}

START_TEST(restores_of_a_plain_file)
{
    check_restores("a.ndjson");
}
END_TEST

START_TEST(restores_of_a_gzip_file)
{
    check_restores("a.ndjson.gz");
}
END_TEST

START_TEST(restores_of_a_zstd_file)
{
    check_restores("a.ndjson.zst");
}
END_TEST

START_TEST(a_first_run_begins_with_an_empty_file)
{
    FILE *file = fopen(path_of("a"), "wb");
    ck_assert_int_eq(fputs("old\n", file) < 0, 0);
    fclose(file);
    void *sink = must_open(path_of("a"), false, 0);
    append(sink, EVS_SLICE("new"));
    ck_assert_uint_eq(flush(sink, true), 3);
    evs_sink_file.close(sink);
    struct evs_buffer got = file_bytes(path_of("a"));
    ck_assert_uint_eq(got.count, 3);
    ck_assert_int_eq(memcmp(got.data, "new", 3), 0);
    evs_buffer_fini(&got);
}
END_TEST

START_TEST(flushes_without_rows_write_nothing)
{
    static const char *const names[] = {"a", "a.gz", "a.zst"};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        void *sink = must_open(path_of(names[i]), false, 0);
        ck_assert_uint_eq(flush(sink, true), 0);
        append(sink, (struct evs_slice){NULL, 0});
        ck_assert_uint_eq(flush(sink, false), 0);
        append(sink, EVS_SLICE("{}\n"));
        uint64_t offset = flush(sink, false);
        ck_assert_uint_ge(offset, 3);
        ck_assert_uint_eq(flush(sink, false), offset);
        evs_sink_file.close(sink);
    }
}
END_TEST

/* One append larger than the buffer, between small ones. */
START_TEST(large_appends)
{
    static const char *const names[] = {"a", "a.gz", "a.zst"};
    struct evs_buffer expected = {0}, large = {0};
    evs_buffer_reserve(&large, 3 << 20);
    memset(large.data, 'x', 3 << 20);
    large.count = 3 << 20;
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        expected.count = 0;
        void *sink = must_open(path_of(names[i]), false, 0);
        for (int round = 0; round < 3; round++) {
            append(sink, EVS_SLICE("small\n"));
            append(sink, (struct evs_slice){large.data, large.count});
            evs_buffer_puts(&expected, "small\n");
            evs_buffer_put(&expected, large.data, large.count);
        }
        flush(sink, false);
        evs_sink_file.close(sink);
        check_content(path_of(names[i]), &expected, expected.count);
    }
    evs_buffer_fini(&expected);
    evs_buffer_fini(&large);
}
END_TEST

START_TEST(errors_name_the_file)
{
    void *sink;
    struct evs_error error = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/none/a", folder);
    ck_assert_int_eq(open_sink(path, false, 0, &sink, &error), EVS_E_IO);
    ck_assert_ptr_nonnull(strstr(error.text, path));
    evs_sink_file.close(must_open(path_of("short"), false, 0));
    ck_assert_int_eq(open_sink(path_of("short"), true, 10, &sink, &error), EVS_E_STATE);
    ck_assert_ptr_nonnull(strstr(error.text, "`out`"));
    ck_assert_ptr_nonnull(strstr(error.text, "short"));
    const struct evs_option_value empty = {.option = evs_sink_file.options, .is_set = true, .text = EVS_SLICE("")};
    const void *config;
    ck_assert_int_eq(evs_sink_file.configure(&empty, NULL, &config, &error), EVS_E_PIPELINE);
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
    uint64_t offset;
    struct evs_error error = {0};
    void *sink = must_open("/dev/full", true, 100); /* a device is not cut */
    append(sink, EVS_SLICE("row\n"));
    ck_assert_int_eq(evs_sink_file.flush(sink, false, &offset, &error), EVS_E_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "No space left"));
    evs_sink_file.close(sink);
}
END_TEST

/* Standard output that was redirected to a file belongs to the shell: it is neither emptied nor cut. */
START_TEST(standard_output)
{
    int file = open(path_of("a"), O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(write(file, "before\n", 7), 7);
    int kept = dup(STDOUT_FILENO);
    ck_assert_int_eq(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
    void *sink = must_open("-", true, 3);
    append(sink, EVS_SLICE("row\n"));
    uint64_t offset = flush(sink, true);
    evs_sink_file.close(sink);
    ck_assert_int_eq(dup2(kept, STDOUT_FILENO), STDOUT_FILENO);
    ck_assert_uint_eq(offset, 7);
    struct evs_buffer got = file_bytes(path_of("a"));
    ck_assert_uint_eq(got.count, 11);
    ck_assert_int_eq(memcmp(got.data, "before\nrow\n", 11), 0);
    evs_buffer_fini(&got);
    close(file);
    close(kept);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sink_file");
    TCase *cases = tcase_create("sink_file");
    tcase_add_checked_fixture(cases, make_folder, remove_folder);
    tcase_add_test(cases, restores_of_a_plain_file);
    tcase_add_test(cases, restores_of_a_gzip_file);
    tcase_add_test(cases, restores_of_a_zstd_file);
    tcase_add_test(cases, a_first_run_begins_with_an_empty_file);
    tcase_add_test(cases, flushes_without_rows_write_nothing);
    tcase_add_test(cases, large_appends);
    tcase_add_test(cases, errors_name_the_file);
    tcase_add_test(cases, a_full_disk_is_an_error);
    tcase_add_test(cases, standard_output);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
