/* format(): C's printf for values of the language, as GoogleSQL has it.
 *
 *   %[flags][width][.precision]specifier       flags - + space # 0 '      width and precision: a number, or * for an argument
 *
 * A number is appended as three pieces, and padded as one, where it stands:
 *
 *   sign      prefix   body (its whole digits grouped by ')        zeros of flag 0 stand behind the prefix
 *    -          0x     1,234.500000
 *
 * A numeric is written from its decimal digits, exactly; a float64 by libc, which is exact too. A constant format is checked when
 * the call is built, each specifier against the type of its argument; one that rows bring makes the row fail. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "format_value.h"
#include "nested_tools.h"
#include "text_tools.h"

/* --- specifiers --------------------------------------------------------------------------------------------------- */

#define FROM_ARGUMENT (-2)
#define NOT_GIVEN (-1)
#define SIZE_MAX_GIVEN 100000 /* of width and precision: nobody wants more, and results are bounded */

struct specifier {
    bool minus, plus, space, sharp, zero, quote;
    int32_t width, precision;
    char letter;
};

static bool take_flag(struct specifier *spec, char c)
{
    bool *const flag = c == '-'    ? &spec->minus
                       : c == '+'  ? &spec->plus
                       : c == ' '  ? &spec->space
                       : c == '#'  ? &spec->sharp
                       : c == '0'  ? &spec->zero
                       : c == '\'' ? &spec->quote
                                   : NULL;
    if (flag != NULL) {
        *flag = true;
    }
    return flag != NULL;
}

/* A number or a star; NOT_GIVEN when there is neither. False when it is too large. */
static bool take_size(struct evs_slice format, size_t *at, int32_t *size)
{
    *size = NOT_GIVEN;
    if (*at < format.count && format.data[*at] == '*') {
        (*at)++;
        *size = FROM_ARGUMENT;
        return true;
    }
    for (; *at < format.count && format.data[*at] >= '0' && format.data[*at] <= '9'; (*at)++) {
        *size = (*size == NOT_GIVEN ? 0 : *size) * 10 + (format.data[*at] - '0');
        if (*size > SIZE_MAX_GIVEN) {
            return false;
        }
    }
    return true;
}

/* Reads what follows a %, `*at` behind it. False when that is no specifier. */
static bool take_specifier(struct evs_slice format, size_t *at, struct specifier *spec)
{
    *spec = (struct specifier){.precision = NOT_GIVEN};
    while (*at < format.count && take_flag(spec, format.data[*at])) {
        (*at)++;
    }
    if (!take_size(format, at, &spec->width)) {
        return false;
    }
    if (*at < format.count && format.data[*at] == '.') {
        (*at)++;
        if (!take_size(format, at, &spec->precision)) {
            return false;
        }
        spec->precision = spec->precision == NOT_GIVEN ? 0 : spec->precision;
    }
    if (*at == format.count) {
        return false;
    }
    spec->letter = format.data[(*at)++];
    return strchr("diouxXfFeEgGaAstTp%", spec->letter) != NULL;
}

static bool is_integer(char letter)
{
    return strchr("dioxX", letter) != NULL;
}
static bool is_decimal(char letter)
{
    return strchr("fFeEgG", letter) != NULL;
}
/* Whether a specifier shows values of this kind. */
static bool fits(char letter, enum evs_kind kind)
{
    switch (letter) {
    case 's':
        return kind == EVS_STRING;
    case 'p':
        return kind == EVS_JSON;
    case 'a':
    case 'A':
        return kind == EVS_FLOAT64;
    case 't':
    case 'T':
        return true;
    default:
        return (is_integer(letter) && kind == EVS_INT64) ||
               (is_decimal(letter) && (kind == EVS_FLOAT64 || kind == EVS_NUMERIC));
    }
}
static const char *wanted_by(char letter)
{
    return letter == 's'        ? "a string; %t shows any value"
           : letter == 'p'      ? "a json"
           : letter == 'u'      ? "an unsigned integer, which there is not; write %d"
           : is_integer(letter) ? "an int64"
           : is_decimal(letter) ? "a float64 or a numeric"
                                : "a float64";
}

/* --- padding, in place -------------------------------------------------------------------------------------------- */

/* A value is appended as sign, prefix and body; then it is grouped and padded where it stands. */
static void insert(struct evs_buffer *out, size_t at, char c, int64_t times)
{
    if (times <= 0) {
        return;
    }
    EVS_ASSERT(at <= out->count);
    evs_buffer_reserve(out, (size_t)times);
    memmove(out->data + at + times, out->data + at, out->count - at);
    memset(out->data + at, c, (size_t)times);
    out->count += (size_t)times;
}

