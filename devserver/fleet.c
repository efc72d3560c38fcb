#include "fleet.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_PORT 8088

void evs_dev_fleet_add(struct evs_dev_fleet *fleet, const char *path)
{
    EVS_GROW(fleet->items, fleet->count, fleet->capacity);
    fleet->count++;
    fleet->items[fleet->count - 1] = evs_dev_pipeline_new(path, fleet->count == 1 ? PAGE_PORT : 0);
}

/* "cart.evs" and "./cart.evs" are one file. */
static const char *plain(const char *path)
{
    return strncmp(path, "./", 2) == 0 ? path + 2 : path;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_pipeline_file(const char *name)
{
    size_t count = strlen(name);
    return count > 4 && name[0] != '.' && strcmp(name + count - 4, ".evs") == 0;
}

static void add_folder(struct evs_dev_fleet *fleet, const char *folder)
{
    char **names = NULL;
    uint32_t count = 0, capacity = 0;
    struct dirent *entry;
    DIR *listing = opendir(folder);
    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        if (is_pipeline_file(entry->d_name)) {
            char path[PATH_MAX];
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            EVS_GROW(names, count, capacity);
            names[count++] = evs_strdup(path);
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
    if (count > 0) {
        qsort(names, count, sizeof *names, by_name);
    }
    for (uint32_t i = 0; i < count; i++) {
        evs_dev_fleet_add(fleet, names[i]);
        evs_free(names[i]);
    }
    evs_free(names);
    EVS_GROW(fleet->folders, fleet->folder_count, fleet->folder_capacity);
    fleet->folders[fleet->folder_count++] = folder;
}

void evs_dev_fleet_find(struct evs_dev_fleet *fleet, const char *const *paths, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct stat status;
        if (stat(paths[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            add_folder(fleet, paths[i]);
        } else {
            evs_dev_fleet_add(fleet, paths[i]);
        }
    }
}

struct evs_dev_pipeline *evs_dev_fleet_of(const struct evs_dev_fleet *fleet, const char *path)
{
    for (uint32_t i = 0; i < fleet->count; i++) {
        if (strcmp(plain(fleet->items[i]->path), plain(path)) == 0) {
            return fleet->items[i];
        }
    }
    return NULL;
}

struct evs_dev_pipeline *evs_dev_fleet_adopt(struct evs_dev_fleet *fleet, const char *path)
{
    size_t folder_count = (size_t)(strrchr(path, '/') - path);
    for (uint32_t i = 0; i < fleet->folder_count; i++) {
        if (strlen(fleet->folders[i]) == folder_count && memcmp(fleet->folders[i], path, folder_count) == 0) {
            evs_dev_fleet_add(fleet, path);
            return fleet->items[fleet->count - 1];
        }
    }
    return NULL;
}

void evs_dev_fleet_fini(struct evs_dev_fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->count; i++) {
        evs_dev_pipeline_free(fleet->items[i]);
    }
    evs_free(fleet->items);
    evs_free(fleet->folders);
}
