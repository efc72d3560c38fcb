/* A worker that reads `from nats` in a test: counts how often each event came, and keeps the positions that a restart would be given. */
#ifndef EVS_NATS_READING_H
#define EVS_NATS_READING_H

#include "option_values.h"
#include "server_nats.h"
#include "source_nats.h"

#define EVENTS_MAX 200000
#define READING_DEADLINE_US 60000000
#define POSITIONS_MAX 4096

struct reading {
    void *instance;
    struct evs_source_open open;
    struct evs_arena arena;
    struct evs_error error;
    uint8_t *seen; /* [EVENTS_MAX]: how often an event came */
    uint32_t event_count, message_count;
    uint64_t last[64]; /* a partition's last sequence */
    struct evs_position positions[POSITIONS_MAX];
    uint32_t position_count;
    uint32_t poll_max; /* messages a poll */
};

extern struct server_nats server; /* of the running test */
void start_server(void);
void end_server(void);
/* "transport=socket" and "transport=library": tests run once with each. */
extern const char *const transports[2];

/* `said`: options of the source, "name=value", ended by NULL. Reads to the end unless open.until_end is cleared before the opening. */
void reading_init(struct reading *reading, const char *const *said);
evs_status reading_try_open(struct reading *reading);
void reading_open(struct reading *reading);
void reading_fini(struct reading *reading);
/* Closes; the next opening gets what was read as its last commit. */
void reading_commit_and_close(struct reading *reading);

/* One poll, with a short wait when nothing was there. */
evs_status reading_poll(struct reading *reading);
/* Polls until `messages` have come in all, or the end, or a failure. */
evs_status read_until(struct reading *reading, uint32_t messages);
void read_to_end(struct reading *reading);
struct evs_source_state state_of(struct reading *reading);
typedef bool (*state_check)(const struct evs_source_state *state);
void poll_until(struct reading *reading, state_check check);

/* Events first to end - 1 came once each, and no other. */
void expect_exactly(const struct reading *reading, uint32_t first, uint32_t end);

#endif
