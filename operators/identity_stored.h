/* Records of resolve identity that tools read, too. What each section is for: identity_snapshot.c */
#ifndef EVS_IDENTITY_STORED_H
#define EVS_IDENTITY_STORED_H

#include <stddef.h>
#include <stdint.h>

#define IDENTITY_VERSION 1
enum { SECTION_ROWS, SECTION_PAIRS, SECTION_DEVICES, SECTION_PENDING_ALIASES, SECTION_ALIASES };

struct stored_device { /* around the id; behind it the user in the variable bytes */
    int64_t forget_us;
    uint32_t nulls, user_bytes;
    uint32_t users;
    uint8_t is_shared, unused[3];
};
#define STORED_DEVICE_HEAD 16u /* bytes of it in front of the id; the rest stands behind */
enum { DEVICE_NULLS_AT = 8, DEVICE_KEY_AT = 16 };
_Static_assert(offsetof(struct stored_device, nulls) == DEVICE_NULLS_AT && STORED_DEVICE_HEAD == DEVICE_KEY_AT,
               "where tools find the id");

#endif
