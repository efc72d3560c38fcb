#include "identity_aliases.h"

#include "evstream/keys.h"
#include "key_store.h"
#include "row_judge.h"

/* The values of an entry. An id without a parent is a root; a root with no id but itself is not kept. */
struct alias {
    int64_t forget_us; /* of the pointer to the parent */
    uint32_t parent;   /* index + 1 of its entry; 0: a root */
    uint32_t ids;      /* in the tree below, itself among them */
};

struct stored_alias { /* of the fixed bytes, before the id; behind it the parent's text in the variable bytes */
    int64_t forget_us;
    uint32_t nulls, parent_bytes;
};
_Static_assert(offsetof(struct stored_alias, nulls) == EVS_ALIASES_NULLS_AT &&
                   sizeof(struct stored_alias) == EVS_ALIASES_KEY_AT,
               "where tools find the id");

void evs_aliases_init(struct evs_aliases *aliases, struct evs_op *op, int64_t retain_us, uint32_t ids_max)
{
    static const enum evs_kind text = EVS_STRING;
    EVS_ASSERT(retain_us > 0 && ids_max > 1);
    aliases->op = op;
    aliases->retain_us = retain_us;
    aliases->ids_max = ids_max;
    aliases->durable = evs_op_is_durable(op);
    aliases->epoch = 1;
    evs_table_layout_init(&aliases->layout, &text, 1, sizeof(struct alias));
    evs_table_init(&aliases->table, &aliases->layout);
}

void evs_aliases_fini(struct evs_aliases *aliases)
{
    if (aliases->epoch > 0) {
        evs_table_fini(&aliases->table);
    }
    evs_timers_fini(&aliases->timers);
    evs_free(aliases->dirty);
}

size_t evs_aliases_bytes(const struct evs_aliases *aliases)
{
    return evs_table_bytes(&aliases->table) + aliases->timers.capacity * sizeof *aliases->timers.heap;
}

/* --- entries ------------------------------------------------------------------------------------------------------------------------ */

static struct alias *alias_of(const struct evs_aliases *aliases, uint32_t index)
{
    EVS_ASSERT(evs_table_is_live(&aliases->table, index));
    return (struct alias *)evs_entry_values(&aliases->layout, evs_table_at(&aliases->table, index));
}

static struct evs_str *id_of(const struct evs_aliases *aliases, uint32_t index)
{
    return evs_entry_key(&aliases->layout, evs_table_at(&aliases->table, index), 0);
}

/* Index + 1; 0: unknown. */
static uint32_t find(const struct evs_aliases *aliases, const struct evs_str *id)
{
    struct evs_entry *entry = evs_table_find_stored(&aliases->table, evs_key_hash_text(id), 0, (const uint8_t *)id);
    return entry == NULL ? 0 : evs_table_index_of(&aliases->table, entry) + 1;
}

static uint32_t find_or_add(struct evs_aliases *aliases, const struct evs_str *id)
{
    bool is_new;
    uint64_t hash = evs_key_hash_text(id);
    struct evs_entry *entry = evs_table_put_stored(&aliases->table, hash, 0, (const uint8_t *)id, &is_new);
    uint32_t index = evs_table_index_of(&aliases->table, entry);
    if (is_new) {
        alias_of(aliases, index)->ids = 1;
        evs_op_count(aliases->op, EVS_COUNT_STATE_KEYS, evs_op_owns(aliases->op, hash));
    }
    return index;
}

static void drop_if_alone(struct evs_aliases *aliases, uint32_t index)
{
    const struct alias *alias = alias_of(aliases, index);
    if (alias->parent == 0 && alias->ids == 1) {
        uint64_t hash = evs_table_at(&aliases->table, index)->hash;
        evs_op_count(aliases->op, EVS_COUNT_STATE_KEYS, -(int64_t)evs_op_owns(aliases->op, hash));
        evs_table_remove(&aliases->table, index);
    }
}

static uint32_t root_of(const struct evs_aliases *aliases, uint32_t index)
{
    uint32_t parent;
    while ((parent = alias_of(aliases, index)->parent) != 0) {
        index = parent - 1;
    }
    return index;
}

static void mark(struct evs_aliases *aliases, uint32_t index)
{
    struct evs_entry *entry = evs_table_at(&aliases->table, index);
    if (aliases->durable && entry->epoch != aliases->epoch && evs_op_owns(aliases->op, entry->hash)) {
        entry->epoch = aliases->epoch;
        EVS_GROW(aliases->dirty, aliases->dirty_count, aliases->dirty_capacity);
        aliases->dirty[aliases->dirty_count++] = index;
    }
}

