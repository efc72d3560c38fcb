/* What a marketer asks of URLs and of the headers that a browser sends: parameters, paths, who is a machine, where somebody came
 * from. None of it is in GoogleSQL. */
#include <strings.h>

#include "kernel.h"
#include "regexp.h"
#include "text_tools.h"
#include "url_tools.h"

/* --- url_param, url_path ------------------------------------------------------------------------------------------ */

/* Decoded bytes that are no UTF-8 become U+FFFD, as browsers have it. */
static inline enum evs_row url_param_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                         struct evs_str *out)
{
    struct evs_slice value;
    if (!evs_url_parameter(evs_url_split(evs_str_slice(a)).query, evs_str_slice(b), &value)) {
        return EVS_ROW_NULL;
    }
    if (memchr(value.data, '%', value.count) == NULL && memchr(value.data, '+', value.count) == NULL) {
        *out = evs_str_make(value.data, (uint32_t)value.count);
        return EVS_ROW_OK;
    }
    char *decoded = evs_arena_alloc(&call->eval->scratch, value.count + 1, 1);
    const size_t count = evs_url_decode(value, decoded);
    *out = evs_utf8_valid(decoded, count) ? evs_call_str(call, decoded, count)
                                          : evs_text_repair(call, (struct evs_slice){decoded, count});
    return out->count > EVS_TEXT_BYTES_MAX ? EVS_ROW_TOO_LONG : EVS_ROW_OK;
}

