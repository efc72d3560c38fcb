#include "pg_table.h"

/* --- looking ------------------------------------------------------------------------------------------------------------------ */

enum {
    ASK_SCHEMA,
    ASK_RELATION,
    ASK_COLUMN,
    ASK_QUOTED,
    ASK_TYPE,
    ASK_ELEMENT,
    ASK_LOOSE,
    ASK_NOT_NULL,
    ASK_DEFAULT,
    ASK_GENERATED,
    ASK_INSERT,
    ASK_UPDATE,
    ASK_SELECT,
    ASK_UNIQUE,
    ASK_CURSOR,
    ASK_REFUSED,
};

/* Of a domain the type below is taken: a value becomes that first, and is checked by the domain when it is stored. The modifier -1 asks for the name of
 * the bare type: `character` alone would mean one character. */
const char evs_pg_table_query[] =
    "select quote_ident(n.nspname), quote_ident(c.relname), a.attname, quote_ident(a.attname),"
    " format_type(b.oid, -1),"
    " case when b.typcategory = 'A' and b.typelem <> 0 then format_type(b.typelem, -1) else '' end,"
    " b.typtype = 'e' or (b.typnamespace <> 'pg_catalog'::regnamespace and b.typcategory <> 'A'),"
    " a.attnotnull, a.atthasdef or a.attidentity <> '', a.attgenerated <> '' or a.attidentity = 'a',"
    " has_table_privilege(c.oid, 'insert'), has_table_privilege(c.oid, 'update'), has_table_privilege(c.oid, 'select'),"
    " exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null"
    "  and (select array_agg(k.attname::text order by k.attname::text collate \"C\") from pg_attribute k"
    "       where k.attrelid = c.oid and k.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]))"
    "   = (select array_agg(w order by w collate \"C\") from unnest($2::text[]) w)),"
    " to_regclass(format('%I.evstream_cursor', n.nspname)) is not null,"
    " to_regclass(format('%I.evstream_refused', n.nspname)) is not null"
    " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
    " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
    " join pg_type t on t.oid = a.atttypid"
    " join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end"
    " where c.oid = to_regclass($1) order by a.attnum";

static bool is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static const char *kept(struct evs_arena *arena, const PGresult *result, int row, int column)
{
    const char *text = PQgetvalue(result, row, column);
    return evs_arena_strndup(arena, text, strlen(text));
}

void evs_pg_table_read(const PGresult *result, const struct evs_pg_target *target, struct evs_arena *arena,
                       struct evs_pg_table *table)
{
    int rows = PQntuples(result);
    *table = (struct evs_pg_table){.name = target->table, .column_count = (uint32_t)rows};
    struct evs_pg_column *columns = EVS_ARENA_ARRAY(arena, struct evs_pg_column, rows + 1);
    for (int i = 0; i < rows; i++) {
        columns[i] = (struct evs_pg_column){
            .name = kept(arena, result, i, ASK_COLUMN),
            .quoted = kept(arena, result, i, ASK_QUOTED),
            .type = kept(arena, result, i, ASK_TYPE),
            .element_type = kept(arena, result, i, ASK_ELEMENT),
            .is_loose = is_true(result, i, ASK_LOOSE),
            .not_null = is_true(result, i, ASK_NOT_NULL),
            .has_default = is_true(result, i, ASK_DEFAULT),
            .is_generated = is_true(result, i, ASK_GENERATED),
        };
    }
    table->columns = columns;
    if (rows > 0) {
        table->schema = kept(arena, result, 0, ASK_SCHEMA);
        table->relation = kept(arena, result, 0, ASK_RELATION);
        table->may_insert = is_true(result, 0, ASK_INSERT);
        table->may_update = is_true(result, 0, ASK_UPDATE);
        table->may_select = is_true(result, 0, ASK_SELECT);
        table->has_unique_key = is_true(result, 0, ASK_UNIQUE);
        table->has_cursor = is_true(result, 0, ASK_CURSOR);
        table->has_refused = is_true(result, 0, ASK_REFUSED);
    }
}

/* --- types -------------------------------------------------------------------------------------------------------------------- */

#define TEXTS "|text|character varying|bpchar|name|citext|"

