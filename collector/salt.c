#include "salt.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define SALT_PREFIX "salt-"

void evs_random_bytes(uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t got = getrandom(bytes, count, 0);
        EVS_ASSERT(got > 0 || got == -1);
        if (got > 0) {
            bytes += got;
            count -= (size_t)got;
        }
    }
}

static void salt_remove_old(const char *folder, int64_t day)
{
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        char path[1024];
        bool is_salt = strncmp(entry->d_name, SALT_PREFIX, strlen(SALT_PREFIX)) == 0;
        if (is_salt && strtoll(entry->d_name + strlen(SALT_PREFIX), NULL, 10) < day - 1) {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            (void)unlink(path);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
}

static bool salt_read(const char *path, uint8_t salt[EVS_SALT_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool whole = fd >= 0 && read(fd, salt, EVS_SALT_BYTES) == EVS_SALT_BYTES;
    if (fd >= 0) {
        close(fd);
    }
    return whole;
}

/* Under another name first, then linked: of two processes that draw at once, the second one finds the first one's. */
static bool salt_draw(const char *path, uint8_t salt[EVS_SALT_BYTES])
{
    char draft[1100];
    snprintf(draft, sizeof draft, "%s.%ld", path, (long)getpid());
    evs_random_bytes(salt, EVS_SALT_BYTES);
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write(fd, salt, EVS_SALT_BYTES) == EVS_SALT_BYTES;
    if (fd >= 0) {
        close(fd);
    }
    if (written) {
        int linked = link(draft, path);
        (void)linked; /* it is there already: read below */
    }
    (void)unlink(draft);
    return written && salt_read(path, salt);
}

bool evs_salt_of_day(const char *folder, int64_t day, uint8_t salt[EVS_SALT_BYTES])
{
    char path[1024];
    if (folder == NULL) {
        evs_random_bytes(salt, EVS_SALT_BYTES);
        return true;
    }
    salt_remove_old(folder, day);
    snprintf(path, sizeof path, "%s/" SALT_PREFIX "%" PRId64, folder, day);
    return salt_read(path, salt) || salt_draw(path, salt);
}
