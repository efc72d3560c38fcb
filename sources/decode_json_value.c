/* One value into one column: the conversions, each with a fast path for what producers really send.
 *
 * | column \ JSON | string            | number                    | true, false | object, array |
 * |---------------|-------------------|---------------------------|-------------|---------------|
 * | bool          | as cast           | type                      | as it is    | type          |
 * | int64         | as cast           | if integral; else type    | type        | type          |
 * | float64       | as cast           | nearest; beyond: range    | type        | type          |
 * | numeric       | as cast           | rounded at 9 digits; range| type        | type          |
 * | string, bytes | unescaped         | its text as written       | its text    | type          |
 * | json          | its text          | its text                  | its text    | its text      |
 * | timestamp     | ISO 8601          | with a unit; else type    | type        | type          |
 * | date, datetime, time | ISO 8601   | type                      | type        | type          |
 * | interval      | ISO 8601, Y-M D H:M:S | type                  | type        | type          |
 * | array, struct | type              | type                      | type        | see decode_json_nested.c |
 *
 * null is NULL in all of them, and bad, reason "null", where the column is not null. A string that does not convert is bad, reason
 * "type". A value is written to the row in hand; when the record turns out bad, the row is not counted and is written again. */
#include <math.h>
#include <stdlib.h>

#include "decode_json_store.h"
#include "evstream/json_value.h"

#define JSON_TIME_MIN_US INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define JSON_TIME_END_US INT64_C(253402300800000000) /* 10000-01-01T00:00:00Z */

/* --- NULL, fallbacks -------------------------------------------------------------------------------------------------- */

/* A batch has no validity bits for a column until its first NULL: its readers have a faster way for columns without. */
static void make_validity(struct json_decoder *decoder, struct evs_column *target)
{
    size_t bytes = EVS_VALID_WORDS(EVS_BATCH_ROWS) * sizeof(uint64_t);
    target->valid = evs_arena_alloc(decoder->arena, bytes, 64);
    memset(target->valid, 0xFF, bytes);
}

static bool store_null(struct json_decoder *decoder, struct json_column *column, const char *why)
{
    if (column->wish->not_null) {
        return evs_json_bad(decoder, "null", "%s: %s, and the column is `not null`.", column->wish->name, why);
    }
    if (column->target->valid == NULL) {
        make_validity(decoder, column->target);
    }
    evs_column_set_null(column->target, decoder->row);
    memset((char *)column->target->data + (size_t)decoder->row * evs_kind_width(column->wish->kind), 0,
           evs_kind_width(column->wish->kind));
    return true;
}

static void store_fallback(struct json_column *column, uint32_t row)
{
    const struct evs_value *value = &column->wish->fallback;
    EVS_ASSERT(value->kind == column->wish->kind && !value->is_null);
    switch (value->kind) {
    case EVS_BOOL:
        JSON_VALUE_AT(column, uint8_t, row) = value->boolean;
        break;
    case EVS_FLOAT64:
        JSON_VALUE_AT(column, double, row) = value->float64;
        break;
    case EVS_NUMERIC:
        JSON_VALUE_AT(column, evs_numeric, row) = value->numeric;
        break;
    case EVS_STRING:
    case EVS_BYTES:
    case EVS_JSON:
    case EVS_ARRAY:
    case EVS_STRUCT:
        JSON_VALUE_AT(column, struct evs_str, row) = value->str;
        break;
    case EVS_INTERVAL:
        JSON_VALUE_AT(column, struct evs_interval, row) = value->interval;
        break;
    default:
        EVS_ASSERT(evs_kind_width(value->kind) == sizeof(int64_t));
        JSON_VALUE_AT(column, int64_t, row) = value->int64;
    }
}

bool evs_json_store_missing(struct json_decoder *decoder)
{
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        struct json_column *column = &decoder->columns[i];
        if (column->record == decoder->record) {
            continue;
        }
        if (column->wish->has_default && !column->wish->fallback.is_null) {
            store_fallback(column, decoder->row);
        } else if (!store_null(decoder, column, "missing")) {
            return false;
        }
    }
    return true;
}

