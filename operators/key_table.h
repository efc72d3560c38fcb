/* What operators whose keys come and go share. */
#ifndef EVS_KEY_TABLE_H
#define EVS_KEY_TABLE_H

#include "evstream/table.h"

#define EVS_KEY_TABLE_GARBAGE_MIN (1u << 20)

/* Long text of keys that are gone stays in the table's arena. When it has become half of it, the text that lives moves to a new one. Only for tables whose
 * values hold nothing in the arena. */
static inline void evs_key_table_compact(struct evs_table *table)
{
    struct evs_arena moved = {0};
    if (table->garbage_bytes < EVS_KEY_TABLE_GARBAGE_MIN || table->garbage_bytes < table->arena.used_bytes / 2) {
        return;
    }
    for (uint32_t i = 0; i < table->used; i++) {
        struct evs_entry *entry = evs_table_at(table, i);
        for (uint32_t key = 0; evs_table_is_live(table, i) && key < table->layout->key_count; key++) {
            if (evs_kind_is_var(table->layout->key_kind[key]) && !((entry->nulls >> key) & 1)) {
                struct evs_str *text = evs_entry_key(table->layout, entry, key);
                *text = evs_str_keep(&moved, text);
            }
        }
    }
    evs_arena_fini(&table->arena);
    table->arena = moved;
    table->garbage_bytes = 0;
}

#endif