/* Pads what stands from `start` on; zeros go behind its first `head` bytes. */
static void pad(struct evs_buffer *out, const struct specifier *spec, size_t start, size_t head, bool may_have_zeros)
{
    const int64_t shown = evs_utf8_count((struct evs_slice){out->data + start, out->count - start});
    const bool zeros = may_have_zeros && spec->zero && !spec->minus;
    insert(out, spec->minus ? out->count : zeros ? start + head : start, zeros ? '0' : ' ', spec->width - shown);
}

/* Puts a mark between groups of digits, counted from `to` back to `from`. */
static void group(struct evs_buffer *out, size_t from, size_t to, uint32_t size, char mark)
{
    for (size_t at = to; at > from + size;) {
        at -= size;
        insert(out, at, mark, 1);
    }
}

static const char *sign_of(const struct specifier *spec, bool negative)
{
    return negative ? "-" : spec->plus ? "+" : spec->space ? " " : "";
}

/* --- integers ----------------------------------------------------------------------------------------------------- */

static void put_integer(struct evs_buffer *out, const struct specifier *spec, int64_t value)
{
    static const char *const forms[] = {"%" PRIu64, "%" PRIo64, "%" PRIx64, "%" PRIX64};
    const bool octal = spec->letter == 'o', hex = (spec->letter | 0x20) == 'x';
    const uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    const size_t start = out->count;
    char digits[32];
    const int count = value == 0 && spec->precision == 0 /* shows nothing */
                          ? 0
                          : snprintf(digits, sizeof digits,
                                     forms[octal                 ? 1
                                           : !hex                ? 0
                                           : spec->letter == 'x' ? 2
                                                                 : 3],
                                     magnitude);
    evs_buffer_puts(out, sign_of(spec, value < 0));
    evs_buffer_puts(out, hex && spec->sharp && value != 0 ? (spec->letter == 'x' ? "0x" : "0X") : "");
    const size_t body = out->count;
    insert(out, body, '0', spec->precision - count);
    evs_buffer_put(out, digits, (size_t)count);
    if (octal && spec->sharp && (out->count == body || out->data[body] != '0')) {
        insert(out, body, '0', 1);
    }
    if (spec->quote) {
        group(out, body, out->count, octal || hex ? 4 : 3, hex ? ':' : ',');
    }
    pad(out, spec, start, body - start, spec->precision == NOT_GIVEN);
}

/* --- decimal numbers ---------------------------------------------------------------------------------------------- */

/* 0.d1d2d3… × 10^exponent: d1 is not 0, and zero has no digits. */
struct decimal {
    char digits[48];
    int32_t count, exponent;
};

static struct decimal decimal_of(evs_numeric value)
{
    struct decimal decimal = {.exponent = -9};
    unsigned __int128 magnitude = value < 0 ? 0 - (unsigned __int128)value : (unsigned __int128)value;
    char reversed[48];
    for (; magnitude > 0; magnitude /= 10) {
        reversed[decimal.count++] = (char)('0' + (int)(magnitude % 10));
    }
    for (int32_t i = 0; i < decimal.count; i++) {
        decimal.digits[i] = reversed[decimal.count - 1 - i];
    }
    decimal.exponent += decimal.count;
    return decimal;
}

/* Keeps so many digits, half away from zero. */
static void round_decimal(struct decimal *decimal, int32_t kept)
{
    if (kept >= decimal->count) {
        return;
    }
    const bool up = kept >= 0 && decimal->digits[kept] >= '5';
    decimal->count = kept > 0 ? kept : 0;
    if (!up) {
        decimal->exponent = decimal->count == 0 ? -9 : decimal->exponent;
        return;
    }
    int32_t at = decimal->count;
    while (at > 0 && decimal->digits[at - 1] == '9') {
        at--;
    }
    if (at == 0) { /* 0.999 becomes 1: one digit, one place higher */
        decimal->digits[0] = '1';
        decimal->count = 1;
        decimal->exponent++;
        return;
    }
    decimal->digits[at - 1]++;
    decimal->count = at;
}

/* Digit number `place` counted from the point: 0 is the first behind it, -1 the last before it. */
static char digit_at(const struct decimal *decimal, int32_t place)
{
    const int32_t index = decimal->exponent + place;
    return index >= 0 && index < decimal->count ? decimal->digits[index] : '0';
}

