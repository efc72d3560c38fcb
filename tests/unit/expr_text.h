/* Expressions from text, for the tests of expr/: a small parser of its own, so that these tests need nothing of
 * lang/. It knows operators with their precedence, literals, calls, case, cast, extract, interval, in, between,
 * like, is, and columns of a schema. */
#ifndef EVS_TEST_EXPR_TEXT_H
#define EVS_TEST_EXPR_TEXT_H

#include "expr.h"

/* NULL with a text in `error` when it cannot be read or typed. `schema` may be NULL: no columns. */
const struct evs_expr *expr_from_text(struct evs_arena *arena, const char *text, const struct evs_schema *schema,
                                      struct evs_error *error);

/* The value as `cast(… as string)` would show it; "NULL" for NULL. */
const char *value_as_text(struct evs_arena *arena, const struct evs_value *value);

/* What an expression without columns gives: its value, or "error: <code>" when the row fails, or "plan: <text>" when
 * it cannot be built. */
const char *result_of(struct evs_arena *arena, const char *text);

#endif