/* What PostgreSQL itself would assign without being asked, and nothing that loses digits. The first one is what `--create` makes. */
static const struct {
    const char *makes, *takes;
} types[EVS_KIND_COUNT] = {
    [EVS_BOOL] = {"boolean", "|boolean" TEXTS},
    [EVS_INT64] = {"bigint", "|bigint|integer|smallint|numeric|double precision|real" TEXTS},
    [EVS_FLOAT64] = {"double precision", "|double precision|real|numeric" TEXTS},
    [EVS_NUMERIC] = {"numeric", "|numeric" TEXTS},
    [EVS_STRING] = {"text", "|uuid|inet|cidr|macaddr" TEXTS},
    [EVS_BYTES] = {"bytea", "|bytea|"},
    [EVS_JSON] = {"jsonb", "|jsonb|json" TEXTS},
    [EVS_TIMESTAMP] = {"timestamp with time zone", "|timestamp with time zone|timestamp without time zone" TEXTS},
    [EVS_DATE] = {"date", "|date" TEXTS},
    [EVS_DATETIME] = {"timestamp without time zone", "|timestamp without time zone" TEXTS},
    [EVS_TIME] = {"time without time zone", "|time without time zone" TEXTS},
    [EVS_INTERVAL] = {"interval", "|interval" TEXTS},
    [EVS_ARRAY] = {"jsonb", "|jsonb|json|"},
    [EVS_STRUCT] = {"jsonb", "|jsonb|json|"},
};

static bool is_listed(const char *list, const char *type)
{
    size_t count = strlen(type);
    for (const char *at = strstr(list, type); at != NULL; at = strstr(at + 1, type)) {
        if (at[-1] == '|' && at[count] == '|') {
            return true;
        }
    }
    return false;
}

static bool takes(enum evs_kind kind, const char *type, bool is_loose)
{
    return is_listed(types[kind].takes, type) || (kind == EVS_STRING && is_loose);
}

static bool fits(const struct evs_pg_source *source, const struct evs_pg_column *column)
{
    if (source->kind != EVS_ARRAY || column->element_type[0] == '\0') {
        return takes(source->kind, column->type, column->is_loose);
    }
    const struct evs_type *element = source->type == NULL ? NULL : source->type->element;
    return element == NULL || takes(element->kind, column->element_type, false);
}

/* "bigint", "text[]": as the table's column would be made. */
static void put_made(struct evs_buffer *out, const struct evs_type *type)
{
    bool is_list = type->kind == EVS_ARRAY && !evs_kind_is_nested(type->element->kind);
    evs_buffer_printf(out, "%s%s", types[is_list ? type->element->kind : type->kind].makes, is_list ? "[]" : "");
}

/* --- checking ----------------------------------------------------------------------------------------------------------------- */

static const struct evs_pg_column *find_column(const struct evs_pg_table *table, struct evs_slice name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (evs_slice_equal(evs_slice_of(table->columns[i].name), name)) {
            return &table->columns[i];
        }
    }
    return NULL;
}

static evs_status no_such_column(const struct evs_pg_table *table, struct evs_slice name, struct evs_error *error)
{
    struct evs_buffer all = {0};
    for (uint32_t i = 0; i < table->column_count && all.count < 300; i++) {
        evs_buffer_printf(&all, "%s%s", i == 0 ? "" : ", ", table->columns[i].name);
    }
    evs_fail(error, EVS_E_REFUSED,
             "The table %s of PostgreSQL has no column `%.*s`; it has %.*s. Drop the column from the rows, give it the "
             "name that the table "
             "has (`|> rename`), or add it to the table.",
             table->name, (int)name.count, name.data, (int)all.count, all.data);
    evs_buffer_fini(&all);
    return EVS_E_REFUSED;
}

static evs_status wrong_type(const struct evs_pg_table *table, const struct evs_pg_source *source,
                             const struct evs_pg_column *column, struct evs_error *error)
{
    struct evs_buffer ours = {0}, made = {0};
    const struct evs_type *type = source->type == NULL ? evs_type_of(source->kind) : source->type;
    evs_type_name(type, &ours);
    put_made(&made, type);
    evs_fail(error, EVS_E_REFUSED,
             "The column `%s` of the table %s is %s in PostgreSQL, which does not take a %.*s. Convert it in the last "
             "select (`cast(%s as …) as "
             "%s`), or make the table's column %.*s.",
             column->name, table->name, column->type, (int)ours.count, ours.data, column->name, column->name,
             (int)made.count, made.data);
    evs_buffer_fini(&ours);
    evs_buffer_fini(&made);
    return EVS_E_REFUSED;
}

