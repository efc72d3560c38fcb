/* What the binder has seen, for editors: which name means what, and which names could stand at the cursor.
 *
 * An index is filled while a file is compiled (evs_compile_options.index). A plan tells nothing of the kind, for it must not depend on how the
 * text is spelled; and an editor that resolved names by itself would be a second binder that knows less than the first.
 *
 * A column has no identity in the binder beyond the pointer of its name: it is made once, where the column is declared, and handed on by every
 * operator that passes the column. So the index keeps the place of each name by that pointer. A name whose pointer it does not know (a column
 * that a window makes) is declared nowhere.
 *
 * Everything in it lives in its own arena, but the files' names, which are those of the texts (evs_source_text.file). */
#ifndef EVS_OBSERVE_H
#define EVS_OBSERVE_H

#include "ast.h"
#include "evstream/memory.h"

enum evs_symbol {
    EVS_SYMBOL_SOURCE,
    EVS_SYMBOL_TABLE,
    EVS_SYMBOL_STREAM,
    EVS_SYMBOL_SINK,
    EVS_SYMBOL_PARAM,
    EVS_SYMBOL_COLUMN,
    EVS_SYMBOL_ROW, /* a range variable, a step of a sequence */
};

/* One name in the text. */
struct evs_sighting {
    struct evs_place place;    /* the name */
    struct evs_place declared; /* a file of NULL: in no text; equal to `place` for the declaration itself */
    enum evs_symbol symbol;
    bool nullable;
    const char *name, *type; /* type: of a column or parameter; NULL where it is not known */
};

/* A column that could be written at the cursor. */
struct evs_seen_column {
    const char *name, *row; /* row: the range variable that it is a column of; NULL: written alone */
    const char *type;
    bool nullable, is_system;
};

struct evs_declared_name;

struct evs_index {
    /* The cursor, given before compiling: names that are visible there are kept. NULL: nobody asks. `floor`: where the cursor's statement begins. */
    const char *cursor_file;
    uint32_t cursor_offset, floor;

    struct evs_arena arena;
    struct evs_sighting *sightings; /* in the order of binding; what is bound twice is there twice */
    uint32_t count, capacity;
    struct evs_seen_column *columns; /* at the cursor */
    uint32_t column_count, column_capacity;
    uint32_t seen_offset;               /* of what was bound nearest before the cursor */
    bool is_exact;                      /* the columns are those of the expression at the cursor itself */
    struct evs_declared_name *declared; /* open addressing */
    uint32_t declared_count, declared_capacity;
};
void evs_index_fini(struct evs_index *index);

/* --- called by the binder; without an index they do nothing ----------------------------------------------------------- */

struct evs_binder;
struct evs_context;
struct evs_entity;
struct evs_scope;
struct evs_scope_column;

/* `name`, by its pointer, is declared at `place`. */
void evs_observe_name(struct evs_binder *binder, const char *name, struct evs_place place);
/* The declaration of a column; `type` may be NULL. */
void evs_observe_declaration(struct evs_binder *binder, const char *name, struct evs_place place,
                             const struct evs_type *type, bool nullable);
void evs_observe_entity(struct evs_binder *binder, struct evs_place place, const struct evs_entity *entity);
void evs_observe_column(struct evs_binder *binder, struct evs_place place, const char *name,
                        const struct evs_expr *expr);
void evs_observe_row(struct evs_binder *binder, struct evs_place place, const char *name, struct evs_place declared);
/* An operator is about to be bound over these rows. */
void evs_observe_pipe(struct evs_binder *binder, const struct evs_scope *scope, const struct evs_ast_pipe *pipe);
/* A path is about to be bound. */
void evs_observe_path(struct evs_binder *binder, const struct evs_context *context, const struct evs_ast_expr *path);

#endif
