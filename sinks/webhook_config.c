/* The options of the webhook sink, and what goes together.
 *
 * Options without a default in the table have one that depends on others: a preset's, else the one that the help names. Whatever can be wrong
 * is found here or when templates are bound, at `evstream check`, not when the first trigger goes out. */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "evstream_config.h"
#include "http_guard.h"
#include "webhook.h"

enum {
    OPTION_URL,
    OPTION_URL_ENV,
    OPTION_URL_FILE,
    OPTION_PRESET,
    OPTION_METHOD,
    OPTION_HEADERS,
    OPTION_CONTENT_TYPE,
    OPTION_BODY,
    OPTION_MAX_ITEMS,
    OPTION_BATCH,
    OPTION_REFUSED_ITEMS,
    OPTION_AUTH_ENV,
    OPTION_AUTH_FILE,
    OPTION_SECRET_ENV,
    OPTION_SECRET_FILE,
    OPTION_ORDER,
    OPTION_KEY,
    OPTION_CONCURRENCY,
    OPTION_RATE,
    OPTION_TIMEOUT,
    OPTION_RETRY_SCHEDULE,
    OPTION_GIVE_UP_AFTER,
    OPTION_REDIRECTS,
    OPTION_ALLOW_PRIVATE,
    OPTION_HTTP2,
    OPTION_PROXY,
    OPTION_CA_FILE,
    OPTION_CERT_FILE,
    OPTION_KEY_FILE,
};

