/* evs_recount: what must the triggers be, and are they? Options and files: README.md. */
#include "recount.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
#define DAY_US (INT64_C(86400) * SECOND_US)
#define FIELDS 14

struct args {
    const char *record, *results, *only;
    bool has_ids;
    struct rules rules;
};

struct table {
    const struct args *args;
    bool colour, good;
};

/* --- options ------------------------------------------------------------------------------------------------------------------ */

_Noreturn static void refuse(void)
{
    fprintf(stderr, "usage: evs_recount --record FILE --results FOLDER [--window SECONDS] [--delay SECONDS] "
                    "[--min-value CENTS] [--gold CENTS]\n"
                    "                   [--min-visitors N] [--remember DAYS] [--only PIPELINE] [--no-ids]\n");
    exit(2);
}

static int64_t number_of(const char *text)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < 1) {
        refuse();
    }
    return value;
}

static void take_option(struct args *args, int option, const char *value)
{
    switch (option) {
    case 'r':
        args->record = value;
        break;
    case 'o':
        args->results = value;
        break;
    case 'p':
        args->only = value;
        break;
    case 'i':
        args->has_ids = false;
        break;
    case 'w':
        args->rules.window_us = number_of(value) * SECOND_US;
        break;
    case 'd':
        args->rules.delay_us = number_of(value) * SECOND_US;
        break;
    case 'm':
        args->rules.min_cents = number_of(value);
        break;
    case 'g':
        args->rules.gold_cents = number_of(value);
        break;
    case 'v':
        args->rules.min_visitors = number_of(value);
        break;
    case 'k':
        args->rules.remember_us = number_of(value) * DAY_US;
        break;
    default:
        refuse();
    }
}

static void take_options(struct args *args, int argc, char **argv)
{
    static const struct option options[] = {
        {"record", required_argument, NULL, 'r'},
        {"results", required_argument, NULL, 'o'},
        {"window", required_argument, NULL, 'w'},
        {"delay", required_argument, NULL, 'd'},
        {"min-value", required_argument, NULL, 'm'},
        {"gold", required_argument, NULL, 'g'},
        {"remember", required_argument, NULL, 'k'},
        {"min-visitors", required_argument, NULL, 'v'},
        {"only", required_argument, NULL, 'p'},
        {"no-ids", no_argument, NULL, 'i'},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        take_option(args, option, optarg);
    }
    if (optind != argc || args->record == NULL || args->results == NULL) {
        refuse();
    }
}

/* --- the record --------------------------------------------------------------------------------------------------------------- */

static int index_of(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    fprintf(stderr, "evs_recount: the record says '%s', which means nothing here.\n", name);
    exit(1);
}

static const char *or_null(const char *text)
{
    return strcmp(text, "-") == 0 ? NULL : text;
}

static struct event read_event(char *line)
{
    static const char *const kinds[] = {"page", "product_view", "add_to_cart", "purchase"};
    static const char *const flaws[] = {"whole", "cut", "no_type", "no_time", "bad_time", "bad_price", "future"};
    char *fields[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        fields[i] = strsep(&line, "\t");
        if (fields[i] == NULL) {
            fprintf(stderr, "evs_recount: a line of the record has %d fields instead of %d.\n", i, FIELDS);
            exit(1);
        }
    }
    struct event event = {
        .partition = (uint32_t)strtoul(fields[0], NULL, 10),
        .sequence = strtoull(fields[1], NULL, 10),
        .index = strtoull(fields[2], NULL, 10),
        .sent_us = strtoll(fields[3], NULL, 10),
        .occurred_us = strtoll(fields[4], NULL, 10),
        .kind = (enum kind)index_of(kinds, 4, fields[5]),
        .flaw = (enum flaw)index_of(flaws, 7, fields[6]),
        .id = fields[7],
        .user = or_null(fields[8]),
        .anonymous = fields[9],
        .sku = or_null(fields[10]),
        .campaign = or_null(fields[11]),
        .quantity = strtoll(fields[12], NULL, 10),
        .cents = strtoll(fields[13], NULL, 10),
    };
    if (event.partition >= PARTITIONS_MAX) {
        fprintf(stderr, "evs_recount: partition %" PRIu32 " is beyond the last one.\n", event.partition);
        exit(1);
    }
    return event;
}

