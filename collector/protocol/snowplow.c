/* Snowplow's tracker protocol: flat events of short names, all values texts.
 *
 *   POST /<vendor>/<version>   {"schema":"iglu:…/payload_data/…","data":[event, …]}
 *   GET  /i, /ice.png, /com.snowplowanalytics.snowplow/<version>   one event in the query, a pixel as the answer
 *   GET  /r/tp2?u=<url>        a click on a link that leads away; only to domains of the allow-list
 *
 * What is self-describing (an event `ue`, contexts `co`) is JSON within the text, or base64url of it (`ue_px`, `cx`). The
 * envelope of Iglu is taken off the event: its data are the properties, its schema's name is the event's name; contexts
 * stay whole under context.contexts. There is no write key: the app id (`aid`) names the source.
 *
 * The network cookie ("sp") tells browsers apart whose tracker may not keep an id. It is first-party and SameSite=Lax, is
 * neither read nor set for SP-Anonymous or in cookieless mode, and is set for browsers alone.
 *
 * Field names: https://docs.snowplow.io, "Snowplow Tracker Protocol". */
#include "call.h"
#include "form.h"
#include "privacy.h"

#define IGLU_EVENT "/unstruct_event/"
#define COOKIE_BYTES_MAX 64u

/* --- self-describing JSON ------------------------------------------------------------------------------------------------- */

/* The JSON of a field that comes plain or in base64url. NULL when there is none, or after a rejection. */
static struct evs_tree *inner(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *event,
                              const char *plain, const char *encoded)
{
    const char *mistake = NULL, *name = plain;
    struct evs_slice text = evs_tree_string(event, plain);
    if (text.count == 0) {
        struct evs_slice base64 = evs_tree_string(event, encoded);
        name = encoded;
        if (base64.count == 0) {
            return NULL;
        }
        if (!evs_form_base64(call->arena, base64, &text)) {
            evs_draft_reject(call, draft, "Its field %s is no base64.", name);
            return NULL;
        }
    }
    struct evs_tree *tree = evs_call_inner(call, text, &mistake);
    if (tree == NULL) {
        evs_draft_reject(call, draft, "Its field %s is no JSON: %s.", name, mistake);
    }
    return tree;
}

/* iglu:vendor/NAME/format/MAJOR-revision-addition */
static bool read_iglu(struct evs_slice schema, struct evs_slice *name, struct evs_slice *major)
{
    if (schema.count < 5 || memcmp(schema.data, "iglu:", 5) != 0) {
        return false;
    }
    evs_form_cut(&schema, '?');
    struct evs_slice rest = evs_form_cut(&schema, '/');
    *name = rest;
    rest = evs_form_cut(name, '/');
    *major = evs_form_cut(&rest, '/');
    evs_form_cut(major, '-');
    return name->count > 0 && major->count > 0;
}

/* The event in its envelope: {"schema":"iglu:…/unstruct_event/…","data":{"schema":…,"data":…}}. */
static void take_self_describing(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *event)
{
    struct evs_tree *envelope = inner(call, draft, event, "ue_pr", "ue_px");
    const struct evs_tree *described = evs_tree_get(envelope, "data");
    struct evs_slice outer = evs_tree_string(envelope, "schema"), schema, major;
    bool is_envelope = outer.count > 0 && memmem(outer.data, outer.count, IGLU_EVENT, sizeof IGLU_EVENT - 1) != NULL;
    if (envelope != NULL && !is_envelope) {
        described = envelope; /* without the envelope, as some write it by hand */
    }
    schema = evs_tree_string(described, "schema");
    if (!read_iglu(schema, &draft->name, &major)) {
        evs_draft_reject(call, draft,
                         "The self-describing event has no schema like iglu:vendor/name/jsonschema/1-0-0.");
        return;
    }
    struct evs_slice type = evs_event_type(call, draft->name);
    draft->properties = evs_tree_get(described, "data");
    draft->schema = evs_slice_of(
        evs_arena_printf(call->arena, "%.*s/%.*s", (int)type.count, type.data, (int)major.count, major.data));
    evs_tree_put_text(call->arena, draft->origin, "schema", schema);
}

