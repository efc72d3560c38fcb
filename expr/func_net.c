/* The net family of GoogleSQL: hosts and domains of URLs, and IP addresses, which are bytes in network order: 4 of IPv4 or 16 of
 * IPv6. The other functions about the web stand in func_web.c. */
#include <arpa/inet.h>

#include "kernel.h"
#include "text_tools.h"
#include "url_tools.h"

/* --- hosts and domains -------------------------------------------------------------------------------------------- */

static enum evs_row some_text(struct evs_slice text, struct evs_str *out)
{
    *out = evs_str_make(text.data, (uint32_t)text.count);
    return text.count > 0 ? EVS_ROW_OK : EVS_ROW_NULL;
}

static inline enum evs_row host_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    (void)call;
    return some_text(evs_url_split(evs_str_slice(a)).host, out);
}

static evs_status prepare_domains(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                  struct evs_error *error)
{
    (void)expr;
    (void)error;
    *prepared = evs_domains_new(arena);
    return EVS_OK;
}

/* variant 1: the registered domain, else the public suffix. */
static inline enum evs_row domain_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice host = evs_url_split(evs_str_slice(a)).host;
    const bool registered = call->step->overload->variant == 1;
    if (host.count == 0) {
        return EVS_ROW_NULL;
    }
    return some_text(registered ? evs_domain_registered(call->step->prepared, host)
                                : evs_domain_suffix(call->step->prepared, host),
                     out);
}
EVS_ROW_KERNEL_1(host, host_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_1(domain, domain_row, struct evs_str, struct evs_str)

/* --- addresses as text -------------------------------------------------------------------------------------------- */

uint32_t evs_ip_parse(struct evs_slice text, uint8_t address[EVS_IPV6_BYTES])
{
    char terminated[INET6_ADDRSTRLEN];
    if (text.count >= sizeof terminated || memchr(text.data, '\0', text.count) != NULL) {
        return 0;
    }
    memcpy(terminated, text.data, text.count);
    terminated[text.count] = '\0';
    return inet_pton(AF_INET, terminated, address) == 1    ? EVS_IPV4_BYTES
           : inet_pton(AF_INET6, terminated, address) == 1 ? EVS_IPV6_BYTES
                                                           : 0;
}

static enum evs_row ip_text(struct evs_call *call, const void *address, size_t bytes, struct evs_str *out)
{
    char text[INET6_ADDRSTRLEN];
    if (bytes != EVS_IPV4_BYTES && bytes != EVS_IPV6_BYTES) {
        return EVS_ROW_ARGUMENT;
    }
    inet_ntop(bytes == EVS_IPV4_BYTES ? AF_INET : AF_INET6, address, text, sizeof text);
    *out = evs_call_str(call, text, strlen(text));
    return EVS_ROW_OK;
}

/* variant 1: what is no address gives NULL. */
static inline enum evs_row ip_from_string_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    uint8_t address[EVS_IPV6_BYTES];
    const uint32_t bytes = evs_ip_parse(evs_str_slice(a), address);
    if (bytes == 0) {
        return call->step->overload->variant == 1 ? EVS_ROW_NULL : EVS_ROW_ARGUMENT;
    }
    *out = evs_call_str(call, (const char *)address, bytes);
    return EVS_ROW_OK;
}
static inline enum evs_row ip_to_string_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    return ip_text(call, evs_str_data(a), a->count, out);
}
EVS_ROW_KERNEL_1(ip_from_string, ip_from_string_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_1(ip_to_string, ip_to_string_row, struct evs_str, struct evs_str)

/* --- masks -------------------------------------------------------------------------------------------------------- */

void evs_ip_clear(uint8_t *address, uint32_t bytes, uint32_t kept_bits)
{
    EVS_ASSERT(kept_bits <= bytes * 8);
    for (uint32_t i = 0; i < bytes; i++) {
        const uint32_t kept = kept_bits >= (i + 1) * 8 ? 8 : kept_bits > i * 8 ? kept_bits - i * 8 : 0;
        address[i] &= (uint8_t)(0xff00u >> kept);
    }
}

static inline enum evs_row ip_net_mask_row(struct evs_call *call, const int64_t *a, const int64_t *b,
                                           struct evs_str *out)
{
    uint8_t mask[EVS_IPV6_BYTES];
    if ((*a != EVS_IPV4_BYTES && *a != EVS_IPV6_BYTES) || *b < 0 || *b > *a * 8) {
        return EVS_ROW_ARGUMENT;
    }
    memset(mask, 0xff, sizeof mask);
    evs_ip_clear(mask, (uint32_t)*a, (uint32_t)*b);
    *out = evs_call_str(call, (const char *)mask, (size_t)*a);
    return EVS_ROW_OK;
}
static inline enum evs_row ip_trunc_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                        struct evs_str *out)
{
    uint8_t address[EVS_IPV6_BYTES];
    if ((a->count != EVS_IPV4_BYTES && a->count != EVS_IPV6_BYTES) || *b < 0 || *b > (int64_t)a->count * 8) {
        return EVS_ROW_ARGUMENT;
    }
    memcpy(address, evs_str_data(a), a->count);
    evs_ip_clear(address, a->count, (uint32_t)*b);
    *out = evs_call_str(call, (const char *)address, a->count);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(ip_net_mask, ip_net_mask_row, int64_t, int64_t, struct evs_str)
EVS_ROW_KERNEL_2(ip_trunc, ip_trunc_row, struct evs_str, int64_t, struct evs_str)

/* --- networks as text: 10.1.2.0/24 -------------------------------------------------------------------------------- */

struct network {
    uint8_t address[EVS_IPV6_BYTES];
    uint32_t bytes, bits;
};

/* An address alone is a network of one. What lies behind the bits is cleared. */
static bool parse_network(struct evs_slice text, struct network *network)
{
    const char *slash = memchr(text.data, '/', text.count);
    const size_t address_count = slash ? (size_t)(slash - text.data) : text.count;
    network->bytes = evs_ip_parse((struct evs_slice){text.data, address_count}, network->address);
    network->bits = network->bytes * 8;
    if (network->bytes == 0) {
        return false;
    }
    if (slash != NULL) {
        int64_t bits;
        const struct evs_slice digits = {slash + 1, text.count - address_count - 1};
        const bool is_number = digits.count > 0 && digits.count <= 3 && digits.data[0] >= '0' && digits.data[0] <= '9';
        if (!is_number || !evs_parse_int64(digits, &bits) || bits > network->bits) {
            return false;
        }
        network->bits = (uint32_t)bits;
    }
    evs_ip_clear(network->address, network->bytes, network->bits);
    return true;
}

static inline enum evs_row ip_in_net_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                         uint8_t *out)
{
    (void)call;
    struct network inner, outer;
    if (!parse_network(evs_str_slice(a), &inner) || !parse_network(evs_str_slice(b), &outer)) {
        return EVS_ROW_ARGUMENT;
    }
    *out = inner.bytes == outer.bytes && inner.bits >= outer.bits;
    if (*out) {
        evs_ip_clear(inner.address, inner.bytes, outer.bits);
        *out = memcmp(inner.address, outer.address, inner.bytes) == 0;
    }
    return EVS_ROW_OK;
}
static inline enum evs_row make_net_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                        struct evs_str *out)
{
    struct network network;
    char text[INET6_ADDRSTRLEN + 8];
    if (!parse_network(evs_str_slice(a), &network) || *b < 0 || *b > network.bits) {
        return EVS_ROW_ARGUMENT;
    }
    evs_ip_clear(network.address, network.bytes, (uint32_t)*b);
    inet_ntop(network.bytes == EVS_IPV4_BYTES ? AF_INET : AF_INET6, network.address, text, INET6_ADDRSTRLEN);
    size_t count = strlen(text);
    text[count++] = '/';
    count += evs_format_int64(text + count, *b);
    *out = evs_call_str(call, text, count);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(ip_in_net, ip_in_net_row, struct evs_str, struct evs_str, uint8_t)
EVS_ROW_KERNEL_2(make_net, make_net_row, struct evs_str, int64_t, struct evs_str)

/* --- IPv4 as a number --------------------------------------------------------------------------------------------- */

/* Numbers down to -2^31 are taken as the 32 bits that they are in two's complement. */
static inline enum evs_row ipv4_from_int64_row(struct evs_call *call, const int64_t *a, struct evs_str *out)
{
    if (*a < INT32_MIN || *a > UINT32_MAX) {
        return EVS_ROW_ARGUMENT;
    }
    const uint32_t address = htonl((uint32_t)*a);
    *out = evs_call_str(call, (const char *)&address, sizeof address);
    return EVS_ROW_OK;
}
static inline enum evs_row ipv4_to_int64_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    (void)call;
    uint32_t address;
    if (a->count != sizeof address) {
        return EVS_ROW_ARGUMENT;
    }
    memcpy(&address, evs_str_data(a), sizeof address);
    *out = ntohl(address);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(ipv4_from_int64, ipv4_from_int64_row, int64_t, struct evs_str)
EVS_ROW_KERNEL_1(ipv4_to_int64, ipv4_to_int64_row, struct evs_str, int64_t)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define MAY_FAIL EVS_CALL_FALLIBLE
#define MAYBE EVS_CALL_NULLABLE
#define NET(name_, kernel_, to, required_, flags_, variant_, ...)                                                      \
    {                                                                                                                  \
        .name = "net." name_, .kernel = (kernel_), .result = (to), .arguments = {__VA_ARGS__},                         \
        .required = (required_), .flags = (flags_), .variant = (variant_)                                              \
    }
#define DOMAIN(name_, variant_)                                                                                        \
    {                                                                                                                  \
        .name = "net." name_, .kernel = domain, .prepare = prepare_domains, .result = EVS_STRING,                      \
        .arguments = {EVS_STRING}, .required = 1, .flags = MAYBE, .variant = (variant_)                                \
    }
#define S EVS_STRING
#define B EVS_BYTES
#define I EVS_INT64

static const struct evs_overload overloads[] = {
    NET("host", host, S, 1, MAYBE, 0, S),
    DOMAIN("reg_domain", 1),
    DOMAIN("public_suffix", 0),
    NET("ip_from_string", ip_from_string, B, 1, MAY_FAIL, 0, S),
    NET("safe_ip_from_string", ip_from_string, B, 1, MAYBE, 1, S),
    NET("ip_to_string", ip_to_string, S, 1, MAY_FAIL, 0, B),
    NET("ip_net_mask", ip_net_mask, B, 2, MAY_FAIL, 0, I, I),
    NET("ip_trunc", ip_trunc, B, 2, MAY_FAIL, 0, B, I),
    NET("ip_in_net", ip_in_net, EVS_BOOL, 2, MAY_FAIL, 0, S, S),
    NET("make_net", make_net, S, 2, MAY_FAIL, 0, S, I),
    NET("ipv4_from_int64", ipv4_from_int64, B, 1, MAY_FAIL, 0, I),
    NET("ipv4_to_int64", ipv4_to_int64, I, 1, MAY_FAIL, 0, B),
};

#define ENTRY(name_, signature_, meaning_, example_, result_)                                                          \
    {                                                                                                                  \
        .name = "net." name_, .family = EVS_FAMILY_NET, .signature = "net." signature_, .meaning = (meaning_),         \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    ENTRY("host", "host(url string) → string", "The host of a URL, as it is written there; NULL when there is none.",
          "net.host('https://www.Shop.co.uk:443/cart')", "www.Shop.co.uk"),
    ENTRY("reg_domain", "reg_domain(url string) → string",
          "The domain that somebody has registered: the public suffix and the label before it.",
          "net.reg_domain('https://www.shop.co.uk/cart')", "shop.co.uk"),
    ENTRY("public_suffix", "public_suffix(url string) → string",
          "The end under which domains are registered (publicsuffix.org, without private domains).",
          "net.public_suffix('https://www.shop.co.uk/cart')", "co.uk"),
    ENTRY("ip_from_string", "ip_from_string(string) → bytes", "The 4 or 16 bytes of an address.",
          "to_hex(net.ip_from_string('10.1.2.3'))", "0a010203"),
    ENTRY("safe_ip_from_string", "safe_ip_from_string(string) → bytes",
          "The 4 or 16 bytes of an address; NULL for what is none.", "net.safe_ip_from_string('10.1.2')", "NULL"),
    ENTRY("ip_to_string", "ip_to_string(bytes) → string", "An address as text.",
          "net.ip_to_string(from_hex('0a010203'))", "10.1.2.3"),
    ENTRY("ip_net_mask", "ip_net_mask(bytes int64, bits int64) → bytes",
          "A mask of 4 or 16 bytes whose first bits are set.", "to_hex(net.ip_net_mask(4, 20))", "fffff000"),
    ENTRY("ip_trunc", "ip_trunc(address bytes, bits int64) → bytes", "The address with all bits behind cleared.",
          "net.ip_to_string(net.ip_trunc(net.ip_from_string('10.1.2.3'), 24))", "10.1.2.0"),
    ENTRY("ip_in_net", "ip_in_net(address string, network string) → bool",
          "Whether an address, or a network, lies in a network.", "net.ip_in_net('10.1.2.3', '10.1.0.0/16')", "true"),
    ENTRY("make_net", "make_net(address string, bits int64) → string", "The network of so many bits around an address.",
          "net.make_net('10.1.2.3', 24)", "10.1.2.0/24"),
    ENTRY("ipv4_from_int64", "ipv4_from_int64(int64) → bytes", "The IPv4 address with this number.",
          "net.ip_to_string(net.ipv4_from_int64(167838211))", "10.1.2.3"),
    ENTRY("ipv4_to_int64", "ipv4_to_int64(bytes) → int64", "The number of an IPv4 address.",
          "net.ipv4_to_int64(net.ip_from_string('10.1.2.3'))", "167838211"),
};

const struct evs_family evs_family_net = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
