/* Addresses that are not the public internet's.
 *
 * Whoever may write a URL into a pipeline, or owns the name in it, could otherwise reach what only this machine can: a database on the
 * loopback, a router, the metadata service of a cloud (169.254.169.254) with its credentials. The name alone proves nothing, since it may
 * mean another address at the next look (DNS rebinding); so the check is made of every address that a socket is about to be opened to.
 *
 * The table is IANA's of special-purpose addresses (RFC 6890 and its registries), without the few that are global. Addresses of IPv6 that
 * carry one of IPv4 (mapped, translated, 6to4) are judged by what they carry. */
#include "http_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct range4 {
    uint32_t first; /* host order */
    uint32_t bits;
};
#define IPV4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const struct range4 private4[] = {
    {IPV4(0, 0, 0, 0), 8},       /* this network */
    {IPV4(10, 0, 0, 0), 8},      /* private */
    {IPV4(100, 64, 0, 0), 10},   /* shared by carriers; metadata of some clouds */
    {IPV4(127, 0, 0, 0), 8},     /* loopback */
    {IPV4(169, 254, 0, 0), 16},  /* link-local; metadata of most clouds */
    {IPV4(172, 16, 0, 0), 12},   /* private */
    {IPV4(192, 0, 0, 0), 24},    /* protocol assignments */
    {IPV4(192, 0, 2, 0), 24},    /* documentation */
    {IPV4(192, 88, 99, 0), 24},  /* 6to4 relays, given up */
    {IPV4(192, 168, 0, 0), 16},  /* private */
    {IPV4(198, 18, 0, 0), 15},   /* benchmarks */
    {IPV4(198, 51, 100, 0), 24}, /* documentation */
    {IPV4(203, 0, 113, 0), 24},  /* documentation */
    {IPV4(224, 0, 0, 0), 4},     /* multicast */
    {IPV4(240, 0, 0, 0), 4},     /* reserved, broadcast */
};

static bool is_private4(uint32_t address)
{
    for (size_t i = 0; i < sizeof private4 / sizeof private4[0]; i++) {
        uint32_t mask = ~(UINT32_MAX >> private4[i].bits);
        if ((address & mask) == private4[i].first) {
            return true;
        }
    }
    return false;
}

static uint32_t ipv4_at(const uint8_t *bytes)
{
    return IPV4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

/* Global unicast is 2000::/3; everything else is special. */
static bool is_private6(const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    static const uint8_t translated[12] = {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0};
    if (memcmp(bytes, mapped, sizeof mapped) == 0 || memcmp(bytes, translated, sizeof translated) == 0) {
        return is_private4(ipv4_at(bytes + 12));
    }
    if ((bytes[0] & 0xE0) != 0x20) {
        return true;
    }
    if (bytes[0] == 0x20 && bytes[1] == 0x02) { /* 6to4 */
        return is_private4(ipv4_at(bytes + 2));
    }
    bool is_assigned_to_protocols = bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 0x02; /* 2001::/23, Teredo too */
    bool is_documentation = (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0D && bytes[3] == 0xB8) ||
                            (bytes[0] == 0x3F && bytes[1] == 0xFF && bytes[2] < 0x10);
    return is_assigned_to_protocols || is_documentation;
}

bool evs_address_is_private(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return is_private4(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return is_private6(in6.sin6_addr.s6_addr);
    }
    return true;
}

static bool ends_with_localhost(const char *host)
{
    size_t count = strlen(host), wanted = strlen("localhost");
    count -= count > 0 && host[count - 1] == '.';
    return count >= wanted && strncasecmp(host + count - wanted, "localhost", wanted) == 0 &&
           (count == wanted || host[count - wanted - 1] == '.');
}

bool evs_host_is_private(const char *host)
{
    char bare[INET6_ADDRSTRLEN + 2] = "";
    struct in_addr in;
    struct in6_addr in6;
    size_t count = strlen(host);
    if (ends_with_localhost(host)) {
        return true;
    }
    if (host[0] == '[' && count >= 2 && host[count - 1] == ']' && count - 2 < sizeof bare) {
        snprintf(bare, sizeof bare, "%.*s", (int)(count - 2), host + 1);
        return inet_pton(AF_INET6, bare, &in6) == 1 && is_private6(in6.s6_addr);
    }
    /* inet_aton takes what resolvers take, 127.1 and 0x7f000001 too */
    return inet_aton(host, &in) != 0 && is_private4(ntohl(in.s_addr));
}
