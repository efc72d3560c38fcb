/* A key-value bucket is a stream KV_<bucket> with one message a key, on the subject $KV.<bucket>.<key>; a key's revision is the sequence of its
 * message. The same stream is made here as the tools of NATS make, so that these can show what is in it.
 *
 *   read    STREAM.MSG.GET, the last message of the subject: answered by the stream's leader, hence never stale (a direct get may be)
 *   write   a publish that names the revision which the subject must have: Nats-Expected-Last-Subject-Sequence
 *
 * A write whose answer is lost is tried again, and then refused because of itself. So a refusal is looked into: when the value that is there is the one
 * that was to be written, the write has succeeded. Two writers never write the same bytes (every value of ours holds its writer's nonce).
 *
 * A bucket on disk survives a kill of the server; one in memory does not, and its revisions begin at 1 again, so it is refused (exactness, 15). A
 * bucket that was deleted under us is made again at the next read or write. */
#include "nats_bucket.h"

#include <inttypes.h>
#include <stdio.h>

#include "nats_api.h"
#include "nats_json.h"
#include "nats_reader.h"

#define BUCKET_ASK_US 5000000
#define BUCKET_BYTES_MAX (INT64_C(64) << 20) /* a marker has a line for each partition: tens of kilobytes at most */

struct bucket {
    const struct evs_nats_reader_config *source;
    const struct evs_os *os;
    struct evs_log *log;
    const char *name;
    char stream[210], prefix[80], inbox[120];
    struct evs_nats_wire *wire;
    struct evs_nats_asker asker;
    int64_t timeout_us;
};

/* --- the stream behind it ------------------------------------------------------------------------------------------------------ */

static void put_config(const struct bucket *bucket, uint32_t replicas, struct evs_buffer *out)
{
    evs_buffer_printf(
        out,
        "{\"name\":\"%s\",\"subjects\":[\"$KV.%s.>\"],\"retention\":\"limits\",\"discard\":\"new\",\"storage\":"
        "\"file\","
        "\"num_replicas\":%u,\"max_consumers\":-1,\"max_msgs\":-1,\"max_msgs_per_subject\":1,\"max_msg_size\":-1,"
        "\"max_bytes\":%" PRId64 ",\"max_age\":0,\"duplicate_window\":120000000000,\"allow_rollup_hdrs\":true,"
        "\"deny_delete\":true,\"allow_direct\":true,\"description\":\"evstream: who runs a pipeline, and how far it "
        "is\"}",
        bucket->stream, bucket->name, replicas, BUCKET_BYTES_MAX);
}

static evs_status create(struct bucket *bucket, uint32_t replicas, struct evs_error *error)
{
    char subject[320];
    struct evs_buffer body = {0};
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    snprintf(subject, sizeof subject, "%s.STREAM.CREATE.%s", bucket->prefix, bucket->stream);
    put_config(bucket, replicas, &body);
    evs_status status =
        evs_nats_request(&bucket->asker, subject, (struct evs_slice){body.data, body.count}, &answer, error);
    evs_buffer_fini(&body);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure) && failure.number != EVS_NATS_E_STREAM_EXISTS) {
        return evs_fail(error, EVS_E_REFUSED,
                        "The key-value bucket %s, in which engines of one pipeline agree who of them runs, cannot be "
                        "created: %s (error "
                        "%u). Create it with `nats kv add %s --storage file`, or run a single engine with --lease off.",
                        bucket->name, failure.text, failure.number, bucket->name);
    }
    evs_log(bucket->log, EVS_LOG_INFO, "bucket_created", "Created the key-value bucket %s on %u server%s.",
            bucket->name, replicas, replicas == 1 ? "" : "s");
    return EVS_OK;
}

/* As many copies as the source's log has: who may lose the one may lose the other. A log that is not there yet, or that we may not ask about, is one copy. */
static uint32_t replicas_of_source(struct bucket *bucket)
{
    struct evs_nats_stream_info info;
    struct evs_error ignored;
    evs_status status = evs_nats_find_stream(&bucket->asker, bucket->prefix, bucket->source->stream, &info, &ignored);
    return status == EVS_OK && info.replicas > 0 ? info.replicas : 1;
}

