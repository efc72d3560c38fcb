#include "seeded.h"

#include <stdlib.h>

#define BUFFER_BYTES ((size_t)1 << 20)

static uint64_t seeded_state = 1;

void evs_bench_seed(uint64_t seed)
{
    seeded_state = seed;
}

uint64_t evs_bench_random(void) /* splitmix64 */
{
    uint64_t z = (seeded_state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

FILE *evs_bench_open(const char *folder, const char *name)
{
    char path[4096];
    int count = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (count < 0 || (size_t)count >= sizeof path) {
        fprintf(stderr, "%s: this path is too long\n", folder);
        exit(1);
    }
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    setvbuf(file, NULL, _IOFBF, BUFFER_BYTES);
    return file;
}

void evs_bench_shut(FILE *file)
{
    int failed = ferror(file);
    if (fclose(file) != 0 || failed) {
        perror("a file of the benchmark could not be written");
        exit(1);
    }
}
