/* Queries: from, the chain of operators, tee, and where the rows go. */
#include "bind.h"

#define PIPES_MAX 1000

/* --- from ------------------------------------------------------------------------------------------------------------------- */

static void scope_of_source(struct evs_binder *binder, const struct evs_bound_source *source, struct evs_place place,
                            struct evs_scope *scope)
{
    *scope = (struct evs_scope){.base = source->scan};
    for (uint32_t i = 0; i < source->scan->column_count; i++) {
        struct evs_field field = evs_rel_field(source->scan, i);
        struct evs_columns *list = i < source->column_count ? &scope->columns : &scope->system;
        evs_columns_add(binder, list, field.name, evs_expr_column(binder->arena, i, &field, place));
    }
}

static bool scope_of_stream(struct evs_binder *binder, struct evs_entity *entity, const struct evs_ident *name,
                            struct evs_scope *scope)
{
    if (entity->state == EVS_ENTITY_BINDING) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0215, name->place, "the stream `%s` reads itself", entity->name);
        evs_report_note(binder, diag, entity->place, "declared here");
        entity->state = EVS_ENTITY_BROKEN;
        return false;
    }
    if (entity->state == EVS_ENTITY_UNBOUND) {
        entity->state = EVS_ENTITY_BINDING;
        entity->stream = EVS_ARENA_NEW(binder->arena, struct evs_scope);
        bool is_right = evs_bind_query(binder, entity->statement->query, entity->stream);
        if (is_right) {
            evs_scope_settle(binder, entity->stream, evs_bind_place(binder, entity->place));
            entity->stream->range_count = 0;
        }
        entity->state = is_right && entity->state == EVS_ENTITY_BINDING ? EVS_ENTITY_BOUND : EVS_ENTITY_BROKEN;
    }
    if (entity->state != EVS_ENTITY_BOUND) {
        return false;
    }
    *scope = evs_scope_copy(binder, entity->stream);
    return true;
}

static void report_unreadable(struct evs_binder *binder, struct evs_entity *entity, const struct evs_ident *name)
{
    entity->is_used = true;
    struct evs_diag *diag;
    if (entity->kind == EVS_ENTITY_TABLE) {
        diag = evs_report(binder, EVS_E0216, name->place,
                          "`%s` is a table: it has no rows of its own to read, it is joined", entity->name);
        evs_diag_hint(diag, "write from SOURCE |> join %s using (…)", entity->name);
    } else {
        diag = evs_report(binder, EVS_E0216, name->place, "`%s` is a sink: rows go into it, and cannot be read from it",
                          entity->name);
    }
    evs_report_note(binder, diag, entity->place, "declared here");
}

static bool bind_from_name(struct evs_binder *binder, const struct evs_ast_relation *from, struct evs_scope *scope)
{
    struct evs_entity *entity = evs_entity_find(binder, false, from->name.text);
    if (entity == NULL) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0201, from->name.place, "no source or stream `%s`", from->name.text.data);
        struct evs_nearest nearest = evs_nearest_begin(from->name.text);
        evs_entity_offer(binder, 1u << EVS_ENTITY_SOURCE | 1u << EVS_ENTITY_STREAM, &nearest);
        evs_diag_did_you_mean(diag, &nearest);
        return false;
    }
    evs_observe_entity(binder, from->name.place, entity);
    if (entity->kind != EVS_ENTITY_SOURCE && entity->kind != EVS_ENTITY_STREAM) {
        report_unreadable(binder, entity, &from->name);
        return false;
    }
    entity->is_used = true;
    if (entity->kind == EVS_ENTITY_STREAM) {
        if (!scope_of_stream(binder, entity, &from->name, scope)) {
            return false;
        }
    } else {
        const struct evs_bound_source *source = evs_bind_source(binder, entity);
        if (source == NULL) {
            return false;
        }
        scope_of_source(binder, source, evs_bind_place(binder, from->place), scope);
    }
    bool has_alias = evs_ident_given(&from->alias);
    const char *row = has_alias ? evs_bind_text(binder, from->alias.text) : entity->name;
    evs_observe_name(binder, row, has_alias ? from->alias.place : entity->place);
    evs_scope_range(binder, scope, row);
    return true;
}

