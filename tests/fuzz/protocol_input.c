#include "protocol_input.h"

#include <stdlib.h>

#include "json_access.h"
#include "json_text.h"
#include "protocol.h"

/* Under libFuzzer: a failed assertion ends the process by _exit, past libFuzzer, which would then keep no copy of the input. */
#ifdef __has_feature
#if __has_feature(coverage_sanitizer)
void _exit(int code)
{
    (void)code;
    abort();
}
#endif
#endif

enum { STRICT = 1, COOKIELESS = 2, SMALL = 4, STRIP = 8, OPEN = 16, BROWSER = 32, ANONYMOUS = 64, SECOND = 128 };

#define EVENT_BYTES_SMALL 600u

static struct evs_slice header(void *context, const char *name)
{
    uint8_t flags = *(const uint8_t *)context;
    if ((flags & BROWSER) != 0 && strcmp(name, "user-agent") == 0) {
        return EVS_SLICE("Mozilla/5.0 (X11; Linux x86_64)");
    }
    if ((flags & ANONYMOUS) != 0 && (strcmp(name, "sp-anonymous") == 0 || strcmp(name, "sec-gpc") == 0)) {
        return EVS_SLICE("1");
    }
    if ((flags & SECOND) != 0 && strcmp(name, "content-type") == 0) {
        return EVS_SLICE("application/x-ndjson");
    }
    return strcmp(name, "cookie") == 0 ? EVS_SLICE("sp=abc") : (struct evs_slice){NULL, 0};
}

/* Made once for each configuration: what a protocol keeps between requests is under test, too. */
static struct evs_protocol *protocol_of(uint8_t flags)
{
    static struct evs_protocol *protocols[256];
    if (protocols[flags] != NULL) {
        return protocols[flags];
    }
    static const struct evs_source_key keys[] = {{"K", "web"}, {"5", "five"}};
    static const char *const strip[] = {"token", "e"};
    static const char *const domains[] = {"a.example"};
    struct evs_protocol_config config = {.partitions = 16,
                                         .keys = keys,
                                         .key_count = 2,
                                         .default_source = (flags & OPEN) != 0 ? "open" : NULL,
                                         .ecommerce_names = true,
                                         .redirect_domains = domains,
                                         .redirect_domain_count = 1,
                                         .cookieless = (flags & COOKIELESS) != 0,
                                         .strip_parameters = strip,
                                         .strip_parameter_count = (flags & STRIP) != 0 ? 2 : 0,
                                         .event_bytes_max = (flags & SMALL) != 0 ? EVENT_BYTES_SMALL : 0,
                                         .events_max = (flags & SMALL) != 0 ? 5 : 0};
    if ((flags & STRICT) != 0) {
        config.ip = EVS_IP_DROP;
        config.global_privacy_control = EVS_WISH_ANONYMISE;
        config.consent_denied = EVS_WISH_DROP;
        config.bots = EVS_BOT_DROP;
    }
    struct evs_error error;
    evs_status status = evs_protocol_new(&config, &protocols[flags], &error);
    EVS_ASSERT(status == EVS_OK);
    evs_protocol_set_salt(protocols[flags], 20000, (const uint8_t[EVS_SALT_BYTES]){1});
    return protocols[flags];
}

/* A whole JSON value, as pipelines will read it: numbers of any size are JSON, too. */
static void check_line(struct evs_slice json)
{
    struct evs_json_reader *reader = evs_json_reader_new();
    struct evs_json_index index;
    const char *reason, *expected;
    char *padded = calloc(1, json.count + EVS_JSON_READER_PADDING);
    uint32_t token = 0;
    EVS_ASSERT(reader != NULL && padded != NULL && memchr(json.data, '\n', json.count) == NULL);
    memcpy(padded, json.data, json.count);
    EVS_ASSERT(evs_json_reader_index(reader, padded, json.count, &index) == EVS_JSON_INDEXED);
    struct evs_json_tokens tokens = {padded, index.at, index.count, (uint32_t)json.count};
    EVS_ASSERT(evs_json_check(&tokens, &token, 0, &reason, &expected) && token == index.count);
    free(padded);
    evs_json_reader_free(reader);
}

