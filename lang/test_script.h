/* The tests of a pipeline file, as `evstream test` runs them. */
#ifndef EVS_TEST_SCRIPT_H
#define EVS_TEST_SCRIPT_H

#include "compile.h"
#include "parser.h"

enum evs_test_kind { EVS_TEST_ROWS, EVS_TEST_TIME, EVS_TEST_INPUT_END, EVS_TEST_EXPECTATION };

struct evs_test_step {
    enum evs_test_kind kind;
    struct evs_place place;
    const char *name;             /* rows: of the source or table; expectation: of the sink */
    bool is_table;                /* rows of a table */
    int64_t time_us;              /* time: where it advances to */
    bool in_order;                /* expectation */
    const struct evs_slice *rows; /* JSON objects, or raw bytes; each has EVS_PADDING readable bytes behind it */
    const struct evs_place *row_places;
    uint32_t row_count;
};
struct evs_test {
    const char *title;
    struct evs_place place;
    const char *const *params; /* "NAME=VALUE": with … */
    uint32_t param_count;
    const struct evs_test_step *steps;
    uint32_t step_count;
    bool has_end;
};
struct evs_test_name { /* a source, table or sink that the pipeline declares */
    const char *name, *connector;
};
struct evs_tests {
    struct evs_arena arena;
    const struct evs_test *items;
    uint32_t count;
    const struct evs_test_name *sources, *tables, *sinks;
    uint32_t source_count, table_count, sink_count;
};

/* The tests that the file itself holds (those of its imports are run with those files), and all that it and its imports declare. Mistakes are in
 * `diagnostics`; EVS_E_PIPELINE if there are any, EVS_E_USAGE when the file cannot be read. */
EVS_MUST_CHECK evs_status evs_tests_load(struct evs_sources *texts, const char *file,
                                         struct evs_diagnostics *diagnostics, struct evs_tests *tests,
                                         struct evs_error *error);
void evs_tests_fini(struct evs_tests *tests);

/* Reports names of tests that the script does not declare, times that are none, steps behind the end of input. */
void evs_tests_check(const struct evs_script *script, struct evs_diagnostics *diagnostics);

#endif
