/* What both implementations share: choosing one, addresses, header blocks. */
#include "nats_wire.h"

#include <strings.h>

#include "nats_link.h"

static int32_t url_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* User names and passwords may be percent-encoded. */
static char *url_decode(struct evs_arena *arena, struct evs_slice text)
{
    char *out = evs_arena_strndup(arena, text.data, text.count);
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        int32_t high = text.data[i] == '%' && i + 2 < text.count ? url_hex_digit(text.data[i + 1]) : -1;
        int32_t low = high >= 0 ? url_hex_digit(text.data[i + 2]) : -1;
        out[count++] = low >= 0 ? (char)(high << 4 | low) : text.data[i];
        i += low >= 0 ? 2 : 0;
    }
    out[count] = '\0';
    return out;
}

/* "user:password@" or "token@"; *rest is what follows. The last '@' ends it: a password may hold an unencoded one. */
static void url_take_login(struct evs_arena *arena, struct evs_slice *rest, struct evs_nats_server *server)
{
    const char *at = memrchr(rest->data, '@', rest->count);
    if (at == NULL) {
        return;
    }
    struct evs_slice login = {rest->data, (size_t)(at - rest->data)};
    *rest = (struct evs_slice){at + 1, rest->count - login.count - 1};
    const char *colon = memchr(login.data, ':', login.count);
    size_t user_count = colon != NULL ? (size_t)(colon - login.data) : login.count;
    server->user = url_decode(arena, (struct evs_slice){login.data, user_count});
    if (colon != NULL) {
        server->password = url_decode(arena, (struct evs_slice){colon + 1, login.count - user_count - 1});
    }
}

static bool url_take_scheme(struct evs_slice *rest, struct evs_nats_server *server)
{
    const char *mark = memmem(rest->data, rest->count, "://", 3);
    if (mark == NULL) {
        return true;
    }
    struct evs_slice scheme = {rest->data, (size_t)(mark - rest->data)};
    *rest = (struct evs_slice){mark + 3, rest->count - scheme.count - 3};
    server->tls = evs_slice_equal_nocase(scheme, "tls");
    return server->tls || evs_slice_equal_nocase(scheme, "nats");
}

/* "host", "host:port", "[v6]:port" */
static bool url_take_host(struct evs_arena *arena, struct evs_slice rest, struct evs_nats_server *server)
{
    while (rest.count > 0 && rest.data[rest.count - 1] == '/') {
        rest.count--;
    }
    const char *host = rest.data, *end = rest.data + rest.count, *host_end;
    if (rest.count > 0 && host[0] == '[') {
        host_end = memchr(++host, ']', rest.count - 1);
        if (host_end == NULL) {
            return false;
        }
        rest = (struct evs_slice){host_end + 1, (size_t)(end - host_end - 1)};
    } else {
        host_end = memchr(rest.data, ':', rest.count);
        host_end = host_end == NULL ? end : host_end;
        rest = (struct evs_slice){host_end, (size_t)(end - host_end)};
    }
    server->host = evs_arena_strndup(arena, host, (size_t)(host_end - host));
    server->port =
        rest.count > 1 ? evs_arena_strndup(arena, rest.data + 1, rest.count - 1) : evs_arena_strndup(arena, "4222", 4);
    return host_end > host && (rest.count == 0 || (rest.data[0] == ':' && rest.count > 1)) &&
           strspn(server->port, "0123456789") == strlen(server->port);
}

