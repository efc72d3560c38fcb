/* Dates, times, datetimes, timestamps, intervals and numerics: what is hard about each function, as tables of texts and
 * results. The rules are GoogleSQL's. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "evstream/batch.h"
#include "expr_case.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* --- texts -------------------------------------------------------------------------------------------------------- */

static const struct example texts[] = {
    {"cast('2026-1-5' as date)", "2026-01-05"},
    {"date '2026-1-5'", "2026-01-05"},
    {"cast('2026-01-05 ' as date)", "error: R0102"},
    {"cast('02026-01-05' as date)", "2026-01-05"},
    {"cast('226-01-05' as date)", "error: R0102"},
    {"cast('2026-02-29' as date)", "error: R0102"},
    {"cast('2024-02-29' as date)", "2024-02-29"},
    {"cast('0001-01-01' as date)", "0001-01-01"},
    {"cast('0000-12-31' as date)", "error: R0102"},
    {"cast('9999-12-31' as date)", "9999-12-31"},
    {"cast('10000-01-01' as date)", "error: R0102"},
    {"cast('2026-01-05T10:00:00' as date)", "error: R0102"},
    {"cast('2026-1-5 1:2:3' as datetime)", "2026-01-05 01:02:03"},
    {"cast('2026-01-05t01:02:03.5' as datetime)", "2026-01-05 01:02:03.500"},
    {"cast('2026-01-05' as datetime)", "2026-01-05 00:00:00"},
    {"cast('2026-01-05 10:00' as datetime)", "error: R0102"},
    {"cast('2026-01-05 10:00:00Z' as datetime)", "error: R0102"},
    {"cast('2026-01-05 24:00:00' as datetime)", "error: R0102"},
    {"cast('2026-01-05 23:59:60' as datetime)", "2026-01-06 00:00:00"},
    {"cast('9999-12-31 23:59:60' as datetime)", "error: R0102"},
    {"cast('2026-01-05 10:00:00.' as datetime)", "error: R0102"},
    {"cast('2026-01-05 10:00:00.1234567' as datetime)", "2026-01-05 10:00:00.123456"},
    {"cast('1:2:3' as time)", "01:02:03"},
    {"cast('23:59:59.999999' as time)", "23:59:59.999999"},
    {"cast('24:00:00' as time)", "error: R0102"},
    {"cast('10:00' as time)", "error: R0102"},
    {"cast('2026-01-05 10:00:00+2' as timestamp)", "2026-01-05 08:00:00+00"},
    {"cast('2026-01-05 10:00:00-0530' as timestamp)", "2026-01-05 15:30:00+00"},
    {"cast('2026-01-05 10:00:00 UTC' as timestamp)", "2026-01-05 10:00:00+00"},
    {"cast('2026-01-05 10:00:00 UTC+1' as timestamp)", "2026-01-05 09:00:00+00"},
    {"cast('2026-01-05 10:00:00 Europe/Berlin' as timestamp)", "2026-01-05 09:00:00+00"},
    {"cast('2026-07-05 10:00:00 America/New_York' as timestamp)", "2026-07-05 14:00:00+00"},
    {"cast('2026-01-05 10:00:00 +01' as timestamp)", "error: R0102"},
    {"cast('2026-01-05 10:00:00 Mars' as timestamp)", "error: R0102"},
    {"cast('2026-01-05+01' as timestamp)", "error: R0102"},
    {"cast('2026-01-05 +01' as timestamp)", "2026-01-04 23:00:00+00"},
    {"cast('0000-12-31 23:00:00-02' as timestamp)", "0001-01-01 01:00:00+00"},
    {"cast('10000-01-01 00:30:00+01' as timestamp)", "9999-12-31 23:30:00+00"},
    {"cast('0001-01-01 00:00:00+01' as timestamp)", "error: R0102"},
    {"cast('2026-01-05T10:00:00zz' as timestamp)", "error: R0102"},
    {"string(timestamp '2026-07-05 10:00:00Z', 'Asia/Kathmandu')", "2026-07-05 15:45:00+05:45"},
    {"string(timestamp '2026-07-05 10:00:00.25Z', 'America/New_York')", "2026-07-05 06:00:00.250-04"},
    {"string(timestamp '1880-01-01 00:00:00Z', 'Europe/Berlin')", "1880-01-01 00:53:00+00:53"}, /* +0:53:28 */
    {"string(timestamp '1880-01-01 00:00:00Z', 'America/New_York')", "1879-12-31 19:04:00-04:56"},
    {"string(timestamp '9999-12-31 23:59:59Z', '+14')", "10000-01-01 13:59:59+14"},
    {"string(timestamp '0001-01-01 00:00:00Z', '-14')", "0000-12-31 10:00:00-14"},
    {"string(timestamp '2026-01-05 10:00:00Z', cast(null as string))", "NULL"},
    {"string(timestamp '2026-01-05 10:00:00Z', concat('Mars', '/X'))", "error: R0104"},
    {"string(time '10:00:00')", "10:00:00"},
    {"string(datetime '2026-01-05 10:00:00')", "2026-01-05 10:00:00"},
};
EXAMPLES(texts)

/* --- zones -------------------------------------------------------------------------------------------------------- */

