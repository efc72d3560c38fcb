/* Options against their tables: connectors, formats, sources, sinks and settings all use this.
 *
 * A value is a literal, an interval or a parameter; it is folded, then read as the option's kind asks. A duration whose table has the
 * choice "never" takes that word, as -1. */
#include "bind.h"

#include <string.h>

/* --- one value ------------------------------------------------------------------------------------------------------------ */

static bool find_choice(const char *choices, struct evs_slice text, int64_t *index)
{
    int64_t number = 0;
    for (const char *at = choices; at != NULL && *at != '\0'; number++) {
        struct evs_slice choice = {at, strcspn(at, "|")};
        if (choice.count == text.count && strncasecmp(choice.data, text.data, text.count) == 0) {
            *index = number;
            return true;
        }
        at += choice.count + (at[choice.count] == '|');
    }
    return false;
}

/* What an option takes, for messages. */
static const char *expectation(const struct evs_option *option)
{
    switch (option->kind) {
    case EVS_OPTION_INT:
        return "a whole number";
    case EVS_OPTION_BOOL:
        return "true or false";
    case EVS_OPTION_DURATION:
        return option->choices != NULL ? "an interval, such as interval 10 second or '10s', or 'never'"
                                       : "an interval, such as interval 10 second or '10s'";
    case EVS_OPTION_BYTES:
        return "a number of bytes, such as 65536 or '8 MiB'";
    default:
        return "a text in quotes";
    }
}

/* A value given as text: in quotes, by a fallback, or from the command line. */
static bool read_text(const struct evs_option *option, struct evs_slice text, struct evs_option_value *value)
{
    bool boolean = false;
    value->text = text;
    switch (option->kind) {
    case EVS_OPTION_STRING:
    case EVS_OPTION_TEMPLATE:
        return true;
    case EVS_OPTION_INT:
        return evs_parse_int64(text, &value->integer);
    case EVS_OPTION_BOOL:
        if (!evs_parse_bool(text, &boolean)) {
            return false;
        }
        value->integer = boolean;
        return true;
    case EVS_OPTION_DURATION:
        if (find_choice(option->choices, text, &value->integer)) {
            value->integer = -1;
            return true;
        }
        return evs_parse_duration(text, &value->integer);
    case EVS_OPTION_BYTES:
        return evs_parse_bytes(text, &value->integer);
    case EVS_OPTION_ENUM:
        return find_choice(option->choices, text, &value->integer);
    }
    return false;
}

static bool read_interval(struct evs_interval interval, int64_t *us)
{
    int64_t days_us;
    return interval.months == 0 && !__builtin_mul_overflow((int64_t)interval.days, INT64_C(86400000000), &days_us) &&
           !__builtin_add_overflow(days_us, interval.us, us);
}

static bool read_value(const struct evs_option *option, const struct evs_value *from, struct evs_option_value *value)
{
    if (from->is_null) {
        return false;
    }
    switch (from->kind) {
    case EVS_STRING:
        /* a number in quotes is a mistake in the file, though not on the command line */
        return option->kind != EVS_OPTION_INT && option->kind != EVS_OPTION_BOOL &&
               read_text(option, evs_str_slice(&from->str), value);
    case EVS_INT64:
        value->integer = from->int64;
        return option->kind == EVS_OPTION_INT || option->kind == EVS_OPTION_BYTES;
    case EVS_BOOL:
        value->integer = from->boolean;
        return option->kind == EVS_OPTION_BOOL;
    case EVS_INTERVAL:
        return option->kind == EVS_OPTION_DURATION && read_interval(from->interval, &value->integer);
    default:
        return false;
    }
}

static bool is_number(const struct evs_option *option)
{
    return option->kind == EVS_OPTION_INT || option->kind == EVS_OPTION_DURATION || option->kind == EVS_OPTION_BYTES;
}

