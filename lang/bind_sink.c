/* Sinks: connector, format, and what is inserted into them. */
#include "bind.h"
#include "name_index.h"

#include <string.h>

/* --- declarations --------------------------------------------------------------------------------------------------------- */

static void report_connector(struct evs_binder *binder, const struct evs_ident *name, const struct evs_nearest *nearest)
{
    struct evs_diag *diag = evs_report(binder, EVS_E0209, name->place, "no connector `%s` for sinks", name->text.data);
    if (nearest->best.count > 0) {
        evs_diag_did_you_mean(diag, nearest);
        return;
    }
    struct evs_buffer all = {0};
    for (const struct evs_sink *const *at = binder->options->registry->sinks; *at != NULL; at++) {
        evs_buffer_printf(&all, "%s%s", all.count > 0 ? ", " : "", (*at)->kind);
    }
    evs_diag_hint(diag, "there are %.*s", (int)all.count, all.data);
    evs_buffer_fini(&all);
}

static const struct evs_sink *find_connector(const struct evs_binder *binder, struct evs_slice name,
                                             struct evs_nearest *nearest)
{
    for (const struct evs_sink *const *at = binder->options->registry->sinks; *at != NULL; at++) {
        if (evs_slice_equal_nocase(name, (*at)->kind)) {
            return *at;
        }
        evs_nearest_offer(nearest, evs_slice_of((*at)->kind));
    }
    return NULL;
}

static const struct evs_format *find_format(struct evs_binder *binder, const struct evs_ident *name)
{
    const struct evs_format *const *formats = binder->options->registry->formats;
    if (!evs_ident_given(name)) {
        return formats[0];
    }
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    for (uint32_t i = 0; formats[i] != NULL; i++) {
        if (evs_slice_equal_nocase(name->text, formats[i]->kind)) {
            return formats[i];
        }
        evs_nearest_offer(&nearest, evs_slice_of(formats[i]->kind));
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0210, name->place, "no format `%s` for sinks", name->text.data);
    evs_diag_did_you_mean(diag, &nearest);
    return NULL;
}

/* A connector that stores columns, not texts. */
static bool bind_own_format(struct evs_binder *binder, struct evs_bound_sink *sink, const struct evs_ast_connector *ast)
{
    sink->format = sink->connector->own_format;
    sink->format_place = sink->place;
    sink->format_values = NULL;
    if (!evs_ident_given(&ast->name)) {
        return true;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0210, ast->name.place,
                                       "rows reach %s column by column, in no format of a text", sink->connector->kind);
    evs_diag_hint(diag, "leave `format %.*s` out", (int)ast->name.text.count, ast->name.text.data);
    return false;
}

static bool bind_format(struct evs_binder *binder, struct evs_bound_sink *sink, const struct evs_ast_connector *ast)
{
    if (sink->connector != NULL && sink->connector->own_format != NULL && binder->options->sink_format == NULL) {
        return bind_own_format(binder, sink, ast);
    }
    sink->format = find_format(binder, &ast->name);
    if (sink->format == NULL) {
        return false;
    }
    bool is_given = evs_ident_given(&ast->name);
    sink->format_place = is_given ? ast->place : sink->place;
    struct evs_option_owner owner = {evs_arena_printf(binder->arena, "the format %s", sink->format->kind),
                                     is_given ? ast->name.place : sink->place};
    const struct evs_option *const tables[EVS_OPTION_TABLES] = {sink->format->options, NULL};
    const struct evs_option_value *values[EVS_OPTION_TABLES];
    bool is_right = evs_bind_options(binder, owner, ast->options, ast->option_count, tables, values);
    sink->format_values = values[0];
    if (is_right && binder->options->sink_format != NULL) {
        sink->format = binder->options->sink_format;
        sink->format_values = evs_option_defaults(binder, sink->format->options);
    }
    return is_right;
}

static void set_address(struct evs_bound_sink *sink, const struct evs_option_value *values)
{
    if (sink->connector->address_option != NULL) {
        const struct evs_option_value *value = evs_option_find(values, sink->connector->address_option);
        sink->address = value->is_set ? value->text : (struct evs_slice){NULL, 0};
    }
}

