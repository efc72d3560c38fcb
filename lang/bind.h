/* The binder: from the syntax tree to relations. What its files share; nobody outside lang/bind_*.c, lang/plan_*.c and compile.c includes it.
 *
 *   bind_report.c     diagnostics
 *   bind_name.c       what is declared: entities, did-you-mean         bind_scope.c      what names mean at one place of a query
 *   bind_option.c     options against their tables                     bind_expr.c       syntax to typed expressions
 *   bind_setting.c    pipeline, set, param                             bind_literal.c    literals, intervals, constants
 *   bind_source.c     sources: columns, watermark                      bind_query.c      from, chains, tee, insert
 *   bind_nested.c     arrays and structs                               bind_subquery.c   queries over an array of the row
 *   bind_path.c       paths of columns                                 bind_rowwise.c    where, select, extend, set, drop, rename, as
 *   bind_sink.c       sinks, inserts, dead letters                     bind_union.c      union all
 *   bind_table.c      tables: looked up, or kept from a stream         bind_join.c       joins of streams; bind_join_on.c: their conditions
 *                                                                      bind_table_join.c joins with tables
 *   bind_window.c     windows, emit, retain                            bind_aggregate.c  aggregate … group by
 *   bind_check.c      assert, log, describe                            bind_unnest.c     join unnest(array)
 *   bind_identity.c   resolve identity
 *   bind_keyed.c      deduplicate, throttle, sample, hold                bind_top.c        top, order by, limit
 *   bind_over.c       window functions                                 bind_over_call.c  one of them
 *
 * Errors: a function that finds one reports it and returns false or NULL; its caller stays silent about what follows from it. Binding goes
 * on with the next statement, operator or item where that makes sense, so that one run reports many errors. */
#ifndef EVS_BIND_H
#define EVS_BIND_H

#include "ast.h"
#include "compile.h"
#include "name_index.h"
#include "observe.h"
#include "parser.h"
#include "rel.h"

/* --- what is declared ------------------------------------------------------------------------------------------------- */

enum evs_entity_kind { EVS_ENTITY_SOURCE, EVS_ENTITY_TABLE, EVS_ENTITY_STREAM, EVS_ENTITY_SINK, EVS_ENTITY_PARAM };
enum evs_entity_state { EVS_ENTITY_UNBOUND, EVS_ENTITY_BINDING, EVS_ENTITY_BOUND, EVS_ENTITY_BROKEN };

struct evs_entity {
    enum evs_entity_kind kind;
    enum evs_entity_state state;
    const char *name;       /* as declared */
    struct evs_place place; /* of the name */
    const struct evs_ast_statement *statement;
    bool is_used;
    const struct evs_type *type; /* a parameter's */
    union {
        struct evs_bound_source *source;
        struct evs_bound_sink *sink;
        struct evs_bound_table *table;
        struct evs_scope *stream;
        struct evs_value value; /* a parameter's */
    };
};

/* The system columns of a source, behind its own. */
enum evs_system_column {
    EVS_SYSTEM_SUBJECT,
    EVS_SYSTEM_SEQUENCE,
    EVS_SYSTEM_INGESTED_AT,
    EVS_SYSTEM_HEADERS,
    EVS_SYSTEM_PARTITION,
    EVS_SYSTEM_COLUMNS
};

struct evs_bound_source {
    const char *name;
    struct evs_place place;
    const struct evs_source *connector;
    const void *config;
    const struct evs_decode_format *format;
    const char *label;     /* "nats (stream = 'CLICKS')" */
    struct evs_slice file; /* that it reads; count 0: none */
    struct evs_decode_column *columns;
    struct evs_field *fields;
    uint32_t column_count;            /* without the system columns */
    const struct evs_expr *watermark; /* over all columns; NULL: none */
    uint32_t watermark_column;
    int64_t watermark_delay_us; /* -1: not of the form `column - constant` */
    int64_t idle_timeout_us, future_skew_us, row_bytes_max;
    bool future_keep, fail_on_error;
    uint32_t partitions;
    bool has_many; /* partitions, perhaps: a connector that finds them when it is opened counts as one */
    const uint32_t
        *partition_key; /* columns: the first that is not NULL decides on the partition; count 0: not known */
    uint32_t partition_key_count;
    struct evs_entity *dead_letter; /* a sink, or NULL */
    struct evs_rel *scan;
};

