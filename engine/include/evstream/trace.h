/* Distributed tracing: the trace of a click goes on through the engine to the trigger that it causes (W3C Trace Context), and what the engine did is told as
 * spans, which somebody exports (traces/otlp.h).
 *
 *   record with a traceparent ─► span "receive SOURCE" ─► rows carry the span's context ─► span "OPERATOR" with links to the events of a window or a
 *   sequence ─► span "publish SINK" ─► header traceparent of the message
 *
 * Head sampling. Of each message one record in `every` is looked at, which ones follows from the partition, the sequence and the record's number, so a replay looks at the
 * same; such a record is traced when it has a traceparent whose sampled flag is set: `traceparent` as a member of the JSON object, or as a header of its message.
 * Of more than tracer.most in a second the others are passed over.
 *
 * All other records and rows cost nothing: their batches have no list of traced rows, and nothing else is asked.
 *
 * What is remembered is bounded and not durable: of each stateful operator the newest traced rows, at most EVS_TRACE_LINKS_MAX for a result. After a restart results
 * have fewer links, or none. Ids of triggers, and what they say, do not depend on any of this. */
#ifndef EVS_TRACE_H
#define EVS_TRACE_H

#include "evstream/operator.h"

#define EVS_TRACE_LINKS_MAX 8u
#define EVS_TRACEPARENT_BYTES 55 /* "00-" 32 hex digits "-" 16 hex digits "-" 2 hex digits */

struct evs_trace_context {
    uint8_t trace_id[16], span_id[8];
};

/* "00-…-…-01". False when it is none (version ff, ids of zeroes, wrong digits) or is not sampled. Later versions may have more behind it. */
bool evs_traceparent_parse(struct evs_slice text, struct evs_trace_context *context);
/* Writes EVS_TRACEPARENT_BYTES and a NUL, with the sampled flag. */
void evs_traceparent_put(const struct evs_trace_context *context, char out[EVS_TRACEPARENT_BYTES + 1]);

/* --- traced rows of a batch (evs_batch.traces) -------------------------------------------------------------------------------- */

struct evs_trace_mark {
    uint32_t row; /* physical */
    struct evs_trace_context context;
};
struct evs_trace_marks {
    uint32_t count;
    struct evs_trace_mark marks[]; /* ascending by row; rows that are not selected may be among them */
};
/* The mark of a row; NULL: it is not traced. */
const struct evs_trace_mark *evs_trace_mark_of(const struct evs_batch *batch, uint32_t row);

/* --- spans ----------------------------------------------------------------------------------------------------------------------- */

enum evs_span_kind { EVS_SPAN_INTERNAL = 1, EVS_SPAN_PRODUCER = 4, EVS_SPAN_CONSUMER = 5 }; /* OTLP's numbers */

#define EVS_SPAN_TEXT 128
struct evs_trace_span {
    enum evs_span_kind kind;
    struct evs_trace_context own;
    uint8_t parent[8];        /* zeroes: none */
    int64_t start_us, end_us; /* wall clock */
    struct evs_trace_context links[EVS_TRACE_LINKS_MAX];
    uint32_t link_count;
    const char *pipeline, *node, *operation; /* borrowed from the plan: "receive", "process", "publish" */
    const char *system;                      /* kind of the connector: "nats"; NULL: an operator */
    const char *operator_kind;               /* NULL: a connector */
    char destination[EVS_SPAN_TEXT];         /* subject, key; cut; "": none */
    char message_id[40];                     /* "" none */
    bool has_record;                         /* receive: */
    uint32_t partition, record;
    uint64_t sequence;
};

/* Who takes spans. `take` is called by any worker, never blocks, and copies; false: it had no room, and has counted it. */
struct evs_tracer {
    void *self;
    uint32_t every; /* one record in so many is looked at; at least 1 */
    uint32_t most;  /* events that each worker of a source traces in a second, so that a flood of events is none of spans */
    bool (*take)(void *self, const struct evs_trace_span *span);
};

/* --- for operators ---------------------------------------------------------------------------------------------------------------- */

struct evs_row;
/* For a process slot, when batch->traces is not NULL: remembers traced rows under their key, whose results then have links to them. `keys` are columns of the
 * batch; the operator's results carry the same key in batch->key (its canonical encoding, evs_key_encode, hashed). */
void evs_op_trace_keys(struct evs_op *op, const struct evs_batch *batch, const uint32_t *keys, uint32_t key_count);
/* Does the run trace at all? Asked before the next one. */
bool evs_op_traces(const struct evs_op *op);
/* The result in this row was made of these input rows: it has links to those that were traced. Rows of a batch in ascending order. */
void evs_op_trace_rows(struct evs_op *op, struct evs_batch *batch, uint32_t row, const struct evs_row *const *rows,
                       uint32_t count);
/* The rows of the batch are rows that the operator had taken and kept: those that were traced go on as they came. The batch was not emitted yet. */
void evs_op_trace_kept(struct evs_op *op, struct evs_batch *batch);

#endif
