/* from nats (…): a NATS JetStream stream. How it stays exact: nats_lane.h and nats_position.h. */
#ifndef EVS_SOURCE_NATS_H
#define EVS_SOURCE_NATS_H

#include "evstream/source.h"

extern const struct evs_source evs_source_nats;

#endif
