/* quiet_until across both clock changes of a year, in four time zones: each quarter of an hour of the days around a change, held against a walk that looks at the
 * wall clock minute by minute. Among the hours are nights, and ones that begin or end where clocks skip or repeat. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "evstream/batch.h"
#include "expr_case.h"
#include "zone.h"

#define MINUTE INT64_C(60000000)
#define DAY (1440 * MINUTE)
#define YEAR_2026 INT64_C(1767225600000000)

static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"};
static const struct {
    int from, until; /* minutes */
} hours[] = {{21 * 60, 8 * 60}, {22 * 60, 2 * 60 + 30}, {2 * 60 + 15, 2 * 60 + 45}, {23 * 60 + 30, 0},
             {0, 6 * 60},       {9 * 60, 17 * 60},      {2 * 60 + 10, 1 * 60 + 50}, {12 * 60, 12 * 60}};

static int64_t clock_minutes(struct evs_zone zone, int64_t us)
{
    int64_t local_us = evs_zone_local(zone, us);
    return ((local_us % DAY) + DAY) % DAY / MINUTE;
}

static bool is_quiet(struct evs_zone zone, int64_t us, uint32_t which)
{
    int64_t minutes = clock_minutes(zone, us);
    if (hours[which].from <= hours[which].until) {
        return minutes >= hours[which].from && minutes < hours[which].until;
    }
    return minutes >= hours[which].from || minutes < hours[which].until;
}

static int64_t walk(struct evs_zone zone, int64_t us, uint32_t which)
{
    while (is_quiet(zone, us, which)) {
        us += MINUTE;
    }
    return us;
}

/* The moments at which a zone's clocks change in 2026. */
static uint32_t find_changes(struct evs_zone zone, int64_t changes[2])
{
    uint32_t count = 0;
    for (int64_t us = YEAR_2026; us < YEAR_2026 + 365 * DAY; us += 30 * MINUTE) {
        if (evs_zone_local(zone, us) - us != evs_zone_local(zone, us - 30 * MINUTE) - (us - 30 * MINUTE)) {
            ck_assert_uint_lt(count, 2);
            changes[count++] = us;
        }
    }
    return count;
}

#define ROWS (3 * 96)

static void set_rows(struct evs_batch *batch, const char *zone, int64_t first_us, uint32_t which)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        ((int64_t *)batch->columns[0].data)[i] = first_us + i * 15 * MINUTE;
        ((struct evs_str *)batch->columns[1].data)[i] = evs_str_make(zone, (uint32_t)strlen(zone));
        ((int64_t *)batch->columns[2].data)[i] = hours[which].from * MINUTE;
        ((int64_t *)batch->columns[3].data)[i] = hours[which].until * MINUTE;
    }
}

static void check_days(struct evs_eval *eval, struct evs_batch *batch, uint32_t zone_number, int64_t change_us,
                       uint32_t which)
{
    struct evs_zone zone;
    struct evs_column result;
    const struct evs_expr_failure *failures;
    ck_assert(evs_zone_load(zones[zone_number], strlen(zones[zone_number]), &zone));
    set_rows(batch, zones[zone_number], change_us - DAY - 12 * 60 * MINUTE, which);
    evs_program_run(eval, batch, &result);
    ck_assert_uint_eq(evs_eval_failures(eval, &failures), 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        int64_t us = ((int64_t *)batch->columns[0].data)[i], found = *EVS_COLUMN_AT(&result, int64_t, i);
        int64_t wanted = walk(zone, us, which);
        ck_assert_msg(found == wanted, "%s, hours %u, %lld min before the change: %lld min, not %lld min",
                      zones[zone_number], which, (long long)((change_us - us) / MINUTE),
                      (long long)((found - us) / MINUTE), (long long)((wanted - us) / MINUTE));
    }
}

