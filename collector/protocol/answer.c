/* Answers. Success is 200 with a body, because some clients send again after an empty one; what can never succeed is 400 or
 * 401, because some clients keep and repeat after 404, 408 and 413 (docs/collector.md has the table). */
#include <stdarg.h>
#include <stdio.h>

#include "call.h"

#define REJECTED_TOLD_MAX 100u /* a client that sends thousands of bad events needs not read them all */

static const struct evs_strip none = {NULL, 0};

void evs_answer_text(struct evs_call *call, uint32_t status, const char *content_type, struct evs_slice body)
{
    struct evs_answer *answer = &call->out->answer;
    EVS_ASSERT(answer->status == 0);
    answer->status = status;
    answer->content_type = content_type;
    answer->body = body;
}

void evs_answer_json(struct evs_call *call, uint32_t status, struct evs_slice body)
{
    evs_answer_text(call, status, "application/json", body);
}

static struct evs_slice taken(struct evs_call *call)
{
    const struct evs_buffer *buffer = &call->protocol->buffer;
    return (struct evs_slice){evs_arena_copy(call->arena, buffer->data, buffer->count), buffer->count};
}

void evs_answer_refuse(struct evs_call *call, uint32_t status, const char *format, ...)
{
    char text[512];
    struct evs_buffer *out = &call->protocol->buffer;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    out->count = 0;
    evs_buffer_puts(out, "{\"success\":false,\"message\":");
    evs_tree_write_text(out, evs_slice_of(text), &none);
    evs_buffer_puts(out, "}");
    evs_answer_json(call, status, taken(call));
}

static void put_rejected(struct evs_buffer *out, const struct evs_bad_row *row)
{
    evs_buffer_printf(out, "{\"index\":%u,\"reasons\":[", row->index);
    for (uint32_t i = 0; i < row->reason_count; i++) {
        evs_buffer_puts(out, i > 0 ? "," : "");
        evs_tree_write_text(out, row->reasons[i], &none);
    }
    evs_buffer_puts(out, "]}");
}

void evs_answer_accepted(struct evs_call *call, const char *member)
{
    struct evs_buffer *out = &call->protocol->buffer;
    uint32_t count = call->out->bad_row_count;
    out->count = 0;
    evs_buffer_printf(out, "{%s", member);
    if (count > 0) {
        evs_buffer_printf(out, ",\"rejected_count\":%u,\"rejected\":[", count);
        for (uint32_t i = 0; i < count && i < REJECTED_TOLD_MAX; i++) {
            evs_buffer_puts(out, i > 0 ? "," : "");
            put_rejected(out, &call->protocol->bad_rows[i]);
        }
        evs_buffer_puts(out, "]");
    }
    evs_buffer_puts(out, "}");
    evs_answer_json(call, 200, taken(call));
}

void evs_answer_add_header(struct evs_call *call, const char *name, const char *value)
{
    struct evs_answer *answer = &call->out->answer;
    struct evs_answer_header *headers =
        EVS_ARENA_ARRAY(call->arena, struct evs_answer_header, answer->header_count + 1);
    for (uint32_t i = 0; i < answer->header_count; i++) {
        headers[i] = answer->headers[i];
    }
    headers[answer->header_count++] = (struct evs_answer_header){name, value};
    answer->headers = headers;
}

void evs_answer_pixel(struct evs_call *call)
{
    /* GIF89a, 1 by 1, the one colour transparent. */
    static const char gif[] = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1D\0;";
    evs_answer_text(call, 200, "image/gif", (struct evs_slice){gif, sizeof gif - 1});
    evs_answer_add_header(call, "Cache-Control", "no-cache, no-store, must-revalidate");
}
