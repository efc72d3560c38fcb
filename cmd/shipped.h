/* The pipelines of pipelines/, as they were when the program was built (cmake/embed.cmake). */
#ifndef EVS_SHIPPED_H
#define EVS_SHIPPED_H

#include <stddef.h>

struct evs_shipped {
    const char *name; /* "cart_abandonment"; NULL behind the last one */
    const char *text; /* ended by a NUL */
    size_t count;
};
extern const struct evs_shipped evs_shipped[];

#endif
