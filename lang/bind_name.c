/* Declared names. Sources, tables, streams and sinks share one space of names, parameters have another; both are case-insensitive. */
#include "bind.h"

#include <string.h>

/* --- texts and places in the plan --------------------------------------------------------------------------------------- */

const char *evs_bind_text(struct evs_binder *binder, struct evs_slice text)
{
    return evs_arena_strndup(binder->arena, text.data, text.count);
}

/* A plan outlives the texts of its files. All places of a file share one copy of its name. */
struct evs_place evs_bind_place(struct evs_binder *binder, struct evs_place place)
{
    if (place.file == NULL) {
        return place;
    }
    for (uint32_t i = 0; i < binder->file_count; i++) {
        if (binder->files[i].original == place.file || binder->files[i].copy == place.file) {
            place.file = binder->files[i].copy;
            return place;
        }
    }
    EVS_GROW(binder->files, binder->file_count, binder->file_capacity);
    struct evs_file_name *name = &binder->files[binder->file_count++];
    name->original = place.file;
    name->copy = evs_bind_text(binder, evs_slice_of(place.file));
    place.file = name->copy;
    return place;
}

bool evs_name_equal(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

/* --- entities ----------------------------------------------------------------------------------------------------------- */

static const char *kind_word(enum evs_entity_kind kind)
{
    static const char *const words[] = {
        [EVS_ENTITY_SOURCE] = "source", [EVS_ENTITY_TABLE] = "table",     [EVS_ENTITY_STREAM] = "stream",
        [EVS_ENTITY_SINK] = "sink",     [EVS_ENTITY_PARAM] = "parameter",
    };
    return words[kind];
}

struct evs_entity *evs_entity_find(const struct evs_binder *binder, bool is_param, struct evs_slice name)
{
    uint32_t number = evs_name_index_find(is_param ? &binder->param_names : &binder->entity_names, name);
    return number != EVS_NO_NAME ? binder->entities[number] : NULL;
}

struct evs_entity *evs_entity_add(struct evs_binder *binder, enum evs_entity_kind kind, const char *name,
                                  struct evs_place place)
{
    struct evs_entity *entity = EVS_ARENA_NEW(binder->arena, struct evs_entity);
    entity->kind = kind;
    entity->name = name;
    entity->place = place;
    EVS_GROW(binder->entities, binder->entity_count, binder->entity_capacity);
    bool is_param = kind == EVS_ENTITY_PARAM;
    EVS_ASSERT(evs_entity_find(binder, is_param, evs_slice_of(name)) ==
               NULL); /* the first one would be found no more */
    evs_name_index_set(is_param ? &binder->param_names : &binder->entity_names, name, binder->entity_count);
    binder->entities[binder->entity_count++] = entity;
    return entity;
}

static bool declared_kind(enum evs_statement_kind statement, enum evs_entity_kind *kind)
{
    switch (statement) {
    case EVS_STATEMENT_SOURCE:
        *kind = EVS_ENTITY_SOURCE;
        return true;
    case EVS_STATEMENT_TABLE:
        *kind = EVS_ENTITY_TABLE;
        return true;
    case EVS_STATEMENT_STREAM:
        *kind = EVS_ENTITY_STREAM;
        return true;
    case EVS_STATEMENT_SINK:
        *kind = EVS_ENTITY_SINK;
        return true;
    case EVS_STATEMENT_PARAM:
        *kind = EVS_ENTITY_PARAM;
        return true;
    default:
        return false;
    }
}

static void declare(struct evs_binder *binder, const struct evs_ast_statement *statement, enum evs_entity_kind kind)
{
    const struct evs_ident *name = &statement->name;
    const struct evs_entity *first = evs_entity_find(binder, kind == EVS_ENTITY_PARAM, name->text);
    if (first != NULL) {
        struct evs_diag *diag = evs_report(binder, EVS_E0205, name->place, "the name `%s` is taken by a %s",
                                           name->text.data, kind_word(first->kind));
        evs_diag_hint(diag, "choose another name");
        evs_report_note(binder, diag, first->place, "first declared here");
        return;
    }
    struct evs_entity *entity = evs_entity_add(binder, kind, evs_bind_text(binder, name->text), name->place);
    entity->statement = statement;
    if (statement->is_broken) {
        entity->state = EVS_ENTITY_BROKEN;
    }
}

void evs_bind_declare(struct evs_binder *binder)
{
    for (uint32_t i = 0; i < binder->script->count; i++) {
        const struct evs_ast_statement *statement = binder->script->statements[i];
        enum evs_entity_kind kind;
        if (declared_kind(statement->kind, &kind) && evs_ident_given(&statement->name)) {
            declare(binder, statement, kind);
        }
    }
}

void evs_entity_offer(const struct evs_binder *binder, uint32_t kinds, struct evs_nearest *nearest)
{
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        const struct evs_entity *entity = binder->entities[i];
        if (kinds & (1u << entity->kind)) {
            evs_nearest_offer(nearest, evs_slice_of(entity->name));
        }
    }
}

