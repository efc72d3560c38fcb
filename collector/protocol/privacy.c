/* Wishes, addresses, robots, ids without cookies. Everything happens on the draft, before a byte of it is written. */
#include "privacy.h"

#include <arpa/inet.h>
#include <openssl/hmac.h>

#include "form.h"
#include "regexp.h"
#include "suppressed.h"

const char evs_privacy_bots[] =
    "(?i)(?:^|[^u])bot\\b|crawl|spider|slurp|scrap(?:er|y)|archiv|fetcher|monitor|uptime|pingdom|lighthouse|"
    "pagespeed|headless|phantomjs|puppeteer|playwright|selenium|webdriver|facebookexternalhit|whatsapp/|"
    "^(?:curl|wget|libwww|lwp|httpie|okhttp|apache-httpclient|java|ruby|perl|php|go-http-client|python|aiohttp|axios|"
    "node-fetch|postman)\\b";

/* --- addresses -------------------------------------------------------------------------------------------------------- */

struct evs_slice evs_privacy_address(struct evs_arena *arena, struct evs_slice address, enum evs_ip_policy policy)
{
    struct evs_slice none = {NULL, 0};
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (policy == EVS_IP_DROP || address.count == 0 || address.count >= sizeof text) {
        return none;
    }
    memcpy(text, address.data, address.count);
    text[address.count] = 0;
    int family = memchr(text, ':', address.count) == NULL ? AF_INET : AF_INET6;
    if (inet_pton(family, text, bytes) != 1) {
        return none;
    }
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((struct in6_addr *)(void *)bytes)) {
        memmove(bytes, bytes + 12, 4);
        family = AF_INET;
    }
    if (policy == EVS_IP_TRUNCATE) {
        memset(bytes + (family == AF_INET ? 3 : 6), 0, family == AF_INET ? 1 : 10);
    }
    const char *out = inet_ntop(family, bytes, text, sizeof text);
    EVS_ASSERT(out != NULL);
    return evs_slice_of(evs_arena_strndup(arena, out, strlen(out)));
}

/* A server that sends for its visitors says whose event it is; a browser or an app has an address of its own. That of a
 * server which says nothing would be nobody's. */
static struct evs_slice address_of(const struct evs_call *call, const struct evs_draft *draft)
{
    struct evs_slice said = evs_tree_string(draft->context, "ip");
    bool is_own = evs_call_is_browser(call) || call->is_of_visitor || evs_tree_get(draft->context, "device") != NULL;
    return said.count > 0 ? said : is_own ? call->request->remote_address : (struct evs_slice){NULL, 0};
}

static struct evs_slice user_agent_of(const struct evs_call *call, const struct evs_draft *draft)
{
    struct evs_slice said = evs_tree_string(draft->context, "userAgent");
    if (said.count > 0) {
        return said;
    }
    bool is_own = evs_call_is_browser(call) || call->is_of_visitor;
    return is_own ? evs_form_utf8(call->arena, evs_call_header(call, "user-agent")) : (struct evs_slice){NULL, 0};
}

/* --- wishes ----------------------------------------------------------------------------------------------------------- */

/* Whether any member is true: 1; all false: -1; no member that says either: 0. */
static int any_granted(const struct evs_tree *preferences)
{
    int found = 0;
    for (const struct evs_tree *one = preferences == NULL ? NULL : preferences->first; one != NULL; one = one->next) {
        if (one->kind == EVS_TREE_BOOL) {
            found = evs_tree_is_true(one) || found == 1 ? 1 : -1;
        }
    }
    return found;
}

/* Segment: context.consent.categoryPreferences {"Advertising": true, …}. */
static enum evs_consent consent_by_category(const struct evs_tree *preferences, const char *category)
{
    if (category == NULL) {
        int any = any_granted(preferences);
        return any > 0 ? EVS_CONSENT_GRANTED : any < 0 ? EVS_CONSENT_DENIED : EVS_CONSENT_UNKNOWN;
    }
    const struct evs_tree *one = evs_tree_get(preferences, category);
    return one == NULL ? EVS_CONSENT_UNKNOWN : evs_tree_is_true(one) ? EVS_CONSENT_GRANTED : EVS_CONSENT_DENIED;
}

static bool list_has(const struct evs_tree *list, const char *text)
{
    for (const struct evs_tree *one = list == NULL ? NULL : list->first; one != NULL; one = one->next) {
        if (evs_slice_equal(evs_tree_scalar(one), evs_slice_of(text))) {
            return true;
        }
    }
    return false;
}

