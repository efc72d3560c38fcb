/* Over the parts of JSON text that is known to be valid: by counting brackets and skipping strings. */
#include "evstream/json_value.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_space(struct evs_json_walk *walk)
{
    while (walk->at < walk->end && is_space(*walk->at)) {
        walk->at++;
    }
}

static void skip_string(struct evs_json_walk *walk)
{
    EVS_ASSERT(*walk->at == '"');
    for (walk->at++; walk->at < walk->end && *walk->at != '"'; walk->at++) {
        walk->at += *walk->at == '\\';
    }
    walk->at++;
}

static void skip_container(struct evs_json_walk *walk)
{
    uint32_t depth = 0;
    do {
        char c = *walk->at;
        if (c == '"') {
            skip_string(walk);
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        walk->at++;
    } while (depth > 0 && walk->at < walk->end);
}

static struct evs_slice take_value(struct evs_json_walk *walk)
{
    skip_space(walk);
    const char *start = walk->at;
    EVS_ASSERT(start < walk->end);
    if (*start == '"') {
        skip_string(walk);
    } else if (*start == '{' || *start == '[') {
        skip_container(walk);
    } else {
        while (walk->at < walk->end && !is_space(*walk->at) && strchr(",]}", *walk->at) == NULL) {
            walk->at++;
        }
    }
    return (struct evs_slice){start, (size_t)(walk->at - start)};
}

struct evs_json_walk evs_json_walk(struct evs_slice text)
{
    struct evs_json_walk walk = {.at = text.data, .end = text.data + text.count};
    skip_space(&walk);
    bool is_container = walk.at < walk.end && (*walk.at == '{' || *walk.at == '[');
    walk.is_object = is_container && *walk.at == '{';
    walk.at = is_container ? walk.at + 1 : walk.end;
    return walk;
}

bool evs_json_walk_next(struct evs_json_walk *walk, struct evs_slice *key, struct evs_slice *value)
{
    skip_space(walk);
    if (walk->at == walk->end || *walk->at == ']' || *walk->at == '}') {
        return false;
    }
    walk->at += *walk->at == ',';
    *key = (struct evs_slice){"", 0};
    if (walk->is_object) {
        *key = take_value(walk);
        skip_space(walk);
        EVS_ASSERT(walk->at < walk->end && *walk->at == ':');
        walk->at++;
    }
    *value = take_value(walk);
    return true;
}
