/* The pattern of match_recognize, from the syntax tree to what operators/pattern_program.h compiles. */
#ifndef EVS_MATCH_PATTERN_H
#define EVS_MATCH_PATTERN_H

#include "ast.h"
#include "pattern_program.h"

/* The number of a symbol is that of its definition. NULL: `*unknown` is defined nowhere. */
const struct evs_pattern *evs_match_pattern(struct evs_arena *arena, const struct evs_ast_pattern *ast,
                                            const struct evs_ast_item *definitions, uint32_t definition_count,
                                            const struct evs_ident **unknown);

#endif
