#include "server_nats.h"

#include "free_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_MS 60000
#define CONNECT_MS 60000

static void server_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void server_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "server_nats: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

static void server_check(natsStatus status, const char *what)
{
    if (status != NATS_OK) {
        server_die("%s: %s, %s", what, natsStatus_GetText(status), nats_GetLastError(NULL));
    }
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *server_program(void)
{
    static const char *const places[] = {"/usr/sbin/nats-server", "/usr/bin/nats-server", "/usr/local/bin/nats-server"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (access(places[i], X_OK) == 0) {
            return places[i];
        }
    }
    return NULL;
}

bool server_nats_is_installed(void)
{
    return server_program() != NULL;
}

static struct sockaddr_in server_address(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void server_write_settings(const struct server_nats *server, const char *settings, bool jetstream)
{
    char path[128];
    snprintf(path, sizeof path, "%s/nats.conf", server->folder);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        server_die("%s: %s", path, strerror(errno));
    }
    fprintf(file, "listen: \"127.0.0.1:%d\"\n", server->port);
    if (jetstream) {
        fprintf(file, "jetstream { store_dir: \"%s/store\" }\n", server->folder);
    }
    fprintf(file, "%s\n", settings != NULL ? settings : "");
    fclose(file);
}

static void server_exec(const struct server_nats *server)
{
    char settings[128], log[128];
    snprintf(settings, sizeof settings, "%s/nats.conf", server->folder);
    snprintf(log, sizeof log, "%s/log", server->folder);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    execl(server_program(), "nats-server", "-c", settings, (char *)NULL);
    _exit(127);
}

static bool server_listens(const struct server_nats *server)
{
    struct sockaddr_in address = server_address(server->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return listens;
}

static void server_run(struct server_nats *server)
{
    fflush(NULL);
    server->pid = fork();
    if (server->pid < 0) {
        server_die("fork: %s", strerror(errno));
    }
    if (server->pid == 0) {
        server_exec(server);
    }
    for (int64_t end = now_ms() + DEADLINE_MS; !server_listens(server);) {
        if (now_ms() > end || waitpid(server->pid, NULL, WNOHANG) != 0) {
            server_die("nats-server does not come up; see %s/log", server->folder);
        }
        nats_Sleep(5);
    }
}

static void server_disconnect(struct server_nats *server)
{
    jsCtx_Destroy(server->js);
    natsConnection_Destroy(server->connection);
    server->js = NULL;
    server->connection = NULL;
}

static void server_connect_tls(struct server_nats *server)
{
    natsOptions *options = NULL;
    server_check(natsOptions_Create(&options), "options");
    server_check(natsOptions_SetURL(options, server->url), "options");
    server_check(natsOptions_SetSecure(options, true), "options");
    server_check(natsOptions_LoadCATrustedCertificates(options, server->ca), "options");
    server_check(natsConnection_Connect(&server->connection, options), "connecting with TLS");
    natsOptions_Destroy(options);
}

/* JetStream answers only when it has recovered its streams. */
static void server_connect(struct server_nats *server)
{
    server_disconnect(server);
    if (server->ca != NULL) {
        server_connect_tls(server);
    } else {
        server_check(natsConnection_ConnectTo(&server->connection, server->admin_url), "connecting");
    }
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = CONNECT_MS;
    options.PublishAsync.StallWait = CONNECT_MS;
    server_check(natsConnection_JetStream(&server->js, server->connection, &options), "JetStream");
    natsStatus s = NATS_TIMEOUT;
    for (int64_t end = now_ms() + DEADLINE_MS; s != NATS_OK && now_ms() < end;) {
        jsAccountInfo *info = NULL;
        s = js_GetAccountInfo(&info, server->js, NULL, NULL);
        jsAccountInfo_Destroy(info);
        if (s != NATS_OK) {
            nats_Sleep(10);
        }
    }
    server_check(s, "JetStream after a start");
}

static void server_prepare(struct server_nats *server, const char *settings, const char *login, bool jetstream)
{
    memset(server, 0, sizeof *server);
    snprintf(server->folder, sizeof server->folder, "/tmp/evs_nats_XXXXXX");
    if (mkdtemp(server->folder) == NULL) {
        server_die("mkdtemp: %s", strerror(errno));
    }
    server->port = unit_free_port();
    snprintf(server->url, sizeof server->url, "nats://127.0.0.1:%d", server->port);
    snprintf(server->admin_url, sizeof server->admin_url, "nats://%s127.0.0.1:%d", login != NULL ? login : "",
             server->port);
    server_write_settings(server, settings, jetstream);
    server_run(server);
}

void server_nats_start(struct server_nats *server, const char *settings, const char *login)
{
    server_prepare(server, settings, login, true);
    server_connect(server);
}

void server_nats_start_tls(struct server_nats *server, const char *settings, const char *ca)
{
    server_prepare(server, settings, NULL, true);
    snprintf(server->url, sizeof server->url, "nats://localhost:%d", server->port);
    server->ca = ca;
    server_connect(server);
}

void server_nats_start_plain(struct server_nats *server)
{
    server_prepare(server, NULL, NULL, false);
}

static void server_end_by(struct server_nats *server, int signal)
{
    if (server->pid > 0) {
        kill(server->pid, signal);
        waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

void server_nats_kill(struct server_nats *server)
{
    server_end_by(server, SIGKILL);
}

void server_nats_stop(struct server_nats *server)
{
    server_end_by(server, SIGTERM);
}

void server_nats_restart(struct server_nats *server)
{
    server_run(server);
    server_connect(server);
}

void server_nats_signal(struct server_nats *server, int signal)
{
    kill(server->pid, signal);
    if (signal == SIGSTOP) {
        waitpid(server->pid, NULL, WUNTRACED); /* it has stopped, not only been told to */
    }
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void copy_tree(const struct server_nats *server, const char *from, const char *to)
{
    char source[128], target[128];
    snprintf(source, sizeof source, "%s/%s", server->folder, from);
    snprintf(target, sizeof target, "%s/%s", server->folder, to);
    remove_tree(target);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("cp", "cp", "-a", source, target, (char *)NULL);
        _exit(127);
    }
    int result = 0;
    if (pid < 0 || waitpid(pid, &result, 0) != pid || result != 0) {
        server_die("copying %s to %s failed", source, target);
    }
}

void server_nats_save(struct server_nats *server)
{
    copy_tree(server, "store", "saved");
}

void server_nats_load(struct server_nats *server)
{
    copy_tree(server, "saved", "store");
}

void server_nats_end(struct server_nats *server)
{
    server_disconnect(server);
    server_end_by(server, SIGKILL);
    remove_tree(server->folder);
}

void server_nats_create_with(struct server_nats *server, jsStreamConfig *config)
{
    jsStreamInfo *info = NULL;
    server_check(js_AddStream(&info, server->js, config, NULL, NULL), "creating a stream");
    jsStreamInfo_Destroy(info);
}

void server_nats_create(struct server_nats *server, const char *stream, const char *subjects)
{
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = stream;
    config.Subjects = &subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    server_nats_create_with(server, &config);
}

void server_nats_delete(struct server_nats *server, const char *stream)
{
    server_check(js_DeleteStream(server->js, stream, NULL, NULL), "deleting a stream");
}

void server_nats_purge(struct server_nats *server, const char *stream, uint64_t sequence)
{
    jsOptions options;
    jsOptions_Init(&options);
    options.Stream.Purge.Sequence = sequence;
    server_check(js_PurgeStream(server->js, stream, sequence > 0 ? &options : NULL, NULL), "purging a stream");
}

void server_nats_delete_consumers(struct server_nats *server, const char *stream)
{
    jsConsumerInfoList *list = NULL;
    server_check(js_Consumers(&list, server->js, stream, NULL, NULL), "listing consumers");
    for (int i = 0; i < list->Count; i++) {
        server_check(js_DeleteConsumer(server->js, stream, list->List[i]->Name, NULL, NULL), "deleting a consumer");
    }
    jsConsumerInfoList_Destroy(list);
}

static jsStreamInfo *server_info(struct server_nats *server, const char *stream)
{
    jsStreamInfo *info = NULL;
    server_check(js_GetStreamInfo(&info, server->js, stream, NULL, NULL), "looking at a stream");
    return info;
}

uint64_t server_nats_last_sequence(struct server_nats *server, const char *stream)
{
    jsStreamInfo *info = server_info(server, stream);
    uint64_t last = info->State.LastSeq;
    jsStreamInfo_Destroy(info);
    return last;
}

uint64_t server_nats_message_count(struct server_nats *server, const char *stream)
{
    jsStreamInfo *info = server_info(server, stream);
    uint64_t count = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return count;
}

void server_nats_publish(struct server_nats *server, const char *subject, const char *payload, int bytes,
                         const char *id)
{
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MsgId = id;
    jsPubAck *ack = NULL;
    server_check(js_Publish(&ack, server->js, subject, payload, bytes, &options, NULL), "publishing");
    jsPubAck_Destroy(ack);
}

void server_nats_feed(struct server_nats *server, const char *subject, uint32_t spread, uint32_t first, uint32_t count,
                      uint32_t events)
{
    static const char padding[] =
        "a line as long as a small event, so that a drain does not fit into the buffers on its way";
    char *payload = malloc(events * 128 + 1), name[256];
    for (uint32_t i = 0; i < count; i++) {
        int bytes = 0;
        for (uint32_t k = 0; k < events; k++) {
            bytes += sprintf(payload + bytes, "{\"n\":%u,\"pad\":\"%s\"}\n", first + i * events + k, padding);
        }
        const char *hole = strstr(subject, "%u");
        if (hole == NULL) {
            snprintf(name, sizeof name, "%s", subject);
        } else {
            snprintf(name, sizeof name, "%.*s%u%s", (int)(hole - subject), subject, i % spread, hole + 2);
        }
        server_check(js_PublishAsync(server->js, name, payload, bytes, NULL), "publishing");
    }
    jsPubOptions wait;
    jsPubOptions_Init(&wait);
    wait.MaxWait = CONNECT_MS;
    server_check(js_PublishAsyncComplete(server->js, &wait), "waiting for acknowledgements");
    free(payload);
}