static bool in_range(const struct evs_option *option, const struct evs_option_value *value)
{
    bool is_never = option->kind == EVS_OPTION_DURATION && option->choices != NULL && value->integer == -1;
    if (!is_number(option) || is_never) {
        return true;
    }
    if (option->min == 0 && option->max == 0) {
        return option->kind == EVS_OPTION_INT || value->integer >= 0;
    }
    return value->integer >= option->min && (option->max == 0 || value->integer <= option->max);
}

static void put_bound(struct evs_buffer *out, enum evs_option_kind kind, int64_t bound)
{
    if (kind == EVS_OPTION_DURATION) {
        evs_put_duration(out, bound);
    } else {
        evs_buffer_printf(out, "%lld", (long long)bound);
    }
}

static void report_range(struct evs_binder *binder, const struct evs_option *option, struct evs_place place)
{
    struct evs_buffer range = {0};
    evs_buffer_printf(&range, "%s ", option->max != 0 ? "lies between" : "is at least");
    put_bound(&range, option->kind, option->min);
    if (option->max != 0) {
        evs_buffer_printf(&range, " and ");
        put_bound(&range, option->kind, option->max);
    }
    evs_report(binder, EVS_E0502, place, "`%s` %.*s%s", option->name, (int)range.count, range.data,
               option->kind == EVS_OPTION_BYTES ? " bytes" : "");
    evs_buffer_fini(&range);
}

static void report_value(struct evs_binder *binder, const struct evs_option *option, struct evs_place place,
                         const struct evs_value *from)
{
    if (option->kind == EVS_OPTION_ENUM) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0502, place, "`%s` is one of '%s'", option->name, option->choices);
        struct evs_slice text =
            from->kind == EVS_STRING && !from->is_null ? evs_str_slice(&from->str) : (struct evs_slice){"", 0};
        struct evs_nearest nearest = evs_nearest_begin(text);
        for (const char *at = option->choices; *at != '\0';) {
            size_t count = strcspn(at, "|");
            evs_nearest_offer(&nearest, (struct evs_slice){at, count});
            at += count + (at[count] == '|');
        }
        if (nearest.best.count > 0) {
            evs_diag_hint(diag, "did you mean '%.*s'?", (int)nearest.best.count, nearest.best.data);
        }
        return;
    }
    evs_report(binder, EVS_E0502, place, "`%s` takes %s", option->name, expectation(option));
}

/* set state = memory; a single bare word is taken as text where the option is one of some words. */
static bool is_bare_word(const struct evs_option *option, const struct evs_ast_expr *expr)
{
    return option->kind == EVS_OPTION_ENUM && expr->kind == EVS_AST_PATH && expr->name_count == 1;
}

bool evs_bind_option_value(struct evs_binder *binder, const struct evs_option *option, const struct evs_ast_expr *expr,
                           struct evs_option_value *value)
{
    struct evs_value from;
    if (is_bare_word(option, expr)) {
        struct evs_slice word = expr->names[0].text;
        from = (struct evs_value){.kind = EVS_STRING, .str = evs_str_make(word.data, (uint32_t)word.count)};
    } else if (!evs_bind_constant(binder, expr, "the value of an option", &from)) {
        return false;
    }
    *value = (struct evs_option_value){.option = option, .is_set = true};
    from = evs_bind_own(binder, from);
    if (!read_value(option, &from, value)) {
        report_value(binder, option, expr->place, &from);
        return false;
    }
    if (!in_range(option, value)) {
        report_range(binder, option, expr->place);
        return false;
    }
    if (value->text.data != NULL) { /* short texts lie in `from` itself */
        value->text.data = evs_bind_text(binder, value->text);
    }
    return true;
}

/* --- lists ---------------------------------------------------------------------------------------------------------------- */

static uint32_t table_count(const struct evs_option *table)
{
    uint32_t count = 0;
    while (table != NULL && table[count].name != NULL) {
        count++;
    }
    return count;
}

static struct evs_option_value *new_values(struct evs_binder *binder, const struct evs_option *table)
{
    uint32_t count = table_count(table);
    struct evs_option_value *values = EVS_ARENA_ARRAY(binder->arena, struct evs_option_value, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        values[i].option = &table[i];
    }
    return values;
}

