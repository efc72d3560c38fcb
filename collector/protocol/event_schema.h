/* Schemas at the door: the properties of an event against the JSON Schema of its type and major version.
 *
 * Which schema: the one that the event names ("add_to_cart/2"; of another type than its own or a version that is not here
 * it is a bad row), else the highest major of its type. A type without any schema passes, unless schemas are required. */
#ifndef EVS_EVENT_SCHEMA_H
#define EVS_EVENT_SCHEMA_H

#include "call.h"

/* NULL in *set when there are none. Copies what it needs. EVS_E_USAGE with a sentence when a schema is none. */
EVS_MUST_CHECK evs_status evs_schema_set_new(const struct evs_event_schema *schemas, uint32_t count,
                                             struct evs_schema_set **set, struct evs_error *error);
void evs_schema_set_free(struct evs_schema_set *set); /* NULL is allowed */

/* Holds the draft to the schema of the type and adds every reason why it does not fit. Gives the name of the schema, or
 * what the sender said where nothing was judged. `set` may be NULL. */
struct evs_slice evs_schema_judge(const struct evs_schema_set *set, struct evs_call *call, struct evs_draft *draft,
                                  struct evs_slice type);

#endif
