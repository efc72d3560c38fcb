#include "nats_sink_config.h"

#include "nats_api.h"
#include "sink_nats.h"

const struct evs_option evs_nats_sink_options[] = {
    {.name = "subject",
     .kind = EVS_OPTION_TEMPLATE,
     .required = true,
     .help = "Subject of each message; {column} is replaced by the row's value."},
    {.name = "stream",
     .kind = EVS_OPTION_STRING,
     .fallback = "",
     .help = "JetStream stream that must store the subject; empty: whichever does. Also the name of a stream that "
             "--create makes."},
    {.name = "ack_timeout",
     .kind = EVS_OPTION_DURATION,
     .fallback = "5s",
     .min = 100000,
     .max = 300000000,
     .help = "How long to wait for JetStream's acknowledgement before a message is sent again under the same id."},
    {.name = "max_age",
     .kind = EVS_OPTION_DURATION,
     .fallback = "7d",
     .help = "How long a stream that --create makes keeps messages; 0: for ever."},
    {.name = "max_bytes",
     .kind = EVS_OPTION_BYTES,
     .fallback = "0",
     .help = "How many bytes a stream that --create makes keeps; 0: as many as there is room for."},
    {.name = "duplicate_window",
     .kind = EVS_OPTION_DURATION,
     .fallback = "10 minute",
     .help = "How long a stream that --create makes remembers ids: longer than a connection may be away."},
    {.name = "keep",
     .kind = EVS_OPTION_DURATION,
     .fallback = "3 minute",
     .min = 0,
     .max = INT64_C(3600000000),
     .help = "How long rows are kept behind their acknowledgement, to be sent again under their ids should the stream "
             "lose its newest messages (a power cut between two syncs of the server); 0: not at all. Rows of exact "
             "delivery are kept over restarts, those of fast delivery while the engine runs."},
    {.name = "keep_bytes",
     .kind = EVS_OPTION_BYTES,
     .fallback = "64MB",
     .help = "How many bytes of them are kept at most; the oldest go first."},
    {.name = "domain", .kind = EVS_OPTION_STRING, .fallback = "", .help = "JetStream domain, for leaf nodes."},
    {.name = "inbox_prefix",
     .kind = EVS_OPTION_STRING,
     .fallback = "_INBOX",
     .help = "Prefix of the subjects that answers come to; for users who may subscribe to few subjects."},
    {.name = "tls_ca", .kind = EVS_OPTION_STRING, .fallback = "", .help = "File of the server's authority."},
    {.name = "tls_cert",
     .kind = EVS_OPTION_STRING,
     .fallback = "",
     .help = "File of our own certificate, if the server asks for it."},
    {.name = "tls_key", .kind = EVS_OPTION_STRING, .fallback = "", .help = "File of the key of tls_cert."},
    {.name = "transport",
     .kind = EVS_OPTION_ENUM,
     .fallback = "auto",
     .choices = "auto|socket|library",
     .help = "Who speaks the protocol: our own connection, or the cnats library (for TLS and credentials files); auto "
             "takes the first that can."},
    {.name = NULL},
};

evs_status evs_nats_sink_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **result,
                                   struct evs_error *error)
{
    struct evs_nats_sink_config *config = EVS_ARENA_NEW(arena, struct evs_nats_sink_config);
    int64_t max_bytes = evs_option_find(values, "max_bytes")->integer;
    *config = (struct evs_nats_sink_config){
        .subject = evs_option_find(values, "subject")->text.data,
        .stream = evs_option_find(values, "stream")->text.data,
        .ack_timeout_us = evs_option_find(values, "ack_timeout")->integer,
        .max_age_us = evs_option_find(values, "max_age")->integer,
        .max_bytes = max_bytes > 0 ? max_bytes : -1,
        .duplicate_window_us = evs_option_find(values, "duplicate_window")->integer,
        .keep_us = evs_option_find(values, "keep")->integer,
        .keep_bytes = evs_option_find(values, "keep_bytes")->integer,
        .domain = evs_option_find(values, "domain")->text.data,
        .inbox_prefix = evs_option_find(values, "inbox_prefix")->text.data,
        .tls_ca = evs_option_find(values, "tls_ca")->text.data,
        .tls_cert = evs_option_find(values, "tls_cert")->text.data,
        .tls_key = evs_option_find(values, "tls_key")->text.data,
        .transport = (enum evs_nats_transport)evs_option_find(values, "transport")->integer,
    };
    *result = config;
    if (config->stream[0] != '\0' && !evs_nats_stream_name_is_valid(evs_slice_of(config->stream))) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "Option stream: '%s' is no name of a stream; letters, digits, '-' and '_' are allowed.",
                        config->stream);
    }
    if (strpbrk(config->subject, " \t\r\n*>\"\\") != NULL || strlen(config->subject) >= EVS_NATS_SINK_SUBJECT_MAX) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "Option subject: '%s' is no subject to publish to; it may hold no spaces, quotes or wildcards.",
                        config->subject);
    }
    return EVS_OK;
}

void evs_sink_nats_place(const void *config, struct evs_sink_nats_place *place)
{
    const struct evs_nats_sink_config *from = config;
    *place = (struct evs_sink_nats_place){from->subject, from->stream,   from->domain,  from->inbox_prefix,
                                          from->tls_ca,  from->tls_cert, from->tls_key, from->transport};
}

void evs_nats_sink_keeps(const void *config, int64_t *keep_us, uint64_t *bytes_max)
{
    const struct evs_nats_sink_config *from = config;
    *keep_us = from->keep_bytes == 0 ? 0 : from->keep_us;
    *bytes_max = (uint64_t)from->keep_bytes;
}
