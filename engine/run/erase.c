#include "erase.h"

#include <stdlib.h>
#include <strings.h>

#include "runtime.h"
#include "state/key_view.h"

/* --- the message --------------------------------------------------------------------------------------------------------------- */

/* The value of a header line "Name: value"; empty: there is none. */
static struct evs_slice header_of(struct evs_slice headers, const char *name)
{
    size_t length = strlen(name);
    const char *at = headers.data, *end = headers.data + headers.count;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline;
        if ((size_t)(stop - at) > length && at[length] == ':' && strncasecmp(at, name, length) == 0) {
            const char *value = at + length + 1;
            while (value < stop && *value == ' ') {
                value++;
            }
            while (stop > value && (stop[-1] == '\r' || stop[-1] == ' ')) {
                stop--;
            }
            return (struct evs_slice){value, (size_t)(stop - value)};
        }
        at = newline == NULL ? end : newline + 1;
    }
    return (struct evs_slice){0};
}

bool evs_erase_request_of(const struct evs_message *message, struct evs_erase_request *request)
{
    char id[17] = "";
    if (message->headers.count == 0) {
        return false;
    }
    *request = (struct evs_erase_request){.value = header_of(message->headers, "Evs-Erase"),
                                          .column = header_of(message->headers, "Evs-Erase-Column")};
    struct evs_slice text = header_of(message->headers, "Evs-Erase-Id");
    if (request->value.count == 0 || text.count == 0 || text.count >= sizeof id) {
        return false;
    }
    memcpy(id, text.data, text.count);
    request->id = strtoull(id, NULL, 16);
    return request->id != 0;
}

/* --- whose records ---------------------------------------------------------------------------------------------------------------- */

struct erased_key {
    uint64_t hash;
    const struct evs_record_node *node;
};

struct evs_erasing {
    const struct evs_record *record;
    struct evs_block_reader reader;
    uint64_t checkpoint; /* of the block at hand */
    struct erased_key *keys;
    uint32_t count, capacity;
};

static void add_key(struct evs_erasing *erasing, const struct evs_record_node *node, uint64_t hash)
{
    for (uint32_t i = 0; i < erasing->count; i++) {
        if (erasing->keys[i].hash == hash && erasing->keys[i].node == node) {
            return;
        }
    }
    EVS_GROW(erasing->keys, erasing->count, erasing->capacity);
    erasing->keys[erasing->count++] = (struct erased_key){hash, node};
}

static bool is_asked(const struct evs_record_erasure *erasure, const struct evs_state_part *key)
{
    return erasure->column[0] == '\0' || strcasecmp(erasure->column, key->text) == 0;
}

/* A key that is one text has a hash that can be computed. A join has the keys of both inputs, which are the same ones. */
static void add_single_keys(struct evs_erasing *erasing, const struct evs_record_node *node)
{
    const struct evs_state_part *single = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; node->shape != NULL && i < node->shape->keys.count; i++) {
        const struct evs_state_part *key = &node->shape->keys.items[i];
        bool is_first = key->form.count == 2 && key->form.data[1] == 0; /* of input 0 */
        count += is_first;
        single = is_first ? key : single;
    }
    if (count != 1 || (uint8_t)single->form.data[0] != EVS_STRING) {
        return;
    }
    for (uint32_t i = 0; i < erasing->record->erasure_count; i++) {
        const struct evs_record_erasure *erasure = &erasing->record->erasures[i];
        if (is_asked(erasure, single)) {
            add_key(erasing, node, evs_key_hash_of_text(evs_slice_of(erasure->value)));
        }
    }
}

static bool is_of_person(const struct evs_erasing *erasing, const struct evs_state_shape *shape,
                         const struct evs_value *values)
{
    for (uint32_t i = 0; i < erasing->record->erasure_count; i++) {
        const struct evs_record_erasure *erasure = &erasing->record->erasures[i];
        for (uint32_t k = 0; k < shape->keys.count; k++) {
            const struct evs_value *value = &values[k];
            struct evs_slice text = value->kind == EVS_STRING && !value->is_null
                                        ? (struct evs_slice){evs_str_data(&value->str), value->str.count}
                                        : (struct evs_slice){0};
            if (is_asked(erasure, &shape->keys.items[k]) && evs_slice_equal(text, evs_slice_of(erasure->value))) {
                return true;
            }
        }
    }
    return false;
}

