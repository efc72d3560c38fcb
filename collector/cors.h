/* Which pages may send: the Origin header against allow-lists.
 *
 * Browsers name the page's origin, and let a script read the answer only if it is told back. Everything else that sends (apps,
 * servers) has no Origin. A page of the collector's own host needs no entry. */
#ifndef EVS_CORS_H
#define EVS_CORS_H

#include "config.h"

/* An entry is "*", an origin ("https://shop.example", "http://localhost:3000"), or one with a star for any names in front of the
 * host ("https://(star).shop.example"). Hosts are compared without regard to case. */
bool evs_cors_matches(const char *entry, const char *origin);
/* Can a browser ever say what the entry allows? Without a scheme, or with a path behind the host, it cannot. */
bool evs_cors_is_entry(const char *entry);
bool evs_cors_allows(const struct evs_names *list, const char *origin);
/* Does `origin` name the host that the request went to? */
bool evs_cors_is_same(const char *origin, const char *host);

#endif
