/* How connectors that store columns, and no text of a whole row, are handed a row: names and texts of its values. It is the `own_format` of such a
 * connector; users never name it.
 *
 *   payload   = field…
 *   field     = kind (1 byte, enum evs_kind) · bytes of the name (2) · bytes of the value (4; FIELD_NULL: NULL) · name · value     little-endian
 *
 * A payload names its columns itself, because it may wait in an outbox while the pipeline's columns change.
 *
 * The text of a value: what JSON would have, without quotes or escapes; bytes as they are; arrays and structs as JSON. */
#ifndef EVS_FORMAT_FIELDS_H
#define EVS_FORMAT_FIELDS_H

#include "evstream/sink.h"

extern const struct evs_format evs_format_fields;

struct evs_field_text {
    enum evs_kind kind;
    bool is_null;
    struct evs_slice name, value; /* borrowed from the payload */
};

/* Takes the first field off `*payload`. False at its end, and when it is damaged: then it is not empty. */
bool evs_fields_next(struct evs_slice *payload, struct evs_field_text *field);

#endif
