/* Another reader of JSON, to compare ours with: simdjson's DOM, which shares the search for tokens with it and nothing else. */
#ifndef EVS_JSON_ORACLE_H
#define EVS_JSON_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum oracle_verdict {
    ORACLE_OBJECT,   /* valid, and an object */
    ORACLE_OTHER,    /* valid, and something else */
    ORACLE_BIG,      /* a number in it is beyond what the oracle can hold: it cannot tell */
    ORACLE_REJECTED, /* not JSON */
};

enum oracle_kind {
    ORACLE_MISSING,
    ORACLE_NULL,
    ORACLE_BOOL,
    ORACLE_INT64,
    ORACLE_UINT64,
    ORACLE_FLOAT64,
    ORACLE_STRING,
    ORACLE_CONTAINER
};

struct oracle_value {
    enum oracle_kind kind;
    bool boolean;
    int64_t int64;
    uint64_t uint64;
    double float64;
    const char *text; /* of a string, unescaped; valid until the next parse */
    size_t bytes;
};

struct json_oracle;
struct json_oracle *json_oracle_new(void);
void json_oracle_free(struct json_oracle *oracle);
/* `text` needs no padding. */
enum oracle_verdict json_oracle_parse(struct json_oracle *oracle, const char *text, size_t bytes);
/* The value at a path of the last text, which was ORACLE_OBJECT. A path that leads through something that is no object: ORACLE_MISSING
 * with *broken true when that something is not null. */
struct oracle_value json_oracle_at(struct json_oracle *oracle, const char *const *path, uint32_t count, bool *broken);

#ifdef __cplusplus
}
#endif

#endif
