/* What the files of expr/ share: overloads, kernels, and the running evaluation. Nobody outside expr/ includes this.
 *
 * A kernel computes one call for many rows. The driver (call.c) has already made the result column: its data is
 * allocated, its validity is the AND of the arguments' validities: every function that has a kernel is strict, NULL in
 * gives NULL out. Two classes of kernels:
 *
 *   row kernel     call->rows holds exactly the rows that are needed and whose arguments are not NULL. It may fail, and may be dear.
 *                  Made from a function of one row by EVS_ROW_KERNEL_n (kernel.h).
 *   dense kernel   EVS_CALL_DENSE: call->rows is all physical rows, or the needed ones when they are few. It runs over rows that nobody
 *                  asked for, whose elements may be garbage: it must not fail on them, follow a pointer in them, or divide by them. A
 *                  dense kernel that may overflow notices that cheaply, and then looks at call->needed row by row. */
#ifndef EVS_EXPR_INTERNAL_H
#define EVS_EXPR_INTERNAL_H

#include "evstream/nested.h"
#include "expr.h"

/* --- outcomes of one row ------------------------------------------------------------------------------------------ */

/* The row of the table in failure.c; EVS_ROW_OK and EVS_ROW_NULL are no failures. */
enum evs_row {
    EVS_ROW_OK,
    EVS_ROW_NULL, /* the function's result for this row is NULL */
    EVS_ROW_OVERFLOW,
    EVS_ROW_CAST,
    EVS_ROW_DIVISION,
    EVS_ROW_ARGUMENT,
    EVS_ROW_JSON,
    EVS_ROW_TIME,
    EVS_ROW_TOO_LONG,
    EVS_ROW_UTF8,
    EVS_ROW_REGEXP,
    EVS_ROW_CALLED, /* error() */
    EVS_ROW_INDEX,
    EVS_ROW_OUTCOMES
};
struct evs_row_reason {
    const char *reason, *code, *message;
};
const struct evs_row_reason *evs_row_reason(enum evs_row outcome);

/* No text that an expression builds may be longer: the language's limit on a row. */
#define EVS_TEXT_BYTES_MAX (1u << 20)

/* --- overloads ---------------------------------------------------------------------------------------------------- */

struct evs_call;
typedef void evs_kernel(struct evs_call *call);
/* Work that depends on constant arguments alone (a parsed path, a compiled pattern), done once at compile time. */
typedef evs_status evs_prepare(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                               struct evs_error *error);

enum {
    EVS_CALL_FALLIBLE = 1,       /* some row may fail */
    EVS_CALL_NULLABLE = 2,       /* may give NULL although no argument is NULL */
    EVS_CALL_DENSE = 4,          /* see above */
    EVS_CALL_VARIADIC = 8,       /* the last argument may be repeated */
    EVS_CALL_INTERNAL = 32,      /* built by the resolver only; the user cannot name it */
    EVS_CALL_PREPARED_SURE = 64, /* what could fail is its constant argument: once prepared it cannot */
    EVS_CALL_EXACT = 256,        /* its arguments have its kinds already: nothing is coerced for it */
    EVS_CALL_SEES_NULL = 128,    /* not strict: the kernel gets rows whose arguments are NULL, too */
};

/* Kinds of parameters, and of results, beside enum evs_kind. Plain EVS_ARRAY and EVS_STRUCT as a parameter take any array, any struct.
 *
 *   constant strings, checked when the call is built:  PART, CONSTANT
 *   generic: in one call all T are one type, to which the arguments are coerced:  T, ARRAY_T (array<T>), ANY (each its own type)
 *   EVS_ARG_ARRAY_OF(kind): an array of that scalar kind, as in array<string> */
enum {
    EVS_ARG_PART = 64,     /* a date part: day, week(monday), … */
    EVS_ARG_CONSTANT = 66, /* any constant string */
    EVS_ARG_ANY = 70,
    EVS_ARG_T = 71,
    EVS_ARG_ARRAY_T = 72,
    EVS_ARG_ARRAY_FIRST = 96,
};
#define EVS_ARG_ARRAY_OF(kind) (EVS_ARG_ARRAY_FIRST + (kind))
#define EVS_OVERLOAD_ARGUMENTS 6

