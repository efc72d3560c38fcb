/* Every connector and format of this build: the only list of them. */
#include "cmd.h"
#include "decode_json.h"
#include "format_cloudevents.h"
#include "format_csv.h"
#include "format_json.h"
#include "sink_file.h"
#include "sink_nats.h"
#include "sink_postgres.h"
#include "sink_redis.h"
#include "sink_webhook.h"
#include "source_file.h"
#include "source_nats.h"
#include "tables.h"

static const struct evs_source *const sources[] = {&evs_source_file, &evs_source_nats, NULL};
static const struct evs_sink *const sinks[] = {
    &evs_sink_file, &evs_sink_nats, &evs_sink_redis, &evs_sink_redis_hash, &evs_sink_postgres, &evs_sink_webhook, NULL};
static const struct evs_lookup *const tables[] = {&evs_table_redis, &evs_table_nats_kv, &evs_table_file, NULL};
static const struct evs_decode_format *const decode_formats[] = {&evs_decode_json, NULL};
static const struct evs_format *const formats[] = {&evs_format_json, &evs_format_cloudevents, &evs_format_csv, NULL};

const struct evs_registry evs_registry = {
    .sources = sources,
    .sinks = sinks,
    .tables = tables,
    .decode_formats = decode_formats,
    .formats = formats,
    .print_connector = "file",
    .print_argument = "-",
};
