#include "split.h"

#include "evstream/rows.h"
#include "key_view.h"

#define FLUSH_BYTES (UINT64_C(1) << 20)
#define NOBODY UINT8_MAX

/* --- what is learned: operator and hash → group; linear probing, at most half full ----------------------------------------------- */

struct known {
    uint64_t hash;
    uint16_t node; /* + 1; 0: free */
    uint8_t group;
};

struct known_set {
    struct known *items;
    uint32_t count, capacity; /* a power of two */
};

static struct known *place_of(const struct known_set *set, uint16_t node, uint64_t hash)
{
    uint64_t mixed = (hash ^ node) * UINT64_C(0x9E3779B97F4A7C15);
    uint32_t at = (uint32_t)(mixed >> 32) & (set->capacity - 1);
    while (set->items[at].node != 0 && (set->items[at].node != node || set->items[at].hash != hash)) {
        at = (at + 1) & (set->capacity - 1);
    }
    return &set->items[at];
}

static void grow(struct known_set *set)
{
    struct known_set grown = {.count = set->count, .capacity = set->capacity == 0 ? 1024 : set->capacity * 2};
    grown.items = evs_alloc_zero(grown.capacity * sizeof *grown.items);
    for (uint32_t i = 0; i < set->capacity; i++) {
        if (set->items[i].node != 0) {
            *place_of(&grown, set->items[i].node, set->items[i].hash) = set->items[i];
        }
    }
    evs_free(set->items);
    *set = grown;
}

static void note(struct known_set *set, uint16_t node, uint64_t hash, uint8_t group)
{
    if (2 * (set->count + 1) > set->capacity) {
        grow(set);
    }
    struct known *at = place_of(set, node, hash);
    set->count += at->node == 0;
    *at = (struct known){hash, node, group};
}

/* --- the split ------------------------------------------------------------------------------------------------------------------------ */

/* One stream of records on its way to a new group. */
struct target {
    struct evs_snapshot_writer writer;
    struct evs_block_list blocks;
    uint64_t unflushed;
};

struct evs_split {
    const struct evs_plan *plan;
    uint32_t group_count;
    struct evs_arena arena;
    struct evs_record *records; /* of all old groups */
    uint32_t record_count, record_capacity;
    struct known_set known;
    struct evs_block_reader reader;
    struct target targets[EVS_GROUPS_MAX];
    /* the record at hand */
    uint64_t checkpoint;
    struct evs_buffer name; /* of the operator whose records the writers hold, with a NUL */
    uint32_t version, section;
    uint64_t written_at; /* their checkpoint */
};

struct evs_split *evs_split_new(const struct evs_plan *plan, uint32_t group_count)
{
    EVS_ASSERT(group_count >= 1 && group_count <= EVS_GROUPS_MAX && group_count <= plan->groups_max);
    struct evs_split *split = evs_alloc_zero(sizeof *split);
    split->plan = plan;
    split->group_count = group_count;
    return split;
}

void evs_split_free(struct evs_split *split)
{
    if (split == NULL) {
        return;
    }
    struct evs_error ignored;
    evs_status status = evs_block_reader_end(&split->reader, &ignored);
    (void)status;
    for (uint32_t i = 0; i < EVS_GROUPS_MAX; i++) {
        evs_snapshot_writer_fini(&split->targets[i].writer);
        evs_blocks_fini(&split->targets[i].blocks);
    }
    evs_buffer_fini(&split->name);
    evs_free(split->known.items);
    evs_free(split->records);
    evs_arena_fini(&split->arena);
    evs_free(split);
}

static const struct evs_record *current(const struct evs_split *split)
{
    EVS_ASSERT(split->record_count > 0);
    return &split->records[split->record_count - 1];
}

/* --- may it be divided? ----------------------------------------------------------------------------------------------------------- */

static const struct evs_plan_node *plan_node(const struct evs_plan *plan, struct evs_slice name)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (evs_slice_equal(name, evs_slice_of(plan->nodes[i].name))) {
            return &plan->nodes[i];
        }
    }
    return NULL;
}

static evs_status check_plan(const struct evs_split *split, const struct evs_record *record, struct evs_error *error)
{
    bool is_same = record->plan_hash == split->plan->hash;
    for (uint32_t i = 0; i < record->node_count && is_same; i++) {
        const struct evs_plan_node *node = plan_node(split->plan, evs_slice_of(record->nodes[i].name));
        is_same = node != NULL && node->state_identity == record->nodes[i].identity && record->nodes[i].shape != NULL;
    }
    return is_same ? EVS_OK
                   : evs_fail(error, EVS_E_STATE,
                              "the state is of another version of the pipeline: run this one first, until it has made "
                              "a checkpoint of each group");
}

