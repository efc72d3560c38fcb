/* Old files of a series, which nobody keeps for ever: 'out/dt={date}/orders-{hour}.ndjson' with `keep`. */
#ifndef EVS_FILE_KEEP_H
#define EVS_FILE_KEEP_H

#include "evstream/os.h"

/* Whether a name tells how old its file is. EVS_E_PIPELINE with what to write. */
EVS_MUST_CHECK evs_status evs_file_keep_check(const char *pattern, struct evs_error *error);
/* Removes the series' files that were surely begun before `before_us`, and counts them. A failure leaves the others where they are. */
EVS_MUST_CHECK evs_status evs_file_forget(const struct evs_files *files, const char *pattern, int64_t before_us,
                                          uint32_t *removed, struct evs_error *error);

#endif
