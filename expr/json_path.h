/* What the JSON functions share: constant paths, the reader, values of raw text. */
#ifndef EVS_EXPR_JSON_PATH_H
#define EVS_EXPR_JSON_PATH_H

#include "internal.h"
#include "json_access.h"

struct evs_json_path {
    struct evs_json_step *steps;
    uint32_t count;
};
/* NULL when it is no path. Names point into `text`, which must live as long. */
const struct evs_json_path *evs_json_path_parse(struct evs_arena *arena, struct evs_slice text);

/* The evaluation's reader, made when first needed. */
struct evs_json_access *evs_json_reader_of(struct evs_call *call);
static inline struct evs_json_text evs_json_text_of(struct evs_slice text)
{
    return (struct evs_json_text){text.data, text.count};
}
/* The text between the quotes of a raw string; a view where nothing is escaped. False: it is no string. */
bool evs_json_string_value(struct evs_call *call, struct evs_slice raw, struct evs_str *out);
/* A raw number that is a whole one: 10, 10.0 and 1e1 are the int64 10; 10.1 is none. */
bool evs_json_int64(struct evs_slice raw, int64_t *out);

#endif
