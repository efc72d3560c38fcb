#include "schema_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "type_name.h"

#define SCHEMA_BYTES_MAX (64u << 10)

struct reading {
    struct evs_arena *arena;
    struct evs_error *error;
    struct evs_event_schema *schemas; /* on the heap until all are there */
    uint32_t count, capacity;
};

static evs_status cannot_read(struct reading *reading, const char *path)
{
    return evs_fail(reading->error, EVS_E_IO, "The schemas in %s cannot be read: %s.", path, strerror(errno));
}

static evs_status read_text(struct reading *reading, const char *path, struct evs_slice *text)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return cannot_read(reading, path);
    }
    char *bytes = evs_arena_alloc(reading->arena, SCHEMA_BYTES_MAX, 1);
    size_t count = fread(bytes, 1, SCHEMA_BYTES_MAX, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed || count == SCHEMA_BYTES_MAX) {
        return evs_fail(reading->error, EVS_E_USAGE, "The schema %s %s.", path,
                        failed ? "cannot be read" : "is longer than 64 KiB");
    }
    *text = (struct evs_slice){bytes, count};
    return EVS_OK;
}

/* "<major>.json" */
static bool read_major(const char *name, uint32_t *major)
{
    size_t digits = strspn(name, "0123456789");
    *major = 0;
    for (size_t i = 0; i < digits && i < 9; i++) {
        *major = *major * 10 + (uint32_t)(name[i] - '0');
    }
    return digits > 0 && digits <= 9 && strcmp(name + digits, ".json") == 0;
}

static evs_status read_one(struct reading *reading, const char *folder, const char *type, const char *name)
{
    struct evs_event_schema schema = {.type = evs_arena_strndup(reading->arena, type, strlen(type))};
    const char *path = evs_arena_printf(reading->arena, "%s/%s", folder, name);
    if (!read_major(name, &schema.major)) {
        return evs_fail(reading->error, EVS_E_USAGE, "%s is no schema: it should be called like %s/1.json.", path,
                        type);
    }
    evs_status status = read_text(reading, path, &schema.text);
    if (status == EVS_OK) {
        EVS_GROW(reading->schemas, reading->count, reading->capacity);
        reading->schemas[reading->count++] = schema;
    }
    return status;
}

/* The entries of a folder that are not hidden. */
static evs_status each(struct reading *reading, const char *folder, const char *type,
                       evs_status (*visit)(struct reading *, const char *folder, const char *type, const char *name))
{
    DIR *entries = opendir(folder);
    evs_status status = EVS_OK;
    if (entries == NULL) {
        return cannot_read(reading, folder);
    }
    for (struct dirent *entry; status == EVS_OK && (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] != '.') {
            status = visit(reading, folder, type, entry->d_name);
        }
    }
    closedir(entries);
    return status;
}

static evs_status read_type(struct reading *reading, const char *folder, const char *type, const char *name)
{
    const char *path = evs_arena_printf(reading->arena, "%s/%s", folder, name);
    struct evs_slice given = evs_slice_of(name);
    (void)type;
    if (!evs_slice_equal(evs_snake_name(reading->arena, given), given)) {
        return evs_fail(reading->error, EVS_E_USAGE,
                        "%s is the folder of no type: types are written in small letters, as %.*s.", path,
                        (int)evs_snake_name(reading->arena, given).count, evs_snake_name(reading->arena, given).data);
    }
    return each(reading, path, name, read_one);
}

evs_status evs_schema_folder_read(const char *folder, struct evs_arena *arena, const struct evs_event_schema **schemas,
                                  uint32_t *count, struct evs_error *error)
{
    struct reading reading = {.arena = arena, .error = error};
    evs_status status = each(&reading, folder, NULL, read_type);
    struct evs_event_schema *all = EVS_ARENA_ARRAY(arena, struct evs_event_schema, reading.count);
    for (uint32_t i = 0; i < reading.count; i++) {
        all[i] = reading.schemas[i];
    }
    evs_free(reading.schemas);
    *schemas = all;
    *count = reading.count;
    return status;
}
