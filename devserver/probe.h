/* Small questions to servers of this machine: is it there, does it answer as it should. */
#ifndef EVS_DEV_PROBE_H
#define EVS_DEV_PROBE_H

#include "evstream/text.h"

#define PROBE_QUICK_MS 100
#define PROBE_PATIENT_MS 5000

/* Does the server on 127.0.0.1:port answer `ask` with something that holds `expected`? Waits that long at most. */
bool evs_dev_answers(uint16_t port, struct evs_slice ask, const char *expected, int wait_ms);

/* A port of 127.0.0.1 that nobody listens on; `wanted` if it is free. 0: there is none. */
uint16_t evs_dev_free_port(uint16_t wanted);

#endif
