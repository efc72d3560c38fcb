/* Private to data/: decimal text and float64, in C++ because the standard library there has both directions correctly
 * rounded and free of locale (std::to_chars is Ryu, std::from_chars is Eisel-Lemire), which libc has not. */
#ifndef EVS_DATA_FLOAT_TEXT_H
#define EVS_DATA_FLOAT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum evs_float_read {
    EVS_FLOAT_READ_OK,
    EVS_FLOAT_READ_BAD,   /* not one whole number without sign */
    EVS_FLOAT_READ_RANGE, /* a number that float64 cannot hold: too large, or too small; *value is unchanged */
};
enum evs_float_read evs_float_read(const char *text, size_t count, double *value);

/* The fewest digits that read back as `value` (finite, above 0), and the nearest among those: value = 0.d1d2d3… × 10^point.
 * Returns the number of digits, at most 17, without trailing zeros. */
uint32_t evs_float_digits(double value, char digits[17], int *point);

#ifdef __cplusplus
}
#endif

#endif
