// RE2 behind regexp.h.
#include "regexp.h"

#include <string>

#include <re2/re2.h>

struct evs_regexp {
    RE2 re;
};

namespace
{

const char *explain(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::ErrorBadEscape:
        return "there is no such escape sequence";
    case RE2::ErrorBadCharClass:
        return "there is no such class of characters";
    case RE2::ErrorBadCharRange:
        return "this range of characters runs backwards";
    case RE2::ErrorMissingBracket:
        return "a [ has no ] behind it";
    case RE2::ErrorMissingParen:
        return "a ( has no ) behind it";
    case RE2::ErrorUnexpectedParen:
        return "a ) has no ( before it";
    case RE2::ErrorTrailingBackslash:
        return "a backslash stands at the end and escapes nothing";
    case RE2::ErrorRepeatArgument:
        return "nothing stands before this repetition";
    case RE2::ErrorRepeatSize:
        return "a repetition may go up to 1000, together with those around it, and its numbers must rise";
    case RE2::ErrorRepeatOp:
        return "a repetition stands behind a repetition";
    case RE2::ErrorBadPerlOp:
        return "this is not supported, because matching always takes linear time: no looking ahead or behind, "
               "no references back";
    case RE2::ErrorBadUTF8:
        return "it is not valid UTF-8";
    case RE2::ErrorBadNamedCapture:
        return "this is no name of a group: (?P<name>…) is, each name once";
    case RE2::ErrorPatternTooLarge:
        return "it is too large: it would need more than 8 MiB";
    default:
        return "it cannot be compiled";
    }
}

// RE2 tells the faulty piece; where it stands is found again, which is its first place at least.
void describe(const RE2 &re, re2::StringPiece pattern, evs_regexp_mistake *mistake)
{
    mistake->text = explain(re.error_code());
    const std::string &piece = re.error_arg();
    const size_t at = piece.empty() || piece.size() >= pattern.size() ? re2::StringPiece::npos : pattern.find(piece);
    const bool found = at != re2::StringPiece::npos;
    mistake->offset = found ? at : 0;
    mistake->count = found ? piece.size() : 0;
}

} // namespace

extern "C" struct evs_regexp *evs_regexp_new(struct evs_regexp_text pattern, bool of_bytes,
                                             struct evs_regexp_mistake *mistake)
{
    RE2::Options options;
    options.set_log_errors(false);
    options.set_encoding(of_bytes ? RE2::Options::EncodingLatin1 : RE2::Options::EncodingUTF8);
    options.set_max_mem(EVS_REGEXP_BYTES_MAX);
    const re2::StringPiece text(pattern.data, pattern.count);
    auto *regexp = new evs_regexp{RE2(text, options)};
    if (!regexp->re.ok()) {
        describe(regexp->re, text, mistake);
        delete regexp;
        return nullptr;
    }
    return regexp;
}

extern "C" void evs_regexp_free(struct evs_regexp *regexp)
{
    delete regexp;
}

extern "C" uint32_t evs_regexp_group_count(const struct evs_regexp *regexp)
{
    return static_cast<uint32_t>(regexp->re.NumberOfCapturingGroups());
}

extern "C" bool evs_regexp_match(const struct evs_regexp *regexp, struct evs_regexp_text text, size_t from,
                                 struct evs_regexp_text *groups, uint32_t group_count)
{
    re2::StringPiece pieces[EVS_REGEXP_GROUPS_MAX];
    const re2::StringPiece all(text.data, text.count);
    if (!regexp->re.Match(all, from, all.size(), RE2::UNANCHORED, pieces, static_cast<int>(group_count))) {
        return false;
    }
    for (uint32_t i = 0; i < group_count; i++) {
        groups[i] = {pieces[i].data(), pieces[i].size()};
    }
    return true;
}
