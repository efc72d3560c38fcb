/* One translation at work: what the protocols' files share. Private to this folder.
 *
 *   translate.c   route ─► key ─► handler of the protocol
 *   <protocol>.c  body or query ─► drafts of events, and the answer's form
 *   event.c       draft ─► privacy ─► schema ─► canonical event, or a bad row with all its reasons
 *
 * A handler is called with the answer unset. It authenticates first (evs_call_key), drafts every event that it finds, and
 * says how to answer; or it refuses, and then there are no events. */
#ifndef EVS_CALL_H
#define EVS_CALL_H

#include "json_tree.h"
#include "protocol.h"

struct evs_regexp;
struct evs_json_reader;
struct evs_schema_set;

#define EVS_SALTS_KEPT 2

struct evs_salt {
    int64_t day;
    bool is_set;
    uint8_t bytes[EVS_SALT_BYTES];
};

struct evs_id_mark {
    struct evs_hash128 id;
    uint32_t count; /* 0: an empty place */
};

struct evs_protocol {
    struct evs_arena arena; /* the configuration's copy */
    struct evs_protocol_config config;
    struct evs_strip strip;
    struct evs_json_reader *reader;
    struct evs_regexp *bots;
    struct evs_schema_set *schemas; /* NULL: none */
    struct evs_salt salts[EVS_SALTS_KEPT];
    /* Scratch of the call at work; kept for the next one. */
    struct evs_buffer buffer;
    struct evs_event *events;
    uint32_t event_capacity;
    struct evs_bad_row *bad_rows;
    uint32_t bad_row_capacity;
    struct evs_id_mark *marks; /* a hash table: derived ids of this request */
    uint32_t mark_capacity;
};

struct evs_call {
    struct evs_protocol *protocol;
    const struct evs_request *request;
    struct evs_arena *arena;
    struct evs_translation *out;
    const char *source;             /* of the key */
    struct evs_slice stars[2];      /* what the stars of the route stand for */
    const char *name;               /* the protocol's: context.origin.protocol */
    struct evs_slice sent_text;     /* the request's sentAt; empty: none */
    const struct evs_tree *context; /* of all events of the request, where the protocol has that; NULL: none */
    bool no_address;                /* the sender asked for it: SP-Anonymous */
    bool is_of_visitor;             /* only visitors' own programs send so: the address and the user agent are theirs */
    uint32_t event_index;
    uint32_t mark_count;
};

/* --- events ------------------------------------------------------------------------------------------------------------- */

#define EVS_REASONS_MAX 16u

enum evs_consent { EVS_CONSENT_UNKNOWN, EVS_CONSENT_GRANTED, EVS_CONSENT_DENIED };

/* What the visitor of an event wishes, and what the source's policies make of it (privacy.h). */
struct evs_wishes {
    bool do_not_track, global_privacy_control;
    enum evs_consent consent;
    enum evs_wish_policy policy; /* the strictest that applies */
};

/* An event on its way. Zero it, fill what the sender said, hand it to evs_event_take. */
struct evs_draft {
    struct evs_slice call; /* "track", "page", "pv": the sender's word */
    struct evs_slice type; /* the canonical type; empty: `name` in snake_case */
    struct evs_slice name; /* of a track call, as sent */
    struct evs_slice event_id, user_id, anonymous_id, session_id;
    struct evs_slice time_text;            /* the sender's clock; empty: none */
    struct evs_slice sent_text;            /* when it was sent, by the same clock; empty: the request's */
    bool time_is_true;                     /* no correction */
    struct evs_tree *properties, *context; /* of the sender, or built; NULL: none */
    struct evs_tree *origin;               /* more members of context.origin; NULL: none */
    struct evs_slice schema;               /* "<type>/<major>" as the sender says; empty: none */
    struct evs_slice traceparent;          /* empty: the request's */
    const char *source;                    /* NULL: the request's */
    bool is_person;                        /* about who somebody is: dropped when the event is made anonymous */

    struct evs_wishes wishes; /* filled by evs_privacy_apply */

    const struct evs_tree *sent; /* the event as a tree, for its size, depth and derived id; NULL: raw alone */
    struct evs_slice raw;        /* the event as sent, for a bad row; empty: sent's text */

    struct evs_slice reasons[EVS_REASONS_MAX];
    uint32_t reason_count;
};

/* One more reason why the event is a bad row; a whole sentence. */
void evs_draft_reject(struct evs_call *call, struct evs_draft *draft, const char *format, ...) EVS_PRINTF(3, 4);
/* Whether an event as it was sent may be looked at: one that is too large is a bad row at once, so that nobody's work grows
 * with more than the largest event. The first thing to ask. */