/* The default schedule is that of Standard Webhooks, without its first, immediate try. */
const struct evs_option evs_webhook_options[] = {
    [OPTION_URL] = {.name = "url",
                    .kind = EVS_OPTION_TEMPLATE,
                    .help = "Where requests go: https://…; {column} holes in path and query are filled for each row, "
                            "percent-encoded."},
    [OPTION_URL_ENV] = {.name = "url_env",
                        .kind = EVS_OPTION_STRING,
                        .help = "Instead of `url`: the environment variable that holds it, for a URL that is a secret "
                                "itself (Slack, Teams)."},
    [OPTION_URL_FILE] = {.name = "url_file",
                         .kind = EVS_OPTION_STRING,
                         .help = "Instead of `url`: the file that holds it; read again when it changes."},
    [OPTION_PRESET] = {.name = "preset",
                       .kind = EVS_OPTION_ENUM,
                       .choices = "braze|klaviyo|customerio|iterable",
                       .help = "What this service wants: path, headers, body, lists and rate; other options win."},
    [OPTION_METHOD] = {.name = "method",
                       .kind = EVS_OPTION_ENUM,
                       .fallback = "POST",
                       .choices = "POST|PUT|PATCH",
                       .help = "The method of a request."},
    [OPTION_HEADERS] = {.name = "headers",
                        .kind = EVS_OPTION_STRING,
                        .help = "Lines `Name: value`; {column} holes are filled for each row, {auth} stands for the "
                                "credential, {auth|base64} for its base64."},
    [OPTION_CONTENT_TYPE] = {.name = "content_type",
                             .kind = EVS_OPTION_STRING,
                             .help = "Of the body; without it application/json. application/x-www-form-urlencoded "
                                     "percent-encodes the holes of a body."},
    [OPTION_BODY] = {.name = "body",
                     .kind = EVS_OPTION_STRING,
                     .help =
                         "The body of a row, with holes: {\"email\": {email}}; checked to be JSON where the content "
                         "type is. Without it the row in its format."},
    [OPTION_MAX_ITEMS] = {.name = "max_items",
                          .kind = EVS_OPTION_INT,
                          .min = 1,
                          .max = 10000,
                          .help = "How many rows one request may carry, as a list; without it 1, no list."},
    [OPTION_BATCH] = {.name = "batch",
                      .kind = EVS_OPTION_STRING,
                      .help = "What is round a list, as in {\"events\": {items}}; without it the list alone."},
    [OPTION_REFUSED_ITEMS] = {.name = "refused_items",
                              .kind = EVS_OPTION_STRING,
                              .help = "Where an answer of 2xx names rows of the list that it has not taken, as in "
                                      "errors.index: an array, and the member of its elements that is the row's place, "
                                      "from 0."},
    [OPTION_AUTH_ENV] = {.name = "auth_env",
                         .kind = EVS_OPTION_STRING,
                         .help = "The environment variable with the credential for {auth}; without a header that names "
                                 "it, it is sent as `Authorization: Bearer …`."},
    [OPTION_AUTH_FILE] = {.name = "auth_file",
                          .kind = EVS_OPTION_STRING,
                          .help = "The same from a file, read again when it changes."},
    [OPTION_SECRET_ENV] = {.name = "secret_env",
                           .kind = EVS_OPTION_STRING,
                           .help = "The environment variable with the secret that signs (whsec_…, Standard Webhooks); "
                                   "during a rotation two, with a space between them."},
    [OPTION_SECRET_FILE] = {.name = "secret_file",
                            .kind = EVS_OPTION_STRING,
                            .help = "The same from a file, read again when it changes."},
    [OPTION_ORDER] = {.name = "order",
                      .kind = EVS_OPTION_ENUM,
                      .fallback = "key",
                      .choices = "key|none",
                      .help = "key: a row waits until those before it of its key are delivered or dead. none: any may "
                              "overtake any."},
    [OPTION_KEY] = {.name = "key",
                    .kind = EVS_OPTION_TEMPLATE,
                    .help = "What `order` goes by, as in {user_id}; without it the key of the rows' last operator that "
                            "has one; rows without any are in no order."},
    [OPTION_CONCURRENCY] = {.name = "concurrency",
                            .kind = EVS_OPTION_INT,
                            .fallback = "20",
                            .min = 1,
                            .max = 2000,
                            .help = "Requests under way at most, over all workers."},
    [OPTION_RATE] = {.name = "rate",
                     .kind = EVS_OPTION_STRING,
                     .help = "Requests at most, as in '100 per second' or '350 per second, 3500 per minute'; without "
                             "it as many as go."},
    [OPTION_TIMEOUT] = {.name = "timeout",
                        .kind = EVS_OPTION_DURATION,
                        .fallback = "20s",
                        .min = 100000,
                        .max = INT64_C(600) * 1000000,
                        .help = "Of a request, from its beginning to the last byte of the answer."},
    [OPTION_RETRY_SCHEDULE] = {.name = "retry_schedule",
                               .kind = EVS_OPTION_STRING,
                               .fallback = "5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h",
                               .help = "How long after each failed try the next one comes, at most: the time is drawn "
                                       "anew each time. The last one goes on."},
    [OPTION_GIVE_UP_AFTER] = {.name = "give_up_after",
                              .kind = EVS_OPTION_DURATION,
                              .fallback = "1 day",
                              .min = 1000,
                              .help = "How long after its row a message is tried; then it is a dead letter."},
    [OPTION_REDIRECTS] = {.name = "redirects",
                          .kind = EVS_OPTION_INT,
                          .fallback = "0",
                          .min = 0,
                          .max = 10,
                          .help = "How many redirects are followed, to https only; 0: a redirect is a failure."},
    [OPTION_ALLOW_PRIVATE] = {.name = "allow_private",
                              .kind = EVS_OPTION_BOOL,
                              .fallback = "false",
                              .help = "Allows addresses of this machine and of private networks, and http:// without "
                                      "TLS."},
    [OPTION_HTTP2] = {.name = "http2",
                      .kind = EVS_OPTION_BOOL,
                      .fallback = "true",
                      .help = "Whether HTTP/2 is used where the receiver offers it."},
    [OPTION_PROXY] = {.name = "proxy",
                      .kind = EVS_OPTION_STRING,
                      .help =
                          "A proxy, as in http://proxy:3128, which then is who looks at addresses. Without it none, "
                          "whatever the environment says."},
    [OPTION_CA_FILE] = {.name = "ca_file",
                        .kind = EVS_OPTION_STRING,
                        .help = "Certificates (PEM) to trust instead of the system's."},
    [OPTION_CERT_FILE] = {.name = "cert_file",
                          .kind = EVS_OPTION_STRING,
                          .help = "The client's certificate (PEM), for receivers that ask for one."},
    [OPTION_KEY_FILE] = {.name = "key_file", .kind = EVS_OPTION_STRING, .help = "Its private key (PEM)."},
    {.name = NULL},
};