static evs_status ensure(struct bucket *bucket, struct evs_error *error)
{
    struct evs_nats_stream_info info;
    evs_status status = evs_nats_find_stream(&bucket->asker, bucket->prefix, bucket->stream, &info, error);
    if (status == EVS_AGAIN) {
        status = create(bucket, replicas_of_source(bucket), error);
        if (status == EVS_OK) {
            status = evs_nats_find_stream(&bucket->asker, bucket->prefix, bucket->stream, &info, error);
        }
    }
    if (status == EVS_AGAIN) {
        return evs_fail(error, EVS_E_UNREACHABLE, "The key-value bucket %s vanished while it was made.", bucket->name);
    }
    if (status == EVS_OK && !info.is_file) {
        return evs_fail(error, EVS_E_REFUSED,
                        "The key-value bucket %s is kept in memory, which forgets who runs a pipeline when its server "
                        "restarts. Delete it (nats kv rm "
                        "%s) and start again: it is made on disk. Or name another one with --bucket.",
                        bucket->name, bucket->name);
    }
    return status;
}

/* --- values ---------------------------------------------------------------------------------------------------------------------- */

static evs_status refused(const struct bucket *bucket, const char *doing, const struct evs_nats_api_error *failure,
                          struct evs_error *error)
{
    evs_status status = failure->code == 503 ? EVS_E_UNREACHABLE : EVS_E_REFUSED;
    return evs_fail(error, status, "The key-value bucket %s: %s failed: %s (error %u).", bucket->name, doing,
                    failure->text, failure->number);
}

static evs_status read_once(struct bucket *bucket, const char *key, struct evs_buffer *value, uint64_t *revision,
                            struct evs_error *error)
{
    char subject[320], body[640];
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    snprintf(subject, sizeof subject, "%s.STREAM.MSG.GET.%s", bucket->prefix, bucket->stream);
    int count = snprintf(body, sizeof body, "{\"last_by_subj\":\"$KV.%s.%s\"}", bucket->name, key);
    EVS_ASSERT(count > 0 && (size_t)count < sizeof body);
    evs_status status =
        evs_nats_request(&bucket->asker, subject, (struct evs_slice){body, (size_t)count}, &answer, error);
    if (status != EVS_OK) {
        return status;
    }
    *revision = 0;
    value->count = 0;
    if (evs_nats_api_failed(&answer, &failure)) {
        if (failure.number == EVS_NATS_E_NO_MESSAGE) {
            return EVS_OK;
        }
        return failure.number == EVS_NATS_E_STREAM_NOT_FOUND ? EVS_AGAIN : refused(bucket, "reading", &failure, error);
    }
    struct evs_nats_mark mark;
    if (!evs_nats_api_stored(answer.payload, value, &mark)) {
        return evs_fail(error, EVS_E_CORRUPT, "The key-value bucket %s: the server's answer is not understood.",
                        bucket->name);
    }
    *revision = mark.sequence;
    return EVS_OK;
}

static evs_status bucket_read(void *instance, const char *key, struct evs_buffer *value, uint64_t *revision,
                              struct evs_error *error)
{
    struct bucket *bucket = instance;
    evs_status status = read_once(bucket, key, value, revision, error);
    if (status == EVS_AGAIN) {
        status = ensure(bucket, error);
        *revision = 0;
    }
    return status;
}

static evs_status publish_with(struct bucket *bucket, const char *key, struct evs_slice headers, struct evs_slice value,
                               struct evs_nats_message *answer, struct evs_error *error)
{
    char subject[420];
    /* Behind a domain's prefix the subjects of a bucket are reached through its API's. */
    bool has_domain = bucket->source->domain[0] != '\0';
    int count = snprintf(subject, sizeof subject, "%s%s$KV.%s.%s", has_domain ? bucket->prefix : "",
                         has_domain ? "." : "", bucket->name, key);
    EVS_ASSERT(count > 0 && (size_t)count < sizeof subject);
    return evs_nats_request_with(&bucket->asker, subject, headers, value, answer, error);
}

static evs_status publish(struct bucket *bucket, const char *key, struct evs_slice value, uint64_t expected,
                          struct evs_nats_message *answer, struct evs_error *error)
{
    char header[80];
    int count = snprintf(header, sizeof header, "Nats-Expected-Last-Subject-Sequence: %" PRIu64 "\r\n", expected);
    return publish_with(bucket, key, (struct evs_slice){header, (size_t)count}, value, answer, error);
}

evs_status evs_nats_bucket_remove(void *instance, const char *key, struct evs_error *error)
{
    struct bucket *bucket = instance;
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    evs_status status = publish_with(bucket, key, EVS_SLICE("KV-Operation: DEL\r\n"), EVS_SLICE(""), &answer, error);
    bool failed = status == EVS_OK && evs_nats_api_failed(&answer, &failure);
    return failed ? refused(bucket, "deleting", &failure, error) : status;
}

