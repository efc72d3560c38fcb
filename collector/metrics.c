/* The collector's figures under the names of the catalog (metrics/catalog.def), in its order. */
#include "metrics.h"

#include "internal.h"

#define MICRO 1e6

static const double storing_bounds[EVS_STORING_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,  0.5,    1,     2.5,  5,     10};

void evs_collector_count_storing(struct evs_collector_counters *counters, int64_t us)
{
    uint32_t bucket = 0;
    while (bucket < EVS_STORING_BOUNDS && (double)us > storing_bounds[bucket] * MICRO) {
        bucket++;
    }
    counters->storing[bucket]++;
    counters->storing_us_sum += (uint64_t)us;
}

static void put(struct evs_exposition *page, enum evs_metric_id id, uint64_t value)
{
    evs_exposition_value(page, id, NULL, (double)value);
}

static void put_requests(struct evs_exposition *page, const struct evs_collector_counters *counters)
{
    static const char *const classes[EVS_STATUS_CLASSES] = {NULL, NULL, "2xx", "3xx", "4xx", "5xx"};
    static const char *const reasons[EVS_REFUSED_COUNT] = {[EVS_REFUSED_KEY] = "key",
                                                           [EVS_REFUSED_ORIGIN] = "origin",
                                                           [EVS_REFUSED_BODY] = "body",
                                                           [EVS_REFUSED_RATE] = "rate",
                                                           [EVS_REFUSED_STORAGE] = "storage"};
    for (uint32_t class = 2; class < EVS_STATUS_CLASSES; class ++) {
        evs_exposition_value(page, EVS_METRIC_COLLECTOR_REQUESTS, &classes[class], (double)counters->requests[class]);
    }
    for (uint32_t i = 0; i < EVS_REFUSED_COUNT; i++) {
        evs_exposition_value(page, EVS_METRIC_COLLECTOR_REFUSED, &reasons[i], (double)counters->refused[i]);
    }
}

static void put_events(struct evs_exposition *page, const struct evs_collector *collector)
{
    static const char *const reasons[EVS_DROPPED_COUNT] = {
        [EVS_DROPPED_PRIVACY] = "privacy", [EVS_DROPPED_BOT] = "bot", [EVS_DROPPED_SUPPRESSED] = "suppressed"};
    const struct evs_collector_counters *counters = &collector->counters;
    for (uint32_t i = 0; i < collector->source_count; i++) {
        const struct evs_sender *sender = &collector->sources[i];
        evs_exposition_value(page, EVS_METRIC_COLLECTOR_EVENTS, &sender->config->name, (double)sender->events);
    }
    put(page, EVS_METRIC_COLLECTOR_EVENT_BYTES, counters->event_bytes);
    for (uint32_t i = 0; i < collector->source_count; i++) {
        const struct evs_sender *sender = &collector->sources[i];
        evs_exposition_value(page, EVS_METRIC_COLLECTOR_BAD_ROWS, &sender->config->name, (double)sender->bad_rows);
    }
    for (uint32_t i = 0; i < EVS_DROPPED_COUNT; i++) {
        evs_exposition_value(page, EVS_METRIC_COLLECTOR_DROPPED, &reasons[i], (double)counters->dropped[i]);
    }
    evs_exposition_histogram(page, EVS_METRIC_COLLECTOR_STORING, NULL, storing_bounds, EVS_STORING_BOUNDS,
                             counters->storing, (double)counters->storing_us_sum / MICRO);
    put(page, EVS_METRIC_COLLECTOR_PENDING, collector->pending_count);
    put(page, EVS_METRIC_COLLECTOR_PENDING_BYTES, collector->pending_bytes);
    put(page, EVS_METRIC_COLLECTOR_CONNECTIONS, collector->guard.connection_count);
    put(page, EVS_METRIC_COLLECTOR_ACCEPTED, collector->guard.accepted);
    put(page, EVS_METRIC_COLLECTOR_TIMED_OUT, collector->guard.timeouts);
}

static void put_delivery(struct evs_exposition *page, const struct evs_delivery *delivery)
{
    struct evs_delivery_counters counters;
    evs_delivery_counters(delivery, &counters);
    put(page, EVS_METRIC_COLLECTOR_NATS_CONNECTED, evs_delivery_is_connected(delivery));
    put(page, EVS_METRIC_COLLECTOR_NATS_DISCONNECTS, counters.disconnects);
    put(page, EVS_METRIC_COLLECTOR_ACKNOWLEDGED, counters.messages_acknowledged);
    put(page, EVS_METRIC_COLLECTOR_DUPLICATES, counters.messages_duplicate);
    put(page, EVS_METRIC_COLLECTOR_RESENT, counters.messages_resent);
    put(page, EVS_METRIC_COLLECTOR_UNTAKEN, counters.messages_refused);
    put(page, EVS_METRIC_COLLECTOR_SPOOLED, counters.messages_spooled);
    put(page, EVS_METRIC_COLLECTOR_DRAINED, counters.messages_drained);
    put(page, EVS_METRIC_COLLECTOR_FAILED, counters.parcels_failed);
}

static void put_spool(struct evs_exposition *page, const struct evs_collector *collector)
{
    struct evs_spool_state state;
    if (!evs_delivery_spool(collector->delivery, &state)) {
        return;
    }
    put(page, EVS_METRIC_COLLECTOR_SPOOL_BYTES, state.bytes);
    put(page, EVS_METRIC_COLLECTOR_SPOOL_LIMIT, (uint64_t)collector->config->spool_bytes);
    put(page, EVS_METRIC_COLLECTOR_SPOOL_SYNCS, state.syncs);
    put(page, EVS_METRIC_COLLECTOR_SPOOL_SYNC_FAILURES, state.sync_failures);
    put(page, EVS_METRIC_COLLECTOR_SPOOL_DAMAGED, state.damaged_bytes);
}

static void put_registration(struct evs_exposition *page, const struct evs_collector *collector)
{
    struct evs_keeper_state state = {0};
    if (collector->keeper != NULL) {
        evs_keeper_state(collector->keeper, &state);
    }
    put(page, EVS_METRIC_COLLECTOR_REGISTERED, state.is_registered);
    put(page, EVS_METRIC_COLLECTOR_BEATS, state.beats);
}

void evs_collector_metrics(struct evs_collector *collector, const char *accept, struct evs_buffer *out,
                           const char **content_type)
{
    struct evs_exposition page;
    enum evs_exposition_format format = evs_exposition_accepted(accept);
    *content_type = evs_exposition_content_type(format);
    evs_guard_reap(&collector->guard);
    evs_exposition_begin(&page, out, format);
    put_requests(&page, &collector->counters);
    put_events(&page, collector);
    put_delivery(&page, collector->delivery);
    put_spool(&page, collector);
    put_registration(&page, collector);
    evs_exposition_process(&page, collector->log, collector->started_wall_us, collector->counters.scrapes++);
    evs_exposition_end(&page);
}
