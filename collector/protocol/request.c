/* What a request says beside its events: headers, parameters, keys, the body as JSON. */
#include "call.h"
#include "form.h"

struct evs_slice evs_call_header(const struct evs_call *call, const char *name)
{
    const struct evs_request *request = call->request;
    return request->header == NULL ? (struct evs_slice){NULL, 0} : request->header(request->header_context, name);
}

struct evs_slice evs_call_parameter(const struct evs_call *call, const char *name)
{
    return evs_form_value(call->arena, call->request->query, name);
}

/* Libraries of servers name themselves ("node", "analytics-node/3"); all browsers still claim to be this one. */
bool evs_call_is_browser(const struct evs_call *call)
{
    struct evs_slice agent = evs_call_header(call, "user-agent");
    return agent.count >= 8 && memcmp(agent.data, "Mozilla/", 8) == 0;
}

struct evs_slice evs_call_basic_user(const struct evs_call *call)
{
    struct evs_slice header = evs_form_trim(evs_call_header(call, "authorization")), user;
    struct evs_slice value = evs_form_trim(evs_form_cut(&header, ' '));
    if (!evs_slice_equal_nocase(header, "basic") || !evs_form_base64(call->arena, value, &user)) {
        return (struct evs_slice){NULL, 0};
    }
    evs_form_cut(&user, ':');
    return user;
}

const char *evs_call_source_of(const struct evs_call *call, struct evs_slice key)
{
    const struct evs_protocol_config *config = &call->protocol->config;
    uint32_t low = 0, high = config->key_count;
    while (key.count > 0 && low < high) {
        uint32_t middle = (low + high) / 2;
        struct evs_slice here = evs_slice_of(config->keys[middle].key);
        size_t shorter = here.count < key.count ? here.count : key.count;
        int order = memcmp(key.data, here.data, shorter);
        order = order != 0 ? order : (key.count > here.count) - (key.count < here.count);
        if (order == 0) {
            return config->keys[middle].source;
        }
        *(order < 0 ? &high : &low) = order < 0 ? middle : middle + 1;
    }
    return NULL;
}

bool evs_call_key(struct evs_call *call, const struct evs_slice *keys, uint32_t count)
{
    bool said = false;
    for (uint32_t i = 0; i < count && call->source == NULL; i++) {
        said = said || keys[i].count > 0;
        call->source = evs_call_source_of(call, keys[i]);
    }
    if (call->source == NULL) {
        call->source = call->protocol->config.default_source;
    }
    if (call->source == NULL) {
        evs_answer_refuse(call, 401, said ? "This write key is not known here." : "A write key is missing.");
        return false;
    }
    call->out->source = call->source;
    return true;
}

struct evs_tree *evs_call_query(const struct evs_call *call, struct evs_slice query)
{
    struct evs_tree *object = evs_tree_object(call->arena);
    struct evs_slice name, value;
    object->text = query;
    while (evs_form_next(&query, &name, &value)) {
        struct evs_tree text = {.kind = EVS_TREE_STRING, .text = evs_form_decode(call->arena, value)};
        evs_tree_put(call->arena, object, evs_form_decode(call->arena, name), &text);
    }
    object->depth = 1;
    return object;
}

char *evs_call_padded(const struct evs_call *call, struct evs_slice text)
{
    char *copy = evs_arena_alloc(call->arena, text.count + EVS_TREE_PADDING, 1);
    if (text.count > 0) {
        memcpy(copy, text.data, text.count);
    }
    memset(copy + text.count, ' ', EVS_TREE_PADDING);
    return copy;
}

struct evs_tree *evs_call_body(struct evs_call *call)
{
    const char *mistake = "it is empty";
    struct evs_slice body = call->request->body;
    struct evs_tree *tree = body.count == 0 ? NULL
                                            : evs_tree_read(call->protocol->reader, call->arena,
                                                            evs_call_padded(call, body), body.count, &mistake);
    if (tree == NULL) {
        evs_answer_refuse(call, 400, "The body is no JSON: %s.", mistake);
    }
    return tree;
}

struct evs_tree *evs_call_inner(const struct evs_call *call, struct evs_slice text, const char **mistake)
{
    *mistake = "it is empty";
    if (text.count == 0) {
        return NULL;
    }
    struct evs_tree *tree =
        evs_tree_read(call->protocol->reader, call->arena, evs_call_padded(call, text), text.count, mistake);
    if (tree != NULL && tree->depth > call->protocol->config.event_depth_max) {
        *mistake = "it has too many objects and arrays within each other";
        return NULL;
    }
    return tree;
}

bool evs_call_count(struct evs_call *call, uint32_t count)
{
    uint32_t count_max = call->protocol->config.events_max;
    if (count > count_max) {
        evs_answer_refuse(call, 400, "The request holds %u events; at most %u are taken at once.", count, count_max);
    }
    return count <= count_max;
}

uint32_t evs_tree_count(const struct evs_tree *container)
{
    uint32_t count = 0;
    for (const struct evs_tree *one = container == NULL ? NULL : container->first; one != NULL; one = one->next) {
        count++;
    }
    return count;
}
