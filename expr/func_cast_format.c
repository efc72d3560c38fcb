/* cast(x as type format '…' [at time zone z]): numbers and times as texts, texts as times, bytes as texts and back.
 *
 * The format is a constant, read when the cast is built (cast_model.h, number_model.h). For bytes it only names another
 * function: HEX is to_hex. */
#include "cast_model.h"
#include "number_model.h"
#include "text_tools.h"

struct prepared {
    const struct evs_model *times;
    const struct evs_number_model *numbers;
};

/* A cast with a zone has a time call in front, where evs_call_zone looks for it. */
struct prepared_call {
    struct evs_time_call time;
    struct prepared model;
};

static const struct prepared *model_of(const struct evs_call *call)
{
    const struct prepared_call *prepared = call->step->prepared;
    return prepared != NULL ? &prepared->model : NULL;
}

static uint8_t has_of(enum evs_kind kind)
{
    return kind == EVS_DATE       ? EVS_HAS_DATE
           : kind == EVS_TIME     ? EVS_HAS_CLOCK
           : kind == EVS_DATETIME ? EVS_HAS_BOTH
                                  : EVS_HAS_ALL;
}

static evs_status prepare(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                          struct evs_error *error)
{
    struct prepared_call *made = EVS_ARENA_NEW(arena, struct prepared_call);
    *made = (struct prepared_call){.model = {NULL, NULL}};
    const void *time;
    evs_status status = evs_prepare_zone(arena, expr, &time, error);
    if (status != EVS_OK) {
        return status;
    }
    made->time = *(const struct evs_time_call *)time;
    const struct evs_slice pattern = evs_str_slice(&expr->arguments[1]->value.str);
    const enum evs_kind from = evs_overload_kind(expr->overload, 0);
    const enum evs_kind to = (enum evs_kind)expr->overload->result;
    if (from == EVS_INT64 || from == EVS_NUMERIC || from == EVS_FLOAT64) {
        status = evs_number_model_new(arena, pattern, &made->model.numbers, error);
    } else {
        const bool parses = from == EVS_STRING;
        status = evs_model_new(arena, pattern, has_of(parses ? to : from), parses, &made->model.times, error);
    }
    *prepared = made;
    return status;
}

/* --- times -------------------------------------------------------------------------------------------------------- */

static enum evs_row format_time(struct evs_call *call, const struct evs_formatted *time, struct evs_str *out)
{
    const struct prepared *prepared = model_of(call);
    EVS_ASSERT(prepared != NULL); /* the format is a constant, and was read when the cast was built */
    char *text = evs_call_text(call, evs_model_bytes(prepared->times));
    *out = evs_str_make(text, (uint32_t)evs_model_format(prepared->times, time, text));
    return EVS_ROW_OK;
}

static enum evs_row format_in_zone(struct evs_call *call, int64_t us, struct evs_zone zone, struct evs_str *out)
{
    const int64_t minutes = (evs_call_local(call, zone, us) - us) / EVS_US_PER_MINUTE;
    const struct evs_formatted time = {
        .local = evs_moment_of(us + minutes * EVS_US_PER_MINUTE), .utc_us = us, .offset_minutes = (int)minutes};
    return format_time(call, &time, out);
}
static inline enum evs_row text_of_us_row(struct evs_call *call, const int64_t *a, struct evs_str *out)
{
    return format_in_zone(call, *a, evs_zone_utc_zone(), out);
}
static inline enum evs_row text_of_date_row(struct evs_call *call, const int64_t *a, struct evs_str *out)
{
    return format_in_zone(call, *a * EVS_US_PER_DAY, evs_zone_utc_zone(), out);
}
static inline enum evs_row text_of_timestamp_row(struct evs_call *call, const int64_t *a, const struct evs_str *format,
                                                 const struct evs_str *name, struct evs_str *out)
{
    (void)format;
    struct evs_zone zone;
    return evs_call_zone(call, name, &zone) ? format_in_zone(call, *a, zone, out) : EVS_ROW_ARGUMENT;
}
EVS_ROW_KERNEL_1(text_of_us, text_of_us_row, int64_t, struct evs_str)
EVS_ROW_KERNEL_1(text_of_date, text_of_date_row, int64_t, struct evs_str)
EVS_ROW_KERNEL_3(text_of_timestamp, text_of_timestamp_row, int64_t, struct evs_str, struct evs_str, struct evs_str)

