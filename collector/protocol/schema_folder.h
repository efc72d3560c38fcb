/* Schemas as files: <folder>/<type>/<major>.json. */
#ifndef EVS_SCHEMA_FOLDER_H
#define EVS_SCHEMA_FOLDER_H

#include "protocol.h"

/* Reads all of them into the arena. A file whose name is none of a schema's is a mistake, not ignored: a schema that is
 * silently left out would let events pass. EVS_E_USAGE or EVS_E_IO with a sentence. */
EVS_MUST_CHECK evs_status evs_schema_folder_read(const char *folder, struct evs_arena *arena,
                                                 const struct evs_event_schema **schemas, uint32_t *count,
                                                 struct evs_error *error);

#endif
