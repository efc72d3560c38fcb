/* Collecting diagnostics. What is shown is bounded: a broken file must not bury its first mistake under thousands of
 * others. */
#include "diag_private.h"

#include <stdlib.h>

#include "source_text.h"

struct evs_diagnostics *evs_diagnostics_new(const struct evs_sources *sources)
{
    struct evs_diagnostics *diagnostics = evs_alloc_zero(sizeof *diagnostics);
    diagnostics->sources = sources;
    return diagnostics;
}

void evs_diagnostics_free(struct evs_diagnostics *diagnostics)
{
    if (diagnostics == NULL) {
        return;
    }
    evs_arena_fini(&diagnostics->arena);
    evs_free(diagnostics->items);
    evs_free(diagnostics);
}

static bool same_file(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_known(const struct evs_diagnostics *diagnostics, enum evs_code code, struct evs_place place)
{
    if (place.file == NULL) {
        return false; /* they have no place that could be the same */
    }
    for (uint32_t i = 0; i < diagnostics->count; i++) {
        const struct evs_diag *other = diagnostics->items[i];
        bool is_same_span = other->place.line == place.line && other->place.column == place.column &&
                            other->place.offset == place.offset && other->place.count == place.count;
        if (other->code == code && is_same_span && same_file(other->place.file, place.file)) {
            return true;
        }
    }
    return false;
}

/* In the arena. A message may be long (a type, a list of columns), yet has an end. */
static const char *format_text(struct evs_arena *arena, const char *format, va_list arguments)
{
    char text[2048];
    int count = vsnprintf(text, sizeof text, format, arguments);
    EVS_ASSERT(count >= 0);
    return evs_arena_strndup(arena, text, strlen(text));
}

static uint32_t file_order(const struct evs_diagnostics *diagnostics, const char *file)
{
    const struct evs_source_text *text =
        diagnostics->sources != NULL ? evs_sources_find(diagnostics->sources, file) : NULL;
    return text != NULL ? text->index : UINT32_MAX;
}

struct evs_diag *evs_diag(struct evs_diagnostics *diagnostics, enum evs_code code, struct evs_place place,
                          const char *format, ...)
{
    if (is_known(diagnostics, code, place)) {
        return NULL;
    }
    if (++diagnostics->counts[evs_code_severity(code)] > EVS_DIAGNOSTICS_MAX) {
        return NULL;
    }
    struct evs_diag *diag = EVS_ARENA_NEW(&diagnostics->arena, struct evs_diag);
    va_list arguments;
    va_start(arguments, format);
    diag->message = format_text(&diagnostics->arena, format, arguments);
    va_end(arguments);
    diag->owner = diagnostics;
    diag->code = code;
    diag->place = place;
    diag->last_note = &diag->notes;
    EVS_ASSERT(diagnostics->count < 2 * EVS_DIAGNOSTICS_MAX);
    diag->number = diagnostics->count;
    diag->file_order = file_order(diagnostics, place.file);
    EVS_GROW(diagnostics->items, diagnostics->count, diagnostics->capacity);
    diagnostics->items[diagnostics->count++] = diag;
    return diag;
}

void evs_diag_hint(struct evs_diag *diag, const char *format, ...)
{
    if (diag == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    diag->hint = format_text(&diag->owner->arena, format, arguments);
    va_end(arguments);
}

void evs_diag_note(struct evs_diag *diag, struct evs_place place, const char *format, ...)
{
    if (diag == NULL) {
        return;
    }
    struct evs_diag_remark *note = EVS_ARENA_NEW(&diag->owner->arena, struct evs_diag_remark);
    va_list arguments;
    va_start(arguments, format);
    note->text = format_text(&diag->owner->arena, format, arguments);
    va_end(arguments);
    note->place = place;
    *diag->last_note = note;
    diag->last_note = &note->next;
}

uint32_t evs_diagnostics_errors(const struct evs_diagnostics *diagnostics)
{
    return diagnostics->counts[EVS_SEVERITY_ERROR];
}

uint32_t evs_diagnostics_warnings(const struct evs_diagnostics *diagnostics)
{
    return diagnostics->counts[EVS_SEVERITY_WARNING];
}

uint32_t evs_diagnostics_count(const struct evs_diagnostics *diagnostics)
{
    return diagnostics->count;
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

/* By file, place, then the order of reporting. What has no place comes last. */
static int compare(const void *left, const void *right)
{
    const struct evs_diag *a = *(struct evs_diag *const *)left, *b = *(struct evs_diag *const *)right;
    int order = compare_numbers(a->file_order, b->file_order);
    order = order != 0 ? order : compare_numbers(a->place.line, b->place.line);
    order = order != 0 ? order : compare_numbers(a->place.column, b->place.column);
    return order != 0 ? order : compare_numbers(a->number, b->number);
}

struct evs_diag **evs_diagnostics_sorted(const struct evs_diagnostics *diagnostics)
{
    if (diagnostics->count == 0) {
        return NULL;
    }
    size_t bytes = sizeof(struct evs_diag *) * diagnostics->count;
    struct evs_diag **sorted = evs_alloc(bytes);
    memcpy(sorted, diagnostics->items, bytes);
    qsort(sorted, diagnostics->count, sizeof *sorted, compare);
    return sorted;
}

struct evs_diag_view evs_diagnostics_at(const struct evs_diagnostics *diagnostics, uint32_t index)
{
    EVS_ASSERT(index < diagnostics->count);
    struct evs_diag **sorted = evs_diagnostics_sorted(diagnostics);
    const struct evs_diag *diag = sorted[index];
    evs_free(sorted);
    return (struct evs_diag_view){diag->code, evs_code_severity(diag->code), diag->place, diag->message, diag->hint};
}
