/* Arrays from other things: generate_array, generate_date_array, generate_timestamp_array, split. */
#include <math.h>

#include "nested_tools.h"
#include "text_tools.h"
#include "timestamps.h"

#define EACH_ROW_KERNEL(name, function)                                                                                \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            EVS_ROW_DONE(call, row, function(call, row));                                                              \
        }                                                                                                              \
    }

/* --- series -------------------------------------------------------------------------------------------------------- */

/* Adds a value; false when the array has grown too long. */
static bool add(struct evs_call *call, struct evs_value value)
{
    struct evs_nested_builder *builder = &call->eval->nested;
    evs_nested_add(builder, &value);
    return evs_nested_bytes(builder) <= EVS_TEXT_BYTES_MAX;
}

static enum evs_row int64_series(struct evs_call *call, int64_t at, int64_t end, int64_t step)
{
    if (step == 0) {
        return EVS_ROW_ARGUMENT;
    }
    while (step > 0 ? at <= end : at >= end) {
        if (!add(call, (struct evs_value){.kind = EVS_INT64, .int64 = at})) {
            return EVS_ROW_TOO_LONG;
        }
        if (__builtin_add_overflow(at, step, &at)) {
            break;
        }
    }
    return EVS_ROW_OK;
}

static enum evs_row numeric_series(struct evs_call *call, evs_numeric at, evs_numeric end, evs_numeric step)
{
    if (step == 0) {
        return EVS_ROW_ARGUMENT;
    }
    while (step > 0 ? at <= end : at >= end) {
        if (!add(call, (struct evs_value){.kind = EVS_NUMERIC, .numeric = at})) {
            return EVS_ROW_TOO_LONG;
        }
        if (!evs_numeric_add(at, step, &at)) {
            break;
        }
    }
    return EVS_ROW_OK;
}

/* Each value is start + i × step, so that rounding does not add up. */
static enum evs_row float64_series(struct evs_call *call, double start, double end, double step)
{
    if (step == 0 || !isfinite(start) || !isfinite(end) || !isfinite(step)) {
        return EVS_ROW_ARGUMENT;
    }
    for (double i = 0, at = start; step > 0 ? at <= end : at >= end; at = start + ++i * step) {
        if (!add(call, (struct evs_value){.kind = EVS_FLOAT64, .float64 = at})) {
            return EVS_ROW_TOO_LONG;
        }
    }
    return EVS_ROW_OK;
}

static enum evs_row series_row(struct evs_call *call, uint32_t row)
{
    const struct evs_value start = evs_call_value(call, 0, row), end = evs_call_value(call, 1, row);
    struct evs_value step = {.kind = start.kind};
    if (call->argument_count > 2) {
        step = evs_call_value(call, 2, row);
    } else if (start.kind == EVS_INT64) {
        step.int64 = 1;
    } else if (start.kind == EVS_NUMERIC) {
        step.numeric = EVS_NUMERIC_ONE;
    } else {
        step.float64 = 1;
    }
    evs_nested_begin_array(&call->eval->nested, start.kind);
    const enum evs_row outcome = start.kind == EVS_INT64 ? int64_series(call, start.int64, end.int64, step.int64)
                                 : start.kind == EVS_NUMERIC
                                     ? numeric_series(call, start.numeric, end.numeric, step.numeric)
                                     : float64_series(call, start.float64, end.float64, step.float64);
    return outcome == EVS_ROW_OK ? evs_call_set_built(call, row) : outcome;
}
EACH_ROW_KERNEL(series, series_row)

/* --- dates and times ----------------------------------------------------------------------------------------------- */

/* start + i × step, months counted from the start: 31 January, then 28 February, then 31 March. */
static bool date_at(int64_t start, const struct evs_interval *step, int64_t i, int64_t *days)
{
    int64_t months, moved, result = start;
    if (__builtin_mul_overflow(step->months, i, &months) || __builtin_mul_overflow(step->days, i, &moved)) {
        return false;
    }
    if (months != 0 && !evs_days_add_months(start, months, &result)) {
        return false;
    }
    *days = result + moved;
    return *days >= EVS_DAYS_MIN && *days <= EVS_DAYS_MAX;
}

static enum evs_row dates_row(struct evs_call *call, uint32_t row)
{
    const int64_t start = evs_call_value(call, 0, row).int64, end = evs_call_value(call, 1, row).int64;
    const struct evs_interval step =
        call->argument_count > 2 ? evs_call_value(call, 2, row).interval : (struct evs_interval){.days = 1};
    const int64_t direction = step.months * INT64_C(30) + step.days;
    if (step.us != 0 || direction == 0) {
        return EVS_ROW_ARGUMENT;
    }
    evs_nested_begin_array(&call->eval->nested, EVS_DATE);
    int64_t at = start;
    for (int64_t i = 1; direction > 0 ? at <= end : at >= end; i++) {
        if (!add(call, (struct evs_value){.kind = EVS_DATE, .int64 = at})) {
            return EVS_ROW_TOO_LONG;
        }
        if (!date_at(start, &step, i, &at)) {
            break;
        }
    }
    return evs_call_set_built(call, row);
}
EACH_ROW_KERNEL(dates, dates_row)

