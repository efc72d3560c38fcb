// The scanner yardstick: the same question without a JSON reader, to know how little work a line can be.
//
//   scanner INPUT OUTPUT
//
// A programmer who knows the clicks looks for each field where it stood in the last line: so many bytes behind the one before, and a price so many quotes.
// There the gap in front of the value is compared, from the quote of the value before: `","user_id":"`. Within a string no such bytes can stand, for a
// quote would be escaped, so a gap that is there is one; of a line without the gap, or with an escaped quote on the way, all fields are walked. Most lines
// are left behind the time: nothing of them is looked at but the newline. What it counts with: counting.hpp.
//
// What it believes, and neither the engine nor the simdjson yardstick does: that the bytes it does not look at are JSON and UTF-8, that a field of that
// name in that place is not one of another object, and that no field comes twice. So it is a bound, and no reader to use. A wanted text with an escape, or
// a time of another form, is more than it reads: it says so and ends.
#include <immintrin.h>

#include "counting.hpp"

namespace
{

[[noreturn]] void give_up(const char *why)
{
    fprintf(stderr, "scanner: %s\n", why);
    exit(1);
}

// What is wanted of a line; an empty text was not found.
struct fields {
    std::string_view event, time, user, price;
};

// --- all fields, one by one -----------------------------------------------------------------------------------------------------

class walk
{
  public:
    walk(const char *from, const char *behind) : at{from}, end{behind} {}

    fields line()
    {
        object(0);
        return found;
    }

  private:
    // Behind the opening quote; moves behind the closing one.
    std::string_view text()
    {
        const char *start = at;
        while (at < end && *at != '"') {
            at += 1 + (*at == '\\');
        }
        if (at >= end) {
            give_up("a string is not closed");
        }
        return {start, static_cast<size_t>(at++ - start)};
    }

    void keep(std::string_view name, std::string_view value, int depth)
    {
        std::string_view *place = depth == 0 && name == "event"       ? &found.event
                                  : depth == 0 && name == "timestamp" ? &found.time
                                  : depth == 0 && name == "user_id"   ? &found.user
                                  : in_properties && name == "price"  ? &found.price
                                                                      : nullptr;
        if (place != nullptr) {
            if (value.find('\\') != value.npos) {
                give_up("a wanted text has an escape");
            }
            *place = value;
        }
    }

    void array()
    {
        for (int depth = 1; depth > 0 && ++at < end;) {
            depth += (*at == '[' || *at == '{') - (*at == ']' || *at == '}');
            if (*at == '"') {
                at++;
                text();
                at--;
            }
        }
        at++;
    }

    void value(std::string_view name, int depth)
    {
        if (*at == '"') {
            at++;
            keep(name, text(), depth);
        } else if (*at == '{') {
            bool was = in_properties;
            in_properties = depth == 0 && name == "properties";
            object(depth + 1);
            in_properties = was;
        } else if (*at == '[') {
            array();
        } else {
            const char *start = at;
            while (at < end && *at != ',' && *at != '}') {
                at++;
            }
            keep(name, {start, static_cast<size_t>(at - start)}, depth);
        }
    }

    void object(int depth)
    {
        if (depth > 100 || at >= end || *at++ != '{') {
            give_up("a line is no object");
        }
        while (at < end && *at != '}') {
            at += *at == ',';
            if (at >= end || *at++ != '"') {
                give_up("a field has no name");
            }
            std::string_view name = text();
            if (at >= end || *at++ != ':' || at >= end) {
                give_up("a field has no value");
            }
            value(name, depth);
        }
        at++;
    }

    const char *at, *end;
    bool in_properties = false;
    fields found;
};

// --- where they stood -------------------------------------------------------------------------------------------------------------

#define WIDE __attribute__((target("avx512f,avx512bw,bmi,bmi2,popcnt")))

constexpr std::string_view event_gap = "\",\"event\":\"", time_gap = "\",\"timestamp\":\"",
                           user_gap = "\",\"user_id\":\"", price_gap = "\",\"price\":";
constexpr size_t time_bytes = 24; // 2026-01-05T10:00:00.000Z

WIDE inline uint64_t bits_of(const char *at, char byte)
{
    return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(at), _mm512_set1_epi8(byte));
}

// Where each field stood in the last line that was walked. Texts are read up to 64 bytes behind a line: there is room.
class guess
{
  public:
    // Finds the event and the time; false: the line must be walked.
    WIDE bool head(const char *line, fields *found) const
    {
        const char *gap = line + event_at;
        if (memcmp(gap, event_gap.data(), event_gap.size()) != 0 || !text(gap + event_gap.size(), &found->event)) {
            return false;
        }
        gap = found->event.end();
        const char *time = gap + time_gap.size();
        found->time = {time, time_bytes};
        return memcmp(gap, time_gap.data(), time_gap.size()) == 0 && time[time_bytes] == '"';
    }

