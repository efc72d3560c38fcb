/* How the interface writes its JSON: members one after the other, `before` is what stands in front ("{" or ","). */
#ifndef EVS_LIVE_JSON_H
#define EVS_LIVE_JSON_H

#include "evstream/json_value.h"
#include "evstream/view.h"

static inline void evs_put_key(struct evs_buffer *out, const char *before, const char *key)
{
    evs_buffer_printf(out, "%s\"%s\":", before, key);
}

static inline void evs_put_text(struct evs_buffer *out, const char *before, const char *key, const char *value)
{
    evs_put_key(out, before, key);
    if (value == NULL) {
        evs_buffer_puts(out, "null");
    } else {
        evs_json_put_text(out, evs_slice_of(value));
    }
}

static inline void evs_put_number(struct evs_buffer *out, const char *before, const char *key, int64_t value)
{
    evs_buffer_printf(out, "%s\"%s\":%lld", before, key, (long long)value);
}

static inline void evs_put_bool(struct evs_buffer *out, const char *before, const char *key, bool value)
{
    evs_buffer_printf(out, "%s\"%s\":%s", before, key, value ? "true" : "false");
}

/* µs since 1970; null when there is none. */
static inline void evs_put_time(struct evs_buffer *out, const char *before, const char *key, int64_t us)
{
    if (us == EVS_TIME_MIN || us >= EVS_TIME_CUT) {
        evs_buffer_printf(out, "%s\"%s\":null", before, key);
    } else {
        evs_put_number(out, before, key, us);
    }
}

/* A member for each figure that the node has, by its name in lower case. With `then`: those that have changed since. How many. */
uint32_t evs_put_figures(struct evs_buffer *out, const char *before, const struct evs_view_node *view,
                         const int64_t *then);

#endif
