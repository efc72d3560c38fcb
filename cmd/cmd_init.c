/* evstream init: a first pipeline to change, with its tests. What it writes passes check, fmt --check and test. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "evstream/memory.h"

#define NAME_BYTES_MAX 64
#define NAME_DEFAULT "first"

static const struct evs_arg options[] = {{0}};

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

static int init(const char *name)
{
    struct evs_buffer file = {0}, content = {0};
    evs_buffer_printf(&file, "%s.evs", name);
    evs_buffer_put(&file, "", 1);
    evs_buffer_printf(&content, text, name, name, name, name, name, name);
    int code = write_file(file.data, &content);
    if (code == EVS_EXIT_DONE) {
        printf("%s is written. Try it: evstream test %s\n", file.data, file.data);
    }
    evs_buffer_fini(&file);
    evs_buffer_fini(&content);
    return code;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_init, argc, argv);
    const char *name = NULL;
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id != EVS_ARG_OPERAND) {
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
        if (name != NULL) {
            return evs_args_refuse(&args, "name one pipeline.");
        }
        name = args.value;
    }
    if (name != NULL && !is_name(name)) {
        return evs_args_refuse(&args, "`%s` is no name of a pipeline: letters, digits and _, a letter first.", name);
    }
    return init(name != NULL ? name : NAME_DEFAULT);
}

const struct evs_command evs_command_init = {
    .name = "init",
    .summary = "writes a first pipeline, with its tests",
    .group = EVS_GROUP_WRITE,
    .operands = "",
    .options = options,
    .usage = "evstream init [NAME]",
    .description = "Writes NAME.evs (" NAME_DEFAULT ".evs) into this folder: a first pipeline with a source, "
                   "sinks and tests, to be changed.\n"
                   "A file that is there is left alone, with exit code 2.",
    .run = run_command,
};
