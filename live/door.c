/* Who may come in: the Host check, the token, and the headers that keep a page of another site out. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "evstream/text.h"
#include "server.h"

/* The page is made of files of our own and nothing else; nobody may put it into a frame. */
#define POLICY                                                                                                         \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "              \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

void evs_door_put_headers(struct evhttp_request *request)
{
    static const char *const headers[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Content-Security-Policy", POLICY},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };
    struct evkeyvalq *out = evhttp_request_get_output_headers(request);
    for (size_t i = 0; i < EVS_COUNT(headers); i++) {
        evhttp_add_header(out, headers[i][0], headers[i][1]);
    }
}

static bool is_loopback_name(const char *host)
{
    char name[256];
    snprintf(name, sizeof name, "%s", host);
    if (name[0] == '[') {
        return strncmp(name, "[::1]", 5) == 0;
    }
    name[strcspn(name, ":")] = '\0';
    return evs_slice_equal_nocase(evs_slice_of(name), "localhost") || strncmp(name, "127.", 4) == 0;
}

/* Browsers say from where a request comes (Fetch Metadata): the interface answers to our own page and to programs. */
static bool is_foreign(struct evhttp_request *request)
{
    const char *site = evhttp_find_header(evhttp_request_get_input_headers(request), "Sec-Fetch-Site");
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    bool is_own = site == NULL || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    return !is_own && path != NULL && strncmp(path, "/api/", 5) == 0;
}

bool evs_door_is_welcome(const struct evs_live_server *server, struct evhttp_request *request)
{
    const char *host = evhttp_find_header(evhttp_request_get_input_headers(request), "Host");
    return (!server->is_loopback || host == NULL || is_loopback_name(host)) && !is_foreign(request);
}

/* --- the token ------------------------------------------------------------------------------------------------------------ */

/* What was given decides how long it takes, what is expected never does. */
static bool is_same(const char *given, const char *expected)
{
    size_t count = strlen(expected);
    unsigned different = strlen(given) != count;
    for (size_t i = 0; given[i] != '\0'; i++) {
        different |= (unsigned char)given[i] ^ (unsigned char)expected[i % count];
    }
    return different == 0;
}

static const char *given_token(struct evhttp_request *request)
{
    static const char scheme[] = "Bearer ";
    const char *value = evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
    bool is_bearer = value != NULL && strncasecmp(value, scheme, sizeof scheme - 1) == 0;
    return is_bearer ? value + sizeof scheme - 1 : NULL;
}

bool evs_door_opens_changes(const struct evs_live_server *server, struct evhttp_request *request)
{
    const char *given = given_token(request);
    return server->live->options.token != NULL && given != NULL && is_same(given, server->live->options.token);
}

bool evs_door_opens_rows(const struct evs_live_server *server, struct evhttp_request *request)
{
    return server->is_loopback || evs_door_opens_changes(server, request);
}

static void refuse(const struct evs_live_server *server, struct evhttp_request *request, const char *what)
{
    char sentence[300];
    if (server->live->options.token == NULL) {
        snprintf(sentence, sizeof sentence,
                 "%s, and this evstream was started without one: give it with --token-file or EVSTREAM_TOKEN.", what);
        evs_live_answer_error(request, 403, sentence);
        return;
    }
    bool is_wrong = given_token(request) != NULL;
    evhttp_add_header(evhttp_request_get_output_headers(request), "WWW-Authenticate", "Bearer realm=\"evstream\"");
    snprintf(sentence, sizeof sentence, is_wrong ? "%s, and the one that was sent is not the right one." : "%s.", what);
    evs_live_answer_error(request, 401, sentence);
}

bool evs_door_may_read_rows(const struct evs_live_server *server, struct evhttp_request *request)
{
    if (evs_door_opens_rows(server, request)) {
        return true;
    }
    refuse(server, request, "Rows are people's data: from another machine they are shown with the token only");
    return false;
}

bool evs_door_may_change(const struct evs_live_server *server, struct evhttp_request *request)
{
    if (evs_door_opens_changes(server, request)) {
        return true;
    }
    refuse(server, request, "Who changes something needs the token");
    return false;
}
