#include "file_name.h"

#include <inttypes.h>
#include <string.h>

#include "evstream/text.h"
#include "evstream/type.h"

#define MINUTE_US (INT64_C(60) * 1000 * 1000)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

enum word { WORD_DATE, WORD_HOUR, WORD_MINUTE, WORD_PART, WORD_COUNT };
static const char *const words[WORD_COUNT] = {"{date}", "{hour}", "{minute}", "{part}"};

static enum word word_at(const char *at)
{
    enum word word = 0;
    while (word < WORD_COUNT && strncmp(at, words[word], strlen(words[word])) != 0) {
        word++;
    }
    return word;
}

static bool has(const char *pattern, enum word word)
{
    return strstr(pattern, words[word]) != NULL;
}

static evs_status check_words(const char *pattern, struct evs_error *error)
{
    for (const char *at = strpbrk(pattern, "{}"); at != NULL; at = strpbrk(at, "{}")) {
        enum word word = word_at(at);
        if (word == WORD_COUNT) {
            return evs_fail(
                error, EVS_E_PIPELINE,
                "In the name of a file that rotates stand {date}, {hour}, {minute} and {part}, and no other "
                "braces: `%s`.",
                at);
        }
        at += strlen(words[word]);
    }
    return EVS_OK;
}

evs_status evs_file_name_check(const char *pattern, int64_t rotate_us, bool by_bytes, struct evs_error *error)
{
    evs_status status = check_words(pattern, error);
    if (status != EVS_OK || has(pattern, WORD_PART)) {
        return status;
    }
    if (by_bytes) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "With `rotate_bytes` several files may begin in the same minute: put their number {part} into "
                        "`path`, as in 'orders-{date}-{part}.ndjson'.");
    }
    bool needs_minute = rotate_us % HOUR_US != 0, needs_hour = rotate_us % DAY_US != 0;
    bool is_enough = has(pattern, WORD_DATE) && (!needs_hour || has(pattern, WORD_HOUR)) &&
                     (!needs_minute || has(pattern, WORD_MINUTE)) && rotate_us % MINUTE_US == 0;
    if (is_enough) {
        return EVS_OK;
    }
    return evs_fail(error, EVS_E_PIPELINE,
                    "Files that begin at different times must have different names: put %s into `path`.",
                    rotate_us % MINUTE_US != 0 ? "{part}"
                    : needs_minute             ? "{date}, {hour} and {minute}, or {part},"
                    : needs_hour               ? "{date} and {hour}, or {part},"
                                               : "{date} or {part}");
}

static void put_word(struct evs_buffer *out, enum word word, int64_t begun_us, uint64_t number)
{
    int64_t days = begun_us / DAY_US, of_day = begun_us % DAY_US;
    switch (word) {
    case WORD_DATE:
        evs_buffer_reserve(out, EVS_FORMAT_MAX);
        out->count += evs_format_date(out->data + out->count, days);
        break;
    case WORD_HOUR:
        evs_buffer_printf(out, "%02d", (int)(of_day / HOUR_US));
        break;
    case WORD_MINUTE:
        evs_buffer_printf(out, "%02d", (int)(of_day % HOUR_US / MINUTE_US));
        break;
    case WORD_PART:
        evs_buffer_printf(out, "%06" PRIu64, number);
        break;
    case WORD_COUNT:
        break;
    }
}

/* Where the ending begins, .gz and .zst with what is before: "orders.ndjson.gz" has ".ndjson.gz". */
static const char *ending_of(const char *pattern)
{
    const char *name = strrchr(pattern, '/') == NULL ? pattern : strrchr(pattern, '/') + 1;
    const char *dot = strchr(name + (name[0] == '.'), '.');
    return dot == NULL ? pattern + strlen(pattern) : dot;
}

void evs_file_name_put(const char *pattern, int64_t begun_us, uint64_t number, uint32_t copy, struct evs_buffer *out)
{
    EVS_ASSERT(begun_us >= 0);
    const char *ending = ending_of(pattern);
    for (const char *at = pattern;;) {
        if (at == ending && copy > 1) {
            evs_buffer_printf(out, "-%u", copy);
        }
        enum word word = *at == '{' ? word_at(at) : WORD_COUNT;
        if (word < WORD_COUNT) {
            put_word(out, word, begun_us, number);
            at += strlen(words[word]);
            continue;
        }
        evs_buffer_put(out, at, 1); /* the NUL, too */
        if (*at++ == '\0') {
            return;
        }
    }
}

size_t evs_file_name_folder(const char *pattern)
{
    size_t end = strcspn(pattern, "{");
    while (end > 0 && pattern[end - 1] != '/') {
        end--;
    }
    return end;
}
