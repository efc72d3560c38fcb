/* One simulation: a pipeline, its traffic, one to three engines, two servers, faults; and what must come out. */
#ifndef EVS_SIM_SIMULATION_H
#define EVS_SIM_SIMULATION_H

#include "evstream/groups.h"
#include "evstream/plan.h"
#include "nats_sim.h"
#include "process.h"
#include "redis_sim.h"

#define EVS_SIM_PARTITIONS_MAX 4
#define EVS_SIM_DELAY_US INT64_C(3000000) /* of the pipelines' watermark */
#define EVS_SIM_ENGINES_MAX 64
#define EVS_SIM_GROUPS_MAX 3
#define EVS_SIM_NAMES 64 /* users are called u0 to u63 where a partition is made of their names */

/* --- events ----------------------------------------------------------------------------------------------------------- */

enum evs_sim_type { EVS_SIM_VIEW, EVS_SIM_CART, EVS_SIM_BUY, EVS_SIM_FLUSH, EVS_SIM_BROKEN, EVS_SIM_TYPES };

struct evs_sim_click {
    enum evs_sim_type type;
    uint32_t user, partition;
    int64_t time_us, amount;
    uint64_t sequence;   /* of its message; 0: not stored yet */
    uint32_t index;      /* in the message */
    bool is_repeated;    /* the producer sent it once more: another line with this id */
    bool is_lost;        /* by the broker, after it was stored */
    uint32_t late, seen; /* how often the engine gave it out: as late; by itself */
};

/* --- the choice of a seed --------------------------------------------------------------------------------------------- */

enum evs_sim_pipeline {
    EVS_SIM_WINDOWS, /* tumbling, by user */
    EVS_SIM_TOTALS,  /* tumbling, over all partitions */
    EVS_SIM_SESSIONS,
    EVS_SIM_SEQUENCES, /* and absence */
    EVS_SIM_JOINS,
    EVS_SIM_IDENTITY, /* devices, links, aliases: rows of every partition are of one person */
    EVS_SIM_TRACE,    /* deduplicate: each event by itself */
    EVS_SIM_PIPELINES
};
enum evs_sim_delivery { EVS_SIM_FAST, EVS_SIM_EXACT, EVS_SIM_TO_REDIS, EVS_SIM_DELIVERIES };

struct evs_sim_choice {
    enum evs_sim_pipeline pipeline;
    enum evs_sim_delivery delivery;
    uint32_t partitions, users, messages, late_per_thousand, fault_count;
    int64_t traffic_us, checkpoint_us;
    bool has_idle; /* idle partitions stop holding time back */
    bool syncs_always;
    bool has_lease;    /* one engine runs, others stand by; else who starts last takes over */
    uint32_t groups;   /* that engines share; 0: the pipeline is not divided */
    int64_t window_us; /* of the ids that the sinks' stream remembers */
    uint32_t faults;   /* a bit for each kind that may happen */
};

/* --- the simulation ----------------------------------------------------------------------------------------------------- */

struct evs_simulation;

struct evs_sim_engine {
    struct evs_simulation *simulation;
    struct evs_sim_process *process;
    struct evs_log *log;
    struct evs_groups *groups;
    struct evs_run *runs[EVS_SIM_GROUPS_MAX]; /* of its groups; NULL: none now */
    bool is_over[EVS_SIM_GROUPS_MAX];
    bool has_failed;
    struct evs_run_options options;
    bool wants_stop;
    evs_status status;
    struct evs_error error;
};

struct evs_sim_totals { /* what happened, to show that something did */
    uint64_t faults, engines, commits, fenced, gaps, given_back, lost_messages, lost_writes, duplicates, events, rows,
        virtual_us, steps;
};

struct evs_simulation {
    struct evs_sim_world world;
    struct evs_sim_machine machine;
    struct evs_sim_nats nats;
    struct evs_sim_redis redis;
    struct evs_sim_choice choice;
    const struct evs_plan *plan;
    struct evs_buffer text; /* of the pipeline */
    struct evs_sim_log *clicks, *triggers;
    struct evs_sim_message **cut; /* triggers that were stored, told, and lost with the tail of their stream */
    uint32_t cut_count, cut_capacity;
    struct evs_sim_click *events;
    uint32_t event_count, event_capacity;
    struct evs_sim_engine engines[EVS_SIM_ENGINES_MAX];
    uint32_t engine_count;
    bool is_ending;    /* the faults are over … */
    int64_t healed_us; /* … since then */
    bool is_over;
    struct evs_sim_totals totals;
    struct evs_buffer notes; /* of the engine's log: what it told of losses */
};

/* Runs the seed. `sabotage`: a server breaks its word, which must show. False: a promise was broken, simulation->world.violations tells which. */
bool evs_simulate(struct evs_simulation *simulation, uint64_t seed, bool keeps_history, bool sabotage);
void evs_simulation_fini(struct evs_simulation *simulation);

/* --- its parts ------------------------------------------------------------------------------------------------------------ */

void evs_sim_choose(struct evs_simulation *simulation);
void evs_sim_describe(const struct evs_sim_choice *choice, struct evs_buffer *out); /* one line */
void evs_sim_write_pipeline(const struct evs_sim_choice *choice, struct evs_buffer *out);
/* Compiles it; EVS_ASSERTs that it compiles. */
const struct evs_plan *evs_sim_compile(const struct evs_buffer *text);

void evs_sim_begin_traffic(struct evs_simulation *simulation);
/* The last messages: one in each partition, from far in the future, so that everything closes. */
void evs_sim_flush_traffic(struct evs_simulation *simulation);
/* Stores what had to wait for the broker. True: nothing waits. */
bool evs_sim_store_waiting(struct evs_simulation *simulation);
const char *evs_sim_type_name(enum evs_sim_type type);

void evs_sim_begin_faults(struct evs_simulation *simulation);
/* Everything works again. */
void evs_sim_heal(struct evs_simulation *simulation);

void evs_sim_start_engine(struct evs_simulation *simulation);
/* Asks a living engine to stop, as a signal does. */
void evs_sim_stop_engine(struct evs_sim_engine *engine);
/* The newest engine that is alive; NULL: none. */
struct evs_sim_engine *evs_sim_newest_engine(struct evs_simulation *simulation);
uint32_t evs_sim_living_engines(const struct evs_simulation *simulation);

uint32_t evs_sim_group_count(const struct evs_sim_choice *choice); /* at least 1 */
/* The record of a group's newest commit; empty: there is none. */
struct evs_slice evs_sim_newest_record(const struct evs_simulation *simulation, const struct evs_sim_redis_data *data,
                                       uint32_t group);
/* Has every group one? */
bool evs_sim_all_have_commits(const struct evs_simulation *simulation, const struct evs_sim_redis_data *data);
/* Compares what came out with what should have, and notes violations. */
void evs_sim_check(struct evs_simulation *simulation);
/* Which events are late, where no idle clock moves time. */
void evs_sim_expect_late(const struct evs_simulation *simulation, bool *late);
/* The rows that a plain recount expects, a line each, sorted. */
void evs_sim_expect(const struct evs_simulation *simulation, struct evs_buffer *rows);
void evs_sim_expect_persons(const struct evs_simulation *simulation, struct evs_buffer *rows);

#endif
