/* What holds for the whole pipeline: its name, parameters and settings. */
#include "bind.h"

#include <ctype.h>
#include <string.h>

/* --- settings ------------------------------------------------------------------------------------------------------------- */

#define SOURCE_OPTIONS(is_setting)                                                                                     \
    {.name = "idle_timeout",                                                                                           \
     .kind = EVS_OPTION_DURATION,                                                                                      \
     .fallback = (is_setting) ? "10s" : NULL,                                                                          \
     .choices = "never",                                                                                               \
     .help = "how long a partition may be silent, with nothing waiting, before the watermark goes on without it"},     \
        {.name = "max_future_skew",                                                                                    \
         .kind = EVS_OPTION_DURATION,                                                                                  \
         .fallback = (is_setting) ? "1m" : NULL,                                                                       \
         .choices = "never",                                                                                           \
         .help = "how far an event's time may lie behind its arrival in the future"},                                  \
        {.name = "on_future",                                                                                          \
         .kind = EVS_OPTION_ENUM,                                                                                      \
         .fallback = (is_setting) ? "dead_letter" : NULL,                                                              \
         .choices = "dead_letter|keep",                                                                                \
         .help = "what becomes of an event whose time lies too far in the future; keep does not move the watermark"},  \
    {                                                                                                                  \
        .name = "row_bytes_max", .kind = EVS_OPTION_BYTES, .fallback = (is_setting) ? "1MiB" : NULL, .min = 64,        \
        .max = 1 << 30, .help = "the longest record; a longer one goes to the dead letter"                             \
    }

static const struct evs_option settings[] = {
    {.name = "checkpoint_interval",
     .kind = EVS_OPTION_DURATION,
     .min = 50000,
     .max = INT64_C(86400000000),
     .help = "time between two checkpoints"},
    {.name = "parallelism", .kind = EVS_OPTION_INT, .min = 1, .max = 64, .help = "number of workers"},
    {.name = "groups",
     .kind = EVS_OPTION_INT,
     .min = 1,
     .max = EVS_GROUPS_MAX,
     .help = "into how many groups a new pipeline is divided, for engines that share it"},
    {.name = "state", .kind = EVS_OPTION_ENUM, .choices = "redis|memory", .help = "where state becomes durable"},
    {.name = "delivery",
     .kind = EVS_OPTION_ENUM,
     .choices = "exact|fast",
     .help = "exact: rows leave with the commit; fast: at once, under ids that a replay repeats"},
    {.name = "max_matches",
     .kind = EVS_OPTION_INT,
     .fallback = "100000",
     .min = 1,
     .max = 1000000000,
     .help = "pairs that one row of a stream join may give with the rows that were there before it; more are left out, "
             "and counted"},
    {.name = "sequence_attempts",
     .kind = EVS_OPTION_INT,
     .fallback = "100",
     .min = 1,
     .max = 1000,
     .help = "attempts of one key that a sequence keeps open at a time; a row beyond them opens none, and is counted"},
    {.name = "sequence_rows",
     .kind = EVS_OPTION_INT,
     .fallback = "10000",
     .min = 1,
     .max = 1000000,
     .help =
         "rows that one attempt of a sequence, or one partition of match_recognize, keeps; it takes no more, which is "
         "counted"},
    {.name = "identity_users",
     .kind = EVS_OPTION_INT,
     .fallback = "20",
     .min = 1,
     .max = 1000000,
     .help =
         "users that one anonymous id may belong to, one after another; then `resolve identity` takes it for a shared "
         "one that tells nothing about anybody, which is counted"},
    {.name = "identity_alias_retain",
     .kind = EVS_OPTION_DURATION,
     .min = 1,
     .help =
         "how long `resolve identity` remembers an alias after it was last told; else as long as its `retain` says"},
    {.name = "identity_aliases",
     .kind = EVS_OPTION_INT,
     .fallback = "100",
     .min = 2,
     .max = 10000,
     .help = "ids that aliases may make one person of; an alias beyond them is left out, and counted"},
    {.name = "aggregate_bytes",
     .kind = EVS_OPTION_BYTES,
     .fallback = "256MiB",
     .min = 1024,
     .max = INT64_C(1) << 30,
     .help = "the most that one aggregate function keeps of one group (distinct values, arrays, funnels); then the "
             "group goes to the dead letter"},
    SOURCE_OPTIONS(true),
    {0},
};
const struct evs_option *const evs_setting_options = settings;
const struct evs_option evs_source_options[] = {
    SOURCE_OPTIONS(false),
    {.name = "partition_key",
     .kind = EVS_OPTION_STRING,
     .help = "the text column whose FNV-1a hash, modulo the partitions, is an event's partition; several with commas "
             "between them: the first that is not NULL. An event that lies elsewhere goes to the dead letter"},
    {0}};
