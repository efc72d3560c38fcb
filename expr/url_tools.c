/* URLs by best effort, and the domains of their hosts; libpsl has the list of public suffixes (url_tools.h). */
#include "url_tools.h"

#include <libpsl.h>
#include <unicase.h>

#include "text_tools.h"

/* --- taking apart ------------------------------------------------------------------------------------------------- */

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}
static bool ends_host(char c)
{
    return is_slash(c) || c == '?' || c == '#';
}
static struct evs_slice part(struct evs_slice text, size_t from, size_t to)
{
    EVS_ASSERT(from <= to && to <= text.count);
    return (struct evs_slice){text.data + from, to - from};
}
/* The first place at or behind `from` with this character, or the text's end. */
static size_t find_char(struct evs_slice text, size_t from, char c)
{
    const char *hit = from < text.count ? memchr(text.data + from, c, text.count - from) : NULL;
    return hit ? (size_t)(hit - text.data) : text.count;
}

/* Behind `//` or `scheme://`. Only the first colon can end a scheme: in `mailto:a@b.com` none does. */
static size_t authority_start(struct evs_slice text)
{
    if (text.count >= 2 && is_slash(text.data[0]) && is_slash(text.data[1])) {
        return 2;
    }
    size_t colon = 0;
    while (colon < text.count && text.data[colon] != ':' && !ends_host(text.data[colon])) {
        colon++;
    }
    const bool is_scheme = colon + 2 < text.count && text.data[colon] == ':' && is_slash(text.data[colon + 1]) &&
                           is_slash(text.data[colon + 2]);
    return is_scheme ? colon + 3 : 0;
}

/* Dots in front go, and of those behind all but one. */
static struct evs_slice without_dots(struct evs_slice host)
{
    while (host.count > 0 && host.data[0] == '.') {
        host.data++;
        host.count--;
    }
    while (host.count > 1 && host.data[host.count - 1] == '.' && host.data[host.count - 2] == '.') {
        host.count--;
    }
    return host;
}

/* From `user:password@host:port`, where the host may be an IPv6 address in brackets. */
static struct evs_slice host_of(struct evs_slice authority)
{
    const char *at = memrchr(authority.data, '@', authority.count);
    struct evs_slice host = part(authority, at ? (size_t)(at - authority.data) + 1 : 0, authority.count);
    size_t behind_address = 0;
    if (host.count > 0 && host.data[0] == '[') {
        behind_address = 1;
        while (behind_address < host.count && host.data[behind_address] != '[' && host.data[behind_address] != ']') {
            behind_address++;
        }
    }
    return without_dots(part(host, 0, find_char(host, behind_address, ':')));
}

