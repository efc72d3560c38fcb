#include "stream.h"

#include <stdio.h>
#include <string.h>

#include "evstream_config.h"
#include "json.h"
#include "sse.h"
#include "triggers.h"
#include "why.h"

struct reader {
    struct evs_stream *stream;
    struct evs_sse *sse;
    uint32_t pipeline;
    bool sees_rows;
    bool is_behind; /* has missed something: gets a state next */
    struct reader *before, *next;
};

struct evs_stream {
    struct evs_live_server *server;
    struct event *timer;
    struct evs_channel channels[EVS_LIVE_PIPELINES_MAX];
    uint32_t channel_count;
    struct reader *readers;
    uint32_t watched[EVS_LIVE_PIPELINES_MAX]; /* readers of each pipeline */
    struct evs_buffer state;                  /* of pipeline state_of, as of tick state_at */
    uint32_t state_of;
    uint64_t state_at, ticks;
};

/* --- texts ---------------------------------------------------------------------------------------------------------------- */

static const struct evs_plan *plan_of(const struct evs_stream *stream, uint32_t pipeline)
{
    return stream->server->live->pipelines[pipeline].plan; /* never changes once it is there */
}

static void put_pipelines(const struct evs_stream *stream, struct evs_buffer *out)
{
    evs_put_key(out, ",", "pipelines");
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < stream->channel_count; i++) {
        evs_put_text(out, i == 0 ? "{" : ",{", "name", plan_of(stream, i)->pipeline);
        evs_put_text(out, ",", "file", stream->server->live->pipelines[i].file);
        evs_channel_put_short(out, ",", &stream->channels[i], NULL);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "]");
}

static void put_event(struct evs_buffer *out, const char *event, struct evs_buffer *data)
{
    evs_sse_put(out, event, (struct evs_slice){data->data, data->count});
    evs_buffer_fini(data);
}

/* The state that the next tick builds on. */
static struct evs_slice state_text(struct evs_stream *stream, uint32_t pipeline)
{
    if (stream->state_of == pipeline && stream->state_at == stream->ticks && stream->state.count > 0) {
        return (struct evs_slice){stream->state.data, stream->state.count};
    }
    const struct evs_channel *channel = &stream->channels[pipeline];
    const struct evs_plan *plan = plan_of(stream, pipeline);
    struct evs_buffer data = {0};
    evs_put_number(&data, "{", "time_us", channel->moment.time_us);
    evs_put_text(&data, ",", "pipeline", plan->pipeline);
    put_pipelines(stream, &data);
    if (stream->server->live->options.explain != NULL) {
        evs_put_key(&data, ",", "plan");
        stream->server->live->options.explain(plan, &data);
    }
    evs_channel_put_figures(&data, plan, channel, NULL);
    evs_put_key(&data, ",", "history");
    evs_history_write(channel->history, &data);
    evs_buffer_puts(&data, "}");
    stream->state.count = 0;
    put_event(&stream->state, "state", &data);
    stream->state_of = pipeline;
    stream->state_at = stream->ticks;
    return (struct evs_slice){stream->state.data, stream->state.count};
}

/* What has changed of all pipelines in short: the same for every reader. */
static void put_changes(const struct evs_stream *stream, const struct evs_channel *then, struct evs_buffer *out)
{
    uint32_t count = 0;
    evs_put_key(out, ",", "pipelines");
    evs_buffer_puts(out, "{");
    for (uint32_t i = 0; i < stream->channel_count; i++) {
        size_t mark = out->count;
        evs_buffer_printf(out, "%s\"%u\":{", count == 0 ? "" : ",", i);
        if (evs_channel_put_short(out, "", &stream->channels[i], &then[i]) > 0) {
            evs_buffer_puts(out, "}");
            count++;
        } else {
            out->count = mark;
        }
    }
    evs_buffer_puts(out, "}");
}

static void put_tick(const struct evs_stream *stream, uint32_t pipeline, const struct evs_channel *then,
                     const struct evs_buffer *changes, struct evs_buffer *out)
{
    struct evs_buffer data = {0};
    evs_put_number(&data, "{", "time_us", stream->channels[pipeline].moment.time_us);
    evs_buffer_put(&data, changes->data, changes->count);
    evs_channel_put_figures(&data, plan_of(stream, pipeline), &stream->channels[pipeline], &then[pipeline]);
    evs_buffer_puts(&data, "}");
    put_event(out, "tick", &data);
}

/* The last ones. */
static void put_triggers(const struct evs_channel *channel, uint64_t wanted, struct evs_buffer *out)
{
    uint64_t count = wanted < EVS_TRIGGERS_KEPT ? wanted : EVS_TRIGGERS_KEPT;
    for (uint64_t i = channel->trigger_count - count; i < channel->trigger_count; i++) {
        const struct evs_buffer *text = &channel->triggers[i % EVS_TRIGGERS_KEPT].text;
        evs_buffer_put(out, text->data, text->count);
    }
}

