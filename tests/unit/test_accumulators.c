/* Every aggregate function against a plain reading of the rows, and against itself: fed in pieces of any size, in any order, merged from any parts,
 * stored and restored in the middle, moved to another arena, the result is the same. */
#include <math.h>

#include "accumulator_case.h"

/* --- the plain reading ----------------------------------------------------------------------------------------------------------------- */

/* Rows in the order of the key. */
struct reading {
    const struct case_call *call;
    const uint16_t *rows;
    uint32_t count;
    struct evs_buffer text;
};

static struct evs_value argument(const struct reading *reading, uint32_t at, uint32_t i)
{
    return case_value(reading->call->columns[at], reading->rows[i]);
}

/* GoogleSQL's order of values; NULL is not among them. */
static int compare(const struct evs_value *a, const struct evs_value *b)
{
    switch (a->kind) {
    case EVS_FLOAT64:
        return (a->float64 > b->float64) - (a->float64 < b->float64);
    case EVS_NUMERIC:
        return (a->numeric > b->numeric) - (a->numeric < b->numeric);
    case EVS_BOOL:
        return (int)a->boolean - (int)b->boolean;
    case EVS_INTERVAL: {
        double day = 86400e6;
        double x = (a->interval.months * 30.0 + a->interval.days) * day + (double)a->interval.us;
        double y = (b->interval.months * 30.0 + b->interval.days) * day + (double)b->interval.us;
        return (x > y) - (x < y);
    }
    case EVS_STRING:
        return evs_str_compare(&a->str, &b->str);
    default:
        return (a->int64 > b->int64) - (a->int64 < b->int64);
    }
}

static bool equal(const struct evs_value *a, const struct evs_value *b)
{
    return a->is_null || b->is_null ? a->is_null == b->is_null : compare(a, b) == 0;
}

static double number(const struct evs_value *value)
{
    return value->kind == EVS_INT64     ? (double)value->int64
           : value->kind == EVS_NUMERIC ? evs_numeric_to_float64(value->numeric)
                                        : value->float64;
}

/* Is the value of row i among those of the rows before? */
static bool is_repeated(const struct reading *reading, uint32_t i)
{
    struct evs_value value = argument(reading, 0, i);
    for (uint32_t k = 0; k < i; k++) {
        struct evs_value before = argument(reading, 0, k);
        if (equal(&value, &before)) {
            return true;
        }
    }
    return false;
}

static bool counts(const struct reading *reading, uint32_t i)
{
    struct evs_value value = argument(reading, 0, i);
    return !value.is_null && !(reading->call->is_distinct && is_repeated(reading, i));
}

static void print(struct reading *reading, struct evs_value value)
{
    case_print(&reading->text, &value);
}

static void print_number(struct reading *reading, double value)
{
    print(reading, (struct evs_value){.kind = EVS_FLOAT64, .float64 = value});
}

static void print_int(struct reading *reading, int64_t value)
{
    print(reading, (struct evs_value){.kind = EVS_INT64, .int64 = value});
}

static void read_counts(struct reading *reading)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < reading->count; i++) {
        bool is_true = reading->call->kind == EVS_AGG_COUNT_ROWS;
        if (!is_true && reading->call->kind == EVS_AGG_COUNTIF) {
            struct evs_value value = argument(reading, 0, i);
            is_true = !value.is_null && value.boolean;
        } else if (!is_true) {
            is_true = counts(reading, i);
        }
        count += is_true;
    }
    print_int(reading, count);
}

static void read_sums(struct reading *reading)
{
    evs_numeric whole = 0;
    double real = 0;
    int64_t count = 0;
    enum evs_kind kind = case_type(reading->call->columns[0])->kind;
    for (uint32_t i = 0; i < reading->count; i++) {
        if (counts(reading, i)) {
            struct evs_value value = argument(reading, 0, i);
            whole += kind == EVS_INT64 ? value.int64 : kind == EVS_NUMERIC ? value.numeric : 0;
            real += number(&value);
            count++;
        }
    }
    if (count == 0) {
        evs_buffer_puts(&reading->text, "NULL");
    } else if (reading->call->kind == EVS_AGG_AVG && kind != EVS_NUMERIC) {
        print_number(reading, real / (double)count);
    } else if (kind == EVS_FLOAT64) {
        print_number(reading, real);
    } else if (kind == EVS_INT64) {
        print_int(reading, (int64_t)whole);
    } else {
        evs_numeric mean = whole;
        ck_assert(reading->call->kind == EVS_AGG_SUM ||
                  evs_numeric_divide(whole, (evs_numeric)count * EVS_NUMERIC_ONE, &mean));
        print(reading, (struct evs_value){.kind = EVS_NUMERIC, .numeric = mean});
    }
}

