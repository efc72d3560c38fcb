/* How a message gets into its stream exactly once, and a row into its hash (redis_hash.h).
 *
 *   send ──► [ window: a ring of copies, oldest first ]
 *              acked ▲            ▲ sent on this connection      ▲ waiting for the connection
 *
 * Each message is one call of evs1_append with its own id and `after`, the id that must be the stream's newest: the
 * message before it in the same stream. So the calls can be pipelined, and still a message that is refused (memory
 * short) takes all later ones of its stream with it: had a later one gone in, this one's id would be too small for
 * ever.
 *
 * Any failure (an error reply, a lost or silent connection) drops the connection; after a pause everything in the
 * window is sent again from the oldest on. What had been written already answers DUP: the function finds the entry
 * under its id with the same content, or, if it has been trimmed or deleted by a consumer meanwhile, a later one of
 * ours. Anything else under the id is EVSDIVERGED, EVS_E_STATE.
 *
 * Terms: messages that an earlier owner committed but did not deliver come first, under its epoch; a message of
 * another epoch waits until all before it are acknowledged. From the first message of the new epoch on, the server
 * itself refuses an old owner's smaller ids. (The streams are not raised to the new epoch at the start, as the log
 * and the outbox are: that would refuse the undelivered messages, too.)
 *
 * A hash has no order to keep: each row's call stands alone, and the server knows by its fence whether it is newer than what is there. A key that is no
 * hash refuses the row, which is a dead letter.
 *
 * Without a durable store messages have no commit; the ids are <time of the start>-<number>.
 *
 * Nothing here blocks but the resolver, when the URL has a host name. In a steady state nothing is allocated: the
 * ring's buffers stay. */
#include "sink_redis.h"

#include <inttypes.h>
#include <stdio.h>

#include "format_fields.h"
#include "redis_function.h"
#include "redis_hash.h"
#include "redis_link.h"
#include "redis_retry.h"

#define WINDOW_MESSAGES 1024u /* a power of two */
#define INDEX_BITS 20
#define WRITER_DIGITS 16
#define TRIGGER_DIGITS 32
#define N_DIGITS (WRITER_DIGITS + 1 + 8)

struct config {
    const char *key;    /* the template's text */
    const char *url;    /* NULL: that of the state */
    const char *maxlen; /* NULL: streams grow without limit */
    bool is_hash;
    const char *ttl_ms; /* of hashes; "0": they stay */
};

struct refused {
    uint64_t number;
    char *answer;
};

struct message {
    uint64_t number;
    struct evs_redis_id id;
    uint32_t key_count, data_count;
    char trigger[TRIGGER_DIGITS + 1];
    char n[N_DIGITS + 1];
    struct evs_buffer text; /* key, data */
};

struct redis_sink {
    const struct evs_os *os;
    struct evs_log *log;
    const struct config *config;
    struct evs_redis_address address;
    struct evs_redis_link *link;
    struct evs_redis_retry retry;
    int64_t resume_us; /* down: when to connect again */
    uint64_t reconnects, retries;
    char writer[WRITER_DIGITS + 1];
    uint64_t own_epoch; /* without a durable store */

    struct message *window; /* WINDOW_MESSAGES */
    uint32_t first, count;  /* a ring */
    uint32_t sent;          /* of them, on this connection */
    size_t window_bytes;
    bool loads;                 /* the function library is missing … */
    bool load_awaited;          /* … and its FUNCTION LOAD is the next to be answered */
    struct evs_redis_id last;   /* of the last acknowledged message; zero: unknown … */
    struct evs_buffer last_key; /* … and its stream */
    bool beside_store;          /* the server keeps the state, too */
    bool store_forgets;         /* and a crash of it may take what it had confirmed */
    char *fence;                /* hashes: the field that holds the place of the last row */
    struct refused *refused;    /* hashes: not told yet, oldest first */
    uint32_t refused_count, refused_capacity;
    char *told;      /* the last refusal's answer */
    bool is_checked; /* this connection leads to the server that the last one led to, or that does not matter */
};

/* --- configuration ------------------------------------------------------------------------------------------------ */

enum { OPTION_KEY, OPTION_MAXLEN, OPTION_URL };

