/* evstream init: a pipeline to change, with its tests: a first one, or a copy of one of pipelines/. What it writes passes check, fmt --check and
 * test. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "evstream/memory.h"
#include "evstream/text.h"
#include "shipped.h"

#define NAME_BYTES_MAX 64
#define NAME_DEFAULT "first"

enum { ARG_LIST = 1, ARG_AS };

static const struct evs_arg options[] = {
    {ARG_LIST, "--list", NULL, "shows the pipelines that can be copied, and writes nothing", NULL},
    {ARG_AS, "--as", "NAME", "name of the new pipeline and its file, when it is to have another one", NULL},
    {0},
};

/* %s: the name. */
static const char text[] =
    "-- What somebody puts into the cart, added up for five minutes: a message for each full cart.\n"
    "--\n"
    "--     evstream test %s.evs              runs the tests at the end of this file, without any server\n"
    "--     evstream check %s.evs             shows every mistake\n"
    "--     evstream run --create %s.evs      reads NATS, and keeps its state in Redis\n"
    "--\n"
    "-- Without servers, on a file of events, one JSON object a line:\n"
    "--\n"
    "--     evstream run %s.evs --source clicks=file:events.ndjson --sink full_carts=file:- --sink "
    "broken=file:broken.ndjson\n"
    "\n"
    "-- A value that --param min_value=80 changes.\n"
    "param min_value numeric default 50;\n"
    "\n"
    "-- The fields of an event that the pipeline uses. `evstream schema infer events.ndjson` writes this from "
    "examples.\n"
    "create source clicks (\n"
    "    type        string    not null,\n"
    "    occurred_at timestamp not null,\n"
    "    user_id     string,\n"
    "    price       numeric   path '$.properties.price',\n"
    "    quantity    int64     path '$.properties.quantity' default 1,\n"
    "    watermark for occurred_at as occurred_at - interval 5 second  -- events may come five seconds late\n"
    ") from nats (stream = 'CLICKS', subject = 'clicks.>') dead letter into broken;\n"
    "\n"
    "-- One message for each trigger, on its user's subject.\n"
    "create sink full_carts\n"
    "    to nats (stream = 'TRIGGERS', subject = 'triggers.%s.{user_id}')\n"
    "    format cloudevents (type = 'shop.cart.full');\n"
    "\n"
    "-- Events that cannot be read, with the reason.\n"
    "create sink broken\n"
    "    to nats (stream = 'DEAD', subject = 'dead.%s');\n"
    "\n"
    "from clicks\n"
    "|> where type = 'add_to_cart' and user_id is not null\n"
    "|> aggregate\n"
    "     count(*) as items,\n"
    "     sum(price * quantity) as value\n"
    "   group by user_id, tumble(interval 5 minute)\n"
    "|> where value >= @min_value\n"
    "|> insert into full_carts;\n"
    "\n"
    "test 'a full cart triggers when its five minutes are over' {\n"
    "    given clicks\n"
    "        "
    "{\"type\":\"add_to_cart\",\"occurred_at\":\"2026-01-05T10:00:00Z\",\"user_id\":\"ann\",\"properties\":{\"price\":"
    "20,\"quantity\":2}}\n"
    "        "
    "{\"type\":\"add_to_cart\",\"occurred_at\":\"2026-01-05T10:04:59Z\",\"user_id\":\"ann\",\"properties\":{\"price\":"
    "19.90}}\n"
    "        "
    "{\"type\":\"add_to_cart\",\"occurred_at\":\"2026-01-05T10:04:59Z\",\"user_id\":\"bob\",\"properties\":{\"price\":"
    "9}}\n"
    "    expect full_carts nothing\n"
    "    advance to '2026-01-05T10:05:00Z'\n"
    "    expect full_carts\n"
    "        {\"user_id\":\"ann\",\"items\":2,\"value\":59.90}\n"
    "};\n"
    "\n"
    "test 'an event without a type is a dead letter' {\n"
    "    given clicks\n"
    "        {\"occurred_at\":\"2026-01-05T10:00:00Z\",\"user_id\":\"ann\"}\n"
    "    expect broken\n"
    "        {\"_source\":\"clicks\"}\n"
    "};\n";

