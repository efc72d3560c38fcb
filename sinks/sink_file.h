/* Sink into files: one file, standard output, or a series of files that rotate. See the essay in sink_file.c. */
#ifndef EVS_SINK_FILE_H
#define EVS_SINK_FILE_H

#include "evstream/sink.h"

extern const struct evs_sink evs_sink_file;

/* The path as it is written in the pipeline. */
const char *evs_sink_file_path(const void *config);
/* Whether it is a series of files, of which the path is the pattern. */
bool evs_sink_file_rotates(const void *config);

#endif
