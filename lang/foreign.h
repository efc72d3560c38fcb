/* What other databases call things: for hints. A hint is what to write, as a sentence's end: "write length(…)". NULL: unknown there, too. */
#ifndef EVS_FOREIGN_H
#define EVS_FOREIGN_H

#include "evstream/text.h"

const char *evs_foreign_function(struct evs_slice name);
const char *evs_foreign_operator(struct evs_slice name); /* behind |> */
const char *evs_foreign_infix(struct evs_slice word);    /* behind an expression: `ilike` */

#endif
