/* Names of the files of a series: 'out/{date}/orders-{hour}.ndjson', filled with the time at which a file was begun, in UTC, and its number. */
#ifndef EVS_FILE_NAME_H
#define EVS_FILE_NAME_H

#include "evstream/memory.h"

/* Whether every {word} is known, and no two files of a series can have one name: rotate_us 0: not by time; by_bytes: several may begin in the same
 * minute. EVS_E_PIPELINE with what to write. */
evs_status evs_file_name_check(const char *pattern, int64_t rotate_us, bool by_bytes, struct evs_error *error)
    EVS_MUST_CHECK;
/* Appends the name, with a NUL. `copy` above 1 stands before the ending: a file of the plain name is there already. */
void evs_file_name_put(const char *pattern, int64_t begun_us, uint64_t number, uint32_t copy, struct evs_buffer *out);
/* Bytes of the folder in front of the first {word}, with its slash; 0: the working folder. */
size_t evs_file_name_folder(const char *pattern);

#endif
