#include "json_oracle.h"

#include <simdjson.h>
#include <string_view>

struct json_oracle {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
};

struct json_oracle *json_oracle_new(void)
{
    return new json_oracle{};
}

void json_oracle_free(struct json_oracle *oracle)
{
    delete oracle;
}

/* Newer versions have a second code, for integers of more than 64 bits, that older ones do not know by name. */
static bool is_about_numbers(simdjson::error_code error)
{
    const std::string_view message{simdjson::error_message(error)};
    return error != simdjson::SUCCESS &&
           (message.find("number") != message.npos || message.find("integer") != message.npos);
}

enum oracle_verdict json_oracle_parse(struct json_oracle *oracle, const char *text, size_t bytes)
{
    const simdjson::padded_string copy{text, bytes};
    const simdjson::error_code error = oracle->parser.parse(copy).get(oracle->root);
    if (is_about_numbers(error)) {
        return ORACLE_BIG;
    }
    if (error != simdjson::SUCCESS) {
        return ORACLE_REJECTED;
    }
    return oracle->root.is_object() ? ORACLE_OBJECT : ORACLE_OTHER;
}

static struct oracle_value value_of(simdjson::dom::element element)
{
    struct oracle_value value = {};
    std::string_view text;
    switch (element.type()) {
    case simdjson::dom::element_type::NULL_VALUE:
        value.kind = ORACLE_NULL;
        break;
    case simdjson::dom::element_type::BOOL:
        value.kind = ORACLE_BOOL;
        value.boolean = bool(element);
        break;
    case simdjson::dom::element_type::INT64:
        value.kind = ORACLE_INT64;
        value.int64 = int64_t(element);
        break;
    case simdjson::dom::element_type::UINT64:
        value.kind = ORACLE_UINT64;
        value.uint64 = uint64_t(element);
        break;
    case simdjson::dom::element_type::DOUBLE:
        value.kind = ORACLE_FLOAT64;
        value.float64 = double(element);
        break;
    case simdjson::dom::element_type::STRING:
        value.kind = ORACLE_STRING;
        text = std::string_view(element);
        value.text = text.data();
        value.bytes = text.size();
        break;
    default:
        value.kind = ORACLE_CONTAINER;
    }
    return value;
}

struct oracle_value json_oracle_at(struct json_oracle *oracle, const char *const *path, uint32_t count, bool *broken)
{
    simdjson::dom::element at = oracle->root;
    *broken = false;
    for (uint32_t i = 0; i < count; i++) {
        simdjson::dom::object object;
        if (at.get(object) != simdjson::SUCCESS) {
            *broken = !at.is_null();
            return oracle_value{};
        }
        if (object.at_key(path[i]).get(at) != simdjson::SUCCESS) { /* the first of repeated keys */
            return oracle_value{};
        }
    }
    return value_of(at);
}
