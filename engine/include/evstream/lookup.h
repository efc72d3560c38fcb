/* The table contract: a connector that answers which row a key has, as of now.
 *
 *   open ──► ( fetch | tend )* ──► close
 *
 * All slots but `open` are called by one thread of the table's own (operators/lookup_client.c), so they may block; nothing else waits for them. A
 * connector knows keys and bytes; decoding, caching, retries and what a failure means are the engine's and the operator's.
 *
 * A value is a JSON object, as one line: its fields are the table's columns, decoded as a source's are. */
#ifndef EVS_LOOKUP_H
#define EVS_LOOKUP_H

#include "evstream/decode.h"
#include "evstream/option.h"
#include "evstream/os.h"

struct evs_lookup_open {
    const struct evs_os *os;
    struct evs_log *log;
    const char *pipeline, *name; /* of the table */
    const void *config;          /* made by configure */
    const char *nats_url, *nats_credentials, *redis_url;
    int64_t retry_us;      /* how long the server may be away while opening; 0: for ever */
    struct evs_park *park; /* of the table's thread */
};

/* The distinct keys of a batch that are to be looked up in one round trip, and room for what is found. */
struct evs_lookup_fetch {
    const struct evs_slice *keys;
    uint32_t count;
    struct evs_lookup_value {
        bool is_there;
        uint32_t offset, bytes; /* of the JSON object in `json` */
    } * values;
    struct evs_buffer *json; /* appended to; moves as it grows */
};

/* What a connector is told of its table at compile time. */
struct evs_lookup_columns {
    const struct evs_decode_column *columns; /* all of them */
    uint32_t column_count;
    const uint32_t *keys; /* the primary key */
    uint32_t key_count;
};

struct evs_lookup {
    const char *kind;                 /* "redis", "nats_kv", "file" */
    const struct evs_option *options; /* table, ended by a NULL name */
    /* The option whose template makes the key's text of the key columns, 'profile:{user_id}'. NULL: keys are the canonical encoding of the key columns
     * (evstream/keys.h), and values hold these columns. */
    const char *key_option;
    bool is_local; /* it holds the whole table: an answer costs no round trip, and is not cached */
    evs_status (*configure)(const struct evs_option_value *values, const struct evs_lookup_columns *columns,
                            struct evs_arena *arena, const void **config, struct evs_error *error);
    evs_status (*open)(const struct evs_lookup_open *open, void **instance, struct evs_error *error);
    /* EVS_E_UNREACHABLE: another try may help, nothing is kept of this one. Anything else but EVS_OK is final. */
    evs_status (*fetch)(void *instance, struct evs_lookup_fetch *fetch, struct evs_error *error);
    /* Called when there is nothing to fetch, every 20 ms or so: a connector that follows updates takes them. NULL: nothing to do. */
    void (*tend)(void *instance);
    void (*close)(void *instance);
};

/* A looked-up table of a pipeline: what all joins with it share. Made by the planner, in its arena. */
enum evs_lookup_policy { EVS_LOOKUP_FAILS, EVS_LOOKUP_NULL, EVS_LOOKUP_DEAD_LETTER };
struct evs_lookup_table {
    const char *name;
    const struct evs_lookup *connector;
    const void *config;
    const struct evs_decode_format *format;
    const struct evs_decode_column *columns; /* what a value is decoded into */
    struct evs_schema schema;                /* of `columns` */
    enum evs_lookup_policy policy;
    int64_t cache_us;    /* how long an answer counts; 0: not at all */
    uint32_t cache_rows; /* of each worker */
    const char *file;    /* place in the pipeline, for dead letters */
    uint32_t line;
};

#endif
