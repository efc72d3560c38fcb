/* The page /metrics: figures of the runs under the names of the catalog. */
#include "board.h"
#include "evstream_config.h"
#include "metrics.h"
#include "otlp.h"

#include <string.h>

#define MICRO 1e6 /* figures are in µs, metrics in seconds */

/* What one node's sample is; false: it has none now. */
typedef bool value_of(const struct gallery *gallery, const struct evs_view_node *node, double *value);

static bool has_queue(const struct evs_view_node *node)
{
    return node->node->kind != EVS_NODE_SOURCE;
}

static bool watermark(const struct gallery *gallery, const struct evs_view_node *node, double *value)
{
    (void)gallery;
    int64_t us = node->figures[EVS_FIGURE_WATERMARK_US];
    *value = (double)us / MICRO;
    return us != EVS_TIME_MIN && us < EVS_TIME_CUT;
}

static bool watermark_delay(const struct gallery *gallery, const struct evs_view_node *node, double *value)
{
    bool is_known = watermark(gallery, node, value);
    *value = is_known ? (double)(gallery->wall_us - node->figures[EVS_FIGURE_WATERMARK_US]) / MICRO : 0;
    return is_known;
}

/* Nothing that waits has no age. A file's lines have no stored time. */
static bool lag(const struct gallery *gallery, const struct evs_view_node *node, double *value)
{
    int64_t newest_us = node->figures[EVS_FIGURE_INGESTED_US];
    bool is_behind = !node->figures[EVS_FIGURE_CAUGHT_UP] && newest_us != EVS_TIME_MIN && newest_us < gallery->wall_us;
    *value = is_behind ? (double)(gallery->wall_us - newest_us) / MICRO : 0.0;
    return node->figures[EVS_FIGURE_CAUGHT_UP] || newest_us != EVS_TIME_MIN;
}

static bool filtered(const struct gallery *gallery, const struct evs_view_node *node, double *value)
{
    (void)gallery;
    *value = (double)(node->figures[EVS_FIGURE_ROWS_IN] - node->figures[EVS_FIGURE_ROWS_OUT]);
    return node->node->operator_ != NULL && strcmp(node->node->operator_->kind, "where") == 0;
}

static bool queued(const struct gallery *gallery, const struct evs_view_node *node, double *value)
{
    (void)gallery;
    *value = (double)node->figures[EVS_FIGURE_QUEUED];
    return has_queue(node);
}

enum scope { SCOPE_SOURCE, SCOPE_OPERATOR, SCOPE_SINK };
enum meaning {
    ALWAYS,
    WHEN_STATEFUL,
    WHEN_IDENTITY,
    WHEN_TIMED, /* the watermark of others is that in front of them */
    WHEN_ASKED, /* sinks whose receivers answer requests */
};

