/* The system's clocks, moved as the fake world says (run_fakes.h). */
#include "run_fakes.h"

static int64_t fake_monotonic_us(void *self)
{
    const struct fake_world *world = self;
    const struct evs_clock *clock = &evs_os_system()->clock;
    return clock->monotonic_us(clock->self) * (world->clock_factor == 0 ? 1 : world->clock_factor) +
           atomic_load(&world->passed_us);
}

static int64_t fake_boot_us(void *self)
{
    const struct fake_world *world = self;
    const struct evs_clock *clock = &evs_os_system()->clock;
    return clock->boot_us(clock->self) + atomic_load(&world->asleep_us);
}

static int64_t fake_wall_us(void *self)
{
    const struct evs_clock *clock = &evs_os_system()->clock;
    (void)self;
    return clock->wall_us(clock->self);
}

static void fake_sleep_us(void *self, int64_t us)
{
    const struct evs_clock *clock = &evs_os_system()->clock;
    (void)self;
    clock->sleep_us(clock->self, us);
}

const struct evs_os *fake_os(struct fake_world *world)
{
    if (world->os.clock.self == world) { /* threads of a run are looking at it */
        return &world->os;
    }
    world->os = *evs_os_system();
    world->os.clock = (struct evs_clock){.monotonic_us = fake_monotonic_us,
                                         .boot_us = fake_boot_us,
                                         .wall_us = fake_wall_us,
                                         .sleep_us = fake_sleep_us,
                                         .self = world};
    return &world->os;
}