static enum evs_row timestamps_row(struct evs_call *call, uint32_t row)
{
    int64_t at = evs_call_value(call, 0, row).int64;
    const int64_t end = evs_call_value(call, 1, row).int64;
    const struct evs_interval interval = evs_call_value(call, 2, row).interval;
    const __int128 step = (__int128)interval.days * EVS_US_PER_DAY + interval.us;
    if (interval.months != 0 || step == 0) {
        return EVS_ROW_ARGUMENT;
    }
    evs_nested_begin_array(&call->eval->nested, EVS_TIMESTAMP);
    while (step > 0 ? at <= end : at >= end) {
        if (!add(call, (struct evs_value){.kind = EVS_TIMESTAMP, .int64 = at})) {
            return EVS_ROW_TOO_LONG;
        }
        const __int128 next = at + step;
        if (next < EVS_TIMESTAMP_MIN || next > EVS_TIMESTAMP_MAX) {
            break;
        }
        at = (int64_t)next;
    }
    return evs_call_set_built(call, row);
}
EACH_ROW_KERNEL(timestamps, timestamps_row)

/* --- split --------------------------------------------------------------------------------------------------------- */

static void add_piece(struct evs_call *call, struct evs_slice piece)
{
    const struct evs_value value = {.kind = evs_call_type(call)->element->kind,
                                    .str = evs_str_make(piece.data, (uint32_t)piece.count)};
    evs_nested_add(&call->eval->nested, &value);
}

/* By characters, or by bytes of bytes. */
static void split_apart(struct evs_call *call, struct evs_slice text)
{
    const bool is_bytes = evs_call_type(call)->element->kind == EVS_BYTES;
    for (size_t at = 0; at < text.count;) {
        const size_t bytes = is_bytes ? 1 : evs_utf8_bytes(text.data[at]);
        add_piece(call, (struct evs_slice){text.data + at, bytes});
        at += bytes;
    }
}

static enum evs_row split_row(struct evs_call *call, uint32_t row)
{
    const struct evs_value text = evs_call_value(call, 0, row);
    struct evs_value between = {.kind = EVS_STRING, .str = evs_str_make(",", 1)};
    if (call->argument_count > 1) {
        between = evs_call_value(call, 1, row);
    }
    struct evs_slice rest = evs_str_slice(&text.str);
    const struct evs_slice mark = evs_str_slice(&between.str);
    evs_nested_begin_array(&call->eval->nested, evs_call_type(call)->element->kind);
    if (mark.count == 0 && rest.count > 0) {
        split_apart(call, rest);
        return evs_call_set_built(call, row);
    }
    const char *found = NULL;
    while (mark.count > 0 && (found = memmem(rest.data, rest.count, mark.data, mark.count)) != NULL) {
        add_piece(call, (struct evs_slice){rest.data, (size_t)(found - rest.data)});
        rest.count -= (size_t)(found - rest.data) + mark.count;
        rest.data = found + mark.count;
    }
    add_piece(call, rest);
    return evs_call_set_built(call, row);
}
EACH_ROW_KERNEL(split, split_row)

/* --- tables -------------------------------------------------------------------------------------------------------- */

#define MAKE(name_, kernel_, result_, required_, ...)                                                                  \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = EVS_ARG_ARRAY_OF(result_), .arguments = {__VA_ARGS__},         \
        .required = (required_), .flags = EVS_CALL_FALLIBLE                                                            \
    }
static const struct evs_overload overloads[] = {
    MAKE("generate_array", series, EVS_INT64, 2, EVS_INT64, EVS_INT64, EVS_INT64),
    MAKE("generate_array", series, EVS_NUMERIC, 2, EVS_NUMERIC, EVS_NUMERIC, EVS_NUMERIC),
    MAKE("generate_array", series, EVS_FLOAT64, 2, EVS_FLOAT64, EVS_FLOAT64, EVS_FLOAT64),
    MAKE("generate_date_array", dates, EVS_DATE, 2, EVS_DATE, EVS_DATE, EVS_INTERVAL),
    MAKE("generate_timestamp_array", timestamps, EVS_TIMESTAMP, 3, EVS_TIMESTAMP, EVS_TIMESTAMP, EVS_INTERVAL),
    MAKE("split", split, EVS_STRING, 1, EVS_STRING, EVS_STRING),
    MAKE("split", split, EVS_BYTES, 2, EVS_BYTES, EVS_BYTES),
};

#define ENTRY(name_, signature_, meaning_, example_, result_)                                                          \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_ARRAY, .signature = (signature_), .meaning = (meaning_),                 \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    ENTRY("generate_array", "generate_array(T, T [, step T]) → array<T>",
          "The numbers from the first to the second, 1 or the step apart.", "generate_array(1, 10, 4)", "[1, 5, 9]"),
    ENTRY("generate_date_array", "generate_date_array(date, date [, interval]) → array<date>",
          "The days from the first to the second, 1 day or the interval apart.",
          "generate_date_array('2024-01-31', '2024-03-31', interval 1 month)", "[2024-01-31, 2024-02-29, 2024-03-31]"),
    ENTRY("generate_timestamp_array", "generate_timestamp_array(timestamp, timestamp, interval) → array<timestamp>",
          "The times from the first to the second, the interval apart (days and smaller units).",
          "generate_timestamp_array('2026-01-05T10:00:00Z', '2026-01-05T10:30:00Z', interval 20 minute)",
          "[2026-01-05 10:00:00+00, 2026-01-05 10:20:00+00]"),
    ENTRY("split", "split(string [, string]) → array<string>; split(bytes, bytes) → array<bytes>",
          "The pieces between the second text, a comma when it is left out; by an empty text, the characters.",
          "split('a,b,,c')", "[a, b, , c]"),
};

const struct evs_family evs_family_generate = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
