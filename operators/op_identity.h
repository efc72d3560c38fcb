/* resolve identity ANONYMOUS to USER [alias PREVIOUS] [within INTERVAL] [retain INTERVAL]. The essay is in op_identity.c */
#ifndef EVS_OP_IDENTITY_H
#define EVS_OP_IDENTITY_H

#include "evstream/operator.h"

#define EVS_IDENTITY_NO_COLUMN UINT32_MAX

struct evs_identity_config {
    uint32_t key;             /* input 0: the anonymous id, else the user's: what rows are spread by */
    uint32_t anonymous, user; /* input 0, texts; NULL and the empty text are no id */
    bool has_aliases; /* input 1: `previous` is now known as `into`, both texts; every worker gets every row of it */
    uint32_t previous, into;
    int64_t within_us;       /* how far back an identification reaches; 0: it does not */
    int64_t retain_us;       /* after its last use an id is forgotten; EVS_TIME_MAX: never. At least within_us */
    int64_t alias_retain_us; /* an alias is forgotten so long after it was last told */
    uint32_t users_max;      /* of one anonymous id */
    uint32_t aliases_max;    /* ids of one person that are tied by aliases */
    uint32_t person;         /* output column, a text; EVS_IDENTITY_NO_COLUMN: nobody asks */
    uint32_t known;          /* output column, a bool; likewise */
};
extern const struct evs_operator evs_op_identity;

#endif