/* The name becomes part of subjects, of keys in Redis and of the file's name. */
static bool is_name(const char *name)
{
    size_t count = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return count > 0 && name[count] == '\0' && count <= NAME_BYTES_MAX && (name[0] < '0' || name[0] > '9');
}

static int write_file(const char *file, const struct evs_buffer *content)
{
    int handle = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (handle < 0) {
        fprintf(stderr, "evstream init: %s cannot be made: %s.%s\n", file, strerror(errno),
                errno == EEXIST ? " Nothing was changed; name another pipeline: evstream init NAME." : "");
        return errno == EEXIST ? EVS_EXIT_USAGE : EVS_EXIT_UNREACHABLE;
    }
    ssize_t count = write(handle, content->data, content->count);
    bool is_written = count == (ssize_t)content->count && fsync(handle) == 0;
    if (!is_written) {
        fprintf(stderr, "evstream init: %s cannot be written: %s.\n", file, strerror(errno));
        unlink(file);
    }
    close(handle);
    return is_written ? EVS_EXIT_DONE : EVS_EXIT_UNREACHABLE;
}

static int write_pipeline(const char *name, const struct evs_buffer *content)
{
    struct evs_buffer file = {0};
    evs_buffer_printf(&file, "%s.evs", name);
    evs_buffer_put(&file, "", 1);
    int code = write_file(file.data, content);
    if (code == EVS_EXIT_DONE) {
        printf("%s is written. Try it: evstream test %s\n", file.data, file.data);
    }
    evs_buffer_fini(&file);
    return code;
}

static int write_first(const char *name)
{
    struct evs_buffer content = {0};
    evs_buffer_printf(&content, text, name, name, name, name, name, name);
    int code = write_pipeline(name, &content);
    evs_buffer_fini(&content);
    return code;
}

/* --- pipelines to copy ---------------------------------------------------------------------------------------------------- */

static const struct evs_shipped *find_shipped(const char *name)
{
    const struct evs_shipped *at = evs_shipped;
    while (at->name != NULL && strcmp(at->name, name) != 0) {
        at++;
    }
    return at->name == NULL ? NULL : at;
}

static int refuse_unknown(const struct evs_args *args, const char *name)
{
    struct evs_nearest nearest = evs_nearest_begin(evs_slice_of(name));
    for (const struct evs_shipped *at = evs_shipped; at->name != NULL; at++) {
        evs_nearest_offer(&nearest, evs_slice_of(at->name));
    }
    if (nearest.best.count > 0) {
        return evs_args_refuse(args, "there is no pipeline `%s` to copy; did you mean `%.*s`?", name,
                               (int)nearest.best.count, nearest.best.data);
    }
    return evs_args_refuse(args,
                           "there is no pipeline `%s` to copy: evstream init --list shows them, and evstream "
                           "init --as %s begins a new one.",
                           name, name);
}

/* A file begins with `-- Title: what it tells. More …`: the first sentence behind the title. */
static struct evs_slice what_it_tells(const char *head)
{
    const char *line_end = strchr(head, '\n'), *colon = strstr(head, ": ");
    const char *first = colon != NULL && colon < line_end ? colon + 2 : head + 3;
    const char *stop = strstr(first, ". ");
    return (struct evs_slice){first, (size_t)((stop != NULL && stop < line_end ? stop + 1 : line_end) - first)};
}

