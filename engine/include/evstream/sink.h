/* The sink contract: a connector that rows leave by, and the formats that encode them.
 *
 * Two shapes:
 *   bytes     files and standard output: encoded rows are appended; the position is a byte offset that is part of the commit, and
 *             a restore truncates to it.
 *   messages  NATS, Redis Streams, webhooks, PostgreSQL: every row is a message with a deterministic id.
 *
 * Delivery of messages is the runtime's (engine/run/sink_node.c), the same for all connectors:
 *   fast   sent at once; what is not acknowledged at a barrier is written into the checkpoint's outbox, and a restore sends it again
 *          under the same id (exactness, 12)
 *   exact  rows go to the checkpoint's outbox only, and are sent when that commit may be told to others (exactness, 8)
 * A connector only sends and tells what was acknowledged. It never blocks. */
#ifndef EVS_SINK_H
#define EVS_SINK_H

#include "evstream/batch.h"
#include "evstream/option.h"
#include "evstream/os.h"

/* --- formats --- */
struct evs_format_place { /* what a format may add to the row */
    const char *pipeline, *sink;
    struct evs_hash128 id; /* the trigger id */
    bool has_id;
};
struct evs_format {
    const char *kind; /* "json", "cloudevents" */
    const struct evs_option *options;
    evs_status (*configure)(const struct evs_option_value *values, const struct evs_schema *schema,
                            struct evs_arena *arena, const void **config, struct evs_error *error);
    /* Appends one encoded row, without a line end. */
    void (*encode)(const void *config, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                   const struct evs_format_place *place, struct evs_buffer *payload);
    /* Appends header lines "Name: value\r\n" for transports that have them; may be NULL. */
    void (*headers)(const void *config, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                    const struct evs_format_place *place, struct evs_buffer *headers);
    /* Where nothing carries headers: what to write instead, so that nothing is lost. NULL, or no such slot: nothing is. */
    const char *(*needs_headers)(const void *config);
    /* Appends what a file of such rows begins with, line end included; NULL: nothing. */
    void (*header)(const void *config, const struct evs_schema *schema, struct evs_buffer *out);
    /* A payload that it made, of this run or an earlier one, as a JSON value for people (dead letters). NULL: the payload is JSON. False: it is
     * not to be read. */
    bool (*describe)(struct evs_slice payload, struct evs_buffer *json);
};

/* --- templates: "triggers.{user_id}" with the holes bound to columns ------------------------------------------------ */
struct evs_template; /* immutable; lives in the plan's arena */
/* Binds `text` against the schema; an unknown column or an unclosed brace fails with a text that names it. */
evs_status evs_template_bind(struct evs_slice text, const struct evs_schema *schema, struct evs_arena *arena,
                             const struct evs_template **template_, struct evs_error *error);
/* Appends the filled text. Bytes of values outside [A-Za-z0-9_-] are percent-encoded. False when a hole is NULL or
 * empty. */
bool evs_template_fill(const struct evs_template *template_, const struct evs_batch *batch, uint32_t row,
                       struct evs_buffer *out);
/* The same with values as they are: a key that others build by the same rule (create table … from redis). */
bool evs_template_fill_plain(const struct evs_template *template_, const struct evs_batch *batch, uint32_t row,
                             struct evs_buffer *out);
/* The same for the value of a header: printable ASCII stays, everything else is percent-encoded, a value may be empty. */
bool evs_template_fill_header(const struct evs_template *template_, const struct evs_batch *batch, uint32_t row,
                              struct evs_buffer *out);

/* --- connectors --- */

/* What a connector makes of a row beside what the format has written, or in place of it. */
struct evs_sink_draft {
    struct evs_buffer *address, *headers, *payload; /* appended to */
    uint64_t
        order; /* set to the hash of the row's key, 0 without one. Of messages with one order none shall overtake another; 0: any may */
};
struct evs_sink_binding {
    const void *templates; /* handed to `encode`; lives in the plan's arena */
    bool makes_payload;    /* the format is not asked for one */
};

struct evs_sink_message {
    uint64_t number;       /* of this lane of the sink, from 1, without gaps: what acknowledgements and cursors name */
    struct evs_hash128 id; /* deterministic (exactness, 1) */
    struct evs_slice address; /* the filled template: subject, key; empty when the connector has none */
    struct evs_slice headers; /* "Name: value\r\n"… */
    struct evs_slice payload;
    uint64_t order;     /* of its draft */
    int64_t created_us; /* wall time at which the sink took the row, kept over restarts */
    uint64_t epoch; /* exact only: term and checkpoint of the commit, and the message's index in it (exactness, 7) */
    uint64_t checkpoint;
    uint32_t index;
};

