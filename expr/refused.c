/* Functions of GoogleSQL that are not there for a reason. Who writes one is told the reason, and what to write instead. */
#include "internal.h"

static const struct {
    const char *name, *reason;
} refused[] = {
    {"rand", "a replay must give the same rows again; `sample P percent by KEY` takes a share of the keys, and "
             "farm_fingerprint of a key spreads evenly"},
    {"generate_uuid", "a replay must give the same rows again; `to_hex(md5(concat(…)))` of the row's own ids is an id"},
    {"session_user", "nobody is signed in to a stream"},
    {"regexp_match", "it is deprecated: write regexp_contains with ^(?:…)$"},
    {"regexp_extract_groups",
     "its columns would depend on the text of the pattern; write a regexp_extract for each group"},
    {"highway_fingerprint128", "write farm_fingerprint, or md5 for 128 bits"},
    {"collate", "texts are compared byte by byte here; compare lower(…) or normalize_and_casefold(…)"},
    {"iferror", "write ifnull(safe.fn(…), …), or safe_cast, safe_divide and their like"},
    {"iserror", "write safe.fn(…) is null, or safe_cast(…) is null"},
    {"nulliferror", "write safe.fn(…), or safe_cast, safe_divide and their like"},
    {"net.format_ip", "it is deprecated: write net.ip_to_string(net.ipv4_from_int64(…))"},
    {"net.parse_ip", "it is deprecated: write net.ipv4_to_int64(net.ip_from_string(…))"},
    {"net.format_packed_ip", "it is deprecated: write net.ip_to_string"},
    {"net.parse_packed_ip", "it is deprecated: write net.ip_from_string"},
    {"pi_bignumeric", "there is no bignumeric; write pi_numeric() or pi()"},
    {"bit_cast_to_int32", "there is one integer type, int64"},
    {"bit_cast_to_int64", "there is one integer type, int64"},
    {"bit_cast_to_uint32", "there is one integer type, int64"},
    {"bit_cast_to_uint64", "there is one integer type, int64"},
};

const char *evs_function_refused(struct evs_slice name)
{
    for (size_t i = 0; i < EVS_COUNT(refused); i++) {
        if (evs_slice_equal_nocase(name, refused[i].name)) {
            return refused[i].reason;
        }
    }
    return NULL;
}
