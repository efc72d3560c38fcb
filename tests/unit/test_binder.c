/* The binder: what names mean, what types go together, what options and parameters do, and that every mistake is told once. */
#include "compile_fakes.h"

#include <string.h>

#include "unit.h"

#define CLICKS                                                                                                         \
    "create source clicks (user_id string, type string not null, price numeric, quantity int64, ratio float64, body "  \
    "json path '$', "                                                                                                  \
    "    at_time timestamp not null, watermark for at_time as at_time - interval 5 second) "                           \
    "from file (path = 'x') on error fail;\n"
#define LIVE                                                                                                           \
    "create source live (user_id string, price numeric, at_time timestamp, watermark for at_time as at_time) "         \
    "from live (stream = 'S', partitions = 4) on error fail;\n"

/* Compiles, and compares the codes of all diagnostics. */
static void expect(const char *text, const char *codes, int line)
{
    struct attempt attempt = attempt_compile(text, NULL);
    char found[512];
    attempt_codes(&attempt, found, sizeof found);
    if (strcmp(found, codes) != 0) {
        evs_diagnostics_print(attempt.diagnostics, stdout);
        ck_abort_msg("line %d: expected \"%s\", found \"%s\" for\n%s", line, codes, found, text);
    }
    bool is_wrong = strchr(codes, 'E') != NULL;
    ck_assert_int_eq(attempt.status, is_wrong ? EVS_E_PIPELINE : EVS_OK);
    ck_assert_int_eq(attempt.plan == NULL, is_wrong);
    attempt_end(&attempt);
}
#define EXPECT(text, codes) expect(text, codes, __LINE__)

static void expect_message(const char *text, uint32_t index, const char *message, const char *hint)
{
    struct attempt attempt = attempt_compile(text, NULL);
    ck_assert_uint_gt(evs_diagnostics_count(attempt.diagnostics), index);
    struct evs_diag_view view = evs_diagnostics_at(attempt.diagnostics, index);
    ck_assert_str_eq(view.message, message);
    if (hint != NULL) {
        ck_assert_ptr_nonnull(view.hint);
        ck_assert_str_eq(view.hint, hint);
    }
    attempt_end(&attempt);
}

/* The type of the one column that an expression gives. */
static void expect_type(const char *expression, enum evs_kind kind, bool nullable)
{
    char text[2048];
    snprintf(text, sizeof text, "%sparam p int64 default 3;\nfrom clicks |> select %s as it |> where @p > 0;\n", CLICKS,
             expression);
    struct attempt attempt = attempt_compile(text, NULL);
    if (attempt.status != EVS_OK) {
        evs_diagnostics_print(attempt.diagnostics, stdout);
        ck_abort_msg("%s does not compile", expression);
    }
    const struct evs_field *field = &attempt_node(&attempt, "stdout")->schema.fields[0];
    ck_assert_msg(field->type->kind == kind, "%s is %s, not %s", expression, evs_kind_name(field->type->kind),
                  evs_kind_name(kind));
    ck_assert_msg(field->nullable == nullable, "%s: nullable is %d", expression, field->nullable);
    attempt_end(&attempt);
}

/* --- names ------------------------------------------------------------------------------------------------------------------- */

START_TEST(test_columns_resolve)
{
    EXPECT(CLICKS "from clicks |> where USER_ID = 'ann' |> select clicks.User_Id, PRICE;", "");
    EXPECT(CLICKS "from clicks as c |> where c.user_id = 'ann' |> select c.*;", "");
    EXPECT(CLICKS "from clicks as c |> where clicks.user_id = 'ann';", "E0203");
    EXPECT(CLICKS "from clicks |> select nothing;", "E0203");
    EXPECT(CLICKS "from clicks |> select price, user_id as price |> where price > 1;", "E0204");
    EXPECT(CLICKS "from clicks |> select clicks;", "E0305");
}
END_TEST

START_TEST(test_range_variables_live_as_in_googlesql)
{
    /* set, drop and rename leave the row as it was behind its name */
    EXPECT(CLICKS "from clicks |> set price = 1 |> where clicks.price > 1;", "");
    EXPECT(CLICKS "from clicks |> drop price |> where clicks.price > 1;", "");
    EXPECT(CLICKS "from clicks |> drop price |> where price > 1;", "E0203");
    EXPECT(CLICKS "from clicks |> rename price as cost |> where clicks.price < cost + 1;", "");
    EXPECT(CLICKS "from clicks |> extend 1 as one |> where clicks.one = 1;", "E0203");
    EXPECT(CLICKS "from clicks |> select price |> where clicks.price > 1;", "E0203");
    EXPECT(CLICKS "from clicks |> extend 1 as one |> as c |> where c.one = 1 and c.price > 1;", "");
    EXPECT(CLICKS "from clicks |> as c |> where clicks.price > 1;", "E0203");
    EXPECT(CLICKS
           "from clicks |> aggregate count(*) as n group by user_id, tumble(interval 1 minute) |> where clicks.n > 1;",
           "E0203");
}
END_TEST

