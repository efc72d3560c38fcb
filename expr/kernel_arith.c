/* Arithmetic of numbers: + - * / div mod and the sign.
 *
 * GoogleSQL's rules: int64 overflow is an error, never a wrap; `/` of two int64 is float64; a zero divisor is an
 * error, for float64 too (ieee_divide gives infinities and NaN instead); a float64 result that is infinite although
 * no operand is, is an error; numeric rounds half away from zero at 9 digits and fails beyond 38. div truncates
 * toward zero and mod has the sign of the dividend. */
#include <math.h>

#include "kernel.h"

/* Not zero when r is infinite or NaN. Then, and only then, an operation can have overflowed. */
static inline uint64_t not_finite(double r)
{
    uint64_t bits;
    memcpy(&bits, &r, 8);
    return (bits & UINT64_C(0x7ff0000000000000)) == UINT64_C(0x7ff0000000000000);
}

static enum evs_row float64_outcome(double a, double b, double r)
{
    return isinf(r) && !isinf(a) && !isinf(b) ? EVS_ROW_OVERFLOW : EVS_ROW_OK;
}

static inline int64_t wrapped_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}
static inline int64_t wrapped_subtract(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}
static inline int64_t wrapped_multiply(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}
static inline uint64_t multiply_overflows(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_mul_overflow(a, b, &r);
}

#define INT64_ROW(name, builtin)                                                                                       \
    static inline enum evs_row name(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)           \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return builtin(*a, *b, out) ? EVS_ROW_OVERFLOW : EVS_ROW_OK;                                                   \
    }
INT64_ROW(add_int64_row, __builtin_add_overflow)
INT64_ROW(subtract_int64_row, __builtin_sub_overflow)
INT64_ROW(multiply_int64_row, __builtin_mul_overflow)

EVS_CHECKED_KERNEL_2(add_int64, int64_t, int64_t, int64_t, uint64_t, wrapped_add(a, b),
                     (uint64_t)((a ^ r) & (b ^ r)) >> 63, add_int64_row)
EVS_CHECKED_KERNEL_2(subtract_int64, int64_t, int64_t, int64_t, uint64_t, wrapped_subtract(a, b),
                     (uint64_t)((a ^ b) & (a ^ r)) >> 63, subtract_int64_row)
EVS_CHECKED_KERNEL_2(multiply_int64, int64_t, int64_t, int64_t, uint64_t, wrapped_multiply(a, b),
                     multiply_overflows(a, b), multiply_int64_row)

#define FLOAT64_ROW(name, op)                                                                                          \
    static inline enum evs_row name(struct evs_call *call, const double *a, const double *b, double *out)              \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        *out = *a op * b;                                                                                              \
        return float64_outcome(*a, *b, *out);                                                                          \
    }
FLOAT64_ROW(add_float64_row, +)
FLOAT64_ROW(subtract_float64_row, -)
FLOAT64_ROW(multiply_float64_row, *)

EVS_CHECKED_KERNEL_2(add_float64, double, double, double, uint64_t, a + b, not_finite(r), add_float64_row)
EVS_CHECKED_KERNEL_2(subtract_float64, double, double, double, uint64_t, a - b, not_finite(r), subtract_float64_row)
EVS_CHECKED_KERNEL_2(multiply_float64, double, double, double, uint64_t, a *b, not_finite(r), multiply_float64_row)

static inline enum evs_row divide_float64_row(struct evs_call *call, const double *a, const double *b, double *out)
{
    (void)call;
    if (*b == 0) {
        return EVS_ROW_DIVISION;
    }
    *out = *a / *b;
    return float64_outcome(*a, *b, *out);
}
/* A zero divisor gives an infinity or NaN: one test finds both errors. */
EVS_CHECKED_KERNEL_2(divide_float64, double, double, double, uint64_t, a / b, not_finite(r), divide_float64_row)
EVS_DENSE_KERNEL_2(ieee_divide, double, double, double, a / b)

static inline enum evs_row divide_int64_row(struct evs_call *call, const int64_t *a, const int64_t *b, double *out)
{
    const double x = (double)*a, y = (double)*b;
    return divide_float64_row(call, &x, &y, out);
}
EVS_CHECKED_KERNEL_2(divide_int64, int64_t, int64_t, double, uint64_t, (double)a / (double)b, not_finite(r),
                     divide_int64_row)

