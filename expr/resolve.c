/* From a name and arguments to a typed call.
 *
 *   name ── alias ──► syntax in disguise? (if, coalesce, safe_add, concat …)  ── lowered ──► other calls and special kinds
 *                     └─ no ──► the overload with the cheapest coercions ──► coerced arguments, checked constants
 *
 * Errors name what was given and what there is. */
#include "internal.h"

struct request {
    struct evs_arena *arena;
    const char *name; /* canonical */
    bool safe;
    const struct evs_expr **arguments;
    uint32_t count;
    struct evs_place place;
    struct evs_error *error;
};

/* --- messages ----------------------------------------------------------------------------------------------------- */

static const char *signature_of(const char *name)
{
    for (uint32_t i = 0; i < evs_function_count(); i++) {
        if (strcmp(evs_function_at(i)->name, name) == 0) {
            return evs_function_at(i)->signature;
        }
    }
    return NULL;
}

static bool is_sign(const char *name)
{
    return !(name[0] >= 'a' && name[0] <= 'z') || strcmp(name, "like") == 0;
}

static bool is_comparison(const char *name)
{
    return strchr("=<>!", name[0]) != NULL && strcmp(name, "<<") != 0 && strcmp(name, ">>") != 0;
}

/* "a string", "an int64" */
static void put_with_article(struct evs_buffer *out, const struct evs_type *type)
{
    const size_t start = out->count;
    evs_buffer_puts(out, "an ");
    evs_type_name(type, out);
    if (strchr("aeiou", out->data[start + 3]) == NULL) {
        memmove(out->data + start + 1, out->data + start + 2, out->count - start - 2);
        out->count--;
    }
}

/* `>` cannot compare a string with an int64; cast one of them */
static void put_comparison(struct evs_buffer *out, const struct request *request)
{
    const struct evs_type *a = request->arguments[0]->type, *b = request->arguments[1]->type;
    evs_buffer_printf(out, "`%s` cannot compare ", request->name);
    if (evs_type_equal(a, b)) {
        evs_buffer_puts(out, "two values of type ");
        evs_type_name(a, out);
        evs_buffer_puts(out, a->kind == EVS_JSON ? "; take a value out of each first, as with json_value(…)" : "");
    } else {
        put_with_article(out, a);
        evs_buffer_puts(out, " with ");
        put_with_article(out, b);
        evs_buffer_puts(out, "; cast one of them");
    }
}

/* `+` does not work on a string and an int64; `substr` does not take (int64) */
static void put_call_of(struct evs_buffer *out, const struct request *request)
{
    const bool sign = is_sign(request->name);
    evs_buffer_printf(out, sign ? "`%s` does not work on " : "`%s` does not take (", request->name);
    for (uint32_t i = 0; i < request->count; i++) {
        evs_buffer_puts(out, i == 0 ? "" : sign ? " and " : ", ");
        if (sign) {
            put_with_article(out, request->arguments[i]->type);
        } else {
            evs_type_name(request->arguments[i]->type, out);
        }
    }
    const char *signature = signature_of(request->name);
    evs_buffer_printf(out, "%s; it takes %s", sign ? "" : ")", signature != NULL ? signature : "something else");
}

static evs_status no_signature(const struct request *request)
{
    struct evs_buffer text = {0};
    if (request->count == 2 && is_comparison(request->name)) {
        put_comparison(&text, request);
    } else {
        put_call_of(&text, request);
    }
    const evs_status status = evs_fail(request->error, EVS_E_PIPELINE, "%.*s", (int)text.count, text.data);
    evs_buffer_fini(&text);
    return status;
}

