/* The vectorised evaluation against a naive one: random trees over random batches.
 *
 * The reference walks a tree of its own, one row at a time, with C's plain arithmetic, and knows nothing of columns,
 * selections or shared steps. Batches have 1 to 1024 rows, NULLs, constant columns and random selections; rows that
 * are NULL or not selected hold garbage, with string views that point nowhere, so that a kernel that looks at them
 * is caught. Checked: every value of every selected row, which rows fail with which code, and that the filter gives
 * exactly the rows for which the predicate is true. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "expr_text.h"
#include "unit.h"

/* --- random numbers: xorshift, one seed a test --- */

static uint64_t state;
static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
static uint32_t below(uint32_t bound)
{
    return (uint32_t)(next_random() >> 32) % bound;
}

/* --- trees --- */

enum type { INT, FLOAT, BOOL, TEXT };
struct tree {
    enum type type;
    const char *op; /* NULL: a leaf */
    struct tree *arguments[6];
    uint32_t count;
    int column; /* leaf: column, or -1 */
    struct evs_value value;
    const struct evs_expr *expr;
};

static struct evs_arena arena;

#define COLUMNS 9
static const struct evs_field *fields(void)
{
    static struct evs_field list[COLUMNS];
    const char *names[COLUMNS] = {"i0", "i1", "f0", "f1", "b0", "b1", "s0", "s1", "k"};
    const enum evs_kind kinds[COLUMNS] = {EVS_INT64, EVS_INT64,  EVS_FLOAT64, EVS_FLOAT64, EVS_BOOL,
                                          EVS_BOOL,  EVS_STRING, EVS_STRING,  EVS_INT64};
    for (uint32_t i = 0; i < COLUMNS; i++) {
        list[i] = (struct evs_field){names[i], evs_type_of(kinds[i]), true};
    }
    return list;
}
static enum type column_type(int column)
{
    return column < 2 || column == 8 ? INT : column < 4 ? FLOAT : column < 6 ? BOOL : TEXT;
}

static const int64_t ints[] = {0, 1, -1, 2, 3, 7, 100, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_C(9007199254740993),
                               -5};
static const double floats[] = {
    0.0, -0.0, 1.0, -1.5, 2.0, 1e308, -1e308, 9007199254740992.0, NAN, INFINITY, -INFINITY, 0.1, 9223372036854775808.0};
static const char *const texts[] = {
    "", "a", "b", "abc", "twelve bytes", "thirteen byte", "thirteen bytE", "thirteen byte and more", "%", "\xc3\xbc"};

static int64_t random_int(void)
{
    return below(3) ? ints[below(EVS_COUNT(ints))] : (int64_t)below(10);
}
static double random_float(void)
{
    return below(3) ? floats[below(EVS_COUNT(floats))] : (double)below(100) / 8;
}

static struct evs_value random_value(enum type type)
{
    switch (type) {
    case INT:
        return (struct evs_value){.kind = EVS_INT64, .int64 = random_int()};
    case FLOAT:
        return (struct evs_value){.kind = EVS_FLOAT64, .float64 = random_float()};
    case BOOL:
        return (struct evs_value){.kind = EVS_BOOL, .boolean = below(2)};
    default: {
        const char *text = texts[below(EVS_COUNT(texts))];
        return (struct evs_value){.kind = EVS_STRING, .str = evs_str_make(text, (uint32_t)strlen(text))};
    }
    }
}

#define POOL 24
static struct tree *pool[POOL]; /* trees made before: sharing them makes common subexpressions */
static uint32_t pool_count;

static struct tree *new_tree(enum type type, const char *op)
{
    struct tree *tree = EVS_ARENA_NEW(&arena, struct tree);
    tree->type = type;
    tree->op = op;
    tree->column = -1;
    return tree;
}

