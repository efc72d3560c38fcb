/* Names of files in folders of the real system: giving, taking and listing them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evstream/memory.h"
#include "os_system.h"

static evs_status folder_fail(struct evs_error *error, const char *verb, const char *path)
{
    char buffer[128];
    EVS_ASSERT(errno != 0);
    return evs_fail(error, EVS_E_IO, "Cannot %s `%s`: %s.", verb, path, strerror_r(errno, buffer, sizeof buffer));
}

/* A name is durable when its folder is. */
static bool sync_folder_of(const char *path)
{
    char *copy = evs_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == EROFS);
    if (fd >= 0) {
        close(fd);
    }
    evs_free(copy);
    return is_synced;
}

/* File systems without that flag: a second name first, which fails where there is one. */
static int rename_to_new(const char *from, const char *to)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (result < 0 && (errno == EINVAL || errno == ENOSYS)) {
        result = link(from, to);
        result = result == 0 ? unlink(from) : result;
    }
    return result;
}

evs_status evs_system_file_rename(void *self, const char *from, const char *to, struct evs_error *error)
{
    (void)self;
    if (rename_to_new(from, to) < 0) {
        return errno == EEXIST ? EVS_AGAIN : folder_fail(error, "give its name to", to);
    }
    return sync_folder_of(to) ? EVS_OK : folder_fail(error, "make durable the folder of", to);
}

evs_status evs_system_file_remove(void *self, const char *path, struct evs_error *error)
{
    (void)self;
    return remove(path) == 0 || errno == ENOENT ? EVS_OK : folder_fail(error, "remove the file", path);
}

evs_status evs_system_make_folders(void *self, const char *path, struct evs_error *error)
{
    (void)self;
    char *folder = evs_strdup(path);
    evs_status status = EVS_OK;
    for (char *slash = strchr(folder + 1, '/'); slash != NULL && status == EVS_OK; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
            status = folder_fail(error, "make the folder", folder);
        }
        *slash = '/';
    }
    evs_free(folder);
    return status;
}

evs_status evs_system_list(void *self, const char *folder, void (*each)(void *argument, const char *name),
                           void *argument, struct evs_error *error)
{
    (void)self;
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return errno == ENOENT ? EVS_OK : folder_fail(error, "read the folder", folder);
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        each(argument, entry->d_name);
    }
    closedir(directory);
    return EVS_OK;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

evs_status evs_system_match(void *self, const char *pattern, void (*each)(void *argument, const char *path),
                            void *argument, struct evs_error *error)
{
    (void)self;
    if (access(pattern, F_OK) == 0 && !is_folder(pattern)) { /* a name that looks like a pattern */
        each(argument, pattern);
        return EVS_OK;
    }
    glob_t found = {0};
    errno = 0;
    int result = glob(pattern, GLOB_ERR | GLOB_NOSORT, NULL, &found);
    if (result == GLOB_NOSPACE) {
        errno = ENOMEM;
    }
    evs_status status = EVS_OK;
    if (result != 0 && result != GLOB_NOMATCH) {
        errno = errno == 0 ? EIO : errno;
        status = folder_fail(error, "look for the files", pattern);
    }
    for (size_t i = 0; i < found.gl_pathc && status == EVS_OK; i++) {
        if (!is_folder(found.gl_pathv[i])) {
            each(argument, found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return status;
}
