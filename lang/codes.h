/* The stable codes of diagnostics. The one table is codes.def: a code, a title, an explanation. */
#ifndef EVS_CODES_H
#define EVS_CODES_H

#include "evstream/text.h"

enum evs_code {
#define EVS_CODE(code, title, explanation) EVS_##code,
#include "codes.def"
#undef EVS_CODE
    EVS_CODE_COUNT
};

struct evs_code_info {
    const char *name;        /* "E0203" */
    const char *title;       /* "unknown column" */
    const char *explanation; /* what it means and what to do, for the reference */
};
const struct evs_code_info *evs_code_info(enum evs_code code);
/* The code of a name in any case ("e0203"); false when there is none. */
bool evs_code_find(struct evs_slice name, enum evs_code *code);

#endif
