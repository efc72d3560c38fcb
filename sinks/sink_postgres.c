/* How rows get into a table exactly once.
 *
 *   connect ──► TABLE ──► (BOOKKEEPING) ──► CLAIM ──► REFUSED ──► READY: prepare, batches, at most REQUESTS_MAX under way
 *     ▲          look, check, --create       cursor     what was refused before
 *     └── any failure that may pass, after a pause
 *
 * A batch is one statement: it moves the cursor from the row before it to its own last row, and stores its rows if that moved (pg_table.h). So batches can be
 * pipelined: one behind a batch that failed finds the cursor elsewhere and does nothing. After any doubt (the connection was lost at its COMMIT, a
 * cursor that did not move) nothing is assumed: the cursor is read, and what lies at or before it is there.
 *
 * Who may write: the claim raises `owner` to our term, and every batch asks for it. A batch of an engine that was replaced moves nothing, waits for no
 * one, and that engine then reads who owns the cursor and ends (EVS_E_FENCED).
 *
 * Rows that the server refuses: a batch that fails with an error of data (pg_error.h) is tried in halves, each a transaction of its own, down to the one
 * row; batches grow again behind it. (Savepoints inside of one transaction would hold the good rows back until the last bad one is found, and need a
 * round trip each all the same.) The refusal is written to evstream_refused in the transaction that moves the cursor beyond the row: the dead letter
 * is part of the next commit only, so a start before that must be able to tell it again.
 *
 * One connection: a cursor is a place in one order. Arrays into `unnest` are what libpq's pipeline takes (it has no COPY). They cost no more: 100,000 rows
 * of five columns in batches of 1,000 through psql, PostgreSQL 15 on a busy machine of two cores, three runs: arrays 76,000 to 130,000 rows/s, a COPY into the
 * table itself 70,000 to 108,000, a COPY into a staging table and on from there 34,000 to 79,000, a list of VALUES 36,000 to 54,000. And a COPY into the table
 * itself can neither convert nor change a row that is there. */
#include "sink_postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "format_fields.h"
#include "pg_config.h"
#include "pg_error.h"
#include "pg_link.h"
#include "pg_rows.h"
#include "pg_table.h"
#include "pg_window.h"
#include "redis_retry.h"

#define REQUESTS_MAX 8u /* under way; a power of two */
#define BATCHES_MAX 3u  /* of them: one is executed while the next is on its way */
#define BATCH_BYTES (1u << 20)
#define INDEX_BITS 20 /* of a position: checkpoint · 2^20 + index (exactness, 7) */
#define NUMBER_BYTES 24u
#define OPEN_WAIT_US 50000

enum step { STEP_TABLE, STEP_CREATE, STEP_BOOKKEEPING, STEP_CLAIM, STEP_REFUSED, STEP_POSITION, STEP_READY };
enum request_kind { REQUEST_STEP, REQUEST_PREPARE, REQUEST_BATCH, REQUEST_REFUSAL };
struct request {
    enum request_kind kind;
    uint32_t rows;
};

struct refused { /* before this start */
    struct evs_pg_place place;
    const char *reason;
};

struct pg_sink {
    const struct evs_os *os;
    struct evs_log *log;
    const struct evs_pg_config *config;
    const char *pipeline, *name;
    const struct evs_schema *schema;
    bool create, may_claim;
    uint64_t owner;
    struct evs_pg_link *link;
    struct evs_redis_retry retry;
    int64_t resume_us;
    uint64_t reconnects, retries, duplicates;

    enum step step;
    bool is_asked;          /* the step's request is under way */
    bool has_claimed;       /* once, in this life */
    bool was_created;       /* the table: by us, a moment ago */
    uint32_t misfits;       /* failures that another look at the table did not explain */
    struct evs_arena arena; /* of the table */
    struct evs_pg_table table;
    struct evs_arena refused_arena;
    struct refused *refused;
    uint32_t refused_count;

