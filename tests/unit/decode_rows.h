/* A table's row: columns, one input, what must come out (decode_case.h). Shared by the decoder's test programs. */
#ifndef EVS_DECODE_ROWS_H
#define EVS_DECODE_ROWS_H

#include <string.h>

#include "decode_case.h"
#include "unit.h"

struct row {
    const char *columns;
    struct evs_slice input;
    const char *expected;
};
#define IN(text)                                                                                                       \
    {                                                                                                                  \
        text, sizeof(text) - 1                                                                                         \
    }

static const struct decode_case_run as_file = {.is_file = true, .row_max = EVS_BATCH_ROWS, .bad_max = 16};
static const struct decode_case_run as_message = {.is_file = false, .row_max = EVS_BATCH_ROWS, .bad_max = 16};

static inline void check_case(const struct row *row, struct decode_case_run run)
{
    struct decode_case made;
    struct evs_buffer out = {0};
    decode_case_init(&made, row->columns, 0);
    decode_case_run(&made, row->input, run, false, false, &out);
    evs_buffer_put(&out, "", 1);
    ck_assert_msg(strcmp(out.data, row->expected) == 0, "columns `%s`\ninput `%.*s`\nexpected\n%sgot\n%s", row->columns,
                  (int)(row->input.count < 500 ? row->input.count : 500), row->input.data, row->expected, out.data);
    evs_buffer_fini(&out);
    decode_case_fini(&made);
}

/* All at once, and one row or bad record a call: where a batch ends must change nothing. */
static inline void check_rows(const struct row *rows, size_t count, struct decode_case_run run)
{
    for (size_t i = 0; i < count; i++) {
        check_case(&rows[i], run);
        check_case(&rows[i], (struct decode_case_run){.is_file = run.is_file, .row_max = 1, .bad_max = 1});
    }
}

#define CHECK_ROWS(rows, run) check_rows((rows), EVS_COUNT(rows), (run))

#endif