static struct tree *leaf(enum type type)
{
    struct tree *tree = new_tree(type, NULL);
    if (below(4) == 0) {
        tree->value = random_value(type);
        tree->expr = evs_expr_constant(&arena, tree->value, (struct evs_place){0});
        return tree;
    }
    do {
        tree->column = (int)below(COLUMNS);
    } while (column_type(tree->column) != type);
    tree->expr = evs_expr_column(&arena, (uint32_t)tree->column, &fields()[tree->column], (struct evs_place){0});
    return tree;
}

static struct tree *grow(enum type type, uint32_t depth);

static void build(struct tree *tree)
{
    static const struct {
        const char *op;
        enum evs_expr_kind kind;
    } specials[] = {{"and", EVS_EXPR_AND},
                    {"or", EVS_EXPR_OR},
                    {"not", EVS_EXPR_NOT},
                    {"is null", EVS_EXPR_IS_NULL},
                    {"is true", EVS_EXPR_IS_TRUE},
                    {"is false", EVS_EXPR_IS_FALSE},
                    {"case", EVS_EXPR_CASE},
                    {"coalesce", EVS_EXPR_COALESCE},
                    {"in", EVS_EXPR_IN}};
    const struct evs_expr *arguments[6];
    struct evs_error error = {0};
    for (uint32_t i = 0; i < tree->count; i++) {
        arguments[i] = tree->arguments[i]->expr;
    }
    evs_status status = EVS_E_INTERNAL;
    for (size_t i = 0; i < EVS_COUNT(specials) && status == EVS_E_INTERNAL; i++) {
        if (strcmp(specials[i].op, tree->op) == 0) {
            status = evs_expr_special(&arena, specials[i].kind, arguments, tree->count, (struct evs_place){0},
                                      &tree->expr, &error);
        }
    }
    if (status == EVS_E_INTERNAL) {
        status = evs_expr_call(&arena, evs_slice_of(tree->op), false, arguments, tree->count, (struct evs_place){0},
                               &tree->expr, &error);
    }
    ck_assert_msg(status == EVS_OK, "%s: %s", tree->op, error.text);
}

static struct tree *make(enum type type, const char *op, uint32_t depth, uint32_t count, const enum type *types)
{
    struct tree *tree = new_tree(type, op);
    for (uint32_t i = 0; i < count; i++) {
        tree->arguments[tree->count++] = grow(types[i], depth);
    }
    build(tree);
    return tree;
}
#define MAKE(type_, op_, depth_, ...)                                                                                  \
    make((type_), (op_), (depth_), EVS_COUNT(((const enum type[]){__VA_ARGS__})), (const enum type[]){__VA_ARGS__})

static struct tree *grow_conditional(enum type type, uint32_t depth)
{
    if (below(2)) {
        return MAKE(type, "coalesce", depth, type, type);
    }
    return below(2) ? MAKE(type, "case", depth, BOOL, type, type)
                    : MAKE(type, "case", depth, BOOL, type, BOOL, type, type);
}

static struct tree *grow_bool(uint32_t depth)
{
    static const char *const compare[] = {"=", "!=", "<", "<=", ">", ">="};
    const char *op = compare[below(EVS_COUNT(compare))];
    switch (below(13)) {
    case 0:
        return MAKE(BOOL, op, depth, INT, INT);
    case 1:
        return MAKE(BOOL, op, depth, FLOAT, FLOAT);
    case 2:
        return below(2) ? MAKE(BOOL, op, depth, INT, FLOAT) : MAKE(BOOL, op, depth, FLOAT, INT);
    case 3:
        return MAKE(BOOL, op, depth, TEXT, TEXT);
    case 4:
        return below(2) ? MAKE(BOOL, "and", depth, BOOL, BOOL) : MAKE(BOOL, "and", depth, BOOL, BOOL, BOOL);
    case 5:
        return below(2) ? MAKE(BOOL, "or", depth, BOOL, BOOL) : MAKE(BOOL, "or", depth, BOOL, BOOL, BOOL);
    case 6:
        return MAKE(BOOL, "not", depth, BOOL);
    case 7:
        return MAKE(BOOL, below(2) ? "is true" : "is false", depth, BOOL);
    case 8:
        return MAKE(BOOL, "is null", depth, (enum type)below(4));
    case 9:
        return MAKE(BOOL, "in", depth, INT, INT, INT, INT);
    case 10:
        return MAKE(BOOL, "in", depth, TEXT, TEXT, TEXT, TEXT);
    case 11:
        return MAKE(BOOL, "between", depth, INT, INT, INT);
    default:
        return grow_conditional(BOOL, depth);
    }
}

