#include "tail.h"

#include <inttypes.h>
#include <string.h>

#include "evstream/json_value.h"
#include "json.h"
#include "predicate.h"
#include "sse.h"
#include "triggers.h"

#define TAKES_A_SECOND 10
#define RATE_DEFAULT 100
#define RATE_MAX 1000
#define WHERE_BYTES_MAX 4000
#define SEES_MAX 16u /* sinks that one listener looks at */

/* One place that somebody looks at, in one way. */
struct look {
    struct look *next;
    uint32_t pipeline, node;
    uint32_t rows_max;
    const char *where; /* NULL: all rows */
    const struct evs_program *program;
    struct evs_arena arena;
    struct evs_tap *taps[EVS_GROUPS_MAX]; /* NULL: the group does not run here, or has too many */
    struct evs_tap_counts ended;          /* of taps that were closed */
    struct evs_tap_counts told;
    uint32_t listener_count;
    struct evs_buffer news; /* of this tick */
};

struct listener {
    struct listener *next;
    struct evs_tails *tails;
    struct evs_sse *sse;
    uint32_t pipeline;
    int told_state; /* -1: none yet */
    struct look *looks[SEES_MAX];
    uint32_t look_count;
};

struct evs_tails {
    struct evs_live_server *server;
    struct event *timer;
    uint32_t tick;
    struct look *looks; /* changed with the lock held, for evs_tails_close reads them on another thread */
    struct listener *listeners;
};

/* --- rows as JSON ---------------------------------------------------------------------------------------------------------- */

static void put_row(struct evs_buffer *out, const char *at, const struct evs_tap_row *row)
{
    evs_put_text(out, "{", "at", at);
    evs_put_tap_row(out, ",", row);
    evs_buffer_puts(out, "}");
}

static void put_counts(struct evs_buffer *out, const char *at, const struct evs_tap_counts *counts)
{
    struct evs_buffer data = {0};
    evs_buffer_puts(&data, "{\"at\":");
    evs_json_put_text(&data, evs_slice_of(at));
    evs_buffer_printf(&data,
                      ",\"seen\":%" PRIu64 ",\"matched\":%" PRIu64 ",\"kept\":%" PRIu64 ",\"unseen\":%" PRIu64 "}",
                      counts->seen, counts->matched, counts->kept, counts->unseen);
    evs_sse_put(out, "count", (struct evs_slice){data.data, data.count});
    evs_buffer_fini(&data);
}

/* --- looks ------------------------------------------------------------------------------------------------------------------ */

static const struct evs_plan_node *node_of(const struct evs_tails *tails, const struct look *look)
{
    return &tails->server->live->pipelines[look->pipeline].plan->nodes[look->node];
}

/* A pipeline that begins again is looked at again. */
static void open_taps(const struct evs_tails *tails, struct look *look)
{
    const struct pipeline *pipeline = &tails->server->live->pipelines[look->pipeline];
    struct evs_tap_options options = {.node = look->node, .rows_max = look->rows_max, .where = look->program};
    struct evs_error error;
    for (uint32_t i = 0; i < pipeline->group_count; i++) {
        if (pipeline->runs[i] != NULL && look->taps[i] == NULL &&
            evs_run_tap_open(pipeline->runs[i], &options, &look->taps[i], &error) != EVS_OK) {
            look->taps[i] = NULL; /* there may be one at the next tick */
        }
    }
}

static void add_counts(struct evs_tap_counts *to, const struct evs_tap *tap)
{
    struct evs_tap_counts counts;
    evs_tap_count(tap, &counts);
    to->seen += counts.seen;
    to->matched += counts.matched;
    to->kept += counts.kept;
    to->unseen += counts.unseen;
}

static void take_tap(struct look *look, struct evs_tap *tap, const char *at)
{
    const struct evs_tap_row *rows = NULL;
    uint32_t count = evs_tap_take(tap, &rows);
    struct evs_buffer data = {0};
    for (uint32_t i = 0; i < count; i++) {
        data.count = 0;
        put_row(&data, at, &rows[i]);
        evs_sse_put(&look->news, "row", (struct evs_slice){data.data, data.count});
    }
    evs_buffer_fini(&data);
}

