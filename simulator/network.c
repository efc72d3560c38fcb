#include "network.h"

#define WAY_BYTES_MAX (256u << 10) /* what a socket takes before its reader has read */
#define REFUSAL_US 200
#define DETECT_MAX_US 300000 /* until a side learns that a connection was cut */

struct segment {
    struct evs_sim_connection *connection;
    size_t count;
    char bytes[];
};

static void wake(struct evs_sim_connection *connection)
{
    if (!connection->client_closed) {
        connection->wake(connection->owner);
    }
}

static bool is_over(const struct evs_sim_connection *connection)
{
    return connection->is_cut || connection->life != connection->server->life || !connection->server->is_up;
}

/* Later than everything before it on the same way, and than the end of whatever holds the server back. */
static int64_t arrival(struct evs_sim_connection *connection, int64_t *last_us)
{
    struct evs_sim_server *server = connection->server;
    struct evs_sim_world *world = server->world;
    int64_t at_us =
        world->now_us + connection->latency_us + server->slow_us + evs_sim_between(world, 0, connection->latency_us);
    at_us = at_us > server->away_until_us ? at_us : server->away_until_us + evs_sim_between(world, 0, 1000);
    *last_us = at_us > *last_us ? at_us : *last_us;
    return *last_us - world->now_us;
}

/* --- the way to the server ------------------------------------------------------------------------------------------- */

static void learn_end(void *target, uint64_t number)
{
    struct evs_sim_connection *connection = target;
    (void)number;
    connection->client_told = true;
    wake(connection);
}

static void end_for_client(struct evs_sim_connection *connection, int64_t delay_us)
{
    evs_sim_at(connection->server->world, delay_us, learn_end, connection, 0);
}

static void arrive_at_server(void *target, uint64_t number)
{
    struct segment *segment = target;
    struct evs_sim_connection *connection = segment->connection;
    struct evs_sim_server *server = connection->server;
    (void)number;
    connection->outstanding -= segment->count;
    if (server->away_until_us > server->world->now_us && !is_over(connection)) {
        connection->outstanding += segment->count; /* it was stopped meanwhile */
        evs_sim_at(server->world, server->away_until_us - server->world->now_us, arrive_at_server, segment, 0);
        return;
    }
    if (!is_over(connection) && !connection->server_closed) {
        server->take(connection->session, segment->bytes, segment->count);
        wake(connection);
    }
    evs_free(segment);
}

static void accept_connection(void *target, uint64_t number)
{
    struct evs_sim_connection *connection = target;
    struct evs_sim_server *server = connection->server;
    (void)number;
    if (connection->client_closed) {
        return;
    }
    if (!server->is_up) {
        connection->is_refused = connection->client_told = true;
        server->refused++;
    } else if (server->away_until_us > server->world->now_us) {
        evs_sim_at(server->world, server->away_until_us - server->world->now_us, accept_connection, connection, 0);
        return;
    } else {
        connection->is_accepted = true;
        connection->life = server->life;
        server->taken++;
        connection->session = server->accept(server, connection);
    }
    wake(connection);
}

struct evs_sim_connection *evs_sim_connect(struct evs_sim_server *server, void (*wake_owner)(void *owner), void *owner)
{
    struct evs_sim_world *world = server->world;
    struct evs_sim_connection *connection = evs_alloc_zero(sizeof *connection);
    static const int64_t latencies[] = {20, 60, 60, 200, 200, 1000, 5000};
    *connection = (struct evs_sim_connection){
        .next = server->connections,
        .server = server,
        .number = server->taken + server->refused,
        .latency_us = latencies[evs_sim_below(world, EVS_COUNT(latencies))],
        .wake = wake_owner,
        .owner = owner,
    };
    server->connections = connection;
    evs_sim_at(world, server->is_up ? connection->latency_us * 2 : REFUSAL_US, accept_connection, connection, 0);
    return connection;
}

int64_t evs_sim_send(struct evs_sim_connection *connection, const char *bytes, size_t count)
{
    EVS_ASSERT(!connection->client_closed);
    if (connection->client_told) {
        return -1;
    }
    size_t room = WAY_BYTES_MAX - connection->outstanding;
    count = count < room ? count : room;
    if (count == 0) {
        return 0;
    }
    struct segment *segment = evs_alloc(sizeof *segment + count);
    segment->connection = connection;
    segment->count = count;
    memcpy(segment->bytes, bytes, count);
    connection->outstanding += count;
    evs_sim_at(connection->server->world, arrival(connection, &connection->to_server_us), arrive_at_server, segment, 0);
    return (int64_t)count;
}

