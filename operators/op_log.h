/* log: rows shown in the program's log, for whoever writes a pipeline. Gives no rows. */
#ifndef EVS_OP_LOG_H
#define EVS_OP_LOG_H

#include "evstream/operator.h"

struct evs_log_config {
    const char *place; /* "cart.evs:14": which log operator it is */
};
extern const struct evs_operator evs_op_log;

#endif