struct evs_entity *evs_bind_sink_name(struct evs_binder *binder, const struct evs_ident *name)
{
    struct evs_entity *entity = evs_entity_find(binder, false, name->text);
    if (entity != NULL) {
        evs_observe_entity(binder, name->place, entity);
    }
    if (entity != NULL && entity->kind == EVS_ENTITY_SINK) {
        entity->is_used = true;
        return entity;
    }
    if (entity != NULL) {
        entity->is_used = true;
        struct evs_diag *diag = evs_report(binder, EVS_E0202, name->place, "`%s` is a %s, and rows go into sinks only",
                                           entity->name, kind_word(entity->kind));
        evs_report_note(binder, diag, entity->place, "declared here");
        return NULL;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0202, name->place, "no sink `%s`", name->text.data);
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    evs_entity_offer(binder, 1u << EVS_ENTITY_SINK, &nearest);
    if (nearest.best.count > 0) {
        evs_diag_did_you_mean(diag, &nearest);
    } else {
        evs_diag_hint(diag, "declare it: create sink %s to …;", name->text.data);
    }
    return NULL;
}

void evs_bind_warn_unused(struct evs_binder *binder)
{
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        const struct evs_entity *entity = binder->entities[i];
        if (entity->statement != NULL && !entity->is_used && entity->state != EVS_ENTITY_BROKEN &&
            !evs_script_only_imports(binder->script, entity->place.file)) { /* what several files share */
            evs_report(binder, EVS_W0003, entity->place, "the %s `%s` is not used", kind_word(entity->kind),
                       entity->name);
        }
    }
}

/* --- overrides ------------------------------------------------------------------------------------------------------------ */

const char *evs_bind_override_of(const char *const *overrides, uint32_t count, const char *name)
{
    size_t length = strlen(name);
    for (uint32_t i = count; i-- > 0;) { /* the last one counts */
        if (strncasecmp(overrides[i], name, length) == 0 && overrides[i][length] == '=') {
            return overrides[i] + length + 1;
        }
    }
    return NULL;
}

static bool check_override(struct evs_binder *binder, const char *option, enum evs_entity_kind kind, const char *text)
{
    struct evs_slice name = {text, strcspn(text, "=")};
    const char *value = text + name.count + 1;
    if (text[name.count] != '=' || strchr(value, ':') == NULL) {
        evs_fail(binder->usage_error, EVS_E_USAGE,
                 "%s takes NAME=CONNECTOR:ARGUMENT, such as %s clicks=file:events.ndjson, not `%s`.", option, option,
                 text);
        return false;
    }
    const struct evs_entity *entity = evs_entity_find(binder, false, name);
    if (entity != NULL && entity->kind == kind) {
        return true;
    }
    struct evs_nearest nearest = evs_nearest_begin(name);
    evs_entity_offer(binder, 1u << kind, &nearest);
    bool is_near = nearest.best.count > 0;
    evs_fail(binder->usage_error, EVS_E_USAGE, "%s: the pipeline has no %s `%.*s`%s%.*s%s", option, kind_word(kind),
             (int)name.count, name.data, is_near ? "; did you mean `" : ".", (int)nearest.best.count,
             is_near ? nearest.best.data : "", is_near ? "`?" : "");
    return false;
}

bool evs_bind_check_overrides(struct evs_binder *binder)
{
    const struct evs_compile_options *options = binder->options;
    for (uint32_t i = 0; i < options->source_count; i++) {
        if (!check_override(binder, "--source", EVS_ENTITY_SOURCE, options->sources[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < options->sink_count; i++) {
        if (!check_override(binder, "--sink", EVS_ENTITY_SINK, options->sinks[i])) {
            return false;
        }
    }
    return true;
}
