#include "dev.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data.h"
#include "evstream/option.h"
#include "feed.h"
#include "fleet.h"
#include "pipeline.h"
#include "probe.h"
#include "shop.h"
#include "watch.h"

#define SHOP_PORT 8000
#define COLLECTOR_PORT 8080
#define STEP_US 20000              /* how often a start or a stop looks whether it can go on */
#define START_US INT64_C(20000000) /* a server that is not there by then does not come */
#define STOP_US INT64_C(20000000)  /* a child that is still there by then is killed */
#define FAILED_US INT64_C(3000000) /* the same when a server is gone: nothing can be saved any more */
#define KEY "dev"
#define KEY_OPTION "web=dev" /* source and key */
#define SELF "dev"

/* Up the stairs at the start, one step after the other; `STOPPING` goes down again in the opposite order. */
enum phase { PHASE_SERVERS, PHASE_COLLECTOR, PHASE_RUNNING, PHASE_STOPPING };
enum { SERVER_NATS, SERVER_REDIS, SERVER_COLLECTOR, SERVER_COUNT };

/* Times of the example, so short that one can watch; a real cart waits an hour. */
static const char *const example_arguments[] = {"--param=patience=10s", "--param=pause=20s", "--param=idle=1s",
                                                "--param=delay=1s"};
static const char *const default_subjects[] = {"triggers.>", "dead.>"};

struct address {
    char host[64];
    uint16_t port;
};

struct dev {
    const struct evs_dev_options *options;
    struct event_base *loop;
    struct event *step, *on_interrupt, *on_terminate, *on_child;
    enum phase phase;
    int64_t phase_us; /* monotonic time since which the phase lasts */
    bool is_nats_ready, is_killing;
    char data[PATH_MAX];
    struct address shop_address, collector_address;
    uint16_t nats_port;
    char collector_url[96], shop_url[96];
    struct evs_dev_child servers[SERVER_COUNT];
    struct evs_dev_runner runner;
    struct evs_dev_fleet fleet;
    struct evs_dev_watch *watch;
    struct evs_dev_feed_options feed_options;
    struct evs_dev_feed *feed;
    struct evs_dev_shop *shop;
    evs_status status; /* of the whole */
    struct evs_error *error;
};

static void enter(struct dev *dev, enum phase phase)
{
    dev->phase = phase;
    dev->phase_us = evs_monotonic_us(dev->options->os);
}

static bool has_lasted(const struct dev *dev, int64_t us)
{
    return evs_monotonic_us(dev->options->os) - dev->phase_us > us;
}

/* --- folders ----------------------------------------------------------------------------------------------------------------- */

static const char *in_data(const struct dev *dev, const char *name, char path[PATH_MAX])
{
    int written = snprintf(path, PATH_MAX, "%s/%s", dev->data, name);
    EVS_ASSERT(written > 0 && written < PATH_MAX);
    return path;
}

/* --- servers ----------------------------------------------------------------------------------------------------------------- */

static evs_status start_server(struct dev *dev, int server, const char *const *argv)
{
    return evs_dev_child_start(&dev->servers[server], dev->loop, argv, dev->error);
}

static evs_status find_server(struct dev *dev, const char *name, char path[PATH_MAX])
{
    return evs_dev_find_program(name, path, PATH_MAX)
               ? EVS_OK
               : evs_fail(dev->error, EVS_E_UNREACHABLE,
                          "%s is not installed; on Debian: apt-get install %s. (It is not started as a service: dev "
                          "starts one of its own.)",
                          name, name);
}

static evs_status start_nats(struct dev *dev)
{
    char program[PATH_MAX], folder[PATH_MAX], port[8];
    evs_status status = find_server(dev, "nats-server", program);
    if (status == EVS_OK) {
        snprintf(port, sizeof port, "%u", dev->nats_port);
        const char *const argv[] = {program, "-a", "127.0.0.1", "-p", port, "-js", "-sd", in_data(dev, "nats", folder),
                                    NULL};
        status = start_server(dev, SERVER_NATS, argv);
    }
    return status;
}

static evs_status start_redis(struct dev *dev)
{
    char program[PATH_MAX], folder[PATH_MAX], port[8];
    evs_status status = find_server(dev, "redis-server", program);
    if (status == EVS_OK && mkdir(in_data(dev, "redis", folder), 0700) != 0 && errno != EEXIST) {
        status = evs_fail(dev->error, EVS_E_IO, "The folder `%s` cannot be made: %s.", folder, strerror(errno));
    }
    if (status == EVS_OK) {
        snprintf(port, sizeof port, "%u", dev->runner.redis_port);
        /* Every commit is synced at once, so that triggers need not wait for the next second. */
        const char *const argv[] = {program,      "--port",
                                    port,         "--bind",
                                    "127.0.0.1",  "--dir",
                                    folder,       "--appendonly",
                                    "yes",        "--appendfsync",
                                    "always",     "--save",
                                    "",           "--maxmemory-policy",
                                    "noeviction", NULL};
        status = start_server(dev, SERVER_REDIS, argv);
    }
    return status;
}

