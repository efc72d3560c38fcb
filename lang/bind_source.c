/* Sources: columns, the watermark, the connector and its options. */
#include "bind.h"
#include "bind_path.h"

#include <string.h>

static const struct {
    const char *name;
    enum evs_kind kind;
    bool nullable;
} system_columns[EVS_SYSTEM_COLUMNS] = {
    [EVS_SYSTEM_SUBJECT] = {"_subject", EVS_STRING, true},
    [EVS_SYSTEM_SEQUENCE] = {"_sequence", EVS_INT64, false},
    [EVS_SYSTEM_INGESTED_AT] = {"_ingested_at", EVS_TIMESTAMP, false},
    [EVS_SYSTEM_HEADERS] = {"_headers", EVS_STRING, true},
    [EVS_SYSTEM_PARTITION] = {"_partition", EVS_INT64, false},
};

/* --- columns -------------------------------------------------------------------------------------------------------------- */

/* µs a unit; nanoseconds are told as -1000. */
static int64_t unit_us(struct evs_slice unit)
{
    if (evs_slice_equal_nocase(unit, "s")) {
        return 1000000;
    }
    if (evs_slice_equal_nocase(unit, "ms")) {
        return 1000;
    }
    return evs_slice_equal_nocase(unit, "us") ? 1 : -1000;
}

static bool bind_column_path(struct evs_binder *binder, const struct evs_ast_column *column,
                             struct evs_decode_column *decode)
{
    if (!column->has_path) {
        decode->path = EVS_ARENA_NEW(binder->arena, const char *);
        decode->path[0] = decode->name;
        decode->path_count = 1;
        return true;
    }
    const char *problem =
        evs_path_read(evs_str_slice(&column->path), binder->arena, &decode->path, &decode->path_count);
    if (problem != NULL) {
        evs_report(binder, EVS_E0506, column->path_place, "%s", problem);
        return false;
    }
    if (decode->path_count == 0 && decode->kind != EVS_JSON) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0506, column->path_place, "the path '$' is the whole event, which is json");
        evs_diag_hint(diag, "declare the column as json");
        return false;
    }
    return true;
}

static bool bind_column_type(struct evs_binder *binder, const struct evs_ast_column *column,
                             struct evs_decode_column *decode)
{
    const struct evs_type *type = evs_bind_type(binder, column->type);
    if (type == NULL) {
        return false;
    }
    decode->kind = type->kind;
    decode->type = type;
    if (evs_ident_given(&column->unit)) {
        if (type->kind != EVS_TIMESTAMP) {
            evs_report(binder, EVS_E0305, column->unit.place, "`unit` belongs to timestamps, and this is of type %s",
                       evs_kind_name(type->kind));
            return false;
        }
        decode->unit_us = unit_us(column->unit.text);
    }
    return true;
}

static bool bind_column(struct evs_binder *binder, const struct evs_ast_column *column,
                        struct evs_decode_column *decode)
{
    decode->name = evs_bind_text(binder, column->name.text);
    decode->not_null = column->not_null;
    bool is_right = bind_column_type(binder, column, decode);
    is_right = is_right && bind_column_path(binder, column, decode);
    if (is_right && column->fallback != NULL) {
        decode->has_default = true;
        is_right = evs_bind_coerced(binder, column->fallback, decode->type, "the default", &decode->fallback);
        if (is_right && decode->fallback.is_null && column->not_null) {
            evs_report(binder, EVS_E0307, column->fallback->place, "the default of a not null column is not NULL");
            is_right = false;
        }
    }
    return is_right;
}

bool evs_bind_columns(struct evs_binder *binder, const struct evs_ast_columns *columns, struct evs_field *fields,
                      struct evs_decode_column *decode)
{
    bool is_right = true;
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct evs_ast_column *column = &columns->items[i];
        is_right = bind_column(binder, column, &decode[i]) && is_right;
        bool never_null = decode[i].not_null && !(decode[i].has_default && decode[i].fallback.is_null);
        const struct evs_type *type =
            decode[i].type != NULL ? decode[i].type : evs_type_of(EVS_STRING); /* wrong: told */
        fields[i] = (struct evs_field){decode[i].name, type, !never_null};
        evs_observe_declaration(binder, decode[i].name, column->name.place, type, !never_null);
        for (uint32_t k = 0; k < i; k++) {
            if (evs_name_equal(decode[k].name, decode[i].name)) {
                struct evs_diag *diag = evs_report(binder, EVS_E0206, column->name.place,
                                                   "the column `%s` is declared twice", decode[i].name);
                evs_report_note(binder, diag, columns->items[k].name.place, "first here");
                is_right = false;
                break;
            }
        }
    }
    return is_right;
}