/* Where the receiver's own log stood at a commit, for a sink whose receiver has one (exactness, 13). */
struct evs_sink_receipt {
    bool is_known;
    uint64_t floor;    /* what the commit does not know to be delivered, or is sent later, lies above it in that log */
    uint64_t sequence; /* the largest that was acknowledged, or that was there when the sink was opened */
    uint32_t fingerprint; /* of the id of that message; 0: not known */
    int64_t log_created_us;
};
/* What may be in the receiver's log already. */
enum evs_sink_replay {
    EVS_REPLAY_NOTHING,        /* nothing of ours, or it shall be sent again */
    EVS_REPLAY_SINCE_RECEIPTS, /* rows behind the last commit, which are derived again */
    EVS_REPLAY_ALL,            /* any row: the state is lost, its ids are not */
    EVS_REPLAY_CUT, /* as with receipts, while the run goes on: has_lost was true. Others' rows are no orphans */
};
/* A message that was acknowledged and is kept for a while, because its receiver's log may lose its newest part (exactness, 13). */
struct evs_sink_kept {
    uint64_t place; /* in that log, from 1 */
    struct evs_hash128 id;
    uint32_t lane; /* of the run that had it acknowledged */
};

struct evs_sink_open {
    const struct evs_os *os;
    struct evs_log *log;
    const char *pipeline, *name;
    const char
        *group; /* of the pipeline: others have logs of their own, and write to the same receiver; NULL: the only one */
    const void *config;
    const struct evs_schema *schema; /* of the rows; lives as long as the plan */
    uint32_t lane;                   /* the worker */
    struct evs_park *park;
    struct evs_slice header; /* bytes sinks: what a file begins with; lives as long as the instance */
    uint64_t resume_offset;  /* bytes sinks: the committed offset */
    bool resume;             /* bytes sinks: truncate to resume_offset instead of to nothing */
    const char *nats_url, *nats_credentials, *redis_url;
    bool create;
    uint64_t epoch;     /* the term that this engine holds; 0 without a durable store */
    uint64_t nonce;     /* the owner's */
    bool store_forgets; /* a crash of the store's server may take what it had confirmed, rows of sinks too */
    enum evs_sink_replay replay;
    const struct evs_sink_receipt *receipts; /* of all lanes of this sink at the last commit */
    uint32_t receipt_count;
    const struct evs_sink_kept *kept; /* by lane, each in order of places; of all lanes, or of this one behind has_lost */
    uint32_t kept_count;
    uint64_t *
        holds; /* set where the log was cut: of what was acknowledged it has everything up to this place, and nothing above */
    void **
        shared; /* what its lanes have in common: NULL until the first of them makes it. They are opened one after the other */
    int64_t retry_us; /* how long the server may be away before poll returns EVS_E_UNREACHABLE; 0: for ever */
};

/* A message that the receiver will never take. Its row becomes a dead letter in the same commit that counts the message as delivered, so that
 * it is told once. */
struct evs_sink_refusal {
    uint64_t number;
    const char *reason,
        *code; /* static: EVS_REFUSED_REASON and its code, or of the connector's own; the first is a label of metrics, too */
    struct evs_slice answer; /* why, in the receiver's words; borrowed until the next call */
};

#define EVS_REFUSED_REASON "refused"
#define EVS_REFUSED_CODE "R0501"

/* What a connector has met since it was opened. */
struct evs_sink_state {
    uint64_t reconnects;
    uint64_t retries;    /* messages that were sent more than once */
    uint64_t duplicates; /* messages that the receiver had already */
    uint64_t orphans;    /* that it has of an earlier run, and that were not derived again */
    /* Of receivers that are asked and answer; 0 for others. */
    uint64_t attempts, unanswered; /* requests; those that brought no answer, or half of one */
    uint64_t answers[6];           /* by hundreds of their status: [2] those of 2xx */
    uint32_t under_way;            /* requests, now */
    bool is_open;                  /* the circuit: nothing is sent but a probe from time to time */
};

