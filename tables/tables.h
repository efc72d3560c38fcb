/* The connectors of looked-up tables. */
#ifndef EVS_TABLES_H
#define EVS_TABLES_H

#include "evstream/lookup.h"

extern const struct evs_lookup evs_table_redis, evs_table_nats_kv, evs_table_file;

/* The options that every looked-up table takes are the binder's (cache, cache_rows). */

#endif
