/* The file source: pieces, offsets and indexes, packed and damaged files, long lines, standard input. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "source_file.h"
#include "unit.h"

static char folder[] = "/tmp/evs_source_file_XXXXXX";
static char path[256];

static void make_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    unit_remove_folder(folder);
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
}

/* --- files -------------------------------------------------------------------------------------------------------------------- */

static const char *write_file(const char *name, const void *bytes, size_t count)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static size_t pack_gzip(const char *bytes, size_t count, char *packed, size_t room)
{
    z_stream gzip = {
        .next_in = (Bytef *)bytes, .avail_in = (uInt)count, .next_out = (Bytef *)packed, .avail_out = (uInt)room};
    ck_assert_int_eq(deflateInit2(&gzip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&gzip, Z_FINISH), Z_STREAM_END);
    deflateEnd(&gzip);
    return room - gzip.avail_out;
}

static size_t pack_zstd(const char *bytes, size_t count, char *packed, size_t room)
{
    size_t packed_count = ZSTD_compress(packed, room, bytes, count, 3);
    ck_assert(!ZSTD_isError(packed_count));
    return packed_count;
}

/* `count` lines of different lengths. */
static struct evs_buffer make_lines(uint32_t count)
{
    struct evs_buffer lines = {0};
    uint64_t random = 3;
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_printf(&lines, "{\"n\":%u,\"x\":\"%0*u\"}\n", i, (int)(1 + unit_random(&random) % 200), i);
    }
    return lines;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------ */

struct reading {
    struct evs_buffer bytes; /* all payloads, one behind the other */
    uint32_t pieces;
    uint64_t byte_offset, next_index;
    evs_status status;
    struct evs_error error;
};

static const void *config_of(const char *file, struct evs_arena *arena)
{
    const struct evs_option_value value = {
        .option = evs_source_file.options, .is_set = true, .text = evs_slice_of(file)};
    const void *config;
    ck_assert_int_eq(evs_source_file.configure(&value, arena, &config, NULL), EVS_OK);
    return config;
}

static evs_status open_file(const char *file, uint64_t offset, uint64_t next_index, uint32_t row_bytes_max,
                            struct evs_arena *arena, void **source, struct evs_error *error)
{
    const struct evs_position position = {.sequence = 1, .byte_offset = offset, .next_index = next_index};
    const struct evs_source_open open = {
        .os = evs_os_system(),
        .name = "clicks",
        .config = config_of(file, arena),
        .worker_count = 1,
        .start = EVS_START_EARLIEST,
        .positions = &position,
        .position_count = offset > 0,
        .row_bytes_max = row_bytes_max,
    };
    return evs_source_file.open(&open, source, error);
}

static uint64_t count_lines(struct evs_slice text)
{
    uint64_t lines = text.data[text.count - 1] != '\n';
    for (size_t i = 0; i < text.count; i++) {
        lines += text.data[i] == '\n';
    }
    return lines;
}

/* What holds for every piece. */
static void take_piece(struct reading *reading, const struct evs_message *message)
{
    ck_assert_uint_eq(message->sequence, 1);
    ck_assert_uint_eq(message->partition, 0);
    ck_assert(message->last_of_position);
    ck_assert_int_eq(message->ingested_at_us, INT64_MIN);
    ck_assert_uint_eq(message->first_index, EVS_INDEX_CONTINUES);
    ck_assert_uint_gt(message->byte_offset, reading->byte_offset);
    ck_assert_uint_gt(message->payload.count, 0);
    char padding[EVS_PADDING]; /* a sanitizer sees it if the padding cannot be read */
    memcpy(padding, message->payload.data + message->payload.count, sizeof padding);
    reading->next_index += count_lines(message->payload);
    reading->byte_offset = message->byte_offset;
    reading->pieces++;
    evs_buffer_put(&reading->bytes, message->payload.data, message->payload.count);
}

static evs_status poll_once(void *source, struct reading *reading)
{
    struct evs_message messages[4];
    uint32_t count = 0;
    evs_status status = evs_source_file.poll(source, messages, EVS_COUNT(messages), &count, &reading->error);
    ck_assert_int_eq(count > 0, status == EVS_OK);
    for (uint32_t i = 0; i < count; i++) {
        take_piece(reading, &messages[i]);
    }
    return status;
}

