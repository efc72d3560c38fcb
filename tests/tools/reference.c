/* Prints the parts of docs/language.md that come from the program's own tables: functions, options, settings, codes of diagnostics, reasons of
 * rows that fail in an expression, aggregate functions. tests/docs/run holds the document against them, and `tests/docs/run --update` writes them into it.
 *
 *   evs_reference functions|aggregates|options|settings|diagnostics|failures|sink_KIND|format_KIND
 *   evs_reference aggregate_rows|aggregate_pipeline|aggregate_results     the examples of the aggregate functions, to be run */
#include <stdio.h>
#include <string.h>

#include "../../cmd/cmd.h"
#include "aggregate_table.h"
#include "bind.h"
#include "codes.h"
#include "expr.h"
#include "internal.h"

/* A cell of a Markdown table: a bar would end it. */
static void print_cell(const char *text)
{
    for (; *text != '\0'; text++) {
        printf(*text == '|' ? "\\|" : "%c", *text);
    }
}

static void print_code_cell(const char *text)
{
    if (text == NULL || text[0] == '\0') {
        printf(" |");
        return;
    }
    printf(" `");
    print_cell(text);
    printf("` |");
}

/* --- functions ------------------------------------------------------------------------------------------------------------ */

static const struct {
    enum evs_function_family family;
    const char *title;
} families[] = {
    {EVS_FAMILY_OPERATOR, "Operators"},
    {EVS_FAMILY_CONDITIONAL, "Conditions"},
    {EVS_FAMILY_MATH, "Numbers"},
    {EVS_FAMILY_STRING, "Text"},
    {EVS_FAMILY_TIME, "Dates and times"},
    {EVS_FAMILY_JSON, "JSON"},
    {EVS_FAMILY_ARRAY, "Arrays and structs"},
    {EVS_FAMILY_HASH, "Hashes and encodings"},
    {EVS_FAMILY_REGEXP, "Regular expressions"},
    {EVS_FAMILY_NET, "Addresses and the web"},
    {EVS_FAMILY_PRIVACY, "Privacy"},
};

static void print_function(const struct evs_function *function)
{
    printf("|");
    print_code_cell(function->signature);
    printf(" ");
    print_cell(function->meaning);
    printf(" |");
    print_code_cell(function->example);
    print_code_cell(function->result);
    printf("\n");
}

static void print_family(enum evs_function_family family, const char *title)
{
    bool any = false;
    for (uint32_t i = 0; i < evs_function_count(); i++) {
        if (evs_function_at(i)->family != family) {
            continue;
        }
        if (!any) {
            printf("### %s\n\n| | meaning | example | gives |\n|---|---|---|---|\n", title);
            any = true;
        }
        print_function(evs_function_at(i));
    }
    if (any) {
        printf("\n");
    }
}

static void print_functions(void)
{
    for (size_t i = 0; i < EVS_COUNT(families); i++) {
        print_family(families[i].family, families[i].title);
    }
}

/* For the page that holds them against GoogleSQL's: a name a line. */
static void print_names(void)
{
    for (uint32_t i = 0; i < evs_function_count(); i++) {
        printf("%s\n", evs_function_at(i)->name);
    }
}

/* --- aggregate functions -------------------------------------------------------------------------------------------------- */

static void print_aggregate_rows(void)
{
    for (const char *const *row = evs_aggregate_example_rows; *row != NULL; row++) {
        printf("%s\n", *row);
    }
}

static void print_aggregates(void)
{
    printf("The examples are over these rows:\n\n```\n");
    print_aggregate_rows();
    printf("```\n\n| | meaning | example | gives |\n|---|---|---|---|\n");
    for (uint32_t i = 0; i < evs_aggregate_function_count(); i++) {
        const struct evs_aggregate_function *function = evs_aggregate_function_at(i);
        printf("|");
        print_code_cell(function->signature);
        printf(" ");
        print_cell(function->meaning);
        printf(" |");
        print_code_cell(function->example);
        print_code_cell(function->result);
        printf("\n");
    }
    printf("\n");
}

/* One row, whose columns are the examples' results in the table's order. */
static void print_aggregate_pipeline(void)
{
    printf("create source orders (%s) from file (path = 'orders.ndjson') on error fail;\nfrom orders |> aggregate\n",
           evs_aggregate_example_columns);
    for (uint32_t i = 0; i < evs_aggregate_function_count(); i++) {
        printf("    %s as result_%u,\n", evs_aggregate_function_at(i)->example, i);
    }
    printf("    count(*) as n\ngroup by tumble(interval 1 hour);\n");
}

static void print_aggregate_results(void)
{
    for (uint32_t i = 0; i < evs_aggregate_function_count(); i++) {
        printf("%s\n", evs_aggregate_function_at(i)->result);
    }
}

/* --- options -------------------------------------------------------------------------------------------------------------- */

static const char *kind_of(const struct evs_option *option)
{
    static const char *const names[] = {
        [EVS_OPTION_STRING] = "string", [EVS_OPTION_INT] = "int64",
        [EVS_OPTION_BOOL] = "bool",     [EVS_OPTION_DURATION] = "interval",
        [EVS_OPTION_BYTES] = "bytes",   [EVS_OPTION_TEMPLATE] = "template",
        [EVS_OPTION_ENUM] = "",
    };
    return names[option->kind];
}