static struct tree *grow_number(enum type type, uint32_t depth)
{
    static const char *const int_ops[] = {"+", "-", "*", "div", "mod", "&", "|", "^"};
    static const char *const float_ops[] = {"+", "-", "*", "/"};
    switch (below(4)) {
    case 0:
        return MAKE(type, "-", depth, type);
    case 1:
        return below(2) ? grow_conditional(type, depth)
                        : MAKE(type, below(2) ? "greatest" : "nullif", depth, type, type);
    default:
        if (type == INT) {
            return MAKE(INT, int_ops[below(EVS_COUNT(int_ops))], depth, INT, INT);
        }
        return below(3) == 0 ? MAKE(FLOAT, "/", depth, INT, INT)
                             : MAKE(FLOAT, float_ops[below(EVS_COUNT(float_ops))], depth, FLOAT, FLOAT);
    }
}

static struct tree *grow(enum type type, uint32_t depth)
{
    for (uint32_t tries = 0; tries < 3 && pool_count > 0 && below(4) == 0; tries++) {
        struct tree *old = pool[below(pool_count)];
        if (old->type == type) {
            return old;
        }
    }
    if (depth == 0 || below(5) == 0) {
        return leaf(type);
    }
    struct tree *tree = type == BOOL ? grow_bool(depth - 1)
                        : type == TEXT
                            ? (below(2) ? MAKE(TEXT, "||", depth - 1, TEXT, TEXT) : grow_conditional(TEXT, depth - 1))
                            : grow_number(type, depth - 1);
    if (pool_count < POOL) {
        pool[pool_count++] = tree;
    } else {
        pool[below(POOL)] = tree;
    }
    return tree;
}

/* --- batches --- */

static void *nowhere(void)
{
    return (void *)(uintptr_t)UINT64_C(0x0000dead0000beef);
}

static bool make_garbage(struct evs_column *column, uint32_t row)
{
    switch (column->kind) {
    case EVS_BOOL:
        ((uint8_t *)column->data)[row] = (uint8_t)next_random();
        return true;
    case EVS_STRING: {
        struct evs_str *text = &((struct evs_str *)column->data)[row];
        text->count = 13 + below(20);
        memcpy(text->prefix, "thir", 4);
        text->pointer = nowhere();
        return true;
    }
    default:
        ((uint64_t *)column->data)[row] = next_random();
        return true;
    }
}

static void set_element(struct evs_column *column, uint32_t row, const struct evs_value *value)
{
    switch (column->kind) {
    case EVS_BOOL:
        ((uint8_t *)column->data)[row] = value->boolean;
        break;
    case EVS_STRING:
        ((struct evs_str *)column->data)[row] = value->str;
        break;
    default:
        ((int64_t *)column->data)[row] = value->int64;
        break;
    }
}

static void fill(struct evs_batch *batch, uint32_t number, const uint16_t *selection, uint32_t selected)
{
    struct evs_column *column = &batch->columns[number];
    const enum type type = column_type((int)number);
    const bool is_constant = number == 8 || below(8) == 0, nullable = below(3) != 0;
    evs_column_init(column, batch, fields()[number].type->kind, batch->row_count, nullable);
    column->flags = is_constant ? EVS_COLUMN_CONSTANT : 0;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        make_garbage(column, row);
    }
    const uint32_t count = is_constant ? 1 : selected;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t row = is_constant ? 0 : selection[i];
        const struct evs_value value = random_value(type);
        if (nullable && below(5) == 0) {
            evs_column_set_null(column, row);
        } else {
            set_element(column, row, &value);
        }
    }
}

