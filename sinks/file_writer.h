/* One file that bytes are appended to: a buffer of 256 KiB, a packer where the name asks for one, and a position to come back to. */
#ifndef EVS_FILE_WRITER_H
#define EVS_FILE_WRITER_H

#include "evstream/os.h"

struct evs_file_start {
    const char *path;
    const char *named;       /* whose ending says how it is packed: .gz, .zst */
    const char *sink;        /* for people */
    bool resume;             /* cut to `offset`, not to nothing */
    uint64_t offset;         /* bytes of the file */
    struct evs_slice header; /* what a file begins with */
};

struct evs_file_writer;
evs_status evs_file_writer_open(const struct evs_os *os, const struct evs_file_start *start,
                                struct evs_file_writer **writer, struct evs_error *error) EVS_MUST_CHECK;
evs_status evs_file_writer_append(struct evs_file_writer *writer, struct evs_slice bytes, struct evs_error *error)
    EVS_MUST_CHECK;
/* All of it is with the operating system, with `sync` on disk; *offset is where it ends. */
evs_status evs_file_writer_flush(struct evs_file_writer *writer, bool sync, uint64_t *offset, struct evs_error *error)
    EVS_MUST_CHECK;
/* Bytes of the file, and of what waits to be written or packed. */
uint64_t evs_file_writer_bytes(const struct evs_file_writer *writer);
void evs_file_writer_close(struct evs_file_writer *writer); /* NULL is allowed; what is not flushed is lost */

#endif