struct evs_sink {
    const char *kind;
    const char *promise; /* explain: what holds of a row, where the way of delivery does not say it; NULL */
    enum { EVS_SINK_BYTES, EVS_SINK_MESSAGES } shape;
    bool is_asked;     /* with requests, which it answers: it tells figures of them */
    bool single;       /* one instance in all: rows of all workers are gathered to worker 0 */
    bool always_exact; /* ids come from the commit: never sent before it */
    bool
        through_outbox; /* the receiver takes nothing back: where state is durable a row is sent behind the commit that holds it, so that delivery is always
                            exact; without durable state at once */
    bool
        follows_store; /* it writes behind the commits, to the store's server unless told otherwise: what that forgets may be rows */
    const struct evs_option *options;
    /* `address` options of kind TEMPLATE are bound by the planner; the connector gets their text. */
    const char *address_option; /* the option whose template fills evs_sink_message.address; NULL: none */
    bool drops_headers;         /* its messages have none; bytes never have */
    bool plain_address;         /* values stand in it as they are, not percent-encoded */
    const char *file_option;    /* the option that names the file to write, which begins empty; NULL: none */
    const struct evs_format
        *own_format; /* how its rows are encoded: a `format` of the user's is refused; NULL: as the user says */
    evs_status (*configure)(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                            struct evs_error *error);
    /* The options against the columns of the rows; EVS_E_PIPELINE with a text that names both. NULL: any columns will do. */
    evs_status (*check)(const void *config, const struct evs_schema *schema, struct evs_error *error);
    /* Binds templates of the connector's own (a body, headers) to the columns of the rows. NULL: it has none. */
    evs_status (*bind)(const void *config, const struct evs_schema *schema, struct evs_arena *arena,
                       struct evs_sink_binding *binding, struct evs_error *error);
    /* Of one row, behind the format. False: a column that may not be NULL is; the row becomes a dead letter. NULL: nothing. */
    bool (*encode)(const void *templates, const struct evs_batch *batch, uint32_t row,
                   const struct evs_format_place *place, struct evs_sink_draft *draft);
    evs_status (*open)(const struct evs_sink_open *open, void **instance, struct evs_error *error);
    /* bytes: appends; may buffer. flush: all of it is with the operating system (sync == true: on disk); *offset is where it ends. */
    evs_status (*append)(void *instance, struct evs_slice bytes, struct evs_error *error);
    evs_status (*flush)(void *instance, bool sync, uint64_t *offset, struct evs_error *error);
    /* bytes: the commit that holds this offset may be told to others. NULL: nothing hangs on it. A run does not end before it was told, where
     * awaits_commit said behind the flush that something does: with `appendfsync everysec` that takes seconds. */
    evs_status (*committed)(void *instance, uint64_t offset, struct evs_error *error);
    bool (*awaits_commit)(void *instance);
    /* bytes: the input is over; flushes follow, and perhaps a few rows. NULL: it does not matter. */
    void (*finish)(void *instance);
    /* messages: EVS_OK: taken (bytes copied or written); EVS_AGAIN: no room now, nothing taken. Retries, reconnects and time-outs are
     * the connector's own; EVS_E_UNREACHABLE only after its retry policy. */
    evs_status (*send)(void *instance, const struct evs_sink_message *message, struct evs_error *error);
    /* Numbers acknowledged since the last call, in any order; at most `max`. */
    evs_status (*poll)(void *instance, uint64_t *acknowledged, uint32_t max, uint32_t *count, struct evs_error *error);
    /* For how long, and how many bytes of, acknowledged messages are kept, to be sent again should the receiver lose them. NULL: they are not. */
    void (*keeps)(const void *config, int64_t *keep_us, uint64_t *bytes_max);
    /* Where the i-th message that the last poll told lies in the receiver's log; 0: not known. With `keeps` only. */
    uint64_t (*placed)(const void *instance, uint32_t i);
    /* The log is found to be cut, and nothing is sent any more: the instance is closed and opened again, with what is kept. With `keeps` only. */
    bool (*has_lost)(const void *instance);
    /* One message more that the receiver refuses for good, in any order among the acknowledged; poll does not tell its number, too. EVS_AGAIN:
     * none. NULL: it takes everything. */
    evs_status (*refused)(void *instance, struct evs_sink_refusal *refusal);
    /* The run ends before everything is delivered. Begins nothing new any more, except, with `tries_first`, what was never tried. True: nothing is
     * under way, and poll and refused have told everything; what is not acknowledged stays in the outbox for the next start. NULL: a run ends
     * only when everything is acknowledged. */
    bool (*rest)(void *instance, bool tries_first);
    uint32_t (*wait_fds)(void *instance, struct evs_wait_fd *fds, uint32_t max);
    /* As of now, for the next commit. NULL: the receiver has no log that could be read back. */
    void (*receipt)(void *instance, struct evs_sink_receipt *receipt);
    void (*close)(void *instance); /* bytes: what was appended is flushed by a flush before */
    void (*state)(void *instance, struct evs_sink_state *state); /* NULL: nothing to tell */
};

#endif
