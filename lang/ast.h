/* The syntax tree: what a pipeline file says, before anybody asks what it means.
 *
 *   text ── lexer ──► tokens ── parser ──► struct evs_script (this file) ── binder ──► typed trees, the plan
 *
 * The whole language has its nodes here, also what no pipeline may have (union distinct): the parser reports that
 * itself and marks the node broken.
 *
 * Memory: every node lives in the script's arena and is immutable once the parser has returned.
 *
 * Errors: a node that could not be read is EVS_AST_ERROR, or has `is_broken` set. It has been reported; whoever
 * meets it stays silent about it and about everything that follows from it (the columns behind a broken operator are
 * unknown).
 *
 * Depth: no tree is higher than EVS_AST_DEPTH_MAX, so that a recursive visitor needs no limit of its own. Chains of
 * `and` and `or` are one flat node whatever their length. */
#ifndef EVS_AST_H
#define EVS_AST_H

#include "expr.h"

#define EVS_AST_DEPTH_MAX 500

struct evs_ast_query;
struct evs_ast_expr;

/* A name as written (without backticks). The text ends with a NUL; count 0 means that there is none. */
struct evs_ident {
    struct evs_slice text;
    struct evs_place place;
};
static inline bool evs_ident_given(const struct evs_ident *ident)
{
    return ident->text.count > 0;
}

/* --- types -------------------------------------------------------------------------------------------------------- */

/* `string`, `numeric(38, 9)`, `array<int64>`, `struct<a int64, string>`. Spellings are not resolved: see
 * evs_kind_parse. */
struct evs_ast_type {
    struct evs_place place;
    struct evs_ident name;              /* "array" and "struct" too */
    const struct evs_ast_type *element; /* array<…>; NULL for a bare array */
    const struct evs_ast_field *fields; /* struct<…> */
    uint32_t field_count;
    const struct evs_ast_expr **parameters; /* literals in parentheses */
    uint32_t parameter_count;
};
struct evs_ast_field {
    struct evs_ident name; /* optional */
    const struct evs_ast_type *type;
};

/* --- expressions -------------------------------------------------------------------------------------------------- */

/* What a node has beside its kind and place; [0] stands for arguments[0].
 *
 *   error          reported already
 *   literal        value: null, bool, int64, float64, string or bytes
 *   typed literal  value_kind, value.str: timestamp '…', date, datetime, time, numeric, json
 *   path           names: a, a.b, a.b.c; which of them is a range variable, a column or a field is for the binder
 *   parameter      names[0]: @name
 *   field          [0] . names[0], where [0] is no path unless in parentheses
 *   index          [0] [ [1] ]; offset(…), ordinal(…), safe_offset(…) stand there as calls
 *   call           call; arguments by place and by name in order; argument_names
 *   unary          op; [0]: - + ~ not
 *   binary         op; [0], [1]: arithmetic, bits, ||, comparison
 *   logic          op and | or; two or more arguments
 *   is             [0]; op is_null | is_true | is_false | is_unknown; is_distinct: [1] too; negated
 *   between        [0] [not] between [1] and [2]; negated
 *   in             [0] [not] in ([1], …); negated; op in_unnest: [1] is the array
 *   like           [0] [not] like [1]; negated; op like_any | like_all: [1], …
 *   case           [operand if has_operand,] when, then, when, then, … [, else if has_else]
 *   cast           [0] as type; safe; [1] format, [2] time zone, where given
 *   extract        part from [0] [at time zone [1]]; week(monday): week_start
 *   interval       interval [0] part [to part_to]
 *   array          arguments; type when written array<…>[…]
 *   struct         arguments; argument_names (each optional); type when written struct<…>(…); also (a, b)
 *   star           the * of count(*)
 *   subquery       query; op none (scalar, or the right side of in), exists or array */
enum evs_ast_expr_kind {
    EVS_AST_ERROR,
    EVS_AST_LITERAL,
    EVS_AST_TYPED_LITERAL,
    EVS_AST_PATH,
    EVS_AST_PARAMETER,
    EVS_AST_FIELD,
    EVS_AST_INDEX,
    EVS_AST_CALL,
    EVS_AST_UNARY,
    EVS_AST_BINARY,
    EVS_AST_LOGIC,
    EVS_AST_IS,
    EVS_AST_BETWEEN,
    EVS_AST_IN,
    EVS_AST_LIKE,
    EVS_AST_CASE,
    EVS_AST_CAST,
    EVS_AST_EXTRACT,
    EVS_AST_INTERVAL,
    EVS_AST_ARRAY,
    EVS_AST_STRUCT,
    EVS_AST_STAR,
    EVS_AST_SUBQUERY,
};

