#include "inflate.h"

#include <zlib.h>

#define INFLATE_CHUNK_BYTES (64u << 10)
#define INFLATE_GZIP_ONLY (16 + MAX_WBITS)

static voidpf inflate_alloc(voidpf context, uInt items, uInt bytes)
{
    (void)context;
    return evs_alloc((size_t)items * bytes);
}

static void inflate_free(voidpf context, voidpf memory)
{
    (void)context;
    evs_free(memory);
}

bool evs_inflate_is_gzip(struct evs_slice body)
{
    return body.count >= 2 && (uint8_t)body.data[0] == 0x1f && (uint8_t)body.data[1] == 0x8b;
}

/* One member; `stream` stands behind it afterwards. */
static evs_status inflate_member(z_stream *stream, size_t bytes_max, struct evs_buffer *out)
{
    int result = Z_OK;
    while (result == Z_OK) {
        size_t room = bytes_max - out->count < INFLATE_CHUNK_BYTES ? bytes_max - out->count : INFLATE_CHUNK_BYTES;
        evs_buffer_reserve(out, room + 1);
        stream->next_out = (Bytef *)out->data + out->count;
        stream->avail_out = (uInt)room + 1; /* one more than allowed, to see that there is one more */
        result = inflate(stream, Z_NO_FLUSH);
        out->count += room + 1 - stream->avail_out;
        if (out->count > bytes_max) {
            return EVS_E_LIMIT;
        }
        if (result == Z_OK && stream->avail_in == 0 && stream->avail_out > 0) {
            return EVS_E_CORRUPT; /* it was cut off */
        }
    }
    return result == Z_STREAM_END ? EVS_OK : EVS_E_CORRUPT;
}

evs_status evs_inflate(struct evs_slice body, size_t bytes_max, struct evs_buffer *out)
{
    EVS_ASSERT(out->count == 0 && body.count <= UINT32_MAX);
    z_stream stream = {.zalloc = inflate_alloc, .zfree = inflate_free};
    stream.next_in = (Bytef *)(uintptr_t)body.data;
    stream.avail_in = (uInt)body.count;
    if (inflateInit2(&stream, INFLATE_GZIP_ONLY) != Z_OK) {
        return EVS_E_CORRUPT;
    }
    evs_status status;
    do {
        status = inflate_member(&stream, bytes_max, out);
    } while (status == EVS_OK && stream.avail_in > 0 && inflateReset(&stream) == Z_OK);
    inflateEnd(&stream);
    return status;
}