/* --- the watermark -------------------------------------------------------------------------------------------------------- */

/* A scope of the source's own columns, to bind the watermark in. */
static struct evs_scope source_scope(struct evs_binder *binder, struct evs_bound_source *source)
{
    struct evs_scope scope = {.base = source->scan};
    for (uint32_t i = 0; i < source->column_count + EVS_SYSTEM_COLUMNS; i++) {
        struct evs_field field = evs_rel_field(source->scan, i);
        const struct evs_expr *expr = evs_expr_column(binder->arena, i, &field, evs_bind_place(binder, source->place));
        evs_columns_add(binder, i < source->column_count ? &scope.columns : &scope.system, field.name, expr);
    }
    evs_scope_range(binder, &scope, source->name);
    return scope;
}

/* `column` or `column - constant`, a parameter too: the usual forms need no program. */
static int64_t watermark_delay(struct evs_binder *binder, struct evs_bound_source *source, struct evs_context *context,
                               const struct evs_ast_expr *ast)
{
    const struct evs_ast_expr *column = ast;
    int64_t delay_us = 0;
    if (ast->kind == EVS_AST_BINARY && ast->op == EVS_AST_OP_SUBTRACT) {
        const struct evs_ast_expr *delay = ast->arguments[1];
        column = ast->arguments[0];
        if ((delay->kind != EVS_AST_INTERVAL && delay->kind != EVS_AST_PARAMETER) ||
            !evs_bind_duration(binder, delay, "the delay of a watermark", &delay_us)) {
            return -1;
        }
    }
    const struct evs_expr *expr = column->kind == EVS_AST_PATH ? evs_bind_expr(binder, context, column) : NULL;
    bool is_column = expr != NULL && expr->kind == EVS_EXPR_COLUMN && expr->column == source->watermark_column;
    return is_column && delay_us >= 0 ? delay_us : -1;
}

static bool bind_watermark(struct evs_binder *binder, struct evs_bound_source *source, const struct evs_ast_source *ast)
{
    source->watermark_delay_us = -1;
    if (ast->watermark == NULL) {
        source->scan->event_time_column = source->column_count + EVS_SYSTEM_INGESTED_AT;
        return true;
    }
    struct evs_scope scope = source_scope(binder, source);
    struct evs_context context = {.scope = &scope};
    const struct evs_ast_expr name = {.kind = EVS_AST_PATH,
                                      .place = ast->watermark_column.place,
                                      .names = &ast->watermark_column,
                                      .name_count = 1,
                                      .height = 1};
    const struct evs_expr *column = evs_bind_expr(binder, &context, &name);
    const struct evs_expr *watermark = evs_bind_expr(binder, &context, ast->watermark);
    if (column == NULL || watermark == NULL) {
        return false;
    }
    if (column->type->kind != EVS_TIMESTAMP || column->column >= source->column_count) {
        struct evs_diag *diag = evs_report(binder, EVS_E0404, ast->watermark_column.place,
                                           "the event-time column is a timestamp, and `%s` is of type %s",
                                           ast->watermark_column.text.data, evs_kind_name(column->type->kind));
        evs_diag_hint(diag, "declare it as timestamp");
        return false;
    }
    if (watermark->type->kind != EVS_TIMESTAMP) {
        evs_report(binder, EVS_E0404, ast->watermark->place, "the watermark is a timestamp, and this is of type %s",
                   evs_kind_name(watermark->type->kind));
        return false;
    }
    source->watermark = watermark;
    source->watermark_column = column->column;
    source->scan->event_time_column = column->column;
    source->watermark_delay_us = watermark_delay(binder, source, &context, ast->watermark);
    return true;
}

/* --- connector and options ------------------------------------------------------------------------------------------------ */

static void report_connector(struct evs_binder *binder, const struct evs_ident *name, const struct evs_nearest *nearest)
{
    struct evs_diag *diag =
        evs_report(binder, EVS_E0209, name->place, "no connector `%s` for sources", name->text.data);
    if (nearest->best.count > 0) {
        evs_diag_did_you_mean(diag, nearest);
        return;
    }
    struct evs_buffer all = {0};
    for (const struct evs_source *const *at = binder->options->registry->sources; *at != NULL; at++) {
        evs_buffer_printf(&all, "%s%s", all.count > 0 ? ", " : "", (*at)->kind);
    }
    evs_diag_hint(diag, "there are %.*s", (int)all.count, all.data);
    evs_buffer_fini(&all);
}