START_TEST(test_a_json_column_before_a_range_variable)
{
    /* `body.x` is a field of the column, though the rows are called body too */
    EXPECT(CLICKS "from clicks as body |> select body.x as f, body.user_id as u;", "");
    EXPECT(CLICKS "from clicks as price |> where price.user_id = 'ann' and price > 1;", "");
    EXPECT(CLICKS "from clicks |> select user_id.x as f;", "E0302");
}
END_TEST

START_TEST(test_system_columns)
{
    EXPECT(CLICKS "from clicks |> where _subject like 'a%' and _sequence > 1 and _partition = 0 and _headers is null;",
           "");
    EXPECT(CLICKS "from clicks |> select user_id |> where clicks._subject = 'a';", "E0203");
    EXPECT(CLICKS "from clicks |> select user_id |> extend _ingested_at as t |> where _sequence > 5;", "");
    EXPECT(
        CLICKS
        "from clicks |> aggregate count(*) as n group by user_id, tumble(interval 1 minute) |> where _subject = 'a';",
        "E0203");
    EXPECT(LIVE "from live |> aggregate count(*) as n group by user_id retain interval 1 day |> where _revision > 0 "
                "and not _final;",
           "");
    EXPECT(CLICKS
           "from clicks |> aggregate count(*) as n group by user_id, tumble(interval 1 minute) |> where _revision > 0;",
           "E0203");
    struct attempt attempt = attempt_compile(CLICKS "from clicks |> select *;", NULL);
    ck_assert_uint_eq(attempt_node(&attempt, "stdout")->schema.count, 7); /* `*` has no system columns */
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_declarations_share_names)
{
    EXPECT(CLICKS "create sink CLICKS to file (path = 'x'); from clicks;", "E0205");
    EXPECT(CLICKS "param clicks int64 default 1; from clicks |> where quantity > @clicks;", "");
    EXPECT(CLICKS "create stream s as from clicks; create stream s as from clicks; from s;", "E0205");
    EXPECT(CLICKS "from clickz;", "E0201");
    EXPECT(CLICKS "create stream a as from b; create stream b as from a; from a;", "E0215");
    EXPECT(CLICKS "create stream a as from a; from a;", "E0215");
    EXPECT(CLICKS "create sink out to file (path = 'x'); from out;", "E0216");
    EXPECT(CLICKS "create table t (id string, primary key (id)) from redis (key = 'x'); from t;", "E0216");
    EXPECT("create sink out to file (path = 'x');", "E0410");
}
END_TEST

START_TEST(test_mistakes_are_told_once)
{
    /* a broken declaration says nothing about who uses it, and a broken operator nothing about what follows */
    EXPECT("create source s (a strng) from file (path = 'x'); from s |> where a > 1 |> select b;", "E0304");
    EXPECT(CLICKS "create sink out to nowhere (x = 1); from clicks |> insert into out; from clicks |> insert into out;",
           "E0209");
    EXPECT(CLICKS "create stream s as from clicks |> select nothing; from s |> where x = 1; from s;", "E0203");
    EXPECT(CLICKS "from clicks |> extend nothing as a, nobody as b |> where a = 1 and b = 'x' |> select a, price;",
           "E0203 E0203");
    EXPECT(CLICKS "from clicks |> extend nothing as a |> where c = 1 |> aggregate max(b) group by a;", "E0203 E0203");
    EXPECT(CLICKS "from clicks |> where c = 1 |> aggregate max(b) as m group by type retain interval 1 day;",
           "E0203 E0203");
    EXPECT(CLICKS "param p int64 default 'x'; from clicks |> where quantity > @p;", "E0307");
    EXPECT(CLICKS "from clicks |> where foo > 1 and bar > 2 and baz > 3;", "E0203 E0203 E0203");
}
END_TEST

