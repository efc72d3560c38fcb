/* Tables: columns and primary key; the connector that is asked, or the query that is kept. */
#include "bind.h"

#include <string.h>

const struct evs_option evs_table_options[] = {
    {.name = "cache",
     .kind = EVS_OPTION_DURATION,
     .fallback = "60s",
     .min = 0,
     .max = INT64_C(86400000000),
     .help = "how long an answer counts before the server is asked again; 0s: only for the rows that asked for it"},
    {.name = "cache_rows",
     .kind = EVS_OPTION_INT,
     .fallback = "100000",
     .min = 1024,
     .max = 100000000,
     .help = "answers that each worker keeps, keys that are missing counted; the oldest go first"},
    {0},
};

/* --- columns and key -------------------------------------------------------------------------------------------------------------- */

static bool bind_key(struct evs_binder *binder, struct evs_bound_table *table, const struct evs_ast_table *ast)
{
    struct evs_columns names = {0};
    uint32_t *keys = EVS_ARENA_ARRAY(binder->arena, uint32_t, ast->primary_key.count + 1);
    bool is_right = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        evs_columns_add(binder, &names, table->fields[i].name,
                        evs_expr_column(binder->arena, i, &table->fields[i], table->place));
    }
    for (uint32_t i = 0; i < ast->primary_key.count; i++) {
        const struct evs_ident *name = &ast->primary_key.items[i];
        const struct evs_scope_column *column = evs_bind_expect_column(binder, &names, name);
        is_right = is_right && column != NULL;
        if (column == NULL) {
            continue;
        }
        enum evs_kind kind = column->expr->type->kind;
        if (kind == EVS_JSON || kind == EVS_ARRAY || kind == EVS_STRUCT) {
            evs_report(binder, EVS_E0312, name->place, "%s has no equality and cannot be a key", evs_kind_name(kind));
            is_right = false;
        }
        keys[table->key_count++] = column->expr->column;
        for (uint32_t k = 0; k + 1 < table->key_count; k++) {
            if (keys[k] == column->expr->column) {
                evs_report(binder, EVS_E0206, name->place, "`%s` is twice in the key", name->text.data);
                is_right = false;
            }
        }
    }
    table->keys = keys;
    return is_right;
}

static bool is_key(const struct evs_bound_table *table, uint32_t column)
{
    for (uint32_t i = 0; i < table->key_count; i++) {
        if (table->keys[i] == column) {
            return true;
        }
    }
    return false;
}

/* --- looked up ------------------------------------------------------------------------------------------------------------------------ */

static const struct evs_lookup *find_connector(struct evs_binder *binder, const struct evs_ident *name)
{
    const struct evs_lookup *const *at = binder->options->registry->tables;
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    struct evs_buffer all = {0};
    for (; at != NULL && *at != NULL; at++) {
        if (evs_slice_equal_nocase(name->text, (*at)->kind)) {
            evs_buffer_fini(&all);
            return *at;
        }
        evs_nearest_offer(&nearest, evs_slice_of((*at)->kind));
        evs_buffer_printf(&all, "%s%s", all.count > 0 ? ", " : "", (*at)->kind);
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0209, name->place, "no connector `%s` for tables", name->text.data);
    if (nearest.best.count > 0) {
        evs_diag_did_you_mean(diag, &nearest);
    } else if (all.count > 0) {
        evs_diag_hint(diag, "there are %.*s", (int)all.count, all.data);
    }
    evs_buffer_fini(&all);
    return NULL;
}

/* What a value is decoded into: the columns that are no keys. */
static void set_value_columns(struct evs_binder *binder, struct evs_bound_table *table, struct evs_lookup_table *lookup)
{
    uint32_t count = table->column_count;
    struct evs_decode_column *columns = EVS_ARENA_ARRAY(binder->arena, struct evs_decode_column, count + 1);
    struct evs_field *fields = EVS_ARENA_ARRAY(binder->arena, struct evs_field, count + 1);
    uint32_t *values = EVS_ARENA_ARRAY(binder->arena, uint32_t, count + 1);
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = EVS_NO_COLUMN;
        if (!is_key(table, i)) {
            columns[at] = table->columns[i];
            fields[at] = table->fields[i];
            values[i] = at++;
        }
    }
    lookup->columns = columns;
    lookup->schema = (struct evs_schema){at, fields};
    table->values = values;
}