    struct evs_pg_window window;
    struct evs_pg_shapes shapes;
    struct evs_pg_arrays arrays;
    struct evs_buffer sql;
    struct evs_pg_place cursor; /* the server's, as far as it has told */
    struct request requests[REQUESTS_MAX];
    uint32_t request_first, request_count;
    bool drains;           /* a request has failed: the answers to those behind it say nothing */
    enum step step_behind; /* … and what is done then */
    uint32_t batch_limit;  /* rows of the next batch */
    uint32_t statements;   /* prepared so far: each has a name of its own */
    char *told;            /* the last refusal's answer */
};

/* --- requests ----------------------------------------------------------------------------------------------------------------- */

static void request_add(struct pg_sink *sink, enum request_kind kind, uint32_t rows)
{
    EVS_ASSERT(sink->request_count < REQUESTS_MAX);
    sink->requests[(sink->request_first + sink->request_count++) & (REQUESTS_MAX - 1)] = (struct request){kind, rows};
}

static struct request request_take(struct pg_sink *sink)
{
    EVS_ASSERT(sink->request_count > 0);
    struct request request = sink->requests[sink->request_first];
    sink->request_first = (sink->request_first + 1) & (REQUESTS_MAX - 1);
    sink->request_count--;
    return request;
}

static void begin_step(struct pg_sink *sink, enum step step)
{
    sink->step = step;
    sink->is_asked = false;
}

/* Everything that is not known to be there will be sent again; the retry policy says when, or that it is over. */
static evs_status start_over(struct pg_sink *sink, evs_status status, struct evs_error *error)
{
    evs_pg_link_drop(sink->link);
    sink->reconnects += sink->has_claimed;
    sink->retries += sink->window.sent - sink->window.done;
    sink->window.sent = sink->window.done;
    sink->request_count = 0;
    sink->drains = false;
    begin_step(sink, STEP_TABLE);
    evs_pg_shapes_unprepare(&sink->shapes);
    int64_t pause_us = status == EVS_E_UNREACHABLE ? evs_redis_retry_pause(&sink->retry) : -1;
    if (pause_us < 0) {
        return status;
    }
    evs_log(sink->log, EVS_LOG_WARN, "sink_postgres_retry", "%s Trying again in %lld ms; %u rows wait.", error->text,
            (long long)(pause_us / 1000), sink->window.count - sink->window.done);
    sink->resume_us = evs_monotonic_us(sink->os) + pause_us;
    return EVS_OK;
}

/* What an answer says that is no data's fault. */
static evs_status refuse_answer(struct pg_sink *sink, const PGresult *result, const char *doing,
                                struct evs_error *error)
{
    struct evs_buffer why = {0};
    enum evs_pg_cause cause = evs_pg_cause_of(result);
    evs_pg_put_error(result, &why);
    bool is_final = cause == EVS_PG_SCHEMA || cause == EVS_PG_ROW;
    evs_status status = is_final ? EVS_E_REFUSED : EVS_E_UNREACHABLE;
    evs_fail(error, status, "%s cannot %s: %.*s.%s", evs_pg_link_server(sink->link), doing, (int)why.count, why.data,
             cause == EVS_PG_READ_ONLY ? " It is a standby, or was made one: the server that takes rows is waited for."
                                       : "");
    evs_buffer_fini(&why);
    return status;
}

static bool is_failure(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
}

/* --- steps before the first row ------------------------------------------------------------------------------------------------ */

static evs_status ask(struct pg_sink *sink, const char *sql, const char *const *values, uint32_t count,
                      struct evs_error *error)
{
    struct evs_pg_parameters parameters = {.count = count, .values = values};
    request_add(sink, REQUEST_STEP, 0);
    return evs_pg_link_ask(sink->link, sql, &parameters, error);
}

