/* Keys of table entries as stored bytes: the fixed part as it lies in the entry, with the pointers of long texts zeroed, and the long texts behind
 * each other in the variable part of the record. */
#ifndef EVS_KEY_STORE_H
#define EVS_KEY_STORE_H

#include "evstream/table.h"

/* Bytes of the fixed part: of the key columns, without the entry's head. */
static inline uint32_t evs_key_store_bytes(const struct evs_table_layout *layout)
{
    return layout->value_offset - (uint32_t)sizeof(struct evs_entry);
}
/* Appends the entry's key to both parts. */
void evs_key_store(const struct evs_table_layout *layout, struct evs_entry *entry, struct evs_buffer *fixed,
                   struct evs_buffer *variable);
/* Finds or adds the entry of a stored key. `text` is the variable part; it is moved behind the key's texts. NULL: the record is damaged. */
struct evs_entry *evs_key_load(struct evs_table *table, uint64_t hash, uint32_t nulls, const char *fixed,
                               struct evs_slice *text, bool *is_new);
/* The index of an entry of the table. */
uint32_t evs_entry_index(const struct evs_table *table, const struct evs_entry *entry);
/* Copies the entry's long texts into another arena. */
void evs_key_move(const struct evs_table_layout *layout, struct evs_entry *entry, struct evs_arena *to);
/* Moves long texts of keys together when more than half of the arena belongs to keys that are gone. The arena holds nothing else. */
void evs_key_compact(struct evs_table *table);

#endif
