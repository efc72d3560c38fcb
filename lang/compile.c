/* Compiling: the order of the passes, and the plan's memory. */
#include "bind.h"
#include "test_script.h"

/* What evs_plan_free finds behind the plan. */
struct compiled {
    struct evs_plan plan; /* first: the two have one address */
    struct evs_arena arena;
};

static void init_binder(struct evs_binder *binder, struct compiled *compiled, const struct evs_compile_options *options,
                        const struct evs_script *script, struct evs_diagnostics *diagnostics, struct evs_error *error)
{
    *binder = (struct evs_binder){
        .arena = &compiled->arena,
        .diagnostics = diagnostics,
        .options = options,
        .script = script,
        .rels = {.arena = &compiled->arena},
        .usage_error = error,
        .used_files = {.is_exact = true},
    };
}

static void fini_binder(struct evs_binder *binder)
{
    evs_free(binder->rels.items);
    evs_free(binder->entities);
    evs_name_index_fini(&binder->entity_names);
    evs_name_index_fini(&binder->param_names);
    evs_name_index_fini(&binder->used_files);
    evs_free(binder->files);
}

static void check_query(struct evs_binder *binder)
{
    bool is_silent = binder->query_count > 0 || evs_diagnostics_errors(binder->diagnostics) > 0;
    if (!is_silent) {
        struct evs_place place = {.file = binder->options->file, .line = 1, .column = 1};
        struct evs_diag *diag = evs_report(binder, EVS_E0410, place, "the pipeline has no query: nothing would run");
        evs_diag_hint(diag, "add one: from SOURCE |> …;");
    }
}

/* Everything but reading the text. A broken script is bound too: what can be checked is checked. */
static evs_status bind(struct evs_binder *binder, struct evs_plan *plan)
{
    evs_bind_declare(binder);
    evs_tests_check(binder->script, binder->diagnostics);
    if (!evs_bind_check_overrides(binder)) {
        return EVS_E_USAGE;
    }
    evs_bind_settings(binder);
    if (binder->is_usage_error) {
        return EVS_E_USAGE;
    }
    evs_bind_queries(binder);
    evs_bind_rest(binder);
    evs_bind_sink_rels(binder);
    check_query(binder);
    if (binder->is_usage_error) {
        return EVS_E_USAGE;
    }
    if (evs_diagnostics_errors(binder->diagnostics) > 0) {
        return EVS_E_PIPELINE;
    }
    evs_bind_warn_unused(binder);
    return evs_plan_build(binder, plan) ? EVS_OK : EVS_E_PIPELINE;
}

evs_status evs_compile(const struct evs_compile_options *options, struct evs_diagnostics *diagnostics,
                       const struct evs_plan **plan, struct evs_error *error)
{
    EVS_ASSERT(options->registry != NULL && options->texts != NULL);
    struct evs_script script;
    evs_script_init(&script);
    evs_status status = evs_script_load(&script, options->texts, options->file, diagnostics, error);
    if (status != EVS_OK && status != EVS_E_PIPELINE) {
        evs_script_fini(&script);
        return EVS_E_USAGE;
    }
    struct compiled *compiled = evs_alloc_zero(sizeof *compiled);
    struct evs_binder binder;
    init_binder(&binder, compiled, options, &script, diagnostics, error);
    evs_status bound = bind(&binder, &compiled->plan);
    status = status == EVS_OK || bound == EVS_E_USAGE ? bound : status;
    fini_binder(&binder);
    evs_script_fini(&script);
    if (status != EVS_OK) {
        evs_plan_free(&compiled->plan);
        return status;
    }
    *plan = &compiled->plan;
    return EVS_OK;
}

void evs_plan_free(const struct evs_plan *plan)
{
    if (plan != NULL) {
        struct compiled *compiled = (struct compiled *)plan;
        struct evs_arena arena = compiled->arena;
        evs_free(compiled);
        evs_arena_fini(&arena);
    }
}
