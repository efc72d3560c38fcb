/* The file connector: one file, or all files that a pattern names, each a partition of its own.
 *
 *   path = 'clicks.ndjson'        partition 0
 *   path = 'clicks-*.ndjson'      partition 0: clicks-a.ndjson, 1: clicks-b.ndjson, …: in the order of their names, byte by byte
 *
 * Files are found when the source is opened, and are the same until its end. Which partition a row is of is part of its cause, and so of the ids of what comes of it: a
 * run that goes on must find the same files under the same numbers. So each position carries the hash of its file's path, from the first commit on, before anything is
 * read; a set that is another one is refused, and nothing is read twice or left out in silence.
 *
 * Which of its files a worker reads next is the runtime's choice (`steer`): the one that is furthest behind in event time. So files of the same hours are read side by
 * side, and hours that follow each other one after the other, and in both cases few windows are open. A file that is over says so, or the time of all would stand still
 * at its end. All files that have begun and have not ended are open at a time: hence FILES_MAX. */
#include "source_file.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <unistd.h>

#include "evstream/memory.h"
#include "file_bytes.h"
#include "file_lines.h"

#define FILES_MAX 512u
#define ROW_BYTES_UNSAID (64u << 20) /* the longest row when nothing is said */
/* What a worker's files have together in blocks; of very many each has less, but enough for some lines. */
#define BLOCKS_BYTES ((size_t)16 << 20)
#define BLOCK_BYTES_MIN ((size_t)32 << 10)

struct file_config {
    const char *path;
    bool is_pattern;
};

/* The files, by partition. */
struct files {
    char **paths;
    uint32_t count, capacity;
};

struct part {
    const char *path;
    uint32_t partition;
    uint32_t fingerprint;         /* of its path; 0: the only file, whatever it is called */
    uint64_t byte_offset;         /* where reading begins */
    struct evs_file_lines *lines; /* NULL: not begun, or ended */
    bool ended;
};

struct file_source {
    const struct evs_os *os;
    struct files files;
    bool is_pattern;
    uint32_t worker, worker_count;
    struct part *parts; /* the worker's own: partition worker + i × worker_count */
    uint32_t part_count, ended_count;
    uint32_t at; /* the part that is read */
    size_t line_bytes_max, block_bytes;
};

/* --- options ------------------------------------------------------------------------------------------------------------ */

static const struct evs_option file_options[] = {
    {
        .name = "path",
        .kind = EVS_OPTION_STRING,
        .required = true,
        .help =
            "The file to read, one JSON object a line, or a pattern as in a shell (`logs/*.ndjson`): each file that it "
            "names is a partition. `-` is standard input, and names that end in .gz or .zst are unpacked.",
    },
    {.name = NULL},
};

static bool is_pattern(const char *path)
{
    return strpbrk(path, "*?[") != NULL;
}

static evs_status file_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                                 struct evs_error *error)
{
    struct evs_slice path = evs_option_find(values, "path")->text;
    if (path.count == 0 || memchr(path.data, '\0', path.count) != NULL) {
        return evs_fail(error, EVS_E_PIPELINE, "The option `path` must name a file; `-` is standard input.");
    }
    struct file_config *made = EVS_ARENA_NEW(arena, struct file_config);
    made->path = evs_arena_strndup(arena, path.data, path.count);
    made->is_pattern = is_pattern(made->path);
    *config = made;
    return EVS_OK;
}

static bool file_has_many(const void *config)
{
    return ((const struct file_config *)config)->is_pattern;
}

static const char *without_here(const char *path)
{
    while (strncmp(path, "./", 2) == 0) {
        path += 2;
    }
    return path;
}

static bool file_reads(const void *config, const char *path)
{
    const struct file_config *file = config;
    return fnmatch(without_here(file->path), without_here(path),
                   FNM_PATHNAME | FNM_PERIOD | (file->is_pattern ? 0 : FNM_NOESCAPE)) == 0;
}

/* --- which files ---------------------------------------------------------------------------------------------------------- */