static int list(void)
{
    for (const struct evs_shipped *at = evs_shipped; at->name != NULL; at++) {
        struct evs_slice tells = what_it_tells(at->text);
        printf("%-22s %.*s\n", at->name, (int)tells.count, tells.data);
    }
    printf("\nevstream init NAME copies one into this folder.\n");
    return EVS_EXIT_DONE;
}

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The text with the pipeline's name replaced wherever it stands as a word: in its subjects, in what its head says. */
static void put_renamed(struct evs_buffer *out, const struct evs_shipped *shipped, const char *name)
{
    static const char folder[] = "pipelines/";
    size_t name_count = strlen(shipped->name);
    const char *at = shipped->text, *end = at + shipped->count;
    for (const char *hit; (hit = strstr(at, shipped->name)) != NULL; at = hit + name_count) {
        bool is_whole = !is_word(hit[-1]) && !is_word(hit[name_count]);
        evs_buffer_put(out, at, (size_t)(hit - at));
        if (is_whole && out->count >= strlen(folder) &&
            memcmp(out->data + out->count - strlen(folder), folder, strlen(folder)) == 0) {
            out->count -= strlen(folder); /* the copy stands in this folder */
        }
        evs_buffer_puts(out, is_whole ? name : shipped->name);
    }
    evs_buffer_put(out, at, (size_t)(end - at));
}

/* The text behind `mark` within a line; NULL when the line does not have it. */
static const char *behind(const char *line, const char *line_end, const char *mark)
{
    const char *hit = strstr(line, mark);
    return hit == NULL || hit > line_end ? NULL : hit + strlen(mark);
}

/* `param NAME TYPE default VALUE;  -- what it means`, as every pipeline to copy has them (tests/pipelines). */
static void explain_parameter(const char *name)
{
    const char *end = strchr(name, '\n');
    const char *value = behind(name, end, " default "), *meaning = behind(name, end, ";  -- ");
    if (value != NULL && meaning != NULL) {
        printf("  %-16.*s %-22.*s %.*s\n", (int)strcspn(name, " "), name, (int)strcspn(value, ";"), value,
               (int)(end - meaning), meaning);
    }
}

static void explain_parameters(const struct evs_shipped *shipped)
{
    static const char mark[] = "\nparam ";
    printf("\nIts parameters, set by --param NAME=VALUE or changed in the file:\n\n");
    for (const char *at = strstr(shipped->text, mark); at != NULL; at = strstr(at + 1, mark)) {
        explain_parameter(at + strlen(mark));
    }
}

static int copy(const struct evs_shipped *shipped, const char *name)
{
    struct evs_buffer content = {0};
    put_renamed(&content, shipped, name);
    int code = write_pipeline(name, &content);
    if (code == EVS_EXIT_DONE) {
        explain_parameters(shipped);
    }
    evs_buffer_fini(&content);
    return code;
}

static int init(const struct evs_args *args, const char *what, const char *name)
{
    const struct evs_shipped *shipped = what != NULL ? find_shipped(what) : NULL;
    if (what != NULL && shipped == NULL) {
        return refuse_unknown(args, what);
    }
    if (name != NULL && !is_name(name)) {
        return evs_args_refuse(args, "`%s` is no name of a pipeline: letters, digits and _, a letter first.", name);
    }
    return shipped == NULL ? write_first(name != NULL ? name : NAME_DEFAULT)
                           : copy(shipped, name != NULL ? name : what);
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_init, argc, argv);
    const char *what = NULL, *name = NULL;
    bool is_list = false;
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == ARG_LIST) {
            is_list = true;
        } else if (id == ARG_AS) {
            name = args.value;
        } else if (id != EVS_ARG_OPERAND) {
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        } else if (what != NULL) {
            return evs_args_refuse(&args, "name one pipeline.");
        } else {
            what = args.value;
        }
    }
    return is_list ? list() : init(&args, what, name);
}

const struct evs_command evs_command_init = {
    .name = "init",
    .summary = "writes a pipeline to change, with its tests",
    .group = EVS_GROUP_WRITE,
    .operands = "",
    .options = options,
    .usage = "evstream init [--list] [PIPELINE] [--as NAME]",
    .description =
        "Copies one of the pipelines that come with evstream (PIPELINE.evs) into this folder, to be changed, "
        "and explains its parameters.\n"
        "Without PIPELINE: a first pipeline with a source, sinks and tests (" NAME_DEFAULT ".evs).\n"
        "A file that is there is left alone, with exit code 2.",
    .run = run_command,
};
