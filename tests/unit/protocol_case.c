#include "protocol_case.h"

#include "json_reader.h"

static struct evs_slice header(void *context, const char *name)
{
    const struct protocol_case *one = context;
    for (size_t i = 0; i < CASE_HEADERS_MAX; i++) {
        if (one->headers[i][1] != NULL && strcmp(one->headers[i][0], name) == 0) {
            return evs_slice_of(one->headers[i][1]);
        }
    }
    return (struct evs_slice){NULL, 0};
}

void case_init(struct protocol_case *one)
{
    static const struct evs_source_key keys[] = {{"KEY", "web"}};
    *one = (struct protocol_case){.config = {.partitions = 16, .keys = keys, .key_count = 1, .ecommerce_names = true}};
    one->reader = evs_json_reader_new();
    ck_assert_ptr_nonnull(one->reader);
    one->request.remote_address = EVS_SLICE("203.0.113.77");
    one->request.received_us = CASE_RECEIVED_US;
    case_open(one);
}

void case_open(struct protocol_case *one)
{
    struct evs_error error = {0};
    evs_protocol_free(one->protocol);
    ck_assert_msg(evs_protocol_new(&one->config, &one->protocol, &error) == EVS_OK, "%s", error.text);
    one->request.header = header;
    one->request.header_context = one;
}

void case_fini(struct protocol_case *one)
{
    evs_protocol_free(one->protocol);
    evs_json_reader_free(one->reader);
    evs_arena_fini(&one->arena);
}

void case_header(struct protocol_case *one, const char *name, const char *value)
{
    for (size_t i = 0; i < CASE_HEADERS_MAX; i++) {
        if (one->headers[i][0] == NULL || strcmp(one->headers[i][0], name) == 0) {
            one->headers[i][0] = name;
            one->headers[i][1] = value;
            return;
        }
    }
    ck_abort_msg("more headers than a case has places");
}

/* What a translation promises its server, whatever came in. */
static void check_promises(struct protocol_case *one)
{
    const struct evs_translation *out = &one->out;
    ck_assert_uint_ne(out->answer.status, 0);
    for (uint32_t i = 0; i < out->event_count; i++) {
        const struct evs_event *event = &out->events[i];
        UNIT_CHECK(event->partition < one->config.partitions, "partition %u", event->partition);
        UNIT_CHECK(memchr(event->json.data, '\n', event->json.count) == NULL, "an event has a line break");
        UNIT_CHECK(event->event_id.count > 0 && event->source != NULL, "an event without an id or a source");
        UNIT_CHECK(evs_utf8_valid(event->json.data, event->json.count), "an event is no UTF-8");
        UNIT_CHECK(case_look(one, event->json, "context.origin.protocol")[0] != 0, "an event is no JSON");
    }
    for (uint32_t i = 0; i < out->bad_row_count; i++) {
        const struct evs_bad_row *row = &out->bad_rows[i];
        UNIT_CHECK(row->reason_count > 0 && row->reasons[0].count > 0, "a bad row without a reason");
        UNIT_CHECK(memchr(row->json.data, '\n', row->json.count) == NULL, "a bad row has a line break");
        UNIT_CHECK(case_look(one, row->json, "_protocol")[0] != 0, "a bad row is no JSON");
    }
}

void case_send_bytes(struct protocol_case *one, const char *method, const char *target, const char *body, size_t bytes)
{
    const char *query = strchr(target, '?');
    evs_arena_reset(&one->arena);
    one->request.method = evs_slice_of(method);
    one->request.path = (struct evs_slice){target, query == NULL ? strlen(target) : (size_t)(query - target)};
    one->request.query = query == NULL ? (struct evs_slice){NULL, 0} : evs_slice_of(query + 1);
    /* Exactly as long as it is: a sanitizer sees who reads behind it. */
    char *copy = evs_alloc(bytes == 0 ? 1 : bytes);
    memcpy(copy, body, bytes);
    one->request.body = (struct evs_slice){copy, bytes};
    evs_protocol_translate(one->protocol, &one->request, &one->arena, &one->out);
    memset(copy, '#', bytes); /* the request may go at once */
    evs_free(copy);
    check_promises(one);
}

void case_send(struct protocol_case *one, const char *method, const char *target, const char *body)
{
    case_send_bytes(one, method, target, body, strlen(body));
}

static const struct evs_tree *step(const struct evs_tree *value, const char *name)
{
    char *end = NULL;
    unsigned long index = strtoul(name, &end, 10);
    if (!evs_tree_is(value, EVS_TREE_ARRAY) || *end != 0) {
        return evs_tree_get(value, name);
    }
    const struct evs_tree *element = value->first;
    for (; element != NULL && index > 0; index--) {
        element = element->next;
    }
    return element;
}

const char *case_look(struct protocol_case *one, struct evs_slice json, const char *path)
{
    const char *mistake = NULL;
    char *text = evs_arena_alloc(&one->arena, json.count + EVS_TREE_PADDING, 1);
    memcpy(text, json.data, json.count);
    memset(text + json.count, ' ', EVS_TREE_PADDING);
    const struct evs_tree *value = evs_tree_read(one->reader, &one->arena, text, json.count, &mistake);
    UNIT_CHECK(value != NULL, "%s: %.*s", mistake, (int)json.count, json.data);
    char *names = evs_arena_strndup(&one->arena, path, strlen(path)), *rest = NULL;
    for (char *name = strtok_r(names, ".", &rest); name != NULL; name = strtok_r(NULL, ".", &rest)) {
        value = step(value, name);
    }
    return value == NULL ? "" : evs_arena_strndup(&one->arena, value->text.data, value->text.count);
}

const char *case_event(struct protocol_case *one, uint32_t n, const char *path)
{
    ck_assert_uint_lt(n, one->out.event_count);
    return case_look(one, one->out.events[n].json, path);
}

const char *case_answer(struct protocol_case *one, const char *path)
{
    return case_look(one, one->out.answer.body, path);
}

const char *case_bad_row(struct protocol_case *one, uint32_t n, const char *path)
{
    ck_assert_uint_lt(n, one->out.bad_row_count);
    return case_look(one, one->out.bad_rows[n].json, path);
}
