/* Which files are old is read off their names: a file that was copied, unpacked or touched since is as old as it says, and a folder that another program fills with
 * files of other names is left alone. So a name needs a {date}; {hour} and {minute} make it more exact.
 *
 *     out/dt={date}/orders-{hour}.csv        out/dt=2026-01-05/ ──► orders-10.csv, orders-10-2.csv (a name that was taken)
 *     └─┬─┘└───┬───┘└──────┬────────┘
 *    as it is  listed      listed            every other name is somebody else's
 *
 * A name without an hour may be of the last moment of its day, so it counts as begun then. Folders that have become empty are removed as well, if their
 * name has the date. */
#include "file_keep.h"

#include <ctype.h>
#include <string.h>

#include "evstream/memory.h"
#include "evstream/text.h"
#include "evstream/type.h"

#define MINUTE_US (INT64_C(60) * 1000 * 1000)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

evs_status evs_file_keep_check(const char *pattern, struct evs_error *error)
{
    return strstr(pattern, "{date}") != NULL
               ? EVS_OK
               : evs_fail(error, EVS_E_PIPELINE,
                          "`keep` reads off a file's name how old it is: put {date} into `path`, as in "
                          "'orders-{date}-{part}.ndjson'.");
}

/* What a name, or the part of a path that was matched so far, says. */
struct said {
    int64_t days, hour, minute; /* -1: nothing */
};

/* Digits at the front: exactly `count`, or with 0 at least one. */
static bool take_number(const char **at, size_t count, int64_t *number)
{
    size_t have = strspn(*at, "0123456789"), taken = count == 0 ? have : count;
    if (have == 0 || have < taken) {
        return false;
    }
    struct evs_slice digits = {*at, taken};
    *at += taken;
    return evs_parse_int64(digits, number);
}

/* One {word} of the pattern. */
static bool take_word(const char **pattern, const char **at, struct said *said)
{
    int64_t part;
    size_t count = strcspn(*pattern, "}") + 1;
    struct evs_slice word = {*pattern, count};
    *pattern += count;
    if (evs_slice_equal(word, EVS_SLICE("{date}"))) {
        bool is_date = strlen(*at) >= 10 && evs_parse_date((struct evs_slice){*at, 10}, &said->days);
        *at += is_date ? 10 : 0;
        return is_date;
    }
    if (evs_slice_equal(word, EVS_SLICE("{part}"))) {
        return take_number(at, 0, &part);
    }
    return take_number(at, 2, evs_slice_equal(word, EVS_SLICE("{hour}")) ? &said->hour : &said->minute);
}

/* "-2" in front of the ending, where the plain name was taken. */
static const char *behind_copy(const char *at)
{
    size_t digits = at[0] == '-' ? strspn(at + 1, "0123456789") : 0;
    return digits > 0 ? at + 1 + digits : at;
}

/* Whether the name fits a part of the pattern, `end` excluded; `ending`: where the number of a copy may stand. */
static bool fits(const char *pattern, const char *end, const char *ending, const char *name, struct said *said)
{
    while (true) {
        if (pattern == ending && behind_copy(name) != name && *pattern != '-') {
            name = behind_copy(name);
        }
        if (pattern == end) {
            return *name == '\0';
        }
        if (*pattern == '{') {
            if (!take_word(&pattern, &name, said)) {
                return false;
            }
        } else if (*pattern++ != *name++) {
            return false;
        }
    }
}

/* The last moment at which the file may have been begun. */
static int64_t begun_at_most(const struct said *said)
{
    int64_t hour = said->hour >= 0 ? said->hour : 23, minute = said->minute >= 0 ? said->minute : 59;
    return said->days * DAY_US + hour * HOUR_US + minute * MINUTE_US + MINUTE_US - 1;
}

struct forgetting {
    const struct evs_files *files;
    int64_t before_us;
    uint32_t removed;
};

/* The files and folders of a folder that fit, each with what its name says. */
struct listing {
    const char *pattern, *end, *ending;
    struct said said;
    struct found {
        char *name;
        struct said said;
    } * found;
    uint32_t count, capacity;
};

static void see_name(void *argument, const char *name)
{
    struct listing *listing = argument;
    struct said said = listing->said;
    if (fits(listing->pattern, listing->end, listing->ending, name, &said)) {
        EVS_GROW(listing->found, listing->count, listing->capacity);
        listing->found[listing->count++] = (struct found){evs_strdup(name), said};
    }
}

static evs_status forget_in(struct forgetting *forgetting, const char *pattern, struct evs_buffer *path,
                            const struct said *said, struct evs_error *error);

/* A name that fits: of a folder on the way, or of a file. */
static evs_status forget_found(struct forgetting *forgetting, const struct listing *listing, const struct found *found,
                               struct evs_buffer *path, struct evs_error *error)
{
    size_t count = path->count;
    bool is_folder = *listing->end == '/',
         is_old = found->said.days >= 0 && begun_at_most(&found->said) < forgetting->before_us;
    evs_status status = EVS_OK;
    evs_buffer_puts(path, found->name);
    if (is_folder) {
        evs_buffer_puts(path, "/");
        status = forget_in(forgetting, listing->end + 1, path, &found->said, error);
    }
    if (status == EVS_OK && is_old) {
        struct evs_error ignored;
        evs_buffer_put(path, "", 1);
        status = forgetting->files->remove(forgetting->files->self, path->data, is_folder ? &ignored : error);
        forgetting->removed += !is_folder && status == EVS_OK;
        status = is_folder ? EVS_OK : status; /* somebody else's files are in it */
    }
    path->count = count;
    return status;
}

/* The rest of the pattern, below the folder `path`. */
static evs_status forget_in(struct forgetting *forgetting, const char *pattern, struct evs_buffer *path,
                            const struct said *said, struct evs_error *error)
{
    const char *end = pattern + strcspn(pattern, "/");
    size_t first_dot = strcspn(pattern + (pattern[0] == '.'), ".") + (pattern[0] == '.');
    struct listing listing = {.pattern = pattern, .end = end, .said = *said};
    listing.ending = *end == '/' ? NULL : pattern + first_dot;
    size_t count = path->count;
    evs_buffer_put(path, "", 1);
    evs_status status = forgetting->files->list(forgetting->files->self, path->data[0] == '\0' ? "." : path->data,
                                                see_name, &listing, error);
    path->count = count;
    for (uint32_t i = 0; i < listing.count; i++) {
        status = status == EVS_OK ? forget_found(forgetting, &listing, &listing.found[i], path, error) : status;
        evs_free(listing.found[i].name);
    }
    evs_free(listing.found);
    return status;
}

evs_status evs_file_forget(const struct evs_files *files, const char *pattern, int64_t before_us, uint32_t *removed,
                           struct evs_error *error)
{
    struct forgetting forgetting = {.files = files, .before_us = before_us};
    struct said nothing = {-1, -1, -1};
    struct evs_buffer path = {0};
    size_t plain = strcspn(pattern, "{");
    while (plain > 0 && pattern[plain - 1] != '/') {
        plain--;
    }
    evs_buffer_put(&path, pattern, plain);
    evs_status status = forget_in(&forgetting, pattern + plain, &path, &nothing, error);
    evs_buffer_fini(&path);
    *removed = forgetting.removed;
    return status;
}
