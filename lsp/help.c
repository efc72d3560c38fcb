/* Words, functions, types and units with what they mean. Functions, aggregates and options come from the tables that make the reference; what has no
 * table of its own there has one here. */
#include "aggregate_table.h"
#include "server.h"

/* --- words ------------------------------------------------------------------------------------------------------------------------- */

static const struct evs_lsp_word words[] = {
#define EVS_LSP_WORD(text, kind, owners, snippet, section, meaning)                                                    \
    {text, EVS_LSP_WORD_##kind, owners, snippet, section, meaning},
#include "help.def"
#undef EVS_LSP_WORD
};

uint32_t evs_lsp_word_count(void)
{
    return EVS_COUNT(words);
}

const struct evs_lsp_word *evs_lsp_word_at(uint32_t index)
{
    EVS_ASSERT(index < EVS_COUNT(words));
    return &words[index];
}

/* --- what can be called -------------------------------------------------------------------------------------------------------------- */

static const struct evs_lsp_callable windows[] = {
    {.name = "tumble",
     .signature = "tumble([event_time,] size [, offset => interval] [, time_zone => string])",
     .meaning = "Windows of one size, one behind the other.",
     .section = "windows",
     .is_window = true},
    {.name = "hop",
     .signature = "hop([event_time,] size, slide [, offset => interval] [, time_zone => string])",
     .meaning = "Windows of one size that begin at each multiple of a slide; a row lies in several.",
     .section = "windows",
     .is_window = true},
    {.name = "session",
     .signature = "session([event_time,] gap [, max_duration])",
     .meaning = "Rows of a key that follow each other by less than a gap.",
     .section = "windows",
     .is_window = true},
    {.name = "cumulate",
     .signature = "cumulate([event_time,] step, size [, offset => interval] [, time_zone => string])",
     .meaning = "Windows that begin together and end a step later each, up to a size: a day so far.",
     .section = "windows",
     .is_window = true},
};

static const struct evs_lsp_callable over_functions[] = {
    {.name = "lag",
     .signature = "lag(x [, rows [, default]]) over (partition by … order by …)",
     .meaning = "The value in an earlier row of the key.",
     .section = "window-functions"},
    {.name = "first_value",
     .signature = "first_value(x) over (partition by … order by …)",
     .meaning = "The value in the first row of the frame.",
     .section = "window-functions"},
    {.name = "last_value",
     .signature = "last_value(x) over (partition by … order by …)",
     .meaning = "The value in the last row of the frame.",
     .section = "window-functions"},
    {.name = "row_number",
     .signature = "row_number() over (partition by … order by …)",
     .meaning = "The number of the row within its key.",
     .section = "window-functions"},
};

/* Names that are signs, or words around their operands, are no calls. */
static bool is_name(const char *name)
{
    bool is_letter = (name[0] >= 'a' && name[0] <= 'z') || name[0] == '_';
    return is_letter && strchr(name, ' ') == NULL;
}

uint32_t evs_lsp_callable_count(void)
{
    return EVS_COUNT(windows) + EVS_COUNT(over_functions) + evs_aggregate_function_count() + evs_function_count();
}

struct evs_lsp_callable evs_lsp_callable_at(uint32_t index)
{
    EVS_ASSERT(index < evs_lsp_callable_count());
    if (index < EVS_COUNT(windows)) {
        return windows[index];
    }
    index -= EVS_COUNT(windows);
    if (index < EVS_COUNT(over_functions)) {
        return over_functions[index];
    }
    index -= EVS_COUNT(over_functions);
    if (index < evs_aggregate_function_count()) {
        const struct evs_aggregate_function *function = evs_aggregate_function_at(index);
        return (struct evs_lsp_callable){function->name,
                                         function->signature,
                                         function->meaning,
                                         function->example,
                                         function->result,
                                         "aggregate-functions",
                                         true,
                                         false};
    }
    const struct evs_function *function = evs_function_at(index - evs_aggregate_function_count());
    return (struct evs_lsp_callable){
        .name = is_name(function->name) ? function->name : "",
        .signature = function->signature,
        .meaning = function->meaning,
        .example = function->example,
        .result = function->result,
        .section = "functions",
    };
}

/* --- types and units ------------------------------------------------------------------------------------------------------------------ */

const struct evs_lsp_type evs_lsp_types[] = {
    {"bool", "true or false."},
    {"int64", "A whole number of 64 bits."},
    {"float64", "A floating-point number of 64 bits."},
    {"numeric", "An exact decimal number of 38 digits, 9 of them after the point: money."},
    {"string", "A text."},
    {"bytes", "Bytes."},
    {"date", "A day of the calendar."},
    {"datetime", "A day and a time of day, without a time zone."},
    {"time", "A time of day."},
    {"timestamp", "A moment, in microseconds; read from ISO 8601 with an offset, or by `unit` from a number."},
    {"interval", "A length of time: months, days and microseconds."},
    {"json", "A JSON value."},
    {"array", "Values of one type in an order: array<string>."},
    {"struct", "Fields with names: struct<sku string, price numeric>."},
    {NULL, NULL},
};

const struct evs_lsp_type evs_lsp_units[] = {
    {"microsecond", "A millionth of a second."},
    {"millisecond", "A thousandth of a second."},
    {"second", "A second."},
    {"minute", "60 seconds."},
    {"hour", "60 minutes."},
    {"day", "24 hours; in a calendar window a local day."},
    {"week", "7 days; in a calendar window from Monday."},
    {"month", "A month of the calendar."},
    {"quarter", "Three months of the calendar."},
    {"year", "A year of the calendar."},
    {NULL, NULL},
};

/* --- Markdown --------------------------------------------------------------------------------------------------------------------------- */

void evs_lsp_put_link(const struct evs_lsp_server *server, struct evs_buffer *markdown, const char *section)
{
    if (server->reference != NULL && section != NULL) {
        evs_buffer_printf(markdown, "\n\n[Reference](%s#%s)", server->reference, section);
    }
}

void evs_lsp_put_option(struct evs_buffer *markdown, const struct evs_option *option)
{
    static const char *const kinds[] = {
        [EVS_OPTION_STRING] = "string",     [EVS_OPTION_INT] = "int64",   [EVS_OPTION_BOOL] = "bool",
        [EVS_OPTION_DURATION] = "interval", [EVS_OPTION_BYTES] = "bytes", [EVS_OPTION_TEMPLATE] = "template",
        [EVS_OPTION_ENUM] = "one of",
    };
    evs_buffer_printf(markdown, "`%s` %s", option->name, kinds[option->kind]);
    if (option->choices != NULL) {
        evs_buffer_printf(markdown, "%s `%s`", option->kind == EVS_OPTION_ENUM ? "" : " or", option->choices);
    }
    if (option->required) {
        evs_buffer_puts(markdown, ", required");
    } else if (option->fallback != NULL) {
        evs_buffer_printf(markdown, ", default `%s`", option->fallback);
    }
    evs_buffer_printf(markdown, "\n\n%s", option->help);
}