START_TEST(test_did_you_mean)
{
    expect_message(CLICKS "from clicks |> where usr_id = 'a';", 0, "no column `usr_id` in clicks",
                   "did you mean `user_id`?");
    expect_message(CLICKS "from click;", 0, "no source or stream `click`", "did you mean `clicks`?");
    expect_message(CLICKS "from clicks |> select uper(user_id) as u;", 0, "no function `uper`",
                   "did you mean `upper`?");
    expect_message(CLICKS "from clicks |> aggregate cuont(*) as n;", 0, "no function `cuont`", "did you mean `count`?");
    expect_message(CLICKS "from clicks |> select clicks.pric;", 0, "no column `pric` in clicks",
                   "did you mean `price`?");
    expect_message(CLICKS "set paralelism = 2; from clicks;", 0, "no setting `paralelism`",
                   "did you mean `parallelism`?");
    expect_message(CLICKS "create sink out to fiel (path = 'x'); from clicks |> insert into out;", 0,
                   "no connector `fiel` for sinks", "did you mean `file`?");
}
END_TEST

/* --- types ------------------------------------------------------------------------------------------------------------------- */

START_TEST(test_types_of_expressions)
{
    expect_type("user_id", EVS_STRING, true);
    expect_type("type", EVS_STRING, false);
    expect_type("quantity + 1", EVS_INT64, true);
    expect_type("quantity / 2", EVS_FLOAT64, true);
    expect_type("price * quantity", EVS_NUMERIC, true);
    expect_type("price + ratio", EVS_FLOAT64, true);
    expect_type("type = 'a' and quantity > 1", EVS_BOOL, true);
    expect_type("user_id is null", EVS_BOOL, false);
    expect_type("user_id is distinct from type", EVS_BOOL, false);
    expect_type("not (price between 1 and 2)", EVS_BOOL, true);
    expect_type("type in ('a', 'b')", EVS_BOOL, false);
    expect_type("type not like 'a%'", EVS_BOOL, false);
    expect_type("case when price > 1 then 1 else 2.5 end", EVS_FLOAT64, false);
    expect_type("case type when 'a' then quantity end", EVS_INT64, true);
    expect_type("cast(quantity as string)", EVS_STRING, true);
    expect_type("safe_cast(type as int64)", EVS_INT64, true);
    expect_type("coalesce(user_id, 'none')", EVS_STRING, false);
    expect_type("at_time + interval 1 minute", EVS_TIMESTAMP, false);
    expect_type("at_time > '2026-01-05 00:00:00Z'", EVS_BOOL, false);
    expect_type("interval @p minute", EVS_INTERVAL, false);
    expect_type("body.a.b", EVS_JSON, true);
    expect_type("current_timestamp()", EVS_TIMESTAMP, false);
    expect_type("null", EVS_INT64, true); /* as in GoogleSQL */
    expect_type("@p", EVS_INT64, false);
    expect_type("timestamp_trunc(at_time, day)", EVS_TIMESTAMP, false);
    expect_type("timestamp_diff(at_time, at_time, second)", EVS_INT64, false);
    expect_type("extract(hour from at_time)", EVS_INT64, false);
}
END_TEST

START_TEST(test_wrong_types)
{
    EXPECT(CLICKS "from clicks |> where price;", "E0301");
    EXPECT(CLICKS "from clicks |> where price = 'a';", "E0302");
    EXPECT(CLICKS "from clicks |> select upper(price) as u;", "E0302");
    EXPECT(CLICKS "from clicks |> select cast(at_time as bool) as u;", "E0303");
    EXPECT(CLICKS "from clicks |> select * as u;", "E0110");
    EXPECT(CLICKS "from clicks |> select upper(distinct user_id) as u;", "E0302");
    EXPECT(CLICKS "from clicks |> where at_time > timestamp '2026-99-99';", "E0307");
    EXPECT(CLICKS "from clicks |> where price = null;", "W0001");
    EXPECT(CLICKS "from clicks |> where false;", "W0002");
    EXPECT(CLICKS "from clicks |> where null;", "W0002");
    EXPECT(CLICKS "from clicks |> where true;", "");
}
END_TEST

START_TEST(test_aggregates)
{
#define BY " group by user_id, tumble(interval 1 minute);"
    EXPECT(CLICKS "from clicks |> aggregate count(*), count(price), count(distinct user_id), countif(price > 1), "
                  "sum(price), avg(ratio), "
                  "min(type), max(at_time), any_value(body), first(price ignore nulls), last(price), sum(price where "
                  "type = 'a')" BY,
           "E0211");
    EXPECT(CLICKS "from clicks |> aggregate count(*) as a, count(price) as b, count(distinct user_id) as c, "
                  "countif(price > 1) as d, "
                  "sum(price) as e, avg(ratio) as f, min(type) as g, max(at_time) as h, any_value(body) as i, "
                  "first(price ignore nulls) as j, last(price) as k, sum(price where type = 'a') as l" BY,
           "");
    EXPECT(CLICKS "from clicks |> aggregate sum(user_id) as a" BY, "E0311");
    EXPECT(CLICKS "from clicks |> aggregate max(body) as a" BY, "E0311");
    EXPECT(CLICKS "from clicks |> aggregate count(price where price) as a" BY, "E0301");
    EXPECT(CLICKS "from clicks |> aggregate sum(sum(price)) as a" BY, "E0309");
    EXPECT(CLICKS "from clicks |> aggregate price" BY, "E0310");
    EXPECT(CLICKS "from clicks |> aggregate upper(user_id) as u, sum(price) / count(*) as mean, window_start as w" BY,
           "");
    EXPECT(CLICKS "from clicks |> where sum(price) > 1;", "E0309");
    EXPECT(CLICKS "from clicks |> aggregate count(*) as n group by body;", "E0312");
    EXPECT(CLICKS "from clicks |> aggregate count(*) as n group by 1;", "E0312");
    EXPECT(CLICKS "from clicks |> aggregate group by user_id;", "");
#undef BY
}
END_TEST

