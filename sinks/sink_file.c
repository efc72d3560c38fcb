/* Rows in files, each of them once.
 *
 * One file (path alone): how long it is belongs to the commit, and a restore cuts it back to that. Without a commit to go back to, it begins
 * empty. Standard output, pipes and devices cannot be cut: a run that resumes writes what it owes once more behind what is there.
 *
 * A series of files (rotate, rotate_bytes): readers see whole files only.
 *
 *     PIPELINE.SINK.NUMBER.BEGUN.part   ──► closed ──► the commit that says so ──► orders-2026-01-05-10.ndjson
 *
 * Rows go to one open part, which is closed when its time or size is over. A position is (number of the open part, its bytes), so a commit says of every
 * part what it is: those before the number are whole, that one is cut to its bytes, and those behind it were never there. Closed parts get
 * their names when a commit with a higher number is durable; a start gives the ones that a crash has left.
 *
 * The names come from the time at which a part was begun, by the clock on the wall (UTC), and not from the rows' event times: one file is open however late
 * events come, a closed file is never opened again, and what hour an event belongs to is in its columns. Hence a replay puts rows into other
 * files. What was begun in one hour and is closed at its end holds at most an hour; `rotate` counts from midnight UTC, so files of several pipelines
 * end together.
 *
 * A run without durable state has no commits: parts get their names when they are closed, also the last one, and a run that was killed begins anew. */
#include "sink_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "file_keep.h"
#include "file_name.h"
#include "file_writer.h"

#define OFFSET_BITS 40 /* of a position: number << 40 | bytes */
#define PART_BYTES_MAX (UINT64_C(1) << (OFFSET_BITS - 1))
#define COPIES_MAX 10000u

struct file_config {
    const char *path;
    int64_t rotate_us;     /* 0: not by time */
    uint64_t rotate_bytes; /* 0: not by size */
    int64_t keep_us;       /* 0: for ever */
};

struct part {
    uint64_t number;
    int64_t begun_us;
};

struct file_sink {
    const struct evs_os *os;
    struct evs_log *log;
    const struct file_config *config;
    const char *pipeline, *name;
    struct evs_slice header;
    bool is_durable;
    struct evs_file_writer *writer; /* NULL: no part is open */

    /* of a series */
    struct part open;    /* its number: of the next part while none is open */
    struct part *closed; /* without their names */
    uint32_t closed_count, closed_capacity;
    bool is_finished; /* no more input: what is open is closed */
};

/* --- options ------------------------------------------------------------------------------------------------------------------ */

enum { OPTION_PATH, OPTION_ROTATE, OPTION_ROTATE_BYTES, OPTION_KEEP };

static const struct evs_option file_options[] = {
    [OPTION_PATH] = {.name = "path",
                     .kind = EVS_OPTION_STRING,
                     .required = true,
                     .help = "The file to write, one row a line; `-` is standard output, and names that end in .gz or "
                             ".zst are packed."},
    [OPTION_ROTATE] = {.name = "rotate",
                       .kind = EVS_OPTION_DURATION,
                       .min = 1000000,
                       .max = INT64_C(366) * 24 * 3600 * 1000000,
                       .help = "How long a file is written to, counted from midnight UTC; then the next one begins. In "
                               "`path` stand {date}, {hour} and {minute}, when it was begun, and {part}, its number."},
    [OPTION_ROTATE_BYTES] = {.name = "rotate_bytes",
                             .kind = EVS_OPTION_BYTES,
                             .min = 1,
                             .max = (int64_t)PART_BYTES_MAX,
                             .help = "About how large a file becomes before the next one begins; `path` has {part}."},
    [OPTION_KEEP] = {.name = "keep",
                     .kind = EVS_OPTION_DURATION,
                     .min = INT64_C(3600) * 1000000,
                     .help = "How old a file of the series becomes before it is removed, by the time in its name; "
                             "without it none is. `path` has {date}."},
    {.name = NULL},
};

static bool rotates(const struct file_config *config)
{
    return config->rotate_us > 0 || config->rotate_bytes > 0;
}

