/* A file, cut into pieces of whole lines. */
#ifndef EVS_FILE_LINES_H
#define EVS_FILE_LINES_H

#include "evstream/source.h"

struct evs_file_lines;

struct evs_file_lines_open {
    const struct evs_os *os;
    const char *path;      /* stays; "-" is standard input */
    uint64_t byte_offset;  /* where to begin */
    size_t line_bytes_max; /* of a longer line no more is kept than shows that it is */
    size_t block_bytes;    /* of one read: whole pages */
    bool may_wait;         /* the caller waits on wait_fd: a named pipe gives EVS_AGAIN, as standard input does */
};
#define EVS_FILE_BLOCK_BYTES ((size_t)256 << 10)

evs_status evs_file_lines_open(const struct evs_file_lines_open *open, struct evs_file_lines **lines,
                               struct evs_error *error) EVS_MUST_CHECK;
/* The next piece, as a message of partition 0 without a fingerprint; its payload stays until the next call. EVS_AGAIN: the pipe has nothing now. EVS_END: there
 * was everything. */
evs_status evs_file_lines_next(struct evs_file_lines *lines, struct evs_message *message, struct evs_error *error)
    EVS_MUST_CHECK;
bool evs_file_lines_ended(const struct evs_file_lines *lines);  /* all is read; the last piece may still be in use */
int evs_file_lines_wait_fd(const struct evs_file_lines *lines); /* of a pipe that has not ended; -1: none */
void evs_file_lines_close(struct evs_file_lines *lines);        /* NULL is allowed */

#endif
