#include "compile_fakes.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

/* --- connectors --------------------------------------------------------------------------------------------------------------- */

static evs_status configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                            struct evs_error *error)
{
    (void)arena;
    *config = values;
    if (values[0].text.count == 0) { /* what a connector may refuse only as a whole */
        return evs_fail(error, EVS_E_PIPELINE, "An empty `%s` names nothing.", values[0].option->name);
    }
    return EVS_OK;
}

static const struct evs_option file_options[] = {
    {.name = "path", .kind = EVS_OPTION_STRING, .required = true, .help = "The file."},
    {0},
};
static const struct evs_option live_options[] = {
    {.name = "stream", .kind = EVS_OPTION_STRING, .required = true, .help = "The stream."},
    {.name = "partitions", .kind = EVS_OPTION_INT, .fallback = "1", .min = 1, .max = 64, .help = "How many."},
    {.name = "wait", .kind = EVS_OPTION_DURATION, .fallback = "1s", .help = "How long."},
    {.name = "password", .kind = EVS_OPTION_STRING, .secret = true, .help = "Nobody sees it."},
    {0},
};
static const struct evs_source file_source = {
    .kind = "file", .bounded = true, .options = file_options, .configure = configure};
static const struct evs_source live_source = {
    .kind = "live", .durable = true, .options = live_options, .configure = configure};

static const struct evs_option bus_options[] = {
    {.name = "subject", .kind = EVS_OPTION_TEMPLATE, .required = true, .help = "Where to."},
    {0},
};
static const struct evs_option log_options[] = {
    {.name = "key", .kind = EVS_OPTION_STRING, .required = true, .help = "The stream."},
    {0},
};
static const struct evs_sink file_sink = {
    .kind = "file", .shape = EVS_SINK_BYTES, .single = true, .options = file_options, .configure = configure};
static const struct evs_sink bus_sink = {.kind = "bus",
                                         .shape = EVS_SINK_MESSAGES,
                                         .options = bus_options,
                                         .address_option = "subject",
                                         .configure = configure};
static const struct evs_sink log_sink = {.kind = "log",
                                         .shape = EVS_SINK_MESSAGES,
                                         .single = true,
                                         .always_exact = true,
                                         .options = log_options,
                                         .configure = configure};

static const struct evs_option envelope_options[] = {
    {.name = "type", .kind = EVS_OPTION_STRING, .required = true, .help = "What happened."},
    {0},
};
static const struct evs_decode_format json_decode = {.kind = "json"};
static const struct evs_format json_format = {.kind = "json"},
                               envelope_format = {.kind = "envelope", .options = envelope_options};

static const struct evs_source *const sources[] = {&file_source, &live_source, NULL};
static const struct evs_sink *const sinks[] = {&file_sink, &bus_sink, &log_sink, NULL};
static const struct evs_decode_format *const decode_formats[] = {&json_decode, NULL};
static const struct evs_format *const formats[] = {&json_format, &envelope_format, NULL};

static evs_status table_configure(const struct evs_option_value *values, const struct evs_lookup_columns *columns,
                                  struct evs_arena *arena, const void **config, struct evs_error *error)
{
    (void)values, (void)columns, (void)error;
    *config = evs_arena_strndup(arena, "table", 5);
    return EVS_OK;
}
static const struct evs_option table_options[] = {
    {.name = "key", .kind = EVS_OPTION_STRING, .required = true, .help = "the key"}, {0}};
static const struct evs_lookup table_redis = {
    .kind = "redis", .options = table_options, .key_option = "key", .configure = table_configure};
static const struct evs_lookup *const tables[] = {&table_redis, NULL};

const struct evs_registry compile_registry = {
    .sources = sources,
    .sinks = sinks,
    .tables = tables,
    .decode_formats = decode_formats,
    .formats = formats,
    .print_connector = "file",
    .print_argument = "-",
};

/* --- compiling ---------------------------------------------------------------------------------------------------------------- */

