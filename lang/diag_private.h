/* Shared by diag.c (collecting) and diag_render.c (printing). */
#ifndef EVS_DIAG_PRIVATE_H
#define EVS_DIAG_PRIVATE_H

#include "diag.h"

struct evs_diag_remark {
    struct evs_place place;
    const char *text;
    struct evs_diag_remark *next;
};
struct evs_diag {
    struct evs_diagnostics *owner;
    enum evs_code code;
    struct evs_place place;
    const char *message, *hint;
    struct evs_diag_remark *notes, **last_note;
    uint32_t number; /* order of reporting */
    uint32_t file_order;
};
struct evs_diagnostics {
    struct evs_arena arena;
    const struct evs_sources *sources;
    struct evs_diag **items; /* in order of reporting */
    uint32_t count, capacity;
    uint32_t counts[EVS_SEVERITIES]; /* also those that are not kept */
};

static inline enum evs_severity evs_code_severity(enum evs_code code)
{
    char letter = evs_code_info(code)->name[0];
    EVS_ASSERT(letter == 'E' || letter == 'W' || letter == 'I');
    return letter == 'E' ? EVS_SEVERITY_ERROR : letter == 'W' ? EVS_SEVERITY_WARNING : EVS_SEVERITY_INFO;
}

/* The diagnostics in the order of printing, to be freed with evs_free; NULL when there are none. */
struct evs_diag **evs_diagnostics_sorted(const struct evs_diagnostics *diagnostics);

/* Columns of a terminal that a code point takes: 0 (combining, control), 1 or 2 (East Asian wide, emoji). */
uint32_t evs_code_point_width(uint32_t code_point);

#endif
