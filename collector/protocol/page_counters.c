/* Plausible and Umami: counters of pages whose trackers keep no id and send neither an id nor a time of an event.
 *
 *   POST /api/event   Plausible: {"n":"pageview","u":url,"d":domain,"r":referrer,"p":{…},"$":{…}}; the domain is the key
 *   POST /api/send    Umami: {"type":"event","payload":{"website":id,"url":…,"name":…,"data":{…}}}; the website is the key
 *
 * Who the visitor was is told by cookieless ids alone, if they are on. */
#include "call.h"
#include "form.h"

static struct evs_slice either(struct evs_slice a, struct evs_slice b)
{
    return a.count > 0 ? a : b;
}

static void put_copy(const struct evs_call *call, struct evs_tree *to, const char *name, const struct evs_tree *value)
{
    if (value != NULL && value->kind != EVS_TREE_NULL) {
        evs_tree_put(call->arena, to, evs_slice_of(name), value);
    }
}

/* `p` is an object; older trackers send it as a text that holds one. */
static struct evs_tree *plausible_properties(struct evs_call *call, struct evs_draft *draft,
                                             const struct evs_tree *body)
{
    const char *mistake = NULL;
    const struct evs_tree *props = evs_tree_get(body, "p");
    props = props != NULL ? props : evs_tree_get(body, "props");
    if (evs_tree_is(props, EVS_TREE_STRING)) {
        props = evs_call_inner(call, props->text, &mistake);
        if (props == NULL) {
            evs_draft_reject(call, draft, "Its properties (p) are no JSON: %s.", mistake);
        }
    }
    if (props != NULL && props->kind != EVS_TREE_OBJECT && props->kind != EVS_TREE_NULL) {
        evs_draft_reject(call, draft, "Its properties are no JSON object.");
    }
    struct evs_tree *properties = evs_tree_copy(call->arena, props);
    put_copy(call, properties, "revenue", evs_tree_get(body, "$"));
    put_copy(call, properties, "scroll_depth", evs_tree_get(body, "sd"));
    put_copy(call, properties, "engagement_ms", evs_tree_get(body, "e"));
    return properties;
}

static void take_plausible(struct evs_call *call, const struct evs_tree *body, struct evs_slice domain)
{
    if (!evs_event_fits(call, body->text)) {
        return;
    }
    struct evs_draft draft = {.sent = body, .raw = body->text, .call = EVS_SLICE("event")};
    draft.name = either(evs_tree_string(body, "n"), evs_tree_string(body, "name"));
    if (evs_slice_equal(draft.name, EVS_SLICE("pageview"))) {
        draft.type = EVS_SLICE("page");
    }
    draft.properties = plausible_properties(call, &draft, body);
    draft.context = evs_tree_object(call->arena);
    evs_context_page(call, draft.context, either(evs_tree_string(body, "u"), evs_tree_string(body, "url")),
                     (struct evs_slice){NULL, 0},
                     either(evs_tree_string(body, "r"), evs_tree_string(body, "referrer")));
    evs_context_library(call, draft.context, EVS_SLICE("plausible"), evs_tree_scalar(evs_tree_get(body, "v")));
    if (draft.type.count > 0) {
        evs_context_page_properties(call, &draft);
    }
    draft.origin = evs_tree_object(call->arena);
    evs_tree_put_text(call->arena, draft.origin, "site", domain);
    call->is_of_visitor = true;
    evs_event_take(call, &draft);
}

void evs_plausible(struct evs_call *call, const char *argument)
{
    const struct evs_tree *body = evs_call_body(call);
    (void)argument;
    if (body == NULL) {
        return;
    }
    struct evs_slice domain = either(evs_tree_string(body, "d"), evs_tree_string(body, "domain"));
    evs_form_cut(&domain, ','); /* several sites may be told at once; the first is the page's own */
    if (evs_call_key(call, &domain, 1)) {
        take_plausible(call, body, domain);
        evs_answer_text(call, 200, "text/plain", EVS_SLICE("ok"));
    }
}

static struct evs_tree *umami_context(struct evs_call *call, const struct evs_tree *payload)
{
    struct evs_tree *context = evs_tree_object(call->arena);
    evs_context_page(call, context, evs_tree_string(payload, "url"), evs_tree_string(payload, "title"),
                     evs_tree_string(payload, "referrer"));
    evs_context_size(call, context, "screen", evs_tree_string(payload, "screen"));
    evs_context_library(call, context, EVS_SLICE("umami"), (struct evs_slice){NULL, 0});
    evs_tree_put_text(call->arena, context, "locale", evs_tree_string(payload, "language"));
    evs_tree_put_text(call->arena, context, "ip", evs_tree_string(payload, "ip"));
    evs_tree_put_text(call->arena, context, "userAgent", evs_tree_string(payload, "userAgent"));
    return context;
}

static void take_umami(struct evs_call *call, const struct evs_tree *body, struct evs_slice website)
{
    const struct evs_tree *payload = evs_tree_get(body, "payload");
    if (!evs_event_fits(call, body->text)) {
        return;
    }
    struct evs_tree *data = evs_tree_get(payload, "data");
    struct evs_draft draft = {.sent = body, .raw = body->text};
    draft.call = evs_tree_string(body, "type");
    draft.name = evs_tree_string(payload, "name");
    if (evs_slice_equal(draft.call, EVS_SLICE("identify"))) {
        draft.type = EVS_SLICE("identify");
        draft.is_person = true;
    } else if (!evs_slice_equal(draft.call, EVS_SLICE("event"))) {
        evs_draft_reject(call, &draft, "Its type is neither event nor identify.");
    } else if (draft.name.count == 0) {
        draft.type = EVS_SLICE("page");
    }
    draft.user_id = evs_tree_scalar(evs_tree_get(payload, "id"));
    draft.time_text = evs_tree_scalar(evs_tree_get(payload, "timestamp"));
    draft.properties = evs_tree_is(data, EVS_TREE_NULL) ? NULL : data;
    draft.context = umami_context(call, payload);
    if (evs_slice_equal(draft.type, EVS_SLICE("page"))) {
        evs_context_page_properties(call, &draft);
    }
    draft.origin = evs_tree_object(call->arena);
    evs_tree_put_text(call->arena, draft.origin, "site", website);
    call->is_of_visitor = true;
    evs_event_take(call, &draft);
}

void evs_umami(struct evs_call *call, const char *argument)
{
    const struct evs_tree *body = evs_call_body(call);
    (void)argument;
    if (body == NULL) {
        return;
    }
    struct evs_slice website = evs_tree_string(evs_tree_get(body, "payload"), "website");
    if (evs_call_key(call, &website, 1)) {
        take_umami(call, body, website);
        /* The tracker sends `cache` back as a header; there is nothing to remember. */
        evs_answer_accepted(call, "\"cache\":\"\",\"sessionId\":\"\",\"visitId\":\"\"");
    }
}