const struct evs_option evs_sink_options[] = {
    {.name = "delivery",
     .kind = EVS_OPTION_ENUM,
     .choices = "exact|fast",
     .help = "exact: rows leave with the commit; fast: at once, under ids that a replay repeats"},
    {0},
};

_Static_assert(EVS_COUNT(settings) <= EVS_COUNT(((struct evs_settings *)0)->statement),
               "room for every setting's statement");

const struct evs_option_value *evs_setting(const struct evs_binder *binder, const char *name)
{
    return evs_option_find(binder->settings.values, name);
}

struct evs_place evs_setting_place(struct evs_binder *binder, const char *name)
{
    for (uint32_t i = 0; settings[i].name != NULL; i++) {
        const struct evs_ast_statement *statement = binder->settings.statement[i];
        if (statement != NULL && strcmp(settings[i].name, name) == 0) {
            return evs_bind_place(binder, statement->name.place);
        }
    }
    return (struct evs_place){0};
}

static void bind_dead_letter(struct evs_binder *binder, const struct evs_ast_statement *statement)
{
    const struct evs_ast_expr *value = statement->setting;
    struct evs_ident name = {.place = value->place};
    if (value->kind == EVS_AST_PATH && value->name_count == 1) {
        name = value->names[0];
    } else if (value->kind == EVS_AST_LITERAL && value->value.kind == EVS_STRING) {
        name.text = evs_str_slice(&value->value.str);
        name.text.data = evs_bind_text(binder, name.text);
    } else {
        evs_report(binder, EVS_E0502, value->place, "`dead_letter` takes the name of a sink");
        return;
    }
    if (binder->settings.dead_letter != NULL) {
        evs_report(binder, EVS_E0217, statement->name.place, "`dead_letter` is set twice");
        return;
    }
    binder->settings.dead_letter = evs_bind_sink_name(binder, &name);
}

static void report_unknown_setting(struct evs_binder *binder, const struct evs_ident *name)
{
    struct evs_diag *diag = evs_report(binder, EVS_E0212, name->place, "no setting `%s`", name->text.data);
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    for (uint32_t i = 0; settings[i].name != NULL; i++) {
        evs_nearest_offer(&nearest, evs_slice_of(settings[i].name));
    }
    evs_nearest_offer(&nearest, EVS_SLICE("dead_letter"));
    evs_diag_did_you_mean(diag, &nearest);
}

static void bind_set(struct evs_binder *binder, const struct evs_ast_statement *statement,
                     struct evs_option_value *values)
{
    if (evs_slice_equal_nocase(statement->name.text, "dead_letter")) {
        bind_dead_letter(binder, statement);
        return;
    }
    for (uint32_t i = 0; settings[i].name != NULL; i++) {
        if (!evs_slice_equal_nocase(statement->name.text, settings[i].name)) {
            continue;
        }
        const struct evs_ast_statement *first = binder->settings.statement[i];
        if (first != NULL) {
            struct evs_diag *diag =
                evs_report(binder, EVS_E0217, statement->name.place, "`%s` is set twice", settings[i].name);
            evs_report_note(binder, diag, first->name.place, "first here");
            return;
        }
        binder->settings.statement[i] = statement;
        struct evs_option_value value;
        if (evs_bind_option_value(binder, &settings[i], statement->setting, &value)) {
            values[i] = value;
        }
        return;
    }
    report_unknown_setting(binder, &statement->name);
}

/* --- parameters ----------------------------------------------------------------------------------------------------------- */