/* Another revision is there than we expected: is it our own, whose answer was lost? */
static evs_status look_again(struct bucket *bucket, const char *key, struct evs_slice value, uint64_t *revision,
                             struct evs_error *error)
{
    struct evs_buffer there = {0};
    uint64_t found = 0;
    evs_status status = bucket_read(bucket, key, &there, &found, error);
    bool is_ours = status == EVS_OK && evs_slice_equal((struct evs_slice){there.data, there.count}, value);
    evs_buffer_fini(&there);
    *revision = is_ours ? found : *revision;
    return status != EVS_OK || is_ours ? status : EVS_AGAIN;
}

static evs_status bucket_write(void *instance, const char *key, struct evs_slice value, uint64_t expected,
                               uint64_t *revision, struct evs_error *error)
{
    struct bucket *bucket = instance;
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    EVS_ASSERT(value.count > 0);
    evs_status status = publish(bucket, key, value, expected, &answer, error);
    if (status == EVS_E_REFUSED && ensure(bucket, error) == EVS_OK) { /* nobody takes the subject: the bucket is gone */
        status = publish(bucket, key, value, expected, &answer, error);
    }
    if (status != EVS_OK) {
        return status;
    }
    if (!evs_nats_api_failed(&answer, &failure)) {
        *revision = evs_nats_json_uint(answer.payload, "seq", 0);
        return *revision > 0 ? EVS_OK : EVS_E_UNREACHABLE;
    }
    return failure.number == EVS_NATS_E_WRONG_SEQUENCE ? look_again(bucket, key, value, revision, error)
                                                       : refused(bucket, "writing", &failure, error);
}

/* --- open and close ----------------------------------------------------------------------------------------------------------------- */

static void bucket_close(void *instance)
{
    struct bucket *bucket = instance;
    if (bucket->wire != NULL) {
        bucket->wire->type->close(bucket->wire);
    }
    evs_free(bucket);
}

static evs_status connect(struct bucket *bucket, const struct evs_bucket_open *open, struct evs_error *error)
{
    const struct evs_nats_reader_config *source = bucket->source;
    struct evs_nats_options options = {
        .os = open->os,
        .log = open->log,
        .park = open->park,
        .urls = open->nats_url,
        .credentials = open->nats_credentials,
        .tls_ca = source->tls_ca[0] != '\0' ? source->tls_ca : NULL,
        .tls_cert = source->tls_cert[0] != '\0' ? source->tls_cert : NULL,
        .tls_key = source->tls_key[0] != '\0' ? source->tls_key : NULL,
        .name = "evstream lease",
        .transport = source->transport,
        .retry_us = open->retry_us,
    };
    return evs_nats_wire_open(&options, &bucket->wire, error);
}

static evs_status bucket_open(const struct evs_bucket_open *open, void **instance, struct evs_error *error)
{
    if (!evs_nats_stream_name_is_valid(evs_slice_of(open->name))) {
        return evs_fail(error, EVS_E_USAGE,
                        "'%s' is no name of a key-value bucket: letters, digits, '-' and '_' are allowed.", open->name);
    }
    struct bucket *bucket = evs_alloc_zero(sizeof *bucket);
    bucket->source = open->source_config;
    bucket->os = open->os;
    bucket->log = open->log;
    bucket->name = open->name;
    bucket->timeout_us = open->timeout_us;
    snprintf(bucket->stream, sizeof bucket->stream, "KV_%s", open->name);
    snprintf(bucket->inbox, sizeof bucket->inbox, "%s.evs%016" PRIx64, bucket->source->inbox_prefix,
             open->os->random.next(open->os->random.self));
    evs_nats_api_prefix(bucket->source->domain, bucket->prefix, sizeof bucket->prefix);
    evs_status status = connect(bucket, open, error);
    if (status == EVS_OK) {
        bucket->asker =
            (struct evs_nats_asker){bucket->wire, bucket->os, open->park, bucket->inbox, 0, BUCKET_ASK_US, 0};
        status = ensure(bucket, error);
        bucket->asker.timeout_us = bucket->timeout_us;
    }
    if (status != EVS_OK) {
        bucket_close(bucket);
        return status;
    }
    *instance = bucket;
    return EVS_OK;
}

const struct evs_bucket evs_nats_bucket = {
    .open = bucket_open,
    .read = bucket_read,
    .write = bucket_write,
    .close = bucket_close,
};
