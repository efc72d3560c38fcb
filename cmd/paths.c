/* Files and folders of a command line. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "evstream/memory.h"

static void add_file(struct evs_paths *files, char *name)
{
    EVS_GROW(files->names, files->count, files->capacity);
    files->names[files->count++] = name;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool evs_paths_add(struct evs_paths *files, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        add_file(files, evs_strdup(path));
        return true;
    }
    DIR *folder = opendir(path);
    uint32_t first = files->count;
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        size_t count = strlen(entry->d_name);
        if (count > 4 && strcmp(entry->d_name + count - 4, ".evs") == 0) {
            char *name = evs_alloc(strlen(path) + count + 2);
            sprintf(name, "%s/%s", path, entry->d_name);
            add_file(files, name);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    if (files->count == first) {
        return false;
    }
    qsort(files->names + first, files->count - first, sizeof *files->names, by_name);
    return true;
}

void evs_paths_fini(struct evs_paths *files)
{
    for (uint32_t i = 0; i < files->count; i++) {
        evs_free(files->names[i]);
    }
    evs_free(files->names);
    *files = (struct evs_paths){0};
}
