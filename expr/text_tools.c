/* Characters of UTF-8 that need a table (text_tools.h). */
#include "text_tools.h"

bool evs_is_unicode_space(const char *data, uint32_t bytes)
{
    if (bytes == 1) {
        return evs_is_space(*data);
    }
    static const char *const spaces[] = {
        "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
        "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
    };
    for (size_t i = 0; i < EVS_COUNT(spaces); i++) {
        if (strlen(spaces[i]) == bytes && memcmp(spaces[i], data, bytes) == 0) {
            return true;
        }
    }
    return false;
}
