/* What the fuzz targets of the collector's protocols share: a request made of an input, and what must hold of any answer. */
#ifndef PROTOCOL_INPUT_H
#define PROTOCOL_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct protocol_door {
    const char *method, *path;
};

/* The first byte chooses the door, the second the configuration (privacy, cookieless, limits, …); the rest is the body of a
 * POST and the query of a GET. */
void protocol_input_run(const struct protocol_door *doors, size_t door_count, const uint8_t *data, size_t size);

#endif
