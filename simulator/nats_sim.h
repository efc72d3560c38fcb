/* The simulated NATS server: the text protocol, and of JetStream what the engine uses: streams with ids that are remembered for
 * a while, pull consumers in memory, the API's answers. */
#ifndef EVS_SIM_NATS_SIM_H
#define EVS_SIM_NATS_SIM_H

#include "network.h"

#define EVS_SIM_NATS_PORT 4222

struct evs_sim_message {
    uint64_t sequence;
    int64_t wall_us;
    struct evs_slice subject, headers, payload; /* headers as on the wire; empty: none */
    struct evs_slice id;                        /* Nats-Msg-Id; empty: none */
    bool is_deleted;
};

struct evs_sim_log { /* a stream */
    char *name;
    const char *subjects[2];
    int64_t created_us, window_us; /* wall; of ids */
    struct evs_sim_message **messages;
    uint32_t first, count, capacity; /* those before `first` are gone by limits */
    uint64_t last_sequence;
    bool keeps_last_only; /* of each subject: a bucket of keys */
};

struct evs_sim_consumer;

struct evs_sim_nats {
    struct evs_sim_server server; /* first */
    struct evs_arena arena;       /* of messages */
    struct evs_sim_log **logs;
    uint32_t log_count, log_capacity;
    struct evs_sim_consumer *consumers;
    struct evs_sim_session *sessions;
    int64_t recovers_until_us; /* JetStream does not answer: after a start, or during an election */
    uint64_t duplicates, lost_messages;
    uint32_t
        sabotage; /* the n-th trigger from now is acknowledged and forgotten; 0: none. Tests that violations are seen */
    void (*stored)(void *owner, struct evs_sim_log *log, const struct evs_sim_message *message);
    void *owner;
};

void evs_sim_nats_init(struct evs_sim_nats *nats, struct evs_sim_world *world);
void evs_sim_nats_fini(struct evs_sim_nats *nats);
struct evs_sim_log *evs_sim_nats_create(struct evs_sim_nats *nats, const char *name, const char *subject,
                                        int64_t window_us);
struct evs_sim_log *evs_sim_nats_log(struct evs_sim_nats *nats, struct evs_slice name); /* or NULL */
/* Stores a message as a publisher's; the server must be up. Its sequence; *duplicate: the id was known, nothing is stored. */
uint64_t evs_sim_nats_store(struct evs_sim_nats *nats, struct evs_sim_log *log, struct evs_slice subject,
                            struct evs_slice headers, struct evs_slice payload, struct evs_slice id, bool *duplicate);

/* --- faults --------------------------------------------------------------------------------------------------------------- */

void evs_sim_nats_kill(struct evs_sim_nats *nats);
void evs_sim_nats_start(struct evs_sim_nats *nats, int64_t recovering_us);
/* The stream forgets its newest `count` messages (the server must be down), or its oldest ones below `sequence`. */
void evs_sim_nats_lose_tail(struct evs_sim_nats *nats, struct evs_sim_log *log, uint32_t count);
void evs_sim_nats_expire(struct evs_sim_nats *nats, struct evs_sim_log *log, uint64_t sequence);
/* A consumer is deleted behind the engine's back; false when there is none. */
bool evs_sim_nats_delete_consumer(struct evs_sim_nats *nats);

/* --- between the server's files ------------------------------------------------------------------------------------------- */

bool evs_sim_subject_matches(struct evs_slice pattern, struct evs_slice subject);
/* To every subscription on `to`. Headers and payload as they are; `subject` and `reply` as the receiver sees them. False:
 * nobody listens. */
bool evs_sim_nats_deliver(struct evs_sim_nats *nats, struct evs_slice to, struct evs_slice subject,
                          struct evs_slice reply, struct evs_slice headers, struct evs_slice payload);
/* A request to JetStream's API. False: the subject is none of it. */
bool evs_sim_nats_api(struct evs_sim_nats *nats, struct evs_slice subject, struct evs_slice reply,
                      struct evs_slice body);
/* Consumers whose stream has grown, or that were asked, send what they can. */
void evs_sim_nats_pump(struct evs_sim_nats *nats);
bool evs_sim_nats_consumer_create(struct evs_sim_nats *nats, struct evs_sim_log *log, struct evs_slice config,
                                  struct evs_buffer *answer);
bool evs_sim_nats_consumer_drop(struct evs_sim_nats *nats, struct evs_slice name, const char *why);
void evs_sim_nats_consumer_ask(struct evs_sim_nats *nats, struct evs_slice name, struct evs_slice reply,
                               struct evs_slice body);
void evs_sim_nats_consumers_fini(struct evs_sim_nats *nats);

#endif