static const struct example zones[] = {
    {"timestamp('2026-03-29 02:30:00', 'Europe/Berlin')", "2026-03-29 01:30:00+00"}, /* a gap: the offset before it */
    {"timestamp('2026-10-25 02:30:00', 'Europe/Berlin')", "2026-10-25 00:30:00+00"}, /* twice: the first */
    {"timestamp('2026-10-25 02:30:00+01', 'Europe/Berlin')", "2026-10-25 01:30:00+00"},
    {"timestamp(datetime '2026-03-08 02:15:00', 'America/New_York')", "2026-03-08 07:15:00+00"},
    {"timestamp(date '2018-11-04', 'America/Sao_Paulo')", "2018-11-04 03:00:00+00"},
    {"timestamp(datetime '2026-10-04 02:15:00', 'Australia/Lord_Howe')", "2026-10-03 15:45:00+00"},
    {"timestamp(datetime '9999-12-31 23:59:59', 'America/New_York')", "error: R0106"},
    {"timestamp('2026-01-05', 'Mars')",
     "plan: there is no time zone 'Mars'; write a name of the tz database such as 'Europe/Berlin' (upper and lower "
     "case count), 'UTC', or an offset such as '+05:30'"},
    {"datetime(timestamp '2026-10-25 00:30:00Z', 'Europe/Berlin')", "2026-10-25 02:30:00"},
    {"datetime(timestamp '2026-10-25 01:30:00Z', 'Europe/Berlin')", "2026-10-25 02:30:00"},
    {"datetime(timestamp '2026-04-04 15:15:00Z', 'Australia/Lord_Howe')", "2026-04-05 01:45:00"},
    {"datetime(timestamp '9999-12-31 23:00:00Z', '+01')", "error: R0106"},
    {"date(timestamp '2026-01-05 23:30:00Z', 'Europe/Berlin')", "2026-01-06"},
    {"date(timestamp '2011-12-30 09:59:59Z', 'Pacific/Apia')", "2011-12-29"},
    {"date(timestamp '2011-12-30 10:00:00Z', 'Pacific/Apia')", "2011-12-31"},
    {"date(timestamp '0001-01-01 00:00:00Z', '-01')", "error: R0106"},
    {"time(timestamp '2026-07-05 10:00:00.5Z', '+05:30')", "15:30:00.500"},
    {"time(timestamp '1969-12-31 23:59:59.999999Z', 'UTC')", "23:59:59.999999"},
    {"extract(hour from timestamp '2026-03-29 00:59:59Z' at time zone 'Europe/Berlin')", "1"},
    {"extract(hour from timestamp '2026-03-29 01:00:00Z' at time zone 'Europe/Berlin')", "3"},
    {"extract(date from timestamp '2026-01-05 23:30:00Z' at time zone 'Europe/Berlin')", "2026-01-06"},
    {"extract(datetime from timestamp '2026-01-05 23:30:00Z' at time zone '+01')", "2026-01-06 00:30:00"},
    {"extract(time from timestamp '2026-01-05 23:30:00Z' at time zone '-10')", "13:30:00"},
    {"extract(dayofweek from timestamp '2026-01-04 23:30:00Z' at time zone 'Europe/Berlin')", "2"},
    {"extract(isoweek from timestamp '2026-12-31 23:30:00Z' at time zone 'Europe/Berlin')", "53"},
    {"extract(year from timestamp '2026-12-31 23:30:00Z' at time zone 'Europe/Berlin')", "2027"},
    {"extract(second from timestamp '1880-01-01 00:00:00Z' at time zone 'Europe/Berlin')", "28"},
    {"extract(day from date '2026-01-05' at time zone 'UTC')",
     "plan: `extract` does not take (string, date, string); it takes extract(part from timestamp [at time zone "
     "zone]) → int64; the same for date, datetime, time and interval"},
    {"timestamp_trunc(timestamp '2026-03-29 12:00:00Z', day, 'Europe/Berlin')", "2026-03-28 23:00:00+00"},
    {"timestamp_trunc(timestamp '2026-10-25 01:30:00Z', hour, 'Europe/Berlin')", "2026-10-25 01:00:00+00"},
    {"timestamp_trunc(timestamp '2026-10-25 00:30:00Z', hour, 'Europe/Berlin')", "2026-10-25 00:00:00+00"},
    {"timestamp_trunc(timestamp '2026-01-05 10:20:00Z', hour, 'Asia/Kathmandu')", "2026-01-05 10:15:00+00"},
    {"timestamp_trunc(timestamp '1880-01-01 00:00:10.5Z', second, 'Europe/Berlin')", "1880-01-01 00:00:10+00"},
    {"timestamp_trunc(timestamp '1880-01-01 00:00:10Z', minute, 'Europe/Berlin')", "1879-12-31 23:59:32+00"},
    {"timestamp_trunc(timestamp '2026-01-07 10:00:00Z', week(monday), 'America/New_York')", "2026-01-05 05:00:00+00"},
    {"timestamp_trunc(timestamp '2026-07-07 10:00:00Z', quarter, 'Europe/Berlin')", "2026-06-30 22:00:00+00"},
    {"timestamp_trunc(timestamp '0001-01-01 00:00:00Z', day, '-01')", "error: R0106"},
    {"format_timestamp('%F %T %Z %z %Ez', timestamp '2026-07-05 10:00:00Z', 'America/New_York')",
     "2026-07-05 06:00:00 UTC-4 -0400 -04:00"},
    {"format_timestamp('%Z', timestamp '2026-07-05 10:00:00Z', 'Asia/Kathmandu')", "UTC+0545"},
    {"format_timestamp('%H:%M:%S %Ez', timestamp '1880-01-01 00:00:00Z', 'Europe/Berlin')", "00:53:00 +00:53"},
    {"format_timestamp('%s', timestamp '1970-01-02 00:00:00Z', 'Europe/Berlin')", "86400"},
    {"current_date('Pacific/Nowhere')",
     "plan: there is no time zone 'Pacific/Nowhere'; write a name of the tz database such as 'Europe/Berlin' (upper "
     "and lower case count), 'UTC', or an offset such as '+05:30'"},
};
EXAMPLES(zones)

/* --- dates, datetimes and times ----------------------------------------------------------------------------------- */

