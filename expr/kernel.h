/* Macros that make kernels.
 *
 *   EVS_ROW_KERNEL_n    from a function of one row: `static enum evs_row f(struct evs_call *call, const A *a, …, R *out)`
 *   EVS_DENSE_KERNEL_2  from an expression in a and b that cannot fail
 *   EVS_CHECKED_KERNEL_2 from the same and a test that is true for each result that could be wrong; those rows are then done by the
 *                       row function, which decides. The test may be true too often, never too seldom.
 *
 * Dense kernels come as three loops (column with column, column with constant, constant with column), which gcc
 * vectorises, and one loop over row numbers. The loops are cloned for AVX2 where the compiler can choose at run
 * time. */
#ifndef EVS_EXPR_KERNEL_H
#define EVS_EXPR_KERNEL_H

#include "internal.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__) && !defined(__AVX2__)
#define EVS_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define EVS_CLONES
#endif

/* An argument's elements, and what to multiply a row number with: 0 for a constant. */
#define EVS_ARG(call, i, type) ((const type *)(call)->arguments[i]->data)
#define EVS_ARG_IS_CONSTANT(call, i) (((call)->arguments[i]->flags & EVS_COLUMN_CONSTANT) != 0)
#define EVS_STRIDE(call, i) (EVS_ARG_IS_CONSTANT(call, i) ? (size_t)0 : (size_t)1)
/* The element that stands for all rows; only for parameters that are checked to be constant. */
#define EVS_ARG_ONE(call, i, type) (EVS_ARG(call, i, type)[0])

#define EVS_EACH_ROW(rows_, row)                                                                                       \
    for (uint32_t at_ = 0, row = 0; at_ < (rows_)->count && ((row = evs_rows_at((rows_), at_)), 1); at_++)

#define EVS_ROW_DONE(call, row, outcome_)                                                                              \
    do {                                                                                                               \
        const enum evs_row outcome_of_row_ = (outcome_);                                                               \
        if (EVS_UNLIKELY(outcome_of_row_ != EVS_ROW_OK)) {                                                             \
            evs_call_outcome((call), (row), outcome_of_row_);                                                          \
        }                                                                                                              \
    } while (0)

#define EVS_ROW_KERNEL_1(name, function, A, R)                                                                         \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        const A *a = EVS_ARG(call, 0, A);                                                                              \
        const size_t sa = EVS_STRIDE(call, 0);                                                                         \
        R *out = call->result->data;                                                                                   \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            EVS_ROW_DONE(call, row, function(call, &a[row * sa], &out[row]));                                          \
        }                                                                                                              \
    }

#define EVS_ROW_KERNEL_2(name, function, A, B, R)                                                                      \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        const A *a = EVS_ARG(call, 0, A);                                                                              \
        const B *b = EVS_ARG(call, 1, B);                                                                              \
        const size_t sa = EVS_STRIDE(call, 0), sb = EVS_STRIDE(call, 1);                                               \
        R *out = call->result->data;                                                                                   \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            EVS_ROW_DONE(call, row, function(call, &a[row * sa], &b[row * sb], &out[row]));                            \
        }                                                                                                              \
    }

#define EVS_ROW_KERNEL_3(name, function, A, B, C, R)                                                                   \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        const A *a = EVS_ARG(call, 0, A);                                                                              \
        const B *b = EVS_ARG(call, 1, B);                                                                              \
        const C *c = EVS_ARG(call, 2, C);                                                                              \
        const size_t sa = EVS_STRIDE(call, 0), sb = EVS_STRIDE(call, 1), sc = EVS_STRIDE(call, 2);                     \
        R *out = call->result->data;                                                                                   \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            EVS_ROW_DONE(call, row, function(call, &a[row * sa], &b[row * sb], &c[row * sc], &out[row]));              \
        }                                                                                                              \
    }

/* Unary, cannot fail. */
#define EVS_DENSE_KERNEL_1(name, A, R, EXPRESSION)                                                                     \
    EVS_CLONES static void name##_all(const A *restrict pa, R *restrict out, uint32_t count)                           \
    {                                                                                                                  \
        for (uint32_t i = 0; i < count; i++) {                                                                         \
            const A a = pa[i];                                                                                         \
            out[i] = (EXPRESSION);                                                                                     \
        }                                                                                                              \
    }                                                                                                                  \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        const A *pa = EVS_ARG(call, 0, A);                                                                             \
        R *out = call->result->data;                                                                                   \
        if (call->rows.index == NULL && !EVS_ARG_IS_CONSTANT(call, 0)) {                                               \
            name##_all(pa, out, call->rows.count);                                                                     \
            return;                                                                                                    \
        }                                                                                                              \
        const size_t sa = EVS_STRIDE(call, 0);                                                                         \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            const A a = pa[row * sa];                                                                                  \
            out[row] = (EXPRESSION);                                                                                   \
        }                                                                                                              \
    }

