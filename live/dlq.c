/* The questions to NATS, Redis or a file are asked on the helper's thread (later.h). */
#include "dlq.h"

#include <event2/buffer.h>

#include "json.h"
#include "later.h"
#include "letters.h"

#define SHOWN_DEFAULT 50
#define SHOWN_MAX 1000
#define NEWEST_MAX 10000 /* where a letter is looked for by its id */

/* A question under way. */
struct question {
    struct evs_live_server *server;
    struct evhttp_request *request;
    const struct evs_plan *plan;
    bool resends;
    uint32_t newest;
    char *id, *reason, *source; /* NULL: any */
    struct evs_letters_resend how;
    struct evs_buffer text; /* of a letter that was mended */
    /* the answer */
    bool has_run;
    evs_status status;
    struct evs_error error;
    struct evs_buffer body;
};

static void put_list(struct question *question, const struct evs_letter_list *list)
{
    evs_buffer_puts(&question->body, "{\"letters\":[");
    for (uint32_t i = 0; i < list->count; i++) {
        evs_buffer_puts(&question->body, i == 0 ? "\n" : ",\n");
        evs_letter_put_json(&question->body, &list->letters[i]);
    }
    evs_put_bool(&question->body, "\n],", "complete", list->is_complete);
    evs_buffer_puts(&question->body, "}\n");
}

static evs_status resend(struct question *question, struct evs_letters *letters, const struct evs_letter_list *list)
{
    struct evs_letters_resent resent;
    if (list->count == 0) {
        return evs_fail(&question->error, EVS_E_USAGE, "There is no such letter any more.");
    }
    if (question->text.count > 0) {
        question->how.text = (struct evs_slice){question->text.data, question->text.count};
    }
    evs_status status = evs_letters_resend(letters, &list->letters[0], &question->how, &resent, &question->error);
    if (status == EVS_OK) {
        evs_put_number(&question->body, "{", "resent", 1);
        evs_put_number(&question->body, ",", "sequence", (int64_t)resent.sequence);
        evs_put_number(&question->body, ",", "attempt", resent.attempt);
        evs_put_bool(&question->body, ",", "was_there", resent.was_there);
        evs_buffer_puts(&question->body, "}\n");
    }
    return status;
}

static void ask(void *argument)
{
    struct question *question = argument;
    const struct evs_live_options *options = &question->server->live->options;
    struct evs_letters_open open = {
        .os = question->server->live->os,
        .log = options->log,
        .plan = question->plan,
        .nats_url = options->nats_url,
        .nats_credentials = options->nats_credentials,
        .redis_url = options->redis_url,
    };
    struct evs_letters_query query = {.source = question->source,
                                      .reason = question->reason,
                                      .id = question->id,
                                      .newest = question->newest,
                                      .marks = !question->resends};
    struct evs_letters *letters = NULL;
    struct evs_letter_list list;
    struct evs_arena arena = {0};
    question->has_run = true;
    question->status = evs_letters_open(&open, &letters, &question->error);
    if (question->status == EVS_OK) {
        question->status = evs_letters_list(letters, &query, &arena, &list, &question->error);
    }
    if (question->status == EVS_OK && question->resends) {
        question->status = resend(question, letters, &list);
    } else if (question->status == EVS_OK) {
        put_list(question, &list);
    }
    evs_letters_close(letters);
    evs_arena_fini(&arena);
}

static void question_free(struct question *question)
{
    evs_free(question->id);
    evs_free(question->reason);
    evs_free(question->source);
    evs_buffer_fini(&question->text);
    evs_buffer_fini(&question->body);
    evs_free(question);
}

static void answer(void *argument)
{
    struct question *question = argument;
    if (!question->has_run) {
        evs_live_answer_error(question->request, HTTP_SERVUNAVAIL, "The program is ending.");
    } else if (question->status == EVS_OK) {
        evs_live_answer(question->request, HTTP_OK, "application/json", &question->body);
    } else {
        evs_live_answer_error(question->request, question->status == EVS_E_USAGE ? 409 : 502, question->error.text);
    }
    question_free(question);
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : evs_strdup(text);
}

static void begin(struct evs_live_server *server, struct evhttp_request *request, bool resends)
{
    struct evs_query query;
    struct evs_buffer error = {0};
    uint32_t number = 0;
    evs_query_init(&query, request);
    const char *id = evs_query_text(&query, "id");
    bool is_good = evs_live_find_pipeline(server->live, evs_query_text(&query, "pipeline"), &number, &error);
    if (is_good && resends && id == NULL) {
        evs_buffer_puts(&error, "Say which letter: ?id=….");
        is_good = false;
    }
    struct question *question = evs_alloc_zero(sizeof *question);
    *question = (struct question){
        .server = server,
        .request = request,
        .plan = server->live->pipelines[number].plan,
        .resends = resends,
        .newest = id != NULL ? NEWEST_MAX : (uint32_t)evs_query_number(&query, "limit", 1, SHOWN_MAX, SHOWN_DEFAULT),
        .id = copy(id),
        .reason = copy(evs_query_text(&query, "reason")),
        .source = copy(evs_query_text(&query, "source")),
        .how = {.again = evs_query_text(&query, "again") != NULL},
    };
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    size_t bytes = resends ? evbuffer_get_length(body) : 0;
    evs_buffer_reserve(&question->text, bytes + 1);
    question->text.count = bytes;
    evbuffer_remove(body, question->text.data, bytes);
    if (!is_good) {
        evs_buffer_put(&error, "", 1);
        evs_live_answer_error(request, HTTP_BADREQUEST, error.data);
        question_free(question);
    } else if (!evs_later_put(server, (struct evs_later_work){ask, answer, question})) {
        evs_live_answer_error(request, HTTP_SERVUNAVAIL, "Too many questions wait already; try again in a moment.");
        question_free(question);
    }
    evs_query_fini(&query);
    evs_buffer_fini(&error);
}

void evs_live_get_letters(struct evs_live_server *server, struct evhttp_request *request)
{
    if (evs_door_may_read_rows(server, request)) {
        begin(server, request, false);
    }
}

void evs_live_resend_letter(struct evs_live_server *server, struct evhttp_request *request)
{
    if (evs_door_may_change(server, request)) {
        begin(server, request, true);
    }
}
