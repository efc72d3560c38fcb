/* Counting what stored blocks hold, operator by operator, without knowing what it means. Keys are told apart by their hashes: a deleted one still counts as long
 * as the log speaks of it, so the number is an upper bound. */
#include <string.h>

#include "evstream/state.h"
#include "record.h"
#include "snapshot.h"

struct evs_state_keys { /* open addressing, at most half full; 0 is no key */
    uint64_t *slots;
    uint64_t count, capacity;
};

struct tallying {
    struct evs_state_tally *tally;
    uint64_t checkpoint;
    struct evs_state_count *count; /* of the section at hand */
};

static bool keys_add(struct evs_state_keys *keys, uint64_t key)
{
    uint64_t at = evs_hash64(&key, sizeof key) & (keys->capacity - 1);
    while (keys->slots[at] != 0 && keys->slots[at] != key) {
        at = (at + 1) & (keys->capacity - 1);
    }
    bool is_new = keys->slots[at] == 0;
    keys->slots[at] = key;
    keys->count += is_new;
    return is_new;
}

static bool keys_put(struct evs_state_keys *keys, uint64_t key)
{
    if (keys->count * 2 >= keys->capacity) {
        struct evs_state_keys larger = {.capacity = keys->capacity == 0 ? 1024 : keys->capacity * 2};
        larger.slots = evs_alloc_zero(larger.capacity * sizeof *larger.slots);
        for (uint64_t i = 0; i < keys->capacity; i++) {
            if (keys->slots[i] != 0) {
                keys_add(&larger, keys->slots[i]);
            }
        }
        evs_free(keys->slots);
        *keys = larger;
    }
    return keys_add(keys, key | (key == 0));
}

static void see_operator(struct tallying *tallying, struct evs_slice name)
{
    struct evs_state_tally *tally = tallying->tally;
    for (uint32_t i = 0; i < tally->count; i++) {
        if (evs_slice_equal(name, evs_slice_of(tally->counts[i].name))) {
            tallying->count = &tally->counts[i];
            return;
        }
    }
    EVS_GROW(tally->counts, tally->count, tally->capacity);
    tallying->count = &tally->counts[tally->count++];
    *tallying->count = (struct evs_state_count){.name = evs_strndup(name.data, name.count)};
}

static bool wants(void *argument, const struct evs_section_header *header, uint64_t hash)
{
    const struct tallying *tallying = argument;
    return evs_sweep_needs(tallying->tally->sweep, tallying->checkpoint, header->full, hash);
}

static evs_status take(void *argument, const struct evs_section_header *header,
                       const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct tallying *tallying = argument;
    (void)error;
    see_operator(tallying, header->operator_name);
    struct evs_state_count *count = tallying->count;
    const uint64_t key[2] = {record->hash, evs_hash64(count->name, strlen(count->name))};
    count->records++;
    count->bytes += record->fixed.count + record->variable.count;
    count->keys += keys_put(tallying->tally->keys, evs_hash64(key, sizeof key));
    return EVS_OK;
}

static void clear(struct evs_state_tally *tally)
{
    struct evs_error ignored;
    for (uint32_t i = 0; i < tally->count; i++) {
        evs_free(tally->counts[i].name);
    }
    if (tally->keys != NULL) {
        evs_free(tally->keys->slots);
    }
    if (tally->reader != NULL) {
        (void)!evs_block_reader_end(tally->reader, &ignored);
    }
    evs_free(tally->counts);
    evs_free(tally->keys);
    evs_free(tally->reader);
    evs_free(tally->sweep);
    *tally = (struct evs_state_tally){0};
}

evs_status evs_state_tally_begin(struct evs_state_tally *tally, struct evs_slice bytes, struct evs_error *error)
{
    struct evs_arena arena = {0};
    struct evs_record record;
    clear(tally);
    evs_status status = evs_record_decode(bytes, &arena, &record, error);
    if (status == EVS_OK) {
        struct evs_block_reader *reader = evs_alloc_zero(sizeof *reader);
        reader->wants = wants;
        tally->reader = reader;
        tally->keys = evs_alloc_zero(sizeof *tally->keys);
        tally->sweep = evs_alloc_zero(sizeof record.sweep);
        memcpy(tally->sweep, &record.sweep, sizeof record.sweep);
    }
    evs_arena_fini(&arena);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

evs_status evs_state_tally_block(struct evs_state_tally *tally, uint64_t checkpoint, struct evs_slice block,
                                 struct evs_error *error)
{
    struct tallying tallying = {tally, checkpoint, NULL};
    evs_status status = evs_block_read(tally->reader, block, take, &tallying, error);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

void evs_state_tally_fini(struct evs_state_tally *tally)
{
    clear(tally);
}
