/* Joins: what the files that bind them share. */
#ifndef EVS_BIND_JOIN_H
#define EVS_BIND_JOIN_H

#include "bind.h"

#define EVS_JOIN_KEYS_MAX 16
#define EVS_JOIN_CONDITIONS_MAX 64

/* One equality between the sides. */
struct evs_join_key {
    const struct evs_expr *sides[2]; /* over the columns of their side */
    uint32_t columns[2];             /* of the sides' relations, when these are settled */
    struct evs_place place;
};

/* A join while it is bound. Its conditions see both sides at once: the columns of the left relation, then those of the right one. */
struct evs_joining {
    struct evs_binder *binder;
    const struct evs_ast_join *ast;
    struct evs_scope *left, right;
    struct evs_scope both;
    struct evs_place place;
    struct evs_join_key keys[EVS_JOIN_KEYS_MAX];
    uint32_t key_count;
    const struct evs_ast_expr *rest[EVS_JOIN_CONDITIONS_MAX]; /* conditions that are neither keys nor bounds */
    uint32_t rest_count;
    const struct evs_ast_expr *bounds[EVS_JOIN_CONDITIONS_MAX]; /* those of the times */
    uint32_t bound_count;
    int64_t lower_us, upper_us; /* time of the right row - time of the left row */
};

/* bind_join_on.c: fills keys, rest and bounds from `on` or `using`. False: reported. */
bool evs_join_bind_on(struct evs_joining *joining);
/* The scope of both sides; both are settled. */
bool evs_join_bind_both(struct evs_joining *joining);

/* "left join profiles using (user_id)" */
const char *evs_join_label(struct evs_binder *binder, const struct evs_ast_join *ast, const char *right);

#endif
