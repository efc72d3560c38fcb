/* Publishes lines of a file or of standard input to a JetStream stream, several lines a message.
 *
 *   nats_feed [options] [FILE]
 *     --url URL             default EVSTREAM_NATS_URL, else nats://127.0.0.1:4222
 *     --stream NAME         created if it does not exist: file storage, subject's first token and everything below it
 *     --subject SUBJECT     default "events"; with --partitions SUBJECT.<p>
 *     --events N            lines a message, default 1
 *     --partitions P        with --key: partition = FNV-1a32(value) mod P, appended to the subject as a token
 *     --key FIELD           a top-level JSON string field, such as user_id
 *     --suffix TOKENS       appended to the subject, behind the partition
 *     --id PREFIX           gives each message the header Nats-Msg-Id: PREFIX<number>
 *
 * Waits for every acknowledgement; prints "<lines> lines in <messages> messages" and ends with 0, or says what failed and ends
 * with 1. It uses the client library alone, so that tests of our own connectors do not depend on them. */
#include <getopt.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evstream/memory.h"
#include "evstream/text.h"

#define PENDING_MAX 4096
#define WAIT_MS 30000
#define RETRY_MS 50
#define PARTITIONS_MAX 4096

struct feed {
    const char *url, *stream, *subject, *key, *suffix, *id;
    long events, partitions;
    jsCtx *js;
    struct evs_buffer *messages; /* the open message of each partition */
    long *counts;
    uint64_t line_count, message_count;
    atomic_uint_fast64_t failures;
};

static void feed_die(const char *what, natsStatus status)
{
    fprintf(stderr, "nats_feed: %s: %s\n", what, natsStatus_GetText(status));
    exit(1);
}

static void feed_on_failure(jsCtx *js, jsPubAckErr *failure, void *closure)
{
    (void)js;
    struct feed *feed = closure;
    if (atomic_fetch_add(&feed->failures, 1) == 0) {
        fprintf(stderr, "nats_feed: not stored: %s\n",
                failure->ErrText != NULL ? failure->ErrText : natsStatus_GetText(failure->Err));
    }
}

static void feed_connect(struct feed *feed, natsConnection **connection)
{
    natsStatus s = natsConnection_ConnectTo(connection, feed->url);
    if (s != NATS_OK) {
        feed_die("cannot connect", s);
    }
    jsOptions options;
    jsOptions_Init(&options);
    options.PublishAsync.MaxPending = PENDING_MAX;
    options.PublishAsync.StallWait = WAIT_MS;
    options.PublishAsync.ErrHandler = feed_on_failure;
    options.PublishAsync.ErrHandlerClosure = feed;
    s = natsConnection_JetStream(&feed->js, *connection, &options);
    if (s != NATS_OK) {
        feed_die("no JetStream", s);
    }
}

static natsStatus feed_ask_for_stream(struct feed *feed, jsErrCode *code)
{
    jsStreamInfo *info = NULL;
    natsStatus s = js_GetStreamInfo(&info, feed->js, feed->stream, NULL, code);
    if (s == NATS_NOT_FOUND) {
        char root[256], below[260];
        snprintf(root, sizeof root, "%.*s", (int)strcspn(feed->subject, "."), feed->subject);
        snprintf(below, sizeof below, "%s.>", root);
        const char *both[] = {below, root};
        jsStreamConfig config;
        jsStreamConfig_Init(&config);
        config.Name = feed->stream;
        config.Subjects = both;
        config.SubjectsLen = strchr(feed->subject, '.') != NULL || feed->partitions > 0 || feed->suffix != NULL ? 1 : 2;
        config.Storage = js_FileStorage;
        s = js_AddStream(&info, feed->js, &config, NULL, code);
    }
    jsStreamInfo_Destroy(info);
    return s;
}

/* Another program may make the same stream at this moment, and a server that has just started may not answer yet: then it is asked again. */
static void feed_create_stream(struct feed *feed)
{
    jsErrCode code = 0;
    int64_t end = nats_Now() + WAIT_MS;
    natsStatus s;
    if (feed->stream == NULL) {
        return;
    }
    while ((s = feed_ask_for_stream(feed, &code)) != NATS_OK && nats_Now() < end) {
        nats_Sleep(RETRY_MS);
    }
    if (s != NATS_OK) {
        fprintf(stderr, "nats_feed: JetStream's error code is %d: %s\n", (int)code, nats_GetLastError(NULL));
        feed_die("cannot create the stream", s);
    }
}

static void feed_send(struct feed *feed, long partition)
{
    struct evs_buffer *message = &feed->messages[partition];
    if (message->count == 0) {
        return;
    }
    char subject[512], id[256], number[32] = "";
    if (feed->partitions > 0) {
        snprintf(number, sizeof number, ".%ld", partition);
    }
    snprintf(subject, sizeof subject, "%s%s%s%s", feed->subject, number, feed->suffix != NULL ? "." : "",
             feed->suffix != NULL ? feed->suffix : "");
    jsPubOptions options;
    jsPubOptions_Init(&options);
    if (feed->id != NULL) {
        snprintf(id, sizeof id, "%s%" PRIu64, feed->id, feed->message_count);
        options.MsgId = id;
    }
    natsStatus s = js_PublishAsync(feed->js, subject, message->data, (int)message->count, &options);
    if (s != NATS_OK) {
        feed_die("cannot publish", s);
    }
    feed->message_count++;
    message->count = 0;
    feed->counts[partition] = 0;
}

