/* Whose request it is: the address of the connection or, behind a proxy that is trusted, the one that this proxy has written down. */
#ifndef EVS_PEER_H
#define EVS_PEER_H

#include <event2/http.h>
#include <stdbool.h>
#include <stddef.h>

#define EVS_PEER_BYTES 64

/* "" when it is not known. */
void evs_peer_address(struct evhttp_request *request, bool trust_proxy, char out[EVS_PEER_BYTES]);
/* The last entry of a value of X-Forwarded-For, without a port. */
void evs_peer_forwarded(const char *value, char out[EVS_PEER_BYTES]);

#endif
