/* evstream top: running pipelines and the operators of one of them, refreshed: rates, busy time, backpressure, state, watermarks. */
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "evstream/os.h"
#include "seen.h"
#include "usual.h"

enum { ARG_AT = 1, ARG_EVERY };
static const struct evs_arg options[] = {
    {ARG_AT, "--at", "HOST:PORT", "where the program listens (" EVS_USUAL_RANGE ": the first that answers)", NULL},
    {ARG_EVERY, "--every", "DURATION", "how often to look (1s)", NULL},
    {0},
};

#define EVERY_US INT64_C(1000000)
#define EVERY_MIN_US INT64_C(100000)
#define ESCAPE_MS 25 /* a key that sends an escape sequence sends it at once */

struct top {
    const char *address;
    int64_t every_us;
    struct evs_seen seen[2]; /* this look and the one before */
    uint32_t now;            /* which of them is this one */
    uint32_t looks;
    uint32_t selected;
    bool is_paused;
    struct evs_error error; /* of the last look; code 0: none */
};

static const struct evs_seen *this_look(const struct top *top)
{
    return &top->seen[top->now];
}

static const struct evs_seen_pipeline *before(const struct top *top, const struct evs_seen_pipeline *pipeline)
{
    const struct evs_seen *last = &top->seen[!top->now];
    for (uint32_t i = 0; top->looks > 1 && i < last->pipeline_count; i++) {
        const struct evs_seen_pipeline *found = &last->pipelines[i];
        if (strcmp(found->name, pipeline->name) == 0 && found->starts == pipeline->starts &&
            found->uptime_us < pipeline->uptime_us) {
            return found;
        }
    }
    return NULL;
}

/* A second; `more` is what has come since the look before. -1: there was none. */
static double rate(const struct evs_seen_pipeline *now, const struct evs_seen_pipeline *last, int64_t more)
{
    return last == NULL ? -1 : (double)more * 1e6 / (double)(now->uptime_us - last->uptime_us);
}

static const char *rate_text(char out[EVS_SEEN_TEXT], double a_second)
{
    if (a_second < 0) {
        return "-";
    }
    return evs_seen_count(out, (int64_t)(a_second + 0.5));
}

static const char *share_text(char out[EVS_SEEN_TEXT], double a_second, int64_t workers)
{
    if (a_second < 0) {
        return "-";
    }
    snprintf(out, EVS_SEEN_TEXT, "%.0f %%", a_second / 1e4 / (double)(workers > 0 ? workers : 1));
    return out;
}

static const char *watermark_text(char out[EVS_SEEN_TEXT], const struct evs_seen *seen, int64_t watermark_us)
{
    return watermark_us == INT64_MIN ? "-" : evs_seen_duration(out, seen->time_us - watermark_us);
}

/* --- the screen --------------------------------------------------------------------------------------------------------------- */

static void draw_pipeline(const struct top *top, int line, const struct evs_seen_pipeline *pipeline)
{
    char texts[7][EVS_SEEN_TEXT], state[EVS_SEEN_STATE];
    const struct evs_seen_pipeline *last = before(top, pipeline);
    struct evs_seen_totals now = evs_seen_totals(pipeline);
    struct evs_seen_totals then = last == NULL ? now : evs_seen_totals(last);
    mvprintw(line, 0, "%-20.20s %-14.14s %12s %12s %10s %8s %8s %10s %10s", pipeline->name,
             evs_seen_state(state, pipeline), rate_text(texts[0], rate(pipeline, last, now.events - then.events)),
             rate_text(texts[1], rate(pipeline, last, now.rows_out - then.rows_out)),
             evs_seen_count(texts[2], now.lag_messages), evs_seen_count(texts[3], now.late),
             evs_seen_count(texts[4], now.dead), watermark_text(texts[5], this_look(top), now.watermark_us),
             pipeline->checkpoint_age_us < 0 ? "-" : evs_seen_duration(texts[6], pipeline->checkpoint_age_us));
}

static void draw_node(const struct top *top, int line, const struct evs_seen_pipeline *pipeline, uint32_t index)
{
    char texts[7][EVS_SEEN_TEXT];
    const struct evs_seen_node *node = &pipeline->nodes[index];
    const struct evs_seen_pipeline *last = before(top, pipeline);
    bool is_known = last != NULL && index < last->node_count && strcmp(last->nodes[index].name, node->name) == 0;
    const struct evs_seen_node *then = is_known ? &last->nodes[index] : node;
    last = is_known ? last : NULL;
    mvprintw(line, 0, "%-30.30s %-12.12s %12s %12s %7s %7s %12s %10s %10s", node->name, node->kind,
             rate_text(texts[0], rate(pipeline, last, node->rows_in - then->rows_in)),
             rate_text(texts[1], rate(pipeline, last, node->rows_out - then->rows_out)),
             share_text(texts[2], rate(pipeline, last, node->busy_us - then->busy_us), node->workers),
             share_text(texts[3], rate(pipeline, last, node->blocked_us - then->blocked_us), node->workers),
             evs_seen_count(texts[4], node->state_keys), evs_seen_bytes(texts[5], node->state_bytes),
             watermark_text(texts[6], this_look(top), node->watermark_us));
}

