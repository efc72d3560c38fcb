/* Bitwise operators of bytes: & | ^ of two of one length, ~, << and >> over the whole length with zeros coming in, bit_count. */
#include "kernel.h"
#include "text_tools.h"

/* Where the bytes of a result are made: in a view, when they are few. */
static char *new_bytes(struct evs_call *call, size_t count, struct evs_str *small)
{
    return count <= EVS_STR_INLINE_MAX ? small->text : evs_call_text(call, count);
}

enum operation { AND, OR, XOR };

/* variant: enum operation. */
static inline enum evs_row combine_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                       struct evs_str *out)
{
    if (a->count != b->count) {
        return EVS_ROW_ARGUMENT;
    }
    struct evs_str made = {.count = a->count};
    const char *left = evs_str_data(a), *right = evs_str_data(b);
    char *bytes = new_bytes(call, a->count, &made);
    for (uint32_t i = 0; i < a->count; i++) {
        switch (call->step->overload->variant) {
        case AND:
            bytes[i] = left[i] & right[i];
            break;
        case OR:
            bytes[i] = left[i] | right[i];
            break;
        default:
            bytes[i] = left[i] ^ right[i];
        }
    }
    *out = evs_str_make(bytes, a->count);
    return EVS_ROW_OK;
}
static inline enum evs_row not_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    struct evs_str made = {.count = a->count};
    const char *from = evs_str_data(a);
    char *bytes = new_bytes(call, a->count, &made);
    for (uint32_t i = 0; i < a->count; i++) {
        bytes[i] = (char)~from[i];
    }
    *out = evs_str_make(bytes, a->count);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(combine, combine_row, struct evs_str, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_1(not_kernel, not_row, struct evs_str, struct evs_str)

/* Byte `index` of the text, 0 outside of it. */
static uint32_t byte_at(struct evs_slice text, int64_t index)
{
    return index >= 0 && index < (int64_t)text.count ? (uint8_t)text.data[index] : 0;
}

/* variant 1: to the left. */
static inline enum evs_row shift_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                     struct evs_str *out)
{
    if (*b < 0) {
        return EVS_ROW_ARGUMENT;
    }
    const struct evs_slice text = evs_str_slice(a);
    const bool left = call->step->overload->variant == 1;
    const bool all_out = *b >= (int64_t)text.count * 8;
    const int64_t whole = all_out ? 0 : *b / 8;
    const uint32_t bits = all_out ? 0 : (uint32_t)(*b % 8);
    struct evs_str made = {.count = a->count};
    char *bytes = new_bytes(call, text.count, &made);
    for (int64_t i = 0; i < (int64_t)text.count; i++) {
        const uint32_t pair = left ? byte_at(text, i + whole) << 8 | byte_at(text, i + whole + 1)
                                   : byte_at(text, i - whole - 1) << 8 | byte_at(text, i - whole);
        bytes[i] = (char)(all_out ? 0 : left ? pair >> (8 - bits) : pair >> bits);
    }
    *out = evs_str_make(bytes, a->count);
    return EVS_ROW_OK;
}
static inline enum evs_row count_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    (void)call;
    const char *bytes = evs_str_data(a);
    *out = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        *out += __builtin_popcount((uint8_t)bytes[i]);
    }
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(shift, shift_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_1(count, count_row, struct evs_str, int64_t)

#define B EVS_BYTES
#define BITS(name_, kernel_, to, flags_, variant_, ...)                                                                \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {__VA_ARGS__},                              \
        .required = (uint8_t)EVS_COUNT(((uint8_t[]){__VA_ARGS__})), .flags = (flags_), .variant = (variant_)           \
    }
static const struct evs_overload overloads[] = {
    BITS("&", combine, B, EVS_CALL_FALLIBLE, AND, B, B),
    BITS("|", combine, B, EVS_CALL_FALLIBLE, OR, B, B),
    BITS("^", combine, B, EVS_CALL_FALLIBLE, XOR, B, B),
    BITS("~", not_kernel, B, 0, 0, B),
    BITS("<<", shift, B, EVS_CALL_FALLIBLE, 1, B, EVS_INT64),
    BITS(">>", shift, B, EVS_CALL_FALLIBLE, 0, B, EVS_INT64),
    BITS("bit_count", count, EVS_INT64, 0, 0, B),
};

/* Their entries stand with the operators of int64 (kernel_bits.c). */
const struct evs_family evs_family_bit_bytes = {overloads, EVS_COUNT(overloads), NULL, 0};
