/* The patterns of cast(number as string format '…'): 999,990.00 and their like.
 *
 * A pattern is read once, when the cast is built. Elements, in any case: 0 and 9 digits, X hexadecimal ones, . or D the point,
 * , or G the separator of groups, $ or L or C a currency, S MI PR the sign, B blanks where the whole part is 0, EEEE an exponent,
 * V a shift by powers of ten, FM without blanks and trailing zeros. */
#ifndef EVS_EXPR_NUMBER_MODEL_H
#define EVS_EXPR_NUMBER_MODEL_H

#include "internal.h"

struct evs_number_model;
evs_status evs_number_model_new(struct evs_arena *arena, struct evs_slice pattern,
                                const struct evs_number_model **model, struct evs_error *error);

/* A number's digits, so that int64, numeric and float64 are written by the same code. */
struct evs_decimal {
    bool is_negative, is_nan, is_infinite;
    bool is_float; /* `float64` holds it, else `units` of 10^-scale do */
    double float64;
    unsigned __int128 units;
    int scale; /* 0 or 9 */
};
#define EVS_NUMBER_BYTES_MAX 1024 /* of a text that evs_number_format writes */
size_t evs_number_format(const struct evs_number_model *model, const struct evs_decimal *value, char *out);

#endif
