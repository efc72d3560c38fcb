/* The parser on any text: it ends, asserts nothing, and its spans, trees and texts hold together.
 *
 *   as a file, with everything accepted and with what is not supported refused: the diagnostics can be rendered,
 *   every place lies in the text;
 *   as an expression: no tree is too high, and what is printed is read again and printed as the same. */
#include <string.h>

#include "parser.h"

/* Under libFuzzer: a failed assertion ends the process by _exit, past libFuzzer, which would then keep no copy of
 * the input. */
#ifdef __has_feature
#if __has_feature(coverage_sanitizer)
#include <stdlib.h>

void _exit(int code)
{
    (void)code;
    abort();
}
#endif
#endif

#define INPUT_BYTES_MAX (256u << 10) /* larger ones only repeat themselves */

struct session {
    struct evs_sources *sources;
    struct evs_diagnostics *diagnostics;
    struct evs_script script;
};

static struct session begin(bool accept_all)
{
    struct session session = {.sources = evs_sources_new()};
    session.diagnostics = evs_diagnostics_new(session.sources);
    evs_script_init(&session.script);
    session.script.accept_all = accept_all;
    return session;
}

static void end(struct session *session)
{
    evs_script_fini(&session->script);
    evs_diagnostics_free(session->diagnostics);
    evs_sources_free(session->sources);
}

static void check_place(struct evs_place place, struct evs_slice text)
{
    EVS_ASSERT(place.line >= 1 && place.column >= 1);
    EVS_ASSERT((size_t)place.offset + place.count <= text.count);
}

static void check_diagnostics(const struct session *session, struct evs_slice text)
{
    struct evs_buffer rendered = {0};
    for (uint32_t i = 0; i < evs_diagnostics_count(session->diagnostics); i++) {
        check_place(evs_diagnostics_at(session->diagnostics, i).place, text);
    }
    evs_diagnostics_render(session->diagnostics, true, &rendered);
    evs_buffer_fini(&rendered);
}

static void check_expr(const struct evs_ast_expr *expr, uint32_t room, struct evs_slice text)
{
    EVS_ASSERT(expr->height <= room);
    check_place(expr->place, text);
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (expr->arguments[i] != NULL) {
            check_expr(expr->arguments[i], expr->height - 1, text);
        }
    }
}

static void check_file(struct evs_slice text, bool accept_all)
{
    struct session session = begin(accept_all);
    evs_parse(&session.script, evs_sources_add(session.sources, "input", text), session.diagnostics);
    for (uint32_t i = 0; i < session.script.count; i++) {
        const struct evs_ast_statement *statement = session.script.statements[i];
        check_place(statement->place, text);
        EVS_ASSERT(!statement->is_broken || evs_diagnostics_errors(session.diagnostics) > 0);
    }
    check_diagnostics(&session, text);
    end(&session);
}

static char *parse_and_print(struct session *session, struct evs_slice text)
{
    const struct evs_ast_expr *expr =
        evs_parse_expr(&session->script, evs_sources_add(session->sources, "input", text), session->diagnostics);
    check_expr(expr, EVS_AST_DEPTH_MAX, text);
    return evs_ast_expr_text(&session->script.arena, expr);
}

static void check_expression(struct evs_slice text)
{
    struct session session = begin(true);
    char *printed = parse_and_print(&session, text);
    check_diagnostics(&session, text);
    bool is_complete = strstr(printed, "…") == NULL; /* queries are not printed */
    if (evs_diagnostics_count(session.diagnostics) == 0 && is_complete) {
        char *again = parse_and_print(&session, evs_slice_of(printed));
        EVS_ASSERT(evs_diagnostics_count(session.diagnostics) == 0);
        EVS_ASSERT(strcmp(printed, again) == 0);
    }
    end(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX) {
        return 0;
    }
    struct evs_slice text = {(const char *)data, size};
    check_file(text, true);
    check_file(text, false);
    check_expression(text);
    return 0;
}
