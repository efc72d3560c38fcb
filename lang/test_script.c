/* Tests: what they name and when, checked against what the script declares. What rows hold is for the one who runs them. */
#include "test_script.h"

#include "evstream/source.h"

#include <string.h>

/* --- declarations -------------------------------------------------------------------------------------------------------- */

static const struct evs_ast_statement *find_declared(const struct evs_script *script, const struct evs_ident *name,
                                                     uint32_t kinds, struct evs_nearest *nearest)
{
    for (uint32_t i = 0; i < script->count; i++) {
        const struct evs_ast_statement *statement = script->statements[i];
        if ((kinds >> statement->kind & 1) == 0 || !evs_ident_given(&statement->name)) {
            continue;
        }
        if (evs_slice_equal_nocase(statement->name.text, name->text.data)) {
            return statement;
        }
        evs_nearest_offer(nearest, statement->name.text);
    }
    return NULL;
}

static const struct evs_ast_statement *expect_declared(const struct evs_script *script, const struct evs_ident *name,
                                                       uint32_t kinds, enum evs_code code, const char *what,
                                                       struct evs_diagnostics *diagnostics)
{
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    const struct evs_ast_statement *found = find_declared(script, name, kinds, &nearest);
    if (found == NULL) {
        struct evs_diag *diag = evs_diag(diagnostics, code, name->place, "no %s `%s`", what, name->text.data);
        evs_diag_did_you_mean(diag, &nearest);
    }
    return found;
}

/* Queries without `insert into` print: `expect stdout …`. */
static bool is_print_sink(const struct evs_ident *name)
{
    return strncmp(name->text.data, "stdout", 6) == 0;
}

#define KIND(statement) (1u << EVS_STATEMENT_##statement)

/* --- values -------------------------------------------------------------------------------------------------------------- */

/* The text of a literal, as --param takes it. */
static const char *value_text(struct evs_arena *arena, const struct evs_ast_expr *value)
{
    bool is_text = value->kind == EVS_AST_TYPED_LITERAL ||
                   (value->kind == EVS_AST_LITERAL && evs_kind_is_text(value->value.kind) && !value->value.is_null);
    if (is_text) {
        struct evs_slice text = evs_str_slice(&value->value.str);
        return evs_arena_strndup(arena, text.data, text.count);
    }
    return evs_ast_expr_text(arena, value);
}

static bool time_of(const struct evs_ast_expr *value, int64_t *time_us)
{
    bool is_text = (value->kind == EVS_AST_LITERAL && value->value.kind == EVS_STRING && !value->value.is_null) ||
                   (value->kind == EVS_AST_TYPED_LITERAL && value->value_kind == EVS_TIMESTAMP);
    return is_text && evs_parse_timestamp(evs_str_slice(&value->value.str), true, time_us);
}

/* --- checks -------------------------------------------------------------------------------------------------------------- */

/* A table that is kept from a stream takes no rows itself. */
static void check_given(const struct evs_script *script, const struct evs_ast_test_step *step,
                        struct evs_diagnostics *diagnostics)
{
    const struct evs_ast_statement *found =
        expect_declared(script, &step->name, KIND(SOURCE) | KIND(TABLE), EVS_E0201, "source or table", diagnostics);
    if (found != NULL && found->kind == EVS_STATEMENT_TABLE && found->table.query != NULL) {
        struct evs_diag *diag = evs_diag(diagnostics, EVS_E0201, step->name.place,
                                         "the table `%s` is kept from a stream", found->name.text.data);
        evs_diag_hint(diag, "give rows to the source that it is kept from");
    }
}

static void check_step(const struct evs_script *script, const struct evs_ast_test_step *step,
                       struct evs_diagnostics *diagnostics)
{
    int64_t time_us;
    switch (step->kind) {
    case EVS_TEST_WITH:
        expect_declared(script, &step->name, KIND(PARAM), EVS_E0207, "parameter", diagnostics);
        break;
    case EVS_TEST_GIVEN:
        check_given(script, step, diagnostics);
        break;
    case EVS_TEST_ADVANCE:
        if (!time_of(step->value, &time_us)) {
            struct evs_diag *diag = evs_diag(diagnostics, EVS_E0123, step->value->place, "this is no time");
            evs_diag_hint(diag, "write it as '2026-01-05T11:00:00Z'");
        }
        break;
    case EVS_TEST_END:
        break;
    case EVS_TEST_EXPECT:
        if (!is_print_sink(&step->name)) {
            expect_declared(script, &step->name, KIND(SINK), EVS_E0202, "sink", diagnostics);
        }
        break;
    }
}