enum evs_ast_op {
    EVS_AST_OP_NONE,

    EVS_AST_OP_MINUS, /* unary */
    EVS_AST_OP_PLUS,
    EVS_AST_OP_BIT_NOT,
    EVS_AST_OP_NOT,

    EVS_AST_OP_MULTIPLY, /* binary */
    EVS_AST_OP_DIVIDE,
    EVS_AST_OP_CONCAT,
    EVS_AST_OP_ADD,
    EVS_AST_OP_SUBTRACT,
    EVS_AST_OP_SHIFT_LEFT,
    EVS_AST_OP_SHIFT_RIGHT,
    EVS_AST_OP_BIT_AND,
    EVS_AST_OP_BIT_XOR,
    EVS_AST_OP_BIT_OR,
    EVS_AST_OP_EQUAL,
    EVS_AST_OP_NOT_EQUAL,
    EVS_AST_OP_LESS,
    EVS_AST_OP_LESS_EQUAL,
    EVS_AST_OP_GREATER,
    EVS_AST_OP_GREATER_EQUAL,
    EVS_AST_OP_AND,
    EVS_AST_OP_OR, /* logic */
    EVS_AST_OP_IS_NULL,
    EVS_AST_OP_IS_TRUE,
    EVS_AST_OP_IS_FALSE,
    EVS_AST_OP_IS_UNKNOWN,
    EVS_AST_OP_IS_DISTINCT,
    EVS_AST_OP_IN_UNNEST,
    EVS_AST_OP_LIKE_ANY,
    EVS_AST_OP_LIKE_ALL,
    EVS_AST_OP_EXISTS,
    EVS_AST_OP_ARRAY,
};

/* Units of intervals and parts of dates. */
enum evs_ast_part {
    EVS_PART_NONE,
    EVS_PART_NANOSECOND,
    EVS_PART_MICROSECOND,
    EVS_PART_MILLISECOND,
    EVS_PART_SECOND,
    EVS_PART_MINUTE,
    EVS_PART_HOUR,
    EVS_PART_DAY,
    EVS_PART_WEEK,
    EVS_PART_MONTH,
    EVS_PART_QUARTER,
    EVS_PART_YEAR, /* these and above: intervals too */
    EVS_PART_DAYOFWEEK,
    EVS_PART_DAYOFYEAR,
    EVS_PART_ISOWEEK,
    EVS_PART_ISOYEAR,
    EVS_PART_DATE,
    EVS_PART_TIME,
    EVS_PART_DATETIME,
};
const char *evs_ast_part_name(enum evs_ast_part part); /* "minute" */

struct evs_ast_order {
    const struct evs_ast_expr *expr;
    bool descending;
    enum { EVS_NULLS_DEFAULT, EVS_NULLS_FIRST, EVS_NULLS_LAST } nulls;
};
struct evs_ast_orders {
    const struct evs_ast_order *items;
    uint32_t count;
};
struct evs_ast_exprs {
    const struct evs_ast_expr **items;
    uint32_t count;
};
struct evs_idents {
    const struct evs_ident *items;
    uint32_t count;
};

struct evs_ast_frame_bound {
    enum {
        EVS_BOUND_UNBOUNDED_PRECEDING,
        EVS_BOUND_PRECEDING,
        EVS_BOUND_CURRENT,
        EVS_BOUND_FOLLOWING,
        EVS_BOUND_UNBOUNDED_FOLLOWING
    } kind;
    const struct evs_ast_expr *amount; /* preceding, following */
    struct evs_place place;
};
struct evs_ast_over {
    struct evs_place place;
    struct evs_ast_exprs partition;
    struct evs_ast_orders order;
    enum { EVS_FRAME_NONE, EVS_FRAME_ROWS, EVS_FRAME_RANGE } frame;
    struct evs_ast_frame_bound start, end;
    const struct evs_ast_expr *retain; /* or NULL */
};

