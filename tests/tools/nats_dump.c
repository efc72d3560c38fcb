/* Prints what a JetStream stream holds, oldest first, and ends at the stream's end.
 *
 *   nats_dump [options] STREAM
 *     --url URL          default EVSTREAM_NATS_URL, else nats://127.0.0.1:4222
 *     --subject FILTER   only messages of these subjects
 *     --id               each line begins with the message's Nats-Msg-Id and a tab
 *     --sequence         each line begins with the message's stream sequence and a tab
 *     --names            each line begins with the message's subject and a tab
 *     --headers          a line of each header, "# Name: value", before the message's own
 *
 * A message of several lines is printed as several lines. It uses the client library alone, so that tests of our own reader do not
 * depend on it. */
#include <getopt.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 10000

struct dump {
    const char *url, *stream, *subject;
    bool id, sequence, names, headers;
    jsCtx *js;
};

static void dump_die(const char *what, natsStatus status)
{
    fprintf(stderr, "nats_dump: %s: %s\n", what, natsStatus_GetText(status));
    exit(1);
}

static void dump_headers(natsMsg *message)
{
    const char **keys = NULL, *value = NULL;
    int count = 0;
    if (natsMsgHeader_Keys(message, &keys, &count) != NATS_OK) {
        return;
    }
    for (int i = 0; i < count; i++) {
        if (natsMsgHeader_Get(message, keys[i], &value) == NATS_OK) {
            printf("# %s: %s\n", keys[i], value);
        }
    }
    free((void *)keys);
}

static void dump_prefix(const struct dump *dump, natsMsg *message, uint64_t sequence)
{
    const char *id = "";
    if (dump->sequence) {
        printf("%" PRIu64 "\t", sequence);
    }
    if (dump->names) {
        printf("%s\t", natsMsg_GetSubject(message));
    }
    if (dump->id) {
        (void)natsMsgHeader_Get(message, "Nats-Msg-Id", &id);
        printf("%s\t", id);
    }
}

/* Does a subject match a filter with `*` for one token and a last `>` for one or more? */
static bool dump_matches(const char *filter, const char *subject)
{
    for (; *filter != '\0' && *subject != '\0';) {
        if (*filter == '>') {
            return true;
        }
        size_t filter_bytes = strcspn(filter, "."), subject_bytes = strcspn(subject, ".");
        bool any = filter_bytes == 1 && *filter == '*';
        if (!any && (filter_bytes != subject_bytes || memcmp(filter, subject, filter_bytes) != 0)) {
            return false;
        }
        filter += filter_bytes + (filter[filter_bytes] == '.');
        subject += subject_bytes + (subject[subject_bytes] == '.');
    }
    return *filter == '\0' && *subject == '\0';
}

/* Returns the message's sequence. */
static uint64_t dump_message(const struct dump *dump, natsMsg *message)
{
    jsMsgMetaData *meta = NULL;
    natsStatus s = natsMsg_GetMetaData(&meta, message);
    if (s != NATS_OK) {
        dump_die("a message is not the stream's", s);
    }
    uint64_t sequence = meta->Sequence.Stream;
    jsMsgMetaData_Destroy(meta);
    if (!dump_matches(dump->subject, natsMsg_GetSubject(message))) {
        return sequence;
    }
    const char *at = natsMsg_GetData(message), *end = at + natsMsg_GetDataLength(message);
    if (dump->headers) {
        dump_headers(message);
    }
    do {
        const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        const char *line_end = newline == NULL ? end : newline;
        dump_prefix(dump, message, sequence);
        printf("%.*s\n", (int)(line_end - at), at);
        at = line_end + 1;
    } while (at < end);
    return sequence;
}

static uint64_t dump_last_sequence(const struct dump *dump)
{
    jsStreamInfo *info = NULL;
    natsStatus s = js_GetStreamInfo(&info, dump->js, dump->stream, NULL, NULL);
    if (s != NATS_OK) {
        dump_die("no information on the stream", s);
    }
    uint64_t last = info->State.Msgs == 0 ? 0 : info->State.LastSeq;
    jsStreamInfo_Destroy(info);
    return last;
}

/* Reads the whole stream and filters here: after a kill, nats-server 2.9 miscounts what is pending for a consumer with a filter. */
static void dump_stream(struct dump *dump)
{
    uint64_t last = dump_last_sequence(dump), sequence = 0;
    jsSubOptions options;
    jsSubOptions_Init(&options);
    options.Stream = dump->stream;
    options.Config.AckPolicy = js_AckNone;
    options.Config.MaxDeliver = 1;
    natsSubscription *subscription = NULL;
    natsStatus s = js_SubscribeSync(&subscription, dump->js, ">", NULL, &options, NULL);
    if (s != NATS_OK) {
        dump_die("cannot read the stream", s);
    }
    (void)natsSubscription_SetPendingLimits(subscription, -1, -1);
    while (sequence < last) {
        natsMsg *message = NULL;
        s = natsSubscription_NextMsg(&message, subscription, WAIT_MS);
        if (s != NATS_OK) {
            dump_die("a message did not come", s);
        }
        sequence = dump_message(dump, message);
        natsMsg_Destroy(message);
    }
    natsSubscription_Destroy(subscription);
}

static void dump_options(struct dump *dump, int argc, char **argv)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},
        {"subject", required_argument, NULL, 'j'},
        {"id", no_argument, NULL, 'i'},
        {"sequence", no_argument, NULL, 's'},
        {"names", no_argument, NULL, 'n'},
        {"headers", no_argument, NULL, 'h'},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'u':
            dump->url = optarg;
            break;
        case 'j':
            dump->subject = optarg;
            break;
        case 'i':
            dump->id = true;
            break;
        case 's':
            dump->sequence = true;
            break;
        case 'n':
            dump->names = true;
            break;
        case 'h':
            dump->headers = true;
            break;
        default:
            exit(2);
        }
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: nats_dump [options] STREAM\n");
        exit(2);
    }
    dump->stream = argv[optind];
}

int main(int argc, char **argv)
{
    const char *url = getenv("EVSTREAM_NATS_URL");
    struct dump dump = {.url = url != NULL ? url : "nats://127.0.0.1:4222", .subject = ">"};
    dump_options(&dump, argc, argv);
    natsConnection *connection = NULL;
    natsStatus s = natsConnection_ConnectTo(&connection, dump.url);
    if (s == NATS_OK) {
        s = natsConnection_JetStream(&dump.js, connection, NULL);
    }
    if (s != NATS_OK) {
        dump_die("cannot connect", s);
    }
    dump_stream(&dump);
    /* All is printed. The client library's threads, when they are taken down, have aborted the process now and then. */
    _exit(fflush(stdout) == 0 ? 0 : 1);
}