static inline enum evs_row div_int64_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    (void)call;
    if (*b == 0) {
        return EVS_ROW_DIVISION;
    }
    if (*b == -1) {
        return __builtin_sub_overflow(0, *a, out) ? EVS_ROW_OVERFLOW : EVS_ROW_OK;
    }
    *out = *a / *b;
    return EVS_ROW_OK;
}
static inline enum evs_row mod_int64_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    (void)call;
    if (*b == 0) {
        return EVS_ROW_DIVISION;
    }
    *out = *b == -1 ? 0 : *a % *b;
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(div_int64, div_int64_row, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_2(mod_int64, mod_int64_row, int64_t, int64_t, int64_t)

#define NUMERIC_ROW(name, function)                                                                                    \
    static inline enum evs_row name(struct evs_call *call, const evs_numeric *a, const evs_numeric *b,                 \
                                    evs_numeric *out)                                                                  \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return function(*a, *b, out) ? EVS_ROW_OK : EVS_ROW_OVERFLOW;                                                  \
    }
NUMERIC_ROW(add_numeric_row, evs_numeric_add)
NUMERIC_ROW(subtract_numeric_row, evs_numeric_subtract)
NUMERIC_ROW(multiply_numeric_row, evs_numeric_multiply)
EVS_ROW_KERNEL_2(add_numeric, add_numeric_row, evs_numeric, evs_numeric, evs_numeric)
EVS_ROW_KERNEL_2(subtract_numeric, subtract_numeric_row, evs_numeric, evs_numeric, evs_numeric)
EVS_ROW_KERNEL_2(multiply_numeric, multiply_numeric_row, evs_numeric, evs_numeric, evs_numeric)

static inline enum evs_row divide_numeric_row(struct evs_call *call, const evs_numeric *a, const evs_numeric *b,
                                              evs_numeric *out)
{
    (void)call;
    if (*b == 0) {
        return EVS_ROW_DIVISION;
    }
    return evs_numeric_divide(*a, *b, out) ? EVS_ROW_OK : EVS_ROW_OVERFLOW;
}
/* Both operands carry the factor 10^9, so their quotient is a whole number. */
static inline enum evs_row div_numeric_row(struct evs_call *call, const evs_numeric *a, const evs_numeric *b,
                                           evs_numeric *out)
{
    (void)call;
    if (*b == 0) {
        return EVS_ROW_DIVISION;
    }
    const evs_numeric whole = *a / *b, limit = evs_numeric_max() / EVS_NUMERIC_ONE;
    if (whole > limit || whole < -limit) {
        return EVS_ROW_OVERFLOW;
    }
    *out = whole * EVS_NUMERIC_ONE;
    return EVS_ROW_OK;
}
static inline enum evs_row mod_numeric_row(struct evs_call *call, const evs_numeric *a, const evs_numeric *b,
                                           evs_numeric *out)
{
    (void)call;
    if (*b == 0) {
        return EVS_ROW_DIVISION;
    }
    *out = *a % *b;
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(divide_numeric, divide_numeric_row, evs_numeric, evs_numeric, evs_numeric)
EVS_ROW_KERNEL_2(div_numeric, div_numeric_row, evs_numeric, evs_numeric, evs_numeric)
EVS_ROW_KERNEL_2(mod_numeric, mod_numeric_row, evs_numeric, evs_numeric, evs_numeric)

static inline enum evs_row negate_int64_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    (void)call;
    return __builtin_sub_overflow(0, *a, out) ? EVS_ROW_OVERFLOW : EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(negate_int64, negate_int64_row, int64_t, int64_t)
EVS_DENSE_KERNEL_1(negate_float64, double, double, -a)
static inline enum evs_row negate_numeric_row(struct evs_call *call, const evs_numeric *a, evs_numeric *out)
{
    (void)call;
    *out = -*a;
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(negate_numeric, negate_numeric_row, evs_numeric, evs_numeric)

#define CHECKED (EVS_CALL_FALLIBLE | EVS_CALL_DENSE)
#define BINARY(name_, kernel_, kind, result_, flags_)                                                                  \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (result_), .arguments = {(kind), (kind)}, .required = 2,       \
        .flags = (flags_)                                                                                              \
    }
#define UNARY(name_, kernel_, kind, flags_)                                                                            \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (kind), .arguments = {(kind)}, .required = 1,                  \
        .flags = (flags_)                                                                                              \
    }