static evs_status check_columns(const struct evs_pg_table *table, const struct evs_pg_source *columns, uint32_t count,
                                struct evs_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_pg_column *column = find_column(table, columns[i].name);
        if (column == NULL) {
            return no_such_column(table, columns[i].name, error);
        }
        if (column->is_generated) {
            return evs_fail(
                error, EVS_E_REFUSED,
                "The column `%s` of the table %s is filled by PostgreSQL itself (generated always): drop it "
                "from the rows.",
                column->name, table->name);
        }
        if (!fits(&columns[i], column)) {
            return wrong_type(table, &columns[i], column, error);
        }
    }
    return EVS_OK;
}

static bool is_given(const struct evs_pg_source *columns, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (evs_slice_equal(columns[i].name, evs_slice_of(name))) {
            return true;
        }
    }
    return false;
}

static evs_status check_others(const struct evs_pg_table *table, const struct evs_pg_source *columns, uint32_t count,
                               struct evs_error *error)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct evs_pg_column *column = &table->columns[i];
        if (column->not_null && !column->has_default && !column->is_generated &&
            !is_given(columns, count, column->name)) {
            return evs_fail(
                error, EVS_E_REFUSED,
                "The table %s wants a value for `%s` (not null, without a default), and the rows have no such "
                "column: add it to the last select, or give the table's column a default.",
                table->name, column->name);
        }
    }
    return EVS_OK;
}

static evs_status check_rights(const struct evs_pg_table *table, const struct evs_pg_target *target,
                               struct evs_error *error)
{
    const char *missing = !table->may_insert   ? "insert"
                          : !target->upsert    ? NULL
                          : !table->may_update ? "update"
                          : !table->may_select ? "select"
                                               : NULL;
    if (missing != NULL) {
        return evs_fail(error, EVS_E_REFUSED,
                        "PostgreSQL does not let this user write to %s: `grant %s on %s to …` is missing.", table->name,
                        missing, table->name);
    }
    return EVS_OK;
}

static evs_status check_key(const struct evs_pg_table *table, const struct evs_pg_target *target,
                            struct evs_error *error)
{
    for (uint32_t i = 0; i < target->key_count; i++) {
        const struct evs_pg_column *column = find_column(table, evs_slice_of(target->keys[i]));
        if (column != NULL && !column->not_null) {
            return evs_fail(error, EVS_E_REFUSED,
                            "The key column `%s` of the table %s may be NULL, and NULLs are never the same: each such "
                            "row would be a "
                            "new one. Declare it: alter table %s alter column %s set not null.",
                            column->name, table->name, table->name, column->quoted);
        }
    }
    if (target->upsert && !table->has_unique_key) {
        return evs_fail(error, EVS_E_REFUSED,
                        "The table %s has no primary key and no unique index on exactly the columns of `key` (%s), by "
                        "which an upsert "
                        "finds the row to change: create one, or name the columns of the one that is there.",
                        table->name, target->key_array);
    }
    return EVS_OK;
}

evs_status evs_pg_table_check(const struct evs_pg_table *table, const struct evs_pg_target *target,
                              const struct evs_pg_source *columns, uint32_t count, struct evs_error *error)
{
    evs_status status = check_rights(table, target, error);
    if (status == EVS_OK) {
        status = check_columns(table, columns, count, error);
    }
    if (status == EVS_OK) {
        status = check_others(table, columns, count, error);
    }
    return status == EVS_OK ? check_key(table, target, error) : status;
}

/* --- statements --------------------------------------------------------------------------------------------------------------- */

static void put_identifier(struct evs_buffer *sql, const char *name)
{
    evs_buffer_puts(sql, "\"");
    for (; *name != '\0'; name++) {
        evs_buffer_put(sql, name, 1);
        if (*name == '"') {
            evs_buffer_puts(sql, "\"");
        }
    }
    evs_buffer_puts(sql, "\"");
}

static void put_end(struct evs_buffer *sql)
{
    evs_buffer_put(sql, "", 1);
}

static bool is_key(const struct evs_pg_target *target, struct evs_slice name)
{
    for (uint32_t i = 0; i < target->key_count; i++) {
        if (evs_slice_equal(evs_slice_of(target->keys[i]), name)) {
            return true;
        }
    }
    return false;
}

