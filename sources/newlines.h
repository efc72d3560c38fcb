/* Counting records: how many newlines a block has. Runs over every byte that a file brings, so it has kernels. */
#ifndef EVS_NEWLINES_H
#define EVS_NEWLINES_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t (*evs_newlines_kernel)(const char *text, size_t bytes);
/* The fastest that this processor has. */
evs_newlines_kernel evs_newlines(void);

#endif
