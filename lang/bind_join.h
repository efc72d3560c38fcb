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
    bool takes_constants; /* a key of the right side may be tied to a constant, too: of a table */
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

/* The columns that `*` means after a join, and, for each, where a late row of either side finds it (EVS_NO_COLUMN: nowhere). The relation has all columns of
 * the left side, then, with `has_right`, all of the right one. */
struct evs_join_listing {
    struct evs_columns columns;
    uint32_t *late[2];
};
struct evs_join_listing evs_join_list(struct evs_joining *joining, const struct evs_rel *rel, bool has_right);
/* Names after the join: these columns, and the range variables of both sides. */
void evs_join_set_scope(struct evs_joining *joining, struct evs_rel *rel, const struct evs_columns *columns,
                        bool has_right);

/* bind_table_join.c: a join with a table, looked up or kept from a stream. */
bool evs_join_bind_table(struct evs_joining *joining, struct evs_entity *entity, const char *name);

/* "left join profiles using (user_id)" */
const char *evs_join_label(struct evs_binder *binder, const struct evs_ast_join *ast, const char *right);

#endif
