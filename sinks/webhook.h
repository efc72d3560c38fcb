/* The webhook sink's parts.
 *
 *   sink_webhook.c      the contract: rows in, acknowledgements out, one lane a worker
 *   webhook_config.c    options, with what belongs together
 *   webhook_preset.c    what Braze, Klaviyo, Customer.io and Iterable want
 *   webhook_delivery.c  the thread that delivers: order, pace, retries
 *   webhook_endpoint.c  what answers mean; whether the receiver is asked at all: rate, circuit
 *   webhook_items.c     answers that tell of each row of a list
 *   webhook_request.c   one request: headers, signature, a list of several messages */
#ifndef EVS_WEBHOOK_H
#define EVS_WEBHOOK_H

#include <stdatomic.h>

#include "evstream/sink.h"
#include "http_client.h"
#include "json_template.h"
#include "secret.h"

/* --- configuration ----------------------------------------------------------------------------------------------------- */

#define EVS_WEBHOOK_RATES_MAX 4u
#define EVS_WEBHOOK_RETRIES_MAX 32u

struct evs_webhook_rate { /* at most so many requests in any stretch of this length */
    uint32_t count;
    int64_t period_us;
};

/* A line "Name: value" of the option `headers`. */
struct evs_webhook_header {
    struct evs_slice name, value;
    enum { EVS_HEADER_FIXED, EVS_HEADER_OF_ROW, EVS_HEADER_AUTH } kind;
    struct evs_webhook_header *next;
};

struct evs_webhook {
    struct evs_http_how how;
    struct evs_slice url; /* a template; count 0: a secret names it */
    bool url_has_holes;   /* rows decide about a part of it */
    const char *method, *content_type;
    struct evs_webhook_header *headers;
    struct evs_slice body; /* a template; count 0: what the format writes */
    enum evs_body_kind body_kind;
    struct evs_slice batch_head, batch_tail; /* round the list of messages */
    uint32_t items_max;
    const char *refused_items;  /* "errors.index": the array of an answer; NULL: answers are not read */
    const char *refused_member; /* and the member of its elements that is a row's place */
    struct evs_secret auth, signing, url_secret; /* names alone: each delivery has values of its own */
    bool is_ordered;
    struct evs_slice key; /* a template; count 0: the rows' own key */
    struct evs_webhook_rate rates[EVS_WEBHOOK_RATES_MAX];
    uint32_t rate_count;
    int64_t retries_us[EVS_WEBHOOK_RETRIES_MAX]; /* at least one; the last one goes on */
    uint32_t retry_count;
    int64_t give_up_us;
    const char *preset; /* NULL: none */
};

extern const struct evs_option evs_webhook_options[];
EVS_MUST_CHECK evs_status evs_webhook_configure(const struct evs_option_value *values, struct evs_arena *arena,
                                                const void **config, struct evs_error *error);

/* May requests go there? The text never shows the URL, which may be a secret. */
EVS_MUST_CHECK evs_status evs_webhook_check_url(const struct evs_webhook *webhook, const char *url,
                                                struct evs_error *error);

/* What a service wants, as a user would write it; NULL where it says nothing. */
struct evs_webhook_preset {
    const char *name, *server, *path, *headers, *content_type, *body, *batch, *rate;
    uint32_t items_max;
    const char *refused_items;
    const char *needs; /* columns, and what the credential is: for messages */
};
const struct evs_webhook_preset *evs_webhook_preset(struct evs_slice name);

/* "100 per second, 3500 per minute"; "5s, 5 minutes, 2h". EVS_E_PIPELINE with a text that says what is wrong. */
EVS_MUST_CHECK evs_status evs_webhook_read_rates(struct evs_slice text, struct evs_webhook *webhook,
                                                 struct evs_error *error);
EVS_MUST_CHECK evs_status evs_webhook_read_schedule(struct evs_slice text, struct evs_webhook *webhook,
                                                    struct evs_error *error);

/* --- one message ------------------------------------------------------------------------------------------------------- */

struct evs_webhook_lane;

/* A message on its way. The lane makes it and frees it; between the two it is the delivery's. */
struct evs_webhook_message {
    struct evs_webhook_message *next;      /* in the inbox, the outbox of its lane, or a request */
    struct evs_webhook_message *next_line; /* of the same order */
    struct evs_webhook_lane *lane;
    uint64_t number, order, sequence;
    struct evs_hash128 id;
    int64_t created_us; /* wall */
    int64_t due_us;     /* monotonic */
    uint32_t attempts;
    bool is_alone;             /* a list that it was part of was refused */
    bool is_held_up;           /* its last try failed for reasons that lie with the receiver */
    const char *reason, *code; /* NULL: acknowledged */
    struct evs_buffer answer;  /* the last one */
    uint32_t address_bytes, header_bytes, payload_bytes;
    char *text;
};

static inline struct evs_slice evs_webhook_address(const struct evs_webhook_message *message)
{
    return (struct evs_slice){message->text, message->address_bytes};
}
static inline struct evs_slice evs_webhook_headers(const struct evs_webhook_message *message)
{
    return (struct evs_slice){message->text + message->address_bytes, message->header_bytes};
}
static inline struct evs_slice evs_webhook_payload(const struct evs_webhook_message *message)
{
    return (struct evs_slice){message->text + message->address_bytes + message->header_bytes, message->payload_bytes};
}

/* --- requests ---------------------------------------------------------------------------------------------------------- */

