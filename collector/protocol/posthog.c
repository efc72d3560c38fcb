/* PostHog's capture API: events of posthog-js and its servers' libraries, and what they ask before.
 *
 *   POST /batch/, /e/, /i/v0/e/, /capture/   {"api_key":…,"batch":[event, …],"sent_at":…}, one event, or a list of events
 *   GET  /array/<key>/config, …/config.js    what the library may do: no recording, no flags
 *   POST /flags/, /decide/                   no flags
 *
 * The body is JSON; or base64 of it, alone or as the form field `data`, in older clients. posthog-js says about a hundred
 * things with each event: those that begin with "$" and have a place in the common context move there, the others go to
 * context.origin.fields; what the site's own code said is what remains in properties.
 *
 * Who: distinct_id is the user when the library says so ($is_identified, $user_id), or when it is not the device's id. */
#include "call.h"
#include "form.h"

static const struct evs_strip none = {NULL, 0};

/* --- bodies --------------------------------------------------------------------------------------------------------------- */

static struct evs_tree *read_body(struct evs_call *call)
{
    struct evs_slice body = evs_form_trim(call->request->body), bytes;
    const char *mistake = "it is empty";
    struct evs_tree *tree = NULL;
    if (body.count > 5 && memcmp(body.data, "data=", 5) == 0) {
        body = evs_form_value(call->arena, body, "data");
        /* A "+" of base64 that nobody has encoded was read as a space. */
        char *fixed = evs_arena_strndup(call->arena, body.data, body.count);
        for (size_t i = 0; i < body.count; i++) {
            fixed[i] = fixed[i] == ' ' ? '+' : fixed[i];
        }
        body.data = fixed;
    }
    bool is_json = body.count > 0 && (*body.data == '{' || *body.data == '[');
    if (body.count > 0 && !is_json && evs_form_base64(call->arena, body, &bytes)) {
        body = bytes;
    }
    if (body.count > 0) {
        tree = evs_tree_read(call->protocol->reader, call->arena, evs_call_padded(call, body), body.count, &mistake);
    }
    if (tree == NULL) {
        evs_answer_refuse(call, 400, "The body is no JSON: %s.", mistake);
    }
    return tree;
}

static struct evs_slice scalar(const struct evs_tree *object, const char *name)
{
    return evs_tree_scalar(evs_tree_get(object, name));
}

static struct evs_slice either(struct evs_slice a, struct evs_slice b)
{
    return a.count > 0 ? a : b;
}

/* --- what the library says ------------------------------------------------------------------------------------------------ */

static bool is_one_of(struct evs_slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (evs_slice_equal(name, evs_slice_of(names[i]))) {
            return true;
        }
    }
    return false;
}

/* Has its place in the context, or is an id. */
static bool has_own_place(struct evs_slice name)
{
    static const char *const names[] = {"token",
                                        "distinct_id",
                                        "$current_url",
                                        "$host",
                                        "$pathname",
                                        "$referrer",
                                        "$raw_user_agent",
                                        "$timezone",
                                        "$lib",
                                        "$lib_version",
                                        "$screen_height",
                                        "$screen_width",
                                        "$viewport_height",
                                        "$viewport_width",
                                        "$session_id",
                                        "$device_id",
                                        "$user_id",
                                        "$anon_distinct_id",
                                        "$browser_language",
                                        "$set",
                                        "$set_once",
                                        "$group_set",
                                        "$group_key",
                                        "$group_type",
                                        "utm_source",
                                        "utm_medium",
                                        "utm_campaign",
                                        "utm_term",
                                        "utm_content",
                                        "gclid",
                                        "gbraid",
                                        "wbraid",
                                        "fbclid",
                                        "msclkid",
                                        "ttclid"};
    return is_one_of(name, names, EVS_COUNT(names));
}

/* Of a click that was captured without code: what it was that was clicked. */
static const char *property_name(struct evs_slice name)
{
    static const char *const names[][2] = {{"$event_type", "event_type"},
                                           {"$el_text", "el_text"},
                                           {"$elements_chain", "elements_chain"},
                                           {"$screen_name", "name"}};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        if (evs_slice_equal(name, evs_slice_of(names[i][0]))) {
            return names[i][1];
        }
    }
    return NULL;
}

static void put_pair(struct evs_call *call, struct evs_tree *context, const struct evs_tree *said, const char *name,
                     const char *width, const char *height)
{
    struct evs_tree *size = evs_tree_object(call->arena);
    evs_tree_put_number(call->arena, size, "width", scalar(said, width));
    evs_tree_put_number(call->arena, size, "height", scalar(said, height));
    if (size->first != NULL) {
        evs_tree_put(call->arena, context, evs_slice_of(name), size);
    }
}