static evs_status ask_step(struct pg_sink *sink, struct evs_error *error)
{
    const struct evs_pg_target *target = &sink->config->target;
    char owner[NUMBER_BYTES];
    const char *const of_table[] = {target->table, target->key_array};
    const char *const of_sink[] = {sink->pipeline, sink->name, owner};
    snprintf(owner, sizeof owner, "%" PRIu64, sink->owner);
    sink->sql.count = 0;
    sink->is_asked = true;
    switch (sink->step) {
    case STEP_TABLE:
        return ask(sink, evs_pg_table_query, of_table, 2, error);
    case STEP_CREATE:
        evs_pg_put_create(target, sink->schema, &sink->sql);
        return ask(sink, sink->sql.data, NULL, 0, error);
    case STEP_BOOKKEEPING:
        evs_pg_put_bookkeeping(&sink->table, &sink->sql);
        return ask(sink, sink->sql.data, NULL, 0, error);
    case STEP_CLAIM:
        evs_pg_put_claim(&sink->table, &sink->sql);
        return ask(sink, sink->sql.data, of_sink, 3, error);
    case STEP_REFUSED:
        evs_pg_put_refused(&sink->table, &sink->sql);
        return ask(sink, sink->sql.data, of_sink, 2, error);
    case STEP_POSITION:
        evs_pg_put_position(&sink->table, &sink->sql);
        return ask(sink, sink->sql.data, of_sink, 2, error);
    case STEP_READY:
        break;
    }
    return EVS_E_INTERNAL;
}

/* The columns of today's rows against the table. */
static evs_status check_schema(struct pg_sink *sink, struct evs_error *error)
{
    const struct evs_schema *schema = sink->schema;
    struct evs_pg_source *columns = EVS_ARENA_ARRAY(&sink->arena, struct evs_pg_source, schema->count + 1);
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct evs_field *field = &schema->fields[i];
        columns[i] = (struct evs_pg_source){evs_slice_of(field->name), field->type->kind, field->type};
    }
    return evs_pg_table_check(&sink->table, &sink->config->target, columns, schema->count, error);
}

static evs_status take_table(struct pg_sink *sink, const PGresult *result, struct evs_error *error)
{
    const struct evs_pg_target *target = &sink->config->target;
    evs_arena_reset(&sink->arena);
    evs_pg_table_read(result, target, &sink->arena, &sink->table);
    if (sink->table.column_count > 0) {
        bool has_both = sink->table.has_cursor && sink->table.has_refused;
        begin_step(sink, has_both ? STEP_CLAIM : STEP_BOOKKEEPING);
        return check_schema(sink, error);
    }
    if (sink->create && !sink->was_created) {
        begin_step(sink, STEP_CREATE);
        return EVS_OK;
    }
    struct evs_buffer sql = {0};
    evs_pg_put_create(target, sink->schema, &sql);
    evs_fail(error, EVS_E_REFUSED,
             "%s has no table %s, or this user may not see it. `--create` makes it, or you do: %s;",
             evs_pg_link_server(sink->link), target->table, sql.data);
    evs_buffer_fini(&sql);
    return EVS_E_REFUSED;
}

static struct evs_pg_place place_in(const PGresult *result, int row, int column)
{
    return (struct evs_pg_place){strtoull(PQgetvalue(result, row, column), NULL, 10),
                                 strtoull(PQgetvalue(result, row, column + 1), NULL, 10)};
}

static const char *reason_before(const struct pg_sink *sink, struct evs_pg_place place)
{
    for (uint32_t i = 0; i < sink->refused_count; i++) {
        const struct refused *refused = &sink->refused[i];
        if (refused->place.epoch == place.epoch && refused->place.position == place.position) {
            return refused->reason;
        }
    }
    return NULL;
}

/* Rows at or before the cursor are there, or were refused. */
static void pass_known(struct pg_sink *sink)
{
    struct evs_pg_window *window = &sink->window;
    while (sink->has_claimed && window->done == window->sent && window->done < window->count) {
        struct evs_pg_row *row = evs_pg_window_at(window, window->done);
        if (evs_pg_place_is_after(row->place, sink->cursor)) {
            return;
        }
        const char *reason = row->refusal == NULL ? reason_before(sink, row->place) : NULL;
        if (reason != NULL) {
            row->refusal = evs_strdup(reason);
        }
        sink->duplicates += row->refusal == NULL;
        window->done++;
        window->sent++;
    }
}

static evs_status fenced(struct pg_sink *sink, struct evs_error *error)
{
    return evs_fail(error, EVS_E_FENCED,
                    "Another engine writes to %s for the sink %s of the pipeline %s now (its owner in "
                    "%s.evstream_cursor is newer than %" PRIu64 "). Two pipelines with one name cannot share a table.",
                    sink->config->target.table, sink->name, sink->pipeline, sink->table.schema, sink->owner);
}

