/* assert: rows that break a promise go to the dead letter. */
#ifndef EVS_OP_ASSERT_H
#define EVS_OP_ASSERT_H

#include "evstream/operator.h"
#include "expr.h"

struct evs_assert_config {
    const struct evs_program *condition; /* output 0: bool */
    const struct evs_program
        *message;     /* output 0: string, what the dead letter says beside the condition; NULL: nothing */
    const char *text; /* of the condition */
    const char *file; /* place in the pipeline; may be NULL */
    uint32_t line;
};
extern const struct evs_operator evs_op_assert;

#endif
