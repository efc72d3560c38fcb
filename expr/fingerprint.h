/* FarmHash's Fingerprint64: the C face of a C++ library. Never changes, so that it can be compared with what other systems
 * have stored. */
#ifndef EVS_EXPR_FINGERPRINT_H
#define EVS_EXPR_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

uint64_t evs_fingerprint64(const char *bytes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
