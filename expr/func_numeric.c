/* Roots, powers and logarithms of a numeric: numeric again, as GoogleSQL has it, correct to the ninth digit behind the point.
 *
 * MPFR computes with far more digits than a numeric has (38), so rounding its result once more is right, but for ties: 0.05 has
 * no exact binary form, and what is exactly half a unit may come out a little below it. What lies nearer to a tie than any
 * result of the working precision could by chance is therefore taken for one, and rounds away from zero. */
#include <mpfr.h>

#include "kernel.h"

#define WORKING_BITS 384
#define TIE_BITS 150 /* nearer than 2^-150 units to half a unit */

struct number {
    mpfr_t x;
};

static void set_integer(mpfr_t x, evs_numeric value)
{
    const unsigned __int128 size = value < 0 ? 0 - (unsigned __int128)value : (unsigned __int128)value;
    mpfr_set_ui(x, (unsigned long)(size >> 64), MPFR_RNDN);
    mpfr_mul_2ui(x, x, 64, MPFR_RNDN);
    mpfr_add_ui(x, x, (unsigned long)size, MPFR_RNDN);
    if (value < 0) {
        mpfr_neg(x, x, MPFR_RNDN);
    }
}

static void number_init(struct number *number, evs_numeric value)
{
    mpfr_init2(number->x, WORKING_BITS);
    set_integer(number->x, value);
    mpfr_div_ui(number->x, number->x, (unsigned long)EVS_NUMERIC_ONE, MPFR_RNDN);
}

/* Whether the positive number is exactly half above a whole one, as far as can be known. */
static bool is_tie(mpfr_t x, mpfr_t scratch)
{
    mpfr_frac(scratch, x, MPFR_RNDN);
    mpfr_sub_d(scratch, scratch, 0.5, MPFR_RNDN);
    return mpfr_zero_p(scratch) || mpfr_get_exp(scratch) < -TIE_BITS;
}

/* Rounds to 9 digits, half away from zero, and frees the number. */
static enum evs_row number_take(struct number *number, evs_numeric *out)
{
    enum evs_row outcome = EVS_ROW_OVERFLOW;
    mpfr_t scratch;
    mpfr_init2(scratch, WORKING_BITS);
    if (mpfr_number_p(number->x)) {
        const bool negative = mpfr_signbit(number->x);
        mpfr_abs(number->x, number->x, MPFR_RNDN);
        mpfr_mul_ui(number->x, number->x, (unsigned long)EVS_NUMERIC_ONE, MPFR_RNDN);
        const bool tie = is_tie(number->x, scratch);
        (void)(tie ? mpfr_ceil(number->x, number->x) : mpfr_round(number->x, number->x));
        set_integer(scratch, evs_numeric_max());
        if (mpfr_lessequal_p(number->x, scratch)) {
            mpfr_div_2ui(scratch, number->x, 64, MPFR_RNDN);
            mpfr_floor(scratch, scratch);
            const unsigned long high = mpfr_get_ui(scratch, MPFR_RNDN);
            mpfr_mul_2ui(scratch, scratch, 64, MPFR_RNDN);
            mpfr_sub(scratch, number->x, scratch, MPFR_RNDN);
            const evs_numeric size = (evs_numeric)((unsigned __int128)high << 64 | mpfr_get_ui(scratch, MPFR_RNDN));
            *out = negative ? -size : size;
            outcome = EVS_ROW_OK;
        }
    }
    mpfr_clear(scratch);
    mpfr_clear(number->x);
    return outcome;
}

/* --- functions ---------------------------------------------------------------------------------------------------- */

typedef int function_of_one(mpfr_t result, const mpfr_t x, mpfr_rnd_t rounding);

static enum evs_row apply(function_of_one *function, evs_numeric a, evs_numeric *out)
{
    struct number number;
    number_init(&number, a);
    function(number.x, number.x, MPFR_RNDN);
    return number_take(&number, out);
}

