/* Taking a sample of events (schema_sample.h). A line is checked as a whole first, so the walk over it may trust its form. */
#include "schema_sample.h"

#include <string.h>

#include "evstream/type.h"
#include "json_access.h"
#include "lexer.h"

void evs_sample_init(struct evs_sample *sample)
{
    *sample = (struct evs_sample){.json = evs_json_access_new()};
}

void evs_sample_fini(struct evs_sample *sample)
{
    evs_json_access_free(sample->json);
    evs_arena_fini(&sample->arena);
}

/* --- walking valid JSON ------------------------------------------------------------------------------------------------------- */

struct walk {
    struct evs_sample *sample;
    const char *at, *end;
};

static char skip_space(struct walk *walk)
{
    while (walk->at < walk->end && strchr(" \t\r\n", *walk->at) != NULL) {
        walk->at++;
    }
    return walk->at < walk->end ? *walk->at : '\0';
}

/* A string with its quotes. */
static struct evs_slice take_string(struct walk *walk)
{
    const char *begin = walk->at++;
    while (*walk->at != '"') {
        walk->at += 1 + (*walk->at == '\\');
    }
    walk->at++;
    return (struct evs_slice){begin, (size_t)(walk->at - begin)};
}

/* A number, true, false or null. */
static struct evs_slice take_plain(struct walk *walk)
{
    const char *begin = walk->at;
    while (walk->at < walk->end && strchr(",]} \t\r\n", *walk->at) == NULL) {
        walk->at++;
    }
    return (struct evs_slice){begin, (size_t)(walk->at - begin)};
}

static struct evs_slice unescape(struct evs_sample *sample, struct evs_slice raw)
{
    char *text = evs_arena_alloc(&sample->arena, raw.count + 1, 1);
    size_t count = 0;
    bool is_text = evs_json_access_unescape(sample->json, (struct evs_json_text){raw.data, raw.count}, text, &count);
    return (struct evs_slice){text, is_text ? count : 0};
}

/* --- values ------------------------------------------------------------------------------------------------------------------- */

static void note_time(struct evs_sample_field *field, int64_t value, bool is_first)
{
    bool is_behind = !is_first && value < field->most;
    if (is_behind && field->most - value > field->behind) {
        field->behind = field->most - value;
    }
    field->least = is_first || value < field->least ? value : field->least;
    field->most = is_first || value > field->most ? value : field->most;
}

static void note_number(struct evs_sample_field *field, struct evs_slice text)
{
    const char *point = memchr(text.data, '.', text.count);
    bool has_exponent = memchr(text.data, 'e', text.count) != NULL || memchr(text.data, 'E', text.count) != NULL;
    int64_t value = 0;
    if (has_exponent) {
        field->exponents++;
        field->fractions++;
    } else if (point != NULL) {
        uint32_t digits = (uint32_t)(text.data + text.count - point - 1);
        field->fraction_digits = digits > field->fraction_digits ? digits : field->fraction_digits;
        field->fractions++;
    } else if (evs_parse_int64(text, &value)) {
        note_time(field, value, field->integers == 0);
        field->integers++;
    } else {
        field->outside_int64++;
        field->integers++;
    }
}

static void note_value(struct evs_sample *sample, struct evs_sample_field *field, struct evs_slice text)
{
    for (uint32_t i = 0; i < field->value_count; i++) {
        if (evs_slice_equal(field->values[i], text)) {
            return;
        }
    }
    if (field->value_count == EVS_SAMPLE_VALUES_MAX || text.count > EVS_SAMPLE_VALUE_BYTES_MAX) {
        field->has_more_values = true;
        return;
    }
    char *copy = evs_arena_strndup(&sample->arena, text.count > 0 ? text.data : "", text.count);
    field->values[field->value_count++] = (struct evs_slice){copy, text.count};
}

static void note_string(struct evs_sample *sample, struct evs_sample_field *field, struct evs_slice raw)
{
    struct evs_slice text = {raw.data + 1, raw.count - 2};
    int64_t value;
    if (evs_parse_timestamp(text, false, &value)) {
        note_time(field, value, field->timestamps == 0);
        field->timestamps++;
    } else if (evs_parse_date(text, &value)) {
        field->dates++;
    }
    field->strings++;
    if (!field->has_more_values) {
        note_value(sample, field, text);
    }
}

/* --- fields ------------------------------------------------------------------------------------------------------------------- */

