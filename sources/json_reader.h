/* Where the tokens of JSON text are: simdjson's first stage behind a C header.
 *
 * simdjson reads JSON in two stages. The first finds, with the processor's widest vectors, every place where a token begins, and
 * checks what can only be checked by looking at every byte: valid UTF-8, strings that are closed, no control character inside a
 * string. The second walks over those places. Only the first stage is used here; the walk is ours (decode_json_record.c), because it
 * fills columns as it goes, and because one index may then cover many lines: simdjson's own readers index a line a call, which costs
 * half as much again.
 *
 * A token begins at each of { } [ ] : , outside strings, at the opening quote of a string, and at the first byte of anything else
 * that is no white space: of a number, a literal, or of junk. Two facts follow, and the walk is built on them:
 *   - behind a string or a scalar nothing but white space stands before the next token, so its end is found from there;
 *   - an index that was made holds no newline inside a string, so lines can be told apart by their newlines alone. */
#ifndef EVS_JSON_READER_H
#define EVS_JSON_READER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EVS_JSON_SENTINELS 4u

/* Tokens in ascending order of their place in the indexed text. Borrowed from the reader until its next use. */
struct evs_json_index {
    const uint32_t *at; /* behind the last token stand EVS_JSON_SENTINELS times the length of the text */
    uint32_t count;
};

enum evs_json_indexed {
    EVS_JSON_INDEXED,
    EVS_JSON_BLANK,  /* white space only: no token */
    EVS_JSON_BROKEN, /* bad UTF-8, a string that is not closed, or a control character inside one */
    EVS_JSON_NO_MEMORY,
};

struct evs_json_reader;
/* NULL when there is no memory. */
struct evs_json_reader *evs_json_reader_new(void);
void evs_json_reader_free(struct evs_json_reader *reader); /* NULL is allowed */

#define EVS_JSON_READER_PADDING 64            /* bytes that must be readable behind a text */
#define EVS_JSON_READER_BYTES_MAX 0xF0000000u /* of one text */

/* Indexes a text of at most EVS_JSON_READER_BYTES_MAX bytes. Memory grows with the longest text. */
enum evs_json_indexed evs_json_reader_index(struct evs_json_reader *reader, const char *text, size_t bytes,
                                            struct evs_json_index *index);

#ifdef __cplusplus
}
#endif

#endif
