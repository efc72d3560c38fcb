#include "pg_error.h"

#include <string.h>

/* Prefixes of SQLSTATEs, the longer ones of a class before it. What is not here may pass: the retry policy ends it when it does not. */
static const struct {
    const char *state;
    enum evs_pg_cause cause;
} causes[] = {
    {"25006", EVS_PG_READ_ONLY}, /* read_only_sql_transaction */
    {"0A000", EVS_PG_SCHEMA},    /* "cached plan must not change result type", and what a view does not support */
    {"3F", EVS_PG_SCHEMA},       /* invalid_schema_name */
    {"42", EVS_PG_SCHEMA},       /* no such table or column, another type, no permission */
    {"22", EVS_PG_ROW},          /* data_exception: too long, out of range, not such a value */
    {"23", EVS_PG_ROW},          /* integrity_constraint_violation */
    {"21", EVS_PG_ROW},          /* cardinality_violation, of a trigger's own statements */
    {"27", EVS_PG_ROW},          /* triggered_data_change_violation */
    {"2F", EVS_PG_ROW},          /* sql_routine_exception, and the next two: a trigger says no */
    {"38", EVS_PG_ROW},          {"39", EVS_PG_ROW}, {"44", EVS_PG_ROW}, /* with_check_option_violation */
    {"54", EVS_PG_ROW}, /* program_limit_exceeded: a row or an index entry is too large */
    {"P0", EVS_PG_ROW}, /* raise exception in a trigger */
};

static const char *field_of(const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);
    return text == NULL ? "" : text;
}

enum evs_pg_cause evs_pg_cause_of(const PGresult *result)
{
    const char *state = field_of(result, PG_DIAG_SQLSTATE);
    /* A policy of row-level security refuses a row under the code of a missing permission. */
    if (strcmp(state, "42501") == 0 && strcmp(field_of(result, PG_DIAG_SOURCE_FUNCTION), "ExecWithCheckOptions") == 0) {
        return EVS_PG_ROW;
    }
    for (size_t i = 0; i < EVS_COUNT(causes); i++) {
        if (strncmp(state, causes[i].state, strlen(causes[i].state)) == 0) {
            return causes[i].cause;
        }
    }
    return EVS_PG_AGAIN;
}

void evs_pg_put_error(const PGresult *result, struct evs_buffer *out)
{
    const char *state = field_of(result, PG_DIAG_SQLSTATE), *detail = field_of(result, PG_DIAG_MESSAGE_DETAIL);
    evs_buffer_printf(out, "%s%s%s", state, state[0] == '\0' ? "" : ": ", field_of(result, PG_DIAG_MESSAGE_PRIMARY));
    if (detail[0] != '\0') {
        evs_buffer_printf(out, " (%s)", detail);
    }
}
