/* Contexts in one vocabulary, whoever sent them: a pipeline that reads context.page.url works with every tracker. */
#include "call.h"
#include "form.h"

static const char *const click_ids[] = {"gclid", "gbraid", "wbraid", "fbclid", "msclkid", "ttclid"};

static const struct evs_rename campaign_names[] = {
    {"utm_source", "source", false}, {"utm_medium", "medium", false},   {"utm_campaign", "name", false},
    {"utm_term", "term", false},     {"utm_content", "content", false},
};

void evs_tree_move(const struct evs_call *call, struct evs_tree *to, const struct evs_tree *from,
                   const struct evs_rename *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct evs_slice text = evs_tree_scalar(evs_tree_get(from, names[i].from));
        if (names[i].is_number) {
            evs_tree_put_number(call->arena, to, names[i].to, text);
        } else {
            evs_tree_put_text(call->arena, to, names[i].to, text);
        }
    }
}

static void put_campaign(const struct evs_call *call, struct evs_tree *context, struct evs_slice query)
{
    const struct evs_tree *parameters = evs_call_query(call, query);
    struct evs_tree *campaign = evs_tree_object(call->arena);
    evs_tree_move(call, campaign, parameters, campaign_names, EVS_COUNT(campaign_names));
    for (size_t i = 0; i < EVS_COUNT(click_ids); i++) {
        evs_tree_put_text(call->arena, campaign, click_ids[i], evs_tree_string(parameters, click_ids[i]));
    }
    if (campaign->first != NULL) {
        evs_tree_put(call->arena, context, EVS_SLICE("campaign"), campaign);
    }
}

/* From the first slash behind the host on; what has no host is a path itself. */
static struct evs_slice path_of(struct evs_slice url)
{
    const char *scheme = url.count == 0 ? NULL : memmem(url.data, url.count, "://", 3);
    if (scheme == NULL) {
        return url;
    }
    struct evs_slice rest = {scheme + 3, url.count - (size_t)(scheme + 3 - url.data)};
    const char *slash = rest.count == 0 ? NULL : memchr(rest.data, '/', rest.count);
    return slash == NULL ? EVS_SLICE("/") : (struct evs_slice){slash, rest.count - (size_t)(slash - rest.data)};
}

void evs_context_page(const struct evs_call *call, struct evs_tree *context, struct evs_slice url,
                      struct evs_slice title, struct evs_slice referrer)
{
    struct evs_tree *page = evs_tree_object(call->arena);
    struct evs_slice whole = url, path, query;
    evs_form_cut(&whole, '#');
    query = evs_form_cut(&whole, '?');
    path = path_of(whole);
    evs_tree_put_text(call->arena, page, "url", url);
    if (url.count > 0) {
        evs_tree_put_text(call->arena, page, "path", path);
    }
    if (query.count > 0) { /* with its question mark, as Segment's */
        evs_tree_put_text(call->arena, page, "search", (struct evs_slice){query.data - 1, query.count + 1});
    }
    evs_tree_put_text(call->arena, page, "title", title);
    evs_tree_put_text(call->arena, page, "referrer", referrer);
    if (page->first != NULL) {
        evs_tree_put(call->arena, context, EVS_SLICE("page"), page);
    }
    put_campaign(call, context, query);
}

void evs_context_size(const struct evs_call *call, struct evs_tree *context, const char *name, struct evs_slice size)
{
    struct evs_tree *object = evs_tree_object(call->arena);
    struct evs_slice width = size, height = evs_form_cut(&width, 'x');
    if (width.count == 0 || height.count == 0 || width.count > 8 || height.count > 8) {
        return;
    }
    evs_tree_put_number(call->arena, object, "width", width);
    evs_tree_put_number(call->arena, object, "height", height);
    if (object->first->kind == EVS_TREE_NUMBER && object->last->kind == EVS_TREE_NUMBER) {
        evs_tree_put(call->arena, context, evs_slice_of(name), object);
    }
}

void evs_context_library(const struct evs_call *call, struct evs_tree *context, struct evs_slice name,
                         struct evs_slice version)
{
    struct evs_tree *library = evs_tree_object(call->arena);
    evs_tree_put_text(call->arena, library, "name", name);
    evs_tree_put_text(call->arena, library, "version", version);
    if (library->first != NULL) {
        evs_tree_put(call->arena, context, EVS_SLICE("library"), library);
    }
}

void evs_context_page_properties(const struct evs_call *call, struct evs_draft *draft)
{
    const struct evs_tree *page = evs_tree_get(draft->context, "page");
    if (draft->properties != NULL && draft->properties->kind != EVS_TREE_OBJECT) {
        return; /* a bad row, later */
    }
    struct evs_tree *properties = evs_tree_copy(call->arena, page);
    for (const struct evs_tree *own = draft->properties == NULL ? NULL : draft->properties->first; own != NULL;
         own = own->next) {
        if (evs_tree_member(page, own->key) == NULL) {
            evs_tree_put(call->arena, properties, own->key, own);
        }
    }
    draft->properties = properties;
}
