/* The newest rows of a dead letter sink that writes to a file: its last lines. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>

#include "parts.h"
#include "sink_file.h"

/* A file has no ids: a letter is known by the line and its number, which do not change, for the file only grows. */
static bool keep_line(struct evs_letters_rows *rows, struct evs_slice line, size_t offset)
{
    char id[40];
    uint64_t place = offset;
    struct evs_hash128 hash = evs_hash128(line.data, line.count);
    snprintf(id, sizeof id, "%016llx%016llx", (unsigned long long)(hash.high ^ evs_hash64(&place, sizeof place)),
             (unsigned long long)hash.low);
    return evs_letters_keep(rows, line, evs_slice_of(id), EVS_TIME_MIN);
}

/* From the end on. What stands behind the last line end is still being written. */
static void take_lines(struct evs_letters_rows *rows, const char *text, size_t count)
{
    while (count > 0 && text[count - 1] != '\n') {
        count--;
    }
    while (count > 0) {
        size_t end = count - 1, begin = end;
        while (begin > 0 && text[begin - 1] != '\n') {
            begin--;
        }
        if (!keep_line(rows, (struct evs_slice){text + begin, end - begin}, begin)) {
            return;
        }
        count = begin;
    }
}

static evs_status take_file(int fd, const char *path, struct evs_letters_rows *rows, struct evs_error *error)
{
    struct stat about;
    if (fstat(fd, &about) != 0) {
        return evs_fail(error, EVS_E_IO, "Cannot read %s: %s.", path, strerror(errno));
    }
    if (about.st_size == 0) {
        return EVS_OK;
    }
    size_t bytes = (size_t)about.st_size;
    char *text = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED) {
        return evs_fail(error, EVS_E_IO, "Cannot read %s: %s.", path, strerror(errno));
    }
    take_lines(rows, text, bytes);
    munmap(text, bytes);
    return EVS_OK;
}

static bool ends_with(const char *text, const char *ending)
{
    size_t count = strlen(text), ending_count = strlen(ending);
    return count > ending_count && strcmp(text + count - ending_count, ending) == 0;
}

evs_status evs_letters_read_file(struct evs_letters *letters, const struct evs_plan_node *sink,
                                 struct evs_letters_rows *rows, struct evs_error *error)
{
    const char *path = evs_sink_file_path(sink->sink->config);
    (void)letters;
    if (strcmp(path, "-") == 0 || ends_with(path, ".gz") || ends_with(path, ".zst") ||
        evs_sink_file_rotates(sink->sink->config)) {
        return evs_fail(
            error, EVS_E_USAGE,
            "The letters of sink %s cannot be read back from `%s`: name a plain file, one that does not rotate.",
            sink->name, path);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return EVS_OK; /* no letter yet */
    }
    if (fd < 0) {
        return evs_fail(error, EVS_E_IO, "Cannot open %s: %s.", path, strerror(errno));
    }
    evs_status status = take_file(fd, path, rows, error);
    close(fd);
    return status;
}