/* What a call has beside its arguments. */
struct evs_ast_call {
    struct evs_slice name; /* lower case, joined with dots, without `safe.`: "substr", "net.host"; ends with a NUL */
    struct evs_place name_place; /* of the whole name with `safe.` */
    bool distinct;
    enum { EVS_NULLS_AS_IS, EVS_NULLS_IGNORE, EVS_NULLS_RESPECT } nulls;
    const struct evs_ast_expr *where; /* agg(x where c), agg(x) filter (where c); or NULL */
    const struct evs_ast_expr *having; /* having max|min y; or NULL */
    bool having_max;
    struct evs_ast_orders order;
    const struct evs_ast_expr *limit; /* or NULL */
    const struct evs_ast_over *over;  /* or NULL */
};

struct evs_ast_expr {
    enum evs_ast_expr_kind kind;
    enum evs_ast_op op;
    bool negated;                    /* is not, not in, not between, not like */
    bool safe;                       /* safe_cast, safe.fn(…) */
    bool has_operand, has_else;      /* case */
    bool parenthesised;              /* stood in parentheses of its own; `place` is without them */
    enum evs_kind value_kind;        /* typed literal */
    enum evs_ast_part part, part_to; /* extract, interval */
    uint32_t height;                 /* 1 for a leaf */
    struct evs_place place;
    struct evs_place op_place; /* unary, binary, is, between, in, like: the operator's words; logic: the first one */
    struct evs_value value;
    const struct evs_ident *names;
    uint32_t name_count;
    uint32_t argument_count;
    const struct evs_ast_expr **arguments;
    const struct evs_ident *argument_names; /* parallel to arguments, or NULL when no argument has a name */
    struct evs_ident week_start;
    const struct evs_ast_type *type;
    const struct evs_ast_call *call;
    const struct evs_ast_query *query;
};

/* --- pipe operators ----------------------------------------------------------------------------------------------- */

/* One column (or star) of select, extend, aggregate, measures. */
struct evs_ast_item {
    struct evs_place place;
    bool is_star; /* * or expr.*; then `expr` is what stands before .* or NULL */
    const struct evs_ast_expr *expr;
    struct evs_ident alias;             /* optional */
    struct evs_idents except;           /* * except (…) */
    const struct evs_ast_item *replace; /* * replace (expr as name, …) */
    uint32_t replace_count;
};
struct evs_ast_items {
    const struct evs_ast_item *items;
    uint32_t count;
};

enum evs_ast_window {
    EVS_AST_WINDOW_NONE,
    EVS_AST_WINDOW_TUMBLE,
    EVS_AST_WINDOW_HOP,
    EVS_AST_WINDOW_SESSION,
    EVS_AST_WINDOW_CUMULATE
};

struct evs_ast_group {
    const struct evs_ast_expr
        *expr; /* a window is an EVS_AST_CALL: its arguments are as written, `offset =>` in argument_names */
    enum evs_ast_window window;
    struct evs_ident alias; /* optional */
};

struct evs_ast_aggregate {
    struct evs_ast_items items; /* the aggregates, may be none */
    const struct evs_ast_group *groups;
    uint32_t group_count;
    enum { EVS_AST_EMIT_DEFAULT, EVS_AST_EMIT_ON_CLOSE, EVS_AST_EMIT_ON_CHANGE, EVS_AST_EMIT_EVERY } emit;
    struct evs_place emit_place;         /* valid unless default */
    const struct evs_ast_expr *every;    /* emit every INTERVAL */
    const struct evs_ast_expr *lateness; /* allow lateness INTERVAL, or NULL */
    struct evs_ident late_into;          /* optional */
    const struct evs_ast_expr *retain;   /* or NULL */
};

/* What stands behind from, join and union. */
struct evs_ast_relation {
    enum { EVS_RELATION_NAME, EVS_RELATION_QUERY, EVS_RELATION_UNNEST } kind;
    struct evs_place place;
    struct evs_ident name;
    const struct evs_ast_query *query;
    const struct evs_ast_expr *unnest;
    struct evs_ident alias; /* optional */
    bool with_offset;       /* unnest(…) with offset [as offset_alias] */
    struct evs_ident offset_alias;
};

struct evs_ast_join {
    enum {
        EVS_JOIN_INNER,
        EVS_JOIN_LEFT,
        EVS_JOIN_RIGHT,
        EVS_JOIN_FULL,
        EVS_JOIN_CROSS,
        EVS_JOIN_SEMI,
        EVS_JOIN_ANTI
    } kind;
    struct evs_ast_relation right;
    const struct evs_ast_expr *on; /* or NULL */
    struct evs_idents using_columns;
    const struct evs_ast_expr *lateness;
    struct evs_ident late_into;
};