static const struct evs_source *find_connector(const struct evs_binder *binder, struct evs_slice name,
                                               struct evs_nearest *nearest)
{
    for (const struct evs_source *const *at = binder->options->registry->sources; *at != NULL; at++) {
        if (evs_slice_equal_nocase(name, (*at)->kind)) {
            return *at;
        }
        evs_nearest_offer(nearest, evs_slice_of((*at)->kind));
    }
    return NULL;
}

static const struct evs_decode_format *find_format(struct evs_binder *binder, const struct evs_ast_connector *format)
{
    const struct evs_decode_format *const *formats = binder->options->registry->decode_formats;
    if (!evs_ident_given(&format->name)) {
        return formats[0];
    }
    struct evs_nearest nearest = evs_nearest_begin(format->name.text);
    for (uint32_t i = 0; formats[i] != NULL; i++) {
        if (evs_slice_equal_nocase(format->name.text, formats[i]->kind)) {
            if (format->option_count > 0) {
                evs_report(binder, EVS_E0501, format->options[0].name.place, "the format %s of a source has no options",
                           formats[i]->kind);
            }
            return formats[i];
        }
        evs_nearest_offer(&nearest, evs_slice_of(formats[i]->kind));
    }
    struct evs_diag *diag =
        evs_report(binder, EVS_E0210, format->name.place, "no format `%s` for sources", format->name.text.data);
    evs_diag_did_you_mean(diag, &nearest);
    return NULL;
}

/* The option of the source, else the setting of the pipeline. */
static const struct evs_option_value *choose(const struct evs_binder *binder, const struct evs_option_value *own,
                                             const char *name)
{
    const struct evs_option_value *value = own != NULL ? evs_option_find(own, name) : NULL;
    return value != NULL && value->is_set ? value : evs_setting(binder, name);
}

/* Files have no idle partitions and no clock to be ahead of (language, "Event time, exactly", 3 and 4). */
static void set_common(struct evs_binder *binder, struct evs_bound_source *source, const struct evs_option_value *own)
{
    bool is_bounded = source->connector->bounded;
    source->idle_timeout_us = is_bounded ? -1 : choose(binder, own, "idle_timeout")->integer;
    source->future_skew_us = is_bounded ? -1 : choose(binder, own, "max_future_skew")->integer;
    source->future_keep = choose(binder, own, "on_future")->integer == 1;
    source->row_bytes_max = choose(binder, own, "row_bytes_max")->integer;
}

/* Which columns decide on an event's partition: 'user_id, anonymous_id'. */
static bool add_partition_column(struct evs_binder *binder, struct evs_bound_source *source, uint32_t *columns,
                                 struct evs_slice name, struct evs_place place)
{
    struct evs_nearest nearest = evs_nearest_begin(name);
    for (uint32_t i = 0; i < source->column_count; i++) {
        if (!evs_slice_equal_nocase(name, source->columns[i].name)) {
            evs_nearest_offer(&nearest, evs_slice_of(source->columns[i].name));
            continue;
        }
        if (source->fields[i].type->kind != EVS_STRING) {
            evs_report(binder, EVS_E0502, place, "partitions are made of texts, and `%s` is of type %s",
                       source->columns[i].name, evs_kind_name(source->fields[i].type->kind));
            return false;
        }
        columns[source->partition_key_count++] = i;
        return true;
    }
    struct evs_diag *diag =
        evs_report(binder, EVS_E0502, place, "`partition_key` takes columns of the source, and `%.*s` is none",
                   (int)name.count, name.data);
    evs_diag_did_you_mean(diag, &nearest);
    return false;
}

static struct evs_slice trimmed(struct evs_slice text)
{
    while (text.count > 0 && text.data[0] == ' ') {
        text = (struct evs_slice){text.data + 1, text.count - 1};
    }
    while (text.count > 0 && text.data[text.count - 1] == ' ') {
        text.count--;
    }
    return text;
}