static const struct example calendar[] = {
    {"last_day(date '2024-02-10')", "2024-02-29"},
    {"last_day(date '9999-12-31')", "9999-12-31"},
    {"last_day(date '2026-05-07', quarter)", "2026-06-30"},
    {"last_day(date '2026-05-07', year)", "2026-12-31"},
    {"last_day(date '2024-12-31', isoyear)", "2025-12-28"},
    {"last_day(date '9999-12-31', isoyear)", "error: R0106"},
    {"last_day(date '2026-01-04', week)", "2026-01-10"},
    {"last_day(date '2026-01-04', isoweek)", "2026-01-04"},
    {"last_day(datetime '2024-02-10 12:00:00')", "2024-02-29"},
    {"last_day(datetime '2026-05-07 12:00:00', quarter)", "2026-06-30"},
    {"last_day(date '2026-05-07', day)", "plan: last_day of a date does not know the part day"},
    {"date_trunc('2015-06-15', isoyear)", "2014-12-29"},
    {"date_trunc(datetime '2026-05-07 12:31:00', hour)", "2026-05-07 12:00:00"},
    {"date_trunc(timestamp '2026-05-07 12:31:00Z', month)", "2026-05-01 00:00:00+00"},
    {"date_trunc(timestamp '2026-05-07 12:31:00Z', month, 'Europe/Berlin')", "2026-04-30 22:00:00+00"},
    {"date_trunc(date '2026-05-07', hour)", "plan: date_trunc of a date does not know the part hour"},
    {"timestamp_trunc(datetime '2026-05-07 12:31:00', day)", "2026-05-07 00:00:00"},
    {"datetime_trunc('2015-06-15 00:00:00', isoyear)", "2014-12-29 00:00:00"},
    {"datetime_trunc(datetime '1969-12-31 23:59:59.123456', millisecond)", "1969-12-31 23:59:59.123"},
    {"datetime_trunc(datetime '0001-01-02 00:00:00', week(friday))", "error: R0106"},
    {"date_add(date '2024-02-29', interval 1 year)", "2025-02-28"},
    {"date_add(date '2026-01-31', interval '1 3' month to day)", "2026-03-03"},
    {"date '2026-01-31' + interval 1 month - interval 1 month", "2026-01-28 00:00:00"},
    {"interval 1 month + date '2026-01-31'", "2026-02-28 00:00:00"},
    {"interval 25 hour + datetime '2026-01-31 00:00:00'", "2026-02-01 01:00:00"},
    {"datetime_add(datetime '2026-01-31 10:00:00', interval -1 quarter)", "2025-10-31 10:00:00"},
    {"datetime_sub(datetime '0001-01-01 00:00:00', interval 1 microsecond)", "error: R0106"},
    {"datetime '9999-12-31 23:59:59.999999' + interval 1 microsecond", "error: R0106"},
    {"datetime '2026-01-05 10:00:00' - datetime '2026-01-06 11:30:00'", "0-0 -1 -1:30:0"},
    {"datetime_diff(datetime '2026-01-01 00:00:00', datetime '2025-12-31 23:59:59.999999', year)", "1"},
    {"datetime_diff(datetime '2026-01-01 00:00:00', datetime '2025-12-31 23:59:59.999999', second)", "1"},
    {"datetime_diff(datetime '2026-01-01 00:00:00', datetime '2025-12-31 23:59:59.999999', microsecond)", "1"},
    {"datetime_diff('2017-12-30 00:00:00', '2014-12-30 00:00:00', isoyear)", "2"},
    {"datetime_diff('2017-12-18', '2017-12-17', week(monday))", "1"},
    {"datetime_diff(datetime '0001-01-01 00:00:00', datetime '9999-12-31 23:59:59', microsecond)",
     "-315537897599000000"},
    {"date_diff(date '2026-01-05', date '2026-01-04', week(monday))", "1"},
    {"date_diff(date '2026-01-01', date '2025-12-31', isoyear)", "0"},
    {"date_diff(date '1969-12-28', date '1970-01-04', week)", "-1"},
    {"date_diff(date '0001-01-01', date '9999-12-31', quarter)", "-39995"},
    {"date(0, 1, 1)", "error: R0104"},
    {"date(1900, 2, 29)", "error: R0104"},
    {"date(2000, 2, 29)", "2000-02-29"},
    {"datetime(2026, 1, 5, 10, 0, 0)", "2026-01-05 10:00:00"},
    {"datetime(2026, 1, 5, 24, 0, 0)", "error: R0104"},
    {"datetime(date '2026-01-05')", "2026-01-05 00:00:00"},
    {"datetime(date '2026-01-05', time '10:11:12.5')", "2026-01-05 10:11:12.500"},
    {"datetime(timestamp '2026-01-05 10:00:00Z')", "2026-01-05 10:00:00"},
    {"datetime('2026-01-05 10:00:00')", "2026-01-05 10:00:00"},
    {"time(10, 60, 0)", "error: R0104"},
    {"time(datetime '1969-12-31 23:00:00')", "23:00:00"},
    {"time_add(time '00:00:00', interval -1 microsecond)", "23:59:59.999999"},
    {"time_add(time '10:00:00', interval 49 hour)", "11:00:00"},
    {"time_diff(time '10:00:00', time '10:59:59', hour)", "0"},
    {"time_diff(time '10:59:59', time '11:00:00', hour)", "-1"},
    {"time_trunc(time '10:59:59.123456', millisecond)", "10:59:59.123"},
    {"time_trunc(time '10:59:59', day)", "plan: time_trunc of a time does not know the part day"},
    {"time '10:00:00' - time '11:00:01.5'", "0-0 0 -1:0:1.500"},
    {"extract(microsecond from time '10:00:00.123456')", "123456"},
    {"extract(dayofyear from datetime '2024-12-31 00:00:00')", "366"},
    {"extract(week(tuesday) from date '2026-01-06')", "1"},
    {"extract(isoweek from date '2027-01-03')", "53"},
    {"extract(isoyear from date '2027-01-03')", "2026"},
    {"extract(isoweek from date '0001-01-01')", "1"},
    {"date_bucket(date '1949-12-31', interval 2 day)", "1949-12-30"},
    {"date_bucket(date '2024-02-28', interval 1 month, date '2024-01-31')", "2024-01-31"},
    {"date_bucket(date '2024-02-29', interval 1 month, date '2024-01-31')", "2024-02-29"},
    {"date_bucket(date '2024-01-30', interval 3 month, date '2024-01-31')", "2023-10-31"},
    {"date_bucket(date '2024-01-30', interval 1 hour)", "error: R0104"},
    {"date_bucket(date '2024-01-30', interval 0 day)", "error: R0104"},
    {"datetime_bucket(datetime '1949-12-31 23:00:00', interval 12 hour)", "1949-12-31 12:00:00"},
    {"datetime_bucket(datetime '2024-02-29 11:59:59', interval 1 month, datetime '2024-01-31 12:00:00')",
     "2024-01-31 12:00:00"},
    {"timestamp_bucket(timestamp '1949-12-31 23:59:00Z', interval 1 day)", "1949-12-31 00:00:00+00"},
    {"timestamp_bucket(timestamp '2026-01-05 10:00:00Z', interval 1 month)", "error: R0104"},
    {"timestamp_bucket(timestamp '2026-01-05 10:00:00Z', interval 1 hour, timestamp '2026-01-01 00:20:00Z')",
     "2026-01-05 09:20:00+00"},
    {"timestamp_bucket(timestamp '0001-01-01 00:00:00Z', interval 7 day)", "error: R0106"},
    {"timestamp_from_unix_seconds(timestamp '2026-01-05 10:00:00Z')", "2026-01-05 10:00:00+00"},
    {"timestamp(datetime '2026-01-05 10:00:00')", "2026-01-05 10:00:00+00"},
    {"timestamp(timestamp '2026-01-05 10:00:00Z')", "2026-01-05 10:00:00+00"},
};
EXAMPLES(calendar)