static struct reading read_from(const char *file, uint64_t offset, uint64_t next_index, uint32_t row_bytes_max)
{
    struct evs_arena arena = {0};
    struct reading reading = {.byte_offset = offset, .next_index = next_index};
    void *source = NULL;
    reading.status = open_file(file, offset, next_index, row_bytes_max, &arena, &source, &reading.error);
    if (reading.status == EVS_OK) {
        while ((reading.status = poll_once(source, &reading)) == EVS_OK) {
        }
        struct evs_source_state state;
        evs_source_file.state(source, &state);
        ck_assert_uint_eq(state.partition_count, 1);
        ck_assert_int_eq(state.ended, reading.status == EVS_END);
        evs_source_file.close(source);
    }
    evs_arena_fini(&arena);
    return reading;
}

static void check_whole(const char *file, const struct evs_buffer *expected)
{
    struct reading reading = read_from(file, 0, 0, 0);
    ck_assert_msg(reading.status == EVS_END, "%s", reading.error.text);
    ck_assert_uint_eq(reading.bytes.count, expected->count);
    ck_assert(expected->count == 0 || memcmp(reading.bytes.data, expected->data, expected->count) == 0);
    ck_assert_uint_eq(reading.byte_offset, expected->count);
    evs_buffer_fini(&reading.bytes);
}

/* From every place where a piece ends, and from many line ends, the rest is what stands behind it. */
static void check_resumes(const char *file, const struct evs_buffer *lines)
{
    uint64_t index = 0, random = 7;
    for (size_t at = 0; at < lines->count;) {
        const char *newline = memchr(lines->data + at, '\n', lines->count - at);
        at = newline == NULL ? lines->count : (size_t)(newline + 1 - lines->data);
        index++;
        if (unit_random(&random) % 500 != 0 && at != lines->count) {
            continue;
        }
        struct reading rest = read_from(file, at, index, 0);
        ck_assert_msg(rest.status == EVS_END, "%s", rest.error.text);
        ck_assert_uint_eq(rest.bytes.count, lines->count - at);
        ck_assert(rest.bytes.count == 0 || memcmp(rest.bytes.data, lines->data + at, rest.bytes.count) == 0);
        evs_buffer_fini(&rest.bytes);
    }
}

/* --- tests -------------------------------------------------------------------------------------------------------------------- */

START_TEST(plain_and_packed_files_give_the_same_pieces)
{
    struct evs_buffer lines = make_lines(8000);
    size_t room = lines.count + 65536;
    char *packed = malloc(room);
    const char *file = write_file("a.ndjson", lines.data, lines.count);
    check_whole(file, &lines);
    check_resumes(file, &lines);
    size_t half = lines.count / 2; /* two members or frames, one behind the other, are one file */
    size_t first = pack_gzip(lines.data, half, packed, room);
    size_t count = first + pack_gzip(lines.data + half, lines.count - half, packed + first, room - first);
    file = write_file("a.ndjson.gz", packed, count);
    check_whole(file, &lines);
    check_resumes(file, &lines);
    first = pack_zstd(lines.data, half, packed, room);
    count = first + pack_zstd(lines.data + half, lines.count - half, packed + first, room - first);
    file = write_file("a.ndjson.zst", packed, count);
    check_whole(file, &lines);
    check_resumes(file, &lines);
    free(packed);
    evs_buffer_fini(&lines);
}
END_TEST

START_TEST(the_last_line_needs_no_newline)
{
    struct reading reading = read_from(write_file("a", "{}\n{\"a\":1}", 10), 0, 0, 0);
    ck_assert_int_eq(reading.status, EVS_END);
    ck_assert_uint_eq(reading.bytes.count, 10);
    ck_assert_uint_eq(reading.next_index, 2);
    ck_assert_uint_eq(reading.byte_offset, 10);
    evs_buffer_fini(&reading.bytes);
}
END_TEST

START_TEST(an_empty_file_ends_at_once)
{
    static const char *const names[] = {"a", "a.gz", "a.zst"};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        struct reading reading = read_from(write_file(names[i], "", 0), 0, 0, 0);
        ck_assert_msg(reading.status == EVS_END, "%s", reading.error.text);
        ck_assert_uint_eq(reading.pieces, 0);
    }
}
END_TEST

/* A read that ends exactly at a newline, and blocks without any carried line. */
START_TEST(lines_that_end_with_the_block)
{
    struct evs_buffer lines = {0};
    for (uint32_t i = 0; i < 3 * (256 << 10) / 64; i++) {
        evs_buffer_printf(&lines, "%-63u\n", i);
    }
    check_whole(write_file("a", lines.data, lines.count), &lines);
    evs_buffer_fini(&lines);
}
END_TEST

