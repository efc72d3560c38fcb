#include "terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME_WIDTH 12
#define LINE_MAX_BYTES 2000 /* of one line: a megabyte of JSON is not for a terminal */

static bool in_colour(void)
{
    const char *no_colour = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == '\0');
}

void evs_dev_line(const char *name, enum evs_dev_colour colour, struct evs_slice text)
{
    const bool is_colourful = colour != EVS_DEV_PLAIN && in_colour();
    char shown[LINE_MAX_BYTES];
    size_t count = text.count < sizeof shown ? text.count : sizeof shown;
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        shown[i] = byte < ' ' || byte == 0x7f ? '.' : (char)byte;
    }
    if (is_colourful) {
        printf("\x1b[%dm%-*s\x1b[0m ", (int)colour, NAME_WIDTH, name);
    } else {
        printf("%-*s ", NAME_WIDTH, name);
    }
    printf("%.*s%s\n", (int)count, shown, count < text.count ? "…" : "");
    fflush(stdout); /* a pipe sees lines as they come, too */
}

void evs_dev_say(const char *name, enum evs_dev_colour colour, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    EVS_ASSERT(count >= 0);
    evs_dev_line(name, colour, (struct evs_slice){text, (size_t)count < sizeof text ? (size_t)count : sizeof text - 1});
}
