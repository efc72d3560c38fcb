/* Secrets by reference: a file or an environment variable, never a literal of a pipeline.
 *
 * A file is looked at again when it is asked for and a second has passed: a secret that is replaced (a Kubernetes secret, say) takes effect
 * without a restart. No value is ever logged or shown. */
#ifndef EVS_SECRET_H
#define EVS_SECRET_H

#include "evstream/memory.h"
#include "evstream/os.h"

struct evs_secret {
    const char *option;     /* for messages: "auth" means that auth_env or auth_file named it */
    const char *env, *file; /* one of them, or neither: there is no secret */
    struct evs_buffer value;
    uint64_t version; /* raised with every new value */
    int64_t looked_us;
    struct {
        int64_t modified_ns;
        uint64_t bytes, inode;
    } seen;
};

static inline bool evs_secret_is_named(const struct evs_secret *secret)
{
    return secret->env != NULL || secret->file != NULL;
}

/* Reads the value, without white space at its ends. EVS_E_USAGE when it is missing or empty. */
EVS_MUST_CHECK evs_status evs_secret_open(struct evs_secret *secret, const struct evs_os *os, struct evs_error *error);
/* The value as of now; the last one when a new one cannot be read (`error` says so; EVS_AGAIN: nothing is new). */
evs_status evs_secret_look(struct evs_secret *secret, const struct evs_os *os, struct evs_error *error);
void evs_secret_fini(struct evs_secret *secret); /* overwrites the value */

#endif
