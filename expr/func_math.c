/* Mathematical functions. An argument outside of the domain (sqrt(-1), ln(0)) is an error; so is a result that is
 * infinite although the arguments are not. sqrt, pow, exp and the logarithms of a numeric are computed as float64 (a
 * listed divergence). */
#include <math.h>

#include "nested_tools.h"

static inline enum evs_row abs_int64_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    (void)call;
    if (*a == INT64_MIN) {
        return EVS_ROW_OVERFLOW;
    }
    *out = *a < 0 ? -*a : *a;
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(abs_int64, abs_int64_row, int64_t, int64_t)
EVS_DENSE_KERNEL_1(abs_float64, double, double, fabs(a))
EVS_DENSE_KERNEL_1(abs_numeric, evs_numeric, evs_numeric, a < 0 ? (evs_numeric)(0 - (unsigned __int128)a) : a)

EVS_DENSE_KERNEL_1(sign_int64, int64_t, int64_t, (a > 0) - (a < 0))
EVS_DENSE_KERNEL_1(sign_float64, double, double, isnan(a) ? a : (double)((a > 0) - (a < 0)))
EVS_DENSE_KERNEL_1(sign_numeric, evs_numeric, evs_numeric, ((a > 0) - (a < 0)) * EVS_NUMERIC_ONE)
EVS_DENSE_KERNEL_1(is_nan, double, uint8_t, isnan(a) != 0)
EVS_DENSE_KERNEL_1(is_inf, double, uint8_t, isinf(a) != 0)
EVS_DENSE_KERNEL_1(floor_float64, double, double, floor(a))
EVS_DENSE_KERNEL_1(ceil_float64, double, double, ceil(a))
EVS_DENSE_KERNEL_1(round_float64, double, double, round(a))
EVS_DENSE_KERNEL_1(trunc_float64, double, double, trunc(a))

/* --- rounding a numeric ------------------------------------------------------------------------------------------- */

enum rounding { ROUND_FLOOR, ROUND_CEIL, ROUND_HALF_AWAY, ROUND_HALF_EVEN, ROUND_TRUNC };

/* Whether the half that is nearer lies further from zero. */
static bool rounds_up(evs_numeric a, evs_numeric unit, enum rounding how)
{
    const evs_numeric rest = a % unit < 0 ? -(a % unit) : a % unit;
    const bool is_half = rest == unit - rest;
    return is_half && how == ROUND_HALF_EVEN ? a / unit % 2 != 0 : rest >= unit - rest;
}

/* To a multiple of `unit`. */
static enum evs_row round_to_unit(evs_numeric a, evs_numeric unit, enum rounding how, evs_numeric *out)
{
    const evs_numeric rest = a % unit; /* sign of a */
    evs_numeric result = a - rest;
    if (how == ROUND_FLOOR && rest < 0) {
        result -= unit;
    } else if (how == ROUND_CEIL && rest > 0) {
        result += unit;
    } else if ((how == ROUND_HALF_AWAY || how == ROUND_HALF_EVEN) && rounds_up(a, unit, how)) {
        result += rest < 0 ? -unit : unit;
    }
    *out = result;
    return result > evs_numeric_max() || result < -evs_numeric_max() ? EVS_ROW_OVERFLOW : EVS_ROW_OK;
}

/* 10^(9 - digits), the stored value of one unit of the last digit kept; 0 when that is beyond any numeric. */
static evs_numeric unit_of(int64_t digits)
{
    evs_numeric unit = 1;
    for (int64_t i = digits; i < 9; i++) {
        if (i < 9 - 38) {
            return 0;
        }
        unit *= 10;
    }
    return unit;
}

static enum evs_row round_numeric_digits(evs_numeric a, int64_t digits, enum rounding how, evs_numeric *out)
{
    if (digits >= 9) {
        *out = a;
        return EVS_ROW_OK;
    }
    const evs_numeric unit = digits < -29 ? 0 : unit_of(digits);
    if (unit == 0) {
        *out = 0;
        return EVS_ROW_OK;
    }
    return round_to_unit(a, unit, how, out);
}

