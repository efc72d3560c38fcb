/* Does the stream of a sink still have what it had acknowledged? (exactness, 13)
 *
 *   a new connection, a number that comes twice ──► END ── the stream's end ──► OWN ── the newest message of ours ──► NONE: everything is there
 *                                                    └────── another stream, or too short a one; another message ──────► LOST
 *
 * Nothing is sent from END to NONE, so that numbers are not used again before anybody has looked. Questions go by the sink's own connection and never block; one without an answer is asked again, and the
 * answers to earlier ones count no more: what they were compared with is of their time. */
#ifndef EVS_NATS_INTACT_H
#define EVS_NATS_INTACT_H

#include "nats_replay.h"

enum evs_nats_intact_state { EVS_NATS_INTACT_NONE, EVS_NATS_INTACT_END, EVS_NATS_INTACT_OWN, EVS_NATS_INTACT_LOST };

#define EVS_NATS_INTACT_SUBJECT_MAX 640u

struct evs_nats_intact {
    enum evs_nats_intact_state state;
    char info_subject[EVS_NATS_INTACT_SUBJECT_MAX], get_subject[EVS_NATS_INTACT_SUBJECT_MAX];
    int64_t due_us;
    uint64_t asked;                /* how often */
    uint64_t asked_top, asked_own; /* the newest message that was known then, and the newest of ours */
    uint32_t asked_fingerprint;    /* of the latter's id */
};

struct evs_nats_intact_world { /* of the sink */
    struct evs_nats_wire *wire;
    const char *inbox;
    struct evs_nats_replay *replay; /* learns the stream's end */
    int64_t now_us;
};

void evs_nats_intact_init(struct evs_nats_intact *check, const char *prefix, const char *stream);
void evs_nats_intact_begin(struct evs_nats_intact *check);
/* While it is asked, and where the answer is bad, nothing may be sent. */
bool evs_nats_intact_holds(const struct evs_nats_intact *check);
/* Asks what is due; the wire is connected. */
void evs_nats_intact_tend(struct evs_nats_intact *check, const struct evs_nats_intact_world *world);
/* Asks for the end alone: for a sink that is idle. */
void evs_nats_intact_ask_end(struct evs_nats_intact *check, const struct evs_nats_intact_world *world);
/* False: it is no answer to a question from here. */
bool evs_nats_intact_take(struct evs_nats_intact *check, const struct evs_nats_intact_world *world,
                          const struct evs_nats_message *answer);

#endif
