/* Function calls: arguments by place and by name, the clauses of aggregates, over (…). */
#include "parse.h"

/* What is read before the node is made. */
struct call {
    struct evs_ast_call *ast;
    const struct evs_ast_expr **arguments;
    struct evs_ident *names; /* parallel, or NULL */
    uint32_t count, capacity, name_count, name_capacity;
    bool has_names;
};

/* "net.host" in lower case, without a `safe` in front. */
static struct evs_slice join_names(struct evs_parser *parser, const struct evs_ident *names, uint32_t count)
{
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_puts(&text, i > 0 ? "." : "");
        evs_buffer_put(&text, names[i].text.data, names[i].text.count);
    }
    for (size_t i = 0; i < text.count; i++) {
        text.data[i] = (char)(text.data[i] >= 'A' && text.data[i] <= 'Z' ? text.data[i] + ('a' - 'A') : text.data[i]);
    }
    struct evs_slice joined = {evs_arena_strndup(&parser->script->arena, text.data, text.count), text.count};
    evs_buffer_fini(&text);
    return joined;
}

static bool at_named_argument(struct evs_parser *parser)
{
    return evs_at_ident(parser) && evs_peek_at(parser, 1)->kind == EVS_TOKEN_NAMED;
}

static void report_repeated_name(struct evs_parser *parser, const struct call *call, const struct evs_ident *name)
{
    for (uint32_t i = 0; i < call->name_count; i++) {
        if (call->names[i].text.count > 0 && evs_slice_equal_nocase(name->text, call->names[i].text.data)) {
            evs_complain(parser, EVS_E0115, name->place, "the argument `%s` is given twice", name->text.data);
        }
    }
}

static const struct evs_ast_expr *parse_argument(struct evs_parser *parser)
{
    if (!evs_at(parser, EVS_TOKEN_STAR)) {
        return evs_parse_expression(parser);
    }
    struct evs_place start = evs_here(parser);
    evs_take_token(parser);
    return evs_new_expr(parser, EVS_AST_STAR, evs_place_from(parser, start), NULL, 0);
}

static void parse_arguments(struct evs_parser *parser, struct call *call)
{
    do {
        struct evs_ident name = {0};
        if (at_named_argument(parser)) {
            name = evs_expect_ident(parser, "an argument's name");
            evs_take_token(parser);
            report_repeated_name(parser, call, &name);
            call->has_names = true;
        } else if (call->has_names) {
            evs_complain(parser, EVS_E0116, evs_here(parser), "arguments without a name stand before those with one");
        }
        EVS_APPEND(parser, call->arguments, call->count, call->capacity, parse_argument(parser));
        EVS_APPEND(parser, call->names, call->name_count, call->name_capacity, name);
    } while (evs_take(parser, EVS_TOKEN_COMMA));
}

static void once(struct evs_parser *parser, bool is_given, const char *what)
{
    if (is_given) {
        evs_complain(parser, EVS_E0115, evs_token_place(parser, &parser->last), "`%s` is given twice", what);
    }
}

/* having max y, having min y: `having` is taken. */
static void parse_having(struct evs_parser *parser, struct evs_ast_call *call)
{
    once(parser, call->having != NULL, "having");
    call->having_max = evs_take_word(parser, EVS_WORD_MAX);
    if (!call->having_max) {
        evs_expect_word(parser, EVS_WORD_MIN, "or `max` after `having`");
    }
    call->having = evs_parse_expression(parser);
}