static void read_bits(struct reading *reading)
{
    int64_t bits = 0;
    bool has = false;
    bool is_bool = reading->call->kind == EVS_AGG_LOGICAL_AND || reading->call->kind == EVS_AGG_LOGICAL_OR;
    for (uint32_t i = 0; i < reading->count; i++) {
        if (!counts(reading, i)) {
            continue;
        }
        struct evs_value value = argument(reading, 0, i);
        int64_t word = is_bool ? value.boolean : value.int64;
        bool is_and = reading->call->kind == EVS_AGG_BIT_AND || reading->call->kind == EVS_AGG_LOGICAL_AND;
        bits = !has                                     ? word
               : is_and                                 ? (bits & word)
               : reading->call->kind == EVS_AGG_BIT_XOR ? (bits ^ word)
                                                        : (bits | word);
        has = true;
    }
    print(reading, is_bool ? (struct evs_value){.kind = EVS_BOOL, .is_null = !has, .boolean = bits != 0}
                           : (struct evs_value){.kind = EVS_INT64, .is_null = !has, .int64 = bits});
}

/* min, max, first, last, any_value, min_by, max_by: the row that wins; the rows are in order, so a later one must be better. */
static void read_picks(struct reading *reading)
{
    enum evs_aggregate_kind kind = reading->call->kind;
    bool is_by = kind == EVS_AGG_MIN_BY || kind == EVS_AGG_MAX_BY;
    bool is_extreme = kind == EVS_AGG_MIN || kind == EVS_AGG_MAX;
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < reading->count; i++) {
        struct evs_value value = argument(reading, 0, i), by = argument(reading, is_by ? 1 : 0, i);
        if ((value.is_null && (is_extreme || reading->call->ignore_nulls)) || (is_by && by.is_null)) {
            continue;
        }
        struct evs_value kept = best == UINT32_MAX ? by : argument(reading, is_by ? 1 : 0, best);
        int order = is_by || is_extreme ? compare(&by, &kept) : 0;
        bool wants_less = kind == EVS_AGG_MIN || kind == EVS_AGG_MIN_BY;
        if (best == UINT32_MAX || kind == EVS_AGG_LAST || (wants_less ? order < 0 : order > 0)) {
            best = i;
        }
    }
    struct evs_value nothing = {.is_null = true};
    print(reading, best == UINT32_MAX ? nothing : argument(reading, 0, best));
}

/* Variances and covariances by two passes. */
static bool has_pair(const struct reading *reading, uint32_t i)
{
    struct evs_value second = argument(reading, reading->call->count - 1, i);
    return counts(reading, i) && !second.is_null;
}

static void read_stats(struct reading *reading)
{
    uint32_t y_at = reading->call->count - 1;
    double n = 0, mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
    for (uint32_t i = 0; i < reading->count; i++) {
        if (has_pair(reading, i)) {
            struct evs_value x = argument(reading, 0, i), y = argument(reading, y_at, i);
            n++;
            mean_x += number(&x);
            mean_y += number(&y);
        }
    }
    mean_x /= n;
    mean_y /= n;
    for (uint32_t i = 0; i < reading->count; i++) {
        if (has_pair(reading, i)) {
            struct evs_value x_value = argument(reading, 0, i), y_value = argument(reading, y_at, i);
            double x = number(&x_value) - mean_x, y = number(&y_value) - mean_y;
            xx += x * x;
            yy += y * y;
            xy += x * y;
        }
    }
    enum evs_aggregate_kind kind = reading->call->kind;
    bool is_sample = kind == EVS_AGG_STDDEV_SAMP || kind == EVS_AGG_VAR_SAMP || kind == EVS_AGG_COVAR_SAMP;
    double divisor = is_sample || kind == EVS_AGG_CORR ? n - 1 : n;
    bool is_deviation = kind == EVS_AGG_STDDEV_POP || kind == EVS_AGG_STDDEV_SAMP;
    if (divisor <= 0) {
        evs_buffer_puts(&reading->text, "NULL");
    } else if (kind == EVS_AGG_CORR) {
        print_number(reading, xy / sqrt(xx * yy));
    } else {
        print_number(reading, is_deviation ? sqrt(xx / divisor) : xy / divisor);
    }
}

