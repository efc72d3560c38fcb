/* Reads the records of one segment of the spool, skipping what is damaged; private to the spool. */
#ifndef EVS_SPOOL_READER_H
#define EVS_SPOOL_READER_H

#include "spool_record.h"

struct evs_spool_reader {
    const struct evs_os *os;
    struct evs_file *file; /* NULL: closed */
    struct evs_buffer bytes;
    size_t begin;           /* in `bytes`: the next record */
    uint64_t offset;        /* in the file, of `begin` */
    uint64_t damaged_bytes; /* skipped so far in this segment */
    bool at_end;            /* the last read has given nothing */
};

EVS_MUST_CHECK evs_status evs_spool_reader_open(struct evs_spool_reader *reader, const struct evs_os *os,
                                                const char *path, struct evs_error *error);
void evs_spool_reader_close(struct evs_spool_reader *reader); /* accepts a zeroed one */

/* The next whole record. EVS_END: none before the end of the file as it is now; `offset` is then the place behind the last one.
 * `is_growing`: what is cut off at the end is still being written; otherwise a record may stand behind it, and is looked for.
 * Slices are valid until the next call. EVS_E_IO. */
EVS_MUST_CHECK evs_status evs_spool_reader_next(struct evs_spool_reader *reader, bool is_growing,
                                                struct evs_spool_record *record, struct evs_error *error);

#endif
