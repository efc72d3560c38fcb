/* The protocol itself: configuration, routes, and the run of one translation. */
#include <stdlib.h>

#include "call.h"
#include "event_schema.h"
#include "json_reader.h"
#include "privacy.h"
#include "regexp.h"

#define EVENT_BYTES_DEFAULT (32u << 10)
#define EVENT_DEPTH_DEFAULT 32u
#define EVENTS_DEFAULT 10000u
#define PARTITIONS_MAX 65536u

/* --- routes ----------------------------------------------------------------------------------------------------------- */

/* A path's parts between slashes; `*` stands for one part that is not empty. A slash at the end does not matter. The first
 * route that fits counts. */
static const struct route {
    const char *method, *pattern, *protocol;
    evs_handler *handle;
    const char *argument;
} routes[] = {
    {"POST", "/v1/events", "plain", evs_plain_events, NULL},
    {"GET", "/p.gif", "plain", evs_plain_pixel, NULL},

    {"POST", "/v1/batch", "segment", evs_segment_batch, NULL},
    {"POST", "/v1/b", "segment", evs_segment_batch, NULL},
    {"POST", "/v1/import", "segment", evs_segment_batch, NULL},
    {"POST", "/v1/m", "segment", evs_segment_metrics, NULL},
    {"POST", "/v1/track", "segment", evs_segment_single, "track"},
    {"POST", "/v1/t", "segment", evs_segment_single, "track"},
    {"POST", "/v1/identify", "segment", evs_segment_single, "identify"},
    {"POST", "/v1/i", "segment", evs_segment_single, "identify"},
    {"POST", "/v1/page", "segment", evs_segment_single, "page"},
    {"POST", "/v1/p", "segment", evs_segment_single, "page"},
    {"POST", "/v1/screen", "segment", evs_segment_single, "screen"},
    {"POST", "/v1/s", "segment", evs_segment_single, "screen"},
    {"POST", "/v1/group", "segment", evs_segment_single, "group"},
    {"POST", "/v1/g", "segment", evs_segment_single, "group"},
    {"POST", "/v1/alias", "segment", evs_segment_single, "alias"},
    {"POST", "/v1/a", "segment", evs_segment_single, "alias"},
    {"GET", "/v1/projects/*/settings", "segment", evs_segment_settings, NULL},
    {"GET", "/analytics.js/v1/*/analytics.min.js", "segment", evs_library_file, "analytics.min.js"},

    {"POST", "/beacon/v1/batch", "rudderstack", evs_segment_batch, NULL},
    {"GET", "/sourceConfig", "rudderstack", evs_rudder_config, NULL},

    {"POST", "/api/s/*", "jitsu", evs_jitsu_single, NULL},
    {"POST", "/api/s/s2s/*", "jitsu", evs_jitsu_single, NULL},
    {"GET", "/pixel/v1/*", "rudderstack", evs_plain_pixel, NULL},

    {"POST", "/batch", "posthog", evs_posthog_events, NULL},
    {"POST", "/e", "posthog", evs_posthog_events, NULL},
    {"POST", "/i/v0/e", "posthog", evs_posthog_events, NULL},
    {"POST", "/capture", "posthog", evs_posthog_events, NULL},
    {"GET", "/array/*/config", "posthog", evs_posthog_config, NULL},
    {"GET", "/array/*/config.js", "posthog", evs_posthog_config, "js"},
    {"GET", "/static/array.js", "posthog", evs_library_file, "array.js"},
    {"POST", "/flags", "posthog", evs_posthog_flags, NULL},
    {"POST", "/decide", "posthog", evs_posthog_flags, NULL},

    {"POST", "/api/event", "plausible", evs_plausible, NULL},
    {"POST", "/api/send", "umami", evs_umami, NULL},
    {"GET", "/matomo.php", "matomo", evs_matomo_get, NULL},
    {"POST", "/matomo.php", "matomo", evs_matomo_post, NULL},
    {"GET", "/piwik.php", "matomo", evs_matomo_get, NULL},
    {"POST", "/piwik.php", "matomo", evs_matomo_post, NULL},

    {"GET", "/i", "snowplow", evs_snowplow_get, NULL},
    {"GET", "/ice.png", "snowplow", evs_snowplow_get, NULL},
    {"GET", "/r/tp2", "snowplow", evs_snowplow_redirect, NULL},
    {"GET", "/com.snowplowanalytics.snowplow/*", "snowplow", evs_snowplow_get, NULL},
    {"POST", "/*/*", "snowplow", evs_snowplow_post, NULL}, /* any vendor and version: behind all others */
};