bool evs_bind_from(struct evs_binder *binder, const struct evs_ast_relation *from, struct evs_scope *scope)
{
    switch (from->kind) {
    case EVS_RELATION_NAME:
        return bind_from_name(binder, from, scope);
    case EVS_RELATION_QUERY:
        if (!evs_bind_query(binder, from->query, scope)) {
            return false;
        }
        scope->range_count = 0;
        if (evs_ident_given(&from->alias)) {
            evs_scope_range(binder, scope, evs_bind_text(binder, from->alias.text));
        }
        return true;
    case EVS_RELATION_UNNEST:
        evs_diag_hint(
            evs_report(binder, EVS_E0416, from->place, "unnest gives no rows by itself: it takes an array of a row"),
            "write from SOURCE |> cross join unnest(ARRAY) as NAME");
        return false;
    }
    return false;
}

/* --- where rows go ---------------------------------------------------------------------------------------------------------- */

/* insert into SINK (a, b): the columns by position, under these names. */
static bool rename_for_insert(struct evs_binder *binder, struct evs_scope *scope, const struct evs_idents *names,
                              struct evs_place place)
{
    if (names->count == 0) {
        return true;
    }
    if (names->count != scope->columns.count) {
        evs_report(binder, EVS_E0409, place, "%u names for %u columns", names->count, scope->columns.count);
        return false;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        scope->columns.items[i].name = evs_bind_text(binder, names->items[i].text);
    }
    return true;
}

static bool bind_insert(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_entity *sink = evs_bind_sink_name(binder, &pipe->insert.sink);
    if (!rename_for_insert(binder, scope, &pipe->insert.columns, pipe->place)) {
        return false;
    }
    struct evs_place place = evs_bind_place(binder, pipe->place);
    struct evs_rel *rel = evs_scope_project(binder, scope, &scope->columns, place);
    if (sink != NULL) {
        evs_bind_insert(binder, sink, (struct evs_rel_input){rel, 0}, pipe->place);
    }
    return sink != NULL;
}

static void print_rows(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place)
{
    struct evs_rel *rel = evs_scope_project(binder, scope, &scope->columns, evs_bind_place(binder, place));
    struct evs_rel_input input = {rel, 0};
    evs_bind_insert(binder, evs_bind_print_sink(binder, input, place), input, place);
}

static bool bind_pipeline(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipeline *pipeline,
                          bool is_outermost);

static bool bind_branches(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    evs_scope_settle(binder, scope, evs_bind_place(binder, pipe->place));
    for (uint32_t i = 0; i < pipe->branches.count; i++) {
        const struct evs_ast_pipeline *branch = &pipe->branches.items[i];
        struct evs_scope copy = evs_scope_copy(binder, scope);
        if (!bind_pipeline(binder, &copy, branch, true) && !copy.is_broken) {
            print_rows(binder, &copy, branch->place);
        }
    }
    return true; /* a mistake in a branch leaves the rows as they are */
}

/* log shows the rows as they are, or what a branch makes of them; they go on unchanged. */
static bool bind_log(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    evs_scope_settle(binder, scope, evs_bind_place(binder, pipe->place));
    struct evs_scope shown = evs_scope_copy(binder, scope);
    if (pipe->branches.count > 0) {
        bind_pipeline(binder, &shown, &pipe->branches.items[0], false);
    }
    if (!shown.is_broken) {
        evs_bind_log(binder, &shown, pipe->place);
    }
    return true;
}