/* In the order of the catalog. */
static const struct node_metric {
    enum evs_metric_id id;
    enum scope scope;
    enum evs_figure figure;
    double divisor;
    enum meaning meaning;
    value_of *value; /* NULL: the figure by the divisor */
} node_metrics[] = {
    {EVS_METRIC_SOURCE_EVENTS, SCOPE_SOURCE, EVS_FIGURE_ROWS_IN, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_MESSAGES, SCOPE_SOURCE, EVS_FIGURE_MESSAGES, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_BYTES, SCOPE_SOURCE, EVS_FIGURE_BYTES, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_LAG_MESSAGES, SCOPE_SOURCE, EVS_FIGURE_LAG_MESSAGES, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_LAG, SCOPE_SOURCE, EVS_FIGURE_INGESTED_US, 1, ALWAYS, lag},
    {EVS_METRIC_SOURCE_CAUGHT_UP, SCOPE_SOURCE, EVS_FIGURE_CAUGHT_UP, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_GAP, SCOPE_SOURCE, EVS_FIGURE_GAP_MESSAGES, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_LOST, SCOPE_SOURCE, EVS_FIGURE_LOST_MESSAGES, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_RECONNECTS, SCOPE_SOURCE, EVS_FIGURE_RECONNECTS, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_PARTITIONS, SCOPE_SOURCE, EVS_FIGURE_PARTITIONS, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_COLLECTORS, SCOPE_SOURCE, EVS_FIGURE_SENDERS, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_COLLECTORS_BEHIND, SCOPE_SOURCE, EVS_FIGURE_SENDERS_BEHIND, 1, ALWAYS, NULL},
    {EVS_METRIC_SOURCE_IDLE_PARTITIONS, SCOPE_SOURCE, EVS_FIGURE_IDLE_PARTITIONS, 1, ALWAYS, NULL},
    {EVS_METRIC_OPERATOR_ROWS_IN, SCOPE_OPERATOR, EVS_FIGURE_ROWS_IN, 1, ALWAYS, NULL},
    {EVS_METRIC_OPERATOR_ROWS_OUT, SCOPE_OPERATOR, EVS_FIGURE_ROWS_OUT, 1, ALWAYS, NULL},
    {EVS_METRIC_OPERATOR_BATCHES, SCOPE_OPERATOR, EVS_FIGURE_BATCHES_IN, 1, ALWAYS, NULL},
    {EVS_METRIC_OPERATOR_FILTERED, SCOPE_OPERATOR, EVS_FIGURE_ROWS_IN, 1, ALWAYS, filtered},
    {EVS_METRIC_OPERATOR_LATE, SCOPE_OPERATOR, EVS_FIGURE_LATE, 1, WHEN_STATEFUL, NULL},
    {EVS_METRIC_OPERATOR_LATE_WINDOWS, SCOPE_OPERATOR, EVS_FIGURE_LATE_WINDOWS, 1, WHEN_STATEFUL, NULL},
    {EVS_METRIC_OPERATOR_NULL_KEY, SCOPE_OPERATOR, EVS_FIGURE_NULL_KEY, 1, WHEN_STATEFUL, NULL},
    {EVS_METRIC_OPERATOR_LIMITED, SCOPE_OPERATOR, EVS_FIGURE_LIMITED, 1, WHEN_STATEFUL, NULL},
    {EVS_METRIC_OPERATOR_IDENTIFIED, SCOPE_OPERATOR, EVS_FIGURE_IDENTIFIED, 1, WHEN_IDENTITY, NULL},
    {EVS_METRIC_OPERATOR_MERGED, SCOPE_OPERATOR, EVS_FIGURE_MERGED, 1, WHEN_IDENTITY, NULL},
    {EVS_METRIC_OPERATOR_STATE_KEYS, SCOPE_OPERATOR, EVS_FIGURE_STATE_KEYS, 1, WHEN_STATEFUL, NULL},
    {EVS_METRIC_OPERATOR_OPEN_WINDOWS, SCOPE_OPERATOR, EVS_FIGURE_OPEN_WINDOWS, 1, WHEN_STATEFUL, NULL},
    {EVS_METRIC_OPERATOR_STATE_BYTES, SCOPE_OPERATOR, EVS_FIGURE_STATE_BYTES, 1, WHEN_STATEFUL, NULL},
    {EVS_METRIC_OPERATOR_BUSY, SCOPE_OPERATOR, EVS_FIGURE_BUSY_US, MICRO, ALWAYS, NULL},
    {EVS_METRIC_OPERATOR_BLOCKED, SCOPE_OPERATOR, EVS_FIGURE_BLOCKED_US, MICRO, ALWAYS, NULL},
    {EVS_METRIC_OPERATOR_QUEUED, SCOPE_OPERATOR, EVS_FIGURE_QUEUED, 1, ALWAYS, queued},
    {EVS_METRIC_OPERATOR_WATERMARK, SCOPE_OPERATOR, EVS_FIGURE_WATERMARK_US, MICRO, WHEN_TIMED, watermark},
    {EVS_METRIC_OPERATOR_WATERMARK_DELAY, SCOPE_OPERATOR, EVS_FIGURE_WATERMARK_US, MICRO, WHEN_TIMED, watermark_delay},
    {EVS_METRIC_SINK_ROWS, SCOPE_SINK, EVS_FIGURE_ROWS_OUT, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_ACKNOWLEDGED, SCOPE_SINK, EVS_FIGURE_ACKNOWLEDGED, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_WAITING, SCOPE_SINK, EVS_FIGURE_WAITING, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_WAITING_BYTES, SCOPE_SINK, EVS_FIGURE_WAITING_BYTES, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_RETRIES, SCOPE_SINK, EVS_FIGURE_RETRIES, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_DUPLICATES, SCOPE_SINK, EVS_FIGURE_DUPLICATES, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_KEPT_BYTES, SCOPE_SINK, EVS_FIGURE_KEPT_BYTES, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_SENT_AGAIN, SCOPE_SINK, EVS_FIGURE_SENT_AGAIN, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_ORPHANS, SCOPE_SINK, EVS_FIGURE_ORPHANS, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_REFUSED, SCOPE_SINK, EVS_FIGURE_REFUSED, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_RECONNECTS, SCOPE_SINK, EVS_FIGURE_RECONNECTS, 1, ALWAYS, NULL},
    {EVS_METRIC_SINK_REQUESTS, SCOPE_SINK, EVS_FIGURE_ATTEMPTS, 1, WHEN_ASKED, NULL},
    {EVS_METRIC_SINK_ANSWERS, SCOPE_SINK, EVS_FIGURE_ANSWERS_2XX, 1, WHEN_ASKED, NULL},
    {EVS_METRIC_SINK_ANSWERS, SCOPE_SINK, EVS_FIGURE_ANSWERS_3XX, 1, WHEN_ASKED, NULL},
    {EVS_METRIC_SINK_ANSWERS, SCOPE_SINK, EVS_FIGURE_ANSWERS_4XX, 1, WHEN_ASKED, NULL},
    {EVS_METRIC_SINK_ANSWERS, SCOPE_SINK, EVS_FIGURE_ANSWERS_5XX, 1, WHEN_ASKED, NULL},
    {EVS_METRIC_SINK_UNANSWERED, SCOPE_SINK, EVS_FIGURE_UNANSWERED, 1, WHEN_ASKED, NULL},
    {EVS_METRIC_SINK_UNDER_WAY, SCOPE_SINK, EVS_FIGURE_UNDER_WAY, 1, WHEN_ASKED, NULL},
    {EVS_METRIC_SINK_CIRCUIT_OPEN, SCOPE_SINK, EVS_FIGURE_CIRCUIT_OPEN, 1, WHEN_ASKED, NULL},
};

