/* Blocks: the encoding that snapshot.h draws. Everything is little-endian (checked at compile time: the state of a little-endian machine is
 * the only one there is). A reader refuses what it does not know by magic, version or CRC; it never guesses. */
#include <limits.h>

#include <lz4.h>

#include "snapshot.h"
#include "transpose.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "state is little-endian");

#define BLOCK_MAGIC 0x42535645u /* "EVSB" */
#define BLOCK_FORMAT 1
#define RAW_BYTES_MAX (240u << 10) /* so that even incompressible bytes stay under EVS_BLOCK_BYTES */

#define LZ4_RATIO_MAX 256 /* a byte of LZ4 makes at most 255 */

enum { CODEC_RAW = 0, CODEC_LZ4 = 1, CODEC_PIECE = 2 };

struct block_header {
    uint32_t magic;
    uint8_t format, codec;
    uint16_t piece; /* CODEC_PIECE: its number, from 0; raw_bytes are those of the whole, stored block */
    uint32_t raw_bytes, crc;
};
_Static_assert(sizeof(struct block_header) == 16, "layout on disk");
#define PIECE_BYTES (EVS_BLOCK_BYTES - sizeof(struct block_header))

struct section_header {
    uint16_t name_bytes;
    uint8_t section, full;
    uint32_t version;
    uint64_t range_first, range_last;
    uint32_t part, parts;
    uint32_t records, fixed_bytes;
    uint64_t variable_bytes;
};
_Static_assert(sizeof(struct section_header) == 48, "layout on disk");

/* --- writing --------------------------------------------------------------------------------------------------------- */

static void list_add(struct evs_block_list *list, struct evs_slice block)
{
    EVS_GROW(list->blocks, list->block_count, list->block_capacity);
    list->blocks[list->block_count++] = block;
    list->bytes += block.count;
}

static void add_pieces(struct evs_block_list *list, struct evs_slice whole)
{
    EVS_ASSERT(whole.count <= UINT32_MAX && whole.count / PIECE_BYTES < UINT16_MAX);
    uint16_t number = 0;
    for (size_t at = 0; at < whole.count; number++) {
        size_t bytes = whole.count - at < PIECE_BYTES ? whole.count - at : PIECE_BYTES;
        char *piece = evs_alloc(sizeof(struct block_header) + bytes);
        struct block_header header = {BLOCK_MAGIC, BLOCK_FORMAT,          CODEC_PIECE,
                                      number,      (uint32_t)whole.count, evs_crc32c(0, whole.data + at, bytes)};
        memcpy(piece, &header, sizeof header);
        memcpy(piece + sizeof header, whole.data + at, bytes);
        list_add(list, (struct evs_slice){piece, sizeof header + bytes});
        at += bytes;
    }
}

static void block_close(struct evs_block_list *list)
{
    if (list->raw.count == 0) {
        return;
    }
    EVS_ASSERT(list->raw.count <= LZ4_MAX_INPUT_SIZE);
    int bound = LZ4_compressBound((int)list->raw.count);
    char *block = evs_alloc(sizeof(struct block_header) + (size_t)bound);
    char *payload = block + sizeof(struct block_header);
    int packed = LZ4_compress_default(list->raw.data, payload, (int)list->raw.count, bound);
    struct block_header header = {BLOCK_MAGIC, BLOCK_FORMAT, CODEC_LZ4, 0, (uint32_t)list->raw.count, 0};
    if (packed <= 0 || (size_t)packed >= list->raw.count) {
        header.codec = CODEC_RAW;
        packed = (int)list->raw.count;
        memcpy(payload, list->raw.data, list->raw.count);
    }
    header.crc = evs_crc32c(0, payload, (size_t)packed);
    memcpy(block, &header, sizeof header);
    struct evs_slice whole = {block, sizeof header + (size_t)packed};
    if (whole.count <= EVS_BLOCK_BYTES) {
        list_add(list, whole);
    } else {
        add_pieces(list, whole);
        evs_free(block);
    }
    list->raw.count = 0;
}

void evs_blocks_finish(struct evs_block_list *list)
{
    block_close(list);
}

void evs_blocks_fini(struct evs_block_list *list)
{
    for (uint32_t i = 0; i < list->block_count; i++) {
        evs_free((char *)list->blocks[i].data);
    }
    evs_free(list->blocks);
    evs_buffer_fini(&list->raw);
    *list = (struct evs_block_list){0};
}

