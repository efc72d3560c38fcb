/* Formatting: parse, so that every token is known for what it is; read the tokens with their comments; lay them out. */
#include "pretty.h"

bool evs_pretty(const struct evs_source_text *text, struct evs_diagnostics *diagnostics, struct evs_buffer *out)
{
    struct evs_script script;
    struct evs_arena arena = {0};
    evs_script_init(&script);
    struct evs_marks marks = {.count = text->text.count + 1};
    marks.of = evs_arena_zero(&arena, marks.count, 1);
    script.accept_all = true;
    script.marks = &marks;
    uint32_t before = evs_diagnostics_errors(diagnostics);
    evs_parse(&script, text, diagnostics);
    bool is_right = evs_diagnostics_errors(diagnostics) == before;
    if (is_right) {
        struct evs_pretty_tokens tokens = {.arena = &arena};
        evs_pretty_read(text, &marks, &arena, &tokens);
        evs_pretty_write(&tokens, out);
    }
    evs_script_fini(&script);
    evs_arena_fini(&arena);
    return is_right;
}
