/* JetStream's administration API: JSON requests and answers, without any I/O but evs_nats_request.
 *
 * Spoken directly rather than through the library's js_ functions, because those block; a reader that makes its consumer again
 * after a reconnect must go on serving its worker. nats-server ignores fields that it does not know, so every configuration that it
 * echoes is compared with what was asked for. */
#ifndef EVS_NATS_API_H
#define EVS_NATS_API_H

#include "nats_position.h"
#include "nats_wire.h"

/* Numbers of JetStream's errors ("err_code"). */
enum {
    EVS_NATS_E_NO_MESSAGE = 10037,
    EVS_NATS_E_NOT_ENABLED = 10076,
    EVS_NATS_E_NOT_ENABLED_FOR_ACCOUNT = 10039,
    EVS_NATS_E_STREAM_NOT_FOUND = 10059,
    EVS_NATS_E_STREAM_EXISTS = 10058,
    EVS_NATS_E_TOO_LARGE = 10054,
    EVS_NATS_E_WRONG_SEQUENCE = 10071, /* another message than expected is the last of its subject */
    EVS_NATS_E_STREAM_FULL = 10077,
};

struct evs_nats_api_error {
    uint32_t code; /* as of HTTP; 503: nobody answers; 0: no error */
    uint32_t number;
    char text[200];
};
/* True when the answer is an error. */
bool evs_nats_api_failed(const struct evs_nats_message *answer, struct evs_nats_api_error *failure);

struct evs_nats_stream_info {
    int64_t created_us, first_us, duplicate_window_us, max_age_us;
    uint64_t message_count, first_sequence, last_sequence;
    char subject[256];      /* the first of its subjects */
    uint32_t subject_count; /* 1 or 2 (2: several) */
    uint32_t replicas;      /* copies that the servers of a cluster keep */
    bool is_file, discards_new;
};
bool evs_nats_api_stream_info(struct evs_slice answer, struct evs_nats_stream_info *info);

struct evs_nats_stream_config {
    const char *name;
    const char *subjects[2]; /* the second may be NULL */
    int64_t max_age_us;      /* 0: no limit */
    int64_t max_bytes;       /* -1: no limit */
    int64_t duplicate_window_us;
};
void evs_nats_api_stream_config(const struct evs_nats_stream_config *config, struct evs_buffer *out);

struct evs_nats_consumer {
    const char *stream, *name, *filter; /* filter "": everything */
    uint64_t start_sequence;            /* 0: by time */
    int64_t start_us;
    bool headers_only; /* no payloads */
};
void evs_nats_api_consumer_config(const struct evs_nats_consumer *consumer, struct evs_buffer *out);
/* Compares what the server made with what was asked for; *difference names the field. */
bool evs_nats_api_consumer_is(struct evs_slice answer, const struct evs_nats_consumer *consumer,
                              const char **difference);

/* The answer of STREAM.MSG.GET as a mark. False when it is none. `scratch` is emptied and used. */
bool evs_nats_api_stored(struct evs_slice answer, struct evs_buffer *scratch, struct evs_nats_mark *mark);

/* Asks and waits: only while opening, when no other subscription delivers. `prefix` is "$JS.API" or "$JS.DOMAIN.API". Retries while
 * nobody answers (JetStream recovers after a start) until the time is over. *answer is valid until the wire's next release. */
struct evs_nats_asker {
    struct evs_nats_wire *wire;
    const struct evs_os *os;
    struct evs_park *park;
    const char *inbox; /* without a dot at its end */
    uint64_t serial;   /* of the last request; begin with 0 */
    int64_t timeout_us;
    uint64_t refusals; /* of the connection, when the request was sent: another one is the answer */
};
#define EVS_NATS_ASKER_SID 1
EVS_MUST_CHECK evs_status evs_nats_request(struct evs_nats_asker *asker, const char *subject, struct evs_slice body,
                                           struct evs_nats_message *answer, struct evs_error *error);
/* With `headers`, lines "Name: value\r\n". */
EVS_MUST_CHECK evs_status evs_nats_request_with(struct evs_nats_asker *asker, const char *subject,
                                                struct evs_slice headers, struct evs_slice body,
                                                struct evs_nats_message *answer, struct evs_error *error);

/* A stream's information. EVS_AGAIN: there is no such stream. One that is being made is waited for: messages may be asked for only of a stream that was found. */
EVS_MUST_CHECK evs_status evs_nats_find_stream(struct evs_nats_asker *asker, const char *prefix, const char *stream,
                                               struct evs_nats_stream_info *info, struct evs_error *error);
EVS_MUST_CHECK evs_status evs_nats_create_stream(struct evs_nats_asker *asker, const char *prefix,
                                                 const struct evs_nats_stream_config *config, struct evs_error *error);

/* "$JS.API" or, with a domain, "$JS.DOMAIN.API". */
void evs_nats_api_prefix(const char *domain, char *out, size_t bytes);
/* Names of streams: letters, digits, '-' and '_'; the server allows more, but not in subjects of its API. */
bool evs_nats_stream_name_is_valid(struct evs_slice name);
/* Whether every subject that matches `subject` matches `pattern` too. */
bool evs_nats_subject_covers(const char *pattern, const char *subject);

#endif