    // And the user and the price.
    WIDE bool tail(const char *end, fields *found) const
    {
        const char *gap = found->time.end();
        if (memcmp(gap, user_gap.data(), user_gap.size()) != 0 || !text(gap + user_gap.size(), &found->user)) {
            return false;
        }
        gap = quote(found->user.end() + 1, end);
        if (gap == nullptr || memcmp(gap, price_gap.data(), price_gap.size()) != 0) {
            return false;
        }
        const char *price = gap + price_gap.size();
        uint64_t stops = bits_of(price, ',') | bits_of(price, '}');
        found->price = {price, stops == 0 ? 0 : static_cast<size_t>(__builtin_ctzll(stops))};
        return stops != 0;
    }

    // The line was walked: its fields stand where the next line's are expected.
    void learn(const char *line, const fields &found)
    {
        size_t before = static_cast<size_t>(found.event.data() - line);
        if (found.user.data() != nullptr && found.price.data() > found.user.data() && before >= event_gap.size()) {
            event_at = static_cast<uint32_t>(before - event_gap.size());
            quotes = 0;
            for (const char *at = found.user.end() + 1; at < found.price.data() - price_gap.size(); at++) {
                quotes += *at == '"' && at[-1] != '\\';
            }
        }
    }

  private:
    // The text at `start`, of up to 63 bytes without an escape.
    WIDE static bool text(const char *start, std::string_view *found)
    {
        uint64_t ends = bits_of(start, '"');
        *found = {start, ends == 0 ? 0 : static_cast<size_t>(__builtin_ctzll(ends))};
        return ends != 0 && (bits_of(start, '\\') & (ends ^ (ends - 1))) == 0;
    }

    // The quote number `quotes` from `at` on; nullptr where one on the way may be escaped: it stands behind a backslash.
    WIDE const char *quote(const char *at, const char *end) const
    {
        for (uint64_t left = quotes, carried = 0; at < end; at += 64) {
            uint64_t found = bits_of(at, '"'), backslashes = bits_of(at, '\\');
            uint64_t count = static_cast<uint64_t>(__builtin_popcountll(found));
            if ((found & (backslashes << 1 | carried)) != 0) {
                return nullptr;
            }
            if (left < count) {
                return at + __builtin_ctzll(_pdep_u64(uint64_t{1} << left, found));
            }
            left -= count;
            carried = backslashes >> 63;
        }
        return nullptr;
    }

    uint32_t event_at = 0, quotes = 0;
};

// --- a line -------------------------------------------------------------------------------------------------------------------------

double number_of(std::string_view text)
{
    uint64_t digits = 0;
    size_t places = 0, count = 0;
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    for (char c : text) {
        if (c == '.' && places == 0 && count > 0) {
            places = text.size() - count - 1;
        } else if (c >= '0' && c <= '9') {
            digits = digits * 10 + static_cast<uint64_t>(c - '0');
        } else {
            give_up("a price is no plain number");
        }
        count++;
    }
    if (count == 0 || count > 15 || places >= sizeof tens / sizeof *tens) {
        give_up("a price is no plain number");
    }
    return static_cast<double>(digits) / tens[places];
}

class scanner : public counter
{
  public:
    using counter::counter;

    void line(const char *text, const char *end)
    {
        fields found;
        bool is_walked = !places.head(text, &found);
        if (is_walked) {
            found = walk_line(text, end);
        }
        if (found.time.size() != time_bytes) {
            give_up("a time is of another form");
        }
        int64_t time_us = clock.parse(found.time);
        if (is_wanted(found.event)) {
            if (!is_walked && !places.tail(end, &found)) {
                found = walk_line(text, end);
            }
            add(time_us, found.user, number_of(found.price));
        }
        advance(time_us);
    }

    void finish()
    {
        counter::finish();
        fprintf(stderr, "scanner: %llu lines were walked\n", static_cast<unsigned long long>(walked));
    }

  private:
    fields walk_line(const char *text, const char *end)
    {
        fields found = walk(text, end).line();
        places.learn(text, found);
        walked++;
        return found;
    }

    guess places;
    uint64_t walked = 0;
};

} // namespace

int main(int argc, char **argv)
{
    int in, out;
    if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("bmi2")) {
        fprintf(stderr, "scanner: this processor has no AVX-512\n");
        return 77;
    }
    if (!open_files(argc, argv, &in, &out)) {
        return 2;
    }
    scanner lines(out);
    int status = feed(in, [&](const char *text, size_t bytes, size_t) { lines.line(text, text + bytes); });
    if (status == 0) {
        lines.finish();
    }
    return status;
}
