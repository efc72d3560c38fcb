/* Files that rotate: readers see whole files only, and whatever a crash leaves, every row stands in them once. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_name.h"
#include "sink_file.h"
#include "unit.h"

#define HOUR (INT64_C(3600) * 1000 * 1000)
#define NOON INT64_C(1767614400000000) /* 2026-01-05T12:00:00Z */

static struct evs_arena arena;
static char folder[] = "/tmp/evs_series_XXXXXX";
static int64_t clock_us;
static struct evs_os os;

static int64_t wall_us(void *self)
{
    (void)self;
    return clock_us;
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    os = *evs_os_system();
    os.clock.wall_us = wall_us;
    clock_us = NOON;
}

static void tear_down(void)
{
    evs_arena_fini(&arena);
    unit_remove_folder(folder);
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
}

/* --- helpers ------------------------------------------------------------------------------------------------------------------- */

struct settings {
    const char *name; /* behind the folder */
    int64_t rotate_us, rotate_bytes, keep_us;
    const char *header;
    bool in_memory;
};

static evs_status configure(const struct settings *settings, const void **config, struct evs_error *error)
{
    const char *path = evs_arena_printf(&arena, "%s/%s", folder, settings->name);
    struct evs_option_value values[8] = {0};
    for (size_t i = 0; evs_sink_file.options[i].name != NULL; i++) {
        const char *name = evs_sink_file.options[i].name;
        int64_t integer = strcmp(name, "rotate") == 0         ? settings->rotate_us
                          : strcmp(name, "rotate_bytes") == 0 ? settings->rotate_bytes
                          : strcmp(name, "keep") == 0         ? settings->keep_us
                                                              : 0;
        values[i] =
            (struct evs_option_value){.option = &evs_sink_file.options[i], .is_set = integer > 0, .integer = integer};
    }
    values[0].is_set = true;
    values[0].text = evs_slice_of(path);
    return evs_sink_file.configure(values, &arena, config, error);
}

static evs_status try_open(const struct settings *settings, uint64_t position, void **sink, struct evs_error *error)
{
    const void *config;
    ck_assert_int_eq(configure(settings, &config, error), EVS_OK);
    const struct evs_sink_open open = {.os = &os,
                                       .pipeline = "shop",
                                       .name = "out",
                                       .config = config,
                                       .epoch = settings->in_memory ? 0 : 7,
                                       .header = evs_slice_of(settings->header == NULL ? "" : settings->header),
                                       .resume = position > 0,
                                       .resume_offset = position};
    return evs_sink_file.open(&open, sink, error);
}

static void *open_sink(const struct settings *settings, uint64_t position)
{
    void *sink;
    struct evs_error error = {0};
    ck_assert_msg(try_open(settings, position, &sink, &error) == EVS_OK, "%s", error.text);
    return sink;
}

static void append(void *sink, const char *text)
{
    struct evs_error error = {0};
    ck_assert_msg(evs_sink_file.append(sink, evs_slice_of(text), &error) == EVS_OK, "%s", error.text);
}

static uint64_t flush(void *sink)
{
    uint64_t position = 0;
    struct evs_error error = {0};
    ck_assert_msg(evs_sink_file.flush(sink, true, &position, &error) == EVS_OK, "%s", error.text);
    return position;
}

static void committed(void *sink, uint64_t position)
{
    struct evs_error error = {0};
    ck_assert_msg(evs_sink_file.committed(sink, position, &error) == EVS_OK, "%s", error.text);
}

/* Names and contents of a folder's files in order, "a.txt=one\n;b.txt=two\n;"; parts are shown by their number alone. */
static void show(const char *under, struct evs_buffer *out)
{
    struct dirent **entries;
    const char *path = evs_arena_printf(&arena, "%s/%s", folder, under);
    int count = scandir(path, &entries, NULL, alphasort);
    ck_assert_int_ge(count, 0);
    for (int i = 0; i < count; i++) {
        char text[4096];
        struct stat about;
        const char *file = evs_arena_printf(&arena, "%s/%s", path, entries[i]->d_name);
        ck_assert_int_eq(stat(file, &about), 0);
        if (S_ISREG(about.st_mode)) {
            FILE *stream = fopen(file, "rb");
            text[fread(text, 1, sizeof text - 1, stream)] = '\0';
            fclose(stream);
            bool is_part = strstr(file, ".part") != NULL;
            evs_buffer_printf(out, "%s%.*s=%s;", is_part ? "part " : "", is_part ? 6 : 200,
                              entries[i]->d_name + (is_part ? strlen("shop.out.") : 0), text);
        }
        free(entries[i]);
    }
    free(entries);
}

