/* The position is a count of the file's own bytes, packed or not. A flush ends the gzip member or zstd frame in hand, so that every
 * position that was ever told is the end of a whole file: a cut there leaves one that is readable by itself.
 *
 * The kernel copies into the page cache at full speed only when source and destination agree modulo the page size (sources/source_file.c has the
 * figures): so the buffer begins at a page, rows stand in it as far behind a page's beginning as they will in the file, and it is written when it is
 * full to its last byte, where a page of the file ends. */
#include "file_writer.h"

#include <zlib.h>
#include <zstd.h>

#include "evstream/memory.h"

#define BUFFER_BYTES (256u << 10)
#define PAGE_BYTES 4096u
#define GZIP_WINDOW (15 + 16) /* 15 bits of window, and 16: the gzip format */
#define GZIP_MEMORY 8         /* zlib's default */
#define GZIP_LEVEL 6
#define ZSTD_LEVEL 3

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };

struct evs_file_writer {
    const struct evs_os *os;
    struct evs_file *file;
    enum packing packing;
    uint64_t written_bytes;            /* of the file: its position behind what the operating system has */
    char *buffer;                      /* rows that are not yet written or packed */
    size_t buffer_first, buffer_bytes; /* they begin there, and are so many */
    bool member_open;                  /* a member or frame has been begun and not ended */
    z_stream gzip;
    ZSTD_CStream *zstd;
    char *packed; /* BUFFER_BYTES: output of the packer */
};

/* --- open and close ------------------------------------------------------------------------------------------------------------ */

static bool ends_with(const char *path, const char *ending)
{
    size_t bytes = strlen(path), ending_bytes = strlen(ending);
    return bytes > ending_bytes && strcmp(path + bytes - ending_bytes, ending) == 0;
}

static void open_packing(struct evs_file_writer *writer, const char *path)
{
    writer->packing = ends_with(path, ".gz") ? PACKING_GZIP : ends_with(path, ".zst") ? PACKING_ZSTD : PACKING_NONE;
    if (writer->packing == PACKING_NONE) {
        return;
    }
    writer->packed = evs_alloc(BUFFER_BYTES);
    if (writer->packing == PACKING_GZIP) {
        int result = deflateInit2(&writer->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY);
        EVS_ASSERT(result == Z_OK);
        return;
    }
    writer->zstd = ZSTD_createCStream();
    EVS_ASSERT(writer->zstd != NULL);
    size_t result = ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    EVS_ASSERT(!ZSTD_isError(result));
    result = ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_checksumFlag, 1);
    EVS_ASSERT(!ZSTD_isError(result));
}

void evs_file_writer_close(struct evs_file_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    if (writer->packed != NULL && writer->packing == PACKING_GZIP) {
        deflateEnd(&writer->gzip);
    }
    ZSTD_freeCStream(writer->zstd);
    evs_free(writer->packed);
    evs_free(writer->buffer);
    writer->os->files.close(writer->file);
    evs_free(writer);
}

/* The buffer is empty: where does its next byte stand? */
static void align_buffer(struct evs_file_writer *writer)
{
    bool is_packed = writer->packing != PACKING_NONE;
    writer->buffer_first = is_packed ? 0 : (size_t)(writer->written_bytes % PAGE_BYTES);
    writer->buffer_bytes = 0;
}

/* Cuts the file to the committed position, and goes there. */
static evs_status go_to_position(struct evs_file_writer *writer, const struct evs_file_start *start,
                                 struct evs_error *error)
{
    uint64_t bytes;
    bool is_regular;
    evs_status status = writer->os->files.size(writer->file, &bytes, &is_regular, error);
    writer->written_bytes = start->resume ? start->offset : 0;
    align_buffer(writer);
    if (status != EVS_OK || !start->resume || !is_regular || strcmp(start->path, "-") == 0) {
        return status;
    }
    if (bytes < start->offset) {
        return evs_fail(error, EVS_E_STATE,
                        "The file `%s` of the sink `%s` has %llu bytes, but the last commit had written %llu: it was "
                        "replaced or cut off since. Bring the old file back, or give the pipeline another name "
                        "(`pipeline NAME;`) to start with empty state.",
                        start->path, start->sink, (unsigned long long)bytes, (unsigned long long)start->offset);
    }
    status = writer->os->files.truncate(writer->file, start->offset, error);
    return status == EVS_OK ? writer->os->files.seek(writer->file, start->offset, error) : status;
}

