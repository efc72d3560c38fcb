/* Bodies with holes: '{"email": {email}, "text": "Hello {name}"}'.
 *
 * A hole that stands where JSON has a value is written as JSON: {email} gives "ann@shop.example" with its quotes, {price} 9.5, {items} an
 * array. A hole within a string is text, escaped. So a value can never change the shape of the body. The template is checked to be valid JSON when it is
 * bound. In texts that are no JSON, every hole is text.
 *
 *   {column}     a column of the rows
 *   {_id}        the trigger's id, the same at every attempt, also after a restart
 *   {_time}      the event time
 *   {_unix}      the event time in whole seconds since 1970
 *   {*}          the whole row, as `format json` writes it; only where JSON has a value */
#ifndef EVS_JSON_TEMPLATE_H
#define EVS_JSON_TEMPLATE_H

#include "evstream/sink.h"

enum evs_body_kind { EVS_BODY_JSON, EVS_BODY_FORM, EVS_BODY_TEXT };

struct evs_body_template;
EVS_MUST_CHECK evs_status evs_body_bind(struct evs_slice text, enum evs_body_kind kind, const struct evs_schema *schema,
                                        struct evs_arena *arena, const struct evs_body_template **body,
                                        struct evs_error *error);
/* Appends. False when a hole within a text is NULL; where JSON has a value, it is written as null. */
bool evs_body_fill(const struct evs_body_template *body, const struct evs_batch *batch, uint32_t row,
                   const struct evs_format_place *place, struct evs_buffer *out);

/* An id as 32 hexadecimal digits. */
#define EVS_ID_DIGITS 32u
void evs_id_text(char out[EVS_ID_DIGITS], struct evs_hash128 id);

#endif
