#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static bool hears(int fd, const char *expected)
{
    char answer[4096];
    size_t count = 0;
    ssize_t got;
    while (count < sizeof answer - 1 && (got = recv(fd, answer + count, sizeof answer - 1 - count, 0)) > 0) {
        count += (size_t)got;
        answer[count] = '\0';
        if (memmem(answer, count, expected, strlen(expected)) != NULL) {
            return true;
        }
    }
    return false;
}

bool evs_dev_answers(uint16_t port, struct evs_slice ask, const char *expected, int wait_ms)
{
    struct sockaddr_in address = loopback(port);
    const struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000L};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    bool is_answered = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                       send(fd, ask.data, ask.count, MSG_NOSIGNAL) == (ssize_t)ask.count && hears(fd, expected);
    close(fd);
    return is_answered;
}

uint16_t evs_dev_free_port(uint16_t wanted)
{
    struct sockaddr_in address = loopback(wanted);
    socklen_t bytes = sizeof address;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* a listener that has just ended is no obstacle */
        if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0 &&
            getsockname(fd, (struct sockaddr *)&address, &bytes) == 0) {
            port = ntohs(address.sin_port);
        }
        close(fd);
    }
    return port;
}
