/* Byte strings: the slice, the 16-byte string view, hashing.
 *
 * `struct evs_str` is the value of a string, bytes or json column: 16 bytes, at most 12 bytes of text inline, else a
 * 4-byte prefix and a pointer (the layout of Umbra and of Arrow's BinaryView). Unused inline bytes are zero, so that two
 * views of at most 12 bytes are equal exactly when their 16 bytes are equal, and unequal views nearly always differ in
 * their first 8. Long text is not owned: it points into the batch's arena or input block, and lives as long as that. */
#ifndef EVS_TEXT_H
#define EVS_TEXT_H

#include <string.h>

#include "evstream/status.h"

struct evs_slice {
    const char *data;
    size_t count; /* bytes */
};
#define EVS_SLICE(literal) ((struct evs_slice){(literal), sizeof(literal) - 1})
static inline struct evs_slice evs_slice_of(const char *text)
{
    return (struct evs_slice){text, strlen(text)};
}
static inline bool evs_slice_equal(struct evs_slice a, struct evs_slice b)
{
    return a.count == b.count && (a.count == 0 || memcmp(a.data, b.data, a.count) == 0);
}
/* ASCII case-insensitive, for keywords and option values */
bool evs_slice_equal_nocase(struct evs_slice a, const char *b);

#define EVS_STR_INLINE_MAX 12

struct evs_str {
    uint32_t count; /* bytes */
    union {
        char text[EVS_STR_INLINE_MAX]; /* count <= 12 */
        struct __attribute__((packed)) {
            char prefix[4];
            const char *pointer;
        };
    };
};
_Static_assert(sizeof(struct evs_str) == 16, "a string view is 16 bytes");

static inline struct evs_str evs_str_make(const char *data, uint32_t count)
{
    struct evs_str s = {.count = count};
    if (count <= EVS_STR_INLINE_MAX) {
        memcpy(s.text, data, count);
    } else {
        memcpy(s.prefix, data, 4);
        s.pointer = data;
    }
    return s;
}
static inline const char *evs_str_data(const struct evs_str *s)
{
    return s->count <= EVS_STR_INLINE_MAX ? s->text : s->pointer;
}
static inline struct evs_slice evs_str_slice(const struct evs_str *s)
{
    return (struct evs_slice){evs_str_data(s), s->count};
}
static inline bool evs_str_equal(const struct evs_str *a, const struct evs_str *b)
{
    uint64_t a8, b8;
    memcpy(&a8, a, 8);
    memcpy(&b8, b, 8);
    if (a8 != b8) {
        return false;
    }
    if (a->count <= EVS_STR_INLINE_MAX) {
        memcpy(&a8, a->text + 4, 8);
        memcpy(&b8, b->text + 4, 8);
        return a8 == b8;
    }
    return memcmp(a->pointer, b->pointer, a->count) == 0;
}
/* Order as unsigned bytes, a prefix first: -1, 0, 1. For valid UTF-8 this is the order of code points. */
int evs_str_compare(const struct evs_str *a, const struct evs_str *b);

/* XXH3 64-bit with the fixed seed of this project. Part of the state format (key hash, shards): never change it. */
uint64_t evs_hash64(const void *bytes, size_t count);
/* XXH3 128-bit with the same seed: trigger ids, fingerprints. */
struct evs_hash128 {
    uint64_t low, high;
};
struct evs_hash128 evs_hash128(const void *bytes, size_t count);
/* FNV-1a 32-bit: the partition function of nats-server's `partition(n, token)` mapping. */
uint32_t evs_fnv1a32(const void *bytes, size_t count);
/* CRC-32C (Castagnoli), continued from `crc`; begin with 0. */
uint32_t evs_crc32c(uint32_t crc, const void *bytes, size_t count);

bool evs_utf8_valid(const char *text, size_t count);

#endif
