#include "cors.h"

#include <string.h>
#include <strings.h>

bool evs_cors_matches(const char *entry, const char *origin)
{
    if (strcmp(entry, "*") == 0) {
        return true;
    }
    const char *star = strstr(entry, "://*.");
    if (star == NULL) {
        return strcasecmp(entry, origin) == 0;
    }
    size_t scheme = (size_t)(star - entry) + 3;
    const char *suffix = entry + scheme + 1; /* ".shop.example" */
    size_t count = strlen(suffix), length = strlen(origin);
    return strncasecmp(entry, origin, scheme) == 0 && length > scheme + count && strchr(origin + scheme, '/') == NULL &&
           strcasecmp(origin + length - count, suffix) == 0;
}

bool evs_cors_is_entry(const char *entry)
{
    if (strcmp(entry, "*") == 0 ||
        strcmp(entry, "null") == 0) { /* "null": pages without an origin, of a file for one */
        return true;
    }
    const char *host = strstr(entry, "://");
    if (host == NULL || host == entry) {
        return false;
    }
    host += strncmp(host + 3, "*.", 2) == 0 ? 5 : 3;
    return *host != '\0' && host[strcspn(host, "/?#*@, \t")] == '\0';
}

bool evs_cors_allows(const struct evs_names *list, const char *origin)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (evs_cors_matches(list->items[i], origin)) {
            return true;
        }
    }
    return false;
}

bool evs_cors_is_same(const char *origin, const char *host)
{
    const char *scheme = strstr(origin, "://");
    return scheme != NULL && strcasecmp(scheme + 3, host) == 0;
}