static bool bind_partition_key(struct evs_binder *binder, struct evs_bound_source *source,
                               const struct evs_option_value *own, struct evs_place place)
{
    const struct evs_option_value *value = evs_option_find(own, "partition_key");
    if (!value->is_set || source->partitions == 1) { /* with one there is nothing to decide */
        return true;
    }
    struct evs_slice text = value->text;
    uint32_t *columns = EVS_ARENA_ARRAY(binder->arena, uint32_t, text.count + 1u);
    bool is_right = true;
    source->partition_key = columns;
    while (is_right) {
        const char *comma = memchr(text.data, ',', text.count);
        struct evs_slice name = {text.data, comma == NULL ? text.count : (size_t)(comma - text.data)};
        is_right = add_partition_column(binder, source, columns, trimmed(name), place);
        if (comma == NULL) {
            break;
        }
        text = (struct evs_slice){comma + 1, text.count - name.count - 1};
    }
    return is_right;
}

static void warn_live_only(struct evs_binder *binder, const struct evs_bound_source *source,
                           const struct evs_option_value *own, const struct evs_ast_connector *ast)
{
    static const char *const live_only[] = {"idle_timeout", "max_future_skew", "on_future"};
    for (uint32_t i = 0; i < EVS_COUNT(live_only); i++) {
        if (evs_option_find(own, live_only[i])->is_set) {
            evs_report(binder, EVS_W0006, evs_option_place(ast, live_only[i]),
                       "`%s` has no effect on the connector %s, which always ends", live_only[i],
                       source->connector->kind);
        }
    }
}

/* A connector with several partitions says how many by its option `partitions`; the others have one. */
static uint32_t partition_count(const struct evs_source *connector, const struct evs_option_value *values)
{
    for (uint32_t i = 0; connector->options[i].name != NULL; i++) {
        if (strcmp(connector->options[i].name, "partitions") == 0 && values[i].is_set) {
            return values[i].integer > 1 ? (uint32_t)values[i].integer : 1;
        }
    }
    return 1;
}

static bool configure(struct evs_binder *binder, struct evs_bound_source *source, const struct evs_option_value *values,
                      struct evs_place place)
{
    struct evs_error error;
    if (source->connector->configure(values, binder->arena, &source->config, &error) != EVS_OK) {
        evs_report_error(binder, EVS_E0504, place, &error);
        return false;
    }
    source->label = evs_option_label(binder, source->connector->kind, source->connector->options, values);
    source->partitions = partition_count(source->connector, values);
    source->has_many =
        source->partitions > 1 || (source->connector->has_many != NULL && source->connector->has_many(source->config));
    source->file = evs_bind_file(source->connector->file_option, values);
    return true;
}

/* The options as they are declared: the connector's own, and those that every source takes. NULL connector: reported. */
static const struct evs_source *bind_declared_options(struct evs_binder *binder, const struct evs_ast_connector *ast,
                                                      const struct evs_option_value *values[EVS_OPTION_TABLES])
{
    struct evs_nearest nearest = evs_nearest_begin(ast->name.text);
    const struct evs_source *connector = find_connector(binder, ast->name.text, &nearest);
    if (connector == NULL) {
        report_connector(binder, &ast->name, &nearest);
        return NULL;
    }
    struct evs_option_owner owner = {evs_arena_printf(binder->arena, "the connector %s", connector->kind),
                                     ast->name.place};
    const struct evs_option *const tables[EVS_OPTION_TABLES] = {connector->options, evs_source_options};
    return evs_bind_options(binder, owner, ast->options, ast->option_count, tables, values) ? connector : NULL;
}

static bool bind_declared_connector(struct evs_binder *binder, struct evs_bound_source *source,
                                    const struct evs_ast_connector *ast)
{
    const struct evs_option_value *values[EVS_OPTION_TABLES];
    source->connector = bind_declared_options(binder, ast, values);
    if (source->connector == NULL) {
        return false;
    }
    set_common(binder, source, values[1]);
    if (source->connector->bounded) {
        warn_live_only(binder, source, values[1], ast);
    }
    return configure(binder, source, values[0], ast->place) &&
           bind_partition_key(binder, source, values[1], evs_option_place(ast, "partition_key"));
}

