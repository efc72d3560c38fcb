#include "config.h"

#include "cors.h"

#include <stdio.h>
#include <string.h>

#include "evstream/option.h"
#include "evstream/type.h"

struct setting {
    const char *name, *value, *choices;
    enum evs_setting_kind kind;
    size_t offset;
    const char *fallback;
    int64_t least, most;
};

static const struct setting settings[EVS_SETTING_COUNT] = {
#define EVS_SETTING(id, name, value, help, choices, kind, field, fallback, least, most)                                \
    [EVS_SETTING_ID_##                                                                                                 \
        id] = {name, value, choices, EVS_SETTING_##kind, offsetof(struct evs_config, field), fallback, least, most},
#include "settings.def"
#undef EVS_SETTING
};

/* --- one value ---------------------------------------------------------------------------------------------------------- */

static void names_add(struct evs_names *names, const char *name)
{
    EVS_GROW(names->items, names->count, names->capacity);
    names->items[names->count++] = name;
}

static bool config_choice(const char *choices, const char *value, int64_t *index)
{
    size_t length = strlen(value);
    *index = 0;
    for (const char *at = choices; *at != '\0'; ++*index) {
        size_t count = strcspn(at, "|");
        if (count == length && memcmp(at, value, count) == 0) {
            return true;
        }
        at += count + (at[count] == '|');
    }
    return false;
}

static evs_status config_number(const struct setting *setting, const char *value, int64_t *number,
                                struct evs_error *error)
{
    static const char *const examples[] = {[EVS_SETTING_DURATION] = "a duration, such as 250ms or 5s",
                                           [EVS_SETTING_BYTES] = "a size, such as 512KiB or 4MiB",
                                           [EVS_SETTING_NUMBER] = "a whole number"};
    struct evs_slice text = evs_slice_of(value);
    bool parsed = setting->kind == EVS_SETTING_DURATION ? evs_parse_duration(text, number)
                  : setting->kind == EVS_SETTING_BYTES  ? evs_parse_bytes(text, number)
                                                        : evs_parse_int64(text, number);
    if (!parsed || *number < 0) {
        return evs_fail(error, EVS_E_USAGE, "%s takes %s, not `%s`.", setting->name, examples[setting->kind], value);
    }
    if (*number < setting->least || (setting->most > 0 && *number > setting->most)) {
        return evs_fail(error, EVS_E_USAGE, "%s: `%s` is too %s.", setting->name, value,
                        *number < setting->least ? "small" : "large");
    }
    return EVS_OK;
}

static evs_status config_flag(const char *value, const char *name, bool *flag, struct evs_error *error)
{
    *flag = value == NULL || strcmp(value, "true") == 0;
    if (*flag || strcmp(value, "false") == 0) {
        return EVS_OK;
    }
    return evs_fail(error, EVS_E_USAGE, "%s is true or false, not `%s`.", name, value);
}

static evs_status config_assign(struct evs_config *config, const struct setting *setting, const char *value,
                                struct evs_error *error)
{
    void *field = (char *)config + setting->offset;
    EVS_ASSERT(value != NULL || setting->kind == EVS_SETTING_FLAG);
    switch (setting->kind) {
    case EVS_SETTING_TEXT:
        *(const char **)field = evs_arena_strndup(&config->arena, value, strlen(value));
        return EVS_OK;
    case EVS_SETTING_LIST:
        names_add(field, evs_arena_strndup(&config->arena, value, strlen(value)));
        return EVS_OK;
    case EVS_SETTING_FLAG:
        return config_flag(value, setting->name, field, error);
    case EVS_SETTING_CHOICE:
        if (!config_choice(setting->choices, value, field)) {
            return evs_fail(error, EVS_E_USAGE, "`%s` is no value of %s; it takes one of %s.", value, setting->name,
                            setting->choices);
        }
        return EVS_OK;
    default:
        return config_number(setting, value, field, error);
    }
}

evs_status evs_config_set(struct evs_config *config, enum evs_setting_id id, const char *value, struct evs_error *error)
{
    EVS_ASSERT(id > EVS_SETTING_NONE && id < EVS_SETTING_COUNT);
    config->is_set[id] = true;
    return config_assign(config, &settings[id], value, error);
}

const char *evs_config_name(enum evs_setting_id id)
{
    EVS_ASSERT(id > EVS_SETTING_NONE && id < EVS_SETTING_COUNT);
    return settings[id].name;
}

static bool names_are_equal(const struct evs_names *a, const struct evs_names *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool names_keep(struct evs_names *names, const struct evs_names *from)
{
    if (names_are_equal(names, from)) {
        return false;
    }
    names->count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        names_add(names, from->items[i]);
    }
    return true;
}

static bool text_keep(const char **text, const char *from)
{
    bool same = *text == from || (*text != NULL && from != NULL && strcmp(*text, from) == 0);
    *text = from;
    return !same;
}

bool evs_config_keep(struct evs_config *config, const struct evs_config *from, enum evs_setting_id id)
{
    void *field = (char *)config + settings[id].offset;
    const void *kept = (const char *)from + settings[id].offset;
    size_t bytes = settings[id].kind == EVS_SETTING_FLAG ? sizeof(bool) : sizeof(int64_t);
    switch (settings[id].kind) {
    case EVS_SETTING_TEXT:
        return text_keep(field, *(const char *const *)kept);
    case EVS_SETTING_LIST:
        return names_keep(field, kept);
    default: {
        bool same = memcmp(field, kept, bytes) == 0;
        memcpy(field, kept, bytes);
        return !same;
    }
    }
}

void evs_config_init(struct evs_config *config)
{
    *config = (struct evs_config){0};
    for (uint32_t id = 1; id < EVS_SETTING_COUNT; id++) {
        if (settings[id].fallback != NULL) {
            struct evs_error error;
            evs_status status = config_assign(config, &settings[id], settings[id].fallback, &error);
            EVS_ASSERT(status == EVS_OK);
        }
    }
}

void evs_config_fini(struct evs_config *config)
{
    for (uint32_t i = 0; i < config->source_count; i++) {
        evs_free(config->sources[i].keys.items);
        evs_free(config->sources[i].origins.items);
    }
    evs_free(config->sources);
    evs_free(config->listen.items);
    evs_free(config->keys.items);
    evs_free(config->origins.items);
    evs_free(config->strip_parameters.items);
    evs_free(config->redirect_domains.items);
    evs_arena_fini(&config->arena);
    *config = (struct evs_config){0};
}

/* --- sources ------------------------------------------------------------------------------------------------------------ */

const struct evs_config_source *evs_config_source(const struct evs_config *config, const char *name)
{
    for (uint32_t i = 0; i < config->source_count; i++) {
        if (strcmp(config->sources[i].name, name) == 0) {
            return &config->sources[i];
        }
    }
    return NULL;
}

static struct evs_config_source *config_source(struct evs_config *config, struct evs_slice name)
{
    for (uint32_t i = 0; i < config->source_count; i++) {
        if (evs_slice_equal(evs_slice_of(config->sources[i].name), name)) {
            return &config->sources[i];
        }
    }
    EVS_GROW(config->sources, config->source_count, config->source_capacity);
    struct evs_config_source *source = &config->sources[config->source_count++];
    *source = (struct evs_config_source){.name = evs_arena_strndup(&config->arena, name.data, name.count)};
    return source;
}

static bool config_is_source_name(struct evs_slice name)
{
    bool valid = name.count >= 1 && name.count <= 64;
    for (size_t i = 0; i < name.count; i++) {
        char c = name.data[i];
        valid = valid &&
                ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_');
    }
    return valid;
}

static evs_status config_refuse_source(struct evs_slice name, struct evs_error *error)
{
    return evs_fail(
        error, EVS_E_USAGE,
        "`%.*s` is no name of a source: 1 to 64 letters, digits, '-' and '_' (it becomes a part of subjects).",
        (int)name.count, name.data);
}

/* --- the file ------------------------------------------------------------------------------------------------------------ */

static struct evs_slice config_trim(struct evs_slice text)
{
    while (text.count > 0 && strchr(" \t\r", text.data[0]) != NULL) {
        text.data++;
        text.count--;
    }
    while (text.count > 0 && strchr(" \t\r", text.data[text.count - 1]) != NULL) {
        text.count--;
    }
    return text;
}

static enum evs_setting_id config_find(struct evs_slice name)
{
    for (uint32_t id = 1; id < EVS_SETTING_COUNT; id++) {
        if (evs_slice_equal(evs_slice_of(settings[id].name), name)) {
            return (enum evs_setting_id)id;
        }
    }
    return EVS_SETTING_NONE;
}

static evs_status config_source_line(struct evs_config *config, struct evs_config_source *source, struct evs_slice name,
                                     const char *value, struct evs_error *error)
{
    if (evs_slice_equal(name, EVS_SLICE("key"))) {
        names_add(&source->keys, evs_arena_strndup(&config->arena, value, strlen(value)));
    } else if (evs_slice_equal(name, EVS_SLICE("allow-origin"))) {
        names_add(&source->origins, evs_arena_strndup(&config->arena, value, strlen(value)));
    } else if (evs_slice_equal(name, EVS_SLICE("rate"))) {
        return config_number(&settings[EVS_SETTING_ID_RATE], value, &source->rate, error);
    } else if (evs_slice_equal(name, EVS_SLICE("burst"))) {
        return config_number(&settings[EVS_SETTING_ID_BURST], value, &source->burst, error);
    } else {
        return evs_fail(error, EVS_E_USAGE, "a source has no setting `%.*s`; it has key, allow-origin, rate and burst.",
                        (int)name.count, name.data);
    }
    return EVS_OK;
}

static evs_status config_line(struct evs_config *config, struct evs_config_source *source, struct evs_slice line,
                              struct evs_error *error)
{
    const char *equals = memchr(line.data, '=', line.count);
    if (equals == NULL) {
        return evs_fail(error, EVS_E_USAGE, "a line is `name = value` or `[source NAME]`.");
    }
    struct evs_slice name = config_trim((struct evs_slice){line.data, (size_t)(equals - line.data)});
    struct evs_slice text = config_trim((struct evs_slice){equals + 1, line.count - (size_t)(equals + 1 - line.data)});
    const char *value = evs_arena_strndup(&config->arena, text.data, text.count);
    if (source != NULL) {
        return config_source_line(config, source, name, value, error);
    }
    enum evs_setting_id id = config_find(name);
    if (id == EVS_SETTING_NONE) {
        return evs_fail(error, EVS_E_USAGE, "there is no setting `%.*s`; `evstream collect --help` lists them.",
                        (int)name.count, name.data);
    }
    /* Given on the command line: that goes before. */
    bool is_set = config->is_set[id] && settings[id].kind != EVS_SETTING_LIST;
    return is_set ? EVS_OK : config_assign(config, &settings[id], value, error);
}

static evs_status config_section(struct evs_config *config, struct evs_slice line, struct evs_slice *name,
                                 struct evs_error *error)
{
    const struct evs_slice opening = EVS_SLICE("[source ");
    if (line.count <= opening.count || memcmp(line.data, opening.data, opening.count) != 0 ||
        line.data[line.count - 1] != ']') {
        return evs_fail(error, EVS_E_USAGE, "a section is `[source NAME]`.");
    }
    *name = config_trim((struct evs_slice){line.data + opening.count, line.count - opening.count - 1});
    if (!config_is_source_name(*name)) {
        return config_refuse_source(*name, error);
    }
    (void)config_source(config, *name);
    return EVS_OK;
}

evs_status evs_config_parse(struct evs_config *config, const char *name, struct evs_slice text, struct evs_error *error)
{
    struct evs_slice section = {0};
    uint32_t number = 0;
    while (text.count > 0) {
        const char *end = memchr(text.data, '\n', text.count);
        size_t count = end != NULL ? (size_t)(end - text.data) : text.count;
        struct evs_slice line = config_trim((struct evs_slice){text.data, count});
        text.data += count + (end != NULL);
        text.count -= count + (end != NULL);
        number++;
        struct evs_error inner = {0};
        evs_status status = EVS_OK;
        if (line.count > 0 && line.data[0] == '[') {
            status = config_section(config, line, &section, &inner);
        } else if (line.count > 0 && line.data[0] != '#') {
            struct evs_config_source *source = section.count > 0 ? config_source(config, section) : NULL;
            status = config_line(config, source, line, &inner);
        }
        if (status != EVS_OK) {
            return evs_fail(error, status, "%s:%u: %.900s", name, number, inner.text);
        }
    }
    return EVS_OK;
}

evs_status evs_config_read(struct evs_config *config, const struct evs_os *os, const char *path,
                           struct evs_error *error)
{
    struct evs_file *file;
    evs_status status = os->files.open(os->files.self, path, EVS_FILE_READ, &file, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_buffer text = {0};
    size_t got;
    do {
        evs_buffer_reserve(&text, 65536);
        status = os->files.read(file, text.data + text.count, 65536, &got, error);
        text.count += got;
    } while (status == EVS_OK && got > 0);
    os->files.close(file);
    if (status == EVS_OK) {
        status = evs_config_parse(config, path, (struct evs_slice){text.data, text.count}, error);
    }
    evs_buffer_fini(&text);
    return status;
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

/* "SOURCE=KEY" of the command line. */
static evs_status config_key(struct evs_config *config, const char *text, struct evs_error *error)
{
    const char *equals = strchr(text, '=');
    struct evs_slice name = {text, equals != NULL ? (size_t)(equals - text) : 0};
    if (equals == NULL || equals[1] == '\0') {
        return evs_fail(error, EVS_E_USAGE, "key takes SOURCE=KEY, such as shop=wk_1234.");
    }
    if (!config_is_source_name(name)) {
        return config_refuse_source(name, error);
    }
    names_add(&config_source(config, name)->keys, equals + 1);
    return EVS_OK;
}

/* An entry that no browser can match would shut a site's own pages out, and be found only by its lost events. */
static evs_status config_check_origins(const struct evs_names *origins, struct evs_error *error)
{
    for (uint32_t i = 0; i < origins->count; i++) {
        if (!evs_cors_is_entry(origins->items[i])) {
            return evs_fail(
                error, EVS_E_USAGE,
                "allow-origin: `%s` is no origin of a page. It is a scheme and a host (and a port, where it is "
                "not the usual one), and nothing behind: https://shop.example, https://*.shop.example, "
                "http://localhost:3000; * allows all.",
                origins->items[i]);
        }
    }
    return EVS_OK;
}

static evs_status config_check(const struct evs_config *config, struct evs_error *error)
{
    uint32_t keys = 0;
    evs_status status = config_check_origins(&config->origins, error);
    for (uint32_t i = 0; i < config->source_count && status == EVS_OK; i++) {
        keys += config->sources[i].keys.count;
        status = config_check_origins(&config->sources[i].origins, error);
    }
    if (status != EVS_OK) {
        return status;
    }
    if (keys == 0 && config->default_source == NULL) {
        return evs_fail(error, EVS_E_USAGE,
                        "Nobody could send: give a write key (--key shop=wk_1234), or a source for all events "
                        "without one (--default-source shop).");
    }
    if (config->default_source != NULL && !config_is_source_name(evs_slice_of(config->default_source))) {
        return config_refuse_source(evs_slice_of(config->default_source), error);
    }
    if ((config->tls_cert == NULL) != (config->tls_key == NULL)) {
        return evs_fail(error, EVS_E_USAGE, "tls-cert and tls-key go together: one is missing.");
    }
    return EVS_OK;
}

evs_status evs_config_finish(struct evs_config *config, struct evs_error *error)
{
    for (uint32_t i = 0; i < config->keys.count; i++) {
        evs_status status = config_key(config, config->keys.items[i], error);
        if (status != EVS_OK) {
            return status;
        }
    }
    if (config->default_source != NULL) {
        (void)config_source(config, evs_slice_of(config->default_source));
    }
    if (config->listen.count == 0) {
        names_add(&config->listen, "127.0.0.1:8080");
    }
    bool spools = config->spool != NULL && strcmp(config->spool, "off") != 0;
    config->spool = spools ? config->spool : NULL;
    bool keeps_dead = config->dead_stream != NULL && strcmp(config->dead_stream, "off") != 0;
    config->dead_stream = keeps_dead ? config->dead_stream : NULL;
    return config_check(config, error);
}
