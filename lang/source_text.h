/* The texts of pipeline files: loading them, and finding their lines again for diagnostics. */
#ifndef EVS_SOURCE_TEXT_H
#define EVS_SOURCE_TEXT_H

#include "evstream/memory.h"
#include "evstream/text.h"

#define EVS_SOURCE_BYTES_MAX (64u << 20)

struct evs_source_text {
    const char *file; /* as it is shown: the path as given, or joined to the importing file's folder */
    const char
        *identity; /* real path: the same file under two names is one; equal to `file` for texts that are no file */
    struct evs_slice text; /* a NUL follows */
    uint32_t *line_starts; /* byte offsets */
    uint32_t line_count;
    uint32_t index; /* order of loading */
};

struct evs_sources;
struct evs_sources *evs_sources_new(void);
void evs_sources_free(struct evs_sources *sources);

/* Reads a file ("-" is no file here). The same real file is read once: the second call gives the first text. */
evs_status evs_sources_load(struct evs_sources *sources, const char *path, const struct evs_source_text **text,
                            struct evs_error *error);
/* A text that is no file (tests, editors). Copies. */
const struct evs_source_text *evs_sources_add(struct evs_sources *sources, const char *name, struct evs_slice text);
/* By the `file` pointer or name of a place; NULL when unknown. */
const struct evs_source_text *evs_sources_find(const struct evs_sources *sources, const char *file);
/* Line `number` (from 1) without its end; empty beyond the last one. */
struct evs_slice evs_source_line(const struct evs_source_text *text, uint32_t number);

/* `path` as seen from the folder of `importing`; absolute paths stay. In `arena`. */
char *evs_source_resolve(struct evs_arena *arena, const char *importing, struct evs_slice path);

#endif