static const struct evs_option options[] = {
    [OPTION_KEY] = {.name = "key",
                    .kind = EVS_OPTION_TEMPLATE,
                    .required = true,
                    .help = "The stream's key; {column} holes are filled for each row."},
    [OPTION_MAXLEN] = {.name = "maxlen",
                       .kind = EVS_OPTION_INT,
                       .min = 1,
                       .max = INT64_MAX,
                       .help =
                           "About how many entries a stream keeps; older ones are trimmed. Without it streams grow."},
    [OPTION_URL] = {.name = "url",
                    .kind = EVS_OPTION_STRING,
                    .secret = true,
                    .help = "The server, redis://host:port; without it the one that keeps the state."},
    {0},
};

enum { OPTION_HASH_KEY, OPTION_TTL, OPTION_HASH_URL };

static const struct evs_option hash_options[] = {
    [OPTION_HASH_KEY] =
        {.name = "key",
         .kind = EVS_OPTION_TEMPLATE,
         .required = true,
         .help = "The hash's key, with {column} holes: 'profile:{user_id}'. Each column of the row is a field of it."},
    [OPTION_TTL] = {.name = "ttl",
                    .kind = EVS_OPTION_DURATION,
                    .min = 1000,
                    .max = INT64_C(3660) * 24 * 3600 * 1000000,
                    .help = "How long a hash stays that is not written any more; without it for ever."},
    [OPTION_HASH_URL] = {.name = "url",
                         .kind = EVS_OPTION_STRING,
                         .secret = true,
                         .help = "The server, redis://host:port; without it the one that keeps the state."},
    {0},
};

static evs_status set_url(struct config *made, const struct evs_option_value *value, struct evs_arena *arena,
                          struct evs_error *error)
{
    if (!value->is_set) {
        return EVS_OK;
    }
    struct evs_redis_address address;
    made->url = evs_arena_strndup(arena, value->text.data, value->text.count);
    evs_status status = evs_redis_address_parse(made->url, &address, error);
    if (status == EVS_OK) {
        evs_redis_address_fini(&address);
    }
    return status;
}

static evs_status hash_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                                 struct evs_error *error)
{
    struct config *made = EVS_ARENA_NEW(arena, struct config);
    made->is_hash = true;
    made->ttl_ms =
        values[OPTION_TTL].is_set ? evs_arena_printf(arena, "%" PRId64, values[OPTION_TTL].integer / 1000) : "0";
    *config = made;
    return set_url(made, &values[OPTION_HASH_URL], arena, error);
}

static evs_status sink_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                                 struct evs_error *error)
{
    struct config *made = EVS_ARENA_NEW(arena, struct config);
    made->key = evs_arena_strndup(arena, values[OPTION_KEY].text.data, values[OPTION_KEY].text.count);
    if (values[OPTION_MAXLEN].is_set) {
        made->maxlen = evs_arena_printf(arena, "%" PRId64, values[OPTION_MAXLEN].integer);
    }
    *config = made;
    return set_url(made, &values[OPTION_URL], arena, error);
}

void evs_sink_redis_place(const void *config, struct evs_sink_redis_place *place)
{
    const struct config *from = config;
    *place = (struct evs_sink_redis_place){from->key, from->url};
}

/* --- open and close ----------------------------------------------------------------------------------------------- */

static void sink_close(void *instance)
{
    struct redis_sink *sink = instance;
    if (sink == NULL) {
        return;
    }
    evs_redis_link_free(sink->link);
    evs_redis_address_fini(&sink->address);
    for (uint32_t i = 0; i < WINDOW_MESSAGES; i++) {
        evs_buffer_fini(&sink->window[i].text);
    }
    evs_buffer_fini(&sink->last_key);
    for (uint32_t i = 0; i < sink->refused_count; i++) {
        evs_free(sink->refused[i].answer);
    }
    evs_free(sink->refused);
    evs_free(sink->told);
    evs_free(sink->fence);
    evs_free(sink->window);
    evs_free(sink);
}

/* The entries of a sink carry its name, so that another writer's are never taken for its own. */
static void name_writer(struct redis_sink *sink, const struct evs_sink_open *open)
{
    struct evs_buffer name = {0};
    evs_buffer_printf(&name, "%s/%s", open->pipeline, open->name);
    snprintf(sink->writer, sizeof sink->writer, "%016" PRIx64, evs_hash64(name.data, name.count));
    name.count = 0;
    evs_buffer_printf(&name, "_evs.%s.%s", open->pipeline, open->name);
    sink->fence = evs_strndup(name.data, name.count);
    evs_buffer_fini(&name);
}