/* Time does not go back, nothing comes behind the end, and parameters are set before anything happens. */
static void check_order(const struct evs_ast_test *test, struct evs_diagnostics *diagnostics)
{
    bool has_begun = false, has_ended = false;
    int64_t last_us = INT64_MIN, time_us;
    for (uint32_t i = 0; i < test->step_count; i++) {
        const struct evs_ast_test_step *step = &test->steps[i];
        bool is_expect = step->kind == EVS_TEST_EXPECT;
        if (step->kind == EVS_TEST_WITH && has_begun) {
            evs_diag(diagnostics, EVS_E0116, step->place, "`with` stands before the first event");
        }
        if (has_ended && !is_expect) {
            evs_diag(diagnostics, EVS_E0116, step->place, "nothing but `expect` comes behind `end of input`");
        }
        if (step->kind == EVS_TEST_ADVANCE && time_of(step->value, &time_us)) {
            if (time_us < last_us) {
                evs_diag(diagnostics, EVS_E0123, step->value->place, "time does not go back");
            }
            last_us = time_us;
        }
        has_begun = has_begun || step->kind != EVS_TEST_WITH;
        has_ended = has_ended || step->kind == EVS_TEST_END;
    }
}

void evs_tests_check(const struct evs_script *script, struct evs_diagnostics *diagnostics)
{
    for (uint32_t i = 0; i < script->count; i++) {
        const struct evs_ast_statement *statement = script->statements[i];
        if (statement->kind != EVS_STATEMENT_TEST || statement->is_broken) {
            continue;
        }
        for (uint32_t k = 0; k < statement->test.step_count; k++) {
            check_step(script, &statement->test.steps[k], diagnostics);
        }
        check_order(&statement->test, diagnostics);
    }
}

/* --- loading ------------------------------------------------------------------------------------------------------------- */

static struct evs_place own_place(struct evs_arena *arena, struct evs_place place)
{
    place.file = evs_arena_strndup(arena, place.file, strlen(place.file));
    return place;
}

static const struct evs_slice *own_rows(struct evs_arena *arena, const struct evs_ast_test_step *step)
{
    struct evs_slice *rows = EVS_ARENA_ARRAY(arena, struct evs_slice, step->row_count + 1);
    for (uint32_t i = 0; i < step->row_count; i++) {
        struct evs_slice from = evs_str_slice(&step->rows[i]);
        char *copy = evs_arena_zero(arena, from.count + EVS_PADDING, 1);
        if (from.count > 0) {
            memcpy(copy, from.data, from.count);
        }
        rows[i] = (struct evs_slice){copy, from.count};
    }
    return rows;
}

/* As it is declared: names are the same in any case. */
static void load_name(struct evs_arena *arena, const struct evs_script *script, const struct evs_ident *name,
                      struct evs_test_step *to)
{
    if (!evs_ident_given(name)) {
        return;
    }
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    const struct evs_ast_statement *declared =
        find_declared(script, name, KIND(SOURCE) | KIND(TABLE) | KIND(SINK), &nearest);
    struct evs_slice text = declared != NULL ? declared->name.text : name->text;
    to->name = evs_arena_strndup(arena, text.data, text.count);
    to->is_table = declared != NULL && declared->kind == EVS_STATEMENT_TABLE;
}

static void load_step(struct evs_arena *arena, const struct evs_script *script, const struct evs_ast_test_step *from,
                      struct evs_test_step *to)
{
    *to = (struct evs_test_step){.place = own_place(arena, from->place)};
    struct evs_place *places = EVS_ARENA_ARRAY(arena, struct evs_place, from->row_count + 1);
    for (uint32_t i = 0; i < from->row_count; i++) {
        places[i] = own_place(arena, from->row_places[i]);
    }
    to->row_places = places;
    to->rows = own_rows(arena, from);
    to->row_count = from->row_count;
    to->in_order = from->in_order;
    load_name(arena, script, &from->name, to);
    to->kind = from->kind == EVS_TEST_GIVEN     ? EVS_TEST_ROWS
               : from->kind == EVS_TEST_ADVANCE ? EVS_TEST_TIME
               : from->kind == EVS_TEST_END     ? EVS_TEST_INPUT_END
                                                : EVS_TEST_EXPECTATION;
    if (to->kind == EVS_TEST_TIME) {
        bool is_time = time_of(from->value, &to->time_us);
        EVS_ASSERT(is_time); /* checked */
    }
}

