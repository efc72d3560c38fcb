/* resolve identity against a model that reads the rows naively (identity_model.h), on thousands of small inputs: few ids, few moments, partitions that are
 * behind each other, merges at random; cut into batches at random, with watermarks early or late, snapshots, other numbers of workers. */
#include "identity_model.h"
#include "op_identity.h"
#include "state/snapshot.h"

#define SEEDS unit_cases(2000)
#define PARTITIONS_MAX 3

enum { IN_KEY, IN_ANONYMOUS, IN_USER, IN_COUNT, OUT_PERSON = IN_COUNT, OUT_KNOWN, OUT_COUNT };
enum { ALIAS_PREVIOUS, ALIAS_USER, ALIAS_COUNT };

static const uint32_t key_column[1] = {IN_KEY};

struct trial {
    uint64_t seed;
    struct op_case made;
    struct model model;
    struct model_row rows[MODEL_ROWS_MAX];   /* as they come */
    struct model_row sorted[MODEL_ROWS_MAX]; /* the model's */
    int64_t least_us[MODEL_ROWS_MAX];        /* the watermark behind each row */
    uint32_t row_count;
    struct evs_field fields[OUT_COUNT], alias_fields[ALIAS_COUNT];
    struct evs_identity_config config;
};

static int64_t below(struct trial *trial, int64_t limit)
{
    return (int64_t)(unit_random(&trial->seed) % (uint64_t)limit);
}

static struct evs_value id_value(int id, bool may_be_empty)
{
    struct evs_value value = {.kind = EVS_STRING, .is_null = id == MODEL_NONE && !may_be_empty};
    if (id != MODEL_NONE) {
        value.str = evs_str_make(model_text(id), (uint32_t)strlen(model_text(id)));
    }
    return value;
}

/* Mostly anonymous rows; the rest are links, users alone, rows without any id, and aliases between ids of every kind. */
static void choose_ids(struct trial *trial, struct model_row *row)
{
    int64_t dice = below(trial, 20);
    row->anonymous = dice < 15 ? (int)below(trial, 5) : MODEL_NONE;
    row->user = (dice >= 10 && dice < 18) ? 5 + (int)below(trial, 5) : MODEL_NONE;
    row->previous = row->user != MODEL_NONE && below(trial, 3) == 0 ? (int)below(trial, MODEL_IDS) : MODEL_NONE;
}

static void make_row(struct trial *trial, uint32_t number, uint32_t partitions, int64_t span_us, int64_t *watermarks)
{
    struct model_row *row = &trial->rows[number];
    uint32_t partition = (uint32_t)below(trial, partitions);
    int64_t time_us = (int64_t)number * span_us / trial->row_count - 20 + below(trial, 16); /* before 1970, too */
    *row = (struct model_row){.row = {.time_us = time_us, .watermark_us = watermarks[partition]}};
    choose_ids(trial, row);
    row->row.cause = evs_cause_record(partition, number / 3 + 1, number % 3);
    row->row.identity = (struct evs_hash128){number % 3 * 7 + 1, 5};
    row->row.values[IN_KEY] = id_value(row->anonymous != MODEL_NONE ? row->anonymous : row->user, false);
    row->row.values[IN_ANONYMOUS] = id_value(row->anonymous, below(trial, 2) == 0);
    row->row.values[IN_USER] = id_value(row->user, below(trial, 2) == 0);
    int64_t moved_us = time_us - (int64_t)partition * 3;
    watermarks[partition] = moved_us > watermarks[partition] ? moved_us : watermarks[partition];
}

static void make_rows(struct trial *trial)
{
    int64_t watermarks[PARTITIONS_MAX] = {EVS_TIME_MIN, EVS_TIME_MIN, EVS_TIME_MIN};
    uint32_t partitions = 1 + (uint32_t)below(trial, PARTITIONS_MAX);
    int64_t span_us = 10 + below(trial, 100);
    trial->row_count = 1 + (uint32_t)below(trial, MODEL_ROWS_MAX);
    for (uint32_t i = 0; i < trial->row_count; i++) {
        make_row(trial, i, partitions, span_us, watermarks);
        trial->least_us[i] = EVS_TIME_MAX;
        for (uint32_t k = 0; k < partitions; k++) {
            trial->least_us[i] = watermarks[k] < trial->least_us[i] ? watermarks[k] : trial->least_us[i];
        }
    }
}