static evs_status make_link(struct redis_sink *sink, const struct evs_sink_open *open, struct evs_error *error)
{
    const char *url = sink->config->url != NULL ? sink->config->url : open->redis_url;
    if (url == NULL) {
        return evs_fail(error, EVS_E_USAGE, "The sink %s writes to Redis, but no server is named; use --redis URL.",
                        open->name);
    }
    evs_status status = evs_redis_address_parse(url, &sink->address, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_buffer name = {0};
    evs_buffer_printf(&name, "evstream-%s-%s", open->pipeline, open->name);
    evs_buffer_put(&name, "", 1);
    status = evs_redis_link_new(open->os, &sink->address, name.data, &sink->link, error);
    sink->beside_store = sink->config->url == NULL && open->epoch != 0;
    sink->store_forgets = open->store_forgets;
    if (status == EVS_OK && sink->beside_store) {
        evs_redis_link_watch(sink->link);
    }
    evs_buffer_fini(&name);
    return status;
}

static evs_status sink_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    EVS_ASSERT(open->config != NULL && open->pipeline != NULL && open->name != NULL);
    struct redis_sink *sink = evs_alloc_zero(sizeof *sink);
    *sink = (struct redis_sink){.os = open->os, .log = open->log, .config = open->config};
    sink->retry = (struct evs_redis_retry){.os = open->os, .retry_us = open->retry_us};
    sink->window = evs_alloc_zero(WINDOW_MESSAGES * sizeof *sink->window);
    sink->own_epoch = (uint64_t)(open->os->clock.wall_us(open->os->clock.self) / 1000);
    sink->loads = sink->config->is_hash; /* another library than that of the state, which the store has loaded */
    name_writer(sink, open);
    evs_status status = make_link(sink, open, error);
    if (status != EVS_OK) {
        sink_close(sink);
        return status;
    }
    *instance = sink;
    return EVS_OK;
}

/* --- the window --------------------------------------------------------------------------------------------------- */

static struct message *window_at(struct redis_sink *sink, uint32_t index)
{
    EVS_ASSERT(index < WINDOW_MESSAGES);
    return &sink->window[(sink->first + index) & (WINDOW_MESSAGES - 1)];
}

static struct evs_slice key_of(const struct message *message)
{
    return (struct evs_slice){message->text.data, message->key_count};
}

static struct evs_slice data_of(const struct message *message)
{
    return (struct evs_slice){message->text.data + message->key_count, message->data_count};
}

static struct evs_redis_id id_of(const struct redis_sink *sink, const struct evs_sink_message *message)
{
    if (message->epoch == 0) {
        return (struct evs_redis_id){sink->own_epoch, message->number};
    }
    EVS_ASSERT(message->index < UINT32_C(1) << INDEX_BITS);
    EVS_ASSERT(message->checkpoint < UINT64_C(1)
                                         << (53 - INDEX_BITS)); /* exact in the doubles of the server's functions */
    return (struct evs_redis_id){message->epoch, (message->checkpoint << INDEX_BITS) + message->index};
}

static void fill_message(const struct redis_sink *sink, const struct evs_sink_message *from, struct message *to)
{
    to->number = from->number;
    to->id = id_of(sink, from);
    to->key_count = (uint32_t)from->address.count;
    to->data_count = (uint32_t)from->payload.count;
    to->text.count = 0;
    evs_buffer_put(&to->text, from->address.data, from->address.count);
    evs_buffer_put(&to->text, from->payload.data, from->payload.count);
    snprintf(to->trigger, sizeof to->trigger, "%016" PRIx64 "%016" PRIx64, from->id.high, from->id.low);
    uint32_t crc = evs_crc32c(0, to->trigger, TRIGGER_DIGITS);
    crc = evs_crc32c(crc, from->payload.data, from->payload.count);
    snprintf(to->n, sizeof to->n, "%s-%08x", sink->writer, crc);
}

static evs_status sink_send(void *instance, const struct evs_sink_message *message, struct evs_error *error)
{
    (void)error;
    struct redis_sink *sink = instance;
    EVS_ASSERT(message->address.count > 0 && message->number > 0);
    size_t bytes = message->address.count + message->payload.count;
    bool fits =
        sink->count == 0 || (sink->count < WINDOW_MESSAGES && sink->window_bytes + bytes <= EVS_REDIS_WINDOW_BYTES);
    if (!fits) {
        return EVS_AGAIN;
    }
    EVS_ASSERT(sink->count == 0 || message->number == window_at(sink, sink->count - 1)->number + 1);
    fill_message(sink, message, window_at(sink, sink->count));
    sink->count++;
    sink->window_bytes += bytes;
    return EVS_OK;
}