/* Lists: a stable sort of rows that are in order already. */
static const struct reading *sorted; /* for qsort's comparison */

static int compare_listed(const void *a, const void *b)
{
    const struct case_call *call = sorted->call;
    uint16_t rows[2] = {*(const uint16_t *)a, *(const uint16_t *)b};
    struct evs_value x = case_value(call->columns[call->count - 1], rows[0]);
    struct evs_value y = case_value(call->columns[call->count - 1], rows[1]);
    int order = 0;
    if (call->order != ORDER_NONE && (x.is_null || y.is_null)) {
        order = call->nulls_last ? (int)x.is_null - (int)y.is_null : (int)y.is_null - (int)x.is_null;
    } else if (call->order != ORDER_NONE) {
        order = compare(&x, &y) * (call->order == ORDER_DOWN ? -1 : 1);
    }
    return order != 0 ? order : case_compare_rows(rows[0], rows[1]);
}

static void print_listed(struct reading *reading, struct evs_value value, bool is_first)
{
    if (reading->call->kind == EVS_AGG_ARRAY_CONCAT_AGG) {
        struct evs_nested nested = evs_nested_open(&value.str);
        for (uint32_t i = 0; i < nested.count; i++) {
            bool is_begin = reading->text.count == 1;
            evs_buffer_puts(&reading->text, is_begin ? "" : ", ");
            print(reading, evs_nested_at(&nested, i));
        }
        return;
    }
    bool is_array = reading->call->kind == EVS_AGG_ARRAY_AGG;
    evs_buffer_puts(&reading->text, is_first ? "" : is_array ? ", " : reading->call->delimiter);
    if (is_array) {
        print(reading, value);
    } else {
        evs_buffer_put(&reading->text, evs_str_data(&value.str), value.str.count);
    }
}

static void read_lists(struct reading *reading)
{
    static uint16_t listed[CASE_ROWS_MAX];
    uint32_t count = 0;
    bool is_string = reading->call->kind == EVS_AGG_STRING_AGG;
    bool keeps_nulls = reading->call->kind == EVS_AGG_ARRAY_AGG && !reading->call->ignore_nulls;
    for (uint32_t i = 0; i < reading->count; i++) {
        struct evs_value value = argument(reading, 0, i);
        bool is_double = reading->call->is_distinct && is_repeated(reading, i);
        if ((!value.is_null || keeps_nulls) && !is_double) {
            listed[count++] = reading->rows[i];
        }
    }
    sorted = reading;
    qsort(listed, count, sizeof *listed, compare_listed);
    if (count == 0) {
        evs_buffer_puts(&reading->text, "NULL");
        return;
    }
    count = reading->call->limit > 0 && reading->call->limit < count ? (uint32_t)reading->call->limit : count;
    evs_buffer_puts(&reading->text, is_string ? "\"" : "[");
    for (uint32_t i = 0; i < count; i++) {
        print_listed(reading, case_value(reading->call->columns[0], listed[i]), i == 0);
    }
    evs_buffer_puts(&reading->text, is_string ? "\"" : "]");
}

/* With few different values sketches are exact. */
static void read_quantiles(struct reading *reading)
{
    static struct evs_value values[CASE_ROWS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < reading->count; i++) {
        if (counts(reading, i)) {
            uint32_t at = count++;
            struct evs_value value = argument(reading, 0, i);
            for (; at > 0 && compare(&values[at - 1], &value) > 0; at--) {
                values[at] = values[at - 1];
            }
            values[at] = value;
        }
    }
    if (count == 0) {
        evs_buffer_puts(&reading->text, "NULL");
        return;
    }
    uint32_t parts = (uint32_t)reading->call->number;
    for (uint32_t i = 0; i <= parts; i++) {
        uint32_t rank = (i * count + parts - 1) / parts;
        evs_buffer_puts(&reading->text, i == 0 ? "[" : ", ");
        print(reading, values[rank == 0 ? 0 : rank - 1]);
    }
    evs_buffer_puts(&reading->text, "]");
}

struct heavy {
    struct evs_value value;
    int64_t weight;
    bool has_weight, is_taken;
};

static bool is_heavier(const struct heavy *a, const struct heavy *b)
{
    if (a->has_weight != b->has_weight || a->weight != b->weight) {
        return a->has_weight != b->has_weight ? a->has_weight : a->weight > b->weight;
    }
    if (a->value.is_null || b->value.is_null) {
        return b->value.is_null && !a->value.is_null;
    }
    return compare(&a->value, &b->value) < 0; /* of texts: their bytes */
}