/* --- intervals ---------------------------------------------------------------------------------------------------- */

static const struct example intervals[] = {
    {"interval '1-2' year to month", "1-2 0 0:0:0"},
    {"interval '-1-2' year to month", "-1-2 0 0:0:0"},
    {"interval '1-2 -3 -4:5:6.75' year to second", "1-2 -3 -4:5:6.750"},
    {"interval '3 4' day to hour", "0-0 3 4:0:0"},
    {"interval '3 -4:30' day to minute", "0-0 3 -4:30:0"},
    {"interval '14 40' month to day", "1-2 40 0:0:0"},
    {"interval '-90:15' minute to second", "0-0 0 -1:30:15"},
    {"interval '10:20:30.52' hour to second", "0-0 0 10:20:30.520"},
    {"interval '10:20' hour to second", "error: R0102"},
    {"interval '1.5' second", "0-0 0 0:0:1.500"},
    {"interval '-.25' second", "0-0 0 -0:0:0.250"},
    {"interval '1.5' minute", "error: R0102"},
    {"interval '1.1234567' second", "error: R0102"},
    {"interval '-7' week", "0-0 -49 0:0:0"},
    {"interval ' 7' day", "error: R0102"},
    {"interval '99999999999999999999' day", "error: R0102"},
    {"interval 10000 year", "10000-0 0 0:0:0"},
    {"interval 10001 year", "error: R0101"},
    {"interval 3660001 day", "error: R0101"},
    {"interval '1' month to day", "error: R0102"},
    {"interval '1 2' day to month",
     "plan: an interval goes from a longer part to a shorter one of year, month, day, hour, minute and second, such as "
     "year to month or day to second"},
    {"cast('1-2 3 4:5:6' as interval)", "1-2 3 4:5:6"},
    {"cast('1-2' as interval)", "1-2 0 0:0:0"},
    {"cast('1-2 3' as interval)", "1-2 3 0:0:0"},
    {"cast('3 4:5' as interval)", "0-0 3 4:5:0"},
    {"cast('1 2 3' as interval)", "0-1 2 3:0:0"},
    {"cast('-0:0:0.000001' as interval)", "0-0 0 -0:0:0.000001"},
    {"cast('5' as interval)", "error: R0102"},
    {"cast('' as interval)", "error: R0102"},
    {"cast('P1Y2M3DT4H5M6.5S' as interval)", "1-2 3 4:5:6.500"},
    {"cast('P2W' as interval)", "0-0 14 0:0:0"},
    {"cast('PT-36H' as interval)", "0-0 0 -36:0:0"},
    {"cast('P1D1D' as interval)", "0-0 2 0:0:0"},
    {"cast('PT1.5H' as interval)", "error: R0102"},
    {"cast('P' as interval)", "error: R0102"},
    {"cast('PT' as interval)", "0-0 0 0:0:0"},
    {"cast('P1H' as interval)", "error: R0102"},
    {"cast(interval '1-2 3 4:5:6' year to second as string)", "1-2 3 4:5:6"},
    {"make_interval()", "0-0 0 0:0:0"},
    {"make_interval(1, 14, 40, 25, 61, 61)", "2-2 40 26:2:1"},
    {"make_interval(9223372036854775807)", "error: R0101"},
    {"make_interval(1, null)", "NULL"},
    {"justify_hours(interval '1 -1:0:0' day to second)", "0-0 0 23:0:0"},
    {"justify_hours(interval -25 hour)", "0-0 -1 -1:0:0"},
    {"justify_days(interval '1 -1' month to day)", "0-0 29 0:0:0"},
    {"justify_interval(interval '1 0 -1' month to hour)", "0-0 29 23:0:0"},
    {"justify_interval(interval '-1 0 1' month to hour)", "0-0 -29 -23:0:0"},
    {"justify_interval(interval '0 29 24' month to hour)", "0-1 0 0:0:0"},
    {"extract(year from interval '-1-2' year to month)", "-1"},
    {"extract(month from interval '-1-2' year to month)", "-2"},
    {"extract(hour from interval '49:59:59.25' hour to second)", "49"},
    {"extract(minute from interval '-49:59:59.25' hour to second)", "-59"},
    {"extract(millisecond from interval '-1.25' second)", "-250"},
    {"extract(week from interval 1 day)", "plan: extract of a interval does not know the part week"},
    {"interval 1 month = interval 30 day", "true"},
    {"interval 1 day > interval 23 hour", "true"},
    {"interval 1 year < interval 361 day", "true"},
    {"interval 1 day * 1000000000000", "error: R0101"},
    {"interval '1-0' year to month / 7", "0-1 21 10:17:8.571428"},
    {"interval 1 month / -2", "0-0 -15 0:0:0"},
    {"interval 10 day / 0", "error: R0103"},
    {"- interval '1-2 3 4:5:6' year to second", "-1-2 -3 -4:5:6"},
};
EXAMPLES(intervals)

