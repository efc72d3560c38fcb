/* JSON Schema behind a C header: valijson (Debian's libvalijson-dev, drafts 4 to 7) over nlohmann's JSON, in one C++ file.
 *
 * Two things are taken out of the library's hands, because what is held against a schema comes from anybody:
 *   - `pattern` and `format` run on RE2 and on this project's own parsers; the library would use std::regex, which
 *     backtracks and recurses a frame a character, so that one long text can end the process;
 *   - `uniqueItems` and `patternProperties` are refused when a schema is read: the first compares every element with
 *     every other, the second is std::regex again.
 * Schemas are trusted, documents are not.
 *
 * The library is header-only but its Debian package pulls a desktop's worth of others with it, so a build may go without:
 * then evs_schema_validator_new gives NULL and says which package is missing. */
#ifndef EVS_SCHEMA_VALIDATOR_H
#define EVS_SCHEMA_VALIDATOR_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A span of text: what evs_slice is, for a file that the C headers cannot be included in. */
struct evs_schema_text {
    const char *data;
    size_t count;
};

#define EVS_SCHEMA_MISTAKE_BYTES 512

struct evs_schema_validator;
/* NULL when the text is no schema; `mistake` (EVS_SCHEMA_MISTAKE_BYTES) then holds a part of a sentence. Immutable. */
struct evs_schema_validator *evs_schema_validator_new(struct evs_schema_text schema, char *mistake);
void evs_schema_validator_free(struct evs_schema_validator *validator); /* NULL is allowed */

/* Whether the document, which is valid JSON, fits. Every reason why not is reported: where in the document ("price",
 * "items.0.sku"; "" is the document itself) and what is wrong (a part of a sentence). */
typedef void evs_schema_report(void *context, const char *where, const char *what);
bool evs_schema_validator_check(const struct evs_schema_validator *validator, struct evs_schema_text document,
                                evs_schema_report *report, void *context);

#ifdef __cplusplus
}
#endif

#endif