struct evs_overload {
    const char *name;
    evs_kernel *kernel;
    evs_prepare *prepare;
    uint8_t result;                            /* enum evs_kind */
    uint8_t arguments[EVS_OVERLOAD_ARGUMENTS]; /* ended by 0 */
    uint8_t required;                          /* the rest is optional */
    uint16_t flags;
    uint8_t variant; /* for kernels that serve several overloads */
};
/* The kind of value that a parameter or result code stands for; NULL_KIND when that depends on the call. */
static inline enum evs_kind evs_code_kind(uint8_t code)
{
    if (code < EVS_ARG_PART) {
        return (enum evs_kind)code;
    }
    if (code >= EVS_ARG_ARRAY_FIRST || code == EVS_ARG_ARRAY_T) {
        return EVS_ARRAY;
    }
    return code == EVS_ARG_ANY || code == EVS_ARG_T ? EVS_NULL_KIND : EVS_STRING;
}
static inline enum evs_kind evs_overload_kind(const struct evs_overload *overload, uint32_t index)
{
    return evs_code_kind(overload->arguments[index]);
}

/* One family's share of the function table. Defined in the file that has its kernels, gathered in table.c. */
struct evs_family {
    const struct evs_overload *overloads;
    uint32_t overload_count;
    const struct evs_function *functions;
    uint32_t function_count;
};
extern const struct evs_family evs_family_arith, evs_family_bits, evs_family_compare, evs_family_syntax,
    evs_family_math, evs_family_string, evs_family_text, evs_family_like, evs_family_json, evs_family_time,
    evs_family_date, evs_family_interval, evs_family_unicode, evs_family_encode, evs_family_hash, evs_family_regexp,
    evs_family_net, evs_family_web, evs_family_privacy, evs_family_trig, evs_family_format, evs_family_datetime,
    evs_family_clock, evs_family_format_time, evs_family_parse_time, evs_family_numeric, evs_family_extract,
    evs_family_bucket;

extern const struct evs_family evs_family_bit_bytes;
extern const struct evs_family evs_family_array, evs_family_struct, evs_family_generate, evs_family_json_make,
    evs_family_json_edit, evs_family_json_array;

/* Calls `visit` for each overload of the name (exact, lower case) until it returns false. */
void evs_overloads_named(const char *name, bool (*visit)(const struct evs_overload *overload, void *argument),
                         void *argument);
/* The overload with exactly these argument kinds, or NULL. */
const struct evs_overload *evs_overload_exact(const char *name, const enum evs_kind *kinds, uint32_t count);
/* The cast's overload, or NULL when there is no such cast. Casts of a kind to itself have none. */
const struct evs_overload *evs_cast_overload(enum evs_kind from, enum evs_kind to);
/* Date parts; false when there is no such part. */
bool evs_part_known(struct evs_slice name);

/* `between` and `nullif` use an argument twice. So that trees stay small they are calls of these, which the compiler
 * takes apart. */
extern const struct evs_overload evs_between_overload, evs_nullif_overload;
/* What `[…]`, `struct(…)` and `s.field` are calls of (func_array.c, func_struct.c). An array or struct that is made by one of the first
 * two bends as a literal does: its elements are coerced. */
extern const struct evs_overload evs_array_overload, evs_struct_overload, evs_field_overload, evs_struct_equal_overload,
    evs_retype_overload;
/* The name that the table knows a function by: aliases resolved, lower case. NULL when it is too long to be known. */
const char *evs_function_canonical(struct evs_slice name, char buffer[64]);

/* --- building (build.c, coerce.c) --------------------------------------------------------------------------------- */

struct evs_expr *evs_expr_new(struct evs_arena *arena, enum evs_expr_kind kind, enum evs_kind type,
                              struct evs_place place);
void evs_expr_set_arguments(struct evs_arena *arena, struct evs_expr *expr, const struct evs_expr **arguments,
                            uint32_t count);
const char *evs_expr_text_of(struct evs_arena *arena, const struct evs_expr *expr);
char *evs_value_text(struct evs_arena *arena, const struct evs_value *value);
/* The narrowest kind to which all expressions coerce; NULL_KIND when all are NULL literals; EVS_KIND_COUNT when
 * there is none. */
