/* Private to live/: dead letters over HTTP (docs/operations/dead-letters.md).
 *
 *   GET  /api/v1/dlq?pipeline=NAME[&limit=N][&reason=R][&source=S][&id=ID]   {"letters":[…],"complete":true}: the newest first
 *   POST /api/v1/dlq/resend?pipeline=NAME&id=ID[&again]                      {"resent":1,"sequence":N,…}; a body is sent instead of the original text
 *
 * An error is {"error":"sentence"}: 400 what was asked is wrong, 409 it may not be sent (again), 502 a server does not do its part. */
#ifndef EVS_LIVE_DLQ_H
#define EVS_LIVE_DLQ_H

#include "server.h"

void evs_live_get_letters(struct evs_live_server *server, struct evhttp_request *request);
void evs_live_resend_letter(struct evs_live_server *server, struct evhttp_request *request);

#endif
