/* A handful of entries, searched one by one: a pattern that differs from row to row costs its compilation anyway, and one that
 * does not is found at the first look. The one that was not asked for the longest gives way. That a pattern is faulty is
 * remembered too. */
#include "regexp_cache.h"

struct entry {
    struct evs_str pattern; /* its text is owned */
    uint64_t hash;
    uint64_t last_use; /* 0: empty */
    bool of_bytes;
    struct evs_regexp *regexp; /* NULL: the pattern is none */
};
struct evs_regexp_cache {
    struct entry entries[EVS_REGEXP_CACHE_ENTRIES];
    uint64_t uses;
};

struct evs_regexp_cache *evs_regexp_cache_new(void)
{
    return evs_alloc_zero(sizeof(struct evs_regexp_cache));
}

static void drop(struct entry *entry)
{
    if (entry->pattern.count > EVS_STR_INLINE_MAX) {
        evs_free((char *)entry->pattern.pointer);
    }
    evs_regexp_free(entry->regexp);
    *entry = (struct entry){0};
}

void evs_regexp_cache_free(struct evs_regexp_cache *cache)
{
    for (size_t i = 0; cache != NULL && i < EVS_REGEXP_CACHE_ENTRIES; i++) {
        drop(&cache->entries[i]);
    }
    evs_free(cache);
}

static void fill(struct entry *entry, struct evs_slice pattern, uint64_t hash, bool of_bytes)
{
    EVS_ASSERT(entry->last_use == 0 && pattern.count <= UINT32_MAX);
    const bool is_inline = pattern.count <= EVS_STR_INLINE_MAX;
    const char *text = is_inline ? pattern.data : evs_strndup(pattern.data, pattern.count);
    struct evs_regexp_mistake mistake;
    entry->pattern = evs_str_make(text, (uint32_t)pattern.count);
    entry->hash = hash;
    entry->of_bytes = of_bytes;
    entry->regexp = evs_regexp_new((struct evs_regexp_text){pattern.data, pattern.count}, of_bytes, &mistake);
}

const struct evs_regexp *evs_regexp_cache_get(struct evs_regexp_cache *cache, struct evs_slice pattern, bool of_bytes)
{
    const uint64_t hash = evs_hash64(pattern.data, pattern.count);
    struct entry *oldest = &cache->entries[0];
    for (size_t i = 0; i < EVS_REGEXP_CACHE_ENTRIES; i++) {
        struct entry *entry = &cache->entries[i];
        if (entry->last_use > 0 && entry->hash == hash && entry->of_bytes == of_bytes &&
            evs_slice_equal(evs_str_slice(&entry->pattern), pattern)) {
            entry->last_use = ++cache->uses;
            return entry->regexp;
        }
        oldest = entry->last_use < oldest->last_use ? entry : oldest;
    }
    drop(oldest);
    fill(oldest, pattern, hash, of_bytes);
    oldest->last_use = ++cache->uses;
    return oldest->regexp;
}
