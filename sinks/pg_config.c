#include "pg_config.h"

#include "pg_window.h"

#define KEYS_MAX 32u

enum {
    OPTION_TABLE,
    OPTION_URL,
    OPTION_PASSWORD_FILE,
    OPTION_PASSWORD_ENV,
    OPTION_MODE,
    OPTION_KEY,
    OPTION_BATCH_ROWS
};
enum { MODE_INSERT, MODE_UPSERT };

const struct evs_option evs_pg_options[] = {
    [OPTION_TABLE] = {.name = "table",
                      .kind = EVS_OPTION_STRING,
                      .required = true,
                      .help =
                          "The table, as SQL would name it: orders, sales.orders. Columns are found by their names."},
    [OPTION_URL] =
        {.name = "url",
         .kind = EVS_OPTION_STRING,
         .secret = true,
         .help =
             "The server and database without a password: postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full, or "
             "'host=… dbname=…'; without it PGHOST, PGDATABASE, PGSERVICE and the like say it."},
    [OPTION_PASSWORD_FILE] = {.name = "password_file",
                              .kind = EVS_OPTION_STRING,
                              .help = "File whose first line is the password, read at every connection; without it "
                                      "password_env, ~/.pgpass or PGPASSWORD."},
    [OPTION_PASSWORD_ENV] = {.name = "password_env",
                             .kind = EVS_OPTION_STRING,
                             .help = "Name of the environment's variable that holds the password."},
    [OPTION_MODE] = {.name = "mode",
                     .kind = EVS_OPTION_ENUM,
                     .fallback = "insert",
                     .choices = "insert|upsert",
                     .help = "insert: each row is a new one; upsert: a row takes the place of the one with its key."},
    [OPTION_KEY] = {.name = "key",
                    .kind = EVS_OPTION_STRING,
                    .help =
                        "Of an upsert: the columns of the table's primary key or of a unique index, as in 'user_id' "
                        "or 'shop, user_id'."},
    [OPTION_BATCH_ROWS] = {.name = "batch_rows",
                           .kind = EVS_OPTION_INT,
                           .fallback = "1000",
                           .min = 1,
                           .max = EVS_PG_WINDOW_ROWS,
                           .help = "How many rows a statement, which is a transaction, stores at most."},
    {0},
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

/* An identifier of SQL, bare or in quotes; NULL: none stands there. */
static const char *behind_identifier(const char *at)
{
    const char *first = at;
    if (*at != '"') {
        while (is_word(*at)) {
            at++;
        }
        return at > first && !(*first >= '0' && *first <= '9') ? at : NULL;
    }
    for (at++; *at != '\0'; at++) {
        if (*at == '"' && *++at != '"') {
            return at;
        }
    }
    return NULL;
}

static bool is_table_name(const char *text)
{
    const char *end = behind_identifier(text);
    if (end != NULL && *end == '.') {
        end = behind_identifier(end + 1);
    }
    return end != NULL && *end == '\0';
}

/* 'a, b' into names, and into PostgreSQL's text of an array. */
static evs_status set_keys(struct evs_pg_config *made, struct evs_slice text, struct evs_arena *arena,
                           struct evs_error *error)
{
    const char **keys = EVS_ARENA_ARRAY(arena, const char *, KEYS_MAX);
    struct evs_buffer list = {0};
    bool is_right = true;
    char *names = evs_arena_strndup(arena, text.data, text.count), *rest = NULL;
    evs_buffer_puts(&list, "{");
    for (char *name = strtok_r(names, ", \t\n", &rest); name != NULL && is_right;
         name = strtok_r(NULL, ", \t\n", &rest)) {
        is_right = made->target.key_count < KEYS_MAX && strpbrk(name, "\"\\{}") == NULL;
        if (is_right) {
            evs_buffer_printf(&list, "%s\"%s\"", made->target.key_count > 0 ? "," : "", name);
            keys[made->target.key_count++] = name;
        }
    }
    evs_buffer_puts(&list, "}");
    made->target.keys = keys;
    made->target.key_array = evs_arena_strndup(arena, list.data, list.count);
    evs_buffer_fini(&list);
    return is_right
               ? EVS_OK
               : evs_fail(error, EVS_E_PIPELINE,
                          "The option `key` lists names of columns with commas between them, at most %u.", KEYS_MAX);
}

static evs_status set_target(struct evs_pg_config *made, const struct evs_option_value *values, struct evs_arena *arena,
                             struct evs_error *error)
{
    made->target.table = values[OPTION_TABLE].text.data;
    made->target.upsert = values[OPTION_MODE].integer == MODE_UPSERT;
    if (!is_table_name(made->target.table)) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "The option `table` is no name of a table: write orders, sales.orders or, where names have "
                        "other characters, "
                        "\"Sales\".\"Orders\".");
    }
    if (made->target.upsert != values[OPTION_KEY].is_set) {
        return evs_fail(error, EVS_E_PIPELINE, "%s",
                        made->target.upsert
                            ? "An upsert finds the row to change by a key: say which columns (key = 'user_id')."
                            : "The option `key` is for mode = 'upsert'; with mode = 'insert' each row is a new one.");
    }
    struct evs_slice key = values[OPTION_KEY].is_set ? values[OPTION_KEY].text : EVS_SLICE("");
    return set_keys(made, key, arena, error);
}

evs_status evs_pg_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                            struct evs_error *error)
{
    struct evs_pg_config *made = EVS_ARENA_NEW(arena, struct evs_pg_config);
    made->batch_rows = (uint32_t)values[OPTION_BATCH_ROWS].integer;
    made->address = (struct evs_pg_address){
        .url = values[OPTION_URL].is_set ? values[OPTION_URL].text.data : NULL,
        .password_file = values[OPTION_PASSWORD_FILE].is_set ? values[OPTION_PASSWORD_FILE].text.data : NULL,
        .password_env = values[OPTION_PASSWORD_ENV].is_set ? values[OPTION_PASSWORD_ENV].text.data : NULL,
    };
    *config = made;
    if (made->address.password_file != NULL && made->address.password_env != NULL) {
        return evs_fail(error, EVS_E_PIPELINE, "A password stands in one place: password_file or password_env.");
    }
    evs_status status = made->address.url == NULL ? EVS_OK : evs_pg_check_url(made->address.url, error);
    return status == EVS_OK ? set_target(made, values, arena, error) : status;
}

evs_status evs_pg_check(const void *config, const struct evs_schema *schema, struct evs_error *error)
{
    const struct evs_pg_target *target = &((const struct evs_pg_config *)config)->target;
    for (uint32_t i = 0; i < target->key_count; i++) {
        bool is_there = false;
        for (uint32_t k = 0; k < schema->count && !is_there; k++) {
            is_there = strcmp(schema->fields[k].name, target->keys[i]) == 0;
        }
        if (!is_there) {
            return evs_fail(error, EVS_E_PIPELINE, "The rows have no column `%s`, which the option `key` names.",
                            target->keys[i]);
        }
    }
    return EVS_OK;
}
