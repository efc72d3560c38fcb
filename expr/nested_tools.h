/* Small tools of the functions of arrays and structs: values of any kind in, values of any kind out. These functions are generic, so they
 * work with single values where the kernels of scalars work with typed columns. */
#ifndef EVS_EXPR_NESTED_TOOLS_H
#define EVS_EXPR_NESTED_TOOLS_H

#include "kernel.h"

static inline struct evs_value evs_call_value(const struct evs_call *call, uint32_t argument, uint32_t row)
{
    return evs_column_value(call->arguments[argument], row);
}
/* The array or struct of a row. `held` keeps the view that a short value lies in. */
static inline struct evs_nested evs_call_nested(const struct evs_call *call, uint32_t argument, uint32_t row,
                                                struct evs_str *held)
{
    *held = *EVS_COLUMN_AT(call->arguments[argument], struct evs_str, row);
    return evs_nested_open(held);
}
static inline const struct evs_type *evs_call_type(const struct evs_call *call)
{
    return call->step->expr->type;
}
static inline const struct evs_type *evs_call_argument_type(const struct evs_call *call, uint32_t argument)
{
    return call->step->expr->arguments[argument]->type;
}

/* Stores a value of the result's kind; NULL is the outcome EVS_ROW_NULL. Text must live as long as the results do. */
enum evs_row evs_call_set(struct evs_call *call, uint32_t row, const struct evs_value *value);
/* Stores what the evaluation's builder holds, an array or a struct. */
enum evs_row evs_call_set_built(struct evs_call *call, uint32_t row);
/* A text that points into bytes of its own, or is held in its view, as one that lives with the results. */
struct evs_value evs_call_keep(struct evs_call *call, struct evs_value value);

/* `=` of two values of one type: 1, 0, or -1 for NULL (GoogleSQL: a struct with a NULL field may be neither). */
int evs_value_equal(const struct evs_value *a, const struct evs_value *b);
/* Order of two values that are not NULL, of a kind that has one; NaN comes first. */
int evs_value_order(const struct evs_value *a, const struct evs_value *b);

#endif