static void take_contexts(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *event)
{
    struct evs_tree *envelope = inner(call, draft, event, "co", "cx");
    const struct evs_tree *contexts = evs_tree_get(envelope, "data");
    if (evs_tree_is(contexts, EVS_TREE_ARRAY)) {
        evs_tree_put(call->arena, draft->context, EVS_SLICE("contexts"), contexts);
    } else if (envelope != NULL) {
        evs_draft_reject(call, draft, "Its contexts are no list.");
    }
}

/* --- kinds of events ------------------------------------------------------------------------------------------------------ */

static const struct evs_rename ping_names[] = {
    {"pp_mix", "min_x", true}, {"pp_max", "max_x", true}, {"pp_miy", "min_y", true}, {"pp_may", "max_y", true}};
static const struct evs_rename struct_names[] = {{"se_ca", "category", false},
                                                 {"se_ac", "action", false},
                                                 {"se_la", "label", false},
                                                 {"se_pr", "property", false},
                                                 {"se_va", "value", true}};
static const struct evs_rename order_names[] = {
    {"tr_id", "order_id", false}, {"tr_af", "affiliation", false}, {"tr_tt", "total", true},
    {"tr_tx", "tax", true},       {"tr_sh", "shipping", true},     {"tr_ci", "city", false},
    {"tr_st", "state", false},    {"tr_co", "country", false},     {"tr_cu", "currency", false}};
static const struct evs_rename item_names[] = {{"ti_id", "order_id", false}, {"ti_sk", "sku", false},
                                               {"ti_nm", "name", false},     {"ti_ca", "category", false},
                                               {"ti_pr", "price", true},     {"ti_qu", "quantity", true},
                                               {"ti_cu", "currency", false}};

/* `type` NULL: the event has a name of its own. */
static const struct kind {
    const char *code, *type;
    const struct evs_rename *names;
    size_t name_count;
} kinds[] = {
    {"pv", "page", NULL, 0},
    {"pp", "page_ping", ping_names, EVS_COUNT(ping_names)},
    {"se", NULL, struct_names, EVS_COUNT(struct_names)},
    {"ue", NULL, NULL, 0},
    {"tr", "purchase", order_names, EVS_COUNT(order_names)},
    {"ti", "purchase_item", item_names, EVS_COUNT(item_names)},
};

static const struct kind *kind_of(struct evs_slice code)
{
    for (size_t i = 0; i < EVS_COUNT(kinds); i++) {
        if (evs_slice_equal(code, evs_slice_of(kinds[i].code))) {
            return &kinds[i];
        }
    }
    return NULL;
}

static void take_kind(struct evs_call *call, struct evs_draft *draft, const struct evs_tree *event)
{
    const struct kind *kind = kind_of(draft->call);
    if (kind == NULL) {
        evs_draft_reject(call, draft, "Its kind (e) is '%.*s'; it should be pv, pp, se, ue, tr or ti.",
                         (int)(draft->call.count < 32 ? draft->call.count : 32), draft->call.data);
        draft->type = EVS_SLICE("unknown");
        return;
    }
    draft->properties = evs_tree_object(call->arena);
    evs_tree_move(call, draft->properties, event, kind->names, kind->name_count);
    if (kind->type != NULL) {
        draft->type = evs_slice_of(kind->type);
    }
    if (evs_slice_equal(draft->call, EVS_SLICE("pv"))) {
        evs_context_page_properties(call, draft);
    } else if (evs_slice_equal(draft->call, EVS_SLICE("se"))) {
        draft->name = evs_tree_string(event, "se_ac");
    } else if (evs_slice_equal(draft->call, EVS_SLICE("ue"))) {
        take_self_describing(call, draft, event);
    }
}

/* --- one event ------------------------------------------------------------------------------------------------------------ */

