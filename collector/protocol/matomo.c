/* Matomo's tracking API: one request's query is one event; a list of such queries is a bulk.
 *
 *   GET  /matomo.php?idsite=5&rec=1&url=…&action_name=…   a pixel as the answer
 *   POST /matomo.php   the query as a form, or {"requests":["?…", …]}
 *
 * The site's id is the key. https://developer.matomo.org/api-reference/tracking-api */
#include "call.h"
#include "form.h"

static const struct evs_rename event_names[] = {
    {"e_c", "category", false}, {"e_a", "action", false}, {"e_n", "name", false}, {"e_v", "value", true}};
static const struct evs_rename order_names[] = {{"ec_id", "order_id", false}, {"revenue", "total", true},
                                                {"ec_st", "subtotal", true},  {"ec_tx", "tax", true},
                                                {"ec_sh", "shipping", true},  {"ec_dt", "discount", true}};
static const struct evs_rename search_names[] = {
    {"search", "query", false}, {"search_cat", "category", false}, {"search_count", "results", true}};
static const struct evs_rename goal_names[] = {{"idgoal", "goal", false}, {"revenue", "revenue", true}};
static const struct evs_rename link_names[] = {{"link", "url", false}};
static const struct evs_rename download_names[] = {{"download", "url", false}};

/* The first whose parameter is there says what the event is; none: a page. */
static const struct kind {
    const char *parameter, *call, *type; /* type NULL: e_a names it */
    const struct evs_rename *names;
    size_t name_count;
} kinds[] = {
    {"e_a", "event", NULL, event_names, EVS_COUNT(event_names)},
    {"ec_id", "ecommerce", "purchase", order_names, EVS_COUNT(order_names)},
    {"search", "search", "search", search_names, EVS_COUNT(search_names)},
    {"idgoal", "goal", "goal", goal_names, EVS_COUNT(goal_names)},
    {"link", "link", "outlink", link_names, EVS_COUNT(link_names)},
    {"download", "download", "download", download_names, EVS_COUNT(download_names)},
    {"ping", "ping", "ping", NULL, 0},
};

static struct evs_slice text(const struct evs_tree *event, const char *name)
{
    return evs_tree_string(event, name);
}

static struct evs_tree *context_of(struct evs_call *call, const struct evs_tree *event)
{
    static const struct evs_rename names[] = {
        {"ua", "userAgent", false}, {"lang", "locale", false}, {"cip", "ip", false}};
    struct evs_tree *context = evs_tree_object(call->arena);
    evs_tree_move(call, context, event, names, EVS_COUNT(names));
    evs_context_page(call, context, text(event, "url"), text(event, "action_name"), text(event, "urlref"));
    evs_context_size(call, context, "screen", text(event, "res"));
    evs_context_library(call, context, EVS_SLICE("matomo"), (struct evs_slice){NULL, 0});
    return context;
}

static bool has_own_place(struct evs_slice name, const struct kind *kind)
{
    static const char *const known[] = {"rec",         "apiv",   "rand", "h",          "m",          "s",     "url",
                                        "action_name", "urlref", "res",  "ua",         "lang",       "cip",   "uid",
                                        "cdt",         "_id",    "cid",  "token_auth", "send_image", "idsite"};
    for (size_t i = 0; i < EVS_COUNT(known); i++) {
        if (evs_slice_equal(name, evs_slice_of(known[i]))) {
            return true;
        }
    }
    for (size_t i = 0; kind != NULL && i < kind->name_count; i++) {
        if (evs_slice_equal(name, evs_slice_of(kind->names[i].from))) {
            return true;
        }
    }
    return false;
}

/* The site's own dimensions are properties; the rest stays with the origin. */
static void put_rest(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *event,
                     const struct kind *kind)
{
    struct evs_tree *fields = evs_tree_object(call->arena);
    for (const struct evs_tree *one = event->first; one != NULL; one = one->next) {
        if (one->key.count > 9 && memcmp(one->key.data, "dimension", 9) == 0) {
            evs_tree_put(call->arena, draft->properties, one->key, one);
        } else if (!has_own_place(one->key, kind)) {
            evs_tree_put(call->arena, fields, one->key, one);
        }
    }
    if (fields->first != NULL) {
        evs_tree_put(call->arena, draft->origin, EVS_SLICE("fields"), fields);
    }
}