/* After a look at the cursor. */
static evs_status take_position(struct pg_sink *sink, const PGresult *result, struct evs_error *error)
{
    if (PQntuples(result) != 1 || strtoull(PQgetvalue(result, 0, 0), NULL, 10) != sink->owner) {
        return fenced(sink, error);
    }
    struct evs_pg_place place = place_in(result, 0, 1);
    if (sink->has_claimed && evs_pg_place_is_after(sink->cursor, place)) {
        return evs_fail(error, EVS_E_GAP,
                        "%s has lost rows of %s that it had confirmed (a crash with synchronous_commit = off, or a "
                        "standby that had not "
                        "received them).",
                        evs_pg_link_server(sink->link), sink->config->target.table);
    }
    sink->cursor = place;
    return EVS_OK;
}

static evs_status take_claim(struct pg_sink *sink, const PGresult *result, struct evs_error *error)
{
    evs_status status = take_position(sink, result, error);
    begin_step(sink, sink->has_claimed ? STEP_READY : STEP_REFUSED);
    return status;
}

static void take_refused(struct pg_sink *sink, const PGresult *result)
{
    uint32_t count = (uint32_t)PQntuples(result);
    sink->refused = EVS_ARENA_ARRAY(&sink->refused_arena, struct refused, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *reason = PQgetvalue(result, (int)i, 2);
        sink->refused[i] = (struct refused){place_in(result, (int)i, 0),
                                            evs_arena_strndup(&sink->refused_arena, reason, strlen(reason))};
    }
    sink->refused_count = count;
    sink->has_claimed = true;
    begin_step(sink, STEP_READY);
}

static evs_status take_step(struct pg_sink *sink, const PGresult *result, struct evs_error *error)
{
    static const char *const doing[] = {
        [STEP_TABLE] = "describe the table",
        [STEP_CREATE] = "make the table",
        [STEP_BOOKKEEPING] =
            "make the tables evstream_cursor and evstream_refused beside it, in which a sink keeps how far it is",
        [STEP_CLAIM] = "write to evstream_cursor",
        [STEP_REFUSED] = "read evstream_refused",
        [STEP_POSITION] = "read evstream_cursor",
        [STEP_READY] = "",
    };
    evs_status status = EVS_OK;
    if (is_failure(result)) {
        return refuse_answer(sink, result, doing[sink->step], error);
    }
    switch (sink->step) {
    case STEP_TABLE:
        return take_table(sink, result, error);
    case STEP_CREATE:
        sink->was_created = true;
        begin_step(sink, STEP_TABLE);
        return EVS_OK;
    case STEP_BOOKKEEPING:
        begin_step(sink, STEP_CLAIM);
        return EVS_OK;
    case STEP_CLAIM:
        status = take_claim(sink, result, error);
        break;
    case STEP_REFUSED:
        take_refused(sink, result);
        break;
    case STEP_POSITION:
        begin_step(sink, STEP_READY);
        status = take_position(sink, result, error);
        break;
    case STEP_READY:
        EVS_ASSERT(!"no step is under way");
    }
    if (status == EVS_OK) {
        pass_known(sink);
    }
    return status;
}

/* --- batches ------------------------------------------------------------------------------------------------------------------ */

/* The parameters that every statement of rows begins with. */
struct cursor_words {
    char owner[NUMBER_BYTES], numbers[4][NUMBER_BYTES];
    const char *values[EVS_PG_CURSOR_PARAMETERS];
};

static void fill_words(struct cursor_words *words, const struct pg_sink *sink, struct evs_pg_place before,
                       struct evs_pg_place last)
{
    const uint64_t numbers[4] = {last.epoch, last.position, before.epoch, before.position};
    snprintf(words->owner, sizeof words->owner, "%" PRIu64, sink->owner);
    words->values[0] = sink->pipeline;
    words->values[1] = sink->name;
    words->values[2] = words->owner;
    for (uint32_t i = 0; i < 4; i++) {
        snprintf(words->numbers[i], sizeof words->numbers[i], "%" PRIu64, numbers[i]);
        words->values[3 + i] = words->numbers[i];
    }
}

