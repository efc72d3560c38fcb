/* Comparisons: = != < <= > >=, and greatest and least.
 *
 * NaN is unequal to everything and neither below nor above it. Strings are compared by bytes, which for UTF-8 is the
 * order of code points. An int64 is compared with a float64 exactly, without rounding it first: 9007199254740993 is
 * above 9007199254740992.0. Intervals are compared as GoogleSQL does, with months of 30 days and days of 24 hours.
 *
 * Equality of a string column with a short constant looks at the 16 bytes of the views alone, so it runs over all
 * rows, needed or not. */
#include <math.h>

#include "kernel.h"

/* -1, 0, 1; b is not NaN. Beyond ±2^63 every float64 is above or below every int64. */
static inline int compare_int64_float64(int64_t a, double b)
{
    if (b >= 0x1p63) {
        return -1;
    }
    if (b < -0x1p63) {
        return 1;
    }
    const int64_t whole = (int64_t)b; /* toward zero */
    if (a != whole) {
        return a < whole ? -1 : 1;
    }
    const double fraction = b - (double)whole;
    return (fraction < 0) - (fraction > 0);
}

static inline __int128 interval_us(const struct evs_interval *i)
{
    return ((__int128)i->months * 30 + i->days) * INT64_C(86400000000) + i->us;
}

