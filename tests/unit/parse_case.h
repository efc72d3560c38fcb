/* What the tests of the parser share: a script with its diagnostics, made new for each case. */
#ifndef EVS_PARSE_CASE_H
#define EVS_PARSE_CASE_H

#include <check.h>

#include "parser.h"

struct parse_case {
    struct evs_sources *sources;
    struct evs_diagnostics *diagnostics;
    struct evs_script script; /* accepts everything, unless a test says otherwise */
};
extern struct parse_case parse_case;

void parse_case_begin(void); /* the fixture's two halves */
void parse_case_end(void);
void parse_case_again(void); /* end and begin */

/* Parses, whatever comes of it. */
void parse_case_text(struct evs_slice text);
const struct evs_ast_expr *parse_case_expr(const char *text);
/* Asserts that there is nothing to report and that there are `count` statements. */
void parse_case_well(const char *text, uint32_t count);
/* Begins again with a text that is one query, and gives its `count` operators. */
const struct evs_ast_pipe *parse_case_pipes(const char *text, uint32_t count);

const char *parse_case_messages(void); /* what was reported, as it is printed; cut to what check can take */
const char *parse_case_expr_text(const struct evs_ast_expr *expr); /* "(none)" for NULL */
bool parse_case_is_named(struct evs_ident ident, const char *name);

/* Runs the suite; the exit code of main(). */
int parse_case_run(Suite *suite);

#endif
