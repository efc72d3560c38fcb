#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define QUIET_US 50000
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)

struct folder {
    int id; /* inotify's */
    char *path;
};

struct evs_dev_watch {
    int fd;
    struct event *readable, *quiet;
    struct folder *folders;
    uint32_t folder_count, folder_capacity;
    char **changes; /* paths, each once, until the folders are quiet */
    uint32_t change_count, change_capacity;
    void (*changed)(void *context, const char *path);
    void *context;
};

static bool is_pipeline(const char *name)
{
    size_t count = strlen(name);
    return count > 4 && name[0] != '.' && strcmp(name + count - 4, ".evs") == 0;
}

/* Takes ownership of `path`. */
static void note(struct evs_dev_watch *watch, char *path)
{
    for (uint32_t i = 0; i < watch->change_count; i++) {
        if (strcmp(watch->changes[i], path) == 0) {
            evs_free(path);
            return;
        }
    }
    EVS_GROW(watch->changes, watch->change_count, watch->change_capacity);
    watch->changes[watch->change_count++] = path;
}

static void note_event(struct evs_dev_watch *watch, const struct inotify_event *event)
{
    for (uint32_t i = 0; i < watch->folder_count && event->len > 0; i++) {
        if (watch->folders[i].id == event->wd && is_pipeline(event->name)) {
            size_t bytes = strlen(watch->folders[i].path) + strlen(event->name) + 2;
            char *path = evs_alloc(bytes);
            snprintf(path, bytes, "%s/%s", watch->folders[i].path, event->name);
            note(watch, path);
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    struct evs_dev_watch *watch = argument;
    _Alignas(struct inotify_event) char bytes[4096 + NAME_MAX + 1];
    ssize_t got;
    (void)what;
    while ((got = read(fd, bytes, sizeof bytes)) > 0) {
        for (char *at = bytes; at < bytes + got;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
            note_event(watch, event);
            at += sizeof *event + event->len;
        }
    }
    const struct timeval wait = {.tv_usec = QUIET_US};
    event_add(watch->quiet, &wait); /* anew with each event */
}

/* The list is taken away first: a callback may add a folder, or be the cause of further changes. */
static void on_quiet(evutil_socket_t fd, short what, void *argument)
{
    struct evs_dev_watch *watch = argument;
    char **changes = watch->changes;
    uint32_t count = watch->change_count;
    (void)fd;
    (void)what;
    watch->changes = NULL;
    watch->change_count = watch->change_capacity = 0;
    for (uint32_t i = 0; i < count; i++) {
        watch->changed(watch->context, changes[i]);
        evs_free(changes[i]);
    }
    evs_free(changes);
}

evs_status evs_dev_watch_new(struct event_base *loop, void (*changed)(void *context, const char *path), void *context,
                             struct evs_dev_watch **watch, struct evs_error *error)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    *watch = NULL;
    if (fd < 0) {
        return evs_fail(error, EVS_E_IO, "Files cannot be watched for changes: %s.", strerror(errno));
    }
    struct evs_dev_watch *made = evs_alloc_zero(sizeof *made);
    made->fd = fd;
    made->changed = changed;
    made->context = context;
    made->readable = event_new(loop, fd, EV_READ | EV_PERSIST, on_readable, made);
    made->quiet = evtimer_new(loop, on_quiet, made);
    EVS_ASSERT(made->readable != NULL && made->quiet != NULL);
    event_add(made->readable, NULL);
    *watch = made;
    return EVS_OK;
}

evs_status evs_dev_watch_folder(struct evs_dev_watch *watch, const char *folder, struct evs_error *error)
{
    for (uint32_t i = 0; i < watch->folder_count; i++) {
        if (strcmp(watch->folders[i].path, folder) == 0) {
            return EVS_OK;
        }
    }
    int id = inotify_add_watch(watch->fd, folder, EVENTS);
    if (id < 0) {
        return evs_fail(error, EVS_E_IO, "The folder `%s` cannot be watched for changes: %s.", folder, strerror(errno));
    }
    EVS_GROW(watch->folders, watch->folder_count, watch->folder_capacity);
    watch->folders[watch->folder_count++] = (struct folder){.id = id, .path = evs_strdup(folder)};
    return EVS_OK;
}

void evs_dev_watch_free(struct evs_dev_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    event_free(watch->readable);
    event_free(watch->quiet);
    close(watch->fd);
    for (uint32_t i = 0; i < watch->folder_count; i++) {
        evs_free(watch->folders[i].path);
    }
    for (uint32_t i = 0; i < watch->change_count; i++) {
        evs_free(watch->changes[i]);
    }
    evs_free(watch->folders);
    evs_free(watch->changes);
    evs_free(watch);
}
