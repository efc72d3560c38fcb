/* Persons of whom nothing may be kept any more: those who asked to be erased, or who object. The list has SHA-256 hashes of ids, so that it names nobody itself:
 * a line each, in hexadecimal; lines that are empty or begin with # do not count.
 *
 *     printf %s ann@example.org | sha256sum | cut -d' ' -f1 >> suppressed.txt */
#ifndef EVS_SUPPRESSED_H
#define EVS_SUPPRESSED_H

#include <stdbool.h>
#include <stdint.h>

#include "evstream/status.h"
#include "evstream/text.h"

struct evs_suppressed;

/* EVS_E_IO; EVS_E_USAGE names the line that is no hash. */
EVS_MUST_CHECK evs_status evs_suppressed_read(const char *path, struct evs_suppressed **set, struct evs_error *error);
void evs_suppressed_free(struct evs_suppressed *set); /* NULL is allowed */
/* `set` NULL: nobody. */
bool evs_suppressed_has(const struct evs_suppressed *set, struct evs_slice id);

#endif