static void take_rows(const struct evs_tails *tails, struct look *look)
{
    const char *at = node_of(tails, look)->name;
    struct evs_tap_counts counts = look->ended;
    for (uint32_t i = 0; i < EVS_GROUPS_MAX; i++) {
        if (look->taps[i] != NULL) {
            take_tap(look, look->taps[i], at);
            add_counts(&counts, look->taps[i]);
        }
    }
    if (tails->tick % TAKES_A_SECOND == 0 && memcmp(&counts, &look->told, sizeof look->told) != 0) {
        put_counts(&look->news, at, &counts);
        look->told = counts;
    }
}

static void close_tap(struct look *look, uint32_t group)
{
    if (look->taps[group] != NULL) {
        add_counts(&look->ended, look->taps[group]);
        evs_tap_close(look->taps[group]);
        look->taps[group] = NULL;
    }
}

static bool is_same_look(const struct look *a, const struct look *b)
{
    bool same_where = a->where == NULL || b->where == NULL ? a->where == b->where : strcmp(a->where, b->where) == 0;
    return a->pipeline == b->pipeline && a->node == b->node && a->rows_max == b->rows_max && same_where;
}

static void look_free(struct look *look)
{
    evs_buffer_fini(&look->news);
    evs_arena_fini(&look->arena);
    evs_free(look);
}

/* Takes `look`, or gives one that is there already and drops it. The lock is held. */
static struct look *join_look(struct evs_tails *tails, struct look *look)
{
    for (struct look *known = tails->looks; known != NULL; known = known->next) {
        if (is_same_look(known, look)) {
            look_free(look);
            known->listener_count++;
            return known;
        }
    }
    look->next = tails->looks;
    look->listener_count = 1;
    tails->looks = look;
    open_taps(tails, look);
    return look;
}

static void leave_look(struct evs_tails *tails, struct look *look)
{
    if (--look->listener_count > 0) {
        return;
    }
    struct look **at = &tails->looks;
    while (*at != look) {
        at = &(*at)->next;
    }
    *at = look->next;
    for (uint32_t i = 0; i < EVS_GROUPS_MAX; i++) {
        close_tap(look, i);
    }
    look_free(look);
}

void evs_tails_close(struct evs_tails *tails, uint32_t pipeline, uint32_t group)
{
    for (struct look *look = tails == NULL ? NULL : tails->looks; look != NULL; look = look->next) {
        if (look->pipeline == pipeline) {
            close_tap(look, group);
        }
    }
}

/* --- listeners ---------------------------------------------------------------------------------------------------------------- */

static void send_state(struct evs_live *live, struct listener *listener)
{
    int state = (int)evs_live_state_of(live, listener->pipeline);
    if (state == listener->told_state) {
        return;
    }
    struct evs_buffer data = {0}, event = {0};
    evs_buffer_printf(&data, "{\"state\":\"%s\"}", evs_live_state_name((enum pipeline_state)state));
    evs_sse_put(&event, "state", (struct evs_slice){data.data, data.count});
    if (evs_sse_send(listener->sse, (struct evs_slice){event.data, event.count})) {
        listener->told_state = state;
    }
    evs_buffer_fini(&data);
    evs_buffer_fini(&event);
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
    struct evs_tails *tails = argument;
    struct evs_live *live = tails->server->live;
    (void)fd;
    (void)what;
    tails->tick++;
    pthread_mutex_lock(&live->lock);
    for (struct look *look = tails->looks; look != NULL; look = look->next) {
        look->news.count = 0;
        open_taps(tails, look);
        take_rows(tails, look);
    }
    pthread_mutex_unlock(&live->lock);
    for (struct listener *listener = tails->listeners; listener != NULL; listener = listener->next) {
        send_state(live, listener);
        for (uint32_t i = 0; i < listener->look_count; i++) {
            const struct evs_buffer *news = &listener->looks[i]->news;
            if (news->count > 0) {
                (void)evs_sse_send(listener->sse,
                                   (struct evs_slice){news->data, news->count}); /* who is behind misses some */
            }
        }
    }
}

