/* Random requests: nothing crashes, nothing is lost or made up, and a tree of JSON comes out as it went in. */
#include "json_reader.h"
#include "protocol_case.h"
#include "schema_validator.h"

/* --- random JSON -------------------------------------------------------------------------------------------------------- */

static const char *const texts[] = {"\"\"",
                                    "\"a\"",
                                    "\"2026-11-23T04:37:01Z\"",
                                    "\"K\\u00e4se\"",
                                    "\"\\ud83d\"",
                                    "\"?a=b&token=c\"",
                                    "\"x y\\n\\\"\"",
                                    "\"track\"",
                                    "\"page\"",
                                    "\"Order Completed\"",
                                    "\"203.0.113.9\"",
                                    "\"granted\""};
static const char *const scalars[] = {"null",         "true", "false", "0", "-1.50", "1e400", "12345678901234567890",
                                      "1795408621000"};
static const char *const names[] = {"type",      "event",      "userId",  "anonymousId", "messageId", "timestamp",
                                    "sentAt",    "properties", "context", "traits",      "consent",   "ip",
                                    "userAgent", "sessionId",  "page",    "n\\u0061me",  "",          "channel"};

static void put_value(struct evs_buffer *out, uint64_t *state, uint32_t depth)
{
    uint64_t kind = unit_random(state) % (depth == 0 ? 8 : 12);
    if (kind < 4) {
        evs_buffer_puts(out, texts[unit_random(state) % EVS_COUNT(texts)]);
    } else if (kind < 8) {
        evs_buffer_puts(out, scalars[unit_random(state) % EVS_COUNT(scalars)]);
    } else {
        bool is_object = kind >= 9;
        evs_buffer_puts(out, is_object ? "{" : "[");
        for (uint64_t i = unit_random(state) % 5; i > 0; i--) {
            if (is_object) {
                evs_buffer_printf(out, "\"%s\" :", names[unit_random(state) % EVS_COUNT(names)]);
            }
            put_value(out, state, depth - 1);
            evs_buffer_puts(out, i > 1 ? "\n, " : "");
        }
        evs_buffer_puts(out, is_object ? "}" : "]");
    }
}

static void put_event(struct evs_buffer *out, uint64_t *state)
{
    if (unit_random(state) % 8 == 0) {
        put_value(out, state, 2);
        return;
    }
    evs_buffer_puts(out, "{\"type\":\"track\",\"event\":\"Product Added\"");
    for (uint64_t i = unit_random(state) % 8; i > 0; i--) {
        evs_buffer_printf(out, ",\"%s\":", names[2 + unit_random(state) % (EVS_COUNT(names) - 2)]);
        put_value(out, state, 3);
    }
    evs_buffer_puts(out, "}");
}

static uint32_t accounted(const struct protocol_case *one)
{
    const struct evs_translation *out = &one->out;
    return out->event_count + out->bad_row_count + out->dropped[EVS_DROPPED_PRIVACY] + out->dropped[EVS_DROPPED_BOT];
}

START_TEST(events_in_are_events_out_and_bad_rows)
{
    uint64_t state = 6;
    struct protocol_case one;
    struct evs_buffer body = {0};
    uint32_t good = 0, bad = 0;
    case_init(&one);
    one.config.consent_denied = EVS_WISH_DROP;
    one.config.bots = EVS_BOT_DROP;
    case_open(&one);
    for (uint32_t round = 0; round < unit_cases(4000); round++) {
        uint32_t count = (uint32_t)(unit_random(&state) % 6);
        body.count = 0;
        evs_buffer_puts(&body, "{\"writeKey\":\"KEY\",\"batch\":[");
        for (uint32_t i = 0; i < count; i++) {
            evs_buffer_puts(&body, i > 0 ? "," : "");
            put_event(&body, &state);
        }
        evs_buffer_puts(&body, "]}");
        case_send_bytes(&one, "POST", "/v1/batch", body.data, body.count);
        ck_assert_uint_eq(one.out.answer.status, 200);
        ck_assert_uint_eq(accounted(&one), count);
        good += one.out.event_count;
        bad += one.out.bad_row_count;
    }
    ck_assert_uint_gt(good, 100); /* both are really met */
    ck_assert_uint_gt(bad, 100);
    evs_buffer_fini(&body);
    case_fini(&one);
}
END_TEST

