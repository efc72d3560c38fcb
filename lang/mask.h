/* Secrets in lines of a pipeline that are about to be shown: on a terminal, in the log of a build, in a ticket. */
#ifndef EVS_MASK_H
#define EVS_MASK_H

#include <stddef.h>

/* Puts an asterisk in place of each byte that looks like a part of a secret. The text keeps its length, so that carets stay under what they mark. */
void evs_mask_secrets(char *text, size_t count);

#endif
