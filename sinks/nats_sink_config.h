/* The options of a NATS sink. */
#ifndef EVS_NATS_SINK_CONFIG_H
#define EVS_NATS_SINK_CONFIG_H

#include "evstream/sink.h"
#include "nats_wire.h"

#define EVS_NATS_SINK_SUBJECT_MAX 512

struct evs_nats_sink_config {
    const char *subject; /* the template's text */
    const char *stream;  /* "": whichever stores the subject */
    int64_t ack_timeout_us, max_age_us, max_bytes, duplicate_window_us, keep_us, keep_bytes;
    const char *domain, *inbox_prefix, *tls_ca, *tls_cert, *tls_key;
    enum evs_nats_transport transport;
};

extern const struct evs_option evs_nats_sink_options[];
evs_status evs_nats_sink_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **result,
                                   struct evs_error *error);
void evs_nats_sink_keeps(const void *config, int64_t *keep_us, uint64_t *bytes_max);

#endif