/* Fields with a place of their own, and prefixes of those that a kind has taken. */
static bool is_taken(struct evs_slice name)
{
    static const char *const names[] = {"e",   "eid", "uid", "duid", "nuid", "sid", "ttm",   "dtm",
                                        "stm", "ip",  "ua",  "lang", "tz",   "url", "page",  "refr",
                                        "res", "vp",  "tv",  "p",    "co",   "cx",  "ue_pr", "ue_px"};
    static const char *const prefixes[] = {"se_", "tr_", "ti_", "pp_"};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        if (evs_slice_equal(name, evs_slice_of(names[i]))) {
            return true;
        }
    }
    for (size_t i = 0; i < EVS_COUNT(prefixes); i++) {
        if (name.count > 3 && memcmp(name.data, prefixes[i], 3) == 0) {
            return true;
        }
    }
    return false;
}

static struct evs_tree *context_of(struct evs_call *call, const struct evs_tree *event)
{
    static const struct evs_rename names[] = {{"ua", "userAgent", false},
                                              {"lang", "locale", false},
                                              {"tz", "timezone", false},
                                              {"p", "platform", false},
                                              {"ip", "ip", false}};
    struct evs_tree *context = evs_tree_object(call->arena);
    evs_tree_move(call, context, event, names, EVS_COUNT(names));
    evs_context_page(call, context, evs_tree_string(event, "url"), evs_tree_string(event, "page"),
                     evs_tree_string(event, "refr"));
    evs_context_size(call, context, "screen", evs_tree_string(event, "res"));
    evs_context_size(call, context, "viewport", evs_tree_string(event, "vp"));
    evs_context_library(call, context, EVS_SLICE("snowplow"), evs_tree_string(event, "tv"));
    return context;
}

static struct evs_tree *origin_of(struct evs_call *call, const struct evs_tree *event, struct evs_slice network_id)
{
    struct evs_tree *origin = evs_tree_object(call->arena), *fields = evs_tree_object(call->arena);
    struct evs_slice said = evs_tree_scalar(evs_tree_get(event, "nuid"));
    evs_tree_put_text(call->arena, origin, "network_user_id", said.count > 0 ? said : network_id);
    for (const struct evs_tree *field = event->first; field != NULL; field = field->next) {
        if (!is_taken(field->key)) {
            evs_tree_put(call->arena, fields, field->key, field);
        }
    }
    if (fields->first != NULL) {
        evs_tree_put(call->arena, origin, EVS_SLICE("fields"), fields);
    }
    return origin;
}

static struct evs_slice scalar(const struct evs_tree *event, const char *name)
{
    return evs_tree_scalar(evs_tree_get(event, name));
}

static struct evs_slice either(struct evs_slice a, struct evs_slice b)
{
    return a.count > 0 ? a : b;
}

static void judge_app(struct evs_call *call, struct evs_draft *draft, struct evs_slice app)
{
    draft->source = evs_call_source_of(call, app);
    if (draft->source == NULL && app.count > 0 && call->protocol->config.default_source == NULL) {
        evs_draft_reject(call, draft, "The app id '%.*s' is not known here.", (int)(app.count < 64 ? app.count : 64),
                         app.data);
    }
}

static void take_event(struct evs_call *call, const struct evs_tree *event, struct evs_slice network_id)
{
    struct evs_draft draft = {.sent = event, .raw = event->text};
    if (!evs_event_fits(call, event->text)) {
        return;
    }
    if (event->kind != EVS_TREE_OBJECT) {
        evs_event_refuse(call, event->text, "The event is no JSON object.");
        return;
    }
    draft.call = scalar(event, "e");
    draft.event_id = scalar(event, "eid");
    draft.user_id = scalar(event, "uid");
    draft.anonymous_id = either(scalar(event, "duid"), either(scalar(event, "nuid"), network_id));
    draft.session_id = scalar(event, "sid");
    draft.time_is_true = scalar(event, "ttm").count > 0;
    draft.time_text = either(scalar(event, "ttm"), scalar(event, "dtm"));
    draft.sent_text = scalar(event, "stm");
    draft.context = context_of(call, event);
    draft.origin = origin_of(call, event, network_id);
    judge_app(call, &draft, scalar(event, "aid"));
    take_kind(call, &draft, event);
    take_contexts(call, &draft, event);
    evs_event_take(call, &draft);
}