/* The pointers from an id to its root were told again. Their timers come up and are armed anew. */
static void renew(struct evs_aliases *aliases, uint32_t index, int64_t at_us)
{
    int64_t forget_us = evs_time_plus(at_us, aliases->retain_us);
    for (struct alias *alias; (alias = alias_of(aliases, index))->parent != 0; index = alias->parent - 1) {
        if (alias->forget_us < forget_us) {
            alias->forget_us = forget_us;
            mark(aliases, index);
        }
    }
}

static void count_at_owner(struct evs_aliases *aliases, uint32_t index, enum evs_counter counter)
{
    evs_op_count(aliases->op, counter, evs_op_owns(aliases->op, evs_table_at(&aliases->table, index)->hash));
}

static void arm(struct evs_aliases *aliases, uint32_t index)
{
    if (alias_of(aliases, index)->forget_us != EVS_TIME_MAX) {
        evs_timers_arm(&aliases->timers, alias_of(aliases, index)->forget_us, index);
    }
}

/* --- what rows say ------------------------------------------------------------------------------------------------------------------- */

struct evs_str evs_aliases_person(const struct evs_aliases *aliases, const struct evs_str *id)
{
    uint32_t found = aliases->table.count == 0 ? 0 : find(aliases, id);
    return found == 0 ? *id : *id_of(aliases, root_of(aliases, found - 1));
}

static void hang(struct evs_aliases *aliases, uint32_t root, uint32_t under, int64_t at_us)
{
    struct alias *child = alias_of(aliases, root);
    child->parent = under + 1;
    child->forget_us = evs_time_plus(at_us, aliases->retain_us);
    alias_of(aliases, under)->ids += child->ids;
    arm(aliases, root);
    mark(aliases, root);
}

bool evs_aliases_add(struct evs_aliases *aliases, const struct evs_str *previous, const struct evs_str *user,
                     int64_t at_us)
{
    if (evs_str_equal(previous, user)) {
        return true;
    }
    uint32_t from = find_or_add(aliases, previous), to = find_or_add(aliases, user);
    uint32_t root = root_of(aliases, from), under = root_of(aliases, to);
    renew(aliases, from, at_us);
    renew(aliases, to, at_us);
    if (root == under) {
        return true;
    }
    if (alias_of(aliases, root)->ids + alias_of(aliases, under)->ids > aliases->ids_max) {
        count_at_owner(aliases, from, EVS_COUNT_LIMITED);
        drop_if_alone(aliases, from);
        drop_if_alone(aliases, to);
        return false;
    }
    hang(aliases, root, under, at_us);
    count_at_owner(aliases, from, EVS_COUNT_MERGED);
    return true;
}

static void detach(struct evs_aliases *aliases, uint32_t index)
{
    struct alias *alias = alias_of(aliases, index);
    uint32_t parent = alias->parent - 1, above = parent;
    for (;;) {
        struct alias *ancestor = alias_of(aliases, above);
        EVS_ASSERT(ancestor->ids > alias->ids);
        ancestor->ids -= alias->ids;
        if (ancestor->parent == 0) {
            break;
        }
        above = ancestor->parent - 1;
    }
    alias->parent = 0;
    drop_if_alone(aliases, index);
    drop_if_alone(aliases, parent);
}

void evs_aliases_forget(struct evs_aliases *aliases, int64_t until_us)
{
    struct evs_timer due;
    while (evs_timers_pop(&aliases->timers, until_us, &due)) {
        uint32_t index = (uint32_t)due.payload;
        /* the entry may be gone and its place another's: only what is due now means anything */
        if (!evs_table_is_live(&aliases->table, index) || alias_of(aliases, index)->parent == 0) {
            continue;
        }
        if (alias_of(aliases, index)->forget_us <= until_us) {
            detach(aliases, index);
        } else {
            arm(aliases, index);
        }
    }
    evs_key_compact(&aliases->table);
}

/* --- snapshots ------------------------------------------------------------------------------------------------------------------------- */

struct writing {
    struct evs_aliases *aliases;
    struct evs_snapshot_writer *writer;
    uint32_t section;
    struct evs_buffer fixed, variable;
};

