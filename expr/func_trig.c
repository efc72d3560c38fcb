/* Angles, hyperbolas, roots and distances of float64. One rule for all functions of one argument: a finite argument gives a finite result
 * or an error; infinities and NaN give what IEEE 754 says. */
#include <math.h>

#include "evstream/nested.h"
#include "kernel.h"

static double cot(double x)
{
    return 1 / tan(x);
}
static double csc(double x)
{
    return 1 / sin(x);
}
static double sec(double x)
{
    return 1 / cos(x);
}
static double coth(double x)
{
    return 1 / tanh(x);
}
static double csch(double x)
{
    return 1 / sinh(x);
}
static double sech(double x)
{
    return 1 / cosh(x);
}

/* In the order of the overloads: the variant is the place here. */
static double (*const unary[])(double) = {
    acos, acosh, asin, asinh, atan, atanh, cos, cosh, sin, sinh, tan, tanh, cot, coth, csc, csch, sec, sech, cbrt,
};

static inline enum evs_row unary_row(struct evs_call *call, const double *a, double *out)
{
    *out = unary[call->step->overload->variant](*a);
    return isfinite(*out) || !isfinite(*a) ? EVS_ROW_OK : isnan(*out) ? EVS_ROW_ARGUMENT : EVS_ROW_OVERFLOW;
}
EVS_ROW_KERNEL_1(unary_kernel, unary_row, double, double)
EVS_DENSE_KERNEL_2(atan2_kernel, double, double, double, atan2(a, b))

static void pi_kernel(struct evs_call *call)
{
    *(double *)call->result->data = M_PI;
}
static void pi_numeric_kernel(struct evs_call *call)
{
    *(evs_numeric *)call->result->data = 3141592654; /* 9 digits behind the point */
}

/* --- distances of vectors ----------------------------------------------------------------------------------------- */

/* Element number `index`; false when it is NULL, which no vector has. */
static bool magnitude(const struct evs_nested *vector, uint32_t index, double *out)
{
    const struct evs_value value = evs_nested_at(vector, index);
    *out = value.float64;
    return !value.is_null;
}

/* variant 1: euclidean, else cosine. */
static inline enum evs_row distance_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                        double *out)
{
    const struct evs_nested left = evs_nested_open(a), right = evs_nested_open(b);
    double product = 0, left_square = 0, right_square = 0, apart = 0, x, y;
    if (left.count != right.count || left.count == 0) {
        return EVS_ROW_ARGUMENT;
    }
    for (uint32_t i = 0; i < left.count; i++) {
        if (!magnitude(&left, i, &x) || !magnitude(&right, i, &y)) {
            return EVS_ROW_ARGUMENT;
        }
        product += x * y;
        left_square += x * x;
        right_square += y * y;
        apart += (x - y) * (x - y);
    }
    if (call->step->overload->variant == 1) {
        *out = sqrt(apart);
        return EVS_ROW_OK;
    }
    *out = 1 - product / (sqrt(left_square) * sqrt(right_square));
    return left_square == 0 || right_square == 0 ? EVS_ROW_ARGUMENT : EVS_ROW_OK; /* no direction */
}
EVS_ROW_KERNEL_2(distance, distance_row, struct evs_str, struct evs_str, double)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define F EVS_FLOAT64
#define VECTOR EVS_ARG_ARRAY_OF(EVS_FLOAT64)
#define UNARY(name_, variant_)                                                                                         \
    {                                                                                                                  \
        .name = (name_), .kernel = unary_kernel, .result = F, .arguments = {F}, .required = 1,                         \
        .flags = EVS_CALL_FALLIBLE, .variant = (variant_)                                                              \
    }
#define DISTANCE(name_, variant_)                                                                                      \
    {                                                                                                                  \
        .name = (name_), .kernel = distance, .result = F, .arguments = {VECTOR, VECTOR}, .required = 2,                \
        .flags = EVS_CALL_FALLIBLE, .variant = (variant_)                                                              \
    }
