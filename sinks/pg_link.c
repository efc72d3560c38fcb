#include "pg_link.h"

#include <stdio.h>
#include <stdlib.h>

#define CONNECT_US (INT64_C(10) * 1000 * 1000)
#define SILENCE_US (INT64_C(60) * 1000 * 1000)
#define PASSWORD_BYTES_MAX 1024u
#define SERVER_BYTES 320u

enum phase { PHASE_DOWN, PHASE_CONNECTING, PHASE_UP };

struct evs_pg_link {
    const struct evs_os *os;
    const struct evs_pg_address *address;
    char name[64];
    char server[SERVER_BYTES];
    enum phase phase;
    PGconn *connection;
    PostgresPollingStatusType polling;
    int64_t since_us; /* connecting, or waiting for an answer, with nothing from the server */
    uint32_t awaited;
    PGresult *result; /* of the oldest request, until its Sync is answered */
    bool wants_write;
};

/* libpq ends its sentences with line ends, and may say several. */
static void one_line(const char *from, char *to, size_t bytes)
{
    size_t at = 0;
    for (; *from != '\0' && at + 1 < bytes; from++) {
        bool is_space = *from == '\n' || *from == '\t' || *from == '\r';
        if (!is_space || (at > 0 && to[at - 1] != ' ')) {
            to[at++] = is_space ? ' ' : *from;
        }
    }
    while (at > 0 && to[at - 1] == ' ') {
        at--;
    }
    to[at] = '\0';
}

/* --- addresses ---------------------------------------------------------------------------------------------------------------- */

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val;
        }
    }
    return NULL;
}

evs_status evs_pg_check_url(const char *url, struct evs_error *error)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &why);
    if (options == NULL) { /* its words may repeat a password that stands at a wrong place */
        char told[256];
        one_line(why == NULL ? "" : why, told, sizeof told);
        bool may_tell = strstr(url, "password") == NULL && strchr(url, '@') == NULL;
        evs_fail(error, EVS_E_PIPELINE,
                 "The option `url` is no address of PostgreSQL%s%s; write postgresql://USER@HOST:PORT/DATABASE.",
                 may_tell ? ": " : "", may_tell ? told : "");
        PQfreemem(why);
        return EVS_E_PIPELINE;
    }
    bool has_password = option_of(options, "password") != NULL;
    PQconninfoFree(options);
    if (has_password) {
        return evs_fail(
            error, EVS_E_PIPELINE,
            "A password does not belong into a pipeline: leave it out of `url`, and name the file that holds it "
            "(password_file = '/run/secrets/postgres') or a variable (password_env = 'SHOP_DB_PASSWORD').");
    }
    return EVS_OK;
}

static evs_status read_password_file(struct evs_pg_link *link, char *password, struct evs_error *error)
{
    const struct evs_files *files = &link->os->files;
    struct evs_file *file;
    size_t got = 0;
    evs_status status = files->open(files->self, link->address->password_file, EVS_FILE_READ, &file, error);
    if (status != EVS_OK) {
        return status;
    }
    status = files->read(file, password, PASSWORD_BYTES_MAX - 1, &got, error);
    files->close(file);
    password[got] = '\0';
    password[strcspn(password, "\r\n")] = '\0';
    return status;
}