static const char *parameter_text(const struct evs_binder *binder, const char *name)
{
    const struct evs_compile_options *options = binder->options;
    size_t length = strlen(name);
    for (uint32_t i = options->param_count; i-- > 0;) { /* the last one counts */
        const char *text = options->params[i];
        if (strncasecmp(text, name, length) == 0 && text[length] == '=') {
            return text + length + 1;
        }
    }
    if (options->environment == NULL) {
        return NULL;
    }
    char *variable = evs_arena_printf(binder->arena, "EVSTREAM_PARAM_%s", name);
    for (char *at = variable; *at != '\0'; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    return options->environment(options->environment_argument, variable);
}

static bool bind_given_param(struct evs_binder *binder, struct evs_entity *entity, const char *text,
                             const struct evs_type *type)
{
    struct evs_error error;
    if (evs_bind_given(binder, evs_slice_of(text), type, entity->place, &entity->value, &error)) {
        return true;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0307, entity->place, "the value given for `%s` is no %s",
                                       entity->name, evs_type_name_in(binder->arena, type));
    evs_diag_note(diag, (struct evs_place){0}, "%s", error.text);
    return false;
}

static void bind_param(struct evs_binder *binder, struct evs_entity *entity)
{
    const struct evs_ast_param *param = &entity->statement->param;
    entity->state = EVS_ENTITY_BROKEN;
    const struct evs_type *type = evs_bind_type(binder, param->type);
    if (type == NULL) {
        return;
    }
    entity->type = type;
    const char *given = parameter_text(binder, entity->name);
    if (given != NULL) {
        entity->state = bind_given_param(binder, entity, given, type) ? EVS_ENTITY_BOUND : EVS_ENTITY_BROKEN;
    } else if (param->fallback != NULL) {
        bool is_right = evs_bind_coerced(binder, param->fallback, type, "the default", &entity->value);
        entity->state = is_right ? EVS_ENTITY_BOUND : EVS_ENTITY_BROKEN;
    } else {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0214, entity->place, "the parameter `%s` has no value", entity->name);
        evs_diag_hint(diag, "give it by --param %s=VALUE, or add a default", entity->name);
    }
}

/* Values for parameters that the file does not have are wrong usage. */
static void check_given_params(struct evs_binder *binder)
{
    for (uint32_t i = 0; i < binder->options->param_count && !binder->is_usage_error; i++) {
        const char *text = binder->options->params[i];
        struct evs_slice name = {text, strcspn(text, "=")};
        if (text[name.count] != '=') {
            binder->is_usage_error = true;
            evs_fail(binder->usage_error, EVS_E_USAGE, "--param takes NAME=VALUE, and `%s` has no `=`.", text);
        } else if (evs_entity_find(binder, true, name) == NULL) {
            struct evs_nearest nearest = evs_nearest_begin(name);
            evs_entity_offer(binder, 1u << EVS_ENTITY_PARAM, &nearest);
            bool is_near = nearest.best.count > 0;
            binder->is_usage_error = true;
            evs_fail(binder->usage_error, EVS_E_USAGE, "--param: the pipeline has no parameter `%.*s`%s%.*s%s",
                     (int)name.count, name.data, is_near ? "; did you mean `" : ".", (int)nearest.best.count,
                     is_near ? nearest.best.data : "", is_near ? "`?" : "");
        }
    }
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

static const char *file_stem(struct evs_binder *binder, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash != NULL ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    size_t count = dot != NULL && dot > name ? (size_t)(dot - name) : strlen(name);
    return evs_bind_text(binder, (struct evs_slice){name, count});
}

void evs_bind_settings(struct evs_binder *binder)
{
    check_given_params(binder);
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        struct evs_entity *entity = binder->entities[i];
        if (entity->kind == EVS_ENTITY_PARAM && entity->state == EVS_ENTITY_UNBOUND) {
            bind_param(binder, entity);
        }
    }
    struct evs_option_value *values = EVS_ARENA_ARRAY(binder->arena, struct evs_option_value, EVS_COUNT(settings));
    memcpy(values, evs_option_defaults(binder, settings), sizeof *values * (EVS_COUNT(settings) - 1));
    binder->settings.values = values;
    binder->pipeline = file_stem(binder, binder->options->file);
    bool is_named = false;
    for (uint32_t i = 0; i < binder->script->count; i++) {
        const struct evs_ast_statement *statement = binder->script->statements[i];
        if (statement->is_broken) {
            continue;
        }
        if (statement->kind == EVS_STATEMENT_SET) {
            bind_set(binder, statement, values);
        } else if (statement->kind == EVS_STATEMENT_PIPELINE) {
            if (is_named) {
                evs_report(binder, EVS_E0217, statement->name.place, "the pipeline has a name already");
            }
            binder->pipeline = evs_bind_text(binder, statement->name.text);
            is_named = true;
        }
    }
}
