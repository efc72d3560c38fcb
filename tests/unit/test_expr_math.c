/* Functions of numbers. Numeric ones with their own rules stand in test_expr_numeric.c where there is one. */
#include "expr_case.h"

static const struct example math[] = {
    {"abs(-9223372036854775808)", "error: R0101"},
    {"abs(-2.5)", "2.5"},
    {"abs(numeric '-2.5')", "2.5"},
    {"sign(numeric '-3')", "-1"},
    {"sign(cast('nan' as float64))", "nan"},
    {"round(2.5)", "3"},
    {"round(-2.5)", "-3"},
    {"round(2.675, 2)", "2.67"},
    {"round(2.5, 0)", "3"},
    {"round(1235, -1)", "1240"},
    {"round(123.7, -3)", "0"},
    {"round(1e308, -308)", "1e+308"},
    {"round(1.5e308, -308)", "error: R0101"},
    {"round(5)", "5"},
    {"round(9007199254740993)", "9007199254740992"},
    {"round(numeric '2.5')", "3"},
    {"round(numeric '-1.2345', 3)", "-1.235"},
    {"round(numeric '1555', -2)", "1600"},
    {"round(numeric '99999999999999999999999999999.5')", "error: R0101"},
    {"round(numeric '5e28', -29)", "error: R0101"},
    {"round(numeric '5e27', -29)", "0"},
    {"round(numeric '1.5', 20)", "1.5"},
    {"round(numeric '1.5', -40)", "0"},
    {"trunc(-2.7)", "-2"},
    {"trunc(numeric '-2.78', 1)", "-2.7"},
    {"floor(numeric '-1.5')", "-2"},
    {"ceil(numeric '-1.5')", "-1"},
    {"ceil(-0.5)", "0"},
    {"sqrt(-1)", "error: R0104"},
    {"safe.sqrt(-1)", "NULL"},
    {"ln(0)", "error: R0104"},
    {"log(100, 10)", "2"},
    {"log(8, 1)", "error: R0104"},
    {"log(-1, 10)", "error: R0104"},
    {"log10(0.01)", "-2"},
    {"exp(1000)", "error: R0101"},
    {"pow(0, -1)", "error: R0104"},
    {"pow(-8, 0.5)", "error: R0104"},
    {"pow(10, 400)", "error: R0101"},
    {"pow(0, 0)", "1"},
    {"pow(cast('inf' as float64), 2)", "inf"},
    {"sqrt(numeric '4')", "2"},
    {"is_inf(-cast('inf' as float64))", "true"},
};
EXAMPLES(math)

static const struct example angles[] = {
    {"acos(1.0000001)", "error: R0104"},
    {"acos(-1.0000001)", "error: R0104"},
    {"acos(cast('inf' as float64))", "nan"},
    {"asin(2)", "error: R0104"},
    {"acosh(0.9)", "error: R0104"},
    {"acosh(cast('inf' as float64))", "inf"},
    {"acosh(cast('-inf' as float64))", "nan"},
    {"atanh(1)", "error: R0101"},
    {"atanh(2)", "error: R0104"},
    {"atanh(cast('inf' as float64))", "nan"},
    {"cosh(711)", "error: R0101"},
    {"cosh(cast('-inf' as float64))", "inf"},
    {"sinh(-711)", "error: R0101"},
    {"sin(cast('inf' as float64))", "nan"},
    {"tanh(cast('-inf' as float64))", "-1"},
    {"cot(0)", "error: R0101"},
    {"coth(0)", "error: R0101"},
    {"csc(0)", "error: R0101"},
    {"csch(0)", "error: R0101"},
    {"csch(cast('inf' as float64))", "0"},
    {"coth(cast('inf' as float64))", "1"},
    {"sech(cast('inf' as float64))", "0"},
    {"csc(cast('nan' as float64))", "nan"},
    {"safe.cot(0)", "NULL"},
    {"sin(null)", "NULL"},
    {"round(atan2(1, -1) / pi(), 9)", "0.75"},
    {"atan2(cast('nan' as float64), 1)", "nan"},
    {"cbrt(-8)", "-2"},
    {"cbrt(numeric '27') > 2.99", "true"},
    {"cosine_distance([1.0, 2.0], [2.0, 4.0]) < 1e-15", "true"},
    {"cosine_distance([0.0], [1.0])", "error: R0104"},
    {"cosine_distance([1.0], [1.0, 2.0])", "error: R0104"},
    {"euclidean_distance([1.0, null], [1.0, 2.0])", "error: R0104"},
    {"euclidean_distance(null, [1.0])", "NULL"},
};
EXAMPLES(angles)