static void put_transposed(struct evs_buffer *raw, const char *rows, uint32_t row_bytes, uint32_t count)
{
    evs_buffer_reserve(raw, (size_t)row_bytes * count);
    evs_transpose(raw->data + raw->count, rows, count, row_bytes);
    raw->count += (size_t)row_bytes * count;
}

/* One run of records of a section, small enough for the open block. */
struct run {
    uint32_t first, count;
    size_t variable_first, variable_bytes;
};

static void put_run(struct evs_block_list *list, const char *name, const struct section_header *proto,
                    const struct evs_section *s, const struct run *run)
{
    struct evs_buffer *raw = &list->raw;
    struct section_header header = *proto;
    header.records = run->count;
    header.variable_bytes = run->variable_bytes;
    evs_buffer_put(raw, &header, sizeof header);
    evs_buffer_put(raw, name, header.name_bytes);
    evs_buffer_put(raw, s->kinds.data + run->first, run->count);
    put_transposed(raw, s->hashes.data + (size_t)run->first * 8, 8, run->count);
    put_transposed(raw, s->fixed.data + (size_t)run->first * s->fixed_bytes, s->fixed_bytes, run->count);
    put_transposed(raw, s->variable_counts.data + (size_t)run->first * 4, 4, run->count);
    evs_buffer_put(raw, s->variable.data + run->variable_first, run->variable_bytes);
}

static uint32_t variable_count(const struct evs_section *s, uint32_t record)
{
    uint32_t count;
    memcpy(&count, s->variable_counts.data + (size_t)record * 4, 4);
    return count;
}

/* As many records from `first` on as `room` bytes hold, at least one: a record larger than a block makes a larger block, which is cut into pieces. */
static struct run run_cut(const struct evs_section *s, uint32_t first, size_t variable_first, size_t room)
{
    struct run run = {.first = first, .variable_first = variable_first};
    size_t bytes = 0;
    for (uint32_t i = first; i < s->count; i++) {
        size_t record = 13u + s->fixed_bytes + variable_count(s, i);
        if (run.count > 0 && bytes + record > room) {
            break;
        }
        bytes += record;
        run.variable_bytes += variable_count(s, i);
        run.count++;
    }
    return run;
}

static void put_section(struct evs_block_list *list, const char *name, struct section_header *proto,
                        const struct evs_section *s)
{
    size_t overhead = sizeof *proto + proto->name_bytes;
    size_t variable = 0;
    for (uint32_t first = 0; first < s->count;) {
        size_t least = overhead + 13u + s->fixed_bytes + variable_count(s, first);
        if (list->raw.count > 0 && list->raw.count + least > RAW_BYTES_MAX) {
            block_close(list);
        }
        size_t used = list->raw.count + overhead;
        struct run run = run_cut(s, first, variable, used < RAW_BYTES_MAX ? RAW_BYTES_MAX - used : 0);
        put_run(list, name, proto, s, &run);
        first += run.count;
        variable += run.variable_bytes;
        proto->part++;
    }
}

void evs_blocks_add(struct evs_block_list *list, const char *operator_name, uint32_t version,
                    const struct evs_snapshot_writer *writer)
{
    size_t name_bytes = strlen(operator_name);
    EVS_ASSERT(name_bytes <= UINT16_MAX);
    struct evs_ranges ranges = evs_ranges_others(writer->leaves_out);
    for (uint32_t i = 0; i < EVS_SECTIONS_MAX; i++) {
        struct section_header proto = {
            .name_bytes = (uint16_t)name_bytes,
            .section = (uint8_t)i,
            .full = writer->full,
            .version = version,
            .range_first = ranges.first,
            .range_last = ranges.first + ranges.count - 1,
            .fixed_bytes = writer->sections[i].fixed_bytes,
        };
        put_section(list, operator_name, &proto, &writer->sections[i]);
    }
}

/* --- reading ----------------------------------------------------------------------------------------------------------- */

static evs_status damaged(struct evs_error *error, const char *what)
{
    return evs_fail(error, EVS_E_CORRUPT, "a state block is damaged: %s", what);
}

