/* Private to data/: what the writer, the reader and the validation of nested values share. The format: nested.h. */
#ifndef EVS_DATA_NESTED_LAYOUT_H
#define EVS_DATA_NESTED_LAYOUT_H

#include "evstream/keys.h"
#include "evstream/nested.h"

#define EVS_NESTED_HAS_NULL 0x80u
#define EVS_NESTED_HEAD_BYTES 5u /* form and count */
#define EVS_NESTED_NULL_BYTES(count) (((size_t)(count) + 7) / 8)

/* Bytes of a slot. The kind of a bare NULL has none: its elements are all NULL. */
static inline uint32_t evs_nested_slot_bytes(enum evs_kind kind)
{
    if (kind == EVS_NULL_KIND) {
        return 0;
    }
    return evs_kind_is_var(kind) ? 4 : evs_kind_width(kind);
}

#endif