static void set_fallbacks(const struct evs_option *table, struct evs_option_value *values)
{
    for (uint32_t i = 0; i < table_count(table); i++) {
        if (!values[i].is_set && table[i].fallback != NULL) {
            bool is_read = read_text(&table[i], evs_slice_of(table[i].fallback), &values[i]);
            EVS_ASSERT(is_read); /* tables are ours */
            values[i].is_set = true;
        }
    }
}

const struct evs_option_value *evs_option_defaults(struct evs_binder *binder, const struct evs_option *table)
{
    struct evs_option_value *values = new_values(binder, table);
    set_fallbacks(table, values);
    return values;
}

static void report_unknown(struct evs_binder *binder, struct evs_option_owner owner, const struct evs_ident *name,
                           const struct evs_option *const *tables)
{
    struct evs_diag *diag =
        evs_report(binder, EVS_E0501, name->place, "%s has no option `%s`", owner.what, name->text.data);
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    struct evs_buffer all = {0};
    for (uint32_t t = 0; t < EVS_OPTION_TABLES; t++) {
        for (uint32_t i = 0; i < table_count(tables[t]); i++) {
            evs_nearest_offer(&nearest, evs_slice_of(tables[t][i].name));
            evs_buffer_printf(&all, "%s%s", all.count > 0 ? ", " : "", tables[t][i].name);
        }
    }
    if (nearest.best.count > 0) {
        evs_diag_did_you_mean(diag, &nearest);
    } else if (all.count > 0) {
        evs_diag_hint(diag, "it has %.*s", (int)all.count, all.data);
    }
    evs_buffer_fini(&all);
}

/* The value that an option of this name fills, or NULL. */
static struct evs_option_value *find_value(struct evs_option_value *const *values,
                                           const struct evs_option *const *tables, struct evs_slice name)
{
    for (uint32_t t = 0; t < EVS_OPTION_TABLES; t++) {
        for (uint32_t i = 0; i < table_count(tables[t]); i++) {
            if (evs_slice_equal_nocase(name, tables[t][i].name)) {
                return &values[t][i];
            }
        }
    }
    return NULL;
}

static bool check_required(struct evs_binder *binder, struct evs_option_owner owner, const struct evs_option *table,
                           const struct evs_option_value *values)
{
    bool is_complete = true;
    EVS_ASSERT(values != NULL);
    for (uint32_t i = 0; i < table_count(table); i++) {
        if (table[i].required && !values[i].is_set) {
            struct evs_diag *diag =
                evs_report(binder, EVS_E0503, owner.place, "%s needs the option `%s`", owner.what, table[i].name);
            evs_diag_hint(diag, "add %s = …", table[i].name);
            evs_diag_note(diag, (struct evs_place){0}, "%s: %s", table[i].name, table[i].help);
            is_complete = false;
        }
    }
    return is_complete;
}

bool evs_bind_options(struct evs_binder *binder, struct evs_option_owner owner, const struct evs_ast_option *options,
                      uint32_t count, const struct evs_option *const tables[EVS_OPTION_TABLES],
                      const struct evs_option_value *values[EVS_OPTION_TABLES])
{
    struct evs_option_value *filled[EVS_OPTION_TABLES];
    for (uint32_t t = 0; t < EVS_OPTION_TABLES; t++) {
        filled[t] = new_values(binder, tables[t]);
        values[t] = filled[t];
    }
    bool is_right = true, all_read = true;
    for (uint32_t i = 0; i < count; i++) {
        struct evs_option_value *value = find_value(filled, tables, options[i].name.text);
        if (value == NULL) {
            report_unknown(binder, owner, &options[i].name, tables);
            is_right = false;
        } else if (!evs_bind_option_value(binder, value->option, options[i].value, value)) {
            value->is_set = true; /* not missing, but wrong */
            all_read = false;
        }
    }
    for (uint32_t t = 0; t < EVS_OPTION_TABLES; t++) {
        is_right = check_required(binder, owner, tables[t], filled[t]) && is_right;
        set_fallbacks(tables[t], filled[t]);
    }
    return is_right && all_read;
}

