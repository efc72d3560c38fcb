/* Values as JSON text, of every type: what a sink writes into an array or a struct, what to_json_string gives.
 *
 * | type                  | JSON                                                                          |
 * |-----------------------|-------------------------------------------------------------------------------|
 * | bool, int64, numeric  | true, false; a number with its exact digits                                   |
 * | float64               | the shortest number that reads back the same; "NaN", "Infinity", "-Infinity"  |
 * | string                | a string; only `"`, `\` and control characters are escaped                    |
 * | bytes                 | a string, base64 with padding                                                 |
 * | json                  | as it is; a line break between its tokens becomes a space                     |
 * | timestamp … time      | "2026-01-05T10:00:00Z", "2026-01-05", "2026-01-05T10:00:00", "10:00:00"       |
 * | interval              | an ISO 8601 duration: "P1Y2M3DT4H5M6.5S"                                      |
 * | array                 | an array                                                                      |
 * | struct                | an object of its fields in order; the first has, without a name, `_field_1`   |
 * | NULL                  | null                                                                          | */
#ifndef EVS_JSON_VALUE_H
#define EVS_JSON_VALUE_H

#include "evstream/nested.h"

enum {
    EVS_JSON_WIDE_QUOTED = 1, /* int64 beyond ±2^53 as a string, as GoogleSQL's to_json_string has it */
};
/* Appends. `type` is the value's. */
void evs_json_put_value(struct evs_buffer *out, const struct evs_value *value, const struct evs_type *type,
                        uint32_t flags);
/* Appends a JSON string. */
void evs_json_put_text(struct evs_buffer *out, struct evs_slice text);

/* Walks over the members of an object or the elements of an array, in text that is known to be valid JSON:
 *   struct evs_json_walk walk = evs_json_walk(text);
 *   while (evs_json_walk_next(&walk, &key, &value)) …
 * `key` is the raw string with its quotes (empty in an array), `value` the value's text. Of a scalar there is nothing to walk over. */
struct evs_json_walk {
    const char *at, *end;
    bool is_object;
};
struct evs_json_walk evs_json_walk(struct evs_slice text);
bool evs_json_walk_next(struct evs_json_walk *walk, struct evs_slice *key, struct evs_slice *value);

/* An interval as an ISO 8601 duration; at most EVS_FORMAT_MAX bytes. Each part has its own sign; of nothing: P0D. */
uint32_t evs_format_duration(char *out, const struct evs_interval *interval);
/* ISO 8601 durations (P1Y2M3W4DT5H6M7.5S, signs before each number) and the canonical form Y-M D H:M:S[.F]. False when it is neither, or
 * too long: beyond 10,000 years in one of months, days and microseconds. */
bool evs_interval_from_text(struct evs_slice text, struct evs_interval *interval);

#endif