/* Nothing but a copy of all state, and the closing commit behind it. */
static evs_status check_settled(const struct evs_record *record, struct evs_error *error)
{
    for (uint32_t i = 0; i < EVS_RANGES; i++) {
        if (record->sweep.copies[i].checkpoint + 1 < record->checkpoint) {
            return evs_fail(error, EVS_E_STATE,
                            "an engine has started meanwhile, and nothing was changed: stop it, "
                            "and try again");
        }
    }
    return EVS_OK;
}

static evs_status check_delivered(const struct evs_record *record, struct evs_error *error)
{
    for (uint32_t i = 0; i < record->sink_count; i++) {
        for (uint32_t k = 0; k < record->sinks[i].lane_count; k++) {
            const struct evs_record_lane *lane = &record->sinks[i].lanes[k];
            if (lane->cursor != lane->last) {
                return evs_fail(error, EVS_E_STATE,
                                "rows of sink %s are not delivered yet: run the pipeline, and stop it by SIGTERM",
                                record->sinks[i].name);
            }
        }
    }
    return EVS_OK;
}

evs_status evs_split_begin(struct evs_split *split, struct evs_slice bytes, struct evs_error *error)
{
    EVS_GROW(split->records, split->record_count, split->record_capacity);
    struct evs_record *record = &split->records[split->record_count];
    *record = (struct evs_record){0};
    evs_status status = evs_record_decode(bytes, &split->arena, record, error);
    if (status != EVS_OK) {
        return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
    }
    split->record_count++;
    split->known.count = 0;
    if (split->known.capacity > 0) {
        memset(split->known.items, 0, split->known.capacity * sizeof *split->known.items);
    }
    if (record->finished) {
        return evs_fail(error, EVS_E_STATE, "its input is complete: there is nothing left to be divided");
    }
    if (record->erasure_count > 0) {
        return evs_fail(error, EVS_E_STATE, "an erasure is under way: run the pipeline until it is carried out");
    }
    status = check_plan(split, record, error);
    if (status == EVS_OK) {
        status = check_settled(record, error);
    }
    return status == EVS_OK ? check_delivered(record, error) : status;
}

/* --- whose is a record? ------------------------------------------------------------------------------------------------------------ */

static uint8_t group_of_text(const struct evs_split *split, const struct evs_plan_node *node, struct evs_slice text)
{
    EVS_ASSERT(node->partition_count > 0);
    return (uint8_t)(evs_fnv1a32(text.data, text.count) % node->partition_count % split->group_count);
}

static uint8_t group_of_value(const struct evs_split *split, const struct evs_plan_node *node,
                              const struct evs_value *value)
{
    return value->kind == EVS_STRING && !value->is_null ? group_of_text(split, node, evs_str_slice(&value->str))
                                                        : NOBODY;
}

static uint8_t group_of_key(const struct evs_split *split, const struct evs_plan_node *node,
                            const struct evs_state_shape *shape, const struct evs_snapshot_record *record)
{
    struct evs_value values[EVS_KEYS_MAX];
    struct evs_slice rest;
    if (!evs_key_view(shape, record, values, &rest)) {
        return NOBODY;
    }
    for (uint32_t i = 0; i < shape->keys.count; i++) {
        if (shape->keys.items[i].identity == node->partition_identity[0]) {
            return group_of_value(split, node, &values[i]);
        }
    }
    return NOBODY;
}

/* A row of a window: its column that is the partition's key. */
static uint8_t group_of_column(const struct evs_split *split, const struct evs_plan_node *node,
                               const struct evs_state_shape *shape, const struct evs_row *row, size_t bytes,
                               uint32_t input)
{
    struct evs_row_layout layout;
    uint8_t group = NOBODY;
    uint32_t column = 0;
    bool is_good = evs_row_layout_of_parts(&layout, &shape->rows, input) && evs_row_is_valid(&layout, row, bytes);
    for (uint32_t i = 0; i < shape->rows.count && is_good; i++) {
        const struct evs_state_part *part = &shape->rows.items[i];
        if ((uint8_t)part->form.data[0] != input) {
            continue;
        }
        if (part->identity == node->partition_identity[input] && !evs_row_is_null(&layout, row, column)) {
            struct evs_value value = evs_row_value(&layout, row, column);
            group = group_of_value(split, node, &value);
        }
        column++;
    }
    evs_row_layout_fini(&layout);
    return group;
}

