/* The text formats of metrics, against their specifications. */
#include <math.h>
#include <string.h>

#include "metrics.h"
#include "unit.h"

static struct evs_buffer out;

static const char *text(void)
{
    evs_buffer_put(&out, "", 1);
    out.count--;
    return out.data;
}

static void begin(struct evs_exposition *page, enum evs_exposition_format format)
{
    out.count = 0;
    evs_exposition_begin(page, &out, format);
}

START_TEST(prometheus_names_a_counter_as_its_samples)
{
    struct evs_exposition page;
    const char *first[] = {"cart", "clicks"}, *second[] = {"cart", "prices"};
    begin(&page, EVS_EXPOSITION_PROMETHEUS);
    evs_exposition_value(&page, EVS_METRIC_SOURCE_EVENTS, first, 12);
    evs_exposition_value(&page, EVS_METRIC_SOURCE_EVENTS, second, 0);
    evs_exposition_end(&page);
    ck_assert_str_eq(text(), "# TYPE evstream_source_events_total counter\n"
                             "# HELP evstream_source_events_total Events read, good and bad.\n"
                             "evstream_source_events_total{pipeline=\"cart\",source=\"clicks\"} 12\n"
                             "evstream_source_events_total{pipeline=\"cart\",source=\"prices\"} 0\n");
}
END_TEST

START_TEST(openmetrics_names_family_and_unit_and_ends)
{
    struct evs_exposition page;
    const char *labels[] = {"cart", "clicks"};
    begin(&page, EVS_EXPOSITION_OPENMETRICS);
    evs_exposition_value(&page, EVS_METRIC_SOURCE_BYTES, labels, 3);
    evs_exposition_end(&page);
    ck_assert_str_eq(text(), "# TYPE evstream_source_bytes counter\n"
                             "# UNIT evstream_source_bytes bytes\n"
                             "# HELP evstream_source_bytes Bytes of the messages read.\n"
                             "evstream_source_bytes_total{pipeline=\"cart\",source=\"clicks\"} 3\n"
                             "# EOF\n");
}
END_TEST

START_TEST(label_values_are_escaped)
{
    struct evs_exposition page;
    const char *labels[] = {"a\"b", "c\\d\ne"};
    begin(&page, EVS_EXPOSITION_PROMETHEUS);
    evs_exposition_value(&page, EVS_METRIC_SOURCE_EVENTS, labels, 1);
    ck_assert_ptr_nonnull(strstr(text(), "{pipeline=\"a\\\"b\",source=\"c\\\\d\\ne\"} 1\n"));
}
END_TEST

static const char *printed(double value)
{
    struct evs_exposition page;
    begin(&page, EVS_EXPOSITION_PROMETHEUS);
    evs_exposition_value(&page, EVS_METRIC_PROCESS_CPU, NULL, value);
    return strrchr(text(), ' ') + 1;
}

START_TEST(numbers_are_short_and_exact)
{
    ck_assert_str_eq(printed(0), "0\n");
    ck_assert_str_eq(printed(-3), "-3\n");
    ck_assert_str_eq(printed(0.3), "0.3\n");
    ck_assert_str_eq(printed(9007199254740991.0), "9007199254740991\n");
    ck_assert_str_eq(printed(1767225605.123456), "1767225605.123456\n");
    ck_assert_str_eq(printed(1e-6), "1e-06\n");
    ck_assert_str_eq(printed(INFINITY), "+Inf\n");
}
END_TEST

START_TEST(histograms_are_cumulative)
{
    struct evs_exposition page;
    const char *labels[] = {"cart"};
    const double bounds[] = {0.5, 1};
    const uint64_t counts[] = {3, 0, 2};
    begin(&page, EVS_EXPOSITION_PROMETHEUS);
    evs_exposition_histogram(&page, EVS_METRIC_CHECKPOINT_DURATION, labels, bounds, 2, counts, 7.25);
    ck_assert_ptr_nonnull(strstr(text(), "# TYPE evstream_checkpoint_duration_seconds histogram\n"));
    ck_assert_ptr_nonnull(strstr(text(),
                                 "evstream_checkpoint_duration_seconds_bucket{pipeline=\"cart\",le=\"0.5\"} 3\n"
                                 "evstream_checkpoint_duration_seconds_bucket{pipeline=\"cart\",le=\"1\"} 3\n"
                                 "evstream_checkpoint_duration_seconds_bucket{pipeline=\"cart\",le=\"+Inf\"} 5\n"
                                 "evstream_checkpoint_duration_seconds_sum{pipeline=\"cart\"} 7.25\n"
                                 "evstream_checkpoint_duration_seconds_count{pipeline=\"cart\"} 5\n"));
    begin(&page, EVS_EXPOSITION_OPENMETRICS);
    evs_exposition_histogram(&page, EVS_METRIC_CHECKPOINT_DURATION, labels, bounds, 2, counts, 7.25);
    ck_assert_ptr_nonnull(strstr(text(), "le=\"1.0\"} 3\n"));
}
END_TEST

START_TEST(the_header_chooses_the_format)
{
    ck_assert_int_eq(evs_exposition_accepted(NULL), EVS_EXPOSITION_PROMETHEUS);
    ck_assert_int_eq(evs_exposition_accepted("text/plain;version=0.0.4"), EVS_EXPOSITION_PROMETHEUS);
    ck_assert_int_eq(evs_exposition_accepted("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
                     EVS_EXPOSITION_OPENMETRICS);
}
END_TEST

static bool is_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if (*c != '_' && !(*c >= 'a' && *c <= 'z')) {
            return false;
        }
    }
    return name[0] != '\0';
}

/* What OpenMetrics asks of a family: a name that ends with its unit, and none that is used twice. */
START_TEST(the_catalog_is_well_formed)
{
    for (uint32_t i = 0; i < EVS_METRIC_COUNT; i++) {
        const struct evs_metric *metric = evs_metric(i);
        ck_assert_msg(is_name(metric->name), "%s", metric->name);
        ck_assert_msg(strstr(metric->name, "_total") == NULL, "%s", metric->name);
        size_t name = strlen(metric->name), unit = strlen(metric->unit);
        ck_assert_msg(unit == 0 || (name > unit && strcmp(metric->name + name - unit, metric->unit) == 0), "%s",
                      metric->name);
        ck_assert_msg(metric->help[strlen(metric->help) - 1] == '.', "%s", metric->name);
        for (uint32_t j = 0; j < i; j++) {
            ck_assert_str_ne(evs_metric(j)->name, metric->name);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");
    tcase_add_test(tests, prometheus_names_a_counter_as_its_samples);
    tcase_add_test(tests, openmetrics_names_family_and_unit_and_ends);
    tcase_add_test(tests, label_values_are_escaped);
    tcase_add_test(tests, numbers_are_short_and_exact);
    tcase_add_test(tests, histograms_are_cumulative);
    tcase_add_test(tests, the_header_chooses_the_format);
    tcase_add_test(tests, the_catalog_is_well_formed);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