/* --- windows, time and state -------------------------------------------------------------------------------------------------- */

START_TEST(test_the_time_of_a_window)
{
#define COUNT(time) "|> aggregate count(*) as n group by tumble(" time ", interval 1 minute);"
    EXPECT(CLICKS "from clicks " COUNT("at_time"), "");
    EXPECT(CLICKS "from clicks " COUNT("clicks.at_time"), "");
    EXPECT(CLICKS "from clicks |> rename at_time as seen " COUNT("seen"), "");
    EXPECT(CLICKS "from clicks |> select at_time as seen, price |> extend price + 1 as p |> where p > 1 " COUNT("seen"),
           "");
    EXPECT(CLICKS "from clicks |> set at_time = at_time + interval 1 second " COUNT("at_time"), "E0403");
    EXPECT(CLICKS "from clicks |> set at_time = at_time + interval 1 second " COUNT("clicks.at_time"), "");
    EXPECT(CLICKS "from clicks " COUNT("_ingested_at"), "E0403");
    EXPECT(CLICKS "create stream s as from clicks |> where price > 1; from s " COUNT("at_time"), "");
    EXPECT("create source s (a timestamp) from file (path = 'x') on error fail; from s " COUNT("_ingested_at"), "");
    EXPECT("create source s (a timestamp) from file (path = 'x') on error fail; from s " COUNT("a"), "E0403");
    EXPECT(CLICKS "from clicks |> select at_time, price |> union all (from clicks |> select at_time, quantity) " COUNT(
               "at_time"),
           "");
    EXPECT(CLICKS "from clicks |> select at_time, at_time as b |> union all (from clicks |> select at_time, at_time - "
                  "interval 1 day) " COUNT("b"),
           "E0403");
    EXPECT(CLICKS
           "from clicks |> aggregate count(*) as n group by tumble(interval 1 minute) |> select window_start " COUNT(
               "window_start"),
           "E0403");
#undef COUNT
}
END_TEST

START_TEST(test_windows_and_clauses)
{
#define COUNT "from clicks |> aggregate count(*) as n group by "
    EXPECT(CLICKS COUNT "tumble(interval 0 second);", "E0405");
    EXPECT(CLICKS COUNT "tumble(interval -1 second);", "E0405");
    EXPECT(CLICKS COUNT "tumble(60);", "E0313");
    EXPECT(CLICKS COUNT "tumble(interval 1 month);", "");
    EXPECT(CLICKS COUNT "tumble(interval 1 day, time_zone => 'utc');",
           "E0307"); /* names are written as the tz database does */
    EXPECT(CLICKS COUNT "tumble(interval 1 day, time_zone => 'UTC');", "");
    EXPECT(CLICKS COUNT "tumble(interval 1 day, time_zone => 'Europe/Berlin');", "");
    EXPECT(CLICKS COUNT "tumble(interval 1 day), tumble(interval 1 hour);", "E0311");
    EXPECT(CLICKS COUNT "hop(interval 1 day, interval 1 hour);", "");
    EXPECT(CLICKS COUNT "user_id emit on window close;", "E0406");
    EXPECT(CLICKS COUNT "tumble(interval 1 day) retain interval 1 day;", "E0406");
    EXPECT(CLICKS COUNT "tumble(interval 1 day) emit on window close;", "");
    EXPECT(CLICKS COUNT "tumble(interval 1 day) allow lateness interval 1 hour;", "");
    EXPECT(CLICKS COUNT "user_id retain interval 1 month;", "E0313");
    EXPECT(CLICKS "create sink late to file (path = 'x'); " COUNT "user_id late into late;", "E0406");
    EXPECT(CLICKS COUNT "tumble(interval 1 day) late into nobody;", "E0202");
#undef COUNT
}
END_TEST

