/* Typed expressions, the function table, and vectorised programs.
 *
 *   binder ── builds ──► struct evs_expr (typed tree) ── evs_program_compile ──► struct evs_program (immutable, shared by workers)
 *                                                                                     │ + struct evs_eval (one a task: scratch)
 *                                                                                     ▼
 *                                                                      evs_program_run(batch) ──► columns, row errors
 *
 * Everything is settled at plan time: overloads, coercions, constants folded, NULLs propagated. A kernel works on
 * whole columns. Three-valued logic throughout. A row whose expression fails (overflow, division by zero, a failed
 * cast) is reported as a row error and must be dropped by the operator; it fails only if the value was needed: the
 * branches of case, if, coalesce, ifnull and the right side of and/or are evaluated for those rows only that reach
 * them.
 *
 * Depends on engine/include/evstream only. */
#ifndef EVS_EXPR_H
#define EVS_EXPR_H

#include "evstream/batch.h"

/* Where an expression stands in the pipeline's text. */
struct evs_place {
    const char *file;
    uint32_t line, column;  /* from 1 */
    uint32_t offset, count; /* bytes in the file */
};

enum evs_expr_kind {
    EVS_EXPR_COLUMN,   /* input column `column` */
    EVS_EXPR_CONSTANT, /* `value` */
    EVS_EXPR_CALL,     /* `overload` applied to arguments */
    EVS_EXPR_CAST,     /* arguments[0] to `type`; `safe` gives NULL instead of an error */
    EVS_EXPR_AND,      /* n-ary */
    EVS_EXPR_OR,
    EVS_EXPR_NOT,
    EVS_EXPR_IS_NULL, /* never NULL itself */
    EVS_EXPR_IS_TRUE,
    EVS_EXPR_IS_FALSE,
    EVS_EXPR_CASE, /* when0, then0, when1, then1, …, else: argument_count is odd */
    EVS_EXPR_COALESCE,
    EVS_EXPR_IN,         /* arguments[0] in arguments[1…]; three-valued */
    EVS_EXPR_EVENT_TIME, /* the row's event time (timestamp), apart from its columns */
};

struct evs_overload; /* one signature of one function, with its kernel: private to expr/ */

struct evs_expr {
    enum evs_expr_kind kind;
    const struct evs_type *type;
    bool nullable; /* could be NULL, given the schema */
    bool safe;     /* cast, and safe.fn(…): NULL instead of a run-time error */
    uint32_t column;
    struct evs_value value;
    const struct evs_overload *overload;
    const struct evs_expr **arguments;
    uint32_t argument_count;
    struct evs_place place;
    const char *text; /* canonical text, for messages and identity */
    const struct evs_expr_body *body; /* of a query over an array: evs_expr_unnest */
};

/* What a query over the elements of an array computes. Its expressions are over columns of their own: 0 is the element, 1 its offset (int64),
 * 2 + i the value that is captured as number i. */
struct evs_expr_body {
    const struct evs_expr *where; /* a bool; NULL: all elements */
    const struct evs_expr *value;
    bool keeps_null; /* of a NULL array NULL; else nothing, as of an empty one */
};

/* --- the function table: what the binder, the reference and the completion use ------------------------------------ */

enum evs_function_family {
    EVS_FAMILY_OPERATOR,
    EVS_FAMILY_MATH,
    EVS_FAMILY_STRING,
    EVS_FAMILY_JSON,
    EVS_FAMILY_TIME,
    EVS_FAMILY_CONDITIONAL,
    EVS_FAMILY_HASH,
    EVS_FAMILY_ARRAY,
    EVS_FAMILY_REGEXP,
    EVS_FAMILY_NET,
    EVS_FAMILY_PRIVACY,
};
struct evs_function {
    const char *name; /* lower case; operators by their sign: "+", "||", "like" */
    enum evs_function_family family;
    const char *signature; /* "substr(string, int64 [, int64]) → string" */
    const char *meaning;
    const char *example; /* an expression without columns … */
    const char *result;  /* … and what it gives, as printed; checked by a test */
};
uint32_t evs_function_count(void);
const struct evs_function *evs_function_at(uint32_t index);
bool evs_function_known(struct evs_slice name); /* case-insensitive */
/* The known name nearest to `name`, for did-you-mean; NULL when none is near. */
const char *evs_function_nearest(struct evs_slice name);
/* Why a function of GoogleSQL is left out, and what to write instead; NULL for any other name. */
const char *evs_function_refused(struct evs_slice name);

/* Builds a typed call: chooses the overload, inserts coercions (int64 → numeric → float64, literals as GoogleSQL
 * does: a string literal to timestamp, date, json …), handles function names that are really syntax (coalesce, if,
 * ifnull, nullif). On failure the text says what was expected: "`substr` does not take (int64); there is
 * substr(string, int64 [, int64]) → string". Arguments and result live in `arena`.
 *
 * How syntax becomes a call:
 *
 *   operators                          by their sign: "+", "||", "<>" …; unary minus is "-" with one argument; "like"
 *   x between a and b                  between(x, a, b)
 *   extract(part from x at time zone z) extract('part', x [, z])
 *   a date part as an argument         a constant string: timestamp_trunc(ts, 'week(monday)'), timestamp_diff(a, b, 'hour')
 *   interval n part                    interval(n, 'part')
 *   json.name, json[0]                 json_field(json, 'name'), json_index(json, 0)
 *   array[0], array[ordinal(1)] …      "[]", "[ordinal]", "[safe_offset]", "[safe_ordinal]" (array, number)
 *   x in unnest(array)                 "in unnest"(x, array)
 *   a is not distinct from b           "is not distinct from"(a, b): where both have a type without a shorter way
 *   [a, b], struct(a, b), s.name       evs_expr_array, evs_expr_struct, evs_expr_field
 *   and, or, not, case, in, is …       evs_expr_special (the names and, or, not, case, in, coalesce are taken here, too)
 *   cast, safe_cast                    evs_expr_cast */