/* RudderStack: context.consentManagement {"allowedConsentIds": […], "deniedConsentIds": […]}. */
static enum evs_consent consent_by_ids(const struct evs_tree *management, const char *category)
{
    const struct evs_tree *allowed = evs_tree_get(management, "allowedConsentIds");
    const struct evs_tree *denied = evs_tree_get(management, "deniedConsentIds");
    if (category != NULL) {
        return list_has(allowed, category)  ? EVS_CONSENT_GRANTED
               : list_has(denied, category) ? EVS_CONSENT_DENIED
                                            : EVS_CONSENT_UNKNOWN;
    }
    if (evs_tree_count(allowed) > 0) {
        return EVS_CONSENT_GRANTED;
    }
    return evs_tree_count(denied) > 0 ? EVS_CONSENT_DENIED : EVS_CONSENT_UNKNOWN;
}

static enum evs_consent consent_of(const struct evs_call *call, const struct evs_tree *context)
{
    const struct evs_protocol_config *config = &call->protocol->config;
    const struct evs_tree *said = evs_tree_get(context, "consent");
    struct evs_slice word = evs_tree_scalar(said); /* our own tracker: "granted", "denied" */
    enum evs_consent consent = EVS_CONSENT_UNKNOWN;
    if (word.count > 0) {
        consent = evs_slice_equal(word, EVS_SLICE("granted"))  ? EVS_CONSENT_GRANTED
                  : evs_slice_equal(word, EVS_SLICE("denied")) ? EVS_CONSENT_DENIED
                                                               : EVS_CONSENT_UNKNOWN;
    } else if (said != NULL) {
        consent = consent_by_category(evs_tree_get(said, "categoryPreferences"), config->consent_category);
    }
    if (consent == EVS_CONSENT_UNKNOWN) {
        consent = consent_by_ids(evs_tree_get(context, "consentManagement"), config->consent_category);
    }
    return consent == EVS_CONSENT_UNKNOWN && config->consent_required ? EVS_CONSENT_DENIED : consent;
}

static bool header_is_one(const struct evs_call *call, const char *name)
{
    return evs_slice_equal(evs_form_trim(evs_call_header(call, name)), EVS_SLICE("1"));
}

static enum evs_wish_policy stricter(enum evs_wish_policy a, enum evs_wish_policy b)
{
    return a > b ? a : b;
}

/* A browser says it by a header, a tracker may say it in the event. */
struct evs_wishes evs_privacy_wishes(const struct evs_call *call, const struct evs_tree *context)
{
    const struct evs_protocol_config *config = &call->protocol->config;
    struct evs_wishes wishes = {.consent = consent_of(call, context), .policy = EVS_WISH_RECORD};
    wishes.do_not_track = header_is_one(call, "dnt") || evs_tree_is_true(evs_tree_get(context, "dnt"));
    wishes.global_privacy_control = header_is_one(call, "sec-gpc") || evs_tree_is_true(evs_tree_get(context, "gpc"));
    if (wishes.do_not_track) {
        wishes.policy = stricter(wishes.policy, config->do_not_track);
    }
    if (wishes.global_privacy_control) {
        wishes.policy = stricter(wishes.policy, config->global_privacy_control);
    }
    if (wishes.consent == EVS_CONSENT_DENIED) {
        wishes.policy = stricter(wishes.policy, config->consent_denied);
    }
    return wishes;
}

/* --- robots ----------------------------------------------------------------------------------------------------------- */

static bool is_bot(const struct evs_call *call, const struct evs_draft *draft)
{
    struct evs_slice agent = user_agent_of(call, draft);
    if (evs_tree_is_true(evs_tree_get(draft->context, "bot"))) {
        return true;
    }
    struct evs_regexp_text text = {agent.data, agent.count}, whole[1];
    return agent.count > 0 && evs_regexp_match(call->protocol->bots, text, 0, whole, 1);
}

/* --- ids without cookies ---------------------------------------------------------------------------------------------- */

static const uint8_t *salt_of(const struct evs_protocol *protocol, int64_t day)
{
    for (size_t i = 0; i < EVS_SALTS_KEPT; i++) {
        if (protocol->salts[i].is_set && protocol->salts[i].day == day) {
            return protocol->salts[i].bytes;
        }
    }
    return NULL;
}

#define DAY_US INT64_C(86400000000)
#define COOKIELESS_BYTES ((size_t)16) /* of the code that are kept: 128 bits */

