#include "server_redis.h"

#include "free_port.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 60

/* --- waiting for the server --------------------------------------------------------------------------------------- */

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

static bool answers(struct server_redis *server)
{
    redisContext *context = redisConnectUnix(server->socket);
    redisReply *reply = context == NULL || context->err != 0 ? NULL : redisCommand(context, "PING");
    bool good = reply != NULL && reply->type == REDIS_REPLY_STATUS;
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    if (context != NULL) {
        redisFree(context);
    }
    return good;
}

static void wait_until_up(struct server_redis *server)
{
    time_t deadline = time(NULL) + DEADLINE_S;
    while (!answers(server)) {
        ck_assert_msg(waitpid(server->pid, NULL, WNOHANG) == 0, "redis-server has ended; see its log in %s",
                      server->folder);
        ck_assert_msg(time(NULL) < deadline, "redis-server does not answer");
        pause_ms(5);
    }
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

bool server_redis_is_installed(void)
{
    return system("redis-server --version >/dev/null 2>&1") == 0;
}

/* A test that dies leaves no server behind: a process of its own waits for the test's end of a pipe to close. (The
 * signal that Linux sends at a parent's death is that of the thread, and a server may be restarted by a thread that
 * ends.) */
static void run_guardian(struct server_redis *server)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    server->guardian = fork();
    ck_assert_int_ge(server->guardian, 0);
    if (server->guardian == 0) {
        char byte;
        dup2(ends[0], STDIN_FILENO);
        closefrom(STDERR_FILENO + 1); /* or connections of the test would stay open in here */
        while (read(STDIN_FILENO, &byte, 1) < 0) {
        }
        kill(server->pid, SIGKILL);
        _exit(0);
    }
    close(ends[0]);
    server->guarded = ends[1];
}

static void end_guardian(struct server_redis *server)
{
    kill(server->guardian, SIGKILL);
    ck_assert_int_eq(waitpid(server->guardian, NULL, 0), server->guardian);
    close(server->guarded);
    server->guardian = 0;
}

static void run_server(struct server_redis *server)
{
    char port[16];
    snprintf(port, sizeof port, "%d", server->port);
    const char *arguments[48] = {
        "redis-server", "--dir",     server->folder, "--unixsocket", server->socket, "--port", port,
        "--bind",       "127.0.0.1", "--logfile",    "log",          "--save",       "",       "--appendonly",
        "yes"};
    size_t count = 15;
    for (size_t i = 0; i < server->option_count; i++) {
        arguments[count++] = server->options[i];
    }
    ck_assert_uint_lt(count, 48);
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    run_guardian(server);
}

void server_redis_start(struct server_redis *server, const char *const *options)
{
    *server = (struct server_redis){0};
    strcpy(server->folder, "/tmp/evs-redis-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(server->folder));
    server->port = unit_free_port();
    snprintf(server->socket, sizeof server->socket, "%s/socket", server->folder);
    snprintf(server->url, sizeof server->url, "unix://%s", server->socket);
    snprintf(server->tcp_url, sizeof server->tcp_url, "redis://127.0.0.1:%d", server->port);
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        ck_assert_uint_lt(server->option_count, SERVER_REDIS_OPTIONS_MAX);
        server->options[server->option_count++] = options[i];
    }
    run_server(server);
    wait_until_up(server);
}

void server_redis_kill(struct server_redis *server)
{
    ck_assert_int_gt(server->pid, 0);
    end_guardian(server);
    kill(server->pid, SIGKILL);
    ck_assert_int_eq(waitpid(server->pid, NULL, 0), server->pid);
    server->pid = 0;
    if (server->context != NULL) {
        redisFree(server->context);
        server->context = NULL;
    }
}

void server_redis_restart_at_once(struct server_redis *server)
{
    ck_assert_int_eq(server->pid, 0);
    run_server(server);
}

void server_redis_restart(struct server_redis *server)
{
    server_redis_restart_at_once(server);
    wait_until_up(server);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void server_redis_stop(struct server_redis *server)
{
    if (server->pid > 0) {
        server_redis_kill(server);
    }
    if (server->folder[0] != '\0') {
        nftw(server->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
}

/* --- its file ----------------------------------------------------------------------------------------------------- */

static void find_increment(const struct server_redis *server, char path[512])
{
    char folder[128];
    snprintf(folder, sizeof folder, "%s/appendonlydir", server->folder);
    DIR *entries = opendir(folder);
    ck_assert_ptr_nonnull(entries);
    path[0] = '\0';
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (strstr(entry->d_name, ".incr.aof") != NULL) {
            snprintf(path, 512, "%s/%s", folder, entry->d_name);
        }
    }
    closedir(entries);
    ck_assert_msg(path[0] != '\0', "no append-only file");
}

long server_redis_file_bytes(const struct server_redis *server)
{
    char path[512];
    struct stat status;
    find_increment(server, path);
    ck_assert_int_eq(stat(path, &status), 0);
    return (long)status.st_size;
}

void server_redis_cut(struct server_redis *server, long bytes)
{
    char path[512];
    ck_assert_int_eq(server->pid, 0);
    find_increment(server, path);
    long size = server_redis_file_bytes(server);
    ck_assert_int_eq(truncate(path, size > bytes ? size - bytes : 0), 0);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static redisReply *ask(struct server_redis *server, const char *format, va_list arguments)
{
    if (server->context == NULL) {
        server->context = redisConnectUnix(server->socket);
    }
    ck_assert_ptr_nonnull(server->context);
    redisReply *reply = server->context->err != 0 ? NULL : redisvCommand(server->context, format, arguments);
    if (reply == NULL) {
        redisFree(server->context);
        server->context = NULL;
    }
    return reply;
}

redisReply *server_redis_try(struct server_redis *server, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = ask(server, format, arguments);
    va_end(arguments);
    return reply;
}

static void check_reply(const redisReply *reply, const char *format)
{
    ck_assert_msg(reply != NULL, "no connection for %s", format);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s", format, reply->str);
}

redisReply *server_redis_ask(struct server_redis *server, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = ask(server, format, arguments);
    va_end(arguments);
    check_reply(reply, format);
    return reply;
}

void server_redis_tell(struct server_redis *server, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = ask(server, format, arguments);
    va_end(arguments);
    check_reply(reply, format);
    freeReplyObject(reply);
}

long long server_redis_length(struct server_redis *server, const char *key)
{
    redisReply *reply = server_redis_ask(server, "XLEN %s", key);
    long long length = reply->integer;
    freeReplyObject(reply);
    return length;
}
