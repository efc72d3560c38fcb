/* Bodies that came compressed. Neither Content-Encoding nor Content-Type can be trusted (RudderStack's SDK calls gzip a form,
 * PostHog's names no encoding at all), so a body is gzip when it begins with 1f 8b, which no JSON text does. */
#ifndef EVS_INFLATE_H
#define EVS_INFLATE_H

#include "evstream/memory.h"
#include "evstream/text.h"

bool evs_inflate_is_gzip(struct evs_slice body);

/* Appends the inflated bytes to `out`. EVS_E_LIMIT: more than `bytes_max` come out; never more than that is held.
 * EVS_E_CORRUPT: no whole gzip stream. Several members in a row are one text, as RFC 1952 says. */
EVS_MUST_CHECK evs_status evs_inflate(struct evs_slice body, size_t bytes_max, struct evs_buffer *out);

#endif
