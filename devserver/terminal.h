/* What dev says: whole lines on standard output, each under the name of who speaks, in a colour of its own on a terminal. */
#ifndef EVS_DEV_TERMINAL_H
#define EVS_DEV_TERMINAL_H

#include "evstream/text.h"

enum evs_dev_colour {
    EVS_DEV_PLAIN = 0,
    EVS_DEV_RED = 31,
    EVS_DEV_GREEN = 32,
    EVS_DEV_YELLOW = 33,
    EVS_DEV_BLUE = 34,
    EVS_DEV_MAGENTA = 35,
    EVS_DEV_CYAN = 36,
};

/* Control characters of other people's bytes are shown as dots: a payload cannot rewrite the screen. */
void evs_dev_line(const char *name, enum evs_dev_colour colour, struct evs_slice text);
void evs_dev_say(const char *name, enum evs_dev_colour colour, const char *format, ...) EVS_PRINTF(3, 4);

#endif
