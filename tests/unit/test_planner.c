/* The planner: what is decoded, computed, exchanged and kept; identities; delivery. */
#include "compile_fakes.h"

#include <string.h>

#include "op_aggregate.h"
#include "op_project.h"
#include "unit.h"

#define CLICKS                                                                                                         \
    "create source clicks (event_id string, user_id string, type string not null, price numeric, sku string, at_time " \
    "timestamp not null, "                                                                                             \
    "    watermark for at_time as at_time - interval 5 second) from file (path = 'x') on error fail;\n"
#define LIVE(partitions)                                                                                               \
    "create source live (user_id string, price numeric, at_time timestamp, watermark for at_time as at_time) "         \
    "from live (stream = 'S', partitions = " #partitions ", password = 'hush') on error fail;\n"
#define OUT "create sink out to bus (subject = 'a');\n"
#define MINUTE "tumble(interval 1 minute)"

static struct attempt compiled(const char *text)
{
    struct attempt attempt = attempt_compile(text, NULL);
    if (attempt.status != EVS_OK) {
        evs_diagnostics_print(attempt.diagnostics, stdout);
        ck_abort_msg("this should compile:\n%s", text);
    }
    return attempt;
}

static void expect_shape(const char *text, const char *shape)
{
    struct attempt attempt = compiled(text);
    char found[8192];
    ck_assert_str_eq(attempt_shape(&attempt, found, sizeof found), shape);
    attempt_end(&attempt);
}

/* --- columns ------------------------------------------------------------------------------------------------------------------ */

START_TEST(test_only_used_columns_are_decoded)
{
    struct attempt attempt = compiled(CLICKS "from clicks |> where type = 'a' |> select user_id;");
    const struct evs_plan_source *source = attempt_node(&attempt, "clicks")->source;
    ck_assert_uint_eq(source->column_count, 3); /* the event time is always read */
    ck_assert_str_eq(source->columns[0].name, "user_id");
    ck_assert_str_eq(source->columns[1].name, "type");
    ck_assert_str_eq(source->columns[2].name, "at_time");
    ck_assert_uint_eq(source->event_time_column, 2);
    ck_assert_uint_eq(source->subject_column, 0);
    attempt_end(&attempt);

    /* of all queries together; what is computed for nobody is not read either */
    attempt = compiled(CLICKS "from clicks |> select sku; from clicks |> extend upper(event_id) as u |> select price;");
    ck_assert_uint_eq(attempt_node(&attempt, "clicks")->source->column_count, 3);
    ck_assert_uint_eq(attempt_count(&attempt, "where"), 0);
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_system_columns_come_last)
{
    struct attempt attempt = compiled(CLICKS "from clicks |> select _sequence as s, _subject as t, sku;");
    const struct evs_plan_node *node = attempt_node(&attempt, "clicks");
    ck_assert_uint_eq(node->schema.count, 4);
    ck_assert_uint_eq(node->source->column_count, 2);
    ck_assert_uint_eq(node->source->subject_column, 3);
    ck_assert_uint_eq(node->source->sequence_column, 4);
    ck_assert_uint_eq(node->source->ingested_at_column, 0);
    ck_assert_uint_eq(node->source->headers_column, 0);
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_row_operators_become_one_projection)
{
    expect_shape(CLICKS "from clicks |> extend price * 2 as a |> set a = a + 1 |> rename sku as s |> drop event_id "
                        "|> select s, a, lower(s) as l;",
                 "clicks(price,sku,at_time)\n"
                 "project_1(s,a,l)<clicks compute a = (price * numeric '2') + numeric '1', l = lower(sku)\n"
                 "gather_1(s,a,l)<project_1\n"
                 "stdout(s,a,l)<gather_1\n");
}
END_TEST

