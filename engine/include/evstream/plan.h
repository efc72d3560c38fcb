/* The plan: what a pipeline file compiles to. Immutable, shared by all workers, owned by one arena.
 *
 * A graph of nodes in topological order. Every node runs once on each worker (but see EVS_NODE_SINK and `single`):
 *
 *   SOURCE ──► OPERATOR ──► EXCHANGE ──► OPERATOR ──► SINK
 *
 * SOURCE    polls its connector's partitions, decodes, computes watermarks, judges future skew; output 0: rows, output 1: dead rows
 * OPERATOR  an operator's instance; output 0 main, others as its config says
 * EXCHANGE  hands rows to the worker that owns the shard of their key (or all to worker 0: gather; or each to all: broadcast); aligns
 *           watermarks and barriers of all workers. With one worker it is left out at run time.
 * SINK      encodes and delivers
 *
 * An edge connects (node, output) with (node, input). A node whose inputs_max is 1 and that has several edges is a union of them. */
#ifndef EVS_PLAN_H
#define EVS_PLAN_H

#include "evstream/decode.h"
#include "evstream/operator.h"
#include "evstream/shape.h"
#include "evstream/sink.h"
#include "evstream/source.h"

#define EVS_GROUPS_MAX 64u

enum evs_node_kind { EVS_NODE_SOURCE, EVS_NODE_OPERATOR, EVS_NODE_EXCHANGE, EVS_NODE_SINK };

struct evs_program;

struct evs_plan_source {
    const struct evs_source *connector;
    const void *config;
    const struct evs_decode_format *format;
    const struct evs_decode_column
        *columns; /* only columns that some query uses; they are the first columns of the schema */
    uint32_t column_count;
    /* system columns behind them, in this order where used: column number + 1, 0: not used */
    uint32_t subject_column, sequence_column, ingested_at_column, partition_column, headers_column;
    /* The program of the watermark expression (output 0, timestamp) over the schema; NULL: no watermark, event time is ingestion. */
    const struct evs_program *watermark;
    uint32_t event_time_column; /* valid when watermark != NULL */
    int64_t watermark_delay_us; /* >= 0 when the expression is `column - constant`: no program is run; -1 otherwise */
    int64_t idle_timeout_us;    /* -1: never */
    int64_t future_skew_us;     /* -1: no check */
    bool future_keep;           /* keep, without moving the watermark */
    bool fail_on_error;         /* on error fail */
    uint32_t row_bytes_max;
    uint32_t partitions; /* as the source says; the connector knows best */
    const uint32_t
        *partition_key; /* columns: FNV-1a of the first that is not NULL, modulo the partitions, is a row's partition */
    uint32_t partition_key_count; /* 0: nobody knows what partitions are made of */
    bool needs_row_watermark;     /* some operator below judges rows one by one even when none is behind */
};

struct evs_plan_sink {
    const struct evs_sink *connector;
    const void *config;
    const struct evs_format *format;
    const void *format_config;
    const struct evs_template *address; /* NULL: none */
    struct evs_sink_binding binding;    /* of a connector with templates of its own */
    bool exact;                         /* delivery */
    bool is_dead_letter;
    const char *operator_path; /* part of the trigger id: the lineage that feeds it */
};

struct evs_plan_exchange {
    bool gather;             /* to worker 0; else by hash */
    bool broadcast;          /* each row to every worker */
    const uint32_t *columns; /* key columns */
    uint32_t column_count;
};

struct evs_plan_edge {
    uint32_t from, output, to, input;
    /* Several edges into one input may bring rows of the same cause (both sides of a union read one source), whose trigger ids would be the
     * same. Then each has a number here, from 1, stable across runs; 0: the input's only edge. */
    uint32_t branch;
};

/* An output beside the main one: rows that are late, dropped, timed out, dead … */
struct evs_plan_side {
    const char *name; /* for people: "late rows" */
    struct evs_schema schema;
};

struct evs_plan_node {
    enum evs_node_kind kind;
    const char *name;  /* unique and stable across edits: identity of state (exactness, 16) */
    const char *label; /* for people: "aggregate by user_id, tumble(1 minute)" */
    bool is_named;     /* an operator whose name the pipeline's author has given: `as NAME` */
    struct evs_place_ref {
        const char *file;
        uint32_t line, column;
    } place;
    struct evs_schema schema; /* of output 0; sinks: of their input */
    uint32_t output_count;
    const struct evs_plan_side *sides; /* of outputs 1 to output_count - 1 */
    const struct evs_operator *operator_;
    const void *config; /* of the operator */
    const struct evs_plan_source *source;
    const struct evs_plan_sink *sink;
    const struct evs_plan_exchange *exchange;
    uint32_t dead_letter;    /* sources: the sink node that takes dead rows, +1; 0: none, they are counted only */
    uint64_t state_identity; /* operators with state: hash of (kind, keys, window, lineage, state columns) */
    const struct evs_state_shape *
        shape; /* operators with state: what a later version of the pipeline knows it by; NULL: no other can take it over */
    uint64_t partition_identity
        [2]; /* of the key column, by input, that decides on the partition of its rows, among the parts of `shape`; 0: none */
    uint32_t partition_count;     /* and of how many partitions */
    const char *state_bound;      /* explain: what bounds the state; NULL: no state */
    bool replay_stable;           /* sinks: rows depend on the contents of partitions alone (exactness, 4) */
    const char *unstable_because; /* name of the operator that makes it unstable; NULL */
};

struct evs_plan {
    const char *pipeline; /* name */
    struct evs_plan_node *nodes;
    uint32_t node_count;
    struct evs_plan_edge *edges;
    uint32_t edge_count;
    uint64_t hash;                  /* of everything that decides what the state means */
    int64_t checkpoint_interval_us; /* 0: not set in the file */
    uint32_t parallelism;           /* 0: not set */
    uint32_t groups;                /* what the pipeline asks for; 0: not set */
    uint32_t groups_max;            /* into how many groups it could be divided (docs/internals/groups.md) */
    const char *one_group_because;  /* what is in the way of several; NULL: nothing */
    enum { EVS_STATE_UNSET, EVS_STATE_REDIS, EVS_STATE_MEMORY } state;
    bool only_files;
};

/* The schema of one of a node's outputs. */
static inline const struct evs_schema *evs_plan_schema(const struct evs_plan_node *node, uint32_t output)
{
    EVS_ASSERT(output == 0 || output < node->output_count);
    return output == 0 ? &node->schema : &node->sides[output - 1].schema;
}

/* The schema of a dead row (language, "Dead letter"): _reason _code _file _line _expr _source _subject _sequence _ingested_at row raw. */
extern const struct evs_schema evs_dead_schema;
enum evs_dead_column {
    EVS_DEAD_REASON,
    EVS_DEAD_CODE,
    EVS_DEAD_FILE,
    EVS_DEAD_LINE,
    EVS_DEAD_EXPR,
    EVS_DEAD_SOURCE,
    EVS_DEAD_SUBJECT,
    EVS_DEAD_SEQUENCE,
    EVS_DEAD_INGESTED_AT,
    EVS_DEAD_ROW,
    EVS_DEAD_RAW,
    EVS_DEAD_COLUMNS
};

#endif