static struct evs_tree *context_of(struct evs_call *call, const struct evs_tree *said)
{
    static const struct evs_rename names[] = {{"$raw_user_agent", "userAgent", false},
                                              {"$browser_language", "locale", false},
                                              {"$timezone", "timezone", false},
                                              {"$ip", "ip", false}};
    struct evs_tree *context = evs_tree_object(call->arena);
    struct evs_slice referrer = evs_tree_string(said, "$referrer");
    evs_tree_move(call, context, said, names, EVS_COUNT(names));
    evs_context_page(call, context, evs_tree_string(said, "$current_url"), evs_tree_string(said, "title"),
                     evs_slice_equal(referrer, EVS_SLICE("$direct")) ? (struct evs_slice){NULL, 0} : referrer);
    put_pair(call, context, said, "screen", "$screen_width", "$screen_height");
    put_pair(call, context, said, "viewport", "$viewport_width", "$viewport_height");
    evs_context_library(call, context, either(evs_tree_string(said, "$lib"), EVS_SLICE("posthog")),
                        evs_tree_string(said, "$lib_version"));
    return context;
}

/* The site's own properties, and what else the library said as `fields` of the origin. */
static void sort_properties(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *said)
{
    struct evs_tree *fields = evs_tree_object(call->arena);
    draft->properties = evs_tree_object(call->arena);
    for (const struct evs_tree *one = said != NULL && said->kind == EVS_TREE_OBJECT ? said->first : NULL; one != NULL;
         one = one->next) {
        const char *name = property_name(one->key);
        bool is_own = one->key.count > 0 && one->key.data[0] != '$';
        if (one->kind == EVS_TREE_NULL || has_own_place(one->key)) {
            continue;
        }
        if (name != NULL || is_own) {
            evs_tree_put(call->arena, draft->properties, name != NULL ? evs_slice_of(name) : one->key, one);
        } else if (!evs_slice_equal(one->key, EVS_SLICE("$ip"))) {
            evs_tree_put(call->arena, fields, one->key, one);
        }
    }
    if (fields->first != NULL) {
        evs_tree_put(call->arena, draft->origin, EVS_SLICE("fields"), fields);
    }
}

/* --- kinds of events ------------------------------------------------------------------------------------------------------ */

static const struct kind {
    const char *name, *type;
    bool is_person;
} kinds[] = {
    {"$pageview", "page", false},     {"$screen", "screen", false}, {"$identify", "identify", true},
    {"$create_alias", "alias", true}, {"$set", "identify", true},   {"$groupidentify", "group", true},
};

static void find_ids(struct evs_draft *draft, const struct evs_tree *event, const struct evs_tree *said)
{
    struct evs_slice id = either(scalar(event, "distinct_id"), scalar(said, "distinct_id"));
    struct evs_slice device = scalar(said, "$device_id"), none_here = {NULL, 0};
    const struct evs_tree *identified = evs_tree_get(said, "$is_identified");
    bool is_group = id.count > 0 && id.data[0] == '$'; /* a server's library makes "$company_7" up for a group */
    bool is_user = !is_group && (evs_tree_is_true(identified) || scalar(said, "$user_id").count > 0 ||
                                 (identified == NULL && !evs_slice_equal(id, device)));
    draft->user_id = is_user ? id : none_here;
    draft->anonymous_id = is_user || is_group ? either(scalar(said, "$anon_distinct_id"), device) : id;
    draft->session_id = scalar(said, "$session_id");
}

/* $set stands beside the properties or among them. */
static const struct evs_tree *set_of(const struct evs_tree *event, const struct evs_tree *said)
{
    const struct evs_tree *set = evs_tree_get(event, "$set");
    return set != NULL ? set : evs_tree_get(said, "$set");
}

static void take_kind(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *event,
                      const struct evs_tree *said)
{
    for (size_t i = 0; i < EVS_COUNT(kinds); i++) {
        if (evs_slice_equal(draft->name, evs_slice_of(kinds[i].name))) {
            draft->type = evs_slice_of(kinds[i].type);
            draft->is_person = kinds[i].is_person;
        }
    }
    bool is_identify = evs_slice_equal(draft->type, EVS_SLICE("identify"));
    if (is_identify || evs_slice_equal(draft->type, EVS_SLICE("group"))) {
        const struct evs_tree *traits = is_identify ? set_of(event, said) : evs_tree_get(said, "$group_set");
        draft->properties = evs_tree_copy(call->arena, traits);
        evs_tree_put_text(call->arena, draft->origin, "group_id", scalar(said, "$group_key"));
        evs_tree_put_text(call->arena, draft->origin, "group_type", scalar(said, "$group_type"));
    }
    if (evs_slice_equal(draft->type, EVS_SLICE("page"))) {
        evs_context_page_properties(call, draft);
    }
    if (evs_slice_equal(draft->type, EVS_SLICE("alias"))) {
        evs_tree_put_text(call->arena, draft->origin, "previous_id", scalar(said, "alias"));
    }
}

