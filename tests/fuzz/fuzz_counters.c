/* Plausible's, Umami's and Matomo's bodies and queries. */
#include "protocol_input.h"

static const struct protocol_door doors[] = {
    {"POST", "/api/event"},
    {"POST", "/api/send"},
    {"POST", "/matomo.php"},
    {"GET", "/matomo.php"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    protocol_input_run(doors, sizeof doors / sizeof doors[0], data, size);
    return 0;
}