static void make_rules(struct trial *trial, bool has_aliases, bool forgets)
{
    struct model_rules *rules = &trial->model.rules;
    rules->has_aliases = has_aliases;
    rules->within_us = below(trial, 4) == 0 ? 0 : below(trial, 30);
    rules->retain_us = forgets ? rules->within_us + 1 + below(trial, 40) : EVS_TIME_MAX;
    rules->alias_retain_us = forgets ? (below(trial, 2) == 0 ? rules->retain_us : 1 + below(trial, 60)) : EVS_TIME_MAX;
    rules->users_max = 1 + (uint32_t)below(trial, 4);
    rules->aliases_max = 2 + (uint32_t)below(trial, MODEL_IDS);
    trial->config = (struct evs_identity_config){.key = IN_KEY,
                                                 .anonymous = IN_ANONYMOUS,
                                                 .user = IN_USER,
                                                 .has_aliases = has_aliases,
                                                 .previous = ALIAS_PREVIOUS,
                                                 .into = ALIAS_USER,
                                                 .within_us = rules->within_us,
                                                 .retain_us = rules->retain_us,
                                                 .alias_retain_us = rules->alias_retain_us,
                                                 .users_max = rules->users_max,
                                                 .aliases_max = rules->aliases_max,
                                                 .person = OUT_PERSON,
                                                 .known = OUT_KNOWN};
}

static void make_case(struct trial *trial)
{
    static const char *const names[OUT_COUNT] = {"key", "anonymous", "user", "person_id", "is_known"};
    for (uint32_t i = 0; i < OUT_COUNT; i++) {
        trial->fields[i] = (struct evs_field){
            .name = names[i], .type = evs_type_of(i == OUT_KNOWN ? EVS_BOOL : EVS_STRING), .nullable = true};
    }
    for (uint32_t i = 0; i < ALIAS_COUNT; i++) {
        trial->alias_fields[i] = (struct evs_field){.name = "id", .type = evs_type_of(EVS_STRING), .nullable = true};
    }
    trial->made = (struct op_case){
        .operator_ = &evs_op_identity,
        .config = &trial->config,
        .input = {IN_COUNT, trial->fields},
        .output = {OUT_COUNT, trial->fields},
        .second = {ALIAS_COUNT, trial->alias_fields},
        .keys = key_column,
        .key_count = 1,
        .seed = &trial->seed,
    };
    trial->made.wants_key = below(trial, 2) == 0;
    trial->made.has_identity = trial->made.wants_key && below(trial, 2) == 0;
}

/* --- running --------------------------------------------------------------------------------------------------------------------------- */

static void feed_aliases(struct trial *trial, uint32_t first, uint32_t count)
{
    struct op_row rows[MODEL_ROWS_MAX];
    uint32_t found = 0;
    for (uint32_t i = first; i < first + count; i++) {
        const struct model_row *row = &trial->rows[i];
        if (row->previous != MODEL_NONE) {
            rows[found] = row->row;
            rows[found].values[ALIAS_PREVIOUS] = id_value(row->previous, false);
            rows[found++].values[ALIAS_USER] = id_value(row->user, false);
        }
    }
    op_case_feed_input(&trial->made, 1, rows, found);
}

static void feed_rows(struct trial *trial, uint32_t first, uint32_t count)
{
    struct op_row rows[MODEL_ROWS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = trial->rows[first + i].row;
    }
    op_case_feed(&trial->made, rows, count);
}

static void run(struct trial *trial)
{
    op_case_begin(&trial->made, 1 + (uint32_t)below(trial, OP_CASE_WORKERS_MAX));
    for (uint32_t first = 0, count = 0; first < trial->row_count; first += count) {
        uint32_t left = trial->row_count - first;
        bool aliases_first = below(trial, 2) == 0;
        count = 1 + (uint32_t)below(trial, 9);
        count = count < left ? count : left;
        if (trial->config.has_aliases && aliases_first) {
            feed_aliases(trial, first, count);
        }
        feed_rows(trial, first, count);
        if (trial->config.has_aliases && !aliases_first) {
            feed_aliases(trial, first, count);
        }
        if (below(trial, 3) > 0) {
            op_case_watermark(&trial->made, trial->least_us[first + count - 1]);
        }
        if (below(trial, 4) == 0) {
            op_case_cut(&trial->made, 1 + (uint32_t)below(trial, OP_CASE_WORKERS_MAX), below(trial, 3) == 0);
        }
    }
    op_case_watermark(&trial->made, EVS_TIME_MAX);
}

static void expect(const struct trial *trial, struct op_lines *lines)
{
    for (uint32_t i = 0; i < trial->row_count; i++) {
        const struct model_row *row = &trial->sorted[i];
        struct evs_value values[OUT_COUNT];
        memcpy(values, row->row.values, IN_COUNT * sizeof *values);
        values[OUT_PERSON] = id_value(row->person, false);
        values[OUT_KNOWN] = (struct evs_value){.kind = EVS_BOOL, .boolean = row->is_known};
        op_lines_row(lines, row->row.time_us, row->row.cause, 0, values, OUT_COUNT);
    }
    op_lines_sort(lines);
}