int64_t evs_sim_receive(struct evs_sim_connection *connection, char *bytes, size_t count)
{
    size_t waiting = connection->inbox.count - connection->taken;
    if (waiting == 0) {
        return connection->client_told ? -1 : 0;
    }
    count = count < waiting ? count : waiting;
    memcpy(bytes, connection->inbox.data + connection->taken, count);
    connection->taken += count;
    if (connection->taken == connection->inbox.count) {
        connection->taken = connection->inbox.count = 0;
    }
    return (int64_t)count;
}

bool evs_sim_can_read(const struct evs_sim_connection *connection)
{
    return connection->inbox.count > connection->taken || connection->client_told;
}

bool evs_sim_can_write(const struct evs_sim_connection *connection)
{
    return (connection->is_accepted && connection->outstanding < WAY_BYTES_MAX) || connection->client_told;
}

static void client_is_gone(void *target, uint64_t number)
{
    struct evs_sim_connection *connection = target;
    (void)number;
    if (connection->is_accepted && !connection->server_closed && !is_over(connection)) {
        connection->server_closed = true;
        connection->server->closed(connection->session);
    }
}

void evs_sim_close(struct evs_sim_connection *connection)
{
    EVS_ASSERT(!connection->client_closed);
    connection->client_closed = true;
    /* Behind what is still on its way: a kernel sends it even for a process that is dead. */
    evs_sim_at(connection->server->world, arrival(connection, &connection->to_server_us), client_is_gone, connection,
               0);
}

/* --- the way to the client ------------------------------------------------------------------------------------------- */

static void arrive_at_client(void *target, uint64_t number)
{
    struct segment *segment = target;
    struct evs_sim_connection *connection = segment->connection;
    (void)number;
    if (!connection->is_cut && !connection->client_closed && !connection->client_told) {
        evs_buffer_put(&connection->inbox, segment->bytes, segment->count);
        wake(connection);
    }
    evs_free(segment);
}

void evs_sim_reply(struct evs_sim_connection *connection, const char *bytes, size_t count)
{
    if (connection->is_cut || connection->client_closed || connection->server_closed || count == 0) {
        return;
    }
    struct segment *segment = evs_alloc(sizeof *segment + count);
    segment->connection = connection;
    segment->count = count;
    memcpy(segment->bytes, bytes, count);
    evs_sim_at(connection->server->world, arrival(connection, &connection->to_client_us), arrive_at_client, segment, 0);
}

void evs_sim_hang_up(struct evs_sim_connection *connection)
{
    if (!connection->server_closed && !is_over(connection)) {
        connection->server_closed = true;
        connection->server->closed(connection->session);
        end_for_client(connection, arrival(connection, &connection->to_client_us));
    }
}

void evs_sim_server_down(struct evs_sim_server *server)
{
    EVS_ASSERT(server->is_up);
    server->is_up = false;
    server->away_until_us = 0;
    server->slow_us = 0;
    for (struct evs_sim_connection *at = server->connections; at != NULL; at = at->next) {
        if (at->is_accepted && at->life == server->life && !at->is_cut && !at->server_closed) {
            at->server_closed = true;
            server->closed(at->session);
            /* What it had said before may still arrive, all of it or none. */
            end_for_client(at, arrival(at, &at->to_client_us));
        }
    }
    server->connections = NULL;
}

void evs_sim_server_up(struct evs_sim_server *server)
{
    EVS_ASSERT(!server->is_up);
    server->is_up = true;
    server->life++;
}

/* --- faults ---------------------------------------------------------------------------------------------------------- */

static void server_learns_cut(void *target, uint64_t number)
{
    struct evs_sim_connection *connection = target;
    (void)number;
    if (connection->life == connection->server->life && connection->server->is_up && !connection->server_closed) {
        connection->server_closed = true;
        connection->server->closed(connection->session);
    }
}

void evs_sim_cut(struct evs_sim_connection *connection)
{
    struct evs_sim_world *world = connection->server->world;
    connection->is_cut = true;
    end_for_client(connection, evs_sim_between(world, 0, DETECT_MAX_US));
    evs_sim_at(world, evs_sim_between(world, 0, DETECT_MAX_US), server_learns_cut, connection, 0);
}

static bool is_alive(const struct evs_sim_connection *connection)
{
    return connection->is_accepted && !connection->client_closed && !connection->server_closed && !is_over(connection);
}

struct evs_sim_connection *evs_sim_nth_connection(struct evs_sim_server *server, uint32_t n)
{
    for (struct evs_sim_connection *at = server->connections; at != NULL; at = at->next) {
        if (is_alive(at) && n-- == 0) {
            return at;
        }
    }
    return NULL;
}

uint32_t evs_sim_connection_count(const struct evs_sim_server *server)
{
    uint32_t count = 0;
    for (const struct evs_sim_connection *at = server->connections; at != NULL; at = at->next) {
        count += is_alive(at);
    }
    return count;
}
