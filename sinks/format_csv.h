/* `format csv`: a row as a line of RFC 4180. */
#ifndef EVS_FORMAT_CSV_H
#define EVS_FORMAT_CSV_H

#include "evstream/sink.h"

extern const struct evs_format evs_format_csv;

#endif