static struct evs_sample_field *new_field(struct evs_sample *sample, struct evs_sample_field *parent)
{
    struct evs_sample_field *field = EVS_ARENA_NEW(&sample->arena, struct evs_sample_field);
    field->parent = parent;
    field->depth = parent->depth + 1;
    return field;
}

/* NULL: the object has too many different keys. */
static struct evs_sample_field *child_of(struct evs_sample *sample, struct evs_sample_field *parent,
                                         struct evs_slice raw)
{
    bool is_plain = memchr(raw.data, '\\', raw.count) == NULL;
    struct evs_slice name = is_plain ? (struct evs_slice){raw.data + 1, raw.count - 2} : unescape(sample, raw);
    struct evs_sample_field **last = &parent->children;
    for (; *last != NULL; last = &(*last)->next) {
        if (evs_slice_equal((*last)->name, name)) {
            return *last;
        }
    }
    if (parent->child_count == EVS_SAMPLE_CHILDREN_MAX && parent->depth > 0) {
        parent->is_map = true;
        return NULL;
    }
    struct evs_sample_field *field = new_field(sample, parent);
    field->name = (struct evs_slice){evs_arena_strndup(&sample->arena, name.data, name.count), name.count};
    parent->child_count++;
    *last = field;
    return field;
}

static void walk_value(struct walk *walk, struct evs_sample_field *field, uint32_t depth);

static void walk_object(struct walk *walk, struct evs_sample_field *field, uint32_t depth)
{
    walk->at++;
    while (skip_space(walk) != '}') {
        struct evs_slice key = take_string(walk);
        bool is_kept = field != NULL && !field->is_map && depth < EVS_SAMPLE_DEPTH_MAX;
        struct evs_sample_field *child = is_kept ? child_of(walk->sample, field, key) : NULL;
        skip_space(walk);
        walk->at++; /* the colon */
        walk_value(walk, child, depth + 1);
        walk->at += skip_space(walk) == ',';
    }
    walk->at++;
}

static void walk_array(struct walk *walk, struct evs_sample_field *field, uint32_t depth)
{
    walk->at++;
    if (field != NULL && field->elements == NULL) {
        field->elements = new_field(walk->sample, field);
    }
    while (skip_space(walk) != ']') {
        walk_value(walk, field != NULL ? field->elements : NULL, depth + EVS_SAMPLE_DEPTH_MAX); /* objects in it stay */
        walk->at += skip_space(walk) == ',';
    }
    walk->at++;
}

/* `field` NULL: the value is only passed over. */
static void walk_value(struct walk *walk, struct evs_sample_field *field, uint32_t depth)
{
    struct evs_sample_field ignored = {0};
    struct evs_sample_field *noted = field != NULL ? field : &ignored;
    noted->seen++;
    switch (skip_space(walk)) {
    case '{':
        noted->objects++;
        walk_object(walk, field, depth);
        break;
    case '[':
        noted->arrays++;
        walk_array(walk, field, depth);
        break;
    case '"':
        if (field != NULL) {
            note_string(walk->sample, field, take_string(walk));
        } else {
            take_string(walk);
        }
        break;
    case 'n':
        noted->nulls++;
        take_plain(walk);
        break;
    case 't':
    case 'f':
        noted->bools++;
        take_plain(walk);
        break;
    default:
        note_number(noted, take_plain(walk));
    }
}

/* One whole object, and nothing behind it. */
static bool is_object(struct walk *walk)
{
    size_t bytes = 0;
    skip_space(walk);
    struct evs_slice text = {walk->at, (size_t)(walk->end - walk->at)};
    if (!evs_utf8_valid(text.data, text.count) || !evs_json_object(text, &bytes)) {
        return false;
    }
    struct walk rest = {.at = walk->at + bytes, .end = walk->end};
    skip_space(&rest);
    return rest.at == rest.end;
}

static bool is_blank(struct evs_slice line)
{
    for (size_t i = 0; i < line.count; i++) {
        if (strchr(" \t\r\n", line.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

void evs_sample_add(struct evs_sample *sample, struct evs_slice line, uint64_t number)
{
    if (is_blank(line)) {
        return;
    }
    struct walk walk = {.sample = sample, .at = line.data, .end = line.data + line.count};
    if (!is_object(&walk)) {
        sample->first_bad_line = sample->bad_rows++ == 0 ? number : sample->first_bad_line;
        return;
    }
    sample->rows++;
    walk_object(&walk, &sample->root, 0);
}