/* --- formats ------------------------------------------------------------------------------------------------------ */

static const struct example formats[] = {
    {"format_date('%Y|%y|%C|%m|%d|%e|%j', date '2026-03-05')", "2026|26|20|03|05| 5|064"},
    {"format_date('%A|%a|%B|%b|%h', date '2026-03-05')", "Thursday|Thu|March|Mar|Mar"},
    {"format_date('%U|%W|%V|%G|%g|%u|%w|%J', date '2027-01-03')", "01|00|53|2026|26|7|0|371"},
    {"format_date('%D|%x|%F|%Q|%E4Y', date '0099-01-02')", "01/02/99|01/02/99|99-01-02|1|0099"},
    {"format_date('%H:%M %Z %%', date '2026-01-05')", "%H:%M %Z %"}, /* a date has no clock: it stands for itself */
    {"format_date('%c', date '2026-01-05')", "%c"},
    {"format_time('%H|%I|%k|%l|%M|%S|%p|%P', time '00:05:09')", "00|12| 0|12|05|09|AM|am"},
    {"format_time('%T|%R|%X|%r', time '15:05:09')", "15:05:09|15:05|15:05:09|03:05:09 PM"},
    {"format_time('%E*S|%E0S|%E1S|%E9S|%OS', time '15:05:09.120000')", "09.12|09|09.1|09.120000000|09"},
    {"format_time('%Y-%E4Y-%Ez', time '15:05:09')", "%Y-%E4Y-%Ez"},
    {"format_datetime('%c', datetime '2008-12-05 15:30:00')", "Fri Dec  5 15:30:00 2008"},
    {"format_datetime('%z %s', datetime '1970-01-01 00:01:00')", "%z 60"},
    {"format_datetime('', datetime '1970-01-01 00:01:00')", ""},
    {"format_timestamp('%n%t%%', timestamp '1970-01-01 00:00:00Z')", "\n\t%"},
    {"format_timestamp('%E4Y', timestamp '0001-01-01 00:00:00Z')", "0001"},
    {"format_timestamp('%', timestamp '1970-01-01 00:00:00Z')",
     "plan: '%' has an element that format_timestamp does not know at byte 0; there are %Y %y %C %m %B %b %d %e %j %H "
     "%I %k %l %M %S %p %P %A %a %u %w %U %W %V %G %g %J %Q %F %D %x %T %R %X %r %c %s %Z %z %Ez %E4Y %E*S %E3S %n %t "
     "%%"},
    {"format_timestamp(concat('%', 'q'), timestamp '1970-01-01 00:00:00Z')", "error: R0104"},
    {"parse_date('%Y-%m-%d', '2026-1-5')", "2026-01-05"},
    {"parse_date('%F', ' 2026-01-05 ')", "2026-01-05"},
    {"parse_date('%x', '12/25/08')", "2008-12-25"},
    {"parse_date('%D', '12/25/70')", "1970-12-25"},
    {"parse_date('%Y%m%d', '20081225')", "2008-12-25"},
    {"parse_date('%A %b %e %Y', 'Thursday Dec  5 2008')", "2008-12-05"}, /* the weekday does not count */
    {"parse_date('%b %d', 'FEBRUARY 29')", "error: R0102"},
    {"parse_date('%B %d %Y', 'feb 29 2024')", "2024-02-29"},
    {"parse_date('%Y %j', '2024 366')", "2024-12-31"},
    {"parse_date('%Y %j', '2023 366')", "error: R0102"},
    {"parse_date('%Y %U', '2026 1')", "2026-01-04"},
    {"parse_date('%Y %W %u', '2026 1 3')", "2026-01-07"},
    {"parse_date('%Y %U', '2023 0')", "error: R0102"}, /* it began on a Sunday: no week 0 */
    {"parse_date('%j %Y %m %d', '200 2026 3 4')", "2026-03-04"},
    {"parse_date('%G-W%V-%u', '2020-W53-5')", "2021-01-01"},
    {"parse_date('%G-W%V', '2026-W53')", "2026-12-28"},
    {"parse_date('%G-W%V', '2025-W53')", "error: R0102"},
    {"parse_date('%G %J', '2026 371')", "2027-01-03"},
    {"parse_date('%G %V %Y', '2020 53 2021')", "2021-01-01"},
    {"parse_date('%C %y', '19 99')", "1999-01-01"},
    {"parse_date('%y', '68')", "2068-01-01"},
    {"parse_date('%y', '69')", "1969-01-01"},
    {"parse_date('%E4Y', '203')", "error: R0102"},
    {"parse_date('%Y', '0')", "error: R0102"},
    {"parse_date('', '')", "1970-01-01"},
    {"parse_date('%Y', '2026x')", "error: R0102"},
    {"parse_date('%Y%n%t', '2026')", "2026-01-01"},
    {"parse_date('%Q', '1')", "error: R0102"},
    {"parse_date('%H', '1')", "plan: '%H' has the element %H, which parse_date cannot use"},
    {"parse_date(concat('%', 'H'), '1')", "error: R0104"},
    {"parse_time('%I:%M:%S %p', '2:23:38 pm')", "14:23:38"},
    {"parse_time('%I %p', '12 am')", "00:00:00"},
    {"parse_time('%p %I', 'PM 12')", "12:00:00"},
    {"parse_time('%I', '11')", "11:00:00"},
    {"parse_time('%H %p', '11 pm')", "11:00:00"},
    {"parse_time('%E*S', '7.1234567')", "00:00:07.123456"},
    {"parse_time('%E3S', '7.12')", "00:00:07.120"},
    {"parse_time('%E3S', '7.1234')", "error: R0102"},
    {"parse_time('%T', '23:59:60')", "00:00:00"},
    {"parse_time('%R', '24:00')", "error: R0102"},
    {"parse_datetime('%c', 'Thu Dec 25 07:30:00 2008')", "2008-12-25 07:30:00"},
    {"parse_datetime('%Y-%m-%d %H:%M:%S', '1998-10-18 13:45:55')", "1998-10-18 13:45:55"},
    {"parse_datetime('%s', '86400')", "1970-01-02 00:00:00"},
    {"parse_datetime('%m/%d/%Y %I:%M:%S %p', '8/30/2018 2:23:38 pm')", "2018-08-30 14:23:38"},
    {"parse_timestamp('%F %T%Ez', '2026-01-05 10:00:00+01:30')", "2026-01-05 08:30:00+00"},
    {"parse_timestamp('%F %T%Ez', '2026-01-05 10:00:00Z')", "2026-01-05 10:00:00+00"},
    {"parse_timestamp('%F %T %z', '2026-01-05 10:00:00 -05')", "2026-01-05 15:00:00+00"},
    {"parse_timestamp('%F %T %z', '2026-01-05 10:00:00 +15')", "error: R0102"},
    {"parse_timestamp('%F %T %Z', '2026-01-05 10:00:00 Europe/Berlin')", "2026-01-05 09:00:00+00"},
    {"parse_timestamp('%F %T', '2026-03-29 02:30:00', 'Europe/Berlin')", "2026-03-29 01:30:00+00"},
    {"parse_timestamp('%F %T %z', '2026-03-29 02:30:00 +00', 'Europe/Berlin')", "2026-03-29 02:30:00+00"},
    {"parse_timestamp('%s', '-1')", "1969-12-31 23:59:59+00"},
    {"parse_timestamp('%s %Y', '86400 2000')", "1970-01-02 00:00:00+00"},
    {"parse_timestamp('%Y', '9999', '-01')", "9999-01-01 01:00:00+00"},
    {"parse_timestamp('%F %T', '9999-12-31 23:30:00', '-01')", "error: R0102"},
    {"safe.parse_date('%F', 'x')", "NULL"},
    {"parse_date('%F', cast(null as string))", "NULL"},
};
EXAMPLES(formats)

