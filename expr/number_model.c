/* Writing numbers by a pattern (number_model.h), with GoogleSQL's rules.
 *
 *   [blanks][sign][currency]body[sign]
 *
 * The body is the digits with their point and separators; where the number has fewer digits than the pattern, blanks stand in
 * front of the sign. A number that has too many becomes #. */
#include "number_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_MAX 60 /* of a pattern; a numeric has 38 */
#define PATTERN_BYTES_MAX 128
#define DECIMAL_BYTES_MAX 512 /* the digits of the largest float64 and as many behind its point */

enum sign { SIGN_LEADING_BLANK, SIGN_FRONT, SIGN_BEHIND, SIGN_MINUS_BEHIND, SIGN_BRACKETS };

struct evs_number_model {
    char whole[PATTERN_BYTES_MAX]; /* 0 9 and , */
    char part[PATTERN_BYTES_MAX];  /* behind the point or V */
    uint32_t whole_count, part_count, whole_digits, part_digits;
    const char *currency;
    enum sign sign;
    bool has_point, is_shifted, is_hexadecimal, is_blank_when_zero, is_filled;
    char exponent; /* E, e or 0 */
};

/* --- reading the pattern ------------------------------------------------------------------------------------------ */

struct reader {
    struct evs_slice pattern;
    size_t at;
    struct evs_number_model *model;
    bool has_sign, has_separator;
    struct evs_error *error;
};

static evs_status refuse(const struct reader *reader, const char *problem)
{
    return evs_fail(reader->error, EVS_E_PIPELINE,
                    "the format of the cast %s, at byte %zu; there are 0 9 X . D , G $ L C S MI PR B EEEE V FM",
                    problem, reader->at);
}

static bool take(struct reader *reader, const char *element)
{
    const size_t count = strlen(element);
    const struct evs_slice rest = {reader->pattern.data + reader->at, reader->pattern.count - reader->at};
    const bool found = rest.count >= count && evs_slice_equal_nocase((struct evs_slice){rest.data, count}, element);
    reader->at += found ? count : 0;
    return found;
}

static evs_status set_sign(struct reader *reader, enum sign sign)
{
    const bool must_end = sign == SIGN_MINUS_BEHIND || sign == SIGN_BRACKETS;
    if (reader->has_sign || (must_end && reader->at != reader->pattern.count)) {
        return refuse(reader, reader->has_sign ? "has two signs" : "has MI or PR that is not its end");
    }
    reader->has_sign = true;
    reader->model->sign = sign;
    return EVS_OK;
}

static evs_status set_currency(struct reader *reader, const char *currency)
{
    if (reader->model->currency != NULL) {
        return refuse(reader, "has two currencies");
    }
    reader->model->currency = currency;
    return EVS_OK;
}

static evs_status begin_part(struct reader *reader, bool is_shift)
{
    if (reader->has_separator || reader->model->exponent != 0) {
        return refuse(reader, "has two of point, V and exponent in a wrong order");
    }
    reader->has_separator = true;
    reader->model->has_point = !is_shift;
    reader->model->is_shifted = is_shift;
    return EVS_OK;
}

static evs_status add_digit(struct reader *reader, char c)
{
    struct evs_number_model *model = reader->model;
    const bool is_digit = c != ',';
    const uint32_t digits = reader->has_separator ? model->part_digits : model->whole_digits;
    if (model->exponent != 0 || digits + is_digit > DIGITS_MAX || (!is_digit && model->has_point)) {
        return refuse(reader, model->exponent != 0 ? "has digits behind its exponent"
                              : is_digit           ? "has more than 60 digits"
                                                   : "separates groups behind its point");
    }
    model->is_hexadecimal = model->is_hexadecimal || c == 'X' || c == 'x';
    if (reader->has_separator) {
        model->part[model->part_count++] = c;
        model->part_digits += is_digit;
    } else {
        model->whole[model->whole_count++] = c;
        model->whole_digits += is_digit;
    }
    return EVS_OK;
}

