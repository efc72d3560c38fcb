/* Reading a time by a pattern: the counterpart of time_format.h. */
#ifndef EVS_EXPR_TIME_PARSE_H
#define EVS_EXPR_TIME_PARSE_H

#include "time_format.h"

/* Reads the whole text. The result is a moment; a date, a time or a datetime reads it as if it were in UTC, which it is for
 * patterns without a zone. False when the text does not fit the pattern, or names no such time. */
bool evs_parse_time(struct evs_slice pattern, struct evs_slice text, struct evs_zone zone, int64_t *us);

#endif
