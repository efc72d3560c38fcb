#include "redis_address.h"

#include <ctype.h>
#include <stdio.h>

#define DATABASE_MAX 65535
#define SERVER_PORT 6379
#define SENTINEL_PORT 26379
#define HOST_MAX 255 /* of a name in the DNS */

/* --- numbers and ids ---------------------------------------------------------------------------------------------- */

bool evs_redis_number_parse(struct evs_slice text, uint64_t *number)
{
    EVS_ASSERT(number != NULL);
    uint64_t value = 0;
    for (size_t i = 0; i < text.count; i++) {
        unsigned digit = (unsigned)((unsigned char)text.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *number = value;
    return text.count > 0;
}

bool evs_redis_id_parse(struct evs_slice text, struct evs_redis_id *id)
{
    const char *hyphen = text.count == 0 ? NULL : memchr(text.data, '-', text.count);
    if (hyphen == NULL) {
        return false;
    }
    size_t ms_count = (size_t)(hyphen - text.data);
    return evs_redis_number_parse((struct evs_slice){text.data, ms_count}, &id->ms) &&
           evs_redis_number_parse((struct evs_slice){hyphen + 1, text.count - ms_count - 1}, &id->sequence);
}

struct evs_slice evs_redis_id_text(struct evs_redis_id id, char text[EVS_REDIS_ID_TEXT_BYTES])
{
    int count = snprintf(text, EVS_REDIS_ID_TEXT_BYTES, "%llu-%llu", (unsigned long long)id.ms,
                         (unsigned long long)id.sequence);
    EVS_ASSERT(count > 0 && count < EVS_REDIS_ID_TEXT_BYTES);
    return (struct evs_slice){text, (size_t)count};
}

/* --- URLs --------------------------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A copy with %XX decoded; NULL when an escape is broken or would end the text. */
static char *percent_decoded(struct evs_slice text)
{
    char *copy = evs_alloc(text.count + 1);
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.count ? hex_value(text.data[i + 1]) : -1;
            int low = i + 2 < text.count ? hex_value(text.data[i + 2]) : -1;
            c = (char)(high < 0 || low < 0 ? 0 : high * 16 + low);
            i += 2;
        }
        if (c == '\0') {
            evs_free(copy);
            return NULL;
        }
        copy[count++] = c;
    }
    copy[count] = '\0';
    return copy;
}

/* Cuts `text` behind the first (or last) `mark`; false when there is none. */
static bool cut(struct evs_slice *text, char mark, bool last, struct evs_slice *before)
{
    const char *at = text->count == 0 ? NULL
                     : last           ? memrchr(text->data, mark, text->count)
                                      : memchr(text->data, mark, text->count);
    if (at == NULL) {
        return false;
    }
    *before = (struct evs_slice){text->data, (size_t)(at - text->data)};
    *text = (struct evs_slice){at + 1, text->count - before->count - 1};
    return true;
}

static bool cut_prefix(struct evs_slice *text, const char *prefix)
{
    size_t count = strlen(prefix);
    if (text->count < count || strncasecmp(text->data, prefix, count) != 0) {
        return false;
    }
    *text = (struct evs_slice){text->data + count, text->count - count};
    return true;
}

/* "user:password", ":password" or "password". */
static evs_status parse_credentials(struct evs_slice text, struct evs_redis_address *address, struct evs_error *error)
{
    struct evs_slice user = {0};
    if (cut(&text, ':', false, &user) && user.count > 0) {
        address->user = percent_decoded(user);
    }
    address->password = percent_decoded(text);
    if (address->password == NULL || (user.count > 0 && address->user == NULL)) {
        return evs_fail(error, EVS_E_USAGE, "The Redis URL has a broken %%-escape in its user or password.");
    }
    return EVS_OK;
}