/* Where the cursor stands when everything under way has been executed. */
static struct evs_pg_place place_before(struct pg_sink *sink)
{
    struct evs_pg_window *window = &sink->window;
    return window->sent > window->done ? evs_pg_window_at(window, window->sent - 1)->place : sink->cursor;
}

/* How many rows may share the next statement; they stand in the arrays. */
static uint32_t gather(struct pg_sink *sink, uint32_t shape)
{
    struct evs_pg_window *window = &sink->window;
    uint32_t count = 0;
    size_t bytes = 0;
    evs_pg_arrays_begin(&sink->arrays, sink->shapes.items[shape].count);
    while (window->sent + count < window->count && count < sink->batch_limit && bytes < BATCH_BYTES) {
        const struct evs_pg_row *row = evs_pg_window_at(window, window->sent + count);
        if (row->shape != shape || row->refusal != NULL) {
            break;
        }
        evs_pg_arrays_add(&sink->arrays, (struct evs_slice){row->payload.data, row->payload.count});
        bytes += row->payload.count;
        count++;
    }
    evs_pg_arrays_end(&sink->arrays);
    return count;
}

static evs_status prepare(struct pg_sink *sink, struct evs_pg_shape *shape, struct evs_error *error)
{
    Oid types[EVS_PG_PARAMETERS_MAX] = {EVS_PG_TEXT, EVS_PG_TEXT, EVS_PG_INT8, EVS_PG_INT8,
                                        EVS_PG_INT8, EVS_PG_INT8, EVS_PG_INT8};
    evs_status status = evs_pg_table_check(&sink->table, &sink->config->target, shape->columns, shape->count, error);
    if (status != EVS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < shape->count; i++) {
        types[EVS_PG_CURSOR_PARAMETERS + i] = EVS_PG_TEXT_ARRAY;
    }
    sink->sql.count = 0;
    evs_pg_put_batch(&sink->table, &sink->config->target, shape->columns, shape->count, &sink->sql);
    snprintf(shape->statement, sizeof shape->statement, "evstream_%u", sink->statements++);
    shape->is_prepared = true;
    request_add(sink, REQUEST_PREPARE, 0);
    return evs_pg_link_prepare(sink->link, shape->statement, sink->sql.data, types,
                               EVS_PG_CURSOR_PARAMETERS + shape->count, error);
}

static evs_status send_batch(struct pg_sink *sink, struct evs_error *error)
{
    struct evs_pg_window *window = &sink->window;
    uint32_t number = evs_pg_window_at(window, window->sent)->shape;
    struct evs_pg_shape *shape = &sink->shapes.items[number];
    evs_status status = shape->is_prepared ? EVS_OK : prepare(sink, shape, error);
    if (status != EVS_OK) {
        return status;
    }
    struct cursor_words words;
    const char *values[EVS_PG_PARAMETERS_MAX];
    int bytes[EVS_PG_PARAMETERS_MAX] = {0}, formats[EVS_PG_PARAMETERS_MAX] = {0};
    struct evs_pg_place before = place_before(sink);
    uint32_t rows = gather(sink, number);
    EVS_ASSERT(rows > 0);
    fill_words(&words, sink, before, evs_pg_window_at(window, window->sent + rows - 1)->place);
    memcpy(values, words.values, sizeof words.values);
    for (uint32_t i = 0; i < shape->count; i++) {
        values[EVS_PG_CURSOR_PARAMETERS + i] = sink->arrays.columns[i].data;
        bytes[EVS_PG_CURSOR_PARAMETERS + i] = (int)sink->arrays.columns[i].count;
        formats[EVS_PG_CURSOR_PARAMETERS + i] = 1;
    }
    struct evs_pg_parameters parameters = {EVS_PG_CURSOR_PARAMETERS + shape->count, values, bytes, formats};
    window->sent += rows;
    request_add(sink, REQUEST_BATCH, rows);
    return evs_pg_link_execute(sink->link, shape->statement, &parameters, error);
}