struct evs_url evs_url_split(struct evs_slice text)
{
    text = evs_trimmed(text);
    const size_t start = authority_start(text);
    size_t end = start;
    while (end < text.count && !ends_host(text.data[end])) {
        end++;
    }
    const struct evs_slice page = part(text, 0, find_char(text, end, '#'));
    const size_t mark = find_char(page, end, '?');
    return (struct evs_url){
        .host = host_of(part(text, start, end)),
        .path = part(page, end, mark),
        .query = part(page, mark < page.count ? mark + 1 : mark, page.count),
    };
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    const char lowered = (char)(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : lowered >= 'a' && lowered <= 'f' ? lowered - 'a' + 10 : -1;
}

/* The decoded byte at the front, which is taken away. A % that no two digits follow stands for itself. */
static char take_decoded(struct evs_slice *text)
{
    const bool has_digits = text->count >= 3 && text->data[0] == '%';
    const int high = has_digits ? hex_value(text->data[1]) : -1, low = has_digits ? hex_value(text->data[2]) : -1;
    const bool encoded = high >= 0 && low >= 0;
    const char c = encoded ? (char)(high * 16 + low) : text->data[0] == '+' ? ' ' : text->data[0];
    text->data += encoded ? 3 : 1;
    text->count -= encoded ? 3 : 1;
    return c;
}

size_t evs_url_decode(struct evs_slice text, char *out)
{
    size_t count = 0;
    while (text.count > 0) {
        out[count++] = take_decoded(&text);
    }
    return count;
}

static bool decodes_to(struct evs_slice encoded, struct evs_slice wanted)
{
    while (encoded.count > 0 && wanted.count > 0) {
        if (take_decoded(&encoded) != wanted.data[0]) {
            return false;
        }
        wanted.data++;
        wanted.count--;
    }
    return encoded.count == 0 && wanted.count == 0;
}

bool evs_url_parameter(struct evs_slice query, struct evs_slice name, struct evs_slice *value)
{
    for (size_t from = 0; from < query.count;) {
        const size_t end = find_char(query, from, '&');
        const struct evs_slice pair = part(query, from, end);
        const size_t sign = find_char(pair, 0, '=');
        if (decodes_to(part(pair, 0, sign), name)) {
            *value = part(pair, sign < pair.count ? sign + 1 : sign, pair.count);
            return true;
        }
        from = end + 1;
    }
    return false;
}

/* --- domains ------------------------------------------------------------------------------------------------------ */

struct evs_domains {
    psl_ctx_t *list;
};

static void release_list(void *list)
{
    psl_free(list);
}

const struct evs_domains *evs_domains_new(struct evs_arena *arena)
{
    struct evs_domains *domains = EVS_ARENA_NEW(arena, struct evs_domains);
    domains->list = psl_latest(NULL); /* the system's file, or what the library was built with when that is newer */
    if (domains->list != NULL) {
        evs_arena_defer(arena, release_list, domains->list);
    }
    return domains;
}

#define HOST_BYTES_MAX 512 /* a name of DNS has 253 at most, in ASCII */

/* Lower case and NUL-terminated, without the dot at the end; false for what cannot be a name. */
static bool normal_host(struct evs_slice host, char out[HOST_BYTES_MAX])
{
    size_t bytes = HOST_BYTES_MAX - 1;
    if (host.count > 0 && host.data[host.count - 1] == '.') {
        host.count--;
    }
    if (host.count == 0 || host.count > bytes || memmem(host.data, host.count, "..", 2) != NULL) {
        return false;
    }
    char *lowered = (char *)u8_tolower((const uint8_t *)host.data, host.count, NULL, NULL, (uint8_t *)out, &bytes);
    if (lowered != out) {
        evs_free(lowered); /* longer than the room */
        return false;
    }
    out[bytes] = '\0';
    for (char *nul = out; (nul = memchr(nul, '\0', bytes - (size_t)(nul - out))) != NULL;) {
        *nul = '_'; /* it would end the name; no suffix has either */
    }
    return true;
}

/* The part of the host behind its dot number `dots` from the end; the whole host when it has fewer. */
static struct evs_slice last_labels(struct evs_slice host, uint32_t dots)
{
    size_t from = host.count;
    while (from > 0 && (host.data[from - 1] != '.' || dots-- > 0)) {
        from--;
    }
    return part(host, from, host.count);
}

/* How many labels the host's public suffix has; 0 when it has none. `all`: labels of the host. */
static uint32_t suffix_labels(const struct evs_domains *domains, struct evs_slice host, uint32_t *all)
{
    char name[HOST_BYTES_MAX];
    if (domains->list == NULL || !normal_host(host, name)) {
        return 0;
    }
    *all = 1;
    for (const char *at = name; *at != '\0'; at++) {
        *all += *at == '.';
    }
    uint32_t labels = *all;
    for (const char *at = name; at != NULL; labels--) {
        if (psl_is_public_suffix2(domains->list, at, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE)) {
            return labels;
        }
        at = strchr(at, '.');
        at = at ? at + 1 : NULL;
    }
    return 0;
}

static struct evs_slice end_of(struct evs_slice host, uint32_t labels)
{
    const bool has_root = host.data[host.count - 1] == '.';
    return last_labels(host, labels - 1 + has_root);
}

struct evs_slice evs_domain_suffix(const struct evs_domains *domains, struct evs_slice host)
{
    uint32_t all = 0;
    const uint32_t labels = suffix_labels(domains, host, &all);
    return labels > 0 ? end_of(host, labels) : EVS_SLICE("");
}

struct evs_slice evs_domain_registered(const struct evs_domains *domains, struct evs_slice host)
{
    uint32_t all = 0;
    const uint32_t labels = suffix_labels(domains, host, &all);
    return labels > 0 && all > labels ? end_of(host, labels + 1) : EVS_SLICE("");
}