START_TEST(test_state_must_be_bounded)
{
    EXPECT(LIVE "from live |> aggregate count(*) as n group by user_id;", "E0401");
    EXPECT(LIVE "from live |> aggregate count(*) as n group by user_id retain interval 1 day;", "");
    EXPECT(LIVE "from live |> aggregate count(*) as n;", "");                      /* one group */
    EXPECT(LIVE "from live |> aggregate count(distinct user_id) as n;", "E0401");  /* that remembers users */
    EXPECT(CLICKS "from clicks |> aggregate count(*) as n group by user_id;", ""); /* the input ends */
    EXPECT(CLICKS LIVE "from live |> select user_id |> union all (from clicks |> select user_id) "
                       "|> aggregate count(*) as n group by user_id;",
           "E0401");
    EXPECT(LIVE "from live |> aggregate count(*) as n group by user_id retain interval 1 day |> aggregate sum(n) as m;",
           "E0402");
}
END_TEST

/* --- sinks, branches ------------------------------------------------------------------------------------------------------------- */

START_TEST(test_inserts)
{
#define OUT "create sink out to file (path = 'x');\n"
    EXPECT(CLICKS OUT
           "from clicks |> select user_id |> insert into out; from clicks |> select user_id |> insert into out;",
           "");
    EXPECT(CLICKS OUT
           "from clicks |> select user_id |> insert into out; from clicks |> select type |> insert into out;",
           "E0408");
    EXPECT(CLICKS OUT "from clicks |> select user_id, type |> insert into out (a, b);", "");
    EXPECT(CLICKS OUT "from clicks |> select user_id, type |> insert into out (a);", "E0409");
    EXPECT(CLICKS OUT "from clicks |> select price + 1 |> insert into out;", "E0213");
    EXPECT(CLICKS OUT "from clicks |> select price, quantity as PRICE |> insert into out;", "E0211");
    EXPECT(CLICKS OUT "from clicks |> insert into out |> where price > 1;", "E0411");
    EXPECT(CLICKS OUT "create stream s as from clicks |> insert into out; from s;", "E0415");
    EXPECT(CLICKS OUT "create stream s as from clicks |> tee (|> insert into out); from s;", "E0412");
    EXPECT(CLICKS OUT "from clicks |> tee (|> insert into out), (|> where price > 1) |> where price > 2;", "");
    EXPECT(CLICKS OUT "from clicks |> tee (|> where nothing > 1), (|> where nobody > 1) |> where noone > 2;",
           "E0203 E0203 E0203");
    EXPECT(CLICKS OUT "set dead_letter = out; from clicks |> insert into out;", "E0408");
#undef OUT
}
END_TEST

START_TEST(test_unions)
{
    EXPECT(CLICKS "from clicks |> select user_id, quantity |> union all (from clicks |> select type, price);", "");
    EXPECT(CLICKS "from clicks |> select user_id, quantity |> union all (from clicks |> select type, user_id);",
           "E0308");
    EXPECT(CLICKS "from clicks |> select user_id |> union all (from clicks |> select type, price);", "E0409");
    EXPECT(CLICKS "from clicks |> select user_id, price |> union all by name (from clicks |> select price, user_id);",
           "");
    EXPECT(CLICKS "from clicks |> select user_id, price |> union all by name (from clicks |> select price, type);",
           "E0203");
    EXPECT(CLICKS
           "from clicks |> select user_id |> union all (from clicks |> select null), (from clicks |> select type);",
           "");
}
END_TEST

/* --- options, settings, parameters -------------------------------------------------------------------------------------------------- */

START_TEST(test_options)
{
#define SOURCE(options) "create source s (a string) from live (" options ") on error fail; from s;"
    EXPECT(SOURCE("stream = 'x'"), "");
    EXPECT(SOURCE("strem = 'x'"), "E0503 E0501");
    EXPECT(SOURCE("stream = 5"), "E0502");
    EXPECT(SOURCE("stream = x"), "E0203");
    EXPECT(SOURCE("stream = ''"), "E0504");
    EXPECT(SOURCE("stream = 'x', partitions = 65"), "E0502");
    EXPECT(SOURCE("stream = 'x', partitions = '4'"), "E0502");
    EXPECT(SOURCE("stream = 'x', wait = interval 3 second"), "");
    EXPECT(SOURCE("stream = 'x', wait = '3s', idle_timeout = 'never', row_bytes_max = '8 MiB', on_future = 'keep'"),
           "");
    EXPECT(SOURCE("stream = 'x', wait = -interval 3 second"), "E0502");
    EXPECT(SOURCE("stream = 'x', on_future = 'kep'"), "E0502");
    EXPECT("create source s (a string) from live (stream = 'x') format jsn; from s;", "E0210");
    EXPECT(CLICKS "create sink o to bus (subject = 'a') format envelope; from clicks |> insert into o;", "E0503");
    EXPECT(CLICKS "create sink o to bus (subject = 'a') format envelope (type = 'x'); from clicks |> insert into o;",
           "");
    EXPECT(CLICKS "create sink o to bus (subject = 'a.{nobody}'); from clicks |> insert into o;", "E0505");
    EXPECT(CLICKS "create sink o to log (key = 'a', delivery = 'fast'); from clicks |> insert into o;", "E0413");
    EXPECT("create source s (a string) from file (path = 'x', idle_timeout = '3s') on error fail; from s;", "W0006");
#undef SOURCE
}
END_TEST