/* --- the network cookie --------------------------------------------------------------------------------------------------- */

static struct evs_slice cookie_sent(const struct evs_call *call)
{
    struct evs_slice cookies = evs_call_header(call, "cookie");
    while (cookies.count > 0) {
        struct evs_slice rest = evs_form_cut(&cookies, ';'), name = evs_form_trim(cookies);
        struct evs_slice value = evs_form_cut(&name, '=');
        cookies = rest;
        if (evs_slice_equal(name, evs_slice_of(call->protocol->config.cookie_name))) {
            size_t i = 0;
            while (i < value.count && (value.data[i] == '-' || (value.data[i] >= '0' && value.data[i] <= '9') ||
                                       ((value.data[i] | 0x20) >= 'a' && (value.data[i] | 0x20) <= 'z'))) {
                i++;
            }
            return i == value.count && i <= COOKIE_BYTES_MAX ? value : (struct evs_slice){NULL, 0};
        }
    }
    return (struct evs_slice){NULL, 0};
}

static struct evs_slice new_id(const struct evs_call *call)
{
    uint8_t b[16];
    memcpy(b, call->request->random, sizeof b);
    b[6] = (b[6] & 0x0F) | 0x40; /* RFC 9562, version 4 */
    b[8] = (b[8] & 0x3F) | 0x80;
    return evs_slice_of(evs_arena_printf(
        call->arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
        b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]));
}

static void set_cookie(struct evs_call *call, struct evs_slice id, uint32_t max_age)
{
    const struct evs_protocol_config *config = &call->protocol->config;
    bool secure = evs_slice_equal_nocase(evs_call_header(call, "x-forwarded-proto"), "https") || config->cookie_secure;
    const char *domain = config->cookie_domain;
    evs_answer_add_header(call, "Set-Cookie",
                          evs_arena_printf(call->arena, "%s=%.*s; Path=/; Max-Age=%u; SameSite=Lax; HttpOnly%s%s%s",
                                           config->cookie_name, (int)id.count, id.data, max_age,
                                           secure ? "; Secure" : "",
                                           domain == NULL ? "" : "; Domain=", domain == NULL ? "" : domain));
}

/* The browser's id of the network cookie, sent or new; empty where there shall be none. */
static struct evs_slice network_id_of(struct evs_call *call)
{
    struct evs_slice none = {NULL, 0}, id = cookie_sent(call);
    if (evs_call_header(call, "sp-anonymous").count > 0) {
        call->no_address = true;
        if (id.count > 0) {
            set_cookie(call, none, 0);
        }
        return none;
    }
    if (!evs_privacy_allows_cookie(call) || !evs_call_is_browser(call)) {
        return none;
    }
    id = id.count > 0 ? id : new_id(call);
    set_cookie(call, id, 365 * 24 * 3600);
    return id;
}

/* --- requests ------------------------------------------------------------------------------------------------------------- */

/* The first app id that is known speaks for the request. */
static bool find_source(struct evs_call *call, const struct evs_tree *events)
{
    struct evs_slice app = scalar(events, "aid");
    for (const struct evs_tree *event = events; event != NULL; event = event->next) {
        if (evs_call_source_of(call, scalar(event, "aid")) != NULL) {
            app = scalar(event, "aid");
            break;
        }
    }
    const struct evs_slice keys[] = {app, evs_call_header(call, "x-write-key"), evs_call_parameter(call, "writeKey")};
    return evs_call_key(call, keys, EVS_COUNT(keys));
}