/* --- casts with a format ------------------------------------------------------------------------------------------ */

static const struct example casts[] = {
    {"cast(date '2018-01-30' as string format 'YYYY-MM-DD')", "2018-01-30"},
    {"cast(date '0076-01-03' as string format 'yyyy;yyy;yy;y;rrrr;rr;y,yyy')", "0076;076;76;6;0076;76;0,076"},
    {"cast(date '2026-01-05' as string format 'YYYY' )", "2026"},
    {"cast(date '2020-12-31' as string format 'DAY')", "THURSDAY "},
    {"cast(date '2020-12-31' as string format 'Day Dy dy D DDD')", "Thursday  Thu thu 5 366"},
    {"cast(date '2026-03-05' as string format 'MON Mon mon MONTH')", "MAR Mar mar MARCH"},
    {"cast(date '2026-03-05' as string format 'HH24')",
     "plan: the format of the cast has an element that the type lacks, at byte 0; there are YYYY YYY YY Y RRRR RR "
     "Y,YYY "
     "MM MON MONTH DD DDD D DAY DY HH HH12 HH24 MI SS SSSSS FF1 … FF9 AM PM A.M. P.M. TZH TZM, - . / , ' ; : and "
     "spaces, and \"text\""},
    {"cast(time '21:30:05.25' as string format 'HH HH12 HH24:MI:SS.FF3 SSSSS')", "09 09 21:30:05.250 77405"},
    {"cast(time '00:30:00' as string format 'HH AM A.M. a.m. pm Pm')", "12 AM A.M. a.m. am Am"},
    {"cast(datetime '2026-03-05 01:02:03' as string format '\"at \\\\\"x\\\\\" \"HH24;MI/SS')", "at \"x\" 01;02/03"},
    {"cast(timestamp '2026-07-05 10:00:00Z' as string format 'YYYY-MM-DD HH24:MI TZH:TZM' at time zone "
     "'Asia/Kathmandu')",
     "2026-07-05 15:45 +05:45"},
    {"cast(timestamp '2026-07-05 10:00:00Z' as string format 'TZH' at time zone '-03:30')", "-03"},
    {"cast(timestamp '2026-07-05 10:00:00Z' as string format 'TZH:TZM')", "+00:00"},
    {"cast(date '2026-07-05' as string format 'YYYY' at time zone 'UTC')",
     "plan: a cast of date to string takes no format with a time zone"},
    {"cast('18-12-03' as date format 'YY-MM-DD')", "2018-12-03"},
    {"cast('49/2/9' as date format 'RR/MM/DD')", "2049-02-09"},
    {"cast('50/2/9' as date format 'RR/MM/DD')", "1950-02-09"},
    {"cast('20261203' as date format 'YYYYMMDD')", "2026-12-03"},
    {"cast('2026123' as date format 'YYYYMMDD')", "2026-12-03"},
    {"cast('202612' as date format 'YYYYMMDD')", "error: R0102"},
    {"cast('2,018-12-03' as date format 'Y,YYY-MM-DD')", "2018-12-03"},
    {"cast(' dec 03, 2018 ' as date format 'MON DD, YYYY')", "2018-12-03"},
    {"cast('December 03, 2018' as date format 'MONTH DD, YYYY')", "2018-12-03"},
    {"cast('2026-02-30' as date format 'YYYY-MM-DD')", "error: R0102"},
    {"cast('03:30 P.M.' as time format 'HH:MI A.M.')", "15:30:00"},
    {"cast('12:30 a.m.' as time format 'HH12:MI P.M.')", "00:30:00"},
    {"cast('01:05:07.16' as time format 'HH24:MI:SS.FF2')", "01:05:07.160"},
    {"cast('03723' as time format 'SSSSS')", "01:02:03"},
    {"cast('2026-07-05 10:00 +02:30' as timestamp format 'YYYY-MM-DD HH24:MI TZH:TZM')", "2026-07-05 07:30:00+00"},
    {"cast('2026-07-05 10:00' as timestamp format 'YYYY-MM-DD HH24:MI' at time zone 'Europe/Berlin')",
     "2026-07-05 08:00:00+00"},
    {"safe_cast('x' as date format 'YYYY')", "NULL"},
    {"cast(cast(null as string) as date format 'YYYY')", "NULL"},
    {"extract(year from cast('2026' as datetime format 'YYYY'))", "2026"},
    {"cast(cast('Hi' as bytes) as string format 'hex')", "4869"},
    {"cast(cast('4869' as bytes format 'HEX') as string)", "Hi"},
    {"cast(cast('Hi' as bytes) as string format 'base64')", "SGk="},
    {"cast(cast('Hi' as bytes) as string format 'BASE7')",
     "plan: there is no format 'BASE7' for bytes; there are HEX, BASE16, BASE32, BASE64 and UTF-8"},
    /* numbers */
    {"cast(12 as string format '999')", "  12"},
    {"cast(-12 as string format '999')", " -12"},
    {"cast(numeric '12.5' as string format '99.99')", " 12.50"},
    {"cast(12345 as string format '999,999')", "  12,345"},
    {"cast(numeric '1.29' as string format '9.9')", " 1.3"},
    {"cast(numeric '-1.25' as string format '9.9')", "-1.3"},
    {"cast(numeric '9.99' as string format '9.9')", " #.#"},
    {"cast(-1234567 as string format '999,999.99')", "-###,###.##"},
    {"cast(numeric '0.12' as string format '999.999')", "    .120"},
    {"cast(numeric '1.2' as string format '090.000')", " 001.200"},
    {"cast(0 as string format '999')", "   0"},
    {"cast(0 as string format '99.')", "  0."},
    {"cast(1 as string format '90909')", "  0001"},
    {"cast(12 as string format 'S999')", " +12"},
    {"cast(-7 as string format '999S')", "  7-"},
    {"cast(12 as string format '999MI')", " 12 "},
    {"cast(-7 as string format '999PR')", "  <7>"},
    {"cast(12 as string format '999PR')", "  12 "},
    {"cast(-12 as string format '$9999')", "  -$12"},
    {"cast(-12 as string format 'c9999')", "  -usd12"},
    {"cast(numeric '0.1' as string format 'B99.99')", "      "},
    {"cast(numeric '-12.3' as string format 'FM$9999.99999')", "-$12.3"},
    {"cast(0 as string format 'FM$99.99')", "$0."},
    {"cast(123 as string format 'FM99999.999')", "123."},
    {"cast(cast(123.456 as float64) as string format '9.9EEEE')", " 1.2E+02"},
    {"cast(numeric '9.99' as string format '9eeee')", " 1e+01"},
    {"cast(numeric '0.0123' as string format '9d99EEEE')", " 1.23E-02"},
    {"cast(123 as string format '.99EEEE')", " .######"},
    {"cast(0 as string format '0.00EEEE')", " 0.00E+00"},
    {"cast(cast(1e123 as float64) as string format '9.9EEEE')", " 1.0E+123"},
    {"cast(9223372036854775807 as string format '9.999999999999999999eeee')", " 9.223372036854775807e+18"},
    {"cast(-9223372036854775808 as string format '9,999,999,999,999,999,999')", "-9,223,372,036,854,775,808"},
    {"cast(numeric '12.3' as string format '99V99')", " 1230"},
    {"cast(numeric '0.1' as string format '0V99')", " 010"},
    {"cast(numeric '0.1' as string format 'FM9V99')", "1"},
    {"cast(43981 as string format 'xXxX')", " aBcD"},
    {"cast(43981 as string format '00x0')", " abcD"},
    {"cast(-123 as string format 'XXXX')", "  -7B"},
    {"cast(2147483647 as string format 'XXXX')", " ####"},
    {"cast(cast('nan' as float64) as string format '9999.99')", "  NAN   "},
    {"cast(cast('-inf' as float64) as string format '9,9.9S')", "INF  -"},
    {"cast(cast('inf' as float64) as string format '9.99EEEE')", "      INF"},
    {"cast(cast('nan' as float64) as string format '99')", " ##"},
    {"cast(1 as string format '9.9.9')", "plan: the format of the cast has two of point, V and exponent in a wrong "
                                         "order, at byte 4; there are 0 9 X . D , G $ "
                                         "L C S MI PR B EEEE V FM"},
    {"cast(1 as string format '')",
     "plan: the format of the cast has no digit, at byte 0; there are 0 9 X . D , G $ L C S "
     "MI PR B EEEE V FM"},
    {"cast(true as string format '9')", "plan: a cast of bool to string takes no format"},
};
EXAMPLES(casts)

