/* Processes of the real system, by names that are never given twice:
 *
 *   host / pid / start / boot / pid namespace
 *
 * `start` is when the process began, in ticks since the boot (proc(5), stat, field 22), so a number that is used again is another process. A name
 * of another boot or another pid namespace (a container, another machine) cannot be looked up here. One of this boot and namespace can: it has
 * ended when there is no such process any more, or only what its parent has not yet collected. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os_system.h"

#define PLACE_MAX 128
#define STAT_MAX 1024

/* The first line of a file, or what a link points to; "" when it cannot be read. */
static void read_line(const char *path, char *out, size_t bytes)
{
    FILE *file = fopen(path, "re");
    out[0] = '\0';
    if (file != NULL) {
        if (fgets(out, (int)bytes, file) == NULL) {
            out[0] = '\0';
        }
        (void)fclose(file);
    }
    out[strcspn(out, "\n")] = '\0';
}

/* "boot/namespace": where pids mean the same as here. False when the system does not tell. */
static bool read_place(char place[PLACE_MAX])
{
    char boot[64], space[32];
    read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    ssize_t count = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[count < 0 ? 0 : count] = '\0';
    int written = snprintf(place, PLACE_MAX, "%s/%s", boot, space);
    return boot[0] != '\0' && space[0] != '\0' && written > 0 && written < PLACE_MAX;
}

/* State and start of a process. False: there is none. The command's name, field 2, may hold anything, parentheses too. */
static bool read_process(long pid, char *state, unsigned long long *start)
{
    char path[64], line[STAT_MAX];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_line(path, line, sizeof line);
    const char *at = strrchr(line, ')');
    if (at == NULL || at[1] == '\0') {
        return false;
    }
    *state = at[2];
    uint32_t field = 2;
    for (at++; field < 22 && *at != '\0'; at++) {
        field += *at == ' ';
    }
    *start = strtoull(at, NULL, 10);
    return field == 22;
}

void evs_system_process_name(void *self, char out[EVS_PROCESS_NAME_MAX])
{
    (void)self;
    char host[64], place[PLACE_MAX], state;
    unsigned long long start = 0;
    if (gethostname(host, sizeof host) != 0) {
        host[0] = '\0';
    }
    host[sizeof host - 1] = '\0';
    for (char *c = host; *c != '\0'; c++) {
        *c = *c <= ' ' || *c == '/' ? '-' : *c;
    }
    if (!read_place(place) || !read_process((long)getpid(), &state, &start)) {
        place[0] = '\0';
    }
    int count = snprintf(out, EVS_PROCESS_NAME_MAX, "%s/%ld/%llu/%s", host, (long)getpid(), start, place);
    EVS_ASSERT(count > 0 && count < (int)EVS_PROCESS_NAME_MAX);
}

bool evs_system_process_has_ended(void *self, const char *name)
{
    (void)self;
    char place[PLACE_MAX], state = ' ', *end;
    unsigned long long start = 0;
    const char *at = strchr(name, '/');
    long pid = at == NULL ? 0 : strtol(at + 1, &end, 10);
    if (pid <= 0 || *end != '/') {
        return false;
    }
    unsigned long long named_start = strtoull(end + 1, &end, 10);
    if (*end != '/' || !read_place(place) || strcmp(end + 1, place) != 0) {
        return false; /* of another machine, boot or container */
    }
    return !read_process(pid, &state, &start) || start != named_start || state == 'Z' || state == 'X';
}