static void put_fixed(struct evs_buffer *out, struct decimal decimal, int32_t precision, bool sharp)
{
    round_decimal(&decimal, decimal.exponent + precision);
    const int32_t whole = decimal.count > 0 && decimal.exponent > 0 ? decimal.exponent : 1;
    for (int32_t place = -whole; place < precision; place++) {
        if (place == 0) {
            evs_buffer_puts(out, ".");
        }
        const char digit = digit_at(&decimal, place);
        evs_buffer_put(out, &digit, 1);
    }
    evs_buffer_puts(out, precision == 0 && sharp ? "." : "");
}

static void put_scientific(struct evs_buffer *out, struct decimal decimal, int32_t precision, bool sharp)
{
    round_decimal(&decimal, precision + 1);
    for (int32_t i = 0; i <= precision; i++) {
        const char digit = i < decimal.count ? decimal.digits[i] : '0';
        evs_buffer_put(out, &digit, 1);
        evs_buffer_puts(out, i == 0 && (precision > 0 || sharp) ? "." : "");
    }
    evs_buffer_printf(out, "e%+03d", decimal.count > 0 ? decimal.exponent - 1 : 0);
}

/* Zeros behind the point go, and a point with nothing behind it; an exponent stays. */
static void drop_zeros(struct evs_buffer *out, size_t start)
{
    const char *text = out->data + start;
    const char *exponent = memchr(text, 'e', out->count - start);
    const size_t end = exponent ? (size_t)(exponent - out->data) : out->count;
    if (memchr(text, '.', end - start) == NULL) {
        return;
    }
    size_t kept = end;
    while (out->data[kept - 1] == '0') {
        kept--;
    }
    kept -= out->data[kept - 1] == '.';
    memmove(out->data + kept, out->data + end, out->count - end);
    out->count -= end - kept;
}

static void put_shortest(struct evs_buffer *out, const struct decimal *decimal, int32_t precision, bool sharp)
{
    const size_t start = out->count;
    const int32_t significant = precision == 0 ? 1 : precision;
    struct decimal rounded = *decimal;
    round_decimal(&rounded, significant);
    const int32_t exponent = rounded.count > 0 ? rounded.exponent - 1 : 0;
    if (exponent < -4 || exponent >= significant) {
        put_scientific(out, *decimal, significant - 1, sharp);
    } else {
        put_fixed(out, *decimal, significant - 1 - exponent, sharp);
    }
    if (!sharp) {
        drop_zeros(out, start);
    }
}

static void put_numeric(struct evs_buffer *out, const struct specifier *spec, evs_numeric value)
{
    const size_t start = out->count;
    const struct decimal decimal = decimal_of(value);
    const int32_t precision = spec->precision == NOT_GIVEN ? 6 : spec->precision;
    switch (spec->letter | 0x20) {
    case 'f':
        put_fixed(out, decimal, precision, spec->sharp);
        break;
    case 'e':
        put_scientific(out, decimal, precision, spec->sharp);
        break;
    default:
        put_shortest(out, &decimal, precision, spec->sharp);
    }
    for (size_t i = start; i < out->count && (spec->letter & 0x20) == 0; i++) {
        out->data[i] = out->data[i] == 'e' ? 'E' : out->data[i];
    }
}

static void put_float64(struct evs_buffer *out, const struct specifier *spec, double magnitude)
{
    char form[8] = {'%'};
    char *at = form + 1;
    if (spec->sharp) {
        *at++ = '#';
    }
    const bool is_given = spec->precision != NOT_GIVEN;
    at = is_given ? stpcpy(at, ".*") : at;
    *at = spec->letter;
    evs_buffer_reserve(out, 400 + (is_given ? (size_t)spec->precision : 0));
    const size_t room = out->capacity - out->count;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const int count = is_given ? snprintf(out->data + out->count, room, form, spec->precision, magnitude)
                               : snprintf(out->data + out->count, room, form, magnitude);
#pragma GCC diagnostic pop
    EVS_ASSERT(count >= 0 && (size_t)count < room);
    out->count += (size_t)count;
}

/* Behind the digits that begin at `from`. */
static size_t digits_end(const struct evs_buffer *out, size_t from)
{
    while (from < out->count && out->data[from] >= '0' && out->data[from] <= '9') {
        from++;
    }
    return from;
}

static void put_number(struct evs_buffer *out, const struct specifier *spec, const struct evs_value *value)
{
    const bool is_numeric = value->kind == EVS_NUMERIC;
    const bool is_nan = !is_numeric && isnan(value->float64);
    const bool is_finite = is_numeric || isfinite(value->float64);
    const bool is_negative = is_numeric ? value->numeric < 0 : signbit(value->float64) != 0;
    const size_t start = out->count;
    evs_buffer_puts(out, is_nan ? "" : sign_of(spec, is_negative)); /* the sign of a NaN means nothing */
    const size_t body = out->count;
    if (is_numeric) {
        put_numeric(out, spec, value->numeric);
    } else {
        put_float64(out, spec, is_nan ? (double)NAN : fabs(value->float64));
    }
    const bool is_hex = (spec->letter | 0x20) == 'a';
    if (spec->quote && is_finite && !is_hex) {
        group(out, body, digits_end(out, body), 3, ',');
    }
    pad(out, spec, start, body - start + (is_hex && is_finite ? 2 : 0), is_finite);
}