static struct evs_slice next_part(struct evs_slice *path)
{
    if (path->count == 0) {
        return *path;
    }
    while (path->count > 0 && *path->data == '/') {
        *path = (struct evs_slice){path->data + 1, path->count - 1};
    }
    const char *slash = path->count == 0 ? NULL : memchr(path->data, '/', path->count);
    struct evs_slice part = {path->data, slash == NULL ? path->count : (size_t)(slash - path->data)};
    *path = (struct evs_slice){path->data + part.count, path->count - part.count};
    return part;
}

static bool fits(struct evs_slice path, const char *pattern, struct evs_slice stars[2])
{
    struct evs_slice rest = evs_slice_of(pattern);
    uint32_t star_count = 0;
    for (;;) {
        struct evs_slice wanted = next_part(&rest), part = next_part(&path);
        if (wanted.count == 0 || part.count == 0) {
            return wanted.count == part.count;
        }
        if (evs_slice_equal(wanted, EVS_SLICE("*"))) {
            EVS_ASSERT(star_count < 2);
            stars[star_count++] = part;
        } else if (!evs_slice_equal(wanted, part)) {
            return false;
        }
    }
}

static const struct route *find(struct evs_slice method, struct evs_slice path, struct evs_slice stars[2])
{
    for (size_t i = 0; i < EVS_COUNT(routes); i++) {
        if (evs_slice_equal(method, evs_slice_of(routes[i].method)) && fits(path, routes[i].pattern, stars)) {
            return &routes[i];
        }
    }
    return NULL;
}

bool evs_protocol_knows(struct evs_slice method, struct evs_slice path)
{
    struct evs_slice stars[2];
    return find(method, path, stars) != NULL;
}

/* --- configuration ---------------------------------------------------------------------------------------------------- */

static bool is_source_name(const char *name)
{
    size_t count = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return count > 0 && count <= 64 && name[count] == 0;
}

static evs_status judge(const struct evs_protocol_config *config, struct evs_error *error)
{
    if (config->partitions == 0 || config->partitions > PARTITIONS_MAX) {
        return evs_fail(error, EVS_E_USAGE, "A stream has 1 to 65,536 partitions, not %u.", config->partitions);
    }
    for (uint32_t i = 0; i < config->key_count; i++) {
        if (config->keys[i].key[0] == 0) {
            return evs_fail(error, EVS_E_USAGE, "The source %s has an empty key.", config->keys[i].source);
        }
        if (!is_source_name(config->keys[i].source)) {
            return evs_fail(error, EVS_E_USAGE,
                            "'%s' cannot be the name of a source: it is made of at most 64 letters, digits, - and _.",
                            config->keys[i].source);
        }
    }
    if (config->default_source != NULL && !is_source_name(config->default_source)) {
        return evs_fail(error, EVS_E_USAGE,
                        "'%s' cannot be the name of a source: it is made of at most 64 letters, digits, - and _.",
                        config->default_source);
    }
    return EVS_OK;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct evs_source_key *)a)->key, ((const struct evs_source_key *)b)->key);
}

static const char *copy_text(struct evs_protocol *protocol, const char *text)
{
    return text == NULL ? NULL : evs_arena_strndup(&protocol->arena, text, strlen(text));
}

static const char *const *copy_texts(struct evs_protocol *protocol, const char *const *texts, uint32_t count)
{
    const char **copy = EVS_ARENA_ARRAY(&protocol->arena, const char *, count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = copy_text(protocol, texts[i]);
    }
    return copy;
}

static evs_status copy_keys(struct evs_protocol *protocol, const struct evs_protocol_config *config,
                            struct evs_error *error)
{
    struct evs_source_key *keys = EVS_ARENA_ARRAY(&protocol->arena, struct evs_source_key, config->key_count);
    for (uint32_t i = 0; i < config->key_count; i++) {
        keys[i] = (struct evs_source_key){copy_text(protocol, config->keys[i].key),
                                          copy_text(protocol, config->keys[i].source)};
    }
    qsort(keys, config->key_count, sizeof *keys, compare_keys);
    for (uint32_t i = 1; i < config->key_count; i++) {
        if (strcmp(keys[i - 1].key, keys[i].key) == 0 && strcmp(keys[i - 1].source, keys[i].source) != 0) {
            return evs_fail(error, EVS_E_USAGE, "The sources %s and %s have the same key.", keys[i - 1].source,
                            keys[i].source);
        }
    }
    protocol->config.keys = keys;
    return EVS_OK;
}

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value == 0 ? fallback : value;
}