const char *evs_live_kind(const struct evs_plan_node *node)
{
    static const char *const kinds[] = {
        [EVS_NODE_SOURCE] = "source", [EVS_NODE_EXCHANGE] = "exchange", [EVS_NODE_SINK] = "sink"};
    return node->kind == EVS_NODE_OPERATOR ? node->operator_->kind : kinds[node->kind];
}

static bool is_stateful(const struct evs_plan_node *node)
{
    return node->operator_ != NULL && (node->operator_->flags & EVS_OP_STATEFUL) != 0;
}

static bool is_in_scope(const struct node_metric *metric, const struct evs_plan_node *node)
{
    switch (metric->scope) {
    case SCOPE_SOURCE:
        return node->kind == EVS_NODE_SOURCE;
    case SCOPE_SINK:
        return node->kind == EVS_NODE_SINK && (metric->meaning == ALWAYS || node->sink->connector->is_asked);
    case SCOPE_OPERATOR:
        if (metric->meaning == WHEN_IDENTITY) {
            return is_stateful(node) && strcmp(node->operator_->kind, "resolve_identity") == 0;
        }
        return metric->meaning == ALWAYS || is_stateful(node) ||
               (metric->meaning == WHEN_TIMED && node->kind == EVS_NODE_SOURCE);
    }
    return false;
}

/* The class of answers, else the node's kind. */
static const char *third_label(const struct node_metric *metric, const struct evs_plan_node *node)
{
    static const char *const classes[] = {"2xx", "3xx", "4xx", "5xx"};
    return metric->id == EVS_METRIC_SINK_ANSWERS ? classes[metric->figure - EVS_FIGURE_ANSWERS_2XX]
                                                 : evs_live_kind(node);
}

static void put_node_metric(struct evs_exposition *page, const struct gallery *gallery,
                            const struct node_metric *metric, const struct shot *shot, const struct evs_view_node *node)
{
    double value = (double)node->figures[metric->figure] / metric->divisor;
    if (!is_in_scope(metric, node->node) || (metric->value != NULL && !metric->value(gallery, node, &value))) {
        return;
    }
    const char *labels[] = {shot->pipeline->plan->pipeline, node->node->name, third_label(metric, node->node)};
    evs_exposition_value(page, metric->id, labels, value);
}

