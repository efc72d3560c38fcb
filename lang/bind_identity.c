/* resolve identity: the rows as they are, with the columns person_id and is_known behind them.
 *
 *   scope ──► project, with the ids and the key as columns ──┬──► exchange by the anonymous id, else the user's ──► resolve identity
 *                                                             └──► filter: rows with an alias ──► broadcast ──────────────┘ */
#include "bind_keyed.h"
#include "op_identity.h"

enum { OWN_PERSON, OWN_KNOWN, OWN_COUNT };
enum { ID_ANONYMOUS, ID_USER, ID_KEY, ID_PREVIOUS, ID_COUNT };

struct identifying {
    struct evs_identity_config config; /* without numbers of columns */
    uint32_t numbers[ID_COUNT];        /* of the input relation */
};

static const void *configure(const struct evs_rel_layout *layout)
{
    const struct identifying *bound = layout->rel->op->bound;
    uint32_t first = layout->rel->inputs[0].rel->column_count;
    struct evs_identity_config *config = EVS_ARENA_NEW(layout->arena, struct evs_identity_config);
    *config = bound->config;
    config->key = layout->input_map[0][bound->numbers[ID_KEY]];
    config->anonymous = layout->input_map[0][bound->numbers[ID_ANONYMOUS]];
    config->user = layout->input_map[0][bound->numbers[ID_USER]];
    if (config->has_aliases) {
        config->previous = layout->input_map[1][bound->numbers[ID_PREVIOUS]];
        config->into = layout->input_map[1][bound->numbers[ID_USER]];
    }
    _Static_assert(EVS_IDENTITY_NO_COLUMN == EVS_NO_COLUMN, "the same for both");
    config->person = layout->map[first + OWN_PERSON];
    config->known = layout->map[first + OWN_KNOWN];
    return config;
}

/* --- expressions ---------------------------------------------------------------------------------------------------------------------- */

static const struct evs_expr *bind_id(struct evs_binder *binder, struct evs_scope *scope,
                                      const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = scope};
    const struct evs_expr *id = evs_bind_expr(binder, &context, ast);
    if (id == NULL || id->type->kind == EVS_STRING) {
        return id;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0305, ast->place, "an id is a text, and this is of type %s",
                                       evs_type_name_in(binder->arena, id->type));
    evs_diag_hint(diag, "write cast(%s as string)", evs_ast_expr_text(binder->arena, ast));
    return NULL;
}

static const struct evs_expr *call(struct evs_binder *binder, const char *name, const struct evs_expr *left,
                                   const struct evs_expr *right)
{
    const struct evs_expr *arguments[2] = {left, right}, *result = NULL;
    struct evs_error error;
    evs_status status =
        evs_expr_call(binder->arena, evs_slice_of(name), false, arguments, 2, left->place, &result, &error);
    EVS_ASSERT(status == EVS_OK);
    return result;
}

/* What all rows of a device have in common, and else those of a user. The empty text is no id. */
static const struct evs_expr *key_of(struct evs_binder *binder, const struct evs_expr *anonymous,
                                     const struct evs_expr *user)
{
    struct evs_value nothing = {.kind = EVS_STRING};
    const struct evs_expr *empty = evs_expr_constant(binder->arena, nothing, anonymous->place);
    return call(binder, "coalesce", call(binder, "nullif", anonymous, empty), user);
}

static const struct evs_expr *special(struct evs_binder *binder, enum evs_expr_kind kind, const struct evs_expr *first,
                                      const struct evs_expr *second)
{
    const struct evs_expr *arguments[2] = {first, second}, *result = NULL;
    struct evs_error error;
    evs_status status =
        evs_expr_special(binder->arena, kind, arguments, second == NULL ? 1 : 2, first->place, &result, &error);
    EVS_ASSERT(status == EVS_OK);
    return result;
}

static const struct evs_expr *is_given(struct evs_binder *binder, const struct evs_rel *rel, uint32_t column)
{
    struct evs_field field = evs_rel_field(rel, column);
    const struct evs_expr *id = evs_expr_column(binder->arena, column, &field, rel->place);
    return special(binder, EVS_EXPR_NOT, special(binder, EVS_EXPR_IS_NULL, id, NULL), NULL);
}

/* --- the relation --------------------------------------------------------------------------------------------------------------------------- */

