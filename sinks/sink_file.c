/* The file connector for rows: a buffer of 256 KiB in front of one file.
 *
 * The position is a count of the file's own bytes, packed or not. A flush ends the gzip member or zstd frame in hand, so that every
 * position that was ever told is the end of a whole file: a restore cuts the file there, and what is left is readable by itself.
 * Without a commit to go back to, the file begins empty.
 *
 * Standard output, pipes and devices cannot be cut. Their position is the count of bytes that went out, and a run that resumes
 * writes what it owes once more behind what is there: at least once, as with any pipe. */
#include "sink_file.h"

#include <zlib.h>
#include <zstd.h>

#include "evstream/memory.h"

#define BUFFER_BYTES (256u << 10)
#define PIECE_BYTES_MAX ((size_t)1 << 30)
#define GZIP_WINDOW (15 + 16) /* 15 bits of window, and 16: the gzip format */
#define GZIP_MEMORY 8         /* zlib's default */
#define GZIP_LEVEL 6
#define ZSTD_LEVEL 3

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };

struct file_config {
    const char *path;
};

struct file_sink {
    const struct evs_os *os;
    struct evs_file *file;
    enum packing packing;
    uint64_t written_bytes; /* of the file: its position behind what the operating system has */
    char *buffer;           /* rows that are not yet written or packed */
    size_t buffer_bytes;
    bool member_open; /* a member or frame has been begun and not ended */
    z_stream gzip;
    ZSTD_CStream *zstd;
    char *packed; /* BUFFER_BYTES: output of the packer */
};

/* --- options ------------------------------------------------------------------------------------------------------------------ */

static const struct evs_option file_options[] = {
    {
        .name = "path",
        .kind = EVS_OPTION_STRING,
        .required = true,
        .help =
            "The file to write, one row a line; `-` is standard output, and names that end in .gz or .zst are packed.",
    },
    {.name = NULL},
};

static evs_status file_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                                 struct evs_error *error)
{
    struct evs_slice path = evs_option_find(values, "path")->text;
    if (path.count == 0 || memchr(path.data, '\0', path.count) != NULL) {
        return evs_fail(error, EVS_E_PIPELINE, "The option `path` must name a file; `-` is standard output.");
    }
    struct file_config *made = EVS_ARENA_NEW(arena, struct file_config);
    made->path = evs_arena_strndup(arena, path.data, path.count);
    *config = made;
    return EVS_OK;
}

const char *evs_sink_file_path(const void *config)
{
    return ((const struct file_config *)config)->path;
}

/* --- open and close ------------------------------------------------------------------------------------------------------------ */

static bool ends_with(const char *path, const char *ending)
{
    size_t bytes = strlen(path), ending_bytes = strlen(ending);
    return bytes > ending_bytes && strcmp(path + bytes - ending_bytes, ending) == 0;
}

static void open_packing(struct file_sink *sink, const char *path)
{
    sink->packing = ends_with(path, ".gz") ? PACKING_GZIP : ends_with(path, ".zst") ? PACKING_ZSTD : PACKING_NONE;
    if (sink->packing == PACKING_NONE) {
        return;
    }
    sink->packed = evs_alloc(BUFFER_BYTES);
    if (sink->packing == PACKING_GZIP) {
        int result = deflateInit2(&sink->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY);
        EVS_ASSERT(result == Z_OK);
        return;
    }
    sink->zstd = ZSTD_createCStream();
    EVS_ASSERT(sink->zstd != NULL);
    size_t result = ZSTD_CCtx_setParameter(sink->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    EVS_ASSERT(!ZSTD_isError(result));
    result = ZSTD_CCtx_setParameter(sink->zstd, ZSTD_c_checksumFlag, 1);
    EVS_ASSERT(!ZSTD_isError(result));
}

static void file_close(void *instance)
{
    struct file_sink *sink = instance;
    if (sink == NULL) {
        return;
    }
    if (sink->packed != NULL && sink->packing == PACKING_GZIP) {
        deflateEnd(&sink->gzip);
    }
    ZSTD_freeCStream(sink->zstd);
    evs_free(sink->packed);
    evs_free(sink->buffer);
    sink->os->files.close(sink->file);
    evs_free(sink);
}

/* Cuts the file to the committed position, and goes there. */
static evs_status go_to_position(struct file_sink *sink, const struct evs_sink_open *open, const char *path,
                                 struct evs_error *error)
{
    uint64_t bytes;
    bool is_regular;
    evs_status status = sink->os->files.size(sink->file, &bytes, &is_regular, error);
    sink->written_bytes = open->resume ? open->resume_offset : 0;
    if (status != EVS_OK || !open->resume || !is_regular || strcmp(path, "-") == 0) {
        return status;
    }
    if (bytes < open->resume_offset) {
        return evs_fail(error, EVS_E_STATE,
                        "The file `%s` of the sink `%s` has %llu bytes, but the last commit had written %llu: it was "
                        "replaced or cut off since. Bring the old file back, or give the pipeline another name "
                        "(`pipeline NAME;`) to start with empty state.",
                        path, open->name, (unsigned long long)bytes, (unsigned long long)open->resume_offset);
    }
    status = sink->os->files.truncate(sink->file, open->resume_offset, error);
    return status == EVS_OK ? sink->os->files.seek(sink->file, open->resume_offset, error) : status;
}

static evs_status file_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    const struct file_config *config = open->config;
    struct evs_file *file;
    enum evs_file_mode mode = open->resume ? EVS_FILE_WRITE_RESUME : EVS_FILE_WRITE_TRUNCATE;
    evs_status status = open->os->files.open(open->os->files.self, config->path, mode, &file, error);
    if (status != EVS_OK) {
        return status;
    }
    struct file_sink *sink = evs_alloc_zero(sizeof *sink);
    sink->os = open->os;
    sink->file = file;
    sink->buffer = evs_alloc(BUFFER_BYTES);
    open_packing(sink, config->path);
    status = go_to_position(sink, open, config->path, error);
    if (status != EVS_OK) {
        file_close(sink);
        return status;
    }
    *instance = sink;
    return EVS_OK;
}

