/* Hashing of what is long: whole messages. */
#ifndef EVS_HASH_LONG_H
#define EVS_HASH_LONG_H

#include <stddef.h>
#include <stdint.h>

/* Below it a call to the library is more than what wide registers save. */
#define EVS_HASH_LONG_BYTES 1024u

/* XXH3 64-bit, by the widest registers that this processor has. The same value as any other implementation. */
uint64_t evs_hash64_long(const void *bytes, size_t count, uint64_t seed);

#endif
