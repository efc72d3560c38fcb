/* The part of the function table that is syntax: logic, case, in, between, casts, and the functions that stand for
 * them. */
#include "kernel.h"

/* Never run: the compiler takes them apart (see internal.h). */
const struct evs_overload evs_between_overload = {.name = "between", .result = EVS_BOOL, .flags = EVS_CALL_INTERNAL};
const struct evs_overload evs_nullif_overload = {.name = "nullif", .flags = EVS_CALL_INTERNAL | EVS_CALL_NULLABLE};

/* The type is not known before the call is coerced to what stands beside it: see evs_expr_coerce. */
static void error_kernel(struct evs_call *call)
{
    EVS_EACH_ROW(&call->rows, row)
    {
        evs_call_outcome(call, row, EVS_ROW_CALLED);
    }
}
static const struct evs_overload overloads[] = {
    {.name = "error",
     .kernel = error_kernel,
     .result = EVS_NULL_KIND,
     .arguments = {EVS_STRING},
     .required = 1,
     .flags = EVS_CALL_FALLIBLE},
};

#define ENTRY(name_, family_, signature_, meaning_, example_, result_)                                                 \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_##family_, .signature = (signature_), .meaning = (meaning_),             \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    ENTRY("and", OPERATOR, "bool and bool → bool",
          "True when both are. The right side is evaluated only where the left is not false.", "false and 1 / 0 = 1",
          "false"),
    ENTRY("or", OPERATOR, "bool or bool → bool",
          "True when one is. The right side is evaluated only where the left is not true.", "null or true", "true"),
    ENTRY("not", OPERATOR, "not bool → bool", "The opposite; NULL stays NULL.", "not false", "true"),
    ENTRY("is null", OPERATOR, "T is [not] null → bool", "Whether there is no value. Never NULL itself.",
          "null is null", "true"),
    ENTRY("is true", OPERATOR, "bool is [not] true → bool", "True for true; false for false and NULL.", "null is true",
          "false"),
    ENTRY("is false", OPERATOR, "bool is [not] false → bool", "True for false; false for true and NULL.",
          "false is false", "true"),
    ENTRY("in", OPERATOR, "T [not] in (T, …) → bool",
          "Whether a value of the list is equal; NULL when none is and one is NULL.", "3 in (1, 2, 3)", "true"),
    ENTRY("between", OPERATOR, "T [not] between T and T → bool", "The same as x >= a and x <= b.", "5 between 1 and 10",
          "true"),
    ENTRY("case", CONDITIONAL, "case [T] when … then R … [else R] end → R",
          "The result of the first branch whose condition is true.", "case when 1 > 2 then 'a' else 'b' end", "b"),
    ENTRY("if", CONDITIONAL, "if(bool, T, T) → T", "The second argument where the first is true, else the third.",
          "if(2 > 1, 'yes', 'no')", "yes"),
    ENTRY("ifnull", CONDITIONAL, "ifnull(T, T) → T", "The second argument where the first is NULL.", "ifnull(null, 5)",
          "5"),
    ENTRY("nullif", CONDITIONAL, "nullif(T, T) → T", "NULL where both are equal, else the first argument.",
          "nullif('x', 'x')", "NULL"),
    ENTRY("nullifzero", CONDITIONAL, "nullifzero(T) → T", "NULL where the number is 0.", "nullifzero(0)", "NULL"),
    ENTRY("zeroifnull", CONDITIONAL, "zeroifnull(T) → T", "0 where there is no number.", "zeroifnull(null)", "0"),
    ENTRY("error", CONDITIONAL, "error(message string) → T",
          "Never a value: the row goes to the dead letter. For a branch that must not be reached.",
          "if(1 > 0, 'fine', error('numbers are broken'))", "fine"),
    ENTRY("typeof", CONDITIONAL, "typeof(T) → string", "The name of the type; the argument is not computed.",
          "typeof(1 + 0.5)", "float64"),
    ENTRY("coalesce", CONDITIONAL, "coalesce(T, …) → T", "The first argument that is not NULL.",
          "coalesce(null, null, 7)", "7"),
    ENTRY("cast", CONDITIONAL, "cast(T as TYPE) → TYPE", "Converts; a value that cannot be converted is an error.",
          "cast('12' as int64)", "12"),
    ENTRY("safe_cast", CONDITIONAL, "safe_cast(T as TYPE) → TYPE", "Converts; NULL where that is impossible.",
          "safe_cast('x' as int64)", "NULL"),
    ENTRY("safe_add", MATH, "safe_add(T, T) → T", "a + b, NULL instead of an error.",
          "safe_add(9223372036854775807, 1)", "NULL"),
    ENTRY("safe_subtract", MATH, "safe_subtract(T, T) → T", "a - b, NULL instead of an error.", "safe_subtract(5, 7)",
          "-2"),
    ENTRY("safe_multiply", MATH, "safe_multiply(T, T) → T", "a * b, NULL instead of an error.", "safe_multiply(6, 7)",
          "42"),
    ENTRY("safe_divide", MATH, "safe_divide(T, T) → T", "a / b, NULL instead of an error.", "safe_divide(1, 0)",
          "NULL"),
    ENTRY("safe_negate", MATH, "safe_negate(T) → T", "-a, NULL instead of an error.", "safe_negate(5)", "-5"),
};

const struct evs_family evs_family_syntax = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
