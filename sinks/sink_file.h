/* `to file (path = …)`: rows appended to a file, `.gz` and `.zst` too, or to standard output. */
#ifndef EVS_SINK_FILE_H
#define EVS_SINK_FILE_H

#include "evstream/sink.h"

extern const struct evs_sink evs_sink_file;

/* The path as it is written in the pipeline. */
const char *evs_sink_file_path(const void *config);

#endif
