/* The bytes of an operator's shape in the commit record: "1", the fields in the order of the struct, texts and lists with a 2-byte count. */
#ifndef EVS_STATE_SHAPE_H
#define EVS_STATE_SHAPE_H

#include "evstream/memory.h"
#include "evstream/shape.h"

#define EVS_SHAPE_TEXT_MAX 200 /* texts are for people: longer ones are cut, for they stand in every commit */

void evs_shape_encode(const struct evs_state_shape *shape, struct evs_buffer *out); /* appends */
/* NULL: the bytes are no shape. Everything lives in `arena`. */
const struct evs_state_shape *evs_shape_decode(struct evs_slice bytes, struct evs_arena *arena);

#endif
