/* The simulated Redis server: RESP over the simulated network, in front of redis_data.h, and what can happen to it. */
#ifndef EVS_SIM_REDIS_SIM_H
#define EVS_SIM_REDIS_SIM_H

#include "network.h"
#include "redis_data.h"

struct evs_sim_redis {
    struct evs_sim_server server; /* first */
    struct evs_sim_redis_data data, synced;
    bool syncs_always; /* appendfsync always; else everysec */
    int64_t wall_error_us;
    const char *refusal;      /* the error that every write gets … */
    int64_t refusal_until_us; /* … until then … */
    uint32_t refusal_count;   /* … or the next so many XADDs get */
    int64_t loading_until_us;
    uint32_t lives; /* starts: each has a run id of its own */
    /* invariants */
    uint64_t commits, lost_writes, fenced;
};

#define EVS_SIM_REDIS_PORT 6379

void evs_sim_redis_init(struct evs_sim_redis *redis, struct evs_sim_world *world, bool syncs_always);
void evs_sim_redis_fini(struct evs_sim_redis *redis);
/* kill -9: what was answered is in the page cache. */
void evs_sim_redis_kill(struct evs_sim_redis *redis);
/* A power cut: only what was synced is there afterwards. */
void evs_sim_redis_power_cut(struct evs_sim_redis *redis);
/* Answers LOADING for so long. */
void evs_sim_redis_start(struct evs_sim_redis *redis, int64_t loading_us);

#endif