START_TEST(test_settings)
{
    EXPECT(CLICKS "set nonsense = 1; from clicks;", "E0212");
    EXPECT(CLICKS "set parallelism = 2; set PARALLELISM = 3; from clicks;", "E0217");
    EXPECT(CLICKS "set parallelism = 0; from clicks;", "E0502");
    EXPECT(CLICKS "set dead_letter = nobody; from clicks;", "E0202");
    struct attempt attempt =
        attempt_compile("pipeline shop;\n" CLICKS "param n int64 default 2;"
                        "set parallelism = @n; set checkpoint_interval = '250ms'; set state = memory;"
                        "from clicks;",
                        NULL);
    ck_assert_int_eq(attempt.status, EVS_OK);
    ck_assert_str_eq(attempt.plan->pipeline, "shop");
    ck_assert_uint_eq(attempt.plan->parallelism, 2);
    ck_assert_int_eq(attempt.plan->checkpoint_interval_us, 250000);
    ck_assert_int_eq(attempt.plan->state, EVS_STATE_MEMORY);
    ck_assert(attempt.plan->only_files);
    attempt_end(&attempt);
    attempt = attempt_compile(LIVE "from live;", NULL);
    ck_assert_str_eq(attempt.plan->pipeline, "pipeline"); /* the file's stem */
    ck_assert_int_eq(attempt.plan->state, EVS_STATE_UNSET);
    ck_assert(!attempt.plan->only_files);
    attempt_end(&attempt);
}
END_TEST

static const char *environment(void *argument, const char *name)
{
    return strcmp(name, "EVSTREAM_PARAM_CAP") == 0 ? argument : NULL;
}

START_TEST(test_parameters)
{
    static const char text[] = CLICKS "param cap numeric; from clicks |> where price > @cap;";
    EXPECT(text, "E0214");
    struct evs_compile_options with = {.environment = environment, .environment_argument = "12.5"};
    char shape[4096];
    struct attempt attempt = attempt_compile(text, &with);
    ck_assert_ptr_nonnull(strstr(attempt_shape(&attempt, shape, sizeof shape), "price > numeric '12.5'"));
    attempt_end(&attempt);

    const char *given[] = {"cap=7", "CAP=8"};
    with.params = given; /* an argument comes before the environment; the last one counts */
    with.param_count = 2;
    attempt = attempt_compile(text, &with);
    ck_assert_ptr_nonnull(strstr(attempt_shape(&attempt, shape, sizeof shape), "price > numeric '8'"));
    attempt_end(&attempt);

    given[1] = "cap=much";
    attempt = attempt_compile(text, &with);
    ck_assert_int_eq(attempt.status, EVS_E_PIPELINE);
    attempt_end(&attempt);

    given[1] = "cap2=3";
    attempt = attempt_compile(text, &with);
    ck_assert_int_eq(attempt.status, EVS_E_USAGE);
    ck_assert_ptr_nonnull(strstr(attempt.error.text, "did you mean `cap`?"));
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_parameters_have_every_type)
{
    static const struct {
        const char *type, *good, *bad;
    } cases[] = {
        {"bool", "t=true", "t=maybe"},
        {"int64", "t=-5", "t=5.5"},
        {"float64", "t=1e3", "t=x"},
        {"numeric", "t=1.000000001", "t=1,5"},
        {"timestamp", "t=2026-01-05", "t=noon"},
        {"date", "t=2026-01-05", "t=2026-02-30"},
        {"interval", "t=90s", "t=soon"},
        {"json", "t={\"a\":1}", "t={"},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        char text[1024];
        snprintf(text, sizeof text, "%sparam t %s; from clicks |> select @t as t;", CLICKS, cases[i].type);
        const char *given = cases[i].good;
        struct evs_compile_options with = {.params = &given, .param_count = 1};
        struct attempt attempt = attempt_compile(text, &with);
        ck_assert_msg(attempt.status == EVS_OK, "%s: %s", cases[i].type, given);
        enum evs_kind kind = attempt_node(&attempt, "stdout")->schema.fields[0].type->kind;
        ck_assert_str_eq(evs_kind_name(kind), cases[i].type);
        attempt_end(&attempt);
        given = cases[i].bad;
        attempt = attempt_compile(text, &with);
        ck_assert_msg(attempt.status == EVS_E_PIPELINE, "%s: %s", cases[i].type, given);
        attempt_end(&attempt);
    }
    EXPECT(CLICKS
           "param d interval default interval 2 minute; from clicks |> aggregate count(*) as n group by tumble(@d);",
           "");
}
END_TEST

