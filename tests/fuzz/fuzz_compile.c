/* The compiler on any text, from the bytes to the plan and its explanation, with the connectors and formats of the program: it ends, asserts
 * nothing, and says either what is wrong or gives a plan.
 *
 *   the text is read from memory, so compiling does no I/O: a text with an import is left out, for it would read files of this machine;
 *   parameters have a value from outside, so that a missing one does not end everything early. */
#include <string.h>

#include "cmd.h"

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

#define INPUT_BYTES_MAX (64u << 10) /* larger ones only repeat themselves */
#define FILE_NAME "input.evs"

static const char *environment(void *argument, const char *name)
{
    (void)argument, (void)name;
    return "1";
}

static void explain(const struct evs_plan *plan)
{
    struct evs_buffer text = {0};
    evs_explain_text(plan, &text);
    evs_explain_json(plan, &text);
    EVS_ASSERT(text.count > 0);
    evs_buffer_fini(&text);
}

static void check_diagnostics(const struct evs_diagnostics *diagnostics)
{
    struct evs_buffer rendered = {0};
    evs_diagnostics_render(diagnostics, false, &rendered);
    EVS_ASSERT((rendered.count > 0) == (evs_diagnostics_count(diagnostics) > 0));
    evs_buffer_fini(&rendered);
}

static bool has_import(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 6 <= size; i++) {
        if (strncasecmp((const char *)data + i, "import", 6) == 0) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX || has_import(data, size)) {
        return 0;
    }
    struct evs_sources *texts = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    struct evs_compile_options options = {
        .file = FILE_NAME, .texts = texts, .registry = &evs_registry, .environment = environment};
    const struct evs_plan *plan = NULL;
    struct evs_error error = {0};
    evs_sources_add(texts, FILE_NAME, (struct evs_slice){(const char *)data, size});
    evs_status status = evs_compile(&options, diagnostics, &plan, &error);
    EVS_ASSERT((status == EVS_OK) == (plan != NULL));
    EVS_ASSERT(status != EVS_E_PIPELINE || evs_diagnostics_errors(diagnostics) > 0);
    EVS_ASSERT(status == EVS_OK || status == EVS_E_PIPELINE || error.text[0] != '\0');
    check_diagnostics(diagnostics);
    if (plan != NULL) {
        explain(plan);
    }
    evs_plan_free(plan);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return 0;
}
