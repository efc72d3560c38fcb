/* Functions over columns give what they give over constants: each expression runs once over a batch of rows, and once for each row with the
 * row's values written into it as literals. So kernels are held to their own documented examples in all positions: column or constant,
 * short and long text, NULL, selected and not, failing rows beside others. */
#include <stdio.h>

#include "expr_case.h"

static const char *const texts[] = {
    NULL,
    "",
    "a",
    "twelve bytes",
    "thirteen byte",
    "Gr\xc3\xb6\xc3\x9f"
    "e \xc3\x84\xe2\x82\xac \xf0\x9f\x98\x80",
    "https://ann@www.Shop.co.uk:80/a/b?x=1+2&y=%C3%BC#f",
    "203.0.113.77",
    "a.b.c.d.a.b",
    "YWJj",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
};
static const char *const others[] = {NULL, "", "a", "[a-z]+", "(", ".", "https://shop.co.uk/?gclid=1"};
static const int64_t numbers[] = {0, 1, 2, -1, 5, INT64_MIN, INT64_MAX}; /* and NULL */
#define ROWS ((uint32_t)(EVS_COUNT(texts) * EVS_COUNT(others)))
#define NUMBERS (EVS_COUNT(numbers) + 1)

/* $s and $t are texts, $n is a number. */
static const char *const templates[] = {
    "upper($s)",
    "lower($s)",
    "initcap($s)",
    "initcap($s, $t)",
    "normalize($s)",
    "normalize_and_casefold($s)",
    "contains_substr($s, $t)",
    "ascii($s)",
    "unicode($s)",
    "chr($n)",
    "to_code_points($s)",
    "code_points_to_string(to_code_points($s))",
    "instr($s, $t, $n)",
    "instr($s, 'a', $n, 2)",
    "split_substr($s, $t, $n)",
    "split_substr($s, '.', $n, 2)",
    "edit_distance($s, $t)",
    "edit_distance($s, $t, $n)",
    "translate($s, $t, 'xyz')",
    "translate($s, 'abc', $t)",
    "soundex($s)",
    "substr($s, $n)",
    "regexp_contains($s, $t)",
    "regexp_contains($s, '[a-c]+[.]')",
    "regexp_extract($s, $t)",
    "regexp_extract($s, '[a-c]', $n)",
    "regexp_extract($s, '([a-c])[.]', 1, $n)",
    "regexp_extract_all($s, $t)",
    "regexp_instr($s, $t, $n)",
    "regexp_replace($s, $t, '<\\\\0>')",
    "regexp_replace($s, '([a-c])', $t)",
    "to_hex(md5($s))",
    "to_hex(sha256($s))",
    "to_base64(sha1($s))",
    "farm_fingerprint($s)",
    "from_hex($s)",
    "from_base64($s)",
    "from_base32(upper($s))",
    "to_base32(cast($s as bytes))",
    "to_hex(hmac_sha256($s, $t))",
    "net.host($s)",
    "net.reg_domain($s)",
    "net.public_suffix($s)",
    "to_hex(net.safe_ip_from_string($s))",
    "net.ip_to_string(net.ip_trunc(net.ip_from_string($s), $n))",
    "net.make_net($s, $n)",
    "to_hex(net.ipv4_from_int64($n))",
    "url_param($s, 'x')",
    "url_param($s, $t)",
    "url_path($s)",
    "user_agent_is_bot($s)",
    "referrer_medium($s, $t)",
    "referrer_medium($t, $s)",
    "ip_truncate($s)",
    "mask($s, $n)",
    "mask_email($s)",
    "format('%s|%5.3s|%d|%t', $s, $t, $n, $n)",
    "format('%t %T', $s, $t)",
    "format('%*d', 5, $n)",
    "range_bucket($n, [0, 2, 5])",
    "sin($n)",
    "acos($n)",
    "round(numeric '2.5', $n, 'ROUND_HALF_EVEN')",
    "to_hex(cast($s as bytes) << $n)",
    "cast($s as bytes) & cast($t as bytes)",
    "if($n > 1, $s, error('small'))",
    "safe.regexp_extract($s, $t)",
    "nullifzero($n)",
};

static struct evs_field fields[3];
static const struct evs_schema schema = {3, fields};

static const int64_t *number_of(uint32_t row)
{
    const size_t index = row % NUMBERS;
    return index < EVS_COUNT(numbers) ? &numbers[index] : NULL;
}

static void set_text(struct evs_batch *batch, uint32_t column, uint32_t row, const char *text)
{
    struct evs_str *data = batch->columns[column].data;
    data[row] = evs_str_make(text ? text : "", text ? (uint32_t)strlen(text) : 0);
    if (text == NULL) {
        evs_column_set_null(&batch->columns[column], row);
    }
}