static evs_status read_element(struct reader *reader)
{
    struct evs_number_model *model = reader->model;
    const char c = reader->pattern.data[reader->at];
    const bool is_first = model->whole_count + model->part_count == 0 && !reader->has_separator;
    if (take(reader, "EEEE")) {
        model->exponent = c;
        return EVS_OK;
    }
    if (take(reader, "FM")) {
        model->is_filled = true;
        return EVS_OK;
    }
    if (take(reader, "MI")) {
        return set_sign(reader, SIGN_MINUS_BEHIND);
    }
    if (take(reader, "PR")) {
        return set_sign(reader, SIGN_BRACKETS);
    }
    if (take(reader, "S")) {
        return is_first || reader->at == reader->pattern.count
                   ? set_sign(reader, is_first ? SIGN_FRONT : SIGN_BEHIND)
                   : refuse(reader, "has S neither at its begin nor at its end");
    }
    if (take(reader, "$") || take(reader, "L")) {
        return set_currency(reader, "$");
    }
    if (take(reader, "C")) {
        return set_currency(reader, c == 'C' ? "USD" : "usd");
    }
    if (take(reader, "B")) {
        model->is_blank_when_zero = true;
        return EVS_OK;
    }
    if (take(reader, ".") || take(reader, "D")) {
        return begin_part(reader, false);
    }
    if (take(reader, "V")) {
        return begin_part(reader, true);
    }
    if (take(reader, ",") || take(reader, "G")) {
        return add_digit(reader, ',');
    }
    if (strchr("09Xx", c) != NULL) {
        reader->at++;
        return add_digit(reader, c);
    }
    return refuse(reader, "has an element that does not exist");
}

evs_status evs_number_model_new(struct evs_arena *arena, struct evs_slice pattern,
                                const struct evs_number_model **model, struct evs_error *error)
{
    struct evs_number_model *made = EVS_ARENA_NEW(arena, struct evs_number_model);
    *made = (struct evs_number_model){.sign = SIGN_LEADING_BLANK};
    struct reader reader = {.pattern = pattern, .model = made, .error = error};
    if (pattern.count >= PATTERN_BYTES_MAX) {
        return refuse(&reader, "is longer than 127 bytes");
    }
    while (reader.at < pattern.count) {
        const evs_status status = read_element(&reader);
        if (status != EVS_OK) {
            return status;
        }
    }
    if (made->whole_digits + made->part_digits == 0 || (made->exponent != 0 && made->is_shifted)) {
        return refuse(&reader, made->exponent != 0 ? "has V and an exponent" : "has no digit");
    }
    bool has_nine = false;
    for (uint32_t i = 0; i < made->whole_count; i++) {
        has_nine = has_nine || made->whole[i] == '9' || made->whole[i] == ',';
    }
    if (made->is_hexadecimal && (has_nine || reader.has_separator || made->exponent != 0 || made->currency != NULL ||
                                 made->is_blank_when_zero || made->whole_digits > 16)) {
        return refuse(&reader, "has X beside other elements than 0, FM and signs, or more than 16 of it");
    }
    *model = made;
    return EVS_OK;
}

/* --- digits ------------------------------------------------------------------------------------------------------- */

static uint32_t put_units(char *out, unsigned __int128 units)
{
    char reversed[40];
    uint32_t count = 0;
    for (; units > 0; units /= 10) {
        reversed[count++] = (char)('0' + (int)(units % 10));
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = reversed[count - 1 - i];
    }
    return count;
}

/* Divides by 10^places, half away from zero. */
static unsigned __int128 rounded(unsigned __int128 units, int places)
{
    for (; places > 1; places--) { /* only the last digit cut decides */
        units /= 10;
    }
    return places == 1 ? units / 10 + (units % 10 >= 5) : units;
}

