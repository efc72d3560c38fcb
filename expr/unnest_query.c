/* Queries over the elements of an array of the row: array(select f(x) from unnest(a) as x where g(x)), and casts between arrays.
 *
 *   outer rows        1: [a, b]      2: [c]          the call's arguments: the array, and the columns that f and g read ("captured")
 *   inner batch       1a  1b  2c  …                  columns: 0 the element, 1 its offset, 2… the captured values of its row
 *   inner program     where, and the value where it holds
 *   results           1: [f(a), f(b)]  2: [f(c)]
 *
 * The inner expressions are an ordinary program over an ordinary batch, so they are as vectorised as any; an inner batch is filled by the
 * elements of many rows. Everything else that a query over an array can be (counts, sums, exists, one value) is a function of the array
 * that this gives, which the binder puts round it. Memory: the inner evaluation belongs to the step's slot; the inner batch's arena is
 * reset at each run. A failure of an element is one of its row; the elements of that row are then no longer looked at. */
#include "unnest_query.h"

#include "nested_tools.h"

#define OWN_COLUMNS 2 /* element, offset */

/* What the plan has prepared: output 0 is the value, output 1, if there is one, the condition. */
struct query {
    const struct evs_program *program;
    const struct evs_expr_body *body;
    uint32_t column_count;
};

struct evs_inner {
    struct evs_eval *eval;
    struct evs_arena arena; /* of one run: what the inner batch and its results point to */
    struct evs_column *columns;
    int64_t *event_time;
    uint32_t *owner; /* the outer row of each element */
    uint32_t count;
};

/* --- building ------------------------------------------------------------------------------------------------------ */

static evs_status prepare_query(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                struct evs_error *error)
{
    const struct evs_expr_body *body = expr->body;
    EVS_ASSERT(body != NULL);
    struct query *query = EVS_ARENA_NEW(arena, struct query);
    const struct evs_expr *outputs[] = {body->value, body->where};
    query->body = body;
    query->column_count = OWN_COLUMNS + expr->argument_count - 1;
    *prepared = query;
    return evs_program_compile(arena, outputs, body->where != NULL ? 2 : 1, &query->program, error);
}