/* What is being configured. */
struct making {
    const struct evs_option_value *values;
    const struct evs_webhook_preset *preset; /* NULL: none */
    struct evs_arena *arena;
    struct evs_webhook *webhook;
    struct evs_error *error;
};

static const char *text_of(const struct making *making, int option)
{
    const struct evs_option_value *value = &making->values[option];
    return value->is_set ? evs_arena_strndup(making->arena, value->text.data, value->text.count) : NULL;
}

/* The user's, else the preset's, else this. */
static const char *text_or(const struct making *making, int option, const char *of_preset, const char *other)
{
    const char *own = text_of(making, option);
    return own != NULL ? own : making->preset != NULL && of_preset != NULL ? of_preset : other;
}

static int64_t number_of(const struct making *making, int option)
{
    return making->values[option].integer;
}

#define REFUSE(making, ...) evs_fail((making)->error, EVS_E_PIPELINE, __VA_ARGS__)

/* --- secrets ----------------------------------------------------------------------------------------------------------- */

static bool is_variable_name(const char *name)
{
    size_t count = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return count > 0 && name[count] == '\0' && !isdigit((unsigned char)name[0]) && strncmp(name, "whsec_", 6) != 0;
}

static evs_status name_secret(const struct making *making, const char *option, int env, int file,
                              struct evs_secret *secret)
{
    *secret = (struct evs_secret){.option = option, .env = text_of(making, env), .file = text_of(making, file)};
    if (secret->env != NULL && secret->file != NULL) {
        return REFUSE(making, "`%s_env` and `%s_file` are two places for one secret; name one of them.", option,
                      option);
    }
    if (secret->env != NULL && !is_variable_name(secret->env)) {
        return REFUSE(making,
                      "`%s_env` takes the name of an environment variable, such as SHOP_KEY. A secret itself does not "
                      "belong into a pipeline, which is stored and shown.",
                      option);
    }
    return EVS_OK;
}

static evs_status name_secrets(const struct making *making)
{
    struct evs_webhook *webhook = making->webhook;
    evs_status status = name_secret(making, "auth", OPTION_AUTH_ENV, OPTION_AUTH_FILE, &webhook->auth);
    if (status == EVS_OK) {
        status = name_secret(making, "secret", OPTION_SECRET_ENV, OPTION_SECRET_FILE, &webhook->signing);
    }
    if (status == EVS_OK) {
        status = name_secret(making, "url", OPTION_URL_ENV, OPTION_URL_FILE, &webhook->url_secret);
    }
    if (status == EVS_OK && making->preset != NULL && !evs_secret_is_named(&webhook->auth)) {
        status =
            REFUSE(making, "The preset %s needs a credential: auth_env or auth_file names where it is. It takes %s.",
                   making->preset->name, making->preset->needs);
    }
    return status;
}

/* --- the URL ----------------------------------------------------------------------------------------------------------- */

struct authority {
    const char *begin, *end;
};

/* Between the scheme and the path; begin NULL: this is no URL. */
static struct authority authority_of(const char *url, bool *is_tls)
{
    bool is_https = strncasecmp(url, "https://", 8) == 0, is_http = strncasecmp(url, "http://", 7) == 0;
    *is_tls = is_https;
    if (!is_https && !is_http) {
        return (struct authority){0};
    }
    const char *begin = url + (is_https ? 8 : 7);
    return (struct authority){begin, begin + strcspn(begin, "/?#")};
}