START_TEST(both_changes_of_a_year)
{
    static const struct evs_field fields[] = {{.name = "at", .nullable = true},
                                              {.name = "zone", .nullable = true},
                                              {.name = "begin", .nullable = true},
                                              {.name = "finish", .nullable = true}};
    static const enum evs_kind kinds[] = {EVS_TIMESTAMP, EVS_STRING, EVS_TIME, EVS_TIME};
    const struct evs_expr *columns[4], *expr;
    const struct evs_program *program;
    struct evs_error error;
    struct evs_batch_pool *pool = evs_batch_pool_new();
    struct evs_batch *batch = evs_batch_new(pool, 4);
    for (uint32_t i = 0; i < 4; i++) {
        struct evs_field field = fields[i];
        field.type = evs_type_of(kinds[i]);
        columns[i] = evs_expr_column(&example_arena, i, &field, (struct evs_place){0});
        evs_column_init(&batch->columns[i], batch, kinds[i], ROWS, false);
    }
    batch->row_count = batch->selected_count = ROWS;
    ck_assert_int_eq(evs_expr_call(&example_arena, EVS_SLICE("quiet_until"), false, columns, 4, (struct evs_place){0},
                                   &expr, &error),
                     EVS_OK);
    ck_assert_int_eq(evs_program_compile(&example_arena, &expr, 1, &program, &error), EVS_OK);
    struct evs_eval *eval = evs_eval_new(program);
    for (uint32_t z = 0; z < EVS_COUNT(zones); z++) {
        struct evs_zone zone;
        int64_t changes[2];
        ck_assert(evs_zone_load(zones[z], strlen(zones[z]), &zone));
        ck_assert_uint_eq(find_changes(zone, changes), 2);
        for (uint32_t which = 0; which < EVS_COUNT(hours); which++) {
            check_days(eval, batch, z, changes[0], which);
            check_days(eval, batch, z, changes[1], which);
        }
    }
    evs_eval_free(eval);
    evs_batch_unref(batch);
    evs_batch_pool_free(pool);
}
END_TEST

#define QUIET(at, zone, from, until) "quiet_until(timestamp '" at "', " zone ", time '" from "', time '" until "')"
static const struct example examples[] = {
    {QUIET("2026-01-05 10:00:00Z", "'Europe/Berlin'", "21:00:00", "08:00:00"), "2026-01-05 10:00:00+00"},
    {QUIET("2026-01-05 20:00:00Z", "'Europe/Berlin'", "21:00:00", "08:00:00"), "2026-01-06 07:00:00+00"},
    {QUIET("2026-01-05 19:59:59.999999Z", "'Europe/Berlin'", "21:00:00", "08:00:00"), "2026-01-05 19:59:59.999999+00"},
    {QUIET("2026-01-06 06:59:59.999999Z", "'Europe/Berlin'", "21:00:00", "08:00:00"), "2026-01-06 07:00:00+00"},
    {QUIET("2026-03-28 20:30:00Z", "'Europe/Berlin'", "21:00:00", "08:00:00"), "2026-03-29 06:00:00+00"},
    {QUIET("2026-10-24 19:30:00Z", "'Europe/Berlin'", "21:00:00", "08:00:00"), "2026-10-25 07:00:00+00"},
    {QUIET("2026-01-05 22:00:00Z", "'+05:30'", "22:00:00", "06:00:00"), "2026-01-06 00:30:00+00"},
    {QUIET("2026-01-05 22:00:00Z", "'UTC'", "22:00:00", "22:00:00"), "2026-01-05 22:00:00+00"},
    {QUIET("2026-01-05 22:00:00Z", "null", "22:00:00", "06:00:00"), "NULL"},
    {QUIET("2026-01-05 22:00:00Z", "concat('M', 'ars')", "22:00:00", "06:00:00"), "error: R0104"},
    {"safe." QUIET("2026-01-05 22:00:00Z", "concat('M', 'ars')", "22:00:00", "06:00:00"), "NULL"},
    {QUIET("9999-12-31 23:00:00Z", "'UTC'", "22:00:00", "06:00:00"), "error: R0106"},
};
EXAMPLES(examples)

int main(void)
{
    TCase *tcase = tcase_create("quiet hours");
    add_examples(tcase, examples);
    tcase_add_test(tcase, both_changes_of_a_year);
    return run_examples("expr_quiet", tcase);
}
