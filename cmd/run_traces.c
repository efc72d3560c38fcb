#include "run_traces.h"

#include <stdlib.h>
#include <string.h>

static const char *set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* A general endpoint is the root of three: the path of traces is put behind it. */
static bool find_endpoint(const char *endpoint, struct evs_buffer *out)
{
    const char *disabled = set("OTEL_SDK_DISABLED");
    const char *traces = set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), *general = set("OTEL_EXPORTER_OTLP_ENDPOINT");
    if (endpoint != NULL) {
        evs_buffer_puts(out, endpoint);
    } else if (disabled != NULL && strcmp(disabled, "true") == 0) {
        return false;
    } else if (traces != NULL) {
        evs_buffer_puts(out, traces);
    } else if (general != NULL) {
        size_t count = strlen(general);
        evs_buffer_printf(out, "%s%sv1/traces", general, general[count - 1] == '/' ? "" : "/");
    }
    evs_buffer_put(out, "", 1);
    return out->count > 1;
}

evs_status evs_run_traces(const char *endpoint, double share, const struct evs_os *os, struct evs_log *log,
                          struct evs_otlp **otlp, struct evs_error *error)
{
    struct evs_buffer url = {0};
    evs_status status = EVS_OK;
    const char *headers = set("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
    *otlp = NULL;
    if (find_endpoint(endpoint, &url)) {
        struct evs_otlp_options options = {
            .os = os,
            .log = log,
            .endpoint = url.data,
            .headers = headers != NULL ? headers : set("OTEL_EXPORTER_OTLP_HEADERS"),
            .service_name = set("OTEL_SERVICE_NAME"),
            .share = share > 0 ? share : EVS_TRACE_SHARE_DEFAULT,
        };
        status = evs_otlp_new(&options, otlp, error);
    }
    evs_buffer_fini(&url);
    return status;
}