/* As location.pathname of a browser: a URL with a host and nothing behind it has the path /. */
static inline enum evs_row url_path_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    (void)call;
    const struct evs_url url = evs_url_split(evs_str_slice(a));
    if (url.path.count == 0 && url.host.count == 0) {
        return EVS_ROW_NULL;
    }
    *out = url.path.count > 0 ? evs_str_make(url.path.data, (uint32_t)url.path.count) : evs_str_make("/", 1);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(url_param, url_param_row, struct evs_str, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_1(url_path, url_path_row, struct evs_str, struct evs_str)

/* --- user_agent_is_bot -------------------------------------------------------------------------------------------- */

/* One automaton for all: a user agent is looked at once. CUBOT makes telephones. */
static const char bot_pattern[] =
    "(?i)^$"
    "|^u?bot|[^u]bot|[^c]ubot" /* …bot, robot, bot; not CUBOT */
    "|crawl|spider|slurp|scrap[ey]|fetch|archiver|validator|scanner|checker|monitor"
    "|headless|phantomjs|selenium|webdriver|puppeteer|playwright|lighthouse"
    "|pingdom|uptime|statuscake|site24x7|newrelic|datadog|catchpoint"
    "|facebookexternalhit|meta-externalagent|whatsapp/|bingpreview|embedly|skypeuripreview"
    "|mediapartners-google|google-inspectiontool|google-read-aloud|apis-google"
    "|feedburner|feedly|ia_archiver|yandexmetrika|chatgpt-user|perplexity-user|claude-user"
    "|^(?:curl|wget|python|java|ruby|perl|php|go-http-client|node|axios|got|undici|libwww"
    "|apache-httpclient|okhttp-probe|httpie|postmanruntime|insomnia|aiohttp|httpx|guzzlehttp"
    "|winhttp|powershell)\\b";

static void release_pattern(void *regexp)
{
    evs_regexp_free(regexp);
}

static evs_status prepare_bots(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                               struct evs_error *error)
{
    (void)expr;
    (void)error;
    struct evs_regexp_mistake mistake;
    struct evs_regexp *regexp =
        evs_regexp_new((struct evs_regexp_text){bot_pattern, sizeof bot_pattern - 1}, false, &mistake);
    EVS_ASSERT(regexp != NULL);
    evs_arena_defer(arena, release_pattern, regexp);
    *prepared = regexp;
    return EVS_OK;
}

static inline enum evs_row is_bot_row(struct evs_call *call, const struct evs_str *a, uint8_t *out)
{
    *out = evs_regexp_match(call->step->prepared, (struct evs_regexp_text){evs_str_data(a), a->count}, 0, NULL, 0);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(is_bot, is_bot_row, struct evs_str, uint8_t)

/* --- referrer_medium ---------------------------------------------------------------------------------------------- */

/* Rules, the first that fits:
 *
 *   1  utm_medium of the page says it              paid, email, social, search, affiliate, referral
 *   2  the page has the click id of an ad          paid         gclid, msclkid …
 *   3  there is no referrer                        direct
 *   4  its domain is the page's                    internal
 *   5  its host stands in the table                search, social, email, ai
 *   6  else                                        referral */
enum medium { AFFILIATE, AI, DIRECT, EMAIL, INTERNAL, PAID, REFERRAL, SEARCH, SOCIAL };
static const char *const medium_names[] = {"affiliate", "ai",       "direct", "email", "internal",
                                           "paid",      "referral", "search", "social"};

/* What people write into utm_medium, lower case. */
static const struct {
    const char *text;
    enum medium medium;
} utm_mediums[] = {
    {"affiliate", AFFILIATE},
    {"affiliates", AFFILIATE},
    {"partner", AFFILIATE},
    {"banner", PAID},
    {"cpa", PAID},
    {"cpc", PAID},
    {"cpm", PAID},
    {"cpv", PAID},
    {"display", PAID},
    {"paid", PAID},
    {"paid-search", PAID},
    {"paid-social", PAID},
    {"paid_search", PAID},
    {"paid_social", PAID},
    {"paidsearch", PAID},
    {"paidsocial", PAID},
    {"ppc", PAID},
    {"remarketing", PAID},
    {"retargeting", PAID},
    {"e-mail", EMAIL},
    {"email", EMAIL},
    {"mail", EMAIL},
    {"newsletter", EMAIL},
    {"social", SOCIAL},
    {"social-media", SOCIAL},
    {"social-network", SOCIAL},
    {"social_media", SOCIAL},
    {"sm", SOCIAL},
    {"organic", SEARCH},
    {"search", SEARCH},
    {"referral", REFERRAL},
};

/* What advertising networks add to the links of ads. fbclid is not among them: it stands behind every link. */
static const char *const ad_click_ids[] = {"gclid",  "gbraid", "wbraid", "dclid",     "gad_source", "msclkid",
                                           "twclid", "ttclid", "yclid",  "li_fat_id", "epik",       "rdt_cid"};

/* Hosts, the special ones first. One that ends in a dot stands for all public suffixes: `google.` is google.com and google.co.uk.
 * Each stands for the hosts below it too. */
static const struct {
    const char *host;
    enum medium medium;
} hosts[] = {
    {"mail.google.", EMAIL},
    {"mail.yahoo.", EMAIL},
    {"outlook.", EMAIL},
    {"mail.aol.", EMAIL},
    {"mail.ru", EMAIL},
    {"gmx.", EMAIL},
    {"web.de", EMAIL},
    {"mail.proton.me", EMAIL},
    {"mail.yandex.", EMAIL},
    {"com.google.android.gm", EMAIL},
    {"gemini.google.", AI},
    {"copilot.microsoft.", AI},
    {"chatgpt.", AI},
    {"chat.openai.", AI},
    {"claude.ai", AI},
    {"perplexity.ai", AI},
    {"chat.mistral.ai", AI},
    {"chat.deepseek.", AI},
    {"grok.com", AI},
    {"com.google.android.googlequicksearchbox", SEARCH},
    {"plus.google.", SOCIAL},
    {"groups.google.", SOCIAL},
    {"google.", SEARCH},
    {"bing.", SEARCH},
    {"duckduckgo.", SEARCH},
    {"yahoo.", SEARCH},
    {"yandex.", SEARCH},
    {"ya.ru", SEARCH},
    {"baidu.", SEARCH},
    {"ecosia.", SEARCH},
    {"qwant.", SEARCH},
    {"startpage.", SEARCH},
    {"search.brave.", SEARCH},
    {"naver.", SEARCH},
    {"daum.net", SEARCH},
    {"seznam.cz", SEARCH},
    {"sogou.", SEARCH},
    {"so.com", SEARCH},
    {"ask.com", SEARCH},
    {"search.aol.", SEARCH},
    {"suche.t-online.de", SEARCH},
    {"kagi.com", SEARCH},
    {"facebook.", SOCIAL},
    {"com.facebook.katana", SOCIAL},
    {"fb.me", SOCIAL},
    {"messenger.com", SOCIAL},
    {"instagram.", SOCIAL},
    {"threads.net", SOCIAL},
    {"threads.com", SOCIAL},
    {"x.com", SOCIAL},
    {"twitter.", SOCIAL},
    {"t.co", SOCIAL},
    {"linkedin.", SOCIAL},
    {"lnkd.in", SOCIAL},
    {"pinterest.", SOCIAL},
    {"pin.it", SOCIAL},
    {"reddit.", SOCIAL},
    {"tiktok.", SOCIAL},
    {"youtube.", SOCIAL},
    {"youtu.be", SOCIAL},
    {"snapchat.", SOCIAL},
    {"tumblr.", SOCIAL},
    {"vk.com", SOCIAL},
    {"ok.ru", SOCIAL},
    {"weibo.", SOCIAL},
    {"whatsapp.", SOCIAL},
    {"wa.me", SOCIAL},
    {"telegram.", SOCIAL},
    {"t.me", SOCIAL},
    {"discord.", SOCIAL},
    {"bsky.app", SOCIAL},
    {"mastodon.social", SOCIAL},
    {"xing.", SOCIAL},
    {"quora.", SOCIAL},
    {"medium.com", SOCIAL},
    {"news.ycombinator.com", SOCIAL},
    {"disqus.", SOCIAL},
};

static bool same_text(struct evs_slice text, struct evs_slice lowered)
{
    if (text.count != lowered.count) {
        return false;
    }
    for (size_t i = 0; i < text.count; i++) {
        const char c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lowered.data[i]) {
            return false;
        }
    }
    return true;
}

/* Whether the host is this one, or lies below it. */
static bool is_or_below(struct evs_slice host, struct evs_slice known)
{
    if (host.count < known.count) {
        return false;
    }
    const size_t front = host.count - known.count;
    return (front == 0 || host.data[front - 1] == '.') &&
           same_text((struct evs_slice){host.data + front, known.count}, known);
}

static enum medium medium_of_host(const struct evs_domains *domains, struct evs_slice host)
{
    const struct evs_slice suffix = evs_domain_suffix(domains, host);
    const struct evs_slice name = {host.data, host.count - suffix.count}; /* with the dot behind it */
    for (size_t i = 0; i < EVS_COUNT(hosts); i++) {
        const struct evs_slice known = evs_slice_of(hosts[i].host);
        if (is_or_below(known.data[known.count - 1] == '.' ? name : host, known)) {
            return hosts[i].medium;
        }
    }
    return REFERRAL;
}

static bool medium_of_campaign(struct evs_slice query, enum medium *medium)
{
    struct evs_slice value;
    if (evs_url_parameter(query, EVS_SLICE("utm_medium"), &value)) {
        for (size_t i = 0; i < EVS_COUNT(utm_mediums); i++) {
            if (same_text(value, evs_slice_of(utm_mediums[i].text))) {
                *medium = utm_mediums[i].medium;
                return true;
            }
        }
    }
    for (size_t i = 0; i < EVS_COUNT(ad_click_ids); i++) {
        if (evs_url_parameter(query, evs_slice_of(ad_click_ids[i]), &value)) {
            *medium = PAID;
            return true;
        }
    }
    return false;
}

static bool same_site(const struct evs_domains *domains, struct evs_slice a, struct evs_slice b)
{
    const struct evs_slice a_domain = evs_domain_registered(domains, a), b_domain = evs_domain_registered(domains, b);
    const bool known = a_domain.count > 0 && b_domain.count > 0;
    const struct evs_slice left = known ? a_domain : a, right = known ? b_domain : b; /* localhost, addresses */
    return left.count == right.count && strncasecmp(left.data, right.data, left.count) == 0;
}

static enum medium medium_of(const struct evs_domains *domains, struct evs_slice referrer, struct evs_slice page)
{
    enum medium medium;
    const struct evs_url from = evs_url_split(referrer), to = evs_url_split(page);
    if (medium_of_campaign(to.query, &medium)) {
        return medium;
    }
    if (from.host.count == 0) {
        return DIRECT;
    }
    return to.host.count > 0 && same_site(domains, from.host, to.host) ? INTERNAL : medium_of_host(domains, from.host);
}

static evs_status prepare_domains(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                  struct evs_error *error)
{
    (void)expr;
    (void)error;
    *prepared = evs_domains_new(arena);
    return EVS_OK;
}

static struct evs_str name_of(enum medium medium)
{
    const char *name = medium_names[medium];
    return evs_str_make(name, (uint32_t)strlen(name)); /* short: it stands in the view */
}
/* NULL is the empty text: a visit without a referrer is one of no referrer. */
static struct evs_slice text_or_empty(const struct evs_call *call, uint32_t argument, uint32_t row)
{
    const bool given = argument < call->argument_count && evs_column_is_valid(call->arguments[argument], row);
    return given ? evs_str_slice(EVS_COLUMN_AT(call->arguments[argument], struct evs_str, row)) : EVS_SLICE("");
}
static void referrer_medium(struct evs_call *call)
{
    struct evs_str *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        out[row] = name_of(medium_of(call->step->prepared, text_or_empty(call, 0, row), text_or_empty(call, 1, row)));
    }
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define S EVS_STRING
static const struct evs_overload overloads[] = {
    {.name = "url_param",
     .kernel = url_param,
     .result = S,
     .arguments = {S, S},
     .required = 2,
     .flags = EVS_CALL_FALLIBLE | EVS_CALL_NULLABLE},
    {.name = "url_path", .kernel = url_path, .result = S, .arguments = {S}, .required = 1, .flags = EVS_CALL_NULLABLE},
    {.name = "user_agent_is_bot",
     .kernel = is_bot,
     .prepare = prepare_bots,
     .result = EVS_BOOL,
     .arguments = {S},
     .required = 1},
    {.name = "referrer_medium",
     .kernel = referrer_medium,
     .prepare = prepare_domains,
     .result = S,
     .arguments = {S, S},
     .required = 1,
     .flags = EVS_CALL_SEES_NULL},
};

#define ENTRY(name_, signature_, meaning_, example_, result_)                                                          \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_NET, .signature = (signature_), .meaning = (meaning_),                   \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    ENTRY("url_param", "url_param(url string, name string) → string",
          "The first parameter of this name, decoded; NULL when there is none.",
          "url_param('https://shop.com/?utm_source=spring%20mail&x=1', 'utm_source')", "spring mail"),
    ENTRY("url_path", "url_path(url string) → string",
          "What stands between host and parameters, as it is written; / when there is nothing.",
          "url_path('https://shop.com/cart/add?sku=A')", "/cart/add"),
    ENTRY("user_agent_is_bot", "user_agent_is_bot(user_agent string) → bool",
          "Whether it names a crawler, a monitor, a preview, a library or a steered browser, or is empty. Who hides is "
          "not "
          "found.",
          "user_agent_is_bot('Mozilla/5.0 (compatible; Googlebot/2.1)')", "true"),
    ENTRY("referrer_medium", "referrer_medium(referrer string [, page string]) → string",
          "Where a visit came from: paid, email, social, search, affiliate, referral by utm_medium or an ad's click id "
          "of "
          "the page; direct without a referrer; internal from the same domain; else search, social, email or ai by a "
          "list "
          "of well-known hosts, and referral. NULL is taken as empty.",
          "referrer_medium('https://www.google.co.uk/', 'https://shop.com/cart')", "search"),
};

const struct evs_family evs_family_web = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