/* The row is not stored, and the cursor passes it. */
static evs_status send_refusal(struct pg_sink *sink, struct evs_error *error)
{
    const struct evs_pg_row *row = evs_pg_window_at(&sink->window, sink->window.sent);
    struct cursor_words words;
    char id[33];
    const char *values[EVS_PG_REFUSAL_PARAMETERS];
    fill_words(&words, sink, place_before(sink), row->place);
    memcpy(values, words.values, sizeof words.values);
    snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, row->id.high, row->id.low);
    values[EVS_PG_CURSOR_PARAMETERS] = id;
    values[EVS_PG_CURSOR_PARAMETERS + 1] = row->refusal;
    sink->sql.count = 0;
    evs_pg_put_refusal(&sink->table, &sink->sql);
    struct evs_pg_parameters parameters = {.count = EVS_PG_REFUSAL_PARAMETERS, .values = values};
    sink->window.sent++;
    request_add(sink, REQUEST_REFUSAL, 1);
    return evs_pg_link_ask(sink->link, sink->sql.data, &parameters, error);
}

static evs_status send_rows(struct pg_sink *sink, struct evs_error *error)
{
    struct evs_pg_window *window = &sink->window;
    evs_status status = EVS_OK;
    while (status == EVS_OK && !sink->drains && window->sent < window->count && sink->request_count < BATCHES_MAX) {
        bool is_refused = evs_pg_window_at(window, window->sent)->refusal != NULL;
        status = is_refused ? send_refusal(sink, error) : send_batch(sink, error);
    }
    return status;
}

/* --- answers ------------------------------------------------------------------------------------------------------------------ */

/* Nothing under way counts any more; when all of it is answered, `step` comes. */
static void drain(struct pg_sink *sink, enum step step)
{
    sink->drains = true;
    sink->step_behind = step;
    sink->retries += sink->window.sent - sink->window.done;
}

static void end_drain(struct pg_sink *sink)
{
    if (sink->drains && sink->request_count == 0) {
        sink->drains = false;
        sink->window.sent = sink->window.done;
        begin_step(sink, sink->step_behind);
    }
}

static void take_rows(struct pg_sink *sink, uint32_t rows)
{
    struct evs_pg_window *window = &sink->window;
    EVS_ASSERT(rows > 0 && window->done + rows <= window->sent);
    window->done += rows;
    sink->cursor = evs_pg_window_at(window, window->done - 1)->place;
    sink->misfits = 0;
    sink->batch_limit =
        sink->batch_limit * 2 < sink->config->batch_rows ? sink->batch_limit * 2 : sink->config->batch_rows;
    evs_redis_retry_reset(&sink->retry);
}

/* A row of the batch is bad: which one, smaller batches show. */
static void narrow(struct pg_sink *sink, const PGresult *result, uint32_t rows)
{
    if (rows > 1) {
        sink->batch_limit = rows / 2;
    } else {
        struct evs_buffer why = {0};
        evs_pg_put_error(result, &why);
        evs_buffer_put(&why, "", 1);
        evs_pg_window_at(&sink->window, sink->window.done)->refusal = why.data;
        /* Its whole text names values of the row, which do not belong into a log. */
        evs_log(sink->log, EVS_LOG_WARN, "sink_postgres_refused",
                "%s refuses a row for %s (SQLSTATE %.5s): it is a dead letter.", evs_pg_link_server(sink->link),
                sink->config->target.table, why.data);
    }
    drain(sink, STEP_READY);
}

static evs_status take_failure(struct pg_sink *sink, const PGresult *result, struct request request,
                               struct evs_error *error)
{
    enum evs_pg_cause cause = evs_pg_cause_of(result);
    if (cause == EVS_PG_ROW && request.kind == REQUEST_BATCH) {
        narrow(sink, result, request.rows);
        return EVS_OK;
    }
    if (cause == EVS_PG_SCHEMA &&
        sink->misfits++ == 0) { /* somebody has changed the table: another look says what fits */
        evs_pg_shapes_unprepare(&sink->shapes);
        drain(sink, STEP_TABLE);
        return EVS_OK;
    }
    return refuse_answer(sink, result, "store rows", error);
}

static evs_status take_answer(struct pg_sink *sink, const PGresult *result, struct request request,
                              struct evs_error *error)
{
    if (request.kind == REQUEST_STEP) {
        return take_step(sink, result, error);
    }
    if (sink->drains) {
        return EVS_OK;
    }
    if (is_failure(result)) {
        return take_failure(sink, result, request, error);
    }
    if (request.kind == REQUEST_PREPARE) {
        return EVS_OK;
    }
    if (strcmp(PQgetvalue(result, 0, 0), "1") == 0) {
        take_rows(sink, request.rows);
    } else { /* the cursor is not where we left it */
        drain(sink, STEP_POSITION);
    }
    return EVS_OK;
}