struct attempt attempt_compile(const char *text, const struct evs_compile_options *with)
{
    char folder[] = "/tmp/evstream-compile-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/pipeline.evs", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);

    struct attempt attempt = {.texts = evs_sources_new()};
    attempt.diagnostics = evs_diagnostics_new(attempt.texts);
    struct evs_compile_options options = with != NULL ? *with : (struct evs_compile_options){0};
    options.file = path;
    options.texts = attempt.texts;
    options.registry = &compile_registry;
    attempt.status = evs_compile(&options, attempt.diagnostics, &attempt.plan, &attempt.error);
    unit_remove_folder(folder);
    return attempt;
}

void attempt_end(struct attempt *attempt)
{
    evs_plan_free(attempt->plan);
    evs_diagnostics_free(attempt->diagnostics);
    evs_sources_free(attempt->texts);
    *attempt = (struct attempt){0};
}

/* --- looking ------------------------------------------------------------------------------------------------------------------- */

const char *attempt_codes(const struct attempt *attempt, char *out, size_t bytes)
{
    out[0] = '\0';
    for (uint32_t i = 0; i < evs_diagnostics_count(attempt->diagnostics); i++) {
        size_t used = strlen(out);
        struct evs_diag_view view = evs_diagnostics_at(attempt->diagnostics, i);
        snprintf(out + used, bytes - used, "%s%s", used > 0 ? " " : "", evs_code_info(view.code)->name);
    }
    return out;
}

static void put_inputs(struct evs_buffer *out, const struct evs_plan *plan, uint32_t node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &plan->edges[i];
        if (edge->to == node) {
            evs_buffer_printf(out, "%s%s", count++ > 0 ? "," : "<", plan->nodes[edge->from].name);
            evs_buffer_puts(out, edge->output > 0 ? ":1" : "");
        }
    }
}

const char *attempt_shape(const struct attempt *attempt, char *out, size_t bytes)
{
    ck_assert_ptr_nonnull(attempt->plan);
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i < attempt->plan->node_count; i++) {
        const struct evs_plan_node *node = &attempt->plan->nodes[i];
        evs_buffer_printf(&text, "%s(", node->name);
        for (uint32_t c = 0; c < node->schema.count; c++) {
            evs_buffer_printf(&text, "%s%s", c > 0 ? "," : "", node->schema.fields[c].name);
        }
        evs_buffer_puts(&text, ")");
        put_inputs(&text, attempt->plan, i);
        bool is_plain =
            node->operator_ == NULL || strcmp(node->label, "keep columns") == 0 || node->state_identity != 0;
        evs_buffer_printf(&text, "%s%s\n", is_plain ? "" : " ", is_plain ? "" : node->label);
    }
    evs_buffer_put(&text, "", 1);
    ck_assert_uint_lt(text.count, bytes);
    memcpy(out, text.data, text.count);
    evs_buffer_fini(&text);
    return out;
}

const struct evs_plan_node *attempt_node(const struct attempt *attempt, const char *name)
{
    ck_assert_ptr_nonnull(attempt->plan);
    for (uint32_t i = 0; i < attempt->plan->node_count; i++) {
        if (strcmp(attempt->plan->nodes[i].name, name) == 0) {
            return &attempt->plan->nodes[i];
        }
    }
    ck_abort_msg("the plan has no node %s", name);
}

const struct evs_plan_node *attempt_aggregate(const struct attempt *attempt)
{
    ck_assert_ptr_nonnull(attempt->plan);
    const struct evs_plan_node *found = NULL;
    for (uint32_t i = 0; i < attempt->plan->node_count; i++) {
        if (attempt->plan->nodes[i].state_identity != 0) {
            ck_assert_ptr_null(found);
            found = &attempt->plan->nodes[i];
        }
    }
    ck_assert_ptr_nonnull(found);
    return found;
}

uint32_t attempt_count(const struct attempt *attempt, const char *operator_kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < attempt->plan->node_count; i++) {
        const struct evs_operator *op = attempt->plan->nodes[i].operator_;
        count += op != NULL && strcmp(op->kind, operator_kind) == 0;
    }
    return count;
}