static struct evs_batch *random_batch(struct evs_batch_pool *batches, uint32_t rows, uint16_t *selection)
{
    struct evs_batch *batch = evs_batch_new(batches, COLUMNS);
    batch->row_count = rows;
    evs_batch_init_rows(batch, rows);
    const uint32_t density = below(3); /* all, half, few */
    uint32_t selected = 0;
    for (uint32_t row = 0; row < rows; row++) {
        batch->event_time_us[row] = row;
        selection[selected] = (uint16_t)row;
        selected += density == 0 || (density == 1 ? below(2) : below(16) == 0);
    }
    batch->selection = selection;
    batch->selected_count = selected;
    for (uint32_t c = 0; c < COLUMNS; c++) {
        fill(batch, c, selection, selected);
    }
    if (selected == rows) {
        batch->selection = NULL;
    }
    return batch;
}

/* --- the reference --- */

struct answer {
    const char *code; /* failed */
    bool null;
    struct evs_value value;
};
static struct answer evaluate(const struct tree *tree, const struct evs_batch *batch, uint32_t row);

static struct answer failed(const char *code)
{
    return (struct answer){.code = code};
}
static struct answer null_answer(void)
{
    return (struct answer){.null = true};
}
static struct answer of_bool(bool value)
{
    return (struct answer){.value = {.kind = EVS_BOOL, .boolean = value}};
}
static struct answer of_int(int64_t value)
{
    return (struct answer){.value = {.kind = EVS_INT64, .int64 = value}};
}
static struct answer of_float(double value)
{
    return (struct answer){.value = {.kind = EVS_FLOAT64, .float64 = value}};
}

static struct answer int_op(const char *op, int64_t a, int64_t b)
{
    __int128 wide;
    if (strcmp(op, "div") == 0 || strcmp(op, "mod") == 0) {
        if (b == 0) {
            return failed("R0103");
        }
        wide = op[0] == 'd' ? (__int128)a / b : (__int128)a % b;
    } else if (op[0] == '&' || op[0] == '|' || op[0] == '^') {
        wide = op[0] == '&' ? (a & b) : op[0] == '|' ? (a | b) : (a ^ b);
    } else {
        wide = op[0] == '+' ? (__int128)a + b : op[0] == '-' ? (__int128)a - b : (__int128)a * b;
    }
    return wide > INT64_MAX || wide < INT64_MIN ? failed("R0101") : of_int((int64_t)wide);
}

static struct answer float_op(const char *op, double a, double b)
{
    if (op[0] == '/' && b == 0) {
        return failed("R0103");
    }
    const double r = op[0] == '+' ? a + b : op[0] == '-' ? a - b : op[0] == '*' ? a * b : a / b;
    return isinf(r) && isfinite(a) && isfinite(b) ? failed("R0101") : of_float(r);
}

/* -1, 0, 1, or 2 when a NaN makes them incomparable. A long double holds every int64 and every float64. */
static int order(const struct evs_value *a, const struct evs_value *b)
{
    if (a->kind == EVS_STRING) {
        const struct evs_slice x = evs_str_slice(&a->str), y = evs_str_slice(&b->str);
        const int prefix = memcmp(x.data, y.data, x.count < y.count ? x.count : y.count);
        return prefix ? (prefix > 0) - (prefix < 0) : (x.count > y.count) - (x.count < y.count);
    }
    if (a->kind == EVS_BOOL) {
        return a->boolean - b->boolean;
    }
    const long double x = a->kind == EVS_INT64 ? (long double)a->int64 : (long double)a->float64;
    const long double y = b->kind == EVS_INT64 ? (long double)b->int64 : (long double)b->float64;
    return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
}

static bool holds(const char *op, int o)
{
    if (o == 2) {
        return strcmp(op, "!=") == 0;
    }
    return strcmp(op, "=") == 0    ? o == 0
           : strcmp(op, "!=") == 0 ? o != 0
           : strcmp(op, "<") == 0  ? o < 0
           : strcmp(op, "<=") == 0 ? o <= 0
           : strcmp(op, ">") == 0  ? o > 0
                                   : o >= 0;
}

