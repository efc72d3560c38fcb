/* The bytes of one record of the spool; private to the spool and its tests. */
#ifndef EVS_SPOOL_RECORD_H
#define EVS_SPOOL_RECORD_H

#include "spool.h"

#define EVS_SPOOL_HEADER_BYTES 40u

/* Appends the record's bytes to `out`. */
void evs_spool_encode(const struct evs_spool_record *record, struct evs_buffer *out);

/* EVS_OK: the record lies at `data`, slices point into it, *bytes is its size. EVS_AGAIN: it goes on beyond `count`; *bytes is
 * its size when at least the header is there. EVS_E_CORRUPT: no whole record begins here. */
EVS_MUST_CHECK evs_status evs_spool_decode(const char *data, size_t count, struct evs_spool_record *record,
                                           size_t *bytes);

/* How many bytes to go on from a place that is corrupt to one where a record may begin: at least 1, at most `count`. */
size_t evs_spool_resync(const char *data, size_t count);

#endif
