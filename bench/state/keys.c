/* Rows to fill a state with, and to keep it busy: every key once, then rows of a hot part of the keys.
 *
 *   evs_bench_keys KEYS [ROWS HOT] > keys.ndjson
 *
 * About 60 bytes a row; a microsecond of event time each. Seeded: the same rows every time. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "seeded.h"

static void print_row(uint64_t number, uint64_t key)
{
    printf("{\"us\":%llu,\"key\":\"user-%llu\",\"value\":%llu}\n", 1700000000000000 + (unsigned long long)number,
           (unsigned long long)key, (unsigned long long)(evs_bench_random() % 1000));
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
    evs_bench_seed(42);
    for (uint64_t i = 0; i < keys; i++) {
        print_row(i, i);
    }
    for (uint64_t i = 0; i < rows; i++) {
        print_row(keys + i, evs_bench_random() % hot * (keys / hot > 0 ? keys / hot : 1));
    }
    return ferror(stdout) || fflush(stdout) != 0;
}