#define HOLDS(under, expected)                                                                                         \
    do {                                                                                                               \
        struct evs_buffer shown_ = {0};                                                                                \
        show(under, &shown_);                                                                                          \
        evs_buffer_put(&shown_, "", 1);                                                                                \
        ck_assert_str_eq(shown_.data, expected);                                                                       \
        evs_buffer_fini(&shown_);                                                                                      \
    } while (0)

/* --- tests ---------------------------------------------------------------------------------------------------------------------- */

static const struct settings hourly = {.name = "{date}-{hour}.txt", .rotate_us = HOUR};

START_TEST(named_behind_the_commit)
{
    void *sink = open_sink(&hourly, 0);
    append(sink, "a\n");
    uint64_t first = flush(sink);
    clock_us += HOUR;
    append(sink, "b\n");
    uint64_t second = flush(sink);
    HOLDS("", "part 000001=a\n;part 000002=b\n;");
    committed(sink, first); /* the commit that says that part 1 was open */
    HOLDS("", "part 000001=a\n;part 000002=b\n;");
    committed(sink, second);
    HOLDS("", "2026-01-05-12.txt=a\n;part 000002=b\n;");
    evs_sink_file.close(sink);
}
END_TEST

/* Nothing need come for a file to end: a flush sees that its time is over. */
START_TEST(ends_in_silence)
{
    void *sink = open_sink(&hourly, 0);
    append(sink, "a\n");
    flush(sink);
    clock_us += HOUR;
    committed(sink, flush(sink));
    HOLDS("", "2026-01-05-12.txt=a\n;");
    clock_us += 5 * HOUR;
    committed(sink, flush(sink));
    HOLDS("", "2026-01-05-12.txt=a\n;");
    append(sink, "b\n");
    flush(sink);
    HOLDS("", "2026-01-05-12.txt=a\n;part 000002=b\n;");
    evs_sink_file.close(sink);
}
END_TEST

/* What a crash leaves at each place, and what a start makes of it. */
START_TEST(restores)
{
    void *sink = open_sink(&hourly, 0);
    append(sink, "a\n");
    uint64_t first = flush(sink);
    append(sink, "lost\n");
    clock_us += HOUR;
    append(sink, "b\n");
    uint64_t second = flush(sink);
    append(sink, "lost\n");
    flush(sink);
    evs_sink_file.close(sink);
    switch (_i) {
    case 0: /* the commit before: part 1 goes on, part 2 was never there */
        sink = open_sink(&hourly, first);
        HOLDS("", "part 000001=a\n;");
        append(sink, "b\n"); /* its hour is over */
        committed(sink, flush(sink));
        HOLDS("", "2026-01-05-12.txt=a\n;part 000002=b\n;");
        break;
    case 1: /* the commit that closed part 1 came, its name did not */
        sink = open_sink(&hourly, second);
        HOLDS("", "2026-01-05-12.txt=a\nlost\n;part 000002=b\n;");
        break;
    default: /* no commit at all */
        sink = open_sink(&hourly, 0);
        HOLDS("", "");
        append(sink, "a\n");
        committed(sink, flush(sink));
        HOLDS("", "part 000001=a\n;");
    }
    evs_sink_file.close(sink);
}
END_TEST

