/* Arrays and structs in expressions: [a, b], struct(a, b), a.field, a[0], x in unnest(a). */
#include "bind.h"

#include <string.h>

/* --- making them ---------------------------------------------------------------------------------------------------------- */

/* Binds all elements, so that every one that is wrong is told; NULL if one was. */
static const struct evs_expr **bind_elements(struct evs_binder *binder, struct evs_context *context,
                                             const struct evs_ast_expr *ast)
{
    const struct evs_expr **elements = EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, ast->argument_count + 1);
    bool is_broken = false;
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        elements[i] = evs_bind_expr(binder, context, ast->arguments[i]);
        is_broken = is_broken || elements[i] == NULL;
    }
    return is_broken ? NULL : elements;
}

/* The type written before the elements, when one is: array<T>[…]. False: it is wrong, or of the other form. */
static bool bind_form(struct evs_binder *binder, const struct evs_ast_type *ast, enum evs_kind form,
                      const struct evs_type **type)
{
    *type = NULL;
    bool is_bare = ast == NULL || (ast->element == NULL && ast->field_count == 0);
    if (is_bare) {
        return true;
    }
    *type = evs_bind_type(binder, ast);
    EVS_ASSERT(*type == NULL || (*type)->kind == form); /* the parser has read the word */
    return *type != NULL;
}

const struct evs_expr *evs_bind_array(struct evs_binder *binder, struct evs_context *context,
                                      const struct evs_ast_expr *ast)
{
    const struct evs_type *type;
    bool is_right = bind_form(binder, ast->type, EVS_ARRAY, &type);
    const struct evs_expr **elements = bind_elements(binder, context, ast), *result = NULL;
    if (!is_right || elements == NULL) {
        return NULL;
    }
    struct evs_error error;
    if (evs_expr_array(binder->arena, type != NULL ? type->element : NULL, elements, ast->argument_count,
                       evs_bind_place(binder, ast->place), &result, &error) != EVS_OK) {
        evs_report_error(binder, EVS_E0302, ast->place, &error);
        return NULL;
    }
    return result;
}

/* A field without an alias has the name of its column, as an item of select has. */
static const struct evs_slice *field_names(struct evs_binder *binder, const struct evs_ast_expr *ast)
{
    struct evs_slice *names = EVS_ARENA_ARRAY(binder->arena, struct evs_slice, ast->argument_count + 1);
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        bool is_named = ast->argument_names != NULL && evs_ident_given(&ast->argument_names[i]);
        const struct evs_ast_expr *value = ast->arguments[i];
        bool is_path = value->kind == EVS_AST_PATH || value->kind == EVS_AST_FIELD;
        const char *name = is_named ? ast->argument_names[i].text.data
                           : is_path && ast->argument_names != NULL
                               ? evs_bind_item_name(binder, &(struct evs_ident){0}, value)
                               : NULL;
        names[i] = evs_slice_of(name != NULL ? name : "");
    }
    return names;
}

const struct evs_expr *evs_bind_struct(struct evs_binder *binder, struct evs_context *context,
                                       const struct evs_ast_expr *ast)
{
    const struct evs_type *type;
    bool is_right = bind_form(binder, ast->type, EVS_STRUCT, &type);
    const struct evs_expr **elements = bind_elements(binder, context, ast), *result = NULL;
    if (!is_right || elements == NULL) {
        return NULL;
    }
    struct evs_error error;
    if (evs_expr_struct(binder->arena, type, field_names(binder, ast), elements, ast->argument_count,
                        evs_bind_place(binder, ast->place), &result, &error) != EVS_OK) {
        evs_report_error(binder, EVS_E0302, ast->place, &error);
        return NULL;
    }
    return result;
}

/* --- taking them apart ---------------------------------------------------------------------------------------------------- */

static const struct evs_expr *call(struct evs_binder *binder, const char *name, const struct evs_expr **arguments,
                                   struct evs_place whole, struct evs_place place)
{
    struct evs_error error;
    const struct evs_expr *result = NULL;
    if (evs_expr_call(binder->arena, evs_slice_of(name), false, arguments, 2, evs_bind_place(binder, whole), &result,
                      &error) != EVS_OK) {
        evs_report_error(binder, EVS_E0302, place, &error);
        return NULL;
    }
    return result;
}

static const struct evs_expr *json_member(struct evs_binder *binder, const struct evs_expr *json,
                                          const struct evs_ident *name, struct evs_place whole)
{
    const char *text = evs_bind_text(binder, name->text);
    struct evs_value value = {.kind = EVS_STRING, .str = evs_str_make(text, (uint32_t)strlen(text))};
    const struct evs_expr *arguments[] = {json,
                                          evs_expr_constant(binder->arena, value, evs_bind_place(binder, name->place))};
    return call(binder, "json_field", arguments, whole, name->place);
}