static int by_position(const void *left, const void *right)
{
    const struct event *a = left, *b = right;
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    if (a->sequence != b->sequence) {
        return a->sequence < b->sequence ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

/* The events point into `text`. */
static struct event *read_record(char *text, size_t *count)
{
    struct event *events = NULL;
    size_t capacity = 0;
    *count = 0;
    for (char *line; (line = strsep(&text, "\n")) != NULL && *line != '\0';) {
        events = evs_recount_grow(events, &capacity, *count, sizeof *events);
        events[(*count)++] = read_event(line);
    }
    if (*count > 0) {
        qsort(events, *count, sizeof *events, by_position);
    }
    return events;
}

/* --- the table ------------------------------------------------------------------------------------------------------------------ */

static const char *thousands(size_t value, char text[32])
{
    char plain[32];
    int digits = snprintf(plain, sizeof plain, "%zu", value), count = 0;
    for (int i = 0; i < digits; i++) {
        if (i > 0 && (digits - i) % 3 == 0) {
            text[count++] = ',';
        }
        text[count++] = plain[i];
    }
    text[count] = '\0';
    return text;
}

static void print_row(const struct table *table, const char *pipeline, const char *what,
                      const struct agreement *agreement, bool good)
{
    char numbers[5][32];
    const char *verdict = good ? "ok" : "WRONG", *colour = !table->colour ? "" : good ? "\033[32m" : "\033[31m";
    printf("  %-18s %-16s %10s %10s %8s %8s %8s  %s%s%s\n", pipeline, what, thousands(agreement->expected, numbers[0]),
           thousands(agreement->found, numbers[1]), thousands(agreement->missing, numbers[2]),
           thousands(agreement->extra, numbers[3]), thousands(agreement->twice, numbers[4]), colour, verdict,
           table->colour ? "\033[0m" : "");
    if (agreement->a_missing != NULL) {
        printf("      missing, for example: %s\n", agreement->a_missing);
    }
    if (agreement->an_extra != NULL) {
        printf("      extra, for example:   %s\n", agreement->an_extra);
    }
}

/* The stream `what` of a pipeline is the file FOLDER/PIPELINE.SUFFIX. */
static void check(struct table *table, enum pipeline pipeline, const char *what, const char *suffix,
                  struct lines *expected)
{
    struct agreement agreement;
    char *path = NULL;
    const char *name = evs_pipeline_names[pipeline];
    if (asprintf(&path, "%s/%s.%s", table->args->results, name, suffix) < 0) {
        exit(1);
    }
    bool readable = evs_recount_compare(path, table->args->has_ids, strcmp(suffix, "dead") == 0, expected, &agreement);
    bool good = readable && agreement.missing + agreement.extra + agreement.twice == 0;
    print_row(table, strcmp(suffix, "triggers") == 0 ? name : "", what, &agreement, good);
    if (!readable) {
        perror(path);
    }
    table->good = table->good && good;
    free(agreement.a_missing);
    free(agreement.an_extra);
    free(path);
}

static void check_pipeline(struct table *table, enum pipeline pipeline, const struct event *events, size_t count)
{
    struct expected expected = {0};
    evs_recount(pipeline, &table->args->rules, events, count, &expected);
    check(table, pipeline, "triggers", "triggers", &expected.triggers);
    if (pipeline == SALES_BY_CAMPAIGN && table->args->has_ids) {
        check(table, pipeline, "in Redis", "redis", &expected.triggers);
    }
    if (pipeline != GOLD_CUSTOMERS) {
        check(table, pipeline, "late events", "late", &expected.late);
    }
    check(table, pipeline, "dead letters", "dead", &expected.dead);
    evs_lines_free(&expected.triggers);
    evs_lines_free(&expected.late);
    evs_lines_free(&expected.dead);
}

int main(int argc, char **argv)
{
    struct args args = {
        .has_ids = true,
        .rules =
            {
                .window_us = 300 * SECOND_US,
                .delay_us = 5 * SECOND_US,
                .future_us = 60 * SECOND_US,
                .remember_us = 90 * DAY_US,
                .min_cents = 5000,
                .gold_cents = 50000,
                .min_visitors = 30,
            },
    };
    take_options(&args, argc, argv);
    struct table table = {.args = &args, .colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL, .good = true};
    char *text = evs_read_whole(args.record);
    size_t count = 0, checked = 0;
    if (text == NULL) {
        perror(args.record);
        return 1;
    }
    struct event *events = read_record(text, &count);
    printf("  %-18s %-16s %10s %10s %8s %8s %8s\n", "pipeline", "", "must be", "found", "missing", "extra", "twice");
    for (enum pipeline pipeline = 0; pipeline < PIPELINE_COUNT; pipeline++) {
        if (args.only == NULL || strcmp(args.only, evs_pipeline_names[pipeline]) == 0) {
            check_pipeline(&table, pipeline, events, count);
            checked++;
        }
    }
    free(events);
    free(text);
    return table.good && count > 0 && checked > 0 ? 0 : 1;
}
