#include "predicate.h"

#include "bind.h"

/* The rows as a relation that nothing is known of but its columns. */
static void init_scope(struct evs_binder *binder, struct evs_scope *scope, const char *rows,
                       const struct evs_schema *schema, struct evs_place place)
{
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_column, schema->count + 1);
    *scope = (struct evs_scope){0};
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct evs_field *field = &schema->fields[i];
        columns[i] = (struct evs_rel_column){.name = field->name, .type = field->type, .nullable = field->nullable};
        evs_columns_add(binder, &scope->columns, field->name, evs_expr_column(binder->arena, i, field, place));
    }
    scope->base = evs_rel_scan(&binder->rels, NULL, columns, schema->count, place);
    evs_scope_range(binder, scope, rows);
}

static evs_status compile(struct evs_binder *binder, const struct evs_ast_expr *ast, const char *rows,
                          const struct evs_schema *schema, const struct evs_program **program)
{
    struct evs_scope scope;
    init_scope(binder, &scope, rows, schema, ast->place);
    struct evs_context context = {.scope = &scope};
    const struct evs_expr *expr = evs_bind_expr(binder, &context, ast);
    expr = expr == NULL ? NULL : evs_bind_bool(binder, expr, ast->place);
    if (expr == NULL || evs_diagnostics_errors(binder->diagnostics) > 0) {
        return EVS_E_PIPELINE;
    }
    evs_warn_filter(binder, ast, expr);
    struct evs_error error = {0};
    evs_status status = evs_program_compile(binder->arena, &expr, 1, program, &error);
    if (status != EVS_OK) {
        evs_report_error(binder, EVS_E0302, ast->place, &error);
        return EVS_E_PIPELINE;
    }
    return EVS_OK;
}

evs_status evs_predicate_compile(const struct evs_source_text *text, const char *rows, const struct evs_schema *schema,
                                 struct evs_arena *arena, struct evs_diagnostics *diagnostics,
                                 const struct evs_program **program)
{
    struct evs_script script;
    evs_script_init(&script);
    const struct evs_ast_expr *ast = evs_parse_expr(&script, text, diagnostics);
    evs_status status = EVS_E_PIPELINE;
    if (evs_diagnostics_errors(diagnostics) == 0) {
        struct evs_compile_options options = {.file = text->file};
        struct evs_binder binder = {
            .arena = arena,
            .diagnostics = diagnostics,
            .options = &options,
            .script = &script,
            .rels = {.arena = arena},
        };
        status = compile(&binder, ast, rows, schema, program);
        evs_free(binder.rels.items);
        evs_free(binder.files);
    }
    evs_script_fini(&script);
    return status;
}