static void expect_error(const char *file, uint64_t offset, evs_status status, const char *words)
{
    struct reading reading = read_from(file, offset, 0, 0);
    ck_assert_int_eq(reading.status, status);
    ck_assert_msg(strstr(reading.error.text, words) != NULL, "%s", reading.error.text);
    ck_assert_msg(strstr(reading.error.text, file) != NULL, "%s", reading.error.text);
    evs_buffer_fini(&reading.bytes);
}

START_TEST(errors_name_the_file)
{
    char none[256];
    snprintf(none, sizeof none, "%s/none.ndjson", folder);
    expect_error(none, 0, EVS_E_IO, "No such file");
    expect_error(folder, 0, EVS_E_IO, "directory");
    expect_error(write_file("a", "{}\n", 3), 4, EVS_E_STATE, "3 bytes");
    expect_error(write_file("b.gz", "{}\n", 3), 0, EVS_E_IO, "no whole gzip file");
    expect_error(write_file("b.zst", "{\"a\":1}\n", 8), 0, EVS_E_IO, "no whole zstd file");
}
END_TEST

/* Cut at every length: never a silent end. What came before the error is right. */
static void check_truncated(const char *name, const char *packed, size_t count, const struct evs_buffer *lines)
{
    for (size_t kept = 1; kept < count; kept += 1 + count / 100) {
        struct reading reading = read_from(write_file(name, packed, kept), 0, 0, 0);
        ck_assert_int_eq(reading.status, EVS_E_IO);
        ck_assert_msg(strstr(reading.error.text, "cut off") != NULL && strstr(reading.error.text, name) != NULL, "%s",
                      reading.error.text);
        ck_assert(reading.bytes.count <= lines->count);
        ck_assert(reading.bytes.count == 0 || memcmp(reading.bytes.data, lines->data, reading.bytes.count) == 0);
        evs_buffer_fini(&reading.bytes);
    }
}

START_TEST(a_packed_file_that_was_cut_off_is_an_error)
{
    struct evs_buffer lines = make_lines(3000);
    size_t room = lines.count + 65536;
    char *packed = malloc(room);
    check_truncated("a.gz", packed, pack_gzip(lines.data, lines.count, packed, room), &lines);
    check_truncated("a.zst", packed, pack_zstd(lines.data, lines.count, packed, room), &lines);
    size_t count = pack_gzip(lines.data, lines.count, packed, room);
    ck_assert_uint_gt(count, 1000);
    packed[count / 2] ^= 0x10; /* a flipped bit is found by the checksum at the latest */
    struct reading reading = read_from(write_file("a.gz", packed, count), 0, 0, 0);
    ck_assert_int_eq(reading.status, EVS_E_IO);
    evs_buffer_fini(&reading.bytes);
    free(packed);
    evs_buffer_fini(&lines);
}
END_TEST

START_TEST(a_packed_file_shorter_than_the_position_is_an_error)
{
    char packed[4096];
    size_t count = pack_gzip("{}\n{}\n", 6, packed, sizeof packed);
    struct reading reading = read_from(write_file("a.gz", packed, count), 7, 0, 0);
    ck_assert_int_eq(reading.status, EVS_E_STATE);
    reading = read_from(write_file("a.gz", packed, count), 6, 2, 0);
    ck_assert_int_eq(reading.status, EVS_END);
    ck_assert_uint_eq(reading.bytes.count, 0);
}
END_TEST

/* Lines round the limit and far beyond it: short ones whole; long ones cut, but long enough to be seen as such; indexes and offsets go
 * on as if nothing had been left out. */
