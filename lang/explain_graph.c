/* The plan as a drawing: Graphviz's dot, and Mermaid for pages that draw it themselves. A node shows its name, what it does and what bounds its state; an
 * edge that leaves a side output shows which rows go there. Both forms tell the same, in two spellings. */
#include "compile.h"

#include <string.h>

#define LINE_COLUMNS 44u

struct spelling {
    const char *line_end;                                                 /* inside a label */
    void (*put_text)(struct evs_buffer *out, const char *, size_t count); /* escaped */
};

/* --- labels ------------------------------------------------------------------------------------------------------------------- */

static size_t width_of(const char *text, size_t count)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++) {
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return width;
}

/* Broken between words, where a line would be too long. */
static void put_lines(struct evs_buffer *out, const struct spelling *spelling, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t count = strcspn(text, " "), width = width_of(text, count);
        if (column > 0) {
            bool is_full = column + 1 + width > LINE_COLUMNS;
            evs_buffer_puts(out, is_full ? spelling->line_end : " ");
            column = is_full ? 0 : column + 1;
        }
        spelling->put_text(out, text, count);
        column += width;
        text += count;
        text += strspn(text, " ");
    }
}

static void put_label(struct evs_buffer *out, const struct spelling *spelling, const struct evs_plan_node *node)
{
    if (strncmp(node->label, node->name, strlen(node->name)) != 0) {
        put_lines(out, spelling, node->name);
        evs_buffer_puts(out, spelling->line_end);
    }
    put_lines(out, spelling, node->label);
    if (node->state_bound != NULL) {
        evs_buffer_puts(out, spelling->line_end);
        evs_buffer_puts(out, "state: ");
        put_lines(out, spelling, node->state_bound);
    }
    if (node->sink != NULL && node->sink->connector->shape != EVS_SINK_BYTES) {
        evs_buffer_puts(out, spelling->line_end);
        evs_buffer_puts(out, node->sink->exact ? "delivery: exact" : "delivery: fast");
    }
}

static const char *edge_label(const struct evs_plan *plan, const struct evs_plan_edge *edge)
{
    return edge->output > 0 ? plan->nodes[edge->from].sides[edge->output - 1].name : NULL;
}

/* --- dot ---------------------------------------------------------------------------------------------------------------------- */

static void put_dot_text(struct evs_buffer *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            evs_buffer_puts(out, "\\");
        }
        evs_buffer_put(out, text[i] == '\n' ? " " : text + i, 1);
    }
}

static const struct spelling dot = {"\\n", put_dot_text};

static const char *dot_shape(enum evs_node_kind kind)
{
    static const char *const shapes[] = {[EVS_NODE_SOURCE] = "cylinder",
                                         [EVS_NODE_OPERATOR] = "box",
                                         [EVS_NODE_EXCHANGE] = "hexagon",
                                         [EVS_NODE_SINK] = "cds"};
    return shapes[kind];
}

void evs_explain_dot(const struct evs_plan *plan, struct evs_buffer *out)
{
    evs_buffer_puts(out, "digraph \"");
    put_dot_text(out, plan->pipeline, strlen(plan->pipeline));
    evs_buffer_puts(out, "\" {\n    node [fontname=\"sans-serif\", fontsize=10];\n"
                         "    edge [fontname=\"sans-serif\", fontsize=9];\n");
    for (uint32_t i = 0; i < plan->node_count; i++) {
        evs_buffer_printf(out, "    n%u [shape=%s%s, label=\"", i, dot_shape(plan->nodes[i].kind),
                          plan->nodes[i].state_bound != NULL ? ", style=bold" : "");
        put_label(out, &dot, &plan->nodes[i]);
        evs_buffer_puts(out, "\"];\n");
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const char *label = edge_label(plan, &plan->edges[i]);
        evs_buffer_printf(out, "    n%u -> n%u", plan->edges[i].from, plan->edges[i].to);
        if (label != NULL) {
            evs_buffer_puts(out, " [style=dashed, label=\"");
            put_dot_text(out, label, strlen(label));
            evs_buffer_puts(out, "\"]");
        }
        evs_buffer_puts(out, ";\n");
    }
    evs_buffer_puts(out, "}\n");
}

/* --- Mermaid ------------------------------------------------------------------------------------------------------------------- */

/* Entities are written with # instead of &. Backticks would begin Markdown. */
static void put_mermaid_text(struct evs_buffer *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        switch (text[i]) {
        case '"':
            evs_buffer_puts(out, "#quot;");
            break;
        case '<':
            evs_buffer_puts(out, "#lt;");
            break;
        case '>':
            evs_buffer_puts(out, "#gt;");
            break;
        case '&':
            evs_buffer_puts(out, "#amp;");
            break;
        case '#':
            evs_buffer_puts(out, "#35;");
            break;
        case '`':
            evs_buffer_puts(out, "#96;");
            break;
        default:
            evs_buffer_put(out, text[i] == '\n' ? " " : text + i, 1);
        }
    }
}

static const struct spelling mermaid = {"<br/>", put_mermaid_text};

/* Round for what comes and goes, pointed for an exchange. */
static void put_mermaid_node(struct evs_buffer *out, const struct evs_plan_node *node, uint32_t number)
{
    static const char *const open[] = {[EVS_NODE_SOURCE] = "[(\"",
                                       [EVS_NODE_OPERATOR] = "[\"",
                                       [EVS_NODE_EXCHANGE] = "{{\"",
                                       [EVS_NODE_SINK] = "([\""};
    static const char *const close[] = {[EVS_NODE_SOURCE] = "\")]",
                                        [EVS_NODE_OPERATOR] = "\"]",
                                        [EVS_NODE_EXCHANGE] = "\"}}",
                                        [EVS_NODE_SINK] = "\"])"};
    evs_buffer_printf(out, "    n%u%s", number, open[node->kind]);
    put_label(out, &mermaid, node);
    evs_buffer_printf(out, "%s\n", close[node->kind]);
}

void evs_explain_mermaid(const struct evs_plan *plan, struct evs_buffer *out)
{
    evs_buffer_puts(out, "flowchart TD\n");
    for (uint32_t i = 0; i < plan->node_count; i++) {
        put_mermaid_node(out, &plan->nodes[i], i);
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const char *label = edge_label(plan, &plan->edges[i]);
        evs_buffer_printf(out, "    n%u ", plan->edges[i].from);
        if (label != NULL) {
            evs_buffer_puts(out, "-. \"");
            put_mermaid_text(out, label, strlen(label));
            evs_buffer_puts(out, "\" .->");
        } else {
            evs_buffer_puts(out, "-->");
        }
        evs_buffer_printf(out, " n%u\n", plan->edges[i].to);
    }
}