static bool configure(struct evs_binder *binder, struct evs_bound_sink *sink, const struct evs_option_value *values,
                      struct evs_place place)
{
    struct evs_error error;
    if (sink->connector->configure(values, binder->arena, &sink->config, &error) != EVS_OK) {
        evs_report_error(binder, EVS_E0504, place, &error);
        return false;
    }
    set_address(sink, values);
    sink->file = evs_bind_file(sink->connector->file_option, values);
    sink->label = evs_option_label(binder, sink->connector->kind, sink->connector->options, values);
    return true;
}

/* `delivery` of the sink, else of the pipeline. */
static bool set_delivery(struct evs_binder *binder, struct evs_bound_sink *sink, const struct evs_option_value *own,
                         struct evs_place place)
{
    const struct evs_option_value *value = own;
    bool is_own = own != NULL && own->is_set;
    if (!is_own) {
        value = evs_setting(binder, "delivery");
    }
    sink->delivery_is_set = value->is_set;
    sink->exact = value->integer == 0;
    sink->delivery_place = is_own ? place : sink->place;
    bool is_always = sink->connector->always_exact || sink->connector->through_outbox;
    if (is_own && !sink->exact && is_always) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0413, place, "rows reach %s only from a commit", sink->connector->kind);
        evs_diag_hint(diag, "delivery is always 'exact' here");
        return false;
    }
    return true;
}

static bool bind_declared(struct evs_binder *binder, struct evs_bound_sink *sink, const struct evs_ast_connector *ast)
{
    struct evs_nearest nearest = evs_nearest_begin(ast->name.text);
    sink->connector = find_connector(binder, ast->name.text, &nearest);
    if (sink->connector == NULL) {
        report_connector(binder, &ast->name, &nearest);
        return false;
    }
    struct evs_option_owner owner = {evs_arena_printf(binder->arena, "the connector %s", sink->connector->kind),
                                     ast->name.place};
    const struct evs_option *const tables[EVS_OPTION_TABLES] = {sink->connector->options, evs_sink_options};
    const struct evs_option_value *values[EVS_OPTION_TABLES];
    if (!evs_bind_options(binder, owner, ast->options, ast->option_count, tables, values)) {
        return false;
    }
    if (sink->connector->address_option != NULL) {
        sink->address_place = evs_option_place(ast, sink->connector->address_option);
    }
    return set_delivery(binder, sink, evs_option_find(values[1], "delivery"), evs_option_place(ast, "delivery")) &&
           configure(binder, sink, values[0], ast->place);
}

static bool bind_override(struct evs_binder *binder, struct evs_bound_sink *sink, const char *text)
{
    struct evs_slice name = {text, strcspn(text, ":")};
    struct evs_nearest nearest = evs_nearest_begin(name);
    sink->connector = find_connector(binder, name, &nearest);
    sink->is_replaced = true;
    sink->address_place = sink->place;
    const struct evs_option_value *values = NULL;
    if (sink->connector == NULL) {
        evs_fail(binder->usage_error, EVS_E_USAGE, "--sink %s: there is no connector `%.*s` for sinks.", sink->name,
                 (int)name.count, name.data);
    } else if (evs_bind_override(binder, evs_arena_printf(binder->arena, "--sink %s=%s", sink->name, text),
                                 text + name.count + 1, sink->connector->options, &values)) {
        return set_delivery(binder, sink, NULL, sink->place) && configure(binder, sink, values, sink->place);
    }
    binder->is_usage_error = true;
    return false;
}

static struct evs_bound_sink *new_sink(struct evs_binder *binder, struct evs_entity *entity)
{
    struct evs_bound_sink *sink = EVS_ARENA_NEW(binder->arena, struct evs_bound_sink);
    sink->name = entity->name;
    sink->place = evs_bind_place(binder, entity->place);
    sink->insert_end = &sink->inserts;
    entity->sink = sink;
    return sink;
}

