/* Compiling a pipeline from the command line: the arguments that check, explain and run have in common. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "evstream/memory.h"

bool evs_compile_args_take(struct evs_compile_args *compile, int id, const char *value)
{
    switch (id) {
    case EVS_ARG_OPERAND:
        EVS_GROW(compile->files, compile->file_count, compile->file_capacity);
        compile->files[compile->file_count++] = value;
        return true;
    case EVS_ARG_PARAM:
        EVS_GROW(compile->params, compile->param_count, compile->param_capacity);
        compile->params[compile->param_count++] = value;
        return true;
    case EVS_ARG_SOURCE:
        EVS_GROW(compile->sources, compile->source_count, compile->source_capacity);
        compile->sources[compile->source_count++] = value;
        return true;
    case EVS_ARG_SINK:
        EVS_GROW(compile->sinks, compile->sink_count, compile->sink_capacity);
        compile->sinks[compile->sink_count++] = value;
        return true;
    default:
        return false;
    }
}

void evs_compile_args_fini(struct evs_compile_args *compile)
{
    evs_free(compile->files);
    evs_free(compile->params);
    evs_free(compile->sources);
    evs_free(compile->sinks);
    *compile = (struct evs_compile_args){0};
}

static const char *environment_of_process(void *argument, const char *name)
{
    (void)argument;
    return getenv(name);
}

int evs_compile_file(const struct evs_compile_args *compile, const char *file, const struct evs_plan **plan)
{
    struct evs_sources *texts = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    const struct evs_compile_options options = {
        .file = file,
        .texts = texts,
        .params = compile->params,
        .param_count = compile->param_count,
        .sources = compile->sources,
        .source_count = compile->source_count,
        .sinks = compile->sinks,
        .sink_count = compile->sink_count,
        .environment = environment_of_process,
        .registry = &evs_registry,
    };
    struct evs_error error = {0};
    evs_status status = evs_compile(&options, diagnostics, plan, &error);
    if (status != EVS_OK || !compile->is_quiet) {
        evs_diagnostics_print(diagnostics, stderr);
    }
    if (status != EVS_OK && status != EVS_E_PIPELINE) {
        fprintf(stderr, "evstream: %s\n", error.text);
    }
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return evs_status_exit_code(status);
}
