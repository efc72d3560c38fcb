/* evs_metrics_pages: the pages that are made of the tables, so that none can differ from what the program shows.
 *
 *   evs_metrics_pages names       a line a family: name, type, labels
 *   evs_metrics_pages metrics     the table of docs/operations/metrics.md
 *   evs_metrics_pages alerts      the sections of docs/operations/alerts.md
 *   evs_metrics_pages rules       docs/operations/alerts.yaml, for Prometheus
 *   evs_metrics_pages panels      the dashboard's expressions as recording rules, to be checked
 *   evs_metrics_pages dashboard   docs/operations/dashboard.json, for Grafana */
#include <stdio.h>
#include <string.h>

#include "evstream/json_value.h"
#include "metrics.h"

static const struct alert {
    const char *name, *severity, *hold, *expression, *summary, *action;
} alerts[] = {
#define EVS_ALERT(name, severity, hold, expression, summary, action)                                                   \
    {#name, #severity, hold, expression, summary, action},
#include "alerts.def"
#undef EVS_ALERT
};

static const struct panel {
    const char *row, *title, *unit, *expression, *legend;
} panels[] = {
#define EVS_PANEL(row, title, unit, expression, legend) {row, title, unit, expression, legend},
#include "panels.def"
#undef EVS_PANEL
};

static const char *sample_suffix(const struct evs_metric *metric)
{
    return metric->type == EVS_METRIC_COUNTER ? "_total" : "";
}

static void put_labels(const struct evs_metric *metric, const char *quote)
{
    for (uint32_t i = 0; i < EVS_METRIC_LABELS_MAX && metric->labels[i] != NULL; i++) {
        printf("%s%s%s%s", i == 0 ? "" : quote[0] != '\0' ? ", " : ",", quote, metric->labels[i], quote);
    }
}

static void print_names(void)
{
    for (uint32_t i = 0; i < EVS_METRIC_COUNT; i++) {
        const struct evs_metric *metric = evs_metric(i);
        printf("%s%s %s ", metric->name, sample_suffix(metric), evs_metric_type_name(metric->type));
        put_labels(metric, "");
        printf("\n");
    }
}

static void print_metrics(void)
{
    printf("| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for (uint32_t i = 0; i < EVS_METRIC_COUNT; i++) {
        const struct evs_metric *metric = evs_metric(i);
        printf("| `%s%s` | %s | ", metric->name, sample_suffix(metric), evs_metric_type_name(metric->type));
        put_labels(metric, "`");
        printf(" | %s |\n", metric->help);
    }
}

static void print_alerts(void)
{
    for (size_t i = 0; i < EVS_COUNT(alerts); i++) {
        const struct alert *alert = &alerts[i];
        printf("### %s\n\n%s, when it holds for %s: `%s`\n\n%s\n\n", alert->name, alert->severity, alert->hold,
               alert->expression, alert->action);
    }
}

/* A single-quoted scalar of YAML. */
static void put_yaml(const char *text)
{
    putchar('\'');
    for (const char *c = text; *c != '\0'; c++) {
        printf(*c == '\'' ? "''" : "%c", *c);
    }
    putchar('\'');
}

static void put_yaml_line(const char *key, const char *text)
{
    printf("%s: ", key);
    put_yaml(text);
    printf("\n");
}

static void print_rules(void)
{
    printf("# Alert rules of evstream for Prometheus; scrape it under the job name `evstream`. What to do: "
           "docs/operations/alerts.md.\n");
    printf("# Made of metrics/alerts.def by `tests/live/run --update`.\ngroups:\n  - name: evstream\n    rules:\n");
    for (size_t i = 0; i < EVS_COUNT(alerts); i++) {
        const struct alert *alert = &alerts[i];
        printf("      - alert: %s\n", alert->name);
        put_yaml_line("        expr", alert->expression);
        printf("        for: %s\n        labels:\n          severity: %s\n        annotations:\n", alert->hold,
               alert->severity);
        put_yaml_line("          summary", alert->summary);
        put_yaml_line("          description", alert->action);
    }
}

/* Grafana's own variables are no PromQL. */
static void put_panel_rule(const struct panel *panel)
{
    static const char interval[] = "$__rate_interval", pipeline[] = "$pipeline";
    for (const char *c = panel->expression; *c != '\0';) {
        if (strncmp(c, interval, sizeof interval - 1) == 0) {
            printf("5m");
            c += sizeof interval - 1;
        } else if (strncmp(c, pipeline, sizeof pipeline - 1) == 0) {
            printf(".*");
            c += sizeof pipeline - 1;
        } else {
            printf(*c == '\'' ? "''" : "%c", *c);
            c++;
        }
    }
}

static void print_panels(void)
{
    printf("groups:\n  - name: panels\n    rules:\n");
    for (size_t i = 0; i < EVS_COUNT(panels); i++) {
        printf("      - record: panel:%zu\n        expr: '", i);
        put_panel_rule(&panels[i]);
        printf("'\n");
    }
}

/* --- the dashboard ----------------------------------------------------------------------------------------------------- */

#define PANEL_WIDTH 8 /* of 24 */
#define PANEL_HEIGHT 8

static void put_text(struct evs_buffer *out, const char *before, const char *key, const char *text)
{
    evs_buffer_printf(out, "%s\"%s\": ", before, key);
    evs_json_put_text(out, evs_slice_of(text));
}

static void put_place(struct evs_buffer *out, int x, int y, int width, int height)
{
    evs_buffer_printf(out, ",\n     \"gridPos\": {\"x\": %d, \"y\": %d, \"w\": %d, \"h\": %d}", x, y, width, height);
}

static void put_panel(struct evs_buffer *out, const struct panel *panel, int id, int x, int y)
{
    put_text(out, "    {", "title", panel->title);
    evs_buffer_printf(out, ", \"type\": \"timeseries\", \"id\": %d", id);
    put_place(out, x, y, PANEL_WIDTH, PANEL_HEIGHT);
    evs_buffer_puts(out, ",\n     \"datasource\": {\"type\": \"prometheus\", \"uid\": \"$datasource\"}");
    put_text(out, ",\n     \"fieldConfig\": {\"defaults\": {", "unit", panel->unit);
    evs_buffer_puts(out, ", \"min\": 0}, \"overrides\": []}");
    put_text(out, ",\n     \"targets\": [{\"refId\": \"A\", ", "expr", panel->expression);
    put_text(out, ", ", "legendFormat", panel->legend);
    evs_buffer_puts(out, "}]}");
}

static void put_row(struct evs_buffer *out, const char *title, int id, int y)
{
    put_text(out, "    {", "title", title);
    evs_buffer_printf(out, ", \"type\": \"row\", \"id\": %d, \"collapsed\": false, \"panels\": []", id);
    put_place(out, 0, y, 24, 1);
    evs_buffer_puts(out, "}");
}

static void put_all_panels(struct evs_buffer *out)
{
    const char *row = "";
    int id = 1, x = 0, y = 0;
    for (size_t i = 0; i < EVS_COUNT(panels); i++) {
        evs_buffer_puts(out, i == 0 ? "" : ",\n");
        if (strcmp(row, panels[i].row) != 0) {
            y += i == 0 ? 0 : PANEL_HEIGHT;
            row = panels[i].row;
            put_row(out, row, id++, y++);
            evs_buffer_puts(out, ",\n");
            x = 0;
        } else if (x == 24) {
            x = 0;
            y += PANEL_HEIGHT;
        }
        put_panel(out, &panels[i], id++, x, y);
        x += PANEL_WIDTH;
    }
}

static void print_dashboard(void)
{
    struct evs_buffer out = {0};
    evs_buffer_puts(&out, "{\n  \"title\": \"evstream\", \"uid\": \"evstream\", \"schemaVersion\": 36, \"editable\": "
                          "true, \"refresh\": \"10s\",\n"
                          "  \"time\": {\"from\": \"now-1h\", \"to\": \"now\"},\n"
                          "  \"templating\": {\"list\": [\n"
                          "    {\"name\": \"datasource\", \"type\": \"datasource\", \"query\": \"prometheus\"},\n"
                          "    {\"name\": \"pipeline\", \"type\": \"query\", \"multi\": true, \"includeAll\": true, "
                          "\"allValue\": \".*\",\n"
                          "     \"datasource\": {\"type\": \"prometheus\", \"uid\": \"$datasource\"},\n"
                          "     \"query\": \"label_values(evstream_pipeline_state, pipeline)\", \"refresh\": 2}]},\n"
                          "  \"panels\": [\n");
    put_all_panels(&out);
    evs_buffer_puts(&out, "\n  ]\n}\n");
    fwrite(out.data, 1, out.count, stdout);
    evs_buffer_fini(&out);
}

int main(int argc, char **argv)
{
    static const struct page {
        const char *name;
        void (*print)(void);
    } pages[] = {{"names", print_names}, {"metrics", print_metrics}, {"alerts", print_alerts},
                 {"rules", print_rules}, {"panels", print_panels},   {"dashboard", print_dashboard}};
    for (size_t i = 0; argc == 2 && i < EVS_COUNT(pages); i++) {
        if (strcmp(pages[i].name, argv[1]) == 0) {
            pages[i].print();
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    fprintf(stderr, "usage: evs_metrics_pages names|metrics|alerts|rules|panels|dashboard\n");
    return 2;
}
