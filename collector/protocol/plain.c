/* Our own door: POST /v1/events takes events in the canonical form, and GET /p.gif takes one from an image's address.
 *
 * A body is one object, an array of them, or a line each (NDJSON); the type named by the request does not matter. Only
 * `type` is needed. Names in Segment's writing (userId, timestamp, …) are understood, and without `properties` the members
 * that mean nothing here are the properties, so that {"type":"view","sku":"lamp"} does what it says. */
#include "call.h"
#include "form.h"

/* Canonical members with their other names. */
static const struct member {
    const char *name, *other;
} members[] = {
    {"event_id", "messageId"},
    {"type", "event"},
    {"occurred_at", "timestamp"},
    {"received_at", "receivedAt"},
    {"user_id", "userId"},
    {"anonymous_id", "anonymousId"},
    {"session_id", "sessionId"},
    {"properties", NULL},
    {"context", NULL},
    {"source", NULL},
    {"schema", NULL},
    {"traceparent", NULL},
    {"sent_at", "sentAt"},
    {"write_key", "writeKey"},
};

static bool is_canonical(struct evs_slice name)
{
    for (size_t i = 0; i < EVS_COUNT(members); i++) {
        if (evs_slice_equal(name, evs_slice_of(members[i].name)) ||
            (members[i].other != NULL && evs_slice_equal(name, evs_slice_of(members[i].other)))) {
            return true;
        }
    }
    return false;
}

static const struct evs_tree *either(const struct evs_tree *event, const char *name, const char *other)
{
    const struct evs_tree *value = evs_tree_get(event, name);
    return value != NULL && value->kind != EVS_TREE_NULL ? value : evs_tree_get(event, other);
}

static struct evs_slice scalar(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *event,
                               const char *name, const char *other)
{
    const struct evs_tree *value = either(event, name, other);
    if (value != NULL && value->kind != EVS_TREE_NULL && value->kind != EVS_TREE_STRING &&
        value->kind != EVS_TREE_NUMBER) {
        evs_draft_reject(call, draft, "Its %s is neither a text nor a number.", name);
    }
    return evs_tree_scalar(value);
}

static void put_rest(const struct evs_call *call, const struct evs_tree *event, struct evs_draft *draft)
{
    struct evs_tree *rest = evs_tree_object(call->arena);
    for (const struct evs_tree *member = event->first; member != NULL; member = member->next) {
        if (!is_canonical(member->key)) {
            evs_tree_put(call->arena, rest, member->key, member);
        }
    }
    if (draft->properties == NULL) {
        draft->properties = rest;
    } else if (rest->first != NULL) {
        draft->origin = evs_tree_object(call->arena);
        evs_tree_put(call->arena, draft->origin, EVS_SLICE("fields"), rest);
    }
}

static bool is_word(struct evs_slice type, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (evs_slice_equal(type, evs_slice_of(words[i]))) {
            return true;
        }
    }
    return false;
}

static struct evs_tree *object_or_null(struct evs_tree *value)
{
    return value == NULL || value->kind == EVS_TREE_NULL ? NULL : value;
}

static void take_event(struct evs_call *call, const struct evs_tree *event)
{
    static const char *const persons[] = {"identify", "group", "alias"};
    struct evs_draft draft = {.sent = event, .raw = event->text};
    if (!evs_event_fits(call, event->text)) {
        return;
    }
    if (event->kind != EVS_TREE_OBJECT) {
        evs_event_refuse(call, event->text, "The event is no JSON object.");
        return;
    }
    draft.name = scalar(call, &draft, event, "type", "event");
    draft.is_person = is_word(draft.name, persons, EVS_COUNT(persons));
    draft.event_id = scalar(call, &draft, event, "event_id", "messageId");
    draft.user_id = scalar(call, &draft, event, "user_id", "userId");
    draft.anonymous_id = scalar(call, &draft, event, "anonymous_id", "anonymousId");
    draft.session_id = scalar(call, &draft, event, "session_id", "sessionId");
    draft.time_text = scalar(call, &draft, event, "occurred_at", "timestamp");
    draft.sent_text = scalar(call, &draft, event, "sent_at", "sentAt");
    draft.schema = scalar(call, &draft, event, "schema", "schema");
    draft.traceparent = evs_tree_string(event, "traceparent");
    draft.properties = object_or_null(evs_tree_get(event, "properties"));
    draft.context = object_or_null(evs_tree_get(event, "context"));
    put_rest(call, event, &draft);
    evs_event_take(call, &draft);
}

