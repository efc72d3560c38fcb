/* evstream tail: rows of a running pipeline as they flow by. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "cmd.h"
#include "evstream/option.h"
#include "evstream/type.h"
#include "json_reader.h"
#include "json_tree.h"
#include "live.h"
#include "usual.h"

enum { ARG_AT = 1, ARG_WHERE, ARG_LIMIT, ARG_RATE, ARG_JSON, ARG_TOKEN_FILE };
static const struct evs_arg options[] = {
    {ARG_WHERE, "--where", "CONDITION", "only rows that meet it; written as behind |> where", NULL},
    {ARG_LIMIT, "--limit", "N", "ends after N rows", NULL},
    {ARG_RATE, "--rate", "N", "rows a second at most, about; 1 to 1000 (100)", NULL},
    {ARG_JSON, "--json", NULL, "the row with its cause, time, key and id, one JSON object a line", NULL},
    {ARG_AT, "--at", "HOST:PORT", "where the program listens (" EVS_USUAL_RANGE ")", NULL},
    {ARG_TOKEN_FILE, "--token-file", "FILE", "token of a program on another machine (EVSTREAM_TOKEN)", NULL},
    {0},
};

struct tail {
    const char *address, *target, *where, *token_file;
    int64_t limit, rate, count; /* limit 0: none */
    bool as_json;
    struct evs_json_reader *reader;
    struct evs_arena arena; /* of one event */
};

static const struct evs_tree *read_event(struct tail *tail, struct evs_slice data)
{
    evs_arena_reset(&tail->arena);
    char *text = evs_arena_zero(&tail->arena, data.count + EVS_TREE_PADDING, 64);
    const char *mistake = NULL;
    memcpy(text, data.data, data.count);
    return evs_tree_read(tail->reader, &tail->arena, text, data.count, &mistake);
}

static int64_t number(const struct evs_tree *object, const char *name)
{
    int64_t value = 0;
    const struct evs_tree *member = evs_tree_get(object, name);
    return evs_tree_is(member, EVS_TREE_NUMBER) && evs_parse_int64(member->text, &value) ? value : 0;
}

/* "2026-01-05T10:00:00Z  reminders  {…}": the row's event time, where it came by, what it says. */
static void print_row(struct tail *tail, struct evs_slice data)
{
    const struct evs_tree *event = tail->as_json ? NULL : read_event(tail, data);
    const struct evs_tree *row = evs_tree_get(event, "row");
    if (row == NULL) {
        printf("%.*s\n", (int)data.count, data.data);
    } else {
        char time[EVS_FORMAT_MAX];
        uint32_t count = evs_format_timestamp(time, number(event, "event_time_us"));
        struct evs_slice at = evs_tree_string(event, "at");
        printf("%.*s  %.*s  %.*s\n", (int)count, time, (int)at.count, at.data, (int)row->text.count, row->text.data);
    }
    fflush(stdout);
}

/* What is not shown is said: a quiet tail of a busy pipeline would mislead. */
static void tell_counts(struct tail *tail, struct evs_slice data)
{
    const struct evs_tree *counts = read_event(tail, data);
    int64_t left_out = number(counts, "unseen") + number(counts, "matched") - number(counts, "kept");
    if (left_out > 0 && !tail->as_json) {
        struct evs_slice at = evs_tree_string(counts, "at");
        fprintf(stderr, "evstream tail: %" PRId64 " rows of %.*s went by without being shown; --rate shows more.\n",
                left_out, (int)at.count, at.data);
    }
}

static void tell_state(struct tail *tail, struct evs_slice data)
{
    struct evs_slice state = evs_tree_string(read_event(tail, data), "state");
    if (!evs_slice_equal(state, evs_slice_of("running"))) {
        fprintf(stderr, "evstream tail: the pipeline's state is `%.*s`; rows come when it runs.\n", (int)state.count,
                state.data);
    }
}

static bool take(void *argument, const char *event, struct evs_slice data)
{
    struct tail *tail = argument;
    if (strcmp(event, "row") == 0) {
        print_row(tail, data);
        tail->count++;
    } else if (strcmp(event, "count") == 0) {
        tell_counts(tail, data);
    } else if (strcmp(event, "state") == 0) {
        tell_state(tail, data);
    }
    return tail->limit == 0 || tail->count < tail->limit;
}

