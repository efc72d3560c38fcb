/* PostHog's bodies: JSON, base64, forms. */
#include "protocol_input.h"

static const struct protocol_door doors[] = {
    {"POST", "/batch/"},
    {"POST", "/e/"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    protocol_input_run(doors, sizeof doors / sizeof doors[0], data, size);
    return 0;
}