static bool configure_connector(struct evs_binder *binder, struct evs_bound_table *table,
                                struct evs_lookup_table *lookup, const struct evs_ast_connector *ast)
{
    const struct evs_option *const tables[EVS_OPTION_TABLES] = {lookup->connector->options, evs_table_options};
    const struct evs_option_value *values[EVS_OPTION_TABLES];
    struct evs_option_owner owner = {evs_arena_printf(binder->arena, "connector %s", lookup->connector->kind),
                                     ast->name.place};
    if (!evs_bind_options(binder, owner, ast->options, ast->option_count, tables, values)) {
        return false;
    }
    struct evs_lookup_columns columns = {table->columns, table->column_count, table->keys, table->key_count};
    struct evs_error error;
    if (lookup->connector->configure(values[0], &columns, binder->arena, &lookup->config, &error) != EVS_OK) {
        evs_report_error(binder, EVS_E0504, ast->place, &error);
        return false;
    }
    lookup->cache_us = evs_option_find(values[1], "cache")->integer;
    lookup->cache_rows = (uint32_t)evs_option_find(values[1], "cache_rows")->integer;
    table->label = evs_option_label(binder, lookup->connector->kind, lookup->connector->options, values[0]);
    if (lookup->connector->key_option != NULL) {
        table->key_text = evs_option_find(values[0], lookup->connector->key_option)->text;
        table->key_place = evs_option_place(ast, lookup->connector->key_option);
    }
    return true;
}

static bool bind_looked_up(struct evs_binder *binder, struct evs_bound_table *table, const struct evs_ast_table *ast)
{
    struct evs_lookup_table *lookup = EVS_ARENA_NEW(binder->arena, struct evs_lookup_table);
    lookup->connector = find_connector(binder, &ast->connector.name);
    if (lookup->connector == NULL) {
        return false;
    }
    struct evs_place place = evs_bind_place(binder, table->place);
    lookup->name = table->name;
    lookup->format = binder->options->registry->decode_formats[0];
    lookup->file = place.file;
    lookup->line = place.line;
    lookup->policy = ast->on_lookup_error == EVS_ON_LOOKUP_NULL          ? EVS_LOOKUP_NULL
                     : ast->on_lookup_error == EVS_ON_LOOKUP_DEAD_LETTER ? EVS_LOOKUP_DEAD_LETTER
                                                                         : EVS_LOOKUP_FAILS;
    set_value_columns(binder, table, lookup);
    table->lookup = lookup;
    return configure_connector(binder, table, lookup, &ast->connector);
}

/* --- kept from a stream ----------------------------------------------------------------------------------------------------------------- */

/* The query's column of the same name, brought to the table's type. */
static const struct evs_expr *bind_kept_column(struct evs_binder *binder, const struct evs_scope *scope,
                                               const struct evs_bound_table *table, uint32_t number,
                                               struct evs_place place)
{
    const struct evs_field *field = &table->fields[number];
    const struct evs_scope_column *found = NULL;
    uint32_t count = evs_columns_find(&scope->columns, evs_slice_of(field->name), &found);
    if (count != 1) {
        struct evs_diag *diag = evs_report(binder, EVS_E0434, place, "the query of `%s` gives %s column `%s`",
                                           table->name, count == 0 ? "no" : "more than one", field->name);
        evs_diag_hint(diag, "end it with |> select the table's columns");
        return NULL;
    }
    const struct evs_expr *expr = evs_bind_typed(binder, found->expr), *coerced = NULL;
    struct evs_error error;
    if (evs_expr_coerce(binder->arena, expr, field->type, &coerced, &error) != EVS_OK) {
        evs_report(binder, EVS_E0434, place, "the column `%s` of `%s` is of type %s, and its query gives %s",
                   field->name, table->name, evs_kind_name(field->type->kind), evs_kind_name(expr->type->kind));
        return NULL;
    }
    return coerced;
}

