#include "free_port.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PORT_MIN 10000
#define PORT_END 32000
#define PORT_END_MIN 12000
#define TRIES_MAX 100000

/* Below those that the kernel gives to whoever connects: one of these is free now, and not when a server comes back. */
static unsigned ports_end(void)
{
    unsigned lowest = 0;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file != NULL) {
        if (fscanf(file, "%u", &lowest) != 1) {
            lowest = 0;
        }
        fclose(file);
    }
    return lowest >= PORT_END_MIN && lowest < PORT_END ? lowest : PORT_END;
}

static bool port_can_be_bound(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_free;
}

/* The lock goes with the process: its file stays open until then. */
static bool port_take(const char *folder, uint16_t port)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%u", folder, port);
    int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return false;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && port_can_be_bound(port)) {
        return true;
    }
    close(fd);
    return false;
}

uint16_t unit_free_port(void)
{
    const char *temporary = getenv("TMPDIR");
    char folder[200];
    snprintf(folder, sizeof folder, "%s/evstream-test-ports", temporary != NULL ? temporary : "/tmp");
    if (mkdir(folder, 0777) == 0) {
        (void)chmod(folder, 0777); /* whatever umask says: the tests of other users take part */
    }
    unsigned end = ports_end();
    for (int i = 0; i < TRIES_MAX; i++) {
        uint16_t drawn = 0;
        if (getrandom(&drawn, sizeof drawn, 0) == (ssize_t)sizeof drawn) {
            uint16_t port = (uint16_t)(PORT_MIN + drawn % (end - PORT_MIN));
            if (port_take(folder, port)) {
                return port;
            }
        }
    }
    fprintf(stderr, "free_port: no port can be had; can %s be written to?\n", folder);
    abort();
}