/* --- numerics ----------------------------------------------------------------------------------------------------- */

static const struct example numerics[] = {
    {"sqrt(numeric '2')", "1.414213562"},
    {"sqrt(numeric '99999999999999999999999999999.999999999')", "316227766016837.933199889"},
    {"sqrt(numeric '-1')", "error: R0104"},
    {"sqrt(numeric '0')", "0"},
    {"sqrt(2)", "1.4142135623730951"}, /* an int64 is float64 here */
    {"cbrt(numeric '-27')", "-3"},
    {"exp(numeric '1')", "2.718281828"},
    {"exp(numeric '60')", "114200738981568428366295718.314476563"},
    {"exp(numeric '67')", "error: R0101"},
    {"exp(numeric '-99999999999999999999999999999')", "0"},
    {"ln(numeric '10')", "2.302585093"},
    {"ln(numeric '0')", "error: R0104"},
    {"log10(numeric '0.001')", "-3"},
    {"log(numeric '8', 2)", "3"},
    {"log(8, numeric '0.5')", "-3"},
    {"log(numeric '8', numeric '1')", "error: R0104"},
    {"pow(numeric '0.5', 10)", "0.000976563"}, /* exactly half a unit, away from zero */
    {"pow(numeric '-0.5', 11)", "-0.000488281"},
    {"pow(numeric '0.00005', 2)", "0.000000003"},
    {"pow(numeric '1.000000001', numeric '1000000000')", "2.718281827"},
    {"pow(2, numeric '0.5')", "1.414213562"},
    {"pow(numeric '-8', numeric '0.5')", "error: R0104"},
    {"pow(numeric '0', -1)", "error: R0104"},
    {"pow(numeric '0', 0)", "1"},
    {"pow(numeric '10', 28)", "10000000000000000000000000000"},
    {"pow(numeric '10', 29)", "error: R0101"},
    {"power(numeric '2', 3)", "8"},
    {"cast('1e28' as numeric)", "10000000000000000000000000000"},
    {"cast('0.0000000005' as numeric)", "0.000000001"},
    {"cast('99999999999999999999999999999.9999999995' as numeric)", "error: R0102"},
    {"cast(0.1 as numeric) + cast(0.2 as numeric)", "0.3"},
    {"cast(numeric '2.5' as int64)", "3"},
    {"cast(numeric '-2.5' as int64)", "-3"},
    {"mod(numeric '-7.25', numeric '2')", "-1.25"},
    {"div(numeric '-7.25', numeric '2')", "-3"},
};
EXAMPLES(numerics)