START_TEST(a_line_that_is_too_long_is_cut)
{
    static const uint32_t lengths[] = {10, 2000000, 5, 600000, 600001, 600002, 600003, 262144, 262143, 1, 3000000, 7};
    const uint32_t limit = 600000;
    struct evs_buffer lines = {0}, expected = {0};
    for (size_t i = 0; i < EVS_COUNT(lengths); i++) {
        evs_buffer_reserve(&lines, lengths[i] + 1);
        memset(lines.data + lines.count, 'a' + (int)i, lengths[i]);
        lines.count += lengths[i];
        evs_buffer_put(&lines, "\n", i + 1 < EVS_COUNT(lengths) ? 1 : 0);
    }
    struct reading reading = read_from(write_file("a", lines.data, lines.count), 0, 0, limit);
    ck_assert_msg(reading.status == EVS_END, "%s", reading.error.text);
    ck_assert_uint_eq(reading.byte_offset, lines.count);
    ck_assert_uint_eq(reading.next_index, EVS_COUNT(lengths));
    size_t at = 0;
    for (size_t i = 0; i < EVS_COUNT(lengths); i++) {
        size_t kept = 0;
        while (at + kept < reading.bytes.count && reading.bytes.data[at + kept] == 'a' + (int)i) {
            kept++;
        }
        ck_assert_msg(kept == lengths[i] || (kept > limit + 1 && kept < lengths[i]), "line %zu: %zu of %u bytes", i,
                      kept, lengths[i]);
        at += kept;
        at += at < reading.bytes.count && reading.bytes.data[at] == '\n';
    }
    ck_assert_uint_eq(at, reading.bytes.count);
    ck_assert_uint_lt(reading.bytes.count, lines.count); /* the longest one was not held */
    evs_buffer_fini(&reading.bytes);
    evs_buffer_fini(&lines);
    evs_buffer_fini(&expected);
}
END_TEST

static void expect_look(const char *file, uint64_t offset, evs_status expected, const char *text)
{
    struct evs_arena arena = {0};
    struct evs_error error = {0};
    const struct evs_position position = {.sequence = 1, .byte_offset = offset};
    const struct evs_source_open open = {
        .os = evs_os_system(),
        .name = "clicks",
        .config = config_of(file, &arena),
        .worker_count = 1,
        .positions = &position,
        .position_count = offset > 0,
    };
    ck_assert_int_eq(evs_source_file.probe(&open, &error), expected);
    ck_assert_msg(strstr(error.text, text) != NULL, "%s", error.text);
    evs_arena_fini(&arena);
}

/* Before an engine that works is fenced, the next one looks whether it could go on. A pipe is left alone: opening it would wait for a writer. */
START_TEST(a_look_finds_what_cannot_be_read)
{
    char none[256], pipe_path[256];
    snprintf(none, sizeof none, "%s/none.ndjson", folder);
    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", folder);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    expect_look(none, 0, EVS_E_IO, "No such file");
    expect_look(write_file("a", "{}\n", 3), 4, EVS_E_STATE, "3 bytes");
    expect_look(write_file("a", "{}\n", 3), 3, EVS_OK, "");
    expect_look(write_file("a.gz", "{}\n", 3), 4, EVS_OK, ""); /* unpacking it all would take too long for a look */
    expect_look(pipe_path, 4, EVS_OK, "");
    expect_look("-", 4, EVS_OK, "");
}
END_TEST