#define ROUND_NUMERIC(name, how)                                                                                       \
    static inline enum evs_row name##_row(struct evs_call *call, const evs_numeric *a, evs_numeric *out)               \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return round_to_unit(*a, EVS_NUMERIC_ONE, (how), out);                                                         \
    }                                                                                                                  \
    EVS_ROW_KERNEL_1(name, name##_row, evs_numeric, evs_numeric)
ROUND_NUMERIC(floor_numeric, ROUND_FLOOR)
ROUND_NUMERIC(ceil_numeric, ROUND_CEIL)
ROUND_NUMERIC(round_numeric, ROUND_HALF_AWAY)
ROUND_NUMERIC(trunc_numeric, ROUND_TRUNC)

#define ROUND_NUMERIC_DIGITS(name, how)                                                                                \
    static inline enum evs_row name##_row(struct evs_call *call, const evs_numeric *a, const int64_t *b,               \
                                          evs_numeric *out)                                                            \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return round_numeric_digits(*a, *b, (how), out);                                                               \
    }                                                                                                                  \
    EVS_ROW_KERNEL_2(name, name##_row, evs_numeric, int64_t, evs_numeric)
ROUND_NUMERIC_DIGITS(round_numeric_to, ROUND_HALF_AWAY)
ROUND_NUMERIC_DIGITS(trunc_numeric_to, ROUND_TRUNC)

/* The mode is a word of GoogleSQL's. */
static evs_status prepare_mode(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                               struct evs_error *error)
{
    (void)arena;
    static const enum rounding away = ROUND_HALF_AWAY, even = ROUND_HALF_EVEN;
    const struct evs_slice mode = evs_str_slice(&expr->arguments[2]->value.str);
    *prepared = evs_slice_equal_nocase(mode, "ROUND_HALF_EVEN")             ? &even
                : evs_slice_equal_nocase(mode, "ROUND_HALF_AWAY_FROM_ZERO") ? &away
                                                                            : NULL;
    return *prepared ? EVS_OK
                     : evs_fail(error, EVS_E_PIPELINE,
                                "there is no way of rounding %s; there are 'ROUND_HALF_AWAY_FROM_ZERO' and "
                                "'ROUND_HALF_EVEN'",
                                expr->arguments[2]->text);
}
static inline enum evs_row round_numeric_mode_row(struct evs_call *call, const evs_numeric *a, const int64_t *b,
                                                  const struct evs_str *c, evs_numeric *out)
{
    (void)c; /* a constant: prepared */
    return round_numeric_digits(*a, *b, *(const enum rounding *)call->step->prepared, out);
}
EVS_ROW_KERNEL_3(round_numeric_mode, round_numeric_mode_row, evs_numeric, int64_t, struct evs_str, evs_numeric)

/* --- rounding a float64 to digits --------------------------------------------------------------------------------- */

/* In long double, as GoogleSQL's reference does: x / 10^-digits, rounded, times 10^-digits. The power is made by
 * repeated multiplication or division, which is exact for as long as it can be. */
static enum evs_row round_float64_digits(double a, int64_t digits, bool truncates, double *out)
{
    *out = a;
    if (!isfinite(a) || digits > 323) {
        return EVS_ROW_OK;
    }
    if (digits < -308) {
        *out = 0;
        return EVS_ROW_OK;
    }
    long double unit = 1;
    for (int64_t i = digits; i < 0; i++) {
        unit *= 10;
    }
    for (int64_t i = digits; i > 0; i--) {
        unit /= 10;
    }
    const long double scaled = a / unit;
    if (!isfinite(scaled)) {
        return EVS_ROW_OK; /* no digits behind the point are left */
    }
    *out = (double)((truncates ? truncl(scaled) : roundl(scaled)) * unit);
    return isfinite(*out) ? EVS_ROW_OK : EVS_ROW_OVERFLOW;
}
static inline enum evs_row round_float64_to_row(struct evs_call *call, const double *a, const int64_t *b, double *out)
{
    (void)call;
    return round_float64_digits(*a, *b, false, out);
}
static inline enum evs_row trunc_float64_to_row(struct evs_call *call, const double *a, const int64_t *b, double *out)
{
    (void)call;
    return round_float64_digits(*a, *b, true, out);
}
EVS_ROW_KERNEL_2(round_float64_to, round_float64_to_row, double, int64_t, double)
EVS_ROW_KERNEL_2(trunc_float64_to, trunc_float64_to_row, double, int64_t, double)

/* --- powers and logarithms ---------------------------------------------------------------------------------------- */

static inline enum evs_row sqrt_row(struct evs_call *call, const double *a, double *out)
{
    (void)call;
    *out = sqrt(*a);
    return *a < 0 ? EVS_ROW_ARGUMENT : EVS_ROW_OK;
}
static inline enum evs_row exp_row(struct evs_call *call, const double *a, double *out)
{
    (void)call;
    *out = exp(*a);
    return isinf(*out) && isfinite(*a) ? EVS_ROW_OVERFLOW : EVS_ROW_OK;
}
static inline enum evs_row ln_row(struct evs_call *call, const double *a, double *out)
{
    (void)call;
    *out = log(*a > 0 ? *a : 1.0);
    if (isnan(*a)) {
        *out = *a;
        return EVS_ROW_OK;
    }
    return *a > 0 ? EVS_ROW_OK : EVS_ROW_ARGUMENT;
}
static inline enum evs_row log10_row(struct evs_call *call, const double *a, double *out)
{
    const enum evs_row outcome = ln_row(call, a, out);
    if (outcome == EVS_ROW_OK && !isnan(*a)) {
        *out = log10(*a);
    }
    return outcome;
}
static inline enum evs_row log_row(struct evs_call *call, const double *a, const double *b, double *out)
{
    double of_a, of_b;
    if (ln_row(call, a, &of_a) != EVS_ROW_OK || ln_row(call, b, &of_b) != EVS_ROW_OK || of_b == 0) {
        return EVS_ROW_ARGUMENT;
    }
    *out = *b == 10.0 ? log10(*a) : *b == 2.0 ? log2(*a) : of_a / of_b;
    return EVS_ROW_OK;
}
static inline enum evs_row pow_row(struct evs_call *call, const double *a, const double *b, double *out)
{
    (void)call;
    *out = pow(*a, *b);
    if (isfinite(*a) && isfinite(*b)) {
        const bool outside = (*a == 0 && *b < 0) || isnan(*out);
        return outside ? EVS_ROW_ARGUMENT : isinf(*out) ? EVS_ROW_OVERFLOW : EVS_ROW_OK;
    }
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(sqrt_float64, sqrt_row, double, double)
EVS_ROW_KERNEL_1(exp_float64, exp_row, double, double)
EVS_ROW_KERNEL_1(ln_float64, ln_row, double, double)
EVS_ROW_KERNEL_1(log10_float64, log10_row, double, double)
EVS_ROW_KERNEL_2(log_float64, log_row, double, double, double)
EVS_ROW_KERNEL_2(pow_float64, pow_row, double, double, double)

/* --- range_bucket ------------------------------------------------------------------------------------------------- */

static bool is_no_boundary(const struct evs_value *value)
{
    return value->is_null || (value->kind == EVS_FLOAT64 && isnan(value->float64));
}

/* How many boundaries are at or below the point. They must ascend, all of them, so that a mistake is found whatever the
 * point is. */
static void range_bucket(struct evs_call *call)
{
    int64_t *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        struct evs_str held;
        const struct evs_value point = evs_call_value(call, 0, row);
        const struct evs_nested boundaries = evs_call_nested(call, 1, row, &held);
        struct evs_value last = {0};
        enum evs_row outcome = is_no_boundary(&point) ? EVS_ROW_NULL : EVS_ROW_OK;
        out[row] = 0;
        for (uint32_t i = 0; i < boundaries.count && outcome == EVS_ROW_OK; i++) {
            const struct evs_value boundary = evs_nested_at(&boundaries, i);
            if (is_no_boundary(&boundary) || (i > 0 && evs_value_order(&last, &boundary) > 0)) {
                outcome = EVS_ROW_ARGUMENT;
            } else {
                out[row] += evs_value_order(&boundary, &point) <= 0;
                last = boundary;
            }
        }
        EVS_ROW_DONE(call, row, outcome);
    }
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define ONE(name_, kernel_, from, to, flags_)                                                                          \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {(from)}, .required = 1, .flags = (flags_)  \
    }
#define TWO(name_, kernel_, a_, b_, to, flags_)                                                                        \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {(a_), (b_)}, .required = 2,                \
        .flags = (flags_)                                                                                              \
    }