static evs_status parse_database(struct evs_slice text, struct evs_redis_address *address, struct evs_error *error)
{
    uint64_t number = 0;
    if (text.count > 0 && (!evs_redis_number_parse(text, &number) || number > DATABASE_MAX)) {
        return evs_fail(error, EVS_E_USAGE,
                        "The database in the Redis URL is '%.*s'; it must be a number from 0 to %d.", (int)text.count,
                        text.data, DATABASE_MAX);
    }
    address->database = (uint32_t)number;
    return EVS_OK;
}

/* The port behind the last colon, unless that colon belongs to an IPv6 address in brackets. */
static evs_status parse_host(struct evs_slice text, uint16_t port_default, struct evs_redis_address *address,
                             struct evs_error *error)
{
    struct evs_slice host = text, port = text;
    uint64_t number = port_default;
    bool bracketed = text.count > 0 && text.data[text.count - 1] == ']';
    if (!bracketed && cut(&port, ':', true, &host)) {
        if (!evs_redis_number_parse(port, &number) || number == 0 || number > UINT16_MAX) {
            return evs_fail(error, EVS_E_USAGE,
                            "The port in the Redis URL is '%.*s'; it must be a number from 1 to 65535.",
                            (int)port.count, port.data);
        }
    }
    if (host.count >= 2 && host.data[0] == '[' && host.data[host.count - 1] == ']') {
        host = (struct evs_slice){host.data + 1, host.count - 2};
    }
    if (host.count == 0 || host.count > HOST_MAX) {
        return evs_fail(error, EVS_E_USAGE, "The Redis URL names no host; write redis://host:port.");
    }
    if (address->endpoint_count == EVS_REDIS_ENDPOINTS_MAX) {
        return evs_fail(error, EVS_E_USAGE, "The Redis URL names more than %d servers; some of them are enough.",
                        EVS_REDIS_ENDPOINTS_MAX);
    }
    address->endpoints[address->endpoint_count++] =
        (struct evs_redis_host){evs_strndup(host.data, host.count), (uint16_t)number};
    return EVS_OK;
}

