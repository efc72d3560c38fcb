#include "files.h"

#include <event2/buffer.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "evstream/text.h"

#define FILES_TRACKER_MAX (1 << 20)
#define FILES_PATH_MAX 512
#define FILES_READ_BYTES (1 << 20)
#define FILES_GZIP_ONLY (16 + MAX_WBITS)

struct evs_site {
    const char *folder; /* NULL: none */
    struct evs_buffer tracker, tracker_gzip;
    char tracker_tag[40];
};

/* --- the tracker: read once, compressed once ------------------------------------------------------------------------------ */

/* Beside the program: installed, and in the source tree of a build. */
static const char *const tracker_places[] = {"../share/evstream/evs.js", "../tracker/dist/evs.js",
                                             "../../tracker/dist/evs.js"};

static evs_status files_read(const struct evs_os *os, const char *path, struct evs_buffer *out, struct evs_error *error)
{
    struct evs_file *file;
    evs_status status = os->files.open(os->files.self, path, EVS_FILE_READ, &file, error);
    if (status != EVS_OK) {
        return status;
    }
    evs_buffer_reserve(out, FILES_TRACKER_MAX + 1);
    size_t got = 1;
    while (status == EVS_OK && got > 0 && out->count <= FILES_TRACKER_MAX) {
        status = os->files.read(file, out->data + out->count, FILES_TRACKER_MAX + 1 - out->count, &got, error);
        out->count += got;
    }
    os->files.close(file);
    if (status == EVS_OK && out->count > FILES_TRACKER_MAX) {
        status = evs_fail(error, EVS_E_LIMIT, "The tracker `%s` is larger than 1 MiB.", path);
    }
    return status;
}

static void files_compress(const struct evs_buffer *plain, struct evs_buffer *out)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, FILES_GZIP_ONLY, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
        return;
    }
    evs_buffer_reserve(out, deflateBound(&stream, plain->count));
    stream.next_in = (Bytef *)plain->data;
    stream.avail_in = (uInt)plain->count;
    stream.next_out = (Bytef *)out->data;
    stream.avail_out = (uInt)out->capacity;
    out->count = deflate(&stream, Z_FINISH) == Z_STREAM_END ? stream.total_out : 0;
    deflateEnd(&stream);
}

