/* Functions of times, which are a clock alone: they go round at midnight. The current date and time stand here for the
 * reference only: the resolver makes them of the row's time (resolve.c). */
#include "time_parts.h"

/* --- arithmetic: past midnight it begins again -------------------------------------------------------------------- */

static enum evs_row add_interval(int64_t us, const struct evs_interval *interval, int sign, int64_t *out)
{
    if (interval->months != 0 || interval->days != 0) {
        return EVS_ROW_ARGUMENT;
    }
    *out = evs_floor_mod(us + sign * (interval->us % EVS_US_PER_DAY), EVS_US_PER_DAY);
    return EVS_ROW_OK;
}
static inline enum evs_row add_row(struct evs_call *call, const int64_t *a, const struct evs_interval *b, int64_t *out)
{
    (void)call;
    return add_interval(*a, b, 1, out);
}
static inline enum evs_row sub_row(struct evs_call *call, const int64_t *a, const struct evs_interval *b, int64_t *out)
{
    (void)call;
    return add_interval(*a, b, -1, out);
}
EVS_ROW_KERNEL_2(time_add, add_row, int64_t, struct evs_interval, int64_t)
EVS_ROW_KERNEL_2(time_sub, sub_row, int64_t, struct evs_interval, int64_t)

/* Days and longer parts of a constant interval are told when the call is built. */
static evs_status prepare_add(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                              struct evs_error *error)
{
    (void)arena;
    *prepared = NULL;
    const struct evs_expr *interval = expr->arguments[1];
    if (interval->kind == EVS_EXPR_CONSTANT && !interval->value.is_null &&
        (interval->value.interval.months != 0 || interval->value.interval.days != 0)) {
        return evs_fail(error, EVS_E_PIPELINE, "%s takes hours and shorter parts; a time has no day",
                        expr->overload->name);
    }
    return EVS_OK;
}