/* --- readers ------------------------------------------------------------------------------------------------------------------ */

static void on_closed(struct evs_sse *sse, void *argument)
{
    struct reader *reader = argument;
    struct evs_stream *stream = reader->stream;
    (void)sse;
    *(reader->before == NULL ? &stream->readers : &reader->before->next) = reader->next;
    if (reader->next != NULL) {
        reader->next->before = reader->before;
    }
    stream->watched[reader->pipeline]--;
    evs_free(reader);
}

static void send_state(struct evs_stream *stream, struct reader *reader)
{
    reader->is_behind = !evs_sse_send(reader->sse, state_text(stream, reader->pipeline));
}

static void send_hello(const struct evs_stream *stream, const struct reader *reader, bool may_change)
{
    struct evs_buffer data = {0}, text = {0};
    evs_put_text(&data, "{", "version", EVS_VERSION);
    evs_put_bool(&data, ",", "rows", reader->sees_rows);
    evs_put_bool(&data, ",", "changes", may_change);
    evs_put_bool(&data, ",", "letters", true);
    evs_put_bool(&data, ",", "has_token", stream->server->live->options.token != NULL);
    evs_buffer_puts(&data, "}");
    put_event(&text, "hello", &data);
    (void)evs_sse_send(reader->sse, (struct evs_slice){text.data, text.count}); /* the first: nothing waits yet */
    evs_buffer_fini(&text);
}

/* The pipeline of that name; without one the first. */
static bool find_pipeline(const struct evs_stream *stream, const char *name, uint32_t *pipeline)
{
    for (*pipeline = 0; *pipeline < stream->channel_count; ++*pipeline) {
        if (name == NULL || strcmp(plan_of(stream, *pipeline)->pipeline, name) == 0) {
            return true;
        }
    }
    return false;
}

static void send_last_triggers(const struct evs_channel *channel, const struct reader *reader)
{
    struct evs_buffer text = {0};
    put_triggers(channel, channel->trigger_count, &text);
    if (reader->sees_rows && text.count > 0) {
        (void)evs_sse_send(reader->sse, (struct evs_slice){text.data, text.count}); /* a show, not a log */
    }
    evs_buffer_fini(&text);
}

static void start_reader(struct evs_stream *stream, struct evhttp_request *request, uint32_t pipeline)
{
    struct reader *reader = evs_alloc(sizeof *reader);
    *reader = (struct reader){.stream = stream,
                              .pipeline = pipeline,
                              .sees_rows = evs_door_opens_rows(stream->server, request),
                              .next = stream->readers};
    bool may_change = evs_door_opens_changes(stream->server, request);
    reader->sse = evs_sse_open(stream->server, request, on_closed, reader);
    if (reader->sse == NULL) {
        evs_free(reader);
        return;
    }
    if (reader->next != NULL) {
        reader->next->before = reader;
    }
    stream->readers = reader;
    stream->watched[pipeline]++;
    send_hello(stream, reader, may_change);
    send_state(stream, reader);
    send_last_triggers(&stream->channels[pipeline], reader);
}

void evs_stream_open(struct evs_stream *stream, struct evhttp_request *request)
{
    struct evs_query query;
    uint32_t pipeline;
    evs_query_init(&query, request);
    if (find_pipeline(stream, evs_query_text(&query, "pipeline"), &pipeline)) {
        start_reader(stream, request, pipeline);
    } else {
        evs_live_answer_error(request, HTTP_NOTFOUND, "No pipeline of that name runs here; /api/v1/pipelines has all.");
    }
    evs_query_fini(&query);
}

void evs_stream_explain(struct evs_stream *stream, struct evhttp_request *request)
{
    struct evs_query query;
    uint32_t pipeline;
    evs_query_init(&query, request);
    bool is_found = find_pipeline(stream, evs_query_text(&query, "pipeline"), &pipeline);
    int64_t number = evs_query_number(&query, "trigger", 1, INT64_MAX, 0);
    evs_query_fini(&query);
    const struct evs_channel *channel = is_found ? &stream->channels[pipeline] : NULL;
    const struct evs_kept_trigger *trigger =
        is_found && number > 0 ? &channel->triggers[((uint64_t)number - 1) % EVS_TRIGGERS_KEPT] : NULL;
    if (trigger == NULL || trigger->number != (uint64_t)number) {
        evs_live_answer_error(request, HTTP_NOTFOUND, "This trigger is not among the last ones that are kept here.");
    } else {
        evs_why_answer(stream->server, request, plan_of(stream, pipeline), trigger);
    }
}