/* --- zones out of the data ---------------------------------------------------------------------------------------- */

/* One call over a column of zones: each row has its own, a NULL gives NULL, an unknown one fails alone. */
START_TEST(test_zone_column)
{
    static const struct evs_field fields[] = {{"t", NULL, false}, {"zone", NULL, true}};
    struct evs_field typed[2] = {fields[0], fields[1]};
    typed[0].type = evs_type_of(EVS_TIMESTAMP);
    typed[1].type = evs_type_of(EVS_STRING);
    const struct evs_schema schema = {2, typed};
    struct evs_error error;
    const struct evs_expr *expr =
        expr_from_text(&example_arena, "extract(hour from t at time zone zone)", &schema, &error);
    ck_assert_msg(expr != NULL, "%s", error.text);
    const struct evs_program *program;
    ck_assert_int_eq(evs_program_compile(&example_arena, &expr, 1, &program, &error), EVS_OK);
    static const char *const names[] = {"Europe/Berlin", "America/New_York", "Mars", NULL, "+05:30", "UTC"};
    static const int64_t hours[] = {11, 5, -1, -1, 15, 10};
    enum { ROWS = 600 };
    struct evs_batch_pool *pool = evs_batch_pool_new();
    struct evs_batch *batch = evs_batch_new(pool, 2);
    evs_column_init(&batch->columns[0], batch, EVS_TIMESTAMP, ROWS, false);
    evs_column_init(&batch->columns[1], batch, EVS_STRING, ROWS, true);
    batch->row_count = batch->selected_count = ROWS;
    for (uint32_t i = 0; i < ROWS; i++) {
        const char *name = names[i % COUNT(names)];
        ((int64_t *)batch->columns[0].data)[i] = INT64_C(1767607200000000); /* 2026-01-05 10:00 */
        ((struct evs_str *)batch->columns[1].data)[i] =
            evs_str_make(name != NULL ? name : "", name != NULL ? (uint32_t)strlen(name) : 0);
        if (name == NULL) {
            evs_column_set_null(&batch->columns[1], i);
        }
    }
    struct evs_eval *eval = evs_eval_new(program);
    struct evs_column result;
    evs_program_run(eval, batch, &result);
    const struct evs_expr_failure *failures;
    ck_assert_uint_eq(evs_eval_failures(eval, &failures), ROWS / COUNT(names));
    for (uint32_t i = 0; i < ROWS; i++) {
        const int64_t wanted = hours[i % COUNT(names)];
        ck_assert_int_eq(evs_column_is_valid(&result, i), wanted >= 0);
        if (wanted >= 0) {
            ck_assert_int_eq(*EVS_COLUMN_AT(&result, int64_t, i), wanted);
        }
    }
    ck_assert_str_eq(failures[0].code, "R0104");
    ck_assert_uint_eq(failures[0].row, 2);
    evs_eval_free(eval);
    evs_batch_unref(batch);
    evs_batch_pool_free(pool);
}
END_TEST

#define LOOP(name) tcase_add_loop_test(tcase, test_##name, 0, (int)COUNT(name))
int main(void)
{
    Suite *suite = suite_create("expr_time");
    TCase *tcase = tcase_create("tables");
    tcase_add_checked_fixture(tcase, NULL, free_examples);
    LOOP(texts);
    LOOP(zones);
    LOOP(calendar);
    LOOP(intervals);
    LOOP(formats);
    LOOP(casts);
    LOOP(numerics);
    tcase_add_test(tcase, test_zone_column);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
