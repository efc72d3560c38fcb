/* Translation of what trackers send into canonical events: a request goes in, events, bad rows and the answer come out.
 *
 * Nothing here opens a socket, reads a clock or draws a random number: the server hands in the whole request, the time at
 * which it came and a few random bytes, so that a recorded request gives the same bytes on every run. Which protocol a
 * request speaks follows from its method and path alone (docs/events.md has the tables):
 *
 *   Segment, RudderStack, Jitsu   /v1/batch, /v1/track … and their short forms, /beacon/v1/batch, /api/s/…
 *   Snowplow                      POST /<vendor>/<version>, GET /i, /ice.png, /r/tp2
 *   PostHog                       /batch/, /e/, /i/v0/e/, /array/<key>/config(.js), /flags/ …
 *   Plausible, Umami, Matomo      /api/event, /api/send, /matomo.php
 *   our own                       POST /v1/events, GET /p.gif
 *
 * One bad event never fails its batch: it becomes a bad row with every reason why, and the others go on. A refusal of the
 * whole request (a body that is no JSON: 400; a key that nobody knows: 401; a path that nobody has: 404) has no events.
 *
 * Order of a request, as the server should run it:
 *   1. evs_protocol_knows(method, path) when the headers are there; OPTIONS is answered by the server from its allow-list.
 *   2. the body is read and inflated (by its first bytes 1f 8b: no header can be trusted).
 *   3. evs_protocol_translate. When `answer.status` is 200 (or 302) the answer is a promise: it is sent only when the events (and
 *      bad rows, which are dead letters) are stored; otherwise the server answers 503 with Retry-After in its place.
 *
 * Memory: a protocol is built once from its configuration, which it copies; it belongs to one thread. All that a
 * translation gives back lives in the arena that was handed in, or is static; the request may go at once. */
#ifndef EVS_PROTOCOL_H
#define EVS_PROTOCOL_H

#include "evstream/memory.h"
#include "evstream/text.h"

/* --- what comes in ---------------------------------------------------------------------------------------------------- */

struct evs_request {
    struct evs_slice method; /* "GET", "POST" */
    struct evs_slice path;   /* as it was sent, percent-encoded, without the query: "/v1/batch" */
    struct evs_slice query;  /* behind the "?"; empty when there is none */
    /* The value of a header by its lower-case name; {NULL, 0} when it is absent. Borrowed for the call. */
    struct evs_slice (*header)(void *context, const char *name);
    void *header_context;
    struct evs_slice body;           /* inflated; needs no padding */
    struct evs_slice remote_address; /* the client's address as text, X-Forwarded-For already judged by the server */
    int64_t received_us;             /* since 1970; UTC */
    uint8_t random[16];              /* for the new id of a cookie */
};

/* --- how it is judged -------------------------------------------------------------------------------------------------- */

/* A key that senders name, and the source that it stands for; several keys may stand for one source. Clients without a
 * write key name something else: Snowplow its app id, Umami its website id, Plausible its domain, Matomo its site id. */
struct evs_source_key {
    const char *key;
    const char *source; /* [A-Za-z0-9_-]{1,64}: it becomes a token of the subject */
};

enum evs_ip_policy {
    EVS_IP_TRUNCATE, /* /24 of IPv4, /48 of IPv6 */
    EVS_IP_DROP,
    EVS_IP_KEEP,
};

/* What a wish not to be followed does to an event: Do Not Track, Global Privacy Control, a consent that was refused. */
enum evs_wish_policy {
    EVS_WISH_RECORD,    /* noted in context.privacy, nothing else */
    EVS_WISH_ANONYMISE, /* ids, address and user agent are left out; identify, group and alias calls are dropped */
    EVS_WISH_DROP,      /* the event is dropped, the answer is 200 */
};

enum evs_bot_policy {
    EVS_BOT_MARK, /* context.bot = true */
    EVS_BOT_DROP, /* the answer is 200 */
    EVS_BOT_KEEP, /* not even looked at */
};

/* A JSON Schema for the properties of one type. An event's schema is `<type>/<major>`: what it says itself, else the
 * highest major that is here. */
struct evs_event_schema {
    const char *type;
    uint32_t major;
    struct evs_slice text;
};

struct evs_suppressed;
struct evs_protocol_config {
    uint32_t partitions; /* of the stream: 1 to 65,536 */
    const struct evs_source_key *keys;
    uint32_t key_count;
    const char *default_source; /* of a key that is unknown or absent; NULL: such a request is refused with 401 */

    bool ecommerce_names; /* "Product Added" becomes add_to_cart, … (docs/events.md) */
    enum evs_ip_policy ip;
    enum evs_wish_policy do_not_track, global_privacy_control, consent_denied;
    const char *consent_category; /* the category that must be granted; NULL: denied is only who denies everything */
    bool consent_required;        /* nothing said about consent counts as denied */
    enum evs_bot_policy bots;
    const struct evs_suppressed
        *suppressed; /* suppressed.h: who is left out altogether; NULL: nobody. Stays the caller's */
    const char *const *strip_parameters; /* names of query parameters whose values are taken out of every URL */
    uint32_t strip_parameter_count;

