// The one file of expr/ that speaks C++: simdjson's on-demand reader behind json_access.h.
//
// simdjson wants 64 readable bytes behind a text and may look at them, so the text is copied into a buffer of ours. Spans are found as
// offsets in the copy and given back as spans of the caller's text.
#include "json_access.h"

#include <cstring>
#include <memory>
#include <new>

#include <simdjson.h>

namespace ondemand = simdjson::ondemand;

struct evs_json_access {
    ondemand::parser parser;
    simdjson::dom::parser dom;
    std::unique_ptr<char[]> buffer;
    size_t capacity = 0;
};

extern "C" struct evs_json_access *evs_json_access_new(void)
{
    return new evs_json_access();
}

extern "C" void evs_json_access_free(struct evs_json_access *reader)
{
    delete reader;
}

namespace
{

// The text with its padding.
simdjson::padded_string_view hold(evs_json_access &reader, evs_json_text text)
{
    const size_t needed = text.count + simdjson::SIMDJSON_PADDING;
    if (needed > reader.capacity) {
        reader.capacity = needed * 2;
        reader.buffer.reset(new char[reader.capacity]);
    }
    if (text.count > 0) {
        std::memcpy(reader.buffer.get(), text.data, text.count);
    }
    std::memset(reader.buffer.get() + text.count, ' ', simdjson::SIMDJSON_PADDING);
    return simdjson::padded_string_view(reader.buffer.get(), text.count, reader.capacity);
}

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) {
        text.remove_suffix(1);
    }
    return text;
}

// A key as it stands in the text, against an unescaped name.
bool key_is(simdjson::simdjson_result<ondemand::field> &field, evs_json_text name)
{
    std::string_view token;
    const char *raw = field.key().value().raw();
    const char *end = raw;
    bool escaped = false;
    while (*end != '"') {
        escaped = escaped || *end == '\\';
        end += *end == '\\' ? 2 : 1;
    }
    token = std::string_view(raw, size_t(end - raw));
    if (!escaped) {
        return token == std::string_view(name.data, name.count);
    }
    std::string_view unescaped;
    return field.unescaped_key().get(unescaped) == simdjson::SUCCESS &&
           unescaped == std::string_view(name.data, name.count);
}

evs_json_kind enter_object(ondemand::value value, evs_json_text name, ondemand::value &found)
{
    ondemand::object object;
    if (value.get_object().get(object)) {
        return EVS_JSON_BAD;
    }
    for (auto field : object) {
        if (field.error()) {
            return EVS_JSON_BAD;
        }
        if (key_is(field, name)) {
            return field.value().get(found) ? EVS_JSON_BAD : EVS_JSON_OBJECT;
        }
    }
    return EVS_JSON_MISSING;
}

evs_json_kind enter_array(ondemand::value value, uint64_t index, ondemand::value &found)
{
    ondemand::array array;
    if (value.get_array().get(array)) {
        return EVS_JSON_BAD;
    }
    for (auto element : array) {
        if (element.error()) {
            return EVS_JSON_BAD;
        }
        if (index-- == 0) {
            return element.get(found) ? EVS_JSON_BAD : EVS_JSON_ARRAY;
        }
    }
    return EVS_JSON_MISSING;
}

// One step down. Any answer but MISSING and BAD means that `value` has moved on.
evs_json_kind enter(ondemand::value &value, const evs_json_step &step)
{
    ondemand::json_type type;
    if (value.type().get(type)) {
        return EVS_JSON_BAD;
    }
    if (type != (step.is_index ? ondemand::json_type::array : ondemand::json_type::object)) {
        return EVS_JSON_MISSING;
    }
    ondemand::value found;
    const evs_json_kind kind =
        step.is_index ? enter_array(value, step.index, found) : enter_object(value, step.name, found);
    value = found;
    return kind;
}

evs_json_kind kind_of(ondemand::json_type type)
{
    switch (type) {
    case ondemand::json_type::object:
        return EVS_JSON_OBJECT;
    case ondemand::json_type::array:
        return EVS_JSON_ARRAY;
    case ondemand::json_type::string:
        return EVS_JSON_STRING;
    case ondemand::json_type::number:
        return EVS_JSON_NUMBER;
    case ondemand::json_type::boolean:
        return EVS_JSON_BOOL;
    default:
        return EVS_JSON_NULL;
    }
}

