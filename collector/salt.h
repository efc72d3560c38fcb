/* Salts of the cookieless mode: one a day, drawn at random, thrown away after two days.
 *
 * With a folder they are kept in files (salt-DAY, mode 600), so that a restart gives the same visitor the same id for the rest of
 * the day. Several collectors of one site draw their own, and so give different ids: docs/collector.md says so. */
#ifndef EVS_SALT_H
#define EVS_SALT_H

#include "protocol.h"

/* Bytes of the kernel's random generator. */
void evs_random_bytes(uint8_t *bytes, size_t count);

/* The salt of `day` (days since 1970), drawn when there is none yet; older ones than the day before are removed. `folder` NULL: in
 * memory only. False: it cannot be kept, and so is not used. */
bool evs_salt_of_day(const char *folder, int64_t day, uint8_t salt[EVS_SALT_BYTES]);

#endif