static evs_status start_collector(struct dev *dev)
{
    char spool[PATH_MAX], listen[96], origin[2][96];
    const char *const ways[] = {"127.0.0.1", "localhost"};
    snprintf(listen, sizeof listen, "%s:%u", dev->collector_address.host, dev->collector_address.port);
    for (size_t i = 0; i < EVS_COUNT(ways); i++) {
        snprintf(origin[i], sizeof origin[i], "http://%s:%u", ways[i], dev->shop_address.port);
    }
    const char *const argv[] = {dev->options->program,
                                "collect",
                                "--listen",
                                listen,
                                "--nats",
                                dev->runner.nats_url,
                                "--create",
                                "--key",
                                KEY_OPTION,
                                "--spool",
                                in_data(dev, "spool", spool),
                                "--max-bytes",
                                "256MiB",
                                "--allow-origin",
                                origin[0],
                                "--allow-origin",
                                origin[1],
                                "--allow-origin",
                                dev->shop_url,
                                NULL};
    return start_server(dev, SERVER_COLLECTOR, argv);
}

/* --- pipelines --------------------------------------------------------------------------------------------------------------- */

static void tell_error(const struct evs_error *error)
{
    evs_dev_say(SELF, EVS_DEV_RED, "%s", error->text);
}

static void watch_folder_of(struct dev *dev, const char *path)
{
    struct evs_error error = {0};
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? evs_strdup(".") : evs_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (evs_dev_watch_folder(dev->watch, folder, &error) != EVS_OK) {
        tell_error(&error); /* it runs all the same, and does not reload */
    }
    evs_free(folder);
}

static evs_status find_pipelines(struct dev *dev)
{
    evs_dev_fleet_find(&dev->fleet, dev->options->paths, dev->options->path_count);
    if (dev->options->path_count > 0) {
        return EVS_OK;
    }
    char path[PATH_MAX];
    evs_status status =
        evs_dev_data_copy(dev->options->example, in_data(dev, "cart_abandonment.evs", path), dev->error);
    if (status == EVS_OK) {
        evs_dev_fleet_add(&dev->fleet, path);
        dev->runner.run_arguments = example_arguments;
        dev->runner.run_argument_count = EVS_COUNT(example_arguments);
    }
    return status;
}

static void reload(struct dev *dev, struct evs_dev_pipeline *pipeline)
{
    evs_dev_pipeline_saved(pipeline, &dev->runner, dev->fleet.items, dev->fleet.count);
}

static void on_changed(void *context, const char *path)
{
    struct dev *dev = context;
    struct evs_dev_pipeline *pipeline = evs_dev_fleet_of(&dev->fleet, path);
    if (dev->phase != PHASE_RUNNING) {
        return;
    }
    if (access(path, F_OK) != 0) {
        if (pipeline != NULL && pipeline->child.pid > 0) {
            evs_dev_say(pipeline->label, EVS_DEV_YELLOW, "its file is gone: it is stopped");
            evs_dev_pipeline_stop(pipeline);
        }
        return;
    }
    pipeline = pipeline != NULL ? pipeline : evs_dev_fleet_adopt(&dev->fleet, path);
    if (pipeline != NULL) {
        reload(dev, pipeline);
        return;
    }
    for (uint32_t i = 0; i < dev->fleet.count; i++) { /* it may be imported by any of them */
        reload(dev, dev->fleet.items[i]);
    }
}

/* --- up ---------------------------------------------------------------------------------------------------------------------- */

static void stop(struct dev *dev);

static void fail(struct dev *dev, evs_status status)
{
    dev->status = dev->status == EVS_OK ? status : dev->status;
    stop(dev);
}

