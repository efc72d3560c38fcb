/* The aggregate functions (aggregate_table.h). */
#include "aggregate_table.h"

const char evs_aggregate_example_columns[] = "seen timestamp, user string, item string, price int64, paid bool, "
                                             "watermark for seen as seen";

const char *const evs_aggregate_example_rows[] = {
    "{\"seen\":\"2026-01-05T10:00:00Z\",\"user\":\"ann\",\"item\":\"tea\",\"price\":4,\"paid\":true}",
    "{\"seen\":\"2026-01-05T10:01:00Z\",\"user\":\"ben\",\"item\":\"cup\",\"price\":9,\"paid\":true}",
    "{\"seen\":\"2026-01-05T10:02:00Z\",\"user\":\"ann\",\"item\":\"tea\",\"price\":5,\"paid\":false}",
    "{\"seen\":\"2026-01-05T10:03:00Z\",\"user\":\"cleo\",\"item\":null,\"price\":null,\"paid\":false}",
    "{\"seen\":\"2026-01-05T10:04:00Z\",\"user\":\"ann\",\"item\":\"pot\",\"price\":22,\"paid\":true}",
    NULL,
};

#define DISTINCT EVS_AGGREGATE_DISTINCT
#define LISTS (EVS_AGGREGATE_DISTINCT | EVS_AGGREGATE_ORDER)
#define NULLS EVS_AGGREGATE_NULLS