enum evs_kind evs_supertype(const struct evs_expr *const *exprs, uint32_t count);
/* The same for every type, arrays and structs too; the type of NULL when all are NULL literals, NULL when there is none. */
const struct evs_type *evs_common_type(const struct evs_expr *const *exprs, uint32_t count);
/* What coercing costs: 0 nothing, more for longer ways, -1 impossible. */
int evs_coercion_cost(const struct evs_expr *expr, enum evs_kind to);
int evs_coercion_cost_type(const struct evs_expr *expr, const struct evs_type *to);
/* Casts between arrays, and between structs (func_struct.c). */
evs_status evs_cast_nested(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type, bool safe,
                           struct evs_place place, const struct evs_expr **result, struct evs_error *error);
evs_status evs_cast_array(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type, bool safe,
                          struct evs_place place, const struct evs_expr **result, struct evs_error *error);
/* Whether `=` exists for the type: for every scalar but json, and for structs of such; and the message where it does not. */
bool evs_type_has_equality(const struct evs_type *type);
evs_status evs_no_equality(const struct evs_expr *expr, struct evs_error *error);
bool evs_expr_is_null(const struct evs_expr *expr); /* a NULL literal, typed or not */
/* A call of a known overload; arguments have its kinds already. */
const struct evs_expr *evs_expr_typed_call(struct evs_arena *arena, const struct evs_overload *overload, bool safe,
                                           const struct evs_expr **arguments, uint32_t count, struct evs_place place);
/* Constants folded, unreachable branches dropped. */
const struct evs_expr *evs_expr_simplify(struct evs_arena *arena, const struct evs_expr *expr);
/* The value of an expression without columns; false when its evaluation fails, with the failure. Text lives in
 * `arena`. */
bool evs_expr_evaluate(struct evs_arena *arena, const struct evs_expr *expr, struct evs_value *value,
                       struct evs_expr_failure *failure);
/* evs_program_compile without simplification. */
const struct evs_program *evs_program_build(struct evs_arena *arena, const struct evs_expr **exprs, uint32_t count);

/* A map from addresses to numbers, for walks over trees that share parts. */
struct evs_seen {
    struct evs_seen_entry *entries;
    uint32_t count, capacity;
    struct evs_arena *arena;
};
/* The number kept for `key`, to be read or set; 0 when the key is new. */
uintptr_t *evs_seen_at(struct evs_seen *seen, const void *key);

/* --- programs ----------------------------------------------------------------------------------------------------- */

struct evs_rows {
    uint32_t count;
    const uint16_t *index; /* NULL: rows 0 … count-1 */
};
static inline uint32_t evs_rows_at(const struct evs_rows *rows, uint32_t position)
{
    return rows->index ? rows->index[position] : position;
}

/* One distinct subexpression. Nodes stand in an order in which arguments come first. */
struct evs_step {
    enum evs_expr_kind kind;
    enum evs_kind type;
    bool safe;
    bool fallible; /* it, or something below it, may fail */
    bool output;   /* its column leaves the program: it lives where text does, in the batch's arena */
    bool again;    /* may be asked for more than once, for different rows */
    uint32_t column;
    const struct evs_overload *overload;
    const void *prepared;
    const uint32_t *arguments; /* steps */
    uint32_t argument_count;
    struct evs_column constant; /* EVS_EXPR_CONSTANT */
    const struct evs_expr *expr;
};

struct evs_program {
    const struct evs_step *steps;
    uint32_t step_count;
    const uint32_t *outputs;
    uint32_t output_count;
    uint32_t arguments_max; /* of one step */
};

enum evs_slot_state { EVS_SLOT_EMPTY, EVS_SLOT_PART, EVS_SLOT_FULL };
struct evs_inner;
struct evs_slot {
    struct evs_column column;
    struct evs_inner *inner; /* of a query over an array: its own evaluation */
    enum evs_slot_state state;
    uint64_t done[EVS_VALID_WORDS(EVS_BATCH_ROWS)]; /* PART: rows that hold their value */
};

struct evs_json_access;
struct evs_regexp_cache;

