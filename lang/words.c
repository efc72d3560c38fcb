/* Words by binary search: words.def is sorted. */
#include "words.h"

static const struct {
    const char *text;
    bool is_reserved;
} words[EVS_WORD_COUNT] = {
    [EVS_WORD_NONE] = {"", false},
#define EVS_WORD(name, text, reserved) [EVS_WORD_##name] = {text, reserved},
#include "words.def"
#undef EVS_WORD
};

#define WORD_BYTES_MAX 24 /* no word is as long */

/* Copies in lower case; false when the text is longer than any word. */
static bool to_lower(struct evs_slice text, char *lower)
{
    if (text.count >= WORD_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.count; i++) {
        char c = text.data[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    lower[text.count] = '\0';
    return true;
}

enum evs_word evs_word_find(struct evs_slice text)
{
    char lower[WORD_BYTES_MAX];
    if (!to_lower(text, lower)) {
        return EVS_WORD_NONE;
    }
    uint32_t low = EVS_WORD_NONE + 1, high = EVS_WORD_COUNT;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(lower, words[middle].text);
        if (order == 0) {
            return (enum evs_word)middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return EVS_WORD_NONE;
}

const char *evs_word_text(enum evs_word word)
{
    EVS_ASSERT((uint32_t)word < EVS_WORD_COUNT);
    return words[word].text;
}

bool evs_word_is_reserved(enum evs_word word)
{
    EVS_ASSERT((uint32_t)word < EVS_WORD_COUNT);
    return words[word].is_reserved;
}

bool evs_word_is_function(enum evs_word word)
{
    return word == EVS_WORD_IF || word == EVS_WORD_LEFT || word == EVS_WORD_RIGHT || word == EVS_WORD_COLLATE ||
           word == EVS_WORD_GROUPING || word == EVS_WORD_RANGE;
}