/* --- writing ------------------------------------------------------------------------------------------------------------------- */

static evs_status write_bytes(struct file_sink *sink, const void *data, size_t bytes, struct evs_error *error)
{
    if (bytes == 0) {
        return EVS_OK;
    }
    evs_status status = sink->os->files.write(sink->file, data, bytes, error);
    sink->written_bytes += status == EVS_OK ? bytes : 0;
    return status;
}

static evs_status pack_gzip(struct file_sink *sink, struct evs_slice bytes, bool last, struct evs_error *error)
{
    z_stream *gzip = &sink->gzip;
    gzip->next_in = (Bytef *)bytes.data;
    gzip->avail_in = (uInt)bytes.count;
    for (bool more = true; more;) {
        gzip->next_out = (Bytef *)sink->packed;
        gzip->avail_out = BUFFER_BYTES;
        int result = deflate(gzip, last ? Z_FINISH : Z_NO_FLUSH);
        EVS_ASSERT(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
        more = last ? result != Z_STREAM_END : gzip->avail_out == 0;
        evs_status status = write_bytes(sink, sink->packed, BUFFER_BYTES - gzip->avail_out, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    if (last) {
        deflateReset(gzip);
    }
    return EVS_OK;
}

static evs_status pack_zstd(struct file_sink *sink, struct evs_slice bytes, bool last, struct evs_error *error)
{
    ZSTD_inBuffer in = {bytes.data, bytes.count, 0};
    for (bool more = true; more;) {
        ZSTD_outBuffer out = {sink->packed, BUFFER_BYTES, 0};
        size_t left = ZSTD_compressStream2(sink->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        EVS_ASSERT(!ZSTD_isError(left));
        more = last ? left > 0 : in.pos < in.size;
        evs_status status = write_bytes(sink, sink->packed, out.pos, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

/* To the file, or to the packer on its way there; `last` ends the member. */
static evs_status put(struct file_sink *sink, struct evs_slice bytes, bool last, struct evs_error *error)
{
    if (sink->packing == PACKING_NONE) {
        return write_bytes(sink, bytes.data, bytes.count, error);
    }
    if (bytes.count == 0 && !sink->member_open) {
        return EVS_OK; /* no empty members */
    }
    sink->member_open = !last;
    return sink->packing == PACKING_GZIP ? pack_gzip(sink, bytes, last, error) : pack_zstd(sink, bytes, last, error);
}

static evs_status put_buffer(struct file_sink *sink, bool last, struct evs_error *error)
{
    evs_status status = put(sink, (struct evs_slice){sink->buffer, sink->buffer_bytes}, last, error);
    if (status == EVS_OK) {
        sink->buffer_bytes = 0;
    }
    return status;
}

static evs_status file_append(void *instance, struct evs_slice bytes, struct evs_error *error)
{
    struct file_sink *sink = instance;
    if (bytes.count > BUFFER_BYTES - sink->buffer_bytes) {
        evs_status status = put_buffer(sink, false, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    while (bytes.count > BUFFER_BYTES) { /* zlib counts in 32 bits */
        size_t piece = bytes.count < PIECE_BYTES_MAX ? bytes.count : PIECE_BYTES_MAX;
        evs_status status = put(sink, (struct evs_slice){bytes.data, piece}, false, error);
        if (status != EVS_OK) {
            return status;
        }
        bytes = (struct evs_slice){bytes.data + piece, bytes.count - piece};
    }
    if (bytes.count > 0) {
        memcpy(sink->buffer + sink->buffer_bytes, bytes.data, bytes.count);
        sink->buffer_bytes += bytes.count;
    }
    return EVS_OK;
}

static evs_status file_flush(void *instance, bool sync, uint64_t *offset, struct evs_error *error)
{
    struct file_sink *sink = instance;
    evs_status status = put_buffer(sink, true, error);
    if (status == EVS_OK && sync) {
        status = sink->os->files.sync(sink->file, error);
    }
    *offset = sink->written_bytes;
    return status;
}

const struct evs_sink evs_sink_file = {
    .kind = "file",
    .shape = EVS_SINK_BYTES,
    .single = true,
    .options = file_options,
    .file_option = "path",
    .configure = file_configure,
    .open = file_open,
    .append = file_append,
    .flush = file_flush,
    .close = file_close,
};