/* "host:port,host:port". */
static evs_status parse_hosts(struct evs_slice text, uint16_t port_default, struct evs_redis_address *address,
                              struct evs_error *error)
{
    struct evs_slice one;
    while (cut(&text, ',', false, &one)) {
        evs_status status = parse_host(one, port_default, address, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    return parse_host(text, port_default, address, error);
}

static evs_status parse_tcp(struct evs_slice rest, struct evs_redis_address *address, struct evs_error *error)
{
    struct evs_slice host = rest, before;
    struct evs_slice database = {0};
    if (cut(&rest, '/', false, &before)) {
        host = before;
        database = rest;
    }
    evs_status status = parse_database(database, address, error);
    if (status == EVS_OK) {
        status = parse_host(host, SERVER_PORT, address, error);
    }
    return status;
}

/* Behind the sentinels the name under which they know the master, then perhaps a database. */
static evs_status parse_sentinel(struct evs_slice rest, struct evs_redis_address *address, struct evs_error *error)
{
    struct evs_slice hosts = {0}, service, database = {0};
    service = cut(&rest, '/', false, &hosts) ? rest : (struct evs_slice){0};
    if (cut(&rest, '/', false, &service)) {
        database = rest;
    }
    if (service.count == 0) {
        return evs_fail(error, EVS_E_USAGE,
                        "The Redis URL of sentinels ends with the name of the master that they watch: "
                        "redis+sentinel://host:26379,host:26379/mymaster.");
    }
    address->service = percent_decoded(service);
    evs_status status =
        address->service != NULL
            ? parse_database(database, address, error)
            : evs_fail(error, EVS_E_USAGE, "The Redis URL has a broken %%-escape in the master's name.");
    return status == EVS_OK ? parse_hosts(hosts, SENTINEL_PORT, address, error) : status;
}

/* A cluster has only database 0. */
static evs_status parse_cluster(struct evs_slice rest, struct evs_redis_address *address, struct evs_error *error)
{
    struct evs_slice hosts = rest;
    if (cut(&rest, '/', false, &hosts) && rest.count > 0) {
        return evs_fail(error, EVS_E_USAGE, "A Redis Cluster has no numbered databases; leave '/%.*s' out of the URL.",
                        (int)rest.count, rest.data);
    }
    return parse_hosts(hosts, SERVER_PORT, address, error);
}

static evs_status parse_unix(struct evs_slice rest, struct evs_redis_address *address, struct evs_error *error)
{
    struct evs_slice path = rest, before;
    struct evs_slice database = {0};
    if (cut(&rest, '?', false, &before)) {
        path = before;
        if (!cut_prefix(&rest, "db=")) {
            return evs_fail(error, EVS_E_USAGE, "Behind the ? of a unix:// Redis URL only db=NUMBER is known.");
        }
        database = rest;
    }
    if (path.count == 0 || path.data[0] != '/') {
        return evs_fail(error, EVS_E_USAGE, "The Redis URL names no socket; write unix:///path/of/the.sock.");
    }
    address->path = evs_strndup(path.data, path.count);
    return parse_database(database, address, error);
}

struct scheme {
    const char *prefix;
    evs_status (*parse)(struct evs_slice rest, struct evs_redis_address *address, struct evs_error *error);
};

static const struct scheme schemes[] = {
    {"redis://", parse_tcp},
    {"rediss://", parse_tcp},
    {"unix://", parse_unix},
    {"redis+sentinel://", parse_sentinel},
    {"redis+cluster://", parse_cluster},
};

static void describe(const struct scheme *scheme, struct evs_redis_address *address)
{
    struct evs_buffer text = {0};
    evs_buffer_puts(&text, scheme->prefix);
    if (address->path != NULL) {
        evs_buffer_puts(&text, address->path);
    }
    for (uint32_t i = 0; i < address->endpoint_count; i++) {
        const struct evs_redis_host *host = &address->endpoints[i];
        bool v6 = strchr(host->name, ':') != NULL;
        evs_buffer_printf(&text, "%s%s%s%s:%u", i > 0 ? "," : "", v6 ? "[" : "", host->name, v6 ? "]" : "", host->port);
    }
    if (address->service != NULL) {
        evs_buffer_printf(&text, "/%s", address->service);
    }
    if (address->database != 0) {
        evs_buffer_printf(&text, address->path != NULL ? "?db=%u" : "/%u", address->database);
    }
    address->text = evs_strndup(text.data, text.count);
    evs_buffer_fini(&text);
}

evs_status evs_redis_address_parse(const char *url, struct evs_redis_address *address, struct evs_error *error)
{
    EVS_ASSERT(url != NULL && address != NULL);
    *address = (struct evs_redis_address){0};
    struct evs_slice rest = evs_slice_of(url), credentials;
    const struct scheme *scheme = schemes, *end = schemes + EVS_COUNT(schemes);
    while (scheme < end && !cut_prefix(&rest, scheme->prefix)) {
        scheme++;
    }
    if (scheme == end) {
        return evs_fail(error, EVS_E_USAGE,
                        "The Redis URL must begin with redis://, rediss://, unix://, redis+sentinel:// or "
                        "redis+cluster://.");
    }
    address->tls = strcmp(scheme->prefix, "rediss://") == 0;
    evs_status status = EVS_OK;
    if (cut(&rest, '@', true, &credentials)) {
        status = parse_credentials(credentials, address, error);
    }
    if (status == EVS_OK) {
        status = scheme->parse(rest, address, error);
    }
    if (status != EVS_OK) {
        evs_redis_address_fini(address);
        return status;
    }
    describe(scheme, address);
    return EVS_OK;
}

void evs_redis_address_fini(struct evs_redis_address *address)
{
    EVS_ASSERT(address != NULL);
    if (address->password != NULL) {
        explicit_bzero(address->password, strlen(address->password));
    }
    for (uint32_t i = 0; i < address->endpoint_count; i++) {
        evs_free(address->endpoints[i].name);
    }
    evs_free(address->service);
    evs_free(address->path);
    evs_free(address->user);
    evs_free(address->password);
    evs_free(address->text);
    *address = (struct evs_redis_address){0};
}