static evs_status block_open(struct evs_slice block, char **raw, size_t *raw_bytes, struct evs_error *error)
{
    struct block_header header;
    if (block.count < sizeof header) {
        return damaged(error, "it is shorter than its header");
    }
    memcpy(&header, block.data, sizeof header);
    struct evs_slice payload = {block.data + sizeof header, block.count - sizeof header};
    if (header.magic != BLOCK_MAGIC) {
        return damaged(error, "it does not begin with EVSB");
    }
    if (header.format != BLOCK_FORMAT) {
        return evs_fail(
            error, EVS_E_STATE,
            "a state block has format %u; this evstream reads format %d: run the version that wrote it, or a later "
            "one",
            header.format, BLOCK_FORMAT);
    }
    if (evs_crc32c(0, payload.data, payload.count) != header.crc) {
        return damaged(error, "its checksum is wrong");
    }
    bool is_raw = header.codec == CODEC_RAW && header.raw_bytes == payload.count;
    bool is_lz4 = header.codec == CODEC_LZ4 && header.raw_bytes <= LZ4_MAX_INPUT_SIZE &&
                  header.raw_bytes / LZ4_RATIO_MAX <= payload.count && payload.count <= INT_MAX;
    if (!is_raw && !is_lz4) { /* the header has no checksum: its size must be possible before memory is asked for */
        return damaged(error, "its size is wrong");
    }
    *raw = evs_alloc((size_t)header.raw_bytes + 1);
    *raw_bytes = header.raw_bytes;
    if (header.codec == CODEC_RAW) {
        memcpy(*raw, payload.data, payload.count);
        return EVS_OK;
    }
    int got = LZ4_decompress_safe(payload.data, *raw, (int)payload.count, (int)header.raw_bytes);
    if (got != (int)header.raw_bytes) {
        evs_free(*raw);
        return damaged(error, "it does not decompress");
    }
    return EVS_OK;
}

struct section_view {
    struct evs_section_header header;
    uint32_t records, fixed_bytes;
    const char *kinds, *hashes, *fixed, *variable_counts, *variable;
    size_t variable_bytes;
};

/* Who reads. */
struct reading {
    bool (*wants)(void *argument, const struct evs_section_header *header, uint64_t hash);
    evs_take_record take;
    void *argument;
};

/* The columns of a section as rows again. Records that nobody wants cost no more than their hash and their length. */
struct section_rows {
    uint64_t *hashes;
    uint32_t *variable_counts;
    char *fixed; /* NULL until a record is wanted */
};

static struct section_rows rows_of(const struct section_view *view)
{
    size_t count = view->records;
    struct section_rows rows = {evs_alloc((count + 1) * sizeof *rows.hashes),
                                evs_alloc((count + 1) * sizeof *rows.variable_counts), NULL};
    evs_transpose((char *)rows.hashes, view->hashes, 8, view->records);
    evs_transpose((char *)rows.variable_counts, view->variable_counts, 4, view->records);
    return rows;
}

static evs_status section_record(const struct section_view *view, const struct reading *reading,
                                 struct section_rows *rows, uint32_t index, struct evs_slice variable,
                                 struct evs_error *error)
{
    struct evs_snapshot_record record = {.section = view->header.section,
                                         .kind = (enum evs_record_kind)view->kinds[index],
                                         .hash = rows->hashes[index],
                                         .variable = variable};
    if (record.kind > EVS_RECORD_DELETE) {
        return damaged(error, "a record is of a kind that there is not");
    }
    if (reading->wants != NULL && !reading->wants(reading->argument, &view->header, record.hash)) {
        return EVS_OK;
    }
    if (rows->fixed == NULL) {
        rows->fixed = evs_alloc((size_t)view->records * view->fixed_bytes + 1);
        evs_transpose(rows->fixed, view->fixed, view->fixed_bytes, view->records);
    }
    record.fixed = (struct evs_slice){rows->fixed + (size_t)index * view->fixed_bytes, view->fixed_bytes};
    return reading->take(reading->argument, &view->header, &record, error);
}

static evs_status section_records(const struct section_view *view, const struct reading *reading,
                                  struct evs_error *error)
{
    struct section_rows rows = rows_of(view);
    size_t variable = 0;
    evs_status status = EVS_OK;
    for (uint32_t i = 0; status == EVS_OK && i < view->records; i++) {
        uint32_t count = rows.variable_counts[i];
        if (count > view->variable_bytes - variable) {
            status = damaged(error, "a record is longer than its section");
            break;
        }
        struct evs_slice bytes = {view->variable + variable, count};
        status = section_record(view, reading, &rows, i, bytes, error);
        variable += count;
    }
    evs_free(rows.hashes);
    evs_free(rows.variable_counts);
    evs_free(rows.fixed);
    return status;
}

