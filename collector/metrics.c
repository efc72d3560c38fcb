/* The collector's counters as OpenMetrics text. */
#include <inttypes.h>

#include "internal.h"

static void put(struct evs_buffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
    const char *suffix = type[0] == 'c' ? "_total" : "";
    evs_buffer_printf(out, "# TYPE evstream_collector_%s %s\n# HELP evstream_collector_%s %s\n", name, type, name,
                      help);
    evs_buffer_printf(out, "evstream_collector_%s%s %" PRIu64 "\n", name, suffix, value);
}

static void put_requests(struct evs_buffer *out, const struct evs_collector_counters *counters)
{
    evs_buffer_puts(out, "# TYPE evstream_collector_requests counter\n"
                         "# HELP evstream_collector_requests Requests answered, by class of status.\n");
    for (uint32_t class = 2; class < EVS_STATUS_CLASSES; class ++) {
        evs_buffer_printf(out, "evstream_collector_requests_total{class=\"%uxx\"} %" PRIu64 "\n", class,
                          counters->requests[class]);
    }
}

static void put_sources(struct evs_buffer *out, const struct evs_collector *collector)
{
    evs_buffer_puts(out, "# TYPE evstream_collector_source_events counter\n"
                         "# HELP evstream_collector_source_events Events taken, by source.\n");
    for (uint32_t i = 0; i < collector->source_count; i++) {
        evs_buffer_printf(out, "evstream_collector_source_events_total{source=\"%s\"} %" PRIu64 "\n",
                          collector->sources[i].config->name, collector->sources[i].events);
    }
    evs_buffer_puts(out, "# TYPE evstream_collector_source_bad_rows counter\n"
                         "# HELP evstream_collector_source_bad_rows Bad rows, by source.\n");
    for (uint32_t i = 0; i < collector->source_count; i++) {
        evs_buffer_printf(out, "evstream_collector_source_bad_rows_total{source=\"%s\"} %" PRIu64 "\n",
                          collector->sources[i].config->name, collector->sources[i].bad_rows);
    }
}

static void put_events(struct evs_buffer *out, const struct evs_collector_counters *counters)
{
    put(out, "events", "counter", "Events taken.", counters->events);
    put(out, "events_bytes", "counter", "Their bytes as canonical JSON.", counters->events_bytes);
    put(out, "bad_rows", "counter", "Events that were refused one by one, with their reasons.", counters->bad_rows);
    put(out, "dropped_privacy", "counter", "Events left out because a person wished so.",
        counters->dropped[EVS_DROPPED_PRIVACY]);
    put(out, "dropped_bots", "counter", "Events of robots left out.", counters->dropped[EVS_DROPPED_BOT]);
    put(out, "unauthorised", "counter", "Requests with an unknown write key (401).", counters->unauthorised);
    put(out, "rate_limited", "counter", "Requests over their source's rate (429).", counters->limited);
    put(out, "overloaded", "counter", "Requests that could not be stored (503).", counters->overloaded);
    put(out, "origins_refused", "counter", "Requests of pages that may not send (403).", counters->origins_refused);
    put(out, "bodies_refused", "counter", "Requests too large or not readable (400).", counters->bodies_refused);
    evs_buffer_printf(
        out,
        "# TYPE evstream_collector_storing_seconds summary\n# HELP evstream_collector_storing_seconds From "
        "a request to its answer, of those that wait for storage.\n"
        "evstream_collector_storing_seconds_sum %.6f\nevstream_collector_storing_seconds_count %" PRIu64 "\n",
        (double)counters->latency_us_sum / 1e6, counters->latency_count);
}

static void put_delivery(struct evs_buffer *out, const struct evs_delivery *delivery)
{
    struct evs_delivery_counters counters;
    evs_delivery_counters(delivery, &counters);
    put(out, "nats_connected", "gauge", "1 while there is a connection to NATS.", evs_delivery_is_connected(delivery));
    put(out, "nats_disconnects", "counter", "Connections to NATS that broke.", counters.disconnects);
    put(out, "messages_acknowledged", "counter", "Messages that JetStream has stored.", counters.messages_acknowledged);
    put(out, "messages_duplicate", "counter", "Of these, known to JetStream before.", counters.messages_duplicate);
    put(out, "messages_resent", "counter", "Messages sent again.", counters.messages_resent);
    put(out, "messages_refused", "counter", "Times that JetStream took no message.", counters.messages_refused);
    put(out, "messages_spooled", "counter", "Messages written to the spool.", counters.messages_spooled);
    put(out, "messages_drained", "counter", "Messages sent from the spool.", counters.messages_drained);
    put(out, "messages_failed", "counter", "Messages that found no place; their clients send again.",
        counters.parcels_failed);
}

static void put_spool(struct evs_buffer *out, const struct evs_collector *collector)
{
    struct evs_spool_state state;
    if (!evs_delivery_spool(collector->delivery, &state)) {
        return;
    }
    put(out, "spool_bytes", "gauge", "Bytes in the spool.", state.bytes);
    put(out, "spool_bytes_max", "gauge", "Bytes that the spool may hold.", (uint64_t)collector->config->spool_bytes);
    put(out, "spool_syncs", "counter", "Syncs of the spool.", state.syncs);
    put(out, "spool_sync_failures", "counter", "Syncs of the spool that failed.", state.sync_failures);
    put(out, "spool_damaged_bytes", "counter", "Bytes of the spool that could not be read.", state.damaged_bytes);
}

void evs_collector_metrics(struct evs_collector *collector, struct evs_buffer *out)
{
    evs_guard_reap(&collector->guard);
    put_requests(out, &collector->counters);
    put_events(out, &collector->counters);
    put_sources(out, collector);
    put(out, "connections", "gauge", "Connections now.", collector->guard.connection_count);
    put(out, "connections_accepted", "counter", "Connections so far.", collector->guard.accepted);
    put(out, "connections_timed_out", "counter", "Connections shut in the middle of a request that was too slow.",
        collector->guard.timeouts);
    put(out, "pending_requests", "gauge", "Requests that wait for storage.", collector->pending_count);
    put(out, "pending_bytes", "gauge", "Bytes of events that wait for storage.", collector->pending_bytes);
    put_delivery(out, collector->delivery);
    put_spool(out, collector);
    evs_buffer_puts(out, "# EOF\n");
}