static evs_status unknown_function(struct evs_slice name, struct evs_error *error)
{
    const char *near = evs_function_nearest(name), *refused = evs_function_refused(name);
    const int count = name.count > 100 ? 100 : (int)name.count;
    if (refused != NULL) {
        return evs_fail(error, EVS_E_PIPELINE, "there is no function %.*s: %s", count, name.data, refused);
    }
    return near ? evs_fail(error, EVS_E_PIPELINE, "there is no function %.*s; did you mean %s?", count, name.data, near)
                : evs_fail(error, EVS_E_PIPELINE, "there is no function %.*s", count, name.data);
}

static evs_status count_error(const struct request *request, const char *wanted)
{
    return evs_fail(request->error, EVS_E_PIPELINE, "%s takes %s, not %u", request->name, wanted, request->count);
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

struct choice {
    const struct request *request;
    const struct evs_overload *best;
    const struct evs_type *best_t; /* what T is, for a generic overload */
    int best_cost;
    bool any;
};

static uint32_t parameter_count(const struct evs_overload *overload)
{
    uint32_t count = 0;
    while (count < EVS_OVERLOAD_ARGUMENTS && overload->arguments[count] != 0) {
        count++;
    }
    return count;
}

/* The code of the parameter that takes argument `i`: a variadic overload repeats its last. */
static uint8_t parameter_code(const struct evs_overload *overload, uint32_t i)
{
    const uint32_t parameters = parameter_count(overload);
    return overload->arguments[i < parameters ? i : parameters - 1];
}

#define GENERIC_COST 1000 /* an overload of exactly this type is always nearer */

/* The type that an argument must have; NULL where any of its kind will do, and then *kind says which. */
static const struct evs_type *parameter_type(uint8_t code, const struct evs_type *t, enum evs_kind *kind)
{
    *kind = evs_code_kind(code);
    if (code >= EVS_ARG_ARRAY_FIRST) {
        return evs_type_array_of((enum evs_kind)(code - EVS_ARG_ARRAY_FIRST));
    }
    if (code == EVS_ARG_T) {
        return t;
    }
    return *kind == EVS_NULL_KIND || evs_kind_is_nested(*kind) ? NULL : evs_type_of(*kind);
}

/* What argument `i` costs when T is `t`. */
static int argument_cost(const struct evs_overload *overload, const struct request *request, uint32_t i,
                         const struct evs_type *t)
{
    const struct evs_expr *argument = request->arguments[i];
    const uint8_t code = parameter_code(overload, i);
    if (code == EVS_ARG_ARRAY_T) {
        if (t->kind == EVS_ARRAY) {
            return -1;
        }
        struct evs_type array = {.kind = EVS_ARRAY, .element = t};
        return evs_coercion_cost_type(argument, &array);
    }
    enum evs_kind kind;
    const struct evs_type *type = parameter_type(code, t, &kind);
    if (type != NULL) {
        return evs_coercion_cost_type(argument, type);
    }
    if (code == EVS_ARG_ANY) {
        return GENERIC_COST;
    }
    return argument->type->kind == kind ? 0 : argument->type->kind == EVS_NULL_KIND ? 1 : -1;
}

static int overload_cost_of(const struct evs_overload *overload, const struct request *request,
                            const struct evs_type *t)
{
    int total = 0;
    for (uint32_t i = 0; i < request->count; i++) {
        const int cost = argument_cost(overload, request, i, t);
        if (cost < 0 || (cost > 0 && (overload->flags & EVS_CALL_EXACT))) {
            return -1;
        }
        total += cost;
    }
    return total;
}

static bool is_generic(const struct evs_overload *overload)
{
    for (uint32_t i = 0; i < parameter_count(overload); i++) {
        if (overload->arguments[i] == EVS_ARG_T || overload->arguments[i] == EVS_ARG_ARRAY_T) {
            return true;
        }
    }
    return false;
}

/* The T that is cheapest: of all types that stand in T's places, int64 when they are all NULL. */
static int generic_cost(const struct evs_overload *overload, const struct request *request, const struct evs_type **t)
{
    int best = -1;
    bool any = false;
    for (uint32_t i = 0; i < request->count; i++) {
        const uint8_t code = parameter_code(overload, i);
        const struct evs_type *candidate = request->arguments[i]->type;
        if (code == EVS_ARG_ARRAY_T && candidate->kind == EVS_ARRAY) {
            candidate = candidate->element;
        } else if (code != EVS_ARG_T || candidate->kind == EVS_NULL_KIND) {
            continue;
        }
        any = true;
        const int cost = overload_cost_of(overload, request, candidate);
        if (cost >= 0 && (best < 0 || cost < best)) {
            best = cost;
            *t = candidate;
        }
    }
    if (any) {
        return best;
    }
    *t = evs_type_of(EVS_INT64);
    return overload_cost_of(overload, request, *t);
}

static int overload_cost(const struct evs_overload *overload, const struct request *request, const struct evs_type **t)
{
    const uint32_t parameters = parameter_count(overload);
    const bool variadic = overload->flags & EVS_CALL_VARIADIC;
    *t = NULL;
    if (request->count < overload->required || (request->count > parameters && !variadic)) {
        return -1;
    }
    return is_generic(overload) ? generic_cost(overload, request, t) : overload_cost_of(overload, request, NULL);
}

static bool visit_choice(const struct evs_overload *overload, void *argument)
{
    struct choice *choice = argument;
    choice->any = true;
    const struct evs_type *t;
    const int cost = overload_cost(overload, choice->request, &t);
    if (cost >= 0 && (choice->best == NULL || cost < choice->best_cost)) {
        choice->best = overload;
        choice->best_t = t;
        choice->best_cost = cost;
    }
    return true;
}

/* Constant parameters are checked here, where the place of the mistake is known. */
static evs_status check_constant(const struct request *request, uint8_t parameter, const struct evs_expr *argument,
                                 uint32_t number)
{
    if (parameter < EVS_ARG_PART || parameter > EVS_ARG_CONSTANT) {
        return EVS_OK;
    }
    if (argument->kind != EVS_EXPR_CONSTANT || argument->value.is_null) {
        return evs_fail(request->error, EVS_E_PIPELINE, "argument %u of %s must be a constant", number + 1,
                        request->name);
    }
    const struct evs_slice text = evs_str_slice(&argument->value.str);
    if (parameter == EVS_ARG_PART && !evs_part_known(text)) {
        return evs_fail(request->error, EVS_E_PIPELINE,
                        "there is no date part %.*s; there are microsecond, millisecond, second, minute, hour, day, "
                        "dayofweek, dayofyear, week, "
                        "week(monday) and so on, isoweek, month, quarter, year, isoyear, date and time",
                        (int)text.count, text.data);
    }
    return EVS_OK;
}

/* The type to which argument `i` is coerced. */
static const struct evs_type *wanted_type(const struct request *request, const struct evs_overload *overload,
                                          uint32_t i, const struct evs_type *t)
{
    const uint8_t code = parameter_code(overload, i);
    const struct evs_type *given = request->arguments[i]->type;
    if (code == EVS_ARG_ARRAY_T) {
        return evs_type_array(request->arena, t);
    }
    enum evs_kind kind;
    const struct evs_type *type = parameter_type(code, t, &kind);
    if (type != NULL) {
        return type;
    }
    if (given->kind != EVS_NULL_KIND) {
        return given;
    }
    return kind == EVS_ARRAY    ? evs_type_array_of(EVS_INT64)
           : kind == EVS_STRUCT ? evs_type_struct(request->arena, NULL, 0)
                                : evs_type_of(EVS_INT64);
}

/* What a result code means in this call. */
static const struct evs_type *result_type(const struct request *request, const struct evs_overload *overload,
                                          const struct evs_expr *const *arguments, const struct evs_type *t)
{
    switch (overload->result) {
    case EVS_ARG_T:
        return t != NULL ? t : arguments[0]->type->element; /* of an array of anything */
    case EVS_ARG_ARRAY_T:
        return t != NULL ? evs_type_array(request->arena, t) : arguments[0]->type;
    default:
        return NULL; /* the code says it */
    }
}

static evs_status build_chosen(const struct request *request, const struct evs_overload *overload,
                               const struct evs_type *t, const struct evs_expr **result)
{
    const struct evs_expr **arguments = EVS_ARENA_ARRAY(request->arena, const struct evs_expr *, request->count + 1);
    for (uint32_t i = 0; i < request->count; i++) {
        evs_status status = evs_expr_coerce(request->arena, request->arguments[i], wanted_type(request, overload, i, t),
                                            &arguments[i], request->error);
        if (status == EVS_OK) {
            status = check_constant(request, parameter_code(overload, i), arguments[i], i);
        }
        if (status != EVS_OK) {
            return status;
        }
    }
    *result = evs_expr_typed_call(request->arena, overload, request->safe, arguments, request->count, request->place);
    const struct evs_type *type = result_type(request, overload, arguments, t);
    if (type != NULL) {
        ((struct evs_expr *)*result)->type = type; /* made by this call: not yet shared */
    }
    const void *prepared;
    return overload->prepare ? overload->prepare(request->arena, *result, &prepared, request->error) : EVS_OK;
}

static bool has_text_literal(const struct request *request)
{
    bool found = false;
    for (uint32_t i = 0; i < request->count; i++) {
        const struct evs_expr *argument = request->arguments[i];
        found = found || (argument->kind == EVS_EXPR_CONSTANT && argument->type->kind == EVS_STRING);
    }
    return found;
}

static evs_status choose(const struct request *request, struct evs_slice written, const struct evs_expr **result)
{
    struct choice choice = {.request = request};
    evs_overloads_named(request->name, visit_choice, &choice);
    if (!choice.any) {
        return unknown_function(written, request->error);
    }
    if (choice.best == NULL) {
        return no_signature(request);
    }
    const evs_status status = build_chosen(request, choice.best, choice.best_t, result);
    /* id + 'x': that a date could stand there is not what is wrong with it */
    const bool is_arithmetic = strchr("+-*/", request->name[0]) != NULL && request->name[1] == '\0';
    return status != EVS_OK && is_arithmetic && has_text_literal(request) ? no_signature(request) : status;
}

/* --- comparisons of a column with a literal of the other number type ---------------------------------------------- */

/* An int64 literal beside a float64 column becomes float64 when that loses nothing, and the reverse: the kernels of
 * one type are faster, and give the same. */
static void align_number_literal(struct request *request)
{
    for (uint32_t i = 0; i < 2; i++) {
        const struct evs_expr *literal = request->arguments[i];
        const enum evs_kind other = request->arguments[1 - i]->type->kind;
        if (literal->kind != EVS_EXPR_CONSTANT || literal->value.is_null) {
            continue;
        }
        struct evs_value value = {.kind = other};
        const int64_t exact = INT64_C(1) << 53;
        if (literal->type->kind == EVS_INT64 && other == EVS_FLOAT64 && literal->value.int64 >= -exact &&
            literal->value.int64 <= exact) {
            value.float64 = (double)literal->value.int64;
        } else if (literal->type->kind == EVS_FLOAT64 && other == EVS_INT64 && literal->value.float64 >= -0x1p53 &&
                   literal->value.float64 <= 0x1p53 &&
                   (double)(int64_t)literal->value.float64 == literal->value.float64) {
            value.int64 = (int64_t)literal->value.float64;
        } else {
            continue;
        }
        request->arguments[i] = evs_expr_constant(request->arena, value, literal->place);
    }
}

/* --- names that are really syntax --------------------------------------------------------------------------------- */

static const struct evs_expr *with_text(const struct evs_expr *expr, const char *text)
{
    ((struct evs_expr *)expr)->text = text; /* made by this call: not yet shared */
    return expr;
}

static const char *call_text(const struct request *request)
{
    struct evs_buffer out = {0};
    evs_buffer_printf(&out, "%s(", request->name);
    for (uint32_t i = 0; i < request->count; i++) {
        evs_buffer_printf(&out, "%s%s", i > 0 ? ", " : "", request->arguments[i]->text);
    }
    evs_buffer_puts(&out, ")");
    const char *text = evs_arena_strndup(request->arena, out.data, out.count);
    evs_buffer_fini(&out);
    return text;
}

static evs_status lower_special(struct request *request, enum evs_expr_kind kind, const struct evs_expr **result)
{
    if (request->count == 0) {
        return count_error(request, "at least one argument");
    }
    return evs_expr_special(request->arena, kind, request->arguments, request->count, request->place, result,
                            request->error);
}

static evs_status lower_if(struct request *request, const struct evs_expr **result)
{
    if (request->count != 3) {
        return count_error(request, "three arguments: if(condition, then, else)");
    }
    return lower_special(request, EVS_EXPR_CASE, result);
}

static evs_status lower_ifnull(struct request *request, const struct evs_expr **result)
{
    if (request->count != 2) {
        return count_error(request, "two arguments: ifnull(value, when_null)");
    }
    return lower_special(request, EVS_EXPR_COALESCE, result);
}

/* nullif(a, b): NULL when a = b. Both are brought to one type first. */
static evs_status lower_nullif(struct request *request, const struct evs_expr **result)
{
    if (request->count != 2) {
        return count_error(request, "two arguments: nullif(value, null_when_equal)");
    }
    const struct evs_type *type = evs_common_type(request->arguments, 2);
    if (type == NULL || !evs_type_has_equality(type)) {
        return no_signature(request);
    }
    const struct evs_expr *arguments[2];
    for (uint32_t i = 0; i < 2; i++) {
        const struct evs_type *to = type->kind == EVS_NULL_KIND ? evs_type_of(EVS_INT64) : type;
        const evs_status status =
            evs_expr_coerce(request->arena, request->arguments[i], to, &arguments[i], request->error);
        if (status != EVS_OK) {
            return status;
        }
    }
    const struct evs_expr *call =
        evs_expr_typed_call(request->arena, &evs_nullif_overload, false, arguments, 2, request->place);
    ((struct evs_expr *)call)->type = arguments[0]->type;
    ((struct evs_expr *)call)->nullable = true;
    *result = call;
    return EVS_OK;
}

/* nullifzero(x) is nullif(x, 0), zeroifnull(x) is ifnull(x, 0). */
static evs_status lower_zero(struct request *request, const struct evs_expr **result)
{
    if (request->count != 1) {
        return count_error(request, "one argument");
    }
    const struct evs_value zero = {.kind = EVS_INT64};
    const struct evs_expr *pair[] = {request->arguments[0], evs_expr_constant(request->arena, zero, request->place)};
    struct request inner = *request;
    inner.arguments = pair;
    inner.count = 2;
    const bool to_null = strcmp(request->name, "nullifzero") == 0;
    const evs_status status = to_null ? lower_nullif(&inner, result) : lower_ifnull(&inner, result);
    if (status == EVS_OK) {
        with_text(*result, call_text(request));
    }
    return status;
}

/* The name of the type, which is known now: the argument is never computed. */
static evs_status lower_typeof(struct request *request, const struct evs_expr **result)
{
    if (request->count != 1) {
        return count_error(request, "one argument");
    }
    const struct evs_type *type = request->arguments[0]->type;
    const char *name = evs_type_name_in(request->arena, type->kind == EVS_NULL_KIND ? evs_type_of(EVS_INT64) : type);
    *result = evs_expr_constant(
        request->arena, (struct evs_value){.kind = EVS_STRING, .str = evs_str_make(name, (uint32_t)strlen(name))},
        request->place);
    return EVS_OK;
}

static evs_status lower_between(struct request *request, const struct evs_expr **result)
{
    if (request->count != 3) {
        return count_error(request, "three arguments");
    }
    const enum evs_kind kind = evs_supertype(request->arguments, 3);
    const enum evs_kind to = kind == EVS_NULL_KIND ? EVS_INT64 : kind;
    if (kind == EVS_KIND_COUNT || evs_overload_exact("<=", (const enum evs_kind[]){to, to}, 2) == NULL) {
        return no_signature(request);
    }
    const struct evs_expr *arguments[3];
    for (uint32_t i = 0; i < 3; i++) {
        const evs_status status =
            evs_expr_coerce(request->arena, request->arguments[i], evs_type_of(to), &arguments[i], request->error);
        if (status != EVS_OK) {
            return status;
        }
    }
    *result = evs_expr_typed_call(request->arena, &evs_between_overload, false, arguments, 3, request->place);
    return EVS_OK;
}

/* greatest(a, b, c) is greatest(greatest(a, b), c), of one type. */
static evs_status lower_extreme(struct request *request, const struct evs_expr **result)
{
    if (request->count == 0) {
        return count_error(request, "at least one argument");
    }
    enum evs_kind kind = evs_supertype(request->arguments, request->count);
    kind = kind == EVS_NULL_KIND ? EVS_INT64 : kind;
    const struct evs_overload *overload =
        kind == EVS_KIND_COUNT ? NULL : evs_overload_exact(request->name, (const enum evs_kind[]){kind, kind}, 2);
    if (overload == NULL) {
        return no_signature(request);
    }
    const char *text = call_text(request);
    const struct evs_expr *all = NULL;
    for (uint32_t i = 0; i < request->count; i++) {
        const struct evs_expr *one;
        const evs_status status =
            evs_expr_coerce(request->arena, request->arguments[i], evs_type_of(kind), &one, request->error);
        if (status != EVS_OK) {
            return status;
        }
        if (all == NULL) {
            all = one;
            continue;
        }
        const struct evs_expr *pair[] = {all, one};
        all = with_text(evs_expr_typed_call(request->arena, overload, false, pair, 2, request->place), text);
    }
    *result = all;
    return EVS_OK;
}

/* concat takes whatever can be cast to string. */
static evs_status lower_concat(struct request *request, const struct evs_expr **result)
{
    bool bytes = false;
    for (uint32_t i = 0; i < request->count; i++) {
        bytes = bytes || request->arguments[i]->type->kind == EVS_BYTES;
    }
    const char *text = call_text(request);
    for (uint32_t i = 0; i < request->count && !bytes; i++) {
        const evs_status status = evs_expr_cast(request->arena, request->arguments[i], evs_type_of(EVS_STRING), false,
                                                request->place, &request->arguments[i], request->error);
        if (status != EVS_OK) {
            return status;
        }
    }
    const evs_status status = choose(request, EVS_SLICE("concat"), result);
    if (status == EVS_OK && !request->safe) {
        with_text(*result, text);
    }
    return status;
}

/* safe_add(a, b) is safe.+(a, b). */
static evs_status lower_safe(struct request *request, const char *operator_name, uint32_t count,
                             const struct evs_expr **result)
{
    if (request->count != count) {
        return count_error(request, count == 1 ? "one argument" : "two arguments");
    }
    struct request inner = *request;
    inner.name = operator_name;
    inner.safe = true;
    struct choice choice = {.request = &inner};
    evs_overloads_named(inner.name, visit_choice, &choice);
    if (choice.best == NULL) {
        return no_signature(request);
    }
    const char *text = call_text(request);
    const evs_status status = build_chosen(&inner, choice.best, choice.best_t, result);
    if (status == EVS_OK) {
        with_text(*result, text);
    }
    return status;
}

/* -5 is a literal, and coerces as one. */
static evs_status lower_minus(struct request *request, struct evs_slice written, const struct evs_expr **result)
{
    const struct evs_expr *argument = request->count == 1 ? request->arguments[0] : NULL;
    if (argument == NULL || argument->kind != EVS_EXPR_CONSTANT || argument->value.is_null) {
        return choose(request, written, result);
    }
    const evs_status status = choose(request, written, result);
    struct evs_value value;
    struct evs_expr_failure failure;
    if (status == EVS_OK && evs_expr_evaluate(request->arena, *result, &value, &failure)) {
        *result = evs_expr_constant(request->arena, value, request->place);
    }
    return status;
}

static evs_status lower_current_timestamp(struct request *request, const struct evs_expr **result)
{
    if (request->count != 0) {
        return count_error(request, "no argument");
    }
    struct evs_expr *expr = evs_expr_new(request->arena, EVS_EXPR_EVENT_TIME, EVS_TIMESTAMP, request->place);
    expr->text = evs_expr_text_of(request->arena, expr);
    *result = expr;
    return EVS_OK;
}

/* GoogleSQL rounds an int64 to a float64, not to a numeric. */
static evs_status lower_rounding(struct request *request, const struct evs_expr **result)
{
    if (request->count > 0 && request->arguments[0]->type->kind == EVS_INT64) {
        const evs_status status = evs_expr_coerce(request->arena, request->arguments[0], evs_type_of(EVS_FLOAT64),
                                                  &request->arguments[0], request->error);
        if (status != EVS_OK) {
            return status;
        }
    }
    return choose(request, evs_slice_of(request->name), result);
}

/* current_date(zone) is date(current_timestamp(), zone); the same for datetime and time. */
static evs_status lower_current(struct request *request, const struct evs_expr **result)
{
    if (request->count > 1) {
        return count_error(request, "a time zone or nothing");
    }
    struct request now = {.arena = request->arena, .name = "current_timestamp", .place = request->place};
    const struct evs_expr *arguments[2] = {NULL, request->count == 1 ? request->arguments[0] : NULL};
    const evs_status status = lower_current_timestamp(&now, &arguments[0]);
    if (status != EVS_OK) {
        return status;
    }
    struct request of = *request;
    of.name = request->name + strlen("current_");
    of.arguments = arguments;
    of.count = request->count + 1;
    return choose(&of, evs_slice_of(of.name), result);
}

/* extract(date from t at time zone z) and its like give another type than the other parts: they are date(t, z) … */
static evs_status lower_extract(struct request *request, const struct evs_expr **result)
{
    static const char *const types[] = {"date", "time", "datetime"};
    const struct evs_expr *part = request->count >= 2 ? request->arguments[0] : NULL;
    const bool is_constant =
        part != NULL && part->kind == EVS_EXPR_CONSTANT && part->type->kind == EVS_STRING && !part->value.is_null;
    for (size_t i = 0; is_constant && i < EVS_COUNT(types); i++) {
        if (evs_slice_equal_nocase(evs_str_slice(&part->value.str), types[i])) {
            struct request of = *request;
            of.name = types[i];
            of.arguments++;
            of.count--;
            return choose(&of, evs_slice_of(of.name), result);
        }
    }
    return choose(request, evs_slice_of(request->name), result);
}

static bool is_nested_argument(const struct request *request, uint32_t i)
{
    return evs_kind_is_nested(request->arguments[i]->type->kind);
}

/* a = b of structs, field by field; != is its opposite. */
static evs_status lower_nested_comparison(struct request *request, const struct evs_expr **result)
{
    const bool is_equal = strcmp(request->name, "=") == 0;
    const struct evs_type *type = evs_common_type(request->arguments, 2);
    if (type == NULL || (!is_equal && strcmp(request->name, "!=") != 0)) {
        return no_signature(request);
    }
    if (!evs_type_has_equality(type)) {
        return evs_no_equality(request->arguments[is_nested_argument(request, 0) ? 0 : 1], request->error);
    }
    const struct evs_expr *sides[2];
    for (uint32_t i = 0; i < 2; i++) {
        const evs_status status =
            evs_expr_coerce(request->arena, request->arguments[i], type, &sides[i], request->error);
        if (status != EVS_OK) {
            return status;
        }
    }
    *result = evs_expr_typed_call(request->arena, &evs_struct_equal_overload, false, sides, 2, request->place);
    return is_equal ? EVS_OK
                    : evs_expr_special(request->arena, EVS_EXPR_NOT, result, 1, request->place, result, request->error);
}

static const struct {
    const char *name;
    evs_status (*lower)(struct request *request, const struct evs_expr **result);
} lowerings[] = {
    {"if", lower_if},
    {"ifnull", lower_ifnull},
    {"nullif", lower_nullif},
    {"nullifzero", lower_zero},
    {"zeroifnull", lower_zero},
    {"typeof", lower_typeof},
    {"between", lower_between},
    {"greatest", lower_extreme},
    {"least", lower_extreme},
    {"concat", lower_concat},
    {"current_timestamp", lower_current_timestamp},
    {"current_date", lower_current},
    {"current_datetime", lower_current},
    {"current_time", lower_current},
    {"extract", lower_extract},
    {"floor", lower_rounding},
    {"ceil", lower_rounding},
    {"round", lower_rounding},
    {"trunc", lower_rounding},
};

static const struct {
    const char *name;
    enum evs_expr_kind kind;
} special_names[] = {
    {"coalesce", EVS_EXPR_COALESCE}, {"and", EVS_EXPR_AND},   {"or", EVS_EXPR_OR},
    {"not", EVS_EXPR_NOT},           {"case", EVS_EXPR_CASE}, {"in", EVS_EXPR_IN},
};

static const struct {
    const char *name, *operator_name;
    uint32_t count;
} safe_names[] = {
    {"safe_add", "+", 2},    {"safe_subtract", "-", 2}, {"safe_multiply", "*", 2},
    {"safe_divide", "/", 2}, {"safe_negate", "-", 1},
};

static evs_status dispatch(struct request *request, struct evs_slice written, const struct evs_expr **result)
{
    for (size_t i = 0; i < EVS_COUNT(lowerings); i++) {
        if (strcmp(lowerings[i].name, request->name) == 0) {
            return lowerings[i].lower(request, result);
        }
    }
    for (size_t i = 0; i < EVS_COUNT(special_names); i++) {
        if (strcmp(special_names[i].name, request->name) == 0) {
            return lower_special(request, special_names[i].kind, result);
        }
    }
    for (size_t i = 0; i < EVS_COUNT(safe_names); i++) {
        if (strcmp(safe_names[i].name, request->name) == 0) {
            return lower_safe(request, safe_names[i].operator_name, safe_names[i].count, result);
        }
    }
    if (strcmp(request->name, "-") == 0) {
        return lower_minus(request, written, result);
    }
    if (request->count == 2 && is_comparison(request->name)) {
        if (is_nested_argument(request, 0) || is_nested_argument(request, 1)) {
            return lower_nested_comparison(request, result);
        }
        align_number_literal(request);
    }
    return choose(request, written, result);
}

evs_status evs_expr_call(struct evs_arena *arena, struct evs_slice name, bool safe, const struct evs_expr **arguments,
                         uint32_t argument_count, struct evs_place place, const struct evs_expr **result,
                         struct evs_error *error)
{
    char buffer[64];
    const char *canonical = evs_function_canonical(name, buffer);
    if (canonical == NULL) {
        return unknown_function(name, error);
    }
    const struct evs_expr **copy = EVS_ARENA_ARRAY(arena, const struct evs_expr *, argument_count + 1);
    if (argument_count > 0) {
        memcpy(copy, arguments, sizeof *copy * argument_count);
    }
    struct request request = {arena, canonical, safe, copy, argument_count, place, error};
    return dispatch(&request, name, result);
}
