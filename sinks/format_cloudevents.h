/* `format cloudevents (type = …)`: a row as a CloudEvents 1.0 event. */
#ifndef EVS_FORMAT_CLOUDEVENTS_H
#define EVS_FORMAT_CLOUDEVENTS_H

#include "evstream/sink.h"

extern const struct evs_format evs_format_cloudevents;

#endif
