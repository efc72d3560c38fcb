#include "redis_header.h"

#include <stdio.h>

#define VERSION 1
#define CRC_DIGITS 8

uint32_t evs_redis_range_crc(uint32_t crc, uint32_t block_crc)
{
    unsigned char bytes[4] = {(unsigned char)block_crc, (unsigned char)(block_crc >> 8),
                              (unsigned char)(block_crc >> 16), (unsigned char)(block_crc >> 24)};
    return evs_crc32c(crc, bytes, sizeof bytes);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void write_id(struct evs_redis_id id, struct evs_buffer *text)
{
    char digits[EVS_REDIS_ID_TEXT_BYTES];
    evs_redis_id_text(id, digits);
    evs_buffer_printf(text, " %s", digits);
}

void evs_redis_header_write(const struct evs_redis_header *header, struct evs_buffer *text)
{
    size_t begin = text->count;
    evs_buffer_printf(text, "%d %llu", VERSION, (unsigned long long)header->checkpoint);
    write_id(header->previous, text);
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        const struct evs_redis_range *range = &header->ranges[kind];
        write_id(header->chains[kind].start, text);
        write_id(header->chains[kind].first, text);
        write_id(range->first, text);
        write_id(range->last, text);
        evs_buffer_printf(text, " %u %u %u", range->count, range->bytes_max, range->crc);
    }
    evs_buffer_printf(text, " %u", header->record_crc);
    uint32_t crc = evs_crc32c(0, text->data + begin, text->count - begin);
    evs_buffer_printf(text, " %0*x", CRC_DIGITS, crc);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct reader {
    struct evs_slice rest;
    bool good;
};

static struct evs_slice next_word(struct reader *reader)
{
    struct evs_slice rest = reader->rest;
    const char *space = rest.count == 0 ? NULL : memchr(rest.data, ' ', rest.count);
    size_t count = space == NULL ? rest.count : (size_t)(space - rest.data);
    size_t used = space == NULL ? count : count + 1;
    reader->rest = (struct evs_slice){rest.data + used, rest.count - used};
    return (struct evs_slice){rest.data, count};
}

static uint64_t next_number(struct reader *reader, uint64_t max)
{
    uint64_t number = 0;
    bool good = evs_redis_number_parse(next_word(reader), &number) && number <= max;
    reader->good = reader->good && good;
    return good ? number : 0;
}

static struct evs_redis_id next_id(struct reader *reader)
{
    struct evs_redis_id id = {0};
    reader->good = evs_redis_id_parse(next_word(reader), &id) && reader->good;
    return id;
}

static void read_kind(struct reader *reader, struct evs_redis_range *range, struct evs_redis_chain *chain)
{
    chain->start = next_id(reader);
    chain->first = next_id(reader);
    range->first = next_id(reader);
    range->last = next_id(reader);
    range->count = (uint32_t)next_number(reader, UINT32_MAX);
    range->bytes_max = (uint32_t)next_number(reader, EVS_BLOCK_BYTES);
    range->crc = (uint32_t)next_number(reader, UINT32_MAX);
}

/* The ids of a range count its blocks, and a chain has a start exactly when it has a first block. */
static bool is_consistent(const struct evs_redis_header *header)
{
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        const struct evs_redis_range *range = &header->ranges[kind];
        const struct evs_redis_chain *chain = &header->chains[kind];
        bool empty = range->count == 0 && evs_redis_id_is_zero(range->first) && evs_redis_id_is_zero(range->last);
        bool counted = range->count > 0 && range->first.ms == range->last.ms &&
                       range->last.sequence - range->first.sequence == range->count - 1;
        if (!(empty || counted) || evs_redis_id_is_zero(chain->start) != evs_redis_id_is_zero(chain->first) ||
            (range->count > 0 && evs_redis_id_is_zero(chain->start))) {
            return false;
        }
    }
    return true;
}

static bool has_good_crc(struct evs_slice text)
{
    char digits[CRC_DIGITS + 1];
    if (text.count <= CRC_DIGITS + 1) {
        return false;
    }
    size_t body = text.count - CRC_DIGITS - 1;
    snprintf(digits, sizeof digits, "%0*x", CRC_DIGITS, evs_crc32c(0, text.data, body));
    return text.data[body] == ' ' && memcmp(text.data + body + 1, digits, CRC_DIGITS) == 0;
}

evs_status evs_redis_header_read(struct evs_slice text, struct evs_redis_header *header, struct evs_error *error)
{
    EVS_ASSERT(header != NULL);
    *header = (struct evs_redis_header){0};
    struct reader reader = {.rest = text, .good = true};
    uint64_t version = next_number(&reader, UINT64_MAX);
    if (reader.good && version != VERSION) {
        return evs_fail(error, EVS_E_CORRUPT, "its format has version %llu, this program knows version %d",
                        (unsigned long long)version, VERSION);
    }
    if (!has_good_crc(text)) {
        return evs_fail(error, EVS_E_CORRUPT, "its header does not have the checksum that it names");
    }
    header->checkpoint = next_number(&reader, UINT64_MAX);
    header->previous = next_id(&reader);
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        read_kind(&reader, &header->ranges[kind], &header->chains[kind]);
    }
    header->record_crc = (uint32_t)next_number(&reader, UINT32_MAX);
    if (!reader.good || reader.rest.count != CRC_DIGITS || !is_consistent(header)) {
        return evs_fail(error, EVS_E_CORRUPT, "its header contradicts itself");
    }
    return EVS_OK;
}
