/* Parts of URLs, as views into the text, and the domains of hosts.
 *
 *   https://user:pass@www.shop.co.uk:8080/cart?utm_source=mail#top
 *                     └────host────┘     └path┘└────query────┘
 *                         └reg_domain┘ └┘ public suffix: co.uk
 *
 * A URL is taken apart by best effort, as GoogleSQL's net.host does it: nothing is an error, backslashes are slashes, and a text without
 * `//` begins with its host. */
#ifndef EVS_EXPR_URL_TOOLS_H
#define EVS_EXPR_URL_TOOLS_H

#include "internal.h"

struct evs_url {
    struct evs_slice host;  /* without port and user; empty when there is none */
    struct evs_slice path;  /* with its first slash; may be empty */
    struct evs_slice query; /* without the question mark */
};
struct evs_url evs_url_split(struct evs_slice text);

/* The value of the first parameter of this name, still encoded; false when there is none. */
bool evs_url_parameter(struct evs_slice query, struct evs_slice name, struct evs_slice *value);
/* %xx and + resolved, at most as long as the text: returns the bytes written, which need not be UTF-8. */
size_t evs_url_decode(struct evs_slice text, char *out);

/* --- domains ------------------------------------------------------------------------------------------------------ */

/* The list of public suffixes (publicsuffix.org): the newest that the system has. Immutable. */
struct evs_domains;
/* Lives as long as the arena. */
const struct evs_domains *evs_domains_new(struct evs_arena *arena);
/* The end of the host that is a public suffix of ICANN's part of the list; empty when there is none. */
struct evs_slice evs_domain_suffix(const struct evs_domains *domains, struct evs_slice host);
/* The suffix and one label before it; empty when there is none. */
struct evs_slice evs_domain_registered(const struct evs_domains *domains, struct evs_slice host);

/* --- addresses (func_net.c) --------------------------------------------------------------------------------------- */

#define EVS_IPV4_BYTES 4
#define EVS_IPV6_BYTES 16
/* Reads an address; its length in bytes, 0 when it is none. */
uint32_t evs_ip_parse(struct evs_slice text, uint8_t address[EVS_IPV6_BYTES]);
/* Clears all bits but the first `kept_bits`. */
void evs_ip_clear(uint8_t *address, uint32_t bytes, uint32_t kept_bits);

#endif
