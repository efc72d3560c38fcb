/* The token that opens changes: the first line of a file, or the environment's EVSTREAM_TOKEN. Never on the command line, where every user of the
 * machine could read it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evstream/memory.h"
#include "live.h"

#define TOKEN_BYTES_MIN 16u
#define TOKEN_BYTES_MAX 256u

static evs_status take(const char *text, const char *where, char **token, struct evs_error *error)
{
    size_t count = strlen(text);
    size_t visible = 0;
    while (text[visible] > ' ' && text[visible] < 0x7f) {
        visible++;
    }
    if (count < TOKEN_BYTES_MIN || count > TOKEN_BYTES_MAX || visible != count) {
        return evs_fail(error, EVS_E_USAGE,
                        "The token in %s must be %u to %u letters, digits or signs without blanks; `openssl rand -hex "
                        "32` makes a good one.",
                        where, TOKEN_BYTES_MIN, TOKEN_BYTES_MAX);
    }
    *token = evs_strdup(text);
    return EVS_OK;
}

static evs_status read_file(const char *path, char **token, struct evs_error *error)
{
    char line[TOKEN_BYTES_MAX + 3] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return evs_fail(error, EVS_E_USAGE, "The token file %s cannot be read: %s.", path, strerror(errno));
    }
    bool is_read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    return is_read ? take(line, path, token, error) : evs_fail(error, EVS_E_USAGE, "The token file %s is empty.", path);
}

evs_status evs_live_token(const char *path, char **token, struct evs_error *error)
{
    const char *set = getenv("EVSTREAM_TOKEN");
    *token = NULL;
    if (path != NULL) {
        return read_file(path, token, error);
    }
    return set != NULL && set[0] != '\0' ? take(set, "EVSTREAM_TOKEN", token, error) : EVS_OK;
}