static evs_status take_answers(struct pg_sink *sink, struct evs_error *error)
{
    evs_status status = EVS_OK;
    while (status == EVS_OK && sink->request_count > 0) {
        PGresult *result = NULL;
        status = evs_pg_link_take(sink->link, &result, error);
        if (status == EVS_OK) {
            status = take_answer(sink, result, request_take(sink), error);
            PQclear(result);
        }
    }
    return status == EVS_AGAIN ? EVS_OK : status;
}

/* --- the slots of the contract ------------------------------------------------------------------------------------------------- */

static bool is_at_rest(const struct pg_sink *sink)
{
    return sink->step == STEP_CLAIM && !sink->may_claim; /* a probe: everything is looked at, nothing is taken */
}

static evs_status send_more(struct pg_sink *sink, struct evs_error *error)
{
    if (!evs_pg_link_is_up(sink->link) || sink->drains || is_at_rest(sink)) {
        return EVS_OK;
    }
    if (sink->step == STEP_READY) {
        return send_rows(sink, error);
    }
    return sink->is_asked ? EVS_OK : ask_step(sink, error);
}

/* Connects when it is time, sends and takes answers as far as that goes without waiting. */
static evs_status go_on(struct pg_sink *sink, struct evs_error *error)
{
    if (evs_pg_link_is_down(sink->link) && evs_monotonic_us(sink->os) < sink->resume_us) {
        return EVS_OK;
    }
    evs_status status = evs_pg_link_is_down(sink->link) ? evs_pg_link_start(sink->link, error) : EVS_OK;
    if (status == EVS_OK) {
        status = evs_pg_link_pump(sink->link, error);
    }
    if (status == EVS_OK && evs_pg_link_is_up(sink->link)) {
        status = take_answers(sink, error);
        end_drain(sink);
    }
    if (status == EVS_OK) {
        status = send_more(sink, error);
    }
    if (status == EVS_OK && evs_pg_link_is_up(sink->link)) {
        status = evs_pg_link_pump(sink->link, error);
    }
    if (status == EVS_OK && sink->step == STEP_READY && sink->window.done == sink->window.count) {
        evs_redis_retry_reset(&sink->retry); /* with rows it is a stored one that ends a row of failures */
    }
    return status == EVS_OK ? EVS_OK : start_over(sink, status, error);
}

static uint32_t postgres_wait_fds(void *instance, struct evs_wait_fd *fds, uint32_t max)
{
    const struct pg_sink *sink = instance;
    if (max == 0 || evs_pg_link_is_down(sink->link)) {
        return 0;
    }
    fds[0] = evs_pg_link_wait_fd(sink->link);
    return fds[0].fd < 0 ? 0 : 1;
}

static void postgres_close(void *instance)
{
    struct pg_sink *sink = instance;
    evs_pg_link_free(sink->link);
    evs_pg_window_fini(&sink->window);
    evs_pg_shapes_fini(&sink->shapes);
    evs_pg_arrays_fini(&sink->arrays);
    evs_buffer_fini(&sink->sql);
    evs_free(sink->told);
    evs_arena_fini(&sink->arena);
    evs_arena_fini(&sink->refused_arena);
    evs_free(sink);
}

/* Until the table has been looked at: what does not fit shall be told at the start. */
static evs_status look(struct pg_sink *sink, struct evs_error *error)
{
    evs_status status = go_on(sink, error);
    while (status == EVS_OK && !is_at_rest(sink)) {
        struct evs_wait_fd fd;
        uint32_t count = postgres_wait_fds(sink, &fd, 1);
        sink->os->sockets.wait(sink->os->sockets.self, NULL, &fd, count, OPEN_WAIT_US);
        status = go_on(sink, error);
    }
    return status;
}

