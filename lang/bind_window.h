/* Windows as they are written: tumble(…), hop(…), session(…), cumulate(…), in group by and behind `call`. */
#ifndef EVS_BIND_WINDOW_H
#define EVS_BIND_WINDOW_H

#include "bind.h"

struct evs_bound_window {
    struct evs_window window;
    const char *text;  /* for people, parameters by their value: "tumble(interval 1 minute)" */
    uint64_t identity; /* of windows of the same definition */
    uint64_t spans;    /* how many hold a moment, about; 1 of tumble and session */
};

/* NONE when the name is no window's. */
enum evs_window_kind evs_window_named(struct evs_slice name);
/* Binds the call; false: reported. */
bool evs_bind_window_call(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_expr *ast,
                          struct evs_bound_window *bound);

#endif