static const struct example rounding[] = {
    {"round(numeric '2.25', 1, 'ROUND_HALF_EVEN')", "2.2"},
    {"round(numeric '2.35', 1, 'round_half_even')", "2.4"},
    {"round(numeric '2.251', 1, 'ROUND_HALF_EVEN')", "2.3"},
    {"round(numeric '-2.5', 0, 'ROUND_HALF_EVEN')", "-2"},
    {"round(numeric '-3.5', 0, 'ROUND_HALF_EVEN')", "-4"},
    {"round(numeric '2.5', 0, 'ROUND_HALF_AWAY_FROM_ZERO')", "3"},
    {"round(numeric '25', -1, 'ROUND_HALF_EVEN')", "20"},
    {"round(numeric '0.5', 0, 'ROUND_HALF_EVEN')", "0"},
    {"round(numeric '99999999999999999999999999999.5', 0, 'ROUND_HALF_EVEN')", "error: R0101"},
    {"round(numeric '1', 0, 'ROUND_UP')",
     "plan: there is no way of rounding 'ROUND_UP'; there are 'ROUND_HALF_AWAY_FROM_ZERO' and 'ROUND_HALF_EVEN'"},
};
EXAMPLES(rounding)

static const struct example buckets[] = {
    {"range_bucket(20, [0, 10, 20, 30, 40])", "3"},
    {"range_bucket(20, [0, 10, 20, 20, 40, 40])", "4"},
    {"range_bucket(-10, [5, 10])", "0"},
    {"range_bucket(80, [5, 10])", "2"},
    {"range_bucket('b', ['a', 'b', 'c'])", "2"},
    {"range_bucket(1.2, [1.0, 1.2, 1.4])", "2"},
    {"range_bucket(cast('nan' as float64), [1.0])", "NULL"},
    {"range_bucket(null, [1])", "NULL"},
    {"range_bucket(1, [null, 2])", "error: R0104"},
    {"range_bucket(1.0, [0.5, cast('nan' as float64)])", "error: R0104"},
    {"range_bucket(100, [10, 30, 20])", "error: R0104"},
    {"range_bucket(1, [10, 30, 20])", "error: R0104"},
};
EXAMPLES(buckets)

#define HEX(expression) "to_hex(" expression ")"
static const struct example bits[] = {
    {HEX("from_hex('0ff0') & from_hex('3c3c')"), "0c30"},
    {HEX("from_hex('0ff0') | from_hex('3c3c')"), "3ffc"},
    {HEX("from_hex('0ff0') ^ from_hex('3c3c')"), "33cc"},
    {HEX("~from_hex('00ff')"), "ff00"},
    {"b'a' & b'ab'", "error: R0104"},
    {"length(b'' | b'')", "0"},
    {HEX("from_hex('8001ff') << 1"), "0003fe"},
    {HEX("from_hex('8001ff') << 12"), "1ff000"},
    {HEX("from_hex('8001ff') >> 1"), "4000ff"},
    {HEX("from_hex('8001ff') >> 12"), "000800"},
    {HEX("from_hex('8001ff') >> 0"), "8001ff"},
    {HEX("from_hex('8001ff') << 24"), "000000"},
    {HEX("from_hex('8001ff') >> 9223372036854775807"), "000000"},
    {"b'a' << -1", "error: R0104"},
    {HEX("from_hex(repeat('81', 20)) << 4"), "1818181818181818181818181818181818181810"},
    {"bit_count(from_hex('ff01'))", "9"},
    {"bit_count(b'')", "0"},
    {"bit_count(-2)", "63"},
    {"b'a' & null", "NULL"},
};
EXAMPLES(bits)

static const struct example conditions[] = {
    {"nullifzero(0)", "NULL"},
    {"nullifzero(0.0)", "NULL"},
    {"nullifzero(numeric '0.1')", "0.1"},
    {"nullifzero(null)", "NULL"},
    {"zeroifnull(numeric '1.5')", "1.5"},
    {"zeroifnull(safe_cast('x' as float64))", "0"},
    {"nullifzero(1, 2)", "plan: nullifzero takes one argument, not 2"},
    {"typeof(1)", "int64"},
    {"typeof(null)", "int64"},
    {"typeof(1 / 0)", "float64"},
    {"typeof([numeric '1'])", "array<numeric>"},
    {"error('stop')", "error: R0110"},
    {"if(true, 1, error('not reached'))", "1"},
    {"if(false, 1, error('reached'))", "error: R0110"},
    {"concat('a', error('text'))", "error: R0110"},
    {"coalesce(null, error('no value'))", "error: R0110"},
    {"cast(error('x') as date)", "error: R0110"},
    {"rand()",
     "plan: there is no function rand: a replay must give the same rows again; `sample P percent by KEY` takes a "
     "share of the keys, and farm_fingerprint of a key spreads evenly"},
};
EXAMPLES(conditions)

int main(void)
{
    TCase *tcase = tcase_create("math");
    add_examples(tcase, math);
    add_examples(tcase, angles);
    add_examples(tcase, rounding);
    add_examples(tcase, buckets);
    add_examples(tcase, bits);
    add_examples(tcase, conditions);
    return run_examples("expr_math", tcase);
}