/* A table: looked up in a connector, or kept from a stream. */
struct evs_bound_table {
    const char *name;
    struct evs_place place;
    struct evs_decode_column *columns;
    struct evs_field *fields;
    uint32_t column_count;
    const uint32_t *keys; /* the columns of the primary key */
    uint32_t key_count;
    const struct evs_lookup_table *lookup; /* NULL: it is kept from a stream */
    const uint32_t *values;                /* a column → that of the looked-up value; EVS_NO_COLUMN: it is a key */
    struct evs_slice key_text;             /* template of the key; count 0: the connector wants the columns */
    struct evs_place key_place;
    const char *label;    /* "redis (key = 'profile:{user_id}')" */
    struct evs_rel *rows; /* kept: the query's rows, one column for each of the table's */
    int64_t retain_us;
};

/* One stream of rows into a sink. */
struct evs_insert {
    struct evs_rel_input input;
    struct evs_place place;
    struct evs_insert *next;
};

struct evs_bound_sink {
    const char *name;
    struct evs_place place;
    const struct evs_sink *connector;
    const void *config;
    const struct evs_format *format;
    const struct evs_option_value *format_values;
    struct evs_place format_place;
    struct evs_slice address; /* text of the address option; count 0: none */
    struct evs_place address_place;
    struct evs_slice file; /* that it writes; count 0: none */
    const char *label;
    bool is_replaced;            /* its connector, by --sink */
    bool delivery_is_set, exact; /* `delivery` of the sink or of the pipeline */
    struct evs_place delivery_place;
    struct evs_place dead_place; /* who sends dead rows; a file of NULL: nobody */
    struct evs_insert *inserts, **insert_end;
};

struct evs_settings {
    const struct evs_option_value *values;         /* of the table of settings; in its order */
    const struct evs_ast_statement *statement[32]; /* where a setting was set; NULL: it was not */
    struct evs_entity *dead_letter;
};

/* A file's name in the texts, and its copy in the plan. */
struct evs_file_name {
    const char *original, *copy;
};

struct evs_binder {
    struct evs_arena *arena; /* the plan's: everything that is bound lives there */
    struct evs_diagnostics *diagnostics;
    const struct evs_compile_options *options;
    const struct evs_script *script;
    struct evs_rels rels;
    struct evs_entity **entities;
    uint32_t entity_count, entity_capacity;
    struct evs_name_index entity_names, param_names; /* into entities */
    struct evs_name_index used_files;                /* what sources read and sinks write: into entities */
    struct evs_file_name *files;
    uint32_t file_count, file_capacity;
    struct evs_settings settings;
    const char *pipeline;
    struct evs_error *usage_error; /* filled when the command line is wrong */
    bool is_usage_error;
    uint32_t query_count;
};

/* --- bind_report.c ------------------------------------------------------------------------------------------------------ */

/* As evs_diag and evs_diag_note, for places of the texts and of the plan alike: what is reported outlives the plan. */
struct evs_diag *evs_report(struct evs_binder *binder, enum evs_code code, struct evs_place place, const char *format,
                            ...) EVS_PRINTF(4, 5);
void evs_report_note(struct evs_binder *binder, struct evs_diag *diag, struct evs_place place, const char *format, ...)
    EVS_PRINTF(4, 5);
/* An error of another part as a diagnostic: its sentence without the capital and the full stop. */
struct evs_diag *evs_report_error(struct evs_binder *binder, enum evs_code code, struct evs_place place,
                                  const struct evs_error *error);

/* --- bind_warn.c -------------------------------------------------------------------------------------------------------- */

/* Of an expression that was bound. */
void evs_warn_expr(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr);
/* Of a condition that decides which rows pass. */
void evs_warn_filter(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_expr *expr);
/* Of conditions that are held against each other; NULL: one that is wrong. */
void evs_warn_conditions(struct evs_binder *binder, bool is_and, const struct evs_ast_expr *const *asts,
                         const struct evs_expr *const *exprs, uint32_t count);

/* --- bind_name.c ------------------------------------------------------------------------------------------------------ */

