/* An expectation against the rows that came.
 *
 * A row of the test names some columns, and matches a row that has these values in them. Values are compared by the sink's types, not by their
 * spelling: both sides are decoded as the columns' types and encoded again, so 20 is 20.00 and a time is a time in any zone. Rows
 * that name more columns choose first, so that a vague row takes none that an exact one needs. */
#include "scenario.h"

#include "decode_json.h"
#include "format_json.h"

/* --- the columns that a row names -------------------------------------------------------------------------------------------- */

/* Behind a string, a number, an object …: the text is valid JSON. */
static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;
    bool in_text = false;
    for (; at < end; at++) {
        if (in_text) {
            at += *at == '\\';
            in_text = *at != '"';
            continue;
        }
        if (depth == 0 && (*at == ',' || *at == '}')) {
            return at;
        }
        in_text = *at == '"';
        depth += *at == '{' || *at == '[' ? 1 : *at == '}' || *at == ']' ? -1 : 0;
    }
    return at;
}

/* The next key of an object, without its quotes; moves *at behind its value. Empty at the end. */
static struct evs_slice next_key(const char **at, const char *end)
{
    while (*at < end && **at != '"') {
        (*at)++;
    }
    if (*at >= end) {
        return (struct evs_slice){0};
    }
    const char *begin = *at + 1, *stop = begin;
    while (stop < end && *stop != '"') {
        stop += 1 + (*stop == '\\');
    }
    *at = skip_value(stop + 1, end);
    return (struct evs_slice){begin, (size_t)(stop - begin)};
}

struct shape { /* the columns that a row is compared by */
    struct evs_decode_column *columns;
    struct evs_field *fields;
    const char **paths;
    uint32_t count;
};

static const struct evs_field *find_field(const struct evs_schema *schema, struct evs_slice name,
                                          struct evs_nearest *nearest)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        if (evs_slice_equal(name, evs_slice_of(schema->fields[i].name))) {
            return &schema->fields[i];
        }
        evs_nearest_offer(nearest, evs_slice_of(schema->fields[i].name));
    }
    return NULL;
}

/* False, and told, when the row names a column that the sink has not. */
static bool shape_of(struct evs_arena *arena, const struct evs_schema *schema, struct evs_slice row,
                     struct shape *shape, struct evs_buffer *out)
{
    *shape = (struct shape){.columns = EVS_ARENA_ARRAY(arena, struct evs_decode_column, schema->count + 1),
                            .fields = EVS_ARENA_ARRAY(arena, struct evs_field, schema->count + 1),
                            .paths = EVS_ARENA_ARRAY(arena, const char *, schema->count + 1)};
    const char *at = row.data, *end = row.data + row.count;
    for (struct evs_slice key = next_key(&at, end); key.data != NULL; key = next_key(&at, end)) {
        struct evs_nearest nearest = evs_nearest_begin(key);
        const struct evs_field *field = find_field(schema, key, &nearest);
        if (field == NULL) {
            evs_buffer_printf(out, "    the rows have no column `%.*s`", (int)key.count, key.data);
            if (nearest.best.count > 0) {
                evs_buffer_printf(out, "; did you mean `%.*s`?", (int)nearest.best.count, nearest.best.data);
            }
            evs_buffer_puts(out, "\n");
            return false;
        }
        if (shape->count == schema->count) {
            evs_buffer_puts(out, "    a column is named twice\n");
            return false;
        }
        shape->paths[shape->count] = field->name;
        shape->fields[shape->count] = *field;
        shape->fields[shape->count].nullable = true;
        shape->columns[shape->count] = (struct evs_decode_column){.name = field->name,
                                                                  .path = &shape->paths[shape->count],
                                                                  .path_count = 1,
                                                                  .kind = field->type->kind,
                                                                  .type = field->type};
        shape->count++;
    }
    return true;
}

/* --- one spelling ---------------------------------------------------------------------------------------------------------- */

struct speller {
    const struct shape *shape;
    struct evs_batch_pool *pool;
    struct evs_arena *arena;
    void *decoder;
    const void *encoder;
};

static void encode(const struct speller *speller, const struct evs_batch *batch, struct evs_slice *canonical)
{
    struct evs_schema schema = {speller->shape->count, speller->shape->fields};
    struct evs_format_place place = {.pipeline = "", .sink = ""};
    struct evs_buffer text = {0};
    evs_format_json.encode(speller->encoder, &schema, batch, 0, &place, &text);
    *canonical =
        (struct evs_slice){evs_arena_strndup(speller->arena, text.count > 0 ? text.data : "", text.count), text.count};
    evs_buffer_fini(&text);
}

/* The row by the columns of the shape, in one spelling. False: `detail` says what does not fit. */
static bool spell(const struct speller *speller, struct evs_slice row, struct evs_slice *canonical,
                  struct evs_buffer *detail)
{
    struct evs_batch *batch = evs_batch_new(speller->pool, speller->shape->count);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    for (uint32_t i = 0; i < speller->shape->count; i++) {
        evs_column_init(&batch->columns[i], batch, speller->shape->columns[i].kind, EVS_BATCH_ROWS, true);
    }
    uint32_t record_index[1] = {0}, next_index = 0;
    struct evs_slice raw[1];
    struct evs_decode_bad bad[1];
    struct evs_decode_out decoded = {
        .batch = batch, .row_max = 1, .record_index = record_index, .raw = raw, .bad = bad, .bad_max = 1};
    size_t consumed = 0;
    evs_decode_json.decode(speller->decoder, row, &consumed, &next_index, false, &decoded);
    bool is_row = batch->row_count == 1 && decoded.bad_count == 0;
    if (is_row) {
        batch->selected_count = 1;
        encode(speller, batch, canonical);
    } else {
        evs_buffer_printf(detail, "    %s\n", decoded.bad_count > 0 ? bad[0].detail : "no row");
    }
    evs_batch_unref(batch);
    return is_row;
}

