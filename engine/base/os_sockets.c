/* Sockets of the real system. Waiting for readiness is poll(2) in its form with a fine timeout. The few descriptors of a worker (its park, one or two
 * connections) are no case for epoll, whose registration would have to follow every reconnect of a client library. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "os_system.h"

static void describe(const struct evs_wait_fd *fds, uint32_t fd_count, struct pollfd *polls)
{
    for (uint32_t i = 0; i < fd_count; i++) {
        int events = (fds[i].want_read ? POLLIN : 0) | (fds[i].want_write ? POLLOUT : 0);
        polls[i] = (struct pollfd){.fd = fds[i].fd, .events = (short)events};
    }
}

/* An error or a hang-up makes ready whatever was asked for: the next read or write tells what is wrong. */
static int take_results(struct evs_wait_fd *fds, uint32_t fd_count, const struct pollfd *polls)
{
    int ready = 0;
    for (uint32_t i = 0; i < fd_count; i++) {
        bool broken = (polls[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
        fds[i].can_read = fds[i].want_read && (broken || (polls[i].revents & POLLIN));
        fds[i].can_write = fds[i].want_write && (broken || (polls[i].revents & POLLOUT));
        ready += fds[i].can_read || fds[i].can_write;
    }
    return ready;
}

static int poll_for(struct pollfd *polls, uint32_t count, int64_t timeout_us)
{
    struct timespec timeout = {.tv_sec = timeout_us / 1000000, .tv_nsec = (timeout_us % 1000000) * 1000};
    return ppoll(polls, count, timeout_us < 0 ? NULL : &timeout, NULL);
}

int evs_system_wait(void *self, struct evs_park *park, struct evs_wait_fd *fds, uint32_t fd_count, int64_t timeout_us)
{
    (void)self;
    EVS_ASSERT(fd_count <= EVS_WAIT_FDS_MAX);
    EVS_ASSERT(fd_count == 0 || fds != NULL);
    bool woken = park != NULL && evs_park_is_woken(park);
    if (fd_count == 0 && timeout_us == 0 && !woken) {
        return 0; /* a busy worker asks this between batches: no system call for "nothing" */
    }
    struct pollfd polls[EVS_WAIT_FDS_MAX + 1];
    describe(fds, fd_count, polls);
    polls[fd_count] = (struct pollfd){.fd = park == NULL ? -1 : evs_park_fd(park), .events = POLLIN};
    int result = poll_for(polls, fd_count + 1, timeout_us);
    if (result < 0) {
        EVS_ASSERT(errno == EINTR || errno == ENOMEM);
        for (uint32_t i = 0; i < fd_count + 1; i++) {
            polls[i].revents = 0; /* a signal is a wake without a reason: the caller looks round and waits again */
        }
    }
    if (polls[fd_count].revents != 0) {
        EVS_ASSERT((polls[fd_count].revents & POLLNVAL) == 0); /* the park has been freed */
        evs_park_consume(park);
    }
    return take_results(fds, fd_count, polls);
}

/* --- one socket --------------------------------------------------------------------------------------------------------- */

/* Best effort: without them a connection is slower to send, or to notice that its peer is gone. */
static void set_tcp_options(int fd)
{
    const int on = 1, idle_s = 15, interval_s = 5, probes = 3;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

int evs_system_connect(void *self, const struct sockaddr *address, uint32_t address_bytes)
{
    (void)self;
    EVS_ASSERT(address != NULL);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (address->sa_family != AF_UNIX) {
        set_tcp_options(fd);
    }
    if (connect(fd, address, address_bytes) != 0 && errno != EINPROGRESS) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

int evs_system_failure(void *self, int fd)
{
    (void)self;
    int failure = 0;
    socklen_t bytes = sizeof failure;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &bytes) != 0 ? errno : failure;
}

ssize_t evs_system_send(void *self, int fd, const void *data, size_t bytes)
{
    (void)self;
    return send(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t evs_system_receive(void *self, int fd, void *data, size_t bytes)
{
    (void)self;
    return recv(fd, data, bytes, MSG_DONTWAIT);
}

void evs_system_close(void *self, int fd)
{
    (void)self;
    EVS_ASSERT(fd >= 0);
    close(fd);
}
