/* Time zones and the periods of a local calendar, where clocks do what one does not expect: gaps, overlaps, half hours, days
 * that a zone skipped, midnights that came twice, offsets with seconds. The moments were computed with Python's zoneinfo. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "evstream/type.h"
#include "zone.h"

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static struct evs_zone zone_of(const char *name)
{
    struct evs_zone zone;
    ck_assert_msg(evs_zone_load(name, strlen(name), &zone), "no zone %s", name);
    return zone;
}

/* "2026-03-29T01:00:00Z"; for a local time the Z is only a form. */
static int64_t at(const char *text)
{
    int64_t us;
    ck_assert_msg(evs_parse_timestamp(evs_slice_of(text), true, &us), "%s", text);
    return us;
}

static void check_moment(int64_t got, const char *wanted, const char *what)
{
    char text[EVS_FORMAT_MAX + 1];
    text[evs_format_timestamp(text, got)] = '\0';
    ck_assert_msg(strcmp(text, wanted) == 0, "%s: %s and not %s", what, text, wanted);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool exists;
    int64_t offset_minutes; /* on 2026-01-05 */
} names[] = {
    {"UTC", true, 0},
    {"Europe/Berlin", true, 60},
    {"Asia/Kathmandu", true, 345},
    {"America/St_Johns", true, -210},
    {"Etc/GMT-14", true, 840},
    {"+1", true, 60},
    {"+05:30", true, 330},
    {"-0830", true, -510},
    {"+14", true, 840},
    {"UTC-7", true, -420},
    {"+00:00", true, 0},
    {"+14:01", false, 0},
    {"+1:60", false, 0},
    {"+", false, 0},
    {"+123456", false, 0},
    {"", false, 0},
    {"Mars/Olympus", false, 0},
    {"europe/berlin", false, 0},
    {"America", false, 0},   /* a folder */
    {"localtime", false, 0}, /* another one on each machine */
    {"/etc/localtime", false, 0},
    {"../zoneinfo/UTC", false, 0},
    {"zone.tab", false, 0},
    {"Europe/Berlin ", false, 0},
    {"Europe/Berlin\n", false, 0},
    {"A/name/that/is/much/longer/than/any/name/of/the/tz/database/ever/was", false, 0},
};

START_TEST(test_name)
{
    struct evs_zone zone;
    const bool exists = evs_zone_load(names[_i].name, strlen(names[_i].name), &zone);
    ck_assert_msg(exists == names[_i].exists, "%s", names[_i].name);
    if (exists) {
        const int64_t now = at("2026-01-05T10:00:00Z");
        ck_assert_int_eq((evs_zone_local(zone, now) - now) / SECOND, names[_i].offset_minutes * 60);
    }
}
END_TEST

