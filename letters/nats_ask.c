/* A connection to ask JetStream and to publish, as a source or a sink of the plan would connect (parts.h). */
#include <inttypes.h>
#include <stdio.h>

#include "parts.h"

#define ASK_US INT64_C(5000000)
#define RETRY_US INT64_C(5000000)

static const char *set_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

evs_status evs_letters_connect(struct evs_letters *letters, const struct evs_nats_reader_config *config,
                               struct evs_letters_link *link, struct evs_error *error)
{
    const struct evs_os *os = letters->with.os;
    const struct evs_nats_options options = {
        .os = os,
        .log = letters->with.log,
        .park = letters->park,
        .urls = letters->with.nats_url,
        .credentials = letters->with.nats_credentials,
        .tls_ca = set_or_null(config->tls_ca),
        .tls_cert = set_or_null(config->tls_cert),
        .tls_key = set_or_null(config->tls_key),
        .name = "evstream dead letters",
        .transport = config->transport,
        .retry_us = RETRY_US,
    };
    if (link->wire != NULL) {
        return EVS_OK;
    }
    evs_nats_api_prefix(config->domain, link->prefix, sizeof link->prefix);
    snprintf(link->inbox, sizeof link->inbox, "%s.evs%016" PRIx64, config->inbox_prefix,
             os->random.next(os->random.self));
    evs_status status = evs_nats_wire_open(&options, &link->wire, error);
    link->asker = (struct evs_nats_asker){link->wire, os, letters->park, link->inbox, 0, ASK_US, 0};
    return status;
}

void evs_letters_disconnect(struct evs_letters_link *link)
{
    if (link->wire != NULL) {
        link->wire->type->close(link->wire);
        link->wire = NULL;
    }
}