/* PIPELINE, PIPELINE/PLACE, or nothing where one pipeline runs. */
static void put_path(const struct tail *tail, struct evs_buffer *path)
{
    evs_buffer_puts(path, "/api/v1/tail");
    char rate[32];
    if (tail->target != NULL) {
        const char *slash = strchr(tail->target, '/');
        size_t count = slash == NULL ? strlen(tail->target) : (size_t)(slash - tail->target);
        char *pipeline = evs_strndup(tail->target, count);
        evs_client_put_query(path, "pipeline", pipeline);
        evs_client_put_query(path, "at", slash == NULL ? NULL : slash + 1);
        evs_free(pipeline);
    }
    evs_client_put_query(path, "where", tail->where);
    if (tail->rate != 0) {
        snprintf(rate, sizeof rate, "%" PRId64, tail->rate);
        evs_client_put_query(path, "rate", rate);
    }
    evs_buffer_put(path, "", 1);
}

static int follow(struct tail *tail)
{
    struct evs_error error = {0};
    struct evs_buffer path = {0};
    char *token = NULL;
    put_path(tail, &path);
    evs_status status = evs_live_token(tail->token_file, &token, &error);
    if (status == EVS_OK) {
        struct evs_client_request request = {.address = tail->address, .path = path.data, .token = token};
        tail->reader = evs_json_reader_new();
        status = evs_client_follow(&request, take, tail, &error);
        evs_json_reader_free(tail->reader);
    }
    if (status == EVS_END) {
        fprintf(stderr, "evstream tail: the program at %s has ended.\n", tail->address);
        status = EVS_OK;
    } else if (status != EVS_OK) {
        fprintf(stderr, "evstream tail: %s\n", error.text);
    }
    evs_free(token);
    evs_buffer_fini(&path);
    evs_arena_fini(&tail->arena);
    return status == EVS_OK ? EVS_EXIT_DONE : status == EVS_E_REFUSED ? EVS_EXIT_USAGE : evs_status_exit_code(status);
}

static int take_option(struct evs_args *args, int id, struct tail *tail)
{
    struct evs_slice text = args->value == NULL ? (struct evs_slice){0} : evs_slice_of(args->value);
    switch (id) {
    case EVS_ARG_OPERAND:
        if (tail->target != NULL) {
            return evs_args_refuse(args, "one place is looked at; start it twice to see two.");
        }
        tail->target = args->value;
        break;
    case ARG_LIMIT:
        if (!evs_parse_int64(text, &tail->limit) || tail->limit < 1) {
            return evs_args_refuse(args, "--limit takes a number of rows.");
        }
        break;
    case ARG_RATE:
        if (!evs_parse_int64(text, &tail->rate) || tail->rate < 1 || tail->rate > 1000) {
            return evs_args_refuse(args, "--rate takes a number from 1 to 1000.");
        }
        break;
    case ARG_WHERE:
        tail->where = args->value;
        break;
    case ARG_TOKEN_FILE:
        tail->token_file = args->value;
        break;
    case ARG_AT:
        tail->address = args->value;
        break;
    default:
        tail->as_json |= id == ARG_JSON;
    }
    return EVS_EXIT_DONE;
}

static const char *find_address(const char *target, char found[EVS_USUAL_BYTES])
{
    size_t count = target == NULL ? 0 : strcspn(target, "/");
    char *pipeline = count == 0 ? NULL : evs_strndup(target, count);
    const char *address = evs_usual_find(pipeline, found);
    evs_free(pipeline);
    return address;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_tail, argc, argv);
    struct tail tail = {0};
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == EVS_ARG_HELP || id == EVS_ARG_BAD) {
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
        int exit_code = take_option(&args, id, &tail);
        if (exit_code != EVS_EXIT_DONE) {
            return exit_code;
        }
    }
    char found[EVS_USUAL_BYTES];
    tail.address = tail.address == NULL ? find_address(tail.target, found) : tail.address;
    return follow(&tail);
}

const struct evs_command evs_command_tail = {
    .name = "tail",
    .summary = "shows rows of a running pipeline as they flow by",
    .group = EVS_GROUP_RUN,
    .operands = "",
    .options = options,
    .usage = "evstream tail [OPTION]… [PIPELINE[/PLACE]]",
    .description =
        "Prints rows of a running pipeline as they come: those that PLACE gives out (a source or an operator, by its\n"
        "name in `evstream explain`) or takes (a sink); without a place, those of all sinks. Looking changes and\n"
        "delays nothing: of rows that come too fast a sample is shown, and the others are counted.\n"
        "\n"
        "    evstream tail cart/clicks --where \"user_id = 'ann' and price > 100\"",
    .run = run_command,
};