static evs_status postgres_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    char name[64];
    struct pg_sink *sink = evs_alloc_zero(sizeof *sink);
    sink->os = open->os;
    sink->log = open->log;
    sink->config = open->config;
    sink->pipeline = open->pipeline;
    sink->name = open->name;
    sink->schema = open->schema;
    sink->create = open->create;
    sink->owner = open->epoch != 0 ? open->epoch : (uint64_t)(open->os->clock.wall_us(open->os->clock.self) / 1000);
    sink->retry = (struct evs_redis_retry){.os = open->os, .retry_us = open->retry_us};
    sink->batch_limit = sink->config->batch_rows;
    evs_pg_window_init(&sink->window);
    snprintf(name, sizeof name, "evstream %.24s %.24s", open->pipeline, open->name);
    sink->link = evs_pg_link_new(open->os, &sink->config->address, name);
    evs_status status = look(sink, error);
    if (status != EVS_OK) {
        postgres_close(sink);
        return status;
    }
    sink->may_claim = true;
    *instance = sink;
    return EVS_OK;
}

static evs_status postgres_send(void *instance, const struct evs_sink_message *message, struct evs_error *error)
{
    struct pg_sink *sink = instance;
    struct evs_pg_place place = {message->epoch, (message->checkpoint << INDEX_BITS) + message->index};
    if (message->epoch == 0) {
        place = (struct evs_pg_place){sink->owner, message->number};
    }
    uint32_t known = sink->shapes.count, shape = evs_pg_shape_of(&sink->shapes, message->payload);
    if (shape == UINT32_MAX) {
        return evs_fail(error, EVS_E_CORRUPT, "A stored row of the sink %s cannot be read.", sink->name);
    }
    struct evs_pg_row *row = evs_pg_window_add(&sink->window, message, place);
    if (row == NULL) {
        return EVS_AGAIN;
    }
    row->shape = shape;
    if (sink->shapes.count > known) {
        evs_pg_shapes_learn(&sink->shapes, sink->schema);
    }
    if (sink->step == STEP_READY) {
        pass_known(sink);
    }
    return EVS_OK;
}

static evs_status postgres_poll(void *instance, uint64_t *acknowledged, uint32_t max, uint32_t *count,
                                struct evs_error *error)
{
    struct pg_sink *sink = instance;
    struct evs_error why = {0};
    *count = 0;
    evs_status status = go_on(sink, error == NULL ? &why : error);
    while (*count < max && sink->window.done > 0 && evs_pg_window_at(&sink->window, 0)->refusal == NULL) {
        acknowledged[(*count)++] = evs_pg_window_at(&sink->window, 0)->number;
        evs_pg_window_drop_first(&sink->window);
    }
    return status;
}

static evs_status postgres_refused(void *instance, struct evs_sink_refusal *refusal)
{
    struct pg_sink *sink = instance;
    struct evs_pg_row *row = evs_pg_window_at(&sink->window, 0);
    if (sink->window.done == 0 || row->refusal == NULL) {
        return EVS_AGAIN;
    }
    evs_free(sink->told);
    sink->told = row->refusal;
    row->refusal = NULL;
    *refusal = (struct evs_sink_refusal){.number = row->number,
                                         .reason = EVS_REFUSED_REASON,
                                         .code = EVS_REFUSED_CODE,
                                         .answer = evs_slice_of(sink->told)};
    evs_pg_window_drop_first(&sink->window);
    return EVS_OK;
}

static void postgres_state(void *instance, struct evs_sink_state *state)
{
    const struct pg_sink *sink = instance;
    *state = (struct evs_sink_state){
        .reconnects = sink->reconnects, .retries = sink->retries, .duplicates = sink->duplicates};
}

const struct evs_sink evs_sink_postgres = {
    .kind = "postgres",
    .promise =
        "each row is in the table once: the transaction that stores it moves the sink's cursor; a refused row is a "
        "dead letter",
    .shape = EVS_SINK_MESSAGES,
    .single = true,
    .through_outbox = true,
    .options = evs_pg_options,
    .own_format = &evs_format_fields,
    .configure = evs_pg_configure,
    .check = evs_pg_check,
    .open = postgres_open,
    .send = postgres_send,
    .poll = postgres_poll,
    .refused = postgres_refused,
    .wait_fds = postgres_wait_fds,
    .close = postgres_close,
    .state = postgres_state,
};
