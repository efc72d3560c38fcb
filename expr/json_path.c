/* Paths of JSON: $, .name, ."any name", ['any name'], [0]. */
#include "json_path.h"

struct evs_json_access *evs_json_reader_of(struct evs_call *call)
{
    if (call->eval->json == NULL) {
        call->eval->json = evs_json_access_new();
    }
    return call->eval->json;
}

static struct evs_json_step *add_step(struct evs_json_path *path)
{
    return &path->steps[path->count++];
}

/* After the opening quote; a backslash takes the next character. Returns the offset behind the closing quote, 0 when
 * there is none. */
static size_t parse_quoted(struct evs_arena *arena, struct evs_slice text, size_t at, char quote,
                           struct evs_json_step *step)
{
    char *name = evs_arena_alloc(arena, text.count, 1);
    size_t count = 0;
    for (; at < text.count && text.data[at] != quote; at++) {
        at += text.data[at] == '\\' && at + 1 < text.count;
        name[count++] = text.data[at];
    }
    step->name = (struct evs_json_text){name, count};
    return at < text.count ? at + 1 : 0;
}

static bool is_name_end(char c)
{
    return c == '.' || c == '[' || c == '"' || c == '\'' || c == ' ';
}

static size_t parse_name(struct evs_arena *arena, struct evs_slice text, size_t at, struct evs_json_path *path)
{
    if (at < text.count && text.data[at] == '"') {
        return parse_quoted(arena, text, at + 1, '"', add_step(path));
    }
    const size_t from = at;
    while (at < text.count && !is_name_end(text.data[at])) {
        at++;
    }
    add_step(path)->name = (struct evs_json_text){text.data + from, at - from};
    return at > from ? at : 0;
}

static size_t parse_bracket(struct evs_arena *arena, struct evs_slice text, size_t at, struct evs_json_path *path)
{
    struct evs_json_step *step = add_step(path);
    if (at < text.count && (text.data[at] == '\'' || text.data[at] == '"')) {
        at = parse_quoted(arena, text, at + 1, text.data[at], step);
    } else {
        const size_t from = at;
        step->is_index = true;
        while (at < text.count && text.data[at] >= '0' && text.data[at] <= '9') {
            at++;
        }
        int64_t index;
        if (at == from || !evs_parse_int64((struct evs_slice){text.data + from, at - from}, &index)) {
            return 0;
        }
        step->index = (uint64_t)index;
    }
    return at != 0 && at < text.count && text.data[at] == ']' ? at + 1 : 0;
}

const struct evs_json_path *evs_json_path_parse(struct evs_arena *arena, struct evs_slice text)
{
    struct evs_json_path *path = EVS_ARENA_NEW(arena, struct evs_json_path);
    path->steps = EVS_ARENA_ARRAY(arena, struct evs_json_step, text.count + 1);
    if (text.count == 0 || text.data[0] != '$') {
        return NULL;
    }
    for (size_t at = 1; at < text.count;) {
        const char c = text.data[at];
        at = c == '.' ? parse_name(arena, text, at + 1, path) : c == '[' ? parse_bracket(arena, text, at + 1, path) : 0;
        if (at == 0) {
            return NULL;
        }
    }
    return path;
}