/* --- text ------------------------------------------------------------------------------------------------------------ */

#define FIRST_BYTES(count) (UINT64_MAX >> (64 - 8 * (count))) /* little-endian */
const uint64_t evs_json_kept_bytes[EVS_STR_INLINE_MAX + 1][2] = {
    {0, 0},
    {FIRST_BYTES(1), 0},
    {FIRST_BYTES(2), 0},
    {FIRST_BYTES(3), 0},
    {FIRST_BYTES(4), 0},
    {FIRST_BYTES(4), FIRST_BYTES(1)},
    {FIRST_BYTES(4), FIRST_BYTES(2)},
    {FIRST_BYTES(4), FIRST_BYTES(3)},
    {FIRST_BYTES(4), FIRST_BYTES(4)},
    {FIRST_BYTES(4), FIRST_BYTES(5)},
    {FIRST_BYTES(4), FIRST_BYTES(6)},
    {FIRST_BYTES(4), FIRST_BYTES(7)},
    {FIRST_BYTES(4), FIRST_BYTES(8)},
};

static bool unescape(struct json_decoder *decoder, struct evs_slice inside, struct evs_slice *text)
{
    char *out = evs_arena_alloc(decoder->arena, inside.count + EVS_STR_INLINE_MAX, 1);
    uint32_t count;
    if (!evs_json_unescape(inside, out, &count)) {
        return evs_json_bad(decoder, "json",
                            "Byte %u: a string has an escape that is none, or half of a surrogate pair.",
                            (uint32_t)(inside.data - decoder->start));
    }
    *text = (struct evs_slice){out, count};
    return true;
}

/* --- numbers --------------------------------------------------------------------------------------------------------- */

const int64_t evs_json_powers_of_ten[19] = {1,
                                            10,
                                            100,
                                            1000,
                                            10000,
                                            100000,
                                            1000000,
                                            10000000,
                                            100000000,
                                            1000000000,
                                            10000000000,
                                            100000000000,
                                            1000000000000,
                                            10000000000000,
                                            100000000000000,
                                            1000000000000000,
                                            10000000000000000,
                                            100000000000000000,
                                            1000000000000000000};

enum read { READ, READ_TYPE, READ_RANGE };

static enum read read_int64(struct evs_slice text, int64_t *value)
{
    struct evs_json_decimal number = evs_json_decimal(text);
    if (number.digits == 0) {
        *value = 0;
        return READ;
    }
    if (number.exponent < 0 || (number.more && number.exponent == 0)) {
        return READ_TYPE;
    }
    if (number.more || number.exponent > JSON_SHORT_DIGITS_MAX) {
        return READ_RANGE;
    }
    unsigned __int128 magnitude = (unsigned __int128)number.digits * (uint64_t)evs_json_powers_of_ten[number.exponent];
    if (magnitude > (uint64_t)INT64_MAX + number.negative) {
        return READ_RANGE;
    }
    *value = number.negative ? (int64_t)(0 - (uint64_t)magnitude) : (int64_t)magnitude;
    return READ;
}

/* A number of units since 1970, in µs; what is smaller than a µs is cut towards the past, as with ISO text. */
static enum read read_epoch(struct evs_slice text, int64_t unit_us, int64_t *us)
{
    struct evs_json_decimal number = evs_json_decimal(text);
    unsigned __int128 scaled = (unsigned __int128)number.digits * (unit_us > 0 ? (uint64_t)unit_us : 1);
    int64_t exponent = number.exponent - (unit_us > 0 ? 0 : 3); /* ns */
    bool rest = number.more;
    for (; exponent > 0 && scaled != 0; exponent--) {
        if (scaled > (uint64_t)INT64_MAX) {
            return READ_RANGE;
        }
        scaled *= 10;
    }
    for (; exponent < 0 && scaled != 0; exponent++) {
        rest |= scaled % 10 != 0;
        scaled /= 10;
    }
    if (scaled > (uint64_t)INT64_MAX) {
        return READ_RANGE;
    }
    *us = number.negative ? -(int64_t)scaled - rest : (int64_t)scaled;
    return *us < JSON_TIME_MIN_US || *us >= JSON_TIME_END_US ? READ_RANGE : READ;
}