struct evs_ast_deduplicate {
    struct evs_ast_exprs keys;
    const struct evs_ast_expr *within;
    bool keep_last;
};
struct evs_ast_throttle {
    const struct evs_ast_expr *limit;
    const struct evs_ast_expr *interval;  /* per INTERVAL, or NULL: `calendar` */
    enum evs_ast_part calendar;           /* day, week or month */
    const struct evs_ast_expr *time_zone; /* or NULL */
    struct evs_ast_exprs keys;
    struct evs_ident dropped_into;
};
struct evs_ast_sample {
    const struct evs_ast_expr *percent;
    const struct evs_ast_expr *key;
    const struct evs_ast_expr *salt; /* or NULL */
    struct evs_ident rest_into;
};
struct evs_ast_top {
    const struct evs_ast_expr *limit;
    const struct evs_ast_expr *by;
    bool descending;
    struct evs_ast_exprs partition;
};
struct evs_ast_identity {
    const struct evs_ast_expr *anonymous, *user;
    const struct evs_ast_expr *previous;        /* of `alias`, or NULL */
    const struct evs_ast_expr *within, *retain; /* or NULL */
};
struct evs_ast_hold {
    const struct evs_ast_expr *until;
    const struct evs_ast_expr *at_most; /* or NULL */
    struct evs_ident expired_into;      /* optional, with at_most */
};

#define EVS_UNBOUNDED UINT32_MAX

enum evs_ast_skip { EVS_SKIP_DEFAULT, EVS_SKIP_PAST_LAST_ROW, EVS_SKIP_TO_NEXT_ROW };

struct evs_ast_step {
    struct evs_place place;
    struct evs_ident name;
    bool is_next;      /* then next */
    bool is_absence;   /* then no */
    bool quantified;   /* has + ? or {…} */
    uint32_t min, max; /* 1, 1 without a quantifier; max may be EVS_UNBOUNDED */
    const struct evs_ast_expr *condition;
    const struct evs_ast_expr *within; /* or NULL */
};
struct evs_ast_sequence {
    struct evs_ast_exprs keys;
    const struct evs_ast_expr *within; /* or NULL */
    enum evs_ast_skip skip;
    const struct evs_ast_step *steps;
    uint32_t step_count;
    struct evs_ident timeout_into, late_into; /* optional */
    struct evs_ast_items select;
};

struct evs_ast_pattern {
    enum {
        EVS_PATTERN_SYMBOL,
        EVS_PATTERN_CONCAT,
        EVS_PATTERN_CHOICE,
        EVS_PATTERN_EMPTY,
        EVS_PATTERN_START,
        EVS_PATTERN_END
    } kind;
    struct evs_place place;
    struct evs_ident symbol;
    uint32_t min, max; /* 1, 1 without a quantifier */
    bool reluctant;
    const struct evs_ast_pattern **parts; /* concat, choice */
    uint32_t part_count;
};
struct evs_ast_match_recognize {
    struct evs_ast_exprs partition;
    struct evs_ast_orders order;
    struct evs_ast_items measures;
    enum evs_ast_skip skip;
    const struct evs_ast_pattern *pattern;
    const struct evs_ast_item *definitions; /* expr as alias: DEFINE alias AS expr */
    uint32_t definition_count;
    const struct evs_ast_expr *within; /* or NULL */
    const struct evs_ast_expr *longest; /* options (use_longest_match = …), or NULL */
    struct evs_ident late_into;         /* optional */
};

