/* A script: the statements of a file and of what it imports.
 *
 * A file is read when its first import is met, and its statements come before those of the importing file. The files
 * that are being read form a chain from the root to here; an import of one of them closes a circle. */
#include "parser.h"

struct evs_script_file {
    const struct evs_source_text *text;
    const struct evs_script_file *importer; /* NULL for a root */
    bool is_complete;
    bool is_asked; /* by its name, and not by imports alone */
    struct evs_script_file *next;
};

struct load {
    struct evs_script *script;
    struct evs_sources *sources;
    struct evs_diagnostics *diagnostics;
};

#define IMPORT_DEPTH_MAX 100

void evs_script_init(struct evs_script *script)
{
    *script = (struct evs_script){0};
}

void evs_script_fini(struct evs_script *script)
{
    evs_arena_fini(&script->arena);
    evs_free(script->statements);
    *script = (struct evs_script){0};
}

static struct evs_script_file *find_file(const struct evs_script *script, const struct evs_source_text *text)
{
    for (struct evs_script_file *file = script->files; file != NULL; file = file->next) {
        if (file->text == text) {
            return file;
        }
    }
    return NULL;
}

static struct evs_script_file *add_file(struct evs_script *script, const struct evs_source_text *text,
                                        const struct evs_script_file *importer)
{
    EVS_ASSERT(find_file(script, text) == NULL);
    struct evs_script_file *file = EVS_ARENA_NEW(&script->arena, struct evs_script_file);
    file->text = text;
    file->importer = importer;
    file->next = script->files;
    script->files = file;
    return file;
}

static uint32_t depth_of(const struct evs_script_file *file)
{
    uint32_t depth = 0;
    for (; file != NULL; file = file->importer) {
        depth++;
    }
    return depth;
}

static void read_file(struct load *load, struct evs_script_file *file);

/* "a.evs, b.evs and back": the files of the circle, from the one that is imported again. */
static void report_cycle(struct load *load, const struct evs_ast_statement *import, const struct evs_script_file *first,
                         const struct evs_script_file *last)
{
    struct evs_diag *diag = evs_diag(load->diagnostics, EVS_E0122, import->place, "this import closes a circle");
    if (first == last) {
        evs_diag_hint(diag, "a file cannot import itself");
        return;
    }
    struct evs_buffer chain = {0};
    for (const struct evs_script_file *file = last; file != first; file = file->importer) {
        evs_buffer_printf(&chain, "%s`%s`", file == last ? "" : ", which is imported by ", file->text->file);
    }
    evs_buffer_put(&chain, "", 1);
    evs_diag_hint(diag, "`%s` imports %s", first->text->file, chain.data);
    evs_buffer_fini(&chain);
}

static void follow_import(struct load *load, struct evs_script_file *importer, const struct evs_ast_statement *import)
{
    const struct evs_source_text *text = NULL;
    struct evs_error error = {0};
    char *path = evs_source_resolve(&load->script->arena, importer->text->file, evs_str_slice(&import->path));
    if (depth_of(importer) >= IMPORT_DEPTH_MAX) {
        evs_diag(load->diagnostics, EVS_E0117, import->place, "imports are nested more than %d files deep",
                 IMPORT_DEPTH_MAX);
        return;
    }
    if (evs_sources_load(load->sources, path, &text, &error) != EVS_OK) {
        evs_diag_hint(evs_diag(load->diagnostics, EVS_E0121, import->place, "cannot import `%s`", path), "%s",
                      error.text);
        return;
    }
    struct evs_script_file *known = find_file(load->script, text);
    if (known == NULL) {
        read_file(load, add_file(load->script, text, importer));
    } else if (!known->is_complete) {
        report_cycle(load, import, known, importer);
    }
}

static void append(struct evs_script *script, const struct evs_ast_statement *statement)
{
    EVS_GROW(script->statements, script->count, script->capacity);
    script->statements[script->count++] = statement;
}

/* Parses a file, then puts what it imports in front of what it says. */
static void read_file(struct load *load, struct evs_script_file *file)
{
    struct evs_script *script = load->script;
    uint32_t before = script->count;
    EVS_ASSERT(!file->is_complete);
    evs_parse(script, file->text, load->diagnostics);
    uint32_t count = script->count - before;
    const struct evs_ast_statement **own = EVS_ARENA_ARRAY(&script->arena, const struct evs_ast_statement *, count + 1);
    if (count > 0) {
        memcpy(own, script->statements + before, sizeof(*own) * count);
    }
    script->count = before;
    for (uint32_t i = 0; i < count; i++) {
        if (own[i]->kind == EVS_STATEMENT_IMPORT && !own[i]->is_broken) {
            follow_import(load, file, own[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        append(script, own[i]);
    }
    file->is_complete = true;
}

evs_status evs_script_load(struct evs_script *script, struct evs_sources *sources, const char *path,
                           struct evs_diagnostics *diagnostics, struct evs_error *error)
{
    const struct evs_source_text *text = NULL;
    evs_status status = evs_sources_load(sources, path, &text, error);
    if (status != EVS_OK) {
        return status;
    }
    uint32_t errors_before = evs_diagnostics_errors(diagnostics);
    struct evs_script_file *file = find_file(script, text);
    if (file == NULL) {
        struct load load = {script, sources, diagnostics};
        file = add_file(script, text, NULL);
        read_file(&load, file);
    }
    file->is_asked = true;
    return evs_diagnostics_errors(diagnostics) > errors_before ? EVS_E_PIPELINE : EVS_OK;
}

bool evs_script_only_imports(const struct evs_script *script, const char *file)
{
    for (const struct evs_script_file *known = script->files; known != NULL; known = known->next) {
        if (known->text->file == file) {
            return !known->is_asked;
        }
    }
    return false;
}
