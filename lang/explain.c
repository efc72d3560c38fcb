/* The plan for people (evstream explain) and for programs (--format json). Reads the plan alone, so that it tells what would run. */
#include "compile.h"

#include <inttypes.h>
#include <string.h>

/* --- what both forms tell ----------------------------------------------------------------------------------------------------- */

static const char *kind_word(const struct evs_plan_node *node)
{
    static const char *const words[] = {[EVS_NODE_SOURCE] = "source",
                                        [EVS_NODE_OPERATOR] = "operator",
                                        [EVS_NODE_EXCHANGE] = "exchange",
                                        [EVS_NODE_SINK] = "sink"};
    return words[node->kind];
}

static const char *delivery_word(const struct evs_plan_sink *sink)
{
    if (sink->connector->shape == EVS_SINK_BYTES) {
        return "with the commit's position";
    }
    return sink->exact ? "exact" : "fast";
}

static void put_delivery_reason(struct evs_buffer *out, const struct evs_plan_node *node)
{
    if (node->sink->connector->promise != NULL) {
        evs_buffer_puts(out, node->sink->connector->promise);
    } else if (node->sink->connector->shape == EVS_SINK_BYTES) {
        evs_buffer_puts(out, "a restart cuts the output back to the last commit and writes on from there");
    } else if (node->sink->connector->always_exact) {
        evs_buffer_puts(out, "the connector takes rows only from a commit");
    } else if (node->replay_stable) {
        evs_buffer_puts(out, "a replay gives the same rows under the same ids");
    } else {
        evs_buffer_printf(out, "a replay may give other rows, because of %s", node->unstable_because);
    }
}

/* --- text ----------------------------------------------------------------------------------------------------------------------- */

static void put_columns(struct evs_buffer *out, const struct evs_schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct evs_field *field = &schema->fields[i];
        evs_buffer_printf(out, "%s%s ", i > 0 ? ", " : "", field->name);
        evs_type_name(field->type, out);
        evs_buffer_puts(out, field->nullable ? "" : " not null");
    }
    evs_buffer_puts(out, schema->count == 0 ? "none" : "");
}

static bool schemas_equal(const struct evs_schema *left, const struct evs_schema *right)
{
    bool is_equal = left->count == right->count;
    for (uint32_t i = 0; is_equal && i < left->count; i++) {
        const struct evs_field *a = &left->fields[i], *b = &right->fields[i];
        is_equal = strcmp(a->name, b->name) == 0 && a->nullable == b->nullable && evs_type_equal(a->type, b->type);
    }
    return is_equal;
}

/* Whether the rows look as those of the only input. */
static bool has_columns_of_input(const struct evs_plan *plan, uint32_t node)
{
    const struct evs_plan_edge *only = NULL;
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        if (plan->edges[i].to == node) {
            if (only != NULL) {
                return false;
            }
            only = &plan->edges[i];
        }
    }
    return only != NULL && plan->nodes[node].kind != EVS_NODE_SINK &&
           schemas_equal(evs_plan_schema(&plan->nodes[only->from], only->output), &plan->nodes[node].schema);
}

static void put_inputs(struct evs_buffer *out, const struct evs_plan *plan, uint32_t node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &plan->edges[i];
        if (edge->to != node) {
            continue;
        }
        const struct evs_plan_node *from = &plan->nodes[edge->from];
        evs_buffer_printf(out, "%s%s", count++ > 0 ? ", " : "    from     ", from->name);
        if (edge->output > 0) {
            evs_buffer_printf(out, " (%s)", from->sides[edge->output - 1].name);
        }
    }
    evs_buffer_puts(out, count > 0 ? "\n" : "");
}

/* '$.properties.price'; a path of one step is the column's own field. */
static void put_path(struct evs_buffer *out, const struct evs_decode_column *column)
{
    evs_buffer_puts(out, "$");
    for (uint32_t i = 0; i < column->path_count; i++) {
        evs_buffer_printf(out, ".%s", column->path[i]);
    }
}

