/* Double-double arithmetic (Dekker 1971; about 106 bits): sums in it do not show in what order, and in what groups, their parts were added. Private to aggregate_*.c. */
#ifndef EVS_TWOFOLD_H
#define EVS_TWOFOLD_H

#include <math.h>

struct twofold {
    double high, low; /* their sum, with |low| <= half a unit in the last place of high */
};

static inline struct twofold fast_sum(double a, double b) /* |a| >= |b| */
{
    double sum = a + b;
    return (struct twofold){sum, b - (sum - a)};
}

static inline struct twofold exact_sum(double a, double b)
{
    double sum = a + b, b_part = sum - a;
    return (struct twofold){sum, (a - (sum - b_part)) + (b - b_part)};
}

static inline struct twofold plus(struct twofold a, struct twofold b)
{
    struct twofold high = exact_sum(a.high, b.high), low = exact_sum(a.low, b.low);
    struct twofold sum = fast_sum(high.high, high.low + low.high);
    return fast_sum(sum.high, sum.low + low.low);
}

static inline struct twofold minus(struct twofold a, struct twofold b)
{
    return plus(a, (struct twofold){-b.high, -b.low});
}

static inline struct twofold times(struct twofold a, struct twofold b)
{
    double product = a.high * b.high;
    double lost = __builtin_fma(a.high, b.high, -product);
    return fast_sum(product, lost + (a.high * b.low + a.low * b.high));
}

static inline struct twofold divided(struct twofold a, double by)
{
    double quotient = a.high / by;
    double rest = __builtin_fma(-quotient, by, a.high) + a.low;
    return fast_sum(quotient, rest / by);
}

static inline double root(struct twofold a)
{
    double first = sqrt(a.high);
    double rest = __builtin_fma(-first, first, a.high) + a.low;
    return first + rest / (2 * first);
}

static inline struct twofold of_double(double value)
{
    return (struct twofold){value, 0};
}

static inline double rounded(struct twofold value)
{
    return value.high + value.low;
}

#endif