static void add_file(void *argument, const char *path)
{
    struct files *files = argument;
    EVS_GROW(files->paths, files->count, files->capacity);
    files->paths[files->count++] = evs_strdup(path);
}

static void free_files(struct files *files)
{
    for (uint32_t i = 0; i < files->count; i++) {
        evs_free(files->paths[i]);
    }
    evs_free(files->paths);
}

/* Not by the locale: the next run may have another one. */
static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static evs_status find_files(const struct file_config *config, const struct evs_source_open *open, struct files *files,
                             struct evs_error *error)
{
    if (!config->is_pattern) {
        add_file(files, config->path);
        return EVS_OK;
    }
    const struct evs_files *os = &open->os->files;
    evs_status status = os->match(os->self, config->path, add_file, files, error);
    if (status != EVS_OK) {
        return status;
    }
    if (files->count == 0) {
        return evs_fail(error, EVS_E_IO, "The source `%s` finds no file: nothing is called `%s`.", open->name,
                        config->path);
    }
    if (files->count > FILES_MAX) {
        return evs_fail(error, EVS_E_USAGE,
                        "The source `%s` finds %u files that are called `%s`; it can read %u together. Name fewer, or "
                        "put them together first.",
                        open->name, files->count, config->path, FILES_MAX);
    }
    qsort(files->paths, files->count, sizeof *files->paths, by_bytes);
    return EVS_OK;
}

static uint32_t fingerprint_of(const struct file_config *config, const char *path)
{
    uint32_t hash = config->is_pattern ? evs_fingerprint(evs_slice_of(path)) : 0;
    return hash == 0 && config->is_pattern ? 1 : hash;
}

/* NULL: none. */
static const struct evs_position *position_of(const struct evs_source_open *open, uint32_t partition)
{
    for (uint32_t i = 0; i < open->position_count; i++) {
        if (open->positions[i].partition == partition) {
            return &open->positions[i];
        }
    }
    return NULL;
}

/* Are these the files of the last run? A state that was begun in a single file has no hash, for a single file may be moved. */
static evs_status check_files(const struct file_config *config, const struct evs_source_open *open,
                              const struct files *files, struct evs_error *error)
{
    const char *stranger = NULL;
    for (uint32_t i = 0; i < files->count && stranger == NULL && open->position_count > 0; i++) {
        const struct evs_position *position = position_of(open, i);
        bool is_known = position != NULL && position->fingerprint == fingerprint_of(config, files->paths[i]);
        stranger = is_known ? NULL : files->paths[i];
    }
    if (open->position_count == 0 || (stranger == NULL && open->position_count == files->count)) {
        return EVS_OK;
    }
    return evs_fail(
        error, EVS_E_STATE,
        "The source `%s` does not find the files of the last run, which had %u; `%s` names %u today%s%s%s. Bring the "
        "old "
        "files back, and name new ones otherwise, or give the pipeline another name (`pipeline NAME;`) to start with "
        "empty state.",
        open->name, open->position_count, config->path, files->count,
        stranger == NULL ? "" : ", and the last run did not have `", stranger == NULL ? "" : stranger,
        stranger == NULL ? "" : "` in this place");
}

static evs_status check_start(const struct evs_source_open *open, struct evs_error *error)
{
    if (open->end_before_us > 0 || open->end_sequence > 0) {
        return evs_fail(error, EVS_E_USAGE,
                        "The source `%s` reads a file, which can only be read to its end: leave --to out.", open->name);
    }
    if (open->start == EVS_START_EARLIEST || open->start == EVS_START_COMMITTED || open->position_count > 0) {
        return EVS_OK;
    }
    return evs_fail(error, EVS_E_USAGE,
                    "The source `%s` reads a file, which can only be read from its beginning: use --from earliest.",
                    open->name);
}

static evs_status find_and_check(const struct file_config *config, const struct evs_source_open *open,
                                 struct files *files, struct evs_error *error)
{
    evs_status status = check_start(open, error);
    status = status == EVS_OK ? find_files(config, open, files, error) : status;
    return status == EVS_OK ? check_files(config, open, files, error) : status;
}

