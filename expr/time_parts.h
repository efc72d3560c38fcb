/* What the files of the time functions share: the part and the zone of a call, and small macros for their tables. */
#ifndef EVS_EXPR_TIME_PARTS_H
#define EVS_EXPR_TIME_PARTS_H

#include "kernel.h"
#include "timestamps.h"
#include "zone.h"

#define EVS_PART_BIT(part) (UINT32_C(1) << (part))
#define EVS_PARTS_CLOCK                                                                                                \
    (EVS_PART_BIT(EVS_TIME_MICROSECOND) | EVS_PART_BIT(EVS_TIME_MILLISECOND) | EVS_PART_BIT(EVS_TIME_SECOND) |         \
     EVS_PART_BIT(EVS_TIME_MINUTE) | EVS_PART_BIT(EVS_TIME_HOUR))
#define EVS_PARTS_CALENDAR                                                                                             \
    (EVS_PART_BIT(EVS_TIME_DAY) | EVS_PART_BIT(EVS_TIME_WEEK) | EVS_PART_BIT(EVS_TIME_ISOWEEK) |                       \
     EVS_PART_BIT(EVS_TIME_MONTH) | EVS_PART_BIT(EVS_TIME_QUARTER) | EVS_PART_BIT(EVS_TIME_YEAR) |                     \
     EVS_PART_BIT(EVS_TIME_ISOYEAR))
#define EVS_PARTS_FIELDS (EVS_PART_BIT(EVS_TIME_DAYOFWEEK) | EVS_PART_BIT(EVS_TIME_DAYOFYEAR))

/* What is known of a call before any row is seen. */
struct evs_time_call {
    struct evs_part part, part_to; /* of the first and the second argument that is a part */
    struct evs_zone zone;
    bool has_zone; /* the zone is a constant, or there is none: UTC */
};

/* An overload's `variant` says which argument is a time zone: its number, from 1; 0 when there is none. */
#define EVS_ZONE_AT(argument) ((argument) + 1)

/* Finds the argument that is a date part, checks that it is one of `allowed`, and loads the zone when it is a constant.
 * *prepared becomes a struct evs_time_call. */
evs_status evs_prepare_part(struct evs_arena *arena, const struct evs_expr *expr, uint32_t allowed,
                            const void **prepared, struct evs_error *error);
/* The same for a call with a zone and no part. */
evs_prepare evs_prepare_zone;

static inline const struct evs_time_call *evs_call_time(const struct evs_call *call)
{
    return call->step->prepared;
}
static inline struct evs_part evs_call_part(const struct evs_call *call)
{
    return evs_call_time(call)->part;
}

/* The zone of a row, from its argument; false when there is no such zone. Zones that come from the data are remembered. */
bool evs_call_zone(struct evs_call *call, const struct evs_str *name, struct evs_zone *zone);
/* evs_zone_local, which remembers the stretch of time between two changes of the clocks: rows come in order. */
int64_t evs_call_local(struct evs_call *call, struct evs_zone zone, int64_t utc_us);

/* The memory of both. Made when first needed, one an evaluation. */
struct evs_time_tools;
void evs_time_tools_free(struct evs_time_tools *tools); /* NULL is allowed */

static inline enum evs_row evs_checked_us(int64_t us, int64_t *out)
{
    *out = us;
    return us >= EVS_TIMESTAMP_MIN && us <= EVS_TIMESTAMP_MAX ? EVS_ROW_OK : EVS_ROW_TIME;
}
static inline enum evs_row evs_checked_days(int64_t days, int64_t *out)
{
    *out = days;
    return days >= EVS_DAYS_MIN && days <= EVS_DAYS_MAX ? EVS_ROW_OK : EVS_ROW_TIME;
}

#define EVS_TIME_FUNCTION(name_, signature_, meaning_, example_, result_)                                              \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_TIME, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
#define EVS_TIME_OVERLOAD(name_, kernel_, to, required_, flags_, ...)                                                  \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {__VA_ARGS__}, .required = (required_),     \
        .flags = (flags_)                                                                                              \
    }
#define EVS_TIME_PREPARED(name_, kernel_, prepare_, to, required_, flags_, ...)                                        \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .prepare = (prepare_), .result = (to), .arguments = {__VA_ARGS__},       \
        .required = (required_), .flags = (flags_)                                                                     \
    }
/* All arguments are required; number `zone_` (from 0) is a time zone. */
#define EVS_TIME_ZONED(name_, kernel_, prepare_, to, required_, zone_, flags_, ...)                                    \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .prepare = (prepare_), .result = (to), .arguments = {__VA_ARGS__},       \
        .required = (required_), .flags = (flags_), .variant = EVS_ZONE_AT(zone_)                                      \
    }

#endif
