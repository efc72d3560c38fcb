/* Private to data/: limits and helpers that numeric arithmetic and numeric text share. */
#ifndef EVS_DATA_NUMERIC_H
#define EVS_DATA_NUMERIC_H

#include "evstream/type.h"

#define EVS_NUMERIC_DIGITS 38 /* decimal digits in all, 9 of them behind the point */
#define EVS_NUMERIC_SCALE 9

/* 10^38 - 1 has no literal in C. */
#define EVS_NUMERIC_MAX ((evs_numeric)INT64_C(1000000000000000000) * INT64_C(1000000000000000000) * 100 - 1)

static inline bool evs_numeric_in_range(evs_numeric value)
{
    return value <= EVS_NUMERIC_MAX && value >= -EVS_NUMERIC_MAX;
}

/* |value|. In range, so it cannot overflow. */
static inline unsigned __int128 evs_numeric_magnitude(evs_numeric value)
{
    return value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
}

/* Gives a magnitude its sign back; false when it is beyond 38 digits. */
static inline bool evs_numeric_from_magnitude(unsigned __int128 magnitude, bool negative, evs_numeric *result)
{
    if (magnitude > (unsigned __int128)EVS_NUMERIC_MAX) {
        return false;
    }
    *result = negative ? -(evs_numeric)magnitude : (evs_numeric)magnitude;
    return true;
}

#endif
