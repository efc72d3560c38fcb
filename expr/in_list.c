/* `x in (constants)`.
 *
 * A list of at most IN_SMALL values is compared one by one, over all rows where that needs no pointer: numbers, and
 * strings of at most 12 bytes, whose views are equal exactly when their 16 bytes are. A longer list is a hash table
 * made at compile time. A NULL in the list makes each row that finds nothing NULL instead of false. */
#include "kernel.h"

#define IN_SMALL 8

struct evs_in_set {
    enum evs_kind kind;
    bool has_null;
    bool is_inline; /* all texts fit into their views */
    uint32_t count;
    uint32_t width; /* of a value: 8 or 16 bytes */
    const void *values;
    uint32_t mask;         /* of the table; 0: none */
    const uint32_t *table; /* value number + 1; 0 is empty */
};

/* Normalises so that equal values have equal bytes: -0.0 is 0.0. NaN equals nothing and is left out by the caller. */
static void store(const struct evs_value *value, uint32_t width, void *out)
{
    if (value->kind == EVS_BOOL) {
        *(int64_t *)out = value->boolean;
    } else if (value->kind == EVS_FLOAT64) {
        *(double *)out = value->float64 + 0.0;
    } else {
        memcpy(out, (const char *)value + offsetof(struct evs_value, numeric), width); /* whichever member it is */
    }
}

/* Two words are enough for everything but long text. */
static uint64_t mix(const void *value, uint32_t width)
{
    uint64_t words[2] = {0, 0};
    memcpy(words, value, width);
    const uint64_t product = (words[0] ^ (words[1] * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xd6e8feb86659fd93);
    return product ^ (product >> 32);
}

static uint64_t hash_value(const struct evs_in_set *set, const void *value)
{
    if (evs_kind_is_var(set->kind) && !set->is_inline) {
        const struct evs_slice text = evs_str_slice(value);
        return evs_hash64(text.data, text.count);
    }
    return mix(value, set->width);
}

static bool same_value(const struct evs_in_set *set, const void *a, const void *b)
{
    return evs_kind_is_var(set->kind) ? evs_str_equal(a, b) : memcmp(a, b, set->width) == 0;
}

static bool table_has(const struct evs_in_set *set, const void *value)
{
    for (uint32_t i = (uint32_t)hash_value(set, value) & set->mask;; i = (i + 1) & set->mask) {
        if (set->table[i] == 0) {
            return false;
        }
        if (same_value(set, (const char *)set->values + (size_t)(set->table[i] - 1) * set->width, value)) {
            return true;
        }
    }
}

static void build_table(struct evs_arena *arena, struct evs_in_set *set)
{
    uint32_t size = 4 * IN_SMALL;
    while (size < set->count * 2) {
        size *= 2;
    }
    uint32_t *table = EVS_ARENA_ARRAY(arena, uint32_t, size);
    set->mask = size - 1;
    set->table = table;
    for (uint32_t v = 0; v < set->count; v++) {
        uint32_t i = (uint32_t)hash_value(set, (const char *)set->values + (size_t)v * set->width) & set->mask;
        while (table[i] != 0) {
            i = (i + 1) & set->mask;
        }
        table[i] = v + 1;
    }
}

const struct evs_in_set *evs_in_set_new(struct evs_arena *arena, enum evs_kind kind, const struct evs_value *values,
                                        uint32_t count)
{
    EVS_ASSERT(kind != EVS_INTERVAL); /* intervals are equal in more ways than by bytes */
    struct evs_in_set *set = EVS_ARENA_NEW(arena, struct evs_in_set);
    set->kind = kind;
    set->is_inline = true;
    set->width = evs_kind_width(kind) == 16 ? 16 : 8;
    char *stored = evs_arena_zero(arena, (size_t)set->width * (count + 1), 16);
    set->values = stored;
    for (uint32_t i = 0; i < count; i++) {
        EVS_ASSERT(values[i].is_null || values[i].kind == kind);
        set->has_null = set->has_null || values[i].is_null;
        if (!values[i].is_null && !(kind == EVS_FLOAT64 && values[i].float64 != values[i].float64)) {
            store(&values[i], set->width, stored + (size_t)set->count++ * set->width);
            set->is_inline = set->is_inline && !(evs_kind_is_var(kind) && values[i].str.count > EVS_STR_INLINE_MAX);
        }
    }
    if (set->count > IN_SMALL) {
        build_table(arena, set);
    }
    return set;
}

/* --- all rows ----------------------------------------------------------------------------------------------------- */

EVS_CLONES static void small_int64(const int64_t *restrict column, int64_t value, uint8_t *restrict out, uint32_t rows,
                                   bool first)
{
    if (first) {
        for (uint32_t i = 0; i < rows; i++) {
            out[i] = column[i] == value;
        }
        return;
    }
    for (uint32_t i = 0; i < rows; i++) {
        out[i] |= column[i] == value;
    }
}

EVS_CLONES static void small_float64(const double *restrict column, double value, uint8_t *restrict out, uint32_t rows,
                                     bool first)
{
    for (uint32_t i = 0; i < rows; i++) {
        out[i] = (uint8_t)((first ? 0 : out[i]) | (column[i] == value));
    }
}

/* Up to four values a pass, so that the views are loaded once for them; `count` is a constant where this is inlined. */
static inline __attribute__((always_inline)) void short_strings_of(const struct evs_str *restrict column,
                                                                   const uint64_t (*k)[2], const uint32_t count,
                                                                   uint8_t *restrict out, uint32_t rows, bool first)
{
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t v[2];
        memcpy(v, &column[i], 16);
        uint8_t hit = first ? 0 : out[i];
        for (uint32_t j = 0; j < count; j++) {
            hit |= ((v[0] ^ k[j][0]) | (v[1] ^ k[j][1])) == 0;
        }
        out[i] = hit;
    }
}

