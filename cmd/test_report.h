/* How `evstream test` tells what became of each test: for people, or for a build server. */
#ifndef EVS_TEST_REPORT_H
#define EVS_TEST_REPORT_H

#include <stdio.h>

#include "scenario.h"

struct evs_test_totals {
    uint32_t passed, failed;
};
struct evs_test_writer {
    void (*begin)(FILE *out);
    void (*test)(FILE *out, const char *file, const struct evs_test *test, const struct evs_scenario_report *report);
    void (*end)(FILE *out, const struct evs_test_totals *totals);
};
extern const struct evs_test_writer evs_test_writer_text;
extern const struct evs_test_writer
    evs_test_writer_junit; /* XML, as JUnit's Ant task writes it: most build servers read it */

#endif