START_TEST(test_filters_go_in_front_of_projections)
{
    /* unchanged columns: one filter, before anything is computed */
    expect_shape(CLICKS "from clicks |> where price > 1 |> extend lower(sku) as s |> rename type as kind |> where kind "
                        "= 'a' |> select s;",
                 "clicks(type,price,sku,at_time)\n"
                 "filter_1(type,price,sku,at_time)<clicks where (price > numeric '1') and (type = 'a')\n"
                 "project_1(s)<filter_1 compute s = lower(sku)\n"
                 "gather_1(s)<project_1\n"
                 "stdout(s)<gather_1\n");
    /* a computed one: the conditions before it stay before it, the one on it comes behind, and the order of all is kept */
    expect_shape(CLICKS "from clicks |> extend price * 2 as p |> where type = 'a' and p > 1 and sku = 'b' |> select p;",
                 "clicks(type,price,sku,at_time)\n"
                 "filter_1(type,price,sku,at_time)<clicks where type = 'a'\n"
                 "project_1(sku,p)<filter_1 compute p = price * numeric '2'\n"
                 "filter_2(sku,p)<project_1 where (p > numeric '1') and (sku = 'b')\n"
                 "project_2(p)<filter_2\n"
                 "gather_1(p)<project_2\n"
                 "stdout(p)<gather_1\n");
}
END_TEST

START_TEST(test_an_exchange_carries_what_is_needed)
{
    expect_shape(CLICKS "from clicks |> where type = 'a' |> aggregate as totals count(*) as n, sum(price) as s group "
                        "by user_id, " MINUTE " |> select user_id, n;",
                 "clicks(user_id,type,at_time)\n"
                 "filter_1(user_id,type,at_time)<clicks where type = 'a'\n"
                 "project_1(user_id)<filter_1\n"
                 "exchange_1(user_id)<project_1\n"
                 "totals(user_id,n)<exchange_1\n"
                 "gather_1(user_id,n)<totals\n"
                 "stdout(user_id,n)<gather_1\n");
}
END_TEST

/* An update stream's revisions depend on every call, so none is left out. */
START_TEST(test_calls_of_update_streams_stay)
{
    struct attempt attempt =
        compiled(LIVE(1) "from live |> aggregate count(*) as n, max(price) as m group by user_id retain interval 1 day "
                         "|> select user_id, m;");
    const struct evs_aggregate_config *config = attempt_aggregate(&attempt)->config;
    ck_assert_uint_eq(config->call_count, 2);
    ck_assert_uint_eq(config->item_count, 2);
    ck_assert_int_eq(config->emit, EVS_EMIT_ON_CHANGE);
    ck_assert_int_eq(config->retain_us, INT64_C(86400000000));
    attempt_end(&attempt);
    attempt = compiled(LIVE(1) "from live |> aggregate count(*) as n, max(price) as m group by user_id, " MINUTE
                               " |> select user_id, m;");
    config = attempt_aggregate(&attempt)->config;
    ck_assert_uint_eq(config->call_count, 1);
    ck_assert_int_eq(config->calls[0].kind, EVS_AGG_MAX);
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_large_expressions_are_computed_once)
{
    /* each step uses the one before twice: as trees they would have 2^40 nodes */
    struct evs_buffer text = {0};
    evs_buffer_puts(&text, CLICKS "from clicks |> extend price as p0 ");
    for (int i = 0; i < 40; i++) {
        evs_buffer_printf(&text, "|> extend p%d + p%d as p%d ", i, i, i + 1);
    }
    evs_buffer_puts(&text, "|> select p40;");
    evs_buffer_put(&text, "", 1);
    struct attempt attempt = compiled(text.data);
    ck_assert_uint_gt(attempt_count(&attempt, "select"), 3);
    ck_assert_uint_lt(attempt_count(&attempt, "select"), 15);
    attempt_end(&attempt);
    evs_buffer_fini(&text);
}
END_TEST

/* --- sources ------------------------------------------------------------------------------------------------------------------- */

static int64_t delay_of(const char *watermark, bool *has_program)
{
    char text[512];
    snprintf(text, sizeof text,
             "create source s (a timestamp, b timestamp, watermark for a as %s) from file (path = 'x') on error fail;"
             "param d int64 default 3; param late interval default interval 7 second; from s |> select a |> where @d > "
             "0 and @late > interval 0 second;",
             watermark);
    struct attempt attempt = compiled(text);
    const struct evs_plan_source *source = attempt_node(&attempt, "s")->source;
    int64_t delay_us = source->watermark_delay_us;
    *has_program = source->watermark != NULL;
    attempt_end(&attempt);
    return delay_us;
}

