/* Segment's tracking API, and what RudderStack and Jitsu made of it: one event form, different doors.
 *
 *   POST /v1/batch, /v1/b, /v1/import   {"batch":[event, …],"sentAt":…,"writeKey":…}
 *   POST /v1/track, /v1/t, …            one event; the path says its call
 *   POST /beacon/v1/batch?writeKey=…    RudderStack's sendBeacon
 *   POST /api/s/<call>                  Jitsu, the key in X-Write-Key as key:secret
 *   GET  /v1/projects/<key>/settings    where the browser library learns where to send
 *   GET  /analytics.js/v1/<key>/analytics.min.js   the library itself, from the server's folder; so is PostHog's
 *   GET  /sourceConfig/                 the same of RudderStack's
 *
 * The key comes by Basic authentication, in the body, in the query or in a header; the first that is known counts. */
#include "call.h"
#include "form.h"

#define CONTEXT_MEMBERS_MAX 100u /* of a batch: each is looked for in every event */

static const struct call_kind {
    const char *call, *short_form;
    bool is_track, has_traits, is_person;
} kinds[] = {
    {"track", "t", true, false, false},   {"page", "p", false, false, false}, {"screen", "s", false, false, false},
    {"identify", "i", false, true, true}, {"group", "g", false, true, true},  {"alias", "a", false, false, true},
};

