/* Clocks of the real system. */
#include <errno.h>
#include <time.h>

#include "os_system.h"

#define US_PER_SECOND INT64_C(1000000)

static int64_t read_clock_us(clockid_t clock)
{
    struct timespec now;
    int result = clock_gettime(clock, &now);
    EVS_ASSERT(result == 0);
    EVS_ASSERT(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

int64_t evs_system_monotonic_us(void *self)
{
    (void)self;
    return read_clock_us(CLOCK_MONOTONIC);
}

int64_t evs_system_boot_us(void *self)
{
    (void)self;
    return read_clock_us(CLOCK_BOOTTIME);
}

int64_t evs_system_wall_us(void *self)
{
    (void)self;
    return read_clock_us(CLOCK_REALTIME);
}

void evs_system_sleep_us(void *self, int64_t us)
{
    (void)self;
    if (us <= 0) {
        return;
    }
    /* An absolute end, so that signals do not stretch the sleep. */
    struct timespec end;
    int result = clock_gettime(CLOCK_MONOTONIC, &end);
    EVS_ASSERT(result == 0);
    end.tv_sec += us / US_PER_SECOND;
    end.tv_nsec += (us % US_PER_SECOND) * 1000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    while ((result = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL)) == EINTR) {
    }
    EVS_ASSERT(result == 0);
}