static void check(struct trial *trial, uint64_t seed)
{
    struct op_lines expected = {0};
    char what[64];
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    memcpy(trial->sorted, trial->rows, sizeof trial->rows);
    trial->model.rows = trial->sorted;
    trial->model.row_count = trial->row_count;
    model_run(&trial->model);
    expect(trial, &expected);
    op_lines_sort(&trial->made.outputs[0]);
    op_lines_check(&trial->made.outputs[0], &expected, what);
    op_lines_clear(&expected);
    ck_assert_int_eq(op_case_counter(&trial->made, EVS_COUNT_IDENTIFIED), trial->model.identified);
    ck_assert_int_eq(op_case_counter(&trial->made, EVS_COUNT_MERGED), trial->model.merged);
    ck_assert_int_eq(op_case_counter(&trial->made, EVS_COUNT_LIMITED), trial->model.limited);
}

static void check_seed(uint64_t seed, bool has_aliases, bool forgets)
{
    struct trial *trial = evs_alloc_zero(sizeof *trial);
    trial->seed = seed;
    make_rules(trial, has_aliases, forgets);
    make_rows(trial);
    make_case(trial);
    run(trial);
    check(trial, seed);
    if (forgets) {
        ck_assert_int_eq(op_case_counter(&trial->made, EVS_COUNT_STATE_KEYS), 0); /* all is forgotten at the end */
    }
    op_case_end(&trial->made);
    evs_free(trial);
}

START_TEST(test_devices)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_seed(seed, false, seed % 2 == 0);
    }
}
END_TEST

/* Merges at random against a naive union-find: an array of labels. */
START_TEST(test_merges)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_seed(seed, true, false);
    }
}
END_TEST

START_TEST(test_merges_that_are_forgotten)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_seed(seed, true, true);
    }
}
END_TEST

/* --- damage ---------------------------------------------------------------------------------------------------------------------------- */

struct stored {
    struct op_case *made;
    uint64_t seed;
    uint32_t refused, taken;
};

/* A record of a real snapshot with a few bytes changed or cut off is restored as some state, or refused; then the operator goes on. */
static evs_status restore_damaged(void *argument, const struct evs_section_header *header,
                                  const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct stored *stored = argument;
    char fixed[256], variable[1024];
    struct evs_snapshot_record damaged = *record;
    (void)header;
    ck_assert(record->fixed.count <= sizeof fixed && record->variable.count <= sizeof variable);
    memcpy(fixed, record->fixed.data, record->fixed.count);
    memcpy(variable, record->variable.data, record->variable.count);
    damaged.fixed.data = fixed;
    damaged.variable.data = variable;
    uint64_t dice = unit_random(&stored->seed);
    for (uint32_t i = 0; i < 1 + dice % 3; i++) {
        uint64_t where = unit_random(&stored->seed), what = unit_random(&stored->seed);
        if (where % 2 == 0 || record->variable.count == 0) {
            fixed[(where >> 8) % record->fixed.count] = (char)what;
        } else {
            variable[(where >> 8) % record->variable.count] = (char)what;
        }
    }
    damaged.variable.count -= (dice >> 8) % 4 == 0 && damaged.variable.count > 0;
    damaged.fixed.count -= (dice >> 16) % 8 == 0;
    damaged.section = (dice >> 24) % 8 == 0 ? (uint32_t)(dice >> 32) % 7 : damaged.section;
    evs_status status = op_case_restore(stored->made, &damaged, error);
    ck_assert(status == EVS_OK || status == EVS_E_STATE || status == EVS_E_CORRUPT);
    stored->refused += status != EVS_OK;
    stored->taken += status == EVS_OK;
    return EVS_OK;
}

START_TEST(test_damaged_records)
{
    struct stored stored = {.seed = 7};
    for (uint64_t seed = 0; seed < unit_cases(1000); seed++) {
        struct trial *trial = evs_alloc_zero(sizeof *trial);
        struct evs_block_reader reader = {0};
        struct evs_error error = {0};
        trial->seed = seed;
        make_rules(trial, true, true);
        make_rows(trial);
        make_case(trial);
        trial->made.has_identity = false; /* the case would compare it with causes, which are damaged, too */
        op_case_begin(&trial->made, 1);
        feed_rows(trial, 0, trial->row_count);
        feed_aliases(trial, 0, trial->row_count);
        op_case_watermark(&trial->made, trial->least_us[trial->row_count / 2]);
        op_case_cut(&trial->made, 1, true);
        stored.made = &trial->made;
        for (uint32_t i = 0; i < trial->made.block_count; i++) {
            ck_assert_int_eq(evs_block_read(&reader, trial->made.blocks[i], restore_damaged, &stored, &error), EVS_OK);
        }
        ck_assert_int_eq(evs_block_reader_end(&reader, &error), EVS_OK);
        op_case_watermark(&trial->made, EVS_TIME_MAX);
        op_case_end(&trial->made);
        evs_free(trial);
    }
    ck_assert(stored.refused > 1000 && stored.taken > 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity");
    TCase *tests = tcase_create("identity");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_devices);
    tcase_add_test(tests, test_merges);
    tcase_add_test(tests, test_merges_that_are_forgotten);
    tcase_add_test(tests, test_damaged_records);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
