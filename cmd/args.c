/* Command-line arguments: one reader for every subcommand, with did-you-mean and a help page made of the option table. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static void print_help(const struct evs_args *args)
{
    printf("usage: %s\n\n%s\n", args->usage, args->description);
    printf("\noptions:\n");
    for (const struct evs_arg *option = args->options; option->name != NULL; option++) {
        char left[80];
        snprintf(left, sizeof left, "%s%s%s", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        printf("  %-40s %s\n", left, option->help);
    }
    printf("  %-40s %s\n", "--help", "prints this page");
}

int evs_args_refuse(const struct evs_args *args, const char *format, ...)
{
    fprintf(stderr, "evstream %s: ", args->argv[0]);
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "\nusage: %s\n`evstream %s --help` tells more.\n", args->usage, args->argv[0]);
    return EVS_EXIT_USAGE;
}

static const struct evs_arg *find_option(const struct evs_args *args, struct evs_slice name)
{
    for (const struct evs_arg *option = args->options; option->name != NULL; option++) {
        if (evs_slice_equal(evs_slice_of(option->name), name)) {
            return option;
        }
    }
    return NULL;
}

static int refuse_unknown(const struct evs_args *args, struct evs_slice name)
{
    struct evs_nearest nearest = evs_nearest_begin(name);
    for (const struct evs_arg *option = args->options; option->name != NULL; option++) {
        evs_nearest_offer(&nearest, evs_slice_of(option->name));
    }
    evs_nearest_offer(&nearest, EVS_SLICE("--help"));
    if (nearest.best.count > 0) {
        evs_args_refuse(args, "there is no option `%.*s`; did you mean `%.*s`?", (int)name.count, name.data,
                        (int)nearest.best.count, nearest.best.data);
    } else {
        evs_args_refuse(args, "there is no option `%.*s`.", (int)name.count, name.data);
    }
    return EVS_ARG_BAD;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = choices; *at != '\0';) {
        size_t count = strcspn(at, "|");
        if (count == length && memcmp(at, value, count) == 0) {
            return true;
        }
        at += count + (at[count] == '|');
    }
    return false;
}

/* `inline_value` is what stands behind `=`; NULL: nothing stands there. */
static int take_option(struct evs_args *args, const struct evs_arg *option, const char *inline_value)
{
    if (option->value == NULL) {
        if (inline_value != NULL) {
            evs_args_refuse(args, "the option `%s` takes no value.", option->name);
            return EVS_ARG_BAD;
        }
        return option->id;
    }
    if (inline_value == NULL) {
        if (args->next >= args->argc) {
            evs_args_refuse(args, "the option `%s` needs a value: %s %s.", option->name, option->name, option->value);
            return EVS_ARG_BAD;
        }
        inline_value = args->argv[args->next++];
    }
    if (option->choices != NULL && !is_choice(option->choices, inline_value)) {
        evs_args_refuse(args, "`%s` is no value of `%s`; it takes one of %s.", inline_value, option->name,
                        option->choices);
        return EVS_ARG_BAD;
    }
    args->value = inline_value;
    return option->id;
}

int evs_args_next(struct evs_args *args)
{
    EVS_ASSERT(args->next >= 1);
    while (args->next < args->argc) {
        const char *word = args->argv[args->next++];
        if (args->only_operands || word[0] != '-' || word[1] == '\0') {
            args->value = word;
            return EVS_ARG_OPERAND;
        }
        if (strcmp(word, "--") == 0) {
            args->only_operands = true;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            print_help(args);
            return EVS_ARG_HELP;
        }
        const char *equals = strchr(word, '=');
        struct evs_slice name = {word, equals != NULL ? (size_t)(equals - word) : strlen(word)};
        const struct evs_arg *option = find_option(args, name);
        if (option == NULL) {
            return refuse_unknown(args, name);
        }
        return take_option(args, option, equals != NULL ? equals + 1 : NULL);
    }
    return EVS_ARG_END;
}
