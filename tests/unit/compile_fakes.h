/* Compiling texts against connectors that do nothing, and looking at the plan. */
#ifndef COMPILE_FAKES_H
#define COMPILE_FAKES_H

#include "compile.h"

/* Sources: file (path; bounded), live (stream, partitions, password; a broker).
 * Sinks: file (path; bytes, single), bus (subject; messages), log (key; messages, single, always exact).
 * Formats: json; envelope (type). */
extern const struct evs_registry compile_registry;

struct attempt {
    struct evs_sources *texts;
    struct evs_diagnostics *diagnostics;
    struct evs_error error;
    evs_status status;
    const struct evs_plan *plan; /* NULL unless EVS_OK */
};

/* Compiles a text as the file pipeline.evs of a temporary folder. `with` may be NULL: it gives params, overrides, environment. */
struct attempt attempt_compile(const char *text, const struct evs_compile_options *with);
void attempt_end(struct attempt *attempt);

/* "E0203 E0301 W0004": the codes of all diagnostics in the order of printing. */
const char *attempt_codes(const struct attempt *attempt, char *out, size_t bytes);
/* The nodes in order, one a line: "name(columns)<inputs"; `:1` behind an input is its second output. For nodes that compute or filter the
 * label follows. */
const char *attempt_shape(const struct attempt *attempt, char *out, size_t bytes);
/* The node of a name; the test fails without it. */
const struct evs_plan_node *attempt_node(const struct attempt *attempt, const char *name);
/* The only aggregate of the plan. */
const struct evs_plan_node *attempt_aggregate(const struct attempt *attempt);
/* Number of nodes that run an operator of a kind. */
uint32_t attempt_count(const struct attempt *attempt, const char *operator_kind);

#endif