#define F EVS_FLOAT64
#define N EVS_NUMERIC
#define MAY_FAIL EVS_CALL_FALLIBLE
#define DENSE EVS_CALL_DENSE

static const struct evs_overload overloads[] = {
    ONE("abs", abs_int64, EVS_INT64, EVS_INT64, MAY_FAIL),
    ONE("abs", abs_numeric, N, N, DENSE),
    ONE("abs", abs_float64, F, F, DENSE),
    ONE("sign", sign_int64, EVS_INT64, EVS_INT64, DENSE),
    ONE("sign", sign_numeric, N, N, DENSE),
    ONE("sign", sign_float64, F, F, DENSE),
    ONE("is_nan", is_nan, F, EVS_BOOL, DENSE),
    ONE("is_inf", is_inf, F, EVS_BOOL, DENSE),
    /* An int64 is rounded as a float64: see the resolver. */
    ONE("floor", floor_float64, F, F, DENSE),
    ONE("floor", floor_numeric, N, N, MAY_FAIL),
    ONE("ceil", ceil_float64, F, F, DENSE),
    ONE("ceil", ceil_numeric, N, N, MAY_FAIL),
    ONE("round", round_float64, F, F, DENSE),
    ONE("round", round_numeric, N, N, MAY_FAIL),
    ONE("trunc", trunc_float64, F, F, DENSE),
    ONE("trunc", trunc_numeric, N, N, 0),
    TWO("round", round_float64_to, F, EVS_INT64, F, MAY_FAIL),
    TWO("round", round_numeric_to, N, EVS_INT64, N, MAY_FAIL),
    {.name = "round",
     .kernel = round_numeric_mode,
     .prepare = prepare_mode,
     .result = N,
     .arguments = {N, EVS_INT64, EVS_ARG_CONSTANT},
     .required = 3,
     .flags = MAY_FAIL},
    TWO("trunc", trunc_float64_to, F, EVS_INT64, F, MAY_FAIL),
    TWO("range_bucket", range_bucket, EVS_ARG_T, EVS_ARG_ARRAY_T, EVS_INT64, MAY_FAIL | EVS_CALL_NULLABLE),
    TWO("trunc", trunc_numeric_to, N, EVS_INT64, N, 0),
    ONE("sqrt", sqrt_float64, F, F, MAY_FAIL),
    ONE("exp", exp_float64, F, F, MAY_FAIL),
    ONE("ln", ln_float64, F, F, MAY_FAIL),
    ONE("log", ln_float64, F, F, MAY_FAIL),
    ONE("log10", log10_float64, F, F, MAY_FAIL),
    TWO("log", log_float64, F, F, F, MAY_FAIL),
    TWO("pow", pow_float64, F, F, F, MAY_FAIL),
};

