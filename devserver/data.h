/* The folder in which a dev keeps what its servers store: a temporary one, or one that was named. */
#ifndef EVS_DEV_DATA_H
#define EVS_DEV_DATA_H

#include <limits.h>

#include "evstream/status.h"

/* `wanted` NULL: a temporary one. `path` gets its absolute name, with room for a name in it; "" on a failure. */
EVS_MUST_CHECK evs_status evs_dev_data_make(const char *wanted, char path[PATH_MAX], struct evs_error *error);
void evs_dev_data_remove(const char *path);
EVS_MUST_CHECK evs_status evs_dev_data_copy(const char *from, const char *to, struct evs_error *error);

#endif