static void write_entry(void *argument, uint32_t index, struct evs_entry *entry)
{
    struct writing *to = argument;
    const struct alias *alias = alias_of(to->aliases, index);
    if (alias->parent == 0 || !evs_op_owns(to->aliases->op, entry->hash)) {
        return;
    }
    const struct evs_str *parent = id_of(to->aliases, alias->parent - 1);
    struct stored_alias head = {.forget_us = alias->forget_us, .nulls = entry->nulls, .parent_bytes = parent->count};
    to->fixed.count = to->variable.count = 0;
    evs_buffer_put(&to->fixed, &head, sizeof head);
    evs_key_store(&to->aliases->layout, entry, &to->fixed, &to->variable);
    evs_buffer_put(&to->variable, evs_str_data(parent), parent->count);
    evs_snapshot_put(to->writer, to->section, EVS_RECORD_PUT, entry->hash,
                     (struct evs_slice){to->fixed.data, to->fixed.count},
                     (struct evs_slice){to->variable.data, to->variable.count});
}

void evs_aliases_snapshot(struct evs_aliases *aliases, uint32_t section, struct evs_snapshot_writer *writer, bool full)
{
    struct writing to = {.aliases = aliases, .writer = writer, .section = section};
    for (uint32_t i = 0; !full && i < aliases->dirty_count; i++) {
        if (evs_table_is_live(&aliases->table, aliases->dirty[i])) {
            write_entry(&to, aliases->dirty[i], evs_table_at(&aliases->table, aliases->dirty[i]));
        }
    }
    if (full) {
        evs_snapshot_walk(writer, &aliases->table, write_entry, &to);
    }
    aliases->dirty_count = 0;
    aliases->epoch++;
    evs_buffer_fini(&to.fixed);
    evs_buffer_fini(&to.variable);
}

/* An older record of the log may be replaced by a later one, but of what a commit holds no two point in a circle. */
static bool is_above(const struct evs_aliases *aliases, uint32_t index, uint32_t start)
{
    for (uint32_t steps = 0; steps <= aliases->table.count; steps++) {
        if (start == index) {
            return true;
        }
        uint32_t parent = alias_of(aliases, start)->parent;
        if (parent == 0) {
            return false;
        }
        start = parent - 1;
    }
    return true;
}

static bool is_well_formed(const struct stored_alias *head, const struct evs_snapshot_record *record)
{
    return record->kind == EVS_RECORD_PUT && head->nulls == 0 && head->parent_bytes > 0 &&
           head->parent_bytes <= record->variable.count;
}

bool evs_aliases_restore(struct evs_aliases *aliases, const struct evs_snapshot_record *record, int64_t passed_us)
{
    struct stored_alias head;
    if (record->fixed.count != sizeof head + evs_key_store_bytes(&aliases->layout)) {
        return false;
    }
    memcpy(&head, record->fixed.data, sizeof head);
    struct evs_slice text = record->variable;
    bool is_new;
    if (!is_well_formed(&head, record)) {
        return false;
    }
    if (head.forget_us <= passed_us) {
        return true;
    }
    struct evs_entry *entry =
        evs_key_load(&aliases->table, record->hash, 0, record->fixed.data + sizeof head, &text, &is_new);
    if (entry == NULL || text.count != head.parent_bytes) {
        return false;
    }
    uint32_t index = evs_table_index_of(&aliases->table, entry);
    struct evs_str parent = evs_str_make(text.data, head.parent_bytes);
    if (entry->hash != evs_key_hash_text(id_of(aliases, index))) {
        return false;
    }
    struct evs_entry *above =
        evs_table_put_stored(&aliases->table, evs_key_hash_text(&parent), 0, (const uint8_t *)&parent, &is_new);
    uint32_t above_index = evs_table_index_of(&aliases->table, above);
    struct alias *alias = alias_of(aliases, index);
    alias->parent = 0;
    if (is_above(aliases, index, above_index)) {
        return false;
    }
    alias->parent = above_index + 1;
    alias->forget_us = head.forget_us;
    aliases->restored = true;
    return true;
}

static void count_ids(struct evs_aliases *aliases, uint32_t index)
{
    for (;;) {
        struct alias *alias = alias_of(aliases, index);
        alias->ids++;
        if (alias->parent == 0) {
            return;
        }
        index = alias->parent - 1;
    }
}

void evs_aliases_settle(struct evs_aliases *aliases)
{
    if (!aliases->restored) {
        return;
    }
    aliases->restored = false;
    for (uint32_t i = 0; i < aliases->table.used; i++) {
        if (evs_table_is_live(&aliases->table, i)) {
            count_ids(aliases, i);
        }
    }
    for (uint32_t i = 0; i < aliases->table.used; i++) {
        if (!evs_table_is_live(&aliases->table, i)) {
            continue;
        }
        count_at_owner(aliases, i, EVS_COUNT_STATE_KEYS);
        if (alias_of(aliases, i)->parent != 0) {
            arm(aliases, i);
        }
        drop_if_alone(aliases, i);
    }
}
