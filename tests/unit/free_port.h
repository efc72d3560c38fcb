/* A TCP port for a server of a test. */
#ifndef EVS_FREE_PORT_H
#define EVS_FREE_PORT_H

#include <stdint.h>

/* A port of 127.0.0.1 that is the caller's until this process ends, also while its server is down: suites that run side by
 * side agree on it by locks on files (tests/support/evs.py, free_port). It lies below those that the kernel gives to
 * connections, or a client could sit on it while the server is away. Aborts where there is none. */
uint16_t unit_free_port(void);

#endif