/* Declares everything that the script declares; reports names declared twice. */
void evs_bind_declare(struct evs_binder *binder);
struct evs_entity *evs_entity_find(const struct evs_binder *binder, bool is_param, struct evs_slice name);
struct evs_entity *evs_entity_add(struct evs_binder *binder, enum evs_entity_kind kind, const char *name,
                                  struct evs_place place);
/* Finds the sink of a name, or reports and returns NULL. Marks it used. */
struct evs_entity *evs_bind_sink_name(struct evs_binder *binder, const struct evs_ident *name);
/* Offers the names of all entities of the kinds (bit 1 << kind) as did-you-mean. */
void evs_entity_offer(const struct evs_binder *binder, uint32_t kinds, struct evs_nearest *nearest);
void evs_bind_warn_unused(struct evs_binder *binder);
/* Checks --source and --sink; false: `usage_error` tells what is wrong. */
bool evs_bind_check_overrides(struct evs_binder *binder);
/* "CONNECTOR:ARGUMENT" of the last override of a name, or NULL. */
const char *evs_bind_override_of(const char *const *overrides, uint32_t count, const char *name);

const char *evs_bind_text(struct evs_binder *binder, struct evs_slice text); /* a copy in the plan's arena */
struct evs_place evs_bind_place(struct evs_binder *binder,
                                struct evs_place place); /* with the file's name in the plan's arena */
bool evs_name_equal(const char *a, const char *b);       /* case-insensitive */

/* --- bind_option.c ---------------------------------------------------------------------------------------------------- */

/* Who has the options: for messages. */
struct evs_option_owner {
    const char *what;       /* "connector nats", "format cloudevents", "source clicks" */
    struct evs_place place; /* of the connector's word: where a missing option is told */
};
/* Tables that one list of options is bound against: the connector's own, and the common ones behind it. NULL entries are skipped. */
#define EVS_OPTION_TABLES 2
bool evs_bind_options(struct evs_binder *binder, struct evs_option_owner owner, const struct evs_ast_option *options,
                      uint32_t count, const struct evs_option *const tables[EVS_OPTION_TABLES],
                      const struct evs_option_value *values[EVS_OPTION_TABLES]);
/* The defaults of a table, with its main option (the first required one, else the first) set to `argument`: --source, --sink. */
bool evs_bind_override(struct evs_binder *binder, const char *what, const char *argument,
                       const struct evs_option *table, const struct evs_option_value **values);
/* One value written in the file. */
bool evs_bind_option_value(struct evs_binder *binder, const struct evs_option *option, const struct evs_ast_expr *expr,
                           struct evs_option_value *value);
const struct evs_option_value *evs_option_defaults(struct evs_binder *binder, const struct evs_option *table);
/* "nats (stream = 'CLICKS', subject = 'clicks.>')": what the user set, without secrets. */
/* "50 ms", "1 d": in the largest unit that is whole. */
void evs_put_duration(struct evs_buffer *out, int64_t us);
/* The file that an option names, without `./` before it; empty where `option` is NULL and for `-`, the standard streams. */
struct evs_slice evs_bind_file(const char *option, const struct evs_option_value *values);
const char *evs_option_label(struct evs_binder *binder, const char *kind, const struct evs_option *table,
                             const struct evs_option_value *values);
/* The place of an option's value in a list; the fallback when it is not there. */
struct evs_place evs_option_place(const struct evs_ast_connector *connector, const char *name);

/* --- bind_setting.c --------------------------------------------------------------------------------------------------- */

void evs_bind_settings(struct evs_binder *binder); /* pipeline, param, set */
const struct evs_option_value *evs_setting(const struct evs_binder *binder, const char *name);
struct evs_place evs_setting_place(struct evs_binder *binder, const char *name); /* no file: it is not set */
/* Options that every source, or every sink, takes beside its connector's. */
extern const struct evs_option evs_source_options[], evs_sink_options[], evs_table_options[];
extern const struct evs_option *const evs_setting_options; /* all settings but dead_letter, which names a sink */

/* --- bind_source.c, bind_sink.c --------------------------------------------------------------------------------------- */

