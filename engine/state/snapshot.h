/* What one operator instance wrote at one barrier, and its encoding into blocks.
 *
 * At a barrier the operator copies what changed into a writer, on its worker, and goes on. Later, on the background thread, writers are
 * encoded into blocks of at most EVS_BLOCK_BYTES. A block is self-contained:
 *
 *   header   magic "EVSB", format version, codec, CRC-32C of the payload, raw size        (little-endian, not compressed)
 *   A block that one large record makes larger than EVS_BLOCK_BYTES is stored in pieces, in order: each has a header of its own (codec
 *   "piece", its number, the size of the whole), and the payloads put together are the block with its header.
 *
 *   payload  sections, one after another, LZ4 together:
 *            operator name, section number, operator's snapshot version, copy or changes, ranges (sweep.h), part i of m,
 *            then by column: record kinds, key hashes, fixed bytes transposed (all first bytes, all second bytes, …), variable counts,
 *            variable bytes
 *
 * Transposing brings equal bytes together: LZ4 then makes about half of what it makes of rows, and faster (measured in the design). */
#ifndef EVS_STATE_SNAPSHOT_H
#define EVS_STATE_SNAPSHOT_H

#include "evstream/operator.h"
#include "evstream/store.h"
#include "sweep.h"

struct evs_section {
    uint32_t count; /* records */
    uint32_t fixed_bytes;
    struct evs_buffer kinds, hashes, fixed, variable_counts, variable;
};

struct evs_snapshot_writer {
    bool full;                    /* a copy of ranges, not changes */
    struct evs_ranges leaves_out; /* records of these are dropped */
    struct evs_section sections[EVS_SECTIONS_MAX];
};

void evs_snapshot_writer_clear(struct evs_snapshot_writer *writer); /* keeps the memory that was needed */
void evs_snapshot_writer_fini(struct evs_snapshot_writer *writer);
uint64_t evs_snapshot_writer_bytes(const struct evs_snapshot_writer *writer);

/* Blocks being built. Zero-initialised is empty. */
struct evs_block_list {
    struct evs_buffer raw;    /* of the open block */
    struct evs_slice *blocks; /* heap-allocated, finished */
    uint32_t block_count, block_capacity;
    uint64_t bytes;
};
void evs_blocks_add(struct evs_block_list *list, const char *operator_name, uint32_t version,
                    const struct evs_snapshot_writer *writer);
void evs_blocks_finish(struct evs_block_list *list);
void evs_blocks_fini(struct evs_block_list *list);

/* Decodes one block and hands over its records in order. `take` gets a fresh record each time (borrowed bytes). */
struct evs_section_header {
    struct evs_slice operator_name;
    uint32_t section, version;
    bool full;                        /* a copy of ranges, not changes */
    uint64_t range_first, range_last; /* of the ranges that are in it, inclusive, modulo EVS_RANGES */
    uint32_t part, parts;
};
typedef evs_status (*evs_take_record)(void *argument, const struct evs_section_header *header,
                                      const struct evs_snapshot_record *record, struct evs_error *error);
EVS_MUST_CHECK evs_status evs_block_decode(struct evs_slice block, evs_take_record take, void *argument,
                                           struct evs_error *error);

/* The same for blocks as they were stored, one after another: pieces are put together. Zero-initialised is ready. */
struct evs_block_reader {
    /* Which records are taken; others cost little. NULL: all. `argument` is that of `take`. */
    bool (*wants)(void *argument, const struct evs_section_header *header, uint64_t hash);
    struct evs_buffer whole; /* pieces so far */
    uint32_t pieces;
};
EVS_MUST_CHECK evs_status evs_block_read(struct evs_block_reader *reader, struct evs_slice block, evs_take_record take,
                                         void *argument, struct evs_error *error);
/* No more blocks come: EVS_E_CORRUPT when pieces are missing. Frees the memory. */
EVS_MUST_CHECK evs_status evs_block_reader_end(struct evs_block_reader *reader, struct evs_error *error);

#endif
