/* From a pipeline file to a plan.
 *
 *   file ── parse ──► syntax tree ── bind ──► relations ── prune, lower ──► struct evs_plan
 *           (ast.h)                  (bind.h)  (rel.h)                        (evstream/plan.h)
 *
 * Compiling does no I/O but reading the file and its imports: `check` and `explain` need no server. The language names no connector
 * and no format itself: they come as tables in the registry, from the composition root (cmd/). */
#ifndef EVS_COMPILE_H
#define EVS_COMPILE_H

#include "diag.h"
#include "evstream/lookup.h"
#include "evstream/plan.h"
#include "source_text.h"

/* Connectors and formats by name. The lists end with NULL. */
struct evs_registry {
    const struct evs_source *const *sources;
    const struct evs_sink *const *sinks;
    const struct evs_decode_format *const *decode_formats; /* the first is the default */
    const struct evs_format *const *formats;               /* the first is the default */
    /* The sink that takes the rows of a query without `insert into`, and its main option: "file", "-". */
    const char *print_connector, *print_argument;
    const struct evs_lookup *const *tables; /* looked-up ones; NULL: none */
};

struct evs_compile_options {
    const char *file; /* names the pipeline by its stem, unless the file says `pipeline NAME;` */
    struct evs_sources
        *texts; /* takes what is loaded; the diagnostics should be made with it, so that they can show lines */
    const char *const *params; /* "NAME=VALUE" each */
    uint32_t param_count;
    const char *const *sources; /* "NAME=CONNECTOR:ARGUMENT" each: replaces the connector of a source */
    uint32_t source_count;
    const char *const *sinks; /* the same for sinks */
    uint32_t sink_count;
    /* Looks an environment variable up (EVSTREAM_PARAM_NAME); NULL result: not set. May be NULL itself: an empty environment. */
    const char *(*environment)(void *argument, const char *name);
    void *environment_argument;
    const struct evs_registry *registry;
    struct evs_index *index; /* takes what names mean, for editors (observe.h); NULL: nobody asks */
    const struct evs_format *sink_format; /* of every sink, whatever the file says, with its defaults; NULL: as the file says */
};

/* Compiles a file. All diagnostics, warnings too, are added to `diagnostics`.
 *   EVS_OK           *plan is complete; free it with evs_plan_free
 *   EVS_E_PIPELINE   the file is wrong: `diagnostics` tells where
 *   EVS_E_USAGE      the file cannot be read, or an override or parameter of the options is wrong: `error` tells which and why */
EVS_MUST_CHECK evs_status evs_compile(const struct evs_compile_options *options, struct evs_diagnostics *diagnostics,
                                      const struct evs_plan **plan, struct evs_error *error);
void evs_plan_free(const struct evs_plan *plan); /* NULL is allowed */

/* The plan for people, and as JSON for programs. Options that are secret are never part of it. */
void evs_explain_text(const struct evs_plan *plan, struct evs_buffer *out);
void evs_explain_json(const struct evs_plan *plan, struct evs_buffer *out);
/* The same as a drawing, for Graphviz and for pages that draw Mermaid. */
void evs_explain_dot(const struct evs_plan *plan, struct evs_buffer *out);
void evs_explain_mermaid(const struct evs_plan *plan, struct evs_buffer *out);

#endif
