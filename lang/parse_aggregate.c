/* aggregate ITEM, … [group by KEY, …] [emit …] [allow lateness …] [late into …] [retain …] */
#include "parse.h"

static enum evs_ast_window window_of(const struct evs_ast_expr *expr)
{
    static const struct {
        const char *name;
        enum evs_ast_window window;
    } windows[] = {{"tumble", EVS_AST_WINDOW_TUMBLE},
                   {"hop", EVS_AST_WINDOW_HOP},
                   {"session", EVS_AST_WINDOW_SESSION},
                   {"cumulate", EVS_AST_WINDOW_CUMULATE}};
    for (uint32_t i = 0; expr->kind == EVS_AST_CALL && i < EVS_COUNT(windows); i++) {
        if (evs_slice_equal(expr->call->name, evs_slice_of(windows[i].name))) {
            return windows[i].window;
        }
    }
    return EVS_AST_WINDOW_NONE;
}

static void refuse_foreign_grouping(struct evs_parser *parser)
{
    bool is_call = evs_peek_at(parser, 1)->kind == EVS_TOKEN_LEFT_PAREN; /* grouping (x) is a function */
    bool is_sets = evs_at_word(parser, EVS_WORD_ROLLUP) || evs_at_word(parser, EVS_WORD_CUBE) ||
                   (evs_at_word(parser, EVS_WORD_GROUPING) && !is_call);
    if (is_sets || evs_at_word(parser, EVS_WORD_ALL)) {
        struct evs_diag *diag =
            evs_syntax(parser, EVS_E0124, evs_here(parser), "only expressions and one window stand in `group by`");
        evs_diag_hint(diag, "name the keys");
    }
}

static void parse_groups(struct evs_parser *parser, struct evs_ast_aggregate *aggregate)
{
    struct evs_ast_group *groups = NULL;
    uint32_t capacity = 0;
    refuse_foreign_grouping(parser);
    do {
        struct evs_ast_group group = {.expr = evs_parse_expression(parser)};
        group.window = window_of(group.expr);
        group.alias = evs_parse_alias(parser);
        EVS_APPEND(parser, groups, aggregate->group_count, capacity, group);
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    aggregate->groups = groups;
}

/* on window close | on change | every INTERVAL; `emit` is taken. */
static void parse_emit(struct evs_parser *parser, struct evs_ast_aggregate *aggregate, struct evs_place start)
{
    if (evs_take_word(parser, EVS_WORD_EVERY)) {
        aggregate->emit = EVS_AST_EMIT_EVERY;
        aggregate->every = evs_parse_interval(parser, "an interval after `emit every`");
    } else if (evs_expect_word(parser, EVS_WORD_ON, "or `every` after `emit`")) {
        if (evs_take_word(parser, EVS_WORD_WINDOW)) {
            aggregate->emit = EVS_AST_EMIT_ON_CLOSE;
            evs_expect_word(parser, EVS_WORD_CLOSE, "after `emit on window`");
        } else {
            aggregate->emit = EVS_AST_EMIT_ON_CHANGE;
            evs_expect_word(parser, EVS_WORD_CHANGE, "or `window close` after `emit on`");
        }
    }
    aggregate->emit_place = evs_place_from(parser, start);
}

/* The clauses behind the keys, in the order in which they must stand. */
enum clause { CLAUSE_NONE, CLAUSE_EMIT, CLAUSE_LATENESS, CLAUSE_LATE_INTO, CLAUSE_RETAIN };

static enum clause next_clause(struct evs_parser *parser)
{
    if (evs_at_word(parser, EVS_WORD_EMIT)) {
        return CLAUSE_EMIT;
    }
    if (evs_at_word(parser, EVS_WORD_ALLOW)) {
        return CLAUSE_LATENESS;
    }
    if (evs_at_word(parser, EVS_WORD_LATE)) {
        return CLAUSE_LATE_INTO;
    }
    return evs_at_word(parser, EVS_WORD_RETAIN) ? CLAUSE_RETAIN : CLAUSE_NONE;
}

static void parse_clause(struct evs_parser *parser, struct evs_ast_aggregate *aggregate, enum clause clause)
{
    EVS_ASSERT(clause != CLAUSE_NONE);
    struct evs_place start = evs_here(parser);
    evs_take_token(parser);
    switch (clause) {
    case CLAUSE_EMIT:
        parse_emit(parser, aggregate, start);
        break;
    case CLAUSE_LATENESS:
        evs_expect_word(parser, EVS_WORD_LATENESS, "after `allow`");
        aggregate->lateness = evs_parse_interval(parser, "an interval after `allow lateness`");
        break;
    case CLAUSE_LATE_INTO:
        aggregate->late_into = evs_parse_into(parser);
        break;
    default:
        aggregate->retain = evs_parse_interval(parser, "an interval after `retain`");
        break;
    }
}

static void check_clause_order(struct evs_parser *parser, enum clause before, enum clause clause)
{
    if (clause == before) {
        evs_complain(parser, EVS_E0115, evs_here(parser), "`%s` is given twice", evs_word_text(evs_peek(parser)->word));
    } else if (clause < before) {
        struct evs_diag *diag = evs_complain(parser, EVS_E0116, evs_here(parser), "`%s` stands further in front",
                                             evs_word_text(evs_peek(parser)->word));
        evs_diag_hint(diag, "the order is emit, allow lateness, late into, retain");
    }
}

void evs_parse_aggregate(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_aggregate *aggregate = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_aggregate);
    pipe->aggregate = aggregate;
    if (!evs_at_words(parser, EVS_WORD_GROUP, EVS_WORD_BY)) {
        aggregate->items = evs_parse_items(parser, false);
    }
    if (evs_take_words(parser, EVS_WORD_GROUP, EVS_WORD_BY)) {
        parse_groups(parser, aggregate);
    }
    enum clause before = CLAUSE_NONE;
    for (enum clause clause; (clause = next_clause(parser)) != CLAUSE_NONE; before = clause) {
        check_clause_order(parser, before, clause);
        parse_clause(parser, aggregate, clause);
    }
}
