/* Imports: relative paths, order, circles, missing files. */
#include "parse_case.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/evs-parser-XXXXXX";

static const char *path_of(const char *name)
{
    return evs_arena_printf(&parse_case.script.arena, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(path_of(name), "w");
    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    fclose(file);
}

static void make_folder(void)
{
    parse_case_begin();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(mkdir(path_of("lib"), 0700), 0);
}

static void remove_folder(void)
{
    static const char *const names[] = {"main.evs", "lib/a.evs", "lib/b.evs", "lib/c.evs"};
    for (uint32_t i = 0; i < EVS_COUNT(names); i++) {
        unlink(path_of(names[i]));
    }
    rmdir(path_of("lib"));
    rmdir(folder);
    parse_case_end();
}

/* The names that are declared, in order. */
static const char *declared(void)
{
    struct evs_buffer names = {0};
    for (uint32_t i = 0; i < parse_case.script.count; i++) {
        if (parse_case.script.statements[i]->kind == EVS_STATEMENT_PARAM) {
            evs_buffer_puts(&names, parse_case.script.statements[i]->name.text.data);
        }
    }
    const char *text = evs_arena_strndup(&parse_case.script.arena, names.data != NULL ? names.data : "", names.count);
    evs_buffer_fini(&names);
    return text;
}

START_TEST(imports_come_first_and_once)
{
    struct evs_error error;
    write_file("main.evs", "import 'lib/a.evs'; param m int64; import 'lib/../lib/b.evs'; param n int64;");
    write_file("lib/a.evs", "param a int64; import 'c.evs';");
    write_file("lib/b.evs", "import 'c.evs'; import './a.evs'; param b int64;");
    write_file("lib/c.evs", "param c int64;");
    ck_assert_int_eq(
        evs_script_load(&parse_case.script, parse_case.sources, path_of("main.evs"), parse_case.diagnostics, &error),
        EVS_OK);
    ck_assert_str_eq(declared(), "cabmn");
    ck_assert_int_eq(
        evs_script_load(&parse_case.script, parse_case.sources, path_of("lib/b.evs"), parse_case.diagnostics, &error),
        EVS_OK);
    ck_assert_str_eq(declared(), "cabmn");
    ck_assert_uint_eq(evs_diagnostics_count(parse_case.diagnostics), 0);
}
END_TEST

START_TEST(circles_and_missing_files)
{
    struct evs_error error;
    write_file("main.evs", "import 'lib/a.evs'; import 'lib/nothing.evs'; param m int64;");
    write_file("lib/a.evs", "import 'b.evs'; param a int64;");
    write_file("lib/b.evs", "import '../main.evs'; import 'b.evs'; param b int64 x;");
    ck_assert_int_eq(
        evs_script_load(&parse_case.script, parse_case.sources, path_of("main.evs"), parse_case.diagnostics, &error),
        EVS_E_PIPELINE);
    ck_assert_str_eq(declared(), "bam");
    ck_assert_uint_eq(evs_diagnostics_errors(parse_case.diagnostics), 4);
    static const enum evs_code codes[] = {EVS_E0121, EVS_E0122, EVS_E0122, EVS_E0110};
    for (uint32_t i = 0; i < EVS_COUNT(codes); i++) {
        ck_assert_int_eq(evs_diagnostics_at(parse_case.diagnostics, i).code, codes[i]);
    }
}
END_TEST

START_TEST(the_file_itself_is_missing)
{
    struct evs_error error = {0};
    ck_assert_int_eq(
        evs_script_load(&parse_case.script, parse_case.sources, path_of("main.evs"), parse_case.diagnostics, &error),
        EVS_E_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "main.evs"));
    ck_assert_int_ne(evs_script_load(&parse_case.script, parse_case.sources, folder, parse_case.diagnostics, &error),
                     EVS_OK); /* a folder */
    ck_assert_uint_eq(evs_diagnostics_count(parse_case.diagnostics), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("script");
    TCase *tests = tcase_create("script");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, imports_come_first_and_once);
    tcase_add_test(tests, circles_and_missing_files);
    tcase_add_test(tests, the_file_itself_is_missing);
    suite_add_tcase(suite, tests);
    return parse_case_run(suite);
}
