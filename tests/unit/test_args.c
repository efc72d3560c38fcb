/* Command-line arguments: every spelling, every refusal. What is printed goes to a file and is read back. */
#include "cmd.h"

#include <string.h>
#include <unistd.h>

#include "unit.h"

enum { NAME = 1, LIMIT, QUIET };
static const struct evs_arg options[] = {
    {NAME, "--name", "TEXT", "a name", NULL},
    {LIMIT, "--limit", "few|many", "how much", "few|many"},
    {QUIET, "--quiet", NULL, "says less", NULL},
    {0},
};

/* Reads all arguments; "1=x 3 -1=file …": ids with their values. The end and a refusal are the last. */
static const char *read_all(char **argv, char *out, size_t bytes)
{
    struct evs_args args = {.argv = argv,
                            .next = 1,
                            .options = options,
                            .usage = "evstream some [OPTION]…",
                            .description = "Does something."};
    while (argv[args.argc] != NULL) {
        args.argc++;
    }
    size_t used = 0;
    int id;
    do {
        args.value = NULL;
        id = evs_args_next(&args);
        used += (size_t)snprintf(out + used, bytes - used, "%s%d%s%s", used > 0 ? " " : "", id, args.value ? "=" : "",
                                 args.value ? args.value : "");
        ck_assert_uint_lt(used, bytes);
    } while (id != EVS_ARG_END && id != EVS_ARG_BAD && id != EVS_ARG_HELP);
    return out;
}
#define READ(...) read_all((char *[]){"some", __VA_ARGS__, NULL}, found, sizeof found)

/* Sends a stream into a temporary file while `READ` runs, and gives back what was written. */
static int redirect(FILE *stream, FILE **file)
{
    fflush(stream);
    int saved = dup(fileno(stream));
    *file = tmpfile();
    ck_assert_ptr_nonnull(*file);
    ck_assert_int_ge(dup2(fileno(*file), fileno(stream)), 0);
    return saved;
}

static const char *restore(FILE *stream, int saved, FILE *file, char *out, size_t bytes)
{
    fflush(stream);
    ck_assert_int_ge(dup2(saved, fileno(stream)), 0);
    close(saved);
    rewind(file);
    size_t count = fread(out, 1, bytes - 1, file);
    out[count] = '\0';
    fclose(file);
    return out;
}

START_TEST(test_spellings)
{
    char found[256];
    ck_assert_str_eq(READ("--name", "ann", "a.evs", "--quiet", "b.evs"), "1=ann -1=a.evs 3 -1=b.evs 0");
    ck_assert_str_eq(READ("--name=ann=bob", "--limit=many"), "1=ann=bob 2=many 0");
    ck_assert_str_eq(READ("--name=", "-"), "1= -1=- 0");
    ck_assert_str_eq(READ("--name", "--quiet"), "1=--quiet 0"); /* a value may look like an option */
    ck_assert_str_eq(READ("--", "--quiet", "--"), "-1=--quiet -1=-- 0");
}
END_TEST

START_TEST(test_refusals)
{
    static const struct {
        char *argv[4];
        const char *text;
    } cases[] = {
        {{"some", "--nam", NULL}, "there is no option `--nam`; did you mean `--name`?"},
        {{"some", "--colour=red", NULL}, "there is no option `--colour`."},
        {{"some", "-q", NULL}, "there is no option `-q`."},
        {{"some", "--name", NULL}, "the option `--name` needs a value: --name TEXT."},
        {{"some", "--quiet=yes", NULL}, "the option `--quiet` takes no value."},
        {{"some", "--limit", "more", NULL}, "`more` is no value of `--limit`; it takes one of few|many."},
        {{"some", "--limit=", NULL}, "`` is no value of `--limit`"},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        char found[256], text[1024];
        FILE *file;
        int saved = redirect(stderr, &file);
        read_all((char **)cases[i].argv, found, sizeof found);
        restore(stderr, saved, file, text, sizeof text);
        ck_assert_msg(strcmp(found, "-2") == 0 || strncmp(found, "-2=", 3) == 0, "case %zu: %s", i, found);
        ck_assert_msg(strstr(text, cases[i].text) != NULL, "case %zu: %s", i, text);
        ck_assert_ptr_nonnull(strstr(text, "evstream some --help"));
    }
}
END_TEST

START_TEST(test_help_shows_every_option)
{
    char found[256], text[2048];
    FILE *file;
    int saved = redirect(stdout, &file);
    READ("a.evs", "--help", "--nonsense");
    restore(stdout, saved, file, text, sizeof text);
    ck_assert_str_eq(found, "-1=a.evs -3");
    static const char *const parts[] = {
        "usage: evstream some", "Does something.", "--name TEXT", "--limit few|many", "--quiet", "says less", "--help"};
    for (size_t i = 0; i < EVS_COUNT(parts); i++) {
        ck_assert_msg(strstr(text, parts[i]) != NULL, "the help has no %s", parts[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("args");
    TCase *all = tcase_create("args");
    tcase_add_test(all, test_spellings);
    tcase_add_test(all, test_refusals);
    tcase_add_test(all, test_help_shows_every_option);
    suite_add_tcase(suite, all);
    return unit_run(suite);
}