static void put_node_metrics(struct evs_exposition *page, const struct gallery *gallery, enum scope scope)
{
    for (uint32_t i = 0; i < EVS_COUNT(node_metrics); i++) {
        for (uint32_t j = 0; node_metrics[i].scope == scope && j < gallery->count; j++) {
            const struct shot *shot = &gallery->shots[j];
            for (uint32_t k = 0; shot->is_live && k < shot->run.node_count; k++) {
                put_node_metric(page, gallery, &node_metrics[i], shot, &shot->nodes[k]);
            }
        }
    }
}

static void put_dead_letters(struct evs_exposition *page, const struct gallery *gallery)
{
    for (uint32_t i = 0; i < gallery->count; i++) {
        const struct shot *shot = &gallery->shots[i];
        for (uint32_t j = 0; j < shot->reason_count; j++) {
            const struct evs_view_reason *reason = &shot->reasons[j];
            const char *labels[] = {shot->pipeline->plan->pipeline, reason->source, reason->reason};
            evs_exposition_value(page, EVS_METRIC_DEAD_LETTERS, labels, (double)reason->count);
        }
    }
}

static void put_histogram(struct evs_exposition *page, enum evs_metric_id id, const char *const *labels,
                          const struct evs_view_latency *latency)
{
    static const int64_t bounds_us[] = EVS_LATENCY_BOUNDS_US;
    double bounds[EVS_COUNT(bounds_us)];
    for (uint32_t i = 0; i < EVS_COUNT(bounds_us); i++) {
        bounds[i] = (double)bounds_us[i] / 1e6;
    }
    evs_exposition_histogram(page, id, labels, bounds, EVS_COUNT(bounds_us), latency->counts,
                             (double)latency->sum_us / 1e6);
}

static void put_delivery(struct evs_exposition *page, const struct gallery *gallery)
{
    for (uint32_t i = 0; i < gallery->count; i++) {
        const struct shot *shot = &gallery->shots[i];
        for (uint32_t j = 0; shot->is_live && j < shot->run.node_count; j++) {
            const struct evs_plan_node *node = shot->nodes[j].node;
            if (node->kind == EVS_NODE_SINK && node->sink->connector->shape == EVS_SINK_MESSAGES) {
                const char *labels[] = {shot->pipeline->plan->pipeline, node->name};
                put_histogram(page, EVS_METRIC_SINK_DELIVERY, labels, &shot->nodes[j].delivery);
            }
        }
    }
}

/* --- pipelines ------------------------------------------------------------------------------------------------------------- */

static void put_states(struct evs_exposition *page, const struct gallery *gallery)
{
    for (uint32_t i = 0; i < gallery->count; i++) {
        for (uint32_t state = 0; state < PIPELINE_STATES; state++) {
            const char *labels[] = {gallery->shots[i].pipeline->plan->pipeline, evs_live_state_name(state)};
            evs_exposition_value(page, EVS_METRIC_PIPELINE_STATE, labels, gallery->shots[i].state == state);
        }
    }
}

static bool has_checkpoints(const struct shot *shot)
{
    return shot->is_live && shot->run.durability != NULL;
}

