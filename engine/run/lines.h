/* Small texts of "name value" lines, as engines leave for each other in a bucket: readable by people, and by later versions, which may add lines. */
#ifndef EVS_RUN_LINES_H
#define EVS_RUN_LINES_H

#include "evstream/memory.h"
#include "evstream/text.h"

/* Takes the first line off `text`: its name, and what follows the space behind it. False when no line is left. */
bool evs_lines_next(struct evs_slice *text, struct evs_slice *name, struct evs_slice *value);
/* A whole number in decimal digits with an optional sign. */
bool evs_lines_int64(struct evs_slice value, int64_t *number);
/* Exactly 16 hexadecimal digits. */
bool evs_lines_hex64(struct evs_slice value, uint64_t *number);
/* Appends a part of a bucket's key: bytes outside of [A-Za-z0-9_-] as "=XX". */
void evs_lines_put_key(struct evs_buffer *out, const char *part);

#endif