void evs_pg_put_create(const struct evs_pg_target *target, const struct evs_schema *schema, struct evs_buffer *sql)
{
    evs_buffer_printf(sql, "create table if not exists %s (", target->table);
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct evs_field *field = &schema->fields[i];
        evs_buffer_puts(sql, i == 0 ? "" : ", ");
        put_identifier(sql, field->name);
        evs_buffer_puts(sql, " ");
        put_made(sql, field->type);
        evs_buffer_puts(sql, field->nullable && !is_key(target, evs_slice_of(field->name)) ? "" : " not null");
    }
    for (uint32_t i = 0; i < target->key_count; i++) {
        evs_buffer_puts(sql, i == 0 ? ", primary key (" : ", ");
        put_identifier(sql, target->keys[i]);
    }
    evs_buffer_puts(sql, target->key_count > 0 ? "))" : ")");
    put_end(sql);
}

static void put_moved(const struct evs_pg_table *table, struct evs_buffer *sql)
{
    evs_buffer_printf(
        sql,
        "with moved as (update %s.evstream_cursor set epoch = $4::bigint, position = $5::bigint, moved_at = now()"
        " where pipeline = $1 and sink = $2 and owner = $3::bigint and epoch = $6::bigint and position = $7::bigint"
        " returning 1)",
        table->schema);
}

/* An element of a JSON array as an element of an array of PostgreSQL. */
static void put_elements(struct evs_buffer *sql, const struct evs_pg_column *column, uint32_t number)
{
    bool is_json = strcmp(column->element_type, "jsonb") == 0 || strcmp(column->element_type, "json") == 0;
    bool is_bytes = strcmp(column->element_type, "bytea") == 0;
    evs_buffer_printf(sql, "case when r.c%u is null then null else array(select ", number);
    if (is_json) {
        evs_buffer_printf(sql, "nullif(e.v, 'null'::jsonb)::%s from jsonb_array_elements", column->element_type);
    } else {
        evs_buffer_printf(sql, is_bytes ? "decode(e.v, 'base64')" : "e.v::%s", column->element_type);
        evs_buffer_puts(sql, " from jsonb_array_elements_text");
    }
    evs_buffer_printf(sql, "(r.c%u::jsonb) with ordinality as e(v, n) order by e.n) end", number);
}

static void put_value(struct evs_buffer *sql, const struct evs_pg_source *source, const struct evs_pg_column *column,
                      uint32_t number)
{
    if (source->kind == EVS_ARRAY && column->element_type[0] != '\0') {
        put_elements(sql, column, number);
    } else {
        evs_buffer_printf(sql, "r.c%u::%s", number, column->type);
    }
}

/* The rows of a batch, each with the number of its place. */
static void put_rows(struct evs_buffer *sql, const struct evs_pg_table *table, const struct evs_pg_source *columns,
                     uint32_t count)
{
    evs_buffer_puts(sql, "select ");
    for (uint32_t i = 0; i < count; i++) {
        put_value(sql, &columns[i], find_column(table, columns[i].name), i + 1);
        evs_buffer_printf(sql, " as c%u, ", i + 1);
    }
    evs_buffer_puts(sql, "r.n from unnest(");
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_printf(sql, "%s$%u::text[]", i == 0 ? "" : ", ", EVS_PG_CURSOR_PARAMETERS + i + 1);
    }
    evs_buffer_puts(sql, ") with ordinality as r(");
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_printf(sql, "c%u, ", i + 1);
    }
    evs_buffer_puts(sql, "n) where exists (select from moved)");
}

static void put_names(struct evs_buffer *sql, const struct evs_pg_table *table, const struct evs_pg_source *columns,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_printf(sql, "%s%s", i == 0 ? "" : ", ", find_column(table, columns[i].name)->quoted);
    }
}

/* Of several rows of one key in a batch the last one counts: PostgreSQL does not change a row twice in a statement. It is the server that says which keys
 * are the same. */
static void put_last_of_key(struct evs_buffer *sql, const struct evs_pg_target *target,
                            const struct evs_pg_source *columns, uint32_t count)
{
    for (uint32_t i = 0, keys = 0; i < count; i++) {
        if (is_key(target, columns[i].name)) {
            evs_buffer_printf(sql, "%sc%u", keys++ == 0 ? "" : ", ", i + 1);
        }
    }
}