static const struct evs_overload overloads[] = {
    UNARY("acos", 0),
    UNARY("acosh", 1),
    UNARY("asin", 2),
    UNARY("asinh", 3),
    UNARY("atan", 4),
    UNARY("atanh", 5),
    UNARY("cos", 6),
    UNARY("cosh", 7),
    UNARY("sin", 8),
    UNARY("sinh", 9),
    UNARY("tan", 10),
    UNARY("tanh", 11),
    UNARY("cot", 12),
    UNARY("coth", 13),
    UNARY("csc", 14),
    UNARY("csch", 15),
    UNARY("sec", 16),
    UNARY("sech", 17),
    UNARY("cbrt", 18),
    {.name = "atan2", .kernel = atan2_kernel, .result = F, .arguments = {F, F}, .required = 2, .flags = EVS_CALL_DENSE},
    {.name = "pi", .kernel = pi_kernel, .result = F},
    {.name = "pi_numeric", .kernel = pi_numeric_kernel, .result = EVS_NUMERIC},
    DISTANCE("cosine_distance", 0),
    DISTANCE("euclidean_distance", 1),
};

#define MATH(name_, signature_, meaning_, example_, result_)                                                           \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_MATH, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
#define ANGLE(name_, meaning_, example_, result_) MATH(name_, name_ "(float64) → float64", meaning_, example_, result_)
static const struct evs_function functions[] = {
    ANGLE("acos", "Inverse cosine, of -1 to 1, in radians.", "acos(1)", "0"),
    ANGLE("acosh", "Inverse hyperbolic cosine, of 1 and above.", "acosh(1)", "0"),
    ANGLE("asin", "Inverse sine, of -1 to 1, in radians.", "asin(0)", "0"),
    ANGLE("asinh", "Inverse hyperbolic sine.", "asinh(0)", "0"),
    ANGLE("atan", "Inverse tangent, in radians.", "atan(0)", "0"),
    ANGLE("atanh", "Inverse hyperbolic tangent, of numbers between -1 and 1.", "atanh(0)", "0"),
    MATH("atan2", "atan2(y float64, x float64) → float64",
         "The angle of the point (x, y) in radians; the signs tell the quadrant.", "atan2(0, -1) = pi()", "true"),
    ANGLE("cos", "Cosine of an angle in radians.", "cos(0)", "1"),
    ANGLE("cosh", "Hyperbolic cosine.", "cosh(0)", "1"),
    ANGLE("sin", "Sine of an angle in radians.", "round(sin(pi() / 6), 9)", "0.5"),
    ANGLE("sinh", "Hyperbolic sine.", "sinh(0)", "0"),
    ANGLE("tan", "Tangent of an angle in radians.", "tan(0)", "0"),
    ANGLE("tanh", "Hyperbolic tangent.", "tanh(0)", "0"),
    ANGLE("cot", "Cotangent of an angle in radians; that of 0 is an error.", "round(cot(pi() / 4), 9)", "1"),
    ANGLE("coth", "Hyperbolic cotangent; that of 0 is an error.", "round(coth(1), 6)", "1.313035"),
    ANGLE("csc", "Cosecant of an angle in radians; that of 0 is an error.", "round(csc(pi() / 2), 9)", "1"),
    ANGLE("csch", "Hyperbolic cosecant; that of 0 is an error.", "round(csch(0.5), 6)", "1.919035"),
    ANGLE("sec", "Secant of an angle in radians.", "sec(0)", "1"),
    ANGLE("sech", "Hyperbolic secant.", "sech(0)", "1"),
    ANGLE("cbrt", "Cube root.", "cbrt(8)", "2"),
    MATH("pi", "pi() → float64", "The number \xcf\x80.", "pi()", "3.141592653589793"),
    MATH("pi_numeric", "pi_numeric() → numeric", "The number \xcf\x80, to 9 digits.", "pi_numeric()", "3.141592654"),
    MATH("cosine_distance", "cosine_distance(array<float64>, array<float64>) → float64",
         "1 less the cosine of the angle between two vectors of one length.", "cosine_distance([1.0, 0.0], [0.0, 2.0])",
         "1"),
    MATH("euclidean_distance", "euclidean_distance(array<float64>, array<float64>) → float64",
         "How far apart two points are.", "euclidean_distance([0.0, 0.0], [3.0, 4.0])", "5"),
};

const struct evs_family evs_family_trig = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