static void read_top(struct reading *reading)
{
    static struct heavy all[CASE_ROWS_MAX];
    uint32_t count = 0;
    bool is_sum = reading->call->kind == EVS_AGG_APPROX_TOP_SUM;
    for (uint32_t i = 0; i < reading->count; i++) {
        struct evs_value value = argument(reading, 0, i);
        struct evs_value weight = is_sum ? argument(reading, 1, i) : (struct evs_value){.kind = EVS_INT64, .int64 = 1};
        uint32_t at = 0;
        while (at < count && !equal(&all[at].value, &value)) {
            at++;
        }
        if (at == count) {
            all[count++] = (struct heavy){.value = value};
        }
        all[at].weight += weight.is_null ? 0 : weight.int64;
        all[at].has_weight |= !weight.is_null;
    }
    for (int64_t i = 0; i < reading->call->number && i < count; i++) {
        struct heavy *best = NULL;
        for (uint32_t k = 0; k < count; k++) {
            best = !all[k].is_taken && (best == NULL || is_heavier(&all[k], best)) ? &all[k] : best;
        }
        best->is_taken = true;
        evs_buffer_puts(&reading->text, i == 0 ? "[(" : ", (");
        print(reading, best->value);
        evs_buffer_puts(&reading->text, ", ");
        print(reading, (struct evs_value){.kind = EVS_INT64, .is_null = !best->has_weight, .int64 = best->weight});
        evs_buffer_puts(&reading->text, ")");
    }
    evs_buffer_puts(&reading->text, count == 0 ? "NULL" : "]");
}

/* The depth that chains from row i at step `step` reach, by trying all. */
static uint32_t deepest(const struct reading *reading, uint32_t i, uint32_t step, int64_t start_us)
{
    uint32_t best = step + 1;
    for (uint32_t k = i + 1; step + 1 < reading->call->count && k < reading->count; k++) {
        struct evs_value is_met = argument(reading, step + 1, k);
        int64_t time_us = case_batch->event_time_us[reading->rows[k]];
        if (!is_met.is_null && is_met.boolean && time_us - start_us <= reading->call->within_us) {
            uint32_t depth = deepest(reading, k, step + 1, start_us);
            best = depth > best ? depth : best;
        }
    }
    return best;
}

static void read_funnel(struct reading *reading)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < reading->count; i++) {
        struct evs_value is_met = argument(reading, 0, i);
        if (!is_met.is_null && is_met.boolean) {
            uint32_t depth = deepest(reading, i, 0, case_batch->event_time_us[reading->rows[i]]);
            best = depth > best ? depth : best;
        }
    }
    print_int(reading, best);
}

static void read_plainly(struct reading *reading)
{
    switch (reading->call->kind) {
    case EVS_AGG_COUNT_ROWS:
    case EVS_AGG_COUNT:
    case EVS_AGG_COUNTIF:
        read_counts(reading);
        break;
    case EVS_AGG_SUM:
    case EVS_AGG_AVG:
        read_sums(reading);
        break;
    case EVS_AGG_BIT_AND:
    case EVS_AGG_BIT_OR:
    case EVS_AGG_BIT_XOR:
    case EVS_AGG_LOGICAL_AND:
    case EVS_AGG_LOGICAL_OR:
        read_bits(reading);
        break;
    case EVS_AGG_ARRAY_AGG:
    case EVS_AGG_ARRAY_CONCAT_AGG:
    case EVS_AGG_STRING_AGG:
        read_lists(reading);
        break;
    case EVS_AGG_APPROX_QUANTILES:
        read_quantiles(reading);
        break;
    case EVS_AGG_APPROX_TOP_COUNT:
    case EVS_AGG_APPROX_TOP_SUM:
        read_top(reading);
        break;
    case EVS_AGG_WINDOW_FUNNEL:
        read_funnel(reading);
        break;
    case EVS_AGG_APPROX_COUNT_DISTINCT: {
        struct case_call distinct = *reading->call;
        distinct.is_distinct = true;
        reading->call = &distinct;
        read_counts(reading);
        break;
    }
    default:
        (case_type(reading->call->columns[0])->kind != EVS_BOOL && reading->call->kind >= EVS_AGG_STDDEV_POP &&
         reading->call->kind <= EVS_AGG_COVAR_SAMP)
            ? read_stats(reading)
            : read_picks(reading);
    }
}

