/* Metrics as text: the catalog of all of them, and the writer of the two formats that scrapers ask for.
 *
 *   Prometheus  text exposition format 0.0.4
 *   OpenMetrics 1.0.0 (openmetrics.io): counters are families without `_total`, units are named, `# EOF` ends it
 *
 * A page is written family by family, in the order of the catalog:
 *
 *   evs_exposition_begin(&page, &buffer, format);
 *   evs_exposition_value(&page, EVS_METRIC_SOURCE_EVENTS, labels, 4711);    … the head of a family is written with its first value
 *   evs_exposition_end(&page); */
#ifndef EVS_METRICS_H
#define EVS_METRICS_H

#include "evstream/memory.h"
#include "evstream/os.h"

enum evs_metric_type { EVS_METRIC_COUNTER, EVS_METRIC_GAUGE, EVS_METRIC_HISTOGRAM };

enum evs_metric_id {
#define EVS_METRIC(id, type, name, unit, help, ...) EVS_METRIC_##id,
#include "catalog.def"
#undef EVS_METRIC
    EVS_METRIC_COUNT
};

#define EVS_METRIC_LABELS_MAX 4u

struct evs_metric {
    enum evs_metric_type type;
    const char *name; /* without the _total of counters */
    const char *unit; /* "" when it counts things */
    const char *help;
    const char *labels[EVS_METRIC_LABELS_MAX]; /* their names, NULL behind the last */
};

const struct evs_metric *evs_metric(enum evs_metric_id id);
const char *evs_metric_type_name(enum evs_metric_type type); /* "counter", … */

enum evs_exposition_format { EVS_EXPOSITION_PROMETHEUS, EVS_EXPOSITION_OPENMETRICS };

struct evs_exposition {
    struct evs_buffer *out;
    enum evs_exposition_format format;
    enum evs_metric_id family; /* the one under way; EVS_METRIC_COUNT: none yet */
};

/* The format that an Accept header asks for; NULL: none was sent. */
enum evs_exposition_format evs_exposition_accepted(const char *accept);
const char *evs_exposition_content_type(enum evs_exposition_format format);

void evs_exposition_begin(struct evs_exposition *page, struct evs_buffer *out, enum evs_exposition_format format);
/* `labels` are the values, one for each label of the metric. Families come in the order of the catalog. */
void evs_exposition_value(struct evs_exposition *page, enum evs_metric_id id, const char *const *labels, double value);
/* `counts` are those of each bucket alone; there is one more than `bounds`. Bounds and sum are in the metric's unit. */
void evs_exposition_histogram(struct evs_exposition *page, enum evs_metric_id id, const char *const *labels,
                              const double *bounds, uint32_t bound_count, const uint64_t *counts, double sum);
/* The families of the process itself, which stand at the end of the catalog. `scrapes`: answers before this one. */
void evs_exposition_process(struct evs_exposition *page, const struct evs_log *log, int64_t started_wall_us,
                            uint64_t scrapes);
void evs_exposition_end(struct evs_exposition *page);

#endif
