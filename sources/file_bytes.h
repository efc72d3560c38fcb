/* The plain bytes of a file, whatever it is packed with: `.gz` and `.zst` are unpacked on the way, by the ending of the name.
 *
 * Offsets are always those of the unpacked bytes. A packed file that ends in the middle (a copy that was cut off) is an error that
 * names it, never a silent end; several members or frames behind one another are one file, as gzip and zstd have it. */
#ifndef EVS_FILE_BYTES_H
#define EVS_FILE_BYTES_H

#include "evstream/os.h"

struct evs_file_bytes;

/* "-" is standard input, taken as it is. */
evs_status evs_file_bytes_open(const struct evs_os *os, const char *path, struct evs_file_bytes **bytes,
                               struct evs_error *error) EVS_MUST_CHECK;
/* As evs_file_bytes_open; and a named pipe is not waited for until somebody writes: it is only read when evs_file_bytes_wait_fd says so. */
evs_status evs_file_bytes_open_pipe(const struct evs_os *os, const char *path, struct evs_file_bytes **bytes,
                                    struct evs_error *error) EVS_MUST_CHECK;
/* The descriptor of a pipe with plain bytes; -1: it is none. */
int evs_file_bytes_wait_fd(const struct evs_file_bytes *bytes);
/* Is there a file to be opened, and has it `offset` bytes? A pipe is not touched: whoever writes into it would notice. Of a packed file the length is
 * not looked at. */
evs_status evs_file_bytes_probe(const struct evs_os *os, const char *path, uint64_t offset, struct evs_error *error)
    EVS_MUST_CHECK;
/* Up to `max` bytes; *got 0 is the end. May block. */
evs_status evs_file_bytes_read(struct evs_file_bytes *bytes, void *data, size_t max, size_t *got,
                               struct evs_error *error) EVS_MUST_CHECK;
#define EVS_FILE_PAGE_BYTES 4096u

/* Before the first read: goes to `offset`, or, where the file can be sought in, to the page that it lies in: *before is how many of the
 * next bytes stand before it. Packed files and pipes are read up to there. EVS_E_STATE when the file is shorter. */
evs_status evs_file_bytes_skip(struct evs_file_bytes *bytes, uint64_t offset, size_t *before, struct evs_error *error)
    EVS_MUST_CHECK;
/* Whether a read may wait for somebody who writes (a pipe, a terminal). */
bool evs_file_bytes_is_stream(const struct evs_file_bytes *bytes);
void evs_file_bytes_close(struct evs_file_bytes *bytes); /* NULL is allowed */

#endif
