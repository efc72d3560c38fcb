/* Schemas at the door: which one judges, all reasons, what no schema may ask for, schemas as files. */
#include <sys/stat.h>

#include "protocol_case.h"
#include "schema_folder.h"
#include "schema_validator.h"

static const char cart_1[] = "{\"type\":\"object\",\"required\":[\"sku\",\"price\"],\"properties\":{"
                             "\"sku\":{\"type\":\"string\",\"pattern\":\"^[a-z]+-[0-9]+$\"},"
                             "\"price\":{\"type\":\"number\",\"minimum\":0},"
                             "\"mail\":{\"type\":\"string\",\"format\":\"email\"},"
                             "\"pattern\":{\"type\":\"string\"},"
                             "\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"n\"]}}}}";
static const char cart_2[] = "{\"type\":\"object\",\"required\":[\"currency\"]}";

static bool without_library(void)
{
    char mistake[EVS_SCHEMA_MISTAKE_BYTES];
    struct evs_schema_validator *validator = evs_schema_validator_new((struct evs_schema_text){"{}", 2}, mistake);
    evs_schema_validator_free(validator);
    return validator == NULL;
}

static void open_with_schemas(struct protocol_case *one, bool required)
{
    static const struct evs_event_schema schemas[] = {{"add_to_cart", 2, {cart_2, sizeof cart_2 - 1}},
                                                      {"add_to_cart", 1, {cart_1, sizeof cart_1 - 1}}};
    case_init(one);
    one->config.schemas = schemas;
    one->config.schema_count = 2;
    one->config.schema_required = required;
    case_open(one);
}

static void send(struct protocol_case *one, const char *members)
{
    char *body = NULL;
    ck_assert_int_gt(asprintf(&body, "{\"write_key\":\"KEY\",\"type\":\"add_to_cart\",\"event_id\":\"e\"%s}", members),
                     0);
    case_send(one, "POST", "/v1/events", body);
    free(body);
}