static struct answer logic(const struct tree *tree, const struct evs_batch *batch, uint32_t row)
{
    const bool decisive = strcmp(tree->op, "or") == 0;
    bool null = false;
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct answer a = evaluate(tree->arguments[i], batch, row);
        if (a.code || (!a.null && a.value.boolean == decisive)) {
            return a;
        }
        null = null || a.null;
    }
    return null ? null_answer() : of_bool(!decisive);
}

static struct answer in_list(const struct tree *tree, const struct evs_batch *batch, uint32_t row)
{
    const struct answer x = evaluate(tree->arguments[0], batch, row);
    if (x.code) {
        return x;
    }
    bool null = false;
    for (uint32_t i = 1; i < tree->count; i++) {
        const struct answer a = evaluate(tree->arguments[i], batch, row);
        if (a.code) {
            return a;
        }
        if (x.null || a.null) {
            null = true;
        } else if (order(&x.value, &a.value) == 0) {
            return of_bool(true);
        }
    }
    return null ? null_answer() : of_bool(false);
}

static struct answer conditional(const struct tree *tree, const struct evs_batch *batch, uint32_t row)
{
    const bool is_case = strcmp(tree->op, "case") == 0;
    const uint32_t last = tree->count - 1;
    for (uint32_t i = 0; is_case ? i < last : i < tree->count; i += is_case ? 2 : 1) {
        const struct answer a = evaluate(tree->arguments[i], batch, row);
        if (a.code || (!is_case && !a.null)) {
            return a;
        }
        if (is_case && !a.null && a.value.boolean) {
            return evaluate(tree->arguments[i + 1], batch, row);
        }
    }
    return is_case ? evaluate(tree->arguments[last], batch, row) : null_answer();
}

static struct answer between(const struct answer *a)
{
    const bool low_null = a[0].null || a[1].null, high_null = a[0].null || a[2].null;
    const bool low = !low_null && order(&a[0].value, &a[1].value) >= 0,
               high = !high_null && order(&a[0].value, &a[2].value) <= 0;
    if ((!low_null && !low) || (!high_null && !high)) {
        return of_bool(false);
    }
    return low_null || high_null ? null_answer() : of_bool(true);
}

static struct answer joined(const struct evs_value *a, const struct evs_value *b)
{
    const uint32_t count = a->str.count + b->str.count;
    char *text = evs_arena_alloc(&arena, count + 1, 1);
    memcpy(text, evs_str_data(&a->str), a->str.count);
    memcpy(text + a->str.count, evs_str_data(&b->str), b->str.count);
    return (struct answer){.value = {.kind = EVS_STRING, .str = evs_str_make(text, count)}};
}

static struct answer larger(const struct evs_value *a, const struct evs_value *b)
{
    struct answer answer = {.value = *a};
    const int o = order(a, b);
    const bool take_b = o == 2 ? !isnan(a->float64) : o <= 0;
    answer.value = take_b ? *b : *a;
    return answer;
}

static struct answer strict(const struct tree *tree, const struct answer *a)
{
    if (strcmp(tree->op, "nullif") == 0) {
        const bool equal = !a[0].null && !a[1].null && order(&a[0].value, &a[1].value) == 0;
        return a[0].null || equal ? null_answer() : a[0];
    }
    if (strcmp(tree->op, "between") == 0) {
        return between(a);
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        if (a[i].null) {
            return null_answer();
        }
    }
    if (strcmp(tree->op, "||") == 0) {
        return joined(&a[0].value, &a[1].value);
    }
    if (strcmp(tree->op, "greatest") == 0) {
        return larger(&a[0].value, &a[1].value);
    }
    if (tree->type == BOOL) {
        return of_bool(holds(tree->op, order(&a[0].value, &a[1].value)));
    }
    if (tree->count == 1) {
        return tree->type == INT ? int_op("-", 0, a[0].value.int64) : of_float(-a[0].value.float64);
    }
    if (tree->type == INT) {
        return int_op(tree->op, a[0].value.int64, a[1].value.int64);
    }
    const double x = a[0].value.kind == EVS_INT64 ? (double)a[0].value.int64 : a[0].value.float64;
    const double y = a[1].value.kind == EVS_INT64 ? (double)a[1].value.int64 : a[1].value.float64;
    return float_op(tree->op, x, y);
}