static uint8_t group_of_row(const struct evs_split *split, const struct evs_plan_node *node,
                            const struct evs_state_shape *shape, const struct evs_snapshot_record *record)
{
    struct evs_row head;
    if (record->variable.count < sizeof head) {
        return NOBODY;
    }
    memcpy(&head, record->variable.data, sizeof head);
    uint32_t bytes = evs_row_bytes(&head);
    if (bytes < sizeof head || bytes > record->variable.count) {
        return NOBODY;
    }
    if (evs_row_cause_kind(&head) == EVS_CAUSE_RECORD) {
        return (uint8_t)(evs_cause_partition(head.cause) % split->group_count);
    }
    struct evs_row *row = evs_alloc(bytes);
    memcpy(row, record->variable.data, bytes);
    uint32_t input = node->operator_->inputs_max > 1 ? record->section : 0;
    uint8_t group = input < 2 ? group_of_column(split, node, shape, row, bytes, input) : NOBODY;
    evs_free(row);
    return group;
}

static const struct evs_state_shape *shape_of(const struct evs_split *split, struct evs_slice name)
{
    const struct evs_record *record = current(split);
    for (uint32_t i = 0; i < record->node_count; i++) {
        if (evs_slice_equal(name, evs_slice_of(record->nodes[i].name))) {
            return record->nodes[i].shape;
        }
    }
    return NULL;
}

/* What the record itself shows. */
static uint8_t group_shown(const struct evs_split *split, const struct evs_plan_node *node,
                           const struct evs_snapshot_record *record, struct evs_slice name)
{
    const struct evs_state_shape *shape = shape_of(split, name);
    if (split->group_count == 1) {
        return 0;
    }
    if (node->kind == EVS_NODE_SOURCE) {
        uint32_t partition;
        EVS_ASSERT(record->fixed.count >= sizeof partition);
        memcpy(&partition, record->fixed.data, sizeof partition);
        return (uint8_t)(partition % split->group_count);
    }
    if (shape == NULL || record->section >= 16) {
        return NOBODY;
    }
    uint8_t group = group_of_key(split, node, shape, record);
    bool has_row = group == NOBODY && (node->operator_->stored_rows >> record->section & 1) != 0;
    return has_row ? group_of_row(split, node, shape, record) : group;
}

static bool wants(void *argument, const struct evs_section_header *header, uint64_t hash)
{
    const struct evs_split *split = argument;
    return evs_sweep_needs(&current(split)->sweep, split->checkpoint, header->full, hash);
}

static evs_status unknown_operator(const struct evs_section_header *header, struct evs_error *error)
{
    return evs_fail(error, EVS_E_STATE, "state of `%.*s` is stored, which the pipeline does not know",
                    (int)header->operator_name.count, header->operator_name.data);
}

static uint16_t number_of(const struct evs_split *split, const struct evs_plan_node *node)
{
    return (uint16_t)(node - split->plan->nodes + 1);
}

/* --- learning --------------------------------------------------------------------------------------------------------------------- */

static evs_status learn(void *argument, const struct evs_section_header *header,
                        const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct evs_split *split = argument;
    const struct evs_plan_node *node = plan_node(split->plan, header->operator_name);
    if (node == NULL) {
        return unknown_operator(header, error);
    }
    uint8_t group = node->kind == EVS_NODE_SOURCE ? NOBODY : group_shown(split, node, record, header->operator_name);
    if (group != NOBODY) {
        note(&split->known, number_of(split, node), record->hash, group);
    }
    return EVS_OK;
}

static evs_status read_block(struct evs_split *split, uint64_t checkpoint, struct evs_slice block, evs_take_record take,
                             struct evs_error *error)
{
    split->checkpoint = checkpoint;
    split->reader.wants = wants;
    return evs_block_read(&split->reader, block, take, split, error);
}

evs_status evs_split_learn(struct evs_split *split, uint64_t checkpoint, struct evs_slice block,
                           struct evs_error *error)
{
    return split->group_count == 1 ? EVS_OK : read_block(split, checkpoint, block, learn, error);
}

evs_status evs_split_learned(struct evs_split *split, struct evs_error *error)
{
    return evs_block_reader_end(&split->reader, error);
}

/* --- routing ---------------------------------------------------------------------------------------------------------------------- */