/* The value times 10^places as a whole number's digits, without leading zeros. */
static uint32_t digits_of(const struct evs_decimal *value, int places, char out[DECIMAL_BYTES_MAX])
{
    if (value->is_float) {
        char text[DECIMAL_BYTES_MAX];
        const int count = snprintf(text, sizeof text, "%.*f", places, fabs(value->float64));
        EVS_ASSERT(count > 0 && count < (int)sizeof text);
        uint32_t written = 0;
        for (int i = 0; i < count; i++) {
            if (text[i] != '.' && (text[i] != '0' || written > 0)) {
                out[written++] = text[i];
            }
        }
        return written;
    }
    uint32_t count = put_units(out, rounded(value->units, places < value->scale ? value->scale - places : 0));
    for (int i = value->scale; i < places && count > 0; i++) {
        out[count++] = '0';
    }
    return count;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* What stands between the signs, and how many blanks stand in front. */
struct body {
    char text[DECIMAL_BYTES_MAX + PATTERN_BYTES_MAX];
    uint32_t count, blanks;
    bool is_zero; /* of the whole part: B makes it blank */
};

static void put(struct body *body, char c)
{
    EVS_ASSERT(body->count < sizeof body->text);
    body->text[body->count++] = c;
}

/* The whole part: `digits`, none for 0, at the right end of the pattern's. */
static void put_whole(struct body *body, const char *pattern, uint32_t pattern_count, uint32_t pattern_digits,
                      const char *digits, uint32_t count, bool overflows)
{
    uint32_t place = 0;
    bool begun = overflows;
    for (uint32_t i = 0; i < pattern_count; i++) {
        if (pattern[i] == ',') {
            begun ? put(body, ',') : (void)body->blanks++;
            continue;
        }
        const bool has_digit = place + count >= pattern_digits;
        begun = begun || has_digit || pattern[i] == '0';
        if (!begun) {
            body->blanks++;
        } else if (overflows) {
            put(body, '#');
        } else {
            put(body, has_digit ? digits[place + count - pattern_digits] : '0');
        }
        place++;
    }
}

static void put_part(struct body *body, const struct evs_number_model *model, const char *digits, bool overflows)
{
    uint32_t place = 0;
    for (uint32_t i = 0; i < model->part_count; i++) {
        put(body, model->part[i] == ',' ? ',' : overflows ? '#' : digits[place]);
        place += model->part[i] != ',';
    }
}

/* FM: the zeros at the end of what stands behind the point or V, down to `least` bytes. */
static void cut_zeros(struct body *body, uint32_t least)
{
    while (body->count > least && body->text[body->count - 1] == '0') {
        body->count--;
    }
}

static void put_fixed(struct body *body, const struct evs_number_model *model, const struct evs_decimal *value)
{
    char digits[DECIMAL_BYTES_MAX + DIGITS_MAX];
    const uint32_t part_digits = model->part_digits;
    memset(digits, '0', DIGITS_MAX);
    const uint32_t count = digits_of(value, (int)part_digits, digits + DIGITS_MAX);
    /* At least the digits of the part, with zeros in front; what is left is the whole part. */
    const uint32_t whole = count > part_digits ? count - part_digits : 0;
    const char *part = digits + DIGITS_MAX + count - part_digits;
    const bool overflows = model->is_shifted ? count > model->whole_digits + part_digits : whole > model->whole_digits;
    body->is_zero = whole == 0;
    if (model->is_shifted) { /* one number, whose last digits are the part's */
        char pattern[2 * PATTERN_BYTES_MAX];
        memcpy(pattern, model->whole, model->whole_count);
        memcpy(pattern + model->whole_count, model->part, model->part_count);
        put_whole(body, pattern, model->whole_count + model->part_count, model->whole_digits + part_digits,
                  count == 0 ? "0" : digits + DIGITS_MAX, count == 0 ? 1 : count, overflows);
        if (model->is_filled) {
            cut_zeros(body, body->count > part_digits ? body->count - part_digits : 0);
        }
        return;
    }
    const bool shows_zero = whole == 0 && part_digits == 0;
    put_whole(body, model->whole, model->whole_count, model->whole_digits, shows_zero ? "0" : digits + DIGITS_MAX,
              shows_zero && model->whole_digits > 0 ? 1 : whole, overflows);
    if (!model->has_point) {
        return;
    }
    put(body, '.');
    const uint32_t behind_point = body->count;
    put_part(body, model, part, overflows);
    if (model->is_filled) {
        cut_zeros(body, behind_point);
        if (body->count == 1) { /* nothing but the point: 0. */
            body->count = 0;
            put(body, '0');
            put(body, '.');
        }
    }
}

/* One digit, the point, the others, the exponent. */
static void put_scientific(struct body *body, const struct evs_number_model *model, const struct evs_decimal *value)
{
    char all[DECIMAL_BYTES_MAX], text[DECIMAL_BYTES_MAX];
    const int part = (int)model->part_digits;
    int exponent = 0;
    if (value->is_float) {
        const int count = snprintf(text, sizeof text, "%.*e", part, fabs(value->float64));
        EVS_ASSERT(count > 0 && count < (int)sizeof text);
        const char *mark = strchr(text, 'e');
        exponent = atoi(mark + 1);
        all[0] = text[0];
        memcpy(all + 1, text + 2, (size_t)part);
    } else {
        unsigned __int128 units = value->units;
        uint32_t count = put_units(text, units);
        if (count > (uint32_t)part + 1) {
            units = rounded(units, (int)count - part - 1);
            const uint32_t kept = put_units(text, units); /* one more when 9.99 became 10.0 */
            exponent = (int)count - 1 - value->scale + (kept > (uint32_t)part + 1 ? 1 : 0);
        } else {
            exponent = count > 0 ? (int)count - 1 - value->scale : 0;
            memset(text + count, '0', (size_t)part + 1 - count);
        }
        memcpy(all, text, (size_t)part + 1);
    }
    body->is_zero = all[0] == '0';
    const bool overflows = model->whole_digits == 0 && !body->is_zero;
    if (model->whole_digits > 0) {
        put(body, all[0]);
    }
    if (model->has_point) {
        put(body, '.');
        const uint32_t behind_point = body->count;
        put_part(body, model, all + 1, overflows);
        if (model->is_filled) {
            cut_zeros(body, behind_point);
        }
    }
    const int size = exponent < 0 ? -exponent : exponent;
    const int written = snprintf(text, sizeof text, "%c%c%02d", model->exponent, exponent < 0 ? '-' : '+', size);
    for (int i = 0; i < written; i++) {
        put(body, overflows ? '#' : text[i]);
    }
}

static void put_hexadecimal(struct body *body, const struct evs_number_model *model, const struct evs_decimal *value)
{
    char decimal[DECIMAL_BYTES_MAX], digits[17];
    const uint32_t count = digits_of(value, 0, decimal);
    unsigned __int128 whole = 0;
    bool overflows = count > 20;
    for (uint32_t i = 0; i < count && !overflows; i++) {
        whole = whole * 10 + (unsigned)(decimal[i] - '0');
    }
    overflows = overflows || whole > UINT64_MAX;
    const int written = snprintf(digits, sizeof digits, "%llX", (unsigned long long)whole);
    put_whole(body, model->whole, model->whole_count, model->whole_digits, digits, (uint32_t)written,
              overflows || (uint32_t)written > model->whole_digits);
    /* A letter has the case of its X, and of the next X where it stands in the place of a 0. */
    char next = 'X';
    for (uint32_t i = 0; i < body->count && i < model->whole_count; i++) {
        const char element = model->whole[model->whole_count - 1 - i];
        next = element == '0' ? next : element;
        char *c = &body->text[body->count - 1 - i];
        *c = (char)(next == 'x' && *c >= 'A' && *c <= 'F' ? *c + 32 : *c);
    }
}

/* NAN and INF stand in the place of the whole part, or of all with an exponent; the rest is blank. */
static void put_special(struct body *body, const struct evs_number_model *model, const char *name,
                        uint32_t *blanks_behind)
{
    const uint32_t behind = (model->has_point ? 1u : 0u) + model->part_count;
    const uint32_t room = model->exponent != 0 ? 1 + behind + 4 : model->whole_count;
    *blanks_behind = model->exponent != 0 ? 0 : behind;
    if (model->is_filled) {
        *blanks_behind = 0;
    } else if (room < 3) {
        *blanks_behind = 0;
        put_whole(body, model->whole, model->whole_count, model->whole_digits, "", 0, true);
        if (model->has_point) {
            put(body, '.');
        }
        put_part(body, model, "", true);
        return;
    } else {
        body->blanks = room - 3;
    }
    for (; *name != '\0'; name++) {
        put(body, *name);
    }
}

static size_t put_blanks(char *out, size_t at, uint32_t count)
{
    memset(out + at, ' ', count);
    return at + count;
}

/* The signs around the body. `sign` is '-', '+' or ' ' (0 and NaN have none). */
static size_t assemble(const struct evs_number_model *model, const struct body *body, char sign, uint32_t blanks_behind,
                       char *out)
{
    const char minus = sign == '-' ? '-' : ' ';
    size_t at = put_blanks(out, 0, model->is_filled ? 0 : body->blanks);
    const char front = model->sign == SIGN_FRONT           ? sign
                       : model->sign == SIGN_BRACKETS      ? (sign == '-' ? '<' : ' ')
                       : model->sign == SIGN_LEADING_BLANK ? minus
                                                           : '\0';
    const char behind = model->sign == SIGN_BEHIND         ? sign
                        : model->sign == SIGN_MINUS_BEHIND ? minus
                        : model->sign == SIGN_BRACKETS     ? (sign == '-' ? '>' : ' ')
                                                           : '\0';
    if (front != '\0' && !(model->is_filled && front == ' ')) {
        out[at++] = front;
    }
    if (model->currency != NULL) {
        memcpy(out + at, model->currency, strlen(model->currency));
        at += strlen(model->currency);
    }
    memcpy(out + at, body->text, body->count);
    at = put_blanks(out, at + body->count, blanks_behind);
    if (behind != '\0' && !(model->is_filled && behind == ' ')) {
        out[at++] = behind;
    }
    return at;
}

size_t evs_number_format(const struct evs_number_model *model, const struct evs_decimal *value, char *out)
{
    struct body body = {.count = 0};
    uint32_t blanks_behind = 0;
    bool is_nothing = value->is_float ? value->float64 == 0 : value->units == 0;
    if (value->is_nan || value->is_infinite) {
        put_special(&body, model, value->is_nan ? "NAN" : "INF", &blanks_behind);
        is_nothing = value->is_nan;
    } else if (model->is_hexadecimal) {
        put_hexadecimal(&body, model, value);
    } else if (model->exponent != 0) {
        put_scientific(&body, model, value);
    } else {
        put_fixed(&body, model, value);
    }
    const char sign = is_nothing ? ' ' : value->is_negative ? '-' : '+';
    size_t count = assemble(model, &body, sign, blanks_behind, out);
    if (model->is_blank_when_zero && body.is_zero) {
        count = model->is_filled ? 0 : count;
        memset(out, ' ', count);
    }
    EVS_ASSERT(count <= EVS_NUMBER_BYTES_MAX);
    return count;
}