START_TEST(test_watermarks)
{
    bool has_program = false;
    ck_assert_int_eq(delay_of("a", &has_program), 0);
    ck_assert(has_program); /* the plan says by it that there is a watermark */
    ck_assert_int_eq(delay_of("a - interval 5 second", &has_program), 5000000);
    ck_assert_int_eq(delay_of("a - interval @d minute", &has_program), 180000000);
    ck_assert_int_eq(delay_of("a - @late", &has_program), 7000000);
    ck_assert_int_eq(delay_of("a - interval -5 second", &has_program), -1); /* ahead of the event: no delay */
    ck_assert_int_eq(delay_of("a + interval 5 second", &has_program), -1);
    ck_assert_int_eq(delay_of("b - interval 5 second", &has_program), -1);
    ck_assert_int_eq(delay_of("least(a, b)", &has_program), -1);
    ck_assert(has_program);
    struct attempt attempt = compiled("create source s (a timestamp) from file (path = 'x') on error fail; from s;");
    ck_assert_ptr_null(attempt_node(&attempt, "s")->source->watermark);
    ck_assert_int_eq(attempt_node(&attempt, "s")->source->watermark_delay_us, -1);
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_options_of_live_sources)
{
    struct attempt attempt =
        compiled("set idle_timeout = '3s'; set row_bytes_max = 1000;"
                 "create source a (x string) from live (stream = 'A') on error fail;"
                 "create source b (x string) from live (stream = 'B', idle_timeout = 'never', max_future_skew = '2m', "
                 "on_future = 'keep', row_bytes_max = 2000) on error fail;"
                 "create source c (x string) from file (path = 'C') on error fail; from a; from b; from c;");
    const struct evs_plan_source *a = attempt_node(&attempt, "a")->source, *b = attempt_node(&attempt, "b")->source,
                                 *c = attempt_node(&attempt, "c")->source;
    ck_assert_int_eq(a->idle_timeout_us, 3000000);
    ck_assert_int_eq(a->future_skew_us, 60000000);
    ck_assert(!a->future_keep && a->fail_on_error);
    ck_assert_uint_eq(a->row_bytes_max, 1000);
    ck_assert_int_eq(b->idle_timeout_us, -1);
    ck_assert_int_eq(b->future_skew_us, 120000000);
    ck_assert(b->future_keep);
    ck_assert_uint_eq(b->row_bytes_max, 2000);
    ck_assert_int_eq(c->idle_timeout_us, -1); /* files have neither */
    ck_assert_int_eq(c->future_skew_us, -1);
    attempt_end(&attempt);
}
END_TEST

/* --- graphs -------------------------------------------------------------------------------------------------------------------- */

START_TEST(test_a_stream_is_planned_once)
{
    expect_shape(CLICKS
                 "create stream s as from clicks |> where type = 'a' |> extend price * 2 as p;"
                 "create sink one to file (path = '1'); create sink two to file (path = '2');"
                 "from s |> select p |> insert into one; from s |> where p > 1 |> select sku |> insert into two;",
                 "clicks(type,price,sku,at_time)\n"
                 "filter_1(type,price,sku,at_time)<clicks where type = 'a'\n"
                 "project_1(sku,p)<filter_1 compute p = price * numeric '2'\n"
                 "filter_2(sku,p)<project_1 where p > numeric '1'\n"
                 "project_2(p)<project_1\n"
                 "gather_1(p)<project_2\n"
                 "one(p)<gather_1\n"
                 "project_3(sku)<filter_2\n"
                 "gather_2(sku)<project_3\n"
                 "two(sku)<gather_2\n");
}
END_TEST

START_TEST(test_tee_goes_on)
{
    expect_shape(CLICKS "create sink one to file (path = '1');"
                        "from clicks |> extend lower(sku) as l |> tee (|> where l = 'x' |> select l |> insert into "
                        "one) |> select l, price;",
                 "clicks(price,sku,at_time)\n"
                 "project_1(price,l)<clicks compute l = lower(sku)\n"
                 "filter_1(price,l)<project_1 where l = 'x'\n"
                 "project_2(l)<filter_1\n"
                 "gather_1(l)<project_2\n"
                 "one(l)<gather_1\n"
                 "project_3(l,price)<project_1\n"
                 "gather_2(l,price)<project_3\n"
                 "stdout(l,price)<gather_2\n");
}
END_TEST

static uint32_t branches_into(const struct attempt *attempt, const char *name, uint32_t *numbers)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < attempt->plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &attempt->plan->edges[i];
        if (strcmp(attempt->plan->nodes[edge->to].name, name) == 0) {
            numbers[count++] = edge->branch;
        }
    }
    return count;
}

