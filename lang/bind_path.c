/* Paths of columns: '$', '$.a.b', '$."a key".b', '$[''a key'']'. */
#include "bind_path.h"

#include <string.h>

static bool is_plain(char c)
{
    return c != '.' && c != '[' && c != ']' && c != '"' && c != '\'' && c != ' ' && c != '\0' && c != '$' && c != '*';
}

struct path_reader {
    const char *at, *end;
    struct evs_arena *arena;
    const char *keys[EVS_PATH_KEYS_MAX];
    uint32_t count;
    const char *problem;
};

static bool fail(struct path_reader *reader, const char *problem)
{
    reader->problem = problem;
    return false;
}

static bool add_key(struct path_reader *reader, const char *key, size_t count)
{
    if (reader->count == EVS_PATH_KEYS_MAX) {
        return fail(reader, "a path has at most 64 keys");
    }
    reader->keys[reader->count++] = evs_arena_strndup(reader->arena, key, count);
    return true;
}

/* A key in quotes, with \" and \\ as escapes. Stands on the quote. */
static bool read_quoted(struct path_reader *reader)
{
    char quote = *reader->at++;
    char *key = evs_arena_alloc(reader->arena, (size_t)(reader->end - reader->at) + 1, 1);
    size_t count = 0;
    while (reader->at < reader->end && *reader->at != quote) {
        if (*reader->at == '\\' && reader->at + 1 < reader->end) {
            reader->at++;
        }
        key[count++] = *reader->at++;
    }
    if (reader->at == reader->end) {
        return fail(reader, "a quote is not closed");
    }
    reader->at++;
    return add_key(reader, key, count);
}

static bool read_plain(struct path_reader *reader)
{
    const char *start = reader->at;
    while (reader->at < reader->end && is_plain(*reader->at)) {
        reader->at++;
    }
    if (reader->at == start) {
        return fail(reader, "a key is missing; keys with other characters stand in double quotes");
    }
    return add_key(reader, start, (size_t)(reader->at - start));
}

static bool read_bracket(struct path_reader *reader)
{
    reader->at++;
    if (reader->at == reader->end || (*reader->at != '"' && *reader->at != '\'')) {
        return fail(reader,
                    "in brackets stands a key in quotes; elements of an array are taken in the query: column[0]");
    }
    if (!read_quoted(reader)) {
        return false;
    }
    if (reader->at == reader->end || *reader->at != ']') {
        return fail(reader, "a bracket is not closed");
    }
    reader->at++;
    return true;
}

static bool read_step(struct path_reader *reader)
{
    if (*reader->at == '[') {
        return read_bracket(reader);
    }
    if (*reader->at != '.') {
        return fail(reader, "keys are divided by dots");
    }
    reader->at++;
    bool is_quoted = reader->at < reader->end && *reader->at == '"';
    return is_quoted ? read_quoted(reader) : read_plain(reader);
}

const char *evs_path_read(struct evs_slice text, struct evs_arena *arena, const char ***keys, uint32_t *count)
{
    struct path_reader reader = {.at = text.data, .end = text.data + text.count, .arena = arena};
    if (text.count == 0 || *reader.at != '$') {
        return "a path begins with $";
    }
    reader.at++;
    while (reader.at < reader.end) {
        if (!read_step(&reader)) {
            return reader.problem;
        }
    }
    *count = reader.count;
    *keys = EVS_ARENA_ARRAY(arena, const char *, reader.count + 1);
    memcpy(*keys, reader.keys, sizeof(*keys)[0] * reader.count);
    return NULL;
}
