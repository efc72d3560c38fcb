/* Watches folders for saved *.evs files, with inotify.
 *
 * Folders, not files: most editors save by renaming a new file over the old one, which a watch on the file would not survive.
 * A save is several events (truncate, write, close; or create, write, rename), so what has changed is told once, when the folder
 * has been quiet for a moment. */
#ifndef EVS_DEV_WATCH_H
#define EVS_DEV_WATCH_H

#include <event2/event.h>

#include "evstream/memory.h"

struct evs_dev_watch;

/* `changed` is called in the loop with the path of each file that was written, moved or removed: folder, "/", name. */
EVS_MUST_CHECK evs_status evs_dev_watch_new(struct event_base *loop, void (*changed)(void *context, const char *path),
                                            void *context, struct evs_dev_watch **watch, struct evs_error *error);
/* Once a folder; watching it again does nothing. */
EVS_MUST_CHECK evs_status evs_dev_watch_folder(struct evs_dev_watch *watch, const char *folder,
                                               struct evs_error *error);
void evs_dev_watch_free(struct evs_dev_watch *watch); /* NULL is allowed */

#endif
