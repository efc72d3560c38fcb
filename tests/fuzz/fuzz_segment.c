/* Bodies of Segment's API, RudderStack's and Jitsu's. */
#include "protocol_input.h"

static const struct protocol_door doors[] = {
    {"POST", "/v1/batch"},      {"POST", "/v1/t"},           {"POST", "/v1/page"},
    {"POST", "/v1/group"},      {"POST", "/api/s/identify"}, {"POST", "/beacon/v1/batch"},
    {"GET", "/pixel/v1/track"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    protocol_input_run(doors, sizeof doors / sizeof doors[0], data, size);
    return 0;
}