/* Binds on first use. NULL when the declaration is wrong (reported). */
struct evs_bound_source *evs_bind_source(struct evs_binder *binder, struct evs_entity *entity);
struct evs_bound_sink *evs_bind_sink(struct evs_binder *binder, struct evs_entity *entity);
struct evs_bound_table *evs_bind_table(struct evs_binder *binder, struct evs_entity *entity);
/* Checks declarations that no query uses. */
void evs_bind_rest(struct evs_binder *binder);
bool evs_bind_columns(struct evs_binder *binder, const struct evs_ast_columns *columns, struct evs_field *fields,
                      struct evs_decode_column *decode);
/* Sends dead rows of a source into a sink. */
void evs_bind_dead_rows(struct evs_binder *binder, struct evs_entity *entity, struct evs_place place);
/* Adds an insert of rows; the output's columns must have names, and those of the sink's other inserts. */
void evs_bind_insert(struct evs_binder *binder, struct evs_entity *entity, struct evs_rel_input input,
                     struct evs_place place);
/* The sink of a query that prints. */
struct evs_entity *evs_bind_print_sink(struct evs_binder *binder, struct evs_rel_input input, struct evs_place place);
/* Makes the sinks' relations, when all queries and their sources are bound. */
void evs_bind_sink_rels(struct evs_binder *binder);

/* --- bind_scope.c ----------------------------------------------------------------------------------------------------- */

struct evs_scope_column {
    const char *name; /* NULL: an expression without a name */
    const struct evs_expr *expr;
};
struct evs_columns {
    struct evs_scope_column *items;
    uint32_t count, capacity;
};
/* A range variable: the row as it stood when it was named. */
struct evs_range {
    const char *name;
    struct evs_columns columns;
};
#define EVS_RANGES_MAX 8

/* A call with `over (…)`, and the column that it has become. */
struct evs_over_column {
    const struct evs_ast_expr *ast;
    const struct evs_expr *expr;
};

/* What is visible at one place of a query. Every expression is over the columns of `base`; the columns that operators have computed since
 * are pending: they are made into one projection when something needs them as columns (evs_scope_settle). So select, extend, set, drop and
 * rename in a row cost one projection at most, and a condition on unchanged columns filters before it. */
struct evs_scope {
    struct evs_rel *base;
    const struct evs_expr **filters; /* pending too: they come before the projection */
    uint32_t filter_count, filter_capacity;
    struct evs_columns columns; /* in order: what `*` means */
    struct evs_columns system; /* _subject …: not part of `*`, found by name; they follow the row like its event time */
    struct evs_range ranges[EVS_RANGES_MAX];
    uint32_t range_count;
    /* In a query inside an expression: columns behind those of the base, the elements and offsets of the arrays that are open. */
    const struct evs_field *elements;
    uint32_t element_count;
    bool is_broken;                      /* an operator was wrong: nothing more is known */
    const struct evs_ast_pipe *next;     /* the operator behind the one that is being bound; NULL: none */
    const struct evs_over_column *overs; /* of the operator that is being bound: its window functions as columns */
    uint32_t over_count;
};

void evs_columns_add(struct evs_binder *binder, struct evs_columns *columns, const char *name,
                     const struct evs_expr *expr);
/* How many columns have the name; the first of them in *found. */
uint32_t evs_columns_find(const struct evs_columns *columns, struct evs_slice name,
                          const struct evs_scope_column **found);
struct evs_columns evs_columns_copy(struct evs_binder *binder, const struct evs_columns *columns);
/* A copy that can go its own way: for branches and for uses of a stream. */
struct evs_scope evs_scope_copy(struct evs_binder *binder, const struct evs_scope *scope);
/* The only range variable is now `name`, with all columns. */
void evs_scope_range(struct evs_binder *binder, struct evs_scope *scope, const char *name);
/* Lays pending filters and expressions down: afterwards every name is a column of `base`, and no filter is pending. */
void evs_scope_settle(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place);
/* The same, and the expressions (over the columns of the base, as pending ones are) become columns too: their numbers in the new base go to
 * `numbers`. For operators that need keys or arguments as columns. */
void evs_scope_settle_with(struct evs_binder *binder, struct evs_scope *scope, const struct evs_expr *const *exprs,
                           uint32_t count, uint32_t *numbers, struct evs_place place);