static enum read read_float64(struct evs_slice text, const struct json_short *number, double *result)
{
    if (EVS_LIKELY(number->is_valid && evs_json_is_exact(number))) {
        *result = (double)number->digits / (double)evs_json_powers_of_ten[number->places];
        return READ;
    }
    return evs_parse_float64(text, result) && isfinite(*result) ? READ : READ_RANGE;
}

static enum read read_numeric(struct evs_slice text, const struct json_short *number, evs_numeric *result)
{
    if (EVS_LIKELY(number->is_valid && number->places <= JSON_NUMERIC_PLACES)) {
        *result = (evs_numeric)number->digits * evs_json_powers_of_ten[JSON_NUMERIC_PLACES - number->places];
        return READ;
    }
    return evs_parse_numeric(text, result) ? READ : READ_RANGE;
}

static enum read read_number(struct json_column *column, struct evs_slice text, const struct json_short *number,
                             uint32_t row)
{
    switch (column->wish->kind) {
    case EVS_INT64:
        if (EVS_LIKELY(number->is_valid && number->places == 0)) {
            JSON_VALUE_AT(column, int64_t, row) = number->digits;
            return READ;
        }
        return read_int64(text, &JSON_VALUE_AT(column, int64_t, row));
    case EVS_FLOAT64:
        return read_float64(text, number, &JSON_VALUE_AT(column, double, row));
    case EVS_NUMERIC:
        return read_numeric(text, number, &JSON_VALUE_AT(column, evs_numeric, row));
    case EVS_STRING:
    case EVS_BYTES:
    case EVS_JSON:
        evs_json_put_str(column, row, text);
        return READ;
    case EVS_TIMESTAMP:
        return column->wish->unit_us == 0
                   ? READ_TYPE
                   : read_epoch(text, column->wish->unit_us, &JSON_VALUE_AT(column, int64_t, row));
    default:
        return READ_TYPE;
    }
}

/* --- times ----------------------------------------------------------------------------------------------------------- */

static void remember_minute(struct json_column *column, const char *text)
{
    char minute[JSON_MINUTE_BYTES + 4];
    memcpy(minute, text, JSON_MINUTE_BYTES);
    memcpy(minute + JSON_MINUTE_BYTES, ":00Z", 4);
    if (evs_parse_timestamp((struct evs_slice){minute, sizeof minute}, false, &column->minute_us)) {
        memcpy(column->minute_text, text, JSON_MINUTE_BYTES);
    } else {
        column->minute_us = INT64_MIN;
    }
}

/* Neighbours in a stream lie in the same minute, so its date is worked out once. */
static inline bool read_timestamp(struct json_column *column, struct evs_slice text, int64_t *us)
{
    uint64_t minute[2];
    bool short_form = text.count >= JSON_MINUTE_BYTES + 4 && text.count <= JSON_MINUTE_BYTES + 11;
    if (short_form) {
        memcpy(minute, text.data, JSON_MINUTE_BYTES);
        int64_t rest = evs_json_seconds(text.data + JSON_MINUTE_BYTES, text.count - JSON_MINUTE_BYTES);
        if (EVS_LIKELY(rest >= 0 && minute[0] == column->minute_text[0] && minute[1] == column->minute_text[1] &&
                       column->minute_us != INT64_MIN)) {
            *us = column->minute_us + rest;
            return true;
        }
    }
    if (!evs_parse_timestamp(text, true, us)) {
        return false;
    }
    if (short_form) {
        remember_minute(column, text.data);
    }
    return true;
}

/* A time without a zone: what evs_parse_timestamp takes only when an offset may be missing. */
static bool read_local(struct evs_slice text, int64_t *us)
{
    int64_t ignored;
    return evs_parse_timestamp(text, true, us) && !evs_parse_timestamp(text, false, &ignored);
}