static uint64_t offset_of(const struct evs_source_open *open, uint32_t partition)
{
    const struct evs_position *position = position_of(open, partition);
    return position == NULL || position->sequence == 0 ? 0 : position->byte_offset;
}

static evs_status probe_files(const struct evs_source_open *open, const struct files *files, struct evs_error *error)
{
    evs_status status = EVS_OK;
    for (uint32_t i = open->worker; i < files->count && status == EVS_OK; i += open->worker_count) {
        status = evs_file_bytes_probe(open->os, files->paths[i], offset_of(open, i), error);
    }
    return status;
}

static evs_status file_probe(const struct evs_source_open *open, struct evs_error *error)
{
    struct files files = {0};
    evs_status status = find_and_check(open->config, open, &files, error);
    status = status == EVS_OK ? probe_files(open, &files, error) : status;
    free_files(&files);
    return status;
}

/* --- open and close -------------------------------------------------------------------------------------------------------- */

static void file_close(void *instance)
{
    struct file_source *source = instance;
    for (uint32_t i = 0; i < source->part_count; i++) {
        evs_file_lines_close(source->parts[i].lines);
    }
    evs_free(source->parts);
    free_files(&source->files);
    evs_free(source);
}

static void make_parts(struct file_source *source, const struct evs_source_open *open)
{
    const struct file_config *config = open->config;
    source->worker = open->worker;
    source->worker_count = open->worker_count;
    source->parts = evs_alloc_zero((source->files.count / open->worker_count + 1u) * sizeof *source->parts);
    for (uint32_t i = open->worker; i < source->files.count; i += open->worker_count) {
        source->parts[source->part_count++] = (struct part){
            .path = source->files.paths[i],
            .partition = i,
            .fingerprint = fingerprint_of(config, source->files.paths[i]),
            .byte_offset = offset_of(open, i),
        };
    }
    size_t block_bytes = BLOCKS_BYTES / (source->part_count + 1u);
    block_bytes = block_bytes > EVS_FILE_BLOCK_BYTES ? EVS_FILE_BLOCK_BYTES : block_bytes;
    block_bytes = block_bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : block_bytes;
    source->block_bytes = block_bytes - block_bytes % EVS_FILE_PAGE_BYTES;
}

static evs_status begin_part(struct file_source *source, struct part *part, struct evs_error *error)
{
    const struct evs_file_lines_open how = {
        .os = source->os,
        .path = part->path,
        .byte_offset = part->byte_offset,
        .line_bytes_max = source->line_bytes_max,
        .block_bytes = source->block_bytes,
        .may_wait = !source->is_pattern,
    };
    return evs_file_lines_open(&how, &part->lines, error);
}

static evs_status file_open(const struct evs_source_open *open, void **instance, struct evs_error *error)
{
    const struct file_config *config = open->config;
    EVS_ASSERT(open->worker_count > 0 && open->worker < open->worker_count);
    struct file_source *source = evs_alloc_zero(sizeof *source);
    source->os = open->os;
    source->is_pattern = config->is_pattern;
    /* Two bytes more: a '\r' at the end is not part of a row. */
    source->line_bytes_max = (size_t)(open->row_bytes_max == 0 ? ROW_BYTES_UNSAID : open->row_bytes_max) + 2;
    evs_status status = find_and_check(config, open, &source->files, error);
    if (status == EVS_OK) {
        make_parts(source, open);
        /* Of several each is opened when it is read, and what can be known of it is known now. */
        status = config->is_pattern       ? probe_files(open, &source->files, error)
                 : source->part_count > 0 ? begin_part(source, &source->parts[0], error)
                                          : EVS_OK;
    }
    if (status != EVS_OK) {
        file_close(source);
        return status;
    }
    *instance = source;
    return EVS_OK;
}

