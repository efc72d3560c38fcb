#include "key_view.h"

#include "evstream/keys.h"

static enum evs_kind kind_of(const struct evs_state_part *key)
{
    uint8_t kind = key->form.count == 2 && key->form.data[1] == 0 ? (uint8_t)key->form.data[0] : (uint8_t)EVS_NULL_KIND;
    return kind < EVS_KIND_COUNT ? (enum evs_kind)kind : EVS_NULL_KIND;
}

static uint32_t bytes_of(enum evs_kind kind)
{
    return evs_kind_width(kind) == 16 ? 16 : 8;
}

uint32_t evs_key_view_bytes(const struct evs_state_shape *shape)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < shape->keys.count; i++) {
        enum evs_kind kind = kind_of(&shape->keys.items[i]);
        bytes += kind == EVS_NULL_KIND ? 0 : bytes_of(kind);
    }
    return bytes;
}

static bool take_text(const char *at, struct evs_slice *texts, struct evs_value *value)
{
    struct evs_str stored;
    memcpy(&stored, at, sizeof stored);
    if (stored.count > EVS_STR_INLINE_MAX) {
        if (stored.count > texts->count) {
            return false;
        }
        stored = evs_str_make(texts->data, stored.count);
        *texts = (struct evs_slice){texts->data + stored.count, texts->count - stored.count};
    }
    value->str = stored;
    return true;
}

bool evs_key_view(const struct evs_state_shape *shape, const struct evs_snapshot_record *record,
                  struct evs_value values[EVS_KEYS_MAX], struct evs_slice *rest)
{
    const struct evs_stored_key *where = &shape->stored_key;
    uint32_t nulls;
    bool is_named = record->section < EVS_SECTIONS_MAX && (where->sections >> record->section & 1) != 0;
    if (!is_named || shape->keys.count > EVS_KEYS_MAX ||
        record->fixed.count < (size_t)where->key_at + evs_key_view_bytes(shape) ||
        record->fixed.count < where->nulls_at + sizeof nulls) {
        return false;
    }
    memcpy(&nulls, record->fixed.data + where->nulls_at, sizeof nulls);
    const char *at = record->fixed.data + where->key_at;
    *rest = record->variable;
    for (uint32_t i = 0; i < shape->keys.count; i++) {
        enum evs_kind kind = kind_of(&shape->keys.items[i]);
        values[i] = (struct evs_value){.kind = kind, .is_null = (nulls >> i & 1) != 0};
        if (kind == EVS_NULL_KIND) {
            return false;
        }
        if (!values[i].is_null && evs_kind_is_var(kind)) {
            if (!take_text(at, rest, &values[i])) {
                return false;
            }
        } else if (kind == EVS_BOOL) {
            values[i].boolean = at[0] != 0;
        } else {
            memcpy(&values[i].str, at, evs_kind_width(kind)); /* the union's members begin at one place */
        }
        at += bytes_of(kind);
    }
    return true;
}

uint64_t evs_key_hash_of_text(struct evs_slice text)
{
    struct evs_str value = evs_str_make(text.data, (uint32_t)text.count);
    return evs_key_hash_text(&value);
}
