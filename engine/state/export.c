/* Stored state as lines of JSON. The log tells the same record many times: what changed, and copies. So its blocks are given twice: once to learn which version
 * of each record is the last, once to write those. A version is known by what names the record: operator, section, key, and of its fixed bytes what does not
 * change with its contents. */
#include <string.h>

#include "evstream/json_value.h"
#include "evstream/state.h"
#include "key_view.h"
#include "record.h"
#include "snapshot.h"

struct version { /* of a record: which one is the last */
    uint64_t name, ordinal;
};

struct evs_state_lines {
    const struct evs_state_writing *writing;
    struct evs_arena arena;
    struct evs_record record;
    struct evs_block_reader reader;
    uint64_t checkpoint; /* of the block at hand */
    bool outbox;
    uint64_t ordinal;
    struct version *versions; /* open addressing; ordinal 0: free */
    uint64_t version_count, version_capacity;
    bool writes; /* the second pass */
    struct evs_buffer line;
};

/* --- versions ---------------------------------------------------------------------------------------------------------------------- */

static struct version *version_at(const struct evs_state_lines *all, uint64_t name)
{
    uint64_t at = name & (all->version_capacity - 1);
    while (all->versions[at].ordinal != 0 && all->versions[at].name != name) {
        at = (at + 1) & (all->version_capacity - 1);
    }
    return &all->versions[at];
}

static void grow_versions(struct evs_state_lines *all)
{
    struct version *old = all->versions;
    uint64_t count = all->version_capacity;
    all->version_capacity = count == 0 ? 1024 : count * 2;
    all->versions = evs_alloc_zero(all->version_capacity * sizeof *all->versions);
    for (uint64_t i = 0; i < count; i++) {
        if (old[i].ordinal != 0) {
            *version_at(all, old[i].name) = old[i];
        }
    }
    evs_free(old);
}

static void note_version(struct evs_state_lines *all, uint64_t name)
{
    if (all->version_count * 2 >= all->version_capacity) {
        grow_versions(all);
    }
    struct version *version = version_at(all, name);
    all->version_count += version->ordinal == 0;
    *version = (struct version){name, all->ordinal};
}

static const struct evs_state_shape *shape_of(const struct evs_state_lines *all, struct evs_slice name)
{
    for (uint32_t i = 0; i < all->record.node_count; i++) {
        if (evs_slice_equal(name, evs_slice_of(all->record.nodes[i].name))) {
            return all->record.nodes[i].shape;
        }
    }
    return NULL;
}

/* Of a group or a remembered key the first 16 bytes say which one it is (window or moments); of anything else all of it does. */
static uint64_t name_of(const struct evs_section_header *header, const struct evs_snapshot_record *record,
                        const struct evs_state_shape *shape)
{
    uint64_t parts[4] = {evs_hash64(header->operator_name.data, header->operator_name.count), record->section,
                         record->hash, 0};
    bool names_key = shape != NULL && (shape->stored_key.sections >> record->section & 1) != 0;
    bool has_owner = names_key && (shape->stored_key.sections & EVS_STORED_OWNER) != 0;
    if (has_owner) { /* the key alone: whose it is may change */
        struct evs_value values[EVS_KEYS_MAX];
        struct evs_slice rest = record->variable;
        (void)evs_key_view(shape, record, values, &rest);
        parts[3] = evs_hash64(record->variable.data, record->variable.count - rest.count);
    } else if (names_key && record->section == 0) {
        size_t bytes = shape->stored_key.key_at < 16 ? shape->stored_key.key_at : 16;
        bytes = strcmp(shape->kind, "aggregate") == 0 ? 8 : bytes; /* a session's end moves on */
        parts[3] = evs_hash64(record->fixed.data, bytes < record->fixed.count ? bytes : record->fixed.count);
    } else if (!names_key) {
        parts[3] = evs_hash64(record->fixed.data, record->fixed.count) ^
                   evs_hash64(record->variable.data, record->variable.count);
    } else {
        parts[3] = evs_hash64(record->variable.data, record->variable.count);
    }
    return evs_hash64(parts, sizeof parts);
}

/* --- a line ------------------------------------------------------------------------------------------------------------------------- */

/* Bytes that are no text, as a string: those of ASCII as they are, others as \u00XX. */
static void put_raw(struct evs_buffer *line, struct evs_slice bytes)
{
    evs_buffer_puts(line, "\"");
    for (size_t i = 0; i < bytes.count; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\') {
            evs_buffer_printf(line, "\\u%04x", byte);
        } else {
            evs_buffer_put(line, &byte, 1);
        }
    }
    evs_buffer_puts(line, "\"");
}