static evs_status file_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                                 struct evs_error *error)
{
    struct evs_slice path = values[OPTION_PATH].text;
    if (path.count == 0 || memchr(path.data, '\0', path.count) != NULL) {
        return evs_fail(error, EVS_E_PIPELINE, "The option `path` must name a file; `-` is standard output.");
    }
    struct file_config *made = EVS_ARENA_NEW(arena, struct file_config);
    made->path = evs_arena_strndup(arena, path.data, path.count);
    made->rotate_us = values[OPTION_ROTATE].is_set ? values[OPTION_ROTATE].integer : 0;
    made->rotate_bytes = values[OPTION_ROTATE_BYTES].is_set ? (uint64_t)values[OPTION_ROTATE_BYTES].integer : 0;
    made->keep_us = values[OPTION_KEEP].is_set ? values[OPTION_KEEP].integer : 0;
    *config = made;
    if (made->keep_us > 0 && !rotates(made)) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "`keep` removes old files of a series, and this is one file: add `rotate` or `rotate_bytes`.");
    }
    if (rotates(made) && strcmp(made->path, "-") == 0) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "Standard output does not rotate: give `path` a name, or leave `%s` out.",
                        made->rotate_us > 0 ? "rotate" : "rotate_bytes");
    }
    evs_status status =
        rotates(made) ? evs_file_name_check(made->path, made->rotate_us, made->rotate_bytes > 0, error) : EVS_OK;
    return status == EVS_OK && made->keep_us > 0 ? evs_file_keep_check(made->path, error) : status;
}

const char *evs_sink_file_path(const void *config)
{
    return ((const struct file_config *)config)->path;
}

bool evs_sink_file_rotates(const void *config)
{
    return rotates(config);
}

/* --- names of parts ------------------------------------------------------------------------------------------------------------ */

/* "out/shop.orders." of the parts that nobody shall read yet. */
static void put_prefix(const struct file_sink *sink, bool with_folder, struct evs_buffer *out)
{
    evs_buffer_printf(out, "%.*s%s.%s.", with_folder ? (int)evs_file_name_folder(sink->config->path) : 0,
                      sink->config->path, sink->pipeline, sink->name);
}

static void put_part_path(const struct file_sink *sink, struct part part, struct evs_buffer *out)
{
    out->count = 0;
    put_prefix(sink, true, out);
    evs_buffer_printf(out, "%06" PRIu64 ".%" PRId64 ".part", part.number, part.begun_us);
    evs_buffer_put(out, "", 1);
}

/* Whether it is the name of a part of this sink, and of which. */
static bool read_part_name(const struct file_sink *sink, const char *name, struct part *part)
{
    struct evs_buffer prefix = {0};
    char *end = NULL;
    put_prefix(sink, false, &prefix);
    bool is_ours = strlen(name) > prefix.count && memcmp(name, prefix.data, prefix.count) == 0;
    if (is_ours) {
        part->number = strtoull(name + prefix.count, &end, 10);
        is_ours = *end == '.';
    }
    if (is_ours) {
        part->begun_us = strtoll(end + 1, &end, 10);
        is_ours = strcmp(end, ".part") == 0 && part->number > 0 && part->begun_us >= 0;
    }
    evs_buffer_fini(&prefix);
    return is_ours;
}

/* A file that has the name already stays: another run wrote it, or the clock was set back. */
static evs_status give_name(const struct file_sink *sink, struct part part, struct evs_error *error)
{
    const struct evs_files *files = &sink->os->files;
    struct evs_buffer from = {0}, to = {0};
    evs_status status = EVS_AGAIN;
    put_part_path(sink, part, &from);
    for (uint32_t copy = 1; status == EVS_AGAIN && copy < COPIES_MAX; copy++) {
        to.count = 0;
        evs_file_name_put(sink->config->path, part.begun_us, part.number, copy, &to);
        status = files->make_folders(files->self, to.data, error);
        status = status == EVS_OK ? files->rename(files->self, from.data, to.data, error) : status;
    }
    if (status == EVS_AGAIN) {
        status = evs_fail(error, EVS_E_IO, "There are %u files named like `%s` already.", COPIES_MAX, to.data);
    }
    evs_buffer_fini(&from);
    evs_buffer_fini(&to);
    return status;
}

static int64_t now_us(const struct file_sink *sink)
{
    return sink->os->clock.wall_us(sink->os->clock.self);
}

/* Rows are not stopped by a folder that cannot be cleared: it is told, and tried again behind the next file. */
static void forget_old(const struct file_sink *sink)
{
    const struct file_config *config = sink->config;
    struct evs_error error;
    uint32_t removed;
    if (config->keep_us == 0) {
        return;
    }
    int64_t before_us =
        now_us(sink) - config->keep_us - config->rotate_us; /* a file is written to until its time is over */
    if (evs_file_forget(&sink->os->files, config->path, before_us, &removed, &error) != EVS_OK) {
        evs_log(sink->log, EVS_LOG_WARN, "sink_file_keep", "%s: old files stay: %s", sink->name, error.text);
    } else if (removed > 0) {
        evs_log(sink->log, EVS_LOG_INFO, "sink_file_keep", "%s: %u old files are removed.", sink->name, removed);
    }
}