/* Both sides may bring rows of one click: only the branch tells their trigger ids apart. */
START_TEST(test_branches_of_a_union_have_numbers)
{
    struct attempt attempt =
        compiled(CLICKS OUT "from clicks |> select sku |> union all (from clicks |> where price > 1 |> select sku) "
                            "|> insert into out;");
    uint32_t numbers[8];
    ck_assert_uint_eq(branches_into(&attempt, "out", numbers), 2);
    ck_assert_uint_eq(numbers[0], 1);
    ck_assert_uint_eq(numbers[1], 2);
    ck_assert_uint_eq(branches_into(&attempt, "filter_1", numbers), 1);
    ck_assert_uint_eq(numbers[0], 0);
    attempt_end(&attempt);
    attempt = compiled(CLICKS OUT "from clicks |> select sku |> insert into out; from clicks |> where price > 1 |> "
                                  "select sku |> insert into out;");
    ck_assert_uint_eq(branches_into(&attempt, "out", numbers), 2);
    ck_assert_uint_eq(numbers[1], 2);
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_union_brings_columns_together)
{
    expect_shape(
        CLICKS
        "create source more (a int64, b string) from file (path = 'y') on error fail;"
        "from clicks |> select sku, price |> union all (from more |> select b, a) |> where price > 1 |> select price;",
        "clicks(price,at_time)\n"
        "more(a)\n"
        "project_1(price)<more compute price = cast(a as numeric)\n"
        "project_2(price)<clicks\n"
        "filter_1(price)<project_2,project_1 where price > numeric '1'\n"
        "gather_1(price)<filter_1\n"
        "stdout(price)<gather_1\n");
}
END_TEST

START_TEST(test_late_rows)
{
    struct attempt attempt =
        compiled(CLICKS "create sink late to file (path = 'l');"
                        "from clicks |> select sku, at_time, price |> extend price * 2 as p "
                        "|> aggregate count(*) as n, sum(p) as s group by upper(sku) as u, " MINUTE " late into late;");
    const struct evs_plan_node *node = attempt_aggregate(&attempt);
    const struct evs_aggregate_config *config = node->config;
    ck_assert(config->late_output);
    ck_assert_uint_eq(config->late_columns, 4);
    ck_assert_uint_eq(node->output_count, 2);
    static const char *const names[] = {"sku",          "at_time",    "price",      "p",
                                        "window_start", "window_end", "_watermark", "_lateness"};
    const struct evs_plan_node *sink = attempt_node(&attempt, "late");
    ck_assert_uint_eq(evs_plan_schema(node, 1)->count, EVS_COUNT(names));
    ck_assert_uint_eq(sink->schema.count, EVS_COUNT(names));
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        ck_assert_str_eq(evs_plan_schema(node, 1)->fields[i].name, names[i]);
        ck_assert_str_eq(sink->schema.fields[i].name, names[i]);
    }
    ck_assert_int_eq(sink->schema.fields[7].type->kind, EVS_INT64);
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_dead_letters)
{
    struct attempt attempt =
        compiled("create source a (x string) from live (stream = 'A');"
                 "create source b (x string) from live (stream = 'B') dead letter into other;"
                 "create source c (x string) from live (stream = 'C') on error fail;"
                 "create sink dead to file (path = 'd'); create sink other to bus (subject = 'dead.{_source}');"
                 "set dead_letter = dead; from a; from b; from c;");
    const struct evs_plan_node *a = attempt_node(&attempt, "a"), *b = attempt_node(&attempt, "b");
    const struct evs_plan *plan = attempt.plan;
    ck_assert_str_eq(plan->nodes[a->dead_letter - 1].name, "dead");
    ck_assert_str_eq(plan->nodes[b->dead_letter - 1].name, "other");
    ck_assert_str_eq(plan->nodes[attempt_node(&attempt, "c")->dead_letter - 1].name,
                     "dead"); /* the default holds, though it fails */
    const struct evs_plan_node *dead = attempt_node(&attempt, "dead");
    ck_assert(dead->sink->is_dead_letter);
    ck_assert_uint_eq(dead->schema.count, EVS_DEAD_COLUMNS);
    ck_assert_ptr_nonnull(attempt_node(&attempt, "other")->sink->address);
    char shape[4096];
    ck_assert_ptr_nonnull(strstr(attempt_shape(&attempt, shape, sizeof shape), "raw)<a:1,c:1\ndead("));
    ck_assert_ptr_nonnull(strstr(shape, "raw)<b:1\n")); /* a sink that is not single needs no gather */
    attempt_end(&attempt);
}
END_TEST

