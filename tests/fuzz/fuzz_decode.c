/* The JSON decoder on any bytes. The first byte of an input chooses columns, mode and limits; the rest is the payload.
 *
 * Beside the invariants that decode_case.c asserts for every call: the result does not depend on where batches end, and in a file a
 * line gives what it gives alone, whatever its neighbours are. */
#include "../unit/decode_case.h"

/* Under libFuzzer: a failed assertion ends the process by _exit, past libFuzzer, which would then keep no copy of the input. */
#ifdef __has_feature
#if __has_feature(coverage_sanitizer)
#include <stdlib.h>

void _exit(int code)
{
    (void)code;
    abort();
}
#endif
#endif

static const char *const declarations[] = {
    "a int64; b string; p.x float64; p.y string default none",
    "a numeric not null; t timestamp; t string; b bool",
    "t timestamp unit ms; a int64 default 3; p json; p.x.z int64; d date",
    "$ json; a string; zz bytes; p nested; a int64[]; t interval",
};

static void run_once(struct decode_case *made, struct evs_slice payload, struct decode_case_run run,
                     struct evs_buffer *out)
{
    out->count = 0;
    decode_case_run(made, payload, run, true, true, out);
}

/* What stands behind "#index" of each line, compared with the line alone. */
static void check_lines(struct decode_case *made, struct evs_slice payload, const struct evs_buffer *whole)
{
    const struct decode_case_run run = {.is_file = true, .row_max = 8, .bad_max = 8};
    struct evs_buffer all = {0}, alone = {0};
    uint32_t index = 0;
    for (size_t at = 0; at < payload.count; index++) {
        const char *newline = memchr(payload.data + at, '\n', payload.count - at);
        size_t end = newline == NULL ? payload.count : (size_t)(newline - payload.data);
        run_once(made, (struct evs_slice){payload.data + at, end - at}, run, &alone);
        if (alone.count > 0) {
            EVS_ASSERT(alone.count > 2 && memcmp(alone.data, "#0", 2) == 0);
            evs_buffer_printf(&all, "#%u", index);
            evs_buffer_put(&all, alone.data + 2, alone.count - 2);
        }
        at = end + 1;
    }
    EVS_ASSERT(all.count == whole->count && (all.count == 0 || memcmp(all.data, whole->data, all.count) == 0));
    evs_buffer_fini(&all);
    evs_buffer_fini(&alone);
}

static bool has_mark(struct evs_slice payload)
{
    return memmem(payload.data, payload.count, "\xEF\xBB\xBF", 3) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    bool is_file = (data[0] & 4) == 0;
    uint32_t row_bytes_max = (data[0] & 8) != 0 ? 40 : 0;
    struct evs_slice payload = {(const char *)data + 1, size - 1};
    struct decode_case made;
    struct evs_buffer whole = {0}, cut = {0};
    decode_case_init(&made, declarations[data[0] & 3], row_bytes_max);
    run_once(&made, payload, (struct decode_case_run){is_file, EVS_BATCH_ROWS, 64}, &whole);
    run_once(&made, payload, (struct decode_case_run){is_file, 1, 1}, &cut);
    EVS_ASSERT(cut.count == whole.count && (cut.count == 0 || memcmp(cut.data, whole.data, cut.count) == 0));
    if (is_file && !has_mark(payload)) { /* a mark means something at the very start only */
        check_lines(&made, payload, &whole);
    }
    evs_buffer_fini(&whole);
    evs_buffer_fini(&cut);
    decode_case_fini(&made);
    return 0;
}