/* What is decoded of an event: what no query uses is skipped unread. */
static void put_fields(struct evs_buffer *out, const struct evs_plan_source *source)
{
    evs_buffer_printf(out, "    reads    %u field%s of each event", source->column_count,
                      source->column_count == 1 ? "" : "s");
    uint32_t count = 0;
    for (uint32_t i = 0; i < source->column_count; i++) {
        const struct evs_decode_column *column = &source->columns[i];
        if (column->path_count == 1 && strcmp(column->path[0], column->name) == 0) {
            continue;
        }
        evs_buffer_printf(out, "%s%s from ", count++ == 0 ? ": " : ", ", column->name);
        put_path(out, column);
    }
    evs_buffer_puts(out, "\n");
}

static void put_source(struct evs_buffer *out, const struct evs_plan *plan, const struct evs_plan_node *node)
{
    const struct evs_plan_source *source = node->source;
    put_fields(out, source);
    if (source->connector->bounded) {
        evs_buffer_puts(out, "    ends     the input is bounded\n");
    }
    if (node->dead_letter > 0) {
        evs_buffer_printf(out, "    dead     rows go to %s\n", plan->nodes[node->dead_letter - 1].name);
    } else {
        evs_buffer_printf(out, "    dead     %s\n",
                          source->fail_on_error ? "a bad row stops the pipeline" : "rows are counted, and lost");
    }
}

static void put_node(struct evs_buffer *out, const struct evs_plan *plan, uint32_t index)
{
    const struct evs_plan_node *node = &plan->nodes[index];
    evs_buffer_printf(out, "\n%s  %s\n", node->name, node->label);
    put_inputs(out, plan, index);
    evs_buffer_puts(out, "    columns  ");
    if (has_columns_of_input(plan, index)) {
        evs_buffer_puts(out, "the same");
    } else {
        put_columns(out, &node->schema);
    }
    evs_buffer_puts(out, "\n");
    if (node->source != NULL) {
        put_source(out, plan, node);
    }
    if (node->state_bound != NULL) {
        evs_buffer_printf(out, "    state    %016" PRIx64 ", bounded: %s\n", node->state_identity, node->state_bound);
    }
    if (node->sink != NULL) {
        evs_buffer_printf(out, "    delivery %s: ", delivery_word(node->sink));
        put_delivery_reason(out, node);
        evs_buffer_puts(out, "\n");
    }
}

void evs_explain_text(const struct evs_plan *plan, struct evs_buffer *out)
{
    evs_buffer_printf(out, "pipeline %s\n", plan->pipeline);
    if (plan->checkpoint_interval_us != 0) {
        evs_buffer_printf(out, "    checkpoint every %" PRId64 " ms\n", plan->checkpoint_interval_us / 1000);
    }
    if (plan->parallelism != 0) {
        evs_buffer_printf(out, "    workers %u\n", plan->parallelism);
    }
    if (plan->groups != 0 || plan->groups_max > 1) {
        evs_buffer_printf(out, "    groups %u, of at most %u\n", plan->groups == 0 ? 1 : plan->groups,
                          plan->groups_max);
    }
    if (plan->only_files) {
        evs_buffer_puts(out, "    only files: no server is needed, state is in memory\n");
    }
    for (uint32_t i = 0; i < plan->node_count; i++) {
        put_node(out, plan, i);
    }
}

/* --- JSON ------------------------------------------------------------------------------------------------------------------------- */

static void json_string(struct evs_buffer *out, const char *text)
{
    evs_buffer_puts(out, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            evs_buffer_printf(out, "\\%c", c);
        } else if (c < 0x20) {
            evs_buffer_printf(out, "\\u%04x", c);
        } else {
            evs_buffer_put(out, text, 1);
        }
    }
    evs_buffer_puts(out, "\"");
}

static void json_member(struct evs_buffer *out, const char *name, const char *value)
{
    evs_buffer_printf(out, ",\"%s\":", name);
    json_string(out, value);
}