/* --- broken requests -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *method, *target, *body;
} seeds[] = {
    {"POST", "/v1/batch",
     "{\"writeKey\":\"KEY\",\"batch\":[{\"type\":\"track\",\"event\":\"E\",\"properties\":{\"a\":[1,{}]}}]}"},
    {"POST", "/v1/events", "{\"write_key\":\"KEY\",\"type\":\"a\"}\n{\"type\":\"b\",\"x\":\"\\u00e4\"}"},
    {"POST", "/a/b",
     "{\"data\":[{\"e\":\"ue\",\"aid\":\"KEY\",\"ue_pr\":\"{\\\"schema\\\":\\\"iglu:a/b/c/"
     "1-0-0\\\",\\\"data\\\":{}}\"}]}"},
    {"POST", "/e/", "data=eyJhcGlfa2V5IjoiS0VZIiwiZXZlbnQiOiJ4In0="},
    {"POST", "/batch/",
     "{\"api_key\":\"KEY\",\"batch\":[{\"event\":\"$pageview\",\"properties\":{\"$current_url\":\"https://a/?b\"}}]}"},
    {"POST", "/api/event", "{\"n\":\"pageview\",\"d\":\"KEY\",\"u\":\"https://a/\"}"},
    {"POST", "/matomo.php", "{\"requests\":[\"?idsite=KEY&url=%41&e_a=b\"]}"},
};

START_TEST(damaged_bodies_are_answered)
{
    uint64_t state = 7;
    struct protocol_case one;
    uint32_t statuses[3] = {0};
    case_init(&one);
    for (uint32_t round = 0; round < unit_cases(60000); round++) {
        size_t seed = round % EVS_COUNT(seeds), count = strlen(seeds[seed].body);
        char body[512];
        memcpy(body, seeds[seed].body, count);
        for (uint64_t damage = unit_random(&state) % 4; damage > 0 && count > 0; damage--) {
            size_t at = unit_random(&state) % count;
            switch (unit_random(&state) % 3) {
            case 0:
                body[at] = (char)unit_random(&state);
                break;
            case 1:
                memmove(body + at, body + at + 1, count - at - 1);
                count--;
                break;
            default:
                count = at;
            }
        }
        case_send_bytes(&one, seeds[seed].method, seeds[seed].target, body, count);
        uint32_t status = one.out.answer.status;
        UNIT_CHECK(status == 200 || status == 400 || status == 401, "status %u", status);
        statuses[status == 200 ? 0 : status - 399]++;
    }
    ck_assert_uint_gt(statuses[0], 100);
    ck_assert_uint_gt(statuses[1], 100);
    ck_assert_uint_gt(statuses[2], 100);
    case_fini(&one);
}
END_TEST

/* --- the tree ----------------------------------------------------------------------------------------------------------------- */

static struct evs_tree *read(struct protocol_case *one, const struct evs_buffer *text)
{
    const char *mistake = NULL;
    char *copy = evs_arena_alloc(&one->arena, text->count + EVS_TREE_PADDING, 1);
    memcpy(copy, text->data, text->count);
    memset(copy + text->count, ' ', EVS_TREE_PADDING);
    struct evs_tree *tree = evs_tree_read(one->reader, &one->arena, copy, text->count, &mistake);
    UNIT_CHECK(tree != NULL, "%s: %.*s", mistake, (int)text->count, text->data);
    return tree;
}

static bool same(const struct evs_tree *a, const struct evs_tree *b)
{
    bool is_container = a->kind == EVS_TREE_OBJECT || a->kind == EVS_TREE_ARRAY;
    if (a->kind != b->kind || a->depth != b->depth || !evs_slice_equal(a->key, b->key) ||
        (!is_container && !evs_slice_equal(a->text, b->text))) {
        return false;
    }
    const struct evs_tree *left = a->first, *right = b->first;
    for (; left != NULL && right != NULL && same(left, right); left = left->next) {
        right = right->next;
    }
    return left == NULL && right == NULL;
}

