/* Exact decimal arithmetic: a number is an integer of at most 38 digits that counts billionths.
 *
 * A product has up to 253 bits before it is divided by 10^9, and a quotient's dividend, multiplied by 10^9, up to 157: those
 * run in 256 bits, as four 64-bit limbs for the product (its divisor fits a limb) and as a pair of 128-bit halves for the
 * quotient. Amounts of money fit 64 bits and take the short way. Products and quotients are computed on magnitudes; half
 * away from zero is then "remainder at least half: one up". */
#include "numeric.h"

#include "float_text.h"

typedef unsigned __int128 u128;

#define ONE UINT64_C(1000000000)

evs_numeric evs_numeric_max(void)
{
    return EVS_NUMERIC_MAX;
}

bool evs_numeric_add(evs_numeric a, evs_numeric b, evs_numeric *result)
{
    EVS_ASSERT(evs_numeric_in_range(a) && evs_numeric_in_range(b));
    evs_numeric sum;
    if (__builtin_add_overflow(a, b, &sum) || !evs_numeric_in_range(sum)) {
        return false;
    }
    *result = sum;
    return true;
}

bool evs_numeric_subtract(evs_numeric a, evs_numeric b, evs_numeric *result)
{
    return evs_numeric_add(a, -b, result);
}

/* limbs[4] (least first) = a × b */
static void multiply_256(u128 a, u128 b, uint64_t limbs[4])
{
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64);
    uint64_t b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    u128 low = (u128)a0 * b0;
    u128 middle1 = (u128)a1 * b0 + (uint64_t)(low >> 64);
    u128 middle2 = (u128)a0 * b1 + (uint64_t)middle1;
    u128 high = (u128)a1 * b1 + (uint64_t)(middle1 >> 64) + (uint64_t)(middle2 >> 64);
    EVS_ASSERT(high >> 64 <= a1); /* the product of two 128-bit numbers fits 256 bits */
    limbs[0] = (uint64_t)low;
    limbs[1] = (uint64_t)middle2;
    limbs[2] = (uint64_t)high;
    limbs[3] = (uint64_t)(high >> 64);
}

/* Divides in place, school fashion from the highest limb; returns the remainder. */
static uint64_t divide_limbs(uint64_t limbs[4], uint64_t divisor)
{
    uint64_t remainder = 0;
    for (int i = 3; i >= 0; i--) {
        u128 part = ((u128)remainder << 64) | limbs[i];
        limbs[i] = (uint64_t)(part / divisor);
        remainder = (uint64_t)(part % divisor);
    }
    EVS_ASSERT(remainder < divisor);
    return remainder;
}

bool evs_numeric_multiply(evs_numeric a, evs_numeric b, evs_numeric *result)
{
    EVS_ASSERT(evs_numeric_in_range(a) && evs_numeric_in_range(b));
    bool negative = (a < 0) != (b < 0);
    u128 x = evs_numeric_magnitude(a), y = evs_numeric_magnitude(b);
    if ((x | y) >> 64 == 0) {
        u128 product = x * y;
        u128 quotient = product / ONE;
        bool half = product - quotient * ONE >= ONE / 2;
        return evs_numeric_from_magnitude(quotient + half, negative, result);
    }
    uint64_t limbs[4];
    multiply_256(x, y, limbs);
    bool up = divide_limbs(limbs, ONE) >= ONE / 2;
    if (limbs[3] != 0 || limbs[2] != 0) {
        return false;
    }
    u128 quotient = ((u128)limbs[1] << 64) | limbs[0];
    if (quotient > (u128)EVS_NUMERIC_MAX) {
        return false; /* before the addition, which could wrap */
    }
    return evs_numeric_from_magnitude(quotient + up, negative, result);
}

/* (high:low) / divisor for high < divisor: then the quotient fits 128 bits. One bit a step; the divisor is below 2^127, so
 * the remainder can be doubled without loss. */
