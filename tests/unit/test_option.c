/* Options: finding a value, durations, bytes. */
#include <string.h>

#include "evstream/option.h"
#include "unit.h"

static const struct evs_option table[] = {
    {.name = "path", .kind = EVS_OPTION_STRING, .required = true, .help = "The file."},
    {.name = "cache", .kind = EVS_OPTION_DURATION, .fallback = "60s", .help = "How long a value is kept."},
    {.name = NULL},
};

START_TEST(an_option_is_found_by_its_name)
{
    const struct evs_option_value values[] = {
        {.option = &table[0], .is_set = true, .text = EVS_SLICE("a.ndjson")},
        {.option = &table[1], .is_set = true, .integer = 60000000},
    };
    ck_assert_ptr_eq(evs_option_find(values, "path"), &values[0]);
    ck_assert_ptr_eq(evs_option_find(values, "cache"), &values[1]);
}
END_TEST

START_TEST(a_name_that_the_table_has_not_is_a_defect)
{
    const struct evs_option_value values[] = {{.option = &table[0]}, {.option = &table[1]}};
    (void)evs_option_find(values, "paths");
}
END_TEST

START_TEST(values_out_of_the_tables_order_are_a_defect)
{
    const struct evs_option_value values[] = {{.option = &table[0]}, {.option = &table[0]}};
    (void)evs_option_find(values, "cache");
}
END_TEST

struct amount {
    const char *text;
    int64_t value; /* -1: not accepted */
};

static void check_amounts(const struct amount *amounts, size_t count, bool (*parse)(struct evs_slice, int64_t *))
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = -2;
        bool good = parse(evs_slice_of(amounts[i].text), &value);
        ck_assert_msg(good == (amounts[i].value >= 0), "`%s`", amounts[i].text);
        ck_assert_msg(!good || value == amounts[i].value, "`%s` gave %lld", amounts[i].text, (long long)value);
    }
}

START_TEST(durations)
{
    static const struct amount amounts[] = {
        {"250ms", 250000},
        {"60s", 60000000},
        {"5 minute", 300000000},
        {"1h", 3600000000},
        {"1 HOUR", 3600000000},
        {"2 days", 172800000000},
        {"7d", 604800000000},
        {"1m", 60000000},
        {"15us", 15},
        {"0s", 0},
        {"1.5h", 5400000000},
        {"0.000001s", 1},
        {"0.5ms", 500},
        {"106751991d", INT64_C(106751991) * 86400 * 1000000},
        {"106751992d", -1}, /* beyond int64 of microseconds */
        {"99999999999999999999999999999d", -1},
        {"9999999999999999999999999999999999999999d", -1},
        {"0.5us", -1}, /* not a whole microsecond */
        {"0.00000000000000000001h", -1},
        {"1.0000000001h", -1}, /* would be rounded to 1 h */
        {"0.0000005s", -1},
        {"", -1},
        {"60", -1},
        {"s", -1},
        {".s", -1},
        {"-1s", -1},
        {"+1s", -1},
        {"1 s ", -1},
        {" 1s", -1},
        {"1s1", -1},
        {"1 month", -1},
        {"1e3s", -1},
        {"1.2.3s", -1},
        {"1\ts", -1},
    };
    check_amounts(amounts, EVS_COUNT(amounts), evs_parse_duration);
}
END_TEST

START_TEST(byte_counts)
{
    static const struct amount amounts[] = {
        {"1000", 1000},
        {"0", 0},
        {"17 B", 17},
        {"8MiB", 8388608},
        {"8 mib", 8388608},
        {"64 kB", 64000},
        {"64 KiB", 65536},
        {"1.5 GiB", 1610612736},
        {"2GB", 2000000000},
        {"1TB", 1000000000000},
        {"1 TiB", 1099511627776},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", -1},
        {"8388608 TiB", -1},
        {"0.5 B", -1},
        {"", -1},
        {"MiB", -1},
        {"-1", -1},
        {"8 M", -1},
        {"8 MiB ", -1},
        {"8 Mi B", -1},
        {"0x10", -1},
    };
    check_amounts(amounts, EVS_COUNT(amounts), evs_parse_bytes);
    int64_t value;
    ck_assert(!evs_parse_bytes((struct evs_slice){NULL, 0}, &value));
}
END_TEST

START_TEST(addresses)
{
    static const struct {
        const char *text, *host;
        int port;
    } good[] = {{"127.0.0.1:8088", "127.0.0.1", 8088},
                {"[::1]:80", "::1", 80},
                {":0", "", 0},
                {"shop.example:65535", "shop.example", 65535},
                {"localhost:00080", "localhost", 80}};
    static const char *const bad[] = {
        "",       "8088",    "localhost",     "localhost:",    "localhost:65536", "localhost:-1", "localhost:+1",
        "::1:80", "[::1:80", "localhost: 80", "localhost:80x", "[]:80x"};
    char host[EVS_HOST_BYTES], longest[EVS_HOST_BYTES + 8];
    uint16_t port;
    for (size_t i = 0; i < EVS_COUNT(good); i++) {
        ck_assert_msg(evs_parse_address(good[i].text, host, &port), "%s", good[i].text);
        ck_assert_str_eq(host, good[i].host);
        ck_assert_int_eq(port, good[i].port);
    }
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        ck_assert_msg(!evs_parse_address(bad[i], host, &port), "%s", bad[i]);
    }
    memset(longest, 'h', sizeof longest);
    memcpy(longest + EVS_HOST_BYTES - 1, ":80", 4);
    ck_assert(evs_parse_address(longest, host, &port));
    memset(longest, 'h', sizeof longest);
    memcpy(longest + EVS_HOST_BYTES, ":80", 4);
    ck_assert(!evs_parse_address(longest, host, &port));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("option");
    TCase *tests = tcase_create("option");
    tcase_add_test(tests, an_option_is_found_by_its_name);
    tcase_add_exit_test(tests, a_name_that_the_table_has_not_is_a_defect, 70);
    tcase_add_exit_test(tests, values_out_of_the_tables_order_are_a_defect, 70);
    tcase_add_test(tests, durations);
    tcase_add_test(tests, byte_counts);
    tcase_add_test(tests, addresses);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