START_TEST(part_is_gone)
{
    void *sink = open_sink(&hourly, 0);
    append(sink, "a\n");
    uint64_t position = flush(sink);
    evs_sink_file.close(sink);
    unit_remove_folder(folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    struct evs_error error = {0};
    ck_assert_int_eq(try_open(&hourly, position, &sink, &error), EVS_E_STATE);
    ck_assert_ptr_nonnull(strstr(error.text, "part 1 of the sink `out`"));
}
END_TEST

START_TEST(by_size_with_header)
{
    const struct settings settings = {.name = "{part}.csv", .rotate_bytes = 8, .header = "h\n"};
    void *sink = open_sink(&settings, 0);
    append(sink, "123\n");
    append(sink, "456\n");
    append(sink, "789\n");
    committed(sink, flush(sink));
    HOLDS("", "000001.csv=h\n123\n456\n;part 000002=h\n789\n;");
    uint64_t position = flush(sink);
    evs_sink_file.close(sink);
    sink = open_sink(&settings, position); /* no second header */
    append(sink, "abc\n");
    evs_sink_file.finish(sink);
    committed(sink, flush(sink));
    HOLDS("", "000001.csv=h\n123\n456\n;000002.csv=h\n789\nabc\n;");
    evs_sink_file.close(sink);
}
END_TEST

START_TEST(in_folders)
{
    const struct settings settings = {.name = "new/dt={date}/{hour}.txt", .rotate_us = HOUR};
    void *sink = open_sink(&settings, 0);
    append(sink, "a\n");
    clock_us += 12 * HOUR;
    append(sink, "b\n");
    committed(sink, flush(sink));
    HOLDS("new/dt=2026-01-05", "12.txt=a\n;");
    HOLDS("new", "part 000002=b\n;");
    evs_sink_file.close(sink);
}
END_TEST

/* A name that is taken, by another run or because the clock was set back, is not written over. */
START_TEST(keeps_what_is_there)
{
    for (int i = 1; i <= 3; i++) {
        const struct settings settings = {.name = "{date}-{hour}.ndjson.gz", .rotate_us = HOUR, .in_memory = true};
        void *sink = open_sink(&settings, 0);
        append(sink, "row\n");
        evs_sink_file.finish(sink);
        flush(sink);
        evs_sink_file.close(sink);
        const char *name =
            i == 1 ? "2026-01-05-12.ndjson.gz" : evs_arena_printf(&arena, "2026-01-05-12-%d.ndjson.gz", i);
        ck_assert_int_eq(access(evs_arena_printf(&arena, "%s/%s", folder, name), R_OK), 0);
    }
}
END_TEST

static void put_file(const char *name)
{
    const char *path = evs_arena_printf(&arena, "%s/%s", folder, name);
    struct evs_error error;
    ck_assert_int_eq(os.files.make_folders(os.files.self, path, &error), EVS_OK);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
}

static bool is_there(const char *name)
{
    return access(evs_arena_printf(&arena, "%s/%s", folder, name), F_OK) == 0;
}

/* Ten days are kept; the time in the name counts, and what could not be one of the series is somebody else's. */
START_TEST(old_files_go)
{
    static const char *const old[] = {"s/dt=2025-12-26/11.csv.gz", "s/dt=2025-12-26/11-2.csv.gz",
                                      "s/dt=2025-12-26/10-12.csv.gz", "s/dt=2024-02-29/23.csv.gz"};
    static const char *const kept[] = {
        "s/dt=2025-12-26/12.csv.gz",    "s/dt=2025-12-27/00.csv.gz",     "s/dt=2025-12-25/notes.txt",
        "s/dt=2025-12-25/1.csv.gz",     "s/dt=2025-12-25/11.csv",        "s/dt=2025-12-25/11-.csv.gz",
        "s/dt=2025-12-25/11-x.csv.gz",  "s/dt=2025-02-29/11.csv.gz",     "s/dt=2025-12-25x/11.csv.gz",
        "s/xdt=2025-12-25/11.csv.gz",   "s/dt=2025-12-25/sub/11.csv.gz", "s/2025-12-25/11.csv.gz",
        "s/dt=2025-12-25/11.csv.gz.bak"};
    const struct settings settings = {
        .name = "s/dt={date}/{hour}.csv.gz", .rotate_us = HOUR, .keep_us = 10 * 24 * HOUR - HOUR};
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        put_file(old[i]);
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        put_file(kept[i]);
    }
    void *sink = open_sink(&settings, 0);
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        ck_assert_msg(!is_there(old[i]), "%s", old[i]);
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        ck_assert_msg(is_there(kept[i]), "%s", kept[i]);
    }
    ck_assert_msg(!is_there("s/dt=2024-02-29"), "an empty folder goes with its last file");
    append(sink, "a\n");
    clock_us += HOUR;
    committed(sink, flush(sink));
    ck_assert_msg(!is_there("s/dt=2025-12-26/12.csv.gz") && is_there("s/dt=2025-12-27/00.csv.gz"),
                  "behind the next file");
    ck_assert(is_there("s/dt=2026-01-05/12.csv.gz"));
    evs_sink_file.close(sink);
}
END_TEST

/* A day without an hour is old when all of it is. */
START_TEST(old_days_go)
{
    const struct settings settings = {.name = "{date}-{part}", .rotate_bytes = 1, .keep_us = 24 * HOUR};
    put_file("2026-01-03-000007");
    put_file("2026-01-04-000008");
    evs_sink_file.close(open_sink(&settings, 0));
    ck_assert(!is_there("2026-01-03-000007") && is_there("2026-01-04-000008"));
}
END_TEST

