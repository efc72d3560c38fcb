/* The simulated network: stream connections between a process and a server.
 *
 *   process  ── send ──►  to_server: segments on their way  ──►  server->take(connection)
 *            ◄─ receive ─ inbox ◄── to_client: segments on their way ◄── evs_sim_reply
 *
 * Bytes of one direction keep their order, and each connection has its own latency, so what is sent on two connections
 * overtakes each other. Faults: a connection is cut (what is on its way is lost, each side learns it later), a server is cut
 * off for a while (nothing arrives, nothing is lost), or slow. */
#ifndef EVS_SIM_NETWORK_H
#define EVS_SIM_NETWORK_H

#include "world.h"

struct evs_sim_connection;

struct evs_sim_server {
    struct evs_sim_world *world;
    const char *name;
    uint16_t port;
    bool is_up;
    uint64_t life;                          /* rises at each start: what was sent to an earlier one is lost */
    int64_t away_until_us;                  /* cut off, or stopped: nothing moves until then */
    int64_t slow_us;                        /* added to every segment's way */
    uint64_t taken, refused;                /* connections */
    struct evs_sim_connection *connections; /* the newest first */
    void *(*accept)(struct evs_sim_server *server, struct evs_sim_connection *connection);
    void (*take)(void *session, const char *bytes, size_t count);
    void (*closed)(void *session);
};

struct evs_sim_connection {
    struct evs_sim_connection *next;
    struct evs_sim_server *server;
    uint64_t life; /* of the server that accepted it */
    uint64_t number;
    int64_t latency_us;
    int64_t to_server_us, to_client_us; /* when the last segment arrives */
    bool is_accepted, is_refused;
    bool is_cut; /* nothing arrives any more */
    bool client_closed, server_closed;
    bool client_told;          /* the client has learned that it is over */
    struct evs_buffer inbox;   /* arrived at the client, not received */
    size_t taken;              /* bytes of it that were received */
    size_t outstanding;        /* bytes on their way to the server */
    void *session;             /* the server's */
    void (*wake)(void *owner); /* the client may look again */
    void *owner;
};

/* --- the process's side ---------------------------------------------------------------------------------------------- */

struct evs_sim_connection *evs_sim_connect(struct evs_sim_server *server, void (*wake)(void *owner), void *owner);
/* Bytes taken; 0 when the way is full; -1 when the connection is over. */
int64_t evs_sim_send(struct evs_sim_connection *connection, const char *bytes, size_t count);
/* Bytes received; 0 when none wait; -1 at the end. */
int64_t evs_sim_receive(struct evs_sim_connection *connection, char *bytes, size_t count);
bool evs_sim_can_read(const struct evs_sim_connection *connection);
bool evs_sim_can_write(const struct evs_sim_connection *connection);
void evs_sim_close(struct evs_sim_connection *connection); /* the process closes it, or is dead */

/* --- the server's side ----------------------------------------------------------------------------------------------- */

void evs_sim_reply(struct evs_sim_connection *connection, const char *bytes, size_t count);
void evs_sim_hang_up(struct evs_sim_connection *connection); /* the server closes it, behind what it has said */
/* The server dies: connections end. The owner sets is_up and drops what dies with it. */
void evs_sim_server_down(struct evs_sim_server *server);
void evs_sim_server_up(struct evs_sim_server *server);

/* --- faults ---------------------------------------------------------------------------------------------------------- */

void evs_sim_cut(struct evs_sim_connection *connection);
/* The n-th connection that lives; NULL when there are fewer. */
struct evs_sim_connection *evs_sim_nth_connection(struct evs_sim_server *server, uint32_t n);
uint32_t evs_sim_connection_count(const struct evs_sim_server *server);

#endif
