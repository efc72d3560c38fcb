#include "observe.h"

#include "bind_measure.h"

struct evs_declared_name {
    const char *name; /* the pointer counts, not the text; NULL: free */
    struct evs_place place;
};

void evs_index_fini(struct evs_index *index)
{
    evs_arena_fini(&index->arena);
    evs_free(index->sightings);
    evs_free(index->columns);
    evs_free(index->declared);
    *index = (struct evs_index){0};
}

/* --- declared names, by pointer ------------------------------------------------------------------------------------------- */

static struct evs_declared_name *slot_of(const struct evs_index *index, const char *name)
{
    EVS_ASSERT(index->declared_capacity > 0 && index->declared_count < index->declared_capacity);
    uint32_t mask = index->declared_capacity - 1;
    uint32_t at = (uint32_t)evs_hash64(&name, sizeof name) & mask;
    while (index->declared[at].name != NULL && index->declared[at].name != name) {
        at = (at + 1) & mask;
    }
    return &index->declared[at];
}

static void grow_declared(struct evs_index *index)
{
    struct evs_declared_name *old = index->declared;
    uint32_t count = index->declared_capacity;
    index->declared_capacity = count > 0 ? count * 2 : 256;
    index->declared = evs_alloc_zero(sizeof *index->declared * index->declared_capacity);
    for (uint32_t i = 0; i < count; i++) {
        if (old[i].name != NULL) {
            *slot_of(index, old[i].name) = old[i];
        }
    }
    evs_free(old);
}

static struct evs_place declared_at(const struct evs_index *index, const char *name)
{
    return index->declared_capacity > 0 ? slot_of(index, name)->place : (struct evs_place){0};
}

void evs_observe_name(struct evs_binder *binder, const char *name, struct evs_place place)
{
    struct evs_index *index = binder->options->index;
    if (index == NULL || name == NULL) {
        return;
    }
    if (index->declared_count * 2 >= index->declared_capacity) {
        grow_declared(index);
    }
    struct evs_declared_name *slot = slot_of(index, name);
    index->declared_count += slot->name == NULL;
    *slot = (struct evs_declared_name){name, place};
}

/* --- sightings ------------------------------------------------------------------------------------------------------------ */

static void add(struct evs_index *index, struct evs_sighting sighting)
{
    EVS_ASSERT(sighting.name != NULL);
    sighting.name = evs_arena_strndup(&index->arena, sighting.name, strlen(sighting.name));
    EVS_GROW(index->sightings, index->count, index->capacity);
    index->sightings[index->count++] = sighting;
}

static const char *type_text(struct evs_index *index, const struct evs_type *type)
{
    return type != NULL && type->kind != EVS_NULL_KIND ? evs_type_name_in(&index->arena, type) : NULL;
}

void evs_observe_declaration(struct evs_binder *binder, const char *name, struct evs_place place,
                             const struct evs_type *type, bool nullable)
{
    struct evs_index *index = binder->options->index;
    if (index == NULL || name == NULL) {
        return;
    }
    evs_observe_name(binder, name, place);
    add(index, (struct evs_sighting){place, place, EVS_SYMBOL_COLUMN, nullable, name, type_text(index, type)});
}

static enum evs_symbol symbol_of(enum evs_entity_kind kind)
{
    static const enum evs_symbol symbols[] = {
        [EVS_ENTITY_SOURCE] = EVS_SYMBOL_SOURCE, [EVS_ENTITY_TABLE] = EVS_SYMBOL_TABLE,
        [EVS_ENTITY_STREAM] = EVS_SYMBOL_STREAM, [EVS_ENTITY_SINK] = EVS_SYMBOL_SINK,
        [EVS_ENTITY_PARAM] = EVS_SYMBOL_PARAM,
    };
    return symbols[kind];
}

void evs_observe_entity(struct evs_binder *binder, struct evs_place place, const struct evs_entity *entity)
{
    struct evs_index *index = binder->options->index;
    if (index != NULL) {
        add(index, (struct evs_sighting){place, entity->place, symbol_of(entity->kind), false, entity->name,
                                         type_text(index, entity->type)});
    }
}

void evs_observe_column(struct evs_binder *binder, struct evs_place place, const char *name,
                        const struct evs_expr *expr)
{
    struct evs_index *index = binder->options->index;
    if (index != NULL && name != NULL) {
        add(index,
            (struct evs_sighting){place, declared_at(index, name), EVS_SYMBOL_COLUMN, expr == NULL || expr->nullable,
                                  name, type_text(index, expr != NULL ? expr->type : NULL)});
    }
}

void evs_observe_row(struct evs_binder *binder, struct evs_place place, const char *name, struct evs_place declared)
{
    struct evs_index *index = binder->options->index;
    if (index != NULL && name != NULL) {
        declared = declared.file != NULL ? declared : declared_at(index, name);
        add(index, (struct evs_sighting){place, declared, EVS_SYMBOL_ROW, false, name, NULL});
    }
}

/* --- what is visible at the cursor ---------------------------------------------------------------------------------------- */

static void see_columns(struct evs_index *index, const struct evs_columns *columns, const char *row, bool is_system)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct evs_scope_column *column = &columns->items[i];
        if (column->name == NULL || column->name[0] == '\0') {
            continue;
        }
        EVS_GROW(index->columns, index->column_count, index->column_capacity);
        index->columns[index->column_count++] = (struct evs_seen_column){
            .name = evs_arena_strndup(&index->arena, column->name, strlen(column->name)),
            .row = row != NULL ? evs_arena_strndup(&index->arena, row, strlen(row)) : NULL,
            .type = type_text(index, column->expr->type),
            .nullable = column->expr->nullable,
            .is_system = is_system,
        };
    }
}

static void see_scope(struct evs_index *index, const struct evs_scope *scope)
{
    index->column_count = 0;
    see_columns(index, &scope->columns, NULL, false);
    see_columns(index, &scope->system, NULL, true);
    for (uint32_t i = 0; i < scope->range_count; i++) {
        see_columns(index, &scope->ranges[i].columns, scope->ranges[i].name, false);
    }
}

static bool is_in_cursor_file(const struct evs_index *index, struct evs_place place)
{
    return index != NULL && index->cursor_file != NULL && place.file != NULL &&
           strcmp(index->cursor_file, place.file) == 0;
}

/* The operator nearest before the cursor tells, unless the expression at the cursor has told already. */
void evs_observe_pipe(struct evs_binder *binder, const struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_index *index = binder->options->index;
    uint32_t at = pipe->place.offset;
    if (!is_in_cursor_file(index, pipe->place) || index->is_exact || scope->is_broken || at > index->cursor_offset ||
        at < index->floor || at < index->seen_offset) {
        return;
    }
    index->seen_offset = at;
    see_scope(index, scope);
}

void evs_observe_path(struct evs_binder *binder, const struct evs_context *context, const struct evs_ast_expr *path)
{
    struct evs_index *index = binder->options->index;
    if (!is_in_cursor_file(index, path->place) || context->scope == NULL) {
        return;
    }
    bool is_at_cursor =
        path->place.offset <= index->cursor_offset && index->cursor_offset <= path->place.offset + path->place.count;
    if (!is_at_cursor) {
        return;
    }
    index->is_exact = true;
    see_scope(index, context->scope);
    const struct evs_match_scope *match = context->match;
    for (uint32_t i = 0; match != NULL && i < match->part_count; i++) {
        see_columns(index, &match->scope->columns, match->parts[i].name.text.data, false);
    }
}