/* The value of a top-level string field, found by its text: enough for generated test data without escapes in it. */
static struct evs_slice feed_key(const struct feed *feed, const char *line, size_t count)
{
    char pattern[128];
    int pattern_count = snprintf(pattern, sizeof pattern, "\"%s\":", feed->key);
    const char *at = memmem(line, count, pattern, (size_t)pattern_count), *end = line + count;
    if (at == NULL) {
        return (struct evs_slice){"", 0};
    }
    for (at += pattern_count; at < end && *at == ' '; at++) {
    }
    const char *close = at < end && *at == '"' ? memchr(at + 1, '"', (size_t)(end - at - 1)) : NULL;
    return close == NULL ? (struct evs_slice){"", 0} : (struct evs_slice){at + 1, (size_t)(close - at - 1)};
}

static void feed_line(struct feed *feed, const char *line, size_t count)
{
    long partition = 0;
    if (feed->partitions > 0 && feed->key != NULL) {
        struct evs_slice key = feed_key(feed, line, count);
        partition = (long)(evs_fnv1a32(key.data, key.count) % (uint32_t)feed->partitions);
    }
    struct evs_buffer *message = &feed->messages[partition];
    evs_buffer_put(message, line, count);
    if (count == 0 || line[count - 1] != '\n') {
        evs_buffer_put(message, "\n", 1);
    }
    feed->line_count++;
    if (++feed->counts[partition] >= feed->events) {
        feed_send(feed, partition);
    }
}

static void feed_options(struct feed *feed, int argc, char **argv)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},
        {"stream", required_argument, NULL, 's'},
        {"subject", required_argument, NULL, 'j'},
        {"events", required_argument, NULL, 'e'},
        {"partitions", required_argument, NULL, 'p'},
        {"key", required_argument, NULL, 'k'},
        {"suffix", required_argument, NULL, 'x'},
        {"id", required_argument, NULL, 'i'},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'u':
            feed->url = optarg;
            break;
        case 's':
            feed->stream = optarg;
            break;
        case 'j':
            feed->subject = optarg;
            break;
        case 'e':
            feed->events = strtol(optarg, NULL, 10);
            break;
        case 'p':
            feed->partitions = strtol(optarg, NULL, 10);
            break;
        case 'k':
            feed->key = optarg;
            break;
        case 'x':
            feed->suffix = optarg;
            break;
        case 'i':
            feed->id = optarg;
            break;
        default:
            exit(2);
        }
    }
    if (feed->events < 1 || feed->partitions < 0 || feed->partitions > PARTITIONS_MAX) {
        fprintf(stderr, "nats_feed: --events is at least 1, --partitions 0 to %d\n", PARTITIONS_MAX);
        exit(2);
    }
}

static void feed_read(struct feed *feed, FILE *in)
{
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t count; (count = getline(&line, &capacity, in)) > 0;) {
        feed_line(feed, line, (size_t)count);
    }
    free(line);
    for (long p = 0; p < (feed->partitions > 0 ? feed->partitions : 1); p++) {
        feed_send(feed, p);
    }
}

/* cnats 3.4.1 forgets an acknowledgement that is under way when its context is destroyed: the leak is the library's, and not what is
 * tested with this tool. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:natsMsg_create\n";
}

int main(int argc, char **argv)
{
    const char *url = getenv("EVSTREAM_NATS_URL");
    struct feed feed = {.url = url != NULL ? url : "nats://127.0.0.1:4222", .subject = "events", .events = 1};
    feed_options(&feed, argc, argv);
    const char *path = optind < argc ? argv[optind] : "-";
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (in == NULL) {
        perror(path);
        return 1;
    }
    natsConnection *connection = NULL;
    feed_connect(&feed, &connection);
    feed_create_stream(&feed);
    feed.messages = evs_alloc_zero(PARTITIONS_MAX * sizeof *feed.messages);
    feed.counts = evs_alloc_zero(PARTITIONS_MAX * sizeof *feed.counts);
    feed_read(&feed, in);
    jsPubOptions wait;
    jsPubOptions_Init(&wait);
    wait.MaxWait = WAIT_MS;
    natsStatus s = js_PublishAsyncComplete(feed.js, &wait);
    if (s != NATS_OK) {
        feed_die("not everything was acknowledged", s);
    }
    for (long p = 0; p < PARTITIONS_MAX; p++) {
        evs_buffer_fini(&feed.messages[p]);
    }
    evs_free(feed.messages);
    evs_free(feed.counts);
    jsCtx_Destroy(feed.js);
    natsConnection_Destroy(connection);
    nats_Close();
    if (in != stdin) {
        fclose(in);
    }
    printf("%" PRIu64 " lines in %" PRIu64 " messages\n", feed.line_count, feed.message_count);
    return atomic_load(&feed.failures) == 0 ? 0 : 1;
}
