/* What of the configuration may change while the collector runs: who may send and how much, what is kept of a person, schemas, the certificate, the access
 * log. It is made as a whole at the start, and again at a SIGHUP; what cannot be made leaves everything as it was. Connections and requests that are under way go
 * on: none of them holds on to any of it. All other settings need a start, and are told when the file has another value for them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "schema_folder.h"
#include "suppressed.h"
#include "tls.h"

/* --- making ------------------------------------------------------------------------------------------------------------------- */

static evs_status make_protocol(const struct evs_config *config, const struct evs_suppressed *suppressed,
                                struct evs_protocol **result, struct evs_error *error)
{
    struct evs_source_key *keys = NULL;
    uint32_t count = 0, capacity = 0;
    for (uint32_t i = 0; i < config->source_count; i++) {
        for (uint32_t k = 0; k < config->sources[i].keys.count; k++) {
            EVS_GROW(keys, count, capacity);
            keys[count++] = (struct evs_source_key){config->sources[i].keys.items[k], config->sources[i].name};
        }
    }
    struct evs_protocol_config protocol = {
        .partitions = (uint32_t)config->partitions,
        .keys = keys,
        .key_count = count,
        .default_source = config->default_source,
        .ecommerce_names = true,
        .ip = (enum evs_ip_policy)config->ip,
        .do_not_track = (enum evs_wish_policy)config->do_not_track,
        .global_privacy_control = (enum evs_wish_policy)config->global_privacy_control,
        .consent_denied = (enum evs_wish_policy)config->consent_denied,
        .consent_category = config->consent_category,
        .consent_required = config->consent_required,
        .bots = (enum evs_bot_policy)config->bots,
        .suppressed = suppressed,
        .strip_parameters = config->strip_parameters.items,
        .strip_parameter_count = config->strip_parameters.count,
        .cookieless = config->cookieless,
        .cookie_domain = config->cookie_domain,
        .cookie_secure = config->tls_cert != NULL,
        .redirect_domains = config->redirect_domains.items,
        .redirect_domain_count = config->redirect_domains.count,
        .schema_required = config->schema_required,
        .event_bytes_max = (uint32_t)config->event_bytes,
    };
    struct evs_arena texts = {0}; /* of schemas: the protocol keeps none */
    evs_status status = EVS_OK;
    if (config->schemas != NULL) {
        status = evs_schema_folder_read(config->schemas, &texts, &protocol.schemas, &protocol.schema_count, error);
    }
    if (status == EVS_OK) {
        status = evs_protocol_new(&protocol, result, error);
    }
    evs_arena_fini(&texts);
    evs_free(keys);
    return status;
}

static evs_status open_access_log(const char *path, int *fd, struct evs_error *error)
{
    *fd = -1;
    if (path == NULL) {
        return EVS_OK;
    }
    *fd = strcmp(path, "-") == 0 ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return *fd >= 0 ? EVS_OK : evs_fail(error, EVS_E_IO, "Cannot open the access log `%s`: %s.", path, strerror(errno));
}

/* Counts go on, and so does what a source has left of its rate, as long as that is the same. */
static struct evs_sender *make_senders(const struct evs_collector *collector, const struct evs_config *config)
{
    int64_t now_us = evs_monotonic_us(collector->os);
    struct evs_sender *senders = evs_alloc_zero((config->source_count + 1) * sizeof *senders);
    for (uint32_t i = 0; i < config->source_count; i++) {
        const struct evs_config_source *source = &config->sources[i];
        struct evs_sender *sender = &senders[i];
        int64_t rate = source->rate > 0 ? source->rate : config->rate;
        int64_t burst = source->burst > 0 ? source->burst : config->burst > 0 ? config->burst : 2 * rate;
        evs_rate_init(&sender->rate, (double)rate, (double)burst, now_us);
        for (uint32_t k = 0; k < collector->source_count; k++) {
            const struct evs_sender *before = &collector->sources[k];
            if (strcmp(before->config->name, source->name) == 0) {
                bool same_rate = before->rate.rate == sender->rate.rate && before->rate.burst == sender->rate.burst;
                struct evs_rate limit = same_rate ? before->rate : sender->rate;
                *sender = *before;
                sender->rate = limit;
            }
        }
        sender->config = source;
    }
    return senders;
}

/* --- applying ------------------------------------------------------------------------------------------------------------------ */

void evs_collector_unapply(struct evs_collector *collector)
{
    evs_protocol_free(collector->protocol);
    evs_suppressed_free(collector->suppressed);
    evs_tls_close(collector->tls);
    if (collector->access_fd >= 0) {
        close(collector->access_fd);
    }
    evs_free(collector->sources);
    if (collector->config != collector->options->config) {
        struct evs_config *own = (struct evs_config *)(uintptr_t)collector->config;
        evs_config_fini(own);
        evs_free(own);
    }
}

