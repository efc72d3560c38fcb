/* From text to the syntax tree. */
#ifndef EVS_PARSER_H
#define EVS_PARSER_H

#include "ast.h"
#include "diag.h"
#include "source_text.h"

/* What a token is, by the byte at which it begins: for the formatter and for editors. Words without a mark are keywords. */
enum evs_mark {
    EVS_MARK_NAME = 1,     /* a name of the user's, or one of those below */
    EVS_MARK_FUNCTION = 2, /* part of a function's name */
    EVS_MARK_TYPE = 4,     /* the name of a type or unit */
    EVS_MARK_TIGHT = 8,    /* written without a blank before it: the parenthesis of a call, a quantifier, the < of a type */
    EVS_MARK_PREFIX = 16,  /* written without a blank behind it: a sign before its operand */
    EVS_MARK_STEP = 32,    /* begins a step of a sequence */
    EVS_MARK_FILTER = 64,  /* the word of `filter (where …)` */
};
/* Of one text: `of` has a byte for each of its bytes. */
struct evs_marks {
    uint8_t *of;
    size_t count;
};

/* Everything that the given files and their imports say, imported files before the file that imports them. */
struct evs_script {
    struct evs_arena arena; /* every node */
    const struct evs_ast_statement **statements;
    uint32_t count;
    /* Set before parsing: what the grammar has and no pipeline may (union distinct) is no error, and its nodes are complete (formatter,
     * tests of the grammar). */
    bool accept_all;

    /* Set before parsing: where to write what the tokens are; NULL: nowhere. */
    struct evs_marks *marks;

    /* private to the parser */
    uint32_t capacity;
    struct evs_script_file *files; /* read so far */
};

void evs_script_init(struct evs_script *script);
void evs_script_fini(struct evs_script *script);

/* Reads a file and, recursively, what it imports, and appends its statements. A file that the script has already is
 * not read again. What is wrong is in `diagnostics`, and the status is EVS_E_PIPELINE if there was any error; a file
 * that cannot be read is EVS_E_IO (with `error`) when it is `path` itself. The script is usable in either case. */
evs_status evs_script_load(struct evs_script *script, struct evs_sources *sources, const char *path,
                           struct evs_diagnostics *diagnostics, struct evs_error *error) EVS_MUST_CHECK;

/* Whether the file of a place is there because others import it, and was not asked for itself. */
bool evs_script_only_imports(const struct evs_script *script, const char *file);

/* Parses one text without following imports. The tree borrows nothing from the text but `place.file`. */
void evs_parse(struct evs_script *script, const struct evs_source_text *text, struct evs_diagnostics *diagnostics);

/* One expression alone, up to the end of the text (tests, option values, editors). Never NULL. */
const struct evs_ast_expr *evs_parse_expr(struct evs_script *script, const struct evs_source_text *text,
                                          struct evs_diagnostics *diagnostics);

#endif
