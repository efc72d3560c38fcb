/* Exporting state. The log tells the same record many times: what changed, and copies. So blocks first go into a temporary file, which also lets the reading
 * begin again when an engine has trimmed the log meanwhile; then they are read twice: once to learn which version of each record is the last, once to write
 * those. A version is known by what names the record: operator, section, key, and of its fixed bytes what does not change with its contents. */
#include "state_export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregate_view.h"
#include "evstream/json_value.h"
#include "evstream/memory.h"
#include "redis_tools.h"
#include "state/key_view.h"
#include "state/record.h"
#include "state/snapshot.h"

struct version { /* of a record: which one is the last */
    uint64_t name, ordinal;
};

struct export
{
    FILE *spool, *out;
    struct evs_arena arena;
    struct evs_record record;
    struct evs_block_reader reader;
    uint64_t checkpoint;
    enum evs_block_kind kind;
    uint64_t ordinal;
    struct version *versions; /* open addressing; ordinal 0: free */
    uint64_t version_count, version_capacity;
    bool writes; /* the second pass */
    struct evs_buffer line;
};

/* --- the spool ------------------------------------------------------------------------------------------------------------------- */

struct spooled {
    uint64_t checkpoint;
    uint32_t kind, count;
};

static evs_status io_failed(struct evs_error *error)
{
    return evs_fail(error, EVS_E_IO, "The exported state cannot be written: %s.", strerror(errno));
}

static evs_status begin(void *argument, const struct evs_store_terms *terms, struct evs_error *error)
{
    struct export *all = argument;
    evs_arena_reset(&all->arena);
    rewind(all->spool);
    evs_status status = evs_record_decode(terms->record, &all->arena, &all->record, error);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

static evs_status spool(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                        struct evs_error *error)
{
    const struct export *all = argument;
    const struct spooled head = {checkpoint, (uint32_t)kind, (uint32_t)block.count};
    bool is_put =
        fwrite(&head, sizeof head, 1, all->spool) == 1 && fwrite(block.data, 1, block.count, all->spool) == block.count;
    return is_put ? EVS_OK : io_failed(error);
}

/* --- versions ---------------------------------------------------------------------------------------------------------------------- */

static struct version *version_at(const struct export *all, uint64_t name)
{
    uint64_t at = name & (all->version_capacity - 1);
    while (all->versions[at].ordinal != 0 && all->versions[at].name != name) {
        at = (at + 1) & (all->version_capacity - 1);
    }
    return &all->versions[at];
}

static void grow_versions(struct export *all)
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

static void note_version(struct export *all, uint64_t name)
{
    if (all->version_count * 2 >= all->version_capacity) {
        grow_versions(all);
    }
    struct version *version = version_at(all, name);
    all->version_count += version->ordinal == 0;
    *version = (struct version){name, all->ordinal};
}

static const struct evs_state_shape *shape_of(const struct export *all, struct evs_slice name)
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
    if (names_key && record->section == 0) {
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

static void put_line(struct export *all, const struct evs_section_header *header,
                     const struct evs_snapshot_record *record, const struct evs_state_shape *shape)
{
    struct evs_buffer *line = &all->line;
    struct evs_slice rest = record->variable;
    line->count = 0;
    evs_buffer_puts(line, all->kind == EVS_BLOCK_OUTBOX ? "{\"sink\":" : "{\"operator\":");
    evs_json_put_text(line, header->operator_name);
    if (shape != NULL) {
        evs_buffer_printf(line, ",\"kind\":\"%s\"", shape->kind);
    }
    evs_buffer_printf(line, ",\"section\":%u,\"checkpoint\":%llu", record->section,
                      (unsigned long long)all->checkpoint);
    bool has_key = put_key(line, shape, record, &rest);
    bool is_shown = has_key && strcmp(shape->kind, "aggregate") == 0 &&
                    evs_aggregate_view(shape, record, evs_key_view_bytes(shape), rest, line);
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
    const struct export *all = argument;
    return all->kind == EVS_BLOCK_OUTBOX || evs_sweep_needs(&all->record.sweep, all->checkpoint, header->full, hash);
}

static evs_status take(void *argument, const struct evs_section_header *header,
                       const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct export *all = argument;
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
    return fwrite(all->line.data, 1, all->line.count, all->out) == all->line.count ? EVS_OK : io_failed(error);
}

static evs_status pass(struct export *all, bool writes, struct evs_error *error)
{
    struct evs_error ignored;
    struct spooled head;
    evs_status status = EVS_OK;
    all->writes = writes;
    all->ordinal = 0;
    all->reader = (struct evs_block_reader){.wants = wants};
    rewind(all->spool);
    while (status == EVS_OK && fread(&head, sizeof head, 1, all->spool) == 1) {
        char *bytes = evs_alloc(head.count + 1u);
        status = fread(bytes, 1, head.count, all->spool) == head.count ? EVS_OK : io_failed(error);
        all->checkpoint = head.checkpoint;
        all->kind = (enum evs_block_kind)head.kind;
        if (status == EVS_OK) {
            status = evs_block_read(&all->reader, (struct evs_slice){bytes, head.count}, take, all, error);
        }
        evs_free(bytes);
    }
    evs_status end = evs_block_reader_end(&all->reader, status == EVS_OK ? error : &ignored);
    status = status == EVS_OK ? end : status;
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

/* The spool may be longer than what was read last: a try that was given up. */
static evs_status cut_spool(struct export *all, struct evs_error *error)
{
    long end = ftell(all->spool);
    bool is_cut = fflush(all->spool) == 0 && end >= 0 && ftruncate(fileno(all->spool), end) == 0;
    return is_cut ? EVS_OK : io_failed(error);
}

evs_status evs_state_export(void *store, FILE *out, struct evs_error *error)
{
    struct export all = {.out = out, .spool = tmpfile()};
    const struct evs_redis_reading reading = {begin, spool, &all};
    evs_status status = all.spool == NULL ? io_failed(error) : evs_redis_tool_read(store, &reading, error);
    if (status == EVS_OK) {
        status = cut_spool(&all, error);
    }
    if (status == EVS_OK) {
        status = pass(&all, false, error);
    }
    if (status == EVS_OK) {
        if (all.versions == NULL) {
            grow_versions(&all);
        }
        status = pass(&all, true, error);
    }
    if (status == EVS_OK && fflush(out) != 0) {
        status = io_failed(error);
    }
    if (all.spool != NULL) {
        fclose(all.spool);
    }
    evs_free(all.versions);
    evs_buffer_fini(&all.line);
    evs_arena_fini(&all.arena);
    return status;
}
