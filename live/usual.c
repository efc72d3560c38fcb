#include "usual.h"

#include <stdio.h>
#include <string.h>

#include "seen.h"

const char *evs_usual_address(uint32_t number, char out[EVS_USUAL_BYTES])
{
    EVS_ASSERT(number < EVS_USUAL_COUNT);
    snprintf(out, EVS_USUAL_BYTES, "127.0.0.1:%u", EVS_USUAL_PORT + number);
    return out;
}

static bool has(const struct evs_seen *seen, const char *pipeline)
{
    bool is_there = pipeline == NULL;
    for (uint32_t i = 0; i < seen->pipeline_count && !is_there; i++) {
        is_there = strcmp(seen->pipelines[i].name, pipeline) == 0;
    }
    return is_there;
}

void evs_usual_ask(struct evs_seen seen[EVS_USUAL_COUNT], evs_status statuses[EVS_USUAL_COUNT])
{
    char texts[EVS_USUAL_COUNT][EVS_USUAL_BYTES];
    const char *addresses[EVS_USUAL_COUNT];
    for (uint32_t i = 0; i < EVS_USUAL_COUNT; i++) {
        addresses[i] = evs_usual_address(i, texts[i]);
    }
    evs_seen_fetch_together(addresses, EVS_USUAL_COUNT, EVS_USUAL_SECONDS, seen, statuses);
}

const char *evs_usual_find(const char *pipeline, char out[EVS_USUAL_BYTES])
{
    struct evs_seen seen[EVS_USUAL_COUNT] = {0};
    evs_status statuses[EVS_USUAL_COUNT];
    evs_usual_ask(seen, statuses);
    uint32_t found = 0;
    while (found < EVS_USUAL_COUNT && (statuses[found] != EVS_OK || !has(&seen[found], pipeline))) {
        found++;
    }
    for (uint32_t i = 0; i < EVS_USUAL_COUNT; i++) {
        evs_seen_fini(&seen[i]);
    }
    return evs_usual_address(found < EVS_USUAL_COUNT ? found : 0, out);
}
