#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool_reader.h"

#define SPOOL_POSITION_EVERY_US 1000000
#define SPOOL_SUFFIX ".spool"
#define SPOOL_NAME_BYTES (16 + sizeof SPOOL_SUFFIX)

struct spool_segment {
    uint64_t first, last;         /* numbers of its records; last 0: it has none */
    uint64_t synced;              /* the last one that is on disk */
    uint64_t bytes, synced_bytes; /* written; known to be on disk */
    struct evs_file *file;        /* NULL: nothing more is written or synced */
};

/* One sync, handed to the thread and back: whoever does not hold it keeps its hands off. */
enum { JOB_NONE, JOB_ASKED, JOB_DONE };
struct spool_job {
    _Atomic int phase;
    struct evs_file *file;
    uint64_t last, bytes; /* what the sync covers */
    evs_status result;
    struct evs_error error;
};

struct spool_range {
    uint64_t first, last;
};

struct evs_spool {
    struct evs_spool_options options;
    int lock_fd;
    struct spool_segment *segments; /* the oldest first */
    uint32_t segment_count, segment_capacity;
    struct evs_spool_state state;
    struct evs_buffer scratch;
    struct spool_range *failed;
    uint32_t failed_count, failed_capacity;

    struct evs_spool_reader reader;
    uint64_t reading;      /* first number of the reader's segment; valid when reader.file is open */
    uint64_t read;         /* the last number that was given out */
    uint64_t noted_number; /* in the position file */
    int64_t noted_us;

    struct evs_thread *thread;
    struct evs_park *park;
    struct spool_job job;
    _Atomic bool stop;
};

/* --- names and small files -------------------------------------------------------------------------------------------- */

static char *spool_path(const struct evs_spool *spool, const char *name)
{
    size_t bytes = strlen(spool->options.folder) + strlen(name) + 2;
    char *path = evs_alloc(bytes);
    snprintf(path, bytes, "%s/%s", spool->options.folder, name);
    return path;
}

static char *spool_segment_path(const struct evs_spool *spool, uint64_t first)
{
    char name[SPOOL_NAME_BYTES];
    snprintf(name, sizeof name, "%016" PRIx64 SPOOL_SUFFIX, first);
    return spool_path(spool, name);
}

struct spool_position {
    char magic[8];
    uint64_t number;
    uint32_t crc, zero;
};
static const char spool_position_magic[8] = "EVSPOS1\n";

static uint64_t spool_read_position(const struct evs_spool *spool)
{
    const struct evs_files *files = &spool->options.os->files;
    char *path = spool_path(spool, "position");
    struct evs_file *file = NULL;
    struct spool_position position = {0};
    size_t got = 0;
    bool read = files->open(files->self, path, EVS_FILE_READ, &file, NULL) == EVS_OK &&
                files->read(file, &position, sizeof position, &got, NULL) == EVS_OK;
    if (file != NULL) {
        files->close(file);
    }
    evs_free(path);
    bool whole = read && got == sizeof position && memcmp(position.magic, spool_position_magic, 8) == 0 &&
                 position.crc == evs_crc32c(0, &position.number, sizeof position.number);
    return whole ? position.number : 0;
}

/* Without a sync: a kill of this process keeps it, and after a power cut sending again is all that it costs. */
static void spool_note_position(struct evs_spool *spool, bool at_once)
{
    const struct evs_files *files = &spool->options.os->files;
    int64_t now_us = evs_monotonic_us(spool->options.os);
    if (spool->noted_number == spool->state.delivered ||
        (!at_once && now_us - spool->noted_us < SPOOL_POSITION_EVERY_US)) {
        return;
    }
    struct spool_position position = {.number = spool->state.delivered};
    memcpy(position.magic, spool_position_magic, sizeof position.magic);
    position.crc = evs_crc32c(0, &position.number, sizeof position.number);
    char *path = spool_path(spool, "position");
    struct evs_file *file = NULL;
    struct evs_error error;
    evs_status status = files->open(files->self, path, EVS_FILE_WRITE_RESUME, &file, &error);
    if (status == EVS_OK) {
        status = files->write(file, &position, sizeof position, &error);
        files->close(file);
    }
    if (status != EVS_OK) {
        evs_log(spool->options.log, EVS_LOG_WARN, "spool_position", "%s Messages may be sent again.", error.text);
    }
    spool->noted_number = spool->state.delivered;
    spool->noted_us = now_us;
    evs_free(path);
}

/* --- the syncing thread ------------------------------------------------------------------------------------------------ */