static const struct evs_aggregate_function functions[] = {
    {"count", EVS_AGG_COUNT, "count(*), count([distinct] x)", "rows; rows whose x is not NULL; different values",
     "count(distinct user)", "3", 1, 1, EVS_TAKES_ANY, EVS_GIVES_COUNT, DISTINCT},
    {"countif", EVS_AGG_COUNTIF, "countif(condition)", "rows for which the condition is true", "countif(price > 4)",
     "3", 1, 1, EVS_TAKES_BOOL, EVS_GIVES_COUNT, 0},
    {"sum", EVS_AGG_SUM, "sum([distinct] x)",
     "of int64, numeric or float64, in its type; a sum that does not fit it takes the group to the dead letter",
     "sum(price)", "40", 1, 1, EVS_TAKES_NUMBER, EVS_GIVES_SAME, DISTINCT},
    {"avg", EVS_AGG_AVG, "avg([distinct] x)", "the mean: numeric for numeric, else float64", "avg(price)", "10", 1, 1,
     EVS_TAKES_NUMBER, EVS_GIVES_MEAN, DISTINCT},
    {"min", EVS_AGG_MIN, "min(x)", "the least value of any type that has an order; NaN where there is one", "min(item)",
     "\"cup\"", 1, 1, EVS_TAKES_ORDERED, EVS_GIVES_SAME, DISTINCT},
    {"max", EVS_AGG_MAX, "max(x)", "the greatest value; NaN where there is one", "max(price)", "22", 1, 1,
     EVS_TAKES_ORDERED, EVS_GIVES_SAME, DISTINCT},
    {"first", EVS_AGG_FIRST, "first(x [ignore nulls])",
     "x of the first row in the order of the key, NULL or not; with ignore nulls of the first one that has a value",
     "first(item)", "\"tea\"", 1, 1, EVS_TAKES_ANY, EVS_GIVES_SAME, NULLS},
    {"last", EVS_AGG_LAST, "last(x [ignore nulls])", "x of the last row in the order of the key", "last(item)",
     "\"pot\"", 1, 1, EVS_TAKES_ANY, EVS_GIVES_SAME, NULLS},
    {"any_value", EVS_AGG_ANY_VALUE, "any_value(x [respect nulls] [having max|min y])",
     "the first x that is not NULL; with having, x of the row with the greatest or least y", "any_value(item)",
     "\"tea\"", 1, 1, EVS_TAKES_ANY, EVS_GIVES_SAME, NULLS | EVS_AGGREGATE_HAVING},
    {"max_by", EVS_AGG_MAX_BY, "max_by(x, y)",
     "x of the row with the greatest y, the first of several; rows where x or y is NULL do not count",
     "max_by(item, price)", "\"pot\"", 2, 2, EVS_TAKES_ANY, EVS_GIVES_SAME, NULLS},
    {"min_by", EVS_AGG_MIN_BY, "min_by(x, y)", "x of the row with the least y", "min_by(user, price)", "\"ann\"", 2, 2,
     EVS_TAKES_ANY, EVS_GIVES_SAME, NULLS},
    {"logical_and", EVS_AGG_LOGICAL_AND, "logical_and(condition)", "whether all conditions that are not NULL are true",
     "logical_and(paid)", "false", 1, 1, EVS_TAKES_BOOL, EVS_GIVES_SAME, DISTINCT},
    {"logical_or", EVS_AGG_LOGICAL_OR, "logical_or(condition)", "whether one is true", "logical_or(paid)", "true", 1, 1,
     EVS_TAKES_BOOL, EVS_GIVES_SAME, DISTINCT},
    {"bit_and", EVS_AGG_BIT_AND, "bit_and(x)", "the bits that all values have", "bit_and(price)", "0", 1, 1,
     EVS_TAKES_INT64, EVS_GIVES_SAME, DISTINCT},
    {"bit_or", EVS_AGG_BIT_OR, "bit_or(x)", "the bits that some value has", "bit_or(price)", "31", 1, 1,
     EVS_TAKES_INT64, EVS_GIVES_SAME, DISTINCT},
    {"bit_xor", EVS_AGG_BIT_XOR, "bit_xor([distinct] x)", "the bits that an odd number of values has", "bit_xor(price)",
     "30", 1, 1, EVS_TAKES_INT64, EVS_GIVES_SAME, DISTINCT},
    {"array_agg", EVS_AGG_ARRAY_AGG, "array_agg([distinct] x [ignore nulls] [order by y, …] [limit n])",
     "the values as an array, in the order of the key where no other is said; NULLs are elements",
     "array_agg(item order by price desc limit 2)", "[\"pot\",\"cup\"]", 1, 1, EVS_TAKES_ANY, EVS_GIVES_ARRAY,
     LISTS | NULLS},
    {"array_concat_agg", EVS_AGG_ARRAY_CONCAT_AGG, "array_concat_agg(x [order by y, …] [limit n])",
     "the elements of all arrays; limit counts arrays", "array_concat_agg([price, price + 1] order by seen limit 2)",
     "[4,5,9,10]", 1, 1, EVS_TAKES_ARRAY, EVS_GIVES_SAME, EVS_AGGREGATE_ORDER},
    {"string_agg", EVS_AGG_STRING_AGG, "string_agg([distinct] x [, delimiter] [order by y, …] [limit n])",
     "texts (string or bytes) one behind the other, with a comma or the delimiter between them",
     "string_agg(distinct item, ' + ')", "\"tea + cup + pot\"", 1, 2, EVS_TAKES_TEXT, EVS_GIVES_SAME, LISTS},
    {"var_pop", EVS_AGG_VAR_POP, "var_pop([distinct] x)", "the variance of these values", "var_pop(price)", "51.5", 1,
     1, EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, DISTINCT},
    {"var_samp", EVS_AGG_VAR_SAMP, "var_samp([distinct] x)",
     "the variance of what these values are a sample of; NULL for fewer than two", "var_samp(price where paid)",
     "86.33333333333333", 1, 1, EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, DISTINCT},
    {"variance", EVS_AGG_VAR_SAMP, "variance([distinct] x)", "var_samp", "variance(price where paid)",
     "86.33333333333333", 1, 1, EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, DISTINCT},
    {"stddev_pop", EVS_AGG_STDDEV_POP, "stddev_pop([distinct] x)", "the standard deviation of these values",
     "stddev_pop(price where user != 'ben')", "8.259674462242579", 1, 1, EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, DISTINCT},
    {"stddev_samp", EVS_AGG_STDDEV_SAMP, "stddev_samp([distinct] x)",
     "the standard deviation of what these values are a sample of; NULL for fewer than two",
     "stddev_samp(price where price < 6)", "0.7071067811865476", 1, 1, EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, DISTINCT},
    {"stddev", EVS_AGG_STDDEV_SAMP, "stddev([distinct] x)", "stddev_samp", "stddev(price where price < 6)",
     "0.7071067811865476", 1, 1, EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, DISTINCT},
    {"covar_pop", EVS_AGG_COVAR_POP, "covar_pop(y, x)",
     "the covariance of these pairs; a pair with a NULL does not count", "covar_pop(price, price * 2)", "103", 2, 2,
     EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, 0},
    {"covar_samp", EVS_AGG_COVAR_SAMP, "covar_samp(y, x)",
     "the covariance of what these pairs are a sample of; NULL for fewer than two", "covar_samp(price, price)",
     "68.66666666666667", 2, 2, EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, 0},
    {"corr", EVS_AGG_CORR, "corr(y, x)",
     "Pearson's coefficient of correlation: -1 to 1; NULL for fewer than two pairs, NaN where one side is always the "
     "same",
     "corr(price, -price)", "-1", 2, 2, EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, 0},
    {"approx_count_distinct", EVS_AGG_APPROX_COUNT_DISTINCT, "approx_count_distinct(x)",
     "different values: exact up to 512, then with a standard error of 0.81 %", "approx_count_distinct(user)", "3", 1,
     1, EVS_TAKES_EQUAL, EVS_GIVES_COUNT, 0},
    {"approx_quantiles", EVS_AGG_APPROX_QUANTILES, "approx_quantiles(x, n)",
     "n + 1 values that cut the values, in order, into n parts of the same size, from the least to the greatest: exact "
     "up to 2048 different "
     "ones, then a number within 0.8 % (see below)",
     "approx_quantiles(price, 2)", "[4,5,22]", 2, 2, EVS_TAKES_MEASURABLE, EVS_GIVES_ARRAY, 0},
    {"approx_top_count", EVS_AGG_APPROX_TOP_COUNT, "approx_top_count(x, n)",
     "the n most frequent values and their counts: exact up to 2048 different values, then at most 0.1 % of all rows "
     "too many",
     "approx_top_count(user, 1)", "[{\"value\":\"ann\",\"count\":3}]", 2, 2, EVS_TAKES_EQUAL, EVS_GIVES_TOP, 0},
    {"approx_top_sum", EVS_AGG_APPROX_TOP_SUM, "approx_top_sum(x, weight, n)",
     "the n values with the greatest sums of weights, which are not negative", "approx_top_sum(item, price, 2)",
     "[{\"value\":\"pot\",\"sum\":22},{\"value\":\"cup\",\"sum\":9}]", 3, 3, EVS_TAKES_EQUAL, EVS_GIVES_TOP, 0},
    {"window_funnel", EVS_AGG_WINDOW_FUNNEL, "window_funnel(interval, condition 1, condition 2, …)",
     "how many of the conditions were met in their order, by one row each in the order of the key, all within the "
     "interval from the first one",
     "window_funnel(interval 3 minute, item = 'cup', price = 5, item = 'pot')", "3", 2, 33, EVS_TAKES_BOOL,
     EVS_GIVES_COUNT, 0},
    {"fading_sum", EVS_AGG_FADING_SUM, "fading_sum(x, interval)",
     "the sum, in which a value counts half after the interval, a quarter after two of them, and so on, as of the "
     "latest of these rows",
     "fading_sum(price, interval 2 minute)", "28.681980515339465", 2, 2, EVS_TAKES_NUMBER, EVS_GIVES_FLOAT64, 0},
};

