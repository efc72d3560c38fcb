/* Texts of pipeline files. A few files a run: lists are searched from the front. */
#include "source_text.h"

#include <stdlib.h>

#include "evstream/os.h"

struct evs_sources {
    struct evs_source_text **texts;
    uint32_t count, capacity;
};

struct evs_sources *evs_sources_new(void)
{
    return evs_alloc_zero(sizeof(struct evs_sources));
}

static void free_text(struct evs_source_text *text)
{
    evs_free((void *)text->file);
    evs_free((void *)text->identity);
    evs_free((void *)text->text.data);
    evs_free(text->line_starts);
    evs_free(text);
}

void evs_sources_free(struct evs_sources *sources)
{
    if (sources == NULL) {
        return;
    }
    for (uint32_t i = 0; i < sources->count; i++) {
        free_text(sources->texts[i]);
    }
    evs_free(sources->texts);
    evs_free(sources);
}

static void find_lines(struct evs_source_text *text)
{
    uint32_t capacity = 0;
    for (uint32_t at = 0;;) {
        EVS_GROW(text->line_starts, text->line_count, capacity);
        text->line_starts[text->line_count++] = at;
        const char *end = memchr(text->text.data + at, '\n', text->text.count - at);
        if (end == NULL) {
            return;
        }
        at = (uint32_t)(end - text->text.data) + 1;
    }
}

/* Takes `data`, which ends with a NUL behind `count` bytes, and `identity`. */
static const struct evs_source_text *add(struct evs_sources *sources, const char *file, char *identity, char *data,
                                         size_t count)
{
    EVS_ASSERT(count <= EVS_SOURCE_BYTES_MAX);
    EVS_ASSERT(data[count] == '\0');
    EVS_ASSERT(identity != NULL);
    struct evs_source_text *text = evs_alloc_zero(sizeof *text);
    text->file = evs_strdup(file);
    text->identity = identity;
    text->text = (struct evs_slice){data, count};
    text->index = sources->count;
    find_lines(text);
    EVS_GROW(sources->texts, sources->count, sources->capacity);
    sources->texts[sources->count++] = text;
    return text;
}

const struct evs_source_text *evs_sources_add(struct evs_sources *sources, const char *name, struct evs_slice text)
{
    return add(sources, name, evs_strdup(name), evs_strndup(text.data, text.count), text.count);
}

static const struct evs_source_text *find_identity(const struct evs_sources *sources, const char *identity)
{
    for (uint32_t i = 0; i < sources->count; i++) {
        if (strcmp(sources->texts[i]->identity, identity) == 0) {
            return sources->texts[i];
        }
    }
    return NULL;
}

const struct evs_source_text *evs_sources_find(const struct evs_sources *sources, const char *file)
{
    for (uint32_t i = 0; file != NULL && i < sources->count; i++) {
        if (sources->texts[i]->file == file || strcmp(sources->texts[i]->file, file) == 0) {
            return sources->texts[i];
        }
    }
    return NULL;
}

/* Reads an open file to its end. */
static evs_status read_all(const struct evs_files *files, struct evs_file *file, const char *path,
                           struct evs_buffer *data, struct evs_error *error)
{
    for (;;) {
        size_t got = 0;
        evs_buffer_reserve(data, 64u << 10);
        evs_status status = files->read(file, data->data + data->count, data->capacity - data->count - 1, &got, error);
        if (status != EVS_OK || got == 0) {
            return status;
        }
        data->count += got;
        if (data->count > EVS_SOURCE_BYTES_MAX) {
            return evs_fail(error, EVS_E_LIMIT, "The pipeline file %s is larger than %u MiB.", path,
                            EVS_SOURCE_BYTES_MAX >> 20);
        }
    }
}

static evs_status read_file(const char *path, struct evs_buffer *data, struct evs_error *error)
{
    const struct evs_files *files = &evs_os_system()->files;
    struct evs_file *file = NULL;
    evs_status status = files->open(files->self, path, EVS_FILE_READ, &file, error);
    if (status != EVS_OK) {
        return status;
    }
    status = read_all(files, file, path, data, error);
    files->close(file);
    return status;
}

/* The path without links and dots, so that a file is known again; the path itself when there is no such file. */
static char *identity_of(const char *path)
{
    char *real = realpath(path, NULL);
    char *identity = evs_strdup(real != NULL ? real : path);
    free(real); /* realpath allocates with libc's malloc */
    return identity;
}

evs_status evs_sources_load(struct evs_sources *sources, const char *path, const struct evs_source_text **text,
                            struct evs_error *error)
{
    char *identity = identity_of(path);
    *text = find_identity(sources, identity);
    if (*text != NULL) {
        evs_free(identity);
        return EVS_OK;
    }
    struct evs_buffer data = {0};
    evs_status status = read_file(path, &data, error);
    if (status != EVS_OK) {
        evs_free(identity);
        evs_buffer_fini(&data);
        return status;
    }
    evs_buffer_reserve(&data, 1);
    data.data[data.count] = '\0';
    *text = add(sources, path, identity, data.data, data.count);
    return EVS_OK;
}

struct evs_slice evs_source_line(const struct evs_source_text *text, uint32_t number)
{
    if (number == 0 || number > text->line_count) {
        return (struct evs_slice){"", 0};
    }
    uint32_t start = text->line_starts[number - 1];
    size_t end = number < text->line_count ? text->line_starts[number] - 1 : text->text.count;
    if (end > start && text->text.data[end - 1] == '\r') {
        end--;
    }
    return (struct evs_slice){text->text.data + start, end - start};
}

char *evs_source_resolve(struct evs_arena *arena, const char *importing, struct evs_slice path)
{
    const char *slash = strrchr(importing, '/');
    while (path.count > 2 && memcmp(path.data, "./", 2) == 0) {
        path = (struct evs_slice){path.data + 2, path.count - 2};
    }
    if (slash == NULL || (path.count > 0 && path.data[0] == '/')) {
        return evs_arena_strndup(arena, path.data, path.count);
    }
    return evs_arena_printf(arena, "%.*s/%.*s", (int)(slash - importing), importing, (int)path.count, path.data);
}
