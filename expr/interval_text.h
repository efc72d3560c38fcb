/* Intervals from text and numbers: what a literal, make_interval and cast share. */
#ifndef EVS_EXPR_INTERVAL_TEXT_H
#define EVS_EXPR_INTERVAL_TEXT_H

#include "timestamps.h"

/* `count` of a part, from microsecond to year; false when it is too long. */
bool evs_interval_of(int64_t count, enum evs_time_part part, struct evs_interval *interval);
/* interval '10' day; of seconds '1.5' is allowed. */
bool evs_read_interval_part(struct evs_slice text, enum evs_time_part part, struct evs_interval *interval);
/* interval '1-2' year to month. False too when the parts make no range. */
bool evs_read_interval_range(struct evs_slice text, enum evs_time_part from, enum evs_time_part to,
                             struct evs_interval *interval);

#endif
