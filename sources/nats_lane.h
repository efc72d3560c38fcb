/* One consumer of a JetStream stream, kept exact through everything that breaks.
 *
 * The consumer is an ephemeral pull consumer in the server's memory without acknowledgements, and is thrown away at the
 * first doubt: the position is ours, so a new one at `read + 1` loses nothing and repeats nothing.
 *
 *   DOWN ──► INFO ──► CHECK ──► CREATE ──► RUN
 *     ▲   stream's   is what we  consumer   pull requests, messages, heartbeats
 *     │   state      read there?               │
 *     └──── reconnect · gap in the consumer's sequence · missed heartbeats · 409 · 503 · no answer
 *
 * Every consumer has its own subscription id: what an old one still has on the way is recognised and dropped.
 *
 * A worker that owns all partitions has one lane without a partition filter; else a lane is one partition. */
#ifndef EVS_NATS_LANE_H
#define EVS_NATS_LANE_H

#include "nats_api.h"
#include "nats_protocol.h"

#define EVS_NATS_SUBJECT_MAX 256
#define EVS_NATS_ANSWER_SID 2 /* of the lanes' API requests; lanes' own ids come after it */
#define EVS_NATS_ALL_PARTITIONS (-1)

/* What the lanes of a reader share. */
struct evs_nats_shared {
    const struct evs_os *os;
    struct evs_log *log;
    struct evs_nats_wire *wire;
    const char *source; /* its name, for texts */
    const char *stream;
    char prefix[80]; /* "$JS.API" */
    char inbox[120]; /* ours alone */
    uint64_t nonce;
    uint32_t lane_count, partitions, partition_token;
    uint64_t *positions;      /* [partitions]: the last sequence handed on, or the resolved start - 1 */
    uint64_t in_flight_bytes; /* of all lanes */
    int64_t heartbeat_us;
    bool until_end;
    uint64_t end_sequence; /* of the stream when the run began, or an earlier one that was asked for */
    int64_t end_before_us; /* what is stored at this time or later is not read; 0: no such end */
    int64_t created_us;    /* of the stream; 0: not known yet */
    uint64_t max_payload;
    uint64_t sid_last;
    uint64_t gap_messages, lost_messages, odd_subjects;
    struct evs_buffer scratch, request;
    int64_t now_us;    /* monotonic, of this poll */
    evs_status failed; /* EVS_OK, or the end of this reader */
    struct evs_error failure;
    char doubt[256]; /* why a lane went down last, for the text of an open that fails */
};

enum evs_nats_phase { EVS_NATS_DOWN, EVS_NATS_INFO_ASKED, EVS_NATS_CHECKED, EVS_NATS_CREATED, EVS_NATS_RUNNING };

struct evs_nats_lane {
    struct evs_nats_shared *shared;
    uint32_t index;
    int32_t partition; /* or EVS_NATS_ALL_PARTITIONS */
    char filter[EVS_NATS_SUBJECT_MAX];
    enum evs_nats_phase phase;
    int64_t deadline_us;      /* DOWN: when to begin; RUN: not used; else when an answer is overdue */
    int64_t missing_since_us; /* the stream cannot be found; 0: it can */
    uint32_t silences;        /* requests in a row without an answer */
    uint64_t serial;          /* of the API request that is out */

    uint64_t next; /* what the next consumer is asked for; 0: start_us tells */
    int64_t start_us;
    uint64_t end_sequence; /* until_end: the last message that this lane will see; 0: none */
    bool reads_all;        /* every message of the stream is this lane's, so a number that is left out was removed */
    bool from_earliest;    /* nothing was read yet and everything was asked for: what is gone is no gap */
    uint64_t read;         /* highest sequence seen */
    struct evs_nats_history history;
    struct evs_nats_history
        below;         /* of what is read below the newest mark of a commit, by partitions that were slower */
    uint64_t own_from; /* marks below it are of other partitions … */
    uint64_t witness;  /* … and so is this one, the newest of all before the lane's beginning; 0: none */
    struct evs_nats_check check;
    uint64_t doubted_first; /* the stream's first message, and one, at a look that is taken again; 0: none is */

    /* of the consumer that runs */
    char consumer[64];
    uint64_t sid;
    uint64_t consumer_sequence, pending, request_serial;
    uint64_t asked_messages;                                 /* by requests that are out, as far as known */
    uint64_t request_messages, request_bytes, message_bytes; /* size of the next request; average of a message */
    uint32_t limits_in_row; /* requests that ended at max_bytes without a message between */
    int64_t heard_us, data_us;
    uint32_t stuck_count; /* consumers in a row that had messages to bring, and brought none */
    bool heartbeat_seen;  /* or a message behind which nothing waited */
    bool ended;           /* until_end: everything up to the end was seen */
};

void evs_nats_lane_fini(struct evs_nats_lane *lane);
/* Stops the consumer; the next tick after `delay_us` makes another. `why` is for the log. */
void evs_nats_lane_drop(struct evs_nats_lane *lane, int64_t delay_us, const char *why);
/* Counts and logs that messages from `next` up to before `begins` are not stored any more. */
void evs_nats_lane_gap(struct evs_nats_lane *lane, uint64_t begins);
/* An answer of the API to this lane's last request. */
void evs_nats_lane_answer(struct evs_nats_lane *lane, const struct evs_nats_message *answer);
/* Time passes. `drained`: everything that had arrived was handled, so a silence is the server's. */
void evs_nats_lane_tick(struct evs_nats_lane *lane, bool drained);
/* A message on the consumer's subscription. True: it is to be delivered, and *message is filled. */
bool evs_nats_lane_take(struct evs_nats_lane *lane, const struct evs_nats_message *from, struct evs_message *message);
/* Reads the server's consumer away; for close. */
void evs_nats_lane_leave(struct evs_nats_lane *lane);

/* --- between nats_lane.c and nats_pull.c --- */
void evs_nats_pull_begin(struct evs_nats_lane *lane); /* a consumer was made */
void evs_nats_pull_tick(struct evs_nats_lane *lane, bool drained);
void evs_nats_lane_join_marks(struct evs_nats_lane *lane); /* all that is remembered is in the history then */
void evs_nats_fail(struct evs_nats_shared *shared, evs_status status, const char *format, ...) EVS_PRINTF(3, 4);

#endif