/* --- the ways ------------------------------------------------------------------------------------------------------------------------------- */

static void shuffle(uint16_t *rows, uint32_t count, uint64_t *seed)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)(unit_random(seed) % i);
        uint16_t kept = rows[i - 1];
        rows[i - 1] = rows[other];
        rows[other] = kept;
    }
}

static const char *in_order(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    struct case_group *group = case_group_new();
    case_feed(call, group, rows, count, seed);
    const char *result = case_result(call, group);
    case_group_free(group);
    return result;
}

static const char *shuffled(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    shuffle(rows, count, seed);
    return in_order(call, rows, count, seed);
}

static const char *merged(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    struct case_group *into = case_group_new();
    shuffle(rows, count, seed);
    for (uint32_t first = 0, part = 0; first < count || part < 2; part++) {
        uint32_t left = count - first, piece = left == 0 ? 0 : (uint32_t)(unit_random(seed) % left) + 1;
        struct case_group *from = case_group_new();
        case_feed(call, from, rows + first, piece, seed);
        const char *before = case_result(call, from);
        bool turn = unit_random(seed) % 2 == 0;
        case_merge(call, turn ? from : into, turn ? into : from);
        if (!turn) {
            ck_assert_str_eq(case_result(call, from), before); /* what is merged stays as it is */
        }
        case_group_free(turn ? into : from);
        into = turn ? from : into;
        first += piece;
    }
    const char *result = case_result(call, into);
    case_group_free(into);
    return result;
}

/* A first snapshot, changes, a second one with these alone; what comes out of both goes on. */
static const char *stored(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    struct case_group *group = case_group_new(), *copy = case_group_new();
    for (uint32_t first = 0, turn = 0; first < count || turn == 0; turn++) {
        uint32_t left = count - first, piece = left == 0 ? 0 : (uint32_t)(unit_random(seed) % left) + 1;
        case_feed(call, group, rows + first, piece, seed);
        case_store(call, group, copy, unit_random(seed) % 4 == 0);
        ck_assert_str_eq(case_result(call, copy), case_result(call, group));
        first += piece;
        if (unit_random(seed) % 2 == 0) { /* the restored one is the one that goes on, and is stored anew */
            struct case_group *kept = group;
            group = copy;
            copy = kept;
            case_group_free(copy);
            copy = case_group_new();
            case_store(call, group, copy, true);
        }
    }
    const char *result = case_result(call, copy);
    case_group_free(group);
    case_group_free(copy);
    return result;
}

static const char *moved(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    struct case_group *group = case_group_new();
    uint32_t half = count / 2;
    case_feed(call, group, rows, half, seed);
    case_move(call, group);
    case_feed(call, group, rows + half, count - half, seed);
    case_move(call, group);
    const char *result = case_result(call, group);
    case_group_free(group);
    return result;
}

static int compare_row_numbers(const void *a, const void *b)
{
    return case_compare_rows(*(const uint16_t *)a, *(const uint16_t *)b);
}

static const char *plain(const struct case_call *call, const uint16_t *rows, uint32_t count)
{
    static uint16_t ordered[CASE_ROWS_MAX];
    struct reading reading = {.call = call, .rows = ordered, .count = count};
    memcpy(ordered, rows, count * sizeof *rows);
    qsort(ordered, count, sizeof *ordered, compare_row_numbers);
    read_plainly(&reading);
    for (size_t i = 0; i < reading.text.count; i++) {
        reading.text.data[i] = reading.text.data[i] == '\0' ? '~' : reading.text.data[i];
    }
    char *kept = evs_arena_strndup(case_batch->arena, reading.text.data, reading.text.count);
    evs_buffer_fini(&reading.text);
    return kept;
}

static void check_rows(const struct case_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    static const struct {
        const char *name;
        const char *(*run)(const struct agg_call *, uint16_t *, uint32_t, uint64_t *);
    } ways[] = {
        {"in order", in_order}, {"shuffled", shuffled}, {"merged", merged}, {"stored", stored}, {"moved", moved}};
    struct evs_aggregate_call config = case_config(call);
    struct agg_call under_test = evs_agg_call(&config, 0);
    const char *expected = plain(call, rows, count);
    for (size_t i = 0; i < EVS_COUNT(ways); i++) {
        const char *result = ways[i].run(&under_test, rows, count, seed);
        UNIT_CHECK(strcmp(result, expected) == 0, "kind %d of column %d, %u rows %s: %s, and not %s", (int)call->kind,
                   (int)call->columns[0], count, ways[i].name, result, expected);
    }
    evs_agg_call_fini(&under_test);
}