static bool read_time(struct evs_slice text, int64_t *us)
{
    char local[EVS_FORMAT_MAX] = "1970-01-01T";
    size_t date = strlen(local);
    if (text.count == 0 || text.count > sizeof local - date) {
        return false;
    }
    memcpy(local + date, text.data, text.count);
    return read_local((struct evs_slice){local, date + text.count}, us);
}

/* --- strings --------------------------------------------------------------------------------------------------------- */

/* `quoted` is the string as it stands in the record, `text` what it means. */
static inline bool read_string(struct json_column *column, struct evs_slice quoted, struct evs_slice text, uint32_t row)
{
    bool flag = false;
    switch (column->wish->kind) {
    case EVS_STRING:
    case EVS_BYTES:
        evs_json_put_str(column, row, text);
        return true;
    case EVS_JSON:
        evs_json_put_str(column, row, quoted);
        return true;
    case EVS_BOOL: {
        bool read = evs_parse_bool(text, &flag);
        JSON_VALUE_AT(column, uint8_t, row) = flag;
        return read;
    }
    case EVS_INT64:
        return evs_parse_int64(text, &JSON_VALUE_AT(column, int64_t, row));
    case EVS_FLOAT64:
        return evs_parse_float64(text, &JSON_VALUE_AT(column, double, row));
    case EVS_NUMERIC:
        return evs_parse_numeric(text, &JSON_VALUE_AT(column, evs_numeric, row));
    case EVS_TIMESTAMP:
        return read_timestamp(column, text, &JSON_VALUE_AT(column, int64_t, row));
    case EVS_DATE:
        return evs_parse_date(text, &JSON_VALUE_AT(column, int64_t, row));
    case EVS_DATETIME:
        return read_local(text, &JSON_VALUE_AT(column, int64_t, row));
    case EVS_TIME:
        return read_time(text, &JSON_VALUE_AT(column, int64_t, row));
    case EVS_INTERVAL:
        return evs_interval_from_text(text, &JSON_VALUE_AT(column, struct evs_interval, row));
    default: /* array, struct */
        return false;
    }
}

/* --- storing --------------------------------------------------------------------------------------------------------- */

static bool bad_type(struct json_decoder *decoder, const struct json_column *column, struct evs_slice text)
{
    bool no_unit = column->wish->kind == EVS_TIMESTAMP && column->wish->unit_us == 0 && text.data[0] != '"';
    return evs_json_bad_type(
        decoder, column->wish->name,
        no_unit ? "timestamp (a number needs a `unit` in the declaration)" : evs_kind_name(column->wish->kind), text);
}

static bool bad_scalar(struct json_decoder *decoder, struct evs_slice text, const char *what)
{
    return evs_json_bad(decoder, "json", "Byte %u: `%.*s` is no %s.", (uint32_t)(text.data - decoder->start),
                        evs_json_shown(text), text.data, what);
}

bool evs_json_store_string(struct json_decoder *decoder, struct json_node *node, struct evs_slice quoted, bool escaped)
{
    EVS_ASSERT(quoted.count >= 2 && quoted.data[quoted.count - 1] == '"');
    struct evs_slice text = {quoted.data + 1, quoted.count - 2};
    if (EVS_UNLIKELY(escaped) && !unescape(decoder, text, &text)) {
        return false;
    }
    for (struct json_column *column = node->columns; column != NULL; column = column->next) {
        evs_json_mark(decoder, column);
        if (EVS_UNLIKELY(!read_string(column, quoted, text, decoder->row))) {
            return bad_type(decoder, column, quoted);
        }
    }
    return true;
}

static bool bad_number(struct json_decoder *decoder, const struct json_column *column, struct evs_slice text,
                       enum read read)
{
    if (read == READ_TYPE) {
        return bad_type(decoder, column, text);
    }
    return evs_json_bad(decoder, "range", "%s: %.*s is beyond what %s can hold.", column->wish->name,
                        evs_json_shown(text), text.data, evs_kind_name(column->wish->kind));
}