static void spool_sync_main(void *argument)
{
    struct evs_spool *spool = argument;
    const struct evs_os *os = spool->options.os;
    struct spool_job *job = &spool->job;
    while (!atomic_load(&spool->stop)) {
        if (atomic_load(&job->phase) != JOB_ASKED) {
            (void)os->sockets.wait(os->sockets.self, spool->park, NULL, 0, -1);
            continue;
        }
        job->result = os->files.sync(job->file, &job->error);
        atomic_store(&job->phase, JOB_DONE);
        spool->options.wake(spool->options.wake_context);
    }
}

static struct spool_segment *spool_find(struct evs_spool *spool, const struct evs_file *file)
{
    for (uint32_t i = 0; i < spool->segment_count; i++) {
        if (spool->segments[i].file == file) {
            return &spool->segments[i];
        }
    }
    EVS_ASSERT(!"a segment stays while its sync is under way");
    return NULL;
}

static void spool_seal(struct evs_spool *spool, struct spool_segment *segment)
{
    spool->options.os->files.close(segment->file);
    segment->file = NULL;
}

/* The kernel may have thrown away what it could not write: nothing behind the last good sync can be promised any more. */
static void spool_give_up(struct evs_spool *spool, struct spool_segment *segment)
{
    const struct evs_files *files = &spool->options.os->files;
    struct evs_error error;
    evs_log(spool->options.log, EVS_LOG_ERROR, "spool_sync", "%s What came since the last sync is refused.",
            spool->job.error.text);
    spool->state.sync_failures++;
    EVS_GROW(spool->failed, spool->failed_count, spool->failed_capacity);
    uint64_t first = spool->state.synced + 1;
    spool->failed[spool->failed_count++] = (struct spool_range){first, segment->last};
    if (files->truncate(segment->file, segment->synced_bytes, &error) != EVS_OK) {
        evs_log(spool->options.log, EVS_LOG_WARN, "spool_sync", "%s Refused events may be sent all the same.",
                error.text);
    }
    spool->state.synced = segment->last;
    spool->state.bytes -= segment->bytes - segment->synced_bytes;
    segment->bytes = segment->synced_bytes;
    segment->last = segment->synced;
    spool_seal(spool, segment);
}

static void spool_take_job(struct evs_spool *spool)
{
    struct spool_job *job = &spool->job;
    if (atomic_load(&job->phase) != JOB_DONE) {
        return;
    }
    struct spool_segment *segment = spool_find(spool, job->file);
    atomic_store(&job->phase, JOB_NONE);
    if (job->result != EVS_OK) {
        spool_give_up(spool, segment);
        return;
    }
    spool->state.syncs++;
    spool->state.synced = segment->synced = job->last;
    segment->synced_bytes = job->bytes;
    bool is_newest = segment == &spool->segments[spool->segment_count - 1];
    if (!is_newest && segment->synced == segment->last) {
        spool_seal(spool, segment);
    }
}

static void spool_drop_delivered(struct evs_spool *spool);

void evs_spool_sync(struct evs_spool *spool)
{
    spool_take_job(spool);
    spool_drop_delivered(spool);
    if (atomic_load(&spool->job.phase) != JOB_NONE) {
        return;
    }
    for (uint32_t i = 0; i < spool->segment_count; i++) {
        struct spool_segment *segment = &spool->segments[i];
        if (segment->synced < segment->last) {
            EVS_ASSERT(segment->file != NULL);
            spool->job.file = segment->file;
            spool->job.last = segment->last;
            spool->job.bytes = segment->bytes;
            atomic_store(&spool->job.phase, JOB_ASKED);
            spool->options.os->threads.wake(spool->park);
            return;
        }
    }
}

bool evs_spool_failed(struct evs_spool *spool, uint64_t *first, uint64_t *last)
{
    if (spool->failed_count == 0) {
        return false;
    }
    *first = spool->failed[0].first;
    *last = spool->failed[0].last;
    memmove(spool->failed, spool->failed + 1, --spool->failed_count * sizeof *spool->failed);
    return true;
}

/* --- writing ------------------------------------------------------------------------------------------------------------ */

static evs_status spool_new_segment(struct evs_spool *spool, struct evs_error *error)
{
    const struct evs_files *files = &spool->options.os->files;
    struct spool_segment segment = {.first = spool->state.next};
    char *path = spool_segment_path(spool, segment.first);
    evs_status status = files->open(files->self, path, EVS_FILE_WRITE_TRUNCATE, &segment.file, error);
    evs_free(path);
    if (status == EVS_OK) {
        EVS_GROW(spool->segments, spool->segment_count, spool->segment_capacity);
        spool->segments[spool->segment_count++] = segment;
    }
    return status;
}