/* The value is asked for only where the condition holds: elsewhere it may fail. */
static evs_status guard_value(struct evs_arena *arena, struct evs_expr_body *body, struct evs_place place,
                              struct evs_error *error)
{
    const struct evs_type *type = body->value->type;
    if (type->kind == EVS_NULL_KIND) {
        type = evs_type_of(EVS_INT64);
        const evs_status status = evs_expr_coerce(arena, body->value, type, &body->value, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    if (body->where == NULL) {
        return EVS_OK;
    }
    const struct evs_value null = {.kind = type->kind, .is_null = true};
    const struct evs_expr *branches[] = {body->where, body->value, evs_expr_constant_of(arena, type, null, place)};
    return evs_expr_special(arena, EVS_EXPR_CASE, branches, 3, place, &body->value, error);
}

evs_status evs_expr_unnest(struct evs_arena *arena, const struct evs_expr *array, const struct evs_expr_body *body,
                           const struct evs_expr **captured, uint32_t captured_count, struct evs_place place,
                           const struct evs_expr **result, struct evs_error *error)
{
    EVS_ASSERT(array->type->kind == EVS_ARRAY);
    struct evs_expr_body *own = EVS_ARENA_NEW(arena, struct evs_expr_body);
    *own = *body;
    if (own->value->type->kind == EVS_ARRAY) {
        return evs_fail(error, EVS_E_PIPELINE, "an array cannot hold arrays; put `%s` into a struct", own->value->text);
    }
    const evs_status status = guard_value(arena, own, place, error);
    if (status != EVS_OK) {
        return status;
    }
    const struct evs_expr **arguments = EVS_ARENA_ARRAY(arena, const struct evs_expr *, captured_count + 1);
    arguments[0] = array;
    if (captured_count > 0) {
        memcpy(arguments + 1, captured, sizeof *captured * captured_count);
    }
    const struct evs_expr *call =
        evs_expr_typed_call(arena, &evs_unnest_overload, false, arguments, captured_count + 1, place);
    struct evs_expr *own_call = (struct evs_expr *)call; /* made here: not yet shared */
    own_call->body = own;
    own_call->type = evs_type_array(arena, own->value->type);
    own_call->nullable = own->keeps_null && array->nullable;
    const char *where = body->where != NULL ? evs_arena_printf(arena, " where %s", body->where->text) : "";
    own_call->text =
        evs_arena_printf(arena, "array(select %s from unnest(%s)%s)", body->value->text, array->text, where);
    *result = call;
    return EVS_OK;
}

evs_status evs_cast_array(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type, bool safe,
                          struct evs_place place, const struct evs_expr **result, struct evs_error *error)
{
    const struct evs_field field = {"element", expr->type->element, true};
    struct evs_expr_body body = {.keeps_null = true};
    const struct evs_expr *element = evs_expr_column(arena, 0, &field, place);
    evs_status status = evs_expr_cast(arena, element, type->element, safe, place, &body.value, error);
    if (status != EVS_OK) {
        return evs_fail(error, EVS_E_PIPELINE, "%s cannot be cast to %s", evs_type_name_in(arena, expr->type),
                        evs_type_name_in(arena, type));
    }
    status = evs_expr_unnest(arena, expr, &body, NULL, 0, place, result, error);
    if (status == EVS_OK) {
        ((struct evs_expr *)*result)->type = type; /* the fields' names too */
        ((struct evs_expr *)*result)->text = evs_arena_printf(arena, "%s(%s as %s)", safe ? "safe_cast" : "cast",
                                                              expr->text, evs_type_name_in(arena, type));
    }
    return status;
}

/* --- the inner batch ----------------------------------------------------------------------------------------------- */

static struct evs_inner *inner_new(const struct query *query)
{
    struct evs_inner *inner = evs_alloc_zero(sizeof *inner);
    inner->eval = evs_eval_new(query->program);
    return inner;
}

void evs_inner_free(struct evs_inner *inner)
{
    if (inner == NULL) {
        return;
    }
    evs_eval_free(inner->eval);
    evs_arena_fini(&inner->arena);
    evs_free(inner);
}

static void begin_batch(struct evs_call *call, struct evs_inner *inner, const struct query *query)
{
    evs_arena_reset(&inner->arena);
    inner->columns = EVS_ARENA_ARRAY(&inner->arena, struct evs_column, query->column_count);
    inner->event_time = EVS_ARENA_COLUMN(&inner->arena, sizeof(int64_t) * EVS_BATCH_ROWS);
    inner->owner = EVS_ARENA_COLUMN(&inner->arena, sizeof(uint32_t) * EVS_BATCH_ROWS);
    inner->count = 0;
    for (uint32_t i = 0; i < query->column_count; i++) {
        const enum evs_kind kind = i == 0   ? evs_call_argument_type(call, 0)->element->kind
                                   : i == 1 ? EVS_INT64
                                            : call->arguments[i - 1]->kind;
        struct evs_column *column = &inner->columns[i];
        column->kind = kind;
        column->data = EVS_ARENA_COLUMN(&inner->arena, (size_t)EVS_BATCH_ROWS * evs_kind_width(kind));
        column->valid = EVS_ARENA_COLUMN(&inner->arena, EVS_VALID_WORDS(EVS_BATCH_ROWS) * sizeof(uint64_t));
        memset(column->valid, 0xff, EVS_VALID_WORDS(EVS_BATCH_ROWS) * sizeof(uint64_t));
    }
}

static void put_value(struct evs_column *column, uint32_t row, const struct evs_value *value)
{
    const uint32_t width = evs_kind_width(column->kind);
    char *to = (char *)column->data + (size_t)row * width;
    if (value->is_null) {
        memset(to, 0, width);
        evs_column_set_null(column, row);
    } else if (column->kind == EVS_BOOL) {
        *to = value->boolean;
    } else {
        memcpy(to, (const char *)value + offsetof(struct evs_value, numeric), width);
    }
}

static void add_element(struct evs_call *call, struct evs_inner *inner, const struct query *query, uint32_t row,
                        const struct evs_nested *array, uint32_t index)
{
    const uint32_t at = inner->count++;
    struct evs_value value = evs_nested_at(array, index);
    put_value(&inner->columns[0], at, &value);
    value = (struct evs_value){.kind = EVS_INT64, .int64 = index};
    put_value(&inner->columns[1], at, &value);
    for (uint32_t i = OWN_COLUMNS; i < query->column_count; i++) {
        value = evs_call_value(call, i - 1, row);
        put_value(&inner->columns[i], at, &value);
    }
    inner->event_time[at] = call->eval->batch->event_time_us[row];
    inner->owner[at] = row;
}

/* --- running ------------------------------------------------------------------------------------------------------- */

/* The result that is being built: rows come in order, so there is one. */
struct building {
    struct evs_call *call;
    uint32_t row;
    bool is_open;
    enum evs_row outcome;
};

static void close_row(struct building *building)
{
    if (!building->is_open) {
        return;
    }
    const enum evs_row outcome =
        building->outcome != EVS_ROW_OK ? building->outcome : evs_call_set_built(building->call, building->row);
    EVS_ROW_DONE(building->call, building->row, outcome);
    building->is_open = false;
}

static void open_row(struct building *building, uint32_t row)
{
    if (building->is_open && building->row == row) {
        return;
    }
    close_row(building);
    *building = (struct building){.call = building->call, .row = row, .is_open = true, .outcome = EVS_ROW_OK};
    evs_nested_begin_array(&building->call->eval->nested, evs_call_type(building->call)->element->kind);
}

/* Reasons are static texts, so the outcome is found by its address. */
static enum evs_row outcome_of(const struct evs_expr_failure *failure)
{
    for (int i = EVS_ROW_NULL + 1; i < EVS_ROW_OUTCOMES; i++) {
        if (evs_row_reason((enum evs_row)i)->code == failure->code) {
            return (enum evs_row)i;
        }
    }
    EVS_ASSERT(!"a failure of the table");
    return EVS_ROW_ARGUMENT;
}

static void take_values(struct building *building, struct evs_inner *inner, const struct query *query,
                        const struct evs_column *outputs)
{
    const struct evs_expr_failure *failures;
    const uint32_t failure_count = evs_eval_failures(inner->eval, &failures);
    uint32_t next = 0;
    for (uint32_t i = 0; i < inner->count; i++) {
        open_row(building, inner->owner[i]);
        if (next < failure_count && failures[next].row == i) {
            building->outcome = building->outcome == EVS_ROW_OK ? outcome_of(&failures[next]) : building->outcome;
            next++;
            continue;
        }
        if (query->body->where != NULL) {
            const struct evs_value holds = evs_column_value(&outputs[1], i);
            if (holds.is_null || !holds.boolean) {
                continue;
            }
        }
        const struct evs_value value = evs_column_value(&outputs[0], i);
        if (building->outcome == EVS_ROW_OK && evs_nested_bytes(&building->call->eval->nested) <= EVS_TEXT_BYTES_MAX) {
            evs_nested_add(&building->call->eval->nested, &value);
        }
    }
}

static void run_batch(struct building *building, struct evs_inner *inner, const struct query *query)
{
    struct evs_column outputs[2];
    struct evs_batch batch = {.row_count = inner->count,
                              .selected_count = inner->count,
                              .column_count = query->column_count,
                              .columns = inner->columns,
                              .event_time_us = inner->event_time,
                              .arena = &inner->arena,
                              .references = 1};
    evs_program_run(inner->eval, &batch, outputs);
    take_values(building, inner, query, outputs);
    begin_batch(building->call, inner, query);
}

/* An empty array of the result's type: it is so short that it lies in its view. */
static struct evs_str empty_array(struct evs_call *call)
{
    evs_nested_begin_array(&call->eval->nested, evs_call_type(call)->element->kind);
    return evs_nested_finish(&call->eval->nested, call->eval->text);
}

static void run_query(struct evs_call *call)
{
    const struct query *query = call->step->prepared;
    struct evs_slot *slot = &call->eval->slots[call->step - call->eval->program->steps];
    slot->inner = slot->inner != NULL ? slot->inner : inner_new(query);
    struct building building = {.call = call};
    const struct evs_str empty = empty_array(call);
    begin_batch(call, slot->inner, query);
    EVS_EACH_ROW(&call->rows, row)
    {
        struct evs_str held;
        struct evs_nested array = {.count = 0};
        if (evs_column_is_valid(call->arguments[0], row)) {
            array = evs_call_nested(call, 0, row, &held);
        } else if (query->body->keeps_null) {
            EVS_ROW_DONE(call, row, EVS_ROW_NULL);
            continue;
        }
        ((struct evs_str *)call->result->data)[row] = empty;
        for (uint32_t i = 0; i < array.count; i++) {
            if (slot->inner->count == EVS_BATCH_ROWS) {
                run_batch(&building, slot->inner, query);
            }
            add_element(call, slot->inner, query, row, &array, i);
        }
    }
    run_batch(&building, slot->inner, query);
    close_row(&building);
}

const struct evs_overload evs_unnest_overload = {.name = "unnest query",
                                                 .kernel = run_query,
                                                 .prepare = prepare_query,
                                                 .result = EVS_ARRAY,
                                                 .arguments = {EVS_ARRAY, EVS_ARG_ANY},
                                                 .required = 1,
                                                 .flags = EVS_CALL_SEES_NULL | EVS_CALL_FALLIBLE | EVS_CALL_VARIADIC};

/* --- questions ----------------------------------------------------------------------------------------------------- */

static bool same_part(const struct evs_expr *a, const struct evs_expr *b)
{
    return a == b || (a != NULL && b != NULL && evs_expr_equal(a, b));
}

bool evs_body_equal(const struct evs_expr_body *a, const struct evs_expr_body *b)
{
    if (a == b || a == NULL || b == NULL) {
        return a == b;
    }
    return a->keeps_null == b->keeps_null && same_part(a->where, b->where) && same_part(a->value, b->value);
}

static bool reads_time(const struct evs_expr *expr)
{
    if (expr == NULL || expr->kind == EVS_EXPR_EVENT_TIME) {
        return expr != NULL;
    }
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (reads_time(expr->arguments[i])) {
            return true;
        }
    }
    return evs_body_reads_time(expr->body);
}

bool evs_body_reads_time(const struct evs_expr_body *body)
{
    return body != NULL && (reads_time(body->where) || reads_time(body->value));
}