#define FUNCTION_OF_ONE(name, function, domain)                                                                        \
    static inline enum evs_row name##_row(struct evs_call *call, const evs_numeric *a, evs_numeric *out)               \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return (domain) ? apply(function, *a, out) : EVS_ROW_ARGUMENT;                                                 \
    }                                                                                                                  \
    EVS_ROW_KERNEL_1(name, name##_row, evs_numeric, evs_numeric)
FUNCTION_OF_ONE(sqrt_numeric, mpfr_sqrt, *a >= 0)
FUNCTION_OF_ONE(cbrt_numeric, mpfr_cbrt, true)
FUNCTION_OF_ONE(exp_numeric, mpfr_exp, true)
FUNCTION_OF_ONE(ln_numeric, mpfr_log, *a > 0)
FUNCTION_OF_ONE(log10_numeric, mpfr_log10, *a > 0)

static enum evs_row log_base(evs_numeric a, evs_numeric base, evs_numeric *out)
{
    if (a <= 0 || base <= 0 || base == EVS_NUMERIC_ONE) {
        return EVS_ROW_ARGUMENT;
    }
    struct number number, other;
    number_init(&number, a);
    number_init(&other, base);
    mpfr_log(number.x, number.x, MPFR_RNDN);
    mpfr_log(other.x, other.x, MPFR_RNDN);
    mpfr_div(number.x, number.x, other.x, MPFR_RNDN);
    mpfr_clear(other.x);
    return number_take(&number, out);
}

/* A negative number has powers with whole exponents only, and zero none with a negative one. */
static enum evs_row power(evs_numeric a, evs_numeric b, evs_numeric *out)
{
    const bool is_whole = b % EVS_NUMERIC_ONE == 0;
    if ((a < 0 && !is_whole) || (a == 0 && b < 0)) {
        return EVS_ROW_ARGUMENT;
    }
    struct number number, exponent;
    number_init(&number, a);
    number_init(&exponent, b);
    mpfr_pow(number.x, number.x, exponent.x, MPFR_RNDN);
    mpfr_clear(exponent.x);
    return number_take(&number, out);
}

#define AS_NUMERIC(value) ((evs_numeric)(value)*EVS_NUMERIC_ONE)
#define FUNCTION_OF_TWO(name, function, A, B, first, second)                                                           \
    static inline enum evs_row name##_row(struct evs_call *call, const A *a, const B *b, evs_numeric *out)             \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return function(first, second, out);                                                                           \
    }                                                                                                                  \
    EVS_ROW_KERNEL_2(name, name##_row, A, B, evs_numeric)
FUNCTION_OF_TWO(log_nn, log_base, evs_numeric, evs_numeric, *a, *b)
FUNCTION_OF_TWO(log_ni, log_base, evs_numeric, int64_t, *a, AS_NUMERIC(*b))
FUNCTION_OF_TWO(log_in, log_base, int64_t, evs_numeric, AS_NUMERIC(*a), *b)
FUNCTION_OF_TWO(pow_nn, power, evs_numeric, evs_numeric, *a, *b)
FUNCTION_OF_TWO(pow_ni, power, evs_numeric, int64_t, *a, AS_NUMERIC(*b))
FUNCTION_OF_TWO(pow_in, power, int64_t, evs_numeric, AS_NUMERIC(*a), *b)

/* Exact arguments only: sqrt of an int64 is float64. */
#define EXACT (EVS_CALL_FALLIBLE | EVS_CALL_EXACT)
#define OVERLOAD(name_, kernel_, required_, ...)                                                                       \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = EVS_NUMERIC, .arguments = {__VA_ARGS__},                       \
        .required = (required_), .flags = EXACT                                                                        \
    }
static const struct evs_overload overloads[] = {
    OVERLOAD("sqrt", sqrt_numeric, 1, EVS_NUMERIC),       OVERLOAD("cbrt", cbrt_numeric, 1, EVS_NUMERIC),
    OVERLOAD("exp", exp_numeric, 1, EVS_NUMERIC),         OVERLOAD("ln", ln_numeric, 1, EVS_NUMERIC),
    OVERLOAD("log", ln_numeric, 1, EVS_NUMERIC),          OVERLOAD("log10", log10_numeric, 1, EVS_NUMERIC),
    OVERLOAD("log", log_nn, 2, EVS_NUMERIC, EVS_NUMERIC), OVERLOAD("log", log_ni, 2, EVS_NUMERIC, EVS_INT64),
    OVERLOAD("log", log_in, 2, EVS_INT64, EVS_NUMERIC),   OVERLOAD("pow", pow_nn, 2, EVS_NUMERIC, EVS_NUMERIC),
    OVERLOAD("pow", pow_ni, 2, EVS_NUMERIC, EVS_INT64),   OVERLOAD("pow", pow_in, 2, EVS_INT64, EVS_NUMERIC),
};

/* They are documented where float64 is (func_math.c, func_trig.c). */
const struct evs_family evs_family_numeric = {overloads, EVS_COUNT(overloads), NULL, 0};
