/* Values as format's %t and %T show them. */
#ifndef EVS_EXPR_FORMAT_VALUE_H
#define EVS_EXPR_FORMAT_VALUE_H

#include "internal.h"

/* Appends the value: readable, or, when `as_literal`, as GoogleSQL writes a constant. NULL is NULL. */
void evs_format_value(struct evs_buffer *out, struct evs_arena *scratch, const struct evs_value *value,
                      bool as_literal);

#endif
