#include "schema_validator.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

/* Without it the library ends the process where it should throw. */
#define VALIJSON_USE_EXCEPTIONS 1

#include <nlohmann/json.hpp>
#include <re2/re2.h>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/constraint_builder.hpp>
#include <valijson/constraints/concrete_constraints.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace
{

using nlohmann::json;

/* What the library must not see; its own keywords are renamed to ours before it reads the schema. */
constexpr const char *kPattern = "evs-pattern";
constexpr const char *kFormat = "evs-format";

RE2::Options options()
{
    RE2::Options made(RE2::Quiet);
    made.set_max_mem(8 << 20);
    return made;
}

/* What a constraint is told about its place; the library has changed its type between versions. */
template <typename Method> struct PathOf;
template <typename Class, typename Target, typename Path, typename Results>
struct PathOf<bool (Class::*)(const Target &, const Path &, Results *) const> {
    using type = Path;
};
using Path = PathOf<decltype(&valijson::constraints::PolyConstraint::validate)>::type;

/* --- constraints of our own --------------------------------------------------------------------------------------- */

/* A text must match: somewhere (pattern) or as a whole (format). */
class TextConstraint : public valijson::constraints::PolyConstraint
{
  public:
    TextConstraint(std::shared_ptr<const RE2> regex, bool whole, std::string what)
        : regex_(std::move(regex)), whole_(whole), what_(std::move(what))
    {
    }

    bool validate(const valijson::adapters::Adapter &target, const Path &path,
                  valijson::ValidationResults *results) const override
    {
        if (!target.isString()) {
            return true;
        }
        const std::string text = target.asString();
        if (whole_ ? RE2::FullMatch(text, *regex_) : RE2::PartialMatch(text, *regex_)) {
            return true;
        }
        if (results != nullptr) {
            results->pushError(path, what_);
        }
        return false;
    }

  private:
    valijson::constraints::Constraint *cloneInto(void *place) const override
    {
        return new (place) TextConstraint(*this);
    }
    size_t sizeOf() const override { return sizeof *this; }

    std::shared_ptr<const RE2> regex_;
    bool whole_;
    std::string what_;
};

class PatternBuilder : public valijson::ConstraintBuilder
{
    valijson::constraints::Constraint *make(const valijson::adapters::Adapter &node) const override
    {
        const std::string pattern = node.asString();
        auto regex = std::make_shared<const RE2>(pattern, options());
        return new TextConstraint(regex, false, "the text does not match the pattern " + pattern);
    }
};

/* The formats that are checked; any other is a note to the reader, as the standard has it. */
struct Format {
    const char *name, *pattern;
};
constexpr Format kFormats[] = {
    {"date-time",
     R"((?i)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d))"},
    {"date", R"(\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))"},
    {"time", R"((?i)([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d))"},
    {"email", R"([^@\s]+@[^@\s.]+(\.[^@\s.]+)*)"},
    {"uuid", R"((?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"},
    {"uri", R"((?i)[a-z][a-z0-9+.-]*:\S+)"},
    {"ipv4", R"(((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d))"},
};

const Format *format_of(const std::string &name)
{
    for (const Format &format : kFormats) {
        if (name == format.name) {
            return &format;
        }
    }
    return nullptr;
}

class FormatBuilder : public valijson::ConstraintBuilder
{
    valijson::constraints::Constraint *make(const valijson::adapters::Adapter &node) const override
    {
        const Format *format = format_of(node.asString());
        auto regex = std::make_shared<const RE2>(format->pattern, options());
        return new TextConstraint(regex, true, std::string("the text is not of the format ") + format->name);
    }
};

/* --- reading a schema ----------------------------------------------------------------------------------------------- */

struct Mistake : std::exception {
    explicit Mistake(std::string why) : text(std::move(why)) {}
    const char *what() const noexcept override { return text.c_str(); }
    std::string text;
};

void prepare(json &schema);

void prepare_each(json &schemas)
{
    for (json &one : schemas) {
        prepare(one);
    }
}

void take_pattern(json &schema)
{
    auto found = schema.find("pattern");
    if (found == schema.end()) {
        return;
    }
    if (!found->is_string()) {
        throw Mistake("a pattern is no text");
    }
    const std::string pattern = found->get<std::string>();
    RE2 regex(pattern, options());
    if (!regex.ok()) {
        throw Mistake("the pattern " + pattern + " is none: " + regex.error());
    }
    schema[kPattern] = pattern;
    schema.erase("pattern");
}

void take_format(json &schema)
{
    auto found = schema.find("format");
    if (found == schema.end()) {
        return;
    }
    if (found->is_string() && format_of(found->get<std::string>()) != nullptr) {
        schema[kFormat] = *found;
    }
    schema.erase("format");
}

/* Renames keywords in every schema within the schema; a property that is called "pattern" is left alone. */
void prepare(json &schema)
{
    static const std::set<std::string> of_schemas = {"properties", "definitions", "$defs", "dependencies"};
    static const std::set<std::string> schemas_or_one = {"items", "allOf", "anyOf", "oneOf"};
    static const std::set<std::string> one = {
        "additionalProperties", "additionalItems", "contains", "propertyNames", "not", "if", "then", "else"};
    if (!schema.is_object()) {
        return;
    }
    for (const char *refused : {"patternProperties", "uniqueItems"}) {
        if (schema.contains(refused)) {
            throw Mistake(std::string(refused) + " is not checked here");
        }
    }
    take_pattern(schema);
    take_format(schema);
    for (auto &member : schema.items()) {
        const std::string &key = member.key();
        if (of_schemas.count(key) != 0 || (schemas_or_one.count(key) != 0 && member.value().is_array())) {
            prepare_each(member.value());
        } else if (one.count(key) != 0 || schemas_or_one.count(key) != 0) {
            prepare(member.value());
        }
    }
}

bool is_within(const std::string &text, char first, char last)
{
    return text.size() >= 2 && text.front() == first && text.back() == last;
}

/* "<root>[items][0][sku]", with quotes round names or without, as "items.0.sku". */
std::string place(const std::vector<std::string> &context)
{
    std::string text;
    for (size_t i = 1; i < context.size(); i++) {
        std::string part = context[i];
        for (const char *marks : {"[]", "\"\""}) {
            if (is_within(part, marks[0], marks[1])) {
                part = part.substr(1, part.size() - 2);
            }
        }
        text += (text.empty() ? "" : ".") + part;
    }
    return text;
}

/* For every mistake the library also reports that each container of it does not fit. */
bool is_echo(const std::string &description)
{
    for (const char *start :
         {"Failed to validate against schema associated with property name",
          "Failed to validate against additional properties schema", "Failed to validate against dependent schema",
          "Failed to validate item #", "Failed to validate against child schema #"}) {
        if (description.rfind(start, 0) == 0) {
            return true;
        }
    }
    return false;
}

/* The library's sentences end with a full stop and begin with a capital; ours go on. */
std::string in_sentence(std::string text)
{
    if (!text.empty() && text.back() == '.') {
        text.pop_back();
    }
    if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z') {
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    }
    return text;
}

} // namespace