/* --- windows ---------------------------------------------------------------------------------------------------------------------- */

static const struct evs_aggregate_config *window_of(struct attempt *attempt, const char *window)
{
    char text[1024];
    snprintf(text, sizeof text, "%sfrom clicks |> aggregate count(*) as n group by %s;", CLICKS, window);
    *attempt = compiled(text);
    return attempt_aggregate(attempt)->config;
}

START_TEST(test_windows)
{
    static const struct {
        const char *window;
        int64_t size_s, offset_s;
    } cases[] = {
        {"tumble(interval 1 minute)", 60, 0},
        {"tumble(at_time, interval 90 second, offset => interval 10 second)", 90, 10},
        {"tumble(interval 1 minute, offset => interval -10 second)", 60, 50},
        {"tumble(interval 1 minute, offset => interval 130 second)", 60, 10},
        {"tumble(interval 1 day)", 86400, 0},
        {"tumble(interval 7 day)", 7 * 86400, 0},
        {"tumble(interval 1 week)", 7 * 86400, 4 * 86400}, /* from Monday: 1970-01-05 */
        {"tumble(interval 2 week)", 14 * 86400, 4 * 86400},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        struct attempt attempt;
        const struct evs_aggregate_config *config = window_of(&attempt, cases[i].window);
        ck_assert_int_eq(config->window.kind, EVS_WINDOW_TUMBLE);
        ck_assert_int_eq(config->window.size_us, cases[i].size_s * 1000000);
        ck_assert_int_eq(config->window.offset_us, cases[i].offset_s * 1000000);
        attempt_end(&attempt);
    }
}
END_TEST

START_TEST(test_groups_and_items)
{
    struct attempt attempt =
        compiled(CLICKS "from clicks |> aggregate sum(price) / count(*) as mean, count(*) as n, count(*) + 1 as m "
                        "group by sku, " MINUTE ", user_id;");
    const struct evs_aggregate_config *config = attempt_aggregate(&attempt)->config;
    ck_assert_uint_eq(config->call_count, 2); /* count(*) is computed once */
    ck_assert_uint_eq(config->key_count, 2);
    static const int what[] = {EVS_ITEM_KEY, EVS_ITEM_WINDOW_START, EVS_ITEM_WINDOW_END,
                               EVS_ITEM_KEY, EVS_ITEM_CALL,         EVS_ITEM_CALL};
    ck_assert_uint_eq(config->item_count, EVS_COUNT(what));
    for (size_t i = 0; i < EVS_COUNT(what); i++) {
        ck_assert_int_eq(config->items[i].what, what[i]);
    }
    const struct evs_schema *schema = &attempt_node(&attempt, "stdout")->schema;
    static const char *const names[] = {"sku", "window_start", "window_end", "user_id", "mean", "n", "m"};
    ck_assert_uint_eq(schema->count, EVS_COUNT(names));
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        ck_assert_str_eq(schema->fields[i].name, names[i]);
    }
    attempt_end(&attempt);
    attempt = compiled(CLICKS "from clicks |> aggregate count(*) as n;"); /* one group: all rows to one worker */
    char shape[2048];
    ck_assert_ptr_nonnull(strstr(attempt_shape(&attempt, shape, sizeof shape), "gather_1("));
    attempt_end(&attempt);
}
END_TEST

/* --- identity ---------------------------------------------------------------------------------------------------------------------- */

#define BASE "from clicks |> where type = 'a' |> aggregate count(*) as n group by user_id, " MINUTE ";"

static struct evs_plan_node identity_of(const char *text, uint64_t *plan_hash)
{
    struct attempt attempt = compiled(text);
    struct evs_plan_node found = *attempt_aggregate(&attempt);
    *plan_hash = attempt.plan->hash;
    static char name[128];
    snprintf(name, sizeof name, "%s", found.name);
    found.name = name;
    attempt_end(&attempt);
    return found;
}