/* The next clause of an aggregate's parentheses; false when there is none. */
static bool parse_clause(struct evs_parser *parser, struct evs_ast_call *call)
{
    bool ignore = evs_at_words(parser, EVS_WORD_IGNORE, EVS_WORD_NULLS);
    if (ignore || evs_at_words(parser, EVS_WORD_RESPECT, EVS_WORD_NULLS)) {
        evs_take_token(parser);
        evs_take_token(parser);
        once(parser, call->nulls != EVS_NULLS_AS_IS, "nulls");
        call->nulls = ignore ? EVS_NULLS_IGNORE : EVS_NULLS_RESPECT;
    } else if (evs_take_word(parser, EVS_WORD_WHERE)) {
        once(parser, call->where != NULL, "where");
        call->where = evs_parse_expression(parser);
    } else if (evs_take_word(parser, EVS_WORD_HAVING)) {
        parse_having(parser, call);
    } else if (evs_take_words(parser, EVS_WORD_ORDER, EVS_WORD_BY)) {
        once(parser, call->order.count > 0, "order by");
        call->order = evs_parse_orders(parser);
    } else if (evs_take_word(parser, EVS_WORD_LIMIT)) {
        once(parser, call->limit != NULL, "limit");
        call->limit = evs_parse_expression(parser);
    } else {
        return false;
    }
    return true;
}

/* --- over --------------------------------------------------------------------------------------------------------- */

static struct evs_ast_frame_bound parse_bound(struct evs_parser *parser)
{
    struct evs_ast_frame_bound bound = {.kind = EVS_BOUND_CURRENT};
    struct evs_place start = evs_here(parser);
    bool unbounded = evs_take_word(parser, EVS_WORD_UNBOUNDED);
    if (evs_take_word(parser, EVS_WORD_CURRENT)) {
        evs_expect_word(parser, EVS_WORD_ROW, "after `current`");
    } else {
        bound.amount = unbounded ? NULL : evs_parse_operand(parser);
        bool is_preceding = evs_take_word(parser, EVS_WORD_PRECEDING);
        if (!is_preceding) {
            evs_expect_word(parser, EVS_WORD_FOLLOWING, "or `preceding` in a frame");
        }
        bound.kind = is_preceding ? (unbounded ? EVS_BOUND_UNBOUNDED_PRECEDING : EVS_BOUND_PRECEDING)
                                  : (unbounded ? EVS_BOUND_UNBOUNDED_FOLLOWING : EVS_BOUND_FOLLOWING);
    }
    bound.place = evs_place_from(parser, start);
    return bound;
}

static void parse_frame(struct evs_parser *parser, struct evs_ast_over *over)
{
    bool rows = evs_take_word(parser, EVS_WORD_ROWS);
    if (!rows && !evs_take_word(parser, EVS_WORD_RANGE)) {
        return;
    }
    over->frame = rows ? EVS_FRAME_ROWS : EVS_FRAME_RANGE;
    over->end = (struct evs_ast_frame_bound){.kind = EVS_BOUND_CURRENT, .place = evs_behind(parser)};
    if (!evs_take_word(parser, EVS_WORD_BETWEEN)) {
        over->start = parse_bound(parser);
        return;
    }
    over->start = parse_bound(parser);
    evs_expect_word(parser, EVS_WORD_AND, "between the ends of the frame");
    over->end = parse_bound(parser);
}

static const struct evs_ast_over *parse_over(struct evs_parser *parser, struct evs_place start)
{
    struct evs_ast_over *over = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_over);
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `over`");
    if (evs_take_words(parser, EVS_WORD_PARTITION, EVS_WORD_BY)) {
        over->partition = evs_parse_expressions(parser);
    }
    if (evs_take_words(parser, EVS_WORD_ORDER, EVS_WORD_BY)) {
        over->order = evs_parse_orders(parser);
    }
    parse_frame(parser, over);
    if (evs_take_word(parser, EVS_WORD_RETAIN)) {
        over->retain = evs_parse_interval(parser, "an interval after `retain`");
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the window");
    over->place = evs_place_from(parser, start);
    return over;
}

