/* Paths of columns into an event. */
#ifndef EVS_BIND_PATH_H
#define EVS_BIND_PATH_H

#include "evstream/memory.h"
#include "evstream/text.h"

#define EVS_PATH_KEYS_MAX 64

/* Reads '$.a."b c"' into its keys, in `arena`; '$' has none. NULL, or what is wrong. */
const char *evs_path_read(struct evs_slice text, struct evs_arena *arena, const char ***keys, uint32_t *count);

#endif