static evs_status read_password(struct evs_pg_link *link, char *password, struct evs_error *error)
{
    const struct evs_pg_address *address = link->address;
    password[0] = '\0';
    if (address->password_file != NULL) {
        return read_password_file(link, password, error);
    }
    if (address->password_env != NULL) {
        const char *text = getenv(address->password_env);
        if (text == NULL || strlen(text) >= PASSWORD_BYTES_MAX) {
            return evs_fail(error, EVS_E_USAGE, "The variable %s, which is to hold the password of PostgreSQL, is %s.",
                            address->password_env, text == NULL ? "not set" : "too long");
        }
        memcpy(password, text, strlen(text) + 1);
    }
    return EVS_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------------------- */

struct evs_pg_link *evs_pg_link_new(const struct evs_os *os, const struct evs_pg_address *address, const char *name)
{
    struct evs_pg_link *link = evs_alloc_zero(sizeof *link);
    link->os = os;
    link->address = address;
    snprintf(link->name, sizeof link->name, "%s", name);
    snprintf(link->server, sizeof link->server, "PostgreSQL");
    return link;
}

void evs_pg_link_drop(struct evs_pg_link *link)
{
    PQclear(link->result);
    PQfinish(link->connection);
    link->result = NULL;
    link->connection = NULL;
    link->awaited = 0;
    link->wants_write = false;
    link->phase = PHASE_DOWN;
}

void evs_pg_link_free(struct evs_pg_link *link)
{
    if (link != NULL) {
        evs_pg_link_drop(link);
        evs_free(link);
    }
}

bool evs_pg_link_is_down(const struct evs_pg_link *link)
{
    return link->phase == PHASE_DOWN;
}

bool evs_pg_link_is_up(const struct evs_pg_link *link)
{
    return link->phase == PHASE_UP;
}

const char *evs_pg_link_server(const struct evs_pg_link *link)
{
    return link->server;
}

uint32_t evs_pg_link_awaited(const struct evs_pg_link *link)
{
    return link->awaited;
}

static evs_status broken(struct evs_pg_link *link, const char *doing, struct evs_error *error)
{
    char why[512];
    one_line(PQerrorMessage(link->connection), why, sizeof why);
    evs_fail(error, EVS_E_UNREACHABLE, "%s %s: %s", link->server, doing, why[0] == '\0' ? "the connection broke" : why);
    evs_pg_link_drop(link);
    return EVS_E_UNREACHABLE;
}

/* --- connecting --------------------------------------------------------------------------------------------------------------- */

static void ignore_notice(void *argument, const PGresult *result)
{
    (void)argument, (void)result;
}

/* What the user writes into the URL wins over the first three: libpq lets a later word override an earlier one, and `dbname` stands for the whole URL. */
static PGconn *begin(struct evs_pg_link *link, const char *password)
{
    const char *words[12] = {0}, *values[12] = {0};
    uint32_t count = 0;
    const char *const pairs[][2] = {
        {"target_session_attrs", "read-write"}, /* of several hosts the one that takes rows */
        {"keepalives_idle", "10"},
        {"tcp_user_timeout", "30000"},
        {"dbname", link->address->url},
        {"application_name", link->name},
        {"client_encoding", "UTF8"},
        {"password", password[0] == '\0' ? NULL : password},
    };
    for (uint32_t i = 0; i < EVS_COUNT(pairs); i++) {
        if (pairs[i][1] != NULL) {
            words[count] = pairs[i][0];
            values[count++] = pairs[i][1];
        }
    }
    return PQconnectStartParams(words, values, 1);
}

evs_status evs_pg_link_start(struct evs_pg_link *link, struct evs_error *error)
{
    EVS_ASSERT(link->phase == PHASE_DOWN);
    char password[PASSWORD_BYTES_MAX];
    evs_status status = read_password(link, password, error);
    if (status != EVS_OK) {
        return status;
    }
    link->connection = begin(link, password);
    explicit_bzero(password, sizeof password);
    EVS_ASSERT(link->connection != NULL); /* NULL: no memory, and then the allocator has ended the process */
    if (PQstatus(link->connection) == CONNECTION_BAD) {
        return broken(link, "cannot be reached", error);
    }
    PQsetNoticeReceiver(link->connection, ignore_notice, NULL);
    link->phase = PHASE_CONNECTING;
    link->polling = PGRES_POLLING_WRITING;
    link->since_us = evs_monotonic_us(link->os);
    return EVS_OK;
}

static void name_server(struct evs_pg_link *link)
{
    const char *host = PQhost(link->connection), *port = PQport(link->connection), *base = PQdb(link->connection);
    snprintf(link->server, sizeof link->server, "PostgreSQL at %s:%s/%s", host == NULL ? "" : host,
             port == NULL ? "" : port, base == NULL ? "" : base);
}

static bool socket_is_ready(const struct evs_pg_link *link)
{
    struct evs_wait_fd fd = evs_pg_link_wait_fd(link);
    return fd.fd < 0 || link->os->sockets.wait(link->os->sockets.self, NULL, &fd, 1, 0) > 0;
}

static evs_status go_on_connecting(struct evs_pg_link *link, struct evs_error *error)
{
    for (uint32_t steps = 0; steps < 64 && socket_is_ready(link); steps++) {
        link->polling = PQconnectPoll(link->connection);
        name_server(link);
        if (link->polling == PGRES_POLLING_FAILED) {
            return broken(link, "cannot be reached", error);
        }
        if (link->polling == PGRES_POLLING_OK) {
            if (PQsetnonblocking(link->connection, 1) != 0 || PQenterPipelineMode(link->connection) != 1) {
                return broken(link, "cannot be used", error);
            }
            link->phase = PHASE_UP;
            return EVS_OK;
        }
    }
    if (evs_monotonic_us(link->os) - link->since_us > CONNECT_US) {
        evs_fail(error, EVS_E_UNREACHABLE, "%s does not answer.", link->server);
        evs_pg_link_drop(link);
        return EVS_E_UNREACHABLE;
    }
    return EVS_OK;
}

/* --- requests ----------------------------------------------------------------------------------------------------------------- */

static evs_status end_request(struct evs_pg_link *link, bool was_sent, struct evs_error *error)
{
    if (!was_sent || PQpipelineSync(link->connection) != 1) {
        return broken(link, "takes no request", error);
    }
    if (link->awaited++ == 0) {
        link->since_us = evs_monotonic_us(link->os);
    }
    return EVS_OK;
}

evs_status evs_pg_link_ask(struct evs_pg_link *link, const char *sql, const struct evs_pg_parameters *parameters,
                           struct evs_error *error)
{
    EVS_ASSERT(link->phase == PHASE_UP);
    bool was_sent = PQsendQueryParams(link->connection, sql, (int)parameters->count, NULL, parameters->values,
                                      parameters->bytes, parameters->formats, 0) == 1;
    return end_request(link, was_sent, error);
}

evs_status evs_pg_link_prepare(struct evs_pg_link *link, const char *statement, const char *sql, const Oid *types,
                               uint32_t count, struct evs_error *error)
{
    EVS_ASSERT(link->phase == PHASE_UP);
    return end_request(link, PQsendPrepare(link->connection, statement, sql, (int)count, types) == 1, error);
}

evs_status evs_pg_link_execute(struct evs_pg_link *link, const char *statement,
                               const struct evs_pg_parameters *parameters, struct evs_error *error)
{
    EVS_ASSERT(link->phase == PHASE_UP && parameters->count <= EVS_PG_PARAMETERS_MAX);
    bool was_sent = PQsendQueryPrepared(link->connection, statement, (int)parameters->count, parameters->values,
                                        parameters->bytes, parameters->formats, 0) == 1;
    return end_request(link, was_sent, error);
}

/* A failure may come after the statement's own answer: what a constraint checks at the end of the transaction. It is what counts. */
static void keep_result(struct evs_pg_link *link, PGresult *result)
{
    if (link->result == NULL || PQresultStatus(result) == PGRES_FATAL_ERROR) {
        PQclear(link->result);
        link->result = result;
    } else {
        PQclear(result);
    }
}

evs_status evs_pg_link_take(struct evs_pg_link *link, PGresult **result, struct evs_error *error)
{
    uint32_t ends = 0; /* of a statement's results, one behind the other: more than two are none of ours */
    /* With something left to be sent PQgetResult would wait until it is sent. */
    while (link->awaited > 0 && !link->wants_write && !PQisBusy(link->connection)) {
        PGresult *part = PQgetResult(link->connection);
        if (part == NULL) {
            if (PQstatus(link->connection) == CONNECTION_BAD || ++ends > 2) {
                return broken(link, "has closed the connection", error);
            }
            continue;
        }
        ends = 0;
        if (PQresultStatus(part) == PGRES_PIPELINE_SYNC) {
            PQclear(part);
            EVS_ASSERT(link->result != NULL);
            *result = link->result;
            link->result = NULL;
            link->awaited--;
            link->since_us = evs_monotonic_us(link->os);
            return EVS_OK;
        }
        keep_result(link, part);
        if (PQstatus(link->connection) == CONNECTION_BAD) {
            return broken(link, "has closed the connection", error);
        }
    }
    return EVS_AGAIN;
}

evs_status evs_pg_link_pump(struct evs_pg_link *link, struct evs_error *error)
{
    if (link->phase != PHASE_UP) {
        return link->phase == PHASE_DOWN ? EVS_OK : go_on_connecting(link, error);
    }
    if (PQconsumeInput(link->connection) != 1) {
        return broken(link, "has closed the connection", error);
    }
    int left = PQflush(link->connection);
    if (left < 0) {
        return broken(link, "has closed the connection", error);
    }
    link->wants_write = left > 0;
    if (link->awaited > 0 && evs_monotonic_us(link->os) - link->since_us > SILENCE_US) {
        evs_fail(error, EVS_E_UNREACHABLE,
                 "%s has not answered a request for %d s; does something hold a lock on the table?", link->server,
                 (int)(SILENCE_US / 1000000));
        evs_pg_link_drop(link);
        return EVS_E_UNREACHABLE;
    }
    return EVS_OK;
}

struct evs_wait_fd evs_pg_link_wait_fd(const struct evs_pg_link *link)
{
    EVS_ASSERT(link->phase != PHASE_DOWN);
    bool connecting = link->phase == PHASE_CONNECTING;
    return (struct evs_wait_fd){
        .fd = PQsocket(link->connection),
        .want_read = !connecting || link->polling == PGRES_POLLING_READING,
        .want_write = connecting ? link->polling == PGRES_POLLING_WRITING : link->wants_write,
    };
}
