/* The language server with any client. An input that begins with `!` is the stream of bytes itself; of any other each line is the body of a message,
 * framed here, behind an `initialize`: so that a mutation reaches the handlers and not only the frames. */
#include <stdlib.h>
#include <string.h>

#include "../../cmd/cmd.h"
#include "evstream/memory.h"
#include "lsp.h"
#include "wire.h"

/* Under libFuzzer: a failed assertion ends the process by _exit, past libFuzzer, which would then keep no copy of the input. */
#ifdef __has_feature
#if __has_feature(coverage_sanitizer)
void _exit(int code)
{
    (void)code;
    abort();
}
#endif
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char initialize[] =
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{}}}";

struct client {
    struct evs_buffer stream;
    size_t at, sent;
};

/* In pieces of different sizes, so that frames arrive cut. */
static size_t read_some(void *self, char *bytes, size_t room)
{
    struct client *client = self;
    size_t left = client->stream.count - client->at, piece = 1 + client->at % 301;
    size_t count = left < piece ? left : piece;
    count = count < room ? count : room;
    if (count > 0) {
        memcpy(bytes, client->stream.data + client->at, count);
    }
    client->at += count;
    return count;
}

static bool is_ready(void *self)
{
    const struct client *client = self;
    return client->at % 3 == 0 && client->at < client->stream.count;
}

static bool take(void *self, const char *bytes, size_t count)
{
    struct client *client = self;
    struct evs_lsp_frame frame;
    EVS_ASSERT(evs_lsp_frame_parse((struct evs_slice){bytes, count}, &frame) == EVS_LSP_FRAME_WHOLE);
    EVS_ASSERT(frame.bytes == count && evs_lsp_json_valid(frame.body));
    client->sent += count;
    return true;
}

static void put_lines(struct client *client, const char *text, size_t size)
{
    evs_lsp_frame_put(&client->stream, EVS_SLICE(initialize));
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t count = end != NULL ? (size_t)(end - text) - at : size - at;
        evs_lsp_frame_put(&client->stream, (struct evs_slice){text + at, count});
        at += count + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client client = {0};
    if (size > 0 && data[0] == '!') {
        evs_buffer_put(&client.stream, data + 1, size - 1);
    } else {
        put_lines(&client, (const char *)data, size);
    }
    const struct evs_lsp_io io = {&client, read_some, is_ready, take};
    int code = evs_lsp_serve(&io, &evs_registry, NULL);
    EVS_ASSERT(code == 0 || code == 1);
    evs_buffer_fini(&client.stream);
    return 0;
}
