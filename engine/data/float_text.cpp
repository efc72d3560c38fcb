#include "float_text.h"

#include <charconv>
#include <cmath>

extern "C" enum evs_float_read evs_float_read(const char *text, size_t count, double *value)
{
    double read = 0;
    const auto [end, error] = std::from_chars(text, text + count, read, std::chars_format::general);
    if (error == std::errc::invalid_argument || end != text + count) {
        return EVS_FLOAT_READ_BAD;
    }
    // Library versions differ in what they say of a number that is too large: some give infinity without an error.
    if (error == std::errc::result_out_of_range || std::isinf(read)) {
        return EVS_FLOAT_READ_RANGE;
    }
    *value = read;
    return EVS_FLOAT_READ_OK;
}

extern "C" uint32_t evs_float_digits(double value, char digits[17], int *point)
{
    // d[.ddd]e±xx: 17 digits, a point, and five for the exponent.
    char text[32];
    const auto [end, error] = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
    (void)error; // the text is never longer than 24 bytes
    uint32_t count = 0;
    const char *next = text;
    for (; *next != 'e'; next++) {
        if (*next != '.') {
            digits[count++] = *next;
        }
    }
    int exponent = 0;
    std::from_chars(next + (next[1] == '+' ? 2 : 1), end, exponent);
    *point = exponent + 1;
    return count;
}
