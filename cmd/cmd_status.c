/* evstream status: how the pipelines of a running program fare, once. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "seen.h"
#include "usual.h"

enum { ARG_AT = 1, ARG_JSON };
static const struct evs_arg options[] = {
    {ARG_AT, "--at", "HOST:PORT", "where the program listens (" EVS_USUAL_RANGE ": all that answer)", NULL},
    {ARG_JSON, "--json", NULL, "everything that it tells, as JSON", NULL},
    {0},
};

#define COLUMNS 9

/* The widest text of a column decides; numbers stand at the right. */
static void print_table(char (*cells)[COLUMNS][EVS_SEEN_TEXT * 2], uint32_t rows)
{
    int widths[COLUMNS] = {0};
    for (uint32_t i = 0; i < rows; i++) {
        for (uint32_t j = 0; j < COLUMNS; j++) {
            int width = (int)strlen(cells[i][j]);
            widths[j] = width > widths[j] ? width : widths[j];
        }
    }
    for (uint32_t i = 0; i < rows; i++) {
        for (uint32_t j = 0; j < COLUMNS; j++) {
            printf("%s%*s", j == 0 ? "" : "  ", j < 2 ? -widths[j] : widths[j], cells[i][j]);
        }
        putchar('\n');
    }
}

static void fill_row(char cells[COLUMNS][EVS_SEEN_TEXT * 2], const struct evs_seen *seen,
                     const struct evs_seen_pipeline *pipeline)
{
    struct evs_seen_totals totals = evs_seen_totals(pipeline);
    char text[EVS_SEEN_TEXT], state[EVS_SEEN_STATE];
    const size_t room = sizeof cells[0];
    snprintf(cells[0], room, "%s", pipeline->name);
    snprintf(cells[1], room, "%s", evs_seen_state(state, pipeline));
    snprintf(cells[2], room, "%s", evs_seen_count(text, totals.events));
    snprintf(cells[3], room, "%s", evs_seen_count(text, totals.rows_out));
    snprintf(cells[4], room, "%s", evs_seen_count(text, totals.late));
    snprintf(cells[5], room, "%s", evs_seen_count(text, totals.dead));
    snprintf(cells[6], room, "%s",
             totals.watermark_us == INT64_MIN ? "-" : evs_seen_duration(text, seen->time_us - totals.watermark_us));
    snprintf(cells[7], room, "%s", evs_seen_bytes(text, totals.state_bytes));
    snprintf(cells[8], room, "%s",
             pipeline->checkpoint_age_us < 0 ? "-" : evs_seen_duration(text, pipeline->checkpoint_age_us));
}

static void print_pipelines(const struct evs_seen *seen)
{
    static const char *const titles[COLUMNS] = {"pipeline", "state",     "events", "rows out",  "late",
                                                "dead",     "watermark", "memory", "checkpoint"};
    char(*cells)[COLUMNS][EVS_SEEN_TEXT * 2] = evs_alloc_zero((seen->pipeline_count + 1u) * sizeof *cells);
    for (uint32_t j = 0; j < COLUMNS; j++) {
        snprintf(cells[0][j], sizeof cells[0][j], "%s", titles[j]);
    }
    for (uint32_t i = 0; i < seen->pipeline_count; i++) {
        fill_row(cells[i + 1], seen, &seen->pipelines[i]);
    }
    print_table(cells, seen->pipeline_count + 1);
    evs_free(cells);
}

static void print_seen(const struct evs_seen *seen, bool as_json)
{
    if (as_json) {
        fputs(seen->json, stdout);
    } else {
        print_pipelines(seen);
    }
}

static int show(const char *address, bool as_json)
{
    struct evs_seen seen = {0};
    struct evs_error error = {0};
    evs_status status = evs_seen_fetch(address, &seen, &error);
    if (status != EVS_OK) {
        fprintf(stderr, "evstream status: %s\n", error.text);
    } else {
        print_seen(&seen, as_json);
    }
    evs_seen_fini(&seen);
    return status == EVS_OK ? EVS_EXIT_DONE : evs_status_exit_code(status);
}

/* Every program at the usual addresses; of several, each under its own. */
static int show_all(bool as_json)
{
    struct evs_seen seen[EVS_USUAL_COUNT] = {0};
    evs_status statuses[EVS_USUAL_COUNT];
    evs_usual_ask(seen, statuses);
    uint32_t count = 0, shown = 0;
    for (uint32_t i = 0; i < EVS_USUAL_COUNT; i++) {
        count += statuses[i] == EVS_OK ? 1 : 0;
    }
    for (uint32_t i = 0; i < EVS_USUAL_COUNT; i++) {
        if (statuses[i] == EVS_OK) {
            char address[EVS_USUAL_BYTES];
            if (count > 1 && !as_json) {
                printf("%s%s\n", shown == 0 ? "" : "\n", evs_usual_address(i, address));
            }
            print_seen(&seen[i], as_json);
            shown++;
        }
        evs_seen_fini(&seen[i]);
    }
    return count > 0 ? EVS_EXIT_DONE : show(EVS_LISTEN_DEFAULT, as_json); /* which says that nobody is there */
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_status, argc, argv);
    const char *address = NULL;
    bool as_json = false;
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == EVS_ARG_HELP || id == EVS_ARG_BAD) {
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
        if (id == EVS_ARG_OPERAND) {
            return evs_args_refuse(&args, "it takes no argument; --at names the program to ask.");
        }
        address = id == ARG_AT ? args.value : address;
        as_json |= id == ARG_JSON;
    }
    return address == NULL ? show_all(as_json) : show(address, as_json);
}

const struct evs_command evs_command_status = {
    .name = "status",
    .summary = "tells how running pipelines fare",
    .group = EVS_GROUP_RUN,
    .operands = "",
    .options = options,
    .usage = "evstream status [OPTION]…",
    .description = "Asks a running program how its pipelines fare, and prints a line for each: events read, rows\n"
                   "delivered, late rows, dead letters, how far the watermark is behind the clock, memory of state,\n"
                   "and how long ago the last checkpoint was. Programs that were started without --listen are found.\n"
                   "With --json each is one line.",
    .run = run_command,
};
