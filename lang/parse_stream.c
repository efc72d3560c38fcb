/* The operators that streams need and SQL has not: deduplicate, throttle, sample, top, hold, resolve identity. */
#include "parse.h"

/* by EXPR, … */
static struct evs_ast_exprs parse_keys(struct evs_parser *parser, const char *where)
{
    evs_expect_word(parser, EVS_WORD_BY, where);
    return evs_parse_expressions(parser);
}

/* deduplicate by EXPR, … within INTERVAL [keep first | last] */
void evs_parse_deduplicate(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_deduplicate *deduplicate = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_deduplicate);
    pipe->deduplicate = deduplicate;
    deduplicate->keys = parse_keys(parser, "and the keys after `deduplicate`");
    evs_expect_word(parser, EVS_WORD_WITHIN, "after the keys");
    deduplicate->within = evs_parse_interval(parser, "an interval after `within`");
    if (evs_take_word(parser, EVS_WORD_KEEP)) {
        deduplicate->keep_last = evs_take_word(parser, EVS_WORD_LAST);
        if (!deduplicate->keep_last) {
            evs_expect_word(parser, EVS_WORD_FIRST, "or `last` after `keep`");
        }
    }
}

/* day | week | month [time_zone => EXPR] */
static void parse_calendar(struct evs_parser *parser, struct evs_ast_throttle *throttle)
{
    struct evs_place place = evs_here(parser);
    throttle->calendar = evs_parse_part(parser, true, NULL);
    bool is_calendar = throttle->calendar == EVS_PART_DAY || throttle->calendar == EVS_PART_WEEK ||
                       throttle->calendar == EVS_PART_MONTH;
    if (!is_calendar && !parser->panic) {
        struct evs_diag *diag =
            evs_complain(parser, EVS_E0118, place, "a throttle counts by day, week or month of the calendar");
        evs_diag_hint(diag, "or write `per interval …`");
    }
    if (evs_at_word(parser, EVS_WORD_TIME_ZONE) && evs_peek_at(parser, 1)->kind == EVS_TOKEN_NAMED) {
        evs_take_token(parser);
        evs_take_token(parser);
        throttle->time_zone = evs_parse_operand(parser);
    }
}

/* throttle N per (INTERVAL | day | week | month [time_zone => EXPR]) by EXPR, … [dropped into SINK] */
void evs_parse_throttle(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_throttle *throttle = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_throttle);
    pipe->throttle = throttle;
    throttle->limit = evs_parse_operand(parser);
    evs_expect_word(parser, EVS_WORD_PER, "after the number of rows");
    if (evs_at_word(parser, EVS_WORD_INTERVAL) || evs_at(parser, EVS_TOKEN_AT)) {
        throttle->interval = evs_parse_interval(parser, "an interval after `per`");
    } else {
        parse_calendar(parser, throttle);
    }
    throttle->keys = parse_keys(parser, "and the keys");
    if (evs_take_word(parser, EVS_WORD_DROPPED)) {
        throttle->dropped_into = evs_parse_into(parser);
    }
}

/* sample P percent by EXPR [salt STRING] [rest into SINK] */
void evs_parse_sample(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_sample *sample = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_sample);
    pipe->sample = sample;
    sample->percent = evs_parse_operand(parser);
    evs_expect_word(parser, EVS_WORD_PERCENT, "after the number");
    evs_expect_word(parser, EVS_WORD_BY, "and the key");
    sample->key = evs_parse_expression(parser);
    if (evs_take_word(parser, EVS_WORD_SALT)) {
        sample->salt = evs_parse_operand(parser);
    }
    if (evs_take_word(parser, EVS_WORD_REST)) {
        sample->rest_into = evs_parse_into(parser);
    }
}

/* top N by EXPR [desc] [partition by EXPR, …] */
void evs_parse_top(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_top *top = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_top);
    pipe->top = top;
    top->limit = evs_parse_operand(parser);
    evs_expect_word(parser, EVS_WORD_BY, "and what decides");
    top->by = evs_parse_expression(parser);
    top->descending = evs_take_word(parser, EVS_WORD_DESC);
    if (!top->descending) {
        evs_take_word(parser, EVS_WORD_ASC);
    }
    if (evs_take_word(parser, EVS_WORD_PARTITION)) {
        top->partition = parse_keys(parser, "after `partition`");
    }
}

/* hold until TIMESTAMP [at most INTERVAL [expired into SINK]] */
void evs_parse_hold(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_hold *hold = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_hold);
    pipe->hold = hold;
    evs_expect_word(parser, EVS_WORD_UNTIL, "after `hold`");
    hold->until = evs_parse_expression(parser);
    if (evs_take_word(parser, EVS_WORD_AT)) {
        evs_expect_word(parser, EVS_WORD_MOST, "after `at`");
        hold->at_most = evs_parse_interval(parser, "an interval after `at most`");
        if (evs_take_word(parser, EVS_WORD_EXPIRED)) {
            hold->expired_into = evs_parse_into(parser);
        }
    } else if (evs_at_words(parser, EVS_WORD_EXPIRED, EVS_WORD_INTO)) {
        evs_expected(parser, "`at most` and an interval, behind which a row has expired");
    }
}

/* resolve identity ANONYMOUS to USER [alias PREVIOUS] [within INTERVAL] [retain INTERVAL] */
void evs_parse_identity(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_identity *identity = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_identity);
    pipe->identity = identity;
    identity->anonymous = evs_parse_primary(parser);
    evs_expect_word(parser, EVS_WORD_TO, "between the anonymous id and the user's");
    identity->user = evs_parse_primary(parser);
    if (evs_take_word(parser, EVS_WORD_ALIAS)) {
        identity->previous = evs_parse_primary(parser);
    }
    if (evs_take_word(parser, EVS_WORD_WITHIN)) {
        identity->within = evs_parse_interval(parser, "an interval after `within`");
    }
    if (evs_take_word(parser, EVS_WORD_RETAIN)) {
        identity->retain = evs_parse_interval(parser, "an interval after `retain`");
    }
}
