/* The safe reader of a JetStream stream: lanes (nats_lane.h) over one wire (nats_wire.h), behind what the source contract asks. */
#ifndef EVS_NATS_READER_H
#define EVS_NATS_READER_H

#include "nats_wire.h"

#define EVS_NATS_PARTITIONS_MAX 1024

struct evs_nats_reader_config {
    const char *stream;
    const char *subject;      /* filter; "": everything in the stream */
    uint32_t partitions;      /* of the stream; 1: subjects have no partition token */
    uint32_t partition_token; /* from 1 */
    int64_t in_flight_bytes, heartbeat_us;
    const char *domain; /* of JetStream, or "" */
    const char *inbox_prefix;
    /* of a stream that --create makes */
    int64_t max_age_us, max_bytes, duplicate_window_us;
    enum evs_nats_transport transport;
    const char *tls_ca, *tls_cert, *tls_key; /* "": none */
};

struct evs_nats_reader;
EVS_MUST_CHECK evs_status evs_nats_reader_open(const struct evs_nats_reader_config *config,
                                               const struct evs_source_open *open, struct evs_nats_reader **reader,
                                               struct evs_error *error);
evs_status evs_nats_reader_poll(struct evs_nats_reader *reader, struct evs_message *messages, uint32_t max,
                                uint32_t *count, struct evs_error *error);
void evs_nats_reader_state(struct evs_nats_reader *reader, struct evs_source_state *state);
uint32_t evs_nats_reader_wait_fds(struct evs_nats_reader *reader, struct evs_wait_fd *fds, uint32_t max);
void evs_nats_reader_committed(struct evs_nats_reader *reader);
uint32_t evs_nats_reader_resolved(struct evs_nats_reader *reader, struct evs_position *positions, uint32_t max);
/* For tests and for the library's leases: the name of the transport in use, and dropping its connection. */
const char *evs_nats_reader_transport(const struct evs_nats_reader *reader);
void evs_nats_reader_reconnect(struct evs_nats_reader *reader);
void evs_nats_reader_close(struct evs_nats_reader *reader);

/* Does the subject's last `>` begin at or before the partition's token, so that subjects may end there? `exact` gets the pattern of
 * those that do ("clicks.>", 2 → "clicks.*"). */
bool evs_nats_subject_ends_at(const char *subject, uint32_t token, char *exact, size_t bytes);
/* The filter of one partition: `subject` with its token number `token` replaced ("clicks.>", 2, 7 → "clicks.7.>"). False when the
 * subject is shorter than that, or names another token there. */
bool evs_nats_partition_filter(const char *subject, uint32_t token, uint32_t partition, char *out, size_t bytes);

#endif