START_TEST(only_worker_0_reads)
{
    struct evs_arena arena = {0};
    struct reading reading = {0};
    struct evs_source_open open = {.os = evs_os_system(),
                                   .name = "clicks",
                                   .config = config_of(write_file("a", "{}\n", 3), &arena),
                                   .worker = 1,
                                   .worker_count = 2};
    void *source;
    ck_assert_int_eq(evs_source_file.open(&open, &source, NULL), EVS_OK);
    ck_assert_int_eq(poll_once(source, &reading), EVS_END);
    evs_source_file.close(source);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(a_file_is_read_from_its_beginning_only)
{
    struct evs_arena arena = {0};
    struct evs_error error;
    struct evs_source_open open = {.os = evs_os_system(),
                                   .name = "clicks",
                                   .config = config_of(write_file("a", "{}\n", 3), &arena),
                                   .worker_count = 1,
                                   .start = EVS_START_LATEST};
    void *source;
    ck_assert_int_eq(evs_source_file.open(&open, &source, &error), EVS_E_USAGE);
    ck_assert_ptr_nonnull(strstr(error.text, "`clicks`"));
    const struct evs_option_value empty = {.option = evs_source_file.options, .is_set = true, .text = EVS_SLICE("")};
    const void *config;
    ck_assert_int_eq(evs_source_file.configure(&empty, &arena, &config, &error), EVS_E_PIPELINE);
    ck_assert_ptr_nonnull(strstr(error.text, "`path`"));
    evs_arena_fini(&arena);
}
END_TEST

/* Standard input that is a pipe: lines come through as they come, and a poll never waits for the next. */
START_TEST(standard_input_does_not_block)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    struct evs_arena arena = {0};
    struct reading reading = {0};
    void *source;
    ck_assert_int_eq(open_file("-", 0, 0, 0, &arena, &source, &reading.error), EVS_OK);
    struct evs_wait_fd fd;
    ck_assert_uint_eq(evs_source_file.wait_fds(source, &fd, 1), 1);
    ck_assert(fd.fd == STDIN_FILENO && fd.want_read && !fd.want_write);
    ck_assert_int_eq(poll_once(source, &reading), EVS_AGAIN);
    ck_assert_int_eq(write(ends[1], "{\"a\":1}\n{\"b\"", 12), 12);
    ck_assert_int_eq(poll_once(source, &reading), EVS_OK);
    ck_assert_uint_eq(reading.bytes.count, 8);
    ck_assert_int_eq(poll_once(source, &reading), EVS_AGAIN);
    ck_assert_int_eq(write(ends[1], ":2}", 3), 3);
    ck_assert_int_eq(poll_once(source, &reading), EVS_AGAIN);
    ck_assert_int_eq(close(ends[1]), 0);
    ck_assert_int_eq(poll_once(source, &reading), EVS_OK);
    ck_assert_uint_eq(reading.bytes.count, 15);
    ck_assert_int_eq(memcmp(reading.bytes.data, "{\"a\":1}\n{\"b\":2}", 15), 0);
    ck_assert_int_eq(poll_once(source, &reading), EVS_END);
    ck_assert_uint_eq(evs_source_file.wait_fds(source, &fd, 1), 0);
    evs_source_file.close(source);
    evs_buffer_fini(&reading.bytes);
    evs_arena_fini(&arena);
}
END_TEST

