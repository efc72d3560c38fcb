/* One call with `over (…)`: the function, its arguments, and what its frame may be. Part of bind_over.c. */
#include "bind_over.h"

/* --- functions -------------------------------------------------------------------------------------------------------------------- */

bool evs_over_wrong(struct overs *overs, struct evs_place place, const char *message, const char *hint)
{
    struct evs_diag *diag = evs_report(overs->binder, EVS_E0420, place, "%s", message);
    if (hint != NULL) {
        evs_diag_hint(diag, "%s", hint);
    }
    return false;
}

static const struct {
    const char *name;
    enum evs_over_kind kind;
} numberings[] = {{"row_number", EVS_OVER_ROW_NUMBER}, {"rank", EVS_OVER_RANK}, {"dense_rank", EVS_OVER_DENSE_RANK}};

static bool is_named(const struct evs_ast_expr *ast, const char *name)
{
    return evs_slice_equal_nocase(ast->call->name, name);
}

bool evs_over_is_numbering(const struct evs_ast_expr *ast, enum evs_over_kind *kind)
{
    for (size_t i = 0; i < EVS_COUNT(numberings); i++) {
        if (is_named(ast, numberings[i].name)) {
            *kind = numberings[i].kind;
            return true;
        }
    }
    return false;
}

const struct evs_expr *evs_over_argument(struct overs *overs, const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = overs->scope};
    const struct evs_expr *expr = evs_bind_expr(overs->binder, &context, ast);
    return expr != NULL ? evs_bind_typed(overs->binder, expr) : NULL;
}

static bool check_count(struct overs *overs, const struct evs_ast_expr *ast, uint32_t least, uint32_t most,
                        const char *signature)
{
    if (ast->argument_count >= least && ast->argument_count <= most) {
        return true;
    }
    evs_report(overs->binder, EVS_E0420, ast->place, "the call has %u arguments; write %s", ast->argument_count,
               signature);
    return false;
}

static bool bind_lag(struct overs *overs, struct over_call *call)
{
    const struct evs_ast_expr *ast = call->ast;
    if (!check_count(overs, ast, 1, 3, "lag(value), lag(value, rows) or lag(value, rows, default)")) {
        return false;
    }
    call->call.kind = EVS_OVER_LAG;
    call->call.number = 1;
    call->argument = evs_over_argument(overs, ast->arguments[0]);
    bool is_right = call->argument != NULL;
    if (ast->argument_count > 1) {
        is_right = evs_bind_row_count(overs->binder, ast->arguments[1], "the number of rows back", 0, ROWS_BACK_MAX,
                                      &call->call.number) &&
                   is_right;
    }
    if (ast->argument_count > 2 && is_right) {
        struct evs_error error;
        call->fallback = evs_over_argument(overs, ast->arguments[2]);
        is_right = call->fallback != NULL;
        if (is_right && evs_expr_coerce(overs->binder->arena, call->fallback, call->argument->type, &call->fallback,
                                        &error) != EVS_OK) {
            evs_report_error(overs->binder, EVS_E0302, ast->arguments[2]->place, &error);
            is_right = false;
        }
    }
    call->type = is_right ? call->argument->type : NULL;
    return is_right;
}

static bool bind_nth_value(struct overs *overs, struct over_call *call)
{
    const struct evs_ast_expr *ast = call->ast;
    if (!check_count(overs, ast, 2, 2, "nth_value(value, n)")) {
        return false;
    }
    call->call.kind = EVS_OVER_NTH_VALUE;
    call->call.ignore_nulls = ast->call->nulls == EVS_NULLS_IGNORE;
    call->argument = evs_over_argument(overs, ast->arguments[0]);
    bool is_right = evs_bind_row_count(overs->binder, ast->arguments[1], "the place in the frame", 1, ROWS_BACK_MAX,
                                       &call->call.number);
    if (call->argument == NULL || !is_right) {
        return false;
    }
    call->type = call->argument->type;
    return true;
}

/* first_value(x) and last_value(x) are first(x) and last(x) of the frame. */
static bool bind_end_value(struct overs *overs, struct over_call *call, enum evs_aggregate_kind kind)
{
    const struct evs_ast_expr *ast = call->ast;
    if (!check_count(overs, ast, 1, 1, kind == EVS_AGG_FIRST ? "first_value(value)" : "last_value(value)")) {
        return false;
    }
    const struct evs_expr **arguments = EVS_ARENA_NEW(overs->binder->arena, const struct evs_expr *);
    arguments[0] = evs_over_argument(overs, ast->arguments[0]);
    if (arguments[0] == NULL) {
        return false;
    }
    call->call.kind = EVS_OVER_AGGREGATE;
    call->type = arguments[0]->type;
    call->aggregate = (struct pending_call){.kind = kind,
                                            .arguments = arguments,
                                            .argument_count = 1,
                                            .result_type = call->type,
                                            .ignore_nulls = ast->call->nulls == EVS_NULLS_IGNORE,
                                            .limit = -1,
                                            .text = evs_ast_expr_text(overs->binder->arena, ast)};
    return true;
}