static void print_addresses(const struct dev *dev)
{
    evs_dev_say(SELF, EVS_DEV_GREEN, "shop        %s", dev->shop_url);
    evs_dev_say(SELF, EVS_DEV_GREEN, "collector   %s (write key: " KEY "; the tracker: %s/evs.js)", dev->collector_url,
                dev->collector_url);
    evs_dev_say(SELF, EVS_DEV_GREEN, "NATS        %s", dev->runner.nats_url);
    evs_dev_say(SELF, EVS_DEV_GREEN, "Redis       %s", dev->runner.redis_url);
    evs_dev_say(SELF, EVS_DEV_GREEN, "data        %s%s", dev->data,
                dev->options->data_folder == NULL ? " (removed at the end; --data DIR keeps it)" : "");
    for (uint32_t i = 0; i < dev->fleet.count; i++) {
        char page[EVS_DEV_PAGE_BYTES];
        evs_dev_pipeline_page(dev->fleet.items[i], &dev->runner, page);
        evs_dev_say(SELF, EVS_DEV_GREEN, "pipeline    %s (reloads when it is saved)", dev->fleet.items[i]->path);
        evs_dev_say(SELF, EVS_DEV_GREEN, "its page    %s", page);
    }
    for (uint32_t i = 0; i < dev->runner.run_argument_count; i++) {
        evs_dev_say(SELF, EVS_DEV_GREEN, "            %s", dev->runner.run_arguments[i]);
    }
    evs_dev_say(SELF, EVS_DEV_GREEN, "ready; Ctrl-C stops everything");
}

static void on_feed_ready(void *context)
{
    ((struct dev *)context)->is_nats_ready = true;
}

static void on_message(void *context, struct evs_slice subject, struct evs_slice payload)
{
    const struct dev *dev = context;
    bool is_dead = subject.count > 5 && memcmp(subject.data, "dead.", 5) == 0;
    evs_dev_say(is_dead ? "dead letter" : "trigger", is_dead ? EVS_DEV_RED : EVS_DEV_MAGENTA, "%.*s %.*s",
                (int)subject.count, subject.data, (int)payload.count, payload.data);
    if (dev->shop != NULL && !is_dead) {
        evs_dev_shop_tell(dev->shop, subject, payload);
    }
}

static evs_status begin_running(struct dev *dev)
{
    const struct evs_dev_shop_options shop = {.folder = dev->options->shop_folder,
                                              .collector_url = dev->collector_url,
                                              .key = KEY,
                                              .host = dev->shop_address.host,
                                              .port = dev->shop_address.port};
    evs_status status = evs_dev_shop_new(dev->loop, &shop, &dev->shop, dev->error);
    if (status != EVS_OK) {
        return status;
    }
    enter(dev, PHASE_RUNNING);
    event_del(dev->step);
    print_addresses(dev);
    for (uint32_t i = 0; i < dev->fleet.folder_count; i++) {
        struct evs_error error = {0};
        if (evs_dev_watch_folder(dev->watch, dev->fleet.folders[i], &error) != EVS_OK) {
            tell_error(&error);
        }
    }
    for (uint32_t i = 0; i < dev->fleet.count; i++) {
        watch_folder_of(dev, dev->fleet.items[i]->path);
        reload(dev, dev->fleet.items[i]);
    }
    return EVS_OK;
}

static evs_status climb(struct dev *dev)
{
    evs_status status = EVS_OK;
    if (dev->phase == PHASE_SERVERS && dev->is_nats_ready &&
        evs_dev_answers(dev->runner.redis_port, EVS_SLICE("PING\r\n"), "+PONG", PROBE_QUICK_MS)) {
        enter(dev, PHASE_COLLECTOR);
        status = start_collector(dev);
    } else if (dev->phase == PHASE_COLLECTOR &&
               evs_dev_answers(dev->collector_address.port,
                               EVS_SLICE("GET /readyz HTTP/1.1\r\nHost: dev\r\nConnection: close\r\n\r\n"), " 200 ",
                               PROBE_QUICK_MS)) {
        status = begin_running(dev);
    } else if (has_lasted(dev, START_US)) {
        status = evs_fail(dev->error, EVS_E_UNREACHABLE, "%s did not become ready within 20 seconds.",
                          dev->phase == PHASE_COLLECTOR ? "The collector" : "NATS or Redis");
    }
    return status;
}

/* --- down -------------------------------------------------------------------------------------------------------------------- */

static void kill_all(struct dev *dev)
{
    dev->is_killing = true;
    for (uint32_t i = 0; i < dev->fleet.count; i++) {
        evs_dev_child_signal(&dev->fleet.items[i]->child, SIGKILL);
    }
    for (uint32_t i = 0; i < SERVER_COUNT; i++) {
        evs_dev_child_signal(&dev->servers[i], SIGKILL);
    }
}