/* Every text with every other; `every`-th rows only are selected. */
static struct evs_batch *new_batch(struct evs_batch_pool *pool, uint32_t every)
{
    static const char *const names[] = {"s", "t", "n"};
    static const enum evs_kind kinds[] = {EVS_STRING, EVS_STRING, EVS_INT64};
    struct evs_batch *batch = evs_batch_new(pool, schema.count);
    batch->row_count = batch->selected_count = ROWS;
    evs_batch_init_rows(batch, ROWS);
    for (uint32_t c = 0; c < schema.count; c++) {
        fields[c] = (struct evs_field){names[c], evs_type_of(kinds[c]), true};
        evs_column_init(&batch->columns[c], batch, kinds[c], ROWS, true);
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        batch->event_time_us[row] = 0;
        set_text(batch, 0, row, texts[row / EVS_COUNT(others)]);
        set_text(batch, 1, row, others[row % EVS_COUNT(others)]);
        ((int64_t *)batch->columns[2].data)[row] = number_of(row) ? *number_of(row) : 0;
        if (number_of(row) == NULL) {
            evs_column_set_null(&batch->columns[2], row);
        }
    }
    if (every > 1) {
        uint16_t *selection = EVS_ARENA_ARRAY(batch->arena, uint16_t, ROWS);
        batch->selected_count = 0;
        for (uint32_t row = 0; row < ROWS; row += every) {
            selection[batch->selected_count++] = (uint16_t)row;
        }
        batch->selection = selection;
    }
    return batch;
}

/* --- an expression with names, and with literals ------------------------------------------------------------------ */

static void put_literal(struct evs_buffer *out, const char *text)
{
    if (text == NULL) {
        evs_buffer_puts(out, "cast(null as string)");
        return;
    }
    evs_buffer_puts(out, "'");
    for (; *text != '\0'; text++) {
        const bool is_special = *text == '\'' || *text == '\\';
        evs_buffer_printf(out, is_special ? "\\%c" : "%c", *text);
    }
    evs_buffer_puts(out, "'");
}

static void put_value(struct evs_buffer *out, char name, uint32_t row)
{
    if (name != 'n') {
        put_literal(out, name == 's' ? texts[row / EVS_COUNT(others)] : others[row % EVS_COUNT(others)]);
    } else if (number_of(row) == NULL) {
        evs_buffer_puts(out, "cast(null as int64)");
    } else {
        evs_buffer_printf(out, "%lld", (long long)*number_of(row));
    }
}

/* The template with the columns' names, or with the values of a row. */
static const char *expand(const char *template, bool as_names, uint32_t row)
{
    struct evs_buffer out = {0};
    for (const char *at = template; *at != '\0'; at++) {
        if (*at == '$') {
            at++;
            as_names ? evs_buffer_put(&out, at, 1) : put_value(&out, *at, row);
        } else {
            evs_buffer_put(&out, at, 1);
        }
    }
    const char *text = evs_arena_strndup(&example_arena, out.data, out.count);
    evs_buffer_fini(&out);
    return text;
}

static const struct evs_program *compile(const char *template)
{
    struct evs_error error = {0};
    const char *text = expand(template, true, 0);
    const struct evs_expr *expr = expr_from_text(&example_arena, text, &schema, &error);
    ck_assert_msg(expr != NULL, "%s: %s", text, error.text);
    const struct evs_program *program;
    ck_assert_int_eq(evs_program_compile(&example_arena, &expr, 1, &program, &error), EVS_OK);
    return program;
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static const char *found_in(struct evs_eval *eval, const struct evs_column *column, uint32_t row)
{
    const struct evs_expr_failure *failures;
    const uint32_t count = evs_eval_failures(eval, &failures);
    for (uint32_t i = 0; i < count; i++) {
        if (failures[i].row == row) {
            return evs_arena_printf(&example_arena, "error: %s", failures[i].code);
        }
    }
    const struct evs_value value = evs_column_value(column, row);
    return value_as_text(&example_arena, &value);
}

/* What is an error of the plan with constants is one of the row with columns, unless another argument of it is NULL. */
static bool same(const char *found, const char *wanted)
{
    const bool no_plan = strncmp(wanted, "plan:", 5) == 0;
    return no_plan ? strncmp(found, "error:", 6) == 0 || strcmp(found, "NULL") == 0 : strcmp(found, wanted) == 0;
}

static void check_batch(const char *template, uint32_t every)
{
    struct evs_batch_pool *pool = evs_batch_pool_new();
    struct evs_batch *batch = new_batch(pool, every);
    struct evs_eval *eval = evs_eval_new(compile(template));
    struct evs_column column;
    evs_program_run(eval, batch, &column);
    for (uint32_t row = 0; row < ROWS; row += every) {
        const char *text = expand(template, false, row);
        const char *found = found_in(eval, &column, row), *wanted = result_of(&example_arena, text);
        ck_assert_msg(same(found, wanted), "row %u of %s: %s; %s gives %s", row, template, found, text, wanted);
    }
    evs_eval_free(eval);
    evs_batch_unref(batch);
    evs_batch_pool_free(pool);
}

START_TEST(test_template)
{
    check_batch(templates[_i], 1);
    check_batch(templates[_i], 3);
    check_batch(templates[_i], 19); /* few rows */
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("columns");
    tcase_add_loop_test(tcase, test_template, 0, (int)EVS_COUNT(templates));
    return run_examples("expr_columns", tcase);
}
