/* TLS for the collector's connections: OpenSSL behind libevent's bufferevents, in the same loop. */
#ifndef EVS_TLS_H
#define EVS_TLS_H

#include <event2/bufferevent.h>

#include "evstream/status.h"

/* TLS 1.2 and later, HTTP/1.1 by ALPN. EVS_E_USAGE with what OpenSSL says about the files. */
EVS_MUST_CHECK evs_status evs_tls_open(const char *certificate, const char *key, void **tls, struct evs_error *error);
void evs_tls_close(void *tls); /* NULL is allowed */

/* A bufferevent without a socket yet, that will do the server's side of the handshake. */
struct bufferevent *evs_tls_bufferevent(void *tls, struct event_base *base);

#endif
