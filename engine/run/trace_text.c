/* traceparent as text: W3C Trace Context, 3.2. */
#include <string.h>

#include "evstream/trace.h"

/* Lower case only, as the standard says. */
static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    static const uint8_t zeroes[16];
    return memcmp(bytes, zeroes, count) == 0;
}

bool evs_traceparent_parse(struct evs_slice text, struct evs_trace_context *context)
{
    uint8_t version, flags;
    bool is_long_enough = text.count >= EVS_TRACEPARENT_BYTES;
    bool has_shape = is_long_enough && text.data[2] == '-' && text.data[35] == '-' && text.data[52] == '-';
    bool is_read = has_shape && read_hex(text.data, &version, 1) && read_hex(text.data + 3, context->trace_id, 16) &&
                   read_hex(text.data + 36, context->span_id, 8) && read_hex(text.data + 53, &flags, 1);
    if (!is_read || version == 0xff || is_zero(context->trace_id, 16) || is_zero(context->span_id, 8)) {
        return false;
    }
    bool ends_right = text.count == EVS_TRACEPARENT_BYTES || (version > 0 && text.data[EVS_TRACEPARENT_BYTES] == '-');
    return ends_right && (flags & 1) != 0;
}

static char *put_hex(char *out, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    return out;
}

void evs_traceparent_put(const struct evs_trace_context *context, char out[EVS_TRACEPARENT_BYTES + 1])
{
    memcpy(out, "00-", 3);
    char *at = put_hex(out + 3, context->trace_id, 16);
    *at++ = '-';
    at = put_hex(at, context->span_id, 8);
    memcpy(at, "-01", 4);
}