// The kind of a scalar token, and whether it is one: on-demand knows by the first letter only.
evs_json_kind kind_of_scalar(std::string_view token)
{
    if (token.empty()) {
        return EVS_JSON_BAD;
    }
    switch (token[0]) {
    case '"':
        return token.size() >= 2 && token.back() == '"' ? EVS_JSON_STRING : EVS_JSON_BAD;
    case 't':
        return token == "true" ? EVS_JSON_BOOL : EVS_JSON_BAD;
    case 'f':
        return token == "false" ? EVS_JSON_BOOL : EVS_JSON_BAD;
    case 'n':
        return token == "null" ? EVS_JSON_NULL : EVS_JSON_BAD;
    default:
        return token[0] == '-' || (token[0] >= '0' && token[0] <= '9') ? EVS_JSON_NUMBER : EVS_JSON_BAD;
    }
}

bool is_scalar(evs_json_text text, size_t first)
{
    return text.data[first] != '{' && text.data[first] != '[';
}

} // namespace

extern "C" enum evs_json_kind evs_json_find(struct evs_json_access *reader, struct evs_json_text text,
                                            const struct evs_json_step *steps, uint32_t step_count,
                                            struct evs_json_text *raw)
{
    size_t first = 0;
    while (first < text.count && std::strchr(" \t\r\n", text.data[first]) != nullptr && text.data[first] != '\0') {
        first++;
    }
    if (first == text.count) {
        return EVS_JSON_BAD;
    }
    if (step_count == 0 || is_scalar(text, first)) { // nothing to walk through
        const std::string_view token = trimmed(std::string_view(text.data + first, text.count - first));
        *raw = {token.data(), token.size()};
        const evs_json_kind kind = token[0] == '{'   ? EVS_JSON_OBJECT
                                   : token[0] == '[' ? EVS_JSON_ARRAY
                                                     : kind_of_scalar(token);
        return step_count == 0 || kind == EVS_JSON_BAD ? kind : EVS_JSON_MISSING;
    }
    const auto padded = hold(*reader, text);
    ondemand::document document;
    ondemand::value value;
    if (reader->parser.iterate(padded).get(document) || document.get_value().get(value)) {
        return EVS_JSON_BAD;
    }
    for (uint32_t i = 0; i < step_count; i++) {
        const evs_json_kind kind = enter(value, steps[i]);
        if (kind == EVS_JSON_MISSING || kind == EVS_JSON_BAD) {
            return kind;
        }
    }
    ondemand::json_type type;
    std::string_view token;
    if (value.type().get(type)) {
        return EVS_JSON_BAD;
    }
    const evs_json_kind kind = kind_of(type);
    if (kind == EVS_JSON_OBJECT || kind == EVS_JSON_ARRAY) {
        if (simdjson::to_json_string(value).get(token)) {
            return EVS_JSON_BAD;
        }
    } else {
        token = value.raw_json_token();
    }
    token = trimmed(token);
    *raw = {text.data + (token.data() - reader->buffer.get()), token.size()};
    return kind;
}

extern "C" bool evs_json_valid(struct evs_json_access *reader, struct evs_json_text text)
{
    const auto padded = hold(*reader, text);
    simdjson::dom::element element;
    return reader->dom.parse(padded.data(), text.count, false).get(element) == simdjson::SUCCESS;
}

extern "C" bool evs_json_access_unescape(struct evs_json_access *reader, struct evs_json_text raw, char *out,
                                         size_t *count)
{
    const auto padded = hold(*reader, raw);
    ondemand::document document;
    std::string_view text;
    if (reader->parser.iterate(padded).get(document) || document.get_string().get(text)) {
        return false;
    }
    std::memcpy(out, text.data(), text.size());
    *count = text.size();
    return true;
}

extern "C" bool evs_json_minify(struct evs_json_text text, char *out, size_t *count)
{
    return simdjson::minify(text.data, text.count, out, *count) == simdjson::SUCCESS;
}
