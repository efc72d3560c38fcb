/* Which addresses a webhook may be sent to. */
#ifndef EVS_HTTP_GUARD_H
#define EVS_HTTP_GUARD_H

#include <stdbool.h>

struct sockaddr;

/* Is the address one of this machine, of a private network, of a cloud's metadata service, or otherwise not of the public internet? Unknown
 * families are. */
bool evs_address_is_private(const struct sockaddr *address);
/* The same of a host as a URL has it: an address in digits, in brackets where it is one of IPv6, or `localhost`. A name says nothing: false. */
bool evs_host_is_private(const char *host);

#endif
