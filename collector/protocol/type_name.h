/* Names of events as types: "Product Added" becomes product_added, and by the shipped mapping add_to_cart. */
#ifndef EVS_TYPE_NAME_H
#define EVS_TYPE_NAME_H

#include "evstream/memory.h"
#include "evstream/text.h"

#define EVS_TYPE_BYTES_MAX 128u

/* In snake_case: ASCII letters small, a "_" where a capital begins a word and for every run of other ASCII characters, none
 * at the ends; letters beyond ASCII stay. Empty when nothing is left. */
struct evs_slice evs_snake_name(struct evs_arena *arena, struct evs_slice name);

/* The shared word for what shops call by many names; the name itself when there is none. `name` is in snake_case. */
struct evs_slice evs_shop_name(struct evs_slice name);

/* The mapping, for the documentation: false behind the last entry. */
bool evs_shop_name_at(uint32_t index, const char **from, const char **to);

#endif