/* The hash of its path is each file's mark from the first commit on. A single one has none. */
static uint32_t file_resolved(void *instance, struct evs_position *positions, uint32_t max)
{
    const struct file_source *source = instance;
    uint32_t count = source->is_pattern ? source->part_count : 0;
    EVS_ASSERT(count <= max);
    for (uint32_t i = 0; i < count; i++) {
        positions[i] =
            (struct evs_position){.partition = source->parts[i].partition, .fingerprint = source->parts[i].fingerprint};
    }
    return count;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static void file_steer(void *instance, uint32_t partition)
{
    struct file_source *source = instance;
    EVS_ASSERT(partition % source->worker_count == source->worker);
    EVS_ASSERT(partition / source->worker_count < source->part_count);
    source->at = partition / source->worker_count;
}

/* The part that was asked for, or the next one that has not ended: there is one. */
static struct part *part_to_read(struct file_source *source)
{
    while (source->parts[source->at].ended) {
        source->at = (source->at + 1) % source->part_count;
    }
    return &source->parts[source->at];
}

/* A file is over. Of the last one that is the end of all. */
static evs_status end_part(struct file_source *source, struct part *part, struct evs_message *message)
{
    evs_file_lines_close(part->lines);
    part->lines = NULL;
    part->ended = true;
    if (++source->ended_count == source->part_count) {
        return EVS_END;
    }
    *message = (struct evs_message){
        .partition = part->partition, .ingested_at_us = INT64_MIN, .last_of_position = true, .ends_partition = true};
    return EVS_OK;
}

static evs_status next_message(struct file_source *source, struct evs_message *message, struct evs_error *error)
{
    if (source->ended_count == source->part_count) {
        return EVS_END;
    }
    struct part *part = part_to_read(source);
    evs_status status = part->lines == NULL ? begin_part(source, part, error) : EVS_OK;
    if (status != EVS_OK) {
        return status;
    }
    status = evs_file_lines_next(part->lines, message, error);
    if (status == EVS_END) {
        return end_part(source, part, message);
    }
    if (status == EVS_OK) {
        message->partition = part->partition;
        message->fingerprint = part->fingerprint;
        message->subject = source->is_pattern ? evs_slice_of(part->path) : (struct evs_slice){0};
    }
    return status;
}

static evs_status file_poll(void *instance, struct evs_message *messages, uint32_t max, uint32_t *count,
                            struct evs_error *error)
{
    EVS_ASSERT(max > 0);
    evs_status status = next_message(instance, messages, error);
    *count = status == EVS_OK;
    return status;
}

static bool has_ended(const struct file_source *source)
{
    uint32_t ended = source->ended_count;
    for (uint32_t i = 0; i < source->part_count; i++) {
        ended += source->parts[i].lines != NULL && evs_file_lines_ended(source->parts[i].lines);
    }
    return ended == source->part_count;
}

static void file_state(void *instance, struct evs_source_state *state)
{
    const struct file_source *source = instance;
    *state = (struct evs_source_state){.partition_count = source->files.count, .ended = has_ended(source)};
}

static uint32_t file_wait_fds(void *instance, struct evs_wait_fd *fds, uint32_t max)
{
    const struct file_source *source = instance;
    bool is_open = !source->is_pattern && source->part_count > 0 && source->parts[0].lines != NULL;
    int fd = is_open ? evs_file_lines_wait_fd(source->parts[0].lines) : -1;
    if (fd < 0 || max == 0) {
        return 0;
    }
    fds[0] = (struct evs_wait_fd){.fd = fd, .want_read = true};
    return 1;
}

static void file_committed(void *instance, const struct evs_position *positions, uint32_t count)
{
    (void)instance, (void)positions, (void)count; /* nothing is kept for an older position */
}

const struct evs_source evs_source_file = {
    .kind = "file",
    .bounded = true,
    .options = file_options,
    .file_option = "path",
    .has_many = file_has_many,
    .reads = file_reads,
    .configure = file_configure,
    .open = file_open,
    .probe = file_probe,
    .poll = file_poll,
    .state = file_state,
    .steer = file_steer,
    .wait_fds = file_wait_fds,
    .committed = file_committed,
    .close = file_close,
    .resolved = file_resolved,
};
