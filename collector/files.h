/* Files that are served: the tracker as /evs.js, and a folder of libraries and pages. */
#ifndef EVS_FILES_H
#define EVS_FILES_H

#include <event2/http.h>

#include "evstream/memory.h"
#include "evstream/os.h"

struct evs_site;

/* `tracker` NULL: the one that is installed; when that is missing, /evs.js is 404. EVS_E_IO when a file that was named is missing. */
EVS_MUST_CHECK evs_status evs_files_open(const struct evs_os *os, struct evs_log *log, const char *tracker,
                                         const char *folder, struct evs_site **files, struct evs_error *error);
void evs_files_close(struct evs_site *files); /* NULL is allowed */

/* Fills the reply's headers and body: 200 or 304; 404 when there is no such file. `path` begins with "/" ("/": index.html). */
int evs_files_tracker(struct evs_site *files, struct evhttp_request *request, struct evbuffer *body);
int evs_files_find(struct evs_site *files, struct evhttp_request *request, const char *path, struct evbuffer *body);

/* Is it a name below the folder, without a step upwards or a hidden file? */
bool evs_files_is_safe(const char *path);

#endif
