#include "bucket.h"

static const struct evs_plan_source *source_with_bucket(const struct evs_plan *plan)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct evs_plan_source *source = plan->nodes[i].kind == EVS_NODE_SOURCE ? plan->nodes[i].source : NULL;
        if (source != NULL && source->connector->bucket != NULL) {
            return source;
        }
    }
    return NULL;
}

bool evs_plan_has_bucket(const struct evs_plan *plan)
{
    return source_with_bucket(plan) != NULL;
}

evs_status evs_plan_open_bucket(const struct evs_plan *plan, const struct evs_run_options *options,
                                struct evs_park *park, const struct evs_bucket **kind, void **instance,
                                struct evs_error *error)
{
    const struct evs_plan_source *source = source_with_bucket(plan);
    struct evs_bucket_open open = {
        .os = options->os,
        .log = options->log,
        .park = park,
        .name = options->bucket,
        .source_config = source->config,
        .nats_url = options->nats_url,
        .nats_credentials = options->nats_credentials,
        .retry_us = options->retry_us,
        .timeout_us = options->lease_us / 4,
    };
    *instance = NULL;
    *kind = source->connector->bucket;
    return (*kind)->open(&open, instance, error);
}
