/* call tumble(…), hop(…), cumulate(…): each row with the windows that hold it. */
#ifndef EVS_OP_WINDOW_H
#define EVS_OP_WINDOW_H

#include "evstream/operator.h"
#include "window_assign.h"

struct evs_window_config {
    struct evs_window window;
    uint32_t start_column, end_column; /* of the output; EVS_WINDOW_UNSEEN: nobody asks for it */
};
#define EVS_WINDOW_UNSEEN UINT32_MAX
extern const struct evs_operator evs_op_window;

#endif