/* No row, one row, few, many; rows that are chosen at random. */
static void check(const struct case_call *call)
{
    static const uint32_t counts_of_rows[] = {0, 1, 2, 3, 7, 20, 20, 60, 150, 400};
    static uint16_t rows[CASE_ROWS_MAX];
    uint64_t seed = (uint64_t)call->kind * 1000 + call->columns[0] * 10 + call->is_distinct;
    for (size_t i = 0; i < EVS_COUNT(counts_of_rows); i++) {
        for (uint32_t k = 0; k < CASE_ROWS_MAX; k++) {
            rows[k] = (uint16_t)k;
        }
        shuffle(rows, CASE_ROWS_MAX, &seed);
        check_rows(call, rows, counts_of_rows[i], &seed);
    }
}

/* --- cases -------------------------------------------------------------------------------------------------------------------------------- */

#define INT64_RESULT evs_type_of(EVS_INT64)
#define FLOAT64_RESULT evs_type_of(EVS_FLOAT64)

START_TEST(test_counts)
{
    check(&(struct case_call){.kind = EVS_AGG_COUNT_ROWS, .result = INT64_RESULT});
    for (enum case_column column = INTS; column < CASE_COLUMNS; column++) {
        if (column != ARRAYS) {
            check(&(struct case_call){.kind = EVS_AGG_COUNT, .columns = {column}, .count = 1, .result = INT64_RESULT});
            check(&(struct case_call){
                .kind = EVS_AGG_COUNT, .columns = {column}, .count = 1, .result = INT64_RESULT, .is_distinct = true});
            check(&(struct case_call){
                .kind = EVS_AGG_APPROX_COUNT_DISTINCT, .columns = {column}, .count = 1, .result = INT64_RESULT});
        }
    }
    check(&(struct case_call){.kind = EVS_AGG_COUNTIF, .columns = {STEP_1}, .count = 1, .result = INT64_RESULT});
}
END_TEST

START_TEST(test_sums)
{
    for (enum case_column column = INTS; column <= NUMERICS; column++) {
        const struct evs_type *type = case_type(column), *mean = column == NUMERICS ? type : FLOAT64_RESULT;
        for (int distinct = 0; distinct < 2; distinct++) {
            check(&(struct case_call){
                .kind = EVS_AGG_SUM, .columns = {column}, .count = 1, .result = type, .is_distinct = distinct});
            check(&(struct case_call){
                .kind = EVS_AGG_AVG, .columns = {column}, .count = 1, .result = mean, .is_distinct = distinct});
        }
    }
}
END_TEST

START_TEST(test_bits)
{
    check(&(struct case_call){.kind = EVS_AGG_BIT_AND, .columns = {INTS}, .count = 1, .result = INT64_RESULT});
    check(&(struct case_call){
        .kind = EVS_AGG_BIT_OR, .columns = {INTS}, .count = 1, .result = INT64_RESULT, .is_distinct = true});
    check(&(struct case_call){.kind = EVS_AGG_BIT_XOR, .columns = {INTS}, .count = 1, .result = INT64_RESULT});
    check(&(struct case_call){
        .kind = EVS_AGG_BIT_XOR, .columns = {INTS}, .count = 1, .result = INT64_RESULT, .is_distinct = true});
    check(&(struct case_call){
        .kind = EVS_AGG_LOGICAL_AND, .columns = {STEP_1}, .count = 1, .result = evs_type_of(EVS_BOOL)});
    check(&(struct case_call){
        .kind = EVS_AGG_LOGICAL_OR, .columns = {STEP_1}, .count = 1, .result = evs_type_of(EVS_BOOL)});
}
END_TEST

