/* Bitwise operators of int64: & | ^ ~ << >>. A shift by 64 or more gives 0, a negative one is an error; >> fills
 * with zeros. */
#include "kernel.h"

EVS_DENSE_KERNEL_2(bit_and, int64_t, int64_t, int64_t, a &b)
EVS_DENSE_KERNEL_2(bit_or, int64_t, int64_t, int64_t, a | b)
EVS_DENSE_KERNEL_2(bit_xor, int64_t, int64_t, int64_t, a ^ b)
EVS_DENSE_KERNEL_1(bit_not, int64_t, int64_t, ~a)
EVS_DENSE_KERNEL_1(bit_count, int64_t, int64_t, (int64_t)__builtin_popcountll((uint64_t)a))

static inline enum evs_row shift_left_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    (void)call;
    *out = *b >= 64 || *b < 0 ? 0 : (int64_t)((uint64_t)*a << *b);
    return *b < 0 ? EVS_ROW_ARGUMENT : EVS_ROW_OK;
}
static inline enum evs_row shift_right_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    (void)call;
    *out = *b >= 64 || *b < 0 ? 0 : (int64_t)((uint64_t)*a >> *b);
    return *b < 0 ? EVS_ROW_ARGUMENT : EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(shift_left, shift_left_row, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_2(shift_right, shift_right_row, int64_t, int64_t, int64_t)

#define BITS(name_, kernel_, count, flags_)                                                                            \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = EVS_INT64,                                                     \
        .arguments = {EVS_INT64, (count) == 2 ? EVS_INT64 : 0}, .required = (count), .flags = (flags_)                 \
    }
static const struct evs_overload overloads[] = {
    BITS("&", bit_and, 2, EVS_CALL_DENSE),           BITS("|", bit_or, 2, EVS_CALL_DENSE),
    BITS("^", bit_xor, 2, EVS_CALL_DENSE),           BITS("~", bit_not, 1, EVS_CALL_DENSE),
    BITS("<<", shift_left, 2, EVS_CALL_FALLIBLE),    BITS(">>", shift_right, 2, EVS_CALL_FALLIBLE),
    BITS("bit_count", bit_count, 1, EVS_CALL_DENSE),
};

#define OPERATOR(name_, signature_, meaning_, example_, result_)                                                       \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_OPERATOR, .signature = (signature_), .meaning = (meaning_),              \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    OPERATOR("&", "int64 & int64 → int64; the same for bytes of one length", "Bits that both have.", "12 & 10", "8"),
    OPERATOR("|", "int64 | int64 → int64; the same for bytes of one length", "Bits that one of them has.", "12 | 10",
             "14"),
    OPERATOR("^", "int64 ^ int64 → int64; the same for bytes of one length", "Bits that exactly one of them has.",
             "12 ^ 10", "6"),
    OPERATOR("~", "~int64 → int64; the same for bytes", "All bits turned over.", "~0", "-1"),
    OPERATOR(
        "<<", "int64 << int64 → int64; bytes << int64 → bytes",
        "Bits moved up, zeros from below; all are gone from 64 on (from the length on). A negative count is an error.",
        "1 << 4", "16"),
    OPERATOR(">>", "int64 >> int64 → int64; bytes >> int64 → bytes",
             "Bits moved down, zeros from above. A negative count is an error.", "-1 >> 60", "15"),
    {"bit_count", EVS_FAMILY_MATH, "bit_count(int64 or bytes) → int64", "How many bits are set.", "bit_count(7)", "3"},
};

const struct evs_family evs_family_bits = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
