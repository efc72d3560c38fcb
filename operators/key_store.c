#include "key_store.h"

#define COMPACT_BYTES_MIN ((size_t)1 << 20)

static bool is_text(const struct evs_table_layout *layout, uint32_t key, uint32_t nulls)
{
    return evs_kind_is_var(layout->key_kind[key]) && !((nulls >> key) & 1);
}

void evs_key_store(const struct evs_table_layout *layout, struct evs_entry *entry, struct evs_buffer *fixed,
                   struct evs_buffer *variable)
{
    size_t start = fixed->count;
    evs_buffer_put(fixed, entry + 1, evs_key_store_bytes(layout));
    for (uint32_t i = 0; i < layout->key_count; i++) {
        struct evs_str text;
        memcpy(&text, evs_entry_key(layout, entry, i), sizeof text * is_text(layout, i, entry->nulls));
        if (is_text(layout, i, entry->nulls) && text.count > EVS_STR_INLINE_MAX) {
            evs_buffer_put(variable, text.pointer, text.count);
            text.pointer = NULL;
            memcpy(fixed->data + start + layout->key_offset[i] - sizeof(struct evs_entry), &text, sizeof text);
        }
    }
}

/* Points the long texts of a key at their bytes in the record. */
static bool load_texts(const struct evs_table_layout *layout, uint32_t nulls, uint8_t *key, struct evs_slice *text)
{
    for (uint32_t i = 0; i < layout->key_count; i++) {
        uint8_t *at = key + layout->key_offset[i] - sizeof(struct evs_entry);
        struct evs_str stored;
        if (!is_text(layout, i, nulls)) {
            continue;
        }
        memcpy(&stored, at, sizeof stored);
        if (stored.count <= EVS_STR_INLINE_MAX) {
            continue;
        }
        if (stored.count > text->count) {
            return false;
        }
        stored.pointer = text->data;
        *text = (struct evs_slice){text->data + stored.count, text->count - stored.count};
        memcpy(at, &stored, sizeof stored);
    }
    return true;
}

struct evs_entry *evs_key_load(struct evs_table *table, uint64_t hash, uint32_t nulls, const char *fixed,
                               struct evs_slice *text, bool *is_new)
{
    _Alignas(16) uint8_t key[EVS_KEYS_MAX * sizeof(struct evs_str)];
    uint32_t bytes = evs_key_store_bytes(table->layout);
    EVS_ASSERT(bytes <= sizeof key);
    memcpy(key, fixed, bytes);
    if (nulls == UINT32_MAX || !load_texts(table->layout, nulls, key, text)) {
        return NULL;
    }
    return evs_table_put_stored(table, hash, nulls, key, is_new);
}

uint32_t evs_entry_index(const struct evs_table *table, const struct evs_entry *entry)
{
    return evs_table_index_of(table, entry);
}

void evs_key_move(const struct evs_table_layout *layout, struct evs_entry *entry, struct evs_arena *to)
{
    for (uint32_t i = 0; i < layout->key_count; i++) {
        if (is_text(layout, i, entry->nulls)) {
            struct evs_str *text = evs_entry_key(layout, entry, i);
            *text = evs_str_keep(to, text);
        }
    }
}

void evs_key_compact(struct evs_table *table)
{
    if (table->garbage_bytes < COMPACT_BYTES_MIN || table->garbage_bytes < table->arena.used_bytes / 2) {
        return;
    }
    struct evs_arena moved = {0};
    for (uint32_t i = 0; i < table->used; i++) {
        if (evs_table_is_live(table, i)) {
            evs_key_move(table->layout, evs_table_at(table, i), &moved);
        }
    }
    evs_arena_fini(&table->arena);
    table->arena = moved;
    table->garbage_bytes = 0;
}