struct evs_eval {
    const struct evs_program *program;
    struct evs_slot *slots;   /* one a step */
    struct evs_arena scratch; /* columns of steps that do not leave, selections; reset at each run */
    /* of the current run */
    const struct evs_batch *batch;
    struct evs_arena *text; /* what leaves with the results: output columns, and the text that any string points to */
    uint32_t row_count;
    struct evs_rows base;
    /* failures of the last run */
    struct evs_expr_failure *failures; /* EVS_BATCH_ROWS */
    uint32_t failure_count;
    bool failures_sorted;
    uint64_t failed[EVS_VALID_WORDS(EVS_BATCH_ROWS)];
    /* tools of kernels, made when first needed */
    struct evs_json_access *json;
    struct evs_regexp_cache *regexps;
    struct evs_time_tools *times;
    struct evs_buffer buffer; /* text whose length is not known before it is there */
    struct evs_nested_builder nested; /* arrays and structs in the making: one level at a time */
};

/* One call in progress. */
struct evs_call {
    struct evs_eval *eval;
    const struct evs_step *step;
    const struct evs_column *const *arguments;
    uint32_t argument_count;
    struct evs_rows rows;          /* rows to compute */
    const struct evs_rows *needed; /* rows that may fail */
    struct evs_column *result;
    uint32_t row_count;
    enum evs_row constant_outcome; /* all arguments are constant: the outcome of the one row */
    bool all_constant;
};

/* What became of a row other than EVS_ROW_OK: makes it NULL, and reports it when it is a failure that `safe` does
 * not forgive. */
void evs_call_outcome(struct evs_call *call, uint32_t row, enum evs_row outcome);
void evs_call_run(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                  struct evs_column *result);

/* The value of a step for the rows. The column belongs to the step's slot. */
const struct evs_column *evs_eval_step(struct evs_eval *eval, uint32_t index, const struct evs_rows *rows);
void evs_eval_begin(struct evs_eval *eval, const struct evs_batch *batch, struct evs_arena *text);
void evs_eval_fail(struct evs_eval *eval, uint32_t row, enum evs_row outcome, const struct evs_expr *expr);
static inline bool evs_eval_failed(const struct evs_eval *eval, uint32_t row)
{
    return (eval->failed[row / 64] >> (row % 64)) & 1;
}
/* Memory for the column of a step. */
static inline struct evs_arena *evs_eval_arena(struct evs_eval *eval, const struct evs_step *step)
{
    return step->output ? eval->text : &eval->scratch;
}
void evs_eval_column(struct evs_eval *eval, const struct evs_step *step, struct evs_column *column);
uint64_t *evs_eval_bitmap(struct evs_eval *eval, const struct evs_step *step, bool ones);

/* --- sets of rows (rows.c) ---------------------------------------------------------------------------------------- */

/* Writes the rows where the bool column is true (and not NULL) to `out`, in order; `out` may be rows->index. */
uint32_t evs_rows_true(const struct evs_column *column, const struct evs_rows *rows, uint16_t *out);
/* Splits by truth. Any of the three lists may be NULL, for those that nobody asks for; they may share no memory with
 * rows->index. Rows that have failed are in none. */
struct evs_split {
    uint16_t *yes, *no, *null;
    uint32_t yes_count, no_count, null_count;
};
void evs_rows_split(const struct evs_eval *eval, const struct evs_column *column, const struct evs_rows *rows,
                    struct evs_split *split);
/* Copies rows of `from` into `to`, which is no constant and has a validity bitmap when `from` has NULLs. */
void evs_rows_scatter(struct evs_column *to, const struct evs_column *from, const struct evs_rows *rows);
/* The rows of both ascending lists, ascending, each once. */
uint32_t evs_rows_merge(const uint16_t *a, uint32_t a_count, const uint16_t *b, uint32_t b_count, uint16_t *out);
static inline uint16_t *evs_rows_new(struct evs_eval *eval)
{
    return evs_arena_alloc(&eval->scratch, sizeof(uint16_t) * ((size_t)eval->row_count + 1), 64);
}

/* --- in (in_list.c) ----------------------------------------------------------------------------------------------- */

struct evs_in_set;
/* From constants of one kind; NULLs among them are remembered. */
const struct evs_in_set *evs_in_set_new(struct evs_arena *arena, enum evs_kind kind, const struct evs_value *values,
                                        uint32_t count);
void evs_in_run(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                struct evs_column *result);

#endif