evs_status evs_collector_apply(struct evs_collector *collector, const struct evs_config *config,
                               struct evs_error *error)
{
    struct evs_protocol *protocol = NULL;
    struct evs_suppressed *suppressed = NULL;
    void *tls = NULL;
    int access_fd = -1;
    evs_status status = EVS_OK;
    if (config->suppress != NULL) {
        status = evs_suppressed_read(config->suppress, &suppressed, error);
    }
    if (status == EVS_OK) {
        status = make_protocol(config, suppressed, &protocol, error);
    }
    if (status == EVS_OK && config->tls_cert != NULL) {
        status = evs_tls_open(config->tls_cert, config->tls_key, &tls, error);
    }
    if (status == EVS_OK) {
        status = open_access_log(config->access_log, &access_fd, error);
    }
    if (status != EVS_OK) {
        evs_protocol_free(protocol);
        evs_suppressed_free(suppressed);
        evs_tls_close(tls);
        return status;
    }
    struct evs_sender *senders = make_senders(collector, config);
    evs_collector_unapply(collector);
    collector->protocol = protocol;
    collector->suppressed = suppressed;
    collector->tls = tls;
    collector->access_fd = access_fd;
    collector->sources = senders;
    collector->source_count = config->source_count;
    collector->config = config;
    if (collector->salted_day != EVS_SALTED_NEVER) {
        collector->salted_day = EVS_SALTED_BEFORE; /* the new protocol has no salt yet */
    }
    return EVS_OK;
}

/* --- again ---------------------------------------------------------------------------------------------------------------------- */

/* A setting that needs a start stays as it is, and that is told. TLS itself does, too: listeners speak it or do not. */
static void keep_fixed(struct evs_collector *collector, struct evs_config *fresh)
{
    static const enum evs_setting_id changeable[] = {
        EVS_SETTING_ID_TLS_CERT,
        EVS_SETTING_ID_TLS_KEY,
        EVS_SETTING_ID_KEY,
        EVS_SETTING_ID_DEFAULT_SOURCE,
        EVS_SETTING_ID_ALLOW_ORIGIN,
        EVS_SETTING_ID_RATE,
        EVS_SETTING_ID_BURST,
        EVS_SETTING_ID_TRUST_PROXY,
        EVS_SETTING_ID_ACCESS_LOG,
        EVS_SETTING_ID_IP,
        EVS_SETTING_ID_DO_NOT_TRACK,
        EVS_SETTING_ID_GPC,
        EVS_SETTING_ID_CONSENT_DENIED,
        EVS_SETTING_ID_CONSENT_CATEGORY,
        EVS_SETTING_ID_CONSENT_REQUIRED,
        EVS_SETTING_ID_BOTS,
        EVS_SETTING_ID_SUPPRESS,
        EVS_SETTING_ID_STRIP_PARAMETER,
        EVS_SETTING_ID_COOKIE_DOMAIN,
        EVS_SETTING_ID_REDIRECT_DOMAIN,
        EVS_SETTING_ID_SCHEMAS,
        EVS_SETTING_ID_SCHEMA_REQUIRED,
    };
    const struct evs_config *first = collector->options->config;
    bool changes_tls = (first->tls_cert == NULL) != (fresh->tls_cert == NULL);
    for (uint32_t id = 1; id < EVS_SETTING_COUNT; id++) {
        bool is_fixed = true;
        for (uint32_t i = 0; i < EVS_COUNT(changeable); i++) {
            is_fixed = is_fixed && changeable[i] != (enum evs_setting_id)id;
        }
        is_fixed = is_fixed || (changes_tls && (id == EVS_SETTING_ID_TLS_CERT || id == EVS_SETTING_ID_TLS_KEY));
        if (is_fixed && evs_config_keep(fresh, first, (enum evs_setting_id)id)) {
            evs_log(collector->log, EVS_LOG_WARN, "reload_later",
                    "`%s` has changed: it takes effect at the next start.", evs_config_name((enum evs_setting_id)id));
        }
    }
}

void evs_collector_reload(struct evs_collector *collector)
{
    const struct evs_collector_options *options = collector->options;
    struct evs_config *fresh = evs_alloc_zero(sizeof *fresh);
    struct evs_error error = {0};
    evs_config_init(fresh);
    evs_status status = options->load(options->context, fresh, &error);
    if (status == EVS_OK) {
        keep_fixed(collector, fresh);
        status = evs_collector_apply(collector, fresh, &error);
    }
    if (status != EVS_OK) {
        evs_log(collector->log, EVS_LOG_ERROR, "reload_failed", "%s The settings stay as they were.", error.text);
        evs_config_fini(fresh);
        evs_free(fresh);
        return;
    }
    evs_log(collector->log, EVS_LOG_INFO, "reloaded", "The configuration was read again: %u sources.",
            collector->source_count);
}