bool evs_bind_override(struct evs_binder *binder, const char *what, const char *argument,
                       const struct evs_option *table, const struct evs_option_value **values)
{
    struct evs_option_value *filled = new_values(binder, table);
    uint32_t count = table_count(table), main_option = 0;
    while (main_option < count && !table[main_option].required) {
        main_option++;
    }
    main_option = main_option < count ? main_option : 0;
    if (count == 0 || !read_text(&table[main_option], evs_slice_of(argument), &filled[main_option])) {
        evs_fail(binder->usage_error, EVS_E_USAGE, "%s: `%s` is no value of its option `%s`.", what, argument,
                 count > 0 ? table[main_option].name : "");
        return false;
    }
    filled[main_option].is_set = true;
    filled[main_option].text.data = evs_bind_text(binder, evs_slice_of(argument));
    set_fallbacks(table, filled);
    for (uint32_t i = 0; i < count; i++) {
        if (table[i].required && !filled[i].is_set) {
            evs_fail(binder->usage_error, EVS_E_USAGE, "%s also needs the option `%s`, which only the file can give.",
                     what, table[i].name);
            return false;
        }
    }
    *values = filled;
    return true;
}

/* --- showing -------------------------------------------------------------------------------------------------------------- */

static void show_value(struct evs_buffer *out, const struct evs_option_value *value)
{
    const struct evs_option *option = value->option;
    if (option->secret) {
        evs_buffer_puts(out, "…");
    } else if (value->text.data != NULL) {
        evs_buffer_printf(out, "'%.*s'", (int)value->text.count, value->text.data);
    } else if (option->kind == EVS_OPTION_BOOL) {
        evs_buffer_puts(out, value->integer ? "true" : "false");
    } else if (option->kind == EVS_OPTION_DURATION && value->integer % 1000 == 0) {
        evs_buffer_printf(out, "'%lldms'", (long long)(value->integer / 1000));
    } else if (option->kind == EVS_OPTION_DURATION) {
        evs_buffer_printf(out, "'%lldus'", (long long)value->integer);
    } else {
        evs_buffer_printf(out, "%lld", (long long)value->integer);
    }
}

const char *evs_option_label(struct evs_binder *binder, const char *kind, const struct evs_option *table,
                             const struct evs_option_value *values)
{
    struct evs_buffer text = {0};
    evs_buffer_puts(&text, kind);
    uint32_t shown = 0;
    for (uint32_t i = 0; i < table_count(table); i++) {
        bool is_default = values[i].text.data != NULL && table[i].fallback != NULL &&
                          strcmp(values[i].text.data, table[i].fallback) == 0;
        if (values[i].is_set && !is_default) {
            evs_buffer_printf(&text, "%s%s = ", shown++ > 0 ? ", " : " (", table[i].name);
            show_value(&text, &values[i]);
        }
    }
    evs_buffer_puts(&text, shown > 0 ? ")" : "");
    const char *label = evs_bind_text(binder, (struct evs_slice){text.data, text.count});
    evs_buffer_fini(&text);
    return label;
}

struct evs_place evs_option_place(const struct evs_ast_connector *connector, const char *name)
{
    for (uint32_t i = 0; i < connector->option_count; i++) {
        if (evs_slice_equal_nocase(connector->options[i].name.text, name)) {
            return connector->options[i].value->place;
        }
    }
    return connector->place;
}

struct evs_slice evs_bind_file(const char *option, const struct evs_option_value *values)
{
    struct evs_slice file = {NULL, 0};
    if (option != NULL) {
        file = evs_option_find(values, option)->text;
        while (file.count > 2 && memcmp(file.data, "./", 2) == 0) {
            file = (struct evs_slice){file.data + 2, file.count - 2};
        }
    }
    return evs_slice_equal(file, EVS_SLICE("-")) ? (struct evs_slice){NULL, 0} : file;
}
