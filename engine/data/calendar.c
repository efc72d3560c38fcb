/* The proleptic Gregorian calendar, by arithmetic.
 *
 * Both functions count in eras of 400 years (146,097 days), in which the calendar repeats, and in years that begin in
 * March, so that the leap day is the last of its year and a month's length is a linear formula (the method is Howard
 * Hinnant's, "chrono-Compatible Low-Level Date Algorithms"). Every int64 of days has a date: nothing can overflow. */
#include "evstream/type.h"

#define DAYS_PER_ERA 146097
#define DAYS_MARCH_0000_TO_1970 719468

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years beyond ±10^16 have day numbers beyond int64. */
int64_t evs_days_from_civil(int64_t year, uint32_t month, uint32_t day)
{
    EVS_ASSERT(month >= 1 && month <= 12);
    EVS_ASSERT(day >= 1 && day <= 31);
    EVS_ASSERT(year > -INT64_C(10000000000000000) && year < INT64_C(10000000000000000));
    int64_t march_year = year - (month <= 2);
    int64_t era = floor_divide(march_year, 400);
    int64_t year_of_era = march_year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_MARCH_0000_TO_1970;
}

void evs_civil_from_days(int64_t days, int64_t *year, uint32_t *month, uint32_t *day)
{
    /* The era is split off before the epoch is moved, lest the addition overflow near the ends of int64. */
    int64_t era = floor_divide(days, DAYS_PER_ERA);
    int64_t rest = days % DAYS_PER_ERA;
    int64_t shifted = (rest < 0 ? rest + DAYS_PER_ERA : rest) + DAYS_MARCH_0000_TO_1970;
    era += shifted / DAYS_PER_ERA;
    uint32_t day_of_era = (uint32_t)(shifted % DAYS_PER_ERA);
    uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = era * 400 + year_of_era + (*month <= 2);
    EVS_ASSERT(*day >= 1 && *day <= 31 && *month >= 1 && *month <= 12);
}
