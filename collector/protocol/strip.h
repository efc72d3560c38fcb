/* Values of query parameters that nobody downstream shall see: tokens, mail addresses, passwords in the addresses of pages. */
#ifndef EVS_STRIP_H
#define EVS_STRIP_H

#include "evstream/text.h"

/* Names of parameters; case does not count. {NULL, 0}: none. */
struct evs_strip {
    const char *const *names;
    uint32_t count;
};

/* The text without their values ("?token=&b=1"), written to `out`, which has room for as much as there was. A query string is
 * found wherever it stands: in a URL, alone, behind "#", and within another URL, percent-encoded once. */
struct evs_slice evs_strip_text(const struct evs_strip *strip, struct evs_slice text, char *out);

#endif