/* Those whose numbers are below `limit`. */
static evs_status name_closed(struct file_sink *sink, uint64_t limit, struct evs_error *error)
{
    uint32_t named = 0;
    evs_status status = EVS_OK;
    while (status == EVS_OK && named < sink->closed_count && sink->closed[named].number < limit) {
        status = give_name(sink, sink->closed[named], error);
        named += status == EVS_OK;
    }
    sink->closed_count -= named;
    if (named > 0) {
        memmove(sink->closed, sink->closed + named, sink->closed_count * sizeof *sink->closed);
        forget_old(sink);
    }
    return status;
}

/* --- parts ---------------------------------------------------------------------------------------------------------------------- */

static evs_status open_part(struct file_sink *sink, uint64_t offset, struct evs_error *error)
{
    struct evs_buffer path = {0};
    put_part_path(sink, sink->open, &path);
    struct evs_file_start start = {.path = path.data,
                                   .named = sink->config->path,
                                   .sink = sink->name,
                                   .resume = offset > 0,
                                   .offset = offset,
                                   .header = sink->header};
    evs_status status = evs_file_writer_open(sink->os, &start, &sink->writer, error);
    evs_buffer_fini(&path);
    return status;
}

static evs_status close_part(struct file_sink *sink, struct evs_error *error)
{
    uint64_t bytes;
    evs_status status = evs_file_writer_flush(sink->writer, true, &bytes, error);
    if (status != EVS_OK) {
        return status;
    }
    evs_file_writer_close(sink->writer);
    sink->writer = NULL;
    EVS_GROW(sink->closed, sink->closed_count, sink->closed_capacity);
    sink->closed[sink->closed_count++] = sink->open;
    sink->open.number++;
    return sink->is_durable ? EVS_OK : name_closed(sink, sink->open.number, error);
}

static bool is_full(const struct file_sink *sink)
{
    const struct file_config *config = sink->config;
    uint64_t bytes = evs_file_writer_bytes(sink->writer);
    bool is_old = config->rotate_us > 0 && now_us(sink) / config->rotate_us != sink->open.begun_us / config->rotate_us;
    return is_old || bytes >= PART_BYTES_MAX || (config->rotate_bytes > 0 && bytes >= config->rotate_bytes);
}

static evs_status close_if_due(struct file_sink *sink, struct evs_error *error)
{
    bool is_due = sink->writer != NULL && (sink->is_finished || is_full(sink));
    return is_due ? close_part(sink, error) : EVS_OK;
}

/* --- what an earlier run has left ------------------------------------------------------------------------------------------------ */

struct left { /* parts without their names, in no order */
    const struct file_sink *sink;
    struct part *parts;
    uint32_t count, capacity;
};

static void see_name(void *argument, const char *name)
{
    struct left *left = argument;
    struct part part;
    if (read_part_name(left->sink, name, &part)) {
        EVS_GROW(left->parts, left->count, left->capacity);
        left->parts[left->count++] = part;
    }
}

static evs_status find_parts(const struct file_sink *sink, struct left *left, struct evs_error *error)
{
    const struct evs_files *files = &sink->os->files;
    size_t bytes = evs_file_name_folder(sink->config->path);
    char *folder = bytes == 0 ? evs_strdup(".") : evs_strndup(sink->config->path, bytes);
    *left = (struct left){.sink = sink};
    evs_status status = files->list(files->self, folder, see_name, left, error);
    evs_free(folder);
    return status;
}

static evs_status settle_part(struct file_sink *sink, struct part part, uint64_t offset, struct evs_error *error)
{
    const struct evs_files *files = &sink->os->files;
    if (part.number < sink->open.number) { /* whole, and the commit knows it */
        return give_name(sink, part, error);
    }
    if (part.number == sink->open.number && offset > 0) {
        sink->open.begun_us = part.begun_us;
        return open_part(sink, offset, error);
    }
    struct evs_buffer path = {0};
    put_part_path(sink, part, &path);
    evs_status status = files->remove(files->self, path.data, error);
    evs_buffer_fini(&path);
    return status;
}

static int by_number(const void *a, const void *b)
{
    const struct part *left = a, *right = b;
    return left->number < right->number ? -1 : left->number > right->number;
}