static void print_type(const struct evs_option *option)
{
    printf(" %s", kind_of(option));
    if (option->choices != NULL) {
        printf("%s", option->kind == EVS_OPTION_ENUM ? "" : " or ");
        printf("`");
        print_cell(option->choices);
        printf("`");
    }
    printf(" |");
}

static void print_options(const struct evs_option *options)
{
    printf("| option | type | default | meaning |\n|---|---|---|---|\n");
    for (const struct evs_option *option = options; option->name != NULL; option++) {
        printf("| `%s` |", option->name);
        print_type(option);
        if (option->required) {
            printf(" required |");
        } else {
            print_code_cell(option->fallback);
        }
        printf(" ");
        print_cell(option->help);
        printf(" |\n");
    }
    printf("\n");
}

static void print_titled(const char *before, const char *name, const char *after, const struct evs_option *options)
{
    printf("### %s`%s`%s\n\n", before, name, after);
    if (options == NULL || options[0].name == NULL) {
        printf("No options.\n\n");
    } else {
        print_options(options);
    }
}

static void print_all_options(void)
{
    for (const struct evs_source *const *at = evs_registry.sources; *at != NULL; at++) {
        print_titled("Source: ", (*at)->kind, "", (*at)->options);
    }
    printf("### Every source\n\n");
    print_options(evs_source_options);
    for (const struct evs_lookup *const *at = evs_registry.tables; *at != NULL; at++) {
        print_titled("Table: ", (*at)->kind, "", (*at)->options);
    }
    printf("### Every table\n\n");
    print_options(evs_table_options);
    for (const struct evs_sink *const *at = evs_registry.sinks; *at != NULL; at++) {
        print_titled("Sink: ", (*at)->kind, "", (*at)->options);
    }
    printf("### Every sink\n\n");
    print_options(evs_sink_options);
    for (const struct evs_decode_format *const *at = evs_registry.decode_formats; *at != NULL; at++) {
        print_titled("Format of a source: ", (*at)->kind, "", NULL);
    }
    for (const struct evs_format *const *at = evs_registry.formats; *at != NULL; at++) {
        print_titled("Format of a sink: ", (*at)->kind, "", (*at)->options);
    }
}

/* The options of one sink alone, for its page in docs/sinks/: `sink_nats`. */
static bool print_sink(const char *part)
{
    static const char prefix[] = "sink_";
    for (const struct evs_sink *const *at = evs_registry.sinks; *at != NULL; at++) {
        if (strncmp(part, prefix, sizeof prefix - 1) == 0 && strcmp(part + sizeof prefix - 1, (*at)->kind) == 0) {
            print_options((*at)->options);
            return true;
        }
    }
    return false;
}

/* `format_csv` */
static bool print_format(const char *part)
{
    static const char prefix[] = "format_";
    for (const struct evs_format *const *at = evs_registry.formats; *at != NULL; at++) {
        if (strncmp(part, prefix, sizeof prefix - 1) == 0 && strcmp(part + sizeof prefix - 1, (*at)->kind) == 0) {
            print_options((*at)->options);
            return true;
        }
    }
    return false;
}

static void print_settings(void)
{
    print_options(evs_setting_options);
}

/* --- codes ---------------------------------------------------------------------------------------------------------------- */

static void print_diagnostics(void)
{
    printf("| code | | what it means, and what to do |\n|---|---|---|\n");
    for (int i = 0; i < EVS_CODE_COUNT; i++) {
        const struct evs_code_info *info = evs_code_info((enum evs_code)i);
        printf("| %s | %s | ", info->name, info->title);
        print_cell(info->explanation);
        printf(" |\n");
    }
    printf("\n");
}

static void print_failures(void)
{
    printf("| code | reason | |\n|---|---|---|\n");
    for (int outcome = EVS_ROW_NULL + 1; outcome < EVS_ROW_OUTCOMES; outcome++) {
        const struct evs_row_reason *reason = evs_row_reason((enum evs_row)outcome);
        printf("| %s | `%s` | %s |\n", reason->code, reason->reason, reason->message);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } parts[] = {
        {"functions", print_functions},
        {"names", print_names},
        {"aggregates", print_aggregates},
        {"aggregate_rows", print_aggregate_rows},
        {"aggregate_pipeline", print_aggregate_pipeline},
        {"aggregate_results", print_aggregate_results},
        {"options", print_all_options},
        {"settings", print_settings},
        {"diagnostics", print_diagnostics},
        {"failures", print_failures},
    };
    for (size_t i = 0; argc == 2 && i < EVS_COUNT(parts); i++) {
        if (strcmp(argv[1], parts[i].name) == 0) {
            parts[i].print();
            return 0;
        }
    }
    if (argc == 2 && (print_sink(argv[1]) || print_format(argv[1]))) {
        return 0;
    }
    fprintf(stderr, "usage: %s functions|aggregates|options|settings|diagnostics|failures|sink_KIND|format_KIND\n",
            argv[0]);
    return 2;
}
