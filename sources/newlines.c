/* How many newlines a block has: vectors of bytes that count downwards in their lanes. */
#include "newlines.h"

/* One body, compiled for the baseline and again for AVX2: vectors of 32 bytes are two of 16 where the processor has no wider ones. A
 * lane counts in a byte, so it is emptied before it can overflow. */
typedef uint8_t lanes __attribute__((vector_size(32), aligned(1)));
#define ROUNDS_MAX 255u

static inline __attribute__((always_inline)) uint64_t count_newlines(const char *text, size_t bytes)
{
    const char *end = text + bytes;
    uint64_t sum = 0;
    while ((size_t)(end - text) >= sizeof(lanes)) {
        size_t rounds = (size_t)(end - text) / sizeof(lanes);
        rounds = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
        lanes counts = {0};
        for (size_t i = 0; i < rounds; i++, text += sizeof(lanes)) {
            counts -= (lanes)(*(const lanes *)text == '\n'); /* true is -1 */
        }
        for (size_t i = 0; i < sizeof(lanes); i++) {
            sum += counts[i];
        }
    }
    for (; text < end; text++) {
        sum += *text == '\n';
    }
    return sum;
}

static uint64_t count_baseline(const char *text, size_t bytes)
{
    return count_newlines(text, bytes);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t count_avx2(const char *text, size_t bytes)
{
    return count_newlines(text, bytes);
}

evs_newlines_kernel evs_newlines(void)
{
    return __builtin_cpu_supports("avx2") ? count_avx2 : count_baseline;
}
#else
evs_newlines_kernel evs_newlines(void)
{
    return count_baseline;
}
#endif
