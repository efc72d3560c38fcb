/* Stored state as NDJSON, record by record: `evstream state export`, and where an erasure looks for traces. */
#ifndef EVS_STATE_EXPORT_H
#define EVS_STATE_EXPORT_H

#include "state_store.h"

#include <stdio.h>

/* Writes every record of the store's last commit that counts. */
EVS_MUST_CHECK evs_status evs_state_export(void *store, FILE *out, struct evs_error *error);

#endif