static void flush(struct evs_split *split)
{
    for (uint32_t i = 0; i < split->group_count; i++) {
        struct target *target = &split->targets[i];
        if (target->unflushed > 0) {
            evs_blocks_add(&target->blocks, split->name.data, split->version, &target->writer);
            evs_snapshot_writer_clear(&target->writer);
            target->unflushed = 0;
        }
    }
}

/* Writers hold records of one operator and one checkpoint, whose sections come in their order. */
static void set_operator(struct evs_split *split, const struct evs_section_header *header)
{
    struct evs_slice name = {split->name.data, split->name.count > 0 ? split->name.count - 1 : 0};
    bool goes_on = split->name.count > 0 && evs_slice_equal(name, header->operator_name) &&
                   split->version == header->version && split->written_at == split->checkpoint &&
                   header->section >= split->section;
    if (!goes_on) {
        flush(split);
        split->name.count = 0;
        evs_buffer_put(&split->name, header->operator_name.data, header->operator_name.count);
        evs_buffer_put(&split->name, "", 1);
    }
    split->version = header->version;
    split->section = header->section;
    split->written_at = split->checkpoint;
}

static void write_to(struct evs_split *split, uint32_t group, const struct evs_snapshot_record *record)
{
    struct target *target = &split->targets[group];
    evs_snapshot_put(&target->writer, record->section, record->kind, record->hash, record->fixed, record->variable);
    target->unflushed += record->fixed.count + record->variable.count + 1;
    if (target->unflushed > FLUSH_BYTES) {
        flush(split);
    }
}

static uint8_t group_of(const struct evs_split *split, const struct evs_plan_node *node,
                        const struct evs_section_header *header, const struct evs_snapshot_record *record)
{
    if (split->group_count == 1 || node->kind == EVS_NODE_SOURCE) {
        return group_shown(split, node, record, header->operator_name);
    }
    const struct known *at =
        split->known.capacity == 0 ? NULL : place_of(&split->known, number_of(split, node), record->hash);
    return at == NULL || at->node == 0 ? NOBODY : at->group;
}

static evs_status route(void *argument, const struct evs_section_header *header,
                        const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct evs_split *split = argument;
    const struct evs_plan_node *node = plan_node(split->plan, header->operator_name);
    if (node == NULL) {
        return unknown_operator(header, error);
    }
    uint8_t group = group_of(split, node, header, record);
    if (group == NOBODY && record->kind == EVS_RECORD_DELETE) {
        return EVS_OK; /* of a key that is nowhere any more */
    }
    if (group == NOBODY) {
        return evs_fail(error, EVS_E_STATE, "operator %s keeps state that does not show to which partition it belongs",
                        node->name);
    }
    set_operator(split, header);
    write_to(split, group, record);
    return EVS_OK;
}

evs_status evs_split_route(struct evs_split *split, uint64_t checkpoint, struct evs_slice block,
                           struct evs_error *error)
{
    return read_block(split, checkpoint, block, route, error);
}

evs_status evs_split_routed(struct evs_split *split, struct evs_error *error)
{
    flush(split);
    split->name.count = 0;
    return evs_block_reader_end(&split->reader, error);
}

const struct evs_block_list *evs_split_blocks(struct evs_split *split, uint32_t group)
{
    EVS_ASSERT(group < split->group_count);
    evs_blocks_finish(&split->targets[group].blocks);
    return &split->targets[group].blocks;
}

/* --- the commits that the new groups begin with ------------------------------------------------------------------------------------ */

struct evs_hash128 evs_split_incarnation(const struct evs_split *split)
{
    return split->records[0].incarnation;
}

static struct evs_record_source *merged_source(struct evs_split *split, struct evs_record *to,
                                               const struct evs_record_source *from)
{
    for (uint32_t i = 0; i < to->source_count; i++) {
        if (strcmp(to->sources[i].name, from->name) == 0) {
            return &to->sources[i];
        }
    }
    if (to->sources == NULL) {
        to->sources = EVS_ARENA_ARRAY(&split->arena, struct evs_record_source, split->plan->node_count + 1u);
    }
    struct evs_record_source *source = &to->sources[to->source_count++];
    const struct evs_plan_node *node = plan_node(split->plan, evs_slice_of(from->name));
    uint32_t most = node != NULL && node->source != NULL ? node->source->partitions : 0;
    *source = (struct evs_record_source){.name = from->name, .frontier_us = from->frontier_us};
    source->partitions = EVS_ARENA_ARRAY(&split->arena, struct evs_record_partition, most + from->partition_count + 1u);
    return source;
}