/* One operator; false: it is wrong. */
static bool bind_pipe(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    evs_observe_pipe(binder, scope, pipe);
    if (pipe->is_broken || pipe->kind == EVS_PIPE_UNKNOWN) {
        return false;
    }
    evs_scope_limit(binder, scope, evs_bind_place(binder, pipe->place));
    switch (pipe->kind) {
    case EVS_PIPE_WHERE:
    case EVS_PIPE_SELECT:
    case EVS_PIPE_EXTEND:
    case EVS_PIPE_SET:
    case EVS_PIPE_DROP:
    case EVS_PIPE_RENAME:
    case EVS_PIPE_AS:
        return evs_bind_row_operator(binder, scope, pipe);
    case EVS_PIPE_AGGREGATE:
        evs_bind_aggregate(binder, scope, pipe);
        return !scope->is_broken;
    case EVS_PIPE_CALL:
        return evs_bind_call_operator(binder, scope, pipe);
    case EVS_PIPE_DISTINCT:
        return evs_bind_distinct(binder, scope, pipe->word);
    case EVS_PIPE_UNION:
        return evs_bind_union(binder, scope, pipe);
    case EVS_PIPE_INSERT:
        return bind_insert(binder, scope, pipe);
    case EVS_PIPE_TEE:
    case EVS_PIPE_FORK:
        return bind_branches(binder, scope, pipe);
    case EVS_PIPE_JOIN:
        return pipe->join->right.kind == EVS_RELATION_UNNEST ? evs_bind_unnest(binder, scope, pipe)
                                                             : evs_bind_join(binder, scope, pipe);
    case EVS_PIPE_DEDUPLICATE:
        return evs_bind_deduplicate(binder, scope, pipe);
    case EVS_PIPE_THROTTLE:
        return evs_bind_throttle(binder, scope, pipe);
    case EVS_PIPE_SAMPLE:
        return evs_bind_sample(binder, scope, pipe);
    case EVS_PIPE_HOLD:
        return evs_bind_hold(binder, scope, pipe);
    case EVS_PIPE_IDENTITY:
        return evs_bind_identity(binder, scope, pipe);
    case EVS_PIPE_TOP:
        return evs_bind_top(binder, scope, pipe);
    case EVS_PIPE_ORDER:
        return evs_bind_order(binder, scope, pipe);
    case EVS_PIPE_LIMIT:
        return evs_bind_limit(binder, scope, pipe);
    case EVS_PIPE_SEQUENCE:
        return evs_bind_sequence(binder, scope, pipe);
    case EVS_PIPE_MATCH_RECOGNIZE:
        return evs_bind_match_recognize(binder, scope, pipe);
    case EVS_PIPE_ASSERT:
        return evs_bind_assert(binder, scope, pipe);
    case EVS_PIPE_LOG:
        return bind_log(binder, scope, pipe);
    case EVS_PIPE_DESCRIBE:
        evs_bind_describe(binder, scope, pipe);
        return true;
    case EVS_PIPE_UNKNOWN:
    case EVS_PIPE_KIND_COUNT:
        break;
    }
    return false; /* unreadable: reported */
}

static bool is_misplaced(struct evs_binder *binder, const struct evs_ast_pipe *pipe)
{
    if (pipe->kind == EVS_PIPE_INSERT) {
        evs_report(binder, EVS_E0415, pipe->word,
                   "`insert into` ends an outermost query, and these rows go to the outer one");
        return true;
    }
    if (pipe->kind == EVS_PIPE_TEE || pipe->kind == EVS_PIPE_FORK) {
        evs_report(binder, EVS_E0412, pipe->word, "`%s` stands only in the outermost query",
                   evs_pipe_kind_name(pipe->kind));
        return true;
    }
    return false;
}

/* What is wrong with a query so far. */
enum wrong {
    WRONG_NOTHING,
    WRONG_ROWS,    /* an operator that changes no columns: all that follows can be checked */
    WRONG_COLUMNS, /* columns of unknown types: what computes row by row can be checked, and their names are known */
    WRONG_ALL,
};

static enum wrong wrong_after(const struct evs_ast_pipe *pipe)
{
    if (pipe->is_broken) {
        return WRONG_ALL;
    }
    switch (pipe->kind) {
    case EVS_PIPE_WHERE:
    case EVS_PIPE_ASSERT:
    case EVS_PIPE_DEDUPLICATE:
    case EVS_PIPE_THROTTLE:
    case EVS_PIPE_SAMPLE:
    case EVS_PIPE_HOLD:
    case EVS_PIPE_ORDER:
    case EVS_PIPE_LIMIT:
        return WRONG_ROWS;
    case EVS_PIPE_SELECT:
    case EVS_PIPE_EXTEND:
        return WRONG_COLUMNS;
    default:
        return WRONG_ALL;
    }
}

