/* The aggregate functions read plainly: loops over rows in the order of the key, slow and obvious. */
#include <math.h>

#include "accumulator_case.h"

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

/* As the definition says it: each value by itself, with all digits that there are. */
static void read_fade(struct reading *reading)
{
    int64_t latest_us = INT64_MIN;
    for (uint32_t i = 0; i < reading->count; i++) {
        int64_t time_us = case_batch->event_time_us[reading->rows[i]];
        latest_us = !argument(reading, 0, i).is_null && time_us > latest_us ? time_us : latest_us;
    }
    long double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < reading->count; i++) {
        struct evs_value value = argument(reading, 0, i);
        if (!value.is_null) {
            long double age = (long double)(latest_us - case_batch->event_time_us[reading->rows[i]]);
            sum += (long double)number(&value) * exp2l(-age / (long double)reading->call->within_us);
            count++;
        }
    }
    if (count == 0) {
        evs_buffer_puts(&reading->text, "NULL");
    } else {
        print_number(reading, (double)sum);
    }
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
    case EVS_AGG_FADING_SUM:
        read_fade(reading);
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

static int compare_row_numbers(const void *a, const void *b)
{
    return case_compare_rows(*(const uint16_t *)a, *(const uint16_t *)b);
}

const char *case_read_plainly(const struct case_call *call, const uint16_t *rows, uint32_t count)
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
