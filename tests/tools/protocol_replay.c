/* Sends recorded requests through the collector's translation, without a server: what tests/captures/run compares with its goldens.
 *
 *   evs_protocol_replay [--schema FILE] [KEY=SOURCE…]      FILE: a JSON Schema that every event must fit
 *
 * Standard input holds requests, one after another:
 *   METHOD TARGET RECEIVED_US BODY_BYTES        a line
 *   name: value                                 a line a header, names in small letters
 *                                               an empty line
 *   the body, inflated, exactly BODY_BYTES long
 * Standard output has for each, a line a piece:  answer STATUS TYPE · header NAME: VALUE · file NAME · body TEXT ·
 * event PARTITION JSON · misfit WHERE: WHAT · bad JSON · end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol.h"
#include "schema_validator.h"

#define LINE_MAX_BYTES (1u << 20)
#define HEADERS_MAX 64
#define KEYS_MAX 32

struct headers {
    char *names[HEADERS_MAX], *values[HEADERS_MAX];
    uint32_t count;
};

static struct evs_slice header(void *context, const char *name)
{
    const struct headers *headers = context;
    for (uint32_t i = 0; i < headers->count; i++) {
        if (strcmp(headers->names[i], name) == 0) {
            return evs_slice_of(headers->values[i]);
        }
    }
    return (struct evs_slice){NULL, 0};
}

_Noreturn static void die(const char *why)
{
    fprintf(stderr, "evs_protocol_replay: %s\n", why);
    exit(2);
}

/* The next line without its newline; NULL at the end. */
static char *next_line(struct evs_arena *arena)
{
    static char line[LINE_MAX_BYTES];
    if (fgets(line, sizeof line, stdin) == NULL) {
        return NULL;
    }
    size_t count = strcspn(line, "\n");
    return evs_arena_strndup(arena, line, count);
}

static void read_headers(struct evs_arena *arena, struct headers *headers)
{
    char *line;
    headers->count = 0;
    while ((line = next_line(arena)) != NULL && *line != 0) {
        char *colon = strstr(line, ": ");
        if (colon == NULL || headers->count == HEADERS_MAX) {
            die("a header is no `name: value`, or there are too many");
        }
        *colon = 0;
        headers->names[headers->count] = line;
        headers->values[headers->count++] = colon + 2;
    }
}

/* False at the end of the input. */
static bool read_request(struct evs_arena *arena, struct headers *headers, struct evs_request *request)
{
    char *line = next_line(arena), *rest = NULL;
    if (line == NULL) {
        return false;
    }
    char *method = strtok_r(line, " ", &rest), *target = strtok_r(NULL, " ", &rest);
    char *received = strtok_r(NULL, " ", &rest), *bytes = strtok_r(NULL, " ", &rest);
    if (bytes == NULL) {
        die("a request begins with METHOD TARGET RECEIVED_US BODY_BYTES");
    }
    char *query = strchr(target, '?');
    size_t count = strtoull(bytes, NULL, 10);
    char *body = evs_arena_alloc(arena, count + 1, 1);
    *request = (struct evs_request){.method = evs_slice_of(method),
                                    .header = header,
                                    .header_context = headers,
                                    .remote_address = EVS_SLICE("198.51.100.23"),
                                    .received_us = strtoll(received, NULL, 10),
                                    .random = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    request->path = (struct evs_slice){target, query == NULL ? strlen(target) : (size_t)(query - target)};
    request->query = query == NULL ? (struct evs_slice){NULL, 0} : evs_slice_of(query + 1);
    read_headers(arena, headers);
    if (fread(body, 1, count, stdin) != count) {
        die("a body is shorter than it says");
    }
    request->body = (struct evs_slice){body, count};
    return true;
}

static void print_text(const char *name, struct evs_slice text)
{
    bool is_text = evs_utf8_valid(text.data, text.count) && memchr(text.data, 0, text.count) == NULL;
    printf("%s ", name);
    if (is_text) {
        fwrite(text.data, 1, text.count, stdout);
    } else {
        printf("<%zu bytes>", text.count);
    }
    putchar('\n');
}

static void print_misfit(void *context, const char *where, const char *what)
{
    (void)context;
    printf("misfit %s: %s\n", where, what);
}

/* NULL where the build has no JSON Schema: then nothing is held against it. */
static struct evs_schema_validator *read_schema(const char *path)
{
    static char text[64 << 10];
    char mistake[EVS_SCHEMA_MISTAKE_BYTES];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        die("the schema cannot be read");
    }
    size_t count = fread(text, 1, sizeof text, file);
    fclose(file);
    return evs_schema_validator_new((struct evs_schema_text){text, count}, mistake);
}

static void print_translation(const struct evs_translation *out, const struct evs_schema_validator *schema)
{
    printf("answer %u %s\n", out->answer.status, out->answer.content_type);
    for (uint32_t i = 0; i < out->answer.header_count; i++) {
        printf("header %s: %s\n", out->answer.headers[i].name, out->answer.headers[i].value);
    }
    if (out->answer.file != NULL) {
        printf("file %s\n", out->answer.file);
    } else if (out->answer.body.count > 0) {
        print_text("body", out->answer.body);
    }
    for (uint32_t i = 0; i < out->event_count; i++) {
        printf("event %u ", out->events[i].partition);
        fwrite(out->events[i].json.data, 1, out->events[i].json.count, stdout);
        putchar('\n');
        if (schema != NULL) {
            evs_schema_validator_check(schema,
                                       (struct evs_schema_text){out->events[i].json.data, out->events[i].json.count},
                                       print_misfit, NULL);
        }
    }
    for (uint32_t i = 0; i < out->bad_row_count; i++) {
        print_text("bad", out->bad_rows[i].json);
    }
    puts("end");
}

int main(int argc, char **argv)
{
    struct evs_source_key keys[KEYS_MAX];
    struct evs_protocol_config config = {.partitions = 16, .keys = keys, .ecommerce_names = true};
    struct evs_protocol *protocol = NULL;
    struct evs_error error = {0};
    struct evs_arena arena = {0};
    struct headers headers;
    struct evs_request request;
    struct evs_schema_validator *schema = NULL;
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--schema") == 0) {
        schema = read_schema(argv[2]);
        first = 3;
    }
    for (int i = first; i < argc && config.key_count < KEYS_MAX; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL) {
            die("a key is KEY=SOURCE");
        }
        *equals = 0;
        keys[config.key_count++] = (struct evs_source_key){argv[i], equals + 1};
    }
    if (evs_protocol_new(&config, &protocol, &error) != EVS_OK) {
        die(error.text);
    }
    while (read_request(&arena, &headers, &request)) {
        struct evs_translation out;
        evs_protocol_translate(protocol, &request, &arena, &out);
        print_translation(&out, schema);
        evs_arena_reset(&arena);
    }
    evs_schema_validator_free(schema);
    evs_protocol_free(protocol);
    evs_arena_fini(&arena);
    return 0;
}