static void load_test(struct evs_arena *arena, const struct evs_script *script,
                      const struct evs_ast_statement *statement, struct evs_test *test)
{
    const struct evs_ast_test *ast = &statement->test;
    struct evs_test_step *steps = EVS_ARENA_ARRAY(arena, struct evs_test_step, ast->step_count + 1);
    const char **params = EVS_ARENA_ARRAY(arena, const char *, ast->step_count + 1);
    struct evs_slice title = evs_str_slice(&ast->title);
    *test = (struct evs_test){.title = evs_arena_strndup(arena, title.count > 0 ? title.data : "", title.count),
                              .place = own_place(arena, statement->place)};
    for (uint32_t i = 0; i < ast->step_count; i++) {
        const struct evs_ast_test_step *step = &ast->steps[i];
        if (step->kind == EVS_TEST_WITH) {
            params[test->param_count++] =
                evs_arena_printf(arena, "%s=%s", step->name.text.data, value_text(arena, step->value));
        } else {
            test->has_end = test->has_end || step->kind == EVS_TEST_END;
            load_step(arena, script, step, &steps[test->step_count++]);
        }
    }
    test->steps = steps;
    test->params = params;
}

static const struct evs_test_name *load_names(struct evs_arena *arena, const struct evs_script *script,
                                              enum evs_statement_kind kind, uint32_t *count)
{
    struct evs_test_name *names = EVS_ARENA_ARRAY(arena, struct evs_test_name, script->count + 1);
    *count = 0;
    for (uint32_t i = 0; i < script->count; i++) {
        const struct evs_ast_statement *statement = script->statements[i];
        if (statement->kind != kind || !evs_ident_given(&statement->name)) {
            continue;
        }
        const struct evs_ident *connector = kind == EVS_STATEMENT_SOURCE  ? &statement->source.connector.name
                                            : kind == EVS_STATEMENT_TABLE ? &statement->table.connector.name
                                                                          : &statement->sink.connector.name;
        const char *text = evs_ident_given(connector) ? connector->text.data : "";
        names[*count].name = evs_arena_strndup(arena, statement->name.text.data, statement->name.text.count);
        names[(*count)++].connector = evs_arena_strndup(arena, text, strlen(text));
    }
    return names;
}

/* Tests of the file itself: its statements come last, behind those of its imports. */
static void load_tests(const struct evs_script *script, const char *file, struct evs_tests *tests)
{
    struct evs_test *items = EVS_ARENA_ARRAY(&tests->arena, struct evs_test, script->count + 1);
    for (uint32_t i = 0; i < script->count; i++) {
        const struct evs_ast_statement *statement = script->statements[i];
        if (statement->kind == EVS_STATEMENT_TEST && strcmp(statement->place.file, file) == 0) {
            load_test(&tests->arena, script, statement, &items[tests->count++]);
        }
    }
    tests->items = items;
    tests->sources = load_names(&tests->arena, script, EVS_STATEMENT_SOURCE, &tests->source_count);
    tests->tables = load_names(&tests->arena, script, EVS_STATEMENT_TABLE, &tests->table_count);
    tests->sinks = load_names(&tests->arena, script, EVS_STATEMENT_SINK, &tests->sink_count);
}

evs_status evs_tests_load(struct evs_sources *texts, const char *file, struct evs_diagnostics *diagnostics,
                          struct evs_tests *tests, struct evs_error *error)
{
    struct evs_script script;
    *tests = (struct evs_tests){0};
    evs_script_init(&script);
    evs_status status = evs_script_load(&script, texts, file, diagnostics, error);
    if (status == EVS_OK) {
        evs_tests_check(&script, diagnostics);
        status = evs_diagnostics_errors(diagnostics) > 0 ? EVS_E_PIPELINE : EVS_OK;
    } else if (status != EVS_E_PIPELINE) {
        status = EVS_E_USAGE;
    }
    if (status == EVS_OK) {
        load_tests(&script, file, tests);
    }
    evs_script_fini(&script);
    return status;
}

void evs_tests_fini(struct evs_tests *tests)
{
    evs_arena_fini(&tests->arena);
    *tests = (struct evs_tests){0};
}
