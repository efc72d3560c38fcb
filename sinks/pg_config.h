/* The options of `to postgres`, and what they say. */
#ifndef EVS_PG_CONFIG_H
#define EVS_PG_CONFIG_H

#include "evstream/option.h"
#include "pg_link.h"
#include "pg_table.h"

struct evs_pg_config {
    struct evs_pg_address address;
    struct evs_pg_target target;
    uint32_t batch_rows;
};

extern const struct evs_option evs_pg_options[];
/* The slots `configure` and `check` of the sink (evstream/sink.h). */
evs_status evs_pg_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                            struct evs_error *error) EVS_MUST_CHECK;
evs_status evs_pg_check(const void *config, const struct evs_schema *schema, struct evs_error *error) EVS_MUST_CHECK;

#endif