/* One value at a path of one name. */
static enum evs_json_kind member(struct evs_json_access *reader, struct evs_slice json, const char *name)
{
    struct evs_json_step step = {.name = {name, strlen(name)}};
    struct evs_json_text raw;
    return evs_json_find(reader, (struct evs_json_text){json.data, json.count}, &step, 1, &raw);
}

static void check_event(struct evs_json_access *reader, const struct evs_event *event, uint8_t flags)
{
    check_line(event->json);
    EVS_ASSERT(event->partition < 16 && event->event_id.count > 0 && event->source != NULL);
    EVS_ASSERT(event->json.count <= ((flags & SMALL) != 0 ? EVENT_BYTES_SMALL : 32u << 10));
    EVS_ASSERT(member(reader, event->json, "event_id") == EVS_JSON_STRING);
    EVS_ASSERT(member(reader, event->json, "type") == EVS_JSON_STRING);
    EVS_ASSERT(member(reader, event->json, "occurred_at") == EVS_JSON_STRING);
    EVS_ASSERT(member(reader, event->json, "properties") == EVS_JSON_OBJECT);
    EVS_ASSERT(member(reader, event->json, "context") == EVS_JSON_OBJECT);
}

static void check(struct evs_json_access *reader, const struct evs_translation *out, uint8_t flags)
{
    uint32_t status = out->answer.status;
    EVS_ASSERT(status == 200 || status == 302 || status == 400 || status == 401 || status == 404);
    EVS_ASSERT(status < 400 || (out->event_count == 0 && out->bad_row_count == 0));
    for (uint32_t i = 0; i < out->answer.header_count; i++) {
        EVS_ASSERT(strpbrk(out->answer.headers[i].value, "\r\n") == NULL);
    }
    for (uint32_t i = 0; i < out->event_count; i++) {
        check_event(reader, &out->events[i], flags);
    }
    for (uint32_t i = 0; i < out->bad_row_count; i++) {
        check_line(out->bad_rows[i].json);
        EVS_ASSERT(out->bad_rows[i].reason_count > 0 && out->bad_rows[i].reasons[0].count > 0);
    }
}

static void check_same(const struct evs_translation *a, const struct evs_translation *b)
{
    EVS_ASSERT(a->answer.status == b->answer.status && evs_slice_equal(a->answer.body, b->answer.body));
    EVS_ASSERT(a->event_count == b->event_count && a->bad_row_count == b->bad_row_count);
    for (uint32_t i = 0; i < a->event_count; i++) {
        EVS_ASSERT(evs_slice_equal(a->events[i].json, b->events[i].json));
    }
}

void protocol_input_run(const struct protocol_door *doors, size_t door_count, const uint8_t *data, size_t size)
{
    if (size < 2) {
        return;
    }
    const struct protocol_door *door = &doors[data[0] % door_count];
    uint8_t flags = data[1];
    /* As long as it is: whoever reads behind it is seen. */
    size_t bytes = size - 2;
    char *text = malloc(bytes == 0 ? 1 : bytes);
    EVS_ASSERT(text != NULL);
    memcpy(text, data + 2, bytes);
    bool is_get = door->method[0] == 'G';
    struct evs_slice input = {text, bytes}, none = {NULL, 0};
    struct evs_request request = {.method = evs_slice_of(door->method),
                                  .path = evs_slice_of(door->path),
                                  .query = is_get ? input : none,
                                  .body = is_get ? none : input,
                                  .header = header,
                                  .header_context = &flags,
                                  .remote_address = EVS_SLICE("2001:db8::7"),
                                  .received_us = INT64_C(20000) * 86400 * 1000000 + 17};
    struct evs_protocol *protocol = protocol_of(flags);
    struct evs_json_access *reader = evs_json_access_new();
    struct evs_arena first_arena = {0}, second_arena = {0};
    struct evs_translation first, second;
    EVS_ASSERT(reader != NULL);
    evs_protocol_translate(protocol, &request, &first_arena, &first);
    evs_protocol_translate(protocol, &request, &second_arena, &second);
    free(text);
    check(reader, &first, flags);
    check_same(&first, &second);
    evs_arena_fini(&first_arena);
    evs_arena_fini(&second_arena);
    evs_json_access_free(reader);
}
