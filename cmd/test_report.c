/* The results of tests as text and as JUnit's XML (test_report.h). */
#include "test_report.h"

/* --- text ------------------------------------------------------------------------------------------------------------------- */

static void text_begin(FILE *out)
{
    (void)out;
}

static void text_test(FILE *out, const char *file, const struct evs_test *test,
                      const struct evs_scenario_report *report)
{
    (void)file;
    if (report->text.count == 0) {
        fprintf(out, "pass  %s\n", test->title);
        return;
    }
    fprintf(out, "FAIL  %s\n%.*s", test->title, (int)report->text.count, report->text.data);
    if (report->dead_rows > 0) {
        fprintf(out, "  %llu row%s went to the dead letter: `expect` of that sink tells why\n",
                (unsigned long long)report->dead_rows, report->dead_rows == 1 ? "" : "s");
    }
}

static void text_end(FILE *out, const struct evs_test_totals *totals)
{
    uint32_t count = totals->passed + totals->failed;
    fprintf(out, "%u test%s: %u passed, %u failed\n", count, count == 1 ? "" : "s", totals->passed, totals->failed);
}

const struct evs_test_writer evs_test_writer_text = {text_begin, text_test, text_end};

/* --- JUnit ------------------------------------------------------------------------------------------------------------------ */

/* XML 1.0 has no way to write most control characters: they become U+FFFD. */
static void put_xml(FILE *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)text[i];
        switch (byte) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            if (byte < 0x20 && byte != '\n' && byte != '\t') {
                fputs("\xEF\xBF\xBD", out);
            } else {
                fputc(byte, out);
            }
        }
    }
}

static void junit_begin(FILE *out)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"evstream\">\n", out);
}

static void junit_test(FILE *out, const char *file, const struct evs_test *test,
                       const struct evs_scenario_report *report)
{
    fputs("<testcase classname=\"", out);
    put_xml(out, file, strlen(file));
    fputs("\" name=\"", out);
    put_xml(out, test->title, strlen(test->title));
    if (report->text.count == 0) {
        fputs("\"/>\n", out);
        return;
    }
    fputs("\">\n<failure message=\"rows differ\">", out);
    put_xml(out, report->text.data, report->text.count);
    fputs("</failure>\n</testcase>\n", out);
}

static void junit_end(FILE *out, const struct evs_test_totals *totals)
{
    (void)totals;
    fputs("</testsuite>\n</testsuites>\n", out);
}

const struct evs_test_writer evs_test_writer_junit = {junit_begin, junit_test, junit_end};