/* The six comparisons of one type, from an operator that C has. */
#define COMPARE_DENSE(T, suffix)                                                                                       \
    EVS_DENSE_KERNEL_2(eq_##suffix, T, T, uint8_t, a == b)                                                             \
    EVS_DENSE_KERNEL_2(ne_##suffix, T, T, uint8_t, a != b)                                                             \
    EVS_DENSE_KERNEL_2(lt_##suffix, T, T, uint8_t, a < b)                                                              \
    EVS_DENSE_KERNEL_2(le_##suffix, T, T, uint8_t, a <= b)                                                             \
    EVS_DENSE_KERNEL_2(gt_##suffix, T, T, uint8_t, a > b)                                                              \
    EVS_DENSE_KERNEL_2(ge_##suffix, T, T, uint8_t, a >= b)
COMPARE_DENSE(int64_t, int64)
COMPARE_DENSE(double, float64)
COMPARE_DENSE(uint8_t, bool)
COMPARE_DENSE(evs_numeric, numeric)

/* … and from a function that gives the order of two elements. */
#define COMPARE_ROW(A, B, name, order, relation)                                                                       \
    static inline enum evs_row name##_row(struct evs_call *call, const A *a, const B *b, uint8_t *out)                 \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        *out = order relation 0;                                                                                       \
        return EVS_ROW_OK;                                                                                             \
    }                                                                                                                  \
    EVS_ROW_KERNEL_2(name, name##_row, A, B, uint8_t)
#define COMPARE_ROWS(A, B, suffix, order)                                                                              \
    COMPARE_ROW(A, B, eq_##suffix, order, ==)                                                                          \
    COMPARE_ROW(A, B, ne_##suffix, order, !=)                                                                          \
    COMPARE_ROW(A, B, lt_##suffix, order, <)                                                                           \
    COMPARE_ROW(A, B, le_##suffix, order, <=)                                                                          \
    COMPARE_ROW(A, B, gt_##suffix, order, >)                                                                           \
    COMPARE_ROW(A, B, ge_##suffix, order, >=)

static inline int interval_order(const struct evs_interval *a, const struct evs_interval *b)
{
    const __int128 x = interval_us(a), y = interval_us(b);
    return (x > y) - (x < y);
}
COMPARE_ROWS(struct evs_interval, struct evs_interval, interval, interval_order(a, b))
COMPARE_ROW(struct evs_str, struct evs_str, lt_str, evs_str_compare(a, b), <)
COMPARE_ROW(struct evs_str, struct evs_str, le_str, evs_str_compare(a, b), <=)
COMPARE_ROW(struct evs_str, struct evs_str, gt_str, evs_str_compare(a, b), >)
COMPARE_ROW(struct evs_str, struct evs_str, ge_str, evs_str_compare(a, b), >=)

/* NaN makes each of them false, and != true. */
#define COMPARE_MIXED(name, relation, on_nan)                                                                          \
    static inline enum evs_row name##_if_row(struct evs_call *call, const int64_t *a, const double *b, uint8_t *out)   \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        *out = isnan(*b) ? (on_nan) : compare_int64_float64(*a, *b) relation 0;                                        \
        return EVS_ROW_OK;                                                                                             \
    }                                                                                                                  \
    static inline enum evs_row name##_fi_row(struct evs_call *call, const double *a, const int64_t *b, uint8_t *out)   \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        *out = isnan(*a) ? (on_nan) : -compare_int64_float64(*b, *a) relation 0;                                       \
        return EVS_ROW_OK;                                                                                             \
    }                                                                                                                  \
    EVS_ROW_KERNEL_2(name##_if, name##_if_row, int64_t, double, uint8_t)                                               \
    EVS_ROW_KERNEL_2(name##_fi, name##_fi_row, double, int64_t, uint8_t)
COMPARE_MIXED(eq, ==, 0)
COMPARE_MIXED(ne, !=, 1)
COMPARE_MIXED(lt, <, 0)
COMPARE_MIXED(le, <=, 0)
COMPARE_MIXED(gt, >, 0)
COMPARE_MIXED(ge, >=, 0)

/* --- equality of strings ------------------------------------------------------------------------------------------ */

static inline enum evs_row eq_str_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                      uint8_t *out)
{
    (void)call;
    *out = evs_str_equal(a, b);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(eq_str_rows, eq_str_row, struct evs_str, struct evs_str, uint8_t)

/* Whether 16 bytes are equal; views of at most 12 bytes of text are equal exactly then. */
EVS_CLONES static void eq_short(const struct evs_str *column, const struct evs_str *constant, uint8_t *restrict out,
                                uint32_t count)
{
    uint64_t k[2];
    memcpy(k, constant, 16);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t v[2];
        memcpy(v, &column[i], 16);
        out[i] = ((v[0] ^ k[0]) | (v[1] ^ k[1])) == 0;
    }
}

static bool is_short_constant(const struct evs_call *call, uint32_t argument)
{
    return EVS_ARG_IS_CONSTANT(call, argument) &&
           EVS_ARG_ONE(call, argument, struct evs_str).count <= EVS_STR_INLINE_MAX;
}

static void eq_str(struct evs_call *call)
{
    for (uint32_t k = 0; k < 2; k++) {
        if (is_short_constant(call, k) && !call->all_constant && call->needed->count >= call->row_count / 4) {
            eq_short(EVS_ARG(call, 1 - k, struct evs_str), EVS_ARG(call, k, struct evs_str), call->result->data,
                     call->row_count);
            return;
        }
    }
    eq_str_rows(call);
}

static void ne_str(struct evs_call *call)
{
    eq_str(call);
    uint8_t *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        out[row] ^= 1;
    }
}

/* --- greatest and least of two; more are nested by the resolver. NaN wins. ---------------------------------------- */

EVS_DENSE_KERNEL_2(greatest_int64, int64_t, int64_t, int64_t, a > b ? a : b)
EVS_DENSE_KERNEL_2(least_int64, int64_t, int64_t, int64_t, a < b ? a : b)
EVS_DENSE_KERNEL_2(greatest_float64, double, double, double, isnan(a) || a > b ? a : b)
EVS_DENSE_KERNEL_2(least_float64, double, double, double, isnan(a) || a < b ? a : b)
EVS_DENSE_KERNEL_2(greatest_bool, uint8_t, uint8_t, uint8_t, a | b)
EVS_DENSE_KERNEL_2(least_bool, uint8_t, uint8_t, uint8_t, a &b)
EVS_DENSE_KERNEL_2(greatest_numeric, evs_numeric, evs_numeric, evs_numeric, a > b ? a : b)
EVS_DENSE_KERNEL_2(least_numeric, evs_numeric, evs_numeric, evs_numeric, a < b ? a : b)

#define CHOOSE_ROW(name, T, condition)                                                                                 \
    static inline enum evs_row name##_row(struct evs_call *call, const T *a, const T *b, T *out)                       \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        *out = (condition) ? *a : *b;                                                                                  \
        return EVS_ROW_OK;                                                                                             \
    }                                                                                                                  \
    EVS_ROW_KERNEL_2(name, name##_row, T, T, T)
CHOOSE_ROW(greatest_str, struct evs_str, evs_str_compare(a, b) >= 0)
CHOOSE_ROW(least_str, struct evs_str, evs_str_compare(a, b) <= 0)
CHOOSE_ROW(greatest_interval, struct evs_interval, interval_order(a, b) >= 0)
CHOOSE_ROW(least_interval, struct evs_interval, interval_order(a, b) <= 0)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define COMPARE(name_, kernel_, a_, b_, flags_)                                                                        \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = EVS_BOOL, .arguments = {(a_), (b_)}, .required = 2,            \
        .flags = (flags_)                                                                                              \
    }
#define COMPARE_ALL(name_, prefix)                                                                                     \
    COMPARE(name_, prefix##_int64, EVS_INT64, EVS_INT64, EVS_CALL_DENSE),                                              \
        COMPARE(name_, prefix##_numeric, EVS_NUMERIC, EVS_NUMERIC, EVS_CALL_DENSE),                                    \
        COMPARE(name_, prefix##_float64, EVS_FLOAT64, EVS_FLOAT64, EVS_CALL_DENSE),                                    \
        COMPARE(name_, prefix##_if, EVS_INT64, EVS_FLOAT64, 0),                                                        \
        COMPARE(name_, prefix##_fi, EVS_FLOAT64, EVS_INT64, 0),                                                        \
        COMPARE(name_, prefix##_bool, EVS_BOOL, EVS_BOOL, EVS_CALL_DENSE),                                             \
        COMPARE(name_, prefix##_str, EVS_STRING, EVS_STRING, 0),                                                       \
        COMPARE(name_, prefix##_str, EVS_BYTES, EVS_BYTES, 0),                                                         \
        COMPARE(name_, prefix##_int64, EVS_TIMESTAMP, EVS_TIMESTAMP, EVS_CALL_DENSE),                                  \
        COMPARE(name_, prefix##_int64, EVS_DATE, EVS_DATE, EVS_CALL_DENSE),                                            \
        COMPARE(name_, prefix##_int64, EVS_DATETIME, EVS_DATETIME, EVS_CALL_DENSE),                                    \
        COMPARE(name_, prefix##_int64, EVS_TIME, EVS_TIME, EVS_CALL_DENSE),                                            \
        COMPARE(name_, prefix##_interval, EVS_INTERVAL, EVS_INTERVAL, 0)

#define CHOOSE(name_, kernel_, kind, flags_)                                                                           \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (kind), .arguments = {(kind), (kind)}, .required = 2,          \
        .flags = (flags_)                                                                                              \
    }
#define CHOOSE_ALL(name_, prefix)                                                                                      \
    CHOOSE(name_, prefix##_int64, EVS_INT64, EVS_CALL_DENSE),                                                          \
        CHOOSE(name_, prefix##_numeric, EVS_NUMERIC, EVS_CALL_DENSE),                                                  \
        CHOOSE(name_, prefix##_float64, EVS_FLOAT64, EVS_CALL_DENSE),                                                  \
        CHOOSE(name_, prefix##_bool, EVS_BOOL, EVS_CALL_DENSE), CHOOSE(name_, prefix##_str, EVS_STRING, 0),            \
        CHOOSE(name_, prefix##_str, EVS_BYTES, 0), CHOOSE(name_, prefix##_int64, EVS_TIMESTAMP, EVS_CALL_DENSE),       \
        CHOOSE(name_, prefix##_int64, EVS_DATE, EVS_CALL_DENSE),                                                       \
        CHOOSE(name_, prefix##_int64, EVS_DATETIME, EVS_CALL_DENSE),                                                   \
        CHOOSE(name_, prefix##_int64, EVS_TIME, EVS_CALL_DENSE), CHOOSE(name_, prefix##_interval, EVS_INTERVAL, 0)

static const struct evs_overload overloads[] = {
    COMPARE_ALL("=", eq),
    COMPARE_ALL("!=", ne),
    COMPARE_ALL("<", lt),
    COMPARE_ALL("<=", le),
    COMPARE_ALL(">", gt),
    COMPARE_ALL(">=", ge),
    CHOOSE_ALL("greatest", greatest),
    CHOOSE_ALL("least", least),
};

#define OPERATOR(name_, signature_, meaning_, example_, result_)                                                       \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_OPERATOR, .signature = (signature_), .meaning = (meaning_),              \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    OPERATOR("=", "T = T → bool", "Equal. NULL when one side is NULL; NaN equals nothing.", "'a' = 'a'", "true"),
    OPERATOR("!=", "T != T → bool", "Not equal; also written <>.", "1 != 2", "true"),
    OPERATOR("<", "T < T → bool", "Below. Strings are compared by bytes, false is below true.", "'a' < 'b'", "true"),
    OPERATOR("<=", "T <= T → bool", "Below or equal.", "2 <= 1.5", "false"),
    OPERATOR(">", "T > T → bool", "Above. int64 and float64 are compared exactly.",
             "9007199254740993 > 9007199254740992.0", "true"),
    OPERATOR(">=", "T >= T → bool", "Above or equal.",
             "timestamp '2026-01-05 10:00:00Z' >= timestamp '2026-01-05 11:00:00+01'", "true"),
    {"greatest", EVS_FAMILY_MATH, "greatest(T, …) → T",
     "The largest argument; NULL when one is NULL, NaN when one is NaN.", "greatest(3, 7, 5)", "7"},
    {"least", EVS_FAMILY_MATH, "least(T, …) → T", "The smallest argument; NULL when one is NULL, NaN when one is NaN.",
     "least('b', 'a', 'c')", "a"},
};

const struct evs_family evs_family_compare = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
