/* Values of options: finding one, and the two kinds that carry a unit.
 *
 * A number with a unit may have a fraction, as in '1.5 MiB', if what it means is whole: 1,572,864 bytes. It is computed in
 * numeric, so nothing is rounded on the way. */
#include "evstream/option.h"

struct unit {
    const char *name;
    int64_t size; /* in microseconds or bytes */
};

#define US_PER_SECOND INT64_C(1000000)

static const struct unit duration_units[] = {
    {"us", 1},
    {"microsecond", 1},
    {"microseconds", 1},
    {"ms", 1000},
    {"millisecond", 1000},
    {"milliseconds", 1000},
    {"s", US_PER_SECOND},
    {"second", US_PER_SECOND},
    {"seconds", US_PER_SECOND},
    {"m", 60 * US_PER_SECOND},
    {"minute", 60 * US_PER_SECOND},
    {"minutes", 60 * US_PER_SECOND},
    {"h", 3600 * US_PER_SECOND},
    {"hour", 3600 * US_PER_SECOND},
    {"hours", 3600 * US_PER_SECOND},
    {"d", 86400 * US_PER_SECOND},
    {"day", 86400 * US_PER_SECOND},
    {"days", 86400 * US_PER_SECOND},
    {NULL, 0},
};

static const struct unit byte_units[] = {
    {"", 1},
    {"B", 1},
    {"kB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {"KiB", INT64_C(1) << 10},
    {"MiB", INT64_C(1) << 20},
    {"GiB", INT64_C(1) << 30},
    {"TiB", INT64_C(1) << 40},
    {NULL, 0},
};

const struct evs_option_value *evs_option_find(const struct evs_option_value *values, const char *name)
{
    EVS_ASSERT(values != NULL && values[0].option != NULL);
    const struct evs_option *table = values[0].option;
    for (uint32_t i = 0; table[i].name != NULL; i++) {
        EVS_ASSERT(values[i].option == &table[i]);
        if (strcmp(table[i].name, name) == 0) {
            return &values[i];
        }
    }
    EVS_ASSERT(!"the table has an option of this name");
    return NULL;
}

static bool find_unit(const struct unit *units, struct evs_slice name, int64_t *size)
{
    for (; units->name != NULL; units++) {
        if (evs_slice_equal_nocase(name, units->name)) {
            *size = units->size;
            return true;
        }
    }
    return false;
}

/* Splits "1.5 MiB" into its number and its unit, with any spaces between them left out. */
static void split_unit(struct evs_slice text, struct evs_slice *number, struct evs_slice *unit)
{
    size_t at = 0;
    while (at < text.count && ((text.data[at] >= '0' && text.data[at] <= '9') || text.data[at] == '.')) {
        at++;
    }
    EVS_ASSERT(at <= text.count);
    *number = (struct evs_slice){text.data, at};
    while (at < text.count && text.data[at] == ' ') {
        at++;
    }
    *unit = (struct evs_slice){text.data + at, text.count - at};
}

/* More digits than numeric keeps are refused, not rounded: the result would no longer be what was written. */
static bool is_exact(struct evs_slice number)
{
    const char *point = memchr(number.data, '.', number.count);
    return point == NULL || number.data + number.count - point - 1 <= 9;
}

static bool parse_amount(struct evs_slice text, const struct unit *units, int64_t *amount)
{
    struct evs_slice number, unit_name;
    evs_numeric value;
    int64_t size;
    split_unit(text, &number, &unit_name);
    if (number.count == 0 || !is_exact(number) || !find_unit(units, unit_name, &size) ||
        !evs_parse_numeric(number, &value)) {
        return false;
    }
    evs_numeric product;
    if (__builtin_mul_overflow(value, (evs_numeric)size, &product) || product % EVS_NUMERIC_ONE != 0 ||
        product / EVS_NUMERIC_ONE > INT64_MAX) {
        return false;
    }
    EVS_ASSERT(product >= 0);
    *amount = (int64_t)(product / EVS_NUMERIC_ONE);
    return true;
}

bool evs_parse_duration(struct evs_slice text, int64_t *us)
{
    return parse_amount(text, duration_units, us);
}

bool evs_parse_bytes(struct evs_slice text, int64_t *bytes)
{
    return parse_amount(text, byte_units, bytes);
}

bool evs_parse_address(const char *text, char host[EVS_HOST_BYTES], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    int64_t number;
    if (colon == NULL || colon[1] < '0' || colon[1] > '9' || !evs_parse_int64(evs_slice_of(colon + 1), &number) ||
        number > UINT16_MAX) {
        return false;
    }
    size_t count = (size_t)(colon - text);
    bool is_bracketed = count > 2 && text[0] == '[' && colon[-1] == ']';
    text += is_bracketed;
    count -= is_bracketed ? 2 : 0;
    if (count >= EVS_HOST_BYTES || (!is_bracketed && memchr(text, ':', count) != NULL)) {
        return false;
    }
    memcpy(host, text, count);
    host[count] = '\0';
    *port = (uint16_t)number;
    return true;
}
