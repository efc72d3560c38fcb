#include "peer.h"

#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void evs_peer_forwarded(const char *value, char out[EVS_PEER_BYTES])
{
    const char *comma = strrchr(value, ',');
    const char *entry = comma != NULL ? comma + 1 : value;
    entry += strspn(entry, " \t");
    size_t count = strcspn(entry, " \t");
    const char *colon = memchr(entry, ':', count);
    if (entry[0] == '[') { /* "[2001:db8::1]:443" */
        entry++;
        count = strcspn(entry, "] \t");
    } else if (colon != NULL && memchr(colon + 1, ':', count - (size_t)(colon + 1 - entry)) == NULL) {
        count = (size_t)(colon - entry); /* "203.0.113.7:443" */
    }
    snprintf(out, EVS_PEER_BYTES, "%.*s", (int)(count < EVS_PEER_BYTES ? count : 0), entry);
}

/* What stands last was written by the proxy that we trust, into the last of several headers if it does not append to the one that came; what is
 * before was written by anybody. */
static const char *last_forwarded(struct evhttp_request *request)
{
    const char *found = NULL;
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    for (const struct evkeyval *at = headers->tqh_first; at != NULL; at = at->next.tqe_next) {
        found = strcasecmp(at->key, "X-Forwarded-For") == 0 ? at->value : found;
    }
    return found;
}

void evs_peer_address(struct evhttp_request *request, bool trust_proxy, char out[EVS_PEER_BYTES])
{
    char *peer = NULL;
    ev_uint16_t port;
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    const char *forwarded = trust_proxy ? last_forwarded(request) : NULL;
    if (forwarded != NULL) {
        evs_peer_forwarded(forwarded, out);
        return;
    }
    if (connection != NULL) {
        evhttp_connection_get_peer(connection, &peer, &port);
    }
    snprintf(out, EVS_PEER_BYTES, "%s", peer != NULL ? peer : "");
}
