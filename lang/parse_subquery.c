/* Queries inside expressions. They read an array of the row, and may be written as every query here, (from unnest(a) as x |> where … |>
 * select …), or as SQL has them: (select … from unnest(a) as x where …). Both become the same tree. */
#include "parse.h"

static struct evs_ast_pipe new_pipe(enum evs_pipe_kind kind, struct evs_place word)
{
    struct evs_ast_pipe pipe;
    memset(&pipe, 0, sizeof pipe); /* all of the union, which an initialiser would not promise */
    pipe.kind = kind;
    pipe.word = word;
    pipe.place = word;
    return pipe;
}

static void refuse_clause(struct evs_parser *parser)
{
    static const struct {
        enum evs_word word;
        const char *hint;
    } clauses[] = {
        {EVS_WORD_ORDER, "the elements stay in the order of the array"},
        {EVS_WORD_LIMIT, "array_slice(array(select …), 0, 2) keeps the first three"},
        {EVS_WORD_GROUP, "groups are made by `|> cross join unnest(…) |> aggregate … group by …`"},
    };
    for (uint32_t i = 0; i < EVS_COUNT(clauses); i++) {
        if (evs_at_word(parser, clauses[i].word)) {
            struct evs_diag *diag =
                evs_syntax(parser, EVS_E0124, evs_here(parser), "`%s` does not stand in a query over an array",
                           evs_word_text(clauses[i].word));
            evs_diag_hint(diag, "%s", clauses[i].hint);
        }
    }
}

/* select [distinct] ITEMS from RELATION [where CONDITION] */
static const struct evs_ast_query *parse_select(struct evs_parser *parser)
{
    struct evs_ast_query *query = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_query);
    query->place = evs_here(parser);
    struct evs_ast_pipe select = new_pipe(EVS_PIPE_SELECT, query->place);
    struct evs_ast_pipe *pipes = NULL;
    uint32_t capacity = 0;
    evs_expect_word(parser, EVS_WORD_SELECT, "at the beginning of the query");
    select.select.distinct = evs_take_word(parser, EVS_WORD_DISTINCT);
    select.select.items = evs_parse_items(parser, true);
    select.place = evs_place_from(parser, select.place);
    evs_expect_word(parser, EVS_WORD_FROM, "and what the query reads, as in `from unnest(items) as item`");
    query->from = evs_parse_relation(parser);
    query->pipeline.place = evs_here(parser);
    if (evs_at_word(parser, EVS_WORD_WHERE)) {
        struct evs_ast_pipe where = new_pipe(EVS_PIPE_WHERE, evs_here(parser));
        evs_take_token(parser);
        where.expr = evs_parse_expression(parser);
        where.place = evs_place_from(parser, where.place);
        EVS_APPEND(parser, pipes, query->pipeline.count, capacity, where);
    }
    refuse_clause(parser);
    EVS_APPEND(parser, pipes, query->pipeline.count, capacity, select);
    query->pipeline.pipes = pipes;
    query->pipeline.place = evs_place_from(parser, query->pipeline.place);
    query->place = evs_place_from(parser, query->place);
    query->is_broken = parser->panic;
    return query;
}

const struct evs_ast_query *evs_parse_subquery(struct evs_parser *parser)
{
    if (!evs_at_word(parser, EVS_WORD_SELECT)) {
        return evs_parse_query(parser);
    }
    const struct evs_ast_query *query = NULL;
    if (evs_enter(parser)) {
        query = parse_select(parser);
    } else {
        struct evs_ast_query *broken = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_query);
        broken->is_broken = true;
        query = broken;
    }
    evs_leave(parser);
    return query;
}
