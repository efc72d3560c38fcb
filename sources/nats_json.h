/* Reading the answers of JetStream's API: members of a JSON object by a dotted path.
 *
 * The answers are a few hundred bytes and come a few times a connection, so every look-up scans the text again and nothing is
 * built. Not for events: those are decode_json.h's. Malformed text gives "not found", never a read outside the slice. */
#ifndef EVS_NATS_JSON_H
#define EVS_NATS_JSON_H

#include "evstream/memory.h"
#include "evstream/text.h"

/* The value at `path` ("config.subjects"): its raw text, strings with their quotes. False when any step is missing. */
bool evs_nats_json_find(struct evs_slice object, const char *path, struct evs_slice *value);
/* The next element of an array, raw: `rest` begins as the array, and moves behind what was taken. False: there is none left. */
bool evs_nats_json_next(struct evs_slice *rest, struct evs_slice *value);
/* The element `index` of an array, raw. */
bool evs_nats_json_element(struct evs_slice array, uint32_t index, struct evs_slice *value);

uint64_t evs_nats_json_uint(struct evs_slice object, const char *path, uint64_t fallback);
bool evs_nats_json_true(struct evs_slice object, const char *path);
/* A raw string value without its quotes, escapes resolved, cut to `bytes` - 1 and NUL-terminated. False when it is no string. */
bool evs_nats_json_text(struct evs_slice value, char *out, size_t bytes);
/* The same at a path; an empty text when it is missing. */
bool evs_nats_json_string(struct evs_slice object, const char *path, char *out, size_t bytes);
/* An RFC 3339 time at a path, in microseconds (digits behind are cut); 0 when missing. */
int64_t evs_nats_json_time_us(struct evs_slice object, const char *path);
/* Appends the base64 text of a raw string value, decoded. False when it is not base64. */
bool evs_nats_json_base64(struct evs_slice value, struct evs_buffer *out);

/* Appends `text` as a JSON string with its quotes. */
void evs_nats_json_quote(struct evs_buffer *out, struct evs_slice text);

#endif
