/* What a running program shows over HTTP: /metrics, /healthz, /readyz and /api/v1 (docs/operations/metrics.md).
 *
 *   cmd_run ── tells which pipelines there are and how they fare ──► struct evs_live ◄── asks ── the HTTP thread (server.c)
 *
 * One lock stands between the two. It is held while a page is made, at most some milliseconds; workers never take it, for what they count is
 * read without any (evstream/view.h). */
#ifndef EVS_LIVE_H
#define EVS_LIVE_H

#include "evstream/os.h"
#include "evstream/view.h"

#define EVS_LIVE_PIPELINES_MAX 64u

struct evs_live;

struct evs_otlp;
struct evs_live_options {
    const struct evs_os *os;
    struct evs_log *log;
    const char *token; /* who sends it may change something; NULL: nobody may. Copied */
    /* Appends the plan as JSON, as `evstream explain --format json` has it. */
    void (*explain)(const struct evs_plan *plan, struct evs_buffer *out);
    struct evs_otlp *otlp; /* sends traces (traces/otlp.h); NULL: nobody does */
    const char *nats_url, *nats_credentials,
        *redis_url; /* of the runs: where dead letters are. They live longer than `live` */
};
struct evs_live *evs_live_new(const struct evs_live_options *options);
/* The token of the file, or of EVSTREAM_TOKEN when `path` is NULL; NULL: there is none. The caller frees it. EVS_E_USAGE: it is unreadable or
 * easily guessed. */
EVS_MUST_CHECK evs_status evs_live_token(const char *path, char **token, struct evs_error *error);
/* The number of a pipeline that is about to start. The plan lives longer than `live`. */
uint32_t evs_live_add(struct evs_live *live, const struct evs_plan *plan, const char *file);
/* A group of it runs (evstream/groups.h; 0: the only one). What is shown of a pipeline is of all its groups here together, as of workers. */
void evs_live_started(struct evs_live *live, uint32_t number, uint32_t group, struct evs_run *run);
/* Where the runs of a group write down what outlives them; it lives as long as `live`. */
struct evs_run_notes *evs_live_notes(struct evs_live *live, uint32_t number, uint32_t group);
/* That run is over; called before the run is freed, and returns when nobody looks at it any more. */
void evs_live_ended(struct evs_live *live, uint32_t number, uint32_t group, evs_status status);
/* Answers at `address`, HOST:PORT, from a thread of its own on. Errors name the address. */
evs_status evs_live_listen(struct evs_live *live, const char *address, struct evs_error *error);
/* Where it listens, HOST:PORT with the port that the system chose for port 0; NULL: nowhere. */
const char *evs_live_address(const struct evs_live *live);
void evs_live_free(struct evs_live *live);

#endif
