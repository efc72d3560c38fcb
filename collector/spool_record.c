/* The bytes of one record of the spool: see spool.h for the layout. Pure functions, so that they can be cut at every byte. */
#include "spool_record.h"

#include <string.h>

#define RECORD_MAGIC 0x50535645u /* "EVSP", as it lies in the file */

/* As it lies in the file: little-endian, which cmake/settings.cmake makes sure of. */
struct record_header {
    uint32_t magic, crc;
    uint64_t number;
    uint32_t bytes, subject_bytes;
    uint64_t id_low, id_high;
};
_Static_assert(sizeof(struct record_header) == EVS_SPOOL_HEADER_BYTES, "the header has no padding");

#define RECORD_CRC_FROM 8u

void evs_spool_encode(const struct evs_spool_record *record, struct evs_buffer *out)
{
    size_t bytes = record->subject.count + record->payload.count;
    EVS_ASSERT(bytes <= EVS_SPOOL_RECORD_MAX && record->subject.count > 0);
    struct record_header header = {.magic = RECORD_MAGIC,
                                   .number = record->number,
                                   .bytes = (uint32_t)bytes,
                                   .subject_bytes = (uint32_t)record->subject.count,
                                   .id_low = record->id.low,
                                   .id_high = record->id.high};
    size_t at = out->count;
    evs_buffer_put(out, &header, sizeof header);
    evs_buffer_put(out, record->subject.data, record->subject.count);
    evs_buffer_put(out, record->payload.data, record->payload.count);
    header.crc = evs_crc32c(0, out->data + at + RECORD_CRC_FROM, sizeof header - RECORD_CRC_FROM + bytes);
    memcpy(out->data + at, &header, sizeof header);
}

evs_status evs_spool_decode(const char *data, size_t count, struct evs_spool_record *record, size_t *bytes)
{
    struct record_header header;
    if (count < sizeof header) {
        return EVS_AGAIN;
    }
    memcpy(&header, data, sizeof header);
    if (header.magic != RECORD_MAGIC || header.bytes > EVS_SPOOL_RECORD_MAX || header.subject_bytes == 0 ||
        header.subject_bytes > header.bytes) {
        return EVS_E_CORRUPT;
    }
    *bytes = sizeof header + header.bytes;
    if (count < *bytes) {
        return EVS_AGAIN;
    }
    if (evs_crc32c(0, data + RECORD_CRC_FROM, *bytes - RECORD_CRC_FROM) != header.crc) {
        return EVS_E_CORRUPT;
    }
    const char *subject = data + sizeof header;
    *record = (struct evs_spool_record){
        .number = header.number,
        .id = {.low = header.id_low, .high = header.id_high},
        .subject = {subject, header.subject_bytes},
        .payload = {subject + header.subject_bytes, header.bytes - header.subject_bytes},
    };
    return EVS_OK;
}

size_t evs_spool_resync(const char *data, size_t count)
{
    uint32_t magic = RECORD_MAGIC;
    const char *found = count > 1 ? memmem(data + 1, count - 1, &magic, sizeof magic) : NULL;
    /* A magic may begin in the last bytes that are here. */
    size_t rest = count < sizeof magic ? count : sizeof magic - 1;
    return found != NULL ? (size_t)(found - data) : count - rest > 0 ? count - rest : 1;
}