START_TEST(test_identity_is_stable)
{
    uint64_t hash, other_hash;
    const uint64_t identity = identity_of(CLICKS BASE, &hash).state_identity;
    char name[128];
    snprintf(name, sizeof name, "%s", identity_of(CLICKS BASE, &hash).name);
    static const char *const same[] = {
        /* another layout, another alias, a comment, another order of declarations */
        CLICKS
        "-- a comment\nfrom clicks |> where type = 'a'\n|> aggregate count(*) as number group by user_id, " MINUTE ";",
        BASE CLICKS,
        /* something else beside it */
        CLICKS BASE "from clicks |> select sku, price;",
        /* the column under another name on its way */
        CLICKS "from clicks |> where type = 'a' |> rename user_id as u |> aggregate count(*) as n group by u as "
               "user_id, " MINUTE ";",
        /* what follows */
        CLICKS "from clicks |> where type = 'a' |> aggregate count(*) as n group by user_id, " MINUTE
               " |> where n > 3;",
    };
    for (size_t i = 0; i < EVS_COUNT(same); i++) {
        struct evs_plan_node node = identity_of(same[i], &other_hash);
        ck_assert_msg(node.state_identity == identity, "case %zu", i);
        ck_assert_uint_eq(other_hash, hash);
    }
}
END_TEST

START_TEST(test_identity_changes_with_the_meaning)
{
    uint64_t hash, other_hash;
    const uint64_t identity = identity_of(CLICKS BASE, &hash).state_identity;
    static const char *const different[] = {
        CLICKS "from clicks |> where type = 'b' |> aggregate count(*) as n group by user_id, " MINUTE ";",
        CLICKS "from clicks |> aggregate count(*) as n group by user_id, " MINUTE ";",
        CLICKS "from clicks |> where type = 'a' |> aggregate count(*) as n group by sku, " MINUTE ";",
        CLICKS
        "from clicks |> where type = 'a' |> aggregate count(*) as n group by user_id, tumble(interval 2 minute);",
        CLICKS "from clicks |> where type = 'a' |> aggregate count(price) as n group by user_id, " MINUTE ";",
        CLICKS "from clicks |> where type = 'a' |> set user_id = upper(user_id) |> aggregate count(*) as n group by "
               "user_id, " MINUTE ";",
        CLICKS "from clicks |> where type = 'a' |> aggregate count(*) as n group by user_id;",
        CLICKS
        "from clicks |> where type = 'a' |> aggregate count(price where price > 1) as n group by user_id, " MINUTE ";",
        CLICKS
        "from clicks |> where type = 'a' |> aggregate count(price where price > 2) as n group by user_id, " MINUTE ";",
        CLICKS
        "from clicks |> where type = 'a' |> extend price * 2 as p |> aggregate sum(p) as n group by user_id, " MINUTE
        ";",
        CLICKS
        "from clicks |> where type = 'a' |> extend price * 3 as p |> aggregate sum(p) as n group by user_id, " MINUTE
        ";",
        /* stored results are read in their order, so what is kept of them counts as well */
        CLICKS "from clicks |> where type = 'a' |> aggregate count(*) as n, max(sku) as m group by user_id, " MINUTE
               ";",
        CLICKS "from clicks |> where type = 'a' |> aggregate max(sku) as m, count(*) as n group by user_id, " MINUTE
               ";",
    };
    uint64_t identities[EVS_COUNT(different)];
    for (size_t i = 0; i < EVS_COUNT(different); i++) {
        identities[i] = identity_of(different[i], &other_hash).state_identity;
        ck_assert_msg(identities[i] != identity, "case %zu", i);
        ck_assert_uint_ne(other_hash, hash);
        for (size_t k = 0; k < i; k++) {
            ck_assert_msg(identities[i] != identities[k], "cases %zu and %zu", k, i);
        }
    }
}
END_TEST

