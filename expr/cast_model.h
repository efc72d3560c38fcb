/* The patterns of cast(x as type format '…') for dates and times: YYYY-MM-DD HH24:MI:SS and their like.
 *
 * A pattern is read once, when the cast is built. Its elements are matched in any case, the longest first; white space, the
 * signs - . / , ' ; : and text in double quotes stand for themselves. */
#ifndef EVS_EXPR_CAST_MODEL_H
#define EVS_EXPR_CAST_MODEL_H

#include "time_format.h"

struct evs_model;

/* For a type that has `has` (EVS_HAS_…). `parses`: it will be read with; reading takes fewer elements, each of a kind once. */
evs_status evs_model_new(struct evs_arena *arena, struct evs_slice pattern, uint8_t has, bool parses,
                         const struct evs_model **model, struct evs_error *error);
/* Room for evs_model_bytes bytes. */
size_t evs_model_bytes(const struct evs_model *model);
size_t evs_model_format(const struct evs_model *model, const struct evs_formatted *time, char *out);
/* What the pattern does not name is 1970-01-01 00:00:00. */
bool evs_model_parse(const struct evs_model *model, struct evs_slice text, struct evs_zone zone, int64_t *us);

#endif
