/* What stands in the state log: blocks, pieces of blocks, commit records. The first byte says what the rest is.
 *
 * Checksums would keep a fuzzer out, and are no protection against a faulty writer: they are set right before the bytes are read, as long as
 * the first byte is odd. Whatever comes, nothing is read that is not there, and every record lies inside of its block. */
#include <stdlib.h>

#include "state/record.h"
#include "state/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER_BYTES 16
#define HEADER_CRC 12

struct seen {
    uint64_t sum; /* of every byte that is handed over, so that all of them are read */
};

static evs_status take(void *argument, const struct evs_section_header *header,
                       const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct seen *seen = argument;
    (void)error;
    EVS_ASSERT(record->section == header->section && record->kind <= EVS_RECORD_DELETE);
    seen->sum += evs_crc32c(0, record->fixed.data, record->fixed.count);
    seen->sum += evs_crc32c(0, record->variable.data, record->variable.count);
    seen->sum += evs_crc32c(0, header->operator_name.data, header->operator_name.count);
    return EVS_OK;
}

static bool wants_even(void *argument, const struct evs_section_header *header, uint64_t hash)
{
    (void)argument, (void)header;
    return hash % 2 == 0;
}

/* Blocks with a 4-byte length before each, as a log would bring them. */
static void read_blocks(char *bytes, size_t size, bool mends)
{
    struct evs_block_reader reader = {.wants = size % 2 == 0 ? wants_even : NULL};
    struct seen seen = {0};
    struct evs_error error;
    evs_status status = EVS_OK;
    while (status == EVS_OK && size >= 4) {
        uint32_t count;
        memcpy(&count, bytes, 4);
        count = count < size - 4 ? count : (uint32_t)(size - 4);
        char *block = evs_alloc(count + 1), *exact = bytes + 4;
        if (mends && count >= HEADER_BYTES) {
            uint32_t crc = evs_crc32c(0, exact + HEADER_BYTES, count - HEADER_BYTES);
            memcpy(exact + HEADER_CRC, &crc, 4);
        }
        memcpy(block, exact, count);
        status = evs_block_read(&reader, (struct evs_slice){block, count}, take, &seen, &error);
        EVS_ASSERT(status == EVS_OK || error.text[0] != '\0');
        evs_free(block);
        bytes += 4 + count;
        size -= 4 + count;
    }
    evs_status end = evs_block_reader_end(&reader, &error);
    EVS_ASSERT(end == EVS_OK || error.text[0] != (char)0);
}

static bool rewrite(struct evs_slice bytes, struct evs_arena *arena, struct evs_buffer *again)
{
    struct evs_record record;
    struct evs_error error;
    if (evs_record_decode(bytes, arena, &record, &error) != EVS_OK) {
        EVS_ASSERT(error.text[0] != '\0');
        return false;
    }
    evs_record_encode(&record, again);
    return true;
}

/* What decodes can be written, and that is read and written as it is. */
static void read_record(char *bytes, size_t size, bool mends)
{
    struct evs_arena arena = {0};
    struct evs_buffer once = {0}, twice = {0};
    if (mends && size >= 12) {
        uint32_t crc = evs_crc32c(0, bytes, size - 4);
        memcpy(bytes + size - 4, &crc, 4);
    }
    if (rewrite((struct evs_slice){bytes, size}, &arena, &once)) {
        bool reads = rewrite((struct evs_slice){once.data, once.count}, &arena, &twice);
        EVS_ASSERT(reads && once.count == twice.count && memcmp(once.data, twice.data, once.count) == 0);
    }
    evs_buffer_fini(&once);
    evs_buffer_fini(&twice);
    evs_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    bool mends = data[0] % 2 == 1, is_record = data[0] / 2 % 2 == 1;
    char *bytes = malloc(size); /* of exactly this size, so that a byte too many is seen */
    memcpy(bytes, data + 1, size - 1);
    (is_record ? read_record : read_blocks)(bytes, size - 1, mends);
    free(bytes);
    return 0;
}
