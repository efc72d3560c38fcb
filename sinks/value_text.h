/* The text of a value, as addresses and JSON both write it. */
#ifndef EVS_VALUE_TEXT_H
#define EVS_VALUE_TEXT_H

#include "evstream/batch.h"

/* Writes the element of a row that is not NULL and is of a kind without text of its own (no string, bytes, json; no array or struct);
 * `out` has room for EVS_FORMAT_MAX bytes. No quotes, no escapes needed: only [A-Za-z0-9:.+-] and, in an interval, spaces. */
uint32_t evs_text_of_value(char *out, const struct evs_column *column, enum evs_kind kind, uint32_t row);

/* The same bytes as evs_format_timestamp and evs_format_numeric, in a third of the time for the values that events have: these two are
 * most of the cost of a row. */
uint32_t evs_text_of_timestamp(char *out, int64_t us);
uint32_t evs_text_of_numeric(char *out, evs_numeric value);

/* Whether an address can hold the kind: arrays and structs have no text that anybody would look up. */
static inline bool evs_value_has_text(enum evs_kind kind)
{
    return kind > EVS_NULL_KIND && kind < EVS_ARRAY;
}

#endif