/* Whether an operator can be checked behind wrong ones without being told mistakes that only follow from those. */
static bool is_checkable(const struct evs_ast_pipe *pipe, enum wrong wrong)
{
    bool is_row_wise = pipe->kind == EVS_PIPE_WHERE || pipe->kind == EVS_PIPE_SELECT || pipe->kind == EVS_PIPE_EXTEND;
    return wrong < WRONG_COLUMNS || (wrong == WRONG_COLUMNS && is_row_wise);
}

/* A long query is a program's mistake: each operator may know all columns of those before it, so the cost is quadratic. */
static bool is_too_long(struct evs_binder *binder, const struct evs_ast_pipeline *pipeline)
{
    if (pipeline->count <= PIPES_MAX) {
        return false;
    }
    struct evs_diag *diag =
        evs_report(binder, EVS_E0125, pipeline->pipes[PIPES_MAX].word,
                   "a query has at most %d pipe operators, and this one has %u", PIPES_MAX, pipeline->count);
    evs_diag_hint(diag, "break it up with create stream NAME as …");
    return true;
}

/* True when the rows have gone into sinks: nothing is left to print or to hand on. Behind a wrong operator the others are checked where
 * that is safe, so that one run tells all mistakes. */
static bool bind_pipeline(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipeline *pipeline,
                          bool is_outermost)
{
    bool has_ended = false;
    enum wrong wrong = WRONG_NOTHING;
    scope->is_broken = scope->is_broken || is_too_long(binder, pipeline);
    for (uint32_t i = 0; i < pipeline->count && !scope->is_broken; i++) {
        const struct evs_ast_pipe *pipe = &pipeline->pipes[i];
        scope->next = i + 1 < pipeline->count ? &pipeline->pipes[i + 1] : NULL;
        if (has_ended) {
            struct evs_diag *diag =
                evs_report(binder, EVS_E0411, pipe->word, "no rows come behind the operator before");
            evs_diag_hint(diag, "tee (|> insert into …) lets them go on");
            scope->is_broken = true;
        }
        scope->is_broken =
            scope->is_broken || (!is_outermost && is_misplaced(binder, pipe)) || !is_checkable(pipe, wrong);
        if (scope->is_broken) {
            break;
        }
        if (!bind_pipe(binder, scope, pipe)) {
            enum wrong more = wrong_after(pipe);
            wrong = more > wrong ? more : wrong;
        }
        has_ended = pipe->kind == EVS_PIPE_INSERT || pipe->kind == EVS_PIPE_FORK;
    }
    scope->is_broken = scope->is_broken || wrong != WRONG_NOTHING;
    return has_ended;
}

bool evs_bind_query(struct evs_binder *binder, const struct evs_ast_query *query, struct evs_scope *scope)
{
    if (query->is_broken || !evs_bind_from(binder, &query->from, scope)) {
        scope->is_broken = true;
        return false;
    }
    bind_pipeline(binder, scope, &query->pipeline, false);
    return !scope->is_broken;
}

static void bind_outermost(struct evs_binder *binder, const struct evs_ast_query *query)
{
    struct evs_scope scope = {0};
    if (query->is_broken || !evs_bind_from(binder, &query->from, &scope)) {
        return;
    }
    if (!bind_pipeline(binder, &scope, &query->pipeline, true) && !scope.is_broken) {
        print_rows(binder, &scope, query->place);
    }
}

void evs_bind_queries(struct evs_binder *binder)
{
    for (uint32_t i = 0; i < binder->script->count; i++) {
        const struct evs_ast_statement *statement = binder->script->statements[i];
        if (statement->kind == EVS_STATEMENT_QUERY && statement->query != NULL) {
            binder->query_count++;
            bind_outermost(binder, statement->query);
        }
    }
}

/* --- what no query uses ------------------------------------------------------------------------------------------------------- */

static void bind_unused(struct evs_binder *binder, struct evs_entity *entity)
{
    struct evs_scope scope = {0};
    struct evs_ident name = {evs_slice_of(entity->name), entity->place};
    switch (entity->kind) {
    case EVS_ENTITY_SOURCE:
        evs_bind_source(binder, entity);
        break;
    case EVS_ENTITY_STREAM:
        scope_of_stream(binder, entity, &name, &scope);
        break;
    case EVS_ENTITY_SINK:
        evs_bind_sink(binder, entity);
        break;
    case EVS_ENTITY_TABLE:
        evs_bind_table(binder, entity);
        break;
    case EVS_ENTITY_PARAM:
        break;
    }
}

