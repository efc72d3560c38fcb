// Abseil's time zones behind zone.h.
//
// absl::TimeZone is one pointer to rules that are never freed, so it is carried as such in a plain C struct: NULL, as in Abseil
// itself, is UTC. Only what zone.h cannot express is here; the calendar is C (zone_period.c).
#include "zone.h"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>

#include <sys/stat.h>

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

namespace
{

static_assert(sizeof(absl::TimeZone) == sizeof(evs_zone), "a zone is one pointer");
static_assert(std::is_trivially_copyable<absl::TimeZone>::value, "a zone can be copied as bytes");

constexpr int64_t second_us = 1000000;
constexpr int64_t day_us = 86400 * second_us;
constexpr int64_t first_us = std::numeric_limits<int64_t>::min() + day_us;
constexpr int64_t last_us = std::numeric_limits<int64_t>::max() - day_us;
constexpr int64_t listed_until_us = 13569465600 * second_us; // 2400-01-01
constexpr int64_t search_step = 20 * 86400;
constexpr int minutes_max = 14 * 60; // GoogleSQL's limit for offsets
constexpr size_t name_max = 64;      // the longest name of the tz database has 32 bytes

absl::TimeZone zone_of(evs_zone zone)
{
    absl::TimeZone result;
    std::memcpy(static_cast<void *>(&result), &zone, sizeof zone);
    return result;
}

evs_zone zone_from(const absl::TimeZone &zone)
{
    evs_zone result;
    std::memcpy(&result, &zone, sizeof result);
    return result;
}

int64_t clamped(int64_t us)
{
    return us < first_us ? first_us : us > last_us ? last_us : us;
}

int64_t floor_seconds(int64_t us)
{
    return us / second_us - (us % second_us < 0);
}

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// One or two digits; moves `at` behind them. -1 when there are none.
int number(const std::string &text, size_t &at)
{
    int value = -1;
    for (size_t end = at + 2; at < end && at < text.size() && is_digit(text[at]); at++) {
        value = (value < 0 ? 0 : value * 10) + (text[at] - '0');
    }
    return value;
}

// +h, +hh, and minutes behind them with or without a colon: +hmm has its hour in two digits then.
bool read_offset(const std::string &text, int &seconds)
{
    size_t at = 1;
    const int hours = number(text, at);
    int minutes = 0;
    if (hours < 0) {
        return false;
    }
    if (at < text.size()) {
        at += text[at] == ':' ? 1 : 0;
        minutes = number(text, at);
    }
    const int total = hours * 60 + minutes;
    if (minutes < 0 || minutes > 59 || at != text.size() || total > minutes_max) {
        return false;
    }
    seconds = (text[0] == '-' ? -60 : 60) * total;
    return true;
}

// Abseil remembers every name that it was ever asked for, also wrong ones, and takes paths. A name may come from the data, so
// only a name that has a file in the tz database goes on to it.
bool has_file(const std::string &name)
{
    for (char c : name) {
        if (!is_digit(c) && !((c | 32) >= 'a' && (c | 32) <= 'z') && std::strchr("/_+-", c) == nullptr) {
            return false;
        }
    }
    if (name.front() == '/' || name == "localtime" || name.rfind("right/", 0) == 0) {
        return false;
    }
    const char *folder = std::getenv("TZDIR"); // as Abseil does
    const std::string path =
        std::string(folder != nullptr && *folder != '\0' ? folder : "/usr/share/zoneinfo") + "/" + name;
    struct stat status;
    return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// From a change of the clocks to the moment when it happens.
int64_t moment_us(const absl::TimeZone &zone, const absl::TimeZone::CivilTransition &change)
{
    return absl::ToUnixMicros(zone.At(change.to).trans);
}

int offset_at(const absl::TimeZone &zone, int64_t seconds)
{
    return zone.At(absl::FromUnixSeconds(seconds)).offset;
}

// Abseil lists the changes of the clocks up to about the year 2400, although it knows the offset of any later moment. There they
// are searched: in steps that no summer time is shorter than, for longer than a year, then by halves. `step` has the direction;
// returns the first second behind the change (or the last before it, backward), or `none`.
int64_t search_change(const absl::TimeZone &zone, int64_t seconds, int64_t step, int64_t none)
{
    const int offset = offset_at(zone, seconds);
    int64_t same = seconds, other = seconds + step;
    for (int i = 0; offset_at(zone, other) == offset; i++, same = other, other += step) {
        if (i == 20) {
            return none;
        }
    }
    while (other - same > 1 || same - other > 1) {
        const int64_t middle = same + (other - same) / 2;
        (offset_at(zone, middle) == offset ? same : other) = middle;
    }
    return other;
}

absl::TimeZone::TimeInfo info_at(evs_zone zone, int64_t seconds)
{
    return zone_of(zone).At(absl::CivilSecond(1970, 1, 1, 0, 0, 0) + seconds);
}

} // namespace

extern "C" bool evs_zone_load(const char *name, size_t count, struct evs_zone *zone)
{
    if (count == 0 || count > name_max) {
        return false;
    }
    std::string text(name, count);
    int seconds = 0;
    if (text == "UTC") {
        *zone = evs_zone_utc_zone();
        return true;
    }
    if (text.rfind("UTC", 0) == 0) { // UTC+2
        text.erase(0, 3);
    }
    if (text[0] == '+' || text[0] == '-') {
        if (!read_offset(text, seconds)) {
            return false;
        }
        *zone = seconds == 0 ? evs_zone_utc_zone() : zone_from(absl::FixedTimeZone(seconds));
        return true;
    }
    absl::TimeZone loaded;
    if (!has_file(text) || !absl::LoadTimeZone(text, &loaded)) {
        return false;
    }
    *zone = zone_from(loaded);
    return true;
}

extern "C" struct evs_zone_span evs_zone_span_at(struct evs_zone zone, int64_t utc_us)
{
    struct evs_zone_span span = {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), 0};
    if (evs_zone_is_utc(zone)) {
        return span;
    }
    const absl::TimeZone rules = zone_of(zone);
    const absl::Time time = absl::FromUnixMicros(clamped(utc_us));
    span.offset_us = rules.At(time).offset * second_us;
    absl::TimeZone::CivilTransition change;
    // The change at `time` itself counts as one before it. Abseil looks for changes by whole seconds.
    if (rules.PrevTransition(time + absl::Seconds(1), &change)) {
        span.begin_us = moment_us(rules, change);
    }
    if (rules.NextTransition(time, &change)) {
        span.end_us = moment_us(rules, change);
    }
    if (utc_us >= listed_until_us) {
        const int64_t seconds = floor_seconds(clamped(utc_us)), none = std::numeric_limits<int64_t>::min();
        const int64_t next = search_change(rules, seconds, search_step, none);
        const int64_t before = search_change(rules, seconds, -search_step, none);
        span.end_us = next == none ? span.end_us : next * second_us;
        span.begin_us = before == none ? span.begin_us : (before + 1) * second_us;
    }
    return span;
}