enum evs_pipe_kind {
    EVS_PIPE_UNKNOWN, /* no such operator, or unreadable: reported */
    EVS_PIPE_WHERE,   /* expr */
    EVS_PIPE_SELECT,  /* items, distinct */
    EVS_PIPE_EXTEND,  /* items */
    EVS_PIPE_SET,     /* assignments: expr as alias */
    EVS_PIPE_DROP,    /* idents */
    EVS_PIPE_RENAME,  /* renames */
    EVS_PIPE_AS,      /* ident */
    EVS_PIPE_AGGREGATE,
    EVS_PIPE_INSERT, /* insert */
    EVS_PIPE_TEE,    /* branches */
    EVS_PIPE_FORK,   /* branches */
    EVS_PIPE_UNION,  /* set_operation */
    EVS_PIPE_LIMIT,  /* limit */
    EVS_PIPE_ORDER,  /* orders */
    EVS_PIPE_JOIN,
    EVS_PIPE_CALL, /* expr, an EVS_AST_CALL; ident: its alias, optional */
    EVS_PIPE_DISTINCT,
    EVS_PIPE_DEDUPLICATE,
    EVS_PIPE_THROTTLE,
    EVS_PIPE_SAMPLE,
    EVS_PIPE_SEQUENCE,
    EVS_PIPE_TOP,
    EVS_PIPE_HOLD,
    EVS_PIPE_IDENTITY,
    EVS_PIPE_ASSERT, /* exprs: the condition, then what a message shows */
    EVS_PIPE_LOG,    /* branches: none or one */
    EVS_PIPE_DESCRIBE,
    EVS_PIPE_MATCH_RECOGNIZE,
    EVS_PIPE_KIND_COUNT
};
const char *evs_pipe_kind_name(enum evs_pipe_kind kind); /* "where", "order by", … */

struct evs_ast_rename {
    struct evs_ident from, to;
};
/* A chain of operators: of a query behind `from`, or a branch of tee and fork. */
struct evs_ast_pipeline {
    struct evs_place place;
    const struct evs_ast_pipe *pipes;
    uint32_t count;
};

struct evs_ast_pipe {
    enum evs_pipe_kind kind;
    bool is_broken;         /* reported; what follows has unknown columns */
    struct evs_place place; /* the operator without |> */
    struct evs_place word;  /* its first word(s), for messages */
    struct evs_ident name;  /* `as NAME` of a stateful operator: identity of its state; optional */
    struct evs_ident otherwise_into; /* where: the sink of rows that do not pass; optional */
    union {
        const struct evs_ast_expr *expr;
        struct evs_ident ident;
        struct evs_idents idents;
        struct evs_ast_exprs exprs;
        struct evs_ast_orders orders;
        struct {
            struct evs_ast_items items;
            bool distinct;
        } select;
        struct evs_ast_items items; /* extend, set */
        struct {
            const struct evs_ast_rename *items;
            uint32_t count;
        } renames;
        struct {
            struct evs_ident sink;
            struct evs_idents columns; /* optional list */
        } insert;
        struct {
            const struct evs_ast_pipeline *items;
            uint32_t count;
        } branches;
        struct {
            bool distinct, by_name;
            const struct evs_ast_query **queries;
            uint32_t count;
        } set_operation;
        struct {
            const struct evs_ast_expr *count, *offset; /* offset or NULL */
        } limit;
        struct {
            const struct evs_ast_expr *expr;
            struct evs_ident alias;
        } call;
        const struct evs_ast_aggregate *aggregate;
        const struct evs_ast_join *join;
        const struct evs_ast_deduplicate *deduplicate;
        const struct evs_ast_throttle *throttle;
        const struct evs_ast_sample *sample;
        const struct evs_ast_sequence *sequence;
        const struct evs_ast_top *top;
        const struct evs_ast_hold *hold;
        const struct evs_ast_identity *identity;
        const struct evs_ast_match_recognize *match_recognize;
    };
};

struct evs_ast_query {
    struct evs_place place;
    bool is_broken; /* `from` itself is unreadable */
    struct evs_ast_relation from;
    struct evs_ast_pipeline pipeline;
};

/* --- statements --------------------------------------------------------------------------------------------------- */

/* name = value. The value is a literal, an interval or a parameter; the binder folds it. */
struct evs_ast_option {
    struct evs_ident name;
    const struct evs_ast_expr *value;
};
/* from nats (…), to file (…), format json (…): a word and its options. */
struct evs_ast_connector {
    struct evs_place place; /* the word and the list */
    struct evs_ident name;  /* optional for a format */
    const struct evs_ast_option *options;
    uint32_t option_count;
};

struct evs_ast_column {
    struct evs_place place;
    struct evs_ident name;
    const struct evs_ast_type *type;
    bool has_path;
    struct evs_str path; /* '$.a.b', decoded; borrowed from the arena */
    struct evs_place path_place;
    struct evs_ident unit; /* s, ms, us, ns; optional; checked by the parser */
    bool not_null;
    const struct evs_ast_expr *fallback; /* default LITERAL, or NULL */
};
struct evs_ast_columns {
    const struct evs_ast_column *items;
    uint32_t count;
};