/* The pending filters alone. */
void evs_scope_settle_filters(struct evs_binder *binder, struct evs_scope *scope);
/* A projection of exactly these columns over the settled filters. */
struct evs_rel *evs_scope_project(struct evs_binder *binder, struct evs_scope *scope, const struct evs_columns *columns,
                                  struct evs_place place);
/* Settles when a pending expression has grown large, so that repeated use cannot blow trees up. */
void evs_scope_limit(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place);
/* True when the expression is the event-time column of the base. */
bool evs_scope_is_event_time(const struct evs_scope *scope, const struct evs_expr *expr);

/* --- bind_expr.c, bind_literal.c -------------------------------------------------------------------------------------- */

struct evs_aggregation;

/* Where an expression stands. */
struct evs_context {
    struct evs_scope *scope; /* NULL: constants only */
    const char *place;       /* for messages when there are no columns: "a default" */
    struct evs_aggregation
        *aggregation;              /* the items of an aggregate: calls of aggregate functions are collected there */
    struct evs_match_scope *match; /* conditions and results of sequence and match_recognize (bind_measure.h) */
    bool in_aggregate;             /* inside the argument of such a call */
    bool used_computed;            /* out: a pending computed column was read */
};

/* NULL: reported. */
const struct evs_expr *evs_bind_expr(struct evs_binder *binder, struct evs_context *context,
                                     const struct evs_ast_expr *ast);
/* Binds and folds an expression without columns. */
bool evs_bind_constant(struct evs_binder *binder, const struct evs_ast_expr *ast, const char *where,
                       struct evs_value *value);
/* A positive or any constant interval without months, in µs. */
bool evs_bind_duration(struct evs_binder *binder, const struct evs_ast_expr *ast, const char *where, int64_t *us);
const struct evs_expr *evs_bind_literal(struct evs_binder *binder, const struct evs_ast_expr *ast);
const struct evs_expr *evs_bind_interval(struct evs_binder *binder, struct evs_context *context,
                                         const struct evs_ast_expr *ast);
const struct evs_expr *evs_bind_path(struct evs_binder *binder, struct evs_context *context,
                                     const struct evs_ast_expr *ast);
/* A resolved type, or NULL (reported). */
const struct evs_type *evs_bind_type(struct evs_binder *binder, const struct evs_ast_type *type);
/* A value of a text given from outside or as a literal: cast, folded, copied into the plan's arena. False: `error` says why. */
bool evs_bind_cast_text(struct evs_binder *binder, struct evs_slice text, enum evs_kind kind, struct evs_place place,
                        struct evs_value *value, struct evs_error *error);
/* The same for every type: an array is given as JSON. */
bool evs_bind_given(struct evs_binder *binder, struct evs_slice text, const struct evs_type *type,
                    struct evs_place place, struct evs_value *value, struct evs_error *error);
/* Coerces a constant to a type and copies its text. */
bool evs_bind_coerced(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_type *type,
                      const char *where, struct evs_value *value);
struct evs_value evs_bind_own(struct evs_binder *binder, struct evs_value value); /* its text in the plan's arena */
/* The name that an expression gives its column: its own, its last path part, its function; NULL: none. */
const char *evs_bind_item_name(struct evs_binder *binder, const struct evs_ident *alias,
                               const struct evs_ast_expr *expr);

/* --- bind_nested.c ------------------------------------------------------------------------------------------------------ */

const struct evs_expr *evs_bind_array(struct evs_binder *binder, struct evs_context *context,
                                      const struct evs_ast_expr *ast);
const struct evs_expr *evs_bind_struct(struct evs_binder *binder, struct evs_context *context,
                                       const struct evs_ast_expr *ast);
const struct evs_expr *evs_bind_index(struct evs_binder *binder, struct evs_context *context,
                                      const struct evs_ast_expr *ast);
const struct evs_expr *evs_bind_in_unnest(struct evs_binder *binder, struct evs_context *context,
                                          const struct evs_ast_expr *ast);
/* (select …), exists(select …), array(select …) over the elements of an array (bind_subquery.c). */
const struct evs_expr *evs_bind_subquery(struct evs_binder *binder, struct evs_context *context,
                                         const struct evs_ast_expr *ast);
