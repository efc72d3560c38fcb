/* Types: string, numeric(38, 9), array<int64>, struct<a int64, array<string>>. Only their shape: names are the
 * binder's. */
#include "parse.h"

static struct evs_ast_field parse_field(struct evs_parser *parser)
{
    struct evs_ast_field field = {0};
    const struct evs_token *next = evs_peek_at(parser, 1);
    bool is_named = evs_at_ident(parser) && (next->kind == EVS_TOKEN_WORD || next->kind == EVS_TOKEN_QUOTED);
    if (is_named) {
        field.name = evs_expect_ident(parser, "a field's name");
    }
    field.type = evs_parse_type(parser);
    return field;
}

static void parse_fields(struct evs_parser *parser, struct evs_ast_type *type)
{
    struct evs_ast_field *fields = NULL;
    uint32_t capacity = 0;
    do {
        EVS_APPEND(parser, fields, type->field_count, capacity, parse_field(parser));
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    type->fields = fields;
}

static void parse_nested(struct evs_parser *parser, struct evs_ast_type *type, bool is_array)
{
    if (!evs_at(parser, EVS_TOKEN_LESS)) {
        return;
    }
    evs_mark(parser, evs_take_token(parser).offset, EVS_MARK_TIGHT | EVS_MARK_PREFIX);
    if (is_array) {
        type->element = evs_parse_type(parser);
    } else {
        parse_fields(parser, type);
    }
    evs_mark(parser, evs_here(parser).offset, EVS_MARK_TIGHT);
    evs_expect_close_angle(parser);
}

static void parse_parameters(struct evs_parser *parser, struct evs_ast_type *type)
{
    if (!evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        return;
    }
    evs_mark(parser, evs_take_token(parser).offset, EVS_MARK_TIGHT);
    struct evs_ast_exprs parameters = evs_parse_expressions(parser);
    type->parameters = parameters.items;
    type->parameter_count = parameters.count;
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the type's parameters");
}

const struct evs_ast_type *evs_parse_type(struct evs_parser *parser)
{
    struct evs_ast_type *type = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_type);
    struct evs_place start = evs_here(parser);
    bool is_array = evs_at_word(parser, EVS_WORD_ARRAY), is_struct = evs_at_word(parser, EVS_WORD_STRUCT);
    bool has_name = is_array || is_struct || evs_at_word(parser, EVS_WORD_INTERVAL);
    if (evs_enter(parser)) {
        type->name = has_name ? evs_expect_any_ident(parser, "a type") : evs_expect_ident(parser, "a type");
        evs_mark(parser, start.offset, EVS_MARK_TYPE);
        if (is_array || is_struct) {
            parse_nested(parser, type, is_array);
        } else {
            parse_parameters(parser, type);
        }
    }
    evs_leave(parser);
    type->place = evs_place_from(parser, start);
    return type;
}