/* Without a commit to go back to there is no part that counts. */
static evs_status settle_parts(struct file_sink *sink, const struct evs_sink_open *open, struct evs_error *error)
{
    struct left left;
    uint64_t position = open->resume ? open->resume_offset : 0, offset = position & ((UINT64_C(1) << OFFSET_BITS) - 1);
    sink->open.number = position >> OFFSET_BITS == 0 ? 1 : position >> OFFSET_BITS;
    offset = position >> OFFSET_BITS == 0 ? 0 : offset;
    evs_status status = find_parts(sink, &left, error);
    if (left.count > 0) {
        qsort(left.parts, left.count, sizeof *left.parts, by_number);
    }
    uint64_t counted = sink->open.number;
    for (uint32_t i = 0; i < left.count && status == EVS_OK; i++) {
        bool counts = open->resume && (left.parts[i].number < counted || offset > 0);
        status = settle_part(sink, left.parts[i], counts ? offset : 0, error);
    }
    evs_free(left.parts);
    if (status == EVS_OK && offset > 0 && sink->writer == NULL) {
        return evs_fail(error, EVS_E_STATE,
                        "The part %" PRIu64
                        " of the sink `%s`, which the last commit was writing, is gone (%.*s%s.%s.*.part). Bring it "
                        "back, or give the pipeline another name (`pipeline NAME;`) to start with empty state.",
                        sink->open.number, sink->name, (int)evs_file_name_folder(sink->config->path),
                        sink->config->path, sink->pipeline, sink->name);
    }
    return status;
}

/* --- the slots of the contract ------------------------------------------------------------------------------------------------- */

static void file_close(void *instance)
{
    struct file_sink *sink = instance;
    if (sink != NULL) {
        evs_file_writer_close(sink->writer);
        evs_free(sink->closed);
        evs_free(sink);
    }
}

static evs_status open_single(struct file_sink *sink, const struct evs_sink_open *open, struct evs_error *error)
{
    struct evs_file_start start = {.path = sink->config->path,
                                   .named = sink->config->path,
                                   .sink = sink->name,
                                   .resume = open->resume,
                                   .offset = open->resume_offset,
                                   .header = sink->header};
    return evs_file_writer_open(sink->os, &start, &sink->writer, error);
}

static evs_status open_series(struct file_sink *sink, const struct evs_sink_open *open, struct evs_error *error)
{
    const struct evs_files *files = &sink->os->files;
    evs_status status = files->make_folders(files->self, sink->config->path, error);
    status = status == EVS_OK ? settle_parts(sink, open, error) : status;
    if (status == EVS_OK) {
        forget_old(sink);
    }
    return status;
}

static evs_status file_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    struct file_sink *sink = evs_alloc_zero(sizeof *sink);
    sink->os = open->os;
    sink->log = open->log;
    sink->config = open->config;
    sink->pipeline = open->pipeline;
    sink->name = open->name;
    sink->header = open->header;
    sink->is_durable = open->epoch != 0;
    evs_status status = rotates(sink->config) ? open_series(sink, open, error) : open_single(sink, open, error);
    if (status != EVS_OK) {
        file_close(sink);
        return status;
    }
    *instance = sink;
    return EVS_OK;
}

static evs_status file_append(void *instance, struct evs_slice bytes, struct evs_error *error)
{
    struct file_sink *sink = instance;
    evs_status status = EVS_OK;
    if (rotates(sink->config)) {
        status = close_if_due(sink, error);
        if (status == EVS_OK && sink->writer == NULL) {
            sink->open.begun_us = now_us(sink);
            status = open_part(sink, 0, error);
        }
    }
    return status == EVS_OK ? evs_file_writer_append(sink->writer, bytes, error) : status;
}

static evs_status flush_series(struct file_sink *sink, bool sync, uint64_t *offset, struct evs_error *error)
{
    uint64_t bytes = 0;
    evs_status status = close_if_due(sink, error);
    if (status == EVS_OK && sink->writer != NULL) {
        status = evs_file_writer_flush(sink->writer, sync, &bytes, error);
    }
    *offset = sink->open.number << OFFSET_BITS | bytes;
    return status;
}

static evs_status file_flush(void *instance, bool sync, uint64_t *offset, struct evs_error *error)
{
    struct file_sink *sink = instance;
    return rotates(sink->config) ? flush_series(sink, sync, offset, error)
                                 : evs_file_writer_flush(sink->writer, sync, offset, error);
}

static evs_status file_committed(void *instance, uint64_t offset, struct evs_error *error)
{
    return name_closed(instance, offset >> OFFSET_BITS, error);
}

static bool file_awaits_commit(void *instance)
{
    return ((const struct file_sink *)instance)->closed_count > 0;
}

static void file_finish(void *instance)
{
    struct file_sink *sink = instance;
    sink->is_finished = true;
}

const struct evs_sink evs_sink_file = {
    .kind = "file",
    .shape = EVS_SINK_BYTES,
    .single = true,
    .options = file_options,
    .file_option = "path",
    .configure = file_configure,
    .open = file_open,
    .append = file_append,
    .flush = file_flush,
    .committed = file_committed,
    .awaits_commit = file_awaits_commit,
    .finish = file_finish,
    .close = file_close,
};