struct evs_schema_validator {
    valijson::Schema schema;
};

extern "C" struct evs_schema_validator *evs_schema_validator_new(struct evs_schema_text text, char *mistake)
{
    try {
        json document = json::parse(text.data, text.data + text.count);
        if (!document.is_object()) {
            throw Mistake("a schema is a JSON object");
        }
        prepare(document);
        auto made = std::make_unique<evs_schema_validator>();
        valijson::SchemaParser parser;
        parser.addConstraintBuilder(kPattern, new PatternBuilder());
        parser.addConstraintBuilder(kFormat, new FormatBuilder());
        valijson::adapters::NlohmannJsonAdapter adapter(document);
        parser.populateSchema(adapter, made->schema);
        return made.release();
    } catch (const std::exception &why) {
        std::snprintf(mistake, EVS_SCHEMA_MISTAKE_BYTES, "%s", why.what());
        return nullptr;
    }
}

extern "C" void evs_schema_validator_free(struct evs_schema_validator *validator)
{
    delete validator;
}

extern "C" bool evs_schema_validator_check(const struct evs_schema_validator *validator, struct evs_schema_text text,
                                           evs_schema_report *report, void *context)
{
    try {
        const json document = json::parse(text.data, text.data + text.count);
        valijson::adapters::NlohmannJsonAdapter adapter(document);
        valijson::Validator judge;
        valijson::ValidationResults results;
        if (judge.validate(validator->schema, adapter, &results)) {
            return true;
        }
        bool told = false;
        for (const auto &error : results) {
            if (!is_echo(error.description)) {
                report(context, place(error.context).c_str(), in_sentence(error.description).c_str());
                told = true;
            }
        }
        if (!told) {
            report(context, "", "it does not fit");
        }
        return false;
    } catch (const json::out_of_range &) {
        report(context, "", "a number in it is too large");
        return false;
    } catch (const std::exception &why) {
        report(context, "", why.what());
        return false;
    }
}