#define SHORT_STRINGS_MAX 4
static void short_strings(const struct evs_str *column, const uint64_t (*values)[2], uint32_t count, uint8_t *out,
                          uint32_t rows, bool first)
{
    uint64_t k[SHORT_STRINGS_MAX][2]; /* on the stack: nothing that is written can overlap it */
    memcpy(k, values, sizeof *values * count);
    switch (count) {
    case 1:
        short_strings_of(column, k, 1, out, rows, first);
        break;
    case 2:
        short_strings_of(column, k, 2, out, rows, first);
        break;
    case 3:
        short_strings_of(column, k, 3, out, rows, first);
        break;
    default:
        EVS_ASSERT(count == SHORT_STRINGS_MAX);
        short_strings_of(column, k, 4, out, rows, first);
        break;
    }
}

static bool all_rows(const struct evs_in_set *set, const struct evs_column *column, uint8_t *out, uint32_t rows)
{
    if (set->count > IN_SMALL || set->count == 0 || !set->is_inline || set->kind == EVS_BOOL ||
        set->kind == EVS_NUMERIC) {
        return false;
    }
    if (evs_kind_is_var(set->kind)) {
        const uint64_t(*values)[2] = set->values;
        for (uint32_t v = 0; v < set->count; v += SHORT_STRINGS_MAX) {
            const uint32_t left = set->count - v;
            short_strings(column->data, values + v, left < SHORT_STRINGS_MAX ? left : SHORT_STRINGS_MAX, out, rows,
                          v == 0);
        }
        return true;
    }
    for (uint32_t v = 0; v < set->count; v++) {
        if (set->kind == EVS_FLOAT64) {
            small_float64(column->data, ((const double *)set->values)[v], out, rows, v == 0);
        } else {
            small_int64(column->data, ((const int64_t *)set->values)[v], out, rows, v == 0);
        }
    }
    return true;
}

/* --- row by row --------------------------------------------------------------------------------------------------- */

static bool has(const struct evs_in_set *set, const void *value)
{
    if (set->is_inline && evs_kind_is_var(set->kind) && ((const struct evs_str *)value)->count > EVS_STR_INLINE_MAX) {
        return false; /* longer than all of the list */
    }
    if (set->mask != 0) {
        return table_has(set, value);
    }
    for (uint32_t v = 0; v < set->count; v++) {
        if (same_value(set, (const char *)set->values + (size_t)v * set->width, value)) {
            return true;
        }
    }
    return false;
}

static bool row_has(const struct evs_in_set *set, const struct evs_column *column, uint32_t row)
{
    if (set->kind == EVS_BOOL) {
        const int64_t value = *EVS_COLUMN_AT(column, uint8_t, row);
        return has(set, &value);
    }
    if (set->kind == EVS_FLOAT64) {
        const double value = *EVS_COLUMN_AT(column, double, row) + 0.0;
        return has(set, &value);
    }
    const char *elements = column->data;
    return has(set, elements + ((column->flags & EVS_COLUMN_CONSTANT) ? 0 : (size_t)row * set->width));
}

static void missing_becomes_null(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                                 struct evs_column *result)
{
    const uint8_t *out = result->data;
    if (result->valid == NULL) {
        result->valid = evs_eval_bitmap(eval, step, true);
    }
    EVS_EACH_ROW(rows, row)
    {
        if (!out[row]) {
            evs_column_set_null(result, row);
        }
    }
}

void evs_in_run(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                struct evs_column *result)
{
    const struct evs_in_set *set = step->prepared;
    const struct evs_column *column = evs_eval_step(eval, step->arguments[0], rows);
    EVS_ASSERT(column->kind == set->kind);
    evs_eval_column(eval, step, result);
    uint8_t *out = result->data;
    if (column->valid != NULL) {
        result->valid = evs_eval_bitmap(eval, step, true);
        if ((column->flags & EVS_COLUMN_CONSTANT) == 0) {
            memcpy(result->valid, column->valid, sizeof(uint64_t) * EVS_VALID_WORDS(eval->row_count));
        } else if (!evs_column_is_valid(column, 0)) {
            memset(result->valid, 0, sizeof(uint64_t) * EVS_VALID_WORDS(eval->row_count));
        }
    }
    const bool dense = rows->count >= eval->row_count / 4 && (column->flags & EVS_COLUMN_CONSTANT) == 0;
    if (!dense || !all_rows(set, column, out, eval->row_count)) {
        EVS_EACH_ROW(rows, row)
        {
            out[row] = evs_column_is_valid(column, row) && row_has(set, column, row);
        }
    }
    if (set->has_null) {
        missing_becomes_null(eval, step, rows, result);
    }
}
