/* A scenario: one test of a pipeline file on the real engine, without a server and without a clock.
 *
 *   steps of the test ──► scripted sources ──► the pipeline, as it is ──► captured sinks ──► compared with what is expected
 *                         one cursor for all                              each row with the step that caused it
 *
 * One worker runs everything. A source is polled only when everything that its last poll brought has gone through the
 * pipeline, and all sources follow one cursor, so each step is worked off before the next one begins, whatever the
 * sources. The wall clock stands where the test has advanced it to. */
#ifndef EVS_SCENARIO_H
#define EVS_SCENARIO_H

#include <stdatomic.h>

#include "evstream/decode.h"
#include "evstream/lookup.h"
#include "evstream/os.h"
#include "evstream/run.h"
#include "evstream/sink.h"
#include "evstream/source.h"
#include "test_script.h"

#define EVS_SCENARIO_SOURCES_MAX 64
#define EVS_SCENARIO_TABLES_MAX 64

struct evs_captured {
    const char *sink;     /* its name in the plan */
    uint32_t step;        /* that was under way */
    struct evs_slice row; /* JSON; EVS_PADDING readable bytes behind it */
};

struct evs_scenario {
    struct evs_os os; /* first: connectors find their scenario by the operating system that they are opened with */
    const struct evs_test *test;
    struct evs_arena arena;
    int64_t clock_us;
    uint32_t cursor;                                        /* the step under way */
    struct evs_scripted *sources[EVS_SCENARIO_SOURCES_MAX]; /* open ones */
    uint32_t source_count;
    struct evs_scripted_table *tables[EVS_SCENARIO_TABLES_MAX];
    uint32_t table_count;
    struct evs_buffer complaints; /* of rows that no table takes */
    /* Whether the tables are at rest: see table_scripted.c. */
    _Atomic uint64_t round;     /* of asking all tables; 0: none yet */
    uint64_t fetches;           /* of all tables when the round began */
    uint32_t quiet_round_count; /* in a row */
    struct evs_captured *captured;
    uint32_t captured_count, captured_capacity;
};
static inline struct evs_scenario *evs_scenario_of(const struct evs_os *os)
{
    return (struct evs_scenario *)os;
}

/* Stand in for the connectors of a pipeline. As bounded as the one that they stand in for: what a pipeline may do depends on it. */
extern const struct evs_source evs_source_scripted, evs_source_scripted_bounded;
extern const struct evs_sink evs_sink_captured;
/* Stands in for a connector of tables, under its name and with its options. In `arena`. */
const struct evs_lookup *evs_table_scripted(struct evs_arena *arena, const struct evs_lookup *stands_for);
/* Whether no lookup is under way; if not, sources are woken as soon as it may be. To be asked in a poll, until it is so. */
bool evs_scenario_is_at_rest(struct evs_scenario *scenario);
/* A source has given something. */
void evs_scenario_disturb(struct evs_scenario *scenario);
void evs_scenario_wake_sources(const struct evs_scenario *scenario);
/* Rows that a step gives to a table; each takes the place of the one with its key. */
void evs_scenario_put_rows(struct evs_scenario *scenario, const struct evs_test_step *step);

/* What did not come out as the test says. */
struct evs_scenario_report {
    struct evs_buffer text; /* for people; empty: everything did */
    uint64_t dead_rows;     /* rows that died, wherever they went */
};

/* Runs one test of a compiled pipeline, all sources of which are scripted and all sinks captured. EVS_OK: it ran; `report` says how. */
evs_status evs_scenario_run(const struct evs_plan *plan, const struct evs_test *test, struct evs_log *log,
                            struct evs_scenario_report *report, struct evs_error *error);

/* scenario_compare.c: one expectation against the rows of its sink since the sink's last one; differences are written to `out`. */
struct evs_expectation {
    const struct evs_schema *schema; /* of the sink; NULL: no query feeds it */
    const struct evs_test_step *step;
    const struct evs_slice *rows; /* that came */
    uint32_t row_count;
};
void evs_scenario_compare(const struct evs_expectation *expectation, struct evs_buffer *out);

#endif
