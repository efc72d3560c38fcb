/* Every message that a source reads is hashed as a whole, so this is 11 % of draining a stream with the registers of x86-64-v2, and 3 to 7 % with
 * those of AVX2 or AVX-512. The library that Debian ships holds a kernel for each and looks once which may run; others are built without. */
#include "hash_long.h"

#ifdef EVS_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>
#else
#define XXH_INLINE_ALL
#include <xxhash.h>
#endif

uint64_t evs_hash64_long(const void *bytes, size_t count, uint64_t seed)
{
#ifdef EVS_XXHASH_DISPATCH
    return XXH3_64bits_withSeed_dispatch(bytes, count, seed);
#else
    return XXH3_64bits_withSeed(bytes, count, seed);
#endif
}