START_TEST(test_picks)
{
    for (enum case_column column = INTS; column < CASE_COLUMNS; column++) {
        const struct evs_type *type = case_type(column);
        if (column != ARRAYS && column != SPANS) { /* two spans may be equal and look different */
            check(&(struct case_call){.kind = EVS_AGG_MIN, .columns = {column}, .count = 1, .result = type});
            check(&(struct case_call){
                .kind = EVS_AGG_MAX, .columns = {column}, .count = 1, .result = type, .is_distinct = true});
        }
        for (int ignore = 0; ignore < 2; ignore++) {
            check(&(struct case_call){
                .kind = EVS_AGG_FIRST, .columns = {column}, .count = 1, .result = type, .ignore_nulls = ignore});
            check(&(struct case_call){
                .kind = EVS_AGG_LAST, .columns = {column}, .count = 1, .result = type, .ignore_nulls = ignore});
            check(&(struct case_call){
                .kind = EVS_AGG_ANY_VALUE, .columns = {column}, .count = 1, .result = type, .ignore_nulls = ignore});
            check(&(struct case_call){.kind = EVS_AGG_MIN_BY,
                                      .columns = {column, SPANS},
                                      .count = 2,
                                      .result = type,
                                      .ignore_nulls = ignore});
            check(&(struct case_call){.kind = EVS_AGG_MAX_BY,
                                      .columns = {column, WEIGHTS},
                                      .count = 2,
                                      .result = type,
                                      .ignore_nulls = ignore});
            check(&(struct case_call){.kind = EVS_AGG_MAX_BY,
                                      .columns = {column, TEXTS},
                                      .count = 2,
                                      .result = type,
                                      .ignore_nulls = ignore});
        }
    }
}
END_TEST

START_TEST(test_statistics)
{
    static const enum evs_aggregate_kind of_one[] = {EVS_AGG_VAR_POP, EVS_AGG_VAR_SAMP, EVS_AGG_STDDEV_POP,
                                                     EVS_AGG_STDDEV_SAMP};
    for (size_t i = 0; i < EVS_COUNT(of_one); i++) {
        for (enum case_column column = INTS; column <= NUMERICS; column++) {
            check(&(struct case_call){.kind = of_one[i], .columns = {column}, .count = 1, .result = FLOAT64_RESULT});
            check(&(struct case_call){
                .kind = of_one[i], .columns = {column}, .count = 1, .result = FLOAT64_RESULT, .is_distinct = true});
        }
    }
    for (enum case_column column = INTS; column <= NUMERICS; column++) {
        check(&(struct case_call){
            .kind = EVS_AGG_COVAR_POP, .columns = {column, WEIGHTS}, .count = 2, .result = FLOAT64_RESULT});
        check(&(struct case_call){
            .kind = EVS_AGG_COVAR_SAMP, .columns = {column, INTS}, .count = 2, .result = FLOAT64_RESULT});
    }
    check(&(struct case_call){.kind = EVS_AGG_CORR, .columns = {INTS, WEIGHTS}, .count = 2, .result = FLOAT64_RESULT});
}
END_TEST

START_TEST(test_lists)
{
    for (enum case_column column = INTS; column < CASE_COLUMNS; column++) {
        const struct evs_type *array = column == ARRAYS ? NULL : evs_type_array_of(case_type(column)->kind);
        for (int64_t limit = 0; array != NULL && limit < 12; limit += 5) {
            check(&(struct case_call){
                .kind = EVS_AGG_ARRAY_AGG, .columns = {column}, .count = 1, .result = array, .limit = limit});
            check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                      .columns = {column},
                                      .count = 1,
                                      .result = array,
                                      .ignore_nulls = true,
                                      .limit = limit});
            check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                      .columns = {column, WEIGHTS},
                                      .count = 2,
                                      .result = array,
                                      .order = ORDER_UP,
                                      .limit = limit});
            if (column != SPANS) {
                check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                          .columns = {column},
                                          .count = 1,
                                          .result = array,
                                          .is_distinct = true,
                                          .limit = limit});
                check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                          .columns = {column, column},
                                          .count = 2,
                                          .result = array,
                                          .is_distinct = true,
                                          .order = ORDER_DOWN,
                                          .nulls_last = true,
                                          .limit = limit});
            }
        }
        for (int down = 0; down < 2; down++) { /* every type as what is ordered by */
            if (column != ARRAYS) {
                check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                          .columns = {INTS, column},
                                          .count = 2,
                                          .result = evs_type_array_of(EVS_INT64),
                                          .order = down ? ORDER_DOWN : ORDER_UP,
                                          .nulls_last = down});
                check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                          .columns = {INTS, column},
                                          .count = 2,
                                          .result = evs_type_array_of(EVS_INT64),
                                          .order = down ? ORDER_DOWN : ORDER_UP,
                                          .nulls_last = !down,
                                          .limit = 3});
            }
        }
    }
    check(&(struct case_call){
        .kind = EVS_AGG_ARRAY_CONCAT_AGG, .columns = {ARRAYS}, .count = 1, .result = evs_type_array_of(EVS_INT64)});
    check(&(struct case_call){.kind = EVS_AGG_ARRAY_CONCAT_AGG,
                              .columns = {ARRAYS, INTS},
                              .count = 2,
                              .result = evs_type_array_of(EVS_INT64),
                              .order = ORDER_DOWN,
                              .limit = 4});
}
END_TEST