#define MATH(name_, signature_, meaning_, example_, result_)                                                           \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_MATH, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    MATH("abs", "abs(T) → T (int64, numeric, float64)", "The number without its sign.", "abs(-3)", "3"),
    MATH("sign", "sign(T) → T (int64, numeric, float64)", "-1, 0 or 1.", "sign(-2.5)", "-1"),
    MATH("is_nan", "is_nan(float64) → bool", "Whether it is NaN.", "is_nan(cast('nan' as float64))", "true"),
    MATH("is_inf", "is_inf(float64) → bool", "Whether it is infinite.", "is_inf(1.0)", "false"),
    MATH("floor", "floor(T) → T (numeric, float64)", "The next whole number below.", "floor(-1.5)", "-2"),
    MATH("ceil", "ceil(T) → T (numeric, float64)", "The next whole number above.", "ceil(1.2)", "2"),
    MATH("ceiling", "ceiling(T) → T (numeric, float64)", "The same as ceil.", "ceiling(numeric '1.2')", "2"),
    MATH("round", "round(T [, int64]) → T (numeric, float64); round(numeric, int64, mode string) → numeric",
         "Rounds to a number of digits behind the point (before it where negative), half away from zero, or, of a "
         "numeric, to the even digit: 'ROUND_HALF_EVEN'.",
         "round(2.5)", "3"),
    MATH("trunc", "trunc(T [, int64]) → T (numeric, float64)", "Cuts the digits behind.", "trunc(1.789, 1)", "1.7"),
    MATH("range_bucket", "range_bucket(T, boundaries array<T>) → int64",
         "How many of the ascending boundaries are at or below the value: the number of its bucket.",
         "range_bucket(25, [0, 10, 20, 30])", "3"),
    MATH("sqrt", "sqrt(float64) → float64", "Square root; a negative argument is an error.", "sqrt(2.25)", "1.5"),
    MATH("exp", "exp(float64) → float64", "e to the power.", "exp(0)", "1"),
    MATH("ln", "ln(float64) → float64", "Natural logarithm; an argument of 0 or below is an error.", "ln(1)", "0"),
    MATH("log", "log(float64 [, base float64]) → float64", "Logarithm, natural when no base is given.", "log(8, 2)",
         "3"),
    MATH("log10", "log10(float64) → float64", "Logarithm to base 10.", "log10(1000)", "3"),
    MATH("pow", "pow(float64, float64) → float64", "The first to the power of the second.", "pow(2, 10)", "1024"),
    MATH("power", "power(float64, float64) → float64", "The same as pow.", "power(9, 0.5)", "3"),
};

const struct evs_family evs_family_math = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
