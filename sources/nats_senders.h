/* Who else holds events of a stream that are not in it yet: the collectors, which take events while NATS is away and store them later (exactness, 3).
 *
 * A partition is silent for one of two reasons: nothing happens, or what happens waits in a collector's spool. Only in the first case time may go on without
 * it. So each collector with a spool keeps a key in the bucket of the leases, collector.<stream>.<id>, and writes it once a second (a beat):
 *
 *     {"host":"web-1","behind_ms":3,"spool_bytes":0,"previous":4711,"round_ms":2,"absence_s":3600, …}
 *
 *   behind_ms   everything that it had accepted that long before this beat is in JetStream
 *   previous    the revision of the beat before this one, and round_ms the time from looking at behind_ms to the server's acknowledgement of it
 *   absence_s   for how long it is waited for when it is not heard of; 0: for ever
 *
 * Each beat is evidence for the one before. Beat k reached us at A, at the earliest; its acknowledgement came within round_ms, so it was made at A - round_ms or
 * later, and everything up to A - round_ms - behind_ms is stored. A beat that was stuck in a connection proves no more than it should, because its round was
 * long; no clock is compared with another machine's. A collector that is cut off, spools, or is dead brings no evidence, and the evidence stands still: that is
 * all that forbids idleness, there is no time-out to get right. One that stops with an empty spool deletes its key.
 *
 * The keys are read as a stream, by a pull consumer of our own on the bucket's: first what is there, then every change. Nothing of it needs to be exact, so at
 * any doubt everything is read again. A bucket that is not there has no collectors in it. A user who may not read it is told once, and then silence is
 * judged by the stream alone. */
#ifndef EVS_NATS_SENDERS_H
#define EVS_NATS_SENDERS_H

#include "nats_lane.h"

#define EVS_NATS_SENDERS_INDEX 1000000u /* stands for a lane's number in the subjects of answers */

struct evs_nats_senders;

/* `bucket` and what `shared` points to stay the caller's. Only a speaker writes to the log: one worker of several. */
struct evs_nats_senders *evs_nats_senders_new(struct evs_nats_shared *shared, const char *bucket, bool is_speaker);
void evs_nats_senders_free(struct evs_nats_senders *senders);

/* A connection was made: subscriptions went with the one before. */
void evs_nats_senders_reset(struct evs_nats_senders *senders);
/* Time passes. `drained`: everything that had arrived was handled. */
void evs_nats_senders_tick(struct evs_nats_senders *senders, bool drained);
/* An answer of the API to request `serial`. */
void evs_nats_senders_answer(struct evs_nats_senders *senders, uint64_t serial, const struct evs_nats_message *answer);
/* True when the message was for us. */
bool evs_nats_senders_take(struct evs_nats_senders *senders, const struct evs_nats_message *message);

struct evs_nats_senders_state {
    bool is_known; /* the list is complete, as far as anybody can tell now */
    int64_t
        complete_us; /* monotonic: what all of them had accepted up to here is in the stream; 0: nobody is registered */
    uint32_t count;  /* registered */
    uint32_t behind; /* of them, those that have been without evidence for EVS_NATS_SENDERS_BEHIND_US */
};
#define EVS_NATS_SENDERS_BEHIND_US INT64_C(5000000)
void evs_nats_senders_state(const struct evs_nats_senders *senders, struct evs_nats_senders_state *state);

#endif