static const struct evs_expr *report_field(struct evs_binder *binder, const struct evs_type *type,
                                           const struct evs_ident *name, const struct evs_error *error)
{
    struct evs_diag *diag = evs_report_error(binder, EVS_E0203, name->place, error);
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    for (uint32_t i = 0; i < type->field_count; i++) {
        evs_nearest_offer(&nearest, evs_slice_of(type->fields[i].name));
    }
    evs_diag_did_you_mean(diag, &nearest);
    return NULL;
}

const struct evs_expr *evs_bind_member(struct evs_binder *binder, const struct evs_expr *expr,
                                       const struct evs_ident *name, struct evs_place whole)
{
    if (expr->type->kind == EVS_JSON) {
        return json_member(binder, expr, name, whole);
    }
    if (expr->type->kind != EVS_STRUCT) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0302, name->place, "%s has no field `%s`: only json and structs have fields",
                       evs_type_name_in(binder->arena, expr->type), name->text.data);
        if (expr->type->kind == EVS_ARRAY) {
            evs_diag_hint(diag, "take one element first: %s[0].%s", expr->text, name->text.data);
        }
        return NULL;
    }
    struct evs_error error;
    const struct evs_expr *result = NULL;
    if (evs_expr_field(binder->arena, expr, name->text, evs_bind_place(binder, whole), &result, &error) != EVS_OK) {
        return report_field(binder, expr->type, name, &error);
    }
    return result;
}

/* The word in a[offset(i)], or NULL; *index is what stands in it. */
static const char *index_word(const struct evs_ast_expr *ast, const struct evs_ast_expr **index)
{
    static const char *const words[] = {"offset", "ordinal", "safe_offset", "safe_ordinal"};
    *index = ast;
    if (ast->kind != EVS_AST_CALL || ast->argument_count != 1) {
        return NULL;
    }
    for (size_t i = 0; i < EVS_COUNT(words); i++) {
        if (evs_slice_equal_nocase(ast->call->name, words[i])) {
            *index = ast->arguments[0];
            return words[i];
        }
    }
    return NULL;
}

static const struct evs_expr *json_element(struct evs_binder *binder, const struct evs_expr **arguments,
                                           const char *word, const struct evs_ast_expr *ast)
{
    if (word != NULL) {
        struct evs_diag *diag = evs_report(binder, EVS_E0302, ast->arguments[1]->place,
                                           "elements of json are taken by their bare number, without `%s`", word);
        evs_diag_hint(diag, "write [0] for the first; where there is none it gives NULL");
        return NULL;
    }
    bool is_name = arguments[1]->type->kind == EVS_STRING;
    return call(binder, is_name ? "json_field" : "json_index", arguments, ast->place, ast->arguments[1]->place);
}

const struct evs_expr *evs_bind_index(struct evs_binder *binder, struct evs_context *context,
                                      const struct evs_ast_expr *ast)
{
    const struct evs_ast_expr *index;
    const char *word = index_word(ast->arguments[1], &index);
    const struct evs_expr *arguments[] = {evs_bind_expr(binder, context, ast->arguments[0]),
                                          evs_bind_expr(binder, context, index)};
    if (arguments[0] == NULL || arguments[1] == NULL) {
        return NULL;
    }
    const struct evs_type *type = arguments[0]->type;
    if (type->kind == EVS_JSON) {
        return json_element(binder, arguments, word, ast);
    }
    if (type->kind != EVS_ARRAY) {
        evs_report(binder, EVS_E0302, ast->place, "`%s` is %s; only arrays and json have elements", arguments[0]->text,
                   evs_type_name_in(binder->arena, type));
        return NULL;
    }
    const char *name = evs_arena_printf(binder->arena, "array[%s]", word != NULL ? word : "offset");
    return call(binder, name, arguments, ast->place, ast->place);
}

/* --- in unnest(…) ----------------------------------------------------------------------------------------------------------- */

const struct evs_expr *evs_bind_in_unnest(struct evs_binder *binder, struct evs_context *context,
                                          const struct evs_ast_expr *ast)
{
    const struct evs_expr **sides = bind_elements(binder, context, ast);
    if (sides == NULL) {
        return NULL;
    }
    const struct evs_type *type = sides[1]->type;
    if (type->kind != EVS_ARRAY && type->kind != EVS_NULL_KIND) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0302, ast->arguments[1]->place, "unnest takes an array, and this is %s",
                       evs_type_name_in(binder->arena, type));
        if (type->kind == EVS_JSON) {
            evs_diag_hint(diag, "json_value_array(…) makes an array<string> of it");
        }
        return NULL;
    }
    return call(binder, "in unnest", sides, ast->place, ast->place);
}
