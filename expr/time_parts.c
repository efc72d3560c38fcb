/* The part and the zone of a time function's call: checked when the call is built where they are constants, looked up row
 * by row where a zone comes from the data. */
#include "time_parts.h"

#define REMEMBERED_ZONES 64
#define ZONE_NAME_MAX 64

struct remembered {
    char name[ZONE_NAME_MAX];
    uint32_t count; /* 0: free */
    bool exists;
    struct evs_zone zone;
};
struct evs_time_tools {
    struct remembered zones[REMEMBERED_ZONES]; /* by the hash of the name; a newer one takes an older one's place */
    struct evs_zone span_zone;
    struct evs_zone_span span; /* empty at first */
};

static evs_status load_constant(const struct evs_expr *expr, struct evs_time_call *time, struct evs_error *error)
{
    const uint32_t at = expr->overload->variant;
    time->has_zone = at == 0;
    if (at == 0 || expr->arguments[at - 1]->kind != EVS_EXPR_CONSTANT || expr->arguments[at - 1]->value.is_null) {
        return EVS_OK;
    }
    const struct evs_slice name = evs_str_slice(&expr->arguments[at - 1]->value.str);
    if (!evs_zone_load(name.data, name.count, &time->zone)) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "there is no time zone '%.*s'; write a name of the tz database such as 'Europe/Berlin' (upper "
                        "and lower case count), 'UTC', or an offset such as '+05:30'",
                        (int)name.count, name.data);
    }
    time->has_zone = true;
    return EVS_OK;
}

evs_status evs_prepare_zone(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                            struct evs_error *error)
{
    struct evs_time_call *time = EVS_ARENA_NEW(arena, struct evs_time_call);
    *time = (struct evs_time_call){.zone = evs_zone_utc_zone()};
    *prepared = time;
    return load_constant(expr, time, error);
}

/* The first argument of the overload from `at` on that is a part; argument_count when there is none. */
static uint32_t find_part(const struct evs_expr *expr, uint32_t at)
{
    while (at < expr->argument_count && expr->overload->arguments[at] != EVS_ARG_PART) {
        at++;
    }
    return at;
}

static evs_status check_part(const struct evs_expr *expr, uint32_t at, uint32_t allowed, struct evs_part *part,
                             struct evs_error *error)
{
    const struct evs_slice name = evs_str_slice(&expr->arguments[at]->value.str);
    *part = evs_part_of(name);
    EVS_ASSERT(part->part != EVS_TIME_NONE); /* the resolver has checked it */
    if ((allowed & EVS_PART_BIT(part->part)) == 0) {
        return evs_fail(error, EVS_E_PIPELINE, "%s of a %s does not know the part %.*s", expr->overload->name,
                        evs_kind_name(evs_overload_kind(expr->overload, at == 0 ? 1 : 0)), (int)name.count, name.data);
    }
    return EVS_OK;
}

evs_status evs_prepare_part(struct evs_arena *arena, const struct evs_expr *expr, uint32_t allowed,
                            const void **prepared, struct evs_error *error)
{
    struct evs_time_call *time = EVS_ARENA_NEW(arena, struct evs_time_call);
    *time = (struct evs_time_call){.zone = evs_zone_utc_zone()};
    *prepared = time;
    const uint32_t first = find_part(expr, 0), second = find_part(expr, first + 1);
    EVS_ASSERT(first < expr->argument_count);
    evs_status status = check_part(expr, first, allowed, &time->part, error);
    if (status == EVS_OK && second < expr->argument_count) {
        status = check_part(expr, second, allowed, &time->part_to, error);
    }
    return status == EVS_OK ? load_constant(expr, time, error) : status;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static struct evs_time_tools *tools_of(struct evs_call *call)
{
    if (call->eval->times == NULL) {
        call->eval->times = evs_alloc_zero(sizeof *call->eval->times);
    }
    return call->eval->times;
}

void evs_time_tools_free(struct evs_time_tools *tools)
{
    evs_free(tools);
}

/* FNV-1a: names are short. */
static uint32_t place_of(struct evs_slice name)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < name.count; i++) {
        hash = (hash ^ (uint8_t)name.data[i]) * UINT32_C(16777619);
    }
    return (hash ^ hash >> 16) % REMEMBERED_ZONES;
}

bool evs_call_zone(struct evs_call *call, const struct evs_str *name, struct evs_zone *zone)
{
    const struct evs_time_call *time = evs_call_time(call);
    if (time == NULL) { /* a constant that only folding has made, and no zone: an error of each row */
        return false;
    }
    if (time->has_zone) {
        *zone = time->zone;
        return true;
    }
    const struct evs_slice text = evs_str_slice(name);
    if (text.count == 0 || text.count > ZONE_NAME_MAX) {
        return false;
    }
    struct remembered *known = &tools_of(call)->zones[place_of(text)];
    if (known->count != text.count || memcmp(known->name, text.data, text.count) != 0) {
        memcpy(known->name, text.data, text.count);
        known->count = (uint32_t)text.count;
        known->exists = evs_zone_load(text.data, text.count, &known->zone);
    }
    *zone = known->zone;
    return known->exists;
}

int64_t evs_call_local(struct evs_call *call, struct evs_zone zone, int64_t utc_us)
{
    if (evs_zone_is_utc(zone)) {
        return utc_us;
    }
    struct evs_time_tools *tools = tools_of(call);
    if (tools->span_zone.rules != zone.rules || utc_us < tools->span.begin_us || utc_us >= tools->span.end_us) {
        tools->span_zone = zone;
        tools->span = evs_zone_span_at(zone, utc_us);
    }
    return utc_us + tools->span.offset_us;
}