static const struct kind *kind_of(const struct evs_tree *event)
{
    for (size_t i = 0; i < EVS_COUNT(kinds); i++) {
        if (text(event, kinds[i].parameter).count > 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

static void take_kind(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *event)
{
    const struct kind *kind = kind_of(event);
    draft->properties = evs_tree_object(call->arena);
    draft->call = kind == NULL ? EVS_SLICE("page") : evs_slice_of(kind->call);
    if (kind == NULL) {
        draft->type = EVS_SLICE("page");
    } else {
        evs_tree_move(call, draft->properties, event, kind->names, kind->name_count);
        draft->type = kind->type == NULL ? draft->type : evs_slice_of(kind->type);
        draft->name = kind->type == NULL ? text(event, "e_a") : draft->name;
    }
    put_rest(call, draft, event, kind);
    if (kind == NULL) {
        evs_context_page_properties(call, draft);
    }
}

static void take_event(struct evs_call *call, const struct evs_tree *event)
{
    struct evs_draft draft = {.sent = event, .raw = event->text};
    struct evs_slice site = text(event, "idsite");
    if (!evs_event_fits(call, event->text)) {
        return;
    }
    draft.source = evs_call_source_of(call, site);
    if (draft.source == NULL && call->protocol->config.default_source == NULL) {
        evs_draft_reject(call, &draft, "The site '%.*s' (idsite) is not known here.",
                         (int)(site.count < 64 ? site.count : 64), site.data);
    }
    draft.user_id = text(event, "uid");
    draft.anonymous_id = text(event, "cid").count > 0 ? text(event, "cid") : text(event, "_id");
    draft.time_text = text(event, "cdt");
    draft.context = context_of(call, event);
    draft.origin = evs_tree_object(call->arena);
    evs_tree_put_text(call->arena, draft.origin, "site", site);
    take_kind(call, &draft, event);
    evs_event_take(call, &draft);
}

static bool find_source(struct evs_call *call, const struct evs_tree *event)
{
    struct evs_slice site = text(event, "idsite");
    call->is_of_visitor = evs_call_is_browser(call); /* else a server's library */
    return evs_call_key(call, &site, 1);
}

void evs_matomo_get(struct evs_call *call, const char *argument)
{
    const struct evs_tree *event = evs_call_query(call, call->request->query);
    (void)argument;
    if (find_source(call, event)) {
        take_event(call, event);
        evs_answer_pixel(call);
    }
}

static struct evs_slice without_mark(struct evs_slice query)
{
    bool has_mark = query.count > 0 && *query.data == '?';
    return has_mark ? (struct evs_slice){query.data + 1, query.count - 1} : query;
}

static void take_bulk(struct evs_call *call, const struct evs_tree *requests)
{
    for (const struct evs_tree *one = requests->first; one != NULL; one = one->next) {
        if (one->kind == EVS_TREE_STRING) {
            take_event(call, evs_call_query(call, without_mark(one->text)));
        } else {
            evs_event_refuse(call, one->text, "The request is no text.");
        }
    }
    evs_answer_json(
        call, 200,
        evs_slice_of(evs_arena_printf(call->arena, "{\"status\":\"success\",\"tracked\":%u,\"invalid\":%u}",
                                      call->event_index - call->out->bad_row_count, call->out->bad_row_count)));
}

void evs_matomo_post(struct evs_call *call, const char *argument)
{
    struct evs_slice body = evs_form_trim(call->request->body);
    (void)argument;
    if (body.count == 0 || *body.data != '{') {
        const struct evs_tree *event = evs_call_query(call, body.count > 0 ? body : call->request->query);
        if (find_source(call, event)) {
            take_event(call, event);
            evs_answer_pixel(call);
        }
        return;
    }
    const struct evs_tree *tree = evs_call_body(call), *requests = evs_tree_get(tree, "requests");
    if (tree == NULL) {
        return;
    }
    if (!evs_tree_is(requests, EVS_TREE_ARRAY)) {
        evs_answer_refuse(call, 400, "The body has no list called requests.");
        return;
    }
    const struct evs_tree *first = requests->first;
    const struct evs_tree *event = evs_call_query(
        call, evs_tree_is(first, EVS_TREE_STRING) ? without_mark(first->text) : (struct evs_slice){NULL, 0});
    if (find_source(call, event) && evs_call_count(call, evs_tree_count(requests))) {
        take_bulk(call, requests);
    }
}