evs_status evs_file_writer_open(const struct evs_os *os, const struct evs_file_start *start,
                                struct evs_file_writer **writer, struct evs_error *error)
{
    struct evs_file *file;
    enum evs_file_mode mode = start->resume ? EVS_FILE_WRITE_RESUME : EVS_FILE_WRITE_TRUNCATE;
    evs_status status = os->files.open(os->files.self, start->path, mode, &file, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_file_writer *made = evs_alloc_zero(sizeof *made);
    made->os = os;
    made->file = file;
    made->buffer = evs_alloc_aligned(PAGE_BYTES, BUFFER_BYTES);
    open_packing(made, start->named);
    status = go_to_position(made, start, error);
    if (status == EVS_OK && made->written_bytes == 0) {
        status = evs_file_writer_append(made, start->header, error);
    }
    if (status != EVS_OK) {
        evs_file_writer_close(made);
        return status;
    }
    *writer = made;
    return EVS_OK;
}

/* --- writing ------------------------------------------------------------------------------------------------------------------- */

static evs_status write_bytes(struct evs_file_writer *writer, const void *data, size_t bytes, struct evs_error *error)
{
    if (bytes == 0) {
        return EVS_OK;
    }
    evs_status status = writer->os->files.write(writer->file, data, bytes, error);
    writer->written_bytes += status == EVS_OK ? bytes : 0;
    return status;
}

static evs_status pack_gzip(struct evs_file_writer *writer, struct evs_slice bytes, bool last, struct evs_error *error)
{
    z_stream *gzip = &writer->gzip;
    gzip->next_in = (Bytef *)bytes.data;
    gzip->avail_in = (uInt)bytes.count;
    for (bool more = true; more;) {
        gzip->next_out = (Bytef *)writer->packed;
        gzip->avail_out = BUFFER_BYTES;
        int result = deflate(gzip, last ? Z_FINISH : Z_NO_FLUSH);
        EVS_ASSERT(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
        more = last ? result != Z_STREAM_END : gzip->avail_out == 0;
        evs_status status = write_bytes(writer, writer->packed, BUFFER_BYTES - gzip->avail_out, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    if (last) {
        deflateReset(gzip);
    }
    return EVS_OK;
}

static evs_status pack_zstd(struct evs_file_writer *writer, struct evs_slice bytes, bool last, struct evs_error *error)
{
    ZSTD_inBuffer in = {bytes.data, bytes.count, 0};
    for (bool more = true; more;) {
        ZSTD_outBuffer out = {writer->packed, BUFFER_BYTES, 0};
        size_t left = ZSTD_compressStream2(writer->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        EVS_ASSERT(!ZSTD_isError(left));
        more = last ? left > 0 : in.pos < in.size;
        evs_status status = write_bytes(writer, writer->packed, out.pos, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

/* To the file, or to the packer on its way there; `last` ends the member. */
static evs_status put(struct evs_file_writer *writer, struct evs_slice bytes, bool last, struct evs_error *error)
{
    if (writer->packing == PACKING_NONE) {
        return write_bytes(writer, bytes.data, bytes.count, error);
    }
    if (bytes.count == 0 && !writer->member_open) {
        return EVS_OK; /* no empty members */
    }
    writer->member_open = !last;
    return writer->packing == PACKING_GZIP ? pack_gzip(writer, bytes, last, error)
                                           : pack_zstd(writer, bytes, last, error);
}

static evs_status put_buffer(struct evs_file_writer *writer, bool last, struct evs_error *error)
{
    struct evs_slice bytes = {writer->buffer + writer->buffer_first, writer->buffer_bytes};
    evs_status status = put(writer, bytes, last, error);
    if (status == EVS_OK) {
        align_buffer(writer);
    }
    return status;
}

evs_status evs_file_writer_append(struct evs_file_writer *writer, struct evs_slice bytes, struct evs_error *error)
{
    while (bytes.count > 0) {
        size_t end = writer->buffer_first + writer->buffer_bytes, room = BUFFER_BYTES - end;
        size_t count = bytes.count < room ? bytes.count : room;
        EVS_ASSERT(room > 0);
        memcpy(writer->buffer + end, bytes.data, count);
        writer->buffer_bytes += count;
        bytes = (struct evs_slice){bytes.data + count, bytes.count - count};
        evs_status status = count == room ? put_buffer(writer, false, error) : EVS_OK;
        if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

evs_status evs_file_writer_flush(struct evs_file_writer *writer, bool sync, uint64_t *offset, struct evs_error *error)
{
    evs_status status = put_buffer(writer, true, error);
    if (status == EVS_OK && sync) {
        status = writer->os->files.sync(writer->file, error);
    }
    *offset = writer->written_bytes;
    return status;
}

uint64_t evs_file_writer_bytes(const struct evs_file_writer *writer)
{
    return writer->written_bytes + writer->buffer_bytes;
}