/* A named pipe: nobody writes yet, somebody does, and goes; no poll waits. */
START_TEST(a_named_pipe_does_not_block)
{
    snprintf(path, sizeof path, "%s/pipe", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    struct evs_arena arena = {0};
    struct reading reading = {0};
    void *source;
    ck_assert_int_eq(open_file(path, 0, 0, 0, &arena, &source, &reading.error), EVS_OK);
    struct evs_wait_fd fd;
    ck_assert_uint_eq(evs_source_file.wait_fds(source, &fd, 1), 1);
    ck_assert(fd.fd > STDERR_FILENO && fd.want_read && !fd.want_write);
    ck_assert_int_eq(poll_once(source, &reading), EVS_AGAIN);
    int writer = open(path, O_WRONLY);
    ck_assert_int_ge(writer, 0);
    ck_assert_int_eq(poll_once(source, &reading), EVS_AGAIN);
    ck_assert_int_eq(write(writer, "{\"a\":1}\n{\"b\"", 12), 12);
    ck_assert_int_eq(poll_once(source, &reading), EVS_OK);
    ck_assert_int_eq(poll_once(source, &reading), EVS_AGAIN);
    ck_assert_int_eq(write(writer, ":2}", 3), 3);
    ck_assert_int_eq(close(writer), 0);
    ck_assert_int_eq(poll_once(source, &reading), EVS_OK);
    ck_assert_uint_eq(reading.bytes.count, 15);
    ck_assert_int_eq(memcmp(reading.bytes.data, "{\"a\":1}\n{\"b\":2}", 15), 0);
    ck_assert_int_eq(poll_once(source, &reading), EVS_END);
    ck_assert_uint_eq(evs_source_file.wait_fds(source, &fd, 1), 0);
    evs_source_file.close(source);
    evs_buffer_fini(&reading.bytes);
    evs_arena_fini(&arena);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* The kernel's copy is slow when the block is not where the file's pages are: every read goes to a page. */
static struct evs_os watched;
static uint32_t reads, unaligned_reads;
static evs_status watched_read(struct evs_file *file, void *data, size_t bytes, size_t *got, struct evs_error *error)
{
    reads++;
    unaligned_reads += (uintptr_t)data % 4096 != 0;
    return evs_os_system()->files.read(file, data, bytes, got, error);
}

START_TEST(reads_go_to_pages_and_a_steady_state_allocates_nothing)
{
    struct evs_buffer lines = make_lines(40000);
    struct evs_arena arena = {0};
    watched = *evs_os_system();
    watched.files.read = watched_read;
    struct evs_position position = {.sequence = 1, .byte_offset = 5000, .next_index = 40};
    struct evs_source_open open = {.os = &watched,
                                   .name = "clicks",
                                   .config = config_of(write_file("a", lines.data, lines.count), &arena),
                                   .worker_count = 1,
                                   .positions = &position,
                                   .position_count = 1};
    void *source;
    ck_assert_int_eq(evs_source_file.open(&open, &source, NULL), EVS_OK);
    uint64_t before = evs_alloc_count();
    struct evs_message message;
    uint32_t count, pieces = 0;
    while (evs_source_file.poll(source, &message, 1, &count, NULL) == EVS_OK) {
        pieces++;
        ck_assert_uint_eq(evs_alloc_count(), before);
    }
    ck_assert_uint_gt(pieces, 10);
    ck_assert_uint_gt(reads, 10);
    ck_assert_uint_eq(unaligned_reads, 0);
    evs_source_file.close(source);
    evs_arena_fini(&arena);
    evs_buffer_fini(&lines);
}
END_TEST

/* --- several files ------------------------------------------------------------------------------------------------------------ */

static struct evs_source_open open_many(const char *pattern, struct evs_arena *arena, uint32_t worker,
                                        uint32_t worker_count)
{
    char whole[300];
    snprintf(whole, sizeof whole, "%s/%s", folder, pattern);
    return (struct evs_source_open){.os = evs_os_system(),
                                    .name = "clicks",
                                    .config = config_of(whole, arena),
                                    .worker = worker,
                                    .worker_count = worker_count};
}

static uint32_t mark_of(const char *name)
{
    char whole[300];
    snprintf(whole, sizeof whole, "%s/%s", folder, name);
    return evs_fingerprint(evs_slice_of(whole));
}

/* All that is left, each message as "PARTITION:its text", the end of a partition as "PARTITION:end". */
static struct evs_buffer read_many(void *source)
{
    struct evs_buffer said = {0};
    struct evs_message message;
    uint32_t count;
    evs_status status;
    while ((status = evs_source_file.poll(source, &message, 1, &count, NULL)) == EVS_OK) {
        evs_buffer_printf(&said, "%u:%.*s ", message.partition, message.ends_partition ? 3 : (int)message.payload.count,
                          message.ends_partition ? "end" : message.payload.data);
    }
    ck_assert_int_eq(status, EVS_END);
    evs_buffer_put(&said, "", 1);
    return said;
}

static void expect_many(struct evs_source_open open, const char *expected)
{
    void *source;
    struct evs_error error = {0};
    evs_status status = evs_source_file.open(&open, &source, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    struct evs_buffer said = read_many(source);
    ck_assert_str_eq(said.data, expected);
    evs_buffer_fini(&said);
    evs_source_file.close(source);
}

/* Byte by byte: "B" stands before "a", whatever the locale. Folders are no files. */
START_TEST(each_file_of_a_pattern_is_a_partition)
{
    struct evs_arena arena = {0};
    char inner[300];
    snprintf(inner, sizeof inner, "%s/z.in", folder);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    write_file("a.in", "a", 1);
    write_file("B.in", "b", 1);
    write_file("c.in", "", 0);
    write_file("d.out", "d", 1);
    expect_many(open_many("*.in", &arena, 0, 1), "0:b 0:end 1:a 1:end ");
    expect_many(open_many("*.in", &arena, 0, 2), "0:b 0:end ");
    expect_many(open_many("*.in", &arena, 1, 2), "1:a ");
    expect_many(open_many("*.in", &arena, 3, 4), "");
    expect_many(open_many("[ad].*", &arena, 0, 1), "0:a 0:end 1:d ");
    expect_many(open_many("?.out", &arena, 0, 1), "0:d ");
    snprintf(inner, sizeof inner, "%s/z.in/x", folder);
    FILE *file = fopen(inner, "wb");
    ck_assert(file != NULL && fputs("x", file) >= 0 && fclose(file) == 0);
    expect_many(open_many("z*/x", &arena, 0, 1), "0:x ");
    evs_arena_fini(&arena);
}
END_TEST

/* A message says where it comes from, and so does its position: by the file's path. */
START_TEST(messages_of_several_files_name_their_file)
{
    struct evs_arena arena = {0};
    write_file("a.in", "1\n", 2);
    write_file("b.in", "2\n", 2);
    struct evs_source_open open = open_many("*.in", &arena, 1, 2);
    void *source;
    ck_assert_int_eq(evs_source_file.open(&open, &source, NULL), EVS_OK);
    struct evs_position positions[2] = {{0}};
    ck_assert_uint_eq(evs_source_file.resolved(source, positions, 2), 1);
    ck_assert(positions[0].partition == 1 && positions[0].sequence == 0);
    ck_assert_uint_eq(positions[0].fingerprint, mark_of("b.in"));
    struct evs_message message;
    uint32_t count;
    ck_assert_int_eq(evs_source_file.poll(source, &message, 1, &count, NULL), EVS_OK);
    ck_assert_uint_eq(message.fingerprint, mark_of("b.in"));
    ck_assert(message.subject.count > 4 && memcmp(message.subject.data + message.subject.count - 4, "b.in", 4) == 0);
    struct evs_source_state state;
    evs_source_file.state(source, &state);
    ck_assert_uint_eq(state.partition_count, 2);
    evs_source_file.close(source);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(the_file_that_is_asked_for_is_read)
{
    struct evs_arena arena = {0};
    struct evs_buffer lines = make_lines(20000);
    write_file("a.in", lines.data, lines.count);
    write_file("b.in", lines.data, lines.count);
    write_file("c.in", "c", 1);
    struct evs_source_open open = open_many("*.in", &arena, 0, 1);
    void *source;
    ck_assert_int_eq(evs_source_file.open(&open, &source, NULL), EVS_OK);
    const uint32_t asked[] = {1, 0, 0, 1, 2, 1};
    struct evs_message message;
    uint32_t count;
    for (size_t i = 0; i < EVS_COUNT(asked); i++) {
        evs_source_file.steer(source, asked[i]);
        ck_assert_int_eq(evs_source_file.poll(source, &message, 1, &count, NULL), EVS_OK);
        ck_assert_uint_eq(message.partition, asked[i]);
    }
    evs_source_file.steer(source, 2);
    ck_assert_int_eq(evs_source_file.poll(source, &message, 1, &count, NULL), EVS_OK);
    ck_assert(message.partition == 2 && message.ends_partition);
    evs_source_file.steer(source, 2); /* it has ended: another one is read */
    ck_assert_int_eq(evs_source_file.poll(source, &message, 1, &count, NULL), EVS_OK);
    ck_assert(message.partition == 0 && !message.ends_partition);
    evs_source_file.close(source);
    evs_buffer_fini(&lines);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(each_file_goes_on_where_it_was)
{
    struct evs_arena arena = {0};
    write_file("a.in", "1\n2\n", 4);
    write_file("b.in", "3\n4\n", 4);
    const struct evs_position positions[] = {
        {.partition = 0, .sequence = 1, .byte_offset = 4, .next_index = 2, .fingerprint = mark_of("a.in")},
        {.partition = 1, .sequence = 1, .byte_offset = 2, .next_index = 1, .fingerprint = mark_of("b.in")},
    };
    struct evs_source_open open = open_many("*.in", &arena, 0, 1);
    open.positions = positions;
    open.position_count = 2;
    expect_many(open, "0:end 1:4\n ");
    evs_arena_fini(&arena);
}
END_TEST

static void expect_refused(struct evs_source_open open, evs_status expected, const char *text)
{
    struct evs_error error = {0}, looked = {0};
    void *source = NULL;
    ck_assert_int_eq(evs_source_file.open(&open, &source, &error), expected);
    ck_assert_ptr_null(source);
    ck_assert_msg(strstr(error.text, text) != NULL, "%s", error.text);
    ck_assert_int_eq(evs_source_file.probe(&open, &looked), expected);
    ck_assert_str_eq(error.text, looked.text);
}

/* Numbers of partitions are in the ids of what comes of their rows: with other files they would mean other rows. */
START_TEST(other_files_than_those_of_the_last_run_are_refused)
{
    struct evs_arena arena = {0};
    write_file("b.in", "1\n", 2);
    write_file("d.in", "2\n", 2);
    const struct evs_position positions[] = {{.partition = 0, .fingerprint = mark_of("b.in")},
                                             {.partition = 1, .sequence = 1, .fingerprint = mark_of("d.in")}};
    struct evs_source_open open = open_many("*.in", &arena, 0, 1);
    open.positions = positions;
    open.position_count = 2;
    expect_many(open, "0:1\n 0:end 1:2\n ");
    write_file("e.in", "", 0);
    expect_refused(open, EVS_E_STATE, "e.in` in this place");
    write_file("a.in", "", 0);
    expect_refused(open, EVS_E_STATE, "a.in` in this place");
    unlink(write_file("e.in", "", 0));
    unlink(write_file("a.in", "", 0));
    unlink(write_file("d.in", "", 0));
    expect_refused(open, EVS_E_STATE, "which had 2; ");
    struct evs_source_open single = open_many("b.in", &arena, 0, 1); /* a pattern became a name, and the other way */
    single.positions = positions;
    single.position_count = 1;
    expect_refused(single, EVS_E_STATE, "does not find the files of the last run");
    const struct evs_position unmarked = {.sequence = 1, .byte_offset = 2};
    struct evs_source_open pattern = open_many("?.in", &arena, 0, 1);
    pattern.positions = &unmarked;
    pattern.position_count = 1;
    expect_refused(pattern, EVS_E_STATE, "does not find the files of the last run");
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(a_pattern_that_names_nothing_or_too_much_is_told)
{
    struct evs_arena arena = {0};
    expect_refused(open_many("*.none", &arena, 0, 1), EVS_E_IO, "finds no file: nothing is called");
    write_file("x[1].in", "x", 1); /* a name that looks like a pattern is that file */
    expect_many(open_many("x[1].in", &arena, 0, 1), "0:x ");
    write_file("short.in", "1\n", 2);
    const struct evs_position behind = {.sequence = 1, .byte_offset = 9, .fingerprint = mark_of("short.in")};
    struct evs_source_open open = open_many("sh*.in", &arena, 0, 1);
    open.positions = &behind;
    open.position_count = 1;
    expect_refused(open, EVS_E_STATE, "has 2 bytes");
    for (uint32_t i = 0; i < 513; i++) {
        char name[32];
        snprintf(name, sizeof name, "%u.many", i);
        write_file(name, "", 0);
    }
    expect_refused(open_many("*.many", &arena, 0, 1), EVS_E_USAGE, "finds 513 files");
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(a_pattern_knows_what_it_would_read)
{
    struct evs_arena arena = {0};
    const void *many = config_of("./logs/*.ndjson", &arena), *one = config_of("logs.ndjson", &arena);
    ck_assert(evs_source_file.has_many(many) && !evs_source_file.has_many(one));
    ck_assert(evs_source_file.reads(many, "logs/a.ndjson") && evs_source_file.reads(many, "././logs/a.ndjson"));
    ck_assert(!evs_source_file.reads(many, "logs/b/a.ndjson") && !evs_source_file.reads(many, "logs/.a.ndjson"));
    ck_assert(!evs_source_file.reads(many, "a.ndjson"));
    evs_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("source_file");
    TCase *cases = tcase_create("source_file");
    tcase_add_checked_fixture(cases, make_folder, remove_folder);
    tcase_add_test(cases, each_file_of_a_pattern_is_a_partition);
    tcase_add_test(cases, messages_of_several_files_name_their_file);
    tcase_add_test(cases, the_file_that_is_asked_for_is_read);
    tcase_add_test(cases, each_file_goes_on_where_it_was);
    tcase_add_test(cases, other_files_than_those_of_the_last_run_are_refused);
    tcase_add_test(cases, a_pattern_that_names_nothing_or_too_much_is_told);
    tcase_add_test(cases, a_pattern_knows_what_it_would_read);
    tcase_add_test(cases, plain_and_packed_files_give_the_same_pieces);
    tcase_add_test(cases, the_last_line_needs_no_newline);
    tcase_add_test(cases, an_empty_file_ends_at_once);
    tcase_add_test(cases, lines_that_end_with_the_block);
    tcase_add_test(cases, errors_name_the_file);
    tcase_add_test(cases, a_packed_file_that_was_cut_off_is_an_error);
    tcase_add_test(cases, a_packed_file_shorter_than_the_position_is_an_error);
    tcase_add_test(cases, a_line_that_is_too_long_is_cut);
    tcase_add_test(cases, a_look_finds_what_cannot_be_read);
    tcase_add_test(cases, only_worker_0_reads);
    tcase_add_test(cases, a_file_is_read_from_its_beginning_only);
    tcase_add_test(cases, standard_input_does_not_block);
    tcase_add_test(cases, a_named_pipe_does_not_block);
    tcase_add_test(cases, reads_go_to_pages_and_a_steady_state_allocates_nothing);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