/* filter (where …) is another spelling of (… where …). */
static void parse_filter(struct evs_parser *parser, struct evs_ast_call *call)
{
    if (!evs_at_word(parser, EVS_WORD_FILTER) || evs_peek_at(parser, 1)->kind != EVS_TOKEN_LEFT_PAREN) {
        return;
    }
    evs_mark(parser, evs_take_token(parser).offset, EVS_MARK_FILTER);
    evs_take_token(parser);
    if (evs_expect_word(parser, EVS_WORD_WHERE, "after `filter (`")) {
        once(parser, call->where != NULL, "where");
        call->where = evs_parse_expression(parser);
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the condition");
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

/* The nodes under a call that are not its arguments count for its height too. */
static struct evs_ast_expr *new_call(struct evs_parser *parser, struct evs_place start, const struct call *call)
{
    const struct evs_ast_call *ast = call->ast;
    EVS_ASSERT(call->count == call->name_count);
    const struct evs_ast_expr **under = NULL;
    uint32_t count = 0, capacity = 0;
    for (uint32_t i = 0; i < call->count; i++) {
        EVS_APPEND(parser, under, count, capacity, call->arguments[i]);
    }
    EVS_APPEND(parser, under, count, capacity, ast->where);
    EVS_APPEND(parser, under, count, capacity, ast->limit);
    EVS_APPEND(parser, under, count, capacity, ast->having);
    for (uint32_t i = 0; i < ast->order.count; i++) {
        EVS_APPEND(parser, under, count, capacity, ast->order.items[i].expr);
    }
    for (uint32_t i = 0; ast->over != NULL && i < ast->over->partition.count; i++) {
        EVS_APPEND(parser, under, count, capacity, ast->over->partition.items[i]);
    }
    for (uint32_t i = 0; ast->over != NULL && i < ast->over->order.count; i++) {
        EVS_APPEND(parser, under, count, capacity, ast->over->order.items[i].expr);
    }
    struct evs_ast_expr *expr = evs_new_expr(parser, EVS_AST_CALL, evs_place_from(parser, start), under, count);
    expr->argument_count = expr->kind == EVS_AST_CALL ? call->count : 0;
    return expr;
}

/* The name is taken: `safe.` in front is no part of it. */
static struct call begin_call(struct evs_parser *parser, struct evs_place start, const struct evs_ident *names,
                              uint32_t name_count, bool safe)
{
    EVS_ASSERT(name_count > (uint32_t)safe);
    struct call call = {.ast = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_call)};
    call.ast->name = join_names(parser, names + safe, name_count - safe);
    call.ast->name_place = evs_place_from(parser, start);
    return call;
}

static void parse_inside(struct evs_parser *parser, struct call *call)
{
    if (!evs_at(parser, EVS_TOKEN_RIGHT_PAREN)) {
        call->ast->distinct = evs_take_word(parser, EVS_WORD_DISTINCT);
        parse_arguments(parser, call);
        while (parse_clause(parser, call->ast)) {
        }
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the arguments");
}

const struct evs_ast_expr *evs_parse_call(struct evs_parser *parser, struct evs_place start,
                                          const struct evs_ident *names, uint32_t name_count)
{
    bool safe = name_count > 1 && evs_slice_equal_nocase(names[0].text, "safe");
    struct call call = begin_call(parser, start, names, name_count, safe);
    for (uint32_t i = 0; i < name_count; i++) {
        evs_mark(parser, names[i].place.offset, EVS_MARK_FUNCTION);
    }
    evs_mark(parser, evs_take_token(parser).offset, EVS_MARK_TIGHT);
    parse_inside(parser, &call);
    parse_filter(parser, call.ast);
    if (evs_at_word(parser, EVS_WORD_OVER)) {
        struct evs_place place = evs_here(parser);
        evs_take_token(parser);
        call.ast->over = parse_over(parser, place);
    }
    struct evs_ast_expr *expr = new_call(parser, start, &call);
    expr->safe = safe;
    expr->call = call.ast;
    expr->argument_names = call.has_names ? call.names : NULL;
    return expr;
}