START_TEST(keep_needs_a_date)
{
    const struct settings wrong[] = {{.name = "{part}.csv", .rotate_bytes = 5, .keep_us = HOUR},
                                     {.name = "one.csv", .keep_us = HOUR}};
    const char *const words[] = {"put {date} into `path`", "add `rotate`"};
    for (int i = 0; i < 2; i++) {
        const void *config;
        struct evs_error error;
        ck_assert_int_eq(configure(&wrong[i], &config, &error), EVS_E_PIPELINE);
        ck_assert_msg(strstr(error.text, words[i]) != NULL, "%s", error.text);
    }
}
END_TEST

START_TEST(names_that_would_clash)
{
    static const struct {
        const char *name;
        int64_t rotate_us, rotate_bytes;
        const char *told; /* NULL: it is right */
    } cases[] = {
        {"{date}.txt", 24 * HOUR, 0, NULL},
        {"{date}.txt", HOUR, 0, "{date} and {hour}"},
        {"{date}-{hour}.txt", HOUR / 4, 0, "{minute}"},
        {"{date}-{hour}-{minute}.txt", HOUR / 4, 0, NULL},
        {"{date}-{hour}-{minute}.txt", HOUR / 7200, 0, "{part}"},
        {"a.txt", HOUR, 0, "{date} and {hour}"},
        {"{date}-{hour}.txt", HOUR, 1000, "rotate_bytes"},
        {"{part}.txt", HOUR, 1000, NULL},
        {"{day}-{part}.txt", HOUR, 0, "no other braces"},
        {"{user_id}-{part}.txt", 0, 1000, "no other braces"},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        const struct settings settings = {
            .name = cases[i].name, .rotate_us = cases[i].rotate_us, .rotate_bytes = cases[i].rotate_bytes};
        const void *config;
        struct evs_error error = {0};
        evs_status status = configure(&settings, &config, &error);
        ck_assert_int_eq(status, cases[i].told == NULL ? EVS_OK : EVS_E_PIPELINE);
        ck_assert_msg(cases[i].told == NULL || strstr(error.text, cases[i].told) != NULL, "%s", error.text);
    }
}
END_TEST

/* Runs that die at random places, restored at their last commit: what stands in named files and the open part is what was written, once and in order. */
START_TEST(random_deaths)
{
    const struct settings settings = {.name = "{date}-{hour}-{part}.txt", .rotate_us = HOUR, .rotate_bytes = 60};
    uint64_t seed = (uint64_t)_i + 1, position = 0;
    uint32_t written = 0, kept = 0;
    for (int life = 0; life < 12; life++) {
        void *sink = open_sink(&settings, position);
        written = kept;
        for (uint32_t steps = (uint32_t)(unit_random(&seed) % 30); steps > 0; steps--) {
            char line[16];
            snprintf(line, sizeof line, "%06u\n", written++);
            append(sink, line);
            clock_us += (int64_t)(unit_random(&seed) % (HOUR / 10));
            if (unit_random(&seed) % 4 == 0) {
                uint64_t at = flush(sink);
                if (unit_random(&seed) % 3 > 0) { /* the commit is made; it may die before it hears of it */
                    position = at;
                    kept = written;
                    if (unit_random(&seed) % 2 == 0) {
                        committed(sink, at);
                    }
                }
            }
        }
        evs_sink_file.close(sink);
    }
    void *sink = open_sink(&settings, position);
    evs_sink_file.finish(sink);
    committed(sink, flush(sink));
    evs_sink_file.close(sink);
    struct evs_buffer shown = {0};
    show("", &shown);
    evs_buffer_put(&shown, "", 1);
    ck_assert_ptr_null(strstr(shown.data, "part "));
    uint32_t next = 0;
    for (char *at = shown.data; (at = strpbrk(at, "=\n")) != NULL; at++) {
        if (at[1] >= '0' && at[1] <= '9' && at[7] == '\n') {
            ck_assert_uint_eq((uint32_t)strtoul(at + 1, NULL, 10), next++);
        }
    }
    ck_assert_uint_eq(next, kept);
    evs_buffer_fini(&shown);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sink_file_series");
    TCase *tests = tcase_create("series");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, named_behind_the_commit);
    tcase_add_test(tests, ends_in_silence);
    tcase_add_loop_test(tests, restores, 0, 3);
    tcase_add_test(tests, part_is_gone);
    tcase_add_test(tests, by_size_with_header);
    tcase_add_test(tests, in_folders);
    tcase_add_test(tests, keeps_what_is_there);
    tcase_add_test(tests, old_files_go);
    tcase_add_test(tests, old_days_go);
    tcase_add_test(tests, keep_needs_a_date);
    tcase_add_test(tests, names_that_would_clash);
    tcase_add_loop_test(tests, random_deaths, 0, 40);
    return unit_run(suite);
}