/* --- to the server ------------------------------------------------------------------------------------------------ */

/* The id behind which a message must come: of the one before it in its stream and term, as far as that is known. */
static struct evs_redis_id id_before(struct redis_sink *sink, uint32_t index)
{
    const struct message *message = window_at(sink, index);
    for (uint32_t i = index; i > 0; i--) {
        const struct message *earlier = window_at(sink, i - 1);
        if (evs_slice_equal(key_of(earlier), key_of(message))) {
            return earlier->id;
        }
    }
    bool same_stream = evs_slice_equal((struct evs_slice){sink->last_key.data, sink->last_key.count}, key_of(message));
    return same_stream && sink->last.ms == message->id.ms ? sink->last : (struct evs_redis_id){0};
}

static void put_hash(struct redis_sink *sink, const struct message *message)
{
    char id[EVS_REDIS_ID_TEXT_BYTES];
    struct evs_redis_hash_row row = {.key = key_of(message),
                                     .payload = data_of(message),
                                     .id = evs_redis_id_text(message->id, id),
                                     .fence = sink->fence,
                                     .ttl_ms = sink->config->ttl_ms};
    evs_redis_hash_put(sink->link, &row);
}

static void put_message(struct redis_sink *sink, uint32_t index)
{
    const struct message *message = window_at(sink, index);
    if (sink->config->is_hash) {
        put_hash(sink, message);
        return;
    }
    char id[EVS_REDIS_ID_TEXT_BYTES], after[EVS_REDIS_ID_TEXT_BYTES];
    struct evs_redis_id before = id_before(sink, index);
    struct evs_slice after_slice = {0};
    if (!evs_redis_id_is_zero(before)) {
        after_slice = evs_redis_id_text(before, after);
    }
    struct evs_slice command[] = {EVS_SLICE("FCALL"),
                                  EVS_SLICE(EVS_REDIS_APPEND),
                                  EVS_SLICE("1"),
                                  key_of(message),
                                  evs_redis_id_text(message->id, id),
                                  after_slice,
                                  evs_slice_of(sink->config->maxlen == NULL ? "" : sink->config->maxlen),
                                  {message->trigger, TRIGGER_DIGITS},
                                  data_of(message),
                                  {message->n, N_DIGITS}};
    evs_redis_link_put(sink->link, command, EVS_COUNT(command));
}

static void put_messages(struct redis_sink *sink)
{
    EVS_ASSERT(evs_redis_link_is_up(sink->link));
    if (sink->loads) {
        struct evs_slice command[] = {EVS_SLICE("FUNCTION"), EVS_SLICE("LOAD"), EVS_SLICE("REPLACE"),
                                      sink->config->is_hash ? evs_redis_hash_library() : evs_redis_function_text()};
        evs_redis_link_put(sink->link, command, EVS_COUNT(command));
        sink->loads = false;
        sink->load_awaited = true;
    }
    while (sink->sent < sink->count &&
           (sink->sent == 0 || window_at(sink, sink->sent)->id.ms == window_at(sink, 0)->id.ms)) {
        put_message(sink, sink->sent++);
    }
}

/* Everything that is not acknowledged will be sent again; the retry policy says when, or that it is over. */
static evs_status start_over(struct redis_sink *sink, evs_status status, struct evs_error *error)
{
    evs_redis_link_drop(sink->link);
    sink->reconnects++;
    sink->retries += sink->sent;
    sink->sent = 0;
    sink->load_awaited = false;
    int64_t pause_us = status == EVS_E_UNREACHABLE ? evs_redis_retry_pause(&sink->retry) : -1;
    if (pause_us < 0) {
        return status;
    }
    if (error != NULL) {
        evs_log(sink->log, EVS_LOG_WARN, "sink_redis_retry", "%s Trying again in %lld ms; %u messages wait.",
                error->text, (long long)(pause_us / 1000), sink->count);
    }
    sink->resume_us = evs_monotonic_us(sink->os) + pause_us;
    return EVS_OK;
}

/* --- from the server ---------------------------------------------------------------------------------------------- */