static const struct evs_rel_reading *make_readings(struct evs_binder *binder, const struct identifying *bound)
{
    struct evs_rel_reading *readings = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_reading, 2);
    uint32_t *columns = EVS_ARENA_ARRAY(binder->arena, uint32_t, 5);
    columns[0] = bound->numbers[ID_KEY];
    columns[1] = bound->numbers[ID_ANONYMOUS];
    columns[2] = columns[3] = bound->numbers[ID_USER];
    columns[4] = bound->numbers[ID_PREVIOUS];
    readings[0] = (struct evs_rel_reading){.keys = columns, .key_count = 1, .reads = columns + 1, .read_count = 2};
    readings[1] = (struct evs_rel_reading){.reads = columns + 3, .read_count = 2, .is_broadcast = true};
    return readings;
}

static struct evs_rel *make_rel(struct evs_binder *binder, struct evs_scope *scope, struct evs_rel_operator *op,
                                const struct identifying *bound, const struct evs_ast_pipe *pipe)
{
    struct evs_rel *inputs[2] = {scope->base, NULL};
    uint32_t count = scope->base->column_count;
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_origin, count + OWN_COUNT);
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_column, count + OWN_COUNT);
    for (uint32_t i = 0; i < count; i++) {
        origins[i].column = i;
        columns[i] = scope->base->columns[i];
    }
    for (uint32_t i = 0; i < OWN_COUNT; i++) {
        origins[count + i] = (struct evs_rel_origin){EVS_COMPUTED, i};
        columns[count + i] = (struct evs_rel_column){.name = i == OWN_PERSON ? "person_id" : "is_known",
                                                     .type = evs_type_of(i == OWN_PERSON ? EVS_STRING : EVS_BOOL),
                                                     .nullable = i == OWN_PERSON};
    }
    op->origins = origins;
    op->readings = make_readings(binder, bound);
    if (bound->config.has_aliases) {
        const struct evs_expr *previous = is_given(binder, scope->base, bound->numbers[ID_PREVIOUS]);
        const struct evs_expr *user = is_given(binder, scope->base, bound->numbers[ID_USER]);
        inputs[1] = evs_rel_filter(&binder->rels, scope->base, special(binder, EVS_EXPR_AND, previous, user));
    }
    return evs_rel_operator(&binder->rels, inputs, inputs[1] == NULL ? 1 : 2, op, columns, count + OWN_COUNT,
                            EVS_NO_COLUMN, evs_bind_place(binder, pipe->place), evs_bind_operator_name(binder, pipe));
}

/* --- the whole ---------------------------------------------------------------------------------------------------------------------------- */

static bool bind_retention(struct evs_binder *binder, const struct evs_scope *scope, const struct evs_ast_pipe *pipe,
                           struct evs_identity_config *config)
{
    const struct evs_ast_identity *ast = pipe->identity;
    config->retain_us = EVS_TIME_MAX;
    if (ast->retain != NULL) {
        return evs_bind_length(binder, ast->retain, "`retain`", &config->retain_us);
    }
    if (scope->base->is_bounded) {
        return true;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0401, pipe->word,
                                       "nothing bounds how long `resolve identity` remembers whose a device is");
    evs_diag_hint(diag, "add retain interval 90 day, for example: so long after its last event a device is forgotten");
    return false;
}

static bool bind_times(struct evs_binder *binder, const struct evs_scope *scope, const struct evs_ast_pipe *pipe,
                       struct evs_identity_config *config)
{
    const struct evs_ast_identity *ast = pipe->identity;
    bool is_right = ast->within == NULL || evs_bind_length(binder, ast->within, "`within`", &config->within_us);
    is_right = bind_retention(binder, scope, pipe, config) && is_right;
    if (is_right && config->within_us > config->retain_us) {
        struct evs_diag *diag = evs_report(binder, EVS_E0418, ast->within->place,
                                           "`within` is longer than `retain`: who a device belongs to would be "
                                           "forgotten before its visit is over");
        evs_diag_hint(diag, "`within` says how far back an identification reaches (a visit: 30 minutes), `retain` how "
                            "long it is remembered (90 days)");
        return false;
    }
    return is_right;
}