START_TEST(test_overrides)
{
    static const char text[] = LIVE "create sink out to bus (subject = 'a'); from live |> insert into out;";
    const char *source = "live=file:in.ndjson", *sink = "OUT=file:-";
    struct evs_compile_options with = {.sources = &source, .source_count = 1, .sinks = &sink, .sink_count = 1};
    struct attempt attempt = attempt_compile(text, &with);
    ck_assert_int_eq(attempt.status, EVS_OK);
    ck_assert(attempt.plan->only_files);
    const struct evs_plan_source *plan_source = attempt_node(&attempt, "live")->source;
    ck_assert_str_eq(plan_source->connector->kind, "file");
    const struct evs_option_value *values = plan_source->config;
    ck_assert_str_eq(values[0].text.data, "in.ndjson");
    ck_assert_str_eq(attempt_node(&attempt, "out")->sink->connector->kind, "file");
    attempt_end(&attempt);

    static const char *const wrong[] = {"live", "live=file", "lve=file:x", "out=file:x", "live=nowhere:x"};
    for (size_t i = 0; i < EVS_COUNT(wrong); i++) {
        source = wrong[i];
        attempt = attempt_compile(text, &with);
        ck_assert_msg(attempt.status == EVS_E_USAGE, "%s is taken", wrong[i]);
        ck_assert_uint_gt(strlen(attempt.error.text), 10);
        attempt_end(&attempt);
    }
}
END_TEST

/* What holds for every source is no matter of its connector. */
START_TEST(test_an_override_keeps_what_every_source_has)
{
    static const char text[] =
        "create source live (id int64, at_time timestamp not null, watermark for at_time as at_time) "
        "from live (stream = 'S', row_bytes_max = 5000, on_future = 'keep', idle_timeout = interval 3 second) on error "
        "fail; "
        "create sink out to bus (subject = 'a'); from live |> select id |> insert into out;";
    const char *source = "live=file:in.ndjson";
    struct evs_compile_options with = {.sources = &source, .source_count = 1};
    struct attempt attempt = attempt_compile(text, &with);
    ck_assert_int_eq(attempt.status, EVS_OK);
    const struct evs_plan_source *plan_source = attempt_node(&attempt, "live")->source;
    ck_assert_uint_eq(plan_source->row_bytes_max, 5000);
    ck_assert(plan_source->future_keep);
    ck_assert_int_eq(plan_source->idle_timeout_us, -1); /* a file always ends */
    ck_assert_uint_eq(evs_diagnostics_warnings(attempt.diagnostics), 0);
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_a_missing_file_is_wrong_usage)
{
    struct evs_sources *texts = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    const struct evs_compile_options options = {
        .file = "/nowhere/at-all.evs", .texts = texts, .registry = &compile_registry};
    const struct evs_plan *plan = NULL;
    struct evs_error error = {0};
    ck_assert_int_eq(evs_compile(&options, diagnostics, &plan, &error), EVS_E_USAGE);
    ck_assert_ptr_nonnull(strstr(error.text, "/nowhere/at-all.evs"));
    ck_assert_ptr_null(plan);
    evs_plan_free(plan);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
}
END_TEST