static uint64_t acknowledge_first(struct redis_sink *sink)
{
    EVS_ASSERT(sink->sent > 0 && sink->count > 0);
    struct message *message = window_at(sink, 0);
    sink->last = message->id;
    sink->last_key.count = 0;
    evs_buffer_put(&sink->last_key, message->text.data, message->key_count);
    sink->window_bytes -= message->text.count;
    sink->first = (sink->first + 1) & (WINDOW_MESSAGES - 1);
    sink->count--;
    sink->sent--;
    evs_redis_retry_reset(&sink->retry);
    return message->number;
}

/* The stream ends before what was acknowledged: the server has lost it. Of a server that does not keep the state it cannot be had back: the messages are gone
 * from the window, and a commit elsewhere counts them as delivered. (Beside the state the engine goes back to the last commit.) */
static void accept_lost_tail(struct redis_sink *sink, const char *reply)
{
    evs_log(sink->log, EVS_LOG_ERROR, "sink_redis_lost",
            "Redis at %s has lost entries of the stream %.*s that it had confirmed (%s); writing goes on behind them.",
            sink->address.text, (int)sink->last_key.count, sink->last_key.data, reply);
    sink->last = (struct evs_redis_id){0};
}

static evs_status take_refusal(struct redis_sink *sink, const char *reply, struct evs_error *error)
{
    struct message *message = window_at(sink, 0);
    char doing[160];
    snprintf(doing, sizeof doing, "%s %.*s", sink->config->is_hash ? "write the hash" : "append to the stream",
             message->key_count > 100 ? 100 : (int)message->key_count, message->text.data);
    evs_status status = evs_redis_link_refused(sink->link, doing, reply, error);
    enum evs_redis_cause cause = evs_redis_classify(reply)->cause;
    sink->loads = cause == EVS_REDIS_NO_FUNCTION;
    if (cause == EVS_REDIS_GAP && !sink->beside_store) {
        accept_lost_tail(sink, reply);
        status = EVS_E_UNREACHABLE;
    }
    return start_over(sink, status, error);
}

/* What stands under the key is no hash, or the fence in it is none: no other row has to do with it. */
static bool is_for_row_alone(const struct redis_sink *sink, const char *reply)
{
    enum evs_redis_cause cause = evs_redis_classify(reply)->cause;
    return sink->config->is_hash && (cause == EVS_REDIS_WRONGTYPE || cause == EVS_REDIS_DIVERGED);
}

static void bury_first(struct redis_sink *sink, const char *reply)
{
    EVS_GROW(sink->refused, sink->refused_count, sink->refused_capacity);
    uint64_t number = acknowledge_first(sink);
    sink->refused[sink->refused_count++] = (struct refused){number, evs_strdup(reply)};
}

static evs_status sink_refused(void *instance, struct evs_sink_refusal *refusal)
{
    struct redis_sink *sink = instance;
    if (sink->refused_count == 0) {
        return EVS_AGAIN;
    }
    struct refused first = sink->refused[0];
    evs_free(sink->told);
    sink->told = first.answer;
    sink->refused_count--;
    memmove(sink->refused, sink->refused + 1, sink->refused_count * sizeof *sink->refused);
    *refusal = (struct evs_sink_refusal){.number = first.number,
                                         .reason = EVS_REFUSED_REASON,
                                         .code = EVS_REFUSED_CODE,
                                         .answer = evs_slice_of(sink->told)};
    return EVS_OK;
}

/* The reply to the oldest command: *number 0 when it acknowledges no message. */
static evs_status take_reply(struct redis_sink *sink, const redisReply *reply, uint64_t *number,
                             struct evs_error *error)
{
    *number = 0;
    if (reply->type == REDIS_REPLY_ERROR && sink->load_awaited) {
        return start_over(sink, evs_redis_link_refused(sink->link, "load its function library", reply->str, error),
                          error);
    }
    if (reply->type == REDIS_REPLY_ERROR && is_for_row_alone(sink, reply->str)) {
        bury_first(sink, reply->str);
        return EVS_OK;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        return take_refusal(sink, reply->str, error);
    }
    if (sink->load_awaited) {
        sink->load_awaited = false;
    } else {
        *number = acknowledge_first(sink);
    }
    return EVS_OK;
}