START_TEST(test_names)
{
    uint64_t hash;
    struct evs_plan_node node =
        identity_of(CLICKS "from clicks |> aggregate as totals count(*) as n group by user_id, " MINUTE ";", &hash);
    ck_assert_str_eq(node.name, "totals");
    uint64_t identity = node.state_identity;
    /* with a name the state goes on though other rows come … */
    node = identity_of(
        CLICKS "from clicks |> where sku = 'a' |> aggregate as totals count(*) as n group by user_id, " MINUTE ";",
        &hash);
    ck_assert_uint_eq(node.state_identity, identity);
    /* … but not when it would mean something else */
    node = identity_of(CLICKS "from clicks |> aggregate as totals count(*) as n group by sku, " MINUTE ";", &hash);
    ck_assert_uint_ne(node.state_identity, identity);
    node = identity_of(
        CLICKS "from clicks |> aggregate as totals count(*) as n, sum(price) as s group by user_id, " MINUTE ";",
        &hash);
    ck_assert_uint_ne(node.state_identity, identity);

    /* the name of an aggregate does not depend on others of the same kind and keys */
    char alone[128];
    snprintf(alone, sizeof alone, "%s", identity_of(CLICKS BASE, &hash).name);
    struct attempt attempt =
        compiled(CLICKS "from clicks |> aggregate count(*) as n group by user_id, " MINUTE ";" BASE BASE);
    ck_assert_ptr_nonnull(attempt_node(&attempt, alone));
    char twice[160];
    snprintf(twice, sizeof twice, "%s_2", alone);
    ck_assert_ptr_nonnull(attempt_node(&attempt, twice)); /* the very same thing twice */
    attempt_end(&attempt);
}
END_TEST

/* --- delivery ------------------------------------------------------------------------------------------------------------------------ */

static void expect_delivery(const char *text, bool stable, bool exact)
{
    struct attempt attempt = compiled(text);
    const struct evs_plan_node *node = attempt_node(&attempt, "out");
    ck_assert_msg(node->replay_stable == stable, "stable for\n%s", text);
    ck_assert_msg(node->sink->exact == exact, "exact for\n%s", text);
    ck_assert_int_eq(node->unstable_because == NULL, stable);
    attempt_end(&attempt);
}

START_TEST(test_delivery)
{
#define CHANGES "|> aggregate count(*) as n group by user_id retain interval 1 day |> insert into out;"
#define CLOSES "|> aggregate count(*) as n group by user_id, " MINUTE " |> insert into out;"
    expect_delivery(LIVE(4) OUT "from live |> where price > 1 |> insert into out;", true, false);
    expect_delivery(LIVE(4) OUT "from live " CLOSES, true, false);
    expect_delivery(LIVE(4) OUT "from live " CHANGES, false, true); /* partitions interleave */
    expect_delivery(LIVE(1) OUT "from live " CHANGES, true, false); /* one partition has one order */
    expect_delivery(LIVE(1) OUT "from live |> union all (from live) " CHANGES, false, true);
    expect_delivery(LIVE(1) OUT "from live |> aggregate max(price) as p group by user_id, " MINUTE CHANGES, false,
                    true);
    expect_delivery(LIVE(4) OUT "set delivery = 'exact'; from live " CLOSES, true, true);
    expect_delivery(LIVE(4) OUT "set delivery = 'fast'; from live " CHANGES, false, false);
    expect_delivery(
        LIVE(4) "create sink out to bus (subject = 'a', delivery = 'exact'); set delivery = 'fast'; from live " CLOSES,
        true, true);
    expect_delivery(LIVE(4) "create sink out to log (key = 'a'); set delivery = 'fast'; from live " CLOSES, true, true);
    expect_delivery(LIVE(4) "create sink out to file (path = 'a'); from live " CHANGES, false,
                    false); /* its position is in the commit */
#undef CHANGES
#undef CLOSES
}
END_TEST

START_TEST(test_operator_paths_tell_sinks_apart)
{
    struct attempt attempt = compiled(
        LIVE(1) "create sink one to bus (subject = 'a'); create sink two to bus (subject = 'a');"
                "from live |> insert into one;"
                "from live |> aggregate as totals count(*) as n group by user_id, " MINUTE " |> insert into two;");
    ck_assert_str_eq(attempt_node(&attempt, "one")->sink->operator_path, "live");
    ck_assert_str_eq(attempt_node(&attempt, "two")->sink->operator_path, "totals<live");
    attempt_end(&attempt);
}
END_TEST

START_TEST(test_secrets_are_not_shown)
{
    struct attempt attempt = compiled(LIVE(2) "from live;");
    struct evs_buffer text = {0};
    evs_explain_text(attempt.plan, &text);
    evs_explain_json(attempt.plan, &text);
    evs_buffer_put(&text, "", 1);
    ck_assert_ptr_null(strstr(text.data, "hush"));
    ck_assert_ptr_nonnull(strstr(text.data, "stream = 'S', partitions = 2, password = …"));
    evs_buffer_fini(&text);
    attempt_end(&attempt);
}
END_TEST

