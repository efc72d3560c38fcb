/* Column types and single values.
 *
 * | kind      | column element        | meaning                                                            |
 * |-----------|-----------------------|--------------------------------------------------------------------|
 * | bool      | uint8_t               | 0 or 1                                                             |
 * | int64     | int64_t               |                                                                    |
 * | float64   | double                | NaN and infinities allowed                                         |
 * | numeric   | evs_numeric (__int128)| value × 10^9: 38 digits, 9 after the point (GoogleSQL NUMERIC)     |
 * | string    | struct evs_str        | valid UTF-8                                                        |
 * | bytes     | struct evs_str        | any bytes                                                          |
 * | json      | struct evs_str        | the JSON text as received, validated, without outer white space    |
 * | timestamp | int64_t               | microseconds since 1970-01-01 UTC                                  |
 * | date      | int64_t               | days since 1970-01-01                                              |
 * | datetime  | int64_t               | microseconds since 1970-01-01 in no zone                           |
 * | time      | int64_t               | microseconds since midnight                                        |
 * | interval  | struct evs_interval   | months, days, microseconds                                         |
 * | array     | struct evs_str        | the encoded elements (nested.h); NULL elements are allowed         |
 * | struct    | struct evs_str        | the encoded fields (nested.h)                                      |
 *
 * So there are two shapes: fixed width, and `struct evs_str` (evs_kind_is_var). Whatever copies, keeps, hashes, compares for equality
 * or stores elements needs to know the shape only, and treats an array as it treats a string. */
#ifndef EVS_TYPE_H
#define EVS_TYPE_H

#include "evstream/memory.h"
#include "evstream/text.h"

/* The numbers are part of the state format. */
enum evs_kind {
    EVS_NULL_KIND = 0, /* the type of a bare NULL literal; coerces to everything */
    EVS_BOOL = 1,
    EVS_INT64 = 2,
    EVS_FLOAT64 = 3,
    EVS_NUMERIC = 4,
    EVS_STRING = 5,
    EVS_BYTES = 6,
    EVS_JSON = 7,
    EVS_TIMESTAMP = 8,
    EVS_DATE = 9,
    EVS_DATETIME = 10,
    EVS_TIME = 11,
    EVS_INTERVAL = 12,
    EVS_ARRAY = 13,
    EVS_STRUCT = 14,
    EVS_KIND_COUNT
};

/* Types are static or live in their plan's arena: compare with evs_type_equal, pass by pointer, never free. */
struct evs_type_field {
    const char *name; /* "" when it has none: (1, 'a') */
    const struct evs_type *type;
};
struct evs_type {
    enum evs_kind kind;
    const struct evs_type *element;      /* array: no array itself */
    const struct evs_type_field *fields; /* struct */
    uint32_t field_count;
};
#define EVS_TYPE_DEPTH_MAX 16 /* types inside of types; the parser and evs_nested_valid hold to it */
#define EVS_STRUCT_FIELDS_MAX 256

const struct evs_type *evs_type_of(enum evs_kind kind);       /* a scalar kind */
const struct evs_type *evs_type_array_of(enum evs_kind kind); /* array of a scalar kind; static as well */
const struct evs_type *evs_type_array(struct evs_arena *arena, const struct evs_type *element);
/* Copies the fields and their names. */
const struct evs_type *evs_type_struct(struct evs_arena *arena, const struct evs_type_field *fields,
                                       uint32_t field_count);
/* The same structure and the same field names, in any case. */
bool evs_type_equal(const struct evs_type *a, const struct evs_type *b);
/* The same structure whatever the fields are called: values of the one are values of the other without any change. */
bool evs_type_equal_unnamed(const struct evs_type *a, const struct evs_type *b);
/* Number of the field with this name (any case); -1 when there is none, -2 when several have it. */
int32_t evs_type_field_index(const struct evs_type *type, struct evs_slice name);
/* "int64", "array<string>", "struct<a int64, b string>": as a user writes it. Appends. */
void evs_type_name(const struct evs_type *type, struct evs_buffer *out);
const char *evs_type_name_in(struct evs_arena *arena, const struct evs_type *type);
/* "int64", "timestamp", … as a user writes it. */
const char *evs_kind_name(enum evs_kind kind);
/* Accepts every spelling of the language (bigint, integer, int, double, float, text, varchar, decimal, boolean); NULL_KIND if unknown. */
enum evs_kind evs_kind_parse(struct evs_slice name);
/* Bytes of one column element: 1, 8 or 16. */
uint32_t evs_kind_width(enum evs_kind kind);
static inline bool evs_kind_is_text(enum evs_kind kind)
{
    return kind == EVS_STRING || kind == EVS_BYTES || kind == EVS_JSON;
}
/* The element is a `struct evs_str`: text, array and struct. What moves or keeps elements asks this, not evs_kind_is_text. */
static inline bool evs_kind_is_var(enum evs_kind kind)
{
    return evs_kind_is_text(kind) || kind == EVS_ARRAY || kind == EVS_STRUCT;
}
static inline bool evs_kind_is_nested(enum evs_kind kind)
{
    return kind == EVS_ARRAY || kind == EVS_STRUCT;
}

