#include "upstream.h"

#include <inttypes.h>
#include <stdio.h>

#include "nats_api.h"

#define UPSTREAM_ASK_US 3000000
#define UPSTREAM_WINDOW_US (INT64_C(120) * 1000000)
#define UPSTREAM_OVERHEAD_BYTES 1024 /* subject and headers of a message */

/* A stream that is needed. */
struct needed {
    const char *name, *subjects, *example; /* "clicks.>"; a subject that it must take: "clicks.*.*" */
};

static evs_status upstream_create(const struct evs_upstream_options *options, struct evs_nats_asker *asker,
                                  const struct needed *needed, struct evs_error *error)
{
    struct evs_nats_stream_config config = {
        .name = needed->name,
        .subjects = {needed->subjects},
        .max_age_us = options->max_age_us,
        .max_bytes = options->max_bytes > 0 ? options->max_bytes : -1,
        .duplicate_window_us = UPSTREAM_WINDOW_US,
    };
    evs_status status = evs_nats_create_stream(asker, "$JS.API", &config, error);
    if (status == EVS_OK) {
        evs_log(options->log, EVS_LOG_INFO, "nats_stream_created", "Created stream %s for subjects %s.", needed->name,
                needed->subjects);
    }
    return status;
}

static evs_status upstream_missing(const struct needed *needed, struct evs_error *error)
{
    return evs_fail(error, EVS_E_REFUSED,
                    "There is no stream %s. Create it with `evstream collect --create …`, or with `nats stream add %s "
                    "--subjects '%s' --storage file --retention limits --dupe-window 2m --defaults`.",
                    needed->name, needed->name, needed->subjects);
}

/* What is there is the owner's choice; only what breaks a promise is refused. */
static evs_status upstream_compare(const struct evs_upstream_options *options, const struct needed *needed,
                                   const struct evs_nats_stream_info *info, struct evs_error *error)
{
    if (info->subject_count == 1 && !evs_nats_subject_covers(info->subject, needed->example)) {
        return evs_fail(error, EVS_E_REFUSED,
                        "Stream %s stores the subjects '%s', but events are published to '%s'. Add these to its "
                        "subjects, or name another stream.",
                        needed->name, info->subject, needed->example);
    }
    if (info->duplicate_window_us < UPSTREAM_WINDOW_US) {
        evs_log(options->log, EVS_LOG_WARN, "nats_duplicate_window",
                "Stream %s drops repeated messages for %" PRId64
                " s only: a message that is sent again later than that is stored twice, and is told by its event ids.",
                needed->name, info->duplicate_window_us / 1000000);
    }
    if (!info->is_file) {
        evs_log(options->log, EVS_LOG_WARN, "nats_memory_stream",
                "Stream %s is kept in memory: what is acknowledged is lost when the NATS server stops.", needed->name);
    }
    return EVS_OK;
}

static evs_status upstream_check(const struct evs_upstream_options *options, struct evs_nats_asker *asker,
                                 const struct needed *needed, struct evs_error *error)
{
    struct evs_nats_stream_info info;
    evs_status status = evs_nats_find_stream(asker, "$JS.API", needed->name, &info, error);
    if (status == EVS_AGAIN && options->create) {
        status = upstream_create(options, asker, needed, error);
        if (status == EVS_OK) {
            status = evs_nats_find_stream(asker, "$JS.API", needed->name, &info, error);
        }
    }
    if (status == EVS_AGAIN) {
        return upstream_missing(needed, error);
    }
    return status == EVS_OK ? upstream_compare(options, needed, &info, error) : status;
}

static evs_status upstream_check_all(const struct evs_upstream_options *options, struct evs_nats_asker *asker,
                                     struct evs_error *error)
{
    struct evs_nats_wire_state state;
    asker->wire->type->state(asker->wire, &state);
    size_t needed_bytes = options->message_bytes_max + UPSTREAM_OVERHEAD_BYTES;
    if (state.max_payload > 0 && state.max_payload < needed_bytes) {
        return evs_fail(error, EVS_E_REFUSED,
                        "The NATS server takes messages of at most %" PRIu64
                        " bytes; the collector needs %zu. Raise its max_payload.",
                        state.max_payload, needed_bytes);
    }
    const struct needed clicks = {.name = options->stream, .subjects = "clicks.>", .example = "clicks.*.*"};
    const struct needed dead = {.name = options->dead_stream, .subjects = "dead.>", .example = "dead.*"};
    evs_status status = upstream_check(options, asker, &clicks, error);
    return status == EVS_OK && dead.name != NULL ? upstream_check(options, asker, &dead, error) : status;
}

evs_status evs_upstream_open(const struct evs_upstream_options *options, struct evs_park *park, int64_t retry_us,
                             char inbox[EVS_UPSTREAM_INBOX_BYTES], struct evs_nats_wire **wire, struct evs_error *error)
{
    snprintf(inbox, EVS_UPSTREAM_INBOX_BYTES, "_INBOX.evs%016" PRIx64,
             options->os->random.next(options->os->random.self));
    struct evs_nats_options nats = {
        .os = options->os,
        .log = options->log,
        .park = park,
        .urls = options->urls,
        .credentials = options->credentials,
        .tls_ca = options->tls_ca,
        .tls_cert = options->tls_cert,
        .tls_key = options->tls_key,
        .name = "evstream collect",
        .transport = EVS_NATS_AUTO,
        .retry_us = retry_us,
    };
    evs_status status = evs_nats_wire_open(&nats, wire, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_nats_asker asker = {*wire, options->os, park, inbox, 0, UPSTREAM_ASK_US, 0};
    status = upstream_check_all(options, &asker, error);
    (*wire)->type->release(*wire);
    if (status != EVS_OK) {
        (*wire)->type->close(*wire);
        *wire = NULL;
    }
    return status;
}