static void listener_free(struct listener *listener)
{
    struct evs_live *live = listener->tails->server->live;
    pthread_mutex_lock(&live->lock);
    for (uint32_t i = 0; i < listener->look_count; i++) {
        leave_look(listener->tails, listener->looks[i]);
    }
    pthread_mutex_unlock(&live->lock);
    evs_free(listener);
}

static void on_closed(struct evs_sse *sse, void *argument)
{
    struct listener *listener = argument;
    struct evs_tails *tails = listener->tails;
    struct listener **at = &tails->listeners;
    (void)sse;
    while (*at != listener) {
        at = &(*at)->next;
    }
    *at = listener->next;
    listener_free(listener);
    if (tails->listeners == NULL) {
        event_del(tails->timer);
    }
}

static struct evs_tails *tails_of(struct evs_live_server *server)
{
    if (server->tails == NULL) {
        struct evs_tails *tails = evs_alloc_zero(sizeof *tails);
        tails->server = server;
        tails->timer = event_new(server->base, -1, EV_PERSIST, on_tick, tails);
        EVS_ASSERT(tails->timer != NULL);
        pthread_mutex_lock(&server->live->lock); /* evs_tails_close looks for it */
        server->tails = tails;
        pthread_mutex_unlock(&server->live->lock);
    }
    return server->tails;
}

void evs_tails_free(struct evs_tails *tails)
{
    if (tails != NULL) {
        EVS_ASSERT(tails->listeners == NULL && tails->looks == NULL);
        event_free(tails->timer);
        evs_free(tails);
    }
}

/* --- the request ------------------------------------------------------------------------------------------------------------------ */

/* What was asked for. */
struct wanted {
    const struct evs_live *live;
    const char *pipeline_name, *at, *where;
    uint32_t pipeline;
    uint32_t rows_max;
    uint32_t nodes[SEES_MAX];
    uint32_t node_count;
};

/* "NAME, NAME, NAME" of what there is, for the sentence that says that something else was asked for. */
static void put_nodes(struct evs_buffer *out, const struct evs_plan *plan)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        evs_buffer_printf(out, "%s`%s`", i == 0 ? "" : ", ", plan->nodes[i].name);
    }
}

static bool find_nodes(struct wanted *wanted, struct evs_buffer *error)
{
    const struct evs_plan *plan = wanted->live->pipelines[wanted->pipeline].plan;
    struct evs_nearest nearest = evs_nearest_begin(evs_slice_of(wanted->at == NULL ? "" : wanted->at));
    for (uint32_t i = 0; i < plan->node_count && wanted->node_count < SEES_MAX; i++) {
        const struct evs_plan_node *node = &plan->nodes[i];
        bool is_default = node->kind == EVS_NODE_SINK && !node->sink->is_dead_letter;
        if (wanted->at == NULL ? is_default : strcmp(node->name, wanted->at) == 0) {
            wanted->nodes[wanted->node_count++] = i;
        }
        evs_nearest_offer(&nearest, evs_slice_of(node->name));
    }
    if (wanted->node_count > 0) {
        return true;
    }
    evs_buffer_printf(error, "Pipeline `%s` has no source, operator or sink `%s`; ", plan->pipeline,
                      wanted->at == NULL ? "" : wanted->at);
    if (nearest.best.count > 0) {
        evs_buffer_printf(error, "did you mean `%.*s`?", (int)nearest.best.count, nearest.best.data);
    } else {
        evs_buffer_puts(error, "there are: ");
        put_nodes(error, plan);
        evs_buffer_puts(error, ".");
    }
    return false;
}