evs_status evs_nats_urls_parse(const char *urls, struct evs_arena *arena, struct evs_nats_server *servers,
                               uint32_t *count, struct evs_error *error)
{
    urls = urls == NULL || urls[0] == '\0' ? "nats://127.0.0.1:4222" : urls;
    *count = 0;
    for (const char *at = urls; *at != '\0';) {
        size_t bytes = strcspn(at, ",");
        struct evs_slice rest = {at, bytes};
        at += bytes + (at[bytes] == ',');
        while (rest.count > 0 && *rest.data == ' ') {
            rest.data++;
            rest.count--;
        }
        while (rest.count > 0 && rest.data[rest.count - 1] == ' ') {
            rest.count--;
        }
        if (*count == EVS_NATS_SERVERS_MAX) {
            return evs_fail(error, EVS_E_USAGE, "The list of NATS servers has more than %d addresses.",
                            EVS_NATS_SERVERS_MAX);
        }
        struct evs_nats_server *server = &servers[*count];
        *server = (struct evs_nats_server){0};
        bool known_scheme = url_take_scheme(&rest, server);
        url_take_login(arena, &rest, server);
        if (!known_scheme || !url_take_host(arena, rest, server)) {
            return evs_fail(error, EVS_E_USAGE,
                            "Address %u of the NATS servers is not understood; write nats://host:port, "
                            "nats://user:password@host:port or tls://host:port, with commas between several.",
                            *count + 1);
        }
        (*count)++;
    }
    return EVS_OK;
}

void evs_nats_servers_show(const struct evs_nats_server *servers, uint32_t count, struct evs_buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_printf(out, "%s%s:%s", i == 0 ? "" : ", ", servers[i].host, servers[i].port);
    }
}

bool evs_nats_header(struct evs_slice headers, const char *name, struct evs_slice *value)
{
    size_t name_count = strlen(name);
    const char *at = headers.data, *end = headers.data + headers.count;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end == NULL ? end : line_end;
        size_t count = (size_t)(line_end - at);
        if (count > name_count && at[name_count] == ':' && strncasecmp(at, name, name_count) == 0) {
            const char *text = at + name_count + 1, *text_end = line_end;
            while (text < text_end && *text == ' ') {
                text++;
            }
            while (text_end > text && (text_end[-1] == '\r' || text_end[-1] == ' ')) {
                text_end--;
            }
            *value = (struct evs_slice){text, (size_t)(text_end - text)};
            return true;
        }
        at = line_end + 1;
    }
    return false;
}

uint32_t evs_nats_header_status(struct evs_slice headers, struct evs_slice *text)
{
    *text = (struct evs_slice){headers.data, 0};
    if (headers.count < 12 || memcmp(headers.data, "NATS/1.0 ", 9) != 0) {
        return 0;
    }
    uint32_t code = 0;
    size_t at = 9;
    for (; at < 12 && headers.data[at] >= '0' && headers.data[at] <= '9'; at++) {
        code = code * 10 + (uint32_t)(headers.data[at] - '0');
    }
    if (at != 12) {
        return 0;
    }
    const char *line_end = memchr(headers.data + at, '\r', headers.count - at);
    size_t count = line_end == NULL ? headers.count - at : (size_t)(line_end - headers.data) - at;
    while (count > 0 && headers.data[at] == ' ') {
        at++;
        count--;
    }
    *text = (struct evs_slice){headers.data + at, count};
    return code;
}

static bool wire_needs_library(const struct evs_nats_options *options)
{
    return options->credentials != NULL || options->tls_ca != NULL || options->tls_cert != NULL ||
           (options->urls != NULL && strcasestr(options->urls, "tls://") != NULL);
}

evs_status evs_nats_wire_open(const struct evs_nats_options *options, struct evs_nats_wire **wire,
                              struct evs_error *error)
{
    EVS_ASSERT(options->os != NULL && options->name != NULL);
    if (options->transport == EVS_NATS_LIBRARY ||
        (options->transport == EVS_NATS_AUTO && wire_needs_library(options))) {
        return evs_nats_library_wire.open(options, wire, error);
    }
    evs_status status = evs_nats_socket_wire.open(options, wire, error);
    if (status == EVS_MORE && options->transport == EVS_NATS_SOCKET) {
        return evs_fail(
            error, EVS_E_REFUSED,
            "The NATS server asks for TLS, which transport = 'socket' does not speak; leave the option out.");
    }
    return status == EVS_MORE ? evs_nats_library_wire.open(options, wire, error) : status;
}
