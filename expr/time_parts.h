/* What the files of the time functions share: the preparation of a date part, and small macros for their tables. */
#ifndef EVS_EXPR_TIME_PARTS_H
#define EVS_EXPR_TIME_PARTS_H

#include "kernel.h"
#include "timestamps.h"

#define EVS_PART_BIT(part) (UINT32_C(1) << (part))
#define EVS_PARTS_CLOCK                                                                                                \
    (EVS_PART_BIT(EVS_TIME_MICROSECOND) | EVS_PART_BIT(EVS_TIME_MILLISECOND) | EVS_PART_BIT(EVS_TIME_SECOND) |         \
     EVS_PART_BIT(EVS_TIME_MINUTE) | EVS_PART_BIT(EVS_TIME_HOUR))
#define EVS_PARTS_CALENDAR                                                                                             \
    (EVS_PART_BIT(EVS_TIME_DAY) | EVS_PART_BIT(EVS_TIME_WEEK) | EVS_PART_BIT(EVS_TIME_ISOWEEK) |                       \
     EVS_PART_BIT(EVS_TIME_MONTH) | EVS_PART_BIT(EVS_TIME_QUARTER) | EVS_PART_BIT(EVS_TIME_YEAR) |                     \
     EVS_PART_BIT(EVS_TIME_ISOYEAR))
#define EVS_PARTS_FIELDS (EVS_PART_BIT(EVS_TIME_DAYOFWEEK) | EVS_PART_BIT(EVS_TIME_DAYOFYEAR))

/* Finds the argument that is a date part, and checks that it is one of `allowed`. */
evs_status evs_prepare_part(struct evs_arena *arena, const struct evs_expr *expr, uint32_t allowed,
                            const void **prepared, struct evs_error *error);

static inline struct evs_part evs_call_part(const struct evs_call *call)
{
    const struct evs_part *part = call->step->prepared;
    return *part;
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

#endif