START_TEST(test_columns_of_sources)
{
#define SOURCE(columns) "create source s (" columns ") from file (path = 'x') on error fail; from s;"
    EXPECT(SOURCE("a string, A int64"), "E0206");
    EXPECT(SOURCE("a array<array<int64>>"), "E0304");
    EXPECT(SOURCE("a array<int6>, b struct<c strin>"), "E0304 E0304");
    EXPECT(SOURCE("a array"), "E0304");
    EXPECT(SOURCE("a struct"), "E0304");
    EXPECT(SOURCE("a array<int64> default ['x']"), "E0307");
    EXPECT(SOURCE("a int64 default [1]"), "E0307");
    EXPECT(SOURCE("a array<numeric> default [1, null], b struct<int64, c date> default (1, '2026-01-05'), c datetime"),
           "");
    EXPECT(SOURCE("a int64 unit ms"), "E0305");
    EXPECT(SOURCE("a string path '$'"), "E0506");
    EXPECT(SOURCE("a string path '$.a[0]'"), "E0506");
    EXPECT(SOURCE("a int64 default 'x'"), "E0307");
    EXPECT(SOURCE("a int64 not null default null"), "E0307");
    EXPECT(SOURCE("a string, watermark for a as a"), "E0404");
    EXPECT(SOURCE("a timestamp, n int64, watermark for a as n"), "E0404");
    EXPECT(SOURCE("a timestamp, watermark for b as a"), "E0203");
    struct attempt attempt = attempt_compile(SOURCE("a numeric path '$.x.\"y z\".b' default 1, b timestamp unit ns not "
                                                    "null, c json path '$', d float64 default 2"),
                                             NULL);
    ck_assert_int_eq(attempt.status, EVS_OK);
    const struct evs_decode_column *columns = attempt_node(&attempt, "s")->source->columns;
    ck_assert_uint_eq(columns[0].path_count, 3);
    ck_assert_str_eq(columns[0].path[1], "y z");
    ck_assert(columns[0].has_default && columns[0].fallback.kind == EVS_NUMERIC &&
              columns[0].fallback.numeric == EVS_NUMERIC_ONE);
    ck_assert(columns[1].not_null && columns[1].unit_us == -1000);
    ck_assert_uint_eq(columns[2].path_count, 0);
    ck_assert(columns[3].fallback.kind == EVS_FLOAT64 && columns[3].fallback.float64 == 2.0);
    attempt_end(&attempt);
#undef SOURCE
}
END_TEST

START_TEST(test_warnings)
{
    EXPECT("create source s (a string) from file (path = 'x'); from s;", "W0004");
    EXPECT("create source s (a string) from file (path = 'x') on error fail;"
           "from s |> aggregate count(*) as n group by tumble(interval 1 minute);",
           "W0007");
    EXPECT(CLICKS "create sink out to file (path = 'x'); param p int64 default 1; from clicks;", "W0003 W0003");
    EXPECT("create source s (a string) from live (stream = 'x') dead letter into dead; create sink dead to file (path "
           "= 'd'); from s;",
           "");
    EXPECT("set dead_letter = dead; create source s (a string) from live (stream = 'x'); create sink dead to file "
           "(path = 'd'); from s;",
           "");
    EXPECT(LIVE "create sink o to bus (subject = 'a', delivery = 'fast'); "
                "from live |> aggregate count(*) as n group by user_id retain interval 1 day |> insert into o;",
           "W0005");
    EXPECT(LIVE "create sink o to bus (subject = 'a', delivery = 'fast'); "
                "from live |> aggregate count(*) as n group by user_id, tumble(interval 1 day) |> insert into o;",
           "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("binder");
    TCase *names = tcase_create("names");
    tcase_add_test(names, test_columns_resolve);
    tcase_add_test(names, test_range_variables_live_as_in_googlesql);
    tcase_add_test(names, test_a_json_column_before_a_range_variable);
    tcase_add_test(names, test_system_columns);
    tcase_add_test(names, test_declarations_share_names);
    tcase_add_test(names, test_mistakes_are_told_once);
    tcase_add_test(names, test_did_you_mean);
    suite_add_tcase(suite, names);
    TCase *types = tcase_create("types");
    tcase_add_test(types, test_types_of_expressions);
    tcase_add_test(types, test_wrong_types);
    tcase_add_test(types, test_aggregates);
    suite_add_tcase(suite, types);
    TCase *time = tcase_create("time and state");
    tcase_add_test(time, test_the_time_of_a_window);
    tcase_add_test(time, test_windows_and_clauses);
    tcase_add_test(time, test_state_must_be_bounded);
    suite_add_tcase(suite, time);
    TCase *rest = tcase_create("sinks, options, parameters");
    tcase_add_test(rest, test_inserts);
    tcase_add_test(rest, test_unions);
    tcase_add_test(rest, test_options);
    tcase_add_test(rest, test_settings);
    tcase_add_test(rest, test_parameters);
    tcase_add_test(rest, test_parameters_have_every_type);
    tcase_add_test(rest, test_overrides);
    tcase_add_test(rest, test_an_override_keeps_what_every_source_has);
    tcase_add_test(rest, test_a_missing_file_is_wrong_usage);
    tcase_add_test(rest, test_columns_of_sources);
    tcase_add_test(rest, test_warnings);
    suite_add_tcase(suite, rest);
    return unit_run(suite);
}
