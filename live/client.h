/* The other side of --listen: how commands ask a running program. */
#ifndef EVS_LIVE_CLIENT_H
#define EVS_LIVE_CLIENT_H

#include "evstream/memory.h"
#include "evstream/text.h"

struct evs_client_request {
    const char *address; /* HOST:PORT */
    const char *path;    /* with its query */
    const char *token;   /* NULL: none */
    const char *body;    /* JSON: the request is a POST; NULL: a GET */
};

struct evs_client_answer {
    int status;   /* of HTTP */
    bool is_json; /* by its Content-Type */
    char *text;   /* in the arena; EVS_TREE_PADDING zeroes follow (json_tree.h) */
    size_t bytes;
};

/* EVS_E_UNREACHABLE: nobody answers, with what to do; EVS_E_USAGE: the address is none. */
EVS_MUST_CHECK evs_status evs_client_ask(const struct evs_client_request *request, struct evs_arena *arena,
                                         struct evs_client_answer *answer, struct evs_error *error);

struct evs_client_question {
    struct evs_client_request request;
    struct evs_arena *arena; /* takes the answer */
    struct evs_client_answer answer;
    evs_status status; /* as evs_client_ask gives it */
    struct evs_error error;
};

/* Asks all at once, and waits for each at most so many seconds: one that is silent costs the others nothing. */
void evs_client_ask_together(struct evs_client_question *questions, uint32_t count, int seconds);

/* Reads server-sent events until `take` says that it has enough (EVS_OK), or the other side ends them (EVS_END). Any other answer than a stream is
 * EVS_E_REFUSED, with the sentence that came. */
EVS_MUST_CHECK evs_status evs_client_follow(const struct evs_client_request *request,
                                            bool (*take)(void *argument, const char *event, struct evs_slice data),
                                            void *argument, struct evs_error *error);

/* What an answer that is not 200 says is wrong: its "error", or that it is none of evstream's. */
evs_status evs_client_refused(const char *address, const struct evs_client_answer *answer, struct evs_error *error);

/* Appends `?name=value` or `&name=value`, encoded. A NULL value is left out. */
void evs_client_put_query(struct evs_buffer *path, const char *name, const char *value);

#endif
