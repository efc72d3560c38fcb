/* `format json`: a row as one JSON object, keys in column order. */
#ifndef EVS_FORMAT_JSON_H
#define EVS_FORMAT_JSON_H

#include "evstream/sink.h"

extern const struct evs_format evs_format_json;

/* --- for other formats that hold JSON ------------------------------------------------------------------------------------- */

/* What is the same in every row of a schema: keys with their punctuation. Lives in `arena`. */
struct evs_json_row;
evs_status evs_json_row_bind(const struct evs_schema *schema, struct evs_arena *arena, const struct evs_json_row **row,
                             struct evs_error *error) EVS_MUST_CHECK;
/* Appends the row as an object. */
void evs_json_row_put(const struct evs_json_row *format, const struct evs_batch *batch, uint32_t row,
                      struct evs_buffer *out);
/* Appends a JSON string with its quotes. */
void evs_json_put_string(struct evs_buffer *out, struct evs_slice text);

#endif
