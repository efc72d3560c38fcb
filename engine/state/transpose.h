/* A matrix of bytes turned by its diagonal, in tiles of 16 by 16 that live in registers: rows of records into columns of bytes, and back. */
#ifndef EVS_STATE_TRANSPOSE_H
#define EVS_STATE_TRANSPOSE_H

#include <stdint.h>

/* `from` has `rows` rows of `columns` bytes; `to` gets `columns` rows of `rows` bytes. They do not overlap. */
void evs_transpose(char *to, const char *from, uint32_t rows, uint32_t columns);

#endif
