/* Private to base/: the two ways to compute CRC-32C, so that the test can hold one against the other. */
#ifndef EVS_BASE_CRC32C_H
#define EVS_BASE_CRC32C_H

#include "evstream/status.h"

uint32_t evs_crc32c_table(uint32_t crc, const void *bytes, size_t count);

/* True when evs_crc32c_instruction may be called on this processor. */
bool evs_crc32c_has_instruction(void);
uint32_t evs_crc32c_instruction(uint32_t crc, const void *bytes, size_t count);

#endif