/* expr.name, of json or a struct. `whole`: the place of all of it. */
const struct evs_expr *evs_bind_member(struct evs_binder *binder, const struct evs_expr *expr,
                                       const struct evs_ident *name, struct evs_place whole);

/* --- bind_rowwise.c, bind_union.c --------------------------------------------------------------------------------------- */

/* where, select, extend, set, drop, rename, as. False: wrong (reported). */
bool evs_bind_row_operator(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_union(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
/* The one column of a name in a list, or NULL (reported). */
const struct evs_scope_column *evs_bind_expect_column(struct evs_binder *binder, const struct evs_columns *columns,
                                                      const struct evs_ident *name);
/* A bare NULL has no type; as a column it is an int64, as in GoogleSQL. */
const struct evs_expr *evs_bind_typed(struct evs_binder *binder, const struct evs_expr *expr);
/* A condition: coerced to bool, or NULL (reported). */
const struct evs_expr *evs_bind_bool(struct evs_binder *binder, const struct evs_expr *expr, struct evs_place place);

/* --- bind_query.c, bind_aggregate.c ----------------------------------------------------------------------------------- */

void evs_bind_queries(struct evs_binder *binder);
/* What stands behind from or join: a source, a stream or a query. */
bool evs_bind_from(struct evs_binder *binder, const struct evs_ast_relation *from, struct evs_scope *scope);
bool evs_bind_join(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
/* Binds a query that gives its rows to somebody else. False: broken. */
bool evs_bind_query(struct evs_binder *binder, const struct evs_ast_query *query, struct evs_scope *scope);
void evs_bind_aggregate(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
/* bind_distinct.c: rows that are equal in all columns become one. False: wrong (reported). */
bool evs_bind_distinct(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place);
bool evs_aggregate_known(struct evs_slice name);
void evs_aggregate_offer(struct evs_nearest *nearest);
/* In the items of an aggregate: a call of an aggregate function, or a column that must be a key. */
const struct evs_expr *evs_bind_aggregate_call(struct evs_binder *binder, struct evs_context *context,
                                               const struct evs_ast_expr *ast);
const struct evs_expr *evs_bind_aggregate_path(struct evs_binder *binder, struct evs_context *context,
                                               const struct evs_ast_expr *ast);

/* --- bind_check.c, bind_unnest.c ----------------------------------------------------------------------------------------- */

bool evs_bind_assert(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
void evs_bind_describe(struct evs_binder *binder, const struct evs_scope *scope, const struct evs_ast_pipe *pipe);
/* Shows the scope's rows in the log; the scope is used up. */
void evs_bind_log(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place);
bool evs_bind_call_operator(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_unnest(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);

/* --- bind_measure.c, bind_sequence.c, bind_match.c -------------------------------------------------------------------- */

const struct evs_expr *evs_bind_match_path(struct evs_binder *binder, struct evs_context *context,
                                           const struct evs_ast_expr *ast);
const struct evs_expr *evs_bind_match_call(struct evs_binder *binder, struct evs_context *context,
                                           const struct evs_ast_expr *ast);
bool evs_match_is_number(struct evs_slice function); /* match_number */
bool evs_bind_sequence(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_match_recognize(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);

/* --- bind_keyed.c, bind_identity.c, bind_top.c, bind_over.c ---------------------------------------------------------------------------- */

bool evs_bind_deduplicate(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_throttle(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_sample(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_identity(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_hold(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_top(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_order(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
bool evs_bind_limit(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
/* Makes columns of all calls with `over (…)` in the items of select, extend or set, before the items are bound. */
bool evs_bind_overs(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe);
/* The column of such a call, or NULL (reported). */
const struct evs_expr *evs_bind_over_call(struct evs_binder *binder, struct evs_context *context,
                                          const struct evs_ast_expr *ast);
/* The visible column that is this end of the rows' windows, unchanged; NULL: none. */
const struct evs_expr *evs_bind_edge(const struct evs_scope *scope, enum evs_window_edge edge);

/* --- plan_build.c ----------------------------------------------------------------------------------------------------- */

/* Lays the relations out as nodes and edges. False: reported. */
bool evs_plan_build(struct evs_binder *binder, struct evs_plan *plan);

#endif
