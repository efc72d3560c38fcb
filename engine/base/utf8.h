/* Private to base/: one UTF-8 sequence. */
#ifndef EVS_BASE_UTF8_H
#define EVS_BASE_UTF8_H

#include "evstream/status.h"

/* Bytes of the valid UTF-8 sequence at the start of `text` (1 to 4), or 0 when there is none within `count` bytes.
 * Valid as in Unicode's table 3-7: no overlong form, no surrogate, nothing above U+10FFFF. */
uint32_t evs_utf8_sequence(const char *text, size_t count);

#endif
