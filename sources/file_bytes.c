/* Three ways to bytes, one reader: the file's own, inflate, and zstd's stream decoder. The last two have the same shape (input with a
 * place in it, output with a place in it, "is a member open"), so the loop round them is one. */
#include "file_bytes.h"

#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include "evstream/memory.h"

#define PACKED_BYTES (128u << 10)

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };

struct evs_file_bytes {
    const struct evs_os *os;
    struct evs_file *file;
    char *path;
    enum packing packing;
    bool is_regular;
    uint64_t size_bytes; /* of a regular file, as it is stored */
    bool ended;          /* of the stored bytes */
    bool in_member;      /* between the first and the last byte of a member or frame */
    z_stream gzip;
    ZSTD_DStream *zstd;
    ZSTD_inBuffer packed; /* what was read and not yet unpacked; gzip uses it too */
    uint8_t *packed_bytes;
};

static bool ends_with(const char *path, const char *ending)
{
    size_t bytes = strlen(path), ending_bytes = strlen(ending);
    return bytes > ending_bytes && strcmp(path + bytes - ending_bytes, ending) == 0;
}

static enum packing packing_of(const char *path)
{
    return ends_with(path, ".gz") ? PACKING_GZIP : ends_with(path, ".zst") ? PACKING_ZSTD : PACKING_NONE;
}

/* 15 bits of window, as every gzip has, and 16: the gzip format. */
#define GZIP_WINDOW (15 + 16)

static void open_packing(struct evs_file_bytes *bytes)
{
    if (bytes->packing == PACKING_NONE) {
        return;
    }
    bytes->packed_bytes = evs_alloc(PACKED_BYTES);
    bytes->packed.src = bytes->packed_bytes;
    if (bytes->packing == PACKING_GZIP) {
        int result = inflateInit2(&bytes->gzip, GZIP_WINDOW);
        EVS_ASSERT(result == Z_OK);
    } else {
        bytes->zstd = ZSTD_createDStream();
        EVS_ASSERT(bytes->zstd != NULL);
    }
}

static evs_status open_as(const struct evs_os *os, const char *path, enum evs_file_mode mode,
                          struct evs_file_bytes **bytes, struct evs_error *error)
{
    struct evs_file *file;
    evs_status status = os->files.open(os->files.self, path, mode, &file, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_file_bytes *made = evs_alloc_zero(sizeof *made);
    made->os = os;
    made->file = file;
    made->path = evs_strdup(path);
    made->packing = packing_of(path);
    status = os->files.size(file, &made->size_bytes, &made->is_regular, error);
    if (status != EVS_OK) {
        evs_file_bytes_close(made);
        return status;
    }
    open_packing(made);
    *bytes = made;
    return EVS_OK;
}

evs_status evs_file_bytes_open(const struct evs_os *os, const char *path, struct evs_file_bytes **bytes,
                               struct evs_error *error)
{
    return open_as(os, path, EVS_FILE_READ, bytes, error);
}

evs_status evs_file_bytes_open_pipe(const struct evs_os *os, const char *path, struct evs_file_bytes **bytes,
                                    struct evs_error *error)
{
    bool is_packed = packing_of(path) != PACKING_NONE; /* unpacking reads on until it has something */
    return open_as(os, path, is_packed ? EVS_FILE_READ : EVS_FILE_READ_PIPE, bytes, error);
}

int evs_file_bytes_wait_fd(const struct evs_file_bytes *bytes)
{
    return bytes->packing == PACKING_NONE ? bytes->os->files.wait_fd(bytes->file) : -1;
}

void evs_file_bytes_close(struct evs_file_bytes *bytes)
{
    if (bytes == NULL) {
        return;
    }
    if (bytes->packed_bytes != NULL && bytes->packing == PACKING_GZIP) {
        inflateEnd(&bytes->gzip);
    }
    ZSTD_freeDStream(bytes->zstd);
    evs_free(bytes->packed_bytes);
    bytes->os->files.close(bytes->file);
    evs_free(bytes->path);
    evs_free(bytes);
}

bool evs_file_bytes_is_stream(const struct evs_file_bytes *bytes)
{
    return !bytes->is_regular;
}

/* --- unpacking --------------------------------------------------------------------------------------------------------- */

static evs_status refill(struct evs_file_bytes *bytes, struct evs_error *error)
{
    size_t got;
    evs_status status = bytes->os->files.read(bytes->file, bytes->packed_bytes, PACKED_BYTES, &got, error);
    if (status != EVS_OK) {
        return status;
    }
    bytes->packed.size = got;
    bytes->packed.pos = 0;
    bytes->ended = got == 0;
    if (bytes->ended && bytes->in_member) {
        return evs_fail(error, EVS_E_IO, "The file `%s` ends in the middle of its compressed data: it was cut off.",
                        bytes->path);
    }
    return EVS_OK;
}

static evs_status unpack_gzip(struct evs_file_bytes *bytes, ZSTD_outBuffer *out, struct evs_error *error)
{
    z_stream *gzip = &bytes->gzip;
    if (!bytes->in_member) {
        inflateReset(gzip);
    }
    gzip->next_in = (Bytef *)bytes->packed_bytes + bytes->packed.pos;
    gzip->avail_in = (uInt)(bytes->packed.size - bytes->packed.pos);
    gzip->next_out = (Bytef *)out->dst + out->pos;
    gzip->avail_out = (uInt)(out->size - out->pos);
    int result = inflate(gzip, Z_NO_FLUSH);
    bytes->packed.pos = bytes->packed.size - gzip->avail_in;
    out->pos = out->size - gzip->avail_out;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        return evs_fail(error, EVS_E_IO, "The file `%s` is no whole gzip file: %s.", bytes->path,
                        gzip->msg == NULL ? "its data are damaged" : gzip->msg);
    }
    bytes->in_member = result != Z_STREAM_END;
    return EVS_OK;
}