struct evs_bound_sink *evs_bind_sink(struct evs_binder *binder, struct evs_entity *entity)
{
    EVS_ASSERT(entity->kind == EVS_ENTITY_SINK);
    if (entity->state != EVS_ENTITY_UNBOUND) {
        return entity->state == EVS_ENTITY_BOUND ? entity->sink : NULL;
    }
    struct evs_bound_sink *sink = new_sink(binder, entity);
    const struct evs_ast_sink *ast = &entity->statement->sink;
    const char *override = evs_bind_override_of(binder->options->sinks, binder->options->sink_count, sink->name);
    bool is_right =
        override != NULL ? bind_override(binder, sink, override) : bind_declared(binder, sink, &ast->connector);
    is_right = bind_format(binder, sink, &ast->format) && is_right;
    entity->state = is_right ? EVS_ENTITY_BOUND : EVS_ENTITY_BROKEN;
    return is_right ? sink : NULL;
}

/* --- inserts -------------------------------------------------------------------------------------------------------------- */

/* Every column has a name, and no two the same: the encoded row is an object. */
static bool check_names(struct evs_binder *binder, const struct evs_field *fields, uint32_t count,
                        struct evs_place place)
{
    struct evs_name_index names = {0};
    struct evs_diag *diag;
    bool is_right = true;
    for (uint32_t i = 0; i < count && is_right; i++) {
        if (fields[i].name[0] == '\0') {
            diag = evs_report(binder, EVS_E0213, place, "column %u has no name", i + 1);
            evs_diag_hint(diag, "name it in the select before: EXPRESSION as NAME");
            is_right = false;
        } else if (evs_name_index_find(&names, evs_slice_of(fields[i].name)) != EVS_NO_NAME) {
            diag = evs_report(binder, EVS_E0211, place, "two columns have the name `%s`", fields[i].name);
            evs_diag_hint(diag, "rename or drop one of them");
            is_right = false;
        } else {
            evs_name_index_set(&names, fields[i].name, i);
        }
    }
    evs_name_index_fini(&names);
    return is_right;
}

static bool same_fields(const struct evs_field *a, const struct evs_field *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(a[i].name, b[i].name) != 0 || !evs_type_equal(a[i].type, b[i].type)) {
            return false;
        }
    }
    return true;
}

static bool input_fits(struct evs_binder *binder, struct evs_rel_input first, const struct evs_field *fields,
                       uint32_t count)
{
    if (evs_rel_width(first) != count) {
        return false;
    }
    struct evs_field *expected = EVS_ARENA_ARRAY(binder->arena, struct evs_field, count + 1);
    evs_rel_fields(first, expected);
    return same_fields(expected, fields, count);
}

void evs_bind_insert(struct evs_binder *binder, struct evs_entity *entity, struct evs_rel_input input,
                     struct evs_place place)
{
    struct evs_bound_sink *sink = evs_bind_sink(binder, entity);
    uint32_t count = evs_rel_width(input);
    struct evs_field *fields = EVS_ARENA_ARRAY(binder->arena, struct evs_field, count + 1);
    evs_rel_fields(input, fields);
    if (!check_names(binder, fields, count, place) || sink == NULL) {
        return;
    }
    if (sink->inserts != NULL && !input_fits(binder, sink->inserts->input, fields, count)) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0408, place, "these rows have other columns than the rows that `%s` takes already",
                       sink->name);
        evs_report_note(binder, diag, sink->inserts->place, "the first rows come from here");
        return;
    }
    struct evs_insert *insert = EVS_ARENA_NEW(binder->arena, struct evs_insert);
    insert->input = input;
    insert->place = place;
    *sink->insert_end = insert;
    sink->insert_end = &insert->next;
}

void evs_bind_dead_rows(struct evs_binder *binder, struct evs_entity *entity, struct evs_place place)
{
    struct evs_bound_sink *sink = evs_bind_sink(binder, entity);
    if (sink != NULL && sink->dead_place.file == NULL) {
        sink->dead_place = place;
    }
}

/* --- printing ------------------------------------------------------------------------------------------------------------- */

