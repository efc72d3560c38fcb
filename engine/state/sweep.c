/* The pace of rolling snapshots; the idea is in sweep.h. */
#include "sweep.h"

uint64_t evs_sweep_state_bytes(const struct evs_sweep *sweep)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < EVS_RANGES; i++) {
        bytes += sweep->copies[i].bytes;
    }
    return bytes;
}

/* Bytes of changes that pay for the copy of one range. */
static uint64_t price(const struct evs_sweep *sweep, uint64_t bytes_min)
{
    uint64_t bytes = evs_sweep_state_bytes(sweep);
    bytes = bytes > bytes_min ? bytes : bytes_min;
    return bytes / EVS_RANGES + 1;
}

struct evs_ranges evs_sweep_next(const struct evs_sweep *sweep, uint64_t bytes_min)
{
    uint64_t count = sweep->credit_bytes / price(sweep, bytes_min);
    return (struct evs_ranges){sweep->next, count < EVS_RANGES ? (uint32_t)count : EVS_RANGES};
}

void evs_sweep_committed(struct evs_sweep *sweep, uint64_t checkpoint, struct evs_ranges ranges, uint64_t copied_bytes,
                         uint64_t changed_bytes, uint64_t bytes_min)
{
    EVS_ASSERT(ranges.count <= EVS_RANGES && ranges.first == sweep->next);
    uint64_t paid = price(sweep, bytes_min) * ranges.count;
    sweep->credit_bytes -= paid < sweep->credit_bytes ? paid : sweep->credit_bytes;
    sweep->credit_bytes = ranges.count == EVS_RANGES ? 0 : sweep->credit_bytes; /* all is copied: nothing is owed */
    sweep->credit_bytes += changed_bytes;
    for (uint32_t i = 0; i < ranges.count; i++) {
        struct evs_range_copy *copy = &sweep->copies[(ranges.first + i) & (EVS_RANGES - 1)];
        *copy = (struct evs_range_copy){checkpoint, copied_bytes / ranges.count};
    }
    sweep->next = (ranges.first + ranges.count) & (EVS_RANGES - 1);
}

uint64_t evs_sweep_begins(const struct evs_sweep *sweep)
{
    return sweep->copies[sweep->next].checkpoint;
}
