/* Arrays and structs as bytes.
 *
 * A column element of kind array or struct is a `struct evs_str` whose bytes are the encoded value. The encoding holds no pointer and
 * does not depend on where it lies, so a nested value is copied, kept in state, exchanged between workers and written to a snapshot
 * exactly as text is; and it is canonical: equal values have equal bytes (floats are normalised as in keys), so it is hashed and
 * compared as text is. It tells its own kinds, so that a reader needs no type; only the names of fields are in the type alone.
 *
 *   byte  form           EVS_ARRAY or EVS_STRUCT, + 0x80 when some element is NULL
 *   u32   count          of elements or fields
 *   bytes kinds          array: one, of all elements; struct: one a field
 *   bytes nulls          only with 0x80: a bit an element, set for NULL, the last byte filled with zeros
 *   slots                an element each: its 1, 8 or 16 bytes; for text, array and struct a u32: where its bytes end in `data`; a
 *                        NULL has zeros, or the end of the element before it
 *   data                 the bytes of texts, arrays and structs, in order
 *
 * Numbers are little-endian and unaligned. An element is found in constant time, a field in the number of fields. */
#ifndef EVS_NESTED_H
#define EVS_NESTED_H

#include "evstream/type.h"

/* --- writing ------------------------------------------------------------------------------------------------------- */

/* Zero-initialised is a valid builder without memory; it is used again and again, so that a value costs no general allocation. An array
 * in a struct (or a struct in an array) is built first, with a builder of its own, and added as a value. */
struct evs_nested_builder {
    enum evs_kind form;
    enum evs_kind element;       /* array */
    const struct evs_type *type; /* struct */
    uint32_t count;
    bool has_null;
    struct evs_buffer nulls, slots, data;
};
void evs_nested_begin_array(struct evs_nested_builder *builder, enum evs_kind element);
void evs_nested_begin_struct(struct evs_nested_builder *builder, const struct evs_type *type);
/* The value is NULL, or of the element's or field's kind. Its text is copied. */
void evs_nested_add(struct evs_nested_builder *builder, const struct evs_value *value);
void evs_nested_add_null(struct evs_nested_builder *builder);
/* Bytes that the value has so far: for limits. */
size_t evs_nested_bytes(const struct evs_nested_builder *builder);
/* The value; its bytes lie in the arena. A struct must have got all its fields. */
struct evs_str evs_nested_finish(struct evs_nested_builder *builder, struct evs_arena *arena);
void evs_nested_builder_fini(struct evs_nested_builder *builder);

/* --- reading ------------------------------------------------------------------------------------------------------- */

/* A view into an encoded value: valid as long as the bytes are, and, for a value of up to 12 bytes, the `struct evs_str` itself. */
struct evs_nested {
    enum evs_kind form;
    uint32_t count;
    uint32_t width; /* array: of a slot */
    const uint8_t *kinds, *nulls /* or NULL */, *slots, *data;
};
/* Of a value that this process has encoded, or that evs_nested_valid has accepted. */
struct evs_nested evs_nested_open(const struct evs_str *encoded);
bool evs_nested_is_null(const struct evs_nested *nested, uint32_t index);
/* Text and inner values are borrowed from the view. */
struct evs_value evs_nested_at(const struct evs_nested *nested, uint32_t index);

/* Whether foreign bytes (state, the wire) are exactly what the builder would have written for some value of the type, at every depth.
 * NULL as the type: for a value of any type. */
bool evs_nested_valid(const void *bytes, size_t count, const struct evs_type *type);

#endif
