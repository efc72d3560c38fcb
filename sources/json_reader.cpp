/* The one file that knows simdjson. It takes the processor's kernel that simdjson chose at start and runs its first stage; the
 * interface used here (create_dom_parser_implementation, stage1, structural_indexes) is the one that all of simdjson's own readers
 * are built on, and is the same in all versions from 3.0 to 4.6. */
#include "json_reader.h"

#include <memory>
#include <new>
#include <simdjson.h>

static_assert(EVS_JSON_READER_PADDING >= simdjson::SIMDJSON_PADDING, "simdjson reads that far behind a text");
static_assert(EVS_JSON_READER_BYTES_MAX <= simdjson::SIMDJSON_MAXSIZE_BYTES, "simdjson takes no longer text");

struct evs_json_reader {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> kernel;
};

/* Nesting is ours to limit, so simdjson's own stack is kept as small as it can be. */
constexpr size_t depth_unused = 1;
constexpr size_t first_capacity = 64 << 10;

struct evs_json_reader *evs_json_reader_new(void)
{
    std::unique_ptr<evs_json_reader> reader{new (std::nothrow) evs_json_reader{}};
    if (!reader || simdjson::get_active_implementation()->create_dom_parser_implementation(first_capacity, depth_unused,
                                                                                           reader->kernel)) {
        return nullptr;
    }
    return reader.release();
}

void evs_json_reader_free(struct evs_json_reader *reader)
{
    delete reader;
}

/* At least doubles, so that texts that get longer bit by bit cost little. */
static bool grow(struct evs_json_reader *reader, size_t bytes)
{
    const size_t doubled = 2 * reader->kernel->capacity();
    const size_t wanted = bytes > doubled || doubled > EVS_JSON_READER_BYTES_MAX ? bytes : doubled;
    return reader->kernel->set_capacity(wanted) == simdjson::SUCCESS;
}

/* simdjson leaves room for nine places behind as many tokens as the text has bytes. */
static struct evs_json_index take_index(simdjson::internal::dom_parser_implementation &kernel, size_t bytes)
{
    uint32_t *at = kernel.structural_indexes.get();
    const uint32_t count = kernel.n_structural_indexes;
    for (uint32_t i = 0; i < EVS_JSON_SENTINELS; i++) {
        at[count + i] = static_cast<uint32_t>(bytes);
    }
    return {at, count};
}

enum evs_json_indexed evs_json_reader_index(struct evs_json_reader *reader, const char *text, size_t bytes,
                                            struct evs_json_index *index)
{
    *index = {nullptr, 0};
    if (bytes > reader->kernel->capacity() && !grow(reader, bytes)) {
        return EVS_JSON_NO_MEMORY;
    }
    const auto *first = reinterpret_cast<const uint8_t *>(text);
    switch (reader->kernel->stage1(first, bytes, simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
        *index = take_index(*reader->kernel, bytes);
        return EVS_JSON_INDEXED;
    case simdjson::EMPTY:
        return EVS_JSON_BLANK;
    default:
        return EVS_JSON_BROKEN;
    }
}