static struct answer unary_logic(const struct tree *tree, struct answer a)
{
    if (a.code) {
        return a;
    }
    if (strcmp(tree->op, "is null") == 0) {
        return of_bool(a.null);
    }
    if (strcmp(tree->op, "not") == 0) {
        return a.null ? a : of_bool(!a.value.boolean);
    }
    return of_bool(!a.null && a.value.boolean == (tree->op[3] == 't'));
}

static struct answer evaluate_leaf(const struct tree *tree, const struct evs_batch *batch, uint32_t row)
{
    if (tree->column < 0) {
        return (struct answer){.value = tree->value};
    }
    const struct evs_value value = evs_column_value(&batch->columns[tree->column], row);
    return (struct answer){.null = value.is_null, .value = value};
}

static struct answer evaluate(const struct tree *tree, const struct evs_batch *batch, uint32_t row)
{
    if (tree->op == NULL) {
        return evaluate_leaf(tree, batch, row);
    }
    if (strcmp(tree->op, "and") == 0 || strcmp(tree->op, "or") == 0) {
        return logic(tree, batch, row);
    }
    if (strcmp(tree->op, "in") == 0) {
        return in_list(tree, batch, row);
    }
    if (strcmp(tree->op, "case") == 0 || strcmp(tree->op, "coalesce") == 0) {
        return conditional(tree, batch, row);
    }
    if (strcmp(tree->op, "not") == 0 || strncmp(tree->op, "is ", 3) == 0) {
        return unary_logic(tree, evaluate(tree->arguments[0], batch, row));
    }
    struct answer answers[6];
    const bool is_between = strcmp(tree->op, "between") == 0;
    for (uint32_t i = 0; i < tree->count; i++) {
        answers[i] = evaluate(tree->arguments[i], batch, row);
        if (answers[i].code) {
            return answers[i];
        }
        if (is_between && i == 1 && !answers[0].null && !answers[1].null &&
            order(&answers[0].value, &answers[1].value) < 0) {
            return of_bool(false); /* the upper bound is not needed */
        }
    }
    return strict(tree, answers);
}

/* --- comparing --- */

static bool same_value(const struct evs_value *a, const struct answer *b)
{
    if (a->is_null || b->null) {
        return a->is_null && b->null;
    }
    if (a->kind != b->value.kind) {
        return false;
    }
    if (a->kind == EVS_FLOAT64) {
        return a->float64 == b->value.float64 || (isnan(a->float64) && isnan(b->value.float64));
    }
    return a->kind == EVS_BOOL ? a->boolean == b->value.boolean : order(a, &b->value) == 0;
}

#define OUTPUTS 3

static const char *first_failure(struct tree *const *trees, const struct evs_batch *batch, uint32_t row)
{
    for (uint32_t t = 0; t < OUTPUTS; t++) {
        const struct answer answer = evaluate(trees[t], batch, row);
        if (answer.code) {
            return answer.code;
        }
    }
    return NULL;
}