static bool is_private_host(struct authority authority)
{
    char host[256];
    const char *end = authority.end;
    while (end > authority.begin && isdigit((unsigned char)end[-1])) {
        end--;
    }
    end = end > authority.begin && end[-1] == ':' ? end - 1 : authority.end; /* without the port */
    snprintf(host, sizeof host, "%.*s", (int)(end - authority.begin), authority.begin);
    return evs_host_is_private(host);
}

evs_status evs_webhook_check_url(const struct evs_webhook *webhook, const char *url, struct evs_error *error)
{
    bool allow_private = webhook->how.allow_private, is_tls = false;
    struct authority authority = authority_of(url, &is_tls);
    if (authority.begin == NULL || authority.begin == authority.end) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "`url` is no address of a web server: it begins with https:// and a host.");
    }
    size_t count = (size_t)(authority.end - authority.begin);
    if (memchr(authority.begin, '@', count) != NULL) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "`url` holds a user or a password, which do not belong into a pipeline. Name their place with "
                        "auth_env or auth_file, and add the header `Authorization: Basic {auth|base64}`.");
    }
    if (memchr(authority.begin, '{', count) != NULL) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "`url` has a hole in its host: rows may decide about path and query, not about the server that "
                        "gets them. Make a sink for each server.");
    }
    if (!is_tls && !allow_private) {
        return evs_fail(
            error, EVS_E_PIPELINE,
            "`url` begins with http://, so that everybody on the way could read what is sent. Use https://, "
            "or say allow_private = true for a server of your own network.");
    }
    if (!allow_private && webhook->how.proxy == NULL && is_private_host(authority)) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "`url` is an address of this machine or of a private network. Say allow_private = true if that "
                        "is meant.");
    }
    return EVS_OK;
}

/* A preset's path is added to a URL that has none. */
static const char *whole_url(const struct making *making)
{
    const char *url = text_of(making, OPTION_URL);
    const struct evs_webhook_preset *preset = making->preset;
    if (preset == NULL) {
        return url;
    }
    url = url != NULL ? url : preset->server;
    bool is_tls;
    struct authority authority = url == NULL ? (struct authority){0} : authority_of(url, &is_tls);
    bool has_path = authority.begin != NULL && authority.end[0] != '\0' && strcmp(authority.end, "/") != 0;
    return authority.begin == NULL || has_path
               ? url
               : evs_arena_printf(making->arena, "%.*s%s", (int)(authority.end - url), url, preset->path);
}

static evs_status set_url(const struct making *making)
{
    struct evs_webhook *webhook = making->webhook;
    bool is_secret = evs_secret_is_named(&webhook->url_secret);
    const char *url = whole_url(making);
    if (is_secret && making->values[OPTION_URL].is_set) {
        return REFUSE(making, "`url` and `url_%s` are two places for one address; name one of them.",
                      webhook->url_secret.env != NULL ? "env" : "file");
    }
    if (is_secret) {
        return EVS_OK;
    }
    if (url == NULL && making->preset != NULL) {
        return REFUSE(making, "The preset %s needs `url`: the server of your account, such as %s.",
                      making->preset->name, "https://rest.fra-02.braze.eu");
    }
    if (url == NULL) {
        return REFUSE(making, "The connector webhook needs `url`, the address that requests go to (or url_env or "
                              "url_file, where the address itself is a secret).");
    }
    webhook->url = evs_slice_of(url);
    webhook->url_has_holes = strchr(url, '{') != NULL;
    return evs_webhook_check_url(webhook, url, making->error);
}

/* --- headers ----------------------------------------------------------------------------------------------------------- */

