#include "data.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

evs_status evs_dev_data_make(const char *wanted, char path[PATH_MAX], struct evs_error *error)
{
    const char *temporary = getenv("TMPDIR");
    int written = wanted != NULL ? snprintf(path, PATH_MAX, "%s", wanted)
                                 : snprintf(path, PATH_MAX, "%s/evstream-dev-XXXXXX",
                                            temporary == NULL || temporary[0] == '\0' ? "/tmp" : temporary);
    if (written < 0 || written >= (int)PATH_MAX - 32) {
        path[0] = '\0';
        return evs_fail(error, EVS_E_USAGE, "The name of the data folder is too long.");
    }
    bool is_made = wanted != NULL ? mkdir(wanted, 0700) == 0 || errno == EEXIST : mkdtemp(path) != NULL;
    char absolute[PATH_MAX];
    if (!is_made || realpath(path, absolute) == NULL || strlen(absolute) > PATH_MAX - 32) {
        evs_status status =
            evs_fail(error, EVS_E_USAGE, "The data folder `%s` cannot be made: %s.", path, strerror(errno));
        path[0] = '\0';
        return status;
    }
    memcpy(path, absolute, strlen(absolute) + 1); /* the servers go to folders of their own */
    return EVS_OK;
}

void evs_dev_data_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

evs_status evs_dev_data_copy(const char *from_path, const char *to_path, struct evs_error *error)
{
    FILE *from = fopen(from_path, "re");
    FILE *to = fopen(to_path, "we");
    char bytes[4096];
    size_t got;
    bool is_copied = from != NULL && to != NULL;
    while (is_copied && (got = fread(bytes, 1, sizeof bytes, from)) > 0) {
        is_copied = fwrite(bytes, 1, got, to) == got;
    }
    if (from != NULL) {
        (void)fclose(from);
    }
    is_copied = (to == NULL || fclose(to) == 0) && is_copied;
    return is_copied ? EVS_OK
                     : evs_fail(error, EVS_E_IO, "The example `%s` cannot be copied to `%s`: %s.", from_path, to_path,
                                strerror(errno));
}
