/* The real operating system, put together from its parts. */
#include "os_system.h"

static const struct evs_os system_os = {
    .clock =
        {
            .monotonic_us = evs_system_monotonic_us,
            .boot_us = evs_system_boot_us,
            .wall_us = evs_system_wall_us,
            .sleep_us = evs_system_sleep_us,
        },
    .random = {.next = evs_system_random_next},
    .files =
        {
            .open = evs_system_file_open,
            .read = evs_system_file_read,
            .write = evs_system_file_write,
            .seek = evs_system_file_seek,
            .truncate = evs_system_file_truncate,
            .wait_fd = evs_system_file_wait_fd,
            .sync = evs_system_file_sync,
            .size = evs_system_file_size,
            .close = evs_system_file_close,
            .rename = evs_system_file_rename,
            .remove = evs_system_file_remove,
            .make_folders = evs_system_make_folders,
            .list = evs_system_list,
            .match = evs_system_match,
        },
    .threads =
        {
            .spawn = evs_system_spawn,
            .join = evs_system_join,
            .park_new = evs_system_park_new,
            .park_free = evs_system_park_free,
            .wake = evs_system_wake,
        },
    .sockets =
        {
            .wait = evs_system_wait,
            .connect = evs_system_connect,
            .failure = evs_system_failure,
            .send = evs_system_send,
            .receive = evs_system_receive,
            .close = evs_system_close,
        },
    .console = {.write = evs_system_console_write},
    .processes = {.name = evs_system_process_name, .has_ended = evs_system_process_has_ended},
};

const struct evs_os *evs_os_system(void)
{
    return &system_os;
}