static evs_status take_replies(struct redis_sink *sink, uint64_t *acknowledged, uint32_t max, uint32_t *count,
                               struct evs_error *error)
{
    while (*count < max && evs_redis_link_is_up(sink->link)) {
        redisReply *reply;
        evs_status status = evs_redis_link_take(sink->link, &reply, error);
        if (status != EVS_OK) {
            return status == EVS_AGAIN ? EVS_OK : start_over(sink, status, error);
        }
        status = take_reply(sink, reply, &acknowledged[*count], error);
        *count += acknowledged[*count] != 0;
        freeReplyObject(reply);
        if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

/* --- the slots of the contract ------------------------------------------------------------------------------------ */

/* What was acknowledged and is not in a commit as delivered may be gone: memory and cursor must go back to the last commit, whose outbox has it. Only
 * for the store's own server, whose commits cannot be newer than its rows. */
static evs_status check_server(struct redis_sink *sink, struct evs_error *error)
{
    sink->is_checked = true;
    if (!sink->beside_store || !evs_redis_may_forget(evs_redis_link_change(sink->link), sink->store_forgets)) {
        return EVS_OK;
    }
    if (sink->last_key.count == 0) { /* nothing was acknowledged yet */
        evs_redis_link_accept(sink->link);
        return EVS_OK;
    }
    return evs_fail(error, EVS_E_GAP,
                    "Redis at %s was started again or replaced, and may have lost rows that were written to the stream "
                    "%.*s since the last checkpoint.",
                    sink->address.text, (int)sink->last_key.count, sink->last_key.data);
}

/* Connects when it is time, sends and receives as far as that goes without waiting. */
static evs_status go_on(struct redis_sink *sink, struct evs_error *error)
{
    evs_status status = EVS_OK;
    if (evs_redis_link_is_down(sink->link)) {
        if (evs_monotonic_us(sink->os) < sink->resume_us) {
            return EVS_OK;
        }
        sink->is_checked = false;
        status = evs_redis_link_start(sink->link, error);
    }
    if (status == EVS_OK) {
        status = evs_redis_link_pump(sink->link, error);
    }
    if (status == EVS_OK && evs_redis_link_is_up(sink->link) && !sink->is_checked) {
        status = check_server(sink, error);
    }
    if (status == EVS_OK && evs_redis_link_is_up(sink->link) && (sink->sent < sink->count || sink->loads)) {
        put_messages(sink);
        status = evs_redis_link_pump(sink->link, error);
    }
    if (status == EVS_OK && evs_redis_link_is_up(sink->link) && sink->count == 0) {
        evs_redis_retry_reset(&sink->retry); /* with messages it is an acknowledgement that ends a row of failures */
    }
    return status == EVS_OK ? EVS_OK : start_over(sink, status, error);
}

static evs_status sink_poll(void *instance, uint64_t *acknowledged, uint32_t max, uint32_t *count,
                            struct evs_error *error)
{
    struct redis_sink *sink = instance;
    struct evs_error why;
    EVS_ASSERT(max > 0);
    error = error == NULL ? &why : error;
    *count = 0;
    evs_status status = go_on(sink, error);
    if (status == EVS_OK) {
        status = take_replies(sink, acknowledged, max, count, error);
    }
    return status;
}

static uint32_t sink_wait_fds(void *instance, struct evs_wait_fd *fds, uint32_t max)
{
    const struct redis_sink *sink = instance;
    if (max == 0 || evs_redis_link_is_down(sink->link)) {
        return 0;
    }
    fds[0] = evs_redis_link_wait_fd(sink->link);
    return 1;
}

static void sink_state(void *instance, struct evs_sink_state *state)
{
    const struct redis_sink *sink = instance;
    *state = (struct evs_sink_state){.reconnects = sink->reconnects, .retries = sink->retries};
}

const struct evs_sink evs_sink_redis = {
    .kind = "redis",
    .shape = EVS_SINK_MESSAGES,
    .drops_headers = true,
    .single = true,
    .always_exact = true,
    .follows_store = true,
    .options = options,
    .address_option = "key",
    .configure = sink_configure,
    .open = sink_open,
    .send = sink_send,
    .poll = sink_poll,
    .wait_fds = sink_wait_fds,
    .close = sink_close,
    .state = sink_state,
};

const struct evs_sink evs_sink_redis_hash = {
    .kind = "redis_hash",
    .promise = "a hash shows its newest row: one that is sent again never takes the place of a newer one",
    .shape = EVS_SINK_MESSAGES,
    .single = true,
    .through_outbox = true,
    .follows_store = true,
    .options = hash_options,
    .address_option = "key",
    .plain_address = true,
    .own_format = &evs_format_fields,
    .configure = hash_configure,
    .open = sink_open,
    .send = sink_send,
    .poll = sink_poll,
    .refused = sink_refused,
    .wait_fds = sink_wait_fds,
    .close = sink_close,
    .state = sink_state,
};