static bool refuse_function(struct overs *overs, const struct evs_ast_expr *ast)
{
    static const char *const whole[] = {"ntile", "percent_rank", "cume_dist", "percentile_cont", "percentile_disc"};
    if (is_named(ast, "lead")) {
        return evs_over_wrong(overs, ast->place, "`lead` looks at a row that is still to come",
                              "turn the question round: lag(…) on the later row; or write sequence by … then …");
    }
    for (size_t i = 0; i < EVS_COUNT(whole); i++) {
        if (is_named(ast, whole[i])) {
            return evs_over_wrong(
                overs, ast->place, "this function needs all rows of the partition, also those to come",
                "rank the rows of a window: rank() over (partition by window_start, window_end order by …)");
        }
    }
    struct evs_diag *diag = evs_report(overs->binder, EVS_E0420, ast->call->name_place,
                                       "`%s` cannot have an `over (…)`", ast->call->name.data);
    evs_diag_hint(diag, "aggregate functions can, and lag, first_value, last_value, nth_value, row_number, rank, "
                        "dense_rank");
    return false;
}

static bool bind_function(struct overs *overs, struct over_call *call)
{
    const struct evs_ast_expr *ast = call->ast;
    call->call.text = evs_ast_expr_text(overs->binder->arena, ast);
    if (evs_over_is_numbering(ast, &call->call.kind)) {
        call->type = evs_type_of(EVS_INT64);
        return check_count(overs, ast, 0, 0, "row_number(), rank() or dense_rank()");
    }
    if (is_named(ast, "lag")) {
        return bind_lag(overs, call);
    }
    if (is_named(ast, "nth_value")) {
        return bind_nth_value(overs, call);
    }
    if (is_named(ast, "first_value") || is_named(ast, "last_value")) {
        return bind_end_value(overs, call, is_named(ast, "first_value") ? EVS_AGG_FIRST : EVS_AGG_LAST);
    }
    if (!evs_aggregate_known(ast->call->name)) {
        return refuse_function(overs, ast);
    }
    struct evs_context context = {.scope = overs->scope};
    call->call.kind = EVS_OVER_AGGREGATE;
    if (!evs_bind_call(overs->binder, &context, ast, &call->aggregate)) {
        return false;
    }
    call->type = call->aggregate.result_type;
    return true;
}

/* --- frames ------------------------------------------------------------------------------------------------------------------------ */

static bool bind_frame_amount(struct overs *overs, struct over_call *call, const struct evs_ast_over *over)
{
    const struct evs_ast_frame_bound *start = &over->start;
    bool by_rows = over->frame == EVS_FRAME_ROWS;
    call->call.frame = by_rows ? EVS_OVER_ROWS : EVS_OVER_RANGE;
    if (start->kind == EVS_BOUND_CURRENT) {
        return true;
    }
    if (by_rows) {
        return evs_bind_row_count(overs->binder, start->amount, "the number of rows", 0, ROWS_BACK_MAX,
                                  &call->call.preceding);
    }
    if (!evs_bind_duration(overs->binder, start->amount, "the frame", &call->call.preceding)) {
        return false;
    }
    return call->call.preceding >= 0 ||
           evs_over_wrong(overs, start->place, "a frame goes back, by an interval not below zero", NULL);
}

static bool bind_frame(struct overs *overs, struct over_call *call)
{
    const struct evs_ast_over *over = call->ast->call->over;
    bool has_frame = call->call.kind == EVS_OVER_AGGREGATE || call->call.kind == EVS_OVER_NTH_VALUE;
    if (over->frame == EVS_FRAME_NONE) {
        call->call.frame = EVS_OVER_ALL;
        return true;
    }
    if (!has_frame) {
        return evs_over_wrong(overs, over->start.place, "this function has no frame: it looks at all rows before",
                              "leave rows … or range … out");
    }
    if (over->end.kind == EVS_BOUND_FOLLOWING || over->end.kind == EVS_BOUND_UNBOUNDED_FOLLOWING ||
        over->start.kind == EVS_BOUND_FOLLOWING) {
        return evs_over_wrong(overs, over->end.place, "`following` looks at rows that are still to come",
                              "write between … preceding and current row");
    }
    if (over->end.kind != EVS_BOUND_CURRENT) {
        return evs_over_wrong(overs, over->end.place, "a frame ends with the current row",
                              "write between … preceding and current row");
    }
    if (over->start.kind == EVS_BOUND_UNBOUNDED_PRECEDING) {
        call->call.frame = over->frame == EVS_FRAME_ROWS ? EVS_OVER_ALL_ROWS : EVS_OVER_ALL;
        return true;
    }
    return bind_frame_amount(overs, call, over);
}

/* What a running accumulator may not be. */
static bool check_growth(struct overs *overs, const struct over_call *call)
{
    bool is_running = call->call.frame == EVS_OVER_ALL || call->call.frame == EVS_OVER_ALL_ROWS;
    if (!is_running) {
        return true;
    }
    if (call->call.kind == EVS_OVER_NTH_VALUE) {
        return evs_over_wrong(overs, call->ast->place, "`nth_value` needs a frame that begins somewhere",
                              "write rows between 9 preceding and current row, for example");
    }
    if (call->call.kind == EVS_OVER_AGGREGATE &&
        evs_aggregate_is_large(call->aggregate.kind, call->aggregate.is_distinct)) {
        return evs_over_wrong(overs, call->ast->place,
                              "this function keeps many values, and the frame has no beginning",
                              "write range between interval 1 day preceding and current row, for example");
    }
    return true;
}

bool evs_over_bind_call(struct overs *overs, struct over_call *call)
{
    return bind_function(overs, call) && bind_frame(overs, call) && check_growth(overs, call);
}