/* The condition over the columns of this place; false: `error` has what the compiler says. */
static bool compile_where(const struct wanted *wanted, struct look *look, struct evs_buffer *error)
{
    if (wanted->where == NULL) {
        return true;
    }
    const struct evs_plan_node *node = &wanted->live->pipelines[wanted->pipeline].plan->nodes[look->node];
    struct evs_sources *texts = evs_sources_new();
    const struct evs_source_text *text = evs_sources_add(texts, "where", evs_slice_of(wanted->where));
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    evs_status status =
        evs_predicate_compile(text, node->name, &node->schema, &look->arena, diagnostics, &look->program);
    if (status != EVS_OK) {
        evs_diagnostics_render(diagnostics, false, error);
    }
    look->where = evs_arena_strndup(&look->arena, wanted->where, strlen(wanted->where));
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return status == EVS_OK;
}

/* A look at each place that was asked for; false: `error` says what is wrong, and there are none. */
static bool make_looks(const struct wanted *wanted, struct look **looks, struct evs_buffer *error)
{
    for (uint32_t i = 0; i < wanted->node_count; i++) {
        looks[i] = evs_alloc_zero(sizeof **looks);
        looks[i]->pipeline = wanted->pipeline;
        looks[i]->node = wanted->nodes[i];
        looks[i]->rows_max = wanted->rows_max;
        if (!compile_where(wanted, looks[i], error)) {
            for (uint32_t j = 0; j <= i; j++) {
                look_free(looks[j]);
            }
            return false;
        }
    }
    return true;
}

/* The taps are open when the head of the answer comes: what happens after it is seen. */
static void begin(struct evs_live_server *server, struct evhttp_request *request, const struct wanted *wanted,
                  struct look **looks)
{
    struct evs_tails *tails = tails_of(server);
    struct listener *listener = evs_alloc_zero(sizeof *listener);
    listener->tails = tails;
    listener->pipeline = wanted->pipeline;
    listener->told_state = -1;
    pthread_mutex_lock(&server->live->lock);
    for (uint32_t i = 0; i < wanted->node_count; i++) {
        listener->looks[listener->look_count++] = join_look(tails, looks[i]);
    }
    pthread_mutex_unlock(&server->live->lock);
    listener->sse = evs_sse_open(server, request, on_closed, listener);
    if (listener->sse == NULL) {
        listener_free(listener);
        return;
    }
    if (tails->listeners == NULL) {
        struct timeval tick = {.tv_usec = 1000000 / TAKES_A_SECOND};
        event_add(tails->timer, &tick);
    }
    listener->next = tails->listeners;
    tails->listeners = listener;
    send_state(server->live, listener);
}

void evs_live_get_tail(struct evs_live_server *server, struct evhttp_request *request)
{
    if (!evs_door_may_read_rows(server, request)) {
        return;
    }
    struct evs_query query;
    struct evs_buffer error = {0};
    struct look *looks[SEES_MAX];
    evs_query_init(&query, request);
    int64_t rate = evs_query_number(&query, "rate", 1, RATE_MAX, RATE_DEFAULT);
    struct wanted wanted = {
        .live = server->live,
        .pipeline_name = evs_query_text(&query, "pipeline"),
        .at = evs_query_text(&query, "at"),
        .where = evs_query_text(&query, "where"),
        .rows_max = (uint32_t)((rate + TAKES_A_SECOND - 1) / TAKES_A_SECOND),
    };
    if (wanted.where != NULL && strlen(wanted.where) > WHERE_BYTES_MAX) {
        evs_buffer_printf(&error, "The condition is longer than %d bytes.", WHERE_BYTES_MAX);
    }
    bool is_good = error.count == 0 &&
                   evs_live_find_pipeline(server->live, wanted.pipeline_name, &wanted.pipeline, &error) &&
                   find_nodes(&wanted, &error) && make_looks(&wanted, looks, &error);
    if (is_good) {
        begin(server, request, &wanted, looks);
    } else {
        evs_buffer_put(&error, "", 1);
        evs_live_answer_error(request, HTTP_BADREQUEST, error.data);
    }
    evs_query_fini(&query);
    evs_buffer_fini(&error);
}
