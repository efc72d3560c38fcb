/* Patterns of times, as strftime has them with GoogleSQL's extensions: which elements there are, for which types, and the
 * names in them. Shared by the functions that format and those that parse. */
#ifndef EVS_EXPR_TIME_FORMAT_H
#define EVS_EXPR_TIME_FORMAT_H

#include "time_parts.h"

#define EVS_PATTERN_BYTES_MAX 1024

/* What an element tells of a time. */
enum { EVS_ELEMENT_DATE = 1, EVS_ELEMENT_CLOCK = 2, EVS_ELEMENT_ZONE = 4, EVS_ELEMENT_EITHER = 8 /* %% %n %t */ };
/* What a type has, of the above. */
#define EVS_HAS_DATE (EVS_ELEMENT_EITHER | EVS_ELEMENT_DATE)
#define EVS_HAS_CLOCK (EVS_ELEMENT_EITHER | EVS_ELEMENT_CLOCK)
#define EVS_HAS_BOTH (EVS_HAS_DATE | EVS_HAS_CLOCK)
#define EVS_HAS_ALL (EVS_HAS_BOTH | EVS_ELEMENT_ZONE)

/* One element of a pattern, behind its %. */
struct evs_element {
    char letter;     /* 'Y', 'm', … */
    bool extended;   /* %E4Y, %Ez, %E*S, %E3S */
    uint8_t tells;   /* EVS_ELEMENT_… */
    int8_t digits;   /* of %E#S: how many behind the point; -1 for %E*S */
    uint32_t length; /* bytes of the pattern behind the % */
};
/* Reads the element behind a %; false when it is none. %Ex and %Ox of other letters are %x: there is one locale, English. */
bool evs_element_of(struct evs_slice text, struct evs_element *element);
/* Checks a constant pattern: every element must be known; those that a type lacks are an error when `strict`. */
evs_status evs_check_pattern(const struct evs_expr *expr, const struct evs_expr *pattern, uint8_t has, bool strict,
                             struct evs_error *error);

extern const char *const evs_month_names[12], *const evs_day_names[7]; /* from January, from Sunday */

/* Writes the time by the pattern. The text has room for EVS_FORMATTED_MAX(pattern.count) bytes. False when an element is
 * unknown; one that the type lacks stands for itself. */
struct evs_formatted {
    struct evs_moment local;
    int64_t utc_us;
    int offset_minutes;
    uint8_t has;
};
#define EVS_FORMATTED_MAX(pattern_bytes) (((size_t)(pattern_bytes) + 1) * 32)
bool evs_format_time(struct evs_slice pattern, const struct evs_formatted *time, char *out, size_t *count);

#endif