/* The loops of a binary kernel; BAD is an integer expression in a, b and r that is or-ed over the rows. */
#define EVS_BINARY_LOOPS_(name, A, B, R, W, EXPRESSION, BAD)                                                           \
    EVS_CLONES static W name##_cc(const A *restrict pa, const B *restrict pb, R *restrict out, uint32_t count)         \
    {                                                                                                                  \
        W bad = 0;                                                                                                     \
        for (uint32_t i = 0; i < count; i++) {                                                                         \
            const A a = pa[i];                                                                                         \
            const B b = pb[i];                                                                                         \
            const R r = (EXPRESSION);                                                                                  \
            bad |= (W)(BAD);                                                                                           \
            out[i] = r;                                                                                                \
        }                                                                                                              \
        return bad;                                                                                                    \
    }                                                                                                                  \
    EVS_CLONES static W name##_ck(const A *restrict pa, const B b, R *restrict out, uint32_t count)                    \
    {                                                                                                                  \
        W bad = 0;                                                                                                     \
        for (uint32_t i = 0; i < count; i++) {                                                                         \
            const A a = pa[i];                                                                                         \
            const R r = (EXPRESSION);                                                                                  \
            bad |= (W)(BAD);                                                                                           \
            out[i] = r;                                                                                                \
        }                                                                                                              \
        return bad;                                                                                                    \
    }                                                                                                                  \
    EVS_CLONES static W name##_kc(const A a, const B *restrict pb, R *restrict out, uint32_t count)                    \
    {                                                                                                                  \
        W bad = 0;                                                                                                     \
        for (uint32_t i = 0; i < count; i++) {                                                                         \
            const B b = pb[i];                                                                                         \
            const R r = (EXPRESSION);                                                                                  \
            bad |= (W)(BAD);                                                                                           \
            out[i] = r;                                                                                                \
        }                                                                                                              \
        return bad;                                                                                                    \
    }                                                                                                                  \
    static W name##_rows(struct evs_call *call)                                                                        \
    {                                                                                                                  \
        const A *pa = EVS_ARG(call, 0, A);                                                                             \
        const B *pb = EVS_ARG(call, 1, B);                                                                             \
        const size_t sa = EVS_STRIDE(call, 0), sb = EVS_STRIDE(call, 1);                                               \
        R *out = call->result->data;                                                                                   \
        W bad = 0;                                                                                                     \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            const A a = pa[row * sa];                                                                                  \
            const B b = pb[row * sb];                                                                                  \
            const R r = (EXPRESSION);                                                                                  \
            bad |= (W)(BAD);                                                                                           \
            out[row] = r;                                                                                              \
        }                                                                                                              \
        return bad;                                                                                                    \
    }                                                                                                                  \
    static W name##_dispatch(struct evs_call *call)                                                                    \
    {                                                                                                                  \
        const bool ka = EVS_ARG_IS_CONSTANT(call, 0), kb = EVS_ARG_IS_CONSTANT(call, 1);                               \
        const uint32_t count = call->rows.count;                                                                       \
        if (call->rows.index != NULL || (ka && kb)) {                                                                  \
            return name##_rows(call);                                                                                  \
        }                                                                                                              \
        if (kb) {                                                                                                      \
            return name##_ck(EVS_ARG(call, 0, A), *EVS_ARG(call, 1, B), call->result->data, count);                    \
        }                                                                                                              \
        if (ka) {                                                                                                      \
            return name##_kc(*EVS_ARG(call, 0, A), EVS_ARG(call, 1, B), call->result->data, count);                    \
        }                                                                                                              \
        return name##_cc(EVS_ARG(call, 0, A), EVS_ARG(call, 1, B), call->result->data, count);                         \
    }

#define EVS_DENSE_KERNEL_2(name, A, B, R, EXPRESSION)                                                                  \
    EVS_BINARY_LOOPS_(name, A, B, R, uint8_t, EXPRESSION, 0)                                                           \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        (void)name##_dispatch(call);                                                                                   \
    }

/* W: the type in which BAD is gathered; as wide as the elements, so that the loop stays vectorised. */
#define EVS_CHECKED_KERNEL_2(name, A, B, R, W, EXPRESSION, BAD, function)                                              \
    EVS_BINARY_LOOPS_(name, A, B, R, W, EXPRESSION, BAD)                                                               \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        if (EVS_LIKELY(name##_dispatch(call) == 0)) {                                                                  \
            return;                                                                                                    \
        }                                                                                                              \
        const A *pa = EVS_ARG(call, 0, A);                                                                             \
        const B *pb = EVS_ARG(call, 1, B);                                                                             \
        const size_t sa = EVS_STRIDE(call, 0), sb = EVS_STRIDE(call, 1);                                               \
        R *out = call->result->data;                                                                                   \
        EVS_EACH_ROW(call->needed, row)                                                                                \
        {                                                                                                              \
            if (evs_column_is_valid(call->result, row)) {                                                              \
                EVS_ROW_DONE(call, row, function(call, &pa[row * sa], &pb[row * sb], &out[row]));                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif
