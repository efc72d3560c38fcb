/* Byte strings: comparison and hashes. */
#include "evstream/text.h"

#include "hash_long.h"

/* Inlined, short keys cost no call through the dynamic linker. */
#define XXH_INLINE_ALL
#include <xxhash.h>

/* "evstream" as big-endian ASCII. Part of the state format: shards and key hashes depend on it. */
#define HASH_SEED UINT64_C(0x657673747265616D)

static unsigned char ascii_lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

bool evs_slice_equal_nocase(struct evs_slice a, const char *b)
{
    EVS_ASSERT(b != NULL);
    for (size_t i = 0; i < a.count; i++) {
        if (b[i] == '\0' || ascii_lower((unsigned char)a.data[i]) != ascii_lower((unsigned char)b[i])) {
            return false;
        }
    }
    return b[a.count] == '\0';
}

int evs_str_compare(const struct evs_str *a, const struct evs_str *b)
{
    uint32_t shorter = a->count < b->count ? a->count : b->count;
    int order = memcmp(evs_str_data(a), evs_str_data(b), shorter);
    if (order == 0) {
        return (a->count > b->count) - (a->count < b->count);
    }
    return order < 0 ? -1 : 1;
}

uint64_t evs_hash64(const void *bytes, size_t count)
{
    EVS_ASSERT(bytes != NULL || count == 0);
    return count < EVS_HASH_LONG_BYTES ? XXH3_64bits_withSeed(bytes, count, HASH_SEED)
                                       : evs_hash64_long(bytes, count, HASH_SEED);
}

struct evs_hash128 evs_hash128(const void *bytes, size_t count)
{
    EVS_ASSERT(bytes != NULL || count == 0);
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, count, HASH_SEED);
    return (struct evs_hash128){hash.low64, hash.high64};
}

uint32_t evs_fnv1a32(const void *bytes, size_t count)
{
    EVS_ASSERT(bytes != NULL || count == 0);
    const uint8_t *next = bytes;
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ next[i]) * UINT32_C(16777619);
    }
    return hash;
}