static void take_event(struct evs_call *call, const struct evs_tree *event)
{
    struct evs_draft draft = {.sent = event, .raw = event->text, .call = EVS_SLICE("capture")};
    const struct evs_tree *said = evs_tree_get(event, "properties");
    if (!evs_event_fits(call, event->text)) {
        return;
    }
    if (event->kind != EVS_TREE_OBJECT) {
        evs_event_refuse(call, event->text, "The event is no JSON object.");
        return;
    }
    if (said != NULL && said->kind != EVS_TREE_OBJECT && said->kind != EVS_TREE_NULL) {
        evs_draft_reject(call, &draft, "Its properties are no JSON object.");
    }
    draft.name = evs_tree_string(event, "event");
    draft.event_id = either(scalar(event, "uuid"), scalar(said, "$insert_id"));
    draft.time_text = either(scalar(event, "timestamp"), scalar(said, "$time"));
    draft.origin = evs_tree_object(call->arena);
    draft.context = context_of(call, said);
    find_ids(&draft, event, said);
    sort_properties(call, &draft, said);
    take_kind(call, &draft, event, said);
    evs_event_take(call, &draft);
}

void evs_posthog_events(struct evs_call *call, const char *argument)
{
    const struct evs_tree *body = read_body(call);
    (void)argument;
    if (body == NULL) {
        return;
    }
    const struct evs_tree *batch = evs_tree_get(body, "batch");
    bool is_list = body->kind == EVS_TREE_ARRAY || evs_tree_is(batch, EVS_TREE_ARRAY);
    const struct evs_tree *events = body->kind == EVS_TREE_ARRAY ? body : batch;
    const struct evs_tree *first = is_list ? events->first : body;
    const struct evs_slice keys[] = {evs_tree_string(body, "api_key"), evs_tree_string(body, "token"),
                                     evs_tree_string(first, "api_key"),
                                     evs_tree_string(evs_tree_get(first, "properties"), "token")};
    if (!evs_call_key(call, keys, EVS_COUNT(keys)) || (is_list && !evs_call_count(call, evs_tree_count(events)))) {
        return;
    }
    call->sent_text = scalar(body, "sent_at");
    for (const struct evs_tree *event = first; event != NULL; event = is_list ? event->next : NULL) {
        take_event(call, event);
    }
    evs_answer_accepted(call, "\"status\":\"Ok\"");
}

/* --- what the library asks ------------------------------------------------------------------------------------------------ */

static void put_config(struct evs_buffer *out, struct evs_slice key)
{
    evs_buffer_puts(out, "{\"token\":");
    evs_tree_write_text(out, key, &none);
    evs_buffer_puts(out, ",\"supportedCompression\":[\"gzip\",\"gzip-js\"],\"hasFeatureFlags\":false,"
                         "\"captureDeadClicks\":false,\"capturePerformance\":false,\"autocapture_opt_out\":false,"
                         "\"autocaptureExceptions\":false,\"analytics\":{\"endpoint\":\"/i/v0/e/\"},"
                         "\"elementsChainAsString\":true,\"sessionRecording\":false,\"heatmaps\":false,"
                         "\"surveys\":false,\"defaultIdentifiedOnly\":true,\"siteApps\":[]}");
}

/* `argument` "js": a script that hands the same over. */
void evs_posthog_config(struct evs_call *call, const char *argument)
{
    struct evs_buffer *out = &call->protocol->buffer;
    struct evs_slice key = evs_form_decode(call->arena, call->stars[0]);
    if (!evs_call_key(call, &key, 1)) {
        return;
    }
    out->count = 0;
    if (argument != NULL) {
        evs_buffer_puts(out, "(function(){window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};"
                             "window._POSTHOG_REMOTE_CONFIG[");
        evs_tree_write_text(out, key, &none);
        evs_buffer_puts(out, "]={config:");
    }
    put_config(out, key);
    if (argument != NULL) {
        evs_buffer_puts(out, ",siteApps:[]}})();");
    }
    evs_answer_text(call, 200, argument == NULL ? "application/json" : "application/javascript; charset=utf-8",
                    (struct evs_slice){evs_arena_copy(call->arena, out->data, out->count), out->count});
}

void evs_posthog_flags(struct evs_call *call, const char *argument)
{
    (void)argument;
    evs_answer_json(call, 200,
                    EVS_SLICE("{\"flags\":{},\"featureFlags\":{},\"featureFlagPayloads\":{},"
                              "\"errorsWhileComputingFlags\":false,\"sessionRecording\":false,"
                              "\"supportedCompression\":[\"gzip\",\"gzip-js\"]}"));
}
