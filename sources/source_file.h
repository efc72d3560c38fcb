/* `from file (path = …)`: NDJSON from a file, `.gz` and `.zst` too, or from standard input. */
#ifndef EVS_SOURCE_FILE_H
#define EVS_SOURCE_FILE_H

#include "evstream/source.h"

extern const struct evs_source evs_source_file;

#endif