static evs_status copy_config(struct evs_protocol *protocol, const struct evs_protocol_config *config,
                              struct evs_error *error)
{
    struct evs_protocol_config *copy = &protocol->config;
    *copy = *config;
    copy->event_bytes_max = or_default(copy->event_bytes_max, EVENT_BYTES_DEFAULT);
    copy->event_depth_max = or_default(copy->event_depth_max, EVENT_DEPTH_DEFAULT);
    copy->events_max = or_default(copy->events_max, EVENTS_DEFAULT);
    copy->default_source = copy_text(protocol, config->default_source);
    copy->consent_category = copy_text(protocol, config->consent_category);
    copy->cookie_name = copy_text(protocol, config->cookie_name == NULL ? "sp" : config->cookie_name);
    copy->cookie_domain = copy_text(protocol, config->cookie_domain);
    copy->strip_parameters = copy_texts(protocol, config->strip_parameters, config->strip_parameter_count);
    copy->redirect_domains = copy_texts(protocol, config->redirect_domains, config->redirect_domain_count);
    protocol->strip = (struct evs_strip){copy->strip_parameters, copy->strip_parameter_count};
    copy->schemas = NULL; /* the set has its own copy */
    return copy_keys(protocol, config, error);
}

evs_status evs_protocol_new(const struct evs_protocol_config *config, struct evs_protocol **protocol,
                            struct evs_error *error)
{
    *protocol = NULL;
    evs_status status = judge(config, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_protocol *made = evs_alloc_zero(sizeof *made);
    struct evs_regexp_mistake mistake;
    made->bots = evs_regexp_new((struct evs_regexp_text){evs_privacy_bots, strlen(evs_privacy_bots)}, true, &mistake);
    made->reader = evs_json_reader_new();
    EVS_ASSERT(made->bots != NULL && made->reader != NULL);
    status = copy_config(made, config, error);
    if (status == EVS_OK) {
        status = evs_schema_set_new(config->schemas, config->schema_count, &made->schemas, error);
    }
    if (status != EVS_OK) {
        evs_protocol_free(made);
        return status;
    }
    *protocol = made;
    return EVS_OK;
}

void evs_protocol_free(struct evs_protocol *protocol)
{
    if (protocol == NULL) {
        return;
    }
    evs_schema_set_free(protocol->schemas);
    evs_regexp_free(protocol->bots);
    evs_json_reader_free(protocol->reader);
    evs_buffer_fini(&protocol->buffer);
    evs_free(protocol->events);
    evs_free(protocol->bad_rows);
    evs_free(protocol->marks);
    evs_arena_fini(&protocol->arena);
    evs_free(protocol);
}

void evs_protocol_set_salt(struct evs_protocol *protocol, int64_t day, const uint8_t salt[EVS_SALT_BYTES])
{
    struct evs_salt *place = &protocol->salts[(uint64_t)day % EVS_SALTS_KEPT];
    place->day = day;
    place->is_set = true;
    memcpy(place->bytes, salt, EVS_SALT_BYTES);
}

/* --- one translation -------------------------------------------------------------------------------------------------- */

static void hand_over(struct evs_call *call)
{
    struct evs_translation *out = call->out;
    if (out->answer.status >= 400) { /* all or nothing: a refused request leaves nothing behind */
        out->event_count = out->bad_row_count = 0;
    }
    struct evs_event *events = EVS_ARENA_ARRAY(call->arena, struct evs_event, out->event_count);
    struct evs_bad_row *bad_rows = EVS_ARENA_ARRAY(call->arena, struct evs_bad_row, out->bad_row_count);
    for (uint32_t i = 0; i < out->event_count; i++) {
        events[i] = call->protocol->events[i];
    }
    for (uint32_t i = 0; i < out->bad_row_count; i++) {
        bad_rows[i] = call->protocol->bad_rows[i];
    }
    out->events = events;
    out->bad_rows = bad_rows;
}

void evs_protocol_translate(struct evs_protocol *protocol, const struct evs_request *request, struct evs_arena *arena,
                            struct evs_translation *translation)
{
    struct evs_call call = {.protocol = protocol, .request = request, .arena = arena, .out = translation};
    const struct route *route = find(request->method, request->path, call.stars);
    memset(translation, 0, sizeof *translation);
    call.name = translation->protocol = route == NULL ? "none" : route->protocol;
    if (route == NULL) {
        evs_answer_refuse(&call, 404, "Nothing is here.");
    } else {
        route->handle(&call, route->argument);
    }
    EVS_ASSERT(translation->answer.status != 0);
    hand_over(&call);
}