/* --- once a second --------------------------------------------------------------------------------------------------------------- */

/* Takes the look, and leaves in `then` what was there before. */
static void look(struct evs_stream *stream, struct evs_channel *then)
{
    struct evs_live *live = stream->server->live;
    struct gallery gallery;
    pthread_mutex_lock(&live->lock);
    evs_live_look(live, &gallery);
    stream->channel_count = gallery.count;
    for (uint32_t i = 0; i < gallery.count; i++) {
        struct evs_channel *channel = &stream->channels[i];
        then[i] = *channel;
        channel->reasons = channel->groups = (struct evs_buffer){0};
        evs_channel_look(channel, &gallery, &gallery.shots[i]);
        if (channel->history == NULL) {
            channel->history = evs_alloc_zero(sizeof *channel->history);
            channel->triggers = evs_alloc_zero(EVS_TRIGGERS_KEPT * sizeof *channel->triggers);
        }
        evs_history_put(channel->history, &channel->moment);
        evs_triggers_take(&live->pipelines[i], channel);
    }
    evs_live_drop(&gallery);
    pthread_mutex_unlock(&live->lock);
}

/* `full` has the new triggers behind the tick. */
static void send_tick(struct evs_stream *stream, uint32_t pipeline, const struct evs_buffer *plain,
                      const struct evs_buffer *full)
{
    for (struct reader *reader = stream->readers; reader != NULL; reader = reader->next) {
        const struct evs_buffer *text = reader->sees_rows ? full : plain;
        if (reader->pipeline == pipeline && reader->is_behind) {
            send_state(stream, reader);
        } else if (reader->pipeline == pipeline) {
            reader->is_behind = !evs_sse_send(reader->sse, (struct evs_slice){text->data, text->count});
        }
    }
}

/* A run that has begun anew has nothing in common with what was told of the one before. */
static void tell_one(struct evs_stream *stream, uint32_t pipeline, const struct evs_channel *then,
                     const struct evs_buffer *changes)
{
    const struct evs_channel *channel = &stream->channels[pipeline];
    struct evs_buffer plain = {0}, full = {0};
    if (channel->starts == then[pipeline].starts) {
        put_tick(stream, pipeline, then, changes, &plain);
    } else {
        struct evs_slice state = state_text(stream, pipeline);
        evs_buffer_put(&plain, state.data, state.count);
    }
    evs_buffer_put(&full, plain.data, plain.count);
    put_triggers(channel, channel->trigger_count - then[pipeline].trigger_count, &full);
    send_tick(stream, pipeline, &plain, &full);
    evs_buffer_fini(&plain);
    evs_buffer_fini(&full);
}

static void tell(struct evs_stream *stream, const struct evs_channel *then)
{
    struct evs_buffer changes = {0};
    put_changes(stream, then, &changes);
    for (uint32_t i = 0; i < stream->channel_count; i++) {
        if (stream->watched[i] > 0) {
            tell_one(stream, i, then, &changes);
        }
    }
    evs_buffer_fini(&changes);
}

static void tick(struct evs_stream *stream)
{
    struct evs_channel *then = evs_alloc_zero(EVS_LIVE_PIPELINES_MAX * sizeof *then);
    look(stream, then);
    stream->ticks++;
    if (stream->readers != NULL) {
        tell(stream, then);
    }
    for (uint32_t i = 0; i < stream->channel_count; i++) {
        evs_channel_fini(&then[i]);
    }
    evs_free(then);
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    tick(argument);
}

struct evs_stream *evs_stream_new(struct evs_live_server *server)
{
    struct evs_stream *stream = evs_alloc_zero(sizeof *stream);
    const struct timeval second = {.tv_sec = 1};
    stream->server = server;
    stream->timer = event_new(server->base, -1, EV_PERSIST, on_timer, stream);
    EVS_ASSERT(stream->timer != NULL);
    event_add(stream->timer, &second);
    tick(stream);
    return stream;
}

void evs_stream_free(struct evs_stream *stream)
{
    EVS_ASSERT(stream->readers == NULL);
    event_free(stream->timer);
    for (uint32_t i = 0; i < stream->channel_count; i++) {
        struct evs_channel *channel = &stream->channels[i];
        evs_channel_fini(channel);
        evs_free(channel->history);
        for (uint32_t j = 0; j < EVS_TRIGGERS_KEPT; j++) {
            evs_buffer_fini(&channel->triggers[j].text);
            evs_buffer_fini(&channel->triggers[j].row);
        }
        evs_free(channel->triggers);
    }
    evs_buffer_fini(&stream->state);
    evs_free(stream);
}