/* Asks the next ones to end: pipelines first, the collector, the servers. 0: nobody is left. */
static uint32_t end_next(struct dev *dev)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < dev->fleet.count; i++) {
        left += dev->fleet.items[i]->child.pid > 0;
    }
    if (left == 0 && dev->servers[SERVER_COLLECTOR].pid > 0) {
        evs_dev_child_stop(&dev->servers[SERVER_COLLECTOR]);
        left = 1;
    }
    for (uint32_t i = 0; left == 0 && i < SERVER_COLLECTOR; i++) {
        evs_dev_child_stop(&dev->servers[i]);
    }
    return left + (dev->servers[SERVER_NATS].pid > 0) + (dev->servers[SERVER_REDIS].pid > 0);
}

static void stop(struct dev *dev)
{
    const struct timeval often = {.tv_usec = STEP_US};
    if (dev->phase == PHASE_STOPPING) {
        return;
    }
    enter(dev, PHASE_STOPPING);
    for (uint32_t i = 0; i < dev->fleet.count; i++) {
        evs_dev_pipeline_stop(dev->fleet.items[i]);
    }
    event_add(dev->step, &often);
}

/* --- events ------------------------------------------------------------------------------------------------------------------ */

static void on_step(evutil_socket_t fd, short what, void *argument)
{
    struct dev *dev = argument;
    (void)fd;
    (void)what;
    if (dev->phase == PHASE_STOPPING) {
        if (!dev->is_killing && has_lasted(dev, dev->status == EVS_OK ? STOP_US : FAILED_US)) {
            evs_dev_say(SELF, EVS_DEV_RED, "something does not end: killed");
            kill_all(dev);
        }
        if (end_next(dev) == 0) {
            event_base_loopbreak(dev->loop);
        }
        return;
    }
    evs_status status = climb(dev);
    if (status != EVS_OK) {
        fail(dev, status);
    }
}

static void on_signal(evutil_socket_t number, short what, void *argument)
{
    struct dev *dev = argument;
    (void)number;
    (void)what;
    if (dev->phase == PHASE_STOPPING) {
        evs_dev_say(SELF, EVS_DEV_YELLOW, "ended at once");
        kill_all(dev);
    } else {
        evs_dev_say(SELF, EVS_DEV_PLAIN, "stopping: pipelines write their checkpoint; Ctrl-C again ends at once");
        stop(dev);
    }
}

static void on_child(evutil_socket_t number, short what, void *argument)
{
    static const char *const names[] = {"nats-server", "redis-server", "The collector"};
    struct dev *dev = argument;
    int code;
    (void)number;
    (void)what;
    for (uint32_t i = 0; i < dev->fleet.count; i++) {
        evs_dev_pipeline_look(dev->fleet.items[i], &dev->runner);
    }
    for (uint32_t i = 0; i < SERVER_COUNT; i++) {
        if (evs_dev_child_has_ended(&dev->servers[i], &code) && dev->phase != PHASE_STOPPING) {
            evs_dev_child_tell_last(&dev->servers[i]);
            fail(dev, evs_fail(dev->error, EVS_E_UNREACHABLE,
                               "%s has ended with exit code %d; its last lines stand above.", names[i], code));
        }
    }
}

/* --- its life ---------------------------------------------------------------------------------------------------------------- */

static evs_status read_address(struct dev *dev, const char *text, uint16_t usual, struct address *address)
{
    if (text == NULL) {
        snprintf(address->host, sizeof address->host, "127.0.0.1");
        address->port = evs_dev_free_port(usual);
        address->port = address->port == 0 ? evs_dev_free_port(0) : address->port;
        return EVS_OK;
    }
    char host[EVS_HOST_BYTES];
    bool is_one = evs_parse_address(text, host, &address->port) && host[0] != '\0' && address->port != 0;
    if (!is_one || strlen(host) >= sizeof address->host) {
        return evs_fail(dev->error, EVS_E_USAGE, "An address is HOST:PORT, such as 127.0.0.1:8000, not `%s`.", text);
    }
    memcpy(address->host, host, strlen(host) + 1);
    return EVS_OK;
}

/* Whoever sits here may change what runs here: the addresses of the pages carry the token. One that the environment has already is kept. */
static void make_token(struct dev *dev)
{
    const char *given = getenv("EVSTREAM_TOKEN");
    unsigned char bytes[16];
    if (given != NULL && given[0] != '\0') {
        snprintf(dev->runner.token, sizeof dev->runner.token, "%s", given);
        return;
    }
    ssize_t got = getrandom(bytes, sizeof bytes, 0);
    EVS_ASSERT(got == (ssize_t)sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(dev->runner.token + 2 * i, 3, "%02x", bytes[i]);
    }
    setenv("EVSTREAM_TOKEN", dev->runner.token, 1);
}

