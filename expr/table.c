/* The function table: the families' shares, put together, and the search in it. Searches happen at plan time only. */
#include <ctype.h>

#include "internal.h"

/* clang-format off: one a line, so that families can be added side by side */
static const struct evs_family *const families[] = {
    &evs_family_arith,
    &evs_family_bits,
    &evs_family_compare,
    &evs_family_syntax,
    &evs_family_math,
    &evs_family_string,
    &evs_family_text,
    &evs_family_like,
    &evs_family_json,
    &evs_family_time,
    &evs_family_date,
    &evs_family_interval,
    &evs_family_datetime,
    &evs_family_clock,
    &evs_family_extract,
    &evs_family_bucket,
    &evs_family_format_time,
    &evs_family_parse_time,
    &evs_family_numeric,
    &evs_family_regexp,
    &evs_family_array,
    &evs_family_struct,
    &evs_family_json_make, &evs_family_json_edit, &evs_family_json_array, &evs_family_generate,
    &evs_family_unicode,
    &evs_family_encode,
    &evs_family_hash,
    &evs_family_net,
    &evs_family_web,
    &evs_family_privacy,
    &evs_family_trig,
    &evs_family_format,
    &evs_family_bit_bytes,
};
/* clang-format on */

/* Other spellings of functions; they are in the table of functions too, so that the reference lists them. */
static const struct {
    const char *alias, *name;
} aliases[] = {
    {"<>", "!="},
    {"power", "pow"},
    {"regexp_substr", "regexp_extract"},
    {"ceiling", "ceil"},
    {"substring", "substr"},
    {"char_length", "length"},
    {"character_length", "length"},
    {"octet_length", "byte_length"},
};

uint32_t evs_function_count(void)
{
    uint32_t count = 0;
    for (size_t f = 0; f < EVS_COUNT(families); f++) {
        count += families[f]->function_count;
    }
    return count;
}

const struct evs_function *evs_function_at(uint32_t index)
{
    for (size_t f = 0; f < EVS_COUNT(families); f++) {
        if (index < families[f]->function_count) {
            return &families[f]->functions[index];
        }
        index -= families[f]->function_count;
    }
    EVS_ASSERT(!"a function index below evs_function_count()");
    return NULL;
}

static const struct evs_function *find_function(const char *name)
{
    for (uint32_t i = 0; i < evs_function_count(); i++) {
        if (strcmp(evs_function_at(i)->name, name) == 0) {
            return evs_function_at(i);
        }
    }
    return NULL;
}

static const char *lower(struct evs_slice name, char buffer[64])
{
    if (name.count >= 64) {
        return NULL;
    }
    for (size_t i = 0; i < name.count; i++) {
        buffer[i] = (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32 : name.data[i]);
    }
    buffer[name.count] = '\0';
    return buffer;
}

const char *evs_function_canonical(struct evs_slice name, char buffer[64])
{
    const char *lowered = lower(name, buffer);
    for (size_t i = 0; lowered != NULL && i < EVS_COUNT(aliases); i++) {
        if (strcmp(aliases[i].alias, lowered) == 0) {
            return aliases[i].name;
        }
    }
    return lowered;
}

bool evs_function_known(struct evs_slice name)
{
    char buffer[64];
    const char *lowered = lower(name, buffer);
    return lowered != NULL && find_function(lowered) != NULL;
}

/* Levenshtein's distance, with one row of the table. Both names are short. */
static uint32_t distance(const char *a, const char *b)
{
    uint32_t row[64];
    const uint32_t b_count = (uint32_t)strlen(b);
    EVS_ASSERT(b_count < EVS_COUNT(row));
    for (uint32_t j = 0; j <= b_count; j++) {
        row[j] = j;
    }
    for (uint32_t i = 0; a[i] != '\0'; i++) {
        uint32_t diagonal = row[0];
        row[0] = i + 1;
        for (uint32_t j = 0; j < b_count; j++) {
            uint32_t best = diagonal + (a[i] != b[j]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j + 1] + 1 < best ? row[j + 1] + 1 : best;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[b_count];
}

const char *evs_function_nearest(struct evs_slice name)
{
    char buffer[64];
    const char *lowered = lower(name, buffer);
    if (lowered == NULL) {
        return NULL;
    }
    const char *best = NULL;
    uint32_t best_distance = name.count <= 4 ? 2 : 3; /* more is not near */
    for (uint32_t i = 0; i < evs_function_count(); i++) {
        const char *known = evs_function_at(i)->name;
        const uint32_t d = isalpha((unsigned char)known[0]) ? distance(lowered, known) : UINT32_MAX;
        if (d < best_distance) {
            best = known;
            best_distance = d;
        }
    }
    return best;
}

void evs_overloads_named(const char *name, bool (*visit)(const struct evs_overload *overload, void *argument),
                         void *argument)
{
    for (size_t f = 0; f < EVS_COUNT(families); f++) {
        for (uint32_t i = 0; i < families[f]->overload_count; i++) {
            const struct evs_overload *overload = &families[f]->overloads[i];
            if (strcmp(overload->name, name) == 0 && !visit(overload, argument)) {
                return;
            }
        }
    }
}

struct exact {
    const enum evs_kind *kinds;
    uint32_t count;
    const struct evs_overload *found;
};

static bool visit_exact(const struct evs_overload *overload, void *argument)
{
    struct exact *exact = argument;
    for (uint32_t i = 0; i < exact->count; i++) {
        if (evs_overload_kind(overload, i) != exact->kinds[i]) {
            return true;
        }
    }
    if (exact->count < overload->required ||
        (exact->count < EVS_OVERLOAD_ARGUMENTS && overload->arguments[exact->count] != 0)) {
        return true;
    }
    exact->found = overload;
    return false;
}

const struct evs_overload *evs_overload_exact(const char *name, const enum evs_kind *kinds, uint32_t count)
{
    EVS_ASSERT(count <= EVS_OVERLOAD_ARGUMENTS);
    struct exact exact = {kinds, count, NULL};
    evs_overloads_named(name, visit_exact, &exact);
    return exact.found;
}
