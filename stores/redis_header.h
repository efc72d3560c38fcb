/* The header of a commit: which blocks are part of it, and where a restore begins. Field `h` of a commit entry.
 *
 * One line of text, so that redis-cli shows it; docs/internals/state-format.md has the layout. It ends with a CRC of
 * itself. */
#ifndef EVS_REDIS_HEADER_H
#define EVS_REDIS_HEADER_H

#include "evstream/store.h"
#include "redis_address.h"

#define EVS_BLOCK_KINDS 2 /* enum evs_block_kind: state blocks lie in :log, outbox blocks in :ob */

/* Ids are <epoch>-<slot · 65536 + n>. A commit closes its slot: n is 65535, so that the commit before it is nearly
 * always found by arithmetic. The slot is the checkpoint's number, unless attempts have used up 65,534 blocks; then
 * it runs ahead for a while. */
#define EVS_REDIS_SLOT_BITS 16
#define EVS_REDIS_SLOT_LAST ((UINT64_C(1) << EVS_REDIS_SLOT_BITS) - 1)

/* The blocks of one kind in one commit: consecutive ids. All zero: none. */
struct evs_redis_range {
    struct evs_redis_id first, last;
    uint32_t count;
    uint32_t bytes_max; /* of a block */
    uint32_t crc;       /* CRC-32C over the blocks' CRC-32Cs, 4 bytes little-endian each, in order */
};

/* The blocks of one kind that a restore needs: those of the commits from `start` on. All zero: none. */
struct evs_redis_chain {
    struct evs_redis_id start; /* id of a commit in :log */
    struct evs_redis_id first; /* id of its first block */
};

struct evs_redis_header {
    uint64_t checkpoint;
    struct evs_redis_id previous; /* the commit before; 0-0: none */
    struct evs_redis_range ranges[EVS_BLOCK_KINDS];
    struct evs_redis_chain chains[EVS_BLOCK_KINDS];
    uint32_t record_crc;
};

void evs_redis_header_write(const struct evs_redis_header *header, struct evs_buffer *text); /* appends */
/* EVS_E_CORRUPT with the reason when the text is not a header of this version, or contradicts itself. */
EVS_MUST_CHECK evs_status evs_redis_header_read(struct evs_slice text, struct evs_redis_header *header,
                                                struct evs_error *error);

/* Adds a block to the running CRC of a range. */
uint32_t evs_redis_range_crc(uint32_t crc, uint32_t block_crc);

#endif