static evs_status choose_addresses(struct dev *dev)
{
    evs_status status = read_address(dev, dev->options->shop_address, SHOP_PORT, &dev->shop_address);
    if (status == EVS_OK) {
        status = read_address(dev, dev->options->collector_address, COLLECTOR_PORT, &dev->collector_address);
    }
    make_token(dev);
    dev->nats_port = evs_dev_free_port(0);
    dev->runner.redis_port = evs_dev_free_port(0);
    snprintf(dev->runner.nats_url, sizeof dev->runner.nats_url, "nats://127.0.0.1:%u", dev->nats_port);
    snprintf(dev->runner.redis_url, sizeof dev->runner.redis_url, "redis://127.0.0.1:%u", dev->runner.redis_port);
    snprintf(dev->shop_url, sizeof dev->shop_url, "http://%s:%u", dev->shop_address.host, dev->shop_address.port);
    snprintf(dev->collector_url, sizeof dev->collector_url, "http://%s:%u", dev->collector_address.host,
             dev->collector_address.port);
    return status;
}

static void make_loop(struct dev *dev)
{
    dev->loop = event_base_new();
    EVS_ASSERT(dev->loop != NULL);
    dev->step = event_new(dev->loop, -1, EV_PERSIST, on_step, dev);
    dev->on_interrupt = evsignal_new(dev->loop, SIGINT, on_signal, dev);
    dev->on_terminate = evsignal_new(dev->loop, SIGTERM, on_signal, dev);
    dev->on_child = evsignal_new(dev->loop, SIGCHLD, on_child, dev);
    EVS_ASSERT(dev->step != NULL && dev->on_interrupt != NULL && dev->on_terminate != NULL && dev->on_child != NULL);
    const struct timeval often = {.tv_usec = STEP_US};
    event_add(dev->step, &often);
    event_add(dev->on_interrupt, NULL);
    event_add(dev->on_terminate, NULL);
    event_add(dev->on_child, NULL);
}

static void free_loop(struct dev *dev)
{
    struct event *events[] = {dev->step, dev->on_interrupt, dev->on_terminate, dev->on_child};
    for (size_t i = 0; i < EVS_COUNT(events); i++) {
        event_free(events[i]);
    }
    event_base_free(dev->loop);
}

static evs_status open_all(struct dev *dev)
{
    const struct evs_dev_options *options = dev->options;
    evs_status status = choose_addresses(dev);
    if (status == EVS_OK) {
        status = evs_dev_data_make(options->data_folder, dev->data, dev->error);
    }
    if (status == EVS_OK) {
        status = find_pipelines(dev);
    }
    if (status == EVS_OK) {
        status = evs_dev_watch_new(dev->loop, on_changed, dev, &dev->watch, dev->error);
    }
    if (status == EVS_OK) {
        status = start_nats(dev);
    }
    if (status == EVS_OK) {
        status = start_redis(dev);
    }
    dev->feed_options = (struct evs_dev_feed_options){
        .port = dev->nats_port,
        .subjects = options->subject_count > 0 ? options->subjects : default_subjects,
        .subject_count = options->subject_count > 0 ? options->subject_count : EVS_COUNT(default_subjects),
        .ready = on_feed_ready,
        .message = on_message,
        .context = dev,
    };
    dev->feed = evs_dev_feed_new(dev->loop, &dev->feed_options);
    return status;
}

static void close_all(struct dev *dev)
{
    evs_dev_fleet_fini(&dev->fleet);
    for (uint32_t i = 0; i < SERVER_COUNT; i++) {
        evs_dev_child_fini(&dev->servers[i]);
    }
    evs_dev_feed_free(dev->feed);
    evs_dev_shop_free(dev->shop);
    evs_dev_watch_free(dev->watch);
    free_loop(dev);
    if (dev->options->data_folder == NULL && dev->data[0] != '\0') {
        evs_dev_data_remove(dev->data);
    }
}

evs_status evs_dev_run(const struct evs_dev_options *options, struct evs_error *error)
{
    struct dev dev = {.options = options,
                      .error = error,
                      .servers = {{.name = "nats", .is_quiet = !options->verbose},
                                  {.name = "redis", .is_quiet = !options->verbose},
                                  {.name = "collector"}}};
    signal(SIGPIPE, SIG_IGN);
    make_loop(&dev);
    dev.runner.options = options;
    dev.runner.loop = dev.loop;
    enter(&dev, PHASE_SERVERS);
    evs_status status = open_all(&dev);
    if (status != EVS_OK) {
        fail(&dev, status);
    }
    event_base_dispatch(dev.loop);
    close_all(&dev);
    if (dev.status == EVS_OK) {
        evs_dev_say(SELF, EVS_DEV_PLAIN, "stopped");
    }
    return dev.status;
}
