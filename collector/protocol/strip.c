#include "strip.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* How many bytes at `at` are one of the characters: 1 as it is, 3 percent-encoded, 0 not at all. */
static size_t stands(const char *at, const char *end, const char *characters)
{
    if (at == end || *at == 0) {
        return 0;
    }
    if (*at != '%') {
        return strchr(characters, *at) != NULL ? 1 : 0;
    }
    int high = end - at < 3 ? -1 : hex(at[1]), low = high < 0 ? -1 : hex(at[2]);
    if (low < 0) {
        return 0;
    }
    char c = (char)(high * 16 + low);
    return c != 0 && strchr(characters, c) != NULL ? 3 : 0;
}

/* A value ends where a query's does, or the text round the query. Behind an encoded "=" the encoded marks end it, too; in
 * the other case they are part of the value. */
static bool ends(const char *at, const char *end, bool is_encoded)
{
    return stands(at, end, "&#;") == 3 ? is_encoded : stands(at, end, "&#; \"'<>") == 1;
}

/* The end of the value whose parameter's name begins at `at`, when it is one of the names; else NULL. */
static const char *secret_at(const struct evs_strip *strip, const char *at, const char *end, const char **value)
{
    for (uint32_t i = 0; i < strip->count; i++) {
        size_t count = strlen(strip->names[i]);
        if ((size_t)(end - at) <= count || !evs_slice_equal_nocase((struct evs_slice){at, count}, strip->names[i])) {
            continue;
        }
        size_t equals = stands(at + count, end, "=");
        if (equals > 0) {
            *value = at += count + equals;
            while (at < end && !ends(at, end, equals == 3)) {
                at++;
            }
            return at;
        }
    }
    return NULL;
}

/* A name begins the text, or follows one of ? & # ; */
struct evs_slice evs_strip_text(const struct evs_strip *strip, struct evs_slice text, char *out)
{
    const char *at = text.data, *end = text.data + text.count;
    size_t count = 0;
    bool begins = true;
    while (at < end) {
        const char *value = NULL, *behind = begins ? secret_at(strip, at, end, &value) : NULL;
        size_t mark = stands(at, end, "?&#;");
        const char *kept = behind != NULL ? value : at + (mark > 0 ? mark : 1);
        EVS_ASSERT(at != NULL && kept >= at && kept <= end);
        memcpy(out + count, at, (size_t)(kept - at));
        count += (size_t)(kept - at);
        at = behind != NULL ? behind : kept;
        begins = behind == NULL && mark > 0;
    }
    return (struct evs_slice){out, count};
}