/* --- local to UTC ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *zone, *local, *utc, *edge; /* edge NULL: the same as utc */
} locals[] = {
    {"Europe/Berlin", "2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z", NULL},
    {"Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z"}, /* no such time */
    {"Europe/Berlin", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z", NULL},
    {"Europe/Berlin", "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z", NULL}, /* twice: the first */
    {"Europe/Berlin", "2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z", NULL},
    {"America/New_York", "2026-03-08T02:15:00Z", "2026-03-08T07:15:00Z", "2026-03-08T07:00:00Z"},
    {"America/New_York", "2026-11-01T01:30:00Z", "2026-11-01T05:30:00Z", NULL},
    {"Australia/Lord_Howe", "2026-10-04T02:15:00Z", "2026-10-03T15:45:00Z", "2026-10-03T15:30:00Z"}, /* half an hour */
    {"Australia/Lord_Howe", "2026-04-05T01:45:00Z", "2026-04-04T14:45:00Z", NULL},
    {"Asia/Kathmandu", "2026-01-05T05:45:00Z", "2026-01-05T00:00:00Z", NULL},
    {"Asia/Kathmandu", "1985-12-31T23:59:59Z", "1985-12-31T18:29:59Z", NULL}, /* +05:30 until then */
    {"Asia/Kathmandu", "1986-01-01T00:15:00Z", "1985-12-31T18:30:00Z", NULL},
    {"Europe/Berlin", "1890-01-01T00:00:00Z", "1889-12-31T23:06:32Z", NULL}, /* local mean time, +0:53:28 */
    {"America/New_York", "1880-01-01T00:00:00Z", "1880-01-01T04:56:02Z", NULL},
    {"Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T22:00:00Z", "2011-12-30T10:00:00Z"}, /* a day that was not */
    {"America/Sao_Paulo", "2018-11-04T00:00:00Z", "2018-11-04T03:00:00Z", NULL}, /* no midnight: both are the change */
    {"+05:30", "2026-01-05T00:00:00Z", "2026-01-04T18:30:00Z", NULL},
    {"UTC", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z", NULL},
    {"Europe/Berlin", "1969-12-31T23:59:59.999999Z", "1969-12-31T22:59:59.999999Z", NULL},
};

START_TEST(test_local)
{
    const struct evs_zone zone = zone_of(locals[_i].zone);
    const int64_t local = at(locals[_i].local);
    check_moment(evs_zone_utc(zone, local), locals[_i].utc, locals[_i].local);
    check_moment(evs_zone_utc_edge(zone, local), locals[_i].edge != NULL ? locals[_i].edge : locals[_i].utc,
                 locals[_i].local);
}
END_TEST

/* What a span says holds on both sides of each of its ends. */
START_TEST(test_span)
{
    static const char *const zones[] = {"Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia",
                                        "UTC"};
    const struct evs_zone zone = zone_of(zones[_i]);
    int64_t us = at("1880-06-01T00:00:00Z");
    uint32_t spans = 0;
    while (us < at("2060-01-01T00:00:00Z")) {
        const struct evs_zone_span span = evs_zone_span_at(zone, us);
        ck_assert(span.begin_us <= us && us < span.end_us);
        ck_assert_int_eq(evs_zone_local(zone, us), us + span.offset_us);
        spans++;
        us = span.end_us;
        if (us == INT64_MAX) {
            break;
        }
        ck_assert_int_eq(evs_zone_local(zone, span.end_us - 1), span.end_us - 1 + span.offset_us);
        const struct evs_zone_span again = evs_zone_span_at(zone, span.end_us - 1);
        ck_assert(again.begin_us == span.begin_us && again.end_us == span.end_us);
    }
    ck_assert(zones[_i][0] == 'U' ? spans == 1 : spans > 5);
}
END_TEST

START_TEST(test_abbreviation)
{
    char text[EVS_ZONE_ABBREVIATION_MAX];
    evs_zone_abbreviation(zone_of("Europe/Berlin"), at("2026-07-01T00:00:00Z"), text);
    ck_assert_str_eq(text, "CEST");
    evs_zone_abbreviation(evs_zone_utc_zone(), 0, text);
    ck_assert_str_eq(text, "UTC");
}
END_TEST

/* Times that no calendar has are no undefined behaviour. */
START_TEST(test_ends)
{
    const struct evs_zone zone = zone_of("Europe/Berlin");
    ck_assert_int_gt(evs_zone_local(zone, INT64_MAX), INT64_MAX / 2);
    ck_assert_int_lt(evs_zone_utc(zone, INT64_MIN), INT64_MIN / 2);
    const struct evs_period day = {.us = DAY};
    ck_assert_int_le(evs_zone_floor(zone, &day, INT64_MAX), at("9999-12-31T23:59:59Z"));
    ck_assert_int_ge(evs_zone_next(zone, &day, INT64_MIN), at("0001-01-01T00:00:00Z"));
}
END_TEST

/* Far ahead the rules go on: Dublin's winter, which is its summer time the other way round, and a zone that changes no more. */
START_TEST(test_far_ahead)
{
    const struct evs_zone dublin = zone_of("Europe/Dublin");
    for (int64_t year = 2390; year < 9990; year += 317) {
        const int64_t august = evs_days_from_civil(year, 8, 1) * DAY, february = evs_days_from_civil(year, 2, 1) * DAY;
        const struct evs_zone_span summer = evs_zone_span_at(dublin, august),
                                   winter = evs_zone_span_at(dublin, february);
        ck_assert_int_eq(summer.offset_us, HOUR);
        ck_assert_int_eq(winter.offset_us, 0);
        ck_assert(summer.begin_us >= winter.end_us && summer.end_us > august && winter.begin_us <= february);
        ck_assert_int_eq(evs_zone_local(dublin, summer.end_us), summer.end_us);
        ck_assert_int_eq(evs_zone_local(dublin, summer.end_us - 1), summer.end_us - 1 + HOUR);
        ck_assert_int_eq(evs_zone_local(dublin, summer.begin_us - 1), summer.begin_us - 1);
    }
    const struct evs_zone_span tokyo = evs_zone_span_at(zone_of("Asia/Tokyo"), at("8000-01-01T00:00:00Z"));
    ck_assert_int_eq(tokyo.end_us, INT64_MAX);
    check_moment(tokyo.begin_us, "1951-09-08T15:00:00Z", "Tokyo's last change");
}
END_TEST

/* --- periods ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *zone;
    struct evs_interval size;
    const char *time, *begin, *end;
} periods[] = {
    /* days of 23 and 25 hours */
    {"Europe/Berlin", {0, 1, 0}, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
    {"Europe/Berlin", {0, 1, 0}, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
    {"Europe/Berlin", {0, 1, 0}, "2026-10-24T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
    {"Europe/Berlin", {0, 1, 0}, "2026-10-24T21:59:59.999999Z", "2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z"},
    {"Australia/Lord_Howe", {0, 1, 0}, "2026-10-04T00:00:00Z", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"},
    {"UTC", {0, 1, 0}, "1969-12-31T23:00:00Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"},
    /* no midnight, midnight twice, a midnight that came back a day later, a day that was not */
    {"America/Sao_Paulo", {0, 1, 0}, "2018-11-04T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
    {"America/Sao_Paulo", {0, 1, 0}, "2018-11-04T02:59:59Z", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
    {"America/Havana", {0, 1, 0}, "2024-11-03T05:30:00Z", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"},
    {"America/St_Johns", {0, 1, 0}, "2010-11-07T02:31:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},
    {"America/St_Johns", {0, 1, 0}, "2010-11-07T03:00:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},
    {"Pacific/Apia", {0, 1, 0}, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
    {"Pacific/Apia", {0, 1, 0}, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
    /* weeks from Monday, of one and two */
    {"Europe/Berlin", {0, 7, 0}, "2026-01-11T22:59:59Z", "2026-01-04T23:00:00Z", "2026-01-11T23:00:00Z"},
    {"UTC", {0, 7, 0}, "1969-12-31T12:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"},
    {"UTC", {0, 14, 0}, "1970-01-11T12:00:00Z", "1969-12-29T00:00:00Z", "1970-01-12T00:00:00Z"},
    /* months, quarters, years */
    {"Europe/Berlin", {1, 0, 0}, "2026-03-31T22:00:00Z", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"},
    {"Europe/Berlin", {3, 0, 0}, "2026-03-31T21:59:59Z", "2025-12-31T23:00:00Z", "2026-03-31T22:00:00Z"},
    {"America/New_York", {12, 0, 0}, "2026-01-01T04:59:59Z", "2025-01-01T05:00:00Z", "2026-01-01T05:00:00Z"},
    {"UTC", {2, 0, 0}, "1969-12-15T00:00:00Z", "1969-11-01T00:00:00Z", "1970-01-01T00:00:00Z"},
    /* parts of days: longer than an hour they stretch, up to an hour they are cut */
    {"Europe/Berlin", {0, 0, 6 * HOUR}, "2026-03-29T02:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T04:00:00Z"},
    {"Europe/Berlin", {0, 0, 6 * HOUR}, "2026-10-25T01:30:00Z", "2026-10-24T22:00:00Z", "2026-10-25T05:00:00Z"},
    {"Europe/Berlin", {0, 0, HOUR}, "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
    {"Europe/Berlin", {0, 0, HOUR}, "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"},
    {"Asia/Kathmandu", {0, 0, HOUR}, "2026-01-05T00:00:00Z", "2026-01-04T23:15:00Z", "2026-01-05T00:15:00Z"},
    {"Australia/Lord_Howe", {0, 0, HOUR}, "2026-04-04T15:15:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"},
    {"UTC", {0, 0, 7 * SECOND}, "1970-01-01T00:00:13Z", "1970-01-01T00:00:07Z", "1970-01-01T00:00:14Z"},
};

START_TEST(test_period)
{
    struct evs_period period;
    ck_assert(evs_period_of(&periods[_i].size, 0, &period));
    const struct evs_zone zone = zone_of(periods[_i].zone);
    const int64_t us = at(periods[_i].time);
    check_moment(evs_zone_floor(zone, &period, us), periods[_i].begin, periods[_i].time);
    check_moment(evs_zone_next(zone, &period, us), periods[_i].end, periods[_i].time);
}
END_TEST

START_TEST(test_period_offset)
{
    struct evs_period period;
    const struct evs_interval day = {0, 1, 0};
    ck_assert(evs_period_of(&day, 6 * HOUR, &period)); /* business days from 06:00 to 06:00 */
    const struct evs_zone zone = zone_of("Europe/Berlin");
    check_moment(evs_zone_floor(zone, &period, at("2026-03-29T03:59:59Z")), "2026-03-28T05:00:00Z", "06:00");
    check_moment(evs_zone_next(zone, &period, at("2026-03-29T03:59:59Z")), "2026-03-29T04:00:00Z", "06:00");
}
END_TEST

START_TEST(test_no_period)
{
    struct evs_period period;
    const struct evs_interval bad[] = {{0, 0, 0}, {1, 1, 0}, {-1, 0, 0}, {0, -1, 0}, {1, 0, 1}, {0, 1, -DAY}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!evs_period_of(&bad[i], 0, &period), "%zu", i);
    }
}
END_TEST

/* Periods divide time: begins and ends meet, everywhere, and what lies between belongs to one of them. */
START_TEST(test_division)
{
    static const char *const zones[] = {"Europe/Berlin",     "America/New_York", "Australia/Lord_Howe",
                                        "America/St_Johns",  "America/Havana",   "Pacific/Apia",
                                        "America/Sao_Paulo", "Asia/Kathmandu",   "Africa/Monrovia"};
    static const struct evs_interval sizes[] = {{0, 1, 0},
                                                {0, 7, 0},
                                                {1, 0, 0},
                                                {3, 0, 0},
                                                {12, 0, 0},
                                                {0, 0, 6 * HOUR},
                                                {0, 0, 90 * 60 * SECOND},
                                                {0, 0, HOUR},
                                                {0, 0, 15 * 60 * SECOND}};
    const struct evs_zone zone = zone_of(zones[_i]);
    uint64_t random = UINT64_C(88172645463325252) + (uint64_t)_i;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct evs_period period;
        ck_assert(evs_period_of(&sizes[s], 0, &period));
        for (uint32_t i = 0; i < 300; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17; /* xorshift */
            /* Half of them near a change of the clocks. */
            int64_t us = at("1875-01-01T00:00:00Z") + (int64_t)(random % (uint64_t)(180 * 365 * DAY));
            if (i % 2 == 0) {
                const struct evs_zone_span span = evs_zone_span_at(zone, us);
                us = span.end_us == INT64_MAX ? us : span.end_us + (int64_t)(random % (uint64_t)(2 * DAY)) - DAY;
            }
            const int64_t begin = evs_zone_floor(zone, &period, us), end = evs_zone_next(zone, &period, us);
            ck_assert_msg(begin <= us && us < end, "%s: %lld", zones[_i], (long long)us);
            ck_assert_int_eq(evs_zone_floor(zone, &period, begin), begin);
            ck_assert_int_eq(evs_zone_floor(zone, &period, end), end);
            ck_assert_int_eq(evs_zone_next(zone, &period, begin), end);
            ck_assert_int_eq(evs_zone_next(zone, &period, end - 1), end);
            ck_assert_int_eq(evs_zone_next(zone, &period, begin - 1), begin);
        }
    }
}
END_TEST

START_TEST(test_add)
{
    const struct evs_zone zone = zone_of("Europe/Berlin");
    const int64_t start = at("2026-01-31T11:00:00Z"); /* noon */
    check_moment(evs_zone_add(zone, start, 1, 0), "2026-02-28T11:00:00Z", "a month");
    check_moment(evs_zone_add(zone, start, 6, 0), "2026-07-31T10:00:00Z", "noon in summer");
    check_moment(evs_zone_add(zone, at("2026-03-28T11:00:00Z"), 0, DAY), "2026-03-29T10:00:00Z", "a day of 23 hours");
    check_moment(evs_zone_add(zone, at("2026-03-28T23:00:00Z"), -3, 0), "2025-12-28T23:00:00Z", "back");
}
END_TEST

#define LOOP(tcase, test, table) tcase_add_loop_test(tcase, test, 0, (int)(sizeof(table) / sizeof(table)[0]))
int main(void)
{
    Suite *suite = suite_create("zone");
    TCase *tcase = tcase_create("zone");
    LOOP(tcase, test_name, names);
    LOOP(tcase, test_local, locals);
    tcase_add_loop_test(tcase, test_span, 0, 5);
    tcase_add_test(tcase, test_abbreviation);
    tcase_add_test(tcase, test_ends);
    tcase_add_test(tcase, test_far_ahead);
    LOOP(tcase, test_period, periods);
    tcase_add_test(tcase, test_period_offset);
    tcase_add_test(tcase, test_no_period);
    tcase_add_loop_test(tcase, test_division, 0, 9);
    tcase_add_test(tcase, test_add);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
