/* The kinds: their names, widths and static types. */
#include "evstream/type.h"

/* One row a kind, in the order of the enumeration, whose numbers are part of the state format. */
static const struct {
    const char *name;
    uint32_t width; /* bytes of a column element */
    struct evs_type type;
} kinds[EVS_KIND_COUNT] = {
    [EVS_NULL_KIND] = {"null", 1, {.kind = EVS_NULL_KIND}},
    [EVS_BOOL] = {"bool", 1, {.kind = EVS_BOOL}},
    [EVS_INT64] = {"int64", 8, {.kind = EVS_INT64}},
    [EVS_FLOAT64] = {"float64", 8, {.kind = EVS_FLOAT64}},
    [EVS_NUMERIC] = {"numeric", 16, {.kind = EVS_NUMERIC}},
    [EVS_STRING] = {"string", 16, {.kind = EVS_STRING}},
    [EVS_BYTES] = {"bytes", 16, {.kind = EVS_BYTES}},
    [EVS_JSON] = {"json", 16, {.kind = EVS_JSON}},
    [EVS_TIMESTAMP] = {"timestamp", 8, {.kind = EVS_TIMESTAMP}},
    [EVS_DATE] = {"date", 8, {.kind = EVS_DATE}},
    [EVS_DATETIME] = {"datetime", 8, {.kind = EVS_DATETIME}},
    [EVS_TIME] = {"time", 8, {.kind = EVS_TIME}},
    [EVS_INTERVAL] = {"interval", 16, {.kind = EVS_INTERVAL}},
    [EVS_ARRAY] = {"array", 16, {.kind = EVS_ARRAY}},
    [EVS_STRUCT] = {"struct", 16, {.kind = EVS_STRUCT}},
};

_Static_assert(sizeof(evs_numeric) == 16 && sizeof(struct evs_interval) == 16, "the widths above");

/* Spellings of other SQL dialects that the language accepts beside the names above. */
static const struct {
    const char *name;
    enum evs_kind kind;
} spellings[] = {
    {"bigint", EVS_INT64},   {"integer", EVS_INT64},   {"int", EVS_INT64},
    {"double", EVS_FLOAT64}, {"float", EVS_FLOAT64},   {"text", EVS_STRING},
    {"varchar", EVS_STRING}, {"decimal", EVS_NUMERIC}, {"boolean", EVS_BOOL},
};

static bool is_kind(enum evs_kind kind)
{
    return (unsigned)kind < EVS_KIND_COUNT;
}

const struct evs_type *evs_type_of(enum evs_kind kind)
{
    EVS_ASSERT(is_kind(kind));
    EVS_ASSERT(kind != EVS_ARRAY && kind != EVS_STRUCT);
    EVS_ASSERT(kinds[kind].type.kind == kind);
    return &kinds[kind].type;
}

/* One static array type a scalar kind, so that most array types need no arena and are equal by their address. */
#define ARRAY_OF(KIND) [KIND] = {.kind = EVS_ARRAY, .element = &kinds[KIND].type}
static const struct evs_type arrays[EVS_ARRAY] = {
    ARRAY_OF(EVS_NULL_KIND), ARRAY_OF(EVS_BOOL),   ARRAY_OF(EVS_INT64),    ARRAY_OF(EVS_FLOAT64),
    ARRAY_OF(EVS_NUMERIC),   ARRAY_OF(EVS_STRING), ARRAY_OF(EVS_BYTES),    ARRAY_OF(EVS_JSON),
    ARRAY_OF(EVS_TIMESTAMP), ARRAY_OF(EVS_DATE),   ARRAY_OF(EVS_DATETIME), ARRAY_OF(EVS_TIME),
    ARRAY_OF(EVS_INTERVAL),
};

const struct evs_type *evs_type_array_of(enum evs_kind kind)
{
    EVS_ASSERT(is_kind(kind) && kind < EVS_ARRAY);
    return &arrays[kind];
}

const struct evs_type *evs_type_array(struct evs_arena *arena, const struct evs_type *element)
{
    EVS_ASSERT(element->kind != EVS_ARRAY);
    if (element->kind < EVS_ARRAY) {
        return evs_type_array_of(element->kind);
    }
    struct evs_type *type = EVS_ARENA_NEW(arena, struct evs_type);
    *type = (struct evs_type){.kind = EVS_ARRAY, .element = element};
    return type;
}

