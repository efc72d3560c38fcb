/* The collector's configuration: settings from the command line and from a file, checked one by one.
 *
 * The file has one setting a line, under the same names as the options, and a section for each source that has keys, sites
 * or limits of its own:
 *
 *     # comments and blank lines are skipped
 *     listen = 0.0.0.0:8080
 *     nats = nats://10.0.0.5:4222
 *
 *     [source shop]
 *     key = wk_4f1b…             several keys may be valid at a time, to change one
 *     allow-origin = https://shop.example
 *     rate = 500
 *     burst = 2000
 *
 * An option goes before the file; lists add up. There is no library for it: libinih tells no line numbers in Debian's build, and
 * what is left is a dozen lines. */
#ifndef EVS_CONFIG_H
#define EVS_CONFIG_H

#include "evstream/memory.h"
#include "evstream/os.h"

enum evs_setting_kind {
    EVS_SETTING_TEXT,
    EVS_SETTING_LIST,
    EVS_SETTING_DURATION,
    EVS_SETTING_BYTES,
    EVS_SETTING_NUMBER,
    EVS_SETTING_FLAG,
    EVS_SETTING_CHOICE,
};

enum evs_setting_id {
    EVS_SETTING_NONE = 0,
#define EVS_SETTING(id, name, value, help, choices, kind, field, fallback, least, most) EVS_SETTING_ID_##id,
#include "settings.def"
#undef EVS_SETTING
    EVS_SETTING_COUNT,
};

struct evs_names {
    const char **items;
    uint32_t count, capacity;
};

/* A source with what is its own; 0 and empty: as for all. */
struct evs_config_source {
    const char *name;
    struct evs_names keys, origins;
    int64_t rate, burst;
};

struct evs_config {
    struct evs_names listen, keys, origins, strip_parameters, redirect_domains;
    const char *tls_cert, *tls_key, *default_source, *nats_url, *nats_credentials, *nats_ca, *stream, *dead_stream;
    const char *bucket; /* NULL: does not register */
    const char *spool, *static_folder, *tracker, *access_log, *consent_category, *cookie_domain, *schemas, *suppress;
    int64_t rate, burst, partitions, max_age_us, max_bytes, spool_bytes, linger_us, batch_bytes, ack_timeout_us,
        retry_us;
    int64_t body_bytes, header_bytes, event_bytes, memory_bytes, connections_max;
    int64_t absence_us;
    int64_t header_timeout_us, body_timeout_us, min_rate, idle_timeout_us, drain_us;
    int64_t ip, do_not_track, global_privacy_control, consent_denied, bots, log_json,
        log_level; /* indices of choices */
    bool create, trust_proxy, consent_required, cookieless, schema_required;

    struct evs_config_source *sources;
    uint32_t source_count, source_capacity;
    bool is_set[EVS_SETTING_COUNT];
    struct evs_arena arena; /* of all texts */
};

/* Every setting at its default. */
void evs_config_init(struct evs_config *config);
void evs_config_fini(struct evs_config *config);

/* One setting; `value` is NULL for a flag. EVS_E_USAGE with a sentence. */
EVS_MUST_CHECK evs_status evs_config_set(struct evs_config *config, enum evs_setting_id id, const char *value,
                                         struct evs_error *error);
/* A whole file; what has been set before stays. EVS_E_USAGE with "FILE:LINE: …", EVS_E_IO. */
EVS_MUST_CHECK evs_status evs_config_read(struct evs_config *config, const struct evs_os *os, const char *path,
                                          struct evs_error *error);
EVS_MUST_CHECK evs_status evs_config_parse(struct evs_config *config, const char *name, struct evs_slice text,
                                           struct evs_error *error);
/* What only the whole can tell: keys become sources, and what contradicts itself is refused. */
EVS_MUST_CHECK evs_status evs_config_finish(struct evs_config *config, struct evs_error *error);

const char *evs_config_name(enum evs_setting_id id);
/* Takes the setting over from another configuration, which must stay; false: it was the same. */
bool evs_config_keep(struct evs_config *config, const struct evs_config *from, enum evs_setting_id id);

/* The source of this name; NULL: there is none. */
const struct evs_config_source *evs_config_source(const struct evs_config *config, const char *name);

#endif
