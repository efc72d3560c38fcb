/* Where `run` sends traces: --otlp, or what OpenTelemetry's own environment says. */
#ifndef EVS_RUN_TRACES_H
#define EVS_RUN_TRACES_H

#include "otlp.h"

#define EVS_TRACE_SHARE_DEFAULT 0.01

/* *otlp NULL: nothing is traced. `endpoint` NULL: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT, unless OTEL_SDK_DISABLED is true; `share` 0: not said. */
EVS_MUST_CHECK evs_status evs_run_traces(const char *endpoint, double share, const struct evs_os *os,
                                         struct evs_log *log, struct evs_otlp **otlp, struct evs_error *error);

#endif