START_TEST(test_strings)
{
    const struct evs_type *type = evs_type_of(EVS_STRING);
    check(&(struct case_call){
        .kind = EVS_AGG_STRING_AGG, .columns = {TEXTS}, .count = 1, .result = type, .delimiter = ","});
    check(&(struct case_call){
        .kind = EVS_AGG_STRING_AGG, .columns = {TEXTS}, .count = 1, .result = type, .delimiter = " and ", .limit = 3});
    check(&(struct case_call){.kind = EVS_AGG_STRING_AGG,
                              .columns = {TEXTS},
                              .count = 1,
                              .result = type,
                              .delimiter = "",
                              .is_distinct = true});
    check(&(struct case_call){.kind = EVS_AGG_STRING_AGG,
                              .columns = {TEXTS, TEXTS},
                              .count = 2,
                              .result = type,
                              .delimiter = ";",
                              .is_distinct = true,
                              .order = ORDER_UP,
                              .limit = 6});
    check(&(struct case_call){.kind = EVS_AGG_STRING_AGG,
                              .columns = {TEXTS, INTS},
                              .count = 2,
                              .result = type,
                              .delimiter = ";",
                              .order = ORDER_DOWN,
                              .nulls_last = true,
                              .limit = 6});
}
END_TEST

START_TEST(test_sketches_while_exact)
{
    static const enum case_column measurable[] = {INTS, FLOATS, NUMERICS, TIMES};
    for (size_t i = 0; i < EVS_COUNT(measurable); i++) {
        const struct evs_type *array = evs_type_array_of(case_type(measurable[i])->kind);
        check(&(struct case_call){
            .kind = EVS_AGG_APPROX_QUANTILES, .columns = {measurable[i]}, .count = 1, .result = array, .number = 2});
        check(&(struct case_call){
            .kind = EVS_AGG_APPROX_QUANTILES, .columns = {measurable[i]}, .count = 1, .result = array, .number = 7});
    }
    struct evs_arena arena = {0};
    struct evs_type_field fields[2] = {{"value", evs_type_of(EVS_STRING)}, {"count", evs_type_of(EVS_INT64)}};
    const struct evs_type *type = evs_type_array(&arena, evs_type_struct(&arena, fields, 2));
    check(&(struct case_call){
        .kind = EVS_AGG_APPROX_TOP_COUNT, .columns = {TEXTS}, .count = 1, .result = type, .number = 3});
    check(&(struct case_call){
        .kind = EVS_AGG_APPROX_TOP_SUM, .columns = {TEXTS, WEIGHTS}, .count = 2, .result = type, .number = 4});
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(test_funnels)
{
    for (int64_t within_us = 0; within_us < 60; within_us += within_us / 2 + 1) {
        check(&(struct case_call){.kind = EVS_AGG_WINDOW_FUNNEL,
                                  .columns = {STEP_1, STEP_2, STEP_3},
                                  .count = 3,
                                  .result = INT64_RESULT,
                                  .within_us = within_us});
        check(&(struct case_call){.kind = EVS_AGG_WINDOW_FUNNEL,
                                  .columns = {STEP_1, STEP_1, STEP_2, STEP_1},
                                  .count = 4,
                                  .result = INT64_RESULT,
                                  .within_us = within_us});
    }
    check(&(struct case_call){
        .kind = EVS_AGG_WINDOW_FUNNEL, .columns = {STEP_3}, .count = 1, .result = INT64_RESULT, .within_us = 10});
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accumulators");
    TCase *tests = tcase_create("accumulators");
    tcase_add_checked_fixture(tests, case_setup, case_teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_counts);
    tcase_add_test(tests, test_sums);
    tcase_add_test(tests, test_bits);
    tcase_add_test(tests, test_picks);
    tcase_add_test(tests, test_statistics);
    tcase_add_test(tests, test_lists);
    tcase_add_test(tests, test_strings);
    tcase_add_test(tests, test_sketches_while_exact);
    tcase_add_test(tests, test_funnels);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
