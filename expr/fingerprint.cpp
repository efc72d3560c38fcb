// FarmHash behind fingerprint.h.
#include "fingerprint.h"

#include <farmhash.h>

extern "C" uint64_t evs_fingerprint64(const char *bytes, size_t count)
{
    return util::Fingerprint64(bytes, count);
}
