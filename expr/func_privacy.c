/* Personal data made less so, before it is kept or sent on. Masks give away length and ends: they are for showing. To join
 * without knowing, use hmac_sha256 with a key that is a parameter: a plain hash of an address or a number is guessed in
 * seconds. */
#include <arpa/inet.h>
#include <openssl/hmac.h>

#include "kernel.h"
#include "text_tools.h"
#include "url_tools.h"

/* --- ip_truncate -------------------------------------------------------------------------------------------------- */

/* What is usual for anonymous statistics: a /24 of IPv4, a /48 of IPv6. */
#define IPV4_BITS 24
#define IPV6_BITS 48

static enum evs_row ip_truncate(struct evs_call *call, struct evs_slice text, int64_t v4_bits, int64_t v6_bits,
                                struct evs_str *out)
{
    uint8_t address[EVS_IPV6_BYTES];
    char shown[INET6_ADDRSTRLEN];
    if (v4_bits < 0 || v4_bits > 32 || v6_bits < 0 || v6_bits > 128) {
        return EVS_ROW_ARGUMENT;
    }
    const uint32_t bytes = evs_ip_parse(text, address);
    if (bytes == 0) {
        return EVS_ROW_NULL;
    }
    static const uint8_t v4_in_v6[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:1.2.3.4 is an address of IPv4 */
    const bool is_mapped = bytes == EVS_IPV6_BYTES && memcmp(address, v4_in_v6, sizeof v4_in_v6) == 0;
    const int64_t bits = bytes == EVS_IPV4_BYTES ? v4_bits : is_mapped ? 96 + v4_bits : v6_bits;
    evs_ip_clear(address, bytes, (uint32_t)bits);
    inet_ntop(bytes == EVS_IPV4_BYTES ? AF_INET : AF_INET6, address, shown, sizeof shown);
    *out = evs_call_str(call, shown, strlen(shown));
    return EVS_ROW_OK;
}
static inline enum evs_row ip_truncate_1_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    return ip_truncate(call, evs_str_slice(a), IPV4_BITS, IPV6_BITS, out);
}
static inline enum evs_row ip_truncate_3_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                             const int64_t *c, struct evs_str *out)
{
    return ip_truncate(call, evs_str_slice(a), *b, *c, out);
}
EVS_ROW_KERNEL_1(ip_truncate_1, ip_truncate_1_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_3(ip_truncate_3, ip_truncate_3_row, struct evs_str, int64_t, int64_t, struct evs_str)

/* --- hmac_sha256 -------------------------------------------------------------------------------------------------- */

static inline enum evs_row hmac_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                    struct evs_str *out)
{
    unsigned char code[EVP_MAX_MD_SIZE];
    unsigned int count = 0;
    if (HMAC(EVP_sha256(), evs_str_data(b), (int)b->count, (const unsigned char *)evs_str_data(a), a->count, code,
             &count) == NULL) {
        return EVS_ROW_ARGUMENT;
    }
    *out = evs_call_str(call, (const char *)code, count);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(hmac, hmac_row, struct evs_str, struct evs_str, struct evs_str)

/* --- masks -------------------------------------------------------------------------------------------------------- */

/* Each character but the last ones becomes a star. */
static inline enum evs_row mask_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                    struct evs_str *out)
{
    if (*b < 0) {
        return EVS_ROW_ARGUMENT;
    }
    const struct evs_slice text = evs_str_slice(a);
    const int64_t length = evs_utf8_count(text);
    const size_t stars = *b < length ? (size_t)(length - *b) : 0;
    const size_t hidden = evs_utf8_offset(text, (int64_t)stars), shown = text.count - hidden;
    char *built = evs_call_text(call, stars + shown);
    memset(built, '*', stars);
    memcpy(built + stars, text.data + hidden, shown);
    *out = evs_str_make(built, (uint32_t)(stars + shown));
    return EVS_ROW_OK;
}

/* The first character, three stars whatever there was, and the domain. What is no address is hidden whole. */
static inline enum evs_row mask_email_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice text = evs_str_slice(a);
    const char *at = memrchr(text.data, '@', text.count);
    if (at == NULL || at == text.data) {
        *out = evs_str_make("***", 3);
        return EVS_ROW_OK;
    }
    const size_t first = evs_utf8_bytes(text.data[0]), domain = text.count - (size_t)(at - text.data);
    char *built = evs_call_text(call, first + 3 + domain);
    memcpy(mempcpy(mempcpy(built, text.data, first), "***", 3), at, domain);
    *out = evs_str_make(built, (uint32_t)(first + 3 + domain));
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(mask, mask_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_1(mask_email, mask_email_row, struct evs_str, struct evs_str)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define MAY_FAIL EVS_CALL_FALLIBLE
#define PRIVATE(name_, kernel_, to, required_, flags_, ...)                                                            \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {__VA_ARGS__}, .required = (required_),     \
        .flags = (flags_)                                                                                              \
    }
#define S EVS_STRING
#define B EVS_BYTES
#define I EVS_INT64

static const struct evs_overload overloads[] = {
    PRIVATE("ip_truncate", ip_truncate_1, S, 1, EVS_CALL_NULLABLE, S),
    PRIVATE("ip_truncate", ip_truncate_3, S, 3, MAY_FAIL | EVS_CALL_NULLABLE, S, I, I),
    PRIVATE("hmac_sha256", hmac, B, 2, MAY_FAIL, S, S),
    PRIVATE("hmac_sha256", hmac, B, 2, MAY_FAIL, B, B),
    PRIVATE("mask", mask, S, 2, MAY_FAIL, S, I),
    PRIVATE("mask_email", mask_email, S, 1, 0, S),
};

#define ENTRY(name_, signature_, meaning_, example_, result_)                                                          \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_PRIVACY, .signature = (signature_), .meaning = (meaning_),               \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    ENTRY("ip_truncate", "ip_truncate(address string [, ipv4_bits int64, ipv6_bits int64]) → string",
          "The address with its end cleared: 24 bits of IPv4 stay, 48 of IPv6. NULL for what is no address.",
          "ip_truncate('203.0.113.77')", "203.0.113.0"),
    ENTRY("hmac_sha256", "hmac_sha256(string, key string) → bytes; the same for bytes",
          "A pseudonym that only who has the key can find again.", "to_hex(hmac_sha256('ann@example.com', 'secret'))",
          "beac5748fe881f214ea8b8f7b35dd2452f728e8939045499f8fbe659da95f40f"),
    ENTRY("mask", "mask(string, shown int64) → string", "Stars instead of all characters but the last ones.",
          "mask('4929 1234 5678 9012', 4)", "***************9012"),
    ENTRY("mask_email", "mask_email(string) → string", "The first character, stars, and the domain of an address.",
          "mask_email('ann.lee@example.com')", "a***@example.com"),
};

const struct evs_family evs_family_privacy = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
