/* A NATS sink behind a restart: reads back what its stream holds since the last commit, so that nothing is sent twice, and makes the receipts that the next
 * commits carry (nats_seen.h has the idea). */
#ifndef EVS_NATS_REPLAY_H
#define EVS_NATS_REPLAY_H

#include "nats_seen.h"

struct evs_nats_replay_log { /* the stream behind the sink, while it is opened */
    struct evs_nats_asker *asker;
    const char *prefix, *name, *pattern;
    const struct evs_nats_stream_info *info;
};

struct evs_nats_replay {
    struct evs_log *log;
    const char *sink;
    struct evs_nats_seen *seen; /* of all lanes; NULL: nothing was read back */
    uint64_t top;               /* the stream's largest sequence that is known */
    uint32_t top_fingerprint;   /* of that message's id; 0: not known */
    uint64_t own;               /* the largest of a message of ours; 0: there is none yet … */
    uint32_t own_fingerprint;   /* … of that message's id */
    int64_t created_us;         /* of the stream */
    uint64_t found, orphans;
    bool has_orphans; /* what is never met counts as such: not what others have sent, behind a cut */
};

/* A stream that cannot be read back is told, and is no reason not to run: its duplicate window is left. But while messages are kept, a server that is away is
 * EVS_E_UNREACHABLE: whether they are lost has to be known. */
EVS_MUST_CHECK evs_status evs_nats_replay_open(struct evs_nats_replay *replay, const struct evs_sink_open *open,
                                               const struct evs_nats_replay_log *log, struct evs_error *error);
/* True, once for each row: the stream holds it, above *floor, as *sequence. */
bool evs_nats_replay_has(struct evs_nats_replay *replay, struct evs_hash128 id, int64_t now_us, uint64_t *floor,
                         uint64_t *sequence);
/* JetStream has acknowledged a message with these headers as `sequence`. */
void evs_nats_replay_stored(struct evs_nats_replay *replay, uint64_t sequence, struct evs_slice headers);
/* The stream is so now, of whoever's messages: what is sent later lies above. */
void evs_nats_replay_ends(struct evs_nats_replay *replay, const struct evs_nats_stream_info *info);
void evs_nats_replay_tend(struct evs_nats_replay *replay, int64_t now_us);
/* `lowest` is the lowest floor of what is not told as acknowledged yet; UINT64_MAX: there is nothing. */
void evs_nats_replay_receipt(const struct evs_nats_replay *replay, uint64_t lowest, struct evs_sink_receipt *receipt);
void evs_nats_replay_close(struct evs_nats_replay *replay);

#endif
