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

const char *evs_usual_find(const char *pipeline, char out[EVS_USUAL_BYTES])
{
    struct evs_seen seen = {0};
    bool is_found = false;
    for (uint32_t i = 0; i < EVS_USUAL_COUNT && !is_found; i++) {
        struct evs_error ignored = {0};
        is_found = evs_seen_fetch(evs_usual_address(i, out), &seen, &ignored) == EVS_OK && has(&seen, pipeline);
    }
    evs_seen_fini(&seen);
    return is_found ? out : evs_usual_address(0, out);
}