static const struct evs_overload overloads[] = {
    BINARY("+", add_int64, EVS_INT64, EVS_INT64, CHECKED),
    BINARY("+", add_numeric, EVS_NUMERIC, EVS_NUMERIC, EVS_CALL_FALLIBLE),
    BINARY("+", add_float64, EVS_FLOAT64, EVS_FLOAT64, CHECKED),
    BINARY("-", subtract_int64, EVS_INT64, EVS_INT64, CHECKED),
    BINARY("-", subtract_numeric, EVS_NUMERIC, EVS_NUMERIC, EVS_CALL_FALLIBLE),
    BINARY("-", subtract_float64, EVS_FLOAT64, EVS_FLOAT64, CHECKED),
    BINARY("*", multiply_int64, EVS_INT64, EVS_INT64, CHECKED),
    BINARY("*", multiply_numeric, EVS_NUMERIC, EVS_NUMERIC, EVS_CALL_FALLIBLE),
    BINARY("*", multiply_float64, EVS_FLOAT64, EVS_FLOAT64, CHECKED),
    BINARY("/", divide_int64, EVS_INT64, EVS_FLOAT64, CHECKED),
    BINARY("/", divide_numeric, EVS_NUMERIC, EVS_NUMERIC, EVS_CALL_FALLIBLE),
    BINARY("/", divide_float64, EVS_FLOAT64, EVS_FLOAT64, CHECKED),
    BINARY("ieee_divide", ieee_divide, EVS_FLOAT64, EVS_FLOAT64, EVS_CALL_DENSE),
    BINARY("div", div_int64, EVS_INT64, EVS_INT64, EVS_CALL_FALLIBLE),
    BINARY("div", div_numeric, EVS_NUMERIC, EVS_NUMERIC, EVS_CALL_FALLIBLE),
    BINARY("mod", mod_int64, EVS_INT64, EVS_INT64, EVS_CALL_FALLIBLE),
    BINARY("mod", mod_numeric, EVS_NUMERIC, EVS_NUMERIC, EVS_CALL_FALLIBLE),
    UNARY("-", negate_int64, EVS_INT64, EVS_CALL_FALLIBLE),
    UNARY("-", negate_numeric, EVS_NUMERIC, 0),
    UNARY("-", negate_float64, EVS_FLOAT64, EVS_CALL_DENSE),
};

#define OPERATOR(name_, signature_, meaning_, example_, result_)                                                       \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_OPERATOR, .signature = (signature_), .meaning = (meaning_),              \
        .example = (example_), .result = (result_)                                                                     \
    }
#define MATH(name_, signature_, meaning_, example_, result_)                                                           \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_MATH, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    OPERATOR("+",
             "int64 + int64 → int64, and so numeric, float64, interval; timestamp + interval → timestamp; date or "
             "datetime + "
             "interval → datetime; date + int64 → date",
             "Sum. An int64 sum that does not fit is an error.", "1 + 2", "3"),
    OPERATOR("-",
             "int64 - int64 → int64 and -int64 → int64, and so numeric, float64, interval; timestamp - interval → "
             "timestamp; date or datetime "
             "- interval → datetime; date - int64 → date; a time less another of its type → interval",
             "Difference, or the opposite number.", "1 - 2.5", "-1.5"),
    OPERATOR("*", "int64 * int64 → int64, and so numeric, float64; interval * int64 → interval", "Product.",
             "3 * numeric '1.10'", "3.3"),
    OPERATOR("/",
             "int64 / int64 → float64; numeric / numeric → numeric; float64 / float64 → float64; interval / int64 → "
             "interval",
             "Quotient. A divisor of zero is an error.", "7 / 2", "3.5"),
    MATH("ieee_divide", "ieee_divide(float64, float64) → float64",
         "Quotient that never fails: x / 0 is infinite, 0 / 0 is NaN.", "ieee_divide(1, 0)", "inf"),
    MATH("div", "div(int64, int64) → int64, and so numeric", "Quotient without its fraction, rounded toward zero.",
         "div(-7, 2)", "-3"),
    MATH("mod", "mod(int64, int64) → int64, and so numeric", "Remainder of div; it has the sign of the first argument.",
         "mod(-7, 2)", "-1"),
};

const struct evs_family evs_family_arith = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
