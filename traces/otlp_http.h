/* The one file that calls libcurl for traces: a POST, with a limit of time. Each call may be ended from outside. */
#ifndef EVS_OTLP_HTTP_H
#define EVS_OTLP_HTTP_H

#include <stdatomic.h>

#include "evstream/memory.h"
#include "evstream/text.h"

struct evs_otlp_http;

struct evs_otlp_answer {
    long status;            /* of HTTP; 0: none came */
    int64_t retry_us;       /* of Retry-After, where it is a number of seconds; 0: not said */
    struct evs_buffer body; /* its start */
    char error[256];        /* why none came */
};

/* NULL with a text in `error`: the address is none. `headers` as OTEL_EXPORTER_OTLP_HEADERS, or NULL. */
struct evs_otlp_http *evs_otlp_http_new(const char *url, const char *headers, struct evs_error *error);
void evs_otlp_http_post(struct evs_otlp_http *http, struct evs_slice body, const _Atomic bool *ends,
                        struct evs_otlp_answer *answer);
void evs_otlp_http_free(struct evs_otlp_http *http);

#endif
