/* A condition over rows that somebody looks at: `evstream tail --where`, the live page. It is written as behind `|> where`, and compiled by the same parser
 * and binder, so that it means the same and its mistakes are told in the same words. */
#ifndef EVS_PREDICATE_H
#define EVS_PREDICATE_H

#include "diag.h"
#include "source_text.h"

/* Compiles `text`, one of the texts that `diagnostics` shows, over the columns of `schema`; `rows` is what they are called in messages ("clicks"), and
 * may stand before a column's name. The program lives in `arena`. EVS_E_PIPELINE: `diagnostics` say what is wrong. */
EVS_MUST_CHECK evs_status evs_predicate_compile(const struct evs_source_text *text, const char *rows,
                                                const struct evs_schema *schema, struct evs_arena *arena,
                                                struct evs_diagnostics *diagnostics,
                                                const struct evs_program **program);

#endif