static void take_lines(struct evs_call *call, struct evs_slice lines)
{
    while (lines.count > 0) {
        struct evs_slice rest = evs_form_cut(&lines, '\n');
        struct evs_slice line = evs_form_trim(lines);
        const char *mistake = NULL;
        lines = rest;
        if (line.count == 0) {
            continue;
        }
        /* The bytes behind a line are the next one, and in the end the padding. */
        struct evs_tree *event =
            evs_tree_read(call->protocol->reader, call->arena, (char *)(uintptr_t)line.data, line.count, &mistake);
        if (event == NULL) {
            evs_event_refuse(call, line, "The line is no JSON: %s.", mistake);
        } else {
            take_event(call, event);
        }
    }
}

static uint32_t line_count(struct evs_slice text)
{
    uint32_t count = 1;
    for (size_t i = 0; i < text.count; i++) {
        count += text.data[i] == '\n';
    }
    return count;
}

/* Several lines, of which the first is JSON alone, or a type that says so. */
static bool is_lines(const struct evs_call *call, char *body, size_t bytes)
{
    const char *mistake = NULL;
    struct evs_slice type = evs_call_header(call, "content-type"), first = {body, bytes};
    if (type.count > 0 &&
        (memmem(type.data, type.count, "ndjson", 6) != NULL || memmem(type.data, type.count, "jsonl", 5) != NULL)) {
        return true;
    }
    evs_form_cut(&first, '\n');
    return first.count < bytes &&
           evs_tree_read(call->protocol->reader, call->arena, body, first.count, &mistake) != NULL;
}

static bool find_source(struct evs_call *call, const struct evs_tree *body)
{
    struct evs_slice bearer = evs_form_trim(evs_call_header(call, "authorization"));
    struct evs_slice token = evs_form_trim(evs_form_cut(&bearer, ' '));
    const struct evs_slice none = {NULL, 0};
    struct evs_slice in_body = evs_tree_string(body, "write_key");
    const struct evs_slice keys[] = {evs_call_basic_user(call),
                                     evs_slice_equal_nocase(bearer, "bearer") ? token : none,
                                     evs_call_header(call, "x-write-key"),
                                     evs_call_parameter(call, "write_key"),
                                     evs_call_parameter(call, "writeKey"),
                                     in_body.count > 0 ? in_body : evs_tree_string(body, "writeKey")};
    return evs_call_key(call, keys, EVS_COUNT(keys));
}

void evs_plain_events(struct evs_call *call, const char *argument)
{
    const char *mistake = "it is empty";
    struct evs_slice body = call->request->body;
    char *text = evs_call_padded(call, body);
    (void)argument;
    struct evs_tree *tree =
        body.count == 0 ? NULL : evs_tree_read(call->protocol->reader, call->arena, text, body.count, &mistake);
    bool lines = tree == NULL && body.count > 0 && is_lines(call, text, body.count);
    if (tree == NULL && !lines) {
        evs_answer_refuse(call, 400, "The body is no JSON: %s.", mistake);
        return;
    }
    bool is_list = tree != NULL && tree->kind == EVS_TREE_ARRAY;
    if (!find_source(call, tree) || !evs_call_count(call, lines     ? line_count(body)
                                                          : is_list ? evs_tree_count(tree)
                                                                    : 1)) {
        return;
    }
    if (lines) {
        take_lines(call, (struct evs_slice){text, body.count});
    } else if (!is_list) {
        take_event(call, tree);
    }
    for (const struct evs_tree *event = is_list ? tree->first : NULL; event != NULL; event = event->next) {
        take_event(call, event);
    }
    evs_answer_accepted(call, "\"success\":true");
}

static bool is_key(struct evs_slice name)
{
    static const char *const names[] = {"k", "write_key", "writeKey"};
    return is_word(name, names, EVS_COUNT(names));
}

/* GET /p.gif?k=KEY&type=open&user_id=…&anything=…: what is no member is a property. RudderStack's /pixel/v1/<call> is the
 * same with its own names. */
void evs_plain_pixel(struct evs_call *call, const char *argument)
{
    struct evs_slice query = call->request->query;
    const struct evs_tree *sent = evs_call_query(call, query);
    struct evs_tree *event = evs_tree_object(call->arena);
    const struct evs_slice keys[] = {evs_call_parameter(call, "k"), evs_call_parameter(call, "write_key"),
                                     evs_call_parameter(call, "writeKey")};
    (void)argument;
    event->text = query;
    for (const struct evs_tree *member = sent->first; member != NULL; member = member->next) {
        if (!is_key(member->key) && member->text.count > 0) {
            evs_tree_put(call->arena, event, member->key, member);
        }
    }
    if (either(event, "type", "event") == NULL) {
        evs_tree_put_text(call->arena, event, "type", call->stars[0]);
    }
    call->out->answer.cors = EVS_CORS_NONE;
    call->is_of_visitor = true;
    if (evs_call_key(call, keys, EVS_COUNT(keys))) {
        take_event(call, event);
        evs_answer_pixel(call);
    }
}