static bool store_number(struct json_decoder *decoder, struct json_column *column, struct evs_slice text)
{
    struct json_short number = evs_json_short(text);
    if (EVS_UNLIKELY(!number.is_valid) && !evs_json_is_number(text)) {
        return bad_scalar(decoder, text, "number");
    }
    for (; column != NULL; column = column->next) {
        evs_json_mark(decoder, column);
        enum read read = read_number(column, text, &number, decoder->row);
        if (EVS_UNLIKELY(read != READ)) {
            return bad_number(decoder, column, text, read);
        }
    }
    return true;
}

static bool store_bool(struct json_decoder *decoder, struct json_column *column, struct evs_slice text, uint32_t row)
{
    switch (column->wish->kind) {
    case EVS_BOOL:
        JSON_VALUE_AT(column, uint8_t, row) = text.data[0] == 't';
        return true;
    case EVS_STRING:
    case EVS_BYTES:
    case EVS_JSON:
        evs_json_put_str(column, row, text);
        return true;
    default:
        return bad_type(decoder, column, text);
    }
}

static bool store_literal(struct json_decoder *decoder, struct json_column *column, struct evs_slice text)
{
    if (EVS_UNLIKELY(!evs_json_is_literal(text))) {
        return bad_scalar(decoder, text, "value");
    }
    for (; column != NULL; column = column->next) {
        evs_json_mark(decoder, column);
        if (!(text.data[0] == 'n' ? store_null(decoder, column, "null")
                                  : store_bool(decoder, column, text, decoder->row))) {
            return false;
        }
    }
    return true;
}

bool evs_json_store(struct json_decoder *decoder, struct json_node *node, struct evs_slice text)
{
    char first = text.data[0];
    if (first == '"') {
        bool escaped = evs_json_has_escape((struct evs_slice){text.data + 1, text.count - 2});
        return evs_json_store_string(decoder, node, text, escaped);
    }
    return first == '-' || (uint8_t)(first - '0') <= 9 ? store_number(decoder, node->columns, text)
                                                       : store_literal(decoder, node->columns, text);
}

bool evs_json_read_leaf(struct json_decoder *decoder, struct json_column *column, struct evs_slice text, bool *is_null)
{
    char first = text.data[0];
    *is_null = first == 'n';
    if (first == '"') {
        struct evs_slice inside = {text.data + 1, text.count - 2};
        if (evs_json_has_escape(inside) && !unescape(decoder, inside, &inside)) {
            return false;
        }
        return read_string(column, text, inside, 0) || bad_type(decoder, column, text);
    }
    if (first == '-' || (uint8_t)(first - '0') <= 9) {
        struct json_short number = evs_json_short(text);
        if (!number.is_valid && !evs_json_is_number(text)) {
            return bad_scalar(decoder, text, "number");
        }
        enum read read = read_number(column, text, &number, 0);
        return read == READ || bad_number(decoder, column, text, read);
    }
    if (!evs_json_is_literal(text)) {
        return bad_scalar(decoder, text, "value");
    }
    return *is_null || store_bool(decoder, column, text, 0);
}

bool evs_json_store_container(struct json_decoder *decoder, struct json_node *node, struct evs_slice text)
{
    for (struct json_column *column = node->columns; column != NULL; column = column->next) {
        if (column->nested != NULL) {
            evs_json_mark(decoder, column);
            if (!evs_json_read_nested(decoder, column->nested, text,
                                      &JSON_VALUE_AT(column, struct evs_str, decoder->row))) {
                return false;
            }
            continue;
        }
        if (column->wish->kind != EVS_JSON) {
            return evs_json_bad_type(decoder, column->wish->name, evs_kind_name(column->wish->kind),
                                     text.data[0] == '{' ? EVS_SLICE("an object") : EVS_SLICE("an array"));
        }
        evs_json_mark(decoder, column);
        evs_json_put_str(column, decoder->row, text);
    }
    return true;
}
