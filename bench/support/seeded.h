/* What generators of benchmarks share: numbers that look random and are the same on every machine, and files in a folder.
 *
 * One thread, one row of numbers. Whoever takes one more number changes every byte that is made after it, so figures of before are then of other input. */
#ifndef EVS_BENCH_SEEDED_H
#define EVS_BENCH_SEEDED_H

#include <stdint.h>
#include <stdio.h>

/* Begins the row anew; without it, it begins as after evs_bench_seed(1). */
void evs_bench_seed(uint64_t seed);

uint64_t evs_bench_random(void);

/* FOLDER/NAME to write, from its start, with a large buffer. Ends the program where that fails, as evs_bench_shut does when not all could be written. */
FILE *evs_bench_open(const char *folder, const char *name);
void evs_bench_shut(FILE *file);

#endif