static bool pipeline_value(const struct gallery *gallery, const struct shot *shot, enum evs_metric_id id, double *value)
{
    const struct evs_view_checkpoints *checkpoints = &shot->run.checkpoints;
    const struct evs_view_notes *notes = &shot->notes;
    switch (id) {
    case EVS_METRIC_PIPELINE_UPTIME:
        *value = (double)shot->run.elapsed_us / MICRO;
        return shot->is_live;
    case EVS_METRIC_PIPELINE_STARTS:
        *value = (double)shot->pipeline->starts;
        return true;
    case EVS_METRIC_PIPELINE_FENCED:
        *value = (double)shot->pipeline->fenced;
        return true;
    case EVS_METRIC_PIPELINE_WORKERS:
        *value = shot->run.worker_count;
        return shot->is_live;
    case EVS_METRIC_PIPELINE_OUTBOX:
        *value = (double)shot->run.outbox_bytes;
        return shot->is_live;
    case EVS_METRIC_RESTORE_READ:
        *value = (double)notes->restore_bytes;
        return notes->has_restored || has_checkpoints(shot);
    case EVS_METRIC_RESTORE_EXPECTED:
        *value = (double)notes->restore_bytes_about;
        return notes->has_restored || has_checkpoints(shot);
    case EVS_METRIC_RESTORE_TIME:
        *value = (double)notes->restore_us / MICRO;
        return notes->has_restored || has_checkpoints(shot);
    case EVS_METRIC_CHECKPOINT_FAILURES:
        *value = (double)notes->commit_failures;
        return notes->has_restored || notes->commit_failures > 0 || has_checkpoints(shot);
    case EVS_METRIC_CHECKPOINT_NUMBER:
        *value = (double)checkpoints->number;
        return has_checkpoints(shot);
    case EVS_METRIC_CHECKPOINT_BYTES:
        *value = (double)checkpoints->bytes;
        return has_checkpoints(shot);
    case EVS_METRIC_CHECKPOINT_LAST_BYTES:
        *value = (double)checkpoints->last_bytes;
        return has_checkpoints(shot);
    case EVS_METRIC_CHECKPOINT_ALIGN:
        *value = (double)checkpoints->align_us / MICRO;
        return has_checkpoints(shot);
    case EVS_METRIC_CHECKPOINT_AGE:
        *value = (double)(gallery->monotonic_us - checkpoints->finished_us) / MICRO;
        return has_checkpoints(shot) && checkpoints->finished_us != 0;
    default:
        return false;
    }
}

static void put_pipelines(struct evs_exposition *page, const struct gallery *gallery)
{
    put_states(page, gallery);
    for (enum evs_metric_id id = EVS_METRIC_PIPELINE_UPTIME; id < EVS_METRIC_CHECKPOINT_DURATION; id++) {
        for (uint32_t i = 0; i < gallery->count; i++) {
            double value = 0;
            if (pipeline_value(gallery, &gallery->shots[i], id, &value)) {
                evs_exposition_value(page, id, &gallery->shots[i].pipeline->plan->pipeline, value);
            }
        }
    }
    for (uint32_t i = 0; i < gallery->count; i++) {
        const struct shot *shot = &gallery->shots[i];
        if (has_checkpoints(shot)) {
            put_histogram(page, EVS_METRIC_CHECKPOINT_DURATION, &shot->pipeline->plan->pipeline,
                          &shot->run.checkpoints.durations);
        }
    }
}

/* --- traces ----------------------------------------------------------------------------------------------------------------- */

static void put_traces(struct evs_exposition *page, const struct evs_live *live)
{
    if (live->options.otlp == NULL) {
        return;
    }
    const char *exported = "exported", *dropped = "dropped";
    struct evs_otlp_counts counts;
    evs_otlp_count(live->options.otlp, &counts);
    evs_exposition_value(page, EVS_METRIC_TRACE_SPANS, &exported, (double)counts.exported);
    evs_exposition_value(page, EVS_METRIC_TRACE_SPANS, &dropped, (double)counts.dropped);
    evs_exposition_value(page, EVS_METRIC_TRACE_FAILURES, NULL, (double)counts.requests_failed);
}

/* --- the page --------------------------------------------------------------------------------------------------------------- */

void evs_live_put_metrics(struct evs_live *live, const char *accept, struct evs_buffer *out, const char **content_type)
{
    struct evs_exposition page;
    struct gallery gallery;
    enum evs_exposition_format format = evs_exposition_accepted(accept);
    *content_type = evs_exposition_content_type(format);
    evs_exposition_begin(&page, out, format);
    pthread_mutex_lock(&live->lock);
    evs_live_look(live, &gallery);
    put_node_metrics(&page, &gallery, SCOPE_SOURCE);
    put_dead_letters(&page, &gallery);
    put_node_metrics(&page, &gallery, SCOPE_OPERATOR);
    put_node_metrics(&page, &gallery, SCOPE_SINK);
    put_delivery(&page, &gallery);
    put_pipelines(&page, &gallery);
    evs_live_drop(&gallery);
    pthread_mutex_unlock(&live->lock);
    put_traces(&page, live);
    evs_exposition_process(&page, live->options.log, live->started_wall_us, live->scrapes);
    evs_exposition_end(&page);
    live->scrapes++;
}