/* --- texts -------------------------------------------------------------------------------------------------------- */

/* Of what stands from `start` on, the precision is the most characters that stay. */
static void trim_and_pad(struct evs_buffer *out, const struct specifier *spec, size_t start)
{
    if (spec->precision != NOT_GIVEN) {
        const struct evs_slice text = {out->data + start, out->count - start};
        out->count = start + evs_utf8_offset(text, spec->precision);
    }
    pad(out, spec, start, 0, false);
}

/* --- the function ------------------------------------------------------------------------------------------------- */

struct arguments {
    struct evs_call *call;
    uint32_t row, next;
};

static bool take_argument(struct arguments *arguments, struct evs_value *value)
{
    if (arguments->next >= arguments->call->argument_count) {
        return false;
    }
    *value = evs_call_value(arguments->call, arguments->next++, arguments->row);
    return true;
}

/* Width or precision from an argument. A negative width means the left side, a negative precision none. */
static enum evs_row take_star(struct arguments *arguments, struct specifier *spec, int32_t *size)
{
    struct evs_value value;
    if (*size != FROM_ARGUMENT) {
        return EVS_ROW_OK;
    }
    if (!take_argument(arguments, &value) || (value.kind != EVS_INT64 && !value.is_null)) {
        return EVS_ROW_ARGUMENT;
    }
    if (value.is_null) {
        return EVS_ROW_NULL;
    }
    if (value.int64 < -SIZE_MAX_GIVEN || value.int64 > SIZE_MAX_GIVEN) {
        return EVS_ROW_TOO_LONG;
    }
    const bool is_width = size == &spec->width;
    spec->minus = spec->minus || (is_width && value.int64 < 0);
    *size = value.int64 >= 0 ? (int32_t)value.int64 : is_width ? (int32_t)-value.int64 : NOT_GIVEN;
    return EVS_ROW_OK;
}

static enum evs_row put_specifier(struct evs_buffer *out, struct specifier *spec, struct arguments *arguments)
{
    struct evs_value value;
    enum evs_row outcome = take_star(arguments, spec, &spec->width);
    const enum evs_row precise = outcome > EVS_ROW_NULL ? outcome : take_star(arguments, spec, &spec->precision);
    outcome = outcome == EVS_ROW_OK ? precise : outcome;
    if (outcome > EVS_ROW_NULL) {
        return outcome;
    }
    if (!take_argument(arguments, &value) || (!value.is_null && !fits(spec->letter, value.kind))) {
        return EVS_ROW_ARGUMENT;
    }
    if (outcome == EVS_ROW_NULL || (value.is_null && (spec->letter | 0x20) != 't')) {
        return EVS_ROW_NULL;
    }
    const size_t start = out->count;
    if (spec->letter == 's') {
        evs_buffer_put(out, evs_str_data(&value.str), value.str.count);
        trim_and_pad(out, spec, start);
    } else if (strchr("tTp", spec->letter) != NULL) {
        evs_format_value(out, &arguments->call->eval->scratch, &value, spec->letter == 'T');
        trim_and_pad(out, spec, start);
    } else if (is_integer(spec->letter)) {
        put_integer(out, spec, value.int64);
    } else {
        put_number(out, spec, &value);
    }
    return EVS_ROW_OK;
}

static enum evs_row format_row(struct evs_call *call, uint32_t row, struct evs_str *out)
{
    const struct evs_value pattern = evs_call_value(call, 0, row);
    if (pattern.is_null) {
        return EVS_ROW_NULL;
    }
    const struct evs_slice format = evs_str_slice(&pattern.str);
    struct arguments arguments = {call, row, 1};
    struct evs_buffer *built = &call->eval->buffer;
    bool is_null = false;
    built->count = 0;
    for (size_t i = 0; i < format.count;) {
        struct specifier spec;
        const char c = format.data[i++];
        if (c != '%') {
            evs_buffer_put(built, &c, 1);
            continue;
        }
        if (!take_specifier(format, &i, &spec)) {
            return EVS_ROW_ARGUMENT;
        }
        if (spec.letter == '%') {
            evs_buffer_puts(built, "%");
            continue;
        }
        const enum evs_row outcome = put_specifier(built, &spec, &arguments);
        if (outcome > EVS_ROW_NULL || built->count > EVS_TEXT_BYTES_MAX) {
            return outcome > EVS_ROW_NULL ? outcome : EVS_ROW_TOO_LONG;
        }
        is_null = is_null || outcome == EVS_ROW_NULL;
    }
    if (arguments.next < call->argument_count) {
        return EVS_ROW_ARGUMENT; /* more than the format takes */
    }
    *out = evs_call_str(call, built->count > 0 ? built->data : "", built->count);
    return is_null ? EVS_ROW_NULL : EVS_ROW_OK;
}

