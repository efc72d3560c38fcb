/* The catalog as a table, and the text formats of metrics (metrics.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "metrics.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53: whole numbers up to here are printed with all their digits */

static const struct evs_metric metrics[EVS_METRIC_COUNT] = {
#define EVS_METRIC(id, type, name, unit, help, ...)                                                                    \
    [EVS_METRIC_##id] = {EVS_METRIC_##type, name, unit, help, {__VA_ARGS__}},
#include "catalog.def"
#undef EVS_METRIC
};

const struct evs_metric *evs_metric(enum evs_metric_id id)
{
    EVS_ASSERT(id < EVS_METRIC_COUNT);
    return &metrics[id];
}

const char *evs_metric_type_name(enum evs_metric_type type)
{
    static const char *const names[] = {"counter", "gauge", "histogram"};
    EVS_ASSERT(type < EVS_COUNT(names));
    return names[type];
}

/* --- which format ------------------------------------------------------------------------------------------------------ */

enum evs_exposition_format evs_exposition_accepted(const char *accept)
{
    bool is_open = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
    return is_open ? EVS_EXPOSITION_OPENMETRICS : EVS_EXPOSITION_PROMETHEUS;
}

const char *evs_exposition_content_type(enum evs_exposition_format format)
{
    return format == EVS_EXPOSITION_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                                : "text/plain; version=0.0.4; charset=utf-8";
}

/* --- heads --------------------------------------------------------------------------------------------------------------- */

static bool is_open(const struct evs_exposition *page)
{
    return page->format == EVS_EXPOSITION_OPENMETRICS;
}

/* The name in the family's head: Prometheus names a counter as it is in the samples. */
static void put_family_name(const struct evs_exposition *page, const struct evs_metric *metric)
{
    evs_buffer_puts(page->out, metric->name);
    if (metric->type == EVS_METRIC_COUNTER && !is_open(page)) {
        evs_buffer_puts(page->out, "_total");
    }
}

static void put_head(struct evs_exposition *page, enum evs_metric_id id)
{
    const struct evs_metric *metric = evs_metric(id);
    evs_buffer_puts(page->out, "# TYPE ");
    put_family_name(page, metric);
    evs_buffer_printf(page->out, " %s\n", evs_metric_type_name(metric->type));
    if (is_open(page) && metric->unit[0] != '\0') {
        evs_buffer_printf(page->out, "# UNIT %s %s\n", metric->name, metric->unit);
    }
    evs_buffer_puts(page->out, "# HELP ");
    put_family_name(page, metric);
    evs_buffer_printf(page->out, " %s\n", metric->help);
}

static void enter_family(struct evs_exposition *page, enum evs_metric_id id)
{
    EVS_ASSERT(page->family == EVS_METRIC_COUNT || page->family <= id);
    if (page->family != id) {
        page->family = id;
        put_head(page, id);
    }
}

/* --- samples -------------------------------------------------------------------------------------------------------------- */

static void put_label_value(struct evs_buffer *out, const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n') {
            evs_buffer_puts(out, "\\n");
            continue;
        }
        if (*c == '"' || *c == '\\') {
            evs_buffer_put(out, "\\", 1);
        }
        evs_buffer_put(out, c, 1);
    }
}

/* `le` is a histogram's own label; NULL: none. */
static void put_labels(struct evs_buffer *out, const struct evs_metric *metric, const char *const *values,
                       const char *le)
{
    const char *before = "{";
    for (uint32_t i = 0; i < EVS_METRIC_LABELS_MAX && metric->labels[i] != NULL; i++) {
        evs_buffer_printf(out, "%s%s=\"", before, metric->labels[i]);
        put_label_value(out, values[i]);
        evs_buffer_puts(out, "\"");
        before = ",";
    }
    if (le != NULL) {
        evs_buffer_printf(out, "%sle=\"%s\"", before, le);
        before = ",";
    }
    if (before[0] == ',') {
        evs_buffer_puts(out, "}");
    }
}

/* Shortest text that reads back the same: a scraper shall not see 0.30000000000000004. */
static void format_number(char text[32], double value)
{
    if (isinf(value)) {
        snprintf(text, 32, "%s", value > 0 ? "+Inf" : "-Inf");
    } else if (value == floor(value) && fabs(value) < EXACT_MAX) {
        snprintf(text, 32, "%.0f", value);
    } else {
        int digits = 6;
        double read = 0;
        do {
            snprintf(text, 32, "%.*g", digits, value);
        } while (sscanf(text, "%lf", &read) == 1 && read != value && digits++ < 17);
    }
}

static void put_sample(struct evs_exposition *page, const struct evs_metric *metric, const char *suffix,
                       const char *const *labels, const char *le, double value)
{
    char text[32];
    format_number(text, value);
    evs_buffer_printf(page->out, "%s%s", metric->name, suffix);
    put_labels(page->out, metric, labels, le);
    evs_buffer_printf(page->out, " %s\n", text);
}

void evs_exposition_begin(struct evs_exposition *page, struct evs_buffer *out, enum evs_exposition_format format)
{
    *page = (struct evs_exposition){.out = out, .format = format, .family = EVS_METRIC_COUNT};
}

void evs_exposition_value(struct evs_exposition *page, enum evs_metric_id id, const char *const *labels, double value)
{
    const struct evs_metric *metric = evs_metric(id);
    EVS_ASSERT(metric->type != EVS_METRIC_HISTOGRAM && !isnan(value));
    enter_family(page, id);
    put_sample(page, metric, metric->type == EVS_METRIC_COUNTER ? "_total" : "", labels, NULL, value);
}

void evs_exposition_histogram(struct evs_exposition *page, enum evs_metric_id id, const char *const *labels,
                              const double *bounds, uint32_t bound_count, const uint64_t *counts, double sum)
{
    const struct evs_metric *metric = evs_metric(id);
    EVS_ASSERT(metric->type == EVS_METRIC_HISTOGRAM);
    enter_family(page, id);
    uint64_t total = 0;
    for (uint32_t i = 0; i <= bound_count; i++) {
        char bound[32] = "+Inf";
        if (i < bound_count) {
            format_number(bound, bounds[i]);
            strcat(bound, is_open(page) && strpbrk(bound, ".e") == NULL ? ".0" : ""); /* a float's canonical form */
        }
        total += counts[i];
        put_sample(page, metric, "_bucket", labels, bound, (double)total);
    }
    put_sample(page, metric, "_sum", labels, NULL, sum);
    put_sample(page, metric, "_count", labels, NULL, (double)total);
}

void evs_exposition_end(struct evs_exposition *page)
{
    if (is_open(page)) {
        evs_buffer_puts(page->out, "# EOF\n");
    }
}
