/* Random numbers of the real system. A call costs a system call: they are for nonces and jitter, a few a second. */
#include <errno.h>
#include <sys/random.h>

#include "os_system.h"

uint64_t evs_system_random_next(void *self)
{
    (void)self;
    uint64_t value;
    ssize_t got;
    do {
        got = getrandom(&value, sizeof value, 0);
    } while (got < 0 && errno == EINTR);
    EVS_ASSERT(got == (ssize_t)sizeof value); /* up to 256 bytes are never cut short (getrandom(2)) */
    return value;
}
