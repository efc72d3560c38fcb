/* Diagnostics: errors and warnings about a pipeline file, collected over a run, sorted by place, printed together.
 *
 *   error[E0203]: no column `ocurred_at` in clicks
 *     --> pipelines/cart.evs:14:10
 *      |
 *   14 | |> where ocurred_at > @since
 *      |          ^^^^^^^^^^ did you mean `occurred_at`?
 *
 * A message is one sentence in lower case without a full stop; names of the user and words to write stand in
 * backticks. The hint on the underline says what to write. Codes and their explanations are in codes.def. */
#ifndef EVS_DIAG_H
#define EVS_DIAG_H

#include <stdio.h>

#include "codes.h"
#include "expr.h"

/* Errors shown in one run; what is beyond is counted only. */
#define EVS_DIAGNOSTICS_MAX 100

struct evs_sources; /* source_text.h: the texts that places point into */
struct evs_diagnostics;
struct evs_diag;

/* `sources` may be NULL (no lines are shown then) and must live until the last rendering. */
struct evs_diagnostics *evs_diagnostics_new(const struct evs_sources *sources);
void evs_diagnostics_free(struct evs_diagnostics *diagnostics);

enum evs_severity { EVS_SEVERITY_ERROR, EVS_SEVERITY_WARNING, EVS_SEVERITY_INFO, EVS_SEVERITIES };

/* Reports. Whether it is an error, a warning or an answer to a question (describe), the code says. A place without a file is about no line of a file
 * (the command line). The same code at the same place is kept once. Returns the new diagnostic for the calls below,
 * or NULL (which they accept) when it is a repetition. */
struct evs_diag *evs_diag(struct evs_diagnostics *diagnostics, enum evs_code code, struct evs_place place,
                          const char *format, ...) EVS_PRINTF(4, 5);
/* The words behind the carets. */
void evs_diag_hint(struct evs_diag *diag, const char *format, ...) EVS_PRINTF(2, 3);
/* A second place that matters ("first declared here"), or, with a place without a file, a line `= note: …`. */
void evs_diag_note(struct evs_diag *diag, struct evs_place place, const char *format, ...) EVS_PRINTF(3, 4);

uint32_t evs_diagnostics_errors(const struct evs_diagnostics *diagnostics);
uint32_t evs_diagnostics_warnings(const struct evs_diagnostics *diagnostics);

/* One diagnostic in the order of printing (file in order of loading, line, column), for tests and editors. */
struct evs_diag_view {
    enum evs_code code;
    enum evs_severity severity;
    struct evs_place place;
    const char *message, *hint; /* hint: NULL when there is none */
};
uint32_t evs_diagnostics_count(const struct evs_diagnostics *diagnostics);
struct evs_diag_view evs_diagnostics_at(const struct evs_diagnostics *diagnostics, uint32_t index);

/* All of them, a blank line between two, and how many there were when there is more than one. Nothing when there are
 * none. */
void evs_diagnostics_render(const struct evs_diagnostics *diagnostics, bool colour, struct evs_buffer *out);
/* To a stream, coloured when it is a terminal and NO_COLOR is not set. */
void evs_diagnostics_print(const struct evs_diagnostics *diagnostics, FILE *stream);

/* Did-you-mean: the candidate nearest to a name, case-insensitive, a swap of neighbours counts one; NULL when none
 * is near enough to be a slip of the fingers. Usage: begin, offer each candidate, read `best` (borrowed from the
 * candidate). */
struct evs_nearest {
    struct evs_slice wanted;
    struct evs_slice best; /* count 0: none */
    uint32_t distance;
};
struct evs_nearest evs_nearest_begin(struct evs_slice wanted);
void evs_nearest_offer(struct evs_nearest *nearest, struct evs_slice candidate);
/* Adds "did you mean `best`?" as the hint when there is a best one. */
void evs_diag_did_you_mean(struct evs_diag *diag, const struct evs_nearest *nearest);

#endif