struct evs_ast_source {
    struct evs_ast_columns columns;
    struct evs_ident watermark_column;    /* optional */
    const struct evs_ast_expr *watermark; /* watermark for COLUMN as EXPR */
    struct evs_ast_connector connector, format;
    struct evs_ident dead_letter; /* dead letter into SINK; optional */
    enum { EVS_ON_ERROR_DEFAULT, EVS_ON_ERROR_DEAD_LETTER, EVS_ON_ERROR_FAIL } on_error;
};
struct evs_ast_table {
    struct evs_ast_columns columns;
    struct evs_idents primary_key;
    struct evs_ast_connector connector; /* looked up; no name when kept from a stream */
    const struct evs_ast_query *query;  /* kept from a stream, or NULL */
    const struct evs_ast_expr *retain;
    enum { EVS_ON_LOOKUP_DEFAULT, EVS_ON_LOOKUP_FAIL, EVS_ON_LOOKUP_NULL, EVS_ON_LOOKUP_DEAD_LETTER } on_lookup_error;
};
struct evs_ast_sink {
    struct evs_ast_connector connector, format;
};
struct evs_ast_param {
    const struct evs_ast_type *type;
    const struct evs_ast_expr *fallback; /* or NULL: it must be set */
};

struct evs_ast_test_step {
    enum {
        EVS_TEST_WITH,    /* name = value */
        EVS_TEST_GIVEN,   /* name, rows (or raw) */
        EVS_TEST_ADVANCE, /* value: advance to T */
        EVS_TEST_END,     /* end of input */
        EVS_TEST_EXPECT,  /* name, in_order, rows; none: `nothing` */
    } kind;
    struct evs_place place;
    struct evs_ident name;
    const struct evs_ast_expr *value;
    bool is_raw, in_order;
    const struct evs_str *rows; /* JSON objects byte for byte, or the raw text */
    const struct evs_place *row_places;
    uint32_t row_count;
};
struct evs_ast_test {
    struct evs_str title;
    const struct evs_ast_test_step *steps;
    uint32_t step_count;
};

enum evs_statement_kind {
    EVS_STATEMENT_UNKNOWN,  /* unreadable, reported */
    EVS_STATEMENT_PIPELINE, /* pipeline NAME; */
    EVS_STATEMENT_SOURCE,
    EVS_STATEMENT_TABLE,
    EVS_STATEMENT_SINK,
    EVS_STATEMENT_STREAM, /* query */
    EVS_STATEMENT_QUERY,  /* query */
    EVS_STATEMENT_PARAM,
    EVS_STATEMENT_IMPORT, /* path: resolved already, its statements stand before this one */
    EVS_STATEMENT_SET,    /* name, setting */
    EVS_STATEMENT_TEST,
};

struct evs_ast_statement {
    enum evs_statement_kind kind;
    /* Reported: part of it is missing or default. Its name, where given, is still declared, so that nothing else
     * that uses the name is reported. A query with broken operators alone is not broken itself. */
    bool is_broken;
    struct evs_place place;
    struct evs_ident name; /* what it declares or sets; none for queries, imports and tests */
    union {
        struct evs_ast_source source;
        struct evs_ast_table table;
        struct evs_ast_sink sink;
        const struct evs_ast_query *query;
        struct evs_ast_param param;
        struct evs_str path;
        const struct evs_ast_expr *setting;
        struct evs_ast_test test;
    };
};

/* --- printing ----------------------------------------------------------------------------------------------------- */

/* The canonical text of an expression: lower-case keywords and function names, single spaces, the parentheses that
 * precedence needs and no others, strings in single quotes. Two expressions with the same text mean the same. The
 * text of a query inside an expression is left out ("(from …)"). */
void evs_ast_print_expr(struct evs_buffer *out, const struct evs_ast_expr *expr);
char *evs_ast_expr_text(struct evs_arena *arena, const struct evs_ast_expr *expr);
void evs_ast_print_type(struct evs_buffer *out, const struct evs_ast_type *type);
/* A name, in backticks where it needs them. */
void evs_ast_print_ident(struct evs_buffer *out, struct evs_slice name);

#endif
