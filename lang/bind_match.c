/* match_recognize (…): not bound yet in this step of the work; see bind_sequence.c. */
#include "bind_keyed.h"
#include "bind_measure.h"

bool evs_bind_match_recognize(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    (void)scope;
    evs_report(binder, EVS_E0114, pipe->word, "`match_recognize` is not supported yet");
    return false;
}
