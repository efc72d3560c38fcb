/* What comes to the collector before any protocol reads it: heads of requests, gzip bodies; and what it finds on its own disk: records of the
 * spool, a configuration file. The first byte of the input chooses. */
#include <stdlib.h>

#include "config.h"
#include "guard.h"
#include "inflate.h"
#include "spool_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DOOR_INFLATED_MAX (1u << 20)

/* Wherever it is cut, the head ends at the same place. */
static void fuzz_head(const char *bytes, size_t size)
{
    struct evs_guard_head head;
    size_t end = evs_guard_head_end(bytes, size, 0);
    EVS_ASSERT(end <= size);
    for (size_t cut = 1; cut < size; cut = cut * 2 + 1) {
        size_t early = evs_guard_head_end(bytes, cut, 0);
        EVS_ASSERT(early == (end > 0 && end <= cut ? end : 0));
        EVS_ASSERT(early > 0 || evs_guard_head_end(bytes, size, cut) == end);
    }
    evs_guard_parse(bytes, size, &head);
    EVS_ASSERT(head.is_malformed || !(head.is_chunked && head.body_bytes > 0));
    struct evs_slice host = evs_guard_header((struct evs_slice){bytes, size}, "Host");
    EVS_ASSERT(host.count <= size);
}

static void fuzz_gzip(const char *bytes, size_t size)
{
    struct evs_buffer out = {0};
    evs_status status = evs_inflate((struct evs_slice){bytes, size}, DOOR_INFLATED_MAX, &out);
    EVS_ASSERT(status == EVS_OK ? out.count <= DOOR_INFLATED_MAX : out.count <= DOOR_INFLATED_MAX + 1);
    evs_buffer_fini(&out);
}

/* What decodes is what would have been written. */
static void fuzz_spool(const char *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        struct evs_spool_record record;
        size_t count = 0;
        if (evs_spool_decode(bytes + at, size - at, &record, &count) != EVS_OK) {
            at += evs_spool_resync(bytes + at, size - at);
            continue;
        }
        struct evs_buffer again = {0};
        evs_spool_encode(&record, &again);
        EVS_ASSERT(again.count == count && memcmp(again.data, bytes + at, count) == 0);
        evs_buffer_fini(&again);
        at += count;
    }
}

static void fuzz_config(const char *bytes, size_t size)
{
    struct evs_config config;
    struct evs_error error = {0};
    evs_config_init(&config);
    evs_status status = evs_config_parse(&config, "f", (struct evs_slice){bytes, size}, &error);
    status = status == EVS_OK ? evs_config_finish(&config, &error) : status;
    EVS_ASSERT(status == EVS_OK || (status == EVS_E_USAGE && error.text[0] != '\0'));
    evs_config_fini(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parts[])(const char *bytes, size_t size) = {fuzz_head, fuzz_gzip, fuzz_spool, fuzz_config};
    if (size < 1) {
        return 0;
    }
    /* Memory of exactly this size, so that a byte too many is seen. */
    char *bytes = malloc(size);
    memcpy(bytes, data + 1, size - 1);
    bytes = realloc(bytes, size > 1 ? size - 1 : 1);
    parts[data[0] % EVS_COUNT(parts)](bytes, size - 1);
    free(bytes);
    return 0;
}