static u128 divide_256(u128 high, u128 low, u128 divisor, u128 *remainder)
{
    EVS_ASSERT(high < divisor && divisor >> 127 == 0);
    u128 quotient = 0;
    for (int bit = 127; bit >= 0; bit--) {
        high = (high << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        if (high >= divisor) {
            high -= divisor;
            quotient |= 1;
        }
    }
    EVS_ASSERT(high < divisor);
    *remainder = high;
    return quotient;
}

bool evs_numeric_divide(evs_numeric a, evs_numeric b, evs_numeric *result)
{
    EVS_ASSERT(evs_numeric_in_range(a) && evs_numeric_in_range(b));
    if (b == 0) {
        return false;
    }
    u128 dividend = evs_numeric_magnitude(a), divisor = evs_numeric_magnitude(b);
    uint64_t limbs[4];
    multiply_256(dividend, ONE, limbs);
    EVS_ASSERT(limbs[3] == 0);
    u128 low = ((u128)limbs[1] << 64) | limbs[0], high = limbs[2], remainder, quotient;
    if (high == 0) {
        quotient = low / divisor;
        remainder = low % divisor;
    } else if (high < divisor) {
        quotient = divide_256(high, low, divisor, &remainder);
    } else {
        return false;
    }
    if (quotient > (u128)EVS_NUMERIC_MAX) {
        return false;
    }
    return evs_numeric_from_magnitude(quotient + (remainder >= divisor - remainder), (a < 0) != (b < 0), result);
}

/* A double is m × 2^e with m below 2^53, and m × 10^9 fits 83 bits: nothing is lost before the one rounding. */
bool evs_numeric_from_float64(double value, evs_numeric *result)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t biased = (bits >> 52) & 0x7FF;
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    if (biased == 0x7FF) {
        return false; /* NaN and the infinities */
    }
    u128 scaled = (u128)(biased == 0 ? fraction : fraction | (UINT64_C(1) << 52)) * ONE;
    int exponent = (biased == 0 ? 1 : (int)biased) - 1075;
    if (exponent >= 0) {
        if (exponent > 64 || scaled > (u128)EVS_NUMERIC_MAX >> exponent) {
            return false; /* 2^52 × 2^65 × 10^9 is far beyond the limit, so no larger shift is ever needed */
        }
        scaled <<= exponent;
    } else if (exponent > -100) {
        u128 half = (u128)1 << (-exponent - 1);
        scaled = (scaled + half) >> -exponent;
    } else {
        scaled = 0; /* below 2^83 / 2^100 */
    }
    return evs_numeric_from_magnitude(scaled, bits >> 63, result);
}

/* Correctly rounded: up to 2^53 the division is the only rounding; beyond, the digits are read like any text. */
double evs_numeric_to_float64(evs_numeric value)
{
    EVS_ASSERT(evs_numeric_in_range(value));
    u128 magnitude = evs_numeric_magnitude(value);
    double result;
    if (magnitude <= (u128)1 << 53) {
        result = (double)(uint64_t)magnitude / 1e9;
    } else {
        char text[EVS_FORMAT_MAX];
        uint32_t count = evs_format_numeric(text, (evs_numeric)magnitude);
        enum evs_float_read read = evs_float_read(text, count, &result);
        EVS_ASSERT(read == EVS_FLOAT_READ_OK);
    }
    return value < 0 ? -result : result;
}

bool evs_numeric_to_int64(evs_numeric value, int64_t *result)
{
    EVS_ASSERT(evs_numeric_in_range(value));
    evs_numeric half = value < 0 ? -(evs_numeric)(ONE / 2) : (evs_numeric)(ONE / 2);
    evs_numeric rounded = (value + half) / (evs_numeric)ONE;
    if (rounded > INT64_MAX || rounded < INT64_MIN) {
        return false;
    }
    *result = (int64_t)rounded;
    return true;
}