static struct evs_slice cookieless_id(struct evs_call *call, const struct evs_draft *draft)
{
    const uint8_t *salt = salt_of(call->protocol, call->request->received_us / DAY_US);
    struct evs_buffer *text = &call->protocol->buffer;
    struct evs_slice address = address_of(call, draft), agent = user_agent_of(call, draft);
    if (salt == NULL || address.count == 0 || agent.count == 0) { /* all visitors would be one */
        return (struct evs_slice){NULL, 0};
    }
    uint8_t code[EVP_MAX_MD_SIZE];
    unsigned code_bytes = 0;
    text->count = 0;
    evs_buffer_put(text, address.data, address.count);
    evs_buffer_puts(text, "|");
    evs_buffer_put(text, agent.data, agent.count);
    evs_buffer_printf(text, "|%s", draft->source != NULL ? draft->source : call->source);
    HMAC(EVP_sha256(), salt, EVS_SALT_BYTES, (const uint8_t *)text->data, text->count, code, &code_bytes);
    EVS_ASSERT(code_bytes >= COOKIELESS_BYTES);
    char *hex = evs_arena_alloc(call->arena, 2 * COOKIELESS_BYTES, 1);
    for (size_t i = 0; i < COOKIELESS_BYTES; i++) {
        hex[2 * i] = "0123456789abcdef"[code[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[code[i] & 15];
    }
    return (struct evs_slice){hex, 2 * COOKIELESS_BYTES};
}

/* --- the whole -------------------------------------------------------------------------------------------------------- */

bool evs_privacy_allows_cookie(const struct evs_call *call)
{
    return !call->protocol->config.cookieless && evs_privacy_wishes(call, NULL).policy == EVS_WISH_RECORD;
}

static void anonymise(struct evs_draft *draft)
{
    const struct evs_slice none = {NULL, 0};
    draft->user_id = draft->anonymous_id = draft->session_id = none;
    draft->origin = NULL; /* ids of the sender stand there */
}

static bool drop(struct evs_call *call, enum evs_dropped why)
{
    call->out->dropped[why]++;
    return false;
}

bool evs_privacy_apply(struct evs_call *call, struct evs_draft *draft)
{
    const struct evs_protocol_config *config = &call->protocol->config;
    if (evs_suppressed_has(config->suppressed, draft->user_id) ||
        evs_suppressed_has(config->suppressed, draft->anonymous_id)) {
        return drop(call, EVS_DROPPED_SUPPRESSED);
    }
    draft->wishes = evs_privacy_wishes(call, draft->context);
    enum evs_wish_policy policy = draft->wishes.policy;
    if (config->bots == EVS_BOT_DROP && is_bot(call, draft)) {
        return drop(call, EVS_DROPPED_BOT);
    }
    if (policy == EVS_WISH_DROP || (policy == EVS_WISH_ANONYMISE && draft->is_person)) {
        return drop(call, EVS_DROPPED_PRIVACY);
    }
    if (policy == EVS_WISH_ANONYMISE) {
        anonymise(draft);
    } else if (config->cookieless) {
        draft->session_id = (struct evs_slice){NULL, 0};
        draft->anonymous_id = cookieless_id(call, draft);
    }
    return true;
}

static void put_wishes(struct evs_call *call, const struct evs_wishes *wishes, struct evs_tree *context)
{
    struct evs_tree *privacy = evs_tree_object(call->arena);
    if (wishes->do_not_track) {
        evs_tree_put_bool(call->arena, privacy, "dnt", true);
    }
    if (wishes->global_privacy_control) {
        evs_tree_put_bool(call->arena, privacy, "gpc", true);
    }
    if (wishes->consent != EVS_CONSENT_UNKNOWN) {
        bool is_granted = wishes->consent == EVS_CONSENT_GRANTED;
        evs_tree_put_text(call->arena, privacy, "consent", is_granted ? EVS_SLICE("granted") : EVS_SLICE("denied"));
    }
    if (wishes->policy == EVS_WISH_ANONYMISE) {
        evs_tree_put_bool(call->arena, privacy, "anonymous", true);
    }
    if (privacy->first != NULL) {
        evs_tree_put(call->arena, context, EVS_SLICE("privacy"), privacy);
    }
}

struct evs_tree *evs_privacy_context(struct evs_call *call, const struct evs_draft *draft,
                                     const struct evs_tree *origin)
{
    const struct evs_protocol_config *config = &call->protocol->config;
    static const char *const ours[] = {"ip", "userAgent", "bot", "privacy", "origin"};
    static const char *const personal[] = {"traits",      "userAgentData", "sessionId", "device",
                                           "externalIds", "clientIds",     "contexts"};
    bool anonymous = draft->wishes.policy == EVS_WISH_ANONYMISE;
    struct evs_tree *context = evs_tree_copy(call->arena, draft->context);
    for (size_t i = 0; i < EVS_COUNT(ours); i++) {
        evs_tree_remove(context, ours[i]);
    }
    for (size_t i = 0; anonymous && i < EVS_COUNT(personal); i++) {
        evs_tree_remove(context, personal[i]);
    }
    if (!anonymous && !call->no_address) {
        evs_tree_put_text(call->arena, context, "ip",
                          evs_privacy_address(call->arena, address_of(call, draft), config->ip));
    }
    if (!anonymous) {
        evs_tree_put_text(call->arena, context, "userAgent", user_agent_of(call, draft));
    }
    if (config->bots != EVS_BOT_KEEP && is_bot(call, draft)) {
        evs_tree_put_bool(call->arena, context, "bot", true);
    }
    put_wishes(call, &draft->wishes, context);
    evs_tree_put(call->arena, context, EVS_SLICE("origin"), origin);
    return context;
}