static void check_run(struct evs_eval *eval, struct tree *const *trees, const struct evs_batch *batch)
{
    struct evs_column columns[OUTPUTS];
    const struct evs_expr_failure *failures;
    evs_program_run(eval, batch, columns);
    const uint32_t failure_count = evs_eval_failures(eval, &failures);
    uint32_t failure = 0;
    EVS_FOR_ROWS(batch, position, row) {
        const char *code = first_failure(trees, batch, row);
        const bool reported = failure < failure_count && failures[failure].row == row;
        ck_assert_msg((code != NULL) == reported, "row %u of %u: %s, by the reference %s\n%s\n%s\n%s", row,
                      batch->row_count, reported ? failures[failure].code : "fine", code ? code : "fine",
                      trees[0]->expr->text, trees[1]->expr->text, trees[2]->expr->text);
        if (code != NULL) {
            ck_assert_str_eq(failures[failure].code, code);
            ck_assert_ptr_nonnull(failures[failure++].expr->text);
            continue;
        }
        for (uint32_t t = 0; t < OUTPUTS; t++) {
            const struct evs_value value = evs_column_value(&columns[t], row);
            const struct answer answer = evaluate(trees[t], batch, row);
            ck_assert_msg(same_value(&value, &answer), "row %u of %u: %s gave %s", row, batch->row_count,
                          trees[t]->expr->text, value_as_text(&arena, &value));
        }
    }
    ck_assert_uint_eq(failure, failure_count);
}

static void check_filter(struct evs_eval *eval, const struct tree *tree, const struct evs_batch *batch)
{
    uint16_t selection[EVS_BATCH_ROWS];
    const struct evs_expr_failure *failures;
    const uint32_t count = evs_program_filter(eval, batch, selection);
    const uint32_t failure_count = evs_eval_failures(eval, &failures);
    uint32_t at = 0, failure = 0;
    EVS_FOR_ROWS(batch, position, row) {
        const struct answer answer = evaluate(tree, batch, row);
        const bool wanted = !answer.code && !answer.null && answer.value.boolean;
        const bool given = at < count && selection[at] == row;
        ck_assert_msg(wanted == given, "row %u of %u: %s", row, batch->row_count, tree->expr->text);
        at += given;
        failure += answer.code != NULL;
        if (answer.code) {
            ck_assert_uint_eq(failures[failure - 1].row, row);
        }
    }
    ck_assert_uint_eq(at, count);
    ck_assert_uint_eq(failure, failure_count);
}

static const struct evs_program *compile(const struct evs_expr **exprs, uint32_t count)
{
    const struct evs_program *program;
    struct evs_error error;
    ck_assert_msg(evs_program_compile(&arena, exprs, count, &program, &error) == EVS_OK, "%s", error.text);
    return program;
}

static void check_trees(struct evs_batch_pool *batches)
{
    static const uint32_t sizes[] = {1, 7, 63, 64, 65, 1000, 1024};
    struct tree *trees[OUTPUTS] = {grow(BOOL, 4), grow((enum type)below(4), 5), grow(INT, 5)};
    const struct evs_expr *exprs[OUTPUTS] = {trees[0]->expr, trees[1]->expr, trees[2]->expr};
    struct evs_eval *run = evs_eval_new(compile(exprs, OUTPUTS));
    struct evs_eval *filter = evs_eval_new(compile(exprs, 1));
    for (uint32_t i = 0; i < 3; i++) {
        uint16_t selection[EVS_BATCH_ROWS + 1];
        struct evs_batch *batch = random_batch(batches, sizes[below(EVS_COUNT(sizes))], selection);
        check_run(run, trees, batch);
        check_filter(filter, trees[0], batch);
        evs_batch_unref(batch);
    }
    evs_eval_free(run);
    evs_eval_free(filter);
}

START_TEST(test_random_trees)
{
    state = UINT64_C(0x9e3779b97f4a7c15) * ((uint64_t)_i + 1);
    struct evs_batch_pool *batches = evs_batch_pool_new();
    for (uint32_t i = 0; i < unit_cases(120); i++) {
        pool_count = 0;
        check_trees(batches);
        evs_arena_reset(&arena);
    }
    ck_assert_uint_eq(evs_batch_pool_live(batches), 0);
    evs_batch_pool_free(batches);
    evs_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expr_vector");
    TCase *tcase = tcase_create("differential");
    tcase_add_loop_test(tcase, test_random_trees, 0, 12);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
