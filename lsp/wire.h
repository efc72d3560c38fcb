/* Frames of the protocol: header lines, an empty line, a body.
 *
 *   Content-Length: 46\r\n
 *   Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n      (optional)
 *   \r\n
 *   {"jsonrpc":"2.0","method":"initialized","params":{}}
 *
 * A stream that is out of step is brought back into it: everything up to the next header is dropped, and told once. */
#ifndef EVS_LSP_WIRE_H
#define EVS_LSP_WIRE_H

#include "evstream/memory.h"
#include "evstream/text.h"

#define EVS_LSP_HEADER_BYTES_MAX 4096
#define EVS_LSP_BODY_BYTES_MAX (64u << 20)

enum evs_lsp_frame_state {
    EVS_LSP_FRAME_WHOLE,
    EVS_LSP_FRAME_PART, /* more bytes are needed */
    EVS_LSP_FRAME_BAD,  /* no frame: drop `bytes`, which is at least 1 */
};
struct evs_lsp_frame {
    struct evs_slice body; /* of the input */
    size_t bytes;          /* of the input that the frame takes */
};
enum evs_lsp_frame_state evs_lsp_frame_parse(struct evs_slice input, struct evs_lsp_frame *frame);
void evs_lsp_frame_put(struct evs_buffer *out, struct evs_slice body);

/* --- reading a message: text that is known to be valid JSON ------------------------------------------------------------ */

/* Follows member names divided by dots. False when there is no such member; the value is its text. */
bool evs_lsp_get(struct evs_slice object, const char *path, struct evs_slice *value);
/* The member's number, cut at the range of int64; `fallback` when there is none, or it is no number. */
int64_t evs_lsp_number(struct evs_slice object, const char *path, int64_t fallback);
/* The member's text, unescaped, in `arena`, with a NUL behind it; false when it is no string, or holds half a surrogate pair. */
bool evs_lsp_string(struct evs_arena *arena, struct evs_slice object, const char *path, struct evs_slice *text);
bool evs_lsp_unescape(struct evs_arena *arena, struct evs_slice raw, struct evs_slice *text);
bool evs_lsp_json_valid(struct evs_slice text);

#endif
