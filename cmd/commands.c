/* The table of subcommands. In the order of the help page. */
#include <string.h>

#include "cmd.h"

const struct evs_command *const evs_commands[] = {
    &evs_command_init,
    &evs_command_check,
    &evs_command_test,
    &evs_command_explain,
    &evs_command_fmt,
    &evs_command_schema,
    &evs_command_run,
    &evs_command_replay,
    &evs_command_collect,
    &evs_command_dev,
    &evs_command_status,
    &evs_command_top,
    &evs_command_tail,
    &evs_command_dlq,
    &evs_command_state,
    &evs_command_savepoint,
    &evs_command_erase,
    &evs_command_divide,
    &evs_command_lsp,
    &evs_command_completions,
    &evs_command_version,
    NULL,
};

const struct evs_command *evs_command_find(const char *name)
{
    for (const struct evs_command *const *at = evs_commands; *at != NULL; at++) {
        if (strcmp((*at)->name, name) == 0) {
            return *at;
        }
    }
    return NULL;
}