/* F is where the furthest of the old groups was: nothing that F has moved goes back. */
static void add_sources(struct evs_split *split, struct evs_record *to, const struct evs_record *from, uint32_t group)
{
    for (uint32_t i = 0; i < from->source_count; i++) {
        const struct evs_record_source *old = &from->sources[i];
        struct evs_record_source *source = merged_source(split, to, old);
        source->frontier_us = old->frontier_us > source->frontier_us ? old->frontier_us : source->frontier_us;
        for (uint32_t k = 0; k < old->partition_count; k++) {
            if (old->partitions[k].position.partition % split->group_count == group) {
                source->partitions[source->partition_count++] = old->partitions[k];
            }
        }
    }
}

/* An operator stands where the old group that is furthest behind was: what the others had closed is gone from the state, and the events behind it are late by
 * their partitions' own watermarks. */
static void add_nodes(struct evs_split *split, struct evs_record *to, const struct evs_record *from)
{
    if (to->nodes == NULL) {
        to->nodes = EVS_ARENA_ARRAY(&split->arena, struct evs_record_node, from->node_count + 1u);
        memcpy(to->nodes, from->nodes, from->node_count * sizeof *to->nodes);
        to->node_count = from->node_count;
        return;
    }
    for (uint32_t i = 0; i < to->node_count && i < from->node_count; i++) {
        EVS_ASSERT(strcmp(to->nodes[i].name, from->nodes[i].name) == 0);
        int64_t watermark_us = from->nodes[i].watermark_us;
        to->nodes[i].watermark_us = watermark_us < to->nodes[i].watermark_us ? watermark_us : to->nodes[i].watermark_us;
    }
}

/* Every old lane's receipt: what was sent behind these commits is looked for above the lowest floor. */
static void add_sinks(struct evs_split *split, struct evs_record *to, const struct evs_record *from)
{
    uint32_t old_count = split->record_count;
    if (to->sinks == NULL) {
        to->sinks = EVS_ARENA_ARRAY(&split->arena, struct evs_record_sink, from->sink_count + 1u);
    }
    for (uint32_t i = 0; i < from->sink_count; i++) {
        const struct evs_record_sink *old = &from->sinks[i];
        struct evs_record_sink *sink = &to->sinks[i];
        if (i >= to->sink_count) {
            *sink = (struct evs_record_sink){.name = old->name};
            sink->lanes = EVS_ARENA_ARRAY(&split->arena, struct evs_record_lane, old_count * 64u + 1u);
            to->sink_count++;
        }
        EVS_ASSERT(strcmp(sink->name, old->name) == 0);
        for (uint32_t k = 0; k < old->lane_count && sink->lane_count < old_count * 64u; k++) {
            sink->lanes[sink->lane_count] =
                (struct evs_record_lane){.lane = sink->lane_count, .receipt = old->lanes[k].receipt};
            sink->lane_count++;
        }
    }
}

static void add_erased(struct evs_split *split, struct evs_record *to, const struct evs_record *from)
{
    if (to->erased == NULL) {
        to->erased = EVS_ARENA_ARRAY(&split->arena, struct evs_record_erased, EVS_RECORD_ERASED_MAX);
    }
    for (uint32_t i = 0; i < from->erased_count && to->erased_count < EVS_RECORD_ERASED_MAX; i++) {
        to->erased[to->erased_count++] = from->erased[i];
    }
}

void evs_split_record(struct evs_split *split, uint32_t group, uint64_t checkpoint, struct evs_buffer *out)
{
    const struct evs_record *first = &split->records[0];
    struct evs_record record = {
        .checkpoint = checkpoint,
        .plan_hash = first->plan_hash,
        .incarnation = first->incarnation,
        .split_version = first->split_version,
        .key_version = first->key_version,
    };
    for (uint32_t i = 0; i < split->record_count; i++) {
        const struct evs_record *from = &split->records[i];
        add_sources(split, &record, from, group);
        add_nodes(split, &record, from);
        add_sinks(split, &record, from);
        add_erased(split, &record, from);
        bool counts = group == 0; /* totals are of all groups together */
        record.events += counts ? from->events : 0;
        record.rows_out += counts ? from->rows_out : 0;
        record.late += counts ? from->late : 0;
        record.dead += counts ? from->dead : 0;
    }
    for (uint32_t i = 0; i < EVS_RANGES; i++) { /* what an attempt before has left in the log counts no more */
        record.sweep.copies[i].checkpoint = checkpoint - 1;
    }
    evs_record_encode(&record, out);
}
