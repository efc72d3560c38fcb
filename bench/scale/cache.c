/* What the machine's caches and memory take for one more random access, by the size of what is accessed: the measure for how much dearer a row may become
 * when there are more keys.
 *
 *   evs_bench_cache BYTES     prints nanoseconds an access of processor time
 *
 * A cache line is found by the one before it, so accesses do not overlap: the worst case. The pages are huge where the kernel gives such, as the engine's
 * large tables have it. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "seeded.h"

#define LINE_BYTES 64u
#define ACCESSES 20000000u
#define HUGE_BYTES ((size_t)2 << 20)

struct line {
    uint32_t next, count;
    uint8_t rest[LINE_BYTES - 8];
};

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One circle through all lines, in random order (Sattolo). */
static void tie(struct line *lines, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        lines[i].next = i;
    }
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t other = (uint32_t)(evs_bench_random() % i), kept = lines[i].next;
        lines[i].next = lines[other].next;
        lines[other].next = kept;
    }
}

int main(int argc, char **argv)
{
    size_t bytes = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    uint32_t count = (uint32_t)(bytes / LINE_BYTES), at = 0;
    size_t room = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    if (count < 2 || bytes / LINE_BYTES > UINT32_MAX) {
        fprintf(stderr, "usage: evs_bench_cache BYTES\n");
        return 2;
    }
    struct line *lines = aligned_alloc(HUGE_BYTES, room);
    if (lines == NULL) {
        perror("evs_bench_cache");
        return 1;
    }
    madvise(lines, room, MADV_HUGEPAGE);
    tie(lines, count);
    double begun = cpu_ns();
    for (uint32_t i = 0; i < ACCESSES; i++) {
        lines[at].count++;
        at = lines[at].next;
    }
    printf("%.2f\n", (cpu_ns() - begun) / ACCESSES);
    return at == UINT32_MAX; /* never: it keeps the loop */
}