bool evs_event_fits(struct evs_call *call, struct evs_slice raw);
/* Finishes the draft: it becomes an event or a bad row of the call, or is dropped by a wish. */
void evs_event_take(struct evs_call *call, struct evs_draft *draft);
/* A text that is no event at all, with the reason. */
void evs_event_refuse(struct evs_call *call, struct evs_slice raw, const char *format, ...) EVS_PRINTF(3, 4);

/* The type that a track call of this name gets; empty when nothing of the name is left. */
struct evs_slice evs_event_type(const struct evs_call *call, struct evs_slice name);

/* --- contexts in the common vocabulary, which is Segment's -------------------------------------------------------------- */

/* page {url, path, search, title, referrer} and campaign (utm_*, click ids) of the page's address; what is empty is left out. */
void evs_context_page(const struct evs_call *call, struct evs_tree *context, struct evs_slice url,
                      struct evs_slice title, struct evs_slice referrer);
/* Of a page view: what context.page says is properties too, as Segment's libraries send it; the sender's own stay. */
void evs_context_page_properties(const struct evs_call *call, struct evs_draft *draft);
/* An object {width, height} of "1280x800"; anything else is left out. */
void evs_context_size(const struct evs_call *call, struct evs_tree *context, const char *name, struct evs_slice size);
void evs_context_library(const struct evs_call *call, struct evs_tree *context, struct evs_slice name,
                         struct evs_slice version);
/* Puts a member in a new place: {"url": "u"} with {"u", "url"}. */
struct evs_rename {
    const char *from, *to;
    bool is_number;
};
void evs_tree_move(const struct evs_call *call, struct evs_tree *to, const struct evs_tree *from,
                   const struct evs_rename *names, size_t count);
/* A query string as an object of texts, decoded. */
struct evs_tree *evs_call_query(const struct evs_call *call, struct evs_slice query);

/* --- requests ----------------------------------------------------------------------------------------------------------- */

struct evs_slice evs_call_header(const struct evs_call *call, const char *name);
/* The value of a query parameter, decoded; empty when it is absent. */
struct evs_slice evs_call_parameter(const struct evs_call *call, const char *name);
/* The user's part of Basic authentication, or empty. */
struct evs_slice evs_call_basic_user(const struct evs_call *call);
/* Finds the source by the first of the keys that is known; a request without one is refused with 401. */
/* Whether the visitor's own browser sent the request. */
bool evs_call_is_browser(const struct evs_call *call);
bool evs_call_key(struct evs_call *call, const struct evs_slice *keys, uint32_t count);
/* The source of one key, or NULL. */
const char *evs_call_source_of(const struct evs_call *call, struct evs_slice key);
/* The body as JSON, or NULL after a refusal with 400. */
struct evs_tree *evs_call_body(struct evs_call *call);
/* A padded, writable copy. */
char *evs_call_padded(const struct evs_call *call, struct evs_slice text);
/* JSON that stands inside a text: NULL with a mistake when it is none, or as deep as no event may be. */
struct evs_tree *evs_call_inner(const struct evs_call *call, struct evs_slice text, const char **mistake);
/* Whether one request may bring so many events; otherwise it is refused. */
bool evs_call_count(struct evs_call *call, uint32_t count);
uint32_t evs_tree_count(const struct evs_tree *container);

/* --- answers ------------------------------------------------------------------------------------------------------------ */

void evs_answer_json(struct evs_call *call, uint32_t status, struct evs_slice body);
void evs_answer_text(struct evs_call *call, uint32_t status, const char *content_type, struct evs_slice body);
/* {"success":false,"message":"…"} */
void evs_answer_refuse(struct evs_call *call, uint32_t status, const char *format, ...) EVS_PRINTF(3, 4);
/* An object with the member ("\"success\":true"), and what was rejected with its reasons. */
void evs_answer_accepted(struct evs_call *call, const char *member);
/* A transparent pixel that no cache keeps. */
void evs_answer_pixel(struct evs_call *call);
void evs_answer_add_header(struct evs_call *call, const char *name, const char *value);

/* --- protocols: each is a handler of routes, with the route's argument ---------------------------------------------------- */

typedef void evs_handler(struct evs_call *call, const char *argument);
evs_handler evs_segment_batch, evs_segment_single, evs_segment_settings, evs_library_file, evs_segment_metrics,
    evs_rudder_config, evs_pixel, evs_jitsu_single, evs_plain_events, evs_plain_pixel, evs_snowplow_post,
    evs_snowplow_get, evs_snowplow_redirect, evs_posthog_events, evs_posthog_config, evs_posthog_flags, evs_plausible,
    evs_umami, evs_matomo_get, evs_matomo_post;

#endif