/* Another connector in the place of the declared one; what holds for every source stays as it is declared. */
static bool bind_override(struct evs_binder *binder, struct evs_bound_source *source,
                          const struct evs_ast_connector *ast, const char *text)
{
    const char *colon = strchr(text, ':');
    EVS_ASSERT(colon != NULL); /* checked when compiling began */
    struct evs_slice name = {text, (size_t)(colon - text)};
    struct evs_nearest nearest = evs_nearest_begin(name);
    const struct evs_option_value *declared[EVS_OPTION_TABLES], *values = NULL;
    source->connector = find_connector(binder, name, &nearest);
    if (source->connector == NULL) {
        evs_fail(binder->usage_error, EVS_E_USAGE, "--source %s: there is no connector `%.*s` for sources.",
                 source->name, (int)name.count, name.data);
    } else if (bind_declared_options(binder, ast, declared) == NULL) {
        return false;
    } else if (evs_bind_override(binder, evs_arena_printf(binder->arena, "--source %s=%s", source->name, text),
                                 colon + 1, source->connector->options, &values)) {
        set_common(binder, source, declared[1]);
        return configure(binder, source, values, source->place) &&
               bind_partition_key(binder, source, declared[1], evs_option_place(ast, "partition_key"));
    }
    binder->is_usage_error = true;
    return false;
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

static void make_scan(struct evs_binder *binder, struct evs_bound_source *source)
{
    uint32_t count = source->column_count + EVS_SYSTEM_COLUMNS;
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_column, count);
    uint64_t lineage = evs_lineage_text(4, source->name);
    for (uint32_t i = 0; i < source->column_count; i++) {
        columns[i] = (struct evs_rel_column){
            .name = source->fields[i].name, .type = source->fields[i].type, .nullable = source->fields[i].nullable};
    }
    for (uint32_t i = 0; i < EVS_SYSTEM_COLUMNS; i++) {
        columns[source->column_count + i] = (struct evs_rel_column){.name = system_columns[i].name,
                                                                    .type = evs_type_of(system_columns[i].kind),
                                                                    .nullable = system_columns[i].nullable};
    }
    for (uint32_t i = 0; i < count; i++) {
        columns[i].lineage = evs_lineage_mix(evs_lineage_text(lineage, columns[i].name), columns[i].type->kind);
    }
    source->scan = evs_rel_scan(&binder->rels, source, columns, count, source->place);
    source->scan->lineage = lineage;
}

static bool bind_connector(struct evs_binder *binder, struct evs_bound_source *source, const struct evs_ast_source *ast)
{
    const char *override = evs_bind_override_of(binder->options->sources, binder->options->source_count, source->name);
    bool is_right = override != NULL ? bind_override(binder, source, &ast->connector, override)
                                     : bind_declared_connector(binder, source, &ast->connector);
    source->format = find_format(binder, &ast->format);
    if (!is_right || source->format == NULL) {
        return false;
    }
    source->scan->is_bounded = source->connector->bounded;
    /* only a broker knows when a message came in */
    source->scan->columns[source->column_count + EVS_SYSTEM_INGESTED_AT].nullable = source->connector->bounded;
    source->scan->is_timed_by_reading = source->connector->bounded && ast->watermark == NULL;
    source->scan->is_ordered = !source->has_many;
    return true;
}

static void bind_dead_letter(struct evs_binder *binder, struct evs_bound_source *source,
                             const struct evs_ast_source *ast)
{
    source->fail_on_error = ast->on_error == EVS_ON_ERROR_FAIL;
    if (evs_ident_given(&ast->dead_letter)) {
        source->dead_letter = evs_bind_sink_name(binder, &ast->dead_letter);
    } else {
        source->dead_letter = binder->settings.dead_letter;
    }
}

struct evs_bound_source *evs_bind_source(struct evs_binder *binder, struct evs_entity *entity)
{
    EVS_ASSERT(entity->kind == EVS_ENTITY_SOURCE);
    if (entity->state != EVS_ENTITY_UNBOUND) {
        return entity->state == EVS_ENTITY_BOUND ? entity->source : NULL;
    }
    entity->state = EVS_ENTITY_BROKEN;
    const struct evs_ast_source *ast = &entity->statement->source;
    struct evs_bound_source *source = EVS_ARENA_NEW(binder->arena, struct evs_bound_source);
    source->name = entity->name;
    source->place = evs_bind_place(binder, entity->place);
    source->column_count = ast->columns.count;
    source->columns = EVS_ARENA_ARRAY(binder->arena, struct evs_decode_column, ast->columns.count + 1);
    source->fields = EVS_ARENA_ARRAY(binder->arena, struct evs_field, ast->columns.count + 1);
    bool is_right = evs_bind_columns(binder, &ast->columns, source->fields, source->columns);
    make_scan(binder, source);
    is_right = bind_connector(binder, source, ast) && is_right;
    is_right = is_right && bind_watermark(binder, source, ast);
    bind_dead_letter(binder, source, ast);
    is_right = is_right && (source->dead_letter == NULL || evs_bind_sink(binder, source->dead_letter) != NULL);
    if (is_right) {
        entity->source = source;
        entity->state = EVS_ENTITY_BOUND;
    }
    return is_right ? source : NULL;
}