/* Everything in topological order, every edge between nodes that exist, every schema as wide as the next one expects. */
START_TEST(test_plans_are_well_formed)
{
    struct attempt attempt = compiled(
        CLICKS LIVE(2) OUT
        "create sink late to file (path = 'l'); create sink dead to file (path = 'd'); set dead_letter = dead;"
        "create stream s as from clicks |> select user_id, price, at_time |> union all (from live |> select *);"
        "from s |> extend price * 2 as p |> aggregate sum(p) as s group by user_id, " MINUTE
        " late into late |> where s > 1 "
        "|> tee (|> select user_id |> insert into out) |> aggregate count(*) as n group by tumble(interval 1 hour);");
    const struct evs_plan *plan = attempt.plan;
    ck_assert_uint_gt(plan->edge_count, 10);
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &plan->edges[i];
        ck_assert_uint_lt(edge->from, edge->to);
        ck_assert_uint_lt(edge->to, plan->node_count);
        const struct evs_plan_node *from = &plan->nodes[edge->from], *to = &plan->nodes[edge->to];
        ck_assert_uint_lt(edge->output, from->output_count);
        const struct evs_schema *schema = evs_plan_schema(from, edge->output);
        if (to->kind == EVS_NODE_SINK || to->kind == EVS_NODE_EXCHANGE) {
            ck_assert_uint_eq(schema->count, to->schema.count);
        }
        for (uint32_t c = 0; to->kind == EVS_NODE_SINK && c < schema->count; c++) {
            ck_assert_str_eq(schema->fields[c].name, to->schema.fields[c].name);
            ck_assert(evs_type_equal(schema->fields[c].type, to->schema.fields[c].type));
        }
        if (to->operator_ != NULL && to->operator_ == &evs_op_project) {
            const struct evs_project_config *config = to->config;
            for (uint32_t c = 0; c < config->item_count; c++) {
                ck_assert_uint_lt(config->items[c].index,
                                  config->items[c].is_copy ? schema->count : config->program_outputs);
            }
        }
    }
    for (uint32_t i = 0; i < plan->node_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            ck_assert_str_ne(plan->nodes[i].name, plan->nodes[k].name);
        }
    }
    attempt_end(&attempt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("planner");
    TCase *columns = tcase_create("columns");
    tcase_add_test(columns, test_only_used_columns_are_decoded);
    tcase_add_test(columns, test_system_columns_come_last);
    tcase_add_test(columns, test_row_operators_become_one_projection);
    tcase_add_test(columns, test_filters_go_in_front_of_projections);
    tcase_add_test(columns, test_an_exchange_carries_what_is_needed);
    tcase_add_test(columns, test_calls_of_update_streams_stay);
    tcase_add_test(columns, test_large_expressions_are_computed_once);
    suite_add_tcase(suite, columns);
    TCase *graph = tcase_create("graph");
    tcase_add_test(graph, test_watermarks);
    tcase_add_test(graph, test_options_of_live_sources);
    tcase_add_test(graph, test_a_stream_is_planned_once);
    tcase_add_test(graph, test_tee_goes_on);
    tcase_add_test(graph, test_branches_of_a_union_have_numbers);
    tcase_add_test(graph, test_union_brings_columns_together);
    tcase_add_test(graph, test_late_rows);
    tcase_add_test(graph, test_dead_letters);
    tcase_add_test(graph, test_windows);
    tcase_add_test(graph, test_groups_and_items);
    tcase_add_test(graph, test_plans_are_well_formed);
    suite_add_tcase(suite, graph);
    TCase *identity = tcase_create("identity and delivery");
    tcase_add_test(identity, test_identity_is_stable);
    tcase_add_test(identity, test_identity_changes_with_the_meaning);
    tcase_add_test(identity, test_names);
    tcase_add_test(identity, test_delivery);
    tcase_add_test(identity, test_operator_paths_tell_sinks_apart);
    tcase_add_test(identity, test_secrets_are_not_shown);
    suite_add_tcase(suite, identity);
    return unit_run(suite);
}