extern "C" int64_t evs_zone_local(struct evs_zone zone, int64_t utc_us)
{
    if (evs_zone_is_utc(zone)) {
        return utc_us;
    }
    const int64_t us = clamped(utc_us);
    return us + zone_of(zone).At(absl::FromUnixMicros(us)).offset * second_us;
}

extern "C" int64_t evs_zone_utc(struct evs_zone zone, int64_t local_us)
{
    if (evs_zone_is_utc(zone)) {
        return local_us;
    }
    const int64_t us = clamped(local_us), seconds = floor_seconds(us);
    return absl::ToUnixSeconds(info_at(zone, seconds).pre) * second_us + (us - seconds * second_us);
}

extern "C" int64_t evs_zone_utc_edge(struct evs_zone zone, int64_t local_us)
{
    if (evs_zone_is_utc(zone)) {
        return local_us;
    }
    const int64_t us = clamped(local_us), seconds = floor_seconds(us);
    const absl::TimeZone::TimeInfo info = info_at(zone, seconds);
    return info.kind == absl::TimeZone::TimeInfo::SKIPPED
               ? absl::ToUnixSeconds(info.trans) * second_us
               : absl::ToUnixSeconds(info.pre) * second_us + (us - seconds * second_us);
}

extern "C" void evs_zone_abbreviation(struct evs_zone zone, int64_t utc_us, char out[EVS_ZONE_ABBREVIATION_MAX])
{
    const char *text = "UTC";
    if (!evs_zone_is_utc(zone)) {
        text = zone_of(zone).At(absl::FromUnixMicros(clamped(utc_us))).zone_abbr;
    }
    std::strncpy(out, text, EVS_ZONE_ABBREVIATION_MAX - 1);
    out[EVS_ZONE_ABBREVIATION_MAX - 1] = '\0';
}
