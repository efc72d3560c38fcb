/* A real nats-server with JetStream for tests: on 127.0.0.1, a free port, a folder of its own, ended with the test process.
 *
 * The administration beside it (streams, publishing) goes through the client library alone, so that a test of our connectors does not
 * judge them by themselves. Every function aborts the test when it cannot do its part. */
#ifndef EVS_SERVER_NATS_H
#define EVS_SERVER_NATS_H

#include <nats/nats.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server_nats {
    pid_t pid; /* 0: not running */
    int port;
    char folder[64]; /* holds nats.conf, log and store/ */
    char url[64];    /* without a login */
    char admin_url[128];
    const char *ca;             /* file of the authority, when the server speaks TLS */
    natsConnection *connection; /* of the helper */
    jsCtx *js;
};

/* Whether nats-server is installed: else a suite ends with 77. */
bool server_nats_is_installed(void);
/* `settings` are lines for nats.conf, such as "authorization { user: a, password: b }"; `login` is "user:password@" for the helper's
 * own connection. Both may be NULL. */
void server_nats_start(struct server_nats *server, const char *settings, const char *login);
void server_nats_end(struct server_nats *server); /* and removes the folder */
/* One that asks for TLS, as `settings` say; it is reached as localhost. */
void server_nats_start_tls(struct server_nats *server, const char *settings, const char *ca);
/* One without JetStream. */
void server_nats_start_plain(struct server_nats *server);

void server_nats_kill(struct server_nats *server);    /* SIGKILL */
void server_nats_stop(struct server_nats *server);    /* SIGTERM: everything is on disk */
void server_nats_restart(struct server_nats *server); /* same port, same store; waits until JetStream answers */
void server_nats_signal(struct server_nats *server, int signal); /* SIGSTOP, SIGCONT */
/* Copies of the store folder, while the server does not run. */
void server_nats_save(struct server_nats *server);
void server_nats_load(struct server_nats *server);

void server_nats_create(struct server_nats *server, const char *stream, const char *subjects);
void server_nats_create_with(struct server_nats *server, jsStreamConfig *config);
void server_nats_delete(struct server_nats *server, const char *stream);
/* Removes everything below `sequence`, or everything when it is 0. */
void server_nats_purge(struct server_nats *server, const char *stream, uint64_t sequence);
void server_nats_delete_consumers(struct server_nats *server, const char *stream);
uint64_t server_nats_last_sequence(struct server_nats *server, const char *stream);
uint64_t server_nats_message_count(struct server_nats *server, const char *stream);
/* Publishes and waits for the acknowledgement. `id` may be NULL. */
void server_nats_publish(struct server_nats *server, const char *subject, const char *payload, int bytes,
                         const char *id);
/* Publishes `count` messages of `events` lines {"n":first,…}, {"n":first+1,…}, of about 110 bytes; "%u" in `subject` becomes the message's
 * number mod `spread`. */
void server_nats_feed(struct server_nats *server, const char *subject, uint32_t spread, uint32_t first, uint32_t count,
                      uint32_t events);

#endif