    /* Cookieless: no cookie is set or read, ids of the sender's device are dropped, and anonymous_id is
     * HMAC-SHA256(salt of the day, address|user agent|site). See evs_protocol_set_salt. */
    bool cookieless;
    const char *cookie_name;             /* of Snowplow's network id; NULL: "sp" */
    const char *cookie_domain;           /* NULL: of this host alone */
    bool cookie_secure;                  /* the server speaks TLS itself; else X-Forwarded-Proto: https says so */
    const char *const *redirect_domains; /* hosts (and what is below them) to which /r/tp2 may lead; none: 404 */
    uint32_t redirect_domain_count;

    const struct evs_event_schema *schemas;
    uint32_t schema_count;
    bool schema_required; /* an event of a type without a schema is a bad row */

    uint32_t event_bytes_max; /* of one canonical event; 0: 32 KiB */
    uint32_t event_depth_max; /* containers in containers of one event as sent; 0: 32 */
    uint32_t events_max;      /* of one request; 0: 10,000. More: 400 */
};

struct evs_protocol;
/* EVS_E_USAGE with a sentence for the user: a source's name, a schema that is none, … *protocol is NULL then. */
EVS_MUST_CHECK evs_status evs_protocol_new(const struct evs_protocol_config *config, struct evs_protocol **protocol,
                                           struct evs_error *error);
void evs_protocol_free(struct evs_protocol *protocol); /* NULL is allowed */

/* The salt of a day (days since 1970, UTC). Two days are kept. The owner draws salts at random, shares them among its
 * collectors and throws them away after two days: then nobody can lead an id back to an address. Without a salt for the
 * day of an event in cookieless mode the event has no anonymous_id. */
#define EVS_SALT_BYTES 32
void evs_protocol_set_salt(struct evs_protocol *protocol, int64_t day, const uint8_t salt[EVS_SALT_BYTES]);

/* --- what comes out ---------------------------------------------------------------------------------------------------- */

struct evs_event {
    struct evs_slice json; /* one canonical event: one line without its newline */
    struct evs_slice event_id;
    const char *source; /* the protocol's own */
    uint32_t partition;
};

/* A dead letter: {"_reason", "_reasons", "_source", "_protocol", "_ingested_at", "raw"} as one line. */
struct evs_bad_row {
    struct evs_slice json;
    const char *source;
    const struct evs_slice *reasons; /* at least one; whole sentences */
    uint32_t reason_count;
    uint32_t index; /* place among the events of the request, from 0 */
};

/* Events that were left out because somebody wished so. */
enum evs_dropped { EVS_DROPPED_PRIVACY, EVS_DROPPED_BOT, EVS_DROPPED_SUPPRESSED, EVS_DROPPED_COUNT };

enum evs_cors {
    EVS_CORS_REFLECT, /* the origin if it is allowed, with credentials, Vary: Origin */
    EVS_CORS_NONE,    /* an image or a redirect */
};

struct evs_answer_header {
    const char *name, *value;
};

struct evs_answer {
    uint32_t status; /* 200 or 302: a promise; 400, 401, 404: there are no events */
    const char *content_type;
    struct evs_slice body;
    const struct evs_answer_header *headers; /* beside Content-Type and those of CORS */
    uint32_t header_count;
    enum evs_cors cors;
    /* Not NULL: the answer is this file of the server's folder of libraries ("analytics.min.js"), or 404; there is no body. */
    const char *file;
};

/* What a preflight may be told: every header that one of the clients sends. */
#define EVS_CORS_ALLOW_HEADERS                                                                                         \
    "authorization, content-type, content-encoding, x-retry-count, anonymousid, sentat, x-write-key, sp-anonymous, "   \
    "x-umami-cache, traceparent"
#define EVS_CORS_ALLOW_METHODS "GET, POST, OPTIONS"

struct evs_translation {
    struct evs_answer answer;
    const char *protocol; /* "segment", "snowplow", …: a label for counters */
    const char *source;   /* of the request's key: what a rate limit goes by; NULL when it was refused before */
    const struct evs_event *events;
    uint32_t event_count;
    const struct evs_bad_row *bad_rows;
    uint32_t bad_row_count;
    uint32_t dropped[EVS_DROPPED_COUNT];
};

/* Whether a request with this method and path is one of the protocols'; what is not is the server's own, or 404. */
bool evs_protocol_knows(struct evs_slice method, struct evs_slice path);

/* Translates one request. Never fails: whatever is wrong is in the answer. Blocks on nothing. */
void evs_protocol_translate(struct evs_protocol *protocol, const struct evs_request *request, struct evs_arena *arena,
                            struct evs_translation *translation);

#endif
