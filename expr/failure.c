/* Why a row can fail: the one table of reasons and codes. Reasons are metric labels and codes are documented:
 * neither ever changes. The texts name no value of the row, because a row may hold what a log must not. */
#include "internal.h"

static const struct evs_row_reason reasons[EVS_ROW_OUTCOMES] = {
    [EVS_ROW_OVERFLOW] = {"overflow", "R0101", "The result does not fit into its type."},
    [EVS_ROW_CAST] = {"cast", "R0102", "The value cannot be converted to this type; safe_cast gives NULL instead."},
    [EVS_ROW_DIVISION] = {"division_by_zero", "R0103", "The divisor is zero; safe_divide gives NULL instead."},
    [EVS_ROW_ARGUMENT] = {"argument", "R0104", "An argument is outside of what the function accepts."},
    [EVS_ROW_JSON] = {"json_type", "R0105", "The JSON value is not of the asked type, or the text is no JSON."},
    [EVS_ROW_TIME] = {"time_range", "R0106", "The result lies outside of the years 0001 to 9999."},
    [EVS_ROW_TOO_LONG] = {"too_long", "R0107", "The resulting text is longer than 1 MiB."},
    [EVS_ROW_UTF8] = {"utf8", "R0108", "The bytes are not valid UTF-8."},
    [EVS_ROW_REGEXP] = {"regexp", "R0109",
                        "The pattern is no regular expression, or the replacement does not fit to it."},
    [EVS_ROW_CALLED] = {"error", "R0110", "The pipeline itself called error() for this row."},
    [EVS_ROW_INDEX] = {"index", "R0111", "The array has no element there; safe_offset and safe_ordinal give NULL instead."},
};

const struct evs_row_reason *evs_row_reason(enum evs_row outcome)
{
    EVS_ASSERT(outcome > EVS_ROW_NULL && outcome < EVS_ROW_OUTCOMES);
    return &reasons[outcome];
}