/* Where a used source's dead rows go. */
static void bind_dead(struct evs_binder *binder, const struct evs_entity *entity)
{
    const struct evs_bound_source *source = entity->source;
    if (source->dead_letter != NULL) {
        evs_bind_dead_rows(binder, source->dead_letter, entity->place);
    } else if (!source->fail_on_error) {
        struct evs_diag *diag =
            evs_report(binder, EVS_W0004, entity->place, "bad rows of `%s` are counted, and lost", entity->name);
        evs_diag_hint(diag, "`dead letter into SINK` behind the source keeps them");
    }
}

static bool is_bound(const struct evs_entity *entity, enum evs_entity_kind kind)
{
    return entity->kind == kind && entity->state == EVS_ENTITY_BOUND && entity->is_used;
}

static bool reads_it(const struct evs_bound_source *source, const char *path)
{
    return source->has_many && source->connector->reads != NULL && source->connector->reads(source->config, path);
}

/* A source that reads what a pattern names would find the sink's file. */
static void check_patterns(struct evs_binder *binder, const struct evs_entity *sink)
{
    const char *path = evs_bind_text(binder, sink->sink->file);
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        const struct evs_entity *source = binder->entities[i];
        if (is_bound(source, EVS_ENTITY_SOURCE) && reads_it(source->source, path)) {
            struct evs_diag *diag =
                evs_report(binder, EVS_E0507, sink->place, "`%s` would write a file that `%s` reads: %s fits `%.*s`",
                           sink->name, source->name, path, (int)source->source->file.count, source->source->file.data);
            evs_diag_hint(diag, "write to another folder");
        }
    }
}

/* Paths are compared as they are written: what they lead to is known only to the machine that runs the pipeline. */
static void check_file(struct evs_binder *binder, uint32_t number)
{
    const struct evs_entity *entity = binder->entities[number];
    struct evs_slice file = entity->sink->file;
    if (file.count == 0) {
        return;
    }
    check_patterns(binder, entity);
    uint32_t known = evs_name_index_find(&binder->used_files, file);
    if (known == EVS_NO_NAME) {
        evs_name_index_set(&binder->used_files, evs_bind_text(binder, file), number);
        return;
    }
    const struct evs_entity *other = binder->entities[known];
    const char *format = other->kind == EVS_ENTITY_SOURCE ? "`%s` would overwrite the file that `%s` reads: `%.*s`"
                                                          : "`%s` and `%s` would write the same file: `%.*s`";
    bool is_read = other->kind == EVS_ENTITY_SOURCE;
    struct evs_diag *diag = evs_report(binder, EVS_E0507, entity->place, format, is_read ? entity->name : other->name,
                                       is_read ? other->name : entity->name, (int)file.count, file.data);
    evs_diag_hint(diag, "write to another file");
}

/* What sources read, before sinks are held against it. Many may read the same file. */
static void note_read_file(struct evs_binder *binder, uint32_t number)
{
    struct evs_slice file = binder->entities[number]->source->file;
    if (file.count > 0 && evs_name_index_find(&binder->used_files, file) == EVS_NO_NAME) {
        evs_name_index_set(&binder->used_files, evs_bind_text(binder, file), number);
    }
}

void evs_bind_rest(struct evs_binder *binder)
{
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        struct evs_entity *entity = binder->entities[i];
        if (entity->state == EVS_ENTITY_UNBOUND) {
            bind_unused(binder, entity);
        }
        if (entity->kind == EVS_ENTITY_SOURCE && entity->state == EVS_ENTITY_BOUND && entity->is_used) {
            bind_dead(binder, entity);
        }
    }
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        if (is_bound(binder->entities[i], EVS_ENTITY_SOURCE)) {
            note_read_file(binder, i);
        }
    }
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        if (is_bound(binder->entities[i], EVS_ENTITY_SINK)) {
            check_file(binder, i);
        }
    }
}