static void draw_head(const struct top *top)
{
    mvprintw(0, 0, "evstream at %s%s", top->address, top->is_paused ? "   paused" : "");
    if (top->error.code != EVS_OK) {
        attron(A_BOLD);
        mvprintw(1, 0, "%s", top->error.text);
        attroff(A_BOLD);
    }
    attron(A_REVERSE);
    mvprintw(2, 0, "%-20s %-14s %12s %12s %10s %8s %8s %10s %10s", "pipeline", "state", "events/s", "rows out/s", "lag",
             "late", "dead", "watermark", "checkpoint");
    attroff(A_REVERSE);
}

static void draw_nodes(const struct top *top, int line, const struct evs_seen_pipeline *pipeline)
{
    attron(A_REVERSE);
    mvprintw(line, 0, "%-30s %-12s %12s %12s %7s %7s %12s %10s %10s", "operator", "kind", "rows in/s", "rows out/s",
             "busy", "held up", "keys", "memory", "watermark");
    attroff(A_REVERSE);
    for (uint32_t i = 0; i < pipeline->node_count && line + 1 + (int)i < LINES - 1; i++) {
        draw_node(top, line + 1 + (int)i, pipeline, i);
    }
}

static void draw(const struct top *top)
{
    const struct evs_seen *seen = this_look(top);
    int line = 3;
    erase();
    draw_head(top);
    for (uint32_t i = 0; i < seen->pipeline_count && line < LINES - 3; i++, line++) {
        attr_t look = i == top->selected ? A_BOLD : A_NORMAL;
        attron(look);
        draw_pipeline(top, line, &seen->pipelines[i]);
        attroff(look);
    }
    if (top->selected < seen->pipeline_count) {
        draw_nodes(top, line + 1, &seen->pipelines[top->selected]);
    }
    mvprintw(LINES - 1, 0, "up, down: another pipeline   space: pause   q: quit");
    refresh();
}

/* --- the loop --------------------------------------------------------------------------------------------------------------------- */

/* A look that fails keeps what was seen. */
static void look(struct top *top)
{
    struct evs_seen *next = &top->seen[!top->now];
    top->error = (struct evs_error){0};
    if (evs_seen_fetch(top->address, next, &top->error) == EVS_OK) {
        top->now = !top->now;
        top->looks++;
    } else {
        top->looks = 0; /* the other one is gone: the next rates need two looks again */
    }
    uint32_t count = this_look(top)->pipeline_count;
    top->selected = count == 0 ? 0 : top->selected < count ? top->selected : count - 1;
}

/* False: quit. */
static bool take_key(struct top *top, int key)
{
    uint32_t count = this_look(top)->pipeline_count;
    if (key == KEY_DOWN && top->selected + 1 < count) {
        top->selected++;
    } else if (key == KEY_UP && top->selected > 0) {
        top->selected--;
    } else if (key == ' ') {
        top->is_paused = !top->is_paused;
    }
    return key != 'q' && key != 27;
}

static void run(struct top *top)
{
    const struct evs_os *os = evs_os_system();
    int64_t due_us = evs_monotonic_us(os);
    int key = ERR;
    do {
        int64_t now_us = evs_monotonic_us(os);
        if (now_us >= due_us) {
            due_us = now_us + top->every_us;
            if (!top->is_paused) {
                look(top);
            }
        }
        draw(top);
        now_us = evs_monotonic_us(os);
        timeout(due_us > now_us ? (int)((due_us - now_us) / 1000) + 1 : 0);
        key = getch();
    } while (key == ERR || take_key(top, key));
}

static int show(struct top *top)
{
    if (!isatty(STDOUT_FILENO) || getenv("TERM") == NULL) {
        fprintf(stderr, "evstream top: it needs a terminal; `evstream status` prints the same once.\n");
        return EVS_EXIT_USAGE;
    }
    /* An address that nobody listens at is told before the screen is taken. */
    look(top);
    if (top->error.code != EVS_OK) {
        fprintf(stderr, "evstream top: %s\n", top->error.text);
        return evs_status_exit_code(top->error.code);
    }
    set_escdelay(ESCAPE_MS);
    initscr();
    cbreak();
    noecho();
    keypad(stdscr, true);
    curs_set(0);
    run(top);
    endwin();
    return EVS_EXIT_DONE;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_top, argc, argv);
    struct top top = {.every_us = EVERY_US};
    char found[EVS_USUAL_BYTES];
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == EVS_ARG_HELP || id == EVS_ARG_BAD) {
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
        if (id == EVS_ARG_OPERAND) {
            return evs_args_refuse(&args, "it takes no argument; --at names the program to ask.");
        }
        if (id == ARG_EVERY &&
            (!evs_parse_duration(evs_slice_of(args.value), &top.every_us) || top.every_us < EVERY_MIN_US)) {
            return evs_args_refuse(&args, "--every takes a duration of at least 100ms, such as 2s.");
        }
        top.address = id == ARG_AT ? args.value : top.address;
    }
    top.address = top.address == NULL ? evs_usual_find(NULL, found) : top.address;
    int exit_code = show(&top);
    evs_seen_fini(&top.seen[0]);
    evs_seen_fini(&top.seen[1]);
    return exit_code;
}

const struct evs_command evs_command_top = {
    .name = "top",
    .summary = "shows running pipelines and their operators, refreshed",
    .group = EVS_GROUP_RUN,
    .operands = "",
    .options = options,
    .usage = "evstream top [OPTION]…",
    .description = "Shows the pipelines of a running program, and the operators of the one that is selected: rows a\n"
                   "second, how much of the time each is busy or held up by those behind it, keys and memory of its\n"
                   "state, how far its watermark is behind the clock.",
    .run = run_command,
};