START_TEST(a_tree_is_written_as_it_was_read)
{
    static const struct evs_strip none = {NULL, 0};
    uint64_t state = 8;
    struct protocol_case one;
    struct evs_buffer text = {0}, written = {0}, again = {0};
    case_init(&one);
    for (uint32_t round = 0; round < unit_cases(20000); round++) {
        text.count = written.count = again.count = 0;
        evs_arena_reset(&one.arena);
        put_value(&text, &state, 5);
        struct evs_tree *tree = read(&one, &text);
        evs_tree_write(&written, tree, &none);
        struct evs_tree *second = read(&one, &written);
        UNIT_CHECK(same(tree, second), "%.*s", (int)text.count, text.data);
        evs_tree_write(&again, second, &none);
        UNIT_CHECK(again.count == written.count && memcmp(again.data, written.data, again.count) == 0, "%.*s",
                   (int)written.count, written.data);
    }
    evs_buffer_fini(&text);
    evs_buffer_fini(&written);
    evs_buffer_fini(&again);
    case_fini(&one);
}
END_TEST

/* --- the canonical form ------------------------------------------------------------------------------------------------------- */

static void refuse(void *context, const char *where, const char *what)
{
    ck_abort_msg("%s: %s: %s", (const char *)context, where, what);
}

static struct evs_schema_validator *event_schema(void)
{
    static char text[64 << 10];
    char mistake[EVS_SCHEMA_MISTAKE_BYTES] = "";
    FILE *file = fopen("docs/event.schema.json", "r");
    ck_assert_ptr_nonnull(file);
    size_t count = fread(text, 1, sizeof text, file);
    fclose(file);
    struct evs_schema_validator *validator = evs_schema_validator_new((struct evs_schema_text){text, count}, mistake);
    ck_assert_msg(validator != NULL || strstr(mistake, "libvalijson") != NULL, "%s", mistake);
    return validator;
}

/* Every event fits docs/event.schema.json, and is taken by the plain door as what it is. */
START_TEST(a_canonical_event_is_taken_back)
{
    static const char *const kept[] = {"event_id",     "type",       "occurred_at", "user_id",
                                       "anonymous_id", "session_id", "properties"};
    uint64_t state = 9;
    struct protocol_case one;
    struct evs_buffer body = {0};
    struct evs_schema_validator *validator = event_schema();
    case_init(&one);
    one.config.default_source = "web";
    case_open(&one);
    for (uint32_t round = 0; round < unit_cases(3000); round++) {
        body.count = 0;
        put_event(&body, &state);
        case_send_bytes(&one, "POST", "/v1/track", body.data, body.count);
        if (one.out.event_count == 0) {
            continue;
        }
        struct evs_slice json = one.out.events[0].json;
        char *line = evs_strndup(json.data, json.count), *before[EVS_COUNT(kept)];
        if (validator != NULL && strstr(line, "1e400") == NULL) { /* that JSON library has doubles only */
            evs_schema_validator_check(validator, (struct evs_schema_text){json.data, json.count}, refuse, line);
        }
        for (size_t i = 0; i < EVS_COUNT(kept); i++) {
            before[i] = evs_strdup(case_event(&one, 0, kept[i]));
        }
        case_send(&one, "POST", "/v1/events", line);
        UNIT_CHECK(one.out.event_count == 1, "%s: %.*s", line, (int)one.out.answer.body.count,
                   one.out.answer.body.data);
        for (size_t i = 0; i < EVS_COUNT(kept); i++) {
            UNIT_CHECK(strcmp(case_event(&one, 0, kept[i]), before[i]) == 0, "%s: %s", kept[i], line);
            evs_free(before[i]);
        }
        evs_free(line);
    }
    evs_schema_validator_free(validator);
    evs_buffer_fini(&body);
    case_fini(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol_random");
    TCase *tests = tcase_create("random");
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, events_in_are_events_out_and_bad_rows);
    tcase_add_test(tests, damaged_bodies_are_answered);
    tcase_add_test(tests, a_tree_is_written_as_it_was_read);
    tcase_add_test(tests, a_canonical_event_is_taken_back);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
