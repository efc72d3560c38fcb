/* The source contract on top of the safe reader: options in, calls through. */
#include "source_nats.h"

#include "nats_api.h"
#include "nats_bucket.h"
#include "nats_reader.h"

#define MINUTE_US INT64_C(60000000)
#define HEARTBEAT_MIN_US 100000

static const struct evs_option source_nats_options[] = {
    {.name = "stream", .kind = EVS_OPTION_STRING, .required = true, .help = "Name of the JetStream stream."},
    {.name = "subject",
     .kind = EVS_OPTION_STRING,
     .fallback = "",
     .help = "Only messages of these subjects (wildcards * and >); empty: all. Also the subjects of a stream that "
             "--create makes."},
    {.name = "partitions",
     .kind = EVS_OPTION_INT,
     .fallback = "1",
     .min = 1,
     .max = EVS_NATS_PARTITIONS_MAX,
     .help = "Partitions of the stream; with more than 1 a token of each subject is the partition's number, from 0."},
    {.name = "partition_token",
     .kind = EVS_OPTION_INT,
     .fallback = "2",
     .min = 1,
     .max = 16,
     .help = "Which token of the subject is the partition, from 1: in clicks.7.web token 2 is 7."},
    {.name = "in_flight",
     .kind = EVS_OPTION_BYTES,
     .fallback = "16MiB",
     .min = 65536,
     .max = 48 << 20,
     .help = "Bytes asked for ahead of reading; above 64 MB the server would cut a slow reader off."},
    {.name = "heartbeat",
     .kind = EVS_OPTION_DURATION,
     .fallback = "1s",
     .min = HEARTBEAT_MIN_US,
     .max = 10000000,
     .help = "Interval of the server's idle heartbeats; after two and a half without any the consumer is made again."},
    {.name = "domain", .kind = EVS_OPTION_STRING, .fallback = "", .help = "JetStream domain, for leaf nodes."},
    {.name = "inbox_prefix",
     .kind = EVS_OPTION_STRING,
     .fallback = "_INBOX",
     .help = "Prefix of the subjects that answers come to; for users who may subscribe to few subjects."},
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
     .fallback = "2 minute",
     .help = "How long a stream that --create makes remembers message ids."},
    {.name = "tls_ca",
     .kind = EVS_OPTION_STRING,
     .fallback = "",
     .help = "File of the certificate authority of the server."},
    {.name = "tls_cert",
     .kind = EVS_OPTION_STRING,
     .fallback = "",
     .help = "File of our own certificate, if the server asks for it."},
    {.name = "tls_key", .kind = EVS_OPTION_STRING, .fallback = "", .help = "File of the key of tls_cert."},
    {.name = "transport",
     .kind = EVS_OPTION_ENUM,
     .fallback = "auto",
     .choices = "auto|socket|library",
     .help = "Who speaks the protocol: our reader on the socket, or the cnats library (for TLS and credentials files); "
             "auto "
             "takes the first that can."},
    {.name = NULL},
};

static evs_status source_nats_check(const struct evs_nats_reader_config *config, struct evs_error *error)
{
    char filter[256];
    if (!evs_nats_stream_name_is_valid(evs_slice_of(config->stream))) {
        return evs_fail(
            error, EVS_E_PIPELINE,
            "Option stream: '%s' is no name of a stream; letters, digits, '-' and '_' are allowed, 200 of them.",
            config->stream);
    }
    if (strpbrk(config->subject, " \t\r\n\"\\") != NULL || strlen(config->subject) > 200) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "Option subject: '%s' is no subject; it may hold no spaces or quotes, and at most 200 bytes.",
                        config->subject);
    }
    if (config->partitions > 1 &&
        !evs_nats_partition_filter(config->subject, config->partition_token, 0, filter, sizeof filter)) {
        return evs_fail(
            error, EVS_E_PIPELINE,
            "Option subject: token %u of '%s' cannot be the partition; write '*' there, or '>' at or before it.",
            config->partition_token, config->subject);
    }
    return EVS_OK;
}

static evs_status source_nats_configure(const struct evs_option_value *values, struct evs_arena *arena,
                                        const void **result, struct evs_error *error)
{
    struct evs_nats_reader_config *config = EVS_ARENA_NEW(arena, struct evs_nats_reader_config);
    int64_t max_bytes = evs_option_find(values, "max_bytes")->integer;
    *config = (struct evs_nats_reader_config){
        .stream = evs_option_find(values, "stream")->text.data,
        .subject = evs_option_find(values, "subject")->text.data,
        .partitions = (uint32_t)evs_option_find(values, "partitions")->integer,
        .partition_token = (uint32_t)evs_option_find(values, "partition_token")->integer,
        .in_flight_bytes = evs_option_find(values, "in_flight")->integer,
        .heartbeat_us = evs_option_find(values, "heartbeat")->integer,
        .domain = evs_option_find(values, "domain")->text.data,
        .inbox_prefix = evs_option_find(values, "inbox_prefix")->text.data,
        .max_age_us = evs_option_find(values, "max_age")->integer,
        .max_bytes = max_bytes > 0 ? max_bytes : -1,
        .duplicate_window_us = evs_option_find(values, "duplicate_window")->integer,
        .transport = (enum evs_nats_transport)evs_option_find(values, "transport")->integer,
        .tls_ca = evs_option_find(values, "tls_ca")->text.data,
        .tls_cert = evs_option_find(values, "tls_cert")->text.data,
        .tls_key = evs_option_find(values, "tls_key")->text.data,
    };
    *result = config;
    return source_nats_check(config, error);
}

static evs_status source_nats_open(const struct evs_source_open *open, void **instance, struct evs_error *error)
{
    struct evs_nats_reader *reader = NULL;
    evs_status status = evs_nats_reader_open(open->config, open, &reader, error);
    *instance = reader;
    return status;
}

static evs_status source_nats_poll(void *instance, struct evs_message *messages, uint32_t max, uint32_t *count,
                                   struct evs_error *error)
{
    return evs_nats_reader_poll(instance, messages, max, count, error);
}

static void source_nats_state(void *instance, struct evs_source_state *state)
{
    evs_nats_reader_state(instance, state);
}

static uint32_t source_nats_wait_fds(void *instance, struct evs_wait_fd *fds, uint32_t max)
{
    return evs_nats_reader_wait_fds(instance, fds, max);
}

static void source_nats_committed(void *instance, const struct evs_position *positions, uint32_t count)
{
    (void)positions; /* marks go by age: a broker may lose what was committed here, too */
    (void)count;
    evs_nats_reader_committed(instance);
}

static uint32_t source_nats_resolved(void *instance, struct evs_position *positions, uint32_t max)
{
    return evs_nats_reader_resolved(instance, positions, max);
}

static void source_nats_close(void *instance)
{
    evs_nats_reader_close(instance);
}

const struct evs_source evs_source_nats = {
    .kind = "nats",
    .durable = true,
    .options = source_nats_options,
    .configure = source_nats_configure,
    .open = source_nats_open,
    .poll = source_nats_poll,
    .state = source_nats_state,
    .wait_fds = source_nats_wait_fds,
    .committed = source_nats_committed,
    .resolved = source_nats_resolved,
    .close = source_nats_close,
    .bucket = &evs_nats_bucket,
};