static void put_changes(struct evs_buffer *sql, const struct evs_pg_table *table, const struct evs_pg_target *target,
                        const struct evs_pg_source *columns, uint32_t count)
{
    uint32_t changes = 0;
    evs_buffer_puts(sql, " on conflict (");
    for (uint32_t i = 0; i < target->key_count; i++) {
        evs_buffer_printf(sql, "%s%s", i == 0 ? "" : ", ", find_column(table, evs_slice_of(target->keys[i]))->quoted);
    }
    evs_buffer_puts(sql, ") do ");
    for (uint32_t i = 0; i < count; i++) {
        if (!is_key(target, columns[i].name)) {
            const char *name = find_column(table, columns[i].name)->quoted;
            evs_buffer_printf(sql, "%s%s = excluded.%s", changes++ == 0 ? "update set " : ", ", name, name);
        }
    }
    evs_buffer_puts(sql, changes == 0 ? "nothing" : "");
}

void evs_pg_put_batch(const struct evs_pg_table *table, const struct evs_pg_target *target,
                      const struct evs_pg_source *columns, uint32_t count, struct evs_buffer *sql)
{
    put_moved(table, sql);
    evs_buffer_printf(sql, ", stored as (insert into %s.%s (", table->schema, table->relation);
    put_names(sql, table, columns, count);
    evs_buffer_puts(sql, ") select ");
    if (target->upsert) {
        evs_buffer_puts(sql, "distinct on (");
        put_last_of_key(sql, target, columns, count);
        evs_buffer_puts(sql, ") ");
    }
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_printf(sql, "%sc%u", i == 0 ? "" : ", ", i + 1);
    }
    evs_buffer_puts(sql, " from (");
    put_rows(sql, table, columns, count);
    evs_buffer_puts(sql, ") as t order by ");
    if (target->upsert) {
        put_last_of_key(sql, target, columns, count);
        evs_buffer_puts(sql, ", n desc");
        put_changes(sql, table, target, columns, count);
    } else {
        evs_buffer_puts(sql, "n");
    }
    evs_buffer_puts(sql, ") select count(*) from moved");
    put_end(sql);
}

void evs_pg_put_refusal(const struct evs_pg_table *table, struct evs_buffer *sql)
{
    put_moved(table, sql);
    evs_buffer_printf(sql,
                      ", stored as (insert into %s.evstream_refused (pipeline, sink, epoch, position, id, reason)"
                      " select $1, $2, $4::bigint, $5::bigint, $8, $9 from moved) select count(*) from moved",
                      table->schema);
    put_end(sql);
}

void evs_pg_put_bookkeeping(const struct evs_pg_table *table, struct evs_buffer *sql)
{
    evs_buffer_printf(
        sql,
        "do $do$ begin"
        " create table if not exists %s.evstream_cursor (pipeline text not null, sink text not null,"
        " owner bigint not null, epoch bigint not null, position bigint not null,"
        " moved_at timestamptz not null default now(), primary key (pipeline, sink)) with (fillfactor = 20);"
        " create table if not exists %s.evstream_refused (pipeline text not null, sink text not null,"
        " epoch bigint not null, position bigint not null, id text not null, reason text not null,"
        " refused_at timestamptz not null default now(), primary key (pipeline, sink, epoch, position));"
        " end $do$",
        table->schema, table->schema);
    put_end(sql);
}

void evs_pg_put_claim(const struct evs_pg_table *table, struct evs_buffer *sql)
{
    evs_buffer_printf(
        sql,
        "insert into %s.evstream_cursor as c (pipeline, sink, owner, epoch, position)"
        " values ($1, $2, $3::bigint, 0, 0)"
        " on conflict (pipeline, sink) do update set owner = excluded.owner where c.owner <= excluded.owner"
        " returning owner, epoch, position",
        table->schema);
    put_end(sql);
}

void evs_pg_put_position(const struct evs_pg_table *table, struct evs_buffer *sql)
{
    evs_buffer_printf(sql, "select owner, epoch, position from %s.evstream_cursor where pipeline = $1 and sink = $2",
                      table->schema);
    put_end(sql);
}

/* Those that no outbox can hold any more are forgotten on the way. */
void evs_pg_put_refused(const struct evs_pg_table *table, struct evs_buffer *sql)
{
    evs_buffer_printf(sql,
                      "with old as (delete from %s.evstream_refused where pipeline = $1 and sink = $2"
                      " and refused_at < now() - interval '30 days')"
                      " select epoch, position, reason from %s.evstream_refused where pipeline = $1 and sink = $2"
                      " order by epoch, position",
                      table->schema, table->schema);
    put_end(sql);
}