static bool bind_ids(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe,
                     struct identifying *bound)
{
    const struct evs_ast_identity *ast = pipe->identity;
    const struct evs_expr *ids[ID_COUNT];
    ids[ID_ANONYMOUS] = bind_id(binder, scope, ast->anonymous);
    ids[ID_USER] = bind_id(binder, scope, ast->user);
    ids[ID_PREVIOUS] = ast->previous == NULL ? NULL : bind_id(binder, scope, ast->previous);
    if (ids[ID_ANONYMOUS] == NULL || ids[ID_USER] == NULL || (ast->previous != NULL && ids[ID_PREVIOUS] == NULL)) {
        return false;
    }
    struct evs_expr *key = EVS_ARENA_NEW(binder->arena, struct evs_expr);
    *key = *key_of(binder, ids[ID_ANONYMOUS], ids[ID_USER]);
    key->text = evs_arena_printf(binder->arena, "%s else %s", evs_ast_expr_text(binder->arena, ast->anonymous),
                                 evs_ast_expr_text(binder->arena, ast->user)); /* what plans and erasures call it */
    ids[ID_KEY] = key;
    evs_scope_settle_with(binder, scope, ids, ast->previous == NULL ? ID_PREVIOUS : ID_COUNT, bound->numbers,
                          evs_bind_place(binder, pipe->place));
    return true;
}

static void describe(struct evs_binder *binder, const struct evs_ast_identity *ast,
                     const struct evs_identity_config *config, struct evs_rel_operator *op)
{
    struct evs_arena *arena = binder->arena;
    const char *within = evs_bind_duration_text(binder, config->within_us);
    op->label = evs_arena_printf(arena, "resolve identity %s to %s%s%s%s%s", evs_ast_expr_text(arena, ast->anonymous),
                                 evs_ast_expr_text(arena, ast->user), ast->previous == NULL ? "" : " alias ",
                                 ast->previous == NULL ? "" : evs_ast_expr_text(arena, ast->previous),
                                 ast->within == NULL ? "" : " within ", ast->within == NULL ? "" : within);
    const char *row = ast->within == NULL
                          ? "a row goes when the watermark has passed it"
                          : evs_arena_printf(arena, "a row goes when it is identified, at most %s later", within);
    op->state_bound = ast->retain == NULL ? evs_arena_printf(arena, "%s; ids are kept until the input ends", row)
                                          : evs_arena_printf(arena, "%s; an id goes %s after its last use", row,
                                                             evs_bind_duration_text(binder, config->retain_us));
    if (config->has_aliases && config->alias_retain_us != config->retain_us) {
        op->state_bound = evs_arena_printf(arena, "%s, an alias %s after it was last told", op->state_bound,
                                           evs_bind_duration_text(binder, config->alias_retain_us));
    }
}

static void add_columns(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place)
{
    uint32_t count = scope->base->column_count;
    for (uint32_t i = count - OWN_COUNT; i < count; i++) {
        struct evs_field field = evs_rel_field(scope->base, i);
        evs_columns_add(binder, &scope->columns, field.name, evs_expr_column(binder->arena, i, &field, place));
    }
}

bool evs_bind_identity(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_identity *ast = pipe->identity;
    struct identifying *bound = EVS_ARENA_NEW(binder->arena, struct identifying);
    struct evs_rel_operator *op = EVS_ARENA_NEW(binder->arena, struct evs_rel_operator);
    bool is_right = !evs_bind_refuse_update(binder, scope, pipe->word, "resolve identity");
    is_right = is_right && bind_times(binder, scope, pipe, &bound->config);
    if (!is_right || !bind_ids(binder, scope, pipe, bound)) {
        return false;
    }
    bound->config.has_aliases = ast->previous != NULL;
    const struct evs_option_value *alias_retain = evs_setting(binder, "identity_alias_retain");
    bound->config.alias_retain_us = alias_retain->is_set ? alias_retain->integer : bound->config.retain_us;
    bound->config.users_max = (uint32_t)evs_setting(binder, "identity_users")->integer;
    bound->config.aliases_max = (uint32_t)evs_setting(binder, "identity_aliases")->integer;
    op->operator_ = &evs_op_identity;
    op->spread = EVS_SPREAD_KEYS;
    op->configure = configure;
    op->bound = bound;
    op->keeps_rows = true;
    /* without `retain` and the limits, which may change and the state goes on */
    op->identity = evs_lineage_mix((uint64_t)bound->config.within_us, bound->config.has_aliases);
    describe(binder, ast, &bound->config, op);
    scope->base = make_rel(binder, scope, op, bound, pipe);
    add_columns(binder, scope, evs_bind_place(binder, pipe->place));
    return true;
}