static void json_columns(struct evs_buffer *out, const struct evs_schema *schema)
{
    evs_buffer_puts(out, ",\"columns\":[");
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct evs_field *field = &schema->fields[i];
        evs_buffer_puts(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        json_string(out, field->name);
        struct evs_buffer type = {0};
        evs_type_name(field->type, &type);
        evs_buffer_put(&type, "", 1);
        json_member(out, "type", type.data);
        evs_buffer_fini(&type);
        evs_buffer_printf(out, ",\"nullable\":%s}", field->nullable ? "true" : "false");
    }
    evs_buffer_puts(out, "]");
}

static void json_keys(struct evs_buffer *out, const struct evs_plan_node *node)
{
    evs_buffer_printf(out, ",\"gather\":%s,\"broadcast\":%s,\"keys\":[", node->exchange->gather ? "true" : "false",
                      node->exchange->broadcast ? "true" : "false");
    for (uint32_t i = 0; i < node->exchange->column_count; i++) {
        evs_buffer_puts(out, i > 0 ? "," : "");
        json_string(out, node->schema.fields[node->exchange->columns[i]].name);
    }
    evs_buffer_puts(out, "]");
}

static void json_sink(struct evs_buffer *out, const struct evs_plan_node *node)
{
    struct evs_buffer reason = {0};
    put_delivery_reason(&reason, node);
    evs_buffer_puts(&reason, "");
    json_member(out, "delivery", delivery_word(node->sink));
    evs_buffer_put(&reason, "", 1);
    json_member(out, "because", reason.data);
    evs_buffer_printf(out, ",\"dead_letter\":%s,\"replay_stable\":%s", node->sink->is_dead_letter ? "true" : "false",
                      node->replay_stable ? "true" : "false");
    evs_buffer_fini(&reason);
}

static void json_node(struct evs_buffer *out, const struct evs_plan *plan, const struct evs_plan_node *node)
{
    evs_buffer_puts(out, "{\"name\":");
    json_string(out, node->name);
    json_member(out, "kind", kind_word(node));
    if (node->operator_ != NULL) {
        json_member(out, "operator", node->operator_->kind);
    }
    json_member(out, "label", node->label);
    if (node->place.file != NULL) {
        json_member(out, "file", node->place.file);
        evs_buffer_printf(out, ",\"line\":%u", node->place.line);
    }
    json_columns(out, &node->schema);
    if (node->exchange != NULL) {
        json_keys(out, node);
    }
    if (node->source != NULL) {
        evs_buffer_printf(out, ",\"bounded\":%s", node->source->connector->bounded ? "true" : "false");
        if (node->dead_letter > 0) {
            json_member(out, "dead_letter", plan->nodes[node->dead_letter - 1].name);
        }
    }
    if (node->state_bound != NULL) {
        evs_buffer_printf(out, ",\"state\":\"%016" PRIx64 "\"", node->state_identity);
        json_member(out, "bounded_by", node->state_bound);
    }
    if (node->sink != NULL) {
        json_sink(out, node);
    }
    evs_buffer_puts(out, "}");
}

void evs_explain_json(const struct evs_plan *plan, struct evs_buffer *out)
{
    evs_buffer_puts(out, "{\"pipeline\":");
    json_string(out, plan->pipeline);
    evs_buffer_printf(out, ",\"hash\":\"%016" PRIx64 "\",\"only_files\":%s,\"nodes\":[", plan->hash,
                      plan->only_files ? "true" : "false");
    for (uint32_t i = 0; i < plan->node_count; i++) {
        evs_buffer_puts(out, i > 0 ? ",\n  " : "\n  ");
        json_node(out, plan, &plan->nodes[i]);
    }
    evs_buffer_puts(out, "\n],\"edges\":[");
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &plan->edges[i];
        evs_buffer_puts(out, i > 0 ? ",\n  {\"from\":" : "\n  {\"from\":");
        json_string(out, plan->nodes[edge->from].name);
        evs_buffer_printf(out, ",\"output\":%u", edge->output);
        json_member(out, "to", plan->nodes[edge->to].name);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "\n]}\n");
}