struct evs_webhook_secrets {
    struct evs_secret auth, signing, url;
};

struct evs_webhook_request {
    struct evs_webhook_message *messages; /* one, or a list in order */
    uint32_t count;
    bool is_probe;
    int64_t begun_us;
    struct evs_buffer url, headers, body;
    struct evs_webhook_request *next_free;
};

/* Writes URL, headers and body for an attempt at `wall_us`. */
void evs_webhook_write(const struct evs_webhook *webhook, const struct evs_webhook_secrets *secrets, int64_t wall_us,
                       struct evs_webhook_request *request);
/* "whsec_…", one or several: what signs. EVS_E_USAGE when there is something else. */
EVS_MUST_CHECK evs_status evs_webhook_check_signing(const struct evs_secret *signing, struct evs_error *error);
/* Appends "v1,<base64>" for each secret. */
void evs_webhook_sign(struct evs_slice secrets, struct evs_slice id, int64_t seconds, struct evs_slice body,
                      struct evs_buffer *out);

/* --- the receiver ------------------------------------------------------------------------------------------------------ */

enum evs_webhook_verdict {
    EVS_VERDICT_TAKEN,
    EVS_VERDICT_REFUSED,   /* of this message, for good */
    EVS_VERDICT_FAILED,    /* try again later; it may be this message alone */
    EVS_VERDICT_THROTTLED, /* too fast, or too busy: all wait */
    EVS_VERDICT_BROKEN,    /* whatever is sent fails: credentials, address, no answer */
    EVS_VERDICT_GONE,      /* the receiver wants nothing any more */
};
enum evs_webhook_verdict evs_webhook_judge(const struct evs_webhook *webhook, const struct evs_http_answer *answer);

/* What an answer that has taken a list says of its rows. EVS_E_CORRUPT: it says that some were not taken, and not which. */
EVS_MUST_CHECK evs_status evs_webhook_read_items(const struct evs_webhook *webhook,
                                                 const struct evs_http_answer *answer, uint32_t count,
                                                 struct evs_slice *refused);

/* Figures, read by any thread. */
struct evs_webhook_figures {
    _Atomic uint64_t attempts, answers[6], failures; /* answers by hundreds; [0]: not used */
    _Atomic uint64_t retries, connections;
    _Atomic uint32_t under_way, is_open;
};

struct evs_webhook_endpoint {
    const struct evs_webhook *webhook;
    const struct evs_os *os;
    struct evs_log *log;
    const char *name;
    struct evs_webhook_figures *figures;
    struct sent { /* when the last requests were sent: a ring of rates[i].count */
        int64_t *at_us;
        uint64_t count;
    } sent[EVS_WEBHOOK_RATES_MAX];
    uint32_t failures; /* in a row */
    uint32_t openings; /* in a row: the pause grows */
    bool is_open;      /* nothing is sent until open_until_us, then one probe at a time */
    bool is_probing;
    bool is_gone; /* told 410: messages are refused without being sent, but for a probe */
    int64_t open_until_us;
};
void evs_webhook_endpoint_init(struct evs_webhook_endpoint *endpoint);
void evs_webhook_endpoint_fini(struct evs_webhook_endpoint *endpoint);
/* When the next request may be sent: `now` or before: at once; INT64_MAX: when an answer has come. */
int64_t evs_webhook_may_send(const struct evs_webhook_endpoint *endpoint, int64_t now);
void evs_webhook_sent(struct evs_webhook_endpoint *endpoint, int64_t now, struct evs_webhook_request *request);
/* Counts an answer. True: the receiver works again, so that who waits for it need not. */
bool evs_webhook_answered(struct evs_webhook_endpoint *endpoint, enum evs_webhook_verdict verdict,
                          const struct evs_http_answer *answer, bool was_probe);
/* How long until the next try of a message that has failed: its place in the schedule, with full jitter. */
int64_t evs_webhook_retry_us(const struct evs_webhook *webhook, const struct evs_os *os, uint32_t attempts,
                             int64_t age_us);

/* --- delivery ---------------------------------------------------------------------------------------------------------- */

struct evs_webhook_delivery;
struct evs_webhook_lane {
    struct evs_webhook_delivery *delivery;
    struct evs_park *park; /* of its worker */
    uint32_t number;
    _Atomic(struct evs_webhook_message *) done;         /* newest first */
    _Atomic uint32_t untried, under_way;                /* that were never sent; of a request that has no answer yet */
    struct evs_webhook_message *acknowledged, *refused; /* the worker's: taken, not told */
    struct evs_webhook_message *told;                   /* its answer was lent */
    uint32_t count;
    size_t bytes;
};

/* The delivery of a sink, made by its first lane and ended with its last. */
EVS_MUST_CHECK evs_status evs_webhook_delivery_join(const struct evs_sink_open *open, struct evs_webhook_lane *lane,
                                                    struct evs_error *error);
void evs_webhook_delivery_leave(struct evs_webhook_lane *lane);
void evs_webhook_deliver(struct evs_webhook_message *message);
/* Begins nothing new any more; with `tries_first` only what was never tried. */
void evs_webhook_delivery_rest(struct evs_webhook_delivery *delivery, bool tries_first);
const struct evs_webhook_figures *evs_webhook_figures_of(const struct evs_webhook_delivery *delivery);
void evs_webhook_message_free(struct evs_webhook_message *message);

#endif