uint32_t evs_aggregate_function_count(void)
{
    return EVS_COUNT(functions);
}

const struct evs_aggregate_function *evs_aggregate_function_at(uint32_t index)
{
    EVS_ASSERT(index < EVS_COUNT(functions));
    return &functions[index];
}

const struct evs_aggregate_function *evs_aggregate_function_find(struct evs_slice name)
{
    for (size_t i = 0; i < EVS_COUNT(functions); i++) {
        if (evs_slice_equal_nocase(name, functions[i].name)) {
            return &functions[i];
        }
    }
    return NULL;
}

static bool is_number(enum evs_kind kind)
{
    return kind == EVS_INT64 || kind == EVS_FLOAT64 || kind == EVS_NUMERIC;
}

bool evs_aggregate_accepts(enum evs_aggregate_takes takes, enum evs_kind kind)
{
    switch (takes) {
    case EVS_TAKES_ANY:
        return true;
    case EVS_TAKES_EQUAL:
        return kind != EVS_JSON;
    case EVS_TAKES_ORDERED:
        return kind != EVS_JSON && !evs_kind_is_nested(kind);
    case EVS_TAKES_NUMBER:
        return is_number(kind);
    case EVS_TAKES_INT64:
        return kind == EVS_INT64;
    case EVS_TAKES_BOOL:
        return kind == EVS_BOOL;
    case EVS_TAKES_TEXT:
        return kind == EVS_STRING || kind == EVS_BYTES;
    case EVS_TAKES_ARRAY:
        return kind == EVS_ARRAY;
    case EVS_TAKES_MEASURABLE:
        return is_number(kind) || kind == EVS_TIMESTAMP || kind == EVS_DATE || kind == EVS_DATETIME || kind == EVS_TIME;
    }
    return false;
}

const char *evs_aggregate_takes_text(enum evs_aggregate_takes takes)
{
    static const char *const texts[] = {
        [EVS_TAKES_ANY] = "any value",
        [EVS_TAKES_EQUAL] = "a type with equality",
        [EVS_TAKES_ORDERED] = "a type with an order",
        [EVS_TAKES_NUMBER] = "an int64, numeric or float64",
        [EVS_TAKES_INT64] = "an int64",
        [EVS_TAKES_BOOL] = "a bool",
        [EVS_TAKES_TEXT] = "a string or bytes",
        [EVS_TAKES_ARRAY] = "an array",
        [EVS_TAKES_MEASURABLE] = "a number or a time",
    };
    EVS_ASSERT(takes < EVS_COUNT(texts));
    return texts[takes];
}
