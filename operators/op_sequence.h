/* sequence by …: events of a key one after another, with absence. The essay is in op_sequence.c. */
#ifndef EVS_OP_SEQUENCE_H
#define EVS_OP_SEQUENCE_H

#include "keyed_rows.h"
#include "match_measure.h"

#define EVS_SEQUENCE_STEPS_MAX 32u
#define EVS_SEQUENCE_UNBOUNDED UINT32_MAX
#define EVS_SEQUENCE_NEVER INT64_MIN /* a within that is not given */

/* A condition. What it says of the row alone is bit `number` of the row's mask; what it says of earlier steps is a program over its inputs. */
struct evs_sequence_condition {
    const struct evs_program *program; /* NULL: the mask says it all */
    const struct evs_measure *inputs;  /* column i of the program's batches */
    struct evs_schema schema;          /* of them; shown by dead letters */
};

struct evs_sequence_absence {
    uint32_t condition;
    int64_t within_us; /* EVS_SEQUENCE_NEVER: until the next step */
};

struct evs_sequence_step {
    uint32_t condition;
    uint32_t min, max; /* rows */
    int64_t
        within_us; /* since the last row of the step before; of the first step: since its first row; EVS_SEQUENCE_NEVER: none */
    bool is_next;                          /* no other row of the key may come between */
    uint32_t first_absence, absence_count; /* `then no …` behind this step */
};

struct evs_sequence_config {
    struct evs_keyed_rows_config rows; /* condition i of the rows is that of conditions[i] */
    const struct evs_sequence_condition *conditions;
    const struct evs_sequence_step *steps;
    uint32_t step_count;
    const struct evs_sequence_absence *absences;
    int64_t within_us;                  /* first to last row; EVS_SEQUENCE_NEVER: none */
    bool skips_to_next;                 /* else past the last row */
    bool has_timeouts;                  /* attempts that run out of time are rows of the output, too */
    uint32_t attempts_max, rows_max;    /* of a key at a time; of an attempt */
    const struct evs_measure *measures; /* one a column of the output */
    uint32_t measure_count;
    const char *file; /* place in the pipeline, for dead letters */
    uint32_t line;
};
extern const struct evs_operator evs_op_sequence;

/* Whether every attempt ends, whatever comes. If not: an attempt whose last row is of *step may stay for ever; *is_complete: as a match that could still have
 * more rows, else because more is needed. */
bool evs_sequence_is_bounded(const struct evs_sequence_config *config, uint32_t *step, bool *is_complete);

#endif
