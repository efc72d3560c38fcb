/* Options of connectors, formats and settings: one table each, which validates, feeds `explain` and generates the docs. */
#ifndef EVS_OPTION_H
#define EVS_OPTION_H

#include "evstream/type.h"

enum evs_option_kind {
    EVS_OPTION_STRING,
    EVS_OPTION_INT,
    EVS_OPTION_BOOL,
    EVS_OPTION_DURATION, /* an interval literal or '60s'; µs in int64 */
    EVS_OPTION_BYTES,    /* an integer or '8 MiB' */
    EVS_OPTION_TEMPLATE, /* text with {column} holes, filled for each row */
    EVS_OPTION_ENUM,     /* one of `choices` */
};

struct evs_option {
    const char *name; /* snake_case; NULL ends a table */
    enum evs_option_kind kind;
    bool required;
    const char *fallback; /* as a user would write it; NULL: none */
    const char *help;     /* one sentence, what it means and its unit */
    int64_t min, max;     /* numbers; both 0: any */
    const char *choices;  /* "a|b|c" */
    bool secret;          /* never printed, logged or shown */
};

/* Values in the table's order, defaults applied. */
struct evs_option_value {
    const struct evs_option *option;
    bool is_set;           /* by the user, or by a fallback */
    int64_t integer;       /* int, bool, duration (µs), bytes, index of the enum's choice */
    struct evs_slice text; /* string, template, enum: NUL-terminated in its arena */
};

/* The value of a name in a table's values; asserts that the table has it. */
const struct evs_option_value *evs_option_find(const struct evs_option_value *values, const char *name);

/* "250ms", "60s", "5 minute", "1.5h": a number and a unit (us ms s m h d, or in full, also in the plural; any case). A fraction
 * is allowed where the result is whole. */
bool evs_parse_duration(struct evs_slice text, int64_t *us);
bool evs_parse_bytes(struct evs_slice text, int64_t *bytes); /* "8MiB", "64 kB", "1000", "1.5 GiB" */

/* "HOST:PORT", "[::1]:PORT" or ":PORT" (an empty host) into its parts. False when it is none: a port is a number up to 65535, an address of IPv6 stands in
 * brackets. */
#define EVS_HOST_BYTES 256
bool evs_parse_address(const char *text, char host[EVS_HOST_BYTES], uint16_t *port);

#endif
