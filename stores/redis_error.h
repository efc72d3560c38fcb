/* What an error reply of Redis means: worth another try or not, and what the user can do about it.
 *
 * Replies are told apart by their first word, which is the stable part (LOADING, READONLY, …); a few old ones all
 * begin with ERR and are told apart by their text. The table in redis_error.c is the whole knowledge. */
#ifndef EVS_REDIS_ERROR_H
#define EVS_REDIS_ERROR_H

#include "evstream/status.h"

enum evs_redis_cause {
    EVS_REDIS_OTHER,
    EVS_REDIS_LOADING,
    EVS_REDIS_BUSY,
    EVS_REDIS_READONLY,
    EVS_REDIS_MASTERDOWN,
    EVS_REDIS_NOREPLICAS,
    EVS_REDIS_OOM,
    EVS_REDIS_MISCONF,
    EVS_REDIS_TRYAGAIN,
    EVS_REDIS_CLUSTERDOWN,
    EVS_REDIS_CLIENTS_MAX,
    EVS_REDIS_NO_FUNCTION,
    EVS_REDIS_ID_SMALL, /* XADD: "equal or smaller than the target stream top item" */
    EVS_REDIS_FENCED,   /* our function: another owner */
    EVS_REDIS_GAP,      /* our function: the stream does not end where we left it */
    EVS_REDIS_DIVERGED, /* our function: the id is taken by other content */
    EVS_REDIS_MOVED,    /* final for who cannot follow; evs_redis_link_refused can */
    EVS_REDIS_ASK,
    EVS_REDIS_CROSSSLOT,
    EVS_REDIS_NOAUTH,
    EVS_REDIS_WRONGPASS,
    EVS_REDIS_NOPERM,
    EVS_REDIS_DENIED,
    EVS_REDIS_WRONGTYPE,
    EVS_REDIS_UNKNOWN_COMMAND,
    EVS_REDIS_DATABASE,
};

struct evs_redis_refusal {
    enum evs_redis_cause cause;
    evs_status status;  /* EVS_E_UNREACHABLE: it may pass by itself, try again; anything else is final */
    const char *prefix; /* how the reply begins */
    const char *advice; /* sentences for the user: what it means, what to do */
};

/* Never NULL: an unknown reply is EVS_REDIS_OTHER, final. */
const struct evs_redis_refusal *evs_redis_classify(const char *reply);

/* Fills `error` with who refused what, the reply and the advice; returns the refusal's status. `server` is the
 * address without password, `doing` completes "… refused to". */
evs_status evs_redis_refused(const char *server, const char *doing, const char *reply, struct evs_error *error);

#endif