static const struct call_kind *kind_of(struct evs_slice call)
{
    for (size_t i = 0; i < EVS_COUNT(kinds); i++) {
        if (evs_slice_equal(call, evs_slice_of(kinds[i].call)) ||
            evs_slice_equal(call, evs_slice_of(kinds[i].short_form))) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* Members that have a place of their own in the canonical event, or are nobody's business after the door. */
static bool has_own_place(struct evs_slice name)
{
    static const char *const names[] = {
        "type",    "event",      "messageId",         "userId", "anonymousId", "timestamp",
        "sentAt",  "properties", "originalTimestamp", "traits", "context",     "writeKey",
        "groupId", "previousId", "_metadata",         "name",   "category",    "receivedAt"};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        if (evs_slice_equal(name, evs_slice_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static struct evs_tree *origin_of(const struct evs_call *call, const struct evs_tree *event)
{
    struct evs_tree *origin = evs_tree_object(call->arena), *fields = evs_tree_object(call->arena);
    struct evs_slice message_id = evs_tree_scalar(evs_tree_get(event, "messageId"));
    if (message_id.count > 100) { /* too long to be the event's id */
        evs_tree_put_text(call->arena, origin, "message_id", message_id);
    }
    evs_tree_put_text(call->arena, origin, "group_id", evs_tree_scalar(evs_tree_get(event, "groupId")));
    evs_tree_put_text(call->arena, origin, "previous_id", evs_tree_scalar(evs_tree_get(event, "previousId")));
    for (const struct evs_tree *member = event->first; member != NULL; member = member->next) {
        bool is_empty = (member->kind == EVS_TREE_OBJECT || member->kind == EVS_TREE_ARRAY) && member->first == NULL;
        if (!has_own_place(member->key) && member->kind != EVS_TREE_NULL && !is_empty) {
            evs_tree_put(call->arena, fields, member->key, member);
        }
    }
    if (fields->first != NULL) {
        evs_tree_put(call->arena, origin, EVS_SLICE("fields"), fields);
    }
    return origin;
}

static bool is_absent(const struct evs_tree *value)
{
    return value == NULL || value->kind == EVS_TREE_NULL;
}

/* `traits` of identify and group, `properties` of the rest; the name and category of a page are properties too. */
static struct evs_tree *properties_of(const struct evs_call *call, const struct evs_tree *event,
                                      const struct call_kind *kind)
{
    struct evs_tree *given = evs_tree_get(event, kind->has_traits ? "traits" : "properties");
    given = is_absent(given) && kind->has_traits ? evs_tree_get2(event, "context", "traits") : given;
    static const char *const extra[] = {"name", "category"};
    struct evs_tree *properties = is_absent(given) ? evs_tree_object(call->arena) : given;
    if (kind->is_track || kind->has_traits || properties->kind != EVS_TREE_OBJECT) {
        return properties;
    }
    properties = evs_tree_copy(call->arena, properties);
    for (size_t i = 0; i < EVS_COUNT(extra); i++) {
        if (evs_tree_get(properties, extra[i]) == NULL) {
            evs_tree_put_text(call->arena, properties, extra[i], evs_tree_string(event, extra[i]));
        }
    }
    return properties;
}

/* A batch may say what is the context of all its events; an event's own members go before. */
static struct evs_tree *context_of(const struct evs_call *call, const struct evs_tree *event)
{
    struct evs_tree *own = evs_tree_get(event, "context");
    own = is_absent(own) ? NULL : own;
    if (!evs_tree_is(call->context, EVS_TREE_OBJECT) || (own != NULL && own->kind != EVS_TREE_OBJECT)) {
        return own;
    }
    struct evs_tree *context = evs_tree_copy(call->arena, own);
    for (const struct evs_tree *member = call->context->first; member != NULL; member = member->next) {
        if (evs_tree_member(own, member->key) == NULL) {
            evs_tree_put(call->arena, context, member->key, member);
        }
    }
    return context;
}

static void judge_id(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *event, const char *name,
                     struct evs_slice *id)
{
    const struct evs_tree *value = evs_tree_get(event, name);
    *id = evs_tree_scalar(value);
    if (value != NULL && value->kind != EVS_TREE_NULL && value->kind != EVS_TREE_STRING &&
        value->kind != EVS_TREE_NUMBER) {
        evs_draft_reject(call, draft, "Its %s is neither a text nor a number.", name);
    }
}

/* RudderStack's browser library says the device's id in a header, too, base64. */
static struct evs_slice header_anonymous_id(const struct evs_call *call)
{
    struct evs_slice id, header = evs_call_header(call, "anonymousid");
    return header.count > 0 && evs_form_base64(call->arena, header, &id) ? evs_form_utf8(call->arena, id)
                                                                         : (struct evs_slice){NULL, 0};
}

static void take_event(struct evs_call *call, const struct evs_tree *event, struct evs_slice said)
{
    struct evs_draft draft = {.sent = event, .raw = event->text};
    if (!evs_event_fits(call, event->text)) {
        return;
    }
    if (event->kind != EVS_TREE_OBJECT) {
        evs_event_refuse(call, event->text, "The event is no JSON object.");
        return;
    }
    draft.call = said.count > 0 ? said : evs_tree_string(event, "type");
    const struct call_kind *kind = kind_of(draft.call);
    if (kind == NULL) {
        evs_draft_reject(call, &draft,
                         "Its type is '%.*s'; it should be track, page, screen, identify, group or alias.",
                         (int)(draft.call.count < 64 ? draft.call.count : 64), draft.call.data);
        kind = &kinds[0];
    }
    draft.call = evs_slice_of(kind->call);
    draft.is_person = kind->is_person;
    draft.type = kind->is_track ? draft.type : draft.call;
    draft.name = kind->is_track ? evs_tree_string(event, "event") : (struct evs_slice){NULL, 0};
    judge_id(call, &draft, event, "messageId", &draft.event_id);
    judge_id(call, &draft, event, "userId", &draft.user_id);
    judge_id(call, &draft, event, "anonymousId", &draft.anonymous_id);
    if (draft.anonymous_id.count == 0) {
        draft.anonymous_id = header_anonymous_id(call);
    }
    draft.time_text = evs_tree_scalar(evs_tree_get(event, "originalTimestamp"));
    if (draft.time_text.count == 0) {
        draft.time_text = evs_tree_scalar(evs_tree_get(event, "timestamp"));
    }
    draft.sent_text = evs_tree_scalar(evs_tree_get(event, "sentAt"));
    draft.properties = properties_of(call, event, kind);
    draft.context = context_of(call, event);
    draft.session_id = evs_tree_scalar(evs_tree_get(draft.context, "sessionId"));
    draft.origin = origin_of(call, event);
    evs_event_take(call, &draft);
}

/* RudderStack's libraries say by which channel an event came; nothing but the label depends on it. */
static void name_protocol(struct evs_call *call, const struct evs_tree *event)
{
    if (evs_tree_string(event, "channel").count > 0) {
        call->name = "rudderstack";
        call->out->protocol = call->name;
    }
}

static struct evs_tree *open_body(struct evs_call *call)
{
    struct evs_tree *body = evs_call_body(call);
    if (body == NULL) {
        return NULL;
    }
    struct evs_slice header_key = evs_call_header(call, "x-write-key");
    struct evs_slice key_of_pair = header_key;
    evs_form_cut(&key_of_pair, ':');
    const struct evs_slice keys[] = {evs_call_basic_user(call), evs_tree_string(body, "writeKey"),
                                     evs_call_parameter(call, "writeKey"), header_key, key_of_pair};
    if (!evs_call_key(call, keys, EVS_COUNT(keys))) {
        return NULL;
    }
    call->sent_text = evs_tree_scalar(evs_tree_get(body, "sentAt"));
    call->sent_text = call->sent_text.count > 0 ? call->sent_text : evs_call_header(call, "sentat");
    return body;
}

void evs_segment_batch(struct evs_call *call, const char *argument)
{
    (void)argument;
    struct evs_tree *body = open_body(call);
    if (body == NULL) {
        return;
    }
    const struct evs_tree *batch = evs_tree_get(body, "batch");
    if (!evs_tree_is(batch, EVS_TREE_ARRAY)) {
        evs_answer_refuse(call, 400, "The body has no list of events called batch.");
        return;
    }
    if (!evs_call_count(call, evs_tree_count(batch))) {
        return;
    }
    call->context = evs_tree_get(body, "context");
    if (evs_tree_count(call->context) > CONTEXT_MEMBERS_MAX) {
        evs_answer_refuse(call, 400, "The context of the batch has more than %u members.", CONTEXT_MEMBERS_MAX);
        return;
    }
    name_protocol(call, batch->first);
    for (const struct evs_tree *event = batch->first; event != NULL; event = event->next) {
        take_event(call, event, (struct evs_slice){NULL, 0});
    }
    evs_answer_accepted(call, "\"success\":true");
}

/* `argument`: the call, or NULL: the path's last part says it. */
void evs_segment_single(struct evs_call *call, const char *argument)
{
    struct evs_tree *body = open_body(call);
    if (body != NULL) {
        name_protocol(call, body);
        take_event(call, body, argument != NULL ? evs_slice_of(argument) : call->stars[0]);
        evs_answer_accepted(call, "\"success\":true");
    }
}

void evs_jitsu_single(struct evs_call *call, const char *argument)
{
    struct evs_tree *body = open_body(call);
    (void)argument;
    if (body != NULL) {
        take_event(call, body, call->stars[0]);
        evs_answer_accepted(call, "\"ok\":true");
    }
}

/* The library's remote metrics about itself: nobody asked for them. */
void evs_segment_metrics(struct evs_call *call, const char *argument)
{
    (void)argument;
    evs_answer_json(call, 200, EVS_SLICE("{\"success\":true}"));
}

/* --- what the libraries ask before they send ------------------------------------------------------------------------- */

static const struct evs_strip none = {NULL, 0};

/* This host as the library reached it; with a scheme of its own in front where a proxy says one. */
static struct evs_slice host_of(const struct evs_call *call)
{
    struct evs_slice host = evs_call_header(call, "host");
    return host.count > 0 ? evs_form_utf8(call->arena, host) : EVS_SLICE("localhost");
}

static const char *scheme_of(const struct evs_call *call)
{
    struct evs_slice said = evs_call_header(call, "x-forwarded-proto");
    return evs_slice_equal_nocase(said, "https") ? "https" : "http";
}

static void answer_buffer(struct evs_call *call)
{
    const struct evs_buffer *buffer = &call->protocol->buffer;
    evs_answer_json(call, 200,
                    (struct evs_slice){evs_arena_copy(call->arena, buffer->data, buffer->count), buffer->count});
}

void evs_segment_settings(struct evs_call *call, const char *argument)
{
    struct evs_buffer *out = &call->protocol->buffer;
    struct evs_slice key = evs_form_decode(call->arena, call->stars[0]);
    (void)argument;
    if (!evs_call_key(call, &key, 1)) {
        return;
    }
    char *api_host = evs_arena_printf(call->arena, "%.*s/v1", (int)host_of(call).count, host_of(call).data);
    out->count = 0;
    evs_buffer_puts(out, "{\"integrations\":{\"Segment.io\":{\"apiKey\":");
    evs_tree_write_text(out, key, &none);
    evs_buffer_puts(out, ",\"apiHost\":");
    evs_tree_write_text(out, evs_slice_of(api_host), &none);
    evs_buffer_printf(out,
                      ",\"protocol\":\"%s\",\"unbundledIntegrations\":[],\"addBundledMetadata\":false}},\"plan\":"
                      "{\"track\":{\"__default\":{\"enabled\":true,\"integrations\":{}}},\"identify\":{\"__default\":"
                      "{\"enabled\":true}},\"group\":{\"__default\":{\"enabled\":true}}},\"edgeFunction\":{},"
                      "\"metrics\":{\"sampleRate\":0},\"enabledMiddleware\":{},\"remotePlugins\":[]}",
                      scheme_of(call));
    answer_buffer(call);
}

void evs_library_file(struct evs_call *call, const char *argument)
{
    evs_answer_text(call, 200, "application/javascript; charset=utf-8", (struct evs_slice){NULL, 0});
    call->out->answer.file = argument;
    call->out->answer.cors = EVS_CORS_NONE;
}

void evs_rudder_config(struct evs_call *call, const char *argument)
{
    struct evs_buffer *out = &call->protocol->buffer;
    const struct evs_slice keys[] = {evs_call_basic_user(call), evs_call_parameter(call, "writeKey")};
    (void)argument;
    if (!evs_call_key(call, keys, EVS_COUNT(keys))) {
        return;
    }
    out->count = 0;
    evs_buffer_printf(out, "{\"source\":{\"id\":\"%s\",\"name\":\"%s\",\"writeKey\":", call->source, call->source);
    evs_tree_write_text(out, keys[keys[1].count > 0], &none);
    evs_buffer_puts(out, ",\"enabled\":true,\"workspaceId\":\"evstream\",\"connections\":[],\"destinations\":[],"
                         "\"dataplanes\":{},\"config\":{\"statsCollection\":{\"errors\":{\"enabled\":false},"
                         "\"metrics\":{\"enabled\":false}}}},\"updatedAt\":\"2026-01-01T00:00:00.000Z\"}");
    answer_buffer(call);
}
