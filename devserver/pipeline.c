#include "pipeline.h"

#include <stdio.h>
#include <string.h>

#include "probe.h"

#define ARGUMENTS_FIXED 24

static uint16_t free_port(uint16_t wanted)
{
    uint16_t port = evs_dev_free_port(wanted);
    return port == 0 ? evs_dev_free_port(0) : port;
}

struct evs_dev_pipeline *evs_dev_pipeline_new(const char *path, uint16_t page_port)
{
    static const enum evs_dev_colour colours[] = {EVS_DEV_CYAN, EVS_DEV_BLUE, EVS_DEV_GREEN, EVS_DEV_YELLOW};
    struct evs_dev_pipeline *pipeline = evs_alloc_zero(sizeof *pipeline);
    const char *slash = strrchr(path, '/');
    const char *stem = slash == NULL ? path : slash + 1;
    pipeline->path = evs_strdup(path);
    pipeline->page_port = free_port(page_port);
    snprintf(pipeline->label, sizeof pipeline->label, "%.*s", (int)strcspn(stem, "."), stem);
    pipeline->child.name = pipeline->label;
    pipeline->child.colour = colours[evs_hash64(stem, strlen(stem)) % EVS_COUNT(colours)];
    return pipeline;
}

void evs_dev_pipeline_free(struct evs_dev_pipeline *pipeline)
{
    evs_dev_child_fini(&pipeline->child);
    evs_free(pipeline->path);
    evs_free(pipeline);
}

void evs_dev_pipeline_page(const struct evs_dev_pipeline *pipeline, const struct evs_dev_runner *runner,
                           char url[EVS_DEV_PAGE_BYTES])
{
    snprintf(url, EVS_DEV_PAGE_BYTES, "http://127.0.0.1:%u/#token=%s", pipeline->page_port, runner->token);
}

static void start(struct evs_dev_pipeline *pipeline, const struct evs_dev_runner *runner)
{
    const struct evs_dev_options *options = runner->options;
    uint32_t own_count = runner->run_argument_count, count = 0;
    const char **argv = evs_alloc(((size_t)ARGUMENTS_FIXED + own_count + options->run_argument_count) * sizeof *argv);
    char listen[32], page[EVS_DEV_PAGE_BYTES];
    pipeline->page_port = free_port(pipeline->page_port);
    snprintf(listen, sizeof listen, "127.0.0.1:%u", pipeline->page_port);
    evs_dev_pipeline_page(pipeline, runner, page);
    const char *const fixed[] = {options->program, "run",
                                 "--create",       "--quiet",
                                 "--nats",         runner->nats_url,
                                 "--redis",        runner->redis_url,
                                 "--listen",       listen,
                                 "--allow-drop",   "--state-lost",
                                 "restart",        "--checkpoint-interval",
                                 "500ms"};
    for (; count < EVS_COUNT(fixed); count++) {
        argv[count] = fixed[count];
    }
    for (uint32_t i = 0; i < own_count; i++) {
        argv[count++] = runner->run_arguments[i];
    }
    for (uint32_t i = 0; i < options->run_argument_count; i++) { /* the last one counts: the developer's */
        argv[count++] = options->run_arguments[i];
    }
    argv[count++] = pipeline->path;
    argv[count] = NULL;
    struct evs_error error = {0};
    pipeline->is_stopping = pipeline->is_next_good = false;
    memcpy(pipeline->name, pipeline->next_name, sizeof pipeline->name);
    if (evs_dev_child_start(&pipeline->child, runner->loop, argv, &error) == EVS_OK) {
        evs_dev_say(pipeline->label, pipeline->child.colour, "runs %s (page: %s)", pipeline->path, page);
    } else {
        evs_dev_say(pipeline->label, EVS_DEV_RED, "%s", error.text);
    }
    evs_free(argv);
}

static bool is_name_taken(const struct evs_dev_pipeline *pipeline, const char *name,
                          struct evs_dev_pipeline *const *others, uint32_t other_count)
{
    for (uint32_t i = 0; i < other_count; i++) {
        const struct evs_dev_pipeline *other = others[i];
        if (other != pipeline && (other->child.pid > 0 || other->is_next_good) &&
            (strcmp(other->name, name) == 0 || strcmp(other->next_name, name) == 0)) {
            evs_dev_say(pipeline->label, EVS_DEV_RED,
                        "%s and %s are both the pipeline `%s`, and a name owns its state; give one another name "
                        "(`pipeline NAME;`).",
                        other->path, pipeline->path, name);
            return true;
        }
    }
    return false;
}

void evs_dev_pipeline_saved(struct evs_dev_pipeline *pipeline, const struct evs_dev_runner *runner,
                            struct evs_dev_pipeline *const *others, uint32_t other_count)
{
    char name[EVS_DEV_NAME_MAX] = "";
    if (!runner->options->check(runner->options->context, pipeline->path, name) ||
        is_name_taken(pipeline, name, others, other_count)) {
        evs_dev_say(pipeline->label, EVS_DEV_RED, "%s",
                    pipeline->child.pid > 0 && !pipeline->is_stopping
                        ? "has a mistake: the version before it runs on until the file is saved without"
                        : "has a mistake: it runs as soon as the file is saved without");
        return;
    }
    memcpy(pipeline->next_name, name, sizeof name);
    if (pipeline->child.pid == 0) {
        start(pipeline, runner);
        return;
    }
    evs_dev_say(pipeline->label, pipeline->child.colour, "was saved: the new version takes over");
    pipeline->is_next_good = true;
    pipeline->is_stopping = true;
    evs_dev_child_stop(&pipeline->child);
}

static void ended_by_itself(const struct evs_dev_pipeline *pipeline, int code)
{
    evs_dev_say(pipeline->label, code == 0 ? EVS_DEV_PLAIN : EVS_DEV_RED,
                "has ended with exit code %d; it runs again when the file is saved", code);
}

void evs_dev_pipeline_look(struct evs_dev_pipeline *pipeline, const struct evs_dev_runner *runner)
{
    int code;
    if (!evs_dev_child_has_ended(&pipeline->child, &code)) {
        return;
    }
    if (pipeline->is_next_good) {
        start(pipeline, runner);
    } else if (!pipeline->is_stopping) {
        ended_by_itself(pipeline, code);
    }
}

void evs_dev_pipeline_stop(struct evs_dev_pipeline *pipeline)
{
    pipeline->is_stopping = true;
    pipeline->is_next_good = false;
    evs_dev_child_stop(&pipeline->child);
}
