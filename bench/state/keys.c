/* Rows to fill a state with, and to keep it busy: every key once, then rows of a hot part of the keys.
 *
 *   evs_bench_keys KEYS [ROWS HOT] > keys.ndjson
 *
 * About 60 bytes a row; a microsecond of event time each. Seeded: the same rows every time. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 42;

static uint64_t next_random(void) /* splitmix64 */
{
    uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static void print_row(uint64_t number, uint64_t key)
{
    printf("{\"us\":%llu,\"key\":\"user-%llu\",\"value\":%llu}\n", 1700000000000000 + (unsigned long long)number,
           (unsigned long long)key, (unsigned long long)(next_random() % 1000));
}

int main(int count, char **arguments)
{
    uint64_t keys = count > 1 ? strtoull(arguments[1], NULL, 10) : 0;
    uint64_t rows = count > 2 ? strtoull(arguments[2], NULL, 10) : 0;
    uint64_t hot = count > 3 ? strtoull(arguments[3], NULL, 10) : 1;
    if (keys == 0 || hot == 0) {
        fprintf(stderr, "usage: evs_bench_keys KEYS [ROWS HOT]\n");
        return 2;
    }
    for (uint64_t i = 0; i < keys; i++) {
        print_row(i, i);
    }
    for (uint64_t i = 0; i < rows; i++) {
        print_row(keys + i, next_random() % hot * (keys / hot > 0 ? keys / hot : 1));
    }
    return ferror(stdout) || fflush(stdout) != 0;
}
