/* What unit tests share: a check for hot loops, reproducible random numbers, and the end of main(). */
#ifndef EVS_UNIT_H
#define EVS_UNIT_H

#include <check.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* As ck_assert_msg, for loops of millions: libcheck's own writes a line to a file each time, whether it holds or not. */
#define UNIT_CHECK(condition, ...)                                                                                     \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            ck_abort_msg(__VA_ARGS__);                                                                                 \
        }                                                                                                              \
    } while (0)

/* splitmix64: the same numbers in every run. */
static inline uint64_t unit_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* How many random cases to try. Under a sanitizer each takes about twenty times as long and all have been tried without one, so an eighth is
 * tried there; `./dev test --full` asks for all. */
static inline uint32_t unit_cases(uint32_t count)
{
    bool is_sanitized = false;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    is_sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    is_sanitized = true;
#endif
#endif
    return is_sanitized && getenv("EVS_UNIT_FULL") == NULL ? count / 8 : count;
}

static inline int unit_remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Removes a folder of the test and all in it. */
static inline void unit_remove_folder(const char *path)
{
    ck_assert_int_eq(nftw(path, unit_remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Runs a suite; the value is that of main(). */
static inline int unit_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