static bool is_token(struct evs_slice text)
{
    for (size_t i = 0; i < text.count; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (!isalnum(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return text.count > 0;
}

/* The request's own: two of them would mean two things. */
static bool is_ours(struct evs_slice name)
{
    static const char *const ours[] = {
        "content-type",      "content-length",    "transfer-encoding", "connection", "host",      "webhook-id",
        "webhook-timestamp", "webhook-signature", "idempotency-key",   "expect",     "user-agent"};
    for (size_t i = 0; i < EVS_COUNT(ours); i++) {
        if (evs_slice_equal_nocase(name, ours[i])) {
            return true;
        }
    }
    return false;
}

static bool holds_nocase(struct evs_slice text, const char *word)
{
    size_t count = strlen(word);
    for (size_t i = 0; i + count <= text.count; i++) {
        if (strncasecmp(text.data + i, word, count) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_for_secrets(struct evs_slice name)
{
    static const char *const words[] = {"authorization", "cookie", "api-key", "apikey", "token", "secret", "password"};
    for (size_t i = 0; i < EVS_COUNT(words); i++) {
        if (holds_nocase(name, words[i])) {
            return true;
        }
    }
    return false;
}

static struct evs_slice trimmed(struct evs_slice text)
{
    while (text.count > 0 && isspace((unsigned char)text.data[0])) {
        text = (struct evs_slice){text.data + 1, text.count - 1};
    }
    while (text.count > 0 && isspace((unsigned char)text.data[text.count - 1])) {
        text.count--;
    }
    return text;
}

static evs_status check_header(const struct making *making, const struct evs_webhook_header *header)
{
    int count = (int)header->name.count;
    const char *name = header->name.data;
    if (is_ours(header->name)) {
        return REFUSE(making, "`headers` sets %.*s, which the sink sets itself%s.", count, name,
                      evs_slice_equal_nocase(header->name, "content-type") ? ": use the option content_type" : "");
    }
    if (header->kind == EVS_HEADER_AUTH && !evs_secret_is_named(&making->webhook->auth)) {
        return REFUSE(making, "`headers` has {auth}, but neither auth_env nor auth_file says where the credential is.");
    }
    if (header->kind != EVS_HEADER_AUTH && is_for_secrets(header->name)) {
        return REFUSE(making,
                      "`headers` has a value for %.*s. A secret does not belong into a pipeline, which is stored and "
                      "shown: write `%.*s: {auth}`, and say with auth_env or auth_file where it is.",
                      count, name, count, name);
    }
    return EVS_OK;
}

/* {auth} with a column beside it would have to be written anew into the outbox at every change of the secret. */
static evs_status read_header(const struct making *making, struct evs_slice line, struct evs_webhook_header **end)
{
    const char *colon = memchr(line.data, ':', line.count);
    struct evs_slice name = {line.data, colon == NULL ? 0 : (size_t)(colon - line.data)};
    if (colon == NULL || !is_token(name)) {
        return REFUSE(making, "`headers` has the line `%.*s`, which is not of the form Name: value.", (int)line.count,
                      line.data);
    }
    struct evs_webhook_header *header = EVS_ARENA_NEW(making->arena, struct evs_webhook_header);
    header->name = name;
    header->value = trimmed((struct evs_slice){colon + 1, line.count - name.count - 1});
    bool has_auth = holds_nocase(header->value, "{auth}") || holds_nocase(header->value, "{auth|base64}");
    bool has_hole = header->value.count > 0 && memchr(header->value.data, '{', header->value.count) != NULL;
    header->kind = has_auth ? EVS_HEADER_AUTH : has_hole ? EVS_HEADER_OF_ROW : EVS_HEADER_FIXED;
    for (size_t i = 0; i < header->value.count; i++) {
        if ((unsigned char)header->value.data[i] < 0x20) {
            return REFUSE(making, "`headers` has a control character in the value of %.*s.", (int)name.count,
                          name.data);
        }
    }
    *end = header;
    return check_header(making, header);
}

static evs_status read_headers(const struct making *making, struct evs_slice text)
{
    struct evs_webhook *webhook = making->webhook;
    struct evs_webhook_header **end = &webhook->headers;
    evs_status status = EVS_OK;
    bool has_auth = false;
    while (status == EVS_OK && text.count > 0) {
        const char *newline = memchr(text.data, '\n', text.count);
        size_t count = newline == NULL ? text.count : (size_t)(newline - text.data);
        struct evs_slice line = trimmed((struct evs_slice){text.data, count});
        if (line.count > 0) {
            status = read_header(making, line, end);
            has_auth = has_auth || (status == EVS_OK && (*end)->kind == EVS_HEADER_AUTH);
            end = *end == NULL ? end : &(*end)->next;
        }
        count += newline != NULL;
        text = (struct evs_slice){text.data + count, text.count - count};
    }
    if (status == EVS_OK && !has_auth && evs_secret_is_named(&webhook->auth)) {
        status = read_header(making, EVS_SLICE("Authorization: Bearer {auth}"), end);
    }
    return status;
}

/* --- body -------------------------------------------------------------------------------------------------------------- */

static enum evs_body_kind kind_of_body(const char *content_type)
{
    struct evs_slice type = trimmed((struct evs_slice){content_type, strcspn(content_type, ";")});
    bool is_json = type.count >= 4 && strncasecmp(type.data + type.count - 4, "json", 4) == 0;
    return is_json                                                             ? EVS_BODY_JSON
           : evs_slice_equal_nocase(type, "application/x-www-form-urlencoded") ? EVS_BODY_FORM
                                                                               : EVS_BODY_TEXT;
}

/* The list's surroundings are JSON with one hole. */
static evs_status read_batch(const struct making *making, const char *text)
{
    static const struct evs_type json = {.kind = EVS_JSON};
    static const struct evs_field field = {"items", &json, false};
    static const struct evs_schema schema = {1, &field};
    struct evs_webhook *webhook = making->webhook;
    const struct evs_body_template *checked;
    const char *hole = strstr(text, "{items}");
    if (hole == NULL || strstr(hole + 1, "{items}") != NULL) {
        return REFUSE(making, "`batch` has the hole {items} once, where the list stands, as in {\"events\": {items}}.");
    }
    struct evs_error why;
    if (evs_body_bind(evs_slice_of(text), EVS_BODY_JSON, &schema, making->arena, &checked, &why) != EVS_OK) {
        return REFUSE(making, "`batch`: %s", why.text);
    }
    webhook->batch_head = (struct evs_slice){text, (size_t)(hole - text)};
    webhook->batch_tail = evs_slice_of(hole + strlen("{items}"));
    return EVS_OK;
}

static evs_status set_body(const struct making *making)
{
    const struct evs_webhook_preset *preset = making->preset;
    struct evs_webhook *webhook = making->webhook;
    const char *body = text_or(making, OPTION_BODY, preset == NULL ? NULL : preset->body, NULL);
    webhook->content_type = text_or(making, OPTION_CONTENT_TYPE, preset == NULL ? NULL : preset->content_type, NULL);
    webhook->body = body == NULL ? (struct evs_slice){0} : evs_slice_of(body);
    webhook->body_kind = kind_of_body(webhook->content_type != NULL ? webhook->content_type : "application/json");
    if (webhook->content_type != NULL && body == NULL) {
        return REFUSE(making, "`content_type` says what a `body` is; without one the format says it.");
    }
    const struct evs_option_value *items = &making->values[OPTION_MAX_ITEMS];
    webhook->items_max = items->is_set                             ? (uint32_t)items->integer
                         : preset != NULL && preset->items_max > 0 ? preset->items_max
                                                                   : 1;
    if (webhook->items_max > 1 && webhook->body_kind != EVS_BODY_JSON) {
        return REFUSE(making,
                      "`max_items` makes lists of JSON, and `content_type` says that the body is something else.");
    }
    const char *batch = text_or(making, OPTION_BATCH, preset == NULL ? NULL : preset->batch, NULL);
    if (batch != NULL && webhook->items_max == 1 && making->values[OPTION_BATCH].is_set) {
        return REFUSE(making, "`batch` is round a list: say with max_items how long it may be.");
    }
    return webhook->items_max > 1 ? read_batch(making, batch != NULL ? batch : "{items}") : EVS_OK;
}

/* "body.errors.index": the path of an array, and a member of its elements. */
static evs_status set_refused_items(const struct making *making)
{
    const struct evs_webhook_preset *preset = making->preset;
    struct evs_webhook *webhook = making->webhook;
    const char *path = text_or(making, OPTION_REFUSED_ITEMS, preset == NULL ? NULL : preset->refused_items, NULL);
    if (path == NULL) {
        return EVS_OK;
    }
    const char *dot = strrchr(path, '.');
    bool is_path = dot != NULL && dot > path && dot[1] != '\0' && path[0] != '.' && strstr(path, "..") == NULL &&
                   strpbrk(path, " $[]{}\"'") == NULL;
    if (!is_path) {
        return REFUSE(making,
                      "`refused_items` has `%s`; it takes the names on the way to an array, and the member of its "
                      "elements that is a row's place in the list, with dots between them, as in errors.index.",
                      path);
    }
    webhook->refused_items = evs_arena_strndup(making->arena, path, (size_t)(dot - path));
    webhook->refused_member = dot + 1;
    webhook->how.reads_answers = true;
    return EVS_OK;
}

/* --- pace -------------------------------------------------------------------------------------------------------------- */

/* The next part between commas; count 0: there is none. */
static struct evs_slice next_part(struct evs_slice *rest)
{
    const char *comma = rest->count == 0 ? NULL : memchr(rest->data, ',', rest->count);
    size_t count = comma == NULL ? rest->count : (size_t)(comma - rest->data);
    struct evs_slice part = trimmed((struct evs_slice){rest->data, count});
    count += comma != NULL;
    *rest = (struct evs_slice){rest->data + count, rest->count - count};
    return part;
}

#define RATE_MAX 100000

/* "100 per second", "3000 per 3 seconds". */
static bool read_rate(struct evs_slice part, struct evs_webhook_rate *rate)
{
    static const char per[] = " per ";
    char period[64];
    int64_t count = 0;
    const char *middle = part.count == 0 ? NULL : memmem(part.data, part.count, per, sizeof per - 1);
    if (middle == NULL) {
        return false;
    }
    struct evs_slice number = {part.data, (size_t)(middle - part.data)};
    struct evs_slice rest = {middle + sizeof per - 1, part.count - number.count - (sizeof per - 1)};
    if (rest.count == 0 || rest.count > sizeof period - 3 || !evs_parse_int64(number, &count)) {
        return false;
    }
    const char *one = isdigit((unsigned char)rest.data[0]) ? "" : "1 ";
    snprintf(period, sizeof period, "%s%.*s", one, (int)rest.count, rest.data);
    rate->count = count >= 1 && count <= RATE_MAX ? (uint32_t)count : 0;
    return rate->count > 0 && evs_parse_duration(evs_slice_of(period), &rate->period_us) && rate->period_us > 0;
}

evs_status evs_webhook_read_rates(struct evs_slice text, struct evs_webhook *webhook, struct evs_error *error)
{
    webhook->rate_count = 0;
    do {
        struct evs_slice part = next_part(&text);
        if (webhook->rate_count == EVS_WEBHOOK_RATES_MAX || !read_rate(part, &webhook->rates[webhook->rate_count])) {
            return evs_fail(error, EVS_E_PIPELINE,
                            "`rate` has `%.*s`; it takes up to %u limits such as '100 per second' or '3000 per 3 "
                            "seconds', each of at most %d requests, with commas between them.",
                            (int)part.count, part.data, EVS_WEBHOOK_RATES_MAX, RATE_MAX);
        }
        webhook->rate_count++;
    } while (text.count > 0);
    return EVS_OK;
}

evs_status evs_webhook_read_schedule(struct evs_slice text, struct evs_webhook *webhook, struct evs_error *error)
{
    webhook->retry_count = 0;
    do {
        struct evs_slice part = next_part(&text);
        int64_t *retry_us = &webhook->retries_us[webhook->retry_count];
        if (webhook->retry_count == EVS_WEBHOOK_RETRIES_MAX || !evs_parse_duration(part, retry_us) ||
            *retry_us < 1000) {
            return evs_fail(error, EVS_E_PIPELINE,
                            "`retry_schedule` has `%.*s`; it takes up to %u times such as '5s, 5 minutes, 2h', each of "
                            "a millisecond at least.",
                            (int)part.count, part.data, EVS_WEBHOOK_RETRIES_MAX);
        }
        webhook->retry_count++;
        if (webhook->retry_count == EVS_WEBHOOK_RETRIES_MAX && text.count > 0) {
            return evs_fail(error, EVS_E_PIPELINE, "`retry_schedule` has more than %u times.", EVS_WEBHOOK_RETRIES_MAX);
        }
    } while (text.count > 0);
    return EVS_OK;
}

static evs_status set_pace(const struct making *making)
{
    struct evs_webhook *webhook = making->webhook;
    const char *rate = text_or(making, OPTION_RATE, making->preset == NULL ? NULL : making->preset->rate, NULL);
    const char *key = text_of(making, OPTION_KEY);
    webhook->give_up_us = number_of(making, OPTION_GIVE_UP_AFTER);
    webhook->is_ordered = number_of(making, OPTION_ORDER) == 0;
    webhook->key = key == NULL ? (struct evs_slice){0} : evs_slice_of(key);
    if (key != NULL && !webhook->is_ordered) {
        return REFUSE(making, "`key` says what the order goes by, and `order` says that there is none.");
    }
    evs_status status =
        evs_webhook_read_schedule(evs_slice_of(text_of(making, OPTION_RETRY_SCHEDULE)), webhook, making->error);
    return status == EVS_OK && rate != NULL ? evs_webhook_read_rates(evs_slice_of(rate), webhook, making->error)
                                            : status;
}

static evs_status set_how(const struct making *making)
{
    struct evs_http_how *how = &making->webhook->how;
    *how = (struct evs_http_how){
        .concurrency = (uint32_t)number_of(making, OPTION_CONCURRENCY),
        .timeout_us = number_of(making, OPTION_TIMEOUT),
        .redirects = (uint32_t)number_of(making, OPTION_REDIRECTS),
        .allow_private = number_of(making, OPTION_ALLOW_PRIVATE) != 0,
        .http2 = number_of(making, OPTION_HTTP2) != 0,
        .proxy = text_of(making, OPTION_PROXY),
        .ca_file = text_of(making, OPTION_CA_FILE),
        .cert_file = text_of(making, OPTION_CERT_FILE),
        .key_file = text_of(making, OPTION_KEY_FILE),
        .user_agent = "evstream/" EVS_VERSION,
    };
    if ((how->cert_file == NULL) != (how->key_file == NULL)) {
        return REFUSE(making, "`cert_file` and `key_file` go together: a certificate and its private key.");
    }
    return EVS_OK;
}

evs_status evs_webhook_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                                 struct evs_error *error)
{
    struct making making = {
        .values = values, .arena = arena, .webhook = EVS_ARENA_NEW(arena, struct evs_webhook), .error = error};
    if (values[OPTION_PRESET].is_set) {
        making.preset = evs_webhook_preset(values[OPTION_PRESET].text);
        making.webhook->preset = making.preset->name;
    }
    making.webhook->method = text_of(&making, OPTION_METHOD);
    evs_status (*const steps[])(const struct making *making) = {set_how,  name_secrets,      set_url,
                                                                set_body, set_refused_items, set_pace};
    evs_status status = EVS_OK;
    for (size_t i = 0; status == EVS_OK && i < EVS_COUNT(steps); i++) {
        status = steps[i](&making);
    }
    const char *headers = text_or(&making, OPTION_HEADERS, making.preset == NULL ? NULL : making.preset->headers, "");
    *config = making.webhook;
    return status == EVS_OK ? read_headers(&making, evs_slice_of(headers)) : status;
}
