/* The language server: JSON-RPC 2.0 as the Language Server Protocol 3.17 frames it, over bytes that the caller reads and writes.
 *
 * One thread, no clock, no file but what pipelines import. Diagnostics are published when no input is waiting, so that a burst of changes costs
 * one check; a request is answered over the text as it stands when its turn comes. */
#ifndef EVS_LSP_H
#define EVS_LSP_H

#include "compile.h"

struct evs_lsp_io {
    void *self;
    size_t (*read)(void *self, char *bytes, size_t room);       /* blocks; 0: the end */
    bool (*is_ready)(void *self);                               /* would `read` give something at once? */
    bool (*write)(void *self, const char *bytes, size_t count); /* all of it; false: nobody listens any more */
};

/* Serves until `exit`, or the end of the input. `reference`: where the language's reference is, a URL without an anchor; NULL: unknown, and the
 * client may say it (initializationOptions.reference). Returns the process's exit code: 0 after `shutdown`, else 1. */
int evs_lsp_serve(const struct evs_lsp_io *io, const struct evs_registry *registry, const char *reference);

#endif