const struct evs_type *evs_type_struct(struct evs_arena *arena, const struct evs_type_field *fields,
                                       uint32_t field_count)
{
    EVS_ASSERT(field_count <= EVS_STRUCT_FIELDS_MAX);
    struct evs_type_field *copy = EVS_ARENA_ARRAY(arena, struct evs_type_field, field_count);
    for (uint32_t i = 0; i < field_count; i++) {
        const char *name = fields[i].name == NULL ? "" : fields[i].name;
        copy[i] = (struct evs_type_field){evs_arena_strndup(arena, name, strlen(name)), fields[i].type};
    }
    struct evs_type *type = EVS_ARENA_NEW(arena, struct evs_type);
    *type = (struct evs_type){.kind = EVS_STRUCT, .fields = copy, .field_count = field_count};
    return type;
}

static bool equal(const struct evs_type *a, const struct evs_type *b, bool by_name)
{
    if (a == b) {
        return true;
    }
    if (a == NULL || b == NULL || a->kind != b->kind || a->field_count != b->field_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->field_count; i++) {
        const struct evs_type_field *x = &a->fields[i], *y = &b->fields[i];
        if (!equal(x->type, y->type, by_name) || (by_name && !evs_slice_equal_nocase(evs_slice_of(x->name), y->name))) {
            return false;
        }
    }
    return a->kind != EVS_ARRAY || equal(a->element, b->element, by_name);
}

bool evs_type_equal(const struct evs_type *a, const struct evs_type *b)
{
    return equal(a, b, true);
}

bool evs_type_equal_unnamed(const struct evs_type *a, const struct evs_type *b)
{
    return equal(a, b, false);
}

int32_t evs_type_field_index(const struct evs_type *type, struct evs_slice name)
{
    EVS_ASSERT(type->kind == EVS_STRUCT);
    int32_t found = -1;
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (name.count > 0 && evs_slice_equal_nocase(name, type->fields[i].name)) {
            found = found == -1 ? (int32_t)i : -2;
        }
    }
    return found;
}

static void put_fields(const struct evs_type *type, struct evs_buffer *out)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        evs_buffer_puts(out, i == 0 ? "" : ", ");
        if (type->fields[i].name[0] != '\0') {
            evs_buffer_printf(out, "%s ", type->fields[i].name);
        }
        evs_type_name(type->fields[i].type, out);
    }
}

void evs_type_name(const struct evs_type *type, struct evs_buffer *out)
{
    evs_buffer_puts(out, evs_kind_name(type->kind));
    if (!evs_kind_is_nested(type->kind)) {
        return;
    }
    evs_buffer_puts(out, "<");
    if (type->kind == EVS_ARRAY) {
        evs_type_name(type->element, out);
    } else {
        put_fields(type, out);
    }
    evs_buffer_puts(out, ">");
}

const char *evs_type_name_in(struct evs_arena *arena, const struct evs_type *type)
{
    if (!evs_kind_is_nested(type->kind)) {
        return evs_kind_name(type->kind);
    }
    struct evs_buffer text = {0};
    evs_type_name(type, &text);
    const char *name = evs_arena_strndup(arena, text.data, text.count);
    evs_buffer_fini(&text);
    return name;
}

const char *evs_kind_name(enum evs_kind kind)
{
    EVS_ASSERT(is_kind(kind));
    return kinds[kind].name;
}

enum evs_kind evs_kind_parse(struct evs_slice name)
{
    for (enum evs_kind kind = EVS_BOOL; kind < EVS_ARRAY; kind++) {
        if (evs_slice_equal_nocase(name, kinds[kind].name)) {
            return kind;
        }
    }
    for (size_t i = 0; i < EVS_COUNT(spellings); i++) {
        if (evs_slice_equal_nocase(name, spellings[i].name)) {
            return spellings[i].kind;
        }
    }
    return EVS_NULL_KIND;
}

uint32_t evs_kind_width(enum evs_kind kind)
{
    EVS_ASSERT(is_kind(kind));
    return kinds[kind].width;
}