evs_status evs_expr_call(struct evs_arena *arena, struct evs_slice name, bool safe, const struct evs_expr **arguments,
                         uint32_t argument_count, struct evs_place place, const struct evs_expr **result,
                         struct evs_error *error);
evs_status evs_expr_cast(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type, bool safe,
                         struct evs_place place, const struct evs_expr **result, struct evs_error *error);
/* cast(arguments[0] as type format arguments[1] [at time zone arguments[2]]); the format is a constant. */
evs_status evs_expr_cast_format(struct evs_arena *arena, const struct evs_expr *const *arguments, uint32_t count,
                                const struct evs_type *type, bool safe, struct evs_place place,
                                const struct evs_expr **result, struct evs_error *error);
/* Coerces implicitly, as an assignment of a literal or a wider number would; fails when GoogleSQL would. */
evs_status evs_expr_coerce(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type,
                           const struct evs_expr **result, struct evs_error *error);
/* and, or, not, case, in, is null …: kinds that are no calls. Checks and coerces arguments. */
evs_status evs_expr_special(struct evs_arena *arena, enum evs_expr_kind kind, const struct evs_expr **arguments,
                            uint32_t argument_count, struct evs_place place, const struct evs_expr **result,
                            struct evs_error *error);
const struct evs_expr *evs_expr_column(struct evs_arena *arena, uint32_t column, const struct evs_field *field,
                                       struct evs_place place);
const struct evs_expr *evs_expr_constant(struct evs_arena *arena, struct evs_value value, struct evs_place place);
/* The same where the kind does not tell the type: an array or a struct. */
const struct evs_expr *evs_expr_constant_of(struct evs_arena *arena, const struct evs_type *type,
                                            struct evs_value value, struct evs_place place);
/* [a, b, …] and array<T>[a, b, …]: `element` is NULL where the elements decide. */
evs_status evs_expr_array(struct evs_arena *arena, const struct evs_type *element, const struct evs_expr **arguments,
                          uint32_t count, struct evs_place place, const struct evs_expr **result,
                          struct evs_error *error);
/* struct(a as x, b), (a, b): `names` has an empty slice for a field without a name; and struct<…>(a, b): `type` is given. */
evs_status evs_expr_struct(struct evs_arena *arena, const struct evs_type *type, const struct evs_slice *names,
                           const struct evs_expr **arguments, uint32_t count, struct evs_place place,
                           const struct evs_expr **result, struct evs_error *error);
/* array(select value from unnest(array) where …). `captured` are over the row's columns. */
evs_status evs_expr_unnest(struct evs_arena *arena, const struct evs_expr *array, const struct evs_expr_body *body,
                           const struct evs_expr **captured, uint32_t captured_count, struct evs_place place,
                           const struct evs_expr **result, struct evs_error *error);
/* s.name of a struct. */
evs_status evs_expr_field(struct evs_arena *arena, const struct evs_expr *expr, struct evs_slice name,
                          struct evs_place place, const struct evs_expr **result, struct evs_error *error);
/* Evaluates an expression without columns at plan time (options, defaults, interval bounds). A row error becomes a
 * status. */
evs_status evs_expr_fold(struct evs_arena *arena, const struct evs_expr *expr, struct evs_value *value,
                         struct evs_error *error);
bool evs_expr_is_constant(const struct evs_expr *expr);
/* Same meaning by structure (column numbers, constants, overloads). */
bool evs_expr_equal(const struct evs_expr *a, const struct evs_expr *b);
/* Adds every input column that the expression reads to the bitmap (bit i of word i/64). */
void evs_expr_columns(const struct evs_expr *expr, uint64_t *bitmap);
/* The expression with column i replaced by map[i]. */
const struct evs_expr *evs_expr_remap(struct evs_arena *arena, const struct evs_expr *expr, const uint32_t *map);

/* --- programs ----------------------------------------------------------------------------------------------------- */

/* Immutable, in `arena`: one or more output expressions, with shared subexpressions evaluated once. */
struct evs_program;
/* The mutable scratch of one task. */
struct evs_eval;

/* What failed, for which row. `error` is static or lives in the program's arena. */
struct evs_expr_failure {
    uint32_t row;                        /* physical */
    const char *reason, *code, *message; /* "division_by_zero", "R0103", NULL or a text */
    const struct evs_expr *expr;         /* the call that failed: its text and place */
};

evs_status evs_program_compile(struct evs_arena *arena, const struct evs_expr **exprs, uint32_t count,
                               const struct evs_program **program, struct evs_error *error);
struct evs_eval *evs_eval_new(const struct evs_program *program);
void evs_eval_free(struct evs_eval *eval);

/* Evaluates all outputs for the selected rows of `batch` into columns[0…count). Results of rows that are not
 * selected are undefined. Column data lives in the batch's arena or is the input column itself. Failures are kept in
 * the eval until the next run, at most one a row, ascending; the caller drops those rows. */
void evs_program_run(struct evs_eval *eval, const struct evs_batch *batch, struct evs_column *columns);
/* The predicate case: writes the physical numbers of the selected rows for which output 0 is true (not false, not
 * NULL, not failed) to `selection` (room for batch->row_count) and returns how many. */
uint32_t evs_program_filter(struct evs_eval *eval, const struct evs_batch *batch, uint16_t *selection);
uint32_t evs_eval_failures(const struct evs_eval *eval, const struct evs_expr_failure **failures);

#endif
