/* Snowplow's payloads, and its events in queries. */
#include "protocol_input.h"

static const struct protocol_door doors[] = {
    {"POST", "/com.snowplowanalytics.snowplow/tp2"},
    {"GET", "/i"},
    {"GET", "/r/tp2"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    protocol_input_run(doors, sizeof doors / sizeof doors[0], data, size);
    return 0;
}