static enum evs_row parse(struct evs_call *call, const struct evs_str *text, struct evs_zone zone, int64_t *us)
{
    const struct prepared *prepared = model_of(call);
    EVS_ASSERT(prepared != NULL);
    return evs_model_parse(prepared->times, evs_str_slice(text), zone, us) ? EVS_ROW_OK : EVS_ROW_CAST;
}
static inline enum evs_row us_of_text_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    return parse(call, a, evs_zone_utc_zone(), out);
}
static inline enum evs_row date_of_text_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    int64_t us = 0;
    const enum evs_row outcome = parse(call, a, evs_zone_utc_zone(), &us);
    *out = evs_floor_div(us, EVS_US_PER_DAY);
    return outcome;
}
static inline enum evs_row timestamp_of_text_row(struct evs_call *call, const struct evs_str *a,
                                                 const struct evs_str *format, const struct evs_str *name, int64_t *out)
{
    (void)format;
    struct evs_zone zone;
    return evs_call_zone(call, name, &zone) ? parse(call, a, zone, out) : EVS_ROW_ARGUMENT;
}
EVS_ROW_KERNEL_1(us_of_text, us_of_text_row, struct evs_str, int64_t)
EVS_ROW_KERNEL_1(date_of_text, date_of_text_row, struct evs_str, int64_t)
EVS_ROW_KERNEL_3(timestamp_of_text, timestamp_of_text_row, struct evs_str, struct evs_str, struct evs_str, int64_t)

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static enum evs_row format_number(struct evs_call *call, const struct evs_decimal *value, struct evs_str *out)
{
    const struct prepared *prepared = model_of(call);
    EVS_ASSERT(prepared != NULL);
    char text[EVS_NUMBER_BYTES_MAX];
    *out = evs_call_str(call, text, evs_number_format(prepared->numbers, value, text));
    return EVS_ROW_OK;
}
static inline enum evs_row text_of_int64_row(struct evs_call *call, const int64_t *a, struct evs_str *out)
{
    const struct evs_decimal value = {.is_negative = *a < 0, .units = *a < 0 ? 0 - (uint64_t)*a : (uint64_t)*a};
    return format_number(call, &value, out);
}
static inline enum evs_row text_of_numeric_row(struct evs_call *call, const evs_numeric *a, struct evs_str *out)
{
    const struct evs_decimal value = {
        .is_negative = *a < 0, .units = (unsigned __int128)(*a < 0 ? -*a : *a), .scale = 9};
    return format_number(call, &value, out);
}
static inline enum evs_row text_of_float64_row(struct evs_call *call, const double *a, struct evs_str *out)
{
    const struct evs_decimal value = {.is_negative = *a < 0,
                                      .is_nan = *a != *a,
                                      .is_infinite = *a - *a != 0 && *a == *a,
                                      .is_float = true,
                                      .float64 = *a};
    return format_number(call, &value, out);
}
EVS_ROW_KERNEL_1(text_of_int64, text_of_int64_row, int64_t, struct evs_str)
EVS_ROW_KERNEL_1(text_of_numeric, text_of_numeric_row, evs_numeric, struct evs_str)
EVS_ROW_KERNEL_1(text_of_float64, text_of_float64_row, double, struct evs_str)

/* --- the casts ---------------------------------------------------------------------------------------------------- */

#define CAST(from, to, kernel_)                                                                                        \
    {                                                                                                                  \
        .name = "cast", .kernel = (kernel_), .prepare = prepare, .result = (to),                                       \
        .arguments = {(from), EVS_ARG_CONSTANT}, .required = 2, .flags = EVS_CALL_FALLIBLE                             \
    }
#define CAST_IN_ZONE(from, to, kernel_)                                                                                \
    {                                                                                                                  \
        .name = "cast", .kernel = (kernel_), .prepare = prepare, .result = (to),                                       \
        .arguments = {(from), EVS_ARG_CONSTANT, EVS_STRING}, .required = 3, .flags = EVS_CALL_FALLIBLE,                \
        .variant = EVS_ZONE_AT(2)                                                                                      \
    }
static const struct evs_overload casts[] = {
    CAST(EVS_INT64, EVS_STRING, text_of_int64),
    CAST(EVS_NUMERIC, EVS_STRING, text_of_numeric),
    CAST(EVS_FLOAT64, EVS_STRING, text_of_float64),
    CAST(EVS_DATE, EVS_STRING, text_of_date),
    CAST(EVS_DATETIME, EVS_STRING, text_of_us),
    CAST(EVS_TIME, EVS_STRING, text_of_us),
    CAST(EVS_TIMESTAMP, EVS_STRING, text_of_us),
    CAST_IN_ZONE(EVS_TIMESTAMP, EVS_STRING, text_of_timestamp),
    CAST(EVS_STRING, EVS_DATE, date_of_text),
    CAST(EVS_STRING, EVS_DATETIME, us_of_text),
    CAST(EVS_STRING, EVS_TIME, us_of_text),
    CAST(EVS_STRING, EVS_TIMESTAMP, us_of_text),
    CAST_IN_ZONE(EVS_STRING, EVS_TIMESTAMP, timestamp_of_text),
};