static bool files_find_tracker(char *path, size_t bytes)
{
    char program[FILES_PATH_MAX];
    ssize_t count = readlink("/proc/self/exe", program, sizeof program - 1);
    if (count <= 0) {
        return false;
    }
    program[count] = '\0';
    const char *folder = dirname(program);
    for (uint32_t i = 0; i < EVS_COUNT(tracker_places); i++) {
        snprintf(path, bytes, "%s/%s", folder, tracker_places[i]);
        if (access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

evs_status evs_files_open(const struct evs_os *os, struct evs_log *log, const char *tracker, const char *folder,
                          struct evs_site **result, struct evs_error *error)
{
    struct evs_site *files = evs_alloc_zero(sizeof *files);
    char found[2 * FILES_PATH_MAX];
    struct stat stat_of;
    evs_status status = EVS_OK;
    files->folder = folder;
    if (folder != NULL && (stat(folder, &stat_of) != 0 || !S_ISDIR(stat_of.st_mode))) {
        status = evs_fail(error, EVS_E_IO, "The folder of files to serve, `%s`, is not there.", folder);
    }
    if (tracker == NULL && files_find_tracker(found, sizeof found)) {
        tracker = found;
    }
    if (status == EVS_OK && tracker != NULL) {
        status = files_read(os, tracker, &files->tracker, error);
    } else if (status == EVS_OK) {
        evs_log(log, EVS_LOG_WARN, "no_tracker", "There is no tracker to serve as /evs.js; name one with --tracker.");
    }
    if (status != EVS_OK) {
        evs_files_close(files);
        return status;
    }
    files_compress(&files->tracker, &files->tracker_gzip);
    snprintf(files->tracker_tag, sizeof files->tracker_tag, "\"%016" PRIx64 "\"",
             evs_hash64(files->tracker.data, files->tracker.count));
    *result = files;
    return EVS_OK;
}

void evs_files_close(struct evs_site *files)
{
    if (files != NULL) {
        evs_buffer_fini(&files->tracker);
        evs_buffer_fini(&files->tracker_gzip);
        evs_free(files);
    }
}

/* --- answers --------------------------------------------------------------------------------------------------------------- */

static void files_header(struct evhttp_request *request, const char *name, const char *value)
{
    (void)evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

static const char *files_asked(struct evhttp_request *request, const char *name)
{
    const char *value = evhttp_find_header(evhttp_request_get_input_headers(request), name);
    return value != NULL ? value : "";
}

/* The same for any list of tags that names ours. */
static bool files_is_known(struct evhttp_request *request, const char *tag)
{
    return strstr(files_asked(request, "If-None-Match"), tag) != NULL;
}

int evs_files_tracker(struct evs_site *files, struct evhttp_request *request, struct evbuffer *body)
{
    if (files->tracker.count == 0) {
        return 404;
    }
    files_header(request, "ETag", files->tracker_tag);
    /* An hour: a new tracker reaches everybody within that, and a page view costs no request in between. */
    files_header(request, "Cache-Control", "public, max-age=3600, stale-while-revalidate=86400");
    files_header(request, "Vary", "Accept-Encoding");
    files_header(request, "Cross-Origin-Resource-Policy", "cross-origin");
    if (files_is_known(request, files->tracker_tag)) {
        return 304;
    }
    files_header(request, "Content-Type", "text/javascript; charset=utf-8");
    const struct evs_buffer *chosen = &files->tracker;
    if (files->tracker_gzip.count > 0 && strstr(files_asked(request, "Accept-Encoding"), "gzip") != NULL) {
        chosen = &files->tracker_gzip;
        files_header(request, "Content-Encoding", "gzip");
    }
    (void)evbuffer_add_reference(body, chosen->data, chosen->count, NULL, NULL);
    return 200;
}

bool evs_files_is_safe(const char *path)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@";
    return path[0] == '/' && path[strspn(path, allowed)] == '\0' && strstr(path, "/.") == NULL &&
           strstr(path, "//") == NULL && strlen(path) < FILES_PATH_MAX / 2;
}

static const char *files_type(const char *path)
{
    static const struct {
        const char *suffix, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".mjs", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".json", "application/json"},
                 {".map", "application/json"},
                 {".svg", "image/svg+xml"},
                 {".png", "image/png"},
                 {".jpg", "image/jpeg"},
                 {".webp", "image/webp"},
                 {".ico", "image/x-icon"},
                 {".woff2", "font/woff2"},
                 {".txt", "text/plain; charset=utf-8"}};
    const char *suffix = strrchr(path, '.');
    for (uint32_t i = 0; suffix != NULL && i < EVS_COUNT(types); i++) {
        if (strcmp(types[i].suffix, suffix) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

static int files_send(struct evhttp_request *request, const char *path, int fd, const struct stat *stat_of,
                      struct evbuffer *body)
{
    char tag[64];
    snprintf(tag, sizeof tag, "\"%" PRIx64 "-%" PRIx64 "\"", (uint64_t)stat_of->st_mtime, (uint64_t)stat_of->st_size);
    files_header(request, "ETag", tag);
    files_header(request, "Cache-Control", "public, max-age=300");
    files_header(request, "X-Content-Type-Options", "nosniff");
    if (files_is_known(request, tag)) {
        close(fd);
        return 304;
    }
    files_header(request, "Content-Type", files_type(path));
    /* Read, not sent by reference: the guard's filter hands bytes on, and files of a site are small. */
    ev_off_t left = stat_of->st_size;
    for (int got = 1; left > 0 && got > 0; left -= got) {
        got = evbuffer_read(body, fd, (int)(left < FILES_READ_BYTES ? left : FILES_READ_BYTES));
    }
    close(fd);
    return 200;
}

int evs_files_find(struct evs_site *files, struct evhttp_request *request, const char *path, struct evbuffer *body)
{
    char full[2 * FILES_PATH_MAX];
    struct stat stat_of;
    if (files->folder == NULL || !evs_files_is_safe(path)) {
        return 404;
    }
    bool is_folder = path[strlen(path) - 1] == '/';
    int length = snprintf(full, sizeof full, "%s%s%s", files->folder, path, is_folder ? "index.html" : "");
    int fd = length < (int)sizeof full ? open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd >= 0 && (fstat(fd, &stat_of) != 0 || !S_ISREG(stat_of.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd >= 0 ? files_send(request, is_folder ? "index.html" : path, fd, &stat_of, body) : 404;
}
