/* Asking for an erasure: a message in the log that a source reads, with the person in a header and no body (engine/run/erase.h). */
#ifndef EVS_NATS_ERASE_H
#define EVS_NATS_ERASE_H

#include "evstream/memory.h"
#include "evstream/os.h"

struct evs_nats_erasure {
    const struct evs_os *os;
    struct evs_log *log;
    const void *source_config; /* of a source that reads from NATS */
    const char *urls, *credentials;
    const char *value, *column; /* column: NULL, any */
    uint64_t id;                /* not 0 */
    uint32_t partition;         /* where it is put, for a source with several */
};

/* "clicks.>" gives "clicks.erase", with a partition's token "clicks.0.erase". False: the source reads no subject that can be written to. */
bool evs_nats_erase_subject(const void *source_config, uint32_t partition, char *subject, size_t bytes);
const char *evs_nats_erase_stream(const void *source_config);
/* Publishes it and waits until it is stored; *sequence is its number. EVS_E_USAGE: the value cannot stand in a header. */
EVS_MUST_CHECK evs_status evs_nats_erase_ask(const struct evs_nats_erasure *erasure, uint64_t *sequence,
                                             struct evs_error *error);

#endif