START_TEST(the_highest_version_judges_unless_one_is_said)
{
    struct protocol_case one;
    open_with_schemas(&one, false);
    send(&one, ",\"properties\":{\"currency\":\"EUR\"}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "schema", "add_to_cart/2");
    send(&one, ",\"schema\":\"add_to_cart/1\",\"properties\":{\"sku\":\"a-1\",\"price\":1.5}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "schema", "add_to_cart/1");
    case_send(&one, "POST", "/v1/events",
              "{\"write_key\":\"KEY\",\"type\":\"Product Added\",\"schema\":\"Product Added/2\",\"currency\":\"EUR\"}");
    CASE_EVENT(&one, 0, "schema", "add_to_cart/2");
    send(&one, ",\"schema\":\"add_to_cart/3\"");
    CASE_COUNTS(&one, 200, 0, 1);
    ck_assert_str_eq(case_bad_row(&one, 0, "_reasons.0"), "There is no version 3 of the schema of add_to_cart here.");
    send(&one, ",\"schema\":\"purchase/1\"");
    CASE_COUNTS(&one, 200, 0, 1);
    case_fini(&one);
}
END_TEST

START_TEST(every_reason_is_told)
{
    struct protocol_case one;
    open_with_schemas(&one, false);
    send(&one, ",\"schema\":\"add_to_cart/1\",\"properties\":{\"sku\":\"A1\",\"price\":-1,\"mail\":\"x\",\"pattern\":7,"
               "\"items\":[{\"n\":1},{}]}");
    CASE_COUNTS(&one, 200, 0, 1);
    char all[4096] = "";
    for (uint32_t i = 0; i < one.out.bad_rows[0].reason_count; i++) {
        struct evs_slice reason = one.out.bad_rows[0].reasons[i];
        snprintf(all + strlen(all), sizeof all - strlen(all), "%.*s\n", (int)reason.count, reason.data);
    }
    static const char *const expected[] = {
        "Against the schema add_to_cart/1: properties.sku: the text does not match the pattern ^[a-z]+-[0-9]+$.",
        "properties.price: ", "properties.mail: the text is not of the format email.",
        "properties.pattern: ", "properties.items.1: "};
    for (size_t i = 0; i < EVS_COUNT(expected); i++) {
        ck_assert_msg(strstr(all, expected[i]) != NULL, "%s is not among\n%s", expected[i], all);
    }
    ck_assert_str_ne(case_answer(&one, "rejected.0.reasons.0"), ""); /* the sender is told, too */
    send(&one, "");                                                  /* no properties are none */
    CASE_COUNTS(&one, 200, 0, 1);
    case_fini(&one);
}
END_TEST

START_TEST(a_type_without_a_schema_passes_unless_one_is_required)
{
    struct protocol_case one;
    open_with_schemas(&one, false);
    case_send(&one, "POST", "/v1/events", "{\"write_key\":\"KEY\",\"type\":\"Other One\",\"schema\":\"Other One/4\"}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "schema", "other_one/4"); /* what the sender says, in our writing */
    case_fini(&one);
    open_with_schemas(&one, true);
    case_send(&one, "POST", "/v1/events", "{\"write_key\":\"KEY\",\"type\":\"other\"}");
    CASE_COUNTS(&one, 200, 0, 1);
    case_fini(&one);
}
END_TEST

static void count_report(void *context, const char *where, const char *what)
{
    uint32_t *count = context;
    (void)what;
    ck_assert_str_eq(where, "a");
    ++*count;
}

START_TEST(long_texts_and_patterns_that_backtrack_do_no_harm)
{
    char mistake[EVS_SCHEMA_MISTAKE_BYTES];
    static const char schema[] = "{\"properties\":{\"a\":{\"pattern\":\"^(a+)+$\",\"format\":\"date-time\"}}}";
    struct evs_schema_validator *validator =
        evs_schema_validator_new((struct evs_schema_text){schema, sizeof schema - 1}, mistake);
    ck_assert_ptr_nonnull(validator);
    size_t count = 4u << 20;
    char *text = malloc(count);
    ck_assert_ptr_nonnull(text);
    memset(text, 'a', count);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + count - 3, "b\"}", 3);
    uint32_t reports = 0;
    ck_assert(!evs_schema_validator_check(validator, (struct evs_schema_text){text, count}, count_report, &reports));
    ck_assert_uint_eq(reports, 2);
    free(text);
    evs_schema_validator_free(validator);
}
END_TEST

START_TEST(what_is_no_schema_is_told_at_start)
{
    static const char *const tries[][2] = {
        {"{", "The schema view/1 cannot be used: "},
        {"[]", "a schema is a JSON object"},
        {"{\"properties\":{\"a\":{\"pattern\":\"(\"}}}", "the pattern ( is none"},
        {"{\"items\":[{\"uniqueItems\":true}]}", "uniqueItems is not checked here"},
        {"{\"definitions\":{\"x\":{\"patternProperties\":{}}}}", "patternProperties is not checked here"},
        {"{\"type\":\"nonsense\"}", "The schema view/1 cannot be used: "},
        {"{\"$ref\":\"https://example.com/a.json\"}", "The schema view/1 cannot be used: "},
    };
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        struct evs_event_schema schema = {"view", 1, evs_slice_of(tries[i][0])};
        struct evs_protocol_config config = {.partitions = 1, .schemas = &schema, .schema_count = 1};
        struct evs_protocol *protocol;
        struct evs_error error = {0};
        ck_assert_int_eq(evs_protocol_new(&config, &protocol, &error), EVS_E_USAGE);
        ck_assert_msg(strstr(error.text, tries[i][1]) != NULL, "%zu: %s", i, error.text);
    }
}
END_TEST

START_TEST(configurations_that_make_no_sense_are_refused)
{
    static const struct evs_source_key twice[] = {{"k", "a"}, {"k", "b"}}, bad[] = {{"k", "a.b"}},
                                       empty[] = {{"", "a"}};
    const struct {
        struct evs_protocol_config config;
        const char *text;
    } tries[] = {
        {{.partitions = 0}, "partitions"},
        {{.partitions = 1, .keys = twice, .key_count = 2}, "have the same key"},
        {{.partitions = 1, .keys = bad, .key_count = 1}, "'a.b' cannot be the name of a source"},
        {{.partitions = 1, .keys = empty, .key_count = 1}, "empty key"},
        {{.partitions = 1, .default_source = ""}, "cannot be the name of a source"},
    };
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        struct evs_protocol *protocol;
        struct evs_error error = {0};
        ck_assert_int_eq(evs_protocol_new(&tries[i].config, &protocol, &error), EVS_E_USAGE);
        ck_assert_msg(strstr(error.text, tries[i].text) != NULL, "%zu: %s", i, error.text);
    }
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(a_folder_holds_schemas_by_type_and_version)
{
    char folder[] = "/tmp/evs-schemas-XXXXXX", path[256];
    const struct evs_event_schema *schemas;
    struct evs_arena arena = {0};
    struct evs_error error;
    uint32_t count;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/add_to_cart", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/add_to_cart/1.json", folder);
    write_file(path, cart_1);
    snprintf(path, sizeof path, "%s/add_to_cart/12.json", folder);
    write_file(path, cart_2);
    ck_assert_int_eq(evs_schema_folder_read(folder, &arena, &schemas, &count, &error), EVS_OK);
    ck_assert_uint_eq(count, 2);
    const struct evs_event_schema *first = schemas[0].major == 1 ? &schemas[0] : &schemas[1];
    ck_assert_str_eq(first->type, "add_to_cart");
    ck_assert(evs_slice_equal(first->text, evs_slice_of(cart_1)));
    ck_assert_uint_eq(schemas[0].major + schemas[1].major, 13);
    snprintf(path, sizeof path, "%s/add_to_cart/one.json", folder);
    write_file(path, "{}");
    ck_assert_int_eq(evs_schema_folder_read(folder, &arena, &schemas, &count, &error), EVS_E_USAGE);
    ck_assert_ptr_nonnull(strstr(error.text, "should be called like add_to_cart/1.json"));
    remove(path);
    snprintf(path, sizeof path, "%s/AddToCart", folder);
    mkdir(path, 0700);
    ck_assert_int_eq(evs_schema_folder_read(folder, &arena, &schemas, &count, &error), EVS_E_USAGE);
    ck_assert_ptr_nonnull(strstr(error.text, "as add_to_cart"));
    snprintf(path, sizeof path, "%s/no_such_folder", folder);
    ck_assert_int_eq(evs_schema_folder_read(path, &arena, &schemas, &count, &error), EVS_E_IO);
    evs_arena_fini(&arena);
    unit_remove_folder(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol_schema");
    TCase *tests = tcase_create("schema");
    tcase_add_test(tests, configurations_that_make_no_sense_are_refused);
    tcase_add_test(tests, a_folder_holds_schemas_by_type_and_version);
    if (without_library()) {
        printf("SKIP schemas: this build has no JSON Schema (libvalijson-dev)\n");
    } else {
        tcase_add_test(tests, the_highest_version_judges_unless_one_is_said);
        tcase_add_test(tests, every_reason_is_told);
        tcase_add_test(tests, a_type_without_a_schema_passes_unless_one_is_required);
        tcase_add_test(tests, long_texts_and_patterns_that_backtrack_do_no_harm);
        tcase_add_test(tests, what_is_no_schema_is_told_at_start);
    }
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