static bool check_retain(struct evs_binder *binder, struct evs_bound_table *table, const struct evs_ast_table *ast,
                         const struct evs_rel *rows)
{
    table->retain_us = -1;
    if (ast->retain == NULL) {
        if (rows->is_bounded) {
            return true;
        }
        struct evs_diag *diag = evs_report(binder, EVS_E0401, table->place,
                                           "nothing bounds the table `%s`: it keeps every key for ever", table->name);
        evs_diag_hint(
            diag,
            "write retain interval 90 day behind its query, which stands in parentheses if it ends with an aggregate");
        return false;
    }
    if (!evs_bind_duration(binder, ast->retain, "retain", &table->retain_us)) {
        return false;
    }
    if (table->retain_us <= 0) {
        evs_report(binder, EVS_E0406, ast->retain->place, "`retain` is above zero");
        return false;
    }
    return true;
}

static bool bind_kept(struct evs_binder *binder, struct evs_bound_table *table, const struct evs_ast_table *ast)
{
    struct evs_scope scope = {0};
    struct evs_columns columns = {0};
    struct evs_place place = ast->query->place;
    bool is_right = evs_bind_query(binder, ast->query, &scope);
    for (uint32_t i = 0; is_right && i < table->column_count; i++) {
        const struct evs_expr *expr = bind_kept_column(binder, &scope, table, i, place);
        is_right = expr != NULL;
        if (is_right) {
            evs_columns_add(binder, &columns, table->fields[i].name, expr);
            table->fields[i].nullable = true;
        }
    }
    if (!is_right) {
        return false;
    }
    if (scope.base->is_update) {
        struct evs_diag *diag = evs_report(binder, EVS_E0402, place, "a table keeps final rows, and these are revised");
        evs_diag_hint(diag, "aggregate with a window and `emit on window close`");
        return false;
    }
    table->rows = evs_scope_project(binder, &scope, &columns, evs_bind_place(binder, place));
    return check_retain(binder, table, ast, table->rows);
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------------ */

static bool bind_whole(struct evs_binder *binder, struct evs_entity *entity, struct evs_bound_table *table)
{
    const struct evs_ast_table *ast = &entity->statement->table;
    table->name = entity->name;
    table->place = entity->place;
    table->column_count = ast->columns.count;
    table->columns = EVS_ARENA_ARRAY(binder->arena, struct evs_decode_column, ast->columns.count + 1);
    table->fields = EVS_ARENA_ARRAY(binder->arena, struct evs_field, ast->columns.count + 1);
    bool is_right = evs_bind_columns(binder, &ast->columns, table->fields, table->columns);
    is_right = bind_key(binder, table, ast) && is_right;
    if (!is_right) {
        return false;
    }
    return ast->query != NULL ? bind_kept(binder, table, ast) : bind_looked_up(binder, table, ast);
}

struct evs_bound_table *evs_bind_table(struct evs_binder *binder, struct evs_entity *entity)
{
    EVS_ASSERT(entity->kind == EVS_ENTITY_TABLE);
    if (entity->state == EVS_ENTITY_BINDING) {
        evs_report(binder, EVS_E0215, entity->place, "the table `%s` is kept from itself", entity->name);
        entity->state = EVS_ENTITY_BROKEN;
    }
    if (entity->state == EVS_ENTITY_UNBOUND) {
        struct evs_bound_table *table = EVS_ARENA_NEW(binder->arena, struct evs_bound_table);
        entity->state = EVS_ENTITY_BINDING;
        bool is_right = bind_whole(binder, entity, table);
        is_right = is_right && entity->state == EVS_ENTITY_BINDING;
        entity->state = is_right ? EVS_ENTITY_BOUND : EVS_ENTITY_BROKEN;
        entity->table = table;
    }
    return entity->state == EVS_ENTITY_BOUND ? entity->table : NULL;
}
