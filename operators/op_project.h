/* select, extend, set, drop, rename: another set of columns, row by row. */
#ifndef EVS_OP_PROJECT_H
#define EVS_OP_PROJECT_H

#include "evstream/operator.h"
#include "expr.h"

struct evs_project_item {
    bool is_copy; /* true: `index` is an input column, shared and not copied; false: an output of the program */
    uint32_t index;
};
struct evs_project_config {
    const struct evs_program *program; /* NULL when all items are copies */
    uint32_t program_outputs;
    const struct evs_project_item *items; /* one an output column */
    uint32_t item_count;
};
extern const struct evs_operator evs_op_project;

#endif
