/* Names and exit codes of statuses, error texts, and the end after a failed assertion. */
#include "evstream/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "evstream_config.h"

#define EXIT_DEFECT 70 /* EX_SOFTWARE of sysexits.h */

/* One row a status: the name used in logs and metrics, the exit code of a command that ends with it. */
static const struct {
    const char *name;
    int exit_code;
} statuses[] = {
    [EVS_OK] = {"ok", 0},
    [EVS_MORE] = {"more", EXIT_DEFECT},   /* these two ask the caller to go on: */
    [EVS_AGAIN] = {"again", EXIT_DEFECT}, /* a command that ends with one has forgotten to */
    [EVS_END] = {"end", 0},
    [EVS_E_PIPELINE] = {"pipeline", 1},
    [EVS_E_USAGE] = {"usage", 2},
    [EVS_E_UNREACHABLE] = {"unreachable", 3},
    [EVS_E_REFUSED] = {"refused", 3},
    [EVS_E_STATE] = {"state", 4},
    [EVS_E_FINISHED] = {"finished", 4},
    [EVS_E_FENCED] = {"fenced", 6},
    [EVS_E_GAP] = {"gap", 3},
    [EVS_E_DATA] = {"data", 7},
    [EVS_E_IO] = {"io", 3},
    [EVS_E_CORRUPT] = {"corrupt", 4},
    [EVS_E_LIMIT] = {"limit", 3},
    [EVS_E_CANCELLED] = {"cancelled", 0},
    [EVS_E_INTERNAL] = {"internal", EXIT_DEFECT},
};
_Static_assert(EVS_COUNT(statuses) == EVS_E_INTERNAL + 1, "every status has a row");

/* Cuts a text that did not fit at a whole UTF-8 character and shows that it was cut. */
static void mark_cut(char *text, size_t capacity)
{
    static const char ellipsis[] = "…";
    size_t end = capacity - sizeof ellipsis;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80) {
        end--;
    }
    EVS_ASSERT(end + sizeof ellipsis <= capacity);
    memcpy(text + end, ellipsis, sizeof ellipsis);
}

evs_status evs_fail(struct evs_error *error, evs_status code, const char *format, ...)
{
    EVS_ASSERT(code > EVS_END && code <= EVS_E_INTERNAL);
    if (error == NULL) {
        return code;
    }
    va_list arguments;
    va_start(arguments, format);
    /* Built aside, because the text of a lower layer is often an argument: evs_fail(error, code, "…: %s", error->text). */
    char text[EVS_ERROR_TEXT_MAX];
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    EVS_ASSERT(count >= 0);
    if ((size_t)count >= sizeof text) {
        mark_cut(text, sizeof text);
        count = (int)strlen(text);
    }
    memcpy(error->text, text, (size_t)count + 1);
    error->code = code;
    return code;
}

const char *evs_status_name(evs_status status)
{
    return (size_t)status < EVS_COUNT(statuses) ? statuses[status].name : "unknown";
}

int evs_status_exit_code(evs_status status)
{
    return (size_t)status < EVS_COUNT(statuses) ? statuses[status].exit_code : EXIT_DEFECT;
}

/* Uses neither the heap nor stdio's streams: their state may be what is broken. */
void evs_assert_failed(const char *condition, const char *file, int line, const char *function)
{
    char text[1024];
    int count = snprintf(text, sizeof text,
                         "\nevstream: internal error, the engine stops before it gives a wrong result.\n"
                         "  what:     assertion `%s` failed\n"
                         "  where:    %s (%s:%d)\n"
                         "  version:  %s, %s, %s\n"
                         "This is a defect of evstream, not of your pipeline: please report it with these lines, the "
                         "pipeline file and the log before them. The next start goes on from the last checkpoint.\n",
                         condition, function, file, line, EVS_VERSION, EVS_BUILD_TYPE, EVS_COMPILER);
    size_t bytes = (size_t)count < sizeof text ? (size_t)count : sizeof text - 1;
    if (write(STDERR_FILENO, text, bytes) < 0) {
        /* Nobody is left to be told. */
    }
    _exit(EXIT_DEFECT);
}