static const struct evs_overload *find_cast(enum evs_kind from, enum evs_kind to, uint32_t count)
{
    for (size_t i = 0; i < EVS_COUNT(casts); i++) {
        if (casts[i].arguments[0] == from && casts[i].result == to && casts[i].required == count) {
            return &casts[i];
        }
    }
    return NULL;
}

/* Bytes as text and back: which function a format stands for. */
static const char *function_of_bytes(struct evs_slice format, bool to_text)
{
    static const struct {
        const char *format, *to_text, *to_bytes;
    } formats[] = {{"HEX", "to_hex", "from_hex"},
                   {"BASE16", "to_hex", "from_hex"},
                   {"BASE32", "to_base32", "from_base32"},
                   {"BASE64", "to_base64", "from_base64"}};
    for (size_t i = 0; i < EVS_COUNT(formats); i++) {
        if (evs_slice_equal_nocase(format, formats[i].format)) {
            return to_text ? formats[i].to_text : formats[i].to_bytes;
        }
    }
    return NULL;
}

static evs_status cast_bytes(struct evs_arena *arena, const struct evs_expr **arguments, const struct evs_type *type,
                             bool safe, struct evs_place place, const struct evs_expr **result, struct evs_error *error)
{
    const struct evs_slice format = evs_str_slice(&arguments[1]->value.str);
    if (evs_slice_equal_nocase(format, "UTF-8") || evs_slice_equal_nocase(format, "UTF8")) {
        return evs_expr_cast(arena, arguments[0], type, safe, place, result, error);
    }
    const char *name = function_of_bytes(format, type->kind == EVS_STRING);
    if (name == NULL) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "there is no format '%.*s' for bytes; there are HEX, BASE16, BASE32, BASE64 and UTF-8",
                        (int)format.count, format.data);
    }
    return evs_expr_call(arena, evs_slice_of(name), safe, arguments, 1, place, result, error);
}

/* As the user wrote it. */
static const char *text_of_cast(struct evs_arena *arena, const struct evs_expr *const *arguments, uint32_t count,
                                const struct evs_type *type, bool safe)
{
    return evs_arena_printf(arena, "%s(%s as %s format %s%s%s)", safe ? "safe_cast" : "cast", arguments[0]->text,
                            evs_kind_name(type->kind), arguments[1]->text, count > 2 ? " at time zone " : "",
                            count > 2 ? arguments[2]->text : "");
}

evs_status evs_expr_cast_format(struct evs_arena *arena, const struct evs_expr *const *arguments, uint32_t count,
                                const struct evs_type *type, bool safe, struct evs_place place,
                                const struct evs_expr **result, struct evs_error *error)
{
    EVS_ASSERT(count == 2 || count == 3);
    const struct evs_expr *all[3] = {arguments[0], arguments[1], count > 2 ? arguments[2] : NULL};
    const enum evs_kind from = all[0]->type->kind;
    if (all[1]->kind != EVS_EXPR_CONSTANT || all[1]->type->kind != EVS_STRING || all[1]->value.is_null) {
        return evs_fail(error, EVS_E_PIPELINE, "the format of a cast is a constant string");
    }
    if (from == EVS_NULL_KIND) {
        return evs_expr_cast(arena, all[0], type, safe, place, result, error);
    }
    if (count == 2 &&
        ((from == EVS_BYTES && type->kind == EVS_STRING) || (from == EVS_STRING && type->kind == EVS_BYTES))) {
        return cast_bytes(arena, all, type, safe, place, result, error);
    }
    const struct evs_overload *overload = find_cast(from, type->kind, count);
    if (overload == NULL) {
        return evs_fail(error, EVS_E_PIPELINE, "a cast of %s to %s takes no format%s", evs_kind_name(from),
                        evs_kind_name(type->kind), count > 2 ? " with a time zone" : "");
    }
    if (count > 2) {
        const evs_status status = evs_expr_coerce(arena, all[2], evs_type_of(EVS_STRING), &all[2], error);
        if (status != EVS_OK) {
            return status;
        }
    }
    const struct evs_expr *cast = evs_expr_typed_call(arena, overload, safe, all, count, place);
    ((struct evs_expr *)cast)->text = text_of_cast(arena, all, count, type, safe); /* made here: not yet shared */
    *result = cast;
    const void *prepared;
    return prepare(arena, cast, &prepared, error);
}
