#include "spool_reader.h"

#include <string.h>

#define READER_CHUNK_BYTES (256u << 10)

evs_status evs_spool_reader_open(struct evs_spool_reader *reader, const struct evs_os *os, const char *path,
                                 struct evs_error *error)
{
    EVS_ASSERT(reader->file == NULL);
    *reader = (struct evs_spool_reader){.os = os, .bytes = reader->bytes};
    reader->bytes.count = 0;
    return os->files.open(os->files.self, path, EVS_FILE_READ, &reader->file, error);
}

void evs_spool_reader_close(struct evs_spool_reader *reader)
{
    if (reader->file != NULL) {
        reader->os->files.close(reader->file);
        reader->file = NULL;
    }
    evs_buffer_fini(&reader->bytes);
    *reader = (struct evs_spool_reader){0};
}

static evs_status reader_fill(struct evs_spool_reader *reader, struct evs_error *error)
{
    struct evs_buffer *bytes = &reader->bytes;
    if (reader->begin > 0) {
        memmove(bytes->data, bytes->data + reader->begin, bytes->count - reader->begin);
        bytes->count -= reader->begin;
        reader->begin = 0;
    }
    evs_buffer_reserve(bytes, READER_CHUNK_BYTES);
    size_t got = 0;
    evs_status status =
        reader->os->files.read(reader->file, bytes->data + bytes->count, READER_CHUNK_BYTES, &got, error);
    bytes->count += got;
    reader->at_end = got == 0;
    return status;
}

static void reader_skip(struct evs_spool_reader *reader, size_t count)
{
    EVS_ASSERT(count > 0 && count <= reader->bytes.count - reader->begin);
    reader->begin += count;
    reader->offset += count;
}

/* What does not fit at the end of the file may be the end of a write, or damage with whole records behind it. Looks for one; the
 * place is kept when there is none. */
static evs_status reader_look_behind(struct evs_spool_reader *reader, struct evs_spool_record *record)
{
    const char *data = reader->bytes.data + reader->begin;
    size_t count = reader->bytes.count - reader->begin, bytes = 0;
    for (size_t at = 0; at < count; at += evs_spool_resync(data + at, count - at)) {
        if (at > 0 && evs_spool_decode(data + at, count - at, record, &bytes) == EVS_OK) {
            reader->damaged_bytes += at;
            reader_skip(reader, at + bytes);
            return EVS_OK;
        }
    }
    return EVS_END;
}

evs_status evs_spool_reader_next(struct evs_spool_reader *reader, bool is_growing, struct evs_spool_record *record,
                                 struct evs_error *error)
{
    EVS_ASSERT(reader->file != NULL);
    for (;;) {
        size_t count = reader->bytes.count - reader->begin, bytes = 0;
        evs_status status = evs_spool_decode(reader->bytes.data + reader->begin, count, record, &bytes);
        if (status == EVS_OK) {
            reader_skip(reader, bytes);
            return EVS_OK;
        }
        if (!reader->at_end || (status == EVS_AGAIN && is_growing)) {
            /* Also behind damage the whole rest is read first: it is at most a segment, and damage is rare. */
            bool was_at_end = reader->at_end;
            evs_status filled = reader_fill(reader, error);
            if (filled != EVS_OK || (was_at_end && reader->at_end)) {
                return filled != EVS_OK ? filled : EVS_END;
            }
            continue;
        }
        return count == 0 ? EVS_END : reader_look_behind(reader, record);
    }
}
