/* The words of the language: GoogleSQL's reserved ones, and those that mean something in their place only. The table
 * is words.def. */
#ifndef EVS_WORDS_H
#define EVS_WORDS_H

#include "evstream/text.h"

enum evs_word {
    EVS_WORD_NONE,
#define EVS_WORD(name, text, reserved) EVS_WORD_##name,
#include "words.def"
#undef EVS_WORD
    EVS_WORD_COUNT
};

/* Case-insensitive; EVS_WORD_NONE for a name that is no word of the language. */
enum evs_word evs_word_find(struct evs_slice text);
const char *evs_word_text(enum evs_word word); /* lower case */
/* Reserved: a name only in backticks. */
bool evs_word_is_reserved(enum evs_word word);
/* Reserved, and yet the name of a function before a parenthesis: if, left, right, … */
bool evs_word_is_function(enum evs_word word);

#endif