static evs_status unpack_zstd(struct evs_file_bytes *bytes, ZSTD_outBuffer *out, struct evs_error *error)
{
    size_t result = ZSTD_decompressStream(bytes->zstd, out, &bytes->packed);
    if (ZSTD_isError(result)) {
        return evs_fail(error, EVS_E_IO, "The file `%s` is no whole zstd file: %s.", bytes->path,
                        ZSTD_getErrorName(result));
    }
    bytes->in_member = result != 0;
    return EVS_OK;
}

/* Unpacks until there is something, or the end. */
static evs_status read_packed(struct evs_file_bytes *bytes, void *data, size_t max, size_t *got,
                              struct evs_error *error)
{
    ZSTD_outBuffer out = {.dst = data, .size = max};
    evs_status status = EVS_OK;
    while (status == EVS_OK && out.pos == 0 && !bytes->ended) {
        /* Within a member it is asked without input too: it may hold back output of what it has read. */
        if (bytes->in_member || bytes->packed.pos < bytes->packed.size) {
            status = bytes->packing == PACKING_GZIP ? unpack_gzip(bytes, &out, error) : unpack_zstd(bytes, &out, error);
        }
        if (status == EVS_OK && out.pos == 0 && bytes->packed.pos == bytes->packed.size) {
            status = refill(bytes, error);
        }
    }
    *got = out.pos;
    return status;
}

evs_status evs_file_bytes_read(struct evs_file_bytes *bytes, void *data, size_t max, size_t *got,
                               struct evs_error *error)
{
    EVS_ASSERT(max > 0 && max <= UINT32_MAX);
    *got = 0;
    if (bytes->packing == PACKING_NONE) {
        return bytes->os->files.read(bytes->file, data, max, got, error);
    }
    return read_packed(bytes, data, max, got, error);
}

/* --- skipping ---------------------------------------------------------------------------------------------------------- */

static evs_status too_short(const struct evs_file_bytes *bytes, uint64_t offset, uint64_t size, struct evs_error *error)
{
    return evs_fail(
        error, EVS_E_STATE,
        "The file `%s` has %llu bytes, but the last run read it up to byte %llu: it was replaced or cut off since. "
        "Bring the old file back, or give the pipeline another name (`pipeline NAME;`) to start with empty state.",
        bytes->path, (unsigned long long)size, (unsigned long long)offset);
}

static evs_status read_up_to(struct evs_file_bytes *bytes, uint64_t offset, struct evs_error *error)
{
    uint8_t *thrown_away = evs_alloc(PACKED_BYTES);
    uint64_t at = 0;
    evs_status status = EVS_OK;
    while (status == EVS_OK && at < offset) {
        size_t got = 0, max = offset - at < PACKED_BYTES ? (size_t)(offset - at) : PACKED_BYTES;
        status = evs_file_bytes_read(bytes, thrown_away, max, &got, error);
        at += got;
        if (status == EVS_OK && got == 0) {
            status = too_short(bytes, offset, at, error);
        }
    }
    evs_free(thrown_away);
    return status;
}

evs_status evs_file_bytes_skip(struct evs_file_bytes *bytes, uint64_t offset, size_t *before, struct evs_error *error)
{
    *before = 0;
    if (bytes->packing != PACKING_NONE || !bytes->is_regular) {
        return read_up_to(bytes, offset, error);
    }
    if (offset > bytes->size_bytes) {
        return too_short(bytes, offset, bytes->size_bytes, error);
    }
    *before = (size_t)(offset % EVS_FILE_PAGE_BYTES);
    return bytes->os->files.seek(bytes->file, offset - *before, error);
}

evs_status evs_file_bytes_probe(const struct evs_os *os, const char *path, uint64_t offset, struct evs_error *error)
{
    struct stat about;
    bool is_there = stat(path, &about) == 0;
    if (strcmp(path, "-") == 0 || (is_there && !S_ISREG(about.st_mode))) {
        return EVS_OK;
    }
    struct evs_file_bytes *bytes;
    evs_status status = evs_file_bytes_open(os, path, &bytes, error);
    if (status != EVS_OK) {
        return status;
    }
    if (bytes->packing == PACKING_NONE && offset > bytes->size_bytes) {
        status = too_short(bytes, offset, bytes->size_bytes, error);
    }
    evs_file_bytes_close(bytes);
    return status;
}