/* The person that a key belongs to. With a column asked for, it is one of those that the key is made of. */
static bool is_owned_by_person(const struct evs_erasing *erasing, const struct evs_state_shape *shape,
                               struct evs_slice owner)
{
    if ((shape->stored_key.sections & EVS_STORED_OWNER) == 0 || shape->keys.count == 0) {
        return false;
    }
    for (uint32_t i = 0; i < erasing->record->erasure_count; i++) {
        const struct evs_record_erasure *erasure = &erasing->record->erasures[i];
        bool is_meant = erasure->column[0] == '\0' || strcasestr(shape->keys.items[0].text, erasure->column) != NULL;
        if (is_meant && evs_slice_equal(owner, evs_slice_of(erasure->value))) {
            return true;
        }
    }
    return false;
}

static const struct evs_record_node *node_of(const struct evs_record *record, struct evs_slice name)
{
    for (uint32_t i = 0; i < record->node_count; i++) {
        if (evs_slice_equal(name, evs_slice_of(record->nodes[i].name))) {
            return &record->nodes[i];
        }
    }
    return NULL;
}

static bool wants(void *argument, const struct evs_section_header *header, uint64_t hash)
{
    const struct evs_erasing *erasing = argument;
    return evs_sweep_needs(&erasing->record->sweep, erasing->checkpoint, header->full, hash);
}

static evs_status look_at_record(void *argument, const struct evs_section_header *header,
                                 const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct evs_erasing *erasing = argument;
    const struct evs_record_node *node = node_of(erasing->record, header->operator_name);
    struct evs_value values[EVS_KEYS_MAX];
    struct evs_slice rest;
    (void)error;
    bool is_named = node != NULL && node->shape != NULL && evs_key_view(node->shape, record, values, &rest);
    if (is_named && (is_of_person(erasing, node->shape, values) || is_owned_by_person(erasing, node->shape, rest))) {
        add_key(erasing, node, record->hash);
    }
    return EVS_OK;
}

static evs_status look_at_block(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                                struct evs_error *error)
{
    struct evs_erasing *erasing = argument;
    erasing->checkpoint = checkpoint;
    return kind == EVS_BLOCK_STATE ? evs_block_read(&erasing->reader, block, look_at_record, erasing, error) : EVS_OK;
}

static int by_hash(const void *a, const void *b)
{
    uint64_t left = ((const struct erased_key *)a)->hash, right = ((const struct erased_key *)b)->hash;
    return (left > right) - (left < right);
}

evs_status evs_erasing_collect(struct evs_run *run, struct evs_erasing **result, struct evs_error *error)
{
    const struct evs_record *record = &run->restored;
    if (record->erasure_count == 0) {
        *result = NULL;
        return EVS_OK;
    }
    struct evs_erasing *erasing = evs_alloc_zero(sizeof *erasing);
    struct evs_error ignored;
    erasing->record = record;
    erasing->reader.wants = wants;
    for (uint32_t i = 0; i < record->node_count; i++) {
        add_single_keys(erasing, &record->nodes[i]);
    }
    evs_status status = run->options.store->restore(run->store, look_at_block, erasing, error);
    evs_status end = evs_block_reader_end(&erasing->reader, status == EVS_OK ? error : &ignored);
    if (erasing->count > 1) {
        qsort(erasing->keys, erasing->count, sizeof *erasing->keys, by_hash);
    }
    *result = erasing;
    return status == EVS_OK ? end : status;
}

bool evs_erasing_takes(const struct evs_erasing *erasing, struct evs_slice operator_name, uint64_t hash)
{
    uint32_t low = 0, high = erasing == NULL ? 0 : erasing->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (erasing->keys[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; erasing != NULL && low < erasing->count && erasing->keys[low].hash == hash; low++) {
        if (evs_slice_equal(operator_name, evs_slice_of(erasing->keys[low].node->name))) {
            return true;
        }
    }
    return false;
}

void evs_erasing_free(struct evs_erasing *erasing)
{
    if (erasing != NULL) {
        evs_free(erasing->keys);
        evs_free(erasing);
    }
}