typedef __int128 evs_numeric;
#define EVS_NUMERIC_ONE ((evs_numeric)1000000000)
/* Largest magnitude: 99999999999999999999999999999.999999999 × 10^9, that is 10^38 - 1. */
evs_numeric evs_numeric_max(void);

struct evs_interval {
    int32_t months;
    int32_t days;
    int64_t us;
};

/* One value: literals, options, parameters, group keys under inspection. Text is borrowed. */
struct evs_value {
    enum evs_kind kind;
    bool is_null;
    union {
        bool boolean;
        int64_t int64; /* also timestamp, date, datetime, time */
        double float64;
        evs_numeric numeric;
        struct evs_str str; /* string, bytes, json; array, struct: encoded (nested.h) */
        struct evs_interval interval;
    };
};

/* --- text to value and back; none of these depends on the locale ------------------------------------------------- */

/* Parse the whole slice (no surrounding white space, no trailing bytes); false when it is not such a value. */
bool evs_parse_int64(struct evs_slice text, int64_t *value); /* decimal, optional sign, or 0x…; false on overflow */
/* Also inf, infinity, nan with a sign, any case. A number too large for float64 is none; one too small is 0. */
bool evs_parse_float64(struct evs_slice text, double *value);
/* Decimal or exponent notation; rounds half away from zero at 9 digits; false beyond 38 digits. */
bool evs_parse_numeric(struct evs_slice text, evs_numeric *value);
bool evs_parse_bool(struct evs_slice text, bool *value); /* true, false in any case */
/* ISO 8601 / RFC 3339: 2026-01-05T10:00:00[.f…][Z|±hh[:mm]], T or a space between; without an offset it is UTC when
 * `allow_no_offset`, else false. A date alone is its midnight (allow_no_offset only). Digits after the sixth are cut. A
 * leap second :60 is read as the next second's :00. Years 0001 to 9999. */
bool evs_parse_timestamp(struct evs_slice text, bool allow_no_offset, int64_t *us);
bool evs_parse_date(struct evs_slice text, int64_t *days);

#define EVS_FORMAT_MAX 64 /* bytes that a formatter below may write; none writes a NUL. Each returns the count. */
uint32_t evs_format_int64(char *out, int64_t value);
/* The fewest digits that read back the same, in ECMAScript's layout (100000, 1e+21, 1.5e-7, but -0 for the negative zero);
 * "NaN", "Infinity", "-Infinity". */
uint32_t evs_format_float64(char *out, double value);
uint32_t evs_format_numeric(char *out, evs_numeric value); /* exact, no trailing zeros */
/* 2026-01-05T10:00:00Z with no, three or six fraction digits, as needed. */
uint32_t evs_format_timestamp(char *out, int64_t us);
uint32_t evs_format_date(char *out, int64_t days);

/* Proleptic Gregorian calendar. */
int64_t evs_days_from_civil(int64_t year, uint32_t month, uint32_t day);
void evs_civil_from_days(int64_t days, int64_t *year, uint32_t *month, uint32_t *day);

/* Numeric arithmetic; false on overflow (beyond 38 digits) or, for divide, a zero divisor. Results round half away from zero. */
bool evs_numeric_add(evs_numeric a, evs_numeric b, evs_numeric *result);
bool evs_numeric_subtract(evs_numeric a, evs_numeric b, evs_numeric *result);
bool evs_numeric_multiply(evs_numeric a, evs_numeric b, evs_numeric *result);
bool evs_numeric_divide(evs_numeric a, evs_numeric b, evs_numeric *result);
bool evs_numeric_from_float64(double value, evs_numeric *result);
double evs_numeric_to_float64(evs_numeric value);
/* Rounds half away from zero; false when it does not fit. */
bool evs_numeric_to_int64(evs_numeric value, int64_t *result);

#endif