void evs_snowplow_post(struct evs_call *call, const char *argument)
{
    const struct evs_tree *body = evs_call_body(call);
    const struct evs_tree *data = evs_tree_get(body, "data");
    (void)argument;
    if (body == NULL) {
        return;
    }
    if (!evs_tree_is(data, EVS_TREE_ARRAY)) {
        evs_answer_refuse(call, 400, "The body has no list of events called data.");
        return;
    }
    if (!find_source(call, data->first) || !evs_call_count(call, evs_tree_count(data))) {
        return;
    }
    struct evs_slice network_id = network_id_of(call);
    for (const struct evs_tree *event = data->first; event != NULL; event = event->next) {
        take_event(call, event, network_id);
    }
    evs_answer_text(call, 200, "text/plain", EVS_SLICE("ok"));
}

void evs_snowplow_get(struct evs_call *call, const char *argument)
{
    const struct evs_tree *event = evs_call_query(call, call->request->query);
    (void)argument;
    if (find_source(call, event)) {
        take_event(call, event, network_id_of(call));
        evs_answer_pixel(call);
    }
}

/* The host of an address that a browser reads as we do: http or https, a host, no user in front of it. */
static struct evs_slice host_of(struct evs_slice url)
{
    const struct evs_slice none = {NULL, 0};
    size_t scheme = url.count > 8 && memcmp(url.data, "https://", 8) == 0  ? 8
                    : url.count > 7 && memcmp(url.data, "http://", 7) == 0 ? 7
                                                                           : 0;
    if (scheme == 0 || memchr(url.data, '\\', url.count) != NULL) {
        return none;
    }
    struct evs_slice host = {url.data + scheme, url.count - scheme};
    for (const char *end = "/?#"; *end != 0; end++) {
        evs_form_cut(&host, *end);
    }
    if (host.count == 0 || memchr(host.data, '@', host.count) != NULL) {
        return none;
    }
    evs_form_cut(&host, ':');
    return host;
}

/* Whether the address leads to one of the domains or below it. */
static bool may_lead_to(const struct evs_protocol_config *config, struct evs_slice url)
{
    struct evs_slice host = host_of(url);
    for (uint32_t i = 0; host.count > 0 && i < config->redirect_domain_count; i++) {
        size_t count = strlen(config->redirect_domains[i]);
        if (host.count < count) {
            continue;
        }
        struct evs_slice tail = {host.data + host.count - count, count};
        bool is_whole = host.count == count, is_below = !is_whole && tail.data[-1] == '.';
        if (evs_slice_equal_nocase(tail, config->redirect_domains[i]) && (is_whole || is_below)) {
            return true;
        }
    }
    return false;
}

static bool is_printable(struct evs_slice url)
{
    for (size_t i = 0; i < url.count; i++) {
        if ((unsigned char)url.data[i] <= ' ' || (unsigned char)url.data[i] >= 0x7F) {
            return false;
        }
    }
    return true;
}

void evs_snowplow_redirect(struct evs_call *call, const char *argument)
{
    const struct evs_protocol_config *config = &call->protocol->config;
    struct evs_slice url = evs_call_parameter(call, "u");
    struct evs_tree *event = evs_call_query(call, call->request->query);
    (void)argument;
    call->out->answer.cors = EVS_CORS_NONE;
    if (config->redirect_domain_count == 0) {
        evs_answer_refuse(call, 404, "Nothing is here.");
        return;
    }
    if (!is_printable(url) || !may_lead_to(config, url)) {
        evs_answer_refuse(call, 400, "This redirect leads to a domain that is not on the collector's list.");
        return;
    }
    if (!find_source(call, event)) {
        return;
    }
    struct evs_draft draft = {.call = EVS_SLICE("redirect"), .type = EVS_SLICE("uri_redirect"), .sent = event};
    draft.event_id = scalar(event, "eid");
    draft.user_id = scalar(event, "uid");
    draft.anonymous_id = either(scalar(event, "duid"), network_id_of(call));
    draft.properties = evs_tree_object(call->arena);
    evs_tree_put_text(call->arena, draft.properties, "url", url);
    call->is_of_visitor = true;
    evs_event_take(call, &draft);
    evs_answer_text(call, 302, "text/plain", EVS_SLICE(""));
    evs_answer_add_header(call, "Location", evs_arena_strndup(call->arena, url.data, url.count));
}