static bool section_open(const char *raw, size_t left, struct section_view *view, size_t *taken)
{
    struct section_header header;
    if (left < sizeof header) {
        return false;
    }
    memcpy(&header, raw, sizeof header);
    uint64_t columns = (uint64_t)header.records * (13u + (uint64_t)header.fixed_bytes);
    if (header.variable_bytes > left || columns > left || header.fixed_bytes > left) {
        return false;
    }
    uint64_t total = sizeof header + header.name_bytes + columns + header.variable_bytes;
    if (total > left) {
        return false;
    }
    const char *at = raw + sizeof header;
    *view = (struct section_view){
        .header = {{at, header.name_bytes},
                   header.section,
                   header.version,
                   header.full != 0,
                   header.range_first,
                   header.range_last,
                   header.part,
                   header.parts},
        .records = header.records,
        .fixed_bytes = header.fixed_bytes,
        .variable_bytes = header.variable_bytes,
    };
    view->kinds = at + header.name_bytes;
    view->hashes = view->kinds + header.records;
    view->fixed = view->hashes + (size_t)header.records * 8;
    view->variable_counts = view->fixed + (size_t)header.records * header.fixed_bytes;
    view->variable = view->variable_counts + (size_t)header.records * 4;
    *taken = total;
    return true;
}

static evs_status decode(struct evs_slice block, const struct reading *reading, struct evs_error *error)
{
    char *raw = NULL;
    size_t left = 0;
    evs_status status = block_open(block, &raw, &left, error);
    if (status != EVS_OK) {
        return status;
    }
    const char *at = raw;
    while (status == EVS_OK && left > 0) {
        struct section_view view;
        size_t taken;
        if (!section_open(at, left, &view, &taken)) {
            status = damaged(error, "a section is longer than its block");
            break;
        }
        status = section_records(&view, reading, error);
        at += taken;
        left -= taken;
    }
    evs_free(raw);
    return status;
}

evs_status evs_block_decode(struct evs_slice block, evs_take_record take, void *argument, struct evs_error *error)
{
    return decode(block, &(struct reading){NULL, take, argument}, error);
}

/* --- pieces ------------------------------------------------------------------------------------------------------------- */

static evs_status take_piece(struct evs_block_reader *reader, const struct block_header *header,
                             struct evs_slice payload, struct evs_error *error)
{
    if (evs_crc32c(0, payload.data, payload.count) != header->crc) {
        return damaged(error, "the checksum of a piece is wrong");
    }
    if (header->piece != reader->pieces || payload.count == 0 ||
        payload.count > header->raw_bytes - reader->whole.count) {
        return damaged(error, "a piece is not the next one of its block");
    }
    evs_buffer_put(&reader->whole, payload.data, payload.count);
    reader->pieces++;
    return EVS_OK;
}

evs_status evs_block_read(struct evs_block_reader *reader, struct evs_slice block, evs_take_record take, void *argument,
                          struct evs_error *error)
{
    const struct reading reading = {reader->wants, take, argument};
    struct block_header header = {0};
    if (block.count >= sizeof header) {
        memcpy(&header, block.data, sizeof header);
    }
    bool is_piece = header.magic == BLOCK_MAGIC && header.format == BLOCK_FORMAT && header.codec == CODEC_PIECE;
    if (!is_piece) {
        return reader->pieces > 0 ? damaged(error, "a piece of it is missing") : decode(block, &reading, error);
    }
    if (reader->whole.count > header.raw_bytes) {
        return damaged(error, "a piece is not the next one of its block");
    }
    evs_status status =
        take_piece(reader, &header, (struct evs_slice){block.data + sizeof header, block.count - sizeof header}, error);
    if (status == EVS_OK && reader->whole.count == header.raw_bytes) {
        status = decode((struct evs_slice){reader->whole.data, reader->whole.count}, &reading, error);
        reader->whole.count = 0;
        reader->pieces = 0;
    }
    return status;
}

evs_status evs_block_reader_end(struct evs_block_reader *reader, struct evs_error *error)
{
    bool complete = reader->pieces == 0;
    evs_buffer_fini(&reader->whole);
    reader->pieces = 0;
    return complete ? EVS_OK : damaged(error, "its last pieces are missing");
}
