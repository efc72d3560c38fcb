/* What resolve identity says of rows, read naively: time goes on by one microsecond, ids are numbers, and who is the same person is an array that every
 * merge writes over (with a retention: a list of aliases that is walked anew each time). */
#ifndef IDENTITY_MODEL_H
#define IDENTITY_MODEL_H

#include "op_case.h"

#define MODEL_IDS 10 /* texts that are ids, anonymous or users' */
#define MODEL_ROWS_MAX 120
#define MODEL_NONE (-1)

struct model_row {
    struct op_row row;
    int64_t moment_us;
    int anonymous, user, previous; /* numbers of ids; MODEL_NONE */
    /* found */
    int person;
    bool is_known, has_left;
};

struct model_rules {
    int64_t within_us, retain_us, alias_retain_us; /* EVS_TIME_MAX: for ever */
    uint32_t users_max, aliases_max;
    bool has_aliases;
};

struct model {
    struct model_rules rules;
    struct model_row *rows;
    uint32_t row_count;
    int64_t identified, merged, limited;
    struct model_device {
        int user;
        int64_t forget_us;
        uint32_t users;
        bool is_shared;
    } devices[MODEL_IDS];
    int label[MODEL_IDS]; /* without a retention: the person of each id */
    struct model_alias {
        int from, to;
        int64_t forget_us;
    } aliases[MODEL_ROWS_MAX];
    uint32_t alias_count;
};

const char *model_text(int id);
/* Fills person and is_known of all rows, and the counts. */
void model_run(struct model *model);

#endif
