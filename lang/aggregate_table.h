/* The aggregate functions: what a user writes, what it means, what it takes. The reference's table of them is made of this one (evs_reference
 * aggregates), and its examples are run over the rows that stand above it there (evs_reference aggregate_rows). */
#ifndef EVS_AGGREGATE_TABLE_H
#define EVS_AGGREGATE_TABLE_H

#include "aggregate_function.h"

/* What the first argument may be. */
enum evs_aggregate_takes {
    EVS_TAKES_ANY,
    EVS_TAKES_EQUAL,   /* whatever can be compared for equality */
    EVS_TAKES_ORDERED, /* whatever has an order */
    EVS_TAKES_NUMBER,
    EVS_TAKES_INT64,
    EVS_TAKES_BOOL,
    EVS_TAKES_TEXT,       /* string or bytes */
    EVS_TAKES_ARRAY,      /* of anything */
    EVS_TAKES_MEASURABLE, /* a number or a time */
};

enum evs_aggregate_gives {
    EVS_GIVES_COUNT, /* int64, never NULL */
    EVS_GIVES_FLOAT64,
    EVS_GIVES_SAME,
    EVS_GIVES_MEAN,  /* numeric for numeric, else float64 */
    EVS_GIVES_ARRAY, /* of the argument */
    EVS_GIVES_TOP,   /* array of struct (value, count or sum) */
};

enum {
    EVS_AGGREGATE_DISTINCT = 1,
    EVS_AGGREGATE_ORDER = 2,  /* order by, limit */
    EVS_AGGREGATE_NULLS = 4,  /* ignore nulls, respect nulls */
    EVS_AGGREGATE_HAVING = 8, /* having max, having min */
};

struct evs_aggregate_function {
    const char *name; /* lower case */
    enum evs_aggregate_kind kind;
    const char *signature; /* "string_agg([distinct] x [, delimiter] [order by …] [limit n])" */
    const char *meaning;
    const char *example, *result; /* over the example rows; as a JSON sink writes it */
    uint32_t arguments_min, arguments_max;
    enum evs_aggregate_takes takes;
    enum evs_aggregate_gives gives;
    uint32_t clauses; /* EVS_AGGREGATE_… */
};

uint32_t evs_aggregate_function_count(void);
const struct evs_aggregate_function *evs_aggregate_function_at(uint32_t index);
const struct evs_aggregate_function *evs_aggregate_function_find(struct evs_slice name); /* any case; NULL: none */
bool evs_aggregate_accepts(enum evs_aggregate_takes takes, enum evs_kind kind);
const char *evs_aggregate_takes_text(enum evs_aggregate_takes takes); /* "a bool" */

/* The rows of the examples, one JSON object each; NULL ends them. */
extern const char *const evs_aggregate_example_rows[];
/* A source's columns for them. */
extern const char evs_aggregate_example_columns[];

#endif