static void format_kernel(struct evs_call *call)
{
    struct evs_str *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        EVS_ROW_DONE(call, row, format_row(call, row, &out[row]));
    }
}

/* --- checking a constant format ----------------------------------------------------------------------------------- */

struct check {
    const struct evs_expr *expr;
    struct evs_error *error;
    uint32_t next;
};

static evs_status check_argument(struct check *check, struct evs_slice written, char letter)
{
    const struct evs_expr *expr = check->expr;
    if (check->next >= expr->argument_count) {
        return evs_fail(check->error, EVS_E_PIPELINE,
                        "the format %s has more specifiers than there are arguments: `%.*s`", expr->arguments[0]->text,
                        (int)written.count, written.data);
    }
    const struct evs_expr *argument = expr->arguments[check->next++];
    const enum evs_kind kind = argument->type->kind;
    const bool is_star = letter == '*';
    if (evs_expr_is_null(argument) || (is_star ? kind == EVS_INT64 : fits(letter, kind))) {
        return EVS_OK;
    }
    return evs_fail(check->error, EVS_E_PIPELINE, "`%.*s` shows %s, and %s is %s", (int)written.count, written.data,
                    is_star ? "a width or precision, which is an int64" : wanted_by(letter), argument->text,
                    evs_kind_name(kind));
}

static evs_status check_format(struct check *check, struct evs_slice format)
{
    evs_status status = EVS_OK;
    for (size_t i = 0; i < format.count && status == EVS_OK;) {
        struct specifier spec;
        const size_t from = i;
        if (format.data[i++] != '%') {
            continue;
        }
        const bool known = take_specifier(format, &i, &spec);
        const struct evs_slice written = {format.data + from, i - from};
        if (!known) {
            return evs_fail(
                check->error, EVS_E_PIPELINE,
                "`%.*s` is no specifier of format; there are %%d %%o %%x %%X %%f %%e %%g %%a %%s %%t %%T %%p "
                "and %%%%",
                (int)written.count, written.data);
        }
        status = spec.width == FROM_ARGUMENT ? check_argument(check, written, '*') : status;
        status = status == EVS_OK && spec.precision == FROM_ARGUMENT ? check_argument(check, written, '*') : status;
        status = status == EVS_OK && spec.letter != '%' ? check_argument(check, written, spec.letter) : status;
    }
    return status;
}

static evs_status prepare_format(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                 struct evs_error *error)
{
    (void)arena;
    const struct evs_expr *format = expr->arguments[0];
    *prepared = NULL;
    if (format->kind != EVS_EXPR_CONSTANT || format->value.is_null) {
        return EVS_OK;
    }
    struct check check = {expr, error, 1};
    const evs_status status = check_format(&check, evs_str_slice(&format->value.str));
    if (status == EVS_OK && check.next < expr->argument_count) {
        return evs_fail(error, EVS_E_PIPELINE, "the format %s shows %u values, and there are %u", format->text,
                        check.next - 1, expr->argument_count - 1);
    }
    return status;
}

static const struct evs_overload overloads[] = {
    {.name = "format",
     .kernel = format_kernel,
     .prepare = prepare_format,
     .result = EVS_STRING,
     .arguments = {EVS_STRING, EVS_ARG_ANY},
     .required = 1,
     .flags = EVS_CALL_FALLIBLE | EVS_CALL_NULLABLE | EVS_CALL_VARIADIC | EVS_CALL_SEES_NULL},
};
static const struct evs_function functions[] = {
    {"format", EVS_FAMILY_STRING, "format(format string, T, …) → string",
     "The values written into the text where % stands: %d int64, %x hexadecimal, %f %e %g float64 and numeric, %s "
     "string, "
     "%t any value, %T any value as a literal; flags, width and precision as in C, ' groups thousands.",
     "format('%s: %\\'d items, %.2f EUR', 'cart', 1234, 9.5)", "cart: 1,234 items, 9.50 EUR"},
};

const struct evs_family evs_family_format = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
