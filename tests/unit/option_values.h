/* Values of a connector's option table as the compiler would make them: fallbacks, and what a test says. */
#ifndef EVS_OPTION_VALUES_H
#define EVS_OPTION_VALUES_H

#include "evstream/option.h"

#define OPTION_VALUES_MAX 48

/* `said` holds "name=value" strings, ended by NULL; may be NULL. Aborts the test on a name that the table lacks or a value that does not parse. */
void option_values(const struct evs_option *table, const char *const *said,
                   struct evs_option_value values[OPTION_VALUES_MAX]);

#endif
