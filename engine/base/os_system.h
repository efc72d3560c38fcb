/* Private to base/: the functions of the os_*.c files, from which os.c makes the table of evs_os_system(). What each must
 * do stands in evstream/os.h. */
#ifndef EVS_BASE_OS_SYSTEM_H
#define EVS_BASE_OS_SYSTEM_H

#include "evstream/os.h"

/* os_clock.c, os_random.c */
int64_t evs_system_monotonic_us(void *self);
int64_t evs_system_boot_us(void *self);
int64_t evs_system_wall_us(void *self);
void evs_system_sleep_us(void *self, int64_t us);
uint64_t evs_system_random_next(void *self);

/* os_files.c */
evs_status evs_system_file_open(void *self, const char *path, enum evs_file_mode mode, struct evs_file **file,
                                struct evs_error *error);
evs_status evs_system_file_read(struct evs_file *file, void *data, size_t bytes, size_t *got, struct evs_error *error);
evs_status evs_system_file_write(struct evs_file *file, const void *data, size_t bytes, struct evs_error *error);
evs_status evs_system_file_seek(struct evs_file *file, uint64_t offset, struct evs_error *error);
int evs_system_file_wait_fd(struct evs_file *file);
evs_status evs_system_file_truncate(struct evs_file *file, uint64_t bytes, struct evs_error *error);
evs_status evs_system_file_sync(struct evs_file *file, struct evs_error *error);
evs_status evs_system_file_size(struct evs_file *file, uint64_t *bytes, bool *is_regular, struct evs_error *error);
void evs_system_file_close(struct evs_file *file);

/* os_folders.c */
evs_status evs_system_file_rename(void *self, const char *from, const char *to, struct evs_error *error);
evs_status evs_system_file_remove(void *self, const char *path, struct evs_error *error);
evs_status evs_system_make_folders(void *self, const char *path, struct evs_error *error);
evs_status evs_system_list(void *self, const char *folder, void (*each)(void *argument, const char *name),
                           void *argument, struct evs_error *error);
evs_status evs_system_match(void *self, const char *pattern, void (*each)(void *argument, const char *path),
                            void *argument, struct evs_error *error);

/* os_threads.c */
evs_status evs_system_spawn(void *self, const char *name, void (*run)(void *argument), void *argument,
                            struct evs_thread **thread);
void evs_system_join(struct evs_thread *thread);
struct evs_park *evs_system_park_new(void *self);
void evs_system_park_free(struct evs_park *park);
void evs_system_wake(struct evs_park *park);

/* os_sockets.c */
int evs_system_wait(void *self, struct evs_park *park, struct evs_wait_fd *fds, uint32_t fd_count, int64_t timeout_us);
int evs_system_connect(void *self, const struct sockaddr *address, uint32_t address_bytes);
int evs_system_failure(void *self, int fd);
ssize_t evs_system_send(void *self, int fd, const void *data, size_t bytes);
ssize_t evs_system_receive(void *self, int fd, void *data, size_t bytes);
void evs_system_close(void *self, int fd);

/* os_files.c */
void evs_system_console_write(void *self, const char *line, size_t bytes);

/* os_processes.c */
void evs_system_process_name(void *self, char out[EVS_PROCESS_NAME_MAX]);
bool evs_system_process_has_ended(void *self, const char *name);

/* What os_sockets.c asks of a park: its descriptor, which is readable after a wake; */
int evs_park_fd(const struct evs_park *park);
/* whether a wake has been asked for since the last evs_park_consume (no system call); */
bool evs_park_is_woken(const struct evs_park *park);
/* and to take all wakes so far. Whatever a waker wrote before such a wake is visible afterwards. */
void evs_park_consume(struct evs_park *park);

#endif