static bool put_key(struct evs_buffer *line, const struct evs_state_shape *shape,
                    const struct evs_snapshot_record *record, struct evs_slice *rest)
{
    static const struct evs_type array = {.kind = EVS_ARRAY}, structure = {.kind = EVS_STRUCT};
    struct evs_value values[EVS_KEYS_MAX];
    if (shape == NULL || !evs_key_view(shape, record, values, rest)) {
        return false;
    }
    evs_buffer_puts(line, ",\"key\":{");
    for (uint32_t i = 0; i < shape->keys.count; i++) {
        evs_buffer_puts(line, i > 0 ? "," : "");
        evs_json_put_text(line, evs_slice_of(shape->keys.items[i].text));
        evs_buffer_puts(line, ":");
        if (values[i].kind == array.kind || values[i].kind == structure.kind) {
            put_raw(line, (struct evs_slice){evs_str_data(&values[i].str), values[i].str.count});
        } else {
            evs_json_put_value(line, &values[i], evs_type_of(values[i].kind), 0);
        }
    }
    evs_buffer_puts(line, "}");
    return true;
}

static void put_line(struct evs_state_lines *all, const struct evs_section_header *header,
                     const struct evs_snapshot_record *record, const struct evs_state_shape *shape)
{
    struct evs_buffer *line = &all->line;
    struct evs_slice rest = record->variable;
    line->count = 0;
    evs_buffer_puts(line, all->outbox ? "{\"sink\":" : "{\"operator\":");
    evs_json_put_text(line, header->operator_name);
    if (shape != NULL) {
        evs_buffer_printf(line, ",\"kind\":\"%s\"", shape->kind);
    }
    evs_buffer_printf(line, ",\"section\":%u,\"checkpoint\":%llu", record->section,
                      (unsigned long long)all->checkpoint);
    bool has_key = put_key(line, shape, record, &rest);
    bool is_shown = has_key && all->writing->view != NULL &&
                    all->writing->view(shape, record, evs_key_view_bytes(shape), rest, line);
    if (!is_shown) {
        evs_buffer_printf(line, ",\"hash\":\"%016llx\",\"fixed\":", (unsigned long long)record->hash);
        put_raw(line, record->fixed);
        evs_buffer_puts(line, ",\"bytes\":");
        put_raw(line, rest);
    }
    evs_buffer_puts(line, "}\n");
}

/* --- the two passes ------------------------------------------------------------------------------------------------------------------ */

static bool wants(void *argument, const struct evs_section_header *header, uint64_t hash)
{
    const struct evs_state_lines *all = argument;
    return all->outbox || evs_sweep_needs(&all->record.sweep, all->checkpoint, header->full, hash);
}

static evs_status take(void *argument, const struct evs_section_header *header,
                       const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct evs_state_lines *all = argument;
    const struct evs_state_shape *shape = shape_of(all, header->operator_name);
    uint64_t name = name_of(header, record, shape);
    all->ordinal++;
    if (!all->writes) {
        note_version(all, name);
        return EVS_OK;
    }
    if (version_at(all, name)->ordinal != all->ordinal || record->kind == EVS_RECORD_DELETE) {
        return EVS_OK;
    }
    put_line(all, header, record, shape);
    return all->writing->write(all->writing->argument, (struct evs_slice){all->line.data, all->line.count}, error);
}

struct evs_state_lines *evs_state_lines_new(const struct evs_state_writing *writing)
{
    struct evs_state_lines *lines = evs_alloc_zero(sizeof *lines);
    lines->writing = writing;
    lines->reader.wants = wants;
    grow_versions(lines);
    return lines;
}

evs_status evs_state_lines_begin(struct evs_state_lines *lines, struct evs_slice record, struct evs_error *error)
{
    evs_arena_reset(&lines->arena);
    evs_status status = evs_record_decode(record, &lines->arena, &lines->record, error);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

void evs_state_lines_again(struct evs_state_lines *lines)
{
    EVS_ASSERT(!lines->writes);
    lines->writes = true;
    lines->ordinal = 0;
}

evs_status evs_state_lines_block(struct evs_state_lines *lines, bool outbox, uint64_t checkpoint,
                                 struct evs_slice block, struct evs_error *error)
{
    lines->checkpoint = checkpoint;
    lines->outbox = outbox;
    evs_status status = evs_block_read(&lines->reader, block, take, lines, error);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

void evs_state_lines_free(struct evs_state_lines *lines)
{
    struct evs_error ignored;
    (void)!evs_block_reader_end(&lines->reader, &ignored);
    evs_free(lines->versions);
    evs_buffer_fini(&lines->line);
    evs_arena_fini(&lines->arena);
    evs_free(lines);
}