/* The segment to write to. */
static evs_status spool_writable(struct evs_spool *spool, struct spool_segment **segment, struct evs_error *error)
{
    struct spool_segment *newest = spool->segment_count > 0 ? &spool->segments[spool->segment_count - 1] : NULL;
    bool fits = newest != NULL && newest->file != NULL && newest->bytes < spool->options.segment_bytes;
    if (!fits) {
        bool done = newest != NULL && newest->file != NULL && newest->synced == newest->last;
        if (done) {
            spool_seal(spool, newest);
        }
        evs_status status = spool_new_segment(spool, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    *segment = &spool->segments[spool->segment_count - 1];
    return EVS_OK;
}

/* Takes back what a failed write has left. If even that fails, reading skips it as damage. */
static void spool_undo(struct evs_spool *spool, struct spool_segment *segment)
{
    const struct evs_files *files = &spool->options.os->files;
    struct evs_error error;
    if (files->truncate(segment->file, segment->bytes, &error) != EVS_OK ||
        files->seek(segment->file, segment->bytes, &error) != EVS_OK) {
        evs_log(spool->options.log, EVS_LOG_WARN, "spool_write", "%s", error.text);
    }
}

evs_status evs_spool_append(struct evs_spool *spool, struct evs_spool_record *record, struct evs_error *error)
{
    const struct evs_files *files = &spool->options.os->files;
    record->number = spool->state.next;
    spool->scratch.count = 0;
    evs_spool_encode(record, &spool->scratch);
    if (spool->state.bytes + spool->scratch.count > spool->options.bytes_max) {
        return evs_fail(error, EVS_E_LIMIT, "The spool %s is full (%" PRIu64 " bytes).", spool->options.folder,
                        spool->options.bytes_max);
    }
    struct spool_segment *segment;
    evs_status status = spool_writable(spool, &segment, error);
    if (status != EVS_OK) {
        return status;
    }
    status = files->write(segment->file, spool->scratch.data, spool->scratch.count, error);
    if (status != EVS_OK) {
        spool_undo(spool, segment);
        return status == EVS_E_CANCELLED ? EVS_E_IO : status;
    }
    segment->last = spool->state.next++;
    segment->bytes += spool->scratch.count;
    spool->state.bytes += spool->scratch.count;
    return EVS_OK;
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

static struct spool_segment *spool_segment_to_read(struct evs_spool *spool)
{
    for (uint32_t i = 0; i < spool->segment_count; i++) {
        struct spool_segment *segment = &spool->segments[i];
        if (segment->synced > spool->read) {
            return segment;
        }
    }
    return NULL;
}

static evs_status spool_enter(struct evs_spool *spool, const struct spool_segment *segment)
{
    struct evs_error error;
    if (spool->reader.file != NULL && spool->reading == segment->first) {
        return EVS_OK;
    }
    evs_spool_reader_close(&spool->reader);
    char *path = spool_segment_path(spool, segment->first);
    evs_status status = evs_spool_reader_open(&spool->reader, spool->options.os, path, &error);
    if (status != EVS_OK) {
        evs_log(spool->options.log, EVS_LOG_ERROR, "spool_read", "%s", error.text);
    }
    spool->reading = segment->first;
    evs_free(path);
    return status;
}

/* The rest of a segment that cannot be read is lost; what comes behind it must not wait for it. */
static void spool_abandon(struct evs_spool *spool, const struct spool_segment *segment)
{
    spool->state.damaged_bytes += segment->bytes - spool->reader.offset;
    evs_log(spool->options.log, EVS_LOG_ERROR, "spool_damaged",
            "The spool's records %" PRIu64 " to %" PRIu64 " cannot be read: they are lost.", spool->read + 1,
            segment->synced);
    spool->read = segment->synced;
}

evs_status evs_spool_next(struct evs_spool *spool, struct evs_spool_record *record)
{
    struct evs_error error;
    struct spool_segment *segment;
    while ((segment = spool_segment_to_read(spool)) != NULL) {
        evs_status status = spool_enter(spool, segment);
        while (status == EVS_OK) {
            status = evs_spool_reader_next(&spool->reader, segment->file != NULL, record, &error);
            if (status == EVS_OK && record->number > spool->read) {
                spool->read = record->number;
                return EVS_OK;
            }
        }
        spool_abandon(spool, segment);
    }
    return EVS_END;
}

void evs_spool_rewind(struct evs_spool *spool)
{
    evs_spool_reader_close(&spool->reader);
    spool->read = spool->state.delivered;
}

static void spool_remove_oldest(struct evs_spool *spool)
{
    struct spool_segment *oldest = &spool->segments[0];
    if (spool->reader.file != NULL && spool->reading == oldest->first) {
        evs_spool_reader_close(&spool->reader);
    }
    if (oldest->file != NULL) {
        spool_seal(spool, oldest);
    }
    char *path = spool_segment_path(spool, oldest->first);
    if (unlink(path) != 0 && errno != ENOENT) {
        evs_log(spool->options.log, EVS_LOG_WARN, "spool_remove", "Cannot remove `%s`: %s.", path, strerror(errno));
    }
    evs_free(path);
    EVS_ASSERT(spool->state.bytes >= oldest->bytes);
    spool->state.bytes -= oldest->bytes;
    memmove(spool->segments, spool->segments + 1, --spool->segment_count * sizeof *spool->segments);
}

static void spool_drop_delivered(struct evs_spool *spool)
{
    while (spool->segment_count > 0) {
        const struct spool_segment *oldest = &spool->segments[0];
        bool in_job = atomic_load(&spool->job.phase) != JOB_NONE && spool->job.file == oldest->file;
        if (in_job || oldest->synced < oldest->last || oldest->last > spool->state.delivered) {
            return;
        }
        spool_note_position(spool, true);
        spool_remove_oldest(spool);
    }
}

void evs_spool_delivered(struct evs_spool *spool, uint64_t number)
{
    EVS_ASSERT(number < spool->state.next);
    if (number > spool->state.delivered) {
        spool->state.delivered = number;
        spool_note_position(spool, false);
        spool_drop_delivered(spool);
    }
}

bool evs_spool_is_empty(const struct evs_spool *spool)
{
    for (uint32_t i = 0; i < spool->segment_count; i++) {
        if (spool->segments[i].last > spool->state.delivered) {
            return false;
        }
    }
    return true;
}

void evs_spool_state(const struct evs_spool *spool, struct evs_spool_state *state)
{
    *state = spool->state;
}

/* --- opening ------------------------------------------------------------------------------------------------------------ */

static evs_status spool_lock(struct evs_spool *spool, struct evs_error *error)
{
    const char *folder = spool->options.folder;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return evs_fail(error, EVS_E_IO, "Cannot make the spool's folder `%s`: %s.", folder, strerror(errno));
    }
    char *path = spool_path(spool, "lock");
    spool->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    evs_status status = EVS_OK;
    if (spool->lock_fd < 0) {
        status = evs_fail(error, EVS_E_IO, "Cannot open the file `%s`: %s.", path, strerror(errno));
    } else if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        status = evs_fail(error, EVS_E_USAGE,
                          "Another collector uses the spool `%s`. Give each its own folder with --spool.", folder);
    }
    evs_free(path);
    return status;
}

static int spool_compare(const void *a, const void *b)
{
    uint64_t x = ((const struct spool_segment *)a)->first, y = ((const struct spool_segment *)b)->first;
    return (x > y) - (x < y);
}

static evs_status spool_list(struct evs_spool *spool, struct evs_error *error)
{
    DIR *folder = opendir(spool->options.folder);
    if (folder == NULL) {
        return evs_fail(error, EVS_E_IO, "Cannot read the folder `%s`: %s.", spool->options.folder, strerror(errno));
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char *end;
        uint64_t first = strtoull(entry->d_name, &end, 16);
        if (first > 0 && end == entry->d_name + 16 && strcmp(end, SPOOL_SUFFIX) == 0) {
            EVS_GROW(spool->segments, spool->segment_count, spool->segment_capacity);
            spool->segments[spool->segment_count++] = (struct spool_segment){.first = first};
        }
    }
    closedir(folder);
    if (spool->segment_count > 0) {
        qsort(spool->segments, spool->segment_count, sizeof *spool->segments, spool_compare);
    }
    return EVS_OK;
}

/* Cuts what a kill has left half-written at the end: it was never promised, and must not look like damage at the next start. */
static void spool_cut_tail(struct evs_spool *spool, struct spool_segment *segment, uint64_t end, const char *path)
{
    const struct evs_files *files = &spool->options.os->files;
    struct evs_file *file = NULL;
    evs_status status = files->open(files->self, path, EVS_FILE_WRITE_RESUME, &file, NULL);
    if (status == EVS_OK) {
        status = files->truncate(file, end, NULL);
        files->close(file);
    }
    evs_log(spool->options.log, EVS_LOG_INFO, "spool_tail", "%" PRIu64 " bytes at the end of %s were not whole: %s.",
            segment->bytes - end, path, status == EVS_OK ? "cut off" : "left there");
    segment->bytes = end;
}

static evs_status spool_scan(struct evs_spool *spool, struct spool_segment *segment, struct evs_error *error)
{
    struct evs_spool_record record;
    bool is_regular, is_newest = segment == &spool->segments[spool->segment_count - 1];
    char *path = spool_segment_path(spool, segment->first);
    evs_status status = evs_spool_reader_open(&spool->reader, spool->options.os, path, error);
    if (status == EVS_OK) {
        status = spool->options.os->files.size(spool->reader.file, &segment->bytes, &is_regular, error);
    }
    while (status == EVS_OK && (status = evs_spool_reader_next(&spool->reader, false, &record, error)) == EVS_OK) {
        segment->last = record.number > segment->last ? record.number : segment->last;
        spool->state.recovered += record.number > spool->state.delivered;
    }
    uint64_t end = spool->reader.offset, damaged = spool->reader.damaged_bytes;
    evs_spool_reader_close(&spool->reader);
    if (status == EVS_END && end < segment->bytes && is_newest) {
        spool_cut_tail(spool, segment, end, path);
    }
    damaged += segment->bytes - end;
    if (status == EVS_END && damaged > 0) {
        evs_log(spool->options.log, EVS_LOG_ERROR, "spool_damaged",
                "%" PRIu64 " bytes of %s are damaged: the messages in them are lost.", damaged, path);
    }
    segment->synced = segment->last;
    segment->synced_bytes = segment->bytes;
    spool->state.damaged_bytes += damaged;
    spool->state.bytes += segment->bytes;
    evs_free(path);
    return status == EVS_END ? EVS_OK : status;
}

static evs_status spool_recover(struct evs_spool *spool, struct evs_error *error)
{
    evs_status status = spool_list(spool, error);
    spool->state.delivered = spool->noted_number = spool_read_position(spool);
    uint64_t newest = spool->state.delivered;
    for (uint32_t i = 0; i < spool->segment_count && status == EVS_OK; i++) {
        struct spool_segment *segment = &spool->segments[i];
        status = spool_scan(spool, segment, error);
        newest = segment->last > newest ? segment->last : newest;
        newest = segment->first > newest ? segment->first : newest; /* its name must stay its own */
    }
    spool->state.next = newest + 1;
    spool->state.synced = newest;
    spool->read = spool->state.delivered;
    return status;
}

evs_status evs_spool_open(const struct evs_spool_options *options, struct evs_spool **result, struct evs_error *error)
{
    EVS_ASSERT(options->wake != NULL && options->bytes_max > 0 && options->segment_bytes > 0);
    struct evs_spool *spool = evs_alloc_zero(sizeof *spool);
    spool->options = *options;
    spool->options.folder = evs_strdup(options->folder);
    spool->lock_fd = -1;
    spool->park = options->os->threads.park_new(options->os->threads.self);
    evs_status status = spool_lock(spool, error);
    if (status == EVS_OK) {
        status = spool_recover(spool, error);
    }
    if (status == EVS_OK) {
        spool_drop_delivered(spool);
        status =
            options->os->threads.spawn(options->os->threads.self, "evs-spool", spool_sync_main, spool, &spool->thread);
    }
    if (status != EVS_OK) {
        evs_spool_close(spool);
        return status;
    }
    *result = spool;
    return EVS_OK;
}

void evs_spool_close(struct evs_spool *spool)
{
    const struct evs_os *os = spool->options.os;
    if (spool->thread != NULL) {
        atomic_store(&spool->stop, true);
        os->threads.wake(spool->park);
        os->threads.join(spool->thread);
        spool_note_position(spool, true);
    }
    for (uint32_t i = 0; i < spool->segment_count; i++) {
        if (spool->segments[i].file != NULL) {
            spool_seal(spool, &spool->segments[i]);
        }
    }
    evs_spool_reader_close(&spool->reader);
    if (spool->lock_fd >= 0) {
        close(spool->lock_fd);
    }
    os->threads.park_free(spool->park);
    evs_buffer_fini(&spool->scratch);
    evs_free(spool->segments);
    evs_free(spool->failed);
    evs_free((char *)spool->options.folder);
    evs_free(spool);
}
