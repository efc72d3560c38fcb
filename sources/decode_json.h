/* Decoding NDJSON and JSON messages: docs/internals/decoding.md says what is accepted and what is not. */
#ifndef EVS_DECODE_JSON_H
#define EVS_DECODE_JSON_H

#include "evstream/decode.h"

extern const struct evs_decode_format evs_decode_json;

#endif
