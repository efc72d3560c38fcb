/* The kinds: their names, widths and static types. */
#include "evstream/type.h"

/* One row a kind, in the order of the enumeration, whose numbers are part of the state format. */
static const struct {
    const char *name;
    uint32_t width; /* bytes of a column element */
    struct evs_type type;
} kinds[EVS_KIND_COUNT] = {
    [EVS_NULL_KIND] = {"null", 1, {EVS_NULL_KIND, NULL}},
    [EVS_BOOL] = {"bool", 1, {EVS_BOOL, NULL}},
    [EVS_INT64] = {"int64", 8, {EVS_INT64, NULL}},
    [EVS_FLOAT64] = {"float64", 8, {EVS_FLOAT64, NULL}},
    [EVS_NUMERIC] = {"numeric", 16, {EVS_NUMERIC, NULL}},
    [EVS_STRING] = {"string", 16, {EVS_STRING, NULL}},
    [EVS_BYTES] = {"bytes", 16, {EVS_BYTES, NULL}},
    [EVS_JSON] = {"json", 16, {EVS_JSON, NULL}},
    [EVS_TIMESTAMP] = {"timestamp", 8, {EVS_TIMESTAMP, NULL}},
    [EVS_DATE] = {"date", 8, {EVS_DATE, NULL}},
    [EVS_DATETIME] = {"datetime", 8, {EVS_DATETIME, NULL}},
    [EVS_TIME] = {"time", 8, {EVS_TIME, NULL}},
    [EVS_INTERVAL] = {"interval", 16, {EVS_INTERVAL, NULL}},
    [EVS_ARRAY] = {"array", 16, {EVS_ARRAY, NULL}},
    [EVS_STRUCT] = {"struct", 16, {EVS_STRUCT, NULL}},
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

bool evs_type_equal(const struct evs_type *a, const struct evs_type *b)
{
    while (a != b) {
        if (a == NULL || b == NULL || a->kind != b->kind) {
            return false;
        }
        a = a->element;
        b = b->element;
    }
    return true;
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