static inline enum evs_row minus_row(struct evs_call *call, const int64_t *a, const int64_t *b,
                                     struct evs_interval *out)
{
    (void)call;
    *out = (struct evs_interval){.us = *a - *b};
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(time_minus, minus_row, int64_t, int64_t, struct evs_interval)

static evs_status prepare_clock(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CLOCK, prepared, error);
}
static inline enum evs_row diff_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    const int64_t unit = evs_part_us(evs_call_part(call).part);
    *out = *a / unit - *b / unit;
    return EVS_ROW_OK;
}
static inline enum evs_row trunc_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    *out = *a - *a % evs_part_us(evs_call_part(call).part);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(time_diff, diff_row, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_1(time_trunc, trunc_row, int64_t, int64_t)

/* --- making times ------------------------------------------------------------------------------------------------- */

static inline enum evs_row of_numbers_row(struct evs_call *call, const int64_t *a, const int64_t *b, const int64_t *c,
                                          int64_t *out)
{
    (void)call;
    if (*a < 0 || *a > 23 || *b < 0 || *b > 59 || *c < 0 || *c > 59) {
        return EVS_ROW_ARGUMENT;
    }
    *out = ((*a * 60 + *b) * 60 + *c) * EVS_US_PER_SECOND;
    return EVS_ROW_OK;
}
static inline enum evs_row of_timestamp_zone_row(struct evs_call *call, const int64_t *a, const struct evs_str *name,
                                                 int64_t *out)
{
    struct evs_zone zone;
    if (!evs_call_zone(call, name, &zone)) {
        return EVS_ROW_ARGUMENT;
    }
    *out = evs_floor_mod(evs_call_local(call, zone, *a), EVS_US_PER_DAY);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_3(time_of_numbers, of_numbers_row, int64_t, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_2(time_of_timestamp_zone, of_timestamp_zone_row, int64_t, struct evs_str, int64_t)
EVS_DENSE_KERNEL_1(time_of_us, int64_t, int64_t, evs_floor_mod(a, EVS_US_PER_DAY))

/* --- quiet hours -------------------------------------------------------------------------------------------------- */

/* Is the clock inside the hours from … until, which may go over midnight? */
static inline bool is_quiet(int64_t clock_us, int64_t from_us, int64_t until_us)
{
    return from_us <= until_us ? clock_us >= from_us && clock_us < until_us
                               : clock_us >= from_us || clock_us < until_us;
}

/* The first moment, from `us` on, at which the clock on the wall is outside of the quiet hours. A change of the clocks may skip their end, or lead out of
 * them or back into them, so each stretch between two changes is looked at by itself. */
static int64_t quiet_end(struct evs_zone zone, int64_t us, int64_t from_us, int64_t until_us)
{
    for (;;) {
        const struct evs_zone_span span = evs_zone_span_at(zone, us);
        const int64_t clock_us = evs_floor_mod(us + span.offset_us, EVS_US_PER_DAY);
        const int64_t end_us = us + until_us - clock_us + (clock_us < until_us ? 0 : EVS_US_PER_DAY);
        if (!is_quiet(clock_us, from_us, until_us)) {
            return us;
        }
        if (end_us < span.end_us) {
            return end_us;
        }
        us = span.end_us;
    }
}

static void quiet_until(struct evs_call *call)
{
    int64_t *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        const int64_t us = EVS_ARG(call, 0, int64_t)[row * EVS_STRIDE(call, 0)];
        const struct evs_str *name = &EVS_ARG(call, 1, struct evs_str)[row * EVS_STRIDE(call, 1)];
        const int64_t from_us = EVS_ARG(call, 2, int64_t)[row * EVS_STRIDE(call, 2)];
        const int64_t until_us = EVS_ARG(call, 3, int64_t)[row * EVS_STRIDE(call, 3)];
        struct evs_zone zone;
        if (!evs_call_zone(call, name, &zone)) {
            EVS_ROW_DONE(call, row, EVS_ROW_ARGUMENT);
            continue;
        }
        const int64_t clock_us = evs_floor_mod(evs_call_local(call, zone, us), EVS_US_PER_DAY);
        const bool waits = is_quiet(clock_us, from_us, until_us);
        EVS_ROW_DONE(call, row, evs_checked_us(waits ? quiet_end(zone, us, from_us, until_us) : us, &out[row]));
    }
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define T EVS_TIME
#define IV EVS_INTERVAL
#define I EVS_INT64
#define MAY_FAIL EVS_CALL_FALLIBLE

static const struct evs_overload overloads[] = {
    EVS_TIME_OVERLOAD("-", time_minus, IV, 2, EVS_CALL_EXACT, T, T),
    EVS_TIME_PREPARED("time_add", time_add, prepare_add, T, 2, MAY_FAIL, T, IV),
    EVS_TIME_PREPARED("time_sub", time_sub, prepare_add, T, 2, MAY_FAIL, T, IV),
    EVS_TIME_PREPARED("time_diff", time_diff, prepare_clock, I, 3, 0, T, T, EVS_ARG_PART),
    EVS_TIME_PREPARED("time_trunc", time_trunc, prepare_clock, T, 2, 0, T, EVS_ARG_PART),
    EVS_TIME_OVERLOAD("time", time_of_numbers, T, 3, MAY_FAIL, I, I, I),
    EVS_TIME_OVERLOAD("time", time_of_us, T, 1, EVS_CALL_DENSE, EVS_TIMESTAMP),
    EVS_TIME_OVERLOAD("time", time_of_us, T, 1, EVS_CALL_DENSE, EVS_DATETIME),
    EVS_TIME_OVERLOAD("time", time_of_us, T, 1, EVS_CALL_DENSE | EVS_CALL_EXACT, T),
    EVS_TIME_ZONED("quiet_until", quiet_until, evs_prepare_zone, EVS_TIMESTAMP, 4, 1, MAY_FAIL, EVS_TIMESTAMP,
                   EVS_STRING, T, T),
    EVS_TIME_ZONED("time", time_of_timestamp_zone, evs_prepare_zone, T, 2, 1, MAY_FAIL, EVS_TIMESTAMP, EVS_STRING),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("time",
                      "time(hour, minute, second) → time; time(timestamp [, zone]) → time; time(datetime) → time",
                      "A clock from three numbers, or as it is somewhere at a moment.",
                      "time(timestamp '2026-07-05 10:00:00Z', 'Asia/Kathmandu')", "15:45:00"),
    EVS_TIME_FUNCTION("time_add", "time_add(time, interval) → time",
                      "Later by hours and shorter parts; past midnight it begins again.",
                      "time_add(time '23:30:00', interval 1 hour)", "00:30:00"),
    EVS_TIME_FUNCTION("time_sub", "time_sub(time, interval) → time",
                      "Earlier by hours and shorter parts; before midnight it is the evening.",
                      "time_sub(time '00:30:00', interval 1 hour)", "23:30:00"),
    EVS_TIME_FUNCTION("time_diff", "time_diff(time, time, part) → int64",
                      "How many boundaries of the part lie between them.",
                      "time_diff(time '15:30:00', time '14:35:00', minute)", "55"),
    EVS_TIME_FUNCTION("time_trunc", "time_trunc(time, part) → time", "The start of the part that holds it.",
                      "time_trunc(time '15:30:31', minute)", "15:30:00"),
    EVS_TIME_FUNCTION(
        "quiet_until", "quiet_until(timestamp, zone, time, time) → timestamp",
        "The first moment, from this one on, at which a clock in the zone is outside of the hours from … until: "
        "itself, or the end of the night.",
        "quiet_until(timestamp '2026-03-28 23:00:00Z', 'Europe/Berlin', time '21:00:00', time '08:00:00')",
        "2026-03-29 06:00:00+00"),
    EVS_TIME_FUNCTION("current_timestamp", "current_timestamp() → timestamp",
                      "When the row came in, else its event time: the same in a replay.", "current_timestamp() is null",
                      "false"),
    EVS_TIME_FUNCTION("current_date", "current_date([zone]) → date", "The day of current_timestamp().",
                      "current_date('Europe/Berlin') is null", "false"),
    EVS_TIME_FUNCTION("current_datetime", "current_datetime([zone]) → datetime",
                      "The day and the clock of current_timestamp().",
                      "current_datetime() = datetime(current_timestamp())", "true"),
    EVS_TIME_FUNCTION("current_time", "current_time([zone]) → time", "The clock of current_timestamp().",
                      "current_time('UTC') = time(current_timestamp())", "true"),
};

const struct evs_family evs_family_clock = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
