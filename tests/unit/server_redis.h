/* A real redis-server of the test's own: a fresh folder, a unix socket in it and a free port of 127.0.0.1, ended by
 * its process id, also when the test dies. Failures of the helper itself fail the test. */
#ifndef SERVER_REDIS_H
#define SERVER_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SERVER_REDIS_OPTIONS_MAX 24

struct server_redis {
    char folder[64];
    char socket[96];
    char url[128];    /* unix:// */
    char tcp_url[64]; /* redis:// */
    int port;
    pid_t pid;                                     /* 0: not running */
    pid_t guardian;                                /* ends the server when the test dies … */
    int guarded;                                   /* … and this end of a pipe closes */
    const char *options[SERVER_REDIS_OPTIONS_MAX]; /* "--name", "value", …; kept for restarts */
    size_t option_count;
    redisContext *context; /* of server_redis_ask */
};

/* True when redis-server can be run here. */
bool server_redis_is_installed(void);
/* Starts on an empty folder and waits until it answers. `options` ends with NULL, may be NULL. Defaults: appendonly
 * yes, appendfsync everysec, no snapshots. */
void server_redis_start(struct server_redis *server, const char *const *options);
/* SIGKILL, as a crash. */
void server_redis_kill(struct server_redis *server);
/* Starts again on the same folder, socket and port, and waits until it has loaded. */
void server_redis_restart(struct server_redis *server);
/* The same without waiting: it may still refuse connections, or be loading. */
void server_redis_restart_at_once(struct server_redis *server);
/* Kills it if it runs and removes the folder. */
void server_redis_stop(struct server_redis *server);
/* Cuts bytes off the end of the append-only file of a killed server: what a power cut does. */
void server_redis_cut(struct server_redis *server, long bytes);
/* Bytes of the append-only file's increment. */
long server_redis_file_bytes(const struct server_redis *server);

/* One command in hiredis' format; the reply must be no error unless `may_fail`. The caller frees it. */
redisReply *server_redis_ask(struct server_redis *server, const char *format, ...);
redisReply *server_redis_try(struct server_redis *server, const char *format,
                             ...); /* an error reply is returned; NULL: no connection */
/* One command whose reply is of no interest. */
void server_redis_tell(struct server_redis *server, const char *format, ...);
/* The number of entries of a stream. */
long long server_redis_length(struct server_redis *server, const char *key);

#endif
