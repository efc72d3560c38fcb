/* What is written in URLs: percent-encoding, query strings, base64 in both alphabets; and text of unknown encoding. */
#ifndef EVS_FORM_H
#define EVS_FORM_H

#include "evstream/memory.h"
#include "evstream/text.h"

/* Percent-decoded, "+" as a space, invalid UTF-8 replaced. In the arena where it differs from what was sent. */
struct evs_slice evs_form_decode(struct evs_arena *arena, struct evs_slice text);
/* Takes the next `name=value` off the front of a query string; both still encoded. False at its end. */
bool evs_form_next(struct evs_slice *query, struct evs_slice *name, struct evs_slice *value);
/* The value of a parameter, decoded; empty when there is none. */
struct evs_slice evs_form_value(struct evs_arena *arena, struct evs_slice query, const char *name);
/* base64 with + / or - _, padded or not; false when it is neither. */
bool evs_form_base64(struct evs_arena *arena, struct evs_slice text, struct evs_slice *bytes);
/* The text with every byte that is no UTF-8 as U+FFFD. */
struct evs_slice evs_form_utf8(struct evs_arena *arena, struct evs_slice text);
/* Cuts at the first `separator`; the rest, or empty. */
struct evs_slice evs_form_cut(struct evs_slice *text, char separator);
/* Without white space at its ends. */
struct evs_slice evs_form_trim(struct evs_slice text);

#endif