static bool open_speller(struct speller *speller, struct evs_arena *arena, const struct shape *shape)
{
    struct evs_schema schema = {shape->count, shape->fields};
    struct evs_error error;
    *speller = (struct speller){.shape = shape, .arena = arena, .pool = evs_batch_pool_new()};
    speller->decoder = evs_decode_json.open(shape->columns, shape->count, 1u << 20);
    return evs_format_json.configure == NULL ||
           evs_format_json.configure(NULL, &schema, arena, &speller->encoder, &error) == EVS_OK;
}

static void close_speller(struct speller *speller)
{
    evs_decode_json.close(speller->decoder);
    evs_batch_pool_free(speller->pool);
}

/* --- matching -------------------------------------------------------------------------------------------------------------- */

struct comparison {
    const struct evs_expectation *expectation;
    struct evs_arena arena;
    struct evs_buffer *out;
    bool *is_taken;   /* of the rows that came */
    bool *is_matched; /* of the rows of the test */
};

/* Whether row `came` has what the row of the test says; what cannot be read as the column's type matches nothing. */
static bool matches(const struct speller *speller, struct evs_slice wanted, struct evs_slice came)
{
    struct evs_buffer ignored = {0};
    struct evs_slice text = {0};
    bool is_equal = spell(speller, came, &text, &ignored) && evs_slice_equal(text, wanted);
    evs_buffer_fini(&ignored);
    return is_equal;
}

/* The first row that matches; with `in order`, the row at the same place alone. */
static void match_row(struct comparison *comparison, uint32_t index, const struct shape *shape)
{
    const struct evs_expectation *expectation = comparison->expectation;
    struct speller speller;
    struct evs_slice wanted = {0};
    bool is_ready = open_speller(&speller, &comparison->arena, shape);
    if (is_ready && spell(&speller, expectation->step->rows[index], &wanted, comparison->out)) {
        uint32_t first = expectation->step->in_order ? index : 0;
        uint32_t end = expectation->step->in_order ? index + 1 : expectation->row_count;
        for (uint32_t i = first; i < end && i < expectation->row_count && !comparison->is_matched[index]; i++) {
            if (!comparison->is_taken[i] && matches(&speller, wanted, expectation->rows[i])) {
                comparison->is_taken[i] = comparison->is_matched[index] = true;
            }
        }
    }
    close_speller(&speller);
}

static void match_all(struct comparison *comparison)
{
    const struct evs_expectation *expectation = comparison->expectation;
    uint32_t count = expectation->step->row_count;
    struct shape *shapes = EVS_ARENA_ARRAY(&comparison->arena, struct shape, count + 1);
    bool *is_named = EVS_ARENA_ARRAY(&comparison->arena, bool, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        is_named[i] =
            shape_of(&comparison->arena, expectation->schema, expectation->step->rows[i], &shapes[i], comparison->out);
    }
    for (uint32_t columns = expectation->schema->count + 1; columns-- > 0;) { /* exact ones first */
        for (uint32_t i = 0; i < count; i++) {
            if (is_named[i] && shapes[i].count == columns) {
                match_row(comparison, i, &shapes[i]);
            }
        }
    }
}

static void put_rows(struct evs_buffer *out, const char *what, const struct evs_slice *rows, uint32_t count,
                     const bool *skips)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!skips[i]) {
            evs_buffer_printf(out, "    %-10s %.*s\n", what, (int)rows[i].count, rows[i].data);
        }
    }
}

static void compare(struct comparison *comparison)
{
    const struct evs_expectation *expectation = comparison->expectation;
    comparison->is_taken = EVS_ARENA_ARRAY(&comparison->arena, bool, expectation->row_count + 1);
    comparison->is_matched = EVS_ARENA_ARRAY(&comparison->arena, bool, expectation->step->row_count + 1);
    if (expectation->schema != NULL) {
        match_all(comparison);
    }
}

static bool are_all(const bool *flags, uint32_t count)
{
    return count == 0 || memchr(flags, false, count) == NULL;
}

/* Whether the rows are right but for their order. */
static bool is_only_order(const struct evs_expectation *expectation)
{
    struct evs_test_step step = *expectation->step;
    struct evs_expectation unordered = *expectation;
    struct evs_buffer ignored = {0};
    struct comparison comparison = {.expectation = &unordered, .out = &ignored};
    step.in_order = false;
    unordered.step = &step;
    compare(&comparison);
    bool is_right =
        are_all(comparison.is_taken, expectation->row_count) && are_all(comparison.is_matched, step.row_count);
    evs_arena_fini(&comparison.arena);
    evs_buffer_fini(&ignored);
    return is_right;
}

void evs_scenario_compare(const struct evs_expectation *expectation, struct evs_buffer *out)
{
    struct comparison comparison = {.expectation = expectation, .out = out};
    const struct evs_test_step *step = expectation->step;
    size_t before = out->count;
    compare(&comparison);
    put_rows(out, "missing", step->rows, step->row_count, comparison.is_matched);
    put_rows(out, "unexpected", expectation->rows, expectation->row_count, comparison.is_taken);
    if (out->count > before && step->in_order && is_only_order(expectation)) {
        evs_buffer_puts(out, "    the rows are right, in another order\n");
    }
    evs_arena_fini(&comparison.arena);
}
