// The yardstick: what a careful programmer writes by hand for one question, to know what the hardware can do.
//
//   yardstick INPUT OUTPUT
//
// Reads NDJSON clicks, keeps product views, carts and purchases, counts them and sums their prices by user in windows of one minute of event time
// (watermark 5 s behind), and prints a JSON line for each user and window. One thread. simdjson On-Demand a line, the event's type first, so that
// seventy per cent of the lines are left after two fields. What it counts with: counting.hpp.
//
// What it does not do, and an engine must: dead letters, late rows elsewhere, other queries, checkpoints, metrics.
//
// It is frozen: frozen.txt has its checksum, and what was tried to make it faster.
#include <simdjson.h>

#include "counting.hpp"

namespace
{

struct yardstick : counter {
    using counter::counter;

    __attribute__((noinline)) void line(simdjson::ondemand::parser &parser, const char *text, size_t bytes, size_t room)
    {
        auto document = parser.iterate(text, bytes, room);
        simdjson::ondemand::object object = document.get_object();
        std::string_view event = object.find_field_unordered("event").get_string();
        std::string_view time_text = object.find_field_unordered("timestamp").get_string();
        int64_t time_us = clock.parse(time_text);
        if (is_wanted(event)) {
            std::string_view user = object.find_field_unordered("user_id").get_string();
            add(time_us, user, object.find_field_unordered("properties").find_field_unordered("price").get_double());
        }
        advance(time_us);
    }
};

} // namespace

int main(int argc, char **argv)
{
    int in, out;
    if (!open_files(argc, argv, &in, &out)) {
        return 2;
    }
    simdjson::ondemand::parser parser;
    yardstick clicks(out);
    int status = feed(in, [&](const char *text, size_t bytes, size_t room) { clicks.line(parser, text, bytes, room); });
    if (status == 0) {
        clicks.finish();
    }
    return status;
}