static bool configure_print(struct evs_binder *binder, struct evs_bound_sink *sink)
{
    const struct evs_registry *registry = binder->options->registry;
    struct evs_nearest nearest = evs_nearest_begin(evs_slice_of(registry->print_connector));
    sink->connector = find_connector(binder, evs_slice_of(registry->print_connector), &nearest);
    EVS_ASSERT(sink->connector != NULL);
    const struct evs_option_value *values = NULL;
    bool is_right =
        evs_bind_override(binder, "standard output", registry->print_argument, sink->connector->options, &values);
    EVS_ASSERT(is_right);
    sink->format = registry->formats[0];
    sink->format_values = evs_option_defaults(binder, sink->format->options);
    sink->format_place = sink->place;
    return set_delivery(binder, sink, NULL, sink->place) && configure(binder, sink, values, sink->place);
}

/* Queries that print the same columns share a sink. */
static struct evs_entity *find_print_sink(struct evs_binder *binder, struct evs_rel_input input, uint32_t *printing)
{
    uint32_t count = evs_rel_width(input);
    struct evs_field *fields = EVS_ARENA_ARRAY(binder->arena, struct evs_field, count + 1);
    evs_rel_fields(input, fields);
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        struct evs_entity *entity = binder->entities[i];
        if (entity->kind != EVS_ENTITY_SINK || entity->statement != NULL || entity->state != EVS_ENTITY_BOUND) {
            continue;
        }
        (*printing)++;
        if (entity->sink->inserts == NULL || input_fits(binder, entity->sink->inserts->input, fields, count)) {
            return entity;
        }
    }
    return NULL;
}

struct evs_entity *evs_bind_print_sink(struct evs_binder *binder, struct evs_rel_input input, struct evs_place place)
{
    uint32_t printing = 0;
    struct evs_entity *entity = find_print_sink(binder, input, &printing);
    if (entity != NULL) {
        return entity;
    }
    const char *name = printing == 0 ? "stdout" : evs_arena_printf(binder->arena, "stdout_%u", printing + 1);
    entity = evs_entity_add(binder, EVS_ENTITY_SINK, name, place);
    entity->is_used = true;
    entity->state = configure_print(binder, new_sink(binder, entity)) ? EVS_ENTITY_BOUND : EVS_ENTITY_BROKEN;
    return entity;
}

/* --- relations ------------------------------------------------------------------------------------------------------------ */

static bool check_dead(struct evs_binder *binder, const struct evs_bound_sink *sink)
{
    if (sink->dead_place.file != NULL && sink->connector->is_asked) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0508, sink->place,
                       "`%s` cannot take dead letters: those that its receiver refuses would be lost", sink->name);
        evs_diag_hint(diag, "send them to a file or to nats");
        evs_report_note(binder, diag, sink->dead_place, "dead rows come from here");
        return false;
    }
    if (sink->dead_place.file == NULL || sink->inserts == NULL) {
        return true;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0408, sink->inserts->place,
                                       "`%s` takes dead rows, which have columns of their own", sink->name);
    evs_diag_hint(diag, "insert into another sink");
    evs_report_note(binder, diag, sink->dead_place, "dead rows come from here");
    return false;
}

static void make_sink_rel(struct evs_binder *binder, struct evs_bound_sink *sink)
{
    uint32_t count = 0;
    for (const struct evs_insert *insert = sink->inserts; insert != NULL; insert = insert->next) {
        count++;
    }
    struct evs_rel_input *inputs = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_input, count + 1);
    uint32_t at = 0;
    for (const struct evs_insert *insert = sink->inserts; insert != NULL; insert = insert->next) {
        inputs[at++] = insert->input;
    }
    evs_rel_sink(&binder->rels, sink, inputs, count, sink->place);
}

void evs_bind_sink_rels(struct evs_binder *binder)
{
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        struct evs_entity *entity = binder->entities[i];
        if (entity->kind != EVS_ENTITY_SINK || entity->state != EVS_ENTITY_BOUND) {
            continue;
        }
        if (check_dead(binder, entity->sink) && entity->sink->inserts != NULL) {
            make_sink_rel(binder, entity->sink);
        }
    }
}
